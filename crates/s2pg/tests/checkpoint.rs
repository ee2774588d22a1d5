//! A checkpoint survives kills, full disks and power cuts, and a damaged or hostile file is an error that changes
//! nothing. `S2PG_FLIPS` and `S2PG_KILLS` are the numbers of bit flips and kills (2,000 and 50 if not set).

mod runs;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::{fs, panic};

use s2pg::env::{Entry, Options, Pendulum, Registry, TimeLimit};
use s2pg::experiment::{AlgorithmName, Estimator, Experiment};
use s2pg::run::checkpoint::{
    CheckpointError, Checkpoints, DAMAGED, LATEST, Metadata, PREVIOUS, differences, load, non_finite, save,
};
use s2pg::run::disk::{Disk, DiskFile, RealDisk, sweep, write_atomically};
use s2pg::run::{Run, RunError};
use s2pg::state::{Data, digest};
use s2pg::train::TrainError;
use s2pg::{Env, EnvError, EnvSpec, Outcome, Rng, State, Visitor};
use safetensors::SafeTensors;

/// A state with items of every kind and in scopes, whose numbers are random bits: NaNs and infinities are among them.
#[derive(Clone)]
struct Sample {
    flags: Vec<bool>,
    weights: Vec<f32>,
    statistics: Vec<f64>,
    empty: Vec<f32>,
    steps: usize,
    mean: f64,
    parts: Vec<Part>,
    rng: Rng,
}

#[derive(Clone)]
struct Part {
    bytes: Vec<u8>,
    weight: Vec<f32>,
    words: Vec<u64>,
}

impl Sample {
    /// The sample of `seed`, with about `50 n` bytes.
    fn new(n: usize, seed: u64) -> Self {
        let mut rng = Rng::new(seed, "sample");
        let part = |rng: &mut Rng| Part {
            bytes: (0..n % 7 + 1).map(|_| rng.bits() as u8).collect(),
            weight: (0..n).map(|_| f32::from_bits(rng.bits() as u32)).collect(),
            words: (0..n).map(|_| rng.bits()).collect(),
        };
        Self {
            flags: (0..n).map(|_| rng.uniform() < 0.5).collect(),
            weights: (0..2 * n).map(|_| f32::from_bits(rng.bits() as u32)).collect(),
            statistics: (0..n).map(|_| f64::from_bits(rng.bits())).collect(),
            empty: Vec::new(),
            steps: seed as usize,
            mean: rng.normal(),
            parts: (0..2).map(|_| part(&mut rng)).collect(),
            rng,
        }
    }
}

impl State for Sample {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { flags, weights, statistics, empty, steps, mean, parts, rng } = self;
        v.flags("flags", flags);
        v.item("weights", Data::F32(weights));
        v.item("statistics", Data::F64(statistics));
        v.item("empty", Data::F32(empty));
        v.count("steps", steps);
        v.number("mean", mean);
        v.enter("parts");
        parts.visit(v);
        v.leave();
        v.child("rng", rng);
    }
}

impl State for Part {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { bytes, weight, words } = self;
        v.item("bytes", Data::U8(bytes));
        v.item("weight", Data::F32(weight));
        v.item("words", Data::U64(words));
    }
}

/// A state of items named at will.
struct Items(Vec<(&'static str, Vec<f32>)>);

impl State for Items {
    fn visit(&mut self, v: &mut dyn Visitor) {
        for (name, x) in &mut self.0 {
            v.item(name, Data::F32(x));
        }
    }
}

fn pairs(step: usize) -> Metadata {
    let experiment = "seed = 1\nname = \"quo\\te\u{1}\u{e9}\"\n".to_owned();
    BTreeMap::from([("step".to_owned(), step.to_string()), ("experiment".to_owned(), experiment)])
}

fn number_from_env(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// Fails if `bytes` load, or change the state, or are blamed on anything but damage.
fn assert_damaged(path: &Path, bytes: &[u8], state: &mut Sample, what: &str) {
    fs::write(path, bytes).unwrap();
    let before = digest(state);
    let error = load(&RealDisk, path, state).expect_err(what);
    assert!(error.is_damage(), "{what}: {error}");
    assert!(error.to_string().contains(path.to_str().unwrap()), "{what}: {error}");
    assert_eq!(digest(state), before, "{what} changed the state");
}

/// Every item of every type, and the caller's pairs, come back to the bit; saving what was loaded gives the same file.
#[test]
fn what_is_saved_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::open(dir.path().join("a/b/checkpoints")).unwrap();
    for n in [0, 1, 3, 100, 5000] {
        let (mut state, mut other) = (Sample::new(n, 1), Sample::new(n, 2));
        let len = checkpoints.save(LATEST, &mut state, &pairs(7)).unwrap();
        assert_eq!(fs::metadata(checkpoints.path(LATEST)).unwrap().len(), len);
        assert_ne!(digest(&mut state), digest(&mut other));
        assert_eq!(checkpoints.load(LATEST, &mut other).unwrap(), pairs(7));
        assert_eq!(checkpoints.metadata(LATEST).unwrap(), pairs(7));
        assert_eq!(digest(&mut state), digest(&mut other));
        assert_eq!(differences(&mut state, &mut other), [""; 0]);
        checkpoints.save("again", &mut other, &pairs(7)).unwrap();
        assert_eq!(fs::read(checkpoints.path(LATEST)).unwrap(), fs::read(checkpoints.path("again")).unwrap());
    }
}

/// The safetensors crate reads the file; every number stands at a multiple of its size; names are joined scopes.
#[test]
fn a_checkpoint_is_a_safetensors_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.safetensors");
    for n in [1, 6, 33] {
        let mut state = Sample::new(n, 3);
        save(&RealDisk, &path, &mut state, &pairs(0)).unwrap();
        let file = fs::read(&path).unwrap();
        let (header, layout) = SafeTensors::read_metadata(&file).unwrap();
        assert_eq!(header % 8, 0);
        for info in layout.tensors().values() {
            assert_eq!(info.data_offsets.0 * 8 % info.dtype.bitsize(), 0, "{info:?}");
        }
        let tensors = SafeTensors::deserialize(&file).unwrap();
        let weight: Vec<u8> = state.parts[1].weight.iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(tensors.tensor("parts/1/weight").unwrap().data(), weight);
        assert_eq!(tensors.tensor("steps").unwrap().data(), 3u64.to_le_bytes());
        assert_eq!(tensors.len(), 13);
    }
}

/// A flipped bit, wherever it is, is noticed.
#[test]
fn every_flipped_bit_is_detected() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.safetensors");
    let mut state = Sample::new(50, 1);
    save(&RealDisk, &path, &mut state, &pairs(0)).unwrap();
    let sound = fs::read(&path).unwrap();
    let mut rng = Rng::new(0, "flips");
    let flips = number_from_env("S2PG_FLIPS", 2000);
    for _ in 0..flips {
        let mut file = sound.clone();
        let (byte, bit) = (rng.below(file.len()), rng.below(8));
        file[byte] ^= 1 << bit;
        assert_damaged(&path, &file, &mut state, &format!("bit {bit} of byte {byte}"));
    }
    // The header is where a flip could change a meaning: every bit of it.
    let header = 8 + u64::from_le_bytes(sound[..8].try_into().unwrap()) as usize;
    for byte in 0..header {
        for bit in 0..8 {
            let mut file = sound.clone();
            file[byte] ^= 1 << bit;
            assert_damaged(&path, &file, &mut state, &format!("bit {bit} of byte {byte}"));
        }
    }
    eprintln!("bit flips detected: {flips} random and all {} of the header", header * 8);
}

