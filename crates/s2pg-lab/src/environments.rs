//! Every environment of the project, in one registry.

use s2pg::env::Registry;

/// The environments of the library [`s2pg`] and the tasks on MuJoCo. [`Registry::extend`] adds environments of one's
/// own.
pub fn registry() -> Registry {
    let mut registry = Registry::new();
    registry.extend(s2pg_mujoco::entries());
    registry
}
