//! The estimators of the policy gradient, trajectory by trajectory, for any policy with memory; and measurements of
//! estimators.

use super::bounds::Constants;
use super::segments::Segments;
use super::world::MakeWorld;
use crate::env::EnvError;
use crate::nn::{Tensor, gradient};
use crate::policy::{Context, Dist, Extended, StatefulPolicy, WHOLE};
use crate::rng::Rng;

/// One trajectory of T steps; every column has T rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trajectory {
    /// T, the number of steps.
    pub steps: usize,
    /// Observations o_t, [T, n_o].
    pub o: Vec<f64>,
    /// Previous actions, zero at the start, [T, n_a].
    pub a_prev: Vec<f64>,
    /// Memories z_t, [T, n_z].
    pub z: Vec<f64>,
    /// Actions a_t, [T, n_a].
    pub a: Vec<f64>,
    /// Next memories z_{t+1}, [T, n_z].
    pub z_next: Vec<f64>,
    /// Rewards r_t, T numbers.
    pub r: Vec<f64>,
    /// The discounted return G.
    pub g: f64,
}

/// How many trajectories of how many steps are rolled out, and from which random streams.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rollouts {
    /// Number of trajectories.
    pub n: usize,
    /// Largest number of steps of a trajectory; a trajectory whose episode ends is shorter.
    pub horizon: usize,
    /// Discount factor γ.
    pub gamma: f64,
    /// Seed of every random stream.
    pub seed: u64,
    /// Number of threads; any number gives the same bits.
    pub threads: usize,
}

/// Splits `items` among `threads` threads. `fill` fills a part of the items, and is told the index of the first.
fn share<T: Send, E: Send>(
    items: &mut [T],
    threads: usize,
    fill: impl Fn(usize, &mut [T]) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let share = items.len().div_ceil(threads.max(1)).max(1);
    std::thread::scope(|scope| {
        let fill = &fill;
        let parts = items.chunks_mut(share).enumerate();
        let threads: Vec<_> = parts.map(|(k, part)| scope.spawn(move || fill(k * share, part))).collect();
        threads.into_iter().try_for_each(|t| t.join().expect("a thread of the rollouts panicked"))
    })
}

/// Rolls the policy out. The next memory is drawn where `segments` says, and is its mean η elsewhere. Trajectory i
/// draws from random streams of its own, and all segments see the same noise of the world and of the action. An error
/// is an error of the world.
pub fn roll_out(
    policy: &impl StatefulPolicy<f64>,
    make: MakeWorld,
    segments: Segments,
    plan: &Rollouts,
) -> Result<Vec<Trajectory>, EnvError> {
    let mut all = vec![Trajectory::default(); plan.n];
    share(&mut all, plan.threads, |from, part| {
        let mut world = make()?;
        let (n_o, n_a) = world.sizes();
        for (i, path) in part.iter_mut().enumerate() {
            let stream = |name: &str| Rng::new(plan.seed, &format!("{name}/{}", from + i));
            let [mut of_world, mut of_action, mut of_memory] = ["world", "action", "memory"].map(stream);
            world.reset(&mut of_world)?;
            let (mut z, mut a) = (vec![0.0; policy.state_size()], vec![0.0; n_a]);
            let (mut o, mut discount) = (vec![0.0; n_o], 1.0);
            for t in 0..plan.horizon {
                world.observe(&mut o);
                let dist = policy.dist(&context(1, (&o, &a, &z)));
                path.o.extend(&o);
                path.a_prev.extend(&a);
                path.z.extend(&z);
                a = draw(&dist.a.mean, &dist.a.log_std, &mut of_action);
                let eta = dist.z.as_ref().expect("the policy has a memory");
                z = match segments.draws(t, plan.horizon) {
                    true => draw(&eta.mean, &eta.log_std, &mut of_memory),
                    false => eta.mean.data().to_vec(),
                };
                path.a.extend(&a);
                path.z_next.extend(&z);
                let (r, ended) = world.step(&a, &mut of_world)?;
                path.r.push(r);
                path.g += discount * r;
                discount *= plan.gamma;
                path.steps += 1;
                if ended {
                    break;
                }
            }
        }
        Ok(())
    })?;
    Ok(all)
}

