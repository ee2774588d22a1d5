//! What the off-policy algorithms share: noise, critics with their target networks, and the cutting of a batch into
//! pieces.

use std::ops::Range;

use rayon::prelude::*;

use crate::data::Replay;
use crate::nn::{Adam, Params, Tensor, gradient_into};
use crate::policy::{Context, Critic, Extended};
use crate::rng::Rng;
use crate::state::{State, Visitor};

/// Standard normal numbers for the samples of a batch, drawn before the batch is cut into pieces.
#[derive(Clone, Debug)]
pub struct Noise {
    a: Vec<f32>,
    z: Vec<f32>,
    rows: usize,
}

impl Noise {
    /// Draws the noise of `rows` samples of (a, z'), with the sizes that `data` has.
    pub fn draw(data: &Replay, rows: usize, rng: &mut Rng) -> Self {
        let mut numbers = |n: usize| (0..rows * n).map(|_| rng.normal() as f32).collect();
        let (a, z) = data.drawn();
        Self { a: numbers(a), z: numbers(z), rows }
    }

    /// Takes given numbers as the noise of `rows` samples: `a`, [rows, n_a], and `z`, [rows, n_z]; `z` is empty where
    /// the policy draws no state.
    pub fn new(rows: usize, a: &[f32], z: &[f32]) -> Self {
        Self { a: a.into(), z: z.into(), rows }
    }

    /// Returns the noise of the samples `samples` of the batch.
    pub fn of(&self, samples: Range<usize>) -> Extended {
        let tensor = |x: &[f32]| {
            let n = x.len() / self.rows;
            Tensor::new(samples.len(), n, &x[samples.start * n..samples.end * n])
        };
        Extended { a: tensor(&self.a), z: (!self.z.is_empty()).then(|| tensor(&self.z)) }
    }
}

/// Number of rows of a batch that are computed together. A batch is cut into pieces of this size whatever the number of
/// threads, and sums over pieces are added in the order of the pieces, so that any number of threads gives the same
/// bits.
pub(super) const PIECE: usize = 128;

/// A batch: rows of one replay buffer, or of several, one after the other.
pub(super) type Batch<'a> = [(&'a Replay, &'a [usize])];

/// A part of a batch, from one buffer.
pub(super) struct Piece<'a> {
    /// The buffer.
    pub data: &'a Replay,
    /// The place of the buffer in the batch.
    pub side: usize,
    /// The rows of the replay buffer that the piece holds.
    pub rows: &'a [usize],
    /// The places of these rows in the batch.
    pub samples: Range<usize>,
}

/// Cuts a batch into pieces.
pub(super) fn pieces<'a>(batch: &Batch<'a>) -> Vec<Piece<'a>> {
    let (mut pieces, mut start) = (Vec::new(), 0);
    for (side, &(data, rows)) in batch.iter().enumerate() {
        for rows in rows.chunks(data.together(rows, PIECE)) {
            pieces.push(Piece { data, side, rows, samples: start..start + rows.len() });
            start += rows.len();
        }
    }
    pieces
}

/// Threads that work through the pieces of a batch.
#[derive(Debug)]
pub(super) struct Workers(Option<rayon::ThreadPool>);

impl Workers {
    /// Starts `threads` threads; where `threads` is 1, nothing is started and the calling thread works.
    pub fn new(threads: usize) -> Self {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        // Where no threads can be started, the calling thread works.
        Self(if threads > 1 { pool.build().ok() } else { None })
    }

    /// Returns the results of `f`, in the order of the items.
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

/// Moves a network down the gradient of a loss over a batch, piece by piece.
#[derive(Debug)]
pub struct Descent {
    /// The optimiser that moves the network.
    pub optimiser: Adam,
    /// The gradient of each piece of the last batch; these add up to the gradient of the batch.
    pub gradients: Vec<Vec<f32>>,
}

/// The figures of a step down a loss.
pub(super) struct Descended<const N: usize> {
    /// The loss of the batch.
    pub loss: f64,
    /// The norm of the gradient of the loss.
    pub grad_norm: f64,
    /// The columns that the loss kept of each sample; empty where nothing was kept.
    pub kept: [Vec<f32>; N],
}

/// The figures of a step of a policy that is drawn from, and what was drawn for it.
#[derive(Clone, Debug)]
pub struct PolicyStep {
    /// Loss of the policy.
    pub loss: f64,
    /// Norm of the gradient of the loss.
    pub grad_norm: f64,
    /// log π(a | x) of the drawn actions.
    pub log_prob_a: Vec<f32>,
    /// log π(z' | x) of those next states that are drawn.
    pub log_prob_z: Vec<f32>,
    /// The next states, [rows, n_z].
    pub z: Vec<f32>,
    /// The critic's value of each draw, the lesser where there are two.
    pub q: Vec<f32>,
}

impl Descent {
    /// Makes a new optimiser with the step size `lr` for `network`, and room for the gradients of batches of at most
    /// `batch` rows.
    pub(super) fn new(network: &impl Params, lr: f64, batch: usize) -> Self {
        let zeros = vec![0.0; network.params().data().len()];
        Self { optimiser: Adam::new(network, lr), gradients: vec![zeros; batch.div_ceil(PIECE)] }
    }

    /// Makes a new optimiser as [`new`](Self::new) does, for batches of at most `batch` rows from each of `sides`
    /// buffers.
    pub(super) fn of_sides(network: &impl Params, lr: f64, batch: usize, sides: usize) -> Self {
        Self::new(network, lr, sides * batch.next_multiple_of(PIECE))
    }

