//! What is estimated step by step is not a figure of the episodes that last.
//!
//! GPOMDP weighs the rewards of a step with a baseline of that step. Whether an episode reaches the step depends on its
//! actions, so an episode that ended has to stay, with a reward of zero and the score that it had.

use std::sync::Arc;

use s2pg::algo::Reinforce;
use s2pg::algo::reinforce::Settings;
use s2pg::data::{Buffer, Episodes, RolloutShape, Transition};
use s2pg::env::{Entry, Registry, TimeLimit, check_snapshot};
use s2pg::experiment::{Experiment, build};
use s2pg::nn::{Builder, Parameters, Params, Tensor};
use s2pg::policy::{Context, Dist, Gaussian, Memory, StatefulPolicy};
use s2pg::{Env, EnvError, EnvSpec, Outcome, Rng, State, Visitor};

/// A policy of one parameter: a ~ N(theta, 1), whatever is seen.
#[derive(Clone)]
struct Constant(Parameters<f32>);

impl Params for Constant {
    fn params(&self) -> &Parameters<f32> {
        &self.0
    }
    fn params_mut(&mut self) -> &mut Parameters<f32> {
        &mut self.0
    }
}

impl State for Constant {
    fn visit(&mut self, v: &mut dyn Visitor) {
        self.0.visit(v);
    }
}

impl StatefulPolicy for Constant {
    fn memory(&self) -> Memory {
        Memory::None
    }

    fn dist(&self, x: &Context) -> Dist {
        let mean = Tensor::zeros(x.o.rows(), 1) + Tensor::param(&self.0, 0);
        Dist { a: Gaussian::new(mean, Tensor::zeros(1, 1)), z: None, h: None }
    }
}

const THETA: f64 = 0.8;
const GAMMA: f64 = 0.95;
const LONGEST: usize = 8;

/// A walk: the reward of a step is `fixed` + `share` times its action, and an action below zero ends the episode. It
/// goes on with the probability p = Phi(theta), so J = sum over t < 8 of (gamma p)^t (fixed + share theta).
struct Walk {
    fixed: f64,
    share: f64,
}

impl Walk {
    /// The gradient of J: p' is the normal density at theta.
    fn gradient(&self) -> f64 {
        let density = |x: f64| (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
        // Phi(theta), by Simpson's rule from 0 on.
        let (n, h) = (200, THETA / 200.0);
        let weight = |i: usize| if i == 0 || i == n { 1.0 } else { [2.0, 4.0][i % 2] };
        let p = 0.5 + (0..=n).map(|i| weight(i) * density(i as f64 * h)).sum::<f64>() * h / 3.0;
        let step = |t: usize| {
            let (t, reached) = (t as f64, p.powi(t as i32));
            let later = t / p * density(THETA) * (self.fixed + self.share * THETA);
            GAMMA.powf(t) * reached * (later + self.share)
        };
        (0..LONGEST).map(step).sum()
    }

    /// `n` episodes.
    fn episodes(&self, n: usize, rng: &mut Rng) -> Episodes {
        let shape = RolloutShape { steps: LONGEST, envs: 1, o: 1, a: 1, ..RolloutShape::default() };
        let mut data = Episodes::new(n, shape);
        let mut t = 0;
        while !data.is_full() {
            let a = (THETA + rng.normal()) as f32;
            let terminated = a < 0.0;
            t = if terminated || t + 1 == LONGEST { 0 } else { t + 1 };
            data.push(&Transition {
                o: &[1.0],
                a: &[a],
                r: &[self.fixed + self.share * f64::from(a)],
                terminated: &[terminated],
                truncated: &[t == 0 && !terminated],
                dropped: &[false],
                next_o: &[1.0],
                ..Transition::default()
            });
        }
        data
    }

    /// Mean of the estimates from `batches` batches of `n` episodes, and its standard error.
    fn estimate(&self, n: usize, batches: usize, (per_step, drop_ended): (bool, bool)) -> (f64, f64) {
        let mut rng = Rng::new(2024, "walk");
        let mut b = Builder::new(&mut rng);
        b.constant("theta", 1, THETA);
        let policy = Constant(b.finish());
        let settings = Settings { gamma: GAMMA, per_step, drop_ended, ..Settings::default() };
        let reinforce = Reinforce::new(policy, settings);
        let all: Vec<f64> = (0..batches).map(|_| reinforce.estimate(&self.episodes(n, &mut rng)).gradient[0]).collect();
        let count = batches as f64;
        let mean = all.iter().sum::<f64>() / count;
        let variance = all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, (variance / count).sqrt())
    }
}

