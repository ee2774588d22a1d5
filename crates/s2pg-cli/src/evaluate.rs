//! `s2pg eval`: how good is a policy?

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use s2pg::train::{Experiment, Training, build, load_model};

use crate::{Chosen, preset, print, registry};

/// Arguments of `s2pg eval`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
    /// Episodes of each kind.
    #[arg(long, default_value_t = 10)]
    episodes: usize,
    /// Seed of the evaluation's own random numbers.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Prints returns and lengths, with the means and with samples of the policy.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (mut training, experiment) = load(&arguments.chosen)?;
    let training = &mut *training;
    print(format_args!("{} {} on {}", experiment.estimator, arguments.chosen.run.display(), experiment.env.name))?;
    print(format_args!(
        "{:<14} {:>10} {:>8} {:>10} {:>10} {:>8}",
        "actions", "return", "± std", "lowest", "highest", "steps"
    ))?;
    let mut notes = Vec::new();
    for (kind, means) in [("deterministic", true), ("stochastic", false)] {
        let stream = format!("eval/{kind}/{}", arguments.seed);
        let e = training.evaluate(arguments.episodes.max(1), means, &stream)?;
        let returns = || e.episodes.iter().map(|e| e.r);
        print(format_args!(
            "{kind:<14} {:>10.1} {:>8.1} {:>10.1} {:>10.1} {:>8.0}",
            e.mean_return(),
            e.std_return(),
            returns().fold(f64::INFINITY, f64::min),
            returns().fold(f64::NEG_INFINITY, f64::max),
            e.mean_length()
        ))?;
        notes.extend(e.metrics().into_iter().map(|(name, x)| format!("{kind} {name} {x:.3}")));
        let unstable = e.episodes.iter().filter(|e| e.unstable).count();
        if unstable > 0 {
            notes.push(format!("{unstable} {kind} episodes ended because the simulation became unstable"));
        }
    }
    print(format_args!("over {} episodes each; {}", arguments.episodes.max(1), notes.join(", ")))?;
    Ok(ExitCode::SUCCESS)
}

/// The training of a run with the chosen policy in it.
pub fn load(chosen: &Chosen) -> anyhow::Result<(Box<dyn Training>, Experiment)> {
    let what = chosen.run.to_string_lossy();
    let mut found = preset::find(&what, &[], None)?;
    // The policy acts in environments of its own: one is enough to build around it.
    found.experiment.env.parallel = 1;
    // Nor does it need a replay buffer.
    (found.experiment.sac.replay, found.experiment.td3.replay) = (3, 3);
    let mut training = build(&found.experiment, registry(), 1)?;
    let best = chosen.run.join("checkpoints/best.safetensors");
    let path = if !chosen.latest && Path::exists(&best) { best } else { chosen.run.join("policy.safetensors") };
    load_model(&path, training.model())?;
    Ok((training, found.experiment))
}
