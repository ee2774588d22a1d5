//! The T-maze, a corridor with a junction: a test of memory.

use crate::env::{Env, EnvError, EnvSpec, Options, Outcome, Shape, check_options, check_snapshot, whole_number};
use crate::rng::Rng;

const NAME: &str = "TMaze-v0";

/// A maze that shows a cue of ±1 once, at the entry of a corridor of N forced steps; at the end of the corridor the
/// sign of the action chooses a side.
///
/// `o` = (cue, at_junction, position / N) with the cue only at the entry and 0 afterwards; `s` = `o` and the cue that
/// is to be remembered. The reward is 0 in the corridor and at the junction +1 on the side of the cue, else -1; then
/// the episode terminates, after N + 1 steps. An action of 0 chooses neither side, which is wrong. Without memory the
/// expected return is at most 0, with memory it is 1. The metric `success` is 1 after the right choice.
#[derive(Clone, Debug)]
pub struct TMaze {
    spec: EnvSpec,
    corridor: usize,
    cue: f64,
    position: usize,
    /// The reward of the choice; 0 before the choice.
    choice: f64,
}

impl TMaze {
    /// Makes a maze. The option `corridor` is the number of forced steps, from 1 to 1,000,000, by default 10; any other
    /// option is an error.
    pub fn new(options: &Options) -> Result<Self, EnvError> {
        check_options(NAME, options, &["corridor"])?;
        let corridor = match options.get("corridor") {
            None => 10,
            Some(x) => whole_number(x).filter(|n| (1..=1_000_000).contains(n)).ok_or_else(|| {
                let what = format!("`corridor` is {x}; it must be a whole number of steps from 1 to 1000000");
                EnvError::Invalid { env: NAME.into(), what }
            })? as usize,
        };
        let names = |names: &[&str]| names.iter().map(|&n| n.into()).collect();
        let spec = EnvSpec {
            name: NAME.into(),
            o: names(&["cue", "at_junction", "position"]),
            s: names(&["cue", "at_junction", "position", "remembered_cue"]),
            low: vec![-1.0],
            high: vec![1.0],
            horizon: corridor + 1,
            dt: 1.0,
        };
        Ok(Self { spec, corridor, cue: 1.0, position: 0, choice: 0.0 })
    }
}

