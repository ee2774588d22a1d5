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

/// The sizes of a run that settings must fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Environment steps of the whole run, of all environments together.
    pub steps: usize,
    /// Number of environments that are stepped together.
    pub parallel: usize,
}

impl Extent {
    /// Returns the number of environment steps that the run takes: its last step is one of all environments.
    fn taken(self) -> usize {
        self.steps.div_ceil(self.parallel).saturating_mul(self.parallel)
    }
}

/// The settings of an algorithm, or of a few algorithms that share them, and the way from settings to the algorithm.
///
/// The settings are a table of the experiment; the table is named after the module of the algorithm.
pub trait Recipe: Clone + Default + Serialize + DeserializeOwned {
    /// The algorithms that have these settings.
    const ROWS: &'static [Row];
    /// Whether the policy acts on a window of observations and of the actions between them, and on nothing else.
    const ACTS_ON_HISTORY: bool = false;
    /// The type of the algorithm.
    type Algorithm: Algorithm<Policy = Actor>;

    /// Tells when the algorithm learns.
    fn schedule(&self) -> Schedule;
    /// Refuses settings that are out of range, or with which a run of the sizes `run` learns nothing, in one sentence.
    /// `row` is the algorithm that the experiment names.
    fn check(&self, row: &Row, run: Extent) -> Result<(), String>;
    /// Makes the untrained policy, which is all that acting needs. An error says in one sentence why the policy cannot
    /// act in the environment.
    fn policy(&self, plan: &Plan) -> Result<Actor, PlanError>;
    /// Makes the untrained algorithm and its empty buffer. An error says in one sentence why the plan cannot be carried
    /// out.
    fn build(
        &self,
        row: &Row,
        plan: &Plan,
    ) -> Result<(Self::Algorithm, <Self::Algorithm as Algorithm>::Buffer), PlanError>;
}

/// Refuses a number `n` of transitions or episodes in an update that the environments of `run` cannot share equally, or
/// that the run never reaches. An episode has at least one step.
pub(super) fn shared(key: &str, n: usize, what: &str, run: Extent) -> Result<(), String> {
    let Extent { steps, parallel } = run;
    if !n.is_multiple_of(parallel) {
        return Err(format!(
            "`{key}` = {n} {what} cannot be shared by `env.parallel` = {parallel} environments; take a multiple"
        ));
    }
    if run.taken() < n {
        return Err(format!(
            "`steps` = {steps} never come to an update of `{key}` = {n} {what}: nothing would be learned; take more \
             steps, or less of `{key}`"
        ));
    }
    Ok(())
}

/// Refuses minibatches that are larger than what they are drawn from.
pub(super) fn within(table: &str, minibatch: usize, steps: usize) -> Result<(), String> {
    if minibatch <= steps {
        return Ok(());
    }
    Err(format!("`{table}.minibatch` = {minibatch} is more than `{table}.steps` = {steps}; take at most {steps}"))
}

/// Refuses a replay buffer that is smaller than a batch, or that never holds enough to learn from, and a run that is
/// too short for it. `[replay, batch, initial, warmup]` are numbers of steps; more than `initial` steps must be stored
/// before anything is learned, and more than `warmup` steps before the policy is moved. From then on there are `ratio`
/// updates for each step.
pub(super) fn filling(table: &str, sizes: [usize; 4], ratio: f64, run: Extent) -> Result<(), String> {
    let [replay, batch, initial, warmup] = sizes;
    filled(table, [replay, batch, initial], Some(warmup), ratio, run)
}

/// Refuses what [`filling`] refuses; `warmup` is None where the policy is moved as soon as anything is learned.
pub(super) fn filled(
    table: &str,
    [replay, batch, initial]: [usize; 3],
    warmup: Option<usize>,
    ratio: f64,
    run: Extent,
) -> Result<(), String> {
    let needed = initial.max(warmup.unwrap_or(0));
    let keys = format!("`{table}.initial`") + &warmup.map_or(String::new(), |_| format!(" and `{table}.warmup`"));
    if replay.div_ceil(run.parallel) < 3 {
        return Err(format!(
            "`{table}.replay` = {replay} steps are fewer than 3 for each of `env.parallel` = {} environments; take more, \
             or fewer environments",
            run.parallel
        ));
    }
    if batch > replay {
        return Err(format!("`{table}.batch` = {batch} is more than `{table}.replay` = {replay}; take less"));
    }
    if needed >= replay {
        return Err(format!(
            "`{table}.replay` = {replay} steps never come to more than {keys} ({needed}): nothing would be \
             learned"
        ));
    }
    let steps = run.steps;
    if run.taken() <= needed {
        return Err(format!(
            "`steps` = {steps} never come to more than {keys} ({needed}): nothing would be learned; take more \
             steps"
        ));
    }
    // The steps of all environments in which there are updates.
    let learning = run.taken() / run.parallel - initial / run.parallel;
    if ratio * learning as f64 * (run.parallel as f64) < 1.0 {
        return Err(format!(
            "`{table}.update_ratio` = {ratio} gives no update in `steps` = {steps}: nothing would be learned; take \
             more of either"
        ));
    }
    Ok(())
}
