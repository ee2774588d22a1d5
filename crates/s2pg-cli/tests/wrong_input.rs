//! Wrong input, damaged files and a full disk get one clear sentence and the documented exit code, never a panic; what
//! was saved before stays.

mod binary;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use binary::{T_MAZE, assert_no_temporary_files, assert_same, code, files, finish, s2pg, said, train, write};
use s2pg::env::Registry;
use s2pg::experiment::{AlgorithmName, Experiment, build, tables};
use s2pg::run::checkpoint::{Checkpoints, LATEST, PREVIOUS};

const USAGE: i32 = 64;
const DATA: i32 = 65;
const DIVERGED: i32 = 70;
const DISK: i32 = 74;

/// The one sentence that a mistake gets, after its exit code and the words that it must hold have been checked.
fn sentence(output: &Output, expected: i32, words: &[&str]) -> String {
    let text = said(output);
    assert_eq!(code(output), expected, "{text}");
    let sentences: Vec<&str> = text.lines().filter(|line| line.starts_with("s2pg: ")).collect();
    let [sentence] = sentences[..] else { panic!("one sentence, not {}: {text}", sentences.len()) };
    assert_eq!(text.lines().last(), Some(sentence), "{text}");
    for word in words {
        assert!(sentence.contains(word), "`{word}` is not in: {sentence}");
    }
    // Every error once: neither a path nor the system's words come twice.
    let paths: Vec<&str> = sentence.split_whitespace().map(|w| w.trim_matches([':', ';', ',', '`'])).collect();
    let twice = paths.iter().enumerate().find(|(i, word)| word.contains('/') && paths[..*i].contains(word));
    assert!(twice.is_none() && sentence.matches("os error").count() <= 1, "{twice:?} in: {sentence}");
    sentence.to_string()
}

/// The same for a mistake that nothing else is said about.
fn only_sentence(mut command: Command, expected: i32, words: &[&str]) {
    let output = command.output().unwrap();
    sentence(&output, expected, words);
    assert_eq!(said(&output).lines().count(), 1, "{}", said(&output));
}

/// The small experiment, shorter: 400 steps, 4 updates, a checkpoint every 40 steps.
fn short() -> String {
    T_MAZE.replace("steps = 3000", "steps = 400")
}

/// A run of the short experiment that has finished, in a directory of its own.
fn finished() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let experiment = write(dir.path(), &short());
    let run = dir.path().join("run");
    finish(&mut train(&experiment, &run));
    (dir, experiment, run)
}

/// A mistake in an experiment names the file and the line, or the key, or the override, and leaves no directory behind.
#[test]
fn mistakes_in_an_experiment() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let edits: [(&str, &str, &[&str]); 12] = [
        ("lr = 1e-3\n", "lr = 1e-3\nclap = 0.2\n", &["small.toml:21", "clap"]),
        ("steps = 3000", "steps = 0", &["small.toml", "`steps` is 0", "at least 1"]),
        ("steps = 3000", "steps = -5", &["small.toml:3", "-5"]),
        ("lr = 1e-3\n", "lr = -1\n", &["`ppo.lr` is -1", "above 0"]),
        ("lr = 1e-3\n", "lr = nan\n", &["`ppo.lr` is NaN", "above 0"]),
        ("lr = 1e-3\n", "gamma = 2\n", &["`ppo.gamma` is 2", "between 0 and 1"]),
        ("estimator = \"rs\"", "estimator = \"rx\"", &["small.toml:2", "no estimator `rx`"]),
        ("algorithm = \"ppo\"", "algorithm = \"pppo\"", &["small.toml:1", "pppo"]),
        ("parallel = 2", "parallel = 3", &["`ppo.steps` = 100", "`env.parallel` = 3", "multiple"]),
        ("steps = 3000", "steps = 3000 4000", &["small.toml:3"]),
        ("TMaze-v0", "TMaze-v9", &["TMaze-v9", "no such environment", "HalfCheetahPOMDP-v3"]),
        ("corridor = 4", "length = 4", &["TMaze-v0", "`length`", "corridor"]),
    ];
    for (from, to, words) in edits {
        assert_eq!(T_MAZE.matches(from).count(), 1 + usize::from(from == "lr = 1e-3\n"), "{from}");
        let experiment = write(dir.path(), &T_MAZE.replacen(from, to, 1));
        only_sentence(train(&experiment, &run), USAGE, words);
        assert!(!run.exists(), "{to}: a directory is left behind");
    }
    let experiment = write(dir.path(), T_MAZE);
    let overrides: [(&str, &[&str]); 7] = [
        ("ppo.lr=1e-300", &["`ppo.lr` is 1e-300, which is 0 in single precision", "above 0"]),
        ("env.corridor=1.5", &["`corridor` is 1.5", "whole number"]),
        ("ppo.clap=0.1", &["override `ppo.clap=0.1`", "clap"]),
        ("ppo.clip", &["override `ppo.clip`", "key=value"]),
        ("ppo.clip=high", &["override `ppo.clip=high`"]),
        ("env.corridor=0", &["`corridor` is 0", "1 to 1000000"]),
        ("seed=-1", &["override `seed=-1`", "-1"]),
    ];
    for (change, words) in overrides {
        let mut command = train(&experiment, &run);
        command.arg(change);
        only_sentence(command, USAGE, words);
        assert!(!run.exists(), "{change}: a directory is left behind");
    }
    // Whoever corrects the mistake can go on in the same directory.
    finish(train(&experiment, &run).args(["steps=100", "env.corridor=4e0"]));
}

