//! The paper's statements, and those about the segments between S2PG and backpropagation through time, as numbers: what
//! each statement says, what was measured, and whether the two agree.

use super::bounds::{z_plain, z_squares, z_sums};
use super::estimators::{Estimator, Gradients, Jacobians, Trajectory, joint, mean_and_std, parameter_slopes};
use super::linear_gaussian::{LinearGaussian, Moment, Theta};
use super::monte_carlo::{Estimate, monte_carlo};
use super::saturated::Saturated;
use super::segments::Segments;
use super::subject::{Kind, Subject, SubjectShape};
use crate::nn::Params;
use crate::policy::StatefulPolicy;
use crate::rng::Rng;

/// The policy (W_a, U_a, W_z, U_z) of all statements on the linear-Gaussian task.
pub const THETA: Theta = [-0.3, -0.2, 0.4, 0.5];
/// The second policy of the performance-difference lemma.
pub const OTHER: Theta = [-0.35, -0.1, 0.3, 0.6];
/// Number of steps of the finite horizon.
pub const HORIZON: usize = 6;
const NAMES: [&str; 4] = ["dJ/dW_a", "dJ/dU_a", "dJ/dW_z", "dJ/dU_z"];

/// How a measured number has to agree with the expected number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// The measured number is at most this far from the expected number.
    Near(f64),
    /// The measured number, which is sampled, is at most this far from the expected number, with [`Effort::ENOUGH`]
    /// trajectories.
    Sampled(f64),
    /// The measured number, whose standard error this is, is within 4 standard errors of the expected number.
    Unbiased(f64),
    /// The measured number, whose standard error this is, is more than 6 standard errors from the expected number: it
    /// comes from an estimator with a mistake, which must be seen.
    Mutant(f64),
    /// The measured number is not above the expected number.
    AtMost,
    /// The measured number is above the expected number.
    Above,
}

/// What a check says of its statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The two numbers agree; of a mutant: they differ, as they must.
    Holds,
    /// The two numbers do not agree.
    Fails,
    /// The two numbers do not agree, and with so few trajectories that says nothing.
    TooFew,
}

/// One line of the table of a statement: a measured number and what it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Name of the quantity that was measured.
    pub quantity: String,
    /// The number that the quantity should have, or its bound.
    pub expected: f64,
    /// The number that was measured.
    pub measured: f64,
    /// How the measured number has to agree with the expected number.
    pub rule: Rule,
}

impl Check {
    fn new(quantity: impl Into<String>, expected: f64, measured: f64, rule: Rule) -> Self {
        Self { quantity: quantity.into(), expected, measured, rule }
    }

    fn sampled(quantity: impl Into<String>, expected: f64, measured: f64, tolerance: f64) -> Self {
        Self::new(quantity, expected, measured, Rule::Sampled(tolerance))
    }

    fn near(quantity: impl Into<String>, expected: f64, measured: f64, tolerance: f64) -> Self {
        Self::new(quantity, expected, measured, Rule::Near(tolerance))
    }

    /// Returns the standard error of the measured number, where the rule judges the number by it.
    pub fn standard_error(&self) -> Option<f64> {
        match self.rule {
            Rule::Unbiased(error) | Rule::Mutant(error) => Some(error),
            Rule::Near(_) | Rule::Sampled(_) | Rule::AtMost | Rule::Above => None,
        }
    }

    /// Returns how many standard errors the measured number is above the expected number; None without a standard
    /// error.
    pub fn z_score(&self) -> Option<f64> {
        self.standard_error().map(|error| (self.measured - self.expected) / error)
    }

    /// Tells whether the two numbers agree; they never do where a number is not finite.
    pub fn holds(&self) -> bool {
        let z = self.z_score().map_or(0.0, f64::abs);
        let finite = self.measured.is_finite() && self.expected.is_finite() && z.is_finite();
        finite
            && match self.rule {
                Rule::Near(tolerance) | Rule::Sampled(tolerance) => (self.measured - self.expected).abs() <= tolerance,
                Rule::Unbiased(_) => z < 4.0,
                Rule::Mutant(_) => z > 6.0,
                Rule::AtMost => self.measured <= self.expected,
                Rule::Above => self.measured > self.expected,
            }
    }
}

impl Check {
    /// Tells what the check says of its statement, when its number was measured with this effort. With fewer
    /// trajectories than [`Effort::ENOUGH`] a mutant may stay unseen, and a sampled number without a standard error
    /// lies further from its expectation, by the square root of how many times fewer there are.
    pub fn verdict(&self, effort: &Effort) -> Verdict {
        let fewer = Effort::ENOUGH as f64 / effort.trajectories as f64;
        let unclear = fewer > 1.0
            && match self.rule {
                Rule::Sampled(tolerance) => (self.measured - self.expected).abs() <= tolerance * fewer.sqrt(),
                Rule::Mutant(error) => self.measured.is_finite() && error.is_finite(),
                Rule::Near(_) | Rule::Unbiased(_) | Rule::AtMost | Rule::Above => false,
            };
        match self.holds() {
            true => Verdict::Holds,
            false if unclear => Verdict::TooFew,
            false => Verdict::Fails,
        }
    }
}

