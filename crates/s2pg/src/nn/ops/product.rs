//! The product of two tensors.

use super::operation::Operation;
use crate::nn::graph::{Sink, give_into, needed};
use crate::nn::kernels::{self, View};
use crate::nn::pool::Buffer;
use crate::nn::program::{Program, Row};
use crate::nn::real::Real;
use crate::nn::tensor::Tensor;

pub(in crate::nn) struct Product<T: Real> {
    operands: [Tensor<T>; 2],
}

impl<T: Real> Tensor<T> {
    /// x Wᵀ for the matrix `w`, [out, columns]: [rows, out]. Panics where x and `w` differ in columns.
    pub fn product(&self, w: &Self) -> Self {
        assert_eq!(self.cols(), w.cols(), "the product of {:?} and the transposed {:?}", self.shape(), w.shape());
        let ((rows, width), out) = (self.shape(), w.rows());
        let mut y = Buffer::new(rows * out);
        kernels::matmul(&mut y, out, false, View::new(self.data(), rows, width), View::new(w.data(), out, width).t());
        Self::node(rows, out, y, Product { operands: [self.clone(), w.clone()] })
    }
}

impl<T: Real> Operation<T> for Product<T> {
    fn parents(&self) -> &[Tensor<T>] {
        &self.operands
    }

    fn write(&self, program: &mut Program, from: &[Row]) -> Result<Row, &'static str> {
        let weight = program.constant(from[1]).ok_or("a product with what it computes of its inputs")?.to_vec();
        Ok(program.linear(from[0], weight, Vec::new()))
    }

    fn backward(self, y: &Tensor<T>, g: Buffer<T>, _: &mut Sink<'_, T>) {
        let Self { operands: [x, w] } = self;
        let view = |x: &Tensor<T>, f: &dyn Fn(View<'_, T>)| f(View::new(x.data(), x.rows(), x.cols()));
        let dy = View::new(&g, y.rows(), y.cols());
        if needed(&x) {
            view(&w, &|w| give_into(&x, |dx, add| kernels::matmul(dx, w.cols, add, dy, w)));
        }
        if needed(&w) {
            view(&x, &|x| give_into(&w, |dw, add| kernels::matmul(dw, x.cols, add, dy.t(), x)));
        }
    }
}
