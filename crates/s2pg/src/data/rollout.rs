//! A rollout: the transitions of one policy, in the order of time.

use std::rc::Rc;

use super::show::{self, Rows, Step};
use super::{Buffer, Transition};
use crate::nn::{Frozen, Standardiser, Tensor};
use crate::policy::{Context, Extended, Memory};
use crate::rng::Rng;
use crate::state::{Data, State, Visitor};

/// Sizes of a [`Rollout`], and how its rows are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RolloutShape {
    /// Number of steps of each environment.
    pub steps: usize,
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
    /// Number of the last observations that the critic is shown one below the other, where that is not as the policy is
    /// shown them.
    pub value_window: Option<usize>,
    /// Whether the policy or the critic reads the previous action.
    pub a_prev: bool,
    /// Whether the actions that a teacher would take are kept.
    pub advice: bool,
    /// Whether the window of a next observation is made of next observations alone, so that near the start of an
    /// episode the window misses the first observation (D29).
    pub misalign_next_windows: bool,
    /// Whether windows that reach the first row of the rollout cross the ends of episodes (D31); never where the policy
    /// is trained through whole episodes.
    pub join_first_windows: bool,
}

impl RolloutShape {
    /// Returns the most bytes of memory that a rollout of this shape takes.
    pub fn bytes(&self) -> usize {
        let advice = if self.advice { self.a } else { 0 };
        let numbers = 2 * (self.o + self.s + self.a + self.memory.state()) + advice;
        self.steps.saturating_mul(self.envs).saturating_mul(numbers * size_of::<f32>() + size_of::<f64>() + 3)
    }
}

/// A column of single-precision numbers of a rollout.
struct Column {
    name: &'static str,
    /// Returns the entries of a row of the column; 0 where the column is not kept.
    width: fn(&RolloutShape) -> usize,
    /// Returns the column's part of a transition.
    of: for<'a> fn(&Transition<'a>) -> &'a [f32],
}

/// The name of the only column that a state has not where it is not kept.
const ADVICE: &str = "advice";

/// All columns of single-precision numbers, in the order of a rollout's state.
const COLUMNS: [Column; 11] = [
    Column { name: "o", width: |s| s.o, of: |t| t.o },
    Column { name: "s", width: |s| s.s, of: |t| t.s },
    Column { name: "a_prev", width: |s| if s.a_prev { s.a } else { 0 }, of: |t| t.a_prev },
    Column { name: "z", width: |s| s.memory.z(), of: |t| t.z },
    Column { name: "h", width: |s| s.memory.h(), of: |t| t.h },
    Column { name: "a", width: |s| s.a, of: |t| t.a },
    Column { name: "z_next", width: |s| s.memory.z(), of: |t| t.z_next },
    Column { name: "h_next", width: |s| s.memory.h(), of: |t| t.h_next },
    Column { name: "next_o", width: |s| s.o, of: |t| t.next_o },
    Column { name: "next_s", width: |s| s.s, of: |t| t.next_s },
    Column { name: ADVICE, width: |s| if s.advice { s.a } else { 0 }, of: |t| t.advice },
];

/// The places of the columns in [`COLUMNS`].
#[derive(Clone, Copy)]
enum At {
    O,
    S,
    APrev,
    Z,
    H,
    A,
    ZNext,
    HNext,
    NextO,
    NextS,
    Advice,
}

/// At most `steps` transitions of each of `envs` environments; row t · envs + e is step t of environment e.
///
/// A window lies inside one episode and inside the rollout, and so does a segment.
#[derive(Clone, Debug)]
pub struct Rollout {
    shape: RolloutShape,
    /// The numbers of each column of [`COLUMNS`], row after row.
    columns: [Vec<f32>; COLUMNS.len()],
    r: Vec<f64>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    dropped: Vec<bool>,
    /// Whether each row ends a segment; empty where episodes are not cut into segments.
    closes: Vec<bool>,
    filled: usize,
    /// The statistics of o and s at the last update; None where views are not standardised.
    statistics: Option<[Frozen; 2]>,
}

impl Rollout {
    /// Makes an empty rollout.
    pub fn new(shape: RolloutShape) -> Self {
        let rows = shape.steps * shape.envs;
        Self {
            shape,
            columns: COLUMNS.map(|column| vec![0.0; rows * (column.width)(&shape)]),
            r: vec![0.0; rows],
            terminated: vec![false; rows],
            truncated: vec![false; rows],
            dropped: vec![false; rows],
            closes: vec![false; if shape.memory.segment().is_some() { rows } else { 0 }],
            filled: 0,
            statistics: None,
        }
    }

    /// Returns the sizes of the rollout.
    pub fn shape(&self) -> RolloutShape {
        self.shape
    }

