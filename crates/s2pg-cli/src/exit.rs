//! What the program tells people and scripts about an error: a sentence and an exit code.

use std::io::ErrorKind;

use s2pg::env::EnvError;
use s2pg::experiment::BuildError;
use s2pg::results::ReadError;
use s2pg::run::checkpoint::CheckpointError;
use s2pg::run::disk::DiskError;
use s2pg::run::{ModelError, RunError};
use s2pg::train::TrainError;
use s2pg_lab::campaign::CampaignError;
use s2pg_lab::export::ExportError;
use s2pg_lab::policy::LoadError;
use s2pg_lab::presets::FindError;

/// The command is used wrongly.
pub const USAGE: u8 = 64;
/// A file does not hold what it should.
pub const DATA: u8 = 65;
/// The training diverged.
pub const DIVERGED: u8 = 70;
/// Something cannot be read or written.
const DISK: u8 = 74;
/// The environment failed, or was unstable too often.
const ENVIRONMENT: u8 = 75;

/// A mistake in how the command is used.
#[derive(Debug)]
pub struct Usage(pub String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// An error and its causes in one sentence, in which no cause is told twice.
pub fn sentence(e: &anyhow::Error) -> String {
    let text = e.chain().fold(String::new(), |text, cause| match cause.to_string() {
        cause if text.is_empty() => cause,
        cause if text.contains(&cause) => text,
        cause => format!("{text}: {cause}"),
    });
    without_numbers(&text)
}

/// Takes the numbers of the system's errors, ` (os error 2)`, out of a text; their words stay.
fn without_numbers(text: &str) -> String {
    let mut parts = text.split(" (os error ");
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |text, part| text + part.split_once(')').map_or(part, |(_, rest)| rest))
}

/// The exit code of an error.
pub fn code(e: &anyhow::Error) -> u8 {
    if let Some(e) = e.downcast_ref::<RunError>() {
        return of_run(e);
    }
    if let Some(e) = e.downcast_ref::<LoadError>() {
        return match e {
            LoadError::Find(e) => of_find(e),
            LoadError::NoPolicy { .. } => USAGE,
            LoadError::Build(BuildError::Experiment(_)) => USAGE,
            LoadError::Build(BuildError::Env(e)) => of_env(e),
            LoadError::Changed { .. } => DATA,
            LoadError::Model(e) => of_model(e),
        };
    }
    if let Some(e) = e.downcast_ref::<FindError>() {
        return of_find(e);
    }
    if let Some(e) = e.downcast_ref::<ReadError>() {
        return match e {
            ReadError::File(..) => DISK,
            ReadError::Wrong(..) => DATA,
            ReadError::NoRun(..) | ReadError::Experiment(_) => USAGE,
        };
    }
    if let Some(e) = e.downcast_ref::<ExportError>() {
        return match e {
            ExportError::Policy(_) => USAGE,
            ExportError::Env(e) => of_env(e),
            ExportError::File(..) => DISK,
            ExportError::Wrong(_) => DATA,
        };
    }
    if let Some(e) = e.downcast_ref::<CampaignError>() {
        return match e {
            CampaignError::File(_, e) if e.kind() != ErrorKind::NotFound => DISK,
            CampaignError::File(..) | CampaignError::Wrong(_) => USAGE,
        };
    }
    if let Some(e) = e.downcast_ref::<EnvError>() {
        return of_env(e);
    }
    if e.is::<std::io::Error>() || e.is::<DiskError>() { DISK } else { USAGE }
}

fn of_run(e: &RunError) -> u8 {
    match e {
        RunError::Experiment(_) | RunError::Directory(_) => USAGE,
        RunError::Train(TrainError::Diverged { .. }) => DIVERGED,
        RunError::Train(TrainError::Env(e)) => of_env(e),
        RunError::Checkpoint(CheckpointError::Disk(_) | CheckpointError::NotSaved { .. }) | RunError::File(_) => DISK,
        RunError::Checkpoint(_) => DATA,
        RunError::Model(e) => of_model(e),
        RunError::Unsaved { error, .. } => of_run(error),
    }
}

fn of_model(e: &ModelError) -> u8 {
    match e {
        ModelError::Read(..) | ModelError::Write(_) => DISK,
        ModelError::Wrong(..) => DATA,
    }
}

fn of_find(e: &FindError) -> u8 {
    match e {
        FindError::NoText(_) => DATA,
        FindError::File(_, e) if e.kind() != ErrorKind::NotFound => DISK,
        FindError::File(..) | FindError::Unknown { .. } | FindError::NoRun(_) | FindError::Experiment(_) => USAGE,
    }
}

fn of_env(e: &EnvError) -> u8 {
    match e {
        EnvError::Invalid { .. } => USAGE,
        EnvError::Unstable { .. } | EnvError::Budget { .. } | EnvError::Failed { .. } => ENVIRONMENT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cause that its effect has already told is not told again; any other cause follows behind a colon.
    #[test]
    fn a_cause_is_told_once() {
        let cause = || std::io::Error::other("no room");
        assert_eq!(sentence(&anyhow::Error::from(cause()).context("a.gif")), "a.gif: no room");
        for told in ["a.gif: no room", "a.gif: no room; the run goes on"] {
            assert_eq!(sentence(&anyhow::Error::from(cause()).context(told)), told);
        }
        assert_eq!(code(&anyhow::Error::from(cause()).context("a.gif")), DISK);
    }

    /// A panic in an environment's own code ends the program with the exit code of an environment that failed.
    #[test]
    fn a_panic_of_an_environment_has_its_code() {
        let failed = || EnvError::Failed { env: "Own-v0".into(), place: "`step`".into(), what: "overflow".into() };
        assert_eq!(code(&anyhow::Error::from(RunError::from(failed()))), ENVIRONMENT);
        assert_eq!(code(&anyhow::Error::from(failed())), ENVIRONMENT);
    }
}
