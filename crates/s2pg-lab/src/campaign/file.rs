//! What the file of a campaign says.

use std::path::PathBuf;

use serde::Deserialize;
use toml::{Table, Value};

use super::halving::Rule;
use super::points;

/// Why there is no campaign, in one sentence.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// The file cannot be read.
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    /// The file says what cannot be done.
    #[error("{0}")]
    Wrong(String),
}

/// The keys of the file.
const KEYS: [&str; 10] =
    ["title", "experiments", "tasks", "estimators", "seeds", "steps", "overrides", "grid", "random", "halving"];

/// A file as it is written.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct File {
    /// What the report is called.
    pub title: Option<String>,
    /// Presets or .toml files.
    #[serde(default)]
    pub experiments: Vec<String>,
    /// Environments in which each experiment is run; without any, its own.
    #[serde(default)]
    pub tasks: Vec<String>,
    /// Estimators with which each experiment is run; without any, its own.
    #[serde(default)]
    pub estimators: Vec<String>,
    /// Changes to all experiments.
    #[serde(default)]
    pub overrides: Vec<String>,
    /// Environment steps of all runs; without, those of the experiments.
    pub steps: Option<u64>,
    /// How runs are left early.
    pub halving: Option<Rule>,
    seeds: Option<Seeds>,
    #[serde(default)]
    grid: Table,
    #[serde(default)]
    random: Table,
}

/// Seeds: their number, from 0 on, or a list.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "`seeds` is a number of seeds or a list of them, as in seeds = 10 or seeds = [0, 1, 5]")]
enum Seeds {
    Number(u64),
    List(Vec<u64>),
}

impl File {
    /// Reads the text of the file `name`.
    pub fn parse(name: &str, text: &str) -> Result<Self, CampaignError> {
        let at = |e: &toml::de::Error| {
            let line = e.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            CampaignError::Wrong(format!("{name}:{line}: {}", e.message().split('\n').collect::<Vec<_>>().join(", ")))
        };
        let table: Table = text.parse().map_err(|e| at(&e))?;
        if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
            let line = 1 + text.lines().position(|line| line.trim_start().starts_with(key)).unwrap_or(0);
            let near = KEYS.iter().find(|known| known.starts_with(key.as_str()) || key.starts_with(**known));
            let hint = near.map_or(format!("the keys are {}", KEYS.join(", ")), |near| format!("the key is `{near}`"));
            return Err(CampaignError::Wrong(format!("{name}:{line}: there is no key `{key}`; {hint}")));
        }
        let file: Self = toml::from_str(text).map_err(|e| at(&e))?;
        if file.experiments.is_empty() {
            let what = if table.contains_key("experiments") { "is empty" } else { "is missing" };
            let how = "give a list of presets or .toml files; `s2pg algos` lists the presets";
            return Err(CampaignError::Wrong(format!("{name}: `experiments` {what}; {how}")));
        }
        match file.halving {
            Some(Rule { first: 0, .. }) => {
                Err(CampaignError::Wrong(format!("{name}: `halving.first` is 0; take steps")))
            }
            Some(Rule { keep: 0 | 1, .. }) => {
                Err(CampaignError::Wrong(format!("{name}: `halving.keep` must be at least 2: one of so many goes on")))
            }
            _ => Ok(file),
        }
    }

    /// The seeds, each once; the seed 0 alone where the file names none.
    pub fn seeds(&self) -> Result<Vec<u64>, String> {
        match &self.seeds {
            None => Ok(vec![0]),
            Some(Seeds::Number(0)) => Err("`seeds` is 0; take at least one".into()),
            Some(Seeds::Number(n)) if *n > super::MOST as u64 => Err(format!("more than {} runs", super::MOST)),
            Some(Seeds::Number(n)) => Ok((0..*n).collect()),
            Some(Seeds::List(list)) if list.is_empty() => Err("`seeds` is empty; take at least one".into()),
            Some(Seeds::List(list)) => match list.iter().enumerate().find(|(i, seed)| list[..*i].contains(seed)) {
                Some((_, seed)) => Err(format!("`seeds` has {seed} twice")),
                None => Ok(list.clone()),
            },
        }
    }

    /// The points of the search, each as overrides; one without any where there is no search.
    pub fn points(&self) -> Result<Vec<Vec<String>>, String> {
        let grid = points::grid(&leaves("", &self.grid)).map_err(|e| format!("`grid`: {e}"))?;
        let random = points::random(&self.random, leaves)?;
        Ok(grid.iter().flat_map(|a| random.iter().map(|b| [&a[..], b].concat())).collect())
    }
}

/// The keys of a table in dotted form. A table with `low` is a range, and no further table of keys.
pub(super) fn leaves(prefix: &str, table: &Table) -> Vec<(String, Value)> {
    let pairs = table.iter().flat_map(|(key, value)| match value {
        Value::Table(inner) if !inner.contains_key("low") => leaves(&format!("{prefix}{key}."), inner),
        other => vec![(format!("{prefix}{key}"), other.clone())],
    });
    pairs.collect()
}