/// How much is sampled, and from which random streams.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effort {
    /// Number of trajectories, or of visited states. Costly statements take a twentieth of them.
    pub trajectories: usize,
    /// Seed of every random stream.
    pub seed: u64,
    /// Number of threads; any number gives the same bits.
    pub threads: usize,
}

impl Effort {
    /// The number of trajectories for which the tolerances of the statements are made.
    pub const ENOUGH: usize = 4_000_000;

    fn streams(&self) -> (u64, usize) {
        (self.seed, self.threads)
    }

    fn costly(&self) -> usize {
        (self.trajectories / 20).max(2)
    }
}

/// A statement of the paper, or about segments.
#[derive(Clone, Copy)]
pub struct Section {
    /// Name of the statement, in the paper where it is there.
    pub name: &'static str,
    /// The statement in words.
    pub statement: &'static str,
    /// Measures the quantities of the statement.
    pub check: fn(&Effort) -> Vec<Check>,
}

/// All statements, in the order in which they are printed.
pub const SECTIONS: [Section; 13] = [
    Section {
        name: "Lemma 2.1, Corollary 2.4",
        statement: "the S2PG estimate is unbiased, the state seen through noise; three mutants are not",
        check: s2pg,
    },
    Section {
        name: "Equation 1",
        statement: "backpropagation through the whole trajectory is unbiased for z' = eta; truncated it is not",
        check: bptt,
    },
    Section {
        name: "Small state noise",
        statement: "as Upsilon falls, the gradient goes to that of z' = eta, and the variance grows as 1 / Upsilon",
        check: small_noise,
    },
    Section {
        name: "Theorem 2.2",
        statement: "the gradient is the mean of the score times Q over rho, and so is the reparameterised form",
        check: theorem_2_2,
    },
    Section {
        name: "Theorem 2.3",
        statement: "without noise the gradient goes through dQ/da and dQ/dz', and it is the limit of Theorem 2.2",
        check: theorem_2_3,
    },
    Section {
        name: "Equation 5",
        statement: "the policy sees o = s + v, the critic s: the same gradient, with the mean over o in it",
        check: equation_5,
    },
    Section { name: "Lemma A.1", statement: "the advantage of q, summed along pi, is J(pi) - J(q)", check: lemma_a_1 },
    Section {
        name: "Lemma A.2",
        statement: "the sums of powers of Z in closed form, and as the sums that they are",
        check: lemma_a_2,
    },
    Section {
        name: "Theorems 3.4, 3.5, Lemma A.3",
        statement: "the variance stays below its bound; BPTT's bound grows with Z, S2PG's does not know it",
        check: variance_bounds,
    },
    Section {
        name: "Scores",
        statement: "of every kind of policy: mean zero, the derivative of the log-density, eq. 22 through time",
        check: scores,
    },
    Section {
        name: "Segments, gradient",
        statement: "the estimate of rs:K is unbiased for every K and every first segment; four mutants are not",
        check: segments_gradient,
    },
    Section {
        name: "Segments, truncation",
        statement: "tbptt:K, which draws nothing, is biased below the horizon, and is BPTT from there on",
        check: segments_truncation,
    },
    Section {
        name: "Segments, variance",
        statement: "the variance stays below its bound, which is Theorem 3.5 at K = 1 and Theorem 3.4 at K = T",
        check: segments_variance,
    },
];

fn observed() -> LinearGaussian {
    LinearGaussian { v: 0.0, ..Default::default() }
}

fn deterministic(task: LinearGaussian) -> LinearGaussian {
    LinearGaussian { upsilon: 0.0, ..task }
}

/// Compares a value and a gradient with known numbers, and the gradient with central differences of the value.
fn exact(label: &str, known: (f64, Theta), (j, gradient): (f64, Theta), value: impl Fn(Theta) -> f64) -> Vec<Check> {
    let mut checks = vec![Check::near(format!("{label}: J"), known.0, j, 1e-12)];
    let h = 1e-5;
    for i in 0..4 {
        let shifted = |h: f64| value(std::array::from_fn(|k| THETA[k] + if k == i { h } else { 0.0 }));
        let difference = (shifted(h) - shifted(-h)) / (2.0 * h);
        checks.push(Check::near(format!("{label}: {}", NAMES[i]), known.1[i], gradient[i], 1e-9));
        checks.push(Check::near(format!("{label}: {}, central differences", NAMES[i]), difference, gradient[i], 1e-8));
    }
    checks
}

/// Compares the four components of an estimate from the place `from` on with the gradient `truth`.
fn unbiased<const K: usize>(label: &str, truth: Theta, estimate: &Estimate<K>, from: usize) -> Vec<Check> {
    let check = |i: usize| {
        let rule = Rule::Unbiased(estimate.standard_error[from + i]);
        Check::new(format!("{label}: {}", NAMES[i]), truth[i], estimate.mean[from + i], rule)
    };
    (0..4).map(check).collect()
}

