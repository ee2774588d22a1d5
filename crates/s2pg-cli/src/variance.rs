//! `s2pg variance`: bias and variance of gradient estimators against the horizon.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use s2pg::env::{EnvError, Options, Registry};
use s2pg::run::RunError;
use s2pg::theory::LinearGaussian;
use s2pg::theory::estimators::Rollouts;
use s2pg::theory::study::Study;
use s2pg::theory::subject::{Kind, SubjectShape};
use s2pg::theory::world::{BoundedWorld, EnvWorld, LinearWorld, World};
use s2pg_lab::variance::{Axes, Row, compare, csv, figure, rolled, short};

use crate::exit::Usage;
use crate::numbers;
use crate::terminal::{duration, note, print, quoted, threads};

/// Arguments of `s2pg variance`.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// An environment (`s2pg envs` lists them), or one of the built-in tasks `bounded` and `linear-gaussian`.
    #[arg(long, default_value = BOUNDED)]
    task: String,
    /// Policies: `linear`, `tanh` (the linear policy with a memory that saturates), or the paper's network with a cell:
    /// `elman`, `gru`, `lstm`.
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
    /// Lengths K of segments (rs:K and tbptt:K). The figure then shows them between S2PG (K = 1) and BPTT (K = T).
    #[arg(long, value_delimiter = ',', value_parser = whole)]
    segments: Vec<usize>,
    /// Trajectories of each comparison.
    #[arg(long, default_value_t = 6000, value_parser = numbers::whole(10..=1_000_000_u32))]
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
    /// Seed of the policy and of every random stream.
    #[arg(long, default_value_t = 0, value_parser = numbers::seed)]
    seed: u64,
    /// Number of threads, on which the results do not depend [default: all cores, at most 8].
    #[arg(long, value_parser = numbers::threads)]
    threads: Option<usize>,
    /// The directory for variance.csv, variance.svg and variance.png.
    #[arg(long, default_value = "variance")]
    out: PathBuf,
}

const LINEAR: &str = "linear-gaussian";
const BOUNDED: &str = "bounded";
const CELL_UNITS: usize = 8;

const HELP: &str = "\
Each comparison rolls one policy out twice, with the same noise of the world and of the action: once with a memory that is
drawn (for s2pg), once with the memory z' = eta (for bptt); with --segments also with a memory that is drawn every K steps
(for rs-K). The reference is the exact gradient of the same objective where
one linear unit acts on linear-gaussian. Elsewhere the reference is the mean of full BPTT on the same trajectories; for
s2pg and rs-K that is full BPTT with the drawn noise of the memory held, which has the same objective, and whose row for
s2pg is called bptt-held. The columns:
  policy, Z, T, estimator   what is measured: kind of policy, strength of its recurrence, horizon, estimator
  bias      distance of the mean estimate from the reference, over the length of the reference
  chance    the bias that the estimate would have by chance
  cosine    of the angle between the mean estimate and the reference
  variance  trace of the covariance of one trajectory's estimate, over E[G^2]
  snr       length of the reference over the square root of that trace
  s         seconds of work
  bound     Theorem 3.4 or 3.5, for rs-K that of segments, with the constants as met, over E[G^2]
  F, H, K, Z (the last four columns)   constants of the paper's assumptions, as met
Where `chance` is above 1 the reference is itself noise, and bias, cosine and snr say nothing.";

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
    numbers::whole(1..=10_000)(text)
}

/// Compares, and writes table and figure.
pub fn run(arguments: &Arguments, registry: &Registry) -> anyhow::Result<ExitCode> {
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
    let cost = |t: usize| t * (12 + 2 * t.min(40)) * (2 + arguments.segments.len());
    let total: usize = cells.iter().map(|(.., t)| cost(*t)).sum();
    let shown = std::io::stderr().is_terminal();
    let bar = if shown { ProgressBar::new(total as u64) } else { ProgressBar::hidden() };
    bar.set_style(ProgressStyle::with_template("{bar:24} {elapsed}, {eta} left  {msg}").expect("a template"));
    bar.enable_steady_tick(Duration::from_millis(500));
    let clock = Instant::now();
    let (mut rows, mut spent) = (Vec::new(), 0);
    print(heading())?;
    for (policy, z, horizon) in cells {
        let what = format!("{} Z = {z} T = {horizon}", policy.0);
        if !shown {
            let left = if spent > 0 {
                duration(clock.elapsed().as_secs_f64() / spent as f64 * (total - spent) as f64)
            } else {
                "unknown time".into()
            };
            note(format_args!("{what}, {left} left"));
        }
        bar.set_message(what.clone());
        let (gamma, std, state_std, f_o) =
            if linear.is_some() { (0.95, 0.3, 0.2, -0.3) } else { (0.99, 0.5, 0.5, 0.3) };
        let plan = Rollouts {
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
        let study = Study::new(&shape, &make, linear.as_ref(), plan, &rolled(&arguments.segments, horizon))
            .map_err(RunError::from)?;
        let new = compare(&study, (&arguments.bptt, &arguments.segments), (policy.0, z, horizon), &|| {
            clock.elapsed().as_secs_f64()
        });
        // Squares of the estimates leave the finite numbers long before the trajectories do.
        let finite = new.iter().all(|row| row.measured.trace_error.is_finite());
        bar.suspend(|| match finite {
            true => new.iter().try_for_each(|row| print(line(row))),
            false => {
                note(format_args!(
                    "{what}: left out, its numbers are too large; take a smaller Z or a shorter horizon"
                ));
                Ok(())
            }
        })?;
        rows.extend(new.into_iter().filter(|_| finite));
        spent += cost(horizon);
        bar.set_position(spent as u64);
    }
    bar.finish_and_clear();
    if rows.is_empty() {
        return Err(Usage("nothing could be measured; take a smaller Z or a shorter horizon".into()).into());
    }

    let write = |name: &str, bytes: &[u8]| -> anyhow::Result<()> {
        let path = arguments.out.join(name);
        std::fs::write(&path, bytes).with_context(|| path.display().to_string())?;
        print(quoted(&path))
    };
    let axes = Axes {
        policies: arguments.policy.clone(),
        strengths: arguments.z.clone(),
        units: arguments.hidden.unwrap_or(CELL_UNITS),
        segments: arguments.segments.clone(),
    };
    let figure = figure(&arguments.task, &rows, &axes);
    write("variance.csv", csv(&arguments.task, &rows).as_bytes())?;
    write("variance.svg", figure.svg().as_bytes())?;
    write("variance.png", &figure.png())?;
    Ok(ExitCode::SUCCESS)
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
}
