//! A neural ordinary differential equation.

use crate::nn::{Activation, Builder, Init, Linear, Parameters, Real, Tensor};
use crate::policy::bodies::dynamics::Dynamics;

/// n numbers that follow ż = W₂ tanh(W₁ (u, z) + b₁) + b₂ − z, where u is the input (Chen et al. 2018, with a leak, so
/// that no state grows without end).
#[derive(Clone, Debug)]
pub struct NeuralOde {
    n: usize,
    hidden: Linear,
    rate: Linear,
}

impl NeuralOde {
    /// Makes an equation of `n` numbers, with a hidden layer as wide and inputs of `inputs` entries; the parameters are
    /// drawn by `b`.
    pub fn new<T: Real>(b: &mut Builder<'_, T>, inputs: usize, n: usize) -> Self {
        let hidden = Linear::new(b, "hidden", inputs + n, n, Activation::Tanh, Init::FanIn);
        Self { n, hidden, rate: Linear::new(b, "rate", n, n, Activation::Identity, Init::FanIn) }
    }
}

impl<T: Real> Dynamics<T> for NeuralOde {
    fn state_size(&self) -> usize {
        self.n
    }

    fn rate(&self, p: &Parameters<T>, u: &Tensor<T>, z: &Tensor<T>) -> Tensor<T> {
        self.rate.forward(p, &self.hidden.forward(p, &Tensor::concat(&[u, z]))) - z
    }
}
