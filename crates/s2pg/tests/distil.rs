//! A policy with memory learns from a teacher that sees what is hidden from it: what it is rewarded for, and how its
//! means move, are the teacher's actions in the states into which the policy brings itself.

mod runs;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use s2pg::env::Registry;
use s2pg::experiment::Experiment;
use s2pg::run::Run;
use s2pg::train::Teacher;

fn registry() -> Arc<Registry> {
    Arc::new(Registry::new())
}

fn train(dir: &Path, text: &str, changes: &[String]) -> Result<Run, String> {
    let experiment = Experiment::parse("x.toml", text, changes).map_err(|e| e.to_string())?;
    let (mut run, _) = Run::open(dir, &experiment, registry(), 1, 0.0).map_err(|e| e.to_string())?;
    while !run.is_finished() {
        run.advance(0.0, 0.0).map_err(|e| e.to_string())?;
    }
    Ok(run)
}

/// The text of an experiment in a short T-maze, with `head` and the table of the algorithm `table`.
fn maze(head: &str, table: &str) -> String {
    format!(
        "{head}standardise = false\n[env]\nname = \"TMaze-v0\"\ncorridor = 4\nparallel = 16\n[network]\nfeatures = 32\n\
         critic_features = 32\nhidden = 16\nstate_std = 0.1\n[evaluation]\nevery = 5_120\nepisodes = 40\n{table}"
    )
}

/// An oracle that has solved the maze.
fn oracle(dir: &Path) -> PathBuf {
    let run = dir.join("oracle");
    let text = maze(
        "algorithm = \"ppo\"\nestimator = \"oracle\"\nsteps = 30_720\n",
        "[ppo]\nsteps = 1024\nminibatch = 128\nlr = 3e-3\nvalue_lr = 3e-3\n",
    );
    train(&run, &text, &[]).unwrap();
    run
}

/// The student's text: a quarter of the steps after which PPO alone begins to learn.
fn student(teacher: &Path, estimator: &str) -> String {
    maze(
        &format!("algorithm = \"distil\"\nestimator = \"{estimator}\"\nsteps = 10_240\n"),
        &format!(
            "[distil]\nteacher = \"{}\"\nsteps = 1024\nminibatch = 128\nimitation_lr = 3e-3\nlr = 1e-3\n",
            teacher.display()
        ),
    )
}

/// Through time the student does what the oracle does, and without a memory it cannot. Resuming is exact, another
/// teacher under the same name is refused, and one that is gone is named.
#[test]
fn a_student_remembers_what_its_teacher_sees() {
    let dir = tempfile::tempdir().unwrap();
    let teacher = oracle(dir.path());
    let last = |run: &Path| {
        let text = std::fs::read_to_string(run.join("eval.csv")).unwrap();
        text.lines().last().unwrap().split(',').nth(1).unwrap().parse::<f64>().unwrap()
    };
    assert!(last(&teacher) > 0.9);
    let whole = dir.path().join("tbptt");
    train(&whole, &student(&teacher, "tbptt:16"), &[]).unwrap();
    assert!(last(&whole) > 0.9, "{}", last(&whole));
    let without = dir.path().join("vanilla");
    train(&without, &student(&teacher, "vanilla"), &[]).unwrap();
    assert!(last(&without) < 0.5, "{}", last(&without));

    let halves = dir.path().join("halves");
    train(&halves, &student(&teacher, "tbptt:16"), &["steps=5_120".into()]).unwrap();
    train(&halves, &student(&teacher, "tbptt:16"), &[]).unwrap();
    let read = |run: &Path| std::fs::read(run.join("policy.safetensors")).unwrap();
    assert!(read(&halves) == read(&whole));

    let more = ["steps=20_480".to_string()];
    std::fs::write(teacher.join("checkpoints/best.safetensors"), read(&teacher)).unwrap();
    let error = train(&whole, &student(&teacher, "tbptt:16"), &more).err().unwrap();
    assert!(error.contains("best.safetensors") && error.contains("`distil.teacher`"), "{error}");
    std::fs::remove_dir_all(&teacher).unwrap();
    let error = train(&whole, &student(&teacher, "tbptt:16"), &more).err().unwrap();
    assert!(error.contains("`distil.teacher`") && error.contains("give the directory of a run"), "{error}");
}

/// A teacher is shown what it was trained with, keeps a memory for each environment, and is refused where it was shown
/// something else.
#[test]
fn a_teacher_of_the_same_task() {
    let player = |env: &str, estimator: &str| {
        let text = format!("algorithm = \"ppo\"\nestimator = \"{estimator}\"\nsteps = 2000\n[env]\nname = \"{env}\"\n");
        s2pg::experiment::player(&Experiment::parse("x.toml", &text, &[]).unwrap(), registry()).unwrap().0
    };
    let spec = player("TMaze-v0", "rs").spec().clone();
    let mut oracle = Teacher::new(&player("TMaze-v0", "oracle"), &spec, 2).unwrap();
    let mut recurrent = Teacher::new(&player("TMaze-v0", "rs"), &spec, 2).unwrap();
    let (o, s) = ([0.0, 0.0, 0.3, 1.0, 0.0, 0.0], [0.0, 0.0, 0.3, 1.0, 1.0, 0.0, 0.0, 1.0]);
    let same = oracle.advise(&o, &s);
    assert_eq!(same.len(), 2);
    assert_eq!(oracle.advise(&[9.0; 6], &s), same, "an oracle does not see the observation");
    let first = recurrent.advise(&o, &s);
    let second = recurrent.advise(&o, &s);
    assert!(first[0] != second[0] && first[1] != second[1], "a memory moves on");
    recurrent.reset(1);
    let third = recurrent.advise(&o, &s);
    assert!(third[0] != second[0] && third[1] == first[1], "and begins anew with an episode");
    let error = Teacher::new(&player("PendulumPOMDP-v1", "rs"), &spec, 2).err().unwrap().to_string();
    assert!(error.contains("the teacher was shown (cos, sin)") && error.contains("same task"), "{error}");
}
