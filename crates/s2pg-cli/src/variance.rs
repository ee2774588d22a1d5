//! `s2pg variance`: bias and variance of gradient estimators against the horizon.

use std::fmt::Write;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use s2pg::env::{EnvError, Options};
use s2pg::theory::LinearGaussian;
use s2pg::theory::bounds::Constants;
use s2pg::theory::estimators::{Estimator, Kernel, Measured, Plan};
use s2pg::theory::study::Study;
use s2pg::theory::subject::{Kind, SubjectShape};
use s2pg::theory::world::{BoundedWorld, EnvWorld, LinearWorld, World};
use s2pg::train::RunError;

use crate::picture::{Curve, Small, small_multiples};
use crate::train::{duration, threads};
use crate::{Usage, registry};

/// Arguments of `s2pg variance`.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// A registered environment (`s2pg envs` lists them), or built in: bounded, linear-gaussian.
    #[arg(long, default_value = BOUNDED)]
    task: String,
    /// Policies: linear, its saturating twin tanh, or the paper's network with a cell: elman, gru, lstm.
    #[arg(long, value_delimiter = ',', default_value = "linear", value_parser = kind)]
    policy: Vec<(&'static str, Kind)>,
    /// Strengths of the recurrence: the norm of its Jacobian at the start.
    #[arg(long, value_delimiter = ',', default_value = "0.5,1,1.3", value_parser = positive)]
    z: Vec<f64>,
    /// Horizons T, in steps.
    #[arg(long, value_delimiter = ',', default_value = "5,10,20,40", value_parser = whole)]
    horizon: Vec<usize>,
    /// Lengths K of truncated backpropagation.
    #[arg(long, value_delimiter = ',', default_value = "1,5", value_parser = whole)]
    bptt: Vec<usize>,
    /// Trajectories of each comparison.
    #[arg(long, default_value_t = 6000, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    trajectories: u32,
    /// Units of the memory [default: 1 for linear and tanh, 8 for cells].
    #[arg(long, value_parser = whole)]
    hidden: Option<usize>,
    /// Width of the embeddings around a cell.
    #[arg(long, default_value = "8", value_parser = whole)]
    features: usize,
    /// Standard deviation of the action [default: 0.3 on linear-gaussian, 0.5 elsewhere].
    #[arg(long, value_parser = positive)]
    std: Option<f64>,
    /// Standard deviation of the next memory, for S2PG [default: 0.2 on linear-gaussian, 0.5 elsewhere].
    #[arg(long, value_parser = positive)]
    state_std: Option<f64>,
    /// The discount factor [default: 0.95 on linear-gaussian, 0.99 elsewhere].
    #[arg(long, value_parser = share)]
    gamma: Option<f64>,
    /// Of the policy and of all random streams.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Threads; the numbers are the same on any number [default: all cores, at most 8].
    #[arg(long)]
    threads: Option<usize>,
    /// Where variance.csv, variance.svg and variance.png go.
    #[arg(long, default_value = "variance")]
    out: PathBuf,
}

const LINEAR: &str = "linear-gaussian";
const BOUNDED: &str = "bounded";
const CELL_UNITS: usize = 8;

const HELP: &str = "\
Each comparison rolls one policy out twice, with the same noise of the world and of the action: with a drawn memory (for
s2pg) and with z' = eta (for bptt). Columns: `bias` is the distance of the mean estimate from the reference, over the
reference's length, and `chance` the size that it would have by chance; the reference is the exact gradient of the same
objective where one linear unit acts on linear-gaussian, elsewhere the mean of full BPTT on the same trajectories (for
s2pg with the drawn noise of the memory held, which has the same objective: that row is called bptt-held). `variance` is
the trace of the covariance of one trajectory's estimate over E[G^2], `snr` the reference's length over the square root
of the trace. F, H, K, Z and R are the constants of the paper's assumptions as met, and `bound` is Theorem 3.4 or 3.5 with
them, over E[G^2]. Where `chance` is above 1 the reference is itself noise, and bias, cosine and snr say nothing.";

fn kind(name: &str) -> Result<(&'static str, Kind), String> {
    let names: Vec<&str> = Kind::ALL.iter().map(|(n, _)| *n).collect();
    Kind::ALL.into_iter().find(|(n, _)| *n == name).ok_or_else(|| format!("there are {}", names.join(", ")))
}

fn number(text: &str, fits: impl Fn(f64) -> bool, what: &str) -> Result<f64, String> {
    text.parse().ok().filter(|x: &f64| fits(*x)).ok_or_else(|| format!("it must be {what}"))
}

fn positive(text: &str) -> Result<f64, String> {
    number(text, |x| x > 0.0 && x < 1e6, "a number above 0 and below 1000000")
}

fn share(text: &str) -> Result<f64, String> {
    number(text, |x| (0.0..=1.0).contains(&x), "a number from 0 to 1")
}

