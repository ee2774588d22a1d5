//! The directory of a run: everything that the run leaves behind, and everything that it needs to go on.
//!
//! ```text
//! runs/<name>/
//!   experiment.toml        every key of the experiment
//!   progress.csv           a row for each update
//!   eval.csv               a row for each evaluation
//!   time.csv               seconds of work at each row of progress.csv
//!   events.out.tfevents.s2pg   the same for TensorBoard
//!   policy.safetensors     the model of the last checkpoint
//!   diverged.safetensors   where and how the run diverged, and the batch of that update; else absent
//!   checkpoints/           latest, previous (whole state), best (the model of the best evaluation)
//!   LOCK                   held by the process that trains
//! ```
//!
//! `experiment.toml` and `checkpoints/` are all that a run needs to go on. A log that is missing or damaged costs a
//! warning: it is set aside, and a new one goes on from what is sound of it.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checkpoint::{CheckpointError, Checkpoints, LATEST, Metadata, PREVIOUS, non_finite};
use super::disk::{RealDisk, is_temporary, sweep, write_atomically};
use super::error::RunError;
use super::events::EventFile;
use super::inputs::Inputs;
use super::kept::{Kept, owe_evaluation, owes_evaluation};
use super::log::naming;
use super::model::{ModelError, save_model};
use super::rerun;
use super::table::{Table, whole_rows};
use super::timetable::Timetable;
use super::warm;
use crate::algo::Schedule;
use crate::env::{EnvError, Registry};
use crate::experiment::{Experiment, build, flat};
use crate::train::{AnyTrainer, Evaluation, TrainError};

/// The progress of a run after a step.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Number of environment steps so far.
    pub steps: usize,
    /// Mean return of the last hundred episodes of the training; None before the first finished episode.
    pub mean_return: Option<f64>,
    /// Mean return of the deterministic evaluation after this step; None where there was no evaluation.
    pub evaluation: Option<f64>,
    /// Whether all steps of the experiment have been taken.
    pub finished: bool,
    /// What went wrong without stopping the run.
    pub warning: Option<String>,
}

/// A run in its directory.
pub struct Run {
    dir: PathBuf,
    experiment: Experiment,
    timetable: Timetable,
    training: Box<dyn AnyTrainer>,
    iterations: usize,
    best: f64,
    progress: Table,
    evaluations: Table,
    events: EventFile,
    times: Table,
    checkpoints: Checkpoints,
    inputs: Inputs,
    /// Seconds of work before this process, and up to the last row of time.csv.
    seconds_before: f64,
    seconds: f64,
    failures: usize,
    /// Whether the evaluation after the last step is still to come.
    owes_evaluation: bool,
    /// Environment steps of the last checkpoint; None before the first.
    saved: Option<usize>,
    /// Whether experiment.toml says that there is a checkpoint.
    is_marked: bool,
    /// Tells whether a running evaluation is to be abandoned.
    interrupt: Box<dyn Fn() -> bool + Send>,
    /// What a user has been told of how the environment is dealt with, and what is to be told after this step.
    told: Vec<String>,
    notes: Vec<String>,
    /// What a new run began with, where it was not untrained.
    began: Option<String>,
    /// The lock of the directory, which is held for as long as the run lives.
    _lock: Lock,
}

/// Number of failed attempts to save in a row after which the run stops.
const PATIENCE: usize = 3;

/// Name of the file that holds every key of the experiment.
const EXPERIMENT: &str = "experiment.toml";

/// First line of experiment.toml once there is a checkpoint. The line is not among the checkpoints, so that their loss
/// is noticed.
const MARK: &str = "# The state of this run is in checkpoints/, without which it cannot go on.\n";

/// The files that a run and its pictures leave behind, in the order in which they are removed. The experiment is the
/// last: while it is there, the directory is a run's.
const RECORDS: [&str; 14] = [
    "checkpoints/latest.safetensors",
    "checkpoints/previous.safetensors",
    "checkpoints/damaged.safetensors",
    "checkpoints/best.safetensors",
    "policy.safetensors",
    rerun::FILE,
    "progress.csv",
    "eval.csv",
    "time.csv",
    "events.out.tfevents.s2pg",
    "curve.svg",
    "curve.png",
    "episode.gif",
    EXPERIMENT,
];

