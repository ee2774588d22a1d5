//! SLAC: its latent model, what the model and the policy are shown, and the numbers of an update.

mod runs;

use s2pg::Rng;
use s2pg::algo::latent::Latents;
use s2pg::algo::{Noise, Slac, slac};
use s2pg::data::{Buffer, Replay, ReplayShape, Transition};
use s2pg::experiment::{Estimator, Experiment, build};
use s2pg::nn::{CellKind, Params, Tensor, gradient};
use s2pg::policy::{
    Actor, ActorShape, Bound, Context, CoreShape, Critic, Extended, Head, LatentModel, LatentShape, Memory, Normal,
    PolicyKind, Q, QKind, QShape, Sequences, StatefulPolicy, View,
};
use s2pg::train::Recall;

type F = Tensor<f64>;

const SHAPE: LatentShape = LatentShape { o: 2, a: 1, z1: 2, z2: 3, features: 5, variance: 0.1 };

fn normal(rng: &mut Rng, rows: usize, cols: usize) -> F {
    F::with(rows, cols, |x| x.iter_mut().for_each(|x| *x = rng.normal()))
}

/// Windows of 3, 2, 2 and 1 steps.
fn windows(rng: &mut Rng) -> Sequences<f64> {
    Sequences { counts: vec![4, 4, 3, 1], o: normal(rng, 12, 2), a: normal(rng, 8, 1), r: normal(rng, 8, 1) }
}

/// A model without flat places: leaky ReLUs have a kink, which random numbers do not meet.
fn model() -> LatentModel<f64> {
    LatentModel::new(SHAPE, &mut Rng::new(3, "model"))
}