/// Judges a mutant, an estimator with a mistake, by the component that is most standard errors (`spread`) away from the
/// truth.
fn mutant(label: &str, truth: Theta, mean: &[f64], spread: &[f64]) -> Check {
    let z = |i: usize| ((mean[i] - truth[i]) / spread[i]).abs();
    let worst = (1..4).fold(0, |worst, i| if z(i) > z(worst) { i } else { worst });
    let rule = Rule::Mutant(spread[worst]);
    Check::new(format!("mutant, {label}: {}", NAMES[worst]), truth[worst], mean[worst], rule)
}

fn s2pg(effort: &Effort) -> Vec<Check> {
    let task = LinearGaussian::default();
    let truth = task.objective(THETA, HORIZON);
    let known = (-2.7434953615676703, [-2.8080804339, -0.7768365112, 0.4120375627, 0.0864505997]);
    let mut checks = exact("exact", known, truth, |theta| task.objective(theta, HORIZON).0);
    let draw = |path: &[Moment]| -> [f64; 16] {
        let x @ [wa, ua, wz, uz] = task.s2pg(THETA, path);
        let variants = [x, [wa, ua, 0.0, 0.0], x.map(|x| x * task.gamma), [wa, ua, 2.0 * wz, 2.0 * uz]];
        std::array::from_fn(|i| variants[i / 4][i % 4])
    };
    let estimate = task.estimate(THETA, HORIZON, effort.trajectories, effort.streams(), draw);
    checks.extend(unbiased("S2PG", truth.1, &estimate, 0));
    checks.push(Check::sampled("S2PG: trace of the covariance", 4250.0, estimate.variance[..4].iter().sum(), 212.5));
    let labels = ["z' left out of the score", "gamma off by one step", "the state kernel's score doubled"];
    for (k, label) in labels.into_iter().enumerate() {
        let rows = 4 * (k + 1)..4 * (k + 2);
        // A component that is left out has no spread of its own: it is judged by the spread of the estimator without a
        // mistake.
        let spread: Vec<f64> =
            rows.clone().map(|i| estimate.standard_error[i].max(estimate.standard_error[i % 4])).collect();
        checks.push(mutant(label, truth.1, &estimate.mean[rows], &spread));
    }
    checks
}

fn bptt(effort: &Effort) -> Vec<Check> {
    let task = deterministic(LinearGaussian::default());
    let truth = task.objective(THETA, HORIZON);
    let known = (-2.7387715001472834, [-2.8044956349, -0.8235280444, 0.4117640222, 0.0929363464]);
    let mut checks = exact("exact", known, truth, |theta| task.objective(theta, HORIZON).0);
    let draw = |path: &[Moment]| -> [f64; 12] {
        let lengths = [HORIZON, 2, 1].map(|len| task.bptt(THETA, path, len));
        std::array::from_fn(|i| lengths[i / 4][i % 4])
    };
    let estimate = task.estimate(THETA, HORIZON, effort.trajectories, effort.streams(), draw);
    checks.extend(unbiased("BPTT", truth.1, &estimate, 0));
    checks.push(Check::sampled("BPTT: trace of the covariance", 1470.0, estimate.variance[..4].iter().sum(), 73.5));
    checks.push(mutant("BPTT over 2 steps", truth.1, &estimate.mean[4..8], &estimate.standard_error[4..8]));
    for i in [2, 3] {
        let sizes = estimate.mean[8 + i].abs() + estimate.variance[8 + i];
        checks.push(Check::near(format!("BPTT over 1 step: {} is exactly 0", NAMES[i]), 0.0, sizes, 0.0));
    }
    checks
}

fn small_noise(effort: &Effort) -> Vec<Check> {
    let limit = deterministic(LinearGaussian::default()).objective(THETA, HORIZON).1;
    let mut checks = Vec::new();
    let mut before = None;
    for upsilon in [0.01, 0.0025, 0.000625] {
        let task = LinearGaussian { upsilon, ..Default::default() };
        let truth = task.objective(THETA, HORIZON).1;
        let distance = truth.iter().zip(limit).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt();
        let draw = |path: &[Moment]| task.s2pg(THETA, path);
        let estimate = task.estimate(THETA, HORIZON, effort.trajectories / 4, effort.streams(), draw);
        checks.extend(unbiased(&format!("S2PG at Upsilon = {upsilon}"), truth, &estimate, 0));
        let variance = estimate.variance[2] + estimate.variance[3];
        if let Some((far, small)) = before.replace((distance, variance)) {
            let what = format!("distance from the limit, Upsilon = {} over {upsilon}", 4.0 * upsilon);
            checks.push(Check::near(what, 4.0, far / distance, 1e-9));
            let what = format!("variance of dW_z and dU_z, Upsilon = {upsilon} over {}", 4.0 * upsilon);
            checks.push(Check::sampled(what, 4.0, variance / small, 0.2));
        }
    }
    checks
}

