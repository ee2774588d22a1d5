//! LocoMuJoCo's numbers, and what the imitation tasks promise.

use s2pg::env::{Env, EnvError, Options, Outcome, check_env};
use s2pg::rng::Rng;
use s2pg_mujoco::{Bare, Loco};
use safetensors::SafeTensors;
use toml::toml;

const TASKS: [&str; 3] = ["HumanoidTorque4Ages.walk", "HumanoidTorque4Ages.run", "Atlas.carry"];

fn loco(name: &str) -> Loco {
    Loco::new(name, &Options::new()).unwrap()
}

fn views(env: &dyn Env) -> (Vec<f32>, Vec<f32>) {
    let (mut o, mut s) = (vec![0.0; env.spec().o.len()], vec![0.0; env.spec().s.len()]);
    env.observe(&mut o, &mut s);
    (o, s)
}

/// The views have the published sizes and order, the policy does not see the kind, and the control step is 10 ms.
#[test]
fn the_views_are_the_published_ones() {
    for (name, o, s, a) in [(TASKS[0], 36, 38, 13), (TASKS[1], 36, 38, 13), (TASKS[2], 30, 31, 10)] {
        let spec = loco(name).spec().clone();
        assert_eq!((spec.o.len(), spec.s.len(), spec.low.len(), spec.horizon), (o, s, a, 1000), "{name}");
        assert!(spec.s[..o] == spec.o && (spec.dt - 0.01).abs() < 1e-15);
        assert!(spec.low.iter().all(|&low| low == -1.0) && spec.high.iter().all(|&high| high == 1.0));
    }
    let spec = loco(TASKS[0]).spec().clone();
    let named =
        [(0, "pelvis_ty"), (7, "knee_angle_r"), (14, "lumbar_extension"), (17, "v_pelvis_tx"), (18, "v_pelvis_tz")];
    for (i, name) in named.into_iter().chain([(19, "v_pelvis_ty"), (35, "v_lumbar_rotation"), (36, "size_bit_1")]) {
        assert_eq!(spec.s[i], name);
    }
    let spec = loco(TASKS[2]).spec().clone();
    for (i, name) in [(9, "hip_flexion_l"), (14, "v_pelvis_tx"), (29, "v_ankle_angle_l"), (30, "weight")] {
        assert_eq!(spec.s[i], name);
    }
}

/// Each kind is drawn as often as every other, and every one of one size where that is asked for; a uniform weight fills
/// its range.
#[test]
fn every_kind_is_drawn() {
    let kinds = |env: &mut Loco, n: usize| {
        let (mut rng, hidden) = (Rng::new(0, "kinds"), env.spec().o.len());
        let mut draw = || {
            env.reset(&mut rng).unwrap();
            views(env).1.split_off(hidden)
        };
        (0..n).map(|_| draw()).collect::<Vec<_>>()
    };
    let people = kinds(&mut loco(TASKS[0]), 400);
    for bits in [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]] {
        assert!((60..140).contains(&people.iter().filter(|kind| kind[..] == bits).count()), "{bits:?}");
    }
    for (size, bits) in
        [("toddler", [0.0, 0.0]), ("child", [0.0, 1.0]), ("teenager", [1.0, 0.0]), ("adult", [1.0, 1.0])]
    {
        let options = Options::from_iter([("size".to_string(), size.into())]);
        assert!(kinds(&mut Loco::new(TASKS[1], &options).unwrap(), 5).iter().all(|kind| kind[..] == bits), "{size}");
    }
    let weights = kinds(&mut loco(TASKS[2]), 400);
    for weight in [0.1f32, 1.0, 5.0, 10.0] {
        assert!((60..140).contains(&weights.iter().filter(|kind| kind[0] == weight).count()), "{weight} kg");
    }
    let mut weights = kinds(&mut Loco::new(TASKS[2], &toml! { weights = "uniform" }).unwrap(), 400);
    weights.sort_by(|x, y| x[0].total_cmp(&y[0]));
    assert!(weights[0][0] >= 0.1 && weights[0][0] < 0.3 && weights[399][0] > 9.7 && weights[399][0] <= 10.0);
    assert!((weights[200][0] - 5.05).abs() < 1.0);
}

/// The imitation tasks keep what an environment owes to a trainer, of one kind as of all.
#[test]
fn the_tasks_keep_the_contract() {
    let weights = toml! { weights = "uniform" };
    let options = [toml! { size = "toddler" torque_scale_exponent = 3 }, Options::new(), weights];
    for (name, options) in TASKS.into_iter().zip(options) {
        for check in check_env(&|| Ok(Box::new(Loco::new(name, &options)?))).unwrap() {
            let unlimited = check.what.contains("truncated at the horizon");
            assert!(unlimited || check.complaint.is_none(), "{name}, {options}: {}: {:?}", check.what, check.complaint);
        }
    }
}