/// Where lengths vary, GPOMDP's estimate is the exact gradient but for a share of the order of 1 / N, as REINFORCE's
/// is, and the published form is not, whatever N; where the reward is 1 in each step, the published form is zero.
#[test]
fn gpomdp_keeps_the_episodes_that_ended() {
    let (few, many) = (20, 200);
    for walk in [Walk { fixed: 1.0, share: 0.0 }, Walk { fixed: 0.0, share: 1.0 }] {
        let truth = walk.gradient();
        // A bias that falls as 1 / N cancels between two sizes of a batch.
        let limit = |form| {
            let [(a, se_a), (b, se_b)] = [(few, 1500), (many, 150)].map(|(n, batches)| walk.estimate(n, batches, form));
            let weighed = |x: f64, y: f64| (many as f64 * y + few as f64 * x) / (many - few) as f64;
            println!("truth {truth:.3}: {a:.3} +- {se_a:.3} from {few} episodes, {b:.3} +- {se_b:.3} from {many}");
            (weighed(-a, b), weighed(se_a, se_b), (a, b))
        };
        for form in [(false, false), (true, false)] {
            let (mean, error, _) = limit(form);
            assert!((mean - truth).abs() < 4.0 * error && error < 0.03 * truth, "{form:?}: {mean} is not {truth}");
        }
        let (mean, error, (a, b)) = limit((true, true));
        assert!((mean - truth).abs() > 6.0 * error.max(0.01 * truth), "the published form: {mean}");
        assert!(walk.share > 0.0 || a.abs().max(b.abs()) < 1e-6, "a reward of 1 a step: {a}, {b}");
    }
}

const POLE: &str = "Pole-v0";

/// A point that runs away from the middle unless it is pushed back. Each step brings a reward of 1; beyond 1 the
/// episode ends.
struct Pole {
    spec: EnvSpec,
    x: f64,
}

impl Env for Pole {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
        self.x = rng.range(-0.2, 0.2);
        Ok(())
    }

    fn step(&mut self, a: &[f32], _: &mut Rng) -> Result<Outcome, EnvError> {
        self.x = 1.2 * self.x + 0.3 * f64::from(a[0]);
        Ok(Outcome { r: 1.0, terminated: self.x.abs() > 1.0, truncated: false })
    }

    fn observe(&self, o: &mut [f32], s: &mut [f32]) {
        (o[0], s[0]) = (self.x as f32, self.x as f32);
    }

    fn snapshot(&self) -> Vec<f64> {
        vec![self.x]
    }

    fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
        check_snapshot(POLE, state, 1)?;
        self.x = state[0];
        Ok(())
    }
}

const EXPERIMENT: &str = r#"
algorithm = "gpomdp"
estimator = "rs"
steps = 100_000
standardise = false

[env]
name = "Pole-v0"
parallel = 8

[network]
features = 8
hidden = 4
state_std = 0.2

[reinforce]
episodes = 32
lr = 1e-2
"#;

/// Mean length of the first and of the last hundred of the episodes of 60 updates, and the longest gradient.
fn train(overrides: &[String]) -> (f64, f64, f64) {
    let mut registry = Registry::new();
    registry.extend([Entry {
        name: POLE,
        about: "stay near the middle",
        make: |_| {
            let [o, s] = [(); 2].map(|()| vec!["x".to_string()]);
            let spec = EnvSpec { name: POLE.into(), o, s, low: vec![-1.0], high: vec![1.0], horizon: 50, dt: 1.0 };
            Ok(Box::new(TimeLimit::new(Pole { spec, x: 0.0 })))
        },
    }]);
    let experiment = Experiment::parse("pole", EXPERIMENT, overrides).unwrap();
    let mut training = build(&experiment, Arc::new(registry), 1).unwrap();
    let (mut lengths, mut longest) = (Vec::new(), 0.0f64);
    while lengths.len() < 60 {
        if let Some(metrics) = training.step().unwrap() {
            longest = metrics.iter().filter(|m| m.0 == "train/grad_norm").fold(longest, |longest, m| longest.max(m.1));
            lengths.push(training.episodes().mean_return().unwrap());
        }
    }
    (lengths[2], lengths[59], longest)
}

/// With a reward of 1 a step GPOMDP learns to last, as REINFORCE does; as published its gradient is zero, and it does
/// not.
#[test]
fn gpomdp_learns_to_last() {
    for seed in 0..2 {
        let run = |more: &[&str]| {
            let more = more.iter().map(|more| more.to_string());
            let result = train(&more.chain([format!("seed={seed}")]).collect::<Vec<_>>());
            println!("{result:?}");
            result
        };
        for (before, after, longest) in [run(&[]), run(&["algorithm=reinforce"])] {
            assert!(after > 2.0 * before && longest > 0.1, "seed {seed}: {before}, {after}, {longest}");
        }
        for switch in ["switches.gpomdp_drop_ended_episodes=true", "compat=official"] {
            let (before, after, longest) = run(&[switch]);
            assert!(longest < 1e-4 && after < 1.5 * before, "seed {seed}: {before}, {after}, {longest}");
        }
    }
}
