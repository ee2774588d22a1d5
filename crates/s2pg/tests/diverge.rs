//! A number that is not finite, wherever it comes from, stops the run before the next checkpoint, or is dropped with
//! its step; no checkpoint ever holds one among the numbers of the training. `S2PG_DIVERGENCES` is the number of
//! injections of each kind (1 if not set).

mod runs;

use std::path::Path;
use std::sync::Arc;

use runs::{experiment, is_episodic, number, pairs, registry};
use s2pg::env::{Entry, Options, Pendulum, Registry, TimeLimit};
use s2pg::experiment::{Estimator, Experiment};
use s2pg::run::checkpoint::non_finite;
use s2pg::run::rerun;
use s2pg::run::{Run, RunError};
use s2pg::state::Data;
use s2pg::train::TrainError;
use s2pg::{Env, EnvError, EnvSpec, Outcome, Rng, Visitor};

/// Overwrites one number of the items whose full names `chosen` accepts.
struct Poke<'a> {
    path: Vec<String>,
    chosen: &'a dyn Fn(&str) -> bool,
    /// Numbers that are left before the one that is overwritten.
    left: usize,
    /// Numbers seen.
    seen: usize,
}

impl Visitor for Poke<'_> {
    fn item(&mut self, name: &str, data: Data<'_>) {
        let full = [&self.path[..], &[name.to_string()]].concat().join("/");
        if !(self.chosen)(&full) {
            return;
        }
        let at = self.left.wrapping_sub(self.seen);
        let len = match data {
            Data::F32(x) => {
                x.get_mut(at).into_iter().for_each(|x| *x = f32::NAN);
                x.len()
            }
            Data::F64(x) => {
                x.get_mut(at).into_iter().for_each(|x| *x = f64::NAN);
                x.len()
            }
            Data::U64(_) | Data::U8(_) => 0,
        };
        self.seen += len;
    }
    fn enter(&mut self, name: &str) {
        self.path.push(name.into());
    }
    fn leave(&mut self) {
        self.path.pop();
    }
}

/// Puts a NaN into one of the numbers that `chosen` names.
fn poke(run: &mut Run, rng: &mut Rng, chosen: &dyn Fn(&str) -> bool) {
    let mut visit = |left: usize| {
        let mut poke = Poke { path: Vec::new(), chosen, left, seen: 0 };
        run.training().visit(&mut poke);
        poke.seen
    };
    let count = visit(usize::MAX);
    assert!(count > 0, "there is such an item");
    visit(rng.below(count));
}

/// The last checkpoint of the first `steps` steps is the last, holds finite numbers only, and goes on without an error.
fn assert_the_last_checkpoint_stands(dir: &Path, experiment: &Experiment, registry: Arc<Registry>, steps: usize) {
    let (mut run, warning) = Run::open(dir, experiment, registry, 1, 0.0).unwrap();
    assert_eq!(warning, None);
    assert_eq!(non_finite(run.training()), None);
    // There is one every ten steps.
    assert_eq!(run.steps(), steps / 10 * 10);
    while run.steps() < steps + 60 {
        assert!(!run.advance(0.0, 0.0).unwrap().finished);
    }
}

fn with_checkpoints(pair: (s2pg::experiment::AlgorithmName, Estimator, &str), env: &str, rng: &mut Rng) -> Experiment {
    let mut experiment = experiment(pair, env, 2, 2000, &format!("seed = {}", rng.below(1000)));
    experiment.checkpoint.every = 10;
    experiment
}

