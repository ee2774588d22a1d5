//! Options of a task, read in words.

use s2pg::env::{EnvError, Options};

/// The value of the option `key`, which is one of the words in `choices`; the first of the choices where the option is
/// not given.
pub(crate) fn choose<T: Copy>(env: &str, options: &Options, key: &str, choices: &[(&str, T)]) -> Result<T, EnvError> {
    let Some(given) = options.get(key) else { return Ok(choices[0].1) };
    let choice = choices.iter().find(|(word, _)| given.as_str() == Some(word));
    choice.map(|choice| choice.1).ok_or_else(|| {
        let words: Vec<_> = choices.iter().map(|(word, _)| format!("{word:?}")).collect();
        EnvError::Invalid { env: env.into(), what: format!("`{key}` is {given}; it can be {}", words.join(", ")) }
    })
}

/// The value of the option `key`, which is true or false; `default` where the option is not given.
pub(crate) fn switch(env: &str, options: &Options, key: &str, default: bool) -> Result<bool, EnvError> {
    let Some(given) = options.get(key) else { return Ok(default) };
    given.as_bool().ok_or_else(|| EnvError::Invalid {
        env: env.into(),
        what: format!("`{key}` is {given}; it can be true or false"),
    })
}

/// The value of the option `key`, which is a number that is not negative; `default` where the option is not given.
pub(crate) fn number(env: &str, options: &Options, key: &str, default: f64) -> Result<f64, EnvError> {
    let Some(given) = options.get(key) else { return Ok(default) };
    let number = given.as_float().or(given.as_integer().map(|n| n as f64));
    number.filter(|x| (0.0..=1e3).contains(x)).ok_or_else(|| EnvError::Invalid {
        env: env.into(),
        what: format!("`{key}` is {given}; it can be a number from 0 to 1000"),
    })
}
