//! The latent model of SLAC: what lies behind a sequence of observations, actions and rewards.

use crate::nn::{Activation, Builder, Init, Mlp, Parameters, Params, Real, Size, Tensor};
use crate::policy::context::Sequences;
use crate::rng::Rng;
use crate::state::{State, Visitor};

/// Sizes of a [`LatentModel`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LatentShape {
    /// Entries of the observation.
    pub o: usize,
    /// Entries of the action.
    pub a: usize,
    /// Entries of z¹, whose posterior is a network of its own.
    pub z1: usize,
    /// Entries of z², whose posterior is its prior.
    pub z2: usize,
    /// Width of both hidden layers of each network.
    pub features: usize,
    /// Variance of an entry of the observation around what the model says of it.
    pub variance: f64,
}

/// What is added to each standard deviation, so that none is zero.
const LEAST_STD: f64 = 1e-5;

/// A diagonal Gaussian for each of B samples over n numbers.
#[derive(Clone, Debug)]
pub struct Normal<T: Real = f32> {
    /// The means, [B, n].
    pub mean: Tensor<T>,
    /// The standard deviations, [B, n].
    pub std: Tensor<T>,
}

impl<T: Real> Normal<T> {
    /// Returns the Gaussian for which the outputs `y` of a network stand, [B, 2 n]: means, and then deviations before
    /// softplus.
    fn of(y: &Tensor<T>) -> Self {
        let n = y.cols() / 2;
        Self { mean: y.columns(0..n), std: y.columns(n..2 * n).softplus() + LEAST_STD }
    }

    /// Returns the Gaussians `parts` below each other.
    fn stack(parts: &[Self]) -> Self {
        let stacked = |of: fn(&Self) -> &Tensor<T>| Tensor::stack(&parts.iter().map(of).collect::<Vec<_>>());
        Self { mean: stacked(|x| &x.mean), std: stacked(|x| &x.std) }
    }

    /// Draws mean + std noise, a differentiable function of both.
    fn draw(&self, rng: &mut Rng) -> Tensor<T> {
        let (rows, n) = self.mean.shape();
        let noise = Tensor::with(rows, n, |x| x.iter_mut().for_each(|x| *x = T::of(rng.normal())));
        &self.mean + &self.std * noise
    }

    /// Returns the log-density of each row of `x`, [B, 1].
    fn log_prob(&self, x: &Tensor<T>) -> Tensor<T> {
        Tensor::gaussian_log_prob(x, &self.mean, &self.std.ln())
    }

    /// Returns KL(self || other) for each sample, [B, 1].
    pub fn kl(&self, other: &Self) -> Tensor<T> {
        let ratio = (&self.std / &other.std).square();
        let apart = ((&self.mean - &other.mean) / &other.std).square();
        ((&ratio + apart - ratio.ln() - 1.0) * 0.5).sum_columns()
    }

    /// Returns KL(self || N(0, I)) for each sample, [B, 1].
    pub fn kl_to_standard(&self) -> Tensor<T> {
        let variance = self.std.square();
        ((&variance + self.mean.square() - variance.ln() - 1.0) * 0.5).sum_columns()
    }
}

/// The parts of the negative evidence bound of B windows; the sum over all rows and parts, over B, is the loss.
#[derive(Clone, Debug)]
pub struct Bound<T: Real = f32> {
    /// −log p(x | z) of each observation, [R + B, 1].
    pub observation: Tensor<T>,
    /// −log p(r | z, a, z') of each step, [R, 1].
    pub reward: Tensor<T>,
    /// KL(q(z¹ | ·) ‖ p(z¹ | ·)) of each observation, [R + B, 1].
    pub divergence: Tensor<T>,
}

/// The latent model of SLAC: two latent variables z¹ and z² for each step, with priors that follow from the step
/// before, a posterior that sees the observation as well, and what is seen and earned. Every conditional is a diagonal
/// Gaussian, by a network with two hidden layers and leaky ReLU.
#[derive(Clone, Debug)]
pub struct LatentModel<T: Real = f32> {
    parameters: Parameters<T>,
    layers: Layers,
    shape: LatentShape,
}

#[derive(Clone, Debug)]
struct Layers {
    /// q(z¹ | x) of the first observation of a window.
    first_posterior: Mlp,
    /// q(z¹' | x', z², a).
    posterior: Mlp,
    /// p(z¹' | z², a).
    prior: Mlp,
    /// p(z² | z¹) of the first observation of a window.
    first_second: Mlp,
    /// p(z²' | z¹', z², a).
    second: Mlp,
    /// p(x | z¹, z²).
    observation: Mlp,
    /// p(r | z¹, z², a, z¹', z²').
    reward: Mlp,
}

/// Draws from the posterior, in packed windows.
struct Inferred<T: Real> {
    /// q(z¹ | ·) at each observation of the windows.
    posterior: Vec<Normal<T>>,
    /// z¹ at each observation.
    z1: Vec<Tensor<T>>,
    /// z² at each observation.
    z2: Vec<Tensor<T>>,
}

impl<T: Real> LatentModel<T> {
    /// Makes a model whose parameters are drawn from `rng`.
    pub fn new(shape: LatentShape, rng: &mut Rng) -> Self {
        let mut b = Builder::new(rng);
        let layers = Self::layers(&mut b, &shape);
        Self { parameters: b.finish(), layers, shape }
    }

    /// Returns how large a model is; nothing is made.
    pub fn size(shape: &LatentShape) -> Size {
        let mut b = Builder::<T>::counting();
        Self::layers(&mut b, shape);
        b.size()
    }

