//! What a user meets in the first week on the command line: series of seeds, JSON, what eval and play say, names of
//! directories, completion, and the library of MuJoCo beside the program.

mod binary;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use binary::{T_MAZE, code, finish, s2pg, said, train, write};
use s2pg::experiment::Experiment;

const USAGE: i32 = 64;

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A short experiment: 200 steps, 2 updates, an evaluation and a checkpoint at the end.
fn short() -> String {
    T_MAZE
        .replace("steps = 3000", "steps = 200")
        .replace("every = 150", "every = 200")
        .replace("every = 40", "every = 0")
}

/// A finished run of the short experiment.
fn finished(dir: &Path) -> PathBuf {
    let run = dir.join("my run");
    finish(&mut train(&write(dir, &short()), &run));
    run
}

/// A finished run that is called again tells the time that it told before, which is that of its last row of time.csv.
#[test]
fn a_finished_run_tells_the_same_time() {
    let dir = tempfile::tempdir().unwrap();
    let experiment = write(dir.path(), &short());
    let run = dir.path().join("run");
    let told = || text(&finish(&mut train(&experiment, &run))).lines().next().unwrap().to_string();
    let first = told();
    assert!(first.starts_with("200 steps in "), "{first}");
    // So that a clock would tell another time.
    let times = run.join("time.csv");
    let seconds = fs::read_to_string(&times).unwrap().trim_end().rsplit(',').next().unwrap().to_string();
    let longer = fs::read_to_string(&times).unwrap().replace(&seconds, "7200");
    fs::write(&times, longer).unwrap();
    assert_eq!(told(), "200 steps in 2 h 00 min");
}

/// `seeds=0..2` trains three runs, each the run that its seed alone makes, and one report; again, nothing is run again;
/// a run that is taken away comes back.
#[test]
fn a_series_of_seeds() {
    let dir = tempfile::tempdir().unwrap();
    let experiment = write(dir.path(), &short());
    let base = dir.path().join("series");
    let series = || {
        let mut command = train(&experiment, &base);
        finish(command.arg("seeds=0..2"))
    };
    let output = series();
    for (i, seed) in ["0", "1", "2"].into_iter().enumerate() {
        assert!(said(&output).contains(&format!("run {} of 3, seed {seed}", i + 1)), "{}", said(&output));
        let run = dir.path().join(format!("series-{seed}"));
        let alone = dir.path().join(format!("alone-{seed}"));
        finish(train(&experiment, &alone).arg(format!("seed={seed}")));
        binary::assert_same(&alone, &run, "a run of a series");
    }
    assert!(text(&output).contains("(3 seeds, indicative)"), "{}", text(&output));
    let report = dir.path().join("series-report/report.png");
    assert!(report.exists());
    fs::remove_file(&report).unwrap();

    let before = fs::metadata(dir.path().join("series-0/curve.png")).unwrap().modified().unwrap();
    fs::remove_dir_all(dir.path().join("series-1")).unwrap();
    let output = series();
    for words in ["run 1 of 3, seed 0: finished before", "run 3 of 3, seed 2: finished before", "ppo rs on TMaze-v0"] {
        assert!(said(&output).contains(words), "{}", said(&output));
    }
    assert_eq!(fs::metadata(dir.path().join("series-0/curve.png")).unwrap().modified().unwrap(), before);
    assert!(report.exists() && dir.path().join("series-1/curve.png").exists());
    let mut again = train(&experiment, &base);
    let output = finish(again.args(["seeds=0..2", "--restart"]));
    assert!(!said(&output).contains("finished before"), "--restart starts every seed over: {}", said(&output));
}

