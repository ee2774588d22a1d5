//! Figures of gradients, states and standard deviations, which describe an update and change nothing in it.

use super::Metrics;
use super::off_policy::{Batch, pieces};
use crate::nn::Tensor;
use crate::policy::{Context, Dist, StatefulPolicy};

/// The mean of a figure over minibatches.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mean {
    sum: f64,
    n: usize,
}

impl Mean {
    pub fn add(&mut self, x: f64) {
        self.sum += x;
        self.n += 1;
    }
    pub fn get(self) -> f64 {
        self.sum / self.n.max(1) as f64
    }
}

/// Returns the mean standard deviation of the action, and that of z' where the policy draws a state.
pub fn deviations(dist: &Dist) -> Metrics {
    let std = |log_std: &Tensor| log_std.exp().mean().item() as f64;
    let a = [("train/std", std(dist.a.clamped_log_std()))];
    a.into_iter().chain(dist.z.as_ref().map(|z| ("train/state_std", std(z.clamped_log_std())))).collect()
}

/// Sums over several estimates of one gradient, for instance the gradients of minibatches or of episodes.
#[derive(Clone, Debug, Default)]
pub struct Gradients {
    sum: Vec<f64>,
    squares: f64,
    n: usize,
}

impl Gradients {
    /// Adds one estimate of the gradient.
    pub fn add<X: Copy + Into<f64>>(&mut self, gradient: &[X]) {
        self.sum.resize(gradient.len(), 0.0);
        for (sum, &x) in self.sum.iter_mut().zip(gradient) {
            *sum += x.into();
            self.squares += x.into().powi(2);
        }
        self.n += 1;
    }

    /// Returns the norm of the mean estimate, and the ratio |mean|² / (tr Cov / n), which tells how far the mean stands
    /// out of its own noise: 1 is pure noise. Cov is the unbiased covariance of one of the n estimates. The ratio is 0
    /// where all estimates are equal, or where there are fewer than two.
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

/// Returns figures of the mean next state over the samples of `contexts`: the mean of all entries, the variance of an
/// entry over the samples (averaged over the entries), and the share of entries of magnitude 0.95 or more. None where
/// the policy carries no state.
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

/// Defines the method `figures` of an off-policy algorithm: the figures that are listed, and with `diagnostics` those
/// that [`diagnose`] returns as well.
macro_rules! figures {
    ($($name:literal),+ $(,)?) => {
        fn figures(&self) -> &'static [&'static str] {
            const ALL: &[&str] =
                &[$($name,)+ "grad/norm", "grad/snr", "state/mean", "state/variance", "state/saturation"];
            if self.settings.diagnostics { ALL } else { &ALL[..ALL.len() - 5] }
        }
    };
}
pub(super) use figures;

/// Returns more figures of an update: norm and signal-to-noise ratio of the policy's gradient over the pieces of the
/// batch, and mean, variance and saturation of the next states.
pub(super) fn diagnose(policy: &impl StatefulPolicy, batch: &Batch<'_>, gradients: &[Vec<f32>]) -> Metrics {
    let (mut parts, pieces) = (Gradients::default(), pieces(batch));
    let gradients = &gradients[..pieces.len()];
    gradients.iter().for_each(|g| parts.add(g));
    let mut metrics = parts.metrics();
    // The gradients of the pieces add up to that of the batch. Each is an estimate of its own only where all pieces
    // have the same number of rows.
    metrics[0].1 *= gradients.len() as f64;
    let comparable = pieces.len() > batch.len() && pieces.iter().all(|p| p.rows.len() == pieces[0].rows.len());
    metrics.truncate(if comparable { 2 } else { 1 });
    let contexts = batch.iter().map(|(data, rows)| data.policy_context(rows));
    metrics.extend(state_metrics(policy, contexts).unwrap_or_default());
    metrics
}
