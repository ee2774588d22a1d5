//! The transitions of one policy, in the order of time.

use super::{Buffer, Transition};
use crate::nn::Tensor;
use crate::policy::{Context, Extended, Memory, WHOLE};
use crate::rng::Rng;
use crate::state::{Data, State, Visitor};

/// Sizes of a [`Rollout`], and how its rows are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RolloutShape {
    /// Steps of each environment.
    pub steps: usize,
    /// Environments.
    pub envs: usize,
    /// Entries of the observation.
    pub o: usize,
    /// Entries of the critic's view; 0 where the critic sees the observation.
    pub s: usize,
    /// Entries of the action.
    pub a: usize,
    /// What the policy remembers: a row is shown alone, or as the last of a window.
    pub memory: Memory,
    /// Whether policy or critic read the previous action.
    pub a_prev: bool,
    /// False: the window before a next observation is made of next observations alone, so that near the start of an
    /// episode it misses the first one (D29).
    pub align_next_windows: bool,
    /// False: windows that reach the first row cross the ends of episodes (D31).
    pub split_first_windows: bool,
}

impl RolloutShape {
    /// Bytes of memory that a rollout of this shape takes, at most.
    pub fn bytes(&self) -> usize {
        let (z, h) = self.states();
        let numbers = 2 * (self.o + self.s + self.a + z + h);
        self.steps.saturating_mul(self.envs).saturating_mul(numbers * size_of::<f32>() + size_of::<f64>() + 3)
    }

    /// Entries of z and of h.
    fn states(&self) -> (usize, usize) {
        match self.memory {
            Memory::Stochastic { z } => (z, 0),
            Memory::Bptt { h, .. } => (0, h),
            Memory::None | Memory::Window { .. } => (0, 0),
        }
    }
}

/// `steps` transitions of each of `envs` environments; row t * envs + e is step t of environment e.
///
/// Windows lie inside one episode and one rollout.
#[derive(Clone, Debug)]
pub struct Rollout {
    shape: RolloutShape,
    o: Vec<f32>,
    s: Vec<f32>,
    a_prev: Vec<f32>,
    z: Vec<f32>,
    h: Vec<f32>,
    a: Vec<f32>,
    z_next: Vec<f32>,
    h_next: Vec<f32>,
    next_o: Vec<f32>,
    next_s: Vec<f32>,
    r: Vec<f64>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    dropped: Vec<bool>,
    filled: usize,
}

impl Rollout {
    /// An empty rollout.
    pub fn new(shape: RolloutShape) -> Self {
        let rows = shape.steps * shape.envs;
        let floats = |n: usize| vec![0.0; rows * n];
        let (z, h) = shape.states();
        Self {
            shape,
            o: floats(shape.o),
            s: floats(shape.s),
            a_prev: floats(if shape.a_prev { shape.a } else { 0 }),
            z: floats(z),
            h: floats(h),
            a: floats(shape.a),
            z_next: floats(z),
            h_next: floats(h),
            next_o: floats(shape.o),
            next_s: floats(shape.s),
            r: vec![0.0; rows],
            terminated: vec![false; rows],
            truncated: vec![false; rows],
            dropped: vec![false; rows],
            filled: 0,
        }
    }

    /// Its sizes.
    pub fn shape(&self) -> RolloutShape {
        self.shape
    }

    /// Whether it holds `steps` steps.
    pub fn is_full(&self) -> bool {
        self.filled == self.shape.steps
    }

    /// Forgets all transitions.
    pub fn clear(&mut self) {
        self.filled = 0;
    }

