//! A point that moves at constant speed across a field, towards a goal, or through doors, that it was shown earlier.

use std::f64::consts::PI;

use super::point_mass_tasks::{Hides, Shows, TASKS, Task};
use crate::env::entry::Entry;
use crate::env::{Env, EnvError, EnvSpec, Options, Outcome, Shape, TimeLimit, check_options, check_snapshot};
use crate::rng::Rng;

/// Length of a move: a step is three of them, each of 0.2 units of time at the speed 3.
const MOVE: f64 = 0.6;
const MOVES: usize = 3;
/// Distance from the goal within which it counts as reached.
const REACHED: f64 = 5.0;
/// Width of a door, and how much of it the frame takes on each side.
const DOOR: f64 = 40.0;
const FRAME: f64 = 2.0;
/// Half the thickness of a wall with a door.
const HALF_WALL: f64 = 2.5;
/// Reward of leaving the field and of hitting a wall.
const CRASH: f64 = -2.0;

/// A point mass on a field, whose action chooses the heading: π (a + 1), with a clipped to ±1. It covers 1.8 units of
/// length a step. Its four tasks differ in where it starts, what is hidden, and where the policy sees that.
///
/// `o` = (x, y, shown), `s` = (x, y, hidden): the hidden numbers are the goal's place, or the left edges of two doors.
/// The shown numbers are the hidden ones where the task shows them, which it does after each reset, and 0, or -1 for
/// doors, where it does not. The reward depends on the distance d from the goal: exp(-0.1 d), with doors 10 exp(-0.03
/// d). An episode terminates with the reward -2 where the point leaves a field without doors, or hits a wall; else a
/// [`TimeLimit`] truncates it after 1000 steps. The metric `success` is 1 once a step ended within 5 of the goal,
/// `arrival` is the number of the first such step, or 1000 where there was none, and `distance` is the present
/// distance.
#[derive(Clone, Debug)]
pub struct PointMass {
    spec: EnvSpec,
    task: &'static Task,
    shows: Shows,
    /// The place, (x, y).
    at: [f64; 2],
    /// The place after the last reset.
    start: [f64; 2],
    /// The place of the goal, or the left edges of the doors.
    hidden: [f64; 2],
    shown: bool,
    /// The first step that ended at the goal.
    reached: Option<usize>,
    steps: usize,
}

/// Steps of an episode.
const HORIZON: usize = 1000;

impl PointMass {
    /// Makes the point mass of the task called `name`. The option `observable_radius` is the distance from the start up
    /// to which the policy sees what is hidden, above 0, in `PointMass-v3` and `PointMassDoor-v1`; any other option is
    /// an error.
    pub fn new(name: &str, options: &Options) -> Result<Self, EnvError> {
        let Some(task) = TASKS.iter().find(|task| task.name == name) else {
            let names: Vec<_> = TASKS.iter().map(|task| task.name).collect();
            let what = format!("there is no such task of the point mass; there are {}", names.join(", "));
            return Err(EnvError::Invalid { env: name.into(), what });
        };
        let mut shows = task.shows;
        let known: &[&str] = if matches!(shows, Shows::NearStart(_)) { &["observable_radius"] } else { &[] };
        check_options(task.name, options, known)?;
        if let Some(x) = options.get("observable_radius") {
            let number = x.as_float().or(x.as_integer().map(|x| x as f64));
            let radius = number.filter(|r| *r > 0.0 && r.is_finite()).ok_or_else(|| {
                let what = format!("`observable_radius` is {x}; it must be a length above 0");
                EnvError::Invalid { env: task.name.into(), what }
            })?;
            shows = Shows::NearStart(radius);
        }
        let (o, s) = match task.hides {
            Hides::Goal(_) => (["x", "y", "shown_goal_x", "shown_goal_y"], ["x", "y", "goal_x", "goal_y"]),
            Hides::Doors { .. } => (["x", "y", "shown_door_1", "shown_door_2"], ["x", "y", "door_1", "door_2"]),
        };
        let spec = EnvSpec::new(task.name, &o, &s, &[(-1.0, 1.0)], HORIZON);
        let (at, hidden) = ([0.0; 2], [0.0; 2]);
        Ok(Self { spec, task, shows, at, start: at, hidden, shown: true, reached: None, steps: 0 })
    }

