//! Sizes and start values of the networks, as an experiment states them.

use serde::{Deserialize, Serialize};

use super::keys::{Value, table};
use crate::policy::{PolicyKind, Solver};

/// How a critic of the extended process is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CriticKind {
    /// Three encoders whose sum goes through a hidden layer, as published.
    Encoders,
    /// Two hidden layers that read all inputs side by side.
    Plain,
}

table! {
    /// Sizes and start values of the networks: the table `[network]` of an experiment. Where an algorithm was published
    /// with other values than these defaults, an experiment of that algorithm has the published ones.
    NetworkSettings "network" {
        /// Kind of network of a policy with a state; a policy without a state has two hidden layers. `shortcut` and
        /// `simple` are the paper's recurrent networks. In all others the core runs by itself: the action of a `blind`
        /// policy is what the core emits; `blindpost` has a network behind it, and `post` one that sees the observation
        /// as well; `blindadditive` and `additive` add to that what the core emits; `mixed` and `mixedraw` mix two
        /// networks by the amplitudes of a `cpg`.
        policy: PolicyKind = PolicyKind::Shortcut, Any;
        /// Width of the embeddings and hidden layers of the policy.
        features: usize = 128, AtLeastOne;
        /// Width of the hidden layers of the critic.
        critic_features: usize = 128, AtLeastOne;
        /// Units of what a policy with a state remembers with.
        hidden: usize = 128, AtLeastOne;
        /// What a policy with a state remembers with: a recurrent cell (`elman`, `elmanrelu`, `gru` or `lstm`), another
        /// core of this library (`cpg`, `hopf`, `kuramoto`, `matsuoka`, `neuralode`, `lru` or `mingru`), or a core that
        /// the program adds under a name of its own; `s2pg algos` lists the names.
        cell: String = "gru".into(), Any;
        /// How a core that is a differential equation is solved, with one step of the method in each step: explicit
        /// Euler, or Runge and Kutta's method of fourth order by the 3/8 rule.
        solver: Solver = Solver::Euler, Any;
        /// Time in seconds for which a core that is a differential equation goes on in each step. Where not given it is
        /// that of a step of the environment, and 0.05 where time has no unit.
        dt: Option<f64> = None, PositiveUpTo(10);
        /// Initial standard deviation of the action; for SAC, before squashing. TD3 reads `td3.noise` instead.
        std: f64 = 0.5, PositiveUpTo(7);
        /// Initial standard deviation of the next state z'; for SAC, before squashing. TD3 reads `td3.state_noise`
        /// instead.
        state_std: f64 = 0.5, PositiveUpTo(7);
        /// Number of entries of z', the first ones, that are drawn with `rs` and `rs:K`, at most all entries of the
        /// state; the others are computed inside a segment and are zero after it. All are drawn where not given. This
        /// key and all others about z' do nothing with an estimator that draws no z'.
        drawn: Option<usize> = None, AtLeastOne;
        /// Whether a policy with a state reads the previous action.
        reads_a_prev: bool = true, Any;
        /// Whether a critic that reads z reads the previous action as well.
        critic_reads_a_prev: bool = true, Any;
        /// Gain of the initial weights of a value function that reads one step: that of the last layer; the hidden
        /// layers have this times the gain of ReLU.
        value_gain: f64 = 0.01, PositiveUpTo(10);
        /// Whether the value function of an on-policy algorithm reads z where the policy has a z.
        value_reads_z: bool = true, Any;
        /// Number of the last observations over which the value function of an on-policy algorithm has a recurrent cell
        /// of its own, where the policy has a z; `value_gain` and `value_reads_z` do nothing then. The value function
        /// has no cell where not given.
        value_window: Option<usize> = None, AtLeastOne;
        /// How an off-policy critic that reads z and z' is built: `encoders` are three whose sum goes through a hidden
        /// layer, as published; `plain` has two hidden layers that read all inputs side by side.
        critic: CriticKind = CriticKind::Encoders, Any;
    }
}

impl Value for PolicyKind {}
impl Value for CriticKind {}
impl Value for Solver {}
