//! What a policy remembers: which hidden information its state holds, and what the policy does without the state.

use s2pg::Rng;
use s2pg::env::{EnvError, MakeEnv};
use s2pg::policy::StatefulPolicy;
use s2pg::results::probe::Moments;
use s2pg::train::{Before, Evaluation, Player, evaluate_altered};

/// The share of the variance by which a large weight of the probe is charged.
const RIDGE: f64 = 0.01;

/// How well a line tells a number: R² on other episodes than those to which the line was fitted. None where the number
/// never changes, or where there are no steps to fit a line to or to test it on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Told {
    /// R² of a line from the policy's state.
    pub by_state: Option<f64>,
    /// R² of a line from the policy's observation of the same step.
    pub by_o: Option<f64>,
}

/// An entry of the critic's view that the policy's view lacks, and how well a line tells it.
#[derive(Clone, Debug)]
pub struct Hidden {
    /// Name of the entry.
    pub name: String,
    /// Number of steps at which the entry was hidden.
    pub steps: usize,
    /// Number of episodes with such steps.
    pub episodes: usize,
    /// How well a line tells the entry at all of these steps.
    pub told: Told,
    /// How well lines of their own tell it by the time since it was seen, while it is hidden for the first time in an
    /// episode; empty where it was never seen.
    pub by_age: Vec<Age>,
}

/// How well a line tells an entry that was seen between `from` and `to` steps ago, and not twice before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Age {
    /// The fewest steps.
    pub from: usize,
    /// The most steps.
    pub to: usize,
    /// Number of steps of this age.
    pub steps: usize,
    /// Number of episodes with such steps.
    pub episodes: usize,
    /// How well a line, fitted to steps of this age, tells the entry.
    pub told: Told,
}

/// What becomes of the state before each step of an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// Nothing.
    Untouched,
    /// Zeros are put in its place.
    Zeroed,
    /// The state of another episode, drawn anew at each step, is put in its place.
    Shuffled,
}

impl Treatment {
    /// All treatments.
    pub const ALL: [Self; 3] = [Self::Untouched, Self::Zeroed, Self::Shuffled];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Untouched => "untouched",
            Self::Zeroed => "zeroed",
            Self::Shuffled => "shuffled",
        }
    }

    /// Treats `state`, [n, state], of n episodes.
    fn apply(self, state: &mut [f32], n: usize, rng: &mut Rng) {
        match self {
            Self::Untouched => {}
            Self::Zeroed => state.fill(0.0),
            // Turned by at least one episode, so that none keeps its own.
            Self::Shuffled => state.rotate_left((1 + rng.below(n - 1)) * (state.len() / n)),
        }
    }
}

/// What a probe found.
#[derive(Clone, Debug)]
pub struct Findings {
    /// The hidden entries, in the order of the critic's view.
    pub hidden: Vec<Hidden>,
    /// The episodes of each treatment of the state.
    pub plays: Vec<(Treatment, Evaluation)>,
}

/// Moments of steps: of the episodes to which lines are fitted and of the others, each with x the state and with x the
/// observation.
#[derive(Clone)]
struct Halves {
    moments: [[Moments; 2]; 2],
    /// Whether an episode has such steps.
    has: Vec<bool>,
}

impl Halves {
    fn new(state: usize, o: usize, episodes: usize) -> Self {
        Self { moments: [(); 2].map(|()| [state, o].map(Moments::new)), has: vec![false; episodes] }
    }

    fn add(&mut self, e: usize, state: &[f32], o: &[f32], y: f32) {
        self.has[e] = true;
        self.moments[e % 2].iter_mut().zip([state, o]).for_each(|(moments, x)| moments.add(x, y));
    }

    fn steps(&self) -> usize {
        self.moments.iter().map(|half| half[0].samples()).sum()
    }

    fn episodes(&self) -> usize {
        self.has.iter().filter(|&&has| has).count()
    }

    /// Returns what lines tell, whose weights are charged by how much state and observation vary in the steps of `all`.
    fn told(&self, all: &Self) -> Told {
        let [train, test] = &self.moments;
        let both = train[0].samples() > 0 && test[0].samples() > 0;
        let line = |x: usize| train[x].fit(RIDGE, &all.moments[0][x].deviations());
        let of = |x: usize| both.then(|| test[x].r_squared(&line(x))).flatten();
        Told { by_state: of(0), by_o: of(1) }
    }
}

/// An entry that is hidden from the policy at some steps, and the moments of these.
struct Entry {
    name: String,
    /// Its place in the critic's view.
    at: usize,
    /// The place in the policy's view where it is seen at times; None where it never is.
    seen_at: Option<usize>,
    /// For each episode the steps since it was seen, and whether it was hidden before that.
    since: Vec<(usize, bool)>,
    /// The moments of all steps at which it is hidden.
    all: Halves,
    /// The moments while it is hidden for the first time, by the binary logarithm of the steps since it was seen.
    by_age: Vec<Halves>,
}

