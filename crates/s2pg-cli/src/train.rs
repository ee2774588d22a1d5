//! `s2pg train`: the loop with a face.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use s2pg::Rng;
use s2pg::env::Registry;
use s2pg::results::best_evaluation;
use s2pg::run::disk::{RealDisk, write_atomically};
use s2pg::run::{Progress, Run};
use s2pg_lab::curve::learning_curve;
use s2pg_lab::numbers::significant;
use s2pg_lab::play;
use s2pg_lab::policy::{self, Which};
use s2pg_lab::presets::{self, Found};

use crate::numbers;
use crate::pace::Pace;
use crate::series;
use crate::signals::Stop;
use crate::terminal::{duration, note, print, program, quoted, threads};

/// Arguments of `s2pg train`.
#[derive(Args)]
pub struct Arguments {
    /// A preset (`s2pg algos` lists them), a .toml file, or the directory of a run to go on with.
    pub experiment: String,
    /// Changes to the experiment, such as `ppo.clip=0.1 estimator=vanilla seed=3`. `seeds=0..4` trains with the seeds
    /// 0, 1, 2, 3 and 4, one after the other, and compares them in a report; `seeds=0,1,5` with these.
    pub overrides: Vec<String>,
    /// The directory of the run [default: runs/<experiment>[-<override>...]-<seed>, where every override but those of
    /// `seed` and `steps` is a part of the name, which is shortened where it is too long]. With `seeds=0..4` each run
    /// has the directory <DIR>-<seed>, and the report is in <DIR>-report.
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Number of threads, on which the results do not depend [default: all cores, at most 8].
    #[arg(long, value_parser = numbers::threads)]
    threads: Option<usize>,
    /// Print a line for each evaluation in place of the progress bar.
    #[arg(long)]
    plain: bool,
    /// Start over: remove what an earlier run of this experiment left in the directory.
    #[arg(long)]
    pub restart: bool,
}

/// Trains one experiment, or a series of them that differ in their seed.
pub fn run(arguments: &Arguments, registry: Arc<Registry>) -> anyhow::Result<ExitCode> {
    let seeds = series::split(&arguments.overrides)?;
    let stop = Stop::listen()?;
    if let Some(seeds) = seeds {
        return series::run(arguments, seeds, &stop, registry);
    }
    let found = presets::find(&arguments.experiment, &arguments.overrides, arguments.dir.as_deref())?;
    let code = one(&found, arguments, &stop, registry)?;
    Ok(code.map_or(ExitCode::SUCCESS, ExitCode::from))
}

/// Trains until all steps are taken or a signal comes, and returns the exit code that the signal stands for.
pub fn one(found: &Found, arguments: &Arguments, stop: &Stop, registry: Arc<Registry>) -> anyhow::Result<Option<u8>> {
    let threads = arguments.threads.unwrap_or_else(threads).max(1);
    let open = if arguments.restart { Run::restart } else { Run::open };
    let (mut run, warning) = open(&found.dir, &found.experiment, Arc::clone(&registry), threads, wall_time())?;
    run.abandon_evaluations_when(stop.is_asked());
    let total = run.experiment().steps;
    let bar = bar(total, arguments.plain);
    let say = |line: String| if bar.is_hidden() { note(line) } else { bar.println(line) };
    say(heading(&run));
    run.began().into_iter().for_each(|what| say(what.to_string()));
    if run.experiment().algorithm.is_off_policy() {
        say(format!("replay buffer    {} MB when full", run.training().buffer_bytes().div_ceil(1_000_000)));
    }
    warning.into_iter().for_each(|w| say(format!("warning: {w}")));
    for key in arguments.overrides.iter().filter_map(|change| change.split('=').next()).map(str::trim) {
        if run.experiment().is_idle(key) {
            say(format!("note: `{key}` has no effect: {} draws no state", run.experiment().estimator));
        }
    }
    bar.set_position(run.steps() as u64);

    let clock = Instant::now();
    let mut pace = Pace::new(run.steps());
    loop {
        let is_finished = run.is_finished();
        // Behind the last step come pictures, which can be drawn again.
        stop.nothing_to_save(is_finished);
        if let Some(code) = stop.asked() {
            run.save()?;
            bar.abandon();
            note(format_args!(
                "stopped at step {} with a checkpoint; go on with: {} train {}",
                run.steps(),
                program(),
                quoted(run.dir())
            ));
            return Ok(Some(code));
        }
        if is_finished {
            break;
        }
        let progress = run.advance(clock.elapsed().as_secs_f64(), wall_time())?;
        if let Some(w) = &progress.warning {
            say(format!("warning: {w}"));
        }
        pace.add(clock.elapsed().as_secs_f64(), progress.steps);
        bar.set_position(progress.steps.min(total) as u64);
        if progress.evaluation.is_some() {
            say(line(&progress, total, &pace));
        }
        if !bar.is_hidden() {
            let r = progress.mean_return.map_or("-".into(), significant);
            bar.set_message(format!("return {r}  {}", pace.words(total)));
        }
    }
    bar.finish_and_clear();
    finish(&mut run, registry)?;
    Ok(None)
}

