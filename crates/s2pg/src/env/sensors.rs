//! A wrapper that hides, delays, drops or blurs what the policy sees of an environment, by the names of the sensors.

use super::{Env, EnvError, EnvSpec, Options, Outcome, Shape, check_options, check_snapshot};
use crate::rng::Rng;

/// The most steps that a sensor may be late.
const LATEST: usize = 10_000;

/// An environment around an environment, which shows the policy less than the inner environment would. The entries of
/// `o` are chosen by their names.
///
/// The table `[env.sensors]` has these keys, all optional; a pattern is a name in which `*` stands for any letters:
///
/// - `hide = ["v_*"]`: the policy does not see these;
/// - `keep = ["qpos*", "z"]`: it sees only these, without the hidden ones;
/// - `delay = { "z" = 2 }`: it sees the value of that many steps before; until there is one, the first of the episode;
/// - `noise = { "*" = 0.05 }`: normal noise of this standard deviation is added, in the sensor's unit;
/// - `drop = { "x" = 0.1 }`: with this probability the last shown value, noise and all, is shown again.
///
/// The critic's `s` stays true: it is the inner `s`, followed by those entries of the inner `o` that are hidden or
/// changed and whose names the inner `s` lacks. Random numbers are drawn in each step, in the order of the entries: for
/// each first the noise, then the drop.
pub struct Sensors<E> {
    env: E,
    spec: EnvSpec,
    /// The entries that are shown, in the order of `spec.o`.
    sensors: Vec<Sensor>,
    /// The entries of the inner `o` that are put at the end of `s`.
    appended: Vec<usize>,
    /// The inner `o`; then what is shown of it, and `s`.
    inner: Vec<f32>,
    shown: Vec<f32>,
    s: Vec<f32>,
    /// A ring for each late sensor, one after the other: the last values of the sensor.
    late: Vec<f32>,
    steps: usize,
}

/// An entry of the inner `o` that is shown.
struct Sensor {
    /// The place of the entry in the inner `o`.
    entry: usize,
    /// The place where the sensor's ring begins; the ring has `delay` places.
    ring: usize,
    delay: usize,
    noise: f64,
    drop: f64,
}

impl Sensor {
    fn is_changed(&self) -> bool {
        self.delay > 0 || self.noise > 0.0 || self.drop > 0.0
    }
}

impl<E: Env> Sensors<E> {
    /// Puts sensors around `env`; `options` is the table `[env.sensors]`. An unknown key or sensor, or a number out of
    /// range, is an error.
    pub fn new(env: E, options: &Options) -> Result<Self, EnvError> {
        let inner = env.spec().clone();
        check_options(&inner.name, options, &["hide", "keep", "delay", "noise", "drop"])
            .map_err(|e| invalid(&inner, format!("in `sensors`, {}", sentence(&e))))?;
        let hide = patterns(&inner, options, "hide")?.unwrap_or_default();
        let keep = patterns(&inner, options, "keep")?;
        let delay = numbers(&inner, options, "delay", |x| x.fract() == 0.0 && (0.0..=LATEST as f64).contains(&x))?;
        let noise = numbers(&inner, options, "noise", |x| x >= 0.0 && x.is_finite())?;
        let drop = numbers(&inner, options, "drop", |x| (0.0..=1.0).contains(&x))?;

        let is_shown = |name: &str| {
            keep.as_ref().is_none_or(|keep| keep.iter().any(|pattern| matches(pattern, name)))
                && !hide.iter().any(|pattern| matches(pattern, name))
        };
        let shown = (0..inner.o.len()).filter(|&entry| is_shown(&inner.o[entry]));
        let mut places = 0;
        let sensors: Vec<Sensor> = shown
            .map(|entry| {
                let (ring, delay) = (places, delay[entry] as usize);
                places += delay;
                Sensor { entry, ring, delay, noise: noise[entry], drop: drop[entry] }
            })
            .collect();
        if sensors.is_empty() {
            return Err(invalid(&inner, "`sensors` hides everything; leave the policy something to see".into()));
        }
        let true_as_shown = |entry| sensors.iter().any(|sensor| sensor.entry == entry && !sensor.is_changed());
        let lacking = |&entry: &usize| !true_as_shown(entry) && !inner.s.contains(&inner.o[entry]);
        let appended: Vec<usize> = (0..inner.o.len()).filter(lacking).collect();

        let spec = EnvSpec {
            o: sensors.iter().map(|sensor| inner.o[sensor.entry].clone()).collect(),
            s: inner.s.iter().cloned().chain(appended.iter().map(|&entry| inner.o[entry].clone())).collect(),
            ..inner.clone()
        };
        let [inner, shown, s, late] =
            [inner.o.len(), sensors.len(), spec.s.len(), places].map(|length| vec![0.0; length]);
        let mut made = Self { env, spec, sensors, appended, inner, shown, s, late, steps: 0 };
        made.look();
        made.begin();
        Ok(made)
    }

