//! Training a run from Python.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pyo3::prelude::*;
use s2pg::env::Registry;
use s2pg::experiment::Experiment;
use s2pg::run::Run;
use s2pg::run::disk::{RealDisk, write_atomically};
use s2pg_lab::curve::learning_curve;
use s2pg_lab::presets;

use crate::env::registry;
use crate::error::raise;

/// Asks a training to stop at its next step, with a checkpoint.
#[pyclass(frozen, module = "s2pg")]
#[derive(Default)]
pub struct Stop(Arc<AtomicBool>);

#[pymethods]
impl Stop {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Asks to stop.
    fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// How far a run is after a step of all its environments.
#[pyclass(frozen, get_all, module = "s2pg")]
pub struct Progress {
    /// Environment steps so far.
    steps: usize,
    /// Environment steps of the whole run.
    total: usize,
    /// Mean return of the last hundred episodes; None before the first has ended.
    mean_return: Option<f64>,
    /// Mean return of the deterministic evaluation after this step; None where there was none.
    evaluation: Option<f64>,
    /// Whether this was the last step.
    finished: bool,
    /// Seconds of work in this call.
    seconds: f64,
}

#[pymethods]
impl Progress {
    fn __repr__(&self) -> String {
        let r = self.mean_return.map_or("None".into(), |r| format!("{r:.6}"));
        format!("Progress(steps={}, total={}, mean_return={r})", self.steps, self.total)
    }
}

/// Looks now and then whether Python was asked to stop: signals are handled by the interpreter alone.
struct Watch {
    asked: Arc<AtomicBool>,
    raised: Arc<Mutex<Option<PyErr>>>,
    last: Cell<Instant>,
}

impl Watch {
    const EVERY: Duration = Duration::from_millis(20);

    fn is_asked(&self) -> bool {
        if self.last.get().elapsed() >= Self::EVERY {
            self.last.set(Instant::now());
            if let Err(e) = Python::attach(|py| py.check_signals()) {
                self.asked.store(true, Ordering::Relaxed);
                *self.raised.lock().expect("nobody panics with it") = Some(e);
            }
        }
        self.asked.load(Ordering::Relaxed)
    }
}

/// Finds the experiment that `what` and `overrides` describe. Without a name the overrides are all of it.
fn find(what: Option<&str>, overrides: &[String], dir: Option<PathBuf>) -> PyResult<presets::Found> {
    match (what, dir) {
        (Some(what), dir) => presets::find(what, overrides, dir.as_deref()).map_err(raise),
        (None, dir) => {
            let experiment = Experiment::parse("the experiment", "", overrides).map_err(raise)?;
            let dir = dir.unwrap_or_else(|| PathBuf::from("runs"));
            Ok(presets::Found { experiment, dir })
        }
    }
}

/// Returns every key of an experiment in dotted form with its value as TOML text, and the directory of its run.
#[pyfunction]
#[pyo3(signature = (what, overrides, dir=None))]
pub fn keys(
    what: Option<&str>,
    overrides: Vec<String>,
    dir: Option<PathBuf>,
) -> PyResult<(Vec<(String, String)>, PathBuf)> {
    let found = find(what, &overrides, dir)?;
    Ok((found.experiment.keys(), found.dir))
}

/// What a training is given beside its experiment.
struct Given {
    threads: usize,
    restart: bool,
    watch: Watch,
    /// Is called with the progress after every step; a result that is False stops the run.
    callback: Option<Py<PyAny>>,
    warn: Py<PyAny>,
}

/// Trains a run until all its steps are taken, or until it is asked to stop; returns its directory, and whether it is
/// finished.
#[pyfunction]
#[pyo3(signature = (what, overrides, dir, source, stop, warn, callback=None, threads=None, restart=false))]
#[expect(clippy::too_many_arguments, reason = "they have names in Python")]
pub fn train(
    py: Python<'_>,
    what: Option<&str>,
    overrides: Vec<String>,
    dir: Option<PathBuf>,
    source: Py<PyAny>,
    stop: &Stop,
    warn: Py<PyAny>,
    callback: Option<Py<PyAny>>,
    threads: Option<usize>,
    restart: bool,
) -> PyResult<(PathBuf, bool)> {
    let found = find(what, &overrides, dir)?;
    let raised = Arc::new(Mutex::new(None));
    let watch = || Watch { asked: Arc::clone(&stop.0), raised: Arc::clone(&raised), last: Cell::new(Instant::now()) };
    let given = Given { threads: threads.unwrap_or_else(cores).max(1), restart, watch: watch(), callback, warn };
    let (evaluations, registry) = (watch(), Arc::new(registry(source)));
    let result = py.detach(|| advance(&found, given, evaluations, registry));
    match raised.lock().expect("nobody panics with it").take() {
        Some(e) => Err(e),
        None => result.map(|is_finished| (found.dir, is_finished)),
    }
}

/// The number of threads where none is named: all cores, at most 8.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(8)
}

fn wall_time() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |t| t.as_secs_f64())
}

fn advance(found: &presets::Found, given: Given, evaluations: Watch, registry: Arc<Registry>) -> PyResult<bool> {
    let Given { threads, restart, watch, callback, warn } = given;
    let open = if restart { Run::restart } else { Run::open };
    let warn = |warning: String| Python::attach(|py| warn.call1(py, (warning,)).map(drop));
    let (mut run, warning) = open(&found.dir, &found.experiment, registry, threads, wall_time()).map_err(raise)?;
    warning.into_iter().try_for_each(warn)?;
    run.abandon_evaluations_when(move || evaluations.is_asked());
    let clock = Instant::now();
    let mut is_asked = false;
    while !run.is_finished() {
        if is_asked || watch.is_asked() {
            // What is raised by a second signal is not waited for.
            if watch.raised.lock().expect("nobody panics with it").is_none() {
                run.save().map_err(raise)?;
            }
            return Ok(false);
        }
        let seconds = clock.elapsed().as_secs_f64();
        let p = run.advance(seconds, wall_time()).map_err(raise)?;
        p.warning.into_iter().try_for_each(warn)?;
        if let Some(callback) = &callback {
            let total = run.experiment().steps;
            let progress = Progress {
                steps: p.steps,
                total,
                mean_return: p.mean_return,
                evaluation: p.evaluation,
                finished: p.finished,
                seconds: clock.elapsed().as_secs_f64(),
            };
            let answer = Python::attach(|py| {
                let answer = callback.call1(py, (progress,))?;
                Ok(answer.bind(py).cast::<pyo3::types::PyBool>().is_ok_and(|go_on| !go_on.is_true()))
            });
            is_asked = match answer {
                Ok(is_asked) => is_asked,
                Err(e) => {
                    run.save().map_err(raise)?;
                    return Err(e);
                }
            };
        }
    }
    let curve = learning_curve(&found.dir).map_err(raise)?;
    for (name, bytes) in [("curve.svg", curve.svg().into_bytes()), ("curve.png", curve.png())] {
        write_atomically(&RealDisk, &found.dir.join(name), &bytes).map_err(raise)?;
    }
    Ok(true)
}
