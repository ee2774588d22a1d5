//! A robot of one's own is trained, resumed to the bit, played and checked as any environment is, and a run notices
//! that its files have changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use s2pg::Rng;
use s2pg::env::Registry;
use s2pg::experiment::Experiment;
use s2pg::run::Run;
use s2pg::run::checkpoint::differences;
use s2pg_lab::play::play;
use s2pg_lab::policy::{Which, load};

fn robots() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../robots")
}

/// The experiment of one of our robots, made small, on the task in `file`.
fn experiment(robot: &str, file: &Path) -> Experiment {
    let path = robots().join(format!("{robot}.toml"));
    let mut overrides = vec![format!("env.name={:?}", format!("mjcf:{}", file.display()))];
    let small = "steps=300 env.parallel=3 network.features=8 network.critic_features=8 network.hidden=8 ppo.steps=90 \
                 ppo.minibatch=30 ppo.epochs=2 ppo.value_epochs=2 evaluation.every=150 evaluation.episodes=2";
    overrides.extend(small.split_whitespace().map(String::from));
    Experiment::parse(robot, &fs::read_to_string(path).unwrap(), &overrides).unwrap()
}

fn registry() -> Arc<Registry> {
    Arc::new(s2pg_lab::registry())
}

fn open(dir: &Path, experiment: &Experiment, threads: usize) -> Result<Run, String> {
    let (run, warning) = Run::open(dir, experiment, registry(), threads, 0.0).map_err(|e| e.to_string())?;
    assert_eq!(warning, None);
    Ok(run)
}

fn advance(run: &mut Run, steps: usize) {
    for _ in 0..steps {
        run.advance(0.0, 0.0).unwrap();
    }
}

/// Each of our robots is trained; stopped within a rollout and an episode and resumed with more threads, the run is the
/// same run to the bit; its policy is loaded and draws an episode.
#[test]
fn our_robots_are_trained_and_resumed_to_the_bit() {
    for robot in ["swing-up", "reacher", "quadruped"] {
        let experiment = experiment(robot, &robots().join(robot).join("task.toml"));
        let (whole, halves) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut a = open(whole.path(), &experiment, 1).unwrap();
        advance(&mut a, 100);
        let mut b = open(halves.path(), &experiment, 1).unwrap();
        advance(&mut b, 47);
        b.save().unwrap();
        drop(b);
        let mut b = open(halves.path(), &experiment, 3).unwrap();
        assert_eq!(b.steps(), 141);
        advance(&mut b, 53);
        let differ = differences(a.training(), b.training());
        assert!(differ.is_empty(), "{robot}: {differ:#?}");
        for file in ["progress.csv", "eval.csv", "policy.safetensors", "checkpoints/latest.safetensors"] {
            let read = |dir: &Path| fs::read(dir.join(file)).unwrap();
            assert!(read(whole.path()) == read(halves.path()), "{robot}: {file} differs");
        }
        let header = fs::read_to_string(whole.path().join("eval.csv")).unwrap();
        assert!(header.contains("eval/reward_control_cost") || header.contains("eval/reward_rate_cost"), "{header}");
        let (player, make_env, _) = load(whole.path(), Which::Best, registry()).unwrap();
        if robot == "quadruped" {
            continue;
        }
        let played = play(&player, &make_env, Rng::new(0, "own"), false).unwrap();
        assert!(played.animation().unwrap().is_some_and(|gif| gif.starts_with(b"GIF")), "{robot}");
    }
}

/// A run refuses to go on when the task's file, its model or what that includes has changed, and says which; it goes on
/// when the bytes are back.
#[test]
fn a_changed_file_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for file in ["task.toml", "robot.xml"] {
        fs::copy(robots().join("swing-up").join(file), at(file)).unwrap();
    }
    let xml = fs::read_to_string(at("robot.xml")).unwrap();
    fs::write(at("robot.xml"), xml.replace("</mujoco>", "<include file=\"more.xml\"/></mujoco>")).unwrap();
    fs::write(at("more.xml"), "<mujoco><option gravity=\"0 0 -9\"/></mujoco>").unwrap();
    let experiment = experiment("swing-up", &at("task.toml"));
    let run = at("run");
    let mut first = open(&run, &experiment, 1).unwrap();
    advance(&mut first, 20);
    first.save().unwrap();
    drop(first);
    for (file, from, to) in
        [("task.toml", "weight = 0.02", "weight = 0.03"), ("robot.xml", "12", "13"), ("more.xml", "-9", "-8")]
    {
        let before = fs::read_to_string(at(file)).unwrap();
        fs::write(at(file), before.replace(from, to)).unwrap();
        let error = open(&run, &experiment, 1).err().expect("the file has changed");
        let what = "the bytes of this file, which `env.name` names, have changed since the run began";
        assert!(error.contains(file) && error.contains(what), "{error}");
        fs::write(at(file), before).unwrap();
    }
    assert_eq!(open(&run, &experiment, 1).unwrap().steps(), 60);
    fs::remove_file(at("robot.xml")).unwrap();
    let error = open(&run, &experiment, 1).err().expect("the model is gone");
    assert!(error.contains("task.toml: `model` names") && error.contains("which cannot be read"), "{error}");
}
