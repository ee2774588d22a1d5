//! The network of the paper's first examples: one embedding, a cell, a linear head.

use super::{Context, Dist, Gaussian, Memory, StatefulPolicy};
use crate::nn::{Activation, Builder, Cell, CellKind, Init, Linear, Parameters, Params, Real, Tensor};
use crate::rng::Rng;
use crate::state::{State, Visitor};

/// Sizes and start values of a [`SimpleActor`].
#[derive(Clone, Debug, PartialEq)]
pub struct SimpleShape {
    /// Entries of the observation.
    pub o: usize,
    /// Entries of the action.
    pub a: usize,
    /// Width of the embedding.
    pub features: usize,
    /// Units of the cell.
    pub hidden: usize,
    /// Which cell; as published, [`CellKind::ElmanRelu`].
    pub cell: CellKind,
    /// Whether the embedding reads the previous action beside the observation.
    pub a_prev: bool,
    /// Initial standard deviation of the action.
    pub std: f64,
    /// Initial standard deviation of the next state.
    pub state_std: f64,
}

/// e = tanh(Dense(o, a_prev)), η = cell(e, z), f = Dense(output of η): a Gaussian of a around f and of z' around η, each
/// with a free log-std for each entry.
#[derive(Clone, Debug)]
pub struct SimpleActor<T: Real = f32> {
    parameters: Parameters<T>,
    memory: Memory,
    a_prev: bool,
    embed: Linear,
    cell: Cell,
    head: Linear,
    log_std: usize,
    state_log_std: Option<usize>,
}

impl<T: Real> SimpleActor<T> {
    /// The policy with this memory, which has a state.
    pub fn new(memory: Memory, shape: &SimpleShape, rng: &mut Rng) -> Self {
        let (stochastic, state) = match memory {
            Memory::Stochastic { z } => (true, z),
            Memory::Bptt { h, .. } => (false, h),
            Memory::None | Memory::Window { .. } => panic!("this network has a state, {memory:?} has none"),
        };
        let mut b = Builder::new(rng);
        let inputs = shape.o + if shape.a_prev { shape.a } else { 0 };
        let embed = Linear::new(&mut b, "embed", inputs, shape.features, Activation::Tanh, Init::FanIn);
        let cell = Cell::new(&mut b, "cell", shape.cell, shape.features, shape.hidden);
        assert_eq!(state, cell.state_size(), "the state of the cell is the state of the policy");
        Self {
            memory,
            a_prev: shape.a_prev,
            embed,
            head: Linear::new(&mut b, "head", shape.hidden, shape.a, Activation::Identity, Init::FanIn),
            log_std: b.constant("log_std", shape.a, shape.std.ln()),
            state_log_std: stochastic.then(|| b.constant("state_log_std", state, shape.state_std.ln())),
            cell,
            parameters: b.finish(),
        }
    }
}

impl<T: Real> Params<T> for SimpleActor<T> {
    fn params(&self) -> &Parameters<T> {
        &self.parameters
    }
    fn params_mut(&mut self) -> &mut Parameters<T> {
        &mut self.parameters
    }
}

impl<T: Real> State for SimpleActor<T> {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { parameters, memory: _, a_prev: _, embed: _, cell: _, head: _, log_std: _, state_log_std: _ } = self;
        parameters.visit(v);
    }
}

impl<T: Real> StatefulPolicy<T> for SimpleActor<T> {
    fn memory(&self) -> Memory {
        self.memory
    }

    fn dist(&self, x: &Context<T>) -> Dist<T> {
        let p = &self.parameters;
        let e = if self.a_prev {
            let a_prev = x.a_prev.as_ref().expect("this policy reads the previous action");
            self.embed.forward(p, &Tensor::concat(&[&x.o, a_prev]))
        } else {
            self.embed.forward(p, &x.o)
        };
        let state = x.z.as_ref().or(x.h.as_ref()).expect("this policy reads its state");
        let next = x.samples(&self.cell.unroll(p, &self.cell.input(p, &e), state, x.starts()));
        let a = Gaussian::new(self.head.forward(p, &self.cell.output(&next)), Tensor::param(p, self.log_std));
        match self.state_log_std {
            Some(log_std) => Dist { a, z: Some(Gaussian::new(next, Tensor::param(p, log_std))), h: None },
            None => Dist { a, z: None, h: Some(next) },
        }
    }
}
