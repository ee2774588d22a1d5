//! No environment panics the trainer, whatever it does: a run trains, evaluates, and is saved and loaded, or ends with
//! a sentence that names the environment. `S2PG_MISBEHAVIOURS` is the number of random environments (500 if not set).

mod runs;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};

use runs::{experiment, has_teacher, is_episodic, number, pairs};
use s2pg::env::{Entry, Options, Registry, check_env};
use s2pg::experiment::{AlgorithmName, Estimator, Experiment, player};
use s2pg::policy::View;
use s2pg::run::{Run, RunError};
use s2pg::state::digest;
use s2pg::train::{TrainError, watch};
use s2pg::{Env, EnvError, EnvSpec, Outcome, Rng};

const NAME: &str = "Misbehaving-v0";

/// A method of an environment, in which something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum In {
    Make,
    Spec,
    Reset,
    Step,
    Observe,
    Metrics,
    Snapshot,
    Restore,
}

/// Something that an environment does wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    /// The reward, the entry of a view, a figure, or a number of the snapshot.
    Reward(f64),
    O(f32),
    S(f32),
    Figure(f64),
    State(f64),
    /// Figures are lost, come in another order, have other names, are new, are there twice, or have odd names.
    Names(usize),
    /// The snapshot has another length.
    Length,
    /// The snapshot is another one whenever it is taken.
    Restless,
    /// A restore does nothing.
    Forgetful,
    /// An entry of a view is not written, or one behind the last is.
    Unwritten,
    Beyond,
    /// An error of a kind (unstable, budget, invalid), or a panic.
    Error(In, usize),
    Panic(In),
    /// The number of entries of o, s and the action.
    Sizes(usize, usize, usize),
    /// One of the sizes is another one in every other copy.
    Differs(usize),
    /// The range of the action.
    Low(f32),
    High(f32),
    /// A bound is missing.
    Unpaired,
    Horizon(usize),
    Time(f64),
    /// Episodes end in each step, in two ways at once; or they do not end.
    Ends,
    NoEnd,
}

use What::*;

impl What {
    /// Tells whether a run goes on whatever else is right, as if nothing were wrong.
    fn is_harmless(self) -> bool {
        matches!(self, Figure(_) | State(_) | Names(_) | Ends | NoEnd | Horizon(1..))
    }

    /// Tells whether numbers may become so large that the training diverges.
    fn is_huge(self) -> bool {
        matches!(self, Reward(_) | O(_) | S(_) | Low(_) | High(_))
    }

    /// Tells whether what is restored may differ from what was saved.
    fn is_lossy(self) -> bool {
        matches!(self, Length | Restless | Forgetful | Unwritten | Error(..) | Panic(_) | Differs(_))
    }

    fn draw(rng: &mut Rng) -> Self {
        let x = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e30][rng.below(5)];
        let place = [In::Reset, In::Step, In::Observe, In::Metrics, In::Snapshot, In::Restore, In::Make, In::Spec];
        let place = place[rng.below(8)];
        let bound = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, 0.0][rng.below(6)];
        match rng.below(24) {
            0 => Reward(x),
            1 => O(x as f32),
            2 => S(x as f32),
            3 => Figure(x),
            4 => State(x),
            5 | 6 => Names(rng.below(6)),
            7 => Length,
            8 => Restless,
            9 => Forgetful,
            10 => Unwritten,
            11 => Beyond,
            12 | 13 => Error(place, rng.below(3)),
            14 | 15 => Panic(place),
            16 => Sizes(rng.below(4), rng.below(4), rng.below(3)),
            17 => Differs(rng.below(3)),
            18 => Low(bound),
            19 => High(bound),
            20 => Unpaired,
            // To evaluate a task without a time limit takes long.
            21 if rng.below(40) == 0 => Horizon(if rng.below(2) == 0 { usize::MAX } else { 1_000_000_000_000 }),
            21 => Horizon(rng.below(3)),
            22 => Time([0.0, -1.0, f64::NAN, f64::INFINITY][rng.below(4)]),
            _ => [Ends, NoEnd][rng.below(2)],
        }
    }
}

/// A fault, and when it shows.
#[derive(Clone, Copy, Debug)]
struct Fault {
    what: What,
    /// The first and the last step of an environment's life in which it shows.
    from: usize,
    until: usize,
    /// Whether it shows in every copy of the environment, or in every other one.
    everywhere: bool,
}

