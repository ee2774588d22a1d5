//! An episode of a policy, as an animation.

use std::path::Path;

use s2pg::Rng;
use s2pg::env::{EnvError, MakeEnv};
use s2pg::policy::StatefulPolicy;
use s2pg::run::disk::{DiskError, RealDisk, write_atomically};
use s2pg::train::{Player, watch};

use crate::pictures::{AnimationError, Frame, animation};

/// Why an episode cannot be drawn.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// The environment cannot be made, or failed during the episode.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// The environment has nothing to draw, or the animation cannot be encoded.
    #[error(transparent)]
    Animation(#[from] AnimationError),
    /// The file cannot be written.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Steps of the longest animation.
const LONGEST: usize = 500;

/// One deterministic episode of the player in a fresh environment, as an animated GIF of at most 500 steps. The random
/// numbers of the environment come from `rng`.
pub fn play<P: StatefulPolicy>(player: &Player<P>, make_env: &MakeEnv, mut rng: Rng) -> Result<Vec<u8>, PlayError> {
    let mut frames = Vec::new();
    watch(player, make_env()?, &mut rng, &mut |env, r| {
        frames.push(Frame { shapes: env.shapes(), r });
        frames.len() < LONGEST
    })?;
    let spec = player.spec();
    Ok(animation(&spec.name, spec.dt, &frames)?)
}

/// Writes the animation that [`play`] makes into a file; false where the environment has nothing to draw, and then
/// there is no file.
pub fn draw<P: StatefulPolicy>(
    player: &Player<P>,
    make_env: &MakeEnv,
    rng: Rng,
    path: &Path,
) -> Result<bool, PlayError> {
    match play(player, make_env, rng) {
        Ok(gif) => write_atomically(&RealDisk, path, &gif)?,
        Err(PlayError::Animation(AnimationError::NothingToDraw(_))) => return Ok(false),
        Err(e) => return Err(e),
    }
    Ok(true)
}
