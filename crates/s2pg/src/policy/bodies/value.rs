//! Value functions V(x) of the on-policy algorithms.

use std::sync::Arc;

use super::core::Core;
use super::core_shape::CoreShape;
use super::trunk::{Trunk, TrunkShape};
use crate::nn::{Activation, Builder, Init, Mlp, Parameters, Params, RELU_GAIN, Real, Size, Tensor};
use crate::policy::{Context, Critic, Extended};
use crate::rng::Rng;
use crate::state::{State, Visitor};

/// The view of the world that a critic reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum View {
    /// The critic reads the policy's observation o.
    Observation,
    /// The critic reads the privileged state s.
    State,
}

/// Sizes of a [`Value`]; an input that the value function does not read has size 0.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueShape {
    /// The view of the world that the critic reads.
    pub view: View,
    /// Entries of the view of the world.
    pub world: usize,
    /// Entries of the policy's state z.
    pub z: usize,
    /// Entries of the previous action.
    pub a_prev: usize,
    /// Width of each hidden layer.
    pub features: usize,
    /// Gain of the initial weights of a critic that reads one step; 0.01 as published.
    pub gain: f64,
    /// What the critic remembers with, whose state is zero before each window; None for a critic that reads one step.
    pub core: Option<CoreShape>,
}

/// The layers of a [`Value`].
#[derive(Clone, Debug)]
enum Layers<T: Real> {
    /// Two hidden layers with ReLU, as published.
    Plain(Mlp),
    /// The critic of PPO-BPTT, as published: a trunk and one hidden layer.
    Recurrent { trunk: Trunk<T>, head: Mlp },
}

/// A value function V of one step (o or s, z, previous action), or of a window of steps.
#[derive(Clone, Debug)]
pub struct Value<T: Real = f32> {
    parameters: Parameters<T>,
    layers: Layers<T>,
    shape: ValueShape,
    /// What tells which features of z are read; None where z is read as it is.
    core: Option<Arc<dyn Core<T>>>,
}

impl<T: Real> Value<T> {
    /// Makes a value function whose parameters are drawn from `rng`.
    pub fn new(shape: ValueShape, rng: &mut Rng) -> Self {
        let mut b = Builder::new(rng);
        let layers = Self::layers(&mut b, &shape);
        Self { parameters: b.finish(), layers, shape, core: None }
    }

    /// Returns the value function that reads of a state what `core` has a critic read. The shape's z is then the number
    /// of entries of that.
    pub fn reading(mut self, core: CoreShape) -> Self {
        self.core = Some(core.build(&mut Builder::counting(), 1));
        self
    }

    /// Returns how large a value function is; nothing is made.
    pub fn size(shape: &ValueShape) -> Size {
        let mut b = Builder::counting();
        Self::layers(&mut b, shape);
        b.size()
    }

    fn layers(b: &mut Builder<'_, T>, shape: &ValueShape) -> Layers<T> {
        let (world, f) = (shape.world, shape.features);
        if let Some(core) = shape.core {
            let init = Init::Xavier(RELU_GAIN);
            let shape = TrunkShape { o: world, a: shape.a_prev, around: world, features: f, core, init, joint: false };
            let trunk = Trunk::new(b, &shape);
            let head = b.scope("head", |b| Mlp::new(b, &[trunk.width(), f, 1], Activation::Relu, &[init; 2]));
            Layers::Recurrent { trunk, head }
        } else {
            let gains = [shape.gain * RELU_GAIN, shape.gain * RELU_GAIN, shape.gain].map(Init::Xavier);
            let inputs = world + shape.z + shape.a_prev;
            Layers::Plain(Mlp::new(b, &[inputs, f, f, 1], Activation::Relu, &gains))
        }
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
        let Self { parameters, layers: _, shape: _, core: _ } = self;
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
        match &self.layers {
            Layers::Plain(layers) => {
                let z = || x.z.as_ref().expect("a critic of the extended state is shown z");
                let z = (self.shape.z > 0).then(z);
                let z = z.map(|z| self.core.as_ref().map_or_else(|| z.clone(), |core| core.for_critic(z)));
                let mut parts = vec![world];
                parts.extend(&z);
                if self.shape.a_prev > 0 {
                    parts.push(x.a_prev.as_ref().expect("the critic is shown the previous action"));
                }
                layers.forward(p, &Tensor::concat(&parts))
            }
            Layers::Recurrent { trunk, head } => {
                let start = trunk.start(world.rows() / x.steps());
                let (features, _) = trunk.forward(p, x, world, &start, || x.samples(world));
                head.forward(p, &features)
            }
        }
    }
}
