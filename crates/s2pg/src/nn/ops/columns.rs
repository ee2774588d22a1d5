//! Some columns of a tensor.

use std::ops::Range;

use super::operation::Operation;
use crate::nn::graph::{Sink, give_part};
use crate::nn::pool::Buffer;
use crate::nn::program::{Program, Row};
use crate::nn::real::Real;
use crate::nn::tensor::Tensor;

pub(in crate::nn) struct Columns<T: Real> {
    x: [Tensor<T>; 1],
    from: usize,
    cols: usize,
}

impl<T: Real> Tensor<T> {
    /// The columns in `range`: [rows, length of the range]. Panics on a range that ends behind the last column.
    pub fn columns(&self, range: Range<usize>) -> Self {
        assert!(range.end <= self.cols(), "columns {range:?} of {:?}", self.shape());
        let (cols, from) = (range.len(), range.start);
        let mut y = Buffer::new(self.rows() * cols);
        if cols > 0 {
            for (y, x) in y.chunks_exact_mut(cols).zip(self.data().chunks_exact(self.cols())) {
                y.copy_from_slice(&x[range.clone()]);
            }
        }
        Self::node(self.rows(), cols, y, Columns { x: [self.clone()], from, cols })
    }
}

impl<T: Real> Operation<T> for Columns<T> {
    fn parents(&self) -> &[Tensor<T>] {
        &self.x
    }

    fn write(&self, program: &mut Program, from: &[Row]) -> Result<Row, &'static str> {
        Ok(program.slice(from[0], self.from, self.cols))
    }

    fn backward(self, _: &Tensor<T>, g: Buffer<T>, _: &mut Sink<'_, T>) {
        let Self { x: [x], from, cols } = self;
        give_part(&x, |dx| {
            if cols > 0 {
                for (dx, g) in dx.chunks_exact_mut(x.cols()).zip(g.chunks_exact(cols)) {
                    dx[from..from + cols].iter_mut().zip(g).for_each(|(dx, &g)| *dx += g);
                }
            }
        });
    }
}
