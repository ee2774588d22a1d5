//! A probe tells what a policy remembers, and what it does without.

use std::sync::Arc;

use s2pg::Rng;
use s2pg::experiment::Experiment;
use s2pg::run::Run;
use s2pg::train::{Evaluation, evaluate};
use s2pg_lab::policy::{Which, load};
use s2pg_lab::probe::{Findings, Treatment, probe};

/// Trains with PPO in a short T-maze and probes the policy.
fn probed(estimator: &str, steps: usize) -> Option<Findings> {
    let text = format!(
        "algorithm = \"ppo\"\nestimator = \"{estimator}\"\nsteps = {steps}\nstandardise = false\n\
         [env]\nname = \"TMaze-v0\"\ncorridor = 4\nparallel = 16\n\
         [network]\nfeatures = 32\ncritic_features = 32\nhidden = 16\nstate_std = 0.1\nvalue_gain = 1\n\
         [ppo]\nsteps = 512\nminibatch = 64\nlr = 3e-3\nclip_state = 0.2\n[evaluation]\nevery = 0\n"
    );
    let experiment = Experiment::parse("probed", &text, &[]).unwrap();
    let (dir, registry) = (tempfile::tempdir().unwrap(), Arc::new(s2pg_lab::registry()));
    let (mut run, _) = Run::open(dir.path(), &experiment, Arc::clone(&registry), 1, 0.0).unwrap();
    while !run.advance(0.0, 0.0).unwrap().finished {}
    let (player, make_env, _) = load(dir.path(), Which::Latest, registry).unwrap();
    let findings = probe(&player, &make_env, 100, true, (0, "probe")).unwrap();
    let again = probe(&player, &make_env, 100, true, (0, "probe")).unwrap();
    assert_eq!(format!("{findings:?}"), format!("{again:?}"), "the same stream finds the same");
    let evaluation = evaluate(&player, &make_env, (100, 1), true, &mut Rng::new(0, "probe")).unwrap();
    let of = |e: &Evaluation| e.episodes.iter().map(|e| e.r).collect::<Vec<_>>();
    assert!(findings.iter().all(|f| of(&f.plays[0].1) == of(&evaluation)), "untouched episodes are an evaluation's");
    findings
}

/// A policy that learned the T-maze has the cue in its state at every step after the entry, and nothing else has it;
/// without the state, or with that of another episode, it is at chance.
#[test]
fn the_t_maze_is_solved_by_memory() {
    let Findings { hidden, plays } = probed("rs", 20_000).unwrap();
    let [cue] = &hidden[..] else { panic!("{hidden:?}") };
    assert_eq!((cue.name.as_str(), cue.steps), ("remembered_cue", 400), "the cue is hidden at 4 steps of 100 episodes");
    assert!(cue.told.by_state.unwrap() > 0.95 && cue.told.by_o.unwrap() < 0.1, "{cue:?}");
    let ages: Vec<_> = cue.by_age.iter().map(|age| (age.from, age.to)).collect();
    assert_eq!(ages, [(1, 1), (2, 3), (4, 7)]);
    assert!(cue.by_age.iter().all(|age| age.told.by_state.unwrap() > 0.9), "{cue:?}");
    let of = |k: usize| (plays[k].0, plays[k].1.metrics()[0]);
    assert_eq!(of(0), (Treatment::Untouched, ("success", 1.0)));
    for k in [1, 2] {
        // A fair coin's share in 100 throws is within 0.2 of a half with 4 deviations.
        let (treatment, (_, success)) = of(k);
        assert!((success - 0.5).abs() < 0.2, "{treatment:?}: {success}");
    }
}

/// Every kind of state is probed, and a policy without a state has nothing to probe.
#[test]
fn every_state_is_probed() {
    for estimator in ["vanilla", "oracle", "window:3"] {
        assert!(probed(estimator, 1024).is_none(), "{estimator}");
    }
    for estimator in ["bptt:3", "tbptt:2", "rs:2"] {
        let findings = probed(estimator, 1024).unwrap();
        assert_eq!((findings.hidden.len(), findings.plays.len()), (1, 3), "{estimator}");
    }
}
