//! `s2pg replay`: to the step at which a run diverged, once more.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use s2pg::env::Registry;
use s2pg::run::rerun;
use s2pg_lab::presets;

use crate::exit::DATA;
use crate::terminal::print;

/// Arguments of `s2pg replay`.
#[derive(Args)]
pub struct Arguments {
    /// The directory of a run that diverged.
    run: PathBuf,
}

/// Resumes the last checkpoint, goes on until the run diverges again, and compares batch and figure with the report
/// that the run left behind.
pub fn run(arguments: &Arguments, registry: Arc<Registry>) -> anyhow::Result<ExitCode> {
    let experiment = presets::of_run(&arguments.run, &[])?;
    let bar = ProgressBar::no_length();
    bar.set_style(ProgressStyle::with_template("{elapsed_precise} step {pos}").expect("a template"));
    let replayed = rerun(&arguments.run, &experiment, registry, 1, |step| bar.set_position(step as u64))?;
    bar.finish_and_clear();
    let [then, now] = &replayed.what;
    print(format_args!("from the checkpoint of step {} to step {}: {now}", replayed.from, replayed.step))?;
    let same = then == now && replayed.differences.is_empty();
    if same {
        print("the same figure and the same batch as then, bit for bit")?;
    } else {
        print(format_args!("then it was: {then}"))?;
        replayed.differences.iter().try_for_each(|line| print(format_args!("the batch differs: {line}")))?;
    }
    Ok(if same { ExitCode::SUCCESS } else { ExitCode::from(DATA) })
}
