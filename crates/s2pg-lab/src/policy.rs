//! The policy that a run has learned, ready to act.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use s2pg::env::{MakeEnv, Registry};
use s2pg::experiment::{BuildError, Experiment, player};
use s2pg::results::best_evaluation;
use s2pg::run::{ModelError, changed_since, model_metadata, verify_model};
use s2pg::train::Player;

use crate::presets::{FindError, of_run};

/// Which of a run's policies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// The policy of the best evaluation; that of the last checkpoint where there was no evaluation yet, or where the
    /// file of the best one is damaged.
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
    /// The run has not saved a policy yet.
    #[error("{dir}: the run has no policy yet; it saves one at step {at}")]
    NoPolicy {
        /// The directory of the run.
        dir: String,
        /// The step of its first checkpoint.
        at: usize,
    },
    /// The experiment in the run's directory is not the one with which the policy was trained.
    #[error(
        "{}: the policy belongs to another experiment than experiment.toml in its run: `{key}` was {before} when it \
         was saved, and is {now} there; put {before} back, or train with {now} in another directory",
        .file.display()
    )]
    Changed {
        /// The model file.
        file: PathBuf,
        /// The key of the experiment.
        key: String,
        /// The value with which the policy was trained.
        before: String,
        /// The value in the directory.
        now: String,
    },
    /// The model file cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// The model file of a policy of the run in `dir`.
pub fn file(dir: &Path, which: Which) -> PathBuf {
    let best = best(dir);
    if which == Which::Best && verify_model(&best).is_ok() { best } else { dir.join("policy.safetensors") }
}

/// A warning where the policy of the best evaluation of the run in `dir` is damaged, or is missing although there was
/// an evaluation.
pub fn damaged_best(dir: &Path) -> Option<String> {
    let instead = "the policy of the last checkpoint is taken in its place";
    if best(dir).exists() {
        return verify_model(&best(dir)).err().map(|error| format!("{error}; {instead}"));
    }
    let evaluated = best_evaluation(dir).is_ok_and(|best| best.is_some());
    evaluated.then(|| format!("{} is missing; {instead}", best(dir).display()))
}

fn best(dir: &Path) -> PathBuf {
    dir.join("checkpoints/best.safetensors")
}

/// Where the policy in a model file comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// The environment steps of the training at which the policy was saved.
    pub step: usize,
    /// The mean return of the evaluation in which the policy was the best; None for the policy of a checkpoint.
    pub best: Option<f64>,
}

/// Tells where the policy in a model file comes from.
pub fn origin(file: &Path) -> Result<Origin, ModelError> {
    let pairs = model_metadata(file)?;
    let wrong = || ModelError::Wrong(file.into(), "its header does not tell the step of the training".into());
    let step = pairs.get("steps").and_then(|steps| steps.parse().ok()).ok_or_else(wrong)?;
    Ok(Origin { step, best: pairs.get("mean_reward").and_then(|r| r.parse().ok()) })
}

/// Loads a policy of the run in `dir`, what makes the environments in which it was trained, and the run's experiment.
/// No training is built: no critic, no optimiser, no buffer.
pub fn load(dir: &Path, which: Which, registry: Arc<Registry>) -> Result<(Player, MakeEnv, Experiment), LoadError> {
    let experiment = of_run(dir, &[])?;
    let file = file(dir, which);
    if !file.exists() && !dir.join("checkpoints/latest.safetensors").exists() {
        let at = match experiment.checkpoint.every {
            0 => experiment.steps,
            every => every.min(experiment.steps),
        };
        return Err(LoadError::NoPolicy { dir: dir.display().to_string(), at });
    }
    // What a damaged file says does not count: loading it tells what is wrong.
    let saved = verify_model(&file).and_then(|()| model_metadata(&file)).unwrap_or_default().remove("experiment");
    if let Some((key, before, now)) = saved.and_then(|saved| changed_since(&saved, &experiment)) {
        return Err(LoadError::Changed { file, key, before, now });
    }
    let (mut player, make_env) = player(&experiment, registry)?;
    player.load(&file)?;
    Ok((player, make_env, experiment))
}