    /// Tells whether the rollout holds all `steps` steps of each environment.
    pub fn is_full(&self) -> bool {
        self.filled == self.shape.steps
    }

    /// Removes all transitions.
    pub fn clear(&mut self) {
        self.filled = 0;
    }

    /// Returns the number of rows that hold a transition.
    pub fn len(&self) -> usize {
        self.filled * self.shape.envs
    }

    /// Tells whether no row holds a transition.
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Removes all but the first `steps` steps.
    pub(super) fn keep(&mut self, steps: usize) {
        assert!(steps <= self.filled, "{steps} of {} steps", self.filled);
        self.filled = steps;
    }

    /// Returns the rows to learn from: all rows except those in which the simulation failed.
    pub fn rows(&self) -> Vec<usize> {
        (0..self.len()).filter(|&k| !self.dropped[k]).collect()
    }

    /// Returns the statistics of o and s with which other views are made comparable with the stored ones; None where
    /// views are not standardised.
    pub fn statistics(&self) -> Option<&[Frozen; 2]> {
        self.statistics.as_ref()
    }

    /// Returns what row `k` holds of the world beside the memory: o, s (empty where it is not kept), a, and the true
    /// next o and s.
    pub fn step(&self, k: usize) -> [&[f32]; 5] {
        [At::O, At::S, At::A, At::NextO, At::NextS].map(|at| self.row(at, k))
    }

    /// Returns the actions that a teacher would have taken in the rows `rows`, [rows, n_a]. Panics where they are not
    /// kept.
    pub fn advice(&self, rows: &[usize]) -> Tensor {
        assert!(self.shape.advice, "the rollout keeps no advice");
        Tensor::with(rows.len(), self.shape.a, |to| {
            to.chunks_exact_mut(self.shape.a)
                .zip(rows)
                .for_each(|(to, &k)| to.copy_from_slice(self.row(At::Advice, k)));
        })
    }

    /// Puts `r`, a number for each row, in place of the rewards.
    pub fn set_r(&mut self, r: &[f64]) {
        let n = self.len();
        self.r[..n].copy_from_slice(r);
    }

    /// Returns the reward of each row.
    pub fn r(&self) -> &[f64] {
        &self.r[..self.len()]
    }

    /// Tells whether the task ended with row `k`.
    pub fn terminated(&self, k: usize) -> bool {
        self.terminated[k]
    }

    /// Tells whether the episode ended with row `k`, because the task ended or because the episode was cut.
    pub(super) fn ended(&self, k: usize) -> bool {
        self.terminated[k] || self.truncated[k]
    }

