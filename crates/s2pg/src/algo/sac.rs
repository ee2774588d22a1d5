//! Soft actor-critic (SAC) over the extended action (Algorithm 2 of the paper). The book has a page about it.

use super::figures::{diagnose, figures};
use super::off_policy::{Descended, Descent, PolicyStep, Workers, average, bellman, least};
use super::recipe::{Extent, Recipe, Row, filling};
use super::settings::settings;
use super::{Algorithm, Critics, Metrics, Noise, Progress, Schedule, Scheduled, Temperature};
use crate::data::{Buffer, Replay};
use crate::plan::{Plan, PlanError, Published};
use crate::policy::{Actor, Critic, Q, StatefulPolicy};
use crate::rng::Rng;
use crate::state::{State, Visitor};

settings! {
    /// The settings of SAC, with the values of the published HalfCheetah experiment as defaults.
    "sac" {
        /// Number of steps that the replay buffer keeps.
        replay: usize = 500_000, AtLeastOne;
        /// Number of steps in a batch.
        batch: usize = 256, AtLeastOne;
        /// Number of stored steps that must be exceeded before anything is learned.
        initial: usize = 5_000, NotNegative;
        /// Number of stored steps that must be exceeded before the policy is moved.
        warmup: usize = 10_000, NotNegative;
        /// Number of updates for each step of an environment.
        update_ratio: f64 = 1.0, PositiveUpTo(1000);
        /// Step size of the policy.
        lr: Scheduled = Scheduled::Constant(1e-4), PositiveUpTo(1);
        /// Step size of the critics.
        critic_lr: Scheduled = Scheduled::Constant(1e-3), PositiveUpTo(1);
        /// Discount factor γ of future rewards.
        gamma: f64 = 0.99, Fraction;
        /// Share of the way to the critics that the target networks go in an update.
        tau: f64 = 0.001, PositiveUpTo(1);
        /// Initial temperature α of the action.
        alpha: f64 = 1.0, PositiveUpTo(1_000_000);
        /// Step size of the logarithm of the action's temperature.
        alpha_lr: Scheduled = Scheduled::Constant(3e-4), PositiveUpTo(1);
        /// Wanted entropy of the action; minus the number of its entries where not given.
        #[serde(skip_serializing_if = "Option::is_none")]
        target_entropy: Option<f64> = None, Finite;
        /// Initial temperature α_z of the next state.
        state_alpha: f64 = 0.01, PositiveUpTo(1_000_000);
        /// Step size of the logarithm of the next state's temperature.
        state_alpha_lr: Scheduled = Scheduled::Constant(3e-4), PositiveUpTo(1);
        /// Wanted entropy of the next state; minus the number of its entries where not given.
        #[serde(skip_serializing_if = "Option::is_none")]
        state_target_entropy: Option<f64> = None, Finite;
        /// Whether the targets include the entropy of the next state, as in the paper; the published runs leave it out
        /// (D6).
        state_entropy_in_target: bool = false, Any;
        /// Share τ_z of a stored z' that is replaced by the z' of the present policy when the step is in a batch.
        refresh: f64 = 1.0, Fraction;
    }
    planned {
        /// Whether an update returns figures of gradients and states. The experiment sets it.
        diagnostics: bool;
    }
}

/// Keys in which the published runs of SAC differ from the defaults of an experiment.
const BASE: &str = r#"
standardise = false
critic = "state"
network = { features = 256, critic_features = 256, hidden = 32, std = 1.0, state_std = 1.0 }
"#;

impl Recipe for Settings {
    const ROWS: &'static [Row] = &[Row {
        name: "sac",
        about: "soft actor-critic, off-policy",
        base: |_| BASE.into(),
        published: Published::SOFT,
    }];
    type Algorithm = Sac<Actor, Q>;

    fn schedule(&self) -> Schedule {
        Schedule::OffPolicy { initial: self.initial, ratio: self.update_ratio }
    }

    fn check(&self, _: &Row, run: Extent) -> Result<(), String> {
        self.limits()?;
        filling("sac", [self.replay, self.batch, self.initial, self.warmup], self.update_ratio, run)
    }

    fn policy(&self, plan: &Plan) -> Result<Actor, PlanError> {
        plan.squashed_policy()
    }

    fn build(&self, _: &Row, plan: &Plan) -> Result<(Sac<Actor, Q>, Replay), PlanError> {
        let settings = Self { diagnostics: plan.diagnostics, ..self.clone() };
        let state = ("sac.state_target_entropy", self.state_target_entropy);
        plan.check_entropies([("sac.target_entropy", self.target_entropy), state])?;
        let algorithm = Sac::new(self.policy(plan)?, plan.critics(2, 1.0), plan.drawn(), settings, plan.threads);
        Ok((algorithm, plan.replay(self.replay, "sac.replay")?))
    }
}

