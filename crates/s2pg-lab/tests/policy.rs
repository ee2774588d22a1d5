//! A policy that is loaded from the directory of a run acts as it did in the training.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use s2pg::Rng;
use s2pg::experiment::Experiment;
use s2pg::run::{ModelError, Run};
use s2pg::train::evaluate;
use s2pg_lab::curve::learning_curve;
use s2pg_lab::play::play;
use s2pg_lab::policy::{LoadError, Which, file, load};
use s2pg_lab::presets::FindError;

/// A run of 400 steps, finished.
fn finished(dir: &Path, algorithm: &str, estimator: &str, settings: &str) -> Run {
    let text = format!(
        "algorithm = \"{algorithm}\"\nestimator = \"{estimator}\"\nsteps = 400\nseed = 3\n[env]\nname = \"PendulumPOMDP-v1\"\n\
         [network]\nfeatures = 8\ncritic_features = 8\nhidden = 8\n[evaluation]\nevery = 200\nepisodes = 2\n{settings}\n"
    );
    let experiment = Experiment::parse(algorithm, &text, &[]).unwrap();
    let (mut run, _) = Run::open(dir, &experiment, Arc::new(s2pg_lab::registry()), 1, 0.0).unwrap();
    while !run.advance(0.0, 0.0).unwrap().finished {}
    run
}

/// Of every kind of memory and with each family of algorithms, an evaluation of the loaded policy has the bits of an
/// evaluation of the trained one.
#[test]
fn a_loaded_policy_is_the_trained_one() {
    let off_policy = "replay = 500\nbatch = 8\ninitial = 300";
    for (algorithm, estimator, settings) in [
        ("ppo", "rs", "[ppo]\nsteps = 200"),
        ("ppo", "oracle", "[ppo]\nsteps = 200"),
        ("reinforce", "vanilla", "[reinforce]\nepisodes = 2"),
        ("sac", "bptt:5", &format!("[sac]\nwarmup = 300\n{off_policy}")),
        ("td3", "window:3", &format!("[td3]\n{off_policy}")),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut run = finished(dir.path(), algorithm, estimator, settings);
        let registry = Arc::new(s2pg_lab::registry());
        let (player, make_env, experiment) = load(dir.path(), Which::Latest, registry).unwrap();
        assert_eq!(&experiment, run.experiment());
        for means in [true, false] {
            let evaluation = evaluate(&player, &make_env, (3, 1), means, &mut Rng::new(3, "again")).unwrap();
            let expected = run.training().evaluate(3, means, "again").unwrap();
            let returns = |e: &s2pg::train::Evaluation| e.episodes.iter().map(|e| e.r.to_bits()).collect::<Vec<_>>();
            assert_eq!(returns(&evaluation), returns(&expected), "{algorithm} {estimator}");
        }
    }
}

/// The best policy is that of the best evaluation, and the last one where there is none; an episode of it can be drawn,
/// and the same random numbers draw the same bytes.
#[test]
fn the_best_policy_is_drawn() {
    let dir = tempfile::tempdir().unwrap();
    finished(dir.path(), "ppo", "rs", "[ppo]\nsteps = 200");
    let best = dir.path().join("checkpoints/best.safetensors");
    assert_eq!(file(dir.path(), Which::Best), best);
    let (player, make_env, _) = load(dir.path(), Which::Best, Arc::new(s2pg_lab::registry())).unwrap();
    let played = || play(&player, &make_env, Rng::new(0, "play"), false).unwrap();
    let gif = played().animation().unwrap();
    assert!(gif.is_some() && gif == played().animation().unwrap());
    let picture = played().path().unwrap().svg();
    assert!(picture.contains("PendulumPOMDP-v1") && picture.contains("each entry in its own range"));
    // A task without rendered pictures says so, and is drawn.
    let rendered = play(&player, &make_env, Rng::new(0, "play"), true).unwrap();
    assert!(rendered.not_rendered.is_some() && rendered.animation().unwrap() == gif);
    assert!(learning_curve(dir.path()).unwrap().svg().contains("PendulumPOMDP-v1 — PPO-RS, seed 3"));
    fs::remove_file(best).unwrap();
    assert_eq!(file(dir.path(), Which::Best), dir.path().join("policy.safetensors"));
}

/// What is no run, and a run without its model, are errors of their own kinds.
#[test]
fn what_cannot_be_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let error = || load(dir.path(), Which::Latest, Arc::new(s2pg_lab::registry())).err().unwrap();
    assert!(matches!(error(), LoadError::Find(FindError::NoRun(_))));
    finished(dir.path(), "ppo", "rs", "[ppo]\nsteps = 200");
    fs::remove_file(dir.path().join("policy.safetensors")).unwrap();
    assert!(matches!(error(), LoadError::Model(ModelError::Read(..))));
}
