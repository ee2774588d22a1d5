//! Checkpoints. A checkpoint is one safetensors file that holds a whole [`State`]. A crash at any instant leaves the
//! old file or the new file, and a file is verified before a single number of it is used.
//!
//! Every item is a one-dimensional tensor of type F32, F64, U64 or U8, whose name is the item's scopes and name joined
//! with `/`. Items of wider numbers come first (otherwise in the order of the walk), so that every number is aligned.
//! The header carries a hash of every byte of the file. A column of all environments is one item, so that the header is
//! as long for ten thousand environments as for one.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, Metadata as Layout};

use super::disk::{Disk, DiskError, RealDisk, failed, replace, sweep};
use super::format::{DIGITS, HEADER_LIMIT, Header, Item, PREFIX, hash_of, header_tail};
pub use super::format::{FORMAT, Metadata};
use super::former::{FORMATS, sources};
use crate::state::{Data, State, Visitor};

/// Name of the checkpoint that a run resumes from.
pub const LATEST: &str = "latest";
/// Name under which [`Checkpoints::save`] keeps the former [`LATEST`].
pub const PREVIOUS: &str = "previous";
/// Name under which an unreadable [`LATEST`] is set aside.
pub const DAMAGED: &str = "damaged";

/// Why a checkpoint cannot be saved or loaded. Nothing of a faulty file has entered the state.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file does not exist.
    #[error("{path}: there is no such checkpoint")]
    Missing {
        /// Path of the file.
        path: PathBuf,
    },
    /// The file ends too early.
    #[error("{path}: truncated: it has {present} bytes of {expected}")]
    Truncated {
        /// Path of the file.
        path: PathBuf,
        /// Length of the file in bytes.
        present: u64,
        /// Length in bytes that the file should have.
        expected: u64,
    },
    /// The file is not what was written.
    #[error("{path}: damaged: {what}")]
    Damaged {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong with the file.
        what: String,
    },
    /// The file is sound, but its layout is of another version.
    #[error(
        "{path}: its format is {found:?} and this program reads {}: use the program that wrote it",
        FORMATS.map(|format| format!("{format:?}")).join(" and ")
    )]
    Version {
        /// Path of the file.
        path: PathBuf,
        /// Version of the file's layout.
        found: String,
    },
    /// The file is sound, but lacks an item: the file belongs to another experiment.
    #[error("{path}: the file misses the item {item:?}: does it belong to another experiment?")]
    Misses {
        /// Path of the file.
        path: PathBuf,
        /// Name of the item.
        item: String,
    },
    /// The file is sound, but holds an item too many: the file belongs to another experiment.
    #[error("{path}: the file holds the item {item:?}, which has no place here: does it belong to another experiment?")]
    Holds {
        /// Path of the file.
        path: PathBuf,
        /// Name of the item.
        item: String,
    },
    /// The file is sound, but an item has another type or length: the file belongs to another experiment.
    #[error(
        "{path}: the item {item:?} is {found} and should be {expected}: does the file belong to another experiment?"
    )]
    Shape {
        /// Path of the file.
        path: PathBuf,
        /// Name of the item.
        item: String,
        /// Type and length of the item in the file, such as `F32[12]`.
        found: String,
        /// Type and length of the item in the state.
        expected: String,
    },
    /// Neither the latest checkpoint nor the one before can be used.
    #[error(
        "{latest}; the checkpoint before cannot be used either: {previous}; put one of them back, start over with --restart, or \
         choose another directory"
    )]
    Neither {
        /// What is wrong with the latest checkpoint.
        latest: Box<CheckpointError>,
        /// What is wrong with the checkpoint before.
        previous: Box<CheckpointError>,
    },
    /// The names and the metadata do not fit into a header.
    #[error(
        "{path}: a checkpoint of this run cannot be saved: the names of its items and its experiment would take {len} \
         bytes, and {HEADER_LIMIT} are the most"
    )]
    Header {
        /// Path of the file.
        path: PathBuf,
        /// Length of the header in bytes.
        len: usize,
    },
    /// Two walks over the state saw different numbers.
    #[error("{path}: not saved: the state changed while it was written, so a `visit` is not repeatable")]
    Changed {
        /// Path of the file.
        path: PathBuf,
    },
    /// The disk refused to save the file.
    #[error("not saved: {source}")]
    NotSaved {
        /// Path of the file.
        path: PathBuf,
        /// The call that failed.
        source: DiskError,
    },
    /// The disk refused another call.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl CheckpointError {
    /// Tells whether the file itself is at fault, so that an older file may be used instead. A sound file of another
    /// format or another experiment is not at fault: to go on from an older file would hide a mistake.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Truncated { .. } | Self::Damaged { .. } | Self::Disk(_))
    }
}

