//! Tensors below each other.

use super::operation::Operation;
use crate::nn::graph::{Sink, give, needed};
use crate::nn::pool::Buffer;
use crate::nn::program::{Program, Row};
use crate::nn::real::Real;
use crate::nn::tensor::Tensor;

pub(in crate::nn) struct Stack<T: Real> {
    parts: Vec<Tensor<T>>,
}

impl<T: Real> Tensor<T> {
    /// The tensors `parts` below each other: [sum of rows, columns]. Panics unless all have equally many columns, and
    /// where there are none.
    pub fn stack(parts: &[&Self]) -> Self {
        let cols = parts[0].cols();
        let rows = parts.iter().map(|p| p.rows()).sum();
        let mut y = Buffer::new(rows * cols);
        let mut from = 0;
        for p in parts {
            assert_eq!(p.cols(), cols, "stacked: {:?} on {cols} columns", p.shape());
            y[from..from + p.data().len()].copy_from_slice(p.data());
            from += p.data().len();
        }
        Self::node(rows, cols, y, Stack { parts: parts.iter().map(|&p| p.clone()).collect() })
    }
}

impl<T: Real> Operation<T> for Stack<T> {
    fn parents(&self) -> &[Tensor<T>] {
        &self.parts
    }

    /// The result is one row, so all parts but one are empty.
    fn write(&self, _: &mut Program, from: &[Row]) -> Result<Row, &'static str> {
        let at = self.parts.iter().position(|x| x.rows() == 1).ok_or("a stack of nothing")?;
        Ok(from[at])
    }

    fn backward(self, _: &Tensor<T>, g: Buffer<T>, _: &mut Sink<'_, T>) {
        let mut from = 0;
        for x in self.parts {
            let size = x.data().len();
            if needed(&x) {
                give(&x, Buffer::copy(&g[from..from + size]));
            }
            from += size;
        }
    }
}
