//! The plan of a run: the sizes of its task, its memory and its networks; and policies, critics and buffers made to them.
//!
//! An algorithm is built from a plan. It asks for each part by what the part is for, and never learns what kind of memory
//! the policy has, or what the environment is.

mod free_memory;
mod network;
mod switches;

use std::fmt::Debug;

pub use network::{CriticKind, NetworkSettings};
pub use switches::{Compat, Published, SwitchSettings, Switches, When};

use crate::data::{Episodes, Replay, ReplayShape, Rollout, RolloutShape};
use crate::env::EnvSpec;
use crate::policy::{Actor, ActorShape, Head, Memory, Q, QKind, QShape, Value, ValueShape, View};
use crate::rng::Rng;

/// Why a run cannot be built as it is planned, in one sentence.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct PlanError(pub String);

/// The sizes of a run, and what its parts are made with.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The environment: sizes of o, s and a, the range of the action, the longest episode.
    pub spec: EnvSpec,
    /// What the policy remembers.
    pub memory: Memory,
    /// Sizes and start values of the networks.
    pub network: NetworkSettings,
    /// What the critic sees.
    pub critic: View,
    /// Whether the policy sees the privileged state, so that policy and critic see the same.
    pub oracle: bool,
    /// Environments that are stepped together.
    pub parallel: usize,
    /// Threads that an algorithm may use; the results are the same on any number.
    pub threads: usize,
    /// Seed of every random stream.
    pub seed: u64,
    /// Whether updates have figures of gradients and states too.
    pub diagnostics: bool,
    /// Deviations of the published code that are repeated.
    pub switches: Switches,
}

impl Plan {
    /// Entries of the action.
    pub fn actions(&self) -> usize {
        self.spec.low.len()
    }

    /// Entries of a and of z': what the policy draws, u = (a, z').
    pub fn drawn(&self) -> (usize, usize) {
        (self.actions(), self.memory.z())
    }

    /// The policy whose outputs `head` gives a meaning to.
    fn actor(&self, head: Head) -> Actor {
        let network = &self.network;
        let shape = ActorShape {
            o: self.spec.o.len(),
            a: self.actions(),
            a_prev: self.actions(),
            features: network.features,
            hidden: network.hidden,
            cell: network.cell,
            kind: network.policy,
            head,
        };
        Actor::new(self.memory, &shape, &mut Rng::new(self.seed, "policy"))
    }

    /// A policy whose actions and next states are unbounded Gaussians, for on-policy algorithms.
    pub fn gaussian_policy(&self) -> Actor {
        self.actor(Head::Gaussian { std: self.network.std, state_std: self.network.state_std })
    }

    /// A policy whose actions and next states are Gaussians squashed into their ranges (SAC).
    pub fn squashed_policy(&self) -> Actor {
        let (low, high) = (self.spec.low.clone(), self.spec.high.clone());
        self.actor(Head::Squashed { low, high, std: self.network.std, state_std: self.network.state_std })
    }

    /// A deterministic policy, with noise of these standard deviations around its actions and next states (TD3).
    pub fn deterministic_policy(&self, std: f64, state_std: f64) -> Actor {
        let (low, high) = (self.spec.low.clone(), self.spec.high.clone());
        self.actor(Head::Deterministic { low, high, scale: None, std, state_std })
    }

    /// The value function of an on-policy algorithm. A critic of the state needs no memory; one of the observation has
    /// the policy's, in its own way.
    pub fn value(&self) -> Value {
        let (network, z) = (&self.network, self.memory.z());
        let sees_state = self.critic == View::State;
        let through_time = self.value_is_through_time();
        let shape = ValueShape {
            view: self.critic,
            world: if sees_state { self.spec.s.len() } else { self.memory.window() * self.spec.o.len() },
            z,
            a_prev: if z > 0 || through_time { self.actions() } else { 0 },
            features: network.critic_features,
            cell: through_time.then_some((network.cell, network.hidden)),
        };
        Value::new(shape, &mut Rng::new(self.seed, "value"))
    }

    /// Whether the value function of an on-policy algorithm is trained through time.
    fn value_is_through_time(&self) -> bool {
        self.memory.is_through_time() && self.critic != View::State
    }

