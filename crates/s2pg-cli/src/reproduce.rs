//! `s2pg reproduce`: a table or a figure of the paper again, as much of it as fits into a budget of time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::{ArgGroup, Args};
use s2pg::env::Registry;
use s2pg::experiment::Experiment;
use s2pg::run::disk::{RealDisk, write_atomically};
use s2pg_lab::campaign::Campaign;
use s2pg_lab::numbers::count;
use s2pg_lab::report::{Report, Table};
use s2pg_lab::reproduce::{Cell, Costs, Evidence, Item, Subset, Timed, Unit, changes_of, experiment, times, verdicts};
use serde_json::{Value, json};

use crate::bench::cpu;
use crate::campaign;
use crate::exit::Usage;
use crate::numbers::whole;
use crate::signals::Stop;
use crate::terminal::{duration, note, print, print_json, program, quoted, threads};

/// Arguments of `s2pg reproduce`.
#[derive(Args)]
#[command(after_help = HELP, group = ArgGroup::new("what").required(true).args(["figure", "table"]))]
pub struct Arguments {
    /// The figure: 3, 4, 8, 9, 10, 12, 13, 14 or 15.
    #[arg(long)]
    figure: Option<u32>,
    /// The table: 1 or 2.
    #[arg(long)]
    table: Option<u32>,
    /// The time that it may take, such as 40m, 2h or 1h30m.
    #[arg(long, default_value = "2h", value_parser = seconds)]
    budget: f64,
    /// The directory for runs and report [default: reproduce/<figure or table>].
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Number of runs that are trained at once, one thread each [default: all cores, at most 8].
    #[arg(long, value_parser = whole(1..=1024_u32))]
    jobs: Option<u32>,
    /// Train nothing: print what would be trained.
    #[arg(long)]
    plan: bool,
    /// Print a JSON object in place of tables.
    #[arg(long)]
    json: bool,
    /// Changes to all experiments, such as ppo.lr=1e-4; `{}` stands for the task.
    overrides: Vec<String>,
}

const HELP: &str = concat!(
    "What fits into the budget is chosen by the time that steps take on this machine: first tasks and then methods are left out\n",
    "until three seeds fit, or one; then runs grow to half of the published steps, then seeds are added, up to the published\n",
    "ten, and then runs grow further. What was left out is said in the report. The runs are a campaign: the same command goes\n",
    "on after any interruption. Figures 14 and 15 imitate: name demonstrations of the three tasks, as in\n",
    "gail.demos=demos/{}.npz lsiq.demos=demos/{}.npz, for humanoid-walk, humanoid-run and atlas-carry.",
);

/// The part of the budget that is planned with: the rest is for what is slower beside other runs.
const PLANNED: f64 = 0.8;
/// Rounds of a table, and the updates from a replay buffer and the steps on-policy in each: 300 updates, or three
/// batches.
const ROUNDS: usize = 10;
const UPDATES: usize = 30;
const STEPS: usize = 600;
/// As many rounds as an interval needs, where the budget is over.
const FEWEST_ROUNDS: usize = 3;

/// Reads a time such as `1h30m`.
fn seconds(text: &str) -> Result<f64, String> {
    let wrong = || "write a time such as 40m, 2h or 1h30m".to_string();
    let (mut total, mut number) = (0.0, String::new());
    for c in text.chars() {
        let unit = match c {
            '0'..='9' | '.' => {
                number.push(c);
                continue;
            }
            'h' => 3600.0,
            'm' => 60.0,
            's' => 1.0,
            _ => return Err(wrong()),
        };
        total += unit * std::mem::take(&mut number).parse::<f64>().map_err(|_| wrong())?;
    }
    if number.is_empty() && total > 0.0 { Ok(total) } else { Err(wrong()) }
}

