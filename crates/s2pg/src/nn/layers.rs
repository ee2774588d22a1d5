//! Layers: named places in the flat buffer, and the formula that reads them.

use std::f64::consts::SQRT_2;

use super::ops::{Activation, CellKind, Steps};
use super::parameters::{Builder, Init, Parameters};
use super::real::Real;
use super::tensor::Tensor;

/// The gain of ReLU in Xavier's formula.
pub const RELU_GAIN: f64 = SQRT_2;

/// A linear layer and its activation: act(W x + b).
#[derive(Clone, Debug)]
pub struct Linear {
    w: usize,
    b: usize,
    act: Activation,
}

impl Linear {
    /// Adds a layer called `name` to the network that `b` builds, from `inputs` to `outputs` numbers. The weight starts
    /// as `init` says, the bias in U(-1/sqrt(inputs), 1/sqrt(inputs)).
    pub fn new<T: Real>(
        b: &mut Builder<'_, T>,
        name: &str,
        inputs: usize,
        outputs: usize,
        act: Activation,
        init: Init,
    ) -> Self {
        b.scope(name, |b| {
            let w = b.add("weight", outputs, inputs, init);
            let bias = b.add("bias", 1, outputs, Init::Uniform(1.0 / (inputs as f64).sqrt()));
            Self { w, b: bias, act }
        })
    }

    /// The layer's outputs [B, outputs] for `x` [B, inputs], with the parameters `p` of the network that it was built
    /// in. Panics where `x` has another number of columns.
    pub fn forward<T: Real>(&self, p: &Parameters<T>, x: &Tensor<T>) -> Tensor<T> {
        x.linear(p, self.w, Some(self.b), self.act)
    }
}

/// Linear layers, one after the other.
#[derive(Clone, Debug)]
pub struct Mlp(Vec<Linear>);

impl Mlp {
    /// Adds layers called h1, h2, ... to the network that `b` builds. Layer i is from `sizes[i]` to `sizes[i + 1]`
    /// numbers, and its weight starts as `inits[i]` says. `act` follows every layer but the last. Panics unless there
    /// is one size more than there are initialisations.
    pub fn new<T: Real>(b: &mut Builder<'_, T>, sizes: &[usize], act: Activation, inits: &[Init]) -> Self {
        assert_eq!(sizes.len(), inits.len() + 1, "an initialisation for each layer");
        let layer = |i: usize| {
            let act = if i + 1 == inits.len() { Activation::Identity } else { act };
            Linear::new(b, &format!("h{}", i + 1), sizes[i], sizes[i + 1], act, inits[i])
        };
        Self((0..inits.len()).map(layer).collect())
    }

    /// The last layer's outputs [B, last size] for `x` [B, first size], with the parameters `p` of the network that the
    /// layers were built in. Panics where `x` has another number of columns.
    pub fn forward<T: Real>(&self, p: &Parameters<T>, x: &Tensor<T>) -> Tensor<T> {
        self.0.iter().fold(x.clone(), |x, layer| layer.forward(p, &x))
    }
}

/// A recurrent cell of `hidden` units. Weights and biases start in U(-1/sqrt(hidden), 1/sqrt(hidden)).
#[derive(Clone, Debug)]
pub struct Cell {
    kind: CellKind,
    hidden: usize,
    w_ih: usize,
    w_hh: usize,
    b_ih: usize,
    b_hh: usize,
}

impl Cell {
    /// Adds a cell called `name` to the network that `b` builds, with inputs of `inputs` numbers and `hidden` units.
    pub fn new<T: Real>(b: &mut Builder<'_, T>, name: &str, kind: CellKind, inputs: usize, hidden: usize) -> Self {
        let gates = kind.gates();
        let init = Init::Uniform(1.0 / (hidden as f64).sqrt());
        b.scope(name, |b| Self {
            kind,
            hidden,
            w_ih: b.add("weight_ih", gates * hidden, inputs, init),
            w_hh: b.add("weight_hh", gates * hidden, hidden, init),
            b_ih: b.add("bias_ih", 1, gates * hidden, init),
            b_hh: b.add("bias_hh", 1, gates * hidden, init),
        })
    }

    /// Which cell this is.
    pub fn kind(&self) -> CellKind {
        self.kind
    }

    /// Numbers in the state of the cell: as many as it has units, or twice as many for an LSTM.
    pub fn state_size(&self) -> usize {
        self.kind.state_size(self.hidden)
    }

    /// The input half of the gates, W x + b: [B, gates] for `x` [B, inputs]. For a sequence, `x` can be the inputs of
    /// all steps, step after step, [L B, inputs]: that is one product, and its result is what [`unroll`](Self::unroll)
    /// reads.
    pub fn input<T: Real>(&self, p: &Parameters<T>, x: &Tensor<T>) -> Tensor<T> {
        x.linear(p, self.w_ih, Some(self.b_ih), Activation::Identity)
    }

    /// The next state, [B, state], from the input half of the gates, [B, gates], and the state, [B, state].
    pub fn step<T: Real>(&self, p: &Parameters<T>, gates: &Tensor<T>, state: &Tensor<T>) -> Tensor<T> {
        self.unroll(p, gates, state, Steps::All)
    }

    /// All states of B sequences, [R, state], step after step, from the input half of the gates, [R, gates], step after
    /// step, and the state before the first step, [B, state]. `steps` tells which of the R rows stand in each step.
    /// Panics on other shapes.
    pub fn unroll<T: Real>(&self, p: &Parameters<T>, gates: &Tensor<T>, state: &Tensor<T>, steps: Steps) -> Tensor<T> {
        gates.recurrence(state, self.kind, p, (self.w_hh, self.b_hh), steps)
    }

    /// The next state, [B, state], from an input, [B, inputs], and the state, [B, state].
    pub fn forward<T: Real>(&self, p: &Parameters<T>, x: &Tensor<T>, state: &Tensor<T>) -> Tensor<T> {
        self.step(p, &self.input(p, x), state)
    }

    /// What the rest of the network sees of a state [B, state]: its first columns, which are h, [B, hidden].
    pub fn output<T: Real>(&self, state: &Tensor<T>) -> Tensor<T> {
        if self.state_size() > self.hidden { state.columns(0..self.hidden) } else { state.clone() }
    }
}
