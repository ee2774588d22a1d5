//! All parameters of a network, in one flat buffer.

use std::sync::Arc;

use super::ops::flat;
use super::real::Real;
use crate::rng::Rng;
use crate::state::{State, Visitor};

/// Where one weight or bias lies in the flat buffer.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// The name of the parameter, for example `rnn.weight_ih`.
    pub name: String,
    /// The index of its first element in the flat buffer.
    pub offset: usize,
    /// Number of rows: the outputs of a weight, or 1 for a bias.
    pub rows: usize,
    /// Number of columns: the inputs of a weight, or the length of a bias.
    pub cols: usize,
    /// The range in which its elements are held; None where they may have any value.
    pub held: Option<(f64, f64)>,
}

impl Slot {
    /// The indices of its elements in the flat buffer; they are row after row.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.rows * self.cols
    }
}

/// The flat buffer of one network, which graphs share with the network.
#[derive(Clone, Debug)]
pub(super) struct Store<T> {
    pub data: Vec<T>,
    pub slots: Arc<Vec<Slot>>,
    /// Tells this network from its clones: gradients go to the network that was asked for.
    id: Arc<()>,
}

impl<T> Store<T> {
    /// The numbers of the parameter `slot`, row after row.
    pub fn slice(&self, slot: usize) -> &[T] {
        &self.data[self.slots[slot].range()]
    }

    /// Whether both are buffers of the same network.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.id, &other.id)
    }
}

/// The parameters of one network, in one flat buffer. Graphs share the buffer: changing parameters while a graph lives
/// copies the buffer first. A clone is the parameters of another network, with the same values.
#[derive(Debug)]
pub struct Parameters<T>(pub(super) Arc<Store<T>>);

impl<T: Real> Clone for Parameters<T> {
    fn clone(&self) -> Self {
        Self(Arc::new(Store { id: Arc::new(()), ..(*self.0).clone() }))
    }
}

impl<T: Real> Parameters<T> {
    /// The numbers of all parameters, in the order of [`slots`](Self::slots).
    pub fn data(&self) -> &[T] {
        &self.0.data
    }

    /// The numbers of all parameters in the order of [`slots`](Self::slots), to be changed.
    pub fn data_mut(&mut self) -> &mut [T] {
        &mut Arc::make_mut(&mut self.0).data
    }

    /// The names and places of all weights and biases, in the order in which the builder added them.
    pub fn slots(&self) -> &[Slot] {
        &self.0.slots
    }

    /// The place of the weight or bias called `name`. Panics where there is none, and prints which there are.
    pub fn slot(&self, name: &str) -> &Slot {
        let found = self.0.slots.iter().find(|s| s.name == name);
        found.unwrap_or_else(|| panic!("no parameter {name}; there are {:?}", self.0.slots))
    }

    /// Brings every parameter that is held in a range back to the nearest number in the range. Whatever moves
    /// parameters does so after each move.
    pub fn hold(&mut self) {
        let slots = Arc::clone(&self.0.slots);
        for (slot, (low, high)) in slots.iter().filter_map(|slot| Some((slot, slot.held?))) {
            let held = &mut self.data_mut()[slot.range()];
            held.iter_mut().for_each(|x| *x = x.clip(T::of(low), T::of(high)));
        }
    }

    /// Polyak averaging: self becomes tau * `online` + (1 - tau) * self. Panics unless both have equal slots.
    pub fn follow(&mut self, online: &Self, tau: f64) {
        assert_eq!(self.slots(), online.slots(), "a target network has the shape of its online network");
        flat::follow(self.data_mut(), online.data(), T::of(tau));
    }
}

impl<T: Real> State for Parameters<T> {
    fn visit(&mut self, v: &mut dyn Visitor) {
        T::visit("parameters", self.data_mut(), v);
    }
}

/// The distribution of the initial values of a weight or bias.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Xavier's: U(-a, a) with a = gain * sqrt(6 / (fan_in + fan_out)), for the gain given.
    Xavier(f64),
    /// U(-bound, bound), for the bound given.
    Uniform(f64),
    /// U(-1/sqrt(fan_in), 1/sqrt(fan_in)).
    FanIn,
}

/// How large a network is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Number of all its parameters.
    pub parameters: usize,
    /// Number of the outputs of all its layers together, for one row of inputs.
    pub outputs: usize,
}

