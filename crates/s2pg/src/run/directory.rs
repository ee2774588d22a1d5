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

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checkpoint::{Checkpoints, LATEST, Metadata, non_finite};
use super::disk::{RealDisk, sweep, write_atomically};
use super::error::RunError;
use super::events::EventFile;
use super::kept::Kept;
use super::model::{ModelError, save_model};
use super::rerun;
use super::table::Table;
use super::timetable::Timetable;
use crate::env::Registry;
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
    seconds_before: f64,
    failures: usize,
    /// The lock of the directory, which is held for as long as the run lives.
    _lock: File,
}

/// Number of failed attempts to save in a row after which the run stops.
const PATIENCE: usize = 3;

impl Run {
    /// Starts a run of the experiment in the directory `dir`, or goes on from the run's last checkpoint.
    ///
    /// `wall_time` is the time in seconds since 1970, for TensorBoard. The text that is returned beside the run is a
    /// warning, where the latest checkpoint could not be used.
    pub fn open(
        dir: &Path,
        experiment: &Experiment,
        registry: Arc<Registry>,
        threads: usize,
        wall_time: f64,
    ) -> Result<(Self, Option<String>), RunError> {
        // The training is built first, so that an experiment that cannot run leaves no directory behind.
        let mut training = build(experiment, registry, threads)?;
        std::fs::create_dir_all(dir).map_err(naming(dir))?;
        let lock = lock(dir)?;
        let written = dir.join("experiment.toml");
        if written.exists() {
            let text = std::fs::read_to_string(&written).map_err(naming(&written))?;
            same_experiment(&written, &text, experiment)?;
        }
        let checkpoints = Checkpoints::open(dir.join("checkpoints"))?;
        sweep(&RealDisk, dir)?;
        let events_path = dir.join("events.out.tfevents.s2pg");
        let mut kept = Kept::fresh(&mut *training);
        let loaded = checkpoints.load_latest(&mut kept)?;
        let Kept { iterations, best, lengths, .. } = kept;
        training.check()?;
        if let Some(text) = loaded.as_ref().and_then(|l| l.metadata.get("experiment")) {
            same_experiment(&checkpoints.path(LATEST), text, experiment)?;
        }
        // Only now: what is refused changes nothing. A run that goes on has not diverged, or will report the divergence
        // again.
        let _ = std::fs::remove_file(dir.join(rerun::FILE));
        write_atomically(&RealDisk, &written, experiment.to_toml().as_bytes())?;
        let warning = loaded
            .as_ref()
            .and_then(|l| l.fell_back.as_ref())
            .map(|e| format!("{e}; going on from the checkpoint before it, at step {}", training.steps()));
        let events = match &loaded {
            Some(_) => EventFile::resume(&events_path, lengths[2])?,
            None => {
                let _ = std::fs::remove_file(&events_path);
                let mut events = EventFile::create(&events_path, wall_time)?;
                events.text(wall_time, 0, "experiment", &format!("```\n{}```\n", experiment.to_toml()))?;
                events
            }
        };
        let (times, seconds_before) = times(&dir.join("time.csv"), training.steps())?;
        let mut run = Self {
            dir: dir.into(),
            experiment: experiment.clone(),
            timetable: Timetable::new(experiment),
            training,
            iterations,
            best,
            progress: Table::open(&dir.join("progress.csv"), lengths[0])?,
            evaluations: Table::open(&dir.join("eval.csv"), lengths[1])?,
            events,
            times,
            checkpoints,
            seconds_before,
            failures: 0,
            _lock: lock,
        };
        if loaded.is_some() {
            // A run that was killed between writing a checkpoint and writing the model has an older model.
            run.save_model()?;
        }
        Ok((run, warning))
    }

    /// Returns the experiment of the run.
    pub fn experiment(&self) -> &Experiment {
        &self.experiment
    }

    /// Returns the directory of the run.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the number of environment steps so far.
    pub fn steps(&self) -> usize {
        self.training.steps()
    }

    /// Returns the seconds of work on this run before this process.
    pub fn seconds_before(&self) -> f64 {
        self.seconds_before
    }

    /// Returns the training of the run.
    pub fn training(&mut self) -> &mut dyn AnyTrainer {
        &mut *self.training
    }

