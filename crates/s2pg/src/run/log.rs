//! Files that grow by whole entries, such as rows or records, and go back to what they were at a checkpoint.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::disk::{RealDisk, write_atomically};

/// A file of entries that grows at its end. Errors name the file. After an error the refused entries are kept, and
/// written with the next entry or by [`sync`](Self::sync).
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    pub(super) file: File,
    length: u64,
    /// Entries that a full disk has refused.
    pending: Vec<u8>,
}

impl Log {
    /// Opens or creates the file `path` as it was when [`length`](Self::length) was `length`: what was written later is
    /// cut off. `whole` returns how many of the bytes before are whole entries.
    ///
    /// A file that lacks some of its first `length` bytes, or in which they are no whole entries, is set aside, and a
    /// new one goes on with its whole entries. The text that is returned beside the log is a warning that says so.
    pub fn open(
        path: &Path,
        length: u64,
        whole: impl Fn(&[u8]) -> usize,
    ) -> io::Result<(Self, Vec<u8>, Option<String>)> {
        let (mut bytes, is_there) = match std::fs::read(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => (Vec::new(), false),
            read => (read.map_err(naming(path))?, true),
        };
        bytes.truncate(length as usize);
        bytes.truncate(whole(&bytes));
        let kept = bytes.len() as u64;
        let mut warning = None;
        if kept < length {
            let name = path.display();
            warning = Some(match is_there {
                true => format!(
                    "{name} is damaged: of {length} bytes {kept} are sound; it is kept as {}, and a new one goes on \
                     from there",
                    set_aside(path, "damaged")?.display()
                ),
                false => format!("{name} is missing; a new one begins here"),
            });
            write_atomically(&RealDisk, path, &bytes).map_err(io::Error::other)?;
        }
        let file = OpenOptions::new().append(true).create(true).open(path).map_err(naming(path))?;
        file.set_len(kept).map_err(naming(path))?;
        Ok((Self { path: path.into(), file, length: kept, pending: Vec::new() }, bytes, warning))
    }

    /// Sets the file aside as `<name>.former`, and begins a new one.
    pub fn begin_again(&mut self) -> io::Result<()> {
        let _ = self.flush();
        set_aside(&self.path, "former")?;
        (*self, ..) = Self::open(&self.path, 0, <[u8]>::len)?;
        Ok(())
    }

    /// Returns the length of the file in bytes after the next [`sync`](Self::sync), which is always the end of an
    /// entry.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Appends one entry.
    pub fn append(&mut self, entry: &[u8]) -> io::Result<()> {
        self.length += entry.len() as u64;
        self.pending.extend(entry);
        self.flush()
    }

    /// Returns when every entry is on the disk.
    pub fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        self.file.sync_data().map_err(naming(&self.path))
    }

    fn flush(&mut self) -> io::Result<()> {
        // A refused entry may be half written: the file is cut back to whole entries.
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

/// Renames the file `path` to the first name of `<path>.<why>`, `<path>.<why>.1`, ... that is free.
fn set_aside(path: &Path, why: &str) -> io::Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let first = path.with_file_name(format!("{name}.{why}"));
    let others = (1..).map(|n| path.with_file_name(format!("{name}.{why}.{n}")));
    let free = std::iter::once(first).chain(others).find(|p| p.symlink_metadata().is_err()).unwrap_or_default();
    std::fs::rename(path, &free).map_err(naming(path))?;
    Ok(free)
}

/// Returns a function that adds the name of a file to an error of the system.
pub(super) fn naming(path: &Path) -> impl Fn(io::Error) -> io::Error + '_ {
    move |e| io::Error::new(e.kind(), format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the disk refuses is not lost: it is written with the next entry, or by `sync`.
    #[test]
    fn a_refused_entry_is_written_later() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.log");
        let (mut log, ..) = Log::open(&path, 0, <[u8]>::len).unwrap();
        log.append(b"a\n").unwrap();
        let sound = std::mem::replace(&mut log.file, File::open(&path).unwrap());
        assert!(log.append(b"b\n").is_err() && log.append(b"c\n").is_err() && log.sync().is_err());
        assert_eq!((std::fs::read_to_string(&path).unwrap().as_str(), log.length()), ("a\n", 6));
        log.file = sound;
        log.sync().unwrap();
        log.append(b"d\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\nb\nc\nd\n");
    }

    /// What is damaged is set aside under a name of its own, however often it happens, and its whole entries go on.
    #[test]
    fn damage_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.log");
        let even = |bytes: &[u8]| bytes.len() / 2 * 2;
        for name in ["t.log.damaged", "t.log.damaged.1", "t.log.damaged.2"] {
            std::fs::write(&path, "aabbc").unwrap();
            let (log, kept, warning) = Log::open(&path, 6, even).unwrap();
            assert_eq!((log.length(), kept.as_slice()), (4, &b"aabb"[..]));
            let warning = warning.unwrap();
            assert!(warning.contains("of 6 bytes 4 are sound") && warning.contains(name), "{warning}");
            assert_eq!(std::fs::read_to_string(dir.path().join(name)).unwrap(), "aabbc");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "aabb");
        }
        std::fs::remove_file(&path).unwrap();
        let (log, _, warning) = Log::open(&path, 6, even).unwrap();
        assert!(log.length() == 0 && warning.unwrap().contains("t.log is missing"));
        assert!(Log::open(&path, 0, even).unwrap().2.is_none());
    }
}
