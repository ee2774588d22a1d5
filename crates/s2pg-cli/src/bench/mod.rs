//! `s2pg bench`: what training costs, beside what it may cost.
//!
//! Every figure is CPU time of one thread, except in the rows of `parallel.rs`, which are wall clock. The rows take
//! turns, round after round, so that a busy machine troubles all rows alike. A figure is the least of all rounds; a
//! ratio of two measured figures is the median of their pairs. The rows measure the environments and presets of this
//! project, whatever environments a program adds.

mod checkpoint;
mod cores;
mod flops;
mod imitation;
mod parallel;
mod rows;
mod sac;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use rustix::time::{ClockId, clock_gettime};
use s2pg_lab::numbers::count;

use crate::exit::Usage;
use crate::numbers::whole;
use crate::terminal::{duration, print};

/// Arguments of `s2pg bench`.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// Only the rows whose name contains this text, such as `step` or `update/ppo`.
    filter: Option<String>,
    /// Print a JSON array in place of the table.
    #[arg(long)]
    json: bool,
    /// Number of rounds; each round measures every row [default: 10, or 1 with --quick].
    #[arg(long, value_parser = whole(1..=u16::MAX))]
    repeat: Option<u16>,
    /// One round of a dozen rows, in less than a minute; with a filter, one round of the rows of that name.
    #[arg(long)]
    quick: bool,
}

const HELP: &str = "\
The table of the first round is printed row by row as it is measured, and the table of all rounds at the end. A figure
is CPU milliseconds of one thread, the least of all rounds. `ratio` is the figure over its baseline. The baseline of
step/ is the published implementation, and the baseline of update/ and act/ is the published implementation's tensor
library, all measured once on another machine of two cores with AVX-512. The baseline of env/ is the bare simulation,
and its ratio is the median of at least 20 interleaved pairs. `share` is the part of the machine's peak that the
products of the networks reach; the peak is the best matrix product of 256 to 2048 squares in the same run. A row of
step/ is everything of a training step except evaluation and checkpoints, with the settings of the preset; /no-
simulation is that step without the simulation, and /acting that of a step in which nothing is learned. The rows of
checkpoint/ are a checkpoint of 16384 environments and its size in MB; a save that takes more than 32 MB of memory is an
error.

The rows that end in parallel-8 and threads-2 are wall clock, and want two idle cores: they compare two threads with
one thread, the baseline, on eight environments or on one batch. Their speed-up is that of the best of at least five
interleaved pairs: the least time of one thread over the least time of two. One thread and two must give the same
bits, else it is an error.";

/// CPU seconds of this thread.
pub fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// One measurement: milliseconds, and those of its baseline where that is measured too.
struct Sample {
    ms: f64,
    baseline: Option<f64>,
}

/// What a row may cost.
#[derive(Clone, Copy)]
enum Budget {
    /// Milliseconds.
    Ms(f64),
    /// The ratio to the baseline.
    Ratio(f64),
    /// At least this part of the peak.
    Share(f64),
    /// At least so many times as fast as the baseline.
    Speedup(f64),
}

/// What is known of a row before it is measured.
#[derive(Clone)]
struct Row {
    name: String,
    unit: &'static str,
    /// Milliseconds.
    baseline: Option<f64>,
    /// Floating-point operations of the networks' own products.
    flop: Option<f64>,
    budget: Option<Budget>,
}

/// Adds samples to each row of a case.
type Round = Box<dyn FnMut(&mut [Vec<Sample>]) -> anyhow::Result<()>>;

/// Rows that are measured together.
struct Case {
    rows: Vec<Row>,
    round: Round,
}

/// A row with its figures.
struct Figure {
    row: Row,
    value: f64,
    baseline: Option<f64>,
    ratio: Option<f64>,
    gflops: Option<f64>,
    share: Option<f64>,
}

impl Figure {
    fn new(row: Row, samples: &[Sample]) -> Self {
        let value = samples.iter().map(|s| s.ms).fold(f64::INFINITY, f64::min);
        let mut ratios: Vec<f64> = samples.iter().filter_map(|s| s.baseline.map(|b| s.ms / b)).collect();
        ratios.sort_by(f64::total_cmp);
        let measured = samples.iter().filter_map(|s| s.baseline).reduce(f64::min);
        let baseline = row.baseline.or(measured);
        let ratio = ratios.get(ratios.len() / 2).copied().or(row.baseline.map(|b| value / b));
        let gflops = row.flop.map(|flop| flop / value * 1e-6);
        Self { row, value, baseline, ratio, gflops, share: None }
    }

    /// How many times as fast as the baseline.
    fn speedup(&self) -> Option<f64> {
        self.baseline.map(|baseline| baseline / self.value)
    }

    /// The budget in words, and whether it is met; None where the figure is missing.
    fn verdict(&self) -> Option<(String, Option<bool>)> {
        Some(match self.row.budget? {
            Budget::Ms(most) => (format!("{most} ms"), Some(self.value <= most)),
            Budget::Ratio(most) => (format!("ratio {most}"), self.ratio.map(|ratio| ratio <= most)),
            Budget::Share(least) => (format!("{:.0} % of peak", 100.0 * least), self.share.map(|share| share >= least)),
            Budget::Speedup(least) => (format!("{least} x as fast"), self.speedup().map(|speedup| speedup >= least)),
        })
    }
}

