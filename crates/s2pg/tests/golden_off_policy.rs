//! SAC and TD3 equal the numbers of the official implementation, through whole updates; so does the replay buffer,
//! except where the official one reaches over the end of an episode.

mod common;

use common::Case;
use s2pg::Rng;
use s2pg::algo::inverse_q::{Distance, Form, OfExpert, OfPolicy, Regularised};
use s2pg::algo::{Algorithm, Lsiq, Noise, Sac, Td3, lsiq, sac, td3};
use s2pg::data::{Buffer, Replay, ReplayShape, Transition};
use s2pg::nn::{Builder, CellKind, Init, Parameters, Params, Tensor, gradient};
use s2pg::policy::{
    Actor, ActorShape, Context, CoreShape, Critic, Dist, Extended, Head, Memory, PolicyKind, Q, QKind, QShape,
    StatefulPolicy, View,
};
use s2pg::train::Recall;

type Names = [(&'static str, &'static str)];

const SAC_ACTOR: [(&str, &str); 14] = [
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
    ("hidden.weight", "h3.weight"),
    ("hidden.bias", "h3.bias"),
    ("head.weight", "h4.weight"),
    ("head.bias", "h4.bias"),
];

const TD3_ACTOR: [(&str, &str); 12] = [
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
];

const ENCODERS: [(&str, &str); 16] = [
    ("state.h1.weight", "hidden_encoder.linears.0.weight"),
    ("state.h1.bias", "hidden_encoder.linears.0.bias"),
    ("state.h2.weight", "hidden_encoder.linears.1.weight"),
    ("state.h2.bias", "hidden_encoder.linears.1.bias"),
    ("world.h1.weight", "state_action_encoder.linears.0.weight"),
    ("world.h1.bias", "state_action_encoder.linears.0.bias"),
    ("world.h2.weight", "state_action_encoder.linears.1.weight"),
    ("world.h2.bias", "state_action_encoder.linears.1.bias"),
    ("action.h1.weight", "action_encoder.linears.0.weight"),
    ("action.h1.bias", "action_encoder.linears.0.bias"),
    ("action.h2.weight", "action_encoder.linears.1.weight"),
    ("action.h2.bias", "action_encoder.linears.1.bias"),
    ("joint.h1.weight", "joint_encoder.linears.0.weight"),
    ("joint.h1.bias", "joint_encoder.linears.0.bias"),
    ("joint.h2.weight", "joint_encoder.linears.1.weight"),
    ("joint.h2.bias", "joint_encoder.linears.1.bias"),
];

const PLAIN: [(&str, &str); 6] = [
    ("h1.weight", "linears.0.weight"),
    ("h1.bias", "linears.0.bias"),
    ("h2.weight", "linears.1.weight"),
    ("h2.bias", "linears.1.bias"),
    ("h3.weight", "linears.2.weight"),
    ("h3.bias", "linears.2.bias"),
];

const WINDOW: [(&str, &str); 6] = [
    ("h1.weight", "h1.weight"),
    ("h1.bias", "h1.bias"),
    ("h2.weight", "h2.weight"),
    ("h2.bias", "h2.bias"),
    ("h3.weight", "out.weight"),
    ("h3.bias", "out.bias"),
];

fn squashed(case: &Case) -> Head {
    Head::Squashed { low: case.list("low"), high: case.list("high"), std: 1.0, state_std: 1.0 }
}

/// The published TD3 stretches every action by the first upper bound.
fn deterministic(case: &Case, std: f64, state_std: f64) -> Head {
    let high = case.list("high");
    Head::Deterministic { low: case.list("low"), scale: Some(f64::from(high[0])), high, std, state_std }
}

fn actor(case: &Case, memory: Memory, head: Head, features: &str, prefix: &str, names: &Names) -> Actor {
    let shape = ActorShape {
        o: case.size("obs"),
        a: case.size("A"),
        a_prev: if names.iter().any(|(ours, _)| ours.starts_with("embed_a")) { case.size("A") } else { 0 },
        features: case.size(features),
        core: CoreShape::cell(CellKind::Gru, case.size("H")),
        kind: PolicyKind::Shortcut,
        head,
    };
    let mut actor = Actor::new(memory, &shape, &mut Rng::new(0, "golden"));
    case.load(actor.params_mut(), prefix, names);
    actor
}

fn shape_of_q(case: &Case, stochastic: bool, features: &str) -> QShape {
    QShape {
        view: View::State,
        world: case.size("privileged"),
        z: if stochastic { case.size("H") } else { 0 },
        a: case.size("A"),
        a_prev: stochastic,
        features: case.size(features),
        kind: if stochastic { QKind::Encoders } else { QKind::Plain { gain: 0.1 } },
    }
}

fn q(case: &Case, stochastic: bool, features: &str, prefix: &str) -> Q {
    let mut q = Q::new(shape_of_q(case, stochastic, features), &mut Rng::new(0, "golden"));
    case.load(q.params_mut(), prefix, critic_names(stochastic));
    q
}

fn critic_names(stochastic: bool) -> &'static Names {
    if stochastic { &ENCODERS } else { &PLAIN }
}

/// What the policy sees of the privileged state.
fn seen(case: &Case, s: &[f32]) -> Vec<f32> {
    s.iter().zip(case.bools("mask.policy")).filter(|(_, m)| *m).map(|(x, _)| *x).collect()
}

/// The recorded transitions; windows before next observations as the published code makes them.
fn replay(case: &Case, memory: Memory) -> Replay {
    stored(case, memory, "data")
}

