//! Moving bodies, as an animated GIF.

use std::collections::HashMap;

use s2pg::env::Shape;

use super::canvas::{Anchor, Canvas, Colour, Point};
use super::traces::Traces;

/// What is seen at one step of an episode.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// The body: [`s2pg::Env::shapes`].
    pub shapes: Vec<Shape>,
    /// The undiscounted return of the episode up to this step.
    pub r: f64,
    /// The policy's state, which is drawn over time below the body; empty where the policy has none.
    pub state: Vec<f32>,
    /// A rendered picture of [`PICTURE`] pixels, which takes the place of the shapes: red, green and blue of each
    /// pixel, row after row from the top.
    pub picture: Option<Vec<u8>>,
}

/// Width and height of a rendered picture in pixels.
pub const PICTURE: [u32; 2] = [480, 286];

/// Size of the picture of a body with its line of words; the states of the policy stand below.
const SIZE: [f32; 2] = [480.0, 320.0];
/// Height of the line of words at the top.
const CAPTION: f32 = 34.0;
/// Height of the states of the policy.
const STATES: f32 = 92.0;
/// Free space around the body, as a part of its size.
const ROOM: f64 = 0.2;
const INK: Colour = [51, 51, 51, 255];
const OUTLINE: Colour = [45, 52, 64, 255];
const SKY: Colour = [246, 248, 251, 255];
const FLOOR: Colour = [222, 224, 229, 255];
const TICK: Colour = [176, 181, 190, 255];
/// Body and light of each part.
const PARTS: [[[u8; 3]; 2]; 6] = [
    [[66, 118, 178], [110, 156, 206]],
    [[224, 123, 57], [241, 160, 104]],
    [[74, 158, 122], [118, 190, 158]],
    [[150, 104, 172], [182, 144, 200]],
    [[204, 164, 62], [226, 194, 112]],
    [[120, 130, 144], [158, 168, 180]],
];
/// How long a picture stays, in seconds, at most: 25 pictures a second.
const TICK_TIME: f64 = 0.04;
/// How long a picture stays where time has no unit, in seconds.
const STEP_TIME: f64 = 0.25;
/// How long the last picture stays, in seconds.
const PAUSE: f64 = 1.0;

/// Why there is no animation, in one sentence that names the task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnimationError {
    /// The environment shows no shape in any frame.
    #[error("{0} has nothing to draw, so there is no animation of it; its returns are in eval.csv")]
    NothingToDraw(String),
    /// The encoder failed.
    #[error("{0}: the animation could not be encoded: {1}")]
    Encoding(String, String),
}

