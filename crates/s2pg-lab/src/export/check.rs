//! Compiles what an export wrote, and runs it against the vectors.

use std::path::Path;
use std::process::{Command, Stdio};

/// How an export compares with its policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The number of steps that were compared.
    pub steps: usize,
    /// The largest difference of an entry of an action.
    pub largest: f64,
    /// The same in units in the last place: how many numbers of single precision lie between the two.
    pub ulps: u64,
    /// The time of a step, in microseconds.
    pub microseconds: f64,
}

impl Comparison {
    /// The largest difference that sums in another order explain, in the unit of the largest action of the vectors, or
    /// as it is where no action is above 1.
    pub const LIMIT: f64 = 1e-3;
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq)]
pub enum Checked {
    /// The export was run.
    Ran(Comparison),
    /// It was not, because this program is missing.
    Missing(String),
    /// It does not compile or run; the words of the compiler, or of the program.
    Failed(String),
}

/// Compiles the C source in `dir` with the compiler `cc`, strictly, and runs it against the vectors there.
pub fn c(dir: &Path, cc: &str) -> Checked {
    let flags = ["-std=c99", "-O3", "-Wall", "-Wextra", "-Werror", "-pedantic"];
    // The policy alone has to compile without a C library as well.
    let mut bare = Command::new(cc);
    bare.args(flags).args(["-ffreestanding", "-c", "policy.c", "-o", "policy.o"]);
    let mut build = Command::new(cc);
    build.args(flags).args(["policy.c", "policy_check.c", "-o", "policy_check"]);
    built(dir, cc, [bare, build], &["policy.o", "policy_check"])
}

/// Compiles the Rust module in `dir` with the compiler `rustc`, also without a standard library, and runs it against
/// the vectors there.
pub fn rust(dir: &Path, rustc: &str) -> Checked {
    let text = "#![no_std]\n#![deny(warnings)]\npub mod policy;\n";
    if let Err(e) = std::fs::write(dir.join("policy_bare.rs"), text) {
        return Checked::Failed(e.to_string());
    }
    let mut bare = Command::new(rustc);
    bare.args(["--edition", "2021", "--crate-type", "lib", "--emit", "metadata", "policy_bare.rs", "-o", "policy.o"]);
    let mut build = Command::new(rustc);
    build.args(["--edition", "2021", "-C", "opt-level=3", "policy_check.rs", "-o", "policy_check"]);
    built(dir, rustc, [bare, build], &["policy_bare.rs", "policy.o", "policy_check"])
}

/// Runs the ONNX model in `dir` against the vectors there, with a runtime of the Python `python`: `onnxruntime`, or
/// `reference`, the evaluator of the package onnx.
pub fn onnx(dir: &Path, python: &str, runtime: &str) -> Checked {
    let package = if runtime == "reference" { "onnx" } else { "onnxruntime" };
    match finished(Command::new(python).current_dir(dir).args(["-B", "policy_check.py", runtime]), python) {
        Err(Checked::Failed(words)) if words.contains("No module named") => {
            Checked::Missing(format!("{package} for {python}"))
        }
        // The last line of Python's words tells what is wrong.
        Err(Checked::Failed(words)) => Checked::Failed(words.lines().last().unwrap_or_default().into()),
        Err(other) => other,
        Ok(line) => read(&line, largest_action(dir)),
    }
}

/// Runs compilers in `dir` and then what they made, and removes it.
fn built(dir: &Path, compiler: &str, commands: [Command; 2], made: &[&str]) -> Checked {
    let mut outcomes = commands.into_iter().map(|mut command| finished(command.current_dir(dir), compiler));
    let checked = match outcomes.find_map(Result::err) {
        Some(Checked::Failed(words)) => Checked::Failed(words.lines().take(5).collect::<Vec<_>>().join(" ")),
        Some(other) => other,
        None => run(dir),
    };
    made.iter().for_each(|made| _ = std::fs::remove_file(dir.join(made)));
    checked
}

/// Runs a command to its end, and returns what it printed.
fn finished(command: &mut Command, program: &str) -> Result<String, Checked> {
    let output = match command.stdin(Stdio::null()).output() {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(Checked::Missing(program.into())),
        Err(e) => return Err(Checked::Failed(e.to_string())),
        Ok(output) => output,
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Checked::Failed(String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// Runs the program `policy_check` in `dir`.
fn run(dir: &Path) -> Checked {
    // A relative path would be looked for in another directory on some systems.
    let path = match dir.canonicalize() {
        Ok(dir) => dir.join("policy_check"),
        Err(e) => return Checked::Failed(e.to_string()),
    };
    match finished(Command::new(&path).current_dir(dir).arg("vectors.csv"), "policy_check") {
        Err(other) => other,
        Ok(line) => read(&line, largest_action(&path.with_file_name(""))),
    }
}

/// The magnitude of the largest action in the vectors of `dir`.
fn largest_action(dir: &Path) -> f64 {
    let text = std::fs::read_to_string(dir.join("vectors.csv")).unwrap_or_default();
    let mut lines = text.lines().map(|line| line.split(','));
    let is_action: Vec<bool> = lines.next().into_iter().flatten().map(|name| name.starts_with("action_")).collect();
    let actions = lines.flat_map(|row| row.zip(&is_action).filter(|(_, is)| **is).map(|(x, _)| x));
    actions.filter_map(|x| x.parse().ok()).map(f64::abs).fold(0.0, f64::max)
}

/// Reads the line that a check prints: names and numbers in turn. A difference above the limit is a failure.
fn read(line: &str, largest_action: f64) -> Checked {
    let words: Vec<&str> = line.split_whitespace().collect();
    let value = |name: &str| words.iter().position(|word| *word == name).and_then(|i| words.get(i + 1));
    let comparison = || {
        Some(Comparison {
            steps: value("steps")?.parse().ok()?,
            largest: value("largest")?.parse().ok()?,
            ulps: value("ulps")?.parse().ok()?,
            microseconds: value("microseconds")?.parse().ok()?,
        })
    };
    match comparison() {
        None => Checked::Failed(format!("the check printed {line:?}")),
        // A NaN is no difference within the limit.
        Some(c) if c.largest <= Comparison::LIMIT * largest_action.max(1.0) => Checked::Ran(c),
        Some(c) => Checked::Failed(format!("an action differs by {}", c.largest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A difference is measured by the actions: 0.01 N of 50 N is rounding, 0.01 of 0.5 is another policy.
    #[test]
    fn the_limit_follows_the_actions() {
        let dir = tempfile::tempdir().unwrap();
        for (action, passes) in [("-5e1", true), ("5e-1", false)] {
            let text = format!("resets,obs_0,action_0\n1,9e3,{action}\n0,9e3,1e-1\n");
            std::fs::write(dir.path().join("vectors.csv"), text).unwrap();
            let checked = read("steps 2 largest 0.01 ulps 9 microseconds 1", largest_action(dir.path()));
            assert_eq!(matches!(checked, Checked::Ran(_)), passes, "{action}");
        }
        assert!(matches!(read("steps 2 largest NaN ulps 9 microseconds 1", 50.0), Checked::Failed(_)));
    }
}
