//! An episode of a policy, as an animation or as one picture.

use s2pg::Rng;
use s2pg::env::{EnvError, MakeEnv};
use s2pg::policy::StatefulPolicy;
use s2pg::train::{Player, watch};

use crate::pictures::{AnimationError, Canvas, Frame, PICTURE, animation, path};

/// Steps of the longest animation.
const LONGEST: usize = 500;

/// An episode that was watched.
pub struct Played {
    task: String,
    dt: f64,
    frames: Vec<Frame>,
    /// Why frames are drawn and not rendered, although they were to be rendered.
    pub not_rendered: Option<String>,
}

/// Plays one deterministic episode of the player in a fresh environment, of at most 500 steps. The random numbers of
/// the environment come from `rng`. `render` asks for pictures in three dimensions.
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
        frames.push(Frame { shapes: seen.env.shapes(), r: seen.r, state: seen.state.to_vec(), picture });
        frames.len() < LONGEST
    })?;
    if not_rendered.is_some() {
        frames.iter_mut().for_each(|frame| frame.picture = None);
    }
    let spec = player.spec();
    Ok(Played { task: spec.name.clone(), dt: spec.dt, frames, not_rendered })
}

impl Played {
    /// Returns the episode as an animated GIF; None where the environment has nothing to draw.
    pub fn animation(&self) -> Result<Option<Vec<u8>>, AnimationError> {
        match animation(&self.task, self.dt, &self.frames) {
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
