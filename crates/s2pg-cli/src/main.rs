//! The `s2pg` command: arguments, progress, signals, pictures.

mod bench;
mod check;
mod evaluate;
mod list;
mod picture;
mod play;
mod preset;
mod replay;
mod report;
mod signals;
mod theory;
mod train;
mod variance;

use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use s2pg::env::{EnvError, Registry};
use s2pg::train::checkpoint::CheckpointError;
use s2pg::train::{ModelError, RunError, TrainError};

/// Train policies with memory, in the time that others need for policies without.
#[derive(Parser)]
#[command(name = "s2pg", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  s2pg train ppo-rs/half-cheetah-fast             train a preset; `s2pg algos` lists them
  s2pg train ppo-rs/half-cheetah ppo.clip=0.1     change any key of the experiment
  s2pg train ppo-rs/half-cheetah estimator=vanilla seed=3 --dir runs/memoryless
  s2pg train runs/memoryless                      go on where the run was stopped
  s2pg eval runs/memoryless                       evaluate its best policy
  s2pg play runs/memoryless                       draw an episode as an animated GIF
  s2pg report runs/a runs/b runs/c                compare runs in one figure and one table

Exit codes: 0 done, 64 wrong use, 65 bad data, 70 diverged, 74 cannot read or write, 75 the environment failed too
often, 130 and 143 stopped by a signal with a checkpoint.";

#[derive(Subcommand)]
enum Command {
    /// Train an experiment, or go on with a run.
    Train(train::Arguments),
    /// Evaluate the policy of a run.
    Eval(evaluate::Arguments),
    /// Draw an episode of a run's policy as an animated GIF.
    Play(play::Arguments),
    /// Compare runs: figure and table of returns against steps and time.
    Report(report::Arguments),
    /// Bring a run that diverged to the same step again, from its last checkpoint.
    Replay(replay::Arguments),
    /// List environments.
    Envs,
    /// Check that an environment keeps what a trainer relies on.
    CheckEnv(check::Arguments),
    /// List algorithms, estimators and presets.
    Algos,
    /// Measure speed.
    Bench(bench::Arguments),
    /// Check the paper's statements against exact numbers.
    Theory(theory::Arguments),
    /// Measure bias and variance of gradient estimators against the horizon.
    Variance(variance::Arguments),
}

/// Where a run lies, and which of its policies is meant.
#[derive(Args)]
struct Chosen {
    /// The run's directory.
    run: PathBuf,
    /// Take the policy of the last checkpoint, not that of the best evaluation.
    #[arg(long)]
    latest: bool,
}

/// A mistake in how the command is used: exit code 64.
#[derive(Debug)]
struct Usage(String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Every environment that this program knows.
fn registry() -> Arc<Registry> {
    let mut registry = Registry::new();
    registry.extend(s2pg_mujoco::entries());
    Arc::new(registry)
}

/// Writes a line to the standard output.
fn print(line: impl Display) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("the standard output")
}

/// Writes a line to the standard error. That it cannot be read is no reason to stop.
fn note(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { 64 } else { 0 });
        }
    };
    if !matches!(cli.command, Command::Train(_)) {
        // A training has more to lose than its last words.
        signals::end_without_reader();
    }
    let result = match cli.command {
        Command::Train(arguments) => train::run(&arguments),
        Command::Eval(arguments) => evaluate::run(&arguments),
        Command::Play(arguments) => play::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Envs => list::envs(),
        Command::CheckEnv(arguments) => check::run(&arguments),
        Command::Algos => list::algos(),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Theory(arguments) => theory::run(&arguments),
        Command::Variance(arguments) => variance::run(&arguments),
    };
    match result {
        Ok(code) => code,
        Err(e) => {
            note(format_args!("s2pg: {e:#}"));
            ExitCode::from(exit_code(&e))
        }
    }
}

/// What the exit code says about an error.
fn exit_code(e: &anyhow::Error) -> u8 {
    let (usage, data, diverged, disk, environment) = (64, 65, 70, 74, 75);
    if let Some(e) = e.downcast_ref::<RunError>() {
        return match e {
            RunError::Experiment(_) | RunError::Directory(_) => usage,
            RunError::Train(TrainError::Diverged { .. }) => diverged,
            RunError::Train(TrainError::Env(EnvError::Invalid { .. })) => usage,
            RunError::Train(TrainError::Env(_)) => environment,
            RunError::Checkpoint(CheckpointError::Disk(_) | CheckpointError::NotSaved { .. }) | RunError::File(_) => {
                disk
            }
            RunError::Model(ModelError::Read(..) | ModelError::Write(_)) => disk,
            RunError::Checkpoint(_) | RunError::Model(ModelError::Wrong(..)) => data,
        };
    }
    match e.downcast_ref::<ModelError>() {
        Some(ModelError::Wrong(..)) => return data,
        Some(_) => return disk,
        None => {}
    }
    if e.downcast_ref::<std::io::Error>().is_some() {
        return disk;
    }
    usage
}
