//! Policies that leave: what a run has learned, written in languages that need neither this library nor a network.
//!
//! [`prepare`] makes of a policy its [`PolicyProgram`], which acts as the policy does to the bit, and records the
//! [`Vectors`] that every export is held against. [`c`](mod@c), [`rust`] and [`onnx`] write the program down,
//! [`mod@check`] compiles what they wrote and runs it, and a [`manifest`] beside it tells whether it is whole.

pub mod c;
mod c_functions;
pub mod check;
mod code;
pub mod manifest;
pub mod onnx;
pub mod rust;
pub mod vectors;

use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::Path;

use s2pg::env::{EnvError, EnvSpec, MakeEnv};
use s2pg::experiment::Experiment;
use s2pg::train::program::Untraceable;
use s2pg::train::{Player, PolicyProgram};

pub use check::Checked;
pub use vectors::Vectors;

/// Why a policy cannot leave.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A program cannot say what the policy computes.
    #[error("the policy cannot be exported: {0}")]
    Policy(#[from] Untraceable),
    /// The environment, in which the test vectors are recorded, failed.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// A file of an export cannot be read or written.
    #[error("{0}: {1}")]
    File(String, #[source] io::Error),
    /// A file of an export is damaged, of another export, or of a later version; in a sentence that names it.
    #[error("{0}")]
    Wrong(String),
}

/// What a policy is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A header and a source in C99.
    C,
    /// A module of Rust without a standard library.
    Rust,
    /// An ONNX model.
    Onnx,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::C, Self::Rust, Self::Onnx];

    /// Returns the files that hold the policy, and the program that checks them. `batched` is whether a model takes any
    /// number of rows at once.
    pub fn write(self, export: &Export, batched: bool) -> Vec<File> {
        let mut files = match self {
            Self::C => c::write(export),
            Self::Rust => rust::write(export),
            Self::Onnx => onnx::write(export, batched),
        };
        files.push(File::text("vectors.csv", export.vectors.to_csv()));
        files
    }

    /// Runs what was written in `dir` against the vectors there, by each compiler or runtime that is named.
    pub fn check(self, dir: &Path) -> Vec<(&'static str, Checked)> {
        match self {
            // A second compiler is welcome where there is one.
            Self::C => {
                let mut by = vec![("cc", check::c(dir, "cc")), ("clang", check::c(dir, "clang"))];
                by.retain(|(cc, checked)| *cc == "cc" || !matches!(checked, Checked::Missing(_)));
                by
            }
            Self::Rust => vec![("rustc", check::rust(dir, "rustc"))],
            Self::Onnx => vec![("onnxruntime", check::onnx(dir, "python3", "onnxruntime"))],
        }
    }
}

impl Display for Target {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::C => "c",
            Self::Rust => "rust",
            Self::Onnx => "onnx",
        })
    }
}

/// What an export tells about the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The directory of the run.
    pub run: String,
    /// The algorithm and the estimator, as the experiment names them.
    pub algorithm: String,
    /// Whether the state is that of an LSTM: h, and as many entries of c behind it.
    pub lstm: bool,
    /// The number of environment steps after which the policy was saved.
    pub steps: usize,
}

impl About {
    /// Tells about a policy of the run in `dir` with this experiment, saved after `steps` steps.
    pub fn new(dir: &Path, experiment: &Experiment, steps: usize) -> Self {
        Self {
            run: dir.display().to_string(),
            algorithm: format!("{} {}", experiment.algorithm, experiment.estimator),
            lstm: experiment.network.cell == "lstm",
            steps,
        }
    }
}

/// A policy that is ready to be written.
#[derive(Clone, Debug)]
pub struct Export {
    /// What it computes.
    pub program: PolicyProgram,
    /// What it saw and did in some episodes.
    pub vectors: Vectors,
    /// The environment as the policy sees it.
    pub spec: EnvSpec,
    /// What is told about the policy.
    pub about: About,
}

/// A file of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name, without a directory.
    pub name: &'static str,
    /// What it holds.
    pub bytes: Vec<u8>,
}

impl File {
    fn text(name: &'static str, text: String) -> Self {
        Self { name, bytes: text.into_bytes() }
    }
}

/// Makes a program of the policy of `player`, records test vectors in environments of `make_env`, and holds the program
/// against them. `drawn` is whether (a, z') is drawn from the program's noise; else means are taken.
pub fn prepare(player: &Player, make_env: &MakeEnv, about: About, drawn: bool) -> Result<Export, ExportError> {
    let program = player.program(drawn)?;
    let vectors = Vectors::record(player, &program, make_env)?;
    vectors.hold(&program)?;
    Ok(Export { program, vectors, spec: player.spec().clone(), about })
}
