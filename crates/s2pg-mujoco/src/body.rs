//! A model and its simulation. The only module that names MuJoCo's bindings.

use std::cell::RefCell;
use std::sync::Once;

use mujoco_rs::mujoco_c::{mjtDisableBit, mjtState};
use mujoco_rs::wrappers::{MjData, MjLogMessage, MjModel, MjtGeomBase, MjtLogLevel, log_config, set_log_config};
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
        let mut model = compile(xml)?;
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
        MESSAGE.with_borrow_mut(String::clear);
        self.advance(a, n);
        if self.data.warning().iter().any(|warning| warning.number > 0) {
            let what = MESSAGE.with_borrow(String::clone);
            return Err(if what.is_empty() { "it was unstable before, and was not reset".into() } else { what });
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
        assert_eq!(
            state.len(),
            self.snapshot_len(),
            "a snapshot of {} numbers, not {}",
            state.len(),
            self.snapshot_len()
        );
        // The reset clears the warnings, the kinematics place the shapes.
        self.data.reset();
        self.data.set_state(state, STATE).expect("the length was checked");
        self.data.kinematics();
    }

    /// The capsules and spheres of the body, seen from the side, as of the last simulation step; the part is the number
    /// of the body in the model, from 1.
    pub fn shapes(&self) -> Vec<Shape> {
        let model = self.data.model();
        let draw = |i: usize| {
            let (size, centre, axes) = (model.geom_size()[i], self.data.geom_xpos()[i], self.data.geom_xmat()[i]);
            let half = match model.geom_type()[i] {
                MjtGeomBase::mjGEOM_CAPSULE => size[1],
                MjtGeomBase::mjGEOM_SPHERE => 0.0,
                _ => return None,
            };
            let end = |half: f64| [centre[0] + half * axes[2], centre[2] + half * axes[8]];
            Some(Shape { from: end(-half), to: end(half), radius: size[0], part: model.geom_bodyid()[i] as usize })
        };
        (0..model.geom_type().len()).filter_map(draw).collect()
    }
}

fn compile(xml: &str) -> Result<Box<MjModel>, String> {
    log_to_recorder();
    MjModel::from_xml_string(xml).map(Box::new).map_err(|e| e.to_string())
}

