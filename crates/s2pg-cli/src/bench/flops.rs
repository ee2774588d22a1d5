//! Floating-point operations of networks: their own matrix products, with gradients of inputs only where they are
//! needed.

use std::ops::{Add, Mul};

/// FLOPs of one sample.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Flops {
    /// On the way to the output.
    pub forward: f64,
    /// On the way back.
    pub backward: f64,
}

impl Flops {
    /// Both ways.
    pub fn both(self) -> f64 {
        self.forward + self.backward
    }
}

impl Add for Flops {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { forward: self.forward + other.forward, backward: self.backward + other.backward }
    }
}

impl Mul<usize> for Flops {
    type Output = Self;
    fn mul(self, n: usize) -> Self {
        Self { forward: self.forward * n as f64, backward: self.backward * n as f64 }
    }
}

/// A linear map of which the weight's gradient is needed, and that of the first or last `needed` inputs.
pub fn linear(inputs: usize, outputs: usize, needed: usize) -> Flops {
    let product = |n: usize| 2.0 * n as f64 * outputs as f64;
    Flops { forward: product(inputs), backward: product(inputs) + product(needed) }
}

/// Linear maps, one after the other, on inputs that are data.
pub fn mlp(sizes: &[usize]) -> Flops {
    let layer = |i: usize| linear(sizes[i], sizes[i + 1], if i == 0 { 0 } else { sizes[i] });
    (0..sizes.len() - 1).map(layer).fold(Flops::default(), Flops::add)
}

/// Embeddings, GRU over `len` steps and shortcut of PPO's recurrent networks, of which the first state is data.
fn recurrent(o: usize, a: usize, features: usize, hidden: usize, len: usize) -> Flops {
    let (f, h) = (features, hidden);
    let step = linear(o, f, 0) + linear(a, f, 0) + linear(2 * f, 3 * h, 2 * f);
    step * len + linear(h, 3 * h, 0) + linear(h, 3 * h, h) * (len - 1) + linear(o, f, 0)
}

/// The recurrent actor of PPO, over `len` steps.
pub fn ppo_actor(o: usize, a: usize, features: usize, hidden: usize, len: usize) -> Flops {
    let width = features + hidden;
    recurrent(o, a, features, hidden, len) + linear(width, a, width)
}

/// The recurrent critic of PPO-BPTT, over `len` steps.
pub fn ppo_critic(o: usize, a: usize, features: usize, hidden: usize, len: usize) -> Flops {
    let width = features + hidden;
    recurrent(o, a, features, hidden, len) + linear(width, features, width) + linear(features, 1, features)
}

/// The recurrent actor of SAC (`sac`) or TD3, over `len` steps; `outputs` of its last layer.
pub fn off_policy_actor((o, a, outputs): (usize, usize, usize), f: usize, h: usize, len: usize, sac: bool) -> Flops {
    let body = recurrent(o, a, f, h, len);
    match sac {
        true => body + linear(f + h, f, f + h) + linear(f, outputs, f),
        false => body + linear(f + h, outputs, f + h),
    }
}

/// A critic of two hidden layers on (s, z, a, z'), and what it costs to go back through it to a and z' alone.
pub fn plain_critic(s: usize, a: usize, z: usize, f: usize) -> (Flops, f64) {
    let back = |inputs: usize, outputs: usize| 2.0 * inputs as f64 * outputs as f64;
    (mlp(&[s + 2 * z + a, f, f, 1]), back(a + z, f) + back(f, f) + back(f, 1))
}

/// The critic of three encoders, and what it costs to go back through it to a and z' alone.
pub fn encoders(s: usize, a: usize, z: usize, f: usize) -> (Flops, f64) {
    let back = |inputs: usize, outputs: usize| 2.0 * inputs as f64 * outputs as f64;
    let joint = linear(f / 2, f / 2, f / 2) + linear(f / 2, 1, f / 2);
    let all = mlp(&[2 * z, f, f / 2]) + mlp(&[s + 2 * a, f, f / 2]) + mlp(&[2 * a, f, f / 2]) + joint;
    (all, back(z + a + a, f) + 3.0 * back(f, f / 2) + back(f / 2, f / 2) + back(f / 2, 1))
}

/// Sizes of a step of SLAC.
pub struct Slac {
    /// Entries of the observation.
    pub o: usize,
    /// Entries of the action.
    pub a: usize,
    /// Entries of both latent variables.
    pub z: [usize; 2],
    /// Width of the networks of the latent model, of the policy, and of the critics.
    pub widths: [usize; 3],
    /// Number of steps in a window.
    pub len: usize,
    /// Number of windows in a batch of the model, and of critics and policy.
    pub batches: [usize; 2],
}

impl Slac {
    /// FLOPs of a step: acting, an update of the model, and one of critics and policy.
    pub fn step(&self) -> f64 {
        let &Self { o, a, z: [z1, z2], widths: [model, actor, critic], len, batches: [windows, batch] } = self;
        // Networks of the model, of whose inputs the last or first `needed` are not data.
        let net = |inputs: usize, needed: usize, outputs: usize| {
            linear(inputs, model, needed) + linear(model, model, model) + linear(model, outputs, model)
        };
        let z = z1 + z2;
        let first = net(o, 0, 2 * z1) + net(z1, z1, 2 * z2);
        let inference = first + (net(o + z2 + a, z2, 2 * z1) + net(z + a, z, 2 * z2)) * len;
        let bound = inference + (net(z2 + a, z2, 2 * z1) + net(2 * z + a, 2 * z, 2)) * len + net(z, z, o) * (len + 1);
        let policy = mlp(&[len * o + (len - 1) * a, actor, actor, 2 * a]);
        let (q, through) = plain_critic(z, a, 0, critic);
        let targets = policy.forward + 2.0 * q.forward;
        let of_row = inference.forward + targets + 2.0 * q.both() + policy.both() + 2.0 * (q.forward + through);
        policy.forward + windows as f64 * bound.both() + batch as f64 * of_row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The forward costs are those of the published networks on HalfCheetah and Ant.
    #[test]
    fn forward_costs() {
        let kilo = |f: Flops| (f.forward / 100.0).round() / 10.0;
        assert_eq!(kilo(ppo_actor(8, 6, 128, 128, 1)), 303.6);
        assert_eq!(kilo(ppo_actor(97, 8, 128, 128, 1)), 350.7);
        assert_eq!(kilo(ppo_actor(97, 8, 128, 128, 2)), 350.7 + 321.8);
        assert_eq!(kilo(ppo_critic(8, 6, 128, 128, 1)), 366.3);
        assert_eq!(kilo(mlp(&[8 + 128 + 6, 128, 128, 1])), 69.4);
        assert_eq!(kilo(mlp(&[8, 128, 128, 6])), 36.4);
        assert_eq!(kilo(off_policy_actor((8, 6, 44), 256, 32, 1, true)), 285.7);
        assert_eq!(kilo(off_policy_actor((8, 6, 12), 256, 32, 2, true)), 269.3 + 111.6);
        assert_eq!(kilo(off_policy_actor((8, 6, 6), 128, 32, 1, false)), 62.8);
        assert_eq!(kilo(encoders(25, 6, 32, 256).0), 287.5);
        assert_eq!(kilo(plain_critic(25, 6, 0, 256).0), 147.5);
    }
}