impl Fault {
    fn always(what: What) -> Self {
        Self { what, from: 0, until: usize::MAX, everywhere: true }
    }

    fn draw(rng: &mut Rng) -> Self {
        let from = [0, rng.below(60)][rng.below(2)];
        let until = [from, from + rng.below(20), usize::MAX][rng.below(3)];
        Self { what: What::draw(rng), from, until, everywhere: rng.below(2) == 0 }
    }
}

thread_local! {
    /// The faults of the environments that this thread makes, and how many it has made.
    static FAULTS: RefCell<(Vec<Fault>, usize)> = const { RefCell::new((Vec::new(), 0)) };
}

/// Steps of an environment's life that no test needs: an environment that lives longer is in an endless loop.
const ENDLESS: usize = 120_000;

/// A point that the action moves, in an environment with faults.
struct Misbehaving {
    spec: EnvSpec,
    faults: Vec<Fault>,
    copy: usize,
    x: f64,
    /// Steps of the episode, and of the environment's life.
    t: usize,
    life: usize,
    /// A number of the state that nothing depends on.
    odd: f64,
    taken: std::sync::atomic::AtomicUsize,
}

fn misbehaving(_: &Options) -> Result<Box<dyn Env>, EnvError> {
    let (faults, copy) = FAULTS.with_borrow_mut(|(faults, made)| {
        *made += 1;
        (faults.clone(), *made)
    });
    let names = |prefix: &str, n: usize| (0..n).map(|i| format!("{prefix}{i}")).collect();
    let mut spec = EnvSpec {
        name: NAME.into(),
        o: names("o", 2),
        s: names("s", 3),
        low: vec![-1.0],
        high: vec![1.0],
        horizon: 7,
        dt: 0.1,
    };
    for fault in &faults {
        match fault.what {
            Sizes(o, s, a) => {
                (spec.o, spec.s, spec.low, spec.high) = (names("o", o), names("s", s), vec![-1.0; a], vec![1.0; a])
            }
            Differs(0) if copy % 2 == 0 => spec.o.push("more".into()),
            Differs(1) if copy % 2 == 0 => spec.s.push("more".into()),
            Differs(_) if copy % 2 == 0 => (spec.low, spec.high) = (vec![-1.0; 3], vec![1.0; 3]),
            Low(low) => spec.low.fill(low),
            High(high) => spec.high.fill(high),
            Unpaired => drop(spec.high.pop()),
            Horizon(horizon) => spec.horizon = horizon,
            Time(dt) => spec.dt = dt,
            _ => {}
        }
    }
    let env = Misbehaving { spec, faults, copy, x: 0.0, t: 0, life: 0, odd: 0.0, taken: Default::default() };
    env.go_wrong(In::Make)?;
    Ok(Box::new(env))
}

impl Misbehaving {
    /// The faults that show now.
    fn now(&self) -> impl Iterator<Item = What> {
        let shows =
            |f: &&Fault| (f.everywhere || self.copy.is_multiple_of(2)) && (f.from..=f.until).contains(&self.life);
        self.faults.iter().filter(shows).map(|f| f.what)
    }

    fn is(&self, what: What) -> bool {
        self.now().any(|now| now == what)
    }

    /// Panics, or returns an error, where that is what goes wrong in this method.
    fn go_wrong(&self, place: In) -> Result<(), EnvError> {
        assert!(!self.is(Panic(place)), "as it\n pleases, in {place:?}");
        let (env, what) = (NAME.to_string(), "as it pleases".to_string());
        match self.now().find_map(|now| if let Error(at, kind) = now { (at == place).then_some(kind) } else { None }) {
            None => Ok(()),
            Some(0) => Err(EnvError::Unstable { env, step: self.t, what }),
            Some(1) => Err(EnvError::Budget { env, what }),
            Some(_) => Err(EnvError::Invalid { env, what }),
        }
    }
}

