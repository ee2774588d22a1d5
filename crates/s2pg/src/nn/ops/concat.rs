//! Tensors side by side.

use std::ops::Range;

use super::operation::Operation;
use crate::nn::graph::{Sink, give, needed};
use crate::nn::parameters::Store;
use crate::nn::pool::Buffer;
use crate::nn::program::{Program, Row};
use crate::nn::real::Real;
use crate::nn::tensor::Tensor;

pub(in crate::nn) struct Concat<T: Real> {
    parts: Vec<Tensor<T>>,
}

impl<T: Real> Tensor<T> {
    /// The tensors `parts` side by side: [rows, sum of columns]. Panics unless all have equally many rows, and where
    /// there are none.
    pub fn concat(parts: &[&Self]) -> Self {
        let rows = parts[0].rows();
        let cols = parts.iter().map(|p| p.cols()).sum();
        let mut y = Buffer::new(rows * cols);
        let mut from = 0;
        for p in parts {
            assert_eq!(p.rows(), rows, "side by side: {:?} beside {rows} rows", p.shape());
            if p.cols() > 0 {
                for (y, x) in y.chunks_exact_mut(cols).zip(p.data().chunks_exact(p.cols())) {
                    y[from..from + x.len()].copy_from_slice(x);
                }
            }
            from += p.cols();
        }
        Self::node(rows, cols, y, Concat { parts: parts.iter().map(|&p| p.clone()).collect() })
    }
}

impl<T: Real> Operation<T> for Concat<T> {
    fn parents(&self) -> &[Tensor<T>] {
        &self.parts
    }

    /// From the first part that is needed to the last.
    fn need(&self, _: usize, _: &Store<T>) -> Range<usize> {
        let (mut from, mut span) = (0, 0..0);
        for p in &self.parts {
            if needed(p) {
                span = if span.is_empty() { from..from + p.cols() } else { span.start..from + p.cols() };
            }
            from += p.cols();
        }
        span
    }

    fn write(&self, program: &mut Program, from: &[Row]) -> Result<Row, &'static str> {
        Ok(program.concat(from))
    }

    fn backward(self, y: &Tensor<T>, g: Buffer<T>, _: &mut Sink<'_, T>) {
        let (rows, cols) = y.shape();
        let mut from = 0;
        for x in self.parts {
            if needed(&x) {
                let mut dx = Buffer::new(rows * x.cols());
                for (dx, g) in dx.chunks_exact_mut(x.cols()).zip(g.chunks_exact(cols)) {
                    dx.copy_from_slice(&g[from..from + dx.len()]);
                }
                give(&x, dx);
            }
            from += x.cols();
        }
    }
}
