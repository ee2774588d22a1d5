//! Many environments that are stepped as one; any number of threads gives the same bits.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvError, Sender, TryRecvError, channel};
use std::thread::JoinHandle;

use super::{Env, EnvError, EnvSpec, Guard, Outcome};
use crate::rng::Rng;
use crate::state::{Data, State, Visitor};

/// Number of unstable steps in a row of one environment beyond which the run stops.
const IN_A_ROW: usize = 10;
/// Number of unstable steps of all environments beyond which at most one step in [`ONE_IN`] may be unstable.
const IN_ALL: usize = 10;
/// At most one step in this many may be unstable, once there were more than [`IN_ALL`] unstable steps.
const ONE_IN: usize = 10_000;

/// An episode that ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    /// Number of the environment.
    pub env: usize,
    /// Return of the episode: the undiscounted sum of its rewards.
    pub r: f64,
    /// Number of steps of the episode, without a dropped step.
    pub length: usize,
    /// Figures of the environment at the end of the episode.
    pub metrics: Vec<(&'static str, f64)>,
    /// Whether the episode ended because the simulation became unstable.
    pub unstable: bool,
}

/// The results of one step of n environments: a row for each, in the order of the environments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// Rewards, n numbers.
    pub r: Vec<f64>,
    /// Whether the task ended with this step, n flags.
    pub terminated: Vec<bool>,
    /// Whether the episode was cut after this step, n flags; also set where the row is dropped.
    pub truncated: Vec<bool>,
    /// Whether the step was unstable, n flags. The environment was then reset and the transition must be dropped; the
    /// transition before is the last of its episode. A dropped row has r = 0, and repeats in `next_o` and `next_s` the
    /// views before the step, which are the true next views of that last transition.
    pub dropped: Vec<bool>,
    /// The policy's views after the step, [n, n_o], before any reset: truncated episodes are bootstrapped from them.
    pub next_o: Vec<f32>,
    /// The critic's views after the step, [n, n_s], before any reset.
    pub next_s: Vec<f32>,
    /// The policy's views before the next step, [n, n_o]: the first of a new episode where an episode ended.
    pub o: Vec<f32>,
    /// The critic's views before the next step, [n, n_s].
    pub s: Vec<f32>,
    /// The episodes that ended in this step, in the order of their environments.
    pub episodes: Vec<Episode>,
}

impl Step {
    fn new(n: usize, o: usize, s: usize) -> Self {
        Self {
            r: vec![0.0; n],
            terminated: vec![false; n],
            truncated: vec![false; n],
            dropped: vec![false; n],
            next_o: vec![0.0; n * o],
            next_s: vec![0.0; n * s],
            o: vec![0.0; n * o],
            s: vec![0.0; n * s],
            episodes: Vec::new(),
        }
    }

    /// Writes the rows of `part` into this step from row `row` on, and moves the episodes of `part` here.
    fn collect(&mut self, row: usize, part: &mut Step) {
        fn put<T: Copy>(to: &mut [T], row: usize, from: &[T], n: usize) {
            let at = row * from.len() / n;
            to[at..at + from.len()].copy_from_slice(from);
        }
        let n = part.r.len();
        put(&mut self.r, row, &part.r, n);
        put(&mut self.terminated, row, &part.terminated, n);
        put(&mut self.truncated, row, &part.truncated, n);
        put(&mut self.dropped, row, &part.dropped, n);
        put(&mut self.next_o, row, &part.next_o, n);
        put(&mut self.next_s, row, &part.next_s, n);
        put(&mut self.o, row, &part.o, n);
        put(&mut self.s, row, &part.s, n);
        self.episodes.append(&mut part.episodes);
    }
}

/// One environment, with its generator and its running episode.
struct Lane {
    index: usize,
    env: Guard,
    rng: Rng,
    r: f64,
    length: usize,
    /// Number of unstable steps in a row.
    streak: usize,
}

impl Lane {
    fn reset(&mut self, o: &mut [f32], s: &mut [f32]) -> Result<(), EnvError> {
        (self.r, self.length) = (0.0, 0);
        self.env.reset(&mut self.rng)?;
        self.env.observe(o, s)
    }