impl Env for TMaze {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
        self.cue = [-1.0, 1.0][rng.below(2)];
        (self.position, self.choice) = (0, 0.0);
        Ok(())
    }

    fn step(&mut self, a: &[f32], _: &mut Rng) -> Result<Outcome, EnvError> {
        if self.choice != 0.0 {
            let what = "a step after the end of the episode; reset the environment first".into();
            return Err(EnvError::Invalid { env: NAME.into(), what });
        }
        if self.position < self.corridor {
            self.position += 1;
            return Ok(Outcome { r: 0.0, terminated: false, truncated: false });
        }
        self.choice = if a[0] as f64 * self.cue > 0.0 { 1.0 } else { -1.0 };
        Ok(Outcome { r: self.choice, terminated: true, truncated: false })
    }

    fn observe(&self, o: &mut [f32], s: &mut [f32]) {
        let cue = if self.position == 0 { self.cue as f32 } else { 0.0 };
        let at_junction = (self.position == self.corridor) as u8 as f32;
        o.copy_from_slice(&[cue, at_junction, (self.position as f64 / self.corridor as f64) as f32]);
        s[..3].copy_from_slice(o);
        s[3] = self.cue as f32;
    }

    fn metrics(&self) -> Vec<(&'static str, f64)> {
        vec![("success", (self.choice > 0.0) as u8 as f64)]
    }

    fn snapshot(&self) -> Vec<f64> {
        vec![self.cue, self.position as f64, self.choice]
    }

    fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
        check_snapshot(NAME, state, 3)?;
        if !(0.0..=self.corridor as f64).contains(&state[1]) {
            let what = format!(
                "position {} is not in the corridor of {}; restore with the same option",
                state[1], self.corridor
            );
            return Err(EnvError::Invalid { env: NAME.into(), what });
        }
        (self.cue, self.position, self.choice) = (state[0], state[1] as usize, state[2]);
        Ok(())
    }

    fn shapes(&self) -> Vec<Shape> {
        let (n, arm) = (self.corridor as f64, 0.2 * self.corridor as f64);
        let radius = 0.02 * n;
        let at = [self.position as f64, self.choice * self.cue * arm];
        let cue = [0.0, self.cue * arm];
        vec![
            Shape { from: [0.0, 0.0], to: [n, 0.0], radius, part: 0 },
            Shape { from: [n, -arm], to: [n, arm], radius, part: 0 },
            Shape { from: cue, to: cue, radius: 2.0 * radius, part: 1 },
            Shape { from: at, to: at, radius: 2.0 * radius, part: 2 },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn episode(env: &mut TMaze, rng: &mut Rng, choose: impl Fn(f32) -> f32) -> (Vec<[f32; 4]>, Vec<Outcome>) {
        let (mut seen, mut outcomes) = (Vec::new(), Vec::new());
        let (mut o, mut s) = ([0.0; 3], [0.0; 4]);
        loop {
            env.observe(&mut o, &mut s);
            assert_eq!(o, s[..3]);
            seen.push(s);
            outcomes.push(env.step(&[choose(s[3])], rng).unwrap());
            if outcomes.last().unwrap().terminated {
                return (seen, outcomes);
            }
        }
    }

    /// The cue is seen at the entry only; after N forced steps the choice pays +1 or -1 and terminates.
    #[test]
    fn an_episode_is_the_definition() {
        let mut rng = Rng::new(0, "maze");
        for (corridor, sign) in [(10, 1.0), (10, -1.0), (1, 1.0), (3, 0.0)] {
            let mut options = Options::new();
            if corridor != 10 {
                options.insert("corridor".into(), toml::Value::Integer(corridor));
            }
            let mut env = TMaze::new(&options).unwrap();
            env.reset(&mut rng).unwrap();
            let (seen, outcomes) = episode(&mut env, &mut rng, |cue| sign * 0.3 * cue);
            let n = corridor as usize;
            assert_eq!((seen.len(), env.spec().horizon), (n + 1, n + 1));
            for (t, s) in seen.iter().enumerate() {
                let cue = if t == 0 { s[3] } else { 0.0 };
                assert_eq!(s[..3], [cue, (t == n) as u8 as f32, (t as f64 / n as f64) as f32]);
            }
            assert!(outcomes[..n].iter().all(|x| *x == Outcome { r: 0.0, terminated: false, truncated: false }));
            let r = if sign > 0.0 { 1.0 } else { -1.0 };
            assert_eq!(outcomes[n], Outcome { r, terminated: true, truncated: false });
            assert_eq!(env.metrics(), [("success", (r > 0.0) as u8 as f64)]);
            assert!(env.step(&[1.0], &mut rng).is_err());
        }
    }

    /// Both cues are drawn, equally often.
    #[test]
    fn the_cue_is_a_fair_coin() {
        let (mut env, mut rng) = (TMaze::new(&Options::new()).unwrap(), Rng::new(0, "maze"));
        let mut sum = 0.0;
        for _ in 0..10_000 {
            env.reset(&mut rng).unwrap();
            assert!(env.cue.abs() == 1.0);
            sum += env.cue;
        }
        assert!(sum.abs() < 400.0, "four deviations of a fair coin: {sum}");
    }

    /// From a snapshot in the corridor the rest of the episode repeats.
    #[test]
    fn a_snapshot_repeats_the_future() {
        let (mut env, mut rng) = (TMaze::new(&Options::new()).unwrap(), Rng::new(3, "maze"));
        env.reset(&mut rng).unwrap();
        for _ in 0..4 {
            env.step(&[0.0], &mut rng).unwrap();
        }
        let middle = env.snapshot();
        let first = (episode(&mut env, &mut rng, |cue| cue), env.snapshot());
        let mut other = TMaze::new(&Options::new()).unwrap();
        other.restore(&middle).unwrap();
        assert_eq!((episode(&mut other, &mut rng, |cue| cue), other.snapshot()), first);
    }

    /// Wrong options and snapshots of another maze are errors that name what is wrong.
    #[test]
    fn nonsense_is_refused() {
        let error = |table| TMaze::new(&table).unwrap_err().to_string();
        assert!(error(toml::toml! { corridor = 0 }).contains("`corridor` is 0"));
        assert!(error(toml::toml! { corridor = "long" }).contains("`corridor`"));
        assert!(error(toml::toml! { length = 10 }).contains("`length`"));
        assert!(TMaze::new(&toml::toml! { corridor = 2 }).unwrap().restore(&[1.0, 3.0, 0.0]).is_err());
    }
}
