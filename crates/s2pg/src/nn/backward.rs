//! The reverse pass: from a loss to the gradient of one network's parameters.

use std::ops::Range;

use super::kernels::{self, Spread, View, each, kernel, map, update};
use super::parameters::Store;
use super::tensor::{Activation, Binary, Node, Op, Unary, next_id};
use super::{Buffer, Parameters, Real, Tensor};

/// Writes d loss / d parameter of `network` into `gradient`, and consumes the graph.
///
/// Only what lies between the loss and this network is computed: other networks get no weight gradients. Panics if the
/// graph was consumed before, or if the loss does not depend on the network.
pub(super) fn backward<T: Real>(loss: &Tensor<T>, network: &Parameters<T>, gradient: &mut [T]) {
    assert_eq!(loss.shape(), (1, 1), "a loss is one number, this is {:?}", loss.shape());
    let mut order = ascending(loss);
    for node in &order {
        let need = need(&node.0, &network.0);
        *node.0.need.borrow_mut() = need;
    }
    assert!(!loss.0.need.borrow().is_empty(), "this loss does not depend on the network that is to be moved");
    let mut sink = Sink { store: &network.0, gradient, written: vec![false; network.slots().len()] };
    give(loss, Buffer::copy(&[T::ONE]));
    while let Some(node) = order.pop() {
        if !node.0.need.borrow().is_empty() {
            let g = node.0.grad.take().expect("a needed node has a gradient");
            let op = node.0.op.replace(Op::Spent);
            propagate(&node.0, op, g, &mut sink);
        }
    }
    for (slot, written) in network.slots().iter().zip(sink.written) {
        if !written {
            gradient[slot.range()].fill(T::ZERO);
        }
    }
}

/// Every node that the loss was made from, oldest first.
fn ascending<T: Real>(loss: &Tensor<T>) -> Vec<Tensor<T>> {
    let pass = next_id();
    let mut order = vec![loss.clone()];
    loss.0.seen.set(pass);
    let mut done = 0;
    while done < order.len() {
        let node = order[done].clone();
        done += 1;
        let op = node.0.op.borrow();
        assert!(
            !matches!(*op, Op::Spent),
            "a part of this loss belongs to a graph that an earlier backward pass has consumed: \
             build it again, or detach it where it is data"
        );
        for parent in op.parents() {
            if parent.0.seen.replace(pass) != pass {
                order.push(parent.clone());
            }
        }
    }
    order.sort_unstable_by_key(|node| node.0.id);
    order
}

/// The columns of a node whose gradient leads to the network.
fn need<T: Real>(node: &Node<T>, network: &Store<T>) -> Range<usize> {
    let op = node.op.borrow();
    if let Op::Concat { parts } = &*op {
        let (mut from, mut span) = (0, 0..0);
        for p in parts {
            if !p.0.need.borrow().is_empty() {
                span = if span.is_empty() { from..from + p.cols() } else { span.start..from + p.cols() };
            }
            from += p.cols();
        }
        return span;
    }
    let own = op.store().is_some_and(|store| store.is(network));
    if own || op.parents().any(|p| !p.0.need.borrow().is_empty()) { 0..node.cols } else { 0..0 }
}

/// Where the gradient of the network gathers: the first write of each part overwrites, later ones add.
pub(super) struct Sink<'a, T: Real> {
    store: &'a Store<T>,
    gradient: &'a mut [T],
    written: Vec<bool>,
}

impl<T: Real> Sink<'_, T> {
    /// The place of a parameter, and whether to add to it; None for another network's.
    fn slot(&mut self, store: &Store<T>, slot: usize) -> Option<(&mut [T], bool)> {
        if !store.is(self.store) {
            return None;
        }
        let add = std::mem::replace(&mut self.written[slot], true);
        Some((&mut self.gradient[self.store.slots[slot].range()], add))
    }

    /// dW = dyᵀ x.
    pub(super) fn weight(&mut self, store: &Store<T>, slot: usize, dy: View<'_, T>, x: View<'_, T>) {
        if let Some((dw, add)) = self.slot(store, slot) {
            kernels::matmul(dw, x.cols, add, dy.t(), x);
        }
    }

    /// db = sum over rows of dy.
    pub(super) fn bias(&mut self, store: &Store<T>, slot: usize, dy: &[T]) {
        if let Some((db, add)) = self.slot(store, slot) {
            kernels::sum_rows(db, add, dy);
        }
    }
}