/// Draws mean + exp(log_std) noise for one row.
fn draw(mean: &Tensor<f64>, log_std: &Tensor<f64>, rng: &mut Rng) -> Vec<f64> {
    mean.data().iter().zip(log_std.data()).map(|(m, s)| m + s.exp() * rng.normal()).collect()
}

/// Returns what the policy is shown of `rows` rows of data: observations, previous actions and memories.
fn context(rows: usize, (o, a_prev, z): (&[f64], &[f64], &[f64])) -> Context<f64> {
    let tensor = |x: &[f64]| Tensor::new(rows, x.len() / rows, x);
    Context { a_prev: Some(tensor(a_prev)), z: Some(tensor(z)), ..Context::of(tensor(o)) }
}

/// An estimator of the policy gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Estimator {
    /// The score of (a, z') at every step, with the memory as data (Lemma 2.1).
    S2pg,
    /// Backpropagation through time over this many steps (eqs. 1 and 22).
    ///
    /// Where the memory was drawn, the noise of each z' is held as it was drawn. Over the whole trajectory that is
    /// another unbiased estimate of the gradient that S2PG estimates.
    Bptt(usize),
    /// The scores of the actions, and of z' at the end of each segment; the gradient through the memory goes back to
    /// the start of the segment (`rs:K`).
    Rs(Segments),
    /// The scores of the actions alone, with the same gradient through the memory (`tbptt:K`).
    Tbptt(Segments),
}

impl Estimator {
    /// Backpropagation through time over the whole trajectory.
    pub const FULL: Self = Self::Bptt(WHOLE);
}

/// The estimates of the gradient from each of n trajectories, [n, trained parameters].
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    n: usize,
    values: Vec<f64>,
}

impl Gradients {
    /// Computes for each trajectory the sum of its scores times its return. `trained` holds the places of the trained
    /// parameters.
    pub fn new(
        policy: &impl StatefulPolicy<f64>,
        trained: &[usize],
        paths: &[Trajectory],
        estimator: Estimator,
        threads: usize,
    ) -> Self {
        let mut rows = vec![Vec::new(); paths.len()];
        let done: Result<(), std::convert::Infallible> = share(&mut rows, threads, |from, part| {
            for (row, path) in part.iter_mut().zip(&paths[from..]) {
                let log_density = match estimator {
                    Estimator::S2pg => joint(policy, path),
                    Estimator::Bptt(len) => unrolled(policy, path, len),
                    Estimator::Rs(segments) => in_segments(policy, path, segments, true),
                    Estimator::Tbptt(segments) => in_segments(policy, path, segments, false),
                };
                let all = gradient(&(log_density * path.g), policy);
                *row = trained.iter().map(|&i| all[i]).collect();
            }
            Ok(())
        });
        let Ok(()) = done;
        Self { n: paths.len(), values: rows.concat() }
    }

    /// Returns the estimates, one after the other.
    pub fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact((self.values.len() / self.n.max(1)).max(1))
    }

    /// Returns the mean estimate, and the variance of a single estimate, component by component.
    pub fn moments(&self) -> (Vec<f64>, Vec<f64>) {
        let n = self.n as f64;
        let p = self.values.len() / self.n;
        let sum = |f: &dyn Fn(usize, f64) -> f64| {
            let mut sum = vec![0.0; p];
            for row in self.rows() {
                sum.iter_mut().zip(row).enumerate().for_each(|(i, (sum, &x))| *sum += f(i, x));
            }
            sum
        };
        let mean: Vec<f64> = sum(&|_, x| x).into_iter().map(|x| x / n).collect();
        let variance = sum(&|i, x| (x - mean[i]).powi(2)).into_iter().map(|x| x / (n - 1.0)).collect();
        (mean, variance)
    }
}

