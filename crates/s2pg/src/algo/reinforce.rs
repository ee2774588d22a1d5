//! REINFORCE and GPOMDP over the extended action (Lemma 2.1 of the paper). The book has a page about them.

use super::figures::{Gradients, deviations, state_metrics};
use super::fisher::{add, dot};
use super::on_policy::GROUP;
use super::recipe::{Extent, Recipe, Row, shared};
use super::settings::{Value, settings};
use super::{Algorithm, Metrics, Progress, Schedule, Scheduled};
use crate::data::{Episodes, Rollout};
use crate::nn::{Adam, Tensor, gradient};
use crate::plan::{Plan, PlanError, Published};
use crate::policy::{Actor, Context, Gaussian, StatefulPolicy};
use crate::rng::Rng;
use crate::state::{State, Visitor};

/// How the estimated gradient moves the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimiser {
    /// Adam steps along the gradient.
    Adam,
    /// The step size times the gradient is added to the parameters.
    Ascent,
}

settings! {
    /// The settings of REINFORCE and of GPOMDP.
    "reinforce" {
        /// Number of whole episodes in an update, of all environments together; at least 2.
        episodes: usize = 16, AtLeastTwo;
        /// Step size of the policy.
        lr: Scheduled = Scheduled::Constant(1e-3), Positive;
        /// Discount factor γ of future rewards.
        gamma: f64 = 0.99, Fraction;
        /// How the gradient moves the policy.
        optimiser: Optimiser = Optimiser::Adam, Any;
    }
    planned {
        /// Whether each reward is weighed with the scores of the steps up to that reward alone (GPOMDP). The
        /// algorithm's name in the experiment sets it.
        per_step: bool;
        /// Whether GPOMDP leaves episodes out of the steps behind their end, as in the published code (D34). The
        /// switches of the experiment set it.
        drop_ended: bool;
        /// Whether the score of a log-std is −1 + δ²/σ³, as in the published code (D24). The switches of the experiment
        /// set it.
        log_std_bug: bool;
        /// Whether an update returns figures of gradients and states. The experiment sets it.
        diagnostics: bool;
    }
}

impl Value for Optimiser {}

impl Recipe for Settings {
    const ROWS: &'static [Row] = &[
        Row {
            name: "reinforce",
            about: "Monte-Carlo policy gradient of whole episodes",
            base: |_| String::new(),
            published: Published::ON_POLICY,
        },
        Row {
            name: "gpomdp",
            about: "REINFORCE in which each reward counts for the steps up to it alone",
            base: |_| String::new(),
            published: Published::ON_POLICY,
        },
    ];
    type Algorithm = Reinforce<Actor>;

    fn schedule(&self) -> Schedule {
        Schedule::Episodes
    }

    fn check(&self, _: &Row, run: Extent) -> Result<(), String> {
        self.limits()?;
        let lr = self.lr.largest();
        if self.optimiser == Optimiser::Adam && lr > 1.0 {
            return Err(format!("`reinforce.lr` is {lr}; with `reinforce.optimiser` = \"adam\" it must be at most 1"));
        }
        shared("reinforce.episodes", self.episodes, "episodes", run)
    }

    fn policy(&self, plan: &Plan) -> Result<Actor, PlanError> {
        Ok(plan.gaussian_policy())
    }

    fn build(&self, row: &Row, plan: &Plan) -> Result<(Reinforce<Actor>, Episodes), PlanError> {
        let settings = Self {
            per_step: row.name == "gpomdp",
            drop_ended: plan.switches.gpomdp_drop_ended_episodes,
            log_std_bug: plan.switches.reinforce_log_std_bug,
            diagnostics: plan.diagnostics,
            ..self.clone()
        };
        Ok((Reinforce::new(self.policy(plan)?, settings), plan.episodes(self.episodes, "reinforce.episodes")?))
    }
}

/// REINFORCE, or GPOMDP: a policy and its optimiser.
#[derive(Clone, Debug)]
pub struct Reinforce<P> {
    policy: P,
    policy_optimiser: Adam,
    settings: Settings,
    updates: usize,
}

