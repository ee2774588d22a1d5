//! From an experiment to a training run: the registry of algorithms is one `match`.

use std::sync::Arc;

use super::experiment::{AlgorithmName, CriticKind, Estimator, Experiment, ExperimentError, Span};
use super::memory::available;
use super::run::RunError;
use super::trainer::{MakeEnv, Parts, Trainer};
use super::training::Training;
use crate::algo::{Algorithm, Ppo, Reinforce, Sac, Td3, Trpo, ppo, reinforce, sac, td3, trpo};
use crate::data::{Episodes, Replay, ReplayShape, Rollout, RolloutShape};
use crate::env::{Env, EnvError, EnvSpec, Oracle, Registry};
use crate::policy::{
    Actor, ActorShape, Head, Memory, Q, QKind, QShape, SimpleActor, SimpleShape, Value, ValueShape, View, WHOLE,
};
use crate::rng::Rng;

/// Makes the run of an experiment, at its first step, on this many threads.
pub fn build(experiment: &Experiment, registry: Arc<Registry>, threads: usize) -> Result<Box<dyn Training>, RunError> {
    let env = experiment.env.clone();
    let oracle = experiment.estimator == Estimator::Oracle;
    let make_env: MakeEnv = Arc::new(move || -> Result<Box<dyn Env>, EnvError> {
        let env = registry.make(&env.name, &env.options)?;
        Ok(if oracle { Box::new(Oracle::new(env)) } else { env })
    });
    let spec = make_env()?.spec().clone();
    let plan = Plan { memory: memory(experiment), experiment, spec, make_env, threads };
    match experiment.algorithm {
        AlgorithmName::Ppo => plan.ppo(),
        AlgorithmName::Trpo => plan.trpo(),
        AlgorithmName::Reinforce => plan.reinforce(false),
        AlgorithmName::Gpomdp => plan.reinforce(true),
        AlgorithmName::Sac => plan.sac(),
        AlgorithmName::Td3 => plan.td3(2, experiment.td3.clone()),
        AlgorithmName::Ddpg => plan.td3(1, experiment.td3.clone()),
    }
}

/// An experiment on its way to a trainer.
struct Plan<'a> {
    experiment: &'a Experiment,
    spec: EnvSpec,
    memory: Memory,
    make_env: MakeEnv,
    threads: usize,
}

