//! Experiments by name: presets, which are compiled in; files; and the directories of runs.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use s2pg::env::letters_between;
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
    /// The directory holds no experiment, or there is no such directory.
    #[error("{} is no run: {}", .0.display(), missing(.0))]
    NoRun(PathBuf),
    /// The file cannot be read.
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    /// The file is no text.
    #[error("{0} is no experiment: it is not a text in UTF-8")]
    NoText(PathBuf),
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

/// The text of a file.
fn read(path: &Path) -> Result<String, FindError> {
    std::fs::read_to_string(path).map_err(|e| match e.kind() {
        ErrorKind::InvalidData => FindError::NoText(path.into()),
        _ => FindError::File(path.into(), e),
    })
}

/// What is missing at a path that is not that of a run.
fn missing(dir: &Path) -> &'static str {
    if dir.is_dir() {
        return "there is no experiment.toml in it";
    }
    if dir.exists() { "it is a file, not a directory" } else { "there is no such directory" }
}

/// The experiment of the run in `dir`, with `overrides` such as `steps=200_000`.
pub fn of_run(dir: &Path, overrides: &[String]) -> Result<Experiment, FindError> {
    let file = dir.join("experiment.toml");
    let text = read(&file).map_err(|e| match e {
        FindError::File(_, e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            FindError::NoRun(dir.into())
        }
        other => other,
    })?;
    Ok(Experiment::parse(&file.display().to_string(), &text, overrides)?)
}

/// Finds an experiment by the name of a preset, by a TOML file, or by the directory of a run, and changes it by
/// `overrides` such as `ppo.clip=0.1`. Its run belongs into `dir`. Without `dir`, a run goes on in its own directory,
/// and any other experiment gets the directory `runs/<name>[-<override>...]-<seed>`, which is shortened where it is too
/// long for a file system.
pub fn find(what: &str, overrides: &[String], dir: Option<&Path>) -> Result<Found, FindError> {
    let path = Path::new(what);
    if path.is_dir() {
        return Ok(Found { experiment: of_run(path, overrides)?, dir: dir.unwrap_or(path).to_path_buf() });
    }
    let (name, label, text) = match PRESETS.iter().find(|preset| preset.name == what) {
        Some(preset) => (preset.name.replace('/', "-"), format!("preset {what}"), preset.text.to_string()),
        None if what.ends_with(".toml") => {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            (name, what.to_string(), read(path)?)
        }
        None => return Err(FindError::Unknown { name: what.into(), near: near(what) }),
    };
    let experiment = Experiment::parse(&label, &text, overrides)?;
    let dir = dir.map_or_else(|| default_dir(&name, &experiment, overrides), Path::to_path_buf);
    Ok(Found { experiment, dir })
}

/// At most four presets whose name, or a part of whose name, was perhaps meant, the nearest first: at most one letter
/// in four is another one. A path to elsewhere has none.
fn near(what: &str) -> Vec<&'static str> {
    if what.starts_with(['/', '.', '~', '\\']) || what.matches('/').count() > 1 {
        return Vec::new();
    }
    let like = |a: &str, b: &str| (letters_between(a, b) <= a.chars().count() / 4).then(|| letters_between(a, b));
    let mut near: Vec<(usize, usize, &str)> = Vec::new();
    for name in PRESETS.iter().map(|preset| preset.name) {
        let parts = what.split('/').flat_map(|a| name.split('/').filter_map(move |b| like(a, b)));
        // Of names with the same part, the one that is nearest as a whole.
        if let Some(nearest) = like(what, name).into_iter().chain(parts).min() {
            near.push((nearest, letters_between(what, name), name));
        }
    }
    near.sort();
    near.truncate(4);
    near.into_iter().map(|(.., name)| name).collect()
}

/// The directory of a new run: `runs/<name>[-<override>...]-<seed>`. Every override but those of `seed` and `steps` is
/// a part of it.
fn default_dir(name: &str, experiment: &Experiment, overrides: &[String]) -> PathBuf {
    let mut name = name.to_string();
    for change in overrides.iter().filter(|o| !o.starts_with("seed=") && !o.starts_with("steps=")) {
        let plain = |c: char| if c.is_alphanumeric() || c == '.' || c == '-' { c } else { '-' };
        name += &format!("-{}", change.chars().map(plain).collect::<String>());
    }
    PathBuf::from("runs").join(format!("{}-{}", shortened(&name), experiment.seed))
}

