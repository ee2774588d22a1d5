//! Distillation: a policy learns to act as a teacher would that may see more, in the states into which it brings itself
//! (DAgger), beside reinforcement learning or before it. The book has a page about it.

use super::figures::Mean;
use super::pair::ClipState;
use super::recipe::{Extent, Recipe, Row, shared, within};
use super::settings::settings;
use super::{Algorithm, Metrics, Ppo, Progress, Schedule, Scheduled, ppo};
use crate::data::Rollout;
use crate::nn::{Adam, Tensor};
use crate::plan::{Plan, PlanError, Published};
use crate::policy::{Actor, Critic, StatefulPolicy, Value};
use crate::rng::Rng;
use crate::state::{State, Visitor};

settings! {
    /// The settings of distillation.
    "distil" {
        /// Directory of the run whose policy is the teacher; it must be set for a training.
        teacher: String = String::new(), Any;
        /// Step size with which the means of the actions move towards the teacher's. With a schedule that falls to 0,
        /// what follows is reinforcement learning.
        imitation_lr: Scheduled = Scheduled::Constant(1e-3), PositiveUpTo(1);
        /// Number of passes over the transitions in which they do.
        imitation_epochs: usize = 5, AtLeastOne;
        /// Weight of the reward for acting like the teacher, which teaches a state that is drawn.
        likeness: Scheduled = Scheduled::Constant(1.0), NotNegative;
        /// Weight of the task's own reward.
        task: Scheduled = Scheduled::Constant(0.0), NotNegative;
        /// Number of transitions in an update, of all environments together.
        steps: usize = 2000, AtLeastTwo;
        /// Number of passes of PPO's policy over the transitions.
        epochs: usize = 10, AtLeastOne;
        /// Number of passes of the value function over the transitions.
        value_epochs: usize = 10, AtLeastOne;
        /// Number of transitions in a minibatch.
        minibatch: usize = 64, AtLeastOne;
        /// Step size of PPO's policy.
        lr: Scheduled = Scheduled::Constant(3e-4), PositiveUpTo(1);
        /// Step size of the value function.
        value_lr: Scheduled = Scheduled::Constant(3e-4), PositiveUpTo(1);
        /// Discount factor γ of future rewards.
        gamma: f64 = 0.99, Fraction;
        /// Weight λ of advantages over more steps (GAE).
        lambda: f64 = 0.95, Fraction;
        /// How far the density ratio may move from 1 before it is clipped.
        clip: f64 = 0.2, Positive;
        /// How the ratio of z' is clipped, as for PPO.
        clip_state: ClipState = ClipState::Joint, Positive;
        /// Whether z' is weighed with the part of the advantage that the draw of z' decides, as for PPO.
        state_advantage: bool = false, Any;
        /// Largest norm of a gradient; a longer gradient is scaled down. There is no limit where not given.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_grad_norm: Option<f64> = None, Positive;
    }
    planned {
        /// Whether an update returns figures of gradients and states. The experiment sets it.
        diagnostics: bool;
    }
}

/// Keys in which distillation differs from the defaults of an experiment.
const BASE: &str = "network = { value_gain = 1.0 }\n";

impl Recipe for Settings {
    const ROWS: &'static [Row] = &[Row {
        name: "distil",
        about: "distillation of a teacher that may see more (DAgger), on-policy, beside PPO",
        base: |_| BASE.into(),
        published: Published::ON_POLICY,
    }];
    type Algorithm = Distil<Actor, Value>;

    fn schedule(&self) -> Schedule {
        Schedule::OnPolicy { steps: self.steps }
    }

    fn check(&self, _: &Row, run: Extent) -> Result<(), String> {
        self.limits()?;
        within("distil", self.minibatch, self.steps)?;
        if self.state_advantage && self.clip_state == ClipState::Joint {
            let what = "which needs a `distil.clip_state` of its own, such as 0.2";
            return Err(format!("`distil.state_advantage` is true, {what}"));
        }
        shared("distil.steps", self.steps, "transitions", run)
    }

    fn policy(&self, plan: &Plan) -> Result<Actor, PlanError> {
        Ok(plan.gaussian_policy())
    }

    fn build(&self, _: &Row, plan: &Plan) -> Result<(Distil<Actor, Value>, Rollout), PlanError> {
        let settings = Self { diagnostics: plan.diagnostics, ..self.clone() };
        let rollout = plan.rollout_with_advice(self.steps, "distil.steps")?;
        if self.teacher.is_empty() {
            let what = "there is nobody to learn from without one; train an oracle, and give the directory of its run";
            return Err(PlanError(format!("`distil.teacher` names no run, and {what}")));
        }
        Ok((Distil::new(self.policy(plan)?, plan.value(), settings, plan.threads), rollout))
    }
}

