//! The locomotion tasks of Gymnasium's `v5` and their partially observed versions: a row of a table each.

use s2pg::env::{Entry, EnvError, TimeLimit};

use crate::body::{Body, Source};
use crate::gym::Gym;

/// What makes a task: a body, what is seen of it, and what is rewarded.
#[derive(Clone, Copy)]
pub(crate) struct Task {
    pub name: &'static str,
    pub about: &'static str,
    pub source: &'static Source,
    /// Simulation steps in a control step.
    pub frame_skip: usize,
    pub root: Root,
    /// Names of the joints after the root, each with one position and one velocity.
    pub joints: &'static [&'static str],
    /// What is seen after positions and velocities, in this order.
    pub blocks: &'static [Block],
    /// A task of the paper, after Gym's `v3`: the policy does not see everything, blocks have rows of the world and entries
    /// of the root, and there are no contact forces unless one asks for them.
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
    /// By its first joint, which is seen.
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
    /// The same, not clipped.
    ExternalContactForces,
}

impl Block {
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

static ANT_BODY: Source = Source::new(include_str!("../models/ant.xml"), &[]);
static HALF_CHEETAH_BODY: Source = Source::new(include_str!("../models/half_cheetah.xml"), &[]);
static HOPPER_BODY: Source = Source::new(include_str!("../models/hopper.xml"), &[]);
static HUMANOID_BODY: Source = Source::new(include_str!("../models/humanoid.xml"), &[]);
static PENDULUM_BODY: Source = Source::new(include_str!("../models/inverted_pendulum.xml"), &[]);
static WALKER_BODY: Source = Source::new(include_str!("../models/walker2d.xml"), &[]);
/// The walker of `v3`, which slides more on its right foot than on its left.
static UNEVEN_WALKER_BODY: Source = Source::new(include_str!("../models/walker2d.xml"), &[("foot", 0.9)]);

pub(crate) static HALF_CHEETAH: Task = Task {
    name: "HalfCheetah-v5",
    about: "run as fast as possible on two legs in the plane; everything is seen",
    source: &HALF_CHEETAH_BODY,
    frame_skip: 5,
    root: Root::Planar,
    joints: &["bthigh", "bshin", "bfoot", "fthigh", "fshin", "ffoot"],
    blocks: &[],
    partial: false,
    clip: f64::INFINITY,
    noise: 0.1,
    normal: true,
    place: Place::Position,
    forward: 1.0,
    control: Control::Single(0.1),
    contact: (0.0, 0.0),
    healthy: None,
};

static HALF_CHEETAH_POMDP: Task = Task {
    name: "HalfCheetahPOMDP-v3",
    about: "run as fast as possible on two legs in the plane; the policy does not see velocities",
    partial: true,
    ..HALF_CHEETAH
};

const HOPPER_HEALTHY: Healthy = Healthy {
    reward: 1.0,
    always: false,
    bounds: &[(1, 0.7, f64::INFINITY), (2, -0.2, 0.2)],
    closed: false,
    state: 100.0,
};

static HOPPER: Task = Task {
    name: "Hopper-v5",
    about: "hop forward on one leg in the plane; everything is seen",
    source: &HOPPER_BODY,
    frame_skip: 4,
    joints: &["thigh", "leg", "foot"],
    clip: 10.0,
    noise: 5e-3,
    normal: false,
    control: Control::Single(1e-3),
    healthy: Some(HOPPER_HEALTHY),
    ..HALF_CHEETAH
};

static HOPPER_POMDP: Task = Task {
    name: "HopperPOMDP-v3",
    about: "hop forward on one leg in the plane; the policy does not see velocities",
    partial: true,
    healthy: Some(Healthy { always: true, ..HOPPER_HEALTHY }),
    ..HOPPER
};

const WALKER_HEALTHY: Healthy =
    Healthy { bounds: &[(1, 0.8, 2.0), (2, -1.0, 1.0)], state: f64::INFINITY, ..HOPPER_HEALTHY };

static WALKER: Task = Task {
    name: "Walker2d-v5",
    about: "walk forward on two legs in the plane; everything is seen",
    source: &WALKER_BODY,
    joints: &["thigh", "leg", "foot", "thigh_left", "leg_left", "foot_left"],
    healthy: Some(WALKER_HEALTHY),
    ..HOPPER
};

static WALKER_POMDP: Task = Task {
    name: "Walker2dPOMDP-v3",
    about: "walk forward on two legs in the plane; the policy does not see velocities",
    source: &UNEVEN_WALKER_BODY,
    partial: true,
    healthy: Some(Healthy { always: true, ..WALKER_HEALTHY }),
    ..WALKER
};

const ANT_HEALTHY: Healthy =
    Healthy { reward: 1.0, always: false, bounds: &[(2, 0.2, 1.0)], closed: true, state: f64::INFINITY };

static ANT: Task = Task {
    name: "Ant-v5",
    about: "run along x on four legs; everything is seen",
    source: &ANT_BODY,
    root: Root::Free,
    joints: &["hip_1", "ankle_1", "hip_2", "ankle_2", "hip_3", "ankle_3", "hip_4", "ankle_4"],
    blocks: &[Block::ContactForces],
    place: Place::Trunk,
    control: Control::Single(0.5),
    contact: (5e-4, f64::INFINITY),
    healthy: Some(ANT_HEALTHY),
    ..HALF_CHEETAH
};

static ANT_POMDP: Task = Task {
    name: "AntPOMDP-v3",
    about: "run along x on four legs; the policy does not see velocities",
    partial: true,
    healthy: Some(Healthy { always: true, ..ANT_HEALTHY }),
    ..ANT
};

const HUMANOID_HEALTHY: Healthy = Healthy { reward: 5.0, bounds: &[(2, 1.0, 2.0)], closed: false, ..ANT_HEALTHY };

static HUMANOID: Task = Task {
    name: "Humanoid-v5",
    about: "walk along x on two legs; everything is seen",
    source: &HUMANOID_BODY,
    joints: &[
        "abdomen_z",
        "abdomen_y",
        "abdomen_x",
        "right_hip_x",
        "right_hip_z",
        "right_hip_y",
        "right_knee",
        "left_hip_x",
        "left_hip_z",
        "left_hip_y",
        "left_knee",
        "right_shoulder1",
        "right_shoulder2",
        "right_elbow",
        "left_shoulder1",
        "left_shoulder2",
        "left_elbow",
    ],
    blocks: &[Block::ComInertia, Block::ComVelocity, Block::ActuatorForces, Block::ExternalContactForces],
    noise: 0.01,
    normal: false,
    place: Place::Centre,
    forward: 1.25,
    control: Control::Double(0.1),
    contact: (5e-7, 10.0),
    healthy: Some(HUMANOID_HEALTHY),
    ..ANT
};

static HUMANOID_POMDP: Task = Task {
    name: "HumanoidPOMDP-v3",
    about: "walk along x on two legs; the policy sees neither velocities nor inertias",
    partial: true,
    healthy: Some(Healthy { always: true, ..HUMANOID_HEALTHY }),
    ..HUMANOID
};

const PENDULUM_HEALTHY: Healthy = Healthy { bounds: &[(1, -0.2, 0.2)], ..ANT_HEALTHY };

static INVERTED_PENDULUM: Task = Task {
    name: "InvertedPendulum-v5",
    about: "balance a pole on a cart; everything is seen",
    source: &PENDULUM_BODY,
    frame_skip: 2,
    root: Root::Joint,
    joints: &["slider", "hinge"],
    noise: 0.01,
    normal: false,
    forward: 0.0,
    control: Control::Single(0.0),
    healthy: Some(PENDULUM_HEALTHY),
    ..HALF_CHEETAH
};

static INVERTED_PENDULUM_POMDP: Task = Task {
    name: "InvertedPendulumPOMDP-v2",
    about: "balance a pole on a cart; the policy does not see velocities",
    partial: true,
    healthy: Some(Healthy { always: true, ..PENDULUM_HEALTHY }),
    ..INVERTED_PENDULUM
};

macro_rules! tasks {
    ($($task:ident)*) => {
        static TASKS: &[&Task] = &[$(&$task),*];

        /// The environments of this crate, for [`s2pg::env::Registry::extend`], each with its time limit. Their options are
        /// those of [`Gym::new`].
        pub fn entries() -> Vec<Entry> {
            vec![$(Entry {
                name: $task.name,
                about: $task.about,
                make: |options| Ok(Box::new(TimeLimit::new(Gym::of(&$task, options)?))),
            }),*]
        }
    };
}

tasks! {
    HALF_CHEETAH HALF_CHEETAH_POMDP
    ANT ANT_POMDP
    HOPPER HOPPER_POMDP
    HUMANOID HUMANOID_POMDP
    WALKER WALKER_POMDP
    INVERTED_PENDULUM INVERTED_PENDULUM_POMDP
}

/// The task called `name`.
pub(crate) fn find(name: &str) -> Result<&'static Task, EnvError> {
    TASKS.iter().find(|task| task.name == name).copied().ok_or_else(|| EnvError::Invalid {
        env: name.into(),
        what: format!(
            "this is not a task on MuJoCo; there are {}",
            TASKS.iter().map(|t| t.name).collect::<Vec<_>>().join(", ")
        ),
    })
}
