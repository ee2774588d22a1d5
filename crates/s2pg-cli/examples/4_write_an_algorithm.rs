//! An algorithm of one's own: it asks the policy for the density of u = (a, z'), and so trains every kind of memory.
//!
//! ```text
//! cargo run --release -p s2pg-cli --example 4_write_an_algorithm
//! ```

use std::error::Error;
use std::sync::Arc;

use s2pg::algo::{Algorithm, Metrics, Progress, Schedule};
use s2pg::data::{Rollout, RolloutShape};
use s2pg::env::{Options, Registry};
use s2pg::nn::{Adam, CellKind, Tensor};
use s2pg::plan::Switches;
use s2pg::policy::{Actor, ActorShape, CoreShape, Head, Memory, PolicyKind, StatefulPolicy};
use s2pg::train::{AnyTrainer, Parts, Trainer};
use s2pg::{Rng, State, Visitor};

/// The policy gradient with the reward that is still to come: one step of Adam up the mean of log π(a, z' | o, z) G.
struct RewardToGo {
    policy: Actor,
    optimiser: Adam,
    steps: usize,
}

impl Algorithm for RewardToGo {
    type Policy = Actor;
    type Buffer = Rollout;

    fn policy(&self) -> &Actor {
        &self.policy
    }
    fn policy_mut(&mut self) -> &mut Actor {
        &mut self.policy
    }
    fn schedule(&self) -> Schedule {
        Schedule::OnPolicy { steps: self.steps }
    }
    fn set_progress(&mut self, _: Progress) {}

    fn update(&mut self, data: &mut Rollout, _: &mut Rng) -> Metrics {
        let mut to_go = data.r().to_vec();
        for k in (0..to_go.len()).rev().filter(|&k| !data.is_end(k)) {
            to_go[k] += to_go[k + data.shape().envs];
        }
        let mean = to_go.iter().sum::<f64>() / to_go.len() as f64;
        let rows = data.rows();
        let weight = Tensor::with(rows.len(), 1, |x| {
            x.iter_mut().zip(&rows).for_each(|(x, &k)| *x = (to_go[k] - mean) as f32);
        });
        let density = self.policy.dist(&data.policy_context(&rows)).log_prob(&data.extended(&rows)).joint();
        let loss = (density * weight).sum() * (-1.0 / rows.len() as f64);
        let metrics = vec![("train/loss", f64::from(loss.item()))];
        self.optimiser.minimize(&mut self.policy, &loss);
        data.clear();
        metrics
    }
}

/// A checkpoint holds what is visited here. The compiler names a field that is forgotten.
impl State for RewardToGo {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { policy, optimiser, steps: _ } = self;
        v.child("policy", policy);
        v.child("optimiser", optimiser);
    }
}

/// Trains a policy with a drawn state on a T-maze, and returns the mean return of 50 deterministic episodes.
pub fn run(steps: usize, seed: u64) -> Result<f64, Box<dyn Error>> {
    let options: Options = "corridor = 2".parse()?;
    let make_env = Arc::new(move || Registry::new().make("TMaze-v0", &options));
    let (envs, per_update, memory) = (16, 768, Memory::Stochastic { z: 8 });
    let (core, head) = (CoreShape::cell(CellKind::Gru, 8), Head::Gaussian { std: 0.5, state_std: 0.1 });
    let shape = ActorShape { o: 3, a: 1, a_prev: 1, features: 32, core, kind: PolicyKind::Shortcut, head };
    let policy = Actor::new(memory, &shape, &mut Rng::new(seed, "policy"));
    let shape = RolloutShape { steps: per_update / envs, envs, o: 3, a: 1, memory, a_prev: true, ..Default::default() };
    let optimiser = Adam::new(&policy, 3e-3);
    let (algorithm, buffer) = (RewardToGo { policy, optimiser, steps: per_update }, Rollout::new(shape));
    let (parallel, threads, standardise, switches) = (envs, 1, false, Switches::default());
    let parts = Parts { algorithm, buffer, make_env, steps, parallel, threads, seed, standardise, switches };
    let mut trainer = Trainer::new(parts)?;
    while trainer.steps() < steps {
        trainer.step()?;
    }
    Ok(trainer.evaluate(50, true, "evaluation")?.mean_return())
}

#[allow(dead_code)]
fn main() -> Result<(), Box<dyn Error>> {
    println!("mean return {:.2} of at most 1", run(200_000, 0)?);
    Ok(())
}
