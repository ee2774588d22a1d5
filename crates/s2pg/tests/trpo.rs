//! TRPO's natural step: the Fisher matrix is the curvature of the divergence, and an update keeps what it promises.

use s2pg::Rng;
use s2pg::algo::fisher::{conjugate_gradients, dot, fisher_product};
use s2pg::algo::gae::{gae, normalise};
use s2pg::algo::on_policy::values;
use s2pg::algo::trpo::{Settings, surrogate};
use s2pg::algo::{Algorithm, Trpo};
use s2pg::data::{Buffer, Rollout, RolloutShape, Transition};
use s2pg::nn::{CellKind, Params, Real, Tensor, gradient};
use s2pg::policy::{
    Actor, ActorShape, Context, CoreShape, Head, Memory, PolicyKind, StatefulPolicy, Value, ValueShape, View, WHOLE,
};

const O: usize = 3;
const A: usize = 2;
const KINDS: [CellKind; 4] = [CellKind::Gru, CellKind::Lstm, CellKind::Elman, CellKind::ElmanRelu];

/// Every memory; with a state, every cell.
fn memories(hidden: usize) -> Vec<(Memory, CellKind)> {
    let mut all = vec![(Memory::None, CellKind::Gru), (Memory::Window { len: 3 }, CellKind::Gru)];
    for kind in KINDS {
        let n = kind.state_size(hidden);
        let with_state =
            [Memory::Stochastic { z: n }, Memory::Bptt { h: n, len: 3 }, Memory::Bptt { h: n, len: WHOLE }];
        all.extend(with_state.map(|memory| (memory, kind)));
    }
    all
}

/// Segments of which all entries are drawn, or half of them, with every cell.
fn segments(hidden: usize) -> impl Iterator<Item = (Memory, CellKind)> {
    let of = move |kind: CellKind| {
        let z = kind.state_size(hidden);
        [z, z / 2].map(|drawn| (Memory::Segments { z, len: 3, drawn }, kind))
    };
    KINDS.into_iter().flat_map(of)
}

/// A policy whose every layer matters: initial weights are tiny.
fn actor<T: Real>(memory: Memory, cell: CellKind, (features, hidden): (usize, usize), rng: &mut Rng) -> Actor<T> {
    let head = Head::Gaussian { std: 0.6, state_std: 0.4 };
    let mut actor = Actor::new(
        memory,
        &ActorShape {
            o: O,
            a: A,
            a_prev: A,
            features,
            core: CoreShape::cell(cell, hidden),
            kind: PolicyKind::Shortcut,
            head,
        },
        rng,
    );
    actor.params_mut().data_mut().iter_mut().for_each(|x| *x += T::of(0.3 * rng.normal()));
    actor
}

fn random<T: Real>(rows: usize, cols: usize, rng: &mut Rng) -> Tensor<T> {
    Tensor::with(rows, cols, |x| x.iter_mut().for_each(|x| *x = T::of(rng.normal())))
}

/// A context of `rows` samples as this memory shows them: windows of 1 to 3 steps, or one whole chain.
fn context<T: Real>(memory: Memory, rows: usize, rng: &mut Rng) -> Context<T> {
    let (width, steps, samples) = match memory {
        Memory::Window { len } | Memory::History { len } => (len * O, rows, 0),
        Memory::Bptt { len: WHOLE, .. } => (O, rows, 1),
        Memory::Bptt { len, .. } => (O, len * rows, rows),
        Memory::None | Memory::Stochastic { .. } | Memory::Segments { .. } => (O, rows, 0),
    };
    let windows = matches!(memory, Memory::Bptt { len, .. } if len != WHOLE);
    let has_segments = memory.segment().is_some();
    let o = random(steps, width, rng);
    // Segments of two steps, and those of one step, which alone draw.
    let (long, starts) = (rows / 3, if has_segments { rows - rows / 3 } else { rows });
    Context {
        a_prev: Some(random(steps, A, rng)),
        z: (memory.z() > 0).then(|| random(starts, memory.z(), rng)),
        segments: has_segments.then(|| [starts, long].into()),
        drawn: has_segments.then(|| (0..rows).map(|i| i >= long).collect()),
        h: if let Memory::Bptt { h, .. } = memory { Some(random(samples, h, rng)) } else { None },
        lengths: windows.then(|| (0..rows).map(|i| 1 + i % 3).collect()),
        ..Context::of(o)
    }
}

