//! Bias and variance of gradient estimators against the horizon: table and figure.

use std::fmt::Write;

use s2pg::theory::bounds::Constants;
use s2pg::theory::estimators::{Estimator, Kernel, Measured};
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
    /// The estimator: `s2pg`, `bptt`, `bptt-<K>`, or `bptt-held`.
    pub estimator: String,
    /// What the estimate was compared with: `exact` or `full`.
    pub reference: &'static str,
    /// Bias, variance, and what follows from them.
    pub measured: Measured,
    /// Seconds that the estimates took.
    pub seconds: f64,
    /// The constants of the paper's assumptions, as met.
    pub constants: Constants,
    /// The bound of Theorem 3.4 or 3.5 over E[G^2], like the measured variance.
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
}

/// All estimators on the trajectories of one policy: of this name, of this strength of the recurrence, over this
/// horizon. `lengths` are those of truncated backpropagation; `clock` tells the seconds since any moment.
pub fn compare(
    study: &Study,
    lengths: &[usize],
    (policy, z, horizon): (&'static str, f64, usize),
    clock: &dyn Fn() -> f64,
) -> Vec<Row> {
    let timed = |kernel, estimator| {
        let start = clock();
        let estimates = study.estimate(kernel, estimator);
        (estimates, clock() - start)
    };
    let mut rows = Vec::new();
    for kernel in [Kernel::Stochastic, Kernel::Deterministic] {
        let (full, seconds) = timed(kernel, Estimator::FULL);
        let drawn = kernel == Kernel::Stochastic;
        let c = *study.constants(kernel);
        let over = study.squared_return(kernel);
        let mut push = |estimator: String, measured, seconds, bound: Option<f64>| {
            let reference = if study.is_exact(kernel) { "exact" } else { "full" };
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
        if drawn {
            let (estimates, seconds) = timed(kernel, Estimator::S2pg);
            push("s2pg".into(), study.measure(kernel, &estimates, &full), seconds, Some(c.s2pg(horizon, 1)));
        } else {
            for &len in lengths.iter().filter(|len| **len < horizon) {
                let (estimates, seconds) = timed(kernel, Estimator::Bptt(len));
                push(format!("bptt-{len}"), study.measure(kernel, &estimates, &full), seconds, None);
            }
        }
        let name = if drawn { "bptt-held" } else { "bptt" };
        push(name.into(), study.measure(kernel, &full, &full), seconds, Some(c.bptt(horizon, 1)));
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
        Small {
            title: format!("{memory}, Z = {z}"),
            note: ratio(&curve(name, z, "bptt", false), &curve(name, z, "s2pg", false)),
            curves: vec![
                of("BPTT, bound of Theorem 3.4", "bptt", 1, true),
                of("S2PG, bound of Theorem 3.5", "s2pg", 0, true),
                of("BPTT, measured", "bptt", 1, false),
                of("S2PG, measured", "s2pg", 0, false),
            ],
        }
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
        let study = Study::new(&shape, &make, None, plan).unwrap();
        let rows = compare(&study, &[1, 5, 9], ("linear", 1.0, 6), &|| 0.0);
        let names: Vec<&str> = rows.iter().map(|row| &*row.estimator).collect();
        assert_eq!(names, ["s2pg", "bptt-held", "bptt-1", "bptt-5", "bptt"]);
        let table = csv("bounded", &rows);
        assert!(table.lines().all(|line| line.split(',').count() == 21), "{table}");
        assert!(rows.iter().all(|row| row.bound.is_none_or(|bound| row.measured.normalised < bound)));
    }
}
