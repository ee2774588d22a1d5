//! A sample of a Gaussian that a hyperbolic tangent has squashed, beside its log-density.

use super::gaussian::HALF_LN_2PI;
use super::operation::Operation;
use crate::nn::graph::{Sink, give, needed};
use crate::nn::kernels::{each, kernel, sum_inline};
use crate::nn::pool::Buffer;
use crate::nn::program::{Program, Row};
use crate::nn::real::Real;
use crate::nn::tensor::Tensor;

pub(in crate::nn) struct Squash<T: Real> {
    /// The mean, the logarithm of the standard deviation, and the noise.
    parents: [Tensor<T>; 3],
}

impl<T: Real> Tensor<T> {
    /// A reparameterised sample of a squashed Gaussian and its log-density, [B, n + 1].
    ///
    /// `mean`, `log_std` (the logarithm of the standard deviation) and `noise` are [B, n]; the method panics on other
    /// shapes. With q = mean + exp(log_std) noise, the first n columns of the result are t = tanh(q). The last column
    /// is the sum over columns of log N(q) - ln(1 - t² + 1e-6): the published form, on the scale of [-1, 1]. No
    /// gradient flows to the noise.
    pub fn squashed_sample(mean: &Self, log_std: &Self, noise: &Self) -> Self {
        let (rows, n) = mean.shape();
        assert_eq!(log_std.shape(), (rows, n), "log-std of a mean {:?}", mean.shape());
        assert_eq!(noise.shape(), (rows, n), "noise of a mean {:?}", mean.shape());
        let mut y = Buffer::new(rows * (n + 1));
        squashed_samples(&mut y, &mut Buffer::new(n), mean.data(), log_std.data(), noise.data());
        Self::node(rows, n + 1, y, Squash { parents: [mean.clone(), log_std.clone(), noise.clone()] })
    }
}

impl<T: Real> Operation<T> for Squash<T> {
    fn parents(&self) -> &[Tensor<T>] {
        &self.parents
    }

    fn write(&self, _: &mut Program, _: &[Row]) -> Result<Row, &'static str> {
        Err("the density of a squashed draw")
    }

    fn backward(self, y: &Tensor<T>, g: Buffer<T>, _: &mut Sink<'_, T>) {
        let [mean, log_std, noise] = self.parents;
        let (rows, n) = mean.shape();
        let mut dmean = Buffer::new(rows * n);
        let mut dlog_std = Buffer::new(rows * n);
        squash_slopes(&mut dmean, &mut dlog_std, log_std.data(), noise.data(), y.data(), &g, n);
        if needed(&mean) {
            give(&mean, dmean);
        }
        if needed(&log_std) {
            give(&log_std, dlog_std);
        }
    }
}

kernel! {
    /// Squashed samples of rows, each followed by its log-density.
    fn squashed_samples<'a, T: Real>(
        y: &'a mut [T],
        terms: &'a mut [T],
        mean: &'a [T],
        log_std: &'a [T],
        noise: &'a [T],
    ) -> () {
        let n = terms.len();
        let constant = T::of(n as f64 * HALF_LN_2PI);
        let rows = mean.chunks_exact(n).zip(log_std.chunks_exact(n)).zip(noise.chunks_exact(n));
        for (y, ((mean, log_std), noise)) in y.chunks_exact_mut(n + 1).zip(rows) {
            let (y, density) = y.split_at_mut(n);
            each!(y, [m = mean, s = log_std, e = noise], (m + s.exp() * e).tanh());
            each!(terms, [t = y, s = log_std, e = noise], {
                T::of(-0.5) * e * e - s - (T::ONE - t * t + T::of(1e-6)).ln()
            });
            density[0] = sum_inline(terms, |x| x) - constant;
        }
    }
}

kernel! {
    /// From the gradients of squashed samples and of their log-densities to those of means and log-stds.
    fn squash_slopes<'a, T: Real>(
        dmean: &'a mut [T],
        dlog_std: &'a mut [T],
        log_std: &'a [T],
        noise: &'a [T],
        y: &'a [T],
        g: &'a [T],
        n: usize,
    ) -> () {
        let rows = dmean.chunks_exact_mut(n).zip(dlog_std.chunks_exact_mut(n));
        let rows = rows.zip(log_std.chunks_exact(n).zip(noise.chunks_exact(n)));
        for (((dm, ds), (s, e)), (t, g)) in rows.zip(y.chunks_exact(n + 1).zip(g.chunks_exact(n + 1))) {
            ds.fill(g[n]);
            each!(dm, [t = t, g = g, density = ds], {
                let slope = T::ONE - t * t;
                g * slope + density * (T::of(2.0) * t * slope / (slope + T::of(1e-6)))
            });
            each!(ds, [dm = dm, s = s, e = e], dm * s.exp() * e);
            ds.iter_mut().for_each(|ds| *ds = *ds - g[n]);
        }
    }
}
