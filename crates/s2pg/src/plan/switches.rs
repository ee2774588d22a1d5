//! Deviations of the published code that a run can repeat. The page *Deviations* of the book defines their numbers D1,
//! D2, ....

use serde::{Deserialize, Serialize};

use crate::policy::Memory;

/// Whether errors of the published code are repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compat {
    /// No error is repeated.
    #[default]
    Correct,
    /// All errors are repeated, so that published curves can be compared like with like.
    Official,
}

/// The memories for which the published code does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The published code does it for all memories.
    Always,
    /// The published code does it for no memory.
    Never,
    /// The published code does it for policies whose state is drawn with the action.
    Stochastic,
    /// The published code does it for policies that are trained on several steps a sample.
    SeveralSteps,
    /// The published code does it for policies with a memory of any kind.
    Remembering,
    /// The published code does it for policies without memory.
    Memoryless,
}

impl When {
    fn holds(self, memory: Memory) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Stochastic => memory.z() > 0,
            Self::SeveralSteps => memory.shows_history(),
            Self::Remembering => memory != Memory::None,
            Self::Memoryless => memory == Memory::None,
        }
    }
}

/// What the published code does around an algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The memories for which the code keeps the last action of an episode as the previous action of the next episode's
    /// first step (D13).
    pub keeps_prev_action: When,
    /// The memories for which the code draws samples in an evaluation that is meant to be deterministic (D19).
    pub samples_in_evaluation: When,
}

impl Published {
    /// What is so around algorithms that the published code does not have (SLAC): nothing.
    pub const NOTHING: Self = Self { keeps_prev_action: When::Never, samples_in_evaluation: When::Never };
    /// What the published code does around on-policy algorithms (PPO, TRPO, REINFORCE, GPOMDP).
    pub const ON_POLICY: Self = Self { keeps_prev_action: When::Stochastic, samples_in_evaluation: When::Memoryless };
    /// What the published code does around off-policy algorithms that draw from their policy (SAC).
    pub const SOFT: Self = Self { keeps_prev_action: When::Always, samples_in_evaluation: When::Always };
    /// What the published code does around algorithms with a deterministic policy (TD3, DDPG).
    pub const DETERMINISTIC: Self = Self { keeps_prev_action: When::Never, samples_in_evaluation: When::Memoryless };
}

macro_rules! switches {
    ($about:literal; $($(#[$($doc:tt)*])* $name:ident: $when:expr,)+) => {
        #[doc = $about]
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct SwitchSettings {
            $($(#[$($doc)*])* #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<bool>,)+
        }

        /// The deviations of the published code, and whether a run repeats each.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Switches {
            $($(#[$($doc)*])* pub $name: bool,)+
        }

        impl Switches {
            /// Returns every switch with its name.
            pub fn list(&self) -> Vec<(&'static str, bool)> {
                vec![$((stringify!($name), self.$name)),+]
            }
        }

        impl SwitchSettings {
            /// The names of all switches.
            pub const NAMES: &[&str] = &[$(stringify!($name)),+];

            /// Describes the keys of the table.
            pub(crate) fn table() -> super::keys::Table {
                super::keys::describe! {
                    [[doc = $about]] "switches"
                    $($([$($doc)*])* $name: Option<bool> = None, Any;)+
                }
            }

            /// Decides which deviations a run repeats, from the switches that are set, from `compat`, from the memory
            /// of the policy, and from what the published code does around the algorithm.
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
    "The table `[switches]` of an experiment: single deviations of the published code. True repeats the deviation, and \
     false does not; a switch that is not set follows the key `compat`.";
    /// While acting, the previous action of an episode's first step is the last action of the episode before (D13).
    keep_prev_action: |p| p.keeps_prev_action,
    /// An evaluation abandons the running episodes of the training (D30).
    cut_at_evaluation: |_| When::Always,
    /// A deterministic evaluation draws samples (D19).
    sample_in_evaluation: |p| p.samples_in_evaluation,
    /// PPO-BPTT multiplies each ratio with every advantage of the minibatch rather than its own (D11).
    ppo_bptt_broadcast_bug: |_| When::Always,
    /// The window of a next observation is made of next observations alone, so that the window misses the first
    /// observation of an episode (D29).
    misalign_next_windows: |_| When::Always,
    /// The windows that reach the first transition of a rollout cross the ends of episodes (D31). The windows of a
    /// replay buffer never do, nor those of a policy that is trained through whole episodes.
    join_first_windows: |_| When::Always,
    /// REINFORCE's score of a log-std is -1 + δ²/σ³ rather than -1 + δ²/σ² (D24).
    reinforce_log_std_bug: |_| When::Always,
    /// GPOMDP leaves an episode out of the baselines and sums of the steps behind its end (D34).
    gpomdp_drop_ended_episodes: |_| When::Always,
    /// TD3's policy ascends the mean of both critics rather than the first critic (D4).
    td3_actor_mean_q: |_| When::Remembering,
    /// TD3's targets hold the mean of both critics rather than the lesser (D5).
    td3_mean_target: |_| When::SeveralSteps,
    /// TD3's policy remembers its action as drawn, before clipping, rather than as carried out (D14).
    remember_unclipped_action: |_| When::Always,
    /// LS-IQ values a next state with the previous action of the state before (D36). It does nothing where the policy
    /// has no z, or neither the policy nor the critic reads the previous action.
    lsiq_stale_prev_action: |_| When::Always,
}
