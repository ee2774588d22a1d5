//! `s2pg export` writes a policy beside its run and says how it compares with the policy; without a compiler it says
//! so; what is no run, and a directory that cannot be made, are told in one sentence.

mod binary;

use std::fs;

use binary::{T_MAZE, code, finish, s2pg, said, train, write};

#[test]
fn a_policy_is_exported() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    finish(&mut train(&write(dir.path(), &T_MAZE.replace("3000", "400")), &run));
    let export = |more: &[&str]| {
        let mut command = s2pg(["export".as_ref(), run.as_os_str(), "--to".as_ref(), "c".as_ref()]);
        command.args(more);
        command
    };
    let told = String::from_utf8(finish(&mut export(&[])).stdout).unwrap();
    let last = told.lines().last().unwrap();
    assert!(last.starts_with("held against 1000 steps of the policy: ") || last.contains("there is no cc"), "{told}");
    let mut names: Vec<_> =
        fs::read_dir(run.join("export")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["policy.c", "policy.h", "policy_check.c", "vectors.csv"]);
    let header = fs::read_to_string(run.join("export/policy.h")).unwrap();
    assert!(header.contains("A policy of the task TMaze-v0, trained with ppo rs for "), "{header}");

    let out = dir.path().join("elsewhere");
    let told = finish(export(&["--latest", "--out", out.to_str().unwrap()]).env("PATH", "/nowhere")).stdout;
    let told = String::from_utf8(told).unwrap();
    assert!(
        told.ends_with("there is no cc here; compile it where there is one, and run policy_check there\n"),
        "{told}"
    );
    assert!(out.join("policy.c").exists());

    let file = dir.path().join("small.toml/export");
    let output = export(&["--out", file.to_str().unwrap()]).output().unwrap();
    assert_eq!((code(&output), said(&output).lines().count()), (74, 1), "{}", said(&output));
    let output = s2pg(["export", "nothing", "--to", "c"]).output().unwrap();
    assert_eq!(code(&output), 64);
    assert_eq!(said(&output), "s2pg: nothing is no run: there is no such directory\n");
}
