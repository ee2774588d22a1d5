//! Loops over numbers, compiled for the widest vectors of the machine; and the one matrix product.
//!
//! No kernel uses a fused multiply-add, and every sum has a fixed order: the bits do not depend on the vector width.

use std::sync::LazyLock;

use super::Real;

static ARCH: LazyLock<pulp::Arch> = LazyLock::new(pulp::Arch::new);

/// Runs `f` compiled for the vectors of this machine.
#[inline(always)]
pub(super) fn simd<R>(f: impl FnOnce() -> R) -> R {
    ARCH.dispatch(f)
}

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
    /// Row after row.
    pub fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        Self { data, rows, cols, rs: cols, cs: 1 }
    }

    /// Transposed.
    pub fn t(self) -> Self {
        Self { rows: self.cols, cols: self.rows, rs: self.cs, cs: self.rs, ..self }
    }

    /// The columns `from..to`.
    pub fn columns(self, from: usize, to: usize) -> Self {
        assert!(from <= to && to <= self.cols, "columns {from}..{to} of {}", self.cols);
        Self { data: &self.data[(from * self.cs).min(self.data.len())..], cols: to - from, ..self }
    }

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

/// A row times a matrix whose columns are contiguous: what acting in one environment costs.
fn vector_matrix<T: Real>(dst: &mut [T], add: bool, a: &[T], b: View<'_, T>) {
    simd(|| {
        for (j, y) in dst.iter_mut().enumerate().take(b.cols) {
            let sum = dot(a, &b.data[j * b.cs..j * b.cs + a.len()]);
            *y = if add { *y + sum } else { sum };
        }
    });
}

/// The inner product, summed in 32 lanes.
#[inline(always)]
fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    const LANES: usize = 32;
    let mut lanes = [T::ZERO; LANES];
    let (a, a_tail) = a.as_chunks::<LANES>();
    let (b, b_tail) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for i in 0..LANES {
            lanes[i] += a[i] * b[i];
        }
    }
    for (i, (&a, &b)) in a_tail.iter().zip(b_tail).enumerate() {
        lanes[i] += a * b;
    }
    tree(lanes)
}

/// Adds up lanes in pairs.
#[inline(always)]
fn tree<T: Real, const N: usize>(mut lanes: [T; N]) -> T {
    let mut width = N / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] = lanes[i] + lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// The sum of `f(x)`, in 32 lanes.
pub(super) fn sum<T: Real>(x: &[T], f: impl Fn(T) -> T) -> T {
    const LANES: usize = 32;
    simd(|| {
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
    })
}

/// `dst[j] = sum over rows of x[i, j]`.
pub(super) fn sum_rows<T: Real>(dst: &mut [T], add: bool, x: &[T]) {
    let n = dst.len();
    if !add {
        dst.fill(T::ZERO);
    }
    simd(|| {
        for row in x.chunks_exact(n.max(1)) {
            for (d, &x) in dst.iter_mut().zip(row) {
                *d += x;
            }
        }
    });
}

/// `dst[i] = sum over columns of x[i, j]`.
pub(super) fn sum_cols<T: Real>(dst: &mut [T], x: &[T], cols: usize) {
    for (d, row) in dst.iter_mut().zip(x.chunks_exact(cols.max(1))) {
        *d = sum(row, |x| x);
    }
}

/// `dst = f(x)`.
#[inline(always)]
pub(super) fn map<T: Real>(dst: &mut [T], x: &[T], f: impl Fn(T) -> T) {
    assert_eq!(dst.len(), x.len());
    simd(|| {
        for (d, &x) in dst.iter_mut().zip(x) {
            *d = f(x);
        }
    });
}

/// `dst = f(dst)`.
#[inline(always)]
pub(super) fn map_in_place<T: Real>(dst: &mut [T], f: impl Fn(T) -> T) {
    simd(|| dst.iter_mut().for_each(|d| *d = f(*d)));
}

/// `dst = f(dst, x)`.
#[inline(always)]
pub(super) fn update<T: Real>(dst: &mut [T], x: &[T], f: impl Fn(T, T) -> T) {
    assert_eq!(dst.len(), x.len());
    simd(|| {
        for (d, &x) in dst.iter_mut().zip(x) {
            *d = f(*d, x);
        }
    });
}

/// `dst[i, j] = f(dst[i, j], row[j])`.
#[inline(always)]
pub(super) fn update_rows<T: Real>(dst: &mut [T], row: &[T], f: impl Fn(T, T) -> T) {
    simd(|| {
        for d in dst.chunks_exact_mut(row.len().max(1)) {
            for (d, &x) in d.iter_mut().zip(row) {
                *d = f(*d, x);
            }
        }
    });
}

/// How an operand of r x c is read where the result is larger.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Spread {
    /// Element by element.
    Full,
    /// One row for all rows.
    Row,
    /// One column for all columns.
    Col,
    /// One number for all.
    One,
}

impl Spread {
    pub fn of(shape: (usize, usize), result: (usize, usize)) -> Self {
        match (shape.0 == result.0, shape.1 == result.1) {
            (true, true) => Self::Full,
            (false, true) if shape.0 == 1 => Self::Row,
            (true, false) if shape.1 == 1 => Self::Col,
            _ if shape == (1, 1) => Self::One,
            _ => panic!("shapes {} x {} and {} x {} do not go together", shape.0, shape.1, result.0, result.1),
        }
    }
}

/// `dst[i, j] = f(a[i, j], b[i, j])` with rows, columns and numbers spread.
#[inline(always)]
pub(super) fn zip<T: Real>(
    dst: &mut [T],
    cols: usize,
    (a, sa): (&[T], Spread),
    (b, sb): (&[T], Spread),
    f: impl Fn(T, T) -> T,
) {
    if (sa, sb) == (Spread::Full, Spread::Full) {
        simd(|| {
            for ((d, &a), &b) in dst.iter_mut().zip(a).zip(b) {
                *d = f(a, b);
            }
        });
        return;
    }
    simd(|| {
        for (i, d) in dst.chunks_exact_mut(cols.max(1)).enumerate() {
            let row = i * cols..(i + 1) * cols;
            match (sa, sb) {
                (Spread::Full, Spread::Row) => each(d, &a[row], b, &f),
                (Spread::Row, Spread::Full) => each(d, a, &b[row], &f),
                (Spread::Full, Spread::Col) => d.iter_mut().zip(&a[row]).for_each(|(d, &a)| *d = f(a, b[i])),
                (Spread::Full, Spread::One) => d.iter_mut().zip(&a[row]).for_each(|(d, &a)| *d = f(a, b[0])),
                (Spread::Col, Spread::Full) => d.iter_mut().zip(&b[row]).for_each(|(d, &b)| *d = f(a[i], b)),
                (Spread::One, Spread::Full) => d.iter_mut().zip(&b[row]).for_each(|(d, &b)| *d = f(a[0], b)),
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
    });
}

#[inline(always)]
fn each<T: Real>(dst: &mut [T], a: &[T], b: &[T], f: impl Fn(T, T) -> T) {
    for ((d, &a), &b) in dst.iter_mut().zip(a).zip(b) {
        *d = f(a, b);
    }
}
