//! Networks, losses, gradients and whole updates equal the numbers of the official implementation.
//!
//! Every size, setting and tolerance comes from the recorded files; `S2PG_GOLDEN` names another folder of them.

mod common;

use common::Case;
use s2pg::Rng;
use s2pg::algo::gae::{gae, normalise};
use s2pg::algo::{Algorithm, Ppo, ppo};
use s2pg::data::{Buffer, Rollout, RolloutShape, Transition};
use s2pg::nn::{CellKind, Params, Standardiser, Tensor};
use s2pg::policy::{Actor, ActorShape, StatefulPolicy, Value, ValueShape, View};
use s2pg::train::Recall;

const ACTOR: [(&str, &str); 13] = [
    ("embed_o.weight", "h1_o.weight"),
    ("embed_o.bias", "h1_o.bias"),
    ("embed_a.weight", "h1_a_prev.weight"),
    ("embed_a.bias", "h1_a_prev.bias"),
    ("cell.weight_ih", "rnn.weight_ih_l0"),
    ("cell.weight_hh", "rnn.weight_hh_l0"),
    ("cell.bias_ih", "rnn.bias_ih_l0"),
    ("cell.bias_hh", "rnn.bias_hh_l0"),
    ("shortcut.weight", "h1_o_post_rnn.weight"),
    ("shortcut.bias", "h1_o_post_rnn.bias"),
    ("head.weight", "h3.weight"),
    ("head.bias", "h3.bias"),
    ("log_std", "log_std"),
];

const VALUE: [(&str, &str); 6] = [
    ("h1.weight", "h1.weight"),
    ("h1.bias", "h1.bias"),
    ("h2.weight", "h2.weight"),
    ("h2.bias", "h2.bias"),
    ("h3.weight", "h3.weight"),
    ("h3.bias", "h3.bias"),
];

fn actor(case: &Case, features: &str, prefix: &str) -> Actor {
    let shape = ActorShape {
        o: case.size("obs"),
        a: case.size("A"),
        features: case.size(features),
        hidden: case.size("H"),
        cell: CellKind::Gru,
        std: 0.5,
        state_std: 0.5,
    };
    let mut actor = Actor::stochastic(&shape, &mut Rng::new(0, "golden"));
    case.load(actor.params_mut(), prefix, &ACTOR);
    actor
}

/// One PPO-RS update: previous actions, values, GAE, densities, every loss and gradient, and the weights after Adam.
#[test]
fn golden_ppo_rs_update() {
    let mut case = Case::open("ppo_rs_update");
    let (n_o, n_a, n_z, n) = (case.size("obs"), case.size("A"), case.size("H"), case.size("N"));
    let width = n_o + n_z;
    let (x, next_x) = (case.f32("data.state"), case.f32("data.next_state"));
    let (a, r) = (case.f32("data.action"), case.get("data.reward").to_vec());
    let (absorbing, last) = (case.bools("data.absorbing"), case.bools("data.last"));

    let shape = RolloutShape { steps: n, envs: 1, o: n_o, s: 0, a: n_a, z: n_z, a_prev: true };
    let mut data = Rollout::new(shape);
    let mut a_prev = vec![0.0; n_a];
    let mut previous = Vec::new();
    for t in 0..n {
        let (row, next) = (&x[t * width..][..width], &next_x[t * width..][..width]);
        previous.extend_from_slice(&a_prev);
        data.push(&Transition {
            o: &row[..n_o],
            s: &[],
            a_prev: &a_prev,
            z: &row[n_o..],
            a: &a[t * n_a..][..n_a],
            z_next: &next[n_o..],
            r: &r[t..=t],
            terminated: &absorbing[t..=t],
            truncated: &[last[t] && !absorbing[t]],
            dropped: &[false],
            next_o: &next[..n_o],
            next_s: &[],
        });
        a_prev.copy_from_slice(&a[t * n_a..][..n_a]);
        if last[t] || absorbing[t] {
            a_prev.fill(0.0);
        }
    }
    case.check("prev_action", &previous);

    let value_shape = ValueShape {
        view: View::Observation,
        world: n_o,
        z: n_z,
        a_prev: n_a,
        features: case.size("n_features_critic"),
    };
    let mut value = Value::new(value_shape, &mut Rng::new(0, "golden"));
    case.load(value.params_mut(), "value.", &VALUE);
    let settings = ppo::Settings {
        lr: case.number("lr_actor"),
        value_lr: case.number("lr_critic"),
        gamma: case.number("gamma"),
        lambda: case.number("lam"),
        clip: case.number("eps_ppo"),
        entropy: case.number("ent_coeff"),
        ..ppo::Settings::default()
    };
    let mut ppo = Ppo::new(actor(&case, "n_features_actor", "actor."), value, settings.clone(), 1);

    let (v, v_next) = ppo.values(&data);
    case.check("gae.v", &v);
    case.check("gae.v_next", &v_next);
    let gae = gae(&data, &v, &v_next, settings.gamma, settings.lambda);
    case.check("gae.adv", &gae.advantages);
    case.check("gae.v_target", &gae.targets);
    let rows = data.rows();
    let mut advantages = gae.advantages.clone();
    normalise(&mut advantages, &rows);
    case.check("adv_norm", &advantages);
    let old: Vec<f64> = ppo.log_prob(&data, &rows).data().iter().map(|&l| l as f64).collect();
    case.check("old_log_prob", &old);

    let mut steps = 0;
    while case.has(&format!("v.step{steps}.idx")) {
        let step = format!("v.step{steps}");
        let rows = case.indices(&format!("{step}.idx"));
        let loss = ppo.value_step(&data, &gae.targets, &rows);
        case.check(&format!("{step}.loss"), &[loss]);
        for (ours, theirs) in VALUE {
            let slot = ppo.value().params().slot(ours).clone();
            case.check(&format!("{step}.grad.{theirs}"), &ppo.optimisers().1.gradient()[slot.range()]);
        }
        steps += 1;
    }
    for (ours, theirs) in VALUE {
        let slot = ppo.value().params().slot(ours).clone();
        let gradients: Vec<String> = (0..steps).map(|i| format!("v.step{i}.grad.{theirs}")).collect();
        let ours = &ppo.value().params().data()[slot.range()];
        case.check_after_adam(&format!("v.after.{theirs}"), ours, settings.value_lr, &gradients);
    }

    let mut steps = 0;
    while case.has(&format!("pi.step{steps}.idx")) {
        let step = format!("pi.step{steps}");
        let rows = case.indices(&format!("{step}.idx"));
        case.check(&format!("{step}.log_prob"), ppo.log_prob(&data, &rows).data());
        let loss = ppo.policy_step(&data, &old, &advantages, &rows);
        case.check(&format!("{step}.loss"), &[loss]);
        for (ours, theirs) in ACTOR {
            let slot = ppo.policy().params().slot(ours).clone();
            case.check(&format!("{step}.grad.{theirs}"), &ppo.optimisers().0.gradient()[slot.range()]);
        }
        steps += 1;
    }
    assert!(steps > 0);
    for (ours, theirs) in ACTOR {
        let policy = ppo.policy();
        let slot = policy.params().slot(ours).clone();
        let gradients: Vec<String> = (0..steps).map(|i| format!("pi.step{i}.grad.{theirs}")).collect();
        let ours = &policy.params().data()[slot.range()];
        case.check_after_adam(&format!("pi.after.{theirs}"), ours, settings.lr, &gradients);
    }
}

