//! `s2pg bench` measures; its figures are not tested, as no test depends on time.

mod binary;

use binary::{finish, s2pg, said};

/// `bench --quick` says how long it will take, prints a row for each of a dozen measurements, and ends well.
#[test]
fn a_quick_bench_prints_its_rows() {
    let output = finish(&mut s2pg(["bench", "--quick"]));
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let (before, rows) = text.split_once("\n\n").unwrap();
    assert!(before.contains("about ") && before.ends_with("here is the first round"), "{before}");
    let name = |line: &'_ str| line.split(' ').next().unwrap_or_default().to_string();
    let names: Vec<String> = rows.lines().map(name).filter(|name| name.contains('/')).collect();
    for row in ["step/ppo-rs/half-cheetah", "step/sac-vanilla/half-cheetah", "env/half-cheetah", "act/1"] {
        assert_eq!(names.iter().filter(|name| *name == row).count(), 1, "{row} in {text}");
    }
    assert!(names.len() >= 12, "{text}");
    assert_eq!(said(&output), "", "nothing but the table");
}
