//! A model and its simulation. The only module that names MuJoCo's bindings.

mod parts;
mod render;

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::{Arc, Once, OnceLock};

use mujoco_rs::mujoco_c::{mjtDisableBit, mjtState};
use mujoco_rs::wrappers::mj_model::traits::{ModelType, ModelTypeMut};
use mujoco_rs::wrappers::{
    MjData, MjLogMessage, MjModel, MjtGeomBase, MjtLogLevel, MjtObjBase, log_config, set_log_config,
};
use s2pg::env::Shape;

pub(crate) use parts::{Actuator, Joint, Point};

use crate::sum::sum;

const STATE: u32 = mjtState::mjSTATE_INTEGRATION as u32;

/// What MuJoCo calls the largest number of a sound simulation.
const LARGEST: f64 = 1e10;

/// The text of a model, and what it was compiled to: once, and shared by all bodies that do not change it.
pub(crate) struct Source {
    xml: Cow<'static, str>,
    /// Geoms with another sliding friction than the text's.
    friction: &'static [(&'static str, f64)],
    model: OnceLock<Arc<MjModel>>,
}

impl Source {
    pub(crate) const fn new(xml: &'static str, friction: &'static [(&'static str, f64)]) -> Self {
        Self { xml: Cow::Borrowed(xml), friction, model: OnceLock::new() }
    }

    /// A text that was made by the program.
    pub(crate) fn made(xml: String) -> Self {
        Self { xml: Cow::Owned(xml), friction: &[], model: OnceLock::new() }
    }

    fn model(&self) -> Result<Arc<MjModel>, String> {
        if let Some(model) = self.model.get() {
            return Ok(model.clone());
        }
        let mut model = guarded(&self.xml)?;
        for &(name, friction) in self.friction {
            let geom =
                model.name_to_id(MjtObjBase::mjOBJ_GEOM, name).ok_or_else(|| format!("there is no geom {name}"))?;
            model.geom_friction_mut()[geom][0] = friction;
        }
        Ok(self.model.get_or_init(|| Arc::new(model)).clone())
    }
}

/// A model that other bodies use too, or one of this body alone, which may be changed.
enum Model {
    Shared(Arc<MjModel>),
    Own(Box<MjModel>),
}

impl Deref for Model {
    type Target = MjModel;
    fn deref(&self) -> &MjModel {
        match self {
            Model::Shared(model) => model,
            Model::Own(model) => model,
        }
    }
}

impl DerefMut for Model {
    fn deref_mut(&mut self) -> &mut MjModel {
        match self {
            Model::Shared(_) => panic!("a shared model cannot be changed"),
            Model::Own(model) => model,
        }
    }
}

// SAFETY: both pointers lead to the one model that they own or share, which stays in its place.
#[allow(unsafe_code)]
unsafe impl ModelType for Model {}
// SAFETY: what may be changed is the same model as what is read.
#[allow(unsafe_code)]
unsafe impl ModelTypeMut for Model {}

/// The masses (kg), inertias (kg m^2), sizes (m) and frictions of a model as it was compiled.
struct Nominal {
    mass: Vec<f64>,
    inertia: Vec<[f64; 3]>,
    size: Vec<[f64; 3]>,
    /// Friction of the geoms: sliding, spinning, rolling.
    friction: Vec<[f64; 3]>,
}

/// A compiled model with its simulation, and the guard around it.
///
/// Positions and velocities are MuJoCo's `qpos` and `qvel`, in metres, radians and seconds. MuJoCo would put an
/// unstable simulation back to its start without a word. That is switched off: [`Body::step`] returns an error.
pub struct Body {
    data: MjData<Model>,
    /// Where the masses may be changed.
    nominal: Option<Nominal>,
    /// Distance of the camera, in m.
    distance: f64,
}

/// Distance of the camera from bodies of this crate, in m.
const DISTANCE: f64 = 3.5;

impl Body {
    /// Compiles a model from the text of an MJCF file, which may not refer to other files. An error is the sentence
    /// with which MuJoCo refuses the text.
    pub fn new(xml: &str) -> Result<Self, String> {
        Self::of(Model::Own(Box::new(guarded(xml)?)))
    }

    /// Compiles the model in an MJCF file, with all files to which it refers. It keeps its own colours and lamps, and
    /// is seen as a whole. An error is the sentence with which MuJoCo refuses the file.
    pub(crate) fn read(file: &Path) -> Result<Self, String> {
        log_to_recorder();
        let mut model = MjModel::from_xml(file).map_err(|e| e.to_string())?;
        model.opt_mut().disableflags |= mjtDisableBit::mjDSBL_AUTORESET as i32;
        let distance = 1.5 * model.stat().extent;
        Ok(Self { distance, ..Self::of(Model::Own(Box::new(model)))? })
    }

    /// A body with the model of `source`: the common one, or a copy whose masses may be changed.
    pub(crate) fn from_source(source: &Source, own: bool) -> Result<Self, String> {
        let model = source.model()?;
        Self::of(if own { Model::Own(Box::new((*model).clone())) } else { Model::Shared(model) })
    }

    fn of(model: Model) -> Result<Self, String> {
        let nominal = matches!(model, Model::Own(_)).then(|| Nominal {
            mass: model.body_mass().to_vec(),
            inertia: model.body_inertia().to_vec(),
            size: model.geom_size().to_vec(),
            friction: model.geom_friction().to_vec(),
        });
        Ok(Self { data: MjData::try_new(model).map_err(|e| e.to_string())?, nominal, distance: DISTANCE })
    }

    /// Names of the bodies in the order of the model, the world's first.
    pub(crate) fn names(&self) -> Vec<&str> {
        let model = self.data.model();
        (0..model.body_mass().len()).map(|i| model.id_to_name(MjtObjBase::mjOBJ_BODY, i).unwrap_or("unnamed")).collect()
    }

    /// Makes each body's mass 1 + `change` of the compiled one.
    ///
    /// Its inertia goes with it, and all that follows from both is computed afresh, unless `stale`: the published code
    /// changed the masses alone. `geoms` scales the first size of each geom as well, as that code did. A reset or a
    /// restore must follow. Panics on a body without a model of its own.
    pub(crate) fn scale_masses(&mut self, change: &[f64], stale: bool, geoms: bool) {
        // SAFETY: colours change, and nothing else.
        #[allow(unsafe_code)]
        render::colour_by_mass(unsafe { self.data.model_mut() }, change);
        self.set_masses(change, stale, geoms);
    }

    /// [`Body::scale_masses`], and colours stay.
    pub(crate) fn set_masses(&mut self, change: &[f64], stale: bool, geoms: bool) {
        let nominal = self.nominal.as_ref().expect("only a model of one's own is changed");
        assert_eq!(change.len(), nominal.mass.len(), "{} changes for {} masses", change.len(), nominal.mass.len());
        // SAFETY: masses, inertias and sizes change; no count, index or address does.
        #[allow(unsafe_code)]
        let model = unsafe { self.data.model_mut() };
        model.body_mass_mut().iter_mut().zip(&nominal.mass).zip(change).for_each(|((x, m), c)| *x = m * (1.0 + c));
        if geoms {
            for (geom, size) in nominal.size.iter().enumerate() {
                let change = change[model.geom_bodyid()[geom] as usize];
                model.geom_size_mut()[geom][0] = size[0] * (1.0 + change);
            }
        }
        if !stale {
            for ((inertia, nominal), c) in model.body_inertia_mut().iter_mut().zip(&nominal.inertia).zip(change) {
                *inertia = nominal.map(|x| x * (1.0 + c));
            }
            self.data.set_const();
            // MuJoCo leaves these two as they were compiled; the first scales the tolerance of its solver.
            let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
            let model = self.data.model();
            let (inertia, mass) = (mean(model.dof_m0()), mean(&model.body_mass()[1..]));
            let stat = self.data.model_stat_mut();
            (stat.meaninertia, stat.meanmass) = (inertia, mass);
        }
    }

    /// The compiled model.
    #[cfg(test)]
    pub(crate) fn model(&self) -> &MjModel {
        self.data.model()
    }

    /// Seconds of a simulation step.
    pub fn timestep(&self) -> f64 {
        self.data.model().opt().timestep
    }

    /// The range of the control of each motor: [low, high].
    pub fn control_range(&self) -> &[[f64; 2]] {
        self.data.model().actuator_ctrlrange()
    }

    /// The positions of the model's reference pose.
    pub fn reference(&self) -> &[f64] {
        self.data.model().qpos0()
    }

    /// The positions of all joints.
    pub fn positions(&self) -> &[f64] {
        self.data.qpos()
    }

    /// The velocities of all joints.
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

    /// The x of the first body after the world, which lags as [`Body::inertias`] does.
    pub(crate) fn trunk(&self) -> f64 {
        self.data.xpos()[1][0]
    }

    /// The x of the centre of mass, which lags as [`Body::inertias`] does.
    pub(crate) fn centre(&self) -> f64 {
        let mass = self.data.model().body_mass();
        let moment = mass.iter().zip(self.data.xipos()).map(|(m, x)| m * x[0]).reduce(|sum, x| sum + x);
        moment.expect("there is a world") / sum(mass, |m| m)
    }

    /// Of each body: inertia about the centre of mass of its tree (xx, yy, zz, xy, xz, yz), mass times offset from that
    /// centre (x, y, z), mass. As everything that is computed from positions, it is of the last stage of the last
    /// simulation step.
    pub(crate) fn inertias(&self) -> &[[f64; 10]] {
        self.data.cinert()
    }

    /// Of each body: angular and linear velocity at the centre of mass of its tree. It lags as [`Body::inertias`] does.
    pub(crate) fn centre_velocities(&self) -> &[[f64; 6]] {
        self.data.cvel()
    }

    /// The motors' force on each degree of freedom, in N or N m.
    pub(crate) fn motor_forces(&self) -> &[f64] {
        self.data.qfrc_actuator()
    }

    /// Of each body: torque and force from outside, as of the last [`Body::forces`].
    pub(crate) fn contact_forces(&self) -> &[[f64; 6]] {
        self.data.cfrc_ext()
    }

    /// Takes `n` simulation steps with the controls `a`, which MuJoCo clamps to their range. It is an error where
    /// MuJoCo warned, or where a number is not finite or too large; after an error only a reset or a restore makes the
    /// body usable again.
    pub fn step(&mut self, a: &[f32], n: usize) -> Result<(), String> {
        self.step_scaled(a, 1.0, n)
    }

    /// [`Body::step`] with the controls `factor` times `a`.
    pub(crate) fn step_scaled(&mut self, a: &[f32], factor: f64, n: usize) -> Result<(), String> {
        self.set_controls(a.iter().map(|&a| factor * a as f64));
        self.run(n)
    }

    /// Takes `n` simulation steps with the present controls, as [`Body::step`] does.
    pub(crate) fn run(&mut self, n: usize) -> Result<(), String> {
        MESSAGE.with_borrow_mut(String::clear);
        (0..n).for_each(|_| self.data.step());
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

    /// [`Body::step_scaled`] without the guard.
    pub(crate) fn advance(&mut self, a: &[f32], factor: f64, n: usize) {
        self.set_controls(a.iter().map(|&a| factor * a as f64));
        (0..n).for_each(|_| self.data.step());
    }

    fn set_controls(&mut self, a: impl ExactSizeIterator<Item = f64>) {
        let ctrl = self.data.ctrl_mut();
        assert_eq!(a.len(), ctrl.len(), "an action of {} numbers for {} motors", a.len(), ctrl.len());
        ctrl.iter_mut().zip(a).for_each(|(ctrl, a)| *ctrl = a);
    }

    /// Computes [`Body::contact_forces`].
    pub(crate) fn forces(&mut self) {
        self.data.rne_post_constraint();
    }

    /// How many numbers a snapshot has.
    pub fn snapshot_len(&self) -> usize {
        self.data.model().state_size(STATE)
    }

    /// Everything that the next step depends on, the solver's warm start included.
    pub fn snapshot(&self) -> Vec<f64> {
        self.data.state(STATE).into_vec()
    }

    /// Goes back to a snapshot of a body with the same model.
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

    /// The shapes of the body, seen from the side, as of the last simulation step: capsules and spheres as they are,
    /// and in place of a cylinder or a box a capsule about as large. The part of a shape is the number of its body in
    /// the model, from 1.
    pub fn shapes(&self) -> Vec<Shape> {
        let model = self.data.model();
        let draw = |i: usize| {
            let (size, centre, axes) = (model.geom_size()[i], self.data.geom_xpos()[i], self.data.geom_xmat()[i]);
            let (half, axis, radius) = match model.geom_type()[i] {
                MjtGeomBase::mjGEOM_CAPSULE | MjtGeomBase::mjGEOM_CYLINDER => (size[1], 2, size[0]),
                MjtGeomBase::mjGEOM_SPHERE => (0.0, 2, size[0]),
                MjtGeomBase::mjGEOM_BOX => {
                    let axis = (0..3).max_by(|&i, &j| size[i].total_cmp(&size[j])).expect("a box has three sides");
                    let radius = (size.iter().sum::<f64>() - size[axis]) / 2.0;
                    (size[axis] - radius, axis, radius)
                }
                _ => return None,
            };
            let end = |half: f64| [centre[0] + half * axes[axis], centre[2] + half * axes[6 + axis]];
            Some(Shape { from: end(-half), to: end(half), radius, part: model.geom_bodyid()[i] as usize })
        };
        (0..model.geom_type().len()).filter_map(draw).collect()
    }
}

/// The version of MuJoCo's library, such as 3.17.0.
pub fn mujoco_version() -> &'static str {
    mujoco_rs::mujoco_version()
}

fn compile(xml: &str) -> Result<MjModel, String> {
    log_to_recorder();
    MjModel::from_xml_string(xml).map_err(|e| e.to_string())
}

/// Compiles, and forbids MuJoCo to reset by itself.
fn guarded(xml: &str) -> Result<MjModel, String> {
    let mut model = compile(xml)?;
    model.opt_mut().disableflags |= mjtDisableBit::mjDSBL_AUTORESET as i32;
    render::colour(&mut model);
    Ok(model)
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
    use mujoco_rs::wrappers::mj_editing::{MjSpec, MjsBody, SpecElement};
    use s2pg::rng::Rng;
    use safetensors::SafeTensors;

    macro_rules! bodies {
        ($($name:literal)*) => {
            const MODELS: [&str; 6] = [$(include_str!(concat!("../models/", $name, ".xml"))),*];
            const GOLDEN: [&[u8]; 6] = [$(include_bytes!(concat!("../tests/golden/", $name, ".safetensors"))),*];
        };
    }
    bodies! { "ant" "half_cheetah" "hopper" "humanoid" "inverted_pendulum" "walker2d" }

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

    /// Every compiled body equals Gymnasium's in every recorded number: bodies, joints, geoms, motors, options.
    #[test]
    fn the_bodies_are_gymnasiums() {
        MODELS.into_iter().zip(GOLDEN).for_each(|(xml, golden)| equal_models(xml, golden));
    }

    fn equal_models(xml: &str, golden: &[u8]) {
        let model = compile(xml).unwrap();
        let ours = numbers(&model);
        let golden = SafeTensors::deserialize(golden).unwrap();
        let theirs: Vec<_> = golden.tensors().into_iter().filter(|(name, _)| name.contains('.')).collect();
        assert_eq!(theirs.len(), ours.len());
        for (name, tensor) in theirs {
            let (_, ours) = ours.iter().find(|(ours, _)| *ours == plain(&name)).unwrap_or_else(|| panic!("no {name}"));
            assert!(*ours == tensor.data(), "{name} is different in {}", &xml[5..60]);
        }
    }

    /// The memory of every number of a model that dynamics can depend on, by plain name.
    fn numbers(model: &MjModel) -> Vec<(String, &[u8])> {
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
        ours
    }

    /// Masses that were changed give the constants of a model that is compiled with them, and changed back the first
    /// ones to the bit; the published way leaves inertias and constants as they were.
    #[test]
    fn changed_masses_are_a_recompiled_model() {
        let mut worst = 0.0f64;
        for (seed, xml) in MODELS.into_iter().enumerate() {
            let mut body = Body::new(xml).unwrap();
            let mut rng = Rng::new(seed as u64, "masses");
            let zero = vec![0.0; body.names().len()];
            let change: Vec<f64> = zero.iter().map(|_| rng.range(-0.3, 0.3)).collect();
            body.scale_masses(&zero, false, false);
            let nominal = copy(&body);
            body.scale_masses(&change, false, false);

            let mut spec = MjSpec::from_xml_string(xml).unwrap();
            let names: Vec<String> = body.names().into_iter().map(String::from).collect();
            for link in spec.world_body_mut().body_iter_mut() {
                scale_densities(link, &names, &change);
            }
            if spec.compiler().settotalmass() > 0.0 {
                let total = body.data.model().body_mass().iter().sum();
                spec.compiler_mut().set_settotalmass(total);
            }
            let recompiled = spec.compile().unwrap();
            let mut moved = 0;
            for ((name, ours), (_, theirs)) in numbers(body.data.model()).iter().zip(numbers(&recompiled)) {
                let before = &nominal.iter().find(|(known, _)| known == name).unwrap().1;
                moved += (&before[..] != *ours) as usize;
                if name == "opt.disableflags" || *ours == theirs {
                    continue;
                }
                for (x, y) in ours.as_chunks().0.iter().zip(theirs.as_chunks().0) {
                    let (x, y) = (f64::from_le_bytes(*x), f64::from_le_bytes(*y));
                    // A pair of integers, read as one number, would be subnormal or no number.
                    assert!(!x.is_subnormal() && !y.is_subnormal(), "{name}, model {seed}");
                    let error = (x - y).abs();
                    assert!(error <= 1e-15 + 1e-12 * x.abs().max(y.abs()), "{name}: {x} and {y}, model {seed}");
                    worst = worst.max(error);
                }
            }
            assert!(moved > 8, "{moved} arrays changed");

            body.scale_masses(&zero, false, false);
            assert!(copy(&body) == nominal);
            body.scale_masses(&change, true, true);
            let changed: Vec<_> =
                copy(&body).into_iter().zip(nominal).filter(|(x, y)| x != y).map(|(x, _)| x.0).collect();
            assert_eq!(changed, ["model.bodymass", "model.geomsize"]);
        }
        println!("largest difference {worst:.1e}");
    }

    fn scale_densities(body: &mut MjsBody, names: &[String], change: &[f64]) {
        let change_here = change[names.iter().position(|name| name == body.name()).unwrap()];
        for geom in body.geom_iter_mut(false) {
            let density = geom.density();
            geom.set_density(density * (1.0 + change_here));
        }
        body.body_iter_mut().for_each(|child| scale_densities(child, names, change));
    }

    fn copy(body: &Body) -> Vec<(String, Vec<u8>)> {
        numbers(body.data.model()).into_iter().map(|(name, bytes)| (name, bytes.to_vec())).collect()
    }

    /// Bodies share one model, unless their masses may change; the walker of `v3` differs from `v5`'s in its right foot
    /// only.
    #[test]
    fn models_are_shared() {
        static SOURCE: Source = Source::new(MODELS[5], &[]);
        static UNEVEN: Source = Source::new(MODELS[5], &[("foot", 0.9)]);
        let of = |source: &Source, own| Body::from_source(source, own).unwrap();
        let pointer = |body: &Body| std::ptr::from_ref(body.data.model());
        let (first, second, own) = (of(&SOURCE, false), of(&SOURCE, false), of(&SOURCE, true));
        assert!(pointer(&first) == pointer(&second) && pointer(&first) != pointer(&own));
        let foot = r#"<geom class="foot" name="foot"/>"#;
        assert!(MODELS[5].contains(foot));
        let edited = guarded(&MODELS[5].replace(foot, r#"<geom class="foot" name="foot" friction="0.9"/>"#)).unwrap();
        assert!(numbers(&edited) == numbers(of(&UNEVEN, false).data.model()));
        let (edited, even) = (numbers(&edited), numbers(first.data.model()));
        let differing: Vec<_> = edited.into_iter().zip(even).filter(|(x, y)| x != y).collect();
        assert!(differing.len() == 1 && differing[0].0.0 == "model.geomfriction");
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
