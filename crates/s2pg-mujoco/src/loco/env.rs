//! What brings an imitation task to life: resets, steps, rewards and observations.

use s2pg::env::{Env, EnvError, EnvSpec, Options, Outcome, Shape, check_options, check_snapshot};
use s2pg::rng::Rng;

use super::demos::Starts;
use super::kinds::Kinds;
use super::task::{Figure, Task};
use crate::body::Body;

/// Steps after which an episode is cut.
const HORIZON: usize = 1000;

/// Simulation steps of 1 ms in a control step.
const FRAME_SKIP: usize = 10;

/// Without demonstrations, each position and velocity starts within plus and minus this of standing still.
const NOISE: f64 = 0.01;

/// An imitation task without a time limit; [`s2pg::env::TimeLimit`] adds one.
///
/// `s` is the positions of the joints (m, rad) but for where the pelvis is forward and sideways, the velocities of all
/// of them (m/s, rad/s), and what tells the kind of the body: the two bits of the number of its size, or the weight
/// that it carries in kg. `o` is `s` without the kind. An action of plus or minus 1 is the most that a motor does, and
/// MuJoCo clamps what is beyond. The reward `exp(-(v - v')^2)` is of the velocity v forward before the step, and the
/// velocity v' that is asked for grows as the size. The episode terminates where the body leans, turns or sinks out of
/// its bounds. The metric `distance` is how far the body is from its start, in m.
pub struct Loco {
    task: &'static Task,
    spec: EnvSpec,
    kinds: Kinds,
    /// Where episodes start; None where there are no demonstrations.
    starts: Option<Starts>,
    /// The control of an action of 1.
    gain: f64,
    start: f64,
    steps: usize,
}

impl Loco {
    /// The task of a row, with these options.
    pub(super) fn of(task: &'static Task, options: &Options) -> Result<Self, EnvError> {
        let known: &[&str] = match task.figure {
            Figure::Human => &["demos", "size", "torque_scale_exponent", "demos_sizes"],
            Figure::Atlas => &["demos", "weights"],
        };
        check_options(task.name, options, known)?;
        let kinds = Kinds::of(task, options)?;
        let starts = Starts::of(task, options, kinds.range())?;
        let joints = || task.joints.iter().map(|joint| joint.to_string());
        let o = joints()
            .chain(["v_pelvis_tx".into(), "v_pelvis_tz".into()])
            .chain(joints().map(|name| format!("v_{name}")));
        let o: Vec<String> = o.collect();
        let s = o.iter().cloned().chain(task.figure.hidden().iter().map(|name| name.to_string())).collect();
        let range = kinds.body().control_range();
        let (motors, gain) = (range.len(), range[0][1]);
        let dt = kinds.body().timestep() * FRAME_SKIP as f64;
        let (low, high) = (vec![-1.0; motors], vec![1.0; motors]);
        let spec = EnvSpec { name: task.name.into(), o, s, low, high, horizon: HORIZON, dt };
        let mut loco = Self { task, spec, kinds, starts, gain, start: 0.0, steps: 0 };
        let body = loco.kinds.body_mut();
        let (positions, velocities) = (body.reference().to_vec(), vec![0.0; body.velocities().len()]);
        body.reset(&positions, &velocities);
        Ok(loco)
    }

    /// The body of the kind that is seen first alone, the simulation steps in a control step, and the control of an
    /// action of 1.
    pub(crate) fn into_body(self) -> (Body, usize, f64) {
        (self.kinds.into_body(), FRAME_SKIP, self.gain)
    }

    fn x(&self) -> f64 {
        self.kinds.body().positions()[0]
    }

    /// Draws positions and velocities near standing still.
    fn upright(&self, rng: &mut Rng) -> (Vec<f64>, Vec<f64>) {
        let body = self.kinds.body();
        let mut positions: Vec<f64> = body.reference().iter().map(|x| x + rng.range(-NOISE, NOISE)).collect();
        positions[..2].fill(0.0);
        // The feet start above the floor.
        positions[2] = positions[2].abs();
        (positions, body.velocities().iter().map(|_| rng.range(-NOISE, NOISE)).collect())
    }

    /// Whether the body is outside of its bounds.
    fn fell(&self) -> bool {
        let seen = &self.kinds.body().positions()[2..];
        self.task.upright.iter().any(|&(i, low, high)| seen[i] < low || seen[i] > high)
    }
}

impl Env for Loco {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
        self.kinds.draw(rng);
        let (positions, velocities) = match &self.starts {
            Some(starts) => starts.draw(self.kinds.kind, rng),
            None => self.upright(rng),
        };
        self.kinds.body_mut().reset(&positions, &velocities);
        (self.start, self.steps) = (0.0, 0);
        Ok(())
    }

    fn step(&mut self, a: &[f32], _: &mut Rng) -> Result<Outcome, EnvError> {
        self.steps += 1;
        let wanted = self.task.velocity * self.kinds.size();
        let body = self.kinds.body_mut();
        let r = (-(body.velocities()[0] - wanted).powi(2)).exp();
        let unstable = |what| EnvError::Unstable { env: self.task.name.into(), step: self.steps, what };
        body.step_scaled(a, self.gain, FRAME_SKIP).map_err(unstable)?;
        Ok(Outcome { r, terminated: self.fell(), truncated: false })
    }

    fn observe(&self, o: &mut [f32], s: &mut [f32]) {
        let body = self.kinds.body();
        let seen = body.positions()[2..].iter().chain(body.velocities());
        assert_eq!(s.len(), self.spec.s.len(), "{}: s has the wrong length", self.task.name);
        s.iter_mut().zip(seen.chain(&self.kinds.hidden())).for_each(|(s, &x)| *s = x as f32);
        o.copy_from_slice(&s[..self.spec.o.len()]);
    }

    fn metrics(&self) -> Vec<(&'static str, f64)> {
        vec![("distance", self.x() - self.start)]
    }

    /// The state of the simulation, then the kind, the weight, the start and the steps.
    fn snapshot(&self) -> Vec<f64> {
        let mut state = self.kinds.body().snapshot();
        state.extend([self.kinds.kind as f64, self.kinds.weight, self.start, self.steps as f64]);
        state
    }

    fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
        let n = self.kinds.body().snapshot_len();
        check_snapshot(self.task.name, state, n + 4)?;
        let (body, rest) = state.split_at(n);
        self.kinds.restore(rest[0], rest[1]).ok_or_else(|| EnvError::Invalid {
            env: self.task.name.into(),
            what: format!(
                "this snapshot is of the kind {} with a weight of {} kg, which this task does not have; \
                           restore it where `size` and `weights` are what they were",
                rest[0], rest[1]
            ),
        })?;
        self.kinds.body_mut().restore(body);
        (self.start, self.steps) = (rest[2], rest[3] as usize);
        Ok(())
    }

    fn shapes(&self) -> Vec<Shape> {
        self.kinds.body().shapes()
    }

    fn render(&mut self, size: [u32; 2]) -> Option<Result<Vec<u8>, String>> {
        Some(self.kinds.body_mut().render(size))
    }
}
