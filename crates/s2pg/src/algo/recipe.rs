//! How an experiment names an algorithm, checks the algorithm's settings, and builds the algorithm.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Algorithm, Schedule};
use crate::plan::{Plan, PlanError, Published};
use crate::policy::Actor;

/// An algorithm as a row of the registry: its name, and what it was published with.
#[derive(Debug)]
pub struct Row {
    /// Name of the algorithm in experiments.
    pub name: &'static str,
    /// One line about the algorithm.
    pub about: &'static str,
    /// Returns the keys of an experiment, as TOML, in which the published runs of the algorithm differ from the
    /// defaults. `recurrent` is whether the policy carries a state. Keys that an experiment does not set are taken from
    /// here.
    pub base: fn(recurrent: bool) -> String,
    /// What the published code does around the algorithm.
    pub published: Published,
}

/// The settings of an algorithm, or of a few algorithms that share them, and the way from settings to the algorithm.
///
/// The settings are a table of the experiment; the table is named after the module of the algorithm.
pub trait Recipe: Clone + Default + Serialize + DeserializeOwned {
    /// The algorithms that have these settings.
    const ROWS: &'static [Row];
    /// The type of the algorithm.
    type Algorithm: Algorithm<Policy = Actor>;

    /// Tells when the algorithm learns.
    fn schedule(&self) -> Schedule;
    /// Refuses settings that are out of range, or that `parallel` environments cannot share, in one sentence. `row` is
    /// the algorithm that the experiment names.
    fn check(&self, row: &Row, parallel: usize) -> Result<(), String>;
    /// Makes the untrained policy, which is all that acting needs.
    fn policy(&self, plan: &Plan) -> Actor;
    /// Makes the untrained algorithm and its empty buffer. An error says in one sentence why the plan cannot be carried
    /// out.
    fn build(
        &self,
        row: &Row,
        plan: &Plan,
    ) -> Result<(Self::Algorithm, <Self::Algorithm as Algorithm>::Buffer), PlanError>;
}

/// Refuses a number `n` of transitions or episodes that `parallel` environments cannot share equally.
pub(super) fn shared(key: &str, n: usize, what: &str, parallel: usize) -> Result<(), String> {
    if n.is_multiple_of(parallel) {
        return Ok(());
    }
    Err(format!("`{key}` = {n} {what} cannot be shared by `env.parallel` = {parallel} environments; take a multiple"))
}

/// Refuses a replay buffer that is smaller than a batch, or that never holds enough to learn from. `[replay, batch,
/// needed]` are numbers of steps; more than `needed` steps must be stored before policy and critics learn.
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
