//! Reading the files that runs have written.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::experiment::{Experiment, ExperimentError};

/// Why a run cannot be read, in one sentence that names the file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file cannot be opened.
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    /// The path is not that of a run.
    #[error("{0} {1}")]
    NoRun(PathBuf, &'static str),
    /// A file is not as a run writes it.
    #[error("{0}: {1}")]
    Wrong(PathBuf, String),
    /// The experiment of the run has a mistake.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
}

/// Reads the text of the file `path`.
fn text(path: &Path) -> Result<String, ReadError> {
    std::fs::read_to_string(path).map_err(|e| match e.kind() {
        ErrorKind::InvalidData => ReadError::Wrong(path.into(), "it is not a text in UTF-8".into()),
        _ => ReadError::File(path.into(), e),
    })
}

/// The columns of a CSV file, each with its name; an empty cell is NaN.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns(Vec<(String, Vec<f64>)>);

impl Columns {
    /// Reads the CSV file `path`, whose first line names the columns. A last line without its end, which a run is
    /// writing now, is left out. A file that is not as a run writes it is an error that names the line.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        let wrong = |what: String| ReadError::Wrong(path.into(), what);
        let text = text(path)?;
        let mut lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(str::trim_end);
        let names = lines.next().unwrap_or_default().split(',');
        let mut columns: Vec<(String, Vec<f64>)> = names.map(|name| (name.to_string(), Vec::new())).collect();
        for (i, line) in lines.enumerate() {
            let cells: Vec<&str> = line.split(',').collect();
            if cells.len() != columns.len() {
                return Err(wrong(format!(
                    "line {} has {} cells for {} columns; mend it, or `s2pg train {}`, which sets the file aside and goes \
                     on with its sound rows",
                    i + 2,
                    cells.len(),
                    columns.len(),
                    path.parent().unwrap_or(path).display()
                )));
            }
            for ((_, column), cell) in columns.iter_mut().zip(cells) {
                let number = if cell.is_empty() { Ok(f64::NAN) } else { cell.parse() };
                column.push(number.map_err(|_| wrong(format!("line {}: `{cell}` is no number", i + 2)))?);
            }
        }
        if !text.is_empty() && columns.iter().all(|(name, _)| name != STEPS) {
            return Err(wrong(format!("line 1 names no column `{STEPS}`; the file is not the table of a run")));
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
    /// no evaluation, and so are the seconds where there is no table of them.
    pub fn read(dir: &Path, seed: u64) -> Result<Self, ReadError> {
        let progress = Columns::read(&dir.join("progress.csv"))?;
        let may_be_absent = |name: &str| match Columns::read(&dir.join(name)) {
            Err(ReadError::File(_, e)) if e.kind() == ErrorKind::NotFound => Ok(Columns::default()),
            read => read,
        };
        let (times, evaluations) = (may_be_absent("time.csv")?, may_be_absent("eval.csv")?);
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

impl Curve {
    /// Returns the last mean return of the training; None before an episode has ended.
    pub fn last_return(&self) -> Option<f64> {
        self.returns.last().copied().filter(|r| r.is_finite())
    }

    /// Returns the mean return of the last deterministic evaluation; None before the first.
    pub fn last_evaluation(&self) -> Option<f64> {
        self.deterministic.last().copied().filter(|r| r.is_finite())
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
    let text = match text(&path) {
        Err(ReadError::File(..)) if dir.is_file() => {
            return Err(ReadError::NoRun(dir.into(), "is a file, not the directory of a run"));
        }
        Err(ReadError::File(_, e)) if e.kind() == ErrorKind::NotFound => {
            let holds_none = "holds no run: there is no experiment.toml in it";
            let is_none = "is no run: there is no such directory";
            return Err(ReadError::NoRun(dir.into(), if dir.is_dir() { holds_none } else { is_none }));
        }
        other => other?,
    };
    Ok(Experiment::parse(&path.display().to_string(), &text, &[])?)
}