/// A key about the draw of the next state, with an estimator that draws none, is told to do nothing, so that one switch
/// can swap estimators.
#[test]
fn keys_without_effect() {
    let dir = tempfile::tempdir().unwrap();
    let experiment = write(dir.path(), T_MAZE);
    for (estimator, idle) in [("tbptt:3", true), ("vanilla", true), ("rs:3", false)] {
        let run = dir.path().join(estimator.replace(':', "-"));
        let mut command = train(&experiment, &run);
        let changes = ["steps=100", "ppo.clip_state=0.2", "network.state_std=0.1", "ppo.clip=0.1"];
        let text = said(&finish(command.arg(format!("estimator={estimator}")).args(changes)));
        for key in ["ppo.clip_state", "network.state_std"] {
            let note = format!("note: `{key}` has no effect: {estimator} draws no state");
            assert_eq!(text.contains(&note), idle, "{text}");
        }
        assert!(!text.contains("`ppo.clip`"), "{text}");
    }
}

/// A file of random bytes under the name of an experiment is bad data, and is told so in words without the program's
/// own.
#[test]
fn random_bytes_are_no_experiment() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("noise.toml");
    fs::write(&file, b"\x7f\x9c\x00\xff steps = 3").unwrap();
    only_sentence(train(&file, &dir.path().join("run")), DATA, &["noise.toml", "not a text in UTF-8"]);
}

/// A key that is written as a flag is told how overrides are written; no unknown flag is told to be written as a value,
/// which would fail as well.
#[test]
fn a_key_as_a_flag() {
    let dir = tempfile::tempdir().unwrap();
    let experiment = write(dir.path(), &short());
    let run = dir.path().join("run");
    let cases: [(&[&str], &str); 6] = [
        (&["--seed", "3"], "say seed=3"),
        (&["--steps=5"], "say steps=5"),
        (&["--ppo.lr", "0.1"], "say ppo.lr=0.1"),
        (&["--ppo.max-grad-norm=1"], "say ppo.max_grad_norm=1"),
        (&["--clip", "0.1"], "say ppo.clip=0.1"),
        (&["-seed=3"], "say seed=3"),
    ];
    for (flag, words) in cases {
        let mut command = train(&experiment, &run);
        command.args(flag);
        only_sentence(command, USAGE, &["is no flag but a key of the experiment", words]);
        let mut command = s2pg(["algos", "--show", "ppo-rs/t-maze"]);
        command.args(flag);
        only_sentence(command, USAGE, &[words]);
    }
    for command in [&["train", "x", "--nonsense"][..], &["eval", "x", "--steps=5"]] {
        let output = s2pg(command).output().unwrap();
        assert_eq!(code(&output), USAGE);
        assert!(!said(&output).contains("-- --") && said(&output).contains("--help"), "{}", said(&output));
    }
    assert!(!run.exists());
}

