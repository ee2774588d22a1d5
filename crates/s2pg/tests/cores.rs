//! A core that is no cell remembers as a cell does, be it a program's own, one of this library, or a differential
//! equation: in every algorithm with every state, exact over a resume, and with the right gradients. One that does not
//! fit is refused in a sentence.

mod runs;

use std::collections::BTreeMap;
use std::sync::Arc;

use runs::experiment;
use s2pg::Rng;
use s2pg::env::Registry;
use s2pg::experiment::{AlgorithmName, Estimator, Experiment, Span, build, player};
use s2pg::nn::{Activation, Builder, Init, Linear, Parameters, Params, Real, Steps, Tensor, gradient};
use s2pg::policy::{Clock, Core, CoreKind, CoreShape, Dynamics, Integrated, MakeCore, Solver};
use s2pg::run::checkpoint::{differences, load, save};
use s2pg::run::disk::RealDisk;

/// Two numbers a unit: a leaky integrator, which the rest of the network reads, and its running sum, which has no
/// range.
#[derive(Debug)]
struct Leaky {
    units: usize,
    drive: Linear,
    rate: usize,
}

impl Leaky {
    fn new<T: Real>(b: &mut Builder<'_, T>, inputs: usize, units: usize) -> Self {
        let drive = Linear::new(b, "drive", inputs + units, units, Activation::Tanh, Init::FanIn);
        Self { units, drive, rate: b.constant("rate", units, 0.3) }
    }
}

impl<T: Real> Core<T> for Leaky {
    fn state_size(&self) -> usize {
        2 * self.units
    }
    fn step(&self, p: &Parameters<T>, inputs: &Tensor<T>, states: &Tensor<T>) -> Tensor<T> {
        let (z, sum) = (states.columns(0..self.units), states.columns(self.units..2 * self.units));
        let drive = self.drive.forward(p, &Tensor::concat(&[inputs, &z]));
        let z = &z + Tensor::param(p, self.rate).sigmoid() * (drive - &z);
        Tensor::concat(&[&z, &(sum * 0.9 + &z)])
    }
    fn output_size(&self) -> usize {
        self.units
    }
    fn output(&self, states: &Tensor<T>) -> Tensor<T> {
        states.columns(0..self.units)
    }
}

fn registry() -> Arc<Registry> {
    Arc::new(Registry::new().with_core("leaky", "leaky integrators", |b, x, n| Arc::new(Leaky::new(b, x, n))))
}

const STATEFUL: [Estimator; 3] = [Estimator::Rs(1), Estimator::Bptt(Span::Steps(5)), Estimator::Bptt(Span::Full)];

/// Every algorithm trains a policy with the core in each way that carries a state, whatever its critic sees, and PPO
/// and SAC with every core of the library; the parameters of the core move, and a run that is resumed is the same run,
/// to the bit.
#[test]
fn every_algorithm_trains_a_core() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.safetensors");
    let mut runs = 0;
    let all = AlgorithmName::all();
    let of = |algorithm: AlgorithmName, core| {
        let fit = STATEFUL.iter().filter(move |&&estimator| algorithm.takes(estimator));
        fit.map(move |&estimator| (algorithm, estimator, core))
    };
    let own = all.iter().flat_map(|&algorithm| of(algorithm, "leaky"));
    let some = all.iter().filter(|algorithm| ["ppo", "sac"].contains(&algorithm.name()));
    let library = some.flat_map(|&algorithm| CoreKind::ALL.iter().flat_map(move |kind| of(algorithm, kind.name())));
    for pair in own.chain(library) {
        for critic in ["observation", "state"] {
            // Nothing of `cpg` enters a value function with a memory of its own: it reads no input.
            let (algorithm, estimator, core) = pair;
            if core == "cpg" && critic == "observation" && algorithm.name() == "ppo" && estimator != Estimator::Rs(1) {
                continue;
            }
            let experiment = experiment(pair, "TMaze-v0", 2, 1000, &format!("critic = \"{critic}\""));
            let training = || build(&experiment, registry(), 1).unwrap_or_else(|e| panic!("{pair:?}: {e}"));
            let (mut whole, mut resumed) = (training(), training());
            let advance = |training: &mut dyn s2pg::train::AnyTrainer, n: usize| {
                (0..n).for_each(|_| drop(training.step().unwrap_or_else(|e| panic!("{pair:?}: {e}"))));
            };
            let rates = |training: &mut dyn s2pg::train::AnyTrainer| {
                let model = training.model();
                let parts = model.parameters.slots().iter().filter(|slot| slot.name.starts_with("cell."));
                parts.flat_map(|slot| model.parameters.data()[slot.range()].to_vec()).collect::<Vec<f32>>()
            };
            let first = rates(&mut *whole);
            advance(&mut *whole, 90);
            save(&RealDisk, &path, &mut *whole, &BTreeMap::new()).unwrap();
            advance(&mut *whole, 40);
            assert_ne!(rates(&mut *whole), first, "{pair:?}: no update has moved the core");
            load(&RealDisk, &path, &mut *resumed).unwrap();
            advance(&mut *resumed, 40);
            assert_eq!(differences(&mut *whole, &mut *resumed), Vec::<String>::new(), "{pair:?}");
            runs += 1;
        }
    }
    println!("{runs} runs with a core of their own");
}

