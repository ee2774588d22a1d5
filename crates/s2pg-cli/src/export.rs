//! `s2pg export`: a policy in another language, held against what it did here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use s2pg::env::Registry;
use s2pg::run::disk::{RealDisk, write_atomically};
use s2pg_lab::export::{About, Checked, Export, ExportError, Target, manifest, prepare};
use s2pg_lab::numbers::count;
use s2pg_lab::policy;

use crate::Chosen;
use crate::exit::Usage;
use crate::terminal::{print, quoted};

/// What a policy is written in.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Language {
    /// A header and a source in C99, without allocation or dependencies.
    C,
    /// A module of Rust that needs `core` alone.
    Rust,
    /// An ONNX model of opset 18, whose state is an input and an output.
    Onnx,
}

impl From<Language> for Target {
    fn from(language: Language) -> Self {
        match language {
            Language::C => Self::C,
            Language::Rust => Self::Rust,
            Language::Onnx => Self::Onnx,
        }
    }
}

/// Arguments of `s2pg export`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
    /// What to write; several are separated by commas.
    #[arg(long, value_enum, value_delimiter = ',', required_unless_present = "check")]
    to: Vec<Language>,
    /// The directory to write to; `export` in the run's directory where none is given.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Let the policy draw its actions and its state, from noise that is an input, rather than take the means.
    #[arg(long)]
    drawn: bool,
    /// Let an ONNX model take any number of rows at once, each with a state of its own.
    #[arg(long)]
    batched: bool,
    /// Write nothing: RUN is the directory of an export, whose files are held against its list and its vectors.
    #[arg(long, conflicts_with_all = ["to", "out", "drawn", "batched", "latest"])]
    check: bool,
}

/// Writes the policy and its test vectors, and prints how they compare.
pub fn run(arguments: &Arguments, registry: Arc<Registry>) -> anyhow::Result<ExitCode> {
    let Arguments { chosen, to, out, drawn, batched, check } = arguments;
    if *check {
        return again(&chosen.run);
    }
    let which = chosen.which();
    let (player, make_env, experiment) = policy::load(&chosen.run, which, registry)?;
    let steps = policy::origin(&policy::file(&chosen.run, which))?.step;
    let export = prepare(&player, &make_env, About::new(&chosen.run, &experiment, steps), *drawn)
        .map_err(|e| anyhow::Error::from(e).context(chosen.run.display().to_string()))?;
    let out = out.clone().unwrap_or_else(|| chosen.run.join("export"));
    to.iter().try_for_each(|&language| write(&export, language.into(), &out, *batched))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes an export. Its files come to where they belong once they have been checked; until then they lie in a
/// directory whose name says that they have not been.
fn write(export: &Export, target: Target, out: &Path, batched: bool) -> anyhow::Result<()> {
    let unchecked = out.join("unchecked");
    let failed = |e: std::io::Error| anyhow::Error::from(e).context(out.display().to_string());
    fs::create_dir_all(&unchecked).map_err(failed)?;
    let files = target.write(export, batched);
    for file in &files {
        write_atomically(&RealDisk, &unchecked.join(file.name), &file.bytes)?;
    }
    told(target, &unchecked, "its files are left there")?;
    let names: Vec<&str> = files.iter().map(|file| file.name).collect();
    let list = manifest::text(export, &unchecked, &names)?;
    for file in &files {
        let path = out.join(file.name);
        fs::rename(unchecked.join(file.name), &path).map_err(failed)?;
        print(format_args!("{}: {}", quoted(&path), count(file.bytes.len(), "byte")))?;
    }
    write_atomically(&RealDisk, &out.join(manifest::name(target)), list.as_bytes())?;
    // What a failure before left there stays.
    let _ = fs::remove_dir(&unchecked);
    Ok(())
}

/// Checks the exports in `dir` again.
fn again(dir: &Path) -> anyhow::Result<ExitCode> {
    let there: Vec<Target> = Target::ALL.into_iter().filter(|t| dir.join(manifest::name(*t)).exists()).collect();
    if there.is_empty() {
        let what = format!(
            "{}: there is no export here, for which a file such as {} would stand",
            dir.display(),
            manifest::name(Target::C)
        );
        return Err(Usage(what).into());
    }
    for target in there {
        manifest::verify(dir, target)?;
        told(target, dir, "export the policy again")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Checks the export in `dir`, and prints what came of it; one that failed is an error, which ends with `then`.
fn told(target: Target, dir: &Path, then: &str) -> anyhow::Result<()> {
    for (by, checked) in target.check(dir) {
        match checked {
            Checked::Ran(c) => print(format_args!(
                "{target} by {by}: held against {} of the policy: largest difference of an action {:.1e} ({} in the \
                 last place), {:.2} µs a step",
                count(c.steps, "step"),
                c.largest,
                count(usize::try_from(c.ulps)?, "unit"),
                c.microseconds,
            ))?,
            Checked::Missing(program) => print(format_args!(
                "{target} by {by}: not checked, because there is no {program} here; run policy_check where there is one"
            ))?,
            Checked::Failed(what) => {
                let what = format!(
                    "{}: by {by} the {target} export does not do what the policy does: {}; {then}",
                    dir.display(),
                    what.trim()
                );
                return Err(ExportError::Wrong(what).into());
            }
        }
    }
    Ok(())
}
