//! Long short-term memory, whose state is h beside c.

use super::step::{Step, quarters};
use crate::nn::kernels::{each, kernel};
use crate::nn::program::{Function, Pairwise, Program, Row};
use crate::nn::real::Real;

/// Long short-term memory, with the gates i (input), f (forget) and o (output) and the candidate g.
pub(super) struct Lstm;

impl Step for Lstm {
    const GATES: usize = 4;
    const STATE: usize = 2;
    const SAVED: usize = 5;

    fn forward<T: Real>(y: &mut [T], saved: &mut [T], gi: &[T], gh: &[T], state: &[T], bias: &[T], n: usize) {
        lstm_gates(y, saved, gi, gh, state, bias, n);
    }

    fn write(p: &mut Program, [gi, gh, state]: [Row; 3], n: usize) -> Row {
        let gate = |p: &mut Program, f: Function, i: usize| {
            let (gi, gh) = (p.slice(gi, i * n, n), p.slice(gh, i * n, n));
            let sum = p.both(Pairwise::Add, gi, gh);
            p.each(f, sum)
        };
        let (i, f) = (gate(p, Function::Sigmoid, 0), gate(p, Function::Sigmoid, 1));
        let (g, o) = (gate(p, Function::Tanh, 2), gate(p, Function::Sigmoid, 3));
        let c = p.slice(state, n, n);
        let (old, new) = (p.both(Pairwise::Mul, f, c), p.both(Pairwise::Mul, i, g));
        let c = p.both(Pairwise::Add, old, new);
        let t = p.each(Function::Tanh, c);
        let h = p.both(Pairwise::Mul, o, t);
        p.concat(&[h, c])
    }

    fn backward<T: Real>(dgi: &mut [T], _: &mut [T], g: &mut [T], saved: &mut [T], state: &[T], n: usize) {
        lstm_slopes(dgi, g, saved, state, n);
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
