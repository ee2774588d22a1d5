//! A training as its driver sees it, whatever the algorithm.

use super::evaluation::{Evaluation, RecentEpisodes};
use super::player::Model;
use crate::algo::Metrics;
use crate::env::{EnvError, EnvSpec};
use crate::state::{Data, State, Visitor};

/// Why training stopped.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// An environment failed, or failed too often.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// A number left the finite ones. The last checkpoint is from before.
    #[error(
        "training diverged at step {step}: {what}; the last checkpoint is intact; see it again with `s2pg replay`, or start another run with a smaller step size"
    )]
    Diverged {
        /// Environment steps so far.
        step: usize,
        /// The figure and its value.
        what: String,
    },
}

/// The batch of an update: columns of numbers by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch(pub Vec<(String, Vec<f64>)>);

impl State for Batch {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self(columns) = self;
        for (name, numbers) in columns {
            v.item(name, Data::F64(numbers));
        }
    }
}

/// A training, whatever the algorithm.
pub trait Training: State + Send {
    /// One step of every environment; figures where the step brought an update.
    fn step(&mut self) -> Result<Option<Metrics>, TrainError>;
    /// Environment steps so far.
    fn steps(&self) -> usize;
    /// The last finished episodes.
    fn episodes(&self) -> &RecentEpisodes;
    /// Steps in which a simulation became unstable.
    fn unstable(&self) -> usize;
    /// Abandons the running episodes and starts new ones.
    fn restart(&mut self) -> Result<(), EnvError>;
    /// Runs whole episodes of the present policy in fresh environments; nothing of the training changes. The random
    /// numbers are those of `stream`.
    fn evaluate(&self, episodes: usize, deterministic: bool, stream: &str) -> Result<Evaluation, EnvError>;
    /// What the last update learned from.
    fn batch(&mut self) -> Batch;
    /// Bytes of memory that the buffer of transitions takes when it is full.
    fn buffer_bytes(&mut self) -> usize;
    /// What the policy needs in order to act.
    fn model(&mut self) -> Model<'_>;
    /// The environment as the policy sees it.
    fn spec(&self) -> &EnvSpec;
    /// Whether everything that was loaded could be restored.
    fn check(&mut self) -> Result<(), EnvError>;
}
