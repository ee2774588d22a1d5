//! Small experiments of every kind, for tests about whole runs.

#![allow(dead_code, reason = "each test uses a part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use s2pg::Rng;
use s2pg::env::Registry;
use s2pg::experiment::{AlgorithmName, Estimator, Experiment, Span, build, player};
use s2pg::run::save_model;
use s2pg::train::{AnyTrainer, record};

/// Every algorithm with every estimator that it takes, and with every recurrent cell where there is one.
pub fn pairs() -> Vec<(AlgorithmName, Estimator, &'static str)> {
    let mut pairs = Vec::new();
    for algorithm in AlgorithmName::all() {
        for estimator in algorithm.estimators() {
            // A new estimator does not compile until it is decided here whether it has a recurrent cell.
            let cells: &[&str] = match estimator {
                // An equation and a linear recurrence stand for all cores that are no cells: `cores` has each, and what
                // is computed through time is theirs step by step. With `rs` alone, to keep the tests quick.
                Estimator::Rs(1) => &["gru", "lstm", "elman", "cpg", "lru"],
                Estimator::Rs(_) | Estimator::Tbptt(_) | Estimator::Bptt(_) => &["gru", "lstm", "elman"],
                Estimator::Window(_) | Estimator::Vanilla | Estimator::Oracle => &["gru"],
            };
            pairs.extend(cells.iter().map(|&cell| (algorithm, estimator, cell)));
        }
    }
    pairs
}

/// The list of estimators is complete: a new one does not compile until it is here, and fails until it is there.
pub fn assert_lists_are_complete() {
    for estimator in Estimator::ALL {
        match estimator {
            Estimator::Rs(_) | Estimator::Tbptt(_) => {}
            Estimator::Bptt(Span::Steps(_)) | Estimator::Bptt(Span::Full) => {}
            Estimator::Window(_) | Estimator::Vanilla | Estimator::Oracle => {}
        }
    }
    assert_eq!(Estimator::ALL.len(), 8);
}

/// Whether an algorithm learns from whole episodes: once in 200 steps of the pendulum.
pub fn is_episodic(algorithm: AlgorithmName) -> bool {
    small(algorithm).contains("episodes")
}

/// The estimator by which tests that are not about memory train an algorithm: `rs`, where the algorithm takes it.
pub fn usual(algorithm: AlgorithmName) -> Estimator {
    algorithm.estimators().next().expect("an algorithm takes an estimator")
}

/// Settings with which an algorithm is quick: a table of TOML, in a file that is named after the algorithm. A new
/// algorithm joins every test about whole runs with a file of its own.
pub fn small(algorithm: AlgorithmName) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/small").join(algorithm.name()).with_extension("toml");
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The quick settings of an algorithm on environment `env`: those that imitate are given demonstrations or a teacher.
pub fn settings(algorithm: AlgorithmName, env: &str) -> String {
    let text = small(algorithm);
    if has_teacher(algorithm) {
        return text.replace("TEACHER", &teacher(env).display().to_string());
    }
    if text.contains("DEMOS") { text.replace("DEMOS", &demos(env).display().to_string()) } else { text }
}

/// Whether an algorithm learns from a teacher.
pub fn has_teacher(algorithm: AlgorithmName) -> bool {
    small(algorithm).contains("TEACHER")
}

/// The directory of a run whose policy sees the whole state of environment `env`, and has learned nothing; one that is
/// not this library's has the views of the pendulum.
pub fn teacher(env: &str) -> PathBuf {
    static MAKING: Mutex<()> = Mutex::new(());
    let env = known(env);
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("teacher-{env}-{}", std::process::id()));
    let _making = MAKING.lock().unwrap();
    if !dir.exists() {
        let text = format!("algorithm = \"ppo\"\nestimator = \"oracle\"\nsteps = 2000\n[env]\nname = \"{env}\"\n");
        let experiment = Experiment::parse("teacher.toml", &text, &[]).unwrap();
        let (mut player, _) = player(&experiment, registry()).unwrap();
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("experiment.toml"), text).unwrap();
        save_model(&dir.join("policy.safetensors"), player.model(), &BTreeMap::new()).unwrap();
    }
    dir
}

/// The environment `env` of this library, or else the pendulum.
fn known(env: &str) -> &str {
    if registry().entries().iter().any(|entry| entry.name == env) { env } else { "PendulumPOMDP-v1" }
}

/// Whether an algorithm imitates demonstrations.
pub fn imitates(algorithm: AlgorithmName) -> bool {
    small(algorithm).contains("DEMOS")
}

/// The file of three episodes of an untrained policy in environment `env`; one that is not this library's has the sizes
/// of the pendulum.
pub fn demos(env: &str) -> PathBuf {
    static MAKING: Mutex<()> = Mutex::new(());
    let env = known(env);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("demos-{env}-{}.npz", std::process::id()));
    let _making = MAKING.lock().unwrap();
    if !path.exists() {
        let text =
            format!("algorithm = \"ppo\"\nestimator = \"vanilla\"\nsteps = 1_000_000\n[env]\nname = \"{env}\"\n");
        let experiment = Experiment::parse("demos.toml", &text, &[]).unwrap();
        let (player, make_env) = player(&experiment, registry()).unwrap();
        let demos = record(&player, &make_env, 3, false, &mut Rng::new(0, "demos")).unwrap();
        std::fs::write(&path, demos.to_npz()).unwrap();
    }
    path
}

/// A small experiment on environment `env`: eight units wide, an update every 24 transitions or two episodes (one of
/// each environment where there are more), an evaluation every 60 steps. `more` are lines of TOML at the top.
pub fn experiment(
    (algorithm, estimator, cell): (AlgorithmName, Estimator, &str),
    env: &str,
    parallel: usize,
    steps: usize,
    more: &str,
) -> Experiment {
    let settings = settings(algorithm, env);
    let text = format!(
        "algorithm = \"{algorithm}\"\nestimator = \"{estimator}\"\nsteps = 1_000_000\n{more}\n\
         [env]\nname = \"{env}\"\nparallel = {parallel}\n\
         [network]\nfeatures = 8\ncritic_features = 8\nhidden = 6\ncell = \"{cell}\"\ndt = 0.05\n\
         {settings}\
         [evaluation]\nevery = 60\nepisodes = 2\n[checkpoint]\nevery = 0\n"
    );
    // Whole episodes are shared by the environments: at least one each.
    let episodes = format!("{}.episodes={}", algorithm.table(), parallel.max(2));
    let shared = if is_episodic(algorithm) { vec![episodes] } else { Vec::new() };
    let experiment = Experiment::parse("test.toml", &text, &shared).unwrap_or_else(|e| panic!("{e}\n{text}"));
    // An experiment that is read must be long enough for an update; a test may stop before.
    Experiment { steps, ..experiment }
}

/// The training of an experiment on this library's environments.
pub fn training(experiment: &Experiment, threads: usize) -> Box<dyn AnyTrainer> {
    build(experiment, registry(), threads).unwrap()
}

/// The environments of this library.
pub fn registry() -> Arc<Registry> {
    Arc::new(Registry::new())
}

/// A number from the environment, to make a test longer.
pub fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}
