//! Learning curves.

use super::canvas::{Anchor, Canvas, Colour, Mark, text_width};

/// One curve: a mean, and the band that says how sure it is. Points that are not finite are left out.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// The name of the curve, which has one colour in all panels of a chart.
    pub name: String,
    /// Where the points are, ascending: steps, or hours.
    pub x: Vec<f64>,
    /// The mean at each x.
    pub y: Vec<f64>,
    /// Lower and upper end of the band at each x.
    pub band: Option<(Vec<f64>, Vec<f64>)>,
}

/// One pair of axes with its curves.
#[derive(Clone, Debug, Default)]
pub struct Panel {
    /// What the horizontal axis shows, with its unit.
    pub x_label: String,
    /// What the vertical axis shows; panels with the same label share their range.
    pub y_label: String,
    /// The curves, from the bottom to the top.
    pub series: Vec<Series>,
}

const PLOT: [f32; 2] = [440.0, 300.0];
const TEXT: f32 = 12.0;
const INK: Colour = [51, 51, 51, 255];
const PALE_INK: Colour = [110, 110, 110, 255];
const GRID: Colour = [230, 230, 230, 255];
const ZERO: Colour = [170, 170, 170, 255];
const AXIS: Colour = [150, 150, 150, 255];
/// Okabe and Ito's colours, which colour-blind readers can tell apart, without the yellow that white paper swallows.
pub(super) const COLOURS: [[u8; 3]; 7] =
    [[0, 114, 178], [213, 94, 0], [0, 158, 115], [204, 121, 167], [230, 159, 0], [86, 180, 233], [90, 90, 90]];