impl Run {
    /// Starts a run of the experiment in the directory `dir`, or goes on from the run's last checkpoint.
    ///
    /// `wall_time` is the time in seconds since 1970, for TensorBoard. The text that is returned beside the run is a
    /// warning, where the latest checkpoint or a log could not be used. A directory that is neither empty nor a run is
    /// an error, and so is a run whose checkpoints are gone.
    pub fn open(
        dir: &Path,
        experiment: &Experiment,
        registry: Arc<Registry>,
        threads: usize,
        wall_time: f64,
    ) -> Result<(Self, Option<String>), RunError> {
        Self::start(dir, experiment, registry, (threads, wall_time), false)
    }

    /// Starts a run as [`open`](Self::open) does, but from the beginning: what an earlier run of the same experiment
    /// left in `dir` is removed first.
    pub fn restart(
        dir: &Path,
        experiment: &Experiment,
        registry: Arc<Registry>,
        threads: usize,
        wall_time: f64,
    ) -> Result<(Self, Option<String>), RunError> {
        Self::start(dir, experiment, registry, (threads, wall_time), true)
    }

    /// Refuses a directory in which a run cannot start: one that is neither empty nor a run's. `over` is whether a run
    /// there is to start over.
    pub fn check_directory(dir: &Path, over: bool) -> Result<(), RunError> {
        refuse_foreign(dir, over)
    }

    fn start(
        dir: &Path,
        experiment: &Experiment,
        registry: Arc<Registry>,
        (threads, wall_time): (usize, f64),
        over: bool,
    ) -> Result<(Self, Option<String>), RunError> {
        Self::check_directory(dir, over)?;
        let inputs = Inputs::of(experiment, &registry)?;
        // The training is built before anything is written, so that an experiment that cannot run leaves no directory
        // behind.
        let mut training = build(experiment, Arc::clone(&registry), threads)?;
        warm::teach(&mut *training, experiment)?;
        let is_new = over || !has_checkpoint(dir);
        let began = match &experiment.init {
            Some(from) if is_new => Some(warm::start(&mut *training, Path::new(from), registry)?),
            _ => None,
        };
        // One that could not be saved leaves none either.
        let metadata = metadata(experiment, experiment.steps, None);
        Checkpoints::view(dir.join("checkpoints")).check(LATEST, &mut Kept::fresh(&mut *training), &metadata)?;
        std::fs::create_dir_all(dir).map_err(naming(dir))?;
        let lock = lock(dir)?;
        let written = dir.join(EXPERIMENT);
        let mut is_marked = false;
        if written.exists() {
            match std::fs::read_to_string(&written) {
                Ok(text) => {
                    same_experiment(&written, &text, experiment, over)?;
                    is_marked = text.contains(MARK);
                }
                Err(e) if e.kind() != ErrorKind::InvalidData => return Err(naming(&written)(e).into()),
                Err(_) if over => {}
                Err(_) => {
                    let what = "it is not a text in UTF-8; put the experiment back, or start over with --restart";
                    return Err(RunError::Directory(format!("{}: {what}", written.display())));
                }
            }
        }
        if over {
            clear(dir)?;
            is_marked = false;
        }
        refuse_lost(dir, is_marked)?;
        let checkpoints = Checkpoints::open(dir.join("checkpoints"))?;
        sweep(&RealDisk, dir)?;
        let mut kept = Kept::fresh(&mut *training);
        let loaded = checkpoints.load_latest(&mut kept)?;
        let Kept { iterations, best, lengths, .. } = kept;
        training.check()?;
        if let Some(text) = loaded.as_ref().and_then(|l| l.metadata.get("experiment")) {
            same_experiment(&checkpoints.path(LATEST), text, experiment, over)?;
        }
        if let Some(loaded) = &loaded {
            inputs.check(&loaded.metadata)?;
        }
        if loaded.is_some() && !training.can_be_saved() {
            training.restart()?;
        }
        // Only now: what is refused changes nothing. A run that goes on has not diverged, or will report the divergence
        // again.
        let _ = std::fs::remove_file(dir.join(rerun::FILE));
        write_experiment(dir, experiment, loaded.is_some())?;
        let mut warnings = Vec::new();
        if let Some(e) = loaded.as_ref().and_then(|l| l.fell_back.as_ref()) {
            warnings.push(format!("{e}; going on from the checkpoint before it, at step {}", training.steps()));
        }
        let (progress, lost_progress) = Table::open(&dir.join("progress.csv"), lengths[0])?;
        let (evaluations, lost_evaluations) = Table::open(&dir.join("eval.csv"), lengths[1])?;
        let (mut events, lost_events) = EventFile::open(&dir.join("events.out.tfevents.s2pg"), lengths[2], wall_time)?;
        if loaded.is_none() || lost_events.is_some() {
            let steps = training.steps() as u64;
            events.text(wall_time, steps, "experiment", &format!("```\n{}```\n", experiment.to_toml()))?;
        }
        let (times, seconds_before, lost_times) = times(&dir.join("time.csv"), training.steps(), iterations > 0)?;
        let lost = [lost_progress, lost_evaluations, lost_events].into_iter().flatten().collect::<Vec<_>>();
        let is_renewed = !lost.is_empty();
        warnings.extend(lost.into_iter().chain(lost_times));
        let saved = loaded.is_some().then(|| training.steps());
        let owes = loaded.as_ref().is_some_and(|l| owes_evaluation(&l.metadata));
        let mut run = Self {
            dir: dir.into(),
            experiment: experiment.clone(),
            timetable: Timetable::new(experiment),
            training,
            iterations,
            best,
            progress,
            evaluations,
            events,
            times,
            checkpoints,
            inputs,
            seconds_before,
            seconds: seconds_before,
            failures: 0,
            owes_evaluation: owes && experiment.evaluation.every > 0,
            saved,
            is_marked: loaded.is_some(),
            interrupt: Box::new(|| false),
            told: Vec::new(),
            notes: Vec::new(),
            began,
            _lock: lock,
        };
        if is_renewed {
            // The next start must find the lengths of the new logs.
            run.save()?;
        } else if loaded.is_some() {
            // A run that was killed between writing a checkpoint and writing the model has an older model.
            run.save_model()?;
        }
        Ok((run, (!warnings.is_empty()).then(|| warnings.join("; "))))
    }

