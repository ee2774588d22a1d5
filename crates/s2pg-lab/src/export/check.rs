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
    bare.current_dir(dir).args(flags).args(["-ffreestanding", "-c", "policy.c", "-o", "policy.o"]);
    let mut build = Command::new(cc);
    build.current_dir(dir).args(flags).args(["policy.c", "policy_check.c", "-o", "policy_check"]);
    for command in [&mut bare, &mut build] {
        if let Err(other) = finished(command, cc) {
            return other;
        }
    }
    let checked = run(dir);
    for made in ["policy.o", "policy_check"] {
        let _ = std::fs::remove_file(dir.join(made));
    }
    checked
}

/// Runs a command to its end, and returns what it printed.
pub(super) fn finished(command: &mut Command, program: &str) -> Result<String, Checked> {
    let output = match command.stdin(Stdio::null()).output() {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(Checked::Missing(program.into())),
        Err(e) => return Err(Checked::Failed(e.to_string())),
        Ok(output) => output,
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(Checked::Failed(words.lines().take(5).collect::<Vec<_>>().join(" ")))
}

/// Runs the program `policy_check` in `dir`.
pub(super) fn run(dir: &Path) -> Checked {
    // A relative path would be looked for in another directory on some systems.
    let path = match dir.canonicalize() {
        Ok(dir) => dir.join("policy_check"),
        Err(e) => return Checked::Failed(e.to_string()),
    };
    match finished(Command::new(&path).current_dir(dir).arg("vectors.csv"), "policy_check") {
        Err(other) => other,
        Ok(line) => read(&line).map_or_else(|| Checked::Failed(line.clone()), Checked::Ran),
    }
}

/// Reads the line that a check prints: names and numbers in turn.
fn read(line: &str) -> Option<Comparison> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let value = |name: &str| words.iter().position(|word| *word == name).and_then(|i| words.get(i + 1));
    Some(Comparison {
        steps: value("steps")?.parse().ok()?,
        largest: value("largest")?.parse().ok()?,
        ulps: value("ulps")?.parse().ok()?,
        microseconds: value("microseconds")?.parse().ok()?,
    })
}
