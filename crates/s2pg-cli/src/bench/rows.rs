//! The rows: what is measured, its baseline and its budget.

use std::cell::Cell as Shared;
use std::hint::black_box;
use std::sync::Arc;

use s2pg::Rng;
use s2pg::algo::pair::surrogate;
use s2pg::algo::{Algorithm, Sac, sac, slac};
use s2pg::data::{Buffer, Replay, ReplayShape, Transition};
use s2pg::env::{Entry, Env, EnvError, EnvSpec, Options, Outcome, PointMass, Registry, Shape};
use s2pg::experiment::{CriticKind, Estimator, Experiment, Span, build};
use s2pg::nn::{Activation, Adam, Builder, CellKind, Init, Linear};
use s2pg::policy::{
    Actor, ActorShape, Context, CoreShape, Critic, Extended, Head, Memory, PolicyKind, Q, QKind, QShape,
    StatefulPolicy, Value, ValueShape, View,
};
use s2pg::train::Recall;
use s2pg_lab::presets;
use s2pg_mujoco::Bare;

use super::flops::{self, Flops, encoders, mlp, off_policy_actor, plain_critic, ppo_actor, ppo_critic};
use super::sac::{Unroll, Update, normal};
use super::{Budget, Case, Row, Sample, checkpoint, cores, cpu, imitation, parallel};

/// The name of the row that all shares refer to.
pub const PEAK: &str = "peak/gemm";

/// Prepares a case for a number of rounds.
type Make = Box<dyn Fn(usize) -> anyhow::Result<Case>>;

