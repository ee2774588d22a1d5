//! What a policy, a critic and a latent model are shown, and the extended action.

use std::rc::Rc;

use crate::nn::{Real, Steps, Tensor};

/// What a policy and a critic are shown of B samples: x of the extended process. Every tensor has B rows, except where
/// a recurrent network is shown L steps of each sample: then `o` and `a_prev` hold the steps below each other
/// (time-major, L B rows). Segments are packed: every row is a sample, and `z` has a row for each segment.
#[derive(Clone, Debug)]
pub struct Context<T: Real = f32> {
    /// The policy's observations, [B, n_o] or [L B, n_o]. A policy with a window of `len` observations is shown them
    /// side by side in one row, [B, len n_o]: the oldest first, and zeros behind the newest where the episode has
    /// fewer.
    pub o: Tensor<T>,
    /// The critic's views, [B, n_s]; None where the critic sees the observation.
    pub s: Option<Tensor<T>>,
    /// The previous actions, zero at the start of an episode, [B, n_a] or [L B, n_a]. A policy with a history is shown
    /// those of all its observations side by side, [B, len n_a].
    pub a_prev: Option<Tensor<T>>,
    /// The states z of the extended process, [B, n_z]; those before the first step of each segment where segments are
    /// packed.
    pub z: Option<Tensor<T>>,
    /// The cached states h of a recurrent network before the first step of each sample, [B, n_h].
    pub h: Option<Tensor<T>>,
    /// The number of steps in the window of each sample, B numbers. A sample is the last step of its window; windows of
    /// fewer than L steps are padded in front. None where every step is a sample.
    pub lengths: Option<Vec<usize>>,
    /// Where segments are packed, the number of segments that have a step t, for each t: the longest segment stands
    /// first, and the rows of all first steps stand above those of all second steps. None where the policy is not shown
    /// segments.
    pub segments: Option<Rc<[usize]>>,
    /// Whether each of the B samples draws its next state, where only some do: those that end a segment.
    pub drawn: Option<Rc<[bool]>>,
}

impl<T: Real> Context<T> {
    /// Makes a context that holds nothing but the observations `o`, [B, n_o].
    pub fn of(o: Tensor<T>) -> Self {
        Self { o, s: None, a_prev: None, z: None, h: None, lengths: None, segments: None, drawn: None }
    }

    /// Returns L, the number of steps that a recurrent network is shown of each sample.
    pub fn steps(&self) -> usize {
        let rows = |h: &Tensor<T>| self.o.rows() / h.rows().max(1);
        self.lengths.as_ref().map_or_else(|| self.h.as_ref().map_or(1, rows), |l| self.o.rows() / l.len().max(1))
    }

    /// Returns which rows stand in each step, for [`Cell::unroll`](crate::nn::Cell::unroll).
    pub fn stack(&self) -> Steps {
        let steps = self.steps();
        match (&self.segments, &self.lengths) {
            (Some(counts), _) => Steps::Packed(counts.clone()),
            (None, Some(lengths)) if lengths.iter().any(|&l| l < steps) => {
                Steps::From(lengths.iter().map(|l| steps - l).collect())
            }
            _ => Steps::All,
        }
    }

    /// Returns those rows of `all`, a stack of all steps, that belong to samples: the rows of the last step where there
    /// are windows, else all rows.
    pub fn samples(&self, all: &Tensor<T>) -> Tensor<T> {
        match &self.lengths {
            Some(lengths) if all.rows() > lengths.len() => all.rows_of(all.rows() - lengths.len()..all.rows()),
            _ => all.clone(),
        }
    }
}

/// What a latent model is shown of B windows of steps. Windows are packed: the longest stands first, and the rows of
/// all first steps stand above those of all second steps.
#[derive(Clone, Debug)]
pub struct Sequences<T: Real = f32> {
    /// The number of windows that have an observation t, for each t. A window of n steps has n + 1 observations, so the
    /// first two numbers are B.
    pub counts: Vec<usize>,
    /// The observations before each of the R steps, and after the last step of each window, [R + B, n_o].
    pub o: Tensor<T>,
    /// The actions, [R, n_a].
    pub a: Tensor<T>,
    /// The rewards, [R, 1].
    pub r: Tensor<T>,
}

/// The extended actions u = (a, z') of B samples.
#[derive(Clone, Debug)]
pub struct Extended<T: Real = f32> {
    /// The actions, [B, n_a].
    pub a: Tensor<T>,
    /// The next states z', [B, n_z]; None where the policy draws no state.
    pub z: Option<Tensor<T>>,
}

/// The log-density log π(a, z' | x) of B samples, in its two parts.
#[derive(Clone, Debug)]
pub struct LogProb<T: Real = f32> {
    /// The log-density of the action, [B, 1].
    pub a: Tensor<T>,
    /// The log-density of the next state, [B, 1]; None where the policy draws no state.
    pub z: Option<Tensor<T>>,
}

impl<T: Real> LogProb<T> {
    /// Returns the log-density of the pair (a, z'), [B, 1].
    pub fn joint(&self) -> Tensor<T> {
        match &self.z {
            Some(z) => &self.a + z,
            None => self.a.clone(),
        }
    }
}
