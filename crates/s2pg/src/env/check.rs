//! What every environment owes to a trainer, checked by running the environment.

use super::{Env, EnvError};
use crate::rng::Rng;

/// One requirement, and whether an environment keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The requirement, as a sentence.
    pub what: &'static str,
    /// What was seen instead; None where the requirement is kept.
    pub complaint: Option<String>,
}

/// Views, reward and flags of one step, the numbers as their bits.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    o: Vec<u32>,
    s: Vec<u32>,
    r: u64,
    terminated: bool,
    truncated: bool,
}

/// Runs an environment and tells which requirements it keeps. `make` makes a new environment of the same kind at each
/// call. An error is an error of the environment itself.
pub fn check_env(make: &dyn Fn() -> Result<Box<dyn Env>, EnvError>) -> Result<Vec<Check>, EnvError> {
    let mut checks = Vec::new();
    let mut add = |what, complaint: Result<(), String>| checks.push(Check { what, complaint: complaint.err() });
    let mut env = make()?;
    add("sizes, names, ranges, horizon and step time make sense", spec(&*env));
    let first = run(&mut *env, 0, 300)?;
    add("the same seed and actions repeat to the bit in another copy", {
        same(&first, &run(&mut *make()?, 0, 300)?, "step")
    });
    add("the same seed repeats to the bit after other episodes", same(&first, &run(&mut *env, 0, 300)?, "step"));
    add("a snapshot repeats the future to the bit, in itself and in another copy", snapshots(make)?);
    add("observations and rewards are finite numbers", finite(&first));
    add("an episode is truncated at the horizon and no later", horizon(make)?);
    add("a step never resets: after the end the last state is still seen", no_reset(make)?);
    add("actions outside of the range are taken", outside(make)?);
    Ok(checks)
}

fn spec(env: &dyn Env) -> Result<(), String> {
    let spec = env.spec();
    for (view, names) in [("o", &spec.o), ("s", &spec.s)] {
        if names.is_empty() {
            return Err(format!("`{view}` has no entries"));
        }
        let mut sorted: Vec<_> = names.iter().collect();
        sorted.sort();
        if let Some(twice) = sorted.windows(2).find(|w| w[0] == w[1]) {
            return Err(format!("`{view}` has two entries called {}", twice[0]));
        }
    }
    if spec.low.is_empty() || spec.low.len() != spec.high.len() {
        return Err(format!("{} lower and {} upper bounds of the action", spec.low.len(), spec.high.len()));
    }
    if let Some(i) = (0..spec.low.len()).find(|&i| spec.low[i].is_nan() || spec.low[i] >= spec.high[i]) {
        return Err(format!("action {i} lies between {} and {}", spec.low[i], spec.high[i]));
    }
    if spec.horizon == 0 || !(spec.dt > 0.0 && spec.dt.is_finite()) {
        return Err(format!("the horizon is {} steps of {} s", spec.horizon, spec.dt));
    }
    Ok(())
}

/// Returns both views of an environment, each number as its bits.
fn look(env: &dyn Env) -> (Vec<u32>, Vec<u32>) {
    let (mut o, mut s) = (vec![f32::NAN; env.spec().o.len()], vec![f32::NAN; env.spec().s.len()]);
    env.observe(&mut o, &mut s);
    let bits = |x: Vec<f32>| x.into_iter().map(f32::to_bits).collect();
    (bits(o), bits(s))
}

/// Draws an action uniformly from the range of the environment.
fn draw(env: &dyn Env, rng: &mut Rng) -> Vec<f32> {
    let spec = env.spec();
    spec.low.iter().zip(&spec.high).map(|(&low, &high)| rng.range(low as f64, high as f64) as f32).collect()
}

fn step(env: &mut dyn Env, actions: &mut Rng, rng: &mut Rng) -> Result<Seen, EnvError> {
    let a = draw(env, actions);
    let outcome = env.step(&a, rng)?;
    let (o, s) = look(env);
    Ok(Seen { o, s, r: outcome.r.to_bits(), terminated: outcome.terminated, truncated: outcome.truncated })
}