impl Env for Misbehaving {
    fn spec(&self) -> &EnvSpec {
        assert!(!self.is(Panic(In::Spec)), "as it pleases, in the description");
        &self.spec
    }

    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
        (self.x, self.t) = (rng.range(-1.0, 1.0), 0);
        self.go_wrong(In::Reset)
    }

    fn step(&mut self, a: &[f32], rng: &mut Rng) -> Result<Outcome, EnvError> {
        (self.t, self.life) = (self.t + 1, self.life + 1);
        assert!(self.life < ENDLESS, "endless");
        let push = a.first().map_or(0.0, |&a| f64::from(a).clamp(-1.0, 1.0));
        self.x = (self.x + 0.1 * push + 0.01 * rng.normal()).clamp(-2.0, 2.0);
        self.go_wrong(In::Step)?;
        let mut r = -self.x * self.x;
        let mut outcome = Outcome { r, terminated: false, truncated: self.t >= self.spec.horizon };
        for now in self.now() {
            match now {
                Reward(x) => r = x,
                Ends => (outcome.terminated, outcome.truncated) = (true, true),
                NoEnd => (outcome.terminated, outcome.truncated) = (false, false),
                _ => {}
            }
        }
        let odd = self.now().find_map(|now| if let State(x) = now { Some(x) } else { None });
        self.odd = odd.unwrap_or(0.0);
        Ok(Outcome { r, ..outcome })
    }

    fn observe(&self, o: &mut [f32], s: &mut [f32]) {
        let _ = self.go_wrong(In::Observe);
        let unwritten = usize::from(self.is(Unwritten));
        let written = o.len().saturating_sub(unwritten);
        o[..written].fill(self.x as f32);
        s.fill(self.t as f32 * 0.1);
        for now in self.now() {
            match now {
                O(x) => o.iter_mut().take(1).for_each(|o| *o = x),
                S(x) => s.iter_mut().take(1).for_each(|s| *s = x),
                Beyond => s[s.len()] = 0.0,
                _ => {}
            }
        }
    }

    fn metrics(&self) -> Vec<(&'static str, f64)> {
        let _ = self.go_wrong(In::Metrics);
        let mut figures = vec![("place", self.x), ("steps", self.t as f64)];
        for now in self.now() {
            match now {
                Figure(x) => figures[0].1 = x,
                Names(0) => drop(figures.pop()),
                Names(1) => figures.reverse(),
                Names(2) => figures[self.t % 2].0 = "another",
                Names(3) => figures.push((["new", "newer"][self.t % 2], 1.0)),
                Names(4) => figures.push(figures[0]),
                Names(_) => {
                    figures.extend(["", "a,b", "a\nb", "\"", "mean_reward", "ep_rew_mean"].map(|name| (name, 1.0)))
                }
                _ => {}
            }
            if figures.len() < 2 {
                break;
            }
        }
        figures
    }

    fn snapshot(&self) -> Vec<f64> {
        let _ = self.go_wrong(In::Snapshot);
        let mut state = vec![self.x, self.t as f64, self.life as f64, self.odd];
        if self.is(Length) {
            state.resize(1 + self.life % 7, 0.0);
        }
        if self.is(Restless) && !state.is_empty() {
            state[0] += 1.0 + self.taken.fetch_add(1, Ordering::Relaxed) as f64;
        }
        state
    }

    fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
        self.go_wrong(In::Restore)?;
        if !self.is(Forgetful) && state.len() == 4 {
            (self.x, self.t, self.life, self.odd) = (state[0], state[1] as usize, state[2] as usize, state[3]);
        }
        Ok(())
    }
}

fn registry() -> Arc<Registry> {
    let mut registry = Registry::new();
    registry.extend([Entry { name: NAME, about: "does what it pleases", make: misbehaving }]);
    Arc::new(registry)
}

/// The environments that this thread makes from now on have these faults.
fn with(faults: &[Fault]) -> Arc<Registry> {
    FAULTS.set((faults.to_vec(), 0));
    registry()
}

/// A short experiment with these environments: an evaluation every 30 steps, a checkpoint every 20.
fn short(pair: (AlgorithmName, Estimator, &str), parallel: usize, steps: usize) -> Experiment {
    let mut experiment = experiment(pair, NAME, parallel, steps, "");
    (experiment.evaluation.every, experiment.checkpoint.every) = (30, 20);
    experiment
}

fn pair(name: &str, estimator: Estimator) -> (AlgorithmName, Estimator, &'static str) {
    // A teacher belongs to one task, and these have views of all sizes.
    let all: Vec<_> = pairs().into_iter().filter(|pair| !has_teacher(pair.0)).collect();
    *all.iter().find(|p| p.0.name() == name && p.1 == estimator).unwrap_or_else(|| panic!("no {name}"))
}

