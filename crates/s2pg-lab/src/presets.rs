//! Experiments by name: presets, which are compiled in; files; and the directories of runs.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use s2pg::experiment::{Experiment, ExperimentError};

/// An experiment that comes with the project: a file in the folder `presets`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Its name, such as `ppo-rs/half-cheetah`.
    pub name: &'static str,
    /// The text of its file.
    pub text: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/presets.rs"));

impl Preset {
    /// What the preset is for, in one line: the first line of its file, which is a comment.
    pub fn about(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches("# ")
    }
}

/// An experiment, and where its run belongs.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The experiment.
    pub experiment: Experiment,
    /// The directory of its run.
    pub dir: PathBuf,
}

/// Why there is no experiment of a name, in one sentence.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// The name is none of a preset, of a file, or of a directory.
    #[error("`{name}` is no preset, no .toml file and no run's directory{}; `s2pg algos` lists the presets", hint(.near))]
    Unknown {
        /// The name.
        name: String,
        /// Presets with a name like it.
        near: Vec<&'static str>,
    },
    /// The directory holds no experiment.
    #[error("{0} is no run: there is no experiment.toml in it")]
    NoRun(PathBuf),
    /// The file cannot be read.
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    /// The experiment, or a change to it, is not in order.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
}

fn hint(near: &[&str]) -> String {
    if near.is_empty() { String::new() } else { format!(" (near it: {})", near.join(", ")) }
}

/// All presets, in the order of their files.
pub fn all() -> &'static [Preset] {
    PRESETS
}

/// The experiment of the run in `dir`, with `overrides` such as `steps=200_000`.
pub fn of_run(dir: &Path, overrides: &[String]) -> Result<Experiment, FindError> {
    let file = dir.join("experiment.toml");
    let text = std::fs::read_to_string(&file).map_err(|e| match e.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => FindError::NoRun(dir.into()),
        _ => FindError::File(file.clone(), e),
    })?;
    Ok(Experiment::parse(&file.display().to_string(), &text, overrides)?)
}

/// Finds an experiment by the name of a preset, by a TOML file, or by the directory of a run, and changes it by
/// `overrides` such as `ppo.clip=0.1`. Its run belongs into `dir`. Without `dir`, a run goes on in its own directory,
/// and any other experiment gets the directory `runs/<name>[-<override>...]-<seed>`.
pub fn find(what: &str, overrides: &[String], dir: Option<&Path>) -> Result<Found, FindError> {
    let path = Path::new(what);
    if path.is_dir() {
        return Ok(Found { experiment: of_run(path, overrides)?, dir: dir.unwrap_or(path).to_path_buf() });
    }
    let (name, label, text) = match PRESETS.iter().find(|preset| preset.name == what) {
        Some(preset) => (preset.name.replace('/', "-"), format!("preset {what}"), preset.text.to_string()),
        None if what.ends_with(".toml") => {
            let text = std::fs::read_to_string(path).map_err(|e| FindError::File(path.into(), e))?;
            (path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), what.to_string(), text)
        }
        None => return Err(FindError::Unknown { name: what.into(), near: near(what) }),
    };
    let experiment = Experiment::parse(&label, &text, overrides)?;
    let dir = dir.map_or_else(|| default_dir(&name, &experiment, overrides), Path::to_path_buf);
    Ok(Found { experiment, dir })
}

/// At most four presets that share a part of their name with `what`, the nearest first.
fn near(what: &str) -> Vec<&'static str> {
    let names = PRESETS.iter().map(|preset| preset.name);
    let mut near: Vec<_> =
        names.filter(|name| what.split('/').any(|part| !part.is_empty() && name.contains(part))).collect();
    let shared = |name: &str| name.bytes().zip(what.bytes()).take_while(|(a, b)| a == b).count();
    near.sort_by_key(|name| (std::cmp::Reverse(shared(name)), name.len()));
    near.truncate(4);
    near
}

fn default_dir(name: &str, experiment: &Experiment, overrides: &[String]) -> PathBuf {
    let mut name = name.to_string();
    for change in overrides.iter().filter(|o| !o.starts_with("seed=") && !o.starts_with("steps=")) {
        let plain = |c: char| if c.is_alphanumeric() || c == '.' || c == '-' { c } else { '-' };
        name += &format!("-{}", change.chars().map(plain).collect::<String>());
    }
    PathBuf::from("runs").join(format!("{name}-{}", experiment.seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every preset is an experiment that is in order, and says in its first line what it is for.
    #[test]
    fn presets_are_experiments() {
        assert!(all().len() > 50);
        for preset in all() {
            let found = find(preset.name, &[], None).unwrap();
            assert!(!preset.about().is_empty() && !preset.about().contains('='), "{}: {}", preset.name, preset.about());
            assert_eq!(found.dir, default_dir(&preset.name.replace('/', "-"), &found.experiment, &[]));
        }
    }

    /// One experiment is found by the name of a preset, by a file and by a run's directory, and each of them takes
    /// overrides.
    #[test]
    fn three_ways_lead_to_an_experiment() {
        let dir = tempfile::tempdir().unwrap();
        let changes = ["seed=7".to_string(), "network.hidden=9".into()];
        let preset = find("ppo-rs/t-maze", &changes, None).unwrap();
        assert_eq!(preset.dir, Path::new("runs/ppo-rs-t-maze-network.hidden-9-7"));
        assert_eq!((preset.experiment.seed, preset.experiment.network.hidden), (7, 9));
        let file = dir.path().join("mine.toml");
        std::fs::write(&file, preset.experiment.to_toml()).unwrap();
        let from_file = find(&file.display().to_string(), &[], Some(Path::new("here"))).unwrap();
        assert_eq!(from_file, Found { experiment: preset.experiment.clone(), dir: "here".into() });
        std::fs::rename(&file, dir.path().join("experiment.toml")).unwrap();
        let from_run = find(&dir.path().display().to_string(), &["steps=12".to_string()], None).unwrap();
        assert_eq!((from_run.dir.as_path(), from_run.experiment.steps), (dir.path(), 12));
    }

    /// What is not there is an error of its own kind.
    #[test]
    fn what_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let FindError::Unknown { near, .. } = find("ppo-rs/half-cheeta", &[], None).unwrap_err() else { panic!() };
        assert_eq!(near[0], "ppo-rs/half-cheetah");
        assert!(matches!(find("missing.toml", &[], None), Err(FindError::File(..))));
        assert!(matches!(of_run(&dir.path().join("nowhere"), &[]), Err(FindError::NoRun(_))));
        let override_ = find("ppo-rs/t-maze", &["ppo.clap=1".to_string()], None);
        assert!(matches!(override_, Err(FindError::Experiment(_))));
    }
}
