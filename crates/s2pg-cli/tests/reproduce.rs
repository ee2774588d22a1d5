//! A figure is made again from runs that are a campaign: the report holds curves, times and verdicts, the same command
//! does nothing twice, and a mistake is one sentence that says what to do.

mod binary;

use std::fs;
use std::path::Path;
use std::process::Command;

use binary::{code, finish, s2pg, said};

/// Figure 4 in a size for tests.
fn figure(dir: &Path, more: &[&str]) -> Command {
    let small = [
        "steps=2_000",
        "sac.initial=100",
        "sac.warmup=100",
        "sac.batch=8",
        "network.features=8",
        "network.hidden=6",
        "network.critic_features=8",
    ];
    let mut command = s2pg(["reproduce", "--figure", "4", "--budget", "30m", "--dir", dir.to_str().unwrap()]);
    command.args(more).args(small);
    command
}

#[test]
fn a_figure_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let of = dir.path().join("four");
    let plan = finish(&mut figure(&of, &["--plan"]));
    let told = String::from_utf8(plan.stdout).unwrap();
    assert!(
        told.starts_with("10 seeds of the published 10, and 2 % of the published steps.") && !of.exists(),
        "{told}"
    );

    let output = finish(&mut figure(&of, &["--json"]));
    assert!(said(&output).contains("30 of 30 done"), "{}", said(&output));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["item"], &told["claims"][0]["claim"]), (&"figure-4".into(), &"C13".into()));
    assert_eq!(told["claims"][0]["verdict"], "undecided", "a few steps decide nothing");
    assert_eq!(told["cells"].as_array().unwrap().len(), 3);
    assert_eq!(told["cells"][0]["last_returns"].as_array().unwrap().len(), 10);
    let page = fs::read_to_string(of.join("report/report.html")).unwrap();
    for words in ["<svg", "C13", "sac-bptt-10", "point-mass-v3", "2 % of the published steps", "prefers-color-scheme"] {
        assert!(page.contains(words), "{words} is not in the page");
    }
    assert!(!page.contains("http://") || page.matches("http://").count() == page.matches("http://www.w3.org").count());

    // What is done is not done again, and another figure does not take its place.
    let output = finish(&mut figure(&of, &[]));
    assert!(said(&output).contains("going on with the plan") && said(&output).contains("30 of 30 runs done before"));
    let mut other = s2pg(["reproduce", "--figure", "8", "--dir", of.to_str().unwrap()]);
    let output = other.output().unwrap();
    assert!(code(&output) == 64 && said(&output).contains("name another --dir"), "{}", said(&output));
}

#[test]
fn mistakes() {
    let dir = tempfile::tempdir().unwrap();
    let of = dir.path().join("x");
    let of = of.to_str().unwrap();
    for (arguments, words) in [
        (&["--figure", "5"][..], "there is no figure 5; there are figures 3, 4,"),
        (&["--table", "3"], "there is no table 3"),
        (&["--figure", "4", "--budget", "2d"], "write a time such as 40m, 2h or 1h30m"),
        (&["--figure", "4", "--budget", "1s"], "give --budget "),
        (&["--figure", "4", "sac.taus=1"], "sac.taus"),
        (&["--figure", "4", "seed=3"], "seeds are chosen by the budget"),
        (&["--figure", "14"], "gail.demos"),
    ] {
        let output = s2pg(["reproduce", "--dir", of]).args(arguments).output().unwrap();
        assert_eq!(code(&output), 64, "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(words), "{words} is not in {}", said(&output));
        assert!(!Path::new(of).exists(), "{arguments:?}");
    }
}
