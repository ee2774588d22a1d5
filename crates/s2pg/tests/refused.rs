//! Settings with which nothing can be learned are refused before the first step, in one sentence.

mod runs;

use std::sync::Arc;

use s2pg::env::{Entry, Options, Pendulum, Registry, TimeLimit};
use s2pg::experiment::{AlgorithmName, Experiment, build, player};
use s2pg::run::Run;
use s2pg::{Env, EnvError, EnvSpec, Outcome, Rng};

fn parse(algorithm: &str, env: &str, overrides: &[&str]) -> Result<Experiment, String> {
    let estimator = runs::usual(algorithm.parse()?);
    let text = format!(
        "algorithm = \"{algorithm}\"\nestimator = \"{estimator}\"\nsteps = 1_000_000\n[env]\nname = \"{env}\"\n"
    );
    let overrides: Vec<String> = overrides.iter().map(|o| o.to_string()).collect();
    Experiment::parse("x.toml", &text, &overrides).map_err(|e| e.to_string())
}

/// Asserts that every override is refused with a sentence of one line that has all of its parts.
fn assert_refused(algorithm: &str, cases: &[(&[&str], &[&str])]) {
    for (overrides, parts) in cases {
        let refused = parse(algorithm, "TMaze-v0", overrides).map(|_| ());
        let what = refused.expect_err(&format!("{algorithm} {overrides:?} is accepted"));
        assert!(parts.iter().all(|part| what.contains(part)) && !what.contains('\n'), "{overrides:?}: {what}");
    }
}

/// A run that ends before its first update is refused, with the keys of both numbers: for each algorithm, and no run
/// that just reaches an update.
#[test]
fn a_run_without_an_update_is_refused() {
    let nothing = "nothing would be learned";
    for algorithm in ["ppo", "trpo"] {
        let key = format!("`{algorithm}.steps` = 2000");
        assert_refused(algorithm, &[(&["steps=1999"], &["`steps` = 1999", &key, nothing])]);
        assert!(parse(algorithm, "TMaze-v0", &["steps=2000"]).is_ok());
        // The last step is one of all environments.
        assert!(parse(algorithm, "TMaze-v0", &["steps=1990", "env.parallel=16"]).is_ok());
        assert_refused(algorithm, &[(&["steps=1984", "env.parallel=16"], &["`steps` = 1984", nothing])]);
    }
    for algorithm in ["reinforce", "gpomdp"] {
        assert_refused(algorithm, &[(&["steps=15"], &["`steps` = 15", "`reinforce.episodes` = 16", nothing])]);
        assert!(parse(algorithm, "TMaze-v0", &["steps=16"]).is_ok());
    }
    for (algorithm, table, needed) in [("sac", "sac", 10_000), ("td3", "td3", 10_000), ("ddpg", "td3", 10_000)] {
        let short = format!("steps={needed}");
        assert_refused(algorithm, &[(&[&short], &[&format!("`{table}.warmup` ({needed})"), nothing])]);
        assert!(parse(algorithm, "TMaze-v0", &[&format!("steps={}", needed + 1)]).is_ok());
        let rare = format!("{table}.update_ratio=1e-7");
        assert_refused(algorithm, &[(&[&rare], &[&format!("`{table}.update_ratio` = 0.0000001"), nothing])]);
    }
}

