//! From an experiment to a training run: the registry of algorithms is one `match`.

use std::sync::Arc;

use super::experiment::{AlgorithmName, Estimator, Experiment, Span};
use super::trainer::{MakeEnv, Parts, Trainer};
use super::training::Training;
use crate::algo::{Ppo, ppo};
use crate::data::{Rollout, RolloutShape};
use crate::env::{Env, EnvError, EnvSpec, Oracle, Registry};
use crate::policy::{Actor, ActorShape, Memory, Value, ValueShape, View, WHOLE};
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
    let memory = memory(experiment);
    let recurrent = matches!(memory, Memory::Stochastic { .. } | Memory::Bptt { .. });
    let policy: Actor = Actor::new(memory, &shape, &mut Rng::new(experiment.seed, "policy"));
    // A critic of the state needs no memory; one of the observation has the policy's, in its own way.
    let sees_state = experiment.critic == View::State;
    let z = if let Memory::Stochastic { z } = memory { z } else { 0 };
    let window = if let Memory::Window { len } = memory { len } else { 1 };
    let through_time = matches!(memory, Memory::Bptt { .. }) && !sees_state;
    let value_shape = ValueShape {
        view: experiment.critic,
        world: if sees_state { spec.s.len() } else { window * spec.o.len() },
        z,
        a_prev: if z > 0 || through_time { a } else { 0 },
        features: network.critic_features,
        cell: through_time.then_some((network.cell, network.hidden)),
    };
    let value = Value::new(value_shape, &mut Rng::new(experiment.seed, "value"));
    let switches = &experiment.switches;
    let rollout = RolloutShape {
        steps: experiment.ppo.steps / experiment.env.parallel,
        envs: experiment.env.parallel,
        o: spec.o.len(),
        s: if sees_state { spec.s.len() } else { 0 },
        a,
        memory,
        a_prev: recurrent,
        align_next_windows: experiment.is_correct(switches.align_next_windows),
        split_first_windows: experiment.is_correct(switches.split_first_windows),
    };
    let bug = switches.ppo_bptt_broadcast_bug.unwrap_or(!experiment.is_correct(None));
    let settings = ppo::Settings { broadcast_bug: bug && through_time, ..experiment.ppo.clone() };
    // The published PPO-BPTT forgets the previous action at a reset, the published PPO-RS does not (D13).
    let resets = experiment.is_correct(switches.reset_prev_action) || z == 0;
    Ok(Box::new(Trainer::new(Parts {
        algorithm: Ppo::new(policy, value, settings, threads),
        buffer: Rollout::new(rollout),
        make_env,
        parallel: experiment.env.parallel,
        threads,
        seed: experiment.seed,
        standardise: experiment.standardise,
        reset_prev_action: resets,
        deterministic_means: experiment.is_correct(switches.det_eval_really_deterministic),
    })?))
}

/// What the experiment's policy remembers.
fn memory(experiment: &Experiment) -> Memory {
    let network = &experiment.network;
    let state = network.cell.state_size(network.hidden);
    match experiment.estimator {
        Estimator::Rs => Memory::Stochastic { z: state },
        Estimator::Bptt(Span::Steps(len)) => Memory::Bptt { h: state, len },
        Estimator::Bptt(Span::Full) => Memory::Bptt { h: state, len: WHOLE },
        Estimator::Window(len) => Memory::Window { len },
        Estimator::Vanilla | Estimator::Oracle => Memory::None,
    }
}
