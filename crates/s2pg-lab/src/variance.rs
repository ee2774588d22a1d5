//! Bias and variance of gradient estimators against the horizon: table and figure.

use std::fmt::Write;

use s2pg::theory::Segments;
use s2pg::theory::bounds::Constants;
use s2pg::theory::estimators::{Estimator, Measured};
use s2pg::theory::study::Study;
use s2pg::theory::subject::Kind;

use crate::pictures::{Canvas, Line, Small, small_multiples};

/// One line of the table: an estimator, measured on the trajectories of one policy.
#[derive(Clone, Debug)]
pub struct Row {
    /// The kind of the policy.
    pub policy: &'static str,
    /// The strength of the recurrence that was asked for.
    pub z: f64,
    /// The strength of the recurrence as it is.
    pub strength: f64,
    /// Steps of a trajectory.
    pub horizon: usize,
    /// The estimator: `s2pg`, `bptt`, `bptt-<K>`, `bptt-held`, `rs-<K>`, or `tbptt-<K>`.
    pub estimator: String,
    /// What the estimate was compared with: `exact` or `full`.
    pub reference: &'static str,
    /// Bias, variance, and what follows from them.
    pub measured: Measured,
    /// Seconds that the estimates took.
    pub seconds: f64,
    /// The constants of the paper's assumptions, as met.
    pub constants: Constants,
    /// The bound of Theorem 3.4 or 3.5, or that of segments, over E[G^2], like the measured variance.
    pub bound: Option<f64>,
}

