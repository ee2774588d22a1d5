//! How a trajectory is cut into segments: inside a segment the memory is computed, and at its last step it is drawn.

/// Where trajectories are cut: behind their first `first` steps, and behind every `length` steps from there on.
///
/// With segments of one step the policy is S2PG's. With a single segment the memory is computed throughout, as for
/// backpropagation through time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    first: usize,
    length: usize,
}

impl Segments {
    /// Segments of one step: every next memory is drawn.
    pub const EVERY_STEP: Self = Self::of(1);
    /// One segment, however long the trajectory is: no memory is drawn.
    pub const WHOLE: Self = Self::of(usize::MAX);

    /// Cuts every `length` steps; the last segment of a trajectory may be shorter.
    pub const fn of(length: usize) -> Self {
        Self { first: length, length }
    }

    /// Gives the first segment a length of its own, the *phase*.
    pub const fn with_first(self, first: usize) -> Self {
        Self { first, ..self }
    }

    /// Returns the number of steps of each segment but the first.
    pub const fn length(&self) -> usize {
        self.length
    }

    /// Tells whether a segment ends with step `t`.
    pub fn ends(&self, t: usize) -> bool {
        t + 1 >= self.first && (t + 1 - self.first).is_multiple_of(self.length)
    }

    /// Tells whether the next memory of step `t` is drawn, in a trajectory of `horizon` steps: at the last step of each
    /// whole segment. A trajectory that is one segment of several steps draws nothing, for nothing follows.
    pub fn draws(&self, t: usize, horizon: usize) -> bool {
        self.ends(t) && (self.first < horizon || self.first == 1)
    }

    /// Returns the segments of a trajectory of `horizon` steps: how many there are of which length, and whether they
    /// end with a draw.
    pub fn of_trajectory(&self, horizon: usize) -> [(usize, usize, bool); 3] {
        let first = self.first.min(horizon);
        let (whole, rest) = ((horizon - first) / self.length, (horizon - first) % self.length);
        let drawn = first > 0 && self.draws(first - 1, horizon);
        [(1, first, drawn), (whole, self.length, true), (1, rest, false)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The segments of a trajectory have all of its steps and all of its draws, whatever the phase.
    #[test]
    fn segments_are_the_whole_trajectory() {
        for (horizon, length, first) in (0..12).flat_map(|t| (1..14).flat_map(move |k| (1..=k).map(move |p| (t, k, p))))
        {
            let segments = Segments::of(length).with_first(first);
            let parts = segments.of_trajectory(horizon);
            assert_eq!(parts.iter().map(|(count, steps, _)| count * steps).sum::<usize>(), horizon);
            let draws: usize = parts.iter().map(|(count, _, drawn)| count * usize::from(*drawn)).sum();
            assert_eq!(
                draws,
                (0..horizon).filter(|&t| segments.draws(t, horizon)).count(),
                "{segments:?}, T {horizon}"
            );
        }
    }

    /// Segments of one step draw at every step, and those that are as long as the trajectory never do.
    #[test]
    fn the_two_ends_of_the_family() {
        for horizon in 2..9 {
            let draws = |segments: Segments| (0..horizon).filter(|&t| segments.draws(t, horizon)).count();
            assert_eq!(draws(Segments::EVERY_STEP), horizon);
            assert_eq!(
                [draws(Segments::of(horizon)), draws(Segments::of(horizon + 1)), draws(Segments::WHOLE)],
                [0; 3]
            );
            assert_eq!(draws(Segments::of(2)), if horizon == 2 { 0 } else { horizon / 2 });
        }
    }
}
