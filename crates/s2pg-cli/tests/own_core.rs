//! A program with a core of its own has the whole command line for it, in less than 40 lines, and the README shows that
//! program.
//!
//! There is no test harness here: this program is the example's own program where it is called with the variable
//! `OWN_CORE`, and else the test that calls it so.

#[path = "../examples/own_core.rs"]
mod own_core;

mod binary;

use std::path::Path;
use std::process::{Command, ExitCode, Output};

use binary::{KEPT, T_MAZE, said, write};

const SOURCE: &str = include_str!("../examples/own_core.rs");
const README: &str = include_str!("../../../README.md");

fn main() -> ExitCode {
    match std::env::var("OWN_CORE").as_deref() {
        Ok("panics") => {
            return s2pg_cli::main(s2pg_lab::registry().with("Panic-v0", "panics", |_| panic!("no\nworld")));
        }
        Ok(_) => return own_core::main(),
        Err(_) => {}
    }
    the_readme_shows_the_example();
    every_command_knows_the_core();
    a_panic_is_told_once();
    println!("the example of a core of one's own does what it says");
    ExitCode::SUCCESS
}

/// The README shows the whole program, word for word; the program has less than 40 lines of code.
fn the_readme_shows_the_example() {
    let program = SOURCE.split_once("\n\n").unwrap().1;
    assert!(README.contains(&format!("```rust\n{program}```")), "README.md does not show examples/own_core.rs");
    let code = SOURCE.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    assert!(code.count() < 40);
}

fn run(dir: &Path, line: &str) -> Output {
    call(dir, line, "yes")
}

fn call(dir: &Path, line: &str, how: &str) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(line.split(' ')).current_dir(dir).env("OWN_CORE", how).output().unwrap()
}

/// A panic in a program's own code that becomes an error is told in the sentence of the error, and nowhere else.
fn a_panic_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let output = call(dir.path(), "check-env Panic-v0", "panics");
    let told = said(&output);
    assert!(output.status.code() == Some(75) && told.lines().count() == 1, "{told}");
    assert!(told.contains("Panic-v0") && told.contains("no world"), "{told}");
}

/// `train`, `eval`, `play`, `report` and `algos` work with the core, a run that is resumed is the same run, to the
/// byte, and a name that is not known is one sentence that lists those that are.
fn every_command_knows_the_core() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir, &T_MAZE.replace("hidden = 8", "hidden = 8\ncell = \"leaky\""));
    let good = |line: &str| {
        let output = run(dir, line);
        assert!(output.status.success(), "{line}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    for estimator in ["rs", "bptt:3", "bptt:full"] {
        let train = |steps: usize, name: &str| {
            good(&format!("train small.toml estimator={estimator} steps={steps} evaluation.every=300 --dir {name}"))
        };
        let (whole, halves) = (format!("{estimator}-whole"), format!("{estimator}-halves"));
        train(600, &whole);
        train(300, &halves);
        train(600, &halves);
        // The best model names the experiment of its time, which was shorter.
        for file in KEPT.iter().filter(|file| !file.ends_with("best.safetensors")) {
            let read = |run: &str| std::fs::read(dir.join(run).join(file)).unwrap();
            assert!(read(&whole) == read(&halves), "{estimator}: {file} differs");
        }
        let evaluation: serde_json::Value = serde_json::from_str(&good(&format!("eval {whole} --json"))).unwrap();
        assert!(evaluation["deterministic"]["mean"].is_f64(), "{evaluation}");
    }
    good("play rs-whole --out leaky.gif");
    good("report rs-whole bptt:3-whole");
    assert!(good("algos leaky").contains("leaky integrators"));
    assert!(good("algos --show rs-whole").contains("cell = \"leaky\""));
    for line in ["train small.toml network.cell=leeky", "algos --show small.toml network.cell=leeky"] {
        let output = run(dir, line);
        let words = "`network.cell` is \"leeky\", which is none of elman, elmanrelu, gru, lstm, cpg, hopf, \
                     kuramoto, matsuoka, neuralode, lru, mingru, leaky\n";
        assert!(output.status.code() == Some(64) && said(&output).ends_with(words), "{line}: {}", said(&output));
    }
}
