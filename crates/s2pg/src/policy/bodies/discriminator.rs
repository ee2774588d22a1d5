//! The discriminator of imitation: does a step look like the expert's?

use crate::nn::{Activation, Builder, Init, Mlp, Parameters, Params, Tensor};
use crate::rng::Rng;
use crate::state::{State, Visitor};

/// The gain of tanh in Xavier's formula.
const TANH_GAIN: f64 = 5.0 / 3.0;

/// A network with two hidden layers and tanh, as published, whose output is the logit of a step being the expert's.
#[derive(Clone, Debug)]
pub struct Discriminator {
    parameters: Parameters<f32>,
    layers: Mlp,
}

impl Discriminator {
    /// Makes a discriminator of `inputs` numbers, whose parameters are drawn from `rng`. Its hidden layers are `widths`
    /// wide.
    pub fn new(inputs: usize, widths: [usize; 2], rng: &mut Rng) -> Self {
        let mut b = Builder::new(rng);
        let sizes = [inputs, widths[0], widths[1], 1];
        let layers = Mlp::new(&mut b, &sizes, Activation::Tanh, &[TANH_GAIN, TANH_GAIN, 0.1].map(Init::Xavier));
        Self { parameters: b.finish(), layers }
    }

    /// Returns the logit of each row of `x`, [B, 1] for [B, inputs].
    pub fn logits(&self, x: &Tensor) -> Tensor {
        self.layers.forward(&self.parameters, x)
    }
}

impl Params for Discriminator {
    fn params(&self) -> &Parameters<f32> {
        &self.parameters
    }
    fn params_mut(&mut self) -> &mut Parameters<f32> {
        &mut self.parameters
    }
}

impl State for Discriminator {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { parameters, layers: _ } = self;
        parameters.visit(v);
    }
}
