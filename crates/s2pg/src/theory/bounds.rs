//! The paper's bounds on the variance of both estimators, S2PG and backpropagation through time (BPTT) (Section 3 and
//! Appendix A), and the bound of the segments between them.
//!
//! Here the variance of a random vector is the trace of its covariance.

use super::segments::Segments;

/// The constants of Assumptions 3.1 to 3.3, and the other numbers that the bounds read.
///
/// f(s, z) is the mean of the action, η(s, z) the mean of the next memory, and θ the trained parameters. Derivatives
/// are partial derivatives of one step, with s and z as data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constants {
    /// R: the largest |reward|.
    pub r: f64,
    /// F: the largest Frobenius norm of df/dθ.
    pub f: f64,
    /// H: the largest Frobenius norm of dη/dθ.
    pub h: f64,
    /// K: the largest Frobenius norm of df/dz.
    pub k: f64,
    /// Z: the largest Frobenius norm of dη/dz, the Jacobian of the recurrence.
    pub z: f64,
    /// Frobenius norm of the inverse of Σ, the covariance of the action.
    pub sigma_inverse: f64,
    /// Frobenius norm of the inverse of Υ, the covariance of the next memory.
    pub upsilon_inverse: f64,
    /// Discount factor γ, in [0, 1].
    pub gamma: f64,
}

impl Constants {
    /// Returns (R (1 - γ^T) / (1 - γ))², which no squared return of T = `horizon` steps exceeds.
    pub fn squared_return(&self, horizon: usize) -> f64 {
        (self.r * (0..horizon).fold(0.0, |sum, _| 1.0 + self.gamma * sum)).powi(2)
    }

    /// Returns the part of BPTT's bound that the memory adds, 2 F H K Z~ + H² K² Z- (Theorem 3.4).
    pub fn delta_bptt(&self, horizon: usize) -> f64 {
        let (plain, squares) = z_sums(self.z, horizon);
        2.0 * self.f * self.h * self.k * plain + (self.h * self.k).powi(2) * squares
    }

    /// Returns the part of S2PG's bound that the memory adds, T H² |Υ⁻¹| / |Σ⁻¹| (Theorem 3.5).
    pub fn delta_s2pg(&self, horizon: usize) -> f64 {
        horizon as f64 * self.h * self.h * self.upsilon_inverse / self.sigma_inverse
    }

    /// Returns the bound on the variance of BPTT's estimate from `n` trajectories of `horizon` steps (Theorem 3.4, eq.
    /// 7).
    pub fn bptt(&self, horizon: usize, n: usize) -> f64 {
        self.bound(horizon, n, self.delta_bptt(horizon))
    }

    /// Returns the bound on the variance of the S2PG estimate from `n` trajectories of `horizon` steps (Theorem 3.5,
    /// eq. 8). The bound depends neither on K nor on Z.
    pub fn s2pg(&self, horizon: usize, n: usize) -> f64 {
        self.bound(horizon, n, self.delta_s2pg(horizon))
    }

    /// Returns the part of the bound of segments that the memory adds: for each segment what BPTT over its steps adds,
    /// and |Υ⁻¹| / |Σ⁻¹| (H Z_n)² for its draw, where n is its number of steps and Z_n = 1 + Z + ... + Z^(n-1).
    pub fn delta_segments(&self, segments: Segments, horizon: usize) -> f64 {
        let of = |(count, steps, drawn): (usize, usize, bool)| {
            let draw = if drawn && count > 0 { self.h * geometric(self.z, steps) } else { 0.0 };
            let unrolled = if count > 0 { self.delta_bptt(steps) } else { 0.0 };
            count as f64 * (unrolled + draw * draw * self.upsilon_inverse / self.sigma_inverse)
        };
        segments.of_trajectory(horizon).map(of).iter().sum()
    }

    /// Returns the bound on the variance of the estimate of segments from `n` trajectories of `horizon` steps. It is
    /// S2PG's for segments of one step, and BPTT's for a single segment; in between it is linear in `horizon` for every
    /// Z, but for the squared return.
    pub fn segments(&self, segments: Segments, horizon: usize, n: usize) -> f64 {
        self.bound(horizon, n, self.delta_segments(segments, horizon))
    }

    fn bound(&self, horizon: usize, n: usize, delta: f64) -> f64 {
        let stateless = horizon as f64 * self.f * self.f;
        self.squared_return(horizon) * self.sigma_inverse / n as f64 * (stateless + delta)
    }

    /// Returns a tighter bound for S2PG where Σ and Υ are diagonal (Lemma A.3).
    ///
    /// `f_row` and `h_row` take the place of F and H: no component of f has a gradient longer than `f_row`, and no
    /// component of η has a gradient longer than `h_row`. `sigma_trace` and `upsilon_trace` are the traces of the
    /// inverses of Σ and Υ.
    pub fn s2pg_diagonal(
        &self,
        horizon: usize,
        n: usize,
        (f_row, h_row): (f64, f64),
        (sigma_trace, upsilon_trace): (f64, f64),
    ) -> f64 {
        let rows = f_row * f_row * sigma_trace + h_row * h_row * upsilon_trace;
        self.squared_return(horizon) * horizon as f64 / n as f64 * rows
    }
}

/// Returns (Z~, Z-) by their definition: over t < T, the sum and the sum of squares of 1 + Z + ... + Z^(t-1). The work
/// is O(T), with T = `horizon`.
pub fn z_sums(z: f64, horizon: usize) -> (f64, f64) {
    let (mut inner, mut plain, mut squares) = (0.0, 0.0, 0.0);
    for _ in 0..horizon {
        plain += inner;
        squares += inner * inner;
        inner = 1.0 + z * inner;
    }
    (plain, squares)
}

