//! Statistics of scores over seeds and tasks.
//!
//! Scores come in strata: there is a stratum for each task, and a score in it for each seed. The bootstrap draws seeds
//! with replacement inside each stratum.

use crate::rng::Rng;

/// Probability with which an interval is meant to hold the truth.
pub const CONFIDENCE: f64 = 0.95;

/// A figure with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The figure of the scores themselves.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// Returns the mean of the scores.
///
/// # Panics
/// Panics without scores.
pub fn mean(scores: &[f64]) -> f64 {
    assert!(!scores.is_empty(), "the mean of no scores");
    scores.iter().sum::<f64>() / scores.len() as f64
}

/// Returns the interquartile mean: the mean of the scores without the lowest quarter and the highest quarter of them
/// (each rounded down).
///
/// # Panics
/// Panics without scores.
pub fn interquartile_mean(scores: &[f64]) -> f64 {
    let mut sorted = scores.to_vec();
    sorted.sort_by(f64::total_cmp);
    let cut = scores.len() / 4;
    mean(&sorted[cut..scores.len() - cut])
}

/// Returns `statistic` of all scores together, with a 95 % interval by the percentile bootstrap from `resamples` draws
/// (10,000 are plenty). The draws are stratified over the tasks.
///
/// The percentiles are moved outwards for small samples (Hesterberg's expanded percentile interval), since plain
/// percentiles hold the truth too seldom: 92.9 % at 20 normal scores in place of 95 %. The bootstrap cannot reach
/// beyond the scores: the interval of the mean of 3 seeds ends at the smallest and the largest score, and holds the
/// truth with a probability of 75 %.
///
/// # Panics
/// Panics where a stratum is empty, where there is no stratum, or where `resamples` is 0.
pub fn bootstrap<S: AsRef<[f64]>>(
    strata: &[S],
    statistic: impl Fn(&[f64]) -> f64,
    resamples: usize,
    rng: &mut Rng,
) -> Estimate {
    let strata: Vec<&[f64]> = strata.iter().map(|scores| scores.as_ref()).collect();
    interval(&strata, statistic, resamples, rng, level(&strata))
}

/// Returns `statistic` with the interval between the plain percentiles 2.5 and 97.5 of the same draws. It is the
/// interval of rliable and of most papers, to be compared with theirs; with few seeds it holds the truth too seldom.
///
/// # Panics
/// Panics where [`bootstrap`] does.
pub fn plain_bootstrap<S: AsRef<[f64]>>(
    strata: &[S],
    statistic: impl Fn(&[f64]) -> f64,
    resamples: usize,
    rng: &mut Rng,
) -> Estimate {
    let strata: Vec<&[f64]> = strata.iter().map(|scores| scores.as_ref()).collect();
    interval(&strata, statistic, resamples, rng, 0.5 * (1.0 - CONFIDENCE))
}

/// Returns the probability that a run of `x` scores higher than a run of `y` on the same task (ties count one half),
/// averaged over the tasks, with a 95 % interval by the same bootstrap.
///
/// # Panics
/// Panics where `x` and `y` have different numbers of tasks, or where a task has no scores.
pub fn probability_of_improvement<S: AsRef<[f64]>>(x: &[S], y: &[S], resamples: usize, rng: &mut Rng) -> Estimate {
    compared(x, y, resamples, rng, None, improvement)
}

/// Returns how much higher the scores of `x` are than those of `y`: the difference of the means on the same task,
/// averaged over the tasks, with a 95 % interval by the same bootstrap.
///
/// # Panics
/// Panics where `x` and `y` have different numbers of tasks, or where a task has no scores.
pub fn difference<S: AsRef<[f64]>>(x: &[S], y: &[S], resamples: usize, rng: &mut Rng) -> Estimate {
    let apart = |pairs: &[(&[f64], &[f64])]| pairs.iter().map(|(x, y)| mean(x) - mean(y)).collect::<Vec<_>>();
    compared(x, y, resamples, rng, None, |pairs| mean(&apart(pairs)))
}

