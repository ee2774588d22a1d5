//! Deviations of the published code that can be repeated. The book's page *Deviations* defines their numbers.

use serde::{Deserialize, Serialize};

use crate::policy::Memory;

/// Whether errors of the published code are repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compat {
    /// None of them.
    #[default]
    Correct,
    /// All of them, so that published curves can be compared like with like.
    Official,
}

/// For which memories the published code does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// For all memories.
    Always,
    /// For none.
    Never,
    /// For policies whose state is drawn with the action.
    Stochastic,
    /// For policies that are trained on several steps a sample.
    SeveralSteps,
    /// For policies with a memory of any kind.
    Remembering,
    /// For policies without memory.
    Memoryless,
}

impl When {
    fn holds(self, memory: Memory) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Stochastic => memory.z() > 0,
            Self::SeveralSteps => matches!(memory, Memory::Window { .. } | Memory::Bptt { .. }),
            Self::Remembering => memory != Memory::None,
            Self::Memoryless => memory == Memory::None,
        }
    }
}

/// What the published code does around an algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// When it keeps the last action of an episode as the previous action of the next episode's first step (D13).
    pub keeps_prev_action: When,
    /// When it draws samples in an evaluation that is meant to be deterministic (D19).
    pub samples_in_evaluation: When,
}

impl Published {
    /// What the published code does around on-policy algorithms (PPO, TRPO, REINFORCE, GPOMDP).
    pub const ON_POLICY: Self = Self { keeps_prev_action: When::Stochastic, samples_in_evaluation: When::Memoryless };
    /// What the published code does around algorithms whose policy is drawn from in training and learned off-policy (SAC).
    pub const SOFT: Self = Self { keeps_prev_action: When::Always, samples_in_evaluation: When::Always };
    /// What the published code does around algorithms with a deterministic policy (TD3, DDPG).
    pub const DETERMINISTIC: Self = Self { keeps_prev_action: When::Never, samples_in_evaluation: When::Memoryless };
}

macro_rules! switches {
    ($($(#[$doc:meta])* $name:ident: $when:expr,)+) => {
        /// The table `[switches]` of an experiment: single deviations of the published code. True repeats the deviation,
        /// false does not; what is not set follows `compat`.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct SwitchSettings {
            $($(#[$doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<bool>,)+
        }

        /// Which deviations of the published code a run repeats.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Switches {
            $($(#[$doc])* pub $name: bool,)+
        }

        impl SwitchSettings {
            /// The names of all switches.
            pub const NAMES: &[&str] = &[$(stringify!($name)),+];

            /// What is repeated of an algorithm with this memory, around which the published code does `published`.
            pub fn decide(&self, compat: Compat, memory: Memory, published: Published) -> Switches {
                let decide = |switch: Option<bool>, when: fn(Published) -> When| {
                    switch.unwrap_or(compat == Compat::Official && when(published).holds(memory))
                };
                Switches { $($name: decide(self.$name, $when)),+ }
            }
        }
    };
}

switches! {
    /// The previous action of an episode's first step is the last action of the episode before, while acting (D13).
    keep_prev_action: |p| p.keeps_prev_action,
    /// An evaluation abandons the running episodes, and the cut is not marked (D30).
    cut_at_evaluation: |_| When::Always,
    /// A deterministic evaluation draws samples (D19).
    sample_in_evaluation: |p| p.samples_in_evaluation,
    /// PPO-BPTT multiplies each ratio with every advantage of the minibatch rather than its own (D11).
    ppo_bptt_broadcast_bug: |_| When::Always,
    /// The window before a next observation is made of next observations alone, so that it misses the first observation
    /// of an episode (D29).
    misalign_next_windows: |_| When::Always,
    /// The windows that reach the first transition of a rollout cross the ends of episodes (D31). Those of a replay
    /// buffer never do.
    join_first_windows: |_| When::Always,
    /// REINFORCE's score of a log-std is -1 + δ²/σ³ rather than -1 + δ²/σ² (D24).
    reinforce_log_std_bug: |_| When::Always,
    /// TD3's policy ascends the mean of both critics rather than the first (D4).
    td3_actor_mean_q: |_| When::Remembering,
    /// TD3's targets hold the mean of both critics rather than the lesser (D5).
    td3_mean_target: |_| When::SeveralSteps,
    /// TD3's policy remembers its action as it was before clipping rather than as it was carried out (D14).
    remember_unclipped_action: |_| When::Always,
}
