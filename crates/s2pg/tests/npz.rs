//! Archives of numpy's are read number for number, and whatever else a file holds is one sentence, in memory that is
//! bounded: 2,000 random mutations, `S2PG_CASES` for another number.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use s2pg::data::npz::{Array, Limits, NpzError, read};
use s2pg::rng::Rng;

/// An allocator that notes the largest piece of memory that a thread asked for.
struct Noting;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Noting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.set(LARGEST.get().max(layout.size()));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static NOTING: Noting = Noting;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/npz").join(name)
}

/// Reads an archive of these bytes.
fn read_bytes(dir: &Path, bytes: &[u8], limits: Limits) -> Result<Vec<(String, Array)>, NpzError> {
    let path = dir.join("x.npz");
    fs::write(&path, bytes).unwrap();
    read(&path, limits)
}

/// A sentence about a file: one line, with the file's name first.
fn sentence(e: NpzError) -> String {
    let text = e.to_string();
    assert!(!text.contains('\n') && text.contains(".npz: ") && text.len() < 400, "{text}");
    text
}

/// Numbers of every kind, flags, arrays by columns, of one number and of none, are numpy's, packed and not.
#[test]
fn archives_of_numpy_are_read() {
    for file in ["plain.npz", "packed.npz"] {
        let arrays = read(&golden(file), Limits::default()).unwrap();
        assert_eq!(arrays.len(), 15);
        for (name, array) in arrays {
            let x = |f: fn(f64) -> f64| (0..6).map(|i| f(i as f64)).collect::<Vec<_>>();
            let (shape, data) = match &name[..] {
                "f8" | "f4" | "i8" | "i4" | "i2" | "i1" => (vec![2, 3], x(|x| x - 2.0)),
                "u8" | "u4" | "u2" | "u1" => (vec![2, 3], x(|x| x)),
                "flags" => (vec![2, 3], x(|x| (x % 2.0 == 0.0) as u8 as f64)),
                "columns" => (vec![2, 3], x(|x| x / 4.0)),
                "one" => (vec![], vec![0.5]),
                "row" => (vec![3], vec![0.0, 0.125, 0.25]),
                "none" => (vec![0, 3], vec![]),
                _ => panic!("{name}"),
            };
            assert_eq!(array, Array { shape, data }, "{file}, {name}");
        }
    }
}

/// What is no archive of numbers is refused in a sentence that says what to do.
#[test]
fn what_cannot_be_read_is_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    for (file, part) in [
        ("objects.npz", "its array `q` holds Python objects, which can run a program"),
        ("fields.npz", "its array `q` is of the kind `[('a', '<f8'), ('b', '<i4')]`"),
        ("words.npz", "its array `q` is of the kind `<U1`"),
        ("big_endian.npz", "its array `q` is of the kind `>f8`"),
        ("cube_by_columns.npz", "numpy.ascontiguousarray"),
        ("nowhere.npz", "No such file"),
    ] {
        let error = sentence(read(&golden(file), Limits::default()).unwrap_err());
        assert!(error.contains(part), "{error}");
    }
    assert!(read(dir.path(), Limits::default()).unwrap_err().to_string().contains("no regular file"));
    for (bytes, part) in [(&b""[..], "no archive"), (b"PK\x05\x06", "no archive"), (&[0; 70_000], "no archive")] {
        assert!(sentence(read_bytes(dir.path(), bytes, Limits::default()).unwrap_err()).contains(part));
    }
}

/// An archive that ends anywhere is refused, and one with a byte changed is refused or reads the same numbers.
#[test]
fn what_was_cut_off_or_changed_is_found() {
    let dir = tempfile::tempdir().unwrap();
    for file in ["plain.npz", "packed.npz"] {
        let whole = fs::read(golden(file)).unwrap();
        let numbers = read(&golden(file), Limits::default()).unwrap();
        for end in (0..whole.len()).step_by(61) {
            sentence(read_bytes(dir.path(), &whole[..end], Limits::default()).unwrap_err());
        }
        let mut rng = Rng::new(0, file);
        for _ in 0..300 {
            let mut bytes = whole.clone();
            let at = rng.below(bytes.len());
            bytes[at] ^= 1 << rng.below(8);
            match read_bytes(dir.path(), &bytes, Limits::default()) {
                Ok(read) => assert!(read.iter().zip(&numbers).all(|(x, y)| x.1 == y.1), "byte {at} of {file}"),
                Err(e) => drop(sentence(e)),
            }
        }
    }
}

