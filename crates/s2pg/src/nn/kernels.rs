//! Loops over numbers, compiled for the widest vectors of the machine; and the one matrix product.
//!
//! Here are the tools to make kernels, and the kernels that several operations share; a kernel that only one operation
//! uses stands in the operation's file. Nothing but an operation calls a kernel.
//!
//! No kernel uses a fused multiply-add, and every sum has a fixed order: the bits do not depend on the vector width.

use std::sync::LazyLock;

use super::pool::Buffer;
use super::real::Real;

/// The kinds of vectors that this machine has.
pub(super) static ARCH: LazyLock<pulp::Arch> = LazyLock::new(pulp::Arch::new);

/// Defines a function whose body is compiled for each kind of vectors and chosen at run time.
///
/// The body stands in an always-inlined method: a closure would be left out of line, and with it the vectors.
macro_rules! kernel {
    (
        $(#[$meta:meta])*
        $vis:vis fn $name:ident<$lt:lifetime, $($g:ident: $b:path),+>($($arg:ident: $ty:ty),* $(,)?) -> $ret:ty $body:block
    ) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name<$lt, $($g: $b),+>($($arg: $ty),*) -> $ret {
            struct Kernel<$lt, $($g: $b),+> { $($arg: $ty),* }
            impl<$lt, $($g: $b),+> pulp::NullaryFnOnce for Kernel<$lt, $($g),+> {
                type Output = $ret;
                #[inline(always)]
                fn call(self) -> $ret {
                    let Self { $($arg),* } = self;
                    body($($arg),*)
                }
            }
            // Arguments of a function are known not to overlap, fields of a struct are not.
            #[inline(always)]
            fn body<$lt, $($g: $b),+>($($arg: $ty),*) -> $ret $body
            $crate::nn::kernels::ARCH.dispatch(Kernel { $($arg),* })
        }
    };
}

/// `dst = f(x)`, element by element, with numbers of type T captured by name.
macro_rules! map {
    ($dst:expr, $x:expr, $(($($cap:ident),+),)? |$v:ident| $e:expr) => {{
        struct Map<'a, T: Real> { dst: &'a mut [T], x: &'a [T], $($($cap: T),+)? }
        impl<T: Real> pulp::NullaryFnOnce for Map<'_, T> {
            type Output = ();
            #[inline(always)]
            fn call(self) {
                let Self { dst, x, $($($cap),+)? } = self;
                for (d, &$v) in dst.iter_mut().zip(x) {
                    *d = $e;
                }
            }
        }
        $crate::nn::kernels::ARCH.dispatch(Map { dst: $dst, x: $x, $($($cap),+)? })
    }};
}

/// `dst = f(dst, x)`, element by element.
macro_rules! update {
    ($dst:expr, $x:expr, $(($($cap:ident),+),)? |$old:ident, $v:ident| $e:expr) => {{
        struct Update<'a, T: Real> { dst: &'a mut [T], x: &'a [T], $($($cap: T),+)? }
        impl<T: Real> pulp::NullaryFnOnce for Update<'_, T> {
            type Output = ();
            #[inline(always)]
            fn call(self) {
                let Self { dst, x, $($($cap),+)? } = self;
                for (d, &$v) in dst.iter_mut().zip(x) {
                    let $old = *d;
                    *d = $e;
                }
            }
        }
        $crate::nn::kernels::ARCH.dispatch(Update { dst: $dst, x: $x, $($($cap),+)? })
    }};
}

/// `dst[j] = f(x[j], ...)` inside a kernel. Each loop has one destination that overlaps nothing, so it becomes vectors.
macro_rules! each {
    ($dst:expr, [$($v:ident = $x:expr),+], $e:expr) => {{
        #[inline(always)]
        #[allow(clippy::too_many_arguments)]
        fn each<T: Real>(dst: &mut [T], $($v: &[T]),+) {
            let n = dst.len();
            $(let $v = &$v[..n];)+
            for j in 0..n {
                $(let $v = $v[j];)+
                dst[j] = $e;
            }
        }
        each($dst, $($x),+)
    }};
}

pub(super) use {each, kernel, map, update};

