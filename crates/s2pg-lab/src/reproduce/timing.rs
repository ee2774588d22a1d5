//! What a step of a training costs, without training to the end.

use std::sync::Arc;

use s2pg::env::Registry;
use s2pg::experiment::{BuildError, Experiment, ExperimentError, build};
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
    /// The experiment cannot be changed so that it learns at once.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
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
        let (keys, table) = (experiment.keys(), experiment.algorithm.table());
        let number = |name: &str| {
            let key = format!("{table}.{name}");
            keys.iter().find(|(known, _)| *known == key).and_then(|(_, value)| value.parse::<f64>().ok())
        };
        let of_batch = number("steps").map(|steps| most.map_or(steps, |most| steps.min(most as f64)));
        let stored = STORED as f64;
        let changed = [("initial", stored), ("warmup", stored), ("pretraining", 0.0)];
        let changed = changed.into_iter().chain(of_batch.map(|steps| ("steps", steps)));
        let changed = changed.filter(|(name, _)| number(name).is_some_and(|x| x > 0.0));
        let changes: Vec<String> = changed.map(|(name, x)| format!("{table}.{name}={x}")).collect();
        let experiment = Experiment::parse("a timed experiment", &experiment.to_toml(), &changes)?;
        let parallel = experiment.env.parallel;
        let mut training = build(&experiment, registry, 1)?;
        let steps = if experiment.algorithm.is_off_policy() {
            while training.steps() <= STORED + 2 * parallel {
                training.step()?;
            }
            (updates as f64 / number("update_ratio").unwrap_or(1.0)).ceil() as usize
        } else {
            of_batch.map_or(updates, |steps| steps as usize / parallel)
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
