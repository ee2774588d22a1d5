//! How episodes of an environment begin, as one picture.

use s2pg::Rng;
use s2pg::env::{EnvError, MakeEnv};
use tiny_skia::{ColorU8, Pixmap};

use crate::pictures::{Frame, PICTURE, still};

/// Episodes in a row of the picture, and rows.
const EPISODES: usize = 2;

/// Returns the starts of four episodes, two beside each other and two below them, as a PNG; None where the environment
/// has nothing to draw. Bodies are rendered where that works, and drawn from the side elsewhere. The episodes' random
/// numbers come from `rng`.
pub fn starts(make_env: &MakeEnv, mut rng: Rng) -> Result<Option<Vec<u8>>, EnvError> {
    let mut env = make_env()?;
    let [width, height] = PICTURE.map(|pixels| pixels as usize);
    let whole = PICTURE.map(|pixels| pixels * EPISODES as u32);
    let mut all = Pixmap::new(whole[0], whole[1]).expect("the size is positive");
    for episode in 0..EPISODES * EPISODES {
        env.reset(&mut rng)?;
        let rendered = env.render(PICTURE).and_then(Result::ok);
        let drawn = || still(&Frame { shapes: env.shapes(), ..Frame::default() });
        let Some(picture) = rendered.or_else(drawn) else { return Ok(None) };
        let corner = episode / EPISODES * height * whole[0] as usize + episode % EPISODES * width;
        for (row, from) in picture.chunks(3 * width).enumerate() {
            let to = &mut all.pixels_mut()[corner + row * whole[0] as usize..];
            for (to, &[r, g, b]) in to.iter_mut().zip(from.as_chunks().0) {
                *to = ColorU8::from_rgba(r, g, b, 255).premultiply();
            }
        }
    }
    Ok(Some(all.encode_png().expect("a pixmap of positive size has a PNG")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use s2pg::env::Options;

    use super::*;

    /// Every environment of the project has a picture of how its episodes begin, of 960 x 572 pixels.
    #[test]
    fn every_environment_has_a_picture() {
        let registry = Arc::new(crate::registry());
        for entry in registry.entries() {
            let (of, name) = (Arc::clone(&registry), entry.name);
            let make_env: MakeEnv = Arc::new(move || of.make(name, &Options::new()));
            let png = starts(&make_env, Rng::new(0, "gallery")).unwrap().unwrap_or_else(|| panic!("{name}"));
            let picture = Pixmap::decode_png(&png).unwrap();
            assert_eq!((picture.width(), picture.height()), (960, 572), "{name}");
            assert!(picture.pixels().iter().any(|pixel| *pixel != picture.pixels()[0]), "{name} is one colour");
        }
    }
}
