//! Training steps of the algorithms that imitate, and what the simulation and acting take of them.

use std::hint::black_box;
use std::sync::Arc;

use s2pg::Rng;
use s2pg::experiment::{Experiment, build, player};
use s2pg::train::{AnyTrainer, record};
use s2pg_lab::{presets, registry};

use super::rows::{SIMULATION, ms, timed};
use super::{Case, Row, Sample, cpu};

/// The rows, named after their presets.
pub const ROWS: [&str; 4] = [
    "step/gail-rs/humanoid-walk",
    "step/gail-rs/atlas-carry",
    "step/lsiq-rs/humanoid-walk",
    "step/lsiq-rs/atlas-carry",
];

/// Rounds in which a row is measured at most.
const ROUNDS: usize = 2;

/// Training steps of a preset that imitates a policy of its own task; the second row is without the simulation, and the
/// third is what is left of a step in which nothing is learned.
pub fn step(name: &'static str) -> anyhow::Result<Case> {
    let mut training = imitation(name.trim_start_matches("step/"))?;
    let is_off_policy = name.contains("/lsiq");
    // The updates of GAIL that train the discriminator are one in three.
    let (first, cycle) = if is_off_policy { (900, 100) } else { (900, 3000) };
    let clock = (0..100).map(|_| ms(10, || _ = black_box(cpu()))).fold(f64::INFINITY, f64::min);
    let acting = measured(&mut *training, first, clock)?[1];
    while is_off_policy && training.steps() < 1200 {
        training.step()?;
    }
    let round = move |samples: &mut [Vec<Sample>]| {
        if samples[0].len() == ROUNDS {
            return Ok(());
        }
        let [whole, without] = measured(&mut *training, cycle, clock)?;
        for (samples, ms) in samples.iter_mut().zip([whole, without, acting]) {
            samples.push(Sample { ms, baseline: None });
        }
        Ok(())
    };
    let names = [name.to_string(), format!("{name}/no-simulation"), format!("{name}/acting")];
    Ok(Case { rows: names.map(|name| Row::new(&name, None, None, None)).into(), round: Box::new(round) })
}

/// A training of a preset on its task, whose simulation is timed.
fn imitation(preset: &str) -> anyhow::Result<Box<dyn AnyTrainer>> {
    let task = presets::find(preset, &[], None)?.experiment.env.name;
    let text = format!("algorithm = \"ppo\"\nestimator = \"vanilla\"\nsteps = 1_000_000\n[env]\nname = \"{task}\"\n");
    let (player, make_env) = player(&Experiment::parse("bench", &text, &[])?, Arc::new(registry()))?;
    let demos = record(&player, &make_env, 20, false, &mut Rng::new(0, "bench/demos"))?;
    let file = std::env::temp_dir().join(format!("s2pg-bench-{}.npz", std::process::id()));
    std::fs::write(&file, demos.to_npz())?;
    let table = if preset.starts_with("gail") { "gail" } else { "lsiq" };
    let changes = ["env.name=bench".into(), format!("env.task={task}"), format!("{table}.demos={file:?}")];
    let training = presets::find(preset, &changes, None).map_err(anyhow::Error::from).and_then(|found| {
        let mut experiment = found.experiment;
        // A buffer that learns soon is no faster than a full one: batches are spread over what it holds.
        (experiment.lsiq.initial, experiment.lsiq.warmup) = (1000, 1000);
        Ok(build(&experiment, timed(), 1)?)
    });
    std::fs::remove_file(&file)?;
    training
}

/// CPU milliseconds of each of `n` steps, and the same without the simulation, where a look at the clock takes `clock`
/// milliseconds.
fn measured(training: &mut dyn AnyTrainer, n: usize, clock: f64) -> anyhow::Result<[f64; 2]> {
    SIMULATION.set((0.0, 0));
    let start = cpu();
    for _ in 0..n {
        training.step()?;
    }
    let total = (cpu() - start) * 1e3;
    // Of the two looks at the clock around a call, one lies inside what is counted.
    let (seconds, calls) = SIMULATION.get();
    let (simulation, looks) = (seconds * 1e3 - clock * calls as f64, 2.0 * clock * calls as f64);
    Ok([total - looks, total - looks - simulation].map(|ms| ms / n as f64))
}