    /// From now on an evaluation is abandoned at its next step once `interrupt` returns true. The evaluation is still
    /// due then: [`advance`](Self::advance) begins it again, in this process or, after [`save`](Self::save), in the
    /// next.
    pub fn abandon_evaluations_when(&mut self, interrupt: impl Fn() -> bool + Send + 'static) {
        self.interrupt = Box::new(interrupt);
    }

    /// Tells whether all steps of the experiment have been taken, and everything after them has been done.
    pub fn is_finished(&self) -> bool {
        self.steps() >= self.experiment.steps && !self.owes_evaluation
    }

    /// Returns the experiment of the run.
    pub fn experiment(&self) -> &Experiment {
        &self.experiment
    }

    /// Returns the directory of the run.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns a sentence that tells what a run that starts now took from another one, by the key `init`.
    pub fn began(&self) -> Option<&str> {
        self.began.as_deref()
    }

    /// Returns the number of environment steps so far.
    pub fn steps(&self) -> usize {
        self.training.steps()
    }

    /// Returns the seconds of work on this run, up to the last row of time.csv: whoever asks a finished run again is
    /// told the same.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// Returns the training of the run.
    pub fn training(&mut self) -> &mut dyn AnyTrainer {
        &mut *self.training
    }

    /// Takes one step of all environments, and does what is due after the step: an update's row, a checkpoint, an
    /// evaluation. An evaluation that is still due from before is done in place of a step.
    ///
    /// Where a checkpoint and an evaluation are both due, the checkpoint comes first, and says that the evaluation is
    /// still to come; after the last evaluation there is one more.
    ///
    /// `seconds` is the work of this process so far, and `wall_time` the time in seconds since 1970. Both go into
    /// time.csv and the event file, and nowhere else. An error stops the run.
    pub fn advance(&mut self, seconds: f64, wall_time: f64) -> Result<Progress, RunError> {
        let seconds = self.seconds_before + seconds;
        let before = self.steps();
        let mut progress = Progress::default();
        if before < self.experiment.steps && !self.owes_evaluation {
            match self.training.step() {
                Ok(Some(metrics)) => self.log(&metrics, seconds, wall_time),
                Ok(None) => {}
                Err(e) => return Err(self.stopped(e)),
            }
        }
        let steps = self.steps();
        let due = self.timetable.due(before, steps, self.owes_evaluation);
        self.owes_evaluation = due.evaluation;
        let mut failure = None;
        if due.checkpoint {
            failure = self.keep()?;
        }
        if due.evaluation
            && let Some((mean, unsaved)) = self.evaluate(wall_time)?
        {
            progress.evaluation = Some(mean);
            self.owes_evaluation = false;
            if due.cut {
                self.training.restart()?;
            }
            if due.finished {
                failure = self.keep()?;
            }
            failure = failure.or(unsaved.map(RunError::from));
        }
        progress.finished = due.finished && !self.owes_evaluation;
        match failure {
            None if due.checkpoint => self.failures = 0,
            None => {}
            Some(e) => {
                self.failures += 1;
                if self.failures >= PATIENCE || progress.finished {
                    return Err(e);
                }
                progress.warning = Some(format!("{e}; the run goes on"));
            }
        }
        let mut notes = self.untold();
        if progress.finished && self.iterations == 0 && self.experiment.schedule() == Schedule::Episodes {
            notes.push(
                "nothing was learned: the run ended before the episodes of its first update; take more `steps`".into(),
            );
        }
        if !notes.is_empty() {
            progress.warning = Some(progress.warning.into_iter().chain(notes).collect::<Vec<_>>().join("; "));
        }
        progress.steps = steps;
        progress.mean_return = self.training.episodes().mean_return();
        Ok(progress)
    }