/// A file cut at any length, or with a tail, or with a zeroed page, is refused.
#[test]
fn cut_longer_and_zeroed_files_are_rejected() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.safetensors");
    let mut state = Sample::new(180, 1);
    save(&RealDisk, &path, &mut state, &pairs(0)).unwrap();
    let sound = fs::read(&path).unwrap();
    for len in 0..sound.len() {
        assert_damaged(&path, &sound[..len], &mut state, &format!("cut to {len} bytes"));
        let error = load(&RealDisk, &path, &mut state).unwrap_err();
        assert!(matches!(error, CheckpointError::Truncated { .. }), "cut to {len} bytes: {error}");
    }
    for tail in [1, 8, 4096] {
        let mut file = sound.clone();
        file.resize(sound.len() + tail, 0);
        assert_damaged(&path, &file, &mut state, "a tail");
    }
    for page in 0..sound.len().div_ceil(4096) {
        let mut file = sound.clone();
        let end = file.len().min((page + 1) * 4096);
        file[page * 4096..end].fill(0);
        assert_damaged(&path, &file, &mut state, "a zeroed page");
    }
    eprintln!("truncations rejected: all {}", sound.len());
}

/// A damaged or missing latest checkpoint gives way to the one before it, the caller learns why, and no later save puts
/// the damaged file in place of the sound one.
#[test]
fn a_damaged_latest_falls_back_to_the_previous() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::open(dir.path()).unwrap();
    let mut state = Sample::new(20, 9);
    assert!(checkpoints.load_latest(&mut state).unwrap().is_none());
    for step in [1, 2] {
        checkpoints.save(LATEST, &mut Sample::new(20, step), &pairs(step as usize)).unwrap();
    }
    let loaded = checkpoints.load_latest(&mut state).unwrap().unwrap();
    assert!(loaded.metadata == pairs(2) && loaded.fell_back.is_none());

    let mut file = fs::read(checkpoints.path(LATEST)).unwrap();
    *file.last_mut().unwrap() ^= 1;
    fs::write(checkpoints.path(LATEST), &file).unwrap();
    let loaded = Checkpoints::view(dir.path()).load_latest(&mut state).unwrap().unwrap();
    assert!(loaded.metadata == pairs(1) && checkpoints.path(LATEST).exists(), "a view changes nothing");
    let loaded = checkpoints.load_latest(&mut state).unwrap().unwrap();
    assert_eq!(loaded.metadata, pairs(1));
    assert!(matches!(loaded.fell_back, Some(CheckpointError::Damaged { .. })));
    assert_eq!(digest(&mut state), digest(&mut Sample::new(20, 1)));
    assert_eq!(fs::read(checkpoints.path(DAMAGED)).unwrap(), file);

    checkpoints.save(LATEST, &mut Sample::new(20, 3), &pairs(3)).unwrap();
    assert_eq!(checkpoints.metadata(PREVIOUS).unwrap(), pairs(1));
    assert_eq!(checkpoints.metadata(LATEST).unwrap(), pairs(3));
    fs::remove_file(checkpoints.path(LATEST)).unwrap();
    let loaded = checkpoints.load_latest(&mut state).unwrap().unwrap();
    assert!(matches!(loaded.fell_back, Some(CheckpointError::Missing { .. })));

    fs::write(checkpoints.path(LATEST), "").unwrap();
    fs::write(checkpoints.path(PREVIOUS), "").unwrap();
    let error = checkpoints.load_latest(&mut state).unwrap_err();
    assert!(matches!(error, CheckpointError::Neither { .. }), "{error}");
    fs::remove_file(checkpoints.path(PREVIOUS)).unwrap();
    let error = checkpoints.load_latest(&mut state).unwrap_err();
    assert!(matches!(error, CheckpointError::Truncated { .. }), "a run never starts anew by itself: {error}");
}