/// A setting that cannot work is refused with its key and its range.
#[test]
fn a_setting_that_cannot_work_is_refused() {
    let at_most_1 = "above 0 and at most 1";
    assert_refused(
        "ppo",
        &[
            (&["ppo.lr=1.5"], &["`ppo.lr` is 1.5", at_most_1]),
            (&["ppo.lr={ start = 2.0 }"], &["`ppo.lr.start` is 2", at_most_1]),
            (&["ppo.lr={ start = 0.1, end = -0.1 }"], &["`ppo.lr.end` is -0.1", at_most_1]),
            (&["ppo.value_lr=0"], &["`ppo.value_lr` is 0", at_most_1]),
            (&["ppo.steps=1", "ppo.minibatch=1"], &["`ppo.steps` is 1", "at least 2"]),
            (&["ppo.minibatch=2001"], &["`ppo.minibatch` = 2001", "`ppo.steps` = 2000"]),
            (&["ppo.epochs=0"], &["`ppo.epochs` is 0", "at least 1"]),
            (&["ppo.target_kl=0"], &["`ppo.target_kl` is 0", "above 0"]),
            (&["network.std=8"], &["`network.std` is 8", "at most 7"]),
        ],
    );
    assert_refused(
        "trpo",
        &[
            (&["trpo.backtrack=0"], &["`trpo.backtrack` is 0", "above 0 and below 1"]),
            (&["trpo.backtrack=1"], &["`trpo.backtrack` is 1", "above 0 and below 1"]),
            (&["trpo.minibatch=2001"], &["`trpo.minibatch` = 2001", "`trpo.steps` = 2000"]),
        ],
    );
    assert_refused("reinforce", &[(&["reinforce.lr=2"], &["`reinforce.lr` is 2", "adam", "at most 1"])]);
    let rising = "reinforce.lr={ start = 0.1, end = 2.0 }";
    assert_refused("reinforce", &[(&[rising], &["`reinforce.lr` is 2", "adam", "at most 1"])]);
    assert!(parse("reinforce", "TMaze-v0", &["reinforce.lr=2", "reinforce.optimiser=ascent"]).is_ok());
    assert_refused(
        "sac",
        &[
            (&["sac.tau=0"], &["`sac.tau` is 0", at_most_1]),
            (&["sac.update_ratio=1e9"], &["`sac.update_ratio` is 1000000000", "at most 1000"]),
            (&["sac.alpha_lr=3"], &["`sac.alpha_lr` is 3", at_most_1]),
        ],
    );
    assert_refused(
        "td3",
        &[
            (&["td3.tau=0"], &["`td3.tau` is 0", at_most_1]),
            (&["td3.noise=8"], &["`td3.noise` is 8", "between 0 and 7"]),
            (&["td3.delay=0"], &["`td3.delay` is 0", "at least 1"]),
        ],
    );
}

/// A run of whole episodes that ends before its first update, which cannot be known before, says at its end that
/// nothing was learned.
#[test]
fn a_run_that_ends_before_its_first_update_says_so() {
    let last = |steps: &str| {
        let experiment = parse("reinforce", "PendulumPOMDP-v1", &[steps, "reinforce.episodes=2", "evaluation.every=0"]);
        let dir = tempfile::tempdir().unwrap();
        let (mut run, _) = Run::open(dir.path(), &experiment.unwrap(), Arc::new(Registry::new()), 1, 0.0).unwrap();
        loop {
            let progress = run.advance(0.0, 0.0).unwrap();
            if progress.finished {
                return progress.warning;
            }
        }
    };
    assert!(last("steps=300").is_some_and(|w| w.contains("nothing was learned") && w.contains("`steps`")));
    assert_eq!(last("steps=400"), None);
}

