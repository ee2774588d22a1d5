//! The policy that a run has learned, ready to act.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use s2pg::env::{MakeEnv, Registry};
use s2pg::experiment::{BuildError, Experiment, player};
use s2pg::run::ModelError;
use s2pg::train::Player;

use crate::presets::{FindError, of_run};

/// Which of a run's policies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// The policy of the best evaluation; that of the last checkpoint where there was no evaluation yet.
    #[default]
    Best,
    /// The policy of the last checkpoint.
    Latest,
}

/// Why a policy cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The run has no experiment, or one that is not in order.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The policy or its environment cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The model file cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// The model file of a policy of the run in `dir`.
pub fn file(dir: &Path, which: Which) -> PathBuf {
    let best = dir.join("checkpoints/best.safetensors");
    if which == Which::Best && best.exists() { best } else { dir.join("policy.safetensors") }
}

/// Loads a policy of the run in `dir`, what makes the environments in which it was trained, and the run's experiment.
/// No training is built: no critic, no optimiser, no buffer.
pub fn load(dir: &Path, which: Which, registry: Arc<Registry>) -> Result<(Player, MakeEnv, Experiment), LoadError> {
    let experiment = of_run(dir, &[])?;
    let (mut player, make_env) = player(&experiment, registry)?;
    player.load(&file(dir, which))?;
    Ok((player, make_env, experiment))
}
