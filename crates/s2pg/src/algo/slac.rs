//! Stochastic latent actor-critic (SLAC; Lee et al., 2020), for observations that are vectors: a critic that reads what
//! a latent model infers, and a policy that reads the last observations and actions. The book has a page about it.

use super::figures::{diagnose, figures};
use super::latent::{Latent, Latents, Windows};
use super::off_policy::{Descended, Descent, PolicyStep, Workers, average, bellman, least};
use super::recipe::{Extent, Recipe, Row, filled};
use super::settings::settings;
use super::{Algorithm, Critics, Metrics, Noise, Progress, Schedule, Scheduled, Temperature};
use crate::data::Replay;
use crate::plan::{Plan, PlanError, Published};
use crate::policy::{Actor, Critic, LatentModel, LatentShape, Q, StatefulPolicy, View};
use crate::rng::Rng;
use crate::state::{State, Visitor};

settings! {
    /// The settings of SLAC. The defaults are those of its authors where these fit observations that are vectors.
    "slac" {
        /// Number of steps that the replay buffer keeps.
        replay: usize = 100_000, AtLeastOne;
        /// Number of windows in a batch of critics and policy.
        batch: usize = 256, AtLeastOne;
        /// Number of windows in a batch of the latent model.
        model_batch: usize = 32, AtLeastOne;
        /// Number of stored steps that must be exceeded before anything is learned.
        initial: usize = 10_000, NotNegative;
        /// Number of steps of the latent model alone, before anything else is learned; a hundred in an update.
        pretraining: usize = 10_000, NotNegative;
        /// Number of updates for each step of an environment.
        update_ratio: f64 = 1.0, PositiveUpTo(1000);
        /// Step size of the latent model.
        model_lr: Scheduled = Scheduled::Constant(1e-4), PositiveUpTo(1);
        /// Step size of the policy.
        lr: Scheduled = Scheduled::Constant(3e-4), PositiveUpTo(1);
        /// Step size of the critics.
        critic_lr: Scheduled = Scheduled::Constant(3e-4), PositiveUpTo(1);
        /// Discount factor γ of future rewards.
        gamma: f64 = 0.99, Fraction;
        /// Share of the way to the critics that the target networks go in an update.
        tau: f64 = 0.005, PositiveUpTo(1);
        /// Initial temperature α of the action.
        alpha: f64 = 1.0, PositiveUpTo(1_000_000);
        /// Step size of the logarithm of the action's temperature.
        alpha_lr: Scheduled = Scheduled::Constant(3e-4), PositiveUpTo(1);
        /// Wanted entropy of the action; minus the number of its entries where not given.
        #[serde(skip_serializing_if = "Option::is_none")]
        target_entropy: Option<f64> = None, Finite;
        /// Number of entries of the latent variable z¹, whose posterior sees the observation.
        z1: usize = 32, PositiveUpTo(65_536);
        /// Number of entries of the latent variable z², whose posterior is its prior.
        z2: usize = 256, PositiveUpTo(65_536);
        /// Width of the hidden layers of the latent model.
        model_features: usize = 256, PositiveUpTo(65_536);
        /// Variance of an entry of the observation around what the latent model says of it.
        variance: f64 = 0.1, PositiveUpTo(1_000_000);
    }
    planned {
        /// Whether an update returns figures of gradients as well. The experiment sets it.
        diagnostics: bool;
    }
}

/// Keys in which SLAC differs from the defaults of an experiment.
const BASE: &str = "network = { features = 256, critic_features = 256, std = 1.0 }";

/// Steps of the latent model in an update of the pre-training.
const TOGETHER: usize = 100;