/// Carries out a reproduction.
pub fn run(arguments: &Arguments, registry: Arc<Registry>) -> anyhow::Result<ExitCode> {
    let name = match (arguments.figure, arguments.table) {
        (Some(n), _) => format!("figure-{n}"),
        (_, n) => format!("table-{}", n.unwrap_or_default()),
    };
    let item = Item::find(&name).ok_or_else(|| {
        Usage(format!(
            "there is no {}; there are figures 3, 4, 8, 9, 10, 12, 13, 14 and 15, and tables 1 and 2",
            name.replace('-', " ")
        ))
    })?;
    let dir = arguments.dir.clone().unwrap_or_else(|| Path::new("reproduce").join(item.name));
    Report::check_directory(&dir.join("report")).map_err(Usage)?;
    if let Some(seed) = arguments.overrides.iter().find(|change| change.starts_with("seed")) {
        return Err(Usage(format!("`{seed}`: seeds are chosen by the budget; leave it out")).into());
    }
    // A mistake in a change is found before anything is measured.
    let experiments: Vec<Vec<Experiment>> = item
        .tasks
        .iter()
        .map(|task| {
            let of = |method| experiment(method, task, &changes_of(method, task, &arguments.overrides));
            item.methods.iter().map(of).collect::<Result<_, _>>()
        })
        .collect::<Result<_, _>>()?;
    if item.is_timed {
        table(arguments, item, &dir, experiments, registry)
    } else {
        figure(arguments, item, &dir, experiments, registry)
    }
}

