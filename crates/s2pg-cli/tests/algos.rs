//! `s2pg algos` lists what there is, and shows an experiment with every key.

mod binary;

use std::fs;

use binary::{T_MAZE, code, finish, s2pg, said, train, write};
use s2pg::experiment::{AlgorithmName, Estimator, Experiment};

fn shown(arguments: &[&str]) -> String {
    String::from_utf8(finish(&mut s2pg([&["algos"], arguments].concat())).stdout).unwrap()
}

/// Every algorithm, every kind of estimator, every cell and every preset has a line that says what it is.
#[test]
fn everything_is_listed() {
    let text = shown(&[]);
    let has = |name: &str, about: &str| {
        let line =
            text.lines().find(|line| line.split(' ').next() == Some(name)).unwrap_or_else(|| panic!("no {name}"));
        assert!(line.ends_with(about) && !about.is_empty(), "{line}");
    };
    AlgorithmName::all().iter().for_each(|a| has(a.name(), a.about()));
    Estimator::KINDS.iter().for_each(|(name, about)| has(name, about));
    s2pg_lab::registry().cores().iter().for_each(|(name, about)| has(name, about));
    s2pg_lab::presets::all().iter().for_each(|preset| has(preset.name, preset.about()));
}

/// What is shown of a preset, a file or a run is the whole experiment with its overrides, and is an experiment again.
#[test]
fn an_experiment_is_shown_in_full() {
    let dir = tempfile::tempdir().unwrap();
    let text = shown(&["--show", "sac-rs/t-maze", "seed=5", "sac.batch=17"]);
    let experiment = Experiment::parse("shown", &text, &[]).unwrap();
    assert_eq!((experiment.seed, experiment.sac.batch), (5, 17));
    let (keys, repeated) = text.split_once("\n# Errors of the published code").unwrap();
    assert_eq!(keys, experiment.to_toml());
    assert!(repeated.ends_with("# none\n"), "{repeated}");
    let official = shown(&["--show", "sac-rs/t-maze", "compat=official", "switches.misalign_next_windows=false"]);
    let repeated = official.lines().last().unwrap();
    assert!(repeated.contains("keep_prev_action") && !repeated.contains("misalign_next_windows"), "{repeated}");
    assert!(text.contains("[sac]") && text.contains("tau = ") && !text.contains("[ppo]"), "{text}");

    let file = write(dir.path(), T_MAZE);
    let (file, run) = (file.to_str().unwrap(), dir.path().join("run"));
    let from_file = shown(&["--show", file, "steps=100"]);
    let whole = Experiment::parse(file, T_MAZE, &["steps=100".into()]).unwrap().to_toml();
    assert!(from_file.starts_with(&whole));
    finish(train(file.as_ref(), &run).arg("steps=100"));
    assert_eq!(shown(&["--show", run.to_str().unwrap()]), from_file);
    // The first line says that there is a checkpoint.
    let written = fs::read_to_string(run.join("experiment.toml")).unwrap();
    assert_eq!(written.split_once('\n').unwrap().1, whole);
}

/// A name or an override that is not there is one sentence; overrides without an experiment are wrong use.
#[test]
fn what_cannot_be_shown() {
    for (arguments, word) in [
        (&["--show", "sac-rs/t-mace"][..], "sac-rs/t-maze"),
        (&["--show", "sac-rs/t-maze", "sac.bath=1"], "override `sac.bath=1`"),
        (&["--show", "sac-rs/t-maze", "network.cell=gur"], "`network.cell` is \"gur\", which is none of elman,"),
        (&["seed=5"], "--show"),
    ] {
        let output = s2pg([&["algos"], arguments].concat()).output().unwrap();
        assert_eq!(code(&output), 64, "{arguments:?}");
        assert!(said(&output).contains(word), "{}", said(&output));
    }
}
