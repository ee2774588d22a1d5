//! A replay buffer: the transitions of many policies, from which batches are drawn.

use std::rc::Rc;

use super::show::{self, Rows, Step};
use super::{Buffer, Transition};
use crate::nn::{Frozen, Standardiser, Tensor};
use crate::policy::{Context, Extended, Memory, StatefulPolicy};
use crate::rng::Rng;
use crate::state::{Data, State, Visitor};

/// Sizes of a [`Replay`], and how its rows are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplayShape {
    /// Number of steps that are kept, of all environments together. The end of an episode takes the place of one step
    /// too.
    pub size: usize,
    /// Number of environments.
    pub envs: usize,
    /// Entries of the observation.
    pub o: usize,
    /// Entries of the critic's view; 0 where the critic sees the observation.
    pub s: usize,
    /// Entries of the action.
    pub a: usize,
    /// What the policy remembers; it decides whether a row is shown alone or as the last of a window.
    pub memory: Memory,
    /// Whether the window of a next observation is made of next observations alone, so that near the start of an
    /// episode the window misses the first observation (D29).
    pub misalign_next_windows: bool,
}

impl ReplayShape {
    /// Returns the number of places in the ring of each environment. One place more than the steps need holds what the
    /// newest step led to.
    fn frames(&self) -> usize {
        self.size.div_ceil(self.envs) + 1
    }

    /// Returns the bytes of memory that a buffer of this shape takes.
    pub fn bytes(&self) -> usize {
        let numbers = self.o + self.s + self.a + self.memory.state() + 1;
        (self.envs * self.frames()).saturating_mul(numbers * size_of::<f32>() + 1)
    }
}

/// Flag of a frame that is the first of an episode.
const FIRST: u8 = 1;
/// Flag of a frame that holds what the last step of an episode led to, and no step.
const END: u8 = 2;
/// Flag of a frame with whose step the task ended.
const TERMINATED: u8 = 4;
/// Flag of a frame with whose step a segment ends, and of a frame that holds no step.
const CLOSES: u8 = 8;

/// A replay buffer that keeps a ring of frames for each environment.
///
/// A frame holds what was seen (o, s, z) and what followed, the action and the reward (a, r). What a step led to is
/// always the next frame: nothing is stored twice except at the end of an episode, where one more frame holds the true
/// next o, s and z'. So a refreshed z' is the z of the next step, and never reaches another episode. A ring overwrites
/// its oldest frames; no window, previous action or refresh reaches across the place where the newest frame meets the
/// oldest. Views are kept as they were seen: one view is shown in one form in every batch, whenever it was stored.
#[derive(Clone, Debug)]
pub struct Replay {
    shape: ReplayShape,
    o: Vec<f32>,
    s: Vec<f32>,
    /// The states z, or h.
    state: Vec<f32>,
    a: Vec<f32>,
    r: Vec<f32>,
    flags: Vec<u8>,
    /// The place at which each environment writes its next frame.
    head: Vec<u64>,
    /// The number of valid frames before `head`, of each environment.
    filled: Vec<u64>,
    /// The number of valid frames that hold a step, of each environment.
    steps: Vec<u64>,
    /// Whether the next frame of each environment starts an episode.
    fresh: Vec<bool>,
    /// The rows of the last batch, for a report on a divergence.
    batch: Vec<usize>,
    /// The statistics with which o and s are shown; None where they are shown as they were seen.
    statistics: Option<[Frozen; 2]>,
}

impl Replay {
    /// Makes an empty buffer. The system grants its memory as the buffer fills.
    pub fn new(shape: ReplayShape) -> Self {
        let frames = shape.envs * shape.frames();
        let floats = |n: usize| vec![0.0; frames * n];
        Self {
            shape,
            o: floats(shape.o),
            s: floats(shape.s),
            state: floats(shape.memory.state()),
            a: floats(shape.a),
            r: floats(1),
            flags: vec![0; frames],
            head: vec![0; shape.envs],
            filled: vec![0; shape.envs],
            steps: vec![0; shape.envs],
            fresh: vec![true; shape.envs],
            batch: Vec::new(),
            statistics: None,
        }
    }