/// The transitions that are recorded under the name `of`.
fn stored(case: &Case, memory: Memory, of: &str) -> Replay {
    let (n_s, n_a, n_z) = (case.size("privileged"), case.size("A"), case.size("H"));
    let width = n_s + n_z;
    let [x, next_x, a] = ["state", "next_state", "action"].map(|name| case.f32(&format!("{of}.{name}")));
    let n = a.len() / n_a;
    let r = if of == "data" { case.get("data.reward").to_vec() } else { vec![0.0; n] };
    let [absorbing, last] = ["absorbing", "last"].map(|name| case.bools(&format!("{of}.{name}")));
    let stochastic = matches!(memory, Memory::Stochastic { .. });
    let shape =
        ReplayShape { size: 2 * n, envs: 1, o: case.size("obs"), s: n_s, a: n_a, memory, misalign_next_windows: true };
    let mut data = Replay::new(shape);
    for t in 0..n {
        let (row, next) = (&x[t * width..][..width], &next_x[t * width..][..width]);
        let states = (&row[n_s..], &next[n_s..]);
        data.push(&Transition {
            o: &seen(case, &row[..n_s]),
            s: &row[..n_s],
            z: if stochastic { states.0 } else { &[] },
            h: if stochastic { &[] } else { states.0 },
            a: &a[t * n_a..][..n_a],
            z_next: if stochastic { states.1 } else { &[] },
            h_next: if stochastic { &[] } else { states.1 },
            r: &r[t..=t],
            terminated: &absorbing[t..=t],
            truncated: &[last[t] && !absorbing[t]],
            dropped: &[false],
            next_o: &seen(case, &next[..n_s]),
            next_s: &next[..n_s],
            ..Transition::default()
        });
    }
    data
}

/// [s; z] of each row.
fn states(x: &Context) -> Vec<f32> {
    beside(x.s.as_ref().unwrap(), x.z.as_ref().unwrap())
}

fn beside(a: &Tensor, b: &Tensor) -> Vec<f32> {
    Tensor::concat(&[a, b]).data().to_vec()
}

/// The sampled batch; sequences are padded behind in the record.
fn check_batch(case: &mut Case, step: &str, data: &Replay, rows: &[usize]) {
    let (x, next) = (data.context(rows), data.next_context(rows));
    let r: Vec<f32> = rows.iter().map(|&k| data.r(k)).collect();
    let absorbing: Vec<f64> = rows.iter().map(|&k| f64::from(u8::from(data.terminated(k)))).collect();
    case.check(&format!("{step}.batch.action"), data.extended(rows).a.data());
    case.check(&format!("{step}.batch.reward"), &r);
    case.check(&format!("{step}.batch.absorbing"), &absorbing);
    if data.drawn().1 > 0 {
        case.check(&format!("{step}.batch.state"), &states(&x));
        case.check(&format!("{step}.batch.next_state"), &states(&next));
        case.check(&format!("{step}.batch.prev_action"), x.a_prev.unwrap().data());
        return;
    }
    let (len, n_a) = (case.size("truncation_length"), case.size("A"));
    let lengths = x.lengths.clone().unwrap();
    case.check(&format!("{step}.batch.lengths"), &lengths.iter().map(|&n| n as f64).collect::<Vec<_>>());
    for (x, name, states) in [(&x, "prev_action", "state"), (&next, "action_seq", "next_state")] {
        let steps = x.steps();
        let mut behind = vec![0.0f32; rows.len() * len * n_a];
        // The recorded windows hold [s; h] of every step; ours hold what is seen of s, the last s, and h before the
        // first.
        let mut recorded = case.f32(&format!("{step}.batch.{states}"));
        let (n_s, n_h) = (case.size("privileged"), case.size("H"));
        let window = |i: usize, t: usize| (i * len + t) * (n_s + n_h)..(i * len + t + 1) * (n_s + n_h);
        for (i, n) in lengths.iter().enumerate() {
            for t in 0..*n {
                let row = (steps - n + t) * rows.len() + i;
                let a_prev = &x.a_prev.as_ref().unwrap().data()[row * n_a..][..n_a];
                behind[(i * len + t) * n_a..][..n_a].copy_from_slice(a_prev);
                let (s, h) = recorded[window(i, t)].split_at_mut(n_s);
                let o = x.o.data()[row * x.o.cols()..].iter();
                s.iter_mut().zip(case.bools("mask.policy")).filter(|(_, m)| *m).zip(o).for_each(|((s, _), o)| *s = *o);
                if t == 0 {
                    h.copy_from_slice(&x.h.as_ref().unwrap().data()[i * n_h..][..n_h]);
                }
                if t + 1 == *n {
                    s.copy_from_slice(&x.s.as_ref().unwrap().data()[i * n_s..][..n_s]);
                }
            }
            recorded[window(i, *n).start..window(i, len).start].fill(0.0);
        }
        case.check(&format!("{step}.batch.{name}"), &behind);
        case.check(&format!("{step}.batch.{states}"), &recorded);
    }
}

/// The distribution and a draw from it, as far as they are recorded.
fn check_dist(case: &mut Case, name: &str, dist: &Dist, noise: &Extended) {
    let (u, log_prob) = dist.reparameterised(noise);
    let log_std = |g: &s2pg::policy::Gaussian| g.log_std.clip(-20.0, 2.0);
    match (&dist.z, &u.z, &log_prob.z) {
        (Some(z), Some(z_next), Some(log_prob_z)) => {
            case.check(&format!("{name}.mean"), &beside(&dist.a.mean, &z.mean));
            case.check(&format!("{name}.log_std"), &beside(&log_std(&dist.a), &log_std(z)));
            case.check(&format!("{name}.out"), &beside(&u.a, z_next));
            case.check(&format!("{name}.logp_a"), log_prob.a.data());
            case.check(&format!("{name}.logp_z"), log_prob_z.data());
        }
        _ => {
            case.check(&format!("{name}.mean"), dist.a.mean.data());
            case.check(&format!("{name}.log_std"), log_std(&dist.a).data());
            case.check(&format!("{name}.action"), u.a.data());
            case.check(&format!("{name}.logp"), log_prob.a.data());
            case.check(&format!("{name}.next_hidden"), dist.h.as_ref().unwrap().data());
        }
    }
}

fn check_targets(case: &mut Case, step: &str, data: &Replay, rows: &[usize], y: &[f32]) {
    case.check(&format!("{step}.target.y"), y);
    let gamma = case.number("gamma");
    let q: Vec<f64> = rows.iter().zip(y).map(|(&k, &y)| (f64::from(y) - f64::from(data.r(k))) / gamma).collect();
    case.check(&format!("{step}.target.q_next"), &q);
}

fn check_gradients(case: &mut Case, prefix: &str, network: &Parameters<f32>, gradient: &[f32], names: &Names) {
    for (ours, theirs) in names {
        case.check(&format!("{prefix}.grad.{theirs}"), &gradient[network.slot(ours).range()]);
    }
}

