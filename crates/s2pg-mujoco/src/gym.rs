//! The locomotion tasks of Gymnasium's `v5` and of the `POMDP-v3` tasks that hide velocities: a row of a table each.

use std::ops::{Add, Mul};

use s2pg::env::{Entry, Env, EnvError, EnvSpec, Options, Outcome, Shape, TimeLimit, check_options, check_snapshot};
use s2pg::rng::Rng;

use crate::body::Body;

/// What makes a task: a body, what is seen of it, and what is rewarded.
struct Task {
    name: &'static str,
    about: &'static str,
    xml: &'static str,
    /// Simulation steps in a control step.
    frame_skip: usize,
    /// Names of the observed positions, which are the last ones of `qpos`: where the body is on the ground is not seen.
    positions: &'static [&'static str],
    /// Names of the velocities.
    velocities: &'static [&'static str],
    /// Only the critic sees the velocities.
    hidden: bool,
    /// Observed velocities are clipped to plus and minus this.
    clip: f64,
    /// Positions start within plus and minus `noise` of the reference pose.
    noise: f64,
    /// Velocities start normal with the standard deviation `noise`; otherwise uniform as the positions.
    normal: bool,
    /// Weight of the forward velocity.
    forward: f64,
    /// Weight of the sum of squares of the action.
    control: f64,
    /// What a body must keep to that can fall.
    healthy: Option<Healthy>,
}

/// The bounds, all exclusive, outside which a body has fallen.
#[derive(Clone, Copy)]
struct Healthy {
    /// Paid on each step that ends upright.
    reward: f64,
    /// Paid on the step of the fall too, as `v3` does.
    always: bool,
    /// Of position 1.
    height: (f64, f64),
    /// Of position 2.
    angle: (f64, f64),
    /// Of the absolute value of each position from 2 on, and of each velocity.
    state: f64,
}

const HALF_CHEETAH: Task = Task {
    name: "HalfCheetah-v5",
    about: "run as fast as possible on two legs in the plane; everything is seen",
    xml: include_str!("../models/half_cheetah.xml"),
    frame_skip: 5,
    positions: &["rootz", "rooty", "bthigh", "bshin", "bfoot", "fthigh", "fshin", "ffoot"],
    velocities: &["v_rootx", "v_rootz", "v_rooty", "v_bthigh", "v_bshin", "v_bfoot", "v_fthigh", "v_fshin", "v_ffoot"],
    hidden: false,
    clip: f64::INFINITY,
    noise: 0.1,
    normal: true,
    forward: 1.0,
    control: 0.1,
    healthy: None,
};

const HALF_CHEETAH_POMDP: Task = Task {
    name: "HalfCheetahPOMDP-v3",
    about: "run as fast as possible on two legs in the plane; the policy does not see velocities",
    hidden: true,
    ..HALF_CHEETAH
};

const TASKS: [&Task; 2] = [&HALF_CHEETAH, &HALF_CHEETAH_POMDP];

/// The environments of this crate, for [`s2pg::env::Registry::extend`]. They have no options.
pub fn entries() -> Vec<Entry> {
    macro_rules! entry {
        ($task:ident) => {
            Entry {
                name: $task.name,
                about: $task.about,
                make: |options| Ok(Box::new(TimeLimit::new(Gym::of(&$task, options)?))),
            }
        };
    }
    vec![entry!(HALF_CHEETAH), entry!(HALF_CHEETAH_POMDP)]
}

fn find(name: &str) -> Result<&'static Task, EnvError> {
    let task = TASKS.into_iter().find(|task| task.name == name);
    task.ok_or_else(|| EnvError::Invalid { env: name.into(), what: "this is not a task on MuJoCo".into() })
}

/// A locomotion task. Without a time limit: see [`TimeLimit`].
///
/// `s` is the observed positions (m, rad), then the velocities (m/s, rad/s); `o` is the same, or the positions alone. The
/// action is one number for each motor; MuJoCo clamps it to the motors' range, while the reward
/// `forward (x' - x) / dt + healthy - control sum a^2` takes it as it came. The sum of squares and its weight are
/// float32, as the actions are; everything else is float64. A figure: `distance` from the start, in m.
pub struct Gym {
    task: &'static Task,
    spec: EnvSpec,
    body: Body,
    start: f64,
    steps: usize,
}

impl Gym {
    /// The task called `name`. There are no options; any is an error.
    pub fn new(name: &str, options: &Options) -> Result<Self, EnvError> {
        Self::of(find(name)?, options)
    }

    fn of(task: &'static Task, options: &Options) -> Result<Self, EnvError> {
        check_options(task.name, options, &[])?;
        let body = Body::new(task.xml).map_err(|what| EnvError::Invalid { env: task.name.into(), what })?;
        let seen = task.positions.iter().chain(if task.hidden { &[] } else { task.velocities });
        let all = task.positions.iter().chain(task.velocities);
        let bound = |i: usize| body.control_range().iter().map(|range| range[i] as f32).collect();
        let spec = EnvSpec {
            name: task.name.into(),
            o: seen.map(|&name| name.into()).collect(),
            s: all.map(|&name| name.into()).collect(),
            low: bound(0),
            high: bound(1),
            horizon: 1000,
            dt: body.timestep() * task.frame_skip as f64,
        };
        let mut gym = Self { task, spec, body, start: 0.0, steps: 0 };
        let (positions, velocities) = (gym.body.reference().to_vec(), vec![0.0; gym.body.velocities().len()]);
        gym.body.reset(&positions, &velocities);
        Ok(gym)
    }

