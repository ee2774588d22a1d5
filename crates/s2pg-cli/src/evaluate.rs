//! `s2pg eval`: how good is a policy?

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use s2pg::Rng;
use s2pg::env::Registry;
use s2pg::run::RunError;
use s2pg::train::evaluate;
use s2pg_lab::policy;

use crate::Chosen;
use crate::terminal::print;

/// Arguments of `s2pg eval`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    chosen: Chosen,
    /// Episodes of each kind.
    #[arg(long, default_value_t = 10)]
    episodes: usize,
    /// Seed of the random numbers of this evaluation.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Prints returns and lengths of episodes in which the actions are the means of the policy, and of episodes in which
/// they are drawn.
pub fn run(arguments: &Arguments, registry: Arc<Registry>) -> anyhow::Result<ExitCode> {
    let Arguments { chosen, episodes, seed } = arguments;
    let (player, make_env, experiment) = policy::load(&chosen.run, chosen.which(), registry)?;
    let episodes = (*episodes).max(1);
    print(format_args!("{} {} on {}", experiment.estimator, chosen.run.display(), experiment.env.name))?;
    print(format_args!(
        "{:<14} {:>10} {:>8} {:>10} {:>10} {:>8}",
        "actions", "return", "± std", "lowest", "highest", "steps"
    ))?;
    let mut notes = Vec::new();
    for kind in ["deterministic", "stochastic"] {
        // The published code draws samples in some deterministic evaluations (D19), and so does a run that repeats it.
        let means = kind == "deterministic" && !experiment.deviations().sample_in_evaluation;
        let mut rng = Rng::new(experiment.seed, &format!("eval/{kind}/{seed}"));
        let e = evaluate(&player, &make_env, (episodes, 1), means, &mut rng).map_err(RunError::from)?;
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
    print(format_args!("over {episodes} episodes each; {}", notes.join(", ")))?;
    Ok(ExitCode::SUCCESS)
}
