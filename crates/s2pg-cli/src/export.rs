//! `s2pg export`: a policy in another language, held against what it did here.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use s2pg::env::Registry;
use s2pg::run::disk::{RealDisk, write_atomically};
use s2pg_lab::export::check::{self, Checked};
use s2pg_lab::export::{About, c, prepare};
use s2pg_lab::numbers::count;
use s2pg_lab::policy;

use crate::Chosen;
use crate::exit::Usage;
use crate::terminal::{print, quoted};

/// What a policy is written in.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Target {
    /// A header and a source in C99, without allocation or dependencies.
    C,
}

/// Arguments of `s2pg export`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
    /// What to write.
    #[arg(long, value_enum)]
    to: Target,
    /// The directory to write to; `export` in the run's directory where none is given.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Let the policy draw its actions and its state, from noise that is an input, rather than take the means.
    #[arg(long)]
    drawn: bool,
}

/// Writes the policy and its test vectors, and prints how they compare.
pub fn run(arguments: &Arguments, registry: Arc<Registry>) -> anyhow::Result<ExitCode> {
    let Arguments { chosen, to, out, drawn } = arguments;
    let which = chosen.which();
    let (player, make_env, experiment) = policy::load(&chosen.run, which, registry)?;
    let about = About {
        run: chosen.run.display().to_string(),
        algorithm: format!("{} {}", experiment.algorithm, experiment.estimator),
        steps: policy::origin(&policy::file(&chosen.run, which))?.step,
    };
    let export = prepare(&player, &make_env, about, *drawn)
        .map_err(|e| anyhow::Error::from(e).context(chosen.run.display().to_string()))?;
    let out = out.clone().unwrap_or_else(|| chosen.run.join("export"));
    std::fs::create_dir_all(&out).map_err(|e| anyhow::Error::from(e).context(out.display().to_string()))?;
    let files = match to {
        Target::C => c::write(&export),
    };
    let vectors = export.vectors.to_csv();
    for (name, bytes) in files.iter().map(|f| (f.name, &f.bytes[..])).chain([("vectors.csv", vectors.as_bytes())]) {
        let path = out.join(name);
        write_atomically(&RealDisk, &path, bytes)?;
        print(format_args!("{}: {}", quoted(&path), count(bytes.len(), "byte")))?;
    }
    let checked = match to {
        Target::C => check::c(&out, "cc"),
    };
    told(&out, checked)
}

/// Prints what came of the check; an export that failed is an error.
fn told(out: &Path, checked: Checked) -> anyhow::Result<ExitCode> {
    match checked {
        Checked::Ran(c) => print(format_args!(
            "held against {} of the policy: largest difference of an action {:.1e} ({} in the last place), \
             {:.2} µs a step",
            count(c.steps, "step"),
            c.largest,
            count(usize::try_from(c.ulps)?, "unit"),
            c.microseconds,
        ))?,
        Checked::Missing(program) => print(format_args!(
            "not compiled: there is no {program} here; compile it where there is one, and run policy_check there"
        ))?,
        Checked::Failed(what) => {
            let what = format!("{}: the export does not do what the policy does: {what}", out.display());
            return Err(Usage(what).into());
        }
    }
    Ok(ExitCode::SUCCESS)
}