    /// Takes one step, with the action in double precision.
    pub fn advance(&mut self, a: f64) -> Result<Outcome, EnvError> {
        self.steps += 1;
        if a.is_nan() {
            let what = format!("the action was {a}");
            return Err(EnvError::Unstable { env: self.task.name.into(), step: self.steps, what });
        }
        let (sin, cos) = (PI * (a.clamp(-1.0, 1.0) + 1.0)).sin_cos();
        let has_doors = matches!(self.task.hides, Hides::Doors { .. });
        let mut outcome = Outcome::new(0.0);
        for _ in 0..MOVES {
            // As published, a wall is hit where a move begins in it.
            let hits = self.is_in_wall();
            let moved = [self.at[0] + MOVE * cos, self.at[1] + MOVE * sin];
            self.at = [0, 1].map(|i| moved[i].clamp(0.0, self.task.field[i]));
            if hits || (!has_doors && self.at != moved) {
                outcome = Outcome { r: CRASH, terminated: true, truncated: false };
                break;
            }
            let d = distance(self.at, self.goal());
            outcome.r = if has_doors { 10.0 * (-0.03 * d).exp() } else { (-0.1 * d).exp() };
        }
        self.shown = self.is_shown();
        if distance(self.at, self.goal()) <= REACHED {
            self.reached.get_or_insert(self.steps);
        }
        Ok(outcome)
    }

    fn goal(&self) -> [f64; 2] {
        match self.task.hides {
            Hides::Goal(_) => self.hidden,
            Hides::Doors { goal, .. } => goal,
        }
    }

    fn is_in_wall(&self) -> bool {
        let Hides::Doors { walls, .. } = self.task.hides else { return false };
        let [x, y] = self.at;
        walls
            .iter()
            .zip(self.hidden)
            .any(|(wall, left)| (y - wall).abs() < HALF_WALL && !(left + FRAME < x && x < left + DOOR - FRAME))
    }

    fn is_shown(&self) -> bool {
        match self.shows {
            Shows::OutsideSquare(half) => (0..2).any(|i| (self.at[i] - self.hidden[i]).abs() > half),
            Shows::Below(y) => self.at[1] <= y,
            Shows::NearStart(radius) => distance(self.at, self.start) <= radius,
        }
    }
}

fn distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

