//! Small experiments of every kind, for tests about whole runs.

#![allow(dead_code, reason = "each test uses a part")]

use std::sync::Arc;

use s2pg::env::Registry;
use s2pg::train::{AlgorithmName, Estimator, Experiment, Span, Training, build};

/// Every algorithm with every estimator, and with every recurrent cell where there is one.
pub fn pairs() -> Vec<(AlgorithmName, Estimator, &'static str)> {
    let mut pairs = Vec::new();
    for &algorithm in AlgorithmName::ALL {
        for &estimator in Estimator::ALL {
            // A new estimator does not compile until it is decided here whether it has a recurrent cell.
            let cells: &[&str] = match estimator {
                Estimator::Rs | Estimator::Bptt(_) => &["gru", "lstm", "elman"],
                Estimator::Window(_) | Estimator::Vanilla | Estimator::Oracle => &["gru"],
            };
            pairs.extend(cells.iter().map(|&cell| (algorithm, estimator, cell)));
        }
    }
    pairs
}

/// The lists of names are complete: a new variant does not compile until it is here, and fails until it is there.
pub fn assert_lists_are_complete() {
    for algorithm in AlgorithmName::ALL {
        match algorithm {
            AlgorithmName::Ppo | AlgorithmName::Trpo => {}
            AlgorithmName::Reinforce | AlgorithmName::Gpomdp => {}
            AlgorithmName::Sac | AlgorithmName::Td3 | AlgorithmName::Ddpg => {}
        }
    }
    for estimator in Estimator::ALL {
        match estimator {
            Estimator::Rs | Estimator::Bptt(Span::Steps(_)) | Estimator::Bptt(Span::Full) => {}
            Estimator::Window(_) | Estimator::Vanilla | Estimator::Oracle => {}
        }
    }
    assert_eq!((AlgorithmName::ALL.len(), Estimator::ALL.len()), (7, 6));
}

/// Whether it learns from whole episodes: once in 200 steps of the pendulum.
pub fn is_episodic(algorithm: AlgorithmName) -> bool {
    matches!(algorithm, AlgorithmName::Reinforce | AlgorithmName::Gpomdp)
}

/// A small experiment on environment `env`: eight units wide, an update every 24 transitions or two episodes (one of each
/// environment where there are more), an evaluation every 60 steps. `more` are lines of TOML at the top.
pub fn experiment(
    (algorithm, estimator, cell): (AlgorithmName, Estimator, &str),
    env: &str,
    parallel: usize,
    steps: usize,
    more: &str,
) -> Experiment {
    let settings = match algorithm {
        AlgorithmName::Ppo => {
            "[ppo]\nsteps = 24\nepochs = 2\nvalue_epochs = 2\nminibatch = 7\nlr = 1e-3\nvalue_lr = 1e-3\nentropy = 0.01\n"
                .into()
        }
        AlgorithmName::Trpo => "[trpo]\nsteps = 24\nvalue_epochs = 2\nminibatch = 7\nvalue_lr = 1e-3\n".into(),
        AlgorithmName::Reinforce | AlgorithmName::Gpomdp => format!("[reinforce]\nepisodes = {}\n", parallel.max(2)),
        AlgorithmName::Sac => "[sac]\nreplay = 500\nbatch = 8\ninitial = 20\nwarmup = 30\n".into(),
        AlgorithmName::Td3 | AlgorithmName::Ddpg => "[td3]\nreplay = 500\nbatch = 8\ninitial = 20\nwarmup = 30\n".into(),
    };
    let algorithm = toml::Value::try_from(algorithm).unwrap();
    let text = format!(
        "algorithm = {algorithm}\nestimator = \"{estimator}\"\nsteps = {steps}\n{more}\n\
         [env]\nname = \"{env}\"\nparallel = {parallel}\n\
         [network]\nfeatures = 8\ncritic_features = 8\nhidden = 6\ncell = \"{cell}\"\n\
         {settings}\
         [evaluation]\nevery = 60\nepisodes = 2\n[checkpoint]\nevery = 0\n"
    );
    Experiment::parse("test.toml", &text, &[]).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// The training of an experiment on this library's environments.
pub fn training(experiment: &Experiment, threads: usize) -> Box<dyn Training> {
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
