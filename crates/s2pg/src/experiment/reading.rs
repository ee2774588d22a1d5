//! Reading the text of an experiment and its overrides: what comes out is a table whose every value fits its key, or
//! one sentence about what does not.

use std::collections::BTreeMap;

use toml::Value;
use toml::de::{DeTable, DeValue};

use super::algorithm::AlgorithmName;
use crate::plan::{Key, Kind, Table};

/// The deepest table among the options of an environment.
const DEEPEST: usize = 8;

/// Keys that had another name, and what they are now.
const RENAMED: [(&str, &str); 8] = [
    ("switches.reset_prev_action", "`switches.keep_prev_action`, with the opposite value"),
    ("switches.flag_epoch_cut_as_last", "`switches.cut_at_evaluation`, with the opposite value"),
    ("switches.det_eval_really_deterministic", "`switches.sample_in_evaluation`, with the opposite value"),
    ("switches.align_next_windows", "`switches.misalign_next_windows`, with the opposite value"),
    ("switches.split_first_windows", "`switches.join_first_windows`, with the opposite value"),
    ("switches.reinforce_log_std_score", "`switches.reinforce_log_std_bug`, with the opposite value"),
    ("switches.remember_clipped_action", "`switches.remember_unclipped_action`, with the opposite value"),
    ("reinforce.network", "`network.policy`"),
];

/// The keys that a file and its overrides set.
pub(super) struct Reading {
    tables: &'static [Table],
    file: String,
    /// The values, each of which fits its key.
    pub values: toml::Table,
    /// Where each key was set: a file and its line, or an override.
    origins: BTreeMap<String, String>,
}

/// A value, and how it was written.
struct Given {
    value: Value,
    shown: String,
}

impl Reading {
    /// Reads the TOML text `text` of the file `file`. `tables` are all tables of an experiment. An error is one
    /// sentence that names the file and the line.
    pub fn new(tables: &'static [Table], file: &str, text: &str) -> Result<Self, String> {
        let line = |at: usize| 1 + text.as_bytes()[..at.min(text.len())].iter().filter(|b| **b == b'\n').count();
        let root = DeTable::parse(text).map_err(|e| {
            let line = line(e.span().map_or(0, |span| span.start));
            format!("{file}:{line}: {}", not_toml(text.lines().nth(line - 1).unwrap_or_default(), e.message()))
        })?;
        let mut reading = Self { tables, file: file.into(), values: toml::Table::new(), origins: BTreeMap::new() };
        for (name, value) in root.get_ref() {
            let is_table = reading.table(name.get_ref()).is_some();
            let inner = value.get_ref().as_table().filter(|_| is_table);
            let pairs = inner.map_or_else(
                || vec![(vec![name.get_ref().as_ref()], name, value)],
                |inner| {
                    let pairs = inner.iter();
                    pairs
                        .map(|(key, value)| (vec![name.get_ref().as_ref(), key.get_ref().as_ref()], key, value))
                        .collect()
                },
            );
            for (path, key, value) in pairs {
                let origin = format!("{file}:{}", line(key.span().start));
                let given = Given { value: plain(value.get_ref()), shown: shown(&text[value.span()]) };
                reading.take(&path, given, &origin).map_err(|e| format!("{origin}: {e}"))?;
            }
        }
        Ok(reading)
    }

    /// Sets what the override `assignment` says, such as `ppo.clip=0.1`. An error is one sentence that repeats the
    /// override.
    pub fn change(&mut self, assignment: &str) -> Result<(), String> {
        let origin = format!("override `{}`", shown(assignment));
        let Some((path, value)) = assignment.split_once('=') else {
            return Err(format!("{origin} has no `=`; write it as key=value, without spaces"));
        };
        let (path, value) = (path.trim(), value.trim());
        if path.is_empty() {
            return Err(format!("{origin} names no key; write it as key=value, without spaces"));
        }
        if let Some(before) = self.origins.get(path).filter(|before| before.starts_with("override ")) {
            return Err(format!("{origin}: `{}` is set by {before} as well; keep one of them", shown(path)));
        }
        let parts: Vec<&str> = path.split('.').collect();
        let given = match value {
            "" => Err(format!("there is no value of `{}`; write it as key=value, without spaces", shown(path))),
            _ => Ok(Given { value: loose(value), shown: shown(value) }),
        };
        given.and_then(|given| self.take(&parts, given, &origin)).map_err(|e| format!("{origin}: {e}"))
    }