/// Compares the score form and the reparameterised form of Theorem 2.2, over sampled states, with the gradient.
fn over_states(task: &LinearGaussian, effort: &Effort) -> Vec<Check> {
    let of = task.stationary(THETA);
    let draw = |(): &mut (), rng: &mut Rng| -> [f64; 8] {
        let forms = [task.score_draw(THETA, &of, rng), task.path_draw(THETA, &of, rng)];
        std::array::from_fn(|i| forms[i / 4][i % 4])
    };
    let estimate = monte_carlo(effort.trajectories, "states", effort.streams(), || (), draw);
    let mut checks = unbiased("score times Q", of.gradient, &estimate, 0);
    checks.extend(unbiased("reparameterised", of.gradient, &estimate, 4));
    checks
}

fn theorem_2_2(effort: &Effort) -> Vec<Check> {
    let task = observed();
    let of = task.stationary(THETA);
    let known = (-3.883245134256416, [-4.1997686968, -0.9707843674, 0.6841969405, 0.0951090865]);
    let mut checks = exact("exact", known, (of.j, of.gradient), |theta| task.stationary(theta).j);
    let p = [
        ("P[s,s]", 1.9617050511, of.p[0][0]),
        ("P[s,z]", -0.1816373261, of.p[0][1]),
        ("P[z,z]", 0.0523170413, of.p[1][1]),
    ];
    let x = [
        ("X[s,s]", 3.6445700443, of.x[0][0]),
        ("X[s,z]", 1.3564194573, of.x[0][1]),
        ("X[z,z]", 2.3992315285, of.x[1][1]),
    ];
    checks.extend([p, x].concat().into_iter().map(|(name, known, x)| Check::near(name, known, x, 1e-9)));
    checks.extend(over_states(&task, effort));
    checks
}

fn theorem_2_3(effort: &Effort) -> Vec<Check> {
    let task = LinearGaussian { sigma: 0.0, ..deterministic(observed()) };
    let of = task.stationary(THETA);
    let known = (-2.8248552735594403, [-3.1902258693, -1.0360482691, 0.5180241346, 0.1457635888]);
    let mut checks = exact("exact", known, (of.j, of.gradient), |theta| task.stationary(theta).j);
    let draw = |(): &mut (), rng: &mut Rng| task.path_draw(THETA, &of, rng);
    let estimate = monte_carlo(effort.trajectories, "states", effort.streams(), || (), draw);
    checks.extend(unbiased("through dQ/da and dQ/dz'", of.gradient, &estimate, 0));
    let quiet = LinearGaussian { sigma: 0.09e-8, upsilon: 0.04e-8, ..observed() }.stationary(THETA);
    for i in 0..4 {
        let what = format!("Theorem 2.2 with Sigma and Upsilon times 1e-8: {}", NAMES[i]);
        checks.push(Check::near(what, of.gradient[i], quiet.gradient[i], 1e-7));
    }
    checks
}

fn equation_5(effort: &Effort) -> Vec<Check> {
    let task = LinearGaussian::default();
    let of = task.stationary(THETA);
    // The known numbers come another way: from the second moments of the system of s and z, step by step, until the
    // discounted rest is negligible.
    let known = task.objective(THETA, 2000);
    let mut checks = exact("exact", known, (of.j, of.gradient), |theta| task.stationary(theta).j);
    checks.extend(over_states(&task, effort));
    let draw = |(): &mut (), rng: &mut Rng| observed().path_draw(THETA, &of, rng);
    let estimate = monte_carlo(effort.trajectories, "states", effort.streams(), || (), draw);
    checks.push(mutant("o taken for s", of.gradient, &estimate.mean, &estimate.standard_error));
    checks
}

fn lemma_a_1(effort: &Effort) -> Vec<Check> {
    let task = observed();
    let (of_pi, of_q) = (task.stationary(OTHER), task.stationary(THETA));
    let difference = of_pi.j - of_q.j;
    let steps = 300;
    let draw = |(): &mut (), rng: &mut Rng| [task.advantages_of(&of_q, OTHER, steps, rng)];
    let estimate = monte_carlo(effort.costly(), "advantages", effort.streams(), || (), draw);
    vec![
        Check::near("J(pi) - J(q)", 0.06382450164782494, difference, 1e-12),
        Check::near("advantage over rho, exact", difference, task.performance_difference(OTHER, THETA), 1e-10),
        Check::new(
            "advantage along trajectories",
            difference,
            estimate.mean[0],
            Rule::Unbiased(estimate.standard_error[0]),
        ),
    ]
}

