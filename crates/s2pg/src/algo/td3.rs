//! Twin delayed deep deterministic policy gradient over the extended action, and DDPG as its simpler form (Corollary 2.3
//! of the paper; the box is in the book).

use super::off_policy::{DIAGNOSTICS, Workers, diagnose, fit_critics, least, mean, pieces, scratch};
pub use super::settings::Td3 as Settings;
use super::{Algorithm, Metrics, Noise, Schedule};
use crate::data::{Buffer, Replay};
use crate::nn::{Adam, Tensor, gradient_into};
use crate::policy::{Critic, Dist, Extended, StatefulPolicy};
use crate::rng::Rng;
use crate::state::{State, Visitor};

/// TD3: a policy, its critics, the targets of both, and all optimisers. With one critic it is DDPG.
#[derive(Debug)]
pub struct Td3<P, Q> {
    policy: P,
    policy_target: P,
    critics: Vec<Q>,
    targets: Vec<Q>,
    policy_optimiser: Adam,
    critic_optimisers: Vec<Adam>,
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
    /// The actions of the policy before the step, [rows, n_a].
    pub a: Vec<f32>,
    /// Its next states, [rows, n_z].
    pub z: Vec<f32>,
}

impl<P: StatefulPolicy, Q: Critic> Td3<P, Q> {
    /// With fresh optimisers. The targets start as copies.
    pub fn new(policy: P, critics: Vec<Q>, settings: Settings, threads: usize) -> Self {
        Self {
            policy_optimiser: Adam::new(&policy, settings.lr),
            critic_optimisers: critics.iter().map(|q| Adam::new(q, settings.critic_lr)).collect(),
            policy_target: policy.clone(),
            targets: critics.clone(),
            critics,
            scratch: scratch(&policy, settings.batch),
            policy,
            settings,
            updates: 0,
            workers: Workers::new(threads.min(2)),
        }
    }

    /// Its critics, their targets, and the optimisers of policy and critics.
    pub fn parts(&self) -> (&[Q], &[Q], &Adam, &[Adam]) {
        (&self.critics, &self.targets, &self.policy_optimiser, &self.critic_optimisers)
    }

    /// The targets of policy and critics, to be loaded.
    pub fn targets_mut(&mut self) -> (&mut P, &mut [Q]) {
        (&mut self.policy_target, &mut self.targets)
    }

    /// u' = (a', z'') in the middle of a distribution of the target policy, with clipped noise on both.
    pub fn smoothed(&self, dist: &Dist, noise: &Extended) -> Extended {
        let (s, u) = (&self.settings, dist.mean());
        let add = |x: &Tensor, noise: &Tensor, std: f64, most: f64| x + (noise * std).clip(-most, most);
        let (std, most) = (0.5 * s.state_noise, 1.25 * s.state_noise);
        let (std, most) = (s.state_smoothing.unwrap_or(std), s.state_smoothing_clip.unwrap_or(most));
        let z = u.z.as_ref().zip(noise.z.as_ref()).map(|(z, noise)| add(z, noise, std, most));
        dist.clip(&Extended { a: add(&u.a, &noise.a, s.smoothing, s.smoothing_clip), z })
    }

    /// y = r + gamma (1 - terminated) min Q_target(x', u') of some rows.
    pub fn target(&self, data: &Replay, rows: &[usize], noise: &Noise) -> Vec<f32> {
        let gamma = self.settings.gamma as f32;
        let parts = self.workers.map(pieces(rows.len()).into_iter(), |piece| {
            let rows = &rows[piece.clone()];
            let x = data.next_context(rows);
            let u = self.smoothed(&self.policy_target.dist(&x), &noise.of(piece));
            let values = self.targets.iter().map(|target| target.value(&x, Some(&u)));
            let q = if self.settings.target_mean_q { mean(values) } else { least(values) };
            let y = |(&k, &v): (&usize, &f32)| data.r(k) + if data.terminated(k) { 0.0 } else { gamma * v };
            rows.iter().zip(q.data()).map(y).collect::<Vec<f32>>()
        });
        parts.concat()
    }

    /// One step of each critic on mean (Q(x, u) - y)²; returns loss and gradient norm of each.
    pub fn critic_step(&mut self, data: &Replay, rows: &[usize], y: &[f32]) -> Vec<(f64, f64)> {
        let Self { critics, critic_optimisers, workers, .. } = self;
        fit_critics((critics, critic_optimisers), data, (rows, y), workers)
    }

