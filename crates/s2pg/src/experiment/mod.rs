//! Experiments: the keys that decide a run, and the training that is built from them.

mod algorithm;
mod build;
mod estimator;
mod keys;
mod reading;

pub use algorithm::AlgorithmName;
pub use build::{BuildError, build, player};
pub use estimator::{Estimator, Span};
pub(crate) use keys::flat;
pub use keys::{CheckpointSettings, EnvSettings, EvaluationSettings, Experiment, ExperimentError, tables};

pub use crate::plan::{Compat, CriticKind, Key, Kind, NetworkSettings, SwitchSettings, Switches, Table};
