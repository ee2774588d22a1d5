//! Environments. This module uses no other module except the generator and states: environments read and write slices,
//! not tensors.

use std::sync::Arc;

use crate::rng::Rng;

mod check;
mod entry;
mod guard;
mod options;
mod registry;
mod sensors;
mod spec;
mod tasks;
mod vec;
mod wrappers;

pub use check::{Check, check_env};
pub use entry::Entry;
pub(crate) use guard::{Guard, caught};
pub use guard::{is_guarded, make_guarded, of_one_kind};
pub use options::{Options, check_options, letters_between, nearest, whole_number};
pub use registry::{FilesOfFamily, MakeOfFamily, Registry};
pub use sensors::Sensors;
pub use spec::EnvSpec;
pub use tasks::*;
pub use vec::{Episode, Step, VecEnv};
pub use wrappers::{Oracle, TimeLimit};

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

impl Outcome {
    /// Returns the outcome of a step with the reward `r` after which the episode goes on.
    pub fn new(r: f64) -> Self {
        Self { r, terminated: false, truncated: false }
    }
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
    /// The environment's own code failed.
    #[error("{env}: the environment's own code failed in {place}: {what}; mend it there")]
    Failed {
        /// Name of the environment.
        env: String,
        /// What was called, and at which step of an episode.
        place: String,
        /// The words with which the code failed.
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
/// follows `restore(snapshot())` is repeated to the bit. [`check_env`] tests all that is said here.
///
/// A trainer relies on none of this: what an environment does otherwise is an error that names the environment, or has
/// the effect that is described at the method.
pub trait Env: Send {
    /// Returns the description of the environment.
    fn spec(&self) -> &EnvSpec;
    /// Starts an episode.
    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError>;
    /// Takes one step with the action `a`, which is passed as the policy drew it; the environment clips the action
    /// where it must. Where the reward or a view is not finite after the step, or the reward is beyond single
    /// precision, the step counts as unstable ([`EnvError::Unstable`]). An episode that goes on beyond the horizon is
    /// truncated.
    fn step(&mut self, a: &[f32], rng: &mut Rng) -> Result<Outcome, EnvError>;
    /// Writes the present views: the policy's into `o`, the critic's into `s`, every entry of both.
    fn observe(&self, o: &mut [f32], s: &mut [f32]);
    /// Returns figures of the running episode, by name (distance, success, ...). Tables show the figures of ended
    /// episodes.
    ///
    /// The columns of a run are the names that the first environment returns after its first reset. From then on a
    /// figure goes to the column of its name, in whatever order figures come. The cell of a figure that is missing or
    /// is not finite stays empty. A figure of any other name is left out, and the run warns once. So a figure that is
    /// known only at the end is returned from the start, as NaN or as any other number. A name is not empty, holds no
    /// comma, quotation mark or line break, and is none of those that the tables have already (`mean_reward`,
    /// `episodes`, ...).
    fn metrics(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }
    /// Returns the whole state of the environment, with whatever the task drew. The length of a snapshot never changes,
    /// and is the same in every copy of the environment; the numbers may be any, infinities and NaN too.
    fn snapshot(&self) -> Vec<f64>;
    /// Goes back to the snapshot `state`.
    fn restore(&mut self, state: &[f64]) -> Result<(), EnvError>;
    /// Tells whether snapshots hold the environment. Where they do not, a run that goes on begins with new episodes,
    /// and is not the run to the bit that it would have been without the stop.
    fn can_be_saved(&self) -> bool {
        true
    }
    /// Tells whether threads may step copies of the environment side by side. Copies that share something, such as the
    /// lock of an interpreter, are stepped by one thread, one after the other.
    fn is_independent(&self) -> bool {
        true
    }
    /// Is told the action of the next step, before a thread asks the first of its environments for a step. Environments
    /// that compute elsewhere can all begin then; the others have nothing to do.
    fn prepare(&mut self, _a: &[f32]) {}
    /// Returns the capsules of a picture of the present state; none where there is nothing to see.
    fn shapes(&self) -> Vec<Shape> {
        Vec::new()
    }
    /// Returns a picture of the present state of `size` = [width, height] pixels, rendered in three dimensions: red,
    /// green and blue of each pixel, row after row from the top. None where the environment cannot render at all; an
    /// error says in words why it could not here.
    fn render(&mut self, _size: [u32; 2]) -> Option<Result<Vec<u8>, String>> {
        None
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
    fn can_be_saved(&self) -> bool {
        (**self).can_be_saved()
    }
    fn is_independent(&self) -> bool {
        (**self).is_independent()
    }
    fn prepare(&mut self, a: &[f32]) {
        (**self).prepare(a)
    }
    fn shapes(&self) -> Vec<Shape> {
        (**self).shapes()
    }
    fn render(&mut self, size: [u32; 2]) -> Option<Result<Vec<u8>, String>> {
        (**self).render(size)
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
