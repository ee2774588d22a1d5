//! Natural gradients: products with the Fisher matrix of (a, z'), and conjugate gradients.

use crate::nn::{Real, Tensor, gradient};
use crate::policy::{Context, Dist, Gaussian, StatefulPolicy};

/// Returns F v: the Fisher matrix of (a, z'), averaged over all samples of `contexts`, times `v`.
///
/// F is the second derivative of the mean KL divergence of a policy from this one, taken at this policy. F = Jᵀ W J,
/// where J is the derivative of means and log-stds by the parameters, and W = 1/σ² for a mean, 2 for a log-std. J v is
/// a central difference, since a graph can be walked only once, and only backwards; that walk is the product with Jᵀ.
pub fn fisher_product<T: Real>(policy: &impl StatefulPolicy<T>, contexts: &[Context<T>], v: &[f64]) -> Vec<f64> {
    let theta = policy.params().data();
    assert_eq!(v.len(), theta.len(), "a number for each parameter");
    let mut product = vec![0.0; v.len()];
    let length = dot(v, v).sqrt();
    if length == 0.0 {
        return product;
    }
    let scale = 1.0 + theta.iter().map(|x| x.f64().powi(2)).sum::<f64>().sqrt();
    // The step is shorter than for a smooth function: a longer step crosses more kinks of the ReLUs.
    let step = 0.05 * epsilon::<T>().cbrt() * scale / length;
    let [ahead, behind] = [step, -step].map(|step| {
        let mut moved = policy.clone();
        let theta = moved.params_mut().data_mut();
        theta.iter_mut().zip(v).for_each(|(x, v)| *x = T::of(x.f64() + step * v));
        moved
    });
    let mut samples = 0;
    for x in contexts {
        let (dist, ahead, behind) = (policy.dist(x), ahead.dist(x), behind.dist(x));
        let mut loss = Tensor::scalar(0.0);
        for ((g, ahead), behind) in gaussians(&dist).zip(gaussians(&ahead)).zip(gaussians(&behind)) {
            let (of_mean, of_log_std) = weights(g);
            let change = |of: fn(&Gaussian<T>) -> Tensor<T>| (of(ahead) - of(behind)) * (0.5 / step);
            loss = loss + (mean(g) * (change(mean) * of_mean).detach()).sum();
            loss = loss + (log_std(g) * (change(log_std) * of_log_std).detach()).sum();
        }
        add(&mut product, &gradient(&loss, policy));
        samples += dist.a.mean.rows();
    }
    product.iter_mut().for_each(|x| *x /= samples as f64);
    product
}

/// Returns the Gaussians of action and next state.
fn gaussians<T: Real>(dist: &Dist<T>) -> impl Iterator<Item = &Gaussian<T>> {
    [Some(&dist.a), dist.z.as_ref()].into_iter().flatten()
}

fn mean<T: Real>(g: &Gaussian<T>) -> Tensor<T> {
    g.columns(&g.mean)
}

fn log_std<T: Real>(g: &Gaussian<T>) -> Tensor<T> {
    g.clamped_log_std().clone()
}

/// Returns the weights W of means and log-stds: twice the divergence is the sum of squares of small changes, each times
/// its weight. A sample that is not drawn has no weight, and a log-std of one row has that of all samples.
fn weights<T: Real>(g: &Gaussian<T>) -> (Tensor<T>, Tensor<T>) {
    let (rows, n) = (g.mean.rows(), g.clamped_log_std().cols());
    let drawn = g.masked(Tensor::with(rows, 1, |x| x.fill(T::ONE)));
    let of_mean = (g.clamped_log_std() * -2.0).exp();
    let of_log_std = if g.clamped_log_std().rows() == rows { &drawn * 2.0 } else { drawn.sum() * 2.0 };
    ((Tensor::zeros(rows, n) + of_mean) * drawn, of_log_std)
}

/// Returns the distance from 1 to the next larger number of the type.
fn epsilon<T: Real>() -> f64 {
    if T::of(1.0 + 1e-9) == T::ONE { f64::from(f32::EPSILON) } else { f64::EPSILON }
}

/// Adds the gradient `x` to `sum`.
pub fn add<T: Real>(sum: &mut [f64], x: &[T]) {
    sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x.f64());
}

/// Returns the scalar product of `a` and `b`.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Solves M x = b by at most `iterations` steps of conjugate gradients from zero. `product` returns M, symmetric and
/// positive, times a vector. Returns the approximate solution x, and M x.
pub fn conjugate_gradients(product: impl Fn(&[f64]) -> Vec<f64>, b: &[f64], iterations: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut x, mut rest, mut p) = (vec![0.0; b.len()], b.to_vec(), b.to_vec());
    let mut squares = dot(b, b);
    let enough = 1e-10 * squares;
    for _ in 0..iterations {
        if squares <= enough {
            break;
        }
        let mp = product(&p);
        let along = squares / dot(&p, &mp);
        x.iter_mut().zip(&p).for_each(|(x, p)| *x += along * p);
        rest.iter_mut().zip(&mp).for_each(|(rest, mp)| *rest -= along * mp);
        let next = dot(&rest, &rest);
        p.iter_mut().zip(&rest).for_each(|(p, rest)| *p = rest + next / squares * *p);
        squares = next;
    }
    let product = b.iter().zip(&rest).map(|(b, rest)| b - rest).collect();
    (x, product)
}
