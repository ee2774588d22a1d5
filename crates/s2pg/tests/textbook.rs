//! GAE, Polyak averaging, running moments and Gaussian densities equal their definitions, written out naively.
//! `PROPTEST_CASES` is the number of random cases of each property (1,000 if not set).

use proptest::prelude::*;
use s2pg::Rng;
use s2pg::algo::Ppo;
use s2pg::algo::gae::{explained_variance, gae, normalise};
use s2pg::algo::on_policy::values;
use s2pg::algo::ppo::Settings;
use s2pg::data::{Buffer, Rollout, RolloutShape, Transition};
use s2pg::nn::{Builder, CellKind, Init, Parameters, Standardiser, Tensor};
use s2pg::policy::{
    Actor, ActorShape, CoreShape, Critic, Dist, Extended, Gaussian, Head, Memory, PolicyKind, Value, ValueShape, View,
};

fn cases() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").map_or(1000, |text| text.parse().expect("PROPTEST_CASES is a number"));
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Random episodes as an agent of several environments meets them: each row continues an episode, or begins one.
struct Episodes {
    data: Rollout,
    /// The episode of each row; None where the row was dropped.
    episode: Vec<Option<usize>>,
    v: Vec<f64>,
    v_next: Vec<f64>,
}

const O: usize = 2;
const A: usize = 1;
const Z: usize = 3;

/// `ends`: how probable it is that a step ends its episode, a third of them by each of termination, truncation,
/// failure.
fn episodes(steps: usize, envs: usize, ends: f64, seed: u64) -> Episodes {
    let mut rng = Rng::new(seed, "episodes");
    let memory = Memory::Stochastic { z: Z };
    let shape = RolloutShape { steps, envs, o: O, a: A, memory, a_prev: true, ..RolloutShape::default() };
    let mut data = Rollout::new(shape);
    let random = |rng: &mut Rng, n: usize| -> Vec<f32> { (0..n).map(|_| rng.normal() as f32).collect() };
    let mut o = random(&mut rng, envs * O);
    let (mut a_prev, mut z) = (vec![0.0; envs * A], vec![0.0; envs * Z]);
    let (mut current, mut count): (Vec<usize>, usize) = ((0..envs).collect(), envs);
    let mut episode = Vec::new();
    for _ in 0..steps {
        let (a, mut next_o, z_next) =
            (random(&mut rng, envs * A), random(&mut rng, envs * O), random(&mut rng, envs * Z));
        let kinds: Vec<usize> = (0..envs).map(|_| if rng.uniform() < ends { 1 + rng.below(3) } else { 0 }).collect();
        let mut r: Vec<f64> = (0..envs).map(|_| rng.normal()).collect();
        let flags = |kind: usize| kinds.iter().map(|&k| k == kind).collect::<Vec<bool>>();
        let dropped = flags(3);
        for e in 0..envs {
            episode.push((!dropped[e]).then_some(current[e]));
            if dropped[e] {
                r[e] = 0.0;
                next_o[e * O..(e + 1) * O].copy_from_slice(&o[e * O..(e + 1) * O]);
            }
        }
        data.push(&Transition {
            o: &o,
            a_prev: &a_prev,
            z: &z,
            a: &a,
            z_next: &z_next,
            r: &r,
            terminated: &flags(1),
            truncated: &kinds.iter().map(|&k| k >= 2).collect::<Vec<bool>>(),
            dropped: &dropped,
            next_o: &next_o,
            ..Transition::default()
        });
        (o, a_prev, z) = (next_o, a, z_next);
        for e in (0..envs).filter(|&e| kinds[e] > 0) {
            o[e * O..(e + 1) * O].copy_from_slice(&random(&mut rng, O));
            a_prev[e * A..(e + 1) * A].fill(0.0);
            z[e * Z..(e + 1) * Z].fill(0.0);
            current[e] = count;
            count += 1;
        }
    }
    let mut values = || (0..steps * envs).map(|_| rng.normal()).collect::<Vec<f64>>();
    Episodes { data, episode, v: values(), v_next: values() }
}

