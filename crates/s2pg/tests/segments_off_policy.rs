//! Segments in a replay buffer: what is drawn from it, what is computed anew, and the gradient of SAC and TD3.

use s2pg::Rng;
use s2pg::algo::sac::{self, Sac};
use s2pg::algo::td3::{self, Td3};
use s2pg::algo::{Algorithm, Metrics};
use s2pg::data::{Buffer, Replay, ReplayShape, Transition};
use s2pg::nn::{CellKind, Params, Real, Tensor, gradient};
use s2pg::policy::{
    Actor, ActorShape, Context, CoreShape, Critic, Extended, Head, Memory, PolicyKind, Q, QKind, QShape,
    StatefulPolicy, View,
};
use s2pg::train::Recall;

const O: usize = 3;
const A: usize = 2;
const UNITS: usize = 4;

fn squashed() -> Head {
    Head::Squashed { low: vec![-1.0; A], high: vec![2.0; A], std: 0.6, state_std: 0.4 }
}

fn deterministic() -> Head {
    Head::Deterministic { low: vec![-1.0; A], high: vec![2.0; A], scale: None, std: 0.2, state_std: 0.3 }
}

/// A policy whose weights are apart from the tiny ones that it begins with.
fn actor<T: Real>(memory: Memory, cell: CellKind, head: Head, rng: &mut Rng) -> Actor<T> {
    let (core, kind) = (CoreShape::cell(cell, UNITS), PolicyKind::Shortcut);
    let mut actor = Actor::new(memory, &ActorShape { o: O, a: A, a_prev: A, features: 5, core, kind, head }, rng);
    actor.params_mut().data_mut().iter_mut().for_each(|x| *x += T::of(0.2 * rng.normal()));
    actor
}

fn critic<T: Real>(z: usize, rng: &mut Rng) -> Q<T> {
    let kind = QKind::Plain { gain: 1.0 };
    Q::new(QShape { view: View::Observation, world: O, z, a: A, a_prev: false, features: 6, kind }, rng)
}

fn numbers(n: usize, rng: &mut Rng) -> Vec<f32> {
    (0..n).map(|_| rng.normal() as f32).collect()
}

