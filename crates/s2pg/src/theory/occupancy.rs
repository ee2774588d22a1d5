//! The policy-gradient theorems on sampled states of the linear-Gaussian task: the gradient is estimated from draws of
//! (s, z) under the discounted state distribution ρ, and from the exact value of what follows.

use super::linear_gaussian::{LinearGaussian, Moment, Stationary, Theta};
use crate::rng::Rng;

impl LinearGaussian {
    /// Draws (s, z) under (1 - γ) ρ: the process is stopped before each step with probability 1 - γ.
    pub fn visit(&self, theta: Theta, rng: &mut Rng) -> (f64, f64) {
        let [wa, ua, wz, uz] = theta;
        let std = |variance: f64| variance.sqrt();
        let (mut s, mut z) = (self.start.0 + std(self.start.1) * rng.normal(), 0.0);
        while rng.uniform() < self.gamma {
            let o = s + std(self.v) * rng.normal();
            let a = wa * o + ua * z + std(self.sigma) * rng.normal();
            z = wz * o + uz * z + std(self.upsilon) * rng.normal();
            s = self.a * s + self.b * a + std(self.w) * rng.normal();
        }
        (s, z)
    }

    /// Returns Q(s, z, a, z') of the policy whose solution is `of` (eq. 3). Given a and z', the memory z makes no
    /// difference.
    pub fn q(&self, of: &Stationary, s: f64, (a, z_next): (f64, f64)) -> f64 {
        let y = self.a * s + self.b * a;
        let [[ss, sz], [_, zz]] = of.p;
        let future = ss * (y * y + self.w) + 2.0 * sz * y * z_next + zz * z_next * z_next + of.c;
        -(self.q * s * s + self.r * a * a) - self.gamma * future
    }

    /// Returns V(s, z) of the policy whose solution is `of` (eq. 4), averaged over what the policy sees of s.
    pub fn value(&self, of: &Stationary, s: f64, z: f64) -> f64 {
        let [[ss, sz], [_, zz]] = of.p;
        -(ss * s * s + 2.0 * sz * s * z + zz * z * z) - of.c
    }

    /// Returns the derivatives of Q(s, z, a, z') by a and by z'.
    pub fn q_slopes(&self, of: &Stationary, s: f64, (a, z_next): (f64, f64)) -> (f64, f64) {
        let y = self.a * s + self.b * a;
        let [[ss, sz], [_, zz]] = of.p;
        let by_s = ss * y + sz * z_next;
        (-2.0 * (self.r * a + self.gamma * self.b * by_s), -2.0 * self.gamma * (sz * y + zz * z_next))
    }

    /// Returns one draw of the gradient in the form of Theorem 2.2 and eq. 5: the score of (a, z') times Q, for a state
    /// drawn under ρ and an observation drawn under O(o|s). Σ and Υ must be positive.
    ///
    /// The noise of (a, z') is used with both signs, which removes the part of Q that does not depend on the noise; the
    /// mean is the same.
    pub fn score_draw(&self, theta: Theta, of: &Stationary, rng: &mut Rng) -> Theta {
        let (s, x) = self.seen(theta, rng);
        let noise = (self.sigma.sqrt() * rng.normal(), self.upsilon.sqrt() * rng.normal());
        let q = |sign: f64| self.q(of, s, (x.a + sign * noise.0, x.z_next + sign * noise.1));
        let odd = 0.5 * (q(1.0) - q(-1.0)) / (1.0 - self.gamma);
        let drawn = Moment { a: x.a + noise.0, z_next: x.z_next + noise.1, ..x };
        self.score(theta, &drawn).map(|score| score * odd)
    }

    /// Returns one draw of the gradient in the form of Theorem 2.3: the derivatives of Q by a and z', carried back
    /// through the policy's means. Where Σ and Υ are positive, (a, z') is drawn, and the form is the reparameterised
    /// form of Theorem 2.2.
    pub fn path_draw(&self, theta: Theta, of: &Stationary, rng: &mut Rng) -> Theta {
        let (s, x) = self.seen(theta, rng);
        let u = (x.a + self.sigma.sqrt() * rng.normal(), x.z_next + self.upsilon.sqrt() * rng.normal());
        let (by_a, by_z) = self.q_slopes(of, s, u);
        [by_a * x.o, by_a * x.z, by_z * x.o, by_z * x.z].map(|x| x / (1.0 - self.gamma))
    }

