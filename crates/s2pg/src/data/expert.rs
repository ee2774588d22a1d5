//! Demonstrations in a replay buffer, so that batches of them are drawn and shown as the policy's own steps are.

use super::{Buffer, Demos, Replay, ReplayShape, Transition};
use crate::nn::Tensor;
use crate::policy::{Context, Memory, StatefulPolicy, WHOLE};
use crate::rng::Rng;

/// What a policy remembers in each of N steps: the state before the step and after it, and whether it ends a segment.
struct Remembered {
    state: Vec<f32>,
    next: Vec<f32>,
    closes: Vec<bool>,
}

impl Replay {
    /// Makes a buffer that holds the demonstrations `demos` and nothing else; `shape` says what is kept of a step, and
    /// its size and its number of environments are not read. The states of the memory are those of `policy`, which is
    /// shown the demonstrations once, all episodes side by side, each from a state of zeros. Panics where the
    /// demonstrations have no actions.
    pub fn of_demos(demos: &Demos, shape: ReplayShape, policy: &impl StatefulPolicy, rng: &mut Rng) -> Self {
        let (a, episodes) = (demos.a.as_ref().expect("a batch shows actions"), demos.episodes());
        let mut replay = Self::new(ReplayShape { size: demos.len() + episodes.len() + 1, envs: 1, ..shape });
        let remembered = remember(demos, a, policy, rng);
        let n = shape.memory.state();
        for k in 0..demos.len() {
            let row = |x: &'_ [f32], n: usize| x[k * n..(k + 1) * n].to_vec();
            let [n_o, n_s, n_a] = demos.sizes;
            let (o, next_o) = (row(&demos.o, n_o), row(&demos.next_o, n_o));
            let (s, next_s) = (row(&demos.s, n_s), row(&demos.next_s, n_s));
            let (state, next) = (row(&remembered.state, n), row(&remembered.next, n));
            let (z, h) = if shape.memory.z() > 0 { (&state[..], &[][..]) } else { (&[][..], &state[..]) };
            replay.push(&Transition {
                o: &o,
                s: &s,
                z,
                h,
                a: &row(a, n_a),
                z_next: if shape.memory.z() > 0 { &next } else { &[] },
                h_next: if shape.memory.z() > 0 { &[] } else { &next },
                r: &demos.r[k..=k],
                terminated: &demos.absorbing[k..=k],
                truncated: &[demos.last[k] && !demos.absorbing[k]],
                dropped: &[false],
                closes: remembered.closes.get(k..=k).unwrap_or_default(),
                next_o: &next_o,
                next_s: &next_s,
                ..Transition::default()
            });
        }
        replay.cut();
        replay
    }
}

/// Shows `policy` all episodes side by side, and returns what it remembers.
fn remember(demos: &Demos, a: &[f32], policy: &impl StatefulPolicy, rng: &mut Rng) -> Remembered {
    let (memory, [n_o, _, n_a], rows) = (policy.memory(), demos.sizes, demos.len());
    let n = memory.state();
    let mut all = Remembered { state: vec![0.0; rows * n], next: vec![0.0; rows * n], closes: Vec::new() };
    let episodes = demos.episodes();
    if let Some(len) = memory.segment() {
        all.closes = vec![false; rows];
        // The first segment of an episode has a random length, as in training.
        for episode in episodes.iter().filter(|_| len < WHOLE) {
            let first = episode.start + rng.below(len);
            (first..episode.end).step_by(len).for_each(|k| all.closes[k] = true);
        }
    }
    let longest = episodes.iter().map(std::ops::Range::len).max().unwrap_or(0);
    for t in 0..if n > 0 { longest } else { 0 } {
        let ks: Vec<usize> = episodes.iter().filter(|e| t < e.len()).map(|e| e.start + t).collect();
        let gather =
            |x: &[f32], n: usize| -> Vec<f32> { ks.iter().flat_map(|k| &x[k * n..(k + 1) * n]).copied().collect() };
        let tensor = |x: &[f32]| Tensor::new(ks.len(), x.len() / ks.len(), x);
        let a_prev = if t == 0 {
            vec![0.0; ks.len() * n_a]
        } else {
            ks.iter().flat_map(|k| &a[(k - 1) * n_a..k * n_a]).copied().collect()
        };
        let state = tensor(&gather(&all.state, n));
        let is_drawn = matches!(memory, Memory::Stochastic { .. } | Memory::Segments { .. });
        let dist = policy.dist(&Context {
            a_prev: Some(tensor(&a_prev)),
            z: is_drawn.then(|| state.clone()),
            h: (!is_drawn).then_some(state),
            drawn: memory.segment().map(|_| ks.iter().map(|&k| all.closes[k]).collect()),
            ..Context::of(tensor(&gather(&demos.o, n_o)))
        });
        let next = dist.sample(rng).z.or(dist.h).expect("a policy with a state has a next state");
        for (next, &k) in next.data().chunks_exact(n).zip(&ks) {
            all.next[k * n..(k + 1) * n].copy_from_slice(next);
            // The step after it in the same episode begins there.
            if !(demos.last[k] || demos.absorbing[k]) && k + 1 < rows {
                all.state[(k + 1) * n..(k + 2) * n].copy_from_slice(next);
            }
        }
    }
    all
}