/// A_k = sum over j >= k in its episode of (gamma lambda)^(j - k) (r_j + gamma V'_j - V_j), V' = 0 behind a
/// termination.
fn naive_gae(e: &Episodes, gamma: f64, lambda: f64) -> Vec<Option<f64>> {
    let n = e.episode.len();
    let delta = |j: usize| {
        let next = if e.data.terminated(j) { 0.0 } else { e.v_next[j] };
        e.data.r()[j] + gamma * next - e.v[j]
    };
    (0..n)
        .map(|k| {
            let own = e.episode[k]?;
            let later = (k..n).filter(|&j| e.episode[j] == Some(own));
            Some(later.enumerate().map(|(i, j)| (gamma * lambda).powi(i as i32) * delta(j)).sum())
        })
        .collect()
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * (1.0 + b.abs())
}

proptest! {
    #![proptest_config(cases())]

    /// Advantages and targets equal their definition, episode by episode, whatever ends the episodes.
    #[test]
    fn gae_is_its_definition(
        (steps, envs, ends, seed) in (1..40usize, 1..5usize, 0.0..0.7f64, any::<u64>()),
        (gamma, lambda) in (0.0..=1.0f64, 0.0..=1.0f64),
    ) {
        let e = episodes(steps, envs, ends, seed);
        let found = gae(&e.data, &e.v, &e.v_next, gamma, lambda);
        for (k, naive) in naive_gae(&e, gamma, lambda).into_iter().enumerate() {
            let Some(naive) = naive else { continue };
            prop_assert!(close(found.advantages[k], naive, 1e-10), "row {k}: {} and {naive}", found.advantages[k]);
            prop_assert_eq!(found.targets[k], found.advantages[k] + e.v[k]);
        }
    }

    /// No advantage crosses an episode, a dropped step, or an environment: whatever is changed in one episode, the
    /// advantages of the others stay as they are, to the bit.
    #[test]
    fn no_advantage_crosses_an_episode(
        (steps, envs, ends, seed) in (2..40usize, 1..5usize, 0.05..0.7f64, any::<u64>()),
    ) {
        let mut e = episodes(steps, envs, ends, seed);
        let before = gae(&e.data, &e.v, &e.v_next, 0.99, 0.95);
        let mut rng = Rng::new(seed, "change");
        let chosen = e.episode[rng.below(e.episode.len())];
        let rows: Vec<usize> = (0..e.episode.len()).filter(|&k| e.episode[k] == chosen).collect();
        for &k in &rows {
            (e.v[k], e.v_next[k]) = (rng.normal(), 1e6 * rng.normal());
        }
        let after = gae(&e.data, &e.v, &e.v_next, 0.99, 0.95);
        for k in (0..e.episode.len()).filter(|k| !rows.contains(k) && e.episode[*k].is_some()) {
            prop_assert_eq!(before.advantages[k].to_bits(), after.advantages[k].to_bits(), "row {}", k);
        }
        // The chosen one itself is moved, unless it is made of dropped rows.
        prop_assert!(chosen.is_none() || rows.iter().any(|&k| before.advantages[k] != after.advantages[k]));
    }

    /// Normalised advantages have mean 0 and standard deviation 1 over the rows that are learned from.
    #[test]
    fn normalised_advantages_are_standard((n, seed) in (3..200usize, any::<u64>())) {
        let mut rng = Rng::new(seed, "normalise");
        let mut x: Vec<f64> = (0..n).map(|_| 50.0 * rng.normal() + 7.0).collect();
        let rows: Vec<usize> = (0..n).filter(|k| k % 3 != 1).collect();
        normalise(&mut x, &rows);
        let m = rows.len() as f64;
        let mean = rows.iter().map(|&k| x[k]).sum::<f64>() / m;
        let std = (rows.iter().map(|&k| (x[k] - mean).powi(2)).sum::<f64>() / m).sqrt();
        prop_assert!(mean.abs() < 1e-9 && (std - 1.0).abs() < 1e-6, "{mean} {std}");
    }

    /// Running moments equal the mean and the variance of everything seen, with one virtual sample of mean 0 and
    /// variance 1.
    #[test]
    fn running_moments_are_moments((n, seed, shift) in (1..300usize, any::<u64>(), -100.0..100.0f64)) {
        let mut rng = Rng::new(seed, "moments");
        let rows: Vec<[f64; 2]> = (0..n).map(|_| [rng.normal() + shift, 30.0 * rng.normal()]).collect();
        let mut standardiser = Standardiser::new(2);
        rows.iter().for_each(|o| standardiser.observe(o));
        for i in 0..2 {
            let mean = rows.iter().map(|o| o[i]).sum::<f64>() / (n + 1) as f64;
            let squares = rows.iter().map(|o| (o[i] - mean).powi(2)).sum::<f64>() + 1.0 + mean * mean;
            let std = (squares / (n + 1) as f64).sqrt();
            prop_assert!(close(standardiser.mean()[i], mean, 1e-10) && close(standardiser.std()[i], std, 1e-10));
            let mut o = rows[0];
            standardiser.apply(&mut o);
            prop_assert!(close(o[i], ((rows[0][i] - mean) / std).clamp(-10.0, 10.0), 1e-9));
        }
    }

    /// Polyak averaging is tau x online + (1 - tau) x target, element by element, and n of them are (1 - tau)^n.
    #[test]
    fn polyak_is_its_definition((tau, seed) in (0.0..=1.0f64, any::<u64>())) {
        let mut rng = Rng::new(seed, "polyak");
        let mut network = || -> Parameters<f64> {
            let mut b = Builder::new(&mut rng);
            b.add("w", 3, 4, Init::Uniform(2.0));
            b.finish()
        };
        let (mut target, online) = (network(), network());
        let start = target.data().to_vec();
        for n in 1..=3 {
            target.follow(&online, tau);
            let rest = (1.0 - tau).powi(n);
            for ((target, online), start) in target.data().iter().zip(online.data()).zip(&start) {
                prop_assert!(close(*target, (1.0 - rest) * online + rest * start, 1e-14));
            }
        }
    }

    /// The density of (a, z') is the product of the normal densities of all entries, with the log-std held within [-20,
    /// 2]; the entropy is that of the normal distribution with the same log-std.
    #[test]
    fn gaussian_densities_are_their_definition((rows, a, z, seed) in (1..6usize, 1..4usize, 0..4usize, any::<u64>())) {
        let mut rng = Rng::new(seed, "densities");
        let mut random = |rows: usize, cols: usize, scale: f64| {
            Tensor::<f64>::with(rows, cols, |x| x.iter_mut().for_each(|x| *x = scale * rng.normal()))
        };
        // One log-std of eight is above the range, and one is below it.
        let log_std = |x: Tensor<f64>| Tensor::new(1, x.cols(), &x.data().iter().map(|x| match x {
            x if *x > 1.15 => 2.0 + x,
            x if *x < -1.15 => x - 20.0,
            x => 1.5 * x - 0.5,
        }).collect::<Vec<f64>>());
        let mut gaussian = |n: usize| Gaussian::new(random(rows, n, 1.0), log_std(random(1, n, 1.0)));
        let dist = Dist { a: gaussian(a), z: (z > 0).then(|| gaussian(z)), h: None };
        let u = dist.sample(&mut Rng::new(seed, "sample"));
        let log_prob = dist.log_prob(&u);
        let naive = |g: &Gaussian<f64>, x: &Tensor<f64>, row: usize| -> f64 {
            let n = g.mean.cols();
            (0..n).map(|j| {
                let std = g.log_std.data()[j].clamp(-20.0, 2.0).exp();
                let z = (x.data()[row * n + j] - g.mean.data()[row * n + j]) / std;
                (-0.5 * z * z).exp() / (std * (2.0 * std::f64::consts::PI).sqrt())
            }).map(f64::ln).sum()
        };
        for row in 0..rows {
            let mut expected = naive(&dist.a, &u.a, row);
            prop_assert!(close(log_prob.a.data()[row], expected, 1e-9));
            if let (Some(g), Some(x)) = (&dist.z, &u.z) {
                expected += naive(g, x, row);
            }
            prop_assert!(close(log_prob.joint().data()[row], expected, 1e-9));
        }
        let constant = 0.5 * (2.0 * std::f64::consts::PI * std::f64::consts::E).ln();
        let log_stds = dist.a.log_std.data().iter().chain(dist.z.iter().flat_map(|z| z.log_std.data()));
        prop_assert!(close(dist.entropy().item(), log_stds.map(|s| s.clamp(-20.0, 2.0) + constant).sum(), 1e-12));
    }

    /// The next value of every row is that of its true next context: of the next row where the episode goes on, of what
    /// was seen before the reset where it does not.
    #[test]
    fn next_values_are_of_the_true_next_context(
        (steps, envs, ends, seed) in (1..20usize, 1..4usize, 0.0..0.7f64, any::<u64>()),
    ) {
        let e = episodes(steps, envs, ends, seed);
        let shape = ActorShape {
            o: O,
            a: A,
            a_prev: A,
            features: 4,
            core: CoreShape::cell(CellKind::Gru, Z),
            kind: PolicyKind::Shortcut,
            head: Head::Gaussian { std: 0.5, state_std: 0.5 },
        };
        let value = ValueShape { view: View::Observation, world: O, z: Z, a_prev: A, features: 4, gain: 0.01, core: None };
        let mut rng = Rng::new(seed, "networks");
        let ppo = Ppo::new(
            Actor::<f32>::new(Memory::Stochastic { z: Z }, &shape, &mut rng),
            Value::<f32>::new(value, &mut rng),
            Settings::default(),
            1,
        );
        let (v, v_next) = values(ppo.value(), &e.data);
        let rows = e.data.rows();
        let of = |x: s2pg::policy::Context| ppo.value().value(&x, None).data().to_vec();
        if rows.is_empty() {
            return Ok(());
        }
        let (now, next) = (of(e.data.context(&rows)), of(e.data.next_context(&rows)));
        for (i, &k) in rows.iter().enumerate() {
            prop_assert!(close(v[k], now[i] as f64, 1e-6) && close(v_next[k], next[i] as f64, 1e-6), "row {}", k);
        }
    }
}