/// A matrix inside a slice: element (i, j) is `data[i * rs + j * cs]`.
#[derive(Clone, Copy)]
pub(super) struct View<'a, T> {
    pub data: &'a [T],
    pub rows: usize,
    pub cols: usize,
    pub rs: usize,
    pub cs: usize,
}

impl<'a, T> View<'a, T> {
    /// The matrix of rows x cols numbers that stand in `data` row after row.
    pub fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        Self { data, rows, cols, rs: cols, cs: 1 }
    }

    /// The transposed matrix.
    pub fn t(self) -> Self {
        Self { rows: self.cols, cols: self.rows, rs: self.cs, cs: self.rs, ..self }
    }

    /// The matrix of the columns `from..to`. Panics where they are not all there.
    pub fn columns(self, from: usize, to: usize) -> Self {
        assert!(from <= to && to <= self.cols, "columns {from}..{to} of {}", self.cols);
        Self { data: &self.data[(from * self.cs).min(self.data.len())..], cols: to - from, ..self }
    }

    /// Whether every element is inside the slice.
    fn fits(&self) -> bool {
        self.rows == 0 || self.cols == 0 || (self.rows - 1) * self.rs + (self.cols - 1) * self.cs < self.data.len()
    }
}

/// `dst = [dst +] a b`, where row i of dst starts at `i * stride`.
pub(super) fn matmul<T: Real>(dst: &mut [T], stride: usize, add: bool, a: View<'_, T>, b: View<'_, T>) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    assert_eq!(k, b.rows, "product of {m} x {k} and {} x {n}", b.rows);
    assert!(a.fits() && b.fits(), "a view is longer than its data");
    assert!(m == 0 || n == 0 || (m - 1) * stride + n <= dst.len(), "{m} x {n} does not fit {}", dst.len());
    if m == 0 || n == 0 {
        return;
    }
    if k == 0 {
        if !add {
            dst.chunks_mut(stride).take(m).for_each(|row| row[..n].fill(T::ZERO));
        }
        return;
    }
    if m == 1 && b.rs == 1 && a.cs == 1 {
        return vector_matrix(dst, add, &a.data[..k], b);
    }
    // The product library copies all of b into another order, which costs more than the product of a few rows.
    if (2..=FEW).contains(&m) && n >= WIDE && k >= WIDE && a.cs == 1 && b.cs == 1 && fuses() {
        return few_rows(dst, stride, add, a, b);
    }
    // Where the columns of b are contiguous, the product library copies all of b into another order. For few rows it is
    // cheaper to compute the transposed product, for which it copies a.
    if !add && b.rs == 1 && a.cs == 1 && (MANY..=64).contains(&m) && n >= 128 && k >= 128 {
        let mut product = Buffer::new(m * n);
        matmul(&mut product, m, false, b.t(), a.t());
        return transpose(dst, stride, View::new(&product, n, m));
    }
    // SAFETY: the assertions above hold every index (i, j) of the three matrices inside its slice, dst is borrowed
    // mutably and so overlaps neither operand, and T is f32 or f64 (Real is implemented for nothing else).
    #[allow(unsafe_code)]
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            dst.as_mut_ptr(),
            1,
            stride as isize,
            add,
            a.data.as_ptr(),
            a.cs as isize,
            a.rs as isize,
            b.data.as_ptr(),
            b.cs as isize,
            b.rs as isize,
            T::ONE,
            T::ONE,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

kernel! {
    /// A row times a matrix whose columns are contiguous: what acting in one environment costs.
    fn vector_matrix<'a, T: Real>(dst: &'a mut [T], add: bool, a: &'a [T], b: View<'a, T>) -> () {
        for (j, y) in dst.iter_mut().enumerate().take(b.cols) {
            let sum = dot(a, &b.data[j * b.cs..j * b.cs + a.len()]);
            *y = if add { *y + sum } else { sum };
        }
    }
}

/// The most rows that are multiplied without the product library: the steps of a segment have as few.
const FEW: usize = 4;
/// Rows from which on the order in which a matrix lies matters less to the product library.
pub(super) const MANY: usize = 16;
/// Sides of the other matrix from which on that is worth it.
pub(super) const WIDE: usize = 128;

