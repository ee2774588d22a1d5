//! A parameter of a network, read as a tensor.

use std::sync::Arc;

use super::flat;
use super::operation::Operation;
use crate::nn::graph::Sink;
use crate::nn::parameters::{Parameters, Slot, Store};
use crate::nn::pool::Buffer;
use crate::nn::program::{Program, Row};
use crate::nn::real::Real;
use crate::nn::tensor::Tensor;

pub(in crate::nn) struct Parameter<T: Real> {
    store: Arc<Store<T>>,
    slot: usize,
}

impl<T: Real> Tensor<T> {
    /// The parameter number `slot` of `p`, as a tensor of the parameter's rows and columns.
    pub fn param(p: &Parameters<T>, slot: usize) -> Self {
        let Slot { rows, cols, .. } = p.0.slots[slot];
        Self::node(rows, cols, Buffer::copy(p.0.slice(slot)), Parameter { store: p.0.clone(), slot })
    }
}

impl<T: Real> Operation<T> for Parameter<T> {
    fn parents(&self) -> &[Tensor<T>] {
        &[]
    }

    fn store(&self) -> Option<&Arc<Store<T>>> {
        Some(&self.store)
    }

    /// A parameter depends on no input.
    fn write(&self, _: &mut Program, _: &[Row]) -> Result<Row, &'static str> {
        Err("a parameter")
    }

    fn backward(self, _: &Tensor<T>, g: Buffer<T>, sink: &mut Sink<'_, T>) {
        if let Some((dp, add)) = sink.slot(&self.store, self.slot) {
            if add { flat::add(dp, &g) } else { dp.copy_from_slice(&g) }
        }
    }
}