    /// Number of rows that hold a transition.
    pub fn len(&self) -> usize {
        self.filled * self.shape.envs
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Forgets all but the first `steps` steps.
    pub(super) fn keep(&mut self, steps: usize) {
        assert!(steps <= self.filled, "{steps} of {} steps", self.filled);
        self.filled = steps;
    }

    /// The rows to learn from: all but those in which the simulation failed.
    pub fn rows(&self) -> Vec<usize> {
        (0..self.len()).filter(|&k| !self.dropped[k]).collect()
    }

    /// The reward of each row.
    pub fn r(&self) -> &[f64] {
        &self.r[..self.len()]
    }

    /// Whether the task ended with row k.
    pub fn terminated(&self, k: usize) -> bool {
        self.terminated[k]
    }

    /// Whether the episode ended with row k, either way.
    pub(super) fn ended(&self, k: usize) -> bool {
        self.terminated[k] || self.truncated[k]
    }

    /// Rows of one episode and one environment, in groups that can be shown together, and how many at the end of each are
    /// samples: at most `size`, or all of them behind what came before in the episode, where the policy is trained
    /// through whole episodes.
    pub fn shown(&self, rows: &[usize], size: usize) -> Vec<(Vec<usize>, usize)> {
        if !self.is_whole() {
            return rows.chunks(size).map(|rows| (rows.to_vec(), rows.len())).collect();
        }
        let (n, last) = (self.shape.envs, rows[rows.len() - 1]);
        let mut first = rows[0];
        while first >= n && !self.ended(first - n) {
            first -= n;
        }
        vec![((first..=last).step_by(n).collect(), rows.len())]
    }

    /// Whether the chain of row k ends there: the episode ended, the next row is lost, or it is the last.
    pub fn is_end(&self, k: usize) -> bool {
        let next = k + self.shape.envs;
        self.terminated[k] || self.truncated[k] || next >= self.len() || self.dropped[next]
    }

    /// Whether the true next context of row k is the context of the next row.
    pub fn next_is_row(&self, k: usize) -> bool {
        let windows = matches!(self.shape.memory, Memory::Window { .. } | Memory::Bptt { .. });
        !self.is_end(k) && (self.shape.align_next_windows || !windows)
    }

    /// The rows in groups that can be shown together: at most `size` rows, or one whole chain each where the policy is
    /// trained through whole episodes.
    pub fn groups(&self, size: usize) -> Vec<Vec<usize>> {
        if !self.is_whole() {
            return self.rows().chunks(size).map(<[usize]>::to_vec).collect();
        }
        let mut chains = vec![Vec::new()];
        for e in 0..self.shape.envs {
            for k in (e..self.len()).step_by(self.shape.envs).filter(|&k| !self.dropped[k]) {
                chains.last_mut().expect("there is one").push(k);
                if self.is_end(k) {
                    chains.push(Vec::new());
                }
            }
        }
        chains.retain(|chain| !chain.is_empty());
        chains
    }

    /// The same in random order: minibatches of `size` rows, or of one whole chain.
    pub fn minibatches(&self, size: usize, rng: &mut Rng) -> Vec<Vec<usize>> {
        if self.is_whole() {
            let mut chains = self.groups(size);
            rng.shuffle(&mut chains);
            return chains;
        }
        let mut rows = self.rows();
        rng.shuffle(&mut rows);
        rows.chunks(size).map(<[usize]>::to_vec).collect()
    }

    fn is_whole(&self) -> bool {
        matches!(self.shape.memory, Memory::Bptt { len: WHOLE, .. })
    }

    /// x of some rows.
    pub fn context(&self, rows: &[usize]) -> Context {
        let shape = &self.shape;
        let mut x = Context {
            o: Tensor::zeros(0, 0),
            s: (shape.s > 0).then(|| gather(&self.s, shape.s, rows)),
            a_prev: None,
            z: (!self.z.is_empty()).then(|| gather(&self.z, self.z_size(), rows)),
            h: None,
            lengths: None,
        };
        match shape.memory {
            Memory::None | Memory::Stochastic { .. } => {
                x.o = gather(&self.o, shape.o, rows);
                x.a_prev = shape.a_prev.then(|| gather(&self.a_prev, shape.a, rows));
            }
            Memory::Window { len } => {
                x.o = self.side_by_side(rows, len, |k| self.window(k, len).map(Step::Now).collect())
            }
            Memory::Bptt { h, len: WHOLE } => {
                x.o = gather(&self.o, shape.o, rows);
                x.a_prev = Some(gather(&self.a_prev, shape.a, rows));
                x.h = Some(gather(&self.h, h, &rows[..1]));
            }
            Memory::Bptt { h, len } => self.steps(&mut x, rows, h, |k| self.window(k, len).map(Step::Now).collect()),
        }
        x
    }

    /// The true next x of some rows: next observation, z', and this action as the previous one.
    pub fn next_context(&self, rows: &[usize]) -> Context {
        let shape = &self.shape;
        let mut x = Context {
            o: Tensor::zeros(0, 0),
            s: (shape.s > 0).then(|| gather(&self.next_s, shape.s, rows)),
            a_prev: None,
            z: (!self.z.is_empty()).then(|| gather(&self.z_next, self.z_size(), rows)),
            h: None,
            lengths: None,
        };
        let window = |k: usize, len: usize| -> Vec<Step> {
            if !shape.align_next_windows {
                return self.window(k, len).map(Step::Next).collect();
            }
            let before = if len > 1 { self.window(k, len - 1).map(Step::Now).collect() } else { Vec::new() };
            before.into_iter().chain([Step::Next(k)]).collect()
        };
        match shape.memory {
            Memory::None | Memory::Stochastic { .. } => {
                x.o = gather(&self.next_o, shape.o, rows);
                x.a_prev = shape.a_prev.then(|| gather(&self.a, shape.a, rows));
            }
            Memory::Window { len } => x.o = self.side_by_side(rows, len, |k| window(k, len)),
            Memory::Bptt { h, len } => self.steps(&mut x, rows, h, |k| window(k, len)),
        }
        x
    }

    /// u = (a, z') of some rows.
    pub fn extended(&self, rows: &[usize]) -> Extended {
        Extended {
            a: gather(&self.a, self.shape.a, rows),
            z: (!self.z.is_empty()).then(|| gather(&self.z_next, self.z_size(), rows)),
        }
    }

    fn z_size(&self) -> usize {
        self.shape.states().0
    }

    /// The last rows of the episode up to row k, at most `len`, oldest first.
    fn window(&self, k: usize, len: usize) -> impl Iterator<Item = usize> {
        let n = self.shape.envs;
        let mut first = k;
        let mut count = 1;
        while count < len && first >= n && !(self.terminated[first - n] || self.truncated[first - n]) {
            first -= n;
            count += 1;
        }
        if !self.shape.split_first_windows && k / n < len {
            first = k % n;
        }
        (first..=k).step_by(n)
    }

    /// The observations of windows side by side, zeros behind: [rows, len n_o].
    fn side_by_side(&self, rows: &[usize], len: usize, window: impl Fn(usize) -> Vec<Step>) -> Tensor {
        let n = self.shape.o;
        Tensor::with(rows.len(), len * n, |x| {
            for (x, &k) in x.chunks_exact_mut(len * n).zip(rows) {
                let window = window(k);
                x[window.len() * n..].fill(0.0);
                for (x, step) in x.chunks_exact_mut(n).zip(window) {
                    x.copy_from_slice(step.of(&self.o, &self.next_o, n));
                }
            }
        })
    }

    /// Fills x with windows whose last steps are aligned; shorter ones are padded with zeros in front.
    fn steps(&self, x: &mut Context, rows: &[usize], n_h: usize, window: impl Fn(usize) -> Vec<Step>) {
        let windows: Vec<Vec<Step>> = rows.iter().map(|&k| window(k)).collect();
        let lengths: Vec<usize> = windows.iter().map(Vec::len).collect();
        let steps = lengths.iter().copied().max().unwrap_or(0);
        let stack = |now: &[f32], next: &[f32], n: usize| {
            Tensor::with(steps * rows.len(), n, |x| {
                for (t, x) in x.chunks_exact_mut(n * rows.len()).enumerate() {
                    for (x, window) in x.chunks_exact_mut(n).zip(&windows) {
                        match (t + window.len()).checked_sub(steps) {
                            Some(i) => x.copy_from_slice(window[i].of(now, next, n)),
                            None => x.fill(0.0),
                        }
                    }
                }
            })
        };
        x.o = stack(&self.o, &self.next_o, self.shape.o);
        x.a_prev = Some(stack(&self.a_prev, &self.a, self.shape.a));
        x.h = Some(Tensor::with(rows.len(), n_h, |x| {
            for (x, window) in x.chunks_exact_mut(n_h).zip(&windows) {
                x.copy_from_slice(window[0].of(&self.h, &self.h_next, n_h));
            }
        }));
        x.lengths = Some(lengths);
    }
}

/// One step of a window: what a row saw, or what it led to.
#[derive(Clone, Copy)]
enum Step {
    Now(usize),
    Next(usize),
}

impl Step {
    /// Its row in one of two tables with `n` columns.
    fn of<'a>(self, now: &'a [f32], next: &'a [f32], n: usize) -> &'a [f32] {
        match self {
            Self::Now(k) => &now[k * n..(k + 1) * n],
            Self::Next(k) => &next[k * n..(k + 1) * n],
        }
    }
}

/// Some rows of a table with `n` columns.
fn gather(table: &[f32], n: usize, rows: &[usize]) -> Tensor {
    Tensor::with(rows.len(), n, |x| {
        for (x, &k) in x.chunks_exact_mut(n).zip(rows) {
            x.copy_from_slice(&table[k * n..(k + 1) * n]);
        }
    })
}

impl Buffer for Rollout {
    fn push(&mut self, t: &Transition<'_>) {
        assert!(!self.is_full(), "the rollout of {} steps is full", self.shape.steps);
        let rows = self.filled * self.shape.envs..(self.filled + 1) * self.shape.envs;
        let write = |table: &mut Vec<f32>, n: usize, x: &[f32]| {
            table[rows.start * n..rows.end * n].copy_from_slice(x);
        };
        let shape = self.shape;
        let (z, h) = shape.states();
        write(&mut self.o, shape.o, t.o);
        write(&mut self.next_o, shape.o, t.next_o);
        write(&mut self.a, shape.a, t.a);
        if shape.s > 0 {
            write(&mut self.s, shape.s, t.s);
            write(&mut self.next_s, shape.s, t.next_s);
        }
        if shape.a_prev {
            write(&mut self.a_prev, shape.a, t.a_prev);
        }
        write(&mut self.z, z, t.z);
        write(&mut self.z_next, z, t.z_next);
        write(&mut self.h, h, t.h);
        write(&mut self.h_next, h, t.h_next);
        self.r[rows.clone()].copy_from_slice(t.r);
        self.terminated[rows.clone()].copy_from_slice(t.terminated);
        self.truncated[rows.clone()].copy_from_slice(t.truncated);
        self.dropped[rows].copy_from_slice(t.dropped);
        self.filled += 1;
    }

    fn stored(&self) -> usize {
        self.len()
    }
}

impl State for Rollout {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self {
            shape: _,
            o,
            s,
            a_prev,
            z,
            h,
            a,
            z_next,
            h_next,
            next_o,
            next_s,
            r,
            terminated,
            truncated,
            dropped,
            filled,
        } = self;
        v.item("o", Data::F32(o));
        v.item("s", Data::F32(s));
        v.item("a_prev", Data::F32(a_prev));
        v.item("z", Data::F32(z));
        v.item("h", Data::F32(h));
        v.item("a", Data::F32(a));
        v.item("z_next", Data::F32(z_next));
        v.item("h_next", Data::F32(h_next));
        v.item("next_o", Data::F32(next_o));
        v.item("next_s", Data::F32(next_s));
        v.item("r", Data::F64(r));
        v.flags("terminated", terminated);
        v.flags("truncated", truncated);
        v.flags("dropped", dropped);
        v.count("filled", filled);
    }
}