/// A NaN in a parameter of the policy at a random step stops the run with the step in the sentence, before the next
/// checkpoint and before the environments can be blamed.
#[test]
fn a_nan_in_a_weight_stops_the_run() {
    let mut rng = Rng::new(0, "diverge");
    for pair in pairs() {
        for env in ["TMaze-v0", "PendulumPOMDP-v1"] {
            for _ in 0..number("S2PG_DIVERGENCES", 1) {
                let experiment = with_checkpoints(pair, env, &mut rng);
                let dir = tempfile::tempdir().unwrap();
                let (mut run, _) = Run::open(dir.path(), &experiment, registry(), 1, 0.0).unwrap();
                let at = 10 + 2 * rng.below(60);
                while run.steps() < at {
                    run.advance(0.0, 0.0).unwrap();
                }
                let parameters = run.training().model().parameters;
                let i = rng.below(parameters.data().len());
                parameters.data_mut()[i] = f32::NAN;
                let error = (0..30).find_map(|_| run.advance(0.0, 0.0).err()).expect("it is noticed");
                let RunError::Train(TrainError::Diverged { step, .. }) = &error else { panic!("{pair:?}: {error}") };
                assert!((at..=at + 24).contains(step), "{at}: {error}");
                assert!(error.to_string().contains(&format!("step {step}")), "{error}");
                drop(run);
                assert_the_last_checkpoint_stands(dir.path(), &experiment, registry(), at);
            }
        }
    }
}

/// The same for a NaN in a critic or in the moments of an optimiser.
#[test]
fn a_nan_in_a_critic_or_an_optimiser_stops_the_run() {
    let mut rng = Rng::new(1, "diverge");
    type Kind<'a> = (&'a str, &'a dyn Fn(&str) -> bool);
    let kinds: [Kind<'_>; 2] = [
        ("critic", &|name| name == "algorithm/value/parameters" || name.starts_with("algorithm/critics/")),
        ("optimiser", &|name| name.contains("_optimiser")),
    ];
    for pair in pairs() {
        for (kind, chosen) in kinds {
            if kind == "critic" && is_episodic(pair.0) {
                continue;
            }
            for _ in 0..number("S2PG_DIVERGENCES", 1) {
                let experiment = with_checkpoints(pair, "TMaze-v0", &mut rng);
                let dir = tempfile::tempdir().unwrap();
                let (mut run, _) = Run::open(dir.path(), &experiment, registry(), 1, 0.0).unwrap();
                let at = 10 + 2 * rng.below(60);
                while run.steps() < at {
                    run.advance(0.0, 0.0).unwrap();
                }
                poke(&mut run, &mut rng, chosen);
                assert!(non_finite(run.training()).is_some());
                let error = (0..30).find_map(|_| run.advance(0.0, 0.0).err()).expect("it is noticed");
                assert!(matches!(error, RunError::Train(TrainError::Diverged { .. })), "{kind}: {error}");
                drop(run);
                assert_the_last_checkpoint_stands(dir.path(), &experiment, registry(), at);
            }
        }
    }
}

/// Wherever in the whole state a NaN appears, no checkpoint holds it among the numbers of the training: the run stops,
/// or the number is one that is overwritten before it is read, or it belongs to an environment, which may work with it,
/// refuse it, or drop the step.
#[test]
fn no_checkpoint_holds_a_nan() {
    let mut rng = Rng::new(2, "diverge");
    let (mut stopped, mut all) = (0, 0);
    for pair in pairs() {
        for env in ["TMaze-v0", "PendulumPOMDP-v1"] {
            for _ in 0..number("S2PG_DIVERGENCES", 1) {
                let experiment = with_checkpoints(pair, env, &mut rng);
                let dir = tempfile::tempdir().unwrap();
                let (mut run, _) = Run::open(dir.path(), &experiment, registry(), 1, 0.0).unwrap();
                let at = 10 + 2 * rng.below(60);
                while run.steps() < at {
                    run.advance(0.0, 0.0).unwrap();
                }
                poke(&mut run, &mut rng, &|_| true);
                let error = (0..40).find_map(|_| run.advance(0.0, 0.0).err());
                let last = if error.is_some() { at } else { run.steps() };
                stopped += usize::from(error.is_some());
                all += 1;
                drop(run);
                assert_the_last_checkpoint_stands(dir.path(), &experiment, registry(), last);
            }
        }
    }
    assert!(stopped > all / 2 && stopped < all, "{stopped} of {all} runs stopped");
    println!("NaN anywhere: {stopped} of {all} runs stopped, 0 checkpoints hold one");
}

