//! The tables of a reproduction: times beside the published ones, and a verdict for each claim.

use s2pg::results::statistics::mean;

use super::claims::Verdict;
use super::evidence::{Cell, Evidence};
use super::items::Item;
use super::published::{COLUMNS, DOUBTFUL, Row, find};
use crate::numbers::significant;
use crate::report::Table;

/// What a table of times shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Hours for 1,000,000 environment steps.
    Hours,
    /// Multiples of the time of the policy without memory.
    Factor,
}

/// The algorithm of a method, and its column.
fn parts(method: &str) -> (&str, &str) {
    method.split_once('-').unwrap_or((method, ""))
}

/// The times that were measured, a row for an algorithm in a task, with the published ones behind a slash.
pub fn times(evidence: &Evidence, unit: Unit) -> Table {
    let mut keys: Vec<(&str, &str)> = Vec::new();
    let mut columns: Vec<&str> = COLUMNS.to_vec();
    for cell in evidence.cells.iter().filter(|cell| !cell.seconds.is_empty()) {
        let (algorithm, column) = parts(cell.method);
        // SLAC is of one kind, and stands beside the methods of SAC, whose place it would take.
        let (algorithm, column) = if algorithm == "slac" { ("sac", "slac") } else { (algorithm, column) };
        if !keys.contains(&(algorithm, cell.task)) {
            keys.push((algorithm, cell.task));
        }
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    keys.sort_by_key(|(algorithm, _)| ["sac", "td3", "ppo"].iter().position(|known| known == algorithm));
    let is_there = |column: &&str| evidence.cells.iter().any(|cell| column_of(cell) == *column);
    columns.retain(is_there);
    let rows = keys.iter().map(|(algorithm, task)| {
        let mut row = vec![algorithm.to_uppercase(), (*task).to_string()];
        row.extend(columns.iter().map(|column| shown(evidence, (algorithm, task, column), unit)));
        row
    });
    let head = ["algorithm", "task"].into_iter().chain(columns.iter().copied()).map(String::from).collect();
    let note = match unit {
        Unit::Hours => {
            "Ours / published, in hours. Ours are extrapolated from measured steps, of one core and without evaluations; the \
             published ones are of four cores and contain evaluations. `?` marks likely misprints."
        }
        Unit::Factor => {
            "Ours / published, as multiples of the time of `vanilla` of the same algorithm in the same task; in brackets the \
             milliseconds of one of our steps. `?` marks likely misprints."
        }
    };
    let title = match unit {
        Unit::Hours => "Hours for 1,000,000 environment steps, extrapolated",
        Unit::Factor => "Time of a step over that of the policy without memory",
    };
    Table { title: title.into(), head, rows: rows.collect(), note: note.into() }
}

fn column_of(cell: &Cell) -> &str {
    let (algorithm, column) = parts(cell.method);
    if algorithm == "slac" { "slac" } else { column }
}

/// A cell: ours, and what was published.
fn shown(evidence: &Evidence, (algorithm, task, column): (&str, &str, &str), unit: Unit) -> String {
    if column == "slac" && algorithm != "sac" {
        return String::new();
    }
    let of = |column: &str| {
        let method = if column == "slac" { "slac-window-8".into() } else { format!("{algorithm}-{column}") };
        let seconds = &evidence.cell(&method, task)?.seconds;
        (!seconds.is_empty()).then(|| mean(seconds))
    };
    let published = find(algorithm, task).and_then(|row: &Row| {
        let i = COLUMNS.iter().position(|known| *known == column)?;
        let x = if unit == Unit::Hours { row.hours[i] } else { row.factors[i] };
        x.is_finite().then_some(x)
    });
    let doubt = if DOUBTFUL.contains(&(algorithm, task, column)) { "?" } else { "" };
    let theirs = published.map_or("-".into(), |x| format!("{x}{doubt}"));
    let Some(seconds) = of(column) else { return format!("- / {theirs}") };
    match unit {
        Unit::Hours => format!("{} / {theirs}", significant(seconds * 1e6 / 3600.0)),
        Unit::Factor => {
            let factor = of("vanilla").map_or("-".into(), |vanilla| format!("{:.2}", seconds / vanilla));
            format!("{factor} / {theirs} ({})", significant(1e3 * seconds))
        }
    }
}

/// A verdict for each claim of an item, with what was measured of it.
pub fn verdicts(item: &Item, evidence: &Evidence) -> Table {
    let mut rows = Vec::new();
    for claim in item.claims() {
        let (verdict, findings) = claim.judge(evidence);
        rows.push(vec![claim.name.into(), claim.text.into(), String::new(), word(verdict)]);
        for finding in findings {
            let interval = finding.estimate.map_or("-".into(), |e| {
                format!("{}, {} to {}", significant(e.value), significant(e.low), significant(e.high))
            });
            let words = format!("{} ({})", finding.asked, finding.scope);
            rows.push(vec![String::new(), words, interval, finding.verdict.to_string()]);
        }
    }
    let head = ["claim", "what is said, and what was asked", "figure and 95 % interval", "verdict"];
    Table {
        title: "What it says of the paper's claims".into(),
        head: head.map(String::from).into(),
        rows,
        note: "A claim holds where every check of it does, and fails where one does; else it is undecided. A check is decided \
               where its whole interval lies on one side, from 3 seeds on, and for returns from half of the published steps \
               on. Returns are the last ones of the training, on a scale on which 0 is the mean first return without memory \
               and 1 the mean last return of the best method of the task; differences are averaged over tasks. Times are \
               compared by the geometric mean over tasks."
            .into(),
    }
}

fn word(verdict: Verdict) -> String {
    verdict.to_string().to_uppercase()
}