/// A density sums to one, and its samples have its mean and its variance.
#[test]
fn a_density_is_a_density() {
    let (mean, log_std) = (0.7, -0.4f64);
    let one = |x: f64| Tensor::<f64>::new(1, 1, &[x]);
    let dist = Dist { a: Gaussian::new(one(mean), one(log_std)), z: None, h: None };
    let density = |x: f64| dist.log_prob(&Extended { a: one(x), z: None }).joint().item().exp();
    let width = 1e-3;
    let sum: f64 = (-8000..8000).map(|i| density(i as f64 * width) * width).sum();
    assert!((sum - 1.0).abs() < 1e-9, "{sum}");

    let (mut rng, n) = (Rng::new(0, "samples"), 100_000);
    let samples: Vec<f64> = (0..n).map(|_| dist.sample(&mut rng).a.item()).collect();
    let average = samples.iter().sum::<f64>() / n as f64;
    let variance = samples.iter().map(|x| (x - average).powi(2)).sum::<f64>() / n as f64;
    let std = log_std.exp();
    assert!((average - mean).abs() < 4.0 * std / (n as f64).sqrt(), "{average}");
    assert!((variance / std.powi(2) - 1.0).abs() < 4.0 * (2.0 / n as f64).sqrt(), "{variance}");
    assert_eq!(dist.mean().a.item(), mean);
}

/// Explained variance is 1 for the targets themselves, 0 for their mean, and blind to rows that are not learned from.
#[test]
fn explained_variance_is_its_definition() {
    let (targets, rows) = ([1.0, 3.0, 100.0, 5.0], [0, 1, 3]);
    assert_eq!(explained_variance(&rows, &targets, &targets), 1.0);
    assert_eq!(explained_variance(&rows, &[3.0, 3.0, 0.0, 3.0], &targets), 0.0);
    assert!((explained_variance(&rows, &[2.0, 3.0, 7.0, 4.0], &targets) - 0.75).abs() < 1e-12);
}
