//! Runs side by side: a figure of returns against steps and against time, and a table.

mod figure;
mod groups;
mod table;

use std::path::{Path, PathBuf};

use s2pg::Rng;
use s2pg::results::ReadError;
use s2pg::results::statistics::{Estimate, bootstrap, mean};

pub use groups::{Group, groups};

use crate::pictures::Canvas;

/// A comparison of runs.
#[derive(Clone, Debug)]
pub struct Report {
    /// Runs that differ only in their seed are one group.
    pub groups: Vec<Group>,
    /// The title of the figure.
    pub title: String,
}

impl Report {
    /// Reads the runs in these directories. The title is "Training return" unless another one is given.
    pub fn of<P: AsRef<Path>>(runs: &[P], title: Option<&str>) -> Result<Self, ReadError> {
        Ok(Self { groups: groups(runs)?, title: title.unwrap_or("Training return").into() })
    }

    /// The figure: training returns against environment steps, and against the time that they took.
    pub fn figure(&self) -> Canvas {
        figure::figure(&self.title, &self.groups)
    }

    /// The table of final values, in Markdown.
    pub fn table(&self) -> String {
        table::table(&self.groups)
    }

    /// Writes report.svg, report.png and report.md into a directory, which is made where there is none. Returns the
    /// paths; an error comes with the path that could not be written.
    pub fn write(&self, dir: &Path) -> Result<Vec<PathBuf>, (PathBuf, std::io::Error)> {
        std::fs::create_dir_all(dir).map_err(|e| (dir.to_path_buf(), e))?;
        let (figure, title) = (self.figure(), &self.title);
        let page = format!("# {title}\n\n![{title}](report.svg)\n\n{}", self.table());
        let files =
            [("report.svg", figure.svg().into_bytes()), ("report.png", figure.png()), ("report.md", page.into_bytes())];
        let write = |(name, bytes): (&str, Vec<u8>)| {
            let path = dir.join(name);
            std::fs::write(&path, bytes).map_err(|e| (path.clone(), e))?;
            Ok(path)
        };
        files.into_iter().map(write).collect()
    }
}

/// The mean over seeds with its 95 % interval.
fn interval(values: &[f64]) -> Estimate {
    bootstrap(&[values], mean, 2000, &mut Rng::new(0, "report"))
}
