//! How fast a training is, and how long it will take.

use std::collections::VecDeque;

use crate::terminal::duration;

/// The speed of a training over its recent work: the last half of the time so far. What a start costs or saves, as an
/// off-policy algorithm's first steps do, which learn nothing, is soon forgotten; an evaluation now and then is not.
pub struct Pace {
    /// Moments (seconds, steps) of the past, the first one at or before half of the time.
    marks: VecDeque<(f64, usize)>,
    now: (f64, usize),
}

impl Pace {
    /// Begins at time 0 with this many steps.
    pub fn new(steps: usize) -> Self {
        Self { marks: VecDeque::from([(0.0, steps)]), now: (0.0, steps) }
    }

    /// Takes note of the steps at a later time, in seconds.
    pub fn add(&mut self, seconds: f64, steps: usize) {
        self.now = (seconds, steps);
        // Moments lie ever further apart, so that there are few of them however long it takes.
        if self.marks.back().is_none_or(|last| seconds >= 1.02 * last.0 + 0.01) {
            self.marks.push_back(self.now);
        }
        while self.marks.get(1).is_some_and(|next| next.0 <= 0.5 * seconds) {
            self.marks.pop_front();
        }
    }

    /// Steps a second; None where that cannot be said yet.
    pub fn speed(&self) -> Option<f64> {
        let from = self.marks.front()?;
        let (seconds, steps) = (self.now.0 - from.0, self.now.1.saturating_sub(from.1));
        (seconds > 0.0 && steps > 0).then(|| steps as f64 / seconds)
    }

    /// Speed, and the time that is left until `total` steps, in words. A step of several environments may end behind
    /// the total: then no time is left.
    pub fn words(&self, total: usize) -> String {
        let steps = total.saturating_sub(self.now.1);
        let left = match self.speed() {
            _ if steps == 0 => duration(0.0),
            speed => duration(speed.map_or(f64::NAN, |speed| steps as f64 / speed)),
        };
        format!("{:6.0} steps/s  {left} left", self.speed().unwrap_or(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(samples: impl IntoIterator<Item = (f64, usize)>) -> Pace {
        let mut pace = Pace::new(0);
        samples.into_iter().for_each(|(seconds, steps)| pace.add(seconds, steps));
        pace
    }

    /// After a warm-up of free steps the estimate is that of the steps that cost, as soon as these took as long.
    #[test]
    fn free_steps_are_forgotten() {
        let free = (1..=10_000).map(|i| (i as f64 * 1e-4, i));
        let work = (1..=900).map(|i| (1.0 + i as f64 * 1e-2, 10_000 + i));
        let pace = pace(free.chain(work));
        assert!((pace.speed().unwrap() - 100.0).abs() < 2.0, "{:?}", pace.speed());
        assert_eq!(pace.words(109_900), "   100 steps/s  16 min 30 s left");
        assert!(pace.marks.len() < 100, "{}", pace.marks.len());
    }

    /// A run whose last step of several environments goes beyond its total has no time left, and one that has not taken
    /// a step has no estimate.
    #[test]
    fn no_time_is_left_behind_the_total() {
        assert_eq!(pace([(0.5, 501), (1.0, 1002)]).words(1000), "  1002 steps/s  0 s left");
        assert_eq!(pace([]).words(1000), "     0 steps/s  unknown time left");
        assert_eq!(pace([(2.0, 0)]).words(1000), "     0 steps/s  unknown time left");
        assert_eq!(pace([(0.0, 5)]).words(5), "     0 steps/s  0 s left");
    }

    /// Pauses for evaluations are a part of the estimate.
    #[test]
    fn evaluations_count() {
        // 100 steps in a second, then a second of evaluation.
        let pace = pace((1..=50).flat_map(|i| [(2.0 * i as f64 - 1.0, 100 * i), (2.0 * i as f64, 100 * i)]));
        assert!((pace.speed().unwrap() - 50.0).abs() < 2.0, "{:?}", pace.speed());
    }
}
