//! Without z, PPO over the extended action is the textbook's PPO, number for number.

use s2pg::Rng;
use s2pg::algo::ppo::{Settings, surrogate};
use s2pg::algo::{Algorithm, Ppo};
use s2pg::data::{Buffer, Rollout, RolloutShape, Transition};
use s2pg::nn::{CellKind, Parameters, Params, Tensor};
use s2pg::policy::{
    Actor, ActorShape, Context, Dist, Extended, Gaussian, Head, Memory, StatefulPolicy, Value, ValueShape, View,
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
fn rollout(steps: usize, settings: &Settings, policy: &Actor, rng: &mut Rng) -> (Rollout, Vec<Row>) {
    let envs = 2;
    assert_eq!(settings.steps, steps * envs);
    let mut data = Rollout::new(RolloutShape {
        steps,
        envs,
        o: O,
        s: 0,
        a: A,
        memory: Memory::None,
        a_prev: false,
        align_next_windows: true,
        split_first_windows: true,
    });
    let mut rows = Vec::new();
    let random = |n: usize, rng: &mut Rng| -> Vec<f32> { (0..n).map(|_| rng.normal() as f32).collect() };
    let mut o = random(envs * O, rng);
    for _ in 0..steps {
        let x = Context { o: Tensor::new(envs, O, &o), s: None, a_prev: None, z: None, h: None, lengths: None };
        let u = policy.dist(&x).sample(rng);
        assert!(u.z.is_none());
        let next_o = random(envs * O, rng);
        let ends: Vec<usize> = (0..envs).map(|_| rng.below(8)).collect();
        let flags = |kind: usize| ends.iter().map(|&k| k == kind).collect::<Vec<bool>>();
        let r: Vec<f64> = (0..envs).map(|_| rng.normal()).collect();
        data.push(&Transition {
            o: &o,
            s: &[],
            a_prev: &[],
            z: &[],
            a: u.a.data(),
            h: &[],
            h_next: &[],
            z_next: &[],
            r: &r,
            terminated: &flags(0),
            truncated: &flags(1),
            dropped: &[false; 2],
            next_o: &next_o,
            next_s: &[],
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
    (data, rows)
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
    let v: Vec<f64> = rows.iter().map(|row| value.output(&row.o)[0]).collect();
    let mut advantages = vec![0.0; n];
    for k in (0..n).rev() {
        let row = &rows[k];
        let next = if row.terminated { 0.0 } else { value.output(&row.next_o)[0] };
        let goes_on = !row.terminated && !row.truncated && k + 2 < n;
        let rest = if goes_on { advantages[k + 2] } else { 0.0 };
        advantages[k] = row.r + s.gamma * next - v[k] + s.gamma * s.lambda * rest;
    }
    let targets: Vec<f64> = advantages.iter().zip(&v).map(|(a, v)| a + v).collect();
    let mean = advantages.iter().sum::<f64>() / n as f64;
    let std = (advantages.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / n as f64).sqrt();
    advantages.iter_mut().for_each(|a| *a = (*a - mean) / (std + 1e-8));
    let log_prob = |policy: &Network, log_std: &[f64], row: &Row| -> f64 {
        let mean = policy.output(&row.o);
        (0..A).map(|j| log_normal(row.a[j], mean[j], log_std[j])).sum()
    };
    let old: Vec<f64> = rows.iter().map(|row| log_prob(&policy, &log_std, row)).collect();

    // The two shuffles are those of the algorithm, which splits its generator in this order.
    let (mut value_rng, mut policy_rng) = (rng.split(), rng.split());
    let mut adam = Adam::new(value.flat().len(), s.value_lr);
    for _ in 0..s.value_epochs {
        let mut order: Vec<usize> = (0..n).collect();
        value_rng.shuffle(&mut order);
        for batch in order.chunks(s.minibatch) {
            let mut gradient = value.zeros();
            for &k in batch {
                let error = value.output(&rows[k].o)[0] - targets[k];
                value.backward(&rows[k].o, &[2.0 * error / batch.len() as f64], &mut gradient);
            }
            adam.step(value.numbers(), &gradient.flat());
        }
    }
    let mut adam = Adam::new(policy.flat().len() + A, s.lr);
    for _ in 0..s.epochs {
        let mut order: Vec<usize> = (0..n).collect();
        policy_rng.shuffle(&mut order);
        for batch in order.chunks(s.minibatch) {
            // The loss is -mean min(ratio A, clip(ratio) A) - c entropy; the entropy's gradient is 1 for each log-std.
            let (mut gradient, mut d_log_std) = (policy.zeros(), vec![-s.entropy; A]);
            for &k in batch {
                let ratio = (log_prob(&policy, &log_std, &rows[k]) - old[k]).exp();
                let clipped = ratio.clamp(1.0 - s.clip, 1.0 + s.clip);
                let is_clipped = clipped * advantages[k] < ratio * advantages[k];
                let d_log_prob = if is_clipped { 0.0 } else { -ratio * advantages[k] / batch.len() as f64 };
                let mean = policy.output(&rows[k].o);
                let z: Vec<f64> = (0..A).map(|j| (rows[k].a[j] - mean[j]) / log_std[j].exp()).collect();
                let d_mean: Vec<f64> = (0..A).map(|j| d_log_prob * z[j] / log_std[j].exp()).collect();
                policy.backward(&rows[k].o, &d_mean, &mut gradient);
                (0..A).for_each(|j| d_log_std[j] += d_log_prob * (z[j] * z[j] - 1.0));
            }
            let gradient = [gradient.flat(), d_log_std].concat();
            adam.step(policy.numbers().chain(log_std.iter_mut()), &gradient);
        }
    }
    (policy, log_std, value)
}

/// Whole updates of the policy without memory are the textbook's: every parameter of policy and value function moves as in
/// a second PPO that is written out in f64, with its own network, its own gradients and its own Adam.
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
            lr: 2e-2,
            value_lr: 1e-2,
            clip: 0.1,
            entropy: 0.02,
            ..Settings::default()
        };
        let shape = ActorShape {
            o: O,
            a: A,
            features: WIDTH,
            hidden: 99,
            cell: CellKind::Gru,
            head: Head::Gaussian { std: 0.7, state_std: 0.3 },
        };
        let mut policy = Actor::new(Memory::None, &shape, &mut rng);
        let value_shape =
            ValueShape { view: View::Observation, world: O, z: 0, a_prev: 0, features: WIDTH, cell: None };
        let mut value = Value::new(value_shape, &mut rng);
        // Initial weights are tiny; these make every layer matter.
        for p in [policy.params_mut(), value.params_mut()] {
            p.data_mut().iter_mut().for_each(|x| *x = (0.6 * rng.normal()) as f32);
        }
        assert_eq!((policy.memory(), policy.state_size()), (Memory::None, 0));
        let log_std = |p: &Parameters<f32>| -> Vec<f64> {
            p.data()[p.slot("log_std").range()].iter().map(|&x| x as f64).collect()
        };
        let (mut data, rows) = rollout(settings.steps / 2, &settings, &policy, &mut rng);
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

/// The surrogate is -mean min(ratio A, clip(ratio) A) with the densities written out; with z, the same formula holds for
/// the density of the pair, and the part of z' is left out by no path.
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
        features: WIDTH,
        hidden: 4,
        cell: CellKind::Gru,
        head: Head::Gaussian { std: 0.5, state_std: 0.5 },
    };
    let policy = Actor::<f32>::new(Memory::None, &shape, &mut Rng::new(0, "absence"));
    let o = Tensor::new(2, O, &[0.5; 2 * O]);
    let x = Context { o, s: None, a_prev: None, z: None, h: None, lengths: None };
    let dist = policy.dist(&x);
    let u = dist.sample(&mut Rng::new(0, "absence"));
    let log_prob = dist.log_prob(&u);
    assert!(dist.z.is_none() && dist.h.is_none() && u.z.is_none() && log_prob.z.is_none());
    assert_eq!(log_prob.joint().data(), log_prob.a.data());
    assert_eq!(dist.entropy().item(), dist.a.log_std.data().iter().map(|s| s + 1.418_938_5).sum::<f32>());
}
