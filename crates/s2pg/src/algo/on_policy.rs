//! What the on-policy algorithms share: values and log-densities of a rollout, and the fit of the value function.

use super::figures::Mean;
use crate::data::Rollout;
use crate::nn::{Adam, Tensor};
use crate::policy::{Critic, StatefulPolicy};
use crate::rng::Rng;

/// Number of rows that are evaluated together.
pub(super) const GROUP: usize = 250;

/// Writes the numbers `from`, [rows, 1], to the places `rows` of `to`.
pub(super) fn scatter(to: &mut [f64], rows: &[usize], from: &Tensor) {
    assert_eq!(from.shape(), (rows.len(), 1), "one number for each row");
    rows.iter().zip(from.data()).for_each(|(&k, &x)| to[k] = x as f64);
}

/// Returns the numbers of `values` at the places `rows`, [rows, 1].
pub(super) fn column(values: &[f64], rows: &[usize]) -> Tensor {
    Tensor::with(rows.len(), 1, |x| x.iter_mut().zip(rows).for_each(|(x, &k)| *x = values[k] as f32))
}

/// Returns V of every row's context, and V of every row's true next context. Within a chain of rows the latter is V of
/// the next row.
pub fn values(value: &impl Critic, data: &Rollout) -> (Vec<f64>, Vec<f64>) {
    let (mut v, mut v_next) = (vec![0.0; data.len()], vec![0.0; data.len()]);
    for rows in data.groups(GROUP) {
        scatter(&mut v, &rows, &value.value(&data.context(&rows), None));
    }
    let (inner, ends): (Vec<usize>, Vec<usize>) = data.rows().into_iter().partition(|&k| data.next_is_row(k));
    for k in inner {
        v_next[k] = v[k + data.shape().envs];
    }
    for rows in ends.chunks(GROUP) {
        scatter(&mut v_next, rows, &value.value(&data.next_context(rows), None));
    }
    (v, v_next)
}

/// Returns log π(a, z' | x) of the rows `rows`, [rows, 1].
pub fn log_prob(policy: &impl StatefulPolicy, data: &Rollout, rows: &[usize]) -> Tensor {
    policy.dist(&data.policy_context(rows)).log_prob(&data.extended(rows)).joint()
}

/// Takes one step of the value function towards the targets of the minibatch `rows`, and returns the loss, the mean of
/// (V(x) − target)².
pub fn value_step(
    value: &mut impl Critic,
    optimiser: &mut Adam,
    data: &Rollout,
    targets: &[f64],
    rows: &[usize],
) -> f64 {
    let target = column(targets, rows);
    let loss = (value.value(&data.context(rows), None) - target).square().mean();
    let result = loss.item() as f64;
    optimiser.minimize(value, &loss);
    result
}

/// Fits the value function to its targets in `epochs` passes over shuffled minibatches of `minibatch` rows, and returns
/// the mean loss.
pub fn fit_value(
    value: &mut impl Critic,
    optimiser: &mut Adam,
    data: &Rollout,
    targets: &[f64],
    (epochs, minibatch): (usize, usize),
    rng: &mut Rng,
) -> f64 {
    let mut losses = Mean::default();
    for _ in 0..epochs {
        for rows in data.minibatches(minibatch, rng) {
            losses.add(value_step(value, optimiser, data, targets, &rows));
        }
    }
    losses.get()
}

/// Runs `a` and `b`, on two threads where `threads` is at least 2, and returns both results. Neither reads what the
/// other writes, so the bits are the same on one thread.
pub fn side_by_side<A: Send, B>(threads: usize, a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B) -> (A, B) {
    if threads < 2 {
        return (a(), b());
    }
    std::thread::scope(|scope| {
        let a = scope.spawn(a);
        let b = b();
        (a.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), b)
    })
}
