//! What a step of a training costs, without training to the end.

use std::sync::Arc;

use s2pg::algo::Schedule;
use s2pg::env::Registry;
use s2pg::experiment::{BuildError, Experiment, build};
use s2pg::train::{AnyTrainer, TrainError};

/// A training whose steps are timed.
pub struct Timed {
    training: Box<dyn AnyTrainer>,
    /// Steps of all environments in a round.
    steps: usize,
    parallel: usize,
}

/// Why a step cannot be timed.
#[derive(Debug, thiserror::Error)]
pub enum TimingError {
    /// The experiment cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The training stopped.
    #[error(transparent)]
    Train(#[from] TrainError),
}

/// Stored steps before an off-policy algorithm learns, so that a batch is spread over what is stored.
const STORED: usize = 1000;

impl Timed {
    /// Builds a training that learns at once: its replay buffer is filled, or its first batch is the first round. A
    /// round has `updates` updates from a replay buffer; or one batch, which has at most `most` steps where one is
    /// given: a step's cost hardly depends on their number.
    pub fn new(
        experiment: &Experiment,
        registry: Arc<Registry>,
        updates: usize,
        most: Option<usize>,
    ) -> Result<Self, TimingError> {
        let mut experiment = experiment.clone();
        (experiment.sac.initial, experiment.sac.warmup) = (STORED, STORED);
        (experiment.td3.initial, experiment.td3.warmup) = (STORED, 0);
        (experiment.slac.initial, experiment.slac.pretraining) = (STORED, 0);
        (experiment.lsiq.initial, experiment.lsiq.warmup) = (STORED, STORED);
        if let Some(most) = most {
            experiment.ppo.steps = experiment.ppo.steps.min(most);
            experiment.gail.steps = experiment.gail.steps.min(most);
        }
        let parallel = experiment.env.parallel;
        let mut training = build(&experiment, registry, 1)?;
        let steps = match experiment.schedule() {
            Schedule::OnPolicy { steps } => steps / parallel,
            Schedule::OffPolicy { ratio, .. } => {
                while training.steps() <= STORED + 2 * parallel {
                    training.step()?;
                }
                (updates as f64 / ratio).ceil() as usize
            }
            Schedule::Episodes => updates,
        };
        Ok(Self { training, steps: steps.max(1), parallel })
    }

    /// Takes the steps of a round, and returns the seconds of an environment step by `clock`, which tells seconds.
    pub fn round(&mut self, clock: &dyn Fn() -> f64) -> Result<f64, TimingError> {
        let start = clock();
        for _ in 0..self.steps {
            self.training.step()?;
        }
        Ok((clock() - start) / (self.steps * self.parallel) as f64)
    }
}
