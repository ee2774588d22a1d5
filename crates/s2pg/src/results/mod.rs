//! What runs have shown: their files read again, and what the numbers are worth.

mod reading;
pub mod statistics;

pub use reading::{Columns, Curve, ReadError, STEPS, best_evaluation, experiment};
