//! Some rows of a tensor.

use std::ops::Range;

use super::flat;
use super::operation::Operation;
use crate::nn::graph::{Sink, give_part};
use crate::nn::pool::Buffer;
use crate::nn::program::{Program, Row};
use crate::nn::real::Real;
use crate::nn::tensor::Tensor;

pub(in crate::nn) struct Rows<T: Real> {
    x: [Tensor<T>; 1],
    from: usize,
}

impl<T: Real> Tensor<T> {
    /// The rows in `range`: [length of the range, columns]. Panics on a range that ends behind the last row.
    pub fn rows_of(&self, range: Range<usize>) -> Self {
        assert!(range.end <= self.rows(), "rows {range:?} of {:?}", self.shape());
        let (rows, from, cols) = (range.len(), range.start, self.cols());
        let y = Buffer::copy(&self.data()[from * cols..range.end * cols]);
        Self::node(rows, cols, y, Rows { x: [self.clone()], from })
    }
}

impl<T: Real> Operation<T> for Rows<T> {
    fn parents(&self) -> &[Tensor<T>] {
        &self.x
    }

    /// The result is one row, so the numbers are those of the parent.
    fn write(&self, _: &mut Program, from: &[Row]) -> Result<Row, &'static str> {
        Ok(from[0])
    }

    fn backward(self, y: &Tensor<T>, g: Buffer<T>, _: &mut Sink<'_, T>) {
        let Self { x: [x], from } = self;
        let (rows, cols) = y.shape();
        give_part(&x, |dx| flat::add(&mut dx[from * cols..(from + rows) * cols], &g));
    }
}
