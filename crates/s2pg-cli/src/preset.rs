//! Presets are compiled in; an experiment is a preset's name, a TOML file, or the directory of a run.

use std::path::{Path, PathBuf};

use anyhow::Context;
use s2pg::train::Experiment;

use crate::Usage;

include!(concat!(env!("OUT_DIR"), "/presets.rs"));

/// An experiment and where its run belongs.
pub struct Found {
    pub experiment: Experiment,
    pub dir: PathBuf,
}

/// All presets: name and text.
pub fn all() -> &'static [(&'static str, &'static str)] {
    PRESETS
}

/// Finds an experiment by a preset's name, a file, or a run's directory.
pub fn find(what: &str, overrides: &[String], dir: Option<&Path>) -> anyhow::Result<Found> {
    let path = Path::new(what);
    if path.is_dir() {
        let file = path.join("experiment.toml");
        if !file.exists() {
            return Err(
                Usage(format!("{} is a directory without experiment.toml: it is no run", path.display())).into()
            );
        }
        let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let experiment = Experiment::parse(&file.display().to_string(), &text, overrides).map_err(usage)?;
        return Ok(Found { experiment, dir: dir.unwrap_or(path).to_path_buf() });
    }
    let preset = PRESETS.iter().find(|(name, _)| *name == what);
    let (name, text) = match preset {
        Some((name, text)) => (name.replace('/', "-"), text.to_string()),
        None if what.ends_with(".toml") => {
            let text = std::fs::read_to_string(path).map_err(|e| Usage(format!("{what}: {e}")))?;
            (path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), text)
        }
        None => {
            let names = PRESETS.iter().map(|(name, _)| *name);
            let mut near: Vec<_> = names.filter(|name| what.split('/').any(|part| name.contains(part))).collect();
            let shared = |name: &str| name.bytes().zip(what.bytes()).take_while(|(a, b)| a == b).count();
            near.sort_by_key(|name| std::cmp::Reverse(shared(name)));
            near.truncate(4);
            let hint = if near.is_empty() { String::new() } else { format!(" (near it: {})", near.join(", ")) };
            return Err(Usage(format!(
                "`{what}` is no preset, no .toml file and no run's directory{hint}; `s2pg algos` lists the presets"
            ))
            .into());
        }
    };
    let label = preset.map_or(what.to_string(), |(name, _)| format!("preset {name}"));
    let experiment = Experiment::parse(&label, &text, overrides).map_err(usage)?;
    let dir = match dir {
        Some(dir) => dir.to_path_buf(),
        None => default_dir(&name, &experiment, overrides),
    };
    Ok(Found { experiment, dir })
}

/// runs/<name>[-<override>...]-<seed>.
fn default_dir(name: &str, experiment: &Experiment, overrides: &[String]) -> PathBuf {
    let mut name = name.to_string();
    for change in overrides.iter().filter(|o| !o.starts_with("seed=") && !o.starts_with("steps=")) {
        let plain = |c: char| if c.is_alphanumeric() || c == '.' || c == '-' { c } else { '-' };
        name += &format!("-{}", change.chars().map(plain).collect::<String>());
    }
    PathBuf::from("runs").join(format!("{name}-{}", experiment.seed))
}

fn usage(e: impl std::fmt::Display) -> anyhow::Error {
    Usage(e.to_string()).into()
}
