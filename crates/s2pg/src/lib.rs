//! Reinforcement learning for policies that have to remember.
//!
//! A policy that does not see everything needs a memory z. Stochastic stateful policy gradients (S2PG, from
//! "Time-Efficient Reinforcement Learning with Stochastic Stateful Policies", ICLR 2024) make the memory a part of what
//! is decided: the policy draws its next memory together with its action, (a, z') ~ π(·, · | o, z). The memory is then
//! data like the observation o. No gradient goes through time, a sample of the training is one step, and every
//! policy-gradient algorithm holds as it stands.
//!
//! An experiment names an algorithm, an estimator of the gradient and an environment. In the T-maze the policy has to
//! remember a cue until it reaches the end of a corridor:
//!
//! ```
//! use std::sync::Arc;
//!
//! use s2pg::env::Registry;
//! use s2pg::experiment::{Experiment, build};
//!
//! let text = r#"
//!     algorithm = "ppo"
//!     estimator = "rs"        # the next memory is drawn; also bptt:K, window:K, vanilla, oracle
//!     steps = 400
//!     env = { name = "TMaze-v0", corridor = 3, parallel = 4 }
//!     network = { features = 16, critic_features = 16, hidden = 8 }
//!     ppo = { steps = 200, minibatch = 50, lr = 1e-3, value_lr = 1e-3 }
//! "#;
//! let experiment = Experiment::parse("the example", text, &["seed=1".to_string()])?;
//! let mut training = build(&experiment, Arc::new(Registry::new()), 1)?;
//! let mut updates = 0;
//! while training.steps() < experiment.steps {
//!     updates += usize::from(training.step()?.is_some());
//! }
//! assert_eq!((training.steps(), updates), (400, 2));
//! assert_eq!(training.episodes().count(), 100);
//!
//! // Every episode ends with a reward of +1 for the side of the cue, or of -1.
//! let evaluation = training.evaluate(20, true, "evaluation")?;
//! assert!((-1.0..=1.0).contains(&evaluation.mean_return()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The estimators that the paper compares are kinds of [`Memory`], not kinds of algorithm:
//!
//! |                   | a sample is one step             | a sample is K steps                            |
//! |-------------------|----------------------------------|------------------------------------------------|
//! | no state          | `vanilla`, `oracle`              | `window:K`: the last K observations            |
//! | a state is stored | `rs`: z' is drawn with a         | `bptt:K`: the state is recomputed over K steps |
//!
//! The modules, from the bottom up; each uses only modules above it in the list:
//!
//! - [`state`] and [`rng`]: what a checkpoint holds, and the random generator;
//! - [`env`](mod@env): environments, wrappers, and the registry that makes them by name;
//! - [`nn`]: tensors with automatic differentiation, layers, recurrent cells, and the optimiser;
//! - [`policy`]: the context x, the extended action u = (a, z'), distributions, policies and critics;
//! - [`data`]: transitions, rollouts, whole episodes, the replay buffer, and demonstrations;
//! - [`plan`]: the sizes of a run, and the policies, critics and buffers of these sizes;
//! - [`algo`]: PPO, TRPO, REINFORCE, GPOMDP, SAC, TD3, DDPG, SLAC, GAIL and LS-IQ, a file each;
//! - [`train`]: the loop, players, and evaluations;
//! - [`experiment`]: the keys that decide a run, and the training that is built from them;
//! - [`run`]: a run in its directory, with checkpoints, tables, and the replay of a divergence;
//! - [`results`]: the files of runs read again, and statistics over seeds and tasks;
//! - [`theory`]: the paper's theorems and bounds as numbers, on tasks that are solved in closed form.

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
