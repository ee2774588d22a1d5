//! The networks of the paper: a recurrent trunk, and the actors and critics that are built on it.

mod actor;
mod q;
mod trunk;
mod value;

pub use actor::{Actor, ActorShape, Head, PolicyKind};
pub use q::{Q, QKind, QShape};
pub use trunk::{Core, Trunk, TrunkShape};
pub use value::{Value, ValueShape, View};
