//! A run in its directory: what is written when, how a run goes on, and how a divergence is made again.

pub mod checkpoint;
mod directory;
pub mod disk;
mod error;
pub mod events;
mod kept;
mod model;
pub mod rerun;
mod table;
mod timetable;

pub use directory::{Progress, Run};
pub use error::RunError;
pub use model::{ModelError, load_model, save_model};
pub use table::Table;