/// Measures a table of times.
fn table(
    arguments: &Arguments,
    item: &'static Item,
    dir: &Path,
    experiments: Vec<Vec<Experiment>>,
    registry: Arc<Registry>,
) -> anyhow::Result<ExitCode> {
    let (clock, mut evidence) = (Instant::now(), Evidence::default());
    if arguments.plan {
        print(format_args!("{}: {} cells, {ROUNDS} rounds each", item.title, item.tasks.len() * item.methods.len()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut left = Vec::new();
    for (task, experiments) in item.tasks.iter().zip(&experiments) {
        for algorithm in ["ppo", "td3", "sac"] {
            // SLAC is measured beside SAC, with which it is compared.
            let belongs = |name: &str| name.starts_with(algorithm) || (algorithm == "sac" && name.starts_with("slac"));
            let row = || item.methods.iter().zip(experiments).filter(|(method, _)| belongs(method.name));
            if clock.elapsed().as_secs_f64() > arguments.budget {
                left.push(format!("{} on {}", algorithm.to_uppercase(), task.name));
                continue;
            }
            note(format_args!(
                "{} on {}, {}",
                algorithm.to_uppercase(),
                task.name,
                duration(clock.elapsed().as_secs_f64())
            ));
            let mut timed = Vec::new();
            for (method, experiment) in row() {
                timed.push(Timed::new(experiment, Arc::clone(&registry), UPDATES, Some(STEPS))?);
                let steps = (experiment.steps, experiment.steps);
                evidence.cells.push(Cell { method: method.name, task: task.name, steps, ..Cell::default() });
            }
            let first = evidence.cells.len() - timed.len();
            for round in 0..ROUNDS {
                if round >= FEWEST_ROUNDS && clock.elapsed().as_secs_f64() > arguments.budget {
                    break;
                }
                for (cell, timed) in evidence.cells[first..].iter_mut().zip(&mut timed) {
                    cell.seconds.push(timed.round(&cpu)?);
                }
            }
        }
    }
    let unit = if item.name == "table-1" { Unit::Hours } else { Unit::Factor };
    let rounds = format!(
        "CPU time of one thread: {ROUNDS} rounds of {UPDATES} updates from a filled replay buffer, or of {STEPS} steps \
         on-policy, with the methods of a row in turns; {FEWEST_ROUNDS} where the budget is over."
    );
    let mut notes = vec![rounds];
    if !left.is_empty() {
        notes.push(format!("The budget was too small for {}.", left.join(", ")));
    }
    finish(arguments, item, dir, &evidence, vec![times(&evidence, unit)], Vec::new(), notes)
}

/// Trains what fits of a figure.
fn figure(
    arguments: &Arguments,
    item: &'static Item,
    dir: &Path,
    experiments: Vec<Vec<Experiment>>,
    registry: Arc<Registry>,
) -> anyhow::Result<ExitCode> {
    let jobs = arguments.jobs.map_or(threads(), |n| n as usize);
    let file = dir.join("plan.toml");
    let subset = match std::fs::read_to_string(&file) {
        Ok(text) => {
            let wrong =
                |e: toml::de::Error| Usage(format!("{}: {}; remove the file to plan anew", quoted(&file), e.message()));
            let plan: Plan = toml::from_str(&text).map_err(wrong)?;
            if (plan.item.as_str(), &plan.overrides) != (item.name, &arguments.overrides) {
                let what = "is the plan of another figure or with other changes; name another --dir";
                return Err(Usage(format!("{} {what}", quoted(&file))).into());
            }
            note(format_args!("going on with the plan in {}; another --dir is planned anew", quoted(&file)));
            plan.subset.limited(item)
        }
        Err(_) => {
            let clock = Instant::now();
            let costs = Costs { seconds: measured(item, &experiments, &registry)?, experiments };
            let budget = PLANNED * (arguments.budget - clock.elapsed().as_secs_f64()).max(0.0) * jobs as f64;
            let Some(subset) = costs.largest(item.core, budget) else {
                let least = costs.least(item.core) / (PLANNED * jobs as f64) + clock.elapsed().as_secs_f64();
                let least = format!("{}m", (1.1 * least / 60.0).ceil());
                let what = "one seed of its least takes longer here than the budget";
                return Err(Usage(format!("{}: {what}; give --budget {least}", item.name)).into());
            };
            note(format_args!("about {} of work on {jobs} at once", duration(costs.of(&subset) / jobs as f64)));
            subset
        }
    };
    let (campaign, cells) = subset.campaign(item, &arguments.overrides)?;
    let told = subset.told(item, &campaign, &cells)?;
    if arguments.plan {
        print(told)?;
        return Ok(ExitCode::SUCCESS);
    }
    note(&told);
    let plan = Plan { item: item.name.into(), overrides: arguments.overrides.clone(), subset: subset.clone() };
    std::fs::create_dir_all(dir)?;
    write_atomically(&RealDisk, &file, toml::to_string(&plan)?.as_bytes())?;
    let stop = Stop::listen()?;
    let (code, stopped) = campaign::train(&campaign, dir, jobs.min(campaign.runs.len()), &stop, registry)?;
    if let Some(code) = stopped {
        note(format_args!("it goes on with: {}", command(arguments, item, dir)));
        return Ok(ExitCode::from(code));
    }
    let evidence = gathered(item, &subset, (&campaign, &cells), dir)?;
    let tables = vec![times(&evidence, Unit::Factor)];
    let made = campaign.runs.iter().map(|run| run.dir(dir)).filter(|run| run.join("progress.csv").exists()).collect();
    let notes = vec![format!("What was run: {told}")];
    finish(arguments, item, dir, &evidence, tables, made, notes)?;
    Ok(ExitCode::from(code))
}

/// The file plan.toml, which makes the same command go on.
#[derive(serde::Serialize, serde::Deserialize)]
struct Plan {
    item: String,
    overrides: Vec<String>,
    subset: Subset,
}

/// Seconds of a step of each method in each task. All methods are measured in the first task; in the others the first
/// one of each algorithm is, and tells how much longer the others take there.
fn measured(item: &Item, experiments: &[Vec<Experiment>], registry: &Arc<Registry>) -> anyhow::Result<Vec<Vec<f64>>> {
    let clock = Instant::now();
    let now = || clock.elapsed().as_secs_f64();
    let [methods, tasks] = [(item.methods.len(), "method"), (item.tasks.len(), "task")].map(|(n, what)| count(n, what));
    note(format_args!("measuring what a step takes: {methods} in {tasks}"));
    let of = |experiment: &Experiment| -> anyhow::Result<f64> {
        Ok(Timed::new(experiment, Arc::clone(registry), 20, Some(200))?.round(&now)?)
    };
    let first: Vec<f64> = experiments[0].iter().map(of).collect::<Result<_, _>>()?;
    let mut all = vec![first.clone()];
    for row in &experiments[1..] {
        let mut longer: BTreeMap<String, f64> = BTreeMap::new();
        let mut seconds = Vec::new();
        for (experiment, first) in row.iter().zip(&first) {
            let algorithm = experiment.algorithm.to_string();
            let factor = match longer.get(&algorithm) {
                Some(factor) => *factor,
                None => of(experiment)? / first,
            };
            longer.insert(algorithm, factor);
            seconds.push(factor * first);
        }
        all.push(seconds);
    }
    Ok(all)
}

/// What the runs of a campaign have shown.
fn gathered(
    item: &'static Item,
    subset: &Subset,
    (campaign, of): (&Campaign, &[(usize, usize)]),
    dir: &Path,
) -> anyhow::Result<Evidence> {
    let mut evidence = Evidence::default();
    evidence.left_out.extend(item.tasks.iter().skip(subset.tasks).map(|task| task.name));
    for (t, task) in item.tasks.iter().take(subset.tasks).enumerate() {
        for (m, method) in item.methods.iter().take(subset.methods).enumerate() {
            let mut cell = Cell { method: method.name, task: task.name, ..Cell::default() };
            for (run, _) in campaign.runs.iter().zip(of).filter(|(_, at)| **at == (t, m)) {
                let place = run.dir(dir);
                cell.steps = (run.experiment.steps, experiment(method, task, &[])?.steps);
                // A run that diverged at its start has left nothing.
                if place.join("progress.csv").exists() {
                    cell.read(&place, run.experiment.seed)?;
                }
            }
            evidence.cells.push(cell);
        }
    }
    Ok(evidence)
}

/// Writes the report and prints it.
fn finish(
    arguments: &Arguments,
    item: &Item,
    dir: &Path,
    evidence: &Evidence,
    tables: Vec<Table>,
    runs: Vec<PathBuf>,
    notes: Vec<String>,
) -> anyhow::Result<ExitCode> {
    let mut report = Report::of(&runs, Some(item.title))?;
    report.tables = [vec![verdicts(item, evidence)], tables].concat();
    report.notes.extend(notes);
    let written = report.write(&dir.join("report"));
    let paths = written.map_err(|(path, e)| anyhow::Error::from(e).context(path.display().to_string()))?;
    if arguments.json {
        let files: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        print_json(&json!({
            "item": item.name,
            "claims": claims(item, evidence),
            "cells": evidence.cells.iter().map(cell).collect::<Vec<_>>(),
            "notes": report.notes,
            "files": files,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    for table in &report.tables {
        print(table.markdown())?;
    }
    print(report.notes.join("\n"))?;
    print(paths.iter().map(quoted).collect::<Vec<_>>().join("\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn claims(item: &Item, evidence: &Evidence) -> Vec<Value> {
    let all = item.claims().map(|claim| {
        let (verdict, findings) = claim.judge(evidence);
        let checks = findings.iter().map(|finding| {
            let interval = finding.estimate.map(|e| json!({ "value": e.value, "low": e.low, "high": e.high }));
            json!({
                "asked": finding.asked,
                "figure": interval,
                "verdict": finding.verdict.to_string(),
                "scope": finding.scope,
            })
        });
        let checks: Vec<Value> = checks.collect();
        json!({ "claim": claim.name, "text": claim.text, "verdict": verdict.to_string(), "checks": checks })
    });
    all.collect()
}

fn cell(cell: &Cell) -> Value {
    json!({
        "method": cell.method,
        "task": cell.task,
        "first_returns": cell.first,
        "last_returns": cell.last,
        "seconds_of_a_step": cell.seconds,
        "steps": cell.steps.0,
        "published_steps": cell.steps.1,
    })
}

/// The command that goes on.
fn command(arguments: &Arguments, item: &Item, dir: &Path) -> String {
    let (kind, number) = item.name.split_once('-').expect("a name is a kind and a number");
    let mut words = vec![program(), "reproduce".into(), format!("--{kind} {number}"), format!("--dir {}", quoted(dir))];
    words.extend(arguments.jobs.iter().map(|jobs| format!("--jobs {jobs}")));
    words.extend(arguments.overrides.iter().map(quoted));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times are read with their units, and what is no time is told how to write one.
    #[test]
    fn budgets_are_read() {
        let cases = [("40m", 2400.0), ("2h", 7200.0), ("1h30m", 5400.0), ("90s", 90.0), ("0.5h", 1800.0)];
        for (text, expected) in cases {
            assert_eq!(seconds(text).unwrap(), expected, "{text}");
        }
        for text in ["", "2", "h", "-1h", "0m", "2 h", "2d", "1h30", "1..2h"] {
            assert!(seconds(text).unwrap_err().contains("40m"), "{text}");
        }
    }
}