/// Draws the panels side by side under a title.
///
/// Where all curves of the last panel reach its right end, their names stand there, beside the ends; otherwise in rows
/// above the panels. Past seven names colours repeat with dashed lines.
///
/// # Panics
/// Where the columns of a series have different lengths.
pub fn chart(title: &str, panels: &[Panel]) -> Canvas {
    let mut names: Vec<&str> = Vec::new();
    for series in panels.iter().flat_map(|panel| &panel.series) {
        let (n, y) = (series.x.len(), series.y.len());
        let (low, high) = series.band.as_ref().map_or((n, n), |(low, high)| (low.len(), high.len()));
        assert!(n == y && n == low && n == high, "{}: {n} x, {y} y, a band of {low} and {high}", series.name);
        if !names.contains(&&*series.name) {
            names.push(&series.name);
        }
    }
    let axes: Vec<[Axis; 2]> = panels
        .iter()
        .map(|panel| {
            let x =
                panel.series.iter().flat_map(|s| s.x.iter().zip(&s.y).filter(|(_, y)| y.is_finite()).map(|(x, _)| *x));
            let same = panels.iter().filter(|other| other.y_label == panel.y_label).flat_map(|other| &other.series);
            let y = same.flat_map(|s| s.y.iter().chain(s.band.iter().flat_map(|(low, high)| low.iter().chain(high))));
            [Axis::across(x, false), Axis::across(y.copied(), true)]
        })
        .collect();

    let direct = match (panels.last(), axes.last()) {
        (Some(panel), Some([x, _])) => {
            panel.series.len() == names.len()
                && names.len() as f32 * (TEXT + 4.0) <= PLOT[1]
                && panel.series.iter().all(|s| s.end().is_some_and(|(end, _)| x.share(end) > 0.97))
        }
        _ => false,
    };
    let name_width = names.iter().map(|name| text_width(name, TEXT)).fold(0.0, f32::max);
    let left = |y: &Axis| y.labels().map(|(_, label)| text_width(&label, TEXT)).fold(0.0, f32::max) + 46.0;
    let widths: Vec<f32> = axes.iter().map(|[_, y]| left(y) + PLOT[0] + 22.0).collect();
    let width = widths.iter().sum::<f32>() + if direct { name_width + 22.0 } else { 0.0 };

    let mut canvas = Canvas::new(width.max(text_width(title, 16.0) + 32.0), 0.0);
    let indent = axes.first().map_or(16.0, |[_, y]| left(y));
    let anchored = if indent + text_width(title, 16.0) < canvas.width { indent } else { 16.0 };
    canvas.text([anchored, 30.0], 16.0, Anchor::Start, INK, title);
    let mut top = 48.0;
    if !direct && (names.len() > 1 || names.first().is_some_and(|name| *name != title)) {
        let mut x = indent;
        for (i, name) in names.iter().enumerate() {
            let step = 30.0 + text_width(name, TEXT) + 22.0;
            if x > indent && x + step - 22.0 > canvas.width - 16.0 {
                (x, top) = (indent, top + 20.0);
            }
            let (colour, dash) = style(i);
            canvas.marks.push(Mark::Line { points: vec![[x + 1.0, top], [x + 23.0, top]], width: 2.5, dash, colour });
            canvas.text([x + 30.0, top + 4.0], TEXT, Anchor::Start, INK, name);
            x += step;
        }
        top += 20.0;
    }
    canvas.height = top + PLOT[1] + 54.0;

    let mut edge = 0.0;
    for ((panel, [x, y]), width) in panels.iter().zip(&axes).zip(widths) {
        let origin = [edge + left(y), top + PLOT[1]];
        edge += width;
        draw_axes(&mut canvas, panel, x, y, origin, edge - width + 20.0);
        let place = |a: f64, b: f64| [origin[0] + PLOT[0] * x.share(a), origin[1] - PLOT[1] * y.share(b)];
        let colour = |series: &Series| style(names.iter().position(|name| *name == series.name).unwrap_or(0));
        for series in &panel.series {
            let Some((low, high)) = &series.band else { continue };
            let ([r, g, b, _], _) = colour(series);
            for run in runs(series.x.len(), |i| [series.x[i], low[i], high[i]].iter().all(|v| v.is_finite())) {
                let under = run.clone().map(|i| place(series.x[i], low[i]));
                let over = run.clone().rev().map(|i| place(series.x[i], high[i]));
                canvas.area(under.chain(over).collect(), [r, g, b, 44]);
            }
        }
        for series in &panel.series {
            let (colour, dash) = colour(series);
            for run in runs(series.x.len(), |i| series.x[i].is_finite() && series.y[i].is_finite()) {
                let points: Vec<_> = run.map(|i| place(series.x[i], series.y[i])).collect();
                match points[..] {
                    [point] => canvas.disc(point, 2.5, colour),
                    _ => canvas.marks.push(Mark::Line { points, width: 2.0, dash, colour }),
                }
            }
        }
        if x.empty || y.empty {
            let middle = [origin[0] + 0.5 * PLOT[0], origin[1] - 0.5 * PLOT[1]];
            canvas.text(middle, 14.0, Anchor::Middle, PALE_INK, "no data yet");
        }
    }
    if let (true, Some(panel), Some([_, y])) = (direct, panels.last(), axes.last()) {
        let right = edge - 22.0;
        let mut ends: Vec<(f32, usize)> = panel
            .series
            .iter()
            .filter_map(|s| {
                let (_, value) = s.end()?;
                Some((top + PLOT[1] * (1.0 - y.share(value)), names.iter().position(|name| *name == s.name)?))
            })
            .collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        let wanted: Vec<f32> = ends.iter().map(|(y, _)| *y).collect();
        for ((from, i), to) in ends.iter().zip(spread(&wanted, TEXT + 4.0, top, top + PLOT[1])) {
            let (colour, dash) = style(*i);
            canvas.marks.push(Mark::Line {
                points: vec![[right + 5.0, *from], [right + 18.0, to]],
                width: 2.0,
                dash,
                colour,
            });
            canvas.text([right + 24.0, to + 4.0], TEXT, Anchor::Start, INK, names[*i]);
        }
    }
    canvas
}