/// `s2pg keys` lists every key with its meaning, or those with a word in their names; a word in no name is told so.
#[test]
fn keys_are_listed() {
    let shown = |words: &[&str]| String::from_utf8(finish(&mut s2pg([&["keys"], words].concat())).stdout).unwrap();
    let all = shown(&[]);
    for key in tables().iter().flat_map(|table| &table.keys) {
        let lines = format!("\n{}: {}", key.path, key.kind);
        assert!(all.contains(&lines) && all.contains(key.meaning) && !key.meaning.is_empty(), "{}", key.path);
    }
    let some = shown(&["network.hidden", "sac.lr"]);
    assert_eq!(some.lines().filter(|line| line.contains("; default: ")).count(), 2, "{some}");
    assert!(some.contains("network.hidden: whole number from 1 on; default: 128; 32 for sac"), "{some}");
    only_sentence(s2pg(["keys", "nonsense"]), USAGE, &["no key has nonsense in its name", "s2pg keys"]);
}

/// What is no preset, no file and no run is told so; so is a command that does not exist.
#[test]
fn nothing_of_that_name() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    only_sentence(
        s2pg(["train", "ppo-rs/half-cheeta"]),
        USAGE,
        &["ppo-rs/half-cheeta", "no preset", "ppo-rs/half-cheetah"],
    );
    only_sentence(s2pg(["train", "nonsense"]), USAGE, &["`nonsense`", "s2pg algos"]);
    only_sentence(s2pg(["train", &at("missing.toml")]), USAGE, &["missing.toml", "No such file"]);
    fs::create_dir(dir.path().join("empty")).unwrap();
    for command in ["train", "eval", "play", "report"] {
        let output = s2pg([command, &at("empty")]).output().unwrap();
        sentence(&output, USAGE, &[&at("empty"), "no run"]);
    }
    for command in ["eval", "play", "report"] {
        let output = s2pg([command, &at("nowhere")]).output().unwrap();
        sentence(&output, USAGE, &[&at("nowhere")]);
    }
    for wrong in [&["trian"][..], &["train"], &["train", "x", "--thread"], &[]] {
        let output = s2pg(wrong).output().unwrap();
        assert_eq!(code(&output), USAGE, "{wrong:?}");
        assert!(["Usage:", "--help"].iter().any(|hint| said(&output).contains(hint)), "{}", said(&output));
    }
    for right in [&["--help"][..], &["--version"], &["envs"], &["algos"], &["train", "--help"]] {
        finish(&mut s2pg(right));
    }
}

/// A number that a flag cannot have is one sentence with the flag, what was written, and what to write.
#[test]
fn a_wrong_number_in_a_flag() {
    for (line, words) in [
        ("eval x --episodes 0", "`--episodes` is 0; it must be a whole number from 1 to 1000000"),
        ("eval x --episodes=2.5", "`--episodes` is 2.5; it must be a whole number from 1 to 1000000"),
        ("eval x --episodes=99999999999", "`--episodes` is 99999999999; it must be"),
        ("eval x --seed=-1", "`--seed` is -1; it must be a whole number from 0 to 18446744073709551615"),
        ("play x --seed=x", "`--seed` is x; it must be a whole number"),
        ("train x --threads x", "`--threads` is x; it must be a whole number from 1 to 1024"),
        ("train x --threads 0", "`--threads` is 0; it must be a whole number from 1 to 1024"),
        ("theory --trajectories 3", "`--trajectories` is 3; it must be a whole number from 1000 to 1000000000"),
        ("bench --repeat 0", "`--repeat` is 0; it must be a whole number from 1 to 65535"),
        ("variance --gamma 2", "`--gamma` is 2; it must be a number from 0 to 1"),
        ("variance --horizon 5,0", "`--horizon` is 0; it must be a whole number from 1 to 10000"),
        ("eval x --seed", "`--seed` has no value; write it behind the flag, as in `--seed VALUE`"),
    ] {
        only_sentence(s2pg(line.split(' ')), USAGE, &[words]);
    }
}

/// A directory belongs to one experiment, of which only the number of steps may change, and to one process.
#[test]
fn a_directory_has_one_experiment_and_one_process() {
    let (_dir, experiment, run) = finished();
    let mut command = train(&experiment, &run);
    command.args(["ppo.lr=0.5"]);
    only_sentence(command, USAGE, &["another experiment", "`ppo.lr` is 0.001 there and 0.5 here", "--dir"]);
    finish(train(&experiment, &run).arg("steps=600"));

    let lock = fs::File::options().write(true).open(run.join("LOCK")).unwrap();
    lock.lock().unwrap();
    only_sentence(train(&experiment, &run), USAGE, &["another process", run.to_str().unwrap()]);
    drop(lock);
    finish(train(&experiment, &run).arg("steps=600"));

    fs::write(run.join("experiment.toml"), "not = [an experiment").unwrap();
    only_sentence(train(&experiment, &run), USAGE, &["experiment.toml", "no experiment"]);
}

