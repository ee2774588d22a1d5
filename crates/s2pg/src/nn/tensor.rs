//! Matrices that remember how they were made.

use std::cell::{Cell, RefCell};
use std::ops::{Add, Div, Mul, Neg, Range, Sub};
use std::rc::Rc;
use std::sync::Arc;

use super::kernels::{self, Spread, View, each, kernel, map, sum_inline};
use super::parameters::{Slot, Store};
use super::recurrence::Recurrence;
use super::{Buffer, Parameters, Real};

/// A matrix of numbers, rows x columns, and the operation that made it.
///
/// Operators and methods panic on shapes that do not go together, and print both. A one-row, one-column or one-number
/// operand is spread over the other. Cloning is cheap: it is the same tensor.
#[derive(Clone)]
pub struct Tensor<T: Real = f32>(pub(super) Rc<Node<T>>);

pub(super) struct Node<T: Real> {
    pub id: u64,
    pub rows: usize,
    pub cols: usize,
    pub value: Buffer<T>,
    pub op: RefCell<Op<T>>,
    pub grad: RefCell<Option<Buffer<T>>>,
    /// The columns whose gradient is needed; set and read by one backward pass.
    pub need: RefCell<Range<usize>>,
    pub seen: Cell<u64>,
}

/// ln(2 pi) / 2.
const HALF_LN_2PI: f64 = 0.918_938_533_204_672_7;

/// What follows a linear layer, inside the same pass over memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// y = x.
    Identity,
    /// y = max(x, 0).
    Relu,
    /// y = tanh(x).
    Tanh,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Unary<T> {
    Exp,
    Ln,
    Tanh,
    Sigmoid,
    Relu,
    Softplus,
    Sin,
    Cos,
    Square,
    Sqrt,
    Abs,
    Clip(T, T),
    /// x * scale + shift
    Affine(T, T),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Min,
    Max,
}

pub(super) enum Op<T: Real> {
    /// Data.
    Leaf,
    /// A graph that backward has consumed.
    Spent,
    Param {
        p: Arc<Store<T>>,
        slot: usize,
    },
    Linear {
        x: Tensor<T>,
        p: Arc<Store<T>>,
        w: usize,
        b: Option<usize>,
        act: Activation,
    },
    Unary {
        x: Tensor<T>,
        f: Unary<T>,
    },
    Binary {
        a: Tensor<T>,
        b: Tensor<T>,
        f: Binary,
    },
    Columns {
        x: Tensor<T>,
        from: usize,
    },
    Rows {
        x: Tensor<T>,
        from: usize,
    },
    Concat {
        parts: Vec<Tensor<T>>,
    },
    Stack {
        parts: Vec<Tensor<T>>,
    },
    Sum {
        x: Tensor<T>,
        scale: T,
    },
    SumColumns {
        x: Tensor<T>,
    },
    Recurrence(Recurrence<T>),
    LogProb {
        x: Tensor<T>,
        mean: Tensor<T>,
        log_std: Tensor<T>,
    },
    Squash {
        mean: Tensor<T>,
        log_std: Tensor<T>,
        noise: Tensor<T>,
    },
}

impl<T: Real> Op<T> {
    /// The tensors that it was made from.
    pub fn parents(&self) -> impl Iterator<Item = &Tensor<T>> {
        let (few, many): ([Option<&Tensor<T>>; 3], &[Tensor<T>]) = match self {
            Self::Leaf | Self::Spent | Self::Param { .. } => ([None, None, None], &[]),
            Self::Linear { x, .. }
            | Self::Unary { x, .. }
            | Self::Columns { x, .. }
            | Self::Rows { x, .. }
            | Self::Sum { x, .. }
            | Self::SumColumns { x } => ([Some(x), None, None], &[]),
            Self::Binary { a, b, .. } => ([Some(a), Some(b), None], &[]),
            Self::Recurrence(r) => ([Some(&r.gates), Some(&r.state), None], &[]),
            Self::LogProb { x, mean, log_std } => ([Some(x), Some(mean), Some(log_std)], &[]),
            Self::Squash { mean, log_std, noise } => ([Some(mean), Some(log_std), Some(noise)], &[]),
            Self::Concat { parts } | Self::Stack { parts } => ([None, None, None], parts),
        };
        few.into_iter().flatten().chain(many)
    }