fn lemma_a_2(_: &Effort) -> Vec<Check> {
    let known = [
        (0.5, 5, 6.125, 9.828125),
        (0.9, 20, 112.15766545905694, 761.6896865803837),
        (1.1, 20, 372.7499949325603, 11620.836086194511),
        (2.0, 5, 26.0, 284.0),
        (2.0, 20, 1_048_555.0, 366_501_778_795.0),
        (1.0, 7, 21.0, 91.0),
        (1.5, 1, 0.0, 0.0),
    ];
    let mut checks = Vec::new();
    for (z, horizon, plain, squares) in known {
        let sums = z_sums(z, horizon);
        let mut push = |what: &str, known: f64, x: f64| {
            checks.push(Check::near(format!("{what} at Z = {z}, T = {horizon}"), known, x, 1e-10 * (1.0 + known)));
        };
        push("Z~", plain, z_plain(z, horizon));
        push("Z~, summed", plain, sums.0);
        push("Z-", squares, z_squares(z, horizon));
        push("Z-, summed", squares, sums.1);
    }
    checks
}

fn variance_bounds(effort: &Effort) -> Vec<Check> {
    // For each T: the measured variances at Z = 0.5, 1 and 1.5 of BPTT and of S2PG, the bounds of BPTT, and the bound
    // of S2PG.
    let known = [
        (5, [33.6, 43.1, 50.7], [57.5, 68.8, 81.6], [2610.0, 4324.0, 8711.0], 1922.0),
        (10, [264.0, 430.0, 561.0], [394.0, 603.0, 889.0], [2.44e4, 9.23e4, 1.95e6], 1.463e4),
        (20, [1887.0, 3974.0, 5783.0], [2540.0, 4917.0, 8964.0], [1.95e5, 2.20e6, 2.35e10], 1.061e5),
    ];
    let mut checks = Vec::new();
    for (horizon, bptt, s2pg, bound_bptt, bound_s2pg) in known {
        let mut before = None;
        for (i, z) in [0.5, 1.0, 1.5].into_iter().enumerate() {
            let task = Saturated { z };
            let c = task.constants();
            let at = format!("T = {horizon}, Z = {z}");
            let bounds = [c.bptt(horizon, 1), c.s2pg(horizon, 1)];
            for (k, (name, theorem)) in [("BPTT", "3.4"), ("S2PG", "3.5")].into_iter().enumerate() {
                let (trace, bound) = ([bptt[i], s2pg[i]][k], [bound_bptt[i], bound_s2pg][k]);
                let segments = [Segments::WHOLE, Segments::EVERY_STEP][k];
                let x = task.variance(horizon, segments, effort.costly(), effort.streams());
                checks.push(Check::sampled(format!("{name} variance, {at}"), trace, x.trace, 0.05 * trace));
                checks.push(Check::new(format!("{name} below its bound, {at}"), bounds[k], x.trace, Rule::AtMost));
                checks.push(Check::near(format!("bound {theorem}, {at}"), bound, bounds[k], 0.003 * bound));
            }
            let a3 = c.s2pg_diagonal(horizon, 1, (c.f, c.h), (c.sigma_inverse, c.upsilon_inverse));
            checks.push(Check::near(format!("bound A.3, {at}"), bounds[1], a3, 1e-9 * a3));
            if let Some((smaller, same)) = before.replace((bounds[0], bounds[1])) {
                checks.push(Check::new(format!("bound 3.4 grows with Z, {at}"), smaller, bounds[0], Rule::Above));
                checks.push(Check::near(format!("bound 3.5 does not know Z, {at}"), same, bounds[1], 0.0));
            }
        }
    }
    checks
}

fn segments_gradient(effort: &Effort) -> Vec<Check> {
    let of = |segments| LinearGaussian { segments, ..Default::default() };
    let mut checks = Vec::new();
    let known = [
        (1, -2.7434953615676703, [-2.8080804335, -0.7768365112, 0.4120375627, 0.0864505997]),
        (2, -2.7406490373033385, [-2.8056960793, -0.8048866314, 0.4118310015, 0.0907029049]),
        (5, -2.7388953050972833, [-2.8044956344, -0.8222899948, 0.4117640222, 0.0929363464]),
        (6, -2.7387715001472834, [-2.8044956344, -0.8235280443, 0.4117640222, 0.0929363464]),
    ];
    for (length, j, gradient) in known {
        let task = of(Segments::of(length));
        let truth = task.objective(THETA, HORIZON);
        let label = format!("rs:{length}");
        checks.extend(exact(&format!("{label}, exact"), (j, gradient), truth, |x| task.objective(x, HORIZON).0));
        let draw = |path: &[Moment]| task.rs(THETA, path);
        let estimate = task.estimate(THETA, HORIZON, effort.trajectories, effort.streams(), draw);
        checks.extend(unbiased(&label, truth.1, &estimate, 0));
    }
    checks.extend(mutants_of_segments(effort));
    for (name, length) in [("S2PG's", 1), ("BPTT's", HORIZON)] {
        let task = of(Segments::of(length));
        let draw = |path: &[Moment]| {
            let known = if length == 1 { task.s2pg(THETA, path) } else { task.bptt(THETA, path, HORIZON) };
            let rs = task.rs(THETA, path);
            [(0..4).map(|i| (rs[i] - known[i]).abs() / (1.0 + known[i].abs())).sum()]
        };
        let estimate = task.estimate(THETA, HORIZON, effort.costly(), effort.streams(), draw);
        let what = format!("rs:{length} is {name} estimate, trajectory by trajectory");
        checks.push(Check::near(what, 0.0, estimate.mean[0], 1e-12));
    }
    let phases = [1, 2, 3].map(|first| of(Segments::of(3).with_first(first)));
    let truths = phases.each_ref().map(|task| task.objective(THETA, HORIZON).1);
    for (k, (task, truth)) in phases.iter().zip(truths).enumerate() {
        let draw = |path: &[Moment]| task.rs(THETA, path);
        let estimate = task.estimate(THETA, HORIZON, effort.trajectories / 4, effort.streams(), draw);
        checks.extend(unbiased(&format!("rs:3, first segment of {}", k + 1), truth, &estimate, 0));
    }
    let draw = |path: &mut Vec<Moment>, rng: &mut Rng| {
        let task = &phases[rng.below(3)];
        task.sample(THETA, path, rng);
        task.rs(THETA, path)
    };
    let (n, memory) = (effort.trajectories / 4, || vec![Moment::default(); HORIZON]);
    let estimate = monte_carlo(n, "phases", effort.streams(), memory, draw);
    let mean = std::array::from_fn(|i| truths.iter().map(|truth| truth[i] / 3.0).sum());
    checks.extend(unbiased("rs:3, first segment of a random length", mean, &estimate, 0));
    checks
}

