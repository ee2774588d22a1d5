//! The actors of the paper: a recurrent network for a policy with memory, a plain one for a policy without.

use super::core::Core;
use super::emitter::Emitter;
use super::shape::{ActorShape, Head, PolicyKind};
use super::trunk::{Trunk, TrunkShape};
use crate::nn::{Activation, Builder, Init, Linear, Mlp, Parameters, Params, RELU_GAIN, Real, Size, Tensor};
use crate::policy::{Bounds, Context, Dist, Gaussian, LOG_STD, Memory, StatefulPolicy, Support};
use crate::rng::Rng;
use crate::state::{State, Visitor};

/// The layers of an [`Actor`].
#[derive(Clone, Debug)]
enum Body<T: Real> {
    /// Two hidden layers with ReLU, as published.
    Plain(Mlp),
    /// A trunk whose state is the state of the policy, and a linear head; SAC has one more layer between trunk and
    /// head.
    Recurrent { trunk: Trunk<T>, hidden: Option<Linear>, head: Linear },
    /// A core that runs by itself, whose state is the state of the policy, and what makes actions of its states.
    Emitting(Emitter<T>),
}

impl<T: Real> Body<T> {
    /// Returns what the policy remembers with.
    fn core(&self) -> Option<&dyn Core<T>> {
        match self {
            Self::Plain(_) => None,
            Self::Recurrent { trunk, .. } => Some(trunk.core()),
            Self::Emitting(emitter) => Some(emitter.core()),
        }
    }
}

/// Returns how the weights of a network of two hidden layers start, as published for the head `head`.
fn inits(head: &Head) -> [Init; 3] {
    match head {
        Head::Gaussian { .. } => [0.01 * RELU_GAIN, 0.01 * RELU_GAIN, 0.01].map(Init::Xavier),
        Head::Squashed { .. } => [RELU_GAIN, RELU_GAIN, 0.01].map(Init::Xavier),
        Head::Deterministic { .. } => [Init::FanIn, Init::FanIn, Init::Uniform(3e-3)],
    }
}

/// How an [`Actor`] makes a distribution from the outputs of its network.
#[derive(Clone, Debug)]
enum Output<T> {
    /// The place of the log-std among the parameters.
    Gaussian { log_std: usize },
    /// The bounds of action and state, and the least log-std.
    Squashed { a: Bounds<T>, z: Bounds<T>, least: f64 },
    /// The bounds of action and state, what the tanh is stretched to, and the log-stds of the noise.
    Deterministic { a: Bounds<T>, z: Bounds<T>, stretch: Bounds<T>, log_std: f64, state_log_std: f64 },
}

/// The policy that every algorithm of this library trains: a plain network where the policy carries no state, and a
/// recurrent network where the policy carries one.
#[derive(Clone, Debug)]
pub struct Actor<T: Real = f32> {
    parameters: Parameters<T>,
    body: Body<T>,
    output: Output<T>,
    memory: Memory,
    actions: usize,
}

impl<T: Real> Actor<T> {
    /// Makes a policy with the memory `memory`; its parameters are drawn from `rng`. Panics where the state of the
    /// memory and the state of the core differ in size.
    pub fn new(memory: Memory, shape: &ActorShape, rng: &mut Rng) -> Self {
        let a = shape.a;
        let mut b = Builder::new(rng);
        let (body, output) = Self::layers(&mut b, memory, shape);
        let mut parameters = b.finish();
        // The log-stds start at the logarithms of `std` and `state_std`; the log-stds of z' stand behind those of a.
        let start = |parameters: &mut Parameters<T>, slot: &str, from: usize, std: f64, state_std: f64| {
            let slot = parameters.slot(slot).range();
            let (of_a, of_z) = parameters.data_mut()[slot][from..].split_at_mut(a);
            of_a.iter_mut().for_each(|x| *x += T::of(std.ln()));
            of_z.iter_mut().for_each(|x| *x += T::of(state_std.ln()));
        };
        match shape.head {
            Head::Gaussian { std, state_std } => start(&mut parameters, "log_std", 0, std, state_std),
            Head::Squashed { std, state_std, .. } => {
                let (bias, from) = match &body {
                    Body::Plain(_) => ("h3.bias", a),
                    Body::Recurrent { .. } => ("head.bias", a),
                    Body::Emitting(emitter) => emitter.rest(),
                };
                start(&mut parameters, bias, from, std, state_std);
            }
            Head::Deterministic { .. } => {}
        }
        parameters.hold();
        Self { parameters, body, output, memory, actions: a }
    }

