//! From an experiment to a training run: the registry of algorithms is one `match`.

use std::sync::Arc;

use super::experiment::{AlgorithmName, Estimator, Experiment};
use super::trainer::{MakeEnv, Parts, Trainer};
use super::training::Training;
use crate::algo::Ppo;
use crate::data::{Rollout, RolloutShape};
use crate::env::{Env, EnvError, EnvSpec, Oracle, Registry};
use crate::policy::{Actor, ActorShape, StatefulPolicy, Value, ValueShape, View};
use crate::rng::Rng;

/// Makes the run of an experiment, at its first step, on this many threads.
pub fn build(experiment: &Experiment, registry: Arc<Registry>, threads: usize) -> Result<Box<dyn Training>, EnvError> {
    let env = experiment.env.clone();
    let oracle = experiment.estimator == Estimator::Oracle;
    let make_env: MakeEnv = Arc::new(move || -> Result<Box<dyn Env>, EnvError> {
        let env = registry.make(&env.name, &env.options)?;
        Ok(if oracle { Box::new(Oracle::new(env)) } else { env })
    });
    let spec = make_env()?.spec().clone();
    match experiment.algorithm {
        AlgorithmName::Ppo => ppo(experiment, &spec, make_env, threads),
    }
}

fn ppo(
    experiment: &Experiment,
    spec: &EnvSpec,
    make_env: MakeEnv,
    threads: usize,
) -> Result<Box<dyn Training>, EnvError> {
    let network = &experiment.network;
    let a = spec.low.len();
    let shape = ActorShape {
        o: spec.o.len(),
        a,
        features: network.features,
        hidden: network.hidden,
        cell: network.cell,
        std: network.std,
        state_std: network.state_std,
    };
    let mut rng = Rng::new(experiment.seed, "policy");
    let (policy, stateful): (Actor, bool) = match experiment.estimator {
        Estimator::Rs => (Actor::stochastic(&shape, &mut rng), true),
        Estimator::Vanilla | Estimator::Oracle => (Actor::plain(&shape, &mut rng), false),
    };
    let s = if experiment.critic == View::State { spec.s.len() } else { 0 };
    let value_shape = ValueShape {
        view: experiment.critic,
        world: if s > 0 { s } else { spec.o.len() },
        z: policy.state_size(),
        a_prev: if stateful { a } else { 0 },
        features: network.critic_features,
    };
    let value = Value::new(value_shape, &mut Rng::new(experiment.seed, "value"));
    let rollout = RolloutShape {
        steps: experiment.ppo.steps / experiment.env.parallel,
        envs: experiment.env.parallel,
        o: spec.o.len(),
        s,
        a,
        z: policy.state_size(),
        a_prev: stateful,
    };
    let switches = &experiment.switches;
    Ok(Box::new(Trainer::new(Parts {
        algorithm: Ppo::new(policy, value, experiment.ppo.clone(), threads),
        buffer: Rollout::new(rollout),
        make_env,
        parallel: experiment.env.parallel,
        threads,
        seed: experiment.seed,
        standardise: experiment.standardise,
        reset_prev_action: experiment.is_correct(switches.reset_prev_action),
        deterministic_means: experiment.is_correct(switches.det_eval_really_deterministic),
    })?))
}
