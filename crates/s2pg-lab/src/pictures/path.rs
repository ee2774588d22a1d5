//! An episode as one picture: where things were, and the states of the policy over time.

use super::animation::{Frame, Scene};
use super::canvas::{Anchor, Canvas, Colour, Point};
use super::traces::Traces;

const INK: Colour = [51, 51, 51, 255];
const PALE: Colour = [110, 116, 126, 255];
/// Colours of a path, from its start to its end.
const START: [f32; 3] = [86.0, 180.0, 233.0];
const END: [f32; 3] = [213.0, 94.0, 0.0];

/// An episode of `task` as one picture: what there is at the end, the path of the part that moves most, from blue to
/// red, and beside it the entries of the policy's state that vary most, over the steps of the episode. None where
/// nothing is to be drawn, or where a camera would have to follow.
pub fn path(task: &str, frames: &[Frame]) -> Option<Canvas> {
    let scene = Scene::around(frames).filter(Scene::is_still)?;
    let last = frames.len() - 1;
    let traces = Traces::of(frames.iter().map(|frame| &frame.state[..]));
    let mut canvas = Canvas::new(if traces.is_some() { 880.0 } else { 480.0 }, 320.0);
    scene.draw(&mut canvas, last, &frames[last]);
    if let Some(points) = moving(frames) {
        let at = |i: usize| scene.place(i, points[i]);
        for i in 0..last {
            let share = i as f32 / last as f32;
            let [r, g, b] = [0, 1, 2].map(|k| (START[k] + share * (END[k] - START[k])).round() as u8);
            canvas.line(&[at(i), at(i + 1)], 2.5, [r, g, b, 255]);
        }
    }
    let corners: Vec<Point> = [[0.0, 0.0], [canvas.width, 0.0], [canvas.width, 34.0], [0.0, 34.0]].to_vec();
    canvas.area(corners, [255, 255, 255, 255]);
    canvas.text([14.0, 22.0], 13.0, Anchor::Start, INK, task);
    let words = format!("return {:.2} after {last} steps", frames[last].r).replace('-', "\u{2212}");
    canvas.text([466.0, 22.0], 13.0, Anchor::End, INK, &words);
    if let Some(traces) = traces {
        canvas.area(vec![[480.0, 34.0], [880.0, 34.0], [880.0, 320.0], [480.0, 320.0]], [255, 255, 255, 255]);
        canvas.text([516.0, 22.0], 13.0, Anchor::Start, INK, "the policy's state, each entry in its own range");
        traces.draw(&mut canvas, [50.0, 280.0], [494.0, 862.0], None);
        canvas.text([516.0, 302.0], 12.0, Anchor::Start, PALE, "step 0");
        canvas.text([862.0, 302.0], 12.0, Anchor::End, PALE, &format!("step {last}"));
    }
    Some(canvas)
}

/// Returns the middle of the part that moves most at each frame; None where nothing moves.
fn moving(frames: &[Frame]) -> Option<Vec<[f64; 2]>> {
    let mut parts: Vec<usize> = frames[0].shapes.iter().map(|shape| shape.part).collect();
    parts.sort_unstable();
    parts.dedup();
    let middle = |frame: &Frame, part: usize| -> Option<[f64; 2]> {
        let of = || frame.shapes.iter().filter(|shape| shape.part == part);
        let n = 2.0 * of().count() as f64;
        (n > 0.0).then(|| [0, 1].map(|k| of().map(|shape| shape.from[k] + shape.to[k]).sum::<f64>() / n))
    };
    let path = |part| frames.iter().map(|frame| middle(frame, part)).collect::<Option<Vec<_>>>();
    let length = |points: &[[f64; 2]]| points.windows(2).map(|p| (p[1][0] - p[0][0]).hypot(p[1][1] - p[0][1])).sum();
    let paths = parts.into_iter().filter_map(path).map(|points| (length(&points), points));
    let longest = paths.max_by(|a: &(f64, _), b| a.0.total_cmp(&b.0))?;
    (longest.0 > 0.0).then_some(longest.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use s2pg::env::Shape;

    fn disc(at: [f64; 2], part: usize) -> Shape {
        Shape { from: at, to: at, radius: 0.1, part }
    }

    /// The part that moves most has its path drawn, a piece for each step; where a camera has to follow there is no
    /// picture.
    #[test]
    fn the_path_of_what_moves() {
        let frame = |t: usize, reach: f64| Frame {
            shapes: vec![disc([0.0, 2.0], 0), disc([reach * t as f64, 1.0], 1)],
            state: vec![t as f32],
            ..Frame::default()
        };
        let frames = |reach| (0..11).map(|t| frame(t, reach)).collect::<Vec<_>>();
        let points = moving(&frames(0.1)).unwrap();
        assert_eq!((points[0], points[10]), ([0.0, 1.0], [1.0, 1.0]));
        assert!(path("Task-v0", &frames(0.1)).unwrap().svg().contains("Task-v0"));
        let follow = |t: usize| Frame { shapes: vec![disc([50.0 * t as f64, 1.0], 0)], ..Frame::default() };
        assert!(path("Task-v0", &(0..11).map(follow).collect::<Vec<_>>()).is_none());
        assert!(moving(&frames(0.0)).is_none() && path("Task-v0", &frames(0.0)).is_some());
    }
}
