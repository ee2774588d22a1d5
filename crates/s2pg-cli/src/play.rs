//! `s2pg play`: watch a policy.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use s2pg::train::{Training, checkpoint};

use crate::picture::{Frame, animation};
use crate::{Chosen, Usage, evaluate, print};

/// Arguments of `s2pg play`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
    /// The file to write [default: episode.gif in the run's directory].
    #[arg(long)]
    out: Option<PathBuf>,
    /// Seed of the episode's own random numbers.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Draws one deterministic episode.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (training, experiment) = evaluate::load(&arguments.chosen)?;
    let path = arguments.out.clone().unwrap_or_else(|| arguments.chosen.run.join("episode.gif"));
    if !draw(&*training, &format!("play/{}", arguments.seed), &path)? {
        return Err(Usage(format!("{} has nothing to draw", experiment.env.name)).into());
    }
    print(path.display())?;
    Ok(ExitCode::SUCCESS)
}

/// The longest animation, in frames of the environment.
const LONGEST: usize = 500;

/// Writes the animation of an episode; false where the environment has nothing to show.
pub fn draw(training: &dyn Training, stream: &str, path: &Path) -> anyhow::Result<bool> {
    let mut frames = Vec::new();
    training.watch(stream, &mut |env, r| {
        frames.push(Frame { shapes: env.shapes(), r });
        frames.len() < LONGEST
    })?;
    if frames.iter().all(|f| f.shapes.is_empty()) {
        return Ok(false);
    }
    let spec = training.spec();
    let gif = animation(&spec.name, spec.dt, &frames).map_err(anyhow::Error::msg)?;
    s2pg::train::disk::write_atomically(&s2pg::train::disk::RealDisk, path, &gif)
        .map_err(|e| s2pg::train::RunError::from(checkpoint::CheckpointError::from(e)))?;
    Ok(true)
}
