//! The registry of environments, which makes them by name.

use std::any::Any;

use super::entry::Entry;
use super::options::Options;
use super::{Env, EnvError, Sensors, make_guarded, tasks};

/// What experiments can name: the environments that a program can make, and what a program adds of other kinds, such as
/// the cores of policies.
pub struct Registry {
    envs: Vec<Entry>,
    /// What is named beside environments. What that is, only the modules above this one know.
    others: Vec<Box<dyn Any + Send + Sync>>,
}

impl Registry {
    /// Makes a registry of the environments of this library.
    pub fn new() -> Self {
        Self { envs: tasks::entries(), others: Vec::new() }
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
        let Some(entry) = self.envs.iter().find(|e| e.name == name) else {
            let names: Vec<_> = self.envs.iter().map(|e| e.name).collect();
            let what = format!("there is no such environment; there are {}", names.join(", "));
            return Err(EnvError::Invalid { env: name.into(), what });
        };
        let mut options = options.clone();
        match options.remove("sensors") {
            None => make_guarded(name, || (entry.make)(&options)),
            Some(toml::Value::Table(sensors)) => {
                make_guarded(name, || Ok(Box::new(Sensors::new((entry.make)(&options)?, &sensors)?)))
            }
            Some(other) => {
                let what = format!("`sensors` is {other}; it must be a table, as {{ hide = [\"v_*\"] }}");
                Err(EnvError::Invalid { env: name.into(), what })
            }
        }
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}
