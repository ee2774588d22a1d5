//! Training: the loop, experiments, evaluation, checkpoints, logs.

mod build;
pub mod checkpoint;
pub mod disk;
pub mod divergence;
pub mod events;
mod experiment;
mod memory;
mod model;
mod recall;
mod run;
pub mod stats;
mod table;
mod trainer;
mod training;

pub use build::build;
pub use experiment::{
    AlgorithmName, CheckpointSettings, Compat, CriticKind, EnvSettings, Estimator, EvaluationSettings, Experiment,
    ExperimentError, NetworkSettings, Span, Switches,
};
pub use model::{ModelError, load_model, save_model};
pub use recall::Recall;
pub use run::{Progress, Run, RunError};
pub use table::Table;
pub use trainer::{MakeEnv, Parts, Trainer};
pub use training::{Episodes, Evaluation, Model, TrainError, Training};
