//! A core that runs by itself, and what makes actions of its states: the policies made of oscillators.

use std::sync::Arc;

use super::core::Core;
use super::core_shape::CoreShape;
use super::cores::{CoreKind, Cpg};
use super::dynamics::Integrated;
use super::shape::{ActorShape, PolicyKind};
use crate::nn::{Activation, Builder, Init, Linear, Mlp, Parameters, Real, Tensor};
use crate::policy::context::Context;

/// A core that is shown a constant in place of the world, and what makes the outputs of an actor of the states that
/// follow.
#[derive(Clone, Debug)]
pub(super) struct Emitter<T: Real> {
    core: Arc<dyn Core<T>>,
    /// Makes an action of what the core emits; None where that has as many entries as the action.
    emission: Option<Linear>,
    after: After,
    actions: usize,
}

/// What follows the emission.
#[derive(Clone, Debug)]
enum After {
    /// Nothing; outputs behind the action are parameters.
    Nothing { rest: Option<usize> },
    /// A network reads the emission, which may be added to the action.
    Net { net: Mlp, reads_o: bool, adds: bool },
    /// Two networks are mixed by the amplitudes of oscillators.
    Mixed { cpg: Cpg, of_waves: Mlp, of_world: Mlp, raw: bool },
}

/// Tells whether `core` is made of oscillators whose amplitudes a policy can be mixed by.
pub(crate) fn has_amplitudes(core: CoreShape) -> bool {
    matches!(core, CoreShape::BuiltIn { kind: CoreKind::Cpg, .. })
}

impl<T: Real> Emitter<T> {
    /// Makes the emitter of a policy with the sizes `shape` and `outputs` outputs; `inits` are those of its networks.
    pub fn new(b: &mut Builder<'_, T>, shape: &ActorShape, outputs: usize, inits: [Init; 3]) -> Self {
        let (a, f) = (shape.a, shape.features);
        let net = |b: &mut Builder<'_, T>, name: &str, inputs: usize, outputs: usize| {
            b.scope(name, |b| Mlp::new(b, &[inputs, f, f, outputs], Activation::Relu, &inits))
        };
        if let (true, CoreShape::BuiltIn { kind: CoreKind::Cpg, units, clock }) = (shape.kind.mixes(), shape.core) {
            assert_eq!(units, a, "as many oscillators as the action has entries");
            let cpg = b.scope("cell", |b| Cpg::new(b, units));
            let of_waves = net(b, "post_cpg", 4 * a, a);
            let of_world = net(b, "post_env", shape.o + 4 * a, outputs);
            let raw = shape.kind == PolicyKind::MixedRaw;
            let core = Arc::new(Integrated::new(Arc::new(cpg.clone()), clock));
            return Self { core, emission: None, after: After::Mixed { cpg, of_waves, of_world, raw }, actions: a };
        }
        let core = shape.core.build(b, 1);
        let emits = core.output_size();
        let emission =
            (emits != a).then(|| Linear::new(b, "emission", emits, a, Activation::Identity, Init::Xavier(1.0)));
        let mut post = |reads_o: bool, adds: bool| {
            let net = net(b, "post", if reads_o { shape.o } else { 0 } + a, outputs);
            After::Net { net, reads_o, adds }
        };
        let after = match shape.kind {
            PolicyKind::Blind => After::Nothing { rest: (outputs > a).then(|| b.constant("rest", outputs - a, 0.0)) },
            PolicyKind::BlindPost => post(false, false),
            PolicyKind::BlindAdditive => post(false, true),
            PolicyKind::Post => post(true, false),
            PolicyKind::Additive => post(true, true),
            kind => panic!("a policy of the kind {kind:?} is not made of {:?}", shape.core),
        };
        Self { core, emission, after, actions: a }
    }

    /// Returns the core.
    pub fn core(&self) -> &dyn Core<T> {
        &*self.core
    }

    /// Returns the name of the parameter that is the bias of the outputs behind the action, and its first entry that
    /// is.
    pub fn rest(&self) -> (&'static str, usize) {
        match self.after {
            After::Nothing { .. } => ("rest", 0),
            After::Net { .. } => ("post.h3.bias", self.actions),
            After::Mixed { .. } => ("post_env.h3.bias", self.actions),
        }
    }

    /// Returns the outputs for the samples of x, [B, outputs], and the core's states after them, [B, state]. `state`
    /// holds the core's states before the first step.
    pub fn forward(&self, p: &Parameters<T>, x: &Context<T>, state: &Tensor<T>) -> (Tensor<T>, Tensor<T>) {
        let constant = Tensor::with(x.o.rows(), 1, |x| x.fill(T::ONE));
        let next = x.samples(&self.core.unroll(p, &constant, state, x.stack()));
        let emitted = || {
            let e = self.core.output(&next);
            self.emission.as_ref().map_or(e.clone(), |layer| layer.forward(p, &e))
        };
        let outputs = match &self.after {
            After::Nothing { rest: None } => emitted(),
            After::Nothing { rest: Some(rest) } => {
                let rest = Tensor::param(p, *rest);
                let rest = Tensor::zeros(next.rows(), rest.cols()) + rest;
                Tensor::concat(&[&emitted(), &rest])
            }
            After::Net { net, reads_o, adds } => {
                let e = emitted();
                let y = if *reads_o { Tensor::concat(&[&x.samples(&x.o), &e]) } else { e.clone() };
                let y = net.forward(p, &y);
                if *adds { self.change(&y, |a| a + e) } else { y }
            }
            After::Mixed { cpg, of_waves, of_world, raw } => {
                let [r, r_sin, r_cos, rd] = cpg.waves(&next);
                let waves = Tensor::concat(&[&r_sin, &r_cos, &r, &rd]);
                let y = of_world.forward(p, &Tensor::concat(&[&x.samples(&x.o), &waves]));
                let share = r / if *raw { cpg.raw_amplitudes(p) } else { cpg.effective(p)[1].clone() };
                let own = of_waves.forward(p, &waves);
                self.change(&y, |a| &share * own + (&share * -1.0 + 1.0) * a)
            }
        };
        (outputs, next)
    }

    /// Returns the outputs `y` with `f` of those that are the action in their place.
    fn change(&self, y: &Tensor<T>, f: impl FnOnce(Tensor<T>) -> Tensor<T>) -> Tensor<T> {
        let (a, n) = (self.actions, y.cols());
        let changed = f(y.columns(0..a));
        if a == n { changed } else { Tensor::concat(&[&changed, &y.columns(a..n)]) }
    }
}
