//! The locomotion tasks of Gymnasium's `v5`, and the partially observed ones of the paper.
//!
//! A task is a row of the table in `table.rs`; `task.rs` says what a row can say, and `env.rs` brings a row to life.
//! Neither of `table.rs` and `env.rs` knows the other: they meet here.

mod env;
mod masses;
mod table;
mod task;
mod views;

use s2pg::env::{Entry, EnvError, Options, TimeLimit};

pub use env::Gym;
use task::Task;

impl Gym {
    /// The task called `name`. Unknown options are an error. All tasks have these options:
    ///
    /// - `reset_noise_scale`: how far an episode starts from the reference pose, as in Gymnasium, whose numbers are the
    ///   defaults.
    /// - `masses`: `"none"` (the default), masses are nominal; `"discrete"`, the mass of each body is 0.7, 1 or 1.3 of
    ///   its nominal value in an episode; `"uniform"`, the mass of each body is anything between 0.7 and 1.3 of its
    ///   nominal value. The changes (-0.3 to 0.3) are the last entries of `s`, the world's first; inertias change with
    ///   the masses.
    /// - `stale_inertias`, `scale_geoms`, `reset_first`, with `masses = "discrete"` only: three errors of the published
    ///   code, each of which is repeated where its option is true. With `stale_inertias` inertias and constants stay
    ///   those of the nominal masses, with `scale_geoms` the radii of the geoms change as well, and with `reset_first`
    ///   the first observation of an episode is of the masses of the episode before.
    ///
    /// The tasks whose policy does not see everything have further options on five of the six bodies:
    ///
    /// - `suite`: `"ppo"` (the default), the policy sees neither velocities nor, on Humanoid, `com_inertia` and
    ///   `com_velocity`, as published for PPO with memory; `"ppo-memoryless"`, the policy does not see velocities, as
    ///   published for PPO with a window and without memory; `"privileged"`, the policy sees neither what `"ppo"` hides
    ///   nor `actuator_forces`, as published for SAC and TD3. Changes of masses are always hidden.
    /// - `zero_contact_forces`, on Ant and Humanoid: where it is true, which is the default, contact forces are zero
    ///   and cost nothing, as with the simulator of the publication.
    pub fn new(name: &str, options: &Options) -> Result<Self, EnvError> {
        Self::of(find(name)?, options)
    }
}

macro_rules! list {
    ($($task:ident)*) => {
        static TASKS: &[&Task] = &[$(&table::$task),*];

        /// The locomotion tasks, each with its time limit.
        pub(crate) fn entries() -> Vec<Entry> {
            vec![$(Entry {
                name: table::$task.name,
                about: table::$task.about,
                make: |options| Ok(Box::new(TimeLimit::new(Gym::of(&table::$task, options)?))),
            }),*]
        }
    };
}
table::for_each_task!(list);

/// The task called `name`.
fn find(name: &str) -> Result<&'static Task, EnvError> {
    TASKS.iter().find(|task| task.name == name).copied().ok_or_else(|| EnvError::Invalid {
        env: name.into(),
        what: format!(
            "this is not a task on MuJoCo; there are {}",
            TASKS.iter().map(|t| t.name).collect::<Vec<_>>().join(", ")
        ),
    })
}