pub(super) fn needed<T: Real>(x: &Tensor<T>) -> bool {
    !x.0.need.borrow().is_empty()
}

/// Adds `g` to the gradient of `x`.
pub(super) fn give<T: Real>(x: &Tensor<T>, g: Buffer<T>) {
    let mut grad = x.0.grad.borrow_mut();
    match &mut *grad {
        None => *grad = Some(g),
        Some(sum) => update!(sum, &g, |a, b| a + b),
    }
}

/// Adds to a part of the gradient of `x`.
fn give_part<T: Real>(x: &Tensor<T>, add: impl FnOnce(&mut [T])) {
    let mut grad = x.0.grad.borrow_mut();
    add(grad.get_or_insert_with(|| Buffer::zeros(x.data().len())));
}

/// Adds `dy · W` to the gradient of `x`, for the columns that are needed.
fn give_product<T: Real>(x: &Tensor<T>, dy: View<'_, T>, w: View<'_, T>) {
    let need = x.0.need.borrow().clone();
    let mut grad = x.0.grad.borrow_mut();
    let add = grad.is_some();
    let dx = grad.get_or_insert_with(|| Buffer::new(x.data().len()));
    kernels::matmul(&mut dx[need.start..], x.cols(), add, dy, w.columns(need.start, need.end));
}

/// Adds the gradient `g` of a `shape` to `x`, summed where `x` was spread.
fn give_spread<T: Real>(x: &Tensor<T>, g: Buffer<T>, shape: (usize, usize)) {
    let summed = match Spread::of(x.shape(), shape) {
        Spread::Full => g,
        Spread::Row => {
            let mut sum = Buffer::new(x.cols());
            kernels::sum_rows(&mut sum, false, &g);
            sum
        }
        Spread::Col => {
            let mut sum = Buffer::new(x.rows());
            kernels::sum_cols(&mut sum, &g, shape.1);
            sum
        }
        Spread::One => Buffer::copy(&[kernels::sum(&g)]),
    };
    give(x, summed);
}

/// Sends the gradient `g` of a node to what it was made from.
fn propagate<T: Real>(node: &Node<T>, op: Op<T>, mut g: Buffer<T>, sink: &mut Sink<'_, T>) {
    let (rows, cols) = (node.rows, node.cols);
    match op {
        Op::Leaf | Op::Spent => {}
        Op::Param { p, slot } => sink.bias_or_copy(&p, slot, &g),
        Op::Linear { x, p, w, b, act } => {
            match act {
                Activation::Identity => {}
                Activation::Relu => update!(&mut g, &node.value, |g, y| if y > T::ZERO { g } else { T::ZERO }),
                Activation::Tanh => update!(&mut g, &node.value, |g, y| g * (T::ONE - y * y)),
            }
            let dy = View::new(&g, rows, cols);
            sink.weight(&p, w, dy, View::new(x.data(), rows, x.cols()));
            if let Some(b) = b {
                sink.bias(&p, b, &g);
            }
            if needed(&x) {
                give_product(&x, dy, View::new(p.slice(w), cols, x.cols()));
            }
        }
        Op::Unary { x, f } => {
            unary(f, &mut g, x.data(), &node.value);
            give(&x, g);
        }
        Op::Binary { a, b, f } => binary(f, &a, &b, g, (rows, cols)),
        Op::Columns { x, from } => give_part(&x, |dx| {
            if cols > 0 {
                for (dx, g) in dx.chunks_exact_mut(x.cols()).zip(g.chunks_exact(cols)) {
                    dx[from..from + cols].iter_mut().zip(g).for_each(|(dx, &g)| *dx += g);
                }
            }
        }),
        Op::Rows { x, from } => give_part(&x, |dx| {
            update!(&mut dx[from * cols..(from + rows) * cols], &g, |dx, g| dx + g);
        }),
        Op::Concat { parts } => {
            let mut from = 0;
            for x in parts {
                if needed(&x) {
                    let mut dx = Buffer::new(rows * x.cols());
                    for (dx, g) in dx.chunks_exact_mut(x.cols()).zip(g.chunks_exact(cols)) {
                        dx.copy_from_slice(&g[from..from + dx.len()]);
                    }
                    give(&x, dx);
                }
                from += x.cols();
            }
        }
        Op::Stack { parts } => {
            let mut from = 0;
            for x in parts {
                let size = x.data().len();
                if needed(&x) {
                    give(&x, Buffer::copy(&g[from..from + size]));
                }
                from += size;
            }
        }
        Op::Sum { x, scale } => {
            let mut dx = Buffer::new(x.data().len());
            dx.fill(g[0] * scale);
            give(&x, dx);
        }
        Op::SumColumns { x } => {
            let mut dx = Buffer::new(x.data().len());
            for (dx, &g) in dx.chunks_exact_mut(x.cols().max(1)).zip(&*g) {
                dx.fill(g);
            }
            give(&x, dx);
        }
        Op::Recurrence(r) => r.backward(&node.value, g, sink),
        Op::LogProb { x, mean, log_std } => log_prob(&x, &mean, &log_std, &g),
        Op::Squash { mean, log_std, noise } => squash(&mean, &log_std, &noise, &node.value, &g),
    }
}

