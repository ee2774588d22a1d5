//! Building what an experiment describes: a training, or a player.

use std::path::Path;
use std::sync::Arc;

use super::estimator::Estimator;
use super::keys::{Experiment, ExperimentError};
use crate::algo::{Recipe, Schedule, for_each_algorithm};
use crate::env::{EnvError, EnvSpec, MakeEnv, Oracle, Registry, make_guarded, of_one_kind};
use crate::plan::{Budget, Demand, Learning, Plan, PlanError, Switches, resident};
use crate::policy::{Actor, View};
use crate::rng::Rng;
use crate::train::{AnyTrainer, Parts, Player, Teacher, Trainer};

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
    let (make_env, spec) = of_one_kind(&experiment.env.name, experiment.make_env(Arc::clone(&registry)))?;
    let mut plan = experiment.plan(spec, &registry, threads)?;
    // Memory is asked for before anything is made: what the system cannot give would end the process.
    experiment.reserve(&mut plan, &make_env)?;
    plan.check_core()?;
    experiment.training(&plan, make_env, registry)
}

/// Makes the untrained player of an experiment, and a function that makes environments for the player. No training is
/// built: no critic, no optimiser, no buffer.
pub fn player(experiment: &Experiment, registry: Arc<Registry>) -> Result<(Player, MakeEnv), BuildError> {
    let (make_env, spec) = of_one_kind(&experiment.env.name, experiment.make_env(Arc::clone(&registry)))?;
    let mut plan = experiment.plan(spec, &registry, 1)?;
    plan.reserve(&Demand { learning: None, batch: ("", 0), episodes: 1, env: 0 })?;
    plan.check_core()?;
    Ok((Player::untrained(experiment.policy(&plan)?, &plan.spec, experiment.standardise), make_env))
}

impl Experiment {
    /// Returns a function that makes environments. The environments of an oracle show the policy the privileged state.
    fn make_env(&self, registry: Arc<Registry>) -> MakeEnv {
        let env = self.env.clone();
        let oracle = self.estimator == Estimator::Oracle;
        Arc::new(move || {
            let made = registry.make(&env.name, &env.options)?;
            if oracle { make_guarded(&env.name, || Ok(Box::new(Oracle::new(made)))) } else { Ok(made) }
        })
    }

    /// Returns the deviations of the published code that a run of this experiment repeats.
    pub fn deviations(&self) -> Switches {
        // Of the memory its kind decides, and not its size.
        self.switches.decide(self.compat, self.estimator.memory(1), self.algorithm.row().published)
    }

    /// Whether the key `key`, such as `ppo.clip_state`, says something about the draw of a next state z' although the
    /// estimator of this experiment draws none: then the key has no effect.
    pub fn is_idle(&self, key: &str) -> bool {
        let of_the_draw = match key.split_once('.') {
            Some(("network", key)) => matches!(key, "state_std" | "drawn"),
            Some((table, "clip_state")) => table == self.algorithm.table(),
            Some((table, key)) => table == self.algorithm.table() && key.starts_with("state_"),
            None => false,
        };
        of_the_draw && self.estimator.memory(1).drawn() == 0
    }

    fn plan(&self, spec: EnvSpec, registry: &Registry, threads: usize) -> Result<Plan, PlanError> {
        let (core, budget) = (self.network.core(registry, spec.dt)?, Budget::new(&spec.name));
        let has_state = self.estimator.memory(1).is_recurrent();
        let state = if has_state { self.network.state_size(core, &budget)? } else { 0 };
        if has_state {
            self.network.check_kind(core, spec.low.len())?;
        }
        if let Some(drawn) = self.network.drawn.filter(|&drawn| has_state && drawn > state) {
            return Err(PlanError(format!(
                "`network.drawn` is {drawn}, and the state has {state} entries; give at most as many, or leave the key out"
            )));
        }
        let (memory, window) = (self.memory(state, spec.time_limit()), self.network.value_window);
        if let Some(len) = window.filter(|_| self.critic == View::State) {
            return Err(PlanError(format!(
                "`network.value_window` is {len}, but with `critic` = \"state\" the value function needs no memory; leave \
                 one of the keys out"
            )));
        }
        Ok(Plan {
            budget,
            spec,
            memory,
            network: self.network.clone(),
            core,
            critic: self.critic,
            oracle: self.estimator == Estimator::Oracle,
            parallel: self.env.parallel,
            threads,
            seed: self.seed,
            diagnostics: self.diagnostics,
            switches: self.deviations(),
        })
    }

