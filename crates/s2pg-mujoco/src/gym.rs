//! A locomotion task: a row of the table in [`crate::tasks`], brought to life.

use std::ops::Range;

use s2pg::env::{Env, EnvError, EnvSpec, Options, Outcome, Shape, check_options, check_snapshot};
use s2pg::rng::Rng;

use crate::body::Body;
use crate::sum::sum;
use crate::tasks::{Block, Control, Place, Root, Task, find};

/// The most that a mass changes, of its nominal value.
const CHANGE: f64 = 0.3;

/// A locomotion task. Without a time limit: see [`s2pg::env::TimeLimit`].
///
/// `s` is the observed positions (m, rad), the velocities (m/s, rad/s), further blocks on Ant (contact forces) and Humanoid
/// (inertias, velocities at the centre of mass, motor forces, contact forces), and the changes of the masses where they vary;
/// `o` is the same, or what the policy may see of it. The action is one number for each motor; MuJoCo clamps it to the
/// motors' range, while the reward `forward (x' - x) / dt + healthy - control sum a^2 - contact sum f^2` takes it as it came.
/// All is float64 but the cost of control on bodies other than the humanoid, which is float32 as the actions are. A figure:
/// `distance` from the start, in m.
pub struct Gym {
    task: &'static Task,
    spec: EnvSpec,
    body: Body,
    /// The parts of `s` that the policy sees.
    seen: Vec<Range<usize>>,
    /// What the blocks show. MuJoCo's own numbers lag behind the positions, so they are kept here and in snapshots.
    blocks: Vec<f64>,
    contacts: bool,
    masses: Option<Masses>,
    /// The changes of the masses, of their nominal values; empty where they do not vary.
    change: Vec<f64>,
    /// Where the body was at the last look.
    place: f64,
    start: f64,
    steps: usize,
}

/// How masses are drawn at a reset.
struct Masses {
    discrete: bool,
    reset_first: bool,
    scale_geoms: bool,
    stale_inertias: bool,
}

/// A set of published experiments, which decides what is hidden.
#[derive(Clone, Copy, PartialEq)]
enum Suite {
    Ppo,
    Memoryless,
    Privileged,
}

impl Gym {
    /// The task called `name`. Unknown options are an error. All tasks have
    ///
    /// - `masses = "none"`: or `"discrete"`, each body's mass is 0.7, 1 or 1.3 of its nominal value in an episode, or
    ///   `"uniform"`, each is anything between 0.7 and 1.3. The changes (-0.3 to 0.3) are the last entries of `s`, the
    ///   world's first; inertias go with the masses. The published code drew discrete masses and made three errors, which
    ///   can be had back: `stale_inertias = true`, inertias and constants stay those of the nominal masses;
    ///   `scale_geoms = true`, radii change as well; `reset_first = true`, the first observation is of the masses before.
    ///
    /// and the tasks whose policy does not see everything, on five bodies,
    ///
    /// - `suite = "ppo"`: the policy of PPO with memory sees neither velocities nor, on Humanoid, `com_inertia` and
    ///   `com_velocity`; or `"ppo-memoryless"`, the policies of a window and without memory do not see velocities; or
    ///   `"privileged"`, the policies of SAC and TD3 do not see `actuator_forces` either. Masses are always hidden.
    /// - `zero_contact_forces = true` on Ant and Humanoid: contact forces are zero and cost nothing, as with the simulator
    ///   of the publication.
    pub fn new(name: &str, options: &Options) -> Result<Self, EnvError> {
        Self::of(find(name)?, options)
    }

