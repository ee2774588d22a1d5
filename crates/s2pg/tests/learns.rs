//! Policies with memory learn what policies without cannot.
//!
//! Minutes of work, so it runs when asked: `cargo test --release -p s2pg --test learns -- --ignored --nocapture`. The
//! seeds are fixed; every one is shown and every one must pass.

use std::path::Path;
use std::sync::Arc;

use s2pg::Rng;
use s2pg::data::Demos;
use s2pg::env::Registry;
use s2pg::experiment::{Experiment, build, player};
use s2pg::run::Run;
use s2pg::train::record;

const SEEDS: [u64; 3] = [0, 1, 2];
/// Off-policy runs are short.
const MORE_SEEDS: [u64; 5] = [0, 1, 2, 3, 4];

/// The mean return of 100 deterministic episodes after training a preset.
fn final_return(preset: &str, estimator: &str, seed: u64) -> f64 {
    final_return_with(preset, estimator, seed, &[])
}

/// The experiment of a preset.
fn preset(name: &str, overrides: &[String]) -> Experiment {
    let file = format!("{}/../../presets/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&file).unwrap();
    Experiment::parse(&file, &text, overrides).unwrap()
}

fn final_return_with(name: &str, estimator: &str, seed: u64, more: &[String]) -> f64 {
    let experiment = preset(name, &[&[format!("estimator={estimator}"), format!("seed={seed}")], more].concat());
    let mut training = build(&experiment, Arc::new(Registry::new()), 2).unwrap();
    while training.steps() < experiment.steps {
        training.step().unwrap();
    }
    let result = training.evaluate(100, true, "learns").unwrap().mean_return();
    println!("{name} {estimator} seed {seed}: {result:.2}");
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

/// 200 episodes of an oracle that SAC has trained in the T-maze.
fn maze_expert(dir: &Path) -> Demos {
    let experiment = preset("sac-rs/t-maze", &["estimator=oracle".into()]);
    let (mut run, _) = Run::open(dir, &experiment, Arc::new(Registry::new()), 2, 0.0).unwrap();
    while !run.is_finished() {
        run.advance(0.0, 0.0).unwrap();
    }
    let (mut player, make_env) = player(&experiment, Arc::new(Registry::new())).unwrap();
    player.load(&dir.join("policy.safetensors")).unwrap();
    record(&player, &make_env, 200, true, &mut Rng::new(0, "record")).unwrap()
}

/// GAIL imitates an expert of the T-maze with memory, and without is at chance: what the expert does at the junction
/// depends on what was seen at the entry.
#[test]
#[ignore = "takes minutes"]
fn imitation_needs_memory() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("expert.npz");
    std::fs::write(&file, maze_expert(&dir.path().join("expert")).to_npz()).unwrap();
    let demos = [format!("gail.demos={}", file.display())];
    for seed in SEEDS {
        assert!(final_return_with("gail-rs/t-maze", "rs", seed, &demos) > 0.9);
        let without = final_return_with("gail-rs/t-maze", "vanilla", seed, &demos);
        assert!(without.abs() < 0.4, "four deviations of chance in 100 episodes");
    }
}