    /// Takes a step, writes row `i` of `step`, and resets the environment where the episode ended. Returns the
    /// complaint of an unstable step.
    fn step(&mut self, a: &[f32], i: usize, step: &mut Step) -> Result<Option<EnvError>, EnvError> {
        let n = step.r.len();
        let row = |width: usize| i * width / n..(i + 1) * width / n;
        let (row_o, row_s) = (row(step.o.len()), row(step.s.len()));
        let (next_o, next_s) = (&mut step.next_o[row_o.clone()], &mut step.next_s[row_s.clone()]);
        let (o, s) = (&mut step.o[row_o], &mut step.s[row_s]);
        let outcome = self.env.step(a, self.length + 1, &mut self.rng);
        let (outcome, complaint) = match outcome.and_then(|x| self.env.observe(next_o, next_s).map(|()| x)) {
            Ok(outcome) => {
                self.r += outcome.r;
                self.length += 1;
                self.streak = 0;
                (outcome, None)
            }
            Err(unstable @ EnvError::Unstable { .. }) => {
                self.streak += 1;
                next_o.copy_from_slice(o);
                next_s.copy_from_slice(s);
                (Outcome { r: 0.0, terminated: false, truncated: true }, Some(unstable))
            }
            Err(other) => return Err(other),
        };
        step.r[i] = outcome.r;
        step.terminated[i] = outcome.terminated;
        step.truncated[i] = outcome.truncated;
        step.dropped[i] = complaint.is_some();
        if outcome.terminated || outcome.truncated {
            step.episodes.push(Episode {
                env: self.index,
                r: self.r,
                length: self.length,
                metrics: self.env.metrics()?,
                unstable: complaint.is_some(),
            });
            self.reset(o, s)?;
        } else {
            o.copy_from_slice(next_o);
            s.copy_from_slice(next_s);
        }
        match complaint {
            Some(last) if self.streak > IN_A_ROW => {
                let (env, index, streak) = (self.env.spec().name.clone(), self.index, self.streak);
                let what =
                    format!("{streak} steps in a row of environment {index} were unstable; the last one: {last}");
                Err(EnvError::Budget { env, what })
            }
            complaint => Ok(complaint),
        }
    }
}

/// Neighbouring environments that one thread steps. A chunk travels to the thread and back, so that nothing is shared.
struct Chunk {
    lanes: Vec<Lane>,
    actions: Vec<f32>,
    step: Step,
    complaint: Option<EnvError>,
    error: Option<EnvError>,
}

impl Chunk {
    fn step(&mut self) {
        let Self { lanes, actions, step, complaint, error } = self;
        let a = actions.len() / lanes.len();
        for (i, lane) in lanes.iter_mut().enumerate() {
            if let Err(e) = lane.env.prepare(&actions[i * a..(i + 1) * a], lane.length + 1) {
                error.get_or_insert(e);
            }
        }
        if error.is_some() {
            return;
        }
        for (i, lane) in lanes.iter_mut().enumerate() {
            match lane.step(&actions[i * a..(i + 1) * a], i, step) {
                Ok(None) => {}
                Ok(unstable) => *complaint = unstable,
                Err(e) => drop(error.get_or_insert(e)),
            }
        }
    }
}

/// How often [`receive`] looks before it sleeps: for some fifty microseconds, about as long as the policy takes between
/// two steps.
const LOOKS: usize = 1000;

/// Receives as `from.recv()` does, but looks for a while before the thread sleeps: to wake a thread takes as long as to
/// step several environments. The thread does not yield meanwhile: where others want the core, each yield would cost as
/// much as all the waiting.
fn receive<T>(from: &Receiver<T>) -> Result<T, RecvError> {
    for _ in 0..LOOKS {
        match from.try_recv() {
            Ok(x) => return Ok(x),
            Err(TryRecvError::Empty) => std::hint::spin_loop(),
            Err(TryRecvError::Disconnected) => return Err(RecvError),
        }
    }
    from.recv()
}

/// A thread that steps the chunks that are sent to it, until the sender is dropped.
struct Worker {
    to: Sender<Chunk>,
    from: Receiver<Chunk>,
    thread: JoinHandle<()>,
}

impl Worker {
    fn new() -> Self {
        let (to, inbox) = channel::<Chunk>();
        let (outbox, from) = channel();
        let thread = std::thread::spawn(move || {
            while let Ok(mut chunk) = receive(&inbox) {
                chunk.step();
                if outbox.send(chunk).is_err() {
                    break;
                }
            }
        });
        Self { to, from, thread }
    }
}

/// n environments of one kind that are stepped as one.
///
/// Environment i draws from the stream `env/<i>` of the seed, and is reset as soon as its episode ends. The results do
/// not depend on the number of threads: one thread steps all environments in place, and k threads step k chunks of
/// neighbours. Environments that are not independent are stepped by one thread.
pub struct VecEnv {
    spec: Arc<EnvSpec>,
    chunks: Vec<Chunk>,
    /// A worker for each chunk but the first, which the calling thread steps.
    workers: Vec<Worker>,
    step: Step,
    steps: usize,
    unstable: usize,
    error: Option<EnvError>,
}

