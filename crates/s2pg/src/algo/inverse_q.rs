//! The loss of a critic that is learned from an expert: IQ-Learn, and LS-IQ, which fits the values of both sides by
//! least squares.

use serde::{Deserialize, Serialize};

use super::settings::Value;
use crate::nn::Tensor;

/// The form of the whole loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// The values of both sides are fitted to targets with a fixed reward for each side (LS-IQ, as published).
    Sqil,
    /// The implied reward R = Q − y of the expert is raised, and that of others lowered (IQ-Learn).
    Iq,
}

/// What the loss says of the expert's steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfExpert {
    /// Q is fitted to the largest value that there is.
    Fix,
    /// Q is bootstrapped: fitted to a reward and y with `sqil`, raised above y with `iq`.
    Bootstrap,
}

/// What the loss says of other steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OfPolicy {
    /// Q of the stored actions of the policy.
    QOldPolicy,
    /// V of all states.
    Value,
    /// V of the expert's states.
    ValueExpert,
    /// V of the policy's states.
    ValuePolicy,
    /// (1 − γ) V of the expert's states.
    V0,
    /// The sum of `value` and `q_old_policy`.
    ValueQOldPolicy,
    /// Nothing.
    Off,
}

/// How far a value is from its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distance {
    /// The square of the difference.
    Squared,
    /// Huber's: half the square up to 1, then as steep as at 1.
    Huber,
}

/// The steps whose implied rewards are regularised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Regularised {
    /// Both sides.
    Both,
    /// The expert's steps.
    Expert,
    /// The policy's steps.
    Policy,
    /// None.
    Off,
}

impl Value for Form {}
impl Value for OfExpert {}
impl Value for OfPolicy {}
impl Value for Distance {}
impl Value for Regularised {}

/// The loss of a critic on steps of an expert and of the policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InverseQ {
    /// The form of the loss.
    pub form: Form,
    /// What it says of the expert's steps.
    pub expert: OfExpert,
    /// What it says of other steps.
    pub policy: OfPolicy,
    /// How far a value is from its target.
    pub distance: Distance,
    /// Which implied rewards are regularised.
    pub regularised: Regularised,
    /// The weight c of the regulariser; fixed rewards are ±1/c.
    pub weight: f64,
    /// Discount factor γ.
    pub gamma: f64,
    /// Whether the last step of a task counts as if it went on for ever.
    pub treat_absorbing: bool,
    /// Whether next values are held within what the fixed rewards can give.
    pub clip_targets: bool,
    /// Whether a next value reads the previous action of the state before (D36).
    pub stale_a_prev: bool,
}

/// What is known of some steps of one side.
pub(super) struct Side<'a> {
    /// Whether the steps are the expert's.
    pub is_expert: bool,
    /// The number of all steps of both sides, divided by that of this side.
    pub share: f64,
    /// Q of the stored actions, [B, 1].
    pub q: &'a Tensor,
    /// The discounted values of the next states, B numbers.
    pub y: &'a [f32],
    /// V of the states, [B, 1], where the loss reads it.
    pub v: Option<&'a Tensor>,
    /// Whether the task ended with each step.
    pub absorbing: &'a [bool],
}

impl InverseQ {
    /// Returns the largest value that there is: that of the fixed reward 1/c for ever.
    pub fn largest(&self) -> f64 {
        1.0 / self.weight / (1.0 - self.gamma)
    }

    /// Tells whether the loss reads V.
    pub fn reads_v(&self) -> bool {
        match self.policy {
            OfPolicy::QOldPolicy | OfPolicy::Off => false,
            OfPolicy::Value | OfPolicy::ValueQOldPolicy => true,
            OfPolicy::ValueExpert | OfPolicy::ValuePolicy | OfPolicy::V0 => self.form == Form::Iq,
        }
    }

    fn far(&self, x: Tensor) -> Tensor {
        match self.distance {
            Distance::Squared => x.square(),
            Distance::Huber => {
                let near = x.clip(-1.0, 1.0);
                &near * x - near.square() * 0.5
            }
        }
    }

    /// Returns the three terms of the loss of each step, [B, 1]: that of the expert, that of others, and the
    /// regulariser. The loss is the mean over all steps of both sides; a mean over one side is there `share` times as
    /// large.
    pub(super) fn terms(&self, side: &Side<'_>) -> [Option<Tensor>; 3] {
        let Side { is_expert, share, q, v, .. } = *side;
        let column = |of: &dyn Fn(usize) -> f64| {
            Tensor::with(q.rows(), 1, |x| x.iter_mut().enumerate().for_each(|(i, x)| *x = of(i) as f32))
        };
        let ends = |i: usize| self.treat_absorbing && side.absorbing[i];
        let y = || Tensor::new(q.rows(), 1, side.y);
        // A fixed reward, and after the end of a task the same for ever.
        let target = |sign: f64| {
            let r = |i: usize| sign * if ends(i) { self.largest() } else { 1.0 / self.weight };
            column(&|i| r(i) + f64::from(side.y[i]))
        };
        let v = || v.expect("the loss is given V");
        let of_policy = |x: Tensor| (!is_expert).then(|| x * share);
        let of_expert = |x: Tensor| is_expert.then(|| x * share);
        let first = is_expert.then(|| match (self.form, self.expert) {
            (_, OfExpert::Fix) => self.far(q - self.largest()),
            (Form::Sqil, OfExpert::Bootstrap) => self.far(q - target(1.0)),
            (Form::Iq, OfExpert::Bootstrap) => y() - q,
        });
        let second = match (self.form, self.policy) {
            (_, OfPolicy::Off) => None,
            (Form::Sqil, OfPolicy::Value | OfPolicy::ValueQOldPolicy) => Some(self.far(v() - target(-1.0))),
            (Form::Sqil, _) => of_policy(self.far(q - target(-1.0))),
            (Form::Iq, OfPolicy::QOldPolicy) => of_policy(q - y()),
            (Form::Iq, OfPolicy::Value) => Some(v() - y()),
            (Form::Iq, OfPolicy::ValueExpert) => of_expert(v() - y()),
            (Form::Iq, OfPolicy::ValuePolicy) => of_policy(v() - y()),
            (Form::Iq, OfPolicy::V0) => of_expert(v() * (1.0 - self.gamma)),
            (Form::Iq, OfPolicy::ValueQOldPolicy) => {
                let all = v() - y();
                Some(of_policy(q - y()).map_or(all.clone(), |of_policy| all + of_policy))
            }
        };
        let third = || {
            let weight = column(&|i| self.weight * if ends(i) { 1.0 - self.gamma } else { 1.0 });
            (q - y()).square() * weight
        };
        let third = match self.regularised {
            _ if self.form == Form::Sqil => None,
            Regularised::Both => Some(third()),
            Regularised::Expert => of_expert(third()),
            Regularised::Policy => of_policy(third()),
            Regularised::Off => None,
        };
        [first.map(|x| x * share), second, third]
    }
}