/// A sound file of another experiment names the item that does not fit, changes nothing, and is no reason to fall back.
#[test]
fn a_checkpoint_of_another_experiment_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::open(dir.path()).unwrap();
    let of = |items: &[(&'static str, usize)]| Items(items.iter().map(|&(name, n)| (name, vec![1.0; n])).collect());
    checkpoints.save(LATEST, &mut of(&[("a", 1), ("b", 2)]), &pairs(1)).unwrap();
    checkpoints.save(LATEST, &mut of(&[("a", 1), ("b", 2)]), &pairs(2)).unwrap();
    for (items, sentence) in [
        (of(&[("a", 1)]), r#"holds the item "b""#),
        (of(&[("a", 1), ("b", 2), ("c", 0)]), r#"misses the item "c""#),
        (of(&[("a", 1), ("b", 3)]), r#"the item "b" is F32[2] and should be F32[3]"#),
    ] {
        let mut items = items;
        let before = digest(&mut items);
        let error = checkpoints.load_latest(&mut items).unwrap_err();
        assert!(error.to_string().contains(sentence), "{error}");
        assert_eq!(digest(&mut items), before);
    }
    let error = checkpoints.load(LATEST, &mut Sample::new(1, 1)).unwrap_err();
    assert!(error.to_string().contains("misses the item"), "{error}");

    let (a, b) = (checkpoints.path("a"), checkpoints.path("b"));
    save(&RealDisk, &a, &mut Sample::new(10, 1), &pairs(1)).unwrap();
    save(&RealDisk, &b, &mut Sample::new(11, 1), &pairs(1)).unwrap();
    fs::rename(&a, dir.path().join("swap")).unwrap();
    fs::rename(&b, &a).unwrap();
    fs::rename(dir.path().join("swap"), &b).unwrap();
    for (path, n) in [(&a, 10), (&b, 11)] {
        let error = load(&RealDisk, path, &mut Sample::new(n, 1)).unwrap_err();
        assert!(matches!(error, CheckpointError::Shape { .. }), "{error}");
    }
}

/// Mistakes of a program are found at the first save: two items of one name, a walk that sees other numbers each time.
#[test]
fn mistakes_in_a_visit_are_found() {
    struct Restless(f32);
    impl State for Restless {
        fn visit(&mut self, v: &mut dyn Visitor) {
            self.0 += 1.0;
            v.item("x", Data::F32(&mut [self.0]));
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.safetensors");
    let error = save(&RealDisk, &path, &mut Restless(0.0), &pairs(0)).unwrap_err();
    assert!(matches!(error, CheckpointError::Changed { .. }), "{error}");
    let twice = panic::catch_unwind(|| {
        let mut items = Items(vec![("x", vec![1.0]), ("x", vec![2.0])]);
        save(&RealDisk, Path::new("never"), &mut items, &pairs(0))
    });
    assert!(twice.is_err());
    let mut large = BTreeMap::from([("text".to_owned(), "x".repeat(2 << 20))]);
    let error = save(&RealDisk, &path, &mut Items(vec![]), &large).unwrap_err();
    assert!(matches!(error, CheckpointError::Header { .. }), "{error}");
    large.insert("text".to_owned(), "x".repeat(1 << 19));
    save(&RealDisk, &path, &mut Items(vec![]), &large).unwrap();
    assert_eq!(load(&RealDisk, &path, &mut Items(vec![])).unwrap(), large);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file is left");
}

/// Differences name every item that differs, and how.
#[test]
fn differences_are_named() {
    let (mut a, mut b) = (Sample::new(4, 1), Sample::new(4, 1));
    b.weights[2] = -0.0;
    a.weights[2] = 0.0;
    b.steps = 5;
    b.parts[1].words.pop();
    b.flags[0] = !b.flags[0];
    let found = differences(&mut a, &mut b);
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(found[0].starts_with("flags: 1 of 4 differ, first [0]"), "{found:?}");
    assert_eq!(found[1], "weights: 1 of 8 differ, first [2]: 0e0 (0x00000000) and -0e0 (0x80000000)");
    assert_eq!(found[2], "steps: 1 of 1 differ, first [0]: 1 and 5");
    assert_eq!(found[3], "parts/1/words: U64[4] and U64[3]");
    let (mut x, mut y) = (Items(vec![("x", vec![f32::NAN])]), Items(vec![("y", vec![])]));
    assert_eq!(differences(&mut x, &mut y), ["y: only in the second", "x: only in the first"]);
    assert_eq!(differences(&mut Items(vec![("x", vec![f32::NAN])]), &mut x), [""; 0]);
}

/// Small files are replaced as a whole, and only temporary files are swept.
#[test]
fn small_files_are_written_atomically() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("experiment.toml");
    for text in ["a = 1", "b = 22"] {
        write_atomically(&RealDisk, &path, text.as_bytes()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    for name in [".a.safetensors.0.tmp", ".experiment.toml.77.12.tmp", ".gitignore", "a.1.tmp", ".a.tmp", ".a.b.tmp"] {
        fs::write(dir.path().join(name), "").unwrap();
    }
    assert_eq!(sweep(&RealDisk, dir.path()).unwrap(), 2);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 5);
    let error = write_atomically(&RealDisk, &dir.path().join("none/x"), b"").unwrap_err();
    assert!(error.to_string().contains("none/x"), "{error}");
}

/// The real disk, whose calls `from..until` fail because it is full.
#[derive(Clone)]
struct Full {
    calls: Arc<Mutex<usize>>,
    from: usize,
    until: usize,
}

impl Full {
    fn call(&self) -> io::Result<()> {
        let mut calls = self.calls.lock().unwrap();
        *calls += 1;
        if (self.from..self.until).contains(&(*calls - 1)) { Err(io::Error::from_raw_os_error(28)) } else { Ok(()) }
    }
}

impl Disk for Full {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.call().and_then(|()| RealDisk.create_dir(dir))
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        RealDisk.list(dir)
    }
    fn open(&self, path: &Path) -> io::Result<(Box<dyn Read>, u64)> {
        RealDisk.open(path)
    }
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.call()?;
        Ok(Box::new(FullFile(self.clone(), RealDisk.create_new(path)?)))
    }
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call().and_then(|()| RealDisk.link(from, to))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call().and_then(|()| RealDisk.rename(from, to))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.call().and_then(|()| RealDisk.sync_dir(dir))
    }
}

/// A file that takes half of what it is given before it is full, and at most 300 bytes a call.
struct FullFile(Full, Box<dyn DiskFile>);

impl Write for FullFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let part = &bytes[..bytes.len().min(300)];
        if let Err(error) = self.0.call() {
            self.1.write_all(&part[..part.len() / 2])?;
            return Err(error);
        }
        self.1.write(part)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.1.flush()
    }
}

impl DiskFile for FullFile {
    fn sync(&mut self) -> io::Result<()> {
        self.0.call().and_then(|()| self.1.sync())
    }
}

/// Whichever call a full disk refuses, the old checkpoint stays loadable, the error says so, nothing is left behind,
/// and the next save succeeds.
#[test]
fn a_full_disk_costs_a_checkpoint_and_never_the_old_one() {
    let (mut failures, mut swept) = (0, 0);
    for once in [true, false] {
        for former in [0, 1, 2] {
            for n in 0.. {
                let dir = tempfile::tempdir().unwrap();
                let until = if once { n + 1 } else { usize::MAX };
                let disk = Full { calls: Arc::new(Mutex::new(0)), from: n, until };
                let real = Checkpoints::open(dir.path()).unwrap();
                for step in 0..former {
                    real.save(LATEST, &mut Sample::new(20, step), &pairs(step as usize)).unwrap();
                }
                let full = match Checkpoints::open_on(Box::new(disk.clone()), dir.path()) {
                    Ok(full) => full,
                    Err(error) => {
                        assert!(n == 0 && error.to_string().contains("No space left on device"), "{error}");
                        continue;
                    }
                };
                let saved = full.save(LATEST, &mut Sample::new(20, 9), &pairs(9));
                let done = *disk.calls.lock().unwrap() <= n;
                assert_eq!(saved.is_ok(), done, "a refused call is an error");
                let replaced = real.metadata(LATEST).is_ok_and(|metadata| metadata == pairs(9));
                let mut state = Sample::new(20, 77);
                let loaded = real.load_latest(&mut state).unwrap().map(|loaded| {
                    assert!(loaded.fell_back.is_none());
                    loaded.metadata
                });
                if let Err(error) = &saved {
                    failures += 1;
                    let text = error.to_string();
                    assert!(matches!(error, CheckpointError::NotSaved { .. }), "{text}");
                    assert_eq!(text.matches("No space left on device").count(), 1, "{text}");
                    // Only the last call, which makes the names durable, fails after the new file is in place.
                    assert!(!replaced || text.contains("sync the directory"), "{text}");
                }
                match loaded {
                    Some(metadata) if replaced => assert_eq!(metadata, pairs(9)),
                    Some(metadata) => assert_eq!(metadata, pairs(former as usize - 1)),
                    None => assert!(former == 0 && saved.is_err()),
                }
                if former > 0 && replaced {
                    assert_eq!(real.metadata(PREVIOUS).unwrap(), pairs(former as usize - 1));
                }
                swept += sweep(&RealDisk, dir.path()).unwrap();
                real.save(LATEST, &mut Sample::new(20, 10), &pairs(10)).unwrap();
                assert_eq!(real.load(LATEST, &mut state).unwrap(), pairs(10));
                assert_eq!(sweep(&RealDisk, dir.path()).unwrap(), 0);
                if done {
                    saved.unwrap();
                    break;
                }
            }
        }
    }
    assert!(failures > 60 && swept == 0, "{failures} failures, {swept} files left");
    eprintln!("calls refused by a full disk: {failures}, old checkpoints lost: 0");
}

/// A disk in memory that remembers what a power cut may undo.
#[derive(Clone, Default)]
struct Ram(Arc<Mutex<Platter>>);

#[derive(Clone, Default)]
struct Platter {
    /// The bytes of every file, and how many of them are durable.
    files: Vec<(Vec<u8>, usize)>,
    /// Names as processes see them, and as they are if power fails with nothing pending written.
    names: BTreeMap<PathBuf, usize>,
    durable: BTreeMap<PathBuf, usize>,
    /// Changes of names since the directory was last synced.
    pending: Vec<Vec<(PathBuf, Option<usize>)>>,
    /// What the disk was after each call.
    history: Vec<Platter>,
    /// The last step that was acknowledged.
    acknowledged: Option<usize>,
}

impl Platter {
    fn change(&mut self, change: Vec<(PathBuf, Option<usize>)>) {
        apply(&mut self.names, &change);
        self.pending.push(change);
        self.remember();
    }

    fn remember(&mut self) {
        let history = std::mem::take(&mut self.history);
        let now = self.clone();
        self.history = history;
        self.history.push(now);
    }

    fn of(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().ok_or(ErrorKind::NotFound.into())
    }

    /// Every state that a power cut may leave: any of the pending changes of names; and of the bytes that are not
    /// durable any number of sixteenths, or all with zeros for the first half or for everything.
    fn crashes(&self) -> Vec<Platter> {
        let mut crashes = Vec::new();
        let fates = if self.files.iter().all(|(bytes, durable)| bytes.len() == *durable) { 1 } else { 19 };
        for subset in 0..1 << self.pending.len() {
            let mut names = self.durable.clone();
            for (i, change) in self.pending.iter().enumerate() {
                if subset >> i & 1 == 1 {
                    apply(&mut names, change);
                }
            }
            for fate in 0..fates {
                let files = self.files.iter().map(|(bytes, durable)| {
                    let written = bytes.len() - durable;
                    let mut bytes = bytes[..durable + written * fate.min(16) / 16].to_vec();
                    if fate > 16 {
                        bytes[*durable..][..written * (fate - 16) / 2].fill(0);
                    }
                    let len = bytes.len();
                    (bytes, len)
                });
                let (names, files) = (names.clone(), files.collect());
                crashes.push(Platter { files, durable: names.clone(), names, ..Platter::default() });
            }
        }
        crashes
    }
}

fn apply(names: &mut BTreeMap<PathBuf, usize>, change: &[(PathBuf, Option<usize>)]) {
    for (path, file) in change {
        match file {
            Some(file) => drop(names.insert(path.clone(), *file)),
            None => drop(names.remove(path)),
        }
    }
}

impl Disk for Ram {
    fn create_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn list(&self, _: &Path) -> io::Result<Vec<OsString>> {
        Ok(self.0.lock().unwrap().names.keys().map(|path| path.file_name().unwrap().to_owned()).collect())
    }
    fn open(&self, path: &Path) -> io::Result<(Box<dyn Read>, u64)> {
        let platter = self.0.lock().unwrap();
        let bytes = platter.files[platter.of(path)?].0.clone();
        let len = bytes.len() as u64;
        Ok((Box::new(io::Cursor::new(bytes)), len))
    }
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut platter = self.0.lock().unwrap();
        if platter.names.contains_key(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let file = platter.files.len();
        platter.files.push((Vec::new(), 0));
        platter.change(vec![(path.to_owned(), Some(file))]);
        Ok(Box::new(RamFile(self.clone(), file)))
    }
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut platter = self.0.lock().unwrap();
        let file = platter.of(from)?;
        if platter.names.contains_key(to) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        platter.change(vec![(to.to_owned(), Some(file))]);
        Ok(())
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut platter = self.0.lock().unwrap();
        let file = platter.of(from)?;
        // As POSIX has it: between two names of one file, nothing is done.
        if platter.names.get(to) != Some(&file) {
            platter.change(vec![(from.to_owned(), None), (to.to_owned(), Some(file))]);
        }
        Ok(())
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut platter = self.0.lock().unwrap();
        platter.of(path)?;
        platter.change(vec![(path.to_owned(), None)]);
        Ok(())
    }
    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        let mut platter = self.0.lock().unwrap();
        platter.durable = platter.names.clone();
        platter.pending.clear();
        platter.remember();
        Ok(())
    }
}

