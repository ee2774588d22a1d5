//! Recurrent cells, over one step or a whole window: the unrolled loop is one operation, so that the gradient of the
//! recurrent weight is one product over all steps.

use std::rc::Rc;
use std::sync::Arc;

use super::backward::{Sink, give, needed};
use super::kernels::{self, View, each, kernel};
use super::layers::CellKind;
use super::parameters::Store;
use super::tensor::Op;
use super::{Buffer, Parameters, Real, Tensor};

/// What a recurrence was made from, and what the way back needs.
pub(super) struct Recurrence<T: Real> {
    kind: CellKind,
    /// The input half of the gates, [L B, gates], step after step.
    pub gates: Tensor<T>,
    /// The state before the first step, [B, state].
    pub state: Tensor<T>,
    pub p: Arc<Store<T>>,
    w: usize,
    b: usize,
    /// The first step of each row; before it the state stays. None where all start at once.
    starts: Option<Rc<[usize]>>,
    /// Gates after their activations, for each row.
    saved: Buffer<T>,
}

impl CellKind {
    /// Rows of the weights for each unit.
    pub(super) fn gates(self) -> usize {
        match self {
            Self::Elman | Self::ElmanRelu => 1,
            Self::Gru => 3,
            Self::Lstm => 4,
        }
    }

    /// Numbers in the state of a cell of `hidden` units: an LSTM's is h beside c.
    pub fn state_size(self, hidden: usize) -> usize {
        if self == Self::Lstm { 2 * hidden } else { hidden }
    }

    /// Numbers that the way back needs, for each unit.
    fn saved(self) -> usize {
        match self {
            Self::Elman | Self::ElmanRelu => 1,
            Self::Gru => 4,
            Self::Lstm => 5,
        }
    }
}

impl<T: Real> Recurrence<T> {
    /// All states, [L B, state], from the input half of the gates [L B, gates] and the state before, [B, state].
    pub fn forward(
        kind: CellKind,
        gates: &Tensor<T>,
        state: &Tensor<T>,
        p: &Parameters<T>,
        (w, b): (usize, usize),
        starts: Option<Rc<[usize]>>,
    ) -> Tensor<T> {
        let (rows, width) = state.shape();
        let n = width / kind.state_size(1);
        let g = kind.gates() * n;
        let len = gates.rows() / rows.max(1);
        assert_eq!(gates.shape(), (len * rows, g), "gates {:?} of a state {:?}", gates.shape(), state.shape());
        let mut y = Buffer::new(len * rows * width);
        let mut saved = Buffer::new(len * rows * kind.saved() * n);
        let mut gh = Buffer::new(rows * g);
        let weight = View::new(p.0.slice(w), g, n).t();
        for t in 0..len {
            let (done, rest) = y.split_at_mut(t * rows * width);
            let before = if t == 0 { state.data() } else { &done[(t - 1) * rows * width..] };
            let next = &mut rest[..rows * width];
            let h = View { cols: n, ..View::new(before, rows, width) };
            kernels::matmul(&mut gh, g, false, h, weight);
            let saved = &mut saved[t * rows * kind.saved() * n..][..rows * kind.saved() * n];
            let gi = &gates.data()[t * rows * g..][..rows * g];
            let bias = p.0.slice(b);
            match kind {
                CellKind::Elman => elman_step(next, saved, gi, &gh, bias, n, false),
                CellKind::ElmanRelu => elman_step(next, saved, gi, &gh, bias, n, true),
                CellKind::Gru => gru_gates(next, saved, gi, &gh, before, bias, n),
                CellKind::Lstm => lstm_gates(next, saved, gi, &gh, before, bias, n),
            }
            for i in waiting(&starts, t) {
                next[i * width..(i + 1) * width].copy_from_slice(&before[i * width..(i + 1) * width]);
            }
        }
        let recurrence = Self { kind, gates: gates.clone(), state: state.clone(), p: p.0.clone(), w, b, starts, saved };
        Tensor::node(len * rows, width, y, Op::Recurrence(recurrence))
    }