/// Returns 1 + Z + ... + Z^(n-1).
pub fn geometric(z: f64, n: usize) -> f64 {
    (0..n).fold(0.0, |sum, _| 1.0 + z * sum)
}

/// Returns Z~ in closed form (Lemma A.2, eq. 24), which is T (T - 1) / 2 at Z = 1. For Z close to 1 the closed form
/// loses digits, and [`z_sums`] does not.
pub fn z_plain(z: f64, horizon: usize) -> f64 {
    let t = horizon as f64;
    if z == 1.0 {
        return t * (t - 1.0) / 2.0;
    }
    t / (1.0 - z) + (z.powf(t) - 1.0) / (1.0 - z).powi(2)
}

/// Returns Z- in closed form (Lemma A.2, eq. 23), which is (T - 1) T (2 T - 1) / 6 at Z = 1. For Z close to 1 the
/// closed form loses digits, and [`z_sums`] does not.
pub fn z_squares(z: f64, horizon: usize) -> f64 {
    let t = horizon as f64;
    if z == 1.0 {
        return (t - 1.0) * t * (2.0 * t - 1.0) / 6.0;
    }
    let power = z.powf(t);
    t / (1.0 - z).powi(2) + (power - 1.0) * (power - 2.0 * z - 1.0) / ((z - 1.0).powi(3) * (z + 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The closed forms of Lemma A.2 are the sums that they stand for.
    #[test]
    fn closed_forms_are_their_sums() {
        for z in [0.0, 0.3, 0.5, 0.9, 1.0, 1.1, 1.5, 2.0] {
            for horizon in [0, 1, 2, 5, 20, 40] {
                let (plain, squares) = z_sums(z, horizon);
                for (closed, sum) in [(z_plain(z, horizon), plain), (z_squares(z, horizon), squares)] {
                    assert!((closed - sum).abs() <= 1e-10 * (1.0 + sum), "Z {z}, T {horizon}: {closed} is not {sum}");
                }
            }
        }
    }

    /// Without memory (H = 0) both bounds are the bound of a policy without state, and they fall as 1 / N.
    #[test]
    fn without_memory_both_bounds_are_one() {
        let c =
            Constants { r: 2.0, f: 3.0, h: 0.0, k: 0.5, z: 1.5, sigma_inverse: 4.0, upsilon_inverse: 25.0, gamma: 0.5 };
        let expected = (2.0f64 * 1.75).powi(2) * 4.0 * 3.0 * 9.0;
        assert_eq!(c.bptt(3, 1), expected);
        assert_eq!(c.s2pg(3, 1), expected);
        assert_eq!(c.s2pg(3, 10), expected / 10.0);
    }

    fn constants(z: f64) -> Constants {
        Constants { r: 2.0, f: 1.2, h: 0.7, k: 0.5, z, sigma_inverse: 4.0, upsilon_inverse: 25.0, gamma: 0.97 }
    }

    /// The bound of segments is Theorem 3.5 for segments of one step, and Theorem 3.4 for segments that are at least as
    /// long as the trajectory.
    #[test]
    fn the_bound_of_segments_has_both_theorems_as_its_ends() {
        for (z, horizon) in [0.0, 0.5, 1.0, 1.3].into_iter().flat_map(|z| [2, 3, 7, 40].map(|horizon| (z, horizon))) {
            let c = constants(z);
            let of = |segments| c.segments(segments, horizon, 3);
            assert!((of(Segments::EVERY_STEP) / c.s2pg(horizon, 3) - 1.0).abs() < 1e-14, "Z {z}, T {horizon}");
            for segments in [Segments::of(horizon), Segments::of(horizon + 1), Segments::WHOLE] {
                assert_eq!(of(segments), c.bptt(horizon, 3), "Z {z}, T {horizon}");
            }
        }
    }

    /// But for the squared return the bound of segments is linear in the horizon, for every Z; above Z = 1 it is
    /// exponential in the length of the segments, and not below.
    #[test]
    fn the_bound_of_segments_is_linear_in_the_horizon() {
        for z in [0.5, 1.0, 1.3] {
            let per_step = |length, horizon| {
                let c = constants(z);
                c.segments(Segments::of(length), horizon, 1) / c.squared_return(horizon) / horizon as f64
            };
            for length in [1, 2, 5, 10] {
                let (short, long) = (per_step(length, 20), per_step(length, 2000));
                assert!((short / long - 1.0).abs() < 1e-12, "Z {z}, K {length}: {short} is not {long}");
            }
            let growth = per_step(80, 160) / per_step(40, 80);
            let expected = if z > 1.0 { 1.3f64.powi(80) / 2.0 } else { 1.0 };
            assert!(z == 1.0 || (0.8..1.3).contains(&(growth / expected)), "Z {z}: {growth} is not {expected}");
        }
    }

    /// For an action and a memory of one entry each, Lemma A.3 is Theorem 3.5.
    #[test]
    fn the_diagonal_bound_is_the_bound_of_one_dimension() {
        let (sigma, upsilon) = (0.25, 0.04);
        let c = Constants {
            r: 1.0,
            f: 1.2,
            h: 0.7,
            k: 0.5,
            z: 1.5,
            sigma_inverse: 1.0 / sigma,
            upsilon_inverse: 1.0 / upsilon,
            gamma: 0.99,
        };
        let (a3, theorem) = (c.s2pg_diagonal(10, 3, (c.f, c.h), (1.0 / sigma, 1.0 / upsilon)), c.s2pg(10, 3));
        assert!((a3 / theorem - 1.0).abs() < 1e-12, "{a3} is not {theorem}");
    }
}
