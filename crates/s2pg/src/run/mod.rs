//! Runs. A run is an experiment that is trained in a directory of its own. This module says what is written there and
//! when, how a run is resumed, and how a divergence is repeated.

pub mod checkpoint;
mod directory;
pub mod disk;
mod error;
pub mod events;
mod format;
mod former;
mod inputs;
mod kept;
mod log;
mod model;
pub mod protobuf;
mod rerun;
mod table;
mod timetable;
mod warm;

pub use directory::{Progress, Run, changed_since};
pub use error::RunError;
pub use inputs::hash;
pub use model::{ModelError, load_model, model_metadata, save_model, verify_model};
pub use rerun::{Rerun, rerun};
pub use table::Table;
