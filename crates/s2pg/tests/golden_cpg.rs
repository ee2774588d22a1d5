//! The central pattern generator, the policies around it and their estimates equal the numbers of the official
//! implementation.
//!
//! Every size, setting and tolerance comes from the recorded files; `S2PG_GOLDEN` names another folder of them.

mod common;

use std::sync::Arc;

use common::Case;
use s2pg::Rng;
use s2pg::algo::reinforce::{Optimiser, Settings};
use s2pg::algo::{Algorithm, Reinforce};
use s2pg::data::{Buffer, Episodes, RolloutShape, Transition};
use s2pg::nn::{Activation, Builder, Init, Linear, Parameters, Params, Tensor, gradient};
use s2pg::policy::{
    Actor, ActorShape, Clock, Context, Core, CoreKind, CoreShape, Cpg, Dist, Dynamics, Gaussian, Head, Integrated,
    LOG_STD, Memory, PolicyKind, Solver, StatefulPolicy,
};
use s2pg::state::{State, Visitor};

const SOLVERS: [(&str, Solver); 2] = [("euler", Solver::Euler), ("rk4", Solver::Rk4)];
const RAW: [&str; 5] = ["v", "b", "c", "w", "phi"];

struct Net(Parameters<f32>);

impl Params for Net {
    fn params(&self) -> &Parameters<f32> {
        &self.0
    }
    fn params_mut(&mut self) -> &mut Parameters<f32> {
        &mut self.0
    }
}

/// A recorded tensor.
fn tensor(case: &Case, name: &str) -> Tensor {
    let shape = case.shape(name);
    let cols = *shape.last().unwrap();
    let x = case.f32(name);
    Tensor::new(x.len() / cols, cols, &x)
}

/// Sets the parameter `ours` to the recorded `theirs`.
fn set(p: &mut Parameters<f32>, ours: &str, case: &Case, theirs: &str) {
    let slot = p.slot(ours).range();
    p.data_mut()[slot].copy_from_slice(&case.f32(theirs));
}

/// The recorded oscillators, as a network of their own.
fn oscillators(case: &Case) -> (Arc<Cpg>, Net) {
    let mut rng = Rng::new(0, "golden");
    let mut b = Builder::new(&mut rng);
    let cpg = Cpg::new(&mut b, case.size("n_oscillators"));
    let mut p = b.finish();
    RAW.iter().for_each(|name| set(&mut p, name, case, &format!("raw.{name}")));
    (Arc::new(cpg), Net(p))
}

fn clock(case: &Case, solver: Solver) -> Clock {
    Clock { solver, dt: case.number("dt") }
}