/// Sizes are held against the limit, the bytes that are there, and what packing can do, before memory is taken.
#[test]
fn sizes_that_lie_take_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    // 32 MB of zeros in 32 kB are read where they may be.
    assert_eq!(read(&golden("bomb.npz"), Limits::default()).unwrap()[0].1.data.len(), 4_000_000);
    let bomb = fs::read(golden("bomb.npz")).unwrap();
    LARGEST.set(0);
    let error = sentence(read(&golden("bomb.npz"), Limits { bytes: 1 << 20 }).unwrap_err());
    assert!(error.contains("more than this program reads"), "{error}");
    // The list's size of the array, at 24 of its only entry, is larger than it can be.
    let at = bomb.windows(4).rposition(|x| x == b"PK\x01\x02").unwrap();
    let mut lie = bomb.clone();
    lie[at + 24..at + 28].copy_from_slice(&0xf000_0000u32.to_le_bytes());
    let error = sentence(read_bytes(dir.path(), &lie, Limits::default()).unwrap_err());
    assert!(error.contains("which cannot be in"), "{error}");
    // A header that promises more than the entry has.
    let plain = fs::read(golden("plain.npz")).unwrap();
    let at = plain.windows(6).position(|x| x == b"(2, 3)").unwrap();
    let mut lie = plain.clone();
    lie[at..at + 6].copy_from_slice(b"(2, 9)");
    let error = sentence(read_bytes(dir.path(), &lie, Limits::default()).unwrap_err());
    assert!(error.contains("its array `f8` says that its shape is (2, 9), and has 6 numbers"), "{error}");
    // Ten thousand names for one array, and a list of 4 GB.
    let at = plain.windows(4).rposition(|x| x == b"PK\x05\x06").unwrap();
    for (offset, value) in [(10, 10_000u32), (12, u32::MAX - 1)] {
        let mut lie = plain.clone();
        let n = if offset == 10 { 2 } else { 4 };
        lie[at + offset..at + offset + n].copy_from_slice(&value.to_le_bytes()[..n]);
        let error = sentence(read_bytes(dir.path(), &lie, Limits::default()).unwrap_err());
        assert!(error.contains("this program reads 4096 at most"), "{error}");
    }
    let mut twice = plain.clone();
    let at = plain.windows(6).rposition(|x| x == b"f4.npy").unwrap();
    twice[at + 1] = b'8';
    let error = sentence(read_bytes(dir.path(), &twice, Limits::default()).unwrap_err());
    assert!(error.contains("two arrays called `f8`"), "{error}");
    assert!(LARGEST.get() < 1 << 20, "{} bytes", LARGEST.get());
}

/// Archives with bytes changed, put in, taken out and put elsewhere at random are read or refused in a sentence, and
/// never take more than the limit and what the file itself takes.
#[test]
fn mutated_archives_are_read_or_refused() {
    let cases = std::env::var("S2PG_CASES").map_or(2_000, |n| n.parse().expect("a number"));
    let dir = tempfile::tempdir().unwrap();
    let seeds = ["plain.npz", "packed.npz", "objects.npz", "fields.npz"].map(|file| fs::read(golden(file)).unwrap());
    let (mut rng, mut refused) = (Rng::new(0, "mutations"), 0);
    let limits = Limits { bytes: 1 << 20 };
    LARGEST.set(0);
    for _ in 0..cases {
        let mut bytes = seeds[rng.below(seeds.len())].clone();
        for _ in 0..1 + rng.below(4) {
            let (at, n) = (rng.below(bytes.len()), 1 + rng.below(8));
            let end = bytes.len().min(at + n);
            match rng.below(5) {
                0 => bytes[at] = rng.below(256) as u8,
                1 => bytes[at..end].fill([0, 1, 0x7f, 0xff][rng.below(4)]),
                2 => drop(bytes.drain(at..end)),
                3 => {
                    let piece = bytes[at..end].to_vec();
                    let to = rng.below(bytes.len());
                    bytes.splice(to..to, piece);
                }
                _ => {
                    // Where the list is, most bytes say something.
                    let list = bytes.windows(4).position(|x| x == b"PK\x01\x02").unwrap_or(0);
                    let at = list + rng.below(bytes.len() - list);
                    bytes[at] ^= 1 << rng.below(8);
                }
            }
            if bytes.is_empty() {
                bytes.push(0);
            }
        }
        match read_bytes(dir.path(), &bytes, limits) {
            Ok(arrays) => arrays.iter().for_each(|(_, x)| assert_eq!(x.shape.iter().product::<usize>(), x.data.len())),
            Err(e) => {
                sentence(e);
                refused += 1;
            }
        }
    }
    assert!(LARGEST.get() <= 3 << 20, "{} bytes at once", LARGEST.get());
    println!(
        "{refused} of {cases} mutated archives were refused; the largest piece of memory had {} bytes",
        LARGEST.get()
    );
}
