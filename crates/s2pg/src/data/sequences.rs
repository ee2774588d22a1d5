//! Windows of a replay buffer as a latent model is shown them: every step of the last steps that led to a row.

use super::Replay;
use super::show::{Rows, Step, table, views};
use crate::nn::Tensor;
use crate::policy::Sequences;

impl Replay {
    /// Returns the last steps of the episode up to row k, as many as a sample of the policy is shown, the oldest first.
    fn window(&self, k: usize) -> Vec<usize> {
        let mut window = Vec::new();
        self.before(k, self.memory().steps(), &mut window);
        window
    }

    /// Puts the rows `rows` in the order of the lengths of their windows, the longest first; others of one length stay
    /// in their order.
    pub fn longest_first(&self, rows: &mut [usize]) {
        rows.sort_by_cached_key(|&k| std::cmp::Reverse(self.window(k).len()));
    }

    /// Returns the windows that end with the rows `rows`, whose longest windows come first, with what their last steps
    /// led to.
    pub fn sequences(&self, rows: &[usize]) -> Sequences {
        let windows: Vec<Vec<usize>> = rows.iter().map(|&k| self.window(k)).collect();
        debug_assert!(windows.is_sorted_by(|a, b| a.len() >= b.len()), "the longest windows come first");
        let (mut counts, mut seen, mut taken) = (Vec::new(), Vec::new(), Vec::new());
        for t in 0..=windows.first().map_or(0, Vec::len) {
            let running = windows.iter().take_while(|window| window.len() >= t);
            let shown =
                running.map(|window| Some(window.get(t).map_or(Step::Next(window[t.max(1) - 1]), |&k| Step::Now(k))));
            let before = seen.len();
            seen.extend(shown);
            counts.push(seen.len() - before);
            taken.extend(windows.iter().map_while(|window| window.get(t)).map(|&k| Some(Step::Now(k))));
        }
        let [n_o, _, n_a] = self.sizes();
        let r: Vec<f32> = taken.iter().flatten().map(|step| self.r(step.row())).collect();
        Sequences {
            counts,
            o: views((1, n_o, &seen), |step| self.o(step), |o| self.standardise_o(o)),
            a: table((1, n_a, &taken), |step| Some(self.a(step.row()))),
            r: Tensor::new(r.len(), 1, &r),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::data::{Buffer, Replay, ReplayShape, Transition};
    use crate::policy::Memory;

    /// Windows of different lengths stand packed, the longest first, with what the last step of each led to, and cross
    /// no end of an episode.
    #[test]
    fn windows_are_packed() {
        let memory = Memory::History { len: 3 };
        let mut data = Replay::new(ReplayShape { size: 20, envs: 1, o: 1, a: 1, memory, ..Default::default() });
        for t in 0..6 {
            let [o, a, next_o] = [[t as f32], [10.0 + t as f32], [t as f32 + 0.5]];
            data.push(&Transition {
                o: &o,
                a: &a,
                r: &[100.0 + t as f64],
                terminated: &[t == 1],
                truncated: &[false],
                dropped: &[false],
                next_o: &next_o,
                ..Transition::default()
            });
        }
        // The first episode has the steps 0 and 1 and the frame of its end; the second begins with step 2.
        let all = data.rows();
        let mut rows = vec![all[1], all[2], all[5], all[4]];
        data.longest_first(&mut rows);
        assert_eq!(rows, [all[5], all[4], all[1], all[2]]);
        let s = data.sequences(&rows);
        assert_eq!(s.counts, [4, 4, 3, 2]);
        assert_eq!(s.o.data(), [3.0, 2.0, 0.0, 2.0, 4.0, 3.0, 1.0, 3.0, 5.0, 4.0, 1.5, 5.5, 5.0]);
        assert_eq!(s.a.data(), [13.0, 12.0, 10.0, 12.0, 14.0, 13.0, 11.0, 15.0, 14.0]);
        assert_eq!(s.r.data(), [103.0, 102.0, 100.0, 102.0, 104.0, 103.0, 101.0, 105.0, 104.0]);
    }
}
