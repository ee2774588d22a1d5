//! Proximal policy optimisation (PPO) over the extended action (Lemma A.1 of the paper). The book has a page about it.

use super::figures::{Gradients, Mean, deviations, state_metrics};
use super::gae::{explained_variance, gae, normalise};
use super::on_policy::{GROUP, column, fit_value, side_by_side, value_step, values};
use super::pair::{self, ClipState, Loss, Old, state_advantages};
use super::recipe::{Extent, Recipe, Row, shared, within};
use super::settings::settings;
use super::{Algorithm, Metrics, Progress, Schedule, Scheduled};
use crate::data::Rollout;
use crate::nn::{Adam, Tensor};
use crate::plan::{Plan, PlanError, Published};
use crate::policy::{Actor, Context, Critic, StatefulPolicy, Value};
use crate::rng::Rng;
use crate::state::{State, Visitor};

settings! {
    /// The settings of PPO, with the values of the published HalfCheetah experiment as defaults.
    "ppo" {
        /// Number of transitions in an update, of all environments together.
        steps: usize = 2000, AtLeastTwo;
        /// Number of passes of the policy over the transitions.
        epochs: usize = 10, AtLeastOne;
        /// Number of passes of the value function over the transitions.
        value_epochs: usize = 10, AtLeastOne;
        /// Number of transitions in a minibatch.
        minibatch: usize = 32, AtLeastOne;
        /// Step size of the policy.
        lr: Scheduled = Scheduled::Constant(5e-5), PositiveUpTo(1);
        /// Step size of the value function.
        value_lr: Scheduled = Scheduled::Constant(5e-5), PositiveUpTo(1);
        /// Discount factor γ of future rewards.
        gamma: f64 = 0.99, Fraction;
        /// Weight λ of advantages over more steps (GAE).
        lambda: f64 = 0.95, Fraction;
        /// How far the density ratio may move from 1 before it is clipped.
        clip: f64 = 0.2, Positive;
        /// How the ratio of z' is clipped: `joint` clips the ratio of (a, z') as one, as published; with a number, the
        /// ratios of a and z' are clipped each on its own, and z' may move this far from 1.
        clip_state: ClipState = ClipState::Joint, Positive;
        /// Whether z' is weighed with the part of the advantage that the draw of z' decides, rather than with the
        /// advantage of the step. It needs a `clip_state` of its own.
        state_advantage: bool = false, Any;
        /// Weight of the entropy bonus.
        entropy: Scheduled = Scheduled::Constant(0.0), NotNegative;
        /// The divergence of z' in an update near which the deviations of z' are held: they grow after an update with
        /// more than twice as much, and shrink after one with less than half. They are not adapted where not given.
        #[serde(skip_serializing_if = "Option::is_none")]
        state_kl: Option<f64> = None, Positive;
        /// Largest norm of a gradient; a longer gradient is scaled down. There is no limit where not given.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_grad_norm: Option<f64> = None, Positive;
        /// The divergence near which an update should end: no step is taken on a minibatch whose approximate divergence
        /// is above 1.5 times this number, nor any later step of the update. There is no limit where not given.
        #[serde(skip_serializing_if = "Option::is_none")]
        target_kl: Option<f64> = None, Positive;
    }
    planned {
        /// Whether the published error of PPO-BPTT is repeated, which multiplies every ratio with every advantage of
        /// the minibatch (D11). The switches of the experiment set it.
        broadcast_bug: bool;
        /// Whether an update returns figures of gradients and states. The experiment sets it.
        diagnostics: bool;
    }
}

impl Recipe for Settings {
    const ROWS: &'static [Row] = &[Row {
        name: "ppo",
        about: "proximal policy optimisation, on-policy",
        base: |_| String::new(),
        published: Published::ON_POLICY,
    }];
    type Algorithm = Ppo<Actor, Value>;

    fn schedule(&self) -> Schedule {
        Schedule::OnPolicy { steps: self.steps }
    }

    fn check(&self, _: &Row, run: Extent) -> Result<(), String> {
        self.limits()?;
        within("ppo", self.minibatch, self.steps)?;
        if self.state_advantage && self.clip_state == ClipState::Joint {
            return Err("`ppo.state_advantage` is true, which needs a `ppo.clip_state` of its own, such as 0.2".into());
        }
        shared("ppo.steps", self.steps, "transitions", run)
    }

    fn policy(&self, plan: &Plan) -> Result<Actor, PlanError> {
        Ok(plan.gaussian_policy())
    }

    fn build(&self, _: &Row, plan: &Plan) -> Result<(Ppo<Actor, Value>, Rollout), PlanError> {
        let (broadcast_bug, diagnostics) = (plan.broadcasts_advantages(), plan.diagnostics);
        let settings = Self { broadcast_bug, diagnostics, ..self.clone() };
        let algorithm = Ppo::new(self.policy(plan)?, plan.value(), settings, plan.threads);
        Ok((algorithm, plan.rollout(self.steps, "ppo.steps")?))
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
    /// The weight of the entropy bonus in the next update.
    entropy: f64,
    updates: usize,
    threads: usize,
}