    /// Returns the policy with log-stds that are clipped to [`least`, 2] rather than [-20, 2], where they are outputs
    /// of the network.
    pub fn no_narrower(mut self, log_std: f64) -> Self {
        if let Output::Squashed { least, .. } = &mut self.output {
            *least = log_std;
        }
        self
    }

    /// Returns how large a policy is; nothing is made.
    pub fn size(memory: Memory, shape: &ActorShape) -> Size {
        let mut b = Builder::counting();
        Self::layers(&mut b, memory, shape);
        b.size()
    }

    fn layers(b: &mut Builder<'_, T>, memory: Memory, shape: &ActorShape) -> (Body<T>, Output<T>) {
        let (a, f) = (shape.a, shape.features);
        // z' has a log-std of its own where it is drawn; h' is not drawn and has none.
        let z = memory.drawn();
        let squashed = matches!(shape.head, Head::Squashed { .. });
        let outputs = if squashed { 2 * a + z } else { a };
        let body = if memory.is_recurrent() && shape.kind.runs_alone() {
            Body::Emitting(Emitter::new(b, shape, outputs, inits(&shape.head)))
        } else if memory.is_recurrent() {
            let simple = shape.kind == PolicyKind::Simple;
            let (init, last) = match shape.head {
                _ if simple => (Init::FanIn, Init::FanIn),
                Head::Gaussian { .. } => (Init::Xavier(0.05 * RELU_GAIN), Init::Xavier(0.05 * RELU_GAIN)),
                Head::Squashed { .. } | Head::Deterministic { .. } => {
                    (Init::Xavier(0.1 * RELU_GAIN), Init::Xavier(0.1))
                }
            };
            let trunk = TrunkShape {
                o: shape.o,
                a: shape.a_prev,
                around: if simple { 0 } else { shape.o },
                features: f,
                core: shape.core,
                init,
                joint: simple,
            };
            let trunk = Trunk::new(b, &trunk);
            let hidden =
                (squashed && !simple).then(|| Linear::new(b, "hidden", trunk.width(), f, Activation::Relu, init));
            let inputs = if hidden.is_some() { f } else { trunk.width() };
            let head = Linear::new(b, "head", inputs, outputs, Activation::Identity, last);
            Body::Recurrent { trunk, hidden, head }
        } else {
            let windows = matches!(memory, Memory::Window { .. } | Memory::History { .. });
            let inits = match shape.head {
                Head::Squashed { .. } | Head::Deterministic { .. } if windows => [0.1 * RELU_GAIN; 3].map(Init::Xavier),
                _ => inits(&shape.head),
            };
            let sizes = [memory.window() * shape.o + memory.actions() * a, f, f, outputs];
            Body::Plain(Mlp::new(b, &sizes, Activation::Relu, &inits))
        };
        // What the core has no range for, such as an LSTM's cell state, has none.
        let core = body.core();
        let state = core.map_or(0, Core::state_size);
        assert_eq!(memory.state(), state, "the state of the core is the state of the policy");
        let core = core.filter(|_| z > 0);
        let output = match &shape.head {
            Head::Gaussian { .. } => Output::Gaussian { log_std: b.held("log_std", a + z, 0.0, LOG_STD) },
            Head::Squashed { low, high, .. } => {
                let z = Bounds::unit(core.map_or(0, Core::bounded));
                Output::Squashed { a: Bounds::new(low, high), z, least: LOG_STD.0 }
            }
            Head::Deterministic { low, high, scale, std, state_std } => {
                let range = Bounds::new(low, high);
                let scaled = |s: &f64| Bounds::new(&vec![-s as f32; a], &vec![*s as f32; a]);
                let stretch = scale.as_ref().map_or_else(|| range.clone(), scaled);
                Output::Deterministic {
                    a: range,
                    z: Bounds::of(&core.map_or(Vec::new(), Core::ranges)),
                    stretch,
                    log_std: std.ln(),
                    state_log_std: state_std.ln(),
                }
            }
        };
        (body, output)
    }

