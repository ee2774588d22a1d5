//! The cheetah: Gymnasium's numbers, and what every task on MuJoCo promises.

use s2pg::env::{Env, EnvError, Options, Registry, Shape};
use s2pg::rng::Rng;
use s2pg_mujoco::{Bare, Gym, entries};
use safetensors::SafeTensors;

const NAMES: [&str; 2] = ["HalfCheetah-v5", "HalfCheetahPOMDP-v3"];
/// Where positions and velocities are in a snapshot, after the time.
const POSITIONS: std::ops::Range<usize> = 1..10;
const VELOCITIES: std::ops::Range<usize> = 10..19;

fn gym(name: &str) -> Gym {
    Gym::new(name, &Options::new()).unwrap()
}

fn action(rng: &mut Rng) -> [f32; 6] {
    std::array::from_fn(|_| rng.range(-1.5, 1.5) as f32)
}

fn bits(x: &[f64]) -> Vec<u64> {
    x.iter().map(|x| x.to_bits()).collect()
}

/// From one state, 200 random actions bring Gymnasium's observations and rewards to the last bit, in both tasks.
#[test]
fn rollouts_are_gymnasiums() {
    let golden = SafeTensors::deserialize(include_bytes!("golden/half_cheetah.safetensors")).unwrap();
    let f64s = |name: &str| -> Vec<f64> {
        golden.tensor(name).unwrap().data().as_chunks().0.iter().map(|&x| f64::from_le_bytes(x)).collect()
    };
    let actions = golden.tensor("actions").unwrap();
    let actions: Vec<f32> = actions.data().as_chunks().0.iter().map(|&x| f32::from_le_bytes(x)).collect();
    let (observations, rewards) = (f64s("observations"), f64s("rewards"));
    assert!(rewards.len() == 200 && actions.iter().any(|a| a.abs() > 1.0));
    for name in NAMES {
        let mut env = gym(name);
        env.restore(&[&f64s("state")[..], &[0.0, 0.0]].concat()).unwrap();
        let check = |env: &Gym, expected: &[f64]| {
            let state = env.snapshot();
            assert_eq!(bits(&state[POSITIONS][1..]), bits(&expected[..8]));
            assert_eq!(bits(&state[VELOCITIES]), bits(&expected[8..]));
            let (mut o, mut s) = (vec![0.0; env.spec().o.len()], [0.0; 17]);
            env.observe(&mut o, &mut s);
            assert_eq!(s.to_vec(), expected.iter().map(|&x| x as f32).collect::<Vec<_>>());
            assert_eq!(o, s[..o.len()]);
        };
        check(&env, &observations[..17]);
        for (t, a) in actions.chunks(6).enumerate() {
            let outcome = env.step(a, &mut Rng::new(0, "unused")).unwrap();
            assert_eq!(outcome.r.to_bits(), rewards[t].to_bits(), "{name}, reward of step {t}");
            assert!(!outcome.terminated && !outcome.truncated);
            check(&env, &observations[17 * (t + 1)..17 * (t + 2)]);
        }
    }
}

/// `HalfCheetah-v5` shows everything, `HalfCheetahPOMDP-v3` the positions; an episode is cut at 1000 steps.
#[test]
fn the_registered_tasks_are_the_published_ones() {
    let mut registry = Registry::new();
    registry.extend(entries());
    for (name, seen) in NAMES.into_iter().zip([17, 8]) {
        let mut env = registry.make(name, &Options::new()).unwrap();
        let spec = env.spec().clone();
        assert_eq!((&spec.name[..], spec.o.len(), spec.s.len(), spec.horizon, spec.dt), (name, seen, 17, 1000, 0.05));
        assert_eq!((spec.low, spec.high), (vec![-1.0; 6], vec![1.0; 6]));
        assert_eq!(spec.o, spec.s[..seen]);
        assert_eq!((&spec.s[0][..], &spec.s[8][..]), ("rootz", "v_rootx"));
        let mut rng = Rng::new(3, name);
        env.reset(&mut rng).unwrap();
        let mut distance = 0.0;
        for t in 1..=1000 {
            let a = action(&mut rng);
            let outcome = env.step(&a, &mut rng).unwrap();
            distance += 0.05 * (outcome.r + 0.1 * a.iter().map(|&a| (a as f64).powi(2)).sum::<f64>());
            assert_eq!((outcome.terminated, outcome.truncated), (false, t == 1000));
        }
        let [("distance", reported)] = env.metrics()[..] else { panic!("{:?}", env.metrics()) };
        assert!((reported - distance).abs() < 1e-5, "{reported} m, not {distance} m");
    }
}

