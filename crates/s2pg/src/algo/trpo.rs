//! Trust-region policy optimisation (TRPO) over the extended action (Lemma A.1 of the paper). The book has a page about
//! it.

use super::figures::{Gradients, deviations, state_metrics};
use super::fisher::{add, conjugate_gradients, dot, fisher_product};
use super::gae::{explained_variance, gae, normalise};
use super::on_policy::{GROUP, column, fit_value, side_by_side, values};
use super::recipe::{Extent, Recipe, Row, shared, within};
use super::settings::settings;
use super::{Algorithm, Metrics, Progress, Schedule, Scheduled};
use crate::data::Rollout;
use crate::nn::{Adam, Real, Tensor, gradient};
use crate::plan::{Plan, PlanError, Published};
use crate::policy::{Actor, Context, Critic, Dist, Extended, StatefulPolicy, Value};
use crate::rng::Rng;
use crate::state::{State, Visitor};

settings! {
    /// The settings of TRPO. Settings that PPO has as well have the defaults of PPO.
    "trpo" {
        /// Number of transitions in an update, of all environments together.
        steps: usize = 2000, AtLeastTwo;
        /// Number of passes of the value function over the transitions.
        value_epochs: usize = 10, AtLeastOne;
        /// Number of transitions in a minibatch of the value function.
        minibatch: usize = 32, AtLeastOne;
        /// Step size of the value function.
        value_lr: Scheduled = Scheduled::Constant(5e-5), PositiveUpTo(1);
        /// Discount factor γ of future rewards.
        gamma: f64 = 0.99, Fraction;
        /// Weight λ of advantages over more steps (GAE).
        lambda: f64 = 0.95, Fraction;
        /// How far the policy may move in an update: the largest mean KL divergence of (a, z').
        kl: f64 = 0.01, PositiveUpTo(1_000_000);
        /// Number that is added to the diagonal of the Fisher matrix.
        damping: f64 = 0.1, UpTo(1_000_000);
        /// Number of iterations of conjugate gradients.
        cg_iterations: usize = 10, AtLeastOne;
        /// Factor by which a step that fails the tests of the line search is shortened.
        backtrack: f64 = 0.8, InnerFraction;
        /// Number of steps that are tried in the line search, the full step included.
        backtracks: usize = 10, AtLeastOne;
    }
    planned {
        /// Whether an update returns figures of gradients and states. The experiment sets it.
        diagnostics: bool;
    }
}

impl Recipe for Settings {
    const ROWS: &'static [Row] = &[Row {
        name: "trpo",
        about: "trust-region policy optimisation, on-policy",
        base: |_| String::new(),
        published: Published::ON_POLICY,
    }];
    type Algorithm = Trpo<Actor, Value>;

    fn schedule(&self) -> Schedule {
        Schedule::OnPolicy { steps: self.steps }
    }

    fn check(&self, _: &Row, run: Extent) -> Result<(), String> {
        self.limits()?;
        within("trpo", self.minibatch, self.steps)?;
        shared("trpo.steps", self.steps, "transitions", run)
    }

    fn policy(&self, plan: &Plan) -> Result<Actor, PlanError> {
        Ok(plan.gaussian_policy())
    }

    fn build(&self, _: &Row, plan: &Plan) -> Result<(Trpo<Actor, Value>, Rollout), PlanError> {
        let settings = Self { diagnostics: plan.diagnostics, ..self.clone() };
        let algorithm = Trpo::new(self.policy(plan)?, plan.value(), settings, plan.threads);
        Ok((algorithm, plan.rollout(self.steps, "trpo.steps")?))
    }
}

/// TRPO: a policy, and a value function with its optimiser.
#[derive(Clone, Debug)]
pub struct Trpo<P, V> {
    policy: P,
    value: V,
    value_optimiser: Adam,
    settings: Settings,
    updates: usize,
    threads: usize,
}

/// Rows that are shown together, with their distributions and log-densities before the step.
struct Group {
    x: Context,
    u: Extended,
    old: Dist,
    log_prob: Tensor,
    advantage: Tensor,
}

/// The end of a line search: improvement and divergence, and the fraction of the full step.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    improvement: f64,
    kl: f64,
    fraction: f64,
}

impl<P: StatefulPolicy, V: Critic> Trpo<P, V> {
    /// Makes TRPO with a new optimiser. Where `threads` is at least 2, policy and value function are moved side by
    /// side; the result is the same on one thread.
    pub fn new(policy: P, value: V, settings: Settings, threads: usize) -> Self {
        let value_optimiser = Adam::new(&value, settings.value_lr.at(Progress::START));
        Self { policy, value, value_optimiser, settings, updates: 0, threads }
    }

    /// Returns the value function.
    pub fn value(&self) -> &V {
        &self.value
    }
}

fn group<P: StatefulPolicy>(policy: &P, data: &Rollout, advantages: &[f64], rows: &[usize]) -> Group {
    let (x, u) = (data.policy_context(rows), data.extended(rows));
    let old = policy.dist(&x).detach();
    let log_prob = old.log_prob(&u).joint();
    Group { x, u, old, log_prob, advantage: column(advantages, rows) }
}

/// Returns the sum of ρ A over the samples with ρ = exp(`log_prob` − `old`), the density ratio of a and z' together.
pub fn surrogate<T: Real>(log_prob: &Tensor<T>, old: &Tensor<T>, advantage: &Tensor<T>) -> Tensor<T> {
    ((log_prob - old).exp() * advantage).sum()
}

