//! Hopf oscillators.

use std::f64::consts::PI;

use crate::nn::{Activation, Builder, Init, Linear, Parameters, Real, Tensor};
use crate::policy::bodies::dynamics::{Clock, Dynamics};

/// n Hopf oscillators, whose state is [x, y]. With ρ² = x² + y² and the gain g = (μ − ρ²) / (1 + ρ²) they follow ẋ = g
/// x − ω y and ẏ = g y + ω x + W (u, y) + d, where u is the input: each is drawn to a circle of the radius √μ, which it
/// goes round ω / 2π times a second. The gain of the textbook is μ − ρ²; it has the same circle, and makes an explicit
/// step diverge from afar.
///
/// A step turns the state by the angle ω dt, which is exact, and then follows the rest of the equation by the solver: a
/// straight step along the circle's tangent would leave the circle at every step.
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

    fn halves<T: Real>(&self, z: &Tensor<T>) -> (Tensor<T>, Tensor<T>) {
        (z.columns(0..self.n), z.columns(self.n..2 * self.n))
    }

    /// Returns the rate of change without that of the turning.
    fn pull<T: Real>(&self, p: &Parameters<T>, u: &Tensor<T>, z: &Tensor<T>) -> Tensor<T> {
        let (x, y) = self.halves(z);
        let square = x.square() + y.square();
        let gain = (Tensor::param(p, self.mu) - &square) / (square + 1.0);
        let drive = self.drive.forward(p, &Tensor::concat(&[u, &y]));
        Tensor::concat(&[&(&gain * x), &(gain * y + drive)])
    }
}

impl<T: Real> Dynamics<T> for Hopf {
    fn state_size(&self) -> usize {
        2 * self.n
    }

    fn rate(&self, p: &Parameters<T>, u: &Tensor<T>, z: &Tensor<T>) -> Tensor<T> {
        let (x, y) = self.halves(z);
        let omega = Tensor::param(p, self.omega);
        self.pull(p, u, z) + Tensor::concat(&[&(&omega * y * -1.0), &(omega * x)])
    }

    fn step(&self, p: &Parameters<T>, u: &Tensor<T>, z: &Tensor<T>, clock: Clock) -> Tensor<T> {
        let (x, y) = self.halves(z);
        let angle = Tensor::param(p, self.omega) * clock.dt;
        let (cos, sin) = (angle.cos(), angle.sin());
        let turned = Tensor::concat(&[&(&cos * &x - &sin * &y), &(sin * x + cos * y)]);
        clock.step(&turned, |z| self.pull(p, u, z))
    }
}
