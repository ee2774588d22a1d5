//! The minimal gated unit.

use crate::nn::{Activation, Builder, Init, Linear, Parameters, Real, Steps, Tensor};
use crate::policy::bodies::core::{Core, unrolled};

/// n gated units whose gates read the input alone (minGRU, Feng et al. 2024): z' = (1 − g) z + g c, with g = σ(W u + d)
/// and c = V u + e, where u is the input.
#[derive(Clone, Debug)]
pub struct MinGru {
    n: usize,
    gates: Linear,
}

impl MinGru {
    /// Makes `n` units with inputs of `inputs` entries; the parameters are drawn by `b`.
    pub fn new<T: Real>(b: &mut Builder<'_, T>, inputs: usize, n: usize) -> Self {
        Self { n, gates: Linear::new(b, "gates", inputs, 2 * n, Activation::Identity, Init::FanIn) }
    }

    /// Returns the next states from the gates before their activation, [B, 2 n], and the states before, [B, n].
    fn mix<T: Real>(&self, gates: &Tensor<T>, z: &Tensor<T>) -> Tensor<T> {
        let g = gates.columns(0..self.n).sigmoid();
        z + g * (gates.columns(self.n..2 * self.n) - z)
    }
}

impl<T: Real> Core<T> for MinGru {
    fn state_size(&self) -> usize {
        self.n
    }

    fn step(&self, p: &Parameters<T>, inputs: &Tensor<T>, states: &Tensor<T>) -> Tensor<T> {
        self.mix(&self.gates.forward(p, inputs), states)
    }

    /// Nothing holds a linear candidate within [-1, 1].
    fn bounded(&self) -> usize {
        0
    }

    /// The gates of all steps are one product.
    fn unroll(&self, p: &Parameters<T>, inputs: &Tensor<T>, state: &Tensor<T>, steps: Steps) -> Tensor<T> {
        unrolled(&self.gates.forward(p, inputs), state, steps, |gates, z| self.mix(gates, z))
    }
}
