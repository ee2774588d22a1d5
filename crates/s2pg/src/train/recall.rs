//! What the loop remembers for the policy between two steps: its state and its last action.

use crate::nn::Tensor;
use crate::policy::{Context, Extended};
use crate::state::{Data, State, Visitor};

/// z and the previous action of n environments, reset to zero where an episode ends.
#[derive(Clone, Debug)]
pub struct Recall {
    n: usize,
    z: Vec<f32>,
    /// What is stored with a transition: zero at the start of an episode.
    a_prev: Vec<f32>,
    /// What the policy acts on: the same, unless the action of the episode before is kept (D13).
    a_acting: Vec<f32>,
    reset_acting: bool,
}

impl Recall {
    /// For n environments, at the start of their episodes.
    pub fn new(n: usize, z: usize, a: usize, reset_prev_action: bool) -> Self {
        let zeros = |size: usize| vec![0.0; n * size];
        Self { n, z: zeros(z), a_prev: zeros(a), a_acting: zeros(a), reset_acting: reset_prev_action }
    }

    /// The states, [n, n_z].
    pub fn z(&self) -> &[f32] {
        &self.z
    }

    /// The previous actions as they are stored, [n, n_a].
    pub fn a_prev(&self) -> &[f32] {
        &self.a_prev
    }

    /// x, from the views of all environments.
    pub fn context(&self, o: &[f32], s: &[f32]) -> Context {
        let tensor = |x: &[f32]| Tensor::new(self.n, x.len() / self.n, x);
        Context {
            o: tensor(o),
            s: Some(tensor(s)),
            a_prev: Some(tensor(&self.a_acting)),
            z: (!self.z.is_empty()).then(|| tensor(&self.z)),
            h: None,
            lengths: None,
        }
    }

    /// Takes u = (a, z') over into the next step; rows of ended episodes start afresh.
    pub fn remember(&mut self, u: &Extended, ended: impl Fn(usize) -> bool) {
        if let Some(z) = &u.z {
            self.z.copy_from_slice(z.data());
        }
        self.a_prev.copy_from_slice(u.a.data());
        self.a_acting.copy_from_slice(u.a.data());
        for e in (0..self.n).filter(|&e| ended(e)) {
            self.reset(e);
        }
    }

    /// Every episode starts afresh.
    pub fn forget(&mut self) {
        (0..self.n).for_each(|e| self.reset(e));
    }

    fn reset(&mut self, e: usize) {
        let row = |x: &[f32]| e * x.len() / self.n..(e + 1) * x.len() / self.n;
        let (z, a) = (row(&self.z), row(&self.a_prev));
        self.z[z].fill(0.0);
        self.a_prev[a.clone()].fill(0.0);
        if self.reset_acting {
            self.a_acting[a].fill(0.0);
        }
    }
}

impl State for Recall {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { n: _, z, a_prev, a_acting, reset_acting: _ } = self;
        v.item("z", Data::F32(z));
        v.item("a_prev", Data::F32(a_prev));
        v.item("a_acting", Data::F32(a_acting));
    }
}
