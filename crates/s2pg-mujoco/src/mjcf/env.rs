//! What brings the file of a task to life: resets, steps, rewards and observations.

use std::path::Path;

use s2pg::env::{Env, EnvError, EnvSpec, Options, Outcome, Shape, check_snapshot};
use s2pg::rng::Rng;

use super::file::{File, Kind};
use super::motors::Motors;
use super::names::Names;
use super::reward::{Bounds, Moment, Reward};
use super::start::Start;
use super::vary::{Drawn, Vary};
use super::view::View;
use crate::body::Body;

/// A task that a file describes, without a time limit; [`s2pg::env::TimeLimit`] adds one.
///
/// `s` is all that the file lets be seen, and what was drawn for the episode; `o` is the part of it that is not hidden.
/// Everything that is computed of positions and velocities is of the end of the step; sensors of forces and
/// accelerations are of its last simulation step. The figures are the sum of each kind of term of the reward, `fell`
/// where bodies can fall, and `distance` where a velocity is rewarded: how far the first such point has moved along its
/// axis, in m.
pub struct Mjcf {
    spec: EnvSpec,
    body: Body,
    frame_skip: usize,
    start: Start,
    motors: Motors,
    view: View,
    reward: Reward,
    bounds: Bounds,
    vary: Vary,
    /// The kinds of terms, each once.
    kinds: Vec<Kind>,
    kept: Kept,
}

/// What an episode is beside the state of the simulation.
#[derive(Clone)]
struct Kept {
    steps: f64,
    fell: f64,
    drawn: Drawn,
    /// The last actions, the newest first: one, and as many as the longest delay has steps.
    actions: Vec<f64>,
    /// Where the points are whose velocity is rewarded, and where the first of them was at the start.
    places: Vec<f64>,
    origin: f64,
    /// The sum of each kind of term.
    sums: Vec<f64>,
    /// `s`.
    seen: Vec<f64>,
}

impl Kept {
    /// Calls `f` with each number.
    fn visit(&mut self, f: &mut dyn FnMut(&mut f64)) {
        let Self { steps, fell, drawn, actions, places, origin, sums, seen } = self;
        let Drawn { masses, friction, delay, push } = drawn;
        let single = [steps, fell, friction, delay, origin].into_iter();
        let lists = [&mut push[..], masses, actions, places, sums, seen].into_iter().flatten();
        single.chain(lists).for_each(f);
    }
}

impl Mjcf {
    /// The task of the file `path`, whose environment is called `name`. Each option takes the place of the file's key.
    pub(super) fn of(name: &str, path: &Path, options: &Options) -> Result<Self, EnvError> {
        let invalid = |what| EnvError::Invalid { env: name.into(), what };
        if path.extension().is_some_and(|end| end == "xml") {
            let what = "this is the model; name the TOML file of a task, whose key `model` names it".into();
            return Err(invalid(what));
        }
        let text = std::fs::read_to_string(path)
            .map_err(|e| invalid(format!("the file cannot be read ({e}); its path begins where the command runs")))?;
        File::parse(&text, options).and_then(|file| Self::build(name, path, &file)).map_err(invalid)
    }

    fn build(name: &str, path: &Path, file: &File) -> Result<Self, String> {
        for (key, n) in [("frame_skip", file.frame_skip), ("horizon", file.horizon)] {
            if !(1..=EnvSpec::LONGEST).contains(&n) {
                return Err(format!("`{key}` is {n}; it can be a number of steps from 1 to 10000000"));
            }
        }
        let xml = model(path, file);
        let shown = xml.display();
        std::fs::File::open(&xml).map_err(|e| format!("`model` names {shown}, which cannot be read: {e}"))?;
        let mut body = Body::read(&xml).map_err(|e| format!("MuJoCo refuses {shown}, which `model` names: {e}"))?;
        let names = Names::of(&body, shown.to_string());
        let start = Start::of(&file.start, &names, &body)?;
        let motors = Motors::of(&file.actuators, &names, &start.positions, start.controls.clone())?;
        let vary = Vary::of(&file.randomise, &names)?;
        let view = View::of(&file.observe, &names, &motors.names, vary.names(&names))?;
        let reward = Reward::of(&file.reward, &names, &start.positions)?;
        let bounds = Bounds::of(&file.end, &names)?;
        let mut kinds: Vec<Kind> = reward.terms.iter().map(|term| term.kind).collect();
        kinds.sort();
        kinds.dedup();
        let spec = EnvSpec {
            name: name.into(),
            o: view.o.clone(),
            s: view.s.clone(),
            low: motors.low.clone(),
            high: motors.high.clone(),
            horizon: file.horizon,
            dt: body.timestep() * file.frame_skip as f64,
        };
        let longest = vary.delay.map_or(0, |[_, most]| most);
        let kept = Kept {
            steps: 0.0,
            fell: 0.0,
            drawn: vary.nominal(),
            actions: vec![0.0; motors.names.len() * (1 + longest)],
            places: vec![0.0; reward.moving.len()],
            origin: 0.0,
            sums: vec![0.0; kinds.len()],
            seen: vec![0.0; view.s.len()],
        };
        // A model that was scaled by 1 is not to the bit the model that was compiled, so all are scaled.
        vary.apply(&kept.drawn, &mut body);
        let frame_skip = file.frame_skip;
        let mut task = Self { spec, body, frame_skip, start, motors, view, reward, bounds, vary, kinds, kept };
        let positions = task.start.positions.clone();
        let velocities = vec![0.0; task.body.velocities().len()];
        task.begin(&positions, &velocities);
        Ok(task)
    }

