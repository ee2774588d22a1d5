//! The table of tasks: the locomotion tasks of Gymnasium's `v5` and their partially observed versions, a row each.
//!
//! A new task is a static of its own here, its name in [`for_each_task`], and where its body is new an MJCF file in
//! `models/`.

use super::task::{Block, Control, Healthy, Place, Root, Task};
use crate::body::Source;

/// Hands the statics of all tasks to a macro, in the order in which they are listed.
macro_rules! for_each_task {
    ($use:ident) => {
        $use! {
            HALF_CHEETAH HALF_CHEETAH_POMDP
            ANT ANT_POMDP
            HOPPER HOPPER_POMDP
            HUMANOID HUMANOID_POMDP
            WALKER WALKER_POMDP
            INVERTED_PENDULUM INVERTED_PENDULUM_POMDP
        }
    };
}
pub(super) use for_each_task;

static ANT_BODY: Source = Source::new(include_str!("../../models/ant.xml"), &[]);
static HALF_CHEETAH_BODY: Source = Source::new(include_str!("../../models/half_cheetah.xml"), &[]);
static HOPPER_BODY: Source = Source::new(include_str!("../../models/hopper.xml"), &[]);
static HUMANOID_BODY: Source = Source::new(include_str!("../../models/humanoid.xml"), &[]);
static PENDULUM_BODY: Source = Source::new(include_str!("../../models/inverted_pendulum.xml"), &[]);
static WALKER_BODY: Source = Source::new(include_str!("../../models/walker2d.xml"), &[]);
/// The walker of `v3`, which slides more on its right foot than on its left.
static UNEVEN_WALKER_BODY: Source = Source::new(include_str!("../../models/walker2d.xml"), &[("foot", 0.9)]);

pub(super) static HALF_CHEETAH: Task = Task {
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

pub(super) static HALF_CHEETAH_POMDP: Task = Task {
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

pub(super) static HOPPER: Task = Task {
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

pub(super) static HOPPER_POMDP: Task = Task {
    name: "HopperPOMDP-v3",
    about: "hop forward on one leg in the plane; the policy does not see velocities",
    partial: true,
    healthy: Some(Healthy { always: true, ..HOPPER_HEALTHY }),
    ..HOPPER
};

const WALKER_HEALTHY: Healthy =
    Healthy { bounds: &[(1, 0.8, 2.0), (2, -1.0, 1.0)], state: f64::INFINITY, ..HOPPER_HEALTHY };

pub(super) static WALKER: Task = Task {
    name: "Walker2d-v5",
    about: "walk forward on two legs in the plane; everything is seen",
    source: &WALKER_BODY,
    joints: &["thigh", "leg", "foot", "thigh_left", "leg_left", "foot_left"],
    healthy: Some(WALKER_HEALTHY),
    ..HOPPER
};

pub(super) static WALKER_POMDP: Task = Task {
    name: "Walker2dPOMDP-v3",
    about: "walk forward on two legs in the plane; the policy does not see velocities",
    source: &UNEVEN_WALKER_BODY,
    partial: true,
    healthy: Some(Healthy { always: true, ..WALKER_HEALTHY }),
    ..WALKER
};

const ANT_HEALTHY: Healthy =
    Healthy { reward: 1.0, always: false, bounds: &[(2, 0.2, 1.0)], closed: true, state: f64::INFINITY };

pub(super) static ANT: Task = Task {
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

pub(super) static ANT_POMDP: Task = Task {
    name: "AntPOMDP-v3",
    about: "run along x on four legs; the policy does not see velocities",
    partial: true,
    healthy: Some(Healthy { always: true, ..ANT_HEALTHY }),
    ..ANT
};

const HUMANOID_HEALTHY: Healthy = Healthy { reward: 5.0, bounds: &[(2, 1.0, 2.0)], closed: false, ..ANT_HEALTHY };

pub(super) static HUMANOID: Task = Task {
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

pub(super) static HUMANOID_POMDP: Task = Task {
    name: "HumanoidPOMDP-v3",
    about: "walk along x on two legs; the policy sees neither velocities nor inertias",
    partial: true,
    healthy: Some(Healthy { always: true, ..HUMANOID_HEALTHY }),
    ..HUMANOID
};

const PENDULUM_HEALTHY: Healthy = Healthy { bounds: &[(1, -0.2, 0.2)], ..ANT_HEALTHY };

pub(super) static INVERTED_PENDULUM: Task = Task {
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

pub(super) static INVERTED_PENDULUM_POMDP: Task = Task {
    name: "InvertedPendulumPOMDP-v2",
    about: "balance a pole on a cart; the policy does not see velocities",
    partial: true,
    healthy: Some(Healthy { always: true, ..PENDULUM_HEALTHY }),
    ..INVERTED_PENDULUM
};