/// A file of the disk in memory; it takes at most 256 bytes a call.
struct RamFile(Ram, usize);

impl Write for RamFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut platter = self.0.0.lock().unwrap();
        let part = &bytes[..bytes.len().min(256)];
        platter.files[self.1].0.extend_from_slice(part);
        platter.remember();
        Ok(part.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for RamFile {
    fn sync(&mut self) -> io::Result<()> {
        let mut platter = self.0.0.lock().unwrap();
        let file = &mut platter.files[self.1];
        file.1 = file.0.len();
        platter.remember();
        Ok(())
    }
}

/// Whenever the power fails, and whatever of the unsynced calls it undoes, the last acknowledged checkpoint or a newer
/// one loads, and the run goes on.
#[test]
fn a_power_cut_leaves_the_old_checkpoint_or_the_new_one() {
    let dir = Path::new("checkpoints");
    let ram = Ram::default();
    let checkpoints = Checkpoints::open_on(Box::new(ram.clone()), dir).unwrap();
    for step in 0..4 {
        checkpoints.save(LATEST, &mut Sample::new(20, step), &pairs(step as usize)).unwrap();
        ram.0.lock().unwrap().acknowledged = Some(step as usize);
        if step == 2 {
            // The latest rots; the one before it is then what was acknowledged.
            let mut platter = ram.0.lock().unwrap();
            let file = platter.of(&checkpoints.path(LATEST)).unwrap();
            platter.files[file].0[1000] ^= 1;
            platter.acknowledged = Some(1);
            drop(platter);
            let loaded = checkpoints.load_latest(&mut Sample::new(20, 0)).unwrap().unwrap();
            assert!(loaded.metadata == pairs(1) && loaded.fell_back.is_some());
        }
    }
    let history = ram.0.lock().unwrap().history.clone();
    let (mut count, mut newer) = (0, 0);
    for (i, moment) in history.iter().enumerate() {
        for crash in moment.crashes() {
            count += 1;
            let disk = Ram(Arc::new(Mutex::new(crash)));
            let checkpoints = Checkpoints::open_on(Box::new(disk.clone()), dir).unwrap();
            let mut state = Sample::new(20, 77);
            let loaded = checkpoints.load_latest(&mut state).unwrap_or_else(|error| panic!("call {i}: {error}"));
            let step = loaded.map(|loaded| loaded.metadata["step"].parse::<usize>().unwrap());
            assert!(step >= moment.acknowledged, "call {i}: {step:?} of {:?}", moment.acknowledged);
            newer += usize::from(step > moment.acknowledged);
            if let Some(step) = step {
                assert_eq!(digest(&mut state), digest(&mut Sample::new(20, step as u64)));
            }
            checkpoints.save(LATEST, &mut Sample::new(20, 50), &pairs(50)).unwrap();
            assert_eq!(checkpoints.load(LATEST, &mut state).unwrap(), pairs(50));
            assert_eq!(step, checkpoints.metadata(PREVIOUS).ok().map(|pairs| pairs["step"].parse().unwrap()));
            let names = disk.list(dir).unwrap();
            assert!(!names.iter().any(|name| name.to_str().unwrap().starts_with('.')), "call {i}: {names:?}");
        }
    }
    assert!(count > 1000 && newer > 10 && newer < count / 2, "{newer} of {count} newer than acknowledged");
    eprintln!("states after a power cut: {count}, unreadable: 0");
}

/// The part of this test that runs in a process of its own, told by `S2PG_CHILD`.
#[test]
fn child() {
    let Ok(order) = std::env::var("S2PG_CHILD") else { return };
    let (order, path) = order.split_once(':').unwrap();
    match order {
        "save" => {
            let checkpoints = Checkpoints::open(path).unwrap();
            let first = checkpoints.load_latest(&mut Sample::new(4000, 0)).unwrap();
            let mut step = first.map_or(0, |loaded| loaded.metadata["step"].parse().unwrap());
            loop {
                step += 1;
                checkpoints.save(LATEST, &mut Sample::new(4000, step), &pairs(step as usize)).unwrap();
                // One call, so that a kill cannot cut the line.
                io::stderr().write_all(format!("saved {step}\n").as_bytes()).unwrap();
            }
        }
        "limited" => {
            let checkpoints = Checkpoints::open(path).unwrap();
            let error = checkpoints.save(LATEST, &mut Sample::new(4000, 2), &pairs(2)).unwrap_err();
            eprintln!("refused {error}");
        }
        "stream" => {
            let mut state = Items(vec![("a", vec![1.5; 16 << 20])]);
            let before = peak_memory();
            save(&RealDisk, Path::new(path), &mut state, &pairs(1)).unwrap();
            eprintln!("grew {}", peak_memory() - before);
            load(&RealDisk, Path::new(path), &mut state).unwrap();
            eprintln!("in all {}", peak_memory() - before);
        }
        "measure" => {
            let before = peak_memory();
            let _ = load(&RealDisk, Path::new(path), &mut Sample::new(1, 1)).unwrap_err();
            let _ = Checkpoints::view(Path::new(path).parent().unwrap()).metadata("hostile");
            eprintln!("grew {}", peak_memory() - before);
        }
        _ => unreachable!(),
    }
}

/// The most memory that this process has held, in bytes.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    1024 * line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
}

