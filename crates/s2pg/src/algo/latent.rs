//! A latent model that learns from windows of a replay buffer, and what it infers of them.

use super::Metrics;
use super::off_policy::{Descended, Descent, PIECE, Workers, pieces};
use crate::data::Replay;
use crate::nn::Tensor;
use crate::policy::{Bound, Context, LatentModel};
use crate::rng::Rng;
use crate::state::{State, Visitor};

/// Windows of a batch, by their last rows, the longest first, with a stream of noise for each piece of the batch.
#[derive(Clone, Debug)]
pub struct Windows {
    /// The last rows of the windows.
    pub rows: Vec<usize>,
    noise: Vec<Rng>,
}

impl Windows {
    /// Draws `n` windows.
    pub fn draw(data: &mut Replay, n: usize, rng: &mut Rng) -> Self {
        let mut rows = data.sample(n, rng);
        data.longest_first(&mut rows);
        Self { noise: (0..rows.len().div_ceil(PIECE)).map(|_| rng.split()).collect(), rows }
    }
}

/// Latent states of a batch, a row for each window.
#[derive(Clone, Debug)]
pub struct Latents {
    numbers: Vec<f32>,
    width: usize,
}

impl Latents {
    /// Takes given numbers as the latent states of a batch, each of `width` entries, row after row.
    pub fn new(numbers: Vec<f32>, width: usize) -> Self {
        Self { numbers, width }
    }

    /// Returns what a critic of latent states is shown of the samples `samples` of the batch.
    pub fn of(&self, samples: std::ops::Range<usize>) -> Context {
        let n = self.width;
        Context::of(Tensor::new(samples.len(), n, &self.numbers[samples.start * n..samples.end * n]))
    }
}

/// A latent model with its optimiser.
#[derive(Debug)]
pub struct Latent {
    /// The model.
    pub model: LatentModel,
    /// The optimiser of the model, and the gradients of its last batch.
    pub descent: Descent,
}

impl Latent {
    /// Makes a new optimiser of the step size `lr` for `model` and batches of at most `batch` windows.
    pub fn new(model: LatentModel, lr: f64, batch: usize) -> Self {
        Self { descent: Descent::new(&model, lr, batch), model }
    }

    /// Takes one step of the model down the negative evidence bound of the windows, and returns figures of the step.
    pub(super) fn step(&mut self, data: &Replay, windows: &Windows, workers: &Workers) -> Metrics {
        let Windows { rows, noise } = windows;
        let step = self.descent.descend(&mut self.model, &[(data, rows)], workers, |model, piece| {
            let mut rng = noise[piece.samples.start / PIECE].clone();
            let Bound { observation, reward, divergence } = model.bound(&data.sequences(piece.rows), &mut rng);
            let parts = [observation, reward, divergence].map(|part| part.sum());
            (&parts[0] + &parts[1] + &parts[2], parts.map(Some))
        });
        let Descended { loss, grad_norm, kept } = step;
        let sums = kept.map(|part| part.iter().map(|&x| f64::from(x)).sum::<f64>());
        let names = ["model/observation_loss", "model/reward_loss", "model/divergence"];
        let parts = names.into_iter().zip(sums.map(|sum| sum / rows.len() as f64));
        [("model/loss", loss), ("model/grad_norm", grad_norm)].into_iter().chain(parts).collect()
    }

    /// Draws the latent states z and z' before and after the last step of each window from the model's posterior.
    pub(super) fn ends(&self, data: &Replay, windows: &Windows, workers: &Workers) -> [Latents; 2] {
        let Windows { rows, noise } = windows;
        let parts = workers.map(pieces(&[(data, rows)]).into_iter(), |piece| {
            let mut rng = noise[piece.samples.start / PIECE].clone();
            self.model.ends(&data.sequences(piece.rows), &mut rng).map(|z| z.data().to_vec())
        });
        let (z, next): (Vec<_>, Vec<_>) = parts.into_iter().map(|[z, next]| (z, next)).unzip();
        [z.concat(), next.concat()].map(|numbers| Latents::new(numbers, self.model.latents()))
    }
}

impl State for Latent {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { model, descent } = self;
        v.child("model", model);
        v.child("model_optimiser", &mut descent.optimiser);
    }
}