/// Judges mutants of the estimate of segments, where the memory's noise is large: the scores of draws are then small,
/// and a mistake in them is seen.
fn mutants_of_segments(effort: &Effort) -> Vec<Check> {
    let task = LinearGaussian { upsilon: 0.36, segments: Segments::of(2), ..Default::default() };
    let truth = task.objective(THETA, HORIZON).1;
    // The value function has nothing to do with the task: any baseline is as right as any other.
    let value = |o: f64, z: f64| -2.0 * o * o - o * z - z * z;
    let draw = |path: &[Moment]| -> [f64; 28] {
        let [rs, cut] = [task.rs(THETA, path), task.tbptt(THETA, path)];
        let through = task.bptt(THETA, path, HORIZON);
        // The scores of the draws are what `rs` has and `cut` has not.
        let uncut = std::array::from_fn(|i| through[i] + rs[i] - cut[i]);
        let g = task.discounted(path);
        let drawn = (0..HORIZON).filter(|&t| task.segments.draws(t, HORIZON));
        let partial = drawn.fold(cut, |[wa, ua, wz, uz], t| {
            let score = task.score(THETA, &path[t]);
            [wa, ua, wz + g * score[2], uz + g * score[3]]
        });
        let [of_row, of_draw, seen] = advantages(&task, path, 1.0, value);
        let by_advantages = task.weighted(THETA, path, |t| [of_row[t], of_draw[t]]);
        let seen = task.weighted(THETA, path, |t| [of_row[t], seen[t]]);
        let [of_row, of_draw, _] = advantages(&task, path, 0.5, value);
        let between = task.weighted(THETA, path, |t| [0.0, of_row[t] - of_draw[t]]);
        let variants = [rs, cut, uncut, partial, seen, by_advantages, between];
        std::array::from_fn(|i| variants[i / 4][i % 4])
    };
    let estimate = task.estimate(THETA, HORIZON, effort.trajectories, effort.streams(), draw);
    let mut checks = unbiased("rs:2 at Upsilon = 0.36", truth, &estimate, 0);
    checks.extend(unbiased("draws by their own advantage", truth, &estimate, 20));
    checks.extend(unbiased("joint less own, lambda = 0.5", [0.0; 4], &estimate, 24).split_off(2));
    let labels = [
        "draws left out of the score",
        "actions not cut at draws",
        "draws with h as data",
        "a draw's baseline sees the draw",
    ];
    for (k, label) in labels.into_iter().enumerate() {
        let rows = 4 * (k + 1)..4 * (k + 2);
        let (mean, spread) = (&estimate.mean[rows.clone()], &estimate.standard_error[rows]);
        checks.push(mutant(label, truth, mean, spread));
    }
    checks
}

/// Returns for each step γ^t times its advantage (generalised advantage estimation), the advantage of its draw alone,
/// and what that would be with a baseline that sees the draw. `value` reads an observation and a memory; it is zero
/// after the last step.
fn advantages(
    task: &LinearGaussian,
    path: &[Moment],
    lambda: f64,
    value: impl Fn(f64, f64) -> f64,
) -> [[f64; HORIZON]; 3] {
    let [_, _, wz, uz] = THETA;
    let mut all = [[0.0; HORIZON]; 3];
    let mut next_advantage = 0.0;
    for (t, x) in path.iter().enumerate().rev() {
        let discount = task.gamma.powi(t as i32);
        let next = path.get(t + 1).map_or([0.0; 2], |next| {
            let eta = wz * x.o + uz * x.z;
            [value(next.o, x.z_next), value(next.o, eta)]
        });
        let follows = lambda * next_advantage + next[0];
        let advantage = x.r + task.gamma * follows - value(x.o, x.z);
        let of_draw = [next[1], next[0]].map(|baseline| task.gamma * (follows - baseline));
        [all[0][t], all[1][t], all[2][t]] = [advantage, of_draw[0], of_draw[1]].map(|x| discount * x);
        next_advantage = advantage;
    }
    all
}