    /// Begins an episode for which everything is drawn.
    fn begin(&mut self, positions: &[f64], velocities: &[f64]) {
        let Self { motors, kept, .. } = self;
        (kept.steps, kept.fell) = (0.0, 0.0);
        kept.actions.fill(0.0);
        kept.sums.fill(0.0);
        self.body.start(positions, velocities, &motors.controls(&kept.actions[..motors.names.len()]));
        self.look();
        self.kept.origin = self.kept.places.first().copied().unwrap_or(0.0);
    }

    /// Takes in what the simulation has computed.
    fn look(&mut self) {
        let Self { body, view, reward, vary, kept, .. } = self;
        let Kept { drawn, actions, places, seen, .. } = kept;
        let all = view.read(body, actions).chain(vary.shown(drawn));
        seen.iter_mut().zip(all).for_each(|(seen, x)| *seen = x);
        places.iter_mut().zip(&reward.moving).for_each(|(place, (point, axis))| *place = body.place(*point)[*axis]);
    }

    fn unstable(&self, what: String) -> EnvError {
        EnvError::Unstable { env: self.spec.name.clone(), step: self.kept.steps as usize, what }
    }
}

/// The MJCF file that the file `path` names.
pub(super) fn model(path: &Path, file: &File) -> std::path::PathBuf {
    path.parent().unwrap_or(Path::new("")).join(&file.model)
}

impl Env for Mjcf {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, rng: &mut Rng) -> Result<(), EnvError> {
        let (positions, velocities) = self.start.draw(rng);
        self.kept.drawn = self.vary.draw(rng);
        self.vary.apply(&self.kept.drawn, &mut self.body);
        self.begin(&positions, &velocities);
        Ok(())
    }

    fn step(&mut self, a: &[f32], rng: &mut Rng) -> Result<Outcome, EnvError> {
        let n = self.motors.names.len();
        let kept = &mut self.kept;
        kept.steps += 1.0;
        let before = kept.actions[..n].to_vec();
        kept.actions.rotate_right(n);
        kept.actions.iter_mut().zip(a).for_each(|(action, &a)| *action = a as f64);
        self.vary.push(&mut kept.drawn, &mut self.body, rng);
        let controls = self.motors.controls(&kept.actions[n * kept.drawn.delay as usize..]);
        self.body.drive(&controls, self.frame_skip).map_err(|what| self.unstable(what))?;
        let fell = !self.bounds.hold(&self.body);
        let Kept { actions, places, sums, .. } = &mut self.kept;
        let (body, dt) = (&self.body, self.spec.dt);
        let moment = Moment { body, action: &actions[..n], before: &before, places, dt, fell };
        let mut r = 0.0;
        for term in &self.reward.terms {
            let value = term.value(&moment);
            sums[self.kinds.binary_search(&term.kind).expect("every kind is there")] += value;
            r += value;
        }
        self.kept.fell = f64::from(u8::from(fell));
        if !r.is_finite() {
            return Err(self.unstable(format!("the reward is {r}")));
        }
        self.look();
        Ok(Outcome { r, terminated: fell, truncated: false })
    }

    fn observe(&self, o: &mut [f32], s: &mut [f32]) {
        assert_eq!(s.len(), self.spec.s.len(), "{}: s has the wrong length", self.spec.name);
        assert_eq!(o.len(), self.spec.o.len(), "{}: o has the wrong length", self.spec.name);
        s.iter_mut().zip(&self.kept.seen).for_each(|(s, x)| *s = *x as f32);
        o.iter_mut().zip(&self.view.seen).for_each(|(o, &i)| *o = s[i]);
    }

    fn metrics(&self) -> Vec<(&'static str, f64)> {
        let kept = &self.kept;
        let distance = kept.places.first().map(|place| ("distance", place - kept.origin));
        let fell = self.bounds.exist().then_some(("fell", kept.fell));
        let sums = self.kinds.iter().zip(&kept.sums).map(|(kind, sum)| (kind.figure(), *sum));
        distance.into_iter().chain(fell).chain(sums).collect()
    }

    /// The state of the simulation, then what is kept.
    fn snapshot(&self) -> Vec<f64> {
        let mut state = self.body.snapshot();
        self.kept.clone().visit(&mut |x| state.push(*x));
        state
    }

    fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
        let mut kept = self.kept.clone();
        let (body, mut count) = (self.body.snapshot_len(), 0);
        kept.visit(&mut |_| count += 1);
        check_snapshot(&self.spec.name, state, body + count)?;
        let (body, rest) = state.split_at(body);
        let mut rest = rest.iter();
        kept.visit(&mut |x| *x = *rest.next().expect("the length was checked"));
        if let Some(what) = self.vary.fault(&kept.drawn) {
            return Err(EnvError::Invalid { env: self.spec.name.clone(), what });
        }
        if kept.drawn != self.kept.drawn {
            self.vary.apply(&kept.drawn, &mut self.body);
        }
        self.kept = kept;
        self.body.restore(body);
        Ok(())
    }

    fn shapes(&self) -> Vec<Shape> {
        self.body.shapes()
    }

    fn render(&mut self, size: [u32; 2]) -> Option<Result<Vec<u8>, String>> {
        Some(self.body.render(size))
    }
}
