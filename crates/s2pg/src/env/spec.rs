//! The description of an environment, and what a trainer asks of it.

use std::cmp::Ordering;

use super::EnvError;

/// The description of an environment: its name, the names of all entries of its views, the range of its action, its
/// longest episode, and the length of its step.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvSpec {
    /// Name under which the environment is registered, for example `HalfCheetahPOMDP-v3`.
    pub name: String,
    /// Names of the entries of the policy's observation `o`; at least one.
    pub o: Vec<String>,
    /// Names of the entries of the critic's view `s`; at least one. Where nothing is hidden, `s` repeats `o`.
    pub s: Vec<String>,
    /// Lower bound of each entry of the action; minus infinity where there is none.
    pub low: Vec<f32>,
    /// Upper bound of each entry of the action; infinity where there is none.
    pub high: Vec<f32>,
    /// Number of steps after which an episode is truncated, by the environment or else by the trainer. A number above
    /// [`Self::LONGEST`], for example `usize::MAX`, says that the task has no time limit.
    pub horizon: usize,
    /// Simulated time of a step in seconds; 1 where time has no unit.
    pub dt: f64,
}

impl EnvSpec {
    /// Describes an environment whose time has no unit: names of the entries of `o` and of `s`, a pair (lower bound,
    /// upper bound) for each entry of the action, and the number of steps after which an episode is truncated.
    pub fn new(name: &str, o: &[&str], s: &[&str], actions: &[(f32, f32)], horizon: usize) -> Self {
        let names = |names: &[&str]| names.iter().map(|&name| name.into()).collect();
        let (low, high) = actions.iter().copied().unzip();
        Self { name: name.into(), o: names(o), s: names(s), low, high, horizon, dt: 1.0 }
    }

    /// The largest horizon that is a time limit.
    pub const LONGEST: usize = 10_000_000;
    /// Number of steps after which an evaluation cuts an episode of a task without a time limit.
    pub const CUT: usize = 10_000;
    /// Magnitude from which a bound of an action counts as none.
    pub const HUGE: f32 = 1e9;

    /// Returns the number of steps after which an episode is truncated; None where the task has no time limit.
    pub fn time_limit(&self) -> Option<usize> {
        (self.horizon <= Self::LONGEST).then_some(self.horizon)
    }

    /// Returns the first entry of the action that lacks a bound, and that bound: an infinity, or a number of magnitude
    /// [`Self::HUGE`] or more. None where every entry is bounded on both sides.
    pub fn unbounded(&self) -> Option<(usize, f32)> {
        let pairs = self.low.iter().zip(&self.high).enumerate();
        let mut bounds = pairs.flat_map(|(i, (&low, &high))| [(i, low), (i, high)]);
        bounds.find(|(_, bound)| bound.abs() >= Self::HUGE)
    }

    /// Returns what is wrong with the description, in words; None where it makes sense.
    pub(super) fn fault(&self) -> Option<String> {
        if self.o.is_empty() {
            return Some("the policy's view `o` has no entries; show the policy something, be it a constant".into());
        }
        if self.s.is_empty() {
            return Some("the critic's view `s` has no entries; where nothing is hidden, repeat `o` there".into());
        }
        let (low, high) = (&self.low, &self.high);
        if low.is_empty() || low.len() != high.len() {
            let n = (low.len(), high.len());
            return Some(format!("the action has {} lower and {} upper bounds; give each entry one of each", n.0, n.1));
        }
        // A NaN is neither less nor greater.
        if let Some(i) = (0..low.len()).find(|&i| low[i].partial_cmp(&high[i]) != Some(Ordering::Less)) {
            let what = "the lower bound must be below the upper one";
            return Some(format!("entry {i} of the action lies between {} and {}; {what}", low[i], high[i]));
        }
        if self.horizon == 0 {
            return Some("the horizon is 0 steps; it must be at least 1, or usize::MAX where there is no limit".into());
        }
        if !(self.dt > 0.0 && self.dt.is_finite()) {
            return Some(format!("a step takes {} s; the time must be above 0, and 1 where it has no unit", self.dt));
        }
        None
    }

    /// Refuses a description that makes no sense.
    pub fn check(&self) -> Result<(), EnvError> {
        self.fault().map_or(Ok(()), |what| Err(EnvError::Invalid { env: self.name.clone(), what }))
    }

