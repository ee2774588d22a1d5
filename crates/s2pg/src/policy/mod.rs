//! Policies over the extended action u = (a, z'), and critics of the extended state x = (s, z).

use crate::nn::{Params, Real, Tensor};
use crate::state::State;

mod bodies;
mod context;
mod dist;
mod memory;

pub(crate) use bodies::has_amplitudes;
pub use bodies::{
    Actor, ActorShape, Bound, Clock, Core, CoreKind, CoreShape, Cpg, Discriminator, Dynamics, Head, Hopf, Integrated,
    Kuramoto, LatentModel, LatentShape, Lru, Make, MakeCore, MakeDynamics, Matsuoka, MinGru, NeuralOde, Normal,
    OwnCore, PolicyKind, Q, QKind, QShape, Solver, Trunk, TrunkShape, Value, ValueShape, View,
};
pub use context::{Context, Extended, LogProb, Sequences};
pub use dist::{Bounds, Dist, Gaussian, LOG_STD, Support};
pub use memory::{Memory, WHOLE};

/// A policy with or without memory: (a, z') ~ π(·, · | o, z).
pub trait StatefulPolicy<T: Real = f32>: Params<T> + State + Clone + Send + Sync {
    /// Returns what the policy remembers.
    fn memory(&self) -> Memory;
    /// Returns the number of entries of the policy's state, z or h; 0 where the policy carries no state.
    fn state_size(&self) -> usize {
        self.memory().state()
    }
    /// Multiplies the standard deviations of z' by `factor`, where they are parameters of their own; does nothing
    /// elsewhere.
    fn scale_state_std(&mut self, _factor: f64) {}
    /// Returns the distribution of (a, z') for each sample of x: the only question that an algorithm asks a policy.
    fn dist(&self, x: &Context<T>) -> Dist<T>;
}

/// A value function V(x), or an action-value function Q(x, u).
pub trait Critic<T: Real = f32>: Params<T> + State + Clone + Send + Sync {
    /// Returns the value of each sample of x, [B, 1]. `u` is the extended action for Q, and is ignored by V.
    fn value(&self, x: &Context<T>, u: Option<&Extended<T>>) -> Tensor<T>;
}