impl VecEnv {
    /// Takes at least one environment. `threads` is limited to 1..=n. The first call must be [`Self::reset_all`],
    /// unless a saved state is loaded. A description of an environment that makes no sense, or that differs from that
    /// of the others, is an error.
    pub fn new(envs: Vec<Box<dyn Env>>, seed: u64, threads: usize) -> Result<Self, EnvError> {
        assert!(!envs.is_empty(), "a VecEnv of no environments");
        let n = envs.len();
        let guards = Guard::all(envs)?;
        let spec = guards[0].spec().clone();
        let threads = match guards[0].look("is_independent", |env| env.is_independent())? {
            true => threads.clamp(1, n),
            false => 1,
        };
        let mut lanes = guards.into_iter().enumerate().map(|(index, env)| {
            let rng = Rng::new(seed, &format!("env/{index}"));
            Lane { index, env, rng, r: 0.0, length: 0, streak: 0 }
        });
        let (o, s, a) = (spec.o.len(), spec.s.len(), spec.low.len());
        let chunks: Vec<_> = (0..threads)
            .map(|k| {
                let n = (k + 1) * n / threads - k * n / threads;
                Chunk {
                    lanes: lanes.by_ref().take(n).collect(),
                    actions: vec![0.0; n * a],
                    step: Step::new(n, o, s),
                    complaint: None,
                    error: None,
                }
            })
            .collect();
        drop(lanes);
        let workers = (1..threads).map(|_| Worker::new()).collect();
        Ok(Self { spec, chunks, workers, step: Step::new(n, o, s), steps: 0, unstable: 0, error: None })
    }

    /// Returns the spec of every environment.
    pub fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    /// Returns the number of environments.
    #[expect(clippy::len_without_is_empty, reason = "there is always at least one")]
    pub fn len(&self) -> usize {
        self.step.r.len()
    }

    /// Returns environment `i`, to be drawn.
    pub fn env(&self, i: usize) -> &dyn Env {
        let lane = self.lanes().nth(i);
        lane.unwrap_or_else(|| panic!("environment {i} of {}", self.len())).env.inner()
    }

