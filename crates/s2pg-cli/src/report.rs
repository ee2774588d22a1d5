//! `s2pg report`: runs side by side.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use s2pg_lab::report::Report;

use crate::terminal::print;

/// Arguments of `s2pg report`.
#[derive(Args)]
pub struct Arguments {
    /// Directories of runs; runs that differ only in their seed are one curve.
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// The directory for the figure and the table.
    #[arg(long, default_value = "report")]
    out: PathBuf,
    /// The title of the figure [default: Training return].
    #[arg(long)]
    title: Option<String>,
}

/// Draws the figure and prints the table.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let report = Report::of(&arguments.runs, arguments.title.as_deref())?;
    let written = report.write(&arguments.out);
    let paths = written.map_err(|(path, e)| anyhow::Error::from(e).context(path.display().to_string()))?;
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    print(report.table() + &paths.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}
