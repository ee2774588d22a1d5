//! Value functions of the on-policy algorithms.

use super::{Context, Critic, Extended};
use crate::nn::{Activation, Builder, Init, Mlp, Parameters, Params, RELU_GAIN, Real, Tensor};
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
#[derive(Clone, Copy, Debug, PartialEq)]
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
}

/// V(o or s, z, previous action): two hidden layers with ReLU (spec 02 §3 and §5).
#[derive(Clone, Debug)]
pub struct Value<T: Real = f32> {
    parameters: Parameters<T>,
    layers: Mlp,
    shape: ValueShape,
}

impl<T: Real> Value<T> {
    /// With fresh parameters.
    pub fn new(shape: ValueShape, rng: &mut Rng) -> Self {
        let mut b = Builder::new(rng);
        let f = shape.features;
        let gains = [0.01 * RELU_GAIN, 0.01 * RELU_GAIN, 0.01].map(Init::Xavier);
        let inputs = shape.world + shape.z + shape.a_prev;
        let layers = Mlp::new(&mut b, &[inputs, f, f, 1], Activation::Relu, &gains);
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
        let mut parts = vec![world];
        if self.shape.z > 0 {
            parts.push(x.z.as_ref().expect("a critic of the extended state is shown z"));
        }
        if self.shape.a_prev > 0 {
            parts.push(x.a_prev.as_ref().expect("the critic is shown the previous action"));
        }
        self.layers.forward(&self.parameters, &Tensor::concat(&parts))
    }
}
