//! SIGTERM and SIGINT end a run at its next step with a checkpoint and the exit codes 143 and 130, and it goes on from
//! there to the bit. `S2PG_SIGNALS` is the number of signals (12 if not set).

#![cfg(unix)]

mod binary;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use binary::{T_MAZE, assert_no_temporary_files, assert_same, finish, number, train, write};
use s2pg::Rng;
use s2pg::run::checkpoint::{Checkpoints, LATEST};

/// Starts a run, and waits until it has said so: from then on it listens to signals.
fn start(experiment: &Path, run: &Path) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut child = train(experiment, run).spawn().unwrap();
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

/// Stopped by either signal at random moments, also while it saves and evaluates, a run names the step, has a
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
            let (signal, expected) = [("TERM", 143), ("INT", 130)][rng.below(2)];
            std::thread::sleep(Duration::from_micros(rng.below(300_000) as u64));
            send(signal, &child);
            let (code, text) = end(child, stderr);
            if code == 0 {
                break;
            }
            assert_eq!(code, expected, "{text}");
            let saved = Checkpoints::view(run.join("checkpoints")).metadata(LATEST).unwrap();
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
    for (signal, expected) in [("TERM", 143), ("INT", 130)] {
        let (child, stderr) = start(&experiment, &run);
        std::thread::sleep(Duration::from_micros(rng.below(100_000) as u64));
        send(signal, &child);
        send(signal, &child);
        let (code, text) = end(child, stderr);
        assert!(code == expected || code == 0, "{code}: {text}");
    }
    finish(&mut train(&experiment, &run));
    assert_same(&reference, &run, "after two signals at once");
    assert_no_temporary_files(&run);
}
