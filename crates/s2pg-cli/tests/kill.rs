//! Killed at any moment, any number of times, and started again, a run ends as if nothing had happened. `S2PG_KILLS` is
//! the number of kills (20 if not set).

#![cfg(unix)]

mod binary;

use std::path::Path;
use std::time::Duration;

use binary::{T_MAZE, assert_no_temporary_files, assert_same, finish, kill, number, s2pg, train, write};
use s2pg::Rng;
use s2pg::run::checkpoint::{CheckpointError, Checkpoints, LATEST};

/// Steps of the last checkpoint, 0 before the first. While nobody writes, it can always be read.
fn saved(run: &Path) -> usize {
    match Checkpoints::view(run.join("checkpoints")).metadata(LATEST) {
        Ok(pairs) => pairs["steps"].parse().unwrap(),
        Err(CheckpointError::Missing { .. }) => 0,
        Err(e) => panic!("{e}"),
    }
}

/// Kills runs of an experiment until there were `kills`; each of them ends as `reference` did.
fn torture(experiment: &Path, reference: &Path, kills: usize, longest: u64, rng: &mut Rng) {
    let total = saved(reference);
    let (mut killed, mut rounds, mut advanced) = (0, 0, 0);
    while killed < kills {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        let mut steps = 0;
        loop {
            let mut child = train(experiment, &run).spawn().unwrap();
            // Killed once while it draws its pictures is enough.
            if killed >= kills || steps >= total {
                assert!(child.wait().unwrap().success());
                break;
            }
            std::thread::sleep(Duration::from_micros(rng.below(longest as usize) as u64));
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "{}", binary::said(&child.wait_with_output().unwrap()));
                break;
            }
            kill(child);
            killed += 1;
            let now = saved(&run);
            assert!(now >= steps, "a checkpoint of step {steps} was lost: the last one is of step {now}");
            advanced += usize::from(now > steps);
            steps = now;
        }
        assert_same(reference, &run, &format!("after {killed} kills"));
        assert_no_temporary_files(&run);
        rounds += 1;
    }
    println!("{killed} kills survived, {advanced} of them behind a new checkpoint, {rounds} runs equal to the bit");
}

/// A run that is killed at random moments and started again has the checkpoint, the models and the tables of a run that
/// was left alone; no acknowledged step is lost and no temporary file stays.
#[test]
fn kills_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let experiment = write(dir.path(), T_MAZE);
    let reference = dir.path().join("reference");
    finish(&mut train(&experiment, &reference));
    assert_no_temporary_files(&reference);
    torture(&experiment, &reference, number("S2PG_KILLS", 20), 200_000, &mut Rng::new(0, "kill"));
}

/// The same with a simulator: a small run on HalfCheetah.
#[test]
fn kills_change_nothing_on_half_cheetah() {
    let dir = tempfile::tempdir().unwrap();
    let text = T_MAZE
        .replace("TMaze-v0", "HalfCheetahPOMDP-v3")
        .replace("corridor = 4\n", "")
        .replace("steps = 3000", "steps = 1600")
        .replace("every = 150\nepisodes = 3", "every = 800\nepisodes = 1");
    let experiment = write(dir.path(), &text);
    let reference = dir.path().join("reference");
    finish(&mut train(&experiment, &reference));
    let kills = number("S2PG_KILLS", 20).div_ceil(4);
    torture(&experiment, &reference, kills, 200_000, &mut Rng::new(1, "kill"));
}

/// The same with a replay buffer, which wraps around, and its refreshed states: SAC and TD3 with the method, and SAC
/// with windows.
#[test]
fn kills_change_nothing_of_a_replay_buffer() {
    let (top, rest) = T_MAZE.split_once("[ppo]").unwrap();
    let (_, rest) = rest.split_once("[evaluation]").unwrap();
    for (i, (algorithm, estimator)) in [("sac", "rs"), ("td3", "rs"), ("sac", "window:3")].into_iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        let text = format!(
            "{}[{algorithm}]\nreplay = 1000\nbatch = 16\ninitial = 100\nwarmup = 150\n\n[evaluation]{rest}",
            top.replace("\"ppo\"", &format!("\"{algorithm}\"")).replace("\"rs\"", &format!("\"{estimator}\""))
        );
        let experiment = write(dir.path(), &text);
        let reference = dir.path().join("reference");
        finish(&mut train(&experiment, &reference));
        let kills = number("S2PG_KILLS", 20).div_ceil(4);
        torture(&experiment, &reference, kills, 200_000, &mut Rng::new(2 + i as u64, "kill"));
    }
}

/// Two uninterrupted runs of one experiment, on another number of threads, leave the same bytes.
#[test]
fn two_runs_are_the_same_run() {
    let dir = tempfile::tempdir().unwrap();
    let experiment = write(dir.path(), T_MAZE);
    let [one, two] = ["one", "two"].map(|name| dir.path().join(name));
    finish(train(&experiment, &one).args(["--threads", "1"]));
    finish(train(&experiment, &two).args(["--threads", "3", "--plain"]));
    assert_same(&one, &two, "two runs");
    // A finished run that is started again only draws its pictures again.
    let output = finish(&mut s2pg(["train", two.to_str().unwrap()]));
    assert!(binary::said(&output).contains("going on at step 3000"), "{}", binary::said(&output));
    assert_same(&one, &two, "a finished run");
}
