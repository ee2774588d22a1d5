//! Without z, an algorithm over the extended action is the textbook's, number for number.

use s2pg::Rng;
use s2pg::algo::pair::surrogate;
use s2pg::algo::ppo::Settings;
use s2pg::algo::{Algorithm, Noise, Ppo, Reinforce, Sac, Td3, Trpo, reinforce, sac, td3, trpo};
use s2pg::data::{Buffer, Episodes, Replay, ReplayShape, Rollout, RolloutShape, Transition};
use s2pg::nn::{Activation, Adam as Optimiser, Builder, CellKind, Init, Mlp, Parameters, Params, Tensor};
use s2pg::policy::{
    Actor, ActorShape, Context, CoreShape, Dist, Extended, Gaussian, Head, Memory, PolicyKind, Q, QKind, QShape,
    StatefulPolicy, Value, ValueShape, View,
};

const O: usize = 3;
const A: usize = 2;
const WIDTH: usize = 5;

/// A network of two hidden layers with ReLU, in f64, whose gradient is written out.
#[derive(Clone)]
struct Network {
    /// Weights (row by row) and biases of each layer.
    layers: Vec<(Vec<f64>, Vec<f64>)>,
}

impl Network {
    fn read(p: &Parameters<f32>) -> Self {
        let get = |name: &str| p.data()[p.slot(name).range()].iter().map(|&x| x as f64).collect::<Vec<f64>>();
        Self { layers: ["h1", "h2", "h3"].map(|l| (get(&format!("{l}.weight")), get(&format!("{l}.bias")))).into() }
    }

    /// The input of each layer, and the output.
    fn forward(&self, x: &[f64]) -> Vec<Vec<f64>> {
        let mut values = vec![x.to_vec()];
        for (i, (w, b)) in self.layers.iter().enumerate() {
            let x = values.last().unwrap();
            let n = x.len();
            let y = b.iter().enumerate().map(|(row, b)| b + (0..n).map(|j| w[row * n + j] * x[j]).sum::<f64>());
            let last = i + 1 == self.layers.len();
            values.push(y.map(|y| if last { y } else { y.max(0.0) }).collect());
        }
        values
    }

    fn output(&self, x: &[f64]) -> Vec<f64> {
        self.forward(x).pop().unwrap()
    }

    /// Adds the gradient of `dy . output(x)` to `into`.
    fn backward(&self, x: &[f64], dy: &[f64], into: &mut Network) {
        let values = self.forward(x);
        let mut dy = dy.to_vec();
        for i in (0..self.layers.len()).rev() {
            let (x, n) = (&values[i], values[i].len());
            let mut dx = vec![0.0; n];
            for (row, dy) in dy.iter().enumerate() {
                into.layers[i].1[row] += dy;
                for j in 0..n {
                    into.layers[i].0[row * n + j] += dy * x[j];
                    dx[j] += dy * self.layers[i].0[row * n + j];
                }
            }
            // The input of a layer but the first is what ReLU let through.
            dy = dx.iter().zip(x).map(|(d, &x)| if i > 0 && x <= 0.0 { 0.0 } else { *d }).collect();
        }
    }

    fn zeros(&self) -> Self {
        Self { layers: self.layers.iter().map(|(w, b)| (vec![0.0; w.len()], vec![0.0; b.len()])).collect() }
    }

    /// All numbers, layer by layer.
    fn flat(&self) -> Vec<f64> {
        self.layers.iter().flat_map(|(w, b)| w.iter().chain(b)).copied().collect()
    }

    fn numbers(&mut self) -> impl Iterator<Item = &mut f64> {
        self.layers.iter_mut().flat_map(|(w, b)| w.iter_mut().chain(b))
    }
}

/// Adam as it is in its paper.
struct Adam {
    lr: f64,
    m: Vec<f64>,
    v: Vec<f64>,
    t: i32,
}

impl Adam {
    fn new(n: usize, lr: f64) -> Self {
        Self { lr, m: vec![0.0; n], v: vec![0.0; n], t: 0 }
    }

    fn step<'a>(&mut self, parameters: impl Iterator<Item = &'a mut f64>, gradient: &[f64]) {
        self.t += 1;
        for (i, p) in parameters.enumerate() {
            self.m[i] = 0.9 * self.m[i] + 0.1 * gradient[i];
            self.v[i] = 0.999 * self.v[i] + 0.001 * gradient[i].powi(2);
            let (m, v) = (self.m[i] / (1.0 - 0.9f64.powi(self.t)), self.v[i] / (1.0 - 0.999f64.powi(self.t)));
            *p -= self.lr * m / (v.sqrt() + 1e-8);
        }
    }
}

fn log_normal(x: f64, mean: f64, log_std: f64) -> f64 {
    -0.5 * ((x - mean) / log_std.exp()).powi(2) - log_std - 0.5 * (2.0 * std::f64::consts::PI).ln()
}

/// The textbook's data: one list of everything for each row.
struct Row {
    o: Vec<f64>,
    a: Vec<f64>,
    r: f64,
    next_o: Vec<f64>,
    terminated: bool,
    truncated: bool,
}

/// Random transitions of two environments, in both forms.
fn rollout(steps: usize, policy: &Actor, rng: &mut Rng) -> (Rollout, Vec<Row>) {
    let mut data = Rollout::new(shape(steps));
    let rows = transitions(steps, policy, &mut data, rng);
    (data, rows)
}

