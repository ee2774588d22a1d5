//! No window of a rollout crosses an episode, and nothing of a replay buffer crosses an episode or the seam of its
//! ring: 100,000 random cases of either, `S2PG_CASES` for another number.

use s2pg::Rng;
use s2pg::algo::gae::gae;
use s2pg::data::{Buffer, Replay, ReplayShape, Rollout, RolloutShape, Transition};
use s2pg::policy::{Context, Memory, WHOLE};

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
    let shape = RolloutShape { steps, envs, o: 1, a: 1, memory, a_prev: true, ..RolloutShape::default() };
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
            a_prev: &each(&before),
            h: if h { &hidden } else { &[] },
            a: &each(&number),
            h_next: if h { &next_hidden } else { &[] },
            r: &vec![0.0; envs],
            terminated: &terminated,
            truncated: &truncated,
            dropped: &dropped,
            next_o: &each(&|e, t| number(e, t + 1)),
            ..Transition::default()
        });
        for (e, (episode, step)) in now.iter_mut().enumerate() {
            rows.push(Row { episode: *episode, step: *step, dropped: dropped[e] });
            *step += 1;
            if terminated[e] || truncated[e] {
                (*episode, *step) = (episodes, 0);
                episodes += 1;
            }
        }
        // Sometimes the loop abandons all episodes.
        if rng.below(20) == 0 {
            data.cut();
            for now in &mut now {
                *now = (episodes, 0);
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
    let (mut whole, mut short) = (0, 0);
    for _ in 0..cases() / 2 {
        let len = 1 + rng.below(6);
        let (data, rows) = random(&mut rng, Memory::Window { len });
        let (kept, envs) = (data.rows(), data.shape().envs);
        assert!(kept.iter().all(|&k| !rows[k].dropped));
        for (x, after) in [(data.context(&kept), 0), (data.next_context(&kept), 1)] {
            for (&k, window) in kept.iter().zip(x.o.data().chunks(len)) {
                let mut own = expected(&rows, envs, k, len, after);
                whole += usize::from(len > 1 && own.len() == len);
                short += usize::from(own.len() < len);
                own.resize(len, 0.0);
                assert_eq!(window, own, "row {k} of {rows:?}");
            }
        }
    }
    assert!(whole.min(short) > cases(), "{whole} whole windows, {short} that an episode's start cut");
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
        let (data, rows) = random(&mut rng, Memory::Bptt { h: 1, len: WHOLE });
        let mut all: Vec<usize> = Vec::new();
        for chain in data.minibatches(4, &mut rng) {
            let next = |k: usize| Row { step: rows[k].step + 1, ..rows[k] };
            assert!(chain.windows(2).all(|k| rows[k[1]] == next(k[0])));
            let last = *chain.last().unwrap();
            assert!(data.is_end(last) && !rows.contains(&next(last)), "{chain:?} of {rows:?}");
            all.extend(chain);
        }
        all.sort_unstable();
        assert_eq!(all, data.rows());
    }
}

/// A rollout that is cut after its third of six steps, in which one environment had ended by itself; and its
/// observations as numbers.
fn cut(memory: Memory, join_first_windows: bool) -> Rollout {
    let shape =
        RolloutShape { steps: 6, envs: 2, o: 1, a: 1, memory, a_prev: true, join_first_windows, ..Default::default() };
    let mut data = Rollout::new(shape);
    data.cut();
    for t in 0..6 {
        let [now, next] = [t, t + 1].map(|t| [t as f32, 10.0 + t as f32]);
        let (h, h_next) = if memory.h() > 0 { (&now[..], &next[..]) } else { (&[][..], &[][..]) };
        data.push(&Transition {
            o: &now,
            a_prev: &now,
            h,
            a: &now,
            h_next,
            r: &[1.0; 2],
            terminated: &[false, t == 2],
            truncated: &[false; 2],
            dropped: &[false; 2],
            // What is seen next belongs to another episode where the rollout is cut.
            next_o: &if t == 2 { [100.0; 2] } else { next },
            ..Transition::default()
        });
        if t == 2 {
            data.cut();
        }
    }
    data
}

