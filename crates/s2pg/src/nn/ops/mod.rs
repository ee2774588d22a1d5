//! The operations: each is one file that holds the way forward, the way back, and the kernels that only it uses.
//!
//! A new operation is a file with a structure that implements `Operation`, and its name in the list below. Kernels are
//! called from here and from nowhere else, so this directory is what another device would replace.

mod binary;
mod columns;
mod concat;
pub(super) mod flat;
mod gaussian;
mod linear;
mod operation;
mod parameter;
mod product;
mod recurrence;
mod reshape;
mod rows;
mod squash;
mod stack;
mod sum;
mod sum_columns;
mod unary;

use std::ops::Range;

use self::operation::Operation;
use super::graph::Sink;
use super::parameters::Store;
use super::pool::Buffer;
use super::program::{Program, Row};
use super::real::Real;
use super::tensor::Tensor;

pub use linear::Activation;
pub use recurrence::{CellKind, Steps};

/// Makes one type of all operations. What a tensor was made by then needs no memory of its own, which acting would
/// feel.
macro_rules! operations {
    ($($file:ident::$name:ident),* $(,)?) => {
        /// How a tensor was made.
        pub(super) enum Op<T: Real> {
            /// The tensor is data.
            Leaf,
            /// A backward pass has consumed the operation that made the tensor.
            Spent,
            $($name($file::$name<T>),)*
        }

        impl<T: Real> Op<T> {
            /// The tensors that the result was made from.
            pub fn parents(&self) -> &[Tensor<T>] {
                match self {
                    Self::Leaf | Self::Spent => &[],
                    $(Self::$name(op) => op.parents(),)*
                }
            }

            /// The columns of the result, which has `cols` of them, whose gradient leads to the parameters in
            /// `network`.
            pub fn need(&self, cols: usize, network: &Store<T>) -> Range<usize> {
                match self {
                    Self::Leaf | Self::Spent => 0..0,
                    $(Self::$name(op) => op.need(cols, network),)*
                }
            }

            /// Writes the operation down behind `program`, as `Operation::write` does.
            pub fn write(&self, program: &mut Program, from: &[Row]) -> Result<Row, &'static str> {
                match self {
                    Self::Leaf | Self::Spent => Err("what was never computed"),
                    $(Self::$name(op) => op.write(program, from),)*
                }
            }

            /// Sends the gradient `g` of the result `y` to what it was made from.
            pub fn backward(self, y: &Tensor<T>, g: Buffer<T>, sink: &mut Sink<'_, T>) {
                match self {
                    Self::Leaf | Self::Spent => {}
                    $(Self::$name(op) => op.backward(y, g, sink),)*
                }
            }

            /// Whether a backward pass has consumed the operation.
            pub fn is_spent(&self) -> bool {
                matches!(self, Self::Spent)
            }
        }

        $(impl<T: Real> From<$file::$name<T>> for Op<T> {
            fn from(op: $file::$name<T>) -> Self {
                Self::$name(op)
            }
        })*
    };
}

operations! {
    binary::Binary,
    columns::Columns,
    concat::Concat,
    gaussian::Gaussian,
    linear::Linear,
    parameter::Parameter,
    product::Product,
    recurrence::Recurrence,
    reshape::Reshape,
    rows::Rows,
    squash::Squash,
    stack::Stack,
    sum::Sum,
    sum_columns::SumColumns,
    unary::Unary,
}