/// A directory that is neither empty nor a run is refused with the first of its files, and nothing in it changes; what
/// a start that was killed leaves behind is not foreign.
#[test]
fn foreign_directories() {
    let dir = tempfile::tempdir().unwrap();
    let experiment = write(dir.path(), &short());
    for name in ["progress.csv", "policy.safetensors", "curve.png", "checkpoints/mine.pt", "notes"] {
        let run = dir.path().join(format!("of-{}", name.replace('/', "-")));
        fs::create_dir_all(run.join(name).parent().unwrap()).unwrap();
        for file in [name, "zebra"] {
            fs::write(run.join(file), "mine").unwrap();
        }
        let first = name.split('/').next().unwrap();
        for restart in [false, true] {
            let mut command = train(&experiment, &run);
            command.args(restart.then_some("--restart"));
            only_sentence(command, USAGE, &[run.to_str().unwrap(), &format!("holds `{first}`"), "--dir"]);
        }
        let mut left = files(&run);
        left.sort();
        assert_eq!(left, [run.join(name), run.join("zebra")]);
        assert!(left.iter().all(|file| fs::read_to_string(file).unwrap() == "mine"));
    }
    let file = dir.path().join("file");
    fs::write(&file, "mine").unwrap();
    only_sentence(train(&experiment, &file), USAGE, &[file.to_str().unwrap(), "no directory", "--dir"]);
    let run = dir.path().join("killed");
    fs::create_dir_all(run.join("checkpoints")).unwrap();
    for leftover in ["LOCK", ".experiment.toml.0.tmp", "checkpoints/.latest.safetensors.0.tmp"] {
        fs::write(run.join(leftover), "").unwrap();
    }
    finish(&mut train(&experiment, &run));
    assert_no_temporary_files(&run);
}

/// A run whose checkpoints are gone is refused, with what can be done, and its records stay; `--restart` starts it over
/// to the same end. A run that was killed before its first checkpoint begins again without a word.
#[test]
fn lost_checkpoints() {
    let (dir, experiment, run) = finished();
    let reference = dir.path().join("reference");
    finish(&mut train(&experiment, &reference));
    let progress = fs::read(run.join("progress.csv")).unwrap();
    let words = ["checkpoints", "are gone", "--restart", "--dir"];
    fs::remove_dir_all(run.join("checkpoints")).unwrap();
    only_sentence(train(&experiment, &run), USAGE, &words);
    only_sentence(s2pg(["train", run.to_str().unwrap()]), USAGE, &words);
    fs::remove_file(run.join("policy.safetensors")).unwrap();
    only_sentence(train(&experiment, &run), USAGE, &words);
    assert!(fs::read(run.join("progress.csv")).unwrap() == progress && !run.join("checkpoints").exists());
    // Starting over is for the same experiment.
    let mut other = train(&experiment, &run);
    other.args(["--restart", "seed=7"]);
    only_sentence(other, USAGE, &["another experiment", "`seed`"]);
    assert!(fs::read(run.join("progress.csv")).unwrap() == progress);
    fs::write(run.join("notes.txt"), "mine").unwrap();
    for _ in 0..2 {
        let output = finish(train(&experiment, &run).arg("--restart"));
        assert!(!said(&output).contains("going on at step"), "{}", said(&output));
        assert_same(&reference, &run, "started over");
    }
    assert_eq!(fs::read_to_string(run.join("notes.txt")).unwrap(), "mine");
    // As a kill before the first checkpoint leaves it: records, and an experiment without the line about checkpoints.
    let text = fs::read_to_string(run.join("experiment.toml")).unwrap();
    let (mark, plain) = text.split_once('\n').unwrap();
    assert!(mark.starts_with("# ") && mark.contains("checkpoints/"), "{mark}");
    fs::write(run.join("experiment.toml"), plain).unwrap();
    fs::remove_dir_all(run.join("checkpoints")).unwrap();
    fs::remove_file(run.join("policy.safetensors")).unwrap();
    let output = finish(&mut train(&experiment, &run));
    assert!(!said(&output).contains("warning"), "{}", said(&output));
    assert_same(&reference, &run, "begun again");
}

