//! Tasks as the estimators see them: in f64, with an observation and a reward, and without a view for a critic.

use super::LinearGaussian;
use super::saturated::next;
use crate::env::{Env, EnvError};
use crate::rng::Rng;

/// A task in f64 that a policy acts in. A step never resets the task.
pub trait World {
    /// Returns the numbers of entries of the observation and of the action.
    fn sizes(&self) -> (usize, usize);
    /// Starts an episode.
    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError>;
    /// Writes the present observation into `o`.
    fn observe(&self, o: &mut [f64]);
    /// Takes one step with the action `a`. Returns the reward, and whether the episode ended with the step.
    fn step(&mut self, a: &[f64], rng: &mut Rng) -> Result<(f64, bool), EnvError>;
}

/// A function that makes a world; each thread has a world of its own.
pub type MakeWorld<'a> = &'a (dyn Fn() -> Result<Box<dyn World>, EnvError> + Sync);

/// The linear-Gaussian task as a world. Its episodes never end.
#[derive(Clone, Debug)]
pub struct LinearWorld {
    task: LinearGaussian,
    s: f64,
    o: f64,
}

impl LinearWorld {
    /// Makes a world of the task `task`.
    pub fn new(task: LinearGaussian) -> Self {
        Self { task, s: 0.0, o: 0.0 }
    }

    fn look(&mut self, rng: &mut Rng) {
        self.o = self.s + self.task.v.sqrt() * rng.normal();
    }
}

impl World for LinearWorld {
    fn sizes(&self) -> (usize, usize) {
        (1, 1)
    }

    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
        self.s = self.task.start.0 + self.task.start.1.sqrt() * rng.normal();
        self.look(rng);
        Ok(())
    }

    fn observe(&self, o: &mut [f64]) {
        o[0] = self.o;
    }

    fn step(&mut self, a: &[f64], rng: &mut Rng) -> Result<(f64, bool), EnvError> {
        let (task, a) = (&self.task, a[0]);
        let r = -(task.q * self.s * self.s + task.r * a * a);
        self.s = task.a * self.s + task.b * a + task.w.sqrt() * rng.normal();
        self.look(rng);
        Ok((r, false))
    }
}

/// The bounded task of the module [`saturated`](super::saturated) as a world. States and rewards lie in [-1, 1],
/// whatever the policy does. Episodes never end.
#[derive(Clone, Debug, Default)]
pub struct BoundedWorld {
    s: f64,
}

impl World for BoundedWorld {
    fn sizes(&self) -> (usize, usize) {
        (1, 1)
    }

    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
        self.s = rng.range(-1.0, 1.0);
        Ok(())
    }

    fn observe(&self, o: &mut [f64]) {
        o[0] = self.s;
    }

    fn step(&mut self, a: &[f64], _: &mut Rng) -> Result<(f64, bool), EnvError> {
        self.s = next(self.s, a[0]);
        Ok((-self.s * self.s, false))
    }
}

/// An environment as a world. Observations are not standardised.
pub struct EnvWorld {
    env: Box<dyn Env>,
    o: Vec<f32>,
    s: Vec<f32>,
}

impl EnvWorld {
    /// Makes a world of the environment `env`.
    pub fn new(env: Box<dyn Env>) -> Self {
        let (o, s) = (vec![0.0; env.spec().o.len()], vec![0.0; env.spec().s.len()]);
        Self { env, o, s }
    }
}

impl World for EnvWorld {
    fn sizes(&self) -> (usize, usize) {
        (self.o.len(), self.env.spec().low.len())
    }

    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
        self.env.reset(rng)?;
        self.env.observe(&mut self.o, &mut self.s);
        Ok(())
    }

    fn observe(&self, o: &mut [f64]) {
        o.iter_mut().zip(&self.o).for_each(|(o, &x)| *o = f64::from(x));
    }

    fn step(&mut self, a: &[f64], rng: &mut Rng) -> Result<(f64, bool), EnvError> {
        let a: Vec<f32> = a.iter().map(|&a| a as f32).collect();
        let outcome = self.env.step(&a, rng)?;
        self.env.observe(&mut self.o, &mut self.s);
        Ok((outcome.r, outcome.terminated || outcome.truncated))
    }
}
