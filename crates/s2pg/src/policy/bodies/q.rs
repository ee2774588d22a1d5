//! Action-value functions Q(x, u) of the off-policy algorithms.

use std::sync::Arc;

use super::core::Core;
use super::core_shape::CoreShape;
use super::trunk::{Trunk, TrunkShape};
use super::value::View;
use crate::nn::{Activation, Builder, Init, Mlp, Parameters, Params, RELU_GAIN, Real, Size, Tensor};
use crate::policy::{Context, Critic, Extended};
use crate::rng::Rng;
use crate::state::{State, Visitor};

/// Kind of network of a [`Q`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum QKind {
    /// Two hidden layers that read all inputs side by side.
    Plain {
        /// Gain of the output layer's initialisation.
        gain: f64,
    },
    /// The paper's critic of the extended process: three encoders, for (z, z'), (s, a, a_prev) and (a, a_prev), whose
    /// sum goes through one more hidden layer.
    Encoders,
    /// A recurrent network over the window of observations, for a critic without privileged state beside a policy that
    /// is trained through time. The state of the network is zero before each window.
    Recurrent {
        /// What the network remembers with.
        core: CoreShape,
    },
}

/// Sizes of a [`Q`].
#[derive(Clone, Debug, PartialEq)]
pub struct QShape {
    /// The view of the world that the critic reads.
    pub view: View,
    /// Entries of the view of the world.
    pub world: usize,
    /// Entries of the policy's state z; 0 where the policy draws no state.
    pub z: usize,
    /// Entries of the action.
    pub a: usize,
    /// Whether the critic reads the previous action.
    pub a_prev: bool,
    /// Width of the hidden layers.
    pub features: usize,
    /// Kind of network.
    pub kind: QKind,
}

/// The layers of a [`Q`].
#[derive(Clone, Debug)]
enum Layers<T: Real> {
    Plain(Mlp),
    Encoders { state: Mlp, world: Mlp, action: Mlp, joint: Mlp },
    Recurrent { trunk: Trunk<T>, head: Mlp },
}

/// An action-value function Q of one step (s or o, z, a, z', previous action), or of a window of observations and an
/// action.
#[derive(Clone, Debug)]
pub struct Q<T: Real = f32> {
    parameters: Parameters<T>,
    layers: Layers<T>,
    shape: QShape,
    /// What tells which features of z are read; None where z is read as it is.
    core: Option<Arc<dyn Core<T>>>,
}

impl<T: Real> Q<T> {
    /// Makes an action-value function whose parameters are drawn from `rng`.
    pub fn new(shape: QShape, rng: &mut Rng) -> Self {
        let mut b = Builder::new(rng);
        let layers = Self::layers(&mut b, &shape);
        Self { parameters: b.finish(), layers, shape, core: None }
    }

    /// Returns the action-value function that reads of a state what `core` has a critic read. The shape's z is then the
    /// number of entries of that.
    pub fn reading(mut self, core: CoreShape) -> Self {
        self.core = Some(core.build(&mut Builder::counting(), 1));
        self
    }

    /// Returns how large an action-value function is; nothing is made.
    pub fn size(shape: &QShape) -> Size {
        let mut b = Builder::counting();
        Self::layers(&mut b, shape);
        b.size()
    }

    fn layers(b: &mut Builder<'_, T>, shape: &QShape) -> Layers<T> {
        let (f, a, world) = (shape.features, shape.a, shape.world);
        let relu = Activation::Relu;
        let p = if shape.a_prev { a } else { 0 };
        match shape.kind {
            QKind::Plain { gain } => {
                let inputs = world + 2 * shape.z + a + p;
                Layers::Plain(Mlp::new(b, &[inputs, f, f, 1], relu, &[RELU_GAIN, RELU_GAIN, gain].map(Init::Xavier)))
            }
            QKind::Encoders => {
                let inits = [0.1 * RELU_GAIN, 0.1].map(Init::Xavier);
                let mut encoder = |name: &str, sizes: [usize; 3]| b.scope(name, |b| Mlp::new(b, &sizes, relu, &inits));
                Layers::Encoders {
                    state: encoder("state", [2 * shape.z, f, f / 2]),
                    world: encoder("world", [world + a + p, f, f / 2]),
                    action: encoder("action", [a + p, f, f / 2]),
                    joint: encoder("joint", [f / 2, f / 2, 1]),
                }
            }
            QKind::Recurrent { core } => {
                let init = Init::Xavier(RELU_GAIN);
                let shape = TrunkShape { o: world, a, around: world + a, features: f, core, init, joint: false };
                let trunk = Trunk::new(b, &shape);
                let inits = [init, Init::Xavier(1.0)];
                let head = b.scope("head", |b| Mlp::new(b, &[trunk.width(), f, 1], relu, &inits));
                Layers::Recurrent { trunk, head }
            }
        }
    }
}

impl<T: Real> Params<T> for Q<T> {
    fn params(&self) -> &Parameters<T> {
        &self.parameters
    }
    fn params_mut(&mut self) -> &mut Parameters<T> {
        &mut self.parameters
    }
}

impl<T: Real> State for Q<T> {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { parameters, layers: _, shape: _, core: _ } = self;
        parameters.visit(v);
    }
}

impl<T: Real> Critic<T> for Q<T> {
    fn value(&self, x: &Context<T>, u: Option<&Extended<T>>) -> Tensor<T> {
        let u = u.expect("Q is a function of the action");
        let p = &self.parameters;
        let world = match self.shape.view {
            View::Observation => &x.o,
            View::State => x.s.as_ref().expect("a critic of the state is shown the state"),
        };
        let a_prev = || x.a_prev.as_ref().expect("the critic is shown the previous action");
        let states = || {
            let z = x.z.as_ref().expect("a critic of the extended state is shown z");
            let z_next = u.z.as_ref().expect("a critic of the extended action is shown z'");
            [z, z_next].map(|z| self.core.as_ref().map_or_else(|| z.clone(), |core| core.for_critic(z)))
        };
        match &self.layers {
            Layers::Plain(mlp) => {
                let read = (self.shape.z > 0).then(states);
                let mut parts = vec![world];
                parts.extend(read.as_ref().map(|[z, _]| z));
                parts.push(&u.a);
                parts.extend(read.as_ref().map(|[_, z_next]| z_next));
                if self.shape.a_prev {
                    parts.push(a_prev());
                }
                mlp.forward(p, &Tensor::concat(&parts))
            }
            Layers::Encoders { state, world: of_world, action, joint } => {
                let mut acts = vec![&u.a];
                if self.shape.a_prev {
                    acts.push(a_prev());
                }
                let [z, z_next] = states();
                let sum = state.forward(p, &Tensor::concat(&[&z, &z_next]))
                    + of_world.forward(p, &Tensor::concat(&[&[world], &acts[..]].concat()))
                    + action.forward(p, &Tensor::concat(&acts));
                joint.forward(p, &sum.relu())
            }
            Layers::Recurrent { trunk, head } => {
                let start = trunk.start(world.rows() / x.steps());
                let around = || Tensor::concat(&[&x.samples(world), &u.a]);
                head.forward(p, &trunk.forward(p, x, world, &start, around).0)
            }
        }
    }
}