/// Bytes of the longest name of a directory before its seed. File systems take 255.
const LONGEST_NAME: usize = 100;

/// A name that is too long for a file system, cut, with a number at its end that depends on the whole of it: the same
/// name has the same directory, and other overrides have another one.
fn shortened(name: &str) -> String {
    if name.len() <= LONGEST_NAME {
        return name.into();
    }
    // FNV-1a, which never changes.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    let kept = &name[..name.floor_char_boundary(LONGEST_NAME - 17)];
    format!("{kept}-{hash:016x}")
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
        let from_run = find(&dir.path().display().to_string(), &["steps=120_000".to_string()], None).unwrap();
        assert_eq!((from_run.dir.as_path(), from_run.experiment.steps), (dir.path(), 120_000));
    }

    /// A directory's name that many overrides make too long for the file system is shortened; it is the same in every
    /// process, and another one where an override differs.
    #[test]
    fn many_overrides_make_a_short_name() {
        let of = |changes: &[String]| find("ppo-rs/t-maze", changes, None).unwrap().dir;
        let changes = "network.hidden=10 network.features=8 network.critic_features=8 network.std=0.5 network.state_std=0.5 ppo.epochs=1 \
         ppo.value_epochs=1 ppo.minibatch=20 ppo.lr=0.001 ppo.value_lr=0.001 ppo.gamma=0.99 ppo.lambda=0.95 ppo.clip=0.2 \
         ppo.entropy=0.0 standardise=true compat=correct critic=observation";
        let mut changes: Vec<String> = changes.split_whitespace().map(String::from).collect();
        let name = |dir: PathBuf| dir.file_name().unwrap().to_str().unwrap().to_string();
        let first = name(of(&changes));
        assert!(first.len() <= 103 && first.starts_with("ppo-rs-t-maze-network.hidden-10-"), "{first}");
        assert_eq!(first, name(of(&changes)));
        assert_eq!(shortened(&"ä".repeat(60)), format!("{}-ada0c739c9069dc5", "ä".repeat(41)));
        *changes.last_mut().unwrap() = "critic=state".into();
        assert_ne!(first, name(of(&changes)));
        assert_eq!(shortened("short"), "short");
    }

    /// What was perhaps meant is suggested; an empty name, a word like none and a path to elsewhere suggest nothing.
    #[test]
    fn suggestions_are_near() {
        assert_eq!(near("ppo-rs/half-cheeta")[0], "ppo-rs/half-cheetah");
        assert!(near("ppo/half-cheetah").contains(&"ppo-rs/half-cheetah"));
        assert!(near("t-maze").iter().all(|name| name.ends_with("/t-maze")) && !near("t-maze").is_empty());
        for far in ["", "a", "p", "/", "x/y", "nonsense", "/data/ppo-rs/ant", "../ant", "~/ant", "a/b/ant"] {
            assert_eq!(near(far), [""; 0], "{far}");
        }
        assert_eq!([letters_between("", "abc"), letters_between("kitten", "sitting")], [3, 3]);
    }

    /// What is not there is an error of its own kind.
    #[test]
    fn what_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let FindError::Unknown { near, .. } = find("ppo-rs/half-cheeta", &[], None).unwrap_err() else { panic!() };
        assert_eq!(near[0], "ppo-rs/half-cheetah");
        assert!(matches!(find("missing.toml", &[], None), Err(FindError::File(..))));
        let nowhere = of_run(&dir.path().join("nowhere"), &[]).unwrap_err();
        assert!(matches!(nowhere, FindError::NoRun(_)) && nowhere.to_string().contains("no such directory"));
        let override_ = find("ppo-rs/t-maze", &["ppo.clap=1".to_string()], None);
        assert!(matches!(override_, Err(FindError::Experiment(_))));
    }
}