/// Every case, by the name of its first row.
pub fn all() -> Vec<(String, Make)> {
    fn case(name: &'static str, make: impl Fn(usize) -> anyhow::Result<Case> + 'static) -> (String, Make) {
        (name.into(), Box::new(make))
    }
    let step = |name: &'static str, most, baseline, budget| {
        case(name, move |_| training_step(name, most, baseline, Option::map(budget, Budget::Ms)))
    };
    let mut cases = vec![
        case(PEAK, |_| Ok(peak())),
        case("update/ppo-rs-b32", |_| Ok(ppo_update("update/ppo-rs-b32", 32, 2.6, 0.35))),
        case("update/ppo-rs-b512", |_| Ok(ppo_update("update/ppo-rs-b512", 512, 9.7, 0.58))),
        case("update/sac-rs-shape", |_| {
            let mut update = Update::new();
            let row = Row::new("update/sac-rs-shape", Some(13.9), Some(Update::flop()), Some(Budget::Share(0.65)));
            Ok(repeated(row, move || update.step()))
        }),
        case("update/bptt-32-shape", |_| {
            let unroll = Unroll::new();
            let row = Row::new("update/bptt-32-shape", Some(98.0), Some(Unroll::flop()), None);
            Ok(repeated(row, move || unroll.step()))
        }),
        case("act/1", |_| Ok(act())),
        step("step/ppo-rs/half-cheetah", 5, Some(6.34), Some(0.25)),
        step("step/ppo-vanilla/half-cheetah", 5, Some(1.07), Some(0.12)),
        step("step/ppo-oracle/half-cheetah", 5, None, None),
        step("step/ppo-bptt-5/half-cheetah", 3, Some(5.22), Some(1.3)),
        step("step/ppo-bptt-32/half-cheetah", 2, Some(22.6), Some(7.0)),
        step("step/ppo-window-5/half-cheetah", 5, None, None),
        step("step/ppo-window-32/half-cheetah", 5, None, None),
        step("step/ppo-rs/half-cheetah-cpg", 5, None, None),
        step("step/ppo-rs/ant", 3, Some(6.77), None),
        step("step/ppo-vanilla/ant", 3, Some(1.38), None),
        step("step/ppo-oracle/ant", 3, None, None),
        step("step/ppo-bptt-5/ant", 2, Some(5.03), None),
        step("step/ppo-bptt-32/ant", 1, None, None),
        step("step/ppo-window-5/ant", 3, None, None),
        step("step/ppo-window-32/ant", 2, None, None),
        step("step/sac-rs/half-cheetah", 5, Some(32.1), Some(10.5)),
        step("step/sac-rs-plain/half-cheetah", 5, None, Some(7.8)),
        step("step/sac-vanilla/half-cheetah", 5, Some(13.2), Some(5.5)),
        step("step/sac-oracle/half-cheetah", 3, None, None),
        step("step/sac-bptt-5/half-cheetah", 3, Some(38.0), Some(12.0)),
        step("step/sac-bptt-32/half-cheetah", 2, Some(162.5), Some(55.0)),
        step("step/sac-window-5/half-cheetah", 3, None, None),
        step("step/sac-window-32/half-cheetah", 3, None, None),
        step("step/slac-window-8/half-cheetah", 2, None, None),
        step("step/td3-rs/half-cheetah", 5, Some(13.8), Some(3.2)),
        step("step/td3-rs/half-cheetah-cpg", 5, None, None),
        step("step/td3-vanilla/half-cheetah", 5, Some(8.5), Some(2.2)),
        step("step/td3-oracle/half-cheetah", 3, None, None),
        step("step/td3-bptt-5/half-cheetah", 3, Some(13.9), None),
        step("step/td3-bptt-32/half-cheetah", 2, Some(33.8), None),
        step("step/td3-window-5/half-cheetah", 3, None, None),
        step("step/td3-window-32/half-cheetah", 3, None, None),
        step("step/sac-rs/ant", 3, Some(40.3), None),
        step("step/sac-vanilla/ant", 3, Some(19.1), None),
        step("step/sac-bptt-5/ant", 2, Some(48.1), None),
        step("step/td3-rs/ant", 3, Some(18.9), None),
        step("step/td3-vanilla/ant", 3, Some(10.3), None),
        step("step/td3-bptt-5/ant", 2, Some(16.8), None),
        step("step/sac-rs/humanoid", 2, Some(53.8), None),
        step("step/sac-vanilla/humanoid", 2, Some(26.5), None),
        step("step/td3-rs/humanoid", 2, Some(22.3), None),
        step("step/td3-vanilla/humanoid", 2, Some(11.8), None),
    ];
    for row in imitation::ROWS {
        cases.push(case(row, move |_| imitation::step(row)));
    }
    for (row, estimator) in SEGMENTS {
        cases.push(case(row, move |_| beside_rs(row, estimator)));
    }
    for (row, shape) in cores::ROWS {
        cases.push(case(row, move |_| Ok(cores::step(row, shape))));
    }
    // The update of SAC in the sizes by which another library was measured.
    cases.push(case("update/sac-rltools-shape", |_| Ok(rltools())));
    for (row, task) in TASKS {
        let name = format!("env/{row}");
        cases.push((name.clone(), Box::new(move |rounds| Ok(simulation(&name, task, rounds)?))));
    }
    cases.push(case("env/point-mass-x1000", |_| Ok(point_mass()?)));
    cases.push(case(parallel::ENVIRONMENTS, parallel::environments));
    cases.push(case(parallel::STEP, parallel::training_step));
    cases.push(case(parallel::SAC, parallel::off_policy_step));
    cases.push(case(checkpoint::SAVE, checkpoint::many));
    cases
}

/// The cases of a quick look.
pub const QUICK: [&str; 12] = [
    PEAK,
    "update/ppo-rs-b32",
    "update/ppo-rs-b512",
    "act/1",
    "step/ppo-rs/half-cheetah",
    "step/ppo-vanilla/half-cheetah",
    "step/ppo-bptt-5/half-cheetah",
    "step/sac-rs/half-cheetah",
    "step/sac-vanilla/half-cheetah",
    "step/td3-rs/half-cheetah",
    "step/td3-vanilla/half-cheetah",
    "env/half-cheetah",
];

