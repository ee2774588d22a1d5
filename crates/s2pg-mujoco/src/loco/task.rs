//! What an imitation task is: its body in several kinds, what is seen, and when it has fallen.

use std::f64::consts::PI;
use std::sync::LazyLock;

use super::scale::{scaled, weighted};
use crate::body::Source;

/// An imitation task.
pub(super) struct Task {
    /// The name under which the environment is registered.
    pub name: &'static str,
    /// What there is to do, in one line.
    pub about: &'static str,
    pub figure: Figure,
    /// Names of the observed positions, each of one joint. The body has two more before them, forward and sideways, and
    /// a velocity for each.
    pub joints: &'static [&'static str],
    /// The velocity forward that is rewarded, of a body of size 1, in m/s.
    pub velocity: f64,
    /// Observed positions by number, with the least and the greatest that is upright.
    pub upright: &'static [(usize, f64, f64)],
}

/// Whose body it is.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Figure {
    /// A person of four sizes.
    Human,
    /// The robot Atlas with one of four weights.
    Atlas,
}

/// A kind of person: its name, and its size as a part of a grown one's.
pub(super) const SIZES: [(&str, f64); 4] = [("toddler", 0.4), ("child", 0.6), ("teenager", 0.8), ("adult", 1.0)];

/// The weights that Atlas carries, in kg.
pub(super) const WEIGHTS: [f64; 4] = [0.1, 1.0, 5.0, 10.0];

impl Figure {
    /// Names of the last entries of `s`, which tell the kind and are hidden from the policy.
    pub fn hidden(self) -> &'static [&'static str] {
        match self {
            Figure::Human => &["size_bit_1", "size_bit_0"],
            Figure::Atlas => &["weight"],
        }
    }
}

/// The models of people, of all sizes, with motors whose torque grows as the second and as the third power of the size.
pub(super) static PEOPLE: LazyLock<[[Source; 4]; 2]> = LazyLock::new(|| {
    let xml = include_str!("../../models/humanoid_torque.xml");
    [2, 3].map(|torque| SIZES.map(|(_, size)| Source::made(scaled(xml, size, torque))))
});

/// The models of Atlas with each of the weights.
pub(super) static ATLAS: LazyLock<[Source; 4]> = LazyLock::new(|| {
    let xml = include_str!("../../models/atlas.xml");
    WEIGHTS.map(|mass| Source::made(weighted(xml, "weight", mass)))
});

pub(super) static TASKS: [Task; 3] = [WALK, RUN, CARRY];

const WALK: Task = Task {
    name: "HumanoidTorque4Ages.walk",
    about: "walk as an adult, a teenager, a child or a toddler; the policy does not see who it is",
    figure: Figure::Human,
    joints: &[
        "pelvis_ty",
        "pelvis_tilt",
        "pelvis_list",
        "pelvis_rotation",
        "hip_flexion_r",
        "hip_adduction_r",
        "hip_rotation_r",
        "knee_angle_r",
        "ankle_angle_r",
        "hip_flexion_l",
        "hip_adduction_l",
        "hip_rotation_l",
        "knee_angle_l",
        "ankle_angle_l",
        "lumbar_extension",
        "lumbar_bending",
        "lumbar_rotation",
    ],
    velocity: 1.25,
    upright: &[
        (0, -0.46, 0.1),
        (1, -PI / 4.5, PI / 12.0),
        (2, -PI / 12.0, PI / 8.0),
        (3, -PI / 9.0, PI / 9.0),
        (14, -PI / 4.0, PI / 10.0),
        (15, -PI / 10.0, PI / 10.0),
        (16, -PI / 4.5, PI / 4.5),
    ],
};

const RUN: Task = Task {
    name: "HumanoidTorque4Ages.run",
    about: "run as an adult, a teenager, a child or a toddler; the policy does not see who it is",
    velocity: 2.5,
    ..WALK
};

const CARRY: Task = Task {
    name: "Atlas.carry",
    about: "walk as a robot that carries a weight; the policy does not see the weight",
    figure: Figure::Atlas,
    joints: WALK.joints.split_at(14).0,
    velocity: 1.25,
    upright: &[(0, -0.3, 0.1), (1, -PI / 4.5, PI / 12.0), (2, -PI / 12.0, PI / 8.0), (3, -PI / 10.0, PI / 10.0)],
};
