//! Segments, the family between S2PG and backpropagation through time: what is shown, what is drawn, and its gradient.

mod runs;

use s2pg::Rng;
use s2pg::algo::gae::gae;
use s2pg::algo::on_policy::values;
use s2pg::algo::pair::{self, ClipState, Old};
use s2pg::algo::ppo::{self, Ppo};
use s2pg::algo::reinforce::{self, Reinforce};
use s2pg::algo::{Algorithm, Progress};
use s2pg::data::{Buffer, Rollout, RolloutShape, Transition};
use s2pg::experiment::Estimator;
use s2pg::nn::{CellKind, Params, Real, Tensor, gradient};
use s2pg::policy::{
    Actor, ActorShape, Context, CoreShape, Critic, Extended, Head, Memory, PolicyKind, StatefulPolicy, Value,
    ValueShape, View,
};
use s2pg::train::Recall;

const O: usize = 3;
const A: usize = 2;
const UNITS: usize = 4;

/// A policy whose weights are `spread` apart from the tiny ones that it begins with.
fn actor<T: Real>(memory: Memory, cell: CellKind, spread: f64, rng: &mut Rng) -> Actor<T> {
    let head = Head::Gaussian { std: 0.6, state_std: 0.4 };
    let kind = PolicyKind::Shortcut;
    let shape = ActorShape { o: O, a: A, a_prev: A, features: 5, core: CoreShape::cell(cell, UNITS), kind, head };
    let mut actor = Actor::new(memory, &shape, rng);
    actor.params_mut().data_mut().iter_mut().for_each(|x| *x += T::of(spread * rng.normal()));
    actor
}

fn numbers(n: usize, rng: &mut Rng) -> Vec<f32> {
    (0..n).map(|_| rng.normal() as f32).collect()
}

/// A rollout that the policy made in environments of random observations and ends, and the log-density of each row as
/// it was drawn.
fn acted(policy: &Actor, steps: usize, envs: usize, ends: usize, rng: &mut Rng) -> (Rollout, Vec<f64>) {
    let memory = policy.memory();
    let shape = RolloutShape { steps, envs, o: O, a: A, memory, a_prev: true, ..RolloutShape::default() };
    let mut data = Rollout::new(shape);
    let mut recall = Recall::new(envs, memory, O, A, false, rng.bits());
    let mut densities = Vec::new();
    let mut o = numbers(envs * O, rng);
    for _ in 0..steps {
        if data.is_nearly_full() {
            recall.close();
        }
        let dist = policy.dist(&recall.context(&o, &vec![0.0; envs]));
        let u = dist.sample(rng);
        densities.extend(dist.log_prob(&u).joint().data().iter().map(|&x| f64::from(x)));
        let state = u.z.as_ref().or(dist.h.as_ref()).expect("the policy has a state");
        let dropped: Vec<bool> = (0..envs).map(|_| rng.below(4 * ends) == 0).collect();
        let terminated: Vec<bool> = dropped.iter().map(|dropped| !dropped && rng.below(ends) == 0).collect();
        let truncated: Vec<bool> =
            dropped.iter().zip(&terminated).map(|(d, t)| *d || (!t && rng.below(ends) == 0)).collect();
        let r: Vec<f64> = (0..envs).map(|_| rng.normal()).collect();
        let next_o = numbers(envs * O, rng);
        data.push(&Transition {
            o: &o,
            a_prev: recall.a_prev(),
            z: recall.z(),
            a: u.a.data(),
            z_next: state.data(),
            r: &r,
            terminated: &terminated,
            truncated: &truncated,
            dropped: &dropped,
            closes: recall.closes(),
            next_o: &next_o,
            ..Transition::default()
        });
        recall.remember(&dist, &u, &u.a);
        (0..envs).filter(|&e| terminated[e] || truncated[e]).for_each(|e| recall.reset(e));
        o = next_o;
    }
    (data, densities)
}

/// The kinds of segments: all entries drawn, some of them, none.
fn kinds(len: usize, z: usize) -> [Memory; 3] {
    [z, z / 2, 0].map(|drawn| Memory::Segments { z, len, drawn })
}

