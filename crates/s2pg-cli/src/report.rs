//! `s2pg report`: runs side by side.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use s2pg::Rng;
use s2pg::train::Experiment;
use s2pg::train::stats::{Estimate, bootstrap, mean};

use crate::picture::{Canvas, Panel, Series, chart};
use crate::{Usage, print};

/// Arguments of `s2pg report`.
#[derive(Args)]
pub struct Arguments {
    /// Directories of runs; those that differ only in their seed are one curve.
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// Where the figure and the tables go.
    #[arg(long, default_value = "report")]
    out: PathBuf,
    /// The figure's title.
    #[arg(long)]
    title: Option<String>,
}

/// A CSV file by columns; an empty cell is NaN.
struct Columns(Vec<(String, Vec<f64>)>);

impl Columns {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let mut lines = text.lines();
        let names = lines.next().unwrap_or_default().split(',');
        let mut columns: Vec<(String, Vec<f64>)> = names.map(|name| (name.to_string(), Vec::new())).collect();
        for (i, line) in lines.enumerate() {
            let cells: Vec<&str> = line.split(',').collect();
            if cells.len() != columns.len() {
                let what = format!("line {} has {} cells for {} columns", i + 2, cells.len(), columns.len());
                return Err(Usage(format!("{}: {what}", path.display())).into());
            }
            for ((_, column), cell) in columns.iter_mut().zip(cells) {
                column.push(cell.parse().unwrap_or(f64::NAN));
            }
        }
        Ok(Self(columns))
    }

    fn get(&self, name: &str) -> &[f64] {
        self.0.iter().find(|(n, _)| n == name).map_or(&[], |(_, column)| column)
    }
}

const STEPS: &str = "time/total_timesteps";

/// The curve of one run: training returns, and evaluations of both kinds.
pub fn learning_curve(dir: &Path) -> anyhow::Result<Canvas> {
    let (_, experiment) = experiment(dir)?;
    let progress = Columns::read(&dir.join("progress.csv"))?;
    let evaluations = Columns::read(&dir.join("eval.csv")).unwrap_or(Columns(Vec::new()));
    let series = |name: &str, table: &Columns, column: &str| Series {
        name: name.into(),
        x: table.get(STEPS).to_vec(),
        y: table.get(column).to_vec(),
        band: None,
    };
    let series = vec![
        series("training, last 100 episodes", &progress, "rollout/ep_rew_mean"),
        series("evaluation, deterministic", &evaluations, "eval/mean_reward"),
        series("evaluation, stochastic", &evaluations, "eval_stochastic/mean_reward"),
    ];
    let series = series.into_iter().filter(|s| !s.x.is_empty()).collect();
    let panel = Panel { x_label: "environment steps".into(), y_label: "return".into(), series };
    Ok(chart(&format!("{} — {}, seed {}", experiment.env.name, label(&experiment), experiment.seed), &[panel]))
}

/// The best deterministic evaluation of a run.
pub fn best_evaluation(dir: &Path) -> anyhow::Result<Option<f64>> {
    let path = dir.join("eval.csv");
    if !path.exists() {
        return Ok(None);
    }
    Ok(Columns::read(&path)?.get("eval/mean_reward").iter().copied().reduce(f64::max))
}

fn label(experiment: &Experiment) -> String {
    format!("{:?}-{}", experiment.algorithm, experiment.estimator).to_uppercase().replace(':', "-")
}

/// The experiment of a run, and its text without the seed: what makes two runs one curve.
fn experiment(dir: &Path) -> anyhow::Result<(String, Experiment)> {
    let path = dir.join("experiment.toml");
    let text = std::fs::read_to_string(&path).map_err(|e| Usage(format!("{}: {e}; it is no run", path.display())))?;
    let experiment = Experiment::parse(&path.display().to_string(), &text, &[]).map_err(|e| Usage(e.to_string()))?;
    let mut without_seed = experiment.clone();
    without_seed.seed = 0;
    Ok((without_seed.to_toml(), experiment))
}

