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
    /// The policy is shown the last observations of the episode side by side, padded with zeros at the end.
    Window {
        /// Number of observations in the window.
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
    /// Returns the number of entries of the random state z, which is drawn with the action; 0 where no state is drawn.
    pub fn z(self) -> usize {
        if let Self::Stochastic { z } = self { z } else { 0 }
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
        if let Self::Window { len } = self { len } else { 1 }
    }

    /// Returns the number of steps of which a sample of a training batch is made: the length of a window, or of the
    /// part of an episode that a gradient goes back through ([`WHOLE`] for all of it); 1 where a sample is one step.
    pub fn steps(self) -> usize {
        match self {
            Self::None | Self::Stochastic { .. } => 1,
            Self::Window { len } | Self::Bptt { len, .. } => len,
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

    /// Returns true if a sample of a training batch may be made of several steps: where a policy is shown windows, or
    /// is trained through time.
    pub fn shows_history(self) -> bool {
        match self {
            Self::None | Self::Stochastic { .. } => false,
            Self::Window { .. } | Self::Bptt { .. } => true,
        }
    }

    /// Tells whether a gradient goes back through whole episodes.
    pub fn is_whole(self) -> bool {
        self.is_through_time() && self.steps() == WHOLE
    }
}
