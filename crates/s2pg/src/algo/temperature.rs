//! A weight that keeps an entropy near a target.

use crate::nn::{Adam, Builder, Parameters, Params, Tensor};
use crate::rng::Rng;
use crate::state::{State, Visitor};

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
