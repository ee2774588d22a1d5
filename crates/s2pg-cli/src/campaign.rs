//! `s2pg campaign`: many runs from one file, several at once, and a report.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use clap::Args;
use s2pg::env::Registry;
use s2pg::run::{Run, RunError};
use s2pg_lab::campaign::{Campaign, Planned, State};
use s2pg_lab::numbers::{count, significant};
use s2pg_lab::report::Report;
use serde_json::{Value, json};

use crate::exit::{self, DIVERGED, Usage};
use crate::numbers::whole;
use crate::pace::Pace;
use crate::report;
use crate::signals::Stop;
use crate::slurm;
use crate::terminal::{note, print, print_json, program, quoted, threads};
use crate::train::wall_time;

/// Arguments of `s2pg campaign`.
#[derive(Args)]
pub struct Arguments {
    /// The .toml file of the campaign: `experiments` (presets or files), and lists by which they are multiplied.
    pub file: PathBuf,
    /// The directory of the campaign, with its runs and its report [default: campaigns/<name of the file>].
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Number of runs that are trained at once, one thread each [default: all cores, at most 8].
    #[arg(long, value_parser = whole(1..=1024_u32))]
    jobs: Option<u32>,
    /// Train one run alone: its place in the list that `--status` prints, from 0 on.
    #[arg(long)]
    only: Option<usize>,
    /// Train nothing: print how far each run is.
    #[arg(long)]
    status: bool,
    /// Train nothing: write the script of a job array for Slurm, and print its name.
    #[arg(long, conflicts_with_all = ["status", "only"])]
    slurm: bool,
    /// Print a JSON object in place of tables.
    #[arg(long)]
    json: bool,
}

/// What a worker says.
enum Word {
    /// It waits for a run.
    Idle(usize),
    /// Its run has taken this many steps.
    Steps(usize, usize),
    /// Its run is at an end.
    End(usize, End),
}

/// How the work on a run ended.
enum End {
    /// All is done; with the return of the last evaluation, where there was one in this process.
    Finished(Option<f64>),
    /// It was stopped at this step, with a checkpoint.
    Stopped(usize),
    /// Another process works on it.
    Elsewhere,
    /// It cannot go on.
    Failed(anyhow::Error),
}

/// Seconds between two words of a worker about its steps.
const EVERY: f64 = 0.5;
/// Seconds between two lines about the whole campaign.
const TELL: f64 = 60.0;

/// Carries out a campaign, or tells how far it is.
pub fn run(arguments: &Arguments, registry: Arc<Registry>) -> anyhow::Result<ExitCode> {
    let mut campaign = Campaign::read(&arguments.file)?;
    let stem = arguments.file.file_stem().unwrap_or_default();
    let dir = arguments.dir.clone().unwrap_or_else(|| Path::new("campaigns").join(stem));
    if campaign.halving.is_some() && (arguments.slurm || arguments.only.is_some()) {
        let why = "with [halving] it depends on all runs which of them go on";
        return Err(Usage(format!("{why}: leave out --slurm and --only, and let one process train all")).into());
    }
    if arguments.slurm {
        return slurm::write(arguments, &dir, campaign.runs.len());
    }
    if arguments.status {
        return status(&campaign.now(&dir)?, &dir, arguments.json);
    }
    let of_report = dir.join("report");
    Report::check_directory(&of_report).map_err(Usage)?;
    if let Some(i) = arguments.only {
        let all = campaign.runs.len();
        let Some(run) = campaign.runs.get(i).cloned() else {
            return Err(Usage(format!("--only {i}: the campaign has {all} runs, from 0 to {}", all - 1)).into());
        };
        campaign.runs = vec![run];
    }
    let stop = Stop::listen()?;
    let jobs = arguments.jobs.map_or(threads(), |n| n as usize).min(campaign.runs.len());
    let mut now = campaign.now(&dir)?;
    let code = loop {
        let (code, stopped) = train(&now, &dir, jobs, &stop, Arc::clone(&registry))?;
        if let Some(code) = stopped {
            note(format_args!("the campaign goes on with: {}", command(arguments)));
            return Ok(ExitCode::from(code));
        }
        let next = campaign.now(&dir)?;
        if next.runs == now.runs {
            break code;
        }
        let steps = next.runs.iter().map(|run| run.experiment.steps).max().unwrap_or(0);
        let left = next.runs.iter().filter(|run| run.experiment.steps == steps).count();
        note(format_args!("{} of {} go on, to step {steps}", left, count(next.runs.len(), "run")));
        now = next;
    };
    if arguments.only.is_some() {
        return Ok(ExitCode::from(code));
    }
    if arguments.json {
        status(&now, &dir, true)?;
    }
    let best = campaign.best(&dir)?;
    for of in best.chunk_by(|a, b| a.0.group == b.0.group) {
        let (candidate, score) = &of[0];
        note(format_args!("best in {}: {}, return {}", candidate.group, candidate.point, significant(*score)));
    }
    let made = campaign.runs.iter().map(|run| run.dir(&dir)).filter(|run| run.join("progress.csv").exists());
    let made: Vec<PathBuf> = made.collect();
    if !made.is_empty() {
        let report = Report::of(&made, Some(&campaign.title))?;
        if arguments.json {
            report.write(&of_report).map_err(|(path, e)| anyhow::Error::from(e).context(path.display().to_string()))?;
        } else {
            report::show(&report, &of_report, false)?;
        }
    }
    Ok(ExitCode::from(code))
}

