//! The registry of algorithms, as experiments see it.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::algo::{Recipe, Row, Schedule, for_each_algorithm};

/// The name of an algorithm.
#[derive(Clone, Copy, Debug)]
pub struct AlgorithmName {
    table: &'static str,
    row: &'static Row,
    /// By its default settings.
    is_off_policy: bool,
}

macro_rules! all {
    ($($table:ident),+) => {
        [$(every::<crate::algo::$table::Settings>(stringify!($table))),+].concat()
    };
}

/// The algorithms that share a table of settings.
fn every<R: Recipe>(table: &'static str) -> Vec<AlgorithmName> {
    let is_off_policy = matches!(R::default().schedule(), Schedule::OffPolicy { .. });
    R::ROWS.iter().map(|row| AlgorithmName { table, row, is_off_policy }).collect()
}

impl AlgorithmName {
    /// All of them.
    pub fn all() -> Vec<Self> {
        for_each_algorithm!(all)
    }

    /// The names of all tables of settings.
    pub fn tables() -> impl Iterator<Item = &'static str> {
        let mut tables: Vec<&str> = Self::all().iter().map(|name| name.table).collect();
        tables.dedup();
        tables.into_iter()
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.row.name
    }

    /// What it is, in one line.
    pub fn about(self) -> &'static str {
        self.row.about
    }

    /// The name of its table of settings.
    pub fn table(self) -> &'static str {
        self.table
    }

    /// Whether it learns from a replay buffer.
    pub fn is_off_policy(self) -> bool {
        self.is_off_policy
    }

    /// What it was published with.
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
