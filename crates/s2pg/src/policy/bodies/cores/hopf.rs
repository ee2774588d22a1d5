//! Hopf oscillators.

use std::f64::consts::PI;

use crate::nn::{Activation, Builder, Init, Linear, Parameters, Real, Tensor};
use crate::policy::bodies::dynamics::Dynamics;

/// n Hopf oscillators, whose state is [x, y]. With ρ² = x² + y² and the gain g = (μ − ρ²) / (1 + ρ²) they follow ẋ = g
/// x − ω y and ẏ = g y + ω x + W (u, y) + d, where u is the input: each is drawn to a circle of the radius √μ, which it
/// goes round ω / 2π times a second. The gain of the textbook is μ − ρ²; it has the same circle, and makes an explicit
/// step diverge from afar.
#[derive(Clone, Debug)]
pub struct Hopf {
    n: usize,
    mu: usize,
    omega: usize,
    drive: Linear,
}

impl Hopf {
    /// Makes `n` oscillators of 0.5 to 2 Hz at first with inputs of `inputs` entries; the parameters are drawn by `b`.
    pub fn new<T: Real>(b: &mut Builder<'_, T>, inputs: usize, n: usize) -> Self {
        let omega = b.drawn("omega", (1, n), |rng| 2.0 * PI * rng.range(0.5, 2.0));
        let drive = Linear::new(b, "drive", inputs + n, n, Activation::Identity, Init::FanIn);
        Self { n, mu: b.constant("mu", n, 1.0), omega, drive }
    }
}

impl<T: Real> Dynamics<T> for Hopf {
    fn state_size(&self) -> usize {
        2 * self.n
    }

    fn rate(&self, p: &Parameters<T>, u: &Tensor<T>, z: &Tensor<T>) -> Tensor<T> {
        let (x, y) = (z.columns(0..self.n), z.columns(self.n..2 * self.n));
        let (mu, omega) = (Tensor::param(p, self.mu), Tensor::param(p, self.omega));
        let square = x.square() + y.square();
        let gain = (mu - &square) / (square + 1.0);
        let drive = self.drive.forward(p, &Tensor::concat(&[u, &y]));
        Tensor::concat(&[&(&gain * &x - &omega * &y), &(gain * y + omega * x + drive)])
    }
}
