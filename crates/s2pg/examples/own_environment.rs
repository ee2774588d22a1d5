//! An environment of your own: its description, its step, and how an experiment finds it.
//!
//! ```text
//! cargo run --release -p s2pg --example own_environment
//! ```

use std::sync::Arc;

use s2pg::env::{Entry, Options, Registry, TimeLimit, check_env, check_options, check_snapshot};
use s2pg::experiment::{Experiment, build};
use s2pg::{Env, EnvError, EnvSpec, Outcome, Rng};

const NAME: &str = "Echo-v0";

/// An environment that shows a sign, +1 or -1, in each step; the right action is the sign that was shown one step
/// before. Without memory the best action is 0, which brings a return of 0. With memory a perfect episode brings a
/// return of 19, as nothing was shown before the first step.
struct Echo {
    spec: EnvSpec,
    shown: f64,
    before: f64,
}

impl Echo {
    fn new(options: &Options) -> Result<Self, EnvError> {
        check_options(NAME, options, &[])?;
        let spec = EnvSpec {
            name: NAME.into(),
            o: vec!["shown".into()],
            s: vec!["shown".into(), "before".into()],
            low: vec![-1.0],
            high: vec![1.0],
            horizon: 20,
            dt: 1.0,
        };
        Ok(Self { spec, shown: 1.0, before: 0.0 })
    }
}

impl Env for Echo {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
        (self.before, self.shown) = (0.0, [-1.0, 1.0][rng.below(2)]);
        Ok(())
    }

    fn step(&mut self, a: &[f32], rng: &mut Rng) -> Result<Outcome, EnvError> {
        let r = self.before.abs() - (a[0] as f64 - self.before).powi(2);
        (self.before, self.shown) = (self.shown, [-1.0, 1.0][rng.below(2)]);
        // An episode never terminates; the time limit around the environment truncates it.
        Ok(Outcome { r, terminated: false, truncated: false })
    }

    fn observe(&self, o: &mut [f32], s: &mut [f32]) {
        o.copy_from_slice(&[self.shown as f32]);
        s.copy_from_slice(&[self.shown as f32, self.before as f32]);
    }

    fn snapshot(&self) -> Vec<f64> {
        vec![self.shown, self.before]
    }

    fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
        check_snapshot(NAME, state, 2)?;
        (self.shown, self.before) = (state[0], state[1]);
        Ok(())
    }
}

const EXPERIMENT: &str = r#"
algorithm = "ppo"
estimator = "rs"
steps = 80_000
standardise = false

[env]
name = "Echo-v0"
parallel = 8

[network]
features = 32
critic_features = 32
hidden = 8

[ppo]
steps = 800
minibatch = 100
lr = 2e-3
value_lr = 2e-3
"#;

/// Returns a registry of the environments of the library and of this environment.
pub fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.extend([Entry {
        name: NAME,
        about: "say the sign that was shown one step before",
        make: |options| Ok(Box::new(TimeLimit::new(Echo::new(options)?))),
    }]);
    registry
}

/// Returns the requirements that an environment must keep and this environment does not: none.
pub fn complaints() -> Result<Vec<String>, EnvError> {
    let checks = check_env(&|| registry().make(NAME, &Options::new()))?;
    Ok(checks.into_iter().filter_map(|check| Some(format!("{}: {}", check.what, check.complaint?))).collect())
}

/// Trains the experiment with these overrides, and returns the mean return of 50 deterministic episodes.
pub fn run(overrides: &[String]) -> Result<f64, Box<dyn std::error::Error>> {
    let experiment = Experiment::parse("the example", EXPERIMENT, overrides)?;
    let mut training = build(&experiment, Arc::new(registry()), 1)?;
    while training.steps() < experiment.steps {
        training.step()?;
    }
    Ok(training.evaluate(50, true, "evaluation")?.mean_return())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("complaints: {:?}", complaints()?);
    for estimator in ["rs", "bptt:2", "window:2", "vanilla"] {
        let mean = run(&[format!("estimator={estimator}")])?;
        println!("{estimator:<8} mean return {mean:6.2} of at most 19");
    }
    Ok(())
}