/// Parameters after Adam in iteration `it`; `of` names the gradients that moved them, `net` the recorded network.
fn check_after(case: &mut Case, it: usize, (net, of): (&str, &str), network: &Parameters<f32>, lr: f64, names: &Names) {
    for (ours, theirs) in names {
        let gradients: Vec<String> =
            (0..=it).map(|i| format!("it{i}.{of}.grad.{theirs}")).filter(|name| case.has(name)).collect();
        let values = &network.data()[network.slot(ours).range()];
        case.check_after_adam(&format!("it{it}.after.{net}.{theirs}"), values, lr, &gradients);
    }
}

/// The networks after an iteration: policy, critics, and the critics' targets.
fn check_networks(case: &mut Case, it: usize, policy: &Actor, critics: (&[Q], &[Q]), names: &Names, stochastic: bool) {
    let (lr, critic_lr) = (case.number("lr_a"), case.number("lr_c"));
    check_after(case, it, ("actor", "actor"), policy.params(), lr, names);
    for (i, (q, target)) in critics.0.iter().zip(critics.1).enumerate() {
        let of = format!("critic{i}");
        check_after(case, it, (&of, &of), q.params(), critic_lr, critic_names(stochastic));
        check_after(case, it, (&format!("target{i}"), &of), target.params(), critic_lr, critic_names(stochastic));
    }
}

fn check_critics(case: &mut Case, step: &str, critics: &[Q], gradients: &[&[f32]], losses: &[(f64, f64)], z: bool) {
    for (i, q) in critics.iter().enumerate() {
        case.check(&format!("{step}.critic{i}.loss"), &[losses[i].0]);
        check_gradients(case, &format!("{step}.critic{i}"), q.params(), gradients[i], critic_names(z));
    }
}

/// The stored states after a refresh.
fn check_refreshed(case: &mut Case, step: &str, data: &Replay) {
    let rows = data.rows();
    let (state, next) = (states(&data.context(&rows)), states(&data.next_context(&rows)));
    case.check(&format!("{step}.after.replay.state"), &state);
    case.check(&format!("{step}.after.replay.next_state"), &next);
}

/// Noise with columns [action | state].
fn noise(case: &Case, name: &str, rows: usize, n_a: usize) -> Noise {
    let all = case.f32(name);
    let width = all.len() / rows;
    let columns = |from: usize, to: usize| -> Vec<f32> {
        all.chunks_exact(width).flat_map(|row| row[from..to].to_vec()).collect()
    };
    Noise::new(rows, &columns(0, n_a), &columns(n_a, width))
}

/// The settings of a recorded mode of the loss, or of the published runs.
fn lsiq_settings(case: &Case, mode: &str) -> lsiq::Settings {
    let published = lsiq::Settings {
        batch: case.size("B"),
        lr: case.number("lr_a").into(),
        critic_lr: case.number("lr_c").into(),
        gamma: case.number("gamma"),
        tau: case.number("tau"),
        alpha: case.get("log_alpha")[0].exp(),
        alpha_lr: case.number("lr_alpha").into(),
        state_alpha: case.get("log_alpha_hidden")[0].exp(),
        state_alpha_lr: case.number("lr_alpha_hidden").into(),
        stale_a_prev: true,
        ..lsiq::Settings::default()
    };
    // An expert term, a policy term, the regularised steps, and whether the end of a task is treated.
    let of = |loss: Form, expert: OfExpert, policy: OfPolicy, regularised: Regularised, treat_absorbing: bool| {
        let iq = mode.strip_prefix("iq_").is_some();
        lsiq::Settings { loss, expert, policy, regularised, treat_absorbing, clip_targets: !iq, ..published.clone() }
    };
    use {Form::*, OfExpert::*, OfPolicy::*};
    let huber = |settings: lsiq::Settings| lsiq::Settings { distance: Distance::Huber, ..settings };
    match mode {
        "launcher" => published,
        "sqil_bootstrap_huber" => huber(of(Sqil, Bootstrap, QOldPolicy, Regularised::Policy, true)),
        "sqil_value" => of(Sqil, Bootstrap, Value, Regularised::Off, false),
        "lsiq_fix_value_plcyreg" => of(Iq, Fix, Value, Regularised::Policy, true),
        "lsiq_fix_huber_value_q_old" => huber(of(Iq, Fix, ValueQOldPolicy, Regularised::Expert, true)),
        "lsiq_bootstrap_value_policy_reg_both" => of(Iq, Bootstrap, ValuePolicy, Regularised::Both, true),
        "iq_value_reg_both" => of(Iq, Bootstrap, Value, Regularised::Both, false),
        "iq_value_expert_reg_exp" => of(Iq, Bootstrap, ValueExpert, Regularised::Expert, true),
        "iq_v0_reg_plcy" => of(Iq, Bootstrap, V0, Regularised::Policy, false),
        "iq_q_old_policy_hidden_entropy" => {
            lsiq::Settings { state_entropy_in_target: true, ..of(Iq, Bootstrap, QOldPolicy, Regularised::Both, false) }
        }
        other => panic!("a mode {other} is recorded"),
    }
}

