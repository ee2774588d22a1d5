//! Recurrent cells, over one step or a whole window: the unrolled loop is one operation, so that the gradient of the
//! recurrent weight is one product over all steps.
//!
//! A new cell is a file with a structure that implements `Step`, and its name in the list below.

mod elman;
mod gru;
mod lstm;
mod step;

use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use self::step::Step;
use super::flat;
use super::linear::{bias_gradient, weight_gradient};
use super::operation::Operation;
use crate::nn::graph::{Sink, give, needed};
use crate::nn::kernels::{self, View};
use crate::nn::parameters::{Parameters, Store};
use crate::nn::pool::Buffer;
use crate::nn::program::{Program, Row};
use crate::nn::real::Real;
use crate::nn::tensor::Tensor;

/// The constants of a cell's [`Step`].
struct Shape {
    gates: usize,
    state: usize,
    saved: usize,
    separate: bool,
    direct: bool,
}

impl Shape {
    fn of<S: Step>() -> Self {
        Self { gates: S::GATES, state: S::STATE, saved: S::SAVED, separate: S::SEPARATE, direct: S::DIRECT }
    }
}

/// Makes one type of all cells.
macro_rules! cells {
    ($($(#[doc = $doc:literal])* $name:ident = $file:ident::$cell:ident),* $(,)?) => {
        /// Which recurrent cell.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum CellKind {
            $($(#[doc = $doc])* $name,)*
        }

        impl CellKind {
            /// All cells.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// One line about the cell.
            pub fn about(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),*).trim().trim_end_matches('.'),)*
                }
            }

            fn shape(self) -> Shape {
                match self {
                    $(Self::$name => Shape::of::<$file::$cell>(),)*
                }
            }

            /// [`Step::forward`] of the cell.
            #[allow(clippy::too_many_arguments)]
            fn forward<T: Real>(
                self,
                y: &mut [T],
                saved: &mut [T],
                gi: &[T],
                gh: &[T],
                state: &[T],
                bias: &[T],
                n: usize,
            ) {
                match self {
                    $(Self::$name => $file::$cell::forward(y, saved, gi, gh, state, bias, n),)*
                }
            }

            /// [`Step::write`] of the cell.
            fn write(self, program: &mut Program, from: [Row; 3], n: usize) -> Row {
                match self {
                    $(Self::$name => $file::$cell::write(program, from, n),)*
                }
            }

            /// [`Step::backward`] of the cell.
            fn backward<T: Real>(
                self,
                dgi: &mut [T],
                dgh: &mut [T],
                g: &mut [T],
                saved: &mut [T],
                state: &[T],
                n: usize,
            ) {
                match self {
                    $(Self::$name => $file::$cell::backward(dgi, dgh, g, saved, state, n),)*
                }
            }
        }
    };
}

cells! {
    /// Elman's cell: h' = tanh(W x + b + V h + c).
    Elman = elman::Tanh,
    /// Elman's cell with ReLU: h' = max(W x + b + V h + c, 0).
    ElmanRelu = elman::Relu,
    /// Gated recurrent unit, reset gate inside the candidate.
    Gru = gru::Gru,
    /// Long short-term memory; its state is h beside c.
    Lstm = lstm::Lstm,
}

impl CellKind {
    /// The name of the cell, as experiments write it.
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// Rows of the weights of a cell, for each unit.
    pub(in crate::nn) fn gates(self) -> usize {
        self.shape().gates
    }

    /// Numbers in the state of a cell of `hidden` units: `hidden`, or twice as many for an LSTM, whose state is h
    /// beside c.
    pub fn state_size(self, hidden: usize) -> usize {
        self.shape().state * hidden
    }
}

/// Which rows stand in each step of a stack of steps, time-major: the rows of a step stand below those of the step
/// before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Steps {
    /// Every step has a row of each of the B sequences.
    #[default]
    All,
    /// Every step has a row of each of the B sequences; the first step of each is given, and before that step the state
    /// of the sequence does not change.
    From(Rc<[usize]>),
    /// Sequences of different lengths, the longest first: step t has a row of each of the first `counts[t]` sequences,
    /// which are those of more than t steps.
    Packed(Rc<[usize]>),
}

