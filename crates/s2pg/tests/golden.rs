//! Networks, losses, gradients and whole updates equal the numbers of the official implementation.
//!
//! Every size, setting and tolerance comes from the recorded files; `S2PG_GOLDEN` names another folder of them.

mod common;

use common::Case;
use s2pg::Rng;
use s2pg::algo::adversary::LossKind;
use s2pg::algo::gae::{gae, normalise};
use s2pg::algo::on_policy::{self, log_prob};
use s2pg::algo::pair::Old;
use s2pg::algo::{Algorithm, Gail, Ppo, gail, ppo};
use s2pg::data::{Buffer, Demos, Rollout, RolloutShape, Transition};
use s2pg::nn::{Builder, CellKind, Init, Parameters, Params, Standardiser, Tensor, gradient};
use s2pg::policy::{
    Actor, ActorShape, CoreShape, Discriminator, Head, Memory, PolicyKind, StatefulPolicy, Value, ValueShape, View,
};
use s2pg::state::{Data, State, Visitor};
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

const DISCRIMINATOR: [(&str, &str); 6] = [
    ("h1.weight", "linears.0.weight"),
    ("h1.bias", "linears.0.bias"),
    ("h2.weight", "linears.1.weight"),
    ("h2.bias", "linears.1.bias"),
    ("h3.weight", "linears.2.weight"),
    ("h3.bias", "linears.2.bias"),
];

const RECURRENT_VALUE: [(&str, &str); 14] = [
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
    ("head.h1.weight", "hq_1.weight"),
    ("head.h1.bias", "hq_1.bias"),
    ("head.h2.weight", "hq_2.weight"),
    ("head.h2.bias", "hq_2.bias"),
];

fn actor(case: &Case, memory: Memory, features: &str, prefix: &str) -> Actor {
    let shape = ActorShape {
        o: case.size("obs"),
        a: case.size("A"),
        a_prev: case.size("A"),
        features: case.size(features),
        core: CoreShape::cell(CellKind::Gru, case.size("H")),
        kind: PolicyKind::Shortcut,
        head: Head::Gaussian { std: 0.5, state_std: 0.5 },
    };
    let mut actor = Actor::new(memory, &shape, &mut Rng::new(0, "golden"));
    case.load(actor.params_mut(), prefix, &ACTOR);
    actor
}

/// What the policy sees of `s`: all of it, unless a mask is recorded.
fn seen(case: &Case, s: &[f32]) -> Vec<f32> {
    if !case.has("mask.policy") {
        return s.to_vec();
    }
    s.iter().zip(case.bools("mask.policy")).filter(|(_, m)| *m).map(|(x, _)| *x).collect()
}

/// The recorded transitions, with everything that the published code does to windows.
fn rollout(case: &Case, memory: Memory) -> Rollout {
    let (n_o, n_a, n_z, n) = (case.size("obs"), case.size("A"), case.size("H"), case.size("N"));
    let width = case.shape("data.state")[1];
    let n_s = width - n_z;
    let (x, next_x) = (case.f32("data.state"), case.f32("data.next_state"));
    let (a, r) = (case.f32("data.action"), case.get("data.reward").to_vec());
    let (absorbing, last) = (case.bools("data.absorbing"), case.bools("data.last"));
    let mut data = Rollout::new(RolloutShape {
        steps: n,
        envs: 1,
        o: n_o,
        s: if n_s > n_o { n_s } else { 0 },
        a: n_a,
        memory,
        a_prev: true,
        misalign_next_windows: true,
        join_first_windows: true,
        ..RolloutShape::default()
    });
    let mut a_prev = vec![0.0; n_a];
    let stochastic = matches!(memory, Memory::Stochastic { .. });
    for t in 0..n {
        let (row, next) = (&x[t * width..][..width], &next_x[t * width..][..width]);
        let (state, next_state) = (&row[n_s..], &next[n_s..]);
        data.push(&Transition {
            o: &seen(case, &row[..n_s]),
            s: &row[..n_s],
            a_prev: &a_prev,
            z: if stochastic { state } else { &[] },
            h: if stochastic { &[] } else { state },
            a: &a[t * n_a..][..n_a],
            z_next: if stochastic { next_state } else { &[] },
            h_next: if stochastic { &[] } else { next_state },
            r: &r[t..=t],
            terminated: &absorbing[t..=t],
            truncated: &[last[t] && !absorbing[t]],
            dropped: &[false],
            next_o: &seen(case, &next[..n_s]),
            next_s: &next[..n_s],
            ..Transition::default()
        });
        a_prev.copy_from_slice(&a[t * n_a..][..n_a]);
        if last[t] || absorbing[t] {
            a_prev.fill(0.0);
        }
    }
    data
}