    /// Whether PPO multiplies each ratio with every advantage of the minibatch, as the published code does where the value
    /// function is trained through time (D11).
    pub fn broadcasts_advantages(&self) -> bool {
        self.switches.ppo_bptt_broadcast_bug && self.value_is_through_time()
    }

    /// Whether the critic of an off-policy algorithm sees something that the policy does not.
    fn sees_state(&self) -> bool {
        self.critic == View::State && !self.oracle
    }

    /// `n` action-value functions for an off-policy algorithm. `gain` is that of the last layer's initialisation where the
    /// policy has no memory; elsewhere it is 0.1, as published.
    pub fn critics(&self, n: usize, gain: f64) -> Vec<Q> {
        let (network, z) = (&self.network, self.memory.z());
        let sees_state = self.sees_state();
        let through_time = self.memory.is_through_time() && !sees_state;
        let encoders = z > 0 && network.critic == CriticKind::Encoders;
        let gain = if self.memory == Memory::None { gain } else { 0.1 };
        let shape = QShape {
            view: if sees_state { View::State } else { View::Observation },
            world: if sees_state { self.spec.s.len() } else { self.memory.window() * self.spec.o.len() },
            z,
            a: self.actions(),
            a_prev: encoders,
            features: network.critic_features,
            kind: match (encoders, through_time) {
                (true, _) => QKind::Encoders,
                (_, true) => QKind::Recurrent { cell: network.cell, units: network.hidden },
                _ => QKind::Plain { gain },
            },
        };
        let of = |i| Q::new(shape.clone(), &mut Rng::new(self.seed, &format!("critic/{i}")));
        (0..n).map(of).collect()
    }

    fn rollout_shape(&self, steps: usize) -> RolloutShape {
        RolloutShape {
            steps,
            envs: self.parallel,
            o: self.spec.o.len(),
            s: if self.critic == View::State { self.spec.s.len() } else { 0 },
            a: self.actions(),
            memory: self.memory,
            a_prev: self.memory.is_recurrent(),
            misalign_next_windows: self.switches.misalign_next_windows,
            join_first_windows: self.switches.join_first_windows,
        }
    }

    /// Room for `transitions` transitions, of all environments together. `key` is the key of the experiment that says so.
    pub fn rollout(&self, transitions: usize, key: &str) -> Result<Rollout, PlanError> {
        let shape = self.rollout_shape(transitions / self.parallel);
        self.fits(shape.bytes(), transitions, key)?;
        Ok(Rollout::new(shape))
    }

    /// Room for `episodes` whole episodes, of all environments together, without the critic's view. `key` is the key of
    /// the experiment that says so.
    pub fn episodes(&self, episodes: usize, key: &str) -> Result<Episodes, PlanError> {
        let share = episodes / self.parallel;
        let shape = RolloutShape { s: 0, ..self.rollout_shape(self.spec.horizon) };
        self.fits(shape.bytes().saturating_mul(share), episodes, key)?;
        Ok(Episodes::new(share, shape))
    }

    /// A replay buffer of `size` steps, of all environments together. `key` is the key of the experiment that says so.
    pub fn replay(&self, size: usize, key: &str) -> Result<Replay, PlanError> {
        let shape = ReplayShape {
            size,
            envs: self.parallel,
            o: self.spec.o.len(),
            s: if self.sees_state() { self.spec.s.len() } else { 0 },
            a: self.actions(),
            memory: self.memory,
            misalign_next_windows: self.switches.misalign_next_windows,
        };
        self.fits(shape.bytes(), size, key)?;
        Ok(Replay::new(shape))
    }

    /// Refuses a buffer of `size`, as `key` says, that takes more `bytes` than the machine has free.
    fn fits(&self, bytes: usize, size: usize, key: &str) -> Result<(), PlanError> {
        let free = free_memory::available().unwrap_or(isize::MAX as usize);
        if bytes <= free {
            return Ok(());
        }
        let mb = |bytes: usize| bytes / 1_000_000;
        Err(PlanError(format!(
            "`{key}` = {size} takes {} MB of memory on {}, and {} MB are free; take less",
            mb(bytes),
            self.spec.name,
            mb(free)
        )))
    }
}
