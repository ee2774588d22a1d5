//! How stored rows are shown to policies and critics: alone, or as the last of the steps that led to them.
//!
//! Rollouts and replay buffers store rows in different ways. This module alone says what a row looks like with its
//! history.

use crate::nn::Tensor;
use crate::policy::{Context, Extended, Memory};

/// One of the two ends of a transition, which is to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// What was seen in row k before the action.
    Now(usize),
    /// What the action of row k led to.
    Next(usize),
}

impl Step {
    /// Returns the row k.
    pub(super) fn row(self) -> usize {
        match self {
            Self::Now(k) | Self::Next(k) => k,
        }
    }
}

/// A store of rows that can be shown.
pub(super) trait Rows {
    /// Returns what the policy remembers.
    fn memory(&self) -> Memory;
    /// Returns the entries of o, s and a; 0 for s where s is not kept.
    fn sizes(&self) -> [usize; 3];
    /// Tells whether previous actions are shown.
    fn shows_a_prev(&self) -> bool;
    /// Tells whether the window of a next observation is made of next observations alone (D29).
    fn misaligns_next_windows(&self) -> bool;
    /// Appends the last rows of the episode of row k up to row k, at most `len`, the oldest first.
    fn before(&self, k: usize, len: usize, to: &mut Vec<usize>);
    /// Returns the observation of a step.
    fn o(&self, step: Step) -> &[f32];
    /// Returns the critic's view of a step.
    fn s(&self, step: Step) -> &[f32];
    /// Standardises the observation `o` where observations are stored raw.
    fn standardise_o(&self, _o: &mut [f32]) {}
    /// Standardises the critic's view `s` where views are stored raw.
    fn standardise_s(&self, _s: &mut [f32]) {}
    /// Returns the state z or h of a step.
    fn state(&self, step: Step) -> &[f32];
    /// Returns the previous action of a step; None at the start of an episode.
    fn a_prev(&self, step: Step) -> Option<&[f32]>;
    /// Returns the action of row k.
    fn a(&self, k: usize) -> &[f32];
}

/// Returns x of the steps `steps` as a network with the memory `memory` is shown it: each step the last of its window
/// where there are windows.
pub(super) fn context(rows: &impl Rows, memory: Memory, steps: &[Step]) -> Context {
    let [n_o, n_s, n_a] = rows.sizes();
    let last: Vec<Option<Step>> = steps.iter().copied().map(Some).collect();
    // The steps of which o and a_prev are shown, and how many of the steps stand in one row.
    let (shown, side_by_side, lengths) = match memory {
        Memory::None | Memory::Stochastic { .. } | Memory::Segments { .. } => (last.clone(), 1, None),
        Memory::Window { len } | Memory::History { len } => (side_by_side(rows, steps, len), len, None),
        Memory::Bptt { len, .. } => {
            let (shown, lengths) = below_each_other(rows, steps, len);
            (shown, 1, Some(lengths))
        }
    };
    let column = |n: usize| (side_by_side, n, &shown[..]);
    Context {
        o: views(column(n_o), |step| rows.o(step), |o| rows.standardise_o(o)),
        s: (n_s > 0).then(|| views((1, n_s, &last), |step| rows.s(step), |s| rows.standardise_s(s))),
        a_prev: rows.shows_a_prev().then(|| table(column(n_a), |step| rows.a_prev(step))),
        z: (memory.z() > 0).then(|| table((1, memory.z(), &last), |step| Some(rows.state(step)))),
        h: lengths.as_ref().map(|lengths: &Vec<usize>| {
            let first = |(i, len): (usize, &usize)| shown[shown.len() - len * steps.len() + i];
            let firsts: Vec<Option<Step>> = lengths.iter().enumerate().map(first).collect();
            table((1, memory.h(), &firsts), |step| Some(rows.state(step)))
        }),
        lengths,
        segments: None,
        drawn: None,
    }
}

/// Returns x of a whole chain of rows, one step after the other, with the state before the first step: every step is a
/// sample.
pub(super) fn chain(rows: &impl Rows, chain: &[usize]) -> Context {
    let ([n_o, n_s, n_a], memory) = (rows.sizes(), rows.memory());
    let shown: Vec<Option<Step>> = chain.iter().map(|&k| Some(Step::Now(k))).collect();
    Context {
        s: (n_s > 0).then(|| views((1, n_s, &shown), |step| rows.s(step), |s| rows.standardise_s(s))),
        a_prev: rows.shows_a_prev().then(|| table((1, n_a, &shown), |step| rows.a_prev(step))),
        h: Some(Tensor::new(1, memory.h(), rows.state(Step::Now(chain[0])))),
        ..Context::of(views((1, n_o, &shown), |step| rows.o(step), |o| rows.standardise_o(o)))
    }
}

/// Returns the rows of some segments in the order in which segments are packed: the longest segment first, and all
/// first rows before all second rows.
pub(super) fn pack(mut segments: Vec<Vec<usize>>) -> Vec<usize> {
    segments.sort_by_key(|rows| std::cmp::Reverse(rows.len()));
    (0..segments[0].len()).flat_map(|t| segments.iter().map_while(move |rows| rows.get(t)).copied()).collect()
}

/// Returns the number of segments that have a step t, for each t, of the packed rows `rows`. `begins` tells whether a
/// row is the first of its segment, and `next` returns the row after one.
pub(super) fn counts(rows: &[usize], begins: impl Fn(usize) -> bool, next: impl Fn(usize) -> usize) -> Vec<usize> {
    let mut counts = vec![rows.iter().take_while(|&&k| begins(k)).count()];
    let mut start = 0;
    loop {
        let (before, after) = rows[start..].split_at(counts[counts.len() - 1]);
        let count = before.iter().zip(after).take_while(|(before, after)| next(**before) == **after).count();
        if count == 0 {
            return counts;
        }
        start += before.len();
        counts.push(count);
    }
}