/// No segment crosses an episode, a failed step or the draw at its end; each row to learn from stands in one group, in
/// the order in which segments are packed.
#[test]
fn no_segment_crosses_an_episode() {
    let cases = std::env::var("S2PG_CASES").map_or(20_000, |n| n.parse().expect("a number"));
    let mut rng = Rng::new(0, "segments");
    let mut ragged = 0;
    for _ in 0..cases {
        let (steps, envs, len) = (1 + rng.below(12), 1 + rng.below(3), 1 + rng.below(6));
        let memory = Memory::Segments { z: 1, len, drawn: 1 };
        let mut data =
            Rollout::new(RolloutShape { steps, envs, o: 1, a: 1, memory, a_prev: false, ..RolloutShape::default() });
        // The segment that each row belongs to: a number of its own.
        let (mut segment, mut of, mut next) = ((0..envs).collect::<Vec<usize>>(), Vec::<usize>::new(), envs);
        let (mut lost, mut ends) = (Vec::new(), Vec::new());
        for t in 0..steps {
            let each = |rng: &mut Rng, n| (0..envs).map(|_| rng.below(n) == 0).collect::<Vec<bool>>();
            let (dropped, truncated, mut closes) = (each(&mut rng, 9), each(&mut rng, 6), each(&mut rng, len));
            if t + 1 == steps {
                closes.fill(true);
            }
            let z: Vec<f32> = segment.iter().map(|&s| s as f32).collect();
            data.push(&Transition {
                o: &z,
                z: &z,
                a: &vec![t as f32; envs],
                z_next: &z,
                r: &vec![0.0; envs],
                terminated: &vec![false; envs],
                truncated: &truncated,
                dropped: &dropped,
                closes: &closes,
                next_o: &z,
                ..Transition::default()
            });
            of.extend(&segment);
            for e in 0..envs {
                if dropped[e] || truncated[e] || closes[e] {
                    segment[e] = next;
                    next += 1;
                }
            }
            lost.extend(dropped);
            ends.extend(closes);
        }
        let size = 1 + rng.below(9);
        let all = [data.policy_groups(size), data.policy_minibatches(size, &mut rng)];
        for groups in all {
            let mut shown: Vec<usize> = groups.iter().flatten().copied().collect();
            shown.sort_unstable();
            assert_eq!(shown, (0..of.len()).filter(|&k| !lost[k]).collect::<Vec<_>>(), "each row once");
            for rows in groups {
                let x = data.policy_context(&rows);
                let counts = x.segments.unwrap();
                ragged += usize::from(counts.first() != counts.last());
                let starts: Vec<usize> = x.z.unwrap().data().iter().map(|&z| z as usize).collect();
                let past = rows.len().saturating_sub(size);
                assert!(2 * past <= counts.len() || starts.len() == 1, "{} rows in a group of {size}", rows.len());
                let drawn = x.drawn.unwrap();
                let mut i = 0;
                for &count in &*counts {
                    for segment in &starts[..count] {
                        assert_eq!(of[rows[i]], *segment, "the rows of step after step, of the longest segments first");
                        assert_eq!(drawn[i], ends[rows[i]]);
                        i += 1;
                    }
                }
                assert_eq!(i, rows.len());
            }
        }
        // REINFORCE shows a part of an episode from the start of its segment on.
        for k in (0..of.len()).filter(|&k| !lost[k]) {
            for (rows, samples) in data.shown(&[k], 250) {
                assert_eq!((rows.last(), samples), (Some(&k), 1));
                assert!(rows.iter().all(|&row| of[row] == of[k]) && (rows[0] < envs || of[rows[0] - envs] != of[k]));
            }
        }
    }
    assert!(ragged > cases / 10, "{ragged} groups have segments of different lengths");
}

