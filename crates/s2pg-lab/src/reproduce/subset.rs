//! What of a figure fits into a budget of time.

use s2pg::experiment::Experiment;
use serde::{Deserialize, Serialize};

use super::items::{Item, Method, Task};
use crate::campaign::{Campaign, Planned};
use crate::numbers::{count, significant};
use crate::presets::{self, FindError};

/// The part of a figure that is made: everything, or less of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subset {
    /// How many of the tasks.
    pub tasks: usize,
    /// How many of the methods.
    pub methods: usize,
    /// How many seeds, from 0 on.
    pub seeds: u64,
    /// Which part of the published steps each run takes, or the fewest that say something where they are more.
    pub share: f64,
}

/// The seeds that were published.
const SEEDS: u64 = 10;
/// As many seeds as an interval needs; more are taken where the runs have [`ENOUGH`] of the published steps.
const FEW: u64 = 3;
/// The part of the published steps from which on more seeds are worth more than more steps.
const ENOUGH: f64 = 0.5;
/// The fewest steps that a run of a figure takes: below them nothing has been learned.
const LEAST: [usize; 2] = [30_000, 25_000];

/// The experiment of a method in a task, with the published number of steps.
pub fn experiment(method: &Method, task: &Task, changes: &[String]) -> Result<Experiment, FindError> {
    let own = method.changes.iter().map(|change| change.replace("{}", task.env));
    let changes: Vec<String> = own.chain(changes.iter().cloned()).collect();
    Ok(presets::find(&method.preset.replace("{}", task.name), &changes, Some("".as_ref()))?.experiment)
}

/// The steps of a run with this share of the published ones.
fn steps(experiment: &Experiment, share: f64) -> usize {
    let least = LEAST[usize::from(experiment.algorithm.is_off_policy())].min(experiment.steps);
    let wanted = (share * experiment.steps as f64 / 2000.0).floor() as usize * 2000;
    wanted.clamp(least, experiment.steps)
}

/// Seconds of a step of each method (inner) in each task (outer), and the experiments, in the same order.
pub struct Costs {
    /// Seconds of an environment step.
    pub seconds: Vec<Vec<f64>>,
    /// The experiments, with the published number of steps.
    pub experiments: Vec<Vec<Experiment>>,
}

impl Costs {
    /// Seconds of work that a subset takes.
    pub fn of(&self, subset: &Subset) -> f64 {
        let pairs = self.seconds.iter().zip(&self.experiments).take(subset.tasks);
        let cells = pairs.flat_map(|(seconds, experiments)| seconds.iter().zip(experiments).take(subset.methods));
        subset.seeds as f64 * cells.map(|(s, e)| s * steps(e, subset.share) as f64).sum::<f64>()
    }

    /// The largest subset that takes at most `budget` seconds of work: first tasks and then methods are left out until
    /// three seeds fit, or one; then runs grow to half of the published steps, then seeds are added up to the published
    /// ten, then the runs grow further. None where one seed of the least does not fit.
    pub fn largest(&self, core: usize, budget: f64) -> Option<Subset> {
        let (tasks, methods) = (self.seconds.len(), self.seconds.first().map_or(0, Vec::len));
        let fits = |subset: &Subset| self.of(subset) <= budget;
        let shapes = (1..=tasks).rev().map(|t| (t, methods)).chain((core..methods).rev().map(|m| (1, m)));
        let of = |seeds| shapes.clone().map(move |(tasks, methods)| Subset { tasks, methods, seeds, share: 0.0 });
        let mut found = of(FEW).chain(of(1)).find(fits)?;
        while found.seeds < SEEDS {
            let more = Subset { seeds: found.seeds + 1, share: ENOUGH, ..found };
            if !fits(&more) {
                break;
            }
            found = Subset { share: 0.0, ..more };
        }
        let (mut low, mut high) = (0.0, 1.0);
        if fits(&Subset { share: 1.0, ..found }) {
            low = 1.0;
        }
        while high - low > 1e-4 {
            let share = 0.5 * (low + high);
            if fits(&Subset { share, ..found }) { low = share } else { high = share }
        }
        found.share = low;
        Some(found)
    }

