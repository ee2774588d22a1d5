//! GAIL's discriminator: what it is shown, its loss, and the reward that its output is.

use serde::{Deserialize, Serialize};

use super::settings::Value;
use crate::data::{Demos, Rollout};
use crate::nn::{Adam, Tensor};
use crate::policy::{Discriminator, View};
use crate::state::{State, Visitor};

/// What a discriminator is shown of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Inputs {
    /// A state and the action in it.
    Actions,
    /// A state and the next one, for demonstrations without actions.
    Next,
    /// A state alone.
    States,
}

/// The loss of a discriminator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LossKind {
    /// Logistic regression, as published; the reward of a logit d is −ln(1 − σ(d) + 1e-8).
    Logistic,
    /// Least squares towards 1 for the expert and −1 for the policy (AMP); the reward is max(0, 1 − (d − 1)² / 4).
    Squares,
}

impl Value for Inputs {}
impl Value for LossKind {}

/// What an [`Adversary`] is shown, and its loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Criterion {
    /// What is shown of a step.
    pub inputs: Inputs,
    /// The view of the world that is shown.
    pub view: View,
    /// The loss.
    pub loss: LossKind,
    /// Weight of the bonus on the entropy of the output.
    pub entropy: f64,
    /// Number of entries of o, s and a.
    pub sizes: [usize; 3],
}

impl Criterion {
    /// Returns the number of entries of what the discriminator is shown of a step.
    pub fn entries(&self) -> usize {
        let [o, s, a] = self.sizes;
        let view = if self.view == View::State { s } else { o };
        view + [a, view, 0][self.inputs as usize]
    }

    /// Appends what the discriminator is shown of a step, of the views `now` and `next` and the action `a`.
    fn show(&self, [now, a, next]: [&[f32]; 3], to: &mut Vec<f32>) {
        to.extend(now);
        to.extend([a, next, &[]][self.inputs as usize]);
    }

    /// Returns what the discriminator is shown of the rows `rows` of a rollout, row after row.
    pub fn of_policy(&self, data: &Rollout, rows: &[usize]) -> Vec<f32> {
        let mut shown = Vec::new();
        for &k in rows {
            let [o, s, a, next_o, next_s] = data.step(k);
            self.show(if self.view == View::State { [s, a, next_s] } else { [o, a, next_o] }, &mut shown);
        }
        shown
    }

    /// Returns what the discriminator is shown of the rows `rows` of the demonstrations, row after row, standardised
    /// with the statistics of the rollout.
    pub fn of_expert(&self, demos: &Demos, data: &Rollout, rows: &[usize]) -> Vec<f32> {
        let ([n_o, n_s, n_a], mut shown) = (demos.sizes, Vec::new());
        let sees_state = self.view == View::State;
        let (now, next, n) = if sees_state { (&demos.s, &demos.next_s, n_s) } else { (&demos.o, &demos.next_o, n_o) };
        let view = |x: &[f32], k: usize| {
            let mut x = x[k * n..(k + 1) * n].to_vec();
            data.statistics().into_iter().for_each(|of_views| of_views[usize::from(sees_state)].apply(&mut x));
            x
        };
        for &k in rows {
            let a = demos.a.as_ref().map_or(&[][..], |a| &a[k * n_a..(k + 1) * n_a]);
            self.show([&view(now, k), a, &view(next, k)], &mut shown);
        }
        shown
    }

    /// Returns the reward of the logit `d`.
    pub fn reward(&self, d: f64) -> f64 {
        match self.loss {
            LossKind::Logistic => -(1.0 - 1.0 / (1.0 + (-d).exp()) + 1e-8).ln(),
            LossKind::Squares if (d - 1.0).abs() > 2.0 => 0.0,
            LossKind::Squares => 1.0 - 0.25 * (d - 1.0).powi(2),
        }
    }

    /// Returns the loss of the logits `d`, [B, 1], of steps of which those of the expert are true in `expert`: the mean
    /// of the cross-entropy less the bonus on the entropy of σ(d), or the sum of the mean squares of both sides.
    pub fn loss(&self, d: &Tensor, expert: &[bool]) -> Tensor {
        let column = |of: &dyn Fn(bool) -> f64| {
            Tensor::with(expert.len(), 1, |x| x.iter_mut().zip(expert).for_each(|(x, &e)| *x = of(e) as f32))
        };
        match self.loss {
            LossKind::Logistic => {
                let cross_entropy = d.softplus() - d * column(&|e| f64::from(u8::from(e)));
                let entropy = d.softplus() - d.sigmoid() * d;
                (cross_entropy - entropy * self.entropy).mean()
            }
            LossKind::Squares => {
                let of = |side: bool| expert.iter().filter(|e| **e == side).count().max(1) as f64;
                let target = column(&|e| if e { 1.0 } else { -1.0 });
                ((d - target).square() * column(&|e| 1.0 / of(e))).sum()
            }
        }
    }
}

/// A discriminator, with its optimiser.
#[derive(Clone, Debug)]
pub struct Adversary {
    /// What is shown, and the loss.
    pub criterion: Criterion,
    /// The optimiser of the discriminator.
    pub optimiser: Adam,
    network: Discriminator,
}

impl Adversary {
    /// Makes an adversary with a new optimiser of the step size `lr`.
    pub fn new(network: Discriminator, criterion: Criterion, lr: f64) -> Self {
        Self { optimiser: Adam::new(&network, lr), criterion, network }
    }

    /// Returns the discriminator.
    pub fn network(&self) -> &Discriminator {
        &self.network
    }

    /// Returns the logits of the rows `shown`, [rows, 1].
    pub fn logits(&self, shown: &[f32]) -> Tensor {
        let n = self.criterion.entries();
        self.network.logits(&Tensor::new(shown.len() / n, n, shown))
    }

    /// Takes one step down the loss of the rows `shown`, of which those of the expert are true in `expert`, and returns
    /// the loss.
    pub fn fit(&mut self, shown: &[f32], expert: &[bool]) -> f64 {
        let loss = self.criterion.loss(&self.logits(shown), expert);
        let value = f64::from(loss.item());
        self.optimiser.minimize(&mut self.network, &loss);
        value
    }
}

impl State for Adversary {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { criterion: _, optimiser, network } = self;
        v.child("discriminator", network);
        v.child("discriminator_optimiser", optimiser);
    }
}
