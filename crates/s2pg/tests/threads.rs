//! The same experiment gives the same bits on any number of threads, however often it is evaluated.

mod runs;

use runs::{experiment, is_episodic, pairs, registry, training};
use s2pg::run::Run;
use s2pg::state::digest;

/// After several updates with four environments, the whole state has one digest on 1, 2, 3, 4 and 8 threads.
#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for pair in pairs().into_iter().filter(|pair| pair.2 == "gru") {
        for env in ["TMaze-v0", "PendulumPOMDP-v1"] {
            let mut experiment = experiment(pair, env, 4, 10_000, "");
            (experiment.sac.update_ratio, experiment.td3.update_ratio) = (0.1, 0.1);
            let digests = [1, 2, 3, 4, 8].map(|threads| {
                let mut training = training(&experiment, threads);
                let rows = (0..260).filter(|_| training.step().unwrap().is_some()).count();
                // There is a row for each update; off-policy for a thousand steps, with hundreds of updates in them.
                let few = pair.0.is_off_policy() || is_episodic(pair.0) && env.starts_with("Pendulum");
                let least = if few { 1 } else { 5 };
                assert!(rows >= least, "{pair:?} on {env}: {rows} rows of figures");
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
            (episodes(true), episodes(false))
        });
        assert!(results.iter().all(|r| *r == results[0]), "{pair:?}");
    }
}

/// Evaluating after every 8 steps, every 100, or never leaves the same training and the same progress.csv.
#[test]
fn evaluating_more_often_changes_nothing() {
    for pair in pairs().into_iter().filter(|pair| pair.2 == "gru") {
        let outcomes = [8, 100, 0].map(|every| {
            let mut experiment = experiment(pair, "TMaze-v0", 4, 400, "");
            experiment.evaluation.every = every;
            let dir = tempfile::tempdir().unwrap();
            let (mut run, _) = Run::open(dir.path(), &experiment, registry(), 1, 0.0).unwrap();
            while !run.advance(0.0, 0.0).unwrap().finished {}
            let rows = std::fs::read_to_string(dir.path().join("eval.csv")).unwrap().lines().count();
            assert_eq!(rows, 400usize.checked_div(every).map_or(0, |n| n + 1));
            (digest(run.training()), std::fs::read(dir.path().join("progress.csv")).unwrap())
        });
        assert!(outcomes.iter().all(|o| *o == outcomes[0]), "{pair:?}");
    }
}
