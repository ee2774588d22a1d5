//! The recurrent trunk that policies and critics share: embeddings, a core that remembers, and a shortcut around the
//! core.

use std::sync::Arc;

use super::core::Core;
use super::core_shape::CoreShape;
use crate::nn::{Activation, Builder, Init, Linear, Parameters, Real, Tensor};
use crate::policy::context::Context;

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
    /// What remembers.
    pub core: CoreShape,
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
    /// Observation and previous action have a layer each, or the observation alone; the outputs stand side by side.
    Apart { o: Linear, a: Option<Linear> },
    /// One layer reads observation and previous action, or the observation alone.
    Joint { layer: Linear, reads_action: bool },
}

impl<T: Real> Trunk<T> {
    /// Makes a trunk; the parameters of its layers and of its core are drawn by `b`.
    pub fn new(b: &mut Builder<'_, T>, shape: &TrunkShape) -> Self {
        let TrunkShape { o, a, around, features, core, init, joint } = *shape;
        let relu = Activation::Relu;
        let (embedding, inputs) = if joint {
            let layer = Linear::new(b, "embed", o + a, features, Activation::Tanh, init);
            (Embedding::Joint { layer, reads_action: a > 0 }, features)
        } else {
            let o = Linear::new(b, "embed_o", o, features, relu, init);
            let a = (a > 0).then(|| Linear::new(b, "embed_a", a, features, relu, init));
            let inputs = if a.is_some() { 2 * features } else { features };
            (Embedding::Apart { o, a }, inputs)
        };
        let core = core.build(b, inputs);
        let shortcut = (around > 0).then(|| Linear::new(b, "shortcut", around, features, relu, init));
        let width = core.output_size() + if around > 0 { features } else { 0 };
        Self { embedding, core, shortcut, width }
    }

    /// Returns what the trunk remembers with.
    pub fn core(&self) -> &dyn Core<T> {
        &*self.core
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
            Embedding::Apart { o: of_o, a: Some(a) } => Tensor::concat(&[&of_o.forward(p, o), &a.forward(p, a_prev())]),
            Embedding::Apart { o: of_o, a: None } => of_o.forward(p, o),
            Embedding::Joint { layer, reads_action: true } => layer.forward(p, &Tensor::concat(&[o, a_prev()])),
            Embedding::Joint { layer, reads_action: false } => layer.forward(p, o),
        };
        let states = x.samples(&self.core.unroll(p, &inputs, state, x.stack()));
        let features = match &self.shortcut {
            Some(shortcut) => Tensor::concat(&[&shortcut.forward(p, &around()), &self.core.output(&states)]),
            None => self.core.output(&states),
        };
        (features, states)
    }

    /// Returns the core's states before the first step of `rows` windows: zeros, [rows, state].
    pub fn start(&self, rows: usize) -> Tensor<T> {
        Tensor::zeros(rows, self.core.state_size())
    }
}
