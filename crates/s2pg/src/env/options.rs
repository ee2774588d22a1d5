//! Options of an environment, as an experiment states them.

use super::EnvError;

/// The table `[env]` of an experiment without its name and counts.
pub type Options = toml::Table;

/// Refuses options other than the `known` ones.
pub fn check_options(env: &str, options: &Options, known: &[&str]) -> Result<(), EnvError> {
    let Some(unknown) = options.keys().find(|k| !known.contains(&k.as_str())) else { return Ok(()) };
    let known = if known.is_empty() { "it has none".into() } else { format!("it has {}", known.join(", ")) };
    Err(EnvError::Invalid { env: env.into(), what: format!("there is no option `{unknown}`; {known}") })
}
