//! The scores, baselines and gradients of REINFORCE and GPOMDP equal the numbers of the official implementation.
//!
//! Every size, setting and tolerance comes from the recorded files; `S2PG_GOLDEN` names another folder of them.

mod common;

use common::Case;
use s2pg::Rng;
use s2pg::algo::reinforce::{Optimiser, Settings, baseline};
use s2pg::algo::{Algorithm, Reinforce};
use s2pg::data::{Buffer, Episodes, RolloutShape, Transition};
use s2pg::nn::{CellKind, Params, Tensor};
use s2pg::policy::{Actor, ActorShape, CoreShape, Head, Memory, PolicyKind, StatefulPolicy};

/// Our parameters in the order of the recorded vectors, and the recorded ones.
const PARAMETERS: [(&str, &str); 8] = [
    ("cell.weight_ih", "rnn.weight_ih_l0"),
    ("cell.weight_hh", "rnn.weight_hh_l0"),
    ("cell.bias_ih", "rnn.bias_ih_l0"),
    ("cell.bias_hh", "rnn.bias_hh_l0"),
    ("embed.weight", "h1.weight"),
    ("embed.bias", "h1.bias"),
    ("head.weight", "h3.weight"),
    ("head.bias", "h3.bias"),
];

/// The places of our parameters in the recorded order: the network's, then the log-stds of action and next state.
fn places(policy: &Actor) -> Vec<usize> {
    let slots = policy.params().slots();
    let names = PARAMETERS.iter().map(|p| p.0).chain(["log_std"]);
    let order: Vec<usize> =
        names.filter_map(|name| slots.iter().find(|s| s.name == name)).flat_map(|s| s.range()).collect();
    assert_eq!(order.len(), policy.params().data().len(), "every parameter has a place");
    order
}

fn in_order(policy: &Actor, x: &[f64]) -> Vec<f64> {
    places(policy).into_iter().map(|i| x[i]).collect()
}

fn policy(case: &Case, memory: Memory, a_prev: bool, net: &str, log_std: &str) -> Actor {
    let shape = ActorShape {
        o: case.size("obs"),
        a: case.size("A"),
        a_prev: if a_prev { case.size("A") } else { 0 },
        features: case.size("n_features"),
        core: CoreShape::cell(CellKind::ElmanRelu, case.size("H")),
        kind: PolicyKind::Simple,
        head: Head::Gaussian { std: 1.0, state_std: 1.0 },
    };
    let mut policy = Actor::new(memory, &shape, &mut Rng::new(0, "golden"));
    let recorded = PARAMETERS.iter().flat_map(|(_, name)| case.f32(&format!("{net}.net.{name}")));
    let recorded: Vec<f32> = recorded.chain(case.f32(log_std)).collect();
    let places = places(&policy);
    assert_eq!(recorded.len(), places.len(), "every parameter has a recorded one");
    places.into_iter().zip(recorded).for_each(|(i, x)| policy.params_mut().data_mut()[i] = x);
    policy
}

/// The recorded transitions, as episodes.
fn episodes(case: &Case, memory: Memory) -> Episodes {
    let (n_o, n_a, n_z, n) = (case.size("obs"), case.size("A"), case.size("H"), case.size("N"));
    let width = n_o + n_z;
    let (x, next_x, a) = (case.f32("data.state"), case.f32("data.next_state"), case.f32("data.action"));
    let (absorbing, last) = (case.bools("data.absorbing"), case.bools("data.last"));
    let stochastic = matches!(memory, Memory::Stochastic { .. });
    let count = last.iter().filter(|&&last| last).count();
    let mut episodes = Episodes::new(
        count,
        RolloutShape { steps: n, envs: 1, o: n_o, a: n_a, memory, a_prev: true, ..RolloutShape::default() },
    );
    let mut a_prev = vec![0.0; n_a];
    for t in 0..n {
        assert!(!episodes.is_full());
        let (row, next) = (&x[t * width..][..width], &next_x[t * width..][..width]);
        let (state, next_state) = (&row[n_o..], &next[n_o..]);
        episodes.push(&Transition {
            o: &row[..n_o],
            a_prev: &a_prev,
            z: if stochastic { state } else { &[] },
            h: if stochastic { &[] } else { state },
            a: &a[t * n_a..][..n_a],
            z_next: if stochastic { next_state } else { &[] },
            h_next: if stochastic { &[] } else { next_state },
            r: &[case.get("data.reward")[t]],
            terminated: &absorbing[t..=t],
            truncated: &[last[t] && !absorbing[t]],
            dropped: &[false],
            next_o: &next[..n_o],
            ..Transition::default()
        });
        a_prev.copy_from_slice(&a[t * n_a..][..n_a]);
        if last[t] {
            a_prev.fill(0.0);
        }
    }
    assert!(episodes.is_full());
    episodes
}

