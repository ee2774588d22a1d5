//! One array of an archive: its header, and the numbers behind it.

use std::io::Read;

use super::{Array, Hashing, Step, number};

/// The most bytes of a header, and the most axes of an array.
const MOST: (u64, usize) = (10_000, 8);

/// The numbers that are read at a time.
const CHUNK: usize = 8192;

/// What a header says.
#[derive(Debug, Default, PartialEq)]
struct Header {
    kind: String,
    by_columns: bool,
    shape: Vec<usize>,
}

/// Reads an array of `whole` bytes with its header, which may take `left` bytes and has this hash.
pub(super) fn array(mut bytes: Hashing<impl Read>, whole: u64, left: u64, hash: u32) -> Step<Array> {
    let mut start = [0; 12];
    bytes.read_exact(&mut start[..10])?;
    let wide = if start[6] == 1 { 2 } else { 4 };
    if start[..6] != *b"\x93NUMPY" || !(1..=3).contains(&start[6]) {
        return Ok(Err("is not in numpy's format; write it with numpy.savez".into()));
    }
    bytes.read_exact(&mut start[10..8 + wide])?;
    let length = number(&start, 8, wide);
    if length > MOST.0 {
        return Ok(Err(format!("has a header of {length} bytes, which no array of numbers has")));
    }
    let mut header = vec![0; length as usize];
    bytes.read_exact(&mut header)?;
    let text = String::from_utf8_lossy(&header);
    let Some(Header { kind, by_columns, shape }) = header_of(&text) else {
        return Ok(Err("has a header that does not tell kind, order and shape of numbers; save plain numbers".into()));
    };
    let Some((size, convert)) = numbers_of(&kind) else {
        return Ok(Err(match kind.contains('O') {
            true => "holds Python objects, which can run a program and are not read; save it as float64".into(),
            false => format!("is of the kind `{kind}`, which is not read; save it as float64, or leave it out"),
        }));
    };
    let words = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let count = shape.iter().try_fold(1u64, |n, &m| n.checked_mul(m as u64));
    let there = whole.checked_sub((8 + wide) as u64 + length);
    let Some(count) = count.filter(|n| n.checked_mul(size as u64).is_some_and(|n| Some(n) == there)) else {
        let there = there.unwrap_or(0) / size as u64;
        return Ok(Err(format!("says that its shape is ({words}), and has {there} numbers; fetch the file again")));
    };
    if count.saturating_mul(8) > left {
        return Ok(Err(format!("has the shape ({words}), which is more than this program reads; take fewer steps")));
    }
    if by_columns && shape.len() > 2 {
        return Ok(Err("is kept by columns; save it by rows, with numpy.ascontiguousarray".into()));
    }

    let mut data = Vec::with_capacity(count as usize);
    let mut buffer = vec![0; CHUNK * size];
    while data.len() < count as usize {
        let chunk = &mut buffer[..size * CHUNK.min(count as usize - data.len())];
        bytes.read_exact(chunk)?;
        data.extend(chunk.chunks_exact(size).map(convert));
    }
    if bytes.read(&mut [0])? != 0 || bytes.hash.sum() != hash {
        return Ok(Err("is not what was written: its hash differs; fetch the file again".into()));
    }
    if let (true, &[rows, columns]) = (by_columns, &shape[..]) {
        data = (0..data.len()).map(|i| data[i % columns * rows + i / columns]).collect();
    }
    Ok(Ok(Array { shape, data }))
}

/// Returns the bytes of a number of this kind, and what makes a number of them.
fn numbers_of(kind: &str) -> Option<(usize, fn(&[u8]) -> f64)> {
    macro_rules! of {
        ($type:ty) => {
            Some((size_of::<$type>(), |bytes| {
                <$type>::from_le_bytes(bytes.try_into().expect("a chunk is as long as the number")) as f64
            }))
        };
    }
    match kind {
        "<f8" => of!(f64),
        "<f4" => of!(f32),
        "<i8" => of!(i64),
        "<i4" => of!(i32),
        "<i2" => of!(i16),
        "|i1" => of!(i8),
        "<u8" => of!(u64),
        "<u4" => of!(u32),
        "<u2" => of!(u16),
        "|u1" | "|b1" => of!(u8),
        _ => None,
    }
}

/// Reads a header: a dictionary of `descr`, `fortran_order` and `shape`, as Python writes it. A kind that is no word is
/// kept as it is written. None where it is anything else.
fn header_of(text: &str) -> Option<Header> {
    let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
    let mut header = Header::default();
    let mut seen = [false; 3];
    while !rest.is_empty() {
        let (key, after) = rest.strip_prefix('\'')?.split_once('\'')?;
        let value = after.trim_start().strip_prefix(':')?.trim_start();
        let key = ["descr", "fortran_order", "shape"].iter().position(|&name| name == key)?;
        if std::mem::replace(&mut seen[key], true) {
            return None;
        }
        let after = match key {
            0 => {
                // A list of fields is a kind of its own.
                let end = if value.starts_with('[') {
                    value.find(']')? + 1
                } else {
                    value.strip_prefix('\'')?.find('\'')? + 2
                };
                header.kind = value[..end].trim_matches('\'').to_string();
                &value[end..]
            }
            1 => {
                header.by_columns = value.starts_with("True");
                value.strip_prefix(if header.by_columns { "True" } else { "False" })?
            }
            _ => {
                let (shape, after) = value.strip_prefix('(')?.split_once(')')?;
                let sizes = shape.trim().trim_end_matches(',').split(',').map(str::trim);
                let sizes = sizes.filter(|_| !shape.trim().is_empty());
                header.shape = sizes.map(|n| n.parse().ok()).collect::<Option<_>>()?;
                after
            }
        };
        rest = after.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    (seen == [true; 3] && header.shape.len() <= MOST.1).then_some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Headers of numpy are read, and what is no header is refused.
    #[test]
    fn headers_are_read() {
        let of = |kind: &str, by_columns, shape: &[usize]| {
            Some(Header { kind: kind.into(), by_columns, shape: shape.to_vec() })
        };
        let read = |text| header_of(text);
        assert_eq!(read("{'descr': '<f8', 'fortran_order': False, 'shape': (500,), }  \n"), of("<f8", false, &[500]));
        assert_eq!(read("{'descr': '|b1', 'fortran_order': True, 'shape': (2, 3), }"), of("|b1", true, &[2, 3]));
        assert_eq!(read("{'descr': '<f4', 'fortran_order': False, 'shape': (), }"), of("<f4", false, &[]));
        let fields = "[('a', '<f8'), ('b', '|O')]";
        let text = format!("{{'descr': {fields}, 'fortran_order': False, 'shape': (1,), }}");
        assert_eq!(read(&text), of(fields, false, &[1]));
        for bad in [
            "",
            "{}",
            "{'descr': '<f8'}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
            "{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (1,), }",
            "{'descr': '<f8', 'fortran_order': Maybe, 'shape': (1,), }",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }",
            "{'descr': '', 'fortran_order': False, 'shape': (99999999999999999999,), }",
            "{'descr': ",
            "{'descr': }",
            "{'descr': é}",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
