//! `s2pg envs`: which environments there are.

use std::process::ExitCode;

use s2pg::env::{Options, Registry};

use crate::terminal::print;

/// Prints a line for each environment.
pub fn run(registry: &Registry) -> anyhow::Result<ExitCode> {
    print(format_args!("{:<26} {:>4} {:>4} {:>4} {:>8} {:>7}  about", "environment", "o", "s", "a", "horizon", "dt"))?;
    for entry in registry.entries() {
        let env = (entry.make)(&Options::new())?;
        let spec = env.spec();
        let (o, s, a) = (spec.o.len(), spec.s.len(), spec.low.len());
        print(format_args!(
            "{:<26} {o:>4} {s:>4} {a:>4} {:>8} {:>7}  {}",
            entry.name, spec.horizon, spec.dt, entry.about
        ))?;
    }
    print(
        "\no: entries of the policy's observation; s: entries of the critic's privileged view; a: entries of the action;\n\
         horizon: steps after which an episode is cut; dt: seconds of a step.",
    )?;
    Ok(ExitCode::SUCCESS)
}
