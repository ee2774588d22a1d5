//! `s2pg play`: watch a policy.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use s2pg::Rng;
use s2pg::env::Registry;
use s2pg_lab::{play, policy};

use crate::Chosen;
use crate::exit::Usage;
use crate::numbers::seed;
use crate::terminal::{print, quoted};

/// Arguments of `s2pg play`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
    /// The file to write, an animated GIF, whose name ends in .gif [default: episode.gif in the run's directory].
    #[arg(long)]
    out: Option<PathBuf>,
    /// Seed of the random numbers of this episode.
    #[arg(long, default_value_t = 0, value_parser = seed)]
    seed: u64,
}

/// Draws one deterministic episode.
pub fn run(arguments: &Arguments, registry: Arc<Registry>) -> anyhow::Result<ExitCode> {
    let Arguments { chosen, out, seed } = arguments;
    if let Some(path) = out.as_ref().filter(|path| path.extension().is_none_or(|e| !e.eq_ignore_ascii_case("gif"))) {
        let what = "an episode is written as an animated GIF; give the file a name that ends in .gif";
        return Err(Usage(format!("--out {}: {what}", quoted(path))).into());
    }
    let (player, make_env, experiment) = policy::load(&chosen.run, chosen.which(), registry)?;
    let path = out.clone().unwrap_or_else(|| chosen.run.join("episode.gif"));
    let rng = Rng::new(experiment.seed, &format!("play/{seed}"));
    if !play::draw(&player, &make_env, rng, &path)? {
        return Err(Usage(format!("{} has nothing to draw", experiment.env.name)).into());
    }
    print(quoted(&path))?;
    Ok(ExitCode::SUCCESS)
}