    /// Returns the sizes of the buffer.
    pub fn shape(&self) -> ReplayShape {
        self.shape
    }

    /// Returns the numbers of entries of a and of z', the parts of u; the latter is 0 where the policy draws no state.
    pub fn drawn(&self) -> (usize, usize) {
        (self.shape.a, self.shape.memory.drawn())
    }

    /// Returns every row that can be drawn, environment after environment, in the order of time.
    pub fn rows(&self) -> Vec<usize> {
        let of = |e: usize| (0..self.filled[e] as usize).map(move |i| self.frame(e, i));
        (0..self.shape.envs).flat_map(of).filter(|&k| self.is_drawable(k)).collect()
    }

    /// Draws `n` rows, uniformly with replacement. Where episodes are cut into segments, whole segments are drawn until
    /// they have `n` rows or more; they are packed. Panics where the buffer is empty.
    pub fn sample(&mut self, n: usize, rng: &mut Rng) -> Vec<usize> {
        let all: u64 = self.filled.iter().sum();
        let draw = || {
            let mut i = rng.below(all as usize);
            let mut e = 0;
            while i >= self.filled[e] as usize {
                i -= self.filled[e] as usize;
                e += 1;
            }
            self.frame(e, i)
        };
        let mut rows = std::iter::repeat_with(draw).filter(|&k| self.is_drawable(k));
        let rows = if self.has_segments() {
            let (mut segments, mut left) = (Vec::new(), n);
            // A segment is drawn by its last row, so that all are drawn equally often, and so are all rows.
            while left > 0 {
                let last = rows.find(|&k| self.is_last(k)).expect("draws go on");
                let mut segment = vec![last];
                while !self.begins(segment[segment.len() - 1]) {
                    segment.push(self.previous(segment[segment.len() - 1]));
                }
                segment.reverse();
                left = left.saturating_sub(segment.len());
                segments.push(segment);
            }
            show::pack(segments)
        } else {
            rows.take(n).collect()
        };
        self.batch.clone_from(&rows);
        rows
    }

    /// Returns the number of rows of the batch `rows` that are shown together, at most `size` where rows are shown
    /// alone.
    pub fn together(&self, rows: &[usize], size: usize) -> usize {
        if self.has_segments() { rows.len() } else { size }
    }

    /// Computes the states inside the segments `rows` anew, from the start of each, as `policy` does now.
    pub fn renew(&mut self, policy: &impl StatefulPolicy, rows: &[usize]) {
        if self.has_segments() {
            let dist = policy.dist(&self.policy_context(rows));
            let states = dist.z.map(|z| z.mean).or(dist.h).expect("a policy with segments has a state");
            let n = self.shape.memory.z();
            for (state, &k) in states.data().chunks_exact(n).zip(rows) {
                if !self.closes(k) {
                    let next = self.next(k);
                    self.state[next * n..(next + 1) * n].copy_from_slice(state);
                }
            }
        }
    }

    fn has_segments(&self) -> bool {
        self.shape.memory.segment().is_some()
    }

    /// Tells whether a segment ends with the step of frame k.
    fn closes(&self, k: usize) -> bool {
        self.flags[k] & CLOSES != 0
    }

    /// Tells whether row k is the last of its segment that there is.
    fn is_last(&self, k: usize) -> bool {
        let (next, e) = (self.next(k), k / self.shape.frames());
        self.closes(k) || self.flags[next] & END != 0 || next % self.shape.frames() == self.head[e] as usize
    }

    /// Tells whether row k is the first of its segment that there is.
    fn begins(&self, k: usize) -> bool {
        let before = self.previous(k);
        self.flags[k] & FIRST != 0 || self.closes(before) || !self.is_drawable(before)
    }

    /// Returns whether the next state is drawn with each of `frames`, where it is with some alone.
    fn draws(&self, frames: impl Iterator<Item = usize>) -> Option<Rc<[bool]>> {
        self.has_segments().then(|| frames.map(|k| self.closes(k)).collect())
    }

