//! The states of a policy over time, a line for each entry.

use super::canvas::{Anchor, Canvas, Colour};

/// The entries of a policy's state that vary most over an episode, in their own ranges.
pub(super) struct Traces {
    /// Of each entry that is drawn: its number in the state, and its value at each step, from 0 to 1.
    entries: Vec<(usize, Vec<f32>)>,
    steps: usize,
}

/// The most entries that are drawn.
const MOST: usize = 8;
/// The most steps that are drawn around one.
const AROUND: usize = 120;
const COLOURS: [Colour; MOST] = [
    [0, 114, 178, 255],
    [213, 94, 0, 255],
    [0, 158, 115, 255],
    [204, 121, 167, 255],
    [230, 159, 0, 255],
    [86, 180, 233, 255],
    [90, 90, 90, 255],
    [150, 60, 60, 255],
];
const PALE: Colour = [130, 136, 146, 255];

impl Traces {
    /// The traces of the states of one step after the other; None where there is no state, or none that ever changes.
    pub fn of<'a>(states: impl Iterator<Item = &'a [f32]>) -> Option<Self> {
        let states: Vec<&[f32]> = states.collect();
        let width = states.first()?.len();
        let range = |j: usize| {
            let column = states.iter().map(|state| state[j]);
            column.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)))
        };
        let spread = |j: &usize| range(*j).1 - range(*j).0;
        let mut entries: Vec<usize> = (0..width).filter(|j| spread(j) > 0.0 && spread(j).is_finite()).collect();
        entries.sort_by(|a, b| spread(b).total_cmp(&spread(a)).then(a.cmp(b)));
        entries.truncate(MOST);
        entries.sort_unstable();
        let trace = |j: usize| states.iter().map(|state| (state[j] - range(j).0) / spread(&j)).collect();
        let entries: Vec<_> = entries.into_iter().map(|j| (j, trace(j))).collect();
        (!entries.is_empty()).then_some(Self { entries, steps: states.len() })
    }

    /// Draws the traces between two heights and two sides of the canvas: all steps, or the steps around `now`, of which
    /// those up to `now` are in full colour.
    pub fn draw(&self, canvas: &mut Canvas, [top, bottom]: [f32; 2], [left, right]: [f32; 2], now: Option<usize>) {
        let from = left + 22.0;
        canvas.text([left, 0.5 * (top + bottom) + 4.0], 12.0, Anchor::Start, PALE, "z");
        let last = now.unwrap_or(self.steps - 1);
        let shown = if now.is_some() { self.steps.min(AROUND) } else { self.steps };
        let first = last.saturating_sub(shown / 2).min(self.steps - shown);
        let x = |t: usize| from + (right - from) * (t - first) as f32 / (shown.max(2) - 1) as f32;
        for (k, (_, trace)) in self.entries.iter().enumerate() {
            let points: Vec<_> = (first..first + shown).map(|t| [x(t), bottom - (bottom - top) * trace[t]]).collect();
            let [r, g, b, _] = COLOURS[k];
            canvas.line(&points[last - first..], 1.0, [r, g, b, 60]);
            canvas.line(&points[..=last - first], 1.5, COLOURS[k]);
        }
        if now.is_some() {
            canvas.line(&[[x(last), top - 4.0], [x(last), bottom + 4.0]], 1.0, PALE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The entries that vary most are drawn, in their order; a state that never changes is not.
    #[test]
    fn what_varies_is_drawn() {
        let state = |t: usize| (0..12).map(|j| if j % 2 == 0 { 1.0 } else { (j * t) as f32 }).collect::<Vec<f32>>();
        let states: Vec<_> = (0..5).map(state).collect();
        let traces = Traces::of(states.iter().map(|s| &s[..])).unwrap();
        let (entries, _): (Vec<usize>, Vec<_>) = traces.entries.iter().cloned().unzip();
        assert_eq!(entries, [1, 3, 5, 7, 9, 11]);
        assert_eq!(traces.entries[2].1, [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert!(Traces::of([[1.0f32; 3]; 4].iter().map(|s| &s[..])).is_none());
        assert!(Traces::of([[0.0f32; 0]; 4].iter().map(|s| &s[..])).is_none());
    }
}