/// A pendulum that shows a number that is not finite: in the reward or a view of a step, or in the first observation of
/// an episode.
struct Broken {
    env: TimeLimit<Pendulum>,
    place: String,
    /// The first and the last step of the environment's life in which it is shown.
    from: usize,
    until: usize,
    step: usize,
    fresh: bool,
}

fn broken(options: &Options) -> Result<Box<dyn Env>, EnvError> {
    let number = |key: &str| options[key].as_integer().unwrap() as usize;
    let env = TimeLimit::new(Pendulum::new(&Options::new())?);
    let place = options["place"].as_str().unwrap().into();
    Ok(Box::new(Broken { env, place, from: number("from"), until: number("until"), step: 0, fresh: true }))
}

impl Broken {
    fn is_now(&self, place: &str) -> bool {
        self.place == place && self.fresh == (place == "reset") && (self.from..=self.until).contains(&self.step)
    }
}

impl Env for Broken {
    fn spec(&self) -> &EnvSpec {
        self.env.spec()
    }
    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
        self.fresh = true;
        self.env.reset(rng)
    }
    fn step(&mut self, a: &[f32], rng: &mut Rng) -> Result<Outcome, EnvError> {
        self.step += 1;
        self.fresh = false;
        let outcome = self.env.step(a, rng)?;
        Ok(if self.is_now("reward") { Outcome { r: f64::NAN, ..outcome } } else { outcome })
    }
    fn observe(&self, o: &mut [f32], s: &mut [f32]) {
        self.env.observe(o, s);
        if self.is_now("observation") || self.is_now("reset") {
            (o[1], s[1]) = (f32::INFINITY, f32::INFINITY);
        }
        if self.is_now("state") {
            s[2] = f32::NAN;
        }
    }
    fn snapshot(&self) -> Vec<f64> {
        [self.env.snapshot(), vec![self.step as f64, self.fresh as u8 as f64]].concat()
    }
    fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
        let [inner @ .., step, fresh] = state else { panic!("a snapshot of another environment") };
        (self.step, self.fresh) = (*step as usize, *fresh != 0.0);
        self.env.restore(inner)
    }
}

fn with_broken(place: &str, from: usize, until: usize, rng: &mut Rng) -> (Experiment, Arc<Registry>) {
    let mut registry = Registry::new();
    registry.extend([Entry { name: "Broken", about: "shows a NaN", make: broken }]);
    let mut experiment = with_checkpoints(pairs()[rng.below(pairs().len())], "Broken", rng);
    experiment.evaluation.every = 0;
    experiment.steps = 600;
    let options = format!("place = \"{place}\"\nfrom = {from}\nuntil = {until}");
    experiment.env.options = options.parse().unwrap();
    (experiment, Arc::new(registry))
}

/// A NaN in a reward or a view at a random step is dropped with its step and counted; nothing of it enters the state,
/// and the run goes on.
#[test]
fn a_nan_of_an_environment_is_dropped() {
    let mut rng = Rng::new(3, "diverge");
    let kinds = ["reward", "observation", "state"];
    for place in kinds {
        for _ in 0..number("S2PG_DIVERGENCES", 1) {
            let at = 1 + rng.below(290);
            let (experiment, registry) = with_broken(place, at, at, &mut rng);
            let dir = tempfile::tempdir().unwrap();
            let (mut run, _) = Run::open(dir.path(), &experiment, registry, 2, 0.0).unwrap();
            while !run.advance(0.0, 0.0).unwrap().finished {
                assert_eq!(non_finite(run.training()), None, "{place} at {at}");
            }
            assert_eq!(run.training().unstable(), 2, "{place} at {at}: once in each environment");
        }
    }
}

