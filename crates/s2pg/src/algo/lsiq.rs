//! Least-squares inverse Q-learning (LS-IQ), and IQ-Learn: SAC, whose critic is learned from an expert's steps rather
//! than from rewards. The book has a page about it.

use super::figures::{diagnose, figures};
use super::inverse::{Learner, Temperatures};
use super::inverse_q::{Distance, Form, InverseQ, OfExpert, OfPolicy, Regularised};
use super::off_policy::average;
use super::recipe::{Extent, Recipe, Row, filling};
use super::settings::settings;
use super::{Algorithm, Metrics, Noise, Progress, Schedule, Scheduled, Temperature};
use crate::data::{Buffer, Replay};
use crate::plan::{Plan, PlanError, Published};
use crate::policy::{Actor, Critic, Q, StatefulPolicy};
use crate::rng::Rng;
use crate::state::{State, Visitor};

settings! {
    /// The settings of LS-IQ and of IQ-Learn, with the values of the published LS-IQ-RS as defaults.
    "lsiq" {
        /// File of the demonstrations, an `.npz` archive such as `s2pg record` writes; it must be set for a training.
        demos: String = String::new(), Any;
        /// The form of the critic's loss: `sqil` fits the values of both sides to targets with a fixed reward for each
        /// side (LS-IQ), `iq` raises the implied reward of the expert and lowers that of others (IQ-Learn).
        loss: Form = Form::Sqil, Any;
        /// What the loss says of the expert's steps: `fix` fits Q to the largest value that there is, `bootstrap` to a
        /// reward and the next value.
        expert: OfExpert = OfExpert::Fix, Any;
        /// What the loss says of other steps: of Q of the policy's stored actions (`q_old_policy`), of V of all states
        /// (`value`), of the expert's (`value_expert`), of the policy's (`value_policy`), (1 - γ) V of the expert's
        /// states (`v0`), the sum of the first two (`value_q_old_policy`), or nothing (`off`). With `sqil` there are
        /// the first two and `off`.
        policy: OfPolicy = OfPolicy::QOldPolicy, Any;
        /// How far a value is from its target: `squared`, or `huber`.
        distance: Distance = Distance::Squared, Any;
        /// The steps whose implied rewards are regularised, with `iq`.
        regularised: Regularised = Regularised::Both, Any;
        /// Weight c of the regulariser. The fixed rewards are 1/c for the expert and -1/c for the policy.
        weight: f64 = 0.5, Positive;
        /// Whether the last step of a task counts as if it went on for ever with the same reward.
        treat_absorbing: bool = true, Any;
        /// Whether next values are held within what the fixed rewards can give.
        clip_targets: bool = true, Any;
        /// Number of steps that the replay buffer keeps.
        replay: usize = 1_000_000, AtLeastOne;
        /// Number of steps of the policy in a batch; there are as many of the expert.
        batch: usize = 256, AtLeastOne;
        /// Number of stored steps that must be exceeded before anything is learned.
        initial: usize = 25_000, NotNegative;
        /// Number of stored steps that must be exceeded before the policy is moved.
        warmup: usize = 26_000, NotNegative;
        /// Number of updates for each step of an environment.
        update_ratio: f64 = 1.0, PositiveUpTo(1000);
        /// Step size of the policy.
        lr: Scheduled = Scheduled::Constant(1e-4), PositiveUpTo(1);
        /// Step size of the critic.
        critic_lr: Scheduled = Scheduled::Constant(3e-4), PositiveUpTo(1);
        /// Discount factor γ of future rewards.
        gamma: f64 = 0.99, InnerFraction;
        /// Share of the way to the critic that the target network goes in an update.
        tau: f64 = 0.005, PositiveUpTo(1);
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
        /// Whether values include the entropy of the next state; the published runs leave it out (D6).
        state_entropy_in_target: bool = false, Any;
        /// The least logarithm of a standard deviation of the policy.
        least_log_std: f64 = -5.0, Finite;
        /// Share τ_z of a stored z' that is replaced by the z' of the present policy when the step is in a batch.
        refresh: f64 = 1.0, Fraction;
        /// The same share for the z' beside the demonstrations.
        expert_refresh: f64 = 1.0, Fraction;
    }
    planned {
        /// Whether the value of a next state reads the previous action of the state before (D36). The switches of the
        /// experiment set it.
        stale_a_prev: bool;
        /// Whether an update returns figures of gradients and states. The experiment sets it.
        diagnostics: bool;
    }
}