    /// Takes one step of `network` down the mean over `batch` of `loss`. For a piece of the batch, `loss` returns the
    /// loss of each row, [rows, 1], and N columns to keep.
    pub(super) fn descend<P: Params + Sync, const N: usize>(
        &mut self,
        network: &mut P,
        batch: &Batch<'_>,
        workers: &Workers,
        loss: impl Fn(&P, Piece<'_>) -> (Tensor, [Option<Tensor>; N]) + Send + Sync,
    ) -> Descended<N> {
        let (now, pieces) = (&*network, pieces(batch));
        let rows = pieces.last().map_or(0, |piece| piece.samples.end);
        let parts = workers.map(pieces.into_iter().zip(&mut self.gradients), |(piece, gradient)| {
            let (loss, kept) = loss(now, piece);
            let mean = loss.sum() * (1.0 / rows as f64);
            gradient_into(&mean, now, gradient);
            (f64::from(mean.item()), kept.map(|x| x.map_or(Vec::new(), |x| x.data().to_vec())))
        });
        let used = parts.len();
        let (mut loss, mut kept) = (0.0, std::array::from_fn(|_| Vec::new()));
        for (part, columns) in parts {
            loss += part;
            kept.iter_mut().zip(columns).for_each(|(all, column): (&mut Vec<f32>, _)| all.extend(column));
        }
        Descended { loss, grad_norm: self.optimiser.minimize_sum(network, &self.gradients[..used]), kept }
    }
}

/// Returns the targets y = r + γ (1 − terminated) v of the rows `rows`, where `v` returns v of each row of a piece,
/// [rows, 1].
pub(super) fn bellman(
    data: &Replay,
    rows: &[usize],
    gamma: f64,
    workers: &Workers,
    v: impl Fn(Piece<'_>) -> Tensor + Send + Sync,
) -> Vec<f32> {
    let gamma = gamma as f32;
    let parts = workers.map(pieces(&[(data, rows)]).into_iter(), |piece| {
        let rows = piece.rows;
        let y = |(&k, &v): (&usize, &f32)| data.r(k) + if data.terminated(k) { 0.0 } else { gamma * v };
        rows.iter().zip(v(piece).data()).map(y).collect::<Vec<f32>>()
    });
    parts.concat()
}

/// Critics that are action-value functions, the target networks that follow them, and their optimisers.
#[derive(Clone, Debug)]
pub struct Critics<Q> {
    /// The critics.
    pub online: Vec<Q>,
    /// The target network of each critic.
    pub targets: Vec<Q>,
    /// The optimiser of each critic.
    pub optimisers: Vec<Adam>,
    tau: f64,
}

impl<Q: Critic> Critics<Q> {
    /// Makes new optimisers with the step size `lr` for the critics `online`. The target networks start as copies of
    /// the critics, and go the share `tau` of the way to the critics at each `follow`.
    pub fn new(online: Vec<Q>, lr: f64, tau: f64) -> Self {
        let optimisers = online.iter().map(|q| Adam::new(q, lr)).collect();
        Self { targets: online.clone(), online, optimisers, tau }
    }

    /// Sets the step size of the critics.
    pub(super) fn set_lr(&mut self, lr: f64) {
        self.optimisers.iter_mut().for_each(|optimiser| optimiser.lr = lr);
    }

    /// Takes one step of each critic towards the targets `y` of the rows `rows`, each critic on a thread of its own.
    /// Returns for each critic the loss, the mean of (Q(x, u) − y)², and the norm of its gradient.
    pub(super) fn fit(&mut self, data: &Replay, rows: &[usize], y: &[f32], workers: &Workers) -> Vec<(f64, f64)> {
        self.fit_shown(|| data.context(rows), data, rows, y, workers)
    }

    /// Takes one step of each critic as [`fit`](Self::fit) does, where the critics are shown what `x` returns of the
    /// rows.
    pub(super) fn fit_shown(
        &mut self,
        x: impl Fn() -> Context + Send + Sync,
        data: &Replay,
        rows: &[usize],
        y: &[f32],
        workers: &Workers,
    ) -> Vec<(f64, f64)> {
        workers.map(self.online.iter_mut().zip(&mut self.optimisers), |(q, optimiser)| {
            let target = Tensor::new(y.len(), 1, y);
            let loss = (q.value(&x(), Some(&data.extended(rows))) - target).square().mean();
            (f64::from(loss.item()), optimiser.minimize(q, &loss))
        })
    }

    /// Moves each target network the share `tau` of the way to its critic.
    pub(super) fn follow(&mut self, workers: &Workers) {
        let tau = self.tau;
        let pairs = self.targets.iter_mut().zip(&self.online);
        workers.map(pairs, |(target, critic)| target.params_mut().follow(critic.params(), tau));
    }
}

impl<Q: Critic> State for Critics<Q> {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { online, targets, optimisers, tau: _ } = self;
        v.child("critics", online);
        v.child("targets", targets);
        v.child("critic_optimisers", optimisers);
    }
}

/// Returns the least of the critics' values of each sample, [B, 1].
pub(super) fn least<Q: Critic>(critics: &[Q], x: &Context, u: &Extended) -> Tensor {
    let values = critics.iter().map(|critic| critic.value(x, Some(u)));
    values.reduce(|a, b| a.min(&b)).expect("there is a critic")
}

/// Returns the mean of the critics' values of each sample, [B, 1].
pub(super) fn mean<Q: Critic>(critics: &[Q], x: &Context, u: &Extended) -> Tensor {
    let values = critics.iter().map(|critic| critic.value(x, Some(u)));
    values.reduce(|a, b| a + b).expect("there is a critic") * (1.0 / critics.len() as f64)
}

/// Returns the mean of the numbers `x`.
pub(super) fn average(x: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = x.len() as f64;
    x.sum::<f64>() / n
}
