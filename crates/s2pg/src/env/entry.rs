//! What a registry knows of one environment.

use super::options::Options;
use super::{Env, EnvError};

/// The entry of one environment in a [`Registry`](super::Registry).
#[derive(Clone)]
pub struct Entry {
    /// Name of the environment.
    pub name: &'static str,
    /// One line about the environment.
    pub about: &'static str,
    /// Makes the environment. An unknown option is an error.
    pub make: fn(&Options) -> Result<Box<dyn Env>, EnvError>,
}