fn shape(steps: usize) -> RolloutShape {
    RolloutShape { steps, envs: 2, o: O, a: A, ..RolloutShape::default() }
}

/// `steps` random steps of two environments, also into a buffer.
fn transitions(steps: usize, policy: &Actor, data: &mut impl Buffer, rng: &mut Rng) -> Vec<Row> {
    let envs = 2;
    let mut rows = Vec::new();
    let random = |n: usize, rng: &mut Rng| -> Vec<f32> { (0..n).map(|_| rng.normal() as f32).collect() };
    let mut o = random(envs * O, rng);
    for _ in 0..steps {
        let x = Context::of(Tensor::new(envs, O, &o));
        let u = policy.dist(&x).sample(rng);
        assert!(u.z.is_none());
        let next_o = random(envs * O, rng);
        let ends: Vec<usize> = (0..envs).map(|_| rng.below(8)).collect();
        let flags = |kind: usize| ends.iter().map(|&k| k == kind).collect::<Vec<bool>>();
        let r: Vec<f64> = (0..envs).map(|_| rng.normal()).collect();
        data.push(&Transition {
            o: &o,
            a: u.a.data(),
            r: &r,
            terminated: &flags(0),
            truncated: &flags(1),
            dropped: &[false; 2],
            next_o: &next_o,
            ..Transition::default()
        });
        for e in 0..envs {
            let part = |x: &[f32], n: usize| x[e * n..(e + 1) * n].iter().map(|&x| x as f64).collect::<Vec<f64>>();
            rows.push(Row {
                o: part(&o, O),
                a: part(u.a.data(), A),
                r: r[e],
                next_o: part(&next_o, O),
                terminated: ends[e] == 0,
                truncated: ends[e] == 1,
            });
        }
        o = next_o;
        for e in (0..envs).filter(|&e| ends[e] < 2) {
            o[e * O..(e + 1) * O].copy_from_slice(&random(O, rng));
        }
    }
    rows
}

/// The normalised advantages (GAE), and what the value function is fitted to, on the rows of two environments.
fn estimate(rows: &[Row], value: &Network, gamma: f64, lambda: f64) -> (Vec<f64>, Vec<f64>) {
    let n = rows.len();
    let v: Vec<f64> = rows.iter().map(|row| value.output(&row.o)[0]).collect();
    let mut advantages = vec![0.0; n];
    for k in (0..n).rev() {
        let row = &rows[k];
        let next = if row.terminated { 0.0 } else { value.output(&row.next_o)[0] };
        let goes_on = !row.terminated && !row.truncated && k + 2 < n;
        let rest = if goes_on { advantages[k + 2] } else { 0.0 };
        advantages[k] = row.r + gamma * next - v[k] + gamma * lambda * rest;
    }
    let targets: Vec<f64> = advantages.iter().zip(&v).map(|(a, v)| a + v).collect();
    let mean = advantages.iter().sum::<f64>() / n as f64;
    let std = (advantages.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / n as f64).sqrt();
    advantages.iter_mut().for_each(|a| *a = (*a - mean) / (std + 1e-8));
    (advantages, targets)
}

fn log_prob(policy: &Network, log_std: &[f64], row: &Row) -> f64 {
    let mean = policy.output(&row.o);
    (0..A).map(|j| log_normal(row.a[j], mean[j], log_std[j])).sum()
}

/// Adds `scale` times the gradient of a row's log-density to that of the network and that of its log-stds.
fn add_score(policy: &Network, log_std: &[f64], row: &Row, scale: f64, into: &mut Network, d_log_std: &mut [f64]) {
    let mean = policy.output(&row.o);
    let z: Vec<f64> = (0..A).map(|j| (row.a[j] - mean[j]) / log_std[j].exp()).collect();
    let d_mean: Vec<f64> = (0..A).map(|j| scale * z[j] / log_std[j].exp()).collect();
    policy.backward(&row.o, &d_mean, into);
    (0..A).for_each(|j| d_log_std[j] += scale * (z[j] * z[j] - 1.0));
}

/// The value function after its passes over shuffled minibatches.
fn fit_value(
    rows: &[Row],
    targets: &[f64],
    mut value: Network,
    (lr, epochs, minibatch): (f64, usize, usize),
    rng: &mut Rng,
) -> Network {
    let mut adam = Adam::new(value.flat().len(), lr);
    for _ in 0..epochs {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        rng.shuffle(&mut order);
        for batch in order.chunks(minibatch) {
            let mut gradient = value.zeros();
            for &k in batch {
                let error = value.output(&rows[k].o)[0] - targets[k];
                value.backward(&rows[k].o, &[2.0 * error / batch.len() as f64], &mut gradient);
            }
            adam.step(value.numbers(), &gradient.flat());
        }
    }
    value
}

