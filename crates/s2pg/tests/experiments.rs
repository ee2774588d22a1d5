//! Whatever an experiment says, the answer is an experiment or one sentence: random files and overrides go through the
//! parser and the checks. `S2PG_EXPERIMENTS` is the number of random experiments (20,000 if not set).

use std::fs;
use std::path::Path;

use s2pg::experiment::{Estimator, Experiment, tables};
use s2pg::{Rng, experiment::AlgorithmName};

/// Words of the implementation, which no user should have to read.
const INTERNAL: [&str; 21] = [
    "usize",
    "u64",
    "i64",
    "f64",
    "bool",
    "struct",
    "enum",
    "tuple",
    "variant",
    "invalid type",
    "invalid value",
    "missing field",
    "unknown field",
    "did not match",
    "untagged",
    "deserialize",
    "Option",
    "None",
    "Some",
    "serde",
    "panicked",
];

/// Every preset's text.
fn presets() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../presets");
    let mut texts = Vec::new();
    let mut folders: Vec<_> = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    for folder in folders {
        let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        texts.extend(files.iter().map(|file| fs::read_to_string(file).unwrap()));
    }
    assert!(texts.len() > 100, "there are presets");
    texts
}

struct Chance(Rng);

impl Chance {
    fn of<'a, T: ?Sized>(&mut self, among: &[&'a T]) -> &'a T {
        among[self.0.below(among.len())]
    }

    /// A string of any characters.
    fn noise(&mut self) -> String {
        const ODD: [char; 16] =
            ['\0', '\n', '\t', '\u{1b}', '"', '\'', '=', '.', '[', '}', '#', '\\', 'ü', '\u{202e}', '🦀', '\u{feff}'];
        let length = self.0.below(12);
        let any = |rng: &mut Rng| match rng.below(3) {
            0 => ODD[rng.below(ODD.len())],
            1 => char::from(b' ' + rng.below(95) as u8),
            _ => char::from_u32(rng.below(0x11_0000) as u32).unwrap_or('?'),
        };
        (0..length).map(|_| any(&mut self.0)).collect()
    }

    /// A value: of any type, of any size, right or wrong.
    fn value(&mut self) -> String {
        const VALUES: [&str; 66] = [
            "linear",
            "{ end = 0.0 }",
            "{ start = 1, warmup = 1e3 }",
            "{ start = -1, ends = 2 }",
            "0",
            "1",
            "2",
            "-1",
            "3",
            "7",
            "16",
            "100",
            "2000",
            "1e5",
            "1e3",
            "100000.0",
            "1_000",
            "+3",
            "-0",
            "-0.0",
            "0.5",
            ".5",
            "1.",
            "1e-3",
            "1e400",
            "1e18",
            "1e17",
            "9007199254740993",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551616",
            "99999999999999999999999",
            "-9223372036854775809",
            "0x7f",
            "0b11",
            "0o7",
            "nan",
            "-inf",
            "inf",
            "true",
            "false",
            "True",
            "yes",
            "\"true\"",
            "\"\"",
            "''",
            "2**20",
            "1M",
            "1,5",
            "1 2",
            "rs",
            "\"rs\"",
            "bptt:5",
            "bptt:full",
            "\"window:0\"",
            "window:1000000000000",
            "bptt:99999999999999999999",
            "\"state\"",
            "\"official\"",
            "[]",
            "[1, \"a\"]",
            "{}",
            "{ a = 1 }",
            "{ a = { b = [{ c = 1 }] } }",
            "2024-01-01",
            "\"\"\"a",
        ];
        match self.0.below(12) {
            0 => self.noise(),
            1 => format!("{:?}", self.noise()),
            2 => (self.0.normal() * 10f64.powi(self.0.below(40) as i32 - 20)).to_string(),
            3 => format!("\"{}\"", AlgorithmName::all()[self.0.below(AlgorithmName::all().len())]),
            4 => format!("\"{}\"", Estimator::ALL[self.0.below(Estimator::ALL.len())]),
            5 => "[".repeat(self.0.below(100)) + &"]".repeat(self.0.below(100)),
            _ => self.of(&VALUES).to_string(),
        }
    }

    /// A key: one that there is, one with a mistake in it, or none.
    fn key(&mut self) -> String {
        let tables = tables();
        let keys = &tables[self.0.below(tables.len())].keys;
        let path = keys[self.0.below(keys.len())].path.clone();
        match self.0.below(12) {
            0 => self.noise(),
            1 => path.replacen(self.of(&["a", "e", "s", "."]), self.of(&["", "x", "..", " "]), 1),
            2 => path.rsplit('.').next().unwrap().to_string(),
            3 => path + self.of(&[".x", "x", ".", " ", ".start", ".warmup"]),
            4 => self
                .of(&["ppo", "env", "sac", "switches", "env.sensors", "env.sensors.hide", "env.corridor"])
                .to_string(),
            5 => vec!["a"; self.0.below(120)].join("."),
            6 => "env.masses".into(),
            _ => path,
        }
    }

    /// The text of a preset, with mistakes.
    fn text(&mut self, presets: &[String]) -> String {
        let mut lines: Vec<String> =
            presets[self.0.below(presets.len())].lines().map(|line| line.to_string()).collect();
        for _ in 0..self.0.below(4) {
            let at = self.0.below(lines.len() + 1);
            match self.0.below(8) {
                0 if at < lines.len() => drop(lines.remove(at)),
                1 if at < lines.len() => lines[at] = self.noise(),
                2 if at < lines.len() => {
                    if let Some((key, _)) = lines[at].split_once('=') {
                        lines[at] = format!("{key}= {}", self.value());
                    }
                }
                3 => lines.insert(at, format!("[{}]", self.key())),
                4 => lines.insert(at, format!("[[{}]]", self.key())),
                5 => lines.insert(0, format!("{} = {}", self.key(), self.value())),
                _ => lines.insert(at, format!("{} = {}", self.key(), self.value())),
            }
        }
        lines.join(self.of(&["\n", "\n", "\n", "\r\n"])) + "\n"
    }

    /// Overrides, of which most are nearly right.
    fn overrides(&mut self) -> Vec<String> {
        let several = self.0.below(4);
        let any = |chance: &mut Self| match chance.0.below(12) {
            0 => chance.noise(),
            1 => chance.key(),
            2 => format!("{} = {}", chance.key(), chance.value()),
            _ => format!("{}={}", chance.key(), chance.value()),
        };
        (0..several).map(|_| any(self)).collect()
    }
}