/// A whole update: values, GAE, densities, every loss and gradient, and the weights after Adam.
fn check_update(case: &mut Case, ppo: &mut Ppo<Actor, Value>, data: &Rollout, values: &[(&str, &str)]) {
    let settings = ppo.settings().clone();
    let (v, v_next) = on_policy::values(ppo.value(), data);
    case.check("gae.v", &v);
    case.check("gae.v_next", &v_next);
    let gae = gae(data, &v, &v_next, settings.gamma, settings.lambda);
    case.check("gae.adv", &gae.advantages);
    case.check("gae.v_target", &gae.targets);
    let mut advantages = gae.advantages.clone();
    normalise(&mut advantages, &data.rows());
    case.check("adv_norm", &advantages);
    let old = Old::of(ppo.policy(), data);
    case.check("old_log_prob", &old.joint);

    let mut steps = 0;
    while case.has(&format!("v.step{steps}.idx")) {
        let step = format!("v.step{steps}");
        let rows = case.indices(&format!("{step}.idx"));
        let loss = ppo.value_step(data, &gae.targets, &rows);
        case.check(&format!("{step}.loss"), &[loss]);
        for (ours, theirs) in values {
            let slot = ppo.value().params().slot(ours).clone();
            case.check(&format!("{step}.grad.{theirs}"), &ppo.optimisers().1.gradient()[slot.range()]);
        }
        steps += 1;
    }
    for (ours, theirs) in values {
        let slot = ppo.value().params().slot(ours).clone();
        let gradients: Vec<String> = (0..steps).map(|i| format!("v.step{i}.grad.{theirs}")).collect();
        let ours = &ppo.value().params().data()[slot.range()];
        case.check_after_adam(&format!("v.after.{theirs}"), ours, settings.value_lr.start(), &gradients);
    }

    let mut steps = 0;
    while case.has(&format!("pi.step{steps}.idx")) {
        let step = format!("pi.step{steps}");
        let rows = case.indices(&format!("{step}.idx"));
        case.check(&format!("{step}.log_prob"), log_prob(ppo.policy(), data, &rows).data());
        let loss = ppo.policy_step(data, &old, &advantages, &rows);
        case.check(&format!("{step}.loss"), &[loss]);
        for (ours, theirs) in ACTOR {
            let slot = ppo.policy().params().slot(ours).clone();
            case.check(&format!("{step}.grad.{theirs}"), &ppo.optimisers().0.gradient()[slot.range()]);
            if steps == 0 {
                let ours = &ppo.policy().params().data()[slot.range()];
                let gradient = [format!("{step}.grad.{theirs}")];
                case.check_after_adam(&format!("pi.after_step0.{theirs}"), ours, settings.lr.start(), &gradient);
            }
        }
        steps += 1;
    }
    for (ours, theirs) in ACTOR {
        let slot = ppo.policy().params().slot(ours).clone();
        let gradients: Vec<String> = (0..steps).map(|i| format!("pi.step{i}.grad.{theirs}")).collect();
        let ours = &ppo.policy().params().data()[slot.range()];
        case.check_after_adam(&format!("pi.after.{theirs}"), ours, settings.lr.start(), &gradients);
    }
}

fn settings(case: &Case, broadcast_bug: bool) -> ppo::Settings {
    ppo::Settings {
        lr: case.number("lr_actor").into(),
        value_lr: case.number("lr_critic").into(),
        gamma: case.number("gamma"),
        lambda: case.number("lam"),
        clip: case.number("eps_ppo"),
        entropy: case.number("ent_coeff").into(),
        broadcast_bug,
        ..ppo::Settings::default()
    }
}

/// One PPO-RS update has the recorded numbers.
#[test]
fn golden_ppo_rs_update() {
    let mut case = Case::open("ppo_rs_update");
    let memory = Memory::Stochastic { z: case.size("H") };
    let data = rollout(&case, memory);
    case.check("prev_action", data.context(&data.rows()).a_prev.unwrap().data());
    let (n_o, n_a, n_z) = (case.size("obs"), case.size("A"), case.size("H"));
    let features = case.size("n_features_critic");
    let shape =
        ValueShape { view: View::Observation, world: n_o, z: n_z, a_prev: n_a, features, gain: 0.01, core: None };
    let mut value = Value::new(shape, &mut Rng::new(0, "golden"));
    case.load(value.params_mut(), "value.", &VALUE);
    let actor = actor(&case, memory, "n_features_actor", "actor.");
    let mut ppo = Ppo::new(actor, value, settings(&case, false), 1);
    check_update(&mut case, &mut ppo, &data, &VALUE);
    case.assert_complete(&[]);
}