/// Opens the run in `dir` and goes on to its end; returns the warnings.
fn train(
    dir: &Path,
    experiment: &Experiment,
    registry: Arc<Registry>,
    threads: usize,
) -> Result<(Run, String), RunError> {
    let (mut run, warning) = Run::open(dir, experiment, registry, threads, 0.0)?;
    let mut warnings: Vec<String> = warning.into_iter().collect();
    for _ in 0..=experiment.steps {
        let progress = run.advance(0.0, 0.0)?;
        warnings.extend(progress.warning);
        if progress.finished {
            return Ok((run, warnings.join("\n")));
        }
    }
    panic!("{} steps of {} after as many steps", run.steps(), experiment.steps)
}

/// The table of a run, as its columns and its rows.
fn table(dir: &Path, name: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let text = std::fs::read_to_string(dir.join(name)).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(String::from).collect());
    (lines.next().unwrap(), lines.collect())
}

/// A rollout in which the simulation failed in each step is skipped, by every algorithm that learns from rollouts.
#[test]
fn a_rollout_of_dropped_rows_is_skipped() {
    for name in ["ppo", "trpo"] {
        for estimator in [Estimator::Rs(1), Estimator::Vanilla] {
            let failing = Fault { until: 8, ..Fault::always(Reward(f64::NAN)) };
            let mut experiment = short(pair(name, estimator), 1, 24);
            (experiment.ppo.steps, experiment.trpo.steps) = (8, 8);
            let dir = tempfile::tempdir().unwrap();
            let (mut run, _) = train(dir.path(), &experiment, with(&[failing]), 1).unwrap();
            assert_eq!(run.training().unstable(), 8);
            let steps: Vec<String> =
                table(dir.path(), "progress.csv").1.into_iter().map(|row| row[0].clone()).collect();
            assert_eq!(steps, ["16", "24"], "{name}: nothing is learned from the first eight");
        }
    }
}

/// Figures that come in another order, under other names, or not at all keep their columns, in the training and in
/// evaluations; a new one is left out, and the run says so once.
#[test]
fn figures_that_change_their_names_keep_their_columns() {
    for (kind, told) in [(0, false), (1, false), (2, true), (3, true), (4, false), (5, true)] {
        let faults = [Fault { from: 1, everywhere: false, ..Fault::always(Names(kind)) }];
        let experiment = short(pair("ppo", Estimator::Rs(1)), 3, 240);
        let dir = tempfile::tempdir().unwrap();
        let (_, warnings) = train(dir.path(), &experiment, with(&faults), 2).unwrap();
        let count = warnings.matches(&format!("{NAME}: the figure `")).count();
        assert_eq!(count, usize::from(told), "{kind}: {warnings}");
        for (name, prefixes) in [("progress.csv", &["rollout"][..]), ("eval.csv", &["eval", "eval_stochastic"])] {
            let (columns, rows) = table(dir.path(), name);
            assert!(rows.len() > 5 && rows.iter().all(|row| row.len() == columns.len()), "{kind}: {rows:?}");
            for prefix in prefixes {
                let at = |figure: &str| columns.iter().position(|c| *c == format!("{prefix}/{figure}")).unwrap();
                let (place, steps) = (at("place"), at("steps"));
                let length = columns.iter().position(|c| c.contains("ep_len") || c.contains("ep_length")).unwrap();
                for row in &rows {
                    // Every episode has seven steps; where the figure is lost in some episodes, others have it.
                    assert_eq!((&row[length][..], &row[steps][..]), ("7", "7"), "{kind}: {row:?}");
                    assert!(row[place].parse::<f64>().is_ok_and(|x| x.abs() <= 2.0), "{kind}: {row:?}");
                }
            }
        }
    }
}

