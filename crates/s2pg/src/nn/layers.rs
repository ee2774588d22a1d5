//! Layers: named places in the flat buffer, and the formula that reads them.

use std::f64::consts::SQRT_2;
use std::rc::Rc;

use super::parameters::{Builder, Init};
use super::recurrence::Recurrence;
use super::{Activation, Parameters, Real, Tensor};

/// The gain of ReLU in Xavier's formula.
pub const RELU_GAIN: f64 = SQRT_2;

/// act(W x + b).
#[derive(Clone, Debug)]
pub struct Linear {
    w: usize,
    b: usize,
    act: Activation,
}

impl Linear {
    /// `inputs` to `outputs`; the bias starts in U(-1/sqrt(inputs), 1/sqrt(inputs)).
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

    /// [B, inputs] to [B, outputs].
    pub fn forward<T: Real>(&self, p: &Parameters<T>, x: &Tensor<T>) -> Tensor<T> {
        x.linear(p, self.w, Some(self.b), self.act)
    }
}

/// Linear layers, one after the other.
#[derive(Clone, Debug)]
pub struct Mlp(Vec<Linear>);

impl Mlp {
    /// Layers called h1, h2, ... and their initialisations; `act` follows all but the last.
    pub fn new<T: Real>(b: &mut Builder<'_, T>, sizes: &[usize], act: Activation, inits: &[Init]) -> Self {
        assert_eq!(sizes.len(), inits.len() + 1, "an initialisation for each layer");
        let layer = |i: usize| {
            let act = if i + 1 == inits.len() { Activation::Identity } else { act };
            Linear::new(b, &format!("h{}", i + 1), sizes[i], sizes[i + 1], act, inits[i])
        };
        Self((0..inits.len()).map(layer).collect())
    }

    /// [B, first size] to [B, last size].
    pub fn forward<T: Real>(&self, p: &Parameters<T>, x: &Tensor<T>) -> Tensor<T> {
        self.0.iter().fold(x.clone(), |x, layer| layer.forward(p, &x))
    }
}

/// Which recurrent cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CellKind {
    /// h' = tanh(W x + b + V h + c).
    Elman,
    /// Elman with ReLU.
    ElmanRelu,
    /// Gated recurrent unit, reset gate inside the candidate.
    Gru,
    /// Long short-term memory; its state is h beside c.
    Lstm,
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
    /// `inputs` wide, `hidden` units.
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

    /// Which cell.
    pub fn kind(&self) -> CellKind {
        self.kind
    }

    /// Numbers in its state: `hidden`, or twice that for an LSTM.
    pub fn state_size(&self) -> usize {
        self.kind.state_size(self.hidden)
    }

    /// The input half of the gates; for a sequence it can be one product over all steps: [B, inputs] to [B, gates].
    pub fn input<T: Real>(&self, p: &Parameters<T>, x: &Tensor<T>) -> Tensor<T> {
        x.linear(p, self.w_ih, Some(self.b_ih), Activation::Identity)
    }

    /// The next state [B, state] from the input half of the gates and the state.
    pub fn step<T: Real>(&self, p: &Parameters<T>, gates: &Tensor<T>, state: &Tensor<T>) -> Tensor<T> {
        self.unroll(p, gates, state, None)
    }

    /// All states [L B, state] of a window, from the input half of the gates [L B, gates], step after step, and the
    /// state before the first step. Rows of shorter windows start later: until then their state stays.
    pub fn unroll<T: Real>(
        &self,
        p: &Parameters<T>,
        gates: &Tensor<T>,
        state: &Tensor<T>,
        starts: Option<Rc<[usize]>>,
    ) -> Tensor<T> {
        Recurrence::forward(self.kind, gates, state, p, (self.w_hh, self.b_hh), starts)
    }

    /// The next state [B, state] from an input [B, inputs] and the state.
    pub fn forward<T: Real>(&self, p: &Parameters<T>, x: &Tensor<T>, state: &Tensor<T>) -> Tensor<T> {
        self.step(p, &self.input(p, x), state)
    }

    /// What the rest of the network sees of a state: h.
    pub fn output<T: Real>(&self, state: &Tensor<T>) -> Tensor<T> {
        if self.kind == CellKind::Lstm { state.columns(0..self.hidden) } else { state.clone() }
    }
}
