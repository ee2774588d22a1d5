//! The pair (a, z') in a trust region: one ratio that is clipped as one, or a ratio for each of the two; and the
//! advantage of z' itself.

use std::fmt::{self, Display};

use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::on_policy::{GROUP, column, scatter};
use super::settings::{Limit, Value};
use crate::data::Rollout;
use crate::nn::{Real, Tensor};
use crate::policy::{Critic, Dist, Extended, StatefulPolicy};

/// How the ratio of z' is clipped.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum ClipState {
    /// The ratio of (a, z') together is clipped, as published.
    #[default]
    Joint,
    /// The ratio of a and the ratio of z' are clipped each on its own; z' may move this far from 1.
    Own(f64),
}

/// The log-density of every row before an update, of the pair and of its parts. `z` is empty where the policy draws no
/// state.
#[derive(Clone, Debug, Default)]
pub struct Old {
    /// The log-density of (a, z').
    pub joint: Vec<f64>,
    /// The log-density of a.
    pub a: Vec<f64>,
    /// The log-density of z'; 0 where z' was not drawn.
    pub z: Vec<f64>,
}

impl Old {
    /// Returns the log-densities of all rows of `data` under the policy that drew them.
    pub fn of(policy: &impl StatefulPolicy, data: &Rollout) -> Self {
        let n = data.len();
        let mut old = Self { joint: vec![0.0; n], a: vec![0.0; n], z: Vec::new() };
        for rows in data.policy_groups(GROUP) {
            let log_prob = policy.dist(&data.policy_context(&rows)).log_prob(&data.extended(&rows));
            scatter(&mut old.joint, &rows, &log_prob.joint());
            scatter(&mut old.a, &rows, &log_prob.a);
            if let Some(z) = &log_prob.z {
                old.z.resize(n, 0.0);
                scatter(&mut old.z, &rows, z);
            }
        }
        old
    }
}

/// Returns the loss −mean min(ρ A, clip(ρ, 1 − ε, 1 + ε) A) with ρ = exp(`log_prob` − `old`), a density ratio.
pub fn surrogate<T: Real>(log_prob: &Tensor<T>, old: &Tensor<T>, advantage: &Tensor<T>, clip: f64) -> Tensor<T> {
    let ratio = (log_prob - old).exp();
    let clipped = ratio.clip(1.0 - clip, 1.0 + clip);
    -(ratio * advantage).min(&(clipped * advantage)).mean()
}

/// The loss of a policy on a minibatch, and its figures.
#[derive(Clone, Debug)]
pub struct Loss {
    /// The loss, [1, 1].
    pub loss: Tensor,
    /// How far the policy has moved: the mean of ρ − 1 − log ρ, which estimates the divergence, of (a, z'), of a and,
    /// over the rows that drew z', of z'.
    pub moved: [f64; 3],
    /// The share of ratios outside their clip: of (a, z') where it is clipped as one, else of a; and of z', where it
    /// has a clip of its own, among all rows.
    pub clipped: [f64; 2],
    /// The largest divergence of what is clipped as one.
    pub farthest: f64,
}

/// Returns the loss of the distributions `dist` of the rows `rows`. `advantage` is that of the rows, `of_state` that of
/// z' in every row, which is read where z' has a clip of its own. Then the loss is the sum of a surrogate of a and one
/// of z', each a mean over the rows; a row that draws no z' adds nothing to the latter. At the old policy the gradient
/// of the sum is that of the joint surrogate.
pub fn loss(
    (dist, u): (&Dist, &Extended),
    (old, rows): (&Old, &[usize]),
    (advantage, of_state): (&Tensor, &[f64]),
    (clip, clip_state): (f64, ClipState),
) -> Loss {
    let now = dist.log_prob(u);
    let moved = |now: &Tensor, old: &[f64]| mean(now, old, rows, |x| x.exp() - 1.0 - x);
    let outside =
        |now: &Tensor, old: &[f64], clip: f64| mean(now, old, rows, |x| f64::from((x.exp() - 1.0).abs() > clip));
    let joint = now.joint();
    // Of z' the mean is over the rows that drew it.
    let drawn = dist.z.as_ref().map_or(0, |z| (0..rows.len()).filter(|&i| z.is_drawn(i)).count()).max(1);
    let of_z = now.z.as_ref().map_or(0.0, |z| moved(z, &old.z) * (rows.len() as f64 / drawn as f64));
    let moved = [moved(&joint, &old.joint), moved(&now.a, &old.a), of_z];
    match (clip_state, &now.z, &dist.z) {
        (ClipState::Own(own), Some(z), Some(g)) => {
            let of_state = g.masked(column(of_state, rows));
            let of_a = surrogate(&now.a, &column(&old.a, rows), advantage, clip);
            let of_z = surrogate(z, &column(&old.z, rows), &of_state, own);
            let clipped = [outside(&now.a, &old.a, clip), outside(z, &old.z, own)];
            Loss { loss: of_a + of_z, moved, clipped, farthest: moved[1].max(moved[2]) }
        }
        _ => {
            let loss = surrogate(&joint, &column(&old.joint, rows), advantage, clip);
            Loss { loss, moved, clipped: [outside(&joint, &old.joint, clip), 0.0], farthest: moved[0] }
        }
    }
}