/// The steps of a run only grow.
#[test]
fn steps_only_grow() {
    let (_dir, experiment, run) = finished();
    let at = run.to_str().unwrap();
    let before = fs::read(run.join("experiment.toml")).unwrap();
    only_sentence(s2pg(["train", at, "steps=399"]), USAGE, &["experiment.toml", "`steps` is 400 there and 399 here"]);
    assert!(fs::read(run.join("experiment.toml")).unwrap() == before);
    finish(&mut s2pg(["train", at, "steps=440"]));
    let mut less = train(&experiment, &run);
    less.arg("steps=400");
    only_sentence(less, USAGE, &["`steps` is 440 there", "only grow"]);
}

/// No sentence about an experiment names a key of an algorithm that the experiment does not have, whatever the number
/// of environments.
#[test]
fn keys_of_other_algorithms_are_not_blamed() {
    let mut refused = 0;
    for algorithm in AlgorithmName::all() {
        let own = algorithm.table();
        let estimator = algorithm.estimators().next().unwrap();
        let text = format!(
            "algorithm = \"{algorithm}\"\nestimator = \"{estimator}\"\nsteps = 1000\n[env]\nname = \"TMaze-v0\"\n"
        );
        for parallel in ["0", "7", "1000000", "1000000000000"] {
            for key in ["steps", "episodes", "replay"] {
                let changes = [format!("env.parallel={parallel}"), format!("{own}.{key}={parallel}")];
                for changes in [&changes[..1], &changes[..]] {
                    let built = Experiment::parse("x.toml", &text, changes).map_err(|e| e.to_string()).and_then(|e| {
                        // What no machine can hold is refused before an environment is made.
                        let huge = e.env.parallel > 1 << 30;
                        if huge { build(&e, registry(), 1).map(drop).map_err(|e| e.to_string()) } else { Ok(()) }
                    });
                    let Err(e) = built else { continue };
                    let foreign =
                        AlgorithmName::tables().find(|other| *other != own && e.contains(&format!("{other}.")));
                    assert_eq!(foreign, None, "{algorithm} with {changes:?}: {e}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 50, "{refused}");
}

/// The environments of the binary.
fn registry() -> Arc<Registry> {
    Arc::new(s2pg_lab::registry())
}

/// Of two processes that start in one directory at the same moment, one trains and the other is told so.
#[test]
fn two_processes_never_share_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let experiment = write(dir.path(), T_MAZE);
    for race in 0..5 {
        let run = dir.path().join(format!("run-{race}"));
        let two = [0, 1].map(|_| train(&experiment, &run).spawn().unwrap());
        let outputs = two.map(|child| child.wait_with_output().unwrap());
        let codes = outputs.each_ref().map(code);
        let refused = codes.iter().filter(|&&c| c == USAGE).count();
        // The second may also come when the first has finished: then it only draws the pictures again.
        assert!(codes.contains(&0) && codes.iter().all(|c| [0, USAGE].contains(c)), "{codes:?}");
        assert!(refused == 1 || outputs.iter().any(|o| said(o).contains("going on at step 3000")), "{codes:?}");
        assert_no_temporary_files(&run);
    }
}

/// Damages a file by a flipped bit in the middle, or by cutting it.
fn damage(path: &Path, cut: bool) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    if cut {
        bytes.truncate(middle)
    } else {
        bytes[middle] ^= 1
    }
    fs::write(path, bytes).unwrap();
}

/// A checkpoint that is cut or has a flipped bit gives way to the one before it with a warning, and the run ends as it
/// would have; where both are damaged it is an error, and both files stay as they are.
#[test]
fn damaged_checkpoints() {
    let (dir, experiment, reference) = finished();
    for cut in [false, true] {
        let run = dir.path().join(format!("damaged-{cut}"));
        finish(&mut train(&experiment, &run));
        let checkpoints = Checkpoints::view(run.join("checkpoints"));
        damage(&checkpoints.path(LATEST), cut);
        let output = finish(&mut train(&experiment, &run));
        let warning = said(&output).lines().find(|l| l.starts_with("warning: ")).unwrap_or_default().to_string();
        for word in ["latest.safetensors", if cut { "truncated" } else { "damaged" }, "step 400"] {
            assert!(warning.contains(word), "`{word}` is not in: {warning}");
        }
        assert_same(&reference, &run, "after a damaged checkpoint");

        damage(&checkpoints.path(LATEST), cut);
        damage(&checkpoints.path(PREVIOUS), !cut);
        let before = [LATEST, PREVIOUS].map(|name| fs::read(checkpoints.path(name)).unwrap());
        only_sentence(train(&experiment, &run), DATA, &["latest.safetensors", "previous.safetensors"]);
        assert_eq!(before, [LATEST, PREVIOUS].map(|name| fs::read(checkpoints.path(name)).unwrap()));
    }
}

/// A checkpoint that is sound but of another experiment is an error that names what does not fit.
#[test]
fn a_foreign_checkpoint() {
    let (dir, experiment, run) = finished();
    let other = dir.path().join("other");
    let mut command = train(&experiment, &other);
    finish(command.arg("network.hidden=9"));
    fs::copy(other.join("checkpoints/latest.safetensors"), run.join("checkpoints/latest.safetensors")).unwrap();
    only_sentence(train(&experiment, &run), DATA, &["latest.safetensors", "another experiment"]);
}

/// Logs that are shorter than at the checkpoint, or lost, are a warning: the damaged file is set aside, and the run
/// goes on with what is sound.
#[test]
fn lost_rows() {
    let (_dir, experiment, run) = finished();
    for file in ["progress.csv", "eval.csv", "events.out.tfevents.s2pg"] {
        let whole = fs::read(run.join(file)).unwrap();
        fs::write(run.join(file), &whole[..whole.len() - 3]).unwrap();
        let output = finish(&mut train(&experiment, &run));
        let warnings: Vec<_> = said(&output).lines().filter(|l| l.starts_with("warning: ")).map(String::from).collect();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains(&format!("{file} is damaged")), "{warnings:?}");
        assert!(fs::read(run.join(format!("{file}.damaged"))).unwrap() == whole[..whole.len() - 3]);
        assert!(!said(&finish(&mut train(&experiment, &run))).contains("warning"), "it is told once");
    }
    // The table of times decides nothing: without it, and with half a line of it, the run goes on.
    for rest in ["", "time/total_ti", "time/total_timesteps,time/time_elapsed\n100,0.1\n200,"] {
        fs::write(run.join("time.csv"), rest).unwrap();
        finish(train(&experiment, &run).arg("steps=700"));
        let text = fs::read_to_string(run.join("time.csv")).unwrap();
        assert!(text.starts_with("time/total_timesteps,time/time_elapsed\n") || text.is_empty(), "{text}");
    }
}

/// A policy file that is missing, cut, empty, no model, or of another policy is an error that names it.
#[test]
fn unreadable_policies() {
    let (dir, experiment, run) = finished();
    let other = dir.path().join("other");
    finish(train(&experiment, &other).arg("network.features=9"));
    let at = run.to_str().unwrap();
    let policy = run.join("policy.safetensors");
    let whole = fs::read(&policy).unwrap();
    let foreign = fs::read(other.join("policy.safetensors")).unwrap();
    let cases: [(&[u8], &str); 4] = [
        (&whole[..whole.len() / 2], "damaged"),
        (b"", "no model file"),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f{}", "no model file"),
        (&foreign, "another experiment"),
    ];
    for (bytes, words) in cases {
        fs::write(&policy, bytes).unwrap();
        for command in ["eval", "play"] {
            only_sentence(s2pg([command, at, "--latest"]), DATA, &["policy.safetensors", words]);
        }
    }
    fs::remove_file(&policy).unwrap();
    only_sentence(s2pg(["eval", at, "--latest"]), DISK, &["policy.safetensors", "No such file"]);
    // The best policy is another file, and is the one that is asked for by default.
    finish(&mut s2pg(["eval", at]));
    let best = run.join("checkpoints/best.safetensors");
    let sound = fs::read(&best).unwrap();
    fs::write(&best, "no").unwrap();
    // Without the last policy either, that is what is told.
    let output = s2pg(["eval", at]).output().unwrap();
    sentence(&output, DISK, &["policy.safetensors", "No such file"]);
    // A run that goes on writes its model again.
    finish(&mut train(&experiment, &run));
    assert!(fs::read(&policy).unwrap() == whole);
    // A damaged best policy gives way to the last one, with a warning.
    for command in ["eval", "play"] {
        let output = finish(&mut s2pg([command, at]));
        let warning = said(&output);
        assert!(warning.contains("best.safetensors") && warning.contains("last checkpoint is taken"), "{warning}");
    }
    let [fallen_back, latest] = [&["eval", at][..], &["eval", at, "--latest"]].map(|a| finish(&mut s2pg(a)).stdout);
    assert_eq!(String::from_utf8_lossy(&fallen_back), String::from_utf8_lossy(&latest));
    fs::write(&best, sound).unwrap();
    assert!(said(&finish(&mut s2pg(["eval", at]))).is_empty());
}

/// A policy is not shown in another task than the one that it was trained in: an experiment that was changed afterwards
/// is told with the key and both values. When a run is evaluated may change.
#[test]
fn a_changed_experiment() {
    let (_dir, _, run) = finished();
    let file = run.join("experiment.toml");
    let at = run.to_str().unwrap();
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("episodes = ", "episodes = 1")).unwrap();
    finish(&mut s2pg(["eval", at]));
    fs::write(&file, text.replace("corridor = 4", "corridor = 6")).unwrap();
    for command in ["eval", "play", "probe"] {
        only_sentence(s2pg([command, at]), DATA, &["best.safetensors", "`env.corridor` was 4", "is 6", "put 4 back"]);
    }
}

/// What cannot be written is told with what to do.
#[test]
fn nowhere_to_write() {
    let (dir, _, run) = finished();
    let at = run.to_str().unwrap();
    let out = dir.path().join("missing/x.gif");
    only_sentence(s2pg(["play", at, "--out", out.to_str().unwrap()]), DISK, &["x.gif", "make its directory first"]);
}

/// A run without a row yet is reported as such; a table that is no table is named with its line.
#[test]
fn nothing_to_draw() {
    let (dir, _, run) = finished();
    let out = dir.path().join("report");
    let report = || s2pg(["report", run.to_str().unwrap(), "--out", out.to_str().unwrap()]);
    finish(&mut report());
    let progress = fs::read_to_string(run.join("progress.csv")).unwrap();
    fs::write(run.join("progress.csv"), progress.replacen(",", ",7,", 20)).unwrap();
    only_sentence(report(), DATA, &["progress.csv", "line 2", "cells", "s2pg train"]);
    fs::write(run.join("progress.csv"), b"\xff\xfe\x00").unwrap();
    only_sentence(report(), DATA, &["progress.csv", "not a text in UTF-8"]);
    fs::write(run.join("progress.csv"), "").unwrap();
    let output = finish(&mut report());
    assert!(String::from_utf8_lossy(&output.stdout).contains("no episode has ended yet"));
    fs::remove_file(run.join("progress.csv")).unwrap();
    only_sentence(report(), DISK, &["progress.csv", "No such file"]);
}

/// A weight of the entropy at which the numbers explode ends the run with its own code, a sentence with the step, and a
/// checkpoint of finite numbers from before.
#[test]
fn a_diverging_run() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let experiment = write(dir.path(), T_MAZE);
    let mut command = train(&experiment, &run);
    let output = command.args(["ppo.entropy=1e38"]).output().unwrap();
    let told = sentence(&output, DIVERGED, &["diverged at step", "smaller step size"]);
    assert!(!told.contains("checkpoint"), "nothing is said of a checkpoint that may not be there: {told}");
    let steps: usize = Checkpoints::view(run.join("checkpoints")).metadata(LATEST).unwrap()["steps"].parse().unwrap();
    assert!(steps <= 100, "{steps}");
    assert_no_temporary_files(&run);
}

