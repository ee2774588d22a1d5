//! Policies on which estimators are compared; the strength of their recurrence is a setting.

use super::estimators::Jacobians;
use super::linear_gaussian::LinearGaussian;
use crate::nn::{Activation, Builder, CellKind, Init, Linear, Parameters, Params, Tensor};
use crate::policy::{Actor, ActorShape, Context, CoreShape, Dist, Gaussian, Head, Memory, PolicyKind, StatefulPolicy};
use crate::rng::Rng;
use crate::state::{State, Visitor};

/// How the mean η of the next memory is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// η = W o + U z.
    Linear,
    /// η = tanh(W o + U z).
    Tanh,
    /// η comes from the paper's network with this cell.
    Cell(CellKind),
}

impl Kind {
    /// All kinds, with their names.
    pub const ALL: [(&'static str, Self); 5] = [
        ("linear", Self::Linear),
        ("tanh", Self::Tanh),
        ("elman", Self::Cell(CellKind::Elman)),
        ("gru", Self::Cell(CellKind::Gru)),
        ("lstm", Self::Cell(CellKind::Lstm)),
    ];
}

/// Sizes and settings of a [`Subject`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SubjectShape {
    /// How the mean of the next memory is computed.
    pub kind: Kind,
    /// Entries of the observation and of the action.
    pub sizes: (usize, usize),
    /// Units of the memory.
    pub hidden: usize,
    /// Width of the embeddings around a cell.
    pub features: usize,
    /// The strength of the recurrence that is asked for; [`Subject::new`] defines it.
    pub z: f64,
    /// The norms of the weights of o in f and in η, for linear and tanh policies. The first weight of each row has the
    /// sign of the number.
    pub weights: (f64, f64),
    /// Standard deviation of the action.
    pub std: f64,
    /// Standard deviation of the next memory.
    pub state_std: f64,
}

/// A policy with memory in f64, and the places of its trained parameters.
///
/// Standard deviations are constants, as in the paper's bounds. In the linear policy and the tanh policy only the
/// weights of the observation are trained: the weights of the memory are settings.
#[derive(Clone, Debug)]
pub struct Subject {
    policy: Policy,
    /// Places of the trained parameters in the flat buffer of all parameters.
    trained: Vec<usize>,
}

#[derive(Clone, Debug)]
enum Policy {
    Plain(Plain),
    Actor(Box<Actor<f64>>),
}

/// A policy in which f and η are one layer each.
#[derive(Clone, Debug)]
struct Plain {
    parameters: Parameters<f64>,
    f: Linear,
    eta: Linear,
    log_std: [usize; 2],
    z: usize,
    saturates: bool,
}

impl Subject {
    /// Makes a policy whose recurrence has the strength `shape.z`. The strength is the root mean square of the singular
    /// values of dη/dz at z = 0 and the observation `o`; for one linear unit that is the weight of the memory. The
    /// recurrent weights are scaled to reach the strength. Where even weights of zero leave a larger strength, because
    /// a gate lets the memory through, the weights are zero.
    ///
    /// The memory moves the action with a weight of norm 0.5: with one linear unit, f = w_f o + 0.5 z and η = w_η o + Z
    /// z.
    pub fn new(shape: &SubjectShape, o: &[f64], rng: &mut Rng) -> Self {
        let Kind::Cell(cell) = shape.kind else { return Self::plain(shape, rng) };
        let memory = Memory::Stochastic { z: cell.state_size(shape.hidden) };
        let (n_o, n_a) = shape.sizes;
        let head = Head::Gaussian { std: shape.std, state_std: shape.state_std };
        let (features, hidden, kind) = (shape.features, shape.hidden, PolicyKind::Shortcut);
        let actor =
            ActorShape { o: n_o, a: n_a, a_prev: n_a, features, core: CoreShape::cell(cell, hidden), kind, head };
        let mut actor = Actor::<f64>::new(memory, &actor, rng);
        // The published start values are twenty times smaller; with these, neither memory nor observation would matter.
        for name in ["embed_o.weight", "embed_a.weight", "shortcut.weight", "head.weight"] {
            let range = actor.params().slot(name).range();
            actor.params_mut().data_mut()[range].iter_mut().for_each(|w| *w *= 20.0);
        }
        let head = actor.params().slot("head.weight").range();
        let width = shape.features + shape.hidden;
        let of_memory = |i: &usize| (i - head.start) % width >= shape.features;
        let norm = head.clone().filter(of_memory).map(|i| actor.params().data()[i].powi(2)).sum::<f64>().sqrt();
        for i in head.clone().filter(of_memory) {
            actor.params_mut().data_mut()[i] *= 0.5 / norm;
        }
        let log_std = actor.params().slot("log_std").range();
        let trained = (0..actor.params().data().len()).filter(|i| !log_std.contains(i)).collect();
        let mut subject = Self { policy: Policy::Actor(Box::new(actor)), trained };
        subject.strengthen(shape.z, o);
        subject
    }