/// The textbook's algorithm, on the rows of two environments: what the policy, its log-stds and the value function
/// become.
fn textbook(
    rows: &[Row],
    (mut policy, mut log_std, mut value): (Network, Vec<f64>, Network),
    s: &Settings,
    rng: &mut Rng,
) -> (Network, Vec<f64>, Network) {
    let n = rows.len();
    let (advantages, targets) = estimate(rows, &value, s.gamma, s.lambda);
    let old: Vec<f64> = rows.iter().map(|row| log_prob(&policy, &log_std, row)).collect();

    // The two shuffles are those of the algorithm, which splits its generator in this order.
    let (mut value_rng, mut policy_rng) = (rng.split(), rng.split());
    value = fit_value(rows, &targets, value, (s.value_lr.start(), s.value_epochs, s.minibatch), &mut value_rng);
    let mut adam = Adam::new(policy.flat().len() + A, s.lr.start());
    for _ in 0..s.epochs {
        let mut order: Vec<usize> = (0..n).collect();
        policy_rng.shuffle(&mut order);
        for batch in order.chunks(s.minibatch) {
            // The loss is -mean min(ratio A, clip(ratio) A) - c entropy; the entropy's gradient is 1 for each log-std.
            let (mut gradient, mut d_log_std) = (policy.zeros(), vec![-s.entropy.start(); A]);
            for &k in batch {
                let ratio = (log_prob(&policy, &log_std, &rows[k]) - old[k]).exp();
                let clipped = ratio.clamp(1.0 - s.clip, 1.0 + s.clip);
                let is_clipped = clipped * advantages[k] < ratio * advantages[k];
                let d_log_prob = if is_clipped { 0.0 } else { -ratio * advantages[k] / batch.len() as f64 };
                add_score(&policy, &log_std, &rows[k], d_log_prob, &mut gradient, &mut d_log_std);
            }
            let gradient = [gradient.flat(), d_log_std].concat();
            adam.step(policy.numbers().chain(log_std.iter_mut()), &gradient);
        }
    }
    (policy, log_std, value)
}

/// A policy and a value function without memory.
fn networks_without_memory(rng: &mut Rng) -> (Actor, Value) {
    let shape = ActorShape {
        o: O,
        a: A,
        a_prev: A,
        features: WIDTH,
        core: CoreShape::cell(CellKind::Gru, 99),
        kind: PolicyKind::Shortcut,
        head: Head::Gaussian { std: 0.7, state_std: 0.3 },
    };
    let mut policy = Actor::new(Memory::None, &shape, rng);
    let value_shape =
        ValueShape { view: View::Observation, world: O, z: 0, a_prev: 0, features: WIDTH, gain: 0.01, core: None };
    let mut value = Value::new(value_shape, rng);
    // Initial weights are tiny; these make every layer matter.
    for p in [policy.params_mut(), value.params_mut()] {
        p.data_mut().iter_mut().for_each(|x| *x = (0.6 * rng.normal()) as f32);
    }
    (policy, value)
}

fn log_std(p: &Parameters<f32>) -> Vec<f64> {
    p.data()[p.slot("log_std").range()].iter().map(|&x| x as f64).collect()
}

/// Whole updates of the policy without memory are the textbook's: every parameter of policy and value function moves as
/// in a second PPO that is written out in f64, with its own network, its own gradients and its own Adam.
#[test]
fn an_update_without_memory_is_the_textbooks() {
    let mut worst = 0.0f64;
    for seed in 0..5 {
        let mut rng = Rng::new(seed, "absence");
        let settings = Settings {
            steps: 48,
            epochs: 3,
            value_epochs: 2,
            minibatch: 10,
            lr: 2e-2.into(),
            value_lr: 1e-2.into(),
            clip: 0.1,
            entropy: 0.02.into(),
            ..Settings::default()
        };
        let (policy, value) = networks_without_memory(&mut rng);
        assert_eq!((policy.memory(), policy.state_size()), (Memory::None, 0));
        let (mut data, rows) = rollout(settings.steps / 2, &policy, &mut rng);
        let start = (Network::read(policy.params()), log_std(policy.params()), Network::read(value.params()));
        let before = [start.0.flat(), start.1.clone(), start.2.flat()].concat();
        let expected = textbook(&rows, start, &settings, &mut Rng::new(seed, "update"));
        let expected = [expected.0.flat(), expected.1, expected.2.flat()].concat();

        let mut ppo = Ppo::new(policy, value, settings.clone(), 1);
        let metrics = ppo.update(&mut data, &mut Rng::new(seed, "update"));
        let clipped = metrics.iter().find(|m| m.0 == "train/clip_fraction").unwrap().1;
        assert!(clipped > 0.05, "the clip is at work: {clipped}");
        assert!(metrics.iter().all(|m| m.0 != "train/state_std"), "there is no state to speak of");
        let p = ppo.policy().params();
        let found = [Network::read(p).flat(), log_std(p), Network::read(ppo.value().params()).flat()].concat();
        let moved = before.iter().zip(&expected).filter(|(a, b)| (*a - *b).abs() > 1e-2).count();
        assert!(moved > before.len() / 2, "{moved} of {} parameters moved", before.len());
        for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let error = (found - expected).abs();
            worst = worst.max(error);
            assert!(error < 1e-5, "seed {seed}, parameter {i}: {found} is not {expected}");
        }
    }
    println!("largest difference of a parameter after an update: {worst:e}");
}

