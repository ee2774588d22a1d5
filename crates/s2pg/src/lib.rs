//! Policies with memory, in the time that others need for policies without.
//!
//! A policy under partial observability needs a memory z. S2PG ("Time-Efficient Reinforcement Learning with Stochastic
//! Stateful Policies", ICLR 2024) makes the next memory a random variable that is drawn with the action:
//!
//! ```text
//!   (a, z') ~ π(·, · | o, z)         u = (a, z') is the extended action,  x = (s, z) the extended state
//!
//!   ∇J(θ) = E[ Σ_t ∇ log π(a_t, z_{t+1} | o_t, z_t) · G ]                              Lemma 2.1, Corollary 2.4
//!         = ∫ ρ(x) ∫ ∇π(u | x) Q(x, u) du dx                                           Theorem 2.2
//!   J(π) − J(q) = E_π[ Σ_t γ^t A_q(x_t, u_t) ]                                         Lemma A.1: PPO, TRPO
//! ```
//!
//! z_t is data like o_t: no gradient goes through time, and every algorithm for x and u holds unchanged. So the types
//! say u ([`Extended`]) and the algorithms ask a policy for one thing, its distribution ([`StatefulPolicy::dist`]). What
//! the paper compares are kinds of [`Memory`], not kinds of algorithm:
//!
//! |                | one step per sample           | K steps per sample                   |
//! |----------------|-------------------------------|--------------------------------------|
//! | nothing stored | vanilla, oracle               | window: the last K observations      |
//! | state stored   | RS: z' is drawn, z' is in u   | BPTT: h' is recomputed over K steps  |
//!
//! From the bottom up: [`nn`] (tensors, cells, the optimiser), [`policy`], [`data`] (rollouts), [`algo`] (one box a file),
//! [`train`] (the loop, experiments, checkpoints); beside them [`env`](mod@env) (environments, which know no tensors) and
//! [`theory`] (exact gradients that the estimators are tested against).

pub mod algo;
pub mod data;
pub mod env;
pub mod experiment;
pub mod nn;
pub mod plan;
pub mod policy;
pub mod results;
pub mod rng;
pub mod run;
pub mod state;
pub mod theory;
pub mod train;

pub use algo::Algorithm;
pub use env::{Env, EnvError, EnvSpec, Outcome};
pub use experiment::Experiment;
pub use policy::{Context, Extended, Memory, StatefulPolicy};
pub use rng::Rng;
pub use state::{State, Visitor};
