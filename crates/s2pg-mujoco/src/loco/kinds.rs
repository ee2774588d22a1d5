//! The kinds of a body: persons of several sizes, or a robot with several weights.

use s2pg::env::{EnvError, Options};
use s2pg::rng::Rng;

use super::task::{ATLAS, Figure, PEOPLE, SIZES, Task, WEIGHTS};
use crate::body::Body;
use crate::options::choose;

/// The least and the greatest weight that Atlas carries, in kg.
const LIMITS: (f64, f64) = (WEIGHTS[0], WEIGHTS[3]);

/// The bodies that a task is simulated with, one of which an episode is of.
pub(super) struct Kinds {
    bodies: Vec<Body>,
    /// The number of the first body among all kinds.
    first: usize,
    figure: Figure,
    /// Whether the weight is anything between its limits, of one body that is changed.
    uniform: bool,
    /// Number of the kind of this episode.
    pub kind: usize,
    /// The weight of this episode, in kg; a person has none.
    pub weight: f64,
}

impl Kinds {
    /// What the options of a task ask for.
    pub fn of(task: &Task, options: &Options) -> Result<Self, EnvError> {
        let mut kinds = match task.figure {
            Figure::Human => {
                let sizes =
                    [("all", 0..4)].into_iter().chain(SIZES.iter().enumerate().map(|(i, size)| (size.0, i..i + 1)));
                let sizes: Vec<_> = sizes.map(|(word, range)| (word, (range.start, range.end))).collect();
                let (first, end) = choose(task.name, options, "size", &sizes)?;
                let power = match options.get("torque_scale_exponent").map(|power| power.as_integer()) {
                    None | Some(Some(2)) => 0,
                    Some(Some(3)) => 1,
                    Some(_) => {
                        let given = &options["torque_scale_exponent"];
                        let what = format!("`torque_scale_exponent` is {given}; it can be 2 or 3");
                        return Err(EnvError::Invalid { env: task.name.into(), what });
                    }
                };
                let bodies = PEOPLE[power][first..end].iter().map(|source| Body::from_source(source, false)).collect();
                Self { bodies: built(task, bodies)?, first, figure: task.figure, uniform: false, kind: 0, weight: 0.0 }
            }
            Figure::Atlas => {
                let uniform = choose(task.name, options, "weights", &[("discrete", false), ("uniform", true)])?;
                let sources = if uniform { &ATLAS[3..] } else { &ATLAS[..] };
                let bodies = sources.iter().map(|source| Body::from_source(source, uniform)).collect();
                Self { bodies: built(task, bodies)?, first: 0, figure: task.figure, uniform, kind: 0, weight: LIMITS.1 }
            }
        };
        kinds.choose(kinds.last(), LIMITS.1);
        Ok(kinds)
    }

    /// Number of the last kind.
    fn last(&self) -> usize {
        self.first + self.bodies.len() - 1
    }

    /// Draws the kind of an episode.
    pub fn draw(&mut self, rng: &mut Rng) {
        let kind = self.first + rng.below(self.bodies.len());
        let weight = if self.uniform { rng.range(LIMITS.0, LIMITS.1) } else { 0.0 };
        self.choose(kind, weight);
    }

    /// Makes the episode one of this kind; the weight is asked of a body that is changed.
    fn choose(&mut self, kind: usize, weight: f64) {
        self.kind = kind;
        self.weight = match self.figure {
            Figure::Human => 0.0,
            Figure::Atlas if !self.uniform => WEIGHTS[kind],
            Figure::Atlas => {
                let body = &mut self.bodies[0];
                let change = |name: &str| if name == "weight" { weight / LIMITS.1 - 1.0 } else { 0.0 };
                let changes: Vec<_> = body.names().into_iter().map(change).collect();
                body.scale_masses(&changes, false, false);
                weight
            }
        };
    }

    /// Makes the episode one of a kind that was kept as numbers; None where they make no sense.
    pub fn restore(&mut self, kind: f64, weight: f64) -> Option<()> {
        let number = (self.first..=self.last()).find(|&number| number as f64 == kind)?;
        let sound = match self.figure {
            Figure::Human => weight == 0.0,
            Figure::Atlas if self.uniform => (LIMITS.0..=LIMITS.1).contains(&weight),
            Figure::Atlas => weight == WEIGHTS[number],
        };
        if sound && (number, weight) != (self.kind, self.weight) {
            self.choose(number, weight);
        }
        sound.then_some(())
    }

    /// The body of this episode.
    pub fn body(&self) -> &Body {
        &self.bodies[self.kind - self.first]
    }

    /// The body of this episode.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.bodies[self.kind - self.first]
    }

    /// The body of this episode alone.
    pub fn into_body(mut self) -> Body {
        self.bodies.swap_remove(self.kind - self.first)
    }

    /// The size of the body of this episode, as a part of the largest.
    pub fn size(&self) -> f64 {
        if self.figure == Figure::Human { SIZES[self.kind].1 } else { 1.0 }
    }

    /// What tells the kind: the bits of a size's number, or the weight in kg.
    pub fn hidden(&self) -> [f64; 2] {
        match self.figure {
            Figure::Human => [(self.kind >> 1) as f64, (self.kind & 1) as f64],
            Figure::Atlas => [self.weight, 0.0],
        }
    }
}

fn built(task: &Task, bodies: Result<Vec<Body>, String>) -> Result<Vec<Body>, EnvError> {
    bodies.map_err(|what| EnvError::Invalid { env: task.name.into(), what })
}
