//! Environments: a leaf that knows slices and no tensors.

use std::sync::Arc;

use crate::rng::Rng;

mod check;
mod options;
mod pendulum;
mod registry;
mod sensors;
mod t_maze;
mod vec;
mod wrappers;

pub use check::{Check, check_env};
pub use options::{Options, check_options};
pub use pendulum::Pendulum;
pub use registry::{Entry, Registry};
pub use sensors::Sensors;
pub use t_maze::TMaze;
pub use vec::{Episode, Step, VecEnv};
pub use wrappers::{Oracle, TimeLimit};

/// What an environment is: sizes, ranges, names.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvSpec {
    /// The name under which it is registered, for example `HalfCheetahPOMDP-v3`.
    pub name: String,
    /// Names of the policy's observation `o`, one for each entry.
    pub o: Vec<String>,
    /// Names of the critic's view `s`, one for each entry.
    pub s: Vec<String>,
    /// Lower bounds of the action.
    pub low: Vec<f32>,
    /// Upper bounds of the action.
    pub high: Vec<f32>,
    /// Steps after which an episode is truncated.
    pub horizon: usize,
    /// Seconds of simulated time in a step (1 where time has no unit).
    pub dt: f64,
}

/// What a step brought.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// The reward.
    pub r: f64,
    /// The task ended here (a fall, a goal): nothing follows, values are not bootstrapped.
    pub terminated: bool,
    /// The episode was cut here (a time limit): values are bootstrapped from the true next observation.
    pub truncated: bool,
}

/// What can go wrong in an environment.
#[derive(Debug, thiserror::Error)]
pub enum EnvError {
    /// The simulation left the finite numbers; the episode is over, the transition is dropped.
    #[error("{env}: the simulation became unstable at step {step} of the episode ({what})")]
    Unstable {
        /// The environment.
        env: String,
        /// Steps since the reset.
        step: usize,
        /// What was seen.
        what: String,
    },
    /// Too many steps were unstable: the run must stop.
    #[error("{env}: {what}")]
    Budget {
        /// The environment.
        env: String,
        /// How many, and what to do.
        what: String,
    },
    /// The environment cannot be made or restored.
    #[error("{env}: {what}")]
    Invalid {
        /// The environment.
        env: String,
        /// What is wrong and what to do.
        what: String,
    },
}

/// A capsule to be drawn, in metres, seen from the side: x to the right, z up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// One end.
    pub from: [f64; 2],
    /// The other end; a disc where it equals `from`.
    pub to: [f64; 2],
    /// Radius.
    pub radius: f64,
    /// What it belongs to: parts with one number share a colour.
    pub part: usize,
}

/// An environment: a reset, a step, two views.
///
/// A step never resets. Every draw goes through the generator that is passed in, and `restore(snapshot())` repeats
/// the future to the bit.
pub trait Env: Send {
    /// Sizes, ranges and names.
    fn spec(&self) -> &EnvSpec;
    /// Starts an episode.
    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError>;
    /// Takes one step. `a` is passed as the policy drew it; the environment clips where it must.
    fn step(&mut self, a: &[f32], rng: &mut Rng) -> Result<Outcome, EnvError>;
    /// Writes the policy's view `o` and the critic's view `s`.
    fn observe(&self, o: &mut [f32], s: &mut [f32]);
    /// Figures of the running episode, by name (distance, success, ...).
    fn metrics(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }
    /// The whole state, and whatever the task drew. Its length never changes.
    fn snapshot(&self) -> Vec<f64>;
    /// Goes back to a snapshot.
    fn restore(&mut self, state: &[f64]) -> Result<(), EnvError>;
    /// What to draw now; empty where there is nothing to see.
    fn shapes(&self) -> Vec<Shape> {
        Vec::new()
    }
}

impl Env for Box<dyn Env> {
    fn spec(&self) -> &EnvSpec {
        (**self).spec()
    }
    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
        (**self).reset(rng)
    }
    fn step(&mut self, a: &[f32], rng: &mut Rng) -> Result<Outcome, EnvError> {
        (**self).step(a, rng)
    }
    fn observe(&self, o: &mut [f32], s: &mut [f32]) {
        (**self).observe(o, s);
    }
    fn metrics(&self) -> Vec<(&'static str, f64)> {
        (**self).metrics()
    }
    fn snapshot(&self) -> Vec<f64> {
        (**self).snapshot()
    }
    fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
        (**self).restore(state)
    }
    fn shapes(&self) -> Vec<Shape> {
        (**self).shapes()
    }
}

/// Makes one more environment of an experiment's kind.
pub type MakeEnv = Arc<dyn Fn() -> Result<Box<dyn Env>, EnvError> + Send + Sync>;

/// Refuses a snapshot of another length.
pub fn check_snapshot(env: &str, state: &[f64], expected: usize) -> Result<(), EnvError> {
    if state.len() == expected {
        return Ok(());
    }
    let what = format!("a snapshot has {expected} numbers, this one has {}", state.len());
    Err(EnvError::Invalid { env: env.into(), what })
}
