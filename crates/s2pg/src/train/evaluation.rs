//! How good a policy is: the last episodes of a training, and episodes that are run to evaluate a policy.

use super::player::Player;
use crate::env::{Env, EnvError, EnvSpec, Episode, Guard, MakeEnv, VecEnv};
use crate::plan::{Budget, acting_bytes};
use crate::policy::{Memory, StatefulPolicy};
use crate::rng::Rng;
use crate::state::{State, Visitor};

/// Names under which tables hold other columns, so that no figure of an environment can have them.
const TAKEN: [&str; 7] =
    ["ep_rew_mean", "ep_len_mean", "episodes", "unstable", "mean_reward", "std_reward", "mean_ep_length"];

/// Returns the names of figures that can be columns of a table: each once, without those that a table cannot hold.
fn columns<'a>(metrics: impl IntoIterator<Item = &'a (&'static str, f64)>) -> Vec<&'static str> {
    let mut names = Vec::new();
    for (name, _) in metrics {
        let breaks = |c: char| c == ',' || c == '"' || c.is_control();
        if !(name.is_empty() || name.contains(breaks) || TAKEN.contains(name) || names.contains(name)) {
            names.push(*name);
        }
    }
    names
}

/// Returns the figure `name` of an episode; None where the episode has none, or one that is not finite.
fn figure(episode: &Episode, name: &str) -> Option<f64> {
    episode.metrics.iter().find(|m| m.0 == name).map(|m| m.1).filter(|x| x.is_finite())
}

/// Returns the mean of the numbers; NaN where there are none.
fn mean(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut n = 0;
    let sum: f64 = numbers.inspect(|_| n += 1).sum();
    sum / n as f64
}

/// The last hundred finished episodes of a training, whose mean return is the figure `rollout/ep_rew_mean`.
#[derive(Clone, Debug)]
pub struct RecentEpisodes {
    /// Names of the figures of an episode: return, length, and the environment's own figures.
    names: Vec<String>,
    /// Names of the environment's own figures, as the environment calls them.
    own: Vec<&'static str>,
    /// The figures of the last episodes, [KEPT, names]; NaN where an episode lacks a figure.
    rows: Vec<f64>,
    count: usize,
    /// The first figure that has no place because it was not there at the start.
    left_out: Option<&'static str>,
}

const KEPT: usize = 100;

impl RecentEpisodes {
    /// Makes the list of an environment whose figures have the names of `metrics`, with no episode yet. The list has a
    /// place for these names and for no others.
    pub fn new(metrics: &[(&'static str, f64)]) -> Self {
        let own = columns(metrics);
        let of_all = ["rollout/ep_rew_mean", "rollout/ep_len_mean"].map(String::from);
        let names: Vec<String> = of_all.into_iter().chain(own.iter().map(|name| format!("rollout/{name}"))).collect();
        Self { rows: vec![0.0; KEPT * names.len()], names, own, count: 0, left_out: None }
    }

    /// Adds one finished episode. Its figures are matched by their names.
    pub fn add(&mut self, episode: &Episode) {
        let n = self.names.len();
        let row = &mut self.rows[self.count % KEPT * n..][..n];
        (row[0], row[1]) = (episode.r, episode.length as f64);
        row[2..].iter_mut().zip(&self.own).for_each(|(x, name)| *x = figure(episode, name).unwrap_or(f64::NAN));
        self.count += 1;
        let other = || episode.metrics.iter().map(|m| m.0).find(|name| !self.own.contains(name));
        self.left_out = self.left_out.or_else(other);
    }

    /// Returns the names of the environment's own figures.
    pub fn own(&self) -> &[&'static str] {
        &self.own
    }

    /// Returns the name of the first figure of an episode that has no place in the list.
    pub fn left_out(&self) -> Option<&'static str> {
        self.left_out
    }

    /// Returns the number of all episodes that finished so far.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns the means of all figures over those of the last hundred episodes that have the figure, by name; NaN
    /// where none has.
    pub fn means(&self) -> impl Iterator<Item = (&str, f64)> {
        let (n, rows) = (self.names.len(), self.count.min(KEPT));
        let of = move |j: usize| mean((0..rows).map(|i| self.rows[i * n + j]).filter(|x| !x.is_nan()));
        self.names.iter().enumerate().map(move |(j, name)| (name.as_str(), of(j)))
    }

    /// Returns the mean return of the last hundred episodes; None before the first episode.
    pub fn mean_return(&self) -> Option<f64> {
        self.means().next().map(|m| m.1).filter(|_| self.count > 0)
    }
}

impl State for RecentEpisodes {
    fn visit(&mut self, v: &mut dyn Visitor) {
        let Self { names: _, own: _, rows, count, left_out: _ } = self;
        v.item_of_env("rows", rows);
        v.count("count", count);
    }
}

/// The episodes of an evaluation.
#[derive(Clone, Debug, Default)]
pub struct Evaluation {
    /// The episodes, in the order of their environments.
    pub episodes: Vec<Episode>,
    /// Names of the environment's own figures that are shown, in the order of their columns.
    pub own: Vec<&'static str>,
    /// Number of steps after which the episodes were cut although the task has no time limit; None where none was.
    pub cut: Option<usize>,
}

impl Evaluation {
    /// Adds the episodes of a later part of the same evaluation.
    pub fn join(&mut self, part: Self) {
        self.episodes.extend(part.episodes);
        self.own.extend(part.own.into_iter().filter(|name| !self.own.contains(name)).collect::<Vec<_>>());
        self.cut = self.cut.or(part.cut);
    }

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

    /// Returns the means of the environment's figures, by name, each over the episodes that have the figure; NaN where
    /// none has.
    pub fn metrics(&self) -> Vec<(&'static str, f64)> {
        let of = |name: &str| mean(self.episodes.iter().filter_map(|e| figure(e, name)));
        self.own.iter().map(|name| (*name, of(name))).collect()
    }
}

/// Refuses so many episodes side by side that the memory of the system is too small for them.
fn check_memory(env: &dyn Env, episodes: usize) -> Result<(), EnvError> {
    let bytes = acting_bytes(env.spec(), Memory::None).saturating_mul(episodes);
    let fits = Budget::new("this machine").fits("episodes", episodes, bytes);
    fits.map_err(|e| EnvError::Invalid { env: env.spec().name.clone(), what: e.to_string() })
}

/// Refuses an environment whose views or action have not the sizes of `ours`, for which a policy was made.
fn check_sizes(ours: &EnvSpec, other: &EnvSpec) -> Result<(), EnvError> {
    let sizes = |spec: &EnvSpec| [spec.o.len(), spec.s.len(), spec.low.len()];
    let (ours, there) = (sizes(ours), sizes(other));
    if ours == there {
        return Ok(());
    }
    let what = format!("it has {there:?} entries of o, s and the action; the policy was made for {ours:?}");
    Err(EnvError::Invalid { env: other.name.clone(), what })
}

/// Runs one whole episode of the player `policy` in each of `episodes` new environments, side by side, so that slow
/// episodes are not drawn less often than quick ones. An episode is cut at the horizon, or after [`EnvSpec::CUT`] steps
/// where the task has no time limit. The actions are the means of the policy's distributions where `means` is true,
/// else they are drawn. Every random number comes from `rng`, except that the first segments of policies with segments
/// have the same lengths in every evaluation; the results are the same on any number of `threads`.
pub fn evaluate<P: StatefulPolicy>(
    policy: &Player<P>,
    make_env: &MakeEnv,
    (episodes, threads): (usize, usize),
    means: bool,
    rng: &mut Rng,
) -> Result<Evaluation, EnvError> {
    evaluate_altered(policy, make_env, (episodes, threads), means, rng, &mut |_| ())
}

/// What an evaluation is about to do: a step in all environments.
pub struct Before<'a, P> {
    /// The player, whose memory may be altered.
    pub player: &'a mut Player<P>,
    /// What the policy sees, not standardised, [n, n_o].
    pub o: &'a [f32],
    /// What the critic sees, not standardised, [n, n_s].
    pub s: &'a [f32],
    /// Whether the step belongs to an episode of the evaluation, for each environment; others go on with episodes that
    /// do not count.
    pub counts: &'a [bool],
}

/// Evaluates as [`evaluate`] does, and calls `alter` before each step.
pub fn evaluate_altered<P: StatefulPolicy>(
    policy: &Player<P>,
    make_env: &MakeEnv,
    sizes: (usize, usize),
    means: bool,
    rng: &mut Rng,
    alter: &mut dyn FnMut(Before<'_, P>),
) -> Result<Evaluation, EnvError> {
    let evaluation = play(&|| false, policy, make_env, sizes, means, rng, alter)?;
    Ok(evaluation.expect("nobody interrupts it"))
}

/// Evaluates as [`evaluate`] does; None where `interrupt` returned true before a step.
pub(super) fn evaluate_unless<P: StatefulPolicy>(
    interrupt: &dyn Fn() -> bool,
    policy: &Player<P>,
    make_env: &MakeEnv,
    sizes: (usize, usize),
    means: bool,
    rng: &mut Rng,
) -> Result<Option<Evaluation>, EnvError> {
    play(interrupt, policy, make_env, sizes, means, rng, &mut |_| ())
}

fn play<P: StatefulPolicy>(
    interrupt: &dyn Fn() -> bool,
    policy: &Player<P>,
    make_env: &MakeEnv,
    (episodes, threads): (usize, usize),
    means: bool,
    rng: &mut Rng,
    alter: &mut dyn FnMut(Before<'_, P>),
) -> Result<Option<Evaluation>, EnvError> {
    check_memory(&*make_env()?, episodes)?;
    let mut envs = Vec::new();
    while envs.len() < episodes {
        if interrupt() {
            return Ok(None);
        }
        envs.push(make_env()?);
    }
    let mut env = VecEnv::new(envs, rng.bits(), threads)?;
    check_sizes(policy.spec(), env.spec())?;
    let cut = env.spec().time_limit().is_none().then_some(EnvSpec::CUT);
    cut.into_iter().for_each(|cut| env.limit(cut));
    env.reset_all()?;
    let mut player = policy.for_envs(episodes);
    let (mut o, mut s) = (env.o().to_vec(), env.s().to_vec());
    let mut results = vec![None; episodes];
    while results.iter().any(Option::is_none) {
        if interrupt() {
            return Ok(None);
        }
        let counts: Vec<bool> = results.iter().map(Option::is_none).collect();
        alter(Before { player: &mut player, o: &o, s: &s, counts: &counts });
        let a = player.act(&mut o, &mut s, (!means).then_some(&mut *rng));
        let step = env.step(&a)?;
        (0..episodes).filter(|&e| step.terminated[e] || step.truncated[e]).for_each(|e| player.reset(e));
        for episode in &step.episodes {
            results[episode.env].get_or_insert_with(|| episode.clone());
        }
        o.copy_from_slice(&step.o);
        s.copy_from_slice(&step.s);
    }
    let episodes: Vec<Episode> = results.into_iter().flatten().collect();
    let own = columns(episodes.iter().flat_map(|e| &e.metrics));
    Ok(Some(Evaluation { episodes, own, cut: cut.filter(|_| env.overran()) }))
}

/// What is seen of an episode between two steps.
pub struct Seen<'a> {
    /// The environment.
    pub env: &'a mut dyn Env,
    /// The undiscounted return so far.
    pub r: f64,
    /// The state z or h with which the policy goes into the next step; empty where the policy carries none.
    pub state: &'a [f32],
}

/// Runs one deterministic episode of the player `policy` in `env`, whose random numbers come from `rng`. `see` is shown
/// what there is before every step, and after the last one; the episode stops early where `see` returns false. It is
/// cut as an episode of an evaluation is.
pub fn watch<P: StatefulPolicy>(
    policy: &Player<P>,
    env: Box<dyn Env>,
    rng: &mut Rng,
    see: &mut dyn FnMut(Seen<'_>) -> bool,
) -> Result<(), EnvError> {
    let mut env = Guard::new(env)?;
    check_sizes(policy.spec(), env.spec())?;
    env.limit(env.spec().time_limit().unwrap_or(EnvSpec::CUT));
    env.reset(rng)?;
    let mut player = policy.for_envs(1);
    let (mut o, mut s) = (vec![0.0; env.spec().o.len()], vec![0.0; env.spec().s.len()]);
    let mut r = 0.0;
    for t in 1.. {
        if !env.show(|env| see(Seen { env, r, state: player.state() }))? {
            break;
        }
        env.observe(&mut o, &mut s)?;
        let a = player.act(&mut o, &mut s, None);
        let outcome = env.step(&a, t, rng)?;
        r += outcome.r;
        if outcome.terminated || outcome.truncated {
            env.show(|env| see(Seen { env, r, state: player.state() }))?;
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn episode(metrics: &[(&'static str, f64)]) -> Episode {
        Episode { env: 0, r: 1.0, length: 2, metrics: metrics.into(), unstable: false }
    }

    /// Figures are matched by name, in any order; one that is missing or not finite leaves its cell empty and moves no
    /// mean, and a new one is left out and told of.
    #[test]
    fn figures_are_matched_by_name() {
        let mut recent = RecentEpisodes::new(&[("a", 0.0), ("b", 0.0)]);
        recent.add(&episode(&[("b", 2.0), ("a", 1.0)]));
        assert_eq!(recent.left_out(), None);
        recent.add(&episode(&[("c", 7.0), ("b", 4.0)]));
        recent.add(&episode(&[("a", f64::NAN), ("b", f64::INFINITY)]));
        let means: Vec<_> = recent.means().collect();
        let expected =
            [("rollout/ep_rew_mean", 1.0), ("rollout/ep_len_mean", 2.0), ("rollout/a", 1.0), ("rollout/b", 3.0)];
        assert_eq!(means, expected);
        assert_eq!(recent.left_out(), Some("c"));
        let mut none = RecentEpisodes::new(&[("a", 0.0)]);
        none.add(&episode(&[]));
        assert!(none.means().last().is_some_and(|(name, x)| name == "rollout/a" && x.is_nan()));
    }

    /// An evaluation's figures are means over the episodes that have them; nothing is asked of their order or number.
    #[test]
    fn an_evaluation_matches_figures_by_name() {
        let episodes = vec![episode(&[("a", 1.0)]), episode(&[]), episode(&[("b", 5.0), ("a", 3.0)])];
        let own = columns(episodes.iter().flat_map(|e| &e.metrics));
        assert_eq!(own, ["a", "b"]);
        let mut evaluation = Evaluation { episodes, own, cut: None };
        assert_eq!(evaluation.metrics(), [("a", 2.0), ("b", 5.0)]);
        evaluation.own = vec!["c", "b"];
        let [("c", c), ("b", 5.0)] = evaluation.metrics()[..] else { panic!("{:?}", evaluation.metrics()) };
        assert!(c.is_nan());
    }

    /// A name that would break a table, that is there twice, or that a table has already, heads no column.
    #[test]
    fn names_that_break_a_table_are_no_columns() {
        let all = ["", "a", "a,b", "a\nb", "a\"b", "mean_reward", "episodes", "a", "ok"].map(|name| (name, 0.0));
        assert_eq!(columns(&all), ["a", "ok"]);
    }
}