/// This test's own program, about to follow an order.
fn child_with(order: &str, path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]);
    command.env("S2PG_CHILD", format!("{order}:{}", path.display()));
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// A process killed at any microsecond loses nothing that it has acknowledged, and its leftovers are swept.
#[test]
#[cfg(unix)]
fn kills_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = Rng::new(0, "kills");
    let (kills, mut orphans) = (number_from_env("S2PG_KILLS", 50), 0);
    let (mut saves, mut before) = (0, 0);
    for _ in 0..kills {
        let mut child = child_with("save", dir.path()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut last = lines.next().unwrap().unwrap();
        std::thread::sleep(std::time::Duration::from_micros(rng.below(20_000) as u64));
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines {
            last = line.unwrap();
        }
        let acknowledged: u64 = last.strip_prefix("saved ").expect(&last).parse().unwrap();
        saves += acknowledged - before;
        orphans += fs::read_dir(dir.path()).unwrap().filter(|entry| !is_named(entry)).count();

        let checkpoints = Checkpoints::open(dir.path()).unwrap();
        let mut state = Sample::new(4000, 0);
        let loaded = checkpoints.load_latest(&mut state).unwrap().unwrap();
        assert!(loaded.fell_back.is_none());
        let step: u64 = loaded.metadata["step"].parse().unwrap();
        assert!(step == acknowledged || step == acknowledged + 1, "{acknowledged} acknowledged, {step} found");
        before = step;
        assert_eq!(digest(&mut state), digest(&mut Sample::new(4000, step)));
        assert!(fs::read_dir(dir.path()).unwrap().all(|entry| is_named(&entry)));
    }
    eprintln!("kills survived: {kills}, saves acknowledged: {saves}, temporary files swept: {orphans}");
}

fn is_named(entry: &io::Result<fs::DirEntry>) -> bool {
    entry.as_ref().unwrap().file_name().to_str().unwrap().ends_with(".safetensors")
}