/// The directory of a run's checkpoints.
pub struct Checkpoints {
    dir: PathBuf,
    disk: Box<dyn Disk>,
    /// Whether this process is the one that writes in the directory.
    owner: bool,
}

/// The checkpoint that [`Checkpoints::load_latest`] found.
#[derive(Debug)]
pub struct Loaded {
    /// The caller's pairs, as they were saved.
    pub metadata: Metadata,
    /// Why the latest checkpoint could not be used, where the checkpoint before was used instead: a reason to warn.
    pub fell_back: Option<CheckpointError>,
}

impl Checkpoints {
    /// Opens the directory `dir` for the one process that writes there. Makes the directory if need be, and removes the
    /// temporary files that killed writers left.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, CheckpointError> {
        Self::open_on(Box::new(RealDisk), dir)
    }

    /// Opens the directory `dir` as [`Checkpoints::open`] does, on the disk `disk`.
    pub fn open_on(disk: Box<dyn Disk>, dir: impl Into<PathBuf>) -> Result<Self, CheckpointError> {
        let dir = dir.into();
        disk.create_dir(&dir).map_err(failed("create the directory", &dir))?;
        sweep(&*disk, &dir)?;
        Ok(Self { dir, disk, owner: true })
    }

    /// Opens the directory `dir` for reading, perhaps while a run writes there. Nothing in the directory changes.
    pub fn view(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), disk: Box::new(RealDisk), owner: false }
    }

    /// Returns the path of the checkpoint called `name`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.safetensors"))
    }

    /// Refuses a state that could not be saved as the checkpoint called `name`, before any work is lost. The walk costs
    /// less than a save, and nothing is written.
    pub fn check(&self, name: &str, state: &mut dyn State, metadata: &Metadata) -> Result<(), CheckpointError> {
        header(&self.path(name), state, metadata).map(drop)
    }

    /// Saves `state` as the checkpoint called `name`, durably, and returns the length of the file in bytes. The former
    /// [`LATEST`] becomes [`PREVIOUS`]. After an error the directory still holds what it held.
    pub fn save(&self, name: &str, state: &mut dyn State, metadata: &Metadata) -> Result<u64, CheckpointError> {
        let former = (name == LATEST).then(|| self.path(PREVIOUS));
        save_keeping(&*self.disk, &self.path(name), former.as_deref(), state, metadata)
    }

    /// Verifies the whole file of the checkpoint called `name`, and returns the caller's pairs.
    pub fn metadata(&self, name: &str) -> Result<Metadata, CheckpointError> {
        Ok(read(&*self.disk, &self.path(name), None)?.metadata)
    }

    /// Loads the checkpoint called `name` into `state`, and returns the caller's pairs. After an error the state is
    /// what it was.
    pub fn load(&self, name: &str, state: &mut dyn State) -> Result<Metadata, CheckpointError> {
        load(&*self.disk, &self.path(name), state)
    }

    /// Loads the latest checkpoint into `state`, or the checkpoint before if the latest is missing or damaged. Returns
    /// None if neither exists.
    ///
    /// A process that writes in the directory then sets the damaged file aside as [`DAMAGED`]: the next save must not
    /// put it in the place of the sound [`PREVIOUS`].
    pub fn load_latest(&self, state: &mut dyn State) -> Result<Option<Loaded>, CheckpointError> {
        let error = match self.load(LATEST, state) {
            Ok(metadata) => return Ok(Some(Loaded { metadata, fell_back: None })),
            Err(error) if error.is_damage() => error,
            Err(error) => return Err(error),
        };
        let missing = matches!(error, CheckpointError::Missing { .. });
        match self.load(PREVIOUS, state) {
            Ok(metadata) => {
                if self.owner && !missing {
                    // Where a file cannot be renamed, nothing can be saved either, and saving will report it.
                    let _ = self.disk.rename(&self.path(LATEST), &self.path(DAMAGED));
                    let _ = self.disk.sync_dir(&self.dir);
                }
                Ok(Some(Loaded { metadata, fell_back: Some(error) }))
            }
            Err(CheckpointError::Missing { .. }) if missing => Ok(None),
            Err(CheckpointError::Missing { .. }) => Err(error),
            Err(previous) => Err(CheckpointError::Neither { latest: Box::new(error), previous: Box::new(previous) }),
        }
    }
}