/// The effective parameters, the derivative, one step and fifty of both solvers with their gradients, steps so long
/// that they tell the 3/8 rule from the classical one, the ranges of the state, and the two emissions are the recorded
/// ones. The published code can keep the state scaled to [-1, 1], which ours does not: the recorded step of a scaled
/// state is compared by way of the ranges.
#[test]
fn golden_oscillators() {
    let mut case = Case::open("cpg");
    let (cpg, net) = oscillators(&case);
    let (z, weights) = (tensor(&case, "in.state"), tensor(&case, "in.w"));
    let nothing = Tensor::zeros(z.rows(), 1);
    for (name, x) in ["v", "b", "c"].iter().zip(cpg.effective(&net.0)) {
        case.check(&format!("eff.{name}"), x.data());
    }
    let off_diagonal = |x: &Tensor| vec![x.data()[1], x.data()[2]];
    for (name, x) in ["w", "phi"].iter().zip(cpg.couplings(&net.0).unwrap()) {
        case.check(&format!("eff.{name}_mat"), x.data());
        case.check(&format!("eff.{name}"), &off_diagonal(&x));
    }
    case.check("deriv", cpg.rate(&net.0, &nothing, &z).data());
    for (name, solver) in SOLVERS {
        let core = Integrated::new(cpg.clone(), clock(&case, solver));
        let step = |z: &Tensor| core.step(&net.0, &nothing, z);
        case.check(&format!("{name}.step1"), step(&z).data());
        let mut states = vec![z.clone()];
        (0..50).for_each(|_| states.push(step(states.last().unwrap()).detach()));
        let all = Tensor::stack(&states.iter().collect::<Vec<_>>());
        case.check(&format!("{name}.traj50"), all.data());
        let long = Integrated::new(cpg.clone(), Clock { solver, dt: 0.25 });
        case.check(&format!("{name}.step1_dt025"), long.step(&net.0, &nothing, &z).data());

        let exact = gradient(&(step(&z) * &weights).sum(), &net);
        for raw in RAW {
            case.check(&format!("{name}.grad_raw.{raw}"), &exact[net.0.slot(raw).range()]);
        }
        // The gradient by the state is that by a parameter in its place.
        let mut rng = Rng::new(0, "golden");
        let mut b = Builder::new(&mut rng);
        let slot = b.add("state", z.rows(), z.cols(), Init::FanIn);
        let mut state = Net(b.finish());
        state.0.data_mut().copy_from_slice(z.data());
        let loss = (step(&Tensor::param(&state.0, slot)) * &weights).sum();
        case.check(&format!("{name}.grad_state"), &gradient(&loss, &state));
    }

    let ranges = |solver| Dynamics::<f64>::ranges(&*cpg, clock(&case, solver));
    let (euler, rk4) = (ranges(Solver::Euler), ranges(Solver::Rk4));
    let high = |x: &[(f64, f64)]| x.iter().map(|x| x.1).collect::<Vec<f64>>();
    case.check("low", &rk4.iter().map(|x| x.0).collect::<Vec<f64>>());
    case.check("high", &high(&rk4));
    case.check("high_euler", &high(&euler));
    let row = |f: &dyn Fn(f64, f64) -> f64| {
        let x: Vec<f32> = rk4.iter().map(|&(low, high)| f(low, high) as f32).collect();
        Tensor::new(1, x.len(), &x)
    };
    let (center, half) = (row(&|low, high| (low + high) / 2.0), row(&|low, high| (high - low) / 2.0));
    let core = Integrated::new(cpg.clone(), clock(&case, Solver::Rk4));
    let next = core.step(&net.0, &nothing, &(tensor(&case, "in.state_normalised") * &half + &center));
    case.check("rk4.step1_normalised", ((next - center) / half).data());

    let emitted = Dynamics::output(&*cpg, &z);
    case.check("emission.func", (&emitted + tensor(&case, "emission.bias")).data());
    let mut rng = Rng::new(0, "golden");
    let mut b = Builder::new(&mut rng);
    let outputs = case.shape("emission.linear.bias")[0];
    let layer = Linear::new(&mut b, "linear", emitted.cols(), outputs, Activation::Identity, Init::Xavier(1.0));
    let mut p = b.finish();
    for part in ["weight", "bias"] {
        set(&mut p, &format!("linear.{part}"), &case, &format!("emission.linear.{part}"));
    }
    case.check("emission.linear", layer.forward(&p, &emitted).data());
    // The networks behind the oscillators are compared below.
    case.assert_complete(&["euler.action", "euler.next_state", "rk4.action", "rk4.next_state", "v2"]);
}

/// A recorded policy of the kind `kind`.
fn actor(case: &Case, kind: PolicyKind, solver: Solver) -> Actor {
    let (units, a) = (case.size("n_oscillators"), case.size("A"));
    let shape = ActorShape {
        o: case.size("env_obs"),
        a,
        a_prev: a,
        features: case.size("n_features"),
        core: CoreShape::BuiltIn { kind: CoreKind::Cpg, units, clock: clock(case, solver) },
        kind,
        head: Head::Gaussian { std: 0.5, state_std: 0.5 },
    };
    let mut actor = Actor::new(Memory::Stochastic { z: 3 * units }, &shape, &mut Rng::new(0, "golden"));
    let p = actor.params_mut();
    RAW.iter().for_each(|name| set(p, &format!("cell.{name}"), case, &format!("raw.{name}")));
    let nets: &[(&str, &str)] = match kind {
        PolicyKind::MixedRaw => &[("post_cpg", "v2.post_cpg"), ("post_env", "v2.post_env")],
        _ => &[("post", "post_net")],
    };
    for (ours, theirs) in nets {
        for layer in ["h1.weight", "h1.bias", "h2.weight", "h2.bias", "h3.weight", "h3.bias"] {
            set(p, &format!("{ours}.{layer}"), case, &format!("{theirs}.{layer}"));
        }
    }
    actor
}

