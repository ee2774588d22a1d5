//! What the on-policy algorithms share: values and densities of a rollout, the fit of the value function, and figures.

use super::{GROUP, Mean, Metrics, column, scatter};
use crate::data::Rollout;
use crate::nn::{Adam, Tensor};
use crate::policy::{Context, Critic, Dist, StatefulPolicy};
use crate::rng::Rng;

/// V of every row, and of every row's true next context. Within a chain of rows that is the next row's.
pub fn values(value: &impl Critic, data: &Rollout) -> (Vec<f64>, Vec<f64>) {
    let (mut v, mut v_next) = (vec![0.0; data.len()], vec![0.0; data.len()]);
    for rows in data.groups(GROUP) {
        scatter(&mut v, &rows, &value.value(&data.context(&rows), None));
    }
    let (inner, ends): (Vec<usize>, Vec<usize>) = data.rows().into_iter().partition(|&k| data.next_is_row(k));
    for k in inner {
        v_next[k] = v[k + data.shape().envs];
    }
    for rows in ends.chunks(GROUP) {
        scatter(&mut v_next, rows, &value.value(&data.next_context(rows), None));
    }
    (v, v_next)
}

/// log pi(a, z' | x) of some rows, [rows, 1].
pub fn log_prob(policy: &impl StatefulPolicy, data: &Rollout, rows: &[usize]) -> Tensor {
    policy.dist(&data.context(rows)).log_prob(&data.extended(rows)).joint()
}

/// log pi(a, z' | x) of every row.
pub fn log_probs(policy: &impl StatefulPolicy, data: &Rollout) -> Vec<f64> {
    let mut all = vec![0.0; data.len()];
    for rows in data.groups(GROUP) {
        scatter(&mut all, &rows, &log_prob(policy, data, &rows));
    }
    all
}

/// One step of the value function towards its targets on a minibatch; returns its loss, the mean square.
pub fn value_step(
    value: &mut impl Critic,
    optimiser: &mut Adam,
    data: &Rollout,
    targets: &[f64],
    rows: &[usize],
) -> f64 {
    let target = column(targets, rows);
    let loss = (value.value(&data.context(rows), None) - target).square().mean();
    let result = loss.item() as f64;
    optimiser.minimize(value, &loss);
    result
}

/// `epochs` passes of the value function over shuffled minibatches; returns the mean loss.
pub fn fit_value(
    value: &mut impl Critic,
    optimiser: &mut Adam,
    data: &Rollout,
    targets: &[f64],
    (epochs, minibatch): (usize, usize),
    rng: &mut Rng,
) -> f64 {
    let mut losses = Mean::default();
    for _ in 0..epochs {
        for rows in data.minibatches(minibatch, rng) {
            losses.add(value_step(value, optimiser, data, targets, &rows));
        }
    }
    losses.get()
}

/// Both results; on two threads where there are two. Neither reads what the other writes, so the bits are the same.
pub fn side_by_side<A: Send, B>(threads: usize, a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B) -> (A, B) {
    if threads < 2 {
        return (a(), b());
    }
    std::thread::scope(|scope| {
        let a = scope.spawn(a);
        let b = b();
        (a.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), b)
    })
}

/// The mean standard deviation of the action, and of z' where there is one.
pub fn deviations(dist: &Dist) -> Metrics {
    let std = |log_std: &Tensor| log_std.exp().mean().item() as f64;
    let a = [("train/std", std(&dist.a.log_std))];
    a.into_iter().chain(dist.z.as_ref().map(|z| ("train/state_std", std(&z.log_std)))).collect()
}

/// Gradients that estimate the same one, for instance of minibatches or of episodes.
#[derive(Clone, Debug, Default)]
pub struct Gradients {
    sum: Vec<f64>,
    squares: f64,
    n: usize,
}

impl Gradients {
    /// One more.
    pub fn add<X: Copy + Into<f64>>(&mut self, gradient: &[X]) {
        self.sum.resize(gradient.len(), 0.0);
        for (sum, &x) in self.sum.iter_mut().zip(gradient) {
            *sum += x.into();
            self.squares += x.into().powi(2);
        }
        self.n += 1;
    }

    /// The norm of their mean, and |mean|² / (tr Cov / n): how far the mean stands out of its own noise, where 1 is pure
    /// noise. Cov is the unbiased covariance of one of the n gradients. The ratio is 0 where they do not differ.
    pub fn metrics(&self) -> Metrics {
        let n = self.n as f64;
        let mean = self.sum.iter().map(|x| (x / n).powi(2)).sum::<f64>();
        let variance = (self.squares - n * mean) / (n - 1.0);
        let snr = if variance <= 0.0 || self.n < 2 { 0.0 } else { mean / (variance / n) };
        vec![("grad/norm", mean.sqrt()), ("grad/snr", snr)]
    }
}

/// The magnitude from which an entry of the next state counts as saturated.
const SATURATED: f32 = 0.95;

/// Figures of the mean next state over some contexts: the mean of all entries, the variance of an entry over the samples
/// (mean of all entries), and the share of entries of magnitude 0.95 or more. None without a state.
pub fn state_metrics(policy: &impl StatefulPolicy, contexts: impl Iterator<Item = Context>) -> Option<Metrics> {
    let (mut sum, mut squares, mut saturated, mut rows) = (Vec::new(), 0.0, 0, 0);
    for x in contexts {
        let dist = policy.dist(&x);
        let state = dist.z.map(|z| z.mean).or(dist.h)?;
        sum.resize(state.cols(), 0.0);
        for row in state.data().chunks_exact(state.cols()) {
            for (sum, &x) in sum.iter_mut().zip(row) {
                *sum += x as f64;
                squares += (x as f64).powi(2);
                saturated += usize::from(x.abs() >= SATURATED);
            }
        }
        rows += state.rows();
    }
    let (n, width) = (rows as f64, sum.len() as f64);
    let means = sum.iter().map(|sum| (sum / n).powi(2)).sum::<f64>();
    Some(vec![
        ("state/mean", sum.iter().sum::<f64>() / (n * width)),
        ("state/variance", (squares / n - means) / width),
        ("state/saturation", saturated as f64 / (n * width)),
    ])
}