/// Saves `state` as the file `path`, atomically and durably, and returns the length of the file in bytes.
///
/// The state is visited, never copied. Panics if two items have the same name, or if `metadata` uses a key of the
/// format.
pub fn save(disk: &dyn Disk, path: &Path, state: &mut dyn State, metadata: &Metadata) -> Result<u64, CheckpointError> {
    save_keeping(disk, path, None, state, metadata)
}

/// Loads the file `path` into `state`, and returns the caller's pairs. After an error the state is what it was.
///
/// Loading takes as much memory as the file has bytes, and 16 MB more; a file that does not fit the state is never held
/// in memory.
pub fn load(disk: &dyn Disk, path: &Path, state: &mut dyn State) -> Result<Metadata, CheckpointError> {
    let file = read(disk, path, Some(&items(state)))?;
    walk(state, &mut |name, data| {
        let bytes = file.bytes(name);
        match data {
            Data::F32(x) => fill(name, x, &bytes, f32::from_le_bytes),
            Data::F64(x) => fill(name, x, &bytes, f64::from_le_bytes),
            Data::U64(x) => fill(name, x, &bytes, u64::from_le_bytes),
            Data::U8(x) => fill(name, x, &bytes, u8::from_le_bytes),
        }
    });
    Ok(file.metadata)
}

/// Returns a line for every item in which the two states differ, be it by a bit.
pub fn differences(a: &mut dyn State, b: &mut dyn State) -> Vec<String> {
    let mut left = BTreeMap::new();
    walk(a, &mut |name, data| {
        let mut bytes = Vec::new();
        stream(&data, &mut |part| bytes.extend_from_slice(part));
        left.insert(name.to_owned(), (dtype(&data), bytes));
    });
    let mut found = Vec::new();
    walk(b, &mut |name, data| {
        let kind = dtype(&data);
        let mut bytes = Vec::new();
        stream(&data, &mut |part| bytes.extend_from_slice(part));
        let Some((a_kind, a_bytes)) = left.remove(name) else {
            return found.push(format!("{name}: only in the second"));
        };
        let size = kind.bitsize() / 8;
        if (a_kind, a_bytes.len()) != (kind, bytes.len()) {
            let len = a_bytes.len() / (a_kind.bitsize() / 8);
            return found.push(format!("{name}: {a_kind}[{len}] and {kind}[{}]", bytes.len() / size));
        }
        let pairs = a_bytes.chunks_exact(size).zip(bytes.chunks_exact(size)).enumerate();
        let mut differ = pairs.filter(|(_, (a, b))| a != b);
        if let Some((i, (a, b))) = differ.next() {
            let (n, of) = (1 + differ.count(), bytes.len() / size);
            found.push(format!("{name}: {n} of {of} differ, first [{i}]: {} and {}", number(kind, a), number(kind, b)));
        }
    });
    found.extend(left.into_keys().map(|name| format!("{name}: only in the first")));
    found
}

/// Returns the name, place and value of the first number of a training that is not finite; None where all numbers are
/// finite. What an environment made, such as its snapshots, is no number of the training.
pub fn non_finite(state: &mut dyn State) -> Option<String> {
    let mut found = None;
    let mut see = |name: &str, data: Data<'_>| {
        let first = match &data {
            Data::F32(x) => x.iter().map(|&x| x as f64).enumerate().find(|(_, x)| !x.is_finite()),
            Data::F64(x) => x.iter().copied().enumerate().find(|(_, x)| !x.is_finite()),
            Data::U64(_) | Data::U8(_) => None,
        };
        if let (None, Some((i, x))) = (&found, first) {
            found = Some(format!("{name}[{i}] is {x}"));
        }
    };
    state.visit(&mut Walk { skips_envs: true, ..Walk::new(&mut see) });
    found
}

