//! The examples that need no command line do what they say.

#[allow(dead_code, reason = "its `main` is the example's")]
#[path = "../examples/4_write_an_algorithm.rs"]
mod an_algorithm;
#[path = "../examples/1_run_a_preset.rs"]
mod run_a_preset;

/// A preset is trained and acts, from a program of one's own; a second call goes on where the first one ended.
#[test]
fn a_preset_is_run() {
    let dir = tempfile::tempdir().unwrap();
    let more = |steps: &str| ["env.corridor=2".to_string(), format!("steps={steps}"), "evaluation.every=40_000".into()];
    run_a_preset::run("ppo-best/t-maze", &more("40_000"), dir.path()).unwrap();
    assert_eq!(run_a_preset::run("ppo-best/t-maze", &more("80_000"), dir.path()).unwrap(), 1.0);
}

/// The algorithm of the example trains a policy to remember.
#[test]
fn an_own_algorithm_trains() {
    assert!(an_algorithm::run(200_000, 0).unwrap() > 0.9);
}

/// There are four numbered examples, and each has fewer than 80 lines.
#[test]
fn examples_are_short() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let numbered = |path: &std::path::PathBuf| path.file_name().unwrap().as_encoded_bytes()[0].is_ascii_digit();
    let lengths: Vec<usize> =
        files.filter(numbered).map(|path| std::fs::read_to_string(path).unwrap().lines().count()).collect();
    assert!(lengths.len() == 4 && lengths.iter().all(|&lines| lines < 80), "{lengths:?}");
}
