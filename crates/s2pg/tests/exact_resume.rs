//! Stopped at any step and resumed, a run is the same run, to the bit. `S2PG_RESUMES` is the number of stops of each
//! pair (1 if not set).

mod runs;

use std::path::Path;

use runs::{assert_lists_are_complete, experiment, number, pairs, registry};
use s2pg::Rng;
use s2pg::experiment::{Estimator, Experiment};
use s2pg::run::Run;
use s2pg::run::checkpoint::{Checkpoints, differences};

fn open(dir: &Path, experiment: &Experiment, threads: usize, wall_time: f64) -> Run {
    let (run, warning) = Run::open(dir, experiment, registry(), threads, wall_time).unwrap();
    assert_eq!(warning, None);
    run
}

fn advance(run: &mut Run, times: usize, seconds: f64) {
    for _ in 0..times {
        run.advance(seconds, seconds).unwrap();
    }
}

/// 2N steps equal N steps, a checkpoint, a fresh run that loads it, and N steps: every item of the state, every logged
/// number, the models and the checkpoint. N is random: most of them lie within a rollout and within an episode.
#[test]
fn every_pair_resumes_to_the_bit() {
    assert_lists_are_complete();
    let mut rng = Rng::new(0, "exact_resume");
    let (mut exact, mut inside, mut episodes) = (0, 0, 0);
    for pair in pairs() {
        for (env, longest) in [("TMaze-v0", 40), ("PendulumPOMDP-v1", 150)] {
            for (parallel, compat) in [(1, "correct"), (3, "official")] {
                for _ in 0..number("S2PG_RESUMES", 1) {
                    let n = 1 + rng.below(longest);
                    let name = format!("{pair:?} on {env} x {parallel}, {compat}, stopped after {n} steps");
                    let more = format!("compat = \"{compat}\"\nseed = {}", rng.below(1000));
                    let experiment = experiment(pair, env, parallel, 2 * n * parallel, &more);
                    let (whole, halves) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
                    let mut a = open(whole.path(), &experiment, 1, 1.0);
                    advance(&mut a, 2 * n, 1.0);

                    let mut b = open(halves.path(), &experiment, 2, 2.0);
                    advance(&mut b, n, 2.0);
                    b.save().unwrap();
                    inside += usize::from(!(n * parallel).is_multiple_of(24));
                    drop(b);
                    let mut b = open(halves.path(), &experiment, 3, 3.0);
                    assert_eq!(b.steps(), n * parallel, "{name}");
                    advance(&mut b, n, 3.0);

                    let differ = differences(a.training(), b.training());
                    assert!(differ.is_empty(), "{name}: {differ:#?}");
                    for file in ["progress.csv", "eval.csv", "policy.safetensors", "checkpoints/latest.safetensors"] {
                        let read = |dir: &Path| std::fs::read(dir.join(file)).unwrap();
                        assert!(read(whole.path()) == read(halves.path()), "{name}: {file} differs");
                    }
                    let best = |dir: &Path| std::fs::read(dir.join("checkpoints/best.safetensors")).ok();
                    assert!(best(whole.path()) == best(halves.path()), "{name}: the best model differs");
                    episodes += a.training().episodes().count();
                    exact += 1;
                }
            }
        }
    }
    assert!(inside > exact / 2 && episodes > exact, "{inside} of {exact} inside a rollout, {episodes} episodes");
    println!("{exact} resumes of {} pairs exact, 0 items differ; {inside} within a rollout", pairs().len());
}

/// What is refused changes nothing: neither the experiment of the run that lies there, nor the report of its
/// divergence.
#[test]
fn a_refused_run_changes_nothing() {
    let [ppo, sac] = ["ppo", "sac"].map(|name| (name.parse().unwrap(), Estimator::Rs, "gru"));
    let dir = tempfile::tempdir().unwrap();
    let mut run = open(dir.path(), &experiment(ppo, "TMaze-v0", 1, 1000, ""), 1, 1.0);
    run.save().unwrap();
    drop(run);
    let report = dir.path().join("diverged.safetensors");
    std::fs::write(&report, "a report").unwrap();
    std::fs::remove_file(dir.path().join("experiment.toml")).unwrap();
    let refused = Run::open(dir.path(), &experiment(sac, "TMaze-v0", 1, 1000, ""), registry(), 1, 1.0);
    assert!(refused.is_err());
    assert!(!dir.path().join("experiment.toml").exists() && report.exists());
    open(dir.path(), &experiment(ppo, "TMaze-v0", 1, 1000, ""), 1, 1.0);
    assert!(dir.path().join("experiment.toml").exists() && !report.exists());
}

/// The comparison sees a difference: one more step, or another seed, changes many items.
#[test]
fn a_difference_is_seen() {
    for pair in pairs() {
        let make = |seed: usize| runs::training(&experiment(pair, "TMaze-v0", 2, 1000, &format!("seed = {seed}")), 1);
        let (mut a, mut b, mut other) = (make(0), make(0), make(1));
        for _ in 0..30 {
            for training in [&mut a, &mut b, &mut other] {
                training.step().unwrap();
            }
        }
        assert_eq!(differences(&mut *a, &mut *b), [""; 0]);
        assert!(differences(&mut *a, &mut *other).len() > 10);
        b.step().unwrap();
        assert!(differences(&mut *a, &mut *b).len() > 5);
    }
}

/// Reading and writing a state are one walk: a state that is saved, loaded into a fresh run and saved again gives the
/// same file, and saving does not disturb the run.
#[test]
fn what_is_loaded_is_saved_again() {
    for pair in pairs() {
        let experiment = experiment(pair, "PendulumPOMDP-v1", 2, 10_000, "");
        let dir = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::open(dir.path()).unwrap();
        let [mut a, mut b, mut c] = [1, 2, 3].map(|threads| runs::training(&experiment, threads));
        for _ in 0..217 {
            a.step().unwrap();
            c.step().unwrap();
        }
        checkpoints.save("a", &mut *a, &Default::default()).unwrap();
        checkpoints.load("a", &mut *b).unwrap();
        b.check().unwrap();
        checkpoints.save("b", &mut *b, &Default::default()).unwrap();
        let read = |name| std::fs::read(checkpoints.path(name)).unwrap();
        assert!(read("a") == read("b"), "{pair:?}");
        for _ in 0..217 {
            a.step().unwrap();
            c.step().unwrap();
        }
        assert_eq!(differences(&mut *a, &mut *c), [""; 0], "{pair:?}");
    }
}