    fn x(&self) -> f64 {
        self.body.positions()[0]
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
        let Task { noise, normal, .. } = *self.task;
        let near = |&x: &f64, rng: &mut Rng| x + rng.range(-noise, noise);
        let positions: Vec<_> = self.body.reference().iter().map(|x| near(x, rng)).collect();
        let start = |rng: &mut Rng| if normal { noise * rng.normal() } else { near(&0.0, rng) };
        let velocities: Vec<_> = self.body.velocities().iter().map(|_| start(rng)).collect();
        self.body.reset(&positions, &velocities);
        (self.start, self.steps) = (self.x(), 0);
        Ok(())
    }

    fn step(&mut self, a: &[f32], _: &mut Rng) -> Result<Outcome, EnvError> {
        self.steps += 1;
        let x = self.x();
        self.body.step(a, self.task.frame_skip).map_err(|what| self.unstable(what))?;
        let Task { forward, control, healthy, .. } = self.task;
        let fell = healthy.is_some_and(|healthy| healthy.fell(&self.body));
        let bonus = healthy.map_or(0.0, |healthy| if fell && !healthy.always { 0.0 } else { healthy.reward });
        let cost = *control as f32 * sum_of_squares(a);
        let r = forward * ((self.x() - x) / self.spec.dt) + bonus - cost as f64;
        if !r.is_finite() {
            return Err(self.unstable(format!("the reward is {r}")));
        }
        Ok(Outcome { r, terminated: fell, truncated: false })
    }

    fn observe(&self, o: &mut [f32], s: &mut [f32]) {
        let positions = self.body.positions();
        let (seen, clip) = (self.task.positions.len(), self.task.clip);
        let (first, last) = s.split_at_mut(seen);
        first.iter_mut().zip(&positions[positions.len() - seen..]).for_each(|(s, &x)| *s = x as f32);
        assert_eq!(last.len(), self.body.velocities().len(), "{}: s has the wrong length", self.task.name);
        last.iter_mut().zip(self.body.velocities()).for_each(|(s, v)| *s = v.clamp(-clip, clip) as f32);
        o.copy_from_slice(&s[..self.spec.o.len()]);
    }

    fn metrics(&self) -> Vec<(&'static str, f64)> {
        vec![("distance", self.x() - self.start)]
    }

    fn snapshot(&self) -> Vec<f64> {
        let mut state = self.body.snapshot();
        state.extend([self.start, self.steps as f64]);
        state
    }

    fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
        let length = self.body.snapshot_len();
        check_snapshot(self.task.name, state, length + 2)?;
        self.body.restore(&state[..length]);
        (self.start, self.steps) = (state[length], state[length + 1] as usize);
        Ok(())
    }

    fn shapes(&self) -> Vec<Shape> {
        self.body.shapes()
    }
}

impl Healthy {
    fn fell(&self, body: &Body) -> bool {
        let (positions, velocities) = (body.positions(), body.velocities());
        let inside = |x: f64, (low, high)| low < x && x < high;
        !(inside(positions[1], self.height)
            && inside(positions[2], self.angle)
            && positions[2..].iter().chain(velocities).all(|x| x.abs() < self.state))
    }
}

/// The sum of squares in the order of numpy's `sum`: eight accumulators, their tree, then the tail.
fn sum_of_squares<T: Copy + Default + Add<Output = T> + Mul<Output = T>>(x: &[T]) -> T {
    assert!(x.len() <= 128, "longer sums are split, as numpy does");
    let (eights, mut tail) = x.as_chunks::<8>();
    let mut sum = T::default();
    if let [first, rest @ ..] = eights {
        let mut r = first.map(|x| x * x);
        for x in rest {
            r.iter_mut().zip(x).for_each(|(r, &x)| *r = *r + x * x);
        }
        sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    } else if let [first, rest @ ..] = tail {
        (sum, tail) = (*first * *first, rest);
    }
    tail.iter().fold(sum, |sum, &x| sum + x * x)
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

    /// Sums below eight go from left to right, longer ones over eight accumulators: the order changes the bits.
    #[test]
    fn sums_have_the_order_of_numpy() {
        assert_eq!(sum_of_squares::<f32>(&[]), 0.0);
        let x = [4096.0f32, 1.0, -1.0, 1.0, 3.0];
        assert_eq!(sum_of_squares(&x), x.iter().fold(0.0, |sum, x| sum + x * x));
        // One accumulator would lose each of the ones.
        let mut x = [1.0f32; 21];
        x[0] = 4096.0;
        assert_eq!(sum_of_squares(&x), (((16777218.0 + 2.0) + 4.0) + (4.0 + 4.0)) + 5.0 - 4.0);
    }

    /// A body that can fall terminates where it leaves its bounds, and is paid for the fall by `v3` only.
    #[test]
    fn a_fall_terminates() {
        let healthy = Healthy { reward: 2.0, always: false, height: (-0.05, 0.4), angle: (-1.0, 1.0), state: 100.0 };
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