    /// Draws a state s under ρ, and returns it with what the policy makes of it: o, z, and the means of a and z'.
    fn seen(&self, theta: Theta, rng: &mut Rng) -> (f64, Moment) {
        let [wa, ua, wz, uz] = theta;
        let (s, z) = self.visit(theta, rng);
        let o = s + self.v.sqrt() * rng.normal();
        (s, Moment { o, z, a: wa * o + ua * z, z_next: wz * o + uz * z, r: 0.0 })
    }

    /// Returns the advantages A_q of q's value function along a trajectory of π, discounted and summed over `horizon`
    /// steps. The mean of the sum is J(π) - J(q) up to a term of the size of γ^`horizon` (Lemma A.1).
    pub fn advantages_of(&self, q: &Stationary, pi: Theta, horizon: usize, rng: &mut Rng) -> f64 {
        let [wa, ua, wz, uz] = pi;
        let std = |variance: f64| variance.sqrt();
        let (mut s, mut z) = (self.start.0 + std(self.start.1) * rng.normal(), 0.0);
        let (mut sum, mut discount) = (0.0, 1.0);
        for _ in 0..horizon {
            let o = s + std(self.v) * rng.normal();
            let a = wa * o + ua * z + std(self.sigma) * rng.normal();
            let z_next = wz * o + uz * z + std(self.upsilon) * rng.normal();
            sum += discount * (self.q(q, s, (a, z_next)) - self.value(q, s, z));
            discount *= self.gamma;
            s = self.a * s + self.b * a + std(self.w) * rng.normal();
            z = z_next;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THETA: Theta = [-0.3, -0.2, 0.4, 0.5];

    /// The slopes of Q agree with central differences, and the mean of Q over the policy is V.
    #[test]
    fn q_has_its_slopes_and_its_mean() {
        let task = LinearGaussian::default();
        let of = task.stationary(THETA);
        let mut rng = Rng::new(0, "q");
        let (h, n) = (1e-4, 20_000);
        for _ in 0..10 {
            let (s, z, a, z_next) = (rng.normal(), rng.normal(), rng.normal(), rng.normal());
            let slope = |da: f64, dz: f64| {
                let q = |sign: f64| task.q(&of, s, (a + sign * da, z_next + sign * dz));
                (q(1.0) - q(-1.0)) / (2.0 * h)
            };
            let (by_a, by_z) = task.q_slopes(&of, s, (a, z_next));
            assert!((by_a - slope(h, 0.0)).abs() < 1e-7 && (by_z - slope(0.0, h)).abs() < 1e-7);
            let draws: Vec<f64> = (0..n)
                .map(|_| {
                    let o = s + task.v.sqrt() * rng.normal();
                    let a = THETA[0] * o + THETA[1] * z + task.sigma.sqrt() * rng.normal();
                    let z_next = THETA[2] * o + THETA[3] * z + task.upsilon.sqrt() * rng.normal();
                    task.q(&of, s, (a, z_next))
                })
                .collect();
            let mean = draws.iter().sum::<f64>() / n as f64;
            let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
            let value = task.value(&of, s, z);
            assert!((mean - value).abs() < 5.0 * (variance / n as f64).sqrt(), "{mean} is not {value}");
        }
    }

    /// The second moment of the visited states is the matrix X of the closed form.
    #[test]
    fn visits_are_distributed_as_rho() {
        let task = LinearGaussian::default();
        let x = task.stationary(THETA).x;
        let visits = crate::theory::monte_carlo(
            200_000,
            "visits",
            (0, 2),
            || (),
            |(), rng| {
                let (s, z) = task.visit(THETA, rng);
                [s * s, s * z, z * z].map(|x| x / (1.0 - task.gamma))
            },
        );
        for (i, expected) in [x[0][0], x[0][1], x[1][1]].into_iter().enumerate() {
            assert!((visits.mean[i] - expected).abs() < 4.0 * visits.standard_error[i], "{:?} {expected}", visits.mean);
        }
    }
}
