//! The parts of a model by their names, and what can be read of each.

use std::ops::Range;

use mujoco_rs::wrappers::MjtObjBase;
use mujoco_rs::wrappers::mj_model::{MjtJoint, MjtTrn};

use super::Body;

/// A joint: where its numbers are among all positions and velocities.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Joint {
    pub name: String,
    pub positions: Range<usize>,
    pub velocities: Range<usize>,
    /// Whether its position is an angle.
    pub is_hinge: bool,
    /// Where a quaternion begins among all positions, if the joint has one.
    pub quaternion: Option<usize>,
}

/// An actuator: the range of its control, where the model bounds it, and the joint that it moves, if it moves one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Actuator {
    pub name: String,
    pub range: Option<[f64; 2]>,
    pub joint: Option<usize>,
}

/// A point of the model: the frame of a body, or a site.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Point {
    Body(usize),
    Site(usize),
}

impl Body {
    /// Names of `n` parts of a kind; one without a name has that of the kind with its number.
    fn names_of(&self, kind: MjtObjBase, word: &str, n: usize) -> Vec<String> {
        let model = self.data.model();
        let name = |i| model.id_to_name(kind, i).map_or_else(|| format!("{word}{i}"), String::from);
        (0..n).map(name).collect()
    }

    /// All joints, in the order of the model.
    pub(crate) fn joints(&self) -> Vec<Joint> {
        let model = self.data.model();
        let kinds = model.jnt_type();
        let joint = |(i, name): (usize, String)| {
            let (at, v) = (model.jnt_qposadr()[i] as usize, model.jnt_dofadr()[i] as usize);
            let (positions, velocities, quaternion) = match kinds[i] {
                MjtJoint::mjJNT_FREE => (7, 6, Some(at + 3)),
                MjtJoint::mjJNT_BALL => (4, 3, Some(at)),
                _ => (1, 1, None),
            };
            let is_hinge = kinds[i] == MjtJoint::mjJNT_HINGE;
            Joint { name, positions: at..at + positions, velocities: v..v + velocities, is_hinge, quaternion }
        };
        self.names_of(MjtObjBase::mjOBJ_JOINT, "joint", kinds.len()).into_iter().enumerate().map(joint).collect()
    }

    /// All actuators, in the order of the model; there are fewer than controls where one has several.
    pub(crate) fn actuators(&self) -> Vec<Actuator> {
        let model = self.data.model();
        let actuator = |(i, name): (usize, String)| {
            let range = model.actuator_ctrllimited()[i].then(|| model.actuator_ctrlrange()[i]);
            let moves_joint = model.actuator_trntype()[i] == MjtTrn::mjTRN_JOINT;
            Actuator { name, range, joint: moves_joint.then(|| model.actuator_trnid()[i][0] as usize) }
        };
        let n = model.actuator_trntype().len();
        self.names_of(MjtObjBase::mjOBJ_ACTUATOR, "actuator", n).into_iter().enumerate().map(actuator).collect()
    }

    /// All sensors, each with the place of its numbers among those of all sensors.
    pub(crate) fn sensors(&self) -> Vec<(String, Range<usize>)> {
        let model = self.data.model();
        let place = |i: usize| {
            let at = model.sensor_adr()[i] as usize;
            at..at + model.sensor_dim()[i] as usize
        };
        let names = self.names_of(MjtObjBase::mjOBJ_SENSOR, "sensor", model.sensor_adr().len());
        names.into_iter().enumerate().map(|(i, name)| (name, place(i))).collect()
    }

    /// Names of all bodies, the world's first.
    pub(crate) fn body_names(&self) -> Vec<String> {
        self.names_of(MjtObjBase::mjOBJ_BODY, "body", self.data.model().body_mass().len())
    }

    /// Names of all sites.
    pub(crate) fn site_names(&self) -> Vec<String> {
        self.names_of(MjtObjBase::mjOBJ_SITE, "site", self.data.site_xpos().len())
    }

    /// Names of all keyframes.
    pub(crate) fn key_names(&self) -> Vec<String> {
        self.names_of(MjtObjBase::mjOBJ_KEY, "key", self.data.model().ffi().nkey as usize)
    }

    /// Positions and controls of a keyframe, by its number.
    pub(crate) fn key(&self, key: usize) -> (Vec<f64>, Vec<f64>) {
        let model = self.data.model();
        let (positions, controls) = (self.data.qpos().len(), self.data.ctrl().len());
        let row = |all: &[f64], n: usize| all[key * n..(key + 1) * n].to_vec();
        (row(model.key_qpos(), positions), row(model.key_ctrl(), controls))
    }

    /// The numbers of all sensors.
    pub(crate) fn sensor_values(&self) -> &[f64] {
        self.data.sensordata()
    }

    /// Where a point is, in m.
    pub(crate) fn place(&self, point: Point) -> [f64; 3] {
        match point {
            Point::Body(body) => self.data.xpos()[body],
            Point::Site(site) => self.data.site_xpos()[site],
        }
    }

    /// The orientation of a body, as a quaternion (w, x, y, z).
    pub(crate) fn quaternion(&self, body: usize) -> [f64; 4] {
        self.data.xquat()[body]
    }

    /// The direction upwards in the frame of a body; its last number is the cosine of the tilt.
    pub(crate) fn up(&self, body: usize) -> [f64; 3] {
        let axes = self.data.xmat()[body];
        [axes[6], axes[7], axes[8]]
    }

    /// Angular (rad/s) and linear (m/s) velocity of a body's frame, in that frame.
    pub(crate) fn velocity(&self, body: usize) -> [f64; 6] {
        self.data.object_velocity(MjtObjBase::mjOBJ_XBODY, body, true)
    }

    /// Starts afresh at these positions, velocities and controls.
    pub(crate) fn start(&mut self, positions: &[f64], velocities: &[f64], controls: &[f64]) {
        self.data.reset();
        self.data.qpos_mut().copy_from_slice(positions);
        self.data.qvel_mut().copy_from_slice(velocities);
        self.set_controls(controls.iter().copied());
        self.data.forward();
    }

    /// Takes `n` simulation steps with these controls under [`Body::step`]'s guard. Then what follows from positions
    /// and velocities is of now, while forces and accelerations are of the last simulation step.
    pub(crate) fn drive(&mut self, controls: &[f64], n: usize) -> Result<(), String> {
        self.set_controls(controls.iter().copied());
        self.run(n)?;
        self.data.step1();
        Ok(())
    }

    /// Pushes a body at its centre of mass with a force (N) that stays until the next call.
    pub(crate) fn push(&mut self, body: usize, [x, y]: [f64; 2]) {
        self.data.xfrc_applied_mut()[body] = [x, y, 0.0, 0.0, 0.0, 0.0];
    }

    /// Makes the sliding friction of each geom `factor` times the compiled one. Panics on a body without a model of its
    /// own.
    pub(crate) fn scale_friction(&mut self, factor: f64) {
        let nominal = self.nominal.as_ref().expect("only a model of one's own is changed");
        // SAFETY: frictions change; no count, index or address does.
        #[allow(unsafe_code)]
        let model = unsafe { self.data.model_mut() };
        model.geom_friction_mut().iter_mut().zip(&nominal.friction).for_each(|(x, f)| x[0] = factor * f[0]);
    }
}
