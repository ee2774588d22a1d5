//! Bodies and tasks on MuJoCo: the only crate with a native library. It knows no algorithms.

mod body;
mod gym;
mod sum;
mod tasks;

pub use body::Body;
pub use gym::{Bare, Gym};
pub use tasks::entries;
