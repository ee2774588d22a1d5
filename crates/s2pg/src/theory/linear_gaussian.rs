//! The scalar linear-Gaussian task with a scalar memory: the objective and its gradient in closed form, and the
//! estimators of that gradient from sampled trajectories.
//!
//! The state is s' = A s + B a + w, the observation o = s + v, and the reward r = -(Q s² + R a²). The policy is a ~
//! N(W_a o + U_a z, Σ) and z' ~ N(W_z o + U_z z, Υ) with z_0 = 0. Where the memory is drawn at the ends of segments
//! only, z' = W_z o + U_z z inside of them. All numbers are f64.

use std::ops::{Add, Mul, Sub};

use super::monte_carlo::{Estimate, monte_carlo};
use super::segments::Segments;
use crate::rng::Rng;

/// The parameters (W_a, U_a, W_z, U_z) of the policy, or a gradient for them.
pub type Theta = [f64; 4];

type Matrix = [[f64; 2]; 2];

/// The linear-Gaussian task, with the noise of the policy.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearGaussian {
    /// A, the factor by which the state decays.
    pub a: f64,
    /// B, the weight of the action in the next state.
    pub b: f64,
    /// Variance of the noise w of the state.
    pub w: f64,
    /// Variance of the noise v of the observation; 0 where the state is observed.
    pub v: f64,
    /// Q, the cost of the squared state.
    pub q: f64,
    /// R, the cost of the squared action.
    pub r: f64,
    /// Discount factor γ.
    pub gamma: f64,
    /// Mean and variance of the first state s_0.
    pub start: (f64, f64),
    /// Σ, the variance of the action.
    pub sigma: f64,
    /// Υ, the variance of the next memory z' where it is drawn; 0 is the deterministic kernel.
    pub upsilon: f64,
    /// Where the memory is drawn.
    pub segments: Segments,
}

impl Default for LinearGaussian {
    /// Returns the partially observed task whose gradients the tests know.
    fn default() -> Self {
        Self {
            a: 0.9,
            b: 0.5,
            w: 0.01,
            v: 0.04,
            q: 1.0,
            r: 0.1,
            gamma: 0.95,
            start: (1.0, 0.25),
            sigma: 0.09,
            upsilon: 0.04,
            segments: Segments::EVERY_STEP,
        }
    }
}

/// One step of a trajectory.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moment {
    /// The observation o_t.
    pub o: f64,
    /// The memory z_t.
    pub z: f64,
    /// The action a_t.
    pub a: f64,
    /// The next memory z_{t+1}.
    pub z_next: f64,
    /// The reward r_t.
    pub r: f64,
}

/// The solution of the task with an infinite horizon, for one policy. The value is a function of the state s, whatever
/// the policy sees of the state.
#[derive(Clone, Debug, PartialEq)]
pub struct Stationary {
    /// The matrix P of the value V(x) = -x'Px - c with x = (s, z).
    pub p: [[f64; 2]; 2],
    /// The constant c of the value.
    pub c: f64,
    /// The matrix X, the second moment of x under the discounted state distribution.
    pub x: [[f64; 2]; 2],
    /// The objective J.
    pub j: f64,
    /// The gradient of J by the policy-gradient theorem: by Theorem 2.2 where the state is observed, by Theorem 2.3
    /// where nothing is drawn either (Σ = Υ = 0), and by eq. 5 where the policy sees o = s + v.
    pub gradient: Theta,
}