/// Runs the binary in a shell after `setup`, as in `ulimit -f 20`.
#[cfg(unix)]
fn in_shell(setup: &str, experiment: &Path, run: &Path) -> Command {
    let train = train(experiment, run);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{setup}; exec \"$@\""), "sh"]).arg(train.get_program()).args(train.get_args());
    command
}

/// Where no file may grow as long as a checkpoint, the run warns twice and stops at the third failure in a row; the old
/// checkpoint stays, nothing is left behind, and with room again the run ends as if nothing had happened.
#[test]
#[cfg(unix)]
fn a_full_disk_costs_a_checkpoint_and_never_the_run() {
    let dir = tempfile::tempdir().unwrap();
    // Evaluations that keep a best model would fail as well: these have their own test below.
    let text = short().replace("every = 150", "every = 0");
    let experiment = write(dir.path(), &text);
    let [reference, run] = ["reference", "run"].map(|name| dir.path().join(name));
    for run in [&reference, &run] {
        finish(train(&experiment, run).arg("steps=120"));
    }
    finish(&mut train(&experiment, &reference));
    let before = fs::read(run.join("checkpoints/latest.safetensors")).unwrap();
    assert!(before.len() > 10 << 10);

    // Ignoring the signal makes the system's limit an error of the call. The unit is 512 bytes or 1,024.
    let output = in_shell("trap '' XFSZ; ulimit -f 10", &experiment, &run).output().unwrap();
    sentence(&output, DISK, &["latest.safetensors", "not saved", "can still be loaded"]);
    assert_eq!(said(&output).lines().filter(|l| l.starts_with("warning: ")).count(), 2, "{}", said(&output));
    assert!(fs::read(run.join("checkpoints/latest.safetensors")).unwrap() == before);
    assert_no_temporary_files(&run);
    // A run without a checkpoint does not speak of one.
    let output = in_shell("trap '' XFSZ; ulimit -f 10", &experiment, &dir.path().join("first")).output().unwrap();
    sentence(&output, DISK, &["latest.safetensors", "not saved", "there is no checkpoint yet"]);
    finish(&mut train(&experiment, &run));
    for file in ["progress.csv", "policy.safetensors", "checkpoints/latest.safetensors"] {
        assert!(fs::read(run.join(file)).unwrap() == fs::read(reference.join(file)).unwrap(), "{file}");
    }
}

