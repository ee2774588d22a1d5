//! Options of an environment, as an experiment states them.

use super::EnvError;

/// The options of an environment: the table `[env]` of an experiment without the keys `name` and `parallel`.
pub type Options = toml::Table;

/// Refuses an option of the environment `env` that is not among the `known` ones.
pub fn check_options(env: &str, options: &Options, known: &[&str]) -> Result<(), EnvError> {
    let Some(unknown) = options.keys().find(|k| !known.contains(&k.as_str())) else { return Ok(()) };
    let known = if known.is_empty() { "it has none".into() } else { format!("it has {}", known.join(", ")) };
    Err(EnvError::Invalid { env: env.into(), what: format!("there is no option `{unknown}`; {known}") })
}

/// Returns an option that is a whole number, in whatever form it was written: 10, 10.0 or 1e1.
pub fn whole_number(option: &toml::Value) -> Option<i64> {
    let whole = |x: &f64| x.fract() == 0.0 && x.abs() < 2f64.powi(53);
    option.as_integer().or_else(|| option.as_float().filter(whole).map(|x| x as i64))
}