kernel! {
    /// A few rows, 2 to 4, times a matrix whose rows are contiguous: `dst = [dst +] a b`. Each number of b is read once
    /// for all rows.
    fn few_rows<'a, T: Real>(dst: &'a mut [T], stride: usize, add: bool, a: View<'a, T>, b: View<'a, T>) -> () {
        if !add {
            dst.chunks_mut(stride).take(a.rows).for_each(|y| y[..b.cols].fill(T::ZERO));
        }
        match a.rows {
            2 => rows_times::<T, 2>(dst, stride, a, b),
            3 => rows_times::<T, 3>(dst, stride, a, b),
            _ => rows_times::<T, FEW>(dst, stride, a, b),
        }
    }
}

/// `dst += a b` for R rows, four rows of b at a time.
#[inline(always)]
fn rows_times<T: Real, const R: usize>(dst: &mut [T], stride: usize, a: View<'_, T>, b: View<'_, T>) {
    let n = b.cols;
    let mut rest = dst.chunks_mut(stride);
    let mut y: [&mut [T]; R] = std::array::from_fn(|_| &mut rest.next().expect("dst has the rows of a")[..n]);
    let row = |l: usize| &b.data[l * b.rs..l * b.rs + n];
    let fours = a.cols / 4 * 4;
    for l in (0..fours).step_by(4) {
        let [w0, w1, w2, w3] = std::array::from_fn(|q| row(l + q));
        let f: [[T; 4]; R] = std::array::from_fn(|i| std::array::from_fn(|q| a.data[i * a.rs + l + q]));
        for j in 0..n {
            let w = [w0[j], w1[j], w2[j], w3[j]];
            for i in 0..R {
                let [f0, f1, f2, f3] = f[i];
                y[i][j] = f3.mul_add(w[3], f2.mul_add(w[2], f1.mul_add(w[1], f0.mul_add(w[0], y[i][j]))));
            }
        }
    }
    for l in fours..a.cols {
        for i in 0..R {
            let (f, w) = (a.data[i * a.rs + l], row(l));
            (0..n).for_each(|j| y[i][j] = f.mul_add(w[j], y[i][j]));
        }
    }
}

kernel! {
    /// `dst = xᵀ`, for x whose rows are contiguous; row i of dst starts at `i * stride`.
    pub(super) fn transpose<'a, T: Real>(dst: &'a mut [T], stride: usize, x: View<'a, T>) -> () {
        const TILE: usize = 16;
        let row = |i: usize| &x.data[i * x.rs..i * x.rs + x.cols];
        for top in (0..x.rows).step_by(TILE) {
            for left in (0..x.cols).step_by(TILE) {
                if top + TILE <= x.rows && left + TILE <= x.cols {
                    let mut tile = [[T::ZERO; TILE]; TILE];
                    for (i, tile) in tile.iter_mut().enumerate() {
                        tile.copy_from_slice(&row(top + i)[left..left + TILE]);
                    }
                    for j in 0..TILE {
                        let dst = &mut dst[(left + j) * stride + top..][..TILE];
                        for i in 0..TILE {
                            dst[i] = tile[i][j];
                        }
                    }
                } else {
                    for i in top..x.rows.min(top + TILE) {
                        for (j, &x) in row(i)[left..x.cols.min(left + TILE)].iter().enumerate() {
                            dst[(left + j) * stride + i] = x;
                        }
                    }
                }
            }
        }
    }
}

/// Whether the machine multiplies and adds in one instruction, as the product library does where it can. Where it does
/// not, a fused multiply-add is a call of a function.
fn fuses() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    return cfg!(target_arch = "aarch64");
}

/// How many sums run side by side.
const LANES: usize = 16;

/// The inner product: whole lanes, then the rest one by one. Most of a short product would be adding up empty lanes.
#[inline(always)]
fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let mut lanes = [T::ZERO; LANES];
    let (a, a_tail) = a.as_chunks::<LANES>();
    let (b, b_tail) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        lanes = std::array::from_fn(|i| lanes[i] + a[i] * b[i]);
    }
    let mut sum = if a.is_empty() { T::ZERO } else { tree(lanes) };
    for (&a, &b) in a_tail.iter().zip(b_tail) {
        sum += a * b;
    }
    sum
}