/// A wanted entropy that no draw of a squashed action or state has is refused with the bound, n ln 2 for n numbers; a
/// lower one is not.
#[test]
fn an_entropy_out_of_reach_is_refused() {
    let built = |overrides: &[&str]| {
        let experiment = parse("sac", "PendulumPOMDP-v1", overrides).unwrap();
        build(&experiment, Arc::new(Registry::new()), 1).map(|_| ()).map_err(|e| e.to_string())
    };
    let small = ["network.hidden=4", "network.features=4", "network.critic_features=4", "sac.replay=30_000"];
    let with = |more: &[&'static str]| built(&[&small[..], more].concat());
    let refused = |more: &[&'static str], parts: &[&str]| {
        let what = with(more).unwrap_err();
        assert!(parts.iter().all(|part| what.contains(part)) && !what.contains('\n'), "{what}");
    };
    refused(&["sac.target_entropy=0.7"], &["`sac.target_entropy` is 0.7", "below 0.693"]);
    refused(&["sac.target_entropy=-1e30"], &["`sac.target_entropy` is -1", "at least -18.581"]);
    refused(&["sac.state_target_entropy=2.8"], &["`sac.state_target_entropy` is 2.8", "below 2.773"]);
    assert_eq!(with(&["sac.target_entropy=0.69", "sac.state_target_entropy=2.77"]), Ok(()));
    // The cell state of an LSTM is not squashed; a policy without a state wants no entropy of it.
    assert_eq!(with(&["network.cell=lstm", "sac.state_target_entropy=2.8"]), Ok(()));
    refused(&["network.cell=lstm", "sac.state_target_entropy=17"], &["`sac.state_target_entropy` is 17"]);
    assert_eq!(with(&["estimator=vanilla", "sac.state_target_entropy=2.8"]), Ok(()));
}

/// A pendulum whose action has other bounds.
struct Unbounded {
    env: TimeLimit<Pendulum>,
    spec: EnvSpec,
}

fn unbounded(options: &Options) -> Result<Box<dyn Env>, EnvError> {
    let env = TimeLimit::new(Pendulum::new(&Options::new())?);
    let bound = |key: &str| vec![options[key].as_float().unwrap() as f32];
    let spec = EnvSpec { low: bound("low"), high: bound("high"), name: "Unbounded".into(), ..env.spec().clone() };
    Ok(Box::new(Unbounded { env, spec }))
}

impl Env for Unbounded {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }
    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
        self.env.reset(rng)
    }
    fn step(&mut self, a: &[f32], rng: &mut Rng) -> Result<Outcome, EnvError> {
        self.env.step(a, rng)
    }
    fn observe(&self, o: &mut [f32], s: &mut [f32]) {
        self.env.observe(o, s);
    }
    fn snapshot(&self) -> Vec<f64> {
        self.env.snapshot()
    }
    fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
        self.env.restore(state)
    }
}

/// An action without a bound on either side is refused by the algorithms that squash actions into their range, with the
/// entry and the bound; a number as large as the type can hold is no bound either. Algorithms without a range train.
#[test]
fn an_action_without_bounds_is_refused() {
    let mut registry = Registry::new();
    registry.extend([Entry { name: "Unbounded", about: "an action without bounds", make: unbounded }]);
    let registry = Arc::new(registry);
    let (max, inf) = (f64::from(f32::MAX), f64::INFINITY);
    for algorithm in AlgorithmName::all().into_iter().filter(|&algorithm| !runs::has_teacher(algorithm)) {
        for (low, high, refused) in [
            (-inf, inf, Some("lower bound -inf")),
            (-2.0, inf, Some("upper bound inf")),
            (-max, max, Some("lower bound -3.4028235e38")),
            (-2.0, max, Some("upper bound 3.4028235e38")),
            (-9e8, 9e8, None),
            (-1e9, 1e9, Some("lower bound -1e9")),
        ] {
            let table = algorithm.table();
            let replay = format!("{table}.replay=30_000");
            let demos = format!("{table}.demos={}", runs::demos("Unbounded").display());
            let mut more: Vec<&str> = if algorithm.is_off_policy() { vec![&replay] } else { Vec::new() };
            if runs::imitates(algorithm) {
                more.push(&demos);
            }
            let mut experiment =
                parse(algorithm.name(), "Unbounded", &[&["network.hidden=4"], &more[..]].concat()).unwrap();
            experiment.env.options = format!("low = {low:?}\nhigh = {high:?}").parse().unwrap();
            let built = build(&experiment, Arc::clone(&registry), 1).map(|_| ()).map_err(|e| e.to_string());
            let played = player(&experiment, Arc::clone(&registry)).map(|_| ()).map_err(|e| e.to_string());
            assert_eq!(built, played, "{algorithm}");
            match refused.filter(|_| algorithm.is_off_policy()) {
                None => assert_eq!(built, Ok(()), "{algorithm} {low} {high}"),
                Some(bound) => {
                    let what = built.unwrap_err();
                    let parts = ["Unbounded: entry 0 of the action", bound, "on-policy algorithm"];
                    assert!(parts.iter().all(|part| what.contains(part)) && !what.contains('\n'), "{what}");
                }
            }
        }
    }
}
