//! `s2pg keys`: every key of an experiment; and what to say to who writes a key as a flag.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use s2pg::experiment::{Key, tables};

use crate::exit::Usage;
use crate::terminal::print;

/// Arguments of `s2pg keys`.
#[derive(Args)]
pub struct Arguments {
    /// Print only keys with one of these words in their names, such as `network` or `ppo.lr`.
    words: Vec<String>,
}

/// Prints the keys.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let words = &arguments.words;
    let is_meant = |key: &&Key| words.is_empty() || words.iter().any(|word| key.path.contains(word.as_str()));
    let mut first = true;
    for table in tables() {
        let keys: Vec<&Key> = table.keys.iter().filter(is_meant).collect();
        if keys.is_empty() {
            continue;
        }
        let gap = if first { "" } else { "\n" };
        let name = if table.name.is_empty() { String::new() } else { format!("[{}]\n", table.name) };
        let about = table.about.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        print(format_args!("{gap}{name}{about}"))?;
        for key in keys {
            let range = if key.range().is_empty() { String::new() } else { format!(" {}", key.range()) };
            print(format_args!("\n{}: {}{range}; default: {}", key.path, key.kind, key.default_in_words()))?;
            print(format_args!("    {}", key.meaning))?;
        }
        first = false;
    }
    if first {
        let none = format!("no key has {} in its name; `s2pg keys` lists all keys", words.join(" or "));
        return Err(Usage(none).into());
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns what to say where an unknown flag of a command with overrides is the name of a key, as in `--seed 3`; the
/// `arguments` are those of the process. The error `e` of any other unknown flag loses its advice to write the flag as
/// a value, which no command takes.
pub fn meant_as_override(e: &mut clap::Error, arguments: impl Iterator<Item = OsString>) -> Option<String> {
    let text = |value: Option<&ContextValue>| value.map(ToString::to_string).unwrap_or_default();
    if e.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    if text(e.get(ContextKind::Suggested)).contains("as a value") {
        e.remove(ContextKind::Suggested);
    }
    let usage = text(e.get(ContextKind::Usage));
    if !(usage.contains("OVERRIDES") || usage.contains("[WORDS]")) {
        return None;
    }
    let flag = text(e.get(ContextKind::InvalidArg));
    let arguments: Vec<String> = arguments.map(|argument| argument.to_string_lossy().into_owned()).collect();
    let at = arguments.iter().position(|argument| argument.starts_with(&flag))?;
    let (name, value) = match arguments[at].split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (arguments[at].as_str(), arguments.get(at + 1).map(String::as_str)),
    };
    let (name, value) = (name.trim_start_matches('-').replace('-', "_"), value.unwrap_or("VALUE"));
    let keys = tables().iter().flat_map(|table| &table.keys);
    let meant: Vec<&Key> = match keys.clone().find(|key| key.path == name) {
        Some(key) => vec![key],
        None => keys.filter(|key| key.name == name).collect(),
    };
    let say: Vec<String> = meant.iter().map(|key| format!("{}={value}", key.path)).collect();
    (!say.is_empty()).then(|| format!("`{flag}` is no flag but a key of the experiment: say {}", say.join(" or ")))
}