/// An animated GIF, repeated for ever, of the frames that an episode of `task` with `dt` seconds a step showed.
///
/// It runs in real time at 25 pictures a second or fewer; where time has no unit (`dt` = 1) each step is a picture. The
/// camera follows the body in x. The floor, with a tick at each metre, is drawn where nothing reaches below z = 0.
/// Where the policy has a state, up to seven entries of it are drawn over time below the body, those that vary most.
pub fn animation(task: &str, dt: f64, frames: &[Frame]) -> Result<Vec<u8>, AnimationError> {
    let scene = Scene::around(frames);
    if scene.is_none() && frames.iter().all(|frame| frame.picture.is_none()) {
        return Err(AnimationError::NothingToDraw(task.into()));
    }
    let traces = Traces::of(frames.iter().map(|frame| &frame.state[..]));
    let size = [SIZE[0], SIZE[1] + if traces.is_some() { STATES } else { 0.0 }];
    let timeless = dt == 1.0;
    let stride = if timeless { 1 } else { ((TICK_TIME / dt).round() as usize).max(1) };
    let seconds = |i: usize| if timeless { STEP_TIME * i as f64 } else { dt * i as f64 };
    let shown: Vec<usize> = (0..frames.len()).step_by(stride).collect();
    let draw = |i: usize| -> Vec<[u8; 3]> {
        let clock = if timeless { format!("step {i}") } else { format!("{:.1} s", seconds(i)) };
        let mut canvas = Canvas::new(size[0], size[1]);
        if let Some(scene) = &scene {
            scene.draw(&mut canvas, i, &frames[i]);
        }
        caption(&mut canvas, task, &clock, frames[i].r);
        if let Some(traces) = &traces {
            canvas.area(block(SIZE[1], size[1]), [255, 255, 255, 255]);
            traces.draw(&mut canvas, [SIZE[1] + 8.0, size[1] - 8.0], [14.0, SIZE[0] - 14.0], Some(i));
        }
        let pixels = canvas.pixels(1.0);
        let mut rgb: Vec<[u8; 3]> = pixels.pixels().iter().map(|c| [c.red(), c.green(), c.blue()]).collect();
        if let Some(picture) = &frames[i].picture {
            let from = CAPTION as usize * SIZE[0] as usize;
            rgb[from..].iter_mut().zip(picture.as_chunks().0).for_each(|(to, colour)| *to = *colour);
        }
        rgb
    };
    let samples: Vec<Vec<[u8; 3]>> = shown.iter().step_by(shown.len().div_ceil(12)).map(|&i| draw(i)).collect();
    let mut palette = Palette::of(samples.iter().flatten());

    let [width, height] = size.map(|x| x as u16);
    let mut file = Vec::new();
    let told = |e: gif::EncodingError| AnimationError::Encoding(task.into(), e.to_string());
    let mut encoder = gif::Encoder::new(&mut file, width, height, &palette.bytes()).map_err(told)?;
    encoder.set_repeat(gif::Repeat::Infinite).map_err(told)?;
    let mut before: Vec<u8> = Vec::new();
    for (k, &i) in shown.iter().enumerate() {
        let now: Vec<u8> = draw(i).iter().map(|c| palette.index(*c)).collect();
        // What did not change is transparent: long runs of one index are what GIF compresses well.
        let buffer = now.iter().enumerate().map(|(j, c)| if before.get(j) == Some(c) { CLEAR } else { *c }).collect();
        let hundredths = |seconds: f64| (100.0 * seconds).round() as u16;
        let delay = match shown.get(k + 1) {
            Some(&next) => hundredths(seconds(next)) - hundredths(seconds(i)),
            None => hundredths(PAUSE),
        };
        let dispose = gif::DisposalMethod::Keep;
        let frame =
            gif::Frame { width, height, delay, dispose, transparent: Some(CLEAR), buffer, ..Default::default() };
        encoder.write_frame(&frame).map_err(told)?;
        before = now;
    }
    drop(encoder);
    Ok(file)
}

/// What one frame shows, drawn from the side: red, green and blue of each of [`PICTURE`] pixels, row after row from the
/// top. None where the frame has no shape.
pub fn still(frame: &Frame) -> Option<Vec<u8>> {
    let scene = Scene::around(std::slice::from_ref(frame))?;
    let mut canvas = Canvas::new(SIZE[0], SIZE[1]);
    scene.draw(&mut canvas, 0, frame);
    let pixels = canvas.pixels(1.0);
    let below = &pixels.pixels()[CAPTION as usize * SIZE[0] as usize..];
    Some(below.iter().flat_map(|c| [c.red(), c.green(), c.blue()]).collect())
}

/// The corners of the picture's whole width between two heights.
fn block(top: f32, bottom: f32) -> Vec<Point> {
    vec![[0.0, top], [SIZE[0], top], [SIZE[0], bottom], [0.0, bottom]]
}

/// The line of words: task, clock and return.
fn caption(canvas: &mut Canvas, task: &str, clock: &str, r: f64) {
    canvas.area(block(0.0, CAPTION), [255, 255, 255, 255]);
    canvas.text([14.0, 22.0], 13.0, Anchor::Start, INK, task);
    let r = format!("return {:.*}", if r.abs() < 100.0 { 1 } else { 0 }, r).replace('-', "\u{2212}");
    canvas.text([SIZE[0] - 14.0, 22.0], 13.0, Anchor::End, INK, &r);
    canvas.text([SIZE[0] - 14.0 - 110.0, 22.0], 13.0, Anchor::End, INK, clock);
}

