//! The on-policy actors of the paper: a recurrent network for a policy with memory, a plain one for a policy without.

use std::ops::Range;

use super::{Context, Dist, Gaussian, Memory, StatefulPolicy};
use crate::nn::{Activation, Builder, Cell, CellKind, Init, Linear, Mlp, Parameters, Params, RELU_GAIN, Real, Tensor};
use crate::rng::Rng;
use crate::state::{State, Visitor};

/// Sizes and start values of an [`Actor`].
#[derive(Clone, Debug, PartialEq)]
pub struct ActorShape {
    /// Entries of the observation.
    pub o: usize,
    /// Entries of the action.
    pub a: usize,
    /// Width of each embedding or hidden layer.
    pub features: usize,
    /// Units of the recurrent cell.
    pub hidden: usize,
    /// Which recurrent cell.
    pub cell: CellKind,
    /// Initial standard deviation of the action.
    pub std: f64,
    /// Initial standard deviation of the next state.
    pub state_std: f64,
}

/// The layers of an [`Actor`].
#[derive(Clone, Debug)]
pub enum Body {
    /// Two hidden layers with ReLU, as published.
    Plain(Mlp),
    /// Embeddings of observation and previous action, a recurrent cell, and a shortcut of the observation around it
    /// (the paper's Figure 6, as published).
    Recurrent {
        /// Observation into the cell.
        embed_o: Linear,
        /// Previous action into the cell.
        embed_a: Linear,
        /// The memory.
        cell: Cell,
        /// Observation around the cell.
        shortcut: Linear,
        /// Shortcut beside the cell's output, to the mean of the action.
        head: Linear,
    },
}

/// A Gaussian policy with a free log-std for each action and each entry of the state.
#[derive(Clone, Debug)]
pub struct Actor<T: Real = f32> {
    parameters: Parameters<T>,
    body: Body,
    log_std: usize,
    memory: Memory,
    actions: usize,
}

impl<T: Real> Actor<T> {
    /// The policy with this memory.
    pub fn new(memory: Memory, shape: &ActorShape, rng: &mut Rng) -> Self {
        let (a, f) = (shape.a, shape.features);
        let mut b = Builder::new(rng);
        let body = match memory {
            Memory::None | Memory::Window { .. } => {
                let o = if let Memory::Window { len } = memory { len * shape.o } else { shape.o };
                let gains = [0.01 * RELU_GAIN, 0.01 * RELU_GAIN, 0.01].map(Init::Xavier);
                Body::Plain(Mlp::new(&mut b, &[o, f, f, a], Activation::Relu, &gains))
            }
            Memory::Stochastic { .. } | Memory::Bptt { .. } => {
                let gain = Init::Xavier(0.05 * RELU_GAIN);
                Body::Recurrent {
                    embed_o: Linear::new(&mut b, "embed_o", shape.o, f, Activation::Relu, gain),
                    embed_a: Linear::new(&mut b, "embed_a", a, f, Activation::Relu, gain),
                    cell: Cell::new(&mut b, "cell", shape.cell, 2 * f, shape.hidden),
                    shortcut: Linear::new(&mut b, "shortcut", shape.o, f, Activation::Relu, gain),
                    head: Linear::new(&mut b, "head", f + shape.hidden, a, Activation::Identity, gain),
                }
            }
        };
        // z' has a log-std of its own; h' is not drawn and has none.
        let z = if let Memory::Stochastic { z } = memory { z } else { 0 };
        let log_std = b.constant("log_std", a + z, shape.std.ln());
        let mut parameters = b.finish();
        let slot = parameters.slots()[log_std].range();
        parameters.data_mut()[slot.start + a..slot.end].fill(T::of(shape.state_std.ln()));
        let actor = Self { parameters, body, log_std, memory, actions: a };
        if let Body::Recurrent { cell, .. } = &actor.body {
            assert_eq!(actor.state_size(), cell.state_size(), "the state of the cell is the state of the policy");
        }
        actor
    }
}

impl<T: Real> Params<T> for Actor<T> {
    fn params(&self) -> &Parameters<T> {
        &self.parameters
    }
    fn params_mut(&mut self) -> &mut Parameters<T> {
        &mut self.parameters
    }
}

impl<T: Real> State for Actor<T> {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { parameters, body: _, log_std: _, memory: _, actions: _ } = self;
        parameters.visit(v);
    }
}

impl<T: Real> StatefulPolicy<T> for Actor<T> {
    fn memory(&self) -> Memory {
        self.memory
    }

    fn state_range(&self) -> Option<Range<f64>> {
        None
    }

    fn dist(&self, x: &Context<T>) -> Dist<T> {
        let p = &self.parameters;
        let log_std = Tensor::param(p, self.log_std);
        match &self.body {
            Body::Plain(mlp) => Dist { a: Gaussian::new(mlp.forward(p, &x.o), log_std), z: None, h: None },
            Body::Recurrent { embed_o, embed_a, cell, shortcut, head } => {
                let a_prev = x.a_prev.as_ref().expect("a recurrent policy reads the previous action");
                let e = Tensor::concat(&[&embed_o.forward(p, &x.o), &embed_a.forward(p, a_prev)]);
                let state = x.z.as_ref().or(x.h.as_ref()).expect("a recurrent policy reads its state");
                let next = x.samples(&cell.unroll(p, &cell.input(p, &e), state, x.starts()));
                let features = Tensor::concat(&[&shortcut.forward(p, &x.samples(&x.o)), &cell.output(&next)]);
                let mean = head.forward(p, &features);
                let (a, end) = (self.actions, log_std.cols());
                let action = Gaussian::new(mean, log_std.columns(0..a));
                match self.memory {
                    Memory::Stochastic { .. } => {
                        Dist { a: action, z: Some(Gaussian::new(next, log_std.columns(a..end))), h: None }
                    }
                    _ => Dist { a: action, z: None, h: Some(next) },
                }
            }
        }
    }
}
