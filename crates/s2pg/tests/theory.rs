//! The paper's statements hold: each as numbers, with its standard error.

use s2pg::nn::CellKind;
use s2pg::theory::bounds::Constants;
use s2pg::theory::checks::{Effort, Rule, SECTIONS};
use s2pg::theory::estimators::{Estimator, Gradients, Measured, Rollouts, Trajectory, roll_out};
use s2pg::theory::study::Study;
use s2pg::theory::subject::{Kind, Subject, SubjectShape};
use s2pg::theory::world::{BoundedWorld, EnvWorld, LinearWorld, World};
use s2pg::theory::{LinearGaussian, Moment, Segments};
use s2pg::{EnvError, Rng};

/// Chosen before the first run.
const SEED: u64 = 2024;

/// Every check of the section holds over this many trajectories; so many checks there are, and so many mutants among
/// them.
fn holds(name: &str, trajectories: usize, expected: (usize, usize)) {
    let section = SECTIONS.iter().find(|s| s.name == name).unwrap_or_else(|| panic!("no section {name}"));
    let checks = (section.check)(&Effort { trajectories, seed: SEED, threads: 2 });
    for check in &checks {
        let z = check.z_score().map_or(String::new(), |z| format!(", z {z:.2}"));
        println!("{}: expected {}, measured {}{z}", check.quantity, check.expected, check.measured);
    }
    let failed: Vec<_> = checks.iter().filter(|check| !check.holds()).collect();
    assert!(failed.is_empty(), "{name}: {failed:#?}");
    let mutants = checks.iter().filter(|check| matches!(check.rule, Rule::Mutant(_))).count();
    assert_eq!((checks.len(), mutants), expected, "{name}: statements, mutants among them");
}

/// Lemma 2.1 and Corollary 2.4: the S2PG estimate is unbiased behind noise; each mutant is beyond 6 standard errors.
#[test]
fn s2pg_is_unbiased_and_mutants_are_seen() {
    holds("Lemma 2.1, Corollary 2.4", 4_000_000, (17, 3));
}

/// Equation 1: BPTT through the whole trajectory is unbiased for the deterministic kernel; over one step it is exactly
/// 0 for the memory's weights.
#[test]
fn bptt_is_unbiased() {
    holds("Equation 1", 4_000_000, (17, 1));
}

/// As the memory's noise falls, the gradient goes to the deterministic kernel's and the variance grows as 1 / Upsilon.
#[test]
fn small_noise_is_the_limit() {
    holds("Small state noise", 4_000_000, (16, 0));
}

/// Theorem 2.2: known values, central differences, and both sampled forms over rho.
#[test]
fn the_stateful_gradient_theorem() {
    holds("Theorem 2.2", 4_000_000, (23, 0));
}

/// Theorem 2.3: known values, the sampled form, and the limit of Theorem 2.2.
#[test]
fn the_deterministic_gradient_theorem() {
    holds("Theorem 2.3", 4_000_000, (17, 0));
}

/// Equation 5: a critic of the state, a policy behind noise, and the exact gradient of the augmented system.
#[test]
fn the_privileged_form() {
    holds("Equation 5", 4_000_000, (18, 1));
}

/// Lemma A.1: the advantage along trajectories is the difference of two objectives.
#[test]
fn the_performance_difference() {
    holds("Lemma A.1", 4_000_000, (3, 0));
}

/// Lemma A.2: the closed forms have their known values, and are the sums.
#[test]
fn sums_of_powers() {
    holds("Lemma A.2", 2, (28, 0));
}

/// Theorems 3.4 and 3.5 and Lemma A.3: on a bounded task every variance is below its bound, and as it is known.
#[test]
fn variances_stay_below_their_bounds() {
    holds("Theorems 3.4, 3.5, Lemma A.3", 4_000_000, (75, 0));
}

/// Scores have mean zero; of every kind of policy they are derivatives of the log-density, and eq. 22 through time.
#[test]
fn scores_of_every_policy() {
    holds("Scores", 4_000_000, (24, 0));
}

/// The estimate of segments is unbiased for every length and for every first segment, is S2PG's and BPTT's at the ends
/// of the family, and each mutant is beyond 6 standard errors.
#[test]
fn segments_are_unbiased_and_mutants_are_seen() {
    holds("Segments, gradient", 4_000_000, (84, 4));
}

/// BPTT that is cut at the ends of segments is biased, and is BPTT where segments are as long as the trajectory.
#[test]
fn truncation_at_the_ends_of_segments_is_bias() {
    holds("Segments, truncation", 4_000_000, (6, 2));
}

