//! Small multiples: many little plots that share both axes, which are logarithmic.

use super::canvas::{Anchor, Canvas, Colour, Mark, text_width};

/// One curve through positive points.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// What the key calls the line.
    pub name: String,
    /// (x, y); points that are not positive and finite are left out.
    pub points: Vec<(f64, f64)>,
    /// The number of its colour, from 0 to 5.
    pub colour: usize,
    /// Whether the line is thin and dashed, for what was computed rather than measured.
    pub faint: bool,
}

/// One plot.
#[derive(Clone, Debug, Default)]
pub struct Small {
    /// What stands above the plot.
    pub title: String,
    /// A second, paler line below the title.
    pub note: String,
    /// The curves, from the bottom to the top.
    pub curves: Vec<Line>,
}

const PLOT: [f32; 2] = [250.0, 190.0];
const GAP: [f32; 2] = [22.0, 58.0];
const LEFT: f32 = 78.0;
const TEXT: f32 = 12.0;
const INK: Colour = [51, 51, 51, 255];
const PALE_INK: Colour = [110, 110, 110, 255];
const GRID: Colour = [232, 232, 232, 255];
const AXIS: Colour = [150, 150, 150, 255];
const COLOURS: [Colour; 6] = [
    [0, 114, 178, 255],
    [213, 94, 0, 255],
    [86, 180, 233, 255],
    [0, 158, 115, 255],
    [230, 159, 0, 255],
    [204, 121, 167, 255],
];

/// The finite range of an axis, in decades.
struct Decades {
    low: f64,
    high: f64,
}

impl Decades {
    fn of(values: impl Iterator<Item = f64>, round: bool) -> Self {
        let logs = values.filter(|v| *v > 0.0 && v.is_finite()).map(f64::log10);
        let (low, high) = logs.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        match (low <= high, round) {
            (false, _) => Self { low: 0.0, high: 1.0 },
            (true, true) => Self { low: (low - 0.1).floor(), high: (high + 0.1).ceil() },
            (true, false) => Self { low: low - 0.06, high: high + 0.06 },
        }
    }

    fn share(&self, value: f64) -> f32 {
        ((value.log10() - self.low) / (self.high - self.low)) as f32
    }
}

/// Draws rows of plots under a title and a key. All plots share both axes, which are logarithmic.
pub fn small_multiples(title: &str, y_label: &str, x_label: &str, rows: &[Vec<Small>]) -> Canvas {
    let curves = || rows.iter().flatten().flat_map(|small| &small.curves);
    let points = || curves().flat_map(|curve| &curve.points);
    // What was computed may run out of the picture, what was measured may not.
    let measured = curves().filter(|curve| !curve.faint).flat_map(|curve| &curve.points);
    let (x, mut y) = (Decades::of(points().map(|p| p.0), false), Decades::of(measured.map(|p| p.1), true));
    let highest = Decades::of(points().map(|p| p.1), true).high;
    y.high = highest.min(y.high + 2.0);
    let mut places: Vec<f64> = points().map(|p| p.0).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0).max(1) as f32;
    let mut canvas = Canvas::new(LEFT + columns * (PLOT[0] + GAP[0]), 0.0);
    canvas.width = canvas.width.max(text_width(title, 16.0) + LEFT + GAP[0]);
    canvas.text([LEFT, 30.0], 16.0, Anchor::Start, INK, title);

    // Each name once, measured ones before computed ones, and those on top first.
    let mut keys: Vec<&Line> = Vec::new();
    for curve in curves() {
        if !keys.iter().any(|key| key.name == curve.name) {
            keys.push(curve);
        }
    }
    keys.reverse();
    keys.sort_by_key(|key| key.faint);
    let (mut at, mut top) = (LEFT, 56.0);
    for key in keys {
        let step = 34.0 + text_width(&key.name, TEXT) + 24.0;
        if at > LEFT && at + step - 24.0 > canvas.width - GAP[0] {
            (at, top) = (LEFT, top + 20.0);
        }
        stroke(&mut canvas, vec![[at, top - 4.0], [at + 26.0, top - 4.0]], key);
        canvas.text([at + 34.0, top], TEXT, Anchor::Start, INK, &key.name);
        at += step;
    }
    top += 54.0;

    for (i, row) in rows.iter().enumerate() {
        let top = top + i as f32 * (PLOT[1] + GAP[1]);
        for (j, small) in row.iter().enumerate() {
            let left = LEFT + j as f32 * (PLOT[0] + GAP[0]);
            plot(&mut canvas, small, [left, top], (&x, &y, &places), (j == 0, i + 1 == rows.len()));
        }
    }
    let bottom = top + rows.len() as f32 * (PLOT[1] + GAP[1]) - GAP[1];
    let middle = LEFT + 0.5 * (columns * (PLOT[0] + GAP[0]) - GAP[0]);
    canvas.text([middle, bottom + 40.0], TEXT + 1.0, Anchor::Middle, INK, x_label);
    let (at, size, text) = ([20.0, 0.5 * (top + bottom)], TEXT + 1.0, y_label.to_string());
    canvas.marks.push(Mark::Text { at, size, anchor: Anchor::Middle, turned: true, colour: INK, text });
    canvas.height = bottom + 56.0;
    canvas
}

fn stroke(canvas: &mut Canvas, points: Vec<[f32; 2]>, curve: &Line) {
    // Where others coincide with the colour 1, it is broad and shows around them.
    let broad = if curve.colour == 1 { 4.5 } else { 2.0 };
    let (width, dash) = if curve.faint { (1.5, 4.0) } else { (broad, 0.0) };
    canvas.marks.push(Mark::Line { points, width, dash, colour: COLOURS[curve.colour % COLOURS.len()] });
}