/// Writes a number and its bits, for people to read.
fn number(kind: Dtype, bytes: &[u8]) -> String {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    let bits = u64::from_le_bytes(word);
    match kind {
        Dtype::F32 => format!("{:e} ({bits:#010x})", f32::from_bits(bits as u32)),
        Dtype::F64 => format!("{:e} ({bits:#018x})", f64::from_bits(bits)),
        _ => bits.to_string(),
    }
}

/// A visitor that passes on every item with its full name.
struct Walk<'a> {
    /// The names of the open scopes, each followed by a `/`.
    path: String,
    /// The length that `path` had before each of the open scopes was opened.
    lengths: Vec<usize>,
    /// Whether items that environments made are left out.
    skips_envs: bool,
    f: &'a mut dyn FnMut(&str, Data<'_>),
}

impl<'a> Walk<'a> {
    fn new(f: &'a mut dyn FnMut(&str, Data<'_>)) -> Self {
        Self { path: String::new(), lengths: Vec::new(), skips_envs: false, f }
    }
}

impl Visitor for Walk<'_> {
    fn item(&mut self, name: &str, data: Data<'_>) {
        let len = self.path.len();
        self.path.push_str(name);
        (self.f)(&self.path, data);
        self.path.truncate(len);
    }

    fn item_of_env(&mut self, name: &str, numbers: &mut [f64]) {
        if !self.skips_envs {
            self.item(name, Data::F64(numbers));
        }
    }

    fn enter(&mut self, name: &str) {
        self.lengths.push(self.path.len());
        self.path.push_str(name);
        self.path.push('/');
    }

    fn leave(&mut self) {
        self.path.truncate(self.lengths.pop().expect("a scope is left that was not entered"));
    }
}