impl Env for PointMass {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
        self.hidden = self.task.hides.draw(rng);
        self.start = loop {
            let start = self.task.starts.draw(rng);
            if distance(start, self.goal()) >= self.task.starts.clearance() {
                break start;
            }
        };
        (self.at, self.shown, self.reached, self.steps) = (self.start, true, None, 0);
        Ok(())
    }

    fn step(&mut self, a: &[f32], _: &mut Rng) -> Result<Outcome, EnvError> {
        self.advance(a[0].into())
    }

    fn observe(&self, o: &mut [f32], s: &mut [f32]) {
        let Self { at: [x, y], hidden, .. } = self;
        let shown = if self.shown { *hidden } else { [self.task.hides.masked(); 2] };
        o.copy_from_slice(&[*x, *y, shown[0], shown[1]].map(|x| x as f32));
        s.copy_from_slice(&[*x, *y, hidden[0], hidden[1]].map(|x| x as f32));
    }

    fn metrics(&self) -> Vec<(&'static str, f64)> {
        let arrival = self.reached.unwrap_or(HORIZON) as f64;
        let success = f64::from(self.reached.is_some());
        vec![("success", success), ("arrival", arrival), ("distance", distance(self.at, self.goal()))]
    }

    fn snapshot(&self) -> Vec<f64> {
        // Nothing is reached before the first step.
        let reached = self.reached.unwrap_or(0);
        let flags = [f64::from(self.shown), reached as f64, self.steps as f64];
        [&self.at[..], &self.start, &self.hidden, &flags].concat()
    }

    fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
        check_snapshot(self.task.name, state, 9)?;
        let pair = |i: usize| [state[i], state[i + 1]];
        (self.at, self.start, self.hidden) = (pair(0), pair(2), pair(4));
        (self.shown, self.steps) = (state[6] != 0.0, state[8] as usize);
        self.reached = Some(state[7] as usize).filter(|&step| step > 0);
        Ok(())
    }

    fn shapes(&self) -> Vec<Shape> {
        let [width, height] = self.task.field;
        let corners = [[0.0, 0.0], [width, 0.0], [width, height], [0.0, height], [0.0, 0.0]];
        let line = |from, to, part| Shape { from, to, radius: 1.0, part };
        let mut shapes: Vec<Shape> = corners.windows(2).map(|ends| line(ends[0], ends[1], 0)).collect();
        if let Hides::Doors { walls, .. } = self.task.hides {
            for (y, left) in walls.into_iter().zip(self.hidden) {
                shapes.push(line([0.0, y], [left, y], 0));
                shapes.push(line([left + DOOR, y], [width, y], 0));
            }
        }
        let (goal, at) = (self.goal(), self.at);
        shapes.push(Shape { from: goal, to: goal, radius: REACHED, part: 1 });
        shapes.push(Shape { from: at, to: at, radius: 3.0, part: 2 });
        shapes
    }
}

/// Returns the entries of the point-mass tasks.
pub(super) fn entries() -> impl Iterator<Item = Entry> {
    const MAKE: [fn(&Options) -> Result<Box<dyn Env>, EnvError>; 4] =
        [|o| limited(&TASKS[0], o), |o| limited(&TASKS[1], o), |o| limited(&TASKS[2], o), |o| limited(&TASKS[3], o)];
    TASKS.iter().zip(MAKE).map(|(task, make)| Entry { name: task.name, about: task.about, make })
}