    /// Returns x of the rows `rows` as the policy is shown it: whole segments where episodes are cut into segments.
    pub fn policy_context(&self, rows: &[usize]) -> Context {
        if !self.has_segments() {
            return self.context(rows);
        }
        let counts = show::counts(rows, |k| self.begins(k), |k| self.next(k));
        let first: Vec<f32> = rows[..counts[0]].iter().flat_map(|&k| self.state(Step::Now(k))).copied().collect();
        Context {
            z: Some(Tensor::new(counts[0], self.shape.memory.z(), &first)),
            drawn: self.draws(rows.iter().copied()),
            segments: Some(counts.into()),
            ..self.context(rows)
        }
    }

    /// Returns x of the rows `rows`.
    pub fn context(&self, rows: &[usize]) -> Context {
        show::context(self, self.shape.memory, &rows.iter().map(|&k| Step::Now(k)).collect::<Vec<_>>())
    }

    /// Returns the true next x of the rows `rows`: the next observation, z', and the action of the row as the previous
    /// action.
    pub fn next_context(&self, rows: &[usize]) -> Context {
        let x = show::context(self, self.shape.memory, &rows.iter().map(|&k| Step::Next(k)).collect::<Vec<_>>());
        Context { drawn: self.draws(rows.iter().map(|&k| self.next(k))), ..x }
    }

    /// Returns u = (a, z') of the rows `rows`.
    pub fn extended(&self, rows: &[usize]) -> Extended {
        show::extended(self, rows)
    }

    /// Shows views from now on with the statistics with which `other` shows them.
    pub fn standardise_as(&mut self, other: &Self) {
        self.statistics.clone_from(&other.statistics);
    }

    /// Returns the reward of row `k`.
    pub fn r(&self, k: usize) -> f32 {
        self.r[k]
    }

    /// Tells whether the task ended with row `k`.
    pub fn terminated(&self, k: usize) -> bool {
        self.flags[k] & TERMINATED != 0
    }

    /// Replaces the stored z' of the rows `rows`, one after the other, by `tau` z + (1 - `tau`) z', where `z`, [rows,
    /// n_z], holds the new states. Returns the root mean square of z - z', which tells how stale the stored states
    /// were. Where episodes are cut into segments, these are the states at the ends of segments. Returns None and
    /// changes nothing where there is no such state, or `tau` is 0.
    pub fn refresh(&mut self, rows: &[usize], z: &[f32], tau: f64) -> Option<f64> {
        let n = self.shape.memory.z();
        if n == 0 || tau == 0.0 {
            return None;
        }
        assert_eq!(z.len(), rows.len() * n, "a state of {n} numbers for each of {} rows", rows.len());
        let (tau, rest) = (tau as f32, (1.0 - tau) as f32);
        let (mut squares, mut replaced) = (0.0, 0);
        // States inside segments are computed anew whenever they are shown.
        let at_ends = z.chunks_exact(n).zip(rows).filter(|(_, k)| !self.has_segments() || self.closes(**k));
        for (z, &k) in at_ends.collect::<Vec<_>>() {
            replaced += 1;
            let next = self.next(k);
            for (stored, z) in self.state[next * n..(next + 1) * n].iter_mut().zip(z) {
                squares += f64::from(z - *stored).powi(2);
                // A stored number may not be finite, and zero times such a number is not zero.
                *stored = if rest == 0.0 { *z } else { tau * z + rest * *stored };
            }
        }
        (replaced > 0).then(|| (squares / (replaced * n) as f64).sqrt())
    }

    /// Returns the frame that comes `i` places after the oldest frame of environment e.
    fn frame(&self, e: usize, i: usize) -> usize {
        let frames = self.shape.frames();
        e * frames + (self.head[e] as usize + frames - self.filled[e] as usize + i) % frames
    }

    fn next(&self, k: usize) -> usize {
        let frames = self.shape.frames();
        if (k + 1).is_multiple_of(frames) { k + 1 - frames } else { k + 1 }
    }

    fn previous(&self, k: usize) -> usize {
        let frames = self.shape.frames();
        if k.is_multiple_of(frames) { k + frames - 1 } else { k - 1 }
    }