    /// The network that it reads.
    pub fn store(&self) -> Option<&Arc<Store<T>>> {
        match self {
            Self::Param { p, .. } | Self::Linear { p, .. } => Some(p),
            Self::Recurrence(r) => Some(&r.p),
            _ => None,
        }
    }
}

thread_local! {
    static NEXT_ID: Cell<u64> = const { Cell::new(0) };
}

pub(super) fn next_id() -> u64 {
    NEXT_ID.with(|n| {
        n.set(n.get() + 1);
        n.get()
    })
}

// A chain of a thousand steps would drop recursively; the parents of which this node is the last owner are unlinked
// one by one instead.
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
    pub(super) fn node(rows: usize, cols: usize, value: Buffer<T>, op: Op<T>) -> Self {
        debug_assert_eq!(value.len(), rows * cols);
        Self(Rc::new(Node {
            id: next_id(),
            rows,
            cols,
            value,
            op: RefCell::new(op),
            grad: RefCell::new(None),
            need: RefCell::new(0..0),
            seen: Cell::new(0),
        }))
    }

    /// A tensor of data, row after row.
    pub fn new(rows: usize, cols: usize, values: &[T]) -> Self {
        assert_eq!(values.len(), rows * cols, "{} values for {rows} x {cols}", values.len());
        Self::node(rows, cols, Buffer::copy(values), Op::Leaf)
    }

    /// A tensor whose values `fill` writes, row after row.
    pub fn with(rows: usize, cols: usize, fill: impl FnOnce(&mut [T])) -> Self {
        let mut value = Buffer::new(rows * cols);
        fill(&mut value);
        Self::node(rows, cols, value, Op::Leaf)
    }

    /// Zeros.
    pub fn zeros(rows: usize, cols: usize) -> Self {
        Self::with(rows, cols, |x| x.fill(T::ZERO))
    }

    /// One number.
    pub fn scalar(x: f64) -> Self {
        Self::new(1, 1, &[T::of(x)])
    }

    /// A parameter, as a tensor of its rows and columns.
    pub fn param(p: &Parameters<T>, slot: usize) -> Self {
        let Slot { rows, cols, .. } = p.0.slots[slot];
        Self::node(rows, cols, Buffer::copy(p.0.slice(slot)), Op::Param { p: p.0.clone(), slot })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.0.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.0.cols
    }

    /// (rows, columns).
    pub fn shape(&self) -> (usize, usize) {
        (self.0.rows, self.0.cols)
    }

    /// The numbers, row after row.
    pub fn data(&self) -> &[T] {
        &self.0.value
    }

    /// The only number of a 1 x 1 tensor.
    pub fn item(&self) -> T {
        assert_eq!(self.shape(), (1, 1), "item of {:?}", self.shape());
        self.0.value[0]
    }

    /// The same numbers, without their history: no gradient flows through.
    pub fn detach(&self) -> Self {
        Self::node(self.rows(), self.cols(), Buffer::copy(self.data()), Op::Leaf)
    }

    fn unary(&self, f: Unary<T>) -> Self {
        let mut y = Buffer::new(self.data().len());
        let x = self.data();
        match f {
            Unary::Exp => map!(&mut y, x, |x| x.exp()),
            Unary::Ln => map!(&mut y, x, |x| x.ln()),
            Unary::Tanh => map!(&mut y, x, |x| x.tanh()),
            Unary::Sigmoid => map!(&mut y, x, |x| x.sigmoid()),
            Unary::Relu => map!(&mut y, x, |x| x.maximum(T::ZERO)),
            Unary::Softplus => map!(&mut y, x, |x| x.maximum(T::ZERO) + (T::ONE + (-x.abs()).exp()).ln()),
            Unary::Sin => map!(&mut y, x, |x| x.sin()),
            Unary::Cos => map!(&mut y, x, |x| x.cos()),
            Unary::Square => map!(&mut y, x, |x| x * x),
            Unary::Sqrt => map!(&mut y, x, |x| x.sqrt()),
            Unary::Abs => map!(&mut y, x, |x| x.abs()),
            Unary::Clip(low, high) => map!(&mut y, x, (low, high), |x| x.clip(low, high)),
            Unary::Affine(scale, shift) => map!(&mut y, x, (scale, shift), |x| x * scale + shift),
        }
        Self::node(self.rows(), self.cols(), y, Op::Unary { x: self.clone(), f })
    }

    fn binary(&self, other: &Self, f: Binary) -> Self {
        let shape = (self.rows().max(other.rows()), self.cols().max(other.cols()));
        let mut y = Buffer::new(shape.0 * shape.1);
        let a = (self.data(), Spread::of(self.shape(), shape));
        let b = (other.data(), Spread::of(other.shape(), shape));
        match f {
            Binary::Add => kernels::zip(&mut y, shape.1, a, b, |a, b| a + b),
            Binary::Sub => kernels::zip(&mut y, shape.1, a, b, |a, b| a - b),
            Binary::Mul => kernels::zip(&mut y, shape.1, a, b, |a, b| a * b),
            Binary::Div => kernels::zip(&mut y, shape.1, a, b, |a, b| a / b),
            Binary::Min => kernels::zip(&mut y, shape.1, a, b, T::minimum),
            Binary::Max => kernels::zip(&mut y, shape.1, a, b, T::maximum),
        }
        Self::node(shape.0, shape.1, y, Op::Binary { a: self.clone(), b: other.clone(), f })
    }

    /// e to the power of each element.
    pub fn exp(&self) -> Self {
        self.unary(Unary::Exp)
    }
    /// Natural logarithm.
    pub fn ln(&self) -> Self {
        self.unary(Unary::Ln)
    }
    /// Hyperbolic tangent.
    pub fn tanh(&self) -> Self {
        self.unary(Unary::Tanh)
    }
    /// 1 / (1 + exp(-x)).
    pub fn sigmoid(&self) -> Self {
        self.unary(Unary::Sigmoid)
    }
    /// max(x, 0).
    pub fn relu(&self) -> Self {
        self.unary(Unary::Relu)
    }
    /// ln(1 + exp(x)).
    pub fn softplus(&self) -> Self {
        self.unary(Unary::Softplus)
    }
    /// Sine.
    pub fn sin(&self) -> Self {
        self.unary(Unary::Sin)
    }
    /// Cosine.
    pub fn cos(&self) -> Self {
        self.unary(Unary::Cos)
    }
    /// x * x.
    pub fn square(&self) -> Self {
        self.unary(Unary::Square)
    }
    /// Square root.
    pub fn sqrt(&self) -> Self {
        self.unary(Unary::Sqrt)
    }
    /// Magnitude.
    pub fn abs(&self) -> Self {
        self.unary(Unary::Abs)
    }
    /// Between low and high; the gradient is zero outside.
    pub fn clip(&self, low: f64, high: f64) -> Self {
        self.unary(Unary::Clip(T::of(low), T::of(high)))
    }
    /// The smaller of two; where they are equal, the gradient goes to self.
    pub fn min(&self, other: &Self) -> Self {
        self.binary(other, Binary::Min)
    }
    /// The larger of two; where they are equal, the gradient goes to self.
    pub fn max(&self, other: &Self) -> Self {
        self.binary(other, Binary::Max)
    }

    /// Tensors side by side: [rows, sum of columns].
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
        Self::node(rows, cols, y, Op::Concat { parts: parts.iter().map(|&p| p.clone()).collect() })
    }

    /// Tensors below each other: [sum of rows, columns].
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
        Self::node(rows, cols, y, Op::Stack { parts: parts.iter().map(|&p| p.clone()).collect() })
    }

    /// The columns of a range.
    pub fn columns(&self, range: Range<usize>) -> Self {
        assert!(range.end <= self.cols(), "columns {range:?} of {:?}", self.shape());
        let (cols, from) = (range.len(), range.start);
        let mut y = Buffer::new(self.rows() * cols);
        if cols > 0 {
            for (y, x) in y.chunks_exact_mut(cols).zip(self.data().chunks_exact(self.cols())) {
                y.copy_from_slice(&x[range.clone()]);
            }
        }
        Self::node(self.rows(), cols, y, Op::Columns { x: self.clone(), from })
    }

    /// The rows of a range.
    pub fn rows_of(&self, range: Range<usize>) -> Self {
        assert!(range.end <= self.rows(), "rows {range:?} of {:?}", self.shape());
        let (rows, from, cols) = (range.len(), range.start, self.cols());
        let y = Buffer::copy(&self.data()[from * cols..range.end * cols]);
        Self::node(rows, cols, y, Op::Rows { x: self.clone(), from })
    }

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
        Self::node(1, 1, Buffer::copy(&[sum]), Op::Sum { x: self.clone(), scale })
    }

    /// The sum of each row, [rows, 1].
    pub fn sum_columns(&self) -> Self {
        let mut y = Buffer::new(self.rows());
        kernels::sum_cols(&mut y, self.data(), self.cols());
        Self::node(self.rows(), 1, y, Op::SumColumns { x: self.clone() })
    }

    /// act(x Wᵀ + b), with W [out, in] and b [1, out] in the flat buffer `p`.
    pub(super) fn linear(&self, p: &Parameters<T>, w: usize, b: Option<usize>, act: Activation) -> Self {
        let Slot { rows: out, cols: width, .. } = p.0.slots[w];
        assert_eq!(self.cols(), width, "input {:?} of a linear layer {out} x {width}", self.shape());
        let rows = self.rows();
        let mut y = Buffer::new(rows * out);
        let weight = View::new(p.0.slice(w), out, width);
        kernels::matmul(&mut y, out, false, View::new(self.data(), rows, width), weight.t());
        match b {
            Some(b) => kernels::bias_act(&mut y, p.0.slice(b), act),
            None => assert_eq!(act, Activation::Identity, "a linear map without bias has no activation"),
        }
        Self::node(rows, out, y, Op::Linear { x: self.clone(), p: p.0.clone(), w, b, act })
    }

    /// The log-density of `x` under a diagonal Gaussian, summed over columns: [B, 1].
    ///
    /// `mean` is [B, n]; `log_std` is [1, n] or [B, n].
    pub fn gaussian_log_prob(x: &Self, mean: &Self, log_std: &Self) -> Self {
        let (rows, n) = mean.shape();
        assert_eq!(x.shape(), mean.shape(), "sample {:?} of a mean {:?}", x.shape(), mean.shape());
        Spread::of(log_std.shape(), mean.shape());
        let mut y = Buffer::new(rows);
        log_densities(&mut y, &mut Buffer::new(n), x.data(), mean.data(), log_std.data());
        Self::node(rows, 1, y, Op::LogProb { x: x.clone(), mean: mean.clone(), log_std: log_std.clone() })
    }

    /// A reparameterised sample of a squashed Gaussian and its log-density, [B, n + 1].
    ///
    /// With q = mean + exp(log_std) noise, the first n columns are t = tanh(q); the last is
    /// sum over columns of log N(q) - ln(1 - t² + 1e-6) (the published form, on the scale of [-1, 1]).
    pub fn squashed_sample(mean: &Self, log_std: &Self, noise: &Self) -> Self {
        let (rows, n) = mean.shape();
        assert_eq!(log_std.shape(), (rows, n), "log-std of a mean {:?}", mean.shape());
        assert_eq!(noise.shape(), (rows, n), "noise of a mean {:?}", mean.shape());
        let mut y = Buffer::new(rows * (n + 1));
        squashed_samples(&mut y, &mut Buffer::new(n), mean.data(), log_std.data(), noise.data());
        let op = Op::Squash { mean: mean.clone(), log_std: log_std.clone(), noise: noise.clone() };
        Self::node(rows, n + 1, y, op)
    }
}

