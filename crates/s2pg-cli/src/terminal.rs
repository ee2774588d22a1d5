//! What the program says, and how it writes paths and commands.

use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::Context;

pub use s2pg_lab::numbers::duration;

/// Writes a line to the standard output.
pub fn print(line: impl Display) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("the standard output")
}

/// Writes a value to the standard output as JSON, indented.
pub fn print_json(value: &serde_json::Value) -> anyhow::Result<()> {
    print(format_args!("{value:#}"))
}

/// Writes a line to the standard error. That nobody can read the line is no reason to stop.
pub fn note(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A path or an argument as a shell reads it: between quotation marks where it has to be.
pub fn quoted(argument: impl AsRef<Path>) -> String {
    let text = argument.as_ref().display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

static PROGRAM: OnceLock<String> = OnceLock::new();

/// Sets what users write to call this program, once.
pub fn call_program(name: &str) {
    // A process that runs several commands calls the program by one name.
    let _ = PROGRAM.set(name.into());
}

/// What users write to call this program: `s2pg`, or the name of a program with environments of its own.
pub fn program() -> String {
    PROGRAM.get().cloned().unwrap_or_else(|| "s2pg".into())
}

/// The number of threads where the user names none: all cores, at most 8.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A path that a shell would take apart is quoted, and the shell reads from it what it was.
    #[test]
    fn paths_are_quoted() {
        let cases = [
            ("runs/a-1.0_b", "runs/a-1.0_b"),
            ("my runs/a", "'my runs/a'"),
            ("", "''"),
            ("it's", r"'it'\''s'"),
            ("$HOME;rm *", "'$HOME;rm *'"),
            ("env.sensors.noise={\"*\"=0.05}", "'env.sensors.noise={\"*\"=0.05}'"),
            ("läufe", "'läufe'"),
        ];
        for (path, shown) in cases {
            assert_eq!(quoted(path), shown);
        }
        #[cfg(unix)]
        for (path, shown) in cases {
            let command = format!("printf %s {shown}");
            let output = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), path);
        }
    }
}
