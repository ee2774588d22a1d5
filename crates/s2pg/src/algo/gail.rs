//! Generative adversarial imitation learning (GAIL): PPO, whose reward is what a discriminator takes for the expert's.
//! The book has a page about it.

use super::adversary::{Adversary, Criterion, Inputs, LossKind};
use super::recipe::{Extent, Recipe, Row, shared, within};
use super::settings::settings;
use super::{Algorithm, Metrics, Ppo, Progress, Schedule, Scheduled, ppo};
use crate::data::{Demos, Rollout};
use crate::nn::Tensor;
use crate::plan::{Plan, PlanError, Published};
use crate::policy::{Actor, Critic, Discriminator, StatefulPolicy, Value, View};
use crate::rng::Rng;
use crate::state::{State, Visitor};

settings! {
    /// The settings of GAIL, with the values of the published GAIL-RS as defaults.
    "gail" {
        /// File of the demonstrations, an `.npz` archive such as `s2pg record` writes; it must be set for a training.
        demos: String = String::new(), Any;
        /// What the discriminator is shown of a step: `actions` is a state and the action, `next` a state and the next
        /// one, for demonstrations without actions, `states` a state alone.
        discriminator_inputs: Inputs = Inputs::Actions, Any;
        /// The view of the world that the discriminator is shown.
        discriminator_view: View = View::State, Any;
        /// The loss of the discriminator: `logistic` as published, or `squares`, least squares as in AMP.
        discriminator_loss: LossKind = LossKind::Logistic, Any;
        /// Weight of the discriminator's reward.
        style: f64 = 1.0, NotNegative;
        /// Weight of the task's own reward.
        task: f64 = 0.0, NotNegative;
        /// Step size of the discriminator.
        discriminator_lr: Scheduled = Scheduled::Constant(3e-4), PositiveUpTo(1);
        /// Number of updates from one training of the discriminator to the next.
        discriminator_every: usize = 3, AtLeastOne;
        /// Number of steps in a minibatch of the discriminator, the policy's and the expert's together.
        discriminator_minibatch: usize = 2000, AtLeastOne;
        /// Width of the discriminator's first hidden layer; the second is half as wide.
        discriminator_features: usize = 512, AtLeastOne;
        /// Weight of the bonus on the entropy of the discriminator's output; `squares` has no such bonus.
        discriminator_entropy: f64 = 1e-3, NotNegative;
        /// Number of transitions in an update, of all environments together.
        steps: usize = 1000, AtLeastTwo;
        /// Number of passes of the policy over the transitions.
        epochs: usize = 10, AtLeastOne;
        /// Number of passes of the value function over the transitions.
        value_epochs: usize = 10, AtLeastOne;
        /// Number of transitions in a minibatch of policy and value function.
        minibatch: usize = 32, AtLeastOne;
        /// Step size of the policy.
        lr: Scheduled = Scheduled::Constant(1e-4), PositiveUpTo(1);
        /// Step size of the value function.
        value_lr: Scheduled = Scheduled::Constant(1e-4), PositiveUpTo(1);
        /// Discount factor γ of future rewards.
        gamma: f64 = 0.99, Fraction;
        /// Weight λ of advantages over more steps (GAE).
        lambda: f64 = 0.95, Fraction;
        /// How far the density ratio may move from 1 before it is clipped.
        clip: f64 = 0.2, Positive;
        /// Weight of the entropy bonus.
        entropy: Scheduled = Scheduled::Constant(0.0), NotNegative;
        /// Largest norm of a gradient of policy and value function; a longer gradient is scaled down. There is no limit
        /// where not given.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_grad_norm: Option<f64> = None, Positive;
        /// The divergence near which an update should end, as for PPO. There is no limit where not given.
        #[serde(skip_serializing_if = "Option::is_none")]
        target_kl: Option<f64> = None, Positive;
    }
    planned {
        /// Whether an update returns figures of gradients and states. The experiment sets it.
        diagnostics: bool;
    }
}

/// Keys in which the published runs of GAIL differ from the defaults of an experiment.
const BASE: &str = "critic = \"state\"\nnetwork = { hidden = 32, critic_reads_a_prev = false }\n";

impl Recipe for Settings {
    const ROWS: &'static [Row] = &[Row {
        name: "gail",
        about: "generative adversarial imitation learning, on-policy, with PPO",
        base: |_| BASE.into(),
        published: Published::ON_POLICY,
    }];
    type Algorithm = Gail<Actor, Value>;

    fn schedule(&self) -> Schedule {
        Schedule::OnPolicy { steps: self.steps }
    }

    fn check(&self, _: &Row, run: Extent) -> Result<(), String> {
        self.limits()?;
        within("gail", self.minibatch, self.steps)?;
        shared("gail.steps", self.steps, "transitions", run)
    }

    fn policy(&self, plan: &Plan) -> Result<Actor, PlanError> {
        Ok(plan.gaussian_policy())
    }

    fn build(&self, _: &Row, plan: &Plan) -> Result<(Gail<Actor, Value>, Rollout), PlanError> {
        let settings = Self { diagnostics: plan.diagnostics, ..self.clone() };
        let rollout = plan.rollout_with_state(self.steps, "gail.steps")?;
        let demos = plan.demos(&self.demos, "gail.demos")?;
        if self.discriminator_inputs == Inputs::Actions && demos.a.is_none() {
            return Err(PlanError(format!(
                "`gail.demos`: {} has no array `actions`, and `gail.discriminator_inputs` is \"actions\"; take \"next\" or \"states\"",
                self.demos
            )));
        }
        let inputs = settings.criterion(demos.sizes).entries();
        let d = plan.discriminator(inputs, self.discriminator_features, "gail.discriminator_features")?;
        let networks = (self.policy(plan)?, plan.value(), d);
        Ok((Gail::new(networks, demos, settings, plan.threads), rollout))
    }
}