    /// Returns the lanes in the order of the environments.
    fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.chunks.iter().flat_map(|c| &c.lanes)
    }

    /// Returns the figures of the running episode of the first environment, by name.
    pub fn metrics(&self) -> Result<Vec<(&'static str, f64)>, EnvError> {
        self.chunks[0].lanes[0].env.metrics()
    }

    /// Tells whether the state holds the environments. Where it does not, they have to be reset after the state was
    /// loaded.
    pub fn can_be_saved(&self) -> bool {
        self.lanes().all(|lane| lane.env.inner().can_be_saved())
    }

    /// Truncates episodes after `limit` steps where that is earlier than the horizon.
    pub fn limit(&mut self, limit: usize) {
        self.chunks.iter_mut().flat_map(|c| &mut c.lanes).for_each(|lane| lane.env.limit(limit));
    }

    /// Tells whether an episode had to be truncated here because its environment did not end it.
    pub fn overran(&self) -> bool {
        self.lanes().any(|lane| lane.env.overran())
    }

    /// Returns the number of steps of all environments together, unstable steps included.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Returns the number of unstable steps of all environments together.
    pub fn unstable(&self) -> usize {
        self.unstable
    }

    /// Returns the policy's present views, [n, n_o].
    pub fn o(&self) -> &[f32] {
        &self.step.o
    }

    /// Returns the critic's present views, [n, n_s].
    pub fn s(&self) -> &[f32] {
        &self.step.s
    }

    /// Starts an episode in every environment; running episodes are abandoned and not reported. Environments whose
    /// snapshots differ in length are an error.
    pub fn reset_all(&mut self) -> Result<(), EnvError> {
        self.check()?;
        let (o, s) = (self.spec.o.len(), self.spec.s.len());
        let mut row = 0;
        for chunk in &mut self.chunks {
            for (i, lane) in chunk.lanes.iter_mut().enumerate() {
                lane.reset(&mut chunk.step.o[i * o..(i + 1) * o], &mut chunk.step.s[i * s..(i + 1) * s])?;
            }
            self.step.collect(row, &mut chunk.step);
            row += chunk.lanes.len();
        }
        self.step.episodes.clear();
        self.check_snapshots()
    }

    /// Refuses environments whose snapshots differ in length, or cannot be taken: what cannot be saved does not start.
    fn check_snapshots(&mut self) -> Result<(), EnvError> {
        let mut first = None;
        for lane in self.chunks.iter_mut().flat_map(|c| &mut c.lanes) {
            let length = lane.env.snapshot_len()?;
            let expected = *first.get_or_insert(length);
            if length != expected {
                let what = format!("its copies differ: a snapshot of one has {expected} numbers, of another {length}");
                return Err(EnvError::Invalid { env: self.spec.name.clone(), what });
            }
        }
        Ok(())
    }

    /// Takes one step in every environment with `actions`, [n, n_a].
    ///
    /// An unstable step ends its episode and is counted. An error is a fault of an environment, or
    /// [`EnvError::Budget`]: there were more than 10 unstable steps in a row in one environment, or more than 10 in all
    /// and more than one in 10,000.
    pub fn step(&mut self, actions: &[f32]) -> Result<&Step, EnvError> {
        self.check()?;
        let a = self.spec.low.len();
        assert_eq!(actions.len(), self.len() * a, "actions [{}] for [{}, {a}]", actions.len(), self.len());
        let mut rest = actions;
        for chunk in &mut self.chunks {
            let (mine, others) = rest.split_at(chunk.actions.len());
            chunk.actions.copy_from_slice(mine);
            rest = others;
        }
        for (worker, chunk) in self.workers.iter().zip(self.chunks.drain(1..)) {
            // A thread that has panicked takes no chunk; its panic is passed on below.
            let _ = worker.to.send(chunk);
        }
        self.chunks[0].step();
        for k in 0..self.workers.len() {
            match receive(&self.workers[k].from) {
                Ok(chunk) => self.chunks.push(chunk),
                Err(_) => match self.workers.swap_remove(k).thread.join() {
                    Err(panic) => std::panic::resume_unwind(panic),
                    Ok(()) => unreachable!("a thread stepped no chunk and did not panic"),
                },
            }
        }
        self.step.episodes.clear();
        let (mut row, mut complaint, mut error) = (0, None, None);
        for chunk in &mut self.chunks {
            self.step.collect(row, &mut chunk.step);
            row += chunk.lanes.len();
            complaint = chunk.complaint.take().or(complaint);
            error = error.or(chunk.error.take());
        }
        self.steps += row;
        self.unstable += self.step.dropped.iter().filter(|&&d| d).count();
        if let Some(error) = error {
            return Err(error);
        }
        match complaint {
            Some(last) if self.unstable > IN_ALL && self.unstable * ONE_IN > self.steps => {
                let (env, unstable, steps) = (self.spec.name.clone(), self.unstable, self.steps);
                let what =
                    format!("{unstable} of {steps} steps were unstable, more than 1 in {ONE_IN}; the last one: {last}");
                Err(EnvError::Budget { env, what })
            }
            _ => Ok(&self.step),
        }
    }

    /// Returns the first error of an environment that could not be saved or restored in a [`State::visit`], which
    /// itself cannot fail. The next reset or step would return the same error.
    pub fn check(&mut self) -> Result<(), EnvError> {
        let mut faults = self.chunks.iter_mut().flat_map(|c| &mut c.lanes).filter_map(|lane| lane.env.fault());
        let first = faults.next();
        drop(faults);
        self.error.take().or(first).map_or(Ok(()), Err)
    }
}

impl State for VecEnv {
    /// Visits `o`, `s`, the counters and, in the scope `lanes`, all environments: each column of all of them is one
    /// item, row after row, so that the number of items grows neither with the environments nor with the threads. The
    /// other results of the last step are no state.
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { spec: _, chunks, workers: _, step, steps, unstable, error } = self;
        v.count("steps", steps);
        v.count("unstable", unstable);
        let Step { r, terminated: _, truncated: _, dropped: _, next_o: _, next_s: _, o, s, episodes: _ } = step;
        v.item("o", Data::F32(o));
        v.item("s", Data::F32(s));
        let (o_size, s_size) = (o.len() / r.len(), s.len() / r.len());
        let mut lanes = Vec::new();
        for chunk in chunks {
            let Chunk { lanes: of_chunk, actions: _, step, complaint: _, error: _ } = chunk;
            let (first, n) = (of_chunk[0].index, of_chunk.len());
            step.o.copy_from_slice(&o[first * o_size..(first + n) * o_size]);
            step.s.copy_from_slice(&s[first * s_size..(first + n) * s_size]);
            lanes.extend(of_chunk);
        }

