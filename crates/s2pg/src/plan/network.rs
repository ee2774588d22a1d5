//! Sizes and start values of the networks, as an experiment states them.

use serde::{Deserialize, Serialize};

use crate::nn::CellKind;
use crate::policy::PolicyKind;

/// How a critic of the extended process is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CriticKind {
    /// Three encoders whose sum goes through a hidden layer, as published.
    Encoders,
    /// Two hidden layers on everything side by side.
    Plain,
}

/// Sizes and start values of the networks. An algorithm may have been published with other defaults than these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkSettings {
    /// Which network a policy with a state has; one without a state has two hidden layers.
    pub policy: PolicyKind,
    /// Width of embeddings and hidden layers of the policy.
    pub features: usize,
    /// Width of the hidden layers of the critic.
    pub critic_features: usize,
    /// Units of the recurrent cell.
    pub hidden: usize,
    /// Which recurrent cell.
    pub cell: CellKind,
    /// Initial standard deviation of the action; before squashing for SAC. TD3 has `td3.noise`.
    pub std: f64,
    /// Initial standard deviation of the next state z'; before squashing for SAC. TD3 has `td3.state_noise`.
    pub state_std: f64,
    /// How an off-policy critic of z and z' is built.
    pub critic: CriticKind,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        Self {
            policy: PolicyKind::Shortcut,
            features: 128,
            critic_features: 128,
            hidden: 128,
            cell: CellKind::Gru,
            std: 0.5,
            state_std: 0.5,
            critic: CriticKind::Encoders,
        }
    }
}