    fn layers(b: &mut Builder<'_, T>, shape: &LatentShape) -> Layers {
        let &LatentShape { o, a, z1, z2, features: f, variance: _ } = shape;
        let mut net = |name: &str, inputs: usize, outputs: usize| {
            b.scope(name, |b| Mlp::new(b, &[inputs, f, f, outputs], Activation::LeakyRelu, &[Init::Xavier(1.0); 3]))
        };
        Layers {
            first_posterior: net("first_posterior", o, 2 * z1),
            posterior: net("posterior", o + z2 + a, 2 * z1),
            prior: net("prior", z2 + a, 2 * z1),
            first_second: net("first_second", z1, 2 * z2),
            second: net("second", z1 + z2 + a, 2 * z2),
            observation: net("observation", z1 + z2, o),
            reward: net("reward", 2 * (z1 + z2) + a, 2),
        }
    }

    /// Returns the number of entries of z = (z¹, z²).
    pub fn latents(&self) -> usize {
        self.shape.z1 + self.shape.z2
    }

    fn normal(&self, net: &Mlp, inputs: &[&Tensor<T>]) -> Normal<T> {
        Normal::of(&net.forward(&self.parameters, &Tensor::concat(inputs)))
    }

    /// Draws z¹ and z² at each observation of the windows `s`, step by step, from the posterior.
    fn infer(&self, s: &Sequences<T>, rng: &mut Rng) -> Inferred<T> {
        let layers = &self.layers;
        let mut all = Inferred { posterior: Vec::new(), z1: Vec::new(), z2: Vec::new() };
        let (mut of_o, mut of_a) = (0, 0);
        for (t, &n) in s.counts.iter().enumerate() {
            let o = s.o.rows_of(of_o..of_o + n);
            of_o += n;
            let before = (t > 0).then(|| {
                of_a += n;
                (all.z2[t - 1].rows_of(0..n), s.a.rows_of(of_a - n..of_a))
            });
            let posterior = match &before {
                None => self.normal(&layers.first_posterior, &[&o]),
                Some((z2, a)) => self.normal(&layers.posterior, &[&o, z2, a]),
            };
            let z1 = posterior.draw(rng);
            let second = match &before {
                None => self.normal(&layers.first_second, &[&z1]),
                Some((z2, a)) => self.normal(&layers.second, &[&z1, z2, a]),
            };
            let z2 = second.draw(rng);
            all.posterior.push(posterior);
            all.z1.push(z1);
            all.z2.push(z2);
        }
        all
    }

    /// Returns the negative evidence bound of the windows `s`, with draws from the posterior by `rng`.
    pub fn bound(&self, s: &Sequences<T>, rng: &mut Rng) -> Bound<T> {
        let Inferred { posterior, z1, z2 } = self.infer(s, rng);
        let (layers, steps) = (&self.layers, s.counts.len() - 1);
        let stack = |parts: Vec<Tensor<T>>| Tensor::stack(&parts.iter().collect::<Vec<_>>());
        // What was before each step, and what the step led to.
        let before = |z: &[Tensor<T>]| stack((0..steps).map(|t| z[t].rows_of(0..s.counts[t + 1])).collect());
        let (z1_before, z2_before) = (before(&z1), before(&z2));
        let (z1_after, z2_after) = (stack(z1[1..].to_vec()), stack(z2[1..].to_vec()));
        let prior = self.normal(&layers.prior, &[&z2_before, &s.a]);
        let divergence = [posterior[0].kl_to_standard(), Normal::stack(&posterior[1..]).kl(&prior)];
        let z = Tensor::concat(&[&Tensor::stack(&[&z1[0], &z1_after]), &Tensor::stack(&[&z2[0], &z2_after])]);
        let error = (layers.observation.forward(&self.parameters, &z) - &s.o).square().sum_columns();
        let LatentShape { o, variance, .. } = self.shape;
        let constant = 0.5 * o as f64 * (2.0 * std::f64::consts::PI * variance).ln();
        let reward = self.normal(&layers.reward, &[&z1_before, &z2_before, &s.a, &z1_after, &z2_after]);
        Bound {
            observation: error * (0.5 / variance) + constant,
            reward: -reward.log_prob(&s.r),
            divergence: Tensor::stack(&[&divergence[0], &divergence[1]]),
        }
    }

    /// Draws the latent variables before and after the last step of each window of `s` from the posterior: z and z' =
    /// (z¹, z²), each [B, z1 + z2].
    pub fn ends(&self, s: &Sequences<T>, rng: &mut Rng) -> [Tensor<T>; 2] {
        let Inferred { z1, z2, .. } = self.infer(s, rng);
        // The windows of t steps stand behind all longer ones.
        let longer = |t: usize| s.counts.get(t + 1).copied().unwrap_or(0);
        [1, 0].map(|before| {
            let of = |z: &[Tensor<T>]| {
                let parts = (1..s.counts.len()).rev().map(|t| z[t - before].rows_of(longer(t)..s.counts[t]));
                Tensor::stack(&parts.collect::<Vec<_>>().iter().collect::<Vec<_>>())
            };
            Tensor::concat(&[&of(&z1), &of(&z2)])
        })
    }
}

impl<T: Real> Params<T> for LatentModel<T> {
    fn params(&self) -> &Parameters<T> {
        &self.parameters
    }
    fn params_mut(&mut self) -> &mut Parameters<T> {
        &mut self.parameters
    }
}

impl<T: Real> State for LatentModel<T> {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { parameters, layers: _, shape: _ } = self;
        parameters.visit(v);
    }
}
