//! What brings a row of the table of tasks to life: resets, steps, rewards and observations.

use s2pg::env::{Env, EnvError, EnvSpec, Options, Outcome, Shape, check_options, check_snapshot};
use s2pg::rng::Rng;

use super::masses::{CHANGE, Masses};
use super::task::{Block, Control, Place, Root, Task};
use super::views::{Suite, Views};
use crate::body::Body;
use crate::options::{choose, number, switch};
use crate::sum::sum;

/// Steps after which an episode is cut.
const HORIZON: usize = 1000;

/// A locomotion task without a time limit; [`s2pg::env::TimeLimit`] adds one.
///
/// `s` is the observed positions (m, rad), the velocities (m/s, rad/s), further blocks on Ant (contact forces) and
/// Humanoid (inertias, velocities at the centre of mass, motor forces, contact forces), and the changes of the masses
/// where masses vary. `o` is `s`, or the part of `s` that the policy may see. The action is one number for each motor.
/// MuJoCo clamps the action to the motors' range, while the reward `forward (x' - x) / dt + healthy - control sum a^2 -
/// contact sum f^2` is computed from the action as the policy drew it. Every number is float64, except the cost of
/// control on bodies other than the humanoid, which is float32 as the actions are. The metric `distance` is how far the
/// body is from its start, in m.
pub struct Gym {
    task: &'static Task,
    spec: EnvSpec,
    body: Body,
    /// The parts of `s` that the policy sees.
    seen: Vec<std::ops::Range<usize>>,
    /// What the blocks show. MuJoCo's own numbers lag behind the positions, so they are kept here and in snapshots.
    blocks: Vec<f64>,
    contacts: bool,
    /// How far episodes start from the reference pose.
    noise: f64,
    masses: Option<Masses>,
    /// The changes of the masses, of their nominal values; empty where they do not vary.
    change: Vec<f64>,
    /// Where the body was at the last look.
    place: f64,
    start: f64,
    steps: usize,
}

impl Gym {
    /// The task of a row, with these options.
    pub(super) fn of(task: &'static Task, options: &Options) -> Result<Self, EnvError> {
        let mut known = vec!["reset_noise_scale", "masses", "stale_inertias", "scale_geoms", "reset_first"];
        if task.partial && task.root != Root::Joint {
            known.push("suite");
        }
        let touched = task.blocks.iter().any(|block| block.is_contact());
        if task.partial && touched {
            known.push("zero_contact_forces");
        }
        check_options(task.name, options, &known)?;
        let masses = Masses::of(task.name, options)?;
        let noise = number(task.name, options, "reset_noise_scale", task.noise)?;
        let suites = [("ppo", Suite::Ppo), ("ppo-memoryless", Suite::Memoryless), ("privileged", Suite::Privileged)];
        let suite = choose(task.name, options, "suite", &suites)?;
        let contacts = touched && !switch(task.name, options, "zero_contact_forces", task.partial)?;

        let body = Body::from_source(task.source, masses.is_some());
        let body = body.map_err(|what| EnvError::Invalid { env: task.name.into(), what })?;
        let views = Views::of(task, &body.names(), masses.is_some(), suite);
        let change = vec![0.0; if masses.is_some() { body.names().len() } else { 0 }];
        let bound = |i: usize| body.control_range().iter().map(|range| range[i] as f32).collect();
        let dt = body.timestep() * task.frame_skip as f64;
        let Views { s, o, seen, blocks } = views;
        let spec = EnvSpec { name: task.name.into(), o, s, low: bound(0), high: bound(1), horizon: HORIZON, dt };
        let (blocks, place) = (vec![0.0; blocks], 0.0);
        let mut gym =
            Self { task, spec, body, seen, blocks, contacts, noise, masses, change, place, start: 0.0, steps: 0 };
        // A model that was scaled by 1 is not to the bit the model that was compiled, so all are scaled.
        gym.scale_masses();
        let (positions, velocities) = (gym.body.reference().to_vec(), vec![0.0; gym.body.velocities().len()]);
        gym.body.reset(&positions, &velocities);
        gym.look();
        Ok(gym)
    }

    /// The body alone, and the simulation steps in a control step.
    pub(crate) fn into_body(self) -> (Body, usize) {
        (self.body, self.task.frame_skip)
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

impl Env for Gym {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
        let (noise, normal) = (self.noise, self.task.normal);
        let near = |&x: &f64, rng: &mut Rng| x + rng.range(-noise, noise);
        let positions: Vec<_> = self.body.reference().iter().map(|x| near(x, rng)).collect();
        let start = |rng: &mut Rng| if normal { 0.0 + noise * rng.normal() } else { near(&0.0, rng) };
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

    fn render(&mut self, size: [u32; 2]) -> Option<Result<Vec<u8>, String>> {
        Some(self.body.render(size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gym::table::HALF_CHEETAH;
    use crate::gym::task::Healthy;

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