/// Whole updates of LS-IQ-RS have the recorded numbers, and so have the values, the terms, the loss and the gradient of
/// the critic in every form of the loss; with the previous action as an input too, where the value of the next state
/// reads that of the state before (D36).
#[test]
fn golden_lsiq_rs() {
    for name in ["lsiq_rs", "lsiq_rs_prev_action"] {
        let mut case = Case::open(name);
        let (n_a, n_z) = (case.size("A"), case.size("H"));
        let reads_a_prev = case.flag("use_prev_action");
        let memory = Memory::Stochastic { z: n_z };
        let mut actor_names = SAC_ACTOR.to_vec();
        actor_names.retain(|(ours, _)| reads_a_prev || !ours.starts_with("embed_a"));
        let least = f64::from(case.list("log_std_clamp")[0]);
        let make = |case: &Case, mode: &str| {
            let policy = actor(case, memory, squashed(case), "n_features_actor", "actor.", &actor_names);
            let shape = QShape { a_prev: reads_a_prev, ..shape_of_q(case, true, "n_features_critic") };
            let mut critic = Q::new(shape, &mut Rng::new(0, "golden"));
            case.load(critic.params_mut(), "critic.", &ENCODERS);
            let networks = (policy.no_narrower(least), critic);
            let expert = stored(case, memory, "expert");
            let mut lsiq = Lsiq::new(networks, expert, (n_a, n_z), lsiq_settings(case, mode), 1);
            case.load(lsiq.learner.target.params_mut(), "target.", &ENCODERS);
            lsiq.learner
        };
        let mut data = replay(&case, memory);
        let (all, all_of_expert) = (data.rows(), make(&case, "launcher").expert.rows());
        let pick = |all: &[usize], name: &str| -> Vec<usize> { case.indices(name).iter().map(|&i| all[i]).collect() };
        let own = pick(&all, "batch.idx_policy");
        let other = pick(&all_of_expert, "batch.idx_expert");
        let rows = [&own[..], &other[..]];
        let n = own.len() + other.len();
        let noises = ["noise.next_v", "noise.second"].map(|name| noise(&case, name, n, n_a));

        let mut modes: Vec<String> = case.modes();
        modes.push("launcher".into());
        for mode in modes {
            let mut learner = make(&case, &mode);
            let prefix = if mode == "launcher" { mode.clone() } else { format!("mode.{mode}") };
            let y = learner.next_values(&data, rows, &noises[0]);
            case.check(&format!("{prefix}.y"), &y);
            let step = learner.critic_step(&data, rows, &y, &noises[1]);
            case.check(&format!("{prefix}.current_q"), &step.q);
            let r: Vec<f32> = step.q.iter().zip(&y).map(|(q, y)| q - y).collect();
            case.check(&format!("{prefix}.reward"), &r);
            if case.has(&format!("{prefix}.v")) {
                case.check(&format!("{prefix}.v"), &step.v);
            }
            for (i, term) in ["loss_term1", "loss_term2", "chi2"].into_iter().enumerate() {
                case.check(&format!("{prefix}.{term}"), &step.terms[i..=i]);
            }
            case.check(&format!("{prefix}.loss_q"), &[step.loss]);
            let gradient = learner.critic_descent.optimiser.gradient().to_vec();
            check_gradients(&mut case, &format!("{prefix}.critic"), learner.critic.params(), &gradient, &ENCODERS);
            if mode != "launcher" {
                continue;
            }
            let after = |case: &mut Case, name: &str, network: &Parameters<f32>, of: &str, lr: f64, names: &Names| {
                for (ours, theirs) in names {
                    let gradient = [format!("launcher.{of}.grad.{theirs}")];
                    let values = &network.data()[network.slot(ours).range()];
                    case.check_after_adam(&format!("launcher.{name}.{theirs}"), values, lr, &gradient);
                }
            };
            let (lr, critic_lr) = (case.number("lr_a"), case.number("lr_c"));
            after(&mut case, "after_q.critic", learner.critic.params(), "critic", critic_lr, &ENCODERS);
            let step = learner.policy_step(&data, rows, &noises[1]);
            case.check("launcher.actor.loss", &[step.loss]);
            let gradient = learner.descent.optimiser.gradient().to_vec();
            check_gradients(&mut case, "launcher.actor", learner.policy.params(), &gradient, &actor_names);
            after(&mut case, "after.actor", learner.policy.params(), "actor", lr, &actor_names);
            let (loss, state_loss) = learner.temperature_step(&step);
            case.check("launcher.alpha.loss", &[loss]);
            case.check("launcher.alpha_hidden.loss", &[state_loss.unwrap()]);
            let state_alpha = learner.temperatures.state_alpha.clone().unwrap();
            case.check("launcher.alpha.grad.log_alpha", learner.temperatures.alpha.gradient());
            case.check("launcher.alpha_hidden.grad.log_alpha_hidden", state_alpha.gradient());
            case.check("launcher.after.log_alpha", &[learner.temperatures.alpha.value().ln()]);
            case.check("launcher.after.log_alpha_hidden", &[state_alpha.value().ln()]);
            learner.follow(case.number("tau"));
            after(&mut case, "after.target", learner.target.params(), "critic", critic_lr, &ENCODERS);
            learner.refresh(&mut data, rows, &step.z, [1.0, 1.0]);
            for (of, data) in [("replay", &data), ("expert", &learner.expert)] {
                let rows = data.rows();
                let (state, next) = (states(&data.context(&rows)), states(&data.next_context(&rows)));
                case.check(&format!("launcher.after.{of}.state"), &state);
                case.check(&format!("launcher.after.{of}.next_state"), &next);
            }
        }
        // The batch is what it is made of; the next value is in y; the draws are in the losses and the refreshed
        // states. The published network keeps a layer of the previous action that it does not use.
        let unused = if reads_a_prev { "no such" } else { "after.actor.h1_a_prev" };
        case.assert_complete(&["batch.", "next_v", "actor.out", "actor.logp", unused]);
    }
}

