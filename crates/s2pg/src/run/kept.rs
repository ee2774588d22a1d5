//! The content of a checkpoint: the training, and how far the files of its run were written.

use super::checkpoint::Metadata;
use crate::state::{Data, State, Visitor};
use crate::train::AnyTrainer;

/// The state that a checkpoint holds. It is filled from a run that is saved, and filled from the file for a run that
/// goes on.
pub(super) struct Kept<'a> {
    /// The training.
    pub training: &'a mut dyn AnyTrainer,
    /// Number of rows of progress.csv.
    pub iterations: usize,
    /// The best mean return of a deterministic evaluation.
    pub best: f64,
    /// Lengths of progress.csv, eval.csv and the event file in bytes.
    pub lengths: [u64; 3],
}

impl<'a> Kept<'a> {
    /// Makes the state of a run before its first step.
    pub fn fresh(training: &'a mut dyn AnyTrainer) -> Self {
        Self { training, iterations: 0, best: f64::NEG_INFINITY, lengths: [0; 3] }
    }
}

/// Key and value of the metadata of a checkpoint that was written before an evaluation that is due at its step.
const DUE: [&str; 2] = ["due", "evaluation"];

/// Notes in the metadata of a checkpoint that an evaluation is still due at its step.
pub(super) fn owe_evaluation(metadata: &mut Metadata) {
    metadata.insert(DUE[0].into(), DUE[1].into());
}

/// Tells whether an evaluation is still due at the step of the checkpoint with this metadata.
pub(super) fn owes_evaluation(metadata: &Metadata) -> bool {
    metadata.get(DUE[0]).is_some_and(|due| due == DUE[1])
}

impl State for Kept<'_> {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { training, iterations, best, lengths } = self;
        v.child("training", &mut **training);
        v.count("iterations", iterations);
        v.number("best", best);
        v.item("file_lengths", Data::U64(lengths));
    }
}