    /// Returns the distribution that the outputs `y` of the network stand for, and that of the next state `next` where
    /// it is drawn.
    fn distribution(&self, y: &Tensor<T>, next: Option<&Tensor<T>>) -> (Gaussian<T>, Option<Gaussian<T>>) {
        let a = self.actions;
        match &self.output {
            Output::Gaussian { log_std } => {
                let log_std = Tensor::param(&self.parameters, *log_std);
                let z = next.map(|next| Gaussian::new(next.clone(), log_std.columns(a..log_std.cols())));
                (Gaussian::new(y.clone(), log_std.columns(0..a)), z)
            }
            Output::Squashed { a: range, z, least } => {
                let made = |mean: Tensor<T>, log_std: Tensor<T>| match *least {
                    least if least == LOG_STD.0 => Gaussian::new(mean, log_std),
                    least => Gaussian::new(mean, log_std).no_narrower(least),
                };
                let action = made(y.columns(0..a), y.columns(a..2 * a));
                let state = next.map(|next| {
                    let log_std = y.columns(2 * a..y.cols());
                    made(next.clone(), log_std).within(Support::Squashed(z.clone()))
                });
                (action.within(Support::Squashed(range.clone())), state)
            }
            Output::Deterministic { a: range, z, stretch, log_std, state_log_std } => {
                let noise = |n: usize, log_std: f64| Tensor::with(1, n, |x| x.fill(T::of(log_std)));
                let action = Gaussian::new(stretch.stretch(&y.tanh()), noise(a, *log_std));
                let state = next.map(|next| {
                    let log_std = noise(next.cols(), *state_log_std);
                    Gaussian::new(next.clone(), log_std).within(Support::Clipped(z.clone()))
                });
                (action.within(Support::Clipped(range.clone())), state)
            }
        }
    }
}

impl<T: Real> Actor<T> {
    /// Returns the distribution that the outputs `y` of the network stand for, and the next states `next` of its core.
    fn with_next(&self, x: &Context<T>, y: &Tensor<T>, next: Tensor<T>) -> Dist<T> {
        let drawn = self.memory.drawn() > 0;
        let (a, z) = self.distribution(y, drawn.then_some(&next));
        let z = z.map(|z| z.of_drawn(x.drawn.clone()));
        Dist { a, z, h: (!drawn).then_some(next) }
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
        let Self { parameters, body: _, output: _, memory: _, actions: _ } = self;
        parameters.visit(v);
    }
}

impl<T: Real> StatefulPolicy<T> for Actor<T> {
    fn memory(&self) -> Memory {
        self.memory
    }

    fn scale_state_std(&mut self, factor: f64) {
        if let Output::Gaussian { log_std } = self.output {
            let range = self.parameters.slots()[log_std].range();
            let of_state = &mut self.parameters.data_mut()[range][self.actions..];
            of_state.iter_mut().for_each(|x| *x += T::of(factor.ln()));
            self.parameters.hold();
        }
    }

    fn dist(&self, x: &Context<T>) -> Dist<T> {
        let p = &self.parameters;
        let state = || x.z.as_ref().or(x.h.as_ref()).expect("a recurrent policy reads its state");
        match &self.body {
            Body::Plain(mlp) => {
                // The action before the first observation is not of the window.
                let between = (self.memory.actions() > 0).then(|| {
                    let a_prev = x.a_prev.as_ref().expect("a policy with a history is shown its actions");
                    a_prev.columns(self.actions..a_prev.cols())
                });
                let shown = between.map_or_else(|| x.o.clone(), |between| Tensor::concat(&[&x.o, &between]));
                let (a, z) = self.distribution(&mlp.forward(p, &shown), None);
                Dist { a, z, h: None }
            }
            Body::Recurrent { trunk, hidden, head } => {
                let (features, next) = trunk.forward(p, x, &x.o, state(), || x.samples(&x.o));
                let features = hidden.as_ref().map_or(features.clone(), |layer| layer.forward(p, &features));
                let y = head.forward(p, &features);
                self.with_next(x, &y, next)
            }
            Body::Emitting(emitter) => {
                let (y, next) = emitter.forward(p, x, state());
                self.with_next(x, &y, next)
            }
        }
    }
}
