//! The states of a policy over time, a line for each entry.

use super::canvas::{Anchor, Canvas, Colour};
use super::chart::COLOURS;

/// The entries of a policy's state that vary most over an episode, in their own ranges.
pub(super) struct Traces {
    /// Of each entry that is drawn: its number in the state, and its value at each step, from 0 to 1.
    entries: Vec<(usize, Vec<f32>)>,
    steps: usize,
}

/// The most steps that are drawn around one.
const AROUND: usize = 120;
const PALE: Colour = [130, 136, 146, 255];

impl Traces {
    /// The traces of the states of one step after the other; None where there is no state, or none that ever changes.
    pub fn of<'a>(states: impl Iterator<Item = &'a [f32]>) -> Option<Self> {
        let states: Vec<&[f32]> = states.collect();
        let width = states.first()?.len();
        // Of each entry: its number, its least value, and how far its values spread.
        let range = |j: usize| {
            let column = states.iter().map(|state| state[j]);
            let ends = column.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
            (j, ends.0, ends.1 - ends.0)
        };
        let mut ranges: Vec<_> = (0..width).map(range).filter(|(_, _, x)| *x > 0.0 && x.is_finite()).collect();
        ranges.sort_by(|a, b| b.2.total_cmp(&a.2).then(a.0.cmp(&b.0)));
        ranges.truncate(COLOURS.len());
        ranges.sort_unstable_by_key(|(j, ..)| *j);
        let trace = |(j, low, spread)| (j, states.iter().map(|state| (state[j] - low) / spread).collect());
        let entries: Vec<(usize, Vec<f32>)> = ranges.into_iter().map(trace).collect();
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
            let [r, g, b] = COLOURS[k];
            canvas.line(&points[last - first..], 1.0, [r, g, b, 60]);
            canvas.line(&points[..=last - first], 1.5, [r, g, b, 255]);
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
