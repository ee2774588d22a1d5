//! One step of all environments.

/// One step of n environments, a row for each. There is no flag for the end of an episode as such: an episode ends
/// because the task ended (`terminated`) or because the episode was cut (`truncated`).
///
/// Columns that a buffer does not keep may be left empty: `Transition { o, a, r, ..Transition::default() }`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Transition<'a> {
    /// The policy's observations, standardised unless the buffer keeps raw views, [n, n_o].
    pub o: &'a [f32],
    /// The critic's views, standardised unless the buffer keeps raw views, [n, n_s].
    pub s: &'a [f32],
    /// The previous actions, zero at the start of an episode, [n, n_a].
    pub a_prev: &'a [f32],
    /// The policy's states z, [n, n_z].
    pub z: &'a [f32],
    /// The cached states of a network that is trained through time, [n, n_h].
    pub h: &'a [f32],
    /// The actions, [n, n_a].
    pub a: &'a [f32],
    /// The next states z', [n, n_z].
    pub z_next: &'a [f32],
    /// The next cached states, [n, n_h].
    pub h_next: &'a [f32],
    /// The actions that a teacher would take, [n, n_a], where there is a teacher.
    pub advice: &'a [f32],
    /// The rewards, n numbers.
    pub r: &'a [f64],
    /// Whether the task ended with this step, n flags.
    pub terminated: &'a [bool],
    /// Whether the episode was cut after this step, n flags.
    pub truncated: &'a [bool],
    /// Whether the simulation failed in this step, n flags: such a row is not to be learned from.
    pub dropped: &'a [bool],
    /// Whether the step ends a segment, n flags, where episodes are cut into segments.
    pub closes: &'a [bool],
    /// The true next observations, before any reset, in the form of `o`, [n, n_o].
    pub next_o: &'a [f32],
    /// The true next views of the critic, before any reset, in the form of `s`, [n, n_s].
    pub next_s: &'a [f32],
}

impl<'a> Transition<'a> {
    /// Returns the step of environment `e` alone, as a transition of one environment.
    pub fn row(&self, e: usize) -> Self {
        let n = self.r.len();
        fn of<X>(x: &[X], e: usize, n: usize) -> &[X] {
            &x[e * x.len() / n..(e + 1) * x.len() / n]
        }
        Self {
            o: of(self.o, e, n),
            s: of(self.s, e, n),
            a_prev: of(self.a_prev, e, n),
            z: of(self.z, e, n),
            h: of(self.h, e, n),
            a: of(self.a, e, n),
            z_next: of(self.z_next, e, n),
            h_next: of(self.h_next, e, n),
            advice: of(self.advice, e, n),
            r: of(self.r, e, n),
            terminated: of(self.terminated, e, n),
            truncated: of(self.truncated, e, n),
            dropped: of(self.dropped, e, n),
            closes: of(self.closes, e, n),
            next_o: of(self.next_o, e, n),
            next_s: of(self.next_s, e, n),
        }
    }
}