/// Shows every item of `state` to `f`, with its full name.
pub(super) fn walk(state: &mut dyn State, f: &mut dyn FnMut(&str, Data<'_>)) {
    state.visit(&mut Walk::new(f));
}

/// Returns the items of a state in the order of the file. Panics if two items have the same name.
fn items(state: &mut dyn State) -> Vec<Item> {
    let mut items = Vec::new();
    walk(state, &mut |name, data| {
        let len = match &data {
            Data::F32(x) => x.len(),
            Data::F64(x) => x.len(),
            Data::U64(x) => x.len(),
            Data::U8(x) => x.len(),
        };
        items.push(Item { name: name.to_owned(), dtype: dtype(&data), shape: vec![len] });
    });
    let mut names = BTreeSet::from(["__metadata__"]);
    for item in &items {
        assert!(names.insert(&item.name), "two items of the state are called {}", item.name);
    }
    items.sort_by_key(|item| std::cmp::Reverse(item.dtype.bitsize()));
    items
}

/// Returns the type of an item's numbers.
fn dtype(data: &Data<'_>) -> Dtype {
    match data {
        Data::F32(_) => Dtype::F32,
        Data::F64(_) => Dtype::F64,
        Data::U64(_) => Dtype::U64,
        Data::U8(_) => Dtype::U8,
    }
}

/// Shows the bytes of an item to `sink`, piece by piece.
fn stream(data: &Data<'_>, sink: &mut dyn FnMut(&[u8])) {
    fn pieces<T: Copy, const N: usize>(x: &[T], bytes: impl Fn(T) -> [u8; N], sink: &mut dyn FnMut(&[u8])) {
        let mut piece = [0; 16 << 10];
        for part in x.chunks(piece.len() / N) {
            for (to, &x) in piece.as_chunks_mut::<N>().0.iter_mut().zip(part) {
                *to = bytes(x);
            }
            sink(&piece[..part.len() * N]);
        }
    }
    match data {
        Data::F32(x) => pieces(x, f32::to_le_bytes, sink),
        Data::F64(x) => pieces(x, f64::to_le_bytes, sink),
        Data::U64(x) => pieces(x, u64::to_le_bytes, sink),
        Data::U8(x) => sink(x),
    }
}

/// Overwrites the numbers `x` of an item with the bytes of the file.
fn fill<T, const N: usize>(name: &str, x: &mut [T], bytes: &[u8], number: impl Fn([u8; N]) -> T) {
    assert_eq!(x.len() * N, bytes.len(), "the bytes of the item {name} were another number in the walk before");
    for (x, &bytes) in x.iter_mut().zip(bytes.as_chunks::<N>().0) {
        *x = number(bytes);
    }
}

/// Shows every byte behind the header to `sink`: one walk for the numbers of each size, the largest first.
fn payload(state: &mut dyn State, sink: &mut dyn FnMut(&[u8])) {
    for bits in [64, 32, 8] {
        walk(state, &mut |_, data| {
            if dtype(&data).bitsize() == bits {
                stream(&data, sink);
            }
        });
    }
}

/// Returns the part of the header of `state` after the hash, and the number of bytes that follow the header. An error
/// says that the header is too long.
fn header(path: &Path, state: &mut dyn State, metadata: &Metadata) -> Result<(String, usize), CheckpointError> {
    let (tail, data_len) = header_tail(&items(state), metadata);
    let len = PREFIX.len() + DIGITS + tail.len();
    if len > HEADER_LIMIT {
        return Err(CheckpointError::Header { path: path.to_owned(), len });
    }
    Ok((tail, data_len))
}

/// Saves as [`save`] does, and keeps the file that is replaced under the name `former`.
fn save_keeping(
    disk: &dyn Disk,
    path: &Path,
    former: Option<&Path>,
    state: &mut dyn State,
    metadata: &Metadata,
) -> Result<u64, CheckpointError> {
    let (tail, data_len) = header(path, state, metadata)?;
    let len = PREFIX.len() + DIGITS + tail.len();
    let mut hash = hash_of(tail.as_bytes());
    let mut again = hash.clone();
    payload(state, &mut |bytes| hash.update(bytes));
    let hash = hash.digest();
    let mut changed = false;
    replace(disk, path, former, &mut |file| {
        file.write_all(&(len as u64).to_le_bytes())?;
        write!(file, "{PREFIX}{hash:016x}{tail}")?;
        let mut written = Ok(());
        payload(state, &mut |bytes| {
            again.update(bytes);
            if written.is_ok() {
                written = file.write_all(bytes);
            }
        });
        written?;
        changed = again.digest() != hash;
        if changed { Err(ErrorKind::InvalidData.into()) } else { Ok(()) }
    })
    .map_err(|source| match changed {
        true => CheckpointError::Changed { path: path.to_owned() },
        false => CheckpointError::NotSaved { path: path.to_owned(), source },
    })?;
    Ok((8 + len + data_len) as u64)
}

/// The contents of a verified file.
struct Verified {
    metadata: Metadata,
    format: String,
    layout: Layout,
    /// The bytes that follow the header; empty if they were not asked for.
    payload: Vec<u8>,
}

impl Verified {
    /// Returns the bytes of the item `name` of a state that the file fits.
    fn bytes(&self, name: &str) -> Cow<'_, [u8]> {
        let of = |name: &String| {
            let info = self.layout.info(name).unwrap_or_else(|| panic!("the item {name} was not in the walk before"));
            &self.payload[info.data_offsets.0..info.data_offsets.1]
        };
        match &sources(&self.format, name, |name| self.layout.info(name).is_some())[..] {
            [one] => Cow::Borrowed(of(one)),
            parts => Cow::Owned(parts.iter().flat_map(of).copied().collect()),
        }
    }
}