    /// Puts before the sentence `mistake` where the first key that it names was set.
    pub fn locate(&self, mistake: &str) -> String {
        let named = |(path, origin): (&String, _)| {
            let table = path.split('.').next().unwrap_or_default();
            // The key itself, a part of its schedule, or its table.
            let names = [format!("`{path}`"), format!("`{path}."), format!("`[{table}]`")];
            Some((names.iter().find_map(|name| mistake.find(name))?, origin))
        };
        let first = self.origins.iter().filter_map(named).min_by_key(|(at, _)| *at);
        format!("{}: {mistake}", first.map_or(&self.file, |(_, origin)| origin))
    }

    /// Returns a key that must be set and is not.
    pub fn missing(&self) -> Option<&'static Key> {
        let keys = self.tables.iter().flat_map(|table| &table.keys);
        keys.filter(|key| key.is_required).find(|key| !self.origins.contains_key(&key.path))
    }

    fn table(&self, name: &str) -> Option<&'static Table> {
        self.tables.iter().find(|table| !name.is_empty() && table.name == name)
    }

    /// Sets the key at `path` to what is given, which `origin` says.
    fn take(&mut self, path: &[&str], given: Given, origin: &str) -> Result<(), String> {
        let dotted = path.join(".");
        if let [table, name, part] = path
            && let Ok(Some(key)) = self.key(&path[..2])
            && key.kind == Kind::Schedule
        {
            let before = self.values.get(*table).and_then(|inner| inner.get(*name)?.as_table());
            let mut line = before.cloned().unwrap_or_default();
            line.insert(part.to_string(), given.value);
            return self.take(&path[..2], Given { value: Value::Table(line), ..given }, origin);
        }
        let found = self.key(path)?;
        let value = match found {
            Some(key) => key.fit(given.value, &given.shown)?,
            None => option(&dotted, path.len(), given.value)?,
        };
        let mut table = &mut self.values;
        let [above @ .., last] = path else { unreachable!("a path has a part") };
        for name in above {
            let entry = table.entry(*name).or_insert_with(|| Value::Table(toml::Table::new()));
            let Some(inner) = entry.as_table_mut() else {
                return Err(format!("`{}` cannot be set, because `{}` is not a table", shown(&dotted), shown(name)));
            };
            table = inner;
        }
        let is_scheduled = found.is_some_and(|key| key.kind == Kind::Schedule);
        let value = if is_scheduled { continuing(table.get(*last), value) } else { value };
        table.insert(last.to_string(), value);
        self.origins.insert(dotted, origin.into());
        Ok(())
    }

    /// Returns the key at `path`; None where the path leads to an option of the environment.
    fn key(&self, path: &[&str]) -> Result<Option<&'static Key>, String> {
        let of = |table: &str, name: &str| {
            let table = self.tables.iter().find(|t| t.name == table)?;
            table.keys.iter().find(|key| key.name == name)
        };
        let found = match path {
            [name] => of("", name),
            [table, name, ..] if !table.is_empty() => of(table, name),
            _ => None,
        };
        match (found, path) {
            (Some(key), [_] | [_, _]) if key.path == path.join(".") => Ok(Some(key)),
            (Some(key), _) => Err(format!("`{}` is not a table; write it as {}=value", key.path, key.path)),
            (None, ["env", _, ..]) => Ok(None),
            (None, [first, _, ..]) if of("", first).is_some() => {
                Err(format!("`{first}` is not a table; write it as {first}=value"))
            }
            (None, _) => Err(match self.table(path[0]) {
                Some(table) if path.len() == 1 => {
                    format!("`{}` is a table; set its keys one by one, such as `{}`", table.name, table.keys[0].path)
                }
                _ => self.unknown(path),
            }),
        }
    }

    /// Says that there is no key at `path`, and which there are.
    fn unknown(&self, path: &[&str]) -> String {
        let dotted = path.join(".");
        if let Some((before, now)) = RENAMED.iter().find(|(before, _)| *before == dotted) {
            return format!("`{before}` is now {now}");
        }
        let there_is_no = format!("there is no key `{}`", shown(&dotted));
        let names = |table: &Table| table.keys.iter().map(|key| key.name).collect::<Vec<_>>().join(", ");
        if let [table, _, ..] = path
            && let Some(table) = self.table(table)
        {
            return format!("{there_is_no}; `[{}]` has {}", table.name, names(table));
        }
        // A key without its table: the table of the experiment's algorithm, or one that algorithms share.
        let algorithm: Option<AlgorithmName> =
            self.values.get("algorithm").and_then(|name| name.as_str()?.parse().ok());
        let is_read = |table: &&Table| {
            AlgorithmName::tables().all(|other| other != table.name)
                || algorithm.is_some_and(|a| a.table() == table.name)
        };
        let mut read = self.tables.iter().filter(is_read).flat_map(|table| &table.keys);
        match read.find(|key| Some(&key.name) == path.last()) {
            Some(key) => format!("{there_is_no}; the key is `{}`", key.path),
            None => {
                let tables: Vec<&str> = self.tables.iter().map(|table| table.name).filter(|n| !n.is_empty()).collect();
                let top = names(&self.tables[0]);
                format!("{there_is_no}; an experiment has {top}, and the tables {}", tables.join(", "))
            }
        }
    }
}