/// Seconds, about, that a case takes to be prepared, and in one of `rounds` rounds: what they took on a machine of two
/// cores.
pub fn seconds(name: &str, rounds: usize) -> (f64, f64) {
    let all = |pairs: usize| pairs.div_ceil(rounds) as f64;
    match name {
        PEAK => (0.1, 0.2),
        parallel::ENVIRONMENTS => (0.1, 0.1 * all(5)),
        parallel::STEP => (0.2, 1.5 * all(5)),
        parallel::SAC => (1.0, 1.5 * all(5)),
        _ if name.starts_with("env/point-mass") => (0.1, 0.1),
        _ if name.starts_with("env/") => (0.1, 0.06 * all(20)),
        _ if !name.starts_with("step/") => (0.2, 0.2),
        _ if name.contains("bptt-32") && !name.contains("/ppo") => (4.0, 2.0),
        _ if name.contains("bptt-32") => (0.1, 5.0),
        _ if SEGMENTS.iter().any(|(row, _)| *row == name) => (0.1, 0.6),
        _ if name.contains("/slac") => (8.0, 4.0),
        _ if name.contains("/gail") => (1.0, 4.0),
        _ if name.contains("/lsiq") => (5.0, 1.5),
        _ if name.contains("/sac") => (1.5, 0.7),
        _ if name.contains("/td3") => (0.5, 0.2),
        _ => (0.1, 0.4),
    }
}

/// Rows of simulations, and their tasks.
const TASKS: [(&str, &str); 12] = [
    ("half-cheetah", "HalfCheetahPOMDP-v3"),
    ("ant", "AntPOMDP-v3"),
    ("hopper", "HopperPOMDP-v3"),
    ("walker2d", "Walker2dPOMDP-v3"),
    ("humanoid", "HumanoidPOMDP-v3"),
    ("half-cheetah-v5", "HalfCheetah-v5"),
    ("ant-v5", "Ant-v5"),
    ("hopper-v5", "Hopper-v5"),
    ("walker2d-v5", "Walker2d-v5"),
    ("humanoid-v5", "Humanoid-v5"),
    ("humanoid-4-ages", "HumanoidTorque4Ages.walk"),
    ("atlas", "Atlas.carry"),
];

/// How many times as long as without memory a step takes, as published (the paper's Table 2).
pub const PUBLISHED: [(&str, &str, f64); 24] = [
    ("half-cheetah", "ppo-rs", 6.023),
    ("half-cheetah", "ppo-bptt-5", 6.888),
    ("half-cheetah", "ppo-bptt-32", 8.454),
    ("half-cheetah", "ppo-window-5", 1.331),
    ("half-cheetah", "ppo-window-32", 1.536),
    ("ant", "ppo-rs", 5.815),
    ("ant", "ppo-bptt-5", 7.845),
    ("ant", "ppo-bptt-32", 9.457),
    ("ant", "ppo-window-5", 2.120),
    ("ant", "ppo-window-32", 4.637),
    ("half-cheetah", "sac-rs", 2.610),
    ("half-cheetah", "sac-bptt-5", 3.022),
    ("half-cheetah", "sac-bptt-32", 11.859),
    ("half-cheetah", "sac-window-5", 1.614),
    ("half-cheetah", "sac-window-32", 2.213),
    ("half-cheetah", "td3-rs", 2.120),
    ("half-cheetah", "td3-bptt-5", 2.069),
    ("half-cheetah", "td3-bptt-32", 4.606),
    ("half-cheetah", "td3-window-5", 1.555),
    ("half-cheetah", "td3-window-32", 1.864),
    ("ant", "sac-rs", 2.241),
    ("ant", "sac-bptt-5", 2.804),
    ("ant", "td3-rs", 2.056),
    ("ant", "td3-bptt-5", 2.024),
];

impl Row {
    pub fn new(name: &str, baseline: Option<f64>, flop: Option<f64>, budget: Option<Budget>) -> Self {
        Self { name: name.into(), unit: "ms", baseline, flop, budget }
    }
}

