//! An environment that lives in Python: one of Gymnasium, or what a function there makes.
//!
//! The Python side (`_envs.py`) owns the environment, in this process or in another one, and a few arrays of numbers
//! that both sides see: the action, both views, and the outcome of a step. A step of all environments is one call.

use std::sync::Arc;

use pyo3::buffer::PyBuffer;
use pyo3::intern;
use pyo3::prelude::*;
use s2pg::env::{Env, EnvError, EnvSpec, Options, Outcome, Registry};
use s2pg::rng::Rng;

use crate::error::Error;

/// How far a step is, as the last entry of `out` tells: the other entries are reward, terminated and truncated.
const IDLE: f64 = 0.0;
const PENDING: f64 = 1.0;
const FAILED: f64 = 3.0;

/// The environments of the project, and those of Python, which `source` makes.
pub fn registry(source: Py<PyAny>) -> Registry {
    let families = [
        ("gym:", "environments of Gymnasium, such as gym:Pendulum-v1"),
        ("python:", "what a function of Python makes, as python:module:function"),
    ];
    let source = Arc::new(source);
    families.into_iter().fold(s2pg_lab::registry(), |registry, (prefix, about)| {
        let source = Arc::clone(&source);
        registry.with_family(prefix, about, Arc::new(move |name, options| PyEnv::make(&source, name, options)))
    })
}

/// An environment of Python.
struct PyEnv {
    spec: EnvSpec,
    slot: Py<PyAny>,
    /// What steps all pending environments, and the list of these.
    step: Py<PyAny>,
    pending: Py<PyAny>,
    a: PyBuffer<f32>,
    o: PyBuffer<f32>,
    s: PyBuffer<f32>,
    /// Reward, terminated, truncated and status.
    out: PyBuffer<f64>,
    /// Steps since the reset.
    steps: usize,
}

impl PyEnv {
    fn make(source: &Py<PyAny>, name: &str, options: &Options) -> Result<Box<dyn Env>, EnvError> {
        let options = serde_json::to_string(options).expect("options are plain data");
        Python::attach(|py| {
            let slot = source.call_method1(py, intern!(py, "make"), (name, options));
            let slot = slot.map_err(|e| failure(py, name, "`make`".into(), e))?;
            Self::of(py, name, slot).map(|env| Box::new(env) as Box<dyn Env>).map_err(|e| invalid(name, e.to_string()))
        })
    }

    fn of(py: Python<'_>, name: &str, slot: Py<PyAny>) -> PyResult<Self> {
        let (o, s, low, high, horizon, dt): (Vec<String>, Vec<String>, Vec<f32>, Vec<f32>, Option<usize>, f64) =
            slot.getattr(py, "description")?.extract(py)?;
        let horizon = horizon.unwrap_or(usize::MAX);
        let array = |name: &str| slot.getattr(py, name);
        Ok(Self {
            spec: EnvSpec { name: name.into(), o, s, low, high, horizon, dt },
            step: slot.getattr(py, "step_pending")?,
            pending: slot.getattr(py, "pending")?,
            a: PyBuffer::get(array("a")?.bind(py))?,
            o: PyBuffer::get(array("o")?.bind(py))?,
            s: PyBuffer::get(array("s")?.bind(py))?,
            out: PyBuffer::get(array("out")?.bind(py))?,
            steps: 0,
            slot,
        })
    }

    /// Hands the action over, within its range, and adds the environment to those that wait for a step.
    fn hand_over(&self, py: Python<'_>, a: &[f32]) -> PyResult<()> {
        let bounds = self.spec.low.iter().zip(&self.spec.high);
        let within: Vec<f32> = a.iter().zip(bounds).map(|(a, (&low, &high))| a.clamp(low, high)).collect();
        self.a.copy_from_slice(py, &within)?;
        self.out.copy_from_slice(py, &[0.0, 0.0, 0.0, PENDING])?;
        self.pending.bind(py).call_method1(intern!(py, "append"), (&self.slot,)).map(drop)
    }

