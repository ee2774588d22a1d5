//! Reading the files that runs have written.

use std::path::{Path, PathBuf};

use crate::experiment::{Experiment, ExperimentError};

/// Why a run cannot be read, in one sentence that names the file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file cannot be opened.
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    /// The directory holds no run.
    #[error("{0}: {1}; the directory holds no run")]
    NoRun(PathBuf, std::io::Error),
    /// A file is not as a run writes it.
    #[error("{0}: {1}")]
    Wrong(PathBuf, String),
    /// The experiment of the run has a mistake.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
}

/// The columns of a CSV file, each with its name; an empty cell is NaN.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns(Vec<(String, Vec<f64>)>);

impl Columns {
    /// Reads the CSV file `path`, whose first line names the columns.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        let text = std::fs::read_to_string(path).map_err(|e| ReadError::File(path.into(), e))?;
        let mut lines = text.lines();
        let names = lines.next().unwrap_or_default().split(',');
        let mut columns: Vec<(String, Vec<f64>)> = names.map(|name| (name.to_string(), Vec::new())).collect();
        for (i, line) in lines.enumerate() {
            let cells: Vec<&str> = line.split(',').collect();
            if cells.len() != columns.len() {
                let what = format!("line {} has {} cells for {} columns", i + 2, cells.len(), columns.len());
                return Err(ReadError::Wrong(path.into(), what));
            }
            for ((_, column), cell) in columns.iter_mut().zip(cells) {
                column.push(cell.parse().unwrap_or(f64::NAN));
            }
        }
        Ok(Self(columns))
    }

    /// Returns the column called `name`; empty where there is no such column.
    pub fn get(&self, name: &str) -> &[f64] {
        self.0.iter().find(|(n, _)| n == name).map_or(&[], |(_, column)| column)
    }
}

/// Name of the column of environment steps in every table of a run.
pub const STEPS: &str = "time/total_timesteps";

/// The learning curve of one run.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Seed of the run.
    pub seed: u64,
    /// Environment steps at each row of progress.csv.
    pub steps: Vec<f64>,
    /// Seconds of work at each row of progress.csv.
    pub seconds: Vec<f64>,
    /// Mean return of the last training episodes at each row of progress.csv.
    pub returns: Vec<f64>,
    /// Environment steps at each row of eval.csv.
    pub evaluation_steps: Vec<f64>,
    /// Mean return of the deterministic episodes of each evaluation.
    pub deterministic: Vec<f64>,
    /// Mean return of the stochastic episodes of each evaluation.
    pub stochastic: Vec<f64>,
}

impl Curve {
    /// Reads the tables of the run in `dir`, whose seed is `seed`. The columns of evaluations are empty where there was
    /// no evaluation.
    pub fn read(dir: &Path, seed: u64) -> Result<Self, ReadError> {
        let progress = Columns::read(&dir.join("progress.csv"))?;
        let times = Columns::read(&dir.join("time.csv"))?;
        let evaluations = Columns::read(&dir.join("eval.csv")).unwrap_or_default();
        Ok(Self {
            seed,
            steps: progress.get(STEPS).to_vec(),
            seconds: times.get("time/time_elapsed").to_vec(),
            returns: progress.get("rollout/ep_rew_mean").to_vec(),
            evaluation_steps: evaluations.get(STEPS).to_vec(),
            deterministic: evaluations.get("eval/mean_reward").to_vec(),
            stochastic: evaluations.get("eval_stochastic/mean_reward").to_vec(),
        })
    }
}

/// Returns the best mean return of a deterministic evaluation of the run in `dir`; None before the first evaluation.
pub fn best_evaluation(dir: &Path) -> Result<Option<f64>, ReadError> {
    let path = dir.join("eval.csv");
    if !path.exists() {
        return Ok(None);
    }
    Ok(Columns::read(&path)?.get("eval/mean_reward").iter().copied().reduce(f64::max))
}

/// Reads the experiment of the run in `dir`.
pub fn experiment(dir: &Path) -> Result<Experiment, ReadError> {
    let path = dir.join("experiment.toml");
    let text = std::fs::read_to_string(&path).map_err(|e| ReadError::NoRun(path.clone(), e))?;
    Ok(Experiment::parse(&path.display().to_string(), &text, &[])?)
}
