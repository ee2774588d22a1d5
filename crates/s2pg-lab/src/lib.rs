//! What stands between the library [`s2pg`] and those who use it: a command line, a Python package, a program of one's
//! own.
//!
//! [`presets`] find an experiment, [`registry`] knows every environment of the project, [`policy`] loads what a run has
//! learned, [`play`](mod@play) and [`curve`](mod@curve) draw it, [`mod@probe`] tells what it remembers, [`report`]
//! compares runs, [`export`] writes a policy in other languages, [`campaign`] plans many runs, [`variance`] compares
//! estimators of the gradient, [`gallery`] shows environments, and [`pictures`] and [`numbers`] are what all of them
//! draw and write with.
//!
//! This crate prints nothing, reads no arguments and no clock, and ends no process: every mistake is an error with a
//! type.
//!
//! ```no_run
//! use std::{path::Path, sync::Arc};
//! use s2pg::{Rng, train::evaluate};
//! use s2pg_lab::policy::{self, Which};
//!
//! let registry = Arc::new(s2pg_lab::registry());
//! let (player, make_env, experiment) = policy::load(Path::new("runs/pendulum"), Which::Best, registry)?;
//! let mut rng = Rng::new(experiment.seed, "my evaluation");
//! let evaluation = evaluate(&player, &make_env, (10, 1), true, &mut rng)?;
//! println!("{}", evaluation.mean_return());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod campaign;
pub mod curve;
mod environments;
pub mod export;
pub mod gallery;
pub mod numbers;
pub mod pictures;
pub mod play;
pub mod policy;
pub mod presets;
pub mod probe;
pub mod report;
pub mod reproduce;
pub mod variance;

pub use environments::registry;

/// The commit of which this crate was built: what `S2PG_COMMIT` said then, or git, in a build for release; or
/// `unknown`.
pub const COMMIT: &str = env!("S2PG_COMMIT");
