//! A policy and a critic that are learned from an expert's steps: the parts of inverse Q-learning, a step each.

use super::inverse_q::{InverseQ, Side};
use super::off_policy::{Descended, Descent, Piece, PolicyStep, Workers, pieces};
use super::{Noise, Temperature};
use crate::data::Replay;
use crate::nn::Tensor;
use crate::policy::{Critic, StatefulPolicy};
use crate::state::{State, Visitor};

/// The policy and the temperatures with which V is made.
pub(super) struct Soft<'a, P> {
    pub policy: &'a P,
    pub alpha: f64,
    /// The temperature of z', where V has its entropy.
    pub alpha_z: Option<f64>,
}

impl<P: StatefulPolicy> Soft<'_, P> {
    /// Returns V = Q − α log π(a | x) of the piece's states, or with `next` of its next states, with draws from the
    /// policy. Then `stale` is whether the previous action is that of the state before.
    fn v(&self, critic: &impl Critic, piece: &Piece<'_>, noise: &Noise, next: Option<bool>) -> Tensor {
        let (data, rows) = (piece.data, piece.rows);
        let (seen, x) = if let Some(stale) = next {
            let mut x = data.next_context(rows);
            if stale && x.z.is_some() {
                x.a_prev = data.context(rows).a_prev;
            }
            (x.clone(), x)
        } else {
            (data.policy_context(rows), data.context(rows))
        };
        let (u, log_prob) = self.policy.dist(&seen).reparameterised(&noise.of(piece.samples.clone()));
        let v = critic.value(&x, Some(&u)) - log_prob.a * self.alpha;
        self.alpha_z.zip(log_prob.z).map_or(v.clone(), |(alpha, log_prob)| v - log_prob * alpha)
    }
}

/// The figures of a step of the critic.
#[derive(Clone, Debug)]
pub struct CriticStep {
    /// Loss of the critic.
    pub loss: f64,
    /// Norm of the gradient of the loss.
    pub grad_norm: f64,
    /// The means of the terms: that of the expert, that of others, and the regulariser.
    pub terms: [f64; 3],
    /// Q of the stored actions of both sides.
    pub q: Vec<f32>,
    /// V of the states of both sides; empty where the loss does not read it.
    pub v: Vec<f32>,
}

/// The temperatures of a and z', and whether values have the entropy of z'.
#[derive(Clone, Debug)]
pub struct Temperatures {
    /// The temperature of the action.
    pub alpha: Temperature,
    /// The temperature of the next state; None where the policy draws no state.
    pub state_alpha: Option<Temperature>,
    /// Whether values include the entropy of the next state.
    pub in_target: bool,
}

impl Temperatures {
    /// Returns what V is made with.
    fn soft<'a, P>(&self, policy: &'a P) -> Soft<'a, P> {
        let alpha_z = self.state_alpha.as_ref().filter(|_| self.in_target).map(Temperature::value);
        Soft { policy, alpha: self.alpha.value(), alpha_z }
    }
}

/// A policy, a critic with its target network, the temperatures, all optimisers, and the demonstrations.
#[derive(Debug)]
pub struct Learner<P, Q> {
    /// The policy.
    pub policy: P,
    /// The critic.
    pub critic: Q,
    /// The target network of the critic.
    pub target: Q,
    /// The optimiser of the policy.
    pub descent: Descent,
    /// The optimiser of the critic.
    pub critic_descent: Descent,
    /// The temperatures.
    pub temperatures: Temperatures,
    /// The demonstrations, with the states of the policy beside them.
    pub expert: Replay,
    /// The loss of the critic.
    pub loss: InverseQ,
    workers: Workers,
}

impl<P: StatefulPolicy, Q: Critic> Learner<P, Q> {
    /// Makes a learner with new optimisers of the step sizes `lr` and `critic_lr`, for batches of `batch` rows of each
    /// side.
    pub fn new(
        (policy, critic): (P, Q),
        expert: Replay,
        (loss, temperatures): (InverseQ, Temperatures),
        ([lr, critic_lr], batch): ([f64; 2], usize),
        threads: usize,
    ) -> Self {
        Self {
            descent: Descent::of_sides(&policy, lr, batch, 2),
            critic_descent: Descent::of_sides(&critic, critic_lr, batch, 2),
            target: critic.clone(),
            policy,
            critic,
            temperatures,
            expert,
            loss,
            workers: Workers::new(threads.min(4)),
        }
    }

    /// Returns y = γ (1 − terminated) V(x') of the policy's rows and of the expert's, of the target network.
    pub fn next_values(&self, data: &Replay, rows: [&[usize]; 2], noise: &Noise) -> Vec<f32> {
        let (gamma, stale) = (self.loss.gamma as f32, Some(self.loss.stale_a_prev));
        let most = if self.loss.clip_targets { self.loss.largest() as f32 } else { f32::INFINITY };
        let soft = self.temperatures.soft(&self.policy);
        let parts = self.workers.map(pieces(&[(data, rows[0]), (&self.expert, rows[1])]).into_iter(), |piece| {
            let v = soft.v(&self.target, &piece, noise, stale);
            let y =
                |(&k, &v): (&usize, &f32)| if piece.data.terminated(k) { 0.0 } else { gamma * v.clamp(-most, most) };
            piece.rows.iter().zip(v.data()).map(y).collect::<Vec<f32>>()
        });
        parts.concat()
    }

