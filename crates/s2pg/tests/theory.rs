//! The paper's statements hold: each as numbers, with its standard error.

use s2pg::theory::checks::{Effort, SECTIONS};

/// Chosen before the first run.
const SEED: u64 = 2024;

/// Every check of the section holds over this many trajectories.
fn holds(name: &str, trajectories: usize) {
    let section = SECTIONS.iter().find(|s| s.name == name).unwrap_or_else(|| panic!("no section {name}"));
    let checks = (section.check)(&Effort { trajectories, seed: SEED, threads: 2 });
    for check in &checks {
        let z = check.z_score().map_or(String::new(), |z| format!(", z {z:.2}"));
        println!("{}: expected {}, measured {}{z}", check.quantity, check.expected, check.measured);
    }
    let failed: Vec<_> = checks.iter().filter(|check| !check.holds()).collect();
    assert!(failed.is_empty(), "{name}: {failed:#?}");
}

/// Lemma 2.1 and Corollary 2.4: the S2PG estimate is unbiased behind noise; each mutant is beyond 6 standard errors.
#[test]
fn s2pg_is_unbiased_and_mutants_are_seen() {
    holds("Lemma 2.1, Corollary 2.4", 4_000_000);
}

/// Equation 1: BPTT through the whole trajectory is unbiased for the deterministic kernel; over one step it is exactly 0
/// for the memory's weights.
#[test]
fn bptt_is_unbiased() {
    holds("Equation 1", 4_000_000);
}

/// As the memory's noise falls, the gradient goes to the deterministic kernel's and the variance grows as 1 / Upsilon.
#[test]
fn small_noise_is_the_limit() {
    holds("Small state noise", 4_000_000);
}

/// Theorem 2.2: known values, central differences, and both sampled forms over rho.
#[test]
fn the_stateful_gradient_theorem() {
    holds("Theorem 2.2", 4_000_000);
}

/// Theorem 2.3: known values, the sampled form, and the limit of Theorem 2.2.
#[test]
fn the_deterministic_gradient_theorem() {
    holds("Theorem 2.3", 4_000_000);
}

/// Equation 5: a critic of the state, a policy behind noise, and the exact gradient of the augmented system.
#[test]
fn the_privileged_form() {
    holds("Equation 5", 4_000_000);
}

/// Lemma A.1: the advantage along trajectories is the difference of two objectives.
#[test]
fn the_performance_difference() {
    holds("Lemma A.1", 4_000_000);
}

/// Lemma A.2: the closed forms have their known values, and are the sums.
#[test]
fn sums_of_powers() {
    holds("Lemma A.2", 2);
}

/// Theorems 3.4 and 3.5 and Lemma A.3: on a bounded task every variance is below its bound, and as it is known.
#[test]
fn variances_stay_below_their_bounds() {
    holds("Theorems 3.4, 3.5, Lemma A.3", 4_000_000);
}

/// Scores have mean zero; of every kind of policy they are derivatives of the log-density, and eq. 22 through time.
#[test]
fn scores_of_every_policy() {
    holds("Scores", 4_000_000);
}

/// No section is left out of these tests.
#[test]
fn every_section_has_its_test() {
    let tests = include_str!("theory.rs");
    let missing = SECTIONS.iter().filter(|s| !tests.contains(&format!("holds(\"{}\"", s.name))).map(|s| s.name);
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&str>::new());
}
