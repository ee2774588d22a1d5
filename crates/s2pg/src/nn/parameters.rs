//! All parameters of a network, in one flat buffer.

use std::sync::Arc;

use super::Real;
use super::kernels::update;
use crate::rng::Rng;
use crate::state::{State, Visitor};

/// Where one weight or bias lies in the flat buffer.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// Its name, for example `rnn.weight_ih`.
    pub name: String,
    /// Its first element.
    pub offset: usize,
    /// Rows: outputs of a weight, 1 for a bias.
    pub rows: usize,
    /// Columns: inputs of a weight, length of a bias.
    pub cols: usize,
}

impl Slot {
    /// Its elements in the flat buffer.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.rows * self.cols
    }
}

#[derive(Clone, Debug)]
pub(super) struct Store<T> {
    pub data: Vec<T>,
    pub slots: Arc<Vec<Slot>>,
    /// Tells this network from its clones: gradients go to the network that was asked for.
    id: Arc<()>,
}

impl<T> Store<T> {
    pub fn slice(&self, slot: usize) -> &[T] {
        &self.data[self.slots[slot].range()]
    }

    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.id, &other.id)
    }
}

/// The parameters of one network. Graphs share them; changing them while a graph lives copies them first. A clone is
/// a network of its own.
#[derive(Debug)]
pub struct Parameters<T>(pub(super) Arc<Store<T>>);

impl<T: Real> Clone for Parameters<T> {
    fn clone(&self) -> Self {
        Self(Arc::new(Store { id: Arc::new(()), ..(*self.0).clone() }))
    }
}

impl<T: Real> Parameters<T> {
    /// All numbers.
    pub fn data(&self) -> &[T] {
        &self.0.data
    }

    /// All numbers, to be changed.
    pub fn data_mut(&mut self) -> &mut [T] {
        &mut Arc::make_mut(&mut self.0).data
    }

    /// The names and places of the parts.
    pub fn slots(&self) -> &[Slot] {
        &self.0.slots
    }

    /// The part called `name`.
    pub fn slot(&self, name: &str) -> &Slot {
        let found = self.0.slots.iter().find(|s| s.name == name);
        found.unwrap_or_else(|| panic!("no parameter {name}; there are {:?}", self.0.slots))
    }

    /// Polyak averaging: `self = tau * online + (1 - tau) * self`.
    pub fn follow(&mut self, online: &Self, tau: f64) {
        assert_eq!(self.slots(), online.slots(), "a target network has the shape of its online network");
        let tau = T::of(tau);
        update!(self.data_mut(), online.data(), (tau), |target, online| target + tau * (online - target));
    }
}

impl<T: Real> State for Parameters<T> {
    fn visit(&mut self, v: &mut dyn Visitor) {
        T::visit("parameters", self.data_mut(), v);
    }
}

/// How a weight starts (spec: Xavier uniform with a gain, or uniform within a bound).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// U(-a, a), a = gain * sqrt(6 / (fan_in + fan_out)).
    Xavier(f64),
    /// U(-bound, bound).
    Uniform(f64),
    /// U(-1/sqrt(fan_in), 1/sqrt(fan_in)).
    FanIn,
}

/// Gathers the parameters of a network while its layers are made.
pub struct Builder<'a, T> {
    data: Vec<T>,
    slots: Vec<Slot>,
    scope: String,
    rng: &'a mut Rng,
}

impl<'a, T: Real> Builder<'a, T> {
    /// Draws initial values from `rng`.
    pub fn new(rng: &'a mut Rng) -> Self {
        Self { data: Vec::new(), slots: Vec::new(), scope: String::new(), rng }
    }

    /// Prefixes the names of everything added by `f`.
    pub fn scope<R>(&mut self, name: &str, f: impl FnOnce(&mut Self) -> R) -> R {
        let outer = self.scope.len();
        self.scope.push_str(name);
        self.scope.push('.');
        let result = f(self);
        self.scope.truncate(outer);
        result
    }

    /// Adds a rows x cols parameter; its index is how layers refer to it.
    pub fn add(&mut self, name: &str, rows: usize, cols: usize, init: Init) -> usize {
        let bound = match init {
            Init::Xavier(gain) => gain * (6.0 / (rows + cols) as f64).sqrt(),
            Init::Uniform(bound) => bound,
            Init::FanIn => 1.0 / (cols as f64).sqrt(),
        };
        let values = (0..rows * cols).map(|_| T::of(self.rng.range(-bound, bound))).collect();
        self.push(name, rows, cols, values)
    }

    /// Adds a row of one value.
    pub fn constant(&mut self, name: &str, cols: usize, value: f64) -> usize {
        self.push(name, 1, cols, vec![T::of(value); cols])
    }

    fn push(&mut self, name: &str, rows: usize, cols: usize, values: Vec<T>) -> usize {
        self.slots.push(Slot { name: format!("{}{name}", self.scope), offset: self.data.len(), rows, cols });
        self.data.extend(values);
        self.slots.len() - 1
    }

    /// The finished buffer.
    pub fn finish(self) -> Parameters<T> {
        Parameters(Arc::new(Store { data: self.data, slots: Arc::new(self.slots), id: Arc::new(()) }))
    }
}

/// A network: something with parameters that an optimiser can move.
pub trait Params<T: Real = f32> {
    /// Its parameters.
    fn params(&self) -> &Parameters<T>;
    /// Its parameters, to be changed.
    fn params_mut(&mut self) -> &mut Parameters<T>;
}
