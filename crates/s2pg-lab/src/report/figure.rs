//! The figure of a report.

use s2pg::results::Curve;

use super::groups::Group;
use super::interval;
use crate::pictures::{Canvas, Panel, Series, chart};

/// Training returns of all groups against steps, and against minutes of work, or hours where a run took one.
pub(super) fn figure(title: &str, groups: &[Group]) -> Canvas {
    let against = |x_label: &str, x: &dyn Fn(&Curve) -> Vec<f64>| Panel {
        x_label: x_label.into(),
        y_label: "return".into(),
        series: groups.iter().map(|g| series(g, x)).collect(),
    };
    let scaled = |unit: f64| move |c: &Curve| c.seconds.iter().map(|s| s / unit).collect();
    let last = |c: &Curve| c.seconds.last().map(|s| s / 3600.0);
    let longest = groups.iter().flat_map(|g| &g.curves).filter_map(last).fold(0.0, f64::max);
    let time = if longest < 1.0 {
        against("minutes of work", &scaled(60.0))
    } else {
        against("hours of work", &scaled(3600.0))
    };
    chart(title, &[against("environment steps", &|c| c.steps.clone()), time])
}

/// Points of a drawn curve.
const POINTS: usize = 200;

/// The mean over seeds with its 95 % interval, at points that all seeds reached.
fn series(group: &Group, x: &dyn Fn(&Curve) -> Vec<f64>) -> Series {
    let curves: Vec<(Vec<f64>, &[f64])> = group.curves.iter().map(|c| (x(c), &c.returns[..])).collect();
    let end = curves.iter().filter_map(|(x, _)| x.last().copied()).fold(f64::INFINITY, f64::min);
    let mut drawn = Series { name: group.name.clone(), ..Series::default() };
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

    /// A value holds until the next one; before the first there is none, and one that is not finite is none.
    #[test]
    fn values_hold() {
        let (x, y) = ([10.0, 20.0, 30.0], [1.0, f64::NAN, 3.0]);
        let at = |place| value_at(&x, &y, place);
        assert_eq!([at(9.0), at(10.0), at(19.0), at(20.0), at(99.0)], [None, Some(1.0), Some(1.0), None, Some(3.0)]);
    }
}