fn limited(task: &'static Task, options: &Options) -> Result<Box<dyn Env>, EnvError> {
    Ok(Box::new(TimeLimit::new(PointMass::new(task.name, options)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Episodes start where the task says, with every goal, and what is hidden is shown after each reset.
    #[test]
    fn resets_are_the_table() {
        let mut rng = Rng::new(0, "point mass");
        for task in &TASKS {
            let mut env = PointMass::new(task.name, &Options::new()).unwrap();
            let (mut starts, mut hidden, mut pairs) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..2000 {
                env.reset(&mut rng).unwrap();
                let (mut o, mut s) = ([0.0; 4], [0.0; 4]);
                env.observe(&mut o, &mut s);
                assert_eq!(o, s);
                starts.extend((!starts.contains(&env.start)).then_some(env.start));
                hidden.extend((!hidden.contains(&env.hidden)).then_some(env.hidden));
                // Start and goal are drawn apart from each other.
                pairs
                    .extend((!pairs.contains(&(env.start[0], env.hidden[0]))).then_some((env.start[0], env.hidden[0])));
                if task.name == "PointMass-v1" {
                    assert!(distance(env.at, env.hidden) >= 40.0 && env.at.iter().all(|x| (10.0..140.0).contains(x)));
                }
                if let Hides::Doors { .. } = task.hides {
                    assert!(env.hidden.iter().all(|x| (10.0..100.0).contains(x)));
                }
            }
            let counts = match task.name {
                "PointMass-v1" => (2000, 5),
                "PointMassDoor-v1" => (1, 2000),
                _ => (4, 4),
            };
            assert_eq!((starts.len(), hidden.len()), counts, "{}", task.name);
            let sorted = |mut places: Vec<[f64; 2]>| {
                places.sort_by(|a, b| a.partial_cmp(b).unwrap());
                places
            };
            let row = |y: f64| [25.0, 57.0, 88.0, 120.0].map(|x| [x, y]);
            match task.name {
                "PointMass-v1" => {
                    let goals = [[25.0, 25.0], [25.0, 75.0], [55.0, 108.0], [75.0, 75.0], [100.0, 15.0]];
                    assert_eq!(sorted(hidden), goals);
                }
                "PointMassDoor-v1" => assert_eq!(starts, [[75.0, 10.0]]),
                name => {
                    let y = if name == "PointMass-v2" { 55.0 } else { 130.0 };
                    assert_eq!((sorted(starts), sorted(hidden)), (row(15.0).into(), row(y).into()));
                    assert_eq!(pairs.len(), 16, "{name}");
                }
            }
        }
    }

    /// From a snapshot, at the start or in the middle, the rest of an episode repeats to the bit; the last of 1000
    /// steps is a truncation, and passing the goal is a success that lasts.
    #[test]
    fn an_episode_repeats_and_ends() {
        let mut rng = Rng::new(1, "point mass");
        let registry = crate::env::Registry::new();
        let mut env = registry.make("PointMass-v3", &toml::toml! { observable_radius = 40 }).unwrap();
        // Straight up from below the goal, then around in circles of 100 steps.
        env.reset(&mut rng).unwrap();
        let mut start = env.snapshot();
        start[0] = start[4];
        env.restore(&start).unwrap();
        let mut run = |from: usize, env: &mut dyn Env| -> Vec<_> {
            let a = |t: usize| if t < 64 { -0.5 } else { (t % 100) as f32 / 50.0 - 1.0 };
            let one = |t: usize| {
                (env.step(&[a(t)], &mut rng).unwrap(), env.metrics()[0].1, env.metrics()[1].1, env.snapshot())
            };
            (from..1000).map(one).collect()
        };
        let whole = run(0, &mut *env);
        assert!(whole.iter().enumerate().all(|(t, (x, ..))| !x.terminated && x.truncated == (t == 999)), "{whole:?}");
        let first = whole.iter().position(|x| x.1 == 1.0).unwrap();
        // From y = 15 the 62nd step ends at 126.6, the first within 5 of 130.
        assert_eq!(first, 61);
        assert!(whole[first..].iter().all(|x| (x.1, x.2) == (1.0, 62.0)));
        assert!(whole[..first].iter().all(|x| (x.1, x.2) == (0.0, 1000.0)));
        env.restore(&start).unwrap();
        assert_eq!(run(0, &mut *env), whole);
        // Hidden and not yet there; there, and away again.
        for t in [30, 61, 62, 200] {
            env.restore(&whole[t - 1].3).unwrap();
            assert_eq!(run(t, &mut *env), whole[t..], "from step {t}");
        }
    }

    /// Wrong options, names, snapshots and an action that is not a number are errors that name what is wrong.
    #[test]
    fn nonsense_is_refused() {
        let error = |name: &str, table| PointMass::new(name, &table).unwrap_err().to_string();
        assert!(error("PointMass-v3", toml::toml! { observable_radius = 0 }).contains("`observable_radius` is 0"));
        assert!(error("PointMassDoor-v1", toml::toml! { observable_radius = inf }).contains("a length above 0"));
        assert!(
            error("PointMass-v2", toml::toml! { observable_radius = 30 }).contains("no option `observable_radius`")
        );
        assert!(error("PointMass-v4", Options::new()).contains("PointMass-v1, PointMass-v2"));
        let mut env = PointMass::new("PointMass-v1", &Options::new()).unwrap();
        assert!(env.restore(&[0.0]).is_err());
        assert!(matches!(env.advance(f64::NAN), Err(EnvError::Unstable { step: 1, .. })));
    }
}