/// One PPO-BPTT update over windows has the recorded numbers, with the published product of every ratio with every
/// advantage (D11) and without.
#[test]
fn golden_ppo_bptt_update() {
    for (name, broadcast_bug) in [("ppo_bptt_update", true), ("ppo_bptt_update_fixed_broadcast", false)] {
        let mut case = Case::open(name);
        let (n_o, n_a, len) = (case.size("obs"), case.size("A"), case.size("truncation_length"));
        let memory = Memory::Bptt { h: case.size("H"), len };
        let data = rollout(&case, memory);
        check_windows(&mut case, &data, len);
        let features = case.size("n_features_critic");
        let units = case.shape("value.rnn.weight_hh_l0")[1];
        let core = Some(CoreShape::cell(CellKind::Gru, units));
        let shape = ValueShape { view: View::Observation, world: n_o, z: 0, a_prev: n_a, features, gain: 0.01, core };
        let mut value = Value::new(shape, &mut Rng::new(0, "golden"));
        case.load(value.params_mut(), "value.", &RECURRENT_VALUE);
        let actor = actor(&case, memory, "n_features_actor", "actor.");
        let mut ppo = Ppo::new(actor, value, settings(&case, broadcast_bug), 1);
        check_update(&mut case, &mut ppo, &data, &RECURRENT_VALUE);
        case.assert_complete(&[]);
    }
}

/// One PPO-BPTT update whose value function sees the state, as inside GAIL-BPTT, has the recorded numbers.
#[test]
fn golden_ppo_bptt_pi_update() {
    let mut case = Case::open("ppo_bptt_pi_update");
    let len = case.size("truncation_length");
    let memory = Memory::Bptt { h: case.size("H"), len };
    let data = rollout(&case, memory);
    check_windows(&mut case, &data, len);
    let value = state_value(&case, 0);
    let actor = actor(&case, memory, "n_features_actor", "actor.");
    let mut ppo = Ppo::new(actor, value, settings(&case, false), 1);
    check_update(&mut case, &mut ppo, &data, &VALUE);
    case.assert_complete(&[]);
}

/// A value function of the recorded privileged state, and of `z` entries of z.
fn state_value(case: &Case, z: usize) -> Value {
    let (world, features) = (case.size("privileged"), case.size("n_features_critic"));
    let shape = ValueShape { view: View::State, world, z, a_prev: 0, features, gain: 0.01, core: None };
    let mut value = Value::new(shape, &mut Rng::new(0, "golden"));
    case.load(value.params_mut(), "value.", &VALUE);
    value
}

/// The recorded statistics of a standardiser.
struct Statistics<'a>(&'a Case);

impl Visitor for Statistics<'_> {
    fn item(&mut self, name: &str, data: Data<'_>) {
        let Data::F64(x) = data else { panic!("{name} is no number") };
        x.copy_from_slice(self.0.get(&format!("standardizer.{}", name.replace("sum", "S"))));
    }
    fn enter(&mut self, _: &str) {}
    fn leave(&mut self) {}
}

/// Logits of which a loss has a gradient.
struct Logits(Parameters<f32>);

impl Params for Logits {
    fn params(&self) -> &Parameters<f32> {
        &self.0
    }
    fn params_mut(&mut self) -> &mut Parameters<f32> {
        &mut self.0
    }
}

