//! `s2pg demos`: motion capture as demonstrations, for algorithms that imitate.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use s2pg::run::disk::{RealDisk, write_atomically};
use s2pg_lab::numbers::count;
use s2pg_mujoco::Demonstrations;

use crate::exit::Usage;
use crate::terminal::{print, quoted};

/// Arguments of `s2pg demos`.
#[derive(Args)]
pub struct Arguments {
    /// The imitation task, such as `Atlas.carry`.
    task: String,
    /// The file of motion capture, an archive of numpy's: arrays `q_<joint>` and `dq_<joint>` at 500 Hz.
    capture: PathBuf,
    /// The file to write, an archive of numpy's, whose name ends in .npz.
    #[arg(long)]
    out: PathBuf,
}

/// Writes the steps that motion capture shows, and prints how many trajectories and moments there are.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { task, capture, out } = arguments;
    if out.extension().is_none_or(|e| !e.eq_ignore_ascii_case("npz")) {
        let what = "demonstrations are written as an archive of arrays; give the file a name that ends in .npz";
        return Err(Usage(format!("--out {}: {what}", quoted(out))).into());
    }
    let demos = Demonstrations::read(task, capture)?;
    write_atomically(&RealDisk, out, &demos.to_npz())?;
    let (trajectories, moments) = demos.counts();
    let trajectories = match trajectories {
        1 => "1 trajectory".to_string(),
        n => format!("{n} trajectories"),
    };
    print(format_args!("{}: {trajectories} of {} together", quoted(out), count(moments, "moment")))?;
    Ok(ExitCode::SUCCESS)
}