/// An update of TRPO without memory is the textbook's: it is written out in f64, with the whole Fisher matrix, which is
/// made of every row's derivatives, and with its own conjugate gradients and line search.
#[test]
fn a_trpo_update_without_memory_is_the_textbooks() {
    let (mut worst, mut shortened) = (0.0f64, 0);
    for seed in 0..10 {
        let mut rng = Rng::new(seed, "trpo");
        let settings = trpo::Settings {
            steps: 48,
            value_epochs: 2,
            minibatch: 10,
            value_lr: 1e-2.into(),
            kl: 0.2,
            // Conjugate gradients that have converged, on a matrix that is not near to singular, do not magnify the
            // rounding of f32.
            damping: 1.0,
            cg_iterations: 30,
            ..trpo::Settings::default()
        };
        let (policy, value) = networks_without_memory(&mut rng);
        let (mut data, rows) = rollout(24, &policy, &mut rng);
        let (network, log_stds) = (Network::read(policy.params()), log_std(policy.params()));
        let old_value = Network::read(value.params());
        let mut update_rng = Rng::new(seed, "update");
        let (expected, fraction) = textbook_trpo(&rows, (&network, &log_stds, &old_value), &settings);
        let (_, targets) = estimate(&rows, &old_value, settings.gamma, settings.lambda);
        let expected_value = fit_value(&rows, &targets, old_value, (1e-2, 2, 10), &mut update_rng.split());

        let mut trpo = Trpo::new(policy, value, settings, 1);
        let metrics = trpo.update(&mut data, &mut Rng::new(seed, "update"));
        let taken = metrics.iter().find(|m| m.0 == "train/step_fraction").unwrap().1;
        assert!((taken - fraction).abs() < 1e-12, "seed {seed}: {taken} of the step is not {fraction}");
        shortened += usize::from(fraction < 1.0);
        let p = trpo.policy().params();
        let found = [Network::read(p).flat(), log_std(p)].concat();
        let before = [network.flat(), log_stds].concat();
        let length = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        let error = length(&found, &expected) / length(&before, &expected);
        worst = worst.max(error);
        assert!(error < 1e-2, "seed {seed}: the step is off by {error:e} of its length");
        let value = Network::read(trpo.value().params());
        for (found, expected) in value.flat().iter().zip(expected_value.flat()) {
            assert!((found - expected).abs() < 1e-5, "seed {seed}: {found} is not {expected}");
        }
    }
    assert!(shortened > 0, "the line search is at work");
    println!("largest difference of a step of TRPO: {worst:e} of its length; {shortened} of 10 steps shortened");
}

/// What the policy becomes, network and log-stds, and the share of the full step.
fn textbook_trpo(
    rows: &[Row],
    (policy, log_std, value): (&Network, &[f64], &Network),
    s: &trpo::Settings,
) -> (Vec<f64>, f64) {
    let n = rows.len() as f64;
    let (advantages, _) = estimate(rows, value, s.gamma, s.lambda);
    let (mut gradient, mut d_log_std) = (policy.zeros(), vec![0.0; A]);
    for (row, advantage) in rows.iter().zip(&advantages) {
        add_score(policy, log_std, row, advantage / n, &mut gradient, &mut d_log_std);
    }
    let g = [gradient.flat(), d_log_std].concat();

    let size = g.len();
    let mut fisher = vec![vec![0.0; size]; size];
    for row in rows {
        for j in 0..A {
            let mut jacobian = policy.zeros();
            policy.backward(&row.o, &[0, 1].map(|i| f64::from(u8::from(i == j))), &mut jacobian);
            let jacobian = jacobian.flat();
            for (i, x) in jacobian.iter().enumerate() {
                for (k, y) in jacobian.iter().enumerate() {
                    fisher[i][k] += x * y / (2.0 * log_std[j]).exp() / n;
                }
            }
        }
    }
    (size - A..size).for_each(|i| fisher[i][i] = 2.0);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let times = |v: &[f64], damping: f64| -> Vec<f64> {
        fisher.iter().zip(v).map(|(row, v_i)| dot(row, v) + damping * v_i).collect()
    };
    let (mut x, mut r, mut p) = (vec![0.0; size], g.clone(), g.clone());
    for _ in 0..s.cg_iterations {
        let (ap, rr) = (times(&p, s.damping), dot(&r, &r));
        let alpha = rr / dot(&p, &ap);
        (0..size).for_each(|i| x[i] += alpha * p[i]);
        (0..size).for_each(|i| r[i] -= alpha * ap[i]);
        let beta = dot(&r, &r) / rr;
        (0..size).for_each(|i| p[i] = r[i] + beta * p[i]);
    }
    let full = (2.0 * s.kl / dot(&x, &times(&x, 0.0))).sqrt();

    let theta = [policy.flat(), log_std.to_vec()].concat();
    for tried in 0..s.backtracks {
        let fraction = s.backtrack.powi(tried as i32);
        let moved: Vec<f64> = theta.iter().zip(&x).map(|(theta, x)| theta + fraction * full * x).collect();
        let (weights, moved_log_std) = moved.split_at(size - A);
        let mut moved_policy = policy.clone();
        moved_policy.numbers().zip(weights).for_each(|(x, moved)| *x = *moved);
        let (mut improvement, mut kl) = (0.0, 0.0);
        for (row, advantage) in rows.iter().zip(&advantages) {
            let ratio = log_prob(&moved_policy, moved_log_std, row) - log_prob(policy, log_std, row);
            improvement += (ratio.exp() - 1.0) * advantage / n;
            let (old_mean, mean) = (policy.output(&row.o), moved_policy.output(&row.o));
            for j in 0..A {
                let (old, new) = (log_std[j], moved_log_std[j]);
                let squares = (2.0 * old).exp() + (old_mean[j] - mean[j]).powi(2);
                kl += (new - old + squares / (2.0 * (2.0 * new).exp()) - 0.5) / n;
            }
        }
        assert!(
            (kl / s.kl - 1.0).abs() > 1e-3 && improvement.abs() > 1e-3,
            "a decision by a hair: {kl}, {improvement}"
        );
        if improvement > 0.0 && kl <= s.kl {
            return (moved, fraction);
        }
    }
    (theta, 0.0)
}

