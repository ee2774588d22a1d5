//! A replay buffer keeps views as they were seen, and shows them under the statistics of now.

mod runs;

use std::collections::BTreeSet;

use runs::{experiment, pairs, registry, training};
use s2pg::data::{Buffer, Replay, ReplayShape, Transition};
use s2pg::nn::Standardiser;
use s2pg::policy::Memory;
use s2pg::run::Run;
use s2pg::run::checkpoint::differences;
use s2pg::state::Data;
use s2pg::{Rng, Visitor};

/// One raw view that was stored at different times is shown in one form in every batch, alone and in windows, as o and
/// as next o: that of the statistics of now. Where no observation is, zeros are.
#[test]
fn one_view_is_shown_under_one_normalisation() {
    let mut rng = Rng::new(0, "standardise");
    for memory in [Memory::None, Memory::Window { len: 3 }, Memory::Bptt { h: 1, len: 3 }] {
        let mut data = Replay::new(ReplayShape { size: 40, envs: 1, o: 2, s: 1, a: 1, memory, ..Default::default() });
        let [mut of_o, mut of_s] = [2, 1].map(Standardiser::new);
        for t in 0..30 {
            // Every third observation is one and the same, while the statistics move on.
            let view = |t: usize| if t.is_multiple_of(3) { [5.0f32, -3.0] } else { [t as f32, -(t as f32)] };
            let (o, next_o) = (view(t), view(t + 1));
            let h = if memory.h() > 0 { &[0.0f32][..] } else { &[] };
            data.push(&Transition {
                o: &o,
                s: &o[..1],
                a: &[0.0],
                h,
                h_next: h,
                r: &[0.0],
                terminated: &[t % 10 == 9],
                truncated: &[false],
                dropped: &[false],
                next_o: &next_o,
                next_s: &next_o[..1],
                ..Transition::default()
            });
            of_o.observe(&o);
            of_s.observe(&o[..1]);
            data.standardise(&of_o, &of_s);
            let now = |view: [f32; 2]| {
                let mut view = view;
                of_o.apply(&mut view);
                view
            };
            let all: BTreeSet<String> = (0..=t + 1).map(|t| format!("{:?}", now(view(t)))).collect();
            let zeros = format!("{:?}", [0.0f32; 2]);
            let rows = data.rows();
            for x in [data.context(&rows), data.next_context(&rows)] {
                for shown in x.o.data().chunks(2) {
                    let shown = format!("{shown:?}");
                    assert!(all.contains(&shown) || shown == zeros && memory != Memory::None, "{memory:?}: {shown}");
                }
                let s = x.s.unwrap();
                assert!(s.data().iter().all(|s| (0..=t + 1).any(|t| {
                    let mut one = [view(t)[0]];
                    of_s.apply(&mut one);
                    one[0] == *s
                })));
            }
            let of = data.context(&rows[rng.below(rows.len())..][..1]);
            assert_eq!(of.o.cols(), memory.window() * 2);
        }
    }
}

/// Collects the numbers of the items with these full names.
struct Items<'a> {
    names: &'a [&'a str],
    path: Vec<String>,
    found: Vec<Vec<f32>>,
}

impl Visitor for Items<'_> {
    fn item(&mut self, name: &str, data: Data<'_>) {
        let full = [&self.path[..], &[name.to_string()]].concat().join("/");
        if let (true, Data::F32(x)) = (self.names.contains(&full.as_str()), data) {
            self.found.push(x.to_vec());
        }
    }
    fn enter(&mut self, name: &str) {
        self.path.push(name.into());
    }
    fn leave(&mut self) {
        self.path.pop();
    }
}

/// With `standardise = true`, every off-policy algorithm with every memory keeps raw views: the few that the maze
/// shows, each once, and not a new form with every step. An on-policy algorithm keeps them standardised.
#[test]
fn a_replay_buffer_keeps_raw_views() {
    for pair in pairs() {
        let experiment = experiment(pair, "TMaze-v0", 2, 400, "standardise = true");
        let mut training = training(&experiment, 1);
        (0..80).for_each(|_| drop(training.step().unwrap()));
        let mut items = Items { names: &["buffer/o", "raw_o"], path: Vec::new(), found: Vec::new() };
        training.visit(&mut items);
        // The maze shows a sign, a flag, and the position in tenths.
        let is_whole = |x: &f32| (x * 10.0 - (x * 10.0).round()).abs() < 1e-5;
        if pair.0.is_off_policy() {
            assert_eq!(items.found.len(), 2, "{pair:?}");
            assert!(items.found.iter().flatten().all(is_whole), "{pair:?}: {:?}", items.found);
        } else {
            assert!(items.found.iter().all(|o| o.iter().any(|x| !is_whole(x))), "{pair:?}");
        }
        // What a player sees in an evaluation is standardised once.
        training.evaluate(1, true, "evaluation").unwrap();
    }
}

/// Stopped and resumed, a run that keeps raw views is the same run, to the bit.
#[test]
fn a_run_with_raw_views_resumes_to_the_bit() {
    for pair in pairs().into_iter().filter(|pair| pair.0.is_off_policy()) {
        let experiment = experiment(pair, "PendulumPOMDP-v1", 2, 400, "standardise = true");
        let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let open = |i: usize| Run::open(dirs[i].path(), &experiment, registry(), 1, 0.0).unwrap().0;
        let advance = |run: &mut Run, steps: usize| (0..steps).for_each(|_| drop(run.advance(0.0, 0.0).unwrap()));
        let (mut whole, mut half) = (open(0), open(1));
        advance(&mut whole, 70);
        advance(&mut half, 37);
        half.save().unwrap();
        drop(half);
        let mut half = open(1);
        advance(&mut half, 33);
        assert_eq!(differences(whole.training(), half.training()), [""; 0], "{pair:?}");
    }
}