/// The first segment of an episode has every length from 1 to K equally often, and every other segment K steps, but for
/// the end of an episode and that of a rollout.
#[test]
fn the_first_segment_has_a_random_length() {
    const K: usize = 4;
    let mut recall = Recall::new(1, Memory::Segments { z: 1, len: K, drawn: 1 }, 1, 1, false, 7);
    let policy: Actor = {
        let head = Head::Gaussian { std: 0.6, state_std: 0.4 };
        let (cell, kind) = (CellKind::Elman, PolicyKind::Shortcut);
        let shape = ActorShape { o: 1, a: 1, a_prev: 1, features: 2, core: CoreShape::cell(cell, 1), kind, head };
        Actor::new(Memory::Segments { z: 1, len: K, drawn: 1 }, &shape, &mut Rng::new(0, "policy"))
    };
    let mut counts = [0; K];
    for episode in 0..4000 {
        let mut since = 0;
        let mut first = true;
        for _ in 0..11 {
            let dist = policy.dist(&recall.context(&[0.0], &[0.0]));
            since += 1;
            if recall.closes()[0] {
                if first {
                    counts[since - 1] += 1;
                } else {
                    assert_eq!(since, K, "in episode {episode}");
                }
                (first, since) = (false, 0);
            }
            let u = dist.mean();
            recall.remember(&dist, &u, &u.a);
        }
        recall.reset(0);
    }
    assert!(counts.iter().all(|&n| (880..1120).contains(&n)), "{counts:?}");
}

/// The log-densities of unrolled segments are those with which the rows were drawn, to 1e-6 of their size.
#[test]
fn unrolled_densities_are_those_of_acting() {
    let mut worst = 0.0f64;
    let mut rng = Rng::new(1, "unrolled");
    for cell in [CellKind::Gru, CellKind::Lstm, CellKind::Elman, CellKind::ElmanRelu] {
        for len in [1, 3, 7, 100] {
            for memory in kinds(len, cell.state_size(UNITS)) {
                // With larger weights the state of a ReLU cell grows from step to step, and its rounding with it.
                let policy = actor(memory, cell, 0.2, &mut rng);
                let (data, drawn) = acted(&policy, 60, 2, 9, &mut rng);
                for rows in data.policy_groups(20) {
                    let shown = policy.dist(&data.policy_context(&rows)).log_prob(&data.extended(&rows)).joint();
                    for (&k, &x) in rows.iter().zip(shown.data()) {
                        worst = worst.max((f64::from(x) - drawn[k]).abs() / (1.0 + drawn[k].abs()));
                    }
                }
            }
        }
    }
    println!("unrolled densities: off by {worst:e}");
    assert!(worst < 1e-6, "unrolled densities are off by {worst:e}");
}

/// The gradient through ragged segments is that of differences, for all cells, drawn or not: of the density, the
/// divergence and the entropy.
#[test]
fn gradients_go_back_to_the_start_of_a_segment() {
    type F = Tensor<f64>;
    let mut rng = Rng::new(2, "gradients");
    let (rows, counts) = (9, [4, 3, 1, 1]);
    let mut coordinates = 0;
    for cell in [CellKind::Gru, CellKind::Lstm, CellKind::Elman, CellKind::ElmanRelu] {
        for memory in kinds(4, cell.state_size(UNITS)) {
            let mut random = |rows, n| F::with(rows, n, |x| x.iter_mut().for_each(|x| *x = rng.normal()));
            let z = memory.z();
            let x = Context {
                a_prev: Some(random(rows, A)),
                z: Some(random(counts[0], z)),
                segments: Some(counts.into()),
                drawn: Some([false, false, false, true, false, true, true, false, true].into()),
                ..Context::of(random(rows, O))
            };
            let (u, weights) = (Extended { a: random(rows, A), z: Some(random(rows, z)) }, random(rows, 1));
            let policy: Actor<f64> = actor(memory, cell, 0.3, &mut rng);
            let other: Actor<f64> = actor(memory, cell, 0.3, &mut rng);
            let of_other = other.dist(&x).detach();
            let loss = |policy: &Actor<f64>| {
                let dist = policy.dist(&x);
                (dist.log_prob(&u).joint() * &weights).sum() + (of_other.kl(&dist) * &weights).sum() + dist.entropy()
            };
            let exact = gradient(&loss(&policy), &policy);
            let largest = exact.iter().fold(1e-3f64, |a, g| a.max(g.abs()));
            let mut moved = policy.clone();
            let step = 1e-5;
            for (i, exact) in exact.iter().enumerate() {
                let mut at = |x: f64| {
                    moved.params_mut().data_mut()[i] = policy.params().data()[i] + x;
                    let y = loss(&moved).item();
                    moved.params_mut().data_mut()[i] = policy.params().data()[i];
                    y
                };
                let difference = (8.0 * (at(step) - at(-step)) - (at(2.0 * step) - at(-2.0 * step))) / (12.0 * step);
                let error = (difference - exact).abs() / largest;
                assert!(error < 1e-7, "{cell:?} {memory:?}: entry {i} is off by {error:e}");
            }
            coordinates += exact.len();
        }
    }
    println!("segments: {coordinates} coordinates");
}