/// The networks behind the oscillators read the observation and the emission of the next state, with the emission added
/// or not, and their actions and next states are the recorded ones with both solvers; so are the actions that are mixed
/// by the amplitudes.
#[test]
fn golden_policies() {
    let mut case = Case::open("cpg");
    let x = Context { z: Some(tensor(&case, "in.state")), ..Context::of(tensor(&case, "in.env_obs")) };
    for (name, solver) in SOLVERS {
        for (kind, action) in [(PolicyKind::Post, "action"), (PolicyKind::Additive, "action_additive")] {
            let dist = actor(&case, kind, solver).dist(&x);
            case.check(&format!("{name}.{action}"), dist.a.mean.data());
            case.check(&format!("{name}.next_state"), dist.z.unwrap().mean.data());
        }
    }
    let mixed = actor(&case, PolicyKind::MixedRaw, Solver::Rk4).dist(&x);
    case.check("v2.action", mixed.a.mean.data());
}

/// The published policy of the proofs of concept: a is drawn around what the present state emits, z' around the next.
#[derive(Clone, Debug)]
struct Present {
    parameters: Parameters<f32>,
    core: Arc<Integrated>,
    bias: usize,
    log_std: usize,
    a: usize,
    z: usize,
}

impl Params for Present {
    fn params(&self) -> &Parameters<f32> {
        &self.parameters
    }
    fn params_mut(&mut self) -> &mut Parameters<f32> {
        &mut self.parameters
    }
}

impl State for Present {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { parameters, core: _, bias: _, log_std: _, a: _, z: _ } = self;
        parameters.visit(v);
    }
}

impl StatefulPolicy for Present {
    fn memory(&self) -> Memory {
        Memory::Stochastic { z: self.z }
    }

    fn dist(&self, x: &Context) -> Dist {
        let (p, z) = (&self.parameters, x.z.as_ref().unwrap());
        let log_std = Tensor::param(p, self.log_std);
        let next = self.core.step(p, &x.o, z);
        let a = self.core.output(z) + Tensor::param(p, self.bias);
        let of = |mean: Tensor, from: usize| {
            let n = mean.cols();
            Gaussian::new(mean, log_std.columns(from..from + n))
        };
        Dist { a: of(a, 0), z: Some(of(next, self.a)), h: None }
    }
}

/// The recorded policy, and the places of its parameters in the recorded order.
fn present(case: &Case) -> (Present, Vec<usize>) {
    let n = case.size("n_oscillators");
    let mut rng = Rng::new(0, "golden");
    let mut b = Builder::new(&mut rng);
    let cpg = Cpg::new(&mut b, n);
    let (bias, log_std) = (b.constant("bias", n, 0.0), b.held("log_std", 4 * n, 0.0, LOG_STD));
    let mut p = b.finish();
    RAW.iter().for_each(|name| set(&mut p, name, case, &format!("cpg.{name}")));
    set(&mut p, "bias", case, "post.bias");
    let of_z = p.slot("log_std").range().split_off(n);
    let of_a = p.slot("log_std").offset..of_z.start;
    p.data_mut()[of_a.clone()].copy_from_slice(&case.f32("post.log_std"));
    p.data_mut()[of_z.clone()].copy_from_slice(&case.f32("cpg.log_std"));
    let raw = RAW.iter().flat_map(|name| p.slot(name).range());
    let places = raw.chain(of_z).chain(p.slot("bias").range()).chain(of_a).collect();
    assert_eq!(case.text("ode_solver"), "rk4");
    let core = Arc::new(Integrated::new(Arc::new(cpg), clock(case, Solver::Rk4)));
    (Present { parameters: p, core, bias, log_std, a: n, z: 3 * n }, places)
}