    pub(crate) fn of(task: &'static Task, options: &Options) -> Result<Self, EnvError> {
        let mut known = vec!["masses", "stale_inertias", "scale_geoms", "reset_first"];
        if task.partial && task.root != Root::Joint {
            known.push("suite");
        }
        let touched = task.blocks.iter().any(|block| block.is_contact());
        if task.partial && touched {
            known.push("zero_contact_forces");
        }
        check_options(task.name, options, &known)?;
        let masses = Masses::of(task.name, options)?;
        let suites = [("ppo", Suite::Ppo), ("ppo-memoryless", Suite::Memoryless), ("privileged", Suite::Privileged)];
        let suite = choose(task.name, options, "suite", &suites)?;
        let contacts = touched && !switch(task.name, options, "zero_contact_forces", task.partial)?;

        let body = Body::from_source(task.source, masses.is_some());
        let body = body.map_err(|what| EnvError::Invalid { env: task.name.into(), what })?;
        let (positions, velocities) = task.root.names();
        let joints = task.joints.iter();
        let positions: Vec<String> = positions.iter().chain(task.joints).map(|&name| name.into()).collect();
        let velocities = velocities.iter().map(|&name| name.into()).chain(joints.map(|name| format!("v_{name}")));
        let velocities: Vec<String> = velocities.collect();
        let bodies = body.names();
        // Gym's `v3` shows the world's rows and the root's entries, `v5` does not.
        let shown = if task.partial {
            (&bodies[..], &velocities[..])
        } else {
            (&bodies[1..], &velocities[6.min(velocities.len())..])
        };
        let hidden = |block: Option<Block>| {
            task.partial
                && match block {
                    Some(Block::ComInertia | Block::ComVelocity) => suite != Suite::Memoryless,
                    Some(Block::ActuatorForces) => suite == Suite::Privileged,
                    Some(Block::ContactForces | Block::ExternalContactForces) => false,
                    None => true,
                }
        };
        let mut parts = vec![(positions, false), (velocities.clone(), hidden(None))];
        parts.extend(task.blocks.iter().map(|&block| (block.names(shown.0, shown.1), hidden(Some(block)))));
        let blocks = parts[2..].iter().map(|(names, _)| names.len()).sum();
        let change = vec![0.0; if masses.is_some() { bodies.len() } else { 0 }];
        if masses.is_some() {
            parts.push((bodies.iter().map(|name| format!("mass_{name}")).collect(), hidden(None)));
        }
        let (mut s, mut o, mut seen) = (Vec::new(), Vec::new(), Vec::new());
        for (names, hidden) in parts {
            if !hidden {
                seen.push(s.len()..s.len() + names.len());
                o.extend_from_slice(&names);
            }
            s.extend(names);
        }
        let bound = |i: usize| body.control_range().iter().map(|range| range[i] as f32).collect();
        let dt = body.timestep() * task.frame_skip as f64;
        let spec = EnvSpec { name: task.name.into(), o, s, low: bound(0), high: bound(1), horizon: 1000, dt };
        let (blocks, place) = (vec![0.0; blocks], 0.0);
        let mut gym = Self { task, spec, body, seen, blocks, contacts, masses, change, place, start: 0.0, steps: 0 };
        // A model that was scaled by 1 is not to the bit the model that was compiled, so all are scaled.
        gym.scale_masses();
        let (positions, velocities) = (gym.body.reference().to_vec(), vec![0.0; gym.body.velocities().len()]);
        gym.body.reset(&positions, &velocities);
        gym.look();
        Ok(gym)
    }

    /// Takes in what the simulation has computed: the blocks, and where the body is.
    fn look(&mut self) {
        let Self { task, body, blocks, contacts, .. } = self;
        let row = if task.partial { 0 } else { 1 };
        let mut rest = &mut blocks[..];
        let mut show = |x: &[f64], clip: f64| {
            let (block, after) = std::mem::take(&mut rest).split_at_mut(x.len());
            block.iter_mut().zip(x).for_each(|(block, x)| *block = x.clamp(-clip, clip));
            rest = after;
        };
        for block in task.blocks {
            match block {
                Block::ComInertia => show(body.inertias()[row..].as_flattened(), f64::INFINITY),
                Block::ComVelocity => show(body.centre_velocities()[row..].as_flattened(), f64::INFINITY),
                Block::ActuatorForces => show(&body.motor_forces()[6 * row..], f64::INFINITY),
                Block::ContactForces if *contacts => show(body.contact_forces()[row..].as_flattened(), 1.0),
                Block::ExternalContactForces if *contacts => {
                    show(body.contact_forces()[row..].as_flattened(), f64::INFINITY);
                }
                // They stay zero, and come last.
                Block::ContactForces | Block::ExternalContactForces => {}
            }
        }
        self.place = self.here();
    }

    fn here(&self) -> f64 {
        match self.task.place {
            Place::Position => self.x(),
            Place::Trunk => self.body.trunk(),
            Place::Centre => self.body.centre(),
        }
    }

    fn x(&self) -> f64 {
        self.body.positions()[0]
    }

    fn costs(&self, a: &[f32]) -> f64 {
        let control = match self.task.control {
            Control::Single(weight) => (weight * sum(a, |a| a * a)) as f64,
            Control::Double(weight) => {
                let mut wide = [0.0; 32];
                wide.iter_mut().zip(a).for_each(|(wide, &a)| *wide = a as f64);
                weight * sum(&wide[..a.len()], |a| a * a)
            }
        };
        let (weight, most) = self.task.contact;
        let forces =
            |clip: f64| sum(self.body.contact_forces().as_flattened(), |f| f.clamp(-clip, clip) * f.clamp(-clip, clip));
        let contact = match self.contacts {
            true if self.task.blocks.contains(&Block::ContactForces) => weight * forces(1.0),
            true => (weight * forces(f64::INFINITY)).min(most),
            false => 0.0,
        };
        control + contact
    }

