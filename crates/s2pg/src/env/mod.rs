//! Environments. This module uses no other module except the generator and states: environments read and write slices,
//! not tensors.

use std::sync::Arc;

use crate::rng::Rng;

mod check;
mod entry;
mod options;
mod registry;
mod sensors;
mod tasks;
mod vec;
mod wrappers;

pub use check::{Check, check_env};
pub use entry::Entry;
pub use options::{Options, check_options};
pub use registry::Registry;
pub use sensors::Sensors;
pub use tasks::*;
pub use vec::{Episode, Step, VecEnv};
pub use wrappers::{Oracle, TimeLimit};

/// The description of an environment: its name, the names of all entries of its views, the range of its action, its
/// longest episode, and the length of its step.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvSpec {
    /// Name under which the environment is registered, for example `HalfCheetahPOMDP-v3`.
    pub name: String,
    /// Names of the entries of the policy's observation `o`.
    pub o: Vec<String>,
    /// Names of the entries of the critic's view `s`.
    pub s: Vec<String>,
    /// Lower bound of each entry of the action.
    pub low: Vec<f32>,
    /// Upper bound of each entry of the action.
    pub high: Vec<f32>,
    /// Number of steps after which an episode is truncated.
    pub horizon: usize,
    /// Simulated time of a step in seconds; 1 where time has no unit.
    pub dt: f64,
}

/// The outcome of one step: the reward, and whether the episode ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// The reward.
    pub r: f64,
    /// Whether the task ended with this step (a fall, a goal): nothing follows, and values are not bootstrapped.
    pub terminated: bool,
    /// Whether the episode was cut after this step (a time limit): values are bootstrapped from the true next
    /// observation.
    pub truncated: bool,
}

/// An error of an environment.
#[derive(Debug, thiserror::Error)]
pub enum EnvError {
    /// The simulation produced a number that is not finite: the episode is over, and the transition is dropped.
    #[error("{env}: the simulation became unstable at step {step} of the episode ({what})")]
    Unstable {
        /// Name of the environment.
        env: String,
        /// Number of steps since the reset.
        step: usize,
        /// The number that was not finite, or the complaint of the simulator.
        what: String,
    },
    /// Too many steps were unstable, and the run must stop.
    #[error("{env}: {what}")]
    Budget {
        /// Name of the environment.
        env: String,
        /// How many steps were unstable, and the last complaint.
        what: String,
    },
    /// The environment cannot be made or restored, or was used wrongly.
    #[error("{env}: {what}")]
    Invalid {
        /// Name of the environment.
        env: String,
        /// What is wrong, and what to do about it.
        what: String,
    },
}

/// A capsule in a picture of an environment, in metres, seen from the side: x to the right, z up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// One end of the capsule's axis, (x, z).
    pub from: [f64; 2],
    /// The other end of the capsule's axis, (x, z); where both ends are equal, the capsule is a disc.
    pub to: [f64; 2],
    /// Radius of the capsule.
    pub radius: f64,
    /// Number of the part that the capsule belongs to; capsules of one part share a colour.
    pub part: usize,
}

/// An environment: a task that a policy acts in, with a view `o` for the policy and a view `s` for the critic.
///
/// A step never resets the environment. Every random number is drawn from the generator that is passed in, and what
/// follows `restore(snapshot())` is repeated to the bit.
pub trait Env: Send {
    /// Returns the description of the environment.
    fn spec(&self) -> &EnvSpec;
    /// Starts an episode.
    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError>;
    /// Takes one step with the action `a`, which is passed as the policy drew it; the environment clips the action
    /// where it must.
    fn step(&mut self, a: &[f32], rng: &mut Rng) -> Result<Outcome, EnvError>;
    /// Writes the present views: the policy's into `o`, the critic's into `s`.
    fn observe(&self, o: &mut [f32], s: &mut [f32]);
    /// Returns figures of the running episode, by name (distance, success, ...).
    fn metrics(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }
    /// Returns the whole state of the environment, with whatever the task drew. The length of a snapshot never changes.
    fn snapshot(&self) -> Vec<f64>;
    /// Goes back to the snapshot `state`.
    fn restore(&mut self, state: &[f64]) -> Result<(), EnvError>;
    /// Returns the capsules of a picture of the present state; none where there is nothing to see.
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

/// A function that makes one more environment of the same kind.
pub type MakeEnv = Arc<dyn Fn() -> Result<Box<dyn Env>, EnvError> + Send + Sync>;

/// Refuses the snapshot `state` of the environment `env` unless it has `expected` numbers.
pub fn check_snapshot(env: &str, state: &[f64], expected: usize) -> Result<(), EnvError> {
    if state.len() == expected {
        return Ok(());
    }
    let what = format!("a snapshot has {expected} numbers, this one has {}", state.len());
    Err(EnvError::Invalid { env: env.into(), what })
}
