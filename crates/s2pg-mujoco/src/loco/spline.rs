//! Movement between the moments at which it was recorded.

/// The values of the cubic spline through `y`, at `m` moments evenly spread from the first to the last: the curve of
/// third order whose third derivative does not jump next to its ends, as scipy's `interp1d(kind="cubic")`. `y` has 4
/// values or more, and `m` is 2 or more.
pub(super) fn resampled(y: &[f64], m: usize) -> Vec<f64> {
    let n = y.len();
    let bend = |i: usize| y[i - 1] - 2.0 * y[i] + y[i + 1];
    // The second derivatives. At the ends they go on in a line, so those next to the ends are known.
    let mut second = vec![0.0; n];
    (second[1], second[n - 2]) = (bend(1), bend(n - 2));
    // Elimination in the tridiagonal system between them: s[i - 1] + 4 s[i] + s[i + 1] = 6 bend(i).
    let mut factor = vec![0.0; n];
    for i in 2..n.max(4) - 2 {
        let pivot = 4.0 - factor[i - 1];
        factor[i] = 1.0 / pivot;
        second[i] = (6.0 * bend(i) - second[i - 1]) / pivot;
    }
    for i in (2..n.max(4) - 2).rev() {
        second[i] -= factor[i] * second[i + 1];
    }
    second[0] = 2.0 * second[1] - second[2];
    second[n - 1] = 2.0 * second[n - 2] - second[n - 3];
    let step = (n - 1) as f64 / (m - 1) as f64;
    let value = |k: usize| {
        let x = k as f64 * step;
        let i = (x as usize).min(n - 2);
        let (b, a) = (x - i as f64, 1.0 - (x - i as f64));
        let curve = |a: f64, second: f64| (a * a * a - a) * second / 6.0;
        a * y[i] + b * y[i + 1] + curve(a, second[i]) + curve(b, second[i + 1])
    };
    (0..m).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A curve of third order is met to rounding, also with the fewest values, and the ends are the ends.
    #[test]
    fn cubics_are_exact() {
        let cubic = |x: f64| 0.5 - 2.0 * x + 0.3 * x * x - 0.01 * x * x * x;
        for n in [4, 5, 6, 50] {
            let y: Vec<f64> = (0..n).map(|i| cubic(i as f64)).collect();
            for m in [2, 3, n / 2 + 2, 3 * n] {
                for (k, x) in resampled(&y, m).into_iter().enumerate() {
                    let at = k as f64 * (n - 1) as f64 / (m - 1) as f64;
                    assert!((x - cubic(at)).abs() < 1e-12 * (1.0 + x.abs()) * n as f64, "{n} to {m}, value {k}");
                }
            }
        }
    }
}
