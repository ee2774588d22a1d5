//! The registry of algorithms, as experiments see it.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::estimator::Estimator;
use crate::algo::{Recipe, Row, Schedule, for_each_algorithm};

/// The name of an algorithm of the registry.
#[derive(Clone, Copy)]
pub struct AlgorithmName {
    table: &'static str,
    row: &'static Row,
    /// Whether the algorithm learns from a replay buffer; its default settings tell.
    is_off_policy: bool,
    acts_on_history: bool,
}

macro_rules! all {
    ($($table:ident),+) => {
        [$(every::<crate::algo::$table::Settings>(stringify!($table))),+].concat()
    };
}

/// Returns the algorithms that share the table `table` of settings.
fn every<R: Recipe>(table: &'static str) -> Vec<AlgorithmName> {
    let is_off_policy = matches!(R::default().schedule(), Schedule::OffPolicy { .. });
    R::ROWS.iter().map(|row| AlgorithmName { table, row, is_off_policy, acts_on_history: R::ACTS_ON_HISTORY }).collect()
}

impl AlgorithmName {
    /// Returns the names of all algorithms.
    pub fn all() -> Vec<Self> {
        for_each_algorithm!(all)
    }

    /// Returns the names of all tables of settings.
    pub fn tables() -> impl Iterator<Item = &'static str> {
        let mut tables: Vec<&str> = Self::all().iter().map(|name| name.table).collect();
        tables.dedup();
        tables.into_iter()
    }

    /// Returns the name as experiments write it.
    pub fn name(self) -> &'static str {
        self.row.name
    }

    /// Returns one line about the algorithm.
    pub fn about(self) -> &'static str {
        self.row.about
    }

    /// Returns the name of the algorithm's table of settings.
    pub fn table(self) -> &'static str {
        self.table
    }

    /// Tells whether the algorithm learns from a replay buffer.
    pub fn is_off_policy(self) -> bool {
        self.is_off_policy
    }

    /// Tells whether the policy acts on a window of observations and of the actions between them, and on nothing else.
    pub(super) fn acts_on_history(self) -> bool {
        self.acts_on_history
    }

    /// Tells whether the algorithm trains policies with the memory of `estimator`.
    pub fn takes(self, estimator: Estimator) -> bool {
        !self.acts_on_history || matches!(estimator, Estimator::Window(_))
    }

    /// Returns the estimators of the algorithm, one of each kind that it takes.
    pub fn estimators(self) -> impl Iterator<Item = Estimator> {
        Estimator::ALL.iter().copied().filter(move |&estimator| self.takes(estimator))
    }

    /// Returns the algorithm's row of the registry: its name, and what it was published with.
    pub(super) fn row(self) -> &'static Row {
        self.row
    }
}

impl PartialEq for AlgorithmName {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for AlgorithmName {}

impl fmt::Debug for AlgorithmName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Display for AlgorithmName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for AlgorithmName {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let all = Self::all();
        all.iter().find(|name| name.name() == s).copied().ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|name| name.name()).collect();
            format!("there is no algorithm `{s}`; there are {}", names.join(", "))
        })
    }
}

impl Serialize for AlgorithmName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for AlgorithmName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
