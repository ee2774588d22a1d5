//! What the policy moves: actions as controls of the model.

use super::file::{Action, Actuators};
use super::names::Names;

/// The actuators that the policy moves, and what an action means.
pub(super) struct Motors {
    pub names: Vec<String>,
    /// Range of each number of an action.
    pub low: Vec<f32>,
    pub high: Vec<f32>,
    moved: Vec<Motor>,
    /// The controls of all actuators at the start, which those keep that the policy does not move.
    rest: Vec<f64>,
}

/// How one number of an action becomes a control: `centre` and `gain` times the action, within a range.
struct Motor {
    control: usize,
    centre: f64,
    gain: f64,
    range: [f64; 2],
}

impl Motors {
    /// The actuators of a file. Episodes start with the positions `start` and the controls `rest`.
    pub fn of(file: &Actuators, names: &Names, start: &[f64], rest: Vec<f64>) -> Result<Self, String> {
        if names.actuators.len() != rest.len() {
            return Err(format!("{} has an actuator with several controls, which is not supported", names.model));
        }
        let all = || names.actuators.iter().map(|actuator| actuator.name.clone()).collect();
        let called = file.names.clone().unwrap_or_else(all);
        if called.is_empty() {
            return Err(format!(
                "`actuators` are none; name one, or use a model with actuators in place of {}",
                names.model
            ));
        }
        if file.scale.is_some() && file.action != Action::Offset {
            return Err("`actuators.scale` belongs to `action = \"offset\"`; take it away, or ask for that".into());
        }
        let scale = file.scale.unwrap_or(1.0);
        if !(scale.is_finite() && scale != 0.0) {
            return Err(format!("`actuators.scale` is {scale}; it can be a finite number that is not 0"));
        }
        let motor = |name: &String| {
            let control = names.actuator("`actuators.names`", name)?;
            let actuator = &names.actuators[control];
            let range = file.range.or(actuator.range).ok_or_else(|| {
                format!(
                    "the actuator `{name}` of {} has no ctrlrange; give it one, or set `actuators.range`",
                    names.model
                )
            })?;
            let [low, high] = range;
            if !(low < high && low.is_finite() && high.is_finite()) {
                return Err(format!("the control of `{name}` lies between {low} and {high}; set `actuators.range`"));
            }
            let (centre, gain) = match file.action {
                Action::Control => (0.0, 1.0),
                Action::Unit => ((low + high) / 2.0, (high - low) / 2.0),
                Action::Offset => {
                    let joint = actuator.joint.map(|i| &names.joints[i]).filter(|joint| joint.positions.len() == 1);
                    let what =
                        || format!("`action = \"offset\"` is for actuators of a hinge or a slide; `{name}` is none");
                    (start[joint.ok_or_else(what)?.positions.start], scale)
                }
            };
            Ok(Motor { control, centre, gain, range })
        };
        let moved: Vec<Motor> = called.iter().map(motor).collect::<Result<_, String>>()?;
        if let Some(i) = (1..moved.len()).find(|&i| moved[..i].iter().any(|motor| motor.control == moved[i].control)) {
            return Err(format!("`actuators.names` has `{}` twice", called[i]));
        }
        let bound = |k: usize| match file.action {
            Action::Control => moved.iter().map(|motor| motor.range[k] as f32).collect(),
            _ => vec![[-1.0, 1.0][k]; moved.len()],
        };
        Ok(Self { names: called, low: bound(0), high: bound(1), moved, rest })
    }

    /// The controls of all actuators under an action.
    pub fn controls(&self, action: &[f64]) -> Vec<f64> {
        let mut controls = self.rest.clone();
        for (motor, a) in self.moved.iter().zip(action) {
            let [low, high] = motor.range;
            controls[motor.control] = (motor.centre + motor.gain * a).clamp(low, high);
        }
        controls
    }
}
