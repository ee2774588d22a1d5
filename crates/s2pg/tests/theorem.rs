//! The S2PG gradient is the gradient of J, and is not when a part of it is left out.

use s2pg::theory::{LinearGaussian, Moment, Theta};

const THETA: Theta = [-0.3, -0.2, 0.4, 0.5];
const HORIZON: usize = 6;
const N: usize = 4_000_000;
/// Chosen before the first run.
const SEED: u64 = 2024;

fn observed() -> LinearGaussian {
    LinearGaussian { v: 0.0, ..Default::default() }
}

fn deterministic(task: LinearGaussian) -> LinearGaussian {
    LinearGaussian { upsilon: 0.0, ..task }
}

/// How many standard errors each component is away from the truth.
fn z_scores(mean: &[f64], standard_error: &[f64], truth: Theta) -> Theta {
    std::array::from_fn(|i| (mean[i] - truth[i]) / standard_error[i])
}

fn worst(z: Theta) -> f64 {
    z.iter().fold(0.0, |worst, z| worst.max(z.abs()))
}

fn assert_close(x: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(x.len(), expected.len());
    assert!(x.iter().zip(expected).all(|(x, y)| (x - y).abs() < tolerance), "{x:?} is not {expected:?}");
}

/// The second-moment recursion has the known objective and gradient, for the stochastic and the deterministic kernel.
#[test]
fn the_finite_horizon_has_its_known_values() {
    let (j, gradient) = LinearGaussian::default().objective(THETA, HORIZON);
    assert_close(&[j], &[-2.7434953615676703], 1e-12);
    assert_close(&gradient, &[-2.8080804339, -0.7768365112, 0.4120375627, 0.0864505997], 1e-9);
    let (j, gradient) = deterministic(LinearGaussian::default()).objective(THETA, HORIZON);
    assert_close(&[j], &[-2.7387715001472834], 1e-12);
    assert_close(&gradient, &[-2.8044956349, -0.8235280444, 0.4117640222, 0.0929363464], 1e-9);
}

/// Theorem 2.2 (with noise) and Theorem 2.3 (without) have the known values, gradients, P and X.
#[test]
fn the_infinite_horizon_has_its_known_values() {
    let p = [1.9617050511, -0.1816373261, -0.1816373261, 0.0523170413];
    let noisy = observed().stationary(THETA);
    assert_close(&[noisy.j], &[-3.883245134256416], 1e-12);
    assert_close(&noisy.gradient, &[-4.1997686968, -0.9707843674, 0.6841969405, 0.0951090865], 1e-9);
    assert_close(noisy.p.as_flattened(), &p, 1e-9);
    assert_close(noisy.x.as_flattened(), &[3.6445700443, 1.3564194573, 1.3564194573, 2.3992315285], 1e-9);
    let silent = LinearGaussian { sigma: 0.0, ..deterministic(observed()) }.stationary(THETA);
    assert_close(&[silent.j], &[-2.8248552735594403], 1e-12);
    assert_close(&silent.gradient, &[-3.1902258693, -1.0360482691, 0.5180241346, 0.1457635888], 1e-9);
    assert_close(silent.p.as_flattened(), &p, 1e-9);
    assert_close(silent.x.as_flattened(), &[2.7823874652, 1.0867739717, 1.0867739717, 1.0962583659], 1e-9);
}

/// Lemma A.1: the advantage summed over the visited states is the difference of the two objectives.
#[test]
fn the_performance_difference_is_the_difference() {
    let (task, pi) = (observed(), [-0.35, -0.1, 0.3, 0.6]);
    let difference = task.stationary(pi).j - task.stationary(THETA).j;
    assert_close(&[difference], &[0.06382450164782494], 1e-12);
    assert_close(&[task.performance_difference(pi, THETA)], &[difference], 1e-10);
}

/// Over 4,000,000 trajectories every component of the S2PG estimate is within 4 standard errors of the exact gradient,
/// and of each mutant some component is beyond 6: z' left out of the score, the discount off by one step, the score of
/// the memory's kernel doubled.
#[test]
fn s2pg_is_unbiased_and_its_mutants_are_not() {
    let task = LinearGaussian::default();
    let truth = task.objective(THETA, HORIZON).1;
    let names = ["s2pg", "z' left out of the score", "discount off by one step", "kernel's score doubled"];
    let all = |path: &[Moment]| -> [f64; 16] {
        let [wa, ua, wz, uz] = task.s2pg(THETA, path);
        let late = task.gamma;
        let variants = [
            [wa, ua, wz, uz],
            [wa, ua, 0.0, 0.0],
            [wa * late, ua * late, wz * late, uz * late],
            [wa, ua, 2.0 * wz, 2.0 * uz],
        ];
        std::array::from_fn(|i| variants[i / 4][i % 4])
    };
    let estimate = task.estimate(THETA, HORIZON, N, (SEED, 2), all);
    println!("exact {truth:.6?}");
    for (k, name) in names.iter().enumerate() {
        let rows = 4 * k..4 * k + 4;
        // A component that is left out has no spread of its own: it is judged by the spread of the whole estimator.
        let spread: [f64; 4] =
            std::array::from_fn(|i| estimate.standard_error[4 * k + i].max(estimate.standard_error[i]));
        let z = z_scores(&estimate.mean[rows.clone()], &spread, truth);
        println!("{name}: mean {:.6?}, standard error {spread:.6?}, z {z:.2?}", &estimate.mean[rows]);
        assert!(if k == 0 { worst(z) < 4.0 } else { worst(z) > 6.0 }, "{name}: {z:?}");
    }
    let trace: f64 = estimate.variance[..4].iter().sum();
    println!("trace of the covariance of one trajectory: {trace:.1}");
    assert!((trace / 4.25e3 - 1.0).abs() < 0.05, "{trace}");
}

/// With the deterministic kernel, BPTT over the whole episode is within 4 standard errors of that kernel's gradient,
/// and cut to two steps it is beyond 6.
#[test]
fn bptt_is_unbiased_where_it_is_not_truncated() {
    let task = deterministic(LinearGaussian::default());
    let truth = task.objective(THETA, HORIZON).1;
    let both = |path: &[Moment]| -> [f64; 8] {
        let [full, cut] = [HORIZON, 2].map(|len| task.bptt(THETA, path, len));
        std::array::from_fn(|i| if i < 4 { full[i] } else { cut[i - 4] })
    };
    let estimate = task.estimate(THETA, HORIZON, N, (SEED, 2), both);
    let [full, cut] = [0, 4].map(|k| z_scores(&estimate.mean[k..k + 4], &estimate.standard_error[k..k + 4], truth));
    println!("bptt: mean {:.6?}, z {full:.2?}; cut to 2 steps: z {cut:.2?}", &estimate.mean[..4]);
    assert!(worst(full) < 4.0, "{full:?}");
    assert!(worst(cut) > 6.0, "{cut:?}");
    let trace: f64 = estimate.variance[..4].iter().sum();
    println!("trace of the covariance of one trajectory: {trace:.1}");
    assert!((trace / 1.47e3 - 1.0).abs() < 0.05, "{trace}");
}
