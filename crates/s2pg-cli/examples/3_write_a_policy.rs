//! A differential equation of one's own, with the whole command line: experiments name it where they name a cell.
//! `cargo run --release -p s2pg-cli --example 3_write_a_policy -- train ppo-rs/t-maze network.cell=springs` runs it.

use std::sync::Arc;

use s2pg::nn::{Activation, Builder, Init, Linear, Parameters, Tensor};
use s2pg::policy::Dynamics;

/// Weights on springs that the input pushes: ẋ = v and v̇ = W u + d − k x − c v, with a stiffness k = exp(κ) and a
/// damping c = exp(γ) for each weight. The state is [x, v], and the rest of the network reads x.
#[derive(Debug)]
struct Springs {
    units: usize,
    push: Linear,
    stiffness: usize,
    damping: usize,
}

impl Springs {
    fn new(b: &mut Builder<'_, f32>, inputs: usize, units: usize) -> Self {
        let push = Linear::new(b, "push", inputs, units, Activation::Identity, Init::FanIn);
        // A third of a turn to one turn a second, at first, which die out in some seconds.
        let stiffness = b.drawn("stiffness", (1, units), |rng| 2.0 * rng.range(2.0, 6.0).ln());
        Self { units, push, stiffness, damping: b.constant("damping", units, 1.0) }
    }
}

impl Dynamics for Springs {
    fn state_size(&self) -> usize {
        2 * self.units
    }

    fn rate(&self, p: &Parameters<f32>, u: &Tensor, z: &Tensor) -> Tensor {
        let (x, v) = (z.columns(0..self.units), z.columns(self.units..2 * self.units));
        let (k, c) = (Tensor::param(p, self.stiffness).exp(), Tensor::param(p, self.damping).exp());
        let force = self.push.forward(p, u) - k * x - c * &v;
        Tensor::concat(&[&v, &force])
    }

    fn output_size(&self) -> usize {
        self.units
    }

    fn output(&self, z: &Tensor) -> Tensor {
        z.columns(0..self.units)
    }
}

/// The command line of s2pg with one more core, `network.cell = "springs"`.
pub fn main() -> std::process::ExitCode {
    s2pg_cli::main(
        s2pg_lab::registry().with_dynamics("springs", "weights on springs", |b, inputs, units| {
            Arc::new(Springs::new(b, inputs, units))
        }),
    )
}