kernel! {
    /// Gaussian log-densities of rows; `log_std` has one row, or one for each.
    fn log_densities<'a, T: Real>(
        y: &'a mut [T],
        terms: &'a mut [T],
        x: &'a [T],
        mean: &'a [T],
        log_std: &'a [T],
    ) -> () {
        let n = terms.len();
        let constant = T::of(n as f64 * HALF_LN_2PI);
        let rows = x.chunks_exact(n).zip(mean.chunks_exact(n)).zip(log_std.chunks_exact(n).cycle());
        for (y, ((x, mean), log_std)) in y.iter_mut().zip(rows) {
            each!(terms, [x = x, m = mean, s = log_std], {
                let d = (x - m) * (-s).exp();
                T::of(-0.5) * d * d - s
            });
            *y = sum_inline(terms, |x| x) - constant;
        }
    }
}

kernel! {
    /// Squashed samples of rows, each followed by its log-density.
    fn squashed_samples<'a, T: Real>(
        y: &'a mut [T],
        terms: &'a mut [T],
        mean: &'a [T],
        log_std: &'a [T],
        noise: &'a [T],
    ) -> () {
        let n = terms.len();
        let constant = T::of(n as f64 * HALF_LN_2PI);
        let rows = mean.chunks_exact(n).zip(log_std.chunks_exact(n)).zip(noise.chunks_exact(n));
        for (y, ((mean, log_std), noise)) in y.chunks_exact_mut(n + 1).zip(rows) {
            let (y, density) = y.split_at_mut(n);
            each!(y, [m = mean, s = log_std, e = noise], (m + s.exp() * e).tanh());
            each!(terms, [t = y, s = log_std, e = noise], {
                T::of(-0.5) * e * e - s - (T::ONE - t * t + T::of(1e-6)).ln()
            });
            density[0] = sum_inline(terms, |x| x) - constant;
        }
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident, $f:expr) => {
        impl<T: Real> $trait<&Tensor<T>> for &Tensor<T> {
            type Output = Tensor<T>;
            fn $method(self, other: &Tensor<T>) -> Tensor<T> {
                self.binary(other, $f)
            }
        }
        impl<T: Real> $trait<Tensor<T>> for &Tensor<T> {
            type Output = Tensor<T>;
            fn $method(self, other: Tensor<T>) -> Tensor<T> {
                self.binary(&other, $f)
            }
        }
        impl<T: Real> $trait<&Tensor<T>> for Tensor<T> {
            type Output = Tensor<T>;
            fn $method(self, other: &Tensor<T>) -> Tensor<T> {
                self.binary(other, $f)
            }
        }
        impl<T: Real> $trait<Tensor<T>> for Tensor<T> {
            type Output = Tensor<T>;
            fn $method(self, other: Tensor<T>) -> Tensor<T> {
                self.binary(&other, $f)
            }
        }
    };
}
operator!(Add, add, Binary::Add);
operator!(Sub, sub, Binary::Sub);
operator!(Mul, mul, Binary::Mul);
operator!(Div, div, Binary::Div);