/// Acting with PPO-RS over resets, stochastic and deterministic, with the official memory of the previous action (D13).
#[test]
fn golden_acting_ppo_rs() {
    let mut case = Case::open("acting");
    let (n_a, n_z, steps) = (case.size("A"), case.size("H"), case.size("T"));
    let actor = actor(&case, "n_features", "ppo_rs.net.");
    let mask = case.bools("mask.policy");
    let n_s = case.size("privileged");
    let (s, reset) = (case.f32("state"), case.bools("reset"));
    let log_std = &actor.params().data()[actor.params().slot("log_std").range()];
    for mode in ["stoch", "deter"] {
        let mut recall = Recall::new(1, n_z, n_a, false);
        let (mut actions, mut states) = (Vec::new(), Vec::new());
        for t in 0..steps {
            if reset[t] {
                recall.forget();
            }
            let row = &s[t * n_s..][..n_s];
            let o: Vec<f32> = row.iter().zip(&mask).filter(|(_, m)| **m).map(|(x, _)| *x).collect();
            let dist = actor.dist(&recall.context(&o, row));
            let mut u = dist.mean();
            if mode == "stoch" {
                let noise = &case.f32("ppo_rs.stoch.noise")[t * (n_a + n_z)..][..n_a + n_z];
                let noisy = |mean: &[f32], from: usize| -> Vec<f32> {
                    let std = |i: usize| log_std[from + i].clamp(-20.0, 2.0).exp();
                    mean.iter().enumerate().map(|(i, m)| m + std(i) * noise[from + i]).collect()
                };
                u.a = Tensor::new(1, n_a, &noisy(u.a.data(), 0));
                u.z = u.z.map(|z| Tensor::new(1, n_z, &noisy(z.data(), n_a)));
            }
            actions.extend_from_slice(u.a.data());
            states.extend_from_slice(u.z.as_ref().unwrap().data());
            recall.remember(&u, |_| false);
        }
        case.check(&format!("ppo_rs.{mode}.action"), &actions);
        case.check(&format!("ppo_rs.{mode}.memory.action"), &actions);
        case.check(&format!("ppo_rs.{mode}.memory.hidden"), &states);
    }
}

/// The running standardiser: outputs, means and deviations after every call, and its frozen form.
#[test]
fn golden_standardiser() {
    let mut case = Case::open("replay_and_standardiser");
    let raw = case.get("std.obs").to_vec();
    let n = case.shape("std.obs")[1];
    let mut standardiser = Standardiser::new(n);
    let (mut out, mut mean, mut std) = (Vec::new(), Vec::new(), Vec::new());
    for o in raw.chunks(n) {
        let mut o = o.to_vec();
        standardiser.observe(&o);
        standardiser.apply(&mut o);
        out.extend(o);
        mean.extend_from_slice(standardiser.mean());
        std.extend(standardiser.std());
    }
    case.check("std.out", &out);
    case.check("std.mean", &mean);
    case.check("std.std", &std);
    let mut frozen = raw[..case.get("std.frozen").len()].to_vec();
    frozen.chunks_mut(n).for_each(|o| standardiser.apply(o));
    case.check("std.frozen", &frozen);
}
