//! Proximal policy optimisation over the extended action (Lemma A.1; the box is in the book).

use serde::{Deserialize, Serialize};

use super::gae::{explained_variance, gae, normalise};
use super::on_policy::{Gradients, deviations, fit_value, log_prob, log_probs, side_by_side, state_metrics};
use super::on_policy::{value_step, values};
use super::{Algorithm, GROUP, Mean, Metrics, Schedule, column};
use crate::data::Rollout;
use crate::nn::{Adam, Real, Tensor};
use crate::policy::{Critic, StatefulPolicy};
use crate::rng::Rng;
use crate::state::{State, Visitor};

/// The settings of PPO, with the values of the published HalfCheetah experiment as defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Transitions in an update, of all environments together.
    pub steps: usize,
    /// Passes of the policy over the transitions.
    pub epochs: usize,
    /// Passes of the value function over the transitions.
    pub value_epochs: usize,
    /// Transitions in a minibatch.
    pub minibatch: usize,
    /// Step size of the policy.
    pub lr: f64,
    /// Step size of the value function.
    pub value_lr: f64,
    /// Discount of future rewards.
    pub gamma: f64,
    /// Weight of longer advantages (GAE).
    pub lambda: f64,
    /// How far the ratio may move from 1.
    pub clip: f64,
    /// Weight of the entropy bonus.
    pub entropy: f64,
    /// Largest norm of a gradient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_grad_norm: Option<f64>,
    /// Whether the published error of PPO-BPTT is repeated, which multiplies every ratio with every advantage of the
    /// minibatch (D11). Set by the experiment's switches.
    #[serde(skip)]
    pub broadcast_bug: bool,
    /// Whether an update has figures of gradients and states. Set by the experiment.
    #[serde(skip)]
    pub diagnostics: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            steps: 2000,
            epochs: 10,
            value_epochs: 10,
            minibatch: 32,
            lr: 5e-5,
            value_lr: 5e-5,
            gamma: 0.99,
            lambda: 0.95,
            clip: 0.2,
            entropy: 0.0,
            max_grad_norm: None,
            broadcast_bug: false,
            diagnostics: false,
        }
    }
}

/// PPO: a policy, a value function, and their optimisers.
#[derive(Clone, Debug)]
pub struct Ppo<P, V> {
    policy: P,
    value: V,
    policy_optimiser: Adam,
    value_optimiser: Adam,
    settings: Settings,
    updates: usize,
    threads: usize,
}

/// Figures of one minibatch of the policy.
#[derive(Clone, Copy, Debug, Default)]
struct PolicyStep {
    loss: f64,
    kl: f64,
    clipped: f64,
    grad_norm: f64,
}

impl<P: StatefulPolicy, V: Critic> Ppo<P, V> {
    /// With fresh optimisers. Two threads fit policy and value side by side; the result is the same on one.
    pub fn new(policy: P, value: V, settings: Settings, threads: usize) -> Self {
        let mut policy_optimiser = Adam::new(&policy, settings.lr);
        let mut value_optimiser = Adam::new(&value, settings.value_lr);
        policy_optimiser.max_norm = settings.max_grad_norm;
        value_optimiser.max_norm = settings.max_grad_norm;
        Self { policy, value, policy_optimiser, value_optimiser, settings, updates: 0, threads }
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The value function.
    pub fn value(&self) -> &V {
        &self.value
    }

    /// V of every row, and of every row's true next context.
    pub fn values(&self, data: &Rollout) -> (Vec<f64>, Vec<f64>) {
        values(&self.value, data)
    }

    /// log pi(a, z' | x) of every row.
    pub fn log_probs(&self, data: &Rollout) -> Vec<f64> {
        log_probs(&self.policy, data)
    }

    /// log pi(a, z' | x) of some rows, [rows, 1].
    pub fn log_prob(&self, data: &Rollout, rows: &[usize]) -> Tensor {
        log_prob(&self.policy, data, rows)
    }

    /// One step of the value function on a minibatch; returns its loss.
    pub fn value_step(&mut self, data: &Rollout, targets: &[f64], rows: &[usize]) -> f64 {
        let Self { value, value_optimiser, .. } = self;
        value_step(value, value_optimiser, data, targets, rows)
    }

    /// One step of the policy on a minibatch; returns its loss.
    pub fn policy_step(&mut self, data: &Rollout, old: &[f64], advantages: &[f64], rows: &[usize]) -> f64 {
        let Self { policy, policy_optimiser, settings, .. } = self;
        policy_step(policy, policy_optimiser, settings, data, (old, advantages), rows).loss
    }

    /// The optimisers of policy and value.
    pub fn optimisers(&self) -> (&Adam, &Adam) {
        (&self.policy_optimiser, &self.value_optimiser)
    }
}

fn policy_step(
    policy: &mut impl StatefulPolicy,
    optimiser: &mut Adam,
    settings: &Settings,
    data: &Rollout,
    (old, advantages): (&[f64], &[f64]),
    rows: &[usize],
) -> PolicyStep {
    let dist = policy.dist(&data.context(rows));
    let log_prob = dist.log_prob(&data.extended(rows)).joint();
    let mut advantage = column(advantages, rows);
    if settings.broadcast_bug {
        // As a row, it meets every ratio with every advantage (D11).
        advantage = Tensor::new(1, rows.len(), advantage.data());
    }
    let mut loss = surrogate(&log_prob, &column(old, rows), &advantage, settings.clip);
    if settings.entropy != 0.0 {
        loss = loss - dist.entropy() * settings.entropy;
    }
    let mut step = PolicyStep { loss: loss.item() as f64, ..PolicyStep::default() };
    for (&k, &now) in rows.iter().zip(log_prob.data()) {
        let log_ratio = now as f64 - old[k];
        let ratio = log_ratio.exp();
        step.kl += (ratio - 1.0 - log_ratio) / rows.len() as f64;
        step.clipped += f64::from(u8::from((ratio - 1.0).abs() > settings.clip)) / rows.len() as f64;
    }
    step.grad_norm = optimiser.minimize(policy, &loss);
    step
}

/// -mean min(ρ A, clip(ρ, 1 - ε, 1 + ε) A) with ρ = exp(log_prob - old): the ratio prices a and z' together.
pub fn surrogate<T: Real>(log_prob: &Tensor<T>, old: &Tensor<T>, advantage: &Tensor<T>, clip: f64) -> Tensor<T> {
    let ratio = (log_prob - old).exp();
    let clipped = ratio.clip(1.0 - clip, 1.0 + clip);
    -(ratio * advantage).min(&(clipped * advantage)).mean()
}

impl<P: StatefulPolicy, V: Critic> Algorithm for Ppo<P, V> {
    type Policy = P;
    type Buffer = Rollout;