/// A NaN that stays stops the run within the budget of unstable steps, and one after a reset stops it at once; the last
/// checkpoint stands.
#[test]
fn a_nan_that_stays_stops_the_run() {
    let mut rng = Rng::new(4, "diverge");
    for place in ["reward", "observation", "state", "reset"] {
        for _ in 0..number("S2PG_DIVERGENCES", 1) {
            let at = 10 + rng.below(100);
            let (experiment, registry) = with_broken(place, at, 1_000_000, &mut rng);
            let dir = tempfile::tempdir().unwrap();
            let (mut run, _) = Run::open(dir.path(), &experiment, Arc::clone(&registry), 2, 0.0).unwrap();
            let error = (0..250).find_map(|_| run.advance(0.0, 0.0).err()).expect("it is noticed");
            let as_it_should = match &error {
                RunError::Train(TrainError::Env(EnvError::Budget { .. })) => place != "reset",
                RunError::Train(TrainError::Env(EnvError::Unstable { .. })) => place == "reset",
                _ => false,
            };
            assert!(as_it_should, "{place} at {at}: {error}");
            drop(run);
            let (mut run, warning) = Run::open(dir.path(), &experiment, registry, 1, 0.0).unwrap();
            assert_eq!((warning, non_finite(run.training())), (None, None));
            // Every step of the two environments before the first NaN went well.
            assert!(run.steps() >= 2 * (at - 1) / 10 * 10, "{place} at {at}: back to {}", run.steps());
        }
    }
}

/// A run that diverges leaves the step and the batch on disk; from its last checkpoint it is brought to the same step,
/// the same figure and the same batch, bit for bit, for every algorithm and memory. Nothing in its directory changes,
/// and one that did not diverge cannot be replayed.
#[test]
fn a_divergence_is_replayed() {
    let mut rng = Rng::new(5, "diverge");
    for pair in pairs() {
        let mut experiment = with_checkpoints(pair, "TMaze-v0", &mut rng);
        // Everything goes well until the first update, of a step size that is none.
        experiment.sac.critic_lr = 1e38.into();
        (experiment.td3.critic_lr, experiment.lsiq.critic_lr) = (1e38.into(), 1e38.into());
        experiment.slac.model_lr = 1e38.into();
        (experiment.distil.lr, experiment.distil.imitation_lr) = (1e38.into(), 1e38.into());
        (experiment.gail.lr, experiment.gail.value_lr) = (1e38.into(), 1e38.into());
        (experiment.ppo.lr, experiment.ppo.value_lr) = (1e38.into(), 1e38.into());
        (experiment.trpo.kl, experiment.trpo.value_lr) = (1e38, 1e38.into());
        experiment.reinforce.lr = 1e38.into();
        let dir = tempfile::tempdir().unwrap();
        let (mut run, _) = Run::open(dir.path(), &experiment, registry(), 2, 0.0).unwrap();
        assert!(matches!(
            rerun(dir.path(), &experiment, registry(), 1, |_| {}),
            Err(RunError::Directory(what)) if what.contains("did not diverge")
        ));
        let error = (0..500).find_map(|_| run.advance(0.0, 0.0).err()).unwrap_or_else(|| panic!("{pair:?} goes on"));
        let RunError::Train(TrainError::Diverged { step, what }) = error else { panic!("{pair:?}: {error}") };
        drop(run);
        let files = || {
            let mut files: Vec<_> = walk(dir.path());
            files.sort();
            files
        };
        let before = files();
        let replayed = rerun(dir.path(), &experiment, registry(), 1, |_| {}).unwrap();
        assert_eq!((replayed.step, &replayed.what), (step, &[what.clone(), what]), "{pair:?}");
        assert_eq!(replayed.differences, [""; 0], "{pair:?}");
        assert_eq!(replayed.from, (step - 1) / 10 * 10, "{pair:?}: there is a checkpoint every ten steps");
        assert!(files() == before, "{pair:?}: a replay changes nothing");
    }
}

/// Every file below a directory, with its bytes.
fn walk(dir: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { walk(&path) } else { vec![(path.clone(), std::fs::read(&path).unwrap())] })
        .collect()
}
