//! A policy that acts: with standardised observations, and with the memory of the steps before.

use super::recall::Recall;
use crate::env::EnvSpec;
use crate::nn::{Parameters, Standardiser, Tensor};
use crate::policy::{Actor, Dist, Memory, StatefulPolicy};
use crate::rng::Rng;
use crate::state::{State, Visitor};

/// Two standardisers: one of the policy's view, one of the critic's view.
#[derive(Clone, Debug)]
pub(crate) struct Standardisers {
    o: Standardiser,
    s: Standardiser,
    /// Whether views stay raw until they are shown; else they are standardised as they come.
    late: bool,
}

/// The stage between environments and a policy: it standardises views, and keeps the memory of the steps before.
#[derive(Clone, Debug)]
pub(crate) struct Senses {
    standardisers: Option<Standardisers>,
    pub recall: Recall,
}

impl Senses {
    /// Makes the senses for n environments with the description `spec`, at the start of their episodes. `standardise`
    /// is whether views are standardised, and where they are, whether that happens late: when they are shown.
    /// `keep_prev_action` is whether the policy acts on the last action of the episode before (D13). The lengths of
    /// first segments come from `seed`.
    pub fn new(
        n: usize,
        memory: Memory,
        spec: &EnvSpec,
        standardise: Option<bool>,
        keep_prev_action: bool,
        seed: u64,
    ) -> Self {
        let (o, s) = (spec.o.len(), spec.s.len());
        let make = |late| Standardisers { o: Standardiser::new(o), s: Standardiser::new(s), late };
        let standardisers = standardise.map(make);
        Self { standardisers, recall: Recall::new(n, memory, o, spec.low.len(), keep_prev_action, seed) }
    }

    /// Returns the parameters of `policy` and the standardiser of the observation, which are all that acting needs.
    pub fn model<'a>(&'a mut self, policy: &'a mut impl StatefulPolicy) -> Model<'a> {
        Model { parameters: policy.params_mut(), standardiser: self.standardisers.as_mut().map(|s| &mut s.o) }
    }

    /// Takes the views of one environment into the statistics, and standardises the views in place unless that happens
    /// late.
    pub fn take(&mut self, o: &mut [f32], s: &mut [f32]) {
        if let Some(Standardisers { o: of_o, s: of_s, late }) = &mut self.standardisers {
            of_o.observe(o);
            of_s.observe(s);
            if !*late {
                of_o.apply(o);
                of_s.apply(s);
            }
        }
    }

    /// Returns the statistics of o and s; None where views are not standardised.
    pub fn statistics(&self) -> Option<(&Standardiser, &Standardiser)> {
        self.standardisers.as_ref().map(|x| (&x.o, &x.s))
    }

    /// Returns the statistics of o and s where views stay raw until they are shown; else None.
    pub fn late(&self) -> Option<(&Standardiser, &Standardiser)> {
        self.standardisers.as_ref().filter(|x| x.late).map(|x| (&x.o, &x.s))
    }

    /// Standardises the views of all environments in place; the statistics do not change.
    fn standardise(&self, o: &mut [f32], s: &mut [f32]) {
        if let Some(Standardisers { o: of_o, s: of_s, late: _ }) = &self.standardisers {
            o.chunks_exact_mut(of_o.mean().len().max(1)).for_each(|o| of_o.apply(o));
            s.chunks_exact_mut(of_s.mean().len().max(1)).for_each(|s| of_s.apply(s));
        }
    }

    /// Returns the distribution of (a, z') for the views `o`, [n, n_o], and `s`, [n, n_s], of all environments. The
    /// views are standardised unless that happens late: then it happens here.
    pub fn dist(&mut self, policy: &impl StatefulPolicy, o: &[f32], s: &[f32]) -> Dist {
        let mut x = self.recall.context(o, s);
        if let Some((of_o, of_s)) = self.late() {
            // A window that is not full ends with zeros, which stand for no observation.
            x.o = shown(&x.o, of_o, |e| self.recall.seen(e));
            x.s = x.s.map(|s| shown(&s, of_s, |_| 1));
        }
        policy.dist(&x)
    }
}

/// Returns the raw views `x`, a row for each environment e, with the first `seen(e)` of them standardised.
fn shown(x: &Tensor, standardiser: &Standardiser, seen: impl Fn(usize) -> usize) -> Tensor {
    let ((rows, width), n) = (x.shape(), standardiser.mean().len());
    Tensor::with(rows, width, |to| {
        to.copy_from_slice(x.data());
        for (e, row) in to.chunks_exact_mut(width.max(1)).enumerate() {
            row.chunks_exact_mut(n.max(1)).take(seen(e)).for_each(|view| standardiser.apply(view));
        }
    })
}

impl State for Senses {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { standardisers, recall } = self;
        if let Some(Standardisers { o, s, late: _ }) = standardisers {
            v.child("standardiser_o", o);
            v.child("standardiser_s", s);
        }
        v.child("recall", recall);
    }
}

