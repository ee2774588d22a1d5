//! Train a preset from a program of one's own, and let the policy act.
//!
//! ```text
//! cargo run --release -p s2pg-cli --example 1_run_a_preset
//! ```

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use s2pg::Rng;
use s2pg::run::Run;
use s2pg_lab::policy::{Which, load};
use s2pg_lab::{presets, registry};

/// Trains the preset `name`, changed by `overrides`, in the directory `dir`, and returns the return of one episode of
/// its best policy. A run that lies there already goes on.
pub fn run(name: &str, overrides: &[String], dir: &Path) -> Result<f64, Box<dyn Error>> {
    let found = presets::find(name, overrides, Some(dir))?;
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
    let clock = Instant::now();
    let (mut run, warning) = Run::open(&found.dir, &found.experiment, Arc::new(registry()), 1, now())?;
    warning.iter().for_each(|warning| println!("warning: {warning}"));
    while !run.is_finished() {
        if let Some(mean) = run.advance(clock.elapsed().as_secs_f64(), now())?.evaluation {
            println!("step {:>7}  mean return {mean:.2}", run.steps());
        }
    }
    drop(run);

    let (mut player, make_env, _) = load(dir, Which::Best, Arc::new(registry()))?;
    let (mut env, mut rng) = (make_env()?, Rng::new(0, "an episode"));
    env.reset(&mut rng)?;
    let (mut o, mut s) = (vec![0.0; env.spec().o.len()], vec![0.0; env.spec().s.len()]);
    let mut episode = 0.0;
    loop {
        env.observe(&mut o, &mut s);
        // The player keeps the policy's memory. Without a generator it takes the means of action and next state.
        let a = player.act(&mut o, &mut s, None);
        let outcome = env.step(&a, &mut rng)?;
        episode += outcome.r;
        if outcome.terminated || outcome.truncated {
            return Ok(episode);
        }
    }
}

#[allow(dead_code)]
fn main() -> Result<(), Box<dyn Error>> {
    let r = run("ppo-best/t-maze", &["env.corridor=10".into(), "steps=150_000".into()], Path::new("runs/example"))?;
    println!("return of one episode: {r:.2}");
    Ok(())
}
