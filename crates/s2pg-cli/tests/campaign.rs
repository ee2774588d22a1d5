//! A campaign is its runs: each is to the bit what `s2pg train` makes of the same experiment, whatever the number of
//! runs at once and however often the campaign was killed; what is done is not done again.

mod binary;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use binary::{T_MAZE, code, finish, s2pg, said, train, write};

/// Two estimators with two seeds of the small experiment.
fn campaign(dir: &Path, steps: usize) -> PathBuf {
    let experiment = write(dir, T_MAZE);
    let file = dir.join("mine.toml");
    let lists = "estimators = [\"rs\", \"vanilla\"]\nseeds = 2\noverrides = [\"checkpoint.every=200\"]";
    fs::write(&file, format!("experiments = [\"{}\"]\n{lists}\nsteps = {steps}\n", experiment.display())).unwrap();
    file
}

fn command(file: &Path, dir: &Path, more: &[&str]) -> Command {
    let mut command = s2pg(["campaign", file.to_str().unwrap(), "--dir", dir.to_str().unwrap()]);
    command.args(more);
    command
}

/// The last models of all runs in the directory of a campaign.
fn models(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let runs = fs::read_dir(dir.join("runs")).unwrap().map(|entry| entry.unwrap().path());
    runs.map(|run| {
        (run.file_name().unwrap().to_str().unwrap().into(), fs::read(run.join("policy.safetensors")).unwrap())
    })
    .collect()
}

#[test]
fn a_campaign_is_its_runs() {
    let dir = tempfile::tempdir().unwrap();
    let (file, of) = (campaign(dir.path(), 600), dir.path().join("campaign"));
    let output = finish(&mut command(&file, &of, &["--jobs", "2"]));
    assert!(said(&output).contains("4 of 4 done"), "{}", said(&output));
    let made = models(&of);
    assert_eq!(made.len(), 4);
    for (name, model) in &made {
        let (estimator, seed) = (name.split('-').nth(1).unwrap(), name.split('-').rev().nth(1).unwrap());
        let run = dir.path().join(name);
        let changes = [format!("estimator={estimator}"), format!("seed={seed}")];
        finish(train(&dir.path().join("small.toml"), &run).args(changes).args(["steps=600", "checkpoint.every=200"]));
        assert!(fs::read(run.join("policy.safetensors")).unwrap() == *model, "{name}");
    }
    for name in ["report.svg", "report.png", "report.md", "report.html"] {
        assert!(of.join("report").join(name).exists(), "{name}");
    }
    // What is done is not done again, and more steps go on with it.
    let output = finish(&mut command(&file, &of, &[]));
    assert!(said(&output).contains("4 of 4 runs done before"), "{}", said(&output));
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("steps = 600", "steps = 800")).unwrap();
    let status = finish(&mut command(&file, &of, &["--status", "--json"]));
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!((&status["begun"], &status["runs"][3]["steps"]), (&4.into(), &600.into()), "{status}");
    finish(&mut command(&file, &of, &["--only", "2"]));
    let status = String::from_utf8(finish(&mut command(&file, &of, &["--status"])).stdout).unwrap();
    assert!(
        status.contains("2  finished") && status.contains("1 finished, 0 diverged, 3 begun, 0 waiting"),
        "{status}"
    );
}

#[test]
fn a_killed_campaign_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let file = campaign(dir.path(), 3000);
    let [whole, killed] = ["whole", "killed"].map(|name| dir.path().join(name));
    finish(&mut command(&file, &whole, &["--jobs", "1"]));
    for (i, milliseconds) in [60, 150, 250, 400].into_iter().enumerate() {
        let mut child = command(&file, &killed, &["--jobs", "2"]).stderr(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        if i % 2 == 0 {
            let _ = child.kill();
        } else {
            let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        }
        child.wait().unwrap();
    }
    finish(&mut command(&file, &killed, &["--jobs", "2"]));
    assert!(models(&whole) == models(&killed));
}

