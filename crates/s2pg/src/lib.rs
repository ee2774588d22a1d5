//! Policies with memory, trained without backpropagation through time.

pub mod env;
pub mod nn;
pub mod rng;
pub mod state;

pub use env::{Env, EnvError, EnvSpec, Outcome};
pub use rng::Rng;
pub use state::{State, Visitor};
