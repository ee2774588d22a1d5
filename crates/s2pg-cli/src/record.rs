//! `s2pg record`: demonstrations of a policy, for algorithms that imitate.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use s2pg::Rng;
use s2pg::env::Registry;
use s2pg::run::disk::{RealDisk, write_atomically};
use s2pg::train;
use s2pg_lab::numbers::{count, significant};
use s2pg_lab::policy;

use crate::Chosen;
use crate::exit::Usage;
use crate::numbers::{seed, whole};
use crate::terminal::{print, quoted};

/// Arguments of `s2pg record`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
    /// The file to write, an archive of numpy's, whose name ends in .npz.
    #[arg(long)]
    out: PathBuf,
    /// Number of whole episodes.
    #[arg(long, default_value_t = 10, value_parser = whole(1..=100_000_u32))]
    episodes: u32,
    /// Draw the actions from the policy's distributions rather than take the means.
    #[arg(long)]
    stochastic: bool,
    /// Seed of the random numbers of these episodes.
    #[arg(long, default_value_t = 0, value_parser = seed)]
    seed: u64,
}

/// Writes the steps of some episodes, and prints how many there are and what an episode earned.
pub fn run(arguments: &Arguments, registry: Arc<Registry>) -> anyhow::Result<ExitCode> {
    let Arguments { chosen, out, episodes, stochastic, seed } = arguments;
    if out.extension().is_none_or(|e| !e.eq_ignore_ascii_case("npz")) {
        let what = "demonstrations are written as an archive of arrays; give the file a name that ends in .npz";
        return Err(Usage(format!("--out {}: {what}", quoted(out))).into());
    }
    let (player, make_env, experiment) = policy::load(&chosen.run, chosen.which(), registry)?;
    let mut rng = Rng::new(experiment.seed, &format!("record/{seed}"));
    let demos = train::record(&player, &make_env, *episodes as usize, !stochastic, &mut rng)?;
    if demos.is_empty() {
        let what = "the simulation failed in the first step of every episode, so that there is nothing to record";
        return Err(Usage(format!("{}: {what}", experiment.env.name)).into());
    }
    write_atomically(&RealDisk, out, &demos.to_npz())?;
    let r = demos.r.iter().sum::<f64>() / f64::from(*episodes);
    let (steps, episodes) = (count(demos.len(), "step"), count(*episodes as usize, "episode"));
    print(format_args!("{}: {steps} of {episodes}, mean return {}", quoted(out), significant(r)))?;
    Ok(ExitCode::SUCCESS)
}
