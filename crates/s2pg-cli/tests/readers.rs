//! A reader that goes away, as `head` does, ends a command quietly and costs a training nothing.

#![cfg(unix)]

mod binary;

use std::io::pipe;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use binary::{T_MAZE, assert_same, code, finish, s2pg, said, train, write};

const SIGPIPE: i32 = 13;

/// A pipe that nobody reads any more.
fn no_reader() -> Stdio {
    pipe().unwrap().1.into()
}

/// A run of the small experiment on the pendulum, which can be drawn, in a directory of its own.
fn run(dir: &Path) -> String {
    let text = T_MAZE.replace("TMaze-v0", "PendulumPOMDP-v1").replace("corridor = 4\n", "");
    let experiment = write(dir, &text.replace("steps = 3000", "steps = 400"));
    let run = dir.join("run");
    finish(&mut train(&experiment, &run));
    run.display().to_string()
}

/// Every command that prints, but `train`; the files that some of them write go into a directory.
fn commands(dir: &Path) -> Vec<Command> {
    let run = run(dir);
    let [gif, report] = ["a.gif", "report"].map(|name| dir.join(name).display().to_string());
    [
        &["envs"][..],
        &["algos"],
        &["check-env", "TMaze-v0"],
        &["eval", &run, "--episodes", "1"],
        &["play", &run, "--out", &gif],
        &["report", &run, "--out", &report],
        &["bench", "act", "--repeat", "1"],
        &["bench", "act", "--repeat", "1", "--json"],
    ]
    .map(s2pg)
    .into()
}

/// Without a reader a command ends by the signal that says so and adds nothing to it; the files that it promised are
/// there.
#[test]
fn a_reader_that_is_gone_ends_a_command_quietly() {
    let dir = tempfile::tempdir().unwrap();
    for mut command in commands(dir.path()) {
        let output = command.stdout(no_reader()).output().unwrap();
        assert_eq!((output.status.signal(), said(&output).as_str()), (Some(SIGPIPE), ""), "{command:?}");
    }
    for file in ["a.gif", "report/report.svg", "report/report.png", "report/report.md"] {
        assert!(dir.path().join(file).exists(), "{file}");
    }
    for words in ["--help", "--version"] {
        let output: Output = s2pg([words]).stdout(no_reader()).output().unwrap();
        assert_eq!((code(&output), said(&output).as_str()), (0, ""), "{words}");
    }
}

/// A training whose words nobody reads, neither the lines on the way nor the last ones, is the same run to its end; a
/// mistake keeps its exit code.
#[test]
fn a_training_needs_no_reader() {
    let dir = tempfile::tempdir().unwrap();
    let experiment = write(dir.path(), &T_MAZE.replace("steps = 3000", "steps = 400"));
    let [reference, run] = ["reference", "run"].map(|name| dir.path().join(name));
    finish(&mut train(&experiment, &reference));
    let status = train(&experiment, &run).stdout(no_reader()).stderr(no_reader()).status().unwrap();
    assert_eq!(status.code(), Some(0), "{status}");
    assert_same(&reference, &run, "without a reader");
    let status = s2pg(["train", "nonsense"]).stderr(no_reader()).status().unwrap();
    assert_eq!(status.code(), Some(64), "{status}");
}

/// Where the output cannot be written, a command says so in one sentence, with the exit code of a full disk; a training
/// finishes all the same.
#[test]
#[cfg(target_os = "linux")]
fn output_that_cannot_be_written() {
    let full = || Stdio::from(std::fs::File::options().write(true).open("/dev/full").unwrap());
    let dir = tempfile::tempdir().unwrap();
    for mut command in commands(dir.path()) {
        let output = command.stdout(full()).output().unwrap();
        assert_eq!(code(&output), 74, "{command:?}: {}", said(&output));
        assert!(said(&output).starts_with("s2pg: the standard output: No space left"), "{}", said(&output));
        assert_eq!(said(&output).lines().count(), 1, "{}", said(&output));
    }
    let experiment = dir.path().join("small.toml");
    finish(train(&experiment, &dir.path().join("other")).stdout(full()).stderr(full()));
}