/// F v equals the second derivative of the mean divergence along v, which is found without F: by differences of the
/// divergence's gradient, in f64, for every memory and cell and every direction.
#[test]
fn the_fisher_matrix_is_the_curvature_of_the_divergence() {
    let (mut worst, mut columns) = (0.0f64, 0);
    for (seed, (memory, cell)) in memories(3).into_iter().chain(segments(3)).enumerate() {
        let mut rng = Rng::new(seed as u64, "fisher");
        let policy: Actor<f64> = actor(memory, cell, (4, 3), &mut rng);
        let contexts = [context(memory, 5, &mut rng), context(memory, 3, &mut rng)];
        let old: Vec<_> = contexts.iter().map(|x| policy.dist(x).detach()).collect();
        // The two groups hold 5 and 3 samples: the mean is over all 8.
        let slope = |i: usize, step: f64| -> Vec<f64> {
            let mut moved = policy.clone();
            moved.params_mut().data_mut()[i] += step;
            let kl = contexts.iter().zip(&old).map(|(x, old)| old.kl(&moved.dist(x)).sum()).reduce(|a, b| a + b);
            gradient(&(kl.unwrap() / 8.0), &moved)
        };
        let n = policy.params().data().len();
        let step = 1e-5;
        let mut errors = 0.0f64;
        let mut largest = 0.0f64;
        for i in 0..n {
            let (ahead, behind) = (slope(i, step), slope(i, -step));
            let mut direction = vec![0.0; n];
            direction[i] = 1.0;
            let column = fisher_product(&policy, &contexts, &direction);
            for ((ahead, behind), product) in ahead.iter().zip(&behind).zip(&column) {
                errors = errors.max(((ahead - behind) / (2.0 * step) - product).abs());
                largest = largest.max(product.abs());
            }
            columns += 1;
        }
        assert!(errors < 1e-6 * largest, "{memory:?} {cell:?}: an entry is off by {errors:e}, of {largest}");
        worst = worst.max(errors / largest);
    }
    println!("Fisher matrix: {columns} columns, largest error {worst:e} of the largest entry");
}

/// The curvature in a log-std is 2, whatever the network.
#[test]
fn a_log_std_has_curvature_two() {
    for (memory, cell) in memories(3) {
        let mut rng = Rng::new(0, "log_std");
        let policy: Actor<f64> = actor(memory, cell, (4, 3), &mut rng);
        let x = [context(memory, 7, &mut rng)];
        let slot = policy.params().slot("log_std").range();
        let direction: Vec<f64> =
            (0..policy.params().data().len()).map(|i| f64::from(u8::from(slot.contains(&i)))).collect();
        let product = fisher_product(&policy, &x, &direction);
        for (i, x) in product.iter().enumerate() {
            let expected = if slot.contains(&i) { 2.0 } else { 0.0 };
            assert!((x - expected).abs() < 1e-8, "{memory:?} {cell:?}, {i}: {x} is not {expected}");
        }
    }
}

