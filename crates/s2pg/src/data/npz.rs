//! Reading numpy's archives of arrays (`.npz`) without running anything that they say, in memory that is bounded.
//!
//! What an archive says about itself is held against what is there before memory is taken for it: the sizes of arrays
//! against the limit and against the file, and shapes against the bytes behind them.

mod npy;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::Crc;
use flate2::read::DeflateDecoder;

/// Why an archive cannot be used, in one sentence with the file.
#[derive(Debug, thiserror::Error)]
pub enum NpzError {
    /// The file cannot be read.
    #[error("{file}: {cause}", file = .0.display(), cause = .1)]
    Read(PathBuf, #[source] std::io::Error),
    /// The file does not hold what it should.
    #[error("{file}: {what}", file = .0.display(), what = .1)]
    Wrong(PathBuf, String),
}

/// What an archive may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes that all arrays together take as double-precision numbers.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 1 << 31 }
    }
}

/// An array of numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Array {
    /// The number of entries along each axis.
    pub shape: Vec<usize>,
    /// The numbers, row after row.
    pub data: Vec<f64>,
}

/// The most arrays of an archive, and the most bytes of the list of them.
const MOST: (usize, u64) = (4096, 1 << 21);

/// No data can be packed into fewer bytes than this part of its size.
const TIGHTEST: u64 = 1032;

/// What the list at the end of an archive says about one of its files.
struct Entry {
    name: String,
    packed: bool,
    hash: u32,
    /// Bytes in the archive, and unpacked.
    sizes: (u64, u64),
    start: u64,
}

/// Reads the arrays of the archive `path`, each with its name. It may be packed, as by `numpy.savez_compressed`, and
/// its arrays may be floating-point numbers, integers and flags; arrays of Python objects are refused.
pub fn read(path: &Path, limits: Limits) -> Result<Vec<(String, Array)>, NpzError> {
    let wrong = |what: String| NpzError::Wrong(path.into(), what);
    let io = |e| NpzError::Read(path.into(), e);
    let mut file = File::open(path).map_err(io)?;
    let about = file.metadata().map_err(io)?;
    if !about.is_file() {
        return Err(wrong("it is no regular file; name an archive that numpy.savez wrote".into()));
    }
    let entries = list(&mut file, about.len()).map_err(io)?.map_err(wrong)?;
    let mut left = limits.bytes;
    let mut arrays = Vec::new();
    for entry in entries {
        let array = array(&mut file, about.len(), &entry, left).map_err(io)?;
        let array = array.map_err(|what| wrong(format!("its array `{}` {what}", entry.name)))?;
        left -= 8 * array.data.len() as u64;
        arrays.push((entry.name, array));
    }
    Ok(arrays)
}

/// A step that can fail because of the file system, and because of what the file holds.
type Step<T> = std::io::Result<Result<T, String>>;

/// Returns the little-endian number of `n` bytes at `at`; the bytes must be there.
fn number(bytes: &[u8], at: usize, n: usize) -> u64 {
    bytes[at..at + n].iter().rev().fold(0, |x, &b| x << 8 | u64::from(b))
}

/// Reads `n` bytes at `start`.
fn bytes(file: &mut File, start: u64, n: u64) -> std::io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = vec![0; n as usize];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Reads the list of the files of an archive of `len` bytes.
fn list(file: &mut File, len: u64) -> Step<Vec<Entry>> {
    const NONE: &str = "it is no archive of arrays; write it with numpy.savez";
    // The list is found from the end, before which there may be a comment.
    let tail = len.min(22 + 65_535);
    let end = bytes(file, len - tail, tail)?;
    let Some(at) = end.windows(4).rposition(|x| x == b"PK\x05\x06").filter(|at| at + 22 <= end.len()) else {
        return Ok(Err(NONE.into()));
    };
    let (count, size, start) = (number(&end, at + 10, 2), number(&end, at + 12, 4), number(&end, at + 16, 4));
    if count == 0xffff || start == 0xffff_ffff {
        return Ok(Err("it is an archive of 4 GB or more, which this program does not read; take fewer steps".into()));
    }
    if count as usize > MOST.0 || size > MOST.1 {
        return Ok(Err(format!("it says that it has {count} arrays; this program reads {} at most", MOST.0)));
    }
    if start + size > len {
        return Ok(Err("its list of arrays lies behind its end; it was cut off, fetch it again".into()));
    }
    let list = bytes(file, start, size)?;
    let mut entries: Vec<Entry> = Vec::new();
    let mut at = 0;
    for _ in 0..count {
        if list.len() < at + 46 || list[at..at + 4] != *b"PK\x01\x02" {
            return Ok(Err("its list of arrays is damaged; fetch it again".into()));
        }
        let field = |offset: usize, n: usize| number(&list, at + offset, n);
        let (flags, method, length) = (field(8, 2), field(10, 2), field(28, 2) as usize);
        let Some(name) = list.get(at + 46..at + 46 + length) else {
            return Ok(Err("its list of arrays is damaged; fetch it again".into()));
        };
        let name: String = String::from_utf8_lossy(name).chars().filter(|c| !c.is_control()).take(80).collect();
        let name = name.strip_suffix(".npy").map(str::to_string).unwrap_or(name);
        if flags & 1 == 1 || ![0, 8].contains(&method) {
            let what = format!("its array `{name}` is encrypted, or packed in a way that numpy does not use");
            return Ok(Err(format!("{what}; write it with numpy.savez")));
        }
        if entries.iter().any(|entry| entry.name == name) {
            return Ok(Err(format!("it has two arrays called `{name}`; name each array once")));
        }
        let sizes = (field(20, 4), field(24, 4));
        entries.push(Entry { name, packed: method == 8, hash: field(16, 4) as u32, sizes, start: field(42, 4) });
        at += 46 + length + field(30, 2) as usize + field(32, 2) as usize;
    }
    Ok(Ok(entries))
}

/// Reads the array of an entry, which may take `left` bytes; `len` is that of the archive.
fn array(file: &mut File, len: u64, entry: &Entry, left: u64) -> Step<Array> {
    let (stored, whole) = entry.sizes;
    if whole > if entry.packed { stored.saturating_mul(TIGHTEST) } else { stored } {
        return Ok(Err(format!("says that it has {whole} bytes, which cannot be in {stored}; fetch the file again")));
    }
    if entry.start + 30 > len {
        return Ok(Err("lies behind the end of the file; it was cut off, fetch it again".into()));
    }
    let head = bytes(file, entry.start, 30)?;
    let start = entry.start + 30 + number(&head, 26, 2) + number(&head, 28, 2);
    if head[..4] != *b"PK\x03\x04" || start + stored > len {
        return Ok(Err("lies behind the end of the file, or is damaged; fetch the file again".into()));
    }
    file.seek(SeekFrom::Start(start))?;
    let packed = file.take(stored);
    let found = if entry.packed {
        npy::array(Hashing { of: DeflateDecoder::new(packed), hash: Crc::new() }, whole, left, entry.hash)
    } else {
        npy::array(Hashing { of: packed, hash: Crc::new() }, whole, left, entry.hash)
    };
    match found {
        // What cannot be unpacked says so as an error of reading.
        Err(e) if e.kind() == std::io::ErrorKind::InvalidInput || e.kind() == std::io::ErrorKind::UnexpectedEof => {
            Ok(Err("is damaged, or ends too early; fetch the file again".into()))
        }
        found => found,
    }
}

/// A reader with the hash of all that it has read.
struct Hashing<R> {
    of: R,
    hash: Crc,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.of.read(buffer)?;
        self.hash.update(&buffer[..n]);
        Ok(n)
    }
}