/// Parameters that are no more than a network's.
struct Net(Parameters<f64>);

impl Params<f64> for Net {
    fn params(&self) -> &Parameters<f64> {
        &self.0
    }
    fn params_mut(&mut self) -> &mut Parameters<f64> {
        &mut self.0
    }
}

/// Random parameters of every core that is no cell in f64, by name: that of this file, and all of this library, those
/// that are differential equations with either solver.
fn every_core(inputs: usize, units: usize) -> Vec<(String, Arc<dyn Core<f64>>, Net)> {
    type Make<'a> = Box<dyn Fn(&mut Builder<'_, f64>) -> Arc<dyn Core<f64>> + 'a>;
    let mut cores: Vec<(String, Make<'_>)> =
        vec![("leaky".into(), Box::new(move |b| Arc::new(Leaky::new(b, inputs, units))))];
    for kind in CoreKind::ALL {
        for solver in [Solver::Euler, Solver::Rk4] {
            let clock = Clock { solver, dt: 0.1 };
            let make = move |b: &mut Builder<'_, f64>| kind.build(b, inputs, units, clock);
            cores.push((format!("{kind:?} by {solver:?}"), Box::new(make)));
        }
    }
    let made = cores.into_iter().map(|(name, make)| {
        let mut rng = Rng::new(0, "cores");
        let mut b = Builder::new(&mut rng);
        let core = make(&mut b);
        (name, core, Net(b.finish()))
    });
    made.collect()
}

/// A core is unrolled step after step, to the bit but for the linear recurrences, whose inputs are one product: a
/// window that starts later keeps its state until then. The gradient of every parameter is that of differences.
#[test]
fn a_step_is_unrolled() {
    let (rows, steps, inputs, units) = (3, 4, 2, 2);
    let mut coordinates = 0;
    for (name, core, mut net) in every_core(inputs, units) {
        let mut rng = Rng::new(1, "cores");
        let mut random = |rows, cols| Tensor::with(rows, cols, |x: &mut [f64]| x.fill_with(|| rng.normal()));
        let n = core.state_size();
        let (x, start, weights) = (random(steps * rows, inputs), random(rows, n), random(steps * rows, n));
        let starts = [0, 2, 1];
        let unrolled = |p: &Parameters<f64>| core.unroll(p, &x, &start, Steps::From(starts.into()));
        let all = unrolled(&net.0);
        let mut states = start.clone();
        for t in 0..steps {
            let next = core.step(&net.0, &x.rows_of(t * rows..(t + 1) * rows), &states);
            let of_row = |row: usize| if t < starts[row] { &states } else { &next }.rows_of(row..row + 1);
            let wanted = Tensor::stack(&[&of_row(0), &of_row(1), &of_row(2)]);
            let found = all.rows_of(t * rows..(t + 1) * rows);
            // The input's half of all steps at once may round another way than that of one step.
            if name.starts_with("Lru") || name.starts_with("MinGru") {
                let far = |(found, wanted): (&f64, &f64)| (found - wanted).abs() > 1e-13 * wanted.abs().max(1.0);
                assert!(!found.data().iter().zip(wanted.data()).any(far), "{name}: after step {t}");
            } else {
                assert_eq!(found.data(), wanted.data(), "{name}: after step {t}");
            }
            states = wanted;
        }
        let loss = |p: &Parameters<f64>| (unrolled(p) * &weights).sum();
        let exact = gradient(&loss(&net.0), &net);
        for i in 0..net.0.data().len() {
            let mut at = |x: f64| {
                net.0.data_mut()[i] += x;
                let y = loss(&net.0).item();
                net.0.data_mut()[i] -= x;
                y
            };
            let h = 1e-6;
            let slope = (at(h) - at(-h)) / (2.0 * h);
            let far = (slope - exact[i]).abs() > 1e-7 * slope.abs().max(1.0);
            assert!(!far, "{name}, parameter {i}: {} is not {slope}", exact[i]);
        }
        assert!(exact.iter().all(|&g| g != 0.0), "{name}: a parameter does nothing: {exact:?}");
        coordinates += exact.len();
    }
    println!("{coordinates} coordinates");
}

