//! The binary, and what its runs leave behind.

#![allow(dead_code, reason = "each test uses a part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The binary, about to be run with its standard streams read by the test.
pub fn s2pg<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_s2pg"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A small experiment on the T-maze, whose run takes a good second with its frequent checkpoints.
pub const T_MAZE: &str = "\
algorithm = \"ppo\"
estimator = \"rs\"
steps = 3000

[env]
name = \"TMaze-v0\"
parallel = 2
corridor = 4

[network]
features = 8
critic_features = 8
hidden = 8

[ppo]
steps = 100
epochs = 2
value_epochs = 2
minibatch = 20
lr = 1e-3
value_lr = 1e-3

[evaluation]
every = 150
episodes = 3

[checkpoint]
every = 40
";

/// Writes an experiment into a directory.
pub fn write(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("small.toml");
    fs::write(&path, text).unwrap();
    path
}

/// The command that starts an experiment in a directory, or goes on with it.
pub fn train(experiment: &Path, run: &Path) -> Command {
    s2pg(["train".as_ref(), experiment.as_os_str(), "--dir".as_ref(), run.as_os_str()])
}

/// The exit code; a panic or an unexpected signal fails the test with what the process said.
pub fn code(output: &Output) -> i32 {
    let text = said(output);
    assert!(!text.contains("panicked"), "{text}");
    output.status.code().unwrap_or_else(|| panic!("{}: {text}", output.status))
}

/// What it said on its standard error.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs to the end, which must be a good one.
pub fn finish(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert_eq!(code(&output), 0, "{}", said(&output));
    output
}

/// Kills at once, and reaps.
pub fn kill(mut child: Child) -> Output {
    child.kill().unwrap();
    child.wait_with_output().unwrap()
}

/// Everything that decides how a run goes on, and everything that it found: the same in every run of an experiment.
pub const KEPT: [&str; 6] = [
    "experiment.toml",
    "progress.csv",
    "eval.csv",
    "policy.safetensors",
    "checkpoints/latest.safetensors",
    "checkpoints/best.safetensors",
];

/// Fails where two runs left different files, byte by byte.
pub fn assert_same(a: &Path, b: &Path, what: &str) {
    for file in KEPT {
        let read = |dir: &Path| fs::read(dir.join(file)).unwrap_or_else(|e| panic!("{what}: {file}: {e}"));
        assert!(read(a) == read(b), "{what}: {file} of {} and {} differ", a.display(), b.display());
    }
}

/// Every file below a directory.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Fails where a temporary file is left.
pub fn assert_no_temporary_files(dir: &Path) {
    let left: Vec<PathBuf> =
        files(dir).into_iter().filter(|p| p.file_name().unwrap().to_string_lossy().starts_with('.')).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

/// A number from the environment, to make a test longer.
pub fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}
