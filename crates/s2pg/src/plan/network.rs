//! Sizes and start values of the networks, as an experiment states them.

use serde::{Deserialize, Serialize};

use crate::nn::CellKind;
use crate::policy::{CoreShape, PolicyKind};

/// How a critic of the extended process is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CriticKind {
    /// Three encoders whose sum goes through a hidden layer, as published.
    Encoders,
    /// Two hidden layers that read all inputs side by side.
    Plain,
}

/// Sizes and start values of the networks: the table `[network]` of an experiment. Where an algorithm was published
/// with other values than these defaults, an experiment of that algorithm has the published ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkSettings {
    /// Kind of network of a policy with a state; a policy without a state has two hidden layers.
    pub policy: PolicyKind,
    /// Width of the embeddings and hidden layers of the policy.
    pub features: usize,
    /// Width of the hidden layers of the critic.
    pub critic_features: usize,
    /// Units of the recurrent cell.
    pub hidden: usize,
    /// Kind of the recurrent cell.
    pub cell: CellKind,
    /// Initial standard deviation of the action; for SAC, before squashing. TD3 reads `td3.noise` instead.
    pub std: f64,
    /// Initial standard deviation of the next state z'; for SAC, before squashing. TD3 reads `td3.state_noise` instead.
    pub state_std: f64,
    /// How an off-policy critic that reads z and z' is built.
    pub critic: CriticKind,
}

impl NetworkSettings {
    /// Returns what a policy with a state remembers with.
    pub fn core(&self) -> CoreShape {
        CoreShape::Cell { kind: self.cell, units: self.hidden }
    }
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
