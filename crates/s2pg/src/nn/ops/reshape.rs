//! The same numbers in another shape.

use super::operation::Operation;
use crate::nn::graph::{Sink, give};
use crate::nn::pool::Buffer;
use crate::nn::program::{Program, Row};
use crate::nn::real::Real;
use crate::nn::tensor::Tensor;

pub(in crate::nn) struct Reshape<T: Real> {
    x: [Tensor<T>; 1],
}

impl<T: Real> Tensor<T> {
    /// The same numbers, row after row, as `rows` x `cols`. Panics unless that is as many numbers.
    pub fn reshape(&self, rows: usize, cols: usize) -> Self {
        assert_eq!(self.data().len(), rows * cols, "{:?} as {rows} x {cols}", self.shape());
        Self::node(rows, cols, Buffer::copy(self.data()), Reshape { x: [self.clone()] })
    }
}

impl<T: Real> Operation<T> for Reshape<T> {
    fn parents(&self) -> &[Tensor<T>] {
        &self.x
    }

    /// The result is one row, so the numbers are those of the parent.
    fn write(&self, _: &mut Program, from: &[Row]) -> Result<Row, &'static str> {
        Ok(from[0])
    }

    fn backward(self, _: &Tensor<T>, g: Buffer<T>, _: &mut Sink<'_, T>) {
        let Self { x: [x] } = self;
        give(&x, g);
    }
}
