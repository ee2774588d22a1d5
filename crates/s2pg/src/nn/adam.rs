//! The optimiser.

use super::graph::gradient_into;
use super::ops::flat::{self, AdamStep};
use super::parameters::Params;
use super::real::Real;
use super::tensor::Tensor;
use crate::state::{Data, State, Visitor};

/// Adam with bias correction (Kingma and Ba, 2015): beta 0.9 and 0.999, epsilon 1e-8.
///
/// Moments below the smallest useful size are set to zero, since denormal numbers would slow every later step.
#[derive(Clone, Debug)]
pub struct Adam<T: Real = f32> {
    /// The step size.
    pub lr: f64,
    /// The largest norm of the gradient; a longer gradient is scaled down to this norm. None leaves every gradient as
    /// long as it is.
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
    /// An optimiser for a network with as many parameters as `network`, with step size `lr`, that has made no step yet.
    pub fn new(network: &impl Params<T>, lr: f64) -> Self {
        let zeros = vec![T::ZERO; network.params().data().len()];
        Self { lr, max_norm: None, m: zeros.clone(), v: zeros.clone(), gradient: zeros, steps: 0 }
    }

    /// Moves `network` by one step down the gradient of `loss` with respect to its parameters, and returns the norm of
    /// the gradient before any scaling.
    ///
    /// Consumes the graph of the loss. Parameters of other networks do not move. Panics as [`gradient_into`] does.
    pub fn minimize(&mut self, network: &mut impl Params<T>, loss: &Tensor<T>) -> f64 {
        gradient_into(loss, network, &mut self.gradient);
        self.descend(network)
    }

    /// Moves `network` by one step down the sum of `gradients`, and returns the norm of the sum before any scaling.
    ///
    /// The gradients are those of some losses, computed apart with [`gradient_into`]; they are added in their order.
    /// Panics where there are none.
    pub fn minimize_sum(&mut self, network: &mut impl Params<T>, gradients: &[Vec<T>]) -> f64 {
        let (first, others) = gradients.split_first().expect("there is a gradient");
        self.gradient.copy_from_slice(first);
        for other in others {
            flat::add(&mut self.gradient, other);
        }
        self.descend(network)
    }

    /// Moves `network` by one step along `self.gradient`.
    fn descend(&mut self, network: &mut impl Params<T>) -> f64 {
        let norm = flat::norm(&self.gradient);
        let scale = match self.max_norm {
            Some(max) if norm > max => max / norm,
            _ => 1.0,
        };
        self.steps += 1;
        let steps = self.steps as i32;
        let step = AdamStep {
            scale: T::of(scale),
            beta1: T::of(BETA1),
            rest1: T::of(1.0 - BETA1),
            beta2: T::of(BETA2),
            rest2: T::of(1.0 - BETA2),
            size: T::of(self.lr / (1.0 - BETA1.powi(steps))),
            correction: T::of(1.0 / (1.0 - BETA2.powi(steps)).sqrt()),
            epsilon: T::of(EPSILON),
        };
        flat::adam(network.params_mut().data_mut(), &mut self.m, &mut self.v, &self.gradient, step);
        network.params_mut().hold();
        norm
    }

    /// The gradient of the last step, in the order of the network's flat buffer, before any scaling.
    pub fn gradient(&self) -> &[T] {
        &self.gradient
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
