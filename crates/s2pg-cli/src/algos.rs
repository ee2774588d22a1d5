//! `s2pg algos`: which algorithms, estimators, cells and presets there are, and what an experiment is in full.

use std::process::ExitCode;

use clap::Args;
use s2pg::env::{Options, Registry};
use s2pg::experiment::{AlgorithmName, Estimator};
use s2pg_lab::presets;
use serde_json::{Value, json};

use crate::exit::Usage;
use crate::terminal::{print, print_json};

/// Arguments of `s2pg algos`.
#[derive(Args)]
pub struct Arguments {
    /// Print the whole experiment of a preset, a .toml file or the directory of a run as TOML: every key that has a
    /// value, also where the file leaves it open.
    #[arg(long, value_name = "EXPERIMENT")]
    show: Option<String>,
    /// List only what has all of these words in its name, such as `sac` or `ppo half-cheetah`. With --show: changes to
    /// the experiment, such as `ppo.clip=0.1 estimator=vanilla seed=3`.
    words: Vec<String>,
    /// Print JSON in place of tables or TOML.
    #[arg(long)]
    json: bool,
}

/// Prints the lists, or one experiment.
pub fn run(arguments: &Arguments, registry: &Registry) -> anyhow::Result<ExitCode> {
    match &arguments.show {
        Some(what) => show(what, &arguments.words, arguments.json, registry),
        None => list(&arguments.words, arguments.json, registry),
    }
}

fn show(what: &str, overrides: &[String], as_json: bool, registry: &Registry) -> anyhow::Result<ExitCode> {
    let found = presets::find(what, overrides, None)?;
    found.experiment.network.core(registry, 1.0)?;
    let text = found.experiment.to_toml();
    let repeated: Vec<&str> = found.experiment.deviations().list().iter().filter(|s| s.1).map(|s| s.0).collect();
    if as_json {
        let experiment: Options = text.parse()?;
        print_json(&json!({ "experiment": serde_json::to_value(experiment)?, "repeated_errors": repeated }))?;
        return Ok(ExitCode::SUCCESS);
    }
    print(text.trim_end())?;
    // Switches that are not set follow `compat` and the algorithm: a comment, so that the text stays the experiment's.
    print("\n# Errors of the published code that this experiment repeats, by its switches and by `compat`:")?;
    print(format_args!("# {}", if repeated.is_empty() { "none".into() } else { repeated.join(", ") }))?;
    Ok(ExitCode::SUCCESS)
}

fn list(words: &[String], as_json: bool, registry: &Registry) -> anyhow::Result<ExitCode> {
    let cores = registry.cores();
    let wanted = |row: &(&str, &str)| words.iter().all(|word| row.0.contains(&word.to_lowercase()));
    let algorithms: Vec<_> = AlgorithmName::all().iter().map(|a| (a.name(), a.about())).filter(wanted).collect();
    let estimators: Vec<_> = Estimator::KINDS.iter().copied().filter(wanted).collect();
    let cells: Vec<_> = cores.iter().map(|(name, about)| (&**name, *about)).filter(wanted).collect();
    let presets: Vec<_> = presets::all().iter().map(|preset| (preset.name, preset.about())).filter(wanted).collect();
    let lists =
        [("algorithm", 10, algorithms), ("estimator", 10, estimators), ("cell", 10, cells), ("preset", 32, presets)];
    if lists.iter().all(|list| list.2.is_empty()) {
        let what =
            "no name of an algorithm, an estimator, a cell or a preset has that in it; `s2pg algos` lists all of them";
        let hint = if words.iter().any(|word| word.contains('=')) { ", and --show takes overrides" } else { "" };
        return Err(Usage(format!("`{}`: {what}{hint}", words.join(" "))).into());
    }
    if as_json {
        let objects = |rows: &[(&str, &str)]| {
            rows.iter().map(|(name, about)| json!({ "name": name, "about": about })).collect::<Vec<Value>>()
        };
        let object = lists.iter().map(|(what, _, rows)| (format!("{what}s"), json!(objects(rows))));
        print_json(&Value::Object(object.collect()))?;
        return Ok(ExitCode::SUCCESS);
    }
    for (what, width, rows) in lists.iter().filter(|list| !list.2.is_empty()) {
        print(format_args!("{what:<width$} about"))?;
        rows.iter().try_for_each(|(name, about)| print(format_args!("{name:<width$} {about}")))?;
        print("")?;
    }
    print("Any preset takes overrides: `s2pg train ppo-rs/half-cheetah estimator=vanilla seed=1`.")?;
    print("`s2pg algos --show ppo-rs/half-cheetah` prints the whole experiment, every key that has a value.")?;
    Ok(ExitCode::SUCCESS)
}
