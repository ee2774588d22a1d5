//! Recurrent cells, over one step or a whole window: the unrolled loop is one operation, so that the gradient of the
//! recurrent weight is one product over all steps.
//!
//! A new cell is a file with a structure that implements `Step`, and its name in the list below.

mod elman;
mod gru;
mod lstm;
mod step;

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

/// What a recurrence was made from, and what the way back needs.
pub(in crate::nn) struct Recurrence<T: Real> {
    kind: CellKind,
    /// The input half of the gates, [L B, gates], step after step; and the state before the first step, [B, state].
    parents: [Tensor<T>; 2],
    store: Arc<Store<T>>,
    w: usize,
    b: usize,
    /// The first step of each row; before it the state stays. None where all start at once.
    starts: Option<Rc<[usize]>>,
    /// What the steps of the cell have saved, step after step.
    saved: Buffer<T>,
}

impl<T: Real> Tensor<T> {
    /// All states of a recurrence, [L B, state], from the input half of the gates, which is self, [L B, gates], and the
    /// state before the first step, [B, state]. The recurrent weight `w` [gates, hidden] and the bias `b` [1, gates]
    /// are in the flat buffer `p`.
    pub(in crate::nn) fn recurrence(
        &self,
        state: &Self,
        kind: CellKind,
        p: &Parameters<T>,
        (w, b): (usize, usize),
        starts: Option<Rc<[usize]>>,
    ) -> Self {
        let shape = kind.shape();
        let (rows, width) = state.shape();
        let n = width / shape.state;
        let (g, kept) = (shape.gates * n, shape.saved * n);
        let len = self.rows() / rows.max(1);
        assert_eq!(self.shape(), (len * rows, g), "gates {:?} of a state {:?}", self.shape(), state.shape());
        let mut y = Buffer::new(len * rows * width);
        let mut saved = Buffer::new(len * rows * kept);
        let mut gh = Buffer::new(rows * g);
        let weight = View::new(p.0.slice(w), g, n).t();
        for t in 0..len {
            let (done, rest) = y.split_at_mut(t * rows * width);
            let before = if t == 0 { state.data() } else { &done[(t - 1) * rows * width..] };
            let next = &mut rest[..rows * width];
            let h = View { cols: n, ..View::new(before, rows, width) };
            kernels::matmul(&mut gh, g, false, h, weight);
            let saved = &mut saved[t * rows * kept..][..rows * kept];
            let gi = &self.data()[t * rows * g..][..rows * g];
            kind.forward(next, saved, gi, &gh, before, p.0.slice(b), n);
            for i in waiting(&starts, t) {
                next[i * width..(i + 1) * width].copy_from_slice(&before[i * width..(i + 1) * width]);
            }
        }
        let parents = [self.clone(), state.clone()];
        Self::node(len * rows, width, y, Recurrence { kind, parents, store: p.0.clone(), w, b, starts, saved })
    }
}

impl<T: Real> Operation<T> for Recurrence<T> {
    fn parents(&self) -> &[Tensor<T>] {
        &self.parents
    }

    fn store(&self) -> Option<&Arc<Store<T>>> {
        Some(&self.store)
    }

    fn backward(self, y: &Tensor<T>, g: Buffer<T>, sink: &mut Sink<'_, T>) {
        let Self { kind, parents: [gates, state], store, w, b, starts, mut saved } = self;
        let (y, shape) = (y.data(), kind.shape());
        let (rows, width) = state.shape();
        let n = width / shape.state;
        let (all, len) = (gates.rows(), gates.rows() / rows.max(1));
        let (wide, kept) = (shape.gates * n, shape.saved * n);
        let mut dgi = Buffer::new(all * wide);
        let mut dgh = shape.separate.then(|| Buffer::new(all * wide));
        let weight = View::new(store.slice(w), wide, n);
        // The gradient of the state after step t, which becomes that of the state before it.
        let mut carry = Buffer::zeros(rows * width);
        let mut held = Buffer::new(if starts.is_some() { rows * width } else { 0 });
        for t in (0..len).rev() {
            let at = |size: usize| t * rows * size..(t + 1) * rows * size;
            flat::add(&mut carry, &g[at(width)]);
            let before = if t == 0 { state.data() } else { &y[at(width).start - rows * width..at(width).start] };
            if starts.is_some() {
                held.copy_from_slice(&carry);
            }
            let dgi = &mut dgi[at(wide)];
            let dgh = dgh.as_mut().map_or(&mut [][..], |dgh| &mut dgh[at(wide)]);
            kind.backward(dgi, dgh, &mut carry, &mut saved[at(kept)], before, n);
            for i in waiting(&starts, t) {
                dgi[i * wide..(i + 1) * wide].fill(T::ZERO);
                if shape.separate {
                    dgh[i * wide..(i + 1) * wide].fill(T::ZERO);
                }
            }
            if t > 0 || needed(&state) {
                let dgh = View::new(if shape.separate { dgh } else { dgi }, rows, wide);
                kernels::matmul(&mut carry, width, shape.direct, dgh, weight);
            }
            for i in waiting(&starts, t) {
                carry[i * width..(i + 1) * width].copy_from_slice(&held[i * width..(i + 1) * width]);
            }
        }
        let dgh = dgh.as_deref().unwrap_or(&dgi);
        let narrow = |x, rows| View { cols: n, ..View::new(x, rows, width) };
        weight_gradient(sink, &store, w, View::new(&dgh[..rows * wide], rows, wide), narrow(state.data(), rows));
        if len > 1 {
            let later = View::new(&dgh[rows * wide..], all - rows, wide);
            weight_gradient(sink, &store, w, later, narrow(y, all - rows));
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

/// The rows that have not started at step t.
fn waiting(starts: &Option<Rc<[usize]>>, t: usize) -> impl Iterator<Item = usize> {
    let starts = starts.as_deref().unwrap_or(&[]);
    starts.iter().enumerate().filter(move |(_, start)| **start > t).map(|(i, _)| i)
}