/// Where an evaluation abandons the episodes inside a rollout, the value of the next context is that of what was truly
/// seen next, and not of the new episode; a task that ended there has still ended; windows and chains stop there.
#[test]
fn an_abandoned_row_is_not_followed_by_the_new_episode() {
    let data = cut(Memory::Window { len: 3 }, false);
    let ends: Vec<usize> = (0..12).filter(|&k| data.is_end(k)).collect();
    assert_eq!(ends, [4, 5, 10, 11]);
    assert!(!data.next_is_row(4) && !data.terminated(4) && data.terminated(5));
    assert_eq!(data.next_context(&[4]).o.data(), [1.0, 2.0, 100.0]);
    assert_eq!(data.context(&[6, 8]).o.data(), [3.0, 0.0, 0.0, 3.0, 4.0, 0.0]);
    let v: Vec<f64> = (0..12).map(f64::from).collect();
    let all = gae(&data, &v, &[50.0; 12], 0.5, 0.5);
    assert_eq!(all.advantages[4..6], [1.0 + 0.5 * 50.0 - 4.0, 1.0 - 5.0]);
    let chains = cut(Memory::Bptt { h: 1, len: WHOLE }, false).groups(100);
    assert_eq!(chains, [vec![0, 2, 4], vec![6, 8, 10], vec![1, 3, 5], vec![7, 9, 11]]);
}

/// What a policy is shown that is trained through whole episodes never reaches over their ends, with
/// `join_first_windows` neither, by which windows that reach the first row do.
#[test]
fn whole_episodes_are_not_joined() {
    let shown = |len, join| cut(Memory::Bptt { h: 1, len }, join).next_context(&[8]);
    for join in [false, true] {
        let x = shown(WHOLE, join);
        assert_eq!((x.o.data(), x.lengths), (&[3.0, 4.0, 5.0][..], Some(vec![3])));
    }
    let x = shown(20, true);
    assert_eq!((x.o.data(), x.lengths), (&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0][..], Some(vec![6])));
}

/// A replay buffer of random episodes, wrapped around or not, and what each step was: its environment, in the order of
/// time, and whether a step was dropped behind it.
fn random_replay(rng: &mut Rng, memory: Memory) -> (Replay, Vec<Vec<Row>>) {
    let (steps, envs) = (1 + rng.below(30), 1 + rng.below(3));
    let size = envs * (2 + rng.below(12));
    let mut data = Replay::new(ReplayShape { size, envs, o: 1, s: 1, a: 1, memory, ..ReplayShape::default() });
    let mut rows = vec![Vec::new(); envs];
    let mut now: Vec<(usize, usize)> = (0..envs).map(|e| (e, 0)).collect();
    let mut episodes = envs;
    for _ in 0..steps {
        let dropped: Vec<bool> = (0..envs).map(|_| rng.below(12) == 0).collect();
        let terminated: Vec<bool> = (0..envs).map(|e| !dropped[e] && rng.below(5) == 0).collect();
        let truncated: Vec<bool> = (0..envs).map(|e| dropped[e] || (!terminated[e] && rng.below(5) == 0)).collect();
        let each = |f: &dyn Fn(usize, usize) -> f32| now.iter().map(|&(e, t)| f(e, t)).collect::<Vec<f32>>();
        let (o, next_o) = (each(&number), each(&|e, t| number(e, t + 1)));
        let (state, next_state) = (each(&|e, t| -number(e, t)), each(&|e, t| -number(e, t + 1)));
        let some = |is: bool| if is { (&state[..], &next_state[..]) } else { (&[][..], &[][..]) };
        let z = some(matches!(memory, Memory::Stochastic { .. }));
        let h = some(matches!(memory, Memory::Bptt { .. }));
        data.push(&Transition {
            o: &o,
            s: &state,
            z: z.0,
            h: h.0,
            a: &o,
            z_next: z.1,
            h_next: h.1,
            r: &o.iter().map(|&x| f64::from(x)).collect::<Vec<_>>(),
            terminated: &terminated,
            truncated: &truncated,
            dropped: &dropped,
            next_o: &next_o,
            next_s: &next_state,
            ..Transition::default()
        });
        for (e, (episode, step)) in now.iter_mut().enumerate() {
            if !dropped[e] {
                rows[e].push(Row { episode: *episode, step: *step, dropped: terminated[e] });
            }
            *step += 1;
            if terminated[e] || truncated[e] {
                (*episode, *step) = (episodes, 0);
                episodes += 1;
            }
        }
        // Sometimes the loop abandons all episodes.
        if rng.below(20) == 0 {
            data.cut();
            for now in &mut now {
                *now = (episodes, 0);
                episodes += 1;
            }
        }
    }
    (data, rows)
}

