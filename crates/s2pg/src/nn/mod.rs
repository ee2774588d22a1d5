//! Tensors, networks and the optimiser: a small reverse-mode autodiff on one matrix product.
//!
//! A [`Tensor`] is a matrix that remembers how it was made. [`Adam::minimize`] walks back from a loss to the parameters
//! of one network and moves them; the walk consumes the graph.
//!
//! `tensor` has the tensor itself, `graph` the walk back, and `ops` the operations: one a file, both ways, behind one
//! interface. Only operations call kernels. Formulas stay formulas:
//!
//! ```
//! use s2pg::nn::{Activation, Adam, Builder, Init, Linear, Parameters, Params, Tensor};
//! use s2pg::Rng;
//!
//! struct Line { parameters: Parameters<f32>, layer: Linear }
//! impl Params for Line {
//!     fn params(&self) -> &Parameters<f32> { &self.parameters }
//!     fn params_mut(&mut self) -> &mut Parameters<f32> { &mut self.parameters }
//! }
//!
//! let mut rng = Rng::new(0, "doc");
//! let mut builder = Builder::new(&mut rng);
//! let layer = Linear::new(&mut builder, "layer", 1, 1, Activation::Identity, Init::FanIn);
//! let mut line = Line { parameters: builder.finish(), layer };
//! let (x, y) = (Tensor::new(3, 1, &[0.0, 1.0, 2.0]), Tensor::new(3, 1, &[1.0, 3.0, 5.0]));
//! let mut adam = Adam::new(&line, 0.1);
//! for _ in 0..200 {
//!     let loss = (line.layer.forward(&line.parameters, &x) - &y).square().mean();
//!     adam.minimize(&mut line, &loss);
//! }
//! assert!((line.parameters.data()[0] - 2.0).abs() < 0.1);
//! ```

mod adam;
mod graph;
mod kernels;
mod layers;
mod ops;
mod parameters;
mod pool;
mod program;
mod real;
mod standardiser;
mod tensor;
mod trace;

pub use adam::Adam;
pub use graph::{gradient, gradient_into};
pub use layers::{Cell, Linear, Mlp, RELU_GAIN};
pub use ops::{Activation, CellKind, Steps};
pub use parameters::{Builder, Init, Parameters, Params, Size, Slot};
pub use pool::Buffer;
pub use program::{Function, Output, Pairwise, Program, Row, Step};
pub use real::Real;
pub use standardiser::{Frozen, Standardiser};
pub use tensor::Tensor;
pub use trace::Untraceable;
pub(crate) use trace::trace;
