//! Stopped at any step and resumed, a run is the same run, to the bit. `S2PG_RESUMES` is the number of stops of each
//! pair (1 if not set).

mod runs;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use runs::{assert_lists_are_complete, experiment, number, pairs, registry};
use s2pg::Rng;
use s2pg::experiment::{Estimator, Experiment};
use s2pg::run::Run;
use s2pg::run::checkpoint::{Checkpoints, LATEST, differences};

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

/// What a drawn memory can be given trains and resumes to the bit too: some entries drawn, a clip and an advantage of
/// its own, deviations that follow the divergence, a value function with a cell of its own or without z.
#[test]
fn options_of_a_drawn_memory_resume_to_the_bit() {
    let own = "ppo.clip_state=0.2 ppo.state_advantage=true ppo.state_kl=0.02";
    for (algorithm, of_pair) in [("ppo", ""), ("ppo", own), ("trpo", "")] {
        for estimator in [Estimator::Rs(1), Estimator::Rs(3), Estimator::Tbptt(3)] {
            for network in ["drawn=2", "drawn=2 network.value_window=3", "value_reads_z=false network.value_gain=1"] {
                let base = experiment((algorithm.parse().unwrap(), estimator, "gru"), "TMaze-v0", 2, 200, "");
                let changes: Vec<String> =
                    format!("network.{network} {of_pair}").split_whitespace().map(String::from).collect();
                let experiment = Experiment::parse("test.toml", &base.to_toml(), &changes).unwrap();
                let (whole, halves) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
                let mut a = open(whole.path(), &experiment, 1, 1.0);
                advance(&mut a, 100, 1.0);
                let mut b = open(halves.path(), &experiment, 2, 2.0);
                advance(&mut b, 53, 2.0);
                b.save().unwrap();
                drop(b);
                let mut b = open(halves.path(), &experiment, 3, 3.0);
                advance(&mut b, 47, 3.0);
                assert_eq!(differences(a.training(), b.training()), [""; 0], "{algorithm} {estimator} {changes:?}");
                assert_same_files(whole.path(), halves.path(), &format!("{algorithm} {estimator} {changes:?}"));
            }
        }
    }
}

/// Fails where two runs left different files.
fn assert_same_files(a: &Path, b: &Path, name: &str) {
    for file in ["progress.csv", "eval.csv", "policy.safetensors"] {
        let read = |dir: &Path| std::fs::read(dir.join(file)).unwrap();
        assert!(read(a) == read(b), "{name}: {file} differs");
    }
    for file in ["latest", "best"] {
        let read = |dir: &Path| std::fs::read(dir.join("checkpoints").join(file).with_extension("safetensors")).ok();
        assert!(read(a) == read(b), "{name}: checkpoints/{file} differs");
    }
}

/// An evaluation that is abandoned at any of its steps is made up for after a resume, and in the end the run is the run
/// that was left alone: also where evaluations cut the episodes of the training (D30), and after the last step.
#[test]
fn an_abandoned_evaluation_is_made_up_for() {
    let mut rng = Rng::new(1, "exact_resume");
    let mut abandoned = 0;
    for (i, pair) in pairs().into_iter().enumerate().filter(|(i, _)| i % 5 == 0) {
        let compat = ["official", "correct"][i % 2];
        let mut experiment = experiment(pair, "TMaze-v0", 2, 150, &format!("compat = \"{compat}\""));
        // Every third evaluation comes with a checkpoint, and so does the last one.
        experiment.evaluation.every = 20;
        experiment.checkpoint.every = 60;
        let name = format!("{pair:?}, {compat}");
        let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut a = open(whole.path(), &experiment, 1, 1.0);
        while !a.is_finished() {
            a.advance(1.0, 1.0).unwrap();
        }
        for attempt in 1.. {
            let mut b = open(parts.path(), &experiment, 1, 2.0);
            let (polls, last) = (Arc::new(AtomicUsize::new(0)), 1 + rng.below(20 * attempt));
            let counter = Arc::clone(&polls);
            b.abandon_evaluations_when(move || counter.fetch_add(1, Ordering::Relaxed) >= last);
            while !b.is_finished() && polls.load(Ordering::Relaxed) <= last {
                let progress = b.advance(2.0, 2.0).unwrap();
                assert_eq!(progress.finished, b.is_finished(), "{name}");
            }
            if b.is_finished() {
                assert_eq!(differences(a.training(), b.training()), [""; 0], "{name}");
                break;
            }
            // Half of them are killed rather than asked to stop.
            if rng.below(2) == 0 {
                b.save().unwrap();
                let saved = Checkpoints::view(parts.path().join("checkpoints")).metadata(LATEST).unwrap();
                assert_eq!((saved["due"].as_str(), &saved["steps"]), ("evaluation", &b.steps().to_string()), "{name}");
            }
            abandoned += 1;
        }
        assert_same_files(whole.path(), parts.path(), &name);
    }
    assert!(abandoned > 20, "{abandoned}");
    println!("{abandoned} evaluations abandoned, all runs equal to the byte");
}

