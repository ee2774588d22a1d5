//! The plan of a run: the sizes of the task, of the memory and of the networks; and policies, critics and buffers of
//! these sizes.
//!
//! An algorithm is built from a plan. The algorithm asks for each part by the purpose of the part, and never learns
//! what kind of memory the policy has, or what the environment is.

mod budget;
mod cores;
mod free_memory;
pub(crate) mod keys;
mod network;
mod switches;

use std::fmt::Debug;

use budget::FLOAT;
pub use budget::{Budget, Demand, Learning, PlanError, acting_bytes};
pub(crate) use free_memory::resident;
pub use keys::{Key, Kind, Table};
pub use network::{CriticKind, NetworkSettings};
pub use switches::{Compat, Published, SwitchSettings, Switches, When};

use crate::data::npz::Limits;
use crate::data::{DemoShape, Demos, Episodes, Replay, ReplayShape, Rollout, RolloutShape};
use crate::env::EnvSpec;
use crate::nn::Size;
use crate::policy::{
    Actor, ActorShape, CoreShape, Discriminator, Head, LOG_STD, LatentModel, LatentShape, Memory, Q, QKind, QShape,
    Value, ValueShape, View,
};
use crate::rng::Rng;

/// The sizes of a run, and all choices from which its policy, critics and buffers are made.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The environment's description: names of the entries of o and s, range of the action, longest episode.
    pub spec: EnvSpec,
    /// What the policy remembers.
    pub memory: Memory,
    /// Sizes and start values of the networks.
    pub network: NetworkSettings,
    /// What policies and critics with a state remember with.
    pub core: CoreShape,
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
    /// The memory of the run.
    pub budget: Budget,
}

/// Numbers that are kept for each output of a layer until its gradient is known: the output, its gradient, and what the
/// activation or the cell saves.
const KEPT: usize = 3;
/// Rows of an off-policy batch that share a gradient of all parameters.
const PIECE: usize = 128;

impl Plan {
    /// Returns the number of entries of the action.
    pub fn actions(&self) -> usize {
        self.spec.low.len()
    }

    /// Returns the numbers of entries of a and of z', the parts of u = (a, z').
    pub fn drawn(&self) -> (usize, usize) {
        (self.actions(), self.memory.drawn())
    }

    /// Returns the sizes of the policy whose outputs mean what `head` says.
    fn actor_shape(&self, head: Head) -> ActorShape {
        let network = &self.network;
        ActorShape {
            o: self.spec.o.len(),
            a: self.actions(),
            a_prev: if network.reads_a_prev { self.actions() } else { 0 },
            features: network.features,
            core: self.core,
            kind: network.policy,
            head,
        }
    }

    /// Makes the untrained policy whose outputs mean what `head` says.
    fn actor(&self, head: Head) -> Actor {
        Actor::new(self.memory, &self.actor_shape(head), &mut Rng::new(self.seed, "policy"))
    }

    fn gaussian(&self) -> Head {
        Head::Gaussian { std: self.network.std, state_std: self.network.state_std }
    }

    /// Makes a policy whose actions and next states are unbounded Gaussians, for on-policy algorithms.
    pub fn gaussian_policy(&self) -> Actor {
        self.actor(self.gaussian())
    }

    /// Makes a policy whose actions and next states are Gaussians squashed into their ranges (SAC). An action without a
    /// range is an error.
    pub fn squashed_policy(&self) -> Result<Actor, PlanError> {
        let (low, high) = self.range()?;
        Ok(self.actor(Head::Squashed { low, high, std: self.network.std, state_std: self.network.state_std }))
    }

    /// Makes a deterministic policy with noise around its actions and next states (TD3). `std` is the standard
    /// deviation of the noise on actions, `state_std` that of the noise on next states. An action without a range is an
    /// error.
    pub fn deterministic_policy(&self, std: f64, state_std: f64) -> Result<Actor, PlanError> {
        let (low, high) = self.range()?;
        Ok(self.actor(Head::Deterministic { low, high, scale: None, std, state_std }))
    }