    /// Reads the views of the inner environment.
    fn look(&mut self) {
        let (s, appended) = self.s.split_at_mut(self.env.spec().s.len());
        self.env.observe(&mut self.inner, s);
        appended.iter_mut().zip(&self.appended).for_each(|(s, &entry)| *s = self.inner[entry]);
    }

    /// Fills the rings with the first values of an episode, and shows these.
    fn begin(&mut self) {
        self.steps = 0;
        for (sensor, shown) in self.sensors.iter().zip(&mut self.shown) {
            *shown = self.inner[sensor.entry];
            self.late[sensor.ring..][..sensor.delay].fill(*shown);
        }
    }
}

impl<E: Env> Env for Sensors<E> {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
        self.env.reset(rng)?;
        self.look();
        self.begin();
        for (sensor, shown) in self.sensors.iter().zip(&mut self.shown) {
            *shown += noise(sensor, rng);
        }
        Ok(())
    }

    fn step(&mut self, a: &[f32], rng: &mut Rng) -> Result<Outcome, EnvError> {
        let outcome = self.env.step(a, rng)?;
        self.look();
        for (sensor, shown) in self.sensors.iter().zip(&mut self.shown) {
            let mut x = self.inner[sensor.entry];
            if sensor.delay > 0 {
                std::mem::swap(&mut x, &mut self.late[sensor.ring + self.steps % sensor.delay]);
            }
            x += noise(sensor, rng);
            if sensor.drop == 0.0 || rng.uniform() >= sensor.drop {
                *shown = x;
            }
        }
        self.steps += 1;
        Ok(outcome)
    }

    fn observe(&self, o: &mut [f32], s: &mut [f32]) {
        o.copy_from_slice(&self.shown);
        s.copy_from_slice(&self.s);
    }

    fn metrics(&self) -> Vec<(&'static str, f64)> {
        self.env.metrics()
    }

    /// Returns the inner snapshot, then what is shown, the rings and the number of steps.
    fn snapshot(&self) -> Vec<f64> {
        let mut state = self.env.snapshot();
        state.extend(self.shown.iter().chain(&self.late).map(|&x| x as f64));
        state.push(self.steps as f64);
        state
    }

    fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
        let own = self.shown.len() + self.late.len() + 1;
        let Some(inner) = state.len().checked_sub(own) else {
            return check_snapshot(&self.spec.name, state, own);
        };
        let (inner, own) = state.split_at(inner);
        self.env.restore(inner)?;
        self.look();
        let values = self.shown.iter_mut().chain(&mut self.late);
        values.zip(own).for_each(|(x, &own)| *x = own as f32);
        self.steps = own[own.len() - 1] as usize;
        Ok(())
    }

    fn can_be_saved(&self) -> bool {
        self.env.can_be_saved()
    }

    fn is_independent(&self) -> bool {
        self.env.is_independent()
    }

    fn prepare(&mut self, a: &[f32]) {
        self.env.prepare(a);
    }

    fn shapes(&self) -> Vec<Shape> {
        self.env.shapes()
    }

    fn render(&mut self, size: [u32; 2]) -> Option<Result<Vec<u8>, String>> {
        self.env.render(size)
    }
}

