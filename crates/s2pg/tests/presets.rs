//! Presets are short: each states what differs from what its algorithm was published with, and nothing else.

use std::fs;
use std::path::{Path, PathBuf};

use s2pg::Experiment;

/// Every preset: its path and its text.
fn presets() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../presets");
    let entries = |dir: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let mut paths: Vec<PathBuf> = entries(&root).iter().flat_map(|group| entries(group)).collect();
    paths.sort();
    assert!(paths.len() > 100, "there are presets");
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

fn whole(path: &Path, text: &str) -> Result<String, String> {
    let experiment = Experiment::parse(&path.display().to_string(), text, &[]);
    experiment.map(|e| e.to_toml()).map_err(|e| e.to_string())
}

/// Every preset is in order; its first line says what it is, and its folder which algorithm and estimator it has, or
/// that it is recommended.
#[test]
fn presets_are_in_order() {
    for (path, text) in presets() {
        let experiment = Experiment::parse(&path.display().to_string(), &text, &[]).unwrap_or_else(|e| panic!("{e}"));
        assert!(text.starts_with("# ") && text.lines().next().unwrap().ends_with('.'), "{}", path.display());
        let folder = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        let estimator = experiment.estimator.to_string().replace(':', "-");
        let names = [estimator.as_str(), "best"].map(|kind| format!("{}-{kind}", experiment.algorithm));
        assert!(names.contains(&folder), "{}: {names:?}", path.display());
    }
}

/// Without any one of its keys, a preset is another experiment, or none.
#[test]
fn presets_repeat_no_default() {
    let mut keys = 0;
    for (path, text) in presets() {
        let complete = whole(&path, &text).unwrap();
        let table: toml::Table = text.parse().unwrap();
        for (key, value) in &table {
            let inner: Vec<&String> = value.as_table().map_or(Vec::new(), |inner| inner.keys().collect());
            assert!(value.as_table().is_none_or(|inner| !inner.is_empty()), "{}: [{key}] is empty", path.display());
            for inner in inner.iter().map(Some).chain(value.as_table().is_none().then_some(None)) {
                let mut less = table.clone();
                match inner {
                    Some(inner) => less[key].as_table_mut().unwrap().remove(*inner),
                    None => less.remove(key),
                };
                let less = whole(&path, &less.to_string());
                let name = inner.map_or(key.clone(), |inner| format!("{key}.{inner}"));
                assert!(less.is_err() || less != Ok(complete.clone()), "{}: {name} is the default", path.display());
                keys += 1;
            }
        }
    }
    println!("{keys} keys in {} presets, none of them a default", presets().len());
}
