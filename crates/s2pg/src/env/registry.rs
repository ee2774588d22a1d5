//! The registry of environments, which makes them by name.

use super::options::Options;
use super::{Env, EnvError, Pendulum, Sensors, TMaze, TimeLimit};

/// The entry of one environment in a [`Registry`].
#[derive(Clone)]
pub struct Entry {
    /// Name of the environment.
    pub name: &'static str,
    /// One line about the environment.
    pub about: &'static str,
    /// Makes the environment. An unknown option is an error.
    pub make: fn(&Options) -> Result<Box<dyn Env>, EnvError>,
}

/// The environments that a program can make by name.
pub struct Registry(Vec<Entry>);

impl Registry {
    /// Makes a registry of the environments of this library.
    pub fn new() -> Self {
        Self(vec![
            Entry {
                name: "PendulumPOMDP-v1",
                about: "swing up and balance a pendulum whose velocity is hidden",
                make: |options| Ok(Box::new(TimeLimit::new(Pendulum::new(options)?))),
            },
            Entry {
                name: "TMaze-v0",
                about: "remember a cue through a corridor and turn to its side (option: corridor = 10)",
                make: |options| Ok(Box::new(TMaze::new(options)?)),
            },
        ])
    }

    /// Adds the entries of further environments.
    pub fn extend(&mut self, entries: impl IntoIterator<Item = Entry>) {
        self.0.extend(entries);
    }

    /// Returns all entries, in the order in which they were registered.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// Makes the environment called `name`. The option `sensors` is a table for [`Sensors`]; all other options go to
    /// the environment itself.
    pub fn make(&self, name: &str, options: &Options) -> Result<Box<dyn Env>, EnvError> {
        let Some(entry) = self.0.iter().find(|e| e.name == name) else {
            let names: Vec<_> = self.0.iter().map(|e| e.name).collect();
            let what = format!("there is no such environment; there are {}", names.join(", "));
            return Err(EnvError::Invalid { env: name.into(), what });
        };
        let mut options = options.clone();
        match options.remove("sensors") {
            None => (entry.make)(&options),
            Some(toml::Value::Table(sensors)) => Ok(Box::new(Sensors::new((entry.make)(&options)?, &sensors)?)),
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
