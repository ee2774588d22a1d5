//! Where episodes start.

use s2pg::rng::Rng;

use super::file::{self, Noise, Numbers};
use super::names::Names;
use crate::body::Body;

/// A pose, and how far episodes start from it.
pub(super) struct Start {
    pub positions: Vec<f64>,
    /// The controls of all actuators at the start.
    pub controls: Vec<f64>,
    position_noise: Vec<f64>,
    velocity_noise: Vec<f64>,
    /// Where quaternions begin among the positions.
    quaternions: Vec<usize>,
}

impl Start {
    pub fn of(file: &file::Start, names: &Names, body: &Body) -> Result<Self, String> {
        let (mut positions, controls) = match &file.key {
            Some(key) => body.key(names.key("`start.key`", key)?),
            None => (body.reference().to_vec(), vec![0.0; body.control_range().len()]),
        };
        for (name, given) in &file.positions {
            let at = names.joint("`start.positions`", name)?.positions.clone();
            let given = match given {
                Numbers::One(x) => std::slice::from_ref(x),
                Numbers::Many(list) => list,
            };
            if given.len() != at.len() || given.iter().any(|x| !x.is_finite()) {
                let n = at.len();
                return Err(format!(
                    "`start.positions.{name}` must be {n} finite number{}",
                    if n == 1 { "" } else { "s" }
                ));
            }
            positions[at].copy_from_slice(given);
        }
        let position_noise =
            noise("position_noise", &file.position_noise, names, positions.len(), |joint| joint.positions.clone())?;
        let velocities = body.velocities().len();
        let velocity_noise =
            noise("velocity_noise", &file.velocity_noise, names, velocities, |joint| joint.velocities.clone())?;
        let quaternions = names.joints.iter().filter_map(|joint| joint.quaternion).collect();
        let mut start = Self { positions, controls, position_noise, velocity_noise, quaternions };
        let mut positions = std::mem::take(&mut start.positions);
        start.normalise(&mut positions);
        Ok(Self { positions, ..start })
    }

    /// Draws the positions and velocities of a start, each uniformly around where it should be.
    pub fn draw(&self, rng: &mut Rng) -> (Vec<f64>, Vec<f64>) {
        let mut near = |(x, noise): (&f64, &f64)| if *noise > 0.0 { x + rng.range(-noise, *noise) } else { *x };
        let mut positions: Vec<f64> = self.positions.iter().zip(&self.position_noise).map(&mut near).collect();
        let velocities = self.velocity_noise.iter().map(|noise| near((&0.0, noise))).collect();
        self.normalise(&mut positions);
        (positions, velocities)
    }

    fn normalise(&self, positions: &mut [f64]) {
        for &at in &self.quaternions {
            let quaternion = &mut positions[at..at + 4];
            let length = quaternion.iter().map(|x| x * x).sum::<f64>().sqrt();
            quaternion.iter_mut().for_each(|x| *x /= length);
        }
    }
}

/// The noise of each of `n` numbers, which belong to joints as `place` says.
fn noise(
    key: &str,
    noise: &Noise,
    names: &Names,
    n: usize,
    place: impl Fn(&crate::body::Joint) -> std::ops::Range<usize>,
) -> Result<Vec<f64>, String> {
    let sound = |name: &str, x: f64| match (0.0..=1e3).contains(&x) {
        true => Ok(x),
        false => Err(format!("`start.{key}{name}` is {x}; it can be a number from 0 to 1000")),
    };
    match noise {
        Noise::All(x) => Ok(vec![sound("", *x)?; n]),
        Noise::Each(each) => {
            let mut noise = vec![sound(".*", each.get("*").copied().unwrap_or(0.0))?; n];
            for (name, &x) in each.iter().filter(|(name, _)| *name != "*") {
                noise[place(names.joint(&format!("`start.{key}`"), name)?)].fill(sound(&format!(".{name}"), x)?);
            }
            Ok(noise)
        }
    }
}
