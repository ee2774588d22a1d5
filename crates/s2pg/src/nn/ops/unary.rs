//! Functions of each element by itself, and the operators between a tensor and a number.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::operation::Operation;
use crate::nn::graph::{Sink, give};
use crate::nn::kernels::{map, update};
use crate::nn::pool::Buffer;
use crate::nn::program::{self, Program, Row};
use crate::nn::real::Real;
use crate::nn::tensor::Tensor;

pub(in crate::nn) struct Unary<T: Real> {
    x: [Tensor<T>; 1],
    f: Function<T>,
}

#[derive(Clone, Copy)]
enum Function<T> {
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
    /// The nearest number between the first and the second.
    Clip(T, T),
    /// x * scale + shift
    Affine(T, T),
}

impl<T: Real> Tensor<T> {
    /// e to the power of each element.
    pub fn exp(&self) -> Self {
        self.unary(Function::Exp)
    }
    /// The natural logarithm of each element.
    pub fn ln(&self) -> Self {
        self.unary(Function::Ln)
    }
    /// The hyperbolic tangent of each element.
    pub fn tanh(&self) -> Self {
        self.unary(Function::Tanh)
    }
    /// 1 / (1 + exp(-x)) for each element x.
    pub fn sigmoid(&self) -> Self {
        self.unary(Function::Sigmoid)
    }
    /// max(x, 0) for each element x.
    pub fn relu(&self) -> Self {
        self.unary(Function::Relu)
    }
    /// ln(1 + exp(x)) for each element x.
    pub fn softplus(&self) -> Self {
        self.unary(Function::Softplus)
    }
    /// The sine of each element, in radians.
    pub fn sin(&self) -> Self {
        self.unary(Function::Sin)
    }
    /// The cosine of each element, in radians.
    pub fn cos(&self) -> Self {
        self.unary(Function::Cos)
    }
    /// x * x for each element x.
    pub fn square(&self) -> Self {
        self.unary(Function::Square)
    }
    /// The square root of each element.
    pub fn sqrt(&self) -> Self {
        self.unary(Function::Sqrt)
    }
    /// The magnitude of each element.
    pub fn abs(&self) -> Self {
        self.unary(Function::Abs)
    }
    /// For each element the nearest number between `low` and `high`; the gradient of elements outside is zero.
    pub fn clip(&self, low: f64, high: f64) -> Self {
        self.unary(Function::Clip(T::of(low), T::of(high)))
    }

    fn unary(&self, f: Function<T>) -> Self {
        let mut y = Buffer::new(self.data().len());
        let x = self.data();
        match f {
            Function::Exp => map!(&mut y, x, |x| x.exp()),
            Function::Ln => map!(&mut y, x, |x| x.ln()),
            Function::Tanh => map!(&mut y, x, |x| x.tanh()),
            Function::Sigmoid => map!(&mut y, x, |x| x.sigmoid()),
            Function::Relu => map!(&mut y, x, |x| x.maximum(T::ZERO)),
            Function::Softplus => map!(&mut y, x, |x| x.maximum(T::ZERO) + (T::ONE + (-x.abs()).exp()).ln()),
            Function::Sin => map!(&mut y, x, |x| x.sin()),
            Function::Cos => map!(&mut y, x, |x| x.cos()),
            Function::Square => map!(&mut y, x, |x| x * x),
            Function::Sqrt => map!(&mut y, x, |x| x.sqrt()),
            Function::Abs => map!(&mut y, x, |x| x.abs()),
            Function::Clip(low, high) => map!(&mut y, x, (low, high), |x| x.clip(low, high)),
            Function::Affine(scale, shift) => map!(&mut y, x, (scale, shift), |x| x * scale + shift),
        }
        Self::node(self.rows(), self.cols(), y, Unary { x: [self.clone()], f })
    }
}

impl<T: Real> Operation<T> for Unary<T> {
    fn parents(&self) -> &[Tensor<T>] {
        &self.x
    }

    fn write(&self, program: &mut Program, from: &[Row]) -> Result<Row, &'static str> {
        let number = |x: T| x.f64() as f32;
        let f = match self.f {
            Function::Exp => program::Function::Exp,
            Function::Ln => program::Function::Ln,
            Function::Tanh => program::Function::Tanh,
            Function::Sigmoid => program::Function::Sigmoid,
            Function::Relu => program::Function::Relu,
            Function::Softplus => program::Function::Softplus,
            Function::Sin => program::Function::Sin,
            Function::Cos => program::Function::Cos,
            Function::Square => program::Function::Square,
            Function::Sqrt => program::Function::Sqrt,
            Function::Abs => program::Function::Abs,
            Function::Clip(low, high) => program::Function::Clip(number(low), number(high)),
            Function::Affine(scale, shift) => program::Function::Affine(number(scale), number(shift)),
        };
        Ok(program.each(f, from[0]))
    }

    fn backward(self, y: &Tensor<T>, mut g: Buffer<T>, _: &mut Sink<'_, T>) {
        let Self { x: [x], f } = self;
        slope(f, &mut g, x.data(), y.data());
        give(&x, g);
    }
}

/// g = g f'(x), where y = f(x).
fn slope<T: Real>(f: Function<T>, g: &mut [T], x: &[T], y: &[T]) {
    let two = T::of(2.0);
    match f {
        Function::Exp => update!(g, y, |g, y| g * y),
        Function::Ln => update!(g, x, |g, x| g / x),
        Function::Tanh => update!(g, y, |g, y| g * (T::ONE - y * y)),
        Function::Sigmoid => update!(g, y, |g, y| g * (y * (T::ONE - y))),
        Function::Relu => update!(g, x, |g, x| if x > T::ZERO { g } else { T::ZERO }),
        Function::Softplus => update!(g, x, |g, x| g * x.sigmoid()),
        Function::Sin => update!(g, x, |g, x| g * x.cos()),
        Function::Cos => update!(g, x, |g, x| -(g * x.sin())),
        Function::Square => update!(g, x, (two), |g, x| g * (two * x)),
        Function::Sqrt => update!(g, y, (two), |g, y| g / (two * y)),
        Function::Abs => update!(g, x, |g, x| if x < T::ZERO { -g } else { g }),
        Function::Clip(low, high) => {
            update!(g, x, (low, high), |g, x| if x >= low && x <= high { g } else { T::ZERO });
        }
        Function::Affine(scale, _) => g.iter_mut().for_each(|g| *g = *g * scale),
    }
}

macro_rules! operator_with_number {
    ($trait:ident, $method:ident, $scale:expr, $shift:expr) => {
        impl<T: Real> $trait<f64> for &Tensor<T> {
            type Output = Tensor<T>;
            fn $method(self, x: f64) -> Tensor<T> {
                let (scale, shift): (fn(f64) -> f64, fn(f64) -> f64) = ($scale, $shift);
                self.unary(Function::Affine(T::of(scale(x)), T::of(shift(x))))
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
operator_with_number!(Add, add, |_| 1.0, |x| x);
operator_with_number!(Sub, sub, |_| 1.0, |x| -x);
operator_with_number!(Mul, mul, |x| x, |_| 0.0);
operator_with_number!(Div, div, |x| 1.0 / x, |_| 0.0);

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
