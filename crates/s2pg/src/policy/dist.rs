//! Distributions over the extended action u = (a, z').

use std::rc::Rc;
use std::sync::Arc;

use super::context::{Extended, LogProb};
use crate::nn::{Real, Tensor};
use crate::rng::Rng;

/// The range of a log-std: densities, draws, entropies and figures take the log-std clipped to it, as published.
pub const LOG_STD: (f64, f64) = (-20.0, 2.0);

/// A range for each of the first columns of a tensor; columns behind the last range are unbounded.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounds<T> {
    /// The lower bound of each column.
    pub low: Arc<[T]>,
    /// The upper bound of each column.
    pub high: Arc<[T]>,
}

impl<T: Real> Bounds<T> {
    /// Makes the ranges `low[i]..high[i]`. Panics where `low` and `high` differ in length.
    pub fn new(low: &[f32], high: &[f32]) -> Self {
        assert_eq!(low.len(), high.len(), "as many lower as upper bounds");
        let numbers = |x: &[f32]| x.iter().map(|&x| T::of(f64::from(x))).collect();
        Self { low: numbers(low), high: numbers(high) }
    }

    /// Makes the range [-1, 1] for the first `n` columns.
    pub fn unit(n: usize) -> Self {
        Self::new(&vec![-1.0; n], &vec![1.0; n])
    }

    /// Makes the ranges `ranges`, each a lower and an upper bound.
    pub fn of(ranges: &[(f64, f64)]) -> Self {
        let (low, high): (Vec<T>, Vec<T>) = ranges.iter().map(|&(low, high)| (T::of(low), T::of(high))).unzip();
        Self { low: low.into(), high: high.into() }
    }

    fn len(&self) -> usize {
        self.low.len()
    }

    /// Maps each column of `x` linearly from [-1, 1] to its range. `x` has as many columns as there are ranges.
    pub fn stretch(&self, x: &Tensor<T>) -> Tensor<T> {
        let half = |f: fn(T, T) -> T| -> Vec<T> {
            self.low.iter().zip(&*self.high).map(|(&low, &high)| f(low, high) * T::of(0.5)).collect()
        };
        let (center, half) = (half(|low, high| high + low), half(|low, high| high - low));
        if center.iter().all(|&c| c == T::ZERO) && half.iter().all(|&h| h == T::ONE) {
            return x.clone();
        }
        let row = |x: &[T]| Tensor::new(1, x.len(), x);
        x * row(&half) + row(&center)
    }

    /// Returns `x` with each column clipped to its range, as a tensor without history.
    fn clip(&self, x: &Tensor<T>) -> Tensor<T> {
        let (rows, n) = x.shape();
        Tensor::with(rows, n, |y| {
            y.copy_from_slice(x.data());
            for row in y.chunks_exact_mut(n.max(1)) {
                for ((y, &low), &high) in row.iter_mut().zip(&*self.low).zip(&*self.high) {
                    *y = y.clip(low, high);
                }
            }
        })
    }
}

/// Where the draws of a [`Gaussian`] end up.
#[derive(Clone, Debug, PartialEq)]
pub enum Support<T> {
    /// Draws stay where they fall.
    Free,
    /// Draws are squashed by tanh and stretched to the ranges (SAC).
    Squashed(Bounds<T>),
    /// Draws are clipped to the ranges (TD3).
    Clipped(Bounds<T>),
}

/// A diagonal Gaussian for each of B samples over n numbers. The log-std is one row for all samples, or a row for each.
/// Where the log-std has fewer columns than the mean, the first numbers of a sample are drawn and the others are zero.
#[derive(Clone, Debug)]
pub struct Gaussian<T: Real = f32> {
    /// The means, [B, n]; where draws are squashed, the means before the squashing.
    pub mean: Tensor<T>,
    /// The logarithms of the standard deviations as the network gives them, [1, n] or [B, n].
    pub log_std: Tensor<T>,
    /// `log_std` clipped to [-20, 2], which is the log-std of all that is computed.
    clamped: Tensor<T>,
    support: Support<T>,
    /// Whether each sample is drawn; None where all are. A sample that is not drawn is its mean: it has no density, no
    /// divergence and no entropy.
    drawn: Option<Rc<[bool]>>,
}