/// Updates of REINFORCE and GPOMDP without memory are the textbook's: returns, scores, baselines, gradient and Adam are
/// written out in f64 over a list of episodes.
#[test]
fn reinforce_and_gpomdp_without_memory_are_the_textbooks() {
    let mut worst = 0.0f64;
    for (seed, per_step, drop_ended) in [(0, false, false), (1, true, false), (2, true, true), (3, true, false)] {
        let mut rng = Rng::new(seed, "reinforce");
        let default = reinforce::Settings::default();
        let settings = reinforce::Settings { episodes: 6, lr: 2e-2.into(), per_step, drop_ended, ..default };
        let (policy, _) = networks_without_memory(&mut rng);
        let mut data = Episodes::new(3, shape(100));
        let rows = transitions(100, &policy, &mut data, &mut rng);
        assert!(data.is_full(), "a hundred steps hold three episodes");
        // The first three episodes of each environment.
        let mut episodes: Vec<Vec<&Row>> = Vec::new();
        for e in 0..2 {
            let mut rows = rows.iter().skip(e).step_by(2);
            for _ in 0..3 {
                let mut episode = Vec::new();
                while episode.last().is_none_or(|row: &&Row| !row.terminated && !row.truncated) {
                    episode.push(rows.next().unwrap());
                }
                episodes.push(episode);
            }
        }
        let (mut network, mut log_stds) = (Network::read(policy.params()), log_std(policy.params()));
        let before = [network.flat(), log_stds.clone()].concat();
        let score = |row: &Row| -> Vec<f64> {
            let (mut gradient, mut d_log_std) = (network.zeros(), vec![0.0; A]);
            add_score(&network, &log_stds, row, 1.0, &mut gradient, &mut d_log_std);
            [gradient.flat(), d_log_std].concat()
        };
        // For each episode, the pairs of a score and a reward that it weighs: one, or one for each step.
        let weighed = |episode: &Vec<&Row>| -> Vec<(Vec<f64>, f64)> {
            let mut sum = vec![0.0; before.len()];
            let steps: Vec<(Vec<f64>, f64)> = episode
                .iter()
                .enumerate()
                .map(|(t, row)| {
                    sum.iter_mut().zip(score(row)).for_each(|(sum, x)| *sum += x);
                    (sum.clone(), settings.gamma.powi(t as i32) * row.r)
                })
                .collect();
            let total = steps.iter().map(|step| step.1).sum();
            if per_step { steps } else { vec![(sum, total)] }
        };
        let pairs: Vec<Vec<(Vec<f64>, f64)>> = episodes.iter().map(weighed).collect();
        let mut gradient = vec![0.0; before.len()];
        for (i, gradient) in gradient.iter_mut().enumerate() {
            for t in 0..pairs.iter().map(Vec::len).max().unwrap() {
                // An episode that ended has its last score and no more reward, or is left out as published (D34).
                let ended = |p: &Vec<(Vec<f64>, f64)>| (!drop_ended).then(|| (p[p.len() - 1].0[i], 0.0));
                let step = |p: &Vec<(Vec<f64>, f64)>| p.get(t).map_or(ended(p), |(g, r)| Some((g[i], *r)));
                let counted: Vec<(f64, f64)> = pairs.iter().filter_map(step).collect();
                let squares: f64 = counted.iter().map(|(g, _)| g * g).sum();
                let b = counted.iter().map(|(g, r)| g * g * r).sum::<f64>() / squares;
                let b = if b.is_finite() { b } else { 0.0 };
                *gradient += counted.iter().map(|(g, r)| g * (r - b)).sum::<f64>() / 6.0;
            }
        }
        let descent: Vec<f64> = gradient.iter().map(|g| -g).collect();
        Adam::new(before.len(), settings.lr.start()).step(network.numbers().chain(log_stds.iter_mut()), &descent);

        let mut reinforce = Reinforce::new(policy, settings);
        let found = reinforce.estimate(&data).gradient;
        let largest = gradient.iter().fold(0.0f64, |a, g| a.max(g.abs()));
        for (i, (found, expected)) in found.iter().zip(&gradient).enumerate() {
            worst = worst.max((found - expected).abs() / largest);
            assert!((found - expected).abs() < 1e-5 * largest, "seed {seed}, parameter {i}: {found} is not {expected}");
        }
        reinforce.update(&mut data, &mut rng);
        let p = reinforce.policy().params();
        let (found, expected) = ([Network::read(p).flat(), log_std(p)].concat(), [network.flat(), log_stds].concat());
        for ((found, expected), g) in found.iter().zip(&expected).zip(&gradient) {
            // Adam's first step is the sign of the gradient: where that is of rounding size, either will do.
            let limit = if g.abs() > 1e-4 * largest { 1e-5 } else { 5e-2 };
            assert!((found - expected).abs() < limit, "seed {seed}: {found} is not {expected}");
        }
    }
    println!("largest difference of a gradient of REINFORCE: {worst:e} of the largest entry");
}

