//! A core of one's own, with the whole command line: experiments name it where they name a cell.

use std::sync::Arc;

use s2pg::nn::{Activation, Builder, Init, Linear, Parameters, Tensor};
use s2pg::policy::Core;

/// Leaky integrators: z' = z + r (tanh(W (x, z) + b) - z), with a rate r = σ(q) for each unit.
#[derive(Debug)]
struct Leaky {
    units: usize,
    drive: Linear,
    q: usize,
}

impl Leaky {
    fn new(b: &mut Builder<'_, f32>, inputs: usize, units: usize) -> Self {
        let drive = Linear::new(b, "drive", inputs + units, units, Activation::Tanh, Init::FanIn);
        Self { units, drive, q: b.constant("q", units, 0.0) }
    }
}

impl Core for Leaky {
    fn state_size(&self) -> usize {
        self.units
    }

    fn step(&self, p: &Parameters<f32>, x: &Tensor, z: &Tensor) -> Tensor {
        let rate = Tensor::param(p, self.q).sigmoid();
        z + rate * (self.drive.forward(p, &Tensor::concat(&[x, z])) - z)
    }
}

/// The command line of s2pg with one more core, `network.cell = "leaky"`.
pub fn main() -> std::process::ExitCode {
    s2pg_cli::main(s2pg_lab::registry().with_core(
        "leaky",
        "leaky integrators, each with a rate of its own",
        |b, x, n| Arc::new(Leaky::new(b, x, n)),
    ))
}
