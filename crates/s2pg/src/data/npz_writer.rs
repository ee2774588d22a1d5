//! Writing numpy's archives of arrays (`.npz`), uncompressed.

/// A column of a table that is written: one number, or a row of numbers, for each step.
#[derive(Clone, Copy, Debug)]
pub enum Column<'a> {
    /// Rows of this many single-precision numbers.
    Numbers(&'a [f32], usize),
    /// Double-precision numbers, one for each step.
    Wide(&'a [f64]),
    /// Flags, one for each step.
    Flags(&'a [bool]),
}

/// Returns the bytes of an archive with the columns `columns`, each under its name, which `numpy.load` reads. Panics
/// where a column takes 4 GB or more.
pub fn npz(columns: &[(&str, Column<'_>)]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, column) in columns {
        let (name, array, start) = (format!("{name}.npy"), npy(column), file.len());
        let [size, start] = [array.len(), start].map(|n| u32::try_from(n).expect("an archive of less than 4 GB"));
        // Version 2.0, no flags, stored, 1 January 1980, hash, both sizes, the length of the name, nothing extra.
        let mut entry = Vec::new();
        entry.extend([20, 0, 0, 0, 0, 0, 0, 0, 33, 0]);
        [crc32(&array), size, size].iter().for_each(|x| entry.extend(x.to_le_bytes()));
        entry.extend((name.len() as u16).to_le_bytes());
        entry.extend([0, 0]);
        file.extend(b"PK\x03\x04");
        file.extend(&entry);
        file.extend(name.as_bytes());
        file.extend(array);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&entry);
        // No comment, the first disk, no attributes.
        directory.extend([0; 10]);
        directory.extend(start.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let [size, start] = [directory.len(), file.len()].map(|n| u32::try_from(n).expect("an archive of less than 4 GB"));
    file.extend(directory);
    file.extend(b"PK\x05\x06\x00\x00\x00\x00");
    [columns.len() as u16; 2].iter().for_each(|n| file.extend(n.to_le_bytes()));
    [size, start].iter().for_each(|n| file.extend(n.to_le_bytes()));
    file.extend([0, 0]);
    file
}

/// Returns the bytes of a `.npy` file, version 1.0.
fn npy(column: &Column<'_>) -> Vec<u8> {
    let (kind, shape, data): (_, _, Vec<u8>) = match *column {
        Column::Numbers(x, n) => {
            ("<f4", format!("{}, {n}", x.len() / n.max(1)), x.iter().flat_map(|x| x.to_le_bytes()).collect())
        }
        Column::Wide(x) => ("<f8", format!("{},", x.len()), x.iter().flat_map(|x| x.to_le_bytes()).collect()),
        Column::Flags(x) => ("|b1", format!("{},", x.len()), x.iter().map(|&x| u8::from(x)).collect()),
    };
    let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}");
    // What stands before the numbers is a multiple of 64 bytes long, and ends with a line break.
    while !(10 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

/// Returns the CRC-32 of `bytes`, as archives have it.
fn crc32(bytes: &[u8]) -> u32 {
    let table: [u32; 256] =
        std::array::from_fn(|i| (0..8).fold(i as u32, |x, _| if x & 1 == 1 { x >> 1 ^ 0xEDB8_8320 } else { x >> 1 }));
    !bytes.iter().fold(!0, |hash, &b| table[((hash ^ u32::from(b)) & 255) as usize] ^ hash >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hash is the CRC-32 of the standard's example.
    #[test]
    fn the_hash_is_the_standards() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }
}