/// What is the user's is not overwritten by a report, and not found in the way after hours: a series looks at all its
/// directories before its first run, and a report of no run, or over a page of another make, writes nothing.
#[test]
fn a_report_overwrites_nothing_of_the_users() {
    let dir = tempfile::tempdir().unwrap();
    let experiment = write(dir.path(), &short());
    let base = dir.path().join("series");
    let refused = |output: Output, words: &str| {
        assert_eq!(code(&output), USAGE, "{}", said(&output));
        assert!(said(&output).contains(words), "{}", said(&output));
    };
    let series = || train(&experiment, &base).arg("seeds=0..1").output().unwrap();
    fs::create_dir(dir.path().join("series-1")).unwrap();
    fs::write(dir.path().join("series-1/thesis.txt"), "mine").unwrap();
    refused(series(), "thesis.txt");
    fs::remove_dir_all(dir.path().join("series-1")).unwrap();
    fs::create_dir(dir.path().join("series-report")).unwrap();
    let page = dir.path().join("series-report/report.md");
    fs::write(&page, "my notes").unwrap();
    refused(series(), "is no report of this program");
    assert!(!dir.path().join("series-0").exists());

    let run = finished(dir.path());
    let report = |of: &Path, out: &Path| s2pg(["report"]).args([of, Path::new("--out"), out]).output().unwrap();
    refused(report(&run, &dir.path().join("series-report")), "is no report of this program");
    assert_eq!(fs::read_to_string(&page).unwrap(), "my notes");
    refused(report(&run, &experiment), "is a file");
    let out = dir.path().join("good");
    assert_eq!(code(&report(&run, &out)), 0);
    let before = fs::read(out.join("report.md")).unwrap();
    refused(report(&out, &out), "there is no run to report on");
    assert_eq!(fs::read(out.join("report.md")).unwrap(), before);
}

/// What cannot be a series is one sentence before anything is trained.
#[test]
fn no_series() {
    let dir = tempfile::tempdir().unwrap();
    let run = finished(dir.path());
    let experiment = dir.path().join("small.toml");
    let [run, experiment] = [&run, &experiment].map(|path| path.to_str().unwrap());
    for (arguments, words) in [
        (&[experiment, "seeds=4..0"][..], "goes down"),
        (&[experiment, "seeds=0..1", "seed=1"], "take one of them away"),
        (&[experiment, "seeds=0..1", "ppo.clap=1"], "clap"),
        (&[run, "seeds=0..1"], "is a run, which has a seed already"),
    ] {
        let output = s2pg([&["train"], arguments].concat()).current_dir(dir.path()).output().unwrap();
        assert_eq!((code(&output), said(&output).lines().count()), (USAGE, 1), "{}", said(&output));
        assert!(said(&output).contains(words), "{}", said(&output));
    }
    assert!(!dir.path().join("runs").exists());
}

/// A signal ends a series at its present run with a checkpoint, and says how to go on with both; the series goes on.
#[test]
#[cfg(unix)]
fn a_signal_ends_a_series() {
    use std::io::{BufRead, BufReader, Read};
    let dir = tempfile::tempdir().unwrap();
    let experiment = write(dir.path(), &T_MAZE.replace("steps = 3000", "steps = 400_000"));
    let mut command = train(&experiment, &dir.path().join("a series"));
    let mut child = command.arg("seeds=5,6").spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("ppo rs on TMaze-v0") {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "no heading");
    }
    let kill = format!("kill -TERM {}", child.id());
    assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143), "{rest}");
    assert!(rest.contains("with a checkpoint; go on with: s2pg train '"), "{rest}");
    let goes_on = rest.lines().last().unwrap();
    assert!(goes_on.starts_with("the series goes on with: s2pg train ") && goes_on.contains(" seeds=5,6 "), "{rest}");
    assert!(goes_on.ends_with("a series'"), "the directory is quoted: {rest}");
    assert!(dir.path().join("a series-5/checkpoints/latest.safetensors").exists());
    assert!(!dir.path().join("a series-6").exists());
}

/// `probe` has a table of what the state tells, and one of what the policy does without it; of a policy that keeps no
/// state it says so in one sentence.
#[test]
fn probe_says_what_a_policy_remembers() {
    let dir = tempfile::tempdir().unwrap();
    let run = finished(dir.path());
    let output = text(&finish(&mut s2pg(["probe", run.to_str().unwrap(), "--episodes", "4"])));
    for part in ["remembered_cue", "seen 1 step ago", "R² from state", "untouched", "zeroed", "shuffled", "success"] {
        assert!(output.contains(part), "{part} in {output}");
    }
    assert!(output.ends_with("over 4 episodes of each kind\n"), "{output}");
    let without = dir.path().join("without");
    finish(train(&write(dir.path(), &short()), &without).arg("estimator=vanilla"));
    let output = text(&finish(&mut s2pg(["probe", without.to_str().unwrap()])));
    assert!(
        output.ends_with("the policy keeps no state from step to step, so there is nothing to probe\n"),
        "{output}"
    );
    assert_eq!(output.lines().count(), 1, "{output}");
}