    /// Returns the lower and upper bounds of the action; a bound that is none is an error.
    fn range(&self) -> Result<(Vec<f32>, Vec<f32>), PlanError> {
        let (low, high) = (&self.spec.low, &self.spec.high);
        if let Some((i, bound)) = self.spec.unbounded() {
            let which = if bound == low[i] { "lower" } else { "upper" };
            return Err(PlanError(format!(
                "{}: entry {i} of the action has the {which} bound {bound:e}, which is none, and the algorithm squashes \
                 actions into their range; give the environment a bound below {:e} in magnitude, or take an on-policy \
                 algorithm, which needs no range",
                self.spec.name,
                EnvSpec::HUGE
            )));
        }
        Ok((low.clone(), high.clone()))
    }

    /// Refuses wanted entropies `[a, z']` of a squashed policy, each with its key, that are above all that draws can
    /// have: ln 2 for each number that is squashed to [-1, 1], and that of the widest Gaussian for each number that is
    /// not squashed, as of an LSTM's cell state.
    pub fn check_entropies(&self, wanted: [(&str, Option<f64>); 2]) -> Result<(), PlanError> {
        let (n_a, n_z) = self.drawn();
        let squashed = if n_z > 0 { self.core.bounded() } else { 0 };
        let of_unit = 0.5 * (2.0 * std::f64::consts::PI * std::f64::consts::E).ln();
        let (narrowest, widest) = (of_unit + LOG_STD.0, of_unit + LOG_STD.1);
        let most =
            |squashed: usize, n: usize| squashed as f64 * std::f64::consts::LN_2 + (n - squashed) as f64 * widest;
        let parts = [("the action", n_a, most(n_a, n_a)), ("the next state", n_z, most(squashed, n_z))];
        for ((key, wanted), (what, n, most)) in wanted.into_iter().zip(parts) {
            if let Some(wanted) = wanted.filter(|&wanted| n > 0 && wanted >= most) {
                return Err(PlanError(format!(
                    "`{key}` is {wanted}; it must be below {most:.3}, the entropy that {what} with its {n} numbers \
                     within [-1, 1] cannot have"
                )));
            }
            let least = n as f64 * narrowest;
            if let Some(wanted) = wanted.filter(|&wanted| n > 0 && wanted < least) {
                return Err(PlanError(format!(
                    "`{key}` is {wanted}; it must be at least {least:.3}, the entropy of the narrowest draw of {what} with \
                     its {n} numbers"
                )));
            }
        }
        Ok(())
    }

    /// Makes the value function of an on-policy algorithm. A critic of the privileged state needs no memory. A critic
    /// of the observation has the kind of memory that the policy has: it reads z, or the window, or it has a core of
    /// its own.
    pub fn value(&self) -> Value {
        let value = Value::new(self.value_shape(), &mut Rng::new(self.seed, "value"));
        if self.memory.z() > 0 { value.reading(self.core) } else { value }
    }

    /// Returns the number of entries that a critic reads of a state z; 0 where there is none.
    fn critic_reads(&self) -> usize {
        if self.memory.z() > 0 { self.core.critic_size() } else { 0 }
    }

    fn value_shape(&self) -> ValueShape {
        let (network, z) = (&self.network, self.memory.z());
        let sees_state = self.critic == View::State;
        let through_time = self.value_is_through_time() || self.value_window().is_some();
        let reads_z = network.value_reads_z && self.value_window().is_none();
        ValueShape {
            view: self.critic,
            world: if sees_state { self.spec.s.len() } else { self.memory.window() * self.spec.o.len() },
            z: if reads_z { self.critic_reads() } else { 0 },
            a_prev: if (z > 0 && network.critic_reads_a_prev) || through_time { self.actions() } else { 0 },
            features: network.critic_features,
            gain: network.value_gain,
            core: through_time.then_some(self.core),
        }
    }

    /// Returns the number of steps over which the value function has a cell of its own, where the policy has a z.
    fn value_window(&self) -> Option<usize> {
        self.network.value_window.filter(|_| self.memory.z() > 0 && self.critic != View::State)
    }

