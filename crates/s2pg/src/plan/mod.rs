//! The plan of a run: the sizes of the task, of the memory and of the networks; and policies, critics and buffers of
//! these sizes.
//!
//! An algorithm is built from a plan. The algorithm asks for each part by the purpose of the part, and never learns
//! what kind of memory the policy has, or what the environment is.

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

/// Why a run cannot be built as planned, in one sentence.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct PlanError(pub String);

/// The sizes of a run, and all choices from which its policy, critics and buffers are made.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The environment's description: names of the entries of o and s, range of the action, longest episode.
    pub spec: EnvSpec,
    /// What the policy remembers.
    pub memory: Memory,
    /// Sizes and start values of the networks.
    pub network: NetworkSettings,
    /// The view of the world that the critic sees.
    pub critic: View,
    /// Whether the policy sees the privileged state, so that policy and critic see the same numbers.
    pub oracle: bool,
    /// Number of environments that are stepped together.
    pub parallel: usize,
    /// Number of threads that an algorithm may use; the results are the same on any number.
    pub threads: usize,
    /// Seed of every random stream.
    pub seed: u64,
    /// Whether updates return figures of gradients and states as well.
    pub diagnostics: bool,
    /// The deviations of the published code that the run repeats.
    pub switches: Switches,
}

impl Plan {
    /// Returns the number of entries of the action.
    pub fn actions(&self) -> usize {
        self.spec.low.len()
    }

    /// Returns the numbers of entries of a and of z', the parts of u = (a, z').
    pub fn drawn(&self) -> (usize, usize) {
        (self.actions(), self.memory.z())
    }

    /// Makes the untrained policy whose outputs mean what `head` says.
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

    /// Makes a policy whose actions and next states are unbounded Gaussians, for on-policy algorithms.
    pub fn gaussian_policy(&self) -> Actor {
        self.actor(Head::Gaussian { std: self.network.std, state_std: self.network.state_std })
    }

    /// Makes a policy whose actions and next states are Gaussians squashed into their ranges (SAC).
    pub fn squashed_policy(&self) -> Actor {
        let (low, high) = (self.spec.low.clone(), self.spec.high.clone());
        self.actor(Head::Squashed { low, high, std: self.network.std, state_std: self.network.state_std })
    }

    /// Makes a deterministic policy with noise around its actions and next states (TD3). `std` is the standard
    /// deviation of the noise on actions, `state_std` that of the noise on next states.
    pub fn deterministic_policy(&self, std: f64, state_std: f64) -> Actor {
        let (low, high) = (self.spec.low.clone(), self.spec.high.clone());
        self.actor(Head::Deterministic { low, high, scale: None, std, state_std })
    }

    /// Makes the value function of an on-policy algorithm. A critic of the privileged state needs no memory. A critic
    /// of the observation has the kind of memory that the policy has: it reads z, or the window, or it has a recurrent
    /// cell of its own.
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

    /// Tells whether the value function of an on-policy algorithm is trained through time.
    fn value_is_through_time(&self) -> bool {
        self.memory.is_through_time() && self.critic != View::State
    }

    /// Tells whether PPO multiplies each ratio with every advantage of the minibatch, as the published code does where
    /// the value function is trained through time (D11).
    pub fn broadcasts_advantages(&self) -> bool {
        self.switches.ppo_bptt_broadcast_bug && self.value_is_through_time()
    }

    /// Tells whether the critic of an off-policy algorithm sees something that the policy does not see.
    fn sees_state(&self) -> bool {
        self.critic == View::State && !self.oracle
    }

    /// Makes `n` action-value functions for an off-policy algorithm. `gain` is the gain of the last layer's
    /// initialisation where the policy has no memory; elsewhere the gain is 0.1, as published.
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

    /// Makes an empty rollout with room for `transitions` transitions, of all environments together. An error says that
    /// the machine has too little memory, and names `key`, the key of the experiment that sets the size.
    pub fn rollout(&self, transitions: usize, key: &str) -> Result<Rollout, PlanError> {
        let shape = self.rollout_shape(transitions / self.parallel);
        self.fits(shape.bytes(), transitions, key)?;
        Ok(Rollout::new(shape))
    }

    /// Makes an empty buffer of `episodes` whole episodes, of all environments together, without the critic's view. An
    /// error says that the machine has too little memory, and names `key`, the key of the experiment that sets the
    /// size.
    pub fn episodes(&self, episodes: usize, key: &str) -> Result<Episodes, PlanError> {
        let share = episodes / self.parallel;
        let shape = RolloutShape { s: 0, ..self.rollout_shape(self.spec.horizon) };
        self.fits(shape.bytes().saturating_mul(share), episodes, key)?;
        Ok(Episodes::new(share, shape))
    }

    /// Makes an empty replay buffer of `size` steps, of all environments together. An error says that the machine has
    /// too little memory, and names `key`, the key of the experiment that sets the size.
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

    /// Refuses a buffer that takes more `bytes` than the machine has free. `size` is the value of the key `key` of the
    /// experiment.
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