impl Settings {
    /// Returns the step sizes of policy, critics, α and α_z at `now`.
    fn step_sizes(&self, now: Progress) -> [f64; 4] {
        [self.lr, self.critic_lr, self.alpha_lr, self.state_alpha_lr].map(|x| x.at(now))
    }
}

/// SAC: a policy, two critics with their target networks, the temperatures, and all optimisers.
#[derive(Debug)]
pub struct Sac<P, Q> {
    policy: P,
    /// Both critics, with their target networks and optimisers.
    pub critics: Critics<Q>,
    /// The optimiser of the policy and the gradients of its last batch.
    pub descent: Descent,
    /// The temperature of the action.
    pub alpha: Temperature,
    /// The temperature of the next state; None where the policy draws no state.
    pub state_alpha: Option<Temperature>,
    settings: Settings,
    updates: usize,
    workers: Workers,
}

impl<P: StatefulPolicy, Q: Critic> Sac<P, Q> {
    /// Makes SAC with new optimisers, for `n_a` entries of the action and `n_z` entries of a random state.
    pub fn new(policy: P, critics: Vec<Q>, (n_a, n_z): (usize, usize), settings: Settings, threads: usize) -> Self {
        let s = &settings;
        let entropy = |wanted: Option<f64>, n: usize| wanted.unwrap_or(-(n as f64));
        let [lr, critic_lr, alpha_lr, state_alpha_lr] = s.step_sizes(Progress::START);
        let state_alpha = || Temperature::new(s.state_alpha, state_alpha_lr, entropy(s.state_target_entropy, n_z));
        Self {
            descent: Descent::new(&policy, lr, s.batch),
            critics: Critics::new(critics, critic_lr, s.tau),
            alpha: Temperature::new(s.alpha, alpha_lr, entropy(s.target_entropy, n_a)),
            state_alpha: (n_z > 0).then(state_alpha),
            policy,
            settings,
            updates: 0,
            workers: Workers::new(threads.min(4)),
        }
    }

    /// Takes one step of the policy down mean[α log π(a | x) + α_z log π(z' | x) − min Q(x, a, z')].
    pub fn policy_step(&mut self, data: &Replay, rows: &[usize], noise: &Noise) -> PolicyStep {
        let critics = &self.critics.online;
        let alpha = self.alpha.value();
        let alpha_z = self.state_alpha.as_ref().map_or(0.0, Temperature::value);
        let step = self.descent.descend(&mut self.policy, &[(data, rows)], &self.workers, |policy, piece| {
            let dist = policy.dist(&data.policy_context(piece.rows));
            let (u, log_prob) = dist.reparameterised(&noise.of(piece.samples));
            let q = least(critics, &data.context(piece.rows), &u);
            let loss = &log_prob.a * alpha - &q;
            let loss = log_prob.z.iter().fold(loss, |loss, of_z| loss + of_z * alpha_z);
            (loss, [Some(log_prob.a), dist.z.zip(log_prob.z).map(|(z, x)| z.of_those_drawn(&x)), u.z, Some(q)])
        });
        let Descended { loss, grad_norm, kept: [log_prob_a, log_prob_z, z, q] } = step;
        PolicyStep { loss, grad_norm, log_prob_a, log_prob_z, z, q }
    }

    /// Takes one step of both temperatures, from the log-densities of the policy's step, and returns their losses.
    pub fn temperature_step(&mut self, step: &PolicyStep) -> (f64, Option<f64>) {
        let loss = self.alpha.step(&step.log_prob_a);
        (loss, self.state_alpha.as_mut().map(|alpha| alpha.step(&step.log_prob_z)))
    }

    /// Returns y = r + γ (1 − terminated) (min Q_target(x', u') − α log π(a' | x')) of the rows `rows`.
    pub fn target(&self, data: &Replay, rows: &[usize], noise: &Noise) -> Vec<f32> {
        let alpha = self.alpha.value();
        let alpha_z = self.state_alpha.as_ref().filter(|_| self.settings.state_entropy_in_target);
        bellman(data, rows, self.settings.gamma, &self.workers, |piece| {
            let x = data.next_context(piece.rows);
            let (u, log_prob) = self.policy.dist(&x).reparameterised(&noise.of(piece.samples));
            let v = least(&self.critics.targets, &x, &u) - log_prob.a * alpha;
            match (alpha_z, log_prob.z) {
                (Some(alpha), Some(log_prob)) => v - log_prob * alpha.value(),
                _ => v,
            }
        })
    }

