//! Value functions of the on-policy algorithms.

use super::{Context, Critic, Extended};
use crate::nn::{Activation, Builder, Cell, CellKind, Init, Linear, Mlp, Parameters, Params, RELU_GAIN, Real, Tensor};
use crate::rng::Rng;
use crate::state::{State, Visitor};

/// What a critic reads of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum View {
    /// The policy's observation o.
    Observation,
    /// The privileged state s.
    State,
}

/// Sizes of a [`Value`]; the parts that it does not read are zero.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueShape {
    /// Which view of the world.
    pub view: View,
    /// Entries of that view.
    pub world: usize,
    /// Entries of the policy's state z.
    pub z: usize,
    /// Entries of the previous action.
    pub a_prev: usize,
    /// Width of each hidden layer.
    pub features: usize,
    /// Kind and units of a recurrent cell of its own, which starts from zero at the start of each window; None for a
    /// critic that reads one step.
    pub cell: Option<(CellKind, usize)>,
}

/// The layers of a [`Value`].
#[derive(Clone, Debug)]
enum Layers {
    /// Two hidden layers with ReLU, as published.
    Plain(Mlp),
    /// The critic of PPO-BPTT, as published: embeddings into a cell, a shortcut around it, one hidden layer.
    Recurrent { embed_o: Linear, embed_a: Linear, cell: Cell, shortcut: Linear, head: Mlp },
}

/// V of one step (o or s, z, previous action), or of a window of steps.
#[derive(Clone, Debug)]
pub struct Value<T: Real = f32> {
    parameters: Parameters<T>,
    layers: Layers,
    shape: ValueShape,
}

impl<T: Real> Value<T> {
    /// With fresh parameters.
    pub fn new(shape: ValueShape, rng: &mut Rng) -> Self {
        let mut b = Builder::new(rng);
        let f = shape.features;
        let layers = if let Some((kind, units)) = shape.cell {
            let gain = Init::Xavier(RELU_GAIN);
            Layers::Recurrent {
                embed_o: Linear::new(&mut b, "embed_o", shape.world, f, Activation::Relu, gain),
                embed_a: Linear::new(&mut b, "embed_a", shape.a_prev, f, Activation::Relu, gain),
                cell: Cell::new(&mut b, "cell", kind, 2 * f, units),
                shortcut: Linear::new(&mut b, "shortcut", shape.world, f, Activation::Relu, gain),
                head: b.scope("head", |b| Mlp::new(b, &[f + units, f, 1], Activation::Relu, &[gain; 2])),
            }
        } else {
            let gains = [0.01 * RELU_GAIN, 0.01 * RELU_GAIN, 0.01].map(Init::Xavier);
            let inputs = shape.world + shape.z + shape.a_prev;
            Layers::Plain(Mlp::new(&mut b, &[inputs, f, f, 1], Activation::Relu, &gains))
        };
        Self { parameters: b.finish(), layers, shape }
    }
}

impl<T: Real> Params<T> for Value<T> {
    fn params(&self) -> &Parameters<T> {
        &self.parameters
    }
    fn params_mut(&mut self) -> &mut Parameters<T> {
        &mut self.parameters
    }
}

impl<T: Real> State for Value<T> {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { parameters, layers: _, shape: _ } = self;
        parameters.visit(v);
    }
}

impl<T: Real> Critic<T> for Value<T> {
    fn value(&self, x: &Context<T>, _: Option<&Extended<T>>) -> Tensor<T> {
        let world = match self.shape.view {
            View::Observation => &x.o,
            View::State => x.s.as_ref().expect("a critic of the state is shown the state"),
        };
        let p = &self.parameters;
        let a_prev = || x.a_prev.as_ref().expect("the critic is shown the previous action");
        match &self.layers {
            Layers::Plain(layers) => {
                let mut parts = vec![world];
                if self.shape.z > 0 {
                    parts.push(x.z.as_ref().expect("a critic of the extended state is shown z"));
                }
                if self.shape.a_prev > 0 {
                    parts.push(a_prev());
                }
                layers.forward(p, &Tensor::concat(&parts))
            }
            Layers::Recurrent { embed_o, embed_a, cell, shortcut, head } => {
                let e = Tensor::concat(&[&embed_o.forward(p, world), &embed_a.forward(p, a_prev())]);
                let zero = Tensor::zeros(world.rows() / x.steps(), cell.state_size());
                let states = x.samples(&cell.unroll(p, &cell.input(p, &e), &zero, x.starts()));
                let features = Tensor::concat(&[&shortcut.forward(p, &x.samples(world)), &cell.output(&states)]);
                head.forward(p, &features)
            }
        }
    }
}
