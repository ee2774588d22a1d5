//! A run that starts from another one begins with the policy of that one, and with every other network that fits; what
//! is taken and what is not is told. What does not fit at all is refused in one sentence, and leaves no directory.

use std::path::Path;
use std::sync::Arc;

use s2pg::env::Registry;
use s2pg::experiment::Experiment;
use s2pg::run::Run;

const TEXT: &str = "\
algorithm = \"ppo\"
estimator = \"rs\"
steps = 480

[env]
name = \"PendulumPOMDP-v1\"
parallel = 2

[network]
features = 8
critic_features = 8
hidden = 6

[ppo]
steps = 120
minibatch = 30
epochs = 2
value_epochs = 2

[evaluation]
every = 0

[checkpoint]
every = 240
";

fn experiment(changes: &[&str]) -> Experiment {
    let changes: Vec<String> = changes.iter().map(|x| x.to_string()).collect();
    let text = if changes.iter().any(|x| x.contains("=sac")) { TEXT.split("[ppo]").next().unwrap() } else { TEXT };
    Experiment::parse("x.toml", text, &changes).unwrap()
}

fn open(dir: &Path, changes: &[&str]) -> Result<Run, String> {
    let opened = Run::open(dir, &experiment(changes), Arc::new(Registry::new()), 1, 0.0);
    opened.map(|(run, _)| run).map_err(|e| e.to_string())
}

fn train(dir: &Path, changes: &[&str]) -> Run {
    let mut run = open(dir, changes).unwrap();
    while !run.is_finished() {
        run.advance(0.0, 0.0).unwrap();
    }
    run
}

/// Parameters of the policy, and a mean return that the value function and the statistics decide as well.
fn policy(run: &mut Run) -> Vec<f32> {
    run.training().model().parameters.data().to_vec()
}

/// Every network of the same sizes and both statistics are taken, and a finished run trains on from there: to the bit
/// as often as it is asked, also where it is stopped and goes on, although the other run is gone by then.
#[test]
fn the_same_networks() {
    let dir = tempfile::tempdir().unwrap();
    let [source, a, b] = ["source", "a", "b"].map(|name| dir.path().join(name));
    let learned = policy(&mut train(&source, &[]));
    let init = format!("init={}", source.display());
    let changes = [&init[..], "seed=5"];
    let mut run = open(&a, &changes).unwrap();
    assert_eq!(policy(&mut run), learned);
    let told = run.began().unwrap().to_string();
    assert_eq!(told, format!("starts from step 480 of {} with its policy, value, statistics of s", source.display()));
    while !run.is_finished() {
        run.advance(0.0, 0.0).unwrap();
    }
    assert_ne!(policy(&mut run), learned);
    let mut again = open(&b, &changes).unwrap();
    for _ in 0..150 {
        again.advance(0.0, 0.0).unwrap();
    }
    assert!(again.steps() > 240);
    drop(again);
    std::fs::remove_dir_all(&source).unwrap();
    let mut again = train(&b, &changes);
    assert_eq!(again.began(), None);
    assert_eq!(policy(&mut again), policy(&mut run));
}

/// From a model file the policy is taken. What has another size here is new, and is named: the deviations of z', which
/// `tbptt:3` does not draw, and the critics of another algorithm.
#[test]
fn networks_that_fit_in_part() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    train(&source, &[]);
    let model = format!("init={}", source.join("policy.safetensors").display());
    let run = open(&dir.path().join("model"), &[&model]).unwrap();
    assert!(run.began().unwrap().ends_with("policy.safetensors with its policy"), "{:?}", run.began());
    let init = format!("init={}", source.display());
    let run = open(&dir.path().join("tbptt"), &[&init, "estimator=tbptt:3"]).unwrap();
    let told = run.began().unwrap();
    assert!(told.ends_with("with its policy, value, statistics of s; new here: the policy's log_std"), "{told}");
    let run = open(&dir.path().join("wide"), &[&init, "network.critic_features=9"]).unwrap();
    assert!(run.began().unwrap().ends_with("with its policy, statistics of s; new here: value"), "{:?}", run.began());
}

/// What cannot be started from is told with what to do, before anything is written.
#[test]
fn nothing_to_start_from() {
    let dir = tempfile::tempdir().unwrap();
    let [source, fresh] = ["source", "fresh"].map(|name| dir.path().join(name));
    train(&source, &[]);
    drop(open(&fresh, &["checkpoint.every=0"]).unwrap());
    let at = |path: &Path| format!("init={}", path.display());
    let cases = [
        (vec![at(&dir.path().join("missing"))], "missing: No such file"),
        (vec![at(&fresh)], "no checkpoint yet"),
        (vec![at(&source), "network.features=5".into(), "network.hidden=5".into()], "no weight of its policy"),
        (vec![at(&source), "standardise=false".into()], "`standardise` = true; set that here as well"),
        (vec![at(&source.join("progress.csv"))], "no model file"),
    ];
    for (changes, words) in cases {
        let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
        let new = dir.path().join("new");
        let error = open(&new, &changes).err().expect(words);
        assert!(error.contains(words) && !error.contains('\n'), "{error}");
        assert!(!new.exists(), "{error}");
    }
}
