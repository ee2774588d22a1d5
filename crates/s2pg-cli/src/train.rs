//! `s2pg train`: the loop with a face.

use std::fmt::Write;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use s2pg::Rng;
use s2pg::env::Registry;
use s2pg::results::best_evaluation;
use s2pg::run::{Progress, Run};
use s2pg_lab::curve::learning_curve;
use s2pg_lab::policy::{self, Which};
use s2pg_lab::{play, presets};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::terminal::{duration, note, print, threads};

/// Arguments of `s2pg train`.
#[derive(Args)]
pub struct Arguments {
    /// A preset (`s2pg algos` lists them), a .toml file, or the directory of a run to go on with.
    experiment: String,
    /// Changes to the experiment, such as `ppo.clip=0.1 estimator=vanilla seed=3`.
    overrides: Vec<String>,
    /// The directory of the run [default: runs/<experiment>-<seed>].
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Number of threads, on which the results do not depend [default: all cores, at most 8].
    #[arg(long)]
    threads: Option<usize>,
    /// Print a line for each evaluation in place of the progress bar.
    #[arg(long)]
    plain: bool,
}

/// Trains until all steps are taken or a signal comes.
pub fn run(arguments: &Arguments, registry: Arc<Registry>) -> anyhow::Result<ExitCode> {
    let found = presets::find(&arguments.experiment, &arguments.overrides, arguments.dir.as_deref())?;
    let threads = arguments.threads.unwrap_or_else(threads).max(1);
    let signal = Arc::new(AtomicUsize::new(0));
    for s in [SIGINT, SIGTERM] {
        // The first signal asks the loop to stop; a second one ends the process, which is safe at any moment.
        let second = Arc::new(std::sync::atomic::AtomicBool::new(false));
        signal_hook::flag::register_conditional_shutdown(s, 128 + s, Arc::clone(&second))?;
        signal_hook::flag::register(s, second)?;
        signal_hook::flag::register_usize(s, Arc::clone(&signal), s as usize)?;
    }
    let (mut run, warning) = Run::open(&found.dir, &found.experiment, Arc::clone(&registry), threads, wall_time())?;
    let total = run.experiment().steps;
    let bar = bar(total, arguments.plain);
    let say = |line: String| if bar.is_hidden() { note(line) } else { bar.println(line) };
    say(heading(&run));
    if run.experiment().algorithm.is_off_policy() {
        say(format!("replay buffer    {} MB when full", run.training().buffer_bytes().div_ceil(1_000_000)));
    }
    warning.into_iter().for_each(|w| say(format!("warning: {w}")));
    bar.set_position(run.steps() as u64);
    bar.reset_eta();

    let clock = Instant::now();
    let start = run.steps();
    let mut progress = Progress { finished: start >= total, ..Default::default() };
    while !progress.finished {
        progress = run.advance(clock.elapsed().as_secs_f64(), wall_time())?;
        if let Some(w) = &progress.warning {
            say(format!("warning: {w}"));
        }
        bar.set_position(progress.steps as u64);
        if progress.evaluation.is_some() {
            let speed = (progress.steps - start) as f64 / clock.elapsed().as_secs_f64();
            say(line(&progress, total, speed));
        }
        if let Some(r) = progress.mean_return {
            bar.set_message(format!("return {r:.1}"));
        }
        let signal = signal.load(Ordering::Relaxed);
        if signal != 0 && !progress.finished {
            run.save()?;
            bar.abandon();
            note(format_args!(
                "stopped at step {} with a checkpoint; go on with: s2pg train {}",
                run.steps(),
                run.dir().display()
            ));
            return Ok(ExitCode::from(128 + signal as u8));
        }
    }
    bar.finish_and_clear();
    finish(&mut run, registry, &clock)?;
    Ok(ExitCode::SUCCESS)
}

/// Pictures and the last words.
fn finish(run: &mut Run, registry: Arc<Registry>, clock: &Instant) -> anyhow::Result<()> {
    let dir = run.dir().to_path_buf();
    let curve = learning_curve(&dir)?;
    std::fs::write(dir.join("curve.svg"), curve.svg())?;
    std::fs::write(dir.join("curve.png"), curve.png())?;
    let seconds = run.seconds_before() + clock.elapsed().as_secs_f64();
    let mut text = format!("{} steps in {}\n", run.steps(), duration(seconds));
    if let Some(r) = run.training().episodes().mean_return() {
        text += &format!("training return  {r:.1} (mean of the last 100 episodes, stochastic)\n");
    }
    if let Some(best) = best_evaluation(&dir)? {
        text += &format!("best evaluation  {best:.1} (deterministic)\n");
    }
    text += &format!("curve            {}\n", dir.join("curve.png").display());
    let (player, make_env, experiment) = policy::load(&dir, Which::Best, registry)?;
    let gif = dir.join("episode.gif");
    if play::draw(&player, &make_env, Rng::new(experiment.seed, "play"), &gif)? {
        text += &format!("episode          {}\n", gif.display());
    }
    // The run is finished and saved, whether or not somebody reads this.
    let _ = print(text + &format!("evaluate it with: s2pg eval {}", dir.display()));
    Ok(())
}

fn heading(run: &Run) -> String {
    let e = run.experiment();
    let at = if run.steps() > 0 { format!(", going on at step {}", run.steps()) } else { String::new() };
    let many = if e.env.parallel > 1 { format!(" x {}", e.env.parallel) } else { String::new() };
    format!("{} {} on {}{many}, seed {}, in {}{at}", e.algorithm, e.estimator, e.env.name, e.seed, run.dir().display())
}

fn line(progress: &Progress, total: usize, speed: f64) -> String {
    let number = |x: Option<f64>| x.map_or("     -".into(), |x| format!("{x:8.1}"));
    // A step of several environments may end behind the last one that was asked for.
    let left = total.saturating_sub(progress.steps) as f64 / speed;
    format!(
        "step {:>9} / {total}  return {}  evaluation {}  {speed:6.0} steps/s  {} left",
        progress.steps,
        number(progress.mean_return),
        number(progress.evaluation),
        duration(left)
    )
}

fn bar(total: usize, plain: bool) -> ProgressBar {
    if plain || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = "{elapsed_precise} {wide_bar} {human_pos}/{human_len}  {msg}  {speed}  {eta} left";
    let speed = |state: &ProgressState, to: &mut dyn Write| {
        let _ = write!(to, "{:.0} steps/s", state.per_sec());
    };
    let style = ProgressStyle::with_template(style).expect("a template").with_key("speed", speed);
    let bar = ProgressBar::new(total as u64).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn wall_time() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |t| t.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run whose last step of several environments goes beyond its total has no time left.
    #[test]
    fn no_time_is_left_behind_the_total() {
        let progress = Progress { steps: 1504, ..Progress::default() };
        let line = line(&progress, 1500, 100.0);
        assert!(line.ends_with("    100 steps/s  0 s left"), "{line}");
    }
}