impl Recipe for Settings {
    const ROWS: &'static [Row] = &[Row {
        name: "slac",
        about: "stochastic latent actor-critic, off-policy: the critic reads a learned latent state",
        base: |_| BASE.into(),
        published: Published::NOTHING,
    }];
    const ACTS_ON_HISTORY: bool = true;
    type Algorithm = Slac<Actor, Q>;

    fn schedule(&self) -> Schedule {
        Schedule::OffPolicy { initial: self.initial, ratio: self.update_ratio }
    }

    fn check(&self, _: &Row, run: Extent) -> Result<(), String> {
        self.limits()?;
        filled("slac", [self.replay, self.batch, self.initial], None, self.update_ratio, run)?;
        let updates = self.update_ratio * run.steps.saturating_sub(self.initial) as f64;
        if updates <= self.pretraining.div_ceil(TOGETHER) as f64 {
            return Err(format!(
                "`slac.pretraining` = {} steps of the model, {TOGETHER} in an update, take all updates of `steps` = {}: no \
                 policy would be learned; take more steps, or less of it",
                self.pretraining, run.steps
            ));
        }
        Ok(())
    }

    fn policy(&self, plan: &Plan) -> Result<Actor, PlanError> {
        plan.squashed_policy()
    }

    fn build(&self, _: &Row, plan: &Plan) -> Result<(Slac<Actor, Q>, Replay), PlanError> {
        if plan.critic == View::State {
            return Err(PlanError(
                "`critic` is \"state\", but the critic of slac reads what its model infers from observations; leave the \
                 key out"
                    .into(),
            ));
        }
        plan.check_entropies([("slac.target_entropy", self.target_entropy), ("", None)])?;
        let settings = Self { diagnostics: plan.diagnostics, ..self.clone() };
        let &Self { z1, z2, model_features: features, variance, model_batch, batch, .. } = self;
        let shape = LatentShape { o: plan.spec.o.len(), a: plan.actions(), z1, z2, features, variance };
        let model = plan.latent_model(&shape, [model_batch, batch], "slac")?;
        let critics = plan.latent_critics(2, model.latents());
        let replay = plan.replay(self.replay, "slac.replay")?;
        Ok((Slac::new((self.policy(plan)?, model, critics), plan.actions(), settings, plan.threads), replay))
    }
}

impl Settings {
    /// Returns the step sizes of the latent model, of policy, critics and α at `now`.
    fn step_sizes(&self, now: Progress) -> [f64; 4] {
        [self.model_lr, self.lr, self.critic_lr, self.alpha_lr].map(|x| x.at(now))
    }
}

/// SLAC: a latent model, a policy, two critics of latent states with their target networks, and all optimisers.
#[derive(Debug)]
pub struct Slac<P, Q> {
    policy: P,
    /// The latent model with its optimiser.
    pub latent: Latent,
    /// Both critics, with their target networks and optimisers.
    pub critics: Critics<Q>,
    /// The optimiser of the policy.
    pub descent: Descent,
    /// The temperature of the action.
    pub alpha: Temperature,
    settings: Settings,
    updates: usize,
    pretrained: usize,
    workers: Workers,
}

impl<P: StatefulPolicy, Q: Critic> Slac<P, Q> {
    /// Makes SLAC with new optimisers from a policy, a latent model and critics, for `n_a` entries of the action.
    pub fn new(
        (policy, model, critics): (P, LatentModel, Vec<Q>),
        n_a: usize,
        settings: Settings,
        threads: usize,
    ) -> Self {
        let s = &settings;
        let [model_lr, lr, critic_lr, alpha_lr] = s.step_sizes(Progress::START);
        Self {
            latent: Latent::new(model, model_lr, s.model_batch),
            descent: Descent::new(&policy, lr, s.batch),
            critics: Critics::new(critics, critic_lr, s.tau),
            alpha: Temperature::new(s.alpha, alpha_lr, s.target_entropy.unwrap_or(-(n_a as f64))),
            policy,
            settings,
            updates: 0,
            pretrained: 0,
            workers: Workers::new(threads.min(4)),
        }
    }

    /// Returns y = r + γ (1 − terminated) (min Q_target(z', a') − α log π(a' | x')) of the rows `rows`.
    pub fn target(&self, data: &Replay, rows: &[usize], z_next: &Latents, noise: &Noise) -> Vec<f32> {
        let alpha = self.alpha.value();
        bellman(data, rows, self.settings.gamma, &self.workers, |piece| {
            let dist = self.policy.dist(&data.next_context(piece.rows));
            let (u, log_prob) = dist.reparameterised(&noise.of(piece.samples.clone()));
            least(&self.critics.targets, &z_next.of(piece.samples), &u) - log_prob.a * alpha
        })
    }

    /// Takes one step of each critic down mean (Q(z, a) − y)², and returns loss and gradient norm of each.
    pub fn critic_step(&mut self, data: &Replay, rows: &[usize], z: &Latents, y: &[f32]) -> Vec<(f64, f64)> {
        self.critics.fit_shown(|| z.of(0..rows.len()), data, rows, y, &self.workers)
    }

    /// Takes one step of the policy down mean[α log π(a | x) − min Q(z, a)].
    pub fn policy_step(&mut self, data: &Replay, rows: &[usize], z: &Latents, noise: &Noise) -> PolicyStep {
        let (critics, alpha) = (&self.critics.online, self.alpha.value());
        let step = self.descent.descend(&mut self.policy, &[(data, rows)], &self.workers, |policy, piece| {
            let dist = policy.dist(&data.policy_context(piece.rows));
            let (u, log_prob) = dist.reparameterised(&noise.of(piece.samples.clone()));
            let q = least(critics, &z.of(piece.samples), &u);
            (&log_prob.a * alpha - &q, [Some(log_prob.a), Some(q)])
        });
        let Descended { loss, grad_norm, kept: [log_prob_a, q] } = step;
        PolicyStep { loss, grad_norm, log_prob_a, log_prob_z: Vec::new(), z: Vec::new(), q }
    }
}

