//! What stands beside an export once it has been checked: a list of its files, by which a later reader finds out
//! whether they are whole and of one export.

use std::io::ErrorKind;
use std::path::Path;

use s2pg::run::hash;

use super::{Export, ExportError, Target};

/// The first words of a list, and the version of what follows.
const HEAD: &str = "s2pg export";
const FORMAT: u32 = 1;
/// The last line, without which the list is cut off.
const END: &str = "end";

/// Returns the name of the list of an export to `target`.
pub fn name(target: Target) -> String {
    format!("{target}.manifest")
}

/// Returns the list of the files `names` in `dir`: of each its XXH3, its length and its name.
pub fn text(export: &Export, dir: &Path, names: &[&str]) -> Result<String, ExportError> {
    let about = &export.about;
    let mut text = format!(
        "{HEAD} {FORMAT}\npolicy of {} after {} steps of {} in {:?}\n",
        export.spec.name, about.steps, about.algorithm, about.run
    );
    for name in names {
        let path = dir.join(name);
        let file = |e| ExportError::File(path.display().to_string(), e);
        let length = path.metadata().map_err(file)?.len();
        text += &format!("{} {length} {name}\n", hash(&path).map_err(file)?);
    }
    Ok(text + END + "\n")
}

/// Refuses an export in `dir` whose list, or a file of it, is not whole, is another's, or is of a later version.
pub fn verify(dir: &Path, target: Target) -> Result<(), ExportError> {
    let list = dir.join(name(target));
    let wrong = |path: &Path, what: String| ExportError::Wrong(format!("{}: {what}", path.display()));
    let bytes = std::fs::read(&list).map_err(|e| ExportError::File(list.display().to_string(), e))?;
    let foreign = || wrong(&list, "this is not the list of an export; export the policy again".into());
    let text = String::from_utf8(bytes).map_err(|_| foreign())?;
    let mut lines = text.lines();
    let version = lines.next().and_then(|line| line.strip_prefix(HEAD)?.trim().parse::<u32>().ok());
    match version {
        None => return Err(foreign()),
        Some(FORMAT) => {}
        Some(other) => {
            let what = format!(
                "the export has version {other} of its format, and this s2pg reads version {FORMAT}; check it with the \
                 s2pg that wrote it, or export the policy again"
            );
            return Err(wrong(&list, what));
        }
    }
    let cut = || wrong(&list, "the list is cut off; export the policy again".into());
    let rows: Vec<&str> = lines.skip(1).collect();
    let (last, rows) = rows.split_last().ok_or_else(cut)?;
    if *last != END || !text.ends_with('\n') {
        return Err(cut());
    }
    for row in rows {
        let mut words = row.splitn(3, ' ');
        let (Some(sum), Some(Ok(length)), Some(name)) =
            (words.next(), words.next().map(str::parse::<u64>), words.next())
        else {
            return Err(cut());
        };
        let path = dir.join(name);
        let again = "export the policy again";
        let found = match path.metadata() {
            Ok(file) => file.len(),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Err(wrong(&path, format!("the file is missing, which belongs to the export; {again}")));
            }
            Err(e) => return Err(ExportError::File(path.display().to_string(), e)),
        };
        let same = |e| ExportError::File(path.display().to_string(), e);
        if found < length {
            return Err(wrong(&path, format!("the file is cut off: it has {found} of {length} bytes; {again}")));
        }
        if found > length || hash(&path).map_err(same)? != sum {
            return Err(wrong(&path, format!("the file is not the one that was exported; {again}")));
        }
    }
    Ok(())
}
