//! CSV files that grow by rows, and go back to what they were at a checkpoint.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// A CSV file that is being written; its columns are fixed by the first row.
#[derive(Debug)]
pub struct Table {
    path: PathBuf,
    file: File,
    columns: Vec<String>,
    length: u64,
    /// Rows that a full disk has refused.
    pending: Vec<u8>,
}

impl Table {
    /// Opens or creates the file `path` and cuts it to its first `length` bytes. A shorter file is an error.
    pub fn open(path: &Path, length: u64) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(naming(path))?;
        let present = file.metadata().map_err(naming(path))?.len();
        if present < length {
            let what = format!("it has {present} bytes, the checkpoint knows of {length}: rows were lost");
            return Err(io::Error::other(format!("{}: {what}", path.display())));
        }
        file.set_len(length).map_err(naming(path))?;
        let mut text = String::new();
        (&file).read_to_string(&mut text).map_err(naming(path))?;
        let columns = text.lines().next().map_or(Vec::new(), |line| line.split(',').map(str::to_string).collect());
        Ok(Self { path: path.into(), file, columns, length, pending: Vec::new() })
    }

    /// Returns the length of the file in bytes after the next [`sync`](Self::sync), which is always the end of a row.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Appends a row; the first row names the columns. A NaN becomes an empty cell. After an error the row is kept, and
    /// written with the next row or by [`sync`](Self::sync).
    pub fn row<'a>(&mut self, cells: impl IntoIterator<Item = (&'a str, f64)>) -> io::Result<()> {
        let (names, values): (Vec<&str>, Vec<f64>) = cells.into_iter().unzip();
        let mut text = String::new();
        if self.columns.is_empty() {
            self.columns = names.iter().map(|n| n.to_string()).collect();
            text = names.join(",") + "\n";
        }
        assert_eq!(self.columns, names, "{}: the columns of a table do not change", self.path.display());
        let cells: Vec<String> =
            values.iter().map(|x| if x.is_nan() { String::new() } else { x.to_string() }).collect();
        text += &cells.join(",");
        text.push('\n');
        self.length += text.len() as u64;
        self.pending.extend(text.into_bytes());
        self.flush()
    }

    /// Returns when every row is on the disk.
    pub fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        self.file.sync_data().map_err(naming(&self.path))
    }

    fn flush(&mut self) -> io::Result<()> {
        // A refused row may be half written: the file is cut back to whole rows.
        let written = self.length - self.pending.len() as u64;
        let done = self.file.set_len(written).and_then(|()| self.file.write_all(&self.pending));
        if done.is_err() {
            let _ = self.file.set_len(written);
        } else {
            self.pending.clear();
        }
        done.map_err(naming(&self.path))
    }
}

fn naming(path: &Path) -> impl Fn(io::Error) -> io::Error + '_ {
    move |e| io::Error::new(e.kind(), format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table that is reopened at an earlier length goes on from that length.
    #[test]
    fn goes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        let mut table = Table::open(&path, 0).unwrap();
        table.row([("a", 1.0), ("b", f64::NAN)]).unwrap();
        let length = table.length();
        table.row([("a", 2.0), ("b", 0.1)]).unwrap();
        let mut table = Table::open(&path, length).unwrap();
        table.row([("a", 3.0), ("b", 0.25)]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a,b\n1,\n3,0.25\n");
        assert!(Table::open(&path, 1000).unwrap_err().to_string().contains("rows were lost"));
    }

    /// A row that the disk refuses is not lost: it is written with the next row, or by `sync`.
    #[test]
    fn a_refused_row_is_written_later() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        let mut table = Table::open(&path, 0).unwrap();
        table.row([("a", 1.0)]).unwrap();
        let sound = std::mem::replace(&mut table.file, File::open(&path).unwrap());
        assert!(table.row([("a", 2.0)]).is_err() && table.row([("a", 3.0)]).is_err() && table.sync().is_err());
        assert_eq!((std::fs::read_to_string(&path).unwrap().as_str(), table.length()), ("a\n1\n", 8));
        table.file = sound;
        table.sync().unwrap();
        table.row([("a", 4.0)]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\n1\n2\n3\n4\n");
    }
}
