//! How an experiment names an algorithm, checks its settings, and builds it.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Algorithm, Schedule};
use crate::plan::{Plan, PlanError, Published};
use crate::policy::Actor;

/// One algorithm in the lists: its name, and what it was published with.
#[derive(Debug)]
pub struct Row {
    /// Its name in experiments.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// What it was published with where that differs from the defaults of an experiment: keys of an experiment as TOML.
    /// `recurrent` is whether the policy carries a state. Whatever an experiment leaves open is taken from here.
    pub base: fn(recurrent: bool) -> String,
    /// What the published code does around it.
    pub published: Published,
}

/// The settings of an algorithm, or of a few that share them, and the way from there to the algorithm.
///
/// The settings are a table of the experiment that is named after the algorithm's module.
pub trait Recipe: Clone + Default + Serialize + DeserializeOwned {
    /// The algorithms that have these settings.
    const ROWS: &'static [Row];
    /// What is built.
    type Algorithm: Algorithm<Policy = Actor>;

    /// When the algorithm learns.
    fn schedule(&self) -> Schedule;
    /// Refuses settings that are out of range, or that `parallel` environments cannot share, in one sentence. `row` is the
    /// algorithm that the experiment names.
    fn check(&self, row: &Row, parallel: usize) -> Result<(), String>;
    /// The policy as it starts: all that acting needs.
    fn policy(&self, plan: &Plan) -> Actor;
    /// The algorithm as it starts, and its empty buffer.
    fn build(
        &self,
        row: &Row,
        plan: &Plan,
    ) -> Result<(Self::Algorithm, <Self::Algorithm as Algorithm>::Buffer), PlanError>;
}

/// Refuses a number of transitions or episodes that the environments cannot share.
pub(super) fn shared(key: &str, n: usize, what: &str, parallel: usize) -> Result<(), String> {
    if n.is_multiple_of(parallel) {
        return Ok(());
    }
    Err(format!("`{key}` = {n} {what} cannot be shared by `env.parallel` = {parallel} environments; take a multiple"))
}

/// Refuses a replay buffer that is smaller than a batch, or never holds enough to learn from. `[replay, batch, needed]` are
/// steps; `needed` must be stored before everything is learned.
pub(super) fn filling(table: &str, [replay, batch, needed]: [usize; 3], parallel: usize) -> Result<(), String> {
    if replay.div_ceil(parallel) < 3 {
        return Err(format!("`{table}.replay` is {replay}; it must be at least 3 steps for each environment"));
    }
    if batch > replay {
        return Err(format!("`{table}.batch` = {batch} is more than `{table}.replay` = {replay}; take less"));
    }
    if needed >= replay {
        return Err(format!(
            "`{table}.replay` = {replay} steps never come to more than `{table}.initial` and `{table}.warmup` \
             ({needed}): nothing would be learned"
        ));
    }
    Ok(())
}
