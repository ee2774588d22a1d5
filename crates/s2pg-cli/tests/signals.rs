//! SIGTERM, SIGINT and SIGHUP end a run at its next step with a checkpoint and the exit codes 143, 130 and 129, and it
//! goes on from there to the bit. `S2PG_SIGNALS` is the number of signals (12 if not set).

#![cfg(unix)]

mod binary;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use binary::{KEPT, T_MAZE, assert_no_temporary_files, assert_same, finish, number, train, write};
use s2pg::Rng;
use s2pg::run::checkpoint::{Checkpoints, LATEST, Metadata};

/// Starts a run, and waits until it has said so: from then on it listens to signals.
fn start(experiment: &Path, run: &Path) -> (Child, BufReader<std::process::ChildStderr>) {
    start_command(train(experiment, run))
}

fn start_command(command: Command) -> (Child, BufReader<std::process::ChildStderr>) {
    // Under `nohup` SIGHUP is ignored, by the run too: env of GNU's coreutils undoes that.
    let mut undone = Command::new("env");
    if cfg!(target_os = "linux") {
        undone.arg("--default-signal=HUP");
    }
    undone.arg(command.get_program()).args(command.get_args());
    let mut child = undone.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut heading = String::new();
    stderr.read_line(&mut heading).unwrap();
    assert!(heading.starts_with("ppo rs on TMaze-v0"), "{heading}");
    (child, stderr)
}

fn send(signal: &str, child: &Child) {
    // The shell's own `kill`; a process that has just ended is no error.
    let _ = Command::new("sh").args(["-c", &format!("kill -{signal} {} 2>/dev/null", child.id())]).status().unwrap();
}

/// Waits for the end: its code, and what was said.
fn end(mut child: Child, mut stderr: BufReader<std::process::ChildStderr>) -> (i32, String) {
    let mut text = String::new();
    stderr.read_to_string(&mut text).unwrap();
    (child.wait().unwrap().code().expect("it ends by itself, not by the signal"), text)
}

/// Stopped by any of the signals at random moments, also while it saves and evaluates, a run names the step, has a
/// checkpoint of that very step, and in the end equals a run that was left alone.
#[test]
fn a_signal_ends_a_run_with_a_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let experiment = write(dir.path(), T_MAZE);
    let reference = dir.path().join("reference");
    finish(&mut train(&experiment, &reference));

    let mut rng = Rng::new(0, "signals");
    let (mut sent, mut rounds) = (0, 0);
    while sent < number("S2PG_SIGNALS", 12) {
        let run = dir.path().join(format!("run-{rounds}"));
        loop {
            let (child, stderr) = start(&experiment, &run);
            let (signal, expected) = [("TERM", 143), ("INT", 130), ("HUP", 129)][rng.below(3)];
            std::thread::sleep(Duration::from_micros(rng.below(300_000) as u64));
            send(signal, &child);
            let (code, text) = end(child, stderr);
            if code == 0 {
                break;
            }
            assert_eq!(code, expected, "{text}");
            let saved = Checkpoints::view(run.join("checkpoints")).metadata(LATEST).unwrap();
            if !text.contains("stopped") {
                // It was drawing its pictures, which ends without a word.
                assert_eq!((saved["steps"].as_str(), saved.get("due")), ("3000", None), "{text}");
                finish(&mut train(&experiment, &run));
                break;
            }
            assert!(text.contains(&format!("stopped at step {} with a checkpoint", saved["steps"])), "{text}");
            assert!(text.contains(&format!("s2pg train {}", run.display())), "{text}");
            assert_no_temporary_files(&run);
            sent += 1;
        }
        assert_same(&reference, &run, &format!("after {sent} signals"));
        rounds += 1;
    }
    println!("{sent} signals: {sent} ended with a checkpoint, {rounds} runs equal to the bit");
}