fn whole(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|n| (1..=10_000).contains(n))
        .ok_or_else(|| "it must be a whole number from 1 to 10000".into())
}

/// One line of the table.
struct Row {
    policy: &'static str,
    z: f64,
    strength: f64,
    horizon: usize,
    estimator: String,
    reference: &'static str,
    measured: Measured,
    seconds: f64,
    constants: Constants,
    /// Over E[G^2], like the measured variance.
    bound: Option<f64>,
}

/// Compares, and writes table and figure.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let registry = registry();
    let linear = (arguments.task == LINEAR).then(|| LinearGaussian { v: 0.0, ..Default::default() });
    let make = || -> Result<Box<dyn World>, EnvError> {
        Ok(match &linear {
            Some(task) => Box::new(LinearWorld::new(task.clone())),
            None if arguments.task == BOUNDED => Box::new(BoundedWorld::default()),
            None => Box::new(EnvWorld::new(registry.make(&arguments.task, &Options::new())?)),
        })
    };
    let sizes = make().map_err(|e| Usage(format!("{e}; built in are {BOUNDED} and {LINEAR}")))?.sizes();
    std::fs::create_dir_all(&arguments.out).with_context(|| arguments.out.display().to_string())?;

    let cells: Vec<_> = arguments
        .policy
        .iter()
        .flat_map(|p| arguments.z.iter().map(move |z| (*p, *z)))
        .flat_map(|(p, z)| arguments.horizon.iter().map(move |t| (p, z, *t)))
        .collect();
    // A step costs its rollouts and every step that a gradient goes back.
    let cost = |t: usize| t * (12 + 2 * t.min(40));
    let total: usize = cells.iter().map(|(.., t)| cost(*t)).sum();
    let shown = std::io::stderr().is_terminal();
    let bar = if shown { ProgressBar::new(total as u64) } else { ProgressBar::hidden() };
    bar.set_style(ProgressStyle::with_template("{bar:24} {elapsed}, {eta} left  {msg}").expect("a template"));
    bar.enable_steady_tick(Duration::from_millis(500));
    let clock = Instant::now();
    let (mut rows, mut done) = (Vec::new(), 0);
    println!("{}", heading());
    for (policy, z, horizon) in cells {
        let what = format!("{} Z = {z} T = {horizon}", policy.0);
        if !shown {
            let left = if done > 0 {
                duration(clock.elapsed().as_secs_f64() / done as f64 * (total - done) as f64)
            } else {
                "unknown time".into()
            };
            eprintln!("{what}, {left} left");
        }
        bar.set_message(what.clone());
        let (gamma, std, state_std, f_o) =
            if linear.is_some() { (0.95, 0.3, 0.2, -0.3) } else { (0.99, 0.5, 0.5, 0.3) };
        let plan = Plan {
            n: arguments.trajectories as usize,
            horizon,
            gamma: arguments.gamma.unwrap_or(gamma),
            seed: arguments.seed,
            threads: arguments.threads.unwrap_or_else(threads).max(1),
        };
        let units = if matches!(policy.1, Kind::Cell(_)) { CELL_UNITS } else { 1 };
        let shape = SubjectShape {
            kind: policy.1,
            sizes,
            hidden: arguments.hidden.unwrap_or(units),
            features: arguments.features,
            z,
            weights: (f_o, 0.4),
            std: arguments.std.unwrap_or(std),
            state_std: arguments.state_std.unwrap_or(state_std),
        };
        let study = Study::new(&shape, &make, linear.as_ref(), plan).map_err(RunError::from)?;
        let new = compare(&study, &arguments.bptt, (policy.0, z, horizon));
        // Squares of the estimates leave the finite numbers long before the trajectories do.
        let finite = new.iter().all(|row| row.measured.trace_error.is_finite());
        bar.suspend(|| match finite {
            true => new.iter().for_each(|row| println!("{}", line(row))),
            false => eprintln!("{what}: left out, its numbers are too large; take a smaller Z or a shorter horizon"),
        });
        rows.extend(new.into_iter().filter(|_| finite));
        done += cost(horizon);
        bar.set_position(done as u64);
    }
    bar.finish_and_clear();
    if rows.is_empty() {
        return Err(Usage("nothing could be measured; take a smaller Z or a shorter horizon".into()).into());
    }

    let write = |name: &str, bytes: &[u8]| -> anyhow::Result<()> {
        let path = arguments.out.join(name);
        std::fs::write(&path, bytes).with_context(|| path.display().to_string())?;
        println!("{}", path.display());
        Ok(())
    };
    let figure = small_multiples(
        &format!("Variance of the gradient estimate from one trajectory (task: {})", arguments.task),
        "trace of covariance / E[G²]",
        "horizon T, steps",
        &panels(&rows, arguments),
    );
    write("variance.csv", csv(&arguments.task, &rows).as_bytes())?;
    write("variance.svg", figure.svg().as_bytes())?;
    write("variance.png", &figure.png())?;
    Ok(ExitCode::SUCCESS)
}

