//! Bodies and tasks on MuJoCo, as environments of [`s2pg`]. This is the only crate of the workspace with a native
//! library, and it knows no algorithms.
//!
//! [`entries`] are all tasks, for a [`Registry`](s2pg::env::Registry); [`Gym`] and [`Loco`] are two families of them,
//! [`with_own`] adds the tasks that files describe ([`Mjcf`]), and [`Body`] is the simulation below. Each family of
//! tasks is a folder of its own beside `body.rs` and `sum.rs`, which all of them share.
//!
//! # Linking
//!
//! The build script of this crate provides MuJoCo's library, and tells the build scripts of crates that depend on this
//! one where the library is. A program finds the library at run time if its own package names `s2pg-mujoco` as a
//! dependency and has a `build.rs` that passes the place on:
//!
//! ```no_run
//! if let Ok(dir) = std::env::var("DEP_S2PG_MUJOCO_DIR") {
//!     println!("cargo::rustc-link-arg=-Wl,-rpath,{dir}");
//! }
//! ```

mod bare;
mod body;
mod gym;
mod loco;
mod mjcf;
mod options;
mod sum;

use s2pg::env::{Entry, Env, EnvError, Options};

pub use bare::Bare;
pub use body::{Body, mujoco_version};
pub use gym::Gym;
pub use loco::{Demonstrations, Loco};
pub use mjcf::{Mjcf, with_own};

/// All tasks, for [`s2pg::env::Registry::extend`], each with its time limit. [`Gym::new`] and [`Loco::new`] describe
/// their options.
pub fn entries() -> Vec<Entry> {
    let mut entries = gym::entries();
    entries.extend(loco::entries());
    entries
}

/// The task called `name`, without a time limit.
pub fn task(name: &str, options: &Options) -> Result<Box<dyn Env>, EnvError> {
    match loco::entries().iter().any(|entry| entry.name == name) {
        true => Ok(Box::new(Loco::new(name, options)?)),
        false => Ok(Box::new(Gym::new(name, options)?)),
    }
}