    /// Tells whether frame k is the oldest of its environment, so that the frame before is lost.
    fn is_oldest(&self, k: usize) -> bool {
        k == self.frame(k / self.shape.frames(), 0)
    }

    /// Tells whether row k holds a step whose previous action is known.
    fn is_drawable(&self, k: usize) -> bool {
        self.flags[k] & END == 0 && (self.flags[k] & FIRST != 0 || !self.is_oldest(k))
    }

    /// Returns the frame in which a step is stored.
    fn place(&self, step: Step) -> usize {
        match step {
            Step::Now(k) => k,
            Step::Next(k) => self.next(k),
        }
    }

    /// Writes what environment e sees into the frame at the environment's head, and returns the frame.
    fn see(&mut self, e: usize, o: &[f32], s: &[f32], state: &[f32], flags: u8) -> usize {
        let k = e * self.shape.frames() + self.head[e] as usize;
        let write = |table: &mut Vec<f32>, x: &[f32]| table[k * x.len()..(k + 1) * x.len()].copy_from_slice(x);
        write(&mut self.o, o);
        write(&mut self.s, s);
        write(&mut self.state, state);
        self.flags[k] = flags;
        k
    }

    /// Makes the frame at the head of environment e valid, and drops the oldest frame where the ring is full.
    fn advance(&mut self, e: usize) {
        let frames = self.shape.frames();
        let k = e * frames + self.head[e] as usize;
        self.steps[e] += u64::from(self.flags[k] & END == 0);
        self.head[e] = (self.head[e] + 1) % frames as u64;
        if (self.filled[e] as usize) < frames - 1 {
            self.filled[e] += 1;
        } else {
            let lost = e * frames + self.head[e] as usize;
            self.steps[e] -= u64::from(self.flags[lost] & END == 0);
        }
    }

    /// Ends the running episode of environment e after the last step.
    fn end(&mut self, e: usize) {
        if !self.fresh[e] {
            let k = e * self.shape.frames() + self.head[e] as usize;
            self.flags[k] = END | (self.flags[k] & CLOSES);
            self.advance(e);
            self.fresh[e] = true;
        }
    }
}

/// Returns row k of a table with `n` columns.
fn row(table: &[f32], n: usize, k: usize) -> &[f32] {
    &table[k * n..(k + 1) * n]
}

impl Rows for Replay {
    fn memory(&self) -> Memory {
        self.shape.memory
    }

    fn sizes(&self) -> [usize; 3] {
        [self.shape.o, self.shape.s, self.shape.a]
    }

    fn shows_a_prev(&self) -> bool {
        self.shape.memory.shows_a_prev()
    }

    fn misaligns_next_windows(&self) -> bool {
        self.shape.misalign_next_windows
    }

    fn before(&self, k: usize, len: usize, to: &mut Vec<usize>) {
        let start = to.len();
        to.push(k);
        let mut first = k;
        while to.len() - start < len && self.flags[first] & FIRST == 0 && self.is_drawable(self.previous(first)) {
            first = self.previous(first);
            to.push(first);
        }
        to[start..].reverse();
    }

    fn o(&self, step: Step) -> &[f32] {
        row(&self.o, self.shape.o, self.place(step))
    }

    fn s(&self, step: Step) -> &[f32] {
        row(&self.s, self.shape.s, self.place(step))
    }

    fn standardise_o(&self, o: &mut [f32]) {
        if let Some([of_o, _]) = &self.statistics {
            of_o.apply(o);
        }
    }

    fn standardise_s(&self, s: &mut [f32]) {
        if let Some([_, of_s]) = &self.statistics {
            of_s.apply(s);
        }
    }

    fn state(&self, step: Step) -> &[f32] {
        row(&self.state, self.shape.memory.state(), self.place(step))
    }

    fn a_prev(&self, step: Step) -> Option<&[f32]> {
        let k = self.place(step);
        (self.flags[k] & FIRST == 0).then(|| self.a(self.previous(k)))
    }

    fn a(&self, k: usize) -> &[f32] {
        row(&self.a, self.shape.a, k)
    }
}