/// In f32, and with networks of the published width, a product is that of f64 within half a percent, for every memory.
#[test]
fn a_product_is_accurate_in_f32() {
    let mut worst = 0.0f64;
    for (memory, cell) in memories(64).into_iter().filter(|(_, cell)| *cell == CellKind::Gru) {
        let mut rng = Rng::new(1, "f32");
        let head = Head::Gaussian { std: 0.5, state_std: 0.5 };
        let shape = ActorShape {
            o: O,
            a: A,
            a_prev: A,
            features: 128,
            core: CoreShape::cell(cell, 64),
            kind: PolicyKind::Shortcut,
            head,
        };
        let policy: Actor<f32> = Actor::new(memory, &shape, &mut rng);
        let mut exact: Actor<f64> = Actor::new(memory, &shape, &mut rng);
        for (exact, x) in exact.params_mut().data_mut().iter_mut().zip(policy.params().data()) {
            *exact = f64::from(*x);
        }
        let (x, exact_x) = (context(memory, 50, &mut Rng::new(2, "x")), context(memory, 50, &mut Rng::new(2, "x")));
        for _ in 0..3 {
            let v: Vec<f64> = (0..policy.params().data().len()).map(|_| rng.normal()).collect();
            let found = fisher_product(&policy, std::slice::from_ref(&x), &v);
            let expected = fisher_product(&exact, std::slice::from_ref(&exact_x), &v);
            let difference: Vec<f64> = found.iter().zip(&expected).map(|(a, b)| a - b).collect();
            let error = (dot(&difference, &difference) / dot(&expected, &expected)).sqrt();
            assert!(error < 5e-3, "{memory:?}: off by {error:e}");
            worst = worst.max(error);
        }
    }
    println!("F v in f32: largest error {worst:e} of its length");
}

/// Conjugate gradients solve a system of n unknowns in n iterations, and tell M x as far as they have come.
#[test]
fn conjugate_gradients_solve() {
    let n = 12;
    let mut rng = Rng::new(3, "cg");
    let root: Vec<Vec<f64>> = (0..n).map(|_| (0..n).map(|_| rng.normal()).collect()).collect();
    let b: Vec<f64> = (0..n).map(|_| rng.normal()).collect();
    let times = |x: &[f64]| -> Vec<f64> {
        let y: Vec<f64> = root.iter().map(|row| dot(row, x)).collect();
        (0..n).map(|i| (0..n).map(|j| root[j][i] * y[j]).sum::<f64>() + 0.5 * x[i]).collect()
    };
    for iterations in [3, n - 1, n] {
        let (x, product) = conjugate_gradients(times, &b, iterations);
        for (a, b) in times(&x).iter().zip(&product) {
            assert!((a - b).abs() < 1e-9);
        }
        let error = product.iter().zip(&b).fold(0.0f64, |worst, (a, b)| worst.max((a - b).abs()));
        println!("{iterations} iterations: off by {error:e}");
        assert_eq!(error < 1e-6, iterations == n, "{iterations} iterations: off by {error:e}");
    }
    assert_eq!(conjugate_gradients(times, &vec![0.0; n], 10).0, vec![0.0; n]);
}

/// Random transitions that this policy made.
fn rollout(policy: &Actor, steps: usize, rng: &mut Rng) -> Rollout {
    let envs = 2;
    let memory = policy.memory();
    let a_prev = policy.state_size() > 0;
    let mut data = Rollout::new(RolloutShape { steps, envs, o: O, a: A, memory, a_prev, ..RolloutShape::default() });
    let mut recall = s2pg::train::Recall::new(envs, memory, O, A, false, 0);
    for t in 0..steps {
        let o: Tensor = random(envs, O, rng);
        let next_o: Tensor = random(envs, O, rng);
        let dist = policy.dist(&recall.context(o.data(), &[0.0; 2]));
        let u = dist.sample(rng);
        let r: Vec<f64> = (0..envs).map(|e| f64::from(u.a.data()[e * A]) + rng.normal()).collect();
        let truncated = [t % 7 == 6, t % 5 == 4];
        data.push(&Transition {
            o: o.data(),
            a_prev: recall.a_prev(),
            z: recall.z(),
            h: recall.h(),
            a: u.a.data(),
            z_next: u.z.as_ref().map_or(&[], |z| z.data()),
            h_next: dist.h.as_ref().map_or(&[], |h| h.data()),
            r: &r,
            terminated: &[false; 2],
            truncated: &truncated,
            dropped: &[false; 2],
            next_o: next_o.data(),
            ..Transition::default()
        });
        recall.remember(&dist, &u, &u.a);
        (0..envs).filter(|&e| truncated[e]).for_each(|e| recall.reset(e));
    }
    data
}