    /// Returns the notes on the environment that were not returned before.
    fn untold(&mut self) -> Vec<String> {
        let mut notes = std::mem::take(&mut self.notes);
        notes.extend(self.training.notes());
        notes.retain(|note| !self.told.contains(note));
        notes.dedup();
        self.told.extend(notes.iter().cloned());
        notes
    }

    /// Writes the report of a divergence and returns the error. An error of writing must not hide the divergence.
    fn stopped(&mut self, error: TrainError) -> RunError {
        if let TrainError::Diverged { step, what } = &error {
            let _ = rerun::write(&self.dir, &self.experiment, (*step, what), self.training.batch());
        }
        error.into()
    }

    /// Writes the row of an update.
    fn log(&mut self, metrics: &[(&str, f64)], seconds: f64, wall_time: f64) {
        self.iterations += 1;
        self.seconds = seconds;
        let steps = self.training.steps();
        let mut cells = vec![("time/total_timesteps", steps as f64), ("time/iterations", self.iterations as f64)];
        cells.extend(self.training.episodes().means());
        cells.push(("rollout/episodes", self.training.episodes().count() as f64));
        cells.push(("rollout/unstable", self.training.unstable() as f64));
        cells.extend(metrics.iter().copied());
        // A row that a full disk refuses is kept: it is written before the next checkpoint, or the checkpoint fails.
        let _ = self.progress.row(cells.iter().copied());
        let speed = [("time/time_elapsed", seconds), ("time/fps", steps as f64 / seconds.max(1e-9))];
        let shown = cells.iter().filter(|c| c.1.is_finite()).chain(&speed).copied();
        let _ = self.events.scalars(wall_time, steps as u64, shown);
        let _ = self.times.row([("time/total_timesteps", steps as f64), ("time/time_elapsed", seconds)]);
    }