/// Figures of a step of the policy: the loss, the norm of the gradient, the divergences of (a, z'), of a and of z', and
/// the shares of ratios that are clipped, of (a, z') or a, and of z' where it has a clip of its own.
type Figures = [f64; 7];

impl<P: StatefulPolicy, V: Critic> Ppo<P, V> {
    /// Makes PPO with new optimisers. Where `threads` is at least 2, policy and value function are fitted side by side;
    /// the result is the same on one thread.
    pub fn new(policy: P, value: V, settings: Settings, threads: usize) -> Self {
        let [lr, value_lr, entropy] = [settings.lr, settings.value_lr, settings.entropy].map(|x| x.at(Progress::START));
        let (mut policy_optimiser, mut value_optimiser) = (Adam::new(&policy, lr), Adam::new(&value, value_lr));
        policy_optimiser.max_norm = settings.max_grad_norm;
        value_optimiser.max_norm = settings.max_grad_norm;
        Self { policy, value, policy_optimiser, value_optimiser, settings, entropy, updates: 0, threads }
    }

    /// Returns the settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns the value function.
    pub fn value(&self) -> &V {
        &self.value
    }

    /// Takes one step of the value function on the minibatch `rows`, and returns the loss.
    pub fn value_step(&mut self, data: &Rollout, targets: &[f64], rows: &[usize]) -> f64 {
        let Self { value, value_optimiser, .. } = self;
        value_step(value, value_optimiser, data, targets, rows)
    }

    /// Takes one step of the policy on the minibatch `rows`, and returns the loss. `old` holds the log-densities of
    /// every row before the update. z' is weighed with `advantages` too.
    pub fn policy_step(&mut self, data: &Rollout, old: &Old, advantages: &[f64], rows: &[usize]) -> f64 {
        let Self { policy, policy_optimiser, settings, entropy, .. } = self;
        let advantages = [advantages, advantages];
        policy_step(policy, policy_optimiser, (settings, *entropy), data, (old, advantages), rows).0[0]
    }

    /// Returns the optimisers of the policy and of the value function.
    pub fn optimisers(&self) -> (&Adam, &Adam) {
        (&self.policy_optimiser, &self.value_optimiser)
    }
}

