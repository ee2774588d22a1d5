//! What a recurrent network remembers with: a cell, or any other dynamics. A new core is a structure that implements
//! [`Core`], and a name in a registry.

use std::any::Any;
use std::fmt::{self, Debug};
use std::sync::Arc;

use crate::nn::{Builder, Cell, CellKind, Parameters, Real, Steps, Tensor};
use crate::rng::Rng;

/// The part of a [`Trunk`](super::Trunk) that remembers: a recurrent cell, or any other dynamics whose state is a row
/// of numbers.
///
/// A core draws its parameters from the [`Builder`] of the network that it belongs to, and reads them from that
/// network's [`Parameters`]. Every episode begins with a state of zeros; dynamics that begin elsewhere keep their
/// distance from there as their state.
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

    /// Returns all states of B sequences, [R, state], step after step, from the inputs of the steps, [R, inputs], and
    /// the states before the first step, [B, state]. `steps` tells which of the R rows stand in each step. Takes step
    /// after step, unless the core knows a quicker way.
    fn unroll(&self, p: &Parameters<T>, inputs: &Tensor<T>, state: &Tensor<T>, steps: Steps) -> Tensor<T> {
        let mut states: Vec<Tensor<T>> = Vec::new();
        for (t, rows) in steps.ranges(inputs.rows(), state.rows()).into_iter().enumerate() {
            let before = states.last().unwrap_or(state);
            // A sequence that has ended is not among the rows of this step.
            let before = if rows.len() < before.rows() { before.rows_of(0..rows.len()) } else { before.clone() };
            let mut waiting = vec![T::ZERO; rows.len()];
            steps.waiting(t).for_each(|i| waiting[i] = T::ONE);
            let next = self.step(p, &inputs.rows_of(rows), &before);
            let next = if waiting.contains(&T::ONE) { choose(&waiting, &before, &next) } else { next };
            states.push(next);
        }
        Tensor::stack(&states.iter().collect::<Vec<_>>())
    }
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

/// A function that makes a core: the builder of its network, the number of entries of its input, and its number of
/// units. What it makes depends on nothing else.
pub type MakeCore<T = f32> = fn(&mut Builder<'_, T>, usize, usize) -> Arc<dyn Core<T>>;

/// A core that a program brings under a name of its own. It computes in single precision, as all training does.
#[derive(Clone, Copy)]
pub struct OwnCore {
    /// Name of the core.
    pub name: &'static str,
    /// One line about the core.
    pub about: &'static str,
    /// Makes the core.
    pub make: MakeCore,
}

impl PartialEq for OwnCore {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Debug for OwnCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The choice of a core, and its size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CoreShape {
    /// A recurrent cell.
    Cell {
        /// Kind of the cell.
        kind: CellKind,
        /// Number of units.
        units: usize,
    },
    /// A core that a program brings.
    Own {
        /// The core.
        core: OwnCore,
        /// Number of units.
        units: usize,
    },
}

impl CoreShape {
    /// Returns the choice of a recurrent cell of the kind `kind` with `units` units.
    pub fn cell(kind: CellKind, units: usize) -> Self {
        Self::Cell { kind, units }
    }

    /// Returns the number of entries of the core's state, which is the state of the policy around it.
    pub fn state_size(self) -> usize {
        self.counted().state_size()
    }

    /// Returns the number of entries of the core's state that have the range [-1, 1] where an algorithm has ranges.
    pub fn bounded(self) -> usize {
        self.counted().bounded()
    }

    /// Makes the core without its parameters.
    fn counted(self) -> Arc<dyn Core<f32>> {
        self.build(&mut Builder::counting(), 1)
    }

    /// Makes the core for inputs of `inputs` entries; its parameters are drawn by `b`. Panics where a core that a
    /// program brings is to compute in another precision than f32.
    pub fn build<T: Real>(self, b: &mut Builder<'_, T>, inputs: usize) -> Arc<dyn Core<T>> {
        match self {
            Self::Cell { kind, units } => Arc::new(Cell::new(b, "cell", kind, inputs, units)),
            Self::Own { core, units } => {
                let make: &dyn Any = &core.make;
                let make =
                    make.downcast_ref::<MakeCore<T>>().expect("a core of one's own computes in single precision");
                b.scope("cell", |b| make(b, inputs, units))
            }
        }
    }

    /// Returns what is wrong with the sizes of the core where it has inputs of `inputs` entries, in words that follow
    /// its name; None where nothing is. No parameter is made.
    pub fn misfit(self, inputs: usize) -> Option<String> {
        let core = self.build::<f32>(&mut Builder::counting(), inputs);
        let (alone, n, read, bounded) = (self.state_size(), core.state_size(), core.output_size(), core.bounded());
        if n != alone {
            let what = "the size of a state must depend on the units alone";
            return Some(format!("has a state of {alone} entries with 1 input and of {n} with {inputs}; {what}"));
        }
        let fits = n > 0 && read > 0 && bounded <= n;
        let what = "it must have and read at least 1, and bound no more than there are";
        (!fits).then(|| format!("has a state of {n} entries, reads {read} and bounds {bounded}; {what}"))
    }

    /// Returns what is wrong with the steps of the core where it has inputs of `inputs` entries, in words that follow
    /// its name; None where nothing is. The core is made, and takes a few.
    pub fn misstep(self, inputs: usize) -> Option<String> {
        const ROWS: usize = 3;
        let mut rng = Rng::new(0, "check");
        let mut b = Builder::new(&mut rng);
        let core = self.build::<f32>(&mut b, inputs);
        let (p, n) = (b.finish(), core.state_size());
        let numbers = |rows: usize, cols: usize| Tensor::with(rows, cols, |x| x.fill(0.1));
        let wrong = |what: &str, found: &Tensor, wanted: (usize, usize)| {
            let what = format!("returns {what} of the shape {:?}; it must be {wanted:?}", found.shape());
            (found.shape() != wanted).then_some(what)
        };
        let states = core.step(&p, &numbers(ROWS, inputs), &numbers(ROWS, n));
        if let Some(what) = wrong("from `step` states", &states, (ROWS, n)) {
            return Some(what);
        }
        if let Some(what) = wrong("from `output` features", &core.output(&states), (ROWS, core.output_size())) {
            return Some(what);
        }
        let states = core.unroll(&p, &numbers(2 * ROWS, inputs), &numbers(ROWS, n), Steps::All);
        let is_finite = states.data().iter().all(|x| x.is_finite());
        let what = || "returns states that are not finite, from inputs and states of 0.1".into();
        wrong("from `unroll` states", &states, (2 * ROWS, n)).or_else(|| (!is_finite).then(what))
    }
}
