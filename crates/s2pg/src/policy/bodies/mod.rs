//! The networks of the paper: a recurrent trunk, the actors and critics that are built on it, the discriminator of
//! imitation, and the latent model of SLAC.

mod actor;
mod core;
mod core_shape;
mod cores;
mod discriminator;
mod dynamics;
mod emitter;
mod latent;
mod q;
mod shape;
mod trunk;
mod value;

pub use actor::Actor;
pub use core::Core;
pub use core_shape::{CoreShape, Make, MakeCore, MakeDynamics, OwnCore};
pub use cores::{CoreKind, Cpg, Hopf, Kuramoto, Lru, Matsuoka, MinGru, NeuralOde};
pub use discriminator::Discriminator;
pub use dynamics::{Clock, Dynamics, Integrated, Solver};
pub(crate) use emitter::has_amplitudes;
pub use latent::{Bound, LatentModel, LatentShape, Normal};
pub use q::{Q, QKind, QShape};
pub use shape::{ActorShape, Head, PolicyKind};
pub use trunk::{Trunk, TrunkShape};
pub use value::{Value, ValueShape, View};
