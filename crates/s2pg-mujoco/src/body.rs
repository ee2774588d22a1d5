//! A model and its simulation. The only module that names MuJoCo's bindings.

use std::cell::RefCell;
use std::sync::Once;

use mujoco_rs::mujoco_c::{mjtDisableBit, mjtState};
use mujoco_rs::wrappers::{
    MjData, MjLogMessage, MjModel, MjtGeomBase, MjtLogLevel, log_config, set_log_config,
};
use s2pg::env::Shape;

const STATE: u32 = mjtState::mjSTATE_INTEGRATION as u32;

/// What MuJoCo calls the largest number of a sound simulation.
const LARGEST: f64 = 1e10;

/// A compiled model with its simulation, and the guard around it.
///
/// Positions and velocities are MuJoCo's `qpos` and `qvel`, in metres, radians and seconds. MuJoCo would put an unstable
/// simulation back to its start without a word; here that is switched off, and [`Body::step`] is an error in its place.
pub struct Body {
    data: MjData<Box<MjModel>>,
}

impl Body {
    /// Compiles a model from the text of an MJCF file. It may not refer to other files. An error is MuJoCo's sentence.
    pub fn new(xml: &str) -> Result<Self, String> {
        log_to_recorder();
        let mut model = Box::new(MjModel::from_xml_string(xml).map_err(|e| e.to_string())?);
        model.opt_mut().disableflags |= mjtDisableBit::mjDSBL_AUTORESET as i32;
        Ok(Self { data: MjData::try_new(model).map_err(|e| e.to_string())? })
    }

    /// Seconds of a simulation step.
    pub fn timestep(&self) -> f64 {
        self.data.model().opt().timestep
    }

    /// The range of each motor: [low, high].
    pub fn control_range(&self) -> &[[f64; 2]] {
        self.data.model().actuator_ctrlrange()
    }

    /// The positions of the model's reference pose.
    pub fn reference(&self) -> &[f64] {
        self.data.model().qpos0()
    }

    /// Positions.
    pub fn positions(&self) -> &[f64] {
        self.data.qpos()
    }

    /// Velocities.
    pub fn velocities(&self) -> &[f64] {
        self.data.qvel()
    }

    /// Starts afresh at these positions and velocities.
    pub fn reset(&mut self, positions: &[f64], velocities: &[f64]) {
        self.data.reset();
        self.data.qpos_mut().copy_from_slice(positions);
        self.data.qvel_mut().copy_from_slice(velocities);
        self.data.forward();
    }

    /// Takes `n` simulation steps with the controls `a`, which MuJoCo clamps to their range. Where MuJoCo warned, or a
    /// number is not finite or too large, the error says so; only a reset or a restore leads out of it.
    pub fn step(&mut self, a: &[f32], n: usize) -> Result<(), String> {
        self.advance(a, n);
        if self.data.warning().iter().any(|warning| warning.number > 0) {
            return Err(MESSAGE.with_borrow(String::clone));
        }
        let sound = |x: &[f64]| x.iter().all(|x| x.abs() <= LARGEST);
        match sound(self.data.qpos()) && sound(self.data.qvel()) && sound(self.data.qacc()) {
            true => Ok(()),
            false => Err("a position, velocity or acceleration is not finite or exceeds 1e10".into()),
        }
    }

    /// [`Body::step`] without the guard.
    pub(crate) fn advance(&mut self, a: &[f32], n: usize) {
        let ctrl = self.data.ctrl_mut();
        assert_eq!(a.len(), ctrl.len(), "an action of {} numbers for {} motors", a.len(), ctrl.len());
        ctrl.iter_mut().zip(a).for_each(|(ctrl, &a)| *ctrl = a as f64);
        (0..n).for_each(|_| self.data.step());
    }

    /// Computes the forces on bodies that observations of contact read.
    pub(crate) fn forces(&mut self) {
        self.data.rne_post_constraint();
    }

    /// Length of a snapshot.
    pub fn snapshot_len(&self) -> usize {
        self.data.model().state_size(STATE)
    }

    /// Everything that the next step depends on, the solver's warm start included.
    pub fn snapshot(&self) -> Vec<f64> {
        self.data.state(STATE).into_vec()
    }

    /// Goes back to a snapshot, of which the length must be right.
    pub fn restore(&mut self, state: &[f64]) {
        assert_eq!(state.len(), self.snapshot_len(), "a snapshot of {} numbers, not {}", state.len(), self.snapshot_len());
        // The reset clears the warnings, the kinematics place the shapes.
        self.data.reset();
        self.data.set_state(state, STATE).expect("the length was checked");
        self.data.kinematics();
    }

    /// The capsules and spheres of the body, seen from the side, as of the last simulation step; the part is the number
    /// of the body in the model, from 1.
    pub fn shapes(&self) -> Vec<Shape> {
        let model = self.data.model();
        let geoms = model.geom_type().iter().zip(model.geom_size()).zip(model.geom_bodyid());
        let placed = geoms.zip(self.data.geom_xpos()).zip(self.data.geom_xmat());
        let draw = |((((kind, size), body), centre), axes): ((((&MjtGeomBase, &[f64; 3]), &i32), &[f64; 3]), &[f64; 9])| {
            let half = match kind {
                MjtGeomBase::mjGEOM_CAPSULE => size[1],
                MjtGeomBase::mjGEOM_SPHERE => 0.0,
                _ => return None,
            };
            let end = |half: f64| [centre[0] + half * axes[2], centre[2] + half * axes[8]];
            Some(Shape { from: end(-half), to: end(half), radius: size[0], part: *body as usize })
        };
        placed.filter_map(draw).collect()
    }
}

thread_local! {
    /// What MuJoCo said last on this thread.
    static MESSAGE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// MuJoCo's messages are kept here, not written to the terminal and a file in the working directory.
fn record(message: &MjLogMessage) {
    MESSAGE.with_borrow_mut(|last| message.subject().clone_into(last));
    if message.level() == MjtLogLevel::mjLOG_ERROR {
        // MuJoCo cannot go on after an error, and unwinding must not cross it: the last checkpoint stands.
        eprintln!("MuJoCo: {}", message.subject());
        std::process::abort();
    }
}

/// Installs [`record`], once.
#[allow(unsafe_code)]
fn log_to_recorder() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // SAFETY: no other thread uses MuJoCo meanwhile, because each one must pass here before its first use.
        unsafe {
            mujoco_rs::logging::set_log_handler(record);
            // The line above asks for timing messages too, which nobody reads.
            set_log_config(log_config().with_topics(0));
        }
    });
}