/// The gradient that a batch of episodes gives, and its parts.
#[derive(Clone, Debug)]
pub struct Estimate {
    /// The discounted return of each episode.
    pub returns: Vec<f64>,
    /// The score of each episode: the sum of the scores of its steps.
    pub scores: Vec<Vec<f64>>,
    /// The gradient that each episode alone gives.
    pub parts: Vec<Vec<f64>>,
    /// The estimated gradient of the expected return: the mean of `parts`.
    pub gradient: Vec<f64>,
}

impl<P: StatefulPolicy> Reinforce<P> {
    /// Makes the algorithm with a new optimiser.
    pub fn new(policy: P, settings: Settings) -> Self {
        let policy_optimiser = Adam::new(&policy, settings.lr.at(Progress::START));
        Self { policy, policy_optimiser, settings, updates: 0 }
    }

    /// Returns the score of the rows `rows` of one episode: the sum of ∇ log π(a, z' | x) over the rows.
    pub fn score(&self, data: &Rollout, rows: &[usize]) -> Vec<f64> {
        let mut sum = vec![0.0; self.policy.params().data().len()];
        for (shown, samples) in data.shown(rows, GROUP) {
            let (dist, u) = (self.policy.dist(&data.policy_context(&shown)), data.extended(&shown));
            let parts = [Some((&dist.a, &u.a)), dist.z.as_ref().zip(u.z.as_ref())];
            let part = |(g, x): (&Gaussian, &Tensor)| {
                let density = if self.settings.log_std_bug { published(g, x) } else { g.log_prob(x) };
                density.rows_of(density.rows() - samples..density.rows()).sum()
            };
            let density = parts.into_iter().flatten().map(part).reduce(|a, b| a + b).expect("there is an action");
            add(&mut sum, &gradient(&density, &self.policy));
        }
        sum
    }

    /// Estimates the gradient of the expected return from whole episodes.
    pub fn estimate(&self, data: &Episodes) -> Estimate {
        let episodes = data.episodes();
        let zeros = vec![vec![0.0; self.policy.params().data().len()]; episodes.len()];
        let (mut scores, mut parts) = (zeros.clone(), zeros);

        // 1. Discount the rewards from the start of each episode.
        let discounted = |(data, rows): &(&Rollout, Vec<usize>)| -> Vec<f64> {
            rows.iter().enumerate().map(|(t, &k)| self.settings.gamma.powi(t as i32) * data.r()[k]).collect()
        };
        let rewards: Vec<Vec<f64>> = episodes.iter().map(discounted).collect();
        let returns: Vec<f64> = rewards.iter().map(|r| r.iter().sum()).collect();
        // REINFORCE weighs a whole episode at once. GPOMDP weighs step after step, and an episode that ended has the
        // reward 0 and its last score from then on: without it, the mean of the scores of those that go on is not zero.
        let longest = rewards.iter().map(Vec::len).max().unwrap_or(0);
        for t in 0..if self.settings.per_step { longest } else { 1 } {
            let mut weighed = Vec::new();
            for (n, (data, rows)) in episodes.iter().enumerate() {
                let (rows, reward) = match rewards[n].get(t) {
                    _ if !self.settings.per_step => (&rows[..], returns[n]),
                    Some(&reward) => (&rows[t..=t], reward),
                    None if self.settings.drop_ended => continue,
                    None => (&[][..], 0.0),
                };
                // 2. Score each episode: the sum of ∇ log pi(a, z' | x) over its steps (GPOMDP: over those so far).
                if !rows.is_empty() {
                    add(&mut scores[n], &self.score(data, rows));
                }
                weighed.push((n, reward));
            }
            // 3. Find the baseline of each parameter: the mean reward, weighed with the squared scores.
            let b = baseline(weighed.iter().map(|&(n, reward)| (&scores[n][..], reward)));
            // 4. Weigh the scores with the reward above the baseline.
            for (n, reward) in weighed {
                for ((part, g), b) in parts[n].iter_mut().zip(&scores[n]).zip(&b) {
                    *part += g * (reward - b);
                }
            }
        }
        let mut mean = vec![0.0; scores.first().map_or(0, Vec::len)];
        parts.iter().for_each(|part| add(&mut mean, part));
        mean.iter_mut().for_each(|x| *x /= episodes.len() as f64);
        Estimate { returns, scores, parts, gradient: mean }
    }
}

