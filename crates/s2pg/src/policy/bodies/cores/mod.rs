//! The cores of this library that are no cells: differential equations, and linear recurrences. Each is a file, and a
//! line of the list below.

mod coupling;
mod cpg;
mod hopf;
mod kuramoto;
mod lru;
mod matsuoka;
mod min_gru;
mod neural_ode;

use std::sync::Arc;

pub use cpg::Cpg;
pub use hopf::Hopf;
pub use kuramoto::Kuramoto;
pub use lru::Lru;
pub use matsuoka::Matsuoka;
pub use min_gru::MinGru;
pub use neural_ode::NeuralOde;

use super::core::Core;
use super::dynamics::{Clock, Integrated};
use crate::nn::{Builder, Real};

/// A core of this library that is no cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoreKind {
    /// Coupled oscillators with phase and amplitude: [`Cpg`].
    Cpg,
    /// [`Hopf`].
    Hopf,
    /// [`Kuramoto`].
    Kuramoto,
    /// [`Matsuoka`].
    Matsuoka,
    /// [`NeuralOde`].
    NeuralOde,
    /// [`Lru`].
    Lru,
    /// [`MinGru`].
    MinGru,
}

impl CoreKind {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Cpg, Self::Hopf, Self::Kuramoto, Self::Matsuoka, Self::NeuralOde, Self::Lru, Self::MinGru];

    /// Returns the name by which experiments choose the core.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpg => "cpg",
            Self::Hopf => "hopf",
            Self::Kuramoto => "kuramoto",
            Self::Matsuoka => "matsuoka",
            Self::NeuralOde => "neuralode",
            Self::Lru => "lru",
            Self::MinGru => "mingru",
        }
    }

    /// Returns one line about the core.
    pub fn about(self) -> &'static str {
        match self {
            Self::Cpg => "coupled oscillators with phase and amplitude, which read no input",
            Self::Hopf => "Hopf oscillators",
            Self::Kuramoto => "coupled phases",
            Self::Matsuoka => "neurons that inhibit each other and tire",
            Self::NeuralOde => "a neural differential equation with a leak",
            Self::Lru => "linear recurrent unit, complex and diagonal",
            Self::MinGru => "minimal gated unit, whose gates read the input alone",
        }
    }

    /// Makes the core with inputs of `inputs` entries and `n` units; its parameters are drawn by `b`. A differential
    /// equation is solved by `clock`.
    pub fn build<T: Real>(self, b: &mut Builder<'_, T>, inputs: usize, n: usize, clock: Clock) -> Arc<dyn Core<T>> {
        match self {
            Self::Cpg => Arc::new(Integrated::new(Arc::new(Cpg::new(b, n)), clock)),
            Self::Hopf => Arc::new(Integrated::new(Arc::new(Hopf::new(b, inputs, n)), clock)),
            Self::Kuramoto => Arc::new(Integrated::new(Arc::new(Kuramoto::new(b, inputs, n)), clock)),
            Self::Matsuoka => Arc::new(Integrated::new(Arc::new(Matsuoka::new(b, inputs, n)), clock)),
            Self::NeuralOde => Arc::new(Integrated::new(Arc::new(NeuralOde::new(b, inputs, n)), clock)),
            Self::Lru => Arc::new(Lru::new(b, inputs, n)),
            Self::MinGru => Arc::new(MinGru::new(b, inputs, n)),
        }
    }
}
