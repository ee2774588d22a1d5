//! What a policy and a critic are shown.

use std::rc::Rc;

use crate::nn::{Real, Tensor};

/// What a policy and a critic see: x. For B samples every tensor has B rows, except where a recurrent network is shown
/// L steps: then `o` and `a_prev` hold the steps below each other (time-major, L B rows).
#[derive(Clone, Debug)]
pub struct Context<T: Real = f32> {
    /// The policy's observation, [B, n_o] or [L B, n_o]; for a window policy its last observations side by side, the
    /// oldest first, zeros behind, [B, len n_o].
    pub o: Tensor<T>,
    /// The critic's view, [B, n_s]; None where the critic sees the observation.
    pub s: Option<Tensor<T>>,
    /// The previous action, zero at the start of an episode, [B, n_a] or [L B, n_a].
    pub a_prev: Option<Tensor<T>>,
    /// The random state of the extended process, [B, n_z].
    pub z: Option<Tensor<T>>,
    /// The cached state of a recurrent network before the first step, [B, n_h].
    pub h: Option<Tensor<T>>,
    /// Of how many steps each sample's window is. A sample is the last of L steps; shorter windows are padded in front.
    /// None: every step is a sample.
    pub lengths: Option<Vec<usize>>,
}

impl<T: Real> Context<T> {
    /// A context of observations alone, [B, n_o].
    pub fn of(o: Tensor<T>) -> Self {
        Self { o, s: None, a_prev: None, z: None, h: None, lengths: None }
    }

    /// The steps L that a recurrent network is shown.
    pub fn steps(&self) -> usize {
        let rows = |h: &Tensor<T>| self.o.rows() / h.rows().max(1);
        self.lengths.as_ref().map_or_else(|| self.h.as_ref().map_or(1, rows), |l| self.o.rows() / l.len().max(1))
    }

    /// The step at which each window starts, for [`Cell::unroll`](crate::nn::Cell::unroll); None where all windows are
    /// L steps long.
    pub fn starts(&self) -> Option<Rc<[usize]>> {
        let (lengths, steps) = (self.lengths.as_ref()?, self.steps());
        lengths.iter().any(|&l| l < steps).then(|| lengths.iter().map(|l| steps - l).collect())
    }

    /// The rows of `all`, a stack of all steps, that are samples: the last step's where there are windows, else all.
    pub fn samples(&self, all: &Tensor<T>) -> Tensor<T> {
        match &self.lengths {
            Some(lengths) if all.rows() > lengths.len() => all.rows_of(all.rows() - lengths.len()..all.rows()),
            _ => all.clone(),
        }
    }
}

/// The extended action u = (a, z').
#[derive(Clone, Debug)]
pub struct Extended<T: Real = f32> {
    /// The action, [B, n_a].
    pub a: Tensor<T>,
    /// The next state, [B, n_z].
    pub z: Option<Tensor<T>>,
}

/// log pi(a, z' | x), in its two parts, each [B, 1].
#[derive(Clone, Debug)]
pub struct LogProb<T: Real = f32> {
    /// The action's part.
    pub a: Tensor<T>,
    /// The next state's part.
    pub z: Option<Tensor<T>>,
}

impl<T: Real> LogProb<T> {
    /// The log-density of the pair, [B, 1].
    pub fn joint(&self) -> Tensor<T> {
        match &self.z {
            Some(z) => &self.a + z,
            None => self.a.clone(),
        }
    }
}
