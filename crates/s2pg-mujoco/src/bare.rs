//! Bodies without a task, to measure against.

use s2pg::env::{EnvError, Options};

use crate::body::Body;
use crate::gym::Gym;
use crate::loco::Loco;

/// The body of a task alone: what a control step costs in MuJoCo itself. [`Gym`] and [`Loco`] are measured against it.
pub struct Bare {
    body: Body,
    frame_skip: usize,
    /// The control of an action of 1.
    gain: f64,
    /// Whether the task computes forces of contacts.
    forces: bool,
}

impl Bare {
    /// The body of the task called `name`, at its reference pose.
    pub fn new(name: &str) -> Result<Self, EnvError> {
        if let Ok(loco) = Loco::new(name, &Options::new()) {
            let (body, frame_skip, gain) = loco.into_body();
            return Ok(Self { body, frame_skip, gain, forces: false });
        }
        let (body, frame_skip) = Gym::new(name, &Options::new())?.into_body();
        Ok(Self { body, frame_skip, gain: 1.0, forces: true })
    }

    /// The body.
    pub fn body(&mut self) -> &mut Body {
        &mut self.body
    }

    /// The simulation steps of a control step, and one `mj_rnePostConstraint` for the tasks of Gymnasium, without
    /// guard, reward or observation.
    pub fn step(&mut self, a: &[f32]) {
        self.body.advance(a, self.gain, self.frame_skip);
        if self.forces {
            self.body.forces();
        }
    }
}
