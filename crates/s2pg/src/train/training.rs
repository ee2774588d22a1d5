//! A training run as its driver sees it, whatever the algorithm.

use crate::algo::Metrics;
use crate::env::{Env, EnvError, EnvSpec, Episode};
use crate::nn::{Parameters, Standardiser};
use crate::state::{Data, State, Visitor};

/// Why training stopped.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// An environment failed, or failed too often.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// A number left the finite ones. The last checkpoint is from before.
    #[error("training diverged at step {step}: {what}; the last checkpoint is intact, lower the learning rate")]
    Diverged {
        /// Environment steps so far.
        step: usize,
        /// The figure and its value.
        what: String,
    },
}

/// The last hundred finished episodes: what `rollout/ep_rew_mean` is the mean of.
#[derive(Clone, Debug)]
pub struct Episodes {
    r: Vec<f64>,
    length: Vec<f64>,
    count: usize,
}

const KEPT: usize = 100;

impl Episodes {
    /// None yet.
    pub fn new() -> Self {
        Self { r: vec![0.0; KEPT], length: vec![0.0; KEPT], count: 0 }
    }

    /// One more.
    pub fn add(&mut self, episode: &Episode) {
        self.r[self.count % KEPT] = episode.r;
        self.length[self.count % KEPT] = episode.length as f64;
        self.count += 1;
    }

    /// Episodes finished in all.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Mean return and mean length of the last hundred; None before the first.
    pub fn means(&self) -> Option<(f64, f64)> {
        let n = self.count.min(KEPT);
        let mean = |x: &[f64]| x[..n].iter().sum::<f64>() / n as f64;
        (n > 0).then(|| (mean(&self.r), mean(&self.length)))
    }
}

impl Default for Episodes {
    fn default() -> Self {
        Self::new()
    }
}

impl State for Episodes {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { r, length, count } = self;
        v.item("r", Data::F64(r));
        v.item("length", Data::F64(length));
        v.count("count", count);
    }
}

/// The episodes of an evaluation.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// In the order of their environments.
    pub episodes: Vec<Episode>,
}

impl Evaluation {
    /// Mean of a figure over the episodes.
    fn mean(&self, f: impl Fn(&Episode) -> f64) -> f64 {
        self.episodes.iter().map(f).sum::<f64>() / self.episodes.len() as f64
    }

    /// Mean return.
    pub fn mean_return(&self) -> f64 {
        self.mean(|e| e.r)
    }

    /// Standard deviation of the return over the episodes.
    pub fn std_return(&self) -> f64 {
        let mean = self.mean_return();
        self.mean(|e| (e.r - mean).powi(2)).sqrt()
    }

    /// Mean length in steps.
    pub fn mean_length(&self) -> f64 {
        self.mean(|e| e.length as f64)
    }

    /// Means of the environment's figures, by name.
    pub fn metrics(&self) -> Vec<(&'static str, f64)> {
        let names = self.episodes.first().map_or(&[][..], |e| &e.metrics);
        names.iter().enumerate().map(|(i, (name, _))| (*name, self.mean(|e| e.metrics[i].1))).collect()
    }
}

/// What a policy needs in order to act: its parameters, and the statistics of its observations.
pub struct Model<'a> {
    /// All parameters, by name.
    pub parameters: &'a mut Parameters<f32>,
    /// The standardiser of the observation.
    pub standardiser: Option<&'a mut Standardiser>,
}

/// A training run, whatever the algorithm.
pub trait Training: State + Send {
    /// One step of every environment; figures where it brought an update.
    fn step(&mut self) -> Result<Option<Metrics>, TrainError>;
    /// Environment steps so far.
    fn steps(&self) -> usize;
    /// The last episodes.
    fn episodes(&self) -> &Episodes;
    /// Steps in which a simulation became unstable.
    fn unstable(&self) -> usize;
    /// Abandons the running episodes and starts new ones.
    fn restart(&mut self) -> Result<(), EnvError>;
    /// Runs whole episodes of the present policy in fresh environments; nothing of the run changes. The random numbers
    /// are those of `stream`.
    fn evaluate(&self, episodes: usize, deterministic: bool, stream: &str) -> Result<Evaluation, EnvError>;
    /// Runs one deterministic episode and shows every state with the return so far, until it ends or `see` says false.
    fn watch(&self, stream: &str, see: &mut dyn FnMut(&dyn Env, f64) -> bool) -> Result<(), EnvError>;
    /// What the policy needs in order to act.
    fn model(&mut self) -> Model<'_>;
    /// The environment as the policy sees it.
    fn spec(&self) -> &EnvSpec;
    /// Whether everything that was loaded could be restored.
    fn check(&mut self) -> Result<(), EnvError>;
}