    /// Adds to the budget of a plan what a training takes beside its buffer, or refuses the experiment.
    fn reserve(&self, plan: &mut Plan, make_env: &MakeEnv) -> Result<(), BuildError> {
        let keys = self.keys();
        let batch = |name: &str| {
            let key = format!("{}.{name}", self.algorithm.table());
            let value = keys.iter().find(|(k, _)| *k == key).and_then(|(_, value)| value.parse().ok());
            (key, value.unwrap_or(0))
        };
        let (learning, (key, batch)) = match self.schedule() {
            Schedule::Episodes => (Learning::Episodes, batch("episodes")),
            Schedule::OnPolicy { steps } => {
                let (key, minibatch) = batch("minibatch");
                (Learning::OnPolicy, (key, minibatch.min(steps)))
            }
            Schedule::OffPolicy { .. } => (Learning::OffPolicy, batch("batch")),
        };
        let episodes = if self.evaluation.every > 0 { self.evaluation.episodes } else { 0 };
        let mut demand = Demand { learning: Some(learning), batch: (&key, batch), episodes, env: 0 };
        plan.clone().reserve(&demand)?;
        demand.env = measured(make_env, plan.parallel.max(episodes))?;
        Ok(plan.reserve(&demand)?)
    }

    /// Makes the teacher of a training from the experiment of the run in `dir`. What the teacher has learned is loaded
    /// by whoever opens the run.
    fn untrained_teacher(&self, dir: &Path, plan: &Plan, registry: Arc<Registry>) -> Result<Teacher, BuildError> {
        let file = dir.join("experiment.toml");
        let text = std::fs::read_to_string(&file).map_err(|e| {
            let key = format!("`{}.teacher`", self.algorithm.table());
            PlanError(format!("{key}: {}: {e}; give the directory of a run", file.display()))
        })?;
        let experiment = Self::parse(&file.display().to_string(), &text, &[])?;
        Ok(Teacher::new(&player(&experiment, registry)?.0, &plan.spec, plan.parallel)?)
    }

    /// Makes the training of the algorithm whose settings are `recipe`.
    fn train<R: Recipe>(
        &self,
        recipe: &R,
        plan: &Plan,
        make_env: MakeEnv,
        registry: Arc<Registry>,
    ) -> Result<Box<dyn AnyTrainer>, BuildError>
    where
        R::Algorithm: 'static,
    {
        let (algorithm, buffer) = recipe.build(self.algorithm.row(), plan)?;
        let teacher = self.teacher().map(|dir| self.untrained_teacher(&dir, plan, registry)).transpose()?;
        Ok(Box::new(Trainer::new(Parts {
            algorithm,
            buffer,
            make_env,
            steps: self.steps,
            parallel: plan.parallel,
            threads: plan.threads,
            teacher,
            seed: plan.seed,
            standardise: self.standardise,
            switches: plan.switches,
        })?))
    }
}

/// Returns the bytes that one environment takes, measured on a few of them. 0 where no more than a few are wanted, or
/// where the system does not tell what this process holds.
fn measured(make_env: &MakeEnv, wanted: usize) -> Result<usize, EnvError> {
    const FEW: usize = 64;
    /// Bytes that the measurement may be wrong by.
    const NOISE: usize = 1 << 20;
    let (Some(before), true) = (resident(), wanted > FEW) else { return Ok(0) };
    let mut rng = Rng::new(0, "measured");
    let mut envs = Vec::new();
    for _ in 0..FEW / 4 {
        let mut env = make_env()?;
        env.reset(&mut rng)?;
        envs.push(env);
    }
    let taken = resident().unwrap_or(0).saturating_sub(before).saturating_sub(NOISE);
    Ok(taken / envs.len())
}

