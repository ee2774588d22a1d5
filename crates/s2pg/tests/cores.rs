//! A core that a program brings remembers as a cell does: in every algorithm with every state, exact over a resume, and
//! with the right gradients. One that does not fit is refused in a sentence.

mod runs;

use std::collections::BTreeMap;
use std::sync::Arc;

use runs::experiment;
use s2pg::Rng;
use s2pg::env::Registry;
use s2pg::experiment::{AlgorithmName, Estimator, Experiment, Span, build, player};
use s2pg::nn::{Activation, Builder, Init, Linear, Parameters, Params, Real, Steps, Tensor, gradient};
use s2pg::policy::{Core, CoreShape, MakeCore};
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

/// Every algorithm trains a policy with the core in each way that carries a state, whatever its critic sees; the
/// parameters of the core move, and a run that is resumed is the same run, to the bit.
#[test]
fn every_algorithm_trains_a_core() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.safetensors");
    let mut runs = 0;
    for algorithm in AlgorithmName::all() {
        for (estimator, critic) in STATEFUL.iter().flat_map(|&e| [(e, "observation"), (e, "state")]) {
            let pair = (algorithm, estimator, "leaky");
            let experiment = experiment(pair, "TMaze-v0", 2, 1000, &format!("critic = \"{critic}\""));
            let training = || build(&experiment, registry(), 1).unwrap_or_else(|e| panic!("{pair:?}: {e}"));
            let (mut whole, mut resumed) = (training(), training());
            let advance = |training: &mut dyn s2pg::train::AnyTrainer, n: usize| {
                (0..n).for_each(|_| drop(training.step().unwrap_or_else(|e| panic!("{pair:?}: {e}"))));
            };
            let rates = |training: &mut dyn s2pg::train::AnyTrainer| {
                let model = training.model();
                model.parameters.data()[model.parameters.slot("cell.rate").range()].to_vec()
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

/// A core that says no more than its step is unrolled step after step: a window that starts later keeps its state until
/// then, to the bit, and the gradient of every parameter is that of differences.
#[test]
fn a_step_is_unrolled() {
    let (rows, steps, inputs, units) = (3, 4, 2, 2);
    let mut rng = Rng::new(0, "cores");
    let mut b = Builder::new(&mut rng);
    let core = Leaky::new::<f64>(&mut b, inputs, units);
    let mut net = Net(b.finish());
    let mut random = |rows, cols| Tensor::with(rows, cols, |x: &mut [f64]| x.fill_with(|| rng.normal()));
    let (x, start, weights) = (random(steps * rows, inputs), random(rows, 2 * units), random(steps * rows, 2 * units));
    let starts = [0, 2, 1];
    let unrolled = |p: &Parameters<f64>| core.unroll(p, &x, &start, Steps::From(starts.into()));
    let all = unrolled(&net.0);
    for (row, &first) in starts.iter().enumerate() {
        let mut state = start.rows_of(row..row + 1);
        for t in 0..steps {
            let at = t * rows + row;
            if t >= first {
                state = core.step(&net.0, &x.rows_of(at..at + 1), &state);
            }
            assert_eq!(all.rows_of(at..at + 1).data(), state.data(), "row {row} after step {t}");
        }
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
        assert!((slope - exact[i]).abs() < 1e-7 * slope.abs().max(1.0), "parameter {i}: {} is not {slope}", exact[i]);
    }
}

/// Segments of different lengths are unrolled together as each is alone, up to rounding.
#[test]
fn segments_of_a_core_are_unrolled_together() {
    let (inputs, units) = (2, 2);
    let mut rng = Rng::new(1, "cores");
    let mut b = Builder::new(&mut rng);
    let core = Leaky::new::<f64>(&mut b, inputs, units);
    let net = Net(b.finish());
    let mut random = |rows, cols| Tensor::with(rows, cols, |x: &mut [f64]| x.fill_with(|| rng.normal()));
    let counts = [3, 2, 2, 1];
    let (x, start) = (random(8, inputs), random(3, 2 * units));
    let all = core.unroll(&net.0, &x, &start, Steps::Packed(counts.into()));
    for segment in 0..3 {
        let (mut state, mut first) = (start.rows_of(segment..segment + 1), 0);
        for count in counts.into_iter().filter(|&count| count > segment) {
            let at = first + segment..first + segment + 1;
            state = core.step(&net.0, &x.rows_of(at.clone()), &state);
            for (together, alone) in all.rows_of(at).data().iter().zip(state.data()) {
                assert!((together - alone).abs() < 1e-14, "segment {segment}: {together} is not {alone}");
            }
            first += count;
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
        ("leeky", "`network.cell` is \"leeky\", which is none of elman, elmanrelu, gru, lstm, no state, wide"),
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
    assert_eq!(names, ["elman", "elmanrelu", "gru", "lstm", "leaky"]);
    assert!(listed.iter().all(|(_, about)| !about.is_empty() && !about.ends_with('.')), "{listed:?}");
    for name in &names {
        let text = "algorithm = \"ppo\"\nestimator = \"rs\"\nsteps = 3000\n[env]\nname = \"TMaze-v0\"\n";
        let experiment = Experiment::parse("x", text, &[format!("network.cell={name}")]).unwrap();
        let shape = experiment.network.core(&registry()).unwrap();
        assert_eq!(matches!(shape, CoreShape::Own { .. }), *name == "leaky");
        assert_eq!(shape.state_size(), if ["lstm", "leaky"].contains(name) { 256 } else { 128 });
        assert_eq!(shape.bounded(), 128);
    }
}
