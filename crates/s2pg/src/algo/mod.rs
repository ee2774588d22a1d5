//! The algorithms: one box a file. They ask a policy for its distribution and never name a memory.

use crate::data::Buffer;
use crate::policy::StatefulPolicy;
use crate::rng::Rng;
use crate::state::State;

pub mod gae;
pub mod ppo;

pub use ppo::Ppo;

/// Named figures of an update.
pub type Metrics = Vec<(&'static str, f64)>;

/// When an algorithm learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// After every `steps` steps of all environments together, from those steps.
    OnPolicy {
        /// Transitions in an update.
        steps: usize,
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
    /// The same, to be loaded.
    fn policy_mut(&mut self) -> &mut Self::Policy;
    /// When `update` is due.
    fn schedule(&self) -> Schedule;
    /// Learns from the buffer.
    fn update(&mut self, data: &mut Self::Buffer, rng: &mut Rng) -> Metrics;
}