/// Where the camera is, and how much it sees.
pub(super) struct Scene {
    /// Pixels to a metre.
    scale: f64,
    /// What is in the middle of the picture at each frame.
    x: Vec<f64>,
    /// What is at the lower end of the picture.
    z: f64,
    floor: bool,
}

impl Scene {
    /// Whether all frames are seen from one place.
    pub(super) fn is_still(&self) -> bool {
        self.x.iter().all(|x| *x == self.x[0])
    }

    pub(super) fn around(frames: &[Frame]) -> Option<Self> {
        let drawable = |shape: &&Shape| shape.from.iter().chain(&shape.to).all(|v| v.is_finite());
        // Left, right, lower and upper end of each frame's body.
        let boxes: Vec<Option<[f64; 4]>> = frames
            .iter()
            .map(|frame| {
                frame.shapes.iter().filter(drawable).fold(None, |b, s| {
                    let [left, right, low, high] = b.unwrap_or([f64::MAX, f64::MIN, f64::MAX, f64::MIN]);
                    let (x, z) = ([s.from[0], s.to[0]], [s.from[1], s.to[1]]);
                    Some([
                        left.min(x[0].min(x[1]) - s.radius),
                        right.max(x[0].max(x[1]) + s.radius),
                        low.min(z[0].min(z[1]) - s.radius),
                        high.max(z[0].max(z[1]) + s.radius),
                    ])
                })
            })
            .collect();
        let seen = || boxes.iter().flatten();
        let all = seen().copied().reduce(|a, b| [a[0].min(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].max(b[3])])?;
        let widest = seen().map(|b| b[1] - b[0]).fold(0.0, f64::max);
        // Feet sink into a soft floor by some millimetres.
        let floor = all[2] > -0.1;
        let low = if floor { 0.0 } else { all[2] };
        let tall = (all[3] - low).max(1e-6);
        let [width, height] = [SIZE[0] as f64, (SIZE[1] - CAPTION) as f64];
        let scale = (width / (widest * (1.0 + 2.0 * ROOM))).min(height / (tall * (1.0 + 2.0 * ROOM)));
        let z = if floor { -ROOM * tall.min(0.6 * height / scale) } else { low - 0.5 * (height / scale - tall) };

        let fits = (all[1] - all[0]) * scale <= width * 0.9;
        let mut last = 0.5 * (all[0] + all[1]);
        let middles: Vec<f64> = boxes
            .iter()
            .map(|b| {
                last = b.filter(|_| !fits).map_or(last, |b| 0.5 * (b[0] + b[1]));
                last
            })
            .collect();
        // The camera does not nod with each step of the body.
        let x = (0..middles.len())
            .map(|i| {
                let reach = 12.min(i).min(middles.len() - 1 - i);
                let near = &middles[i - reach..=i + reach];
                near.iter().sum::<f64>() / near.len() as f64
            })
            .collect();
        Some(Self { scale, x, z, floor })
    }

    /// Where a point is in the picture of frame i.
    pub(super) fn place(&self, i: usize, [x, z]: [f64; 2]) -> Point {
        [
            (0.5 * SIZE[0] as f64 + self.scale * (x - self.x[i])) as f32,
            (SIZE[1] as f64 - self.scale * (z - self.z)) as f32,
        ]
    }

