//! The border to an environment. Whatever an environment does, it comes back as a result that a trainer can use, or as
//! an error that names the environment.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{Env, EnvError, EnvSpec, MakeEnv, Outcome};
use crate::rng::Rng;

thread_local! {
    /// Whether this thread is within a call whose panic becomes an error.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Tells whether this thread is within a call whose panic becomes an error, so that nothing else need be said of it. A
/// program's panic hook can ask it.
pub fn is_guarded() -> bool {
    GUARDED.get()
}

/// Calls `f`; a panic in there becomes an error, which is the words of the panic on one line.
pub(crate) fn caught<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    let before = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(f));
    GUARDED.set(before);
    result.map_err(|panic| {
        let said = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
        said.unwrap_or("it left no message").split_whitespace().collect::<Vec<_>>().join(" ")
    })
}

/// Calls `f`, which calls `method` of the environment `env` after `steps` steps of an episode, or outside of episodes.
/// A panic in there becomes an error with the words of the panic.
pub(super) fn call<T>(env: &str, method: &str, steps: Option<usize>, f: impl FnOnce() -> T) -> Result<T, EnvError> {
    // After a panic the environment is not relied on: the run stops with the error.
    caught(f).map_err(|what| {
        let at = steps.map_or(String::new(), |steps| format!(" at step {steps} of the episode"));
        EnvError::Failed { env: env.into(), place: format!("`{method}`{at}"), what }
    })
}

/// Makes an environment called `env` with `make`; a panic there is an error.
pub fn make_guarded(
    env: &str,
    make: impl FnOnce() -> Result<Box<dyn Env>, EnvError>,
) -> Result<Box<dyn Env>, EnvError> {
    call(env, "make", None, make)?
}

/// Returns the description of the environment `name`; a description that makes no sense is an error.
fn describe(name: &str, env: &dyn Env) -> Result<EnvSpec, EnvError> {
    let spec = call(name, "spec", None, || env.spec().clone())?;
    spec.check().map(|()| spec)
}

/// Returns a function that makes environments called `name` as `make` does, all with one description, and that
/// description. Another description, or one that makes no sense, is an error.
pub fn of_one_kind(name: &str, make: MakeEnv) -> Result<(MakeEnv, EnvSpec), EnvError> {
    let spec = describe(name, &*make()?)?;
    let kind = spec.clone();
    let make = move || {
        let env = make()?;
        kind.check_copy(&describe(&kind.name, &*env)?)?;
        Ok(env)
    };
    Ok((Arc::new(make), spec))
}

/// The NaN that stands in a view before the environment writes the view.
const UNWRITTEN: f32 = f32::from_bits(0x7fc0_5332);

/// An environment behind the border: results are checked and a panic is an error.
pub(crate) struct Guard {
    env: Box<dyn Env>,
    spec: Arc<EnvSpec>,
    /// Number of steps of the running episode.
    steps: usize,
    /// Number of steps after which an episode is truncated.
    limit: usize,
    /// Whether an episode had to be truncated because the environment did not end it.
    overran: bool,
    /// The length of a snapshot, once there was one.
    length: Option<usize>,
    /// Number of snapshots that could not be taken, and the first error that came of it.
    failures: usize,
    fault: Option<EnvError>,
}

impl Guard {
    /// Puts the border around the environments `envs`, which must have one description.
    pub fn all(envs: Vec<Box<dyn Env>>) -> Result<Vec<Self>, EnvError> {
        let specs = envs.iter().map(|env| describe("an environment", &**env)).collect::<Result<Vec<_>, _>>()?;
        let Some(first) = specs.first() else { return Ok(Vec::new()) };
        specs.iter().try_for_each(|spec| first.check_copy(spec))?;
        let (spec, limit) = (Arc::new(first.clone()), first.time_limit().unwrap_or(usize::MAX));
        let guard = |env| Self {
            env,
            spec: Arc::clone(&spec),
            steps: 0,
            limit,
            overran: false,
            length: None,
            failures: 0,
            fault: None,
        };
        Ok(envs.into_iter().map(guard).collect())
    }

    /// Puts the border around one environment.
    pub fn new(env: Box<dyn Env>) -> Result<Self, EnvError> {
        Ok(Self::all(vec![env])?.pop().expect("one environment, one guard"))
    }

    /// Returns the description of the environment, as it was at first.
    pub fn spec(&self) -> &Arc<EnvSpec> {
        &self.spec
    }

    /// Truncates episodes after `limit` steps at the latest.
    pub fn limit(&mut self, limit: usize) {
        self.limit = self.limit.min(limit);
    }

    /// Tells whether an episode had to be truncated because the environment did not end it.
    pub fn overran(&self) -> bool {
        self.overran
    }

    /// Returns the environment itself, with no border around it.
    pub fn inner(&self) -> &dyn Env {
        &*self.env
    }

