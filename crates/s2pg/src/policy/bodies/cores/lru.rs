//! The linear recurrent unit.

use crate::nn::{Activation, Builder, Init, Linear, Parameters, Real, Steps, Tensor};
use crate::policy::bodies::core::{Core, unrolled};

/// n complex numbers that turn and shrink on their own, whose state is [Re z, Im z] (Orvieto et al. 2023): z' = λ z +
/// √(1 − |λ|²) (W u + d), where u is the input and λ = exp(−exp(ν) + i exp(θ)), so that |λ| < 1 whatever the parameters
/// ν and θ.
#[derive(Clone, Debug)]
pub struct Lru {
    n: usize,
    nu: usize,
    theta: usize,
    drive: Linear,
}

impl Lru {
    /// Makes `n` units with inputs of `inputs` entries; the parameters are drawn by `b`: at first λ is uniform on the
    /// part of the ring from 0.9 to 0.999 with an angle below π / 10.
    pub fn new<T: Real>(b: &mut Builder<'_, T>, inputs: usize, n: usize) -> Self {
        let (low, high) = (0.9f64, 0.999f64);
        let nu = b.drawn("nu", (1, n), |rng| (-0.5 * rng.range(low * low, high * high).ln()).ln());
        let theta = b.drawn("theta", (1, n), |rng| (rng.range(0.01, 1.0) * std::f64::consts::PI / 10.0).ln());
        Self { n, nu, theta, drive: Linear::new(b, "drive", inputs, 2 * n, Activation::Identity, Init::FanIn) }
    }

    /// Returns the next states from W u + d, [B, 2 n], and the states before, [B, 2 n].
    fn turn<T: Real>(&self, p: &Parameters<T>, drive: &Tensor<T>, z: &Tensor<T>) -> Tensor<T> {
        let n = self.n;
        let decay = Tensor::param(p, self.nu).exp();
        let size = (&decay * -1.0).exp();
        let angle = Tensor::param(p, self.theta).exp();
        let (re, im) = (&size * angle.cos(), &size * angle.sin());
        // 1 - exp(-2 x) = 2 t / (1 + t) with t = tanh x, which is above 0 even where |λ| rounds to 1.
        let t = decay.tanh();
        let gain = (&t * 2.0 / (t + 1.0)).sqrt();
        let (x, y) = (z.columns(0..n), z.columns(n..2 * n));
        let next = |a: Tensor<T>, from: usize| a + &gain * drive.columns(from..from + n);
        Tensor::concat(&[&next(&re * &x - &im * &y, 0), &next(&re * &y + &im * &x, n)])
    }
}

impl<T: Real> Core<T> for Lru {
    fn state_size(&self) -> usize {
        2 * self.n
    }

    fn step(&self, p: &Parameters<T>, inputs: &Tensor<T>, states: &Tensor<T>) -> Tensor<T> {
        self.turn(p, &self.drive.forward(p, inputs), states)
    }

    /// Nothing holds a linear unit within [-1, 1].
    fn bounded(&self) -> usize {
        0
    }

    /// The input's half of all steps is one product.
    fn unroll(&self, p: &Parameters<T>, inputs: &Tensor<T>, state: &Tensor<T>, steps: Steps) -> Tensor<T> {
        unrolled(&self.drive.forward(p, inputs), state, steps, |drive, z| self.turn(p, drive, z))
    }
}
