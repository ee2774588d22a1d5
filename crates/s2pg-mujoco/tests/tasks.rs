//! Gymnasium's numbers, the published masks, and what every task on MuJoCo promises.

use std::ops::Range;

use s2pg::env::{Env, EnvError, Options, Outcome, Registry, Shape, check_env};
use s2pg::rng::Rng;
use s2pg_mujoco::{Bare, Gym, entries};
use safetensors::SafeTensors;
use toml::toml;

/// A body with its two tasks.
struct Case {
    golden: &'static [u8],
    full: &'static str,
    partial: &'static str,
    /// Numbers of positions, of those that are not seen, and of velocities.
    sizes: [usize; 3],
    /// Entries of `s`, seen and partially observed, of the action, and of `o` in each suite.
    spec: [usize; 6],
    largest_action: f32,
    dt: f64,
    /// The largest start of a position, and the normal deviation of a velocity (0: as positions).
    noise: (f64, f64),
    healthy_reward: f64,
}

macro_rules! golden {
    ($name:literal) => {
        include_bytes!(concat!("golden/", $name, ".safetensors"))
    };
}

const CASES: [Case; 6] = [
    Case {
        golden: golden!("half_cheetah"),
        full: "HalfCheetah-v5",
        partial: "HalfCheetahPOMDP-v3",
        sizes: [9, 1, 9],
        spec: [17, 17, 6, 8, 8, 8],
        largest_action: 1.0,
        dt: 0.05,
        noise: (0.1, 0.1),
        healthy_reward: 0.0,
    },
    Case {
        golden: golden!("ant"),
        full: "Ant-v5",
        partial: "AntPOMDP-v3",
        sizes: [15, 2, 14],
        spec: [105, 111, 8, 97, 97, 97],
        largest_action: 1.0,
        dt: 0.05,
        noise: (0.1, 0.1),
        healthy_reward: 1.0,
    },
    Case {
        golden: golden!("hopper"),
        full: "Hopper-v5",
        partial: "HopperPOMDP-v3",
        sizes: [6, 1, 6],
        spec: [11, 11, 3, 5, 5, 5],
        largest_action: 1.0,
        dt: 0.008,
        noise: (5e-3, 0.0),
        healthy_reward: 1.0,
    },
    Case {
        golden: golden!("humanoid"),
        full: "Humanoid-v5",
        partial: "HumanoidPOMDP-v3",
        sizes: [24, 2, 23],
        spec: [348, 376, 17, 129, 353, 106],
        largest_action: 0.4,
        dt: 0.015,
        noise: (0.01, 0.0),
        healthy_reward: 5.0,
    },
    Case {
        golden: golden!("walker2d"),
        full: "Walker2d-v5",
        partial: "Walker2dPOMDP-v3",
        sizes: [9, 1, 9],
        spec: [17, 17, 6, 8, 8, 8],
        largest_action: 1.0,
        dt: 0.008,
        noise: (5e-3, 0.0),
        healthy_reward: 1.0,
    },
    Case {
        golden: golden!("inverted_pendulum"),
        full: "InvertedPendulum-v5",
        partial: "InvertedPendulumPOMDP-v2",
        sizes: [2, 0, 2],
        spec: [4, 4, 1, 2, 2, 2],
        largest_action: 3.0,
        dt: 0.04,
        noise: (0.01, 0.0),
        healthy_reward: 1.0,
    },
];

impl Case {
    /// Where positions are in a snapshot, after the time.
    fn positions(&self) -> Range<usize> {
        1..1 + self.sizes[0]
    }

    fn velocities(&self) -> Range<usize> {
        1 + self.sizes[0]..1 + self.sizes[0] + self.sizes[2]
    }

    fn action(&self, rng: &mut Rng) -> Vec<f32> {
        (0..self.spec[2]).map(|_| self.largest_action * rng.range(-1.5, 1.5) as f32).collect()
    }
}

fn gym(name: &str) -> Gym {
    Gym::new(name, &Options::new()).unwrap()
}

fn bits(x: &[f64]) -> Vec<u64> {
    x.iter().map(|x| x.to_bits()).collect()
}

fn views(env: &dyn Env) -> (Vec<f32>, Vec<f32>) {
    let (mut o, mut s) = (vec![0.0; env.spec().o.len()], vec![0.0; env.spec().s.len()]);
    env.observe(&mut o, &mut s);
    (o, s)
}

