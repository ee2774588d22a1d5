//! Twin delayed deep deterministic policy gradient (TD3) over the extended action, and DDPG as its simpler form
//! (Corollary 2.3 of the paper). The book has a page about both.

use super::figures::{diagnose, figures};
use super::off_policy::{Descended, Descent, Workers, average, bellman, least, mean};
use super::recipe::{Extent, Recipe, Row, filling};
use super::settings::settings;
use super::{Algorithm, Critics, Metrics, Noise, Progress, Schedule, Scheduled};
use crate::data::{Buffer, Replay};
use crate::nn::Tensor;
use crate::plan::{Plan, PlanError, Published};
use crate::policy::{Actor, Critic, Dist, Extended, Q, StatefulPolicy};
use crate::rng::Rng;
use crate::state::{State, Visitor};

settings! {
    /// The settings of TD3 and DDPG, with the values that most published experiments have as defaults.
    "td3" {
        /// Number of steps that the replay buffer keeps.
        replay: usize = 1_000_000, AtLeastOne;
        /// Number of steps in a batch.
        batch: usize = 100, AtLeastOne;
        /// Number of stored steps that must be exceeded before anything is learned.
        initial: usize = 10_000, NotNegative;
        /// Number of stored steps that must be exceeded before the policy is moved.
        warmup: usize = 0, NotNegative;
        /// Number of updates for each step of an environment.
        update_ratio: f64 = 1.0, PositiveUpTo(1000);
        /// Step size of the policy.
        lr: Scheduled = Scheduled::Constant(1e-3), PositiveUpTo(1);
        /// Step size of the critics.
        critic_lr: Scheduled = Scheduled::Constant(1e-3), PositiveUpTo(1);
        /// Discount factor γ of future rewards.
        gamma: f64 = 0.99, Fraction;
        /// Share of the way that the target networks go in an update.
        tau: f64 = 0.005, PositiveUpTo(1);
        /// Standard deviation of the noise on actions, in the units of the action.
        noise: f64 = 0.1, UpTo(7);
        /// Standard deviation of the noise on the next state.
        state_noise: f64 = 0.01, UpTo(7);
        /// Number of updates of the critics for each update of the policy; 1 for DDPG.
        delay: usize = 2, AtLeastOne;
        /// Standard deviation of the noise on the targets' actions, in the units of the action; 0 for DDPG.
        smoothing: f64 = 0.2, UpTo(1_000_000);
        /// Largest magnitude of the noise on the targets' actions.
        smoothing_clip: f64 = 0.5, UpTo(1_000_000);
        /// Standard deviation of the noise on the targets' next states; half of `state_noise` where not given.
        #[serde(skip_serializing_if = "Option::is_none")]
        state_smoothing: Option<f64> = None, UpTo(1_000_000);
        /// Largest magnitude of the noise on the targets' next states; 1.25 times `state_noise` where not given.
        #[serde(skip_serializing_if = "Option::is_none")]
        state_smoothing_clip: Option<f64> = None, UpTo(1_000_000);
        /// Share τ_z of a stored z' that is replaced by the z' of the present policy when the step is in a batch.
        refresh: f64 = 1.0, Fraction;
    }
    planned {
        /// Whether the policy ascends the mean of the critics rather than the first critic (D4). The switches set it.
        actor_mean_q: bool;
        /// Whether targets hold the mean of the critics rather than the least (D5). The switches of the experiment set
        /// it.
        mean_target: bool;
        /// Whether an update returns figures of gradients and states. The experiment sets it.
        diagnostics: bool;
    }
}

/// Returns keys in which the published runs of TD3 differ from the defaults; a policy with a state is narrower.
fn base(recurrent: bool) -> String {
    let features = if recurrent { 128 } else { 256 };
    let network = format!("features = {features}, critic_features = 256, hidden = 32, std = 1.0, state_std = 1.0");
    format!("standardise = false\ncritic = \"state\"\nnetwork = {{ {network} }}\n")
}