/// What is compared: the axes of table and figure.
#[derive(Clone, Debug)]
pub struct Axes {
    /// Name and kind of each policy.
    pub policies: Vec<(&'static str, Kind)>,
    /// Strengths of the recurrence.
    pub strengths: Vec<f64>,
    /// Units of a cell.
    pub units: usize,
    /// Lengths of segments; the figure shows them between S2PG and BPTT.
    pub segments: Vec<usize>,
}

/// Lengths of segments that differ from S2PG's, and that a trajectory of `horizon` steps has room for.
fn between(lengths: &[usize], horizon: usize) -> impl Iterator<Item = usize> {
    lengths.iter().copied().filter(move |length| (2..=horizon).contains(length))
}

/// What a study rolls out: every memory drawn, none, and segments of these lengths.
pub fn rolled(lengths: &[usize], horizon: usize) -> Vec<Segments> {
    [Segments::EVERY_STEP]
        .into_iter()
        .chain(between(lengths, horizon).map(Segments::of))
        .chain([Segments::WHOLE])
        .collect()
}

/// All estimators on the trajectories of one policy: of this name, of this strength of the recurrence, over this
/// horizon. `lengths` are those of truncated backpropagation, `segments` those of the segments in the study, which
/// [`rolled`] adds to it; `clock` tells the seconds since any moment.
pub fn compare(
    study: &Study,
    (lengths, segments): (&[usize], &[usize]),
    (policy, z, horizon): (&'static str, f64, usize),
    clock: &dyn Fn() -> f64,
) -> Vec<Row> {
    let timed = |rolled, estimator| {
        let start = clock();
        let estimates = study.estimate(rolled, estimator);
        (estimates, clock() - start)
    };
    let mut rows = Vec::new();
    for rolled in rolled(segments, horizon) {
        let (full, seconds_of_full) = timed(rolled, Estimator::FULL);
        let c = *study.constants(rolled);
        let over = study.squared_return(rolled);
        let mut push = |estimator: String, measured, seconds, bound: Option<f64>| {
            let reference = if study.is_exact(rolled) { "exact" } else { "full" };
            let bound = bound.map(|b| b / over);
            let strength = study.strength();
            rows.push(Row {
                policy,
                z,
                strength,
                horizon,
                estimator,
                reference,
                measured,
                seconds,
                constants: c,
                bound,
            });
        };
        let mut estimate = |name: String, estimator, bound| {
            let (estimates, seconds) = timed(rolled, estimator);
            push(name, study.measure(rolled, &estimates, &full), seconds, bound);
        };
        match rolled {
            Segments::EVERY_STEP => estimate("s2pg".into(), Estimator::S2pg, Some(c.s2pg(horizon, 1))),
            Segments::WHOLE => {
                for &len in lengths.iter().filter(|len| **len < horizon) {
                    estimate(format!("bptt-{len}"), Estimator::Bptt(len), None);
                }
                for len in between(segments, horizon - 1) {
                    estimate(format!("tbptt-{len}"), Estimator::Tbptt(Segments::of(len)), None);
                }
            }
            _ => {
                estimate(format!("rs-{}", rolled.length()), Estimator::Rs(rolled), Some(c.segments(rolled, horizon, 1)))
            }
        }
        let name = match rolled {
            Segments::EVERY_STEP => "bptt-held",
            Segments::WHOLE => "bptt",
            _ => continue,
        };
        push(name.into(), study.measure(rolled, &full, &full), seconds_of_full, Some(c.bptt(horizon, 1)));
    }
    rows
}

/// A number with three digits.
pub fn short(x: f64) -> String {
    match x.abs() {
        size if size >= 1e4 => format!("{x:.1e}"),
        size if size >= 100.0 => format!("{x:.0}"),
        size if size >= 10.0 => format!("{x:.1}"),
        _ => format!("{x:.2}"),
    }
}

/// All rows as CSV, with every figure.
pub fn csv(task: &str, rows: &[Row]) -> String {
    let mut text =
        "task,policy,z,strength,horizon,estimator,reference,bias,chance,cosine,trace,trace_error,variance,snr,\
                    seconds,R,F,H,K,Z,bound\n"
            .to_string();
    for row in rows {
        let (m, c) = (&row.measured, &row.constants);
        let bound = row.bound.map_or(String::new(), |x| x.to_string());
        let _ = writeln!(
            text,
            "{task},{},{},{},{},{},{},{},{},{},{},{},{},{},{:.4},{},{},{},{},{},{bound}",
            row.policy,
            row.z,
            row.strength,
            row.horizon,
            row.estimator,
            row.reference,
            m.bias,
            m.chance,
            m.cosine,
            m.trace,
            m.trace_error,
            m.normalised,
            m.snr,
            row.seconds,
            c.r,
            c.f,
            c.h,
            c.k,
            c.z
        );
    }
    text
}

/// The figure: measured variances and their bounds against the horizon, a panel for each policy and strength.
pub fn figure(task: &str, rows: &[Row], axes: &Axes) -> Canvas {
    small_multiples(
        &format!("Variance of the gradient estimate from one trajectory (task: {task})"),
        "trace of covariance / E[G²]",
        "horizon T, steps",
        &panels(rows, axes),
    )
}

/// The variance of BPTT over that of S2PG at the longest horizon, in words.
fn ratio(bptt: &[(f64, f64)], s2pg: &[(f64, f64)]) -> String {
    let last = |points: &[(f64, f64)]| points.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0));
    match (last(bptt), last(s2pg)) {
        (Some((t, b)), Some((_, s))) => format!("BPTT / S2PG at T = {t}: {}", short(b / s)),
        _ => String::new(),
    }
}

