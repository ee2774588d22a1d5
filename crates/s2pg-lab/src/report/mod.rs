//! Runs side by side: a figure of returns against steps and against time, and a table, for each environment.

mod figure;
mod groups;
mod page;
mod sheet;
mod table;

use std::path::{Path, PathBuf};

use s2pg::Rng;
use s2pg::results::ReadError;
use s2pg::results::statistics::{Estimate, bootstrap, mean};

pub use groups::{Group, Summary, groups};
pub use sheet::Table;

use crate::numbers::{count, duration};
use crate::pictures::Canvas;

/// A comparison of runs.
#[derive(Clone, Debug)]
pub struct Report {
    /// Runs that differ only in their seed are one group.
    pub groups: Vec<Group>,
    /// What was left out, each in a sentence.
    pub notes: Vec<String>,
    /// The title of the figure, beside which the environment stands.
    pub title: String,
    /// Tables that stand before those of the runs.
    pub tables: Vec<Table>,
}

/// A line of a report.md without a picture, by which it is known.
const MARK: &str = "<!-- a report of s2pg -->";

impl Report {
    /// Reads the runs in these directories. The title is "Training return" unless another one is given.
    pub fn of<P: AsRef<Path>>(runs: &[P], title: Option<&str>) -> Result<Self, ReadError> {
        let (groups, notes) = groups(runs)?;
        Ok(Self { groups, notes, title: title.unwrap_or("Training return").into(), tables: Vec::new() })
    }

    /// The environments in the order of their first runs, each with its groups.
    fn environments(&self) -> Vec<(&str, Vec<&Group>)> {
        let mut found: Vec<(&str, Vec<&Group>)> = Vec::new();
        for group in &self.groups {
            let name = group.experiment.env.name.as_str();
            match found.iter_mut().find(|(known, _)| *known == name) {
                Some((_, groups)) => groups.push(group),
                None => found.push((name, vec![group])),
            }
        }
        found
    }

    /// The figure: training returns against environment steps, and against the time that they took; two panels for each
    /// environment, and a line that says what lines and bands are.
    pub fn figure(&self) -> Canvas {
        figure::figure(&self.title, &self.environments())
    }

    /// The tables of final values, in Markdown, one for each environment, and what was left out.
    pub fn table(&self) -> String {
        let notes: String = self.notes.iter().map(|note| format!("\n{note}\n")).collect();
        table::table(&self.environments()) + &notes
    }

    /// Refuses, in one sentence, a place for a report that is no directory, or that holds a report.md of another make,
    /// which would be overwritten.
    pub fn check_directory(dir: &Path) -> Result<(), String> {
        if dir.exists() && !dir.is_dir() {
            return Err(format!("{} is a file; choose a directory for the report", dir.display()));
        }
        let page = dir.join("report.md");
        let is_ours = |text: Vec<u8>| {
            let text = String::from_utf8_lossy(&text);
            text.contains("](report.svg)") || text.contains(MARK)
        };
        if page.exists() && !std::fs::read(&page).is_ok_and(is_ours) {
            return Err(format!(
                "{} is no report of this program, and would be overwritten; choose another directory",
                page.display()
            ));
        }
        Ok(())
    }

    /// The report as one page of HTML, which needs no network and no other file.
    pub fn page(&self) -> String {
        let seconds: f64 = self.groups.iter().flat_map(|g| &g.curves).filter_map(|c| c.seconds.last()).sum();
        let runs = self.groups.iter().map(|group| group.curves.len()).sum();
        let provenance = [
            ("program", format!("s2pg {}", env!("CARGO_PKG_VERSION"))),
            ("processor", processor().unwrap_or_else(|| "not told by the system".into())),
            ("runs", count(runs, "run")),
            ("time of all runs together", duration(seconds)),
        ];
        page::page(self, &provenance.map(|(what, how)| (what.into(), how)))
    }

    /// Writes report.svg, report.png, report.md and report.html into a directory, which is made where there is none; no
    /// pictures where there are no runs. Returns the paths; an error comes with the path that could not be written.
    pub fn write(&self, dir: &Path) -> Result<Vec<PathBuf>, (PathBuf, std::io::Error)> {
        std::fs::create_dir_all(dir).map_err(|e| (dir.to_path_buf(), e))?;
        let title = &self.title;
        let tables: String = self.tables.iter().map(|table| table.markdown() + "\n").collect();
        let mut files = Vec::new();
        let mut picture = format!("{MARK}\n\n");
        if !self.groups.is_empty() {
            let figure = self.figure();
            files.extend([("report.svg", figure.svg().into_bytes()), ("report.png", figure.png())]);
            picture = format!("![{title}](report.svg)\n\n");
        }
        let page = format!("# {title}\n\n{tables}{picture}{}", self.table());
        files.extend([("report.md", page.into_bytes()), ("report.html", self.page().into_bytes())]);
        let write = |(name, bytes): (&str, Vec<u8>)| {
            let path = dir.join(name);
            std::fs::write(&path, bytes).map_err(|e| (path.clone(), e))?;
            Ok(path)
        };
        files.into_iter().map(write).collect()
    }
}

/// The name of the processor, where the system tells it.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_string())
}

/// The mean over seeds with its 95 % interval.
fn interval(values: &[f64]) -> Estimate {
    bootstrap(&[values], mean, 2000, &mut Rng::new(0, "report"))
}
