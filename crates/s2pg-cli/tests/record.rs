//! What `s2pg record` writes is what algorithms that imitate read.

mod binary;

use std::fs;

use binary::{T_MAZE, code, finish, s2pg, said, train, write};

/// A policy is trained and recorded, twice alike and drawn otherwise, and GAIL and LS-IQ train from the file; a file of
/// another name, and a run that is none, are refused in one sentence.
#[test]
fn a_recorded_policy_is_imitated() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("expert");
    let mut experiment = train(&write(dir.path(), T_MAZE), &run);
    finish(experiment.args(["steps=400"]));
    let record = |name: &str, more: &[&str]| {
        let out = dir.path().join(name);
        let mut command = s2pg(["record".as_ref(), run.as_os_str(), "--out".as_ref(), out.as_os_str()]);
        (command.args(more).output().unwrap(), out)
    };
    let (said_of, a) = record("a.npz", &["--episodes", "4"]);
    assert_eq!(code(&said_of), 0, "{}", said(&said_of));
    let text = String::from_utf8(said_of.stdout).unwrap();
    assert!(text.contains("a.npz: 20 steps of 4 episodes, mean return "), "{text}");
    let (b, drawn) = (record("b.npz", &["--episodes", "4"]).1, record("c.npz", &["--episodes", "4", "--stochastic"]).1);
    assert!(fs::read(&a).unwrap() == fs::read(b).unwrap() && fs::read(&a).unwrap() != fs::read(drawn).unwrap());

    for (algorithm, settings) in [
        ("gail", "steps = 100\nepochs = 2\nvalue_epochs = 2\nminibatch = 20\ndiscriminator_features = 8"),
        ("lsiq", "replay = 1000\nbatch = 8\ninitial = 50\nwarmup = 60"),
    ] {
        let text = format!(
            "algorithm = \"{algorithm}\"\nestimator = \"rs\"\nsteps = 400\n[env]\nname = \"TMaze-v0\"\ncorridor = 4\n\
             [network]\nfeatures = 8\ncritic_features = 8\nhidden = 8\n[{algorithm}]\ndemos = {a:?}\n{settings}\n"
        );
        finish(&mut train(&write(dir.path(), &text), &dir.path().join(algorithm)));
        let again = format!("{algorithm}.demos=nowhere.npz");
        let mut refused = train(&write(dir.path(), &text), &dir.path().join("refused"));
        let refused = refused.arg(&again).output().unwrap();
        assert_eq!(code(&refused), 64, "{}", said(&refused));
        assert!(said(&refused).contains(&format!("`{algorithm}.demos`: nowhere.npz")), "{}", said(&refused));
        assert_eq!(said(&refused).trim_end().lines().count(), 1, "{}", said(&refused));
    }
    let (refused, _) = record("a.npy", &[]);
    assert_eq!(code(&refused), 64);
    assert!(said(&refused).contains("a name that ends in .npz"), "{}", said(&refused));
}
