//! Every algorithm trains every kind of policy that an experiment can name.

mod runs;

use runs::{experiment, is_episodic, training};
use s2pg::experiment::{AlgorithmName, Estimator, Span};
use s2pg::policy::PolicyKind;
use s2pg::state::digest;

/// With either network of a policy with a state, under each estimator that has one, every algorithm moves the policy
/// and leaves it finite; the two networks have other parameters, and so have their two policies.
#[test]
fn every_algorithm_trains_every_kind_of_policy() {
    for algorithm in AlgorithmName::all() {
        let stateful = [Estimator::Rs(1), Estimator::Bptt(Span::Steps(5)), Estimator::Bptt(Span::Full)];
        for estimator in stateful.into_iter().filter(|&estimator| algorithm.takes(estimator)) {
            let names = [PolicyKind::Shortcut, PolicyKind::Simple].map(|kind| {
                let mut experiment = experiment((algorithm, estimator, "gru"), "TMaze-v0", 2, 10_000, "");
                experiment.network.policy = kind;
                let mut training = training(&experiment, 1);
                let before = training.model().parameters.data().to_vec();
                // The T-maze ends after at most 24 steps; off-policy learning begins with 30 stored steps.
                let steps = if is_episodic(algorithm) { 80 } else { 40 };
                for _ in 0..steps {
                    training.step().unwrap_or_else(|e| panic!("{algorithm} {estimator} {kind:?}: {e}"));
                }
                let parameters = training.model().parameters;
                assert!(parameters.data().iter().all(|x| x.is_finite()), "{algorithm} {estimator} {kind:?}");
                assert!(parameters.data() != before, "{algorithm} {estimator} {kind:?}: the policy did not move");
                let slots = parameters.slots().iter().map(|slot| slot.name.clone()).collect::<Vec<_>>();
                (slots, digest(&mut *training))
            });
            let [(shortcut, a), (simple, b)] = names;
            assert!(shortcut.contains(&"shortcut.weight".to_string()), "{shortcut:?}");
            assert!(simple.contains(&"embed.weight".to_string()), "{simple:?}");
            assert_ne!(a, b, "{algorithm} {estimator}");
        }
    }
}

/// A core that runs by itself is trained by every algorithm, with each way to make actions of it: the parameters of the
/// core move, and all stay finite; with oscillators as many as the action has entries and more, with another core, and
/// with segments and through time.
#[test]
fn every_algorithm_trains_a_core_that_runs_by_itself() {
    use PolicyKind::{Additive, Blind, BlindAdditive, BlindPost, Mixed, MixedRaw, Post};
    let rs = Estimator::Rs(1);
    let mut cases: Vec<_> =
        [Blind, BlindPost, BlindAdditive, Post, Additive, Mixed, MixedRaw].map(|k| (k, 1, "cpg", rs)).into();
    cases.extend([(Blind, 3, "cpg", rs), (Additive, 3, "cpg", Estimator::Rs(4)), (BlindPost, 3, "gru", rs)]);
    cases.extend([(Post, 3, "cpg", Estimator::Bptt(Span::Steps(5))), (Blind, 3, "hopf", Estimator::Bptt(Span::Full))]);
    for algorithm in AlgorithmName::all() {
        for &(kind, units, cell, estimator) in cases.iter().filter(|case| algorithm.takes(case.3)) {
            let mut experiment = experiment((algorithm, estimator, cell), "TMaze-v0", 2, 10_000, "");
            experiment.network.policy = kind;
            experiment.network.hidden = units;
            // In a narrower critic all units of a layer may be zero, and the policy then has no gradient.
            experiment.network.critic_features = 32;
            let what = format!("{algorithm} {estimator} {kind:?} {units} {cell}");
            let mut training = training(&experiment, 1);
            let of_core = |training: &mut dyn s2pg::train::AnyTrainer| {
                let parameters = training.model().parameters;
                assert!(parameters.data().iter().all(|x| x.is_finite()), "{what}");
                let of_core = parameters.slots().iter().filter(|slot| slot.name.starts_with("cell."));
                of_core.flat_map(|slot| parameters.data()[slot.range()].to_vec()).collect::<Vec<f32>>()
            };
            let before = of_core(&mut *training);
            let steps = if is_episodic(algorithm) { 80 } else { 40 };
            (0..steps).for_each(|_| drop(training.step().unwrap_or_else(|e| panic!("{what}: {e}"))));
            assert_ne!(of_core(&mut *training), before, "{what}: the core did not move");
        }
    }
}

/// A policy that mixes by amplitudes is refused, in a sentence, with a core that has none, and with another number of
/// oscillators than the action has entries.
#[test]
fn what_cannot_be_mixed_is_refused() {
    let algorithm: AlgorithmName = "ppo".parse().unwrap();
    for (cell, units, words) in [
        ("gru", 1, "`network.policy` mixes by the amplitudes of oscillators, which `network.cell` = \"gru\""),
        ("cpg", 2, "`network.hidden` is 2; a policy that mixes by amplitudes has one oscillator for each of the 1"),
    ] {
        let mut experiment = experiment((algorithm, Estimator::Rs(1), cell), "TMaze-v0", 1, 1000, "");
        (experiment.network.policy, experiment.network.hidden) = (PolicyKind::Mixed, units);
        let error = s2pg::experiment::build(&experiment, runs::registry(), 1).map(|_| ()).unwrap_err().to_string();
        assert!(error.starts_with(words) && !error.contains('\n'), "{error}");
    }
}
