//! The script of a job array, by which a campaign is carried out on a cluster with Slurm.

use std::path::Path;
use std::process::ExitCode;

use s2pg::run::disk::{RealDisk, write_atomically};

use crate::campaign::{Arguments, command};
use crate::terminal::{print, quoted};

/// Writes campaign.sbatch into the directory of a campaign of `runs` runs, and prints its name.
///
/// Each task of the array trains one run on one core. Slurm sends SIGTERM a minute before a limit of time, and when a
/// task is preempted: the run then saves a checkpoint, and the task is put back into the queue, where it goes on.
pub fn write(arguments: &Arguments, dir: &Path, runs: usize) -> anyhow::Result<ExitCode> {
    let script = script(&command(arguments), dir, runs);
    std::fs::create_dir_all(dir.join("slurm"))?;
    let file = dir.join("campaign.sbatch");
    write_atomically(&RealDisk, &file, script.as_bytes())?;
    print(format_args!("{}\nstart it with: sbatch {}", quoted(&file), quoted(&file)))?;
    Ok(ExitCode::SUCCESS)
}

/// The text of the script; `command` carries out the whole campaign.
fn script(command: &str, dir: &Path, runs: usize) -> String {
    let last = runs - 1;
    let dir = dir.display();
    format!(
        "#!/bin/bash\n\
         #SBATCH --job-name=s2pg\n\
         #SBATCH --array=0-{last}\n\
         #SBATCH --ntasks=1\n\
         #SBATCH --cpus-per-task=1\n\
         #SBATCH --requeue\n\
         #SBATCH --open-mode=append\n\
         #SBATCH --signal=B:TERM@60\n\
         #SBATCH --output={dir}/slurm/%a.log\n\
         # Submit it from the directory in which the campaign was planned. Limits of time and memory, partitions and\n\
         # accounts belong here, or behind sbatch.\n\
         {command} --only \"$SLURM_ARRAY_TASK_ID\" &\n\
         run=$!\n\
         # The shell is told before the time is over; the run then saves a checkpoint and ends with 143.\n\
         trap 'kill -TERM \"$run\"' TERM\n\
         wait \"$run\"; code=$?\n\
         while kill -0 \"$run\" 2>/dev/null; do wait \"$run\"; code=$?; done\n\
         if [ \"$code\" = 143 ]; then\n\
         \x20   scontrol requeue \"${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}\"\n\
         fi\n\
         exit \"$code\"\n"
    )
}
