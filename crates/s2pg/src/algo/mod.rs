//! The algorithms: one box a file. They ask a policy for its distribution and never name a memory.

use crate::data::Buffer;
use crate::nn::Tensor;
use crate::policy::StatefulPolicy;
use crate::rng::Rng;
use crate::state::State;

pub mod fisher;
pub mod gae;
mod off_policy;
pub mod on_policy;
pub mod ppo;
pub mod reinforce;
pub mod sac;
mod settings;
pub mod td3;
pub mod trpo;

pub use off_policy::{Noise, Temperature};
pub use ppo::Ppo;
pub use reinforce::Reinforce;
pub use sac::Sac;
pub use td3::Td3;
pub use trpo::Trpo;

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
    /// The same, to be loaded.
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

/// Rows that are evaluated together.
const GROUP: usize = 250;

/// Writes [rows, 1] to the rows' places.
fn scatter(to: &mut [f64], rows: &[usize], from: &Tensor) {
    assert_eq!(from.shape(), (rows.len(), 1), "one number for each row");
    rows.iter().zip(from.data()).for_each(|(&k, &x)| to[k] = x as f64);
}

/// The values of some rows, [rows, 1].
fn column(values: &[f64], rows: &[usize]) -> Tensor {
    Tensor::with(rows.len(), 1, |x| x.iter_mut().zip(rows).for_each(|(x, &k)| *x = values[k] as f32))
}

/// The mean of a figure over minibatches.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: f64,
    n: usize,
}

impl Mean {
    fn add(&mut self, x: f64) {
        self.sum += x;
        self.n += 1;
    }
    fn get(self) -> f64 {
        self.sum / self.n.max(1) as f64
    }
}
