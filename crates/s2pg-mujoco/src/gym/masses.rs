//! Masses that are drawn afresh in each episode.

use s2pg::env::{EnvError, Options};
use s2pg::rng::Rng;

use crate::options::{choose, switch};

/// The most that a mass changes, as a part of its nominal value.
pub(super) const CHANGE: f64 = 0.3;

/// How masses are drawn at a reset.
pub(super) struct Masses {
    discrete: bool,
    /// The first observation of an episode is of the masses of the episode before, as in the published code.
    pub reset_first: bool,
    /// The sizes of the geoms change with the masses, as in the published code.
    pub scale_geoms: bool,
    /// Inertias stay those of the nominal masses, as in the published code.
    pub stale_inertias: bool,
}

impl Masses {
    /// What the options of the environment `env` ask for; None where the masses do not vary.
    pub fn of(env: &str, options: &Options) -> Result<Option<Self>, EnvError> {
        let kinds = [("none", None), ("discrete", Some(true)), ("uniform", Some(false))];
        let kind = choose(env, options, "masses", &kinds)?;
        let switches = ["stale_inertias", "scale_geoms", "reset_first"];
        let [stale_inertias, scale_geoms, reset_first] = switches.map(|key| switch(env, options, key, false));
        let (stale_inertias, scale_geoms, reset_first) = (stale_inertias?, scale_geoms?, reset_first?);
        if kind != Some(true) && (stale_inertias || scale_geoms || reset_first) {
            let on = [stale_inertias, scale_geoms, reset_first].iter().position(|&on| on).expect("one of them is on");
            let what =
                format!("`{} = true` belongs to `masses = \"discrete\"`; take it away, or ask for that", switches[on]);
            return Err(EnvError::Invalid { env: env.into(), what });
        }
        Ok(kind.map(|discrete| Self { discrete, reset_first, scale_geoms, stale_inertias }))
    }

    /// Draws the change of each body's mass.
    pub fn draw(&self, change: &mut [f64], rng: &mut Rng) {
        let (discrete, uniform) = (self.discrete, !self.discrete);
        for (body, change) in change.iter_mut().enumerate() {
            *change = match body {
                // The world has no mass to change; the published code drew for it.
                0 if uniform => 0.0,
                _ if discrete => [-CHANGE, 0.0, CHANGE][rng.below(3)],
                _ => rng.range(-CHANGE, CHANGE),
            };
        }
    }
}
