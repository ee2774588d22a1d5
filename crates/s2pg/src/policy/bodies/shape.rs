//! What an actor is made of, before it is made.

use super::core_shape::CoreShape;

/// What the outputs of the network of an [`Actor`](super::Actor) mean.
#[derive(Clone, Debug, PartialEq)]
pub enum Head {
    /// The outputs are the mean of an unbounded Gaussian over the action. Each entry of (a, z') has a log-std that is a
    /// parameter of its own (PPO, TRPO, REINFORCE).
    Gaussian {
        /// Initial standard deviation of the action.
        std: f64,
        /// Initial standard deviation of the next state.
        state_std: f64,
    },
    /// The outputs are the mean and log-std of a Gaussian over the action, which is squashed by tanh into the range of
    /// the action, and the log-std of the next state, which is squashed into [-1, 1] (SAC).
    Squashed {
        /// Lower bounds of the action.
        low: Vec<f32>,
        /// Upper bounds of the action.
        high: Vec<f32>,
        /// Initial standard deviation of the action, before squashing; 1 as published.
        std: f64,
        /// Initial standard deviation of the next state, before squashing; 1 as published.
        state_std: f64,
    },
    /// The outputs, squashed by tanh and stretched, are the action. Gaussian noise is added to the action and to z',
    /// and the sums are clipped to the range of the action and to [-1, 1] (TD3).
    Deterministic {
        /// Lower bounds of the action.
        low: Vec<f32>,
        /// Upper bounds of the action.
        high: Vec<f32>,
        /// The factor by which the output of tanh is multiplied; None where the output is stretched to the range of the
        /// action.
        scale: Option<f64>,
        /// Standard deviation of the noise on the action, in the units of the action.
        std: f64,
        /// Standard deviation of the noise on the next state.
        state_std: f64,
    },
}

/// Kind of network of a policy that carries a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicyKind {
    /// The paper's Figure 6, as published: embeddings of observation and previous action with ReLU, a cell, and a
    /// shortcut of the observation around the cell.
    #[default]
    Shortcut,
    /// The network of the paper's first examples, as published: one embedding with tanh, a cell (there `elmanrelu`),
    /// and a linear head.
    Simple,
    /// The action is what the core emits, by one linear layer where the numbers differ. The core is shown nothing of
    /// the world, in this kind and in all below, so this policy is blind.
    Blind,
    /// Two hidden layers read what the core emits: blind as well.
    BlindPost,
    /// As `BlindPost`, and what the core emits is added to the action.
    BlindAdditive,
    /// Two hidden layers read the observation and what the core emits.
    Post,
    /// As `Post`, and what the core emits is added to the action.
    Additive,
    /// Of oscillators (`cpg`), as many as the action has entries: one network reads their waves, another the waves and
    /// the observation; an entry of the action is r / b of the first and 1 − r / b of the second, for the amplitude r
    /// and its limit b.
    Mixed,
    /// As `Mixed`, with the parameter from which b is made in place of b, as published.
    MixedRaw,
}

impl PolicyKind {
    /// Tells whether the core runs by itself: it is shown nothing of the world.
    pub fn runs_alone(self) -> bool {
        !matches!(self, Self::Shortcut | Self::Simple)
    }

    /// Tells whether the policy mixes by the amplitudes of oscillators.
    pub fn mixes(self) -> bool {
        matches!(self, Self::Mixed | Self::MixedRaw)
    }
}

/// Sizes and start values of an [`Actor`](super::Actor).
#[derive(Clone, Debug, PartialEq)]
pub struct ActorShape {
    /// Entries of the observation.
    pub o: usize,
    /// Entries of the action.
    pub a: usize,
    /// Entries of the previous action that a policy with a state reads: `a`, or 0 where the policy reads no previous
    /// action.
    pub a_prev: usize,
    /// Width of each embedding or hidden layer.
    pub features: usize,
    /// What the policy remembers with, where it carries a state.
    pub core: CoreShape,
    /// Kind of network, where the policy carries a state.
    pub kind: PolicyKind,
    /// What the outputs of the network mean.
    pub head: Head,
}