/// The grid, the frame's lower line, and all numbers and words around one plot.
fn draw_axes(canvas: &mut Canvas, panel: &Panel, x: &Axis, y: &Axis, [left, bottom]: [f32; 2], label: f32) {
    let (right, top) = (left + PLOT[0], bottom - PLOT[1]);
    for (value, text) in x.labels() {
        let at = left + PLOT[0] * x.share(value);
        canvas.line(&[[at, top], [at, bottom]], 1.0, GRID);
        canvas.line(&[[at, bottom], [at, bottom + 5.0]], 1.0, AXIS);
        canvas.text([at, bottom + 19.0], TEXT, Anchor::Middle, PALE_INK, &text);
    }
    for (value, text) in y.labels() {
        let at = bottom - PLOT[1] * y.share(value);
        let colour = if value == 0.0 && y.low < 0.0 { ZERO } else { GRID };
        canvas.line(&[[left, at], [right, at]], 1.0, colour);
        canvas.text([left - 8.0, at + 0.36 * TEXT], TEXT, Anchor::End, PALE_INK, &text);
    }
    canvas.line(&[[left, bottom], [right, bottom]], 1.0, AXIS);
    canvas.text([left + 0.5 * PLOT[0], bottom + 41.0], TEXT + 1.0, Anchor::Middle, INK, &panel.x_label);
    let (at, size, text) = ([label, 0.5 * (top + bottom)], TEXT + 1.0, panel.y_label.clone());
    canvas.marks.push(Mark::Text { at, size, anchor: Anchor::Middle, turned: true, colour: INK, text });
}

impl Series {
    /// The last finite point.
    fn end(&self) -> Option<(f64, f64)> {
        self.x.iter().copied().zip(self.y.iter().copied()).rfind(|(x, y)| x.is_finite() && y.is_finite())
    }
}

/// Colour and dash length of the i-th name.
fn style(i: usize) -> (Colour, f32) {
    let [r, g, b] = COLOURS[i % COLOURS.len()];
    ([r, g, b, 255], 5.0 * (i / COLOURS.len()) as f32)
}

/// The longest stretches of 0..n on which `keep` holds.
fn runs(n: usize, keep: impl Fn(usize) -> bool) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for i in (0..n).filter(|&i| keep(i)) {
        match runs.last_mut() {
            Some(run) if run.end == i => run.end += 1,
            _ => runs.push(i..i + 1),
        }
    }
    runs
}

/// Moves ascending places apart until they have `gap` between them, with the least squared motion, then into
/// top..bottom.
fn spread(wanted: &[f32], gap: f32, top: f32, bottom: f32) -> Vec<f32> {
    // Blocks of touching labels: a block sits at the mean of what its members want, and swallows those it would touch.
    let mut blocks: Vec<(f32, usize)> = Vec::new();
    for &want in wanted {
        let mut block = (want, 1);
        while let Some(&(mean, n)) = blocks.last() {
            if mean + 0.5 * gap * (n + block.1) as f32 <= block.0 {
                break;
            }
            blocks.pop();
            block = ((mean * n as f32 + block.0 * block.1 as f32) / (n + block.1) as f32, n + block.1);
        }
        blocks.push(block);
    }
    let each = |(mean, n): (f32, usize)| (0..n).map(move |i| mean + gap * (i as f32 - 0.5 * (n - 1) as f32));
    let mut places: Vec<f32> = blocks.into_iter().flat_map(each).collect();
    let mut least = top;
    for place in &mut places {
        *place = place.max(least);
        least = *place + gap;
    }
    let mut most = bottom;
    for place in places.iter_mut().rev() {
        *place = place.min(most);
        most = *place - gap;
    }
    places
}

/// The range of one axis and the distance of its ticks.
struct Axis {
    low: f64,
    high: f64,
    step: f64,
    empty: bool,
}