/// Milliseconds of `n` times `f`, for one of them.
pub fn ms(n: usize, mut f: impl FnMut()) -> f64 {
    let start = cpu();
    (0..n).for_each(|_| f());
    (cpu() - start) * 1e3 / n as f64
}

/// A case of one row that measures `f` in blocks of about 20 ms, five a round.
pub fn repeated(row: Row, mut f: impl FnMut() + 'static) -> Case {
    ms(3, &mut f);
    let n = (20.0 / ms(3, &mut f)).ceil() as usize;
    let round = move |samples: &mut [Vec<Sample>]| {
        samples[0].extend((0..5).map(|_| Sample { ms: ms(n, &mut f), baseline: None }));
        Ok(())
    };
    Case { rows: vec![row], round: Box::new(round) }
}

/// A thousand steps of the point mass, which takes well under a microsecond for one.
fn point_mass() -> Result<Case, EnvError> {
    let (mut env, mut rng) = (PointMass::new("PointMass-v3", &Options::new())?, Rng::new(0, "bench/env"));
    env.reset(&mut rng)?;
    let start = env.snapshot();
    let actions: Vec<f32> = (0..1000).map(|_| rng.range(-1.0, 1.0) as f32).collect();
    let mut views = [[0.0; 4]; 2];
    Ok(repeated(Row::new("env/point-mass-x1000", None, None, None), move || {
        for a in &actions {
            if env.step(&[*a], &mut rng).expect("a number as the action").terminated {
                env.restore(&start).expect("a snapshot of its own");
            }
            let [o, s] = &mut views;
            env.observe(o, s);
            black_box(&views);
        }
    }))
}

/// The best matrix product of the machine, in milliseconds for a billion operations.
fn peak() -> Case {
    let mut rng = Rng::new(0, "bench/peak");
    let mut products = Vec::new();
    for n in [256, 512, 1024, 2048] {
        let mut builder = Builder::<f32>::new(&mut rng);
        let layer = Linear::new(&mut builder, "layer", n, n, Activation::Identity, Init::FanIn);
        let parameters = builder.finish();
        let x = normal(&mut rng, n, n);
        let product = move || drop(black_box(layer.forward(&parameters, &x)));
        let flop = 2.0 * (n as f64).powi(3);
        products.push((product, flop, (2e9 / flop).ceil() as usize));
    }
    let round = move |samples: &mut [Vec<Sample>]| {
        for (product, flop, n) in &mut products {
            samples[0].push(Sample { ms: ms(*n, &mut *product) * 1e9 / *flop, baseline: None });
        }
        Ok(())
    };
    let row = Row { unit: "ms/GFLOP", ..Row::new(PEAK, None, Some(1e9), None) };
    Case { rows: vec![row], round: Box::new(round) }
}

// The sizes of PPO-RS on HalfCheetah without velocities.
const O: usize = 8;
const A: usize = 6;
const WIDTH: usize = 128;
const Z: usize = 128;

fn ppo_rs(rng: &mut Rng) -> (Actor, Value) {
    let shape = ActorShape {
        o: O,
        a: A,
        a_prev: A,
        features: WIDTH,
        core: CoreShape::cell(CellKind::Gru, Z),
        kind: PolicyKind::Shortcut,
        head: Head::Gaussian { std: 0.5, state_std: 0.5 },
    };
    let value =
        ValueShape { view: View::Observation, world: O, z: Z, a_prev: A, features: WIDTH, gain: 0.01, core: None };
    (Actor::new(Memory::Stochastic { z: Z }, &shape, rng), Value::new(value, rng))
}

