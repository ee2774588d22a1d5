//! A buffer of whole episodes holds whole episodes of one policy: 20,000 random cases, `S2PG_CASES` for another number.

use s2pg::Rng;
use s2pg::algo::{Algorithm, Reinforce, reinforce};
use s2pg::data::{Buffer, Episodes, RolloutShape, Transition};
use s2pg::nn::{CellKind, Params};
use s2pg::policy::{Actor, ActorShape, CoreShape, Head, Memory, PolicyKind, WHOLE};

const LONGEST: usize = 6;

fn shape(envs: usize, memory: Memory) -> RolloutShape {
    let a_prev = memory != Memory::None;
    RolloutShape { steps: LONGEST, envs, o: 1, a: 1, memory, a_prev, ..RolloutShape::default() }
}

/// Environments whose episodes have random lengths; the observation of a step is made of its episode's number and its
/// place in it.
struct World {
    /// The running episode of each environment, and how many steps it had.
    now: Vec<(usize, usize)>,
    /// Of each episode: its environment, its length if it ended whole, and the policy of its first step.
    episodes: Vec<(usize, Option<usize>, usize)>,
    policy: usize,
}

impl World {
    fn new(envs: usize) -> Self {
        let episodes = (0..envs).map(|e| (e, None, 0)).collect();
        Self { now: (0..envs).map(|e| (e, 0)).collect(), episodes, policy: 0 }
    }

    /// One step of all; an episode ends, one way or another, or fails.
    fn step(&mut self, data: &mut Episodes, memory: Memory, rng: &mut Rng) {
        let n = self.now.len();
        let last: Vec<bool> = self.now.iter().map(|now| now.1 + 1 == LONGEST || rng.below(4) == 0).collect();
        let dropped: Vec<bool> = (0..n).map(|_| rng.below(15) == 0).collect();
        let terminated: Vec<bool> = (0..n).map(|e| last[e] && !dropped[e] && rng.below(2) == 0).collect();
        let truncated: Vec<bool> = (0..n).map(|e| dropped[e] || (last[e] && !terminated[e])).collect();
        let o: Vec<f32> = self.now.iter().map(|&(episode, step)| (episode * 100 + step) as f32).collect();
        let h: &[f32] = if matches!(memory, Memory::Bptt { .. }) { &o } else { &[] };
        let a: Vec<f32> = (0..n).map(|_| rng.normal() as f32).collect();
        data.push(&Transition {
            o: &o,
            a_prev: &o,
            h,
            a: &a,
            h_next: h,
            r: &o.iter().map(|&o| f64::from(o)).collect::<Vec<f64>>(),
            terminated: &terminated,
            truncated: &truncated,
            dropped: &dropped,
            next_o: &o,
            ..Transition::default()
        });
        for e in 0..n {
            if self.now[e].1 == 0 {
                self.episodes[self.now[e].0].2 = self.policy;
            }
            self.now[e].1 += 1;
            if dropped[e] || last[e] {
                let (episode, steps) = self.now[e];
                self.episodes[episode].1 = (!dropped[e]).then_some(steps);
                self.begin(e);
            }
        }
    }

    fn begin(&mut self, e: usize) {
        self.now[e] = (self.episodes.len(), 0);
        self.episodes.push((e, None, self.policy));
    }

    /// All running episodes are abandoned.
    fn restart(&mut self, data: &mut Episodes) {
        data.cut();
        (0..self.now.len()).for_each(|e| self.begin(e));
    }
}

/// Whatever happens to other episodes, each one in a full buffer is there from its first step to its last, in order, of
/// one environment, and began after the last update; every environment gave its first ones, and as many as the others.
/// The rewards are those of the same steps.
#[test]
fn a_full_buffer_holds_whole_episodes_of_one_policy() {
    let cases = std::env::var("S2PG_CASES").map_or(20_000, |n| n.parse().unwrap());
    let mut rng = Rng::new(0, "whole_episodes");
    let mut found = 0;
    while found < cases {
        let (envs, share) = (1 + rng.below(3), 1 + rng.below(3));
        let mut data = Episodes::new(share, shape(envs, Memory::None));
        let mut world = World::new(envs);
        for policy in 0..4 {
            world.policy = policy;
            let mut first = vec![Vec::new(); envs];
            while !data.is_full() {
                if rng.below(30) == 0 {
                    world.restart(&mut data);
                }
                world.step(&mut data, Memory::None, &mut rng);
            }
            for (i, &(e, length, began)) in world.episodes.iter().enumerate() {
                if length.is_some() && began == policy && first[e].len() < share {
                    first[e].push(i);
                }
            }
            let (episodes, first) = (data.episodes(), first.concat());
            let mut steps = 0;
            assert_eq!(episodes.len(), first.len());
            for ((rollout, rows), episode) in episodes.iter().zip(first) {
                let o = rollout.context(rows).o;
                let expected: Vec<f32> =
                    (0..world.episodes[episode].1.unwrap()).map(|t| (episode * 100 + t) as f32).collect();
                assert_eq!(o.data(), expected);
                assert!(rows.iter().zip(&expected).all(|(&k, &o)| rollout.r()[k] == f64::from(o)));
                steps += rows.len();
            }
            assert_eq!((episodes.len(), steps), (share * envs, data.stored()));
            found += episodes.len();
            data.clear();
            assert_eq!((data.stored(), data.is_full()), (0, false));
        }
    }
    println!("{found} episodes whole");
}