    /// Calls `f`, which calls `method` of the environment; a panic is an error.
    pub fn look<T>(&self, method: &str, f: impl FnOnce(&dyn Env) -> T) -> Result<T, EnvError> {
        call(&self.spec.name, method, Some(self.steps), || f(&*self.env))
    }

    /// Calls `f`, which calls `method` of the environment and changes it; a panic is an error.
    fn change<T>(&mut self, method: &str, f: impl FnOnce(&mut dyn Env) -> Result<T, EnvError>) -> Result<T, EnvError> {
        let Self { env, spec, steps, .. } = self;
        call(&spec.name, method, Some(*steps), || f(&mut **env))?
    }

    /// Shows the environment to `f`, which draws it.
    pub fn show<T>(&mut self, f: impl FnOnce(&mut dyn Env) -> T) -> Result<T, EnvError> {
        self.change("shapes", |env| Ok(f(env)))
    }

    /// Starts an episode.
    pub fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
        self.steps = 0;
        self.change("reset", |env| env.reset(rng))
    }

    /// Takes the step number `t` of the episode. A reward that is not finite in single precision, in which rewards are
    /// stored, is an error. An episode that has reached its time limit is truncated.
    pub fn step(&mut self, a: &[f32], t: usize, rng: &mut Rng) -> Result<Outcome, EnvError> {
        self.steps = t;
        let mut outcome = self.change("step", |env| env.step(a, rng))?;
        if !(outcome.r as f32).is_finite() {
            let why = if outcome.r.is_finite() { ", which single precision cannot hold" } else { "" };
            return Err(self.unstable(format!("the reward is {:e}{why}", outcome.r)));
        }
        if !(outcome.terminated || outcome.truncated) && t >= self.limit {
            (outcome.truncated, self.overran) = (true, true);
        }
        Ok(outcome)
    }

    /// Tells the environment the action of its next step, the step number `t` of the episode.
    pub fn prepare(&mut self, a: &[f32], t: usize) -> Result<(), EnvError> {
        self.steps = t;
        self.change("prepare", |env| {
            env.prepare(a);
            Ok(())
        })
    }

    /// Writes the present views. A number that is not finite, or was not written, is an error.
    pub fn observe(&self, o: &mut [f32], s: &mut [f32]) -> Result<(), EnvError> {
        o.fill(UNWRITTEN);
        s.fill(UNWRITTEN);
        self.look("observe", |env| env.observe(o, s))?;
        for (view, numbers, names) in [("o", &*o, &self.spec.o), ("s", &*s, &self.spec.s)] {
            if let Some(i) = numbers.iter().position(|x| !x.is_finite()) {
                let is_unwritten = numbers[i].to_bits() == UNWRITTEN.to_bits();
                let what = if is_unwritten { "was not written".into() } else { format!("is {}", numbers[i]) };
                return Err(self.unstable(format!("the entry `{}` of `{view}` {what}", names[i])));
            }
        }
        Ok(())
    }

    fn unstable(&self, what: String) -> EnvError {
        EnvError::Unstable { env: self.spec.name.clone(), step: self.steps, what }
    }

    /// Returns the figures of the running episode as the environment reports them.
    pub fn metrics(&self) -> Result<Vec<(&'static str, f64)>, EnvError> {
        self.look("metrics", |env| env.metrics())
    }

    /// Returns the state of the environment, or an error where it cannot be taken or has not the length that it had.
    fn try_snapshot(&mut self) -> Result<Vec<f64>, EnvError> {
        let state = self.look("snapshot", |env| env.snapshot())?;
        let length = *self.length.get_or_insert(state.len());
        if state.len() == length {
            return Ok(state);
        }
        let (env, now) = (self.spec.name.clone(), state.len());
        let what = format!("a snapshot has {now} numbers, and the one before had {length}; the length must not change");
        Err(EnvError::Invalid { env, what })
    }

    /// Returns the length of a snapshot, which is taken where there was none yet.
    pub fn snapshot_len(&mut self) -> Result<usize, EnvError> {
        self.length.map_or_else(|| self.try_snapshot().map(|state| state.len()), Ok)
    }

    /// Returns the state of the environment. Where it cannot be taken, the numbers mean nothing, and [`Self::fault`]
    /// returns the error; no two such results are equal, so that a checkpoint of them is not saved.
    pub fn snapshot(&mut self) -> Vec<f64> {
        self.try_snapshot().unwrap_or_else(|error| {
            self.fault.get_or_insert(error);
            self.failures += 1;
            vec![self.failures as f64; self.length.unwrap_or(0)]
        })
    }

    /// Takes the error of the first snapshot that could not be taken.
    pub fn fault(&mut self) -> Option<EnvError> {
        self.fault.take()
    }

    /// Goes back to the snapshot `state`.
    pub fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
        self.change("restore", |env| env.restore(state))
    }
}
