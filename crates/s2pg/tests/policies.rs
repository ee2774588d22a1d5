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
        for estimator in [Estimator::Rs(1), Estimator::Bptt(Span::Steps(5)), Estimator::Bptt(Span::Full)] {
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
