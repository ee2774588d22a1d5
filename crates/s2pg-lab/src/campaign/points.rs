//! The points of a search over keys: all of a grid, or random ones.

use s2pg::Rng;
use toml::{Table, Value};

/// All combinations of the values of the keys, each as overrides; one without any where there are no keys.
pub(super) fn grid(keys: &[(String, Value)]) -> Result<Vec<Vec<String>>, String> {
    let mut points = vec![Vec::new()];
    for (key, values) in keys {
        let Value::Array(values) = values else {
            return Err(format!("`{key}` is {values}; give a list of values, as in {key} = [{values}]"));
        };
        let more = points
            .iter()
            .flat_map(|point| values.iter().map(move |value| [&point[..], &[format!("{key}={value}")]].concat()));
        points = more.collect();
        if points.len() > super::MOST {
            return Err(format!("more than {} points; leave values out", super::MOST));
        }
    }
    Ok(points)
}

/// `samples` random points of a table: each key has a list of values, or a range `{ low, high }`, whose logarithm is
/// spread evenly where it says `log = true`. The same `seed` (0) draws the same points.
pub(super) fn random(
    table: &Table,
    leaves: fn(&str, &Table) -> Vec<(String, Value)>,
) -> Result<Vec<Vec<String>>, String> {
    if table.is_empty() {
        return Ok(vec![Vec::new()]);
    }
    let whole = |key: &str| match table.get(key) {
        None => Ok(None),
        Some(value) => match value.as_integer().filter(|n| (0..=super::MOST as i64).contains(n)) {
            Some(n) => Ok(Some(n as u64)),
            None => Err(format!("`random.{key}` is {value}; it must be a whole number of at most {}", super::MOST)),
        },
    };
    let samples = whole("samples")?.ok_or("`random.samples` is missing, the number of points to draw")?;
    let mut rng = Rng::new(whole("seed")?.unwrap_or(0), "campaign");
    let mut keys = leaves("", table);
    keys.retain(|(key, _)| key != "samples" && key != "seed");
    let mut draw = || {
        let of = |(key, values): &(String, Value), rng: &mut Rng| match values {
            Value::Array(values) if !values.is_empty() => Ok(format!("{key}={}", values[rng.below(values.len())])),
            Value::Table(range) => {
                let number = |key: &str| range.get(key).and_then(|x| x.as_float().or(x.as_integer().map(|x| x as f64)));
                let log = range.get("log").and_then(Value::as_bool).unwrap_or(false);
                match (number("low"), number("high")) {
                    (Some(low), Some(high)) if low < high && (low > 0.0 || !log) => {
                        let at = |a: f64, b: f64, u: f64| a + u * (b - a);
                        let u = rng.uniform();
                        let x = if log { at(low.ln(), high.ln(), u).exp() } else { at(low, high, u) };
                        Ok(format!("{key}={:e}", x.clamp(low, high)))
                    }
                    _ => Err(format!(
                        "`random`: `{key}` needs low and high, as in {{ low = 1e-4, high = 1e-2, log = true }}, with low \
                         below high, and above 0 where the logarithm is spread"
                    )),
                }
            }
            other => Err(format!("`random`: `{key}` is {other}; give a list of values or a range")),
        };
        keys.iter().map(|key| of(key, &mut rng)).collect::<Result<Vec<String>, String>>()
    };
    (0..samples).map(|_| draw()).collect()
}
