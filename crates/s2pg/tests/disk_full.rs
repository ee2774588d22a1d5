//! A disk that refuses to take a checkpoint costs that checkpoint and never the run: it warns, tries again, and stops
//! after three failures in a row.

mod runs;

use std::fs;
use std::path::Path;

use runs::{experiment, pairs, registry};
use s2pg::experiment::Experiment;
use s2pg::results::Columns;
use s2pg::run::checkpoint::{Checkpoints, LATEST, differences};
use s2pg::run::{Run, RunError};
use safetensors::SafeTensors;

/// A checkpoint every 10 steps of one environment.
fn small(evaluation: usize) -> Experiment {
    let mut experiment = experiment(pairs()[0], "TMaze-v0", 1, 300, "");
    experiment.checkpoint.every = 10;
    experiment.evaluation.every = evaluation;
    experiment
}

fn open(dir: &Path, experiment: &Experiment) -> Run {
    Run::open(dir, experiment, registry(), 1, 0.0).unwrap().0
}

/// Takes 10 steps; the warning that they brought.
fn ten(run: &mut Run) -> Option<String> {
    (0..10).filter_map(|_| run.advance(0.0, 0.0).unwrap().warning).last()
}

/// While its directory of checkpoints is away, a run warns twice; it comes back, and in the end nothing is missing. One
/// success between failures starts the count again.
#[test]
fn two_failures_are_warnings() {
    let (whole, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let experiment = small(0);
    let mut reference = open(whole.path(), &experiment);
    while !reference.advance(0.0, 0.0).unwrap().finished {}

    let mut run = open(dir.path(), &experiment);
    let (here, away) = (dir.path().join("checkpoints"), dir.path().join("away"));
    for round in 0..5 {
        assert_eq!(ten(&mut run), None);
        fs::rename(&here, &away).unwrap();
        for _ in 0..2 {
            let warning = ten(&mut run).expect("a failure is told");
            assert!(warning.contains("latest.safetensors") && warning.contains("the run goes on"), "{warning}");
        }
        fs::rename(&away, &here).unwrap();
        let saved = Checkpoints::view(&here).metadata(LATEST).unwrap();
        assert_eq!(saved["steps"], (30 * round + 10).to_string(), "the old checkpoint stands");
    }
    while !run.advance(0.0, 0.0).unwrap().finished {}
    assert_eq!(differences(reference.training(), run.training()), [""; 0]);
    for file in ["progress.csv", "policy.safetensors", "checkpoints/latest.safetensors"] {
        assert!(fs::read(whole.path().join(file)).unwrap() == fs::read(dir.path().join(file)).unwrap(), "{file}");
    }
}

/// The third failure in a row stops the run, and so does a failure at the last step, after which there is no next try;
/// the old checkpoint goes on from where it was, to the bit.
#[test]
fn three_failures_stop_the_run() {
    let experiment = small(0);
    let whole = tempfile::tempdir().unwrap();
    let mut reference = open(whole.path(), &experiment);
    while !reference.advance(0.0, 0.0).unwrap().finished {}
    for (before, expected) in [(50, 80), (290, 300)] {
        let dir = tempfile::tempdir().unwrap();
        let (here, away) = (dir.path().join("checkpoints"), dir.path().join("away"));
        let mut run = open(dir.path(), &experiment);
        while run.steps() < before {
            assert_eq!(ten(&mut run), None);
        }
        fs::rename(&here, &away).unwrap();
        let error = (0..100).find_map(|_| run.advance(0.0, 0.0).err()).expect("it stops");
        assert!(matches!(error, RunError::Unsaved { saved: Some(step), .. } if step == before), "{error}");
        let words = format!("the checkpoint of step {before} can still be loaded");
        assert!(error.to_string().contains(&words), "{error}");
        assert_eq!(run.steps(), expected);
        drop(run);
        fs::rename(&away, &here).unwrap();
        let mut run = open(dir.path(), &experiment);
        assert_eq!(run.steps(), before);
        while !run.advance(0.0, 0.0).unwrap().finished {}
        assert_eq!(differences(reference.training(), run.training()), [""; 0]);
    }
}

/// The best policy that cannot be kept is a warning as well, and the next one that is better than the one on the disk
/// is kept.
#[test]
fn a_best_policy_that_cannot_be_kept_is_a_warning() {
    let experiment = small(10);
    let dir = tempfile::tempdir().unwrap();
    let (here, away) = (dir.path().join("checkpoints"), dir.path().join("away"));
    let mut run = open(dir.path(), &experiment);
    fs::rename(&here, &away).unwrap();
    for _ in 0..2 {
        assert!(ten(&mut run).is_some());
    }
    fs::rename(&away, &here).unwrap();
    assert!(!here.join("best.safetensors").exists());
    assert_eq!(ten(&mut run), None);
    let kept = || {
        let file = fs::read(here.join("best.safetensors")).unwrap();
        SafeTensors::read_metadata(&file).unwrap().1.metadata().clone().unwrap()
    };
    assert_eq!(kept()["steps"], "30");
    while !run.advance(0.0, 0.0).unwrap().finished {}
    let evaluations = Columns::read(&dir.path().join("eval.csv")).unwrap();
    let later = &evaluations.get("eval/mean_reward")[2..];
    assert_eq!(later.len(), 28);
    assert_eq!(kept()["mean_reward"].parse(), Ok(later.iter().fold(f64::MIN, |best, &x| best.max(x))));
}