/// The surrogate is -mean min(ratio A, clip(ratio) A) with the densities written out; with z, the same formula holds
/// for the density of the pair, and the part of z' is left out by no path.
#[test]
fn the_surrogate_is_the_textbooks() {
    let mut rng = Rng::new(0, "surrogate");
    for n_z in [0, 1, 3] {
        for _ in 0..50 {
            let (b, clip) = (7, rng.range(0.05, 0.5));
            let mut random = |rows: usize, cols: usize| -> Tensor<f64> {
                Tensor::with(rows, cols, |x| x.iter_mut().for_each(|x| *x = 0.5 * rng.normal()))
            };
            let a = Gaussian::new(random(b, A), random(1, A));
            let z = (n_z > 0).then(|| Gaussian::new(random(b, n_z), random(1, n_z)));
            let u = Extended { a: random(b, A), z: (n_z > 0).then(|| random(b, n_z)) };
            let (noise, advantage) = (random(b, 1), random(b, 1));
            let dist = Dist { a, z, h: None };
            let density = |row: usize| -> f64 {
                let part = |g: &Gaussian<f64>, x: &Tensor<f64>| -> f64 {
                    let n = g.mean.cols();
                    let at = |t: &Tensor<f64>, j: usize| t.data()[row * n + j];
                    (0..n).map(|j| log_normal(at(x, j), at(&g.mean, j), g.log_std.data()[j])).sum()
                };
                part(&dist.a, &u.a) + dist.z.as_ref().map_or(0.0, |z| part(z, u.z.as_ref().unwrap()))
            };
            let old: Vec<f64> = (0..b).map(|row| density(row) + noise.data()[row]).collect();
            let naive = -(0..b)
                .map(|row| {
                    let (ratio, adv) = ((density(row) - old[row]).exp(), advantage.data()[row]);
                    if adv >= 0.0 { ratio.min(1.0 + clip) * adv } else { ratio.max(1.0 - clip) * adv }
                })
                .sum::<f64>()
                / b as f64;
            let found = surrogate(&dist.log_prob(&u).joint(), &Tensor::new(b, 1, &old), &advantage, clip).item();
            assert!((found - naive).abs() < 1e-12, "{found} is not {naive}");
        }
    }
}

/// What a policy without memory does not have is absent: no state in its context, its action or its density.
#[test]
fn what_is_absent_is_none() {
    let shape = ActorShape {
        o: O,
        a: A,
        a_prev: A,
        features: WIDTH,
        core: CoreShape::cell(CellKind::Gru, 4),
        kind: PolicyKind::Shortcut,
        head: Head::Gaussian { std: 0.5, state_std: 0.5 },
    };
    let policy = Actor::<f32>::new(Memory::None, &shape, &mut Rng::new(0, "absence"));
    let o = Tensor::new(2, O, &[0.5; 2 * O]);
    let x = Context::of(o);
    let dist = policy.dist(&x);
    let u = dist.sample(&mut Rng::new(0, "absence"));
    let log_prob = dist.log_prob(&u);
    assert!(dist.z.is_none() && dist.h.is_none() && u.z.is_none() && log_prob.z.is_none());
    assert_eq!(log_prob.joint().data(), log_prob.a.data());
    assert_eq!(dist.entropy().item(), dist.a.log_std.data().iter().map(|s| s + 1.418_938_5).sum::<f32>());
}

/// A plain network in f64, apart from the library's policies and critics.
#[derive(Clone)]
struct Plain {
    parameters: Parameters<f64>,
    layers: Mlp,
}

impl Params<f64> for Plain {
    fn params(&self) -> &Parameters<f64> {
        &self.parameters
    }
    fn params_mut(&mut self) -> &mut Parameters<f64> {
        &mut self.parameters
    }
}

impl Plain {
    /// With the numbers of a network of the library.
    fn of(network: &impl Params, sizes: [usize; 4]) -> Self {
        let mut rng = Rng::new(0, "plain");
        let mut builder = Builder::new(&mut rng);
        let layers = Mlp::new(&mut builder, &sizes, Activation::Relu, &[Init::FanIn; 3]);
        let mut parameters = builder.finish();
        let numbers: Vec<f64> = network.params().data().iter().map(|&x| f64::from(x)).collect();
        parameters.data_mut().copy_from_slice(&numbers);
        Self { parameters, layers }
    }
    fn forward(&self, parts: &[&Tensor<f64>]) -> Tensor<f64> {
        self.layers.forward(&self.parameters, &Tensor::concat(parts))
    }
}

/// A replay buffer of random numbers, in which a tenth of the steps terminate and a tenth are cut; and its rows in f64.
fn stored(rng: &mut Rng) -> Replay {
    let shape = ReplayShape { size: 200, envs: 1, o: O, s: S, a: A, memory: Memory::None, ..ReplayShape::default() };
    let mut replay = Replay::new(shape);
    let mut row = |n: usize| -> Vec<f32> { (0..n).map(|_| rng.normal() as f32).collect() };
    for t in 0..150 {
        let r = f64::from(row(1)[0]);
        replay.push(&Transition {
            o: &row(O),
            s: &row(S),
            a: &row(A),
            r: &[r],
            terminated: &[t % 10 == 3],
            truncated: &[t % 10 == 7],
            dropped: &[false],
            next_o: &row(O),
            next_s: &row(S),
            ..Transition::default()
        });
    }
    replay
}

