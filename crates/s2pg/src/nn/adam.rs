//! The optimiser.

use super::backward::backward;
use super::kernels::{self, kernel, update};
use super::{Params, Real, Tensor};
use crate::state::{Data, State, Visitor};

/// Adam with bias correction (Kingma and Ba, 2015): beta 0.9 and 0.999, epsilon 1e-8.
///
/// Moments below the smallest useful size are set to zero, since denormal numbers would slow every later step.
#[derive(Clone, Debug)]
pub struct Adam<T: Real = f32> {
    /// Step size.
    pub lr: f64,
    /// Largest norm of the gradient; a longer one is scaled down to it.
    pub max_norm: Option<f64>,
    m: Vec<T>,
    v: Vec<T>,
    gradient: Vec<T>,
    steps: u64,
}

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

impl<T: Real> Adam<T> {
    /// For a network of `network`'s size.
    pub fn new(network: &impl Params<T>, lr: f64) -> Self {
        let zeros = vec![T::ZERO; network.params().data().len()];
        Self { lr, max_norm: None, m: zeros.clone(), v: zeros.clone(), gradient: zeros, steps: 0 }
    }

    /// One step down the gradient of `loss` with respect to `network`; returns the norm of the gradient.
    ///
    /// Consumes the graph of the loss. Parameters of other networks do not move.
    pub fn minimize(&mut self, network: &mut impl Params<T>, loss: &Tensor<T>) -> f64 {
        backward(loss, network.params(), &mut self.gradient);
        self.descend(network)
    }

    /// The same along the sum of the gradients of some losses, which were computed apart with [`gradient_into`]; they
    /// are added in their order.
    pub fn minimize_sum(&mut self, network: &mut impl Params<T>, gradients: &[Vec<T>]) -> f64 {
        let (first, others) = gradients.split_first().expect("there is a gradient");
        self.gradient.copy_from_slice(first);
        for other in others {
            update!(&mut self.gradient[..], &other[..], |g, x| g + x);
        }
        self.descend(network)
    }

    /// One step along `self.gradient`.
    fn descend(&mut self, network: &mut impl Params<T>) -> f64 {
        let norm = kernels::sum_squares(&self.gradient).f64().sqrt();
        let scale = match self.max_norm {
            Some(max) if norm > max => max / norm,
            _ => 1.0,
        };
        self.steps += 1;
        let steps = self.steps as i32;
        let sizes = Sizes {
            step: T::of(self.lr / (1.0 - BETA1.powi(steps))),
            correction: T::of(1.0 / (1.0 - BETA2.powi(steps)).sqrt()),
            scale: T::of(scale),
        };
        adam(network.params_mut().data_mut(), &mut self.m, &mut self.v, &self.gradient, sizes);
        norm
    }

    /// The gradient of the last step, in the order of the flat buffer, before any scaling.
    pub fn gradient(&self) -> &[T] {
        &self.gradient
    }
}

/// The numbers of one step.
#[derive(Clone, Copy)]
pub(super) struct Sizes<T> {
    /// lr / (1 - beta1^t)
    step: T,
    /// 1 / sqrt(1 - beta2^t)
    correction: T,
    /// What the gradient is multiplied with.
    scale: T,
}

kernel! {
    fn adam<'a, T: Real>(p: &'a mut [T], m: &'a mut [T], v: &'a mut [T], g: &'a [T], sizes: Sizes<T>) -> () {
        let Sizes { step, correction, scale } = sizes;
        let (beta1, beta2, epsilon) = (T::of(BETA1), T::of(BETA2), T::of(EPSILON));
        let (rest1, rest2) = (T::of(1.0 - BETA1), T::of(1.0 - BETA2));
        for (((p, m), v), &g) in p.iter_mut().zip(m).zip(v).zip(g) {
            let g = g * scale;
            let m_next = beta1 * *m + rest1 * g;
            let v_next = beta2 * *v + rest2 * g * g;
            // A product with zero keeps NaN, so that a divergence is not hidden.
            *m = if m_next.abs() > T::TINY { m_next } else { m_next * T::ZERO };
            *v = if v_next > T::TINY { v_next } else { v_next * T::ZERO };
            *p = *p - step * *m / (v.sqrt() * correction + epsilon);
        }
    }
}

impl<T: Real> State for Adam<T> {
    fn visit(&mut self, v: &mut dyn Visitor) {
        // The gradient is scratch: each step writes it before it is read.
        let Self { lr, max_norm: _, m, v: second, gradient: _, steps } = self;
        v.number("lr", lr);
        T::visit("m", m, v);
        T::visit("v", second, v);
        v.item("steps", Data::U64(std::slice::from_mut(steps)));
    }
}

/// The gradient of a loss with respect to a network, without a step. Consumes the graph.
pub fn gradient<T: Real>(loss: &Tensor<T>, network: &impl Params<T>) -> Vec<T> {
    let mut gradient = vec![T::ZERO; network.params().data().len()];
    gradient_into(loss, network, &mut gradient);
    gradient
}

/// The same, into memory that is there already.
pub fn gradient_into<T: Real>(loss: &Tensor<T>, network: &impl Params<T>, gradient: &mut [T]) {
    backward(loss, network.params(), gradient);
}