/// Returns how many times as large the scores of `x`, such as times, are as those of `y`: the ratio of the means on the
/// same task, of which the geometric mean over the tasks is taken, with a 95 % interval by the same bootstrap. All
/// scores are above 0.
///
/// # Panics
/// Panics where `x` and `y` have different numbers of tasks, or where a task has no scores.
pub fn ratio<S: AsRef<[f64]>>(x: &[S], y: &[S], resamples: usize, rng: &mut Rng) -> Estimate {
    let log = |pairs: &[(&[f64], &[f64])]| pairs.iter().map(|(x, y)| (mean(x) / mean(y)).ln()).collect::<Vec<_>>();
    compared(x, y, resamples, rng, None, |pairs| mean(&log(pairs)).exp())
}

/// Returns a performance profile: for each of the thresholds `at`, the share of runs whose score is above it, averaged
/// over the tasks.
///
/// # Panics
/// Panics where there is no task, or where a task has no scores.
pub fn profile<S: AsRef<[f64]>>(scores: &[S], at: &[f64]) -> Vec<f64> {
    let share = |scores: &[f64], at: f64| scores.iter().filter(|x| **x > at).count() as f64 / scores.len() as f64;
    at.iter().map(|&at| mean(&scores.iter().map(|scores| share(scores.as_ref(), at)).collect::<Vec<_>>())).collect()
}

/// Returns the scores with their ends moved: `zero` becomes 0 and `one` becomes 1. Returns of different tasks can be
/// averaged after this; where the ends are from must be said beside every such average.
pub fn normalised(scores: &[f64], zero: f64, one: f64) -> Vec<f64> {
    scores.iter().map(|x| (x - zero) / (one - zero)).collect()
}

/// Returns the statistic of pairs of strata, with its interval: between the percentiles `plain` and 1 - `plain` where
/// they are given.
fn compared<S: AsRef<[f64]>>(
    x: &[S],
    y: &[S],
    resamples: usize,
    rng: &mut Rng,
    plain: Option<f64>,
    statistic: impl Fn(&[(&[f64], &[f64])]) -> f64,
) -> Estimate {
    assert_eq!(x.len(), y.len(), "{} tasks against {}", x.len(), y.len());
    let strata: Vec<&[f64]> = x.iter().chain(y).map(|scores| scores.as_ref()).collect();
    let of_pairs = |scores: &[f64]| {
        let mut rest = scores;
        let parts: Vec<&[f64]> = strata.iter().map(|s| rest.split_off(..s.len()).unwrap_or_default()).collect();
        let (x, y) = parts.split_at(parts.len() / 2);
        statistic(&x.iter().copied().zip(y.iter().copied()).collect::<Vec<_>>())
    };
    interval(&strata, of_pairs, resamples, rng, plain.unwrap_or_else(|| level(&strata)))
}

/// Returns the mean over tasks of the share of pairs in which the first score is higher.
fn improvement(pairs: &[(&[f64], &[f64])]) -> f64 {
    mean(&pairs.iter().map(|(x, y)| share_above(x, y)).collect::<Vec<_>>())
}

/// Returns the share of pairs in which the score of `x` is higher; ties count one half.
fn share_above(x: &[f64], y: &[f64]) -> f64 {
    let above = |x: f64, y: f64| {
        if x > y {
            1.0
        } else if x == y {
            0.5
        } else {
            0.0
        }
    };
    let pairs = x.iter().flat_map(|&x| y.iter().map(move |&y| above(x, y)));
    pairs.sum::<f64>() / (x.len() * y.len()) as f64
}

fn draw(strata: &[&[f64]], drawn: &mut [f64], rng: &mut Rng) {
    let mut rest = drawn.iter_mut();
    for scores in strata {
        for x in rest.by_ref().take(scores.len()) {
            *x = scores[rng.below(scores.len())];
        }
    }
}

/// Returns the statistic of all scores, and its interval between the percentiles `level` and 1 - `level` of the draws.
fn interval(
    strata: &[&[f64]],
    statistic: impl Fn(&[f64]) -> f64,
    resamples: usize,
    rng: &mut Rng,
    level: f64,
) -> Estimate {
    assert!(resamples > 0, "a bootstrap without draws");
    assert!(strata.iter().all(|s| !s.is_empty()) && !strata.is_empty(), "a bootstrap of a task without scores");
    let mut drawn = strata.concat();
    let value = statistic(&drawn);
    let draws = (0..resamples).map(|_| {
        draw(strata, &mut drawn, rng);
        statistic(&drawn)
    });
    let mut draws: Vec<f64> = draws.collect();
    draws.sort_by(f64::total_cmp);
    let at = |level: f64| {
        let place = level * (draws.len() - 1) as f64;
        let (below, above) = (draws[place.floor() as usize], draws[place.ceil() as usize]);
        if below == above { below } else { below + (above - below) * place.fract() }
    };
    Estimate { value, low: at(level), high: at(1.0 - level) }
}