        let (mut snapshots, mut keys, mut returns) = (Vec::new(), Vec::new(), Vec::new());
        let (mut lengths, mut streaks, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
        for lane in &mut lanes {
            let Lane { index: _, env, rng, r, length, streak } = lane;
            let snapshot = env.snapshot();
            numbers.push(snapshot.len());
            snapshots.extend(snapshot);
            keys.extend(rng.words());
            returns.push(*r);
            lengths.push(*length as u64);
            streaks.push(*streak as u64);
        }
        let (snapshots_before, keys_before) = (snapshots.clone(), keys.clone());
        v.enter("lanes");
        v.item_of_env("env", &mut snapshots);
        v.item("rng", Data::U64(&mut keys));
        v.item_of_env("r", &mut returns);
        v.item("length", Data::U64(&mut lengths));
        v.item("streak", Data::U64(&mut streaks));
        v.leave();

        let keys = keys_before.as_chunks::<6>().0.iter().zip(keys.as_chunks::<6>().0);
        let counters = returns.iter().zip(lengths.iter().zip(&streaks));
        let mut at = 0;
        for (((lane, n), (before, after)), (r, (length, streak))) in
            lanes.into_iter().zip(numbers).zip(keys).zip(counters)
        {
            // Saving must not disturb: what the visitor left as it was is not set.
            if before != after {
                lane.rng.set_words(*after);
            }
            (lane.r, lane.length, lane.streak) = (*r, *length as usize, *streak as usize);
            let numbers = at..at + n;
            at = numbers.end;
            let (before, after) = (&snapshots_before[numbers.clone()], &snapshots[numbers]);
            if before.iter().zip(after).any(|(x, y)| x.to_bits() != y.to_bits())
                && let Err(e) = lane.env.restore(after)
            {
                error.get_or_insert(e);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::{Options, Registry};
    use crate::state::digest;

    fn make(name: &str, n: usize, seed: u64, threads: usize) -> VecEnv {
        let envs = (0..n).map(|_| Registry::new().make(name, &Options::new()).unwrap()).collect();
        let mut envs = VecEnv::new(envs, seed, threads).unwrap();
        envs.reset_all().unwrap();
        envs
    }

    fn actions(n: usize, t: usize) -> Vec<f32> {
        (0..n).map(|i| 2.0 * (0.3 * t as f32 + i as f32).sin()).collect()
    }

    /// A visitor that saves every item, or writes the saved items back.
    #[derive(Default)]
    struct Tape {
        items: Vec<Vec<u64>>,
        at: Option<usize>,
    }

    impl Tape {
        fn each<T: Copy>(&mut self, x: &mut [T], save: fn(T) -> u64, load: fn(u64) -> T) {
            let Some(at) = &mut self.at else {
                return self.items.push(x.iter().map(|&x| save(x)).collect());
            };
            assert_eq!(x.len(), self.items[*at].len());
            x.iter_mut().zip(&self.items[*at]).for_each(|(x, &y)| *x = load(y));
            *at += 1;
        }
    }

    impl Visitor for Tape {
        fn item(&mut self, _: &str, data: Data<'_>) {
            match data {
                Data::F32(x) => self.each(x, |x| x.to_bits() as u64, |x| f32::from_bits(x as u32)),
                Data::F64(x) => self.each(x, f64::to_bits, f64::from_bits),
                Data::U64(x) => self.each(x, |x| x, |x| x),
                Data::U8(x) => self.each(x, |x| x as u64, |x| x as u8),
            }
        }
        fn enter(&mut self, _: &str) {}
        fn leave(&mut self) {}
    }

    /// An environment that is unstable in the steps for which `unstable` holds. Its observation is the number of steps
    /// of the episode.
    struct Scripted {
        spec: EnvSpec,
        unstable: fn(usize) -> bool,
        total: usize,
        t: usize,
        nan: bool,
    }

    impl Scripted {
        /// Ends an episode after 1000 steps by itself.
        fn boxed(unstable: fn(usize) -> bool, nan: bool) -> Box<dyn Env> {
            Self::with_horizon(unstable, nan, 1000)
        }
        fn with_horizon(unstable: fn(usize) -> bool, nan: bool, horizon: usize) -> Box<dyn Env> {
            let mut spec = Registry::new().make("TMaze-v0", &Options::new()).unwrap().spec().clone();
            (spec.name, spec.o, spec.s) = ("Scripted".into(), vec!["t".into()], vec!["t".into()]);
            spec.horizon = horizon;
            Box::new(Self { spec, unstable, total: 0, t: 0, nan })
        }
    }

    impl Env for Scripted {
        fn spec(&self) -> &EnvSpec {
            &self.spec
        }
        fn reset(&mut self, _: &mut Rng) -> Result<(), EnvError> {
            self.t = 0;
            Ok(())
        }
        fn step(&mut self, _: &[f32], _: &mut Rng) -> Result<Outcome, EnvError> {
            (self.total, self.t) = (self.total + 1, self.t + 1);
            let (r, unstable) = (1.0, (self.unstable)(self.total));
            if unstable && !self.nan {
                return Err(EnvError::Unstable { env: "Scripted".into(), step: self.t, what: "as written".into() });
            }
            let r = if unstable { f64::NAN } else { r };
            Ok(Outcome { r, terminated: false, truncated: self.t == 1000 })
        }
        fn observe(&self, o: &mut [f32], s: &mut [f32]) {
            (o[0], s[0]) = (self.t as f32, self.t as f32);
        }
        fn snapshot(&self) -> Vec<f64> {
            vec![self.total as f64, self.t as f64]
        }
        fn restore(&mut self, state: &[f64]) -> Result<(), EnvError> {
            if state[1] < 0.0 {
                return Err(EnvError::Invalid { env: "Scripted".into(), what: "time is negative".into() });
            }
            (self.total, self.t) = (state[0] as usize, state[1] as usize);
            Ok(())
        }
    }

    /// 1, 2, 3 and 8 threads give the same bits, in what a step returns and in the state.
    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        for (name, n) in [("PendulumPOMDP-v1", 7), ("TMaze-v0", 5)] {
            let run = |threads| {
                let mut envs = make(name, n, 5, threads);
                let steps: Vec<Step> = (0..450).map(|t| envs.step(&actions(n, t)).unwrap().clone()).collect();
                (steps, digest(&mut envs))
            };
            let first = run(1);
            let length = if name == "TMaze-v0" { 11 } else { 200 };
            assert_eq!(first.0.iter().map(|s| s.episodes.len()).sum::<usize>(), n * (450 / length));
            for threads in [2, 3, 8] {
                assert!(run(threads) == first, "{name} on {threads} threads");
            }
        }
    }

    /// Each environment has a stream of its own, and equals the same environment stepped alone.
    #[test]
    fn an_environment_does_not_see_its_neighbours() {
        let mut envs = make("PendulumPOMDP-v1", 3, 9, 1);
        for i in 0..3 {
            let mut alone = Registry::new().make("PendulumPOMDP-v1", &Options::new()).unwrap();
            alone.reset(&mut Rng::new(9, &format!("env/{i}"))).unwrap();
            assert_eq!(alone.snapshot(), envs.env(i).snapshot());
        }
        assert_ne!(envs.env(0).snapshot(), envs.env(1).snapshot());
        let steps: Vec<Step> = (0..200).map(|t| envs.step(&actions(3, t)).unwrap().clone()).collect();
        for i in 0..3 {
            let mut alone = Registry::new().make("PendulumPOMDP-v1", &Options::new()).unwrap();
            let (mut total, mut rng) = (0.0, Rng::new(9, &format!("env/{i}")));
            alone.reset(&mut rng).unwrap();
            for (t, step) in steps.iter().enumerate() {
                let outcome = alone.step(&actions(3, t)[i..=i], &mut rng).unwrap();
                assert_eq!((step.r[i], step.truncated[i]), (outcome.r, outcome.truncated));
                total += outcome.r;
            }
            let ended = Episode { env: i, r: total, length: 200, metrics: vec![], unstable: false };
            assert_eq!(steps[199].episodes[i], ended);
        }
    }

    /// Where an episode ends, `next_o` is its true last view and `o` the first of the next episode; elsewhere they
    /// agree.
    #[test]
    fn an_automatic_reset_keeps_the_true_next_observation() {
        let mut envs = make("TMaze-v0", 2, 0, 2);
        for t in 1..=33 {
            let step = envs.step(&[1.0, -1.0]).unwrap();
            let ended = t % 11 == 0;
            assert_eq!(step.terminated, [ended; 2]);
            assert_eq!(step.episodes.len(), if ended { 2 } else { 0 });
            for i in 0..2 {
                let (next_o, o) = (&step.next_o[3 * i..][..3], &step.o[3 * i..][..3]);
                if ended {
                    assert_eq!(next_o, [0.0, 1.0, 1.0]);
                    assert_eq!((o[0].abs(), &o[1..]), (1.0, &[0.0, 0.0][..]));
                    assert_eq!(step.s[4 * i + 3], o[0]);
                    let Episode { env, r, length, ref metrics, unstable } = step.episodes[i];
                    assert_eq!((env, r, length, unstable), (i, step.r[i], 11, false));
                    assert_eq!(metrics[..], [("success", (r > 0.0) as u8 as f64)]);
                } else {
                    assert_eq!(next_o, o);
                }
            }
        }
    }

    /// A run that is saved in the middle of an episode, and restored elsewhere on another number of threads, continues
    /// to the bit; and saving does not disturb the run.
    #[test]
    fn a_saved_run_continues_to_the_bit() {
        for name in ["PendulumPOMDP-v1", "TMaze-v0"] {
            let mut envs = make(name, 4, 1, 2);
            (0..137).for_each(|t| drop(envs.step(&actions(4, t)).unwrap().clone()));
            let mut tape = Tape::default();
            envs.visit(&mut tape);
            let run = |envs: &mut VecEnv| -> Vec<Step> {
                (137..600).map(|t| envs.step(&actions(4, t)).unwrap().clone()).collect()
            };
            let mut other = make(name, 4, 2, 3);
            (0..5).for_each(|t| drop(other.step(&actions(4, t)).unwrap().clone()));
            tape.at = Some(0);
            other.visit(&mut tape);
            other.check().unwrap();
            assert_eq!((other.o(), other.s(), other.steps()), (envs.o(), envs.s(), 4 * 137));
            assert!(run(&mut other) == run(&mut envs), "{name}");
            assert_eq!(digest(&mut other), digest(&mut envs));
        }
    }

    /// A state that an environment refuses is reported once.
    #[test]
    fn a_refused_state_is_reported() {
        let mut envs = VecEnv::new(vec![Scripted::boxed(|_| false, false)], 0, 1).unwrap();
        envs.reset_all().unwrap();
        let mut tape = Tape::default();
        envs.visit(&mut tape);
        tape.items.iter_mut().filter(|x| x.len() == 2).for_each(|x| x[1] = (-1f64).to_bits());
        tape.at = Some(0);
        envs.visit(&mut tape);
        assert!(envs.step(&[0.0]).is_err_and(|e| e.to_string().contains("time is negative")));
        envs.check().unwrap();
    }

    /// An unstable step, announced or seen by a number that is not finite, is dropped and counted, and its environment
    /// starts again; its neighbours do not notice.
    #[test]
    fn an_unstable_step_is_dropped_and_counted() {
        for nan in [false, true] {
            let envs = vec![Scripted::boxed(|_| false, nan), Scripted::boxed(|t| t % 4 == 0, nan)];
            let mut envs = VecEnv::new(envs, 0, 2).unwrap();
            envs.reset_all().unwrap();
            for t in 1..=12 {
                let step = envs.step(&[0.0; 2]).unwrap();
                let dropped = t % 4 == 0;
                assert_eq!(step.dropped, [false, dropped]);
                assert_eq!((step.truncated[1], step.terminated[1]), (dropped, false));
                assert_eq!(step.r, [1.0, !dropped as u8 as f64]);
                assert_eq!(step.next_o, [t as f32, if dropped { 3.0 } else { (t % 4) as f32 }]);
                assert_eq!(step.o, [t as f32, (t % 4) as f32]);
                let episode = Episode { env: 1, r: 3.0, length: 3, metrics: vec![], unstable: true };
                assert_eq!(step.episodes, if dropped { vec![episode] } else { vec![] });
            }
            assert_eq!((envs.unstable(), envs.steps()), (3, 24));
        }
    }

    /// 10 unstable steps in a row pass and the 11th stops the run; one in 10,000 passes for ever; one in 5,000 stops
    /// the run as soon as there are 11.
    #[test]
    fn unstable_steps_have_a_budget() {
        let stop = |unstable: fn(usize) -> bool, most: usize| {
            let mut envs = VecEnv::new(vec![Scripted::boxed(unstable, false)], 0, 1).unwrap();
            envs.reset_all().unwrap();
            (1..=most).find(|_| envs.step(&[0.0]).is_err_and(|e| matches!(e, EnvError::Budget { .. })))
        };
        assert_eq!(stop(|t| (5..15).contains(&t), 1000), None);
        assert_eq!(stop(|t| (5..16).contains(&t), 1000), Some(15));
        assert_eq!(stop(|t| t % 10_000 == 0, 300_000), None);
        assert_eq!(stop(|t| t % 5_000 == 0, 300_000), Some(55_000));
    }

    /// Running episodes can be abandoned: every environment starts again and nothing is reported.
    #[test]
    fn a_reset_abandons_the_running_episodes() {
        let mut envs = make("TMaze-v0", 3, 0, 2);
        (0..4).for_each(|_| drop(envs.step(&[0.0; 3]).unwrap().clone()));
        envs.reset_all().unwrap();
        assert!(envs.o().chunks(3).all(|o| o[0] != 0.0 && o[2] == 0.0));
        for t in 1..=11 {
            assert_eq!(envs.step(&[0.5; 3]).unwrap().episodes.len(), if t == 11 { 3 } else { 0 });
        }
    }

    /// A panic in an environment, on another thread or on this one, is an error that names the environment, the step
    /// and the words of the panic; its neighbours have taken their step.
    #[test]
    fn a_panic_in_an_environment_is_its_error() {
        for place in [0, 1] {
            let broken = Scripted::boxed(|t| if t == 3 { panic!("as\n  written") } else { false }, false);
            let mut envs = vec![Scripted::boxed(|_| false, false), broken];
            envs.rotate_left(place);
            let mut envs = VecEnv::new(envs, 0, 2).unwrap();
            envs.reset_all().unwrap();
            (0..2).for_each(|_| drop(envs.step(&[0.0; 2]).unwrap().clone()));
            let error = envs.step(&[0.0; 2]).unwrap_err();
            assert!(matches!(error, EnvError::Failed { .. }));
            let expected = "Scripted: the environment's own code failed in `step` at step 3 of the episode: as written";
            assert!(error.to_string().starts_with(expected), "{error}");
            assert_eq!(envs.env(place).snapshot(), [3.0, 3.0]);
        }
    }

    /// An episode that its environment does not end is truncated at the horizon, or at an earlier limit, and this is
    /// known; one that ends by itself is left alone.
    #[test]
    fn an_episode_is_truncated_at_the_horizon() {
        for (limit, length) in [(usize::MAX, 11), (4, 4)] {
            let mut envs = VecEnv::new(vec![Scripted::with_horizon(|_| false, false, 11)], 0, 1).unwrap();
            envs.limit(limit);
            envs.reset_all().unwrap();
            for t in 1..=3 * length {
                let step = envs.step(&[0.0]).unwrap();
                let ended = t % length == 0;
                assert_eq!((step.truncated[0], step.terminated[0], step.dropped[0]), (ended, false, false));
                assert_eq!(step.next_o[0], ((t - 1) % length + 1) as f32, "the true last view");
                assert_eq!(step.episodes.iter().map(|e| e.length).sum::<usize>(), if ended { length } else { 0 });
                assert_eq!(envs.overran(), t >= length);
            }
        }
        let mut envs = make("TMaze-v0", 1, 0, 1);
        (0..33).for_each(|_| drop(envs.step(&[0.0]).unwrap().clone()));
        assert!(!envs.overran());
    }

    /// A number that is not finite, that is beyond single precision, or that was not written, is named.
    #[test]
    fn what_is_not_finite_is_named() {
        struct Odd(EnvSpec, &'static str);
        impl Env for Odd {
            fn spec(&self) -> &EnvSpec {
                &self.0
            }
            fn reset(&mut self, _: &mut Rng) -> Result<(), EnvError> {
                Ok(())
            }
            fn step(&mut self, _: &[f32], _: &mut Rng) -> Result<Outcome, EnvError> {
                let r = if self.1 == "reward" { 1e300 } else { 0.0 };
                Ok(Outcome { r, terminated: false, truncated: false })
            }
            fn observe(&self, o: &mut [f32], s: &mut [f32]) {
                o[0] = if self.1 == "infinite" { f32::INFINITY } else { 0.0 };
                let written = if self.1 == "unwritten" { 2 } else { 3 };
                s[..written].fill(0.0);
                o[1..].fill(0.0);
            }
            fn snapshot(&self) -> Vec<f64> {
                vec![0.0; if self.1 == "long" { 2 } else { 1 }]
            }
            fn restore(&mut self, _: &[f64]) -> Result<(), EnvError> {
                Ok(())
            }
        }
        let spec = Registry::new().make("PendulumPOMDP-v1", &Options::new()).unwrap().spec().clone();
        let odd = |kind| -> Box<dyn Env> { Box::new(Odd(spec.clone(), kind)) };
        let error = |kinds: &[&'static str]| {
            let mut envs = VecEnv::new(kinds.iter().map(|kind| odd(kind)).collect(), 0, 1).unwrap();
            let error =
                envs.reset_all().and_then(|()| (0..11).try_for_each(|_| envs.step(&vec![0.0; kinds.len()]).map(drop)));
            error.unwrap_err().to_string()
        };
        assert!(error(&["reward"]).contains("the reward is 1e300, which single precision cannot hold"));
        assert!(error(&["infinite"]).contains("at step 0 of the episode (the entry `cos` of `o` is inf)"));
        assert!(error(&["unwritten"]).contains("the entry `velocity` of `s` was not written"));
        assert!(error(&["", "long"]).contains("a snapshot of one has 1 numbers, of another 2"));
    }
}
