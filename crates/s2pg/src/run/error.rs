//! The errors of a run.

use std::io;

use super::checkpoint::CheckpointError;
use super::disk::DiskError;
use super::model::ModelError;
use crate::env::EnvError;
use crate::experiment::{BuildError, ExperimentError};
use crate::train::TrainError;

/// Why a run cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The experiment has a mistake.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// The training stopped.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A checkpoint cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A model file cannot be written.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A file of the run cannot be read or written.
    #[error("{0}")]
    File(#[from] io::Error),
    /// The directory is in use, is no run's, belongs to another experiment, or lost its checkpoints.
    #[error("{0}")]
    Directory(String),
    /// The disk refuses to take a checkpoint.
    #[error("{error}; {}", remains(.saved))]
    Unsaved {
        /// What was refused.
        error: Box<RunError>,
        /// Environment steps of the last checkpoint; None where there is none.
        saved: Option<usize>,
    },
}

fn remains(saved: &Option<usize>) -> String {
    match saved {
        Some(step) => format!("the checkpoint of step {step} can still be loaded"),
        None => "there is no checkpoint yet".into(),
    }
}

impl From<EnvError> for RunError {
    fn from(e: EnvError) -> Self {
        Self::Train(e.into())
    }
}

impl From<DiskError> for RunError {
    fn from(e: DiskError) -> Self {
        Self::Checkpoint(e.into())
    }
}

impl From<BuildError> for RunError {
    fn from(e: BuildError) -> Self {
        match e {
            BuildError::Experiment(e) => e.into(),
            BuildError::Env(e) => e.into(),
        }
    }
}
