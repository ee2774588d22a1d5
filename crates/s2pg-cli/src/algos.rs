//! `s2pg algos`: which algorithms, estimators and presets there are, and what an experiment is in full.

use std::process::ExitCode;

use clap::Args;
use s2pg::experiment::{AlgorithmName, Estimator};
use s2pg_lab::presets;

use crate::terminal::print;

/// Arguments of `s2pg algos`.
#[derive(Args)]
pub struct Arguments {
    /// Print the whole experiment of a preset, a .toml file or the directory of a run as TOML: every key that has a
    /// value, also where the file leaves it open.
    #[arg(long, value_name = "EXPERIMENT")]
    show: Option<String>,
    /// Changes to the experiment that is shown, such as `ppo.clip=0.1 estimator=vanilla seed=3`.
    #[arg(requires = "show")]
    overrides: Vec<String>,
}

/// Prints the lists, or one experiment.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    match &arguments.show {
        Some(what) => show(what, &arguments.overrides),
        None => list(),
    }
}

fn show(what: &str, overrides: &[String]) -> anyhow::Result<ExitCode> {
    let found = presets::find(what, overrides, None)?;
    print(found.experiment.to_toml().trim_end())?;
    // Switches that are not set follow `compat` and the algorithm: a comment, so that the text stays the experiment's.
    print("\n# Errors of the published code that this experiment repeats, by its switches and by `compat`:")?;
    let repeated: Vec<&str> = found.experiment.deviations().list().iter().filter(|s| s.1).map(|s| s.0).collect();
    print(format_args!("# {}", if repeated.is_empty() { "none".into() } else { repeated.join(", ") }))?;
    Ok(ExitCode::SUCCESS)
}

fn list() -> anyhow::Result<ExitCode> {
    print("algorithm  about")?;
    for algorithm in AlgorithmName::all() {
        print(format_args!("{:<10} {}", algorithm.name(), algorithm.about()))?;
    }
    print("\nestimator  about")?;
    for (name, about) in Estimator::KINDS {
        print(format_args!("{name:<10} {about}"))?;
    }
    print("\npreset")?;
    for preset in presets::all() {
        print(format_args!("{:<32} {}", preset.name, preset.about()))?;
    }
    print("\nAny preset takes overrides: `s2pg train ppo-rs/half-cheetah estimator=vanilla seed=1`.")?;
    print("`s2pg algos --show ppo-rs/half-cheetah` prints the whole experiment, every key that has a value.")?;
    Ok(ExitCode::SUCCESS)
}