/// Trains what is left to train. Returns the exit code, and that of a signal that stopped the campaign.
pub fn train(
    campaign: &Campaign,
    dir: &Path,
    jobs: usize,
    stop: &Stop,
    registry: Arc<Registry>,
) -> anyhow::Result<(u8, Option<u8>)> {
    let states: Vec<State> = campaign.runs.iter().map(|run| run.state(dir)).collect();
    let mut left: Vec<usize> = (0..states.len()).rev().filter(|&i| is_open(states[i])).collect();
    let before = states.len() - left.len();
    if before > 0 {
        note(format_args!("{before} of {} done before", count(states.len(), "run")));
    }
    let begun = |i: usize| if let State::Begun(steps) = states[i] { steps } else { 0 };
    let total: usize = left.iter().map(|&i| campaign.runs[i].experiment.steps).sum();
    let (mut taken, clock): (BTreeMap<usize, usize>, _) =
        (left.iter().map(|&i| (i, begun(i))).collect(), Instant::now());
    let mut pace = Pace::new(taken.values().sum());
    let (mut done, mut code, mut told) = (before, 0, 0.0);
    let (say, hear) = channel::<Word>();
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let mut gates: Vec<Option<Sender<usize>>> = Vec::new();
        for worker in 0..jobs {
            let (gate, runs) = channel::<usize>();
            let (say, registry, is_asked) = (say.clone(), Arc::clone(&registry), stop.is_asked());
            let is_asked: Arc<dyn Fn() -> bool + Send + Sync> = Arc::new(is_asked);
            gates.push(Some(gate));
            scope.spawn(move || {
                let _ = say.send(Word::Idle(worker));
                for i in runs {
                    let tell = |steps| drop(say.send(Word::Steps(i, steps)));
                    let end = one(&campaign.runs[i], dir, Arc::clone(&registry), &is_asked, clock, &tell);
                    let _ = say.send(Word::End(i, end)).and_then(|()| say.send(Word::Idle(worker)));
                }
            });
        }
        drop(say);
        // The loop ends when every worker was sent home.
        for word in hear {
            match word {
                Word::Idle(worker) => match left.pop().filter(|_| stop.asked().is_none()) {
                    Some(i) => {
                        let _ = gates[worker].as_ref().expect("an idle worker is there").send(i);
                    }
                    None => gates[worker] = None,
                },
                Word::Steps(i, steps) => {
                    taken.insert(i, steps);
                }
                Word::End(i, end) => {
                    let run = &campaign.runs[i];
                    done += usize::from(matches!(end, End::Finished(_)));
                    let so_far = format!("{done} of {}", states.len());
                    match end {
                        End::Finished(evaluation) => {
                            taken.insert(i, run.experiment.steps);
                            let evaluation =
                                evaluation.map_or(String::new(), |r| format!(", evaluation {}", significant(r)));
                            note(format_args!("{so_far} done: {}{evaluation}", run.name));
                        }
                        End::Stopped(step) => {
                            note(format_args!("{}: stopped at step {step} with a checkpoint", run.name))
                        }
                        End::Elsewhere => note(format_args!("{}: another process works on it", run.name)),
                        End::Failed(e) => {
                            code = code.max(exit::code(&e));
                            note(format_args!("{}: {}; the campaign goes on", run.name, exit::sentence(&e)));
                        }
                    }
                }
            }
            let seconds = clock.elapsed().as_secs_f64();
            pace.add(seconds, taken.values().sum());
            if seconds - told > TELL {
                told = seconds;
                note(format_args!(
                    "{done} of {} done, {} open; {}",
                    states.len(),
                    states.len() - done,
                    pace.words(total)
                ));
            }
        }
        Ok(())
    })?;
    let diverged = states.contains(&State::Diverged);
    Ok((if diverged && code == 0 { DIVERGED } else { code }, stop.asked()))
}