fn segments_truncation(effort: &Effort) -> Vec<Check> {
    let of = |length| LinearGaussian { segments: Segments::of(length), ..deterministic(LinearGaussian::default()) };
    let truth = of(HORIZON).objective(THETA, HORIZON).1;
    let draw = |path: &[Moment]| -> [f64; 20] {
        let through = of(HORIZON).bptt(THETA, path, HORIZON);
        let [beyond, whole] = [HORIZON + 1, HORIZON].map(|length| {
            let x = of(length).tbptt(THETA, path);
            std::array::from_fn(|i| (x[i] - through[i]).abs() / (1.0 + through[i].abs()))
        });
        let all: [Theta; 5] =
            [whole, beyond, of(1).tbptt(THETA, path), of(2).tbptt(THETA, path), of(3).tbptt(THETA, path)];
        std::array::from_fn(|i| all[i / 4][i % 4])
    };
    let estimate = of(1).estimate(THETA, HORIZON, effort.trajectories, effort.streams(), draw);
    let mut checks = Vec::new();
    for (k, length) in [HORIZON, HORIZON + 1].into_iter().enumerate() {
        let difference = estimate.mean[4 * k..4 * k + 4].iter().sum();
        let what = format!("tbptt:{length} is BPTT's estimate, trajectory by trajectory");
        checks.push(Check::near(what, 0.0, difference, 1e-12));
    }
    for i in [2, 3] {
        let sizes = estimate.mean[8 + i].abs() + estimate.variance[8 + i];
        checks.push(Check::near(format!("tbptt:1: {} is exactly 0", NAMES[i]), 0.0, sizes, 0.0));
    }
    for (k, length) in [(3, 2), (4, 3)] {
        let rows = 4 * k..4 * k + 4;
        let (mean, spread) = (&estimate.mean[rows.clone()], &estimate.standard_error[rows]);
        checks.push(mutant(&format!("tbptt:{length}"), truth, mean, spread));
    }
    checks
}

fn segments_variance(effort: &Effort) -> Vec<Check> {
    let mut checks = Vec::new();
    for z in [0.5, 1.0, 1.5] {
        let task = Saturated { z };
        let c = task.constants();
        let horizon = 20;
        let bound = |length: usize| c.segments(Segments::of(length), horizon, 1);
        for length in [1, 2, 5, 10, horizon] {
            let x = task.variance(horizon, Segments::of(length), effort.costly(), effort.streams());
            let what = format!("rs:{length} below its bound, T = {horizon}, Z = {z}");
            checks.push(Check::new(what, bound(length), x.trace, Rule::AtMost));
        }
        for (length, theorem, known) in [(1, "3.5", c.s2pg(horizon, 1)), (horizon, "3.4", c.bptt(horizon, 1))] {
            let what = format!("bound of rs:{length} is that of Theorem {theorem}, Z = {z}");
            checks.push(Check::near(what, known, bound(length), 1e-12 * known));
        }
        let memory = |horizon| c.delta_segments(Segments::of(5), horizon);
        let what = format!("bound of rs:5, part of the memory, T = 2000 / 20, Z = {z}");
        checks.push(Check::near(what, 100.0, memory(2000) / memory(20), 1e-9));
    }
    checks
}

fn scores(effort: &Effort) -> Vec<Check> {
    let task = LinearGaussian::default();
    let draw = |path: &[Moment]| {
        path.iter().fold([0.0; 4], |sum, x| {
            let score = task.score(THETA, x);
            std::array::from_fn(|i| sum[i] + score[i])
        })
    };
    let estimate = task.estimate(THETA, HORIZON, effort.trajectories / 4, effort.streams(), draw);
    let mut checks = unbiased("score", [0.0; 4], &estimate, 0);
    for check in &mut checks {
        check.quantity = check.quantity.replace("dJ/d", "of ");
    }
    for (name, kind) in Kind::ALL {
        checks.extend(scores_of(name, kind));
    }
    checks
}