/// A figure that is not finite leaves its cell empty; a snapshot that is not finite is saved, and restored to the bit.
/// Neither is a divergence.
#[test]
fn a_figure_or_a_snapshot_that_is_not_finite_is_no_divergence() {
    for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for name in ["ppo", "gpomdp", "sac"] {
            let faults = [Figure(x), State(x)].map(Fault::always);
            let experiment = short(pair(name, Estimator::Rs(1)), 2, 60);
            let dir = tempfile::tempdir().unwrap();
            let (mut run, warnings) = train(dir.path(), &experiment, with(&faults), 1).unwrap();
            assert_eq!(warnings, "");
            let saved = digest(run.training());
            drop(run);
            let (mut run, _) = Run::open(dir.path(), &experiment, with(&faults), 2, 0.0).unwrap();
            assert_eq!(digest(run.training()), saved);
            let (columns, rows) = table(dir.path(), "eval.csv");
            let place = columns.iter().position(|c| c == "eval/place").unwrap();
            assert!(rows.iter().all(|row| row[place].is_empty()), "{rows:?}");
        }
    }
}

/// An episode that its environment does not end is truncated at the horizon, in the training, in evaluations and where
/// it is watched; without a time limit an evaluation cuts it after 10,000 steps. The run says so once.
#[test]
fn an_episode_without_an_end_is_cut() {
    let lengths = |dir: &Path| -> Vec<String> {
        let (columns, rows) = table(dir, "eval.csv");
        let at = columns.iter().position(|c| c == "eval/mean_ep_length").unwrap();
        rows.into_iter().map(|row| row[at].clone()).collect()
    };
    let watched = |experiment: &Experiment| {
        let (player, make_env) = player(experiment, registry()).unwrap();
        let mut states = 0;
        watch(&player, make_env().unwrap(), &mut Rng::new(0, "watch"), &mut |_| {
            states += 1;
            true
        })
        .unwrap();
        states - 1
    };
    for name in ["ppo", "reinforce", "td3"] {
        let registry = with(&[NoEnd, Horizon(9)].map(Fault::always));
        let experiment = short(pair(name, Estimator::Rs(1)), 2, 60);
        let dir = tempfile::tempdir().unwrap();
        let (mut run, warnings) = train(dir.path(), &experiment, registry, 1).unwrap();
        assert_eq!(
            warnings,
            format!("{NAME}: an episode went on beyond the horizon of 9 steps; all are truncated there")
        );
        assert_eq!(run.training().episodes().means().nth(1), Some(("rollout/ep_len_mean", 9.0)));
        assert_eq!((lengths(dir.path()), watched(&experiment)), (vec!["9".to_string(); 2], 9));
    }
    let endless = [NoEnd, Horizon(usize::MAX)].map(Fault::always);
    let registry = with(&endless);
    let mut experiment = short(pair("ppo", Estimator::Vanilla), 1, 48);
    experiment.evaluation.every = 24;
    let dir = tempfile::tempdir().unwrap();
    let (mut run, warnings) = train(dir.path(), &experiment, registry, 1).unwrap();
    assert_eq!(warnings, format!("{NAME} has no time limit: an episode of an evaluation is cut after 10000 steps"));
    assert_eq!(run.training().episodes().count(), 0, "nothing ends an episode of the training");
    assert_eq!((lengths(dir.path()), watched(&experiment)), (vec!["10000".to_string(); 2], 10_000));
    // Whole episodes cannot be waited for.
    let experiment = short(pair("reinforce", Estimator::Rs(1)), 2, 60);
    let error = train(&dir.path().join("whole"), &experiment, with(&endless), 1).err().expect("refused").to_string();
    assert!(error.starts_with("`reinforce.episodes`: Misbehaving-v0 has no time limit"), "{error}");
}

/// The policy may see more than the critic, also where an oracle shows it the critic's view.
#[test]
fn an_oracle_may_show_less_than_the_policy_saw() {
    for name in ["ppo", "sac"] {
        let experiment = short(pair(name, Estimator::Oracle), 2, 60);
        let dir = tempfile::tempdir().unwrap();
        train(dir.path(), &experiment, with(&[Fault::always(Sizes(5, 2, 1))]), 1).unwrap();
    }
}

