//! A policy of your own: parameters and a distribution over (a, z'), which is all that PPO needs to train the policy.
//!
//! ```text
//! cargo run --release -p s2pg --example own_policy
//! ```

use std::sync::Arc;

use s2pg::algo::{Ppo, ppo};
use s2pg::data::{Rollout, RolloutShape};
use s2pg::env::{Options, Registry};
use s2pg::nn::{Activation, Builder, Init, Linear, Parameters, Params, Tensor};
use s2pg::plan::Switches;
use s2pg::policy::{Context, Dist, Gaussian, Memory, StatefulPolicy, Value, ValueShape, View};
use s2pg::train::{AnyTrainer, Parts, Trainer};
use s2pg::{Env, Rng, State, Visitor};

/// Number of entries of the state z.
const Z: usize = 4;

/// A policy with the simplest memory: z' ~ N(tanh(W o + U z), σ_z²) and a ~ N(V [o, mean of z'], σ_a²).
#[derive(Clone)]
struct Elman {
    parameters: Parameters<f32>,
    next: Linear,
    head: Linear,
    log_std_z: usize,
    log_std_a: usize,
}

impl Elman {
    fn new(o: usize, a: usize, rng: &mut Rng) -> Self {
        let mut b = Builder::new(rng);
        let next = Linear::new(&mut b, "next", o + Z, Z, Activation::Tanh, Init::Xavier(1.0));
        let head = Linear::new(&mut b, "head", o + Z, a, Activation::Identity, Init::Xavier(0.1));
        let log_std_z = b.constant("log_std_z", Z, 0.3f64.ln());
        let log_std_a = b.constant("log_std_a", a, 0.5f64.ln());
        Self { parameters: b.finish(), next, head, log_std_z, log_std_a }
    }
}

impl Params for Elman {
    fn params(&self) -> &Parameters<f32> {
        &self.parameters
    }
    fn params_mut(&mut self) -> &mut Parameters<f32> {
        &mut self.parameters
    }
}

/// A checkpoint holds what is visited here. The compiler names a field that is forgotten.
impl State for Elman {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { parameters, next: _, head: _, log_std_z: _, log_std_a: _ } = self;
        parameters.visit(v);
    }
}

impl StatefulPolicy for Elman {
    fn memory(&self) -> Memory {
        Memory::Stochastic { z: Z }
    }

    fn dist(&self, x: &Context) -> Dist {
        let p = &self.parameters;
        let z = x.z.as_ref().expect("this policy has a state");
        let next = self.next.forward(p, &Tensor::concat(&[&x.o, z]));
        let mean = self.head.forward(p, &Tensor::concat(&[&x.o, &next]));
        Dist {
            a: Gaussian::new(mean, Tensor::param(p, self.log_std_a)),
            z: Some(Gaussian::new(next, Tensor::param(p, self.log_std_z))),
            h: None,
        }
    }
}

/// Trains the policy on a short T-maze, and returns the mean return of 50 deterministic episodes. A policy with memory
/// can reach 1, a policy without memory at most 0.
pub fn run(steps: usize, seed: u64) -> Result<f64, Box<dyn std::error::Error>> {
    let options: Options = "corridor = 3".parse()?;
    let make_env = Arc::new(move || Registry::new().make("TMaze-v0", &options));
    let (envs, per_update) = (8, 800);
    let (o, a) = {
        let env = make_env()?;
        (env.spec().o.len(), env.spec().low.len())
    };

    let policy = Elman::new(o, a, &mut Rng::new(seed, "policy"));
    let shape = ValueShape { view: View::Observation, world: o, z: Z, a_prev: 0, features: 32, gain: 0.01, core: None };
    let value = Value::new(shape, &mut Rng::new(seed, "value"));
    let settings = ppo::Settings {
        steps: per_update,
        minibatch: 100,
        lr: 2e-3.into(),
        value_lr: 2e-3.into(),
        ..Default::default()
    };
    let rollout = RolloutShape {
        steps: per_update / envs,
        envs,
        o,
        s: 0,
        a,
        memory: Memory::Stochastic { z: Z },
        a_prev: false,
        ..RolloutShape::default()
    };
    let mut trainer = Trainer::new(Parts {
        teacher: None,
        algorithm: Ppo::new(policy, value, settings, 1),
        buffer: Rollout::new(rollout),
        make_env,
        steps,
        parallel: envs,
        threads: 1,
        seed,
        standardise: false,
        switches: Switches::default(),
    })?;
    while trainer.steps() < steps {
        trainer.step()?;
    }
    Ok(trainer.evaluate(50, true, "evaluation")?.mean_return())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("mean return {:.2} of at most 1", run(40_000, 0)?);
    Ok(())
}
