//! `s2pg report`: runs side by side.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use s2pg_lab::report::{Group, Report};
use serde_json::{Value, json};

use crate::exit::Usage;
use crate::terminal::{print, print_json, quoted};

/// Arguments of `s2pg report`.
#[derive(Args)]
pub struct Arguments {
    /// Directories of runs; runs that differ only in their seed are one curve.
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// The directory for the figure and the table.
    #[arg(long, default_value = "report")]
    out: PathBuf,
    /// The title of the figure; the environment stands beside it [default: Training return].
    #[arg(long)]
    title: Option<String>,
    /// Print a JSON object in place of the table.
    #[arg(long)]
    json: bool,
}

/// Draws the figure and prints the table.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    Report::check_directory(&arguments.out).map_err(Usage)?;
    let report = Report::of(&arguments.runs, arguments.title.as_deref())?;
    if report.groups.is_empty() {
        return Err(Usage(format!("{} there is no run to report on", report.notes.join(" "))).into());
    }
    show(&report, &arguments.out, arguments.json)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a report into a directory and prints it.
pub fn show(report: &Report, out: &Path, as_json: bool) -> anyhow::Result<()> {
    let written = report.write(out);
    let paths = written.map_err(|(path, e)| anyhow::Error::from(e).context(path.display().to_string()))?;
    if as_json {
        let files: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        let groups: Vec<Value> = report.groups.iter().map(group).collect();
        return print_json(&json!({ "groups": groups, "notes": report.notes, "files": files }));
    }
    let paths: Vec<String> = paths.iter().map(quoted).collect();
    print(report.table() + "\n" + &paths.join("\n"))
}

fn group(group: &Group) -> Value {
    let runs = group.dirs.iter().zip(&group.curves);
    let runs = runs.map(|(dir, curve)| {
        json!({
            "run": dir.display().to_string(),
            "seed": curve.seed,
            "steps": curve.steps.last(),
            "training_return": curve.last_return(),
            "evaluation": curve.last_evaluation(),
            "seconds": curve.seconds.last(),
        })
    });
    let all = group.summary();
    json!({
        "name": group.name,
        "environment": group.experiment.env.name,
        "algorithm": group.experiment.algorithm.to_string(),
        "estimator": group.experiment.estimator.to_string(),
        "steps": all.steps,
        "seeds": all.seeds,
        "training_return": all.training.map(|x| json!({ "mean": x.value, "low": x.low, "high": x.high })),
        "evaluation": all.evaluation,
        "seconds": all.seconds,
        "runs": runs.collect::<Vec<_>>(),
    })
}
