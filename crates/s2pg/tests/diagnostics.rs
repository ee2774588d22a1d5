//! The optional figures of gradients and states: what they are, and that they change nothing.

mod runs;

use runs::{experiment, pairs, training};
use s2pg::Rng;
use s2pg::algo::figures::{Gradients, state_metrics};
use s2pg::nn::{CellKind, Params, Tensor};
use s2pg::policy::{Actor, ActorShape, Context, CoreShape, Head, Memory, PolicyKind, StatefulPolicy};
use s2pg::run::checkpoint::differences;

const GRADIENT: [&str; 2] = ["grad/norm", "grad/snr"];
const STATE: [&str; 3] = ["state/mean", "state/variance", "state/saturation"];

/// With the figures or without, a run has the same rows and the same state to the bit, but for the sums of the figures
/// themselves; there are those of gradients for every algorithm, and those of the state where there is one. The figures
/// of a row that are there in both cases are the same.
#[test]
fn figures_change_nothing() {
    for pair in pairs() {
        let off_policy = pair.0.is_off_policy();
        let run = |diagnostics: bool| {
            let mut experiment = experiment(pair, "TMaze-v0", 2, 2000, &format!("diagnostics = {diagnostics}"));
            (experiment.sac.update_ratio, experiment.td3.update_ratio) = (0.1, 0.1);
            (experiment.lsiq.update_ratio, experiment.slac.update_ratio) = (0.1, 0.1);
            let mut training = training(&experiment, 1);
            // Off-policy there is a row of means after every thousand steps.
            let steps = if off_policy { 510 } else { 60 };
            let metrics: Vec<_> = (0..steps).filter_map(|_| training.step().unwrap()).collect();
            (training, metrics)
        };
        let ((mut without, plain), (mut with, more)) = (run(false), run(true));
        let differ = differences(&mut *without, &mut *with);
        let items: Vec<&str> = differ.iter().map(|item| item.split(':').next().unwrap()).collect();
        assert_eq!(
            items,
            if off_policy { &["figures/sums", "figures/counts"][..] } else { &[] },
            "{pair:?}: {differ:?}"
        );
        // 120 steps hold five batches of 24, or five times two episodes of 11 steps.
        assert_eq!((plain.len(), more.len()), if off_policy { (1, 1) } else { (5, 5) }, "{pair:?}");
        let has_state = pair.1.memory(1).is_recurrent();
        let of_state = if has_state { &STATE[..] } else { &[] };
        for (plain, more) in plain.iter().zip(&more) {
            let added: Vec<_> = more.iter().filter(|m| plain.iter().all(|p| p.0 != m.0)).collect();
            // Off-policy every figure has its column; one that an update did not bring is empty. A batch of one piece
            // has no signal-to-noise ratio.
            let brought: Vec<&str> = added.iter().filter(|m| m.1.is_finite()).map(|m| m.0).collect();
            let of_gradient = if off_policy { &GRADIENT[..1] } else { &GRADIENT[..] };
            assert_eq!(brought, [of_gradient, of_state].concat(), "{pair:?}");
            for (name, x) in plain {
                let other = more.iter().find(|m| m.0 == *name).expect("the same figure").1;
                assert!(x.to_bits() == other.to_bits(), "{pair:?}: {name} is {x} without and {other} with");
            }
        }
    }
}

/// The norm of the mean of some gradients, and the squared norm over the trace of the mean's covariance, equal their
/// definitions.
#[test]
fn the_signal_to_noise_ratio_is_its_definition() {
    let mut rng = Rng::new(0, "snr");
    for n in [2, 5, 40] {
        let gradients: Vec<Vec<f64>> =
            (0..n).map(|_| (0..7).map(|i| i as f64 * 0.1 + rng.normal()).collect()).collect();
        let mut found = Gradients::default();
        gradients.iter().for_each(|g| found.add(g));
        let mean: Vec<f64> = (0..7).map(|i| gradients.iter().map(|g| g[i]).sum::<f64>() / n as f64).collect();
        let norm = mean.iter().map(|x| x * x).sum::<f64>().sqrt();
        let spread = |g: &Vec<f64>| g.iter().zip(&mean).map(|(x, mean)| (x - mean).powi(2)).sum::<f64>();
        let trace = gradients.iter().map(spread).sum::<f64>() / (n - 1) as f64;
        let [(_, found_norm), (_, snr)] = found.metrics()[..] else { panic!("two figures") };
        assert!((found_norm - norm).abs() < 1e-12 && (snr - norm * norm / (trace / n as f64)).abs() < 1e-9);
    }
    // Gradients that are one and the same have no noise to compare with, and so has a single one.
    for n in [1, 3] {
        let mut same = Gradients::default();
        (0..n).for_each(|_| same.add(&[2.0f64, 0.0]));
        assert_eq!(same.metrics(), [("grad/norm", 2.0), ("grad/snr", 0.0)]);
    }
}

/// Mean, variance and saturation of the next state equal their definitions over all samples of all contexts; a policy
/// without a state has none of them.
#[test]
fn figures_of_the_state_are_their_definitions() {
    let mut rng = Rng::new(1, "state");
    let head = Head::Gaussian { std: 0.5, state_std: 0.5 };
    let shape = ActorShape {
        o: 2,
        a: 1,
        a_prev: 1,
        features: 4,
        core: CoreShape::cell(CellKind::Elman, 3),
        kind: PolicyKind::Shortcut,
        head,
    };
    let mut random = |rows: usize, cols: usize| -> Tensor {
        Tensor::with(rows, cols, |x| x.iter_mut().for_each(|x| *x = 2.0 * rng.normal() as f32))
    };
    let contexts = [4, 9].map(|rows| Context {
        a_prev: Some(random(rows, 1)),
        z: Some(random(rows, 3)),
        ..Context::of(random(rows, 2))
    });
    let mut policy: Actor = Actor::new(Memory::Stochastic { z: 3 }, &shape, &mut Rng::new(2, "state"));
    policy.params_mut().data_mut().iter_mut().for_each(|x| *x *= 4.0);
    let rows: Vec<Vec<f64>> = contexts
        .iter()
        .flat_map(|x| policy.dist(x).z.unwrap().mean.data().chunks(3).map(<[f32]>::to_vec).collect::<Vec<_>>())
        .map(|row| row.into_iter().map(f64::from).collect())
        .collect();
    let mean = |j: usize| rows.iter().map(|row| row[j]).sum::<f64>() / 13.0;
    let variance = |j: usize| rows.iter().map(|row| (row[j] - mean(j)).powi(2)).sum::<f64>() / 13.0;
    let average = |f: &dyn Fn(usize) -> f64| (0..3).map(f).sum::<f64>() / 3.0;
    let saturated = rows.iter().flatten().filter(|x| x.abs() >= 0.95).count() as f64 / 39.0;
    assert!(saturated > 0.1 && saturated < 0.9, "{saturated}");
    let found = state_metrics(&policy, contexts.iter().cloned()).unwrap();
    assert_eq!(found.iter().map(|figure| figure.0).collect::<Vec<_>>(), STATE);
    for ((name, found), expected) in found.iter().zip([average(&mean), average(&variance), saturated]) {
        // Both are sums in f64 of the same numbers.
        assert!((found - expected).abs() < 1e-12, "{name}: {found} is not {expected}");
    }

    let plain: Actor = Actor::new(Memory::None, &shape, &mut Rng::new(2, "state"));
    assert_eq!(state_metrics(&plain, contexts.iter().cloned()), None);
}