    fn plain(shape: &SubjectShape, rng: &mut Rng) -> Self {
        let ((o, a), z) = (shape.sizes, shape.hidden);
        let act = if shape.kind == Kind::Tanh { Activation::Tanh } else { Activation::Identity };
        let mut b = Builder::new(rng);
        let f = Linear::new(&mut b, "f", o + z, a, Activation::Identity, Init::FanIn);
        let eta = Linear::new(&mut b, "eta", o + z, z, act, Init::FanIn);
        let log_std = [b.constant("log_std", a, shape.std.ln()), b.constant("log_std_z", z, shape.state_std.ln())];
        let mut parameters = b.finish();
        let mut trained = Vec::new();
        for (name, of_o, of_z) in [("f", shape.weights.0, 0.5), ("eta", shape.weights.1, shape.z)] {
            let bias = parameters.slot(&format!("{name}.bias")).range();
            let weight = parameters.slot(&format!("{name}.weight")).range();
            let data = parameters.data_mut();
            data[bias].fill(0.0);
            let outputs = weight.len() / (o + z);
            // f spreads its weight over the memory; each unit of η reads itself.
            let spread = of_z / ((z * outputs) as f64).sqrt();
            for (i, row) in data[weight.clone()].chunks_exact_mut(o + z).enumerate() {
                let norm = row[..o].iter().map(|w| w * w).sum::<f64>().sqrt();
                let sign = row[0].signum();
                row[..o].iter_mut().for_each(|w| *w *= of_o * sign / norm);
                for j in 0..z {
                    row[o + j] = if name == "f" { spread } else { of_z * f64::from(u8::from(i == j)) };
                }
                trained.extend(weight.start + i * (o + z)..weight.start + i * (o + z) + o);
            }
        }
        Self {
            policy: Policy::Plain(Plain { parameters, f, eta, log_std, z, saturates: shape.kind == Kind::Tanh }),
            trained,
        }
    }

    /// Scales the recurrent weights of a cell until the recurrence has the strength `z`.
    fn strengthen(&mut self, z: f64, o: &[f64]) {
        let range = self.params().slot("cell.weight_hh").range();
        let start = self.params().data()[range.clone()].to_vec();
        let mut strength = |scale: f64| {
            self.params_mut().data_mut()[range.clone()].iter_mut().zip(&start).for_each(|(w, s)| *w = scale * s);
            self.strength(o)
        };
        if strength(0.0) >= z {
            return;
        }
        let (mut low, mut high) = (0.0, 1.0);
        while strength(high) < z && high < 1e6 {
            (low, high) = (high, 2.0 * high);
        }
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if strength(middle) < z { low = middle } else { high = middle }
        }
        strength(0.5 * (low + high));
    }

    /// Returns the strength of the recurrence at z = 0 and the observation `o`; [`Subject::new`] defines it.
    pub fn strength(&self, o: &[f64]) -> f64 {
        let n = self.state_size();
        let a = vec![0.0; self.actions()];
        let at = Jacobians::at(self, o, &a, &vec![0.0; n]);
        (at.eta.iter().map(|x| x * x).sum::<f64>() / n as f64).sqrt()
    }

    /// Returns the exact gradient by the trained parameters on a linear-Gaussian task over `horizon` steps; None unless
    /// the policy is one linear unit, since other policies have no closed form. Σ and Υ of the task must be those of
    /// the rollouts.
    pub fn exact(&self, task: &LinearGaussian, horizon: usize) -> Option<Vec<f64>> {
        let Policy::Plain(Plain { parameters, z: 1, saturates: false, .. }) = &self.policy else { return None };
        let row = |name: &str| &parameters.data()[parameters.slot(name).range()];
        let (&[wa, ua], &[wz, uz]) = (row("f.weight"), row("eta.weight")) else { return None };
        let [by_wa, _, by_wz, _] = task.objective([wa, ua, wz, uz], horizon).1;
        Some(vec![by_wa, by_wz])
    }

    /// Returns the places of the trained parameters in the flat buffer of all parameters.
    pub fn trained(&self) -> &[usize] {
        &self.trained
    }

    /// Returns the number of entries of the action.
    fn actions(&self) -> usize {
        let head = if let Policy::Plain(_) = self.policy { "f.bias" } else { "head.bias" };
        self.params().slot(head).cols
    }
}