/// A minibatch of PPO-RS: policy and value, each with Adam.
fn ppo_update(name: &str, batch: usize, baseline: f64, share: f64) -> Case {
    let mut rng = Rng::new(0, "bench/ppo");
    let (mut policy, mut value) = ppo_rs(&mut rng);
    let (mut policy_adam, mut value_adam) = (Adam::new(&policy, 5e-5), Adam::new(&value, 5e-5));
    let mut column = |n: usize| normal(&mut rng, batch, n);
    let x = Context { a_prev: Some(column(A)), z: Some(column(Z)), ..Context::of(column(O)) };
    let u = Extended { a: column(A), z: Some(column(Z)) };
    let (advantage, target) = (column(1), column(1));
    let old = policy.dist(&x).log_prob(&u).joint().detach();
    let flops = ppo_actor(O, A, WIDTH, Z, 1) + mlp(&[O + Z + A, WIDTH, WIDTH, 1]);
    let row = Row::new(name, Some(baseline), Some(batch as f64 * flops.both()), Some(Budget::Share(share)));
    repeated(row, move || {
        let log_prob = policy.dist(&x).log_prob(&u).joint();
        policy_adam.minimize(&mut policy, &surrogate(&log_prob, &old, &advantage, 0.2));
        let loss = (value.value(&x, None) - &target).square().mean();
        value_adam.minimize(&mut value, &loss);
    })
}

/// Acting in one environment: from the context to a sampled (a, z').
fn act() -> Case {
    let mut rng = Rng::new(0, "bench/act");
    let (policy, _) = ppo_rs(&mut rng);
    let mut recall = Recall::new(1, policy.memory(), O, A, false, 0);
    let (o, s) = ([0.5; O], [0.5; 17]);
    let flop = ppo_actor(O, A, WIDTH, Z, 1).forward;
    let row = Row::new("act/1", Some(0.058), Some(flop), Some(Budget::Ms(0.012)));
    repeated(row, move || {
        let dist = policy.dist(&recall.context(&o, &s));
        let u = dist.sample(&mut rng);
        recall.remember(&dist, &u, &u.a);
    })
}

thread_local! {
    /// CPU seconds in simulations, and the number of their steps.
    pub static SIMULATION: Shared<(f64, usize)> = const { Shared::new((0.0, 0)) };
}

/// An environment that counts the time of its steps and resets in [`SIMULATION`].
struct Timed(Box<dyn Env>);

impl Timed {
    fn count<R>(&mut self, f: impl FnOnce(&mut dyn Env) -> R) -> R {
        let start = cpu();
        let result = f(&mut *self.0);
        let (seconds, calls) = SIMULATION.get();
        SIMULATION.set((seconds + cpu() - start, calls + 1));
        result
    }
}

impl Env for Timed {
    fn spec(&self) -> &EnvSpec {
        self.0.spec()
    }
    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
        self.count(|env| env.reset(rng))
    }
    fn step(&mut self, a: &[f32], rng: &mut Rng) -> Result<Outcome, EnvError> {
        self.count(|env| env.step(a, rng))
    }
    fn observe(&self, o: &mut [f32], s: &mut [f32]) {
        self.0.observe(o, s);
    }
    fn metrics(&self) -> Vec<(&'static str, f64)> {
        self.0.metrics()
    }
    fn snapshot(&self) -> Vec<f64> {
        self.0.snapshot()
    }
    fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
        self.0.restore(state)
    }
    fn shapes(&self) -> Vec<Shape> {
        self.0.shapes()
    }
}

/// A registry of one environment, the `task` of its options, timed.
pub fn timed() -> Arc<Registry> {
    let mut registry = Registry::new();
    registry.extend([Entry {
        name: "bench",
        about: "another environment, timed",
        make: |options: &Options| {
            let mut options = options.clone();
            let task = options.remove("task");
            let env =
                s2pg_lab::registry().make(task.as_ref().and_then(|t| t.as_str()).unwrap_or_default(), &options)?;
            Ok(Box::new(Timed(env)))
        },
    }]);
    Arc::new(registry)
}