/// A start is the reference pose with uniform noise of 0.1 on the positions, and normal velocities of deviation 0.1.
#[test]
fn a_start_has_the_published_noise() {
    let (mut env, mut rng) = (gym(NAMES[0]), Rng::new(0, "start"));
    let n = 2000;
    let starts: Vec<Vec<f64>> = (0..n)
        .map(|_| {
            env.reset(&mut rng).unwrap();
            env.snapshot()
        })
        .collect();
    let all = |range: std::ops::Range<usize>| starts.iter().flat_map(move |s| s[range.clone()].to_vec());
    let moments = |x: &dyn Fn() -> Vec<f64>| {
        let x = x();
        let n = x.len() as f64;
        (
            x.iter().sum::<f64>() / n,
            x.iter().map(|x| x * x).sum::<f64>() / n,
            x.iter().fold(0f64, |m, x| m.max(x.abs())),
        )
    };
    let (mean, square, most) = moments(&|| all(POSITIONS).collect());
    assert!(mean.abs() < 0.002 && (square - 0.01 / 3.0).abs() < 1e-4 && most <= 0.1 && most > 0.0999);
    let (mean, square, most) = moments(&|| all(VELOCITIES).collect());
    assert!(mean.abs() < 0.003 && (square - 0.01).abs() < 3e-4 && most > 0.3);
}

/// From 200 random states, what follows a snapshot is repeated to the bit after a restore, here and in another
/// environment, and the restored state is the snapshot.
#[test]
fn a_restore_repeats_to_the_bit() {
    let (mut env, mut other, mut rng) = (gym(NAMES[0]), gym(NAMES[1]), Rng::new(1, "restore"));
    for case in 0..200 {
        env.reset(&mut rng).unwrap();
        if case % 4 == 0 {
            let mut state = env.snapshot();
            state[POSITIONS].iter_mut().for_each(|x| *x += rng.normal());
            state[VELOCITIES].iter_mut().for_each(|v| *v = 10.0 * rng.normal());
            env.restore(&state).unwrap();
        }
        for _ in 0..rng.below(40) {
            env.step(&action(&mut rng), &mut Rng::new(0, "unused")).unwrap();
        }
        let start = env.snapshot();
        let actions: Vec<_> = (0..100).map(|_| action(&mut rng)).collect();
        let run = |env: &mut Gym| -> Vec<Vec<u64>> {
            let step = |a: &[f32; 6]| {
                let r = env.step(a, &mut Rng::new(0, "unused")).unwrap().r;
                bits(&[&env.snapshot()[..], &[r]].concat())
            };
            actions.iter().map(step).collect()
        };
        let first = run(&mut env);
        for env in [&mut env, &mut other] {
            env.restore(&start).unwrap();
            assert_eq!(bits(&env.snapshot()), bits(&start));
            assert!(run(env) == first, "case {case}");
        }
    }
}

/// A simulation that leaves the sound numbers, or an action that is not finite, is an error that names the step, until
/// the next reset; never a silent start from the beginning.
#[test]
fn an_unstable_simulation_is_an_error() {
    let (mut env, mut rng) = (gym(NAMES[0]), Rng::new(0, "unstable"));
    env.reset(&mut rng).unwrap();
    let sound = env.snapshot();
    let expect = |env: &mut Gym, a: &[f32], part: &str| match env.step(a, &mut Rng::new(0, "unused")) {
        Err(EnvError::Unstable { step, what, .. }) => assert!(step > 0 && what.contains(part), "{step}: {what}"),
        other => panic!("{other:?} in place of {part}"),
    };
    for (at, huge, part) in [(1, 1e11, "QPOS"), (12, -1e12, "QVEL"), (12, f64::NAN, "QVEL"), (14, 9e9, "")] {
        let mut state = sound.clone();
        state[at] = huge;
        env.restore(&state).unwrap();
        expect(&mut env, &[0.0; 6], part);
        expect(&mut env, &[0.0; 6], "was not reset");
        env.restore(&sound).unwrap();
        env.step(&[0.0; 6], &mut rng).unwrap();
    }
    for bad in [f32::NAN, f32::INFINITY] {
        expect(&mut env, &[0.0, bad, 0.0, 0.0, 0.0, 0.0], "");
        env.reset(&mut rng).unwrap();
        env.step(&[0.0; 6], &mut rng).unwrap();
    }
}