/// All estimators on one policy's trajectories.
fn compare(study: &Study, lengths: &[usize], (policy, z, horizon): (&'static str, f64, usize)) -> Vec<Row> {
    let timed = |kernel, estimator| {
        let start = Instant::now();
        let estimates = study.estimate(kernel, estimator);
        (estimates, start.elapsed().as_secs_f64())
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

fn heading() -> String {
    format!(
        "{:<7} {:>4} {:>4}  {:<9} {:>9} {:>9} {:>8} {:>10} {:>8} {:>7} {:>10} {:>6} {:>6} {:>6} {:>6}",
        "policy",
        "Z",
        "T",
        "estimator",
        "bias",
        "chance",
        "cosine",
        "variance",
        "snr",
        "s",
        "bound",
        "F",
        "H",
        "K",
        "Z"
    )
}

fn line(row: &Row) -> String {
    let (m, c) = (&row.measured, &row.constants);
    format!(
        "{:<7} {:>4} {:>4}  {:<9} {:>9.4} {:>9.4} {:>8.4} {:>10} {:>8.4} {:>7.2} {:>10} {:>6} {:>6} {:>6} {:>6}",
        row.policy,
        row.z,
        row.horizon,
        row.estimator,
        m.bias,
        m.chance,
        m.cosine,
        short(m.normalised),
        m.snr,
        row.seconds,
        row.bound.map_or(String::new(), short),
        short(c.f),
        short(c.h),
        short(c.k),
        short(c.z),
    )
}

/// Three digits.
fn short(x: f64) -> String {
    match x.abs() {
        size if size >= 1e4 => format!("{x:.1e}"),
        size if size >= 100.0 => format!("{x:.0}"),
        size if size >= 10.0 => format!("{x:.1}"),
        _ => format!("{x:.2}"),
    }
}

fn csv(task: &str, rows: &[Row]) -> String {
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

/// The variance of BPTT over that of S2PG at the longest horizon, in words.
fn ratio(bptt: &[(f64, f64)], s2pg: &[(f64, f64)]) -> String {
    let last = |points: &[(f64, f64)]| points.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0));
    match (last(bptt), last(s2pg)) {
        (Some((t, b)), Some((_, s))) => format!("BPTT / S2PG at T = {t}: {}", short(b / s)),
        _ => String::new(),
    }
}

/// A row of panels for each policy, a panel for each strength of the recurrence.
fn panels(rows: &[Row], arguments: &Arguments) -> Vec<Vec<Small>> {
    let curve = |policy: &str, z: f64, estimator: &str, bound: bool| {
        let of = rows.iter().filter(|r| r.policy == policy && r.z == z && r.estimator == estimator);
        let y = |r: &Row| if bound { r.bound } else { Some(r.measured.normalised) };
        of.filter_map(|r| Some((r.horizon as f64, y(r)?))).collect::<Vec<_>>()
    };
    let panel = |(name, kind): (&str, Kind), z: f64| {
        let of = |label: &str, estimator: &str, colour: usize, bound: bool| Curve {
            name: label.into(),
            points: curve(name, z, estimator, bound),
            colour,
            faint: bound,
        };
        let memory = match kind {
            Kind::Linear => "linear memory".into(),
            Kind::Tanh => "tanh memory".into(),
            Kind::Cell(_) => format!("{} of {} units", name.to_uppercase(), arguments.hidden.unwrap_or(CELL_UNITS)),
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
    arguments.policy.iter().map(|policy| arguments.z.iter().map(|&z| panel(*policy, z)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wrong values are refused in words, right ones are taken.
    #[test]
    fn arguments() {
        assert!(kind("rnn").unwrap_err().contains("linear, tanh, elman, gru, lstm"));
        assert!(positive("0").is_err() && positive("inf").is_err() && positive("nan").is_err());
        assert!(share("1.01").is_err() && whole("0").is_err() && whole("1.5").is_err());
        assert_eq!((kind("gru").unwrap().0, positive("1.3"), whole("40")), ("gru", Ok(1.3), Ok(40)));
    }

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
        let plan = Plan { n: 50, horizon: 6, gamma: 0.99, seed: 0, threads: 2 };
        let make = || -> Result<Box<dyn World>, EnvError> { Ok(Box::new(BoundedWorld::default())) };
        let study = Study::new(&shape, &make, None, plan).unwrap();
        let rows = compare(&study, &[1, 5, 9], ("linear", 1.0, 6));
        let names: Vec<&str> = rows.iter().map(|row| &*row.estimator).collect();
        assert_eq!(names, ["s2pg", "bptt-held", "bptt-1", "bptt-5", "bptt"]);
        let table = csv("bounded", &rows);
        assert!(table.lines().all(|line| line.split(',').count() == 21), "{table}");
        assert!(rows.iter().all(|row| row.bound.is_none_or(|bound| row.measured.normalised < bound)));
    }
}