/// The estimators with segments, whose steps are measured beside those of `rs`.
const SEGMENTS: [(&str, &str); 4] = [
    ("step/ppo-rs:5/half-cheetah", "rs:5"),
    ("step/ppo-rs:16/half-cheetah", "rs:16"),
    ("step/ppo-tbptt:5/half-cheetah", "tbptt:5"),
    ("step/ppo-tbptt:16/half-cheetah", "tbptt:16"),
];

/// Whole training steps of PPO with an estimator, each cycle beside one of `rs` in the same setting.
fn beside_rs(name: &str, estimator: &str) -> anyhow::Result<Case> {
    let make = |estimator: &str| -> anyhow::Result<_> {
        let experiment = presets::find("ppo-rs/half-cheetah", &[format!("estimator={estimator}")], None)?.experiment;
        Ok((build(&experiment, Arc::new(s2pg_lab::registry()), 1)?, experiment.ppo.steps))
    };
    let mut both = [make(estimator)?, make("rs")?];
    let round = move |samples: &mut [Vec<Sample>]| {
        let mut ms = [0.0; 2];
        for ((training, n), ms) in both.iter_mut().zip(&mut ms) {
            let start = cpu();
            for _ in 0..*n {
                training.step()?;
            }
            *ms = (cpu() - start) * 1e3 / *n as f64;
        }
        samples[0].push(Sample { ms: ms[0], baseline: Some(ms[1]) });
        Ok(())
    };
    Ok(Case { rows: vec![Row::new(name, None, None, Some(Budget::Ratio(1.15)))], round: Box::new(round) })
}

/// Training steps of a preset, over at most `most` whole cycles of acting and updating; the second row is without the
/// simulation.
fn training_step(
    name: &'static str,
    most: usize,
    baseline: Option<f64>,
    budget: Option<Budget>,
) -> anyhow::Result<Case> {
    let preset = name.trim_start_matches("step/").replace("-plain", "");
    let task = presets::find(&preset, &[], None)?.experiment.env.name;
    let mut changes = vec!["env.name=bench".to_string(), format!("env.task={task}")];
    if name.contains("-plain") {
        changes.push("network.critic=plain".into());
    }
    let mut experiment = presets::find(&preset, &changes, None)?.experiment;
    // A buffer that learns soon is no faster than a full one: batches are spread over what it holds.
    experiment.sac.initial = 1000;
    experiment.sac.warmup = 1000;
    experiment.td3.initial = 1000;
    (experiment.slac.initial, experiment.slac.pretraining) = (1000, 0);
    let mut training = build(&experiment, timed(), 1)?;
    let n = match experiment.algorithm.is_off_policy() {
        true => 100,
        false => experiment.ppo.steps / experiment.env.parallel,
    };
    while experiment.algorithm.is_off_policy() && training.steps() < 1200 {
        training.step()?;
    }
    let flop = step_flops(&experiment, training.spec());
    let clock = (0..100).map(|_| ms(10, || _ = black_box(cpu()))).fold(f64::INFINITY, f64::min);
    let round = move |samples: &mut [Vec<Sample>]| {
        if samples[0].len() == most {
            return Ok(());
        }
        SIMULATION.set((0.0, 0));
        let start = cpu();
        for _ in 0..n {
            training.step()?;
        }
        let total = (cpu() - start) * 1e3;
        // Of the two looks at the clock around a call, one lies inside what is counted.
        let (seconds, calls) = SIMULATION.get();
        let (simulation, looks) = (seconds * 1e3 - clock * calls as f64, 2.0 * clock * calls as f64);
        let (with, without) = (total - looks, total - looks - simulation);
        for (samples, ms) in samples.iter_mut().zip([with, without]) {
            samples.push(Sample { ms: ms / (n * experiment.env.parallel) as f64, baseline: None });
        }
        Ok(())
    };
    let rows = vec![
        Row::new(name, baseline, Some(flop), budget),
        Row::new(&format!("{name}/no-simulation"), None, Some(flop), None),
    ];
    Ok(Case { rows, round: Box::new(round) })
}