/// Returns the sum over t of log π(a_t, z_{t+1} | o_t, z_t), [1, 1]; all steps are computed at once.
pub(super) fn joint(policy: &impl StatefulPolicy<f64>, path: &Trajectory) -> Tensor<f64> {
    let rows = path.steps;
    let dist = policy.dist(&context(rows, (&path.o, &path.a_prev, &path.z)));
    let tensor = |x: &[f64]| Tensor::new(rows, x.len() / rows, x);
    dist.log_prob(&Extended { a: tensor(&path.a), z: Some(tensor(&path.z_next)) }).joint().sum()
}

/// Returns the sum over t of log ν(a_t | h_t), [1, 1], where the gradient through the memory goes back over `len`
/// steps.
fn unrolled(policy: &impl StatefulPolicy<f64>, path: &Trajectory, len: usize) -> Tensor<f64> {
    let len = len.min(path.steps);
    // The first `len` actions share one chain, which begins at the start. Each later action has a chain of its own, of
    // the same length; these chains run side by side.
    let first = Chains { start: 0, rows: 1, apart: 1, len }.log_densities(policy, path, false);
    let first = first.into_iter().reduce(|sum, x| sum + x).expect("a trajectory has a step");
    if len == path.steps {
        return first;
    }
    let rest = Chains { start: 1, rows: path.steps - len, apart: 1, len }.log_densities(policy, path, false);
    first + rest.last().expect("a chain has a step").sum()
}

/// Returns the sum over t of log π(a_t | o_t, h_t), and of log π(z_{t+1} | o_t, h_t) at the draws where `priced`, [1,
/// 1]. The gradient through the memory goes back to the start of the segment.
fn in_segments(policy: &impl StatefulPolicy<f64>, path: &Trajectory, segments: Segments, priced: bool) -> Tensor<f64> {
    let mut start = 0;
    let mut parts = Vec::new();
    for (rows, len, drawn) in segments.of_trajectory(path.steps).into_iter().filter(|(rows, len, _)| rows * len > 0) {
        parts.extend(Chains { start, rows, apart: len, len }.log_densities(policy, path, priced && drawn));
        start += rows * len;
    }
    parts.into_iter().map(|x| x.sum()).reduce(|sum, x| sum + x).expect("a trajectory has a step")
}

/// Parts of a trajectory through which the memory is unrolled, side by side: `rows` parts of `len` steps, whose first
/// steps are `apart` steps apart; the first part begins at the step `start`.
struct Chains {
    start: usize,
    rows: usize,
    apart: usize,
    len: usize,
}

impl Chains {
    /// Returns the log-densities of the actions, [rows, 1] for each step of the chains; at the last step with the
    /// density of the next memory where that is `priced`.
    fn log_densities(&self, policy: &impl StatefulPolicy<f64>, path: &Trajectory, priced: bool) -> Vec<Tensor<f64>> {
        let Self { start, rows, apart, len } = *self;
        let at = |x: &[f64], t: usize| {
            let width = x.len() / path.steps;
            let row = |i: usize| &x[(t + i * apart) * width..][..width];
            Tensor::new(rows, width, &(0..rows).map(row).collect::<Vec<_>>().concat())
        };
        let mut z = at(&path.z, start);
        let step = |t: usize| {
            let x = Context { a_prev: Some(at(&path.a_prev, t)), z: Some(z.clone()), ..Context::of(at(&path.o, t)) };
            let Dist { a, z: eta, .. } = policy.dist(&x);
            let eta = eta.expect("the policy has a memory");
            // The difference from the mean is the noise of a drawn memory, and zero where the memory is the mean.
            let z_next = at(&path.z_next, t);
            z = &eta.mean + (&z_next - eta.mean.detach());
            let with_z = priced && t + 1 == start + len;
            let (eta, z_next) = (with_z.then_some(eta), with_z.then_some(z_next));
            Dist { a, z: eta, h: None }.log_prob(&Extended { a: at(&path.a, t), z: z_next }).joint()
        };
        (start..start + len).map(step).collect()
    }
}

/// Returns mean and standard deviation of each entry of the action and of the next memory at one step.
pub(super) fn mean_and_std(
    policy: &impl StatefulPolicy<f64>,
    o: &[f64],
    a_prev: &[f64],
    z: &[f64],
) -> [Vec<(f64, f64)>; 2] {
    let dist = policy.dist(&context(1, (o, a_prev, z)));
    [dist.a, dist.z.expect("the policy has a memory")]
        .map(|x| x.mean.data().iter().zip(x.log_std.data()).map(|(&m, s)| (m, s.exp())).collect())
}