    /// Takes one step of each critic down mean (Q(x, u) − y)², and returns loss and gradient norm of each.
    pub fn critic_step(&mut self, data: &Replay, rows: &[usize], y: &[f32]) -> Vec<(f64, f64)> {
        self.critics.fit(data, rows, y, &self.workers)
    }

    /// Lets the target networks follow the critics.
    pub fn follow(&mut self) {
        self.critics.follow(&self.workers);
    }
}

impl<P: StatefulPolicy, Q: Critic> Algorithm for Sac<P, Q> {
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
        "train/state_entropy", "train/state_ent_coef", "train/state_ent_coef_loss", "train/actor_grad_norm",
        "train/critic_grad_norm", "train/learning_rate", "train/n_updates", "state/staleness",
    }

    fn set_progress(&mut self, now: Progress) {
        let [lr, critic_lr, alpha_lr, state_alpha_lr] = self.settings.step_sizes(now);
        self.descent.optimiser.lr = lr;
        self.critics.set_lr(critic_lr);
        self.alpha.set_lr(alpha_lr);
        self.state_alpha.iter_mut().for_each(|alpha| alpha.set_lr(state_alpha_lr));
    }

    fn update(&mut self, data: &mut Replay, rng: &mut Rng) -> Metrics {
        self.updates += 1;
        let moves = data.holds_more_than(self.settings.warmup);
        let mean = |x: &[f32]| average(x.iter().map(|&x| f64::from(x)));

        // 1. Draw a batch of steps, or of segments computed anew, and noise for a and z' at both ends of each step.
        let rows = data.sample(self.settings.batch, rng);
        data.renew(&self.policy, &rows);
        let noise = [(); 2].map(|_| Noise::draw(data, rows.len(), rng));
        let mut metrics =
            vec![("train/n_updates", self.updates as f64), ("train/learning_rate", self.descent.optimiser.lr)];
        let mut drawn = None;
        if moves {
            // 2. Improve the policy: a and z' are drawn anew, and the gradient goes through Q into both, and through
            // time inside a segment alone.
            let step = self.policy_step(data, &rows, &noise[0]);
            // 3. Move the temperatures towards the wanted entropies of a and z'.
            let (loss, state_loss) = self.temperature_step(&step);
            if self.settings.diagnostics {
                metrics.extend(diagnose(&self.policy, &[(&*data, &rows)], &self.descent.gradients));
            }
            metrics.push(("train/actor_loss", step.loss));
            metrics.push(("train/actor_grad_norm", step.grad_norm));
            metrics.push(("train/q", mean(&step.q)));
            metrics.push(("train/entropy", -mean(&step.log_prob_a)));
            metrics.push(("train/ent_coef", self.alpha.value()));
            metrics.push(("train/ent_coef_loss", loss));
            if let Some((alpha, loss)) = self.state_alpha.as_ref().zip(state_loss) {
                metrics.push(("train/state_entropy", -mean(&step.log_prob_z)));
                metrics.push(("train/state_ent_coef", alpha.value()));
                metrics.push(("train/state_ent_coef_loss", loss));
            }
            drawn = Some(step.z);
        }
        // 4. Compute the targets y, with a' and z'' drawn at the true next context.
        let y = self.target(data, &rows, &noise[1]);
        // 5. Fit both critics to them.
        let fits = self.critic_step(data, &rows, &y);
        metrics.push(("train/critic_loss", average(fits.iter().map(|f| f.0))));
        metrics.push(("train/critic_grad_norm", average(fits.iter().map(|f| f.1))));
        // 6. Let the target networks follow.
        self.follow();
        // 7. Put the drawn z' in place of the stored ones.
        let staleness = drawn.and_then(|z| data.refresh(&rows, &z, self.settings.refresh));
        metrics.extend(staleness.map(|x| ("state/staleness", x)));
        metrics
    }
}

impl<P: StatefulPolicy, Q: Critic> State for Sac<P, Q> {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { policy, critics, descent, alpha, state_alpha, settings: _, updates, workers: _ } = self;
        v.child("policy", policy);
        critics.visit(v);
        v.child("policy_optimiser", &mut descent.optimiser);
        v.child("alpha", alpha);
        if let Some(alpha) = state_alpha {
            v.child("state_alpha", alpha);
        }
        v.count("updates", updates);
    }
}