/// What a network and what a critic read of a state has the gradient of differences by the state.
#[test]
fn what_is_read_has_the_right_gradient() {
    for (name, core, _) in every_core(2, 2) {
        let mut rng = Rng::new(2, "cores");
        let mut b = Builder::new(&mut rng);
        let slot = b.drawn("state", (3, core.state_size()), Rng::normal);
        let mut net = Net(b.finish());
        let read = |p: &Parameters<f64>| {
            let z = Tensor::param(p, slot);
            let all = Tensor::concat(&[&core.output(&z), &core.for_critic(&z)]);
            assert_eq!(all.shape(), (3, core.output_size() + core.critic_size()), "{name}");
            let weights = Tensor::with(3, all.cols(), |w| (0..w.len()).for_each(|i| w[i] = (i as f64 + 0.5).sin()));
            (all * weights).sum()
        };
        let exact = gradient(&read(&net.0), &net);
        for i in 0..exact.len() {
            let mut at = |x: f64| {
                net.0.data_mut()[i] += x;
                let y = read(&net.0).item();
                net.0.data_mut()[i] -= x;
                y
            };
            let slope = (at(1e-6) - at(-1e-6)) / 2e-6;
            assert!((slope - exact[i]).abs() < 1e-7 * slope.abs().max(1.0), "{name}: {} is not {slope}", exact[i]);
        }
    }
}

/// Segments of different lengths are unrolled together as each is alone, up to rounding.
#[test]
fn segments_of_a_core_are_unrolled_together() {
    for (name, core, net) in every_core(2, 2) {
        let mut rng = Rng::new(3, "cores");
        let mut random = |rows, cols| Tensor::with(rows, cols, |x: &mut [f64]| x.fill_with(|| rng.normal()));
        let counts = [3, 2, 2, 1];
        let (x, start) = (random(8, 2), random(3, core.state_size()));
        let all = core.unroll(&net.0, &x, &start, Steps::Packed(counts.into()));
        for segment in 0..3 {
            let (mut state, mut first) = (start.rows_of(segment..segment + 1), 0);
            for count in counts.into_iter().filter(|&count| count > segment) {
                let at = first + segment..first + segment + 1;
                state = core.step(&net.0, &x.rows_of(at.clone()), &state);
                for (together, alone) in all.rows_of(at).data().iter().zip(state.data()) {
                    let far = (together - alone).abs() > 1e-14 * alone.abs().max(1.0);
                    assert!(!far, "{name}, segment {segment}: {together} is not {alone}");
                }
                first += count;
            }
        }
    }
}

/// The harmonic oscillator ẍ = −x.
#[derive(Debug)]
struct Harmonic;

impl Dynamics<f64> for Harmonic {
    fn state_size(&self) -> usize {
        2
    }
    fn rate(&self, _: &Parameters<f64>, _: &Tensor<f64>, z: &Tensor<f64>) -> Tensor<f64> {
        Tensor::concat(&[&z.columns(1..2), &-z.columns(0..1)])
    }
}

