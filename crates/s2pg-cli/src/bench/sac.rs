//! The work of a SAC-RS update and of an unrolled recurrent actor, in the sizes by which tensor libraries were
//! compared.
//!
//! An actor of one 256-wide layer, GRU-32 and one 256-wide layer, and twin critics of two 256-wide layers.

use s2pg::Rng;
use s2pg::nn::{
    Activation, Adam, Builder, Cell, CellKind, Init, Linear, Mlp, Parameters, Params, RELU_GAIN, Steps, Tensor,
    gradient,
};

use super::flops::{linear, mlp};

const BATCH: usize = 256;
const WIDTH: usize = 256;
/// Observation and previous action.
const X: usize = 27 + A;
const A: usize = 8;
const Z: usize = 32;
/// Privileged state and action.
const S_AND_A: usize = 113;
/// The steps of [`Unroll`].
const STEPS: usize = 32;

/// Normal numbers.
pub fn normal(rng: &mut Rng, rows: usize, cols: usize) -> Tensor {
    Tensor::with(rows, cols, |x| x.iter_mut().for_each(|x| *x = rng.normal() as f32))
}

/// A network of any layers.
struct Net<L> {
    parameters: Parameters<f32>,
    layers: L,
}

impl<L> Net<L> {
    fn new(rng: &mut Rng, layers: impl FnOnce(&mut Builder<'_, f32>) -> L) -> Self {
        let mut builder = Builder::new(rng);
        let layers = layers(&mut builder);
        Self { parameters: builder.finish(), layers }
    }
}

impl<L> Params for Net<L> {
    fn params(&self) -> &Parameters<f32> {
        &self.parameters
    }
    fn params_mut(&mut self) -> &mut Parameters<f32> {
        &mut self.parameters
    }
}

struct ActorLayers {
    first: Linear,
    cell: Cell,
    second: Linear,
    head: Linear,
}

impl Net<ActorLayers> {
    fn actor(rng: &mut Rng, outputs: usize) -> Self {
        let gain = Init::Xavier(0.1 * RELU_GAIN);
        Self::new(rng, |b| ActorLayers {
            first: Linear::new(b, "first", X, WIDTH, Activation::Relu, gain),
            cell: Cell::new(b, "cell", CellKind::Gru, WIDTH, Z),
            second: Linear::new(b, "second", WIDTH + Z, WIDTH, Activation::Relu, gain),
            head: Linear::new(b, "head", WIDTH, outputs, Activation::Identity, gain),
        })
    }

    /// The head's output from the first layer's output and the next states.
    fn output(&self, features: &Tensor, next: &Tensor) -> Tensor {
        let (p, layers) = (&self.parameters, &self.layers);
        layers.head.forward(p, &layers.second.forward(p, &Tensor::concat(&[features, next])))
    }

    /// u = (a, z') and log pi(a, z' | x).
    fn sample(&self, x: &Tensor, z: &Tensor, rng: &mut Rng) -> (Tensor, Tensor) {
        let (p, layers) = (&self.parameters, &self.layers);
        let features = layers.first.forward(p, x);
        let next = layers.cell.forward(p, &features, z);
        let y = self.output(&features, &next);
        let log_std = y.columns(A..2 * A + Z).clip(-20.0, 2.0);
        let noise = [A, Z].map(|n| normal(rng, BATCH, n));
        let a = Tensor::squashed_sample(&y.columns(0..A), &log_std.columns(0..A), &noise[0]);
        let z = Tensor::squashed_sample(&next, &log_std.columns(A..A + Z), &noise[1]);
        let u = Tensor::concat(&[&a.columns(0..A), &z.columns(0..Z)]);
        (u, a.columns(A..A + 1) + z.columns(Z..Z + 1))
    }
}

impl Net<Mlp> {
    fn critic(rng: &mut Rng) -> Self {
        let inits = [RELU_GAIN, RELU_GAIN, 1.0].map(Init::Xavier);
        Self::new(rng, |b| Mlp::new(b, &[S_AND_A + 2 * Z, WIDTH, WIDTH, 1], Activation::Relu, &inits))
    }

    fn q(&self, input: &Tensor) -> Tensor {
        self.layers.forward(&self.parameters, input)
    }
}

/// Everything that an update moves: actor, twin critics, their targets and optimisers.
pub struct Update {
    actor: Net<ActorLayers>,
    critics: [Net<Mlp>; 2],
    targets: [Net<Mlp>; 2],
    actor_adam: Adam,
    critic_adams: [Adam; 2],
    x: Tensor,
    z: Tensor,
    s: Tensor,
    a: Tensor,
    r: Tensor,
    rng: Rng,
}

const ALPHA: f64 = 0.2;
const GAMMA: f64 = 0.99;
const TAU: f64 = 0.005;
const LR: f64 = 3e-4;

impl Update {
    /// Fresh networks and a batch of random numbers.
    pub fn new() -> Self {
        let mut rng = Rng::new(0, "bench/sac");
        let actor = Net::actor(&mut rng, 2 * A + Z);
        let critics = [Net::critic(&mut rng), Net::critic(&mut rng)];
        let targets = [Net::critic(&mut rng), Net::critic(&mut rng)];
        Self {
            actor_adam: Adam::new(&actor, LR),
            critic_adams: critics.each_ref().map(|q| Adam::new(q, LR)),
            actor,
            critics,
            targets,
            x: normal(&mut rng, BATCH, X),
            z: normal(&mut rng, BATCH, Z).tanh().detach(),
            s: normal(&mut rng, BATCH, S_AND_A - A),
            a: normal(&mut rng, BATCH, A),
            r: normal(&mut rng, BATCH, 1),
            rng,
        }
    }