/// Whether there is something to train.
fn is_open(state: State) -> bool {
    matches!(state, State::Begun(_) | State::Waiting)
}

/// Trains one run on this thread.
fn one(
    planned: &Planned,
    of: &Path,
    registry: Arc<Registry>,
    is_asked: &Arc<dyn Fn() -> bool + Send + Sync>,
    clock: Instant,
    tell: &dyn Fn(usize),
) -> End {
    let work = || -> Result<End, RunError> {
        let (mut run, warning) = match Run::open(&planned.dir(of), &planned.experiment, registry, 1, wall_time()) {
            Err(RunError::Directory(what)) if what.contains("another process") => return Ok(End::Elsewhere),
            opened => opened?,
        };
        warning.into_iter().for_each(|w| note(format_args!("{}: warning: {w}", planned.name)));
        let interrupt = Arc::clone(is_asked);
        run.abandon_evaluations_when(move || interrupt());
        let (start, mut told, mut evaluation) = (clock.elapsed(), clock.elapsed(), None);
        while !run.is_finished() {
            if is_asked() {
                run.save()?;
                return Ok(End::Stopped(run.steps()));
            }
            let progress = run.advance((clock.elapsed() - start).as_secs_f64(), wall_time())?;
            evaluation = progress.evaluation.or(evaluation);
            progress.warning.into_iter().for_each(|w| note(format_args!("{}: warning: {w}", planned.name)));
            if clock.elapsed() - told > Duration::from_secs_f64(EVERY) {
                told = clock.elapsed();
                tell(progress.steps);
            }
        }
        planned.note_finished(of)?;
        Ok(End::Finished(evaluation))
    };
    work().unwrap_or_else(|e| End::Failed(e.into()))
}

/// Prints how far each run is.
fn status(campaign: &Campaign, dir: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    let states: Vec<State> = campaign.runs.iter().map(|run| run.state(dir)).collect();
    let word = |state: State| match state {
        State::Finished => "finished",
        State::Diverged => "diverged",
        State::Begun(_) => "begun",
        State::Waiting => "waiting",
    };
    let steps = |run: &Planned, state: State| match state {
        State::Finished => run.experiment.steps,
        State::Begun(steps) => steps,
        State::Diverged | State::Waiting => 0,
    };
    let of = |kind: &str| states.iter().filter(|&&state| word(state) == kind).count();
    let pairs = || campaign.runs.iter().zip(&states).enumerate();
    if as_json {
        let runs: Vec<Value> = pairs()
            .map(|(i, (run, &state))| {
                json!({
                    "index": i,
                    "run": run.dir(dir).display().to_string(),
                    "state": word(state),
                    "steps": steps(run, state),
                    "of": run.experiment.steps,
                    "algorithm": run.experiment.algorithm.to_string(),
                    "estimator": run.experiment.estimator.to_string(),
                    "environment": run.experiment.env.name,
                    "seed": run.experiment.seed,
                })
            })
            .collect();
        print_json(&json!({
            "campaign": campaign.title,
            "dir": dir.display().to_string(),
            "finished": of("finished"),
            "diverged": of("diverged"),
            "begun": of("begun"),
            "waiting": of("waiting"),
            "runs": runs,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    for (i, (run, &state)) in pairs() {
        let progress = format!("{} / {}", steps(run, state), run.experiment.steps);
        print(format_args!("{i:>5}  {:<9} {progress:>22}  {}", word(state), run.name))?;
    }
    let counts = ["finished", "diverged", "begun", "waiting"].map(|kind| format!("{} {kind}", of(kind)));
    print(format_args!("{} in {}: {}", count(states.len(), "run"), quoted(dir), counts.join(", ")))?;
    Ok(ExitCode::SUCCESS)
}

/// The command that goes on with the campaign.
pub fn command(arguments: &Arguments) -> String {
    let mut words = vec![program(), "campaign".into(), quoted(&arguments.file)];
    words.extend(arguments.dir.iter().map(|dir| format!("--dir {}", quoted(dir))));
    words.extend(arguments.jobs.iter().map(|jobs| format!("--jobs {jobs}")));
    words.join(" ")
}
