//! Step sizes and the weight of the entropy follow their schedules, exactly, also over a resume; and the passes of an
//! update end where the divergence is too large.

mod runs;

use runs::{experiment, registry, training};
use s2pg::algo::{Line, Progress, Scheduled};
use s2pg::experiment::{AlgorithmName, Estimator, Experiment};
use s2pg::run::Run;
use s2pg::run::checkpoint::differences;

/// Gives all step sizes, and the weight of the entropy, the schedule `x`.
fn set(experiment: &mut Experiment, x: Scheduled) {
    let Experiment { ppo, trpo, reinforce, sac, td3, slac, gail, lsiq, distil, .. } = experiment;
    (ppo.lr, ppo.value_lr, ppo.entropy) = (x, x, x);
    trpo.value_lr = x;
    reinforce.lr = x;
    (sac.lr, sac.critic_lr, sac.alpha_lr, sac.state_alpha_lr) = (x, x, x, x);
    (td3.lr, td3.critic_lr) = (x, x);
    (slac.lr, slac.critic_lr, slac.alpha_lr, slac.model_lr) = (x, x, x, x);
    (gail.lr, gail.value_lr, gail.entropy, gail.discriminator_lr) = (x, x, x, x);
    (lsiq.lr, lsiq.critic_lr, lsiq.alpha_lr, lsiq.state_alpha_lr) = (x, x, x, x);
    (distil.lr, distil.value_lr, distil.imitation_lr, distil.likeness, distil.task) = (x, x, x, x, x);
}

fn line(start: f64, end: f64, warmup: usize) -> Scheduled {
    Scheduled::Linear(Line { start: Some(start), end, warmup })
}

fn pair(algorithm: AlgorithmName) -> (AlgorithmName, Estimator, &'static str) {
    (algorithm, runs::usual(algorithm), "gru")
}

/// The figure `name` in each row of a training of `steps` steps, with the environment steps at the row.
fn figures(experiment: &Experiment, steps: usize, name: &str) -> Vec<(usize, f64)> {
    let mut training = training(experiment, 1);
    let mut rows = Vec::new();
    while training.steps() < steps {
        if let Some(metrics) = training.step().unwrap() {
            rows.push((training.steps(), metrics.iter().find(|m| m.0 == name).unwrap().1));
        }
    }
    rows
}

/// The step size that is logged is the one in use: that of the schedule at the steps so far, for every algorithm; off
/// policy its mean over the updates of a row.
#[test]
fn a_step_size_follows_its_schedule() {
    for algorithm in AlgorithmName::all() {
        let steps = if algorithm.is_off_policy() { 2000 } else { 240 };
        let mut experiment = experiment(pair(algorithm), "TMaze-v0", 2, steps, "");
        let schedule = line(0.01, 0.002, 100);
        set(&mut experiment, schedule);
        let rows = figures(&experiment, steps, "train/learning_rate");
        assert!(rows.len() >= if algorithm.is_off_policy() { 2 } else { 5 }, "{algorithm}: {rows:?}");
        for (at, lr) in rows {
            let now = |at| schedule.at(Progress { steps: at, of: steps });
            let expected = if algorithm.is_off_policy() {
                // There are two updates with each step of both environments, once more than 20 steps are stored.
                let steps: Vec<usize> = (at - 998..=at).step_by(2).filter(|&steps| steps > 20).collect();
                steps.iter().map(|&steps| now(steps)).sum::<f64>() / steps.len() as f64
            } else {
                now(at)
            };
            assert!((lr - expected).abs() < 1e-9, "{algorithm} at {at}: {lr} is not {expected}");
        }
    }
}

/// A schedule whose start is its end, without a warm-up, trains to the bit as the number does.
#[test]
fn a_level_schedule_is_a_number() {
    for algorithm in AlgorithmName::all() {
        let trained = |x: Scheduled| {
            let mut experiment = experiment(pair(algorithm), "TMaze-v0", 2, 200, "");
            set(&mut experiment, x);
            let mut training = training(&experiment, 1);
            (0..100).for_each(|_| drop(training.step().unwrap()));
            training
        };
        let (mut number, mut level) = (trained(0.01.into()), trained(line(0.01, 0.01, 0)));
        assert_eq!(differences(&mut *number, &mut *level), [""; 0], "{algorithm}");
    }
}

