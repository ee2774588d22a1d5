//! What the book says of settings and deviations is what the code has, and its links lead somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use s2pg::experiment::{AlgorithmName, Experiment, Key, Table, tables};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// All files under a folder of the repository whose names end in one of `extensions`.
fn files(folder: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| extensions.contains(&e.to_str().unwrap())) {
                found.push(path);
            }
        }
    }
    found
}

fn pages() -> Vec<PathBuf> {
    files("book/src", &["md"])
}

/// The pages of the book and the documents beside it.
fn documents() -> Vec<PathBuf> {
    let beside = ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "RELIABILITY.md"];
    pages().into_iter().chain(beside.map(|name| root().join(name))).collect()
}

fn experiment(algorithm: &str, overrides: &[String]) -> Result<Experiment, String> {
    let name: AlgorithmName = algorithm.parse()?;
    let estimator = name.estimators().next().expect("an algorithm takes an estimator");
    let text = format!(
        "algorithm = \"{algorithm}\"\nestimator = \"{estimator}\"\nsteps = 1_000_000\n[env]\nname = \"TMaze-v0\"\n"
    );
    Experiment::parse("book", &text, overrides).map_err(|e| e.to_string())
}

/// The keys of a table of an experiment, those without a default included.
fn keys(table: &str) -> BTreeSet<String> {
    let table = tables().iter().find(|t| t.name == table).unwrap_or_else(|| panic!("there is no table `[{table}]`"));
    table.keys.iter().map(|key| key.name.to_string()).collect()
}

/// The keys and defaults on a page, by table: the rows `| key | default | ...` after a line that begins with a table's
/// name.
fn settings(page: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut tables: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut table = String::new();
    let section = page.lines().skip_while(|line| *line != "## Settings").skip(1);
    for line in section.take_while(|line| !line.starts_with("## ")) {
        if let Some((name, _)) = line.strip_prefix("Table `[").and_then(|line| line.split_once(']')) {
            table = name.to_string();
        } else if let Some((key, rest)) = line.strip_prefix("| `").and_then(|row| row.split_once("` | ")) {
            let default = rest.split(" | ").next().unwrap().trim_matches('`').to_string();
            let before = tables.entry(table.clone()).or_default().insert(key.to_string(), default);
            assert_eq!(before, None, "{table}.{key} is there twice");
        }
    }
    tables
}

/// The keys and ranges of the table `table` of a page: its rows `| key | default | range | meaning |`.
fn ranges_on(page: &str, table: &str) -> BTreeMap<String, String> {
    let start = format!("Table `[{table}]`");
    let rows = page.lines().skip_while(|line| !line.starts_with(&start)).skip_while(|line| !line.starts_with('|'));
    let cells = rows.take_while(|line| line.starts_with('|')).filter_map(|row| {
        let cells: Vec<&str> = row.strip_prefix("| `")?.split(" | ").collect();
        Some((cells[0].trim_end_matches('`').to_string(), cells[2].to_string()))
    });
    cells.collect()
}

/// Whether a default of a page and a value of an experiment are the same; numbers of a page may have commas in them.
fn same(page: &str, code: &str) -> bool {
    match (page.replace(',', "").parse::<f64>(), code.parse::<f64>()) {
        (Ok(page), Ok(code)) => page == code,
        _ => page == code,
    }
}

/// The tables of settings on each algorithm's page have exactly the keys, defaults and ranges of the code.
#[test]
fn settings_are_those_of_the_code() {
    for algorithm in AlgorithmName::tables() {
        let page = read(&root().join("book/src").join(algorithm).with_extension("md"));
        let tables = settings(&page);
        assert!(tables.contains_key(algorithm), "{algorithm}: its page has no table `[{algorithm}]`");
        let table = s2pg::experiment::tables().iter().find(|t| t.name == algorithm).unwrap();
        let ranges: BTreeMap<String, String> = table.keys.iter().map(|key| (key.name.into(), key.limit())).collect();
        let on_page = ranges_on(&page, algorithm);
        assert_eq!(on_page, ranges, "{algorithm}: keys and ranges of `[{algorithm}]`");
        let defaults: BTreeMap<String, String> = experiment(algorithm, &[]).unwrap().keys().into_iter().collect();
        for (table, rows) in tables {
            let named: BTreeSet<String> = rows.keys().cloned().collect();
            assert_eq!(named, keys(&table), "{algorithm}: keys of `[{table}]`");
            for (key, default) in rows {
                // A key without a default is left out.
                let code = defaults.get(&format!("{table}.{key}")).map_or("none", |value| value.trim_matches('"'));
                let page = default.trim_matches('"');
                assert!(same(page, code), "{algorithm}: {table}.{key} is {code}, and {page} on the page");
            }
        }
    }
}

/// The page of keys, behind its introduction: what the code says of every key.
fn page_of_keys() -> String {
    let row = |key: &Key| {
        let (name, default, meaning) = (key.name, key.default_in_words(), key.meaning);
        format!("| `{name}` | {} | {default} | {} | {meaning} |\n", key.kind, key.range())
    };
    let section = |table: &Table| {
        let title = if table.name.is_empty() { "At the top".into() } else { format!("`[{}]`", table.name) };
        let rows: String = table.keys.iter().map(row).collect();
        let about = table.about.lines().map(str::trim).collect::<Vec<_>>().join(" ").replace("  ", " ");
        format!("## {title}\n\n{about}\n\n| key | type | default | range | meaning |\n|---|---|---|---|---|\n{rows}")
    };
    tables().iter().map(section).collect::<Vec<_>>().join("\n")
}