    /// The least that is of use: one seed of the core of the methods in the first task.
    pub fn least(&self, core: usize) -> f64 {
        self.of(&Subset { tasks: 1, methods: core, seeds: 1, share: 0.0 })
    }
}

impl Subset {
    /// The subset as a part of the item: a plan that was changed by hand asks for no more than there is.
    pub fn limited(self, item: &Item) -> Self {
        Self {
            tasks: self.tasks.clamp(1, item.tasks.len()),
            methods: self.methods.clamp(1, item.methods.len()),
            seeds: self.seeds.clamp(1, 1000),
            share: if self.share.is_finite() { self.share.clamp(0.0, 1.0) } else { 0.0 },
        }
    }

    /// The campaign of the subset: each run with its cell, (task, method), in the order in which they are trained: all
    /// methods of the first seed before the second seed.
    pub fn campaign(&self, item: &Item, changes: &[String]) -> Result<(Campaign, Vec<(usize, usize)>), FindError> {
        let (mut runs, mut cells) = (Vec::new(), Vec::new());
        for seed in 0..self.seeds {
            for (t, task) in item.tasks.iter().take(self.tasks).enumerate() {
                for (m, method) in item.methods.iter().take(self.methods).enumerate() {
                    let changes = changes_of(method, task, changes);
                    let steps = steps(&experiment(method, task, &changes)?, self.share);
                    let is_given = |key: &str| changes.iter().any(|c| c.split_once('=').is_some_and(|(k, _)| k == key));
                    let mut own = vec![format!("seed={seed}"), format!("steps={steps}")];
                    let rest = [("evaluation.every", 0), ("checkpoint.every", (steps / 10).max(1))];
                    own.extend(rest.iter().filter(|(key, _)| !is_given(key)).map(|(key, x)| format!("{key}={x}")));
                    own.extend(changes.into_iter().filter(|change| !change.starts_with("steps=")));
                    runs.push(Planned::new(experiment(method, task, &own)?));
                    cells.push((t, m));
                }
            }
        }
        Ok((Campaign { title: item.title.into(), runs, halving: None }, cells))
    }

    /// What is run and what is left out, in sentences, where `runs` are those of its campaign.
    pub fn told(&self, item: &Item, runs: &Campaign, cells: &[(usize, usize)]) -> Result<String, FindError> {
        let names = |all: Vec<&str>| all.join(", ");
        let mut shares = Vec::new();
        for (run, (t, m)) in runs.runs.iter().zip(cells) {
            let published = experiment(&item.methods[*m], &item.tasks[*t], &[])?.steps;
            shares.push(100.0 * run.experiment.steps as f64 / published as f64);
        }
        let [least, most] = [f64::min, f64::max].map(|f| shares.iter().copied().reduce(f).unwrap_or(0.0));
        let [least, most] = [least, most].map(significant);
        let share = if least == most { least } else { format!("from {least} to {most}") };
        let seeds = count(self.seeds as usize, "seed");
        let mut text = format!("{seeds} of the published {SEEDS}, and {share} % of the published steps.");
        let left: Vec<&str> = item.tasks.iter().skip(self.tasks).map(|task| task.name).collect();
        if !left.is_empty() {
            text += &format!(" Tasks left out: {}.", names(left));
        }
        let left: Vec<&str> = item.methods.iter().skip(self.methods).map(|method| method.name).collect();
        if !left.is_empty() {
            text += &format!(" Methods left out: {}.", names(left));
        }
        Ok(text)
    }
}

/// The changes of a user that concern a method in a task: `{}` in them stands for the name of the task, and a key of
/// another algorithm's table is left out.
pub fn changes_of(method: &Method, task: &Task, changes: &[String]) -> Vec<String> {
    let algorithm = method.name.split('-').next().unwrap_or_default();
    let tables: Vec<&str> = s2pg::experiment::AlgorithmName::tables().collect();
    let of_others = |change: &&String| {
        let table = change.split_once('.').map_or("", |(table, _)| table);
        !tables.contains(&table) || table == algorithm
    };
    changes.iter().filter(of_others).map(|change| change.replace("{}", task.name)).collect()
}
