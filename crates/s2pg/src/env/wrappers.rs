//! Environments around environments: a time limit, and a view of the privileged state.

use super::{Env, EnvError, EnvSpec, Outcome, Shape};
use crate::rng::Rng;

/// An environment around an environment, which truncates an episode at the horizon of the spec.
pub struct TimeLimit<E> {
    env: E,
    steps: usize,
}

impl<E: Env> TimeLimit<E> {
    /// Puts a time limit around `env`.
    pub fn new(env: E) -> Self {
        Self { env, steps: 0 }
    }
}

impl<E: Env> Env for TimeLimit<E> {
    fn spec(&self) -> &EnvSpec {
        self.env.spec()
    }

    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
        self.steps = 0;
        self.env.reset(rng)
    }

    fn step(&mut self, a: &[f32], rng: &mut Rng) -> Result<Outcome, EnvError> {
        self.steps += 1;
        let mut outcome = self.env.step(a, rng)?;
        outcome.truncated |= self.steps >= self.env.spec().horizon;
        Ok(outcome)
    }

    fn observe(&self, o: &mut [f32], s: &mut [f32]) {
        self.env.observe(o, s);
    }

    fn metrics(&self) -> Vec<(&'static str, f64)> {
        self.env.metrics()
    }

    fn snapshot(&self) -> Vec<f64> {
        let mut state = self.env.snapshot();
        state.push(self.steps as f64);
        state
    }

    fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
        let Some((steps, inner)) = state.split_last() else {
            return super::check_snapshot(&self.spec().name, state, 1);
        };
        if !(0.0..=1e15).contains(steps) {
            let what = format!("the snapshot claims {steps} steps; it is not a snapshot of this environment");
            return Err(EnvError::Invalid { env: self.spec().name.clone(), what });
        }
        self.env.restore(inner)?;
        self.steps = *steps as usize;
        Ok(())
    }

    fn can_be_saved(&self) -> bool {
        self.env.can_be_saved()
    }

    fn is_independent(&self) -> bool {
        self.env.is_independent()
    }

    fn prepare(&mut self, a: &[f32]) {
        self.env.prepare(a);
    }

    fn shapes(&self) -> Vec<Shape> {
        self.env.shapes()
    }

    fn render(&mut self, size: [u32; 2]) -> Option<Result<Vec<u8>, String>> {
        self.env.render(size)
    }
}

/// An environment around an environment, which shows the policy what the critic sees: the upper reference of every
/// comparison.
pub struct Oracle<E> {
    env: E,
    spec: EnvSpec,
}

impl<E: Env> Oracle<E> {
    /// Puts an oracle around `env`.
    pub fn new(env: E) -> Self {
        let spec = EnvSpec { o: env.spec().s.clone(), ..env.spec().clone() };
        Self { env, spec }
    }
}

impl<E: Env> Env for Oracle<E> {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
        self.env.reset(rng)
    }

    fn step(&mut self, a: &[f32], rng: &mut Rng) -> Result<Outcome, EnvError> {
        self.env.step(a, rng)
    }

    fn observe(&self, o: &mut [f32], s: &mut [f32]) {
        // `o` is as long as `s`; it holds the inner `o` for a moment, before the critic's view is copied into it. Where
        // the policy would see more than the critic, there is no room for that.
        let inner = self.env.spec().o.len();
        match o.get_mut(..inner) {
            Some(o) => self.env.observe(o, s),
            None => self.env.observe(&mut vec![0.0; inner], s),
        }
        o.copy_from_slice(s);
    }

    fn metrics(&self) -> Vec<(&'static str, f64)> {
        self.env.metrics()
    }

    fn snapshot(&self) -> Vec<f64> {
        self.env.snapshot()
    }

    fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
        self.env.restore(state)
    }

    fn can_be_saved(&self) -> bool {
        self.env.can_be_saved()
    }

    fn is_independent(&self) -> bool {
        self.env.is_independent()
    }

    fn prepare(&mut self, a: &[f32]) {
        self.env.prepare(a);
    }

    fn shapes(&self) -> Vec<Shape> {
        self.env.shapes()
    }

    fn render(&mut self, size: [u32; 2]) -> Option<Result<Vec<u8>, String>> {
        self.env.render(size)
    }
}
