//! A pendulum whose velocity the policy does not see.

use crate::env::{Env, EnvError, EnvSpec, Options, Outcome, Shape, check_options, check_snapshot};
use crate::rng::Rng;

const NAME: &str = "PendulumPOMDP-v1";
const DT: f64 = 0.05;
const TORQUE: f64 = 2.0;
const SPEED: f64 = 8.0;

/// A pendulum: a rod of 1 m and 1 kg on a motor that is too weak to lift it at once; gravity is 10 m/s^2.
///
/// `o` = (cos, sin) of the angle from upright, `s` = (cos, sin, angular velocity in rad/s). The action is a torque in N
/// m, clipped to +-2. The reward is -(angle^2 + 0.1 velocity^2 + 0.001 torque^2) with the angle and the velocity before
/// the step. An episode never terminates; a [`TimeLimit`](crate::env::TimeLimit) around the pendulum truncates it.
#[derive(Clone, Debug)]
pub struct Pendulum {
    spec: EnvSpec,
    angle: f64,
    velocity: f64,
    steps: usize,
}

impl Pendulum {
    /// Makes a pendulum at rest, upright. There are no options; any option is an error.
    pub fn new(options: &Options) -> Result<Self, EnvError> {
        check_options(NAME, options, &[])?;
        let names = |names: &[&str]| names.iter().map(|&n| n.into()).collect();
        let spec = EnvSpec {
            name: NAME.into(),
            o: names(&["cos", "sin"]),
            s: names(&["cos", "sin", "velocity"]),
            low: vec![-TORQUE as f32],
            high: vec![TORQUE as f32],
            horizon: 200,
            dt: DT,
        };
        Ok(Self { spec, angle: 0.0, velocity: 0.0, steps: 0 })
    }
}

impl Env for Pendulum {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
        self.angle = rng.range(-std::f64::consts::PI, std::f64::consts::PI);
        self.velocity = rng.range(-1.0, 1.0);
        self.steps = 0;
        Ok(())
    }

    fn step(&mut self, a: &[f32], _: &mut Rng) -> Result<Outcome, EnvError> {
        self.steps += 1;
        let torque = (a[0] as f64).clamp(-TORQUE, TORQUE);
        let angle = (self.angle + std::f64::consts::PI).rem_euclid(std::f64::consts::TAU) - std::f64::consts::PI;
        let r = -(angle * angle + 0.1 * self.velocity * self.velocity + 0.001 * torque * torque);
        let velocity = self.velocity + (15.0 * self.angle.sin() + 3.0 * torque) * DT;
        self.velocity = velocity.clamp(-SPEED, SPEED);
        self.angle += self.velocity * DT;
        if !self.angle.is_finite() {
            let what = format!("the torque was {torque}");
            return Err(EnvError::Unstable { env: NAME.into(), step: self.steps, what });
        }
        Ok(Outcome { r, terminated: false, truncated: false })
    }

    fn observe(&self, o: &mut [f32], s: &mut [f32]) {
        let (sin, cos) = self.angle.sin_cos();
        o.copy_from_slice(&[cos as f32, sin as f32]);
        s.copy_from_slice(&[cos as f32, sin as f32, self.velocity as f32]);
    }

    fn snapshot(&self) -> Vec<f64> {
        vec![self.angle, self.velocity, self.steps as f64]
    }

    fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
        check_snapshot(NAME, state, 3)?;
        (self.angle, self.velocity, self.steps) = (state[0], state[1], state[2] as usize);
        Ok(())
    }

    fn shapes(&self) -> Vec<Shape> {
        let (sin, cos) = self.angle.sin_cos();
        let (pivot, tip) = ([0.0, 0.0], [-sin, cos]);
        vec![Shape { from: pivot, to: tip, radius: 0.05, part: 0 }, Shape { from: tip, to: tip, radius: 0.12, part: 1 }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::TimeLimit;

    /// One step has the rewards and the semi-implicit Euler update of the definition, with torque and speed clipped.
    #[test]
    fn a_step_is_the_definition() {
        let mut env = Pendulum::new(&Options::new()).unwrap();
        let mut rng = Rng::new(0, "pendulum");
        env.restore(&[7.0, 0.5, 0.0]).unwrap();
        let outcome = env.step(&[9.0], &mut rng).unwrap();
        let angle = 7.0 - std::f64::consts::TAU;
        assert!((outcome.r + (angle * angle + 0.1 * 0.25 + 0.001 * 4.0)).abs() < 1e-14);
        let velocity = 0.5 + (15.0 * 7f64.sin() + 6.0) * 0.05;
        assert_eq!(env.snapshot(), [7.0 + velocity * 0.05, velocity, 1.0]);
        env.restore(&[1.5, 7.9, 0.0]).unwrap();
        env.step(&[2.0], &mut rng).unwrap();
        assert_eq!(env.snapshot(), [1.5 + 8.0 * 0.05, 8.0, 1.0]);
        let (mut o, mut s) = ([0.0; 2], [0.0; 3]);
        env.observe(&mut o, &mut s);
        assert_eq!(o, [1.9f64.cos() as f32, 1.9f64.sin() as f32]);
        assert_eq!(s, [o[0], o[1], 8.0]);
    }

    /// An episode is 200 steps: truncated at the last, terminated at none, and repeated to the bit from a snapshot.
    #[test]
    fn an_episode_is_200_steps_and_repeats() {
        let mut env = TimeLimit::new(Pendulum::new(&Options::new()).unwrap());
        let mut rng = Rng::new(1, "pendulum");
        env.reset(&mut rng).unwrap();
        let mut run = |from: usize, env: &mut TimeLimit<Pendulum>| {
            let outcomes: Vec<_> =
                (from..200).map(|t| env.step(&[(t as f32).sin() * 2.0], &mut rng).unwrap()).collect();
            (outcomes, env.snapshot())
        };
        let start = env.snapshot();
        let (outcomes, end) = run(0, &mut env);
        assert!(outcomes.iter().enumerate().all(|(t, x)| !x.terminated && x.truncated == (t == 199)));
        env.restore(&start).unwrap();
        assert_eq!(run(0, &mut env), (outcomes, end));
    }

    /// An action that is not a number is an unstable step, an unknown option an error that names it.
    #[test]
    fn nonsense_is_refused() {
        let mut env = Pendulum::new(&Options::new()).unwrap();
        let step = env.step(&[f32::NAN], &mut Rng::new(0, "pendulum"));
        assert!(matches!(step, Err(EnvError::Unstable { step: 1, .. })));
        let error = Pendulum::new(&toml::toml! { gravity = 3 }).unwrap_err().to_string();
        assert!(error.contains("`gravity`"), "{error}");
        assert!(env.restore(&[0.0]).is_err());
    }
}