/// What cannot be trained on is refused before the first step, in one sentence that names the environment and leaves no
/// directory behind: empty views, actions without a range, copies that differ, code that fails.
#[test]
fn what_cannot_be_trained_on_is_refused() {
    let odd = |what| Fault { everywhere: false, ..Fault::always(what) };
    for (fault, part) in [
        (Fault::always(Sizes(0, 2, 1)), "the policy's view `o` has no entries"),
        (Fault::always(Sizes(2, 0, 1)), "the critic's view `s` has no entries"),
        (Fault::always(Sizes(2, 2, 0)), "the action has 0 lower and 0 upper bounds"),
        (Fault::always(Unpaired), "the action has 1 lower and 0 upper bounds"),
        (Fault::always(Low(f32::NAN)), "entry 0 of the action lies between NaN and 1"),
        (Fault::always(High(-1.0)), "entry 0 of the action lies between -1 and -1"),
        (Fault::always(Horizon(0)), "the horizon is 0 steps"),
        (Fault::always(Time(f64::NAN)), "a step takes NaN s"),
        (Fault::always(Differs(0)), "its copies differ: `o` has 2 entries in one and 3 in another"),
        (Fault::always(Differs(2)), "its copies differ: the action has 1 entries in one and 3 in another"),
        (odd(Panic(In::Make)), "the environment's own code failed in `make`: as it pleases, in Make"),
        (odd(Panic(In::Spec)), "the environment's own code failed in `spec`: as it pleases, in the description"),
        (odd(Panic(In::Reset)), "code failed in `reset` at step 0 of the episode: as it pleases, in Reset"),
        (odd(Panic(In::Observe)), "code failed in `observe` at step 0 of the episode: as it pleases, in Observe"),
        (odd(Panic(In::Snapshot)), "code failed in `snapshot` at step 0 of the episode: as it pleases, in Snapshot"),
        (Fault::always(Panic(In::Metrics)), "code failed in `metrics` at step 0 of the episode"),
        (odd(Beyond), "code failed in `observe` at step 0 of the episode: index out of bounds"),
        (odd(Unwritten), "the entry `o1` of `o` was not written"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let registry = with(&[fault]);
        let experiment = short(pair("ppo", Estimator::Rs(1)), 2, 60);
        quietly(|| {
            let error = train(&dir.path().join("run"), &experiment, registry, 1).err().expect("refused").to_string();
            assert!(error.starts_with(NAME) && error.contains(part) && !error.contains('\n'), "{fault:?}: {error}");
        });
        assert!(!dir.path().join("run").exists());
    }
}

/// An environment whose state cannot be taken when the run is saved stops the run with its own error; what was saved
/// before stands.
#[test]
fn a_state_that_cannot_be_taken_is_not_saved() {
    for what in [Panic(In::Snapshot), Length] {
        let faults = [Fault { from: 15, ..Fault::always(what) }];
        let experiment = short(pair("ppo", Estimator::Rs(1)), 2, 60);
        let dir = tempfile::tempdir().unwrap();
        let error = quietly(|| train(dir.path(), &experiment, with(&faults), 1).err().expect("it stops"));
        assert!(matches!(error, RunError::Train(TrainError::Env(_))), "{error}");
        assert!(error.to_string().starts_with(NAME), "{error}");
        let (run, warning) = Run::open(dir.path(), &experiment, with(&[]), 1, 0.0).unwrap();
        assert_eq!((run.steps(), warning), (20, None));
    }
}

/// Whether panics in this file are expected: those of environments.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Runs `f`, during which panics of the environments of this file are not printed.
fn quietly<T>(f: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let is_own = panic.location().is_some_and(|l| l.file().ends_with("misbehaviour.rs"));
            let words = panic.payload_as_str().unwrap_or_default();
            let is_asserted = words.contains("misbehaves as case");
            if !(is_own && QUIET.load(Ordering::Relaxed)) || is_asserted {
                print(panic);
            }
        }));
    });
    QUIET.store(true, Ordering::Relaxed);
    f()
}

/// What came of a case.
enum End {
    Trained,
    Refused,
    Stopped,
}