impl Axis {
    /// Around the finite ones of the values. An upright axis leaves some room; the other one ends with the data.
    fn across(values: impl Iterator<Item = f64>, upright: bool) -> Self {
        let finite = values.filter(|v| v.is_finite());
        let (mut low, mut high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        let empty = low > high;
        if empty {
            (low, high) = (0.0, 1.0);
        }
        if !upright && low > 0.0 && low < 0.2 * high {
            low = 0.0;
        }
        if low == high {
            let room = if low == 0.0 { 1.0 } else { 0.5 * low.abs() };
            (low, high) = (low - room, high + room);
        }
        let step = nice((high - low) / if upright { 5.0 } else { 6.0 });
        if upright {
            let room = 0.04 * (high - low);
            (low, high) = (if low == 0.0 { 0.0 } else { low - room }, high + room);
        }
        Self { low, high, step, empty }
    }

    /// Where a value lies between the ends of the axis, from 0 to 1.
    fn share(&self, value: f64) -> f32 {
        ((value - self.low) / (self.high - self.low)) as f32
    }

    /// The ticks, with their numbers in thousands (k) or millions (M) where the axis goes far enough.
    fn labels(&self) -> impl Iterator<Item = (f64, String)> {
        let slack = 1e-6;
        let (first, last) =
            ((self.low / self.step - slack).ceil() as i64, (self.high / self.step + slack).floor() as i64);
        let far = self.low.abs().max(self.high.abs()) >= 10_000.0;
        (first..=last).map(move |i| {
            let value = i as f64 * self.step;
            let (unit, suffix) = match value.abs() {
                v if far && v >= 999_999.5 => (1e6, "M"),
                v if far && v >= 999.5 => (1e3, "k"),
                _ => (1.0, ""),
            };
            // Plain numbers have the decimals of the step; thousands and millions those that they need.
            let digits = if unit == 1.0 {
                (-(self.step.log10() + 1e-9).floor()).max(0.0) as usize
            } else {
                let tail = |digits: usize| (value / unit * 10f64.powi(digits as i32) + 0.5).rem_euclid(1.0) - 0.5;
                (0..5).find(|digits| tail(*digits).abs() < 1e-6).unwrap_or(5)
            };
            let text = format!("{:.*}{suffix}", digits, value / unit);
            (value, text.replace('-', "\u{2212}"))
        })
    }
}

/// Of 1, 2 and 5 times the powers of ten, the one whose ratio to `x` is nearest to 1.
fn nice(x: f64) -> f64 {
    let power = 10f64.powf(x.log10().floor());
    let mantissa = x / power;
    let nearest = [(2f64, 1.0), (10.0, 2.0), (50.0, 5.0)].into_iter().find(|(square, _)| mantissa * mantissa < *square);
    power * nearest.map_or(10.0, |(_, step)| step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, end: f64, height: f64) -> Series {
        let x: Vec<f64> = (0..=50).map(|i| end * i as f64 / 50.0).collect();
        let y: Vec<f64> = x.iter().map(|x| height * (x / end).sqrt()).collect();
        let band = (y.iter().map(|y| y - 0.1 * height).collect(), y.iter().map(|y| y + 0.1 * height).collect());
        Series { name: name.into(), x, y, band: Some(band) }
    }

    fn panel(x_label: &str, series: Vec<Series>) -> Panel {
        Panel { x_label: x_label.into(), y_label: "return".into(), series }
    }

    fn words(canvas: &Canvas) -> Vec<(String, [f32; 4])> {
        let bounds = |mark: &Mark| match mark {
            Mark::Text { at: [x, y], size, anchor, turned: false, text, .. } => {
                let width = text_width(text, *size);
                let left = match anchor {
                    Anchor::Start => *x,
                    Anchor::Middle => x - 0.5 * width,
                    Anchor::End => x - width,
                };
                Some((text.clone(), [left, y - 0.8 * size, left + width, y + 0.25 * size]))
            }
            _ => None,
        };
        canvas.marks.iter().filter_map(bounds).collect()
    }

    /// Steps are 1, 2 or 5 times a power of ten, numbers far out are in k and M, and a minus is a minus sign.
    #[test]
    fn ticks_are_round_numbers() {
        let labels = |values: [f64; 2], upright| {
            Axis::across(values.into_iter(), upright).labels().map(|(_, text)| text).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(labels([0.0, 5e6], false), "0 1M 2M 3M 4M 5M");
        assert_eq!(labels([1000.0, 1.2e6], false), "0 200k 400k 600k 800k 1M 1.2M");
        assert_eq!(labels([0.0, 2.9], false), "0.0 0.5 1.0 1.5 2.0 2.5");
        assert_eq!(labels([-212.0, 4780.0], true), "0 1000 2000 3000 4000");
        assert_eq!(labels([0.0, 980.0], true), "0 200 400 600 800 1000");
        assert_eq!(labels([-0.03, 0.011], true), "−0.03 −0.02 −0.01 0.00 0.01");
        assert_eq!(labels([-12_500.0, -2400.0], true), "−12k −10k −8k −6k −4k −2k");
        assert_eq!(labels([3.0, 3.0], true), "1.5 2.0 2.5 3.0 3.5 4.0 4.5");
        assert_eq!(labels([f64::NAN, f64::INFINITY], true), "0.0 0.2 0.4 0.6 0.8 1.0");
    }

    /// No word lies on a plot, on another word, or beyond the sheet, whether the names stand beside the curves, where
    /// they would collide, or above the panels.
    #[test]
    fn words_cover_nothing() {
        let close = || (0..9).map(|i| series(&format!("series {i}"), 1e6, 1000.0 + 3.0 * i as f64)).collect::<Vec<_>>();
        let times = vec![series("SAC-RS", 1.5, 9.0), series("SAC-BPTT-32", 9.0, 8.0), series("vanilla", 0.7, 4.0)];
        let charts = [
            chart("Close ends", &[panel("steps", close())]),
            chart("One panel against time", &[panel("hours", times.clone())]),
            chart("Two panels", &[panel("steps", times.clone()), panel("hours", close())]),
            chart("Nothing", &[panel("steps", vec![])]),
        ];
        for canvas in charts {
            let words = words(&canvas);
            let plots: Vec<[f32; 4]> = canvas
                .marks
                .iter()
                .filter_map(|mark| match mark {
                    Mark::Line { points, colour: AXIS, .. } if points[1][0] - points[0][0] == PLOT[0] => {
                        Some([points[0][0], points[0][1] - PLOT[1], points[1][0], points[1][1]])
                    }
                    _ => None,
                })
                .collect();
            assert!(!plots.is_empty());
            let apart = |a: &[f32; 4], b: &[f32; 4]| a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] || b[3] <= a[1];
            for (i, (word, at)) in words.iter().enumerate().filter(|(_, (word, _))| word != "no data yet") {
                assert!(
                    at[0] >= 0.0 && at[1] >= 0.0 && at[2] <= canvas.width && at[3] <= canvas.height,
                    "{word} {at:?}"
                );
                assert!(plots.iter().all(|plot| apart(plot, at)), "{word} at {at:?} on a plot {plots:?}");
                let other = words[..i].iter().find(|(_, other)| !apart(other, at));
                assert!(other.is_none(), "{word} at {at:?} on {other:?}");
            }
        }
    }

    /// A curve stays inside of its plot; what is not finite is a gap, and a point alone is a dot.
    #[test]
    fn gaps_are_gaps() {
        let y = vec![1.0, 2.0, f64::NAN, 4.0, f64::INFINITY, 3.0, 5.0];
        let x = (0..7).map(f64::from).collect();
        let canvas = chart("Gaps", &[panel("steps", vec![Series { name: "Gaps".into(), x, y, band: None }])]);
        let (blue, _) = style(0);
        let curve: Vec<usize> = canvas
            .marks
            .iter()
            .filter_map(|mark| match mark {
                Mark::Line { points, width: 2.0, colour, .. } if *colour == blue => Some(points.len()),
                Mark::Disc { colour, .. } if *colour == blue => Some(1),
                _ => None,
            })
            .collect();
        assert_eq!(curve, [2, 1, 2, 2], "two points, one, two, and the mark of the name");
    }

    /// A series whose columns differ in length is a mistake of the caller, told with all lengths.
    #[test]
    #[should_panic(expected = "odd: 51 x, 51 y, a band of 3 and 51")]
    fn columns_have_one_length() {
        let mut odd = series("odd", 1.0, 1.0);
        odd.band.as_mut().unwrap().0.truncate(3);
        chart("Odd", &[panel("steps", vec![odd])]);
    }
}