/// Every part of the evidence bound, and the latent states at the ends of windows, have the gradients of differences,
/// in windows of different lengths.
#[test]
fn the_bound_has_the_gradient_of_differences() {
    let s = windows(&mut Rng::new(0, "windows"));
    let ends = |n: &LatentModel<f64>, i: usize| n.ends(&s, &mut Rng::new(1, "noise"))[i].square().sum();
    let part = |n: &LatentModel<f64>, of: fn(Bound<f64>) -> F| of(n.bound(&s, &mut Rng::new(1, "noise"))).sum();
    let losses: [(&str, Box<dyn Fn(&LatentModel<f64>) -> F + '_>); 5] = [
        ("observation", Box::new(|n| part(n, |b| b.observation))),
        ("reward", Box::new(|n| part(n, |b| b.reward))),
        ("divergence", Box::new(|n| part(n, |b| b.divergence))),
        ("z", Box::new(|n| ends(n, 0))),
        ("z'", Box::new(|n| ends(n, 1))),
    ];
    for (name, loss) in losses {
        let net = model();
        let exact = gradient(&loss(&net), &net);
        let (mut moved, step) = (net.clone(), 1e-5);
        let largest = exact.iter().fold(1e-3f64, |a, g| a.max(g.abs()));
        for (i, exact) in exact.iter().enumerate() {
            let mut at = |x: f64| {
                moved.params_mut().data_mut()[i] = net.params().data()[i] + x;
                let y = loss(&moved).item();
                moved.params_mut().data_mut()[i] = net.params().data()[i];
                y
            };
            let difference = (8.0 * (at(step) - at(-step)) - (at(2.0 * step) - at(-2.0 * step))) / (12.0 * step);
            let error = (difference - exact).abs() / largest;
            assert!(error < 1e-7, "{name}: parameter {i} is off by {error:e}");
        }
    }
}

/// The divergence of two Gaussians is the integral of q ln(q / p), added over the entries, and so is that to the
/// standard Gaussian.
#[test]
fn the_divergence_is_its_integral() {
    let mut rng = Rng::new(1, "kl");
    let gaussian = |rng: &mut Rng| Normal { mean: normal(rng, 3, 2), std: normal(rng, 3, 2).square() * 0.3 + 0.4 };
    let (q, p) = (gaussian(&mut rng), gaussian(&mut rng));
    let standard = Normal { mean: F::zeros(3, 2), std: F::zeros(3, 2) + 1.0 };
    let log = |x: f64, m: f64, s: f64| -0.5 * ((x - m) / s).powi(2) - s.ln() - 0.5 * std::f64::consts::TAU.ln();
    for (p, ours) in [(&p, q.kl(&p)), (&standard, q.kl_to_standard())] {
        for row in 0..3 {
            let of = |j: usize| {
                let at = |x: &F| x.data()[2 * row + j];
                let (m, s, other, wide) = (at(&q.mean), at(&q.std), at(&p.mean), at(&p.std));
                let step = s * 1e-3;
                let points = (-10_000..=10_000).map(|i| m + f64::from(i) * step);
                points.map(|x| log(x, m, s).exp() * (log(x, m, s) - log(x, other, wide)) * step).sum::<f64>()
            };
            let (integral, ours) = (of(0) + of(1), ours.data()[row]);
            assert!((integral - ours).abs() < 1e-9 * integral.max(1.0), "{ours} is not {integral}");
        }
    }
}

/// Of a model whose parameters are zero, every part of the bound has a closed form: all Gaussians have the mean 0 and
/// the deviation ln 2, so that posterior and prior are equal but for the first step.
#[test]
fn the_bound_of_a_model_of_zeros_is_known() {
    let s = windows(&mut Rng::new(2, "windows"));
    let mut zeros = model();
    zeros.params_mut().data_mut().fill(0.0);
    let bound = zeros.bound(&s, &mut Rng::new(1, "noise"));
    let (std, tau) = (2f64.ln() + 1e-5, std::f64::consts::TAU);
    let near = |ours: f64, wanted: f64| assert!((ours - wanted).abs() < 1e-12, "{ours} is not {wanted}");
    for (ours, o) in bound.observation.data().iter().zip(s.o.data().chunks_exact(2)) {
        near(*ours, o.iter().map(|x| x * x / 0.2 + 0.5 * (tau * 0.1).ln()).sum());
    }
    for (ours, r) in bound.reward.data().iter().zip(s.r.data()) {
        near(*ours, 0.5 * (r / std).powi(2) + std.ln() + 0.5 * tau.ln());
    }
    for (i, ours) in bound.divergence.data().iter().enumerate() {
        near(*ours, if i < 4 { 2.0 * 0.5 * (std * std - 1.0 - (std * std).ln()) } else { 0.0 });
    }
    assert_eq!(LatentModel::<f64>::size(&SHAPE).parameters, zeros.params().data().len());
    assert_eq!([&bound.observation, &bound.reward, &bound.divergence].map(F::rows), [12, 8, 12]);
}

/// The latent states at the ends of a window depend on that window alone: z' on all its observations, z on all but the
/// last; and the rows are in the order of the windows.
#[test]
fn latent_states_are_those_of_their_windows() {
    let (s, net) = (windows(&mut Rng::new(4, "windows")), model());
    let ends = |s: &Sequences<f64>| net.ends(s, &mut Rng::new(1, "noise")).map(|z| z.data().to_vec());
    let before = ends(&s);
    let lengths = [3, 2, 2, 1];
    let mut row = 0;
    for (t, &n) in s.counts.iter().enumerate() {
        for (i, &length) in lengths.iter().enumerate().take(n) {
            let o = F::with(12, 2, |x| {
                x.copy_from_slice(s.o.data());
                x[2 * row] += 0.5;
            });
            let after = ends(&Sequences { o, ..s.clone() });
            for (which, moves) in [(0, t < length), (1, true)] {
                let moved = |j: usize| (5 * j..5 * (j + 1)).any(|k| before[which][k] != after[which][k]);
                let changed: Vec<usize> = (0..4).filter(|&j| moved(j)).collect();
                assert_eq!(changed, if moves { vec![i] } else { vec![] }, "step {t} of window {i}, {which}");
            }
            row += 1;
        }
    }
    assert_eq!(row, 12);
}

const MEMORY: Memory = Memory::History { len: 3 };

/// A policy of two entries of an observation and one of an action.
fn actor() -> Actor {
    let shape = ActorShape {
        o: 2,
        a: 1,
        a_prev: 1,
        features: 6,
        core: CoreShape::cell(CellKind::Gru, 1),
        kind: PolicyKind::Shortcut,
        head: Head::Squashed { low: vec![-2.0], high: vec![2.0], std: 1.0, state_std: 1.0 },
    };
    Actor::new(MEMORY, &shape, &mut Rng::new(0, "policy"))
}

/// Random episodes of two environments in a replay buffer, stepped as the loop steps them. Returns the buffer, and for
/// each stored step what the policy was shown when it acted.
fn experienced(steps: usize) -> (Replay, Vec<Vec<f32>>) {
    let (mut rng, policy) = (Rng::new(5, "steps"), actor());
    let shape = ReplayShape { size: 4 * steps, envs: 2, o: 2, a: 1, memory: MEMORY, ..Default::default() };
    let (mut data, mut recall, mut shown) = (Replay::new(shape), Recall::new(2, MEMORY, 2, 1, false, 0), Vec::new());
    let mut numbers = |n: usize| (0..n).map(|_| rng.normal() as f32).collect::<Vec<f32>>();
    let mut o = numbers(4);
    for t in 0..steps {
        let x = recall.context(&o, &[0.0; 2]);
        let (dist, a_prev) = (policy.dist(&x), x.a_prev.as_ref().unwrap());
        shown.extend((0..2).map(|e| [&x.o.data()[6 * e..6 * (e + 1)], &a_prev.data()[3 * e..3 * (e + 1)]].concat()));
        let a = numbers(2);
        let u = Extended { a: Tensor::new(2, 1, &a), z: None };
        let (next_o, r) = (numbers(4), [t as f64, -(t as f64)]);
        let terminated = [t % 5 == 4, t % 7 == 6];
        data.push(&Transition {
            o: &o,
            a: &a,
            r: &r,
            terminated: &terminated,
            truncated: &[false; 2],
            dropped: &[false; 2],
            next_o: &next_o,
            ..Transition::default()
        });
        recall.remember(&dist, &u, &u.a);
        o = next_o;
        for e in (0..2).filter(|&e| terminated[e]) {
            recall.reset(e);
            o[2 * e..2 * (e + 1)].copy_from_slice(&numbers(2));
        }
    }
    (data, shown)
}

/// A batch shows the policy what it was shown when it acted: its last observations, and beside each the action before
/// it; of the actions the policy reads those between its observations.
#[test]
fn a_batch_shows_what_acting_showed() {
    let (data, shown) = experienced(20);
    let rows = data.rows();
    let x = data.context(&rows);
    let (o, a_prev) = (x.o.data().chunks_exact(6), x.a_prev.as_ref().unwrap().data().chunks_exact(3));
    // Rows are sorted by environment, and what was shown by time.
    let wanted = (0..2).flat_map(|e| shown.iter().skip(e).step_by(2));
    for ((o, a_prev), wanted) in o.zip(a_prev).zip(wanted) {
        assert_eq!([o, a_prev].concat(), *wanted);
    }
    assert_eq!((rows.len(), x.o.rows()), (40, 40));
    let mean = |x: &Context| actor().dist(x).a.mean.data().to_vec();
    let with = |entry: usize| {
        let (rows, n) = x.a_prev.as_ref().unwrap().shape();
        let changed = |x: &mut [f32]| x.chunks_exact_mut(n).for_each(|x| x[entry] += 1.0);
        let a_prev = Tensor::with(rows, n, |to| {
            to.copy_from_slice(x.a_prev.as_ref().unwrap().data());
            changed(to);
        });
        Context { a_prev: Some(a_prev), ..x.clone() }
    };
    assert_eq!(mean(&with(0)), mean(&x), "the action before the first observation is not read");
    for entry in [1, 2] {
        assert!(mean(&with(entry)).iter().zip(mean(&x)).any(|(a, b)| *a != b), "action {entry} is read");
    }
}

/// The targets of the critics and the losses of critics and policy are their formulas.
#[test]
fn an_update_is_its_formulas() {
    let (data, _) = experienced(20);
    let rows: Vec<usize> = data.rows().into_iter().step_by(3).collect();
    let n = rows.len();
    let shape = QShape {
        view: View::Observation,
        world: 4,
        z: 0,
        a: 1,
        a_prev: false,
        features: 6,
        kind: QKind::Plain { gain: 1.0 },
    };
    let critics: Vec<Q> = (0..2).map(|i| Q::new(shape.clone(), &mut Rng::new(i, "critic"))).collect();
    let latent = LatentShape { o: 2, a: 1, z1: 1, z2: 3, features: 4, variance: 0.1 };
    let model = LatentModel::new(latent, &mut Rng::new(0, "model"));
    let settings = slac::Settings { gamma: 0.9, alpha: 0.3, batch: n, ..slac::Settings::default() };
    let mut slac = Slac::new((actor(), model, critics.clone()), 1, settings, 2);
    let mut rng = Rng::new(6, "numbers");
    let mut numbers = |n: usize| (0..n).map(|_| rng.normal() as f32).collect::<Vec<f32>>();
    let (z, z_next, a) = (numbers(4 * n), numbers(4 * n), numbers(n));
    let noise = Noise::new(n, &a, &[]);
    let q = |z: &[f32], u: &Extended| {
        let x = Context::of(Tensor::new(n, 4, z));
        let [a, b] = [0, 1].map(|i| critics[i].value(&x, Some(u)).data().to_vec());
        a.into_iter().zip(b).map(|(a, b)| f64::from(a.min(b))).collect::<Vec<f64>>()
    };
    let drawn = |x: &Context| {
        let (u, log_prob) = actor().dist(x).reparameterised(&noise.of(0..n));
        (u, log_prob.a.data().to_vec())
    };

    let y = slac.target(&data, &rows, &Latents::new(z_next.clone(), 4), &noise);
    let (u, log_prob) = drawn(&data.next_context(&rows));
    for (i, v) in q(&z_next, &u).into_iter().enumerate() {
        let v = if data.terminated(rows[i]) { 0.0 } else { v - 0.3 * f64::from(log_prob[i]) };
        let wanted = f64::from(data.r(rows[i])) + 0.9 * v;
        assert!((f64::from(y[i]) - wanted).abs() < 1e-5, "{} is not {wanted}", y[i]);
    }
    assert!(rows.iter().any(|&k| data.terminated(k)));

    let (u, log_prob) = drawn(&data.context(&rows));
    let losses = q(&z, &u).into_iter().zip(log_prob).map(|(q, log_prob)| 0.3 * f64::from(log_prob) - q);
    let wanted = losses.sum::<f64>() / n as f64;
    let step = slac.policy_step(&data, &rows, &Latents::new(z.clone(), 4), &noise);
    assert!((step.loss - wanted).abs() < 1e-5, "{} is not {wanted}", step.loss);

    let fits = slac.critic_step(&data, &rows, &Latents::new(z.clone(), 4), &y);
    for (critic, (loss, _)) in critics.iter().zip(fits) {
        let values = critic.value(&Context::of(Tensor::new(n, 4, &z)), Some(&data.extended(&rows)));
        let squares = values.data().iter().zip(&y).map(|(q, y)| f64::from(q - y).powi(2));
        let wanted = squares.sum::<f64>() / n as f64;
        assert!((loss - wanted).abs() < 1e-5 * wanted.max(1.0), "{loss} is not {wanted}");
    }
}

fn experiment(estimator: &str, changes: &[&str]) -> Result<Experiment, String> {
    let text = format!(
        "algorithm = \"slac\"\nestimator = \"{estimator}\"\nsteps = 300\n[env]\nname = \"TMaze-v0\"\n{}",
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/small/slac.toml")).unwrap()
    );
    let changes: Vec<String> = changes.iter().map(|c| c.to_string()).collect();
    Experiment::parse("slac.toml", &text, &changes).map_err(|e| e.to_string())
}

/// In the pre-training the model moves and nothing else; after it everything moves.
#[test]
fn the_model_learns_first() {
    let experiment = experiment("window:3", &["slac.pretraining=250", "slac.initial=4"]).unwrap();
    let mut training = runs::training(&experiment, 1);
    let mut policies = Vec::new();
    for _ in 0..12 {
        training.step().unwrap();
        policies.push(training.model().parameters.data().to_vec());
    }
    // Of more than 4 stored steps, three updates are the model's.
    let moves: Vec<bool> = policies.windows(2).map(|pair| pair[0] != pair[1]).collect();
    assert_eq!(moves, [[false; 6].as_slice(), &[true; 5]].concat());
}

/// What SLAC cannot do is refused in one sentence: another memory than a window, a critic of the privileged state, a
/// pre-training that takes the whole run, and sizes out of range.
#[test]
fn what_does_not_fit_is_refused() {
    for estimator in Estimator::ALL.iter().filter(|e| !matches!(e, Estimator::Window(_))) {
        let e = experiment(&estimator.to_string(), &[]).unwrap_err();
        let wanted = format!(
            "slac.toml:2: `estimator` is {estimator}, and slac acts on a window of observations and of the actions between \
             them; take window:K, such as window:8"
        );
        assert_eq!(e, wanted);
    }
    let e = experiment("window:3", &["slac.pretraining=28_000"]).unwrap_err();
    assert!(e.contains("take all updates of `steps` = 300: no policy would be learned"), "{e}");
    experiment("window:3", &["slac.pretraining=27_000"]).unwrap();
    for (change, words) in [
        ("slac.z1=0", "`slac.z1` is 0; it must be above 0 and at most 65536"),
        ("slac.z2=65537", "`slac.z2` is 65537; it must be above 0"),
        ("slac.variance=0", "`slac.variance` is 0; it must be above 0"),
        ("slac.batch=501", "`slac.batch` = 501 is more than `slac.replay` = 500"),
        ("slac.initial=400", "`steps` = 300 never come to more than `slac.initial` (400)"),
    ] {
        let e = experiment("window:3", &[change]).unwrap_err();
        assert!(e.contains(words) && !e.contains('\n') && !e.contains("warmup"), "{e}");
    }
    let state = experiment("window:3", &["critic=state"]).unwrap();
    let e = build(&state, runs::registry(), 1).map(drop).unwrap_err().to_string();
    assert!(e.starts_with("`critic` is \"state\", but the critic of slac reads what its model infers"), "{e}");
    for (key, value) in [("model_features", "65_536"), ("model_batch", "1e15"), ("z2", "65_536")] {
        let changes = [format!("slac.{key}={value}"), "slac.model_features=65_536".into()];
        let changes: Vec<&str> = changes.iter().map(String::as_str).take(1 + usize::from(key == "z2")).collect();
        let large = experiment("window:3", &changes).unwrap();
        let e = build(&large, runs::registry(), 1).map(drop).unwrap_err().to_string();
        assert!(e.starts_with("`slac.") && e.contains("MB of memory"), "{e}");
    }
}
