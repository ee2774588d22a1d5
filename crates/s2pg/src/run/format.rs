//! The layout of checkpoints and models: a safetensors file that carries a hash of itself.
//!
//! `__metadata__`, with which the header begins, begins with `xxh3`, the XXH3 hash of every byte of the file except the
//! sixteen digits of the hash itself, and `format`, the version of the layout; the caller's pairs follow. Numbers are
//! little-endian, and the header is padded with spaces so that they begin at a multiple of 8 bytes.

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, TensorInfo};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess};
use xxhash_rust::xxh3::Xxh3;

/// Version of the layout that this program writes.
pub const FORMAT: &str = "s2pg/2";
/// Length of the longest header in bytes that is written or read: some ten thousand items. To parse a header takes at
/// most 16 MB.
pub const HEADER_LIMIT: usize = 1 << 20;
/// The text that every header with a hash begins with, in every version; the sixteen digits of the hash follow.
pub const PREFIX: &str = r#"{"__metadata__":{"xxh3":""#;
/// Number of digits of the hash.
pub const DIGITS: usize = 16;

/// Pairs of names and texts that the caller stores beside the numbers: the experiment, the number of steps, ....
pub type Metadata = BTreeMap<String, String>;

/// The name, type and sizes of one tensor of a file.
pub struct Item {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
}

impl Item {
    /// Returns the number of bytes of the tensor.
    pub fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.bitsize() / 8
    }
}

/// Returns the part of the header after the hash, padded with spaces, and the number of bytes that follow the header.
/// The tensors stand in the file in the order of `items`.
pub fn header_tail(items: &[Item], metadata: &Metadata) -> (String, usize) {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut tail = format!(r#"","format":"{FORMAT}""#);
    for (key, value) in metadata {
        assert!(!["xxh3", "format"].contains(&key.as_str()), "the key {key} of the metadata belongs to the format");
        tail += &format!(",{}:{}", quoted(key), quoted(value));
    }
    tail.push('}');
    let mut start = 0;
    for item in items {
        let end = start + item.bytes();
        let Item { name, dtype, shape } = item;
        let name = quoted(name);
        let shape = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        tail += &format!(r#",{name}:{{"dtype":"{dtype}","shape":[{shape}],"data_offsets":[{start},{end}]}}"#);
        start = end;
    }
    tail.push('}');
    let len = PREFIX.len() + DIGITS + tail.len();
    tail.extend(std::iter::repeat_n(' ', len.next_multiple_of(8) - len));
    (tail, start)
}

/// Starts the hash of a file whose header has the part `tail` after the hash; the numbers follow.
pub fn hash_of(tail: &[u8]) -> Xxh3 {
    let mut hash = Xxh3::new();
    hash.update(&((PREFIX.len() + DIGITS + tail.len()) as u64).to_le_bytes());
    hash.update(PREFIX.as_bytes());
    hash.update(tail);
    hash
}

/// Tells whether the whole file `file` carries the hash of its bytes; None where it carries no hash.
pub fn has_its_hash(file: &[u8]) -> Option<bool> {
    let (length, header) = file.split_at_checked(8)?;
    let (digits, rest) = header.strip_prefix(PREFIX.as_bytes())?.split_at_checked(DIGITS)?;
    let mut hash = Xxh3::new();
    hash.update(length);
    hash.update(PREFIX.as_bytes());
    hash.update(rest);
    Some(digits == format!("{:016x}", hash.digest()).as_bytes())
}

/// A header as it stands in a file. It is parsed without a generic tree of values, whose size nothing would bound.
#[derive(Default)]
pub struct Header {
    pub metadata: Metadata,
    pub items: Vec<(String, TensorInfo)>,
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> serde::de::Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut header = Header::default();
                while let Some(name) = map.next_key::<String>()? {
                    match name.as_str() {
                        "__metadata__" => header.metadata = map.next_value()?,
                        _ => header.items.push((name, map.next_value()?)),
                    }
                }
                Ok(header)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}