    /// FLOPs of [`Self::step`]: 845 million.
    pub fn flop() -> f64 {
        let actor = actor_flops(2 * A + Z, 0);
        let critic = mlp(&[S_AND_A + 2 * Z, WIDTH, WIDTH, 1]);
        // The actor's loss goes back through the critics to (a, z') alone, without their weights.
        let through =
            linear(0, WIDTH, A + Z).backward + linear(0, WIDTH, WIDTH).backward + linear(0, 1, WIDTH).backward;
        let target = actor.forward + 2.0 * critic.forward;
        BATCH as f64 * (target + 2.0 * critic.both() + actor.both() + 2.0 * (critic.forward + through))
    }

    /// One update: targets, both critics, actor, both target networks.
    pub fn step(&mut self) {
        let Self { actor, critics, targets, actor_adam, critic_adams, x, z, s, a, r, rng } = self;
        let (next_u, next_log_prob) = actor.sample(x, z, rng);
        let input = Tensor::concat(&[s, z, &next_u]);
        let next_q = targets[0].q(&input).min(&targets[1].q(&input)) - next_log_prob * ALPHA;
        let target = (&*r + next_q * GAMMA).detach();

        let input = Tensor::concat(&[s, z, a, z]);
        for (critic, adam) in critics.iter_mut().zip(critic_adams) {
            let loss = (critic.q(&input) - &target).square().mean();
            adam.minimize(critic, &loss);
        }

        let (u, log_prob) = actor.sample(x, z, rng);
        let input = Tensor::concat(&[s, z, &u]);
        let q = critics[0].q(&input).min(&critics[1].q(&input));
        let loss = (log_prob * ALPHA - q).mean();
        actor_adam.minimize(actor, &loss);

        for (target, critic) in targets.iter_mut().zip(critics) {
            target.params_mut().follow(critic.params(), TAU);
        }
    }
}

/// FLOPs of the actor; `needed` states are not data.
fn actor_flops(outputs: usize, needed: usize) -> super::flops::Flops {
    linear(X, WIDTH, 0)
        + linear(WIDTH, 3 * Z, WIDTH)
        + linear(Z, 3 * Z, needed)
        + linear(WIDTH + Z, WIDTH, WIDTH + Z)
        + linear(WIDTH, outputs, WIDTH)
}

/// The actor over 32 steps, with a loss on every step, forward and backward.
pub struct Unroll {
    actor: Net<ActorLayers>,
    /// All steps, one below the other.
    x: Tensor,
    z: Tensor,
    noise: Tensor,
}

impl Unroll {
    /// A fresh actor and sequences of random numbers.
    pub fn new() -> Self {
        let mut rng = Rng::new(0, "bench/bptt");
        let rows = STEPS * BATCH;
        Self {
            actor: Net::actor(&mut rng, 2 * A),
            x: normal(&mut rng, rows, X),
            z: Tensor::zeros(BATCH, Z),
            noise: normal(&mut rng, rows, A),
        }
    }

    /// FLOPs of [`Self::step`]: 5.48 billion.
    pub fn flop() -> f64 {
        let (first, later) = (actor_flops(2 * A, 0).both(), actor_flops(2 * A, Z).both());
        BATCH as f64 * (first + (STEPS - 1) as f64 * later)
    }

    /// The gradient of a loss of all steps.
    pub fn step(&self) {
        let (p, layers) = (&self.actor.parameters, &self.actor.layers);
        let features = layers.first.forward(p, &self.x);
        let gates = layers.cell.input(p, &features);
        let next = layers.cell.unroll(p, &gates, &self.z, Steps::All);
        let y = self.actor.output(&features, &next);
        let log_std = y.columns(A..2 * A).clip(-20.0, 2.0);
        let loss = Tensor::squashed_sample(&y.columns(0..A), &log_std, &self.noise).square().mean();
        std::hint::black_box(gradient(&loss, &self.actor));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sizes are those of the comparison: 845 million and 5.48 billion operations.
    #[test]
    fn flops_of_the_comparison() {
        assert_eq!((Update::flop() / 1e6).round(), 845.0);
        assert_eq!((Unroll::flop() / 1e7).round(), 548.0);
    }

    /// An update moves actor, critics and targets, and leaves them finite.
    #[test]
    fn an_update_moves_everything() {
        let mut update = Update::new();
        let numbers = |u: &Update| {
            let nets = [&u.critics[0], &u.critics[1], &u.targets[0], &u.targets[1]];
            let all = nets.into_iter().map(|net| &net.parameters).chain([&u.actor.parameters]);
            all.map(|p| p.data().to_vec()).collect::<Vec<_>>()
        };
        let before = numbers(&update);
        update.step();
        let after = numbers(&update);
        assert!(before.iter().zip(&after).all(|(before, after)| before != after));
        assert!(after.iter().flatten().all(|x| x.is_finite()));
    }
}
