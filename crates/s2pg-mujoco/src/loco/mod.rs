//! The imitation tasks of LocoMuJoCo: people of four ages that walk and run, and a robot that carries a weight.
//!
//! A task is a row in `task.rs`, `scale.rs` makes bodies of all sizes from one text, `kinds.rs` has the bodies that an
//! episode can be of, `demos.rs` where it starts, and `env.rs` brings a row to life.

mod demos;
mod env;
mod kinds;
mod scale;
mod spline;
mod task;

use s2pg::env::{Entry, EnvError, Options, TimeLimit};

pub use demos::Demonstrations;
pub use env::Loco;
use task::TASKS;

impl Loco {
    /// The task called `name`. Unknown options are an error. All tasks have this option:
    ///
    /// - `demos`: the path of a file of demonstrations, or a list of paths. An episode starts at a moment of a
    ///   trajectory that is drawn from those of its kind, forward and sideways at 0. [`Demonstrations::read`] says what
    ///   a file holds. Without demonstrations it starts upright and at rest, every position and velocity changed by up
    ///   to 0.01.
    ///
    /// The tasks of people have these options:
    ///
    /// - `size`: `"all"` (the default), each episode is of a toddler (0.4 of an adult's size), a child (0.6), a
    ///   teenager (0.8) or an adult, drawn uniformly; `"toddler"`, `"child"`, `"teenager"` or `"adult"`, all are of
    ///   this one.
    /// - `torque_scale_exponent`: 2 (the default), the motors' torque grows as the second power of the size, as in
    ///   every published version of the models; 3, as its third power, as the paper says.
    /// - `demos_sizes`: `"all"` (the default), motion capture in `demos` is of all sizes, the smallest first; `"one"`,
    ///   it is of the size that `size` names.
    ///
    /// The task of the robot has this one:
    ///
    /// - `weights`: `"discrete"` (the default), the weight of an episode is 0.1, 1, 5 or 10 kg, each as likely, as
    ///   published; `"uniform"`, anything between 0.1 and 10 kg, as the paper says.
    pub fn new(name: &str, options: &Options) -> Result<Self, EnvError> {
        let task = TASKS.iter().find(|task| task.name == name).ok_or_else(|| EnvError::Invalid {
            env: name.into(),
            what: format!("this is not an imitation task; there are {}", TASKS.each_ref().map(|t| t.name).join(", ")),
        })?;
        Self::of(task, options)
    }
}

/// The imitation tasks, each with its time limit.
pub(crate) fn entries() -> Vec<Entry> {
    macro_rules! entry {
        ($($i:literal)*) => {
            vec![$(Entry {
                name: TASKS[$i].name,
                about: TASKS[$i].about,
                make: |options| Ok(Box::new(TimeLimit::new(Loco::of(&TASKS[$i], options)?))),
            }),*]
        };
    }
    entry![0 1 2]
}
