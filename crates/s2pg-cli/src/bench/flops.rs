//! Floating-point operations of networks: their own matrix products, with gradients of inputs only where they are needed.

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
    }
}