fn unused() -> Rng {
    Rng::new(0, "unused")
}

fn numbers(file: &SafeTensors, name: &str) -> Vec<f64> {
    file.tensor(name).unwrap().data().as_chunks().0.iter().map(|&x| f64::from_le_bytes(x)).collect()
}

/// From one state, 200 random actions bring Gymnasium's observations, rewards and terminations to the last bit. Without
/// what the publication's tasks leave out, theirs are the same, but for the reward of being upright that they pay for a
/// fall.
#[test]
fn rollouts_are_gymnasiums() {
    for case in &CASES {
        let golden = SafeTensors::deserialize(case.golden).unwrap();
        let actions = golden.tensor("actions").unwrap();
        let actions: Vec<f32> = actions.data().as_chunks().0.iter().map(|&x| f32::from_le_bytes(x)).collect();
        let (observations, rewards) = (numbers(&golden, "observations"), numbers(&golden, "rewards"));
        let terminated = golden.tensor("terminated").unwrap().data().to_vec();
        assert!(rewards.len() == 200 && actions.iter().any(|a| a.abs() > case.largest_action));
        let n = case.spec[0];
        let mut start = [&numbers(&golden, "state")[..], &numbers(&golden, "place"), &[0.0, 0.0]].concat();
        let blocks = start.len();
        let seen = case.sizes[0] - case.sizes[1] + case.sizes[2];
        start.extend(&observations[seen..n]);

        let mut env = gym(case.full);
        env.restore(&start).unwrap();
        let check = |env: &Gym, expected: &[f64]| {
            let state = env.snapshot();
            let clip = if case.dt == 0.008 { 10.0 } else { f64::INFINITY };
            let mut found = state[case.positions()][case.sizes[1]..].to_vec();
            found.extend(state[case.velocities()].iter().map(|v| v.clamp(-clip, clip)));
            found.extend(&state[blocks..]);
            assert_eq!(bits(&found), bits(expected), "{}", case.full);
            let (o, s) = views(env);
            assert_eq!(s, expected.iter().map(|&x| x as f32).collect::<Vec<_>>());
            assert_eq!(o, s);
        };
        check(&env, &observations[..n]);

        let touched = ["AntPOMDP-v3", "HumanoidPOMDP-v3"].contains(&case.partial);
        let options = if touched {
            toml! { zero_contact_forces = false }
        } else {
            Options::new()
        };
        let mut partial = Gym::new(case.partial, &options).unwrap();
        let mut state = partial.snapshot();
        state[..blocks].copy_from_slice(&start[..blocks]);
        partial.restore(&state).unwrap();

        for (t, a) in actions.chunks(case.spec[2]).enumerate() {
            let outcome = env.step(a, &mut unused()).unwrap();
            assert_eq!(outcome.r.to_bits(), rewards[t].to_bits(), "{}, reward of step {t}", case.full);
            assert_eq!((outcome.terminated, outcome.truncated), (terminated[t] != 0, false), "{}, step {t}", case.full);
            check(&env, &observations[n * (t + 1)..n * (t + 2)]);
            if case.partial == "Walker2dPOMDP-v3" {
                continue; // It has another right foot.
            }
            let fall = if outcome.terminated { case.healthy_reward } else { 0.0 };
            let Outcome { r, terminated, .. } = partial.step(a, &mut unused()).unwrap();
            assert!(
                (r - outcome.r - fall).abs() < 1e-12 && terminated == outcome.terminated,
                "{}, step {t}",
                case.partial
            );
            if fall == 0.0 {
                assert_eq!(r.to_bits(), outcome.r.to_bits());
            }
            let (names, s) = (&partial.spec().s, views(&partial).1);
            let common = |(x, name): (f32, &String)| env.spec().s.contains(name).then_some(x);
            let common: Vec<f32> = s.into_iter().zip(names).filter_map(common).collect();
            assert_eq!(common, views(&env).1, "{}, step {t}", case.partial);
        }
    }
}