/// A row that is trained through its whole episode is shown behind all rows of the episode before it, and no others.
#[test]
fn a_whole_episode_is_shown_from_its_start() {
    let mut rng = Rng::new(1, "shown");
    let memory = Memory::Bptt { h: 1, len: WHOLE };
    let mut data = Episodes::new(50, shape(2, memory));
    let mut world = World::new(2);
    while !data.is_full() {
        world.step(&mut data, memory, &mut rng);
    }
    let episodes = data.episodes();
    assert_eq!((episodes.len(), episodes.iter().map(|episode| episode.1.len()).max()), (100, Some(LONGEST)));
    for (rollout, rows) in episodes {
        for t in 0..rows.len() {
            assert_eq!(rollout.shown(&rows[t..=t], 2), [(rows[..=t].to_vec(), 1)]);
        }
        assert_eq!(rollout.shown(&rows, 2), [(rows.clone(), rows.len())]);
    }
    let plain = Episodes::new(1, shape(1, Memory::None));
    assert!(plain.episodes().is_empty());
}

/// The score of an episode is the sum of its steps' scores, for every memory: what is shown together changes nothing.
#[test]
fn scores_add_up() {
    let kinds = [
        Memory::None,
        Memory::Window { len: 3 },
        Memory::Bptt { h: 4, len: 3 },
        Memory::Bptt { h: 4, len: WHOLE },
        Memory::Stochastic { z: 4 },
    ];
    for memory in kinds {
        let mut rng = Rng::new(2, "scores");
        let head = Head::Gaussian { std: 0.5, state_std: 0.5 };
        let shape = ActorShape {
            o: 1,
            a: 1,
            a_prev: 1,
            features: 5,
            core: CoreShape::cell(CellKind::Gru, 4),
            kind: PolicyKind::Shortcut,
            head,
        };
        let mut policy = Actor::new(memory, &shape, &mut rng);
        policy.params_mut().data_mut().iter_mut().for_each(|x| *x += 0.3 * rng.normal() as f32);
        let mut data = Episodes::new(2, self::shape(1, memory));
        let mut a_prev = 0.0;
        let mut state = vec![0.0; 4];
        for t in 0..12 {
            let (z, h) = match memory {
                Memory::Stochastic { .. } | Memory::Segments { .. } => (&state[..], &[][..]),
                Memory::Bptt { .. } => (&[][..], &state[..]),
                Memory::None | Memory::Window { .. } | Memory::History { .. } => (&[][..], &[][..]),
            };
            let next: Vec<f32> = (0..4).map(|_| 0.5 * rng.normal() as f32).collect();
            let (a, o) = (rng.normal() as f32, rng.normal() as f32);
            data.push(&Transition {
                o: &[o],
                a_prev: &[a_prev],
                z,
                h,
                a: &[a],
                z_next: if z.is_empty() { &[] } else { &next },
                h_next: if h.is_empty() { &[] } else { &next },
                r: &[1.0],
                terminated: &[false],
                truncated: &[t % 6 == 5],
                dropped: &[false],
                next_o: &[0.0],
                ..Transition::default()
            });
            (a_prev, state) = if t % 6 == 5 { (0.0, vec![0.0; 4]) } else { (a, next) };
        }
        let reinforce = Reinforce::new(policy, reinforce::Settings::default());
        let episodes = data.episodes();
        assert_eq!(episodes.iter().map(|episode| episode.1.len()).collect::<Vec<_>>(), [6, 6]);
        for (rollout, rows) in episodes {
            let whole = reinforce.score(rollout, &rows);
            let mut sum = vec![0.0; whole.len()];
            for &k in &rows {
                sum.iter_mut().zip(reinforce.score(rollout, &[k])).for_each(|(sum, x)| *sum += x);
            }
            let largest = whole.iter().fold(0.0f64, |a, g| a.max(g.abs()));
            assert!(largest > 0.1, "{memory:?}");
            for (sum, whole) in sum.iter().zip(&whole) {
                assert!((sum - whole).abs() < 1e-5 * largest, "{memory:?}: {sum} is not {whole}");
            }
        }
        assert_eq!(reinforce.schedule(), s2pg::algo::Schedule::Episodes);
    }
}
