//! Recording what a policy does, as demonstrations.

use super::player::Player;
use crate::data::Demos;
use crate::env::{EnvError, EnvSpec, MakeEnv, VecEnv};
use crate::policy::StatefulPolicy;
use crate::rng::Rng;

/// Runs `episodes` whole episodes of the player `policy`, one after the other, and returns every step of them with the
/// views as they were seen. The actions are the means of the policy's distributions where `means` is true, else they
/// are drawn; they are recorded as the policy gave them. An episode is cut at the horizon, or after [`EnvSpec::CUT`]
/// steps where the task has no time limit; one in which the simulation fails is recorded up to the step before. Every
/// random number comes from `rng`.
pub fn record<P: StatefulPolicy>(
    policy: &Player<P>,
    make_env: &MakeEnv,
    episodes: usize,
    means: bool,
    rng: &mut Rng,
) -> Result<Demos, EnvError> {
    let mut env = VecEnv::new(vec![make_env()?], rng.bits(), 1)?;
    env.limit(env.spec().time_limit().unwrap_or(EnvSpec::CUT));
    env.reset_all()?;
    let EnvSpec { o, s, low, .. } = env.spec();
    let mut demos = Demos { sizes: [o.len(), s.len(), low.len()], a: Some(Vec::new()), ..Demos::default() };
    let mut player = policy.for_envs(1);
    for _ in 0..episodes {
        loop {
            let (o, s) = (env.o().to_vec(), env.s().to_vec());
            let a = player.act(&mut o.clone(), &mut s.clone(), (!means).then_some(&mut *rng));
            let step = env.step(&a)?;
            let ends = step.terminated[0] || step.truncated[0];
            if step.dropped[0] {
                demos.last.last_mut().into_iter().for_each(|last| *last = true);
            } else {
                demos.o.extend(&o);
                demos.s.extend(&s);
                demos.a.iter_mut().for_each(|all| all.extend(&a));
                demos.r.push(step.r[0]);
                demos.next_o.extend(&step.next_o);
                demos.next_s.extend(&step.next_s);
                demos.absorbing.push(step.terminated[0]);
                demos.last.push(ends);
            }
            if ends {
                player.reset(0);
                break;
            }
        }
    }
    Ok(demos)
}
