//! The cells of one gate: h' = f(W x + b + V h + c).

use super::step::Step;
use crate::nn::kernels::{each, kernel};
use crate::nn::program::{Function, Pairwise, Program, Row};
use crate::nn::real::Real;

/// The cell with f = tanh.
pub(super) struct Tanh;

impl Step for Tanh {
    const GATES: usize = 1;
    const SAVED: usize = 1;

    fn forward<T: Real>(y: &mut [T], saved: &mut [T], gi: &[T], gh: &[T], _: &[T], bias: &[T], n: usize) {
        elman_step(y, saved, gi, gh, bias, n, false);
    }

    fn write(p: &mut Program, [gi, gh, _]: [Row; 3], _: usize) -> Row {
        let sum = p.both(Pairwise::Add, gi, gh);
        p.each(Function::Tanh, sum)
    }

    fn backward<T: Real>(dgi: &mut [T], _: &mut [T], g: &mut [T], saved: &mut [T], _: &[T], _: usize) {
        each_product(dgi, g, saved);
    }
}

/// The cell with f = ReLU.
pub(super) struct Relu;

impl Step for Relu {
    const GATES: usize = 1;
    const SAVED: usize = 1;

    fn forward<T: Real>(y: &mut [T], saved: &mut [T], gi: &[T], gh: &[T], _: &[T], bias: &[T], n: usize) {
        elman_step(y, saved, gi, gh, bias, n, true);
    }

    fn write(p: &mut Program, [gi, gh, _]: [Row; 3], _: usize) -> Row {
        let sum = p.both(Pairwise::Add, gi, gh);
        p.each(Function::Relu, sum)
    }

    fn backward<T: Real>(dgi: &mut [T], _: &mut [T], g: &mut [T], saved: &mut [T], _: &[T], _: usize) {
        each_product(dgi, g, saved);
    }
}

kernel! {
    /// The next state of an Elman cell; keeps its slope for the way back.
    fn elman_step<'a, T: Real>(
        y: &'a mut [T],
        saved: &'a mut [T],
        gi: &'a [T],
        gh: &'a [T],
        bias: &'a [T],
        n: usize,
        relu: bool,
    ) -> () {
        let rows = y.chunks_exact_mut(n).zip(saved.chunks_exact_mut(n));
        for ((y, saved), (gi, gh)) in rows.zip(gi.chunks_exact(n).zip(gh.chunks_exact(n))) {
            if relu {
                each!(y, [gi = gi, gh = gh, b = bias], (gi + (gh + b)).maximum(T::ZERO));
                each!(saved, [y = y], if y > T::ZERO { T::ONE } else { T::ZERO });
            } else {
                each!(y, [gi = gi, gh = gh, b = bias], (gi + (gh + b)).tanh());
                each!(saved, [y = y], T::ONE - y * y);
            }
        }
    }
}

kernel! {
    /// `dst = a b`, element by element.
    fn each_product<'a, T: Real>(dst: &'a mut [T], a: &'a [T], b: &'a [T]) -> () {
        each!(dst, [a = a, b = b], a * b);
    }
}
