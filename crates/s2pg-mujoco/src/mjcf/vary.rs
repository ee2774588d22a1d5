//! What is drawn afresh in each episode: masses, friction, delays of actions, pushes.

use std::f64::consts::TAU;

use s2pg::rng::Rng;

use super::file::Randomise;
use super::names::Names;
use crate::body::Body;

/// What varies, and how far.
pub(super) struct Vary {
    /// The range of the factors, and the bodies that have one.
    masses: Option<([f64; 2], Vec<usize>)>,
    friction: Option<[f64; 2]>,
    pub delay: Option<[usize; 2]>,
    pushes: Option<Pushes>,
}

/// When and how a body is pushed.
struct Pushes {
    body: usize,
    force: [f64; 2],
    steps: f64,
    every: f64,
}

/// What was drawn for an episode.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Drawn {
    /// A factor for each mass that varies.
    pub masses: Vec<f64>,
    pub friction: f64,
    /// Control steps.
    pub delay: f64,
    /// Control steps that the present push still lasts, and its force along x and y.
    pub push: [f64; 3],
}

impl Vary {
    pub fn of(file: &Randomise, names: &Names) -> Result<Self, String> {
        let factor = |key: &str, range: Option<[f64; 2]>| match range {
            Some([low, high]) if !(0.01..=high).contains(&low) || high > 100.0 => {
                Err(format!("`randomise.{key}` is [{low}, {high}]; it can be two factors from 0.01 to 100, in order"))
            }
            range => Ok(range),
        };
        if file.masses.is_none() && file.mass_bodies.is_some() {
            return Err("`randomise.mass_bodies` belongs to `randomise.masses`; give that a range of factors".into());
        }
        let bodies = names.bodies("`randomise.mass_bodies`", &file.mass_bodies)?;
        let masses = factor("masses", file.masses)?.map(|range| (range, bodies));
        let friction = factor("friction", file.friction)?;
        if let Some([low, high]) = file.delay.filter(|[low, high]| low > high || *high > 1000) {
            return Err(format!(
                "`randomise.delay` is [{low}, {high}]; it can be two numbers of steps up to 1000, in order"
            ));
        }
        let pushes = file.pushes.as_ref().map(|given| {
            let [low, high] = given.force;
            if !(0.0 <= low && low <= high && high.is_finite() && given.steps >= 1 && given.every >= 1.0) {
                return Err(
                    "`randomise.pushes` needs a `force` of two numbers from 0, in order, and `steps` and `every` \
                            from 1"
                        .to_string(),
                );
            }
            let body = names.body("`randomise.pushes.of`", &given.of)?;
            Ok(Pushes { body, force: given.force, steps: given.steps as f64, every: given.every })
        });
        Ok(Self { masses, friction, delay: file.delay, pushes: pushes.transpose()? })
    }

    /// The names under which a critic sees what was drawn.
    pub fn names(&self, names: &Names) -> Vec<String> {
        let bodies = self.masses.iter().flat_map(|(_, bodies)| bodies);
        let mut all: Vec<String> = bodies.map(|&i| format!("mass_{}", names.bodies[i])).collect();
        all.extend(self.friction.map(|_| "friction".into()));
        all.extend(self.delay.map(|_| "delay".into()));
        all.extend(self.pushes.iter().flat_map(|_| ["push_x".into(), "push_y".into()]));
        all
    }

    /// What a critic sees of what was drawn, in the order of [`Vary::names`].
    pub fn shown<'a>(&'a self, drawn: &'a Drawn) -> impl Iterator<Item = f64> + 'a {
        let friction = self.friction.map(|_| drawn.friction);
        let delay = self.delay.map(|_| drawn.delay);
        let pushes = self.pushes.iter().flat_map(|_| drawn.push[1..].iter().copied());
        drawn.masses.iter().copied().chain(friction).chain(delay).chain(pushes)
    }

    /// An episode in which nothing varies.
    pub fn nominal(&self) -> Drawn {
        let masses = self.masses.iter().flat_map(|(_, bodies)| bodies.iter().map(|_| 1.0)).collect();
        Drawn { masses, friction: 1.0, delay: self.delay.map_or(0.0, |range| range[0] as f64), push: [0.0; 3] }
    }

    /// Draws what an episode has, all of it uniformly.
    pub fn draw(&self, rng: &mut Rng) -> Drawn {
        let mut drawn = self.nominal();
        if let Some(([low, high], _)) = self.masses {
            drawn.masses.iter_mut().for_each(|factor| *factor = rng.range(low, high));
        }
        if let Some([low, high]) = self.friction {
            drawn.friction = rng.range(low, high);
        }
        if let Some([low, high]) = self.delay {
            drawn.delay = (low + rng.below(high - low + 1)) as f64;
        }
        drawn
    }

    /// Gives a body the masses and the friction of an episode. A start or a restore must follow.
    pub fn apply(&self, drawn: &Drawn, body: &mut Body) {
        if let Some((_, bodies)) = &self.masses {
            let mut change = vec![0.0; body.body_names().len()];
            bodies.iter().zip(&drawn.masses).for_each(|(&i, factor)| change[i] = factor - 1.0);
            body.set_masses(&change, false, false);
        }
        if self.friction.is_some() {
            body.scale_friction(drawn.friction);
        }
    }

    /// Begins, goes on with, or ends a push.
    pub fn push(&self, drawn: &mut Drawn, body: &mut Body, rng: &mut Rng) {
        let Some(pushes) = &self.pushes else { return };
        let [left, ..] = drawn.push;
        drawn.push = if left > 1.0 {
            [left - 1.0, drawn.push[1], drawn.push[2]]
        } else if rng.uniform() < 1.0 / pushes.every {
            let (force, angle) = (rng.range(pushes.force[0], pushes.force[1]), rng.range(0.0, TAU));
            [pushes.steps, force * angle.cos(), force * angle.sin()]
        } else {
            [0.0; 3]
        };
        body.push(pushes.body, [drawn.push[1], drawn.push[2]]);
    }

    /// What of an episode could not have been drawn here, in words.
    pub fn fault(&self, drawn: &Drawn) -> Option<String> {
        let inside = |x: f64, [low, high]: [f64; 2]| low <= x && x <= high;
        let masses = self.masses.as_ref().map_or([1.0; 2], |(range, _)| *range);
        let friction = self.friction.unwrap_or([1.0; 2]);
        let delay = self.delay.map_or([0.0; 2], |range| range.map(|x| x as f64));
        let mass = drawn.masses.iter().find(|x| !inside(**x, masses) && **x != 1.0);
        let wrong = mass.map(|x| ("a mass", *x));
        let wrong = wrong
            .or((!inside(drawn.friction, friction) && drawn.friction != 1.0).then_some(("friction", drawn.friction)));
        let wrong = wrong.or((!inside(drawn.delay, delay)).then_some(("the delay", drawn.delay)));
        wrong.map(|(what, x)| format!("{what} of this snapshot is {x}, which `randomise` does not draw"))
    }
}