/// Keys in which the published runs of LS-IQ differ from the defaults of an experiment.
const BASE: &str = r#"
standardise = false
critic = "state"
network = { features = 256, critic_features = 256, hidden = 32, std = 1.0, state_std = 1.0, reads_a_prev = false, critic_reads_a_prev = false }
"#;

impl Recipe for Settings {
    const ROWS: &'static [Row] = &[Row {
        name: "lsiq",
        about: "least-squares inverse Q-learning, and IQ-Learn: imitation, off-policy",
        base: |_| BASE.into(),
        published: Published::SOFT,
    }];
    type Algorithm = Lsiq<Actor, Q>;

    fn schedule(&self) -> Schedule {
        Schedule::OffPolicy { initial: self.initial, ratio: self.update_ratio }
    }

    fn check(&self, _: &Row, run: Extent) -> Result<(), String> {
        self.limits()?;
        if !(-20.0..2.0).contains(&self.least_log_std) {
            return Err(format!("`lsiq.least_log_std` is {}; it must be from -20 to below 2", self.least_log_std));
        }
        filling("lsiq", [self.replay, self.batch, self.initial, self.warmup], self.update_ratio, run)
    }

    fn policy(&self, plan: &Plan) -> Result<Actor, PlanError> {
        Ok(plan.squashed_policy()?.no_narrower(self.least_log_std))
    }

    fn build(&self, _: &Row, plan: &Plan) -> Result<(Lsiq<Actor, Q>, Replay), PlanError> {
        let stale_a_prev = plan.switches.lsiq_stale_prev_action;
        let settings = Self { diagnostics: plan.diagnostics, stale_a_prev, ..self.clone() };
        let state = ("lsiq.state_target_entropy", self.state_target_entropy);
        plan.check_entropies([("lsiq.target_entropy", self.target_entropy), state])?;
        let (policy, replay) = (self.policy(plan)?, plan.replay(self.replay, "lsiq.replay")?);
        let expert = plan.expert(&plan.demos(&self.demos, "lsiq.demos")?, &policy, "lsiq.demos")?;
        let networks = (policy, plan.critics(1, 0.1).remove(0));
        Ok((Lsiq::new(networks, expert, plan.drawn(), settings, plan.threads), replay))
    }
}

impl Settings {
    /// Returns the step sizes of policy, critic, α and α_z at `now`.
    fn step_sizes(&self, now: Progress) -> [f64; 4] {
        [self.lr, self.critic_lr, self.alpha_lr, self.state_alpha_lr].map(|x| x.at(now))
    }

    /// Returns the loss of the critic.
    pub fn inverse_q(&self) -> InverseQ {
        let Self { loss: form, expert, policy, distance, regularised, weight, gamma, .. } = *self;
        let Self { treat_absorbing, clip_targets, stale_a_prev, .. } = *self;
        InverseQ {
            form,
            expert,
            policy,
            distance,
            regularised,
            weight,
            gamma,
            treat_absorbing,
            clip_targets,
            stale_a_prev,
        }
    }
}

/// LS-IQ: a policy and a critic that are learned from an expert.
#[derive(Debug)]
pub struct Lsiq<P, Q> {
    /// What learns.
    pub learner: Learner<P, Q>,
    settings: Settings,
    updates: usize,
}

impl<P: StatefulPolicy, Q: Critic> Lsiq<P, Q> {
    /// Makes LS-IQ with new optimisers, for `n_a` entries of the action and `n_z` entries of a random state, from a
    /// policy, a critic, and demonstrations.
    pub fn new(
        networks: (P, Q),
        expert: Replay,
        (n_a, n_z): (usize, usize),
        settings: Settings,
        threads: usize,
    ) -> Self {
        let s = &settings;
        let entropy = |wanted: Option<f64>, n: usize| wanted.unwrap_or(-(n as f64));
        let [lr, critic_lr, alpha_lr, state_alpha_lr] = s.step_sizes(Progress::START);
        let state_alpha = || Temperature::new(s.state_alpha, state_alpha_lr, entropy(s.state_target_entropy, n_z));
        let temperatures = Temperatures {
            alpha: Temperature::new(s.alpha, alpha_lr, entropy(s.target_entropy, n_a)),
            state_alpha: (n_z > 0).then(state_alpha),
            in_target: s.state_entropy_in_target,
        };
        let (parts, sizes) = ((s.inverse_q(), temperatures), ([lr, critic_lr], s.batch));
        Self { learner: Learner::new(networks, expert, parts, sizes, threads), settings, updates: 0 }
    }
}

impl<P: StatefulPolicy, Q: Critic> Algorithm for Lsiq<P, Q> {
    type Policy = P;
    type Buffer = Replay;

