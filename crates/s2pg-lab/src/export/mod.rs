//! Policies that leave: what a run has learned, written in languages that need neither this library nor a network.
//!
//! [`prepare`] makes of a policy its [`PolicyProgram`], which acts as the policy does to the bit, and records the
//! [`Vectors`] that every export is held against. [`c`](mod@c) writes the program down, [`mod@check`] compiles what
//! they wrote and runs it.

pub mod c;
pub mod check;
mod code;
pub mod vectors;

use s2pg::env::{EnvError, EnvSpec, MakeEnv};
use s2pg::train::program::Untraceable;
use s2pg::train::{Player, PolicyProgram};

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
}

/// What an export tells about the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The directory of the run.
    pub run: String,
    /// The algorithm and the estimator, as the experiment names them.
    pub algorithm: String,
    /// The number of environment steps after which the policy was saved.
    pub steps: usize,
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
