//! `s2pg probe`: what does a policy remember?

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use s2pg::env::Registry;
use s2pg::run::RunError;
use s2pg::train::Evaluation;
use s2pg_lab::numbers::{count, significant};
use s2pg_lab::policy::{self, Origin};
use s2pg_lab::probe::{Age, Findings, Hidden, Told, Treatment, probe};
use serde_json::{Map, Value, json};

use crate::Chosen;
use crate::numbers::{seed, whole};
use crate::terminal::{print, print_json, quoted};

/// Arguments of `s2pg probe`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
    /// Episodes with each treatment of the memory; the probe is fitted on every other one and tested on the rest.
    #[arg(long, default_value_t = 200, value_parser = whole(4..=1000_u32))]
    episodes: u32,
    /// Seed of the random numbers of these episodes.
    #[arg(long, default_value_t = 0, value_parser = seed)]
    seed: u64,
    /// Print a JSON object in place of the tables.
    #[arg(long)]
    json: bool,
}

/// Prints how well a line from the policy's state tells what is hidden from the policy, and what the policy achieves
/// with its state untouched, zeroed and shuffled between episodes.
pub fn run(arguments: &Arguments, registry: Arc<Registry>) -> anyhow::Result<ExitCode> {
    let Arguments { chosen, episodes, seed, json } = arguments;
    let which = chosen.which();
    let (player, make_env, experiment) = policy::load(&chosen.run, which, registry)?;
    let file = policy::file(&chosen.run, which);
    let Origin { step, best } = policy::origin(&file).map_err(RunError::from)?;
    let means = !experiment.deviations().sample_in_evaluation;
    let stream = (experiment.seed, format!("probe/{seed}"));
    let findings = probe(&player, &make_env, *episodes as usize, means, (stream.0, &stream.1));
    let findings = findings.map_err(RunError::from)?;
    if *json {
        print_json(&json!({
            "run": chosen.run.display().to_string(),
            "file": file.display().to_string(),
            "step": step,
            "best_evaluation": best,
            "algorithm": experiment.algorithm.to_string(),
            "estimator": experiment.estimator.to_string(),
            "environment": experiment.env.name,
            "episodes": episodes,
            "seed": seed,
            "has_state": findings.is_some(),
            "hidden": findings.iter().flat_map(|f| &f.hidden).map(object).collect::<Vec<_>>(),
            "state": findings.iter().flat_map(|f| &f.plays).map(play).collect::<Map<_, _>>(),
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let what = format!("{} {} on {}", experiment.algorithm, experiment.estimator, experiment.env.name);
    match findings {
        Some(findings) => {
            print(format_args!("{what}: the policy of step {step}, in {}", quoted(&file)))?;
            tables(&findings, *episodes as usize)?;
        }
        None => {
            print(format_args!("{what}: the policy keeps no state from step to step, so there is nothing to probe"))?
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns R² with two digits; a dash where there is none.
fn r2(x: Option<f64>) -> String {
    x.map_or("-".into(), |x| format!("{x:.2}"))
}

fn tables(findings: &Findings, episodes: usize) -> anyhow::Result<()> {
    let Findings { hidden, plays } = findings;
    if hidden.is_empty() {
        print("nothing that the critic sees is hidden from the policy, so there is nothing to tell from its state")?;
    } else {
        print(format_args!(
            "{:<24} {:>10} {:>10} {:>14} {:>14}",
            "hidden", "steps", "episodes", "R² from state", "R² from o"
        ))?;
    }
    let row = |name: &str, steps: usize, episodes: usize, told: &Told| {
        let [by_state, by_o] = [told.by_state, told.by_o].map(r2);
        print(format_args!("{name:<24} {steps:>10} {episodes:>10} {by_state:>14} {by_o:>14}"))
    };
    for Hidden { name, steps, episodes, told, by_age } in hidden {
        row(name, *steps, *episodes, told)?;
        for Age { from, to, steps, episodes, told } in by_age {
            let since = match (*from, *to) {
                (1, _) => "  seen 1 step ago".to_string(),
                (from, to) => format!("  {from} to {to} steps ago"),
            };
            row(&since, *steps, *episodes, told)?;
        }
    }
    let own = plays.first().map(|(_, e)| e.metrics()).unwrap_or_default();
    let names: String = own.iter().map(|(name, _)| format!(" {name:>12}")).collect();
    print(format_args!("{:<24} {:>10} {:>10} {:>8}{names}", "state", "return", "± std", "steps"))?;
    for (treatment, e) in plays {
        let of = |name: &str| e.metrics().into_iter().find(|m| m.0 == name).map_or(f64::NAN, |m| m.1);
        let figures: String = own.iter().map(|(name, _)| format!(" {:>12}", significant(of(name)))).collect();
        let [mean, std, steps] = [e.mean_return(), e.std_return(), e.mean_length()].map(significant);
        print(format_args!("{:<24} {mean:>10} {std:>10} {steps:>8}{figures}", treatment.name()))?;
    }
    print(format_args!("over {} of each kind", count(episodes, "episode")))
}

fn object(hidden: &Hidden) -> Value {
    let age = |Age { from, to, steps, episodes, told }: &Age| {
        json!({
            "from": from,
            "to": to,
            "steps": steps,
            "episodes": episodes,
            "r2_of_state": told.by_state,
            "r2_of_o": told.by_o,
        })
    };
    json!({
        "name": hidden.name,
        "steps": hidden.steps,
        "episodes": hidden.episodes,
        "r2_of_state": hidden.told.by_state,
        "r2_of_o": hidden.told.by_o,
        "by_steps_since_seen": hidden.by_age.iter().map(age).collect::<Vec<_>>(),
    })
}

fn play((treatment, e): &(Treatment, Evaluation)) -> (String, Value) {
    let figures = e.metrics().into_iter().map(|(name, x)| (name.to_string(), json!(x))).collect::<Map<_, _>>();
    let value = json!({
        "mean": e.mean_return(),
        "std": e.std_return(),
        "steps": e.mean_length(),
        "figures": figures,
    });
    (treatment.name().into(), value)
}
