//! An episode of a policy, as an animation or as one picture.

use s2pg::Rng;
use s2pg::env::{EnvError, MakeEnv};
use s2pg::policy::StatefulPolicy;
use s2pg::train::{Player, watch};

use crate::pictures::{AnimationError, Canvas, Frame, PICTURE, animation, path};

/// Steps of the longest animation, and of the longest path in one picture.
const LONGEST: usize = 500;
const LONGEST_PATH: usize = 10_000;

/// An episode that was watched.
pub struct Played {
    task: String,
    dt: f64,
    frames: Vec<Frame>,
    /// Why frames are drawn and not rendered, although they were to be rendered.
    pub not_rendered: Option<String>,
}

/// Plays one deterministic episode of the player in a fresh environment, of at most 10,000 steps, and 500 where it is
/// rendered. The random numbers of the environment come from `rng`. `render` asks for pictures in three dimensions.
pub fn play<P: StatefulPolicy>(
    player: &Player<P>,
    make_env: &MakeEnv,
    mut rng: Rng,
    render: bool,
) -> Result<Played, EnvError> {
    let (mut frames, mut not_rendered) = (Vec::new(), None);
    watch(player, make_env()?, &mut rng, &mut |seen| {
        let mut picture = None;
        if render && not_rendered.is_none() {
            match seen.env.render(PICTURE) {
                Some(Ok(pixels)) => picture = Some(pixels),
                Some(Err(why)) => not_rendered = Some(why),
                None => not_rendered = Some("the environment has no rendered pictures".into()),
            }
        }
        let picture_is_kept = picture.is_some();
        frames.push(Frame { shapes: seen.env.shapes(), r: seen.r, state: seen.state.to_vec(), picture });
        frames.len() < if picture_is_kept { LONGEST } else { LONGEST_PATH }
    })?;
    if not_rendered.is_some() {
        frames.iter_mut().for_each(|frame| frame.picture = None);
    }
    let spec = player.spec();
    Ok(Played { task: spec.name.clone(), dt: spec.dt, frames, not_rendered })
}

impl Played {
    /// Returns the episode, or its first 500 steps, as an animated GIF; None where the environment has nothing to draw.
    pub fn animation(&self) -> Result<Option<Vec<u8>>, AnimationError> {
        match animation(&self.task, self.dt, &self.frames[..self.frames.len().min(LONGEST)]) {
            Ok(gif) => Ok(Some(gif)),
            Err(AnimationError::NothingToDraw(_)) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Returns the episode as one picture, with the path of what moves; None where the environment has nothing to draw,
    /// or where a camera would have to follow.
    pub fn path(&self) -> Option<Canvas> {
        path(&self.task, &self.frames)
    }
}