impl<T: Real> Gaussian<T> {
    /// Makes an unbounded Gaussian with the means `mean`, [B, n], and the log-stds `log_std`, [1, n] or [B, n], or [1,
    /// m] where only the first m numbers are drawn.
    pub fn new(mean: Tensor<T>, log_std: Tensor<T>) -> Self {
        let clamped = log_std.clip(LOG_STD.0, LOG_STD.1);
        Self { mean, log_std, clamped, support: Support::Free, drawn: None }
    }

    /// Returns the Gaussian with draws that end up in `support`; they stay where they fall where `support` has no
    /// range.
    pub fn within(self, support: Support<T>) -> Self {
        let support = match support {
            Support::Squashed(bounds) | Support::Clipped(bounds) if bounds.len() == 0 => Support::Free,
            support => support,
        };
        Self { support, ..self }
    }

    /// Returns the Gaussian with a log-std that is clipped to [`least`, 2] rather than [-20, 2].
    pub fn no_narrower(self, least: f64) -> Self {
        Self { clamped: self.log_std.clip(least, LOG_STD.1), ..self }
    }

    /// Returns the Gaussian of which only the samples are drawn that are true in `drawn`, B flags; None draws all.
    pub fn of_drawn(self, drawn: Option<Rc<[bool]>>) -> Self {
        Self { drawn, ..self }
    }

    /// Tells whether sample i is drawn.
    pub fn is_drawn(&self, i: usize) -> bool {
        self.drawn.as_ref().is_none_or(|drawn| drawn[i])
    }

    /// Returns 1 for each sample that is drawn, 0 for each other, [B, 1]; None where all are drawn.
    pub fn mask(&self) -> Option<Tensor<T>> {
        let number = |drawn: &bool| if *drawn { T::ONE } else { T::ZERO };
        let drawn = self.drawn.as_ref()?;
        Some(Tensor::with(drawn.len(), 1, |x| x.iter_mut().zip(&**drawn).for_each(|(x, d)| *x = number(d))))
    }

    /// Returns `x`, a row for each sample, with zeros in place of the rows of samples that are not drawn.
    pub fn masked(&self, x: Tensor<T>) -> Tensor<T> {
        match self.mask() {
            Some(mask) => x * mask,
            None => x,
        }
    }

    /// Returns those numbers of `x`, [B, 1], that belong to samples that are drawn, without history.
    pub fn of_those_drawn(&self, x: &Tensor<T>) -> Tensor<T> {
        let numbers: Vec<T> = x.data().iter().enumerate().filter(|(i, _)| self.is_drawn(*i)).map(|(_, x)| *x).collect();
        Tensor::new(numbers.len(), 1, &numbers)
    }

    /// Returns the columns of `x`, [B, n], that are drawn.
    pub fn columns(&self, x: &Tensor<T>) -> Tensor<T> {
        let n = self.clamped.cols();
        if n < x.cols() { x.columns(0..n) } else { x.clone() }
    }

    /// Returns the log-std clipped to [-20, 2], which densities, draws and entropies use, [1, n] or [B, n].
    pub fn clamped_log_std(&self) -> &Tensor<T> {
        &self.clamped
    }

    /// Returns the Gaussian as numbers without history: no gradient goes back through them.
    fn detach(&self) -> Self {
        let (mean, log_std, clamped) = (self.mean.detach(), self.log_std.detach(), self.clamped.detach());
        Self { mean, log_std, clamped, support: self.support.clone(), drawn: self.drawn.clone() }
    }

    /// Returns KL(self || other) for each sample, [B, 1], of unbounded Gaussians.
    fn kl(&self, other: &Self) -> Tensor<T> {
        let difference = (self.columns(&self.mean) - other.columns(&other.mean)).square() + (&self.clamped * 2.0).exp();
        let ratio = difference * (&other.clamped * -2.0).exp() * 0.5;
        self.masked((ratio + (&other.clamped - &self.clamped) - 0.5).sum_columns())
    }

