//! What was experienced: rollouts for on-policy algorithms, a replay buffer for off-policy ones.

mod episodes;
mod replay;
mod rollout;

pub use episodes::Episodes;
pub use replay::{Replay, ReplayShape};
pub use rollout::{Rollout, RolloutShape};

use crate::state::{Data, State, Visitor};

/// One step of n environments, row by row. There is no `done`: an episode ends because the task did (`terminated`) or
/// because it was cut (`truncated`).
#[derive(Clone, Copy, Debug)]
pub struct Transition<'a> {
    /// The policy's observations, standardised, [n, n_o].
    pub o: &'a [f32],
    /// The critic's views, [n, n_s].
    pub s: &'a [f32],
    /// The actions before, zero at the start of an episode, [n, n_a].
    pub a_prev: &'a [f32],
    /// The policy's random states, [n, n_z].
    pub z: &'a [f32],
    /// The cached states of a network that is trained through time, [n, n_h].
    pub h: &'a [f32],
    /// The actions, [n, n_a].
    pub a: &'a [f32],
    /// The next random states, [n, n_z].
    pub z_next: &'a [f32],
    /// The next cached states, [n, n_h].
    pub h_next: &'a [f32],
    /// The rewards.
    pub r: &'a [f64],
    /// Whether the task ended.
    pub terminated: &'a [bool],
    /// Whether the episode was cut.
    pub truncated: &'a [bool],
    /// Whether the simulation failed in this step: the row is not to be learned from.
    pub dropped: &'a [bool],
    /// The true next observations, before any reset.
    pub next_o: &'a [f32],
    /// The true next views of the critic.
    pub next_s: &'a [f32],
}

/// Where transitions gather until an algorithm learns from them.
pub trait Buffer: State + Send {
    /// Takes one step of all environments.
    fn push(&mut self, t: &Transition<'_>);
    /// The running episodes were abandoned behind the last step.
    fn cut(&mut self) {}
    /// Whether it holds all that an algorithm of whole episodes waits for.
    fn is_full(&self) -> bool {
        false
    }
    /// Steps that it holds, of all environments together.
    fn stored(&self) -> usize;
    /// Whether it holds more than `n` steps, or is full.
    fn holds_more_than(&self, n: usize) -> bool {
        self.stored() > n
    }
    /// What the last update learned from, by name: for a report on a divergence.
    fn batch(&mut self) -> Vec<(String, Vec<f64>)>
    where
        Self: Sized,
    {
        let mut columns = Columns::default();
        self.visit(&mut columns);
        columns.columns
    }
    /// Bytes of memory that it takes when it is full.
    fn bytes(&mut self) -> usize
    where
        Self: Sized,
    {
        self.batch().iter().map(|(_, numbers)| numbers.len() * size_of::<f32>()).sum()
    }
}

/// The numbers of a state, by their full names.
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