/// Sizes, order and masks of the publication's observations are the recorded ones, with and without varying masses, in
/// the suites of PPO (seen by a policy with memory) and of SAC and TD3.
#[test]
fn golden_masks() {
    let file = SafeTensors::deserialize(include_bytes!("golden/envs_mujoco_masks/tensors.safetensors")).unwrap();
    let tolerances: toml::Table = {
        let text = include_str!("golden/envs_mujoco_masks/tolerances.json");
        serde_json::from_str(text).unwrap()
    };
    let atol = |name: &str| tolerances[name]["atol"].as_float().unwrap();
    for case in &CASES[..5] {
        let body = case.full.trim_end_matches("-v5");
        let name = |part: &str| format!("{body}.{part}");
        let dims = file.tensor(&name("dims")).unwrap();
        let dims: Vec<_> = dims.data().as_chunks().0.iter().map(|&x| i64::from_le_bytes(x) as usize).collect();
        let [positions, velocities, bodies, motors, s, s_masses, o_privileged, o_ppo] = dims[..] else { panic!() };

        let ppo = gym(case.partial);
        let sac = Gym::new(case.partial, &toml! { suite = "privileged" masses = "discrete" }).unwrap();
        assert_eq!([positions, velocities], [case.sizes[0], case.sizes[2]]);
        assert_eq!([motors, s, o_ppo], [ppo.spec().low.len(), ppo.spec().s.len(), ppo.spec().o.len()]);
        assert_eq!([s_masses, o_privileged], [sac.spec().s.len(), sac.spec().o.len()]);
        assert_eq!(bodies, sac.spec().s.iter().filter(|name| name.starts_with("mass_")).count());

        for (env, mask) in [(&ppo, "mask_onpolicy"), (&sac, "mask_offpolicy")] {
            let seen = |name: &String| env.spec().o.contains(name) as u8;
            let ours: Vec<u8> = env.spec().s.iter().map(seen).collect();
            assert_eq!(ours, file.tensor(&name(mask)).unwrap().data(), "{body}, {mask}");
        }

        // What the simulation holds is numbered through: the observation says what goes where.
        let mut env = ppo;
        let mut state = env.snapshot();
        let count = positions + velocities;
        state[1..=count].iter_mut().enumerate().for_each(|(i, x)| *x = i as f64);
        let all = [10 * bodies, 6 * bodies, velocities, 6 * bodies];
        let shown = match body {
            "Ant" => count + all[..3].iter().sum::<usize>()..count + all.iter().sum::<usize>(),
            "Humanoid" => count..count + all.iter().sum::<usize>(),
            _ => 0..0,
        };
        let blocks = state.len() - shown.len();
        state[blocks..].iter_mut().zip(shown).for_each(|(x, i)| *x = i as f64);
        env.restore(&state).unwrap();
        let (o, s) = views(&env);
        for (ours, name) in [(s, name("obs_order_full")), (o, name("obs_order_onpolicy"))] {
            let theirs = numbers(&file, &name);
            assert_eq!(ours.len(), theirs.len());
            let equal = |(x, y): (&f32, &f64)| (*x as f64 - y).abs() <= atol(&name);
            assert!(ours.iter().zip(&theirs).all(equal), "{name}: {ours:?}");
        }
    }
}