/// A second signal ends the process at once, and the run goes on to the bit all the same.
#[test]
fn a_second_signal_ends_it_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let experiment = write(dir.path(), T_MAZE);
    let [reference, run] = ["reference", "run"].map(|name| dir.path().join(name));
    finish(&mut train(&experiment, &reference));
    let mut rng = Rng::new(1, "signals");
    let signals = [("TERM", 143), ("INT", 130), ("HUP", 129)];
    for (first, one) in signals {
        for (second, other) in signals {
            let (child, stderr) = start(&experiment, &run);
            std::thread::sleep(Duration::from_micros(rng.below(100_000) as u64));
            send(first, &child);
            send(second, &child);
            let (code, text) = end(child, stderr);
            assert!([0, one, other].contains(&code), "{code}: {text}");
        }
    }
    finish(&mut train(&experiment, &run));
    assert_same(&reference, &run, "after two signals at once");
    assert_no_temporary_files(&run);
}

/// Waits until the last checkpoint of a run has the step, and returns its metadata.
fn wait_for(run: &Path, step: &str) -> Metadata {
    for _ in 0..100_000 {
        match Checkpoints::view(run.join("checkpoints")).metadata(LATEST) {
            Ok(saved) if saved["steps"] == step => return saved,
            _ => std::thread::sleep(Duration::from_millis(1)),
        }
    }
    panic!("there is no checkpoint of step {step}")
}

/// In an update that would take years a second signal, also one of another kind, ends the process, and what was saved
/// before goes on.
#[test]
fn a_second_signal_ends_an_endless_update() {
    let dir = tempfile::tempdir().unwrap();
    let experiment = write(dir.path(), &T_MAZE.replace("\nepochs = 2", "\nepochs = 1_000_000_000_000"));
    let codes = [130, 143, 129];
    for (first, second) in [("INT", "TERM"), ("TERM", "HUP"), ("HUP", "HUP")] {
        let run = dir.path().join(format!("{first}-{second}"));
        let (child, stderr) = start(&experiment, &run);
        wait_for(&run, "80");
        // From here it is twenty steps to the update.
        std::thread::sleep(Duration::from_millis(300));
        let (code, text) = insist(first, second, child, stderr);
        assert!(codes.contains(&code), "{code}: {text}");
        let (child, stderr) = start(&experiment, &run);
        let (code, text) = insist(first, second, child, stderr);
        assert!(codes.contains(&code), "{code}: {text}");
    }
}

/// Sends one signal and then the other until the process ends: two of a kind that come before the process runs again
/// are one to the system.
fn insist(first: &str, second: &str, mut child: Child, stderr: BufReader<std::process::ChildStderr>) -> (i32, String) {
    send(first, &child);
    while child.try_wait().unwrap().is_none() {
        send(second, &child);
        std::thread::sleep(Duration::from_millis(10));
    }
    end(child, stderr)
}

/// A signal in the middle of a long evaluation abandons it, and does not wait for its end; the checkpoint is from
/// before the evaluation, which is made up for, and in the end the run equals one that was left alone.
#[test]
fn a_signal_does_not_wait_for_an_evaluation() {
    let dir = tempfile::tempdir().unwrap();
    // Twenty thousand episodes of five hundred steps each: nobody waits for them.
    let text = T_MAZE.replace("every = 150", "every = 80").replace("corridor = 4", "corridor = 500");
    let text = text.replace("steps = 3000", "steps = 400");
    let experiment = write(dir.path(), &text);
    let [reference, run] = ["reference", "run"].map(|name| dir.path().join(name));
    finish(&mut train(&experiment, &reference));
    let long = |experiment: &Path| {
        let mut command = train(experiment, &run);
        command.arg("evaluation.episodes=20_000");
        command
    };
    for (signal, expected) in [("TERM", 143), ("HUP", 129)] {
        let (child, stderr) = start_command(long(&experiment));
        assert_eq!(wait_for(&run, "80")["due"], "evaluation");
        send(signal, &child);
        let (code, text) = end(child, stderr);
        assert!(code == expected && text.contains("stopped at step 80 with a checkpoint"), "{code}: {text}");
        assert!(fs::read_to_string(run.join("eval.csv")).unwrap().is_empty());
        assert_no_temporary_files(&run);
    }
    finish(&mut train(&experiment, &run));
    // The event file begins with the experiment of its first start, and its length is in the checkpoint.
    for file in KEPT.iter().filter(|file| !file.ends_with("latest.safetensors")) {
        assert!(fs::read(reference.join(file)).unwrap() == fs::read(run.join(file)).unwrap(), "{file} differs");
    }
}
