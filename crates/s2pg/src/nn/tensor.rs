//! Matrices that remember how they were made.
//!
//! Here is the tensor itself. What can be computed with tensors is in `ops/`, one operation a file.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;

use super::ops::Op;
use super::pool::Buffer;
use super::real::Real;

/// A matrix of numbers, rows x columns, and the operation that made the matrix.
///
/// Operators and methods panic on shapes that do not go together, and print both. An operand of one row, one column or
/// one number is spread over the other operand. Cloning is cheap: a clone is another handle to the same tensor.
#[derive(Clone)]
pub struct Tensor<T: Real = f32>(pub(super) Rc<Node<T>>);

/// What the handles to one tensor share.
pub(super) struct Node<T: Real> {
    /// Larger than the id of every tensor that was made before.
    pub id: u64,
    pub rows: usize,
    pub cols: usize,
    pub value: Buffer<T>,
    pub op: RefCell<Op<T>>,
    /// What the running backward pass has gathered of the gradient so far; None before its first part.
    pub grad: RefCell<Option<Buffer<T>>>,
    /// The columns whose gradient is needed; set and read by one backward pass.
    pub need: RefCell<Range<usize>>,
    /// The last backward pass that has met this tensor.
    pub seen: Cell<u64>,
}

thread_local! {
    static NEXT_ID: Cell<u64> = const { Cell::new(0) };
}

/// A number that is larger than every number that this thread was given before.
pub(super) fn next_id() -> u64 {
    NEXT_ID.with(|n| {
        n.set(n.get() + 1);
        n.get()
    })
}

// A chain of a thousand steps would drop recursively; the parents of which this node is the last owner are unlinked one
// by one instead.
impl<T: Real> Drop for Node<T> {
    fn drop(&mut self) {
        let mut pending = Vec::new();
        let mut op = std::mem::replace(self.op.get_mut(), Op::Leaf);
        loop {
            for parent in op.parents() {
                if Rc::strong_count(&parent.0) == 1 && !matches!(*parent.0.op.borrow(), Op::Leaf) {
                    pending.push(parent.0.op.replace(Op::Leaf));
                }
            }
            match pending.pop() {
                Some(next) => op = next,
                None => return,
            }
        }
    }
}

impl<T: Real> Tensor<T> {
    /// A tensor of the values that the operation `op` has computed, row after row.
    pub(super) fn node(rows: usize, cols: usize, value: Buffer<T>, op: impl Into<Op<T>>) -> Self {
        debug_assert_eq!(value.len(), rows * cols);
        Self(Rc::new(Node {
            id: next_id(),
            rows,
            cols,
            value,
            op: RefCell::new(op.into()),
            grad: RefCell::new(None),
            need: RefCell::new(0..0),
            seen: Cell::new(0),
        }))
    }

    /// A tensor of data, `values` row after row. Panics unless there are rows x columns values.
    pub fn new(rows: usize, cols: usize, values: &[T]) -> Self {
        assert_eq!(values.len(), rows * cols, "{} values for {rows} x {cols}", values.len());
        Self::node(rows, cols, Buffer::copy(values), Op::Leaf)
    }

    /// A tensor of data that `fill` writes, row after row. `fill` must write every value: what stands there before is
    /// unspecified.
    pub fn with(rows: usize, cols: usize, fill: impl FnOnce(&mut [T])) -> Self {
        let mut value = Buffer::new(rows * cols);
        fill(&mut value);
        Self::node(rows, cols, value, Op::Leaf)
    }

    /// A tensor of zeros.
    pub fn zeros(rows: usize, cols: usize) -> Self {
        Self::with(rows, cols, |x| x.fill(T::ZERO))
    }

    /// The number `x` as a 1 x 1 tensor.
    pub fn scalar(x: f64) -> Self {
        Self::new(1, 1, &[T::of(x)])
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.0.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.0.cols
    }

    /// The numbers of rows and of columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.0.rows, self.0.cols)
    }

    /// The numbers of this tensor, row after row.
    pub fn data(&self) -> &[T] {
        &self.0.value
    }

    /// The only number of a 1 x 1 tensor. Panics on every other shape.
    pub fn item(&self) -> T {
        assert_eq!(self.shape(), (1, 1), "item of {:?}", self.shape());
        self.0.value[0]
    }

    /// A tensor of the same numbers that does not remember how they were made: no gradient flows through it.
    pub fn detach(&self) -> Self {
        Self::node(self.rows(), self.cols(), Buffer::copy(self.data()), Op::Leaf)
    }

    /// Takes the operation that made this tensor out of the graph, which is spent from now on.
    pub(super) fn spend(&self) -> Op<T> {
        self.0.op.replace(Op::Spent)
    }
}

impl<T: Real> std::fmt::Debug for Tensor<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tensor {} x {} {:?}", self.rows(), self.cols(), &self.data()[..self.data().len().min(8)])
    }
}