/// A snapshot brings back the kind, and one of a kind that the task does not have is refused in a sentence.
#[test]
fn a_snapshot_holds_the_kind() {
    for name in TASKS {
        let (mut env, mut other, mut rng) = (loco(name), loco(name), Rng::new(1, "snapshot"));
        for _ in 0..20 {
            env.reset(&mut rng).unwrap();
            other.restore(&env.snapshot()).unwrap();
            assert_eq!(views(&env), views(&other));
            let a: Vec<f32> = env.spec().low.iter().map(|_| rng.range(-1.5, 1.5) as f32).collect();
            assert_eq!(env.step(&a, &mut rng).unwrap(), other.step(&a, &mut rng).unwrap());
            assert_eq!((views(&env), env.snapshot()), (views(&other), other.snapshot()));
        }
        let sound = env.snapshot();
        for (from_end, bad) in [(4, 4.0), (4, f64::NAN), (4, 0.5), (3, -1.0), (3, f64::NAN)] {
            let mut state = sound.clone();
            let at = state.len() - from_end;
            state[at] = bad;
            let error = env.restore(&state).unwrap_err().to_string();
            assert!(error.contains("which this task does not have") && !error.contains('\n'), "{error}");
        }
        assert!(env.restore(&sound[1..]).is_err());
    }
    let mut toddler = Loco::new(TASKS[0], &toml! { size = "toddler" }).unwrap();
    let adult = Loco::new(TASKS[0], &toml! { size = "adult" }).unwrap();
    assert!(toddler.restore(&adult.snapshot()).is_err());
}

/// The reward is of the velocity before the step and of the size, and a body terminates where it leaves its bounds.
#[test]
fn rewards_and_falls_follow_the_definition() {
    let mut rng = Rng::new(0, "definition");
    for (name, velocity, size) in [(TASKS[0], 1.25, "child"), (TASKS[1], 2.5, "child"), (TASKS[2], 1.25, "")] {
        let options = if size.is_empty() {
            Options::new()
        } else {
            toml! { size = "child" }
        };
        let mut env = Loco::new(name, &options).unwrap();
        let n = env.spec().o.len() / 2 + 1;
        let scale = if size.is_empty() { 1.0 } else { 0.6 };
        let mut state = env.snapshot();
        let a = vec![0.0; env.spec().low.len()];
        state[1 + n] = 0.7;
        env.restore(&state).unwrap();
        let Outcome { r, terminated, truncated } = env.step(&a, &mut rng).unwrap();
        assert!(
            (r - (-(0.7 - velocity * scale as f64).powi(2)).exp()).abs() < 1e-12 && !terminated && !truncated,
            "{name}"
        );
        for (joint, most) in [(2, 0.1), (3, 0.2618), (4, 0.3927)] {
            for (beyond, falls) in [(0.97, false), (1.05, true)] {
                let mut state = env.snapshot();
                state[1..1 + 2 * n].fill(0.0);
                state[3] = 0.09;
                state[1 + joint] = most * beyond;
                env.restore(&state).unwrap();
                let outcome = env.step(&a, &mut rng).unwrap();
                assert_eq!(outcome.terminated, falls, "{name}: {joint} at {beyond} of {most}");
            }
        }
    }
}

/// Unknown names, options and words are one sentence each.
#[test]
fn nonsense_is_refused() {
    let error = |name: &str, options: Options| Loco::new(name, &options).err().unwrap().to_string();
    for (sentence, parts) in [
        (error("HumanoidTorque4Ages.fly", Options::new()), ["HumanoidTorque4Ages.fly", "Atlas.carry"]),
        (error(TASKS[0], toml! { weights = "uniform" }), ["`weights`", "torque_scale_exponent"]),
        (error(TASKS[0], toml! { size = "giant" }), ["\"giant\"", "\"toddler\""]),
        (error(TASKS[1], toml! { torque_scale_exponent = 2.5 }), ["`torque_scale_exponent` is 2.5", "2 or 3"]),
        (error(TASKS[2], toml! { weights = 3 }), ["`weights` is 3", "\"discrete\""]),
    ] {
        assert!(parts.iter().all(|part| sentence.contains(part)) && !sentence.contains('\n'), "{sentence}");
    }
}

