//! The recurrent trunk that policies and critics share: embeddings, what remembers, and a way around it.

use std::fmt::Debug;
use std::rc::Rc;
use std::sync::Arc;

use crate::nn::{Activation, Builder, Cell, CellKind, Init, Linear, Parameters, Real, Tensor};
use crate::policy::context::Context;

/// What a [`Trunk`] remembers with: a recurrent cell, or any other dynamics whose state is a row of numbers.
///
/// A core draws its parameters from the [`Builder`] of the network that it belongs to, and reads them from that network's
/// [`Parameters`].
pub trait Core<T: Real>: Debug + Send + Sync {
    /// Numbers in its state.
    fn state_size(&self) -> usize;
    /// Numbers that the rest of the network reads of a state.
    fn output_size(&self) -> usize;
    /// All states [L B, state] of a window of L steps, from its inputs [L B, inputs] and the states before the first
    /// step, [B, state]. `starts` holds the first step of each row, until which its state stays; None where all rows
    /// start with the first step.
    fn unroll(
        &self,
        p: &Parameters<T>,
        inputs: &Tensor<T>,
        state: &Tensor<T>,
        starts: Option<Rc<[usize]>>,
    ) -> Tensor<T>;
    /// What the rest of the network reads of states: [B, state] to [B, output].
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
    /// Entries of what is observed.
    pub o: usize,
    /// Entries of the previous action; 0 where it is not read.
    pub a: usize,
    /// Entries of what goes around the core; 0 where nothing does.
    pub around: usize,
    /// Width of each embedding, and of the way around.
    pub features: usize,
    /// Kind and units of the cell at its core.
    pub cell: (CellKind, usize),
    /// How the weights of embeddings and of the way around start.
    pub init: Init,
    /// Whether observation and previous action share one embedding with tanh, rather than having one with ReLU each.
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
    /// One layer each, side by side.
    Apart { o: Linear, a: Linear },
    /// One layer of both, or of the observation alone.
    Joint { layer: Linear, reads_action: bool },
}

impl<T: Real> Trunk<T> {
    /// A trunk around a cell, with fresh parameters.
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

    /// Numbers in the state of its core.
    pub fn state_size(&self) -> usize {
        self.core.state_size()
    }

    /// Width of its features.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Features [B, width] of the samples of x, and the core's states behind them, [B, state]. `o` is what is observed of
    /// x at every step, `state` what was remembered before the first one, and `around` makes what goes around the core.
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

    /// States before the first step of `rows` windows: zeros, [rows, state].
    pub fn start(&self, rows: usize) -> Tensor<T> {
        Tensor::zeros(rows, self.state_size())
    }
}