/// One run's training returns.
struct Curve {
    seed: u64,
    steps: Vec<f64>,
    minutes: Vec<f64>,
    hours: Vec<f64>,
    returns: Vec<f64>,
    evaluations: (Vec<f64>, Vec<f64>, Vec<f64>),
}

/// Runs of one experiment with several seeds.
struct Group {
    name: String,
    experiment: Experiment,
    curves: Vec<Curve>,
}

/// Draws the figure and prints the table.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let groups = groups(&arguments.runs)?;
    let title = arguments.title.clone().unwrap_or_else(|| "Training return".into());
    let against = |x_label: &str, x: fn(&Curve) -> &[f64]| Panel {
        x_label: x_label.into(),
        y_label: "return".into(),
        series: groups.iter().map(|g| series(g, x)).collect(),
    };
    let longest = groups.iter().flat_map(|g| &g.curves).filter_map(|c| c.hours.last()).fold(0.0, |a: f64, &h| a.max(h));
    let time =
        if longest < 1.0 { against("minutes of work", |c| &c.minutes) } else { against("hours of work", |c| &c.hours) };
    let panels = [against("environment steps", |c| &c.steps), time];
    let figure = chart(&title, &panels);
    std::fs::create_dir_all(&arguments.out).with_context(|| arguments.out.display().to_string())?;
    let mut paths = Vec::new();
    let mut write = |name: &str, bytes: &[u8]| -> anyhow::Result<()> {
        let path = arguments.out.join(name);
        std::fs::write(&path, bytes).with_context(|| path.display().to_string())?;
        paths.push(path.display().to_string());
        Ok(())
    };
    let table = table(&groups);
    write("report.svg", figure.svg().as_bytes())?;
    write("report.png", &figure.png())?;
    write("report.md", format!("# {title}\n\n![{title}](report.svg)\n\n{table}").as_bytes())?;
    print(table + &paths.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn groups(runs: &[PathBuf]) -> anyhow::Result<Vec<Group>> {
    let mut groups: BTreeMap<(usize, String), Group> = BTreeMap::new();
    let mut order: Vec<String> = Vec::new();
    for dir in runs {
        let (key, experiment) = experiment(dir)?;
        let at = order.iter().position(|k| *k == key).unwrap_or_else(|| {
            order.push(key.clone());
            order.len() - 1
        });
        let progress = Columns::read(&dir.join("progress.csv"))?;
        let times = Columns::read(&dir.join("time.csv"))?;
        let evaluations = Columns::read(&dir.join("eval.csv")).unwrap_or(Columns(Vec::new()));
        let curve = Curve {
            seed: experiment.seed,
            steps: progress.get(STEPS).to_vec(),
            minutes: times.get("time/time_elapsed").iter().map(|s| s / 60.0).collect(),
            hours: times.get("time/time_elapsed").iter().map(|s| s / 3600.0).collect(),
            returns: progress.get("rollout/ep_rew_mean").to_vec(),
            evaluations: (
                evaluations.get(STEPS).to_vec(),
                evaluations.get("eval/mean_reward").to_vec(),
                evaluations.get("eval_stochastic/mean_reward").to_vec(),
            ),
        };
        let group = groups.entry((at, key));
        let group = group.or_insert_with(|| Group { name: String::new(), experiment, curves: Vec::new() });
        group.curves.push(curve);
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    name(&mut groups);
    Ok(groups)
}

/// Names groups by algorithm and estimator, and adds what else tells them apart: the environment, or single keys.
fn name(groups: &mut [Group]) {
    let one_task = groups.iter().all(|g| g.experiment.env.name == groups[0].experiment.env.name);
    let keys: Vec<Vec<(String, String)>> = groups.iter().map(|g| g.experiment.keys()).collect();
    let base = |g: &Group| {
        let task = if one_task { String::new() } else { format!(" {}", g.experiment.env.name) };
        label(&g.experiment) + &task
    };
    let names: Vec<String> = groups.iter().map(base).collect();
    for (i, group) in groups.iter_mut().enumerate() {
        let alike = || (0..names.len()).filter(|&j| j != i && names[j] == names[i]);
        let tells = |pair: &&(String, String)| pair.0 != "seed" && alike().any(|j| !keys[j].contains(pair));
        let extra = keys[i].iter().filter(tells).map(|(key, value)| format!(", {key} = {value}"));
        group.name = names[i].clone() + &extra.collect::<String>();
    }
}

/// Points of a drawn curve.
const POINTS: usize = 200;

/// The mean over seeds with its 95 % interval, at points that all seeds reached.
fn series(group: &Group, x: fn(&Curve) -> &[f64]) -> Series {
    let end = group.curves.iter().filter_map(|c| x(c).last().copied()).fold(f64::INFINITY, f64::min);
    let mut drawn = Series { name: group.name.clone(), ..Series::default() };
    if !end.is_finite() {
        return drawn;
    }
    let mut band = (Vec::new(), Vec::new());
    for i in 1..=POINTS {
        let at = end * i as f64 / POINTS as f64;
        let values: Vec<f64> = group.curves.iter().filter_map(|c| value_at(x(c), &c.returns, at)).collect();
        if values.len() < group.curves.len() || values.is_empty() {
            continue;
        }
        let estimate = interval(&values);
        drawn.x.push(at);
        drawn.y.push(estimate.value);
        band.0.push(estimate.low);
        band.1.push(estimate.high);
    }
    if group.curves.len() > 1 {
        drawn.band = Some(band);
    }
    drawn
}

/// The last value at or before `at`.
fn value_at(x: &[f64], y: &[f64], at: f64) -> Option<f64> {
    let n = x.partition_point(|&x| x <= at * (1.0 + 1e-12));
    y[..n.min(y.len())].last().copied().filter(|y| y.is_finite())
}

fn interval(values: &[f64]) -> Estimate {
    bootstrap(&[values], mean, 2000, &mut Rng::new(0, "report"))
}

/// Final values of every group, each seed shown.
fn table(groups: &[Group]) -> String {
    let mut text = String::from(
        "| run | steps | training return | 95 % interval | evaluation (deterministic) | hours | each seed: training, evaluation |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for group in groups {
        let last = |f: &dyn Fn(&Curve) -> Option<f64>| -> Vec<f64> { group.curves.iter().filter_map(f).collect() };
        let returns = last(&|c| c.returns.last().copied().filter(|r| r.is_finite()));
        let evaluations = last(&|c| c.evaluations.1.last().copied());
        let hours = last(&|c| c.hours.last().copied());
        let steps = last(&|c| c.steps.last().copied()).into_iter().fold(f64::INFINITY, f64::min);
        if returns.is_empty() {
            text += &format!("| {} | no episode has ended yet | | | | | |\n", group.name);
            continue;
        }
        let estimate = interval(&returns);
        let seeds: Vec<String> = group
            .curves
            .iter()
            .map(|c| {
                let number = |x: Option<&f64>| x.map_or("-".into(), |x| format!("{x:.0}"));
                format!("{}: {}, {}", c.seed, number(c.returns.last()), number(c.evaluations.1.last()))
            })
            .collect();
        let few = if returns.len() < 10 { format!(" ({} seeds, indicative)", returns.len()) } else { String::new() };
        let evaluation = if evaluations.is_empty() { "-".into() } else { format!("{:.0}", mean(&evaluations)) };
        text += &format!(
            "| {} | {steps} | {:.0} | {:.0} to {:.0}{few} | {evaluation} | {:.2} | {} |\n",
            group.name,
            estimate.value,
            estimate.low,
            estimate.high,
            mean(&hours),
            seeds.join("; ")
        );
    }
    text
}
