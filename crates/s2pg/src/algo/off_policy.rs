//! What SAC and TD3 share: noise, temperatures, and the cutting of a batch into pieces.

use std::ops::Range;

use rayon::prelude::*;

use super::Metrics;
use super::on_policy::{Gradients, state_metrics};
use crate::data::Replay;
use crate::nn::{Adam, Builder, Parameters, Params, Tensor};
use crate::policy::{Critic, Extended, StatefulPolicy};
use crate::rng::Rng;
use crate::state::{State, Visitor};

/// Standard normal numbers for a batch, drawn before it is cut into pieces.
#[derive(Clone, Debug)]
pub struct Noise {
    a: Vec<f32>,
    z: Vec<f32>,
    rows: usize,
}

impl Noise {
    /// For `rows` samples of (a, z').
    pub fn draw(data: &Replay, rows: usize, rng: &mut Rng) -> Self {
        let mut numbers = |n: usize| (0..rows * n).map(|_| rng.normal() as f32).collect();
        Self { a: numbers(data.shape().a), z: numbers(data.z_size()), rows }
    }

    /// Given numbers: [rows, n_a] and [rows, n_z], the latter empty without z.
    pub fn new(rows: usize, a: &[f32], z: &[f32]) -> Self {
        Self { a: a.into(), z: z.into(), rows }
    }

    /// Those of some samples.
    pub fn of(&self, samples: Range<usize>) -> Extended {
        let tensor = |x: &[f32]| {
            let n = x.len() / self.rows;
            Tensor::new(samples.len(), n, &x[samples.start * n..samples.end * n])
        };
        Extended { a: tensor(&self.a), z: (!self.z.is_empty()).then(|| tensor(&self.z)) }
    }
}

/// A positive weight that is learned by its logarithm (D7), so that a mean log-density comes to -target.
#[derive(Clone, Debug)]
pub struct Temperature {
    ln: Scalar,
    optimiser: Adam,
    target: f64,
}

#[derive(Clone, Debug)]
struct Scalar(Parameters<f32>);

impl Params for Scalar {
    fn params(&self) -> &Parameters<f32> {
        &self.0
    }
    fn params_mut(&mut self) -> &mut Parameters<f32> {
        &mut self.0
    }
}

impl Temperature {
    /// Starts at `initial`; `target` is the wanted entropy.
    pub fn new(initial: f64, lr: f64, target: f64) -> Self {
        let mut unused = Rng::new(0, "temperature");
        let mut builder = Builder::new(&mut unused);
        builder.constant("ln", 1, initial.ln());
        let ln = Scalar(builder.finish());
        Self { optimiser: Adam::new(&ln, lr), ln, target }
    }

    /// Its value.
    pub fn value(&self) -> f64 {
        self.ln().exp()
    }

    /// Its logarithm.
    pub fn ln(&self) -> f64 {
        f64::from(self.ln.0.data()[0])
    }

    /// One step on -mean[ln alpha (log_prob + target)]; returns the loss.
    pub fn step(&mut self, log_probs: &[f32]) -> f64 {
        let excess = Tensor::new(log_probs.len(), 1, log_probs) + self.target;
        let loss = -(excess * Tensor::param(&self.ln.0, 0)).mean();
        let result = f64::from(loss.item());
        self.optimiser.minimize(&mut self.ln, &loss);
        result
    }

    /// The gradient of the last step.
    pub fn gradient(&self) -> &[f32] {
        self.optimiser.gradient()
    }
}

impl State for Temperature {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { ln, optimiser, target: _ } = self;
        v.child("ln", &mut ln.0);
        v.child("optimiser", optimiser);
    }
}

/// Rows of a batch that are computed together. A batch is cut into pieces of this size whatever the number of threads,
/// and what the pieces sum to is added in their order: the bits are the same on any number.
const PIECE: usize = 128;

/// The pieces of a batch of `n` rows.
pub(super) fn pieces(n: usize) -> Vec<Range<usize>> {
    (0..n).step_by(PIECE).map(|start| start..n.min(start + PIECE)).collect()
}

/// Threads that work through pieces.
#[derive(Debug)]
pub(super) struct Workers(Option<rayon::ThreadPool>);

impl Workers {
    /// On `threads` threads; on one, nothing is started.
    pub fn new(threads: usize) -> Self {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        // Without threads the work is done by this one.
        Self(if threads > 1 { pool.build().ok() } else { None })
    }

    /// The results of `f`, in the order of the items.
    pub fn map<I: Send, R: Send>(&self, items: impl Iterator<Item = I>, f: impl Fn(I) -> R + Send + Sync) -> Vec<R> {
        match &self.0 {
            None => items.map(f).collect(),
            Some(pool) => {
                let items: Vec<I> = items.collect();
                pool.install(|| items.into_par_iter().map(f).collect())
            }
        }
    }
}

/// One buffer for the gradient of each piece of a batch.
pub(super) fn scratch(network: &impl Params, batch: usize) -> Vec<Vec<f32>> {
    pieces(batch).iter().map(|_| vec![0.0; network.params().data().len()]).collect()
}

/// The least of the critics' values, element by element.
pub(super) fn least(values: impl Iterator<Item = Tensor>) -> Tensor {
    values.reduce(|a, b| a.min(&b)).expect("there is a critic")
}

/// The mean of the critics' values, element by element.
pub(super) fn mean(values: impl ExactSizeIterator<Item = Tensor>) -> Tensor {
    let n = values.len() as f64;
    values.reduce(|a, b| a + b).expect("there is a critic") * (1.0 / n)
}

/// Moves each critic to the targets y on the sampled rows, each on its own thread; returns (loss, norm of the gradient)
/// of each.
pub(super) fn fit_critics<Q: Critic>(
    (critics, optimisers): (&mut [Q], &mut [Adam]),
    data: &Replay,
    (rows, y): (&[usize], &[f32]),
    workers: &Workers,
) -> Vec<(f64, f64)> {
    workers.map(critics.iter_mut().zip(optimisers), |(q, optimiser)| {
        let target = Tensor::new(y.len(), 1, y);
        let loss = (q.value(&data.context(rows), Some(&data.extended(rows))) - target).square().mean();
        (f64::from(loss.item()), optimiser.minimize(q, &loss))
    })
}

/// How many figures [`diagnose`] tells; they are the last of an algorithm's.
pub(super) const DIAGNOSTICS: usize = 5;

/// More about an update: norm and signal-to-noise of the policy's gradient over the pieces of the batch, and mean, variance
/// and saturation of the states that the policy goes to.
pub(super) fn diagnose(policy: &impl StatefulPolicy, data: &Replay, rows: &[usize], gradients: &[Vec<f32>]) -> Metrics {
    let mut parts = Gradients::default();
    gradients.iter().for_each(|g| parts.add(g));
    let mut metrics = parts.metrics();
    // The parts sum to the whole. They are comparable, each as an estimate of its own, where they have as many rows.
    metrics[0].1 *= gradients.len() as f64;
    let comparable = gradients.len() > 1 && rows.len().is_multiple_of(PIECE);
    metrics.truncate(if comparable { 2 } else { 1 });
    metrics.extend(state_metrics(policy, std::iter::once(data.context(rows))).unwrap_or_default());
    metrics
}
