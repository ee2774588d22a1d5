//! What every operation offers to the tensors and to the reverse pass.

use std::ops::Range;
use std::sync::Arc;

use crate::nn::graph::{Sink, needed};
use crate::nn::parameters::Store;
use crate::nn::pool::Buffer;
use crate::nn::program::{Program, Row};
use crate::nn::real::Real;
use crate::nn::tensor::Tensor;

/// What a tensor remembers of the operation that made it: enough to send the gradient of the result back.
///
/// The way forward is a method of [`Tensor`] in the same file. It computes the result and ends with `Tensor::node`,
/// which keeps the operation beside the result.
pub(in crate::nn) trait Operation<T: Real>: Sized {
    /// The tensors that the result was made from.
    fn parents(&self) -> &[Tensor<T>];

    /// The parameters that the operation reads by itself, beside its parents; None where it reads none.
    fn store(&self) -> Option<&Arc<Store<T>>> {
        None
    }

    /// The columns of the result, which has `cols` of them, whose gradient leads to the parameters in `network`. When
    /// the reverse pass asks, every parent knows which of its own columns are needed.
    fn need(&self, cols: usize, network: &Store<T>) -> Range<usize> {
        let own = self.store().is_some_and(|store| store.is(network));
        if own || self.parents().iter().any(needed) { 0..cols } else { 0..0 }
    }

    /// Writes the operation down behind `program`, where its parents are the rows `from`, and returns the row of the
    /// result. A parent that depends on an input has one row, as the result has. Returns what the operation computes,
    /// in words, where a program has no step for it.
    fn write(&self, program: &mut Program, from: &[Row]) -> Result<Row, &'static str>;

    /// Sends the gradient `g` of the result `y` to every parent that is needed, and to the parameters by way of `sink`.
    fn backward(self, y: &Tensor<T>, g: Buffer<T>, sink: &mut Sink<'_, T>);
}
