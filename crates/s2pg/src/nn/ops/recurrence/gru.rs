//! The gated recurrent unit; its reset gate stands inside the candidate.

use super::step::{Step, quarters};
use crate::nn::kernels::{each, kernel};
use crate::nn::program::{Function, Pairwise, Program, Row};
use crate::nn::real::Real;

/// The gated recurrent unit, with the gates r (reset) and u (update) and the candidate c.
pub(super) struct Gru;

impl Step for Gru {
    const GATES: usize = 3;
    const SAVED: usize = 4;
    const SEPARATE: bool = true;
    const DIRECT: bool = true;

    fn forward<T: Real>(y: &mut [T], saved: &mut [T], gi: &[T], gh: &[T], state: &[T], bias: &[T], n: usize) {
        gru_gates(y, saved, gi, gh, state, bias, n);
    }

    fn write(p: &mut Program, [gi, gh, h]: [Row; 3], n: usize) -> Row {
        let part = |p: &mut Program, i: usize| (p.slice(gi, i * n, n), p.slice(gh, i * n, n));
        let gate = |p: &mut Program, i: usize| {
            let (gi, gh) = part(p, i);
            let sum = p.both(Pairwise::Add, gi, gh);
            p.each(Function::Sigmoid, sum)
        };
        let (r, u) = (gate(p, 0), gate(p, 1));
        let (gi, m) = part(p, 2);
        let rm = p.both(Pairwise::Mul, r, m);
        let sum = p.both(Pairwise::Add, gi, rm);
        let c = p.each(Function::Tanh, sum);
        let rest = p.each(Function::Affine(-1.0, 1.0), u);
        let (new, old) = (p.both(Pairwise::Mul, rest, c), p.both(Pairwise::Mul, u, h));
        p.both(Pairwise::Add, new, old)
    }

    fn backward<T: Real>(dgi: &mut [T], dgh: &mut [T], g: &mut [T], saved: &mut [T], state: &[T], n: usize) {
        gru_slopes(dgi, dgh, g, saved, state, n);
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
