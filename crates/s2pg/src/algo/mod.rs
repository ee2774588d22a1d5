//! The algorithms, each in a file of its own. An algorithm asks a policy for its distribution and for nothing else; it
//! never learns what kind of memory the policy has.
//!
//! A new algorithm is a file that implements [`Algorithm`] and [`Recipe`], a line among the modules below, and a name
//! in `for_each_algorithm`.

use crate::data::Buffer;
use crate::policy::StatefulPolicy;
use crate::rng::Rng;
use crate::state::State;

pub mod adversary;
pub mod distil;
pub mod figures;
pub mod fisher;
pub mod gae;
pub mod gail;
pub mod inverse;
pub mod inverse_q;
pub mod latent;
pub mod lsiq;
mod off_policy;
pub mod on_policy;
pub mod pair;
pub mod ppo;
pub(crate) mod recipe;
pub mod reinforce;
pub mod sac;
mod scheduled;
pub(crate) mod settings;
pub mod slac;
pub mod td3;
mod temperature;
pub mod trpo;

pub use distil::Distil;
pub use gail::Gail;
pub use lsiq::Lsiq;
pub use off_policy::{Critics, Noise, PolicyStep};
pub use ppo::Ppo;
pub use recipe::{Extent, Recipe, Row};
pub use reinforce::Reinforce;
pub use sac::Sac;
pub use scheduled::{Line, Progress, Scheduled};
pub use slac::Slac;
pub use td3::Td3;
pub use temperature::Temperature;
pub use trpo::Trpo;

/// Calls a macro with the modules of all algorithms. The table of an algorithm's settings in an experiment is named
/// after the module.
macro_rules! for_each_algorithm {
    ($then:ident) => {
        $then! { ppo, trpo, reinforce, sac, td3, slac, gail, lsiq, distil }
    };
}
pub(crate) use for_each_algorithm;

/// The figures of an update, each with its name.
pub type Metrics = Vec<(&'static str, f64)>;

/// When an algorithm learns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Schedule {
    /// The algorithm learns after every `steps` steps of all environments together, from those steps.
    OnPolicy {
        /// Number of transitions in an update.
        steps: usize,
    },
    /// The algorithm learns whenever the buffer is full of whole episodes.
    Episodes,
    /// The algorithm learns from stored steps, `ratio` times for each step of an environment, once more than `initial`
    /// steps are stored.
    OffPolicy {
        /// Number of stored steps that must be exceeded before anything is learned.
        initial: usize,
        /// Number of updates for each step of an environment.
        ratio: f64,
    },
}

/// An algorithm: a policy, its critics and optimisers, and the update.
pub trait Algorithm: State + Send {
    /// The type of the policy that the algorithm trains.
    type Policy: StatefulPolicy;
    /// The type of the buffer in which transitions gather.
    type Buffer: Buffer;

    /// Returns the policy as it is now.
    fn policy(&self) -> &Self::Policy;
    /// Returns the policy, to be changed from outside, for example when a model is loaded.
    fn policy_mut(&mut self) -> &mut Self::Policy;
    /// Tells when [`update`](Self::update) is due.
    fn schedule(&self) -> Schedule;
    /// Returns the names of the figures that an update of an off-policy algorithm may return. Off-policy updates are
    /// many, and the means of their figures are logged.
    fn figures(&self) -> &'static [&'static str] {
        &[]
    }
    /// Sets step sizes and weights that follow a schedule to their values at `now`, where there are any. The loop does
    /// so before each update.
    fn set_progress(&mut self, _now: Progress) {}
    /// Learns from the buffer `data` and returns the figures of the update. All random numbers are drawn from `rng`.
    fn update(&mut self, data: &mut Self::Buffer, rng: &mut Rng) -> Metrics;
}
