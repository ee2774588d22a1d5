//! Generalised advantage estimation.

use crate::data::Rollout;

/// The advantage and the value target of every row, which [`gae`] finds.
#[derive(Clone, Debug, PartialEq)]
pub struct Gae {
    /// The advantages A, not normalised.
    pub advantages: Vec<f64>,
    /// The targets A + V that the value function is fitted to.
    pub targets: Vec<f64>,
}

/// Estimates the advantages A_k = δ_k + γ λ A_{k+1} with δ_k = r_k + γ V'_k − V_k (Schulman et al., 2016). The sum
/// stops where the chain of rows ends, and V' is zero where the task ended.
///
/// `v` holds V of every row's context, `v_next` V of every row's true next context.
pub fn gae(data: &Rollout, v: &[f64], v_next: &[f64], gamma: f64, lambda: f64) -> Gae {
    let (n, envs) = (data.len(), data.shape().envs);
    assert_eq!((v.len(), v_next.len()), (n, n), "a value and a next value for each of {n} rows");
    let mut advantages = vec![0.0; n];
    for k in (0..n).rev() {
        let next = if data.terminated(k) { 0.0 } else { v_next[k] };
        let rest = if data.is_end(k) { 0.0 } else { lambda * advantages[k + envs] };
        advantages[k] = data.r()[k] - v[k] + gamma * (next + rest);
    }
    let targets = advantages.iter().zip(v).map(|(a, v)| a + v).collect();
    Gae { advantages, targets }
}

/// Puts (A − mean) / (std + 1e-8) in place of every advantage A; mean and standard deviation (of a population) are
/// taken over `rows`. Returns the number that was divided by.
pub fn normalise(advantages: &mut [f64], rows: &[usize]) -> f64 {
    let n = rows.len() as f64;
    let mean = rows.iter().map(|&k| advantages[k]).sum::<f64>() / n;
    let variance = rows.iter().map(|&k| (advantages[k] - mean).powi(2)).sum::<f64>() / n;
    let scale = variance.sqrt() + 1e-8;
    for a in advantages {
        *a = (*a - mean) / scale;
    }
    scale
}

/// Returns 1 − Var(target − v) / Var(target) over `rows`: the share of the variance of the targets that the values
/// explain.
pub fn explained_variance(rows: &[usize], v: &[f64], targets: &[f64]) -> f64 {
    let variance = |f: &dyn Fn(usize) -> f64| {
        let n = rows.len() as f64;
        let mean = rows.iter().map(|&k| f(k)).sum::<f64>() / n;
        rows.iter().map(|&k| (f(k) - mean).powi(2)).sum::<f64>() / n
    };
    1.0 - variance(&|k| targets[k] - v[k]) / variance(&|k| targets[k]).max(1e-12)
}
