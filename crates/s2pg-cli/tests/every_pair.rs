//! Every algorithm learns with every memory in every environment, and resumes to the bit.
//!
//! The settings of an algorithm are in the file `crates/s2pg/tests/small/<algorithm>.toml`: a new algorithm joins the
//! test with such a file.

use std::collections::BTreeMap;
use std::sync::Arc;

use s2pg::Rng;
use s2pg::env::{Entry, Env, EnvError, EnvSpec, Options, Outcome, Registry, Shape, TimeLimit};
use s2pg::experiment::{AlgorithmName, Experiment, build, player};
use s2pg::run::checkpoint::{differences, load, save};
use s2pg::run::disk::RealDisk;
use s2pg::train::{AnyTrainer, record};

/// Steps of an episode at most: algorithms that learn from whole episodes see the end of some.
const LONGEST: usize = 12;

/// An environment of which the horizon is near, and in which actions cost something: were all short episodes worth the
/// same, algorithms that compare whole episodes would have nothing to learn from.
struct Short {
    env: Box<dyn Env>,
    spec: EnvSpec,
}

impl Env for Short {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }
    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
        self.env.reset(rng)
    }
    fn step(&mut self, a: &[f32], rng: &mut Rng) -> Result<Outcome, EnvError> {
        let mut outcome = self.env.step(a, rng)?;
        outcome.r -= a.iter().map(|a| f64::from(a * a)).sum::<f64>();
        Ok(outcome)
    }
    fn observe(&self, o: &mut [f32], s: &mut [f32]) {
        self.env.observe(o, s);
    }
    fn metrics(&self) -> Vec<(&'static str, f64)> {
        self.env.metrics()
    }
    fn snapshot(&self) -> Vec<f64> {
        self.env.snapshot()
    }
    fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
        self.env.restore(state)
    }
    fn shapes(&self) -> Vec<Shape> {
        self.env.shapes()
    }
}

/// The environment that the option `task` names, with short episodes.
fn short(options: &Options) -> Result<Box<dyn Env>, EnvError> {
    let task = options["task"].as_str().expect("a name");
    let env = s2pg_lab::registry().make(task, &Options::new())?;
    let spec = EnvSpec { horizon: env.spec().horizon.min(LONGEST), ..env.spec().clone() };
    Ok(Box::new(TimeLimit::new(Short { env, spec })))
}

/// The table of settings with which an algorithm learns within a few steps.
fn small(algorithm: AlgorithmName) -> String {
    let path = format!("{}/../s2pg/tests/small/{algorithm}.toml", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}; write the small settings of {algorithm}"))
}

/// The bytes of a few demonstrations of an untrained policy on the task `task`.
fn demos(task: &str, registry: &Arc<Registry>) -> Vec<u8> {
    let text = format!(
        "algorithm = \"ppo\"\nestimator = \"vanilla\"\nsteps = 10_000\n[env]\nname = \"Short-v0\"\ntask = \"{task}\"\n"
    );
    let experiment = Experiment::parse("demos.toml", &text, &[]).unwrap_or_else(|e| panic!("{e}"));
    let (player, make_env) = player(&experiment, registry.clone()).unwrap_or_else(|e| panic!("{e}"));
    record(&player, &make_env, 3, false, &mut Rng::new(0, "demos")).unwrap_or_else(|e| panic!("{e}")).to_npz()
}

/// The experiment of a teacher, which sees the whole state of the task `task`.
fn oracle(task: &str) -> String {
    let head = "algorithm = \"ppo\"\nestimator = \"oracle\"\nsteps = 10_000\n";
    format!("{head}[env]\nname = \"Short-v0\"\ntask = \"{task}\"\n")
}

fn training(experiment: &Experiment, registry: &Arc<Registry>) -> Box<dyn AnyTrainer> {
    build(experiment, registry.clone(), 1).unwrap_or_else(|e| panic!("{e}"))
}

fn steps(training: &mut dyn AnyTrainer, n: usize) {
    for _ in 0..n {
        training.step().unwrap_or_else(|e| panic!("{e}"));
    }
}

fn parameters(training: &mut dyn AnyTrainer) -> Vec<f32> {
    training.model().parameters.data().to_vec()
}

/// Updates move the parameters of the policy, and a run of two updates and a half equals one of one and a half, a
/// checkpoint, and the rest in a fresh run.
#[test]
fn every_pair_learns_and_resumes() {
    let mut registry = Registry::new();
    registry.extend([Entry { name: "Short-v0", about: "another environment, with short episodes", make: short }]);
    let registry = Arc::new(registry);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.safetensors");
    let mut pairs = 0;
    let demos_path = dir.path().join("demos.npz");
    let teacher = dir.path().join("teacher");
    std::fs::create_dir(&teacher).unwrap();
    for entry in s2pg_lab::registry().entries() {
        std::fs::write(&demos_path, demos(entry.name, &registry)).unwrap();
        std::fs::write(teacher.join("experiment.toml"), oracle(entry.name)).unwrap();
        for algorithm in AlgorithmName::all() {
            let [demos, teacher] = [&demos_path, &teacher].map(|path| path.display().to_string());
            let settings = small(algorithm).replace("DEMOS", &demos).replace("TEACHER", &teacher);
            for estimator in algorithm.estimators() {
                // In a narrower critic all units of a layer may be zero, and the policy then has no gradient.
                let text = format!(
                    "algorithm = \"{algorithm}\"\nestimator = \"{estimator}\"\nsteps = 1000\n\
                     [env]\nname = \"Short-v0\"\ntask = \"{}\"\nparallel = 2\n\
                     [network]\nfeatures = 8\ncritic_features = 32\nhidden = 8\n{settings}\n",
                    entry.name
                );
                let what = format!("{algorithm} {estimator} on {}", entry.name);
                let experiment = Experiment::parse(&what, &text, &[]).unwrap_or_else(|e| panic!("{e}"));
                let mut whole = training(&experiment, &registry);
                let first = parameters(&mut *whole);
                steps(&mut *whole, 18);
                save(&RealDisk, &path, &mut *whole, &BTreeMap::new()).unwrap();
                steps(&mut *whole, 12);
                assert!(parameters(&mut *whole) != first, "{what}: no update has moved the policy");

                let mut resumed = training(&experiment, &registry);
                load(&RealDisk, &path, &mut *resumed).unwrap();
                resumed.check().unwrap();
                steps(&mut *resumed, 12);
                let differing = differences(&mut *whole, &mut *resumed);
                assert!(differing.is_empty(), "{what}: {differing:?}");
                pairs += 1;
            }
        }
    }
    println!("{pairs} pairs learn, and resume to the bit");
}