/// A replay buffer that the policy filled in environments of random observations and ends.
fn acted(policy: &Actor, size: usize, steps: usize, rng: &mut Rng) -> Replay {
    let (memory, envs, ends) = (policy.memory(), 2, 9);
    let mut data = Replay::new(ReplayShape { size, envs, o: O, a: A, memory, ..ReplayShape::default() });
    let mut recall = Recall::new(envs, memory, O, A, false, rng.bits());
    let mut o = numbers(envs * O, rng);
    for _ in 0..steps {
        let dist = policy.dist(&recall.context(&o, &vec![0.0; envs]));
        let u = dist.sample(rng);
        let state = u.z.as_ref().or(dist.h.as_ref()).expect("the policy has a state");
        let dropped: Vec<bool> = (0..envs).map(|_| rng.below(4 * ends) == 0).collect();
        let terminated: Vec<bool> = dropped.iter().map(|dropped| !dropped && rng.below(ends) == 0).collect();
        let truncated: Vec<bool> =
            dropped.iter().zip(&terminated).map(|(d, t)| *d || (!t && rng.below(ends) == 0)).collect();
        let r: Vec<f64> = (0..envs).map(|_| rng.normal()).collect();
        let next_o = numbers(envs * O, rng);
        data.push(&Transition {
            o: &o,
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
    data
}

/// A batch is whole segments: none crosses an episode, a draw, or the place where a ring's newest frame meets its
/// oldest; all rows are drawn equally often.
#[test]
fn no_segment_crosses_an_episode_or_the_seam() {
    let cases = std::env::var("S2PG_CASES").map_or(3_000, |n| n.parse().expect("a number"));
    let mut rng = Rng::new(0, "replayed segments");
    let (mut ragged, mut wrapped) = (0, 0);
    for case in 0..cases {
        let (envs, len, steps) = (1 + rng.below(3), 1 + rng.below(6), 4 + rng.below(40));
        let memory = Memory::Segments { z: 1, len, drawn: 1 };
        let size = envs * (3 + rng.below(20));
        let mut data = Replay::new(ReplayShape { size, envs, o: 1, a: 1, memory, ..ReplayShape::default() });
        // o is the number of the segment of a row, a the number of the row, and -z the state before it.
        let (mut segment, mut next) = ((0..envs).collect::<Vec<usize>>(), envs);
        let mut closing: Vec<bool> = Vec::new();
        for t in 0..steps {
            let each = |rng: &mut Rng, n| (0..envs).map(|_| rng.below(n) == 0).collect::<Vec<bool>>();
            let (dropped, truncated, closes) = (each(&mut rng, 9), each(&mut rng, 6), each(&mut rng, len));
            let o: Vec<f32> = segment.iter().map(|&s| s as f32).collect();
            let a: Vec<f32> = (0..envs).map(|e| (t * envs + e) as f32).collect();
            let (z, z_next): (Vec<f32>, Vec<f32>) = a.iter().map(|a| (-a, -a - envs as f32)).unzip();
            data.push(&Transition {
                o: &o,
                z: &z,
                a: &a,
                z_next: &z_next,
                r: &vec![0.0; envs],
                terminated: &vec![false; envs],
                truncated: &truncated,
                dropped: &dropped,
                closes: &closes,
                next_o: &o,
                ..Transition::default()
            });
            closing.extend(&closes);
            for e in (0..envs).filter(|&e| dropped[e] || truncated[e] || closes[e]) {
                segment[e] = next;
                next += 1;
            }
        }
        let kept = data.rows();
        if kept.is_empty() {
            continue;
        }
        wrapped += usize::from(kept.len() < steps * envs / 2);
        let number = |k: usize| data.extended(&[k]).a.item() as usize;
        let of = |k: usize| data.context(&[k]).o.item();
        let whole = |segment: f32| kept.iter().copied().filter(move |&k| of(k) == segment).collect::<Vec<usize>>();
        let mut replay = data.clone();
        let n = if case == 0 { 20_000 } else { 1 + rng.below(30) };
        let rows = replay.sample(n, &mut rng);
        let x = data.policy_context(&rows);
        let (counts, starts, drawn) = (x.segments.unwrap(), x.z.unwrap(), x.drawn.unwrap());
        assert!(rows.len() >= n && rows.len() < n + counts.len(), "{} rows for {n}", rows.len());
        ragged += usize::from(counts.first() != counts.last());
        let mut i = 0;
        for (t, &count) in counts.iter().enumerate() {
            for (segment, start) in starts.data()[..count].iter().enumerate() {
                let all = whole(of(rows[segment]));
                assert_eq!(rows[i], all[t], "the rows of step after step, of the longest segments first");
                assert_eq!(*start, -(number(all[0]) as f32), "the state before the first row");
                assert_eq!(drawn[i], closing[number(rows[i])]);
                assert_eq!(all.len(), counts.iter().filter(|&&count| count > segment).count(), "whole segments");
                i += 1;
            }
        }
        assert_eq!(i, rows.len());
        if case == 0 {
            let mean = rows.len() as f64 / kept.len() as f64;
            for &k in &kept {
                let count = rows.iter().filter(|&&row| row == k).count() as f64;
                assert!((count - mean).abs() < 6.0 * mean.sqrt(), "row {k} was drawn {count} times, others {mean}");
            }
        }
    }
    assert!(ragged > cases / 10 && wrapped > cases / 10, "{ragged} batches are ragged, {wrapped} rings wrapped");
}

/// What is computed anew is what the present policy would have computed, step by step, from the start of a segment; the
/// draws that start segments stay.
#[test]
fn states_inside_segments_are_computed_anew() {
    let mut rng = Rng::new(1, "renewed");
    for head in [squashed(), deterministic()] {
        for cell in [CellKind::Gru, CellKind::Lstm, CellKind::Elman] {
            for drawn in [cell.state_size(UNITS), 0] {
                let memory = Memory::Segments { z: cell.state_size(UNITS), len: 4, drawn };
                let policy: Actor = actor(memory, cell, head.clone(), &mut rng);
                let mut data = acted(&policy, 100, 90, &mut rng);
                let other: Actor = actor(memory, cell, head.clone(), &mut rng);
                let rows = data.sample(30, &mut rng);
                let before = data.extended(&rows).z.unwrap();
                let kept = data.policy_context(&rows).drawn.unwrap();
                data.renew(&other, &rows);
                let (x, u) = (data.context(&rows), data.extended(&rows).z.unwrap());
                let one_by_one = other.dist(&Context { drawn: Some(kept.clone()), ..x }).held().z.unwrap();
                let n = memory.z();
                for (i, closes) in kept.iter().enumerate() {
                    let row = |x: &Tensor| x.data()[i * n..(i + 1) * n].to_vec();
                    if *closes {
                        assert_eq!(row(&u), row(&before));
                    } else {
                        let off = |(x, y): (f32, f32)| (x - y).abs() / (1.0 + y.abs());
                        assert!(row(&u).into_iter().zip(row(&one_by_one)).map(off).all(|off| off < 1e-5));
                    }
                }
            }
        }
    }
}

/// The gradient of the loss of SAC, and of TD3, through ragged segments is that of differences in which the states that
/// the critic reads, and those that are not drawn, are numbers; drawn or not, for all cells.
#[test]
fn gradients_go_back_to_the_start_of_a_segment() {
    type F = Tensor<f64>;
    let mut rng = Rng::new(2, "gradients");
    let (rows, counts) = (9, [4, 3, 1, 1]);
    let closes = [false, false, false, true, false, true, true, false, true];
    let mut coordinates = 0;
    for (head, cell) in [squashed(), deterministic()]
        .into_iter()
        .flat_map(|head| [CellKind::Gru, CellKind::Lstm, CellKind::Elman].map(|cell| (head.clone(), cell)))
    {
        for drawn in [cell.state_size(UNITS), 0] {
            let z = cell.state_size(UNITS);
            let memory = Memory::Segments { z, len: 4, drawn };
            let mut random = |rows, n| F::with(rows, n, |x| x.iter_mut().for_each(|x| *x = rng.normal()));
            let x = Context {
                a_prev: Some(random(rows, A)),
                z: Some(random(counts[0], z)),
                segments: Some(counts.into()),
                drawn: Some(closes.into()),
                ..Context::of(random(rows, O))
            };
            let held = Context { z: Some(random(rows, z)), ..Context::of(x.o.clone()) };
            let noise = Extended { a: random(rows, A), z: (drawn > 0).then(|| random(rows, z)) };
            let policy: Actor<f64> = actor(memory, cell, head.clone(), &mut rng);
            let q: Q<f64> = critic(z, &mut rng);
            let parts = |policy: &Actor<f64>| {
                let dist = policy.dist(&x);
                match head {
                    Head::Squashed { .. } => {
                        let (u, log_prob) = dist.reparameterised(&noise);
                        let penalty = match &log_prob.z {
                            Some(of_z) => &log_prob.a * 0.3 + of_z * 0.7,
                            None => &log_prob.a * 0.3,
                        };
                        (u, penalty.sum())
                    }
                    _ => (dist.held(), F::zeros(1, 1)),
                }
            };
            let (u, penalty) = parts(&policy);
            let exact = gradient(&(penalty - q.value(&held, Some(&u)).sum()), &policy);
            let first = u.z.unwrap();
            let loss = |policy: &Actor<f64>| {
                let (u, penalty) = parts(policy);
                let numbers = u.z.as_ref().unwrap().data();
                let z = F::with(rows, z, |y| {
                    for (i, y) in y.iter_mut().enumerate() {
                        *y = if drawn > 0 && closes[i / z] { numbers[i] } else { first.data()[i] };
                    }
                });
                (penalty - q.value(&held, Some(&Extended { a: u.a, z: Some(z) })).sum()).item()
            };
            let largest = exact.iter().fold(1e-3f64, |a, g| a.max(g.abs()));
            let (mut moved, step) = (policy.clone(), 1e-5);
            for (i, exact) in exact.iter().enumerate() {
                let mut at = |x: f64| {
                    moved.params_mut().data_mut()[i] = policy.params().data()[i] + x;
                    let y = loss(&moved);
                    moved.params_mut().data_mut()[i] = policy.params().data()[i];
                    y
                };
                let difference = (8.0 * (at(step) - at(-step)) - (at(2.0 * step) - at(-2.0 * step))) / (12.0 * step);
                let error = (difference - exact).abs() / largest;
                assert!(error < 1e-7, "{head:?} {cell:?} {memory:?}: entry {i} is off by {error:e}");
            }
            coordinates += exact.len();
        }
    }
    println!("segments: {coordinates} coordinates");
}

/// Segments of one step are SAC-RS and TD3-RS: figures and parameters have the same bits as where there are no
/// segments.
#[test]
fn segments_of_one_step_are_s2pg() {
    let soft = |memory: Memory| -> (Vec<Metrics>, Vec<f32>, Vec<f32>) {
        let mut rng = Rng::new(4, "one step");
        let policy: Actor = actor(memory, CellKind::Gru, squashed(), &mut rng);
        let critics: Vec<Q> = (0..2).map(|_| critic(UNITS, &mut rng)).collect();
        let mut data = acted(&policy, 100, 90, &mut rng);
        let settings = sac::Settings { batch: 32, warmup: 1, diagnostics: true, ..sac::Settings::default() };
        let mut sac = Sac::new(policy, critics, (A, UNITS), settings, 1);
        let figures = (0..20).map(|_| sac.update(&mut data, &mut rng)).collect();
        (figures, sac.policy().params().data().to_vec(), sac.critics.online[0].params().data().to_vec())
    };
    let hard = |memory: Memory| -> (Vec<Metrics>, Vec<f32>, Vec<f32>) {
        let mut rng = Rng::new(5, "one step");
        let policy: Actor = actor(memory, CellKind::Gru, deterministic(), &mut rng);
        let critics: Vec<Q> = (0..2).map(|_| critic(UNITS, &mut rng)).collect();
        let mut data = acted(&policy, 100, 90, &mut rng);
        let settings = td3::Settings { batch: 32, warmup: 1, diagnostics: true, ..td3::Settings::default() };
        let mut td3 = Td3::new(policy, critics, settings, 1);
        let figures = (0..20).map(|_| td3.update(&mut data, &mut rng)).collect();
        (figures, td3.policy().params().data().to_vec(), td3.critics.online[0].params().data().to_vec())
    };
    let (rs, one) = (Memory::Stochastic { z: UNITS }, Memory::Segments { z: UNITS, len: 1, drawn: UNITS });
    assert_eq!(soft(rs), soft(one));
    assert_eq!(hard(rs), hard(one));
}
