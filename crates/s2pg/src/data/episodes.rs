//! Whole episodes of one policy, for algorithms that weigh an episode as one sample.

use super::{Buffer, Rollout, RolloutShape, Transition};
use crate::state::{Data, State, Visitor};

/// A buffer of whole episodes, as many of each environment.
///
/// Only episodes that began after the last [`clear`](Self::clear) are stored, so that one policy acted in all of them.
/// An environment that has given its share is not stored until the next `clear`. All environments have the same share,
/// because the first episodes to end are the short ones. An episode in which the simulation failed, or that was
/// abandoned, is removed.
#[derive(Clone, Debug)]
pub struct Episodes {
    share: usize,
    /// A rollout for each environment.
    rollouts: Vec<Rollout>,
    /// The number of whole episodes that are stored of each environment.
    whole: Vec<u64>,
    /// Whether an environment's next step is the first of an episode.
    fresh: Vec<bool>,
    /// Whether an environment's running episode is stored.
    taken: Vec<bool>,
}

impl Episodes {
    /// Makes an empty buffer with room for `share` episodes of each of `shape.envs` environments, each of at most
    /// `shape.steps` steps.
    pub fn new(share: usize, shape: RolloutShape) -> Self {
        let rollout = Rollout::new(RolloutShape { steps: share * shape.steps, envs: 1, ..shape });
        let n = shape.envs;
        Self { share, rollouts: vec![rollout; n], whole: vec![0; n], fresh: vec![true; n], taken: vec![false; n] }
    }

    /// Returns the whole episodes: for each the rollout that holds it, and its rows in that rollout, in the order of
    /// time.
    pub fn episodes(&self) -> Vec<(&Rollout, Vec<usize>)> {
        let mut episodes = Vec::new();
        for rollout in &self.rollouts {
            let mut rows = Vec::new();
            for k in 0..rollout.len() {
                rows.push(k);
                if rollout.ended(k) {
                    episodes.push((rollout, std::mem::take(&mut rows)));
                }
            }
        }
        episodes
    }

    /// Removes all episodes.
    pub fn clear(&mut self) {
        self.rollouts.iter_mut().for_each(Rollout::clear);
        self.whole.fill(0);
        self.taken.fill(false);
    }

    /// Removes the running episode of environment `e`.
    fn forget(&mut self, e: usize) {
        let rollout = &mut self.rollouts[e];
        let mut steps = rollout.len();
        while steps > 0 && !rollout.ended(steps - 1) {
            steps -= 1;
        }
        rollout.keep(steps);
        self.taken[e] = false;
    }
}

impl Buffer for Episodes {
    fn push(&mut self, t: &Transition<'_>) {
        for e in 0..self.rollouts.len() {
            self.taken[e] |= self.fresh[e] && (self.whole[e] as usize) < self.share;
            self.fresh[e] = t.terminated[e] || t.truncated[e];
            if !self.taken[e] {
                continue;
            }
            if t.dropped[e] {
                self.forget(e);
                continue;
            }
            self.rollouts[e].push(&t.row(e));
            if self.fresh[e] {
                self.whole[e] += 1;
                self.taken[e] = false;
            }
        }
    }

    fn cut(&mut self) {
        (0..self.rollouts.len()).for_each(|e| self.forget(e));
        self.fresh.fill(true);
    }

    /// Tells whether every environment has given its share.
    fn is_full(&self) -> bool {
        self.whole.iter().all(|&whole| whole as usize == self.share)
    }

    fn stored(&self) -> usize {
        self.rollouts.iter().map(Rollout::len).sum()
    }
}

impl State for Episodes {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { share: _, rollouts, whole, fresh, taken } = self;
        v.columns("rollouts", rollouts);
        v.item("whole", Data::U64(whole));
        v.flags("fresh", fresh);
        v.flags("taken", taken);
    }
}
