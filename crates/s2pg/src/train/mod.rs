//! Training: the loop, experiments, evaluation, checkpoints, logs.

mod build;
pub mod checkpoint;
pub mod disk;
pub mod events;
mod experiment;
mod recall;
pub mod stats;
mod trainer;
mod training;

pub use build::build;
pub use experiment::{
    AlgorithmName, CheckpointSettings, Compat, EnvSettings, Estimator, EvaluationSettings, Experiment, ExperimentError,
    NetworkSettings, Switches,
};
pub use recall::Recall;
pub use trainer::{MakeEnv, Parts, Trainer};
pub use training::{Episodes, Evaluation, Model, TrainError, Training};