/// Takes `steps` steps with random actions and resets the environment where an episode ends.
fn run(env: &mut dyn Env, seed: u64, steps: usize) -> Result<Vec<Seen>, EnvError> {
    let (mut rng, mut actions) = (Rng::new(seed, "check"), Rng::new(seed, "check/actions"));
    env.reset(&mut rng)?;
    let mut seen = Vec::new();
    for _ in 0..steps {
        seen.push(step(env, &mut actions, &mut rng)?);
        let last = seen.last().expect("just pushed");
        if last.terminated || last.truncated {
            env.reset(&mut rng)?;
        }
    }
    Ok(seen)
}

fn same(a: &[Seen], b: &[Seen], what: &str) -> Result<(), String> {
    match a.iter().zip(b).position(|(a, b)| a != b) {
        None => Ok(()),
        Some(i) => Err(format!("{what} {} differs", i + 1)),
    }
}

type Outcome = Result<Result<(), String>, EnvError>;

fn snapshots(make: &dyn Fn() -> Result<Box<dyn Env>, EnvError>) -> Outcome {
    let (mut env, mut other) = (make()?, make()?);
    let (mut rng, mut actions) = (Rng::new(1, "check"), Rng::new(1, "check/actions"));
    other.reset(&mut Rng::new(2, "check"))?;
    env.reset(&mut rng)?;
    let length = env.snapshot().len();
    for round in 0..20 {
        for _ in 0..1 + round % 7 {
            let seen = step(&mut *env, &mut actions, &mut rng)?;
            if seen.terminated || seen.truncated {
                env.reset(&mut rng)?;
            }
        }
        let state = env.snapshot();
        if state.len() != length {
            return Ok(Err(format!("its length went from {length} to {}", state.len())));
        }
        let mut futures = Vec::new();
        for env in [&mut *env, &mut *other] {
            env.restore(&state)?;
            let (mut rng, mut actions) = (rng.clone(), actions.clone());
            let mut future = vec![];
            for _ in 0..20 {
                future.push(step(env, &mut actions, &mut rng)?);
                if future.last().is_some_and(|s| s.terminated || s.truncated) {
                    break;
                }
            }
            futures.push(future);
        }
        env.restore(&state)?;
        if let Err(e) = same(&futures[0], &futures[1], "step") {
            return Ok(Err(format!("{e} after a restore in another copy")));
        }
        let (mut rng, mut actions) = (rng.clone(), actions.clone());
        for (i, expected) in futures[0].iter().enumerate() {
            if step(&mut *env, &mut actions, &mut rng)? != *expected {
                return Ok(Err(format!("step {} differs after a second restore", i + 1)));
            }
        }
        env.restore(&state)?;
    }
    Ok(Ok(()))
}

fn finite(seen: &[Seen]) -> Result<(), String> {
    for (i, seen) in seen.iter().enumerate() {
        let bad = |bits: &[u32]| bits.iter().position(|&b| !f32::from_bits(b).is_finite());
        if let Some(j) = bad(&seen.o) {
            return Err(format!("entry {j} of o at step {}", i + 1));
        }
        if let Some(j) = bad(&seen.s) {
            return Err(format!("entry {j} of s at step {}", i + 1));
        }
        if !f64::from_bits(seen.r).is_finite() {
            return Err(format!("the reward at step {}", i + 1));
        }
    }
    Ok(())
}

fn horizon(make: &dyn Fn() -> Result<Box<dyn Env>, EnvError>) -> Outcome {
    let mut env = make()?;
    let (mut rng, mut actions) = (Rng::new(3, "check"), Rng::new(3, "check/actions"));
    let horizon = env.spec().horizon;
    for _ in 0..5 {
        env.reset(&mut rng)?;
        for t in 1..=horizon {
            let seen = step(&mut *env, &mut actions, &mut rng)?;
            if seen.truncated && t < horizon {
                return Ok(Err(format!("truncated at step {t} of {horizon}")));
            }
            if seen.terminated {
                break;
            }
            if t == horizon && !seen.truncated {
                return Ok(Err(format!("step {t} is neither truncated nor terminated")));
            }
        }
    }
    Ok(Ok(()))
}