    /// Refuses the description `other` of another copy of the environment where the two differ.
    pub fn check_copy(&self, other: &Self) -> Result<(), EnvError> {
        let Self { name, o, s, low, high, horizon, dt } = self;
        let sizes = |what: &str, a: usize, b: usize| format!("{what} has {a} entries in one and {b} in another");
        let how = if *o != other.o {
            sizes("`o`", o.len(), other.o.len())
        } else if *s != other.s {
            sizes("`s`", s.len(), other.s.len())
        } else if (low, high) != (&other.low, &other.high) {
            sizes("the action", low.len(), other.low.len()) + ", or other bounds"
        } else if *horizon != other.horizon {
            format!("the horizon is {horizon} steps in one and {} in another", other.horizon)
        } else if *dt != other.dt {
            format!("a step takes {dt} s in one and {} s in another", other.dt)
        } else if *name != other.name {
            format!("one is called {name} and another {}", other.name)
        } else {
            return Ok(());
        };
        let what = format!("its copies differ: {how}; make every copy with one description");
        Err(EnvError::Invalid { env: name.clone(), what })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Options, Registry};
    use super::*;

    fn spec() -> EnvSpec {
        Registry::new().make("PendulumPOMDP-v1", &Options::new()).unwrap().spec().clone()
    }

    /// A description that makes no sense is refused in a sentence that names the environment and what to do.
    #[test]
    fn a_description_without_sense_is_refused() {
        let wrong: [(fn(&mut EnvSpec), &str); 9] = [
            (|s| s.o.clear(), "`o` has no entries"),
            (|s| s.s.clear(), "`s` has no entries; where nothing is hidden, repeat `o`"),
            (|s| (s.low, s.high) = (vec![], vec![]), "0 lower and 0 upper bounds"),
            (|s| s.low = vec![0.0, 0.0], "2 lower and 1 upper bounds"),
            (|s| s.low = vec![f32::NAN], "entry 0 of the action lies between NaN and 2"),
            (|s| s.low = vec![2.0], "between 2 and 2; the lower bound must be below"),
            (|s| s.horizon = 0, "the horizon is 0 steps; it must be at least 1"),
            (|s| s.dt = 0.0, "a step takes 0 s"),
            (|s| s.dt = f64::NAN, "a step takes NaN s"),
        ];
        for (change, part) in wrong {
            let mut spec = spec();
            change(&mut spec);
            let error = spec.check().unwrap_err().to_string();
            assert!(error.starts_with("PendulumPOMDP-v1: ") && error.contains(part), "{error}");
        }
        spec().check().unwrap();
    }

    /// Infinite and huge bounds count as none, of either side; a horizon above ten million steps is no time limit.
    #[test]
    fn huge_numbers_stand_for_none() {
        let with = |low, high| EnvSpec { low: vec![-1.0, low], high: vec![1.0, high], ..spec() };
        assert_eq!(with(-1e6, 1e6).unbounded(), None);
        assert_eq!(with(-1.0, f32::MAX).unbounded(), Some((1, f32::MAX)));
        assert_eq!(with(f32::NEG_INFINITY, 1.0).unbounded(), Some((1, f32::NEG_INFINITY)));
        with(f32::NEG_INFINITY, f32::INFINITY).check().unwrap();
        let limit = |horizon| EnvSpec { horizon, ..spec() }.time_limit();
        assert_eq!((limit(10_000_000), limit(10_000_001), limit(usize::MAX)), (Some(10_000_000), None, None));
    }

    /// Copies whose descriptions differ are refused in a sentence that says how they differ.
    #[test]
    fn copies_that_differ_are_refused() {
        let wrong: [(fn(&mut EnvSpec), &str); 6] = [
            (|s| s.o.push("x".into()), "`o` has 2 entries in one and 3 in another"),
            (|s| drop(s.s.pop()), "`s` has 3 entries in one and 2 in another"),
            (|s| s.high[0] = 3.0, "or other bounds"),
            (|s| s.horizon = 7, "200 steps in one and 7 in another"),
            (|s| s.dt = 1.0, "0.05 s in one and 1 s in another"),
            (|s| s.name = "other".into(), "one is called PendulumPOMDP-v1 and another other"),
        ];
        for (change, part) in wrong {
            let mut other = spec();
            change(&mut other);
            let error = spec().check_copy(&other).unwrap_err().to_string();
            assert!(error.starts_with("PendulumPOMDP-v1: its copies differ") && error.contains(part), "{error}");
        }
        spec().check_copy(&spec()).unwrap();
    }
}