/// Pictures and the last words.
fn finish(run: &mut Run, registry: Arc<Registry>) -> anyhow::Result<()> {
    let dir = run.dir().to_path_buf();
    let curve = learning_curve(&dir)?;
    write_atomically(&RealDisk, &dir.join("curve.svg"), curve.svg().as_bytes())?;
    write_atomically(&RealDisk, &dir.join("curve.png"), &curve.png())?;
    let mut text = format!("{} steps in {}\n", run.steps(), duration(run.seconds()));
    if let Some(r) = run.training().episodes().mean_return() {
        text += &format!("training return  {} (mean of the last 100 episodes, stochastic)\n", significant(r));
    }
    if let Some(best) = best_evaluation(&dir)? {
        text += &format!("best evaluation  {} (deterministic)\n", significant(best));
    }
    text += &format!("curve            {}\n", quoted(dir.join("curve.png")));
    if let Some(w) = policy::damaged_best(&dir) {
        note(format_args!("warning: {w}"));
    }
    let (player, make_env, experiment) = policy::load(&dir, Which::Best, registry)?;
    let gif = dir.join("episode.gif");
    let played = play::play(&player, &make_env, Rng::new(experiment.seed, "play"), false)?;
    if let Some(animation) = played.animation()? {
        write_atomically(&RealDisk, &gif, &animation)?;
        text += &format!("episode          {}\n", quoted(&gif));
    }
    // The run is finished and saved, whether or not somebody reads this.
    let _ = print(text + &format!("evaluate it with: {} eval {}", program(), quoted(&dir)));
    Ok(())
}

fn heading(run: &Run) -> String {
    let e = run.experiment();
    let at = if run.steps() > 0 { format!(", going on at step {}", run.steps()) } else { String::new() };
    let many = if e.env.parallel > 1 { format!(" x {}", e.env.parallel) } else { String::new() };
    format!("{} {} on {}{many}, seed {}, in {}{at}", e.algorithm, e.estimator, e.env.name, e.seed, quoted(run.dir()))
}

fn line(progress: &Progress, total: usize, pace: &Pace) -> String {
    let number = |x: Option<f64>| x.map_or("-".into(), significant);
    format!(
        "step {:>9} / {total}  return {:>8}  evaluation {:>8}  {}",
        progress.steps,
        number(progress.mean_return),
        number(progress.evaluation),
        pace.words(total)
    )
}

fn bar(total: usize, plain: bool) -> ProgressBar {
    if plain || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = "{elapsed_precise} {wide_bar} {human_pos}/{human_len}  {msg}";
    let style = ProgressStyle::with_template(style).expect("a template");
    let bar = ProgressBar::new(total as u64).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

pub fn wall_time() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |t| t.as_secs_f64())
}