/// Returns the mean of f(now − old) over the rows `rows`.
fn mean(now: &Tensor, old: &[f64], rows: &[usize], f: impl Fn(f64) -> f64) -> f64 {
    rows.iter().zip(now.data()).map(|(&k, &now)| f(f64::from(now) - old[k]) / rows.len() as f64).sum()
}

/// Returns for every row the part of the advantage that the draw of z' decides: γ (λ A' + V(o', z') − V(o', η)), where
/// η is the mean of z' and A' the advantage of the next row, less its mean over all rows with one. It is 0 where no z'
/// was drawn, and where the task ended.
///
/// z' does not decide what was seen and earned in the step, and η is known before the draw, so the gradient of the
/// density of z' weighed with this number is unbiased as well, and varies less than with the whole advantage.
pub fn state_advantages(
    (policy, value): (&impl StatefulPolicy, &impl Critic),
    data: &Rollout,
    (v_next, advantages): (&[f64], &[f64]),
    (gamma, lambda): (f64, f64),
) -> Vec<f64> {
    let (mut v_mean, mut all) = (vec![0.0; data.len()], Vec::new());
    for rows in data.policy_groups(GROUP) {
        let dist = policy.dist(&data.policy_context(&rows));
        let (Some(z), Some(mean)) = (&dist.z, dist.mean().z) else { continue };
        let (drawn, means): (Vec<usize>, Vec<&[f32]>) = rows
            .iter()
            .zip(mean.data().chunks_exact(mean.cols()))
            .enumerate()
            .filter(|(i, (k, _))| z.is_drawn(*i) && !data.terminated(**k))
            .map(|(_, (&k, mean))| (k, mean))
            .unzip();
        if drawn.is_empty() {
            continue;
        }
        let mut x = data.next_context(&drawn);
        x.z = Some(Tensor::new(drawn.len(), mean.cols(), &means.concat()));
        scatter(&mut v_mean, &drawn, &value.value(&x, None));
        all.extend(drawn);
    }
    let mut of_state = vec![0.0; data.len()];
    for &k in &all {
        let rest = if data.is_end(k) { 0.0 } else { lambda * advantages[k + data.shape().envs] };
        of_state[k] = gamma * (rest + v_next[k] - v_mean[k]);
    }
    let mean = all.iter().map(|&k| of_state[k]).sum::<f64>() / all.len().max(1) as f64;
    all.iter().for_each(|&k| of_state[k] -= mean);
    of_state
}

/// Returns the factor by which the standard deviations of z' are multiplied after an update in which z' moved by the
/// divergence `kl`: 1.1 where that is above twice `target`, 1 / 1.1 where it is below half of it, else 1. A wider z'
/// moves less for the same step of its mean.
pub fn widening(kl: f64, target: Option<f64>) -> f64 {
    match target {
        Some(target) if kl > 2.0 * target => 1.1,
        Some(target) if kl < 0.5 * target => 1.0 / 1.1,
        _ => 1.0,
    }
}

impl Value for ClipState {
    fn check(&self, key: &str, limit: Limit) -> Result<(), String> {
        if let Self::Own(clip) = self { limit.check_number(key, *clip) } else { Ok(()) }
    }
}

impl Display for ClipState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Joint => f.write_str("joint"),
            Self::Own(clip) => write!(f, "{clip}"),
        }
    }
}

impl Serialize for ClipState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Joint => serializer.serialize_str("joint"),
            Self::Own(clip) => serializer.serialize_f64(*clip),
        }
    }
}

impl<'de> Deserialize<'de> for ClipState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The name is the word that may stand in place of a number.
        deserializer.deserialize_newtype_struct("joint", Written)
    }
}

/// The ways in which an experiment writes a [`ClipState`].
struct Written;

impl<'de> Visitor<'de> for Written {
    type Value = ClipState;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"joint\" or a number")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<ClipState, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_f64<E: Error>(self, x: f64) -> Result<ClipState, E> {
        Ok(ClipState::Own(x))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ClipState, E> {
        if text == "joint" { Ok(ClipState::Joint) } else { Err(E::invalid_value(Unexpected::Str(text), &self)) }
    }
}