/// Gathers the parameters of a network while its layers are made.
pub struct Builder<'a, T> {
    data: Vec<T>,
    slots: Vec<Slot>,
    scope: String,
    size: Size,
    /// The generator of the initial values; None where nothing is made and the parameters are only counted.
    rng: Option<&'a mut Rng>,
}

impl<'a, T: Real> Builder<'a, T> {
    /// A builder without parameters yet, that draws initial values from `rng`.
    pub fn new(rng: &'a mut Rng) -> Self {
        Self { data: Vec::new(), slots: Vec::new(), scope: String::new(), size: Size::default(), rng: Some(rng) }
    }

    /// A builder that makes no parameters and only counts them, however many there would be.
    pub fn counting() -> Self {
        Self { data: Vec::new(), slots: Vec::new(), scope: String::new(), size: Size::default(), rng: None }
    }

    /// How large the network is so far.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Runs `f`, and puts `name` and a point before the names of all parameters that `f` adds. Returns what `f`
    /// returns.
    pub fn scope<R>(&mut self, name: &str, f: impl FnOnce(&mut Self) -> R) -> R {
        let outer = self.scope.len();
        self.scope.push_str(name);
        self.scope.push('.');
        let result = f(self);
        self.scope.truncate(outer);
        result
    }

    /// Adds a parameter of rows x cols numbers and draws its initial values, row after row. Returns the index of its
    /// slot, by which layers refer to the parameter.
    pub fn add(&mut self, name: &str, rows: usize, cols: usize, init: Init) -> usize {
        if let Some(rng) = &mut self.rng {
            let bound = match init {
                Init::Xavier(gain) => gain * (6.0 / (rows + cols) as f64).sqrt(),
                Init::Uniform(bound) => bound,
                Init::FanIn => 1.0 / (cols as f64).sqrt(),
            };
            self.data.extend((0..rows * cols).map(|_| T::of(rng.range(-bound, bound))));
        }
        self.push(name, (rows, cols), None)
    }

    /// Adds a parameter of rows x cols numbers whose initial values `draw` gives, row after row. Returns the index of
    /// its slot.
    pub fn drawn(&mut self, name: &str, (rows, cols): (usize, usize), mut draw: impl FnMut(&mut Rng) -> f64) -> usize {
        if let Some(rng) = &mut self.rng {
            self.data.extend((0..rows * cols).map(|_| T::of(draw(rng))));
        }
        self.push(name, (rows, cols), None)
    }

    /// Adds a parameter of one row of `cols` numbers that are all `value` at first. Returns the index of its slot.
    pub fn constant(&mut self, name: &str, cols: usize, value: f64) -> usize {
        self.fill(cols, value);
        self.push(name, (1, cols), None)
    }

    /// Adds a parameter of one row of `cols` numbers that are all `value` at first, and that are held within `range`,
    /// both ends included. Returns the index of its slot.
    pub fn held(&mut self, name: &str, cols: usize, value: f64, range: (f64, f64)) -> usize {
        self.fill(cols, value);
        self.push(name, (1, cols), Some(range))
    }

    fn fill(&mut self, n: usize, value: f64) {
        if self.rng.is_some() {
            self.data.extend(std::iter::repeat_n(T::of(value), n));
        }
    }

    fn push(&mut self, name: &str, (rows, cols): (usize, usize), held: Option<(f64, f64)>) -> usize {
        self.slots.push(Slot { name: format!("{}{name}", self.scope), offset: self.size.parameters, rows, cols, held });
        self.size.parameters = self.size.parameters.saturating_add(rows.saturating_mul(cols));
        self.size.outputs = self.size.outputs.saturating_add(rows);
        self.slots.len() - 1
    }

    /// The parameters of the finished network.
    pub fn finish(self) -> Parameters<T> {
        Parameters(Arc::new(Store { data: self.data, slots: Arc::new(self.slots), id: Arc::new(()) }))
    }
}

/// A network: something whose parameters an optimiser can move.
pub trait Params<T: Real = f32> {
    /// The parameters of the network.
    fn params(&self) -> &Parameters<T>;
    /// The parameters of the network, to be changed.
    fn params_mut(&mut self) -> &mut Parameters<T>;
}