thread_local! {
    /// What MuJoCo said first on this thread since this was cleared.
    static MESSAGE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// MuJoCo's messages are kept here, not written to the terminal and a file in the working directory.
fn record(message: &MjLogMessage) {
    MESSAGE.with_borrow_mut(|first| {
        if first.is_empty() {
            message.subject().clone_into(first);
        }
    });
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

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::SafeTensors;

    /// The memory of plain numbers, flags and enumerations without padding.
    #[allow(unsafe_code)]
    fn bytes<T>(x: &[T]) -> &[u8] {
        // SAFETY: the slice is initialised memory of this many bytes, and its types here have no padding.
        unsafe { std::slice::from_raw_parts(x.as_ptr().cast(), size_of_val(x)) }
    }

    /// Without underscores and in lower case, so that `mapM2M` and `map_m2_m` are the same name.
    fn plain(name: &str) -> String {
        name.replace('_', "").to_lowercase()
    }

    /// The compiled cheetah equals Gymnasium's in every recorded number: bodies, joints, geoms, motors, options.
    #[test]
    fn the_cheetah_is_gymnasiums() {
        let model = compile(include_str!("../models/half_cheetah.xml")).unwrap();
        let (opt, stat) = (model.opt(), model.stat());
        let mut ours: Vec<(String, &[u8])> = Vec::new();
        macro_rules! arrays {
            ($($name:ident)*) => { $(ours.push((plain(concat!("model.", stringify!($name))), bytes(model.$name())));)* };
        }
        macro_rules! numbers {
            ($of:ident: $($name:ident)*) => {
                $(ours.push((plain(concat!(stringify!($of.), stringify!($name))), bytes(std::slice::from_ref(&$of.$name))));)*
            };
        }
        arrays! {
            actuator_acc0 actuator_actadr actuator_actearly actuator_actlimited actuator_actnum actuator_actrange
            actuator_armature actuator_biasprm actuator_biastype actuator_cranklength actuator_ctrladr actuator_ctrllimited
            actuator_ctrlnum actuator_ctrlrange actuator_ctrlspec actuator_damping actuator_dampingpoly actuator_delay
            actuator_dynprm actuator_dyntype actuator_forcelimited actuator_forcerange actuator_gainprm actuator_gaintype
            actuator_gear actuator_history actuator_historyadr actuator_length0 actuator_lengthrange actuator_outadr
            actuator_outnum actuator_trnid actuator_trntype b_colind b_rowadr b_rownnz body_bvhadr body_bvhnum
            body_conaffinity body_contype body_dofadr body_dofnum body_geomadr body_geomnum body_gravcomp body_inertia
            body_invweight0 body_ipos body_iquat body_jntadr body_jntnum body_margin body_mass body_mocapid body_parentid
            body_pos body_quat body_rootid body_sameframe body_simple body_subtreemass body_treeid body_weldid bvh_aabb
            bvh_child bvh_depth bvh_nodeid d_colind d_diag d_rowadr d_rownnz dof_armature dof_bodyid dof_damping
            dof_dampingpoly dof_frictionloss dof_invweight0 dof_jntid dof_length dof_m0 dof_madr dof_parentid dof_simplenum
            dof_solimp dof_solref dof_treeid geom_aabb geom_adhesion geom_bodyid geom_conaffinity geom_condim geom_contype
            geom_dataid geom_fluid geom_friction geom_gap geom_margin geom_pos geom_priority geom_quat geom_rbound
            geom_sameframe geom_size geom_solimp geom_solmix geom_solref geom_surfacevel geom_type jnt_actfrclimited
            jnt_actfrcrange jnt_actgravcomp jnt_actuatorid jnt_axis jnt_bodyid jnt_dofadr jnt_limited jnt_margin jnt_pos
            jnt_qposadr jnt_range jnt_solimp jnt_solref jnt_stiffness jnt_stiffnesspoly jnt_type m_colind m_rowadr m_rownnz
            map_d2_m map_m2_d map_m2_m qpos0 qpos_spring tree_bodyadr tree_bodynum tree_dofadr tree_dofnum
            tree_sleep_policy
        }
        numbers! { opt:
            ccd_iterations ccd_tolerance cone density disableactuator disableflags enableflags gravity impratio integrator
            iterations jacobian ls_iterations ls_tolerance magnetic noslip_iterations noslip_tolerance o_friction o_margin
            o_solimp o_solref sdf_initpoints sdf_iterations sleep_tolerance solver timestep tolerance viscosity wind
        }
        numbers! { stat: center extent meaninertia meanmass meansize }

        let file = include_bytes!("../tests/golden/half_cheetah.safetensors");
        let golden = SafeTensors::deserialize(file).unwrap();
        let theirs: Vec<_> = golden.tensors().into_iter().filter(|(name, _)| name.contains('.')).collect();
        assert_eq!(theirs.len(), ours.len());
        for (name, tensor) in theirs {
            let (_, ours) = ours.iter().find(|(ours, _)| *ours == plain(&name)).unwrap_or_else(|| panic!("no {name}"));
            assert!(*ours == tensor.data(), "{name} is different");
        }
    }

    /// A text that is no model is one sentence, and MuJoCo leaves no file behind.
    #[test]
    fn a_bad_model_is_a_sentence() {
        let error = Body::new("<mujoco><worldbody><geom size='-1'/></worldbody></mujoco>").err().unwrap();
        assert!(error.contains("geom"), "{error}");
        let refers = r#"<mujoco><include file="/nowhere.xml"/></mujoco>"#;
        assert!(Body::new(refers).err().unwrap().contains("nowhere.xml"));
        assert!(!std::path::Path::new("MUJOCO_LOG.TXT").exists());
    }
}
