//! Functions of two tensors, element by element, and the operators between tensors.

use std::ops::{Add, Div, Mul, Sub};

use super::operation::Operation;
use crate::nn::graph::{Sink, give, needed};
use crate::nn::kernels::{self, kernel, update};
use crate::nn::pool::Buffer;
use crate::nn::program::{Pairwise, Program, Row};
use crate::nn::real::Real;
use crate::nn::tensor::Tensor;

pub(in crate::nn) struct Binary<T: Real> {
    operands: [Tensor<T>; 2],
    f: Function,
}

#[derive(Clone, Copy)]
enum Function {
    Add,
    Sub,
    Mul,
    Div,
    Min,
    Max,
}

impl<T: Real> Tensor<T> {
    /// The smaller of each element of self and of `other`; where they are equal, the gradient goes to self. An operand
    /// of one row, one column or one number is spread over the other. Panics on other shapes that differ.
    pub fn min(&self, other: &Self) -> Self {
        self.binary(other, Function::Min)
    }
    /// The larger of each element of self and of `other`; where they are equal, the gradient goes to self. An operand
    /// of one row, one column or one number is spread over the other. Panics on other shapes that differ.
    pub fn max(&self, other: &Self) -> Self {
        self.binary(other, Function::Max)
    }

    fn binary(&self, other: &Self, f: Function) -> Self {
        let shape = (self.rows().max(other.rows()), self.cols().max(other.cols()));
        let mut y = Buffer::new(shape.0 * shape.1);
        let a = (self.data(), Spread::of(self.shape(), shape));
        let b = (other.data(), Spread::of(other.shape(), shape));
        match f {
            Function::Add => zip(&mut y, shape.1, a, b, |a, b| a + b),
            Function::Sub => zip(&mut y, shape.1, a, b, |a, b| a - b),
            Function::Mul => zip(&mut y, shape.1, a, b, |a, b| a * b),
            Function::Div => zip(&mut y, shape.1, a, b, |a, b| a / b),
            Function::Min => zip(&mut y, shape.1, a, b, T::minimum),
            Function::Max => zip(&mut y, shape.1, a, b, T::maximum),
        }
        Self::node(shape.0, shape.1, y, Binary { operands: [self.clone(), other.clone()], f })
    }
}

impl<T: Real> Operation<T> for Binary<T> {
    fn parents(&self) -> &[Tensor<T>] {
        &self.operands
    }

    fn write(&self, program: &mut Program, from: &[Row]) -> Result<Row, &'static str> {
        let f = match self.f {
            Function::Add => Pairwise::Add,
            Function::Sub => Pairwise::Sub,
            Function::Mul => Pairwise::Mul,
            Function::Div => Pairwise::Div,
            Function::Min => Pairwise::Min,
            Function::Max => Pairwise::Max,
        };
        Ok(program.both(f, from[0], from[1]))
    }

    fn backward(self, y: &Tensor<T>, g: Buffer<T>, _: &mut Sink<'_, T>) {
        let Self { operands: [a, b], f } = self;
        let shape = y.shape();
        let (sa, sb) = (Spread::of(a.shape(), shape), Spread::of(b.shape(), shape));
        // The derivative with respect to one operand: g times d(a, b).
        let product = |d: &dyn Fn(&mut [T])| {
            let mut slope = Buffer::new(g.len());
            d(&mut slope);
            update!(&mut slope, &g, |d, g| d * g);
            slope
        };
        let (va, vb) = ((a.data(), sa), (b.data(), sb));
        let cols = shape.1;
        if needed(&a) {
            let da = match f {
                Function::Add | Function::Sub => Buffer::copy(&g),
                Function::Mul => product(&|d| zip(d, cols, va, vb, |_, b| b)),
                Function::Div => product(&|d| zip(d, cols, va, vb, |_, b| T::ONE / b)),
                Function::Min => product(&|d| zip(d, cols, va, vb, |a, b| if a <= b { T::ONE } else { T::ZERO })),
                Function::Max => product(&|d| zip(d, cols, va, vb, |a, b| if a >= b { T::ONE } else { T::ZERO })),
            };
            give_spread(&a, da, shape);
        }
        if needed(&b) {
            let db = match f {
                Function::Add => g,
                Function::Sub => {
                    let mut g = g;
                    g.iter_mut().for_each(|g| *g = -*g);
                    g
                }
                Function::Mul => product(&|d| zip(d, cols, va, vb, |a, _| a)),
                Function::Div => product(&|d| zip(d, cols, va, vb, |a, b| -(a / (b * b)))),
                Function::Min => product(&|d| zip(d, cols, va, vb, |a, b| if a <= b { T::ZERO } else { T::ONE })),
                Function::Max => product(&|d| zip(d, cols, va, vb, |a, b| if a >= b { T::ZERO } else { T::ONE })),
            };
            give_spread(&b, db, shape);
        }
    }
}