    /// One step of the policy up the critic: -mean Q(x, mu(x)).
    pub fn policy_step(&mut self, data: &Replay, rows: &[usize]) -> PolicyStep {
        let Self { policy, critics, workers, scratch, settings, .. } = self;
        let policy_now = &*policy;
        let judges = if settings.actor_mean_q { &critics[..] } else { &critics[..1] };
        let parts = workers.map(pieces(rows.len()).into_iter().zip(scratch.iter_mut()), |(piece, gradient)| {
            let x = data.context(&rows[piece]);
            let u = policy_now.dist(&x).mean();
            let q = mean(judges.iter().map(|critic| critic.value(&x, Some(&u))));
            let loss = q.sum() * (-1.0 / rows.len() as f64);
            gradient_into(&loss, policy_now, gradient);
            let z = u.z.as_ref().map_or(Vec::new(), |z| z.data().to_vec());
            PolicyStep { loss: f64::from(loss.item()), grad_norm: 0.0, a: u.a.data().to_vec(), z }
        });
        let mut step = PolicyStep::default();
        for part in parts {
            step.loss += part.loss;
            step.a.extend(part.a);
            step.z.extend(part.z);
        }
        let used = pieces(rows.len()).len();
        step.grad_norm = self.policy_optimiser.minimize_sum(policy, &self.scratch[..used]);
        step
    }

    /// All target networks follow.
    pub fn follow(&mut self) {
        let tau = self.settings.tau;
        self.policy_target.params_mut().follow(self.policy.params(), tau);
        let pairs = self.targets.iter_mut().zip(&self.critics);
        self.workers.map(pairs, |(target, critic)| target.params_mut().follow(critic.params(), tau));
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
        Schedule::OffPolicy { initial: self.settings.initial, ratio: self.settings.update_ratio }
    }

    fn figures(&self) -> &'static [&'static str] {
        const ALL: &[&str] = &[
            "train/actor_loss",
            "train/critic_loss",
            "train/target",
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
        let moves = data.holds_more_than(self.settings.warmup) && self.updates.is_multiple_of(self.settings.delay);
        self.updates += 1;

        // 1. Draw a batch of steps, and noise for the targets.
        let rows = data.sample(self.settings.batch, rng);
        let noise = Noise::draw(data, rows.len(), rng);
        // 2. Compute the targets y from the target policy's a' and z'', with clipped noise on both.
        let y = self.target(data, &rows, &noise);
        // 3. Fit the critics to them.
        let fits = self.critic_step(data, &rows, &y);
        let n = fits.len() as f64;
        let mut metrics = vec![
            ("train/critic_loss", fits.iter().map(|f| f.0).sum::<f64>() / n),
            ("train/target", y.iter().map(|&y| f64::from(y)).sum::<f64>() / y.len() as f64),
            ("train/critic_grad_norm", fits.iter().map(|f| f.1).sum::<f64>() / n),
            ("train/learning_rate", self.settings.lr),
            ("train/n_updates", self.updates as f64),
        ];
        if moves {
            // 4. In every `delay`-th update, improve the policy: the gradient goes through Q into a and z', not through
            // time.
            let step = self.policy_step(data, &rows);
            if self.settings.diagnostics {
                metrics.extend(diagnose(&self.policy, data, &rows, &self.scratch));
            }
            metrics.push(("train/actor_loss", step.loss));
            metrics.push(("train/actor_grad_norm", step.grad_norm));
            // 5. In the same updates, put the policy's z' in place of the stored ones.
            if data.z_size() > 0 && self.settings.refresh > 0.0 {
                metrics.push(("state/staleness", data.refresh(&rows, &step.z, self.settings.refresh)));
            }
        }
        // 6. Let all target networks follow.
        self.follow();
        metrics
    }
}

impl<P: StatefulPolicy, Q: Critic> State for Td3<P, Q> {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self {
            policy,
            policy_target,
            critics,
            targets,
            policy_optimiser,
            critic_optimisers,
            settings: _,
            updates,
            workers: _,
            scratch: _,
        } = self;
        v.child("policy", policy);
        v.child("policy_target", policy_target);
        v.child("critics", critics);
        v.child("targets", targets);
        v.child("policy_optimiser", policy_optimiser);
        v.child("critic_optimisers", critic_optimisers);
        v.count("updates", updates);
    }
}