/// A log that is lost or damaged costs a warning and itself: the run goes on to the bit, the damaged file stays beside
/// the new one, and the next start has nothing to warn of.
#[test]
fn a_lost_log_is_a_warning() {
    let pair = pairs()[0];
    let experiment = experiment(pair, "TMaze-v0", 2, 400, "");
    let whole = tempfile::tempdir().unwrap();
    let mut a = open(whole.path(), &experiment, 1, 1.0);
    advance(&mut a, 200, 1.0);
    for file in ["progress.csv", "eval.csv", "time.csv", "events.out.tfevents.s2pg"] {
        for damage in ["missing", "cut", "not text"] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(file);
            let mut b = open(dir.path(), &experiment, 1, 1.0);
            advance(&mut b, 100, 1.0);
            b.save().unwrap();
            drop(b);
            let mut bytes = std::fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            match damage {
                "missing" => std::fs::remove_file(&path).unwrap(),
                // Time decides nothing, and half a line of it is what a kill leaves.
                "cut" if file != "time.csv" => std::fs::write(&path, &bytes[..middle]).unwrap(),
                _ => {
                    bytes[middle] = 0xff;
                    std::fs::write(&path, &bytes).unwrap();
                }
            }
            let (mut b, warning) = Run::open(dir.path(), &experiment, registry(), 1, 1.0).unwrap();
            let warning = warning.unwrap_or_else(|| panic!("{file}, {damage}: no warning"));
            assert_eq!(warning.matches(file).count(), if damage == "missing" { 1 } else { 2 }, "{warning}");
            assert_eq!(dir.path().join(format!("{file}.damaged")).exists(), damage != "missing", "{file}");
            // Killed at once, it has nothing more to warn of.
            drop(b);
            b = open(dir.path(), &experiment, 1, 1.0);
            advance(&mut b, 100, 1.0);
            assert_eq!(differences(a.training(), b.training()), [""; 0], "{file}, {damage}");
            let rows = |dir: &Path| s2pg::results::Columns::read(&dir.join(file));
            if file.ends_with(".csv") {
                let (all, there) = (rows(whole.path()).unwrap(), rows(dir.path()).unwrap());
                let (all, there) = (all.get(s2pg::results::STEPS), there.get(s2pg::results::STEPS));
                assert_eq!(there.last(), all.last(), "{file}, {damage}");
                assert!(there.len() < all.len() && all.ends_with(&there[there.len() / 2..]), "{file}, {damage}");
            }
        }
    }
}

/// When a run is evaluated and saved may change on resume, and changes nothing in its training; the steps of a run only
/// grow, and what decides the training stays.
#[test]
fn what_may_change_on_resume() {
    let pair = pairs()[0];
    let before = experiment(pair, "TMaze-v0", 2, 200, "");
    let mut after = before.clone();
    (after.evaluation.every, after.evaluation.episodes, after.checkpoint.every, after.steps) = (30, 4, 50, 300);
    let (whole, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut a = open(whole.path(), &after, 1, 1.0);
    advance(&mut a, 150, 1.0);
    let mut b = open(dir.path(), &before, 1, 1.0);
    advance(&mut b, 70, 1.0);
    b.save().unwrap();
    drop(b);
    let mut b = open(dir.path(), &after, 1, 1.0);
    advance(&mut b, 80, 1.0);
    assert_eq!(differences(a.training(), b.training()), [""; 0]);
    assert!(
        std::fs::read(whole.path().join("progress.csv")).unwrap()
            == std::fs::read(dir.path().join("progress.csv")).unwrap()
    );
    drop(b);

    let text = || std::fs::read_to_string(dir.path().join("experiment.toml")).unwrap();
    let written = text();
    let refused = |change: &dyn Fn(&mut Experiment), words: &[&str]| {
        let mut other = after.clone();
        change(&mut other);
        let error = Run::open(dir.path(), &other, registry(), 1, 1.0).err().expect("it is refused").to_string();
        words.iter().for_each(|word| assert!(error.contains(word), "{error}"));
        assert_eq!(text(), written, "what is refused changes nothing");
    };
    refused(&|e| e.steps = 299, &["`steps` is 300 there and 299 here", "only grow", "experiment.toml"]);
    refused(&|e| e.seed = 9, &["`seed` is 0 there and 9 here", "another experiment"]);
    refused(&|e| e.diagnostics = true, &["`diagnostics`"]);
    // Without experiment.toml, the checkpoint says how far the run was to go.
    std::fs::remove_file(dir.path().join("experiment.toml")).unwrap();
    let mut less = after.clone();
    less.steps = 299;
    let error = Run::open(dir.path(), &less, registry(), 1, 1.0).err().expect("it is refused").to_string();
    assert!(error.contains("latest.safetensors") && error.contains("only grow"), "{error}");

    // Evaluations that cut the episodes of the training are a part of it.
    let cutting = experiment(pair, "TMaze-v0", 2, 200, "compat = \"official\"");
    let mut other = cutting.clone();
    other.evaluation.every = 30;
    let dir = tempfile::tempdir().unwrap();
    open(dir.path(), &cutting, 1, 1.0).save().unwrap();
    let error = Run::open(dir.path(), &other, registry(), 1, 1.0).err().expect("it is refused").to_string();
    assert!(error.contains("`evaluation.every` is 60 there and 30 here"), "{error}");
}

/// What is refused changes nothing: neither the experiment of the run that lies there, nor the report of its
/// divergence.
#[test]
fn a_refused_run_changes_nothing() {
    let [ppo, sac] = ["ppo", "sac"].map(|name| (name.parse().unwrap(), Estimator::Rs(1), "gru"));
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