/// REINFORCE's score of an episode is the gradient of the unrolled density, and the scores of its steps, of which each is
/// shown from the start of its segment on (GPOMDP), add up to it.
#[test]
fn scores_go_back_to_the_start_of_a_segment() {
    let mut rng = Rng::new(3, "scores");
    for cell in [CellKind::Gru, CellKind::Lstm] {
        for memory in kinds(4, cell.state_size(UNITS)) {
            let policy: Actor = actor(memory, cell, 0.3, &mut rng);
            let (data, _) = acted(&policy, 30, 1, 1_000_000, &mut rng);
            let density = |rows: Vec<usize>| {
                let log_prob = policy.dist(&data.policy_context(&rows)).log_prob(&data.extended(&rows));
                gradient(&log_prob.joint().sum(), &policy)
            };
            let sum =
                |parts: Vec<Vec<f64>>| parts.into_iter().reduce(|a, b| a.iter().zip(b).map(|(a, b)| a + b).collect());
            let wide = |g: Vec<f32>| g.into_iter().map(f64::from).collect::<Vec<f64>>();
            let unrolled = sum(data.policy_groups(7).into_iter().map(|rows| wide(density(rows))).collect()).unwrap();
            let reinforce = Reinforce::new(policy.clone(), reinforce::Settings::default());
            let rows = data.rows();
            let episode = reinforce.score(&data, &rows);
            let steps = sum(rows.iter().map(|&k| reinforce.score(&data, &[k])).collect()).unwrap();
            let largest = unrolled.iter().fold(0.0f64, |most, g| most.max(g.abs()));
            for ((g, episode), steps) in unrolled.iter().zip(episode).zip(steps) {
                assert!((g - episode).abs().max((g - steps).abs()) < 1e-5 * largest, "{g}, {episode}, {steps}");
            }
        }
    }
}

/// Segments of one step are S2PG: what is drawn, stored and learned has the same bits as where there are no segments.
#[test]
fn segments_of_one_step_are_s2pg() {
    let of = |memory: Memory| {
        let mut rng = Rng::new(4, "one step");
        let z = memory.z();
        let policy: Actor = actor(memory, CellKind::Gru, 0.3, &mut rng);
        let value = value(z, &mut rng);
        let (mut data, drawn) = acted(&policy, 40, 2, 9, &mut rng);
        let settings = ppo::Settings { minibatch: 8, epochs: 3, lr: 1e-2.into(), ..ppo::Settings::default() };
        let mut ppo = Ppo::new(policy, value, settings, 1);
        ppo.set_progress(Progress::START);
        let figures = ppo.update(&mut data, &mut rng);
        (drawn, figures, ppo.policy().params().data().to_vec(), ppo.value().params().data().to_vec())
    };
    assert_eq!(of(Memory::Stochastic { z: UNITS }), of(Memory::Segments { z: UNITS, len: 1, drawn: UNITS }));
}

fn value(z: usize, rng: &mut Rng) -> Value {
    let shape = ValueShape { view: View::Observation, world: O, z, a_prev: A, features: 5, gain: 1.0, core: None };
    Value::new(shape, rng)
}