    fn scale_masses(&mut self) {
        if let Some(masses) = &self.masses {
            self.body.scale_masses(&self.change, masses.stale_inertias, masses.scale_geoms);
        }
    }

    fn unstable(&self, what: String) -> EnvError {
        EnvError::Unstable { env: self.task.name.into(), step: self.steps, what }
    }
}

impl Masses {
    fn of(env: &str, options: &Options) -> Result<Option<Self>, EnvError> {
        let kinds = [("none", None), ("discrete", Some(true)), ("uniform", Some(false))];
        let kind = choose(env, options, "masses", &kinds)?;
        let switches = ["stale_inertias", "scale_geoms", "reset_first"];
        let [stale_inertias, scale_geoms, reset_first] = switches.map(|key| switch(env, options, key, false));
        let (stale_inertias, scale_geoms, reset_first) = (stale_inertias?, scale_geoms?, reset_first?);
        if kind != Some(true) && (stale_inertias || scale_geoms || reset_first) {
            let on = [stale_inertias, scale_geoms, reset_first].iter().position(|&on| on).expect("one of them is on");
            let what =
                format!("`{} = true` belongs to `masses = \"discrete\"`; take it away, or ask for that", switches[on]);
            return Err(EnvError::Invalid { env: env.into(), what });
        }
        Ok(kind.map(|discrete| Self { discrete, reset_first, scale_geoms, stale_inertias }))
    }

    fn draw(&self, change: &mut [f64], rng: &mut Rng) {
        let (discrete, uniform) = (self.discrete, !self.discrete);
        for (body, change) in change.iter_mut().enumerate() {
            *change = match body {
                // The world has no mass to change; the published code drew for it.
                0 if uniform => 0.0,
                _ if discrete => [-CHANGE, 0.0, CHANGE][rng.below(3)],
                _ => rng.range(-CHANGE, CHANGE),
            };
        }
    }
}

/// The value of the option `key`, which is one of the words in `choices`; the first of them if it is not given.
fn choose<T: Copy>(env: &str, options: &Options, key: &str, choices: &[(&str, T)]) -> Result<T, EnvError> {
    let Some(given) = options.get(key) else { return Ok(choices[0].1) };
    let choice = choices.iter().find(|(word, _)| given.as_str() == Some(word));
    choice.map(|choice| choice.1).ok_or_else(|| {
        let words: Vec<_> = choices.iter().map(|(word, _)| format!("{word:?}")).collect();
        EnvError::Invalid { env: env.into(), what: format!("`{key}` is {given}; it can be {}", words.join(", ")) }
    })
}

/// The value of the option `key`, which is true or false.
fn switch(env: &str, options: &Options, key: &str, default: bool) -> Result<bool, EnvError> {
    let Some(given) = options.get(key) else { return Ok(default) };
    given.as_bool().ok_or_else(|| EnvError::Invalid {
        env: env.into(),
        what: format!("`{key}` is {given}; it can be true or false"),
    })
}

