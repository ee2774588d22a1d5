//! Every algorithm runs with every memory in every environment, and resumes to the bit.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use s2pg::env::Registry;
use s2pg::train::checkpoint::{differences, load, save};
use s2pg::train::disk::RealDisk;
use s2pg::train::{AlgorithmName, Estimator, Experiment, Training, build};

fn training(experiment: &Experiment, registry: &Arc<Registry>) -> Box<dyn Training> {
    build(experiment, registry.clone(), 1).unwrap_or_else(|e| panic!("{e}"))
}

fn steps(training: &mut dyn Training, n: usize) {
    for _ in 0..n {
        training.step().unwrap_or_else(|e| panic!("{e}"));
    }
}

/// Two updates and a half at once equal one and a half, a checkpoint, and the rest in a fresh run.
#[test]
fn every_pair_runs_and_resumes() {
    let mut registry = Registry::new();
    registry.extend(s2pg_mujoco::entries());
    let registry = Arc::new(registry);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.safetensors");
    let mut pairs = 0;
    for entry in registry.entries() {
        for &algorithm in AlgorithmName::ALL {
            for &estimator in Estimator::ALL {
                let settings = match algorithm {
                    AlgorithmName::Ppo => "[ppo]\nsteps = 24\nepochs = 2\nvalue_epochs = 2\nminibatch = 8",
                    AlgorithmName::Trpo => "[trpo]\nsteps = 24\nvalue_epochs = 2\nminibatch = 8",
                    // Most episodes are longer than the test: it stops and resumes within the first.
                    AlgorithmName::Reinforce | AlgorithmName::Gpomdp => "[reinforce]\nepisodes = 2",
                    AlgorithmName::Sac => "[sac]\nreplay = 60\nbatch = 8\ninitial = 20\nwarmup = 24",
                    AlgorithmName::Td3 | AlgorithmName::Ddpg => "[td3]\nreplay = 60\nbatch = 8\ninitial = 20",
                };
                let algorithm = toml::Value::try_from(algorithm).unwrap();
                let text = format!(
                    "algorithm = {algorithm}\nestimator = \"{estimator}\"\nsteps = 1000\n\
                     [env]\nname = \"{}\"\nparallel = 2\n[network]\nfeatures = 8\ncritic_features = 8\nhidden = 8\n\
                     {settings}\n",
                    entry.name
                );
                let experiment = Experiment::parse("pair.toml", &text, &[]).unwrap();
                let mut whole = training(&experiment, &registry);
                steps(&mut *whole, 18);
                save(&RealDisk, Path::new(&path), &mut *whole, &BTreeMap::new()).unwrap();
                steps(&mut *whole, 12);

                let mut resumed = training(&experiment, &registry);
                load(&RealDisk, Path::new(&path), &mut *resumed).unwrap();
                resumed.check().unwrap();
                steps(&mut *resumed, 12);
                let differing = differences(&mut *whole, &mut *resumed);
                assert!(differing.is_empty(), "{} {estimator}: {differing:?}", entry.name);
                pairs += 1;
            }
        }
    }
    println!("{pairs} pairs run and resume to the bit");
}