fn settings(case: &Case, per_step: bool, log_std_bug: bool) -> Settings {
    let optimiser = case.text("optimizer");
    let lr = optimiser.strip_prefix("SGD ascent, lr ").expect("plain ascent").parse::<f64>().unwrap();
    Settings {
        lr: lr.into(),
        gamma: case.number("gamma"),
        optimiser: Optimiser::Ascent,
        per_step,
        drop_ended: per_step,
        log_std_bug,
        ..Settings::default()
    }
}

fn means(policy: &Actor, data: &Episodes) -> Vec<f32> {
    let mut means = Vec::new();
    for (data, rows) in data.episodes() {
        let dist = policy.dist(&data.context(&rows));
        let state = dist.z.map(|z| z.mean).or(dist.h).unwrap();
        means.extend_from_slice(Tensor::concat(&[&dist.a.mean, &state]).data());
    }
    means
}

/// An update of REINFORCE: returns, scores, baselines, gradient, and the parameters after it.
fn check_reinforce(case: &mut Case, name: &str, policy: Actor, data: &mut Episodes) {
    case.check(&format!("{name}.mean"), &means(&policy, data));
    let settings = settings(case, false, true);
    let mut reinforce = Reinforce::new(policy, settings);
    let estimate = reinforce.estimate(data);
    let ordered = |x: &[f64]| in_order(reinforce.policy(), x);
    let name = format!("{name}.reinforce");
    case.check(&format!("{name}.J"), &estimate.returns);
    let scores: Vec<f64> = estimate.scores.iter().flat_map(|g| ordered(g)).collect();
    case.check(&format!("{name}.score"), &scores);
    let pairs = estimate.scores.iter().zip(&estimate.returns).map(|(g, &r)| (&g[..], r));
    case.check(&format!("{name}.baseline"), &ordered(&baseline(pairs)));
    case.check(&format!("{name}.gradient"), &ordered(&estimate.gradient));
    reinforce.update(data, &mut Rng::new(0, "golden"));
    let after: Vec<f64> = reinforce.policy().params().data().iter().map(|&x| x as f64).collect();
    case.check(&format!("{name}.weights_after"), &in_order(reinforce.policy(), &after));
}

/// REINFORCE with a drawn state, without and with the previous action, and through time.
#[test]
fn golden_reinforce() {
    let mut case = Case::open("reinforce_gpomdp_rs");
    let memory = Memory::Stochastic { z: case.size("H") };
    for (name, a_prev) in [("noprev", false), ("prev", true)] {
        let mut data = episodes(&case, memory);
        let actions =
            data.episodes().into_iter().flat_map(|(d, rows)| d.context(&rows).a_prev.unwrap().data().to_vec());
        case.check(&format!("{name}.prev_action"), &actions.collect::<Vec<f32>>());
        let policy = policy(&case, memory, a_prev, name, &format!("{name}.log_std"));
        check_reinforce(&mut case, name, policy, &mut data);
    }
    let memory = Memory::Bptt { h: case.size("H"), len: case.size("truncation_length") };
    let mut data = episodes(&case, memory);
    check_windows(&mut case, &data);
    let policy = policy(&case, memory, false, "noprev", "bptt.log_std");
    check_reinforce(&mut case, "bptt", policy, &mut data);
    // Other tests compare GPOMDP and the intended score; nothing asks for the windows before next observations.
    let others = ["noprev.gpomdp", "noprev.reinforce_stepwise", "noprev.reinforce.intended_logstd_score"];
    case.assert_complete(&[&others[..], &["bptt.seq.next_state", "bptt.seq.action"]].concat());
}