    /// Sends the gradient `g` of all states `y` back.
    pub fn backward(self, y: &[T], g: Buffer<T>, sink: &mut Sink<'_, T>) {
        let Self { kind, gates, state, p, w, b, starts, mut saved } = self;
        let (rows, width) = state.shape();
        let n = width / kind.state_size(1);
        let (all, len) = (gates.rows(), gates.rows() / rows.max(1));
        let (wide, kept) = (kind.gates() * n, kind.saved() * n);
        let mut dgi = Buffer::new(all * wide);
        // Only in a GRU does the gradient of the recurrent half of the gates differ from that of the input half.
        let mut dgh = (kind == CellKind::Gru).then(|| Buffer::new(all * wide));
        let weight = View::new(p.slice(w), wide, n);
        // The gradient of the state after step t, which becomes that of the state before it.
        let mut carry = Buffer::zeros(rows * width);
        let mut held = Buffer::new(if starts.is_some() { rows * width } else { 0 });
        for t in (0..len).rev() {
            let at = |size: usize| t * rows * size..(t + 1) * rows * size;
            kernels::update!(&mut carry, &g[at(width)], |carry, g| carry + g);
            let before = if t == 0 { state.data() } else { &y[at(width).start - rows * width..at(width).start] };
            if starts.is_some() {
                held.copy_from_slice(&carry);
            }
            let (dgi, saved) = (&mut dgi[at(wide)], &mut saved[at(kept)]);
            let dgh = match &mut dgh {
                Some(dgh) => {
                    let dgh = &mut dgh[at(wide)];
                    gru_slopes(dgi, dgh, &mut carry, saved, before, n);
                    for i in waiting(&starts, t) {
                        dgh[i * wide..(i + 1) * wide].fill(T::ZERO);
                    }
                    Some(&*dgh)
                }
                None if kind == CellKind::Lstm => {
                    lstm_slopes(dgi, &mut carry, saved, before, n);
                    None
                }
                None => {
                    each_product(dgi, &carry, saved);
                    None
                }
            };
            for i in waiting(&starts, t) {
                dgi[i * wide..(i + 1) * wide].fill(T::ZERO);
            }
            if t > 0 || needed(&state) {
                let dgh = View::new(dgh.unwrap_or(dgi), rows, wide);
                kernels::matmul(&mut carry, width, kind == CellKind::Gru, dgh, weight);
            }
            for i in waiting(&starts, t) {
                carry[i * width..(i + 1) * width].copy_from_slice(&held[i * width..(i + 1) * width]);
            }
        }
        let dgh = dgh.as_deref().unwrap_or(&dgi);
        let narrow = |x, rows| View { cols: n, ..View::new(x, rows, width) };
        sink.weight(&p, w, View::new(&dgh[..rows * wide], rows, wide), narrow(state.data(), rows));
        if len > 1 {
            sink.weight(&p, w, View::new(&dgh[rows * wide..], all - rows, wide), narrow(y, all - rows));
        }
        sink.bias(&p, b, dgh);
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

kernel! {
    /// The next state of an Elman cell; keeps its slope for the way back.
    fn elman_step<'a, T: Real>(
        y: &'a mut [T],
        saved: &'a mut [T],
        gi: &'a [T],
        gh: &'a [T],
        bias: &'a [T],
        n: usize,
        relu: bool,
    ) -> () {
        let rows = y.chunks_exact_mut(n).zip(saved.chunks_exact_mut(n));
        for ((y, saved), (gi, gh)) in rows.zip(gi.chunks_exact(n).zip(gh.chunks_exact(n))) {
            if relu {
                each!(y, [gi = gi, gh = gh, b = bias], (gi + (gh + b)).maximum(T::ZERO));
                each!(saved, [y = y], if y > T::ZERO { T::ONE } else { T::ZERO });
            } else {
                each!(y, [gi = gi, gh = gh, b = bias], (gi + (gh + b)).tanh());
                each!(saved, [y = y], T::ONE - y * y);
            }
        }
    }
}

kernel! {
    /// `dst = a b`, element by element.
    fn each_product<'a, T: Real>(dst: &'a mut [T], a: &'a [T], b: &'a [T]) -> () {
        each!(dst, [a = a, b = b], a * b);
    }
}

kernel! {
    /// The gates and the next state of a GRU; keeps r, u, c and h W_hnᵀ + b_hn for the way back.
    fn gru_gates<'a, T: Real>(
        y: &'a mut [T],
        saved: &'a mut [T],
        gi: &'a [T],
        gh: &'a [T],
        h: &'a [T],
        bias: &'a [T],
        n: usize,
    ) -> () {
        let rows = y.chunks_exact_mut(n).zip(saved.chunks_exact_mut(4 * n)).zip(h.chunks_exact(n));
        for (((y, saved), h), (gi, gh)) in rows.zip(gi.chunks_exact(3 * n).zip(gh.chunks_exact(3 * n))) {
            let (ru, cm) = saved.split_at_mut(2 * n);
            let (c, m) = cm.split_at_mut(n);
            each!(ru, [gi = gi, gh = gh, b = bias], (gi + (gh + b)).sigmoid());
            each!(m, [gh = &gh[2 * n..], b = &bias[2 * n..]], gh + b);
            let (r, u) = ru.split_at(n);
            each!(c, [gi = &gi[2 * n..], r = r, m = m], (gi + r * m).tanh());
            each!(y, [u = u, c = c, h = h], (T::ONE - u) * c + u * h);
        }
    }
}