/// Keys that take from TD3 what DDPG does not have.
const PLAIN: &str = "td3 = { delay = 1, smoothing = 0.0, state_smoothing = 0.0 }";
impl Recipe for Settings {
    const ROWS: &'static [Row] = &[
        Row {
            name: "td3",
            about: "twin delayed deep deterministic policy gradient, off-policy",
            base,
            published: Published::DETERMINISTIC,
        },
        Row {
            name: "ddpg",
            about: "TD3 with one critic, without delay and smoothing",
            base: |recurrent| base(recurrent) + PLAIN,
            published: Published::DETERMINISTIC,
        },
    ];
    type Algorithm = Td3<Actor, Q>;

    fn schedule(&self) -> Schedule {
        Schedule::OffPolicy { initial: self.initial, ratio: self.update_ratio }
    }

    fn check(&self, row: &Row, run: Extent) -> Result<(), String> {
        self.limits()?;
        if row.name == "ddpg" && (self.delay, self.smoothing) != (1, 0.0) {
            return Err("DDPG has no `td3.delay` and no `td3.smoothing`; take them away, or choose td3".into());
        }
        filling("td3", [self.replay, self.batch, self.initial, self.warmup], self.update_ratio, run)
    }

    fn policy(&self, plan: &Plan) -> Result<Actor, PlanError> {
        plan.deterministic_policy(self.noise, self.state_noise)
    }

    fn build(&self, row: &Row, plan: &Plan) -> Result<(Td3<Actor, Q>, Replay), PlanError> {
        let settings = Self {
            actor_mean_q: plan.switches.td3_actor_mean_q,
            mean_target: plan.switches.td3_mean_target,
            diagnostics: plan.diagnostics,
            ..self.clone()
        };
        let critics = plan.critics(if row.name == "ddpg" { 1 } else { 2 }, 0.1);
        Ok((Td3::new(self.policy(plan)?, critics, settings, plan.threads), plan.replay(self.replay, "td3.replay")?))
    }
}

/// TD3, or DDPG where there is one critic: a policy and its target network, critics, and all optimisers.
#[derive(Debug)]
pub struct Td3<P, Q> {
    policy: P,
    /// The target network of the policy.
    pub policy_target: P,
    /// The critics, with their target networks and optimisers.
    pub critics: Critics<Q>,
    /// The optimiser of the policy and the gradients of its last batch.
    pub descent: Descent,
    settings: Settings,
    updates: usize,
    workers: Workers,
}

/// The figures of a step of the policy, and the actions and states of the policy before the step.
#[derive(Clone, Debug)]
pub struct PolicyStep {
    /// Loss of the policy.
    pub loss: f64,
    /// Norm of the gradient of the loss.
    pub grad_norm: f64,
    /// The actions of the policy before the step, [rows, n_a].
    pub a: Vec<f32>,
    /// The next states of the policy before the step, [rows, n_z].
    pub z: Vec<f32>,
}

impl<P: StatefulPolicy, Q: Critic> Td3<P, Q> {
    /// Makes TD3 with new optimisers. The target network of the policy starts as a copy of the policy.
    pub fn new(policy: P, critics: Vec<Q>, settings: Settings, threads: usize) -> Self {
        Self {
            policy_target: policy.clone(),
            critics: Critics::new(critics, settings.critic_lr.at(Progress::START), settings.tau),
            descent: Descent::new(&policy, settings.lr.at(Progress::START), settings.batch),
            policy,
            settings,
            updates: 0,
            workers: Workers::new(threads.min(2)),
        }
    }

    /// Returns u' = (a', z''): the mean of `dist`, a distribution of the target policy, with clipped noise on both
    /// parts.
    pub fn smoothed(&self, dist: &Dist, noise: &Extended) -> Extended {
        let (s, u) = (&self.settings, dist.held());
        let add = |x: &Tensor, noise: &Tensor, std: f64, most: f64| x + (noise * std).clip(-most, most);
        let (std, most) = (0.5 * s.state_noise, 1.25 * s.state_noise);
        let (std, most) = (s.state_smoothing.unwrap_or(std), s.state_smoothing_clip.unwrap_or(most));
        let z = match (&dist.z, &noise.z) {
            (Some(of_z), Some(noise)) => u.z.as_ref().map(|z| add(z, &of_z.masked(noise.clone()), std, most)),
            _ => u.z.clone(),
        };
        dist.clip(&Extended { a: add(&u.a, &noise.a, s.smoothing, s.smoothing_clip), z })
    }

