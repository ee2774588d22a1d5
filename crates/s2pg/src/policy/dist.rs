//! Distributions over the extended action.

use super::{Extended, LogProb};
use crate::nn::{Real, Tensor};
use crate::rng::Rng;

/// A diagonal Gaussian; the log-std is one row for all samples, or one for each.
#[derive(Clone, Debug)]
pub struct Gaussian<T: Real = f32> {
    /// Means, [B, n].
    pub mean: Tensor<T>,
    /// Logarithms of the standard deviations as learned, [1, n] or [B, n].
    pub log_std: Tensor<T>,
    /// The same, held within [-20, 2]: what the density uses, as published.
    clamped: Tensor<T>,
}

impl<T: Real> Gaussian<T> {
    /// With this mean and log-std.
    pub fn new(mean: Tensor<T>, log_std: Tensor<T>) -> Self {
        let clamped = log_std.clip(-20.0, 2.0);
        Self { mean, log_std, clamped }
    }

    /// A sample, without history.
    fn sample(&self, rng: &mut Rng) -> Tensor<T> {
        let (rows, n) = self.mean.shape();
        let std: Vec<T> = self.clamped.data().iter().map(|s| s.exp()).collect();
        Tensor::with(rows, n, |x| {
            for (i, (x, m)) in x.iter_mut().zip(self.mean.data()).enumerate() {
                *x = *m + std[i % std.len()] * T::of(rng.normal());
            }
        })
    }

    fn log_prob(&self, x: &Tensor<T>) -> Tensor<T> {
        Tensor::gaussian_log_prob(x, &self.mean, &self.clamped)
    }

    /// Mean over samples of n/2 ln(2 pi e) + sum of log-stds.
    fn entropy(&self) -> Tensor<T> {
        let constant = 0.5 * (2.0 * std::f64::consts::PI * std::f64::consts::E).ln();
        let n = self.log_std.cols();
        (&self.log_std + constant).mean() * n as f64
    }
}

/// pi(a, z' | x) = N(a) N(z'), and the deterministic next state of a network that is trained through time.
#[derive(Clone, Debug)]
pub struct Dist<T: Real = f32> {
    /// Of the action.
    pub a: Gaussian<T>,
    /// Of the next state.
    pub z: Option<Gaussian<T>>,
    /// The recurrent network's next cached state.
    pub h: Option<Tensor<T>>,
}

impl<T: Real> Dist<T> {
    /// A draw of (a, z'), without history.
    pub fn sample(&self, rng: &mut Rng) -> Extended<T> {
        Extended { a: self.a.sample(rng), z: self.z.as_ref().map(|z| z.sample(rng)) }
    }

    /// The means of both, without history: a truly deterministic policy.
    pub fn mean(&self) -> Extended<T> {
        Extended { a: self.a.mean.detach(), z: self.z.as_ref().map(|z| z.mean.detach()) }
    }

    /// log pi(u | x) in its two parts.
    pub fn log_prob(&self, u: &Extended<T>) -> LogProb<T> {
        let z = self.z.as_ref().map(|z| z.log_prob(u.z.as_ref().expect("a stochastic state has a next state")));
        LogProb { a: self.a.log_prob(&u.a), z }
    }

    /// Of the pair, 1 x 1.
    pub fn entropy(&self) -> Tensor<T> {
        match &self.z {
            Some(z) => self.a.entropy() + z.entropy(),
            None => self.a.entropy(),
        }
    }
}