/// Euler's error over a fixed time falls with the step, and that of the 3/8 rule with the fourth power of the step.
#[test]
fn solvers_have_their_order() {
    let error = |solver, steps: usize| {
        let core = Integrated::new(Arc::new(Harmonic), Clock { solver, dt: 1.0 / steps as f64 });
        let (p, nothing) = (Builder::counting().finish(), Tensor::zeros(1, 1));
        let z = (0..steps).fold(Tensor::new(1, 2, &[1.0, 0.0]), |z, _| core.step(&p, &nothing, &z));
        (z.data()[0] - 1f64.cos()).hypot(z.data()[1] + 1f64.sin())
    };
    for (solver, order) in [(Solver::Euler, 1.0), (Solver::Rk4, 4.0)] {
        let found = (error(solver, 50) / error(solver, 100)).log2();
        assert!((found - order).abs() < 0.1, "{solver:?} has the order {found}");
    }
}

/// No core of this library diverges by itself: after 1000 steps of an environment's usual length, with either solver
/// and the parameters of the start, states and gradients are finite, and Hopf's oscillators are on their circle.
#[test]
fn cores_are_stable() {
    for kind in CoreKind::ALL {
        for solver in [Solver::Euler, Solver::Rk4] {
            for seed in 0..10 {
                let mut rng = Rng::new(seed, "stable");
                let mut b = Builder::<f32>::new(&mut rng);
                let core = kind.build(&mut b, 3, 16, Clock { solver, dt: 0.05 });
                let p = b.finish();
                let x = Tensor::with(1, 3, |x: &mut [f32]| x.fill_with(|| rng.normal() as f32));
                let start = Tensor::with(1, core.state_size(), |z: &mut [f32]| z.fill_with(|| rng.normal() as f32));
                let end = (0..1000).fold(start, |z, _| core.step(&p, &x, &z).detach());
                // A phase goes on for ever, at most 5 Hz of 50 s and what coupling adds.
                let largest = end.data().iter().fold(0.0f32, |most, x| most.max(x.abs()));
                assert!(largest < 1e4, "{kind:?} by {solver:?}, seed {seed}: {largest}");
                if kind == CoreKind::Hopf {
                    let at_rest = Tensor::zeros(1, 3);
                    let mut p = p.clone();
                    let slots = ["drive.weight", "drive.bias"].map(|name| p.slot(name).range());
                    slots.into_iter().for_each(|slot| p.data_mut()[slot].fill(0.0));
                    let circle = (0..1000).fold(end, |z, _| core.step(&p, &at_rest, &z).detach());
                    for i in 0..16 {
                        let radius = circle.data()[i].hypot(circle.data()[i + 16]);
                        assert!((radius - 1.0).abs() < 1e-3, "{solver:?}, seed {seed}: radius {radius}");
                    }
                }
            }
        }
    }
}

