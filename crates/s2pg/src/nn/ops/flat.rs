//! Operations on flat buffers of numbers, which no graph remembers: sums of gradients, and the steps of parameters.

use crate::nn::kernels::{kernel, sum_inline, update};
use crate::nn::real::Real;

/// `sum = sum + x`, element by element.
pub(in crate::nn) fn add<T: Real>(sum: &mut [T], x: &[T]) {
    update!(sum, x, |sum, x| sum + x);
}

/// The Euclidean norm of `x`.
pub(in crate::nn) fn norm<T: Real>(x: &[T]) -> f64 {
    sum_squares(x).f64().sqrt()
}

/// `target = target + tau * (online - target)`, element by element.
pub(in crate::nn) fn follow<T: Real>(target: &mut [T], online: &[T], tau: T) {
    update!(target, online, (tau), |target, online| target + tau * (online - target));
}

/// The numbers of one step of Adam.
#[derive(Clone, Copy)]
pub(in crate::nn) struct AdamStep<T> {
    /// What the gradient is multiplied with.
    pub scale: T,
    /// How fast the first moments forget: beta1.
    pub beta1: T,
    /// The weight of the new gradient in the first moments: 1 - beta1.
    pub rest1: T,
    /// How fast the second moments forget: beta2.
    pub beta2: T,
    /// The weight of the new gradient in the second moments: 1 - beta2.
    pub rest2: T,
    /// The step size, corrected for the bias of the first moments: lr / (1 - beta1^t).
    pub size: T,
    /// The correction for the bias of the second moments: 1 / sqrt(1 - beta2^t).
    pub correction: T,
    /// What is added to the root of the second moments.
    pub epsilon: T,
}

kernel! {
    /// Moves the parameters `p` by one step of Adam along the gradient `g`; `m` and `v` are the first and second
    /// moments.
    pub(in crate::nn) fn adam<'a, T: Real>(p: &'a mut [T], m: &'a mut [T], v: &'a mut [T], g: &'a [T], step: AdamStep<T>) -> () {
        let AdamStep { scale, beta1, rest1, beta2, rest2, size, correction, epsilon } = step;
        for (((p, m), v), &g) in p.iter_mut().zip(m).zip(v).zip(g) {
            let g = g * scale;
            let m_next = beta1 * *m + rest1 * g;
            let v_next = beta2 * *v + rest2 * g * g;
            // A product with zero keeps NaN, so that a divergence is not hidden.
            *m = if m_next.abs() > T::TINY { m_next } else { m_next * T::ZERO };
            *v = if v_next > T::TINY { v_next } else { v_next * T::ZERO };
            *p = *p - size * *m / (v.sqrt() * correction + epsilon);
        }
    }
}

kernel! {
    /// The sum of the squares of all elements.
    fn sum_squares<'a, T: Real>(x: &'a [T]) -> T {
        sum_inline(x, |x| x * x)
    }
}
