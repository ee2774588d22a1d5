//! A training takes the memory that it says it will take, and one that cannot have its memory is refused. `S2PG_REPLAY`
//! is the number of steps in the replay buffer (60,000 if not set; the published 500,000 take a minute).

mod binary;

use std::fs;
use std::io::Read;
use std::time::Duration;

use binary::s2pg;

/// SAC-RS with a full replay buffer stays below 64 MB + 1.05 times the size that it prints before the first step; and
/// its checkpoint can be resumed.
#[test]
fn resident_memory_is_what_was_said() {
    let replay: usize = std::env::var("S2PG_REPLAY").map_or(60_000, |n| n.parse().expect("a number"));
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    // The buffer fills at the speed of the simulation; there is an update now and then.
    let changes = [
        format!("steps={}", replay + 2000),
        format!("sac.replay={replay}"),
        "sac.update_ratio=0.002".into(),
        "evaluation.every=0".into(),
        "checkpoint.every=0".into(),
    ];
    let mut command = s2pg(["train", "sac-rs/half-cheetah", "--plain", "--threads", "1"]);
    let mut child = command.args(&changes).arg("--dir").arg(&run).spawn().unwrap();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
        peak = peak.max(kilobytes.unwrap_or(0) * 1024);
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    let said: usize = said
        .lines()
        .find_map(|line| line.strip_prefix("replay buffer")?.trim().split(' ').next()?.parse().ok())
        .unwrap_or_else(|| panic!("no size in: {said}"));
    let most = (64 << 20) + said * 1_050_000;
    println!(
        "{replay} steps: {said} MB said, {:.1} MB resident at most, {:.1} allowed",
        peak as f64 / 1e6,
        most as f64 / 1e6
    );
    assert!(peak > 0 && peak <= most, "{peak} of {most} bytes");
}

/// What the machine has no memory for is refused before the first step, in one sentence that names the key; no process
/// ends by an abort, and nothing is left behind.
#[test]
fn too_large_is_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    for (changes, key) in [
        (&["network.hidden=1000000"][..], "`network.hidden` = 1000000 takes "),
        (&["evaluation.episodes=1000000000"], "`evaluation.episodes` = 1000000000 takes "),
        (&["env.parallel=1000000000", "ppo.steps=1000000000"], "takes "),
    ] {
        let mut command = s2pg(["train", "ppo-rs/half-cheetah", "env.name=PendulumPOMDP-v1"]);
        let output = command.args(changes).arg("--dir").arg(&run).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "{changes:?}: {said}");
        assert!(said.contains(key) && said.contains("MB are free") && said.lines().count() == 1, "{said}");
        assert!(!run.exists(), "{changes:?}");
    }
}
