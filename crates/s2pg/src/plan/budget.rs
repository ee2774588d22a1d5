//! What a run takes of memory, which is added up before anything is made.
//!
//! Every part is a number of bytes that the run takes at the least, as far as it can be known beforehand, and belongs
//! to the key of the experiment that decides its size. A run whose parts are more than the system has free is refused,
//! and the largest part is named.

use super::free_memory::available;
use crate::env::EnvSpec;
use crate::policy::Memory;

/// Why a run cannot be built as planned, in one sentence.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct PlanError(pub String);

/// One part of a run.
#[derive(Clone, Debug)]
struct Part {
    key: String,
    value: String,
    bytes: usize,
}

/// The parts of a run, and the memory that they share.
#[derive(Clone, Debug)]
pub struct Budget {
    env: String,
    free: usize,
    parts: Vec<Part>,
}

impl Budget {
    /// Makes the budget of a run on the environment called `env`, of all memory that this process may still take.
    pub fn new(env: &str) -> Self {
        Self::of(env, available().unwrap_or(isize::MAX as usize))
    }

    fn of(env: &str, free: usize) -> Self {
        Self { env: env.into(), free, parts: Vec::new() }
    }

    /// Adds a part of `bytes` bytes, which the key `key` with the value `value` decides. An error names the largest
    /// part so far.
    pub fn take(&mut self, key: &str, value: impl ToString, bytes: usize) -> Result<(), PlanError> {
        self.fits(key, value.to_string(), bytes)?;
        self.parts.push(Part { key: key.into(), value: value.to_string(), bytes });
        Ok(())
    }

    /// Refuses one more part as [`take`](Self::take) does, and takes nothing.
    pub fn fits(&self, key: &str, value: impl ToString, bytes: usize) -> Result<(), PlanError> {
        let part = Part { key: key.into(), value: value.to_string(), bytes };
        let parts = self.parts.iter().chain([&part]);
        if parts.clone().fold(0, |sum: usize, part| sum.saturating_add(part.bytes)) <= self.free {
            return Ok(());
        }
        let Part { key, value, bytes } = parts.max_by_key(|part| part.bytes).unwrap_or(&part);
        let mb = |bytes: usize| bytes / 1_000_000;
        Err(PlanError(format!(
            "`{key}` = {value} takes {} MB of memory on {}, and {} MB are free; take less",
            mb(*bytes),
            self.env,
            mb(self.free)
        )))
    }
}

/// What of a run takes memory beside its buffer.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'a> {
    /// How the policy is trained; None where it only acts.
    pub learning: Option<Learning>,
    /// The key of the experiment that decides from how many rows or episodes the policy learns at once, and the number.
    pub batch: (&'a str, usize),
    /// Number of episodes of an evaluation, which run side by side.
    pub episodes: usize,
    /// Bytes that one environment takes beside its views, as far as they are known.
    pub env: usize,
}

/// How a policy is trained, as far as memory is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learning {
    /// From whole episodes; the score of each is kept.
    Episodes,
    /// From minibatches of a rollout, with a value function.
    OnPolicy,
    /// From batches of a replay buffer, with two critics and their targets.
    OffPolicy,
}

/// Bytes of a parameter, and of every number that is computed with parameters.
pub const FLOAT: usize = size_of::<f32>();
/// Bytes of the bookkeeping for one environment: its generator, its counters and flags, its last episode.
const LANE: usize = 256;

/// Returns the bytes that acting in one environment with the description `spec` takes beside the environment itself:
/// its views before and after a step, as they come and standardised, its actions, and what the policy remembers.
pub fn acting_bytes(spec: &EnvSpec, memory: Memory) -> usize {
    let (o, s, a) = (spec.o.len(), spec.s.len(), spec.low.len());
    let shown = o.saturating_add(if memory.actions() > 0 { a } else { 0 });
    let remembered = memory.state().saturating_add(memory.window().saturating_mul(shown));
    remembered.saturating_add(6 * (o + s) + 5 * a).saturating_mul(FLOAT).saturating_add(LANE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parts that fit together are taken; the one too many is refused, the largest is named, and no sum overflows.
    #[test]
    fn the_largest_part_is_named() {
        let mut budget = Budget::of("TMaze-v0", 10_000_000);
        budget.take("network.hidden", 128, 6_000_000).unwrap();
        budget.fits("ppo.steps", 2000, 4_000_000).unwrap();
        let sentence = "`network.hidden` = 128 takes 6 MB of memory on TMaze-v0, and 10 MB are free; take less";
        assert_eq!(budget.fits("ppo.steps", 2000, 4_000_001).unwrap_err().0, sentence);
        let error = budget.take("env.parallel", usize::MAX, usize::MAX).unwrap_err().0;
        assert!(error.starts_with("`env.parallel` = 18446744073709551615 takes 18446744073709 MB"), "{error}");
        budget.take("env.parallel", 2, 4_000_000).unwrap();
        assert!(budget.take("ppo.minibatch", 32, 1).is_err());
    }
}
