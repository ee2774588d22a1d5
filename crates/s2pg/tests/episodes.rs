//! No window of a rollout crosses an episode: 100,000 random rollouts, `S2PG_CASES` for another number.

use s2pg::Rng;
use s2pg::data::{Buffer, Rollout, RolloutShape, Transition};
use s2pg::policy::{Context, Memory};

/// What row k is: its episode, and its step in it; the observation, action and state of the row are made of them.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Row {
    episode: usize,
    step: usize,
    dropped: bool,
}

fn number(episode: usize, step: usize) -> f32 {
    (episode * 100 + step + 1) as f32
}

/// A rollout of random episodes, some of which go on beyond it, and what its rows are.
fn random(rng: &mut Rng, memory: Memory) -> (Rollout, Vec<Row>) {
    let (steps, envs) = (1 + rng.below(14), 1 + rng.below(3));
    let shape = RolloutShape {
        steps,
        envs,
        o: 1,
        s: 0,
        a: 1,
        memory,
        a_prev: true,
        align_next_windows: true,
        split_first_windows: true,
    };
    let mut data = Rollout::new(shape);
    let mut rows = Vec::new();
    let mut now: Vec<(usize, usize)> = (0..envs).map(|e| (e, rng.below(3))).collect();
    let mut episodes = envs;
    for _ in 0..steps {
        let dropped: Vec<bool> = (0..envs).map(|_| rng.below(12) == 0).collect();
        let terminated: Vec<bool> = (0..envs).map(|e| !dropped[e] && rng.below(5) == 0).collect();
        let truncated: Vec<bool> = (0..envs).map(|e| dropped[e] || (!terminated[e] && rng.below(5) == 0)).collect();
        let each = |f: &dyn Fn(usize, usize) -> f32| now.iter().map(|&(e, t)| f(e, t)).collect::<Vec<f32>>();
        let before = |e, t: usize| if t == 0 { 0.0 } else { number(e, t - 1) };
        let h = matches!(memory, Memory::Bptt { .. });
        let (hidden, next_hidden) = (each(&|e, t| -number(e, t)), each(&|e, t| -number(e, t + 1)));
        data.push(&Transition {
            o: &each(&number),
            s: &[],
            a_prev: &each(&before),
            z: &[],
            h: if h { &hidden } else { &[] },
            a: &each(&number),
            z_next: &[],
            h_next: if h { &next_hidden } else { &[] },
            r: &vec![0.0; envs],
            terminated: &terminated,
            truncated: &truncated,
            dropped: &dropped,
            next_o: &each(&|e, t| number(e, t + 1)),
            next_s: &[],
        });
        for (e, (episode, step)) in now.iter_mut().enumerate() {
            rows.push(Row { episode: *episode, step: *step, dropped: dropped[e] });
            *step += 1;
            if terminated[e] || truncated[e] {
                (*episode, *step) = (episodes, 0);
                episodes += 1;
            }
        }
    }
    (data, rows)
}

/// The steps of the window that ends `after` steps behind row k: of its episode, in this rollout, at most `len`.
fn expected(rows: &[Row], envs: usize, k: usize, len: usize, after: usize) -> Vec<f32> {
    let own = (0..=k / envs).map(|t| rows[t * envs + k % envs]).filter(|r| r.episode == rows[k].episode);
    let mut steps: Vec<usize> = own.map(|r| r.step).collect();
    steps.extend((0..after).map(|i| rows[k].step + 1 + i));
    steps[steps.len().saturating_sub(len)..].iter().map(|&t| number(rows[k].episode, t)).collect()
}

fn cases() -> usize {
    std::env::var("S2PG_CASES").map_or(100_000, |n| n.parse().expect("S2PG_CASES is a number"))
}

/// Windows side by side are the last observations of the row's own episode, oldest first, with zeros behind.
#[test]
fn no_window_crosses_an_episode() {
    let mut rng = Rng::new(0, "windows");
    for _ in 0..cases() / 2 {
        let len = 1 + rng.below(6);
        let (data, rows) = random(&mut rng, Memory::Window { len });
        let (kept, envs) = (data.rows(), data.shape().envs);
        assert!(kept.iter().all(|&k| !rows[k].dropped));
        for (x, after) in [(data.context(&kept), 0), (data.next_context(&kept), 1)] {
            for (&k, window) in kept.iter().zip(x.o.data().chunks(len)) {
                let mut own = expected(&rows, envs, k, len, after);
                own.resize(len, 0.0);
                assert_eq!(window, own, "row {k} of {rows:?}");
            }
        }
    }
}

/// Windows of steps are the same, with zeros in front, the actions before each step, and the state before the first.
#[test]
fn no_gradient_crosses_an_episode() {
    let mut rng = Rng::new(1, "windows");
    for _ in 0..cases() / 2 {
        let len = 1 + rng.below(6);
        let (data, rows) = random(&mut rng, Memory::Bptt { h: 1, len });
        let (kept, envs) = (data.rows(), data.shape().envs);
        if kept.is_empty() {
            continue;
        }
        for (x, after) in [(data.context(&kept), 0), (data.next_context(&kept), 1)] {
            let Context { o, a_prev, h, lengths, .. } = &x;
            let (steps, lengths) = (x.steps(), lengths.as_ref().unwrap());
            for (i, &k) in kept.iter().enumerate() {
                let own = expected(&rows, envs, k, len, after);
                assert_eq!(lengths[i], own.len());
                assert_eq!(h.as_ref().unwrap().data()[i], -own[0], "the state before the first step");
                for t in 0..steps {
                    let (o, a) = (o.data()[t * kept.len() + i], a_prev.as_ref().unwrap().data()[t * kept.len() + i]);
                    match (t + own.len()).checked_sub(steps) {
                        None => assert_eq!((o, a), (0.0, 0.0)),
                        Some(j) => {
                            assert_eq!(o, own[j], "row {k} of {rows:?}");
                            let first = own[j] == number(rows[k].episode, 0);
                            assert_eq!(a, if first { 0.0 } else { own[j] - 1.0 }, "the action before");
                        }
                    }
                }
            }
        }
    }
}

/// Groups for training through whole episodes hold each row once, in order, and one chain each.
#[test]
fn chains_are_episodes() {
    let mut rng = Rng::new(2, "windows");
    for _ in 0..cases() / 10 {
        let (data, rows) = random(&mut rng, Memory::Bptt { h: 1, len: s2pg::policy::WHOLE });
        let mut all: Vec<usize> = Vec::new();
        for chain in data.minibatches(4, &mut rng) {
            assert!(chain.windows(2).all(|k| rows[k[1]] == Row { step: rows[k[0]].step + 1, ..rows[k[0]] }));
            assert!(data.is_end(*chain.last().unwrap()));
            all.extend(chain);
        }
        all.sort_unstable();
        assert_eq!(all, data.rows());
    }
}
