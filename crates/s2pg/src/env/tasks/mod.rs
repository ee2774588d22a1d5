//! The small environments of this library. A new one is a file, and a line here.

mod pendulum;
mod point_mass;
mod point_mass_tasks;
mod t_maze;

pub use pendulum::Pendulum;
pub use point_mass::PointMass;
pub use t_maze::TMaze;

use super::TimeLimit;
use super::entry::Entry;

/// Returns the entries of all small environments.
pub(super) fn entries() -> Vec<Entry> {
    let mut entries = vec![
        Entry {
            name: "PendulumPOMDP-v1",
            about: "swing up and balance a pendulum whose velocity is hidden",
            make: |options| Ok(Box::new(TimeLimit::new(Pendulum::new(options)?))),
        },
        Entry {
            name: "TMaze-v0",
            about: "remember a cue through a corridor and turn to its side (option: corridor = 10)",
            make: |options| Ok(Box::new(TMaze::new(options)?)),
        },
    ];
    entries.extend(point_mass::entries());
    entries
}
