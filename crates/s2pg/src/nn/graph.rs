//! The reverse pass: from a loss to the gradient of one network's parameters.
//!
//! The pass knows the order of the tensors and where their gradients gather. What an operation does with the gradient
//! of its result stands in the operation's file.

use std::ops::Range;

use super::ops::flat;
use super::parameters::{Parameters, Params, Store};
use super::pool::Buffer;
use super::real::Real;
use super::tensor::{Tensor, next_id};

/// The gradient of `loss` with respect to the parameters of `network`, in the order of the network's flat buffer. No
/// parameter moves. Consumes the graph of the loss, and panics as [`gradient_into`] does.
pub fn gradient<T: Real>(loss: &Tensor<T>, network: &impl Params<T>) -> Vec<T> {
    let mut gradient = vec![T::ZERO; network.params().data().len()];
    gradient_into(loss, network, &mut gradient);
    gradient
}

/// Writes the gradient of `loss` with respect to the parameters of `network` into `gradient`, which is as long as the
/// network's flat buffer and has its order. No parameter moves.
///
/// Consumes the graph of the loss. Only what lies between the loss and this network is computed: other networks get no
/// gradients. Panics if the loss is not 1 x 1, if a part of its graph was consumed before, or if the loss does not
/// depend on the network.
pub fn gradient_into<T: Real>(loss: &Tensor<T>, network: &impl Params<T>, gradient: &mut [T]) {
    backward(loss, network.params(), gradient);
}

fn backward<T: Real>(loss: &Tensor<T>, network: &Parameters<T>, gradient: &mut [T]) {
    assert_eq!(loss.shape(), (1, 1), "a loss is one number, this is {:?}", loss.shape());
    let mut order = ascending(loss);
    for tensor in &order {
        let need = tensor.0.op.borrow().need(tensor.cols(), &network.0);
        *tensor.0.need.borrow_mut() = need;
    }
    assert!(needed(loss), "this loss does not depend on the network that is to be moved");
    let mut sink = Sink { store: &network.0, gradient, written: vec![false; network.slots().len()] };
    give(loss, Buffer::copy(&[T::ONE]));
    while let Some(tensor) = order.pop() {
        if needed(&tensor) {
            let g = tensor.0.grad.take().expect("a needed tensor has a gradient");
            tensor.spend().backward(&tensor, g, &mut sink);
        }
    }
    for (slot, written) in network.slots().iter().zip(sink.written) {
        if !written {
            gradient[slot.range()].fill(T::ZERO);
        }
    }
}

/// The loss and every tensor that it was made from, oldest first.
fn ascending<T: Real>(loss: &Tensor<T>) -> Vec<Tensor<T>> {
    let pass = next_id();
    let mut order = vec![loss.clone()];
    loss.0.seen.set(pass);
    let mut done = 0;
    while done < order.len() {
        let tensor = order[done].clone();
        done += 1;
        let op = tensor.0.op.borrow();
        assert!(
            !op.is_spent(),
            "a part of this loss belongs to a graph that an earlier backward pass has consumed: \
             build it again, or detach it where it is data"
        );
        for parent in op.parents() {
            if parent.0.seen.replace(pass) != pass {
                order.push(parent.clone());
            }
        }
    }
    order.sort_unstable_by_key(|tensor| tensor.0.id);
    order
}

/// Where the gradient of the network gathers: the first write of each parameter overwrites, later ones add.
pub(super) struct Sink<'a, T: Real> {
    store: &'a Store<T>,
    gradient: &'a mut [T],
    written: Vec<bool>,
}

impl<T: Real> Sink<'_, T> {
    /// The place for the gradient of the parameter `slot` of `store`, and whether to add to what is there; None for a
    /// parameter of another network.
    pub fn slot(&mut self, store: &Store<T>, slot: usize) -> Option<(&mut [T], bool)> {
        if !store.is(self.store) {
            return None;
        }
        let add = std::mem::replace(&mut self.written[slot], true);
        Some((&mut self.gradient[self.store.slots[slot].range()], add))
    }
}

/// Whether the gradient of `x` is needed in the running backward pass.
pub(super) fn needed<T: Real>(x: &Tensor<T>) -> bool {
    !x.0.need.borrow().is_empty()
}

/// The columns of `x` whose gradient is needed in the running backward pass.
pub(super) fn needed_columns<T: Real>(x: &Tensor<T>) -> Range<usize> {
    x.0.need.borrow().clone()
}

/// Adds `g` to the gradient of `x`.
pub(super) fn give<T: Real>(x: &Tensor<T>, g: Buffer<T>) {
    let mut grad = x.0.grad.borrow_mut();
    match &mut *grad {
        None => *grad = Some(g),
        Some(sum) => flat::add(sum, &g),
    }
}

/// Lets `add` add to a part of the gradient of `x`, which begins as zeros.
pub(super) fn give_part<T: Real>(x: &Tensor<T>, add: impl FnOnce(&mut [T])) {
    let mut grad = x.0.grad.borrow_mut();
    add(grad.get_or_insert_with(|| Buffer::zeros(x.data().len())));
}

/// Lets `write` write the gradient of `x`, or add to it where its second argument says so.
pub(super) fn give_into<T: Real>(x: &Tensor<T>, write: impl FnOnce(&mut [T], bool)) {
    let mut grad = x.0.grad.borrow_mut();
    let add = grad.is_some();
    write(grad.get_or_insert_with(|| Buffer::new(x.data().len())), add);
}