/// Whole updates of SAC have the recorded numbers: RS in the published form, with the next state's entropy in the
/// targets, and before the policy moves; and BPTT over windows.
#[test]
fn golden_sac_updates() {
    let mut names = vec!["sac_rs_update", "sac_rs_update_hidden_entropy", "sac_rs_update_warmup", "sac_bptt_update"];
    // The full-size case is not carried along; it is checked where the folder holds it.
    if std::env::var_os("S2PG_GOLDEN").is_some() {
        names.push("sac_rs_update_halfcheetah");
    }
    for name in names {
        let mut case = Case::open(name);
        let (n_a, n_z) = (case.size("A"), case.size("H"));
        let stochastic = name != "sac_bptt_update";
        let memory = match stochastic {
            true => Memory::Stochastic { z: n_z },
            false => Memory::Bptt { h: n_z, len: case.size("truncation_length") },
        };
        let mut data = replay(&case, memory);
        let policy = actor(&case, memory, squashed(&case), "n_features_actor", "actor.", &SAC_ACTOR);
        let critics = ["critic0.", "critic1."].map(|p| q(&case, stochastic, "n_features_critic", p));
        let alpha_lr = case.number(if stochastic { "lr_al" } else { "lr_alpha" });
        let settings = sac::Settings {
            batch: case.size("B"),
            lr: case.number("lr_a").into(),
            critic_lr: case.number("lr_c").into(),
            gamma: case.number("gamma"),
            tau: case.number("tau"),
            alpha: case.get("log_alpha")[0].exp(),
            alpha_lr: alpha_lr.into(),
            state_alpha: if stochastic { case.get("log_alpha_hidden")[0].exp() } else { 1.0 },
            state_alpha_lr: if stochastic { case.number("lr_alh") } else { 1.0 }.into(),
            state_entropy_in_target: stochastic && case.flag("add_hidden_entropy"),
            ..sac::Settings::default()
        };
        let mut sac = Sac::new(policy, critics.into(), (n_a, if stochastic { n_z } else { 0 }), settings, 1);
        for (i, target) in sac.critics.targets.iter_mut().enumerate() {
            case.load(target.params_mut(), &format!("target{i}."), critic_names(stochastic));
        }
        let all = data.rows();
        for it in 0..case.size("iterations") {
            let step = format!("it{it}");
            let rows: Vec<usize> = case.indices(&format!("{step}.batch.idx")).iter().map(|&i| all[i]).collect();
            let n = rows.len();
            check_batch(&mut case, &step, &data, &rows);
            let mut drawn = None;
            if case.has(&format!("{step}.noise.actor")) {
                let noise = noise(&case, &format!("{step}.noise.actor"), n, n_a);
                let dist = sac.policy().dist(&data.context(&rows));
                check_dist(&mut case, &format!("{step}.actor"), &dist, &noise.of(0..n));
                for (i, q) in sac.critics.online.iter().enumerate() {
                    let u = dist.reparameterised(&noise.of(0..n)).0;
                    if stochastic {
                        case.check(&format!("{step}.actor.q{i}"), q.value(&data.context(&rows), Some(&u)).data());
                    }
                }
                let done = sac.policy_step(&data, &rows, &noise);
                case.check(&format!("{step}.actor.loss"), &[done.loss]);
                let policy = sac.policy();
                check_gradients(
                    &mut case,
                    &format!("{step}.actor"),
                    policy.params(),
                    sac.descent.optimiser.gradient(),
                    &SAC_ACTOR,
                );
                let (loss, state_loss) = sac.temperature_step(&done);
                case.check(&format!("{step}.alpha.loss"), &[loss]);
                case.check(&format!("{step}.alpha.grad.log_alpha"), sac.alpha.gradient());
                if let Some(loss) = state_loss {
                    case.check(&format!("{step}.alpha_hidden.loss"), &[loss]);
                    let gradient = sac.state_alpha.as_ref().unwrap().gradient();
                    case.check(&format!("{step}.alpha_hidden.grad.log_alpha_hidden"), gradient);
                }
                drawn = Some(done);
            }
            let noise = noise(&case, &format!("{step}.noise.target"), n, n_a);
            let dist = sac.policy().dist(&data.next_context(&rows));
            check_dist(&mut case, &format!("{step}.target"), &dist, &noise.of(0..n));
            let y = sac.target(&data, &rows, &noise);
            check_targets(&mut case, &step, &data, &rows, &y);
            let losses = sac.critic_step(&data, &rows, &y);
            let gradients: Vec<&[f32]> = sac.critics.optimisers.iter().map(|o| o.gradient()).collect();
            check_critics(&mut case, &step, &sac.critics.online, &gradients, &losses, stochastic);
            sac.follow();
            if let Some(done) = drawn.filter(|_| stochastic) {
                data.refresh(&rows, &done.z, case.number("new_state_update_tau"));
            }
            if stochastic {
                check_refreshed(&mut case, &step, &data);
            }
            let networks = (&sac.critics.online[..], &sac.critics.targets[..]);
            check_networks(&mut case, it, sac.policy(), networks, &SAC_ACTOR, stochastic);
            for (temperature, name) in [(Some(&sac.alpha), "alpha"), (sac.state_alpha.as_ref(), "alpha_hidden")] {
                let Some(temperature) = temperature else { continue };
                let gradients: Vec<String> =
                    (0..=it).map(|i| format!("it{i}.{name}.grad.log_{name}")).filter(|g| case.has(g)).collect();
                let lr = if name == "alpha" { alpha_lr } else { case.number("lr_alh") };
                case.check_after_adam(&format!("{step}.after.log_{name}"), &[temperature.ln()], lr, &gradients);
            }
        }
        // The buffer does not keep what cut an episode.
        case.assert_complete(&[".batch.last"]);
    }
}