/// A million steps with extreme actions from extreme states: each is an error, or everything that it brings is finite.
#[test]
#[ignore = "half a minute"]
fn a_million_extreme_steps_are_sound_or_errors() {
    let (mut env, mut rng) = (gym(NAMES[0]), Rng::new(0, "extreme"));
    let (mut unstable, mut o, mut s) = (0, [0.0; 17], [0.0; 17]);
    let extreme = |rng: &mut Rng| rng.normal() * 10f64.powf(rng.range(-3.0, 14.0));
    env.reset(&mut rng).unwrap();
    for _ in 0..1_000_000 {
        if rng.below(20) == 0 {
            env.reset(&mut rng).unwrap();
            let mut state = env.snapshot();
            let at = 1 + rng.below(18);
            state[at] = if rng.below(50) == 0 { f64::NAN } else { extreme(&mut rng) };
            env.restore(&state).unwrap();
        }
        let a: [f32; 6] = std::array::from_fn(|_| extreme(&mut rng) as f32);
        match env.step(&a, &mut rng) {
            Ok(outcome) => {
                env.observe(&mut o, &mut s);
                assert!(outcome.r.is_finite() && s.iter().all(|x| x.is_finite()));
            }
            Err(EnvError::Unstable { .. }) => {
                unstable += 1;
                env.reset(&mut rng).unwrap();
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(unstable > 10_000);
    println!("{unstable} of 1,000,000 steps were unstable");
}

/// Unknown names and options, and a snapshot of another length, are one sentence each.
#[test]
fn nonsense_is_refused() {
    let option = Gym::new(NAMES[1], &toml::toml! { gravity = 3 }).err().unwrap().to_string();
    assert!(option.contains("`gravity`") && option.contains(NAMES[1]), "{option}");
    assert!(Gym::new("Snake-v5", &Options::new()).err().unwrap().to_string().contains("Snake-v5"));
    assert!(gym(NAMES[0]).restore(&[0.0; 3]).is_err());
}

/// The drawing has a capsule for each of the eight limbs and no floor, and moves with the body.
#[test]
fn the_drawing_is_the_body() {
    let mut env = gym(NAMES[0]);
    let shapes = env.shapes();
    let Shape { from, to, radius, .. } = shapes[0];
    for (seen, expected) in
        [(from[0].abs(), 0.5), (from[0] + to[0], 0.0), (from[1], 0.7), (to[1], 0.7), (radius, 0.046)]
    {
        assert!((seen - expected).abs() < 1e-12, "{:?}", shapes[0]);
    }
    assert_eq!(shapes.iter().map(|s| s.part).collect::<Vec<_>>(), [1, 1, 2, 3, 4, 5, 6, 7]);
    let mut state = env.snapshot();
    (state[1], state[2]) = (3.0, 0.25);
    env.restore(&state).unwrap();
    for (moved, shape) in env.shapes().iter().zip(shapes) {
        assert!(
            (moved.from[0] - shape.from[0] - 3.0).abs() < 1e-12 && (moved.to[1] - shape.to[1] - 0.25).abs() < 1e-12
        );
    }
}

/// The bare body makes the same movement, and calls nothing that would change it.
#[test]
fn the_bare_body_moves_alike() {
    let (mut env, mut bare, mut rng) = (gym(NAMES[0]), Bare::new(NAMES[0]).unwrap(), Rng::new(0, "bare"));
    for _ in 0..300 {
        let a = action(&mut rng);
        env.step(&a, &mut rng).unwrap();
        bare.step(&a);
        assert_eq!(bits(&env.snapshot()[POSITIONS]), bits(bare.body().positions()));
    }
}