macro_rules! dispatch {
    ($($table:ident),+) => {
        impl Experiment {
            fn training(
                &self,
                plan: &Plan,
                make_env: MakeEnv,
                registry: Arc<Registry>,
            ) -> Result<Box<dyn AnyTrainer>, BuildError> {
                match self.algorithm.table() {
                    $(stringify!($table) => self.train(&self.$table, plan, make_env, registry),)+
                    other => unreachable!("a table {other} of settings is registered"),
                }
            }

            fn policy(&self, plan: &Plan) -> Result<Actor, PlanError> {
                match self.algorithm.table() {
                    $(stringify!($table) => self.$table.policy(plan),)+
                    other => unreachable!("a table {other} of settings is registered"),
                }
            }
        }
    };
}
for_each_algorithm!(dispatch);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::AlgorithmName;
    use crate::nn::Params;

    fn parse(algorithm: &str, estimator: &str, changes: &[String]) -> Result<Experiment, ExperimentError> {
        let text = format!(
            "algorithm = \"{algorithm}\"\nestimator = \"{estimator}\"\nsteps = {}\n[env]\nname = \"TMaze-v0\"\n",
            i64::MAX
        );
        Experiment::parse("test.toml", &text, changes)
    }

    /// An experiment that no machine has the memory for is refused in one sentence with the key that is too large,
    /// before anything is made: whatever the key and the algorithm, and no sum overflows.
    #[test]
    fn what_takes_too_much_memory_is_refused() {
        const MOST: usize = i64::MAX as usize;
        let mut refused = 0;
        for algorithm in AlgorithmName::all() {
            let table = algorithm.table();
            let of = |estimator: &str, changes: &[String]| parse(algorithm.name(), estimator, changes);
            let usual = algorithm.estimators().next().unwrap().to_string();
            let keys = of(&usual, &[]).unwrap().keys();
            let has = |key: &str| keys.iter().any(|(k, _)| k == key);
            for large in [1 << 36, MOST] {
                // The keys that are set, of which one has to be named.
                let own = |name: &str| (format!("{table}.{name}"), large);
                let plain = |key: &str| vec![(key.to_string(), large)];
                let mut cases = vec![
                    ("rs", plain("network.hidden")),
                    ("bptt:4", plain("network.hidden")),
                    ("rs", plain("network.features")),
                    ("vanilla", plain("network.features")),
                    ("vanilla", plain("evaluation.episodes")),
                    ("rs", vec![own("replay"), own("batch")]),
                    ("rs", vec![own("replay")]),
                    ("window:4", vec![own("steps"), own("minibatch")]),
                    ("window:4", vec![own("replay"), own("batch"), own("model_batch")]),
                    ("window:4", plain("network.features")),
                    ("window:4", vec![own("model_batch")]),
                    ("bptt:4", vec![own("steps")]),
                    ("bptt:full", vec![own("episodes")]),
                    ("rs", [plain("env.parallel"), vec![own("steps"), own("replay"), own("episodes")]].concat()),
                ];
                cases.iter_mut().for_each(|(_, keys)| keys.retain(|(key, _)| has(key)));
                for (estimator, keys) in cases.iter().filter(|(_, keys)| !keys.is_empty()) {
                    let changes: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
                    // What does not parse was refused already.
                    let Ok(experiment) = of(estimator, &changes) else { continue };
                    let Err(error) = build(&experiment, Arc::new(Registry::new()), 1) else {
                        panic!("{algorithm} {estimator} {changes:?} was built")
                    };
                    let error = error.to_string();
                    let named = keys.iter().any(|(key, _)| error.starts_with(&format!("`{key}` = {large} takes ")));
                    assert!(named && !error.contains('\n'), "{algorithm} {estimator} {changes:?}: {error}");
                    refused += 1;
                }
            }
        }
        assert!(refused > 80, "{refused} experiments were refused");
        println!("{refused} experiments refused, none built");
    }

    /// Every size that a network is said to have is the size that it has.
    #[test]
    fn sizes_are_those_of_the_networks() {
        for estimator in ["rs", "bptt:4", "window:3", "vanilla"] {
            let experiment = parse("ppo", estimator, &[]).unwrap();
            let spec = experiment.make_env(Arc::new(Registry::new()))().unwrap().spec().clone();
            let mut plan = experiment.plan(spec, &Registry::new(), 1).unwrap();
            for critic in [View::Observation, View::State] {
                plan.critic = critic;
                let made = [
                    plan.gaussian_policy().params().data().len(),
                    plan.value().params().data().len(),
                    plan.critics(1, 1.0)[0].params().data().len(),
                ];
                assert_eq!(plan.sizes().map(|size| size.parameters), made, "{estimator}");
            }
        }
    }
}
