//! A small bounded task, on which the assumptions of the variance bounds hold with known constants.
//!
//! The task is s_0 ~ U(-1, 1), s' = tanh(0.9 s + 0.5 tanh a), r = -s'² (the state that is reached), and γ = 0.99. The
//! policy is a ~ N(0.3 s + 0.5 tanh z, 0.25) and η = 0.4 s + Z tanh z, with z' ~ N(η, 0.25) at the ends of segments and
//! z' = η inside of them: segments of one step are S2PG's, a single one is BPTT's. All four weights of the policy are
//! trained.

use super::bounds::Constants;
use super::monte_carlo::monte_carlo;
use super::segments::Segments;
use crate::rng::Rng;

/// The bounded task, with a policy whose recurrence has the strength Z.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Saturated {
    /// Z: the weight of the old memory in the new memory, and the largest |dη/dz|.
    pub z: f64,
}

const VARIANCE: f64 = 0.25;
const GAMMA: f64 = 0.99;
/// The weights of s and tanh z in the mean of the action, and of s in η.
const F_S: f64 = 0.3;
const F_Z: f64 = 0.5;
const ETA_S: f64 = 0.4;

/// Returns the state that follows the state `s` under the action `a`.
pub(super) fn next(s: f64, a: f64) -> f64 {
    (0.9 * s + 0.5 * a.tanh()).tanh()
}

/// The variance of the estimate from one trajectory: the trace of its covariance, and the standard error of that trace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trace {
    /// The trace of the covariance.
    pub trace: f64,
    /// The standard error of the trace.
    pub standard_error: f64,
}

impl Saturated {
    /// Returns constants under which Assumptions 3.1 to 3.3 hold.
    pub fn constants(&self) -> Constants {
        Constants {
            r: 1.0,
            f: 2f64.sqrt(),
            h: 2f64.sqrt(),
            k: F_Z,
            z: self.z,
            sigma_inverse: 1.0 / VARIANCE,
            upsilon_inverse: 1.0 / VARIANCE,
            gamma: GAMMA,
        }
    }

    /// Draws one trajectory, and returns the sum of its scores times its return.
    pub fn estimate(&self, horizon: usize, segments: Segments, rng: &mut Rng) -> [f64; 4] {
        let std = VARIANCE.sqrt();
        let (mut s, mut z) = (rng.range(-1.0, 1.0), 0.0f64);
        let (mut g, mut discount, mut sum, mut dz) = (0.0, 1.0, [0.0; 4], [0.0; 4]);
        for t in 0..horizon {
            let tanh = z.tanh();
            let slope = 1.0 - tanh * tanh;
            // These are (a - f) / Σ and (z' - η) / Υ.
            let action = rng.normal() / std;
            let memory = if segments.draws(t, horizon) { rng.normal() / std } else { 0.0 };
            let direct = [s, tanh, 0.0, 0.0];
            let own = [0.0, 0.0, s, tanh];
            for i in 0..4 {
                sum[i] += action * (direct[i] + F_Z * slope * dz[i]);
                // The derivative of z is carried along (eq. 22), and ends where z is drawn.
                dz[i] = own[i] + self.z * slope * dz[i];
                sum[i] += memory * dz[i];
                dz[i] *= f64::from(u8::from(!segments.ends(t)));
            }
            let a = F_S * s + F_Z * tanh + VARIANCE * action;
            z = ETA_S * s + self.z * tanh + VARIANCE * memory;
            s = next(s, a);
            g -= discount * s * s;
            discount *= GAMMA;
        }
        sum.map(|x| x * g)
    }

    /// Estimates the variance of one trajectory's estimate from `n` trajectories. `streams` are the seed and the number
    /// of threads.
    pub fn variance(&self, horizon: usize, segments: Segments, n: usize, streams: (u64, usize)) -> Trace {
        let draw = |(): &mut (), rng: &mut Rng| {
            let [a, b, c, d] = self.estimate(horizon, segments, rng);
            [a, b, c, d, a * a + b * b + c * c + d * d]
        };
        let estimate = monte_carlo(n, "saturated", streams, || (), draw);
        Trace { trace: estimate.variance[..4].iter().sum(), standard_error: estimate.standard_error[4] }
    }
}
