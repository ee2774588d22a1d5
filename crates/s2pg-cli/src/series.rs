//! `s2pg train ... seeds=0..4`: one experiment with several seeds, a run after the other, and a report of all.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use s2pg::env::Registry;
use s2pg::run::Run;
use s2pg::run::checkpoint::{Checkpoints, LATEST};
use s2pg_lab::presets::{self, Found};
use s2pg_lab::report::Report;

use crate::exit::{self, DIVERGED, Usage};
use crate::report;
use crate::signals::Stop;
use crate::terminal::{note, program, quoted};
use crate::train::{Arguments, one};

/// Runs of a series, at most.
const MOST: u64 = 1000;

/// Takes `seeds=...` out of the overrides: the seeds, and the other overrides; None where there is no such override.
pub fn split(overrides: &[String]) -> Result<Option<(Vec<u64>, Vec<String>)>, Usage> {
    let of = |text: &String| text.strip_prefix("seeds=").map(String::from);
    let given: Vec<String> = overrides.iter().filter_map(of).collect();
    let [text] = &given[..] else {
        return if given.is_empty() { Ok(None) } else { Err(Usage("`seeds` is there twice; give it once".into())) };
    };
    let rest: Vec<String> = overrides.iter().filter(|o| of(o).is_none()).cloned().collect();
    if let Some(one) = rest.iter().find(|o| o.starts_with("seed=")) {
        return Err(Usage(format!("`seeds={text}` and `{one}` are both there; take one of them away")));
    }
    Ok(Some((seeds(text)?, rest)))
}

/// The seeds of `0..4` (both ends included), `0,1,5`, or `0..2,7`.
fn seeds(text: &str) -> Result<Vec<u64>, Usage> {
    let refuse = |what: &str| {
        let how = "write a range, both ends included, as in `seeds=0..4`, or a list, as in `seeds=0,1,5`";
        Usage(format!("override `seeds={text}`: {what}; {how}"))
    };
    let mut seeds = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once("..").unwrap_or((part, part));
        let number = |text: &str| {
            let found = text.trim().replace('_', "").parse::<u64>().ok().filter(|seed| *seed <= i64::MAX as u64);
            found.ok_or_else(|| refuse(&format!("`{text}` is no seed")))
        };
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(refuse(&format!("`{part}` goes down")));
        }
        if last - first >= MOST || seeds.len() as u64 + last - first >= MOST {
            return Err(refuse(&format!("more than {MOST} runs")));
        }
        seeds.extend(first..=last);
    }
    match seeds.iter().enumerate().find(|(i, seed)| seeds[..*i].contains(seed)) {
        Some((_, seed)) => Err(refuse(&format!("{seed} is there twice"))),
        None => Ok(seeds),
    }
}

