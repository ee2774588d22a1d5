//! Matsuoka's oscillators.

use super::coupling::OffDiagonal;
use crate::nn::{Activation, Builder, Init, Linear, Parameters, Real, Tensor};
use crate::policy::bodies::dynamics::Dynamics;

/// n neurons that inhibit each other and tire, whose state is [x, f] (Matsuoka 1985): ẋ = k (−x − β f − A y + W u + d)
/// and ḟ = q (y − f), where y = max(x, 0) is the firing rate, which the rest of the network reads, and u the input.
///
/// The rates k and q are 10 σ(θ) of parameters, so that an explicit step below 0.2 s damps them; β and A are
/// softplus(θ), and A has no diagonal.
#[derive(Clone, Debug)]
pub struct Matsuoka {
    n: usize,
    k: usize,
    q: usize,
    beta: usize,
    drive: Linear,
    inhibition: Option<OffDiagonal>,
}

/// The largest of the rates k and q, a second.
const FASTEST: f64 = 10.0;

impl Matsuoka {
    /// Makes `n` neurons with inputs of `inputs` entries; the parameters are drawn by `b`. At first k is 4 and q is 2 a
    /// second, β is 2.5, and neurons inhibit each other by 2 / (n − 1) to 3 / (n − 1).
    pub fn new<T: Real>(b: &mut Builder<'_, T>, inputs: usize, n: usize) -> Self {
        let logit = |rate: f64| (rate / (FASTEST - rate)).ln();
        let softplus_of = |x: f64| x.exp_m1().ln();
        let drive = Linear::new(b, "drive", inputs, n, Activation::Identity, Init::FanIn);
        let others = (n.max(2) - 1) as f64;
        Self {
            n,
            k: b.constant("k", n, logit(4.0)),
            q: b.constant("q", n, logit(2.0)),
            beta: b.constant("beta", n, softplus_of(2.5)),
            drive,
            inhibition: OffDiagonal::new(b, "inhibition", n, |rng| softplus_of(rng.range(2.0, 3.0) / others)),
        }
    }
}

impl<T: Real> Dynamics<T> for Matsuoka {
    fn state_size(&self) -> usize {
        2 * self.n
    }

    fn rate(&self, p: &Parameters<T>, u: &Tensor<T>, z: &Tensor<T>) -> Tensor<T> {
        let (x, f) = (z.columns(0..self.n), z.columns(self.n..2 * self.n));
        let speed = |slot| Tensor::param(p, slot).sigmoid() * FASTEST;
        let y = x.relu();
        let driven = self.drive.forward(p, u) - x - Tensor::param(p, self.beta).softplus() * &f;
        let driven = match &self.inhibition {
            None => driven,
            Some(a) => driven - y.product(&a.matrix(p, |a| a.softplus())),
        };
        Tensor::concat(&[&(speed(self.k) * driven), &(speed(self.q) * (y - f))])
    }

    fn output_size(&self) -> usize {
        self.n
    }

    fn output(&self, z: &Tensor<T>) -> Tensor<T> {
        z.columns(0..self.n).relu()
    }
}
