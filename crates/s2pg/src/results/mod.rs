//! The results of runs: their files are read again here, and statistics tell how far the numbers can be trusted.

pub mod probe;
mod reading;
pub mod statistics;

pub use reading::{Columns, Curve, ReadError, STEPS, best_evaluation, experiment};
