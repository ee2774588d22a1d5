//! What a policy remembers from one step to the next.

/// The number of steps that stands for the whole episode.
pub const WHOLE: usize = usize::MAX;

/// What a policy remembers, and of how many steps a sample of its training is made.
///
/// Code that only needs sizes asks [`z`](Self::z), [`h`](Self::h) and [`window`](Self::window), so that a new kind of
/// memory is a new variant here and an answer to each of these questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Memory {
    /// The policy remembers nothing: the action depends on the observation alone.
    #[default]
    None,
    /// S2PG: the next state z' is drawn with the action, and a sample of the training is one step.
    Stochastic {
        /// Entries of z.
        z: usize,
    },
    /// Segments, the family between S2PG and backpropagation through time: an episode is cut into segments of `len`
    /// steps. Inside a segment the next state is computed, and the gradient goes back to the segment's start; at the
    /// end of a segment the next state is drawn. A sample of the training is a whole segment.
    Segments {
        /// Entries of z.
        z: usize,
        /// Number of steps in a segment; the first segment of an episode may be shorter. With [`WHOLE`] a segment is
        /// the whole episode.
        len: usize,
        /// Number of entries of z, the first ones, that are drawn at the end of a segment; the others are zero after
        /// it. Where no entry is drawn, the next segment starts with the state as it was computed (truncated
        /// backpropagation through time).
        drawn: usize,
    },
    /// The policy is shown the last observations of the episode side by side, padded with zeros at the end.
    Window {
        /// Number of observations in the window.
        len: usize,
    },
    /// The policy is shown the last observations of the episode as with a window, and the actions between them.
    History {
        /// Number of observations in the window; there is one action less.
        len: usize,
    },
    /// Backpropagation through time: the state h is recomputed over the last `len` steps, or over the whole episode
    /// where `len` is [`WHOLE`].
    Bptt {
        /// Entries of h.
        h: usize,
        /// Number of steps that a gradient goes back through.
        len: usize,
    },
}

impl Memory {
    /// Returns the number of entries of the state z, which belongs to the extended process: a critic sees it. 0 where
    /// there is none.
    pub fn z(self) -> usize {
        if let Self::Stochastic { z } | Self::Segments { z, .. } = self { z } else { 0 }
    }

    /// Returns the number of entries of z that are drawn, and that have a standard deviation.
    pub fn drawn(self) -> usize {
        match self {
            Self::Stochastic { z } => z,
            Self::Segments { drawn, .. } => drawn,
            Self::None | Self::Window { .. } | Self::History { .. } | Self::Bptt { .. } => 0,
        }
    }

    /// Returns the number of steps in a segment; None where episodes are not cut into segments.
    pub fn segment(self) -> Option<usize> {
        if let Self::Segments { len, .. } = self { Some(len) } else { None }
    }

    /// Returns the number of entries of the cached state h of a network that is trained through time; 0 for other
    /// policies.
    pub fn h(self) -> usize {
        if let Self::Bptt { h, .. } = self { h } else { 0 }
    }

    /// Returns the number of entries of the state, z or h, that is carried to the next step; 0 where no state is
    /// carried.
    pub fn state(self) -> usize {
        self.z() + self.h()
    }

    /// Returns the number of observations that are shown side by side as one; 1 where there is no window.
    pub fn window(self) -> usize {
        if let Self::Window { len } | Self::History { len } = self { len } else { 1 }
    }

    /// Returns the number of actions that are shown with the observations of a window.
    pub fn actions(self) -> usize {
        if let Self::History { len } = self { len - 1 } else { 0 }
    }

    /// Tells whether previous actions are shown: to a policy with a state the last one, and with a history one for each
    /// observation.
    pub fn shows_a_prev(self) -> bool {
        self.is_recurrent() || matches!(self, Self::History { .. })
    }

    /// Returns the number of steps that are shown for one row of a training batch: the length of a window, or of the
    /// part of an episode that a gradient goes back through ([`WHOLE`] for all of it); 1 where each step is shown once.
    pub fn steps(self) -> usize {
        match self {
            Self::None | Self::Stochastic { .. } | Self::Segments { .. } => 1,
            Self::Window { len } | Self::History { len } | Self::Bptt { len, .. } => len,
        }
    }

    /// Tells whether the policy carries a state, random or not.
    pub fn is_recurrent(self) -> bool {
        self.state() > 0
    }

    /// Tells whether a gradient goes back through steps.
    pub fn is_through_time(self) -> bool {
        self.h() > 0
    }

    /// Returns true if a row is shown with the rows before it: where a policy is shown windows, or is trained through
    /// time.
    pub fn shows_history(self) -> bool {
        match self {
            Self::None | Self::Stochastic { .. } | Self::Segments { .. } => false,
            Self::Window { .. } | Self::History { .. } | Self::Bptt { .. } => true,
        }
    }

    /// Tells whether a gradient goes back through whole episodes.
    pub fn is_whole(self) -> bool {
        self.is_through_time() && self.steps() == WHOLE
    }
}