impl Params<f64> for Subject {
    fn params(&self) -> &Parameters<f64> {
        match &self.policy {
            Policy::Plain(p) => &p.parameters,
            Policy::Actor(p) => p.params(),
        }
    }
    fn params_mut(&mut self) -> &mut Parameters<f64> {
        match &mut self.policy {
            Policy::Plain(p) => &mut p.parameters,
            Policy::Actor(p) => p.params_mut(),
        }
    }
}

impl State for Subject {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { policy, trained: _ } = self;
        match policy {
            Policy::Plain(p) => p.parameters.visit(v),
            Policy::Actor(p) => p.visit(v),
        }
    }
}

impl StatefulPolicy<f64> for Subject {
    fn memory(&self) -> Memory {
        match &self.policy {
            Policy::Plain(p) => Memory::Stochastic { z: p.z },
            Policy::Actor(p) => p.memory(),
        }
    }

    fn dist(&self, x: &Context<f64>) -> Dist<f64> {
        match &self.policy {
            Policy::Plain(Plain { parameters: p, f, eta, log_std: [a, z], .. }) => {
                let x = Tensor::concat(&[&x.o, x.z.as_ref().expect("a policy with memory reads z")]);
                let gaussian = |layer: &Linear, slot| Gaussian::new(layer.forward(p, &x), Tensor::param(p, slot));
                Dist { a: gaussian(f, *a), z: Some(gaussian(eta, *z)), h: None }
            }
            Policy::Actor(p) => p.dist(x),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(kind: Kind, z: f64) -> SubjectShape {
        SubjectShape { kind, sizes: (2, 1), hidden: 8, features: 8, z, weights: (0.3, 0.4), std: 0.5, state_std: 0.5 }
    }

    /// Every kind of policy has the strength that is asked for, or the least strength that its gates allow, which is
    /// about a half.
    #[test]
    fn the_strength_is_as_asked() {
        for (name, kind) in Kind::ALL {
            let strength =
                |z: f64| Subject::new(&shape(kind, z), &[0.0; 2], &mut Rng::new(0, "policy")).strength(&[0.0; 2]);
            let gated = matches!(kind, Kind::Cell(CellKind::Gru | CellKind::Lstm));
            let least = strength(1e-3);
            assert_eq!((0.3..0.6).contains(&least), gated, "{name}: {least}");
            for z in [0.5f64, 1.0, 1.3] {
                let asked = z.max(least);
                assert!((strength(z) - asked).abs() < 1e-6, "{name}: {} for {z}", strength(z));
            }
        }
    }

    /// The paper's networks, as they are initialised, have a strength of about a half.
    #[test]
    fn cells_start_with_a_strength_of_a_half() {
        for cell in [CellKind::Elman, CellKind::Gru, CellKind::Lstm] {
            for hidden in [8, 128] {
                let head = Head::Gaussian { std: 0.5, state_std: 0.5 };
                let kind = PolicyKind::Shortcut;
                let actor =
                    ActorShape { o: 1, a: 1, a_prev: 1, features: 8, core: CoreShape::cell(cell, hidden), kind, head };
                let memory = Memory::Stochastic { z: cell.state_size(hidden) };
                let actor = Actor::<f64>::new(memory, &actor, &mut Rng::new(0, "policy"));
                let subject = Subject { policy: Policy::Actor(Box::new(actor)), trained: Vec::new() };
                let strength = subject.strength(&[0.0]);
                assert!((0.4..0.6).contains(&strength), "{cell:?} of {hidden}: {strength}");
            }
        }
    }
}