/// Returns the mean of ρ A, and the mean KL divergence of the policy's distribution from the old one.
fn measure(policy: &impl StatefulPolicy, groups: &[Group], samples: f64) -> (f64, f64) {
    let (mut l, mut kl) = (0.0, 0.0);
    for g in groups {
        let dist = policy.dist(&g.x);
        l += surrogate(&dist.log_prob(&g.u).joint(), &g.log_prob, &g.advantage).item() as f64 / samples;
        kl += g.old.kl(&dist).sum().item() as f64 / samples;
    }
    (l, kl)
}

impl<P: StatefulPolicy, V: Critic> Algorithm for Trpo<P, V> {
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
        self.value_optimiser.lr = self.settings.value_lr.at(now);
    }

    fn update(&mut self, rollout: &mut Rollout, rng: &mut Rng) -> Metrics {
        let rows = rollout.rows();
        let samples = rows.len() as f64;
        let mut value_rng = rng.split();
        let mut gradients = Gradients::default();

        // 1. Value every context, and the true next context where a chain of rows ends.
        let (v, v_next) = values(&self.value, rollout);
        // 2. Estimate advantages and value targets (GAE).
        let gae = gae(rollout, &v, &v_next, self.settings.gamma, self.settings.lambda);
        // 3. Normalise the advantages over the rollout.
        let mut advantages = gae.advantages;
        normalise(&mut advantages, &rows);

        let data = &*rollout;
        let Self { policy, value, value_optimiser, settings, .. } = self;
        let s = &*settings;
        // 4. Fit the value function to its targets, in shuffled minibatches.
        let passes = (s.value_epochs, s.minibatch);
        let fit_value = || fit_value(value, value_optimiser, data, &gae.targets, passes, &mut value_rng);
        let move_policy = || {
            // 5. Remember the distribution of every row, and the log-density of every (a, z').
            let groups: Vec<Group> =
                data.policy_groups(GROUP).iter().map(|rows| group(policy, data, &advantages, rows)).collect();
            // 6. Take the gradient of L, the mean of advantages weighed with the ratio of (a, z').
            let mut ascent = vec![0.0; policy.params().data().len()];
            for g in &groups {
                let log_prob = policy.dist(&g.x).log_prob(&g.u).joint();
                let part = gradient(&surrogate(&log_prob, &g.log_prob, &g.advantage), policy);
                if s.diagnostics {
                    let rows = g.advantage.rows() as f32;
                    gradients.add(&part.iter().map(|x| x / rows).collect::<Vec<_>>());
                }
                add(&mut ascent, &part);
            }
            ascent.iter_mut().for_each(|x| *x /= samples);
            // 7. Solve (F + damping) x = the gradient, F the Fisher matrix of (a, z'), by conjugate gradients.
            let contexts: Vec<Context> = groups.iter().map(|g| g.x.clone()).collect();
            let damped = |v: &[f64]| -> Vec<f64> {
                let product = fisher_product(policy, &contexts, v);
                product.iter().zip(v).map(|(fv, v)| fv + s.damping * v).collect()
            };
            let (x, product) = conjugate_gradients(damped, &ascent, s.cg_iterations);
            // 8. Scale the step so that its divergence would be kl, were it quadratic.
            let full = (2.0 * s.kl / (dot(&x, &product) - s.damping * dot(&x, &x))).sqrt();
            // 9. Shorten it until L improves and the divergence is at most kl; where no step does, stay.
            let theta = policy.params().data().to_vec();
            let before = measure(policy, &groups, samples).0;
            let mut step = Step::default();
            let tries = if full.is_finite() { s.backtracks } else { 0 };
            for tried in 0..tries {
                let fraction = s.backtrack.powi(tried as i32);
                let moved = theta.iter().zip(&x).map(|(theta, x)| (*theta as f64 + fraction * full * x) as f32);
                policy.params_mut().data_mut().iter_mut().zip(moved).for_each(|(theta, moved)| *theta = moved);
                policy.params_mut().hold();
                let (l, kl) = measure(policy, &groups, samples);
                step = Step { improvement: l - before, kl, fraction };
                if step.improvement > 0.0 && kl <= s.kl {
                    break;
                }
                policy.params_mut().data_mut().copy_from_slice(&theta);
                step = Step::default();
            }
            (step, before, dot(&ascent, &ascent).sqrt())
        };
        let (value_loss, (step, before, grad_norm)) = side_by_side(self.threads, fit_value, move_policy);

        self.updates += 1;
        let dist = self.policy.dist(&Context { drawn: None, ..data.policy_context(&rows[..1]) });
        let mut metrics = vec![
            ("train/policy_objective", before + step.improvement),
            ("train/surrogate_improvement", step.improvement),
            ("train/kl_divergence", step.kl),
            ("train/step_fraction", step.fraction),
            ("train/is_line_search_success", f64::from(u8::from(step.fraction > 0.0))),
            ("train/value_loss", value_loss),
            ("train/entropy_loss", -(dist.entropy().item() as f64)),
            ("train/explained_variance", explained_variance(&rows, &v, &gae.targets)),
            ("train/grad_norm", grad_norm),
            ("train/learning_rate", self.value_optimiser.lr),
            ("train/n_updates", self.updates as f64),
        ];
        metrics.extend(deviations(&dist));
        if self.settings.diagnostics {
            metrics.extend(gradients.metrics());
            let contexts = data.policy_groups(GROUP).into_iter().map(|rows| data.policy_context(&rows));
            metrics.extend(state_metrics(&self.policy, contexts).unwrap_or_default());
        }
        rollout.clear();
        metrics
    }
}

impl<P: StatefulPolicy, V: Critic> State for Trpo<P, V> {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { policy, value, value_optimiser, settings: _, updates, threads: _ } = self;
        v.child("policy", policy);
        v.child("value", value);
        v.child("value_optimiser", value_optimiser);
        v.count("updates", updates);
    }
}
