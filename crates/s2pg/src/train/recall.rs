//! The memory that the loop keeps for the policy between two steps: state, last action and last observations.

use crate::nn::Tensor;
use crate::policy::{Context, Dist, Extended, Memory, WHOLE};
use crate::rng::Rng;
use crate::state::{Data, State, Visitor};

/// The memory of a policy in n environments, reset to zero where an episode ends.
#[derive(Clone, Debug)]
pub struct Recall {
    n: usize,
    memory: Memory,
    /// The states z or h, [n, state].
    state: Vec<f32>,
    /// The last `len` observations of the running episodes, or fewer at their start, the oldest first, [n, len n_o].
    window: Vec<f32>,
    /// The previous actions of these observations, [n, len n_a]; empty where they are not shown.
    actions: Vec<f32>,
    /// The number of observations in the window of each environment.
    seen: Vec<u64>,
    /// The previous actions that are stored with a transition, zero at the start of an episode, [n, n_a].
    a_prev: Vec<f32>,
    /// The previous actions that the policy acts on, [n, n_a]: those of `a_prev`, unless the last action of the episode
    /// before is kept (D13) or the action before clipping is remembered (D14).
    a_acting: Vec<f32>,
    keep_acting: bool,
    /// The number of steps that are left in the segment of each environment; empty where there are no segments.
    left: Vec<u64>,
    /// Whether the step of each environment ends a segment, as far as the last context said; empty likewise.
    closes: Vec<bool>,
    /// Where the lengths of first segments come from.
    lengths: Rng,
}

impl Recall {
    /// Makes the memory of n environments at the start of their episodes. `o` and `a` are the numbers of entries of
    /// observation and action. `keep_prev_action` is whether the policy acts on the last action of the episode before
    /// (D13). The first segment of an episode has a random length, so that no step of a task is always the first of its
    /// segment; the lengths come from a stream of `seed`.
    pub fn new(n: usize, memory: Memory, o: usize, a: usize, keep_prev_action: bool, seed: u64) -> Self {
        let zeros = |size: usize| vec![0.0; n * size];
        let (window, actions) = match memory {
            Memory::Window { len } => (len * o, 0),
            Memory::History { len } => (len * o, len * a),
            _ => (0, 0),
        };
        let segments = if memory.segment().is_some() { n } else { 0 };
        let mut recall = Self {
            n,
            memory,
            state: zeros(memory.state()),
            window: zeros(window),
            actions: zeros(actions),
            seen: vec![0; if window > 0 { n } else { 0 }],
            a_prev: zeros(a),
            a_acting: zeros(a),
            keep_acting: keep_prev_action,
            left: vec![0; segments],
            closes: vec![false; segments],
            lengths: Rng::new(seed, "segments"),
        };
        (0..n).for_each(|e| recall.begin(e));
        recall
    }

    /// Returns the number of environments.
    #[expect(clippy::len_without_is_empty, reason = "there is always at least one")]
    pub fn len(&self) -> usize {
        self.n
    }

    /// Begins the first segment of an episode of environment `e`. A segment without a limit is the whole episode.
    fn begin(&mut self, e: usize) {
        match self.memory.segment() {
            Some(WHOLE) => self.left[e] = u64::MAX,
            Some(len) => self.left[e] = 1 + self.lengths.below(len) as u64,
            None => {}
        }
    }

    /// Lets the next step end the segments of all environments.
    pub fn close(&mut self) {
        self.left.fill(1);
    }

    /// Tells for each environment whether the step for which the last context was made ends a segment; empty where
    /// there are no segments.
    pub fn closes(&self) -> &[bool] {
        &self.closes
    }

    /// Returns the number of observations that the context of environment `e` shows.
    pub fn seen(&self, e: usize) -> usize {
        self.seen.get(e).map_or(1, |&seen| seen as usize)
    }

    /// Returns the states z or h, [n, state]; empty where the policy carries none.
    pub fn state(&self) -> &[f32] {
        &self.state
    }

    /// Returns the random states z, [n, n_z]; empty where the policy draws no state.
    pub fn z(&self) -> &[f32] {
        if self.memory.z() > 0 { &self.state } else { &[] }
    }

    /// Returns the cached states h, [n, n_h]; empty where the policy is not trained through time.
    pub fn h(&self) -> &[f32] {
        if self.memory.h() > 0 { &self.state } else { &[] }
    }

    /// Returns the states z or h, [n, state], to be altered.
    pub fn state_mut(&mut self) -> &mut [f32] {
        &mut self.state
    }

    /// Returns the previous actions as they are stored with a transition, [n, n_a].
    pub fn a_prev(&self) -> &[f32] {
        &self.a_prev
    }

