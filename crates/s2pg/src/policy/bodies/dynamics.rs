//! Differential equations as the memory of a policy. A new one is a structure that implements [`Dynamics`], and a name
//! in a registry.

use std::fmt::Debug;
use std::sync::Arc;

use super::core::Core;
use crate::nn::{Parameters, Real, Tensor};

/// A differential equation dz/dt = f(x, z; θ) with which a policy remembers: its state z, n numbers, follows the
/// equation for the time `dt` in each step of the environment, while the input x is held.
///
/// The equation draws its parameters θ from the [`Builder`](crate::nn::Builder) of the network that it belongs to, and
/// reads them from that network's [`Parameters`]; f is a formula of tensors, whose gradient follows from the formula.
/// Every episode begins with a state of zeros.
pub trait Dynamics<T: Real = f32>: Debug + Send + Sync {
    /// Returns n, the number of entries of the state, at least 1. It depends on nothing but the number of units.
    fn state_size(&self) -> usize;

    /// Returns dz/dt, [B, n], a second, from the inputs x, [B, inputs], and the states z, [B, n].
    fn rate(&self, p: &Parameters<T>, inputs: &Tensor<T>, states: &Tensor<T>) -> Tensor<T>;

    /// Returns the states after the time of a step, [B, n], from the inputs x, [B, inputs], and the states z before it,
    /// [B, n]: those of the solver, unless the equation knows a part of its solution itself.
    fn step(&self, p: &Parameters<T>, inputs: &Tensor<T>, states: &Tensor<T>, clock: Clock) -> Tensor<T> {
        clock.step(states, |z| self.rate(p, inputs, z))
    }

    /// Returns the number of entries of a state that the rest of the network reads; all of them, unless the equation
    /// says otherwise.
    fn output_size(&self) -> usize {
        self.state_size()
    }

    /// Returns what the rest of the network reads of states, [B, output], from the states, [B, n].
    fn output(&self, states: &Tensor<T>) -> Tensor<T> {
        states.clone()
    }

    /// Returns the number of entries that a critic reads of a state; n, unless the equation says otherwise.
    fn critic_size(&self) -> usize {
        self.state_size()
    }

    /// Returns what a critic reads of states, [B, critic], from the states, [B, n]. A phase, which grows without end,
    /// is better read by its sine and cosine.
    fn for_critic(&self, states: &Tensor<T>) -> Tensor<T> {
        states.clone()
    }

    /// Returns the lowest and the highest value of each of the first entries of the state, to which TD3 clips their
    /// noisy draws; none, unless the equation says otherwise.
    fn ranges(&self, _clock: Clock) -> Vec<(f64, f64)> {
        Vec::new()
    }
}

/// How a differential equation is solved over the time of a step. One step of the solver is one step of the policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Solver {
    /// Explicit Euler, z + dt f(z), as in the paper.
    #[default]
    Euler,
    /// The method of Runge and Kutta of fourth order by Kutta's 3/8 rule, as the published code has it.
    Rk4,
}

/// How a differential equation goes on in a step of the policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clock {
    /// How the equation is solved.
    pub solver: Solver,
    /// Time that passes in a step, in seconds.
    pub dt: f64,
}

impl Clock {
    /// Returns the states after a step, [B, n], from the states before it, [B, n], and their rate of change.
    pub fn step<T: Real>(self, z: &Tensor<T>, rate: impl Fn(&Tensor<T>) -> Tensor<T>) -> Tensor<T> {
        let dt = self.dt;
        match self.solver {
            Solver::Euler => z + rate(z) * dt,
            Solver::Rk4 => {
                let k1 = rate(z);
                let k2 = rate(&(z + &k1 * (dt / 3.0)));
                let k3 = rate(&(z + (&k2 - &k1 * (1.0 / 3.0)) * dt));
                let k4 = rate(&(z + (&k1 - &k2 + &k3) * dt));
                z + (k1 + (k2 + k3) * 3.0 + k4) * (dt / 8.0)
            }
        }
    }
}

/// The core that a differential equation is: its state after a step is that of the equation after the time of the step.
#[derive(Debug)]
pub struct Integrated<T: Real = f32> {
    dynamics: Arc<dyn Dynamics<T>>,
    clock: Clock,
}

impl<T: Real> Integrated<T> {
    /// Makes the core whose state follows `dynamics` by `clock`.
    pub fn new(dynamics: Arc<dyn Dynamics<T>>, clock: Clock) -> Self {
        Self { dynamics, clock }
    }
}

impl<T: Real> Core<T> for Integrated<T> {
    fn state_size(&self) -> usize {
        self.dynamics.state_size()
    }

    fn step(&self, p: &Parameters<T>, inputs: &Tensor<T>, states: &Tensor<T>) -> Tensor<T> {
        self.dynamics.step(p, inputs, states, self.clock)
    }

    fn output_size(&self) -> usize {
        self.dynamics.output_size()
    }

    fn output(&self, states: &Tensor<T>) -> Tensor<T> {
        self.dynamics.output(states)
    }

    /// An equation has a scale of its own: nothing is squashed into [-1, 1].
    fn bounded(&self) -> usize {
        0
    }

    fn ranges(&self) -> Vec<(f64, f64)> {
        self.dynamics.ranges(self.clock)
    }

    fn critic_size(&self) -> usize {
        self.dynamics.critic_size()
    }

    fn for_critic(&self, states: &Tensor<T>) -> Tensor<T> {
        self.dynamics.for_critic(states)
    }
}
