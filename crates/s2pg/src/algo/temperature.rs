//! The temperature of SAC: a weight that keeps an entropy near a target.

use crate::nn::{Adam, Builder, Parameters, Params, Tensor};
use crate::rng::Rng;
use crate::state::{State, Visitor};

/// A positive weight α that is learned through its logarithm (D7), so that the mean entropy comes to the target.
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
    /// Makes a temperature that starts at `initial`. `lr` is the step size of its logarithm, `target` the wanted
    /// entropy.
    pub fn new(initial: f64, lr: f64, target: f64) -> Self {
        let mut unused = Rng::new(0, "temperature");
        let mut builder = Builder::new(&mut unused);
        builder.constant("ln", 1, initial.ln());
        let ln = Scalar(builder.finish());
        Self { optimiser: Adam::new(&ln, lr), ln, target }
    }

    /// Returns the temperature α.
    pub fn value(&self) -> f64 {
        self.ln().exp()
    }

    /// Returns the logarithm of the temperature.
    pub fn ln(&self) -> f64 {
        f64::from(self.ln.0.data()[0])
    }

    /// Sets the step size of the logarithm.
    pub fn set_lr(&mut self, lr: f64) {
        self.optimiser.lr = lr;
    }

    /// Takes one step down −mean[ln α (log_prob + target)], and returns the loss. Where nothing was drawn, as in a
    /// batch in which no segment ends, the loss is 0 and nothing moves.
    pub fn step(&mut self, log_probs: &[f32]) -> f64 {
        if log_probs.is_empty() {
            return 0.0;
        }
        let excess = Tensor::new(log_probs.len(), 1, log_probs) + self.target;
        let loss = -(excess * Tensor::param(&self.ln.0, 0)).mean();
        let result = f64::from(loss.item());
        self.optimiser.minimize(&mut self.ln, &loss);
        result
    }

    /// Returns the gradient of the last step.
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
