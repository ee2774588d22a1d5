//! What a row of the table of tasks can say: a body, what is seen of it, and what is rewarded.

use crate::body::{Body, Source};

/// What makes a task: a body, what is seen of it, and what is rewarded.
#[derive(Clone, Copy)]
pub(crate) struct Task {
    /// The name under which the environment is registered.
    pub name: &'static str,
    /// What there is to do, in one line.
    pub about: &'static str,
    /// The text of the body.
    pub source: &'static Source,
    /// Simulation steps in a control step.
    pub frame_skip: usize,
    /// How the body is joined to the world.
    pub root: Root,
    /// Names of the joints after the root, each with one position and one velocity.
    pub joints: &'static [&'static str],
    /// What is seen after positions and velocities, in this order.
    pub blocks: &'static [Block],
    /// Whether this is a task of the paper, after Gym's `v3`: the policy does not see everything, blocks have rows of
    /// the world and entries of the root, and there are no contact forces unless an option asks for them.
    pub partial: bool,
    /// Observed velocities are clipped to plus and minus this.
    pub clip: f64,
    /// Positions start within plus and minus `noise` of the reference pose.
    pub noise: f64,
    /// Velocities start normal with the standard deviation `noise`; otherwise uniform as the positions.
    pub normal: bool,
    /// Where the body is: its velocity forward is the difference of this x over the control step.
    pub place: Place,
    /// Weight of the velocity forward.
    pub forward: f64,
    /// What the action costs.
    pub control: Control,
    /// Weight of the sum of squares of the contact forces, and the largest cost.
    pub contact: (f64, f64),
    /// What a body must keep to that can fall.
    pub healthy: Option<Healthy>,
}

/// How a body is joined to the world.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Root {
    /// It moves freely; x and y are not seen.
    Free,
    /// It moves in the plane; x is not seen.
    Planar,
    /// Its first joint holds it to the world, and is seen.
    Joint,
}

impl Root {
    /// Names of the positions that are seen, and of the velocities.
    pub fn names(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Root::Free => (
                &["z", "quat_w", "quat_x", "quat_y", "quat_z"],
                &["v_x", "v_y", "v_z", "v_rot_x", "v_rot_y", "v_rot_z"],
            ),
            Root::Planar => (&["rootz", "rooty"], &["v_rootx", "v_rootz", "v_rooty"]),
            Root::Joint => (&[], &[]),
        }
    }
}

/// Something that is seen of a body.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Block {
    /// [`Body::inertias`], 10 for each body.
    ComInertia,
    /// [`Body::centre_velocities`], 6 for each body.
    ComVelocity,
    /// [`Body::motor_forces`], one for each velocity.
    ActuatorForces,
    /// [`Body::contact_forces`], 6 for each body, clipped to plus and minus 1.
    ContactForces,
    /// [`Body::contact_forces`] as they are, 6 for each body.
    ExternalContactForces,
}

impl Block {
    /// Whether these are forces of contacts, which must be asked for.
    pub fn is_contact(self) -> bool {
        matches!(self, Block::ContactForces | Block::ExternalContactForces)
    }

    /// Names of the entries, given those of bodies and velocities.
    pub fn names(self, bodies: &[&str], velocities: &[String]) -> Vec<String> {
        const FORCE: &[&str] = &["tx", "ty", "tz", "fx", "fy", "fz"];
        let (block, parts): (_, &[&str]) = match self {
            Block::ComInertia => ("com_inertia", &["xx", "yy", "zz", "xy", "xz", "yz", "mx", "my", "mz", "m"]),
            Block::ComVelocity => ("com_velocity", &["wx", "wy", "wz", "vx", "vy", "vz"]),
            Block::ContactForces => ("contact_forces", FORCE),
            Block::ExternalContactForces => ("external_contact_forces", FORCE),
            Block::ActuatorForces => {
                return velocities.iter().map(|v| format!("actuator_forces_{}", v.trim_start_matches("v_"))).collect();
            }
        };
        bodies.iter().flat_map(|body| parts.iter().map(move |part| format!("{block}_{body}_{part}"))).collect()
    }
}

/// Where a body is.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Place {
    /// Position 0.
    Position,
    /// [`Body::trunk`].
    Trunk,
    /// [`Body::centre`].
    Centre,
}

/// The weight of the sum of squares of the action.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Control {
    /// Weight and sum are float32, as the actions are.
    Single(f32),
    /// Weight and sum are float64.
    Double(f64),
}

/// The bounds outside which a body has fallen.
#[derive(Clone, Copy)]
pub(crate) struct Healthy {
    /// Paid on each step that ends upright.
    pub reward: f64,
    /// Paid on the step of the fall too, as `v3` does.
    pub always: bool,
    /// Positions by number, with what must lie below and above them.
    pub bounds: &'static [(usize, f64, f64)],
    /// The bounds themselves are inside.
    pub closed: bool,
    /// The absolute value of each position from 2 on, and of each velocity, must be below this.
    pub state: f64,
}

impl Healthy {
    /// Whether the body is outside of its bounds.
    pub fn fell(&self, body: &Body) -> bool {
        let (positions, velocities) = (body.positions(), body.velocities());
        let inside = |&(i, low, high): &(usize, f64, f64)| {
            let x: f64 = positions[i];
            if self.closed { low <= x && x <= high } else { low < x && x < high }
        };
        let small = || positions[2..].iter().chain(velocities).all(|x| x.abs() < self.state);
        !(self.bounds.iter().all(inside) && (self.state == f64::INFINITY || small()))
    }
}
