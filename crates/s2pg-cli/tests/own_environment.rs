//! A program with an environment of its own has the whole command line for it, in less than 40 lines, and the README
//! shows that program.
//!
//! There is no test harness here: this program is the example's own program where it is called with the variable
//! `OWN_ENVIRONMENT`, and else the test that calls it so.

#[path = "../examples/2_write_an_environment.rs"]
mod own_environment;

use std::path::Path;
use std::process::{Command, ExitCode};

const SOURCE: &str = include_str!("../examples/2_write_an_environment.rs");
const EXPERIMENT: &str = include_str!("../examples/echo.toml");
const README: &str = include_str!("../../../README.md");

fn main() -> ExitCode {
    if std::env::var_os("OWN_ENVIRONMENT").is_some() {
        return own_environment::main();
    }
    the_readme_shows_the_example();
    every_command_knows_the_environment();
    println!("the example of an environment of one's own does what it says");
    ExitCode::SUCCESS
}

/// The README shows the whole program and its experiment, word for word; the program has less than 40 lines of code.
fn the_readme_shows_the_example() {
    let program = SOURCE.split_once("\n\n").unwrap().1;
    assert!(
        README.contains(&format!("```rust\n{program}```")),
        "README.md does not show examples/2_write_an_environment.rs"
    );
    assert!(README.contains(&format!("```toml\n{EXPERIMENT}```")), "README.md does not show examples/echo.toml");
    let code = SOURCE.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    assert!(code.count() < 40);
}

/// `check-env`, `envs`, `train`, `eval`, `play` and `report` work with the environment, and it is learned.
fn every_command_knows_the_environment() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("echo.toml"), EXPERIMENT).unwrap();
    let run = |line: &str| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(line.split(' ')).current_dir(dir.path()).env("OWN_ENVIRONMENT", "yes");
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {said}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(run("envs").contains("say the sign that was shown one step before"));
    assert!(!run("check-env Echo-v0").contains("FAIL"));
    run("train echo.toml");
    let evaluation: serde_json::Value = serde_json::from_str(&run("eval runs/echo-0 --json")).unwrap();
    assert!(evaluation["deterministic"]["mean"].as_f64().unwrap() > 15.0, "{evaluation}");
    run("play runs/echo-0 --out echo.gif");
    run("report runs/echo-0");
    for file in ["runs/echo-0/curve.png", "runs/echo-0/episode.gif", "echo.gif", "report/report.png"] {
        assert!(Path::new(&dir.path().join(file)).exists(), "{file}");
    }
}