/// On a real file system that is full, the run stops at the third failure in a row without a temporary file, and with
/// room again it ends as if nothing had happened. Where the user may not mount one, nothing is tested, and it says so.
#[test]
#[cfg(target_os = "linux")]
fn a_full_file_system() {
    let dir = tempfile::tempdir().unwrap();
    let experiment = write(dir.path(), &short());
    let [reference, run, small] = ["reference", "run", "small"].map(|name| dir.path().join(name));
    finish(train(&experiment, &reference).arg("steps=120"));
    finish(&mut train(&experiment, &reference));
    fs::create_dir_all(&small).unwrap();
    // In a mount namespace of its own, so that nothing is left mounted however this ends.
    let script = "\
        mount -t tmpfs -o size=400k tmpfs \"$1\" || exit 99\n\
        shift\n\
        run=\"$1\"; shift\n\
        \"$@\" steps=120 || exit 98\n\
        dd if=/dev/zero of=\"$run/../filler\" bs=1k count=400 2>/dev/null\n\
        \"$@\" steps=400; code=$?\n\
        rm \"$run/../filler\"\n\
        [ $code = 74 ] || exit $code\n\
        ls -A \"$run/checkpoints\" \"$run\" | grep '^[.].*tmp$' && exit 97\n\
        \"$@\" steps=400 || exit 96\n\
        cp -r \"$run\" \"$0\"\n";
    let inside = small.join("run");
    let train = train(&experiment, &inside);
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script]).arg(&run).arg(&small).arg(&inside);
    let output = match command.arg(train.get_program()).args(train.get_args()).output() {
        Ok(output) => output,
        Err(e) => return println!("not tested: unshare: {e}"),
    };
    let text = said(&output);
    if output.status.code() == Some(99) || text.contains("unshare") {
        return println!("not tested: {text}");
    }
    assert_eq!(code(&output), 0, "{text}");
    assert_eq!(text.lines().filter(|l| l.starts_with("s2pg: ")).count(), 1, "{text}");
    assert_same(&reference, &run, "after a full file system");
    assert_eq!(files(&run).len(), files(&reference).len());
}

/// Options of an environment that are no TOML, given to all, or pictures that cannot be written, are told in one
/// sentence that says what to do.
#[test]
fn environments_to_check() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let file = file.to_str().unwrap();
    for (line, words) in [
        (vec!["TMaze-v0", "corridor=3", "corridor=4"], ["duplicate key", "write key=value"]),
        (vec!["TMaze-v0", "name=foo"], ["`name=foo`", "texts as key='\"text\"'"]),
        (vec!["all", "corridor=2"], ["options belong to one environment", "in place of `all`"]),
        (vec!["TMaze-v0", "--pictures", file], ["--pictures", "choose a directory that can be written"]),
    ] {
        only_sentence(s2pg([&["check-env"], &line[..]].concat()), USAGE, &words);
    }
}