/// One plot with its upper left corner at `left`, `top`; its numbers stand at the edges of the sheet only.
fn plot(
    canvas: &mut Canvas,
    small: &Small,
    [left, top]: [f32; 2],
    (x, y, places): (&Decades, &Decades, &[f64]),
    (numbers_left, numbers_below): (bool, bool),
) {
    let (right, bottom) = (left + PLOT[0], top + PLOT[1]);
    let at = |(a, b): (f64, f64)| [left + PLOT[0] * x.share(a), bottom - PLOT[1] * y.share(b)];
    canvas.text([left, top - 25.0], TEXT + 1.0, Anchor::Start, INK, &small.title);
    canvas.text([left, top - 9.0], TEXT - 1.0, Anchor::Start, PALE_INK, &small.note);
    let step = ((y.high - y.low) / 6.0).ceil().max(1.0) as usize;
    for decade in (y.low as i32..=y.high as i32).step_by(step) {
        let [_, height] = at((1.0, 10f64.powi(decade)));
        canvas.line(&[[left, height], [right, height]], 1.0, GRID);
        if numbers_left {
            let exponent = decade.to_string().replace('-', "\u{2212}");
            let base = left - 9.0 - text_width(&exponent, 0.75 * TEXT);
            canvas.text([base, height + 0.4 * TEXT], TEXT, Anchor::End, PALE_INK, "10");
            canvas.text([base + 1.0, height - 0.05 * TEXT], 0.75 * TEXT, Anchor::Start, PALE_INK, &exponent);
        }
    }
    for &place in places {
        let [across, _] = at((place, 1.0));
        canvas.line(&[[across, top], [across, bottom]], 1.0, GRID);
        if numbers_below {
            canvas.text([across, bottom + 18.0], TEXT, Anchor::Middle, PALE_INK, &place.to_string());
        }
    }
    canvas.line(&[[left, bottom], [right, bottom]], 1.0, AXIS);
    for curve in &small.curves {
        let fits = |p: &&(f64, f64)| p.0 > 0.0 && p.1 > 0.0 && p.0.is_finite() && p.1.is_finite();
        let points: Vec<[f32; 2]> = curve.points.iter().filter(fits).map(|p| at(*p)).collect();
        for line in below(&points, top) {
            stroke(canvas, line, curve);
        }
        if !curve.faint || points.len() == 1 {
            let inside = points.iter().filter(|point| point[1] >= top);
            inside.for_each(|point| canvas.disc(*point, 3.0, COLOURS[curve.colour % COLOURS.len()]));
        }
    }
}

/// The parts of a line below the height `top`; where it crosses, a part ends there.
fn below(points: &[[f32; 2]], top: f32) -> Vec<Vec<[f32; 2]>> {
    let mut parts: Vec<Vec<[f32; 2]>> = Vec::new();
    for pair in points.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let edge = || [from[0] + (to[0] - from[0]) * (top - from[1]) / (to[1] - from[1]), top];
        let (start, end) = match (from[1] >= top, to[1] >= top) {
            (true, true) => (from, to),
            (true, false) => (from, edge()),
            (false, true) => (edge(), to),
            (false, false) => continue,
        };
        match parts.last_mut() {
            Some(part) if part.last() == Some(&start) => part.push(end),
            _ => parts.push(vec![start, end]),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line that leaves the plot is cut at its edge, and comes back as another one.
    #[test]
    fn lines_end_at_the_edge() {
        let line = [[0.0, 20.0], [1.0, 12.0], [2.0, 8.0], [3.0, 6.0], [4.0, 14.0]];
        assert_eq!(below(&line, 10.0), [vec![[0.0, 20.0], [1.0, 12.0], [1.5, 10.0]], vec![[3.5, 10.0], [4.0, 14.0]]]);
    }

    /// No word lies outside of the sheet, no measured point outside of its plot, and every name is in the key once.
    #[test]
    fn everything_is_on_the_sheet() {
        let curve = |name: &str, faint, height: f64| Line {
            name: name.into(),
            points: [5.0, 10.0, 40.0].map(|x| (x, height * x)).into(),
            colour: 0,
            faint,
        };
        let small = |z: f64| Small {
            title: format!("Z = {z}"),
            note: "a note".into(),
            curves: vec![curve("a bound", true, 1e12 * z), curve("measured", false, z)],
        };
        let rows = [vec![small(1.0), small(1.3)], vec![small(10.0), small(1e3)]];
        let canvas = small_multiples("Title", "height", "width", &rows);
        let mut names = 0;
        for mark in &canvas.marks {
            match mark {
                Mark::Text { at: [x, y], text, .. } => {
                    assert!(*x >= 0.0 && *y >= 0.0 && *x <= canvas.width && *y <= canvas.height, "{text}");
                    names += usize::from(text == "measured");
                }
                Mark::Line { points, .. } => {
                    assert!(points.iter().all(|[x, y]| *x <= canvas.width && *y > 0.0 && *y < canvas.height));
                }
                Mark::Disc { centre: [x, y], .. } => {
                    assert!(*x > LEFT && *x < canvas.width && *y > 0.0 && *y < canvas.height);
                }
                Mark::Area { .. } => {}
            }
        }
        assert_eq!(names, 1);
        let discs = canvas.marks.iter().filter(|mark| matches!(mark, Mark::Disc { .. })).count();
        assert_eq!(discs, 12);
    }
}