    /// Draws mean + std noise and squashes it where the support says so; the result has no history. `noise` is asked
    /// for one number after the other, row by row, for what is drawn.
    fn draw(&self, mut noise: impl FnMut() -> f64) -> Tensor<T> {
        let (rows, n) = self.mean.shape();
        let std: Vec<T> = self.clamped.data().iter().map(|s| s.exp()).collect();
        let m = self.clamped.cols();
        let q = Tensor::with(rows, n, |x| {
            for (i, (x, mean)) in x.chunks_exact_mut(n.max(1)).zip(self.mean.data().chunks_exact(n.max(1))).enumerate()
            {
                x.copy_from_slice(mean);
                if self.is_drawn(i) {
                    x[m..].fill(T::ZERO);
                    for (j, x) in x[..m].iter_mut().enumerate() {
                        *x += std[(i * m + j) % std.len()] * T::of(noise());
                    }
                }
            }
        });
        self.squash(q)
    }

    /// Returns the samples of `x` that are drawn, and in place of the others those of `other`.
    fn drawn_or(&self, x: Tensor<T>, other: &Tensor<T>) -> Tensor<T> {
        match self.mask() {
            Some(mask) => x * &mask + other * (mask * -1.0 + 1.0),
            None => x,
        }
    }

    /// Squashes and stretches the samples of `q` that are drawn, where the support says so.
    fn squash(&self, q: Tensor<T>) -> Tensor<T> {
        match &self.support {
            Support::Squashed(bounds) => {
                let n = bounds.len();
                let t = bounds.stretch(&q.columns(0..n).tanh());
                let t = if n < q.cols() { Tensor::concat(&[&t, &q.columns(n..q.cols())]) } else { t };
                self.drawn_or(t, &q)
            }
            Support::Free | Support::Clipped(_) => q,
        }
    }

    /// Returns the mean, squashed and stretched where draws are, with zeros for the numbers of a sample that are not
    /// drawn with it.
    fn mode(&self) -> Tensor<T> {
        let m = self.clamped.cols();
        if m == self.mean.cols() {
            return self.squash(self.mean.clone());
        }
        let (rows, n) = self.mean.shape();
        let kept = Tensor::with(rows, n, |x| {
            for (i, x) in x.chunks_exact_mut(n).enumerate() {
                x.fill(T::ONE);
                if self.is_drawn(i) {
                    x[m..].fill(T::ZERO);
                }
            }
        });
        self.squash(&self.mean * kept)
    }

    /// Makes the draw that the standard normal numbers `noise`, [B, m], give where all B samples are drawn, squashed
    /// and clipped where draws are, with its history. Its numbers are those of `draw`, to the bit.
    fn draw_with_history(&self, noise: &Tensor<T>) -> Tensor<T> {
        let (m, n) = (self.clamped.cols(), self.mean.cols());
        let q = self.columns(&self.mean) + self.clamped.exp() * noise;
        let q = if m < n { Tensor::concat(&[&q, &Tensor::zeros(q.rows(), n - m)]) } else { q };
        let q = self.squash(q);
        let Support::Clipped(bounds) = &self.support else {
            return q;
        };
        let k = bounds.len();
        let row = |x: &[T]| Tensor::new(1, k, x);
        let clipped = q.columns(0..k).max(&row(&bounds.low)).min(&row(&bounds.high));
        if k < n { Tensor::concat(&[&clipped, &q.columns(k..n)]) } else { clipped }
    }

    /// Returns `x` with the samples that are drawn clipped to the ranges, where the support says so.
    fn clip(&self, x: &Tensor<T>) -> Tensor<T> {
        match &self.support {
            Support::Clipped(bounds) => self.drawn_or(bounds.clip(x), x),
            Support::Free | Support::Squashed(_) => x.clone(),
        }
    }

