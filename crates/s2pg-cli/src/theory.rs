//! `s2pg theory`: the paper's statements, as numbers.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use s2pg::theory::checks::{Check, Effort, Rule, SECTIONS, Section, Verdict};

use crate::exit::{DATA, Usage};
use crate::numbers::{self, seed, whole};
use crate::terminal::{duration, note, print, threads};

/// Arguments of `s2pg theory`.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Arguments {
    /// Only the statements whose name contains this text, such as `2.2` or `lemma`.
    filter: Option<String>,
    /// Trajectories of each sampled statement; costly statements take a twentieth of them.
    #[arg(long, default_value_t = Effort::ENOUGH as u64, value_parser = whole(1000..=1_000_000_000_u64))]
    trajectories: u64,
    /// Seed of every random stream.
    #[arg(long, default_value_t = 2024, value_parser = seed)]
    seed: u64,
    /// Number of threads, on which the results do not depend [default: all cores, at most 8].
    #[arg(long, value_parser = numbers::threads)]
    threads: Option<usize>,
}

const HELP: &str = "\
A statement that is sampled holds where the sampled number is within 4 standard errors of the exact number. A mutant is
an estimator with a mistake in it, and must be seen: its number must lie more than 6 standard errors from the exact
number. The default number of trajectories is made for that. With fewer, a mutant may stay unseen, and a variance lie too
far from its expectation to say anything: `too few` says so, and is no failure. The exit code is 65 where anything fails.";

/// Measures and prints every statement.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let wanted = arguments.filter.as_deref().unwrap_or_default().to_lowercase();
    let chosen: Vec<&Section> = SECTIONS.iter().filter(|s| s.name.to_lowercase().contains(&wanted)).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = SECTIONS.iter().map(|s| s.name).collect();
        return Err(Usage(format!("no statement is called `{wanted}`; there are: {}", names.join("; "))).into());
    }
    let effort = Effort {
        trajectories: arguments.trajectories as usize,
        seed: arguments.seed,
        threads: arguments.threads.unwrap_or_else(threads).max(1),
    };
    let shown = std::io::stderr().is_terminal();
    let bar = if shown { ProgressBar::new(chosen.len() as u64) } else { ProgressBar::hidden() };
    bar.set_style(
        ProgressStyle::with_template("{bar:24} {pos}/{len}  {elapsed}, {eta} left  {msg}").expect("a template"),
    );
    bar.enable_steady_tick(Duration::from_millis(500));
    let clock = Instant::now();
    let mut verdicts = Vec::new();
    for (i, section) in chosen.iter().enumerate() {
        bar.set_message(section.name);
        if !shown {
            let spent = clock.elapsed().as_secs_f64();
            let left =
                if i > 0 { duration(spent / i as f64 * (chosen.len() - i) as f64) } else { "unknown time".into() };
            note(format_args!("{} of {}: {}, {left} left", i + 1, chosen.len(), section.name));
        }
        let checks = (section.check)(&effort);
        verdicts.extend(checks.iter().map(|check| check.verdict(&effort)));
        bar.suspend(|| print(table(section, &checks, &effort)))?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let number = |verdict| verdicts.iter().filter(|v| **v == verdict).count();
    let (held, few, failed) = (number(Verdict::Holds), number(Verdict::TooFew), number(Verdict::Fails));
    let mut text = format!("{held} of {} hold, with {} trajectories", verdicts.len(), effort.trajectories);
    if few > 0 {
        text += &format!("; for {few} these are too few to tell, {} are enough", Effort::ENOUGH);
    }
    if failed > 0 {
        text += &format!("; {failed} FAIL");
    }
    print(text)?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(DATA) })
}

/// A section for people.
fn table(section: &Section, checks: &[Check], effort: &Effort) -> String {
    let mut text = format!("{}: {}\n", section.name, section.statement);
    let head = ("expected", "measured", "std. error", "z");
    text += &format!("  {:<58} {:>13} {:>13} {:>10} {:>7}\n", "", head.0, head.1, head.2, head.3);
    for check in checks {
        text += &format!(
            "  {:<58} {:>13} {:>13} {:>10} {:>7}  {}\n",
            check.quantity,
            number(check.expected),
            number(check.measured),
            check.standard_error().map_or(String::new(), |x| format!("{x:.5}")),
            check.z_score().map_or(String::new(), |z| format!("{z:+.2}")),
            verdict(check, effort)
        );
    }
    text
}

fn number(x: f64) -> String {
    match x.abs() {
        0.0 => "0".into(),
        size if !(1e-4..1e6).contains(&size) => format!("{x:.4e}"),
        size if size >= 1000.0 => format!("{x:.2}"),
        _ => format!("{x:.8}"),
    }
}

fn verdict(check: &Check, effort: &Effort) -> &'static str {
    match (check.rule, check.verdict(effort)) {
        (_, Verdict::TooFew) => "too few trajectories to tell",
        (Rule::Mutant(_), Verdict::Holds) => "rejected",
        (Rule::Mutant(_), Verdict::Fails) => "NOT SEEN",
        (_, Verdict::Holds) => "holds",
        (_, Verdict::Fails) => "FAILS",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mutant that is seen is rejected, one that is not is a failure; other statements hold or fail. With few
    /// trajectories what chance explains is no failure, and what it does not explain still is one.
    #[test]
    fn verdicts() {
        let check = |measured, rule| Check { quantity: "x".into(), expected: 1.0, measured, rule };
        let [enough, few] = [Effort::ENOUGH, Effort::ENOUGH / 100].map(|trajectories| {
            let effort = Effort { trajectories, seed: 0, threads: 1 };
            move |check: Check| verdict(&check, &effort)
        });
        assert_eq!(enough(check(2.0, Rule::Mutant(0.1))), "rejected");
        assert_eq!(enough(check(1.1, Rule::Mutant(0.1))), "NOT SEEN");
        assert_eq!(enough(check(1.1, Rule::Unbiased(0.1))), "holds");
        assert_eq!(enough(check(1.1, Rule::AtMost)), "FAILS");
        assert_eq!(enough(check(f64::NAN, Rule::Unbiased(0.1))), "FAILS");
        assert_eq!(enough(check(1.06, Rule::Sampled(0.05))), "FAILS");
        assert_eq!(few(check(1.1, Rule::Mutant(0.1))), "too few trajectories to tell");
        assert_eq!(few(check(1.4, Rule::Sampled(0.05))), "too few trajectories to tell");
        assert_eq!(few(check(1.6, Rule::Sampled(0.05))), "FAILS");
        assert_eq!(few(check(1.6, Rule::Unbiased(0.1))), "FAILS");
        assert_eq!(few(check(1.1, Rule::Near(0.05))), "FAILS");
        assert_eq!(few(check(f64::NAN, Rule::Mutant(0.1))), "NOT SEEN");
    }

    /// Numbers keep their digits at every size.
    #[test]
    fn numbers() {
        assert_eq!(
            [0.0, -2.8080804339, 4245.595, 2.35e10, 1.5e-9].map(number),
            ["0", "-2.80808043", "4245.60", "2.3500e10", "1.5000e-9"]
        );
    }
}