/// What is wrong with a refusal, if anything is: it must be one line of words for people, and name a place.
fn fault(sentence: &str) -> Option<&'static str> {
    let place = sentence.strip_prefix("x.toml:").map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    let has_line = place.is_some_and(|rest| rest.starts_with(": ")) && !sentence.starts_with("x.toml: ");
    let has_key =
        tables().iter().flat_map(|table| &table.keys).any(|key| sentence.contains(&format!("`{}`", key.path)));
    if !(has_line || has_key || sentence.starts_with("override `")) {
        return Some("it names no place");
    }
    if sentence.chars().any(char::is_control) || sentence.len() > 1000 || sentence.ends_with([' ', ':', ';', ',']) {
        return Some("it is no sentence on one line");
    }
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let is_whole =
        |at: usize, word: &str| !sentence[..at].ends_with(is_part) && !sentence[at + word.len()..].starts_with(is_part);
    let is_said = |word: &&str| sentence.match_indices(*word).any(|(at, word)| is_whole(at, word));
    INTERNAL.iter().any(is_said).then_some("it has a word of the implementation")
}

/// A random experiment with random overrides is accepted or refused in one sentence that names a key or a line, without
/// words of the implementation; one that is accepted is the same after it was written out and read again.
#[test]
fn random_experiments_get_an_experiment_or_a_sentence() {
    let cases = std::env::var("S2PG_EXPERIMENTS").map_or(20_000, |text| text.parse().expect("a number"));
    let presets = presets();
    let (mut accepted, mut faults) = (0, Vec::new());
    for case in 0..cases {
        let mut chance = Chance(Rng::new(case, "experiments"));
        let (text, overrides) = (chance.text(&presets), chance.overrides());
        match Experiment::parse("x.toml", &text, &overrides) {
            Ok(experiment) => {
                experiment.schedule();
                experiment.deviations();
                let (whole, keys) = (experiment.to_toml(), experiment.keys());
                let again =
                    Experiment::parse("again.toml", &whole, &[]).unwrap_or_else(|e| panic!("{case}: {e}\n{whole}"));
                assert_eq!((again.to_toml(), again.keys()), (whole, keys), "case {case}: {overrides:?}\n{text}");
                accepted += 1;
            }
            Err(e) => {
                let sentence = e.to_string();
                faults.extend(fault(&sentence).map(|fault| format!("case {case}: {fault}: {sentence}")));
            }
        }
    }
    assert!(faults.is_empty(), "{} faults, such as\n{}", faults.len(), faults[..faults.len().min(9)].join("\n"));
    let share = 100.0 * accepted as f64 / cases as f64;
    println!("{cases} random experiments: {accepted} accepted ({share:.1} %), each other refused in one sentence");
    assert!(share > 5.0, "hardly any experiment is accepted");
}