impl Plan<'_> {
    /// Entries of z.
    fn z(&self) -> usize {
        if let Memory::Stochastic { z } = self.memory { z } else { 0 }
    }

    /// Whether policy and critic see different things. An oracle's critic sees what its policy sees.
    fn sees_state(&self) -> bool {
        self.experiment.critic == View::State && self.experiment.estimator != Estimator::Oracle
    }

    /// Observations in a policy's window.
    fn window(&self) -> usize {
        if let Memory::Window { len } = self.memory { len } else { 1 }
    }

    fn actor(&self, head: Head) -> Actor {
        let network = &self.experiment.network;
        let shape = ActorShape {
            o: self.spec.o.len(),
            a: self.spec.low.len(),
            features: network.features,
            hidden: network.hidden,
            cell: network.cell,
            head,
        };
        Actor::new(self.memory, &shape, &mut Rng::new(self.experiment.seed, "policy"))
    }

    /// A free Gaussian, for on-policy algorithms.
    fn gaussian(&self) -> Actor {
        let network = &self.experiment.network;
        self.actor(Head::Gaussian { std: network.std, state_std: network.state_std })
    }

    /// The value function of an on-policy algorithm. A critic of the state needs no memory; one of the observation has
    /// the policy's, in its own way.
    fn value(&self) -> Value {
        let network = &self.experiment.network;
        let sees_state = self.experiment.critic == View::State;
        let through_time = matches!(self.memory, Memory::Bptt { .. }) && !sees_state;
        let shape = ValueShape {
            view: self.experiment.critic,
            world: if sees_state { self.spec.s.len() } else { self.window() * self.spec.o.len() },
            z: self.z(),
            a_prev: if self.z() > 0 || through_time { self.spec.low.len() } else { 0 },
            features: network.critic_features,
            cell: through_time.then_some((network.cell, network.hidden)),
        };
        Value::new(shape, &mut Rng::new(self.experiment.seed, "value"))
    }

    /// `n` action-value functions for an off-policy algorithm. `gain` is that of the last layer where there is no z.
    fn critics(&self, n: usize, gain: f64) -> Vec<Q> {
        let network = &self.experiment.network;
        let sees_state = self.sees_state();
        let through_time = matches!(self.memory, Memory::Bptt { .. }) && !sees_state;
        let encoders = self.z() > 0 && network.critic == CriticKind::Encoders;
        let shape = QShape {
            view: if sees_state { View::State } else { View::Observation },
            world: if sees_state { self.spec.s.len() } else { self.window() * self.spec.o.len() },
            z: self.z(),
            a: self.spec.low.len(),
            a_prev: encoders,
            features: network.critic_features,
            kind: match (encoders, through_time) {
                (true, _) => QKind::Encoders,
                (_, true) => QKind::Recurrent { cell: network.cell, units: network.hidden },
                _ => QKind::Plain { gain },
            },
        };
        let of = |i| Q::new(shape.clone(), &mut Rng::new(self.experiment.seed, &format!("critic/{i}")));
        (0..n).map(of).collect()
    }

    /// The published network of REINFORCE, for a policy with a state.
    fn simple(&self) -> SimpleActor {
        let network = &self.experiment.network;
        let shape = SimpleShape {
            o: self.spec.o.len(),
            a: self.spec.low.len(),
            features: network.features,
            hidden: network.hidden,
            cell: network.cell,
            a_prev: true,
            std: network.std,
            state_std: network.state_std,
        };
        SimpleActor::new(self.memory, &shape, &mut Rng::new(self.experiment.seed, "policy"))
    }

    /// The transitions of `steps` steps of each environment.
    fn rollout(&self, steps: usize) -> RolloutShape {
        let switches = &self.experiment.switches;
        RolloutShape {
            steps,
            envs: self.experiment.env.parallel,
            o: self.spec.o.len(),
            s: if self.experiment.critic == View::State { self.spec.s.len() } else { 0 },
            a: self.spec.low.len(),
            memory: self.memory,
            a_prev: matches!(self.memory, Memory::Stochastic { .. } | Memory::Bptt { .. }),
            align_next_windows: self.experiment.is_correct(switches.align_next_windows),
            split_first_windows: self.experiment.is_correct(switches.split_first_windows),
        }
    }

    /// Refuses a buffer of `size` as `key` says that takes more `bytes` than the machine has free.
    fn fits(&self, bytes: usize, size: usize, key: &str) -> Result<(), RunError> {
        let free = available().unwrap_or(isize::MAX as usize);
        if bytes <= free {
            return Ok(());
        }
        let mb = |bytes: usize| bytes / 1_000_000;
        Err(RunError::Experiment(ExperimentError(format!(
            "`{key}` = {size} takes {} MB of memory on {}, and {} MB are free; take less",
            mb(bytes),
            self.spec.name,
            mb(free)
        ))))
    }

    /// A replay buffer of `size` steps, unless the machine has not the memory for it.
    fn replay(&self, size: usize) -> Result<Replay, RunError> {
        let shape = ReplayShape {
            size,
            envs: self.experiment.env.parallel,
            o: self.spec.o.len(),
            s: if self.sees_state() { self.spec.s.len() } else { 0 },
            a: self.spec.low.len(),
            memory: self.memory,
            align_next_windows: self.experiment.is_correct(self.experiment.switches.align_next_windows),
        };
        let key = if self.experiment.algorithm == AlgorithmName::Sac { "sac.replay" } else { "td3.replay" };
        self.fits(shape.bytes(), size, key)?;
        Ok(Replay::new(shape))
    }

    /// The trainer of an algorithm. `resets` and `means` are what the published code does about the previous action at a
    /// reset (D13), and whether its deterministic evaluation is deterministic (D19).
    fn train<A: Algorithm + 'static>(
        self,
        algorithm: A,
        buffer: A::Buffer,
        (resets, means): (bool, bool),
    ) -> Result<Box<dyn Training>, RunError> {
        let experiment = self.experiment;
        let switches = &experiment.switches;
        Ok(Box::new(Trainer::new(Parts {
            algorithm,
            buffer,
            make_env: self.make_env,
            parallel: experiment.env.parallel,
            threads: self.threads,
            seed: experiment.seed,
            standardise: experiment.standardise,
            reset_prev_action: switches.reset_prev_action.unwrap_or(experiment.is_correct(None) || resets),
            remember_clipped: experiment.is_correct(switches.remember_clipped_action),
            deterministic_means: switches.det_eval_really_deterministic.unwrap_or(experiment.is_correct(None) || means),
        })?))
    }

    fn ppo(self) -> Result<Box<dyn Training>, RunError> {
        let experiment = self.experiment;
        let through_time = matches!(self.memory, Memory::Bptt { .. }) && experiment.critic != View::State;
        let bug = experiment.switches.ppo_bptt_broadcast_bug.unwrap_or(!experiment.is_correct(None));
        let diagnostics = experiment.diagnostics;
        let settings = ppo::Settings { broadcast_bug: bug && through_time, diagnostics, ..experiment.ppo.clone() };
        let shape = self.rollout(settings.steps / experiment.env.parallel);
        self.fits(shape.bytes(), settings.steps, "ppo.steps")?;
        let rollout = Rollout::new(shape);
        let algorithm = Ppo::new(self.gaussian(), self.value(), settings, self.threads);
        let published = (self.z() == 0, self.memory != Memory::None);
        self.train(algorithm, rollout, published)
    }

    fn trpo(self) -> Result<Box<dyn Training>, RunError> {
        let experiment = self.experiment;
        let settings = trpo::Settings { diagnostics: experiment.diagnostics, ..experiment.trpo.clone() };
        let shape = self.rollout(settings.steps / experiment.env.parallel);
        self.fits(shape.bytes(), settings.steps, "trpo.steps")?;
        let rollout = Rollout::new(shape);
        let algorithm = Trpo::new(self.gaussian(), self.value(), settings, self.threads);
        let published = (self.z() == 0, self.memory != Memory::None);
        self.train(algorithm, rollout, published)
    }

    fn reinforce(self, per_step: bool) -> Result<Box<dyn Training>, RunError> {
        let experiment = self.experiment;
        let settings = reinforce::Settings {
            per_step,
            log_std_bug: !experiment.is_correct(experiment.switches.reinforce_log_std_score),
            diagnostics: experiment.diagnostics,
            ..experiment.reinforce.clone()
        };
        // Nothing is valued: the critic's view is not kept.
        let shape = RolloutShape { s: 0, ..self.rollout(self.spec.horizon) };
        let bytes = shape.bytes().saturating_mul(settings.episodes / experiment.env.parallel);
        self.fits(bytes, settings.episodes, "reinforce.episodes")?;
        let episodes = Episodes::new(settings.episodes / experiment.env.parallel, shape);
        let recurrent = matches!(self.memory, Memory::Stochastic { .. } | Memory::Bptt { .. });
        let published = (self.z() == 0, self.memory != Memory::None);
        if recurrent && settings.network == reinforce::Network::Simple {
            let algorithm = Reinforce::new(self.simple(), settings);
            return self.train(algorithm, episodes, published);
        }
        let algorithm = Reinforce::new(self.gaussian(), settings);
        self.train(algorithm, episodes, published)
    }

    fn sac(self) -> Result<Box<dyn Training>, RunError> {
        let settings = sac::Settings { diagnostics: self.experiment.diagnostics, ..self.experiment.sac.clone() };
        let (low, high) = (self.spec.low.clone(), self.spec.high.clone());
        let sizes = (low.len(), self.z());
        let (std, state_std) = (self.experiment.network.std, self.experiment.network.state_std);
        let policy = self.actor(Head::Squashed { low, high, std, state_std });
        let gain = if self.memory == Memory::None { 1.0 } else { 0.1 };
        let critics = self.critics(2, gain).try_into().expect("two critics");
        let replay = self.replay(settings.replay)?;
        let algorithm = Sac::new(policy, critics, sizes, settings, self.threads);
        self.train(algorithm, replay, (false, false))
    }

    fn td3(self, critics: usize, settings: td3::Settings) -> Result<Box<dyn Training>, RunError> {
        let experiment = self.experiment;
        let memoryless = self.memory == Memory::None;
        let through_time = matches!(self.memory, Memory::Window { .. } | Memory::Bptt { .. });
        let bug = |switch: Option<bool>, there: bool| switch.unwrap_or(!experiment.is_correct(None) && there);
        let settings = td3::Settings {
            actor_mean_q: bug(experiment.switches.td3_actor_mean_q, !memoryless),
            target_mean_q: bug(experiment.switches.td3_mean_target, through_time),
            diagnostics: experiment.diagnostics,
            ..settings
        };
        let (low, high) = (self.spec.low.clone(), self.spec.high.clone());
        let (std, state_std) = (settings.noise, settings.state_noise);
        let policy = self.actor(Head::Deterministic { low, high, scale: None, std, state_std });
        let replay = self.replay(settings.replay)?;
        let algorithm = Td3::new(policy, self.critics(critics, 0.1), settings, self.threads);
        self.train(algorithm, replay, (true, !memoryless))
    }
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
