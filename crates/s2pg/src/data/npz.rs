//! Reading numpy's archives of arrays (`.npz`) without running anything that they say.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

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
    /// The most bytes of the file.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 1 << 32 }
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

/// Reads the arrays of the uncompressed archive `path`, each with its name.
pub fn read(path: &Path, limits: Limits) -> Result<Vec<(String, Array)>, NpzError> {
    let wrong = |what: &str| NpzError::Wrong(path.into(), what.into());
    let io = |e| NpzError::Read(path.into(), e);
    let file = File::open(path).map_err(io)?;
    if !file.metadata().map_err(io)?.is_file() {
        return Err(wrong("it is no regular file"));
    }
    let mut bytes = Vec::new();
    file.take(limits.bytes + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > limits.bytes {
        return Err(wrong("it is larger than this program reads; take fewer steps"));
    }
    arrays(&bytes).ok_or_else(|| wrong("it is no uncompressed archive of numeric arrays; write it with numpy.savez"))
}

/// Returns the little-endian number of `n` bytes at `at`.
fn number(bytes: &[u8], at: usize, n: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(n)?)?;
    Some(bytes.iter().rev().fold(0, |x, &b| x << 8 | usize::from(b)))
}

/// Returns the arrays of an archive; None where it is none.
fn arrays(bytes: &[u8]) -> Option<Vec<(String, Array)>> {
    let end = bytes.windows(4).rposition(|x| x == b"PK\x05\x06")?;
    let (count, mut at) = (number(bytes, end + 10, 2)?, number(bytes, end + 16, 4)?);
    let mut arrays = Vec::new();
    for _ in 0..count {
        let field = |offset: usize, n: usize| number(bytes, at + offset, n);
        if bytes.get(at..at + 4)? != b"PK\x01\x02" || field(10, 2)? != 0 {
            return None;
        }
        let (size, name_len, start) = (field(24, 4)?, field(28, 2)?, field(42, 4)?);
        let name = std::str::from_utf8(bytes.get(at + 46..at + 46 + name_len)?).ok()?;
        let data = start + 30 + number(bytes, start + 26, 2)? + number(bytes, start + 28, 2)?;
        let array = array(bytes.get(data..data.checked_add(size)?)?)?;
        arrays.push((name.strip_suffix(".npy").unwrap_or(name).into(), array));
        at += 46 + name_len + field(30, 2)? + field(32, 2)?;
    }
    Some(arrays)
}

/// Returns the array of a `.npy` file; None where it is none of numbers.
fn array(bytes: &[u8]) -> Option<Array> {
    let wide = if *bytes.strip_prefix(b"\x93NUMPY")?.first()? == 1 { 2 } else { 4 };
    let len = number(bytes, 8, wide)?;
    let header = std::str::from_utf8(bytes.get(8 + wide..(8 + wide).checked_add(len)?)?).ok()?;
    let value = |key: &str| Some(header.split_once(&format!("'{key}':"))?.1.trim_start());
    if value("fortran_order")?.starts_with("True") {
        return None;
    }
    let kind = value("descr")?.strip_prefix('\'')?.split('\'').next()?;
    let shape = value("shape")?.strip_prefix('(')?.split(')').next()?.split(',').map(str::trim);
    let shape: Vec<usize> = shape.filter(|n| !n.is_empty()).map(|n| n.parse().ok()).collect::<Option<_>>()?;
    let count = shape.iter().try_fold(1usize, |n, &m| n.checked_mul(m))?;
    let data = &bytes[8 + wide + len..];
    fn each<const N: usize>(data: &[u8], f: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        data.as_chunks::<N>().0.iter().map(|&b| f(b)).collect()
    }
    let data = match kind {
        "<f8" => each(data, f64::from_le_bytes),
        "<f4" => each(data, |b| f64::from(f32::from_le_bytes(b))),
        "<i8" => each(data, |b| i64::from_le_bytes(b) as f64),
        "<i4" => each(data, |b| f64::from(i32::from_le_bytes(b))),
        "|b1" | "|u1" => each(data, |[b]: [u8; 1]| f64::from(b)),
        _ => return None,
    };
    (data.len() == count).then_some(Array { shape, data })
}
