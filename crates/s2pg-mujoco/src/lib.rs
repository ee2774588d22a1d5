//! Bodies and tasks on MuJoCo: the only crate with a native library. It knows no algorithms.

mod body;
mod gym;

pub use body::Body;
pub use gym::{Bare, Gym, entries};