macro_rules! scalar_operator {
    ($trait:ident, $method:ident, $scale:expr, $shift:expr) => {
        impl<T: Real> $trait<f64> for &Tensor<T> {
            type Output = Tensor<T>;
            fn $method(self, x: f64) -> Tensor<T> {
                let (scale, shift): (fn(f64) -> f64, fn(f64) -> f64) = ($scale, $shift);
                self.unary(Unary::Affine(T::of(scale(x)), T::of(shift(x))))
            }
        }
        impl<T: Real> $trait<f64> for Tensor<T> {
            type Output = Tensor<T>;
            fn $method(self, x: f64) -> Tensor<T> {
                (&self).$method(x)
            }
        }
    };
}
scalar_operator!(Add, add, |_| 1.0, |x| x);
scalar_operator!(Sub, sub, |_| 1.0, |x| -x);
scalar_operator!(Mul, mul, |x| x, |_| 0.0);
scalar_operator!(Div, div, |x| 1.0 / x, |_| 0.0);

impl<T: Real> Neg for &Tensor<T> {
    type Output = Tensor<T>;
    fn neg(self) -> Tensor<T> {
        self * -1.0
    }
}
impl<T: Real> Neg for Tensor<T> {
    type Output = Tensor<T>;
    fn neg(self) -> Tensor<T> {
        &self * -1.0
    }
}

impl<T: Real> std::fmt::Debug for Tensor<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tensor {} x {} {:?}", self.rows(), self.cols(), &self.data()[..self.data().len().min(8)])
    }
}