/// Every task has the published sizes, ranges, horizon and control step; names are unique, and `o` is a part of `s`.
#[test]
fn the_registered_tasks_are_the_published_ones() {
    let mut registry = Registry::new();
    registry.extend(entries());
    for case in &CASES {
        let [full, partial, motors, ppo, memoryless, privileged] = case.spec;
        let mut tasks = vec![(case.full, Options::new(), full, full), (case.partial, Options::new(), ppo, partial)];
        if case.healthy_reward != 1.0 || case.sizes[0] > 2 {
            tasks.push((case.partial, toml! { suite = "ppo" }, ppo, partial));
            tasks.push((case.partial, toml! { suite = "ppo-memoryless" }, memoryless, partial));
            tasks.push((case.partial, toml! { suite = "privileged" }, privileged, partial));
        }
        for (name, options, o, s) in tasks {
            let env = registry.make(name, &options).unwrap();
            let spec = env.spec().clone();
            assert_eq!((&spec.name[..], spec.horizon), (name, 1000));
            assert_eq!((spec.o.len(), spec.s.len()), (o, s), "{name}, {options}");
            assert!((spec.dt - case.dt).abs() < 1e-15);
            let largest = vec![case.largest_action; motors];
            assert_eq!((spec.low, &spec.high), (largest.iter().map(|x| -x).collect(), &largest));
            let mut names = spec.s.clone();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), s, "{name}");
            assert!(spec.o.iter().all(|o| names.binary_search(o).is_ok()));
            if name == case.partial {
                assert!(!spec.o.iter().any(|o| o.starts_with("v_")), "{name}");
            }
            let [masses, plain] = ["discrete", "none"].map(|kind| {
                let mut options = options.clone();
                options.insert("masses".into(), kind.into());
                registry.make(name, &options).unwrap().spec().clone()
            });
            assert_eq!((&plain.o, &plain.s), (&spec.o, &spec.s));
            let bodies = masses.s.len() - s;
            assert!(masses.s[..s] == spec.s && masses.s[s] == "mass_world" && bodies > 2);
            assert_eq!(masses.o.len() - o, if name == case.full { bodies } else { 0 });
        }
    }
    let names = gym("HumanoidPOMDP-v3").spec().s.clone();
    let expected = ["z", "v_x", "com_inertia_world_xx", "com_inertia_left_lower_arm_m", "com_velocity_world_wx"];
    let expected = expected.into_iter().chain(["actuator_forces_x", "actuator_forces_left_elbow"]);
    for (name, at) in
        expected.chain(["external_contact_forces_left_lower_arm_fz"]).zip([0, 22, 45, 184, 185, 269, 291, 375])
    {
        assert_eq!(names[at], name);
    }
}

/// An episode is cut at 1000 steps and only there, and its distance is the integral of the velocity that is rewarded.
#[test]
fn an_episode_is_1000_steps() {
    let mut registry = Registry::new();
    registry.extend(entries());
    for case in &CASES[..1] {
        for name in [case.full, case.partial] {
            let (mut env, mut rng) = (registry.make(name, &Options::new()).unwrap(), Rng::new(3, name));
            env.reset(&mut rng).unwrap();
            let mut distance = 0.0;
            for t in 1..=1000 {
                let a = case.action(&mut rng);
                let outcome = env.step(&a, &mut rng).unwrap();
                distance += 0.05 * (outcome.r + 0.1 * a.iter().map(|&a| (a as f64).powi(2)).sum::<f64>());
                assert_eq!((outcome.terminated, outcome.truncated), (false, t == 1000));
            }
            let [("distance", reported)] = env.metrics()[..] else { panic!("{:?}", env.metrics()) };
            assert!((reported - distance).abs() < 1e-5, "{reported} m, not {distance} m");
        }
    }
}

/// A start is the reference pose with the published noise on positions and velocities.
#[test]
fn a_start_has_the_published_noise() {
    for case in &CASES {
        let (mut env, mut rng) = (gym(case.full), Rng::new(0, case.full));
        let reference = env.snapshot()[case.positions()].to_vec();
        let (mut positions, mut velocities) = (Vec::new(), Vec::new());
        while positions.len() < 20_000 {
            env.reset(&mut rng).unwrap();
            let state = env.snapshot();
            positions.extend(state[case.positions()].iter().zip(&reference).map(|(x, y)| x - y));
            velocities.extend_from_slice(&state[case.velocities()]);
        }
        let (uniform, normal) = case.noise;
        let check = |x: &[f64], uniform: f64, normal: f64| {
            let n = x.len() as f64;
            let (mean, square) = (x.iter().sum::<f64>() / n, x.iter().map(|x| x * x).sum::<f64>() / n);
            let most = x.iter().fold(0f64, |m, x| m.max(x.abs()));
            let (variance, bound) =
                if normal > 0.0 { (normal * normal, 6.0 * normal) } else { (uniform * uniform / 3.0, uniform) };
            assert!(
                mean.abs() < 4.0 * (variance / n).sqrt() && (square / variance - 1.0).abs() < 0.05,
                "{}",
                case.full
            );
            assert!(most < bound + 1e-12 && most > if normal > 0.0 { 3.0 * normal } else { 0.999 * uniform });
        };
        check(&positions, uniform, 0.0);
        check(&velocities, uniform, normal);
    }
}

