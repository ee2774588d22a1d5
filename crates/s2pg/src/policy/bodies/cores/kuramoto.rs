//! Kuramoto's oscillators.

use std::f64::consts::PI;

use super::coupling::OffDiagonal;
use crate::nn::{Activation, Builder, Init, Linear, Parameters, Real, Tensor};
use crate::policy::bodies::dynamics::Dynamics;

/// n phases θ, which follow θ̇_i = ω_i + Σ_j K_ij sin(θ_j − θ_i) + (W u + d)_i, where u is the input. The rest of the
/// network, and a critic, read [sin θ, cos θ].
#[derive(Clone, Debug)]
pub struct Kuramoto {
    n: usize,
    omega: usize,
    drive: Linear,
    coupling: Option<OffDiagonal>,
}

impl Kuramoto {
    /// Makes `n` oscillators of 0.5 to 2 Hz at first with inputs of `inputs` entries; the parameters are drawn by `b`.
    pub fn new<T: Real>(b: &mut Builder<'_, T>, inputs: usize, n: usize) -> Self {
        let omega = b.drawn("omega", (1, n), |rng| 2.0 * PI * rng.range(0.5, 2.0));
        let drive = Linear::new(b, "drive", inputs, n, Activation::Identity, Init::FanIn);
        let bound = 1.0 / (n as f64).sqrt();
        Self { n, omega, drive, coupling: OffDiagonal::new(b, "coupling", n, |rng| rng.range(-bound, bound)) }
    }
}

impl<T: Real> Dynamics<T> for Kuramoto {
    fn state_size(&self) -> usize {
        self.n
    }

    fn rate(&self, p: &Parameters<T>, u: &Tensor<T>, z: &Tensor<T>) -> Tensor<T> {
        let alone = self.drive.forward(p, u) + Tensor::param(p, self.omega);
        match &self.coupling {
            None => alone,
            Some(coupling) => {
                let (k, sin, cos) = (coupling.matrix(p, |k| k), z.sin(), z.cos());
                alone + &cos * sin.product(&k) - &sin * cos.product(&k)
            }
        }
    }

    fn output_size(&self) -> usize {
        2 * self.n
    }

    fn output(&self, z: &Tensor<T>) -> Tensor<T> {
        Tensor::concat(&[&z.sin(), &z.cos()])
    }

    fn critic_size(&self) -> usize {
        2 * self.n
    }

    fn for_critic(&self, z: &Tensor<T>) -> Tensor<T> {
        self.output(z)
    }
}
