//! The networks of the paper: a recurrent trunk, the actors and critics that are built on it, and the discriminator of
//! imitation.

mod actor;
mod core;
mod discriminator;
mod q;
mod trunk;
mod value;

pub use actor::{Actor, ActorShape, Head, PolicyKind};
pub use core::{Core, CoreShape, MakeCore, OwnCore};
pub use discriminator::Discriminator;
pub use q::{Q, QKind, QShape};
pub use trunk::{Trunk, TrunkShape};
pub use value::{Value, ValueShape, View};