fn noise(sensor: &Sensor, rng: &mut Rng) -> f32 {
    if sensor.noise > 0.0 { (sensor.noise * rng.normal()) as f32 } else { 0.0 }
}

fn invalid(spec: &EnvSpec, what: String) -> EnvError {
    EnvError::Invalid { env: spec.name.clone(), what }
}

/// Returns the sentence of an error without the name of the environment.
fn sentence(error: &EnvError) -> String {
    match error {
        EnvError::Invalid { what, .. } => what.clone(),
        other => other.to_string(),
    }
}

/// Refuses a pattern that matches no name; the error lists the names.
fn check_pattern(spec: &EnvSpec, key: &str, pattern: &str) -> Result<(), EnvError> {
    if spec.o.iter().any(|name| matches(pattern, name)) {
        return Ok(());
    }
    let what = format!("no sensor is called `{pattern}`, as `sensors.{key}` says; there are {}", spec.o.join(", "));
    Err(invalid(spec, what))
}

/// Returns the patterns of the key `key`; None where the key is not set.
fn patterns(spec: &EnvSpec, options: &Options, key: &str) -> Result<Option<Vec<String>>, EnvError> {
    let Some(given) = options.get(key) else { return Ok(None) };
    let list: Option<Vec<String>> =
        given.as_array().and_then(|list| list.iter().map(|x| x.as_str().map(String::from)).collect());
    let list = list.ok_or_else(|| {
        invalid(spec, format!("`sensors.{key}` is {given}; it must be a list of names, as [\"v_*\"]"))
    })?;
    list.iter().try_for_each(|pattern| check_pattern(spec, key, pattern))?;
    Ok(Some(list))
}

/// Returns for each entry of `o` the number that the key `key` gives it, or 0.
fn numbers(spec: &EnvSpec, options: &Options, key: &str, sound: fn(f64) -> bool) -> Result<Vec<f64>, EnvError> {
    let mut numbers = vec![0.0; spec.o.len()];
    let mut from: Vec<Option<&str>> = vec![None; spec.o.len()];
    let Some(given) = options.get(key) else { return Ok(numbers) };
    let table = given.as_table().ok_or_else(|| {
        invalid(
            spec,
            format!("`sensors.{key}` is {given}; it must be a table of numbers by name, as {{ \"v_*\" = 1 }}"),
        )
    })?;
    for (pattern, value) in table {
        check_pattern(spec, key, pattern)?;
        let number = value.as_float().or_else(|| value.as_integer().map(|x| x as f64)).filter(|&x| sound(x));
        let number = number.ok_or_else(|| {
            let range = match key {
                "delay" => format!("a whole number of steps from 0 to {LATEST}"),
                "noise" => "a standard deviation, not negative".into(),
                _ => "a probability, from 0 to 1".into(),
            };
            invalid(spec, format!("`sensors.{key}.{pattern}` is {value}; it must be {range}"))
        })?;
        for (entry, name) in spec.o.iter().enumerate().filter(|(_, name)| matches(pattern, name)) {
            if let Some(other) = from[entry].replace(pattern) {
                let what = format!("`{other}` and `{pattern}` of `sensors.{key}` both mean {name}; keep one of them");
                return Err(invalid(spec, what));
            }
            numbers[entry] = number;
        }
    }
    Ok(numbers)
}