impl Env for Gym {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
        let Task { noise, normal, .. } = *self.task;
        let near = |&x: &f64, rng: &mut Rng| x + rng.range(-noise, noise);
        let positions: Vec<_> = self.body.reference().iter().map(|x| near(x, rng)).collect();
        let start = |rng: &mut Rng| if normal { noise * rng.normal() } else { near(&0.0, rng) };
        let velocities: Vec<_> = self.body.velocities().iter().map(|_| start(rng)).collect();
        let reset_first = self.masses.as_ref().is_some_and(|masses| masses.reset_first);
        if reset_first {
            self.body.reset(&positions, &velocities);
            self.look();
        }
        if let Some(masses) = &self.masses {
            masses.draw(&mut self.change, rng);
            self.scale_masses();
        }
        self.body.reset(&positions, &velocities);
        if reset_first {
            // The first observation stays what it was.
            self.place = self.here();
        } else {
            self.look();
        }
        (self.start, self.steps) = (self.x(), 0);
        Ok(())
    }

    fn step(&mut self, a: &[f32], _: &mut Rng) -> Result<Outcome, EnvError> {
        self.steps += 1;
        let before = self.place;
        self.body.step(a, self.task.frame_skip).map_err(|what| self.unstable(what))?;
        if self.contacts {
            self.body.forces();
        }
        self.look();
        let Task { forward, healthy, .. } = self.task;
        let fell = healthy.is_some_and(|healthy| healthy.fell(&self.body));
        let bonus = healthy.map_or(0.0, |healthy| if fell && !healthy.always { 0.0 } else { healthy.reward });
        let r = forward * ((self.place - before) / self.spec.dt) + bonus - self.costs(a);
        if !r.is_finite() {
            return Err(self.unstable(format!("the reward is {r}")));
        }
        Ok(Outcome { r, terminated: fell, truncated: false })
    }

    fn observe(&self, o: &mut [f32], s: &mut [f32]) {
        assert_eq!(s.len(), self.spec.s.len(), "{}: s has the wrong length", self.task.name);
        let (positions, velocities, clip) = (self.body.positions(), self.body.velocities(), self.task.clip);
        let seen = s.len() - velocities.len() - self.blocks.len() - self.change.len();
        let positions = positions[positions.len() - seen..].iter().copied();
        let all = positions
            .chain(velocities.iter().map(|v| v.clamp(-clip, clip)))
            .chain(self.blocks.iter().copied())
            .chain(self.change.iter().copied());
        s.iter_mut().zip(all).for_each(|(s, x)| *s = x as f32);
        let mut rest = o;
        for part in &self.seen {
            let (o, after) = rest.split_at_mut(part.len());
            o.copy_from_slice(&s[part.clone()]);
            rest = after;
        }
        assert!(rest.is_empty(), "{}: o has the wrong length", self.task.name);
    }

    fn metrics(&self) -> Vec<(&'static str, f64)> {
        if self.task.forward == 0.0 { Vec::new() } else { vec![("distance", self.x() - self.start)] }
    }

    /// The state of the simulation, then the place, the start, the steps, the blocks and the changes of the masses.
    fn snapshot(&self) -> Vec<f64> {
        let mut state = self.body.snapshot();
        state.extend([self.place, self.start, self.steps as f64]);
        state.extend(&self.blocks);
        state.extend(&self.change);
        state
    }

    fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
        let (body, blocks, masses) = (self.body.snapshot_len(), self.blocks.len(), self.change.len());
        check_snapshot(self.task.name, state, body + 3 + blocks + masses)?;
        let (body, rest) = state.split_at(body);
        let (numbers, rest) = rest.split_at(3);
        let (blocks, change) = rest.split_at(blocks);
        if let Some(change) = change.iter().find(|change| !(-CHANGE..=CHANGE).contains(*change)) {
            let what = format!("a mass of this snapshot is changed by {change}, which is not between -0.3 and 0.3");
            return Err(EnvError::Invalid { env: self.task.name.into(), what });
        }
        if self.change != change {
            self.change.copy_from_slice(change);
            self.scale_masses();
        }
        self.body.restore(body);
        self.blocks.copy_from_slice(blocks);
        (self.place, self.start, self.steps) = (numbers[0], numbers[1], numbers[2] as usize);
        Ok(())
    }

    fn shapes(&self) -> Vec<Shape> {
        self.body.shapes()
    }
}

/// The body of a task alone: what a control step costs in MuJoCo itself. The measure for [`Gym`].
pub struct Bare {
    body: Body,
    frame_skip: usize,
}

impl Bare {
    /// The body of the task called `name`, at its reference pose.
    pub fn new(name: &str) -> Result<Self, EnvError> {
        let Gym { task, body, .. } = Gym::new(name, &Options::new())?;
        Ok(Self { body, frame_skip: task.frame_skip })
    }

    /// The body.
    pub fn body(&mut self) -> &mut Body {
        &mut self.body
    }

    /// `frame_skip` simulation steps and one `mj_rnePostConstraint`, without guard, reward or observation.
    pub fn step(&mut self, a: &[f32]) {
        self.body.advance(a, self.frame_skip);
        self.body.forces();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::{HALF_CHEETAH, Healthy};

    /// A body that can fall terminates where it leaves its bounds, and is paid for the fall by `v3` only.
    #[test]
    fn a_fall_terminates() {
        const BOUNDS: &[(usize, f64, f64)] = &[(1, -0.05, 0.4), (2, -1.0, 1.0)];
        let healthy = Healthy { reward: 2.0, always: false, bounds: BOUNDS, closed: false, state: 100.0 };
        let run = |always, height: f64, state| {
            let task = Task { healthy: Some(Healthy { always, state, ..healthy }), ..HALF_CHEETAH };
            let mut gym = Gym::of(Box::leak(Box::new(task)), &Options::new()).unwrap();
            let mut snapshot = gym.snapshot();
            snapshot[2] = height;
            gym.restore(&snapshot).unwrap();
            let x = gym.x();
            let Outcome { r, terminated, truncated } = gym.step(&[0.0; 6], &mut Rng::new(0, "fall")).unwrap();
            assert!(!truncated);
            (terminated, r - (gym.x() - x) / 0.05)
        };
        assert_eq!(run(false, 0.3, 100.0), (false, 2.0));
        assert_eq!(run(false, 0.6, 100.0), (true, 0.0));
        assert_eq!(run(true, 0.6, 100.0), (true, 2.0));
        assert_eq!(run(false, 0.3, 0.01), (true, 0.0));
    }
}