/// One update of GAIL-RS has the recorded numbers: the logit and the reward of every step, PPO's update with them, and
/// the discriminator's step on standardised demonstrations; so have both losses and both rewards of given logits.
#[test]
fn golden_gail_rs() {
    let mut case = Case::open("gail_rs");
    let (n_o, n_s, n_a, n) = (case.size("obs"), case.size("privileged"), case.size("A"), case.size("N"));
    let memory = Memory::Stochastic { z: case.size("H") };
    let mut data = rollout(&case, memory);
    case.check("prev_action", data.context(&data.rows()).a_prev.unwrap().data());
    let mut standardiser = Standardiser::new(n_s);
    standardiser.visit(&mut Statistics(&case));
    case.check("standardizer.std", &standardiser.std());
    data.standardise(&Standardiser::new(n_o), &standardiser);

    let (s, next_s) = (case.f32("expert.states"), case.f32("expert.next_states"));
    let masked = |s: &[f32]| s.chunks(n_s).flat_map(|s| seen(&case, s)).collect();
    let rows = s.len() / n_s;
    let demos = Demos {
        sizes: [n_o, n_s, n_a],
        o: masked(&s),
        next_o: masked(&next_s),
        a: Some(case.f32("expert.actions")),
        r: vec![0.0; rows],
        absorbing: vec![false; rows],
        last: vec![false; rows],
        s,
        next_s,
    };
    let settings = gail::Settings {
        lr: case.number("lr_actor").into(),
        value_lr: case.number("lr_critic").into(),
        gamma: case.number("gamma"),
        lambda: case.number("lam"),
        clip: case.number("eps_ppo"),
        discriminator_lr: case.number("lr_D").into(),
        discriminator_entropy: case.number("entcoeff"),
        ..gail::Settings::default()
    };
    let widths = [0, 1].map(|i| case.shape(&format!("disc.linears.{i}.weight"))[0]);
    let mut discriminator = Discriminator::new(n_s + n_a, widths, &mut Rng::new(0, "golden"));
    case.load(discriminator.params_mut(), "disc.", &DISCRIMINATOR);
    let actor = actor(&case, memory, "n_features_actor", "actor.");
    let networks = (actor, state_value(&case, case.size("H")), discriminator);
    let mut gail = Gail::new(networks, demos.clone(), settings.clone(), 1);
    let criterion = gail.adversary.criterion;

    let mut shown = criterion.of_policy(&data, &data.rows());
    let d = gail.adversary.logits(&shown);
    case.check("disc.logit", d.data());
    let r: Vec<f64> = d.data().iter().map(|&d| criterion.reward(f64::from(d))).collect();
    case.check("reward", &r);
    data.set_r(&r);
    check_update(&mut case, &mut gail.ppo, &data, &VALUE);

    let of_expert = criterion.of_expert(&demos, &data, &case.indices("D.expert_idx"));
    let states: Vec<f32> = of_expert.chunks(n_s + n_a).flat_map(|row| row[..n_s].to_vec()).collect();
    case.check("D.expert_states", &states);
    shown.extend(of_expert);
    case.check("D.input", &shown);
    let expert: Vec<bool> = (0..2 * n).map(|i| i >= n).collect();
    let loss = gail.adversary.fit(&shown, &expert);
    case.check("D.loss", &[loss]);
    for (ours, theirs) in DISCRIMINATOR {
        let slot = gail.adversary.network().params().slot(ours).clone();
        let gradient = format!("D.grad.{theirs}");
        case.check(&gradient, &gail.adversary.optimiser.gradient()[slot.range()]);
        let after = &gail.adversary.network().params().data()[slot.range()];
        case.check_after_adam(&format!("D.after.{theirs}"), after, case.number("lr_D"), &[gradient]);
    }

    let logits = case.f32("probe.logit");
    let expert = case.bools("probe.target");
    for (discriminator_loss, name) in [(LossKind::Logistic, "logistic"), (LossKind::Squares, "ls")] {
        let criterion = gail::Settings { discriminator_loss, discriminator_entropy: 0.1, ..settings.clone() }
            .criterion([n_o, n_s, n_a]);
        let mut rng = Rng::new(0, "golden");
        let mut builder = Builder::new(&mut rng);
        let slot = builder.add("logits", logits.len(), 1, Init::FanIn);
        let mut d = Logits(builder.finish());
        d.0.data_mut().copy_from_slice(&logits);
        let loss = criterion.loss(&Tensor::param(&d.0, slot), &expert);
        case.check(&format!("probe.{name}_loss"), &[loss.item()]);
        case.check(&format!("probe.{name}_grad"), &gradient(&loss, &d));
        let r: Vec<f64> = logits.iter().map(|&d| criterion.reward(f64::from(d))).collect();
        case.check(&format!("probe.reward_{name}"), &r);
    }
    case.assert_complete(&["bernoulli_entropy"]);
}

