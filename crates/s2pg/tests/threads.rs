//! The same experiment gives the same bits on any number of threads, however often it is evaluated.

mod runs;

use runs::{experiment, is_episodic, pairs, registry, training};
use s2pg::experiment::AlgorithmName;
use s2pg::run::Run;
use s2pg::state::digest;

/// The rows of figures after so many steps of each of four environments: one for each update, of 24 transitions or of
/// four episodes; off-policy one for each thousand transitions.
fn rows(algorithm: AlgorithmName, env: &str, steps: usize) -> usize {
    match algorithm {
        _ if algorithm.is_off_policy() => 4 * steps / 1000,
        _ if is_episodic(algorithm) => steps / if env == "TMaze-v0" { 11 } else { 200 },
        _ => 4 * steps / 24,
    }
}

/// After the updates of 260 steps of four environments, off-policy 10 from batches of two pieces, the whole state has
/// one digest on 1, 2, 3, 4 and 8 threads.
#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for pair in pairs().into_iter().filter(|pair| pair.2 == "gru") {
        for env in ["TMaze-v0", "PendulumPOMDP-v1"] {
            let mut experiment = experiment(pair, env, 4, 10_000, "");
            (experiment.sac.update_ratio, experiment.td3.update_ratio) = (0.01, 0.01);
            (experiment.sac.batch, experiment.td3.batch) = (130, 130);
            (experiment.lsiq.update_ratio, experiment.lsiq.batch) = (0.01, 130);
            let slac = &mut experiment.slac;
            (slac.update_ratio, slac.batch, slac.model_batch) = (0.01, 130, 130);
            let digests = [1, 2, 3, 4, 8].map(|threads| {
                let mut training = training(&experiment, threads);
                let figures: Vec<_> = (0..260).filter_map(|_| training.step().unwrap()).collect();
                assert_eq!(figures.len(), rows(pair.0, env, 260), "{pair:?} on {env}");
                if pair.0.is_off_policy() {
                    // From the 24th of the thousand transitions on.
                    assert_eq!(figures[0].iter().find(|m| m.0 == "train/n_updates"), Some(&("train/n_updates", 9.0)));
                }
                digest(&mut *training)
            });
            assert!(digests.iter().all(|d| *d == digests[0]), "{pair:?} on {env}: {digests:x?}");
        }
    }
}

/// An evaluation has the same results on any number of threads.
#[test]
fn evaluations_do_not_depend_on_threads() {
    for pair in pairs().into_iter().filter(|pair| pair.2 == "gru") {
        let experiment = experiment(pair, "PendulumPOMDP-v1", 2, 10_000, "");
        let results = [1, 2, 3, 8].map(|threads| {
            let training = training(&experiment, threads);
            let episodes = |means| training.evaluate(5, means, "test").unwrap().episodes;
            [episodes(true), episodes(false)]
        });
        assert!(results[0].iter().all(|episodes| episodes.len() == 5), "{pair:?}");
        assert!(results[0][0] != results[0][1], "{pair:?}: draws differ from means");
        assert!(results.iter().all(|r| *r == results[0]), "{pair:?}");
    }
}

/// Evaluating after every 20 steps, every 500, or never leaves the same training and the same progress.csv.
#[test]
fn evaluating_more_often_changes_nothing() {
    for pair in pairs().into_iter().filter(|pair| pair.2 == "gru") {
        let outcomes = [20, 500, 0].map(|every| {
            let mut experiment = experiment(pair, "TMaze-v0", 4, 1000, "");
            experiment.evaluation.every = every;
            (experiment.sac.update_ratio, experiment.td3.update_ratio) = (0.01, 0.01);
            let dir = tempfile::tempdir().unwrap();
            let (mut run, _) = Run::open(dir.path(), &experiment, registry(), 1, 0.0).unwrap();
            while !run.advance(0.0, 0.0).unwrap().finished {}
            let read = |file: &str| std::fs::read_to_string(dir.path().join(file)).unwrap();
            assert_eq!(read("eval.csv").lines().count(), 1000usize.checked_div(every).map_or(0, |n| n + 1));
            assert_eq!(read("progress.csv").lines().count(), 1 + rows(pair.0, "TMaze-v0", 250), "{pair:?}");
            (digest(run.training()), read("progress.csv"))
        });
        assert!(outcomes.iter().all(|o| *o == outcomes[0]), "{pair:?}");
    }
}