/// The variance of segments is below its bound for Z below, at and above 1, and the bound is linear in the horizon.
#[test]
fn variances_of_segments_stay_below_their_bounds() {
    holds("Segments, variance", 4_000_000, (24, 0));
}

/// No section is left out of these tests.
#[test]
fn every_section_has_its_test() {
    let tests = include_str!("theory.rs");
    let missing = SECTIONS.iter().filter(|s| !tests.contains(&format!("holds(\"{}\"", s.name))).map(|s| s.name);
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&str>::new());
}

type Made = Result<Box<dyn World>, EnvError>;

fn bounded() -> Made {
    Ok(Box::new(BoundedWorld::default()))
}

fn shape(kind: Kind, z: f64) -> SubjectShape {
    SubjectShape { kind, sizes: (1, 1), hidden: 1, features: 6, z, weights: (-0.3, 0.4), std: 0.3, state_std: 0.2 }
}

fn plan(n: usize, horizon: usize) -> Rollouts {
    Rollouts { n, horizon, gamma: 0.95, seed: SEED, threads: 2 }
}

/// On the linear-Gaussian task the estimators for any policy are those of the closed form, trajectory by trajectory:
/// S2PG, BPTT over every number of steps, and segments of every length, with draws and without.
#[test]
fn estimators_agree_with_the_closed_form() {
    let task = LinearGaussian::default();
    let make = || -> Made { Ok(Box::new(LinearWorld::new(task.clone()))) };
    let subject = Subject::new(&shape(Kind::Linear, 0.5), &[0.0], &mut Rng::new(0, "policy"));
    let theta = [-0.3, 0.5, 0.4, 0.5];
    for segments in [1, 2, 3, 4, 5, 6, 8].map(Segments::of).into_iter().chain([Segments::of(4).with_first(1)]) {
        let task = LinearGaussian { segments, ..task.clone() };
        let paths = roll_out(&subject, &make, segments, &plan(20, 6)).unwrap();
        let cut = [Estimator::S2pg, Estimator::FULL, Estimator::Rs(segments), Estimator::Tbptt(segments)];
        for estimator in cut.into_iter().chain((1..=8).map(Estimator::Bptt)) {
            let gradients = Gradients::new(&subject, subject.trained(), &paths, estimator, 1);
            assert_eq!(gradients.rows().map(<[f64]>::len).collect::<Vec<_>>(), [2; 20]);
            for (row, path) in gradients.rows().zip(&paths) {
                let moments = moments(path);
                let known = match estimator {
                    Estimator::S2pg => task.s2pg(theta, &moments),
                    Estimator::Bptt(len) => task.bptt(theta, &moments, len),
                    Estimator::Rs(_) => task.rs(theta, &moments),
                    Estimator::Tbptt(_) => task.tbptt(theta, &moments),
                };
                for (x, y) in row.iter().zip([known[0], known[2]]) {
                    assert!((x - y).abs() < 1e-9 * (1.0 + y.abs()), "{estimator:?}: {x} is not {y}");
                }
            }
        }
    }
}

fn moments(path: &Trajectory) -> Vec<Moment> {
    let moment = |t: usize| Moment { o: path.o[t], z: path.z[t], a: path.a[t], z_next: path.z_next[t], r: path.r[t] };
    (0..path.steps).map(moment).collect()
}

/// Against the exact gradients of their objectives, S2PG, segments and both forms of full BPTT differ by what chance
/// allows, and BPTT over one step, or cut at the ends of segments, by far more.
#[test]
fn bias_is_that_of_truncation() {
    let task = LinearGaussian { v: 0.0, ..Default::default() };
    let make = || -> Made { Ok(Box::new(LinearWorld::new(task.clone()))) };
    let all @ [every_step, fours, whole] = [Segments::EVERY_STEP, Segments::of(4), Segments::WHOLE];
    let study = Study::new(&shape(Kind::Linear, 0.5), &make, Some(&task), plan(40_000, 10), &all).unwrap();
    let measured = |segments, estimator| {
        assert!(study.is_exact(segments));
        let estimates = study.estimate(segments, estimator);
        study.measure(segments, &estimates, &estimates)
    };
    let times_chance = |m: Measured| m.bias / m.chance;
    for (segments, estimator) in [
        (every_step, Estimator::S2pg),
        (every_step, Estimator::FULL),
        (fours, Estimator::Rs(fours)),
        (fours, Estimator::FULL),
        (whole, Estimator::FULL),
    ] {
        let m = measured(segments, estimator);
        assert!(times_chance(m) < 3.0, "{segments:?} {estimator:?}: {m:?}");
    }
    for (estimator, least) in [(Estimator::Bptt(1), 0.3), (Estimator::Tbptt(every_step), 0.3)] {
        let cut = measured(whole, estimator);
        assert!(times_chance(cut) > 6.0 && cut.bias > least, "{estimator:?}: {cut:?}");
    }
}

