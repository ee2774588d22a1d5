//! The choice of what a policy remembers with: a cell, a core of this library, or a core that a program brings.

use std::any::Any;
use std::fmt::{self, Debug};
use std::sync::Arc;

use super::core::Core;
use super::cores::CoreKind;
use super::dynamics::{Clock, Dynamics, Integrated};
use crate::nn::{Builder, Cell, CellKind, Real, Steps, Tensor};
use crate::rng::Rng;

/// A function that makes a core: the builder of its network, the number of entries of its input, and its number of
/// units. What it makes depends on nothing else.
pub type MakeCore<T = f32> = fn(&mut Builder<'_, T>, usize, usize) -> Arc<dyn Core<T>>;

/// A function that makes a differential equation: the builder of its network, the number of entries of its input, and
/// its number of units. What it makes depends on nothing else.
pub type MakeDynamics<T = f32> = fn(&mut Builder<'_, T>, usize, usize) -> Arc<dyn Dynamics<T>>;

/// What makes the core that a program brings.
#[derive(Clone, Copy)]
pub enum Make<T: Real = f32> {
    /// A function that makes the core itself.
    Core(MakeCore<T>),
    /// A function that makes the differential equation that the core is.
    Dynamics(MakeDynamics<T>),
}

/// A core that a program brings under a name of its own. It computes in single precision, as all training does.
#[derive(Clone, Copy)]
pub struct OwnCore {
    /// Name of the core.
    pub name: &'static str,
    /// One line about the core.
    pub about: &'static str,
    /// What makes the core.
    pub make: Make,
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
    /// A core of this library that is no cell.
    BuiltIn {
        /// Kind of the core.
        kind: CoreKind,
        /// Number of units.
        units: usize,
        /// How a differential equation goes on in a step.
        clock: Clock,
    },
    /// A core that a program brings.
    Own {
        /// The core.
        core: OwnCore,
        /// Number of units.
        units: usize,
        /// How a differential equation goes on in a step.
        clock: Clock,
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

    /// Returns the number of entries that a critic reads of the core's state.
    pub fn critic_size(self) -> usize {
        self.counted().critic_size()
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
            Self::BuiltIn { kind, units, clock } => b.scope("cell", |b| kind.build(b, inputs, units, clock)),
            Self::Own { core, units, clock } => {
                let make: &dyn Any = &core.make;
                let make = make.downcast_ref::<Make<T>>().expect("a core of one's own computes in single precision");
                b.scope("cell", |b| match make {
                    Make::Core(make) => make(b, inputs, units),
                    Make::Dynamics(make) => Arc::new(Integrated::new(make(b, inputs, units), clock)),
                })
            }
        }
    }

    /// Returns what is wrong with the sizes of the core where it has inputs of `inputs` entries, in words that follow
    /// its name; None where nothing is. No parameter is made.
    pub fn misfit(self, inputs: usize) -> Option<String> {
        let core = self.build::<f32>(&mut Builder::counting(), inputs);
        let (alone, n, read) = (self.state_size(), core.state_size(), core.output_size());
        let (bounded, critic) = (core.bounded().max(core.ranges().len()), core.critic_size());
        if n != alone {
            let what = "the size of a state must depend on the units alone";
            return Some(format!("has a state of {alone} entries with 1 input and of {n} with {inputs}; {what}"));
        }
        let fits = n > 0 && read > 0 && critic > 0 && bounded <= n;
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
        if let Some(what) = wrong("from `for_critic` features", &core.for_critic(&states), (ROWS, core.critic_size())) {
            return Some(what);
        }
        let states = core.unroll(&p, &numbers(2 * ROWS, inputs), &numbers(ROWS, n), Steps::All);
        let is_finite = states.data().iter().all(|x| x.is_finite());
        let what = || "returns states that are not finite, from inputs and states of 0.1".into();
        wrong("from `unroll` states", &states, (2 * ROWS, n)).or_else(|| (!is_finite).then(what))
    }
}
