//! Soft actor-critic over the extended action (the paper's Algorithm 2; the box is in the book).

use super::off_policy::{DIAGNOSTICS, Workers, diagnose, fit_critics, least, pieces, scratch};
pub use super::settings::Sac as Settings;
use super::{Algorithm, Metrics, Noise, Schedule, Temperature};
use crate::data::{Buffer, Replay};
use crate::nn::{Adam, gradient_into};
use crate::policy::{Critic, StatefulPolicy};
use crate::rng::Rng;
use crate::state::{State, Visitor};

/// SAC: a policy, two critics and their targets, the temperatures, and all optimisers.
#[derive(Debug)]
pub struct Sac<P, Q> {
    policy: P,
    critics: Vec<Q>,
    targets: Vec<Q>,
    policy_optimiser: Adam,
    critic_optimisers: Vec<Adam>,
    alpha: Temperature,
    /// Where the policy has a random state.
    state_alpha: Option<Temperature>,
    settings: Settings,
    updates: usize,
    workers: Workers,
    scratch: Vec<Vec<f32>>,
}

/// What a step of the policy leaves behind.
#[derive(Clone, Debug, Default)]
pub struct PolicyStep {
    /// Its loss.
    pub loss: f64,
    /// Norm of its gradient.
    pub grad_norm: f64,
    /// log pi(a | x) of the drawn actions.
    pub log_prob_a: Vec<f32>,
    /// log pi(z' | x) of the drawn next states.
    pub log_prob_z: Vec<f32>,
    /// The drawn next states, [rows, n_z].
    pub z: Vec<f32>,
    /// Q of the draws, the lesser of the two.
    pub q: Vec<f32>,
}

impl<P: StatefulPolicy, Q: Critic> Sac<P, Q> {
    /// With fresh optimisers, for `n_a` entries of the action and `n_z` of a random state. The critics' targets start as
    /// copies.
    pub fn new(policy: P, critics: [Q; 2], (n_a, n_z): (usize, usize), settings: Settings, threads: usize) -> Self {
        let critics = Vec::from(critics);
        let entropy = |wanted: Option<f64>, n: usize| wanted.unwrap_or(-(n as f64));
        let s = &settings;
        let state_target = entropy(s.state_target_entropy, n_z);
        Self {
            policy_optimiser: Adam::new(&policy, s.lr),
            critic_optimisers: critics.iter().map(|q| Adam::new(q, s.critic_lr)).collect(),
            targets: critics.clone(),
            critics,
            alpha: Temperature::new(s.alpha, s.alpha_lr, entropy(s.target_entropy, n_a)),
            state_alpha: (n_z > 0).then(|| Temperature::new(s.state_alpha, s.state_alpha_lr, state_target)),
            scratch: scratch(&policy, s.batch),
            policy,
            settings,
            updates: 0,
            workers: Workers::new(threads.min(4)),
        }
    }

    /// Its critics, their targets, and the optimisers of policy and critics.
    pub fn parts(&self) -> (&[Q], &[Q], &Adam, &[Adam]) {
        (&self.critics, &self.targets, &self.policy_optimiser, &self.critic_optimisers)
    }

    /// The target networks, to be loaded.
    pub fn targets_mut(&mut self) -> &mut [Q] {
        &mut self.targets
    }

    /// The temperatures of action and next state.
    pub fn temperatures(&self) -> (&Temperature, Option<&Temperature>) {
        (&self.alpha, self.state_alpha.as_ref())
    }

    /// One step of the policy on mean[alpha log pi(a) + alpha_z log pi(z') - min Q(x, a, z')].
    pub fn policy_step(&mut self, data: &Replay, rows: &[usize], noise: &Noise) -> PolicyStep {
        let Self { policy, critics, workers, scratch, .. } = self;
        let (policy_now, critics) = (&*policy, &*critics);
        let alpha = self.alpha.value();
        let alpha_z = self.state_alpha.as_ref().map_or(0.0, Temperature::value);
        let parts = workers.map(pieces(rows.len()).into_iter().zip(scratch.iter_mut()), |(piece, gradient)| {
            let x = data.context(&rows[piece.clone()]);
            let (u, log_prob) = policy_now.dist(&x).reparameterised(&noise.of(piece));
            let q = least(critics.iter().map(|critic| critic.value(&x, Some(&u))));
            let mut loss = &log_prob.a * alpha - &q;
            if let Some(log_prob) = &log_prob.z {
                loss = loss + log_prob * alpha_z;
            }
            let loss = loss.sum() * (1.0 / rows.len() as f64);
            gradient_into(&loss, policy_now, gradient);
            let numbers = |x: Option<&crate::nn::Tensor>| x.map_or(Vec::new(), |x| x.data().to_vec());
            PolicyStep {
                loss: f64::from(loss.item()),
                grad_norm: 0.0,
                log_prob_a: numbers(Some(&log_prob.a)),
                log_prob_z: numbers(log_prob.z.as_ref()),
                z: numbers(u.z.as_ref()),
                q: numbers(Some(&q)),
            }
        });
        let mut step = PolicyStep::default();
        for part in parts {
            step.loss += part.loss;
            step.log_prob_a.extend(part.log_prob_a);
            step.log_prob_z.extend(part.log_prob_z);
            step.z.extend(part.z);
            step.q.extend(part.q);
        }
        let used = pieces(rows.len()).len();
        step.grad_norm = self.policy_optimiser.minimize_sum(policy, &self.scratch[..used]);
        step
    }

