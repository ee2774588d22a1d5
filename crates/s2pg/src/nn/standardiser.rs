//! Running standardisation of observations, a part of the model.

use super::real::Real;
use crate::state::{Data, State, Visitor};

/// Running mean and variance of each entry, by Welford's method from one virtual sample of mean 0 and variance 1 (as
/// published). A standardised entry is clipped to ±10.
#[derive(Clone, Debug, PartialEq)]
pub struct Standardiser {
    n: f64,
    mean: Vec<f64>,
    sum: Vec<f64>,
}

impl Standardiser {
    /// A standardiser of observations of `size` entries that has seen none yet.
    pub fn new(size: usize) -> Self {
        Self { n: 1.0, mean: vec![0.0; size], sum: vec![1.0; size] }
    }

    /// Takes the observation `o` into the statistics. Panics where `o` has another number of entries.
    pub fn observe<T: Real>(&mut self, o: &[T]) {
        assert_eq!(o.len(), self.mean.len(), "observation of another size");
        self.n += 1.0;
        let alpha = 1.0 / self.n;
        for ((mean, sum), o) in self.mean.iter_mut().zip(&mut self.sum).zip(o) {
            let o = o.f64();
            let before = *mean;
            *mean = (1.0 - alpha) * before + alpha * o;
            *sum += (o - before) * (o - *mean);
        }
    }

    /// Replaces the observation `o` by its standardised form; the statistics stay as they are.
    pub fn apply<T: Real>(&self, o: &mut [T]) {
        standardise(o, &self.mean, self.deviations());
    }

    /// The running mean of each entry.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The running standard deviation of each entry.
    pub fn std(&self) -> Vec<f64> {
        self.deviations().collect()
    }

    fn deviations(&self) -> impl Iterator<Item = f64> {
        self.sum.iter().map(|sum| (sum / self.n).sqrt())
    }

    /// Returns the statistics as they are now, for many observations.
    pub fn frozen(&self) -> Frozen {
        Frozen { mean: self.mean.clone(), std: self.std() }
    }
}

/// The statistics of a [`Standardiser`] at one time, which are quicker to apply.
#[derive(Clone, Debug, PartialEq)]
pub struct Frozen {
    mean: Vec<f64>,
    std: Vec<f64>,
}

impl Frozen {
    /// Replaces the observation `o` by its standardised form, to the bit as [`Standardiser::apply`] does.
    pub fn apply<T: Real>(&self, o: &mut [T]) {
        standardise(o, &self.mean, self.std.iter().copied());
    }
}

/// Replaces the observation `o` by its standardised form.
pub(super) fn standardise<T: Real>(o: &mut [T], mean: &[f64], std: impl Iterator<Item = f64>) {
    for ((o, mean), std) in o.iter_mut().zip(mean).zip(std) {
        *o = T::of(((o.f64() - mean) / std).clamp(-10.0, 10.0));
    }
}

impl State for Standardiser {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { n, mean, sum } = self;
        v.number("n", n);
        v.item("mean", Data::F64(mean));
        v.item("sum", Data::F64(sum));
    }
}