impl Buffer for Replay {
    fn push(&mut self, t: &Transition<'_>) {
        let shape = self.shape;
        let states = if self.shape.memory.z() > 0 { (t.z, t.z_next) } else { (t.h, t.h_next) };
        for e in 0..shape.envs {
            if t.dropped[e] {
                self.end(e);
                continue;
            }
            let s = |s| if shape.s > 0 { row(s, shape.s, e) } else { &[][..] };
            let first = if self.fresh[e] { FIRST } else { 0 };
            let terminated = if t.terminated[e] { TERMINATED } else { 0 };
            let state = shape.memory.state();
            let closes = |closes: bool| if closes { CLOSES } else { 0 };
            let ends = closes(t.closes.get(e).is_some_and(|&closes| closes));
            let k = self.see(e, row(t.o, shape.o, e), s(t.s), row(states.0, state, e), first | terminated | ends);
            self.a[k * shape.a..(k + 1) * shape.a].copy_from_slice(row(t.a, shape.a, e));
            self.r[k] = t.r[e] as f32;
            self.advance(e);
            self.see(e, row(t.next_o, shape.o, e), s(t.next_s), row(states.1, state, e), closes(self.has_segments()));
            self.fresh[e] = false;
            if t.terminated[e] || t.truncated[e] {
                self.end(e);
            }
        }
    }

    fn keeps_raw_views(&self) -> bool {
        true
    }

    fn standardise(&mut self, o: &Standardiser, s: &Standardiser) {
        self.statistics = Some([o.frozen(), s.frozen()]);
    }

    fn cut(&mut self) {
        (0..self.shape.envs).for_each(|e| self.end(e));
    }

    fn batch(&mut self) -> Vec<(String, Vec<f64>)> {
        let rows = std::mem::take(&mut self.batch);
        let next: Vec<usize> = rows.iter().map(|&k| self.next(k)).collect();
        let column = |table: &[f32], n: usize, rows: &[usize]| -> Vec<f64> {
            rows.iter().flat_map(|&k| row(table, n, k)).map(|&x| f64::from(x)).collect()
        };
        let (o, s, a, state) = (self.shape.o, self.shape.s, self.shape.a, self.shape.memory.state());
        let columns = vec![
            ("row".into(), rows.iter().map(|&k| k as f64).collect()),
            ("o".into(), column(&self.o, o, &rows)),
            ("s".into(), column(&self.s, s, &rows)),
            ("state".into(), column(&self.state, state, &rows)),
            ("a".into(), column(&self.a, a, &rows)),
            ("r".into(), column(&self.r, 1, &rows)),
            ("terminated".into(), rows.iter().map(|&k| f64::from(u8::from(self.terminated(k)))).collect()),
            ("next_o".into(), column(&self.o, o, &next)),
            ("next_s".into(), column(&self.s, s, &next)),
            ("next_state".into(), column(&self.state, state, &next)),
        ];
        self.batch = rows;
        columns
    }

    fn holds_more_than(&self, n: usize) -> bool {
        // The ends of episodes take places too, so that a full ring may hold fewer steps than it has places.
        let full = self.filled.iter().all(|&filled| filled as usize == self.shape.frames() - 1);
        full || self.stored() > n
    }

    fn bytes(&mut self) -> usize {
        self.shape.bytes()
    }

    fn stored(&self) -> usize {
        self.steps.iter().sum::<u64>() as usize
    }
}

impl State for Replay {
    fn visit(&mut self, v: &mut dyn Visitor) {
        // The statistics are those of the loop, which passes them before each update.
        let Self { shape: _, o, s, state, a, r, flags, head, filled, steps, fresh, batch: _, statistics: _ } = self;
        for (name, table) in [("o", o), ("s", s), ("state", state), ("a", a), ("r", r)] {
            v.item(name, Data::F32(table));
        }
        v.item("flags", Data::U8(flags));
        v.item("head", Data::U64(head));
        v.item("filled", Data::U64(filled));
        v.item("steps", Data::U64(steps));
        v.flags("fresh", fresh);
    }
}