    /// Returns the log-density of each row of `x`, [B, 1]. Panics unless the Gaussian is unbounded.
    pub fn log_prob(&self, x: &Tensor<T>) -> Tensor<T> {
        assert_eq!(self.support, Support::Free, "the density of a bounded draw comes with the draw");
        self.masked(Tensor::gaussian_log_prob(&self.columns(x), &self.columns(&self.mean), &self.clamped))
    }

    /// Returns the draw mean + std noise with its log-density, [B, 1], both as differentiable functions of mean and
    /// std. The density of a squashed column is the density on [-1, 1], whatever the range of the column (D25). A
    /// sample that is not drawn is its mean, without history.
    fn reparameterised(&self, noise: &Tensor<T>) -> (Tensor<T>, Tensor<T>) {
        let (x, density) = self.all_reparameterised(noise);
        (self.drawn_or(x, &self.mean.detach()), self.masked(density))
    }

    /// Returns the draw and its log-density as [`reparameterised`](Self::reparameterised) does, where all samples are
    /// drawn.
    fn all_reparameterised(&self, noise: &Tensor<T>) -> (Tensor<T>, Tensor<T>) {
        let (rows, n) = self.mean.shape();
        let log_std = match self.clamped.rows() == rows {
            true => self.clamped.clone(),
            false => Tensor::zeros(rows, n) + &self.clamped,
        };
        let free = |from: usize| {
            let columns = |x: &Tensor<T>| if from == 0 { x.clone() } else { x.columns(from..n) };
            let (mean, log_std) = (columns(&self.mean), columns(&log_std));
            let q = &mean + log_std.exp() * columns(noise);
            let density = Tensor::gaussian_log_prob(&q, &mean, &log_std);
            (q, density)
        };
        let Support::Squashed(bounds) = &self.support else {
            return free(0);
        };
        let k = bounds.len();
        let first = |x: &Tensor<T>| if k == n { x.clone() } else { x.columns(0..k) };
        let both = Tensor::squashed_sample(&first(&self.mean), &first(&log_std), &first(noise));
        let (t, density) = (bounds.stretch(&both.columns(0..k)), both.columns(k..k + 1));
        if k == n {
            return (t, density);
        }
        let (rest, more) = free(k);
        (Tensor::concat(&[&t, &rest]), density + more)
    }

    /// Returns the entropy n/2 ln(2πe) + Σ log_std, with the clipped log-std, averaged over the samples, [1, 1]. A
    /// sample that is not drawn has none.
    fn entropy(&self) -> Tensor<T> {
        let constant = 0.5 * (2.0 * std::f64::consts::PI * std::f64::consts::E).ln();
        let n = self.log_std.cols();
        let drawn = self.drawn.as_ref().map_or(1.0, |d| d.iter().filter(|&&d| d).count() as f64 / d.len() as f64);
        (&self.clamped + constant).mean() * (n as f64 * drawn)
    }
}

/// The distribution π(a, z' | x) = N(a) N(z') of B samples, and the deterministic next state of a network that is
/// trained through time.
#[derive(Clone, Debug)]
pub struct Dist<T: Real = f32> {
    /// The distribution of the action, [B, n_a].
    pub a: Gaussian<T>,
    /// The distribution of the next state z', [B, n_z]; None where the policy draws no state.
    pub z: Option<Gaussian<T>>,
    /// The next cached state h' of a network that is trained through time, [B, n_h]; None for other policies.
    pub h: Option<Tensor<T>>,
}

impl<T: Real> Dist<T> {
    /// Draws (a, z') and clips the draw where the policy does so. The result has no history.
    pub fn sample(&self, rng: &mut Rng) -> Extended<T> {
        self.clip(&self.draw(rng))
    }

    /// Draws (a, z') as it is before any clipping. The result has no history.
    pub fn draw(&self, rng: &mut Rng) -> Extended<T> {
        Extended { a: self.a.draw(|| rng.normal()), z: self.z.as_ref().map(|z| z.draw(|| rng.normal())) }
    }

