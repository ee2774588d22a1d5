//! The settings of SAC and TD3.

use serde::{Deserialize, Serialize};

/// The settings of SAC, with the values of the published HalfCheetah experiment as defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sac {
    /// Steps that the replay buffer keeps.
    pub replay: usize,
    /// Steps in a batch.
    pub batch: usize,
    /// Stored steps without which nothing is learned.
    pub initial: usize,
    /// Stored steps without which the policy is not moved.
    pub warmup: usize,
    /// Updates for each step of an environment.
    pub update_ratio: f64,
    /// Step size of the policy.
    pub lr: f64,
    /// Step size of the critics.
    pub critic_lr: f64,
    /// Discount of future rewards.
    pub gamma: f64,
    /// How far the target networks follow in an update.
    pub tau: f64,
    /// Initial temperature of the action.
    pub alpha: f64,
    /// Step size of its logarithm.
    pub alpha_lr: f64,
    /// Wanted entropy of the action; its negative size where not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_entropy: Option<f64>,
    /// Initial temperature of the next state.
    pub state_alpha: f64,
    /// Step size of its logarithm.
    pub state_alpha_lr: f64,
    /// Wanted entropy of the next state; its negative size where not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_target_entropy: Option<f64>,
    /// Whether the targets hold the entropy of the next state, as in the paper; the published runs leave it out (D6).
    pub state_entropy_in_target: bool,
    /// How much of a stored z' is replaced by the present policy's when it is drawn (tau_z).
    pub refresh: f64,
    /// Whether an update tells more about its gradient and its states. Set by the experiment's key.
    #[serde(skip)]
    pub diagnostics: bool,
}

impl Default for Sac {
    fn default() -> Self {
        Self {
            replay: 500_000,
            batch: 256,
            initial: 5_000,
            warmup: 10_000,
            update_ratio: 1.0,
            lr: 1e-4,
            critic_lr: 1e-3,
            gamma: 0.99,
            tau: 0.001,
            alpha: 1.0,
            alpha_lr: 3e-4,
            target_entropy: None,
            state_alpha: 0.01,
            state_alpha_lr: 3e-4,
            state_target_entropy: None,
            state_entropy_in_target: false,
            refresh: 1.0,
            diagnostics: false,
        }
    }
}

/// The settings of TD3 and DDPG, with the values that most published experiments have as defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Td3 {
    /// Steps that the replay buffer keeps.
    pub replay: usize,
    /// Steps in a batch.
    pub batch: usize,
    /// Stored steps without which nothing is learned.
    pub initial: usize,
    /// Stored steps without which the policy is not moved.
    pub warmup: usize,
    /// Updates for each step of an environment.
    pub update_ratio: f64,
    /// Step size of the policy.
    pub lr: f64,
    /// Step size of the critics.
    pub critic_lr: f64,
    /// Discount of future rewards.
    pub gamma: f64,
    /// How far the target networks follow in an update.
    pub tau: f64,
    /// Standard deviation of the noise on actions, in their units.
    pub noise: f64,
    /// Standard deviation of the noise on the next state.
    pub state_noise: f64,
    /// Updates of the critics for each of the policy; 1 for DDPG.
    pub delay: usize,
    /// Standard deviation of the noise on the targets' actions, in their units; 0 for DDPG.
    pub smoothing: f64,
    /// Where that noise is clipped.
    pub smoothing_clip: f64,
    /// Standard deviation of the noise on the targets' next states; half of `state_noise` where not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_smoothing: Option<f64>,
    /// Where that noise is clipped; 1.25 times `state_noise` where not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_smoothing_clip: Option<f64>,
    /// How much of a stored z' is replaced by the present policy's when it is drawn (tau_z).
    pub refresh: f64,
    /// Whether the policy ascends the mean of the critics rather than the first (D4). Set by the experiment's switches.
    #[serde(skip)]
    pub actor_mean_q: bool,
    /// Whether targets hold the mean of the critics rather than the least (D5). Set by the experiment's switches.
    #[serde(skip)]
    pub target_mean_q: bool,
    /// Whether an update tells more about its gradient and its states. Set by the experiment's key.
    #[serde(skip)]
    pub diagnostics: bool,
}

impl Default for Td3 {
    fn default() -> Self {
        Self {
            replay: 1_000_000,
            batch: 100,
            initial: 10_000,
            warmup: 0,
            update_ratio: 1.0,
            lr: 1e-3,
            critic_lr: 1e-3,
            gamma: 0.99,
            tau: 0.005,
            noise: 0.1,
            state_noise: 0.01,
            delay: 2,
            smoothing: 0.2,
            smoothing_clip: 0.5,
            state_smoothing: None,
            state_smoothing_clip: None,
            refresh: 1.0,
            actor_mean_q: false,
            target_mean_q: false,
            diagnostics: false,
        }
    }
}
