//! The calls to the file system that must survive a crash, behind one trait, so that a test can stand in for the disk.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// The calls to the file system that checkpoints make.
pub trait Disk: Send {
    /// Makes a directory and its parents, durably. A directory that exists already is no error.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// Returns the names in a directory, in no particular order.
    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>>;
    /// Opens a regular file for reading, and returns its length in bytes as well.
    fn open(&self, path: &Path) -> io::Result<(Box<dyn Read>, u64)>;
    /// Makes a new file; a file that exists already is an error.
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Gives the file `from` a second name; a name that exists already is an error.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Renames the file `from` atomically, replacing `to`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes the name `path`.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Returns when the names of a directory are durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// A file that is being written.
pub trait DiskFile: Write {
    /// Returns when every byte of the file is durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// The disk of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        if dir.as_os_str().is_empty() || dir.is_dir() {
            return Ok(());
        }
        self.create_dir(parent(dir))?;
        match fs::create_dir(dir) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
            Err(error) => Err(error),
            Ok(()) => self.sync_dir(parent(dir)),
        }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name())).collect()
    }

    fn open(&self, path: &Path) -> io::Result<(Box<dyn Read>, u64)> {
        // The kind of file is asked before the file is opened, because opening a pipe would wait for its writer.
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file"));
        }
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Ok((Box::new(file), len))
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(File::create_new(path)?))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        // On other systems a directory cannot be opened as a file, and the rename alone must do.
        if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
    }
}

impl DiskFile for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

/// A call to the file system that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {call} {path}: {source}{}", advice(call, source))]
pub struct DiskError {
    /// The call that failed, as a verb.
    pub call: &'static str,
    /// The file or directory of the call.
    pub path: PathBuf,
    /// The error of the system.
    pub source: io::Error,
}

/// What to do about an error of the system, where one can say.
fn advice(call: &str, source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::NotFound if call.starts_with("create") => "; make its directory first, or choose another one",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => "; choose a place that can be written",
        io::ErrorKind::NotADirectory => "; choose a place that is no file",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room, and the run goes on from there",
        _ => "",
    }
}

/// Returns a function that adds the call and the file to an error.
pub(super) fn failed<'a>(call: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> DiskError + use<'a> {
    move |source| DiskError { call, path: path.to_owned(), source }
}

/// Replaces the content of the small file `path` by `bytes`. A reader sees the old bytes or the new bytes, even after a
/// loss of power.
pub fn write_atomically(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    replace(disk, path, None, &mut |file| file.write_all(bytes))
}

/// Removes the temporary files that killed writers left in `dir`, and returns their number. Only the one process that
/// writes there may call this.
pub fn sweep(disk: &dyn Disk, dir: &Path) -> Result<usize, DiskError> {
    let mut swept = 0;
    for name in disk.list(dir).map_err(failed("list", dir))? {
        if name.to_str().is_some_and(is_temporary) {
            let path = dir.join(name);
            disk.remove(&path).map_err(failed("remove", &path))?;
            swept += 1;
        }
    }
    Ok(swept)
}

/// Writes a temporary file, makes it durable, and renames it to `path`. Where `former` is given, the file that was at
/// `path` is kept under that name: as a second name, so that `path` exists at every instant.
pub(super) fn replace(
    disk: &dyn Disk,
    path: &Path,
    former: Option<&Path>,
    write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> Result<(), DiskError> {
    let (temporary, file) = fresh(path, |t| disk.create_new(t)).map_err(failed("create a temporary file for", path))?;
    let done = (|| {
        let mut file = BufWriter::with_capacity(1 << 20, file);
        write(&mut file).and_then(|()| file.flush()).map_err(failed("write", path))?;
        file.get_mut().sync().map_err(failed("sync", path))?;
        if let Some(former) = former {
            keep(disk, path, former)?;
        }
        disk.rename(&temporary, path).map_err(failed("rename a temporary file to", path))
    })();
    if done.is_err() {
        // If this fails too, [`sweep`] removes the file when the directory is next opened.
        let _ = disk.remove(&temporary);
    }
    done?;
    disk.sync_dir(parent(path)).map_err(failed("sync the directory of", path))
}

/// Gives the file `path`, if it exists, the name `former` as well.
fn keep(disk: &dyn Disk, path: &Path, former: &Path) -> Result<(), DiskError> {
    match fresh(former, |t| disk.link(path, t)) {
        Ok((temporary, ())) => {
            let renamed = disk.rename(&temporary, former);
            // Where both are names of the same file already, because a save stopped right here, renaming does nothing
            // and succeeds: the temporary name is still there and must be removed.
            let _ = disk.remove(&temporary);
            renamed
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        // The file system has no second names. For an instant only `former` exists, which loading falls back to.
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied) => {
            disk.rename(path, former)
        }
        Err(error) => Err(error),
    }
    .map_err(failed("keep the former", path))
}

/// Calls `make` with the first temporary name of `path` that is free: `.name.n.tmp`. As `make` fails on a name that
/// exists, two writers never share a name.
fn fresh<T>(path: &Path, make: impl Fn(&Path) -> io::Result<T>) -> io::Result<(PathBuf, T)> {
    let name = path.file_name().ok_or(ErrorKind::InvalidInput)?.to_string_lossy();
    let mut n = 0;
    loop {
        let temporary = path.with_file_name(format!(".{name}.{n}.tmp"));
        match make(&temporary) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => n += 1,
            made => return made.map(|made| (temporary, made)),
        }
    }
}

/// Tells whether `name` is a temporary name as [`fresh`] makes them.
pub(super) fn is_temporary(name: &str) -> bool {
    let middle = name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp"));
    let parts = middle.and_then(|middle| middle.rsplit_once('.'));
    parts.is_some_and(|(name, n)| !name.is_empty() && n.parse::<u64>().is_ok())
}

/// Returns the directory that holds `path`.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
