//! A policy at work: what it sees, what it remembers, what it does.

use super::recall::Recall;
use crate::env::EnvSpec;
use crate::nn::{Parameters, Standardiser};
use crate::policy::{Actor, Dist, Memory, StatefulPolicy};
use crate::rng::Rng;
use crate::state::{State, Visitor};

/// Standardisers: one of the policy's view, one of the critic's.
#[derive(Clone, Debug)]
pub(crate) struct Standardisers {
    o: Standardiser,
    s: Standardiser,
}

/// What stands between environments and a policy: standardised views, and the memory of the steps before.
#[derive(Clone, Debug)]
pub(crate) struct Senses {
    standardisers: Option<Standardisers>,
    pub recall: Recall,
}

impl Senses {
    /// The senses of n environments of a kind, at the start of their episodes.
    pub fn new(n: usize, memory: Memory, spec: &EnvSpec, standardise: bool, keep_prev_action: bool) -> Self {
        let (o, s) = (spec.o.len(), spec.s.len());
        let standardisers = standardise.then(|| Standardisers { o: Standardiser::new(o), s: Standardiser::new(s) });
        Self { standardisers, recall: Recall::new(n, memory, o, spec.low.len(), keep_prev_action) }
    }

    /// What a policy needs in order to act.
    pub fn model<'a>(&'a mut self, policy: &'a mut impl StatefulPolicy) -> Model<'a> {
        Model { parameters: policy.params_mut(), standardiser: self.standardisers.as_mut().map(|s| &mut s.o) }
    }

    /// Takes one environment's views into the statistics and standardises them in place.
    pub fn take(&mut self, o: &mut [f32], s: &mut [f32]) {
        if let Some(Standardisers { o: of_o, s: of_s }) = &mut self.standardisers {
            of_o.observe(o);
            of_o.apply(o);
            of_s.observe(s);
            of_s.apply(s);
        }
    }

    /// Standardises the views of all environments in place; the statistics stay.
    fn standardise(&self, o: &mut [f32], s: &mut [f32]) {
        if let Some(Standardisers { o: of_o, s: of_s }) = &self.standardisers {
            o.chunks_exact_mut(of_o.mean().len()).for_each(|o| of_o.apply(o));
            s.chunks_exact_mut(of_s.mean().len()).for_each(|s| of_s.apply(s));
        }
    }

    /// The distribution of (a, z') in what the environments show, standardised.
    pub fn dist(&mut self, policy: &impl StatefulPolicy, o: &[f32], s: &[f32]) -> Dist {
        policy.dist(&self.recall.context(o, s))
    }
}

impl State for Senses {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { standardisers, recall } = self;
        if let Some(Standardisers { o, s }) = standardisers {
            v.child("standardiser_o", o);
            v.child("standardiser_s", s);
        }
        v.child("recall", recall);
    }
}

/// What a policy needs in order to act: its parameters, and the statistics of its observations.
pub struct Model<'a> {
    /// All parameters, by name.
    pub parameters: &'a mut Parameters<f32>,
    /// The standardiser of the observation.
    pub standardiser: Option<&'a mut Standardiser>,
}

/// A policy that acts in n environments: its parameters, the statistics of its observations, and its memory. Acting
/// changes nothing but the memory.
#[derive(Clone, Debug)]
pub struct Player<P = Actor> {
    policy: P,
    senses: Senses,
    spec: EnvSpec,
}

impl<P: StatefulPolicy> Player<P> {
    /// A policy that acts in environments of a kind, all at the start of an episode: one of them, until
    /// [`for_envs`](Self::for_envs) says more.
    pub(crate) fn new(policy: P, senses: Senses, spec: &EnvSpec) -> Self {
        Self { policy, senses, spec: spec.clone() }.for_envs(1)
    }

    /// An untrained policy; `standardise` is whether its observations are.
    pub fn untrained(policy: P, spec: &EnvSpec, standardise: bool) -> Self {
        let senses = Senses::new(1, policy.memory(), spec, standardise, false);
        Self::new(policy, senses, spec)
    }

    /// The same policy with the same statistics in `n` environments, all at the start of an episode.
    pub fn for_envs(&self, n: usize) -> Self {
        let recall = Recall::new(n, self.policy.memory(), self.spec.o.len(), self.spec.low.len(), false);
        let standardisers = self.senses.standardisers.clone();
        Self { policy: self.policy.clone(), senses: Senses { standardisers, recall }, spec: self.spec.clone() }
    }

    /// The actions [n, n_a] for what n environments show: `o` [n, n_o], which the policy sees, and `s` [n, n_s], which it
    /// sees only where it is an oracle; both are standardised in place. The actions are drawn with `rng`; without it they
    /// are the means of the policy's distribution. What the policy remembers moves on by one step.
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

    /// Environment `e` starts a new episode: what was remembered of the one before is forgotten.
    pub fn reset(&mut self, e: usize) {
        self.senses.recall.reset(e);
    }

    /// The environment as the policy sees it.
    pub fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    /// Parameters and statistics, to be read or loaded.
    pub fn model(&mut self) -> Model<'_> {
        self.senses.model(&mut self.policy)
    }
}
