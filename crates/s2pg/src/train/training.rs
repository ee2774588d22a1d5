//! A training run as its driver sees it, whatever the algorithm.

use super::divergence::Batch;
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
    #[error(
        "training diverged at step {step}: {what}; the last checkpoint is intact; see it again with `s2pg replay`, or start another run with a smaller step size"
    )]
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
    /// Return, length, and the environment's own figures, by name.
    names: Vec<String>,
    /// [KEPT, names].
    rows: Vec<f64>,
    count: usize,
}

const KEPT: usize = 100;

impl Episodes {
    /// None yet, of an environment with these figures.
    pub fn new(metrics: &[(&'static str, f64)]) -> Self {
        let own = ["rollout/ep_rew_mean", "rollout/ep_len_mean"].map(String::from);
        let names: Vec<String> = own.into_iter().chain(metrics.iter().map(|m| format!("rollout/{}", m.0))).collect();
        Self { rows: vec![0.0; KEPT * names.len()], names, count: 0 }
    }

    /// One more.
    pub fn add(&mut self, episode: &Episode) {
        let n = self.names.len();
        let row = &mut self.rows[self.count % KEPT * n..][..n];
        (row[0], row[1]) = (episode.r, episode.length as f64);
        row[2..].iter_mut().zip(&episode.metrics).for_each(|(x, m)| *x = m.1);
        self.count += 1;
    }

    /// Episodes finished in all.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Means over the last hundred, by name; NaN before the first.
    pub fn means(&self) -> impl Iterator<Item = (&str, f64)> {
        let (n, rows) = (self.names.len(), self.count.min(KEPT));
        let mean = move |j: usize| (0..rows).map(|i| self.rows[i * n + j]).sum::<f64>() / rows as f64;
        self.names.iter().enumerate().map(move |(j, name)| (name.as_str(), mean(j)))
    }

    /// Mean return of the last hundred; None before the first.
    pub fn mean_return(&self) -> Option<f64> {
        self.means().next().map(|m| m.1).filter(|_| self.count > 0)
    }
}

impl State for Episodes {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { names: _, rows, count } = self;
        v.item("rows", Data::F64(rows));
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
    /// What the last update learned from.
    fn batch(&mut self) -> Batch;
    /// Bytes of memory that its buffer of transitions takes when it is full.
    fn buffer_bytes(&mut self) -> usize;
    /// What the policy needs in order to act.
    fn model(&mut self) -> Model<'_>;
    /// The environment as the policy sees it.
    fn spec(&self) -> &EnvSpec;
    /// Whether everything that was loaded could be restored.
    fn check(&mut self) -> Result<(), EnvError>;
}