impl<T: Real> Sink<'_, T> {
    /// A parameter that was read as a tensor.
    fn bias_or_copy(&mut self, store: &Store<T>, slot: usize, g: &[T]) {
        if let Some((dp, add)) = self.slot(store, slot) {
            if add { update!(dp, g, |a, b| a + b) } else { dp.copy_from_slice(g) }
        }
    }
}

/// g = g f'(x), where y = f(x).
fn unary<T: Real>(f: Unary<T>, g: &mut [T], x: &[T], y: &[T]) {
    let two = T::of(2.0);
    match f {
        Unary::Exp => update!(g, y, |g, y| g * y),
        Unary::Ln => update!(g, x, |g, x| g / x),
        Unary::Tanh => update!(g, y, |g, y| g * (T::ONE - y * y)),
        Unary::Sigmoid => update!(g, y, |g, y| g * (y * (T::ONE - y))),
        Unary::Relu => update!(g, x, |g, x| if x > T::ZERO { g } else { T::ZERO }),
        Unary::Softplus => update!(g, x, |g, x| g * x.sigmoid()),
        Unary::Sin => update!(g, x, |g, x| g * x.cos()),
        Unary::Cos => update!(g, x, |g, x| -(g * x.sin())),
        Unary::Square => update!(g, x, (two), |g, x| g * (two * x)),
        Unary::Sqrt => update!(g, y, (two), |g, y| g / (two * y)),
        Unary::Abs => update!(g, x, |g, x| if x < T::ZERO { -g } else { g }),
        Unary::Clip(low, high) => {
            update!(g, x, (low, high), |g, x| if x >= low && x <= high { g } else { T::ZERO });
        }
        Unary::Affine(scale, _) => g.iter_mut().for_each(|g| *g = *g * scale),
    }
}

fn binary<T: Real>(f: Binary, a: &Tensor<T>, b: &Tensor<T>, g: Buffer<T>, shape: (usize, usize)) {
    let (sa, sb) = (Spread::of(a.shape(), shape), Spread::of(b.shape(), shape));
    // The derivative with respect to one operand: g times d(a, b).
    let product = |d: &dyn Fn(&mut [T])| {
        let mut slope = Buffer::new(g.len());
        d(&mut slope);
        update!(&mut slope, &g, |d, g| d * g);
        slope
    };
    let (va, vb) = ((a.data(), sa), (b.data(), sb));
    let cols = shape.1;
    if needed(a) {
        let da = match f {
            Binary::Add | Binary::Sub => Buffer::copy(&g),
            Binary::Mul => product(&|d| kernels::zip(d, cols, va, vb, |_, b| b)),
            Binary::Div => product(&|d| kernels::zip(d, cols, va, vb, |_, b| T::ONE / b)),
            Binary::Min => product(&|d| kernels::zip(d, cols, va, vb, |a, b| if a <= b { T::ONE } else { T::ZERO })),
            Binary::Max => product(&|d| kernels::zip(d, cols, va, vb, |a, b| if a >= b { T::ONE } else { T::ZERO })),
        };
        give_spread(a, da, shape);
    }
    if needed(b) {
        let db = match f {
            Binary::Add => g,
            Binary::Sub => {
                let mut g = g;
                g.iter_mut().for_each(|g| *g = -*g);
                g
            }
            Binary::Mul => product(&|d| kernels::zip(d, cols, va, vb, |a, _| a)),
            Binary::Div => product(&|d| kernels::zip(d, cols, va, vb, |a, b| -(a / (b * b)))),
            Binary::Min => product(&|d| kernels::zip(d, cols, va, vb, |a, b| if a <= b { T::ZERO } else { T::ONE })),
            Binary::Max => product(&|d| kernels::zip(d, cols, va, vb, |a, b| if a >= b { T::ZERO } else { T::ONE })),
        };
        give_spread(b, db, shape);
    }
}