/// Gives the schedule `value` of a number that names no start the number `before` that the key had, as its start; every
/// other value stays as it is.
fn continuing(before: Option<&Value>, value: Value) -> Value {
    let Some(start @ Value::Float(_)) = before else { return value };
    let mut line = match value {
        Value::String(ref word) if word == "linear" => toml::Table::new(),
        Value::Table(line) => line,
        other => return other,
    };
    line.entry("start").or_insert(start.clone());
    Value::Table(line)
}

/// Returns the value of an option of an environment, which lies `depth` tables deep; an error says what no option is.
fn option(path: &str, depth: usize, value: Value) -> Result<Value, String> {
    fn oddity(value: &Value, depth: usize) -> Option<&'static str> {
        match value {
            _ if depth > DEEPEST => Some("nested too deep"),
            Value::Datetime(_) => Some("a date"),
            Value::Array(items) => items.iter().find_map(|item| oddity(item, depth + 1)),
            Value::Table(table) => table.values().find_map(|item| oddity(item, depth + 1)),
            _ => None,
        }
    }
    match oddity(&value, depth) {
        Some(odd) => Err(format!("`{}` is {odd}, which no option of an environment may be", shown(path))),
        None => Ok(value),
    }
}

/// Returns a value of a parsed text. A whole number that is too large for TOML becomes a number with a point.
fn plain(value: &DeValue<'_>) -> Value {
    let number = |text: &str| Value::Float(text.parse().unwrap_or(f64::NAN));
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(n) => {
            i64::from_str_radix(n.as_str(), n.radix()).map_or_else(|_| number(n.as_str()), Value::Integer)
        }
        DeValue::Float(x) => number(x.as_str()),
        DeValue::Boolean(flag) => Value::Boolean(*flag),
        DeValue::Datetime(date) => Value::Datetime(*date),
        DeValue::Array(items) => Value::Array(items.iter().map(|item| plain(item.get_ref())).collect()),
        DeValue::Table(table) => {
            let pairs = table.iter();
            Value::Table(pairs.map(|(key, item)| (key.get_ref().to_string(), plain(item.get_ref()))).collect())
        }
    }
}

/// Returns the value of an override: TOML, or a number in a form that TOML lacks (`.5`, `1.`), or else a string.
fn loose(text: &str) -> Value {
    if let Ok(value) = DeValue::parse(text) {
        return plain(value.get_ref());
    }
    let is_number = text.bytes().any(|b| b.is_ascii_digit()) && text.bytes().all(|b| b"0123456789+-._eE".contains(&b));
    match text.replace('_', "").parse() {
        Ok(x) if is_number => Value::Float(x),
        _ => Value::String(text.into()),
    }
}

/// Says that a line is not TOML, and how its value is written if that is clear.
fn not_toml(line: &str, message: &str) -> String {
    let line = line.split('#').next().unwrap_or_default().trim();
    let correct = line.split_once('=').and_then(|(key, text)| {
        let text = text.trim();
        let is_word = text.starts_with(|c: char| c.is_alphabetic())
            && text.chars().all(|c| c.is_alphanumeric() || "_-:./".contains(c));
        let value = match loose(text) {
            Value::String(_) if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") => {
                text.to_lowercase()
            }
            Value::String(text) if is_word => Value::String(text).to_string(),
            Value::Float(x) => Value::Float(x).to_string(),
            _ => return None,
        };
        let correct = format!("{} = {value}", key.trim());
        (correct != line && DeTable::parse(&correct).is_ok()).then(|| format!("; write {}", shown(&correct)))
    });
    format!("`{}` is not TOML ({}){}", shown(line), one_line(message), correct.unwrap_or_default())
}

/// Makes one line of a message.
pub(super) fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns at most 80 characters of a text that a user wrote, on one line.
fn shown(text: &str) -> String {
    let visible = |c: char| if "\"'\\".contains(c) { c.to_string() } else { c.escape_debug().to_string() };
    let start: String = text.chars().take(80).map(visible).collect();
    if text.chars().nth(80).is_some() { start + "..." } else { start }
}
