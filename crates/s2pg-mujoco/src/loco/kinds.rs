//! The kinds of a body: persons of several sizes, or a robot with several weights.

use s2pg::env::{EnvError, Options, whole_number};
use s2pg::rng::Rng;

use super::task::{ATLAS, Figure, PEOPLE, SIZES, Task, WEIGHTS};
use crate::body::Body;
use crate::options::choose;

/// The least and the greatest weight that Atlas carries, in kg.
const LIMITS: (f64, f64) = (WEIGHTS[0], WEIGHTS[3]);

/// The bodies that a task is simulated with, one of which an episode is of.
pub(super) struct Kinds {
    bodies: Vec<Body>,
    /// The number of the first body among all kinds.
    first: usize,
    figure: Figure,
    /// Whether the weight is anything between its limits, of one body that is changed.
    uniform: bool,
    /// Number of the kind of this episode.
    pub kind: usize,
    /// The weight of this episode, in kg; a person has none.
    pub weight: f64,
}

impl Kinds {
    /// What the options of a task ask for.
    pub fn of(task: &Task, options: &Options) -> Result<Self, EnvError> {
        let mut kinds = match task.figure {
            Figure::Human => {
                let sizes =
                    [("all", 0..4)].into_iter().chain(SIZES.iter().enumerate().map(|(i, size)| (size.0, i..i + 1)));
                let sizes: Vec<_> = sizes.map(|(word, range)| (word, (range.start, range.end))).collect();
                let (first, end) = choose(task.name, options, "size", &sizes)?;
                let power = match options.get("torque_scale_exponent").map(whole_number) {
                    None | Some(Some(2)) => 0,
                    Some(Some(3)) => 1,
                    Some(_) => {
                        let given = &options["torque_scale_exponent"];
                        let what = format!("`torque_scale_exponent` is {given}; it can be 2 or 3");
                        return Err(EnvError::Invalid { env: task.name.into(), what });
                    }
                };
                let bodies = PEOPLE[power][first..end].iter().map(|source| Body::from_source(source, false)).collect();
                Self { bodies: built(task, bodies)?, first, figure: task.figure, uniform: false, kind: 0, weight: 0.0 }
            }
            Figure::Atlas => {
                let uniform = choose(task.name, options, "weights", &[("discrete", false), ("uniform", true)])?;
                let sources = if uniform { &ATLAS[3..] } else { &ATLAS[..] };
                let bodies = sources.iter().map(|source| Body::from_source(source, uniform)).collect();
                Self { bodies: built(task, bodies)?, first: 0, figure: task.figure, uniform, kind: 0, weight: LIMITS.1 }
            }
        };
        kinds.choose(kinds.last(), LIMITS.1);
        Ok(kinds)
    }

    /// Number of the last kind.
    fn last(&self) -> usize {
        self.first + self.bodies.len() - 1
    }

    /// The numbers of the kinds.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.first..self.last() + 1
    }

    /// Draws the kind of an episode.
    pub fn draw(&mut self, rng: &mut Rng) {
        let kind = self.first + rng.below(self.bodies.len());
        let weight = if self.uniform { rng.range(LIMITS.0, LIMITS.1) } else { 0.0 };
        self.choose(kind, weight);
    }

    /// Makes the episode one of this kind; the weight is asked of a body that is changed.
    fn choose(&mut self, kind: usize, weight: f64) {
        self.kind = kind;
        self.weight = match self.figure {
            Figure::Human => 0.0,
            Figure::Atlas if !self.uniform => WEIGHTS[kind],
            Figure::Atlas => {
                let body = &mut self.bodies[0];
                let change = |name: &str| if name == "weight" { weight / LIMITS.1 - 1.0 } else { 0.0 };
                let changes: Vec<_> = body.names().into_iter().map(change).collect();
                body.scale_masses(&changes, false, false);
                weight
            }
        };
    }

    /// Makes the episode one of a kind that was kept as numbers; None where they make no sense.
    pub fn restore(&mut self, kind: f64, weight: f64) -> Option<()> {
        let number = (self.first..=self.last()).find(|&number| number as f64 == kind)?;
        let sound = match self.figure {
            Figure::Human => weight == 0.0,
            Figure::Atlas if self.uniform => (LIMITS.0..=LIMITS.1).contains(&weight),
            Figure::Atlas => weight == WEIGHTS[number],
        };
        if sound && (number, weight) != (self.kind, self.weight) {
            self.choose(number, weight);
        }
        sound.then_some(())
    }

    /// The body of this episode.
    pub fn body(&self) -> &Body {
        &self.bodies[self.kind - self.first]
    }

    /// The body of this episode.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.bodies[self.kind - self.first]
    }

    /// The body of this episode alone.
    pub fn into_body(mut self) -> Body {
        self.bodies.swap_remove(self.kind - self.first)
    }

    /// The size of the body of this episode, as a part of the largest.
    pub fn size(&self) -> f64 {
        if self.figure == Figure::Human { SIZES[self.kind].1 } else { 1.0 }
    }

    /// What tells the kind: the bits of a size's number, or the weight in kg.
    pub fn hidden(&self) -> [f64; 2] {
        match self.figure {
            Figure::Human => [(self.kind >> 1) as f64, (self.kind & 1) as f64],
            Figure::Atlas => [self.weight, 0.0],
        }
    }
}