    /// Takes one step of the critic down its loss on the policy's rows and the expert's, where `y` are the next values.
    pub fn critic_step(&mut self, data: &Replay, rows: [&[usize]; 2], y: &[f32], noise: &Noise) -> CriticStep {
        let Self { policy, critic, critic_descent, temperatures, expert, loss, workers, .. } = self;
        let (soft, loss) = (temperatures.soft(&*policy), *loss);
        let batch = [(data, rows[0]), (&*expert, rows[1])];
        let step = critic_descent.descend(critic, &batch, workers, |critic, piece| {
            let q = critic.value(&piece.data.context(piece.rows), Some(&piece.data.extended(piece.rows)));
            let v = loss.reads_v().then(|| soft.v(critic, &piece, noise, None));
            let absorbing: Vec<bool> = piece.rows.iter().map(|&k| piece.data.terminated(k)).collect();
            let [a, b, c] = loss.terms(&Side {
                is_expert: piece.side == 1,
                share: y.len() as f64 / rows[piece.side].len() as f64,
                q: &q,
                y: &y[piece.samples.clone()],
                v: v.as_ref(),
                absorbing: &absorbing,
            });
            let all = [&a, &b, &c].into_iter().flatten().cloned().reduce(|a, b| a + b);
            (all.unwrap_or_else(|| &q * 0.0), [a, b, c, Some(q), v])
        });
        let Descended { loss, grad_norm, kept: [a, b, c, q, v] } = step;
        let terms = [a, b, c].map(|x| x.iter().map(|&x| f64::from(x)).sum::<f64>() / y.len() as f64);
        CriticStep { loss, grad_norm, terms, q, v }
    }

    /// Takes one step of the policy down mean[α log π(a | x) + α_z log π(z' | x) − Q(x, a, z')] in the states of both
    /// sides.
    pub fn policy_step(&mut self, data: &Replay, rows: [&[usize]; 2], noise: &Noise) -> PolicyStep {
        let Self { policy, critic, descent, temperatures, expert, workers, .. } = self;
        let (critic, alpha) = (&*critic, temperatures.alpha.value());
        let alpha_z = temperatures.state_alpha.as_ref().map_or(0.0, Temperature::value);
        let step = descent.descend(policy, &[(data, rows[0]), (&*expert, rows[1])], workers, |policy, piece| {
            let (data, rows, own) = (piece.data, piece.rows, piece.side == 0);
            let dist = policy.dist(&data.policy_context(rows));
            let (u, log_prob) = dist.reparameterised(&noise.of(piece.samples));
            let q = critic.value(&data.context(rows), Some(&u));
            let loss = &log_prob.a * alpha - &q;
            let loss = log_prob.z.iter().fold(loss, |loss, of_z| loss + of_z * alpha_z);
            let of_z = dist.z.zip(log_prob.z).map(|(z, x)| z.of_those_drawn(&x));
            (loss, [own.then_some(log_prob.a), of_z.filter(|_| own), u.z, Some(q)])
        });
        let Descended { loss, grad_norm, kept: [log_prob_a, log_prob_z, z, q] } = step;
        PolicyStep { loss, grad_norm, log_prob_a, log_prob_z, z, q }
    }

    /// Takes one step of both temperatures, from the log-densities of the policy's step, and returns their losses.
    pub fn temperature_step(&mut self, step: &PolicyStep) -> (f64, Option<f64>) {
        let Temperatures { alpha, state_alpha, .. } = &mut self.temperatures;
        (alpha.step(&step.log_prob_a), state_alpha.as_mut().map(|alpha| alpha.step(&step.log_prob_z)))
    }

    /// Lets the target network go the share `tau` of the way to the critic.
    pub fn follow(&mut self, tau: f64) {
        self.target.params_mut().follow(self.critic.params(), tau);
    }

    /// Puts the next states `z` of both sides in place of the stored ones, by the shares `shares`, and returns how
    /// stale the policy's were.
    pub fn refresh(&mut self, data: &mut Replay, rows: [&[usize]; 2], z: &[f32], shares: [f64; 2]) -> Option<f64> {
        let (own, other) = z.split_at(z.len() * rows[0].len() / (rows[0].len() + rows[1].len()));
        self.expert.refresh(rows[1], other, shares[1]);
        data.refresh(rows[0], own, shares[0])
    }
}

impl<P: StatefulPolicy, Q: Critic> State for Learner<P, Q> {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { policy, critic, target, descent, critic_descent, temperatures, expert, loss: _, workers: _ } = self;
        v.child("policy", policy);
        v.enter("critics");
        v.child("0", critic);
        v.leave();
        v.child("target", target);
        v.child("policy_optimiser", &mut descent.optimiser);
        v.child("critic_optimiser", &mut critic_descent.optimiser);
        v.child("alpha", &mut temperatures.alpha);
        if let Some(alpha) = &mut temperatures.state_alpha {
            v.child("state_alpha", alpha);
        }
        v.child("expert", expert);
    }
}