impl Steps {
    /// Returns the rows of each step, of `all` rows of `sequences` sequences. Panics where the numbers do not fit.
    pub fn ranges(&self, all: usize, sequences: usize) -> Vec<Range<usize>> {
        let counts = match self {
            Self::All | Self::From(_) => vec![sequences; all / sequences.max(1)],
            Self::Packed(counts) => counts.to_vec(),
        };
        let fits = counts.first().is_none_or(|&first| first == sequences) && counts.is_sorted_by(|a, b| a >= b);
        assert!(
            fits && counts.iter().sum::<usize>() == all,
            "{all} rows in steps of {counts:?} of {sequences} sequences"
        );
        let end = |end: &mut usize, n: usize| Some(std::mem::replace(end, *end + n)..*end);
        let mut at = 0;
        counts.into_iter().filter_map(|n| end(&mut at, n)).collect()
    }

    /// Returns the sequences that have not started at step t.
    pub fn waiting(&self, t: usize) -> impl Iterator<Item = usize> {
        let starts = if let Self::From(starts) = self { &starts[..] } else { &[] };
        starts.iter().enumerate().filter(move |(_, start)| **start > t).map(|(i, _)| i)
    }
}

/// What a recurrence was made from, and what the way back needs.
pub(in crate::nn) struct Recurrence<T: Real> {
    kind: CellKind,
    /// The input half of the gates, [R, gates], step after step; and the state before the first step, [B, state].
    parents: [Tensor<T>; 2],
    store: Arc<Store<T>>,
    w: usize,
    b: usize,
    steps: Steps,
    /// What the steps of the cell have saved, step after step.
    saved: Buffer<T>,
}

impl<T: Real> Tensor<T> {
    /// All states of a recurrence, [R, state], from the input half of the gates, which is self, [R, gates], and the
    /// state before the first step, [B, state]. `steps` tells which of the R rows stand in each step. The recurrent
    /// weight `w` [gates, hidden] and the bias `b` [1, gates] are in the flat buffer `p`.
    pub(in crate::nn) fn recurrence(
        &self,
        state: &Self,
        kind: CellKind,
        p: &Parameters<T>,
        (w, b): (usize, usize),
        steps: Steps,
    ) -> Self {
        let shape = kind.shape();
        let (rows, width) = state.shape();
        let n = width / shape.state;
        let (g, kept) = (shape.gates * n, shape.saved * n);
        let all = self.rows();
        assert_eq!(self.cols(), g, "gates {:?} of a state {:?}", self.shape(), state.shape());
        let mut y = Buffer::new(all * width);
        let mut saved = Buffer::new(all * kept);
        let mut gh = Buffer::new(rows * g);
        // Over the few rows of each step of a segment a product takes a third of the time with the weight in the order
        // of its sums, and turning the weight as long as one product.
        let few = (2..kernels::MANY).contains(&rows) && n >= kernels::WIDE;
        let turns = few && matches!(&steps, Steps::Packed(counts) if counts.len() > 1);
        let mut turned = Buffer::new(if turns { n * g } else { 0 });
        let weight = if turns {
            kernels::transpose(&mut turned, g, View::new(p.0.slice(w), g, n));
            View::new(&turned, n, g)
        } else {
            View::new(p.0.slice(w), g, n).t()
        };
        let mut before = 0;
        for (t, at) in steps.ranges(all, rows).into_iter().enumerate() {
            let rows = at.len();
            let (done, rest) = y.split_at_mut(at.start * width);
            let before = if t == 0 { state.data() } else { &done[std::mem::replace(&mut before, at.start) * width..] };
            let before = &before[..rows * width];
            let next = &mut rest[..rows * width];
            let h = View { cols: n, ..View::new(before, rows, width) };
            let gh = &mut gh[..rows * g];
            kernels::matmul(gh, g, false, h, weight);
            let saved = &mut saved[at.start * kept..at.end * kept];
            let gi = &self.data()[at.start * g..at.end * g];
            kind.forward(next, saved, gi, gh, before, p.0.slice(b), n);
            for i in steps.waiting(t) {
                next[i * width..(i + 1) * width].copy_from_slice(&before[i * width..(i + 1) * width]);
            }
        }
        let parents = [self.clone(), state.clone()];
        Self::node(all, width, y, Recurrence { kind, parents, store: p.0.clone(), w, b, steps, saved })
    }
}