/// From many random states, what follows a snapshot is repeated to the bit after a restore, here and in another
/// environment, and the restored state and its views are the snapshot's: in every task, and in every way to draw
/// masses.
#[test]
fn a_restore_repeats_to_the_bit() {
    let ways = [
        Options::new(),
        toml! { masses = "uniform" },
        toml! { masses = "discrete" },
        toml! { masses = "discrete" stale_inertias = true scale_geoms = true reset_first = true },
    ];
    for case in &CASES {
        for (name, options) in
            [case.full, case.partial].into_iter().flat_map(|name| ways.iter().map(move |o| (name, o)))
        {
            let make = || Gym::new(name, options).unwrap();
            let (mut env, mut other, mut rng) = (make(), make(), Rng::new(1, name));
            for round in 0..12 {
                env.reset(&mut rng).unwrap();
                if round % 4 == 1 {
                    let mut state = env.snapshot();
                    state[case.positions()].iter_mut().for_each(|x| *x += 0.3 * rng.normal());
                    state[case.velocities()].iter_mut().for_each(|v| *v = 5.0 * rng.normal());
                    env.restore(&state).unwrap();
                }
                if round % 4 > 1 {
                    for _ in 0..rng.below(40) {
                        env.step(&case.action(&mut rng), &mut unused()).unwrap();
                    }
                }
                let start = env.snapshot();
                let seen = views(&env);
                let actions: Vec<_> = (0..40).map(|_| case.action(&mut rng)).collect();
                let run = |env: &mut Gym| -> Vec<_> {
                    let step = |a: &Vec<f32>| {
                        let outcome = env.step(a, &mut unused()).unwrap();
                        (outcome.r.to_bits(), outcome.terminated, bits(&env.snapshot()), views(env))
                    };
                    actions.iter().map(step).collect()
                };
                let first = run(&mut env);
                for env in [&mut env, &mut other] {
                    env.restore(&start).unwrap();
                    assert_eq!(bits(&env.snapshot()), bits(&start));
                    assert!(views(env) == seen, "{name}, {options}, round {round}");
                    assert!(run(env) == first, "{name}, {options}, round {round}");
                }
                // The other one has masses of its own before the next restore.
                other.reset(&mut rng).unwrap();
            }
        }
    }
}

/// Masses vary as asked, by -0.3, 0 and 0.3 equally often or by anything between; the critic sees by how much, and the
/// same movement has other rewards.
#[test]
fn masses_vary() {
    for case in &CASES {
        let changes = |kind: &str| {
            let mut options = Options::new();
            options.insert("masses".into(), kind.into());
            let (mut env, mut rng) = (Gym::new(case.partial, &options).unwrap(), Rng::new(0, case.partial));
            let first = env.spec().s.iter().position(|name| name == "mass_world").unwrap();
            let mut draws = Vec::new();
            for _ in 0..600 {
                env.reset(&mut rng).unwrap();
                draws.push(views(&env).1[first..].to_vec());
                env.step(&case.action(&mut rng), &mut rng).unwrap();
                assert_eq!(views(&env).1[first..], draws[draws.len() - 1]);
            }
            draws
        };
        let draws = changes("discrete");
        for body in 0..draws[0].len() {
            let counts = [-0.3, 0.0, 0.3].map(|x| draws.iter().filter(|draw| draw[body] == x).count());
            assert!(counts.iter().sum::<usize>() == 600 && counts.iter().all(|n| n.abs_diff(200) < 60), "{counts:?}");
        }
        let uniform: Vec<f32> = changes("uniform").into_iter().flat_map(|draw| draw.into_iter().skip(1)).collect();
        let mean = uniform.iter().sum::<f32>() / uniform.len() as f32;
        let square = uniform.iter().map(|x| x * x).sum::<f32>() / uniform.len() as f32;
        let tolerance = 4.0 / (uniform.len() as f32).sqrt();
        assert!(mean.abs() < 0.173 * tolerance && (square / 0.03 - 1.0).abs() < tolerance, "{mean}, {square}");
        assert!(uniform.iter().all(|x| x.abs() <= 0.3));
        assert!(changes("uniform").iter().all(|draw| draw[0] == 0.0));
    }
}