/// Whole updates of TD3 have the recorded numbers with RS, and with BPTT over windows, both with the published means of
/// the critics (D4, D5).
#[test]
fn golden_td3_updates() {
    for name in ["td3_rs_update", "td3_bptt_update"] {
        let mut case = Case::open(name);
        let n_z = case.size("H");
        let stochastic = name == "td3_rs_update";
        let memory = match stochastic {
            true => Memory::Stochastic { z: n_z },
            false => Memory::Bptt { h: n_z, len: case.size("truncation_length") },
        };
        let mut data = replay(&case, memory);
        let head = || deterministic(&case, 0.1, 0.1);
        let policy = actor(&case, memory, head(), "n_features_actor", "actor.", &TD3_ACTOR);
        let critics = ["critic0.", "critic1."].map(|p| q(&case, stochastic, "n_features_critic", p));
        let std = case.number("noise_std");
        let state_std = if stochastic { case.number("noise_hidden_std") } else { 1.0 };
        let settings = td3::Settings {
            batch: case.size("B"),
            lr: case.number("lr_a").into(),
            critic_lr: case.number("lr_c").into(),
            gamma: case.number("gamma"),
            tau: case.number("tau"),
            smoothing: std,
            smoothing_clip: case.number("noise_clip"),
            state_smoothing: Some(state_std),
            state_smoothing_clip: Some(if stochastic { case.number("noise_hidden_clip") } else { 1.0 }),
            actor_mean_q: true,
            mean_target: !stochastic,
            ..td3::Settings::default()
        };
        let mut td3 = Td3::new(policy, critics.into(), settings, 1);
        case.load(td3.policy_target.params_mut(), "target_actor.", &TD3_ACTOR);
        for (i, target) in td3.critics.targets.iter_mut().enumerate() {
            case.load(target.params_mut(), &format!("target{i}."), critic_names(stochastic));
        }
        let all = data.rows();
        for it in 0..case.size("iterations") {
            let step = format!("it{it}");
            let rows: Vec<usize> = case.indices(&format!("{step}.batch.idx")).iter().map(|&i| all[i]).collect();
            let n = rows.len();
            check_batch(&mut case, &step, &data, &rows);
            // The recorded noise has its standard deviation in it.
            let scaled =
                |name: &str, std: f64| -> Vec<f32> { case.get(name).iter().map(|x| (x / std) as f32).collect() };
            let a = scaled(&format!("{step}.noise.action"), std);
            let z = if stochastic { scaled(&format!("{step}.noise.hidden"), state_std) } else { Vec::new() };
            let noise = Noise::new(n, &a, &z);
            let dist = td3.policy_target.dist(&data.next_context(&rows));
            case.check(&format!("{step}.target.action_raw"), dist.mean().a.data());
            let u = td3.smoothed(&dist, &noise.of(0..n));
            case.check(&format!("{step}.target.action"), u.a.data());
            if let (Some(raw), Some(z)) = (&dist.mean().z, &u.z) {
                case.check(&format!("{step}.target.hidden_raw"), raw.data());
                case.check(&format!("{step}.target.hidden"), z.data());
            }
            let y = td3.target(&data, &rows, &noise);
            check_targets(&mut case, &step, &data, &rows, &y);
            let losses = td3.critic_step(&data, &rows, &y);
            let gradients: Vec<&[f32]> = td3.critics.optimisers.iter().map(|o| o.gradient()).collect();
            check_critics(&mut case, &step, &td3.critics.online, &gradients, &losses, stochastic);
            if case.has(&format!("{step}.actor.loss")) {
                if let Some(h) = td3.policy().dist(&data.context(&rows)).h {
                    case.check(&format!("{step}.actor.next_hidden"), h.data());
                }
                let done = td3.policy_step(&data, &rows);
                case.check(&format!("{step}.actor.loss"), &[done.loss]);
                case.check(&format!("{step}.actor.action"), &done.a);
                let policy = td3.policy();
                check_gradients(
                    &mut case,
                    &format!("{step}.actor"),
                    policy.params(),
                    td3.descent.optimiser.gradient(),
                    &TD3_ACTOR,
                );
                if stochastic {
                    case.check(&format!("{step}.actor.next_hidden"), &done.z);
                    data.refresh(&rows, &done.z, case.number("new_state_update_tau"));
                }
            }
            if stochastic {
                check_refreshed(&mut case, &step, &data);
            }
            td3.follow();
            let target = td3.policy_target.clone();
            let lr = case.number("lr_a");
            check_after(&mut case, it, ("target_actor", "actor"), target.params(), lr, &TD3_ACTOR);
            let networks = (&td3.critics.online[..], &td3.critics.targets[..]);
            check_networks(&mut case, it, td3.policy(), networks, &TD3_ACTOR, stochastic);
        }
        // The buffer does not keep what cut an episode.
        case.assert_complete(&[".batch.last"]);
    }
}

/// The actor of SAC-RS has the recorded means, log-stds, draws, densities, and their gradient.
#[test]
fn golden_sac_rs_actor() {
    let mut case = Case::open("sac_rs_actor");
    let (n_s, n_a, n_z, n) = (case.size("privileged"), case.size("A"), case.size("H"), case.size("B"));
    let memory = Memory::Stochastic { z: n_z };
    let actor = actor(&case, memory, squashed(&case), "n_features", "actor.", &SAC_ACTOR);
    let x = case.f32("in.state");
    let rows = || x.chunks_exact(n_s + n_z);
    let o: Vec<f32> = rows().flat_map(|row| seen(&case, &row[..n_s])).collect();
    let z: Vec<f32> = rows().flat_map(|row| row[n_s..].to_vec()).collect();
    case.check("in.obs", &o);
    case.check("in.z", &z);
    let x = Context {
        a_prev: Some(Tensor::new(n, n_a, &case.f32("in.prev_action"))),
        z: Some(Tensor::new(n, n_z, &z)),
        ..Context::of(Tensor::new(n, o.len() / n, &o))
    };
    let dist = actor.dist(&x);
    let state = dist.z.as_ref().unwrap();
    case.check("out.mean_action", dist.a.mean.data());
    case.check("out.mean_hidden", state.mean.data());
    case.check("out.log_std_action", dist.a.log_std.data());
    case.check("out.log_std_hidden", state.log_std.data());
    let noise = noise(&case, "in.eps", n, n_a).of(0..n);
    let (u, log_prob) = dist.reparameterised(&noise);
    let (z, log_prob_z) = (u.z.unwrap(), log_prob.z.unwrap());
    case.check("out.action", u.a.data());
    case.check("out.next_hidden", z.data());
    case.check("out.log_prob_action", log_prob.a.data());
    case.check("out.log_prob_hidden", log_prob_z.data());
    let weights = |name: &str, n: usize| Tensor::new(n, case.shape(name)[1], &case.f32(name));
    let out = Tensor::concat(&[&u.a, &z]) * weights("in.w_out", n);
    let log_probs = Tensor::concat(&[&log_prob.a, &log_prob_z]) * weights("in.w_logp", n);
    let probe = out.sum() + log_probs.sum();
    case.check("out.probe", &[probe.item()]);
    let gradient = gradient(&probe, &actor);
    for (ours, theirs) in SAC_ACTOR {
        case.check(&format!("grad.{theirs}"), &gradient[actor.params().slot(ours).range()]);
    }
    // What goes on inside a network is not shown.
    case.assert_complete(&["out.pre_tanh"]);
}

/// Inputs of a network, to differentiate with respect to them.
struct Inputs(Parameters<f32>);

impl Params for Inputs {
    fn params(&self) -> &Parameters<f32> {
        &self.0
    }
    fn params_mut(&mut self) -> &mut Parameters<f32> {
        &mut self.0
    }
}