impl LinearGaussian {
    /// Returns the objective J over `horizon` steps and its exact gradient, by the recursion of the second moments of
    /// (s, z).
    pub fn objective(&self, theta: Theta, horizon: usize) -> (f64, Theta) {
        let c = Dual::constant;
        let [wa, ua, wz, uz] = std::array::from_fn(|i| Dual::variable(theta[i], i));
        // One step is (s, z) ← Φ (s, z) + noise; the three moments are E[s²], E[s z] and E[z²].
        let phi = [[c(self.a) + c(self.b) * wa, c(self.b) * ua], [wz, uz]];
        let action_noise = wa * wa * c(self.v) + c(self.sigma);
        let [ss, sz, zz] =
            [c(self.b * self.b) * action_noise + c(self.w), c(self.b * self.v) * wa * wz, wz * wz * c(self.v)];
        let square = |[x, y]: [Dual; 2], [ss, sz, zz]: [Dual; 3]| x * x * ss + c(2.0) * x * y * sz + y * y * zz;
        let mut m = [c(self.start.0 * self.start.0 + self.start.1), c(0.0), c(0.0)];
        let (mut j, mut discount) = (c(0.0), 1.0);
        for t in 0..horizon {
            let cost = c(self.q) * m[0] + c(self.r) * (square([wa, ua], m) + action_noise);
            j = j - c(discount) * cost;
            discount *= self.gamma;
            let [[a, b], [d, e]] = phi;
            let cross = a * d * m[0] + (a * e + b * d) * m[1] + b * e * m[2];
            let drawn = c(self.upsilon_at(t, horizon));
            m = [square(phi[0], m) + ss, cross + sz, square(phi[1], m) + zz + drawn];
        }
        (j.x, j.d)
    }

    /// Draws one trajectory of `path.len()` moments.
    pub fn sample(&self, theta: Theta, path: &mut [Moment], rng: &mut Rng) {
        let [wa, ua, wz, uz] = theta;
        let [start, w, v, sigma] = [self.start.1, self.w, self.v, self.sigma].map(f64::sqrt);
        let horizon = path.len();
        let (mut s, mut z) = (self.start.0 + start * rng.normal(), 0.0);
        for (t, moment) in path.iter_mut().enumerate() {
            let o = s + v * rng.normal();
            let a = wa * o + ua * z + sigma * rng.normal();
            let z_next = wz * o + uz * z + self.upsilon_at(t, horizon).sqrt() * rng.normal();
            *moment = Moment { o, z, a, z_next, r: -(self.q * s * s + self.r * a * a) };
            s = self.a * s + self.b * a + w * rng.normal();
            z = z_next;
        }
    }

    /// Returns the variance of the memory that follows step `t` of `horizon`: zero where the memory is computed.
    fn upsilon_at(&self, t: usize, horizon: usize) -> f64 {
        if self.segments.draws(t, horizon) { self.upsilon } else { 0.0 }
    }

    /// Returns the return of a trajectory: the discounted sum of its rewards.
    pub fn discounted(&self, path: &[Moment]) -> f64 {
        path.iter().rev().fold(0.0, |g, x| x.r + self.gamma * g)
    }

    /// Returns the score: the gradient of log π(a, z' | o, z), with partial derivatives only. Υ must be positive.
    pub fn score(&self, theta: Theta, x: &Moment) -> Theta {
        let [wa, ua, wz, uz] = theta;
        let a = (x.a - wa * x.o - ua * x.z) / self.sigma;
        let z = (x.z_next - wz * x.o - uz * x.z) / self.upsilon;
        [a * x.o, a * x.z, z * x.o, z * x.z]
    }

    /// Returns the S2PG estimate from one trajectory: the sum of its scores times its return (Lemma 2.1, and Corollary
    /// 2.4 where v > 0). No derivative crosses a time step.
    pub fn s2pg(&self, theta: Theta, path: &[Moment]) -> Theta {
        let g = self.discounted(path);
        let mut sum = [0.0; 4];
        for x in path {
            let score = self.score(theta, x);
            sum = std::array::from_fn(|i| sum[i] + score[i]);
        }
        sum.map(|x| x * g)
    }