/// The heavier body moves otherwise; with `reset_first` the first observation is of the masses before, without it of
/// the new ones. Inertias in the observation are scaled, unless they are stale.
#[test]
fn errors_of_the_published_masses_are_switches() {
    let run = |options: Options| {
        let (mut env, mut rng) = (Gym::new("HumanoidPOMDP-v3", &options).unwrap(), Rng::new(4, "masses"));
        env.reset(&mut rng).unwrap();
        let first = views(&env).1;
        env.step(&[0.1; 17], &mut rng).unwrap();
        let after = views(&env).1;
        let entry = |name: &str, s: &[f32]| s[env.spec().s.iter().position(|known| known == name).unwrap()] as f64;
        // The moment of inertia of the pelvis about its own centre is what is left of the parallel axes' part.
        let own = |s: &[f32]| {
            let [m, my, mz, xx] = ["m", "my", "mz", "xx"].map(|part| entry(&format!("com_inertia_pelvis_{part}"), s));
            xx - (my * my + mz * mz) / m
        };
        let mass = |s: &[f32]| entry("com_inertia_pelvis_m", s);
        let change = entry("mass_pelvis", &first);
        (change, mass(&first), mass(&after), own(&first))
    };
    let (nominal, inertia) = {
        let (change, mass, _, own) = run(toml! { masses = "uniform" });
        (mass / (1.0 + change), own / (1.0 + change))
    };
    assert!((nominal - 6.616).abs() < 1e-3, "{nominal}");
    let close = |x: f64, y: f64| (x / y - 1.0).abs() < 1e-3;
    let (change, first, after, own) = run(toml! { masses = "discrete" });
    assert!(change != 0.0 && close(first, nominal * (1.0 + change)) && close(after, first));
    assert!(close(own, inertia * (1.0 + change)));
    let (same, first, after, _) = run(toml! { masses = "discrete" reset_first = true });
    assert!(same == change && close(first, nominal) && close(after, nominal * (1.0 + change)));
    let (_, first, _, own) = run(toml! { masses = "discrete" stale_inertias = true });
    assert!(close(first, nominal * (1.0 + change)) && close(own, inertia));
}

/// Contact forces are zero where nobody asked for them, and cost nothing.
#[test]
fn contact_forces_are_zero_by_default() {
    for (case, prefix) in [(&CASES[1], "contact_forces"), (&CASES[3], "external_contact_forces")] {
        let with = toml! { zero_contact_forces = false };
        let [mut zero, mut felt] = [Options::new(), with].map(|options| Gym::new(case.partial, &options).unwrap());
        let (mut most, mut cost, mut rng) = (0.0f32, 0.0, Rng::new(0, "contact"));
        zero.reset(&mut rng.clone()).unwrap();
        felt.reset(&mut rng).unwrap();
        for _ in 0..200 {
            let a = case.action(&mut rng);
            cost += zero.step(&a, &mut rng).unwrap().r - felt.step(&a, &mut rng).unwrap().r;
            let force = |env: &Gym| {
                let (s, names) = (views(env).1, env.spec().s.clone());
                let forces = s.into_iter().zip(names).filter(|(_, name)| name.starts_with(prefix));
                forces.fold(0f32, |most, (force, _)| most.max(force.abs()))
            };
            assert_eq!(force(&zero), 0.0);
            most = most.max(force(&felt));
        }
        assert!(cost > 0.0 && if prefix == "contact_forces" { most == 1.0 } else { most > 100.0 }, "{cost}, {most}");
    }
}