    /// Splits `rows`, rows of one episode of one environment, into groups that can be shown to the policy together.
    /// Each group comes with the number of rows at its end that are samples: at most `size`. Where the policy is
    /// trained through whole episodes there is one group: the rows before `rows` in the episode, which are no samples,
    /// and all of `rows`. Likewise a segment of which `rows` holds the end alone is shown from its start on.
    pub fn shown(&self, rows: &[usize], size: usize) -> Vec<(Vec<usize>, usize)> {
        if self.has_segments() {
            let (n, mut first) = (self.shape.envs, rows[0]);
            while !self.begins(first) {
                first -= n;
            }
            let whole = rows.iter().position(|&k| self.begins(k)).unwrap_or(rows.len());
            let end = ((first..rows[0]).step_by(n).chain(rows[..whole].iter().copied()).collect(), whole);
            let packed = self.packed(rows[whole..].chunk_by(|_, &k| !self.begins(k)).map(<[usize]>::to_vec), size);
            let groups = packed.into_iter().map(|rows| (rows.len(), rows)).map(|(samples, rows)| (rows, samples));
            return std::iter::once(end).filter(|(_, samples)| *samples > 0).chain(groups).collect();
        }
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

    /// Tells whether the chain of rows that leads to row `k` ends with row `k`: the episode ended, or the next row was
    /// dropped, or row `k` is the last of the rollout.
    pub fn is_end(&self, k: usize) -> bool {
        let next = k + self.shape.envs;
        self.terminated[k] || self.truncated[k] || next >= self.len() || self.dropped[next]
    }

    /// Tells whether the true next context of row `k` is the context of the next row.
    pub fn next_is_row(&self, k: usize) -> bool {
        let has_windows = self.critic_memory().shows_history();
        let is_misaligned = has_windows && self.shape.misalign_next_windows;
        !self.is_end(k) && !is_misaligned
    }

    /// Splits the rows to learn from into groups that can be shown together: at most `size` rows each, or one whole
    /// chain each where the policy is trained through whole episodes.
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

    /// Splits the rows to learn from, in random order, into minibatches: at most `size` rows each, or one whole chain
    /// each where the policy is trained through whole episodes.
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

    /// Splits the rows to learn from into groups that can be shown to the policy together: as [`groups`](Self::groups)
    /// does, or whole segments.
    pub fn policy_groups(&self, size: usize) -> Vec<Vec<usize>> {
        if self.has_segments() { self.packed(self.segments(), size) } else { self.groups(size) }
    }

    /// Splits the rows to learn from, in random order, into minibatches for the policy: as
    /// [`minibatches`](Self::minibatches) does, or whole segments.
    pub fn policy_minibatches(&self, size: usize, rng: &mut Rng) -> Vec<Vec<usize>> {
        if !self.has_segments() {
            return self.minibatches(size, rng);
        }
        let mut segments = self.segments();
        rng.shuffle(&mut segments);
        self.packed(segments, size)
    }

    fn is_whole(&self) -> bool {
        self.shape.memory.is_whole()
    }

    fn has_segments(&self) -> bool {
        self.shape.memory.segment().is_some()
    }

    /// Tells whether row `k` is the first of a segment.
    fn begins(&self, k: usize) -> bool {
        let before = k.checked_sub(self.shape.envs);
        before.is_none_or(|k| self.ended(k) || self.dropped[k] || self.closes[k])
    }

    /// Returns the rows of each segment, in the order of time.
    fn segments(&self) -> Vec<Vec<usize>> {
        let mut segments: Vec<Vec<usize>> = Vec::new();
        for e in 0..self.shape.envs {
            for k in (e..self.len()).step_by(self.shape.envs).filter(|&k| !self.dropped[k]) {
                match segments.last_mut() {
                    Some(segment) if !self.begins(k) => segment.push(k),
                    _ => segments.push(vec![k]),
                }
            }
        }
        segments.sort_by_key(|rows| rows[0]);
        segments
    }

    /// Gathers segments into groups of about `size` rows: a group takes the next segment if that brings its number of
    /// rows nearer to `size`, so that there are as many groups as without segments, and not more. The rows of a group
    /// are in the order in which segments are packed: the longest segment first, and all first rows before all second
    /// rows.
    fn packed(&self, segments: impl IntoIterator<Item = Vec<usize>>, size: usize) -> Vec<Vec<usize>> {
        let (mut groups, mut rows) = (Vec::<Vec<Vec<usize>>>::new(), 0);
        for segment in segments {
            match groups.last_mut() {
                Some(group) if 2 * rows + segment.len() <= 2 * size => {
                    rows += segment.len();
                    group.push(segment);
                }
                _ => {
                    rows = segment.len();
                    groups.push(vec![segment]);
                }
            }
        }
        groups.into_iter().map(show::pack).collect()
    }

    /// Returns x of the rows `rows` as the policy is shown it. Where episodes are cut into segments, the rows are whole
    /// segments in the order of [`policy_groups`](Self::policy_groups), or the start of one.
    pub fn policy_context(&self, rows: &[usize]) -> Context {
        if !self.has_segments() {
            return self.shown_as(self.shape.memory, rows);
        }
        let counts = show::counts(rows, |k| self.begins(k), |k| k + self.shape.envs);
        let first: Vec<f32> = rows[..counts[0]].iter().flat_map(|&k| self.row(At::Z, k)).copied().collect();
        Context {
            z: Some(Tensor::new(counts[0], self.shape.memory.z(), &first)),
            drawn: self.drawn(rows),
            segments: Some(counts.into()),
            ..self.shown_as(self.shape.memory, rows)
        }
    }

    /// Returns whether the next state was drawn with each of the rows `rows`, where it was with some alone.
    fn drawn(&self, rows: &[usize]) -> Option<Rc<[bool]>> {
        self.has_segments().then(|| rows.iter().map(|&k| self.closes[k]).collect())
    }

    /// Returns x of the rows `rows`, each shown as a critic sees it.
    pub fn context(&self, rows: &[usize]) -> Context {
        self.shown_as(self.critic_memory(), rows)
    }

    fn shown_as(&self, memory: Memory, rows: &[usize]) -> Context {
        if self.is_whole() {
            return show::chain(self, rows);
        }
        show::context(self, memory, &rows.iter().map(|&k| Step::Now(k)).collect::<Vec<_>>())
    }

    /// Returns what the critic is shown of the steps before a row, as the memory that is shown so.
    fn critic_memory(&self) -> Memory {
        self.shape.value_window.map_or(self.shape.memory, |len| Memory::Bptt { h: 0, len })
    }

    /// Returns the true next x of the rows `rows`: the next observation, z', and the action of the row as the previous
    /// action.
    pub fn next_context(&self, rows: &[usize]) -> Context {
        show::context(self, self.critic_memory(), &rows.iter().map(|&k| Step::Next(k)).collect::<Vec<_>>())
    }

    /// Returns u = (a, z') of the rows `rows`.
    pub fn extended(&self, rows: &[usize]) -> Extended {
        show::extended(self, rows)
    }

    /// Returns row k of a column that is kept.
    fn row(&self, at: At, k: usize) -> &[f32] {
        let n = (COLUMNS[at as usize].width)(&self.shape);
        &self.columns[at as usize][k * n..(k + 1) * n]
    }
}

impl Rows for Rollout {
    fn memory(&self) -> Memory {
        self.shape.memory
    }

