//! `s2pg envs`: which environments there are.

use std::process::ExitCode;

use clap::Args;
use s2pg::env::{Options, Registry};
use serde_json::{Value, json};

use crate::terminal::{print, print_json};

/// Arguments of `s2pg envs`.
#[derive(Args)]
pub struct Arguments {
    /// Print a JSON array in place of the table.
    #[arg(long)]
    json: bool,
}

/// Prints a line for each environment.
pub fn run(arguments: &Arguments, registry: &Registry) -> anyhow::Result<ExitCode> {
    let mut found = Vec::new();
    for entry in registry.entries() {
        found.push((entry, (entry.make)(&Options::new())?.spec().clone()));
    }
    if arguments.json {
        let object = |(entry, spec): &(&s2pg::env::Entry, s2pg::EnvSpec)| {
            json!({
                "name": entry.name,
                "about": entry.about,
                "o": spec.o,
                "s": spec.s,
                "low": spec.low,
                "high": spec.high,
                "horizon": spec.horizon,
                "dt": spec.dt,
            })
        };
        print_json(&Value::Array(found.iter().map(object).collect()))?;
        return Ok(ExitCode::SUCCESS);
    }
    print(format_args!("{:<26} {:>4} {:>4} {:>4} {:>8} {:>7}  about", "environment", "o", "s", "a", "horizon", "dt"))?;
    for (entry, spec) in found {
        let (o, s, a) = (spec.o.len(), spec.s.len(), spec.low.len());
        print(format_args!(
            "{:<26} {o:>4} {s:>4} {a:>4} {:>8} {:>7}  {}",
            entry.name, spec.horizon, spec.dt, entry.about
        ))?;
    }
    for (prefix, about) in registry.families() {
        let names = format!("{prefix}...");
        print(format_args!("{names:<58}  {about}"))?;
    }
    print(
        "\no: entries of the policy's observation; s: entries of the critic's privileged view; a: entries of the action;\n\
         horizon: steps after which an episode is cut; dt: seconds of a step.",
    )?;
    Ok(ExitCode::SUCCESS)
}