/// What the numbers of a step say: its episode and step.
fn identity(x: f32) -> (usize, usize) {
    let n = x.abs() as usize - 1;
    (n / 100, n % 100)
}

/// Each row of a replay buffer is a step that was taken, one of the newest of its environment; its next context is the
/// true one, its previous action and windows are of its own episode, as far back as the ring reaches.
#[test]
fn nothing_of_a_replay_buffer_crosses_an_episode_or_the_seam() {
    let mut rng = Rng::new(3, "replay");
    let mut wrapped = 0;
    for case in 0..cases() {
        let len = 1 + rng.below(6);
        let (window, history) = (Memory::Window { len }, Memory::History { len });
        let memory = [Memory::None, Memory::Stochastic { z: 1 }, window, history, Memory::Bptt { h: 1, len }][case % 5];
        let (data, taken) = random_replay(&mut rng, memory);
        let kept = data.rows();
        assert!(kept.len() <= data.stored(), "what can be drawn is stored");
        assert!(data.stored() <= taken.iter().map(Vec::len).sum());
        let steps: Vec<(usize, usize)> = kept.iter().map(|&k| identity(data.extended(&[k]).a.item())).collect();
        // The rows are the newest steps, in order: all but the first whose previous action is lost with the oldest.
        let mut all = steps.iter();
        for of in &taken {
            let own: Vec<_> = all.clone().filter(|step| of.iter().any(|r| (r.episode, r.step) == **step)).collect();
            let newest = &of[of.len() - own.len()..];
            assert!(own.iter().zip(newest).all(|(step, r)| **step == (r.episode, r.step)), "{steps:?} of {taken:?}");
            wrapped += usize::from(own.len() < of.len());
            all = all.as_slice()[own.len()..].iter();
        }
        if kept.is_empty() {
            continue;
        }
        for (i, &k) in kept.iter().enumerate() {
            let (episode, step) = steps[i];
            let of = taken.iter().flatten().find(|r| (r.episode, r.step) == (episode, step)).unwrap();
            assert_eq!(data.terminated(k), of.dropped);
            assert_eq!(data.r(k), number(episode, step));
            let (x, next) = (data.context(&[k]), data.next_context(&[k]));
            assert_eq!(x.s.unwrap().item(), -number(episode, step));
            assert_eq!(next.s.unwrap().item(), -number(episode, step + 1), "the true next state");
            // How far back the ring reaches within the episode.
            let back = (0..=step).rev().take_while(|&t| steps.contains(&(episode, t))).count();
            for (x, at, back) in [(data.context(&[k]), step, back), (data.next_context(&[k]), step + 1, back + 1)] {
                match memory {
                    Memory::None => assert_eq!(x.o.item(), number(episode, at)),
                    Memory::Segments { .. } => unreachable!("segments have tests of their own"),
                    Memory::Stochastic { .. } => {
                        assert_eq!((x.o.item(), x.z.unwrap().item()), (number(episode, at), -number(episode, at)));
                        let before = if at == 0 { 0.0 } else { number(episode, at - 1) };
                        assert_eq!(x.a_prev.unwrap().item(), before, "the action before");
                    }
                    Memory::Window { len } | Memory::History { len } => {
                        let n = len.min(back);
                        let shown = |x: &[f32], of: &dyn Fn(usize) -> f32| {
                            assert_eq!(&x[..n], (at + 1 - n..=at).map(of).collect::<Vec<f32>>());
                            assert!(x[n..].iter().all(|&x| x == 0.0), "zeros behind");
                        };
                        shown(x.o.data(), &|t| number(episode, t));
                        assert_eq!(x.a_prev.is_some(), memory == history);
                        if let Some(a_prev) = x.a_prev {
                            shown(a_prev.data(), &|t| if t == 0 { 0.0 } else { number(episode, t - 1) });
                        }
                    }
                    Memory::Bptt { len, .. } => {
                        let n = len.min(back);
                        assert_eq!(x.lengths, Some(vec![n]));
                        let own: Vec<f32> = (at + 1 - n..=at).map(|t| number(episode, t)).collect();
                        assert_eq!(x.o.data(), own);
                        assert_eq!(x.h.unwrap().item(), -own[0], "the state before the first step");
                        let first = at + 1 - n;
                        let before: Vec<f32> =
                            (first..=at).map(|t| if t == 0 { 0.0 } else { number(episode, t - 1) }).collect();
                        assert_eq!(x.a_prev.unwrap().data(), before);
                    }
                }
            }
        }
    }
    assert!(wrapped > cases() / 10, "{wrapped} rings had wrapped around");
}