    /// Returns the estimate from one trajectory by backpropagation through time, for the deterministic kernel (eqs. 1
    /// and 22). The derivative of z goes back over the last `len` steps, and is exact where `len` is the length of the
    /// trajectory.
    pub fn bptt(&self, theta: Theta, path: &[Moment], len: usize) -> Theta {
        let [wa, ua, _, uz] = theta;
        let g = self.discounted(path);
        let mut sum = [0.0; 4];
        for (t, x) in path.iter().enumerate() {
            let mut dz = [0.0; 4];
            for past in &path[(t + 1).saturating_sub(len)..t] {
                let direct = [0.0, 0.0, past.o, past.z];
                dz = std::array::from_fn(|i| direct[i] + uz * dz[i]);
            }
            let direct = [x.o, x.z, 0.0, 0.0];
            let error = (x.a - wa * x.o - ua * x.z) / self.sigma;
            sum = std::array::from_fn(|i| sum[i] + error * (direct[i] + ua * dz[i]));
        }
        sum.map(|x| x * g)
    }

    /// Returns the estimate of segments from one trajectory, called `rs:K` for segments of K steps: the scores of the
    /// actions, and of z' where it was drawn, times the return. The derivative of the memory goes back to the start of
    /// the segment, which is data.
    pub fn rs(&self, theta: Theta, path: &[Moment]) -> Theta {
        let g = self.discounted(path);
        self.weighted(theta, path, |_| [g, g])
    }

    /// Returns the estimate of BPTT that is cut at the ends of segments, called `tbptt:K`: each segment starts from the
    /// memory that was computed, as data, and nothing is drawn.
    pub fn tbptt(&self, theta: Theta, path: &[Moment]) -> Theta {
        let g = self.discounted(path);
        self.weighted(theta, path, |_| [g, 0.0])
    }

    /// Returns the weighted sum of the scores of one trajectory. `weights` returns for a step the weight of the
    /// action's score, and the weight of the score of z' where z' was drawn.
    pub fn weighted(&self, theta: Theta, path: &[Moment], weights: impl Fn(usize) -> [f64; 2]) -> Theta {
        let [wa, ua, wz, uz] = theta;
        let (mut sum, mut dz) = ([0.0; 4], [0.0; 4]);
        for (t, x) in path.iter().enumerate() {
            let [of_action, of_draw] = weights(t);
            let error = of_action * (x.a - wa * x.o - ua * x.z) / self.sigma;
            let (by_a, by_z) = ([x.o, x.z, 0.0, 0.0], [0.0, 0.0, x.o, x.z]);
            sum = std::array::from_fn(|i| sum[i] + error * (by_a[i] + ua * dz[i]));
            dz = std::array::from_fn(|i| by_z[i] + uz * dz[i]);
            if of_draw != 0.0 && self.segments.draws(t, path.len()) {
                let error = of_draw * (x.z_next - wz * x.o - uz * x.z) / self.upsilon;
                sum = std::array::from_fn(|i| sum[i] + error * dz[i]);
            }
            if self.segments.ends(t) {
                dz = [0.0; 4];
            }
        }
        sum
    }

    /// Estimates the mean of `f` over `n` trajectories of `horizon` moments, drawn from streams of `seed`. Any number
    /// of threads gives the same bits.
    pub fn estimate<const K: usize>(
        &self,
        theta: Theta,
        horizon: usize,
        n: usize,
        (seed, threads): (u64, usize),
        f: impl Fn(&[Moment]) -> [f64; K] + Sync,
    ) -> Estimate<K> {
        let draw = |path: &mut Vec<Moment>, rng: &mut Rng| {
            self.sample(theta, path, rng);
            f(path)
        };
        monte_carlo(n, "trajectories", (seed, threads), || vec![Moment::default(); horizon], draw)
    }