/// FLOPs of a training step: acting, and whatever an update computes for each step.
fn step_flops(experiment: &Experiment, spec: &EnvSpec) -> f64 {
    let network = &experiment.network;
    let (o, s, a) = (spec.o.len(), spec.s.len(), spec.low.len());
    let (f, v, h) = (network.features, network.critic_features, network.hidden);
    let world = if experiment.estimator == Estimator::Oracle { o } else { s };
    let sac = experiment.algorithm.table() == "sac";
    if let (true, Estimator::Window(len)) = (experiment.algorithm.table() == "slac", experiment.estimator) {
        let &slac::Settings { z1, z2, model_features, model_batch, batch, .. } = &experiment.slac;
        let (widths, batches) = ([model_features, f, v], [model_batch, batch]);
        return flops::Slac { o, a, z: [z1, z2], widths, len, batches }.step();
    }
    if experiment.algorithm.is_off_policy() {
        let outputs = if sac { 2 * a } else { a };
        let policy = |len: usize, z: usize| match experiment.estimator {
            Estimator::Window(n) => mlp(&[n * o, f, f, outputs]),
            Estimator::Vanilla | Estimator::Oracle => mlp(&[o, f, f, outputs]),
            Estimator::Rs(_) | Estimator::Tbptt(_) | Estimator::Bptt(_) => {
                off_policy_actor((o, a, outputs + z), f, h, len, sac)
            }
        };
        let (len, z) = match experiment.estimator {
            Estimator::Rs(_) => (1, h),
            Estimator::Bptt(Span::Steps(len)) => (len, 0),
            _ => (1, 0),
        };
        let policy_z = if sac { z } else { 0 };
        let (act, policy) = (policy(1, policy_z), policy(len, policy_z));
        let critic = match (z, network.critic) {
            (0, _) => plain_critic(world, a, 0, v),
            (z, CriticKind::Plain) => plain_critic(world, a, z, v),
            (z, CriticKind::Encoders) => encoders(world, a, z, v),
        };
        let targets = policy.forward + 2.0 * critic.0.forward;
        let fits = 2.0 * critic.0.both();
        let (batch, improve) = match sac {
            true => (experiment.sac.batch, policy.both() + 2.0 * (critic.0.forward + critic.1)),
            false => {
                let step = policy.both() + critic.0.forward + critic.1;
                (experiment.td3.batch, step / experiment.td3.delay as f64)
            }
        };
        return act.forward + batch as f64 * (targets + fits + improve);
    }
    let plain = |o: usize| (mlp(&[o, f, f, a]), mlp(&[o, v, v, 1]));
    let (policy, value): (Flops, Flops) = match experiment.estimator {
        // Each step of a segment is unrolled once.
        Estimator::Rs(_) | Estimator::Tbptt(_) => (ppo_actor(o, a, f, h, 1), mlp(&[o + h + a, v, v, 1])),
        Estimator::Bptt(span) => {
            let len = if let Span::Steps(len) = span { len } else { 1 };
            (ppo_actor(o, a, f, h, len), ppo_critic(o, a, v, h, len))
        }
        Estimator::Window(len) => plain(len * o),
        Estimator::Vanilla | Estimator::Oracle => plain(o),
    };
    let act = match experiment.estimator {
        Estimator::Bptt(_) => ppo_actor(o, a, f, h, 1),
        _ => policy,
    };
    let (epochs, value_epochs) = (experiment.ppo.epochs as f64, experiment.ppo.value_epochs as f64);
    act.forward + policy.forward + value.forward + epochs * policy.both() + value_epochs * value.both()
}

