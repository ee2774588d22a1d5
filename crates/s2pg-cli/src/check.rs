//! `s2pg check-env`: does an environment keep what a trainer relies on?

use std::process::ExitCode;

use clap::Args;
use s2pg::env::{Options, Registry, check_env};

use crate::exit::{DATA, Usage};
use crate::terminal::print;

/// Arguments of `s2pg check-env`.
#[derive(Args)]
pub struct Arguments {
    /// The name of an environment (`s2pg envs` lists them), or `all`.
    environment: String,
    /// Options of the environment, such as `corridor=20`.
    options: Vec<String>,
}

/// Prints a line for each requirement and each piece of advice; exit code 65 where a requirement is not kept.
pub fn run(arguments: &Arguments, registry: &Registry) -> anyhow::Result<ExitCode> {
    let options: Options =
        arguments.options.join("\n").parse().map_err(|_| {
            Usage(format!("the options `{}` are not TOML; write key=value", arguments.options.join(" ")))
        })?;
    let names: Vec<&str> = match arguments.environment.as_str() {
        "all" => registry.entries().iter().map(|e| e.name).collect(),
        name => vec![name],
    };
    let mut kept = true;
    for name in names {
        print(name)?;
        for check in check_env(&|| registry.make(name, &options))? {
            match check.complaint {
                None => print(format_args!("  ok    {}", check.what))?,
                Some(complaint) if check.advice => print(format_args!("  note  {}: {complaint}", check.what))?,
                Some(complaint) => {
                    kept = false;
                    print(format_args!("  FAIL  {}: {complaint}", check.what))?;
                }
            }
        }
    }
    Ok(if kept { ExitCode::SUCCESS } else { ExitCode::from(DATA) })
}
