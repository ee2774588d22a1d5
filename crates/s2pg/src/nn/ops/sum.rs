//! The sum and the mean of all elements.

use super::operation::Operation;
use crate::nn::graph::{Sink, give};
use crate::nn::kernels;
use crate::nn::pool::Buffer;
use crate::nn::program::{Program, Row};
use crate::nn::real::Real;
use crate::nn::tensor::Tensor;

/// The sum of all elements of `x`, times `scale`.
pub(in crate::nn) struct Sum<T: Real> {
    x: [Tensor<T>; 1],
    scale: T,
}

impl<T: Real> Tensor<T> {
    /// The sum of all elements, 1 x 1.
    pub fn sum(&self) -> Self {
        self.scaled_sum(T::ONE)
    }

    /// The mean of all elements, 1 x 1.
    pub fn mean(&self) -> Self {
        self.scaled_sum(T::ONE / T::of(self.data().len() as f64))
    }

    fn scaled_sum(&self, scale: T) -> Self {
        let sum = kernels::sum(self.data()) * scale;
        Self::node(1, 1, Buffer::copy(&[sum]), Sum { x: [self.clone()], scale })
    }
}

impl<T: Real> Operation<T> for Sum<T> {
    fn parents(&self) -> &[Tensor<T>] {
        &self.x
    }

    fn write(&self, program: &mut Program, from: &[Row]) -> Result<Row, &'static str> {
        Ok(program.sum(from[0], self.scale.f64() as f32))
    }

    fn backward(self, _: &Tensor<T>, g: Buffer<T>, _: &mut Sink<'_, T>) {
        let Self { x: [x], scale } = self;
        let mut dx = Buffer::new(x.data().len());
        dx.fill(g[0] * scale);
        give(&x, dx);
    }
}