    /// Solves the task with an infinite horizon: value, discounted second moment, objective and gradient.
    ///
    /// The memory is drawn at every step, whatever the segments are. The map M ↦ γ Φ M Φ' of the policy's closed loop
    /// must contract; otherwise the numbers are not finite.
    pub fn stationary(&self, theta: Theta) -> Stationary {
        let (phi, cost, noise) = self.closed_loop(theta);
        let gamma = self.gamma;
        let p = series(transposed(phi), gamma, cost);
        let c = (gamma * trace(product(p, noise)) + self.r * self.action_noise(theta)) / (1.0 - gamma);
        let start = [[self.start.0 * self.start.0 + self.start.1, 0.0], [0.0, 0.0]];
        let x = series(phi, gamma, sum(start, scaled(noise, gamma / (1.0 - gamma))));
        let j = -trace(product(p, start)) - c;
        let future = scaled(product(p, phi), gamma);
        let [wa, ua, wz, _] = theta;
        let by_action = [self.r * wa + self.b * future[0][0], self.r * ua + self.b * future[0][1]];
        let [da, dz] = product(scaled([by_action, future[1]], -2.0), x);
        // W_a and W_z multiply the noise v of the observation, and so they move the noise of (a, z').
        let seen = -2.0 * self.v / (1.0 - gamma);
        let by_wa = seen * (self.r * wa + gamma * self.b * (p[0][0] * self.b * wa + p[0][1] * wz));
        let by_wz = seen * gamma * (p[1][0] * self.b * wa + p[1][1] * wz);
        Stationary { p, c, x, j, gradient: [da[0] + by_wa, da[1], dz[0] + by_wz, dz[1]] }
    }

    /// Returns J(π) - J(q) by the performance-difference lemma (Lemma A.1): the advantage of q's value function, summed
    /// over the discounted state distribution of π. The horizon is infinite, and both policies have the same Σ and Υ.
    pub fn performance_difference(&self, pi: Theta, q: Theta) -> f64 {
        let (phi, cost, noise) = self.closed_loop(pi);
        let (gamma, of_pi, of_q) = (self.gamma, self.stationary(pi), self.stationary(q));
        let next = scaled(product(transposed(phi), product(of_q.p, phi)), -gamma);
        let advantage = sum(of_q.p, sum(scaled(cost, -1.0), next));
        let constant = of_q.c - self.r * self.action_noise(pi) - gamma * (trace(product(of_q.p, noise)) + of_q.c);
        trace(product(advantage, of_pi.x)) + constant / (1.0 - gamma)
    }

    /// Returns the closed loop: Φ of x' = Φ x + noise, the matrix C of the cost x'Cx, and the covariance of the noise.
    fn closed_loop(&self, theta: Theta) -> (Matrix, Matrix, Matrix) {
        let [wa, ua, wz, uz] = theta;
        let phi = [[self.a + self.b * wa, self.b * ua], [wz, uz]];
        let cost = [[self.q + self.r * wa * wa, self.r * wa * ua], [self.r * wa * ua, self.r * ua * ua]];
        let both = self.b * self.v * wa * wz;
        let state = self.b * self.b * self.action_noise(theta) + self.w;
        (phi, cost, [[state, both], [both, wz * wz * self.v + self.upsilon]])
    }

    /// Returns the variance of the action, given the state and the memory.
    fn action_noise(&self, [wa, ..]: Theta) -> f64 {
        wa * wa * self.v + self.sigma
    }
}

/// Returns the sum over k ≥ 0 of γ^k Φ^k M Φ'^k, by doubling: 2^40 terms.
fn series(phi: Matrix, gamma: f64, m: Matrix) -> Matrix {
    let (mut x, mut power) = (m, scaled(phi, gamma.sqrt()));
    for _ in 0..40 {
        x = sum(x, product(power, product(x, transposed(power))));
        power = product(power, power);
    }
    x
}

fn product(x: Matrix, y: Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| x[i][0] * y[0][j] + x[i][1] * y[1][j]))
}

fn sum(x: Matrix, y: Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| x[i][j] + y[i][j]))
}

fn scaled(x: Matrix, by: f64) -> Matrix {
    x.map(|row| row.map(|x| x * by))
}

fn transposed(x: Matrix) -> Matrix {
    [[x[0][0], x[1][0]], [x[0][1], x[1][1]]]
}

fn trace(x: Matrix) -> f64 {
    x[0][0] + x[1][1]
}

/// A number and its derivatives by θ, for forward-mode differentiation.
#[derive(Clone, Copy)]
struct Dual {
    x: f64,
    d: Theta,
}

