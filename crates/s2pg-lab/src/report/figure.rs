//! The figure of a report.

use s2pg::results::Curve;

use super::groups::Group;
use super::interval;
use super::table::FEW;
use crate::numbers::count;
use crate::pictures::{Anchor, Canvas, Panel, Series, chart, text_width};

/// Training returns of all groups against steps, and against time of work, in two panels for each environment.
pub(super) fn figure(title: &str, environments: &[(&str, Vec<&Group>)]) -> Canvas {
    let mut sheet = Canvas::new(0.0, 0.0);
    for (environment, groups) in environments {
        let title = if title.contains(environment) { title.into() } else { format!("{title} — {environment}") };
        sheet.append(chart(&title, &panels(groups)));
    }
    let lines = caption(environments);
    let mut below = Canvas::new(0.0, 16.0 * lines.len() as f32 + 14.0);
    for (i, line) in lines.iter().enumerate() {
        below.text([16.0, 12.0 + 16.0 * i as f32], 11.0, Anchor::Start, [110, 110, 110, 255], line);
        below.width = below.width.max(text_width(line, 11.0) + 32.0);
    }
    sheet.append(below);
    sheet
}

/// What the lines and the bands are.
fn caption(environments: &[(&str, Vec<&Group>)]) -> Vec<&'static str> {
    let seeds: Vec<usize> =
        environments.iter().flat_map(|(_, groups)| groups).map(|group| group.summary().seeds).collect();
    let many = seeds.iter().any(|&n| n > 1);
    let mut lines = vec![match many {
        true => {
            "Line: mean over seeds of the return of the last 100 training episodes, whose actions are drawn; a seed that \
             is done keeps its last one."
        }
        false => "Line: return of the last 100 training episodes, whose actions are drawn. One seed: there is no band.",
    }];
    if many {
        lines.push(match seeds.iter().any(|&n| (2..FEW).contains(&n)) {
            true => "Band: 95 % bootstrap interval of that mean; it is indicative, as there are fewer than 10 seeds.",
            false => "Band: 95 % bootstrap interval of that mean.",
        });
    }
    lines
}

fn panels(groups: &[&Group]) -> [Panel; 2] {
    let against = |x_label: &str, x: &dyn Fn(&Curve) -> Vec<f64>| Panel {
        x_label: x_label.into(),
        y_label: "return".into(),
        series: groups.iter().map(|g| series(g, x)).collect(),
    };
    let longest = groups.iter().flat_map(|g| &g.curves).filter_map(|c| c.seconds.last().copied()).fold(0.0, f64::max);
    let (label, unit) = match longest {
        0.0..120.0 => ("seconds of work", 1.0),
        120.0..7200.0 => ("minutes of work", 60.0),
        _ => ("hours of work", 3600.0),
    };
    let time = |c: &Curve| c.seconds.iter().map(|s| s / unit).collect();
    [against("environment steps", &|c| c.steps.clone()), against(label, &time)]
}

/// Points of a drawn curve.
const POINTS: usize = 200;

/// The mean over seeds with its 95 % interval, up to the step that all seeds reached: where the slowest one reaches it
/// later, the others keep the return that they had there.
fn series(group: &Group, x: &dyn Fn(&Curve) -> Vec<f64>) -> Series {
    // A run in which no episode has ended yet has nothing to draw, and takes nothing from the others.
    let curves: Vec<&Curve> = group.curves.iter().filter(|c| c.returns.iter().any(|r| r.is_finite())).collect();
    let all_reached = curves.iter().filter_map(|c| c.steps.last().copied()).fold(f64::INFINITY, f64::min);
    let until = |c: &Curve| c.steps.partition_point(|step| *step <= all_reached);
    let cut = |mut x: Vec<f64>, c: &Curve| {
        x.truncate(until(c));
        x
    };
    let curves: Vec<(Vec<f64>, &[f64])> = curves.iter().map(|c| (cut(x(c), c), &c.returns[..until(c)])).collect();
    let end = curves.iter().filter_map(|(x, _)| x.last().copied()).fold(f64::NEG_INFINITY, f64::max);
    let name = format!("{}, {}", group.name, count(curves.len(), "seed"));
    let mut drawn = Series { name, ..Series::default() };
    if !end.is_finite() {
        return drawn;
    }
    let mut band = (Vec::new(), Vec::new());
    for i in 1..=POINTS {
        let at = end * i as f64 / POINTS as f64;
        let values: Vec<f64> = curves.iter().filter_map(|(x, y)| value_at(x, y, at)).collect();
        if values.len() < curves.len() || values.is_empty() {
            continue;
        }
        let estimate = interval(&values);
        drawn.x.push(at);
        drawn.y.push(estimate.value);
        band.0.push(estimate.low);
        band.1.push(estimate.high);
    }
    if curves.len() > 1 {
        drawn.band = Some(band);
    }
    drawn
}

/// The last value at or before `at`.
fn value_at(x: &[f64], y: &[f64], at: f64) -> Option<f64> {
    let n = x.partition_point(|&x| x <= at * (1.0 + 1e-12));
    y[..n.min(y.len())].last().copied().filter(|y| y.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use s2pg::experiment::Experiment;

    /// Against time a line ends where the slowest seed does, and a seed that is done keeps its return; neither panel
    /// goes beyond the step that all seeds reached.
    #[test]
    fn time_ends_with_the_slowest() {
        let text = "algorithm = \"ppo\"\nestimator = \"rs\"\nsteps = 9000\n[env]\nname = \"x\"\n";
        let curve = |seed, seconds: [f64; 3], steps: [f64; 3], returns: [f64; 3]| Curve {
            seed,
            seconds: seconds.into(),
            steps: steps.into(),
            returns: returns.into(),
            evaluation_steps: Vec::new(),
            deterministic: Vec::new(),
            stochastic: Vec::new(),
        };
        let quick = curve(0, [1.0, 2.0, 3.0], [10.0, 20.0, 30.0], [0.0, 2.0, 9.0]);
        let slow = curve(1, [50.0, 100.0, 150.0], [10.0, 15.0, 20.0], [0.0, 3.0, 6.0]);
        let experiment = Experiment::parse("x", text, &[]).unwrap();
        let group = Group { name: "x".into(), experiment, dirs: Vec::new(), curves: vec![quick, slow] };
        let against_time = series(&group, &|c| c.seconds.clone());
        assert_eq!((against_time.x.last(), against_time.y.last()), (Some(&150.0), Some(&4.0)));
        let against_steps = series(&group, &|c| c.steps.clone());
        assert_eq!((against_steps.x.last(), against_steps.y.last()), (Some(&20.0), Some(&4.0)));
    }

    /// A value holds until the next one; before the first there is none, and one that is not finite is none.
    #[test]
    fn values_hold() {
        let (x, y) = ([10.0, 20.0, 30.0], [1.0, f64::NAN, 3.0]);
        let at = |place| value_at(&x, &y, place);
        assert_eq!([at(9.0), at(10.0), at(19.0), at(20.0), at(99.0)], [None, Some(1.0), Some(1.0), None, Some(3.0)]);
    }
}
