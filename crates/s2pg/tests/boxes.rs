//! The numbered steps of each algorithm's file are the numbered list of its page in the book.

mod runs;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use s2pg::env::Registry;
use s2pg::experiment::{AlgorithmName, Experiment};
use s2pg::run::Run;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The sentences `1. ...`, `2. ...` of `lines`; a sentence goes on over the indented or commented lines after it.
fn steps<'a>(lines: impl Iterator<Item = &'a str>, goes_on: impl Fn(&str) -> Option<&str>) -> Vec<String> {
    let mut steps: Vec<String> = Vec::new();
    let mut open = false;
    for line in lines {
        if let Some(sentence) = line.strip_prefix(&format!("{}. ", steps.len() + 1)) {
            steps.push(sentence.trim().to_string());
            open = true;
        } else if let Some(rest) = goes_on(line).filter(|_| open) {
            let last = steps.last_mut().expect("a step is open");
            *last = format!("{last} {}", rest.trim());
        } else {
            open = false;
        }
    }
    steps
}

/// The steps in the comments of a Rust file.
fn in_code(text: &str) -> Vec<String> {
    // What is no comment becomes a line that starts no step and continues none.
    let comments = text.lines().map(|line| line.trim_start().strip_prefix("// ").unwrap_or("\0"));
    steps(comments, |line| (line != "\0").then_some(line))
}

/// The numbered list of a page: the lines between the heading `## The box` and the next heading.
fn on_page(text: &str) -> Vec<String> {
    let section = text.lines().skip_while(|line| *line != "## The box").skip(1);
    steps(section.take_while(|line| !line.starts_with('#')), |line| line.strip_prefix("   "))
}

/// Every algorithm file with numbered steps has a page with the same steps, word for word; and every step is numbered
/// in order.
#[test]
fn every_page_is_its_algorithm() {
    let mut boxes = 0;
    for entry in fs::read_dir(root().join("crates/s2pg/src/algo")).unwrap() {
        let file = entry.unwrap().path();
        let text = read(&file);
        let numbered = |line: &str| {
            let line = line.trim_start().strip_prefix("// ").and_then(|line| line.split_once(". "));
            line.is_some_and(|(number, _)| number.parse::<usize>().is_ok())
        };
        let code = in_code(&text);
        assert_eq!(code.len(), text.lines().filter(|line| numbered(line)).count(), "{}: numbers skip", file.display());
        if code.is_empty() {
            continue;
        }
        let page = root().join("book/src").join(file.file_stem().unwrap()).with_extension("md");
        assert_eq!(code, on_page(&read(&page)), "{} and {}", file.display(), page.display());
        boxes += 1;
    }
    assert!(boxes > 0, "no algorithm has numbered steps");
}

/// The page of each algorithm defines every column of its progress.csv, and no other.
#[test]
fn every_figure_is_defined() {
    for algorithm in AlgorithmName::all() {
        let (page, table) = (algorithm.table(), runs::settings(algorithm, "TMaze-v0"));
        let steps = if algorithm.is_off_policy() { 2000 } else { 48 };
        let text = format!(
            "algorithm = \"{algorithm}\"\nestimator = \"{}\"\nsteps = {steps}\ndiagnostics = true\n\
             [env]\nname = \"TMaze-v0\"\n{table}[network]\nfeatures = 4\ncritic_features = 4\nhidden = 4\n\
             [evaluation]\nevery = 0\n",
            runs::usual(algorithm)
        );
        let experiment = Experiment::parse("boxes", &text, &[]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let (mut run, _) = Run::open(dir.path(), &experiment, Arc::new(Registry::new()), 1, 0.0).unwrap();
        while !run.advance(0.0, 0.0).unwrap().finished {}
        let progress = read(&dir.path().join("progress.csv"));
        // The maze's own figure stands for those of all environments.
        let header = progress.lines().next().unwrap().replace("rollout/success", "rollout/<figure>");
        let page = read(&root().join("book/src").join(page).with_extension("md"));
        let table =
            page.lines().skip_while(|line| *line != "| column | definition |").take_while(|line| line.starts_with('|'));
        let defined: Vec<&str> = table.filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        assert_eq!(header.split(',').collect::<Vec<_>>(), defined, "{algorithm}");
    }
}

/// The summary of the book names every page, and no other.
#[test]
fn the_summary_is_complete() {
    let src = root().join("book/src");
    let summary = read(&src.join("SUMMARY.md"));
    let mut named: Vec<&str> = summary.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    let pages = fs::read_dir(&src).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut pages: Vec<String> = pages.filter(|name| name.ends_with(".md") && name != "SUMMARY.md").collect();
    named.sort_unstable();
    pages.sort_unstable();
    assert_eq!(named, pages);
}

/// The test notices a changed word, a step too many, and steps that go on over two lines.
#[test]
fn a_difference_is_seen() {
    let code = "    // 1. Take\n    // a step.\n    let x = 1;\n    // Aside.\n    // 2. Rest.\n";
    assert_eq!(in_code(code), ["Take a step.", "Rest."]);
    let page = "## The box\n\nText.\n\n1. Take\n   a step.\n2. Rest.\n\n## Next\n3. Other.\n";
    assert_eq!(on_page(page), in_code(code));
    assert_ne!(on_page(&page.replace("Rest", "Sleep")), in_code(code));
    assert_ne!(on_page(&page.replace("## Next\n", "")), in_code(code));
}