/// The derivatives of f, the mean of the action, and of η, the mean of the next memory, by the memory z at one place,
/// by central differences.
pub struct Jacobians {
    /// df/dz, [a, z], row after row.
    pub f: Vec<f64>,
    /// dη/dz, [z, z], row after row.
    pub eta: Vec<f64>,
}

impl Jacobians {
    /// Computes the derivatives at the observation `o`, after the action `a_prev`, with the memory `z`.
    pub fn at(policy: &impl StatefulPolicy<f64>, o: &[f64], a_prev: &[f64], z: &[f64]) -> Self {
        let (n, h) = (z.len(), 1e-5);
        let rows = 2 * n;
        let mut moved = z.repeat(rows);
        for (j, pair) in moved.chunks_exact_mut(2 * n).enumerate() {
            pair[j] += h;
            pair[n + j] -= h;
        }
        let dist = policy.dist(&context(rows, (&o.repeat(rows), &a_prev.repeat(rows), &moved)));
        let slopes = |mean: &Tensor<f64>| {
            let m = mean.cols();
            let slope =
                |i: usize, j: usize| (mean.data()[2 * j * m + i] - mean.data()[(2 * j + 1) * m + i]) / (2.0 * h);
            (0..m).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| slope(i, j)).collect()
        };
        Self { f: slopes(&dist.a.mean), eta: slopes(&dist.z.expect("the policy has a memory").mean) }
    }
}

/// Returns the partial derivatives of f, [a, p], and of η, [z, p], by the p trained parameters at step `t`, row after
/// row.
pub fn parameter_slopes(
    policy: &impl StatefulPolicy<f64>,
    trained: &[usize],
    path: &Trajectory,
    t: usize,
) -> (Vec<f64>, Vec<f64>) {
    let row = |x: &[f64]| {
        let width = x.len() / path.steps;
        x[t * width..(t + 1) * width].to_vec()
    };
    let (o, a_prev, z) = (row(&path.o), row(&path.a_prev), row(&path.z));
    let slopes = |pick: &dyn Fn(Dist<f64>) -> Tensor<f64>| {
        let mean = || pick(policy.dist(&context(1, (&o, &a_prev, &z))));
        let slope = |i: usize| {
            let all = gradient(&mean().columns(i..i + 1), policy);
            trained.iter().map(|&k| all[k]).collect::<Vec<_>>()
        };
        (0..mean().cols()).flat_map(slope).collect()
    };
    (slopes(&|d| d.a.mean), slopes(&|d| d.z.expect("the policy has a memory").mean))
}

/// Returns the constants of Assumptions 3.1 to 3.3 as they were met on the trajectories `paths`: the largest value of
/// each.
///
/// Rewards are read at all steps. The norms are computed at 1,000 steps spread evenly, and at the 500 steps with the
/// largest observations and memories. A supremum over all states may be larger.
pub fn met(policy: &impl StatefulPolicy<f64>, trained: &[usize], paths: &[Trajectory], gamma: f64) -> Constants {
    let all: Vec<(usize, usize)> =
        paths.iter().enumerate().flat_map(|(i, path)| (0..path.steps).map(move |t| (i, t))).collect();
    let size = |&(i, t): &(usize, usize)| {
        let norm = |x: &[f64]| {
            let width = x.len() / paths[i].steps;
            x[t * width..(t + 1) * width].iter().map(|x| x * x).sum::<f64>()
        };
        norm(&paths[i].o) + norm(&paths[i].z)
    };
    let mut by_size: Vec<(f64, (usize, usize))> = all.iter().map(|at| (size(at), *at)).collect();
    by_size.sort_by(|x, y| y.0.total_cmp(&x.0));
    let evenly = all.iter().step_by(all.len().div_ceil(1000).max(1));
    let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
    let mut c = Constants {
        r: paths.iter().flat_map(|path| &path.r).fold(0.0, |most, r| most.max(r.abs())),
        f: 0.0,
        h: 0.0,
        k: 0.0,
        z: 0.0,
        sigma_inverse: 0.0,
        upsilon_inverse: 0.0,
        gamma,
    };
    for &(i, t) in evenly.chain(by_size.iter().take(500).map(|(_, at)| at)) {
        let path = &paths[i];
        let row = |x: &[f64]| {
            let width = x.len() / path.steps;
            x[t * width..(t + 1) * width].to_vec()
        };
        let (f, h) = parameter_slopes(policy, trained, path, t);
        let by_z = Jacobians::at(policy, &row(&path.o), &row(&path.a_prev), &row(&path.z));
        for (most, x) in [(&mut c.f, f), (&mut c.h, h), (&mut c.k, by_z.f), (&mut c.z, by_z.eta)] {
            *most = most.max(norm(&x));
        }
        let dist = policy.dist(&context(1, (&row(&path.o), &row(&path.a_prev), &row(&path.z))));
        let inverse =
            |log_std: &Tensor<f64>| norm(&log_std.data().iter().map(|s| (-2.0 * s).exp()).collect::<Vec<_>>());
        c.sigma_inverse = inverse(&dist.a.log_std);
        c.upsilon_inverse = inverse(&dist.z.expect("the policy has a memory").log_std);
    }
    c
}

