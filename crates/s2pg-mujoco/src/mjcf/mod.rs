//! Tasks of one's own: a file in TOML names an MJCF file, and says what is moved, seen, rewarded and varied.
//!
//! `file.rs` is what a file can say, `names.rs` finds the parts of the model, `motors.rs`, `view.rs`, `reward.rs`,
//! `start.rs` and `vary.rs` are its tables, and `env.rs` brings them to life.

mod env;
mod file;
mod files;
mod motors;
mod names;
mod reward;
mod start;
mod vary;
mod view;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use s2pg::env::{Env, EnvError, Options, Registry, TimeLimit};

pub use env::Mjcf;
use file::File;

/// What the names of such tasks begin with.
const PREFIX: &str = "mjcf:";

impl Mjcf {
    /// The task called `name`: `mjcf:` and the path of a file in TOML, as in `mjcf:robots/swing-up/task.toml`. Each
    /// option takes the place of the key of the file with its name.
    pub fn new(name: &str, options: &Options) -> Result<Self, EnvError> {
        match path(name) {
            Some(path) => Self::of(name, path, options),
            None => Err(EnvError::Invalid {
                env: name.into(),
                what: "this is no file; write mjcf: and the path of a file in TOML, as mjcf:my-robot.toml".into(),
            }),
        }
    }
}

fn path(name: &str) -> Option<&Path> {
    name.strip_prefix(PREFIX).filter(|path| !path.is_empty()).map(Path::new)
}

/// The file of the task called `name`, and those of its model.
fn files_of(name: &str, options: &Options) -> Vec<PathBuf> {
    let Some(path) = path(name) else { return Vec::new() };
    // A file that cannot be read has no model; the environment says why when it is made.
    let file = std::fs::read_to_string(path).ok().and_then(|text| File::parse(&text, options).ok());
    let model = file.map(|file| files::files_of(&env::model(path, &file)));
    std::iter::once(path.to_path_buf()).chain(model.into_iter().flatten()).collect()
}

/// Adds the tasks of one's own to a registry, each with its time limit.
pub fn with_own(registry: Registry) -> Registry {
    let about = "a robot of one's own: the path of a file, as mjcf:robots/swing-up/task.toml";
    let make = |name: &str, options: &Options| Ok(Box::new(TimeLimit::new(Mjcf::new(name, options)?)) as Box<dyn Env>);
    registry.with_family_of_files(PREFIX, about, Arc::new(make), Arc::new(files_of))
}