/// A simulation that leaves the sound numbers, or an action that is not finite, is an error that names the step, until
/// the next reset; never a silent start from the beginning.
#[test]
fn an_unstable_simulation_is_an_error() {
    let (mut env, mut rng) = (gym(CASES[0].full), Rng::new(0, "unstable"));
    env.reset(&mut rng).unwrap();
    let sound = env.snapshot();
    let expect = |env: &mut Gym, a: &[f32], part: &str| match env.step(a, &mut unused()) {
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

/// A million steps with extreme actions from extreme states, in each task: each is an error, or everything that it
/// brings is finite.
#[test]
#[ignore = "minutes"]
fn a_million_extreme_steps_are_sound_or_errors() {
    for case in &CASES {
        let mut env = Gym::new(case.partial, &toml! { masses = "uniform" }).unwrap();
        let (mut rng, mut unstable) = (Rng::new(0, "extreme"), 0);
        let (mut o, mut s) = views(&env);
        let extreme = |rng: &mut Rng| rng.normal() * 10f64.powf(rng.range(-3.0, 14.0));
        env.reset(&mut rng).unwrap();
        for _ in 0..1_000_000 {
            if rng.below(20) == 0 {
                env.reset(&mut rng).unwrap();
                let mut state = env.snapshot();
                let at = 1 + rng.below(case.velocities().end - 1);
                state[at] = if rng.below(50) == 0 { f64::NAN } else { extreme(&mut rng) };
                env.restore(&state).unwrap();
            }
            let a: Vec<f32> = (0..case.spec[2]).map(|_| extreme(&mut rng) as f32).collect();
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
        assert!(unstable > 1_000);
        println!("{}: {unstable} of 1,000,000 steps were unstable", case.partial);
    }
}

/// Unknown names, options and words, options that belong to others, and a snapshot that does not fit, are one sentence
/// each.
#[test]
fn nonsense_is_refused() {
    let error = |name: &str, options: Options| Gym::new(name, &options).err().unwrap().to_string();
    let sentences = [
        (error("HopperPOMDP-v3", toml! { gravity = 3 }), ["`gravity`", "HopperPOMDP-v3"]),
        (error("HopperPOMDP-v3", toml! { suite = "sac" }), ["\"sac\"", "\"privileged\""]),
        (error("Hopper-v5", toml! { suite = "ppo" }), ["`suite`", "masses"]),
        (error("Ant-v5", toml! { zero_contact_forces = true }), ["`zero_contact_forces`", "Ant-v5"]),
        (error("AntPOMDP-v3", toml! { zero_contact_forces = 1 }), ["`zero_contact_forces` is 1", "true or false"]),
        (error("Ant-v5", toml! { masses = 0.3 }), ["`masses` is 0.3", "\"uniform\""]),
        (error("Ant-v5", toml! { masses = "uniform" scale_geoms = true }), ["`scale_geoms = true`", "discrete"]),
        (error("Snake-v5", Options::new()), ["Snake-v5", "HalfCheetah-v5"]),
    ];
    for (sentence, parts) in sentences {
        assert!(parts.iter().all(|part| sentence.contains(part)) && !sentence.contains('\n'), "{sentence}");
    }
    for case in &CASES {
        assert!(gym(case.full).restore(&[0.0; 3]).is_err());
    }
    let mut env = Gym::new("Ant-v5", &toml! { masses = "uniform" }).unwrap();
    for bad in [-1.0, 0.31, f64::NAN] {
        let mut state = env.snapshot();
        *state.last_mut().unwrap() = bad;
        assert!(env.restore(&state).unwrap_err().to_string().contains("a mass of this snapshot"));
    }
}

/// The drawing has a capsule for each of the eight limbs and no floor, and moves with the body.
#[test]
fn the_drawing_is_the_body() {
    let mut env = gym(CASES[0].full);
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

/// Every registered task keeps what an environment owes to a trainer, also with masses and sensors that change.
#[test]
fn every_task_keeps_the_contract() {
    let mut registry = Registry::new();
    registry.extend(entries());
    let sensors = toml! { sensors = { delay = { "*" = 2 }, drop = { "*" = 0.1 } } };
    let mut changed = sensors.clone();
    changed.insert("masses".into(), "uniform".into());
    for entry in entries() {
        let imitation = entry.name.contains('.');
        for options in [&Options::new(), if imitation { &sensors } else { &changed }] {
            for check in check_env(&|| registry.make(entry.name, options)).unwrap() {
                assert_eq!(check.complaint, None, "{}, {options}: {}", entry.name, check.what);
            }
        }
    }
}

/// Every body can be drawn.
#[test]
fn every_body_has_shapes() {
    let shapes = CASES.map(|case| gym(case.full).shapes().len());
    assert_eq!(shapes, [8, 13, 4, 17, 7, 3]);
}

/// The bare body makes the same movement, and calls nothing that would change it.
#[test]
fn the_bare_body_moves_alike() {
    for case in &CASES {
        let (mut env, mut bare, mut rng) = (gym(case.full), Bare::new(case.full).unwrap(), Rng::new(0, "bare"));
        for _ in 0..100 {
            let a = case.action(&mut rng);
            env.step(&a, &mut rng).unwrap();
            bare.step(&a);
            assert_eq!(bits(&env.snapshot()[case.positions()]), bits(bare.body().positions()));
        }
    }
}