fn no_reset(make: &dyn Fn() -> Result<Box<dyn Env>, EnvError>) -> Outcome {
    let mut env = make()?;
    let (mut rng, mut actions) = (Rng::new(4, "check"), Rng::new(4, "check/actions"));
    env.reset(&mut rng)?;
    for _ in 0..env.spec().horizon {
        let seen = step(&mut *env, &mut actions, &mut rng)?;
        if seen.terminated || seen.truncated {
            let (o, s) = look(&*env);
            return Ok(if (o, s) == (seen.o, seen.s) { Ok(()) } else { Err("the views changed at the end".into()) });
        }
    }
    Ok(Ok(()))
}

fn outside(make: &dyn Fn() -> Result<Box<dyn Env>, EnvError>) -> Outcome {
    let mut env = make()?;
    let mut rng = Rng::new(5, "check");
    env.reset(&mut rng)?;
    let a: Vec<f32> = env.spec().high.iter().map(|h| 3.0 * h.abs() + 1.0).collect();
    Ok(match env.step(&a, &mut rng) {
        Ok(_) | Err(EnvError::Unstable { .. }) => Ok(()),
        Err(e) => Err(e.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::super::{EnvSpec, Options, Outcome, Registry};
    use super::*;

    /// The environments of this library keep every requirement.
    #[test]
    fn ours_keep_all() {
        let registry = Registry::new();
        for entry in registry.entries() {
            let checks = check_env(&|| registry.make(entry.name, &Options::new())).unwrap();
            assert_eq!(checks.len(), 8);
            assert!(checks.iter().all(|c| c.complaint.is_none()), "{}: {checks:?}", entry.name);
        }
    }

    /// An environment with every fault.
    struct Faulty {
        spec: EnvSpec,
        t: usize,
        hidden: f64,
    }

    impl Env for Faulty {
        fn spec(&self) -> &EnvSpec {
            &self.spec
        }
        fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
            self.t = 0;
            self.hidden += rng.uniform();
            Ok(())
        }
        fn step(&mut self, a: &[f32], rng: &mut Rng) -> Result<Outcome, EnvError> {
            if a[0] > 1.0 {
                let what = "the action is out of range".into();
                return Err(EnvError::Invalid { env: self.spec.name.clone(), what });
            }
            self.t += 1;
            self.hidden += 0.1 * rng.uniform();
            Ok(Outcome { r: if self.t == 7 { f64::NAN } else { 0.0 }, terminated: false, truncated: self.t >= 5 })
        }
        fn observe(&self, o: &mut [f32], s: &mut [f32]) {
            o.fill(self.hidden as f32);
            s.fill(if self.t == 3 { f32::INFINITY } else { self.t as f32 });
        }
        fn snapshot(&self) -> Vec<f64> {
            vec![self.t as f64]
        }
        fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
            self.t = state[0] as usize;
            Ok(())
        }
    }

    /// Each fault is found: equal names, a start that depends on the past, an incomplete snapshot, a number that is not
    /// finite, an early cut, and a refused action.
    #[test]
    fn faults_are_found() {
        let spec = EnvSpec {
            name: "Faulty".into(),
            o: vec!["x".into(), "x".into()],
            s: vec!["t".into()],
            low: vec![-1.0],
            high: vec![1.0],
            horizon: 10,
            dt: 1.0,
        };
        let make =
            || -> Result<Box<dyn Env>, EnvError> { Ok(Box::new(Faulty { spec: spec.clone(), t: 0, hidden: 0.0 })) };
        let checks = check_env(&make).unwrap();
        let found: Vec<bool> = checks.iter().map(|c| c.complaint.is_some()).collect();
        assert_eq!(found, [true, false, true, true, true, true, false, true], "{checks:?}");
    }
}
