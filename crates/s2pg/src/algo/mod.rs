//! The algorithms: one box a file. They ask a policy for its distribution and never name a memory.
//!
//! A new algorithm is a file that implements [`Algorithm`] and [`Recipe`], its line among the modules below, and its name in
//! [`for_each_algorithm`].

use crate::data::Buffer;
use crate::policy::StatefulPolicy;
use crate::rng::Rng;
use crate::state::State;

pub mod figures;
pub mod fisher;
pub mod gae;
mod off_policy;
pub mod on_policy;
pub mod ppo;
pub(crate) mod recipe;
pub mod reinforce;
pub mod sac;
pub(crate) mod settings;
pub mod td3;
mod temperature;
pub mod trpo;

pub use off_policy::{Critics, Noise};
pub use ppo::Ppo;
pub use recipe::{Recipe, Row};
pub use reinforce::Reinforce;
pub use sac::Sac;
pub use td3::Td3;
pub use temperature::Temperature;
pub use trpo::Trpo;

/// Calls a macro with the modules of all algorithms; the table of settings in an experiment is named after the module.
macro_rules! for_each_algorithm {
    ($then:ident) => {
        $then! { ppo, trpo, reinforce, sac, td3 }
    };
}
pub(crate) use for_each_algorithm;

/// Named figures of an update.
pub type Metrics = Vec<(&'static str, f64)>;

/// When an algorithm learns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Schedule {
    /// After every `steps` steps of all environments together, from those steps.
    OnPolicy {
        /// Transitions in an update.
        steps: usize,
    },
    /// Whenever the buffer is full, of whole episodes.
    Episodes,
    /// Once more than `initial` steps are stored, `ratio` times for each step of an environment, from stored steps.
    OffPolicy {
        /// Stored steps without which nothing is learned.
        initial: usize,
        /// Updates for each step of an environment.
        ratio: f64,
    },
}

/// An algorithm: a policy, its critics and optimisers, and the update.
pub trait Algorithm: State + Send {
    /// The policy that it trains.
    type Policy: StatefulPolicy;
    /// Where its transitions gather.
    type Buffer: Buffer;

    /// The policy as it is now.
    fn policy(&self) -> &Self::Policy;
    /// The policy, to be changed from outside, for example when a model is loaded.
    fn policy_mut(&mut self) -> &mut Self::Policy;
    /// When `update` is due.
    fn schedule(&self) -> Schedule;
    /// The names of the figures that an update may bring, where there are many updates: their means are logged.
    fn figures(&self) -> &'static [&'static str] {
        &[]
    }
    /// Learns from the buffer.
    fn update(&mut self, data: &mut Self::Buffer, rng: &mut Rng) -> Metrics;
}
