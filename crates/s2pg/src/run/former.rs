//! Checkpoints of earlier versions: where their numbers stand.
//!
//! In the format `s2pg/1` the items of every environment stood apart: `env/0/r`, `env/1/r`, .... Now they are one item,
//! `env/lanes/r`. Everything else is as it was.

use super::format::FORMAT;

/// Formats that can be read, the present one first.
pub const FORMATS: [&str; 2] = [FORMAT, "s2pg/1"];
/// Scopes of columns, and how the scope of part i was called in the format `s2pg/1`: this, and the number of the part.
const SCOPES: [(&str, &str); 2] = [("lanes", ""), ("rollouts", "rollout_")];

/// Returns the names of the items in a file of the format `format` that together, one behind the other, hold the
/// numbers of the present item `name`. `holds` tells whether the file has an item of a name.
pub fn sources(format: &str, name: &str, holds: impl Fn(&str) -> bool) -> Vec<String> {
    let parts = || {
        let (scopes, column) = name.rsplit_once('/')?;
        let start = scopes.rfind('/').map_or(0, |slash| slash + 1);
        let (_, part) = SCOPES.iter().find(|(scope, _)| *scope == &scopes[start..])?;
        let of = |i: usize| format!("{}{part}{i}/{column}", &scopes[..start]);
        Some((0..).map(of).take_while(|name| holds(name)).collect::<Vec<_>>())
    };
    let former = if format == FORMAT { None } else { parts() };
    former.filter(|parts| !parts.is_empty()).unwrap_or_else(|| vec![name.into()])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a former file a column is the items of all parts, in their order, in the scope where the column stands now;
    /// an item that is no column, and every item of a file of now, is itself.
    #[test]
    fn columns_stood_apart() {
        let of = |format, name| sources(format, name, |name| ["a/env/0/r", "a/env/1/r", "rollout_0/o"].contains(&name));
        assert_eq!(of("s2pg/1", "a/env/lanes/r"), ["a/env/0/r", "a/env/1/r"]);
        assert_eq!(of("s2pg/1", "rollouts/o"), ["rollout_0/o"]);
        for (format, name) in [("s2pg/1", "a/env/lanes/x"), ("s2pg/1", "lanes"), (FORMAT, "a/env/lanes/r")] {
            assert_eq!(of(format, name), [name]);
        }
    }
}