/// The script of a job array is a shell script whose tasks train one run each.
#[test]
fn a_job_array() {
    let dir = tempfile::tempdir().unwrap();
    let file = campaign(dir.path(), 600);
    let [whole, array] = ["whole", "array"].map(|name| dir.path().join(name));
    finish(&mut command(&file, &whole, &[]));
    let output = finish(&mut command(&file, &array, &["--slurm"]));
    assert!(String::from_utf8_lossy(&output.stdout).contains("sbatch"), "{output:?}");
    let script = array.join("campaign.sbatch");
    let text = fs::read_to_string(&script).unwrap();
    for line in ["#SBATCH --array=0-3\n", "#SBATCH --requeue\n", "#SBATCH --signal=B:TERM@60\n"] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    let program = PathBuf::from(s2pg(["--version"]).get_program());
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    for task in 0..4 {
        let mut shell = Command::new("bash");
        finish(shell.arg(&script).env("PATH", &path).env("SLURM_ARRAY_TASK_ID", task.to_string()));
    }
    assert!(models(&whole) == models(&array));
}

/// With halving the best of three goes on, to the bit as if it had been trained alone, and a killed campaign too.
#[test]
fn halving() {
    let dir = tempfile::tempdir().unwrap();
    let (file, of) = (campaign(dir.path(), 800), dir.path().join("campaign"));
    let text = fs::read_to_string(&file).unwrap().replace("\"rs\", \"vanilla\"", "\"rs\"");
    fs::write(&file, text + "[grid]\nppo.lr = [1e-3, 2e-3, 3e-3]\n[halving]\nfirst = 200\n").unwrap();
    let output = finish(&mut command(&file, &of, &[]));
    for words in ["2 of 6 runs go on, to step 600", "2 of 6 runs go on, to step 800", "best in ", ": ppo.lr=0.00"] {
        assert!(said(&output).contains(words), "{words} is not in {}", said(&output));
    }
    let status = finish(&mut command(&file, &of, &["--status", "--json"]));
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    let steps: Vec<u64> = status["runs"].as_array().unwrap().iter().map(|run| run["steps"].as_u64().unwrap()).collect();
    assert_eq!((steps.iter().filter(|s| **s == 200).count(), steps.iter().filter(|s| **s == 800).count()), (4, 2));
    assert_eq!(status["finished"], 6);
    let best = status["runs"].as_array().unwrap().iter().find(|run| run["steps"] == 800).unwrap();
    let run = PathBuf::from(best["run"].as_str().unwrap());
    let lr = |text: &str| text.lines().find(|line| line.starts_with("lr = ")).unwrap().to_owned();
    let rate = lr(&fs::read_to_string(run.join("experiment.toml")).unwrap());
    let alone = dir.path().join("alone");
    let changes = ["steps=800", "estimator=rs", "seed=0", "checkpoint.every=200"];
    finish(train(&dir.path().join("small.toml"), &alone).args(changes).arg(format!("ppo.{}", rate.replace(' ', ""))));
    assert!(fs::read(run.join("policy.safetensors")).unwrap() == fs::read(alone.join("policy.safetensors")).unwrap());
    let output = command(&file, &of, &["--slurm"]).output().unwrap();
    assert!(code(&output) == 64 && said(&output).contains("halving"), "{}", said(&output));
}

/// A campaign that cannot be carried out is one sentence, and leaves nothing behind.
#[test]
fn mistakes() {
    let dir = tempfile::tempdir().unwrap();
    let (file, of) = (campaign(dir.path(), 600), dir.path().join("campaign"));
    let text = fs::read_to_string(&file).unwrap();
    for (from, to, more, words) in [
        ("seeds = 2", "seed = 2", &[][..], "mine.toml:3: there is no key `seed`"),
        ("\"vanilla\"", "\"vanila\"", &[], "no estimator `vanila`"),
        ("checkpoint.every", "checkpoint.ever", &[], "checkpoint.ever"),
        ("seeds", "seeds", &["--only", "4"], "--only 4: the campaign has 4 runs, from 0 to 3"),
    ] {
        fs::write(&file, text.replace(from, to)).unwrap();
        let output = command(&file, &of, more).output().unwrap();
        assert_eq!((code(&output), said(&output).lines().count()), (64, 1), "{}", said(&output));
        assert!(said(&output).contains(words), "{words} is not in {}", said(&output));
        assert!(!of.exists());
    }
    let output = s2pg(["campaign", "nowhere.toml"]).output().unwrap();
    assert!(code(&output) == 64 && said(&output).contains("nowhere.toml: No such file"), "{}", said(&output));
}