/// `eval` says which policy of which step it used, and before the first checkpoint that there is none; 0 episodes and
/// numbers beyond all patience are refused.
#[test]
fn eval_says_which_policy() {
    let dir = tempfile::tempdir().unwrap();
    let run = finished(dir.path());
    let at = run.to_str().unwrap();
    let output = text(&finish(&mut s2pg(["eval", at, "--episodes", "1"])));
    assert!(output.contains("the policy of step 200, whose evaluation was the best ("), "{output}");
    assert!(output.contains("my run/checkpoints/best.safetensors'\n"), "the path is quoted: {output}");
    assert!(output.contains("over 1 episode each"), "{output}");
    let output = text(&finish(&mut s2pg(["eval", at, "--latest"])));
    assert!(output.contains("the policy of step 200, the last checkpoint,"), "{output}");
    fs::remove_file(run.join("checkpoints/best.safetensors")).unwrap();
    let output = finish(&mut s2pg(["eval", at]));
    assert!(text(&output).contains("the policy of step 200, the last checkpoint,"), "{}", text(&output));
    assert!(said(&output).contains("best.safetensors is missing; the policy of the last checkpoint is taken"));
    fs::remove_file(run.join("eval.csv")).unwrap();
    let output = text(&finish(&mut s2pg(["eval", at])));
    assert!(output.contains("the last checkpoint: no evaluation yet"), "{output}");
    for episodes in ["0", "99999999999", "-1", "many"] {
        let output = s2pg(["eval", at, &format!("--episodes={episodes}")]).output().unwrap();
        assert_eq!(code(&output), USAGE, "{}", said(&output));
    }
    fs::remove_dir_all(run.join("checkpoints")).unwrap();
    fs::remove_file(run.join("policy.safetensors")).unwrap();
    for command in ["eval", "play"] {
        let output = s2pg([command, at]).output().unwrap();
        assert_eq!(code(&output), USAGE);
        assert!(said(&output).contains("the run has no policy yet; it saves one at step 200"), "{}", said(&output));
    }
}

/// `play` refuses a file that it cannot write, and leaves nothing under that name.
#[test]
fn play_writes_pictures_only() {
    let dir = tempfile::tempdir().unwrap();
    let run = finished(dir.path());
    for name in ["x.mp4", "x", "x.gif.pdf"] {
        let out = dir.path().join(name);
        let output = s2pg(["play".as_ref(), run.as_os_str(), "--out".as_ref(), out.as_os_str()]).output().unwrap();
        assert_eq!((code(&output), said(&output).lines().count()), (USAGE, 1));
        assert!(said(&output).contains(name) && said(&output).contains("is written as .gif"), "{}", said(&output));
        assert!(!out.exists());
    }
}

/// Many overrides make a directory with a short name, and what the run says on its way can be pasted into a shell.
#[test]
fn names_and_paths() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &short());
    let changes = "network.hidden=10 network.features=8 network.critic_features=8 network.std=0.5 network.state_std=0.5 ppo.epochs=1 \
         ppo.value_epochs=1 ppo.minibatch=20 ppo.lr=0.001 ppo.value_lr=0.001 ppo.gamma=0.99 ppo.lambda=0.95 ppo.clip=0.2 \
         ppo.entropy=0.0 standardise=true compat=correct critic=observation";
    finish(s2pg(["train", "small.toml"]).args(changes.split_whitespace()).current_dir(dir.path()));
    let runs: Vec<_> = fs::read_dir(dir.path().join("runs")).unwrap().map(|run| run.unwrap().file_name()).collect();
    assert!(runs.len() == 1 && runs[0].len() < 110, "{runs:?}");
    let run = dir.path().join("it's mine");
    let output = finish(&mut train(&dir.path().join("small.toml"), &run));
    let last = text(&output).lines().last().unwrap().to_string();
    let (_, command) = last.split_once("evaluate it with: s2pg ").unwrap();
    let program = env!("CARGO_BIN_EXE_s2pg");
    let shell = std::process::Command::new("sh").args(["-c", &format!("'{program}' {command} --episodes 1")]).output();
    finish_output(&shell.unwrap());
}