/// The page of keys has every key of every table, with type, default, range and meaning as the code has them. On a
/// difference the test prints what the page should say behind its introduction.
#[test]
fn every_key_is_on_the_page_of_keys() {
    let page = read(&root().join("book/src/keys.md"));
    let (_, tables) = page.split_once("\n## ").expect("a section for each table");
    let wanted = page_of_keys();
    assert!(format!("## {tables}") == wanted, "book/src/keys.md should say:\n\n{wanted}");
    let whole = experiment("ppo", &[]).unwrap();
    for (key, value) in whole.keys() {
        let known = s2pg::experiment::tables().iter().flat_map(|table| &table.keys).find(|known| known.path == key);
        let known = known.unwrap_or_else(|| panic!("{key} is a key of an experiment, and of no table"));
        let is_set = ["algorithm", "estimator", "steps", "env.name"].contains(&key.as_str());
        assert!(is_set == known.is_required, "{key}");
        assert!(is_set || known.default.as_ref().is_some_and(|default| default.to_string() == value), "{key}: {value}");
    }
}

/// The numbers `D<n>` that stand alone in a text.
fn numbers(text: &str) -> BTreeSet<usize> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter_map(|word| word.strip_prefix('D')?.parse().ok()).collect()
}

/// Every deviation that a source, a preset or a document cites has an entry on the page of deviations, and is defined
/// once.
#[test]
fn cited_deviations_are_defined() {
    let page = read(&root().join("book/src/deviations.md"));
    let entries = page.lines().filter_map(|line| line.strip_prefix("### D").or(line.strip_prefix("| D")));
    let mut defined = BTreeSet::new();
    for entry in entries {
        let number: usize = entry.split(' ').next().unwrap().parse().unwrap_or_else(|e| panic!("D{entry}: {e}"));
        assert!(defined.insert(number), "D{number} is defined twice");
    }
    for file in [files("crates", &["rs"]), files("presets", &["toml"]), documents()].concat() {
        for number in numbers(&read(&file)) {
            assert!(defined.contains(&number), "{} cites D{number}, which deviations.md lacks", file.display());
        }
    }
}

/// The page of deviations names every switch, and no document names one that does not exist.
#[test]
fn switches_are_listed() {
    let switches = keys("switches");
    let mut listed = BTreeSet::new();
    for path in documents() {
        let text = read(&path);
        for rest in text.split("`switches.").skip(1) {
            let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            assert!(switches.contains(&name), "{}: there is no switch `{name}`", path.display());
            if path.ends_with("deviations.md") {
                listed.insert(name);
            }
        }
    }
    assert_eq!(listed, switches, "deviations.md lists these switches, and the code has those");
}

/// A page without its code: blocks, and what stands between backticks.
fn without_code(text: &str) -> String {
    let blocks = text.split("```").step_by(2);
    blocks.flat_map(|block| block.split('`').step_by(2)).collect::<Vec<_>>().join(" ")
}

/// The anchors of a document: one for each heading, as code hosts make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let prose = text.split("```").step_by(2).flat_map(str::lines);
    let headings = prose.filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    headings.map(|heading| heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}

/// Every relative link and every image of a document leads to a file that is there, and to a heading in it.
#[test]
fn links_lead_somewhere() {
    let mut links = 0;
    for path in documents() {
        let text = read(&path);
        for link in without_code(&text).split("](").skip(1) {
            let link = link.split([')', ' ']).next().unwrap();
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: `{link}` leads to no file", path.display());
            if let Some(anchor) = anchor {
                assert!(anchors(&read(&target)).contains(anchor), "{}: `{link}` leads to no heading", path.display());
            }
            links += 1;
        }
    }
    assert!(links > 50, "{links} links");
}

/// No page has formulas in a form that only a script would show.
#[test]
fn formulas_are_in_dollars() {
    for page in pages() {
        let text = read(&page);
        let raw = ["\\\\(", "\\\\[", "\\(", "\\["];
        assert!(raw.iter().all(|raw| !without_code(&text).contains(raw)), "{}", page.display());
    }
}

/// The tests notice a default that differs, a number, and a heading with signs in it.
#[test]
fn differences_are_seen() {
    let page =
        "## Settings\n\nTable `[a]`:\n\n| key | default | meaning |\n|---|---|---|\n| `n` | 5,000 | x |\n\n## B\n";
    assert_eq!(settings(page)["a"]["n"], "5,000");
    assert!(same("5,000", "5000") && same("1e-3", "0.001") && same("1", "1.0") && same("gru", "gru"));
    assert!(!same("5,000", "500") && !same("none", "0.0") && !same("gru", "lstm"));
    assert_eq!(numbers("(D13), D4; `D30` but not 3D5, D_6, TD3 or D7x"), BTreeSet::from([4, 13, 30]));
    let anchor = anchors("# What is seen of the paper's claims\n```sh\n# no heading\n```\n");
    assert_eq!(anchor, BTreeSet::from(["what-is-seen-of-the-papers-claims".to_string()]));
}
