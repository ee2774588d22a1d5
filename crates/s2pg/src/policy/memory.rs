//! What a policy remembers from one step to the next.

/// The length of a window that is the whole episode.
pub const WHOLE: usize = usize::MAX;

/// What a policy remembers, and how its training sees it.
///
/// Code that only needs sizes asks [`z`](Self::z), [`h`](Self::h) and [`window`](Self::window), so that a new kind of
/// memory is a variant here and an answer to each of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Memory {
    /// Nothing: the action depends on the observation alone.
    #[default]
    None,
    /// S2PG: the next state z' is drawn with the action, one step per sample.
    Stochastic {
        /// Numbers in z.
        z: usize,
    },
    /// The last observations of the episode side by side, padded with zeros at the end.
    Window {
        /// Observations in the window.
        len: usize,
    },
    /// Backpropagation through time: the state is recomputed over the last `len` steps; over the whole episode where
    /// `len` is [`WHOLE`].
    Bptt {
        /// Numbers in h.
        h: usize,
        /// Steps that a gradient goes back.
        len: usize,
    },
}

impl Memory {
    /// Numbers in the random state z, which is drawn with the action; 0 where no state is drawn.
    pub fn z(self) -> usize {
        if let Self::Stochastic { z } = self { z } else { 0 }
    }

    /// Numbers in the cached state h of a network that is trained through time; 0 where none is.
    pub fn h(self) -> usize {
        if let Self::Bptt { h, .. } = self { h } else { 0 }
    }

    /// Numbers in the state, z or h, that is carried to the next step; 0 where nothing is.
    pub fn state(self) -> usize {
        self.z() + self.h()
    }

    /// Observations that are shown side by side as one; 1 where there is no window.
    pub fn window(self) -> usize {
        if let Self::Window { len } = self { len } else { 1 }
    }

    /// Steps of which a sample of a training batch is made: the length of a window, or of the part of an episode that a
    /// gradient goes back through ([`WHOLE`] for all of it); 1 where a sample is one step.
    pub fn steps(self) -> usize {
        match self {
            Self::None | Self::Stochastic { .. } => 1,
            Self::Window { len } | Self::Bptt { len, .. } => len,
        }
    }

    /// Whether the policy carries a state, random or not.
    pub fn is_recurrent(self) -> bool {
        self.state() > 0
    }

    /// Whether a gradient goes back through steps.
    pub fn is_through_time(self) -> bool {
        self.h() > 0
    }

    /// Whether a gradient goes back through whole episodes.
    pub fn is_whole(self) -> bool {
        self.is_through_time() && self.steps() == WHOLE
    }
}
