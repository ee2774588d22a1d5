//! Building what an experiment describes: a training, or a player.

use std::sync::Arc;

use super::estimator::Estimator;
use super::keys::{Experiment, ExperimentError};
use crate::algo::{Recipe, for_each_algorithm};
use crate::env::{Env, EnvError, MakeEnv, Oracle, Registry};
use crate::plan::{Plan, PlanError, Switches};
use crate::policy::Actor;
use crate::train::{AnyTrainer, Parts, Player, Trainer};

/// Why an experiment cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The experiment has a mistake.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// The environment of the experiment cannot be made.
    #[error(transparent)]
    Env(#[from] EnvError),
}

impl From<PlanError> for BuildError {
    fn from(e: PlanError) -> Self {
        Self::Experiment(ExperimentError(e.0))
    }
}

/// Makes the training of an experiment, before its first step. `registry` makes the environments. `threads` threads
/// step the environments and serve the algorithm; the results are the same on any number.
pub fn build(
    experiment: &Experiment,
    registry: Arc<Registry>,
    threads: usize,
) -> Result<Box<dyn AnyTrainer>, BuildError> {
    let make_env = experiment.make_env(registry);
    let plan = experiment.plan(&make_env, threads)?;
    experiment.training(&plan, make_env)
}

/// Makes the untrained player of an experiment, and a function that makes environments for the player. No training is
/// built: no critic, no optimiser, no buffer.
pub fn player(experiment: &Experiment, registry: Arc<Registry>) -> Result<(Player, MakeEnv), BuildError> {
    let make_env = experiment.make_env(registry);
    let plan = experiment.plan(&make_env, 1)?;
    Ok((Player::untrained(experiment.policy(&plan), &plan.spec, experiment.standardise), make_env))
}

impl Experiment {
    /// Returns a function that makes environments. The environments of an oracle show the policy the privileged state.
    fn make_env(&self, registry: Arc<Registry>) -> MakeEnv {
        let env = self.env.clone();
        let oracle = self.estimator == Estimator::Oracle;
        Arc::new(move || -> Result<Box<dyn Env>, EnvError> {
            let env = registry.make(&env.name, &env.options)?;
            Ok(if oracle { Box::new(Oracle::new(env)) } else { env })
        })
    }

    /// Returns the deviations of the published code that a run of this experiment repeats.
    pub fn deviations(&self) -> Switches {
        let memory = self.estimator.memory(self.network.core().state_size());
        self.switches.decide(self.compat, memory, self.algorithm.row().published)
    }

    fn plan(&self, make_env: &MakeEnv, threads: usize) -> Result<Plan, EnvError> {
        Ok(Plan {
            spec: make_env()?.spec().clone(),
            memory: self.estimator.memory(self.network.core().state_size()),
            network: self.network.clone(),
            critic: self.critic,
            oracle: self.estimator == Estimator::Oracle,
            parallel: self.env.parallel,
            threads,
            seed: self.seed,
            diagnostics: self.diagnostics,
            switches: self.deviations(),
        })
    }

    /// Makes the training of the algorithm whose settings are `recipe`.
    fn train<R: Recipe>(&self, recipe: &R, plan: &Plan, make_env: MakeEnv) -> Result<Box<dyn AnyTrainer>, BuildError>
    where
        R::Algorithm: 'static,
    {
        let (algorithm, buffer) = recipe.build(self.algorithm.row(), plan)?;
        Ok(Box::new(Trainer::new(Parts {
            algorithm,
            buffer,
            make_env,
            parallel: plan.parallel,
            threads: plan.threads,
            seed: plan.seed,
            standardise: self.standardise,
            switches: plan.switches,
        })?))
    }
}

macro_rules! dispatch {
    ($($table:ident),+) => {
        impl Experiment {
            fn training(&self, plan: &Plan, make_env: MakeEnv) -> Result<Box<dyn AnyTrainer>, BuildError> {
                match self.algorithm.table() {
                    $(stringify!($table) => self.train(&self.$table, plan, make_env),)+
                    other => unreachable!("a table {other} of settings is registered"),
                }
            }

            fn policy(&self, plan: &Plan) -> Actor {
                match self.algorithm.table() {
                    $(stringify!($table) => self.$table.policy(plan),)+
                    other => unreachable!("a table {other} of settings is registered"),
                }
            }
        }
    };
}
for_each_algorithm!(dispatch);