impl Settings {
    /// Returns the settings of PPO.
    fn ppo(&self) -> ppo::Settings {
        let Self { steps, epochs, value_epochs, minibatch, lr, value_lr, gamma, lambda, clip, clip_state, .. } = *self;
        let Self { state_advantage, max_grad_norm, diagnostics, .. } = *self;
        let sizes = ppo::Settings { steps, epochs, value_epochs, minibatch, diagnostics, ..Default::default() };
        ppo::Settings { lr, value_lr, gamma, lambda, clip, clip_state, state_advantage, max_grad_norm, ..sizes }
    }
}

/// Distillation: PPO, and a second optimiser of its policy.
#[derive(Clone, Debug)]
pub struct Distil<P, V> {
    /// What improves the policy on rewards.
    pub ppo: Ppo<P, V>,
    imitation: Adam,
    settings: Settings,
    /// The weights of likeness and task in the next update.
    weights: [f64; 2],
}

impl<P: StatefulPolicy, V: Critic> Distil<P, V> {
    /// Makes distillation with new optimisers, from a policy and a value function.
    pub fn new(policy: P, value: V, settings: Settings, threads: usize) -> Self {
        let mut imitation = Adam::new(&policy, settings.imitation_lr.at(Progress::START));
        imitation.max_norm = settings.max_grad_norm;
        let weights = [settings.likeness, settings.task].map(|x| x.at(Progress::START));
        Self { ppo: Ppo::new(policy, value, settings.ppo(), threads), imitation, settings, weights }
    }
}

/// Returns the mean squared distance of the means of the policy's actions in the rows `rows` from the teacher's
/// actions.
fn distance(policy: &impl StatefulPolicy, data: &Rollout, rows: &[usize]) -> Tensor {
    (policy.dist(&data.policy_context(rows)).a.mean - data.advice(rows)).square().mean()
}

impl<P: StatefulPolicy, V: Critic> Algorithm for Distil<P, V> {
    type Policy = P;
    type Buffer = Rollout;

    fn policy(&self) -> &P {
        self.ppo.policy()
    }

    fn policy_mut(&mut self) -> &mut P {
        self.ppo.policy_mut()
    }

    fn schedule(&self) -> Schedule {
        self.settings.schedule()
    }

    fn set_progress(&mut self, now: Progress) {
        self.ppo.set_progress(now);
        self.imitation.lr = self.settings.imitation_lr.at(now);
        self.weights = [self.settings.likeness, self.settings.task].map(|x| x.at(now));
    }

    fn update(&mut self, rollout: &mut Rollout, rng: &mut Rng) -> Metrics {
        let (rows, mut imitation_rng) = (rollout.rows(), rng.split());
        let [likeness, task] = self.weights;

        // 1. Reward every action by how near it is to the teacher's, beside the reward of the task.
        let (advice, mut r, mut unlike) = (rollout.advice(&rows), rollout.r().to_vec(), Mean::default());
        for (&k, wanted) in rows.iter().zip(advice.data().chunks_exact(advice.cols())) {
            let [_, _, a, _, _] = rollout.step(k);
            let squares: f64 = a.iter().zip(wanted).map(|(a, b)| f64::from(a - b).powi(2)).sum();
            unlike.add(squares / a.len() as f64);
            r[k] = task * r[k] - likeness * squares / a.len() as f64;
        }
        rollout.set_r(&r);
        let data = rollout.clone();
        // 2. Improve value function and policy with these rewards, by an update of PPO.
        let mut metrics = self.ppo.update(rollout, rng);
        // 3. Move the means of the actions towards the teacher's, in shuffled minibatches.
        let (mut losses, s) = (Mean::default(), &self.settings);
        for _ in 0..if self.imitation.lr > 0.0 { s.imitation_epochs } else { 0 } {
            for rows in data.policy_minibatches(s.minibatch, &mut imitation_rng) {
                let loss = distance(self.ppo.policy(), &data, &rows);
                losses.add(f64::from(loss.item()));
                self.imitation.minimize(self.ppo.policy_mut(), &loss);
            }
        }
        metrics.push(("distil/loss", losses.get()));
        metrics.push(("distil/distance", unlike.get()));
        metrics
    }
}

impl<P: StatefulPolicy, V: Critic> State for Distil<P, V> {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { ppo, imitation, settings: _, weights: _ } = self;
        ppo.visit(v);
        v.child("imitation_optimiser", imitation);
    }
}