    fn sizes(&self) -> [usize; 3] {
        [self.shape.o, self.shape.s, self.shape.a]
    }

    fn shows_a_prev(&self) -> bool {
        self.shape.a_prev
    }

    fn misaligns_next_windows(&self) -> bool {
        self.shape.misalign_next_windows
    }

    fn before(&self, k: usize, len: usize, to: &mut Vec<usize>) {
        let n = self.shape.envs;
        let mut first = k;
        let mut count = 1;
        while count < len && first >= n && !self.ended(first - n) {
            first -= n;
            count += 1;
        }
        // A window without a limit would always reach the first row, over all episodes.
        if self.shape.join_first_windows && !self.is_whole() && k / n < len {
            first = k % n;
        }
        to.extend((first..=k).step_by(n));
    }

    fn o(&self, step: Step) -> &[f32] {
        match step {
            Step::Now(k) => self.row(At::O, k),
            Step::Next(k) => self.row(At::NextO, k),
        }
    }

    fn s(&self, step: Step) -> &[f32] {
        match step {
            Step::Now(k) => self.row(At::S, k),
            Step::Next(k) => self.row(At::NextS, k),
        }
    }

    fn state(&self, step: Step) -> &[f32] {
        let [now, next] = if self.shape.memory.z() > 0 { [At::Z, At::ZNext] } else { [At::H, At::HNext] };
        match step {
            Step::Now(k) => self.row(now, k),
            Step::Next(k) => self.row(next, k),
        }
    }

    fn a_prev(&self, step: Step) -> Option<&[f32]> {
        Some(match step {
            Step::Now(k) => self.row(At::APrev, k),
            Step::Next(k) => self.a(k),
        })
    }

    fn a(&self, k: usize) -> &[f32] {
        self.row(At::A, k)
    }
}

impl Buffer for Rollout {
    fn push(&mut self, t: &Transition<'_>) {
        assert!(!self.is_full(), "the rollout of {} steps is full", self.shape.steps);
        let rows = self.filled * self.shape.envs..(self.filled + 1) * self.shape.envs;
        for (column, Column { width, of, .. }) in self.columns.iter_mut().zip(&COLUMNS) {
            let n = width(&self.shape);
            if n > 0 {
                column[rows.start * n..rows.end * n].copy_from_slice(of(t));
            }
        }
        self.r[rows.clone()].copy_from_slice(t.r);
        self.terminated[rows.clone()].copy_from_slice(t.terminated);
        self.truncated[rows.clone()].copy_from_slice(t.truncated);
        self.dropped[rows.clone()].copy_from_slice(t.dropped);
        if self.has_segments() {
            self.closes[rows].copy_from_slice(t.closes);
        }
        self.filled += 1;
    }

    fn standardise(&mut self, o: &Standardiser, s: &Standardiser) {
        self.statistics = Some([o.frozen(), s.frozen()]);
    }

    fn is_nearly_full(&self) -> bool {
        self.filled + 1 == self.shape.steps
    }

    fn forget_failures(&mut self) -> bool {
        let nothing = self.rows().is_empty();
        if nothing {
            self.clear();
        }
        nothing
    }

    /// Marks the last row of each environment as the cut end of its episode.
    fn cut(&mut self) {
        let rows = self.len().saturating_sub(self.shape.envs)..self.len();
        for (truncated, terminated) in self.truncated[rows.clone()].iter_mut().zip(&self.terminated[rows]) {
            *truncated |= !terminated;
        }
    }

    fn stored(&self) -> usize {
        self.len()
    }
}

impl State for Rollout {
    fn visit(&mut self, v: &mut dyn Visitor) {
        // The statistics are those of the loop, which passes them before each update.
        let Self { shape: _, columns, r, terminated, truncated, dropped, closes, filled, statistics: _ } = self;
        let kept = |(numbers, column): &(&mut Vec<f32>, &Column)| column.name != ADVICE || !numbers.is_empty();
        for (numbers, column) in columns.iter_mut().zip(&COLUMNS).filter(kept) {
            v.item(column.name, Data::F32(numbers));
        }
        v.item("r", Data::F64(r));
        v.flags("terminated", terminated);
        v.flags("truncated", truncated);
        v.flags("dropped", dropped);
        if !closes.is_empty() {
            v.flags("closes", closes);
        }
        v.count("filled", filled);
    }
}
