//! Rows that compare two threads with one, by wall clock: the results must be the same bits.

use std::sync::Arc;
use std::time::Instant;

use anyhow::ensure;
use s2pg::Rng;
use s2pg::env::VecEnv;
use s2pg::experiment::build;
use s2pg::state::digest;
use s2pg_lab::{presets, registry};

use super::{Budget, Case, Row, Sample};

/// The row of bare environments.
pub const ENVIRONMENTS: &str = "env/parallel-8";
/// The row of whole training steps.
pub const STEP: &str = "step/ppo-rs/half-cheetah/parallel-8";

/// The row of whole training steps of SAC.
pub const SAC: &str = "step/sac-rs/half-cheetah/threads-2";

/// Environments that are stepped together.
const PARALLEL: usize = 8;
/// Threads of the baseline, and of the figure.
const THREADS: [usize; 2] = [1, 2];
/// At least so many pairs are measured.
const PAIRS: usize = 5;

/// Milliseconds for one of `n` times `f`, by the clock on the wall.
fn wall_ms(n: usize, mut f: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let start = Instant::now();
    (0..n).try_for_each(|_| f())?;
    Ok(start.elapsed().as_secs_f64() * 1e3 / n as f64)
}

/// Interleaved pairs of `run(0)`, on one thread, and `run(1)`, on two: each tells its milliseconds and the bits of its
/// results, which must be equal.
fn pairs(row: Row, rounds: usize, mut run: impl FnMut(usize) -> anyhow::Result<(f64, Vec<u64>)> + 'static) -> Case {
    let name = row.name.clone();
    let round = move |samples: &mut [Vec<Sample>]| {
        for _ in 0..PAIRS.div_ceil(rounds) {
            let (one, expected) = run(0)?;
            let (two, bits) = run(1)?;
            ensure!(bits == expected, "{name}: {} threads gave other bits than one; please report this", THREADS[1]);
            samples[0].push(Sample { ms: two, baseline: Some(one) });
        }
        Ok(())
    };
    Case { rows: vec![row], round: Box::new(round) }
}

/// A step of all environments, HalfCheetah without velocities, on random actions.
pub fn environments(rounds: usize) -> anyhow::Result<Case> {
    let registry = registry();
    let make = |threads| -> anyhow::Result<VecEnv> {
        let envs = (0..PARALLEL).map(|_| registry.make("HalfCheetahPOMDP-v3", &Default::default()));
        let mut envs = VecEnv::new(envs.collect::<Result<_, _>>()?, 0, threads)?;
        envs.reset_all()?;
        Ok(envs)
    };
    let mut both = [make(THREADS[0])?, make(THREADS[1])?];
    let a = PARALLEL * both[0].spec().low.len();
    let mut rng = Rng::new(0, "bench/parallel");
    let mut draw = |n| (0..n).map(|_| (0..a).map(|_| rng.range(-1.0, 1.0) as f32).collect()).collect::<Vec<Vec<f32>>>();
    // Both warm up with the same steps; then about 50 ms of one thread in each half of a pair.
    let trial = draw(20);
    let mut warm_up = |k: usize| -> anyhow::Result<f64> {
        let mut next = trial.iter();
        wall_ms(trial.len(), || Ok(both[k].step(next.next().expect("an action for each step")).map(drop)?))
    };
    let (ms, _) = (warm_up(0)?, warm_up(1)?);
    let actions = draw((50.0 / ms).ceil() as usize);
    let row = Row::new(ENVIRONMENTS, None, None, Some(Budget::Speedup(1.6)));
    Ok(pairs(row, rounds, move |k| {
        let (mut bits, mut next) = (Vec::new(), actions.iter());
        let ms = wall_ms(actions.len(), || {
            let step = both[k].step(next.next().expect("an action for each step"))?;
            bits.extend(step.r.iter().map(|x| x.to_bits()));
            bits.extend(step.o.iter().chain(&step.s).map(|x| u64::from(x.to_bits())));
            Ok(())
        })?;
        Ok((ms, bits))
    }))
}

/// Training steps of PPO-RS in several environments: whole cycles of acting and updating, after which both runs must
/// have the same state.
pub fn training_step(rounds: usize) -> anyhow::Result<Case> {
    let changes = [format!("env.parallel={PARALLEL}")];
    let experiment = presets::find("ppo-rs/half-cheetah", &changes, None)?.experiment;
    let registry = Arc::new(registry());
    let make = |threads| build(&experiment, Arc::clone(&registry), threads);
    let mut both = [make(THREADS[0])?, make(THREADS[1])?];
    let n = experiment.ppo.steps / PARALLEL;
    Ok(pairs(Row::new(STEP, None, None, None), rounds, move |k| {
        let ms = wall_ms(n, || Ok(both[k].step().map(drop)?))? / PARALLEL as f64;
        Ok((ms, vec![digest(&mut *both[k])]))
    }))
}

/// Training steps of SAC-RS in one environment: the pieces of a batch on two threads beside one.
pub fn off_policy_step(rounds: usize) -> anyhow::Result<Case> {
    let changes = ["sac.initial=1000", "sac.warmup=1000", "sac.replay=20_000"].map(String::from);
    let experiment = presets::find("sac-rs/half-cheetah", &changes, None)?.experiment;
    let registry = Arc::new(registry());
    let make = |threads| -> anyhow::Result<_> {
        let mut training = build(&experiment, Arc::clone(&registry), threads)?;
        while training.steps() < 1100 {
            training.step()?;
        }
        Ok(training)
    };
    let mut both = [make(THREADS[0])?, make(THREADS[1])?];
    Ok(pairs(Row::new(SAC, None, None, Some(Budget::Speedup(1.6))), rounds, move |k| {
        let ms = wall_ms(50, || Ok(both[k].step().map(drop)?))?;
        Ok((ms, vec![digest(&mut *both[k])]))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row whose two halves differ in one bit is an error that names it; where they agree, it has at least five
    /// pairs.
    #[test]
    fn other_bits_are_an_error() {
        let row = || Row::new("env/x", None, None, None);
        let run =
            |other: u64| move |k: usize| Ok((if k == 0 { 4.0 } else { 2.0 }, vec![7, if k == 0 { 8 } else { other }]));
        let mut samples = [Vec::new()];
        let error = (pairs(row(), 1, run(9)).round)(&mut samples).unwrap_err().to_string();
        assert!(error.contains("env/x") && error.contains("other bits"), "{error}");
        let mut case = pairs(row(), 2, run(8));
        (0..2).for_each(|_| (case.round)(&mut samples).unwrap());
        assert!(samples[0].len() >= PAIRS && samples[0].iter().all(|s| (s.ms, s.baseline) == (2.0, Some(4.0))));
    }
}
