//! Transitions that were experienced: rollouts and whole episodes for on-policy algorithms, a replay buffer for
//! off-policy algorithms, and the demonstrations of an expert.

mod demos;
mod episodes;
mod expert;
pub mod npz;
pub mod npz_writer;
mod replay;
mod rollout;
mod sequences;
mod show;
mod transition;

pub use demos::{DemoShape, Demos};
pub use episodes::Episodes;
pub use replay::{Replay, ReplayShape};
pub use rollout::{Rollout, RolloutShape};
pub use transition::Transition;

use crate::nn::Standardiser;
use crate::state::{Data, State, Visitor};

/// A store in which transitions gather until an algorithm learns from them.
pub trait Buffer: State + Send {
    /// Stores one step of all environments.
    fn push(&mut self, t: &Transition<'_>);
    /// Tells whether the buffer keeps views as they were seen, and standardises them whenever they are shown. Other
    /// buffers are given standardised views.
    fn keeps_raw_views(&self) -> bool {
        false
    }
    /// Is told the statistics of o and s before each update, where views are standardised. Raw views are shown with
    /// them from now on.
    fn standardise(&mut self, _: &Standardiser, _: &Standardiser) {}
    /// Is told that the running episodes were abandoned after the last step.
    fn cut(&mut self) {}
    /// Tells whether the buffer holds all that an algorithm of whole episodes waits for.
    fn is_full(&self) -> bool {
        false
    }
    /// Tells whether the next step is the last one before the algorithm learns, so that it ends all segments.
    fn is_nearly_full(&self) -> bool {
        false
    }
    /// Forgets all steps where the simulation failed in each of them, so that there is nothing to learn from, and tells
    /// whether it did.
    fn forget_failures(&mut self) -> bool {
        false
    }
    /// Returns the number of steps that the buffer holds, of all environments together.
    fn stored(&self) -> usize;
    /// Tells whether the buffer holds more than `n` steps, or is full.
    fn holds_more_than(&self, n: usize) -> bool {
        self.stored() > n
    }
    /// Returns the columns of what the last update learned from, by name, for a report on a divergence.
    fn batch(&mut self) -> Vec<(String, Vec<f64>)>
    where
        Self: Sized,
    {
        let mut columns = Columns::default();
        self.visit(&mut columns);
        columns.columns
    }
    /// Returns the bytes of memory that the buffer takes when it is full.
    fn bytes(&mut self) -> usize
    where
        Self: Sized,
    {
        self.batch().iter().map(|(_, numbers)| numbers.len() * size_of::<f32>()).sum()
    }
}

/// A visitor that collects the numbers of a state, by their full names.
#[derive(Default)]
struct Columns {
    columns: Vec<(String, Vec<f64>)>,
    path: Vec<String>,
}

impl Visitor for Columns {
    fn item(&mut self, name: &str, data: Data<'_>) {
        let numbers = match data {
            Data::F32(x) => x.iter().map(|&x| f64::from(x)).collect(),
            Data::F64(x) => x.to_vec(),
            Data::U64(x) => x.iter().map(|&x| x as f64).collect(),
            Data::U8(x) => x.iter().map(|&x| f64::from(x)).collect(),
        };
        let full = self.path.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join("/");
        self.columns.push((full, numbers));
    }
    fn enter(&mut self, name: &str) {
        self.path.push(name.into());
    }
    fn leave(&mut self) {
        self.path.pop();
    }
}