/// Returns the lower percentile of an interval, as a part of 1. A bootstrap of n scores is too narrow by the factor
/// sqrt((n - 1) / n), and normal where Student's t would be right: the choice of the percentiles makes up for both.
fn level(strata: &[&[f64]]) -> f64 {
    let least = strata.iter().map(|s| s.len()).min().unwrap_or(0);
    if least <= 1 {
        return 0.0;
    }
    let freedom: usize = strata.iter().map(|s| s.len() - 1).sum();
    let wider = (least as f64 / (least - 1) as f64).sqrt();
    normal_tail(wider * student_quantile(freedom as f64))
}

/// Returns the upper 2.5 % point of Student's t by the expansion of Cornish and Fisher, which is within 0.2 % from 5
/// degrees of freedom on.
fn student_quantile(freedom: f64) -> f64 {
    let z = 1.959_963_984_540_054_f64;
    let [z2, v] = [z * z, freedom];
    z * (1.0
        + (z2 + 1.0) / (4.0 * v)
        + (5.0 * z2 * z2 + 16.0 * z2 + 3.0) / (96.0 * v * v)
        + (3.0 * z2.powi(3) + 19.0 * z2 * z2 + 17.0 * z2 - 15.0) / (384.0 * v * v * v))
}

/// Returns the probability that a standard normal number exceeds x ≥ 0, by Simpson's rule.
fn normal_tail(x: f64) -> f64 {
    let (n, width) = (400, 10.0);
    let density = |i: usize| (-0.5 * (x + width * i as f64 / n as f64).powi(2)).exp();
    let weight = |i: usize| {
        if i == 0 || i == n {
            1.0
        } else if i % 2 == 1 {
            4.0
        } else {
            2.0
        }
    };
    let sum: f64 = (0..=n).map(|i| weight(i) * density(i)).sum();
    sum * width / (3.0 * n as f64) / std::f64::consts::TAU.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and interquartile mean of scores that can be computed by hand; outliers do not move the latter.
    #[test]
    fn means_are_the_definition() {
        assert_eq!(mean(&[1.0, 2.0, 6.0]), 3.0);
        assert_eq!(interquartile_mean(&[4.0, 1.0, -1e9, 3.0, 2.0, 1e9, 5.0, 6.0]), 3.5);
        assert_eq!(interquartile_mean(&[9.0, 1.0, 2.0]), 4.0);
    }

    /// The tail of the normal and Student's quantiles equal the tables.
    #[test]
    fn quantiles_are_the_tables() {
        for (x, tail) in [(0.0, 0.5), (1.0, 0.158655254), (1.959963985, 0.025), (3.0, 0.001349898), (5.0, 2.86652e-7)] {
            assert!((normal_tail(x) / tail - 1.0).abs() < 1e-5, "{x}: {}", normal_tail(x));
        }
        for (freedom, t) in [(5.0, 2.570582), (9.0, 2.262157), (19.0, 2.093024), (99.0, 1.984217)] {
            assert!((student_quantile(freedom) / t - 1.0).abs() < 2e-3, "{freedom}: {}", student_quantile(freedom));
        }
    }

    /// The same stream gives the same interval, and another stream nearly the same.
    #[test]
    fn intervals_repeat() {
        let scores = [vec![1.0, 4.0, 2.0, 8.0, 5.0, 7.0], vec![10.0, 13.0, 11.0, 15.0, 12.0, 19.0]];
        let run = |seed| bootstrap(&scores, interquartile_mean, 10_000, &mut Rng::new(seed, "stats"));
        let (first, other) = (run(0), run(1));
        assert_eq!(first, run(0));
        assert_eq!(first.value, interquartile_mean(&scores.concat()));
        assert!((first.low - other.low).abs() < 0.3 && (first.high - other.high).abs() < 0.3, "{first:?} {other:?}");
    }

    /// Strata are kept: where all seeds of a task agree, tasks that differ do not widen the interval.
    #[test]
    fn tasks_are_not_mixed() {
        let estimate = bootstrap(&[vec![1.0; 5], vec![100.0; 5]], mean, 100, &mut Rng::new(0, "stats"));
        assert_eq!(estimate, Estimate { value: 50.5, low: 50.5, high: 50.5 });
    }

    /// The probability of improvement is the share of pairs, ties count one half, and its interval stays in [0, 1].
    #[test]
    fn improvement_is_a_share_of_pairs() {
        let mut rng = Rng::new(0, "stats");
        let mut run = |x: &[Vec<f64>], y: &[Vec<f64>]| probability_of_improvement(x, y, 2000, &mut rng);
        let p = run(&[vec![3.0, 5.0], vec![1.0, 1.0]], &[vec![4.0, 3.0, 1.0], vec![1.0, 2.0]]);
        assert_eq!(p.value, (4.5 / 6.0 + 1.0 / 4.0) / 2.0);
        assert!(0.0 <= p.low && p.low < p.value && p.value < p.high && p.high <= 1.0);
        let better = run(&[vec![3.0, 5.0]], &[vec![1.0, 2.0]]);
        assert_eq!(better, Estimate { value: 1.0, low: 1.0, high: 1.0 });
    }

    /// Differences and ratios are those of the means, task by task; their intervals hold them, and that of equal scores
    /// holds none.
    #[test]
    fn comparisons_are_the_definition() {
        let mut rng = Rng::new(0, "stats");
        let (x, y) = ([vec![3.0, 5.0, 4.0], vec![8.0, 8.0, 8.0]], [vec![1.0, 2.0, 3.0], vec![1.0, 1.0, 1.0]]);
        let difference = difference(&x, &y, 2000, &mut rng);
        assert_eq!(difference.value, (2.0 + 7.0) / 2.0);
        let ratio = ratio(&x, &y, 2000, &mut rng);
        assert!((ratio.value - 4.0).abs() < 1e-12, "{ratio:?}");
        for Estimate { value, low, high } in [difference, ratio] {
            assert!(low < value && value < high);
        }
        let same = super::difference(&[vec![2.0; 4]], &[vec![2.0; 4]], 100, &mut rng);
        assert_eq!(same, Estimate { value: 0.0, low: 0.0, high: 0.0 });
        assert_eq!(profile(&[vec![0.0, 1.0], vec![2.0, 2.0]], &[-1.0, 0.0, 1.0, 2.0]), [1.0, 0.75, 0.5, 0.0]);
        assert_eq!(normalised(&[10.0, 20.0, 30.0], 10.0, 30.0), [0.0, 0.5, 1.0]);
    }

    /// Means, interquartile means, probabilities of improvement and profiles are those that rliable recorded, and plain
    /// intervals are its intervals within the error of drawing.
    #[test]
    fn rliable_agrees() {
        let recorded: toml::Table = include_str!("../../tests/rliable.toml").parse().unwrap();
        let row = |row: &toml::Value| row.as_array().unwrap().iter().map(|x| x.as_float().unwrap()).collect::<Vec<_>>();
        let scores = |name: &str| recorded[name].as_array().unwrap().iter().map(row).collect::<Vec<_>>();
        let (x, y, mut rng) = (scores("x"), scores("y"), Rng::new(0, "rliable"));
        let n = 20_000;
        let ours = [
            ("mean_of_x", plain_bootstrap(&x, mean, n, &mut rng)),
            ("interquartile_mean_of_x", plain_bootstrap(&x, interquartile_mean, n, &mut rng)),
            ("interquartile_mean_of_y", plain_bootstrap(&y, interquartile_mean, n, &mut rng)),
            ("improvement_of_x_on_y", compared(&x, &y, n, &mut rng, Some(0.025), improvement)),
        ];
        for (name, Estimate { value, low, high }) in ours {
            let theirs = |key: &str| recorded[name][key].as_float().unwrap();
            assert!((value - theirs("value")).abs() < 1e-12, "{name}: {value} {}", theirs("value"));
            // The error of a percentile of 20,000 draws, and of 50,000, is a hundredth of the width each.
            let within = 0.03 * (theirs("high") - theirs("low"));
            assert!(
                (low - theirs("low")).abs() < within && (high - theirs("high")).abs() < within,
                "{name}: {low} {high}"
            );
        }
        let profile = profile(&x, &row(&recorded["at"]));
        assert!(profile.iter().zip(row(&recorded["profile"])).all(|(a, b)| (a - b).abs() < 1e-12), "{profile:?}");
    }

    /// Returns how often intervals of `statistic` hold `truth`, in percent, over `trials` synthetic experiments.
    fn coverage(
        trials: usize,
        tasks: &[usize],
        truth: f64,
        score: impl Fn(usize, &mut Rng) -> f64,
        statistic: impl Fn(&[f64]) -> f64,
    ) -> f64 {
        let mut rng = Rng::new(0, "coverage");
        let mut held = 0;
        for _ in 0..trials {
            let scores: Vec<Vec<f64>> =
                tasks.iter().enumerate().map(|(t, &n)| (0..n).map(|_| score(t, &mut rng)).collect()).collect();
            let Estimate { low, high, .. } = bootstrap(&scores, &statistic, 1000, &mut rng);
            held += (low <= truth && truth <= high) as usize;
        }
        100.0 * held as f64 / trials as f64
    }

    /// At 20 seeds and more, 95 % intervals hold the truth in 93 to 97 % of experiments, be the scores normal, uniform,
    /// or of runs that fail or succeed; also for the interquartile mean, and for tasks of different spread.
    #[test]
    fn intervals_hold_the_truth() {
        let normal = |_: usize, rng: &mut Rng| 3.0 + 2.0 * rng.normal();
        let uniform = |_: usize, rng: &mut Rng| rng.uniform();
        let failing = |_: usize, rng: &mut Rng| rng.normal() + if rng.uniform() < 0.3 { 0.0 } else { 10.0 };
        let tasks = |task: usize, rng: &mut Rng| task as f64 + (1.0 + task as f64) * rng.normal();
        let n = 2000;
        let figures = [
            ("normal, 20 seeds", coverage(n, &[20], 3.0, normal, mean)),
            ("normal, 30 seeds", coverage(n, &[30], 3.0, normal, mean)),
            ("uniform, 20 seeds", coverage(n, &[20], 0.5, uniform, mean)),
            ("failing, 20 seeds", coverage(n, &[20], 7.0, failing, mean)),
            ("normal, 20 seeds, interquartile mean", coverage(n, &[20], 3.0, normal, interquartile_mean)),
            ("4 tasks of 10 seeds", coverage(n, &[10; 4], 1.5, tasks, mean)),
            ("4 tasks of 20 seeds", coverage(n, &[20; 4], 1.5, tasks, mean)),
        ];
        for (what, percent) in figures {
            assert!((93.0..=97.0).contains(&percent), "{what}: {percent} %");
        }
    }

    /// Three seeds are too few for any bootstrap: the interval is their range, and holds the mean with 1 - 2 / 2^3 = 75
    /// %.
    #[test]
    fn three_seeds_are_indicative() {
        let estimate = bootstrap(&[[4.0, 1.0, 2.5]], mean, 1000, &mut Rng::new(0, "stats"));
        assert_eq!((estimate.low, estimate.high), (1.0, 4.0));
        let percent = coverage(2000, &[3], 0.0, |_, rng| rng.normal(), mean);
        assert!((73.0..=77.0).contains(&percent), "{percent} %");
    }

    /// The interval of the probability of improvement holds the truth as well: two normals one apart, 20 seeds each.
    #[test]
    fn improvement_has_an_honest_interval() {
        let (mut rng, truth, mut held) = (Rng::new(0, "coverage"), 1.0 - normal_tail(0.5f64.sqrt()), 0);
        for _ in 0..1000 {
            let mut runs = |shift: f64| [(0..20).map(|_| shift + rng.normal()).collect::<Vec<_>>()];
            let (x, y) = (runs(1.0), runs(0.0));
            let Estimate { low, high, .. } = probability_of_improvement(&x, &y, 500, &mut rng);
            held += (low <= truth && truth <= high) as usize;
        }
        let percent = held as f64 / 10.0;
        assert!((93.0..=97.0).contains(&percent), "{percent} %");
    }
}
