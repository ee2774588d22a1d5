//! What every environment owes to a trainer, checked by running the environment.

use super::guard::call;
use super::{Env, EnvError, EnvSpec};
use crate::rng::Rng;

/// One requirement, and whether an environment keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The requirement, as a sentence.
    pub what: &'static str,
    /// What was seen instead; None where the requirement is kept.
    pub complaint: Option<String>,
    /// Whether this is advice: trainers know what to do where it is not followed.
    pub advice: bool,
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

/// Number of steps that are looked at of an episode without an end.
const MOST: usize = 10_000;

type Make<'a> = &'a dyn Fn() -> Result<Box<dyn Env>, EnvError>;

/// Runs an environment and tells which requirements it keeps, and which advice it follows. `make` makes a new
/// environment of the same kind at each call. An error is an error of the environment itself. Where its description
/// makes no sense, nothing else is checked.
pub fn check_env(make: Make<'_>) -> Result<Vec<Check>, EnvError> {
    call("an environment", "spec", None, || make().map(|env| env.spec().name.clone()))?
        .and_then(|name| call(&name, "check", None, || checks(make))?)
}

fn checks(make: Make<'_>) -> Result<Vec<Check>, EnvError> {
    let mut checks = Vec::new();
    let mut add = |advice, what, complaint: Result<(), String>| {
        checks.push(Check { what, complaint: complaint.err(), advice });
    };
    let mut env = make()?;
    let sense = spec(env.spec());
    let makes_sense = sense.is_ok();
    add(false, "sizes, names, ranges, horizon and step time make sense", sense);
    if !makes_sense {
        return Ok(checks);
    }
    let first = run(&mut *env, 0, 300)?;
    add(false, "the same seed and actions repeat to the bit in another copy", {
        same(&first, &run(&mut *make()?, 0, 300)?, "step")
    });
    add(false, "the same seed repeats to the bit after other episodes", same(&first, &run(&mut *env, 0, 300)?, "step"));
    add(
        !env.can_be_saved(),
        "a snapshot repeats the future to the bit, in itself and in another copy",
        snapshots(make)?,
    );
    add(false, "observations and rewards are finite numbers", finite(&first));
    add(false, "an episode is truncated at the horizon and no later", horizon(make)?);
    add(false, "a step never resets: after the end the last state is still seen", no_reset(make)?);
    add(false, "actions outside of the range are taken", outside(make)?);
    let [names, numbers, state] = figures(make)?;
    add(false, "figures have the same names at every moment, and names that can head a column", names);
    add(true, "figures are finite numbers where an episode ends", numbers);
    add(true, "snapshots hold finite numbers", state);
    add(true, "every entry of the action is bounded", bounded(env.spec()));
    add(true, "there is a time limit", limited(env.spec()));
    Ok(checks)
}

fn spec(spec: &EnvSpec) -> Result<(), String> {
    if let Some(fault) = spec.fault() {
        return Err(fault);
    }
    for (view, names) in [("o", &spec.o), ("s", &spec.s)] {
        let mut sorted: Vec<_> = names.iter().collect();
        sorted.sort();
        if let Some(twice) = sorted.windows(2).find(|w| w[0] == w[1]) {
            return Err(format!("`{view}` has two entries called {}", twice[0]));
        }
    }
    Ok(())
}

fn bounded(spec: &EnvSpec) -> Result<(), String> {
    let Some((i, bound)) = spec.unbounded() else { return Ok(()) };
    Err(format!(
        "the bound {bound:e} of entry {i} counts as none; algorithms that keep actions within their range need one"
    ))
}

fn limited(spec: &EnvSpec) -> Result<(), String> {
    if spec.time_limit().is_some() {
        return Ok(());
    }
    Err(format!("an evaluation cuts an episode after {} steps, and nothing learns from whole episodes", EnvSpec::CUT))
}

/// Returns both views of an environment, each number as its bits.
fn look(env: &dyn Env) -> (Vec<u32>, Vec<u32>) {
    let (mut o, mut s) = (vec![f32::NAN; env.spec().o.len()], vec![f32::NAN; env.spec().s.len()]);
    env.observe(&mut o, &mut s);
    let bits = |x: Vec<f32>| x.into_iter().map(f32::to_bits).collect();
    (bits(o), bits(s))
}

