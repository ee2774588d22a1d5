//! A linear probe: how much of a number a straight line tells from others.

/// Means and products of deviations of samples (x, y), with n_x numbers x and one number y each. They are all that a
/// line and its R² need, and do not grow with the samples.
#[derive(Clone, Debug)]
pub struct Moments {
    samples: usize,
    /// The means of (x, y).
    mean: Vec<f64>,
    /// The sums of products of deviations from the means, of which those below the diagonal and on it are kept, [n_x +
    /// 1, n_x + 1].
    products: Vec<f64>,
    deviation: Vec<f64>,
}

/// A line y = w x + b.
#[derive(Clone, Debug)]
pub struct Line {
    weights: Vec<f64>,
    intercept: f64,
}

impl Moments {
    /// Makes the moments of no samples of `n_x` numbers x each.
    pub fn new(n_x: usize) -> Self {
        let n = n_x + 1;
        Self { samples: 0, mean: vec![0.0; n], products: vec![0.0; n * n], deviation: vec![0.0; n] }
    }

    /// Returns the number of samples.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Adds the sample (x, y).
    pub fn add(&mut self, x: &[f32], y: f32) {
        let Self { samples, mean, products, deviation } = self;
        let n = mean.len();
        assert_eq!(x.len() + 1, n, "a sample has as many numbers x as the moments");
        *samples += 1;
        for ((deviation, mean), v) in deviation.iter_mut().zip(mean.iter_mut()).zip(x.iter().chain([&y])) {
            *deviation = f64::from(*v) - *mean;
            *mean += *deviation / *samples as f64;
        }
        // A deviation from the old mean times one from the new mean is (k - 1) / k times a product of the former.
        let share = (*samples - 1) as f64 / *samples as f64;
        for (i, row) in products.chunks_exact_mut(n).enumerate() {
            let d = share * deviation[i];
            row[..=i].iter_mut().zip(&*deviation).for_each(|(sum, other)| *sum += d * other);
        }
    }

    /// Returns the moments of the samples of both.
    pub fn joined(&self, other: &Self) -> Self {
        let (a, b) = (self.samples as f64, other.samples as f64);
        let samples = self.samples + other.samples;
        if samples == 0 {
            return self.clone();
        }
        let apart: Vec<f64> = other.mean.iter().zip(&self.mean).map(|(x, y)| x - y).collect();
        let mean = self.mean.iter().zip(&apart).map(|(x, d)| x + d * b / (a + b)).collect();
        let n = self.mean.len();
        let pairs = self.products.iter().zip(&other.products).enumerate();
        let products = pairs.map(|(k, (x, y))| x + y + apart[k / n] * apart[k % n] * a * b / (a + b)).collect();
        Self { samples, mean, products, deviation: self.deviation.clone() }
    }

    fn product(&self, i: usize, j: usize) -> f64 {
        self.products[i.max(j) * self.mean.len() + i.min(j)]
    }

    /// Returns the standard deviation of each x.
    pub fn deviations(&self) -> Vec<f64> {
        (0..self.mean.len() - 1).map(|i| (self.product(i, i) / self.samples.max(1) as f64).sqrt()).collect()
    }