    /// Returns x for the views of all environments, `o`, [n, n_o], and `s`, [n, n_s]. Where the policy has a window,
    /// the observations are added to the window.
    pub fn context(&mut self, o: &[f32], s: &[f32]) -> Context {
        let n = self.n;
        if let Memory::Window { len } | Memory::History { len } = self.memory {
            let seen = &self.seen;
            let add = |windows: &mut [f32], x: &[f32]| {
                let width = (x.len() / n).max(1);
                for ((window, x), &seen) in windows.chunks_exact_mut(len * width).zip(x.chunks_exact(width)).zip(seen) {
                    if seen as usize == len {
                        window.copy_within(width.., 0);
                    }
                    window[len.min(seen as usize + 1) * width - width..][..width].copy_from_slice(x);
                }
            };
            add(&mut self.window, o);
            add(&mut self.actions, &self.a_acting);
            self.seen.iter_mut().for_each(|seen| *seen = (*seen + 1).min(len as u64));
        }
        self.closes.iter_mut().zip(&self.left).for_each(|(closes, left)| *closes = *left == 1);
        let tensor = |x: &[f32]| Tensor::new(n, x.len() / n, x);
        let some = |x: &[f32]| (!x.is_empty()).then(|| tensor(x));
        Context {
            o: tensor(if self.window.is_empty() { o } else { &self.window }),
            s: Some(tensor(s)),
            a_prev: Some(tensor(if self.actions.is_empty() { &self.a_acting } else { &self.actions })),
            z: some(self.z()),
            h: some(self.h()),
            lengths: None,
            segments: None,
            drawn: self.memory.segment().map(|_| self.closes.as_slice().into()),
        }
    }

    /// Makes z' or h', and the action, the memory of the next step. `acting` is the action that the policy itself
    /// remembers: the action of u, or the action as it was before clipping (D14).
    pub fn remember(&mut self, dist: &Dist, u: &Extended, acting: &Tensor) {
        if let Some(state) = u.z.as_ref().or(dist.h.as_ref()) {
            self.state.copy_from_slice(state.data());
        }
        self.a_prev.copy_from_slice(u.a.data());
        self.a_acting.copy_from_slice(acting.data());
        for left in &mut self.left {
            *left = if *left == 1 { self.memory.segment().map_or(1, |len| len as u64) } else { *left - 1 };
        }
    }

    /// Returns how many numbers of memory each environment has beside the state: the previous action, and where they
    /// are kept the window, its actions and the counters.
    pub fn rest(&self) -> usize {
        (self.window.len() + self.actions.len() + 2 * self.a_prev.len() + self.seen.len() + self.left.len()) / self.n
    }

    /// Returns the memory of environment `e` beside its state, [`rest`](Self::rest) numbers.
    pub fn row(&self, e: usize) -> Vec<f32> {
        let of = |x: &[f32]| x[e * x.len() / self.n..(e + 1) * x.len() / self.n].to_vec();
        let mut row = [of(&self.a_prev), of(&self.a_acting), of(&self.window), of(&self.actions)].concat();
        row.extend(self.seen.get(e).into_iter().chain(self.left.get(e)).map(|&count| count as f32));
        row
    }

    /// Sets the memory of environment `e` beside its state to what [`row`](Self::row) returned.
    pub fn set_row(&mut self, e: usize, row: &[f32]) {
        let (n, mut rest) = (self.n, row);
        for x in [&mut self.a_prev, &mut self.a_acting, &mut self.window, &mut self.actions] {
            let width = x.len() / n;
            let (own, others) = rest.split_at(width);
            x[e * width..(e + 1) * width].copy_from_slice(own);
            rest = others;
        }
        // A count comes back as it was: a segment without a limit has 2^64 - 1 steps, which saturates.
        for x in [&mut self.seen, &mut self.left] {
            if let (Some(count), Some((own, others))) = (x.get_mut(e), rest.split_first()) {
                *count = *own as u64;
                rest = others;
            }
        }
        if let Some(seen) = self.seen.get_mut(e) {
            let (Memory::Window { len } | Memory::History { len }) = self.memory else { return };
            *seen = (*seen).min(len as u64);
        }
    }

    /// Clears the memory of every environment.
    pub fn forget(&mut self) {
        (0..self.n).for_each(|e| self.reset(e));
    }

    /// Clears the memory of environment `e`, which starts a new episode.
    pub fn reset(&mut self, e: usize) {
        let row = |x: &[f32]| e * x.len() / self.n..(e + 1) * x.len() / self.n;
        let (state, window, actions, a) = (row(&self.state), row(&self.window), row(&self.actions), row(&self.a_prev));
        self.state[state].fill(0.0);
        self.window[window].fill(0.0);
        self.actions[actions].fill(0.0);
        if let Some(seen) = self.seen.get_mut(e) {
            *seen = 0;
        }
        self.a_prev[a.clone()].fill(0.0);
        if !self.keep_acting {
            self.a_acting[a].fill(0.0);
        }
        self.begin(e);
    }
}

impl State for Recall {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self {
            n: _,
            memory,
            state,
            window,
            actions,
            seen,
            a_prev,
            a_acting,
            keep_acting: _,
            left,
            closes: _,
            lengths,
        } = self;
        v.item("state", Data::F32(state));
        v.item("window", Data::F32(window));
        v.item("seen", Data::U64(seen));
        v.item("a_prev", Data::F32(a_prev));
        v.item("a_acting", Data::F32(a_acting));
        if !actions.is_empty() {
            v.item("actions", Data::F32(actions));
        }
        if memory.segment().is_some() {
            v.item("left", Data::U64(left));
            v.child("segments", lengths);
        }
    }
}