/// Returns for each parameter the baseline b = mean(g² r) / mean(g²) over pairs of a score g and a reward r, with which
/// g (r − b) varies least; 0 where b is not finite.
pub fn baseline<'a>(pairs: impl Iterator<Item = (&'a [f64], f64)>) -> Vec<f64> {
    let mut sums: Vec<(f64, f64)> = Vec::new();
    for (scores, reward) in pairs {
        sums.resize(scores.len(), (0.0, 0.0));
        for (sum, g) in sums.iter_mut().zip(scores) {
            *sum = (sum.0 + g * g * reward, sum.1 + g * g);
        }
    }
    let ratio = |(weighed, weight): (f64, f64)| Some(weighed / weight).filter(|b| b.is_finite()).unwrap_or(0.0);
    sums.into_iter().map(ratio).collect()
}

/// Returns a function of each row, [B, 1], that has the gradient of the log-density, except that the derivative by a
/// log-std is −1 + δ²/σ³ (D24).
fn published(g: &Gaussian, x: &Tensor) -> Tensor {
    let log_std = g.clamped_log_std();
    let (x, mean) = (g.columns(x), g.columns(&g.mean));
    let squares = (&x - mean.detach()).square();
    let of_log_std = -log_std - squares * (log_std * -2.0 - log_std.detach()).exp() * 0.5;
    g.masked(Tensor::gaussian_log_prob(&x, &mean, &log_std.detach()) + of_log_std.sum_columns())
}

impl<P: StatefulPolicy> Algorithm for Reinforce<P> {
    type Policy = P;
    type Buffer = Episodes;

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
    }

    fn update(&mut self, data: &mut Episodes, _: &mut Rng) -> Metrics {
        let estimate = self.estimate(data);
        // 5. Climb along the mean over the episodes.
        match self.settings.optimiser {
            Optimiser::Adam => {
                let descent: Vec<f32> = estimate.gradient.iter().map(|&g| -g as f32).collect();
                self.policy_optimiser.minimize_sum(&mut self.policy, &[descent]);
            }
            Optimiser::Ascent => {
                let (theta, lr) = (self.policy.params_mut().data_mut(), self.policy_optimiser.lr);
                for (theta, g) in theta.iter_mut().zip(&estimate.gradient) {
                    *theta = (*theta as f64 + lr * g) as f32;
                }
                self.policy.params_mut().hold();
            }
        }

        self.updates += 1;
        let norm = |x: &[f64]| dot(x, x).sqrt();
        let n = estimate.returns.len() as f64;
        let episodes = data.episodes();
        let contexts = || {
            let shown =
                episodes.iter().flat_map(|(data, rows)| data.shown(rows, GROUP).into_iter().map(|s| (*data, s.0)));
            shown.map(|(data, rows)| data.policy_context(&rows))
        };
        let first = contexts().next().expect("there is an episode");
        let dist = self.policy.dist(&Context { drawn: None, ..first });
        let mut metrics = vec![
            ("train/discounted_return", estimate.returns.iter().sum::<f64>() / n),
            ("train/score_norm", estimate.scores.iter().map(|g| norm(g)).sum::<f64>() / n),
            ("train/grad_norm", norm(&estimate.gradient)),
            ("train/entropy_loss", -(dist.entropy().item() as f64)),
            ("train/learning_rate", self.policy_optimiser.lr),
            ("train/n_updates", self.updates as f64),
        ];
        metrics.extend(deviations(&dist));
        if self.settings.diagnostics {
            let mut gradients = Gradients::default();
            estimate.parts.iter().for_each(|part| gradients.add(part));
            metrics.extend(gradients.metrics());
            metrics.extend(state_metrics(&self.policy, contexts()).unwrap_or_default());
        }
        data.clear();
        metrics
    }
}

impl<P: StatefulPolicy> State for Reinforce<P> {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { policy, policy_optimiser, settings: _, updates } = self;
        v.child("policy", policy);
        v.child("policy_optimiser", policy_optimiser);
        v.count("updates", updates);
    }
}
