//! What a recurrent cell is: one step, both ways, for all rows at once.

use crate::nn::program::{Program, Row};
use crate::nn::real::Real;

/// A cell of n units. In the flat slices of numbers each row follows the one before, and what there is for each unit
/// stands in blocks of n.
pub(super) trait Step {
    /// Rows of the weights for each unit.
    const GATES: usize;
    /// Numbers in the state for each unit. The first n numbers of a row of the state are h, which the gates read.
    const STATE: usize = 1;
    /// Numbers that the way back needs, for each unit.
    const SAVED: usize;
    /// Whether the gradient of the recurrent half of the gates differs from the gradient of the input half.
    const SEPARATE: bool = false;
    /// Whether h reaches the next h in another way than through the gates.
    const DIRECT: bool = false;

    /// Writes the next state to `y` and what the way back needs to `saved`, from the input half of the gates `gi`, the
    /// product of h and the recurrent weight `gh`, the state, and the recurrent bias.
    fn forward<T: Real>(y: &mut [T], saved: &mut [T], gi: &[T], gh: &[T], state: &[T], bias: &[T], n: usize);

    /// Writes the next state down behind `program`, from the rows of the input half of the gates, of the product of h
    /// and the recurrent weight with the recurrent bias, and of the state.
    fn write(program: &mut Program, from: [Row; 3], n: usize) -> Row;

    /// Writes the gradient of the input half of the gates to `dgi`, and of the recurrent half to `dgh` where it is
    /// `SEPARATE` (`dgh` is empty elsewhere). `g` holds the gradient of the next state; it becomes the part of the
    /// gradient of `state` that does not come through the gates.
    fn backward<T: Real>(dgi: &mut [T], dgh: &mut [T], g: &mut [T], saved: &mut [T], state: &[T], n: usize);
}

/// Four equal parts of `x`.
#[inline(always)]
pub(super) fn quarters<T>(x: &mut [T]) -> [&mut [T]; 4] {
    let n = x.len() / 4;
    let (a, x) = x.split_at_mut(n);
    let (b, x) = x.split_at_mut(n);
    let (c, d) = x.split_at_mut(n);
    [a, b, c, &mut d[..n]]
}