/// The critic of RS has the recorded values, and gradients with respect to its parameters and its inputs.
#[test]
fn golden_sac_rs_critic() {
    let mut case = Case::open("sac_rs_critic");
    let (n_s, n_z, n) = (case.size("privileged"), case.size("H"), case.size("B"));
    let q = q(&case, true, "n_features", "critic.");
    let names = ["state", "action", "next_hidden", "prev_action"];
    let mut rng = Rng::new(0, "golden");
    let mut builder = Builder::new(&mut rng);
    for name in names {
        let width = case.shape(&format!("in.{name}"))[1];
        builder.add(name, n, width, Init::FanIn);
    }
    let mut inputs = Inputs(builder.finish());
    for name in names {
        let slot = inputs.0.slot(name).range();
        inputs.0.data_mut()[slot].copy_from_slice(&case.f32(&format!("in.{name}")));
    }
    let value = || {
        let [state, a, z_next, a_prev] = [0, 1, 2, 3].map(|slot| Tensor::param(&inputs.0, slot));
        let x = Context {
            s: Some(state.columns(0..n_s)),
            a_prev: Some(a_prev),
            z: Some(state.columns(n_s..n_s + n_z)),
            ..Context::of(Tensor::zeros(0, 0))
        };
        q.value(&x, Some(&Extended { a, z: Some(z_next) }))
    };
    case.check("out.q", value().data());
    let probe = || (value() * Tensor::new(n, 1, &case.f32("in.w_q"))).sum();
    let (of_inputs, of_weights) = (gradient(&probe(), &inputs), gradient(&probe(), &q));
    for name in names {
        case.check(&format!("grad_in.{name}"), &of_inputs[inputs.0.slot(name).range()]);
    }
    for (ours, theirs) in ENCODERS {
        case.check(&format!("grad.{theirs}"), &of_weights[q.params().slot(ours).range()]);
    }
    // What goes on inside a network is not shown.
    case.assert_complete(&["out.enc_"]);
}

/// Acting over resets, stochastic and deterministic, as the published policies do: those of SAC keep the previous
/// action at a reset (D13), those of TD3 remember it as it was before clipping (D14).
#[test]
fn golden_acting_off_policy() {
    let mut case = Case::open("acting");
    let (n_a, n_z, n_s, steps) = (case.size("A"), case.size("H"), case.size("privileged"), case.size("T"));
    let window = case.size("window_length");
    let (s, reset) = (case.f32("state"), case.bools("reset"));
    let (std, state_std) = (case.number("std_action_td3"), case.number("std_hidden_td3"));
    let (rs, bptt) = (Memory::Stochastic { z: n_z }, Memory::Bptt { h: n_z, len: 5 });
    let windows = Memory::Window { len: window };
    for (name, memory) in [
        ("sac_rs", rs),
        ("sac_bptt", bptt),
        ("sac_window", windows),
        ("td3_rs", rs),
        ("td3_bptt", bptt),
        ("td3_window", windows),
    ] {
        let is_sac = name.starts_with("sac");
        let head = if is_sac { squashed(&case) } else { deterministic(&case, std, state_std) };
        let names: &Names = match memory {
            Memory::Window { .. } => &WINDOW,
            _ if is_sac => &SAC_ACTOR,
            _ => &TD3_ACTOR,
        };
        let actor = actor(&case, memory, head, "n_features", &format!("{name}.net."), names);
        for mode in ["stoch", "deter"] {
            if is_sac && mode == "deter" {
                // The published SAC draws in its deterministic evaluation too (D19): nothing is recorded.
                continue;
            }
            let mut recall = Recall::new(1, memory, case.size("obs"), n_a, is_sac, 0);
            let (mut actions, mut memories, mut states) = (Vec::new(), Vec::new(), Vec::new());
            for t in 0..steps {
                if reset[t] {
                    recall.forget();
                }
                let row = &s[t * n_s..][..n_s];
                let o = seen(&case, row);
                let dist = actor.dist(&recall.context(&o, row));
                let mut drawn = dist.mean();
                if mode == "stoch" {
                    let all = case.f32(&format!("{name}.stoch.noise"));
                    let noise = |n: usize, of: &[f32], std: f64| {
                        let scaled: Vec<f32> = of.iter().map(|&x| (f64::from(x) / std) as f32).collect();
                        Tensor::new(1, n, &scaled)
                    };
                    let all = &all[t * all.len() / steps..(t + 1) * all.len() / steps];
                    let z = all.len() - n_a;
                    // Columns are [action | state] for SAC and [state | action] for TD3.
                    let (of_a, of_z) = if is_sac { (&all[..n_a], &all[n_a..]) } else { (&all[z..], &all[..z]) };
                    let (std, state_std) = if is_sac { (1.0, 1.0) } else { (std, state_std) };
                    let z = (z > 0).then(|| noise(n_z, of_z, state_std));
                    drawn = dist.draw_from(&Extended { a: noise(n_a, of_a, std), z });
                }
                let u = dist.clip(&drawn);
                recall.remember(&dist, &u, &drawn.a);
                actions.extend_from_slice(u.a.data());
                memories.extend_from_slice(drawn.a.data());
                states.extend_from_slice(if recall.z().is_empty() { recall.h() } else { recall.z() });
            }
            case.check(&format!("{name}.{mode}.action"), &actions);
            case.check(&format!("{name}.{mode}.memory.action"), &memories);
            if !states.is_empty() {
                case.check(&format!("{name}.{mode}.memory.hidden"), &states);
            }
        }
    }
    // Another test compares PPO; a policy that is shown windows keeps no state, for which zeros are recorded.
    case.assert_complete(&["ppo_", "window.stoch.memory.hidden", "window.deter.memory.hidden"]);
}

/// The recorded transitions in the order of time, of which the one at `CUT` is the last of an abandoned episode.
fn recorded(case: &Case, memory: Memory, steps: usize) -> Replay {
    let (n_s, n_a, n_z) = (case.size("privileged"), case.size("A"), case.size("H"));
    let width = n_s + n_z;
    let (x, next_x) = (case.f32("data.state"), case.f32("data.next_state"));
    let (a, r) = (case.f32("data.action"), case.get("data.reward").to_vec());
    let (absorbing, last) = (case.bools("data.absorbing"), case.bools("data.last"));
    let z = matches!(memory, Memory::Stochastic { .. });
    let shape = ReplayShape { size: 100, envs: 1, o: n_s, s: n_s, a: n_a, memory, misalign_next_windows: true };
    let mut data = Replay::new(shape);
    for t in 0..steps {
        let (row, next) = (&x[t * width..][..width], &next_x[t * width..][..width]);
        data.push(&Transition {
            o: &row[..n_s],
            s: &row[..n_s],
            z: if z { &row[n_s..] } else { &[] },
            h: if z { &[] } else { &row[n_s..] },
            a: &a[t * n_a..][..n_a],
            z_next: if z { &next[n_s..] } else { &[] },
            h_next: if z { &[] } else { &next[n_s..] },
            r: &r[t..=t],
            terminated: &absorbing[t..=t],
            truncated: &[last[t] && !absorbing[t]],
            dropped: &[false],
            next_o: &next[..n_s],
            next_s: &next[..n_s],
            ..Transition::default()
        });
        if t == CUT {
            data.cut();
        }
    }
    data
}

