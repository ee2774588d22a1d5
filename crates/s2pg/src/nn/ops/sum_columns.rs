//! The sum of each row.

use super::operation::Operation;
use crate::nn::graph::{Sink, give};
use crate::nn::kernels;
use crate::nn::pool::Buffer;
use crate::nn::program::{Program, Row};
use crate::nn::real::Real;
use crate::nn::tensor::Tensor;

pub(in crate::nn) struct SumColumns<T: Real> {
    x: [Tensor<T>; 1],
}

impl<T: Real> Tensor<T> {
    /// The sum of each row over its columns, [rows, 1].
    pub fn sum_columns(&self) -> Self {
        let mut y = Buffer::new(self.rows());
        kernels::sum_cols(&mut y, self.data(), self.cols());
        Self::node(self.rows(), 1, y, SumColumns { x: [self.clone()] })
    }
}

impl<T: Real> Operation<T> for SumColumns<T> {
    fn parents(&self) -> &[Tensor<T>] {
        &self.x
    }

    fn write(&self, program: &mut Program, from: &[Row]) -> Result<Row, &'static str> {
        Ok(program.sum(from[0], 1.0))
    }

    fn backward(self, _: &Tensor<T>, g: Buffer<T>, _: &mut Sink<'_, T>) {
        let [x] = self.x;
        let mut dx = Buffer::new(x.data().len());
        for (dx, &g) in dx.chunks_exact_mut(x.cols().max(1)).zip(&*g) {
            dx.fill(g);
        }
        give(&x, dx);
    }
}