    /// Returns reward, terminated, truncated and status.
    fn outcome(&self, py: Python<'_>) -> PyResult<[f64; 4]> {
        let mut out = [0.0; 4];
        self.out.copy_to_slice(py, &mut out).map(|()| out)
    }

    /// Takes the step, which may have been taken with that of another environment.
    fn taken(&self, py: Python<'_>, a: &[f32]) -> PyResult<[f64; 4]> {
        if self.outcome(py)?[3] == IDLE {
            self.hand_over(py, a)?;
        }
        if self.outcome(py)?[3] == PENDING {
            self.step.call0(py)?;
        }
        let out = self.outcome(py)?;
        self.out.copy_from_slice(py, &[0.0, 0.0, 0.0, IDLE])?;
        Ok(out)
    }

    fn place(&self, method: &str) -> String {
        format!("`{method}` at step {} of the episode", self.steps)
    }
}

fn invalid(env: &str, what: String) -> EnvError {
    EnvError::Invalid { env: env.into(), what: one_line(&what) }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What an exception of Python says: a fault of the environment's description or conduct in the words of `_envs.py`, or
/// a failure of its code.
fn failure(py: Python<'_>, env: &str, place: String, e: PyErr) -> EnvError {
    let words = e.value(py).to_string();
    if e.is_instance_of::<Error>(py) {
        return invalid(env, words);
    }
    let kind = e.get_type(py).name().map_or("an exception".into(), |name| name.to_string());
    let what = if words.is_empty() { kind } else { format!("{kind}: {words}") };
    EnvError::Failed { env: env.into(), place, what: one_line(&what) }
}

impl Env for PyEnv {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
        self.steps = 0;
        let seed = rng.bits() >> 33;
        Python::attach(|py| {
            let result = self.slot.call_method1(py, intern!(py, "reset"), (seed,));
            result.map(drop).map_err(|e| failure(py, &self.spec.name, "`reset`".into(), e))
        })
    }

    fn prepare(&mut self, a: &[f32]) {
        // Where this fails, the step tries again and tells.
        let _ = Python::attach(|py| self.hand_over(py, a));
    }

    fn step(&mut self, a: &[f32], _: &mut Rng) -> Result<Outcome, EnvError> {
        self.steps += 1;
        Python::attach(|py| {
            let failed = |e| failure(py, &self.spec.name, self.place("step"), e);
            let [r, terminated, truncated, status] = self.taken(py, a).map_err(failed)?;
            if status == FAILED {
                let error = self.slot.getattr(py, intern!(py, "error")).and_then(|e| e.extract::<(bool, String)>(py));
                return Err(match error {
                    Ok((true, what)) => invalid(&self.spec.name, what),
                    Ok((false, what)) => EnvError::Failed {
                        env: self.spec.name.clone(),
                        place: self.place("step"),
                        what: one_line(&what),
                    },
                    Err(e) => failed(e),
                });
            }
            Ok(Outcome { r, terminated: terminated != 0.0, truncated: truncated != 0.0 })
        })
    }

    fn observe(&self, o: &mut [f32], s: &mut [f32]) {
        Python::attach(|py| {
            // Where that fails the view is not written, which is noticed.
            let _ = self.o.copy_to_slice(py, o).and_then(|()| self.s.copy_to_slice(py, s));
        });
    }

    /// Nothing: what a state of Python is made of, nobody knows.
    fn snapshot(&self) -> Vec<f64> {
        Vec::new()
    }

    fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
        s2pg::env::check_snapshot(&self.spec.name, state, 0)
    }

    fn can_be_saved(&self) -> bool {
        false
    }

    fn is_independent(&self) -> bool {
        false
    }
}

impl Drop for PyEnv {
    /// Hands the environment back, to be used again for another episode.
    fn drop(&mut self) {
        // Where the interpreter is gone, so is the environment.
        Python::try_attach(|py| drop(self.slot.call_method0(py, "release")));
    }
}
