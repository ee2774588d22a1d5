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

/// Returns at most three of `names` that were perhaps meant by `word`, the nearest first: at most one letter in three
/// is another one, or one contains the other.
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let (plain, most) = (word.to_lowercase(), word.chars().count().div_ceil(3));
    let distance = |name: &'a str| {
        let other = name.to_lowercase();
        let is_part = plain.len().min(other.len()) >= 3 && (other.contains(&plain) || plain.contains(&other));
        let letters = letters_between(&plain, &other);
        (is_part || letters <= most).then_some((letters, name))
    };
    let mut near: Vec<_> = names.into_iter().filter_map(distance).collect();
    near.sort();
    near.truncate(3);
    near.into_iter().map(|(_, name)| name).collect()
}

/// Returns how many letters have to be put in, taken out or changed to make one word the other (Levenshtein's
/// distance).
pub fn letters_between(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.chars().enumerate() {
            let least = (diagonal + usize::from(x != y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], least);
        }
    }
    row[b.chars().count()]
}