/// A clip of its own for each factor keeps the gradient at the old policy: that of the joint surrogate, in every
/// minibatch.
#[test]
fn clips_of_their_own_keep_the_gradient() {
    let mut rng = Rng::new(5, "clips");
    for memory in [Memory::Stochastic { z: UNITS }, Memory::Segments { z: UNITS, len: 3, drawn: 2 }] {
        let policy: Actor = actor(memory, CellKind::Gru, 0.3, &mut rng);
        let (data, _) = acted(&policy, 60, 2, 9, &mut rng);
        let old = Old::of(&policy, &data);
        let advantages: Vec<f64> = (0..data.len()).map(|_| rng.normal()).collect();
        for rows in data.policy_minibatches(20, &mut rng) {
            let advantage = Tensor::with(rows.len(), 1, |x| {
                x.iter_mut().zip(&rows).for_each(|(x, &k)| *x = advantages[k] as f32);
            });
            let u = data.extended(&rows);
            let of = |clip_state| {
                let dist = policy.dist(&data.policy_context(&rows));
                let pair = pair::loss((&dist, &u), (&old, &rows), (&advantage, &advantages), (0.2, clip_state));
                (gradient(&pair.loss, &policy), pair.moved, pair.clipped)
            };
            let (joint, own) = (of(ClipState::Joint), of(ClipState::Own(0.1)));
            let largest = joint.0.iter().fold(0.0f32, |most, g| most.max(g.abs()));
            for (joint, own) in joint.0.iter().zip(&own.0) {
                assert!((joint - own).abs() < 2e-5 * largest, "{joint} and {own} of at most {largest}");
            }
            for (moved, clipped) in [(joint.1, joint.2), (own.1, own.2)] {
                assert!(moved.iter().all(|x| x.abs() < 1e-6) && clipped == [0.0; 2], "{moved:?} {clipped:?}");
            }
        }
    }
}

/// The advantage of z' itself leaves out of the whole advantage what the draw of z' does not decide: the difference is
/// r + γ V(o', η) - V(x), whatever z' was drawn, so the expected gradient is the same. A row that draws no z', or with
/// which the task ends, has none.
#[test]
fn the_advantage_of_z_leaves_out_what_its_draw_does_not_decide() {
    let (gamma, lambda) = (0.9, 0.8);
    let mut rng = Rng::new(6, "advantage");
    for memory in [UNITS, 2].map(|drawn| Memory::Segments { z: UNITS, len: 3, drawn }) {
        let policy: Actor = actor(memory, CellKind::Gru, 0.3, &mut rng);
        let value = value(UNITS, &mut rng);
        let (data, _) = acted(&policy, 80, 2, 9, &mut rng);
        let (v, v_next) = values(&value, &data);
        let advantages = gae(&data, &v, &v_next, gamma, lambda).advantages;
        let of_state = pair::state_advantages((&policy, &value), &data, (&v_next, &advantages), (gamma, lambda));
        let mut differences = Vec::new();
        for rows in data.policy_groups(30) {
            let dist = policy.dist(&data.policy_context(&rows));
            // Entries that are not drawn are zero after the draw.
            let (mean, z) = (dist.mean().z.unwrap(), dist.z.unwrap());
            for (i, &k) in rows.iter().enumerate() {
                if data.terminated(k) || !z.is_drawn(i) {
                    assert_eq!(of_state[k], 0.0);
                    continue;
                }
                let mut x = data.next_context(&[k]);
                x.z = Some(mean.rows_of(i..i + 1));
                let rest = data.r()[k] + gamma * f64::from(value.value(&x, None).item()) - v[k];
                differences.push(advantages[k] - of_state[k] - rest);
            }
        }
        // What is left is the mean, which is taken off all.
        assert!(differences.len() > 30);
        assert!(differences.iter().all(|x| (x - differences[0]).abs() < 1e-5), "{differences:?}");
    }
}

/// The last step before an update ends the segment of every environment with a draw, in the loop of training itself.
#[test]
fn an_update_ends_all_segments() {
    for estimator in [Estimator::Rs(7), Estimator::Tbptt(7)] {
        let experiment = runs::experiment(("ppo".parse().unwrap(), estimator, "gru"), "PendulumPOMDP-v1", 2, 48, "");
        let mut training = runs::training(&experiment, 1);
        while training.step().unwrap().is_none() {}
        let columns = training.batch().0;
        let closes = &columns.iter().find(|(name, _)| name == "closes").expect("the rollout keeps them").1;
        let (rest, last) = closes.split_at(closes.len() - 2);
        assert_eq!(last, [1.0; 2], "{estimator}: {closes:?}");
        assert!(rest.contains(&0.0) && rest.contains(&1.0), "{estimator}: {closes:?}");
    }
}