fn finish_output(output: &Output) {
    assert_eq!(code(output), 0, "{}", said(output));
}

/// An empty name and a path to elsewhere suggest nothing.
#[test]
fn nothing_irrelevant_is_suggested() {
    for name in ["", "/data/ant/run", "nonsense", "a"] {
        let output = s2pg(["train", name]).output().unwrap();
        assert_eq!(code(&output), USAGE);
        assert!(!said(&output).contains("near it"), "{}", said(&output));
    }
}

/// `algos` lists what has all the words in its name, and says so where nothing has.
#[test]
fn algos_are_filtered() {
    let lines = |words: &[&str]| {
        let output = text(&finish(&mut s2pg([&["algos"], words].concat())));
        output.lines().filter(|line| line.contains('/') && !line.contains('`')).map(String::from).collect::<Vec<_>>()
    };
    let sac = lines(&["sac"]);
    assert!(sac.len() > 5 && sac.iter().all(|line| line.starts_with("sac-")), "{sac:?}");
    let both = lines(&["half-cheetah", "SAC-rs"]);
    assert!(!both.is_empty() && both.iter().all(|line| line.starts_with("sac-rs/half-cheetah")), "{both:?}");
    let output = s2pg(["algos", "nonsense"]).output().unwrap();
    assert_eq!((code(&output), said(&output).lines().count()), (USAGE, 1), "{}", said(&output));
}

/// Every field of the JSON of `eval`, `probe`, `report`, `algos` and `envs` is documented in the book, and stays.
#[test]
fn json_has_documented_fields() {
    fn fields(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(pairs) => pairs.iter().for_each(|(key, value)| {
                found.push(key.clone());
                // Figures are the environment's, and the keys of an experiment have their own pages.
                if !["figures", "experiment"].contains(&key.as_str()) {
                    fields(value, found);
                }
            }),
            serde_json::Value::Array(values) => values.iter().for_each(|value| fields(value, found)),
            _ => {}
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let run = finished(dir.path());
    let [run, out] = [run, dir.path().join("report")].map(|path| path.display().to_string());
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book/src/report.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, page) = page.split_once("## For programs").unwrap();
    let commands: [(&[&str], &[&str]); 6] = [
        (
            &["eval", &run, "--json"],
            &["run", "file", "step", "best_evaluation", "deterministic", "mean", "std", "seed"],
        ),
        (
            &["probe", &run, "--json"],
            &["has_state", "hidden", "r2_of_state", "r2_of_o", "by_steps_since_seen", "state", "zeroed", "shuffled"],
        ),
        (&["report", &run, "--out", &out, "--json"], &["groups", "runs", "training_return", "evaluation", "seconds"]),
        (&["algos", "--json"], &["algorithms", "estimators", "cells", "presets", "name", "about"]),
        (&["algos", "--show", "ppo-rs/t-maze", "--json"], &["experiment", "repeated_errors"]),
        (&["envs", "--json"], &["name", "about", "o", "s", "low", "high", "horizon", "dt"]),
    ];
    for (arguments, promised) in commands {
        let value = serde_json::from_str(&text(&finish(&mut s2pg(arguments)))).unwrap();
        let mut found = Vec::new();
        fields(&value, &mut found);
        for field in promised {
            assert!(found.iter().any(|f| f == field), "{arguments:?} has no {field}");
        }
        for field in found {
            assert!(page.contains(&format!("`{field}`")), "{arguments:?}: `{field}` is not in the book");
        }
    }
}