/// A limit of the system on the size of files is an error like a full disk, and the old checkpoint stays.
#[test]
#[cfg(target_os = "linux")]
fn a_limit_on_file_size_costs_a_checkpoint_only() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::open(dir.path()).unwrap();
    checkpoints.save(LATEST, &mut Sample::new(4000, 1), &pairs(1)).unwrap();
    let test = child_with("limited", dir.path());
    let order = test.get_envs().find(|(name, _)| *name == "S2PG_CHILD").unwrap().1.unwrap();
    let mut limited = Command::new("sh");
    limited.args(["-c", r#"trap "" XFSZ; ulimit -f 64; exec "$0" --exact child --nocapture"#]);
    limited.arg(test.get_program()).env("S2PG_CHILD", order).stdout(Stdio::null());
    let output = limited.stderr(Stdio::piped()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("refused not saved") && text.contains("File too large"), "{text}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    let mut state = Sample::new(4000, 0);
    assert_eq!(checkpoints.load(LATEST, &mut state).unwrap(), pairs(1));
}

/// A file with this header, whose hash is right: the prefix, the hash and then `tail` are its header.
fn forge(tail: impl AsRef<[u8]>, payload: &[u8]) -> Vec<u8> {
    let tail = tail.as_ref();
    let prefix = r#"{"__metadata__":{"xxh3":""#;
    let length = ((prefix.len() + 16 + tail.len()) as u64).to_le_bytes();
    let hashed = [&length, prefix.as_bytes(), tail, payload].concat();
    let hash = format!("{:016x}", xxhash_rust::xxh3::xxh3_64(&hashed));
    [&length, prefix.as_bytes(), hash.as_bytes(), tail, payload].concat()
}

/// Files made to deceive, with a right hash, are errors that change nothing; so is a sound one of another version.
#[test]
fn hostile_files_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.safetensors");
    let mut state = Items(vec![("a", vec![1.0, 2.0]), ("b", vec![3.0])]);
    let a = r#""a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#;
    let b = r#""b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}"#;
    let start = r#"","format":"s2pg/2"}"#;
    fs::write(&path, forge(format!("{start},{a},{b}}}"), &[0; 12])).unwrap();
    assert!(load(&RealDisk, &path, &mut state).unwrap().is_empty(), "the forger is able");
    let mut state = Items(vec![("a", vec![1.0, 2.0]), ("b", vec![3.0])]);
    let before = digest(&mut state);

    let max = u64::MAX;
    let items = |items: &[&str], bytes: usize| forge(format!("{start},{}}}", items.join(",")), &vec![0; bytes]);
    let new_a = |from: &str, to: &str| items(&[&a.replace(from, to), b], 12);
    let new_b = |from: &str, to: &str| items(&[a, &b.replace(from, to)], 12);
    let c = |kind: &str, n: u64| format!(r#""c":{{"dtype":"{kind}","shape":[{n}],"data_offsets":[0,{n}]}}"#);
    let mut cases = vec![
        ("another version", "its format is", forge(format!(r#"","format":"s2pg/3"}},{a},{b}}}"#), &[0; 12])),
        ("no version", "its format is", forge(format!(r#""}},{a},{b}}}"#), &[0; 12])),
        ("a number as version", "unreadable", forge(format!(r#"","format":1}},{a},{b}}}"#), &[0; 12])),
        ("another type", "is F64[1] and should be F32[2]", new_a(r#""F32","shape":[2]"#, r#""F64","shape":[1]"#)),
        ("a type of the same size", "is I32[2] and should be F32[2]", new_a("F32", "I32")),
        ("an unknown type", "unreadable", new_a("F32", "X\\u001b[2J")),
        ("two dimensions", "is F32[2, 1] and should be F32[2]", new_a("[2]", "[2,1]")),
        ("no dimension", "is F32[] and should be F32[1]", new_b("[1]", "[]")),
        ("a lying type", "invalid shape", new_a("F32", "F64")),
        ("a lying shape", "invalid shape", new_a("[2]", "[3]")),
        ("a huge shape", "overflow", new_a("[2]", "[4294967296,4294967296]")),
        ("an overlap", "invalid offset", new_b("[8,12]", "[4,8]")),
        ("a gap", "invalid offset", items(&[a, &b.replace("[8,12]", "[12,16]")], 16)),
        ("backwards", "invalid offset", new_b("[8,12]", "[8,4]")),
        ("a negative offset", "unreadable", new_b("[8,12]", "[-8,12]")),
        ("an item past the end", "truncated", items(&[a, b], 8)),
        ("a hidden tail", "4 bytes too many", items(&[a, b], 16)),
        ("an item twice", "names an item twice", items(&[a, b, &b.replace("[1]", "[0]").replace("[8,", "[12,")], 12)),
        ("no items", "misses the item", forge(format!("{start}}}"), &[])),
        ("an item of all memory", "unreadable", items(&[&c("U8", max)], 0)),
        ("an item of 2^60 bytes", "truncated", items(&[&c("U8", 1 << 60)], 0)),
        ("no JSON", "unreadable", forge("\"", &[])),
        ("no text", "unreadable", forge([0xff; 8], &[])),
        ("text behind", "unreadable", forge(format!("{start},{a},{b}}} x"), &[0; 12])),
        ("deep", "unreadable", forge(format!(r#"{start},"a":{}"#, "[".repeat(100_000)), &[])),
        ("deep inside", "unreadable", forge(format!(r#"{start},"a":{{"x":{}"#, "[".repeat(100_000)), &[])),
    ];
    let sound = forge(format!("{start},{a},{b}}}"), &[0; 12]);
    for (n, sentence) in
        [(max, "claims a header"), (1 << 40, "claims a header"), (1 << 20, "truncated"), (0, "begin"), (30, "begin")]
    {
        cases.push(("lying length", sentence, [&n.to_le_bytes(), &sound[8..]].concat()));
    }
    for (what, sentence, file) in &cases {
        fs::write(&path, file).unwrap();
        let error = load(&RealDisk, &path, &mut state).expect_err(what).to_string();
        assert!(error.contains(sentence) && error.len() < 600, "{what}: {error}");
        assert!(!error.contains('\u{1b}'), "{what}: {error}");
        assert_eq!(digest(&mut state), before, "{what}");
        let _ = Checkpoints::view(dir.path()).metadata("x");
    }
    let name = "\\u001b[2J".repeat(5000);
    fs::write(&path, items(&[a, b, &format!(r#""{name}":{{"dtype":"U8","shape":[0],"data_offsets":[12,12]}}"#)], 12))
        .unwrap();
    let error = load(&RealDisk, &path, &mut state).unwrap_err().to_string();
    assert!(error.contains("holds the item") && !error.contains('\u{1b}') && error.len() < 1500, "{error}");
    let error = load(&RealDisk, dir.path(), &mut state).unwrap_err().to_string();
    assert!(error.contains("not a regular file"), "{error}");
    let error = load(&RealDisk, &dir.path().join("none"), &mut state).unwrap_err();
    assert!(matches!(error, CheckpointError::Missing { .. }) && error.to_string().contains("none"), "{error}");
}

/// The sound file `file` as the version before laid it out: the items of each of `n` environments stand apart.
fn former(file: &[u8], n: usize) -> Vec<u8> {
    let mut items = Vec::new();
    for (name, tensor) in SafeTensors::deserialize(file).unwrap().tensors() {
        let parts = |scope, part| name.split_once(scope).map(|(start, column)| (format!("{start}/{part}"), column));
        let (kind, len, bytes) = (tensor.dtype(), tensor.shape()[0], tensor.data().to_vec());
        match parts("/lanes/", "").or(parts("/rollouts/", "rollout_")) {
            Some((start, column)) => items.extend((0..n).map(|i| {
                let part = bytes[i * bytes.len() / n..(i + 1) * bytes.len() / n].to_vec();
                (format!("{start}{i}/{column}"), kind, len / n, part)
            })),
            None => items.push((name, kind, len, bytes)),
        }
    }
    items.sort_by_key(|item| std::cmp::Reverse(item.1.bitsize()));
    let (mut tail, mut payload) = (r#"","format":"s2pg/1","step":"1"}"#.to_owned(), Vec::new());
    for (name, kind, len, bytes) in items {
        let (start, end) = (payload.len(), payload.len() + bytes.len());
        payload.extend(bytes);
        tail += &format!(r#","{name}":{{"dtype":"{kind}","shape":[{len}],"data_offsets":[{start},{end}]}}"#);
    }
    forge(tail + "}", &payload)
}

/// A checkpoint of the version before, in which every environment had items of its own, loads to the bit: the run goes
/// on as it would have, and is saved in the layout of now. One that lacks an environment is refused.
#[test]
fn a_checkpoint_of_the_version_before_loads_exactly() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::open(dir.path()).unwrap();
    for (algorithm, parallel) in [("ppo", 3), ("reinforce", 2), ("sac", 3)] {
        let pair = (algorithm.parse().unwrap(), Estimator::Rs(1), "gru");
        let of = |parallel| runs::training(&runs::experiment(pair, "TMaze-v0", parallel, 1000, ""), 1);
        let (mut a, mut b, mut other) = (of(parallel), of(parallel), of(parallel + 1));
        for _ in 0..37 {
            a.step().unwrap();
        }
        checkpoints.save(LATEST, &mut *a, &Metadata::new()).unwrap();
        let now = fs::read(checkpoints.path(LATEST)).unwrap();
        let then = former(&now, parallel);
        assert!(String::from_utf8_lossy(&then).contains("env/1/streak"), "{algorithm}");
        fs::write(checkpoints.path(LATEST), &then).unwrap();

        let before = digest(&mut *other);
        let error = checkpoints.load(LATEST, &mut *other).unwrap_err();
        assert!(
            matches!(error, CheckpointError::Shape { .. } | CheckpointError::Misses { .. }),
            "{algorithm}: {error}"
        );
        assert_eq!(digest(&mut *other), before);
        assert_eq!(checkpoints.load(LATEST, &mut *b).unwrap()["step"], "1");
        b.check().unwrap();
        assert_eq!(differences(&mut *a, &mut *b), [""; 0], "{algorithm}");
        checkpoints.save("again", &mut *b, &Metadata::new()).unwrap();
        assert!(fs::read(checkpoints.path("again")).unwrap() == now, "{algorithm}");
        for _ in 0..37 {
            a.step().unwrap();
            b.step().unwrap();
        }
        assert_eq!(differences(&mut *a, &mut *b), [""; 0], "{algorithm}");
    }
}

/// A run of 4,096 environments is saved and goes on to the bit, for every algorithm: its header is as long as that of
/// two, but for the digits of its numbers.
#[test]
fn thousands_of_environments_are_saved() {
    const MANY: usize = 4096;
    for algorithm in AlgorithmName::all() {
        let pair = (algorithm, runs::usual(algorithm), "gru");
        let of = |parallel: usize| {
            let mut experiment = runs::experiment(pair, "TMaze-v0", 2, 20 * MANY, "");
            (experiment.env.parallel, experiment.evaluation.every) = (parallel, 0);
            (experiment.ppo.steps, experiment.trpo.steps, experiment.reinforce.episodes) =
                (parallel, parallel, parallel);
            (experiment.ppo.minibatch, experiment.trpo.minibatch) = (parallel, parallel);
            (experiment.gail.steps, experiment.gail.minibatch) = (parallel, parallel);
            (experiment.distil.steps, experiment.distil.minibatch) = (parallel, parallel);
            (experiment.lsiq.replay, experiment.lsiq.update_ratio) = (4 * MANY, 1e-3);
            (experiment.sac.replay, experiment.td3.replay) = (4 * MANY, 4 * MANY);
            (experiment.slac.replay, experiment.slac.update_ratio) = (4 * MANY, 1e-3);
            (experiment.sac.update_ratio, experiment.td3.update_ratio) = (1e-3, 1e-3);
            experiment
        };
        let [few, many] = [2, MANY].map(|n| {
            let dir = tempfile::tempdir().unwrap();
            let experiment = of(n);
            let (mut run, _) = Run::open(dir.path(), &experiment, runs::registry(), 1, 0.0).unwrap();
            (0..3).for_each(|_| drop(run.advance(0.0, 0.0).unwrap()));
            run.save().unwrap();
            let state = digest(run.training());
            drop(run);
            let (mut run, warning) = Run::open(dir.path(), &experiment, runs::registry(), 2, 0.0).unwrap();
            assert!(warning.is_none() && digest(run.training()) == state, "{algorithm} x {n}");
            let file = fs::read(dir.path().join("checkpoints/latest.safetensors")).unwrap();
            (SafeTensors::deserialize(&file).unwrap().len(), SafeTensors::read_metadata(&file).unwrap().0)
        });
        assert_eq!(few.0, many.0, "{algorithm}: items");
        assert!(many.1 < few.1 + 2000, "{algorithm}: headers of {} and {} bytes", few.1, many.1);
    }
}

/// A pendulum with a snapshot of its own kind: as the option `kind` says, an infinity is in it, or it grows with time.
struct Odd {
    env: TimeLimit<Pendulum>,
    kind: String,
    steps: usize,
}

fn odd(options: &Options) -> Result<Box<dyn Env>, EnvError> {
    let kind = options["kind"].as_str().unwrap().into();
    Ok(Box::new(Odd { env: TimeLimit::new(Pendulum::new(&Options::new())?), kind, steps: 0 }))
}

impl Env for Odd {
    fn spec(&self) -> &EnvSpec {
        self.env.spec()
    }
    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
        self.env.reset(rng)
    }
    fn step(&mut self, a: &[f32], rng: &mut Rng) -> Result<Outcome, EnvError> {
        self.steps += 1;
        self.env.step(a, rng)
    }
    fn observe(&self, o: &mut [f32], s: &mut [f32]) {
        self.env.observe(o, s);
    }
    fn metrics(&self) -> Vec<(&'static str, f64)> {
        vec![("nearest", f64::INFINITY), ("nothing", f64::NAN)]
    }
    fn snapshot(&self) -> Vec<f64> {
        let more = if self.kind == "grows" { self.steps / 4 } else { 0 };
        [self.env.snapshot(), vec![f64::NEG_INFINITY; 1 + more], vec![self.steps as f64]].concat()
    }
    fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
        let [inner @ .., low, steps] = state else { panic!("a snapshot of another environment") };
        assert_eq!(*low, f64::NEG_INFINITY);
        self.steps = *steps as usize;
        self.env.restore(inner)
    }
}

fn with_odd(kind: &str) -> (Experiment, Arc<Registry>) {
    let mut registry = Registry::new();
    registry.extend([Entry { name: "Odd", about: "has odd snapshots", make: odd }]);
    let pair = ("ppo".parse().unwrap(), Estimator::Rs(1), "gru");
    let mut experiment = runs::experiment(pair, "Odd", 2, 2000, "");
    experiment.env.options.insert("kind".into(), kind.into());
    experiment.evaluation.every = 0;
    (experiment, Arc::new(registry))
}

/// An infinity in a snapshot, and figures of an environment that are not finite, are no divergence of the training: the
/// run is saved with them, and goes on.
#[test]
fn infinities_of_an_environment_are_saved() {
    let (experiment, registry) = with_odd("infinite");
    let dir = tempfile::tempdir().unwrap();
    let (mut run, _) = Run::open(dir.path(), &experiment, Arc::clone(&registry), 2, 0.0).unwrap();
    // Longer than an episode.
    (0..250).for_each(|_| drop(run.advance(0.0, 0.0).unwrap()));
    // A figure that is not finite is an empty cell.
    assert!(run.training().episodes().means().any(|(_, x)| x.is_nan()));
    assert_eq!(non_finite(run.training()), None);
    run.save().unwrap();
    let (step, state) = (run.steps(), digest(run.training()));
    drop(run);
    let (mut run, warning) = Run::open(dir.path(), &experiment, registry, 1, 0.0).unwrap();
    assert_eq!((warning, run.steps(), digest(run.training())), (None, step, state));
    run.advance(0.0, 0.0).unwrap();
}

/// A snapshot whose length changes is an error that names the environment, when it is saved or in the next step;
/// nothing is written and nothing panics.
#[test]
fn a_snapshot_of_another_length_is_an_error_of_its_environment() {
    let (experiment, registry) = with_odd("grows");
    for save in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let (mut run, _) = Run::open(dir.path(), &experiment, Arc::clone(&registry), 1, 0.0).unwrap();
        (0..3).for_each(|_| drop(run.advance(0.0, 0.0).unwrap()));
        run.save().unwrap();
        run.advance(0.0, 0.0).unwrap();
        let before = fs::read(dir.path().join("checkpoints/latest.safetensors")).unwrap();
        let error = match save {
            true => run.save().unwrap_err(),
            false => {
                digest(run.training());
                run.advance(0.0, 0.0).unwrap_err()
            }
        };
        let text = error.to_string();
        assert!(matches!(error, RunError::Train(TrainError::Env(EnvError::Invalid { .. }))), "{text}");
        assert!(text.contains("a snapshot has 7 numbers, and the one before had 6"), "{text}");
        assert!(fs::read(dir.path().join("checkpoints/latest.safetensors")).unwrap() == before);
    }
}

/// A run that could not be saved is refused before its first step, and leaves nothing behind.
#[test]
fn what_cannot_be_saved_is_refused_before_the_first_step() {
    let (mut experiment, registry) = with_odd("infinite");
    experiment.env.options.insert("text".into(), "x".repeat(2 << 20).into());
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let Err(error) = Run::open(&run, &experiment, registry, 1, 0.0) else { panic!("a header of 2 MB") };
    assert!(matches!(error, RunError::Checkpoint(CheckpointError::Header { .. })), "{error}");
    assert!(error.to_string().contains("a checkpoint of this run cannot be saved") && !run.exists(), "{error}");
}

/// Random edits of a sound file's header whose hash is made right again never panic: what is refused changes nothing,
/// and what is loaded are the numbers of the sound file.
#[test]
fn forged_edits_never_panic() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.safetensors");
    save(&RealDisk, &path, &mut Sample::new(3, 1), &pairs(1)).unwrap();
    let sound = fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(sound[..8].try_into().unwrap()) as usize;
    let prefix = 8 + r#"{"__metadata__":{"xxh3":""#.len() + 16;
    let mut rng = Rng::new(0, "edits");
    let (mut loaded, mut refused) = (0, 0);
    for _ in 0..number_from_env("S2PG_FLIPS", 2000) {
        let mut tail = sound[prefix..header].to_vec();
        for _ in 0..1 + rng.below(3) {
            let at = rng.below(tail.len());
            match rng.below(4) {
                0 => tail[at] = b"0123456789[]{},:\" "[rng.below(18)],
                1 => drop(tail.remove(at)),
                2 => tail.insert(at, b"0123456789[]{},:\" "[rng.below(18)]),
                _ => tail.rotate_left(1),
            }
        }
        let Ok(tail) = String::from_utf8(tail) else { continue };
        fs::write(&path, forge(&tail, &sound[header..])).unwrap();
        let mut state = Sample::new(3, 2);
        let before = digest(&mut state);
        match load(&RealDisk, &path, &mut state) {
            Ok(_) => {
                assert_eq!(digest(&mut state), digest(&mut Sample::new(3, 1)));
                loaded += 1;
            }
            Err(_) => {
                assert_eq!(digest(&mut state), before);
                refused += 1;
            }
        }
    }
    // Edits of the caller's pairs and of the padding are what a forger may do.
    println!("{loaded} forged files loaded, {refused} refused");
    assert!(200 * loaded > refused && refused > loaded, "{loaded} forged files loaded, {refused} refused");
}

/// Saving a state of 64 MB takes 8 MB at most, and loading it no more than the file's length and 8 MB.
#[test]
#[cfg(target_os = "linux")]
fn a_save_streams() {
    let dir = tempfile::tempdir().unwrap();
    let output = child_with("stream", &dir.path().join("x.safetensors")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    let after = |words| text.lines().find_map(|line| line.strip_prefix(words)).expect(&text).parse::<u64>().unwrap();
    let (grew, all) = (after("grew "), after("in all "));
    eprintln!("64 MB saved with {} kB of memory, loaded with {} kB", grew / 1024, all / 1024);
    assert!(grew <= 8 << 20 && all <= (64 + 8) << 20, "{grew} {all}");
}

/// Refusing a file that does not fit takes at most 16 MB of memory, however long it is and whatever its header says.
#[test]
#[cfg(target_os = "linux")]
fn hostile_files_take_bounded_memory() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hostile.safetensors");
    let start = r#"","format":"s2pg/2"}"#;
    let limit = (1 << 20) - 200;
    let until_full = |part: &dyn Fn(usize) -> String| {
        let mut text = String::new();
        for i in 0.. {
            let part = part(i);
            if text.len() + part.len() > limit {
                return text;
            }
            text += &part;
        }
        unreachable!()
    };
    let many = until_full(&|i| format!(r#","{i:x}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#));
    let shape = until_full(&|_| "0,".into());
    let twice = until_full(&|i| format!(r#","{i:x}":"""#));
    let same = until_full(&|_| r#","":{"dtype":"U8","shape":[],"data_offsets":[0,0]}"#.into());
    let worst = [
        ("many items", forge(format!("{start}{many}}}"), &[])),
        (
            "a long shape",
            forge(format!(r#"{start},"a":{{"dtype":"U8","shape":[{shape}0],"data_offsets":[0,0]}}}}"#), &[]),
        ),
        ("many pairs", forge(format!(r#""{twice}}}}}"#), &[])),
        ("equal names", forge(format!("{start}{same}}}"), &[])),
        ("a long text", forge(format!(r#"","a":"{}"}}}}"#, "\\u0041".repeat(limit / 6)), &[])),
        (
            "a large item",
            forge(
                format!(r#"{start},"a":{{"dtype":"U8","shape":[{n}],"data_offsets":[0,{n}]}}}}"#, n = 64 << 20),
                &vec![0; 64 << 20],
            ),
        ),
        ("a lying length", [&(1u64 << 60).to_le_bytes()[..], &[b' '; 100]].concat()),
    ];
    for (what, file) in worst {
        fs::write(&path, &file).unwrap();
        let output = child_with("measure", &path).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        let grew: u64 = text.lines().find_map(|line| line.strip_prefix("grew ")).expect(&text).parse().unwrap();
        eprintln!("{what}: {} kB of file, {} kB of memory", file.len() / 1024, grew / 1024);
        assert!(grew <= 16 << 20, "{what}: {grew} bytes");
    }
}