    fn policy(&self) -> &P {
        &self.learner.policy
    }

    fn policy_mut(&mut self) -> &mut P {
        &mut self.learner.policy
    }

    fn schedule(&self) -> Schedule {
        self.settings.schedule()
    }

    figures! {
        "train/actor_loss", "train/critic_loss", "train/q_policy", "train/q_expert", "train/entropy", "train/ent_coef",
        "train/ent_coef_loss", "train/state_entropy", "train/state_ent_coef", "train/state_ent_coef_loss",
        "train/actor_grad_norm", "train/critic_grad_norm", "train/learning_rate", "train/n_updates", "state/staleness",
    }

    fn set_progress(&mut self, now: Progress) {
        let [lr, critic_lr, alpha_lr, state_alpha_lr] = self.settings.step_sizes(now);
        let Learner { descent, critic_descent, temperatures, .. } = &mut self.learner;
        (descent.optimiser.lr, critic_descent.optimiser.lr) = (lr, critic_lr);
        temperatures.alpha.set_lr(alpha_lr);
        temperatures.state_alpha.iter_mut().for_each(|alpha| alpha.set_lr(state_alpha_lr));
    }

    fn update(&mut self, data: &mut Replay, rng: &mut Rng) -> Metrics {
        self.updates += 1;
        let Self { learner, settings, .. } = self;
        let moves = data.holds_more_than(settings.warmup);
        let mean = |x: &[f32]| average(x.iter().map(|&x| f64::from(x)));

        // 1. Draw a batch of the policy's steps and one of the expert's, or of segments computed anew.
        learner.expert.standardise_as(data);
        let [own, other] = [&mut *data, &mut learner.expert].map(|side| {
            let rows = side.sample(settings.batch, rng);
            side.renew(&learner.policy, &rows);
            rows
        });
        let (rows, n) = ([&own[..], &other[..]], own.len());
        let noise = [(); 3].map(|_| Noise::draw(data, n + other.len(), rng));
        // 2. Value the next states by the target network, with a' and z'' drawn there, held within a range.
        let y = learner.next_values(data, rows, &noise[0]);
        // 3. Fit the critic: the expert's values go up, the policy's down to what follows from them.
        let fit = learner.critic_step(data, rows, &y, &noise[1]);
        let (updates, lr) = (self.updates as f64, learner.descent.optimiser.lr);
        let mut metrics = vec![("train/n_updates", updates), ("train/learning_rate", lr)];
        metrics.extend([("train/critic_loss", fit.loss), ("train/critic_grad_norm", fit.grad_norm)]);
        metrics.extend([("train/q_policy", mean(&fit.q[..n])), ("train/q_expert", mean(&fit.q[n..]))]);
        let mut drawn = None;
        if moves {
            // 4. Improve the policy in the states of both: a and z' are drawn anew, and the gradient goes through Q.
            let step = learner.policy_step(data, rows, &noise[2]);
            // 5. Move the temperatures towards the wanted entropies, by what was drawn in the policy's own states.
            let (loss, state_loss) = learner.temperature_step(&step);
            if settings.diagnostics {
                let batch = [(&*data, rows[0]), (&learner.expert, rows[1])];
                metrics.extend(diagnose(&learner.policy, &batch, &learner.descent.gradients));
            }
            metrics.extend([("train/actor_loss", step.loss), ("train/actor_grad_norm", step.grad_norm)]);
            metrics.extend([
                ("train/entropy", -mean(&step.log_prob_a)),
                ("train/ent_coef", learner.temperatures.alpha.value()),
            ]);
            metrics.push(("train/ent_coef_loss", loss));
            if let Some((alpha, loss)) = learner.temperatures.state_alpha.as_ref().zip(state_loss) {
                metrics.push(("train/state_entropy", -mean(&step.log_prob_z)));
                metrics.extend([("train/state_ent_coef", alpha.value()), ("train/state_ent_coef_loss", loss)]);
            }
            drawn = Some(step.z);
        }
        // 6. Let the target network follow.
        learner.follow(settings.tau);
        // 7. Put the drawn z' in place of the stored ones, those beside the demonstrations too.
        let staleness =
            drawn.and_then(|z| learner.refresh(data, rows, &z, [settings.refresh, settings.expert_refresh]));
        metrics.extend(staleness.map(|x| ("state/staleness", x)));
        metrics
    }
}

impl<P: StatefulPolicy, Q: Critic> State for Lsiq<P, Q> {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { learner, settings: _, updates } = self;
        learner.visit(v);
        v.count("updates", updates);
    }
}
