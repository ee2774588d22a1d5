//! The networks of the paper: a recurrent trunk, and the actors and critics that are built on it.

mod actor;
mod core;
mod q;
mod trunk;
mod value;

pub use actor::{Actor, ActorShape, Head, PolicyKind};
pub use core::{Core, CoreShape, MakeCore, OwnCore};
pub use q::{Q, QKind, QShape};
pub use trunk::{Trunk, TrunkShape};
pub use value::{Value, ValueShape, View};