    /// Runs a deterministic and a stochastic evaluation, writes their row, and saves the model if it is the best so
    /// far. Returns the mean return of the deterministic episodes, and the error if the model could not be saved; None
    /// where the evaluation was abandoned, which leaves no trace.
    fn evaluate(&mut self, wall_time: f64) -> Result<Option<(f64, Option<ModelError>)>, RunError> {
        let steps = self.steps();
        let episodes = self.experiment.evaluation.episodes;
        let run = |kind: &str, means| {
            let stream = format!("evaluation/{kind}/{steps}");
            self.training.evaluate_unless(&*self.interrupt, episodes, means, &stream)
        };
        let Some(deterministic) = run("deterministic", true)? else { return Ok(None) };
        let Some(stochastic) = run("stochastic", false)? else { return Ok(None) };
        let mut cells: Vec<(String, f64)> = vec![("time/total_timesteps".into(), steps as f64)];
        let mut add = |prefix: &str, e: &Evaluation| {
            cells.push((format!("{prefix}/mean_reward"), e.mean_return()));
            cells.push((format!("{prefix}/std_reward"), e.std_return()));
            cells.push((format!("{prefix}/mean_ep_length"), e.mean_length()));
            cells.extend(e.metrics().into_iter().map(|(name, x)| (format!("{prefix}/{name}"), x)));
        };
        add("eval", &deterministic);
        add("eval_stochastic", &stochastic);
        let cells = || cells.iter().map(|(name, x)| (name.as_str(), *x));
        let _ = self.evaluations.row(cells());
        let _ = self.events.scalars(wall_time, steps as u64, cells().skip(1).filter(|c| c.1.is_finite()));
        if let Some(steps) = deterministic.cut.or(stochastic.cut) {
            let name = &self.training.spec().name;
            self.notes
                .push(format!("{name} has no time limit: an episode of an evaluation is cut after {steps} steps"));
        }
        let mean = deterministic.mean_return();
        let mut failure = None;
        if mean > self.best {
            let path = self.checkpoints.path("best");
            match save_model(&path, self.training.model(), &metadata(&self.experiment, steps, Some(mean))) {
                Ok(()) => self.best = mean,
                Err(e) => failure = Some(e),
            }
        }
        Ok(Some((mean, failure)))
    }

    /// Writes a checkpoint and the model, durably. A state that holds a number that is not finite is not written: that
    /// is a divergence, unless the number belongs to an environment. Where the state of an environment cannot be taken,
    /// nothing is written either, and the error is the environment's.
    pub fn save(&mut self) -> Result<(), RunError> {
        if let Some(what) = non_finite(&mut *self.training) {
            let error = TrainError::Diverged { step: self.steps(), what };
            return Err(self.stopped(error));
        }
        // The walk was over the environments too, which may have no snapshot that can be saved.
        self.training.check()?;
        self.write().map_err(|e| match e {
            RunError::Train(_) => e,
            refused => RunError::Unsaved { error: Box::new(refused), saved: self.saved },
        })
    }

    /// Saves as [`save`](Self::save) does, and returns the error of a disk that refuses.
    fn keep(&mut self) -> Result<Option<RunError>, RunError> {
        match self.save() {
            Err(e @ RunError::Unsaved { .. }) => Ok(Some(e)),
            saved => saved.map(|()| None),
        }
    }

    fn write(&mut self) -> Result<(), RunError> {
        self.progress.sync()?;
        self.evaluations.sync()?;
        self.events.sync()?;
        self.times.sync()?;
        let mut metadata = metadata(&self.experiment, self.steps(), None);
        if self.owes_evaluation {
            owe_evaluation(&mut metadata);
        }
        self.inputs.note(&mut metadata);
        let lengths = [self.progress.length(), self.evaluations.length(), self.events.length()];
        let (iterations, best) = (self.iterations, self.best);
        let mut kept = Kept { training: &mut *self.training, iterations, best, lengths };
        let saved = self.checkpoints.save(LATEST, &mut kept, &metadata);
        self.training.check()?;
        if let Err(CheckpointError::Changed { .. }) = saved {
            let what = "two snapshots of one state differ, so that it cannot be saved; `s2pg check-env` tells more";
            return Err(EnvError::Invalid { env: self.experiment.env.name.clone(), what: what.into() }.into());
        }
        saved?;
        self.saved = Some(self.steps());
        if !self.is_marked {
            write_experiment(&self.dir, &self.experiment, true)?;
            self.is_marked = true;
        }
        self.save_model()
    }

    /// Writes the model file of the present policy.
    fn save_model(&mut self) -> Result<(), RunError> {
        let metadata = metadata(&self.experiment, self.steps(), None);
        Ok(save_model(&self.dir.join("policy.safetensors"), self.training.model(), &metadata)?)
    }
}

