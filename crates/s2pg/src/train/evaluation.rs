//! How good a policy is: the last episodes of a training, and episodes that are run to evaluate a policy.

use super::player::Player;
use crate::env::{Env, EnvError, Episode, MakeEnv, VecEnv};
use crate::policy::StatefulPolicy;
use crate::rng::Rng;
use crate::state::{Data, State, Visitor};

/// The last hundred finished episodes of a training, whose mean return is the figure `rollout/ep_rew_mean`.
#[derive(Clone, Debug)]
pub struct RecentEpisodes {
    /// Names of the figures of an episode: return, length, and the environment's own figures.
    names: Vec<String>,
    /// The figures of the last episodes, [KEPT, names].
    rows: Vec<f64>,
    count: usize,
}

const KEPT: usize = 100;

impl RecentEpisodes {
    /// Makes the list of an environment whose figures have the names of `metrics`, with no episode yet.
    pub fn new(metrics: &[(&'static str, f64)]) -> Self {
        let own = ["rollout/ep_rew_mean", "rollout/ep_len_mean"].map(String::from);
        let names: Vec<String> = own.into_iter().chain(metrics.iter().map(|m| format!("rollout/{}", m.0))).collect();
        Self { rows: vec![0.0; KEPT * names.len()], names, count: 0 }
    }

    /// Adds one finished episode.
    pub fn add(&mut self, episode: &Episode) {
        let n = self.names.len();
        let row = &mut self.rows[self.count % KEPT * n..][..n];
        (row[0], row[1]) = (episode.r, episode.length as f64);
        row[2..].iter_mut().zip(&episode.metrics).for_each(|(x, m)| *x = m.1);
        self.count += 1;
    }

    /// Returns the number of all episodes that finished so far.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns the means of all figures over the last hundred episodes, by name; NaN before the first episode.
    pub fn means(&self) -> impl Iterator<Item = (&str, f64)> {
        let (n, rows) = (self.names.len(), self.count.min(KEPT));
        let mean = move |j: usize| (0..rows).map(|i| self.rows[i * n + j]).sum::<f64>() / rows as f64;
        self.names.iter().enumerate().map(move |(j, name)| (name.as_str(), mean(j)))
    }

    /// Returns the mean return of the last hundred episodes; None before the first episode.
    pub fn mean_return(&self) -> Option<f64> {
        self.means().next().map(|m| m.1).filter(|_| self.count > 0)
    }
}

impl State for RecentEpisodes {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { names: _, rows, count } = self;
        v.item("rows", Data::F64(rows));
        v.count("count", count);
    }
}

/// The episodes of an evaluation.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The episodes, in the order of their environments.
    pub episodes: Vec<Episode>,
}

impl Evaluation {
    /// Returns the mean of the figure `f` over the episodes.
    fn mean(&self, f: impl Fn(&Episode) -> f64) -> f64 {
        self.episodes.iter().map(f).sum::<f64>() / self.episodes.len() as f64
    }

    /// Returns the mean return of the episodes.
    pub fn mean_return(&self) -> f64 {
        self.mean(|e| e.r)
    }

    /// Returns the standard deviation of the return over the episodes.
    pub fn std_return(&self) -> f64 {
        let mean = self.mean_return();
        self.mean(|e| (e.r - mean).powi(2)).sqrt()
    }

    /// Returns the mean length of the episodes in steps.
    pub fn mean_length(&self) -> f64 {
        self.mean(|e| e.length as f64)
    }

    /// Returns the means of the environment's figures over the episodes, by name.
    pub fn metrics(&self) -> Vec<(&'static str, f64)> {
        let names = self.episodes.first().map_or(&[][..], |e| &e.metrics);
        names.iter().enumerate().map(|(i, (name, _))| (*name, self.mean(|e| e.metrics[i].1))).collect()
    }
}

/// Runs one whole episode of the player `policy` in each of `episodes` new environments, side by side, so that slow
/// episodes are not drawn less often than quick ones. The actions are the means of the policy's distributions where
/// `means` is true, else they are drawn. Every random number comes from `rng`; the results are the same on any number
/// of `threads`.
pub fn evaluate<P: StatefulPolicy>(
    policy: &Player<P>,
    make_env: &MakeEnv,
    (episodes, threads): (usize, usize),
    means: bool,
    rng: &mut Rng,
) -> Result<Evaluation, EnvError> {
    let envs = (0..episodes).map(|_| make_env()).collect::<Result<Vec<_>, _>>()?;
    let mut env = VecEnv::new(envs, rng.bits(), threads);
    env.reset_all()?;
    let mut player = policy.for_envs(episodes);
    let (mut o, mut s) = (env.o().to_vec(), env.s().to_vec());
    let mut results = vec![None; episodes];
    while results.iter().any(Option::is_none) {
        let a = player.act(&mut o, &mut s, (!means).then_some(&mut *rng));
        let step = env.step(&a)?;
        (0..episodes).filter(|&e| step.terminated[e] || step.truncated[e]).for_each(|e| player.reset(e));
        for episode in &step.episodes {
            results[episode.env].get_or_insert_with(|| episode.clone());
        }
        o.copy_from_slice(&step.o);
        s.copy_from_slice(&step.s);
    }
    Ok(Evaluation { episodes: results.into_iter().flatten().collect() })
}

/// Runs one deterministic episode of the player `policy` in `env`, whose random numbers come from `rng`. `see` is shown
/// every state and the return so far; the episode stops early where `see` returns false.
pub fn watch<P: StatefulPolicy>(
    policy: &Player<P>,
    env: &mut dyn Env,
    rng: &mut Rng,
    see: &mut dyn FnMut(&dyn Env, f64) -> bool,
) -> Result<(), EnvError> {
    env.reset(rng)?;
    let mut player = policy.for_envs(1);
    let (mut o, mut s) = (vec![0.0; env.spec().o.len()], vec![0.0; env.spec().s.len()]);
    let mut r = 0.0;
    while see(env, r) {
        env.observe(&mut o, &mut s);
        let a = player.act(&mut o, &mut s, None);
        let outcome = env.step(&a, rng)?;
        r += outcome.r;
        if outcome.terminated || outcome.truncated {
            see(env, r);
            break;
        }
    }
    Ok(())
}