/// Takes one step of the policy on the minibatch `rows`, and tells whether the divergence was small enough to take it.
fn policy_step(
    policy: &mut impl StatefulPolicy,
    optimiser: &mut Adam,
    (settings, entropy): (&Settings, f64),
    data: &Rollout,
    (old, [advantages, of_state]): (&Old, [&[f64]; 2]),
    rows: &[usize],
) -> (Figures, bool) {
    let dist = policy.dist(&data.policy_context(rows));
    let mut advantage = column(advantages, rows);
    if settings.broadcast_bug {
        // As a row, the advantages are multiplied with the column of ratios, every one with every other (D11).
        advantage = Tensor::new(1, rows.len(), advantage.data());
    }
    let (u, clips) = (data.extended(rows), (settings.clip, settings.clip_state));
    let Loss { mut loss, moved: [kl, kl_a, kl_z], clipped: [clipped, clipped_z], farthest } =
        pair::loss((&dist, &u), (old, rows), (&advantage, of_state), clips);
    if entropy != 0.0 {
        loss = loss - dist.entropy() * entropy;
    }
    let value = loss.item() as f64;
    let is_taken = settings.target_kl.is_none_or(|target| farthest <= 1.5 * target);
    let grad_norm = if is_taken { optimiser.minimize(policy, &loss) } else { 0.0 };
    ([value, grad_norm, kl, kl_a, kl_z, clipped, clipped_z], is_taken)
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
        self.settings.schedule()
    }

    fn set_progress(&mut self, now: Progress) {
        self.policy_optimiser.lr = self.settings.lr.at(now);
        self.value_optimiser.lr = self.settings.value_lr.at(now);
        self.entropy = self.settings.entropy.at(now);
    }

    fn update(&mut self, rollout: &mut Rollout, rng: &mut Rng) -> Metrics {
        let rows = rollout.rows();
        let (mut value_rng, mut policy_rng) = (rng.split(), rng.split());

        // 1. Value every context, and the true next context where a chain of rows ends.
        let (v, v_next) = values(&self.value, rollout);
        // 2. Estimate advantages and value targets (GAE).
        let Settings { gamma, lambda, state_advantage, .. } = self.settings;
        let gae = gae(rollout, &v, &v_next, gamma, lambda);
        // 3. Normalise the advantages over the rollout.
        let mut advantages = gae.advantages;
        let networks = (&self.policy, &self.value);
        let of_state = || state_advantages(networks, rollout, (&v_next, &advantages), (gamma, lambda));
        let of_state = state_advantage.then(of_state);
        let scale = normalise(&mut advantages, &rows);
        let of_state = of_state.map_or(advantages.clone(), |own| own.iter().map(|a| a / scale).collect());
        // 4. Remember the log-density of every (a, z') under the policy that drew it.
        let old = Old::of(&self.policy, rollout);

        let Self { policy, value, policy_optimiser, value_optimiser, settings, entropy, .. } = self;
        let (data, s, entropy) = (&*rollout, &*settings, *entropy);
        // 5. Fit the value function to its targets, in shuffled minibatches.
        let passes = (s.value_epochs, s.minibatch);
        let fit_value = || fit_value(value, value_optimiser, data, &gae.targets, passes, &mut value_rng);
        // 6. Improve the policy on the clipped ratio of (a, z'), in shuffled minibatches.
        let mut gradients = Gradients::default();
        let fit_policy = || {
            let mut means: [Mean; 7] = Default::default();
            let mut passes = 0;
            'passes: while passes < s.epochs {
                passes += 1;
                for rows in data.policy_minibatches(s.minibatch, &mut policy_rng) {
                    let advantages = [&advantages[..], &of_state];
                    let (figures, is_taken) =
                        policy_step(policy, policy_optimiser, (s, entropy), data, (&old, advantages), &rows);
                    if !is_taken {
                        break 'passes;
                    }
                    means.iter_mut().zip(figures).for_each(|(mean, x)| mean.add(x));
                    if s.diagnostics && passes == 1 {
                        gradients.add(policy_optimiser.gradient());
                    }
                }
            }
            (means.map(|m| m.get()), passes)
        };
        let (value_loss, (figures, passes)) = side_by_side(self.threads, fit_value, fit_policy);
        let [policy_loss, grad_norm, kl, kl_a, kl_z, clipped, clipped_z] = figures;

        self.policy.scale_state_std(pair::widening(kl_z, self.settings.state_kl));
        self.updates += passes;
        let dist = self.policy.dist(&Context { drawn: None, ..data.policy_context(&rows[..1]) });
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
            ("train/learning_rate", self.policy_optimiser.lr),
            ("train/n_updates", self.updates as f64),
        ];
        metrics.extend(deviations(&dist));
        if dist.z.is_some() {
            metrics.extend([("train/approx_kl_action", kl_a), ("train/approx_kl_state", kl_z)]);
            metrics.push(("train/clip_fraction_state", clipped_z));
        }
        if self.settings.diagnostics {
            metrics.extend(gradients.metrics());
            let contexts = data.policy_groups(GROUP).into_iter().map(|rows| data.policy_context(&rows));
            metrics.extend(state_metrics(&self.policy, contexts).unwrap_or_default());
        }
        rollout.clear();
        metrics
    }
}

impl<P: StatefulPolicy, V: Critic> State for Ppo<P, V> {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { policy, value, policy_optimiser, value_optimiser, settings: _, entropy: _, updates, threads: _ } =
            self;
        v.child("policy", policy);
        v.child("value", value);
        v.child("policy_optimiser", policy_optimiser);
        v.child("value_optimiser", value_optimiser);
        v.count("updates", updates);
    }
}
