//! Test vectors: what a policy saw and did, against which every export of the policy is held.

use std::fmt::Write;

use s2pg::Rng;
use s2pg::env::{EnvSpec, MakeEnv, VecEnv};
use s2pg::train::program::Untraceable;
use s2pg::train::{Player, PolicyProgram};

use super::ExportError;

/// Steps of a policy, one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vectors {
    /// The steps.
    pub steps: Vec<Step>,
}

/// A step of a policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// How often the policy is reset before the step: 1 at the start of an episode, 2 where a reset is repeated.
    pub resets: u32,
    /// The observation, as the environment gave it.
    pub obs: Vec<f32>,
    /// The standard normal numbers of which (a, z') is drawn; empty where nothing is drawn.
    pub noise: Vec<f32>,
    /// The action of the policy, held within the range of the environment's action.
    pub action: Vec<f32>,
}

impl Vectors {
    /// The number of steps that are recorded.
    pub const STEPS: usize = 1000;
    /// The steps before which an episode is abandoned, with how often the policy is reset then.
    const ABANDONED: [(usize, u32); 3] = [(100, 1), (500, 2), (501, 1)];

    /// Records the steps of the policy of `player` in an environment. Episodes end as they do there, and some are
    /// abandoned.
    pub(super) fn record(player: &Player, program: &PolicyProgram, make_env: &MakeEnv) -> Result<Self, ExportError> {
        let mut rng = Rng::new(0, "export");
        let mut env = VecEnv::new(vec![make_env()?], rng.bits(), 1)?;
        env.limit(env.spec().time_limit().unwrap_or(EnvSpec::CUT));
        env.reset_all()?;
        let mut player = player.for_envs(1);
        let mut vectors = Self::default();
        let mut resets = 1;
        for t in 0..Self::STEPS {
            if let Some((_, times)) = Self::ABANDONED.iter().find(|(at, _)| *at == t) {
                env.reset_all()?;
                resets = resets.max(*times);
            }
            (0..resets).for_each(|_| player.reset(0));
            let (obs, mut s) = (env.o().to_vec(), env.s().to_vec());
            // The policy draws as many numbers, in this order.
            let mut ahead = rng.clone();
            let noise: Vec<f32> = (0..program.noise).map(|_| ahead.normal() as f32).collect();
            let a = player.act(&mut obs.clone(), &mut s, (program.noise > 0).then_some(&mut rng));
            let ranges = player.spec().low.iter().zip(&player.spec().high);
            let action = a.iter().zip(ranges).map(|(&a, (&low, &high))| held(a, low, high)).collect();
            vectors.steps.push(Step { resets, obs, noise, action });
            let step = env.step(&a)?;
            resets = u32::from(step.terminated[0] || step.truncated[0]);
        }
        Ok(vectors)
    }

    /// Refuses a program that does something else than the policy did.
    pub(super) fn hold(&self, program: &PolicyProgram) -> Result<(), Untraceable> {
        let mut kept = program.start();
        for (t, step) in self.steps.iter().enumerate() {
            if step.resets > 0 {
                kept = program.start();
            }
            let a = program.step(&mut kept, &step.obs, &step.noise);
            // A NaN differs from everything.
            if let Some(i) = (0..a.len()).find(|&i| a[i] != step.action[i]) {
                let by = (a[i] - step.action[i]).abs();
                return Err(Untraceable::Differs { output: format!("entry {i} of the action"), by, step: t });
            }
        }
        Ok(())
    }

    /// Returns the steps as a table: the number of resets before each, the observation, the noise, and the action.
    pub fn to_csv(&self) -> String {
        let first = &self.steps[0];
        let names = |name: &str, x: &[f32]| (0..x.len()).map(|i| format!(",{name}_{i}")).collect::<String>();
        let (obs, noise, action) =
            (names("obs", &first.obs), names("noise", &first.noise), names("action", &first.action));
        let mut text = format!("resets{obs}{noise}{action}\n");
        for Step { resets, obs, noise, action } in &self.steps {
            let _ = write!(text, "{resets}");
            obs.iter().chain(noise).chain(action).for_each(|x| _ = write!(text, ",{x:e}"));
            text.push('\n');
        }
        text
    }
}

/// Returns `a` held in a range, where a bound of great magnitude is none.
fn held(a: f32, low: f32, high: f32) -> f32 {
    let bound = |x: f32, none: f32| if x.abs() >= EnvSpec::HUGE { none } else { x };
    a.max(bound(low, f32::NEG_INFINITY)).min(bound(high, f32::INFINITY))
}
