//! Environments that live elsewhere can be trained in: those that cannot be saved, those that share something and are
//! stepped by one thread, and those that are found by how their names begin. What a player remembers can be taken out
//! and put back.

mod runs;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;

use runs::{experiment, registry};
use s2pg::Rng;
use s2pg::env::{Env, EnvError, EnvSpec, Options, Outcome, Registry};
use s2pg::experiment::{AlgorithmName, Estimator, player};
use s2pg::run::Run;

/// What was done with all copies: the threads that stepped, and how many steps were prepared when a step was asked for.
#[derive(Default)]
struct Seen {
    threads: HashSet<ThreadId>,
    waiting: usize,
    most: usize,
}

/// An environment around the pendulum which cannot be saved.
struct Elsewhere {
    env: Box<dyn Env>,
    spec: EnvSpec,
    seen: Arc<Mutex<Seen>>,
}

impl Env for Elsewhere {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }
    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
        self.env.reset(rng)
    }
    fn prepare(&mut self, a: &[f32]) {
        let mut seen = self.seen.lock().unwrap();
        assert_eq!(a.len(), 1);
        seen.waiting += 1;
        seen.most = seen.most.max(seen.waiting);
    }
    fn step(&mut self, a: &[f32], rng: &mut Rng) -> Result<Outcome, EnvError> {
        let mut seen = self.seen.lock().unwrap();
        seen.waiting -= 1;
        seen.threads.insert(std::thread::current().id());
        self.env.step(a, rng)
    }
    fn observe(&self, o: &mut [f32], s: &mut [f32]) {
        self.env.observe(o, s);
    }
    fn snapshot(&self) -> Vec<f64> {
        Vec::new()
    }
    fn restore(&mut self, _: &[f64]) -> Result<(), EnvError> {
        Ok(())
    }
    fn can_be_saved(&self) -> bool {
        false
    }
    fn is_independent(&self) -> bool {
        false
    }
}

fn elsewhere(seen: &Arc<Mutex<Seen>>) -> Arc<Registry> {
    let seen = Arc::clone(seen);
    let make = move |name: &str, options: &Options| -> Result<Box<dyn Env>, EnvError> {
        let env = Registry::new().make("PendulumPOMDP-v1", options)?;
        let spec = EnvSpec { name: name.into(), ..env.spec().clone() };
        Ok(Box::new(Elsewhere { env, spec, seen: Arc::clone(&seen) }))
    };
    Arc::new(Registry::new().with_family("far:", "pendulums elsewhere", Arc::new(make)))
}

fn open(dir: &Path, steps: usize, algorithm: AlgorithmName, registry: Arc<Registry>) -> (Run, Vec<String>) {
    let experiment = experiment((algorithm, runs::usual(algorithm), "gru"), "far:pendulum", 3, steps, "");
    let (mut run, _) = Run::open(dir, &experiment, registry, 4, 0.0).unwrap();
    let mut warnings = Vec::new();
    while !run.is_finished() {
        warnings.extend(run.advance(0.0, 0.0).unwrap().warning);
    }
    (run, warnings)
}

/// Every algorithm trains in an environment that cannot be saved; its run goes on after a stop with new episodes, and
/// says once that it is not the same to the bit.
#[test]
fn a_run_goes_on_without_snapshots() {
    for algorithm in AlgorithmName::all() {
        let dir = tempfile::tempdir().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (mut run, warnings) = open(dir.path(), 90, algorithm, elsewhere(&seen));
        run.save().unwrap();
        drop(run);
        let told = warnings.iter().filter(|w| w.contains("far:pendulum: the environment cannot be saved")).count();
        assert_eq!(told, 1, "{algorithm}: {warnings:?}");
        let (run, warnings) = open(dir.path(), 180, algorithm, elsewhere(&seen));
        assert_eq!(run.steps(), 180, "{algorithm}");
        assert!(warnings.iter().any(|w| w.contains("not to the bit")), "{algorithm}: {warnings:?}");
        let seen = seen.lock().unwrap();
        assert_eq!((seen.threads.len(), seen.most), (1, 3), "{algorithm}: one thread, and all begin before one waits");
    }
}

/// A name is found by how it begins where no environment has it; where there is none, the sentence says what there is.
#[test]
fn names_are_found_by_how_they_begin() {
    let registry = elsewhere(&Arc::default());
    assert_eq!(registry.make("far:away", &Options::new()).unwrap().spec().name, "far:away");
    assert_eq!(registry.families().collect::<Vec<_>>(), [("far:", "pendulums elsewhere")]);
    let error = |name: &str| registry.make(name, &Options::new()).err().unwrap().to_string();
    assert!(error("near:by").ends_with(", and far:..."), "{}", error("near:by"));
    assert!(error("gym:Pendulum-v1").contains("live in Python"), "{}", error("gym:Pendulum-v1"));
}

/// A player that is given the state and the memory of another one acts as that one does, whatever it remembers.
#[test]
fn a_memory_can_be_put_back() {
    let ppo: AlgorithmName = "ppo".parse().unwrap();
    let history = AlgorithmName::all().into_iter().find(|name| !name.takes(Estimator::Vanilla)).unwrap();
    let pairs = Estimator::ALL.iter().map(|&estimator| (ppo, estimator)).chain([(history, runs::usual(history))]);
    for (algorithm, estimator) in pairs {
        let experiment = experiment((algorithm, estimator, "gru"), "PendulumPOMDP-v1", 1, 100, "");
        let (player, _) = player(&experiment, registry()).unwrap();
        let (mut one, mut other) = (player.for_envs(2), player.for_envs(2));
        let entries = 2 * player.spec().o.len();
        let view = |t: usize| (0..entries).map(|i| (0.3 * (t * 7 + i) as f32).sin()).collect::<Vec<_>>();
        for t in 0..12 {
            let (state, memory) = (one.state().to_vec(), one.memory());
            assert_eq!(memory.len(), 2 * one.rest());
            other.remember(&state, &memory);
            assert_eq!((other.state(), other.memory()), (&state[..], memory), "{algorithm} {estimator}");
            let act = |player: &mut s2pg::train::Player| {
                let mut s = vec![0.0; 2 * player.spec().s.len()];
                player.act(&mut view(t), &mut s, Some(&mut Rng::new(t as u64, "act")))
            };
            assert_eq!(act(&mut one), act(&mut other), "{algorithm} {estimator} at step {t}");
        }
    }
}