fn built(task: &Task, bodies: Result<Vec<Body>, String>) -> Result<Vec<Body>, EnvError> {
    bodies.map_err(|what| EnvError::Invalid { env: task.name.into(), what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loco::task::TASKS;
    use safetensors::SafeTensors;

    /// The numbers of what is called `name`.
    fn numbers(file: &SafeTensors, name: &str) -> Vec<f64> {
        let tensor = file.tensor(name).unwrap_or_else(|e| panic!("{name}: {e}"));
        tensor.data().as_chunks().0.iter().map(|&x| f64::from_le_bytes(x)).collect()
    }

    /// A symmetric matrix along the axes of the body, of one along its own axes: xx, yy, zz, xy, xz, yz.
    fn rotated([w, x, y, z]: [f64; 4], diagonal: [f64; 3]) -> [f64; 6] {
        let axes = [
            [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)],
            [2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)],
            [2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)],
        ];
        let entry = |(i, j): (usize, usize)| (0..3).map(|k| axes[i][k] * diagonal[k] * axes[j][k]).sum();
        [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)].map(entry)
    }

    fn equal(ours: &[f64], theirs: &[f64], what: &str) {
        assert_eq!(ours.len(), theirs.len(), "{what}");
        for (x, y) in ours.iter().zip(theirs) {
            assert!((x - y).abs() <= 1e-14 + 1e-13 * y.abs(), "{what}: {ours:?}, not {theirs:?}");
        }
    }

    /// Masses, centres, inertias, places, joints and motors of all sizes and weights are LocoMuJoCo's.
    #[test]
    fn the_bodies_are_locomujocos() {
        let walk = include_bytes!("../../tests/golden/loco_walk.safetensors");
        let carry = include_bytes!("../../tests/golden/loco_carry.safetensors");
        for (task, golden) in [(&TASKS[0], &walk[..]), (&TASKS[2], carry)] {
            let file = SafeTensors::deserialize(golden).unwrap();
            let mut kinds = Kinds::of(task, &Options::new()).unwrap();
            for kind in 0..4 {
                kinds.choose(kind, 0.0);
                let (model, names) = (kinds.body().model(), kinds.body().names());
                let mut recorded = 0.0;
                for (i, name) in names.iter().enumerate().skip(1) {
                    let inertia = rotated(model.body_iquat()[i], model.body_inertia()[i]);
                    let (place, attitude) = (model.body_pos()[i], model.body_quat()[i]);
                    let centre = model.body_ipos()[i];
                    let ours = [&[model.body_mass()[i]][..], &centre, &inertia, &place, &attitude].concat();
                    let theirs = numbers(&file, &format!("{kind}.{name}"));
                    equal(&ours, &theirs, name);
                    recorded += theirs[0];
                }
                let bodies = file.names().into_iter().filter(|n| n.starts_with(&format!("{kind}."))).count();
                let (joints, motors) = (task.joints.len() + 2, kinds.body().control_range().len());
                // Two empty frames of Atlas's cameras have no mass, and are left out; six names are those of the steps.
                let empty = if task.figure == Figure::Atlas { 2 } else { 0 };
                assert_eq!(names.len() - 1 + empty + joints + motors + 6, bodies, "{}", task.name);
                equal(&[model.body_mass().iter().sum()], &[recorded], "all bodies together");

                let all = ["pelvis_tx", "pelvis_tz"].into_iter().chain(task.joints.iter().copied());
                for (i, name) in all.enumerate() {
                    let rest = [model.jnt_stiffness()[i], model.dof_damping()[i], model.dof_armature()[i]];
                    let ours = [&model.jnt_axis()[i][..], &model.jnt_range()[i], &rest].concat();
                    equal(&ours, &numbers(&file, &format!("{kind}.joint.{name}")), name);
                }
                for motor in 0..motors {
                    let joint = model.actuator_trnid()[motor][0] as usize - 2;
                    let ours = [&model.actuator_gear()[motor][..1], &model.actuator_ctrlrange()[motor]].concat();
                    let name = task.joints[joint];
                    equal(&ours, &numbers(&file, &format!("{kind}.motor.{name}")), name);
                }
            }
        }
    }

    /// Gears grow as the power of the size that is asked for, and a weight that is drawn is that of a model compiled
    /// with it.
    #[test]
    fn options_change_the_bodies() {
        let three = Options::from_iter([("torque_scale_exponent".to_string(), 3.into())]);
        let [mut code, mut paper] = [Options::new(), three].map(|options| Kinds::of(&TASKS[0], &options).unwrap());
        for (kind, (_, size)) in SIZES.iter().enumerate() {
            [&mut code, &mut paper].into_iter().for_each(|kinds| kinds.choose(kind, 0.0));
            let gears =
                |kinds: &Kinds| kinds.body().model().actuator_gear().iter().map(|gear| gear[0]).collect::<Vec<_>>();
            let expected: Vec<_> = gears(&code).into_iter().map(|gear| gear * size).collect();
            equal(&gears(&paper), &expected, "gears");
        }
        let uniform = Options::from_iter([("weights".to_string(), "uniform".into())]);
        let mut drawn = Kinds::of(&TASKS[2], &uniform).unwrap();
        let mut compiled = Kinds::of(&TASKS[2], &Options::new()).unwrap();
        for (kind, weight) in WEIGHTS.into_iter().enumerate() {
            drawn.choose(0, weight);
            compiled.choose(kind, 0.0);
            let (ours, theirs) = (drawn.body().model(), compiled.body().model());
            equal(ours.body_mass(), theirs.body_mass(), "masses");
            equal(ours.body_inertia().as_flattened(), theirs.body_inertia().as_flattened(), "inertias");
            equal(ours.body_subtreemass(), theirs.body_subtreemass(), "trees");
            for (x, y) in ours.dof_invweight0().iter().zip(theirs.dof_invweight0()) {
                assert!((x - y).abs() < 1e-12 * y, "{x} and {y}");
            }
        }
    }
}