/// Every body can be drawn, a toddler below an adult, and the bare body makes the same movement.
#[test]
fn the_bodies_are_drawn_and_move_alike() {
    let height = |name: &str, options: &Options| {
        let shapes = Loco::new(name, options).unwrap().shapes();
        assert!(shapes.len() >= 15, "{name}");
        shapes.iter().fold(0f64, |most, shape| most.max(shape.from[1].max(shape.to[1]) + shape.radius))
    };
    let tall = height(TASKS[0], &toml! { size = "adult" });
    let small = height(TASKS[0], &toml! { size = "toddler" });
    assert!((1.7..1.9).contains(&tall) && (0.75..0.95).contains(&small), "{tall} m and {small} m");
    assert!((1.8..2.1).contains(&height(TASKS[2], &Options::new())));
    for name in TASKS {
        let (mut env, mut bare, mut rng) = (loco(name), Bare::new(name).unwrap(), Rng::new(0, "bare"));
        for _ in 0..30 {
            let a: Vec<f32> = env.spec().low.iter().map(|_| rng.range(-1.0, 1.0) as f32).collect();
            env.step(&a, &mut rng).unwrap();
            bare.step(&a);
            let n = bare.body().positions().len();
            assert_eq!(env.snapshot()[1..1 + n], *bare.body().positions());
        }
    }
}

/// Actions that are no numbers make the step unstable, and the next reset mends it.
#[test]
fn what_is_unstable_is_an_error() {
    for name in TASKS {
        let (mut env, mut rng) = (loco(name), Rng::new(0, "unstable"));
        env.reset(&mut rng).unwrap();
        let a = vec![f32::NAN; env.spec().low.len()];
        assert!(matches!(env.step(&a, &mut rng), Err(EnvError::Unstable { step: 1, .. })), "{name}");
        env.reset(&mut rng).unwrap();
        env.step(&vec![0.0; a.len()], &mut rng).unwrap();
    }
}

/// Steps from random poses of every kind bring LocoMuJoCo's observations, rewards and falls: without contacts, and with
/// the feet on the floor.
#[test]
fn steps_are_locomujocos() {
    let files: [&[u8]; 3] = [
        include_bytes!("golden/loco_walk.safetensors"),
        include_bytes!("golden/loco_run.safetensors"),
        include_bytes!("golden/loco_carry.safetensors"),
    ];
    for (name, golden) in TASKS.into_iter().zip(files) {
        let file = SafeTensors::deserialize(golden).unwrap();
        let numbers = |name: String| -> Vec<f64> {
            file.tensor(&name).unwrap().data().as_chunks().0.iter().map(|&x| f64::from_le_bytes(x)).collect()
        };
        let (mut env, mut rng) = (loco(name), Rng::new(0, "unused"));
        let mut worst = [0f64; 2];
        for kind in 0..4 {
            let [before, actions, after, rewards, falls, free] =
                ["before", "actions", "after", "rewards", "falls", "free"]
                    .map(|name| numbers(format!("{kind}.{name}")));
            while env.snapshot()[env.snapshot().len() - 4] != kind as f64 {
                env.reset(&mut rng).unwrap();
            }
            let state = env.snapshot();
            let (width, motors) = (before.len() / rewards.len(), actions.len() / rewards.len());
            let seen = after.len() / rewards.len();
            for (i, start) in before.chunks(width).enumerate() {
                // The rest of the state of a simulation is what it was after a reset.
                let mut state = state.clone();
                state[1..1 + width].copy_from_slice(start);
                env.restore(&state).unwrap();
                let a: Vec<f32> = actions[motors * i..motors * (i + 1)].iter().map(|&a| a as f32).collect();
                let outcome = env.step(&a, &mut rng).unwrap();
                assert!((outcome.r - rewards[i]).abs() < 1e-15, "{name}, kind {kind}, step {i}: {}", outcome.r);
                assert_eq!(outcome.terminated, falls[i] == 1.0, "{name}, kind {kind}, step {i}");
                let (mut ours, (_, s)) = (env.snapshot()[3..1 + width].to_vec(), views(&env));
                assert!(s.iter().zip(&ours).all(|(&s, &x)| s == x as f32));
                ours.extend(s[width - 2..].iter().map(|&x| (x as f64 * 1e6).round() / 1e6));
                assert_eq!(ours.len(), seen);
                for (x, y) in ours.iter().zip(&after[seen * i..seen * (i + 1)]) {
                    let error = (x - y).abs() / (1.0 + y.abs());
                    worst[free[i] as usize] = worst[free[i] as usize].max(error);
                }
            }
        }
        println!("{name}: largest difference {:.1e} on the floor, {:.1e} without contacts", worst[0], worst[1]);
        assert!(worst.into_iter().all(|worst| worst < 1e-12), "{name}");
    }
}
