//! What is exported of a policy acts as the policy: of PPO, SAC, TD3 and GAIL with every kind of memory, compiled
//! strictly and run over 1,000 steps with resets; and what cannot leave is refused with a reason.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use s2pg::Rng;
use s2pg::experiment::{Experiment, player};
use s2pg::run::Run;
use s2pg::train::record;
use s2pg_lab::export::check::{self, Checked};
use s2pg_lab::export::{About, Export, File, Vectors, c, prepare};
use s2pg_lab::policy::{Which, load};

/// A run of 400 steps, finished; `memory` holds lines of its table `network`.
fn finished(dir: &Path, algorithm: &str, estimator: &str, memory: &str, settings: &str) {
    let text = format!(
        "algorithm = \"{algorithm}\"\nestimator = \"{estimator}\"\nsteps = 400\nseed = 3\n[env]\nname = \
         \"PendulumPOMDP-v1\"\n[network]\nfeatures = 8\ncritic_features = 8\n{memory}\n[evaluation]\nevery = \
         0\n{settings}\n"
    );
    let experiment = Experiment::parse(algorithm, &text, &[]).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let (mut run, _) = Run::open(dir, &experiment, Arc::new(s2pg_lab::registry()), 1, 0.0).unwrap();
    while !run.advance(0.0, 0.0).unwrap().finished {}
}

/// The file of an episode of an untrained policy.
fn demos(dir: &Path) -> String {
    let text = "algorithm = \"ppo\"\nestimator = \"vanilla\"\nsteps = 100_000\n[env]\nname = \"PendulumPOMDP-v1\"\n";
    let experiment = Experiment::parse("demos.toml", text, &[]).unwrap();
    let (player, make_env) = player(&experiment, Arc::new(s2pg_lab::registry())).unwrap();
    let path = dir.join("demos.npz");
    let demos = record(&player, &make_env, 1, false, &mut Rng::new(0, "demos")).unwrap();
    fs::write(&path, demos.to_npz()).unwrap();
    path.display().to_string()
}

/// The export of such a run.
fn export(dir: &Path, drawn: bool) -> Result<Export, String> {
    let (player, make_env, experiment) = load(dir, Which::Latest, Arc::new(s2pg_lab::registry())).unwrap();
    let about = About {
        run: "runs/test".into(),
        algorithm: format!("{} {}", experiment.algorithm, experiment.estimator),
        steps: 400,
    };
    prepare(&player, &make_env, about, drawn).map_err(|e| e.to_string())
}

fn put(dir: &Path, files: &[File]) {
    files.iter().for_each(|file| fs::write(dir.join(file.name), &file.bytes).unwrap());
}

/// Runs of each algorithm with memories that cover all: the settings of each, and whether draws leave as well.
fn runs() -> Vec<(&'static str, &'static str, &'static str, String)> {
    let off = "replay = 500\nbatch = 8\ninitial = 300";
    let (ppo, sac, td3) = ("[ppo]\nsteps = 200", format!("[sac]\nwarmup = 300\n{off}"), format!("[td3]\n{off}"));
    vec![
        ("ppo", "rs", "cell = \"gru\"\nhidden = 8", ppo.into()),
        ("ppo", "rs", "cell = \"lru\"\nhidden = 4", ppo.into()),
        ("ppo", "rs", "cell = \"cpg\"\npolicy = \"post\"\nhidden = 3\ndt = 0.05\nsolver = \"rk4\"", ppo.into()),
        ("ppo", "rs", "cell = \"kuramoto\"\nhidden = 3\ndt = 0.05", ppo.into()),
        ("ppo", "rs", "cell = \"matsuoka\"\nhidden = 3\ndt = 0.05", ppo.into()),
        ("ppo", "tbptt:4", "cell = \"elman\"\nhidden = 8", ppo.into()),
        ("ppo", "vanilla", "", ppo.into()),
        ("sac", "rs", "cell = \"lstm\"\nhidden = 6", sac.clone()),
        ("sac", "bptt:5", "cell = \"gru\"\nhidden = 6", sac.clone()),
        ("sac", "rs", "cell = \"cpg\"\npolicy = \"mixed\"\nhidden = 1\ndt = 0.05", sac),
        ("gail", "rs", "cell = \"gru\"\nhidden = 8", "[gail]\ndemos = \"DEMOS\"\nsteps = 200".into()),
        ("td3", "window:3", "", td3.clone()),
        ("td3", "rs", "cell = \"elmanrelu\"\nhidden = 8", td3.clone()),
        ("td3", "rs", "cell = \"mingru\"\nhidden = 8", td3),
    ]
}

#[test]
fn c_acts_as_the_policy() {
    let mut worst = 0.0f64;
    let elsewhere = tempfile::tempdir().unwrap();
    let demos = demos(elsewhere.path());
    for (algorithm, estimator, memory, settings) in runs() {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings.replace("DEMOS", &demos);
        finished(dir.path(), algorithm, estimator, memory, &settings);
        for drawn in [false, true] {
            let export = export(dir.path(), drawn).unwrap_or_else(|e| panic!("{algorithm} {estimator} {memory}: {e}"));
            assert_eq!(export.vectors.steps.len(), Vectors::STEPS);
            put(dir.path(), &c::write(&export));
            fs::write(dir.path().join("vectors.csv"), export.vectors.to_csv()).unwrap();
            match check::c(dir.path(), "cc") {
                Checked::Ran(comparison) => {
                    let what = format!("{algorithm} {estimator} {memory} {drawn}: {comparison:?}");
                    assert_eq!(comparison.steps, Vectors::STEPS, "{what}");
                    assert!(comparison.largest < 1e-4, "{what}");
                    println!("{what}");
                    worst = worst.max(comparison.largest);
                }
                Checked::Missing(cc) => return println!("skipped: there is no {cc}"),
                Checked::Failed(what) => panic!("{algorithm} {estimator} {memory}: {what}"),
            }
        }
    }
    println!("largest difference of an action: {worst:.1e}");
}

/// A state that is squashed at the ends of segments alone does not leave, and the words say how else to train.
#[test]
fn what_cannot_leave_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let settings = "[sac]\nwarmup = 300\nreplay = 500\nbatch = 8\ninitial = 300";
    finished(dir.path(), "sac", "rs:5", "hidden = 4", settings);
    let refused = export(dir.path(), false).unwrap_err();
    assert!(
        refused.starts_with("the policy cannot be exported: its state is squashed at the end of each segment of 5")
    );
    assert!(refused.ends_with("train with rs or bptt to export it"), "{refused}");
    let dir = tempfile::tempdir().unwrap();
    finished(dir.path(), "ppo", "rs:5", "hidden = 4", "[ppo]\nsteps = 200");
    assert!(export(dir.path(), false).is_ok());
    assert!(export(dir.path(), true).unwrap_err().contains("export its mean transition"));
}
