//! Every environment of the project, in one registry.

use s2pg::env::Registry;

/// The environments of the library [`s2pg`], the tasks on MuJoCo, and robots of one's own. [`Registry::extend`] adds
/// environments of one's own.
pub fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.extend(s2pg_mujoco::entries());
    s2pg_mujoco::with_own(registry)
}
