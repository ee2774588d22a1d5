//! The number types: f32 for training, f64 for the proofs.

use std::fmt::{Debug, Display};
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

use super::pool::Pooled;
use crate::state::{Data, Visitor};

/// A floating-point number with the functions that networks need; f32 and f64 are the only two.
///
/// The functions of f32 are short polynomials without branches, so that loops over them become vector code; their
/// results are within 2e-7 of the exact value (relative for exp and tanh). The functions of f64 are the standard
/// library's.
pub trait Real:
    Pooled
    + Debug
    + Display
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + Sum
{
    /// The number 0.
    const ZERO: Self;
    /// The number 1.
    const ONE: Self;
    /// The optimiser sets moments whose magnitude is below this number to zero, before they become denormal.
    const TINY: Self;

    /// The nearest number to `x`.
    fn of(x: f64) -> Self;
    /// This number as an f64.
    fn f64(self) -> f64;
    /// self · factor + term, rounded once. Only products use it, and only where the machine has the instruction.
    fn mul_add(self, factor: Self, term: Self) -> Self;
    /// The square root of self.
    fn sqrt(self) -> Self;
    /// The magnitude of self.
    fn abs(self) -> Self;
    /// e to the power of self.
    fn exp(self) -> Self;
    /// The natural logarithm of self.
    fn ln(self) -> Self;
    /// The hyperbolic tangent of self.
    fn tanh(self) -> Self;
    /// The sine of self, in radians.
    fn sin(self) -> Self;
    /// The cosine of self, in radians.
    fn cos(self) -> Self;
    /// Whether self is neither infinite nor NaN.
    fn is_finite(self) -> bool;

    /// 1 / (1 + exp(-self)).
    #[inline(always)]
    fn sigmoid(self) -> Self {
        Self::ONE / (Self::ONE + (-self).exp())
    }
    /// The larger of self and `other`; NaN where self is NaN.
    #[inline(always)]
    fn maximum(self, other: Self) -> Self {
        if self < other { other } else { self }
    }
    /// The smaller of self and `other`; NaN where self is NaN.
    #[inline(always)]
    fn minimum(self, other: Self) -> Self {
        if self > other { other } else { self }
    }
    /// The number between `low` and `high` that is nearest to self; NaN stays NaN.
    #[inline(always)]
    fn clip(self, low: Self, high: Self) -> Self {
        self.maximum(low).minimum(high)
    }

    /// Shows the numbers `x` to a visitor, as the item called `name`.
    fn visit(name: &str, x: &mut [Self], v: &mut dyn Visitor);
}

const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;

/// The polynomial `c[0] x^n + ... + c[n]`.
#[inline(always)]
fn horner<const N: usize>(x: f32, c: [f32; N]) -> f32 {
    let mut y = c[0];
    for &c in &c[1..] {
        y = y * x + c;
    }
    y
}

/// 2 to the power of n, for -126 <= n <= 127.
#[inline(always)]
fn exp2i(n: i32) -> f32 {
    f32::from_bits(((n + 127) << 23) as u32)
}

