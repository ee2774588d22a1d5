//! What there is: environments, algorithms, presets.

use std::process::ExitCode;

use s2pg::env::Options;

use crate::{preset, print, registry};

/// `s2pg envs`
pub fn envs() -> anyhow::Result<ExitCode> {
    print(format_args!("{:<26} {:>4} {:>4} {:>4} {:>8} {:>7}  about", "environment", "o", "s", "a", "horizon", "dt"))?;
    for entry in registry().entries() {
        let env = (entry.make)(&Options::new())?;
        let spec = env.spec();
        let (o, s, a) = (spec.o.len(), spec.s.len(), spec.low.len());
        print(format_args!(
            "{:<26} {o:>4} {s:>4} {a:>4} {:>8} {:>7}  {}",
            entry.name, spec.horizon, spec.dt, entry.about
        ))?;
    }
    print(
        "\no: entries of the policy's observation; s: of the critic's privileged view; a: of the action; dt: seconds.",
    )?;
    Ok(ExitCode::SUCCESS)
}

/// `s2pg algos`
pub fn algos() -> anyhow::Result<ExitCode> {
    print(
        "\
algorithm  about
ppo        proximal policy optimisation, on-policy
trpo       trust-region policy optimisation, on-policy
reinforce  Monte-Carlo policy gradient of whole episodes
gpomdp     the same, with each reward after its own actions
sac        soft actor-critic, off-policy
td3        twin delayed deep deterministic policy gradient, off-policy
ddpg       TD3 with one critic, without delay and smoothing

estimator  about
rs         S2PG: the next state is drawn with the action, no gradient goes through time
bptt:K     a recurrent state; the gradient goes back K steps (bptt:full: to the start of the episode)
window:K   the last K observations
vanilla    no memory
oracle     no memory, but the policy sees the critic's view

preset",
    )?;
    for (name, text) in preset::all() {
        let about = text.lines().next().unwrap_or_default().trim_start_matches("# ");
        print(format_args!("{name:<32} {about}"))?;
    }
    print("\nAny preset takes overrides: `s2pg train ppo-rs/half-cheetah estimator=vanilla seed=1`.")?;
    Ok(ExitCode::SUCCESS)
}