fn value(memory: Memory, rng: &mut Rng) -> Value {
    let (z, through_time, window) = match memory {
        Memory::Stochastic { z } | Memory::Segments { z, .. } => (z, false, 1),
        Memory::Bptt { .. } => (0, true, 1),
        Memory::Window { len } | Memory::History { len } => (0, false, len),
        Memory::None => (0, false, 1),
    };
    let shape = ValueShape {
        view: View::Observation,
        world: window * O,
        z,
        a_prev: if z > 0 || through_time { A } else { 0 },
        features: 8,
        gain: 0.01,
        core: through_time.then_some(CoreShape::cell(CellKind::Gru, 6)),
    };
    Value::new(shape, rng)
}

fn figure(metrics: &[(&'static str, f64)], name: &str) -> f64 {
    metrics.iter().find(|m| m.0 == name).unwrap_or_else(|| panic!("no {name} in {metrics:?}")).1
}

/// After an update the mean divergence of the pair is at most `kl` and near it, and the surrogate is better than
/// before; both are measured again from the policies before and after, and equal the figures of the update.
#[test]
fn an_update_stays_in_its_region_and_improves() {
    let (mut steps, mut full) = (0, 0);
    for (memory, cell) in memories(6) {
        for seed in 0..5 {
            let mut rng = Rng::new(seed, "update");
            let settings = Settings { steps: 80, minibatch: 16, value_lr: 1e-3.into(), ..Settings::default() };
            let before: Actor = actor(memory, cell, (8, 6), &mut rng);
            let value = value(memory, &mut rng);
            let mut data = rollout(&before, 40, &mut rng);
            let rows = data.rows();
            let (v, v_next) = values(&value, &data);
            let mut advantages = gae(&data, &v, &v_next, settings.gamma, settings.lambda).advantages;
            normalise(&mut advantages, &rows);
            let seen = data.clone();

            let mut trpo = Trpo::new(before.clone(), value, settings.clone(), 1);
            let metrics = trpo.update(&mut data, &mut rng);
            let after = trpo.policy();
            assert_eq!(figure(&metrics, "train/is_line_search_success"), 1.0, "{memory:?} {cell:?} {seed}");
            let (mut kl, mut improvement) = (0.0, 0.0);
            for rows in seen.groups(1000) {
                let (x, u) = (seen.context(&rows), seen.extended(&rows));
                let (old, new) = (before.dist(&x).detach(), after.dist(&x));
                kl += f64::from(old.kl(&new).sum().item()) / 80.0;
                let (old, new) = (old.log_prob(&u).joint(), new.log_prob(&u).joint());
                for ((k, old), new) in rows.iter().zip(old.data()).zip(new.data()) {
                    improvement += (f64::from(new - old).exp() - 1.0) * advantages[*k] / 80.0;
                }
            }
            assert!(kl <= settings.kl && kl > 0.2 * settings.kl, "{memory:?} {cell:?} {seed}: {kl}");
            assert!(improvement > 0.0, "{memory:?} {cell:?} {seed}: {improvement}");
            assert!((kl - figure(&metrics, "train/kl_divergence")).abs() < 1e-5);
            assert!((improvement - figure(&metrics, "train/surrogate_improvement")).abs() < 1e-5);
            steps += 1;
            full += usize::from(figure(&metrics, "train/step_fraction") == 1.0);
        }
    }
    println!("{steps} updates within the region and better, {full} of them full steps");
}

/// Where no step of the line search is good, the policy stays to the bit and the figures say so: with a region smaller
/// than rounding, and with rewards that never differ.
#[test]
fn a_policy_without_a_good_step_stays() {
    let mut rng = Rng::new(0, "stay");
    let policy: Actor = actor(Memory::Stochastic { z: 6 }, CellKind::Gru, (8, 6), &mut rng);
    let data = rollout(&policy, 40, &mut rng);
    let tight = Settings { steps: 80, kl: 1e-30, ..Settings::default() };
    let blind = Settings { steps: 80, gamma: 0.0, ..Settings::default() };
    for (settings, constant) in [(tight, false), (blind, true)] {
        let mut value = value(policy.memory(), &mut rng);
        let mut data = data.clone();
        if constant {
            // V = 0 and r = 0 everywhere: every advantage is 0, and so is the gradient.
            value.params_mut().data_mut().fill(0.0);
            data = without_rewards(&policy, &mut rng);
        }
        let mut trpo = Trpo::new(policy.clone(), value, settings, 1);
        let metrics = trpo.update(&mut data, &mut rng);
        assert_eq!(trpo.policy().params().data(), policy.params().data());
        assert!(metrics.iter().all(|m| m.1.is_finite()), "{metrics:?}");
        for name in ["train/is_line_search_success", "train/step_fraction", "train/kl_divergence"] {
            assert_eq!(figure(&metrics, name), 0.0, "{name}");
        }
    }
}

fn without_rewards(policy: &Actor, rng: &mut Rng) -> Rollout {
    struct Zero;
    impl s2pg::Visitor for Zero {
        fn item(&mut self, _: &str, data: s2pg::state::Data<'_>) {
            if let s2pg::state::Data::F64(rewards) = data {
                rewards.fill(0.0);
            }
        }
        fn enter(&mut self, _: &str) {}
        fn leave(&mut self) {}
    }
    let mut data = rollout(policy, 40, rng);
    s2pg::State::visit(&mut data, &mut Zero);
    assert!(data.r().len() == 80 && data.r().iter().all(|&r| r == 0.0));
    data
}

/// The surrogate is the sum of ρ A, with the gradient of central differences.
#[test]
fn the_surrogate_is_its_definition() {
    let mut rng = Rng::new(5, "surrogate");
    let policy: Actor<f64> = actor(Memory::Stochastic { z: 3 }, CellKind::Gru, (4, 3), &mut rng);
    let x = context(policy.memory(), 6, &mut rng);
    let u = policy.dist(&x).sample(&mut rng);
    let now = policy.dist(&x).log_prob(&u).joint();
    let old = now.detach() + random::<f64>(6, 1, &mut rng) * 0.4;
    let advantage = random(6, 1, &mut rng);
    let naive: f64 = (0..6).map(|i| (now.data()[i] - old.data()[i]).exp() * advantage.data()[i]).sum();
    let l = |policy: &Actor<f64>| surrogate(&policy.dist(&x).log_prob(&u).joint(), &old, &advantage);
    assert!((l(&policy).item() - naive).abs() < 1e-12);
    let exact = gradient(&l(&policy), &policy);
    let largest = exact.iter().fold(0.0f64, |a, g| a.max(g.abs()));
    let step = 1e-5;
    let mut moved = policy.clone();
    for (i, exact) in exact.iter().enumerate() {
        let mut at = |x: f64| {
            moved.params_mut().data_mut()[i] = policy.params().data()[i] + x;
            let y = l(&moved).item();
            moved.params_mut().data_mut()[i] = policy.params().data()[i];
            y
        };
        let difference = (8.0 * (at(step) - at(-step)) - (at(2.0 * step) - at(-2.0 * step))) / (12.0 * step);
        assert!((difference - exact).abs() < 1e-7 * largest, "{i}: {difference} is not {exact}");
    }
}