/// Trains the experiment with each of the seeds. Runs that are finished are not run again; a run that diverges does not
/// stop the others; a signal stops the series at its present run.
pub fn run(
    arguments: &Arguments,
    (seeds, changes): (Vec<u64>, Vec<String>),
    stop: &Stop,
    registry: Arc<Registry>,
) -> anyhow::Result<ExitCode> {
    if Path::new(&arguments.experiment).is_dir() {
        let what = "is a run, which has a seed already; to start runs with other seeds, name a preset or a .toml file";
        return Err(Usage(format!("{} {what}", quoted(&arguments.experiment))).into());
    }
    let found = |seed: u64| {
        let changes = [&changes[..], &[format!("seed={seed}")]].concat();
        let dir = arguments.dir.as_deref().map(|dir| beside(dir, &seed.to_string()));
        presets::find(&arguments.experiment, &changes, dir.as_deref())
    };
    // A mistake is found before the first run.
    let runs: Vec<Found> = seeds.iter().map(|seed| found(*seed)).collect::<Result<_, _>>()?;
    for run in &runs {
        Run::check_directory(&run.dir, arguments.restart)?;
    }
    let base = match &arguments.dir {
        Some(dir) => dir.clone(),
        // The default name ends with the seed.
        None => {
            let name = runs[0].dir.to_string_lossy();
            PathBuf::from(name.strip_suffix(&format!("-{}", seeds[0])).unwrap_or(&name))
        }
    };
    let of_report = beside(&base, "report");
    Report::check_directory(&of_report).map_err(Usage)?;
    let mut code = ExitCode::SUCCESS;
    for (i, (run, seed)) in runs.iter().zip(&seeds).enumerate() {
        let which = format!("run {} of {}, seed {seed}", i + 1, runs.len());
        if !arguments.restart && finished(run) {
            note(format_args!("{which}: finished before, in {}", quoted(&run.dir)));
            continue;
        }
        note(&which);
        match one(run, arguments, stop, Arc::clone(&registry)) {
            Ok(None) => {}
            Ok(Some(code)) => {
                note(format_args!("the series goes on with: {}", command(arguments)));
                return Ok(ExitCode::from(code));
            }
            Err(e) if exit::code(&e) == DIVERGED => {
                note(format_args!("{}: {}; the next run begins", program(), exit::sentence(&e)));
                code = ExitCode::from(DIVERGED);
            }
            Err(e) => return Err(e),
        }
    }
    let dirs: Vec<&PathBuf> = runs.iter().map(|run| &run.dir).collect();
    report::show(&Report::of(&dirs, None)?, &of_report, false)?;
    Ok(code)
}

/// The path `<dir>-<what>`.
fn beside(dir: &Path, what: &str) -> PathBuf {
    let mut name = dir.components().collect::<PathBuf>().into_os_string();
    name.push(format!("-{what}"));
    name.into()
}

/// Whether the directory holds this very experiment, with all steps taken and its last picture drawn.
fn finished(run: &Found) -> bool {
    let same = presets::of_run(&run.dir, &[]).is_ok_and(|there| there == run.experiment);
    let steps = || Checkpoints::view(run.dir.join("checkpoints")).metadata(LATEST).ok()?.get("steps")?.parse().ok();
    same && run.dir.join("curve.png").exists() && steps().is_some_and(|steps: usize| steps >= run.experiment.steps)
}

/// The command that goes on with the series.
fn command(arguments: &Arguments) -> String {
    let mut words = vec![program(), "train".into(), quoted(&arguments.experiment)];
    words.extend(arguments.overrides.iter().map(quoted));
    words.extend(arguments.dir.iter().map(|dir| format!("--dir {}", quoted(dir))));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ranges include both ends, lists and ranges mix, and what cannot be a series of seeds is one sentence.
    #[test]
    fn seeds_are_read() {
        assert_eq!(seeds("0..4").unwrap(), [0, 1, 2, 3, 4]);
        assert_eq!(seeds("7").unwrap(), [7]);
        assert_eq!(seeds("0..1,5,10..11").unwrap(), [0, 1, 5, 10, 11]);
        let wrong = ["", "a", "1..", "-1", "4..0", "0,0", "0..2,1", "0..1000", "0,1..1000", "0..18446744073709551615"];
        for text in wrong {
            let sentence = seeds(text).unwrap_err().0;
            assert!(sentence.starts_with(&format!("override `seeds={text}`: ")), "{sentence}");
        }
        assert_eq!(seeds("0..999").unwrap().len(), 1000);
    }

    /// The seeds are taken out of the overrides; `seed` beside `seeds` is refused, and so is `seeds` twice.
    #[test]
    fn seeds_are_taken_out() {
        let of = |words: &[&str]| split(&words.iter().map(|w| w.to_string()).collect::<Vec<_>>());
        assert_eq!(of(&["steps=5"]).unwrap(), None);
        let (seeds, rest) = of(&["steps=5", "seeds=0..1", "ppo.clip=0.1"]).unwrap().unwrap();
        assert_eq!((seeds, rest), (vec![0, 1], vec!["steps=5".to_string(), "ppo.clip=0.1".into()]));
        assert!(of(&["seeds=0..1", "seed=3"]).is_err() && of(&["seeds=0", "seeds=1"]).is_err());
    }
}
