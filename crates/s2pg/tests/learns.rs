//! Policies with memory learn what policies without cannot, from rewards and from demonstrations.
//!
//! Minutes of work, so it runs when asked: `cargo test --release -p s2pg --test learns -- --ignored --nocapture`. The
//! seeds are fixed; every one is shown and every one must pass.

use std::sync::Arc;

use s2pg::Rng;
use s2pg::data::Demos;
use s2pg::env::{Env, Options, Pendulum, Registry, TMaze, TimeLimit};
use s2pg::experiment::{Experiment, build};
use tempfile::NamedTempFile;

const SEEDS: [u64; 3] = [0, 1, 2];
/// Off-policy runs are short.
const MORE_SEEDS: [u64; 5] = [0, 1, 2, 3, 4];

/// The mean return of 100 deterministic episodes after training a preset.
fn final_return(preset: &str, estimator: &str, seed: u64) -> f64 {
    imitated_return(preset, estimator, seed, &[])
}

/// The same with further keys, such as that of demonstrations.
fn imitated_return(preset: &str, estimator: &str, seed: u64, keys: &[String]) -> f64 {
    let file = format!("{}/../../presets/{preset}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&file).unwrap();
    let overrides = [&[format!("estimator={estimator}"), format!("seed={seed}")], keys].concat();
    let experiment = Experiment::parse(&file, &text, &overrides).unwrap();
    let mut training = build(&experiment, Arc::new(Registry::new()), 2).unwrap();
    while training.steps() < experiment.steps {
        training.step().unwrap();
    }
    let result = training.evaluate(100, true, "learns").unwrap().mean_return();
    println!("{preset} {estimator} seed {seed}: {result:.2}");
    result
}

/// With memory the T-maze is solved; without, the return stays at chance.
#[test]
#[ignore = "takes minutes"]
fn the_t_maze_needs_memory() {
    for seed in SEEDS {
        assert!(final_return("ppo-rs/t-maze", "rs", seed) > 0.9);
        assert!(
            final_return("ppo-rs/t-maze", "vanilla", seed).abs() < 0.4,
            "four deviations of chance in 100 episodes"
        );
    }
}

/// REINFORCE and GPOMDP solve a short T-maze with memory, and TRPO the long one; without memory they stay at chance.
#[test]
#[ignore = "takes minutes"]
fn the_t_maze_needs_memory_whatever_the_estimator() {
    for seed in SEEDS {
        for preset in ["reinforce-rs/t-maze", "gpomdp-rs/t-maze", "trpo-rs/t-maze"] {
            assert!(final_return(preset, "rs", seed) > 0.9);
            assert!(final_return(preset, "vanilla", seed).abs() < 0.4, "four deviations of chance in 100 episodes");
        }
        assert!(final_return("reinforce-rs/t-maze", "bptt:full", seed) > 0.9);
    }
}

/// TRPO swings the pendulum up and holds it with memory, and without it does not.
#[test]
#[ignore = "takes minutes"]
fn trpo_needs_memory_for_the_pendulum() {
    for seed in SEEDS {
        assert!(final_return("trpo-rs/pendulum", "rs", seed) > -450.0);
        assert!(final_return("trpo-rs/pendulum", "vanilla", seed) < -700.0);
    }
}

/// With memory the pendulum is swung up and held, although its velocity is hidden; without, it is not.
#[test]
#[ignore = "takes minutes"]
fn the_pendulum_without_velocity_needs_memory() {
    for seed in SEEDS {
        assert!(final_return("ppo-rs/pendulum", "rs", seed) > -400.0);
        assert!(final_return("ppo-rs/pendulum", "vanilla", seed) < -700.0);
    }
}

/// SAC and TD3 solve the T-maze with memory, and are at chance without.
#[test]
#[ignore = "takes minutes"]
fn the_t_maze_needs_memory_off_policy() {
    for preset in ["sac-rs/t-maze", "td3-rs/t-maze"] {
        for seed in MORE_SEEDS {
            assert!(final_return(preset, "rs", seed) > 0.9);
            assert!(final_return(preset, "vanilla", seed).abs() < 0.4, "four deviations of chance in 100 episodes");
        }
    }
}

/// SAC and TD3 swing the pendulum up with memory on every seed, and without on none. That it is held from every start,
/// which PPO and TRPO have to reach on every seed after 600,000 steps and more, is demanded of three seeds in five:
/// these runs have 20,000 and 30,000 steps.
#[test]
#[ignore = "takes minutes"]
fn the_pendulum_without_velocity_needs_memory_off_policy() {
    for preset in ["sac-rs/pendulum", "td3-rs/pendulum"] {
        let mut held = 0;
        for seed in MORE_SEEDS {
            let with = final_return(preset, "rs", seed);
            assert!(with > -700.0, "{preset}, seed {seed}: {with} with memory");
            assert!(final_return(preset, "vanilla", seed) < -700.0);
            held += usize::from(with > -400.0);
        }
        assert!(held >= 3, "{preset}: {held} seeds hold the pendulum");
    }
}

/// What an expert does who sees the whole state: `act` returns its action.
fn demonstrate(mut env: impl Env, episodes: usize, act: impl Fn(&[f32], &mut Rng) -> f32) -> NamedTempFile {
    let (n_o, n_s) = (env.spec().o.len(), env.spec().s.len());
    let mut demos = Demos { sizes: [n_o, n_s, 1], ..Demos::default() };
    let (mut rng, mut actions) = (Rng::new(0, "expert"), Vec::new());
    let (mut o, mut s) = (vec![0.0; n_o], vec![0.0; n_s]);
    for _ in 0..episodes {
        env.reset(&mut rng).unwrap();
        let mut ended = false;
        while !ended {
            env.observe(&mut o, &mut s);
            demos.o.extend(&o);
            demos.s.extend(&s);
            actions.push(act(&s, &mut rng));
            let outcome = env.step(&actions[actions.len() - 1..], &mut rng).unwrap();
            ended = outcome.terminated || outcome.truncated;
            env.observe(&mut o, &mut s);
            demos.next_o.extend(&o);
            demos.next_s.extend(&s);
            demos.r.push(outcome.r);
            demos.absorbing.push(outcome.terminated);
            demos.last.push(ended);
        }
    }
    println!("the expert's return: {:.2}", demos.r.iter().sum::<f64>() / episodes as f64);
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), Demos { a: Some(actions), ..demos }.to_npz()).unwrap();
    file
}

