//! Some columns of a tensor.

use std::ops::Range;

use super::operation::Operation;
use crate::nn::graph::{Sink, give_part};
use crate::nn::pool::Buffer;
use crate::nn::real::Real;
use crate::nn::tensor::Tensor;

pub(in crate::nn) struct Columns<T: Real> {
    x: [Tensor<T>; 1],
    from: usize,
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
        Self::node(self.rows(), cols, y, Columns { x: [self.clone()], from })
    }
}

impl<T: Real> Operation<T> for Columns<T> {
    fn parents(&self) -> &[Tensor<T>] {
        &self.x
    }

    fn backward(self, y: &Tensor<T>, g: Buffer<T>, _: &mut Sink<'_, T>) {
        let Self { x: [x], from } = self;
        let cols = y.cols();
        give_part(&x, |dx| {
            if cols > 0 {
                for (dx, g) in dx.chunks_exact_mut(x.cols()).zip(g.chunks_exact(cols)) {
                    dx[from..from + cols].iter_mut().zip(g).for_each(|(dx, &g)| *dx += g);
                }
            }
        });
    }
}
