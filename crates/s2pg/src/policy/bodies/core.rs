//! What a recurrent network remembers with: a cell, or any other dynamics. A new core is a structure that implements
//! [`Core`], and a name in a registry.

use std::fmt::Debug;

use crate::nn::{Cell, Parameters, Real, Steps, Tensor};

/// The part of a [`Trunk`](super::Trunk) that remembers: a recurrent cell, or any other dynamics whose state is a row
/// of numbers.
///
/// A core draws its parameters from the [`Builder`](crate::nn::Builder) of the network that it belongs to, and reads
/// them from that network's [`Parameters`]. Every episode begins with a state of zeros; dynamics that begin elsewhere
/// keep their distance from there as their state.
pub trait Core<T: Real = f32>: Debug + Send + Sync {
    /// Returns the number of entries of the core's state, at least 1. It depends on nothing but the number of units.
    fn state_size(&self) -> usize;

    /// Returns the next states, [B, state], from the inputs of a step, [B, inputs], and the states before it, [B,
    /// state].
    fn step(&self, p: &Parameters<T>, inputs: &Tensor<T>, states: &Tensor<T>) -> Tensor<T>;

    /// Returns the number of entries of a state that the rest of the network reads, at least 1; all of them, unless the
    /// core says otherwise.
    fn output_size(&self) -> usize {
        self.state_size()
    }

    /// Returns what the rest of the network reads of states, [B, output], from the states, [B, state].
    fn output(&self, states: &Tensor<T>) -> Tensor<T> {
        states.clone()
    }

    /// Returns the number of entries of the state, from the first on, that algorithms with a range (SAC, TD3) keep
    /// within [-1, 1]; as many as the rest of the network reads, unless the core says otherwise. The entries behind
    /// have no range.
    fn bounded(&self) -> usize {
        self.output_size()
    }

    /// Returns the lowest and the highest value of each of the first entries of the state, to which TD3 clips their
    /// noisy draws: [-1, 1] for those that [`bounded`](Self::bounded) counts, unless the core says otherwise.
    fn ranges(&self) -> Vec<(f64, f64)> {
        vec![(-1.0, 1.0); self.bounded()]
    }

    /// Returns the number of entries that a critic reads of a state, at least 1; as many as the state has, unless the
    /// core says otherwise.
    fn critic_size(&self) -> usize {
        self.state_size()
    }

    /// Returns what a critic reads of states, [B, critic], from the states, [B, state].
    fn for_critic(&self, states: &Tensor<T>) -> Tensor<T> {
        states.clone()
    }

    /// Returns all states of B sequences, [R, state], step after step, from the inputs of the steps, [R, inputs], and
    /// the states before the first step, [B, state]. `steps` tells which of the R rows stand in each step. Takes step
    /// after step, unless the core knows a quicker way.
    fn unroll(&self, p: &Parameters<T>, inputs: &Tensor<T>, state: &Tensor<T>, steps: Steps) -> Tensor<T> {
        unrolled(inputs, state, steps, |inputs, states| self.step(p, inputs, states))
    }
}

/// Returns all states of B sequences, [R, state], step after step, from what is read of each step, [R, inputs], and the
/// states before the first step, [B, state]. `step` returns the states after a step, and `steps` tells which of the R
/// rows stand in each step.
pub(super) fn unrolled<T: Real>(
    inputs: &Tensor<T>,
    state: &Tensor<T>,
    steps: Steps,
    step: impl Fn(&Tensor<T>, &Tensor<T>) -> Tensor<T>,
) -> Tensor<T> {
    let mut states: Vec<Tensor<T>> = Vec::new();
    for (t, rows) in steps.ranges(inputs.rows(), state.rows()).into_iter().enumerate() {
        let before = states.last().unwrap_or(state);
        // A sequence that has ended is not among the rows of this step.
        let before = if rows.len() < before.rows() { before.rows_of(0..rows.len()) } else { before.clone() };
        let mut waiting = vec![T::ZERO; rows.len()];
        steps.waiting(t).for_each(|i| waiting[i] = T::ONE);
        let next = step(&inputs.rows_of(rows), &before);
        let next = if waiting.contains(&T::ONE) { choose(&waiting, &before, &next) } else { next };
        states.push(next);
    }
    Tensor::stack(&states.iter().collect::<Vec<_>>())
}

/// Returns the rows of `a` where `first` is 1, and those of `b` where it is 0, to the bit.
fn choose<T: Real>(first: &[T], a: &Tensor<T>, b: &Tensor<T>) -> Tensor<T> {
    let first = Tensor::new(first.len(), 1, first);
    a * &first + b * (&first * -1.0 + 1.0)
}

impl<T: Real> Core<T> for Cell {
    fn state_size(&self) -> usize {
        Cell::state_size(self)
    }

    fn step(&self, p: &Parameters<T>, inputs: &Tensor<T>, states: &Tensor<T>) -> Tensor<T> {
        self.forward(p, inputs, states)
    }

    fn output_size(&self) -> usize {
        Cell::state_size(self) / self.kind().state_size(1)
    }

    fn output(&self, states: &Tensor<T>) -> Tensor<T> {
        Cell::output(self, states)
    }

    fn unroll(&self, p: &Parameters<T>, inputs: &Tensor<T>, state: &Tensor<T>, steps: Steps) -> Tensor<T> {
        Cell::unroll(self, p, &self.input(p, inputs), state, steps)
    }
}