impl Entry {
    /// Takes the step of episode `e` with the state `state` and the views `o` and `s`.
    fn take(&mut self, e: usize, state: &[f32], o: &[f32], s: &[f32]) {
        let y = s[self.at];
        let (since, again) = &mut self.since[e];
        if self.seen_at.is_some_and(|i| o[i] == y) {
            *again |= *since > 0;
            *since = 0;
            return;
        }
        *since += 1;
        self.all.add(e, state, o, y);
        if self.seen_at.is_none() || *again {
            return;
        }
        let age = since.ilog2() as usize;
        while self.by_age.len() <= age {
            self.by_age.push(Halves::new(state.len(), o.len(), self.all.has.len()));
        }
        self.by_age[age].add(e, state, o, y);
    }

    /// Returns what lines tell of the entry; None where it was never hidden.
    fn hidden(self) -> Option<Hidden> {
        let Self { name, all, by_age, .. } = self;
        let age = |(k, halves): (usize, &Halves)| {
            let (from, to) = (1 << k, (2 << k) - 1);
            Age { from, to, steps: halves.steps(), episodes: halves.episodes(), told: halves.told(&all) }
        };
        let by_age = by_age.iter().enumerate().filter(|(_, halves)| halves.steps() > 0).map(age).collect();
        let (steps, episodes, told) = (all.steps(), all.episodes(), all.told(&all));
        (steps > 0).then_some(Hidden { name, steps, episodes, told, by_age })
    }
}

/// Plays `episodes` episodes, at least 4, side by side with each treatment of the policy's state, and fits probes to
/// the steps of those whose state is untouched: lines, by ridge regression on every other episode, from the state
/// before a step to each entry of `s` that the policy does not see at the step. R² is that of the other episodes. The
/// actions are means of the policy's distributions where `means` is true, else drawn. All treatments meet the same
/// environments, whose random numbers come from the stream `name` of `seed`. None where the policy has no state.
pub fn probe<P: StatefulPolicy>(
    player: &Player<P>,
    make_env: &MakeEnv,
    episodes: usize,
    means: bool,
    (seed, name): (u64, &str),
) -> Result<Option<Findings>, EnvError> {
    if player.for_envs(1).state().is_empty() {
        return Ok(None);
    }
    let spec = player.spec().clone();
    let mut hidden: Option<Vec<Entry>> = None;
    let mut plays = Vec::new();
    for treatment in Treatment::ALL {
        let mut rng = Rng::new(seed, name);
        let mut shuffles = Rng::new(seed, &format!("{name}/shuffles"));
        let mut before = |Before { player, o, s, counts }: Before<'_, P>| {
            let state = player.state_mut();
            treatment.apply(state, episodes, &mut shuffles);
            if treatment != Treatment::Untouched {
                return;
            }
            let hidden = hidden.get_or_insert_with(|| entries(&spec.o, &spec.s, o, s, state.len() / episodes));
            for e in (0..episodes).filter(|&e| counts[e]) {
                let row = |x: &[f32]| x.len() / episodes * e..x.len() / episodes * (e + 1);
                hidden.iter_mut().for_each(|entry| entry.take(e, &state[row(state)], &o[row(o)], &s[row(s)]));
            }
        };
        let evaluation = evaluate_altered(player, make_env, (episodes, 1), means, &mut rng, &mut before)?;
        plays.push((treatment, evaluation));
    }
    let hidden = hidden.unwrap_or_default().into_iter().filter_map(Entry::hidden).collect();
    Ok(Some(Findings { hidden, plays }))
}

/// Returns the entries of s that o lacks by name, for states of `state` entries. One is seen at times where o has an
/// entry `shown_<name>`, or an entry that equals it at the first step of every episode although it differs between
/// episodes.
fn entries(names_o: &[String], names_s: &[String], o: &[f32], s: &[f32], state: usize) -> Vec<Entry> {
    let (n_o, n_s) = (names_o.len(), names_s.len());
    let episodes = o.len() / n_o;
    let new = |at: usize| {
        let column = || (0..episodes).map(|e| s[e * n_s + at]);
        let shows = |i: &usize| column().enumerate().all(|(e, y)| o[e * n_o + i] == y);
        let differs = column().any(|y| y != s[at]);
        let named = names_o.iter().position(|name| name.strip_prefix("shown_") == Some(&names_s[at]));
        let seen_at = named.or_else(|| (0..n_o).find(shows).filter(|_| differs));
        let all = Halves::new(state, n_o, episodes);
        Entry { name: names_s[at].clone(), at, seen_at, since: vec![(0, false); episodes], all, by_age: Vec::new() }
    };
    (0..n_s).filter(|&at| !names_o.contains(&names_s[at])).map(new).collect()
}