    /// Returns y = r + γ (1 − terminated) min Q_target(x', u') of the rows `rows`.
    pub fn target(&self, data: &Replay, rows: &[usize], noise: &Noise) -> Vec<f32> {
        let q = if self.settings.mean_target { mean } else { least };
        bellman(data, rows, self.settings.gamma, &self.workers, |piece| {
            let x = data.next_context(piece.rows);
            let u = self.smoothed(&self.policy_target.dist(&x), &noise.of(piece.samples));
            q(&self.critics.targets, &x, &u)
        })
    }

    /// Takes one step of each critic down mean (Q(x, u) − y)², and returns loss and gradient norm of each.
    pub fn critic_step(&mut self, data: &Replay, rows: &[usize], y: &[f32]) -> Vec<(f64, f64)> {
        self.critics.fit(data, rows, y, &self.workers)
    }

    /// Takes one step of the policy down −mean Q(x, μ(x)), where μ(x) is the mean of (a, z').
    pub fn policy_step(&mut self, data: &Replay, rows: &[usize]) -> PolicyStep {
        let critics = &self.critics.online;
        let judges = if self.settings.actor_mean_q { &critics[..] } else { &critics[..1] };
        let step = self.descent.descend(&mut self.policy, &[(data, rows)], &self.workers, |policy, piece| {
            let x = data.context(piece.rows);
            let u = policy.dist(&data.policy_context(piece.rows)).held();
            (-mean(judges, &x, &u), [Some(u.a), u.z])
        });
        let Descended { loss, grad_norm, kept: [a, z] } = step;
        PolicyStep { loss, grad_norm, a, z }
    }

    /// Lets all target networks follow.
    pub fn follow(&mut self) {
        self.policy_target.params_mut().follow(self.policy.params(), self.settings.tau);
        self.critics.follow(&self.workers);
    }
}

impl<P: StatefulPolicy, Q: Critic> Algorithm for Td3<P, Q> {
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
        "train/actor_loss", "train/critic_loss", "train/target", "train/actor_grad_norm", "train/critic_grad_norm",
        "train/learning_rate", "train/n_updates", "state/staleness",
    }

    fn set_progress(&mut self, now: Progress) {
        self.descent.optimiser.lr = self.settings.lr.at(now);
        self.critics.set_lr(self.settings.critic_lr.at(now));
    }

    fn update(&mut self, data: &mut Replay, rng: &mut Rng) -> Metrics {
        let moves = data.holds_more_than(self.settings.warmup) && self.updates.is_multiple_of(self.settings.delay);
        self.updates += 1;

        // 1. Draw a batch of steps, or of segments computed anew, and noise for the targets.
        let rows = data.sample(self.settings.batch, rng);
        data.renew(&self.policy, &rows);
        let noise = Noise::draw(data, rows.len(), rng);
        // 2. Compute the targets y from the target policy's a' and z'', with clipped noise on both.
        let y = self.target(data, &rows, &noise);
        // 3. Fit the critics to them.
        let fits = self.critic_step(data, &rows, &y);
        let mut metrics = vec![
            ("train/critic_loss", average(fits.iter().map(|f| f.0))),
            ("train/target", average(y.iter().map(|&y| f64::from(y)))),
            ("train/critic_grad_norm", average(fits.iter().map(|f| f.1))),
            ("train/learning_rate", self.descent.optimiser.lr),
            ("train/n_updates", self.updates as f64),
        ];
        if moves {
            // 4. In every `delay`-th update, improve the policy: the gradient goes through Q into a and z', and
            // through time inside a segment alone.
            let step = self.policy_step(data, &rows);
            if self.settings.diagnostics {
                metrics.extend(diagnose(&self.policy, &[(&*data, &rows)], &self.descent.gradients));
            }
            metrics.push(("train/actor_loss", step.loss));
            metrics.push(("train/actor_grad_norm", step.grad_norm));
            // 5. In the same updates, put the policy's z' in place of the stored ones.
            let staleness = data.refresh(&rows, &step.z, self.settings.refresh);
            metrics.extend(staleness.map(|x| ("state/staleness", x)));
        }
        // 6. Let all target networks follow.
        self.follow();
        metrics
    }
}

impl<P: StatefulPolicy, Q: Critic> State for Td3<P, Q> {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { policy, policy_target, critics, descent, settings: _, updates, workers: _ } = self;
        v.child("policy", policy);
        v.child("policy_target", policy_target);
        critics.visit(v);
        v.child("policy_optimiser", &mut descent.optimiser);
        v.count("updates", updates);
    }
}
