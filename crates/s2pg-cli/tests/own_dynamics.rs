//! A program with a differential equation of its own has the whole command line for it, in less than 80 lines, and the
//! book shows that program.
//!
//! There is no test harness here: this program is the example's own program where it is called with the variable
//! `OWN_DYNAMICS`, and else the test that calls it so.

#[path = "../examples/3_write_a_policy.rs"]
mod own_dynamics;

mod binary;

use std::path::Path;
use std::process::{Command, ExitCode, Output};

use binary::{KEPT, T_MAZE, said, write};

const SOURCE: &str = include_str!("../examples/3_write_a_policy.rs");
const PAGE: &str = include_str!("../../../book/src/dynamics.md");

fn main() -> ExitCode {
    if std::env::var_os("OWN_DYNAMICS").is_some() {
        return own_dynamics::main();
    }
    the_book_shows_the_example();
    every_command_knows_the_equation();
    println!("the example of a differential equation of one's own does what it says");
    ExitCode::SUCCESS
}

/// The book shows the whole program, word for word; the program has less than 80 lines.
fn the_book_shows_the_example() {
    let program = SOURCE.split_once("\n\n").unwrap().1;
    assert!(PAGE.contains(&format!("```rust\n{program}```")), "dynamics.md does not show examples/3_write_a_policy.rs");
    assert!(SOURCE.lines().count() < 80);
}

fn run(dir: &Path, line: &str) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(line.split(' ')).current_dir(dir).env("OWN_DYNAMICS", "yes").output().unwrap()
}

/// `train`, `eval` and `algos` work with the equation, by either solver, with the paper's network and with one that is
/// blind, and a run that is resumed is the same run, to the byte.
fn every_command_knows_the_equation() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir, &T_MAZE.replace("hidden = 8", "hidden = 8\ncell = \"springs\"\ndt = 0.05"));
    let good = |line: &str| {
        let output = run(dir, line);
        assert!(output.status.success(), "{line}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    for (estimator, solver, policy) in
        [("rs", "rk4", "shortcut"), ("bptt:3", "euler", "shortcut"), ("rs", "rk4", "blind")]
    {
        let train = |steps: usize, name: &str| {
            let keys = format!("network.solver={solver} network.policy={policy} evaluation.every=300");
            good(&format!("train small.toml estimator={estimator} {keys} steps={steps} --dir {name}"))
        };
        let (whole, halves) = (format!("{estimator}-{policy}"), format!("{estimator}-{policy}-halves"));
        train(600, &whole);
        train(300, &halves);
        train(600, &halves);
        // The best model names the experiment of its time, which was shorter.
        for file in KEPT.iter().filter(|file| !file.ends_with("best.safetensors")) {
            let read = |run: &str| std::fs::read(dir.join(run).join(file)).unwrap();
            assert!(read(&whole) == read(&halves), "{estimator} {policy}: {file} differs");
        }
        let evaluation: serde_json::Value = serde_json::from_str(&good(&format!("eval {whole} --json"))).unwrap();
        assert!(evaluation["deterministic"]["mean"].is_f64(), "{evaluation}");
    }
    assert!(good("algos springs").contains("weights on springs"));
    assert!(good("algos --show rs-blind").contains("cell = \"springs\""));
}