/// The experiment that `algos --show --json` prints has the values of the experiment.
#[test]
fn json_shows_the_experiment() {
    let output = text(&finish(&mut s2pg(["algos", "--show", "ppo-rs/t-maze", "seed=7", "--json"])));
    let value: serde_json::Value = serde_json::from_str(&output).unwrap();
    let toml = text(&finish(&mut s2pg(["algos", "--show", "ppo-rs/t-maze", "seed=7"])));
    let experiment = Experiment::parse("shown", &toml, &[]).unwrap();
    assert_eq!(value["experiment"]["seed"], 7);
    assert_eq!(value["experiment"]["ppo"]["steps"], experiment.ppo.steps);
}

/// Every shell gets a script that knows the commands.
#[test]
fn shells_complete() {
    for shell in ["bash", "zsh", "fish"] {
        let script = text(&finish(&mut s2pg(["completion", shell])));
        assert!(["check-env", "--episodes"].iter().all(|word| script.contains(word)) || shell == "fish", "{shell}");
        assert!(script.contains("check-env") && script.contains("episodes"), "{shell}");
    }
    assert_eq!(code(&s2pg(["completion", "cobol"]).output().unwrap()), USAGE);
}

/// A robot of one's own is checked: what is seen and what is hidden are told, and a picture is written under a name
/// without directories. A mistake in its file is a sentence.
#[test]
fn a_robot_of_ones_own_is_checked() {
    let dir = tempfile::tempdir().unwrap();
    let robot = concat!(env!("CARGO_MANIFEST_DIR"), "/../../robots/swing-up");
    for file in ["task.toml", "robot.xml"] {
        fs::copy(format!("{robot}/{file}"), dir.path().join(file)).unwrap();
    }
    let check = |more: &[&str]| {
        let arguments = [&["check-env", "mjcf:./task.toml"], more].concat();
        s2pg(arguments).current_dir(&dir).output().unwrap()
    };
    let output = check(&["--pictures", "."]);
    let said_to_users = String::from_utf8_lossy(&output.stdout);
    assert_eq!(code(&output), 0, "{said_to_users}");
    for words in ["the policy sees slider, sin_hinge, cos_hinge\n", "hidden from it are v_slider, v_hinge\n"] {
        assert!(said_to_users.contains(words), "{said_to_users}");
    }
    assert!(!said_to_users.contains("FAIL") && dir.path().join("mjcf-.-task.toml.png").exists(), "{said_to_users}");
    let output = check(&["start.positions.hing=3.0"]);
    assert_eq!(code(&output), USAGE);
    assert!(said(&output).contains("`start.positions` names the joint `hing`, which ./robot.xml does not have"));
    assert!(said(&output).contains("the nearest is hinge"), "{}", said(&output));
}

/// The program knows robots of one's own, and still hands a command over to the Python that `--python` names.
#[test]
fn python_is_asked() {
    let output = s2pg(["--python", "/no/such/python", "envs"]).output().unwrap();
    assert_eq!(code(&output), USAGE);
    assert!(said(&output).contains("name a Python that has the package s2pg after --python"), "{}", said(&output));
}

/// The program tells its version, the commit of which it was built, and the version of MuJoCo.
#[test]
fn the_version_has_three_parts() {
    let output = s2pg(["--version"]).output().unwrap();
    let expected = format!("s2pg {}, commit {}, MuJoCo 3.17.0\n", env!("CARGO_PKG_VERSION"), s2pg_lab::COMMIT);
    assert_eq!((code(&output), String::from_utf8_lossy(&output.stdout).as_ref()), (0, expected.as_str()));
    assert!(s2pg_lab::COMMIT == "unknown" || s2pg_lab::COMMIT.len() >= 7, "{}", s2pg_lab::COMMIT);
}

/// The program looks for MuJoCo's library beside itself first, so that it can be moved with it: what lies there under
/// that name is what it opens.
#[test]
#[cfg(target_os = "linux")]
fn the_library_is_found_beside_the_program() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("s2pg");
    fs::copy(env!("CARGO_BIN_EXE_s2pg"), &program).unwrap();
    let run = || std::process::Command::new(&program).arg("--version").output().unwrap();
    finish_output(&run());
    fs::write(dir.path().join("libmujoco.so.3.17.0"), "no library").unwrap();
    let output = run();
    assert!(!output.status.success());
    let library = dir.path().join("libmujoco.so.3.17.0");
    assert!(said(&output).contains(library.to_str().unwrap()), "{}", said(&output));
}
