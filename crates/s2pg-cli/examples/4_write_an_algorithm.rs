//! An algorithm of one's own: it asks the policy for the density of u = (a, z'), and so trains every kind of memory.
//! `cargo run --release -p s2pg-cli --example 4_write_an_algorithm` runs it.

use std::sync::Arc;

use s2pg::algo::{Algorithm, Metrics, Schedule};
use s2pg::data::{Rollout, RolloutShape};
use s2pg::env::Registry;
use s2pg::nn::{Adam, CellKind, Tensor};
use s2pg::policy::{Actor, ActorShape, CoreShape, Head, Memory, PolicyKind, StatefulPolicy};
use s2pg::train::{AnyTrainer, Parts, Trainer};
use s2pg::{Rng, State, Visitor};

/// The policy gradient with the reward that is still to come: one step of Adam up the mean of log π(a, z' | o, z) G.
/// The number is that of the steps of an update.
struct RewardToGo(Actor, Adam, usize);

impl Algorithm for RewardToGo {
    type Policy = Actor;
    type Buffer = Rollout;

    fn policy(&self) -> &Actor {
        &self.0
    }
    fn policy_mut(&mut self) -> &mut Actor {
        &mut self.0
    }
    fn schedule(&self) -> Schedule {
        Schedule::OnPolicy { steps: self.2 }
    }

    fn update(&mut self, data: &mut Rollout, _: &mut Rng) -> Metrics {
        let mut to_go = data.r().to_vec();
        for k in (0..to_go.len()).rev().filter(|&k| !data.is_end(k)) {
            to_go[k] += to_go[k + data.shape().envs];
        }
        let (mean, rows) = (to_go.iter().sum::<f64>() / to_go.len() as f64, data.rows());
        let weight: Vec<f32> = rows.iter().map(|&k| (to_go[k] - mean) as f32).collect();
        let weight = Tensor::new(rows.len(), 1, &weight);
        let density = self.0.dist(&data.policy_context(&rows)).log_prob(&data.extended(&rows)).joint();
        let loss = (density * weight).sum() * (-1.0 / rows.len() as f64);
        self.1.minimize(&mut self.0, &loss);
        data.clear();
        vec![("train/loss", f64::from(loss.item()))]
    }
}

/// A checkpoint holds what is visited here. The compiler names a field that is forgotten.
impl State for RewardToGo {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self(policy, optimiser, _) = self;
        v.child("policy", policy);
        v.child("optimiser", optimiser);
    }
}

/// Trains a policy with a drawn state on a T-maze, and returns the mean return of 50 deterministic episodes.
pub fn run(steps: usize, seed: u64) -> anyhow::Result<f64> {
    let make_env = Arc::new(|| Registry::new().make("TMaze-v0", &"corridor = 2".parse().expect("TOML")));
    let (memory, core) = (Memory::Stochastic { z: 8 }, CoreShape::cell(CellKind::Gru, 8));
    let head = Head::Gaussian { std: 0.5, state_std: 0.1 };
    let shape = ActorShape { o: 3, a: 1, a_prev: 1, features: 32, core, kind: PolicyKind::Shortcut, head };
    let policy = Actor::new(memory, &shape, &mut Rng::new(seed, "policy"));
    let (parallel, length) = (16, 48);
    let shape = RolloutShape { steps: length, envs: parallel, o: 3, a: 1, memory, a_prev: true, ..Default::default() };
    let optimiser = Adam::new(&policy, 3e-3);
    let (algorithm, buffer) = (RewardToGo(policy, optimiser, parallel * length), Rollout::new(shape));
    let (threads, teacher, standardise, switches) = (1, None, false, Default::default());
    let parts = Parts { algorithm, buffer, make_env, steps, parallel, threads, teacher, seed, standardise, switches };
    let mut trainer = Trainer::new(parts)?;
    while trainer.steps() < steps {
        trainer.step()?;
    }
    Ok(trainer.evaluate(50, true, "evaluation")?.mean_return())
}

fn main() {
    println!("mean return {:.2} of at most 1", run(200_000, 0).expect("this task needs nothing"));
}