    /// Tells whether the value function of an on-policy algorithm is trained through time as the policy is.
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
        let shape = self.q_shape(gain);
        let of = |i| {
            let q = Q::new(shape.clone(), &mut Rng::new(self.seed, &format!("critic/{i}")));
            if self.memory.z() > 0 { q.reading(self.core) } else { q }
        };
        (0..n).map(of).collect()
    }

    fn q_shape(&self, gain: f64) -> QShape {
        let (network, z) = (&self.network, self.memory.z());
        let sees_state = self.sees_state();
        let through_time = self.memory.is_through_time() && !sees_state;
        let encoders = z > 0 && network.critic == CriticKind::Encoders;
        let gain = if self.memory == Memory::None { gain } else { 0.1 };
        QShape {
            view: if sees_state { View::State } else { View::Observation },
            world: if sees_state { self.spec.s.len() } else { self.memory.window() * self.spec.o.len() },
            z: self.critic_reads(),
            a: self.actions(),
            a_prev: encoders && network.critic_reads_a_prev,
            features: network.critic_features,
            kind: match (encoders, through_time) {
                (true, _) => QKind::Encoders,
                (_, true) => QKind::Recurrent { core: self.core },
                _ => QKind::Plain { gain },
            },
        }
    }

    fn rollout_shape(&self, steps: usize) -> RolloutShape {
        RolloutShape {
            steps,
            envs: self.parallel,
            o: self.spec.o.len(),
            s: if self.critic == View::State { self.spec.s.len() } else { 0 },
            a: self.actions(),
            memory: self.memory,
            a_prev: self.memory.shows_a_prev(),
            advice: false,
            value_window: self.value_window(),
            misalign_next_windows: self.switches.misalign_next_windows,
            join_first_windows: self.switches.join_first_windows,
        }
    }

    /// Makes an empty rollout with room for `transitions` transitions, of all environments together. An error says that
    /// the machine has too little memory, and names `key`, the key of the experiment that sets the size.
    pub fn rollout(&self, transitions: usize, key: &str) -> Result<Rollout, PlanError> {
        let shape = self.rollout_shape(transitions / self.parallel);
        self.budget.fits(key, transitions, shape.bytes())?;
        Ok(Rollout::new(shape))
    }

    /// Makes an empty rollout as [`rollout`](Self::rollout) does, which keeps the critic's view whatever the critic
    /// reads.
    pub fn rollout_with_state(&self, transitions: usize, key: &str) -> Result<Rollout, PlanError> {
        let shape = RolloutShape { s: self.spec.s.len(), ..self.rollout_shape(transitions / self.parallel) };
        self.budget.fits(key, transitions, shape.bytes())?;
        Ok(Rollout::new(shape))
    }

    /// Makes an empty rollout as [`rollout`](Self::rollout) does, which keeps the actions that a teacher would take.
    pub fn rollout_with_advice(&self, transitions: usize, key: &str) -> Result<Rollout, PlanError> {
        let shape = RolloutShape { advice: true, ..self.rollout_shape(transitions / self.parallel) };
        self.budget.fits(key, transitions, shape.bytes())?;
        Ok(Rollout::new(shape))
    }

    /// Reads the demonstrations that the file `file` holds; `key` is the key of the experiment that names it. An error
    /// says why they are of no use for this task.
    pub fn demos(&self, file: &str, key: &str) -> Result<Demos, PlanError> {
        if file.is_empty() {
            return Err(PlanError(format!(
                "`{key}` names no file, and there is nothing to imitate without one; `s2pg record` writes demonstrations"
            )));
        }
        let shape = DemoShape { o: &self.spec.o, s: &self.spec.s, a: self.actions() };
        let demos = Demos::read(file.as_ref(), shape, Limits::default());
        demos.map_err(|e| PlanError(format!("`{key}`: {e}")))
    }

    /// Makes a replay buffer of the demonstrations `demos`, with the states that `policy` has when it is shown them.
    /// `key` is the key of the experiment that names their file. Demonstrations without actions are an error, and so is
    /// that the machine has too little memory.
    pub fn expert(&self, demos: &Demos, policy: &Actor, key: &str) -> Result<Replay, PlanError> {
        if demos.a.is_none() {
            return Err(PlanError(format!(
                "`{key}`: the demonstrations have no array `actions`, and this algorithm values actions; record an expert \
                 that acts, or take an algorithm with a discriminator of states"
            )));
        }
        let shape = ReplayShape { envs: 1, ..self.replay_shape(demos.len()) };
        self.budget.fits(key, demos.len(), shape.bytes())?;
        Ok(Replay::of_demos(demos, shape, policy, &mut Rng::new(self.seed, "demonstrations")))
    }

    /// Makes a discriminator of `inputs` numbers, whose first hidden layer is `width` wide and the second half as wide.
    /// An error says that the machine has too little memory, and names `key`, the key of the experiment that sets the
    /// width.
    pub fn discriminator(&self, inputs: usize, width: usize, key: &str) -> Result<Discriminator, PlanError> {
        let parameters = width.saturating_mul(width / 2 + inputs + 2);
        self.budget.fits(key, width, parameters.saturating_mul(4 * FLOAT))?;
        Ok(Discriminator::new(inputs, [width, width.div_ceil(2)], &mut Rng::new(self.seed, "discriminator")))
    }

    /// Makes a latent model of the sizes `shape` for batches of `windows` windows, and for drawing the latent variables
    /// of `batch` windows. An error says that the machine has too little memory, and names the key of the table `table`
    /// of the experiment that sets the largest part.
    pub fn latent_model(
        &self,
        shape: &LatentShape,
        [windows, batch]: [usize; 2],
        table: &str,
    ) -> Result<LatentModel, PlanError> {
        let key = |name: &str| format!("{table}.{name}");
        let widths = [("z1", shape.z1), ("z2", shape.z2), ("model_features", shape.features)];
        let (name, width) = widths.into_iter().max_by_key(|width| width.1).expect("there are widths");
        let size = LatentModel::<f32>::size(shape);
        // The model, its moments and its gradient.
        self.budget.fits(&key(name), width, size.parameters.saturating_mul(4 * FLOAT))?;
        let row = size.outputs.saturating_mul(self.memory.steps().saturating_add(1)).saturating_mul(KEPT * FLOAT);
        let gradients = size.parameters.saturating_mul(FLOAT).saturating_mul(windows.div_ceil(PIECE));
        self.budget.fits(&key("model_batch"), windows, row.saturating_mul(windows).saturating_add(gradients))?;
        self.budget.fits(&key("batch"), batch, row.saturating_mul(batch))?;
        Ok(LatentModel::new(*shape, &mut Rng::new(self.seed, "model")))
    }

    /// Makes `n` action-value functions that read `latents` latent variables in place of the world.
    pub fn latent_critics(&self, n: usize, latents: usize) -> Vec<Q> {
        let shape = QShape {
            view: View::Observation,
            world: latents,
            z: 0,
            a: self.actions(),
            a_prev: false,
            features: self.network.critic_features,
            kind: QKind::Plain { gain: 1.0 },
        };
        (0..n).map(|i| Q::new(shape.clone(), &mut Rng::new(self.seed, &format!("critic/{i}")))).collect()
    }

    /// Makes an empty buffer of `episodes` whole episodes, of all environments together, without the critic's view. An
    /// error says that the machine has too little memory, or that the task has no time limit, and names `key`, the key
    /// of the experiment that sets the size.
    pub fn episodes(&self, episodes: usize, key: &str) -> Result<Episodes, PlanError> {
        let share = episodes / self.parallel;
        if self.spec.time_limit().is_none() {
            let name = &self.spec.name;
            return Err(PlanError(format!(
                "`{key}`: {name} has no time limit, so that no room for whole episodes can be kept; give it a horizon, \
                 or choose an algorithm that needs no whole episodes"
            )));
        }
        let shape = RolloutShape { s: 0, ..self.rollout_shape(self.spec.horizon) };
        self.budget.fits(key, episodes, shape.bytes().saturating_mul(share))?;
        Ok(Episodes::new(share, shape))
    }

    /// Makes an empty replay buffer of `size` steps, of all environments together. An error says that the machine has
    /// too little memory, and names `key`, the key of the experiment that sets the size.
    pub fn replay(&self, size: usize, key: &str) -> Result<Replay, PlanError> {
        let shape = self.replay_shape(size);
        self.budget.fits(key, size, shape.bytes())?;
        Ok(Replay::new(shape))
    }

    fn replay_shape(&self, size: usize) -> ReplayShape {
        ReplayShape {
            size,
            envs: self.parallel,
            o: self.spec.o.len(),
            s: if self.sees_state() { self.spec.s.len() } else { 0 },
            a: self.actions(),
            memory: self.memory,
            misalign_next_windows: self.switches.misalign_next_windows,
        }
    }

    /// Returns how large the policy, a value function and an action-value function are, as far as that does not depend
    /// on the algorithm; none of them is made.
    pub(crate) fn sizes(&self) -> [Size; 3] {
        let policy = Actor::<f32>::size(self.memory, &self.actor_shape(self.gaussian()));
        [policy, Value::<f32>::size(&self.value_shape()), Q::<f32>::size(&self.q_shape(1.0))]
    }

    /// Refuses a core that a program has added where its steps do not fit: it is made, and takes a few.
    pub fn check_core(&self) -> Result<(), PlanError> {
        if self.memory.is_recurrent() { self.network.check_steps(self.core) } else { Ok(()) }
    }

    /// Adds networks with their optimisers, what a batch computes, environments and evaluations to the budget of the
    /// run. An error says that the machine has too little memory, and names the key of the experiment that sets the
    /// largest part.
    pub fn reserve(&mut self, demand: &Demand<'_>) -> Result<(), PlanError> {
        let Demand { learning, batch: (batch_key, batch), episodes, env } = *demand;
        let (memory, network) = (self.memory, &self.network);
        let (hidden, window) = (if memory.is_recurrent() { network.hidden } else { 0 }, memory.window());
        // Sizes that are out of the question are refused before anything is counted with them.
        let recurrent = hidden.saturating_mul(hidden).saturating_mul(FLOAT);
        let row = window.saturating_mul(self.spec.o.len()).saturating_mul(FLOAT);
        self.budget.fits("network.hidden", hidden, recurrent)?;
        self.budget.fits("estimator", format!("window:{window}"), row)?;

        let [policy, value, q] = self.sizes();
        // A policy that learns has a gradient and two moments, and is copied twice to be evaluated, as in a checkpoint.
        let policy_copies = if learning.is_some() { 6 } else { 1 };
        let (critic, critic_copies) = match learning {
            None | Some(Learning::Episodes) => (Size::default(), 0),
            Some(Learning::OnPolicy) => (value, 4),
            // There are two, and each has a target.
            Some(Learning::OffPolicy) => (q, 2 * 5),
        };
        let floats = policy.parameters.saturating_mul(policy_copies);
        let floats = floats.saturating_add(critic.parameters.saturating_mul(critic_copies));
        // The widest layer is named.
        let widths = [
            ("estimator", window, format!("window:{window}")),
            ("network.features", network.features, network.features.to_string()),
            ("network.critic_features", network.critic_features, network.critic_features.to_string()),
            ("network.hidden", hidden, hidden.to_string()),
        ];
        let (key, _, value) = widths.into_iter().max_by_key(|width| width.1).expect("there are widths");
        self.budget.take(key, value, floats.saturating_mul(FLOAT))?;

        let outputs = policy.outputs.saturating_add(critic.outputs).saturating_mul(KEPT * FLOAT);
        let of_batch = match learning {
            None => 0,
            // The score of each episode, and its part of the gradient.
            Some(Learning::Episodes) => policy.parameters.saturating_mul(2 * size_of::<f64>()).saturating_mul(batch),
            Some(Learning::OnPolicy) => {
                // Whole episodes are shown once, whatever their length.
                let through = memory.is_through_time() && !memory.is_whole();
                let window = if through { memory.steps() } else { self.value_window().unwrap_or(1) };
                let steps = window.min(self.spec.horizon);
                // One segment may be more than a minibatch.
                let rows = batch.max(memory.segment().unwrap_or(1).min(self.spec.horizon));
                outputs.saturating_mul(steps).saturating_add(row).saturating_mul(rows)
            }
            Some(Learning::OffPolicy) => {
                let gradients = policy.parameters.saturating_mul(FLOAT).saturating_mul(batch.div_ceil(PIECE));
                // The last segment of a batch is whole.
                let more = memory.segment().map_or(0, |len| len.min(self.spec.horizon) - 1);
                outputs.saturating_add(row).saturating_mul(batch.saturating_add(more)).saturating_add(gradients)
            }
        };
        self.budget.take(batch_key, batch, of_batch)?;

        let acting = policy.outputs.saturating_mul(FLOAT).saturating_add(acting_bytes(&self.spec, memory));
        let env = acting.saturating_add(env);
        let parallel = if learning.is_some() { self.parallel } else { 0 };
        self.budget.take("env.parallel", parallel, env.saturating_mul(parallel))?;
        self.budget.take("evaluation.episodes", episodes, env.saturating_mul(episodes))
    }
}