/// Variance over E[G^2] of full BPTT, S2PG and segments of 5 steps, and the bounds over the same.
fn variances(kind: Kind, hidden: usize, z: f64, horizon: usize) -> [(f64, f64); 3] {
    let shape = SubjectShape { hidden, weights: (0.3, 0.4), std: 0.5, state_std: 0.5, ..shape(kind, z) };
    let plan = Rollouts { gamma: 0.99, ..plan(3000, horizon) };
    let all @ [whole, every_step, fives] = [Segments::WHOLE, Segments::EVERY_STEP, Segments::of(5)];
    let study = Study::new(&shape, &bounded, None, plan, &all).unwrap();
    let of = |segments, estimator, bound: &dyn Fn(&Constants) -> f64| {
        let estimates = study.estimate(segments, estimator);
        let bound = bound(study.constants(segments)) / study.squared_return(segments);
        (study.measure(segments, &estimates, &estimates).normalised, bound)
    };
    [
        of(whole, Estimator::FULL, &|c| c.bptt(horizon, 1)),
        of(every_step, Estimator::S2pg, &|c| c.s2pg(horizon, 1)),
        of(fives, Estimator::Rs(fives), &|c| c.segments(fives, horizon, 1)),
    ]
}

/// On the bounded task, with a linear memory, BPTT's variance is about linear in the horizon at Z = 0.5 and exponential
/// at Z = 1.3, S2PG's and that of segments about linear at both, and all are below their bounds; with a saturating unit
/// BPTT's does not explode, though its bound does.
#[test]
fn variance_against_the_horizon() {
    // From an independent trial of 6,000 trajectories, to about 15 %.
    for (z, horizon, bptt, s2pg) in [
        (0.5, 5, 14.0, 19.0),
        (0.5, 40, 113.0, 117.0),
        (1.3, 5, 39.0, 19.0),
        (1.3, 20, 2e5, 94.0),
        (1.3, 40, 7e9, 213.0),
    ] {
        let measured = variances(Kind::Linear, 1, z, horizon);
        println!("linear, Z {z}, T {horizon}: {measured:?}");
        for ((x, _), known) in measured.into_iter().zip([bptt, s2pg]) {
            assert!((x / known - 1.0).abs() < 0.15, "Z {z}, T {horizon}: {x} is not {known}");
        }
        assert!(measured.iter().all(|(x, bound)| x < bound), "Z {z}, T {horizon}: {measured:?}");
    }
    let [bptt, s2pg, _] = variances(Kind::Tanh, 1, 1.3, 40);
    println!("tanh: {bptt:?} {s2pg:?}");
    assert!((0.5..2.0).contains(&(bptt.0 / s2pg.0)) && bptt.0 < 200.0 && bptt.1 > 1e9, "{bptt:?} {s2pg:?}");
    let [bptt, s2pg, _] = variances(Kind::Cell(CellKind::Gru), 8, 1.3, 40);
    println!("gru: {bptt:?} {s2pg:?}");
    assert!(bptt.0 > 100.0 * s2pg.0 && bptt.0 < bptt.1 && s2pg.0 < s2pg.1, "{bptt:?} {s2pg:?}");
}

/// Any number of threads gives the same bits, and episodes that end are shorter: a maze of 4 steps, of which the last
/// has the only reward.
#[test]
fn rollouts_repeat_and_end() {
    let make = || -> Made {
        let options = "corridor = 3".parse().expect("an option");
        Ok(Box::new(EnvWorld::new(s2pg::env::Registry::new().make("TMaze-v0", &options)?)))
    };
    let shape = SubjectShape { sizes: (3, 1), hidden: 4, ..shape(Kind::Cell(CellKind::Lstm), 1.0) };
    let subject = Subject::new(&shape, &[0.0; 3], &mut Rng::new(0, "policy"));
    let roll = |threads| {
        let plan = Rollouts { threads, ..plan(13, 10) };
        let paths = roll_out(&subject, &make, Segments::EVERY_STEP, &plan).unwrap();
        let gradients = Gradients::new(&subject, subject.trained(), &paths, Estimator::Bptt(2), threads);
        (paths, gradients)
    };
    let first = roll(1);
    assert_eq!(first.0.len(), 13);
    for path in &first.0 {
        assert_eq!((path.steps, path.r[..3].to_vec()), (4, vec![0.0; 3]));
        assert!((path.g.abs() - 0.95f64.powi(3)).abs() < 1e-12);
    }
    for threads in [2, 3, 20] {
        assert!(roll(threads) == first, "{threads} threads");
    }
}
