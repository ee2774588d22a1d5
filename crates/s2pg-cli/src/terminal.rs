//! What the program says, and how it writes times.

use std::fmt::Display;
use std::io::Write;

use anyhow::Context;

/// Writes a line to the standard output.
pub fn print(line: impl Display) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("the standard output")
}

/// Writes a line to the standard error. That nobody can read the line is no reason to stop.
pub fn note(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Minutes and seconds, or hours and minutes.
pub fn duration(seconds: f64) -> String {
    let s = seconds.max(0.0).round() as u64;
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {:02} s", s / 60, s % 60),
        _ => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
    }
}

/// The number of threads where the user names none: all cores, at most 8.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(8)
}