/// The step behind which the recorded loop abandoned an episode without a mark (D30).
const CUT: usize = 9;

/// The replay buffer: batches, previous actions, refreshed states and windows are the recorded ones, half full and
/// wrapped around; except where the official buffer reaches over the abandoned end of an episode, its first slot or the
/// seam of its ring (D30, D31). There, ours are those of the episode.
#[test]
fn golden_replay() {
    let mut case = Case::open("replay_and_standardiser");
    let (n_s, n_a, n_z, size) = (case.size("privileged"), case.size("A"), case.size("H"), case.size("max_size"));
    let len = case.size("truncation_length");
    let steps = case.shape("data.action")[0];
    let mut last = case.bools("data.last");
    last[CUT] = true;
    let first = |t: usize| t == 0 || last[t - 1];
    for (part, steps) in [("part", case.get("part.size")[0] as usize), ("full", steps)] {
        let kept = steps.min(size);
        // The step in a slot of the official ring, and the slot of a step.
        let oldest = steps - kept;
        let step_in = |slot: usize| oldest + (slot + size - steps % size) % size % kept.max(1);
        let step_in = |slot: usize| if steps <= size { slot } else { step_in(slot) };
        let mut data = recorded(&case, Memory::Stochastic { z: n_z }, steps);
        let rows = data.rows();
        let asked: Vec<usize> = case.indices(&format!("{part}.idx")).iter().map(|&i| step_in(i)).collect();
        let of = |steps: &[usize]| -> Vec<usize> { steps.iter().map(|&t| rows[t]).collect() };
        let x = data.context(&of(&asked));
        let r: Vec<f32> = of(&asked).iter().map(|&k| data.r(k)).collect();
        let absorbing: Vec<f32> = of(&asked).iter().map(|&k| f32::from(u8::from(data.terminated(k)))).collect();
        case.check(&format!("{part}.get.state"), &states(&x));
        case.check(&format!("{part}.get.next_state"), &states(&data.next_context(&of(&asked))));
        case.check(&format!("{part}.get.action"), data.extended(&of(&asked)).a.data());
        case.check(&format!("{part}.get.reward"), &r);
        case.check(&format!("{part}.get.absorbing"), &absorbing);
        let mut official = case.f32(&format!("{part}.get.prev_action"));
        let mut reached = 0;
        for (i, (official, &t)) in official.chunks_exact_mut(n_a).zip(&asked).enumerate() {
            // The official buffer does not see the cut, takes nothing for slot 0 and the newest action for the oldest.
            let slot = case.indices(&format!("{part}.idx"))[i];
            if t == CUT + 1 || slot == 0 || t == oldest {
                let a = case.f32("data.action");
                let own = if first(t) { vec![0.0; n_a] } else { a[(t - 1) * n_a..t * n_a].to_vec() };
                reached += usize::from(official != own);
                official.copy_from_slice(&own);
            }
        }
        assert_eq!(x.a_prev.unwrap().data(), official);
        assert!(reached > 0, "the exceptions are exceptions");

        // The refresh; what the official one does beyond the episode is taken back before comparing.
        let all: Vec<usize> = (0..kept).map(step_in).collect();
        let before = states(&data.context(&of(&all)));
        data.refresh(&of(&asked), &case.f32(&format!("{part}.z_new")), 1.0);
        let (state, next) = (states(&data.context(&of(&all))), states(&data.next_context(&of(&all))));
        for version in ["v2", "list"] {
            let mut official = case.f32(&format!("{part}.{version}.after.states"));
            let width = n_s + n_z;
            for slot in 0..kept {
                let t = all[slot];
                // Behind the cut and behind the seam another episode starts; slot 0 is not reached at all.
                if t == CUT + 1 || (slot == 0 && steps > size) || t == oldest {
                    let own = if first(t) { &before } else { &state };
                    official[slot * width..][..width].copy_from_slice(&own[slot * width..][..width]);
                }
            }
            assert_eq!(state, official, "{part} {version}");
            let official = case.f32(&format!("{part}.{version}.after.next_states"));
            assert_eq!(next, official, "{part} {version}");
        }

        // Windows, where the official ones lie inside an episode.
        let data = recorded(&case, Memory::Bptt { h: n_z, len }, steps);
        let rows = data.rows();
        let x = data.context(&all.iter().map(|&t| rows[t]).collect::<Vec<_>>());
        let (lengths, steps_shown) = (x.lengths.clone().unwrap(), x.steps());
        let official = case.indices(&format!("{part}.seq.lengths"));
        let golden = |name: &str| case.f32(&format!("{part}.seq.{name}"));
        let (state, a_prev) = (golden("state"), golden("prev_action"));
        let mut same = 0;
        for slot in 0..kept {
            let t = all[slot];
            let own = (0..len).find(|&back| back + oldest >= t || first(t - back)).map_or(len, |back| back + 1);
            assert_eq!(lengths[slot], own, "{part}, step {t}");
            if official[slot] != own {
                assert!(official[slot] > own, "the official window of step {t} reaches too far");
                continue;
            }
            same += 1;
            for i in 0..own {
                let row = (steps_shown - own + i) * kept + slot;
                let at = (slot * len + i) * (n_s + n_z);
                assert_eq!(&x.o.data()[row * n_s..][..n_s], &state[at..][..n_s]);
                let a = &x.a_prev.as_ref().unwrap().data()[row * n_a..][..n_a];
                assert_eq!(a, &a_prev[(slot * len + i) * n_a..][..n_a]);
            }
            let h = &x.h.as_ref().unwrap().data()[slot * n_z..][..n_z];
            assert_eq!(h, &state[slot * len * (n_s + n_z) + n_s..][..n_z]);
        }
        assert!(same * 2 > kept, "{same} windows of {kept} are the same");
    }
}
