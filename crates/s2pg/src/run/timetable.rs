//! The timetable of a run: what is due after which step.

use crate::experiment::Experiment;

/// The times at which a run saves, evaluates and cuts its episodes. A run and the replay of its divergence share this
/// order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timetable {
    last: usize,
    evaluation: usize,
    checkpoint: usize,
    cut_at_evaluation: bool,
}

/// The tasks that are due after a step, in the order of the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// Whether a checkpoint is due.
    pub checkpoint: bool,
    /// Whether an evaluation is due.
    pub evaluation: bool,
    /// Whether all running episodes are abandoned after the evaluation (D30).
    pub cut: bool,
    /// Whether all steps of the experiment have been taken.
    pub finished: bool,
}

impl Timetable {
    /// Makes the timetable of an experiment.
    pub fn new(experiment: &Experiment) -> Self {
        Self {
            last: experiment.steps,
            evaluation: experiment.evaluation.every,
            checkpoint: experiment.checkpoint.every,
            cut_at_evaluation: experiment.deviations().cut_at_evaluation,
        }
    }

    /// Returns what is due after a step that led from `before` to `now` environment steps, or in place of a step where
    /// an evaluation is `owed` from before.
    pub fn due(&self, before: usize, now: usize, owed: bool) -> Due {
        let finished = now >= self.last;
        let due = |every: usize| now > before && (every > 0 && now / every > before / every || finished);
        let evaluation = self.evaluation > 0 && (owed || due(self.evaluation));
        Due { checkpoint: due(self.checkpoint), evaluation, cut: evaluation && self.cut_at_evaluation, finished }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Evaluations and checkpoints come when their intervals are passed, and with the last step; an interval of 0 means
    /// never for evaluations, and only with the last step for checkpoints.
    #[test]
    fn what_is_due() {
        let due = |evaluation, checkpoint, before, now| {
            let table = Timetable { last: 100, evaluation, checkpoint, cut_at_evaluation: true };
            let due = table.due(before, now, false);
            assert_eq!(due.cut, due.evaluation);
            (due.evaluation, due.checkpoint, due.finished)
        };
        assert_eq!(due(10, 30, 8, 12), (true, false, false));
        assert_eq!(due(10, 30, 28, 32), (true, true, false));
        assert_eq!(due(10, 30, 32, 36), (false, false, false));
        assert_eq!(due(70, 70, 96, 100), (true, true, true));
        assert_eq!(due(0, 0, 8, 12), (false, false, false));
        assert_eq!(due(0, 0, 96, 100), (false, true, true));
        // In a run that was finished already, nothing is due, unless its last evaluation was abandoned.
        assert_eq!(due(10, 10, 100, 100), (false, false, true));
        let table = Timetable { last: 100, evaluation: 10, checkpoint: 10, cut_at_evaluation: true };
        let owed = |now| table.due(now, now, true);
        assert_eq!(owed(100), Due { checkpoint: false, evaluation: true, cut: true, finished: true });
        assert_eq!(owed(50), Due { checkpoint: false, evaluation: true, cut: true, finished: false });
    }
}