/// Returns u = (a, z') of the rows `ks`.
pub(super) fn extended(rows: &impl Rows, ks: &[usize]) -> Extended {
    let ([_, _, n_a], n_z) = (rows.sizes(), rows.memory().z());
    let next: Vec<Option<Step>> = ks.iter().map(|&k| Some(Step::Next(k))).collect();
    Extended {
        a: table((1, n_a, &next), |step| Some(rows.a(step.row()))),
        z: (n_z > 0).then(|| table((1, n_z, &next), |step| Some(rows.state(step)))),
    }
}

/// Appends the window that ends with a step, at most `len` steps of its episode, the oldest first. Returns its length.
/// `ks` is memory that is used again.
fn window(rows: &impl Rows, last: Step, len: usize, ks: &mut Vec<usize>, to: &mut Vec<Option<Step>>) -> usize {
    ks.clear();
    match last {
        Step::Now(k) => {
            rows.before(k, len, ks);
            to.extend(ks.iter().map(|&k| Some(Step::Now(k))));
            ks.len()
        }
        Step::Next(k) if rows.misaligns_next_windows() => {
            rows.before(k, len, ks);
            to.extend(ks.iter().map(|&k| Some(Step::Next(k))));
            ks.len()
        }
        Step::Next(k) => {
            if len > 1 {
                rows.before(k, len - 1, ks);
            }
            to.extend(ks.iter().map(|&k| Some(Step::Now(k))).chain([Some(last)]));
            ks.len() + 1
        }
    }
}

/// Returns the windows of some steps one after the other, each padded at its end to `len` places.
fn side_by_side(rows: &impl Rows, steps: &[Step], len: usize) -> Vec<Option<Step>> {
    let (mut shown, mut ks) = (Vec::with_capacity(steps.len() * len), Vec::new());
    for (i, &step) in steps.iter().enumerate() {
        window(rows, step, len, &mut ks, &mut shown);
        shown.resize((i + 1) * len, None);
    }
    shown
}

/// Returns the windows of some steps, time-major, with their last steps aligned and shorter windows padded in front;
/// and the length of each window.
fn below_each_other(rows: &impl Rows, steps: &[Step], len: usize) -> (Vec<Option<Step>>, Vec<usize>) {
    let (mut windows, mut ks) = (Vec::new(), Vec::new());
    let lengths: Vec<usize> = steps.iter().map(|&step| window(rows, step, len, &mut ks, &mut windows)).collect();
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let mut shown = vec![None; longest * steps.len()];
    let mut start = 0;
    for (i, &len) in lengths.iter().enumerate() {
        for t in 0..len {
            shown[(longest - len + t) * steps.len() + i] = windows[start + t];
        }
        start += len;
    }
    (shown, lengths)
}

/// Makes a tensor from the `n` numbers that `of` returns for each step, with `beside` steps in a row; zeros stand where
/// there is no step or no number.
pub(super) fn table<'a>(
    (beside, n, steps): (usize, usize, &[Option<Step>]),
    of: impl Fn(Step) -> Option<&'a [f32]>,
) -> Tensor {
    Tensor::with(steps.len() / beside, beside * n, |x| {
        for (x, step) in x.chunks_exact_mut(n.max(1)).zip(steps) {
            match step.and_then(&of) {
                Some(row) => x.copy_from_slice(row),
                None => x.fill(0.0),
            }
        }
    })
}

/// Makes a tensor as [`table`] does, from views that `standardise` changes into what is shown.
pub(super) fn views<'a>(
    (beside, n, steps): (usize, usize, &[Option<Step>]),
    of: impl Fn(Step) -> &'a [f32],
    standardise: impl Fn(&mut [f32]),
) -> Tensor {
    Tensor::with(steps.len() / beside, beside * n, |x| {
        for (x, step) in x.chunks_exact_mut(n.max(1)).zip(steps) {
            match step {
                Some(step) => {
                    x.copy_from_slice(of(*step));
                    standardise(x);
                }
                None => x.fill(0.0),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::data::{Buffer, Rollout, RolloutShape, Transition};
    use crate::policy::Memory;

    /// A window shows the actions before its observations beside these, with zeros where an episode has not begun.
    #[test]
    fn a_window_shows_actions_too() {
        let memory = Memory::Window { len: 3 };
        let mut data =
            Rollout::new(RolloutShape { steps: 4, envs: 1, o: 1, a: 1, memory, a_prev: true, ..Default::default() });
        for t in 0..4 {
            let [o, a, next_o] = [[t as f32], [10.0 + t as f32], [t as f32 + 1.0]];
            let a_prev = if t == 0 { [0.0] } else { [9.0 + t as f32] };
            data.push(&Transition {
                o: &o,
                a_prev: &a_prev,
                a: &a,
                r: &[0.0],
                terminated: &[false],
                truncated: &[false],
                dropped: &[false],
                next_o: &next_o,
                ..Transition::default()
            });
        }
        let x = data.context(&[1, 3]);
        assert_eq!(x.o.data(), [0.0, 1.0, 0.0, 1.0, 2.0, 3.0]);
        assert_eq!(x.a_prev.unwrap().data(), [0.0, 10.0, 0.0, 10.0, 11.0, 12.0]);
        let next = data.next_context(&[0, 3]);
        assert_eq!(next.o.data(), [0.0, 1.0, 0.0, 2.0, 3.0, 4.0]);
        assert_eq!(next.a_prev.unwrap().data(), [0.0, 10.0, 0.0, 11.0, 12.0, 13.0]);
    }
}