/// Adds up lanes in pairs.
#[inline(always)]
fn tree<T: Real>(lanes: [T; LANES]) -> T {
    // Seen together with the loop before it, this order of additions would lead the compiler away from whole vectors.
    let mut lanes = std::hint::black_box(lanes);
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// The sum of `f(x)` over all elements x, in lanes.
#[inline(always)]
pub(super) fn sum_inline<T: Real>(x: &[T], f: impl Fn(T) -> T) -> T {
    let mut lanes = [T::ZERO; LANES];
    let (chunks, tail) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] += f(chunk[i]);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(tail) {
        *lane += f(x);
    }
    tree(lanes)
}

kernel! {
    /// The sum of all elements.
    pub(super) fn sum<'a, T: Real>(x: &'a [T]) -> T {
        sum_inline(x, |x| x)
    }
}

kernel! {
    /// `dst[j] = sum over rows of x[i, j]`.
    pub(super) fn sum_rows<'a, T: Real>(dst: &'a mut [T], add: bool, x: &'a [T]) -> () {
        if !add {
            dst.fill(T::ZERO);
        }
        for row in x.chunks_exact(dst.len().max(1)) {
            for (d, &x) in dst.iter_mut().zip(row) {
                *d += x;
            }
        }
    }
}

kernel! {
    /// `dst[i] = sum over columns of x[i, j]`.
    pub(super) fn sum_cols<'a, T: Real>(dst: &'a mut [T], x: &'a [T], cols: usize) -> () {
        for (d, row) in dst.iter_mut().zip(x.chunks_exact(cols.max(1))) {
            *d = sum_inline(row, |x| x);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// Whichever way a product takes, it is the sum of products, and writes nothing beside its place.
    #[test]
    fn every_product_is_the_sum_of_products() {
        let mut rng = Rng::new(0, "products");
        let mut fill = |n: usize| (0..n).map(|_| rng.range(-1.0, 1.0) as f32).collect::<Vec<_>>();
        // One row; two to four rows of wide operands, in pairs or with one left; more rows of wide operands, which are
        // turned, with and without whole tiles; all others; nothing to sum.
        let sizes = [
            (1, 5, 7),
            (1, 37, 40),
            (2, 128, 140),
            (3, 131, 128),
            (4, 384, 129),
            (16, 128, 128),
            (33, 142, 150),
            (64, 256, 129),
            (65, 128, 128),
            (3, 20, 9),
            (3, 0, 9),
        ];
        // Each operand lies in memory row after row, or column after column.
        let layouts = [(false, false), (false, true), (true, false), (true, true)];
        for ((m, k, n), (turn_a, turn_b)) in sizes.into_iter().flat_map(|s| layouts.map(|l| (s, l))) {
            let (a, b) = (fill(m * k), fill(n * k));
            let stride = n + 3;
            for add in [false, true] {
                let before = fill(m * stride);
                let mut dst = before.clone();
                let left = if turn_a { View::new(&a, k, m).t() } else { View::new(&a, m, k) };
                let right = if turn_b { View::new(&b, n, k).t() } else { View::new(&b, k, n) };
                matmul(&mut dst, stride, add, left, right);
                for (at, (&y, &before)) in dst.iter().zip(&before).enumerate() {
                    let (i, j) = (at / stride, at % stride);
                    let product = || -> f64 {
                        let at_l = |l| {
                            (
                                if turn_a { a[l * m + i] } else { a[i * k + l] },
                                if turn_b { b[j * k + l] } else { b[l * n + j] },
                            )
                        };
                        (0..k).map(at_l).map(|(a, b)| a as f64 * b as f64).sum()
                    };
                    let exact = match (j < n, add) {
                        (false, _) => before as f64,
                        (true, false) => product(),
                        (true, true) => before as f64 + product(),
                    };
                    assert!((y as f64 - exact).abs() < 2e-5, "{m} x {k} x {n}, add {add}: {y} and {exact} at {i}, {j}");
                }
            }
        }
    }
}
