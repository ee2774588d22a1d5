//! Policies with memory, trained without backpropagation through time.

pub mod algo;
pub mod data;
pub mod env;
pub mod nn;
pub mod policy;
pub mod rng;
pub mod state;
pub mod theory;
pub mod train;

pub use env::{Env, EnvError, EnvSpec, Outcome};
pub use rng::Rng;
pub use state::{State, Visitor};