    fn policy(&self) -> &P {
        &self.policy
    }

    fn policy_mut(&mut self) -> &mut P {
        &mut self.policy
    }

    fn schedule(&self) -> Schedule {
        Schedule::OnPolicy { steps: self.settings.steps }
    }

    fn update(&mut self, rollout: &mut Rollout, rng: &mut Rng) -> Metrics {
        let rows = rollout.rows();
        let mut value_rng = rng.split();
        let mut policy_rng = rng.split();

        // 1. Value every context, and the true next context where a chain of rows ends.
        let (v, v_next) = self.values(rollout);
        // 2. Estimate advantages and value targets (GAE).
        let gae = gae(rollout, &v, &v_next, self.settings.gamma, self.settings.lambda);
        // 3. Normalise the advantages over the rollout.
        let mut advantages = gae.advantages;
        normalise(&mut advantages, &rows);
        // 4. Remember the log-density of every (a, z') under the policy that drew it.
        let old = self.log_probs(rollout);

        let data = &*rollout;
        let Self { policy, value, policy_optimiser, value_optimiser, settings, .. } = self;
        let s = &*settings;
        // 5. Fit the value function to its targets, in shuffled minibatches.
        let passes = (s.value_epochs, s.minibatch);
        let fit_value = || fit_value(value, value_optimiser, data, &gae.targets, passes, &mut value_rng);
        // 6. Improve the policy on the clipped ratio of (a, z'), in shuffled minibatches.
        let mut gradients = Gradients::default();
        let fit_policy = || {
            let mut steps: [Mean; 4] = Default::default();
            for epoch in 0..s.epochs {
                for rows in data.minibatches(s.minibatch, &mut policy_rng) {
                    let step = policy_step(policy, policy_optimiser, s, data, (&old, &advantages), &rows);
                    let figures = [step.loss, step.kl, step.clipped, step.grad_norm];
                    steps.iter_mut().zip(figures).for_each(|(mean, x)| mean.add(x));
                    if s.diagnostics && epoch == 0 {
                        gradients.add(policy_optimiser.gradient());
                    }
                }
            }
            steps.map(|m| m.get())
        };
        let (value_loss, [policy_loss, kl, clipped, grad_norm]) = side_by_side(self.threads, fit_value, fit_policy);

        self.updates += self.settings.epochs;
        let dist = self.policy.dist(&data.context(&rows[..1]));
        let entropy = dist.entropy().item() as f64;
        let mut metrics = vec![
            ("train/loss", policy_loss + value_loss),
            ("train/policy_gradient_loss", policy_loss),
            ("train/value_loss", value_loss),
            ("train/entropy_loss", -entropy),
            ("train/approx_kl", kl),
            ("train/clip_fraction", clipped),
            ("train/clip_range", self.settings.clip),
            ("train/explained_variance", explained_variance(&rows, &v, &gae.targets)),
            ("train/grad_norm", grad_norm),
            ("train/learning_rate", self.settings.lr),
            ("train/n_updates", self.updates as f64),
        ];
        metrics.extend(deviations(&dist));
        if self.settings.diagnostics {
            metrics.extend(gradients.metrics());
            let contexts = data.groups(GROUP).into_iter().map(|rows| data.context(&rows));
            metrics.extend(state_metrics(&self.policy, contexts).unwrap_or_default());
        }
        rollout.clear();
        metrics
    }
}

impl<P: StatefulPolicy, V: Critic> State for Ppo<P, V> {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { policy, value, policy_optimiser, value_optimiser, settings: _, updates, threads: _ } = self;
        v.child("policy", policy);
        v.child("value", value);
        v.child("policy_optimiser", policy_optimiser);
        v.child("value_optimiser", value_optimiser);
        v.count("updates", updates);
    }
}
