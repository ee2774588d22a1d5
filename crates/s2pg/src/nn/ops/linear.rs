//! A linear map by a weight and a bias of a network, and the activation that follows.

use std::sync::Arc;

use super::operation::Operation;
use crate::nn::graph::{Sink, give_into, needed, needed_columns};
use crate::nn::kernels::{self, View, kernel, update};
use crate::nn::parameters::{Parameters, Slot, Store};
use crate::nn::pool::Buffer;
use crate::nn::program::{Function, Program, Row};
use crate::nn::real::Real;
use crate::nn::tensor::Tensor;

/// What follows a linear layer, inside the same pass over memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// y = x.
    Identity,
    /// y = max(x, 0).
    Relu,
    /// y = max(x, 0.2 x).
    LeakyRelu,
    /// y = tanh(x).
    Tanh,
}

/// The slope of a leaky ReLU below zero.
const LEAK: f64 = 0.2;

pub(in crate::nn) struct Linear<T: Real> {
    x: [Tensor<T>; 1],
    store: Arc<Store<T>>,
    w: usize,
    b: Option<usize>,
    act: Activation,
}

impl<T: Real> Tensor<T> {
    /// act(x Wᵀ + b), with W [out, in] and b [1, out] in the flat buffer `p`.
    pub(in crate::nn) fn linear(&self, p: &Parameters<T>, w: usize, b: Option<usize>, act: Activation) -> Self {
        let Slot { rows: out, cols: width, .. } = p.0.slots[w];
        assert_eq!(self.cols(), width, "input {:?} of a linear layer {out} x {width}", self.shape());
        let rows = self.rows();
        let mut y = Buffer::new(rows * out);
        let weight = View::new(p.0.slice(w), out, width);
        kernels::matmul(&mut y, out, false, View::new(self.data(), rows, width), weight.t());
        match b {
            Some(b) => bias_act(&mut y, p.0.slice(b), act),
            None => assert_eq!(act, Activation::Identity, "a linear map without bias has no activation"),
        }
        Self::node(rows, out, y, Linear { x: [self.clone()], store: p.0.clone(), w, b, act })
    }
}

impl<T: Real> Operation<T> for Linear<T> {
    fn parents(&self) -> &[Tensor<T>] {
        &self.x
    }

    fn store(&self) -> Option<&Arc<Store<T>>> {
        Some(&self.store)
    }

    fn write(&self, program: &mut Program, from: &[Row]) -> Result<Row, &'static str> {
        let numbers = |slot: usize| self.store.slice(slot).iter().map(|x| x.f64() as f32).collect::<Vec<_>>();
        let y = program.linear(from[0], numbers(self.w), self.b.map_or(Vec::new(), numbers));
        Ok(match self.act {
            Activation::Identity => y,
            Activation::Relu => program.each(Function::Relu, y),
            Activation::LeakyRelu => program.each(Function::LeakyRelu(LEAK as f32), y),
            Activation::Tanh => program.each(Function::Tanh, y),
        })
    }

    fn backward(self, y: &Tensor<T>, mut g: Buffer<T>, sink: &mut Sink<'_, T>) {
        let Self { x: [x], store, w, b, act } = self;
        let (rows, cols) = y.shape();
        match act {
            Activation::Identity => {}
            Activation::Relu => update!(&mut g, y.data(), |g, y| if y > T::ZERO { g } else { T::ZERO }),
            Activation::LeakyRelu => {
                let leak = T::of(LEAK);
                update!(&mut g, y.data(), (leak), |g, y| if y > T::ZERO { g } else { g * leak });
            }
            Activation::Tanh => update!(&mut g, y.data(), |g, y| g * (T::ONE - y * y)),
        }
        let dy = View::new(&g, rows, cols);
        weight_gradient(sink, &store, w, dy, View::new(x.data(), rows, x.cols()));
        if let Some(b) = b {
            bias_gradient(sink, &store, b, &g);
        }
        if needed(&x) {
            let weight = View::new(store.slice(w), cols, x.cols());
            let need = needed_columns(&x);
            give_into(&x, |dx, add| {
                kernels::matmul(&mut dx[need.start..], x.cols(), add, dy, weight.columns(need.start, need.end));
            });
        }
    }
}

/// Adds dW = dyᵀ x to the gradient of the weight `w`.
pub(super) fn weight_gradient<T: Real>(
    sink: &mut Sink<'_, T>,
    store: &Store<T>,
    w: usize,
    dy: View<'_, T>,
    x: View<'_, T>,
) {
    if let Some((dw, add)) = sink.slot(store, w) {
        kernels::matmul(dw, x.cols, add, dy.t(), x);
    }
}

/// Adds db = sum over rows of dy to the gradient of the bias `b`.
pub(super) fn bias_gradient<T: Real>(sink: &mut Sink<'_, T>, store: &Store<T>, b: usize, dy: &[T]) {
    if let Some((db, add)) = sink.slot(store, b) {
        kernels::sum_rows(db, add, dy);
    }
}

kernel! {
    /// `y = act(y + bias)` on every row.
    fn bias_act<'a, T: Real>(y: &'a mut [T], bias: &'a [T], act: Activation) -> () {
        for y in y.chunks_exact_mut(bias.len().max(1)) {
            match act {
                Activation::Identity => y.iter_mut().zip(bias).for_each(|(y, &b)| *y += b),
                Activation::Relu => y.iter_mut().zip(bias).for_each(|(y, &b)| *y = (*y + b).maximum(T::ZERO)),
                Activation::LeakyRelu => {
                    for (y, &b) in y.iter_mut().zip(bias) {
                        *y = (*y + b).maximum((*y + b) * T::of(LEAK));
                    }
                }
                Activation::Tanh => {
                    for (y, &b) in y.iter_mut().zip(bias) {
                        *y = (*y + b).tanh();
                    }
                }
            }
        }
    }
}