/// A row of panels for each policy, a panel for each strength of the recurrence.
fn panels(rows: &[Row], axes: &Axes) -> Vec<Vec<Small>> {
    let curve = |policy: &str, z: f64, estimator: &str, bound: bool| {
        let of = rows.iter().filter(|r| r.policy == policy && r.z == z && r.estimator == estimator);
        let y = |r: &Row| if bound { r.bound } else { Some(r.measured.normalised) };
        of.filter_map(|r| Some((r.horizon as f64, y(r)?))).collect::<Vec<_>>()
    };
    let panel = |(name, kind): (&str, Kind), z: f64| {
        let of = |label: &str, estimator: &str, colour: usize, bound: bool| Line {
            name: label.into(),
            points: curve(name, z, estimator, bound),
            colour,
            faint: bound,
        };
        let memory = match kind {
            Kind::Linear => "linear memory".into(),
            Kind::Tanh => "tanh memory".into(),
            Kind::Cell(_) => format!("{} of {} units", name.to_uppercase(), axes.units),
        };
        let curves = if axes.segments.is_empty() {
            vec![
                of("BPTT, bound of Theorem 3.4", "bptt", 1, true),
                of("S2PG, bound of Theorem 3.5", "s2pg", 0, true),
                of("BPTT, measured", "bptt", 1, false),
                of("S2PG, measured", "s2pg", 0, false),
            ]
        } else {
            // From BPTT at the bottom, the longest segments, to S2PG at the top, the shortest.
            let mut lengths: Vec<(usize, usize)> = axes.segments.iter().copied().zip(2..).collect();
            lengths.sort_by(|a, b| b.cmp(a));
            let all = || {
                let between = lengths.iter().map(|&(k, colour)| (format!("K = {k}"), format!("rs-{k}"), colour));
                let ends = |name: &str, estimator: &str, colour| [(name.to_string(), estimator.to_string(), colour)];
                ends("K = T: BPTT", "bptt", 1).into_iter().chain(between).chain(ends("K = 1: S2PG", "s2pg", 0))
            };
            let bounds = all().map(|(_, estimator, colour)| of("bounds", &estimator, colour, true));
            bounds.chain(all().map(|(name, estimator, colour)| of(&name, &estimator, colour, false))).collect()
        };
        let note = ratio(&curve(name, z, "bptt", false), &curve(name, z, "s2pg", false));
        Small { title: format!("{memory}, Z = {z}"), note, curves }
    };
    axes.policies.iter().map(|policy| axes.strengths.iter().map(|&z| panel(*policy, z)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use s2pg::env::EnvError;
    use s2pg::theory::estimators::Rollouts;
    use s2pg::theory::subject::SubjectShape;
    use s2pg::theory::world::{BoundedWorld, World};

    /// The note of a panel compares the ends of both curves.
    #[test]
    fn notes() {
        assert_eq!(ratio(&[(5.0, 1.0), (40.0, 3e8)], &[(5.0, 1.0), (40.0, 200.0)]), "BPTT / S2PG at T = 40: 1.5e6");
        assert_eq!(ratio(&[], &[(5.0, 1.0)]), "");
    }

    /// The table has a cell for each column, and the comparison all estimators.
    #[test]
    fn a_small_comparison() {
        let shape = SubjectShape {
            kind: Kind::Linear,
            sizes: (1, 1),
            hidden: 1,
            features: 8,
            z: 1.0,
            weights: (0.3, 0.4),
            std: 0.5,
            state_std: 0.5,
        };
        let plan = Rollouts { n: 50, horizon: 6, gamma: 0.99, seed: 0, threads: 2 };
        let make = || -> Result<Box<dyn World>, EnvError> { Ok(Box::new(BoundedWorld::default())) };
        let (lengths, segments) = ([1, 5, 9], [1, 2, 6, 7]);
        let study = Study::new(&shape, &make, None, plan, &rolled(&segments, 6)).unwrap();
        let rows = compare(&study, (&lengths, &segments), ("linear", 1.0, 6), &|| 0.0);
        let names: Vec<&str> = rows.iter().map(|row| &*row.estimator).collect();
        assert_eq!(names, ["s2pg", "bptt-held", "rs-2", "rs-6", "bptt-1", "bptt-5", "tbptt-2", "bptt"]);
        let trace = |name: &str| rows.iter().find(|row| row.estimator == name).unwrap().measured.trace;
        assert!((trace("rs-6") / trace("bptt") - 1.0).abs() < 1e-12);
        let table = csv("bounded", &rows);
        assert!(table.lines().all(|line| line.split(',').count() == 21), "{table}");
        assert!(rows.iter().all(|row| row.bound.is_none_or(|bound| row.measured.normalised < bound)));
    }
}
