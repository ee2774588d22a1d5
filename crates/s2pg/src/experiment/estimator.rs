//! Estimators of the policy gradient, each of which is a kind of memory.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::policy::{Memory, WHOLE};

/// An estimator of the policy gradient: the one key of an experiment that the paper's comparison changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Estimator {
    /// Recurrent stochastic (RS): the next state is drawn with the action, at the last step of each segment of this
    /// many steps. With one step it is the method of the paper. The gradient is unbiased with any number.
    Rs(usize),
    /// Truncated backpropagation through time: segments of this many steps, each of which starts with the state as it
    /// was computed. Nothing is drawn, and the gradient is biased.
    Tbptt(usize),
    /// Backpropagation through time: the gradient goes back through the last steps, or through the whole episode.
    Bptt(Span),
    /// A window: the policy is shown this many of the last observations, side by side.
    Window(usize),
    /// No memory: the policy is shown the observation alone.
    Vanilla,
    /// No memory, but the policy is shown the critic's view.
    Oracle,
}

impl Estimator {
    /// One estimator of each kind, for lists and tests.
    pub const ALL: &[Self] = &[
        Self::Rs(1),
        Self::Rs(3),
        Self::Tbptt(3),
        Self::Bptt(Span::Steps(5)),
        Self::Bptt(Span::Full),
        Self::Window(5),
        Self::Vanilla,
        Self::Oracle,
    ];
    /// How each kind of estimator is written in an experiment, and one line about it.
    pub const KINDS: &[(&str, &str)] = &[
        ("rs", "S2PG: the next state is drawn with the action, no gradient goes through time"),
        ("rs:K", "S2PG in segments of K steps: the gradient goes back to a segment's start, and is unbiased"),
        ("tbptt:K", "the same segments, in which nothing is drawn: the usual truncated recurrence"),
        ("bptt:K", "a recurrent state; the gradient goes back K steps (bptt:full: to the start of the episode)"),
        ("window:K", "the last K observations"),
        ("vanilla", "no memory"),
        ("oracle", "no memory, but the policy sees the critic's view"),
    ];
}

impl Estimator {
    /// Returns what a policy with this estimator remembers. `state` is the number of entries of a recurrent network's
    /// state.
    pub fn memory(self, state: usize) -> Memory {
        match self {
            Self::Rs(1) => Memory::Stochastic { z: state },
            Self::Rs(len) => Memory::Segments { z: state, len, drawn: state },
            Self::Tbptt(len) => Memory::Segments { z: state, len, drawn: 0 },
            Self::Bptt(Span::Steps(len)) => Memory::Bptt { h: state, len },
            Self::Bptt(Span::Full) => Memory::Bptt { h: state, len: WHOLE },
            Self::Window(len) => Memory::Window { len },
            Self::Vanilla | Self::Oracle => Memory::None,
        }
    }
}

/// The most steps that an estimator goes back or shows.
const LONGEST: usize = 100_000;

/// How far a gradient goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// A gradient goes back through this many steps, the last step included.
    Steps(usize),
    /// A gradient goes back to the start of the episode.
    Full,
}

impl Display for Estimator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rs(1) => f.write_str("rs"),
            Self::Rs(n) => write!(f, "rs:{n}"),
            Self::Tbptt(n) => write!(f, "tbptt:{n}"),
            Self::Bptt(Span::Steps(n)) => write!(f, "bptt:{n}"),
            Self::Bptt(Span::Full) => f.write_str("bptt:full"),
            Self::Window(n) => write!(f, "window:{n}"),
            Self::Vanilla => f.write_str("vanilla"),
            Self::Oracle => f.write_str("oracle"),
        }
    }
}

impl FromStr for Estimator {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let unknown = || {
            format!(
                "there is no estimator `{s}`; there are rs, rs:K, tbptt:K, bptt:K, bptt:full, window:K, vanilla and \
                 oracle, with K from 1 to {LONGEST}"
            )
        };
        let steps = |kind: &str, n: &str| match n.parse() {
            Ok(n) if (1..=LONGEST).contains(&n) => Ok(n),
            _ => Err(format!(
                "`{s}` is not possible; write {kind}:K with a whole number K from 1 to {LONGEST}{}",
                if kind == "bptt" { ", or bptt:full" } else { "" }
            )),
        };
        match s.split_once(':').or(Some((s, "")).filter(|(kind, _)| ["tbptt", "bptt", "window"].contains(kind))) {
            None if s == "rs" => Ok(Self::Rs(1)),
            None if s == "vanilla" => Ok(Self::Vanilla),
            None if s == "oracle" => Ok(Self::Oracle),
            Some(("rs", n)) => Ok(Self::Rs(steps("rs", n)?)),
            Some(("tbptt", n)) => Ok(Self::Tbptt(steps("tbptt", n)?)),
            Some(("bptt", "full")) => Ok(Self::Bptt(Span::Full)),
            Some(("bptt", n)) => Ok(Self::Bptt(Span::Steps(steps("bptt", n)?))),
            Some(("window", n)) => Ok(Self::Window(steps("window", n)?)),
            _ => Err(unknown()),
        }
    }
}

impl Serialize for Estimator {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Estimator {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
