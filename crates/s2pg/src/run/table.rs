//! CSV files that grow by rows, and go back to what they were at a checkpoint.

use std::io;
use std::path::Path;

use super::log::Log;

/// A CSV file that is being written; its columns are fixed by the first row.
#[derive(Debug)]
pub struct Table {
    log: Log,
    columns: Vec<String>,
    /// Whether a row has been written since the table was opened.
    is_compared: bool,
}

impl Table {
    /// Opens or creates the file `path` and cuts it to its first `length` bytes. The text that is returned beside the
    /// table is a warning, where these bytes are missing or damaged: then the file is set aside as `<name>.damaged`,
    /// and a new one goes on from its whole rows.
    pub fn open(path: &Path, length: u64) -> io::Result<(Self, Option<String>)> {
        let (log, kept, warning) = Log::open(path, length, whole_rows)?;
        let header = String::from_utf8_lossy(kept.split(|byte| *byte == b'\n').next().unwrap_or_default()).into_owned();
        let columns = if header.is_empty() { Vec::new() } else { header.split(',').map(str::to_string).collect() };
        Ok((Self { log, columns, is_compared: false }, warning))
    }

    /// Returns the length of the file in bytes after the next [`sync`](Self::sync), which is always the end of a row.
    pub fn length(&self) -> u64 {
        self.log.length()
    }

    /// Appends a row; the first row names the columns. A cell goes to the column of its name: one without a column is
    /// left out, and a column without a cell stays empty, as does the cell of a NaN. After an error the row is kept,
    /// and written with the next row or by [`sync`](Self::sync).
    ///
    /// Where the first row that is added to an older file has other names than the file, the file is set aside as
    /// `<name>.former`, and a new one begins. Where that fails, this row is lost, and the next one tries again.
    pub fn row<'a>(&mut self, cells: impl IntoIterator<Item = (&'a str, f64)>) -> io::Result<()> {
        let given: Vec<(&str, f64)> = cells.into_iter().collect();
        let are_ours = self.columns.iter().map(String::as_str).eq(given.iter().map(|cell| cell.0));
        if !self.is_compared && !self.columns.is_empty() && !are_ours {
            self.log.begin_again()?;
            self.columns.clear();
        }
        self.is_compared = true;
        let mut text = String::new();
        if self.columns.is_empty() {
            self.columns = given.iter().map(|cell| cell.0.to_string()).collect();
            text = self.columns.join(",") + "\n";
        }
        let of = |name: &String| given.iter().find(|cell| cell.0 == name).filter(|cell| !cell.1.is_nan());
        let cells: Vec<String> =
            self.columns.iter().map(|name| of(name).map_or(String::new(), |cell| cell.1.to_string())).collect();
        text += &cells.join(",");
        text.push('\n');
        self.log.append(text.as_bytes())
    }

    /// Returns when every row is on the disk.
    pub fn sync(&mut self) -> io::Result<()> {
        self.log.sync()
    }
}

/// Returns the length in bytes of the header and of the rows behind it that are whole: as many cells as there are
/// columns, each of them empty or a number.
pub(super) fn whole_rows(bytes: &[u8]) -> usize {
    let (mut length, mut columns) = (0, 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(text) = std::str::from_utf8(line).ok().and_then(|line| line.strip_suffix('\n')) else { break };
        let count = text.split(',').count();
        let are_numbers = || text.split(',').all(|cell| cell.is_empty() || cell.parse::<f64>().is_ok());
        if length == 0 {
            columns = count;
        } else if count != columns || !are_numbers() {
            break;
        }
        length += line.len();
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table that is reopened at an earlier length goes on from that length.
    #[test]
    fn goes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        let (mut table, _) = Table::open(&path, 0).unwrap();
        table.row([("a", 1.0), ("b", f64::NAN)]).unwrap();
        let length = table.length();
        table.row([("a", 2.0), ("b", 0.1)]).unwrap();
        let (mut table, warning) = Table::open(&path, length).unwrap();
        assert_eq!(warning, None);
        table.row([("a", 3.0), ("b", 0.25)]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a,b\n1,\n3,0.25\n");
    }

    /// A table that lost rows, or holds a line that is no row, goes on from its whole rows with a warning.
    #[test]
    fn damage_is_no_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        for (there, goes_on) in [
            ("a,b\n1,2\n3,", "a,b\n1,2\n"),
            ("a,b\n1,2\n3,x\n5,6\n", "a,b\n1,2\n"),
            ("a,b\n1,2\n3,4,5\n", "a,b\n1,2\n"),
            ("a,b", "a,b\n"),
            ("", "a,b\n"),
        ] {
            std::fs::write(&path, there).unwrap();
            let (mut table, warning) = Table::open(&path, 20).unwrap();
            assert!(warning.is_some_and(|w| w.contains("t.csv.damaged")), "{there}");
            table.row([("a", 7.0), ("b", 8.0)]).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{goes_on}7,8\n"), "{there}");
        }
    }

    /// Rows with other names than an older file has begin a new file, and the older one stays beside it.
    #[test]
    fn other_columns_begin_a_new_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        std::fs::write(&path, "a,b\n1,2\n").unwrap();
        let (mut table, warning) = Table::open(&path, 8).unwrap();
        assert_eq!(warning, None);
        table.row([("a", 3.0), ("c", 4.0)]).unwrap();
        table.row([("c", 5.0), ("b", 6.0)]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a,c\n3,4\n,5\n");
        assert_eq!(std::fs::read_to_string(dir.path().join("t.csv.former")).unwrap(), "a,b\n1,2\n");
        assert_eq!(table.length(), 11);
    }

    /// A cell goes to the column of its name, whatever the order and number of cells.
    #[test]
    fn cells_are_matched_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.csv");
        let (mut table, _) = Table::open(&path, 0).unwrap();
        table.row([("a", 1.0), ("b", 2.0)]).unwrap();
        table.row([("b", 3.0), ("c", 4.0), ("a", 5.0)]).unwrap();
        table.row([("b", 6.0)]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a,b\n1,2\n5,3\n,6\n");
    }
}