const S: usize = 5;

fn f64s(x: &Tensor) -> Tensor<f64> {
    let numbers: Vec<f64> = x.data().iter().map(|&x| f64::from(x)).collect();
    Tensor::new(x.rows(), x.cols(), &numbers)
}

/// o, s, a, r, 1 - terminated, next o and next s of some rows.
fn batch(replay: &Replay, rows: &[usize]) -> [Tensor<f64>; 7] {
    let (x, next) = (replay.context(rows), replay.next_context(rows));
    let column =
        |f: &dyn Fn(usize) -> f64| Tensor::new(rows.len(), 1, &rows.iter().map(|&k| f(k)).collect::<Vec<f64>>());
    [
        f64s(&x.o),
        f64s(x.s.as_ref().unwrap()),
        f64s(&replay.extended(rows).a),
        column(&|k| f64::from(replay.r(k))),
        column(&|k| if replay.terminated(k) { 0.0 } else { 1.0 }),
        f64s(&next.o),
        f64s(next.s.as_ref().unwrap()),
    ]
}

fn networks(head: Head, rng: &mut Rng) -> (Actor, Vec<Q>) {
    let shape = ActorShape {
        o: O,
        a: A,
        a_prev: A,
        features: WIDTH,
        core: CoreShape::cell(CellKind::Gru, 1),
        kind: PolicyKind::Shortcut,
        head,
    };
    let actor = Actor::new(Memory::None, &shape, rng);
    let kind = QKind::Plain { gain: 1.0 };
    let shape = QShape { view: View::State, world: S, z: 0, a: A, a_prev: false, features: WIDTH, kind };
    let critics = (0..2).map(|_| Q::new(shape.clone(), rng)).collect();
    (actor, critics)
}

fn same(metrics: &[(&str, f64)], expected: &[(&str, f64)]) {
    for (name, x) in expected {
        let ours = metrics.iter().find(|m| m.0 == *name).unwrap_or_else(|| panic!("no {name}")).1;
        assert!((ours - x).abs() <= 2e-4 * (1.0 + x.abs()), "{name}: {ours} and {x}");
    }
}

/// SAC without z is the textbook's, written here once more in f64: losses, entropy and temperature through ten updates.
#[test]
fn sac_without_memory_is_the_textbooks() {
    let mut rng = Rng::new(0, "absent sac");
    let mut replay = stored(&mut rng);
    let (low, high) = (vec![-1.0, -0.5], vec![1.0, 1.5]);
    let head = Head::Squashed { low: low.clone(), high: high.clone(), std: 1.0, state_std: 1.0 };
    let (policy, critics) = networks(head, &mut rng);
    let settings =
        sac::Settings { batch: 16, warmup: 0, lr: 1e-3.into(), tau: 0.1, alpha: 0.2, ..sac::Settings::default() };
    let mut pi = Plain::of(&policy, [O, WIDTH, WIDTH, 2 * A]);
    let mut q: Vec<Plain> = critics.iter().map(|q| Plain::of(q, [S + A, WIDTH, WIDTH, 1])).collect();
    let mut q_target = q.clone();
    let mut pi_adam = Optimiser::new(&pi, settings.lr.start());
    let mut q_adam: Vec<Optimiser<f64>> = q.iter().map(|q| Optimiser::new(q, settings.critic_lr.start())).collect();
    let (mut ln_alpha, mut m, mut v) = (settings.alpha.ln(), 0.0, 0.0);
    let mut sac = Sac::new(policy, critics, (A, 0), settings.clone(), 1);

    let scale = |t: &Tensor<f64>| {
        let row = |f: &dyn Fn(f64, f64) -> f64| {
            let numbers: Vec<f64> = low.iter().zip(&high).map(|(&l, &h)| f(f64::from(l), f64::from(h)) / 2.0).collect();
            Tensor::new(1, A, &numbers)
        };
        t * row(&|l, h| h - l) + row(&|l, h| h + l)
    };
    let draw = |pi: &Plain, o: &Tensor<f64>, xi: &Tensor<f64>| {
        let y = pi.forward(&[o]);
        let log_std = y.columns(A..2 * A).clip(-20.0, 2.0);
        let t = (y.columns(0..A) + log_std.exp() * xi).tanh();
        let normal = (xi.square() * -0.5 - &log_std - 0.5 * (2.0 * std::f64::consts::PI).ln()).sum_columns();
        let log_prob = normal - (-t.square() + (1.0 + 1e-6)).ln().sum_columns();
        (scale(&t), log_prob)
    };
    for t in 1..=10 {
        let mut draws = rng.clone();
        let rows = replay.sample(settings.batch, &mut draws);
        let noise = [(); 2].map(|()| f64s(&Noise::draw(&replay, rows.len(), &mut draws).of(0..rows.len()).a));
        let metrics = sac.update(&mut replay, &mut rng);
        let [o, s, a, r, not_terminal, next_o, next_s] = batch(&replay, &rows);

        let alpha = f64::exp(ln_alpha);
        let (u, log_prob) = draw(&pi, &o, &noise[0]);
        let least = q[0].forward(&[&s, &u]).min(&q[1].forward(&[&s, &u]));
        let loss = (&log_prob * alpha - &least).mean();
        let mean = log_prob.mean().item();
        let mut expected =
            vec![("train/actor_loss", loss.item()), ("train/entropy", -mean), ("train/q", least.mean().item())];
        pi_adam.minimize(&mut pi, &loss);
        let g = -(mean - A as f64);
        expected.push(("train/ent_coef_loss", g * ln_alpha));
        (m, v) = (0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g);
        let (mh, vh): (f64, f64) = (m / (1.0 - 0.9f64.powi(t)), v / (1.0 - 0.999f64.powi(t)));
        ln_alpha -= settings.alpha_lr.start() * mh / (vh.sqrt() + 1e-8);
        expected.push(("train/ent_coef", f64::exp(ln_alpha)));

        let (u, log_prob) = draw(&pi, &next_o, &noise[1]);
        let least = q_target[0].forward(&[&next_s, &u]).min(&q_target[1].forward(&[&next_s, &u]));
        let y = (r + not_terminal * (least - log_prob * f64::exp(ln_alpha)) * settings.gamma).detach();
        let mut losses = 0.0;
        for ((q, target), adam) in q.iter_mut().zip(&mut q_target).zip(&mut q_adam) {
            let loss = (q.forward(&[&s, &a]) - &y).square().mean();
            losses += loss.item() / 2.0;
            adam.minimize(q, &loss);
            let tau = settings.tau;
            let moved = target.parameters.data_mut().iter_mut().zip(q.parameters.data());
            moved.for_each(|(target, q)| *target = tau * q + (1.0 - tau) * *target);
        }
        expected.push(("train/critic_loss", losses));
        same(&metrics, &expected);
        assert!(metrics.iter().all(|m| !m.0.contains("state")), "there is no state to speak of");
    }
}