/// The reference that an estimate is compared with.
#[derive(Clone, Copy, Debug)]
pub enum Reference<'a> {
    /// The exact gradient.
    Exact(&'a [f64]),
    /// The estimates of an unbiased estimator on the same trajectories; their mean is the reference.
    Paired(&'a Gradients),
}

/// Measurements of an estimator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Distance of the mean estimate from the reference, divided by the length of the reference.
    pub bias: f64,
    /// The size that `bias` would have by chance alone if the estimator were unbiased.
    pub chance: f64,
    /// Cosine of the angle between the mean estimate and the reference.
    pub cosine: f64,
    /// Trace of the covariance of the estimate from one trajectory.
    pub trace: f64,
    /// Standard error of the trace.
    pub trace_error: f64,
    /// The trace divided by the mean of G².
    pub normalised: f64,
    /// Length of the reference divided by the square root of the trace: the signal-to-noise ratio of one trajectory.
    pub snr: f64,
}

/// Measures estimates, given the trajectories that they were computed from.
pub fn measure(estimates: &Gradients, paths: &[Trajectory], reference: Reference) -> Measured {
    assert_eq!(estimates.n, paths.len(), "an estimate for each trajectory");
    let n = estimates.n as f64;
    let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
    let (mean, variance) = estimates.moments();
    let trace: f64 = variance.iter().sum();
    // The reference, the difference of the mean from it, and the variance of that difference.
    let (truth, difference, spread) = match reference {
        Reference::Exact(truth) => {
            let difference: Vec<f64> = mean.iter().zip(truth).map(|(x, y)| x - y).collect();
            (truth.to_vec(), difference, trace)
        }
        Reference::Paired(others) => {
            let pairs = estimates.values.iter().zip(&others.values).map(|(x, y)| x - y).collect();
            let (difference, variance) = Gradients { n: estimates.n, values: pairs }.moments();
            (others.moments().0, difference, variance.iter().sum())
        }
    };
    assert_eq!(truth.len(), mean.len(), "as many components as the reference");
    let squares: Vec<f64> =
        estimates.rows().map(|row| row.iter().zip(&mean).map(|(x, m)| (x - m).powi(2)).sum()).collect();
    let deviation = squares.iter().map(|x| (x - trace).powi(2)).sum::<f64>() / (n - 1.0);
    let dot: f64 = mean.iter().zip(&truth).map(|(x, y)| x * y).sum();
    let g2 = paths.iter().map(|path| path.g * path.g).sum::<f64>() / n;
    Measured {
        bias: norm(&difference) / norm(&truth),
        chance: (spread / n).sqrt() / norm(&truth),
        cosine: dot / (norm(&mean) * norm(&truth)),
        trace,
        trace_error: (deviation / n).sqrt(),
        normalised: trace / g2,
        snr: norm(&truth) / trace.sqrt(),
    }
}
