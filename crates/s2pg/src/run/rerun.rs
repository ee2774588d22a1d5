//! The report that a run writes when it diverges, and how the divergence is repeated.
//!
//! A run that diverged is never rescued: that would be another run. The run stops with its last checkpoint intact, and
//! writes `diverged.safetensors`: the step, the figure, and the batch from which the offending update learned (of a
//! replay buffer the rows of the batch, after their states were refreshed). Since a resumed run is the same run, the
//! checkpoint leads to the same divergence at the same step.

use std::path::Path;
use std::sync::Arc;

use super::checkpoint::{Checkpoints, Metadata, differences, load, non_finite, save};
use super::disk::RealDisk;
use super::error::RunError;
use super::inputs::Inputs;
use super::kept::{Kept, owes_evaluation};
use super::timetable::Timetable;
use super::warm;
use crate::env::Registry;
use crate::experiment::{Experiment, build};
use crate::train::{Batch, TrainError};

/// Name of the report in the directory of the run.
pub const FILE: &str = "diverged.safetensors";

/// A divergence that was repeated.
#[derive(Clone, Debug)]
pub struct Rerun {
    /// Environment steps at the checkpoint from which the replay started.
    pub from: usize,
    /// Environment steps at which the run diverged in the replay.
    pub step: usize,
    /// Name and value of the figure, first as the run reported it, then as the replay found it.
    pub what: [String; 2],
    /// A line for every column of the batch that is not the same to the bit.
    pub differences: Vec<String>,
}

/// Writes the report of a divergence.
pub(super) fn write(
    dir: &Path,
    experiment: &Experiment,
    (step, what): (usize, &str),
    mut batch: Batch,
) -> Result<(), RunError> {
    let mut pairs = Metadata::new();
    pairs.insert("experiment".into(), experiment.to_toml());
    pairs.insert("step".into(), step.to_string());
    pairs.insert("what".into(), what.into());
    save(&RealDisk, &dir.join(FILE), &mut batch, &pairs)?;
    Ok(())
}

/// Trains from the last checkpoint of the run in `dir` to the step at which it diverged, and compares figure and batch
/// with the report. Nothing in the directory changes. `see` is called with the number of steps after each step.
pub fn rerun(
    dir: &Path,
    experiment: &Experiment,
    registry: Arc<Registry>,
    threads: usize,
    mut see: impl FnMut(usize),
) -> Result<Rerun, RunError> {
    let path = dir.join(FILE);
    if !path.exists() {
        let what = "this run did not diverge, so there is nothing to replay";
        return Err(RunError::Directory(format!("{}: {what}", path.display())));
    }
    let inputs = Inputs::of(experiment, &registry)?;
    let mut training = build(experiment, Arc::clone(&registry), threads)?;
    warm::teach(&mut *training, experiment)?;
    let loaded = Checkpoints::view(dir.join("checkpoints")).load_latest(&mut Kept::fresh(&mut *training))?;
    training.check()?;
    if let Some(loaded) = &loaded {
        inputs.check(&loaded.metadata)?;
    } else if let Some(from) = &experiment.init {
        warm::start(&mut *training, Path::new(from), registry)?;
    }
    let from = training.steps();
    let timetable = Timetable::new(experiment);
    let is_renewed = loaded.is_some() && !training.can_be_saved();
    if is_renewed || timetable.due(from, from, loaded.is_some_and(|l| owes_evaluation(&l.metadata))).cut {
        training.restart()?;
    }
    let metadata = Checkpoints::view(dir).metadata(FILE.trim_end_matches(".safetensors"))?;
    let recorded: usize = metadata.get("step").and_then(|s| s.parse().ok()).ok_or_else(|| {
        RunError::Directory(format!("{}: its metadata has no `step`; it was not written by a run", path.display()))
    })?;
    loop {
        let before = training.steps();
        let mut error = match training.step() {
            Ok(_) => None,
            Err(TrainError::Diverged { step, what }) => Some((step, what)),
            Err(other) => return Err(other.into()),
        };
        if error.is_none() {
            let now = training.steps();
            let due = timetable.due(before, now, false);
            // A run checks its state where it saves. The report may also come from a run that was asked to save and
            // stop.
            if due.checkpoint || now == recorded {
                error = non_finite(&mut *training).map(|what| (now, what));
            }
            if due.cut {
                training.restart()?;
            }
        }
        if let Some((step, now)) = error {
            let mut batch = training.batch();
            let mut then = batch.clone();
            let differences = match load(&RealDisk, &path, &mut then) {
                Ok(_) => differences(&mut then, &mut batch),
                Err(e) => vec![e.to_string()],
            };
            let what = [metadata.get("what").cloned().unwrap_or_default(), now];
            return Ok(Rerun { from, step, what, differences });
        }
        see(training.steps());
        if training.steps() > recorded {
            return Err(RunError::Directory(format!(
                "{}: the run went past step {recorded} without diverging; it was made by another version of the \
                 program, or something outside of it was changed",
                path.display()
            )));
        }
    }
}