    pub(super) fn draw(&self, canvas: &mut Canvas, i: usize, frame: &Frame) {
        let place = |at: [f64; 2]| self.place(i, at);
        canvas.area(block(CAPTION, SIZE[1]), SKY);
        if self.floor {
            let ground = place([0.0, 0.0])[1];
            canvas.area(block(ground, SIZE[1]), FLOOR);
            canvas.line(&[[-2.0, ground], [SIZE[0] + 2.0, ground]], 1.5, TICK);
            let half = 0.5 * SIZE[0] as f64 / self.scale;
            let metres =
                [1.0, 2.0, 5.0, 10.0, 20.0, 50.0].into_iter().find(|m| m * self.scale >= 40.0).unwrap_or(100.0);
            for k in ((self.x[i] - half) / metres).floor() as i64 - 1..=((self.x[i] + half) / metres).ceil() as i64 {
                let x = place([k as f64 * metres, 0.0])[0];
                let middle = x + (0.5 * metres * self.scale) as f32;
                canvas.line(&[[x, ground], [x, ground + 9.0]], 1.5, TICK);
                canvas.line(&[[middle, ground], [middle, ground + 5.0]], 1.0, TICK);
                let label = format!("{} m", k as f64 * metres).replace('-', "\u{2212}");
                canvas.text([x, ground + 22.0], 10.0, Anchor::Middle, [130, 136, 146, 255], &label);
            }
        }
        let mut parts: Vec<usize> = Vec::new();
        for shape in &frame.shapes {
            if !parts.contains(&shape.part) {
                parts.push(shape.part);
            }
        }
        // All outlines of a part lie under all of its colours: its shapes grow together.
        for part in parts {
            let [dark, light] = PARTS[part % PARTS.len()].map(|[r, g, b]| [r, g, b, 255]);
            for (layer, colour) in [OUTLINE, dark, light].into_iter().enumerate() {
                for shape in frame.shapes.iter().filter(|shape| shape.part == part) {
                    let (from, to, radius) = (place(shape.from), place(shape.to), (shape.radius * self.scale) as f32);
                    let (radius, shift) = match layer {
                        0 => (radius + 0.75, 0.0),
                        1 => ((radius - 0.75).max(0.5), 0.0),
                        _ => (0.36 * radius, 0.26 * radius),
                    };
                    let lit = |[x, y]: Point| [x - 0.7 * shift, y - shift];
                    if from == to {
                        canvas.disc(lit(from), radius, colour);
                    } else {
                        canvas.line(&[lit(from), lit(to)], 2.0 * radius, colour);
                    }
                }
            }
        }
    }
}

/// The index that stands for "as before".
const CLEAR: u8 = 255;

/// The 255 commonest colours; others become the nearest of them.
struct Palette {
    colours: Vec<[u8; 3]>,
    known: HashMap<[u8; 3], u8>,
}