/// Where a range of a parameter is cut.
trait SplitOff {
    fn split_off(self, n: usize) -> Self;
}

impl SplitOff for std::ops::Range<usize> {
    fn split_off(self, n: usize) -> Self {
        self.start + n..self.end
    }
}

/// The recorded transitions, as episodes.
fn episodes(case: &Case) -> Episodes {
    let (n_o, n_a, n) = (case.size("env_obs"), case.size("n_oscillators"), case.size("N"));
    let width = n_o + 3 * n_a;
    let (x, next_x, a) = (case.f32("data.state"), case.f32("data.next_state"), case.f32("data.action"));
    let (absorbing, last) = (case.bools("data.absorbing"), case.bools("data.last"));
    let count = last.iter().filter(|&&last| last).count();
    let memory = Memory::Stochastic { z: 3 * n_a };
    let shape = RolloutShape { steps: n, envs: 1, o: n_o, a: n_a, memory, a_prev: true, ..RolloutShape::default() };
    let mut episodes = Episodes::new(count, shape);
    for t in 0..n {
        let (row, next) = (&x[t * width..][..width], &next_x[t * width..][..width]);
        episodes.push(&Transition {
            o: &row[..n_o],
            a_prev: &vec![0.0; n_a],
            z: &row[n_o..],
            a: &a[t * n_a..][..n_a],
            z_next: &next[n_o..],
            r: &[case.get("data.reward")[t]],
            terminated: &absorbing[t..=t],
            truncated: &[last[t] && !absorbing[t]],
            dropped: &[false],
            next_o: &next[..n_o],
            ..Transition::default()
        });
    }
    assert!(episodes.is_full());
    episodes
}

/// REINFORCE and GPOMDP with oscillators: returns, scores of every episode and every step, gradients, and the
/// parameters after a step are the recorded ones, with the published score of the log-std (D24) and, for GPOMDP,
/// without the episodes that ended (D34).
#[test]
fn golden_estimates() {
    let mut case = Case::open("cpg_reinforce_gpomdp");
    for (name, per_step) in [("reinforce", false), ("gpomdp", true)] {
        let mut data = episodes(&case);
        let (policy, places) = present(&case);
        let lr: f64 = case.text("optimizer").strip_prefix("SGD ascent, lr ").unwrap().parse().unwrap();
        let settings = Settings {
            lr: lr.into(),
            gamma: case.number("gamma"),
            optimiser: Optimiser::Ascent,
            per_step,
            drop_ended: per_step,
            log_std_bug: true,
            ..Settings::default()
        };
        let mut reinforce = Reinforce::new(policy, settings);
        let ordered = |x: &[f64]| places.iter().map(|&i| x[i]).collect::<Vec<f64>>();
        let estimate = reinforce.estimate(&data);
        if per_step {
            let mut sums = Vec::new();
            for (data, rows) in data.episodes() {
                let mut sum = vec![0.0; places.len()];
                for k in rows {
                    sum.iter_mut().zip(reinforce.score(data, &[k])).for_each(|(sum, g)| *sum += g);
                    sums.extend(ordered(&sum));
                }
            }
            case.check("gpomdp.cum_score", &sums);
        } else {
            case.check("reinforce.J", &estimate.returns);
            let scores: Vec<f64> = estimate.scores.iter().flat_map(|g| ordered(g)).collect();
            case.check("reinforce.score", &scores);
        }
        case.check(&format!("{name}.gradient"), &ordered(&estimate.gradient));
        reinforce.update(&mut data, &mut Rng::new(0, "golden"));
        let after: Vec<f64> = reinforce.policy().params().data().iter().map(|&x| f64::from(x)).collect();
        case.check(&format!("{name}.weights_after"), &ordered(&after));
    }
    case.assert_complete(&[]);
}
