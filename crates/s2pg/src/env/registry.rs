//! The registry of environments, which makes them by name.

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;

use super::entry::Entry;
use super::options::Options;
use super::{Env, EnvError, Sensors, make_guarded, tasks};

/// What experiments can name: the environments that a program can make, and what a program adds of other kinds, such as
/// the cores of policies.
pub struct Registry {
    envs: Vec<Entry>,
    families: Vec<Family>,
    /// What is named beside environments. What that is, only the modules above this one know.
    others: Vec<Box<dyn Any + Send + Sync>>,
}

/// What makes an environment of a family: it is given the whole name, and the options.
pub type MakeOfFamily = Arc<dyn Fn(&str, &Options) -> Result<Box<dyn Env>, EnvError> + Send + Sync>;

/// What lists the files of which an environment of a family is made: it is given the whole name, and the options.
pub type FilesOfFamily = Arc<dyn Fn(&str, &Options) -> Vec<PathBuf> + Send + Sync>;

/// Environments whose names begin alike, and which are made by one function.
struct Family {
    prefix: &'static str,
    about: &'static str,
    make: MakeOfFamily,
    files: FilesOfFamily,
}

impl Registry {
    /// Makes a registry of the environments of this library.
    pub fn new() -> Self {
        Self { envs: tasks::entries(), families: Vec::new(), others: Vec::new() }
    }

    /// Adds the entries of further environments.
    pub fn extend(&mut self, entries: impl IntoIterator<Item = Entry>) {
        self.envs.extend(entries);
    }

    /// Adds one more environment, with its name, one line about it, and the function that makes it.
    pub fn with(
        mut self,
        name: &'static str,
        about: &'static str,
        make: fn(&Options) -> Result<Box<dyn Env>, EnvError>,
    ) -> Self {
        self.envs.push(Entry { name, about, make });
        self
    }

    /// Adds a family of environments: all whose names begin with `prefix`, such as `gym:`. `about` is one line about
    /// them, and `make` makes the environment of a whole name.
    pub fn with_family(self, prefix: &'static str, about: &'static str, make: MakeOfFamily) -> Self {
        self.with_family_of_files(prefix, about, make, Arc::new(|_, _| Vec::new()))
    }

    /// Adds a family of environments as [`with_family`](Self::with_family) does, each of which is made of the files
    /// that `files` lists. A run goes on with those bytes alone.
    pub fn with_family_of_files(
        mut self,
        prefix: &'static str,
        about: &'static str,
        make: MakeOfFamily,
        files: FilesOfFamily,
    ) -> Self {
        self.families.push(Family { prefix, about, make, files });
        self
    }

    /// Returns the files of which the environment called `name` is made.
    pub fn files(&self, name: &str, options: &Options) -> Vec<PathBuf> {
        self.family(name).map_or_else(Vec::new, |family| (family.files)(name, options))
    }

    fn family(&self, name: &str) -> Option<&Family> {
        self.families.iter().find(|family| name.starts_with(family.prefix))
    }

    /// Returns prefix and line of every family of environments, in the order in which they were added.
    pub fn families(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.families.iter().map(|family| (family.prefix, family.about))
    }

    /// Adds something else that experiments can name.
    pub(crate) fn add<N: Any + Send + Sync>(&mut self, named: N) {
        self.others.push(Box::new(named));
    }

    /// Returns everything of the type `N` that was added, in its order.
    pub(crate) fn named<N: Any>(&self) -> impl Iterator<Item = &N> {
        self.others.iter().filter_map(|other| other.downcast_ref())
    }

    /// Returns the entries of all environments, in the order in which they were registered.
    pub fn entries(&self) -> &[Entry] {
        &self.envs
    }

    /// Makes the environment called `name`. The option `sensors` is a table for [`Sensors`]; all other options go to
    /// the environment itself. A panic in the environment's own code is an error.
    pub fn make(&self, name: &str, options: &Options) -> Result<Box<dyn Env>, EnvError> {
        let entry = self.envs.iter().find(|e| e.name == name);
        let family = self.family(name);
        let make = |options: &Options| match (entry, family) {
            (Some(entry), _) => (entry.make)(options),
            (None, Some(family)) => (family.make)(name, options),
            (None, None) => Err(EnvError::Invalid { env: name.into(), what: self.unknown(name) }),
        };
        let mut options = options.clone();
        match options.remove("sensors") {
            None => make_guarded(name, || make(&options)),
            Some(toml::Value::Table(sensors)) => {
                make_guarded(name, || Ok(Box::new(Sensors::new(make(&options)?, &sensors)?)))
            }
            Some(other) => {
                let what = format!("`sensors` is {other}; it must be a table, as {{ hide = [\"v_*\"] }}");
                Err(EnvError::Invalid { env: name.into(), what })
            }
        }
    }

    /// Says that there is no environment of a name, and which there are.
    fn unknown(&self, name: &str) -> String {
        if let Some((prefix @ ("gym" | "python"), _)) = name.split_once(':') {
            return format!(
                "environments called `{prefix}:...` live in Python; install the Python package s2pg, and let it run the \
                 command with the option --python"
            );
        }
        let names: Vec<_> = self.envs.iter().map(|e| e.name).collect();
        let families = self.families.iter().map(|family| format!(", and {}...", family.prefix)).collect::<String>();
        format!("there is no such environment; there are {}{families}", names.join(", "))
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}
