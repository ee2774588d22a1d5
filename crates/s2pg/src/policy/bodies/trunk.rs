//! The recurrent trunk that policies and critics share: embeddings, a core that remembers, and a shortcut around the
//! core.

use std::fmt::Debug;
use std::rc::Rc;
use std::sync::Arc;

use crate::nn::{Activation, Builder, Cell, CellKind, Init, Linear, Parameters, Real, Tensor};
use crate::policy::context::Context;

/// The part of a [`Trunk`] that remembers: a recurrent cell, or any other dynamics whose state is a row of numbers.
///
/// A core draws its parameters from the [`Builder`] of the network that it belongs to, and reads them from that
/// network's [`Parameters`].
pub trait Core<T: Real>: Debug + Send + Sync {
    /// Returns the number of entries of the core's state.
    fn state_size(&self) -> usize;
    /// Returns the number of entries of a state that the rest of the network reads.
    fn output_size(&self) -> usize;
    /// Returns all states of windows of L steps, [L B, state], from the inputs of the steps, [L B, inputs], and the
    /// states before the first step, [B, state]. `starts` holds the first step of each of the B windows, before which
    /// the state of the window does not change; None where all windows start with the first step.
    fn unroll(
        &self,
        p: &Parameters<T>,
        inputs: &Tensor<T>,
        state: &Tensor<T>,
        starts: Option<Rc<[usize]>>,
    ) -> Tensor<T>;
    /// Returns what the rest of the network reads of states, [B, output], from the states, [B, state].
    fn output(&self, states: &Tensor<T>) -> Tensor<T>;
}

impl<T: Real> Core<T> for Cell {
    fn state_size(&self) -> usize {
        Cell::state_size(self)
    }

    fn output_size(&self) -> usize {
        Cell::state_size(self) / self.kind().state_size(1)
    }

    fn unroll(
        &self,
        p: &Parameters<T>,
        inputs: &Tensor<T>,
        state: &Tensor<T>,
        starts: Option<Rc<[usize]>>,
    ) -> Tensor<T> {
        Cell::unroll(self, p, &self.input(p, inputs), state, starts)
    }

    fn output(&self, states: &Tensor<T>) -> Tensor<T> {
        Cell::output(self, states)
    }
}

/// Sizes and start values of a [`Trunk`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrunkShape {
    /// Entries of the observation.
    pub o: usize,
    /// Entries of the previous action; 0 where the trunk does not read it.
    pub a: usize,
    /// Entries of the input of the shortcut around the core; 0 where there is no shortcut.
    pub around: usize,
    /// Width of each embedding, and of the shortcut.
    pub features: usize,
    /// Kind and units of the recurrent cell that is the core.
    pub cell: (CellKind, usize),
    /// How the weights of the embeddings and of the shortcut are initialised.
    pub init: Init,
    /// Whether observation and previous action share one embedding with tanh, rather than each having an embedding with
    /// ReLU.
    pub joint: bool,
}

/// Embeddings of observation and previous action, a core that remembers, and a shortcut around the core.
#[derive(Clone, Debug)]
pub struct Trunk<T: Real> {
    embedding: Embedding,
    core: Arc<dyn Core<T>>,
    shortcut: Option<Linear>,
    width: usize,
}

#[derive(Clone, Debug)]
enum Embedding {
    /// Observation and previous action have a layer each; the outputs stand side by side.
    Apart { o: Linear, a: Linear },
    /// One layer reads observation and previous action, or the observation alone.
    Joint { layer: Linear, reads_action: bool },
}

impl<T: Real> Trunk<T> {
    /// Makes a trunk around a recurrent cell; its parameters are drawn by `b`.
    pub fn new(b: &mut Builder<'_, T>, shape: &TrunkShape) -> Self {
        let TrunkShape { o, a, around, features, cell: (kind, units), init, joint } = *shape;
        let relu = Activation::Relu;
        let (embedding, inputs) = if joint {
            let layer = Linear::new(b, "embed", o + a, features, Activation::Tanh, init);
            (Embedding::Joint { layer, reads_action: a > 0 }, features)
        } else {
            let o = Linear::new(b, "embed_o", o, features, relu, init);
            (Embedding::Apart { o, a: Linear::new(b, "embed_a", a, features, relu, init) }, 2 * features)
        };
        let core: Arc<dyn Core<T>> = Arc::new(Cell::new(b, "cell", kind, inputs, units));
        let shortcut = (around > 0).then(|| Linear::new(b, "shortcut", around, features, relu, init));
        let width = core.output_size() + if around > 0 { features } else { 0 };
        Self { embedding, core, shortcut, width }
    }

    /// Returns the number of entries of the core's state.
    pub fn state_size(&self) -> usize {
        self.core.state_size()
    }

    /// Returns the width of the trunk's features.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the features of the samples of x, [B, width], and the core's states after them, [B, state]. `o` holds
    /// the observations of every step of x, `state` the core's states before the first step, and `around` makes the
    /// input of the shortcut.
    pub fn forward(
        &self,
        p: &Parameters<T>,
        x: &Context<T>,
        o: &Tensor<T>,
        state: &Tensor<T>,
        around: impl FnOnce() -> Tensor<T>,
    ) -> (Tensor<T>, Tensor<T>) {
        let a_prev = || x.a_prev.as_ref().expect("a recurrent network reads the previous action");
        let inputs = match &self.embedding {
            Embedding::Apart { o: of_o, a } => Tensor::concat(&[&of_o.forward(p, o), &a.forward(p, a_prev())]),
            Embedding::Joint { layer, reads_action: true } => layer.forward(p, &Tensor::concat(&[o, a_prev()])),
            Embedding::Joint { layer, reads_action: false } => layer.forward(p, o),
        };
        let states = x.samples(&self.core.unroll(p, &inputs, state, x.starts()));
        let features = match &self.shortcut {
            Some(shortcut) => Tensor::concat(&[&shortcut.forward(p, &around()), &self.core.output(&states)]),
            None => self.core.output(&states),
        };
        (features, states)
    }

    /// Returns the core's states before the first step of `rows` windows: zeros, [rows, state].
    pub fn start(&self, rows: usize) -> Tensor<T> {
        Tensor::zeros(rows, self.state_size())
    }
}