/// The windows of every row and of every next observation, padded behind as they are recorded.
fn check_windows(case: &mut Case, data: &Rollout, len: usize) {
    let (n_o, n_a, n_h) = (case.size("obs"), case.size("A"), case.size("H"));
    let rows = data.rows();
    for (context, state, action) in [
        (data.context(&rows), "seq.state", "seq.prev_action"),
        (data.next_context(&rows), "seq.next_state", "seq.action"),
    ] {
        let lengths = context.lengths.clone().unwrap();
        let steps = context.steps();
        let a = context.a_prev.as_ref().unwrap();
        let behind = |x: &Tensor, width: usize| -> Vec<f32> {
            let mut table = vec![0.0; rows.len() * len * width];
            for (i, n) in lengths.iter().enumerate() {
                for t in 0..*n {
                    let from = ((steps - n + t) * rows.len() + i) * width;
                    table[(i * len + t) * width..][..width].copy_from_slice(&x.data()[from..from + width]);
                }
            }
            table
        };
        case.check("seq.length", &lengths.iter().map(|&n| n as f64).collect::<Vec<_>>());
        case.check(action, &behind(a, n_a));
        // The recorded windows hold the state of every step; ours hold the one before the first.
        let o = behind(&context.o, n_o);
        let mut ours = case.f32(state);
        let n_s = case.shape("data.state")[1] - n_h;
        let mask = if n_s > n_o { case.bools("mask.policy") } else { vec![true; n_s] };
        for (i, window) in ours.chunks_exact_mut(len * (n_s + n_h)).enumerate() {
            for (t, x) in window.chunks_exact_mut(n_s + n_h).enumerate() {
                let (s, h) = x.split_at_mut(n_s);
                let o = &o[(i * len + t) * n_o..][..n_o];
                s.iter_mut().zip(&mask).filter(|(_, m)| **m).zip(o).for_each(|((s, _), o)| *s = *o);
                if t == 0 {
                    h.copy_from_slice(&context.h.as_ref().unwrap().data()[i * n_h..][..n_h]);
                }
                // Of what the policy does not see, ours hold the last.
                if let Some(all) = context.s.as_ref().filter(|_| t + 1 == lengths[i]) {
                    s.copy_from_slice(&all.data()[i * n_s..][..n_s]);
                }
            }
        }
        case.check(state, &ours);
    }
}

/// Acting over resets has the recorded numbers, stochastic and deterministic: PPO-RS with the official memory of the
/// previous action (D13), and PPO-BPTT, which forgets it.
#[test]
fn golden_acting_ppo() {
    let mut case = Case::open("acting");
    let (n_a, n_z, n_s, steps) = (case.size("A"), case.size("H"), case.size("privileged"), case.size("T"));
    let mask = case.bools("mask.policy");
    let (s, reset) = (case.f32("state"), case.bools("reset"));
    let policies = [("ppo_rs", Memory::Stochastic { z: n_z }), ("ppo_bptt", Memory::Bptt { h: n_z, len: 5 })];
    for (name, memory) in policies {
        let stochastic = matches!(memory, Memory::Stochastic { .. });
        let actor = actor(&case, memory, "n_features", &format!("{name}.net."));
        let log_std = &actor.params().data()[actor.params().slot("log_std").range()];
        for mode in ["stoch", "deter"] {
            let mut recall = Recall::new(1, memory, case.size("obs"), n_a, stochastic, 0);
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
                    let noise = &case.f32(&format!("{name}.stoch.noise"))[t * log_std.len()..][..log_std.len()];
                    let noisy = |mean: &[f32], from: usize| -> Vec<f32> {
                        let std = |i: usize| log_std[from + i].clamp(-20.0, 2.0).exp();
                        mean.iter().enumerate().map(|(i, m)| m + std(i) * noise[from + i]).collect()
                    };
                    u.a = Tensor::new(1, n_a, &noisy(u.a.data(), 0));
                    u.z = u.z.map(|z| Tensor::new(1, n_z, &noisy(z.data(), n_a)));
                }
                recall.remember(&dist, &u, &u.a);
                actions.extend_from_slice(u.a.data());
                states.extend_from_slice(if stochastic { recall.z() } else { recall.h() });
            }
            case.check(&format!("{name}.{mode}.action"), &actions);
            case.check(&format!("{name}.{mode}.memory.action"), &actions);
            case.check(&format!("{name}.{mode}.memory.hidden"), &states);
        }
    }
    case.assert_complete(&["sac_", "td3_"]);
}

/// The running standardiser has the recorded outputs, means and deviations after every call, and so has its frozen
/// form.
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
    case.assert_complete(&["part.", "full."]);
}
