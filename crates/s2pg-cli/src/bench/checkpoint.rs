//! Rows of a checkpoint of very many environments.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::ensure;
use s2pg::experiment::build;
use s2pg::run::checkpoint::{Checkpoints, LATEST, Metadata};
use s2pg::state::digest;
use s2pg_lab::{presets, registry};

use super::{Case, Row, Sample, cpu};

/// The name of the first row.
pub const SAVE: &str = "checkpoint/16384-environments/save";

/// Environments of the run.
const PARALLEL: usize = 16_384;
/// Megabytes of memory that a save may take beside the run.
const MEMORY: f64 = 32.0;

/// A directory for one measurement, which goes when the measurement does.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Megabytes of memory that this process holds, and the most that it held since [`forget_peak`]; None where the system
/// does not tell.
fn memory() -> Option<[f64; 2]> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.split_whitespace().next()?.parse::<f64>().ok()? * 1024e-6)
    };
    Some([of("VmRSS:")?, of("VmHWM:")?])
}

/// Lets the system measure the most memory of this process anew; tells whether it does.
fn forget_peak() -> bool {
    fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// Megabytes of memory that `f` takes beside what was held before; None where the system does not tell.
fn taken<R>(f: impl FnOnce() -> R) -> (R, Option<f64>) {
    let before = if forget_peak() { memory() } else { None };
    let result = f();
    (result, before.zip(memory()).map(|(before, after)| after[1] - before[0]))
}

/// Saves and loads the state of PPO-RS in 16,384 T-mazes, of which each loads to the bit.
pub fn many(_: usize) -> anyhow::Result<Case> {
    let changes = [format!("env.parallel={PARALLEL}"), format!("ppo.steps={}", 4 * PARALLEL)];
    let experiment = presets::find("ppo-rs/t-maze", &changes, None)?.experiment;
    let registry = Arc::new(registry());
    let make = || build(&experiment, Arc::clone(&registry), 1);
    let (mut training, mut copy) = (make()?, make()?);
    (0..3).try_for_each(|_| training.step().map(drop))?;
    let scratch = Scratch(std::env::temp_dir().join(format!("s2pg-bench-{}", std::process::id())));
    let checkpoints = Checkpoints::open(&scratch.0)?;
    let row = |end: &str, unit| {
        let name = Path::new(SAVE).with_file_name(end).display().to_string();
        Row { unit, ..Row::new(&name, None, None, None) }
    };
    let rows = vec![row("save", "ms"), row("load", "ms"), row("size", "MB")];
    let round = move |samples: &mut [Vec<Sample>]| {
        let _kept = &scratch;
        let mut add = |i: usize, value| samples[i].push(Sample { ms: value, baseline: None });
        let start = cpu();
        let (bytes, memory) = taken(|| checkpoints.save(LATEST, &mut *training, &Metadata::new()));
        add(0, (cpu() - start) * 1e3);
        add(2, bytes? as f64 * 1e-6);
        if let Some(memory) = memory {
            ensure!(memory <= MEMORY, "{SAVE}: {memory:.0} MB of memory for a save, and {MEMORY} are the most");
        }
        let start = cpu();
        checkpoints.load(LATEST, &mut *copy)?;
        add(1, (cpu() - start) * 1e3);
        ensure!(digest(&mut *copy) == digest(&mut *training), "{SAVE}: what was loaded is not what was saved");
        Ok(())
    };
    Ok(Case { rows, round: Box::new(round) })
}