/// Drives the case of this number through a run, a resumption, an episode that is watched, and `check_env`.
fn drive(case: u64, dir: &Path) -> Result<End, String> {
    let mut rng = Rng::new(case, "misbehaviour");
    let faults: Vec<Fault> = (0..1 + rng.below(6).saturating_sub(3)).map(|_| Fault::draw(&mut rng)).collect();
    let is = |of: fn(What) -> bool| faults.iter().any(|f| of(f.what));
    // A teacher belongs to one task, and these have views of all sizes.
    let all: Vec<_> = pairs().into_iter().filter(|pair| !has_teacher(pair.0)).collect();
    let pair = all[rng.below(all.len())];
    let endless = is(|what| matches!(what, Horizon(100..)));
    let (parallel, threads) = (1 + rng.below(3), 1 + usize::from(rng.below(8) == 0));
    let mut experiment = short(pair, parallel, if endless { 30 } else { 60 });
    experiment.seed = case;
    experiment.standardise = rng.below(2) == 0;
    experiment.diagnostics = rng.below(4) == 0;
    let views = [View::Observation, View::State];
    // The critic of slac is shown no state.
    experiment.critic = if pair.0.name() == "slac" { View::Observation } else { views[rng.below(2)] };
    let say = |what: &str, text: String| format!("{what}: {text}; {pair:?}, {parallel} parallel, {faults:?}");

    // A sentence that names the environment, unless numbers became so large that the training diverged.
    let unbounded = is(|what| matches!(what, Low(_) | High(_)));
    let check = |error: &RunError| {
        let text = error.to_string();
        let is_named = match error {
            RunError::Train(TrainError::Diverged { .. }) => is(What::is_huge) || unbounded,
            // Demonstrations that are of other sizes than an environment that misbehaves name their file.
            RunError::Experiment(_) => is_episodic(pair.0) && endless || unbounded || text.contains(".demos`: "),
            _ => text.contains(NAME),
        };
        let words = ["endless", "panicked", "unwrap", "RefCell"];
        let is_plain = !text.contains('\n') && !words.iter().any(|word| text.contains(word));
        if is_named && is_plain { Ok(()) } else { Err(say("an error", text)) }
    };

    let trained = train(dir, &experiment, with(&faults), threads);
    let is_refused = !dir.join("progress.csv").exists();
    let end = match trained {
        Ok((mut run, _)) => {
            let saved = digest(run.training());
            drop(run);
            match Run::open(dir, &experiment, with(&faults), 1, 0.0) {
                Ok((mut run, _)) => {
                    if digest(run.training()) != saved && !is(What::is_lossy) {
                        return Err(say("loaded", "other bits".into()));
                    }
                }
                Err(e) if is(What::is_lossy) => check(&e)?,
                Err(e) => return Err(say("not loaded", e.to_string())),
            }
            End::Trained
        }
        Err(e) => {
            check(&e)?;
            let is_harmless = faults.iter().all(|f| f.what.is_harmless());
            if is_harmless && !(is_episodic(pair.0) && endless) {
                return Err(say("a harmless fault", e.to_string()));
            }
            // What was saved before can be loaded, unless the environment fails again.
            if let Err(e) = Run::open(dir, &experiment, with(&faults), 1, 0.0) {
                check(&e)?;
            }
            if is_refused { End::Refused } else { End::Stopped }
        }
    };
    if let Ok((player, make_env)) = player(&experiment, with(&faults)) {
        let mut rng = Rng::new(case, "watch");
        let watched =
            make_env().and_then(|env| watch(&player, env, &mut rng, &mut |seen| seen.env.shapes().is_empty()));
        watched.or_else(|e| check(&e.into()))?;
    }
    let registry = with(&faults);
    let checked = check_env(&|| registry.make(NAME, &Options::new()));
    checked
        .map(drop)
        .or_else(|e| if e.to_string().contains("endless") { Err(say("a check", e.to_string())) } else { Ok(()) })?;
    Ok(end)
}

/// Every algorithm, with every memory, trains on an environment that misbehaves at random, evaluates, saves and loads
/// to the bit, or stops with a sentence that names the environment; nothing panics, and nothing is endless.
#[test]
fn no_environment_panics_the_trainer() {
    let cases = number("S2PG_MISBEHAVIOURS", 500) as u64;
    let dir = tempfile::tempdir().unwrap();
    let mut ends = [0; 3];
    for case in 0..cases {
        let path = dir.path().join(case.to_string());
        let end = quietly(|| catch_unwind(AssertUnwindSafe(|| drive(case, &path))));
        match end {
            Ok(Ok(end)) => ends[end as usize] += 1,
            Ok(Err(what)) => panic!("an environment misbehaves as case {case}: {what}"),
            Err(_) => panic!("an environment misbehaves as case {case}, and the trainer panics"),
        }
        let _ = std::fs::remove_dir_all(path);
    }
    let [trained, refused, stopped] = ends;
    assert!(cases < 100 || ends.iter().all(|&n| n > cases / 20), "{ends:?} of {cases}");
    println!("{cases} environments that misbehave: {trained} trained, {refused} refused, {stopped} stopped, 0 panics");
}
