//! What a checkpoint holds: the training, and how far the files of its run were written.

use crate::state::{Data, State, Visitor};
use crate::train::Training;

/// The layout of a checkpoint, both ways: filled from a run to be saved, and into a run that goes on.
pub(super) struct Kept<'a> {
    /// The training.
    pub training: &'a mut dyn Training,
    /// Rows of progress.csv.
    pub iterations: usize,
    /// The best mean return of a deterministic evaluation.
    pub best: f64,
    /// Bytes of progress.csv, eval.csv and the event file.
    pub lengths: [u64; 3],
}

impl<'a> Kept<'a> {
    /// That of a run at its first step.
    pub fn fresh(training: &'a mut dyn Training) -> Self {
        Self { training, iterations: 0, best: f64::NEG_INFINITY, lengths: [0; 3] }
    }
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