    /// Fits a line by ridge regression: it minimises the mean of (y - w x - b)² plus `ridge` times the sum of (w_i
    /// σ_i)², where σ_i, of `deviations`, is how much x_i varies: here, or in a larger set of samples, so that an x
    /// that varies little here has no large weight. `ridge` is above 0. An x with a σ of 0 has the weight 0.
    pub fn fit(&self, ridge: f64, deviations: &[f64]) -> Line {
        let n = self.mean.len() - 1;
        let scale: Vec<f64> = deviations.iter().map(|sigma| sigma * (self.samples as f64).sqrt()).collect();
        let unit = |i: usize| if scale[i] > 0.0 { 1.0 / scale[i] } else { 0.0 };
        // The covariances of x in units of σ, plus the ridge, as the product of a lower triangle and its transpose.
        let mut lower = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..=i {
                let dot: f64 = (0..j).map(|k| lower[i * n + k] * lower[j * n + k]).sum();
                let left = self.product(i, j) * unit(i) * unit(j) - dot;
                lower[i * n + j] = if i == j { (left + ridge).sqrt() } else { left / lower[j * n + j] };
            }
        }
        let mut w = vec![0.0; n];
        for i in 0..n {
            let dot: f64 = (0..i).map(|k| lower[i * n + k] * w[k]).sum();
            w[i] = (self.product(n, i) * unit(i) - dot) / lower[i * n + i];
        }
        for i in (0..n).rev() {
            let dot: f64 = (i + 1..n).map(|k| lower[k * n + i] * w[k]).sum();
            w[i] = (w[i] - dot) / lower[i * n + i];
        }
        let weights: Vec<f64> = w.iter().enumerate().map(|(i, w)| w * unit(i)).collect();
        let intercept = self.mean[n] - weights.iter().zip(&self.mean).map(|(w, x)| w * x).sum::<f64>();
        Line { weights, intercept }
    }

    /// Returns R² of `line` on these samples: 1 less the mean squared error over the variance of y. 1 is a line that
    /// tells y, 0 one that is no better than the mean of y, and a worse one is below 0. None where y never changes.
    pub fn r_squared(&self, line: &Line) -> Option<f64> {
        let n = self.mean.len() - 1;
        let variance = self.product(n, n);
        let told = line.weights.iter().zip(&self.mean).map(|(w, x)| w * x).sum::<f64>();
        let bias = self.mean[n] - line.intercept - told;
        let mut error = self.samples as f64 * bias * bias + variance;
        for (i, w) in line.weights.iter().enumerate() {
            error -= 2.0 * w * self.product(n, i);
            error += w * line.weights.iter().enumerate().map(|(j, v)| v * self.product(i, j)).sum::<f64>();
        }
        (variance > 0.0).then_some(1.0 - error / variance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// Samples of y = 3 x_0 - x_1 + 100 plus noise; x_2 says nothing, x_3 never changes.
    fn planted(n: usize, noise: f64, rng: &mut Rng) -> Vec<([f32; 4], f32)> {
        let mut sample = || {
            let x = [rng.normal(), 10.0 * rng.normal() + 50.0, rng.normal()];
            let y = 3.0 * x[0] - x[1] + 100.0 + noise * rng.normal();
            ([x[0] as f32, x[1] as f32, x[2] as f32, 7.0], y as f32)
        };
        (0..n).map(|_| sample()).collect()
    }

    fn moments(samples: &[([f32; 4], f32)]) -> Moments {
        let mut moments = Moments::new(4);
        samples.iter().for_each(|(x, y)| moments.add(x, *y));
        moments
    }

    /// A planted line is found; R² on other samples is 1 without noise, and the share of the line with noise.
    #[test]
    fn a_planted_line_is_found() {
        let mut rng = Rng::new(0, "probe");
        for (noise, expected, within) in [(0.0, 1.0, 1e-6), (109f64.sqrt(), 0.5, 0.03)] {
            let [train, test] = [(); 2].map(|()| planted(4000, noise, &mut rng));
            let train = moments(&train);
            let line = train.fit(1e-9, &train.deviations());
            let r2 = moments(&test).r_squared(&line).unwrap();
            assert!((r2 - expected).abs() < within, "{r2}");
            if noise == 0.0 {
                let expected = [3.0, -1.0, 0.0, 0.0];
                assert!(line.weights.iter().zip(expected).all(|(w, v)| (w - v).abs() < 1e-4), "{line:?}");
                assert!((line.intercept - 100.0).abs() < 1e-3, "{line:?}");
            }
        }
    }

    /// R² is that of the errors, one by one, of any line; joined moments are those of all samples.
    #[test]
    fn moments_replace_samples() {
        let samples = planted(500, 5.0, &mut Rng::new(1, "probe"));
        let line = Line { weights: vec![2.0, -0.5, 1.0, 0.25], intercept: 70.0 };
        let y =
            |x: &[f32; 4]| line.intercept + x.iter().zip(&line.weights).map(|(x, w)| f64::from(*x) * w).sum::<f64>();
        let mean = samples.iter().map(|s| f64::from(s.1)).sum::<f64>() / 500.0;
        let error: f64 = samples.iter().map(|s| (f64::from(s.1) - y(&s.0)).powi(2)).sum();
        let variance: f64 = samples.iter().map(|s| (f64::from(s.1) - mean).powi(2)).sum();
        let expected = 1.0 - error / variance;
        let (some, others) = samples.split_at(123);
        for all in
            [moments(&samples), moments(some).joined(&moments(others)), Moments::new(4).joined(&moments(&samples))]
        {
            assert_eq!(all.samples(), 500);
            assert!((all.r_squared(&line).unwrap() - expected).abs() < 1e-9);
        }
    }

    /// An x that hardly varies in the samples, and much elsewhere, has no large weight.
    #[test]
    fn what_hardly_varies_here_weighs_little() {
        let mut rng = Rng::new(3, "probe");
        let mut moments = Moments::new(2);
        (0..1000).for_each(|_| {
            let [x, faint] = [rng.normal(), 1e-6 * rng.normal()];
            moments.add(&[x as f32, faint as f32], (x + 1e6 * faint) as f32);
        });
        let [own, wide] = [moments.deviations(), vec![1.0, 1.0]].map(|sigma| moments.fit(0.01, &sigma).weights);
        assert!(own[1] > 9e5 && wide[1].abs() < 1e-3, "{own:?} {wide:?}");
        assert!((wide[0] - 1.0).abs() < 0.1, "{wide:?}");
    }

    /// A line fitted to noise tells nothing of other noise, and a number that never changes has no R².
    #[test]
    fn noise_tells_nothing() {
        let mut rng = Rng::new(2, "probe");
        let mut noise = || {
            let mut moments = Moments::new(4);
            (0..2000).for_each(|_| moments.add(&[(); 4].map(|()| rng.normal() as f32), rng.normal() as f32));
            moments
        };
        let train = noise();
        let line = train.fit(1e-3, &train.deviations());
        assert!(noise().r_squared(&line).unwrap() < 0.01);
        let mut constant = Moments::new(1);
        (0..9).for_each(|i| constant.add(&[i as f32], 0.1));
        assert_eq!(constant.r_squared(&constant.fit(1e-3, &constant.deviations())), None);
    }
}