/// Measures the chosen rows and prints them.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let filter = arguments.filter.as_deref();
    let chosen = |name: &str| match filter {
        Some(filter) => name.contains(filter),
        None => !arguments.quick || rows::QUICK.contains(&name),
    };
    let rounds = usize::from(arguments.repeat.unwrap_or(if arguments.quick { 1 } else { 10 }));
    // The peak is needed for the shares of the others.
    let cases: Vec<_> = rows::all().into_iter().filter(|(name, _)| chosen(name) || name == rows::PEAK).collect();
    if cases.iter().all(|(name, _)| !chosen(name)) {
        let names: Vec<_> = rows::all().into_iter().map(|(name, _)| name).collect();
        let filter = filter.unwrap_or_default();
        return Err(Usage(format!("no row is called `{filter}`; there are {}", names.join(", "))).into());
    }
    let say = |line: &str| if arguments.json { Ok(()) } else { print(line) };
    let seconds = |name: &str| rows::seconds(name, rounds);
    let total: f64 = cases.iter().map(|(name, _)| seconds(name).0 + rounds as f64 * seconds(name).1).sum();
    let what = format!("{} cases, {}: about {}", cases.len(), count(rounds, "round"), duration(total));
    say(&format!("{what} on an idle machine; here is the first round\n\n{}", heading()))?;

    // A step of the bar is a millisecond.
    let bar = ProgressBar::new((1e3 * total) as u64);
    bar.set_style(ProgressStyle::with_template("{bar:24} {elapsed}, {eta} left  {msg}").expect("a fixed template"));
    bar.enable_steady_tick(Duration::from_millis(500));
    let (mut ready, mut peak): (Vec<(Case, Vec<Vec<Sample>>)>, Option<f64>) = (Vec::new(), None);
    for (name, make) in cases {
        bar.set_message(format!("prepare {name}"));
        let mut case = make(rounds)?;
        let mut samples: Vec<Vec<Sample>> = case.rows.iter().map(|_| Vec::new()).collect();
        bar.set_message(name.clone());
        (case.round)(&mut samples)?;
        let first = figures(&case, &samples, &mut peak);
        bar.suspend(|| first.iter().try_for_each(|figure| say(&line(figure))))?;
        bar.inc((1e3 * (seconds(&name).0 + seconds(&name).1)) as u64);
        ready.push((case, samples));
    }
    for _ in 1..rounds {
        for (case, samples) in &mut ready {
            bar.set_message(case.rows[0].name.clone());
            (case.round)(samples)?;
            bar.inc((1e3 * seconds(&case.rows[0].name).1) as u64);
        }
    }
    bar.finish_and_clear();

    let figures: Vec<_> = ready.iter().flat_map(|(case, samples)| figures(case, samples, &mut peak)).collect();
    if arguments.json {
        print(json(&figures).trim_end())?;
    } else {
        if rounds > 1 {
            print(format_args!("\nafter {rounds} rounds\n\n{}", heading()))?;
            figures.iter().try_for_each(|figure| print(line(figure)))?;
        }
        print((ratios(&figures) + &speedups(&figures)).trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The figures of a case. The first case of all tells the peak, in GFLOP/s, which the shares of the others refer to.
fn figures(case: &Case, samples: &[Vec<Sample>], peak: &mut Option<f64>) -> Vec<Figure> {
    let mut figures: Vec<_> = case.rows.iter().zip(samples).map(|(row, s)| Figure::new(row.clone(), s)).collect();
    for figure in &mut figures {
        if figure.row.name == rows::PEAK {
            *peak = figure.gflops;
        }
        figure.share = figure.gflops.zip(*peak).map(|(gflops, peak)| gflops / peak);
    }
    figures
}

/// A JSON array with an object for each row.
fn json(figures: &[Figure]) -> String {
    let number = |x: Option<f64>| x.map_or("null".into(), |x| format!("{x:.6}"));
    let object = |f: &Figure| {
        let (budget, met) = f.verdict().map_or(("null".into(), None), |(text, met)| (format!("\"{text}\""), met));
        format!(
            "  {{\"name\": \"{}\", \"value\": {}, \"unit\": \"{}\", \"baseline\": {}, \"ratio\": {}, \"gflops\": {}, \
             \"share\": {}, \"budget\": {budget}, \"met\": {}}}",
            f.row.name,
            number(Some(f.value)),
            f.row.unit,
            number(f.baseline),
            number(f.ratio),
            number(f.gflops),
            number(f.share),
            met.map_or("null".into(), |met| met.to_string()),
        )
    };
    format!("[\n{}\n]\n", figures.iter().map(object).collect::<Vec<_>>().join(",\n"))
}

/// The heading of the table for people.
fn heading() -> String {
    format!("{:<42} {:>9} {:>9} {:>7} {:>8} {:>6}  {}", "row", "ms", "baseline", "ratio", "GFLOP/s", "share", "budget")
}

/// A line of the table for people.
fn line(f: &Figure) -> String {
    let digits = |x: f64| (2 - x.abs().max(1e-9).log10().floor() as i32).clamp(0, 6) as usize;
    let number = |x: Option<f64>| x.map_or(String::new(), |x| format!("{x:.*}", digits(x)));
    let verdict = f.verdict().map_or(String::new(), |(text, met)| match met {
        Some(true) => format!("{text}: met"),
        Some(false) => format!("{text}: MISSED"),
        None => text,
    });
    let line = format!(
        "{:<42} {:>9} {:>9} {:>7} {:>8} {:>6}  {verdict}",
        f.row.name,
        number(Some(f.value)),
        number(f.baseline),
        f.ratio.map_or(String::new(), |r| format!("{r:.*}", digits(r).max(2))),
        f.gflops.map_or(String::new(), |g| format!("{g:.1}")),
        f.share.map_or(String::new(), |s| format!("{:.1} %", 100.0 * s)),
    );
    line.trim_end().into()
}

/// How many times as long as without memory a training step takes, with the simulation and without, and as published.
fn ratios(figures: &[Figure]) -> String {
    let value = |name: String| figures.iter().find(|f| f.row.name == name).map(|f| f.value);
    let mut text = String::new();
    for (task, variant, published) in rows::PUBLISHED {
        let ratio = |end: &str| {
            let ours = value(format!("step/{variant}/{task}{end}"))?;
            let algorithm = variant.split('-').next().expect("a name");
            Some(ours / value(format!("step/{algorithm}-vanilla/{task}{end}"))?)
        };
        if let (Some(with), Some(without)) = (ratio(""), ratio("/no-simulation")) {
            text += &format!("{:<42} {with:>9.2} {without:>19.2} {published:>11.2}\n", format!("{variant}/{task}"));
        }
    }
    if text.is_empty() {
        return text;
    }
    format!(
        "\n{:<42} {:>9} {:>19} {:>11}\n{text}",
        "times a step without memory", "ours", "without simulation", "published"
    )
}

/// How many times as fast two threads are as one, in eight environments.
fn speedups(figures: &[Figure]) -> String {
    let rows = figures.iter().filter(|f| [parallel::ENVIRONMENTS, parallel::STEP].contains(&f.row.name.as_str()));
    let line = |(f, x): (&Figure, f64)| format!("{:<42} {x:>9.2}\n", f.row.name);
    let text: String = rows.filter_map(|f| Some((f, f.speedup()?))).map(line).collect();
    if text.is_empty() { text } else { format!("\n{:<42} {:>9}\n{text}", "wall clock", "speed-up") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(budget: Budget, samples: &[(f64, Option<f64>)]) -> Figure {
        let row = Row { name: "x".into(), unit: "ms", baseline: None, flop: Some(1e9), budget: Some(budget) };
        let samples: Vec<_> = samples.iter().map(|&(ms, baseline)| Sample { ms, baseline }).collect();
        Figure::new(row, &samples)
    }

    /// A figure is the least of its samples; the ratio of two measured figures is the median of their pairs.
    #[test]
    fn least_and_median() {
        let f = figure(Budget::Ratio(1.5), &[(2.0, Some(1.0)), (3.0, Some(2.0)), (1.1, Some(1.0))]);
        assert_eq!((f.value, f.baseline, f.ratio), (1.1, Some(1.0), Some(1.5)));
        assert_eq!(f.verdict().unwrap().1, Some(true));
        assert!((f.gflops.unwrap() - 1e9 / 1.1e-3 * 1e-9).abs() < 1e-9);
    }

    /// A time may not exceed its budget, a share may not fall below it, and without a peak there is no verdict.
    #[test]
    fn budgets() {
        assert_eq!(figure(Budget::Ms(2.0), &[(2.1, None)]).verdict().unwrap().1, Some(false));
        let mut f = figure(Budget::Share(0.5), &[(10.0, None)]);
        assert_eq!(f.verdict().unwrap().1, None);
        f.share = Some(0.6);
        assert_eq!(f.verdict().unwrap().1, Some(true));
    }

    /// A speed-up is that of the least times, whichever pairs they are from.
    #[test]
    fn speedup_of_the_best() {
        let f = figure(Budget::Speedup(1.6), &[(3.0, Some(3.2)), (2.0, Some(9.0)), (5.0, Some(8.0))]);
        assert_eq!((f.speedup(), f.verdict()), (Some(1.6), Some(("1.6 x as fast".into(), Some(true)))));
    }

    /// Every row of the JSON has the promised keys, and a missing figure is null.
    #[test]
    fn json_rows() {
        let text = json(&[figure(Budget::Ms(2.0), &[(2.5, None)])]);
        assert_eq!(
            text,
            "[\n  {\"name\": \"x\", \"value\": 2.500000, \"unit\": \"ms\", \"baseline\": null, \"ratio\": null, \
             \"gflops\": 400.000000, \"share\": null, \"budget\": \"2 ms\", \"met\": false}\n]\n"
        );
    }
}