    /// Takes one step of all environments, and does what is due after the step: an update's row, an evaluation, a
    /// checkpoint.
    ///
    /// `seconds` is the work of this process so far, and `wall_time` the time in seconds since 1970. Both go into
    /// time.csv and the event file, and nowhere else. An error stops the run.
    pub fn advance(&mut self, seconds: f64, wall_time: f64) -> Result<Progress, RunError> {
        let seconds = self.seconds_before + seconds;
        let before = self.steps();
        let mut progress = Progress::default();
        if before < self.experiment.steps {
            match self.training.step() {
                Ok(Some(metrics)) => self.log(&metrics, seconds, wall_time),
                Ok(None) => {}
                Err(e) => return Err(self.stopped(e)),
            }
        }
        let steps = self.steps();
        let due = self.timetable.due(before, steps);
        let mut failure = None;
        if due.evaluation {
            let (mean, unsaved) = self.evaluate(wall_time)?;
            progress.evaluation = Some(mean);
            failure = unsaved.map(RunError::from);
        }
        if due.cut {
            self.training.restart()?;
        }
        if due.checkpoint {
            match self.save() {
                Ok(()) if failure.is_none() => self.failures = 0,
                Ok(()) => {}
                Err(e @ RunError::Train(_)) => return Err(e),
                Err(e) => failure = Some(e),
            }
        }
        if let Some(e) = failure {
            self.failures += 1;
            if self.failures >= PATIENCE || due.finished {
                return Err(e);
            }
            progress.warning = Some(format!("{e}; the run goes on"));
        }
        progress.steps = steps;
        progress.mean_return = self.training.episodes().mean_return();
        progress.finished = due.finished;
        Ok(progress)
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
    /// far. Returns the mean return of the deterministic episodes, and the error if the model could not be saved.
    fn evaluate(&mut self, wall_time: f64) -> Result<(f64, Option<ModelError>), RunError> {
        let steps = self.steps();
        let episodes = self.experiment.evaluation.episodes;
        let run = |kind: &str, means| self.training.evaluate(episodes, means, &format!("evaluation/{kind}/{steps}"));
        let (deterministic, stochastic) = (run("deterministic", true)?, run("stochastic", false)?);
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
        let mean = deterministic.mean_return();
        let mut failure = None;
        if mean > self.best {
            let path = self.checkpoints.path("best");
            match save_model(&path, self.training.model(), &metadata(&self.experiment, steps, Some(mean))) {
                Ok(()) => self.best = mean,
                Err(e) => failure = Some(e),
            }
        }
        Ok((mean, failure))
    }

    /// Writes a checkpoint and the model, durably. A state that holds a number that is not finite is not written: that
    /// is a divergence.
    pub fn save(&mut self) -> Result<(), RunError> {
        if let Some(what) = non_finite(&mut *self.training) {
            let error = TrainError::Diverged { step: self.steps(), what };
            return Err(self.stopped(error));
        }
        self.progress.sync()?;
        self.evaluations.sync()?;
        self.events.sync()?;
        let metadata = metadata(&self.experiment, self.steps(), None);
        let lengths = [self.progress.length(), self.evaluations.length(), self.events.length()];
        let (iterations, best) = (self.iterations, self.best);
        let mut kept = Kept { training: &mut *self.training, iterations, best, lengths };
        self.checkpoints.save(LATEST, &mut kept, &metadata)?;
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

/// Takes the lock of the directory; the system releases the lock when the process ends, however it ends.
fn lock(dir: &Path) -> Result<File, RunError> {
    let path = dir.join("LOCK");
    let file = File::create(&path).map_err(naming(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let what = "another process is training in this directory; wait for it, or choose another";
            Err(RunError::Directory(format!("{}: {what}", dir.display())))
        }
        Err(TryLockError::Error(e)) => Err(naming(&path)(e).into()),
    }
}

/// Refuses an experiment that differs from the one written in the file `path`; only the number of steps may differ.
fn same_experiment(path: &Path, text: &str, experiment: &Experiment) -> Result<(), RunError> {
    let there: toml::Table = text.parse().map_err(|_| {
        RunError::Directory(format!("{}: the file holds no experiment; choose another directory", path.display()))
    })?;
    let (mut there, mut here) = (flat("", &there), experiment.keys());
    there.retain(|(key, _)| key != "steps");
    here.retain(|(key, _)| key != "steps");
    let Some((key, _)) = there.iter().chain(&here).find(|pair| !(there.contains(pair) && here.contains(pair))) else {
        return Ok(());
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

/// Opens time.csv, cuts off the rows after `steps`, and returns the table and the seconds in its last row.
fn times(path: &Path, steps: usize) -> Result<(Table, f64), RunError> {
    let text = match std::fs::read_to_string(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
        other => other.map_err(naming(path))?,
    };
    let (mut length, mut seconds) = (0, 0.0);
    for (i, line) in text.split_inclusive('\n').enumerate() {
        let mut cells = line.trim_end().split(',').map(|cell| cell.parse::<f64>().unwrap_or(f64::NAN));
        match (cells.next(), cells.next()) {
            _ if i == 0 && line.ends_with('\n') => length += line.len(),
            (Some(at), Some(s)) if at <= steps as f64 && s.is_finite() && line.ends_with('\n') => {
                length += line.len();
                seconds = s;
            }
            _ => break,
        }
    }
    Ok((Table::open(path, if steps == 0 { 0 } else { length as u64 })?, if steps == 0 { 0.0 } else { seconds }))
}

fn naming(path: &Path) -> impl Fn(io::Error) -> io::Error + '_ {
    move |e| io::Error::new(e.kind(), format!("{}: {e}", path.display()))
}
