//! How the units of a core act on each other: a matrix without a diagonal.

use crate::nn::{Builder, Parameters, Real, Tensor};
use crate::rng::Rng;

/// A matrix [n, n] whose diagonal is zero. The other n (n - 1) entries are parameters, which fill the matrix row after
/// row.
#[derive(Clone, Debug)]
pub(super) struct OffDiagonal {
    slot: usize,
    n: usize,
}

impl OffDiagonal {
    /// Adds the parameter `name`, [n - 1, n], whose entries `draw` gives; None where a single unit has no other.
    pub fn new<T: Real>(
        b: &mut Builder<'_, T>,
        name: &str,
        n: usize,
        draw: impl FnMut(&mut Rng) -> f64,
    ) -> Option<Self> {
        (n > 1).then(|| Self { slot: b.drawn(name, (n - 1, n), draw), n })
    }

    /// Returns the matrix, [n, n], of which `f` makes the entries beside the diagonal from the parameters.
    pub fn matrix<T: Real>(&self, p: &Parameters<T>, f: impl Fn(Tensor<T>) -> Tensor<T>) -> Tensor<T> {
        // A zero before each row of n makes the first n² - 1 entries of the matrix.
        let n = self.n;
        let all = Tensor::concat(&[&Tensor::zeros(n - 1, 1), &f(Tensor::param(p, self.slot))]);
        Tensor::concat(&[&all.reshape(1, n * n - 1), &Tensor::zeros(1, 1)]).reshape(n, n)
    }
}
