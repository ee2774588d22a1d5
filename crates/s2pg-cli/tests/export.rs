//! `s2pg export` writes a policy beside its run and says how it compares with the policy; without a compiler it says
//! so; what is no run, and a directory that cannot be made, are told in one sentence. An export is checked again, and
//! one that is damaged, foreign or of a later version is refused; files that failed their check do not lie among the
//! good.

mod binary;

use std::fs;
use std::path::Path;

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
    let first = told.lines().next().unwrap();
    assert!(first.starts_with("c by cc: held against 1000 steps of the policy: ") || first.contains("no cc"), "{told}");
    let mut names: Vec<_> =
        fs::read_dir(run.join("export")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["c.manifest", "policy.c", "policy.h", "policy_check.c", "vectors.csv"]);
    let header = fs::read_to_string(run.join("export/policy.h")).unwrap();
    assert!(header.contains("A policy of the task TMaze-v0, trained with ppo rs for "), "{header}");

    let out = dir.path().join("elsewhere");
    let told = finish(export(&["--latest", "--out", out.to_str().unwrap()]).env("PATH", "/nowhere")).stdout;
    let told = String::from_utf8(told).unwrap();
    let missing = "c by cc: not checked, because there is no cc here; run policy_check where there is one\n";
    assert!(told.starts_with(missing), "{told}");
    assert!(out.join("policy.c").exists());

    let file = dir.path().join("small.toml/export");
    let output = export(&["--out", file.to_str().unwrap()]).output().unwrap();
    assert_eq!((code(&output), said(&output).lines().count()), (74, 1), "{}", said(&output));
    let output = s2pg(["export", "nothing", "--to", "c"]).output().unwrap();
    assert_eq!(code(&output), 64);
    assert_eq!(said(&output), "s2pg: nothing is no run: there is no such directory\n");
}

/// What the command says about the export in `dir`, with its exit code; no compiler is found.
fn checked(dir: &Path) -> (i32, String) {
    let output =
        s2pg(["export".as_ref(), dir.as_os_str(), "--check".as_ref()]).env("PATH", "/nowhere").output().unwrap();
    (code(&output), said(&output).replace(&format!("s2pg: {}/", dir.display()), ""))
}

#[test]
fn what_is_no_whole_export_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    finish(&mut train(&write(dir.path(), &T_MAZE.replace("3000", "400")), &run));
    let mut export = s2pg(["export".as_ref(), run.as_os_str(), "--to".as_ref(), "c,rust,onnx".as_ref()]);
    finish(export.env("PATH", "/nowhere"));
    let out = run.join("export");
    assert!(!out.join("unchecked").exists());
    assert_eq!(checked(&out), (0, String::new()));
    let damaged = |name: &str, change: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        let before = fs::read(out.join(name)).unwrap();
        fs::write(out.join(name), change(before.clone())).unwrap();
        let told = checked(&out);
        fs::write(out.join(name), before).unwrap();
        assert_eq!(told.0, 65, "{}", told.1);
        told.1
    };
    let cut = damaged("policy.onnx", &|bytes| bytes[..bytes.len() / 2].into());
    assert!(cut.starts_with("policy.onnx: the file is cut off: it has "), "{cut}");
    let other = "the file is not the one that was exported; export the policy again\n";
    assert_eq!(damaged("policy.rs", &|bytes| [bytes, b"\n".into()].concat()), format!("policy.rs: {other}"));
    let flipped = |mut bytes: Vec<u8>| {
        bytes[100] ^= 1;
        bytes
    };
    assert_eq!(damaged("vectors.csv", &flipped), format!("vectors.csv: {other}"));
    assert_eq!(
        damaged("c.manifest", &|_| b"\xffPNG".into()),
        "c.manifest: this is not the list of an export; export the policy again\n"
    );
    assert_eq!(
        damaged("c.manifest", &|bytes| bytes[..bytes.len() - 30].into()),
        "c.manifest: the list is cut off; export the policy again\n"
    );
    let later =
        damaged("c.manifest", &|bytes| String::from_utf8(bytes).unwrap().replace("export 1", "export 2").into());
    assert!(later.starts_with("c.manifest: the export has version 2 of its format, and this s2pg reads version 1"));
    fs::remove_file(out.join("policy.h")).unwrap();
    let (exit, told) = checked(&out);
    assert_eq!((exit, told.starts_with("policy.h: the file is missing")), (65, true), "{told}");
    assert_eq!(checked(dir.path()).0, 64);
}

/// A compiler that fails stands for a check that does.
#[test]
#[cfg(unix)]
fn what_failed_its_check_does_not_lie_among_the_good() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    finish(&mut train(&write(dir.path(), &T_MAZE.replace("3000", "400")), &run));
    let cc = dir.path().join("cc");
    fs::write(&cc, "#!/bin/sh\necho it cannot be >&2\nexit 1\n").unwrap();
    fs::set_permissions(&cc, fs::Permissions::from_mode(0o755)).unwrap();
    let mut export = s2pg(["export".as_ref(), run.as_os_str(), "--to".as_ref(), "c".as_ref()]);
    let output = export.env("PATH", dir.path()).output().unwrap();
    assert_eq!(code(&output), 65);
    let told = said(&output);
    assert!(
        told.contains("by cc the c export does not do what the policy does: it cannot be; its files are left there")
    );
    assert!(!run.join("export/policy.c").exists() && run.join("export/unchecked/policy.c").exists());
}