/// A refreshed z' is the z of the next step of its own episode, and nothing else changes; where rows repeat, the later
/// one holds; half a refresh is half of the way.
#[test]
fn a_refresh_stays_in_its_episode() {
    let mut rng = Rng::new(4, "refresh");
    for _ in 0..cases() / 4 {
        let (mut data, _) = random_replay(&mut rng, Memory::Stochastic { z: 1 });
        let kept = data.rows();
        if kept.is_empty() {
            continue;
        }
        let z = |data: &Replay| {
            let [x, next] = [data.context(&kept), data.next_context(&kept)].map(|x| x.z.unwrap().data().to_vec());
            (x, next)
        };
        let rest = |data: &Replay| {
            let (x, next) = (data.context(&kept), data.next_context(&kept));
            let tensors = [x.o, x.s.unwrap(), x.a_prev.unwrap(), data.extended(&kept).a, next.o, next.s.unwrap()];
            (
                data.rows(),
                kept.iter().map(|&k| (data.r(k), data.terminated(k))).collect::<Vec<_>>(),
                tensors.map(|x| x.data().to_vec()),
            )
        };
        let others = rest(&data);
        let (before, next_before) = z(&data);
        let rows: Vec<usize> = (0..1 + rng.below(5)).map(|_| kept[rng.below(kept.len())]).collect();
        let tau = [1.0, 0.5][rng.below(2)];
        let fresh: Vec<f32> = (0..rows.len()).map(|i| 10_000.0 + i as f32).collect();
        let mut expected = next_before.clone();
        for (&k, &fresh) in rows.iter().zip(&fresh) {
            let i = kept.iter().position(|&other| other == k).unwrap();
            expected[i] = tau as f32 * fresh + (1.0 - tau as f32) * expected[i];
        }
        data.refresh(&rows, &fresh, tau);
        let (after, next_after) = z(&data);
        assert_eq!(next_after, expected);
        for (i, (&z, &old)) in after.iter().zip(&before).enumerate() {
            // The same frame is the next of the step before it, if that is of the same episode.
            let (episode, step) = identity(old);
            let previous = next_before.iter().position(|&z| step > 0 && identity(z) == (episode, step));
            assert_eq!(z, previous.map_or(old, |j| expected[j]), "row {i}");
        }
        assert!(rest(&data) == others, "nothing else changes");
    }
}

/// Draws are uniform over what can be drawn.
#[test]
fn draws_are_uniform() {
    let mut rng = Rng::new(5, "draws");
    let (mut data, _) = random_replay(&mut rng, Memory::None);
    let kept = data.rows();
    assert!(kept.len() > 5, "{} rows", kept.len());
    let drawn = data.sample(2000 * kept.len(), &mut rng);
    assert_eq!(drawn.len(), 2000 * kept.len());
    for k in kept {
        let count = drawn.iter().filter(|&&d| d == k).count() as f64;
        assert!((count - 2000.0).abs() < 5.0 * 2000f64.sqrt(), "five deviations: row {k} was drawn {count} times");
    }
}
