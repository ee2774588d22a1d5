//! Bodies without a task, to measure against.

use s2pg::env::{EnvError, Options};

use super::env::Gym;
use crate::body::Body;

/// The body of a task alone: what a control step costs in MuJoCo itself. [`Gym`] is measured against it.
pub struct Bare {
    body: Body,
    frame_skip: usize,
}

impl Bare {
    /// The body of the task called `name`, at its reference pose.
    pub fn new(name: &str) -> Result<Self, EnvError> {
        let (body, frame_skip) = Gym::new(name, &Options::new())?.into_body();
        Ok(Self { body, frame_skip })
    }

    /// The body.
    pub fn body(&mut self) -> &mut Body {
        &mut self.body
    }

    /// `frame_skip` simulation steps and one `mj_rnePostConstraint`, without guard, reward or observation.
    pub fn step(&mut self, a: &[f32]) {
        self.body.advance(a, self.frame_skip);
        self.body.forces();
    }
}
