//! Means over random draws, with their standard errors.

use crate::rng::Rng;

/// Number of draws that share a stream of random numbers. It does not depend on the number of threads, so that any
/// number of threads adds up the same sums.
const CHUNK: usize = 10_000;

/// A sample mean and its uncertainty.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate<const K: usize> {
    /// The mean of the samples.
    pub mean: [f64; K],
    /// The variance of a single sample, component by component; the sum over the components is the trace of the
    /// covariance.
    pub variance: [f64; K],
    /// The standard error of the mean.
    pub standard_error: [f64; K],
}

/// Estimates the mean of `draw` over `n` draws from the streams `name/0`, `name/1` and so on of `seed`. Any number of
/// threads gives the same bits. `memory` makes the working memory that one thread passes from draw to draw; the result
/// of a draw must not depend on the draw before.
pub fn monte_carlo<M, const K: usize>(
    n: usize,
    name: &str,
    (seed, threads): (u64, usize),
    memory: impl Fn() -> M + Sync,
    draw: impl Fn(&mut M, &mut Rng) -> [f64; K] + Sync,
) -> Estimate<K> {
    assert!(n > 1, "a standard error needs two draws at least, not {n}");
    let mut sums = vec![([0.0; K], [0.0; K]); n.div_ceil(CHUNK)];
    let share = sums.len().div_ceil(threads.max(1));
    std::thread::scope(|scope| {
        for (k, part) in sums.chunks_mut(share).enumerate() {
            let (memory, draw) = (&memory, &draw);
            scope.spawn(move || {
                let mut memory = memory();
                for (i, (sum, squares)) in part.iter_mut().enumerate() {
                    let chunk = k * share + i;
                    let mut rng = Rng::new(seed, &format!("{name}/{chunk}"));
                    for _ in 0..CHUNK.min(n - chunk * CHUNK) {
                        let x = draw(&mut memory, &mut rng);
                        *sum = std::array::from_fn(|i| sum[i] + x[i]);
                        *squares = std::array::from_fn(|i| squares[i] + x[i] * x[i]);
                    }
                }
            });
        }
    });
    let (mut sum, mut squares) = ([0.0; K], [0.0; K]);
    for part in &sums {
        sum = std::array::from_fn(|i| sum[i] + part.0[i]);
        squares = std::array::from_fn(|i| squares[i] + part.1[i]);
    }
    let n = n as f64;
    let mean = sum.map(|x| x / n);
    let variance = std::array::from_fn(|i| ((squares[i] - n * mean[i] * mean[i]) / (n - 1.0)).max(0.0));
    Estimate { mean, variance, standard_error: variance.map(|x| (x / n).sqrt()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1, 2, 3 and 5 threads give the same bits, for a number of draws that no chunk divides.
    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let run = |threads| monte_carlo(5 * CHUNK + 7, "bits", (3, threads), || (), |(), rng| [rng.normal()]);
        let first = run(1);
        for threads in [2, 3, 5] {
            assert_eq!(run(threads), first);
        }
    }

    /// Mean, variance and standard error of the estimate are the distribution's.
    #[test]
    fn moments() {
        let n = 200_000;
        let Estimate { mean, variance, standard_error } =
            monte_carlo(n, "moments", (0, 2), || (), |(), rng| [2.0 * rng.normal() + 1.0]);
        assert!((standard_error[0] - 2.0 / (n as f64).sqrt()).abs() < 1e-4);
        assert!((mean[0] - 1.0).abs() < 4.0 * standard_error[0] && (variance[0] - 4.0).abs() < 0.1);
    }
}
