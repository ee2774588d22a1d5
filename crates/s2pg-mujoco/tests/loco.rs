//! LocoMuJoCo's numbers, and what the imitation tasks promise.

use std::f64::consts::PI;
use std::path::{Path, PathBuf};

use s2pg::data::npz::{self, Limits};
use s2pg::data::npz_writer::{self, Column};
use s2pg::env::{Env, EnvError, Options, Outcome, check_env};
use s2pg::rng::Rng;
use s2pg_mujoco::{Bare, Demonstrations, Loco};
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

/// Each kind is drawn as often as every other, and every one of one size where that is asked for; a uniform weight
/// fills its range.
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
        let scale: f64 = if size.is_empty() { 1.0 } else { 0.6 };
        let mut state = env.snapshot();
        let a = vec![0.0; env.spec().low.len()];
        state[1 + n] = 0.7;
        env.restore(&state).unwrap();
        let Outcome { r, terminated, truncated } = env.step(&a, &mut rng).unwrap();
        assert!((r - (-(0.7 - scale * velocity).powi(2)).exp()).abs() < 1e-12 && !terminated && !truncated, "{name}");
        for (joint, most) in [(2, 0.1), (3, PI / 12.0), (4, PI / 8.0)] {
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

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The numbers of the tensor `name` of a recorded file.
fn recorded(file: &str, name: &str) -> Vec<f64> {
    let bytes = std::fs::read(golden(file)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.tensor(name).unwrap().data().as_chunks().0.iter().map(|&x| f64::from_le_bytes(x)).collect()
}

/// A path for a file of a test.
fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn with_demos(path: &Path, more: Options) -> Options {
    let mut options = more;
    options.insert("demos".into(), path.to_str().unwrap().into());
    options
}

/// Motion capture becomes the states that LocoMuJoCo makes of it: interpolated to the control rate, in pairs of one
/// trajectory, of each size in turn.
#[test]
fn motion_capture_becomes_locomujocos_states() {
    for (task, file, count, copies) in [(TASKS[0], "capture_people", 8, 1), (TASKS[2], "capture_atlas", 1, 4)] {
        let demos = Demonstrations::read(task, &golden(&format!("{file}.npz"))).unwrap();
        assert_eq!(demos.counts(), (count, count * 7));
        let path = scratch(&format!("{file}.npz"));
        std::fs::write(&path, demos.to_npz()).unwrap();
        let arrays = npz::read(&path, Limits::default()).unwrap();
        let array = |name: &str| &arrays.iter().find(|(known, _)| known == name).unwrap().1;
        let spec = loco(task).spec().clone();
        for name in ["states", "next_states"] {
            let theirs = recorded(&format!("{file}.safetensors"), name);
            let n = theirs.len() / spec.o.len();
            assert_eq!(array(name).shape, [copies * n, spec.s.len()]);
            for (i, row) in array(name).data.chunks(spec.s.len()).enumerate() {
                let (seen, hidden) = row.split_at(spec.o.len());
                let theirs = &theirs[i % n * spec.o.len()..][..spec.o.len()];
                assert!(seen.iter().zip(theirs).all(|(x, y)| (x - y).abs() < 1e-7), "{file}, {name}, row {i}");
                let kind = i / (copies * n / 4);
                match copies {
                    1 => assert_eq!(hidden, [(kind / 2) as f64, (kind % 2) as f64]),
                    _ => assert_eq!(hidden, [[0.1f32, 1.0, 5.0, 10.0][kind] as f64]),
                }
            }
        }
        let last = recorded(&format!("{file}.safetensors"), "last").repeat(copies);
        assert_eq!(array("last").data, last);
        assert!(array("absorbing").data.iter().all(|&x| x == 0.0));
    }
}

/// Episodes start at every moment of the demonstrations of their kind and at no other, forward and sideways at 0; from
/// motion capture, and from the steps that are made of it.
#[test]
fn episodes_start_in_demonstrations() {
    let mut rng = Rng::new(0, "starts");
    for (task, file, motions) in [(TASKS[1], "capture_people", 2), (TASKS[2], "capture_atlas", 1)] {
        let steps = scratch(&format!("starts_{file}.npz"));
        std::fs::write(&steps, Demonstrations::read(task, &golden(&format!("{file}.npz"))).unwrap().to_npz()).unwrap();
        for (path, moments, tolerance) in [(golden(&format!("{file}.npz")), 7, 1e-12), (steps, 6, 1e-7)] {
            let mut env = Loco::new(task, &with_demos(&path, Options::new())).unwrap();
            let n = env.spec().o.len();
            // All moments are the states and, after the last of a trajectory, the next state.
            let (states, next) = ("states", "next_states");
            let of = |name| recorded(&format!("{file}.safetensors"), name);
            let (states, next) = (of(states), of(next));
            let mut seen = vec![0; states.len() / n / 6 * 7];
            for _ in 0..4000 {
                env.reset(&mut rng).unwrap();
                let (state, kind) = (env.snapshot(), env.snapshot()[env.snapshot().len() - 4] as usize);
                assert_eq!(state[1..3], [0.0; 2]);
                let start = &state[3..3 + n];
                let trajectories = if motions == 2 { 2 * kind..2 * kind + 2 } else { 0..1 };
                let found = trajectories.flat_map(|t| (0..7).map(move |i| (t, i))).find(|&(t, i)| {
                    let row = if i < 6 { &states[(6 * t + i) * n..] } else { &next[(6 * t + 5) * n..] };
                    start.iter().zip(row).all(|(x, y)| (x - y).abs() < tolerance)
                });
                let (t, i) = found.unwrap_or_else(|| panic!("{file}: {start:?} is no moment of kind {kind}"));
                seen[7 * t + i] += 1;
            }
            let missed = seen.iter().enumerate().filter(|(i, n)| i % 7 < moments && **n == 0).count();
            assert_eq!(missed, 0, "{file}: {seen:?}");
        }
    }
}

/// Demonstrations of one size start episodes of that size, and the environment keeps its contract with them.
#[test]
fn demonstrations_may_be_of_one_size() {
    let path = golden("capture_people.npz");
    let child = Loco::new(TASKS[0], &with_demos(&path, toml! { size = "child" })).unwrap();
    let one = Loco::new(TASKS[0], &with_demos(&path, toml! { size = "child" demos_sizes = "one" })).unwrap();
    let rows = |mut env: Loco| {
        let mut rng = Rng::new(0, "one");
        let start = |_| {
            env.reset(&mut rng).unwrap();
            env.snapshot()[3..39].iter().map(|x| x.to_bits()).collect::<Vec<_>>()
        };
        (0..1000).map(start).collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!((rows(child), rows(one)), (14, 56));
    let options = with_demos(&golden("capture_atlas.npz"), toml! { weights = "uniform" });
    for check in check_env(&|| Ok(Box::new(Loco::new(TASKS[2], &options)?))).unwrap() {
        assert!(check.what.contains("truncated at the horizon") || check.complaint.is_none(), "{}", check.what);
    }
}

/// Demonstrations that do not fit are one sentence with the file and the array.
#[test]
fn demonstrations_that_do_not_fit_are_refused() {
    let error = |name: &str, options: Options| Loco::new(name, &options).err().unwrap().to_string();
    let people = golden("capture_people.npz");
    let file = |name: &str, columns: &[(&str, Column<'_>)]| {
        let path = scratch(name);
        std::fs::write(&path, npz_writer::npz(columns)).unwrap();
        with_demos(&path, Options::new())
    };
    let narrow = file("narrow.npz", &[("states", Column::Numbers(&[0.0; 6], 3)), ("last", Column::Flags(&[true; 2]))]);
    let bits = file("bits.npz", &[("states", Column::Numbers(&[0.5; 38], 38)), ("last", Column::Flags(&[true]))]);
    let nan = file("nan.npz", &[("states", Column::Numbers(&[f32::NAN; 31], 31)), ("last", Column::Flags(&[true]))]);
    let long = file("long.npz", &[("states", Column::Numbers(&[0.0; 31], 31)), ("last", Column::Flags(&[true; 2]))]);
    let toddler = file("toddler.npz", &[("states", Column::Numbers(&[0.0; 38], 38)), ("last", Column::Flags(&[true]))]);
    let wide = [0.0; 40];
    let joints: Vec<String> = loco(TASKS[2])
        .spec()
        .o
        .iter()
        .map(|o| match o.strip_prefix("v_") {
            Some(joint) => format!("dq_{joint}"),
            None => format!("q_{o}"),
        })
        .collect();
    let mut columns: Vec<_> = joints.iter().map(|name| (&name[..], Column::Wide(&wide))).collect();
    columns.push(("split_points", Column::Wide(&[0.0, 35.0, 40.0])));
    let splits = file("splits.npz", &columns);
    columns.pop();
    columns[3].1 = Column::Wide(&wide[..39]);
    let uneven = file("uneven.npz", &columns);
    for (sentence, parts) in [
        (error(TASKS[0], with_demos(Path::new("/nowhere.npz"), Options::new())), ["/nowhere.npz", "No such file"]),
        (
            error(TASKS[0], with_demos(&golden("capture_atlas.npz"), Options::new())),
            ["capture_atlas.npz", "`q_lumbar_extension`"],
        ),
        (error(TASKS[0], narrow), ["narrow.npz: its array `states` has the shape (2, 3)", "38 numbers"]),
        (error(TASKS[0], bits), ["bits.npz: row 0", "bits of a size"]),
        (error(TASKS[2], nan), ["nan.npz: entry 0 of its array `states` is NaN", "finite"]),
        (error(TASKS[2], long), ["long.npz: its array `last` has 2 entries", "1 rows"]),
        (error(TASKS[0], toddler), ["none of the size \"child\"", "add some"]),
        (error(TASKS[2], splits), ["splits.npz: its array `split_points`", "rise from 0"]),
        (error(TASKS[2], uneven), ["uneven.npz: its array `q_pelvis_rotation` has the shape (39)", "40 numbers"]),
        (error(TASKS[0], toml! { demos = 3 }), ["`demos`", "a list of them"]),
        (error(TASKS[0], toml! { demos = [] }), ["`demos`", "a list of them"]),
        (error(TASKS[0], with_demos(&people, toml! { demos_sizes = "one" })), ["`demos_sizes = \"one\"`", "`size`"]),
        (Demonstrations::read("Ant-v5", &people).err().unwrap().to_string(), ["Ant-v5", "imitation"]),
    ] {
        assert!(parts.iter().all(|part| sentence.contains(part)) && !sentence.contains('\n'), "{sentence}");
    }
}

/// 50,000 steps with extreme actions from extreme states, in each task: each is an error, or everything that it brings
/// is finite.
#[test]
#[ignore = "minutes"]
fn extreme_steps_are_sound_or_errors() {
    for name in TASKS {
        let (mut env, mut rng, mut unstable) = (loco(name), Rng::new(0, "extreme"), 0);
        let extreme = |rng: &mut Rng| rng.normal() * 10f64.powf(rng.range(-3.0, 14.0));
        env.reset(&mut rng).unwrap();
        for _ in 0..50_000 {
            if rng.below(20) == 0 {
                env.reset(&mut rng).unwrap();
                let mut state = env.snapshot();
                let at = 1 + rng.below(env.spec().o.len() + 2);
                state[at] = if rng.below(50) == 0 { f64::NAN } else { extreme(&mut rng) };
                env.restore(&state).unwrap();
            }
            let a: Vec<f32> = env.spec().low.iter().map(|_| extreme(&mut rng) as f32).collect();
            match env.step(&a, &mut rng) {
                Ok(outcome) => assert!(outcome.r.is_finite() && views(&env).1.iter().all(|x| x.is_finite()), "{name}"),
                Err(EnvError::Unstable { .. }) => {
                    unstable += 1;
                    env.reset(&mut rng).unwrap();
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert!(unstable > 50);
        println!("{name}: {unstable} of 50,000 steps were unstable");
    }
}
