//! A table of words and numbers in a report, beside those of its runs.

use super::page::escaped;

/// A table of words and numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// What it shows.
    pub title: String,
    /// The names of its columns.
    pub head: Vec<String>,
    /// Its rows, with a cell for each column.
    pub rows: Vec<Vec<String>>,
    /// What one has to know in order to read it.
    pub note: String,
}

impl Table {
    /// The table in Markdown.
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        let note = if self.note.is_empty() { String::new() } else { format!("\n{}\n", self.note) };
        format!("## {}\n\n{}|{}\n{rows}{note}", self.title, line(&self.head), "---|".repeat(self.head.len()))
    }

    /// The table in HTML.
    pub(super) fn html(&self) -> String {
        let head: String = self.head.iter().map(|cell| format!("<th>{}", escaped(cell))).collect();
        let row = |cells: &Vec<String>| {
            format!("<tr>{}</tr>\n", cells.iter().map(|cell| format!("<td>{}", escaped(cell))).collect::<String>())
        };
        let rows: String = self.rows.iter().map(row).collect();
        let note =
            if self.note.is_empty() { String::new() } else { format!("<p class=soft>{}</p>\n", escaped(&self.note)) };
        format!(
            "<h2>{}</h2>\n<div class=wide><table><tr>{head}</tr>\n{rows}</table></div>\n{note}",
            escaped(&self.title)
        )
    }
}