/// GAIL imitates an expert of the T-maze, who turns to the side of the cue and does anything on the way: with memory it
/// does what the expert does, and without memory it stays at chance.
#[test]
#[ignore = "takes minutes"]
fn gail_needs_memory_for_the_t_maze() {
    let expert = demonstrate(TMaze::new(&Options::new()).unwrap(), 100, |s, rng| match s {
        [_, at_junction, _, cue] if *at_junction > 0.0 => cue * rng.range(0.5, 1.0) as f32,
        _ => rng.range(-1.0, 1.0) as f32,
    });
    let demos = [format!("gail.demos={:?}", expert.path())];
    for seed in SEEDS {
        assert!(imitated_return("gail-rs/t-maze", "rs", seed, &demos) > 0.9);
        let without = imitated_return("gail-rs/t-maze", "vanilla", seed, &demos);
        assert!(without.abs() < 0.4, "four deviations of chance in 100 episodes");
    }
}

/// LS-IQ imitates an expert of the pendulum, who pumps energy into it and holds it at the top: the states of the memory
/// that the policy draws at the ends of its segments make up for the velocity that it does not see.
#[test]
#[ignore = "takes minutes"]
fn lsiq_needs_memory_for_the_pendulum() {
    let expert = demonstrate(TimeLimit::new(Pendulum::new(&Options::new()).unwrap()), 20, |s, _| {
        let (height, angle, v) = (s[0], s[1].atan2(s[0]), s[2]);
        let missing = 15.0 - (v * v / 2.0 + 15.0 * height);
        let torque = if height > 0.85 { -10.0 * angle - 2.0 * v } else { 0.2 * missing * v };
        torque.clamp(-2.0, 2.0)
    });
    let demos = [format!("lsiq.demos={:?}", expert.path())];
    for seed in SEEDS {
        assert!(imitated_return("lsiq-rs-8/pendulum", "rs:8", seed, &demos) > -450.0);
        assert!(imitated_return("lsiq-rs-8/pendulum", "vanilla", seed, &demos) < -700.0);
    }
}