fn log_prob<T: Real>(x: &Tensor<T>, mean: &Tensor<T>, log_std: &Tensor<T>, g: &[T]) {
    let (rows, n) = mean.shape();
    let mut dmean = Buffer::new(rows * n);
    let mut dlog_std = Buffer::zeros(log_std.data().len());
    log_density_slopes(&mut dmean, &mut dlog_std, x.data(), mean.data(), log_std.data(), g, &mut Buffer::new(n));
    if needed(log_std) {
        give(log_std, dlog_std);
    }
    if needed(x) {
        let mut dx = Buffer::new(dmean.len());
        map!(&mut dx, &dmean, |d| -d);
        give(x, dx);
    }
    if needed(mean) {
        give(mean, dmean);
    }
}

fn squash<T: Real>(mean: &Tensor<T>, log_std: &Tensor<T>, noise: &Tensor<T>, y: &[T], g: &[T]) {
    let (rows, n) = mean.shape();
    let mut dmean = Buffer::new(rows * n);
    let mut dlog_std = Buffer::new(rows * n);
    squash_slopes(&mut dmean, &mut dlog_std, log_std.data(), noise.data(), y, g, n);
    if needed(mean) {
        give(mean, dmean);
    }
    if needed(log_std) {
        give(log_std, dlog_std);
    }
}

kernel! {
    /// Adds to `dlog_std` (one row, or one for each) and writes `dmean`.
    fn log_density_slopes<'a, T: Real>(
        dmean: &'a mut [T],
        dlog_std: &'a mut [T],
        x: &'a [T],
        mean: &'a [T],
        log_std: &'a [T],
        g: &'a [T],
        inverse: &'a mut [T],
    ) -> () {
        let n = inverse.len();
        let one = dlog_std.len() == n;
        let rows = dmean.chunks_exact_mut(n).zip(x.chunks_exact(n)).zip(mean.chunks_exact(n)).zip(g);
        for (i, (((dm, x), mean), &g)) in rows.enumerate() {
            let at = if one { 0 } else { i * n };
            let (ds, s) = (&mut dlog_std[at..at + n], &log_std[at..at + n]);
            each!(inverse, [s = s], (-s).exp());
            each!(dm, [x = x, m = mean, i = inverse], (x - m) * i);
            for (ds, &d) in ds.iter_mut().zip(&*dm) {
                *ds += g * (d * d - T::ONE);
            }
            for (dm, &i) in dm.iter_mut().zip(&*inverse) {
                *dm = g * *dm * i;
            }
        }
    }
}

kernel! {
    /// From the gradients of squashed samples and of their log-densities to those of means and log-stds.
    fn squash_slopes<'a, T: Real>(
        dmean: &'a mut [T],
        dlog_std: &'a mut [T],
        log_std: &'a [T],
        noise: &'a [T],
        y: &'a [T],
        g: &'a [T],
        n: usize,
    ) -> () {
        let rows = dmean.chunks_exact_mut(n).zip(dlog_std.chunks_exact_mut(n));
        let rows = rows.zip(log_std.chunks_exact(n).zip(noise.chunks_exact(n)));
        for (((dm, ds), (s, e)), (t, g)) in rows.zip(y.chunks_exact(n + 1).zip(g.chunks_exact(n + 1))) {
            ds.fill(g[n]);
            each!(dm, [t = t, g = g, density = ds], {
                let slope = T::ONE - t * t;
                g * slope + density * (T::of(2.0) * t * slope / (slope + T::of(1e-6)))
            });
            each!(ds, [dm = dm, s = s, e = e], dm * s.exp() * e);
            ds.iter_mut().for_each(|ds| *ds = *ds - g[n]);
        }
    }
}