/// Stopped and resumed, a run with schedules is the same run, to the bit. Where its steps have grown, the schedule goes
/// on along the line to the new last step.
#[test]
fn a_schedule_is_resumed() {
    for algorithm in AlgorithmName::all() {
        let mut experiment = experiment(pair(algorithm), "TMaze-v0", 2, 200, "");
        set(&mut experiment, line(0.01, 0.0, 60));
        let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let open = |i: usize, e: &Experiment| Run::open(dirs[i].path(), e, registry(), 1, 0.0).unwrap().0;
        let mut whole = open(0, &experiment);
        (0..75).for_each(|_| drop(whole.advance(0.0, 0.0).unwrap()));
        let mut half = open(1, &experiment);
        (0..37).for_each(|_| drop(half.advance(0.0, 0.0).unwrap()));
        half.save().unwrap();
        drop(half);
        let mut half = open(1, &experiment);
        (0..38).for_each(|_| drop(half.advance(0.0, 0.0).unwrap()));
        assert_eq!(differences(whole.training(), half.training()), [""; 0], "{algorithm}");
        while !half.advance(0.0, 0.0).unwrap().finished {}
        drop(half);

        experiment.steps = 2000;
        let mut grown = open(1, &experiment);
        assert_eq!(grown.steps(), 200);
        let row = (0..900).find_map(|_| {
            let row = grown.training().step().unwrap();
            row.map(|row| row.iter().find(|m| m.0 == "train/learning_rate").unwrap().1)
        });
        let at = grown.steps();
        let expected = 0.01 * (2000 - at) as f64 / 1940.0;
        // Off policy the row holds the mean over its updates, of which the first were on the old line.
        let is_on_line = if algorithm.is_off_policy() {
            row > Some(0.005)
        } else {
            row.is_some_and(|lr| (lr - expected).abs() < 1e-12)
        };
        assert!(is_on_line, "{algorithm} at {at}: {row:?}, not {expected}");
    }
}

/// `"linear"` begins at the number that the key has without it: the number of the file where an override says linear,
/// else the default.
#[test]
fn a_linear_schedule_begins_where_the_number_was() {
    let parse = |table: &str, overrides: &[&str]| {
        let text =
            format!("algorithm = \"ppo\"\nestimator = \"rs\"\nsteps = 9000\n[env]\nname = \"TMaze-v0\"\n{table}");
        let overrides: Vec<String> = overrides.iter().map(|o| o.to_string()).collect();
        let experiment = Experiment::parse("x.toml", &text, &overrides).unwrap();
        // What is written out is read back.
        assert_eq!(Experiment::parse("again.toml", &experiment.to_toml(), &[]).unwrap(), experiment);
        experiment.ppo.lr
    };
    assert_eq!(parse("", &["ppo.lr=linear"]), line(5e-5, 0.0, 0));
    assert_eq!(parse("[ppo]\nlr = \"linear\"\n", &[]), line(5e-5, 0.0, 0));
    assert_eq!(parse("[ppo]\nlr = 1e-3\n", &["ppo.lr=linear"]), line(1e-3, 0.0, 0));
    assert_eq!(parse("[ppo]\nlr = 1e-3\n", &["ppo.lr={ end = 1e-5, warmup = 100 }"]), line(1e-3, 1e-5, 100));
    assert_eq!(parse("[ppo]\nlr = 1e-3\n", &["ppo.lr={ start = 0.1 }"]), line(0.1, 0.0, 0));
    assert_eq!(parse("[ppo]\nlr = 1e-3\n", &["ppo.lr=linear", "ppo.lr.warmup=9"]), line(1e-3, 0.0, 9));
    assert_eq!(parse("[ppo]\nlr = { end = 1e-6 }\n", &[]), line(5e-5, 1e-6, 0));
}

/// The passes over a rollout end with the first minibatch whose divergence is above 1.5 times the target, on which no
/// step is taken; a target that is never reached changes nothing, to the bit.
#[test]
fn passes_end_where_the_divergence_is_too_large() {
    let with = |target_kl: Option<f64>| {
        let mut experiment = experiment(pair("ppo".parse().unwrap()), "TMaze-v0", 2, 240, "");
        (experiment.ppo.epochs, experiment.ppo.lr, experiment.ppo.target_kl) = (20, 0.01.into(), target_kl);
        experiment
    };
    let passes = |target: Option<f64>| figures(&with(target), 240, "train/n_updates").last().unwrap().1;
    assert_eq!(passes(None), 200.0);
    let few = passes(Some(0.01));
    assert!((10.0..150.0).contains(&few), "{few} passes");
    assert!(figures(&with(Some(0.01)), 240, "train/approx_kl").iter().all(|(_, kl)| *kl <= 0.015));
    assert!(figures(&with(None), 240, "train/approx_kl").iter().any(|(_, kl)| *kl > 0.015));
    let [mut without, mut never] = [None, Some(1e30)].map(|target| {
        let mut training = training(&with(target), 1);
        (0..100).for_each(|_| drop(training.step().unwrap()));
        training
    });
    assert_eq!(differences(&mut *without, &mut *never), [""; 0]);
}