impl Real for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const TINY: Self = 1e-32;

    #[inline(always)]
    fn of(x: f64) -> Self {
        x as f32
    }
    #[inline(always)]
    fn f64(self) -> f64 {
        self as f64
    }
    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        f32::mul_add(self, factor, term)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        f32::sqrt(self)
    }
    #[inline(always)]
    fn abs(self) -> Self {
        f32::abs(self)
    }

    #[inline(always)]
    fn exp(self) -> Self {
        // x = n ln 2 + r with |r| <= ln(2)/2; the sum with MAGIC rounds n to an integer in the low bits.
        const MAGIC: f32 = 12_582_912.0;
        let x = self.clip(-104.0, 104.0);
        let shifted = x * std::f32::consts::LOG2_E + MAGIC;
        let n = shifted.to_bits() as i32 - MAGIC.to_bits() as i32;
        let whole = shifted - MAGIC;
        let r = x - whole * LN2_HIGH - whole * LN2_LOW;
        let p = horner(r, [1.987_569_1e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5]);
        // The scale is applied in halves, so that it overflows to infinity and underflows to zero as it should.
        let half = n >> 1;
        (p * r * r + r + 1.0) * exp2i(half) * exp2i(n - half)
    }

    #[inline(always)]
    fn ln(self) -> Self {
        let tiny = self < f32::MIN_POSITIVE;
        let x = if tiny { self * 8_388_608.0 } else { self };
        let bits = x.to_bits() as i32;
        // x = 2^e m with sqrt(1/2) <= m < sqrt(2).
        let e = (bits - 0x3f35_04f3) >> 23;
        let m = f32::from_bits((bits - (e << 23)) as u32) - 1.0;
        let e = e as f32 - if tiny { 23.0 } else { 0.0 };
        let z = m * m;
        let p = horner(
            m,
            [
                7.037_683_6e-2,
                -1.151_461e-1,
                1.167_699_8e-1,
                -1.242_014_1e-1,
                1.424_932_3e-1,
                -1.666_805_8e-1,
                2.000_071_5e-1,
                -2.499_999_4e-1,
                3.333_333e-1,
            ],
        );
        let y = m + (m * z * p + e * LN2_LOW - 0.5 * z) + e * LN2_HIGH;
        let y = if self == 0.0 { f32::NEG_INFINITY } else { y };
        let y = if self < 0.0 { f32::NAN } else { y };
        if self < f32::INFINITY { y } else { self }
    }

    #[inline(always)]
    fn tanh(self) -> Self {
        let z = self * self;
        let small = horner(z, [-5.704_989e-3, 2.063_909e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328e-1]);
        let magnitude = f32::abs(self);
        let large = (1.0 - 2.0 / (Real::exp(magnitude + magnitude) + 1.0)).copysign(self);
        if magnitude < 0.625 { small * z * self + self } else { large }
    }

    #[inline(always)]
    fn sin(self) -> Self {
        f32::sin(self)
    }
    #[inline(always)]
    fn cos(self) -> Self {
        f32::cos(self)
    }
    #[inline(always)]
    fn is_finite(self) -> bool {
        f32::is_finite(self)
    }

    fn visit(name: &str, x: &mut [Self], v: &mut dyn Visitor) {
        v.item(name, Data::F32(x));
    }
}

impl Real for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const TINY: Self = 1e-280;

    #[inline(always)]
    fn of(x: f64) -> Self {
        x
    }
    #[inline(always)]
    fn f64(self) -> f64 {
        self
    }
    #[inline(always)]
    fn mul_add(self, factor: Self, term: Self) -> Self {
        f64::mul_add(self, factor, term)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }
    #[inline(always)]
    fn abs(self) -> Self {
        f64::abs(self)
    }
    #[inline(always)]
    fn exp(self) -> Self {
        f64::exp(self)
    }
    #[inline(always)]
    fn ln(self) -> Self {
        f64::ln(self)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        f64::tanh(self)
    }
    #[inline(always)]
    fn sin(self) -> Self {
        f64::sin(self)
    }
    #[inline(always)]
    fn cos(self) -> Self {
        f64::cos(self)
    }
    #[inline(always)]
    fn is_finite(self) -> bool {
        f64::is_finite(self)
    }

    fn visit(name: &str, x: &mut [Self], v: &mut dyn Visitor) {
        v.item(name, Data::F64(x));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The f32 functions are within 2e-7 of the f64 functions, and right at the edges.
    #[test]
    fn f32_functions_are_accurate() {
        let mut worst = [0.0f64; 4];
        for i in -40_000..=40_000 {
            let x = i as f32 * 2e-3;
            let exact = x as f64;
            let relative = |y: f32, e: f64| ((y as f64 - e) / e.abs().max(1e-30)).abs();
            worst[0] = worst[0].max(relative(Real::exp(x), exact.exp()));
            if x != 0.0 {
                worst[1] = worst[1].max(relative(Real::tanh(x), exact.tanh()));
            }
            worst[2] = worst[2].max((Real::sigmoid(x) as f64 - 1.0 / (1.0 + (-exact).exp())).abs());
            let p = (i as f64 * 1e-3).exp() as f32;
            worst[3] = worst[3].max((Real::ln(p) as f64 - (p as f64).ln()).abs() / (p as f64).ln().abs().max(1.0));
        }
        assert!(worst.iter().all(|&w| w < 2e-7), "{worst:?}");
        assert_eq!(Real::exp(1000.0f32), f32::INFINITY);
        assert_eq!(Real::exp(-1000.0f32), 0.0);
        assert!(Real::exp(f32::NAN).is_nan() && Real::tanh(f32::NAN).is_nan() && Real::ln(f32::NAN).is_nan());
        assert_eq!((Real::ln(0.0f32), Real::ln(f32::INFINITY)), (f32::NEG_INFINITY, f32::INFINITY));
        assert!(Real::ln(-1.0f32).is_nan());
        assert_eq!((Real::tanh(100.0f32), Real::tanh(-100.0f32)), (1.0, -1.0));
    }
}