/// TD3 without z is the textbook's, written here once more in f64: losses and targets through ten updates, of which
/// every other one moves the policy.
#[test]
fn td3_without_memory_is_the_textbooks() {
    let mut rng = Rng::new(1, "absent td3");
    let mut replay = stored(&mut rng);
    let head = Head::Deterministic { low: vec![-0.4; A], high: vec![0.4; A], scale: None, std: 0.1, state_std: 0.1 };
    let (policy, critics) = networks(head, &mut rng);
    let settings =
        td3::Settings { batch: 16, tau: 0.1, smoothing: 0.2, smoothing_clip: 0.25, ..td3::Settings::default() };
    let mut pi = Plain::of(&policy, [O, WIDTH, WIDTH, A]);
    let mut q: Vec<Plain> = critics.iter().map(|q| Plain::of(q, [S + A, WIDTH, WIDTH, 1])).collect();
    let (mut pi_target, mut q_target) = (pi.clone(), q.clone());
    let mut pi_adam = Optimiser::new(&pi, settings.lr.start());
    let mut q_adam: Vec<Optimiser<f64>> = q.iter().map(|q| Optimiser::new(q, settings.critic_lr.start())).collect();
    let mut td3 = Td3::new(policy, critics, settings.clone(), 1);
    let act = |pi: &Plain, o: &Tensor<f64>| pi.forward(&[o]).tanh() * 0.4;
    let follow = |target: &mut Plain, online: &Plain| {
        let moved = target.parameters.data_mut().iter_mut().zip(online.parameters.data());
        moved.for_each(|(target, online)| *target = settings.tau * online + (1.0 - settings.tau) * *target);
    };
    for t in 0..10 {
        let mut draws = rng.clone();
        let rows = replay.sample(settings.batch, &mut draws);
        let xi = f64s(&Noise::draw(&replay, rows.len(), &mut draws).of(0..rows.len()).a);
        let metrics = td3.update(&mut replay, &mut rng);
        let [o, s, a, r, not_terminal, next_o, next_s] = batch(&replay, &rows);

        let noise = (xi * settings.smoothing).clip(-settings.smoothing_clip, settings.smoothing_clip);
        let u = (act(&pi_target, &next_o) + noise).clip(-0.4, 0.4);
        let least = q_target[0].forward(&[&next_s, &u]).min(&q_target[1].forward(&[&next_s, &u]));
        let y = (r + not_terminal * least * settings.gamma).detach();
        let mut losses = 0.0;
        for (q, adam) in q.iter_mut().zip(&mut q_adam) {
            let loss = (q.forward(&[&s, &a]) - &y).square().mean();
            losses += loss.item() / 2.0;
            adam.minimize(q, &loss);
        }
        let mut expected = vec![("train/critic_loss", losses), ("train/target", y.mean().item())];
        if t % 2 == 0 {
            let loss = -q[0].forward(&[&s, &act(&pi, &o)]).mean();
            expected.push(("train/actor_loss", loss.item()));
            pi_adam.minimize(&mut pi, &loss);
        } else {
            assert!(metrics.iter().all(|m| m.0 != "train/actor_loss"), "the policy rests");
        }
        follow(&mut pi_target, &pi);
        q_target.iter_mut().zip(&q).for_each(|(target, q)| follow(target, q));
        same(&metrics, &expected);
    }
}