fn metadata(experiment: &Experiment, steps: usize, best: Option<f64>) -> Metadata {
    let mut pairs = Metadata::new();
    pairs.insert("experiment".into(), experiment.to_toml());
    pairs.insert("steps".into(), steps.to_string());
    pairs.insert("version".into(), env!("CARGO_PKG_VERSION").into());
    if let Some(best) = best {
        pairs.insert("mean_reward".into(), best.to_string());
    }
    pairs
}

/// Writes experiment.toml; `is_marked` is whether there is a checkpoint.
fn write_experiment(dir: &Path, experiment: &Experiment, is_marked: bool) -> Result<(), RunError> {
    let text = if is_marked { MARK.to_string() } else { String::new() } + &experiment.to_toml();
    Ok(write_atomically(&RealDisk, &dir.join(EXPERIMENT), text.as_bytes())?)
}

/// Tells whether the directory of a run holds a checkpoint from which the run can go on.
fn has_checkpoint(dir: &Path) -> bool {
    let checkpoints = Checkpoints::view(dir.join("checkpoints"));
    [LATEST, PREVIOUS].iter().any(|name| checkpoints.path(name).exists())
}

/// Refuses a directory that is neither empty nor a run's. What a start that was killed leaves behind is not foreign.
/// Checkpoints alone make a run too, as they hold its experiment, but none that may start `over`.
fn refuse_foreign(dir: &Path, over: bool) -> Result<(), RunError> {
    let names = |dir: &Path| -> io::Result<Vec<String>> {
        std::fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    };
    let mut found = match names(dir) {
        Err(e) if e.kind() == ErrorKind::NotFound && dir.symlink_metadata().is_err() => return Ok(()),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            let what = "this is no directory; choose another with --dir";
            return Err(RunError::Directory(format!("{}: {what}", dir.display())));
        }
        found => found.map_err(naming(dir))?,
    };
    // Asked after the list was read: where another process has just started a run, its records are younger.
    if dir.join(EXPERIMENT).exists() || !over && has_checkpoint(dir) {
        return Ok(());
    }
    let of_a_start = |name: &String| {
        let is_bare = || names(&dir.join(name)).is_ok_and(|names| names.iter().all(|name| is_temporary(name)));
        name == "LOCK" || is_temporary(name) || name == "checkpoints" && is_bare()
    };
    found.retain(|name| !of_a_start(name));
    match found.iter().min() {
        Some(name) => Err(RunError::Directory(format!(
            "{} is no run, and holds `{name}`, which training might overwrite; choose a new or an empty directory with \
             --dir",
            dir.display()
        ))),
        None => Ok(()),
    }
}

/// Refuses a run whose checkpoints are gone. A run that was killed before its first checkpoint has neither the mark nor
/// a model.
fn refuse_lost(dir: &Path, is_marked: bool) -> Result<(), RunError> {
    let has_saved = is_marked || dir.join("policy.safetensors").exists();
    if !has_saved || has_checkpoint(dir) {
        return Ok(());
    }
    Err(RunError::Directory(format!(
        "{}: the checkpoints of this run are gone, and it cannot go on without them; bring back latest.safetensors, or \
         start over with --restart, which removes the records of this run, or choose another directory with --dir",
        dir.join("checkpoints").display()
    )))
}

/// Removes what a run left in the directory.
fn clear(dir: &Path) -> Result<(), RunError> {
    for name in RECORDS {
        let path = dir.join(name);
        match std::fs::remove_file(&path) {
            Err(e) if !matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Err(naming(&path)(e).into());
            }
            _ => {}
        }
    }
    Ok(())
}

/// The lock of a directory; the system releases it when the process ends, however it ends.
struct Lock(File);

impl Drop for Lock {
    /// Releases the lock, also where a process that was started at this moment has inherited the file.
    fn drop(&mut self) {
        // Where that fails the lock goes with the file.
        self.0.unlock().ok();
    }
}

