//! Policies with memory learn what policies without cannot.
//!
//! Minutes of work, so it runs when asked: `cargo test --release -p s2pg --test learns -- --ignored --nocapture`. The
//! seeds are fixed; every one is shown and every one must pass.

use std::sync::Arc;

use s2pg::data::Demos;
use s2pg::env::Registry;
use s2pg::experiment::{Experiment, build};

const SEEDS: [u64; 3] = [0, 1, 2];
/// Off-policy runs are short.
const MORE_SEEDS: [u64; 5] = [0, 1, 2, 3, 4];

/// The mean return of 100 deterministic episodes after training a preset.
fn final_return(preset: &str, estimator: &str, seed: u64) -> f64 {
    final_return_with(preset, estimator, seed, &[])
}

fn final_return_with(preset: &str, estimator: &str, seed: u64, more: &[String]) -> f64 {
    let file = format!("{}/../../presets/{preset}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&file).unwrap();
    let overrides = [&[format!("estimator={estimator}"), format!("seed={seed}")], more].concat();
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

/// SLAC swings the pendulum up from a window of eight steps, and does not from a single observation.
#[test]
#[ignore = "takes minutes"]
fn slac_needs_memory_for_the_pendulum() {
    for seed in SEEDS {
        assert!(final_return("slac-window-8/pendulum", "window:8", seed) > -700.0);
        assert!(final_return("slac-window-8/pendulum", "window:1", seed) < -700.0);
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

/// An expert of the T-maze: 100 episodes of each cue, in which it does nothing in the corridor and chooses the side of
/// the cue at the junction.
fn maze_expert() -> Demos {
    let mut demos = Demos { sizes: [3, 4, 1], a: Some(Vec::new()), ..Demos::default() };
    let view = |cue: f32, t: u8| [if t == 0 { cue } else { 0.0 }, f32::from(t == 10), f32::from(t) / 10.0, cue];
    for episode in 0..200 {
        let cue = if episode % 2 == 0 { 1.0 } else { -1.0 };
        for t in 0..=10 {
            let (s, next) = (view(cue, t), view(cue, 10.min(t + 1)));
            demos.o.extend(&s[..3]);
            demos.s.extend(s);
            demos.next_o.extend(&next[..3]);
            demos.next_s.extend(next);
            demos.a.as_mut().unwrap().push(if t == 10 { cue } else { 0.0 });
            demos.r.push(if t == 10 { 1.0 } else { 0.0 });
            demos.absorbing.push(t == 10);
            demos.last.push(t == 10);
        }
    }
    demos
}

/// GAIL imitates an expert of the T-maze with memory, and without is at chance: what the expert does at the junction
/// depends on what was seen at the entry.
#[test]
#[ignore = "takes minutes"]
fn imitation_needs_memory() {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("maze-expert.npz");
    std::fs::write(&file, maze_expert().to_npz()).unwrap();
    let demos = [format!("gail.demos={}", file.display())];
    for seed in SEEDS {
        assert!(final_return_with("gail-rs/t-maze", "rs", seed, &demos) > 0.9);
        let without = final_return_with("gail-rs/t-maze", "vanilla", seed, &demos);
        assert!(without.abs() < 0.4, "four deviations of chance in 100 episodes");
    }
}