/// A whole update of SAC without memory, sampling included: two hidden layers of 256, batch 256, 27 observations, 8
/// actions.
fn rltools() -> Case {
    const O: usize = 27;
    const A: usize = 8;
    const WIDTH: usize = 256;
    let mut rng = Rng::new(0, "bench/rltools");
    let memory = Memory::None;
    let head = Head::Squashed { low: vec![-1.0; A], high: vec![1.0; A], std: 1.0, state_std: 1.0 };
    let (cell, kind) = (CellKind::Gru, PolicyKind::Shortcut);
    let shape = ActorShape { o: O, a: A, a_prev: A, features: WIDTH, core: CoreShape::cell(cell, 1), kind, head };
    let policy: Actor = Actor::new(memory, &shape, &mut rng);
    let kind = QKind::Plain { gain: 1.0 };
    let view = View::Observation;
    let shape = QShape { view, world: O, z: 0, a: A, a_prev: false, features: WIDTH, kind };
    let critics = vec![Q::new(shape.clone(), &mut rng), Q::new(shape, &mut rng)];
    let settings = sac::Settings { warmup: 0, ..sac::Settings::default() };
    let batch = settings.batch as f64;
    let mut sac = Sac::new(policy, critics, (A, 0), settings, 1);
    let shape = ReplayShape { size: 20_000, envs: 1, o: O, a: A, memory, ..ReplayShape::default() };
    let mut replay = Replay::new(shape);
    for i in 0..10_000 {
        let (x, next, a) = (normal(&mut rng, 1, O), normal(&mut rng, 1, O), normal(&mut rng, 1, A));
        replay.push(&Transition {
            o: x.data(),
            a: a.data(),
            r: &[rng.normal()],
            terminated: &[i % 100 == 99],
            truncated: &[false],
            dropped: &[false],
            next_o: next.data(),
            ..Transition::default()
        });
    }
    let (policy, (critic, through)) = (mlp(&[O, WIDTH, WIDTH, 2 * A]), plain_critic(O, A, 0, WIDTH));
    let flop = batch
        * (policy.both()
            + 2.0 * (critic.forward + through)
            + policy.forward
            + 2.0 * critic.forward
            + 2.0 * critic.both());
    let row = Row::new("update/sac-rltools-shape", Some(6.0), Some(flop), Some(Budget::Ms(5.5)));
    repeated(row, move || drop(black_box(sac.update(&mut replay, &mut rng))))
}

/// A control step of ours beside the bare simulation, on the same random actions, in at least 20 interleaved pairs.
fn simulation(row: &str, task: &str, rounds: usize) -> Result<Case, EnvError> {
    let (mut env, mut bare) = (s2pg_mujoco::task(task, &Options::new())?, Bare::new(task)?);
    let mut rng = Rng::new(0, "bench/env");
    let spec = env.spec().clone();
    let mut draw = || spec.low.iter().map(|_| rng.range(-1.0, 1.0) as f32).collect::<Vec<f32>>();
    // About 25 ms of simulation in each half of a pair.
    let trial = draw();
    let steps = (25.0 / ms(20, || bare.step(&trial))).ceil() as usize;
    let actions: Vec<Vec<f32>> = (0..steps).map(|_| draw()).collect();
    let (mut o, mut s) = (vec![0.0; spec.o.len()], vec![0.0; spec.s.len()]);
    let start = env.snapshot();
    let body = bare.body().snapshot_len();
    let round = move |samples: &mut [Vec<Sample>]| {
        for _ in 0..20usize.div_ceil(rounds) {
            env.restore(&start)?;
            bare.body().restore(&start[..body]);
            let mut result = Ok(());
            let mut next = actions.iter();
            let ours = ms(steps, || {
                let outcome = env.step(next.next().expect("an action for each step"), &mut rng);
                env.observe(&mut o, &mut s);
                if let Err(e) = outcome {
                    result = Err(e);
                }
            });
            result?;
            let mut next = actions.iter();
            let theirs = ms(steps, || bare.step(next.next().expect("an action for each step")));
            samples[0].push(Sample { ms: ours, baseline: Some(theirs) });
        }
        Ok(())
    };
    let row = Row::new(row, None, None, Some(Budget::Ratio(1.05)));
    Ok(Case { rows: vec![row], round: Box::new(round) })
}
