//! A training of any algorithm, as the program that drives it sees it.

use super::evaluation::{Evaluation, RecentEpisodes};
use super::player::Model;
use crate::algo::Metrics;
use crate::env::{EnvError, EnvSpec};
use crate::state::{Data, State, Visitor};

/// Why a training stopped.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// An environment failed, or failed too often.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// A number of the training is not finite. Every checkpoint is from before.
    #[error(
        "training diverged at step {step}: {what}; see it again with `s2pg replay`, or start another run with a \
         smaller step size of the learner, or of the equation (`network.dt`) where the memory is one"
    )]
    Diverged {
        /// Number of environment steps so far.
        step: usize,
        /// Name of the figure, and its value.
        what: String,
    },
}

/// The batch of an update: columns of numbers, each with its name.
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

/// A training of any algorithm.
pub trait AnyTrainer: State + Send {
    /// Takes one step of every environment. Returns the figures of the update, where one was due after the step. An
    /// error stops the training.
    fn step(&mut self) -> Result<Option<Metrics>, TrainError>;
    /// Returns the number of environment steps so far, of all environments together.
    fn steps(&self) -> usize;
    /// Returns the last finished episodes.
    fn episodes(&self) -> &RecentEpisodes;
    /// Returns the number of steps in which a simulation became unstable.
    fn unstable(&self) -> usize;
    /// Abandons the running episodes and starts new ones.
    fn restart(&mut self) -> Result<(), EnvError>;
    /// Runs `episodes` whole episodes of the present policy in new environments, with the means of its distributions
    /// where `deterministic` is true, else with draws. Nothing of the training changes. The random numbers are those of
    /// the stream `stream` of the training's seed.
    fn evaluate(&self, episodes: usize, deterministic: bool, stream: &str) -> Result<Evaluation, EnvError> {
        let evaluation = self.evaluate_unless(&|| false, episodes, deterministic, stream)?;
        Ok(evaluation.expect("nobody interrupts it"))
    }
    /// Evaluates as [`evaluate`](Self::evaluate) does; None where `interrupt` returned true before a step.
    fn evaluate_unless(
        &self,
        interrupt: &dyn Fn() -> bool,
        episodes: usize,
        deterministic: bool,
        stream: &str,
    ) -> Result<Option<Evaluation>, EnvError>;
    /// Returns the batch that the last update learned from.
    fn batch(&mut self) -> Batch;
    /// Returns the bytes of memory that the buffer of transitions takes when it is full.
    fn buffer_bytes(&mut self) -> usize;
    /// Returns the numbers that the policy needs in order to act.
    fn model(&mut self) -> Model<'_>;
    /// Returns the numbers that the teacher acts with, to be loaded; None where there is no teacher.
    fn teacher(&mut self) -> Option<Model<'_>>;
    /// Returns the description of the environment as the policy sees it.
    fn spec(&self) -> &EnvSpec;
    /// Returns what a user should know of how the environment is dealt with, a sentence each; the same until there is
    /// more.
    fn notes(&self) -> Vec<String>;
    /// Tells whether the state holds the environments. Where it does not, a training whose state was loaded goes on
    /// after [`restart`](Self::restart).
    fn can_be_saved(&self) -> bool;
    /// Returns the first error of an environment that could not be saved or restored when the state was visited.
    fn check(&mut self) -> Result<(), EnvError>;
}