/// Three oscillators have the numbers of the specification: the matrices of couplings, the rate of change, and a step
/// of either solver.
#[test]
fn three_oscillators() {
    let mut rng = Rng::new(0, "three");
    let mut b = Builder::<f64>::new(&mut rng);
    let cpg = s2pg::policy::Cpg::new(&mut b, 3);
    let mut p = b.finish();
    for (name, raw) in [
        ("v", &[0.1, 0.2, 0.3][..]),
        ("b", &[0.0, 0.5, 1.0]),
        ("c", &[1.0, 2.0, 3.0]),
        ("w", &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
        ("phi", &[0.0, 0.5, 1.0, 1.5, 2.0, 2.5]),
    ] {
        let slot = p.slot(name).range();
        p.data_mut()[slot].copy_from_slice(raw);
    }
    // The specification's numbers were computed in single precision.
    let near = |found: &Tensor<f64>, wanted: &[f64]| {
        let far = |(x, y): (&f64, &f64)| (x - y).abs() > 4.0 * f64::from(f32::EPSILON) * y.abs().max(1.0);
        assert!(found.data().len() == wanted.len() && !found.data().iter().zip(wanted).any(far), "{found:?}");
    };
    let [w, _] = cpg.couplings(&p).unwrap();
    near(&w, &[0.0, 0.5249792, 0.54983395, 0.5744425, 0.0, 0.59868765, 0.62245935, 0.6456563, 0.0]);
    let z = Tensor::new(1, 9, &[0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.01, 0.02, 0.03]);
    let nothing = Tensor::zeros(1, 1);
    let rate = [15.804729, 16.233513, 16.633097, 0.01, 0.02, 0.03, 3.3925412, 3.8530591, 4.3230309];
    near(&cpg.rate(&p, &nothing, &z), &rate);
    let euler = [0.8902365, 1.0116757, 1.1316549, 0.5005, 0.601, 0.7015, 0.17962706, 0.21265295, 0.24615155];
    let rk4 = [0.8896492, 1.0116519, 1.1321261, 0.50438654, 0.6053948, 0.7064095, 0.15868247, 0.18773533, 0.21695079];
    let cpg = Arc::new(cpg);
    for (solver, next) in [(Solver::Euler, euler), (Solver::Rk4, rk4)] {
        near(&Integrated::new(cpg.clone(), Clock { solver, dt: 0.05 }).step(&p, &nothing, &z), &next);
    }
}

/// A linear unit whose |λ| rounds to 1 in single precision has a finite gain and a finite gradient.
#[test]
fn a_linear_unit_may_remember_for_ever() {
    let mut rng = Rng::new(0, "lru");
    let mut b = Builder::<f32>::new(&mut rng);
    let core = CoreKind::Lru.build(&mut b, 1, 1, Clock { solver: Solver::Euler, dt: 1.0 });
    let mut net = Single(b.finish());
    let slot = net.0.slot("nu").range();
    net.0.data_mut()[slot].fill(-20.0);
    let next = core.step(&net.0, &Tensor::new(1, 1, &[1.0]), &Tensor::new(1, 2, &[1.0, 1.0]));
    assert!(next.data().iter().all(|x| x.is_finite()));
    assert!(gradient(&next.sum(), &net).iter().all(|g| g.is_finite()));
}

/// Parameters in single precision that are no more than a network's.
struct Single(Parameters<f32>);

impl Params for Single {
    fn params(&self) -> &Parameters<f32> {
        &self.0
    }
    fn params_mut(&mut self) -> &mut Parameters<f32> {
        &mut self.0
    }
}

/// The units of a linear recurrence forget, whatever their parameters: |λ| < 1.
#[test]
fn a_linear_unit_forgets() {
    let (_, core, mut net) = every_core(2, 2).into_iter().find(|(name, ..)| name.starts_with("Lru")).unwrap();
    let mut rng = Rng::new(4, "cores");
    for _ in 0..100 {
        net.0.data_mut().iter_mut().for_each(|x| *x = 2.0 * rng.normal());
        let of = |z: [f64; 4]| core.step(&net.0, &Tensor::zeros(1, 2), &Tensor::new(1, 4, &z));
        let difference = of([1.0, 2.0, 3.0, 4.0]) - of([0.0; 4]);
        for i in 0..2 {
            let (now, before) = (difference.data()[i].hypot(difference.data()[i + 2]), [10f64, 20.0][i].sqrt());
            assert!(now < before, "unit {i} grows from {before} to {now}");
        }
    }
}

/// A core that says the wrong thing in one place.
#[derive(Debug)]
struct Wrong(&'static str, usize);

impl Core for Wrong {
    fn state_size(&self) -> usize {
        if self.0 == "no state" { 0 } else { self.1 }
    }
    fn step(&self, _: &Parameters<f32>, inputs: &Tensor, states: &Tensor) -> Tensor {
        match self.0 {
            "wide" => Tensor::concat(&[states, inputs]),
            "few" => states.rows_of(0..1),
            "nan" => states * f64::NAN,
            "panic" => panic!("two\nlines"),
            _ => states.clone(),
        }
    }
    fn output(&self, states: &Tensor) -> Tensor {
        if self.0 == "output" { states.columns(0..1) } else { states.clone() }
    }
    fn bounded(&self) -> usize {
        if self.0 == "bounded" { 99 } else { self.1 }
    }
}

/// A core that does not fit is refused before the training starts, in one sentence that names it: a state of no entries
/// or of a size that is not always the same, steps and outputs of wrong shapes, states that are not finite, a panic;
/// and so is a name that no core has, or two. It is refused for a player as well, and for no policy without a state.
#[test]
fn what_does_not_fit_is_refused() {
    macro_rules! wrong {
        ($name:literal) => {
            ($name, (|_, _, n| Arc::new(Wrong($name, n))) as MakeCore)
        };
    }
    let cores: [(&'static str, MakeCore); 10] = [
        wrong!("no state"),
        wrong!("wide"),
        wrong!("few"),
        wrong!("nan"),
        wrong!("panic"),
        wrong!("output"),
        wrong!("bounded"),
        ("inputs", |_, x, n| Arc::new(Wrong("inputs", x + n))),
        ("make", |_, x, _| panic!("no core for {x} inputs")),
        ("gru", |_, _, n| Arc::new(Wrong("gru", n))),
    ];
    let registry = cores.into_iter().fold(Registry::new(), |r, (name, make)| r.with_core(name, "a wrong core", make));
    let registry = Arc::new(registry);
    let of = |cell: &str, estimator| {
        let algorithm: AlgorithmName = "ppo".parse().unwrap();
        experiment((algorithm, estimator, cell), "TMaze-v0", 1, 1000, "")
    };
    for (cell, words) in [
        ("no state", "the core `no state` has a state of 0 entries, reads 0 and bounds 6"),
        ("wide", "the core `wide` returns from `step` states of the shape (3, 22); it must be (3, 6)"),
        ("few", "the core `few` returns from `step` states of the shape (1, 6); it must be (3, 6)"),
        ("nan", "the core `nan` returns states that are not finite"),
        ("panic", "the core `panic` panicked: two lines"),
        ("output", "the core `output` returns from `output` features of the shape (3, 1); it must be (3, 6)"),
        ("bounded", "the core `bounded` has a state of 6 entries, reads 6 and bounds 99"),
        ("inputs", "the core `inputs` has a state of 7 entries with 1 input and of 22 with 16"),
        ("make", "the core `make` panicked: no core for 16 inputs"),
        ("gru", "`network.cell` is \"gru\", a name that more than one core has"),
        ("leeky", "`network.cell` is \"leeky\", which is none of elman, elmanrelu, gru, lstm, cpg, hopf, kuramoto, "),
    ] {
        let experiment = of(cell, Estimator::Rs(1));
        let trained = build(&experiment, Arc::clone(&registry), 1).map(|_| ()).unwrap_err().to_string();
        let played = player(&experiment, Arc::clone(&registry)).map(|_| ()).unwrap_err().to_string();
        assert!(trained.starts_with(words) && !trained.contains('\n') && trained == played, "{trained} {played}");
    }
    build(&of("nan", Estimator::Vanilla), Arc::clone(&registry), 1).unwrap();
    assert!(build(&of("leeky", Estimator::Vanilla), registry, 1).is_err());
}

/// The names that an experiment may give are listed: the cells, each with a line about it, and what a program adds.
#[test]
fn cores_are_listed() {
    let listed = registry().cores();
    let names: Vec<&str> = listed.iter().map(|(name, _)| &**name).collect();
    let cells = ["elman", "elmanrelu", "gru", "lstm"];
    let others = ["cpg", "hopf", "kuramoto", "matsuoka", "neuralode", "lru", "mingru"];
    assert_eq!(names, [&cells[..], &others, &["leaky"]].concat());
    assert!(listed.iter().all(|(_, about)| !about.is_empty() && !about.ends_with('.')), "{listed:?}");
    for name in &names {
        let text = "algorithm = \"ppo\"\nestimator = \"rs\"\nsteps = 3000\n[env]\nname = \"TMaze-v0\"\n";
        let experiment = Experiment::parse("x", text, &[format!("network.cell={name}")]).unwrap();
        let shape = experiment.network.core(&registry(), 1.0).unwrap();
        assert_eq!(matches!(shape, CoreShape::Own { .. }), *name == "leaky");
        assert_eq!(matches!(shape, CoreShape::BuiltIn { .. }), others.contains(name));
        let numbers = match *name {
            "lstm" | "leaky" | "hopf" | "matsuoka" | "lru" => 2,
            "cpg" => 3,
            _ => 1,
        };
        assert_eq!(shape.state_size(), numbers * 128, "{name}");
        assert_eq!(shape.bounded(), if others.contains(name) { 0 } else { 128 }, "{name}");
        let waves = *name == "kuramoto";
        assert_eq!(shape.critic_size(), if waves { 256 } else { shape.state_size() }, "{name}");
    }
}