/// Adds the gradient `g` of a result of `shape` to the gradient of the operand `x`, summed where `x` was spread.
fn give_spread<T: Real>(x: &Tensor<T>, g: Buffer<T>, shape: (usize, usize)) {
    let summed = match Spread::of(x.shape(), shape) {
        Spread::Full => g,
        Spread::Row => {
            let mut sum = Buffer::new(x.cols());
            kernels::sum_rows(&mut sum, false, &g);
            sum
        }
        Spread::Col => {
            let mut sum = Buffer::new(x.rows());
            kernels::sum_cols(&mut sum, &g, shape.1);
            sum
        }
        Spread::One => Buffer::copy(&[kernels::sum(&g)]),
    };
    give(x, summed);
}

/// How an operand is read where the result is larger.
#[derive(Clone, Copy, PartialEq)]
enum Spread {
    /// Element by element.
    Full,
    /// One row for all rows.
    Row,
    /// One column for all columns.
    Col,
    /// One number for all elements.
    One,
}

impl Spread {
    /// How an operand of `shape` is read for a result of another shape. Panics where the two do not go together.
    fn of(shape: (usize, usize), result: (usize, usize)) -> Self {
        match (shape.0 == result.0, shape.1 == result.1) {
            (true, true) => Self::Full,
            (false, true) if shape.0 == 1 => Self::Row,
            (true, false) if shape.1 == 1 => Self::Col,
            _ if shape == (1, 1) => Self::One,
            _ => panic!("shapes {} x {} and {} x {} do not go together", shape.0, shape.1, result.0, result.1),
        }
    }
}

kernel! {
    /// `dst[i, j] = f(a[i, j], b[i, j])` with rows, columns and numbers spread; f is a few operations.
    fn zip<'a, T: Real, F: Fn(T, T) -> T>(
        dst: &'a mut [T],
        cols: usize,
        a: (&'a [T], Spread),
        b: (&'a [T], Spread),
        f: F,
    ) -> () {
        let ((a, sa), (b, sb)) = (a, b);
        if (sa, sb) == (Spread::Full, Spread::Full) {
            for ((d, &a), &b) in dst.iter_mut().zip(a).zip(b) {
                *d = f(a, b);
            }
            return;
        }
        for (i, d) in dst.chunks_exact_mut(cols.max(1)).enumerate() {
            let row = i * cols..(i + 1) * cols;
            match (sa, sb) {
                (Spread::Full, Spread::Row) => {
                    for ((d, &a), &b) in d.iter_mut().zip(&a[row]).zip(b) {
                        *d = f(a, b);
                    }
                }
                (Spread::Full, Spread::Col | Spread::One) => {
                    let b = b[if sb == Spread::Col { i } else { 0 }];
                    for (d, &a) in d.iter_mut().zip(&a[row]) {
                        *d = f(a, b);
                    }
                }
                _ => {
                    let at = |x: &[T], s, j| match s {
                        Spread::Full => x[i * cols + j],
                        Spread::Row => x[j],
                        Spread::Col => x[i],
                        Spread::One => x[0],
                    };
                    for (j, d) in d.iter_mut().enumerate() {
                        *d = f(at(a, sa, j), at(b, sb, j));
                    }
                }
            }
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
operator!(Add, add, Function::Add);
operator!(Sub, sub, Function::Sub);
operator!(Mul, mul, Function::Mul);
operator!(Div, div, Function::Div);
