//! `s2pg eval`: how good is a policy?

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use s2pg::Rng;
use s2pg::env::Registry;
use s2pg::run::RunError;
use s2pg::train::{Evaluation, evaluate};
use s2pg_lab::numbers::{count, significant};
use s2pg_lab::policy::{self, Origin, Which};
use serde_json::{Map, json};

use crate::Chosen;
use crate::numbers::{seed, whole};
use crate::terminal::{print, print_json, quoted};

/// Arguments of `s2pg eval`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
    /// Episodes of each kind.
    #[arg(long, default_value_t = 10, value_parser = whole(1..=1_000_000_u32))]
    episodes: u32,
    /// Seed of the random numbers of this evaluation.
    #[arg(long, default_value_t = 0, value_parser = seed)]
    seed: u64,
    /// Print a JSON object in place of the table.
    #[arg(long)]
    json: bool,
}

/// Environments that are stepped together, at most: more episodes take turns, so that their memory has a bound.
const TOGETHER: usize = 1000;

/// Prints returns and lengths of episodes in which the actions are the means of the policy, and of episodes in which
/// they are drawn.
pub fn run(arguments: &Arguments, registry: Arc<Registry>) -> anyhow::Result<ExitCode> {
    let Arguments { chosen, episodes, seed, json } = arguments;
    let asked = chosen.which();
    let (player, make_env, experiment) = policy::load(&chosen.run, asked, registry)?;
    let file = policy::file(&chosen.run, asked);
    let Origin { step, best } = policy::origin(&file).map_err(RunError::from)?;
    let episodes = *episodes as usize;
    if !json {
        let which = match best {
            Some(r) => format!("of step {step}, whose evaluation was the best ({})", significant(r)),
            None if asked == Which::Best && policy::damaged_best(&chosen.run).is_none() => {
                format!("of step {step}, the last checkpoint: no evaluation yet")
            }
            None => format!("of step {step}, the last checkpoint"),
        };
        let what = format!("{} {} on {}", experiment.algorithm, experiment.estimator, experiment.env.name);
        print(format_args!("{what}: the policy {which}, in {}", quoted(&file)))?;
        print(format_args!(
            "{:<14} {:>10} {:>10} {:>10} {:>10} {:>8}",
            "actions", "return", "± std", "lowest", "highest", "steps"
        ))?;
    }
    let mut notes = Vec::new();
    let mut object = json!({
        "run": chosen.run.display().to_string(),
        "file": file.display().to_string(),
        "step": step,
        "best_evaluation": best,
        "algorithm": experiment.algorithm.to_string(),
        "estimator": experiment.estimator.to_string(),
        "environment": experiment.env.name,
        "episodes": episodes,
        "seed": seed,
    });
    for kind in ["deterministic", "stochastic"] {
        // The published code draws samples in some deterministic evaluations (D19), and so does a run that repeats it.
        let means = kind == "deterministic" && !experiment.deviations().sample_in_evaluation;
        let mut rng = Rng::new(experiment.seed, &format!("eval/{kind}/{seed}"));
        let mut e = Evaluation::default();
        while e.episodes.len() < episodes {
            let n = TOGETHER.min(episodes - e.episodes.len());
            e.join(evaluate(&player, &make_env, (n, 1), means, &mut rng).map_err(RunError::from)?);
        }
        let lowest = e.episodes.iter().map(|e| e.r).fold(f64::INFINITY, f64::min);
        let highest = e.episodes.iter().map(|e| e.r).fold(f64::NEG_INFINITY, f64::max);
        let unstable = e.episodes.iter().filter(|e| e.unstable).count();
        object[kind] = json!({
            "mean": e.mean_return(),
            "std": e.std_return(),
            "lowest": lowest,
            "highest": highest,
            "steps": e.mean_length(),
            "unstable": unstable,
            "figures": e.metrics().into_iter().map(|(name, x)| (name.to_string(), json!(x))).collect::<Map<_, _>>(),
        });
        if *json {
            continue;
        }
        print(format_args!(
            "{kind:<14} {:>10} {:>10} {:>10} {:>10} {:>8}",
            significant(e.mean_return()),
            significant(e.std_return()),
            significant(lowest),
            significant(highest),
            significant(e.mean_length())
        ))?;
        notes.extend(e.metrics().into_iter().map(|(name, x)| format!("{kind} {name} {}", significant(x))));
        if unstable > 0 {
            let episodes = count(unstable, &format!("{kind} episode"));
            notes.push(format!("{episodes} ended because the simulation became unstable"));
        }
        if let Some(steps) = e.cut {
            notes.push(format!("{kind} episodes were cut after {steps} steps, as the task has no time limit"));
        }
    }
    if *json {
        print_json(&object)?;
    } else {
        let notes: String = notes.iter().map(|note| format!("; {note}")).collect();
        print(format_args!("over {} each{notes}", count(episodes, "episode")))?;
    }
    Ok(ExitCode::SUCCESS)
}
