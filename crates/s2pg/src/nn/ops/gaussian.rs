//! The log-density of a Gaussian.

use super::operation::Operation;
use crate::nn::graph::{Sink, give, needed};
use crate::nn::kernels::{each, kernel, map, sum_inline};
use crate::nn::pool::Buffer;
use crate::nn::program::{Program, Row};
use crate::nn::real::Real;
use crate::nn::tensor::Tensor;

/// ln(2 pi) / 2.
pub(super) const HALF_LN_2PI: f64 = 0.918_938_533_204_672_7;

pub(in crate::nn) struct Gaussian<T: Real> {
    /// The sample, the mean, and the logarithm of the standard deviation.
    parents: [Tensor<T>; 3],
}

impl<T: Real> Tensor<T> {
    /// The log-density of each row of `x` under a Gaussian with a diagonal covariance, summed over columns: [B, 1].
    ///
    /// `x` and `mean` are [B, n]. `log_std`, the logarithm of the standard deviation, is [1, n] or [B, n]. Panics on
    /// other shapes.
    pub fn gaussian_log_prob(x: &Self, mean: &Self, log_std: &Self) -> Self {
        let (rows, n) = mean.shape();
        assert_eq!(x.shape(), mean.shape(), "sample {:?} of a mean {:?}", x.shape(), mean.shape());
        let fits = log_std.shape() == (1, n) || log_std.shape() == (rows, n);
        assert!(fits, "log-std {:?} of a mean {:?}", log_std.shape(), mean.shape());
        let mut y = Buffer::new(rows);
        log_densities(&mut y, &mut Buffer::new(n), x.data(), mean.data(), log_std.data());
        Self::node(rows, 1, y, Gaussian { parents: [x.clone(), mean.clone(), log_std.clone()] })
    }
}

impl<T: Real> Operation<T> for Gaussian<T> {
    fn parents(&self) -> &[Tensor<T>] {
        &self.parents
    }

    fn write(&self, _: &mut Program, _: &[Row]) -> Result<Row, &'static str> {
        Err("the density of a draw")
    }

    fn backward(self, _: &Tensor<T>, g: Buffer<T>, _: &mut Sink<'_, T>) {
        let [x, mean, log_std] = self.parents;
        let (rows, n) = mean.shape();
        let mut dmean = Buffer::new(rows * n);
        let mut dlog_std = Buffer::zeros(log_std.data().len());
        log_density_slopes(&mut dmean, &mut dlog_std, x.data(), mean.data(), log_std.data(), &g, &mut Buffer::new(n));
        if needed(&log_std) {
            give(&log_std, dlog_std);
        }
        if needed(&x) {
            let mut dx = Buffer::new(dmean.len());
            map!(&mut dx, &dmean, |d| -d);
            give(&x, dx);
        }
        if needed(&mean) {
            give(&mean, dmean);
        }
    }
}

kernel! {
    /// Gaussian log-densities of rows; `log_std` has one row, or one for each.
    fn log_densities<'a, T: Real>(
        y: &'a mut [T],
        terms: &'a mut [T],
        x: &'a [T],
        mean: &'a [T],
        log_std: &'a [T],
    ) -> () {
        let n = terms.len();
        let constant = T::of(n as f64 * HALF_LN_2PI);
        let rows = x.chunks_exact(n).zip(mean.chunks_exact(n)).zip(log_std.chunks_exact(n).cycle());
        for (y, ((x, mean), log_std)) in y.iter_mut().zip(rows) {
            each!(terms, [x = x, m = mean, s = log_std], {
                let d = (x - m) * (-s).exp();
                T::of(-0.5) * d * d - s
            });
            *y = sum_inline(terms, |x| x) - constant;
        }
    }
}

kernel! {
    /// Adds to `dlog_std` (one row, or one for each) and writes `dmean`.
    fn log_density_slopes<'a, T: Real>(
        dmean: &'a mut [T],
        dlog_std: &'a mut [T],
        x: &'a [T],
        mean: &'a [T],
        log_std: &'a [T],
        g: &'a [T],
        inverse: &'a mut [T],
    ) -> () {
        let n = inverse.len();
        let one = dlog_std.len() == n;
        let rows = dmean.chunks_exact_mut(n).zip(x.chunks_exact(n)).zip(mean.chunks_exact(n)).zip(g);
        for (i, (((dm, x), mean), &g)) in rows.enumerate() {
            let at = if one { 0 } else { i * n };
            let (ds, s) = (&mut dlog_std[at..at + n], &log_std[at..at + n]);
            each!(inverse, [s = s], (-s).exp());
            each!(dm, [x = x, m = mean, i = inverse], (x - m) * i);
            for (ds, &d) in ds.iter_mut().zip(&*dm) {
                *ds += g * (d * d - T::ONE);
            }
            for (dm, &i) in dm.iter_mut().zip(&*inverse) {
                *dm = g * *dm * i;
            }
        }
    }
}