/// The windows of every row, padded behind as they are recorded; ours hold the state before the first step alone.
fn check_windows(case: &mut Case, data: &Episodes) {
    let (n_o, n_a, n_h, len) = (case.size("obs"), case.size("A"), case.size("H"), case.size("truncation_length"));
    let recorded = case.f32("bptt.seq.state");
    let (mut lengths, mut actions, mut states) = (Vec::new(), Vec::new(), Vec::new());
    for (data, rows) in data.episodes() {
        let x = data.context(&rows);
        let (steps, o, a, h) = (x.steps(), x.o.data(), x.a_prev.as_ref().unwrap().data(), x.h.as_ref().unwrap().data());
        for (i, &n) in x.lengths.as_ref().unwrap().iter().enumerate() {
            for t in 0..len {
                let at = states.len();
                states.resize(at + n_o + n_h, 0.0);
                actions.resize(actions.len() + n_a, 0.0);
                if t >= n {
                    continue;
                }
                let row = (steps - n + t) * rows.len() + i;
                states[at..at + n_o].copy_from_slice(&o[row * n_o..][..n_o]);
                let state = if t == 0 { &h[i * n_h..][..n_h] } else { &recorded[at + n_o..][..n_h] };
                states[at + n_o..].copy_from_slice(state);
                let at = actions.len() - n_a;
                actions[at..].copy_from_slice(&a[row * n_a..][..n_a]);
            }
            lengths.push(n as f64);
        }
    }
    case.check("bptt.seq.length", &lengths);
    case.check("bptt.seq.prev_action", &actions);
    case.check("bptt.seq.state", &states);
}

/// The score of a log-std is -1 + δ²/σ² unless the published one is asked for.
#[test]
fn golden_log_std_score() {
    let mut case = Case::open("reinforce_gpomdp_rs");
    let memory = Memory::Stochastic { z: case.size("H") };
    let data = episodes(&case, memory);
    let policy = policy(&case, memory, false, "noprev", "noprev.log_std");
    let reinforce = Reinforce::new(policy, settings(&case, false, false));
    let estimate = reinforce.estimate(&data);
    let n = case.size("A") + case.size("H");
    let last = |g: &Vec<f64>| in_order(reinforce.policy(), g).split_off(g.len() - n);
    let scores: Vec<f64> = estimate.scores.iter().flat_map(last).collect();
    case.check("noprev.reinforce.intended_logstd_score", &scores);
}

/// GPOMDP without the episodes that ended (D34): the scores of every step summed so far, discounted rewards, baselines
/// and gradient; and REINFORCE's gradient from the same steps.
#[test]
fn golden_gpomdp() {
    let mut case = Case::open("reinforce_gpomdp_rs");
    let memory = Memory::Stochastic { z: case.size("H") };
    let data = episodes(&case, memory);
    let policy = policy(&case, memory, false, "noprev", "noprev.log_std");
    let gpomdp = Reinforce::new(policy, settings(&case, true, true));
    let ordered = |x: &[f64]| in_order(gpomdp.policy(), x);

    let gamma = case.number("gamma");
    let (mut sums, mut rewards): (Vec<Vec<Vec<f64>>>, Vec<Vec<f64>>) = (Vec::new(), Vec::new());
    for (data, rows) in data.episodes() {
        let mut sum = vec![0.0; gpomdp.policy().params().data().len()];
        let step = |k: &usize| {
            sum.iter_mut().zip(gpomdp.score(data, &[*k])).for_each(|(sum, g)| *sum += g);
            sum.clone()
        };
        sums.push(rows.iter().map(step).collect());
        rewards.push(rows.iter().enumerate().map(|(t, &k)| gamma.powi(t as i32) * data.r()[k]).collect());
    }
    let all: Vec<f64> = sums.iter().flatten().flat_map(|g| ordered(g)).collect();
    case.check("noprev.gpomdp.cum_score", &all);
    case.check("noprev.gpomdp.disc_reward", &rewards.concat());
    let longest = rewards.iter().map(Vec::len).max().unwrap();
    assert!(rewards.iter().any(|r| r.len() < longest), "an episode ends before others");
    let baselines = (0..longest).flat_map(|t| {
        let reached = sums.iter().zip(&rewards).filter(|(g, _)| t < g.len());
        ordered(&baseline(reached.map(|(g, r)| (&g[t][..], r[t]))))
    });
    case.check("noprev.gpomdp.baseline", &baselines.collect::<Vec<_>>());
    let estimate = gpomdp.estimate(&data);
    case.check("noprev.gpomdp.gradient", &ordered(&estimate.gradient));

    let pairs = || estimate.scores.iter().zip(&estimate.returns).map(|(g, &r)| (&g[..], r));
    let (b, n) = (baseline(pairs()), estimate.returns.len() as f64);
    let mut gradient = vec![0.0; b.len()];
    for (g, r) in pairs() {
        gradient.iter_mut().zip(g).zip(&b).for_each(|((sum, g), b)| *sum += g * (r - b) / n);
    }
    case.check("noprev.reinforce_stepwise.gradient", &ordered(&gradient));
}
