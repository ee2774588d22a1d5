//! The files that a training reads and that are no part of its run. Each checkpoint holds their hashes, so that a run
//! never goes on with other demonstrations than those with which it began.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

use super::checkpoint::Metadata;
use super::error::RunError;
use super::log::naming;
use crate::env::Registry;
use crate::experiment::{EnvSettings, Experiment};

/// The files that an experiment names: the key of each, its path, and the XXH3 of its bytes.
#[derive(Clone, Debug)]
pub(super) struct Inputs(Vec<(String, PathBuf, String)>);

impl Inputs {
    /// Reads the files that the experiment names, and those of which its environment is made. One that is missing is
    /// left to whoever needs it.
    pub fn of(experiment: &Experiment, registry: &Registry) -> Result<Self, RunError> {
        let EnvSettings { name, options, .. } = &experiment.env;
        let of_env = registry.files(name, options).into_iter().map(|file| ("env.name".into(), file));
        let hashed = experiment.files().into_iter().chain(of_env).filter_map(|(key, path)| match hash(&path) {
            Ok(hash) => Some(Ok((key, path, hash))),
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(e) => Some(Err(naming(&path)(e).into())),
        });
        Ok(Self(hashed.collect::<Result<_, RunError>>()?))
    }

    /// Writes the hashes into the metadata of a checkpoint.
    pub fn note(&self, metadata: &mut Metadata) {
        metadata.extend(self.0.iter().map(|(_, path, hash)| (name(path), hash.clone())));
    }

    /// Refuses files that are not those whose hashes the metadata of a checkpoint hold.
    pub fn check(&self, metadata: &Metadata) -> Result<(), RunError> {
        let differs = |path: &Path, hash: &String| metadata.get(&name(path)).is_some_and(|then| then != hash);
        match self.0.iter().find(|(_, path, hash)| differs(path, hash)) {
            None => Ok(()),
            Some((key, path, _)) => Err(RunError::Directory(format!(
                "{}: the bytes of this file, which `{key}` names, have changed since the run began; bring back the file \
                 of then, start over with --restart, or choose another directory with --dir",
                path.display()
            ))),
        }
    }
}

/// Returns the key under which the metadata hold the hash of the file `path`.
fn name(path: &Path) -> String {
    format!("xxh3 of {}", path.display())
}

/// Returns the XXH3 of the bytes of a file, in hexadecimal digits.
pub fn hash(path: &Path) -> io::Result<String> {
    struct Hash(Xxh3);
    impl Write for Hash {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut hash = Hash(Xxh3::new());
    io::copy(&mut File::open(path)?, &mut hash)?;
    Ok(format!("{:016x}", hash.0.digest()))
}