impl<P: StatefulPolicy, Q: Critic> Algorithm for Slac<P, Q> {
    type Policy = P;
    type Buffer = Replay;

    fn policy(&self) -> &P {
        &self.policy
    }

    fn policy_mut(&mut self) -> &mut P {
        &mut self.policy
    }

    fn schedule(&self) -> Schedule {
        self.settings.schedule()
    }

    figures! {
        "train/actor_loss", "train/critic_loss", "train/q", "train/entropy", "train/ent_coef", "train/ent_coef_loss",
        "train/actor_grad_norm", "train/critic_grad_norm", "train/learning_rate", "train/n_updates", "model/loss",
        "model/observation_loss", "model/reward_loss", "model/divergence", "model/grad_norm",
    }

    fn set_progress(&mut self, now: Progress) {
        let [model_lr, lr, critic_lr, alpha_lr] = self.settings.step_sizes(now);
        self.latent.descent.optimiser.lr = model_lr;
        self.descent.optimiser.lr = lr;
        self.critics.set_lr(critic_lr);
        self.alpha.set_lr(alpha_lr);
    }

    fn update(&mut self, data: &mut Replay, rng: &mut Rng) -> Metrics {
        self.updates += 1;
        let Settings { batch, model_batch, pretraining, diagnostics, .. } = self.settings;
        let mean = |x: &[f32]| average(x.iter().map(|&x| f64::from(x)));
        let left = pretraining - self.pretrained;
        let mut metrics =
            vec![("train/n_updates", self.updates as f64), ("train/learning_rate", self.descent.optimiser.lr)];

        // 1. Draw windows of steps, and move the latent model up the evidence bound of what was seen and earned there;
        // in the pre-training a hundred times, and nothing else.
        let mut fit = Metrics::new();
        for _ in 0..left.clamp(1, TOGETHER) {
            let windows = Windows::draw(data, model_batch, rng);
            fit = self.latent.step(data, &windows, &self.workers);
        }
        metrics.extend(fit);
        if left > 0 {
            self.pretrained += left.min(TOGETHER);
            return metrics;
        }
        // 2. Draw other windows, and the latent states z and z' at both ends of their last steps from the model's
        // posterior.
        let windows = Windows::draw(data, batch, rng);
        let [z, z_next] = self.latent.ends(data, &windows, &self.workers);
        let rows = windows.rows;
        let noise = [(); 2].map(|_| Noise::draw(data, rows.len(), rng));
        // 3. Compute the targets y, with a' drawn from what the policy is shown after the step.
        let y = self.target(data, &rows, &z_next, &noise[0]);
        // 4. Fit both critics of latent states to them.
        let fits = self.critic_step(data, &rows, &z, &y);
        metrics.push(("train/critic_loss", average(fits.iter().map(|f| f.0))));
        metrics.push(("train/critic_grad_norm", average(fits.iter().map(|f| f.1))));
        // 5. Improve the policy: a is drawn anew from what it is shown, and the gradient goes through Q into it.
        let step = self.policy_step(data, &rows, &z, &noise[1]);
        if diagnostics {
            metrics.extend(diagnose(&self.policy, &[(&*data, &rows)], &self.descent.gradients));
        }
        metrics.extend([("train/actor_loss", step.loss), ("train/actor_grad_norm", step.grad_norm)]);
        metrics.extend([("train/q", mean(&step.q)), ("train/entropy", -mean(&step.log_prob_a))]);
        // 6. Move the temperature towards the wanted entropy.
        let loss = self.alpha.step(&step.log_prob_a);
        metrics.extend([("train/ent_coef", self.alpha.value()), ("train/ent_coef_loss", loss)]);
        // 7. Let the target networks follow.
        self.critics.follow(&self.workers);
        metrics
    }
}

impl<P: StatefulPolicy, Q: Critic> State for Slac<P, Q> {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { policy, latent, critics, descent, alpha, settings: _, updates, pretrained, workers: _ } = self;
        v.child("policy", policy);
        latent.visit(v);
        critics.visit(v);
        v.child("policy_optimiser", &mut descent.optimiser);
        v.child("alpha", alpha);
        v.count("updates", updates);
        v.count("pretrained", pretrained);
    }
}