/// Takes the lock of the directory.
fn lock(dir: &Path) -> Result<Lock, RunError> {
    let path = dir.join("LOCK");
    let file = File::create(&path).map_err(naming(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => {
            let what = "another process is training in this directory; wait for it, or choose another";
            Err(RunError::Directory(format!("{}: {what}", dir.display())))
        }
        Err(TryLockError::Error(e)) => Err(naming(&path)(e).into()),
    }
}

/// Returns the keys `there` and those of `experiment` that decide how a run trains: all but when it is evaluated and
/// saved, and the number of steps.
fn deciding(there: Vec<(String, String)>, experiment: &Experiment) -> [Vec<(String, String)>; 2] {
    let decides = |key: &str| match key {
        "steps" | "evaluation.episodes" | "checkpoint.every" => false,
        // An evaluation that cuts the episodes of the training is a part of the training.
        "evaluation.every" => experiment.deviations().cut_at_evaluation,
        _ => true,
    };
    [there, experiment.keys()].map(|pairs| pairs.into_iter().filter(|(key, _)| decides(key)).collect())
}

/// Returns the first key that decides how a run trains whose value in `experiment` is not that of the experiment with
/// which a model file was saved, [`model_metadata`](super::model_metadata)'s entry `experiment`: the key, its value in
/// the model file, and its value now. Keys that only one of both has belong to other versions of the program.
pub fn changed_since(saved: &str, experiment: &Experiment) -> Option<(String, String, String)> {
    let [there, here] = deciding(flat("", &saved.parse().ok()?), experiment);
    here.into_iter().find_map(|(key, now)| {
        let (key, before) = there.iter().find(|(k, _)| *k == key)?;
        (*before != now).then(|| (key.clone(), before.clone(), now))
    })
}

/// Refuses an experiment that differs from the one written in the file `path`. Only what does not decide how the run
/// trains may differ: when it is evaluated and saved, and the number of steps, which only grows unless the run starts
/// `over`.
fn same_experiment(path: &Path, text: &str, experiment: &Experiment, over: bool) -> Result<(), RunError> {
    let there: toml::Table = text.parse().map_err(|_| {
        RunError::Directory(format!("{}: the file holds no experiment; choose another directory", path.display()))
    })?;
    let steps = there.get("steps").and_then(toml::Value::as_integer).unwrap_or(0);
    let [there, here] = deciding(flat("", &there), experiment);
    let Some((key, _)) = there.iter().chain(&here).find(|pair| !(there.contains(pair) && here.contains(pair))) else {
        if over || steps <= experiment.steps as i64 {
            return Ok(());
        }
        return Err(RunError::Directory(format!(
            "{}: `steps` is {steps} there and {} here, and the steps of a run only grow; take at least {steps}, or \
             choose another directory with --dir",
            path.display(),
            experiment.steps
        )));
    };
    let value = |pairs: &[(String, String)]| {
        pairs.iter().find(|(k, _)| k == key).map_or("unset".to_string(), |(_, value)| value.clone())
    };
    Err(RunError::Directory(format!(
        "{} belongs to another experiment, or to a run of another version of this program: `{key}` is {} there and {} \
         here; choose another directory with --dir",
        path.display(),
        value(&there),
        value(&here)
    )))
}

/// Opens time.csv, cuts off the rows after `steps`, and returns the table, the seconds in its last row, and a warning
/// where the file is damaged, or missing although rows are `expected`.
fn times(path: &Path, steps: usize, expected: bool) -> Result<(Table, f64, Option<String>), RunError> {
    let bytes = match std::fs::read(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => Vec::new(),
        read => read.map_err(naming(path))?,
    };
    let missing = expected && !path.exists();
    let sound = whole_rows(&bytes);
    let (mut length, mut seconds) = (0, 0.0);
    for line in String::from_utf8_lossy(&bytes[..sound]).split_inclusive('\n') {
        let mut cells = line.trim_end().split(',').map(|cell| cell.parse::<f64>().unwrap_or(f64::NAN));
        match (cells.next(), cells.next()) {
            _ if length == 0 => {}
            (Some(at), Some(s)) if at <= steps as f64 && s.is_finite() => seconds = s,
            _ => break,
        }
        length += line.len();
    }
    if steps == 0 {
        (length, seconds) = (0, 0.0);
    } else if length == sound && bytes[sound..].contains(&b'\n') {
        // A line that is no row is damage; half a line at the end is what a kill leaves.
        length = bytes.len();
    }
    let (table, damaged) = Table::open(path, length as u64)?;
    let lost = missing.then(|| format!("{} is missing; a new one begins here", path.display()));
    Ok((table, seconds, damaged.or(lost)))
}
