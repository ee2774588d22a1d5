//! What a recurrent network remembers with: a cell, or any other dynamics. A new core is a file that implements
//! [`Core`], and a variant of [`CoreShape`].

use std::fmt::Debug;
use std::sync::Arc;

use crate::nn::{Builder, Cell, CellKind, Parameters, Real, Steps, Tensor};

/// The part of a [`Trunk`](super::Trunk) that remembers: a recurrent cell, or any other dynamics whose state is a row
/// of numbers.
///
/// A core draws its parameters from the [`Builder`] of the network that it belongs to, and reads them from that
/// network's [`Parameters`].
pub trait Core<T: Real>: Debug + Send + Sync {
    /// Returns the number of entries of the core's state.
    fn state_size(&self) -> usize;
    /// Returns the number of entries of a state that the rest of the network reads.
    fn output_size(&self) -> usize;
    /// Returns all states of B sequences, [R, state], step after step, from the inputs of the steps, [R, inputs], and
    /// the states before the first step, [B, state]. `steps` tells which of the R rows stand in each step.
    fn unroll(&self, p: &Parameters<T>, inputs: &Tensor<T>, state: &Tensor<T>, steps: Steps) -> Tensor<T>;
    /// Returns what the rest of the network reads of states, [B, output], from the states, [B, state].
    fn output(&self, states: &Tensor<T>) -> Tensor<T>;
}

impl<T: Real> Core<T> for Cell {
    fn state_size(&self) -> usize {
        Cell::state_size(self)
    }

    fn output_size(&self) -> usize {
        Cell::state_size(self) / self.kind().state_size(1)
    }

    fn unroll(&self, p: &Parameters<T>, inputs: &Tensor<T>, state: &Tensor<T>, steps: Steps) -> Tensor<T> {
        Cell::unroll(self, p, &self.input(p, inputs), state, steps)
    }

    fn output(&self, states: &Tensor<T>) -> Tensor<T> {
        Cell::output(self, states)
    }
}

/// The choice of a core, and its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoreShape {
    /// A recurrent cell.
    Cell {
        /// Kind of the cell.
        kind: CellKind,
        /// Number of units.
        units: usize,
    },
}

impl CoreShape {
    /// Returns the number of entries of the core's state, which is the state of the policy around it.
    pub fn state_size(self) -> usize {
        match self {
            Self::Cell { kind, units } => kind.state_size(units),
        }
    }

    /// Makes the core for inputs of `inputs` entries; its parameters are drawn by `b`.
    pub fn build<T: Real>(self, b: &mut Builder<'_, T>, inputs: usize) -> Arc<dyn Core<T>> {
        match self {
            Self::Cell { kind, units } => Arc::new(Cell::new(b, "cell", kind, inputs, units)),
        }
    }
}