    /// Makes the draw of (a, z') that the standard normal numbers `noise` give, before any clipping. The result has no
    /// history.
    pub fn draw_from(&self, noise: &Extended<T>) -> Extended<T> {
        let draw = |of: &Gaussian<T>, noise: &Tensor<T>| {
            let mut numbers = noise.data().iter();
            of.draw(|| numbers.next().expect("a number for each entry").f64())
        };
        let z = self.z.as_ref().map(|z| draw(z, noise.z.as_ref().expect("a stochastic state takes noise")));
        Extended { a: draw(&self.a, &noise.a), z }
    }

    /// Makes the draw of (a, z') that the standard normal numbers `noise` give where all samples are drawn, clipped
    /// where the policy does so, with its history: what leaves the library with its noise as an input.
    pub(crate) fn draw_with_history(&self, noise: &Extended<T>) -> Extended<T> {
        let z = |z: &Gaussian<T>| z.draw_with_history(noise.z.as_ref().expect("a stochastic state takes noise"));
        Extended { a: self.a.draw_with_history(&noise.a), z: self.z.as_ref().map(z) }
    }

    /// Clips u = (a, z') to the ranges of a policy that clips its draws; other policies return `u` as it is.
    pub fn clip(&self, u: &Extended<T>) -> Extended<T> {
        let z = u.z.as_ref().map(|next| self.z.as_ref().map_or_else(|| next.clone(), |z| z.clip(next)));
        Extended { a: self.a.clip(&u.a), z }
    }

    /// Returns the means of a and z', squashed where draws are: what a deterministic policy does. The result is a
    /// differentiable function of the parameters.
    pub fn mean(&self) -> Extended<T> {
        Extended { a: self.a.mode(), z: self.z.as_ref().map(Gaussian::mode) }
    }

    /// Returns the means as [`mean`](Self::mean) does. A next state that is not drawn is there as numbers without
    /// history: a critic reads it, and no gradient goes back through it.
    pub fn held(&self) -> Extended<T> {
        let z = self.z.as_ref().map(|z| z.drawn_or(z.mode(), &z.mean.detach()));
        Extended { a: self.a.mode(), z: z.or_else(|| self.h.as_ref().map(Tensor::detach)) }
    }

    /// Makes the draw of (a, z') that the standard normal numbers `noise` give, with its log-density. Both are
    /// differentiable functions of the parameters (the reparameterisation trick). A next state that is not drawn is
    /// there as numbers without history: a critic reads it, and no gradient goes back through it.
    pub fn reparameterised(&self, noise: &Extended<T>) -> (Extended<T>, LogProb<T>) {
        let (a, log_a) = self.a.reparameterised(&noise.a);
        let z = self.z.as_ref().map(|z| z.reparameterised(noise.z.as_ref().expect("a stochastic state takes noise")));
        let (z, log_z) = z.unzip();
        let z = z.or_else(|| self.h.as_ref().map(Tensor::detach));
        (Extended { a, z }, LogProb { a: log_a, z: log_z })
    }

    /// Returns the distribution as numbers without history: no gradient goes back through them.
    pub fn detach(&self) -> Self {
        let z = self.z.as_ref().map(Gaussian::detach);
        Self { a: self.a.detach(), z, h: self.h.as_ref().map(Tensor::detach) }
    }

    /// Returns KL(self || other) of the pair (a, z') for each sample, [B, 1], of unbounded policies.
    pub fn kl(&self, other: &Self) -> Tensor<T> {
        match (&self.z, &other.z) {
            (Some(z), Some(other_z)) => self.a.kl(&other.a) + z.kl(other_z),
            _ => self.a.kl(&other.a),
        }
    }

    /// Returns log π(u | x) in its two parts, each [B, 1]. Panics unless the policy is unbounded.
    pub fn log_prob(&self, u: &Extended<T>) -> LogProb<T> {
        let z = self.z.as_ref().map(|z| z.log_prob(u.z.as_ref().expect("a stochastic state has a next state")));
        LogProb { a: self.a.log_prob(&u.a), z }
    }

    /// Returns the entropy of the pair (a, z'), averaged over the samples, [1, 1].
    pub fn entropy(&self) -> Tensor<T> {
        match &self.z {
            Some(z) => self.a.entropy() + z.entropy(),
            None => self.a.entropy(),
        }
    }
}