kernel! {
    /// The gates and the next state of an LSTM; keeps i, f, g, o and tanh(c') for the way back.
    fn lstm_gates<'a, T: Real>(
        y: &'a mut [T],
        saved: &'a mut [T],
        gi: &'a [T],
        gh: &'a [T],
        state: &'a [T],
        bias: &'a [T],
        n: usize,
    ) -> () {
        let rows = y.chunks_exact_mut(2 * n).zip(saved.chunks_exact_mut(5 * n)).zip(state.chunks_exact(2 * n));
        for (((y, saved), state), (gi, gh)) in rows.zip(gi.chunks_exact(4 * n).zip(gh.chunks_exact(4 * n))) {
            let (_, c) = state.split_at(n);
            let (h_next, c_next) = y.split_at_mut(n);
            let (gates, t) = saved.split_at_mut(4 * n);
            each!(&mut gates[..2 * n], [gi = gi, gh = gh, b = bias], (gi + (gh + b)).sigmoid());
            let [_, _, g, o] = quarters(gates);
            each!(g, [gi = &gi[2 * n..], gh = &gh[2 * n..], b = &bias[2 * n..]], (gi + (gh + b)).tanh());
            each!(o, [gi = &gi[3 * n..], gh = &gh[3 * n..], b = &bias[3 * n..]], (gi + (gh + b)).sigmoid());
            let [i, f, g, o] = quarters(gates);
            each!(c_next, [i = i, f = f, g = g, c = c], f * c + i * g);
            each!(t, [c = c_next], c.tanh());
            each!(h_next, [o = o, t = t], o * t);
        }
    }
}

/// Four equal parts.
#[inline(always)]
pub(super) fn quarters<T>(x: &mut [T]) -> [&mut [T]; 4] {
    let n = x.len() / 4;
    let (a, x) = x.split_at_mut(n);
    let (b, x) = x.split_at_mut(n);
    let (c, d) = x.split_at_mut(n);
    [a, b, c, &mut d[..n]]
}

kernel! {
    /// From the gradient of a GRU's next state to that of its gates; `g` becomes the direct part of that of its state.
    fn gru_slopes<'a, T: Real>(
        dgi: &'a mut [T],
        dgh: &'a mut [T],
        g: &'a mut [T],
        saved: &'a mut [T],
        h: &'a [T],
        n: usize,
    ) -> () {
        let rows = dgi.chunks_exact_mut(3 * n).zip(dgh.chunks_exact_mut(3 * n));
        let rows = rows.zip(g.chunks_exact_mut(n).zip(saved.chunks_exact_mut(4 * n))).zip(h.chunks_exact(n));
        for (((dgi, dgh), (g, saved)), h) in rows {
            let [r, u, c, m] = quarters(saved);
            let (dr, rest) = dgi.split_at_mut(n);
            let (du, dc) = rest.split_at_mut(n);
            each!(dc, [g = g, u = u, c = c], g * (T::ONE - u) * (T::ONE - c * c));
            each!(dr, [dc = dc, m = m, r = r], dc * m * (r * (T::ONE - r)));
            each!(du, [g = g, h = h, c = c, u = u], g * (h - c) * (u * (T::ONE - u)));
            each!(&mut dgh[2 * n..], [dc = dc, r = r], dc * r);
            dgh[..2 * n].copy_from_slice(&dgi[..2 * n]);
            g.iter_mut().zip(u).for_each(|(g, u)| *g = *g * *u);
        }
    }
}

kernel! {
    /// From the gradient of an LSTM's next state to that of its gates; the cell's half of `g` becomes that of the cell
    /// before.
    fn lstm_slopes<'a, T: Real>(
        dgates: &'a mut [T],
        g: &'a mut [T],
        saved: &'a mut [T],
        state: &'a [T],
        n: usize,
    ) -> () {
        let rows = dgates.chunks_exact_mut(4 * n).zip(g.chunks_exact_mut(2 * n));
        for (((dgates, g), saved), state) in rows.zip(saved.chunks_exact_mut(5 * n)).zip(state.chunks_exact(2 * n)) {
            let (dh, dc) = g.split_at_mut(n);
            let (_, c) = state.split_at(n);
            let (gates, t) = saved.split_at_mut(4 * n);
            let [i, f, u, o] = quarters(gates);
            let [di, df, du, d_o] = quarters(dgates);
            each!(d_o, [dh = dh, t = t, o = o], dh * t * (o * (T::ONE - o)));
            for (((dc, dh), o), t) in dc.iter_mut().zip(&*dh).zip(&*o).zip(&*t) {
                *dc += *dh * *o * (T::ONE - *t * *t);
            }
            each!(di, [dc = dc, u = u, i = i], dc * u * (i * (T::ONE - i)));
            each!(df, [dc = dc, c = c, f = f], dc * c * (f * (T::ONE - f)));
            each!(du, [dc = dc, i = i, u = u], dc * i * (T::ONE - u * u));
            dc.iter_mut().zip(&*f).for_each(|(dc, f)| *dc = *dc * *f);
        }
    }
}