/// Reads and verifies the file `path`. Where `items` is given, the file must hold these items and no others, and its
/// numbers are kept. The numbers are read into memory only when the lengths in the file's header and the length of the
/// file agree with the items.
fn read(disk: &dyn Disk, path: &Path, items: Option<&[Item]>) -> Result<Verified, CheckpointError> {
    let damaged = |what: String| CheckpointError::Damaged { path: path.to_owned(), what };
    let truncated = |present, expected| CheckpointError::Truncated { path: path.to_owned(), present, expected };
    let (mut file, present) = disk.open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => CheckpointError::Missing { path: path.to_owned() },
        _ => failed("open", path)(error).into(),
    })?;
    let mut take = |bytes: &mut [u8]| {
        file.read_exact(bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => damaged("it became shorter while it was read".into()),
            _ => failed("read", path)(error).into(),
        })
    };

    let mut length = [0; 8];
    if present < 8 {
        return Err(truncated(present, 8));
    }
    take(&mut length)?;
    let header_len = u64::from_le_bytes(length);
    if header_len > HEADER_LIMIT as u64 {
        return Err(damaged(format!("it claims a header of {header_len} bytes, and {HEADER_LIMIT} are the most")));
    }
    if present < 8 + header_len {
        return Err(truncated(present, 8 + header_len));
    }
    let mut header = vec![0; header_len as usize];
    take(&mut header)?;
    let (Some(rest), true) = (header.get(PREFIX.len() + DIGITS..), header.starts_with(PREFIX.as_bytes())) else {
        return Err(damaged("it does not begin as a checkpoint of this program does".into()));
    };
    let mut hash = hash_of(rest);
    let claimed = header[PREFIX.len()..][..DIGITS].to_vec();

    let unreadable = |error: &dyn std::fmt::Display| {
        damaged(format!("its header is unreadable ({})", short(&error.to_string().escape_debug().to_string())))
    };
    let Header { mut metadata, items: entries } = serde_json::from_slice(&header).map_err(|e| unreadable(&e))?;
    drop(header);
    let count = entries.len();
    let layout = Layout::new(None, entries).map_err(|error| unreadable(&error))?;
    let names = layout.offset_keys();
    if names.len() != count {
        return Err(damaged("its header names an item twice".into()));
    }
    let data_len = layout.data_len() as u64;
    match (8 + header_len).checked_add(data_len) {
        Some(expected) if expected < present => {
            return Err(damaged(format!("it has {} bytes too many", present - expected)));
        }
        Some(expected) if expected == present => {}
        expected => return Err(truncated(present, expected.unwrap_or(u64::MAX))),
    }

    // A file that does not fit is hashed all the same: if the file is damaged, that is the better message.
    let format = metadata.remove("format").unwrap_or_default();
    let fits = items.map(|items| fit(path, items, (&format, &layout), &names));
    let mut payload = Vec::new();
    if let Some(Ok(())) = fits {
        payload = vec![0; data_len as usize];
        take(&mut payload)?;
        hash.update(&payload);
    } else {
        let mut piece = [0; 16 << 10];
        let mut left = data_len;
        while left > 0 {
            let part = &mut piece[..left.min(16 << 10) as usize];
            take(part)?;
            hash.update(part);
            left -= part.len() as u64;
        }
    }
    if claimed != format!("{:016x}", hash.digest()).as_bytes() {
        return Err(damaged("its hash differs from the one that was written".into()));
    }
    if !FORMATS.contains(&format.as_str()) {
        return Err(CheckpointError::Version { path: path.to_owned(), found: short(&format) });
    }
    metadata.remove("xxh3");
    fits.transpose()?;
    Ok(Verified { metadata, format, layout, payload })
}

/// Checks that a file of this format and layout, whose items are called `names`, holds `items` and nothing else.
fn fit(
    path: &Path,
    items: &[Item],
    (format, layout): (&str, &Layout),
    names: &[String],
) -> Result<(), CheckpointError> {
    let path = path.to_owned();
    let mut expected = BTreeSet::new();
    for Item { name, dtype, shape } in items {
        let item = short(name);
        let sources = sources(format, name, |name| layout.info(name).is_some());
        let mut len = 0usize;
        for source in &sources {
            let Some(info) = layout.info(source) else {
                return Err(CheckpointError::Misses { path, item });
            };
            let found = match info.shape[..] {
                [n] if info.dtype == *dtype => n,
                _ => {
                    let found = short(&format!("{}{:?}", info.dtype, info.shape));
                    return Err(CheckpointError::Shape { path, item, found, expected: format!("{dtype}{shape:?}") });
                }
            };
            len = len.saturating_add(found);
        }
        if *shape != [len] {
            let found = format!("{dtype}[{len}]");
            return Err(CheckpointError::Shape { path, item, found, expected: format!("{dtype}{shape:?}") });
        }
        expected.extend(sources);
    }
    match names.iter().find(|name| !expected.contains(*name)) {
        Some(name) => Err(CheckpointError::Holds { path, item: short(name) }),
        None => Ok(()),
    }
}

/// Returns a text from an untrusted file, shortened for a message.
fn short(text: &str) -> String {
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