/// Draws an action uniformly from the range of the environment; where a bound counts as none, from a range of 2 at the
/// other bound or around 0.
fn draw(env: &dyn Env, rng: &mut Rng) -> Vec<f32> {
    let spec = env.spec();
    let near = |low: f32, high: f32| match [low, high].map(|bound| bound.abs() < EnvSpec::HUGE) {
        [true, true] => (low as f64, high as f64),
        [true, false] => (low as f64, low as f64 + 2.0),
        [false, true] => (high as f64 - 2.0, high as f64),
        [false, false] => (-1.0, 1.0),
    };
    let mut one = |(low, high)| rng.range(low, high) as f32;
    spec.low.iter().zip(&spec.high).map(|(&low, &high)| one(near(low, high))).collect()
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

fn snapshots(make: Make<'_>) -> Outcome {
    let (mut env, mut other) = (make()?, make()?);
    if !env.can_be_saved() {
        return Ok(Err("it cannot be saved, so that a run goes on with new episodes, and not to the bit".into()));
    }
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
        let again = env.snapshot();
        if state.iter().map(|x| x.to_bits()).ne(again.iter().map(|x| x.to_bits())) {
            return Ok(Err("a second one, without a step between, differs from the first".into()));
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

fn horizon(make: Make<'_>) -> Outcome {
    let mut env = make()?;
    let (mut rng, mut actions) = (Rng::new(3, "check"), Rng::new(3, "check/actions"));
    let horizon = env.spec().horizon;
    for _ in 0..5 {
        env.reset(&mut rng)?;
        for t in 1..=horizon.min(MOST) {
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

fn no_reset(make: Make<'_>) -> Outcome {
    let mut env = make()?;
    let (mut rng, mut actions) = (Rng::new(4, "check"), Rng::new(4, "check/actions"));
    env.reset(&mut rng)?;
    for _ in 0..env.spec().horizon.min(MOST) {
        let seen = step(&mut *env, &mut actions, &mut rng)?;
        if seen.terminated || seen.truncated {
            let (o, s) = look(&*env);
            return Ok(if (o, s) == (seen.o, seen.s) { Ok(()) } else { Err("the views changed at the end".into()) });
        }
    }
    Ok(Ok(()))
}

fn outside(make: Make<'_>) -> Outcome {
    let mut env = make()?;
    let mut rng = Rng::new(5, "check");
    env.reset(&mut rng)?;
    let beyond = |bound: f32| if bound.abs() < EnvSpec::HUGE { 3.0 * bound.abs() + 1.0 } else { EnvSpec::HUGE };
    let a: Vec<f32> = env.spec().high.iter().map(|&high| beyond(high)).collect();
    Ok(match env.step(&a, &mut rng) {
        Ok(_) | Err(EnvError::Unstable { .. }) => Ok(()),
        Err(e) => Err(e.to_string()),
    })
}

/// Looks at the figures and the snapshots of some episodes. Returns what is wrong with the names of the figures, with
/// their numbers at the end of an episode, and with the numbers of the snapshots.
fn figures(make: Make<'_>) -> Result<[Result<(), String>; 3], EnvError> {
    let mut env = make()?;
    let (mut rng, mut actions) = (Rng::new(6, "check"), Rng::new(6, "check/actions"));
    env.reset(&mut rng)?;
    let first: Vec<&str> = env.metrics().iter().map(|m| m.0).collect();
    let mut wrong = [const { None }; 3];
    if let Some(name) = first.iter().find(|n| n.is_empty() || n.contains([',', '"']) || n.contains(char::is_control)) {
        wrong[0] = Some(format!("{name:?} cannot head a column"));
    }
    if let Some(name) = (1..first.len()).find(|&i| first[..i].contains(&first[i])).map(|i| first[i]) {
        wrong[0] = Some(format!("two are called `{name}`"));
    }
    for t in 1..=300 {
        let seen = step(&mut *env, &mut actions, &mut rng)?;
        let (now, ended) = (env.metrics(), seen.terminated || seen.truncated);
        if let Some((name, _)) = now.iter().find(|m| !first.contains(&m.0)) {
            let what = "is not there after the first reset, so it is left out; return it from the start, as NaN";
            wrong[0].get_or_insert(format!("`{name}`, at step {t}, {what}"));
        }
        if let Some(name) = first.iter().find(|name| now.iter().all(|m| m.0 != **name)) {
            wrong[0].get_or_insert(format!("`{name}` is missing at step {t}; its cell stays empty"));
        }
        if let Some((name, x)) = now.iter().find(|m| ended && !m.1.is_finite()) {
            wrong[1].get_or_insert(format!("`{name}` is {x}; its cell stays empty"));
        }
        if let Some((i, x)) = env.snapshot().iter().enumerate().find(|(_, x)| !x.is_finite()) {
            wrong[2].get_or_insert(format!("number {i} is {x}; it is saved and restored as it is"));
        }
        if ended {
            env.reset(&mut rng)?;
        }
    }
    Ok(wrong.map(|wrong| wrong.map_or(Ok(()), Err)))
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
            assert_eq!(checks.len(), 13);
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
        fn metrics(&self) -> Vec<(&'static str, f64)> {
            let late = [("late", f64::NAN)];
            [("there", 0.0)].into_iter().chain(late.into_iter().filter(|_| self.t > 3)).collect()
        }
        fn snapshot(&self) -> Vec<f64> {
            vec![if self.t == 2 { f64::INFINITY } else { self.t as f64 }]
        }
        fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
            self.t = state[0] as usize;
            Ok(())
        }
    }

    /// Each fault is found: equal names, a start that depends on the past, an incomplete snapshot, a number that is not
    /// finite, an early cut, a refused action, and a figure that comes late. Advice is given on a figure and a snapshot
    /// that are not finite, and on a huge bound.
    #[test]
    fn faults_are_found() {
        let mut spec = EnvSpec {
            name: "Faulty".into(),
            o: vec!["x".into(), "x".into()],
            s: vec!["t".into()],
            low: vec![-1.0],
            high: vec![1.0],
            horizon: 10,
            dt: 1.0,
        };
        let found = |spec: &EnvSpec| -> Vec<(bool, Option<String>)> {
            let make =
                || -> Result<Box<dyn Env>, EnvError> { Ok(Box::new(Faulty { spec: spec.clone(), t: 0, hidden: 0.0 })) };
            check_env(&make).unwrap().into_iter().map(|c| (c.advice, c.complaint)).collect()
        };
        let only = found(&spec);
        assert_eq!(only, [(false, Some("`o` has two entries called x".into()))]);
        spec.o[1] = "y".into();
        let some = |found: &[(bool, Option<String>)]| found.iter().map(|c| c.1.is_some()).collect::<Vec<_>>();
        let all = found(&spec);
        let requirements = [false, false, true, true, true, true, false, true, true];
        assert_eq!(some(&all), [&requirements[..], &[true, true, false, false]].concat(), "{all:?}");
        assert!(all.iter().map(|c| c.0).eq((0..13).map(|i| i >= 9)));
        assert!(all[8].1.as_ref().is_some_and(|c| c.starts_with("`late`, at step 4, is not there")), "{all:?}");
        assert!(all[9].1.as_ref().is_some_and(|c| c.starts_with("`late` is NaN")), "{all:?}");
        assert!(all[10].1.as_ref().is_some_and(|c| c.starts_with("number 0 is inf")), "{all:?}");
        (spec.low[0], spec.high[0], spec.horizon) = (f32::MIN, f32::MAX, usize::MAX);
        let all = found(&spec);
        assert!(all[11].1.as_ref().is_some_and(|c| c.starts_with("the bound -3.4028235e38 of entry 0")), "{all:?}");
        assert!(all[12].1.as_ref().is_some_and(|c| c.contains("cuts an episode after 10000 steps")), "{all:?}");
    }

    /// A panic in an environment is an error that names the environment.
    #[test]
    fn a_panic_is_an_error() {
        let spec = Registry::new().make("TMaze-v0", &Options::new()).unwrap().spec().clone();
        let make = || -> Result<Box<dyn Env>, EnvError> {
            Ok(Box::new(Panics(Faulty { spec: spec.clone(), t: 0, hidden: 0.0 })))
        };
        let error = check_env(&make).unwrap_err().to_string();
        assert!(error.starts_with("TMaze-v0: the environment's own code failed in `check`: no state"), "{error}");
    }

    struct Panics(Faulty);

    impl Env for Panics {
        fn spec(&self) -> &EnvSpec {
            self.0.spec()
        }
        fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
            self.0.reset(rng)
        }
        fn step(&mut self, a: &[f32], rng: &mut Rng) -> Result<Outcome, EnvError> {
            self.0.step(a, rng)
        }
        fn observe(&self, o: &mut [f32], s: &mut [f32]) {
            self.0.observe(o, s);
        }
        fn snapshot(&self) -> Vec<f64> {
            panic!("no state")
        }
        fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
            self.0.restore(state)
        }
    }
}