/// Tells whether a name fits a pattern, in which each `*` stands for any letters or none.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().expect("a split has a part");
    // Between the ends, the leftmost fit of each part leaves most room for those after it.
    for part in parts {
        match name.find(part) {
            Some(at) => name = &name[at + part.len()..],
            None => return false,
        }
    }
    name.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::{Registry, check_env};
    use toml::toml;

    /// Makes the environment `name` with the table `sensors`, through the registry.
    fn make(name: &str, sensors: Options) -> Result<Box<dyn Env>, EnvError> {
        let mut options = Options::new();
        options.insert("sensors".into(), sensors.into());
        Registry::new().make(name, &options)
    }

    fn views(env: &dyn Env) -> (Vec<f32>, Vec<f32>) {
        let (mut o, mut s) = (vec![0.0; env.spec().o.len()], vec![0.0; env.spec().s.len()]);
        env.observe(&mut o, &mut s);
        (o, s)
    }

    /// Returns the views o and s of `steps` steps of the pendulum with `sensors`.
    fn episode(sensors: Options, seed: u64, steps: usize) -> Vec<(Vec<f32>, Vec<f32>)> {
        let mut env = make("PendulumPOMDP-v1", sensors).unwrap();
        let mut rng = Rng::new(seed, "sensors");
        env.reset(&mut rng).unwrap();
        let mut seen = vec![views(&*env)];
        for t in 0..steps {
            env.step(&[(0.3 * t as f32).sin()], &mut rng).unwrap();
            seen.push(views(&*env));
        }
        seen
    }

    /// `*` stands for any letters or none, everything else for itself.
    #[test]
    fn patterns_match_names() {
        let yes =
            [("*", ""), ("*", "v"), ("v_*", "v_"), ("v_*", "v_x"), ("*x", "v_x"), ("a*b*a", "aba"), ("a*a", "abba")];
        let no =
            [("v", "v_"), ("v_*", "w_x"), ("a*a", "a"), ("a*b*a", "aa"), ("*ab*b", "ab"), ("", "a"), ("v.x", "v_x")];
        assert!(yes.iter().all(|(pattern, name)| matches(pattern, name)), "{yes:?}");
        assert!(!no.iter().any(|(pattern, name)| matches(pattern, name)), "{no:?}");
        assert!(matches("", "") && matches("a**b", "ab"));
    }

    /// An entry that is hidden, or not kept, is gone from `o` and stays in `s`: in its own place, or at the end where
    /// `s` lacks it.
    #[test]
    fn the_hidden_is_seen_by_the_critic() {
        let truth = episode(Options::new(), 1, 5);
        for sensors in [toml! { hide = ["sin"] }, toml! { keep = ["c*"] }, toml! { keep = ["*"] hide = ["*n"] }] {
            let env = make("PendulumPOMDP-v1", sensors.clone()).unwrap();
            assert_eq!(env.spec().o, ["cos"]);
            assert_eq!(env.spec().s, ["cos", "sin", "velocity"]);
            for ((o, s), (true_o, true_s)) in episode(sensors, 1, 5).into_iter().zip(&truth) {
                assert_eq!((&o[..], &s), (&true_o[..1], true_s));
            }
        }

        /// An environment that shows entries in `o` that its `s` does not have.
        struct Odd(EnvSpec);
        impl Env for Odd {
            fn spec(&self) -> &EnvSpec {
                &self.0
            }
            fn reset(&mut self, _: &mut Rng) -> Result<(), EnvError> {
                Ok(())
            }
            fn step(&mut self, _: &[f32], _: &mut Rng) -> Result<Outcome, EnvError> {
                Ok(Outcome { r: 0.0, terminated: false, truncated: false })
            }
            fn observe(&self, o: &mut [f32], s: &mut [f32]) {
                o.copy_from_slice(&[1.0, 2.0, 3.0]);
                s[0] = 4.0;
            }
            fn snapshot(&self) -> Vec<f64> {
                Vec::new()
            }
            fn restore(&mut self, _: &[f64]) -> Result<(), EnvError> {
                Ok(())
            }
        }
        let names = |names: &[&str]| names.iter().map(|&n| n.into()).collect();
        let pendulum = make("PendulumPOMDP-v1", Options::new()).unwrap();
        let spec = EnvSpec { o: names(&["a", "b", "c"]), s: names(&["d"]), ..pendulum.spec().clone() };
        let mut env = Sensors::new(Odd(spec), &toml! { hide = ["a"] noise = { "c" = 1 } }).unwrap();
        env.reset(&mut Rng::new(0, "odd")).unwrap();
        assert_eq!((&env.spec().o, &env.spec().s), (&names(&["b", "c"]), &names(&["d", "a", "c"])));
        let (o, s) = views(&env);
        assert!(o[0] == 2.0 && o[1] != 3.0 && s == [4.0, 1.0, 3.0], "{o:?}, {s:?}");
    }

    /// A late sensor shows the value of some steps before, and the first value until there is one; other sensors and
    /// `s` are on time.
    #[test]
    fn a_delay_is_a_number_of_steps() {
        let truth = episode(Options::new(), 2, 30);
        let late = episode(toml! { delay = { "s*" = 3 } }, 2, 30);
        for (t, (o, s)) in late.iter().enumerate() {
            assert_eq!(o, &[truth[t].0[0], truth[t.saturating_sub(3)].0[1]]);
            assert_eq!(s, &truth[t].1);
        }
    }

    /// Noise has the given deviation in each step, the first included, and `s` has none.
    #[test]
    fn noise_has_its_deviation() {
        let (mut sum, mut squares, n) = (0.0, 0.0, 200 * 51);
        for seed in 0..200 {
            let noisy = episode(toml! { noise = { "cos" = 0.25 } }, seed, 50);
            for (o, s) in &noisy {
                let noise = (o[0] - s[0]) as f64;
                (sum, squares) = (sum + noise, squares + noise * noise);
                assert_eq!(o[1], s[1]);
            }
            assert_ne!(noisy[0].0[0], noisy[0].1[0]);
        }
        let (mean, variance) = (sum / n as f64, squares / n as f64);
        // Four standard errors.
        assert!(mean.abs() < 4.0 * 0.25 / (n as f64).sqrt(), "{mean}");
        assert!((variance / 0.0625 - 1.0).abs() < 4.0 * (2.0 / n as f64).sqrt(), "{variance}");
    }

    /// A dropped value is the value that was shown last, as often as asked; the first value of an episode is never
    /// dropped.
    #[test]
    fn a_drop_shows_the_last_value_again() {
        let mut dropped = 0;
        for seed in 0..100 {
            let seen = episode(toml! { drop = { "cos" = 0.2 } }, seed, 100);
            assert_eq!(seen[0].0, seen[0].1[..2]);
            for pair in seen.windows(2) {
                let ((before, _), (o, s)) = (&pair[0], &pair[1]);
                assert_eq!(o[1], s[1]);
                assert!(o[0] == s[0] || o[0] == before[0]);
                dropped += (o[0] != s[0]) as usize;
            }
        }
        // Of 10,000 steps, within five deviations.
        assert!((1800..2200).contains(&dropped), "{dropped}");
        let stuck = episode(toml! { drop = { "*" = 1.0 } noise = { "*" = 0.1 } }, 0, 20);
        assert!(stuck.iter().all(|(o, _)| o == &stuck[0].0));
    }

    /// The same seed brings the same views, and what follows a snapshot is repeated to the bit, in the same environment
    /// and in another.
    #[test]
    fn a_restore_repeats_to_the_bit() {
        let sensors = || toml! { delay = { "cos" = 4 } noise = { "*" = 0.1 } drop = { "sin" = 0.3 } };
        assert_eq!(episode(sensors(), 3, 60), episode(sensors(), 3, 60));
        assert_ne!(episode(sensors(), 3, 60), episode(sensors(), 4, 60));
        let (mut env, mut other) =
            (make("PendulumPOMDP-v1", sensors()).unwrap(), make("PendulumPOMDP-v1", sensors()).unwrap());
        let mut rng = Rng::new(5, "sensors");
        env.reset(&mut rng).unwrap();
        other.reset(&mut Rng::new(6, "sensors")).unwrap();
        for length in 0..30 {
            for _ in 0..length {
                env.step(&[0.7], &mut rng).unwrap();
            }
            let (start, seen) = (env.snapshot(), views(&*env));
            let run = |env: &mut Box<dyn Env>| -> Vec<_> {
                let mut rng = Rng::new(length, "future");
                let step = |_| (env.step(&[-0.4], &mut rng).unwrap(), views(&**env), env.snapshot());
                (0..20).map(step).collect()
            };
            let first = run(&mut env);
            for env in [&mut env, &mut other] {
                env.restore(&start).unwrap();
                assert_eq!((env.snapshot(), views(&**env)), (start.clone(), seen.clone()));
                assert!(run(env) == first, "after {length} steps");
            }
            env.reset(&mut rng).unwrap();
        }
        assert!(env.restore(&[0.0; 2]).is_err());
    }

    /// The pendulum with sensors keeps all that an environment owes to a trainer.
    #[test]
    fn the_contract_is_kept() {
        let sensors = toml! { hide = ["sin"] delay = { "*" = 4 } noise = { "cos" = 0.1 } drop = { "cos" = 0.3 } };
        for check in check_env(&|| make("PendulumPOMDP-v1", sensors.clone())).unwrap() {
            assert_eq!(check.complaint, None, "{}", check.what);
        }
    }

    /// A mistake is reported in one sentence that names the key, and the sensors that exist.
    #[test]
    fn nonsense_is_refused() {
        let cases = [
            (toml! { hide = ["tan"] }, ["`tan`, as `sensors.hide`", "cos, sin"]),
            (toml! { delay = { "v_*" = 1 } }, ["`v_*`, as `sensors.delay`", "cos, sin"]),
            (toml! { show = ["cos"] }, ["no option `show`", "hide, keep, delay, noise, drop"]),
            (toml! { hide = "cos" }, ["`sensors.hide` is \"cos\"", "a list"]),
            (toml! { keep = [1] }, ["`sensors.keep`", "a list"]),
            (toml! { keep = [] }, ["hides everything", "something to see"]),
            (toml! { noise = 0.1 }, ["`sensors.noise` is 0.1", "a table"]),
            (toml! { noise = { "cos" = -0.1 } }, ["`sensors.noise.cos` is -0.1", "not negative"]),
            (toml! { noise = { "cos" = nan } }, ["`sensors.noise.cos` is nan", "not negative"]),
            (toml! { drop = { "cos" = 1.5 } }, ["`sensors.drop.cos` is 1.5", "from 0 to 1"]),
            (toml! { delay = { "cos" = 0.5 } }, ["`sensors.delay.cos` is 0.5", "whole number"]),
            (toml! { delay = { "cos" = "2" } }, ["`sensors.delay.cos` is \"2\"", "whole number"]),
            (toml! { delay = { "c*" = 1, "*s" = 2 } }, ["both mean cos", "`sensors.delay`"]),
        ];
        for (sensors, parts) in cases {
            let sentence = make("PendulumPOMDP-v1", sensors).err().unwrap().to_string();
            assert!(parts.iter().all(|part| sentence.contains(part)) && !sentence.contains('\n'), "{sentence}");
        }
        let table = Registry::new().make("TMaze-v0", &toml! { sensors = 3 }).err().unwrap().to_string();
        assert!(table.contains("`sensors` is 3") && table.contains("a table"), "{table}");
        // The maze's own option goes through.
        let maze = Registry::new().make("TMaze-v0", &toml! { corridor = 3 sensors = { hide = ["position"] } }).unwrap();
        assert_eq!((maze.spec().horizon, &maze.spec().o[..]), (4, &["cue".to_string(), "at_junction".into()][..]));
    }
}
