//! Rows of the cores: one step of a batch with its way back, for cells, differential equations and linear recurrences.

use std::sync::Arc;

use s2pg::Rng;
use s2pg::nn::{Adam, Builder, CellKind, Parameters, Params};
use s2pg::policy::{Clock, Core, CoreKind, CoreShape, Solver};

use super::rows::repeated;
use super::sac::normal;
use super::{Case, Row};

const BATCH: usize = 256;
const INPUTS: usize = 256;
const UNITS: usize = 128;
/// Oscillators of a blind policy on HalfCheetah.
const OSCILLATORS: usize = 6;

/// The rows with what they measure: a cell to compare with, and all cores of the library that are no cells.
pub const ROWS: [(&str, CoreShape); 9] = [
    ("core/gru-b256", CoreShape::Cell { kind: CellKind::Gru, units: UNITS }),
    ("core/cpg-b256", core(CoreKind::Cpg, OSCILLATORS, Solver::Euler)),
    ("core/cpg-rk4-b256", core(CoreKind::Cpg, OSCILLATORS, Solver::Rk4)),
    ("core/hopf-b256", core(CoreKind::Hopf, UNITS, Solver::Euler)),
    ("core/kuramoto-b256", core(CoreKind::Kuramoto, UNITS, Solver::Euler)),
    ("core/matsuoka-b256", core(CoreKind::Matsuoka, UNITS, Solver::Euler)),
    ("core/neuralode-b256", core(CoreKind::NeuralOde, UNITS, Solver::Euler)),
    ("core/lru-b256", core(CoreKind::Lru, UNITS, Solver::Euler)),
    ("core/mingru-b256", core(CoreKind::MinGru, UNITS, Solver::Euler)),
];

const fn core(kind: CoreKind, units: usize, solver: Solver) -> CoreShape {
    CoreShape::BuiltIn { kind, units, clock: Clock { solver, dt: 0.05 } }
}

/// A network that is a core and nothing else.
struct Net {
    parameters: Parameters<f32>,
    core: Arc<dyn Core>,
}

impl Params for Net {
    fn params(&self) -> &Parameters<f32> {
        &self.parameters
    }
    fn params_mut(&mut self) -> &mut Parameters<f32> {
        &mut self.parameters
    }
}

/// A step of `shape` for a batch of 256 rows, down the mean of the squares of the next states.
pub fn step(name: &str, shape: CoreShape) -> Case {
    let mut rng = Rng::new(0, "bench/core");
    let (x, z) = (normal(&mut rng, BATCH, INPUTS), normal(&mut rng, BATCH, shape.state_size()));
    let mut builder = Builder::new(&mut rng);
    let core = shape.build(&mut builder, INPUTS);
    let mut net = Net { parameters: builder.finish(), core };
    let mut adam = Adam::new(&net, 1e-5);
    repeated(Row::new(name, None, None, None), move || {
        let loss = net.core.step(&net.parameters, &x, &z).square().mean();
        adam.minimize(&mut net, &loss);
    })
}