impl Settings {
    /// Returns the settings of PPO.
    fn ppo(&self) -> ppo::Settings {
        let Self { steps, epochs, value_epochs, minibatch, lr, value_lr, gamma, lambda, clip, entropy, .. } = *self;
        let Self { max_grad_norm, target_kl, diagnostics, .. } = *self;
        let of_ppo =
            ppo::Settings { steps, epochs, value_epochs, minibatch, lr, value_lr, gamma, lambda, ..Default::default() };
        ppo::Settings { clip, entropy, max_grad_norm, target_kl, diagnostics, ..of_ppo }
    }

    /// Returns what the discriminator is shown, and its loss, where o, s and a have the entries `sizes`.
    pub fn criterion(&self, sizes: [usize; 3]) -> Criterion {
        let Self { discriminator_inputs: inputs, discriminator_view: view, discriminator_loss: loss, .. } = *self;
        Criterion { inputs, view, loss, entropy: self.discriminator_entropy, sizes }
    }
}

/// GAIL: PPO, a discriminator, and the demonstrations.
#[derive(Clone, Debug)]
pub struct Gail<P, V> {
    /// What improves the policy.
    pub ppo: Ppo<P, V>,
    /// The discriminator, whose output rewards the policy.
    pub adversary: Adversary,
    demos: Demos,
    settings: Settings,
    updates: usize,
}

impl<P: StatefulPolicy, V: Critic> Gail<P, V> {
    /// Makes GAIL with new optimisers, from a policy, a value function and a discriminator.
    pub fn new((policy, value, d): (P, V, Discriminator), demos: Demos, settings: Settings, threads: usize) -> Self {
        let adversary =
            Adversary::new(d, settings.criterion(demos.sizes), settings.discriminator_lr.at(Progress::START));
        let ppo = Ppo::new(policy, value, settings.ppo(), threads);
        Self { ppo, adversary, demos, settings, updates: 0 }
    }
}

impl<P: StatefulPolicy, V: Critic> Algorithm for Gail<P, V> {
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
        self.adversary.optimiser.lr = self.settings.discriminator_lr.at(now);
    }

    fn update(&mut self, rollout: &mut Rollout, rng: &mut Rng) -> Metrics {
        let (rows, criterion, mut discriminator_rng) = (rollout.rows(), self.adversary.criterion, rng.split());
        let (n, inputs) = (rows.len(), criterion.entries());
        let mean = |x: &[f32]| x.iter().map(|&x| f64::from(x)).sum::<f64>() / x.len() as f64;

        // 1. Let the discriminator judge every step, and reward the policy for what looks like the expert's.
        let mut shown = criterion.of_policy(rollout, &rows);
        let d = self.adversary.logits(&shown);
        let (mut r, mut style) = (rollout.r().to_vec(), 0.0);
        for (&k, &d) in rows.iter().zip(d.data()) {
            let of_style = criterion.reward(f64::from(d));
            style += of_style / n as f64;
            r[k] = self.settings.style * of_style + self.settings.task * r[k];
        }
        rollout.set_r(&r);
        // 2. Draw as many steps of the expert, and standardise them as the policy's are.
        let drawn: Vec<usize> = rows.iter().map(|_| discriminator_rng.below(self.demos.len())).collect();
        let of_expert = criterion.of_expert(&self.demos, rollout, &drawn);
        let d_expert = self.adversary.logits(&of_expert);
        // 3. Improve value function and policy with these rewards, by an update of PPO.
        let mut metrics = self.ppo.update(rollout, rng);
        // 4. In every few updates, fit the discriminator to tell both apart, in shuffled minibatches.
        self.updates += 1;
        shown.extend(of_expert);
        if (self.updates + 1).is_multiple_of(self.settings.discriminator_every) {
            let mut order: Vec<usize> = (0..2 * n).collect();
            discriminator_rng.shuffle(&mut order);
            for rows in order.chunks(self.settings.discriminator_minibatch) {
                let x: Vec<f32> = rows.iter().flat_map(|i| &shown[i * inputs..(i + 1) * inputs]).copied().collect();
                let expert: Vec<bool> = rows.iter().map(|&i| i >= n).collect();
                self.adversary.fit(&x, &expert);
            }
        }
        let expert: Vec<bool> = (0..2 * n).map(|i| i >= n).collect();
        metrics
            .push(("discriminator/loss", f64::from(criterion.loss(&Tensor::stack(&[&d, &d_expert]), &expert).item())));
        metrics.push(("discriminator/logit_policy", mean(d.data())));
        metrics.push(("discriminator/logit_expert", mean(d_expert.data())));
        metrics.push(("discriminator/reward", style));
        metrics
    }
}

impl<P: StatefulPolicy, V: Critic> State for Gail<P, V> {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { ppo, adversary, demos: _, settings: _, updates } = self;
        ppo.visit(v);
        adversary.visit(v);
        v.count("updates_of_gail", updates);
    }
}
