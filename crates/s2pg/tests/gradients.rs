//! Every operation, cell and loss agrees with central differences in f64.

use s2pg::Rng;
use s2pg::algo::pair::surrogate;
use s2pg::nn::{Activation, Linear};
use s2pg::nn::{Adam, Builder, Cell, CellKind, Init, Mlp, Parameters, Params, Steps, Tensor, gradient};
use s2pg::policy::{
    Actor, ActorShape, Clock, Context, CoreKind, CoreShape, Critic, Extended, Head, Memory, PolicyKind, Q, QKind,
    QShape, Solver, StatefulPolicy, Value, ValueShape, View,
};

type F = Tensor<f64>;
type Named<T> = (&'static str, T);

/// A bag of parameters.
#[derive(Clone)]
struct Net(Parameters<f64>);

impl Params<f64> for Net {
    fn params(&self) -> &Parameters<f64> {
        &self.0
    }
    fn params_mut(&mut self) -> &mut Parameters<f64> {
        &mut self.0
    }
}

impl Net {
    fn get(&self, name: &str) -> F {
        let slot = self.0.slots().iter().position(|s| s.name == name).unwrap();
        F::param(&self.0, slot)
    }
}

/// The largest error of the gradient, relative to its largest entry, over every parameter.
fn worst_error<N: Params<f64> + Clone>(net: &N, loss: impl Fn(&N) -> F) -> f64 {
    let exact = gradient(&loss(net), net);
    let mut moved = net.clone();
    let step = 1e-5;
    let largest = exact.iter().fold(1e-3f64, |a, g| a.max(g.abs()));
    let mut worst = 0.0f64;
    for (i, exact) in exact.iter().enumerate() {
        let mut at = |x: f64| {
            moved.params_mut().data_mut()[i] = net.params().data()[i] + x;
            let y = loss(&moved).item();
            moved.params_mut().data_mut()[i] = net.params().data()[i];
            y
        };
        let difference = (8.0 * (at(step) - at(-step)) - (at(2.0 * step) - at(-2.0 * step))) / (12.0 * step);
        worst = worst.max((difference - exact).abs() / largest);
    }
    worst
}

fn check<N: Params<f64> + Clone>(name: &str, net: &N, loss: impl Fn(&N) -> F) {
    let error = worst_error(net, loss);
    assert!(error < 1e-7, "{name}: the gradient is off by {error:e}");
}

fn matrices(seed: u64) -> Net {
    let mut rng = Rng::new(seed, "gradients");
    let mut b = Builder::new(&mut rng);
    for (name, rows, cols) in [("a", 5, 4), ("b", 5, 4), ("row", 1, 4), ("col", 5, 1), ("one", 1, 1)] {
        b.add(name, rows, cols, Init::Uniform(1.5));
    }
    Net(b.finish())
}

/// A weighting that makes every element of a result matter differently.
fn weigh(x: &F) -> F {
    let (rows, cols) = x.shape();
    let w = F::with(rows, cols, |w| w.iter_mut().enumerate().for_each(|(i, w)| *w = (i as f64 * 0.7 + 0.3).sin()));
    (x * w).sum()
}

/// Each operation on one operand has the gradient of differences, with its operand used twice.
#[test]
fn unary_operations() {
    let operations: [Named<fn(&F) -> F>; 15] = [
        ("exp", |x| x.exp()),
        ("ln", |x| (x.square() + 0.5).ln()),
        ("tanh", |x| x.tanh()),
        ("sigmoid", |x| x.sigmoid()),
        ("relu", |x| x.relu()),
        ("softplus", |x| x.softplus()),
        ("sin", |x| x.sin()),
        ("cos", |x| x.cos()),
        ("square", |x| x.square()),
        ("sqrt", |x| (x.square() + 0.5).sqrt()),
        ("abs", |x| x.abs()),
        ("clip", |x| x.clip(-0.7, 0.4)),
        ("affine", |x| (x * 3.0 - 1.0) / 2.0),
        ("neg", |x| -x),
        ("mean", |x| x.square().mean()),
    ];
    let net = matrices(1);
    for (name, f) in operations {
        check(name, &net, |n| {
            let a = n.get("a");
            weigh(&f(&a)) + weigh(&(&a * &f(&a))) * 0.3
        });
    }
}

/// Each operation of two operands has the gradient of differences, for every way of spreading one over the other, with
/// an operand used twice.
#[test]
fn binary_operations() {
    let operations: [Named<fn(&F, &F) -> F>; 6] = [
        ("add", |a, b| a + b),
        ("sub", |a, b| a - b),
        ("mul", |a, b| a * b),
        ("div", |a, b| a / (b.square() + 0.5)),
        ("min", |a, b| a.min(b)),
        ("max", |a, b| a.max(b)),
    ];
    let net = matrices(2);
    for (name, f) in operations {
        for left in ["a", "row", "col", "one"] {
            for right in ["a", "b", "row", "col", "one"] {
                check(&format!("{name} {left} {right}"), &net, |n| {
                    let (a, b) = (n.get(left), n.get(right));
                    weigh(&f(&a, &b)) + weigh(&a.square())
                });
            }
        }
    }
}

/// Cutting, joining and summing have the gradients of differences.
#[test]
fn shapes() {
    let net = matrices(3);
    check("columns", &net, |n| {
        let a = n.get("a");
        weigh(&(a.columns(1..3).square() * a.columns(2..4)))
    });
    check("reshape", &net, |n| {
        let a = n.get("a");
        weigh(&(a.reshape(2, 10).square() * a.reshape(2, 10))) + weigh(&a.reshape(1, 20))
    });
    check("product", &net, |n| {
        let (a, b) = (n.get("a"), n.get("b"));
        weigh(&(a.product(&b).square() * b.product(&b))) + weigh(&n.get("row").product(&a))
    });
    check("rows", &net, |n| {
        let a = n.get("a");
        weigh(&(a.rows_of(0..3).square() * a.rows_of(2..5)))
    });
    check("concat", &net, |n| {
        let (a, b) = (n.get("a"), n.get("col"));
        weigh(&F::concat(&[&a, &b, &a]).square())
    });
    check("stack", &net, |n| {
        let (a, b) = (n.get("a"), n.get("row"));
        weigh(&F::stack(&[&a, &b, &a]).square())
    });
    check("sum_columns", &net, |n| weigh(&n.get("a").square().sum_columns()));
}

fn data(rows: usize, cols: usize, seed: u64) -> F {
    let mut rng = Rng::new(seed, "data");
    F::with(rows, cols, |x| x.iter_mut().for_each(|x| *x = rng.normal()))
}

/// Linear layers have the gradients of differences with every activation, on an input of which only some columns lead
/// to the network.
#[test]
fn layers() {
    for act in [Activation::Identity, Activation::Relu, Activation::LeakyRelu, Activation::Tanh] {
        let mut rng = Rng::new(4, "layers");
        let mut b = Builder::new(&mut rng);
        let inner = Linear::new(&mut b, "inner", 3, 4, act, Init::Xavier(1.0));
        let outer = Linear::new(&mut b, "outer", 9, 3, act, Init::Xavier(1.0));
        let net = Net(b.finish());
        let (x, left, right) = (data(6, 3, 1), data(6, 2, 2), data(6, 3, 3));
        check(&format!("{act:?}"), &net, |n| {
            let e = inner.forward(&n.0, &x);
            weigh(&outer.forward(&n.0, &F::concat(&[&left, &e, &right]))) + weigh(&e.square())
        });
    }
    let mut rng = Rng::new(5, "layers");
    let mut b = Builder::new(&mut rng);
    let mlp = Mlp::new(&mut b, &[3, 7, 5, 2], Activation::Relu, &[Init::FanIn; 3]);
    let net = Net(b.finish());
    check("mlp", &net, |n| weigh(&mlp.forward(&n.0, &data(6, 3, 4))));
}

/// Every cell, unrolled over a window whose rows start at different steps, equals step after step, and its gradient is
/// right.
#[test]
fn cells() {
    for kind in [CellKind::Elman, CellKind::ElmanRelu, CellKind::Gru, CellKind::Lstm] {
        let mut rng = Rng::new(6, "cells");
        let mut b = Builder::new(&mut rng);
        let cell = Cell::new(&mut b, "cell", kind, 3, 4);
        let start = b.add("start", 5, cell.state_size(), Init::Uniform(1.0));
        let net = Net(b.finish());
        let x = data(15, 3, 5);
        let starts = [0, 2, 1, 0, 3];
        let stepwise = |n: &Net| {
            let gates = cell.input(&n.0, &x);
            let mut state = F::param(&n.0, start);
            let mut all = Vec::new();
            for t in 0..3 {
                let next = cell.step(&n.0, &gates.rows_of(5 * t..5 * (t + 1)), &state);
                let active = F::with(5, 1, |m| {
                    m.iter_mut().zip(starts).for_each(|(m, start)| *m = f64::from(u8::from(t >= start)));
                });
                state = &next * &active + &state * (-&active + 1.0);
                all.push(state.clone());
            }
            F::stack(&all.iter().collect::<Vec<_>>())
        };
        let unrolled =
            |n: &Net| cell.unroll(&n.0, &cell.input(&n.0, &x), &F::param(&n.0, start), Steps::From(starts.into()));
        assert_eq!(stepwise(&net).data(), unrolled(&net).data(), "{kind:?}");
        let loss = |y: F| weigh(&y) + weigh(&cell.output(&y.rows_of(10..15)).square());
        check(&format!("{kind:?} step by step"), &net, |n| loss(stepwise(n)));
        check(&format!("{kind:?} unrolled"), &net, |n| loss(unrolled(n)));
    }
}

/// Gaussian log-densities, with one log-std for all rows and with one for each, and the squashed sample have the
/// gradients of differences.
#[test]
fn densities() {
    let mut rng = Rng::new(7, "densities");
    let mut b = Builder::new(&mut rng);
    for (name, rows) in [("x", 5), ("mean", 5), ("wide", 5), ("row", 1)] {
        b.add(name, rows, 3, Init::Uniform(0.8));
    }
    let net = Net(b.finish());
    for name in ["wide", "row"] {
        check(name, &net, |n| weigh(&F::gaussian_log_prob(&n.get("x"), &n.get("mean"), &n.get(name))));
    }
    let noise = data(5, 3, 6);
    check("squashed", &net, |n| weigh(&F::squashed_sample(&n.get("mean"), &n.get("wide"), &noise).square()));
}

/// The fused densities equal their definitions.
#[test]
fn densities_equal_their_definitions() {
    let (mean, log_std, noise) = (data(4, 3, 1), data(4, 3, 2) * 0.3, data(4, 3, 3));
    let q = &mean + log_std.exp() * &noise;
    let normal = |q: &F| {
        let z = (q - &mean) / log_std.exp();
        (z.square() * -0.5 - &log_std - 0.5 * (2.0 * std::f64::consts::PI).ln()).sum_columns()
    };
    let fused = F::gaussian_log_prob(&q, &mean, &log_std);
    let t = q.tanh();
    let squashed = normal(&q) - (-t.square() + (1.0 + 1e-6)).ln().sum_columns();
    let sample = F::squashed_sample(&mean, &log_std, &noise);
    for i in 0..4 {
        assert!((fused.data()[i] - normal(&q).data()[i]).abs() < 1e-12);
        assert!((sample.data()[i * 4 + 3] - squashed.data()[i]).abs() < 1e-12);
        for j in 0..3 {
            assert!((sample.data()[i * 4 + j] - t.data()[i * 3 + j]).abs() < 1e-14);
        }
    }
}

/// A density refuses deviations that are neither one row for all nor one row for each.
#[test]
#[should_panic(expected = "log-std (5, 1) of a mean (5, 3)")]
fn a_density_refuses_a_column_of_deviations() {
    F::gaussian_log_prob(&data(5, 3, 1), &data(5, 3, 2), &data(5, 1, 3));
}

/// Gradients go to the network that was asked for, even through its own clone, and other networks cost nothing.
#[test]
fn only_the_network_that_is_asked_for_moves() {
    let net = matrices(8);
    let target = net.clone();
    let loss = || (net.get("a") * target.get("b")).sum();
    let g = gradient(&loss(), &net);
    let (a, b) = (net.0.slot("a").range(), net.0.slot("b").range());
    assert_eq!(&g[a.clone()], &target.0.data()[b.clone()]);
    assert!(g[b].iter().all(|&g| g == 0.0), "the clone's parameters are its own");
}

/// A second backward pass through one graph is refused.
#[test]
#[should_panic(expected = "an earlier backward pass has consumed")]
fn a_graph_is_used_once() {
    let net = matrices(9);
    let a = net.get("a").square();
    gradient(&a.sum(), &net);
    gradient(&a.sum(), &net);
}

/// A loss that does not reach the network is refused.
#[test]
#[should_panic(expected = "does not depend on the network")]
fn a_loss_must_reach_the_network() {
    let (net, other) = (matrices(10), matrices(10));
    gradient(&other.get("a").sum(), &net);
}

/// Adam's steps equal its definition, with and without clipping of the gradient's norm.
#[test]
fn adam_is_adam() {
    for max_norm in [None, Some(0.5)] {
        let mut net = matrices(11);
        let mut adam = Adam::new(&net, 0.01);
        adam.max_norm = max_norm;
        let n = net.0.data().len();
        let (mut p, mut m, mut v) = (net.0.data().to_vec(), vec![0.0; n], vec![0.0; n]);
        for t in 1..=5 {
            let loss = |n: &Net| (n.get("a") * n.get("b")).square().sum() + n.get("row").exp().sum();
            let g = gradient(&loss(&net), &net);
            let norm = {
                let l = loss(&net);
                adam.minimize(&mut net, &l)
            };
            let exact: f64 = g.iter().map(|g| g * g).sum::<f64>().sqrt();
            assert!((norm - exact).abs() < 1e-12 && norm > 0.5, "a norm to be clipped: {norm}");
            let scale = max_norm.map_or(1.0, |max| (max / norm).min(1.0));
            for i in 0..n {
                let g = g[i] * scale;
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let (mh, vh) = (m[i] / (1.0 - 0.9f64.powi(t)), v[i] / (1.0 - 0.999f64.powi(t)));
                p[i] -= 0.01 * mh / (vh.sqrt() + 1e-8);
                assert!((p[i] - net.0.data()[i]).abs() < 1e-12);
            }
        }
    }
}

/// A chain of a hundred thousand steps is differentiated, and dropped, without exhausting the stack.
#[test]
fn long_chains_drop() {
    let net = matrices(12);
    let chain = || (0..100_000).fold(net.get("one"), |x, _| x + 1.0);
    drop(chain());
    assert_eq!(gradient(&chain(), &net)[net.0.slot("one").range()], [1.0]);
}

/// PPO's clipped ratio of (a, z') with its entropy bonus, for policies with every cell and for one without memory, and
/// the loss of their value functions have the gradients of differences: some ratios are clipped on either side, and
/// advantages have both signs.
#[test]
fn ppo_losses() {
    let (rows, o, a) = (9, 3, 2);
    let mut coordinates = 0;
    let kinds = [None, Some(CellKind::Gru), Some(CellKind::Lstm), Some(CellKind::Elman), Some(CellKind::ElmanRelu)];
    for (seed, kind) in kinds.into_iter().enumerate() {
        let mut rng = Rng::new(seed as u64, "ppo");
        let cell = kind.unwrap_or(CellKind::Gru);
        let shape = ActorShape {
            o,
            a,
            a_prev: a,
            features: 5,
            core: CoreShape::cell(cell, 4),
            kind: PolicyKind::Shortcut,
            head: Head::Gaussian { std: 0.6, state_std: 0.4 },
        };
        let memory = kind.map_or(Memory::None, |kind| Memory::Stochastic { z: kind.state_size(4) });
        let mut actor: Actor<f64> = Actor::new(memory, &shape, &mut rng);
        let z = actor.state_size();
        let value = ValueShape {
            view: View::Observation,
            world: o,
            z,
            a_prev: if z > 0 { a } else { 0 },
            features: 5,
            gain: 0.01,
            core: None,
        };
        let mut value: Value<f64> = Value::new(value, &mut rng);
        // Initial weights are tiny; these make every layer matter.
        actor.params_mut().data_mut().iter_mut().for_each(|x| *x += 0.3 * rng.normal());
        value.params_mut().data_mut().iter_mut().for_each(|x| *x += 0.3 * rng.normal());
        let x = Context {
            a_prev: (z > 0).then(|| data(rows, a, 12)),
            z: (z > 0).then(|| data(rows, z, 13)),
            ..Context::of(data(rows, o, 11))
        };
        let dist = actor.dist(&x);
        let u = dist.sample(&mut rng);
        let now = dist.log_prob(&u).joint();
        let old = F::new(rows, 1, now.data()) + data(rows, 1, 14) * 0.4;
        let advantage = data(rows, 1, 15);
        let ratios: Vec<f64> = now.data().iter().zip(old.data()).map(|(now, old)| (now - old).exp()).collect();
        assert!(ratios.iter().any(|r| *r > 1.2) && ratios.iter().any(|r| *r < 0.8), "{ratios:?}");
        assert!(ratios.iter().any(|r| (r - 1.0).abs() < 0.2), "{ratios:?}");
        assert!(advantage.data().iter().any(|x| *x > 0.0) && advantage.data().iter().any(|x| *x < 0.0));
        check(&format!("policy {kind:?}"), &actor, |actor| {
            let dist = actor.dist(&x);
            surrogate(&dist.log_prob(&u).joint(), &old, &advantage, 0.2) - dist.entropy() * 0.01
        });
        let target = data(rows, 1, 16);
        check(&format!("value {kind:?}"), &value, |value| (value.value(&x, None) - &target).square().mean());
        coordinates += actor.params().data().len() + value.params().data().len();
    }
    println!("PPO's losses: {coordinates} coordinates");
}

/// The losses of SAC and TD3 have the gradients of differences by policy and critic, for every memory and cell and
/// every kind of critic: the draws are differentiated through (reparameterisation), squashed or not, and so are the
/// critics by a and z'.
#[test]
fn off_policy_losses() {
    let (rows, o, s, a) = (6, 3, 5, 2);
    let mut coordinates = 0;
    let bptt = |kind: CellKind| Memory::Bptt { h: kind.state_size(4), len: 3 };
    let rs = |kind: CellKind| Memory::Stochastic { z: kind.state_size(4) };
    let cells = [CellKind::Gru, CellKind::Lstm, CellKind::Elman, CellKind::ElmanRelu];
    let mut kinds: Vec<(Memory, CellKind)> =
        cells.iter().flat_map(|&kind| [(rs(kind), kind), (bptt(kind), kind)]).collect();
    kinds.extend([(Memory::None, CellKind::Gru), (Memory::Window { len: 3 }, CellKind::Gru)]);
    for (seed, (memory, cell)) in kinds.into_iter().enumerate() {
        let mut rng = Rng::new(seed as u64, "off policy");
        let (low, high) = (vec![-1.0, -0.4], vec![1.0, 1.2]);
        let steps = if let Memory::Bptt { len, .. } = memory { len } else { 1 };
        let windows = if let Memory::Window { len } = memory { len } else { 1 };
        let z = if let Memory::Stochastic { z } = memory { z } else { 0 };
        let h = if let Memory::Bptt { h, .. } = memory { h } else { 0 };
        let x = Context {
            s: Some(data(rows, s, 22)),
            a_prev: Some(data(steps * rows, a, 23)),
            z: (z > 0).then(|| data(rows, z, 24)),
            h: (h > 0).then(|| data(rows, h, 25)),
            lengths: (steps > 1).then(|| vec![3, 1, 2, 3, 3, 2]),
            ..Context::of(data(steps * rows, windows * o, 21))
        };
        let noise = Extended { a: data(rows, a, 26), z: (z > 0).then(|| data(rows, z, 27)) };
        let y = data(rows, 1, 28);
        let mut critics = vec![(QKind::Plain { gain: 1.0 }, View::State)];
        if z > 0 {
            critics.push((QKind::Encoders, View::State));
        }
        if steps > 1 {
            critics.push((QKind::Recurrent { core: CoreShape::cell(cell, 4) }, View::Observation));
        }
        for (kind, view) in critics {
            let world = if view == View::State { s } else { o };
            let shape = QShape { view, world, z, a, a_prev: kind == QKind::Encoders, features: 6, kind };
            let mut q: [Q<f64>; 2] = [(); 2].map(|()| Q::new(shape.clone(), &mut rng));
            for q in &mut q {
                q.params_mut().data_mut().iter_mut().for_each(|x| *x += 0.3 * rng.normal());
            }
            let name = format!("{memory:?} {cell:?} {kind:?}");
            for is_sac in [true, false] {
                let head = match is_sac {
                    true => Head::Squashed { low: low.clone(), high: high.clone(), std: 0.7, state_std: 0.5 },
                    false => {
                        let (low, high) = (low.clone(), high.clone());
                        Head::Deterministic { low, high, scale: None, std: 0.1, state_std: 0.1 }
                    }
                };
                let shape = ActorShape {
                    o,
                    a,
                    a_prev: a,
                    features: 5,
                    core: CoreShape::cell(cell, 4),
                    kind: PolicyKind::Shortcut,
                    head,
                };
                let mut actor: Actor<f64> = Actor::new(memory, &shape, &mut rng);
                actor.params_mut().data_mut().iter_mut().for_each(|x| *x += 0.2 * rng.normal());
                check(&format!("policy {name} {is_sac}"), &actor, |actor| {
                    let dist = actor.dist(&x);
                    if !is_sac {
                        return -q[0].value(&x, Some(&dist.mean())).mean();
                    }
                    let (u, log_prob) = dist.reparameterised(&noise);
                    let least = q[0].value(&x, Some(&u)).min(&q[1].value(&x, Some(&u)));
                    let loss = log_prob.a * 0.3 - least;
                    log_prob.z.map_or(loss.clone(), |z| loss + z * 0.1).mean()
                });
                let u = actor.dist(&x).sample(&mut rng);
                check(&format!("critic {name} {is_sac}"), &q[0], |q| (q.value(&x, Some(&u)) - &y).square().mean());
                coordinates += actor.params().data().len() + q[0].params().data().len();
            }
        }
    }
    println!("losses of SAC and TD3: {coordinates} coordinates");
}

/// A policy whose core runs by itself has the gradients of differences, in each way to make actions of the core and
/// with each head, and so has a critic, which reads waves in place of phases: by the policy through the critic, and by
/// the critic.
#[test]
fn cores_that_run_by_themselves() {
    use PolicyKind::{Additive, Blind, BlindAdditive, BlindPost, Mixed, MixedRaw, Post};
    let (rows, o, a, units) = (5, 3, 2, 2);
    let clock = Clock { solver: Solver::Rk4, dt: 0.1 };
    let core = CoreShape::BuiltIn { kind: CoreKind::Cpg, units, clock };
    let z = core.state_size();
    let x = Context { z: Some(data(rows, z, 31)), ..Context::of(data(rows, o, 32)) };
    let noise = Extended { a: data(rows, a, 33), z: Some(data(rows, z, 34)) };
    let (low, high) = (vec![-1.0, -0.4], vec![1.0, 1.2]);
    let heads = [
        Head::Gaussian { std: 0.6, state_std: 0.4 },
        Head::Squashed { low: low.clone(), high: high.clone(), std: 0.7, state_std: 0.5 },
        Head::Deterministic { low, high, scale: None, std: 0.1, state_std: 0.1 },
    ];
    let mut coordinates = 0;
    for kind in [Blind, BlindPost, BlindAdditive, Post, Additive, Mixed, MixedRaw] {
        for head in &heads {
            let mut rng = Rng::new(5, "by itself");
            let shape = ActorShape { o, a, a_prev: a, features: 4, core, kind, head: head.clone() };
            let mut actor: Actor<f64> = Actor::new(Memory::Stochastic { z }, &shape, &mut rng);
            let (reads, q) = (core.critic_size(), QKind::Plain { gain: 1.0 });
            let q = QShape { view: View::Observation, world: o, z: reads, a, a_prev: false, features: 4, kind: q };
            let mut q = Q::new(q, &mut rng).reading(core);
            actor.params_mut().data_mut().iter_mut().for_each(|x| *x += 0.3 * rng.normal());
            q.params_mut().data_mut().iter_mut().for_each(|x| *x += 0.3 * rng.normal());
            check(&format!("policy {kind:?} {head:?}"), &actor, |actor| {
                let dist = actor.dist(&x);
                match head {
                    Head::Gaussian { .. } => dist.log_prob(&noise).joint().mean(),
                    Head::Squashed { .. } => {
                        let (u, log_prob) = dist.reparameterised(&noise);
                        (log_prob.joint() * 0.3 - q.value(&x, Some(&u))).mean()
                    }
                    Head::Deterministic { .. } => -q.value(&x, Some(&dist.mean())).mean(),
                }
            });
            let u = actor.dist(&x).sample(&mut rng);
            check(&format!("critic {kind:?}"), &q, |q| q.value(&x, Some(&u)).square().mean());
            coordinates += actor.params().data().len() + q.params().data().len();
        }
    }
    println!("policies whose core runs by itself: {coordinates} coordinates");
}