/// Compares the scores of one kind of policy, on a trajectory of random numbers.
fn scores_of(name: &str, kind: Kind) -> Vec<Check> {
    let mut rng = Rng::new(0, "scores");
    let (n_o, n_a, steps) = (3, 2, 6);
    let shape = SubjectShape {
        kind,
        sizes: (n_o, n_a),
        hidden: 3,
        features: 4,
        z: 0.9,
        weights: (0.3, 0.4),
        std: 0.3,
        state_std: 0.2,
    };
    let subject = Subject::new(&shape, &[0.1; 3], &mut rng);
    let n_z = subject.state_size();
    let mut normal = |n: usize| (0..n * steps).map(|_| 0.5 * rng.normal()).collect::<Vec<f64>>();
    let path = {
        let (o, a_prev, a, noise) = (normal(n_o), normal(n_a), normal(n_a), normal(n_z));
        let (mut z, z_next) = (vec![0.0; n_z], noise);
        z.extend(&z_next[..(steps - 1) * n_z]);
        Trajectory { steps, o, a_prev, z, a, z_next, r: vec![1.0; steps], g: 1.0 }
    };
    let all: Vec<usize> = (0..subject.params().data().len()).collect();
    let worst = |x: &[f64], y: &[f64]| {
        assert_eq!(x.len(), y.len(), "two gradients of one policy");
        x.iter().zip(y).fold(0.0, |worst: f64, (x, y)| worst.max((x - y).abs() / (1.0 + y.abs())))
    };
    let of = |path: &Trajectory, which, places: &[usize]| {
        Gradients::new(&subject, places, std::slice::from_ref(path), which, 1).rows().next().unwrap().to_vec()
    };
    let differences = |density: &dyn Fn(&Subject) -> f64| -> Vec<f64> {
        let h = 1e-5;
        let moved = |i: usize, h: f64| {
            let mut moved = subject.clone();
            moved.params_mut().data_mut()[i] += h;
            density(&moved)
        };
        all.iter().map(|&i| (moved(i, h) - moved(i, -h)) / (2.0 * h)).collect()
    };
    let score = of(&path, Estimator::S2pg, &all);
    let by_differences = differences(&|p| joint(p, &path).item());
    let mut step_by_step = vec![0.0; all.len()];
    for t in (0..steps).rev() {
        let row = |x: &[f64]| x[t * (x.len() / steps)..(t + 1) * (x.len() / steps)].to_vec();
        let [o, a_prev, z, a, z_next] = [&path.o, &path.a_prev, &path.z, &path.a, &path.z_next].map(|x| row(x));
        let one = Trajectory { steps: 1, o, a_prev, z, a, z_next, r: vec![1.0], g: 1.0 };
        step_by_step.iter_mut().zip(of(&one, Estimator::S2pg, &all)).for_each(|(sum, x)| *sum += x);
    }
    let through_time = of(&path, Estimator::FULL, subject.trained());
    let segments = Segments::of(4).with_first(1);
    let in_segments = of(&path, Estimator::Rs(segments), subject.trained());
    let check = |what: &str, x: f64, tolerance| Check::near(format!("{name}: {what}"), 0.0, x, tolerance);
    vec![
        check("score, from central differences", worst(&score, &by_differences), 1e-7),
        check("score, from its steps in another order", worst(&step_by_step, &score), 1e-12),
        check("through time, from eq. 22", worst(&through_time, &equation_22(&subject, &path, Segments::WHOLE)), 1e-7),
        check("in segments, from eq. 22", worst(&in_segments, &equation_22(&subject, &path, segments)), 1e-7),
    ]
}

/// Returns the sum of the scores of ν(a_t | h_t), and of z' where it is drawn, by the recursion of eq. 22 inside each
/// segment, from the partial derivatives of each step.
fn equation_22(subject: &Subject, path: &Trajectory, segments: Segments) -> Vec<f64> {
    let (p, n_z) = (subject.trained().len(), subject.state_size());
    let mut sum = vec![0.0; p];
    // d holds dz_t / dθ, [z, p].
    let mut d = vec![0.0; n_z * p];
    for t in 0..path.steps {
        let row = |x: &[f64]| x[t * (x.len() / path.steps)..(t + 1) * (x.len() / path.steps)].to_vec();
        let [o, a_prev, z, a, z_next] = [&path.o, &path.a_prev, &path.z, &path.a, &path.z_next].map(|x| row(x));
        let (f, eta) = parameter_slopes(subject, subject.trained(), path, t);
        let by_z = Jacobians::at(subject, &o, &a_prev, &z);
        let total = |direct: &[f64], by_z: &[f64]| -> Vec<f64> {
            let mut total = direct.to_vec();
            for (row, by_z) in total.chunks_exact_mut(p).zip(by_z.chunks_exact(n_z)) {
                for (d, slope) in d.chunks_exact(p).zip(by_z) {
                    row.iter_mut().zip(d).for_each(|(x, d)| *x += slope * d);
                }
            }
            total
        };
        let [of_a, of_z] = mean_and_std(subject, &o, &a_prev, &z);
        let mut add = |slopes: &[f64], means: Vec<(f64, f64)>, drawn: &[f64]| {
            for ((mu, (mean, std)), x) in slopes.chunks_exact(p).zip(means).zip(drawn) {
                sum.iter_mut().zip(mu).for_each(|(sum, mu)| *sum += mu * (x - mean) / (std * std));
            }
        };
        add(&total(&f, &by_z.f), of_a, &a);
        d = total(&eta, &by_z.eta);
        if segments.draws(t, path.steps) {
            add(&d, of_z, &z_next);
        }
        if segments.ends(t) {
            d.fill(0.0);
        }
    }
    sum
}
