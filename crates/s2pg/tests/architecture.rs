//! Nothing depends on what it must not: the rules about who may use what, read from the source text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// One source file: its path below `crates/`, and its text without comments and without its unit tests.
struct Source {
    path: String,
    text: String,
    lines: usize,
}

/// Every source file of a crate.
fn sources(krate: &str) -> Vec<Source> {
    fn collect(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    collect(&crates.join(krate).join("src"), &mut found);
    found.sort();
    let read = |path: PathBuf| {
        let whole = fs::read_to_string(&path).unwrap();
        let code = whole.split("#[cfg(test)]\nmod ").next().unwrap();
        let text = code.lines().map(|line| without_comment(line).to_string() + "\n").collect();
        let path = path.strip_prefix(&crates).unwrap().to_string_lossy().replace('\\', "/");
        Source { path, text, lines: whole.lines().count() }
    };
    let sources: Vec<Source> = found.into_iter().map(read).collect();
    assert!(sources.len() > 2, "{krate} has sources");
    sources
}

/// A line up to its comment; `//` inside of a string is no comment.
fn without_comment(line: &str) -> &str {
    let starts = line.match_indices("//").map(|(i, _)| i);
    starts.into_iter().find(|&i| line[..i].matches('"').count().is_multiple_of(2)).map_or(line, |i| &line[..i])
}

/// A text without what stands between quotation marks on one line.
fn without_strings(text: &str) -> String {
    let line = |line: &str| line.split('"').step_by(2).collect::<Vec<_>>().join(" ") + "\n";
    text.lines().map(line).collect()
}

/// The modules of this crate that a text names: `crate::nn::Tensor` and `crate::{nn, rng::Rng}` name `nn` and `rng`.
fn modules_named(text: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut named = Vec::new();
    for (i, _) in text.match_indices("crate::") {
        let rest = text[i + "crate::".len()..].trim_start();
        match rest.strip_prefix('{') {
            Some(group) => {
                let mut depth = 0;
                let mut start = true;
                for (j, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && !c.is_whitespace() => {
                            named.push(word(&group[j..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
            None => named.push(word(rest)),
        }
    }
    named
}

/// The parser of `use` lines finds modules in paths, groups, macros and expressions.
#[test]
fn modules_are_found() {
    assert_eq!(modules_named("use crate::nn::Tensor;\nx(crate::state::Data::U8(y))"), ["nn", "state"]);
    assert_eq!(modules_named("use crate::{nn::{Adam, Tensor}, rng::Rng,\n    env};"), ["nn", "rng", "env"]);
    assert_eq!(modules_named("$crate::nn::kernels::ARCH"), ["nn"]);
    assert_eq!(without_comment("let x = \"http://a\"; // crate::env"), "let x = \"http://a\"; ");
}

/// Inside the library: results -> run -> experiment -> train -> algo -> plan -> data -> policy -> nn, and from train
/// and plan to env; `rng` and `state` are below all, and env is a leaf.
#[test]
fn modules_use_only_what_is_below_them() {
    const ORDER: [&str; 12] =
        ["results", "run", "experiment", "train", "algo", "plan", "data", "policy", "nn", "env", "rng", "state"];
    let below = |module: &str| -> Vec<&str> {
        let at = ORDER.iter().position(|m| *m == module);
        match module {
            "lib" => [&ORDER[..], &["theory"]].concat(),
            // It may use all but what is about experiments and runs.
            "theory" => [&ORDER[4..], &["theory"]].concat(),
            "algo" | "data" | "policy" | "nn" => ORDER[at.unwrap()..].iter().copied().filter(|m| *m != "env").collect(),
            "rng" => vec!["state"],
            _ => ORDER[at.unwrap_or_else(|| panic!("the module {module} has no place in the order: give it one"))..]
                .into(),
        }
    };
    let mut uses = 0;
    for Source { path, text, .. } in sources("s2pg") {
        let inside = path.strip_prefix("s2pg/src/").unwrap();
        let module = inside.split(['/', '.']).next().unwrap();
        for named in modules_named(&text) {
            // What the crate re-exports at its root has the module's own name below it; theory is beside the order.
            assert!(below(module).contains(&named.as_str()), "{path}: {module} may not use crate::{named}");
            uses += 1;
        }
        assert!(!text.contains("super::super"), "{path}: name the module from the crate's root");
    }
    assert!(uses > 60, "{uses} uses were read");
    println!("{uses} uses of modules, all downwards");
}

/// The paths of a `use`: `a::{b, c::{D, self}}` is a::b, a::c::D and a::c.
fn paths(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((head, rest)) = tree.split_once('{') else {
        return vec![tree.split(" as ").next().unwrap().trim_end_matches("::self").to_string()];
    };
    let inner = rest.rsplit_once('}').unwrap_or_else(|| panic!("an open brace in {tree}")).0;
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for c in inner.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if c == ',' && depth == 0 { parts.push(String::new()) } else { parts.last_mut().unwrap().push(c) }
    }
    let parts = parts.into_iter().filter(|part| !part.trim().is_empty());
    parts
        .flat_map(|part| paths(&part))
        .map(|path| format!("{head}{path}").trim_end_matches("::self").to_string())
        .collect()
}

/// Every `use` of a text: whether it is public, and its paths.
fn uses(text: &str) -> Vec<(bool, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("use ") {
        let line = rest[..at].rsplit('\n').next().unwrap().trim();
        let end = at + rest[at..].find(';').unwrap_or(rest.len() - at);
        if line.is_empty() || line.starts_with("pub") {
            found.extend(paths(&rest[at + 4..end]).into_iter().map(|path| (!line.is_empty(), path)));
        }
        rest = &rest[end..];
    }
    found
}

/// The files of the library that each file imports from, re-exports followed to where they lead.
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let sources = sources("s2pg");
    let name = |path: &str| path.strip_prefix("s2pg/src/").unwrap().to_string();
    let files: BTreeSet<String> = sources.iter().map(|s| name(&s.path)).collect();
    // The module of a file, and the file of a module.
    let module = |file: &str| -> Vec<String> {
        let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
        if path == "lib" { Vec::new() } else { path.split('/').map(String::from).collect() }
    };
    let file = |module: &[String]| -> Option<String> {
        let path = module.join("/");
        let names = [format!("{path}.rs"), format!("{path}/mod.rs"), "lib.rs".to_string()];
        names.into_iter().find(|name| files.contains(name) && (name != "lib.rs" || module.is_empty()))
    };
    let absolute = |of: &str, path: &str| -> Option<Vec<String>> {
        let mut at = module(of);
        let mut parts = path.split("::").map(|part| part.trim().to_string()).peekable();
        match parts.peek().map(String::as_str) {
            Some("crate") => at.clear(),
            Some("super") => {
                at.pop();
            }
            Some("self") => {}
            Some(child) if of.ends_with("mod.rs") || of == "lib.rs" => {
                let mut below = at.clone();
                below.push(child.to_string());
                file(&below)?;
                at = below;
            }
            _ => return None,
        }
        parts.next();
        at.extend(parts);
        Some(at)
    };
    // Where a re-exported name lives.
    let mut lives: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
    for Source { path, text, .. } in &sources {
        let of = name(path);
        for (_, path) in uses(text).into_iter().filter(|(public, _)| *public) {
            if let Some(target) = absolute(&of, &path) {
                let mut at = module(&of);
                at.push(target.last().unwrap().clone());
                lives.insert(at, target);
            }
        }
    }
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for Source { path, text, .. } in &sources {
        let of = name(path);
        for (_, path) in uses(text).into_iter().filter(|(public, _)| !public) {
            let Some(mut target) = absolute(&of, &path) else { continue };
            while let Some(home) = lives.get(&target) {
                target = home.clone();
            }
            let found = (0..=target.len()).rev().find_map(|n| file(&target[..n])).unwrap();
            if found != of {
                imports.entry(of.clone()).or_default().insert(found);
            }
        }
    }
    imports
}

/// A `use` is taken apart as the compiler does it.
#[test]
fn uses_are_found() {
    let text = "use a::{b, c::{D, self}};\n    pub use x::Y as Z;\nlet used = 1;\nuse crate::nn;\n";
    let found = [(false, "a::b"), (false, "a::c::D"), (false, "a::c"), (true, "x::Y"), (false, "crate::nn")];
    assert_eq!(uses(text), found.map(|(public, path)| (public, path.to_string())));
    let of_trainer = &imports()["train/trainer.rs"];
    assert!(
        ["train/player.rs", "data/transition.rs", "rng.rs"].iter().all(|f| of_trainer.contains(*f)),
        "{of_trainer:?}"
    );
}

/// No two files of the library import each other, but for a tensor and the operations that make one.
#[test]
fn no_two_files_import_each_other() {
    let imports = imports();
    let mut mutual = Vec::new();
    for (a, of_a) in &imports {
        for b in of_a.iter().filter(|b| a < b && imports.get(*b).is_some_and(|of_b| of_b.contains(a))) {
            let recursion = |file: &str| file == "nn/tensor.rs" || file == "nn/graph.rs" || file.starts_with("nn/ops/");
            if !(recursion(a) && recursion(b)) {
                mutual.push(format!("{a} and {b}"));
            }
        }
    }
    assert_eq!(mutual, NONE);
    println!("{} imports between files, none both ways", imports.values().map(BTreeSet::len).sum::<usize>());
}

/// Where `words` occur, as whole words, outside of the files and directories `allowed`.
fn occurrences(sources: &[Source], words: &[&str], allowed: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for Source { path, text, .. } in sources.iter().filter(|s| !allowed.iter().any(|a| s.path.starts_with(a))) {
        for (i, line) in text.lines().enumerate() {
            for word in words {
                let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
                let whole = line.match_indices(word).any(|(at, _)| {
                    !is_part(line[..at].chars().last()) && !is_part(line[at + word.len()..].chars().next())
                });
                if whole {
                    found.push(format!("{path}:{}: {word}", i + 1));
                }
            }
        }
    }
    found
}

const NONE: [&str; 0] = [];

/// An algorithm knows no environment, no loop, no file, no clock, and no kind of memory, neither by its name nor by
/// asking for what only one kind has; its file has at most 300 lines.
#[test]
fn an_algorithm_is_its_box() {
    let algorithms: Vec<Source> =
        sources("s2pg").into_iter().filter(|s| s.path.starts_with("s2pg/src/algo/")).collect();
    let words =
        ["Memory", "fs", "io", "path", "time", "Path", "File", "Env", "EnvSpec", "VecEnv", "Checkpoints", "log"];
    assert_eq!(occurrences(&algorithms, &words, &[]), NONE);
    let proxies = ["memory", "Stochastic", "Bptt", "Window", "WHOLE", "When", "Estimator", "z_size", "is_recurrent"];
    assert_eq!(occurrences(&algorithms, &proxies, &[]), NONE);
    for Source { path, lines, .. } in &algorithms {
        assert!(*lines <= 300, "{path} has {lines} lines");
    }
}

/// An algorithm is one file and its lines in the registry: no other source of the library, of the lab or of the command
/// line names it, but for the benchmark, and for an algorithm that is composed of it.
#[test]
fn an_algorithm_is_named_in_two_files() {
    let sources = ["s2pg", "s2pg-lab", "s2pg-cli"].map(sources);
    let registry = sources[0].iter().find(|s| s.path == "s2pg/src/algo/mod.rs").unwrap();
    let list = registry.text.split("$then! {").nth(1).and_then(|rest| rest.split('}').next()).unwrap();
    let modules: Vec<&str> = list.split(',').map(str::trim).collect();
    assert!(modules.len() >= 5, "{modules:?}");
    for module in &modules {
        let mut named: Vec<&str> = Vec::new();
        for Source { path, text, .. } in sources.iter().flatten().filter(|s| !s.path.starts_with("s2pg-cli/src/bench/"))
        {
            let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
            let code = without_strings(text).to_lowercase();
            let is_named = code.match_indices(module).any(|(at, _)| {
                !is_part(code[..at].chars().last()) && !is_part(code[at + module.len()..].chars().next())
            });
            let is_other = modules.iter().any(|m| m != module && *path == format!("s2pg/src/algo/{m}.rs"));
            if is_named && !is_other {
                named.push(path);
            }
        }
        let mut own = ["s2pg/src/algo/mod.rs".to_string(), format!("s2pg/src/algo/{module}.rs")];
        own.sort();
        assert_eq!(named, own, "{module}");
    }
    println!("{} modules of algorithms, each named in 2 files of the sources", modules.len());
}

/// The library prints nothing, ends no process, reads no clock, opens no connection, has no generator but the one that
/// is passed in, and no table whose order is another one in every process.
#[test]
fn the_library_is_silent_and_repeatable() {
    let words = [
        "println!",
        "eprintln!",
        "print!",
        "eprint!",
        "dbg!",
        "std::process",
        "SystemTime",
        "Instant",
        "thread_rng",
        "OsRng",
        "getrandom",
        "from_entropy",
        "std::net",
        "TcpStream",
        "UdpSocket",
        "HashMap",
        "HashSet",
        "RandomState",
        "env::var",
        "env::args",
        "todo!",
        "unimplemented!",
    ];
    assert_eq!(occurrences(&sources("s2pg"), &words, &[]), NONE);
    // The simulator's bindings may print and end the process where C leaves no other way.
    let words = ["SystemTime", "Instant", "thread_rng", "OsRng", "HashMap", "HashSet", "RandomState", "dbg!"];
    assert_eq!(occurrences(&sources("s2pg-mujoco"), &words, &[]), NONE);
}

/// Threads talk through channels and scopes: locks and atomic numbers are nowhere but in the environments' threads, the
/// networks' pool of workers, and the flag that a signal sets.
#[test]
fn no_hand_made_concurrency() {
    let words = ["Mutex", "RwLock", "Condvar", "Barrier", "static mut", "UnsafeCell"];
    let atomics: Vec<String> =
        ["Bool", "Usize", "U8", "U32", "U64", "I32", "I64", "Isize", "Ptr"].map(|kind| format!("Atomic{kind}")).into();
    let words: Vec<&str> = words.into_iter().chain(atomics.iter().map(String::as_str)).collect();
    let allowed = ["s2pg/src/env/vec.rs", "s2pg/src/nn/pool.rs", "s2pg-cli/src/signals.rs"];
    let mut with = 0;
    for krate in ["s2pg", "s2pg-mujoco", "s2pg-lab", "s2pg-cli"] {
        let sources = sources(krate);
        assert_eq!(occurrences(&sources, &words, &allowed), NONE);
        let synchronised =
            |s: &&Source| !occurrences(&[Source { path: String::new(), ..copy(s) }], &words, &[]).is_empty();
        with += sources.iter().filter(synchronised).count();
    }
    println!("{with} files with synchronisation");
}

fn copy(s: &Source) -> Source {
    Source { path: s.path.clone(), text: s.text.clone(), lines: s.lines }
}

/// `unsafe` is nowhere but at the one call of the matrix product and in the bindings of the simulator.
#[test]
fn unsafe_is_in_one_place() {
    let found = ["s2pg", "s2pg-lab", "s2pg-cli"].map(|krate| occurrences(&sources(krate), &["unsafe"], &[])).concat();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("s2pg/src/nn/kernels.rs:"), "{found:?}");
    println!("unsafe outside of the bindings: {}", found[0]);
}

/// The text between a brace and its partner.
fn body(text: &str) -> &str {
    let open = text.find('{').unwrap();
    let mut depth = 0;
    for (i, c) in text[open..].char_indices() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if depth == 0 {
            return &text[open + 1..open + i];
        }
    }
    panic!("an open brace");
}

/// State cannot be forgotten: every `visit` of a structure takes it apart without `..`.
#[test]
fn a_visit_forgets_no_field() {
    let (mut visits, mut skipped) = (0, 0);
    for Source { path, text, .. } in [sources("s2pg"), sources("s2pg-mujoco")].into_iter().flatten() {
        for (i, signature) in text.match_indices("fn visit(&mut self, v: &mut dyn Visitor)") {
            let rest = &text[i + signature.len()..];
            if rest.trim_start().starts_with(';') {
                continue;
            }
            let body = body(rest);
            for (at, _) in body.match_indices("..") {
                let next = body[at + 2..].trim_start();
                assert!(!next.starts_with('}'), "{path}: a visit skips fields with `..`: {}", body.trim());
            }
            // A list has no fields, and the one field of `Parameters` is behind a shared pointer.
            let has_fields =
                ["State for Vec<T> {", "State for Parameters<T> {"].iter().all(|s| !text[..i].trim_end().ends_with(s));
            assert!(body.contains("let Self") || !has_fields, "{path}: a visit takes no `Self` apart: {}", body.trim());
            skipped += body.matches(": _").count();
            visits += 1;
        }
    }
    assert!(visits > 10, "{visits} visits were read");
    println!("{visits} visits, {skipped} fields skipped with `_`");
}

/// The simulator knows no algorithm, and of data only the archives that hold demonstrations; no binary's mathematics
/// hides in the command line.
#[test]
fn crates_know_their_place() {
    let words = ["algo", "policy", "data", "train", "nn", "theory"].map(|m| format!("s2pg::{m}"));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let demos = "s2pg-mujoco/src/loco/demos.rs";
    assert_eq!(occurrences(&sources("s2pg-mujoco"), &words, &[demos]), NONE);
    let source = sources("s2pg-mujoco").into_iter().find(|source| source.path == demos).unwrap();
    let paths: Vec<String> = uses(&source.text).into_iter().map(|(_, path)| path).collect();
    let allowed = ["s2pg::data::npz", "s2pg::env", "s2pg::rng"];
    let ours = |path: &&String| path.starts_with("s2pg::") && !allowed.iter().any(|a| path.starts_with(a));
    assert_eq!((paths.is_empty(), paths.iter().find(ours)), (false, None));
    let words = ["s2pg::algo", "s2pg::data", "s2pg::nn", "s2pg::policy"];
    assert_eq!(occurrences(&sources("s2pg-cli"), &words, &["s2pg-cli/src/bench"]), NONE);
    let words = ["s2pg::algo", "s2pg::data", "s2pg::nn"];
    assert_eq!(occurrences(&sources("s2pg-lab"), &words, &[]), NONE);
    // The lab serves front ends: it touches no terminal, no arguments, no clock and no signal.
    let words = ["println!", "eprintln!", "print!", "eprint!", "clap", "anyhow", "indicatif", "signal_hook", "Instant"];
    assert_eq!(occurrences(&sources("s2pg-lab"), &words, &[]), NONE);
}

/// Kernels are called from operations only: nothing else in the library names them, or the libraries below them, and
/// the reverse pass names no operation.
#[test]
fn kernels_are_called_from_operations_only() {
    let sources = sources("s2pg");
    let declared = ["s2pg/src/nn/mod.rs", "s2pg/src/nn/kernels.rs", "s2pg/src/nn/ops/"];
    assert_eq!(occurrences(&sources, &["kernels"], &declared), NONE);
    let module = sources.iter().find(|s| s.path == declared[0]).unwrap();
    let lines: Vec<&str> = module.text.lines().filter(|line| line.contains("kernels")).collect();
    assert_eq!(lines, ["mod kernels;"], "{} declares the kernels and says nothing else of them", module.path);
    assert_eq!(occurrences(&sources, &["gemm", "pulp"], &["s2pg/src/nn/kernels.rs"]), NONE);

    let operations: Vec<&str> = sources
        .iter()
        .filter_map(|s| s.path.strip_prefix("s2pg/src/nn/ops/")?.strip_suffix(".rs"))
        .filter(|name| !name.contains('/') && !["mod", "operation", "flat"].contains(name))
        .collect();
    assert!(operations.len() > 10, "{operations:?}");
    let graph: Vec<Source> = sources.iter().filter(|s| s.path == "s2pg/src/nn/graph.rs").map(copy).collect();
    assert_eq!(graph.len(), 1);
    let words: Vec<String> = operations.iter().map(|name| format!("ops::{name}")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).chain(["Op", "super::ops::{"]).collect();
    assert_eq!(occurrences(&graph, &words, &[]), NONE);
    println!("{} operations; the reverse pass names none", operations.len());
}

/// Every Rust file of the workspace, its path below `crates/` with its text.
fn rust_files() -> Vec<(String, String)> {
    fn collect(path: PathBuf, found: &mut Vec<PathBuf>) {
        if path.is_dir() {
            fs::read_dir(path).unwrap().for_each(|entry| collect(entry.unwrap().path(), found));
        } else if path.is_file() && path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for krate in fs::read_dir(&crates).unwrap().map(|entry| entry.unwrap().path()) {
        ["src", "tests", "examples", "build.rs"].iter().for_each(|part| collect(krate.join(part), &mut found));
    }
    found.sort();
    let name = |path: &Path| path.strip_prefix(&crates).unwrap().to_string_lossy().replace('\\', "/");
    found.into_iter().map(|path| (name(&path), fs::read_to_string(&path).unwrap())).collect()
}

/// The lines with a comment that are longer than 120 columns, and the lines of comment paragraphs that end early: the
/// first word of the next line would have fitted, and the line ends no sentence. Code, tables, lists and headings are
/// no paragraphs.
fn badly_wrapped(text: &str) -> Vec<String> {
    const WIDTH: usize = 120;
    let mut found = Vec::new();
    let (mut is_code, mut is_list) = (false, false);
    // The line before, where it belongs to a paragraph of comments of this indentation and kind.
    let mut before: Option<(&str, &str)> = None;
    let mut block = None;
    for (i, line) in text.lines().enumerate() {
        if line.chars().count() > WIDTH && without_comment(line) != line {
            found.push(format!("{}: {} columns", i + 1, line.chars().count()));
        }
        let start = line.trim_start();
        let kind = ["///", "//!", "//"].into_iter().find(|kind| start.starts_with(kind));
        let indented = &line[..line.len() - start.len()];
        let words = kind.map_or("", |kind| start[kind.len()..].trim());
        if block != Some((indented, kind)) {
            (block, before, is_code, is_list) = (Some((indented, kind)), None, false, false);
        }
        let number = words.split_once(". ").is_some_and(|(n, _)| n.parse::<u32>().is_ok());
        is_list = !words.is_empty() && (is_list || number || ["- ", "* "].iter().any(|mark| words.starts_with(mark)));
        let is_fence = words.starts_with("```");
        is_code ^= is_fence;
        let is_prose = !words.is_empty() && !is_list && !is_code && !is_fence && !words.starts_with(['|', '#']);
        if kind.is_none() || !is_prose {
            before = None;
            continue;
        }
        let first = words.split_whitespace().next().unwrap();
        if let Some((line, words)) = before
            && !words.ends_with(['.', ':', ';', '?', '!'])
            && line.trim_end().chars().count() + 1 + first.chars().count() <= WIDTH
        {
            found.push(format!("{i}: `{first}` of the next line fits"));
        }
        before = Some((line, words));
    }
    found
}

/// A line that is too long or ends early is seen; code, tables, lists, headings and other comments are not paragraphs.
#[test]
fn bad_wrapping_is_seen() {
    let long = "x".repeat(110);
    assert_eq!(badly_wrapped(&format!("// {long}\n// {long}\n")), [""; 0]);
    assert_eq!(badly_wrapped(&format!("let x = 1; // {long}\n")), ["1: 124 columns"]);
    assert_eq!(badly_wrapped("/// A line\n/// that ends early.\n"), ["1: `that` of the next line fits"]);
    assert_eq!(badly_wrapped("/// A sentence.\n/// Another.\n"), [""; 0]);
    assert_eq!(badly_wrapped("//! ```text\n//! a\n//! b\n//! ```\n//! # Title\n//! | a |\n//! | b |\n"), [""; 0]);
    assert_eq!(badly_wrapped("//! - a\n//!   b\n// c\n/// d\n"), [""; 0]);
    assert_eq!(badly_wrapped("//! - a\n//!\n//! b\n//! c\n"), ["3: `c` of the next line fits"]);
}

/// No comment in a Rust file goes beyond 120 columns, and paragraphs of comments are filled.
#[test]
fn comments_are_wrapped() {
    let files = rust_files();
    let complaints: Vec<String> = files
        .iter()
        .flat_map(|(path, text)| badly_wrapped(text).into_iter().map(move |complaint| format!("{path}:{complaint}")))
        .collect();
    assert!(files.len() > 100, "{} files were read", files.len());
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
