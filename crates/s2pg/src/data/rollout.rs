//! The transitions of one policy, in the order of time.

use super::{Buffer, Transition};
use crate::nn::Tensor;
use crate::policy::{Context, Extended};
use crate::state::{Data, State, Visitor};

/// Sizes of a [`Rollout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RolloutShape {
    /// Steps of each environment.
    pub steps: usize,
    /// Environments.
    pub envs: usize,
    /// Entries of the observation.
    pub o: usize,
    /// Entries of the critic's view; 0 where the critic sees the observation.
    pub s: usize,
    /// Entries of the action.
    pub a: usize,
    /// Entries of the policy's random state; 0 without one.
    pub z: usize,
    /// Whether policy or critic read the previous action.
    pub a_prev: bool,
}

/// `steps` transitions of each of `envs` environments; row t * envs + e is step t of environment e.
#[derive(Clone, Debug)]
pub struct Rollout {
    shape: RolloutShape,
    o: Vec<f32>,
    s: Vec<f32>,
    a_prev: Vec<f32>,
    z: Vec<f32>,
    a: Vec<f32>,
    z_next: Vec<f32>,
    next_o: Vec<f32>,
    next_s: Vec<f32>,
    r: Vec<f64>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    dropped: Vec<bool>,
    filled: usize,
}

impl Rollout {
    /// An empty rollout.
    pub fn new(shape: RolloutShape) -> Self {
        let rows = shape.steps * shape.envs;
        let floats = |n: usize| vec![0.0; rows * n];
        Self {
            shape,
            o: floats(shape.o),
            s: floats(shape.s),
            a_prev: floats(if shape.a_prev { shape.a } else { 0 }),
            z: floats(shape.z),
            a: floats(shape.a),
            z_next: floats(shape.z),
            next_o: floats(shape.o),
            next_s: floats(shape.s),
            r: vec![0.0; rows],
            terminated: vec![false; rows],
            truncated: vec![false; rows],
            dropped: vec![false; rows],
            filled: 0,
        }
    }

    /// Its sizes.
    pub fn shape(&self) -> RolloutShape {
        self.shape
    }

    /// Whether it holds `steps` steps.
    pub fn is_full(&self) -> bool {
        self.filled == self.shape.steps
    }

    /// Forgets all transitions.
    pub fn clear(&mut self) {
        self.filled = 0;
    }

    /// Number of rows that hold a transition.
    pub fn len(&self) -> usize {
        self.filled * self.shape.envs
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// The rows to learn from: all but those in which the simulation failed.
    pub fn rows(&self) -> Vec<usize> {
        (0..self.len()).filter(|&k| !self.dropped[k]).collect()
    }

    /// The reward of each row.
    pub fn r(&self) -> &[f64] {
        &self.r[..self.len()]
    }

    /// Whether the task ended with row k.
    pub fn terminated(&self, k: usize) -> bool {
        self.terminated[k]
    }

    /// Whether the chain of row k ends there: the episode ended, the next row is lost, or it is the last.
    pub fn is_end(&self, k: usize) -> bool {
        let next = k + self.shape.envs;
        self.terminated[k] || self.truncated[k] || next >= self.len() || self.dropped[next]
    }

    /// x of some rows.
    pub fn context(&self, rows: &[usize]) -> Context {
        let shape = &self.shape;
        Context {
            o: gather(&self.o, shape.o, rows),
            s: (shape.s > 0).then(|| gather(&self.s, shape.s, rows)),
            a_prev: shape.a_prev.then(|| gather(&self.a_prev, shape.a, rows)),
            z: (shape.z > 0).then(|| gather(&self.z, shape.z, rows)),
            h: None,
            lengths: None,
        }
    }

    /// The true next x of some rows: next observation, z', and this action as the previous one.
    pub fn next_context(&self, rows: &[usize]) -> Context {
        let shape = &self.shape;
        Context {
            o: gather(&self.next_o, shape.o, rows),
            s: (shape.s > 0).then(|| gather(&self.next_s, shape.s, rows)),
            a_prev: shape.a_prev.then(|| gather(&self.a, shape.a, rows)),
            z: (shape.z > 0).then(|| gather(&self.z_next, shape.z, rows)),
            h: None,
            lengths: None,
        }
    }

    /// u = (a, z') of some rows.
    pub fn extended(&self, rows: &[usize]) -> Extended {
        let shape = &self.shape;
        Extended { a: gather(&self.a, shape.a, rows), z: (shape.z > 0).then(|| gather(&self.z_next, shape.z, rows)) }
    }
}

/// Some rows of a table with `n` columns.
fn gather(table: &[f32], n: usize, rows: &[usize]) -> Tensor {
    Tensor::with(rows.len(), n, |x| {
        for (x, &k) in x.chunks_exact_mut(n).zip(rows) {
            x.copy_from_slice(&table[k * n..(k + 1) * n]);
        }
    })
}

impl Buffer for Rollout {
    fn push(&mut self, t: &Transition<'_>) {
        assert!(!self.is_full(), "the rollout of {} steps is full", self.shape.steps);
        let rows = self.filled * self.shape.envs..(self.filled + 1) * self.shape.envs;
        let write = |table: &mut Vec<f32>, n: usize, x: &[f32]| {
            table[rows.start * n..rows.end * n].copy_from_slice(x);
        };
        let shape = self.shape;
        write(&mut self.o, shape.o, t.o);
        write(&mut self.next_o, shape.o, t.next_o);
        write(&mut self.a, shape.a, t.a);
        if shape.s > 0 {
            write(&mut self.s, shape.s, t.s);
            write(&mut self.next_s, shape.s, t.next_s);
        }
        if shape.a_prev {
            write(&mut self.a_prev, shape.a, t.a_prev);
        }
        write(&mut self.z, shape.z, t.z);
        write(&mut self.z_next, shape.z, t.z_next);
        self.r[rows.clone()].copy_from_slice(t.r);
        self.terminated[rows.clone()].copy_from_slice(t.terminated);
        self.truncated[rows.clone()].copy_from_slice(t.truncated);
        self.dropped[rows].copy_from_slice(t.dropped);
        self.filled += 1;
    }
}

impl State for Rollout {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { shape: _, o, s, a_prev, z, a, z_next, next_o, next_s, r, terminated, truncated, dropped, filled } =
            self;
        v.item("o", Data::F32(o));
        v.item("s", Data::F32(s));
        v.item("a_prev", Data::F32(a_prev));
        v.item("z", Data::F32(z));
        v.item("a", Data::F32(a));
        v.item("z_next", Data::F32(z_next));
        v.item("next_o", Data::F32(next_o));
        v.item("next_s", Data::F32(next_s));
        v.item("r", Data::F64(r));
        v.flags("terminated", terminated);
        v.flags("truncated", truncated);
        v.flags("dropped", dropped);
        v.count("filled", filled);
    }
}