    /// One step of both temperatures, from the densities of the policy's step; returns their losses.
    pub fn temperature_step(&mut self, step: &PolicyStep) -> (f64, Option<f64>) {
        let loss = self.alpha.step(&step.log_prob_a);
        (loss, self.state_alpha.as_mut().map(|alpha| alpha.step(&step.log_prob_z)))
    }

    /// y = r + gamma (1 - terminated) (min Q_target(x', u') - alpha log pi(a' | x')) of some rows.
    pub fn target(&self, data: &Replay, rows: &[usize], noise: &Noise) -> Vec<f32> {
        let (alpha, gamma) = (self.alpha.value(), self.settings.gamma as f32);
        let alpha_z = self.state_alpha.as_ref().filter(|_| self.settings.state_entropy_in_target);
        let parts = self.workers.map(pieces(rows.len()).into_iter(), |piece| {
            let rows = &rows[piece.clone()];
            let x = data.next_context(rows);
            let (u, log_prob) = self.policy.dist(&x).reparameterised(&noise.of(piece));
            let q = least(self.targets.iter().map(|target| target.value(&x, Some(&u))));
            let mut v = q - log_prob.a * alpha;
            if let (Some(alpha), Some(log_prob)) = (alpha_z, log_prob.z) {
                v = v - log_prob * alpha.value();
            }
            let y = |(&k, &v): (&usize, &f32)| data.r(k) + if data.terminated(k) { 0.0 } else { gamma * v };
            rows.iter().zip(v.data()).map(y).collect::<Vec<f32>>()
        });
        parts.concat()
    }

    /// One step of each critic on mean (Q(x, u) - y)²; returns loss and gradient norm of each.
    pub fn critic_step(&mut self, data: &Replay, rows: &[usize], y: &[f32]) -> Vec<(f64, f64)> {
        let Self { critics, critic_optimisers, workers, .. } = self;
        fit_critics((critics, critic_optimisers), data, (rows, y), workers)
    }

    /// The target networks follow the critics.
    pub fn follow(&mut self) {
        let tau = self.settings.tau;
        let pairs = self.targets.iter_mut().zip(&self.critics);
        self.workers.map(pairs, |(target, critic)| target.params_mut().follow(critic.params(), tau));
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
        Schedule::OffPolicy { initial: self.settings.initial, ratio: self.settings.update_ratio }
    }

    fn figures(&self) -> &'static [&'static str] {
        const ALL: &[&str] = &[
            "train/actor_loss",
            "train/critic_loss",
            "train/q",
            "train/entropy",
            "train/ent_coef",
            "train/ent_coef_loss",
            "train/state_entropy",
            "train/state_ent_coef",
            "train/state_ent_coef_loss",
            "train/actor_grad_norm",
            "train/critic_grad_norm",
            "train/learning_rate",
            "train/n_updates",
            "state/staleness",
            "grad/norm",
            "grad/snr",
            "state/mean",
            "state/variance",
            "state/saturation",
        ];
        if self.settings.diagnostics { ALL } else { &ALL[..ALL.len() - DIAGNOSTICS] }
    }

    fn update(&mut self, data: &mut Replay, rng: &mut Rng) -> Metrics {
        self.updates += 1;
        let moves = data.holds_more_than(self.settings.warmup);
        let mean = |x: &[f32]| x.iter().map(|&x| f64::from(x)).sum::<f64>() / x.len() as f64;

        // 1. Draw a batch of steps, and noise for the actions and next states at its contexts and next contexts.
        let rows = data.sample(self.settings.batch, rng);
        let noise = [(); 2].map(|_| Noise::draw(data, rows.len(), rng));
        let mut metrics = vec![("train/n_updates", self.updates as f64), ("train/learning_rate", self.settings.lr)];
        let mut step = PolicyStep::default();
        if moves {
            // 2. Improve the policy: a and z' are drawn anew, and the gradient goes through Q into both, not through time.
            step = self.policy_step(data, &rows, &noise[0]);
            // 3. Move the temperatures towards the wanted entropies of a and z'.
            let (loss, state_loss) = self.temperature_step(&step);
            if self.settings.diagnostics {
                metrics.extend(diagnose(&self.policy, data, &rows, &self.scratch));
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
        }
        // 4. Compute the targets y, with a' and z'' drawn at the true next context.
        let y = self.target(data, &rows, &noise[1]);
        // 5. Fit both critics to them.
        let fits = self.critic_step(data, &rows, &y);
        let n = fits.len() as f64;
        metrics.push(("train/critic_loss", fits.iter().map(|f| f.0).sum::<f64>() / n));
        metrics.push(("train/critic_grad_norm", fits.iter().map(|f| f.1).sum::<f64>() / n));
        // 6. Let the target networks follow.
        self.follow();
        // 7. Put the drawn z' in place of the stored ones.
        if moves && data.z_size() > 0 && self.settings.refresh > 0.0 {
            metrics.push(("state/staleness", data.refresh(&rows, &step.z, self.settings.refresh)));
        }
        metrics
    }
}

impl<P: StatefulPolicy, Q: Critic> State for Sac<P, Q> {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self {
            policy,
            critics,
            targets,
            policy_optimiser,
            critic_optimisers,
            alpha,
            state_alpha,
            settings: _,
            updates,
            workers: _,
            scratch: _,
        } = self;
        v.child("policy", policy);
        v.child("critics", critics);
        v.child("targets", targets);
        v.child("policy_optimiser", policy_optimiser);
        v.child("critic_optimisers", critic_optimisers);
        v.child("alpha", alpha);
        if let Some(alpha) = state_alpha {
            v.child("state_alpha", alpha);
        }
        v.count("updates", updates);
    }
}