impl Dual {
    fn constant(x: f64) -> Self {
        Self { x, d: [0.0; 4] }
    }

    fn variable(x: f64, i: usize) -> Self {
        Self { x, d: std::array::from_fn(|k| (k == i) as u8 as f64) }
    }
}

impl Add for Dual {
    type Output = Self;
    fn add(self, y: Self) -> Self {
        Self { x: self.x + y.x, d: std::array::from_fn(|i| self.d[i] + y.d[i]) }
    }
}

impl Sub for Dual {
    type Output = Self;
    fn sub(self, y: Self) -> Self {
        Self { x: self.x - y.x, d: std::array::from_fn(|i| self.d[i] - y.d[i]) }
    }
}

impl Mul for Dual {
    type Output = Self;
    #[expect(clippy::suspicious_arithmetic_impl, reason = "the product rule")]
    fn mul(self, y: Self) -> Self {
        Self { x: self.x * y.x, d: std::array::from_fn(|i| self.d[i] * y.x + self.x * y.d[i]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns policies drawn at random around the policy of the tests.
    fn policies() -> impl Iterator<Item = Theta> {
        let mut rng = Rng::new(0, "policies");
        (0..20).map(move |_| [-0.3, -0.2, 0.4, 0.5].map(|x| x + 0.1 * rng.normal()))
    }

    /// Returns the largest difference of `gradient` and the central differences of `j`, relative to 1 + |gradient|.
    fn worst(theta: Theta, gradient: Theta, j: impl Fn(Theta) -> f64) -> f64 {
        let h = 1e-5;
        let error = |i: usize| {
            let shifted = |h| j(std::array::from_fn(|k| theta[k] + if k == i { h } else { 0.0 }));
            (gradient[i] - (shifted(h) - shifted(-h)) / (2.0 * h)).abs() / (1.0 + gradient[i].abs())
        };
        (0..4).map(error).fold(0.0, f64::max)
    }

    /// The gradient of the finite horizon and that of the theorem for the infinite one agree with central differences,
    /// with and without noise in the memory.
    #[test]
    fn gradients_agree_with_central_differences() {
        for upsilon in [0.04, 0.0] {
            let task = LinearGaussian { upsilon, ..Default::default() };
            for theta in policies() {
                for horizon in [0, 1, 6, 40] {
                    let error = worst(theta, task.objective(theta, horizon).1, |x| task.objective(x, horizon).0);
                    assert!(error < 1e-8, "{error:e} for {theta:?}, {horizon} steps");
                }
                let error = worst(theta, task.stationary(theta).gradient, |x| task.stationary(x).j);
                assert!(error < 1e-8, "{error:e} for {theta:?}, infinite horizon");
            }
        }
    }

    /// The objective of segments has the gradient that central differences have. It is that of S2PG's policy for
    /// segments of one step, and that of the deterministic kernel for a single segment.
    #[test]
    fn the_objective_of_segments() {
        let task = |segments| LinearGaussian { segments, ..Default::default() };
        for theta in policies() {
            for segments in
                [2, 3, 5, 6].map(Segments::of).into_iter().chain([1, 2].map(|p| Segments::of(3).with_first(p)))
            {
                let task = task(segments);
                let error = worst(theta, task.objective(theta, 6).1, |x| task.objective(x, 6).0);
                assert!(error < 1e-8, "{error:e} for {theta:?}, {segments:?}");
            }
            let silent = LinearGaussian { upsilon: 0.0, ..Default::default() }.objective(theta, 6);
            for segments in [Segments::of(6), Segments::WHOLE] {
                assert_eq!(task(segments).objective(theta, 6), silent);
            }
        }
    }

    /// The estimate of segments is the gradient of the log-density of all actions and of all draws, with the memory
    /// unrolled from the last draw; that of truncation leaves the draws out.
    #[test]
    fn the_estimate_of_segments_is_the_gradient_of_its_log_density() {
        let mut path = [Moment::default(); 7];
        for (theta, segments) in policies().zip([1, 2, 3, 5, 7, 9].map(Segments::of).into_iter().cycle()) {
            let task = LinearGaussian { segments, ..Default::default() };
            task.sample(theta, &mut path, &mut Rng::new(2, "segments"));
            let g = task.discounted(&path);
            let density = |[wa, ua, wz, uz]: Theta, with_draws: bool| {
                let (mut h, mut sum) = (0.0, 0.0);
                for (t, x) in path.iter().enumerate() {
                    let (a, eta) = (x.a - wa * x.o - ua * h, wz * x.o + uz * h);
                    sum -= 0.5 * g * a * a / task.sigma;
                    if with_draws && segments.draws(t, 7) {
                        sum -= 0.5 * g * (x.z_next - eta).powi(2) / task.upsilon;
                    }
                    h = if segments.ends(t) { x.z_next } else { eta };
                }
                sum
            };
            assert!(worst(theta, task.rs(theta, &path), |x| density(x, true)) < 1e-7, "{segments:?}");
            assert!(worst(theta, task.tbptt(theta, &path), |x| density(x, false)) < 1e-7, "{segments:?}");
        }
    }

    /// The finite objective and gradient go to the infinite ones, whether the state is observed or not.
    #[test]
    fn a_long_horizon_is_the_infinite_one() {
        for v in [0.0, 0.04] {
            let task = LinearGaussian { v, ..Default::default() };
            for theta in policies() {
                let (j, gradient) = task.objective(theta, 1000);
                let infinite = task.stationary(theta);
                assert!((j - infinite.j).abs() < 1e-10);
                assert!((0..4).all(|i| (gradient[i] - infinite.gradient[i]).abs() < 1e-10));
            }
        }
    }

    /// Lemma A.1 holds as well where the policies see the state through noise.
    #[test]
    fn the_performance_difference_is_the_difference_behind_noise() {
        let task = LinearGaussian::default();
        let all: Vec<Theta> = policies().collect();
        for (pi, q) in all.iter().zip(&all[1..]) {
            let difference = task.stationary(*pi).j - task.stationary(*q).j;
            assert!((task.performance_difference(*pi, *q) - difference).abs() < 1e-10);
        }
    }

    /// The score is the gradient of the joint log-density of (a, z').
    #[test]
    fn the_score_is_the_gradient_of_the_log_density() {
        let task = LinearGaussian::default();
        let mut path = [Moment::default(); 6];
        for theta in policies() {
            task.sample(theta, &mut path, &mut Rng::new(0, "score"));
            for x in &path {
                let log_density = |[wa, ua, wz, uz]: Theta| {
                    let (a, z) = (x.a - wa * x.o - ua * x.z, x.z_next - wz * x.o - uz * x.z);
                    -0.5 * (a * a / task.sigma + z * z / task.upsilon)
                };
                assert!(worst(theta, task.score(theta, x), log_density) < 1e-8);
            }
        }
    }

    /// The BPTT estimate is the gradient of the log-density of all actions with the memory unrolled; over a length of 1
    /// it never moves the memory's parameters.
    #[test]
    fn bptt_is_the_gradient_of_the_unrolled_log_density() {
        let task = LinearGaussian { upsilon: 0.0, ..Default::default() };
        let mut path = [Moment::default(); 6];
        for theta in policies() {
            task.sample(theta, &mut path, &mut Rng::new(1, "bptt"));
            let g = task.discounted(&path);
            let unrolled = |[wa, ua, wz, uz]: Theta| {
                let mut z = 0.0;
                let mut sum = 0.0;
                for x in &path {
                    let a = x.a - wa * x.o - ua * z;
                    sum -= 0.5 * g * a * a / task.sigma;
                    z = wz * x.o + uz * z;
                }
                sum
            };
            assert!(worst(theta, task.bptt(theta, &path, 6), unrolled) < 1e-7);
            assert_eq!(task.bptt(theta, &path, 1)[2..], [0.0, 0.0]);
            assert_ne!(task.bptt(theta, &path, 2)[2..], [0.0, 0.0]);
        }
    }
}