impl<T: Real> Operation<T> for Recurrence<T> {
    fn parents(&self) -> &[Tensor<T>] {
        &self.parents
    }

    fn store(&self) -> Option<&Arc<Store<T>>> {
        Some(&self.store)
    }

    fn write(&self, program: &mut Program, from: &[Row]) -> Result<Row, &'static str> {
        let numbers = |slot: usize| self.store.slice(slot).iter().map(|x| x.f64() as f32).collect::<Vec<_>>();
        let n = self.parents[1].cols() / self.kind.shape().state;
        let h = program.slice(from[1], 0, n);
        let of_h = program.linear(h, numbers(self.w), numbers(self.b));
        Ok(self.kind.write(program, [from[0], of_h, from[1]], n))
    }

    fn backward(self, y: &Tensor<T>, g: Buffer<T>, sink: &mut Sink<'_, T>) {
        let Self { kind, parents: [gates, state], store, w, b, steps, mut saved } = self;
        let (y, shape) = (y.data(), kind.shape());
        let (rows, width) = state.shape();
        let n = width / shape.state;
        let all = gates.rows();
        let ranges = steps.ranges(all, rows);
        let (wide, kept) = (shape.gates * n, shape.saved * n);
        let mut dgi = Buffer::new(all * wide);
        let mut dgh = shape.separate.then(|| Buffer::new(all * wide));
        let weight = View::new(store.slice(w), wide, n);
        // The gradient of the states after step t, which becomes that of the states before it. A sequence that has
        // ended before step t has none yet.
        let mut carry = Buffer::zeros(rows * width);
        let waits = matches!(steps, Steps::From(_));
        let mut held = Buffer::new(if waits { rows * width } else { 0 });
        for (t, steps_rows) in ranges.iter().enumerate().rev() {
            let rows = steps_rows.len();
            let at = |size: usize| steps_rows.start * size..steps_rows.end * size;
            let carry = &mut carry[..rows * width];
            flat::add(carry, &g[at(width)]);
            let before = if t == 0 { state.data() } else { &y[ranges[t - 1].start * width..] };
            let before = &before[..rows * width];
            if waits {
                held.copy_from_slice(carry);
            }
            let dgi = &mut dgi[at(wide)];
            let dgh = dgh.as_mut().map_or(&mut [][..], |dgh| &mut dgh[at(wide)]);
            kind.backward(dgi, dgh, carry, &mut saved[at(kept)], before, n);
            for i in steps.waiting(t) {
                dgi[i * wide..(i + 1) * wide].fill(T::ZERO);
                if shape.separate {
                    dgh[i * wide..(i + 1) * wide].fill(T::ZERO);
                }
            }
            if t > 0 || needed(&state) {
                let dgh = View::new(if shape.separate { dgh } else { dgi }, rows, wide);
                kernels::matmul(carry, width, shape.direct, dgh, weight);
            }
            for i in steps.waiting(t) {
                carry[i * width..(i + 1) * width].copy_from_slice(&held[i * width..(i + 1) * width]);
            }
        }
        let dgh = dgh.as_deref().unwrap_or(&dgi);
        let narrow = |x, rows| View { cols: n, ..View::new(x, rows, width) };
        weight_gradient(sink, &store, w, View::new(&dgh[..rows * wide], rows, wide), narrow(state.data(), rows));
        if all > rows {
            let later = View::new(&dgh[rows * wide..], all - rows, wide);
            let before = before(y, &ranges, width);
            weight_gradient(sink, &store, w, later, narrow(&before, all - rows));
        }
        bias_gradient(sink, &store, b, dgh);
        if needed(&gates) {
            give(&gates, dgi);
        }
        if needed(&state) {
            give(&state, carry);
        }
    }
}

/// Returns the states before each row but those of the first step. They stand side by side already where every step has
/// the same number of rows.
fn before<'a, T: Real>(y: &'a [T], ranges: &[Range<usize>], width: usize) -> Cow<'a, [T]> {
    let last = ranges.last().expect("there is a step");
    if last.len() == ranges[0].len() {
        return Cow::Borrowed(&y[..last.start * width]);
    }
    let of = |pair: &[Range<usize>]| &y[pair[0].start * width..(pair[0].start + pair[1].len()) * width];
    Cow::Owned(ranges.windows(2).flat_map(of).copied().collect())
}
