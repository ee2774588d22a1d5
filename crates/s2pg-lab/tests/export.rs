//! What is exported of a policy acts as the policy: of PPO, SAC, TD3 and GAIL with every kind of memory, in C, Rust and
//! ONNX, compiled strictly and run over 1,000 steps with resets; and what cannot leave is refused with a reason.

use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use s2pg::Rng;
use s2pg::experiment::{Experiment, player};
use s2pg::run::Run;
use s2pg::train::record;
use s2pg_lab::export::{About, Checked, Export, Target, Vectors, prepare};
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
    let about = About::new(Path::new("runs/test"), &experiment, 400);
    prepare(&player, &make_env, about, drawn).map_err(|e| e.to_string())
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

/// The exports of every run, with means and with draws, each with words about it.
static EXPORTS: LazyLock<Vec<(String, Export)>> = LazyLock::new(|| {
    let elsewhere = tempfile::tempdir().unwrap();
    let demos = demos(elsewhere.path());
    let mut exports = Vec::new();
    for (algorithm, estimator, memory, settings) in runs() {
        let dir = tempfile::tempdir().unwrap();
        finished(dir.path(), algorithm, estimator, memory, &settings.replace("DEMOS", &demos));
        for drawn in [false, true] {
            let what = format!("{algorithm} {estimator} {} {drawn}", memory.replace('\n', " "));
            let export = export(dir.path(), drawn).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_eq!(export.vectors.steps.len(), Vectors::STEPS);
            exports.push((what, export));
        }
    }
    exports
});

/// Writes each of those exports to `target` for which `tried` says so, and holds it against its vectors.
fn acts_as_the_policy(target: Target, tried: impl Fn(usize) -> bool) {
    let mut worst = 0.0f64;
    for (_, (what, export)) in EXPORTS.iter().enumerate().filter(|(i, _)| tried(*i)) {
        let dir = tempfile::tempdir().unwrap();
        // A model with draws takes many rows.
        for file in target.write(export, export.program.noise > 0) {
            fs::write(dir.path().join(file.name), &file.bytes).unwrap();
        }
        for (by, checked) in target.check(dir.path()) {
            let what = format!("{what} by {by}: {checked:?}");
            match checked {
                Checked::Ran(comparison) => {
                    assert_eq!(comparison.steps, Vectors::STEPS, "{what}");
                    assert!(comparison.largest < 1e-4, "{what}");
                    println!("{what}");
                    worst = worst.max(comparison.largest);
                }
                Checked::Missing(program) => return println!("skipped: there is no {program}"),
                Checked::Failed(_) => panic!("{what}"),
            }
        }
    }
    println!("largest difference of an action: {worst:.1e}");
}

/// Each run is tried with means or with draws.
#[test]
fn c_acts_as_the_policy() {
    acts_as_the_policy(Target::C, |i| i % 4 == 0 || i % 4 == 3);
}

/// The compiler of Rust is slow, so that it compiles a third, of which half draw.
#[test]
fn rust_acts_as_the_policy() {
    acts_as_the_policy(Target::Rust, |i| i % 3 == 0);
}

#[test]
fn onnx_acts_as_the_policy() {
    acts_as_the_policy(Target::Onnx, |i| i % 4 == 0 || i % 4 == 3);
}

/// The fields of a protobuf message that hold bytes, each with its number; panics where the message is not whole.
fn fields(mut bytes: &[u8]) -> Vec<(u64, &[u8])> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let length = 1 + bytes.iter().position(|byte| byte & 0x80 == 0).unwrap();
        let (digits, rest) = bytes.split_at(length);
        *bytes = rest;
        digits.iter().rev().fold(0, |x, byte| x << 7 | u64::from(byte & 0x7f))
    }
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let size = match key & 7 {
            0 => {
                varint(&mut bytes);
                0
            }
            5 => 4,
            _ => varint(&mut bytes) as usize,
        };
        let (content, rest) = bytes.split_at(size);
        fields.push((key >> 3, content));
        bytes = rest;
    }
    fields
}

/// Without a runtime too: the messages are whole, and inputs and outputs have the names of the page.
#[test]
fn a_model_names_its_state() {
    let name = |x: &[u8]| String::from_utf8(fields(x)[0].1.into()).unwrap();
    let named = |what: &str| {
        let (_, export) = EXPORTS.iter().find(|(x, _)| x.starts_with(what) && x.ends_with("true")).unwrap();
        let model = Target::Onnx.write(export, false).remove(0).bytes;
        let graph = fields(&model).into_iter().find(|(field, _)| *field == 7).unwrap().1;
        let of = |field: u64| fields(graph).into_iter().filter(move |x| x.0 == field).map(|x| name(x.1));
        (of(11).collect::<Vec<_>>().join(" "), of(12).collect::<Vec<_>>().join(" "))
    };
    let (inputs, outputs) = named("sac rs cell = \"lstm\"");
    assert_eq!(inputs, "obs h_in c_in previous_action_in noise");
    assert_eq!(outputs, "actions h_out c_out previous_action_out");
    let (inputs, outputs) = named("td3 window:3");
    assert_eq!((&*inputs, &*outputs), ("obs window_in seen_in noise", "actions window_out seen_out"));
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
