//! Policies over the extended action u = (a, z'), and critics of the extended state x = (s, z).

use crate::nn::{Params, Real, Tensor};
use crate::state::State;

mod bodies;
mod context;
mod dist;
mod memory;

pub use bodies::{
    Actor, ActorShape, Core, Head, PolicyKind, Q, QKind, QShape, Trunk, TrunkShape, Value, ValueShape, View,
};
pub use context::{Context, Extended, LogProb};
pub use dist::{Bounds, Dist, Gaussian, Support};
pub use memory::{Memory, WHOLE};

/// A policy with (or without) memory: (a, z') ~ pi(., . | o, z).
pub trait StatefulPolicy<T: Real = f32>: Params<T> + State + Clone + Send + Sync {
    /// What the policy remembers.
    fn memory(&self) -> Memory;
    /// Numbers in its state; 0 without one.
    fn state_size(&self) -> usize {
        self.memory().state()
    }
    /// The distribution of (a, z'): the only thing that an algorithm asks.
    fn dist(&self, x: &Context<T>) -> Dist<T>;
}

/// A value function V(x), or an action-value function Q(x, u).
pub trait Critic<T: Real = f32>: Params<T> + State + Clone + Send + Sync {
    /// The value of each sample, [B, 1].
    fn value(&self, x: &Context<T>, u: Option<&Extended<T>>) -> Tensor<T>;
}