/// The numbers that a policy needs in order to act: its parameters, and the statistics of its observations.
pub struct Model<'a> {
    /// All parameters of the policy, by name.
    pub parameters: &'a mut Parameters<f32>,
    /// The standardiser of the observation; None where observations are not standardised.
    pub standardiser: Option<&'a mut Standardiser>,
}

/// A policy that acts in n environments: its parameters, the statistics of its observations, and its memory. Acting
/// changes nothing except the memory.
#[derive(Clone, Debug)]
pub struct Player<P = Actor> {
    policy: P,
    senses: Senses,
    spec: EnvSpec,
}

impl<P: StatefulPolicy> Player<P> {
    /// Makes a player for one environment at the start of an episode; [`for_envs`](Self::for_envs) makes players for
    /// more.
    pub(crate) fn new(policy: P, senses: Senses, spec: &EnvSpec) -> Self {
        Self { policy, senses, spec: spec.clone() }.for_envs(1)
    }

    /// Makes a player of an untrained policy for one environment; `standardise` is whether its observations are
    /// standardised.
    pub fn untrained(policy: P, spec: &EnvSpec, standardise: bool) -> Self {
        let senses = Senses::new(1, policy.memory(), spec, standardise.then_some(false), false, 0);
        Self::new(policy, senses, spec)
    }

    /// Makes a player with the same policy and the same statistics for `n` environments, all at the start of an
    /// episode.
    pub fn for_envs(&self, n: usize) -> Self {
        let recall = Recall::new(n, self.policy.memory(), self.spec.o.len(), self.spec.low.len(), false, 0);
        // A player standardises the views that it is given.
        let standardisers = self.senses.standardisers.clone().map(|x| Standardisers { late: false, ..x });
        Self { policy: self.policy.clone(), senses: Senses { standardisers, recall }, spec: self.spec.clone() }
    }

    /// Returns the actions of the policy, [n, n_a], for the views of n environments: `o`, [n, n_o], which the policy
    /// sees, and `s`, [n, n_s], which the policies of this library do not read. Both are standardised in place. The
    /// actions are drawn with `rng`; without a generator they are the means of the policy's distribution. The memory of
    /// the policy moves on by one step.
    pub fn act(&mut self, o: &mut [f32], s: &mut [f32], rng: Option<&mut Rng>) -> Vec<f32> {
        let Self { policy, senses, spec: _ } = self;
        senses.standardise(o, s);
        let dist = senses.dist(policy, o, s);
        let u = match rng {
            Some(rng) => dist.sample(rng),
            None => dist.mean(),
        };
        senses.recall.remember(&dist, &u, &u.a);
        u.a.data().to_vec()
    }

    /// Is told that environment `e` starts a new episode: the memory of the episode before is cleared.
    pub fn reset(&mut self, e: usize) {
        self.senses.recall.reset(e);
    }

    /// Returns the states z or h that the policy carries into the next step, a row for each environment, [n, state];
    /// empty where it carries none.
    pub fn state(&self) -> &[f32] {
        self.senses.recall.state()
    }

    /// Returns the states as [`state`](Self::state) does, to be altered.
    pub fn state_mut(&mut self) -> &mut [f32] {
        self.senses.recall.state_mut()
    }

    /// Returns the memory of the policy.
    pub(crate) fn recall(&mut self) -> &mut Recall {
        &mut self.senses.recall
    }

    /// Returns how many numbers of memory each environment has beside the state: the previous action, and windows.
    pub fn rest(&self) -> usize {
        self.senses.recall.rest()
    }

    /// Returns the memory beside the states, [n, rest]: with [`state`](Self::state) all that next actions depend on.
    pub fn memory(&self) -> Vec<f32> {
        let recall = &self.senses.recall;
        (0..recall.len()).flat_map(|e| recall.row(e)).collect()
    }

    /// Goes back to the states, [n, state], and to the memory beside them, [n, rest], that [`state`](Self::state) and
    /// [`memory`](Self::memory) returned, of this player or of another one of the same policy.
    pub fn remember(&mut self, state: &[f32], memory: &[f32]) {
        let recall = &mut self.senses.recall;
        recall.state_mut().copy_from_slice(state);
        memory.chunks_exact(recall.rest().max(1)).enumerate().for_each(|(e, row)| recall.set_row(e, row));
    }

    /// Returns the description of the environment as the policy sees it.
    pub fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    /// Returns the policy, and the standardiser of its observations; None where they are not standardised.
    pub(super) fn parts(&self) -> (&P, Option<&Standardiser>) {
        (&self.policy, self.senses.standardisers.as_ref().map(|x| &x.o))
    }

    /// Returns parameters and statistics, to be read or loaded.
    pub fn model(&mut self) -> Model<'_> {
        self.senses.model(&mut self.policy)
    }
}