impl Palette {
    fn of<'a>(pixels: impl Iterator<Item = &'a [u8; 3]>) -> Self {
        let mut counts: HashMap<[u8; 3], usize> = HashMap::new();
        for colour in pixels {
            *counts.entry(*colour).or_default() += 1;
        }
        let mut counts: Vec<([u8; 3], usize)> = counts.into_iter().collect();
        counts.sort_by_key(|&(colour, n)| (std::cmp::Reverse(n), colour));
        let colours: Vec<_> = counts.into_iter().map(|(colour, _)| colour).take(CLEAR as usize).collect();
        Self { colours, known: HashMap::new() }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.colours.concat();
        bytes.resize(3 * 256, 255);
        bytes
    }

    fn index(&mut self, colour: [u8; 3]) -> u8 {
        let Self { colours, known } = self;
        let distance = |c: &[u8; 3]| (0..3).map(|k| (c[k] as i32 - colour[k] as i32).pow(2)).sum::<i32>();
        *known.entry(colour).or_insert_with(|| {
            let nearest = colours.iter().enumerate().min_by_key(|(_, c)| distance(c));
            nearest.map_or(0, |(i, _)| i as u8)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ball that rolls 12 m to the right in 4 s, at 200 steps a second.
    fn ball() -> Vec<Frame> {
        let at = |i: usize| [0.015 * i as f64, 0.5];
        let ball = |i| vec![Shape { from: at(i), to: at(i), radius: 0.5, part: 1 }];
        (0..800).map(|i| Frame { shapes: ball(i), r: -(i as f64), ..Frame::default() }).collect()
    }

    /// Every picture's delay in hundredths of a second, and its indices with "as before" resolved.
    fn decode(file: &[u8]) -> (Vec<u8>, Vec<(u16, Vec<u8>)>) {
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::Indexed);
        let mut decoder = options.read_info(file).unwrap();
        assert_eq!((decoder.width(), decoder.height()), (480, 320));
        let palette = decoder.global_palette().unwrap().to_vec();
        let (mut pictures, mut now) = (Vec::new(), vec![0; 480 * 320]);
        while let Some(frame) = decoder.read_next_frame().unwrap() {
            for (now, &index) in now.iter_mut().zip(&*frame.buffer) {
                *now = if index == CLEAR { *now } else { index };
            }
            pictures.push((frame.delay, now.clone()));
        }
        assert_eq!(decoder.repeat(), gif::Repeat::Infinite);
        (palette, pictures)
    }

    fn colour(palette: &[u8], picture: &[u8], x: usize, y: usize) -> [u8; 3] {
        let index = 3 * picture[480 * y + x] as usize;
        palette[index..index + 3].try_into().unwrap()
    }

    /// A GIF runs in real time at 25 pictures a second, pauses at its end, and the camera keeps the body in the middle
    /// while the floor scrolls.
    #[test]
    fn the_camera_follows() {
        let (palette, pictures) = decode(&animation("Ball-v0", 0.005, &ball()).unwrap());
        assert_eq!(pictures.len(), 100);
        assert!(pictures[..99].iter().all(|(delay, _)| *delay == 4) && pictures[99].0 == 100);
        let scene = Scene::around(&ball()).unwrap();
        assert!(scene.floor);
        let centre = (320.0 - scene.scale * (0.5 - scene.z)) as usize;
        let ground = (320.0 - scene.scale * (0.0 - scene.z)) as usize;
        let floor = |k: usize| -> Vec<u8> { pictures[k].1[480 * (ground + 6)..480 * (ground + 7)].to_vec() };
        for k in [0, 20, 50, 99] {
            let [r, g, b] = PARTS[1][0];
            assert_eq!(colour(&palette, &pictures[k].1, 240, centre + 20), [r, g, b], "picture {k}");
            assert_eq!(colour(&palette, &pictures[k].1, 10, ground + 15), FLOOR[..3], "picture {k}");
            assert_eq!(colour(&palette, &pictures[k].1, 10, 60), SKY[..3], "picture {k}");
        }
        assert_ne!(floor(20), floor(21));
    }

    /// Steps that are no multiple of a hundredth of a second do not drift: the delays add up to the episode.
    #[test]
    fn time_does_not_drift() {
        let (_, pictures) = decode(&animation("Ball-v0", 0.015, &ball()).unwrap());
        let total: u32 = pictures[..pictures.len() - 1].iter().map(|(delay, _)| *delay as u32).sum();
        assert_eq!((pictures.len(), total), (267, 1197));
    }

    /// A body that reaches below z = 0 has no floor, and is seen whole at every step.
    #[test]
    fn a_pendulum_hangs_in_the_air() {
        let tip = |i: usize| [(0.3 * i as f64).sin(), (0.3 * i as f64).cos()];
        let frame =
            |i| Frame { shapes: vec![Shape { from: [0.0; 2], to: tip(i), radius: 0.1, part: 0 }], ..Frame::default() };
        let frames: Vec<Frame> = (0..40).map(frame).collect();
        let scene = Scene::around(&frames).unwrap();
        assert!(!scene.floor && scene.x.iter().all(|x| (x - scene.x[0]).abs() < 1e-9));
        let (left, right) = (240.0 - scene.scale * 1.1, 240.0 + scene.scale * 1.1);
        let (top, bottom) = (320.0 - scene.scale * (1.1 - scene.z), 320.0 - scene.scale * (-1.1 - scene.z));
        assert!(left > 0.0 && right < 480.0 && top > CAPTION as f64 && bottom < 320.0, "{left} {right} {top} {bottom}");
    }

    /// Nothing to draw is one sentence, and no file.
    #[test]
    fn nothing_to_draw_is_an_error() {
        let nan = Shape { from: [f64::NAN, 0.0], to: [0.0, 0.0], radius: 1.0, part: 0 };
        for frames in [vec![], vec![Frame::default(); 3], vec![Frame { shapes: vec![nan], ..Frame::default() }]] {
            let sentence = animation("Blind-v0", 0.05, &frames).unwrap_err().to_string();
            assert!(sentence.starts_with("Blind-v0 has nothing to draw"), "{sentence}");
        }
    }
}
