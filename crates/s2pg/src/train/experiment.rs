//! An experiment: everything that decides a run, as a TOML file.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::algo::{ppo, reinforce, sac, td3, trpo};
use crate::nn::CellKind;
use crate::policy::View;

/// Which estimator of the gradient: the one switch that the paper's comparison turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Estimator {
    /// Recurrent stochastic: the method of the paper.
    Rs,
    /// Backpropagation through the last steps, or through the whole episode.
    Bptt(Span),
    /// The last observations, side by side.
    Window(usize),
    /// No memory.
    Vanilla,
    /// No memory, but the policy sees the critic's view.
    Oracle,
}

impl Estimator {
    /// One of each kind, for lists and tests.
    pub const ALL: &[Self] =
        &[Self::Rs, Self::Bptt(Span::Steps(5)), Self::Bptt(Span::Full), Self::Window(5), Self::Vanilla, Self::Oracle];
}

/// How far a gradient goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// This many steps, the last one included.
    Steps(usize),
    /// To the start of the episode.
    Full,
}

impl Display for Estimator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rs => f.write_str("rs"),
            Self::Bptt(Span::Steps(n)) => write!(f, "bptt:{n}"),
            Self::Bptt(Span::Full) => f.write_str("bptt:full"),
            Self::Window(n) => write!(f, "window:{n}"),
            Self::Vanilla => f.write_str("vanilla"),
            Self::Oracle => f.write_str("oracle"),
        }
    }
}

impl FromStr for Estimator {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let steps = |n: &str| n.parse().ok().filter(|n| (1..=100_000).contains(n));
        let found = match s.split_once(':') {
            None if s == "rs" => Some(Self::Rs),
            None if s == "vanilla" => Some(Self::Vanilla),
            None if s == "oracle" => Some(Self::Oracle),
            Some(("bptt", "full")) => Some(Self::Bptt(Span::Full)),
            Some(("bptt", n)) => steps(n).map(|n| Self::Bptt(Span::Steps(n))),
            Some(("window", n)) => steps(n).map(Self::Window),
            _ => None,
        };
        found.ok_or(format!(
            "there is no estimator `{s}`; there are rs, bptt:K, bptt:full, window:K, vanilla and oracle, with K from 1 on"
        ))
    }
}

impl Serialize for Estimator {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Estimator {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Which algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlgorithmName {
    /// Proximal policy optimisation.
    Ppo,
    /// Trust-region policy optimisation.
    Trpo,
    /// REINFORCE, with whole episodes.
    Reinforce,
    /// GPOMDP: REINFORCE in which a reward counts for the steps up to it alone.
    Gpomdp,
    /// Soft actor-critic.
    Sac,
    /// Twin delayed deep deterministic policy gradient.
    Td3,
    /// Deep deterministic policy gradient: TD3 with one critic, without delay and without smoothing.
    Ddpg,
}

impl Display for AlgorithmName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format!("{self:?}").to_lowercase())
    }
}

impl AlgorithmName {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Ppo, Self::Trpo, Self::Reinforce, Self::Gpomdp, Self::Sac, Self::Td3, Self::Ddpg];

    /// The tables of settings that it reads.
    fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Ppo => &["ppo"],
            Self::Trpo => &["trpo"],
            Self::Reinforce | Self::Gpomdp => &["reinforce"],
            Self::Sac => &["sac"],
            Self::Td3 | Self::Ddpg => &["td3"],
        }
    }

    /// Whether it learns from a replay buffer.
    pub fn is_off_policy(self) -> bool {
        match self {
            Self::Ppo | Self::Trpo | Self::Reinforce | Self::Gpomdp => false,
            Self::Sac | Self::Td3 | Self::Ddpg => true,
        }
    }
}

/// Whether errors of the published code are repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compat {
    /// None of them.
    #[default]
    Correct,
    /// All of them, so that published curves can be compared like with like.
    Official,
}

/// Single deviations of the published code; each overrides `compat`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// True: the previous action is zero at the start of an episode. The published code keeps that of the episode
    /// before while acting (D13).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reset_prev_action: Option<bool>,
    /// True: an episode goes on over an evaluation. The published code abandons it there, and does not mark the cut
    /// (D30).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flag_epoch_cut_as_last: Option<bool>,
    /// True: a deterministic evaluation takes the means. The published code draws samples there for policies without
    /// memory (D19).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub det_eval_really_deterministic: Option<bool>,
    /// False: PPO-BPTT multiplies each ratio with its own advantage. The published code multiplies each with every
    /// advantage of the minibatch (D11).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ppo_bptt_broadcast_bug: Option<bool>,
    /// True: the window before a next observation is that of the next step. The published code makes it of next
    /// observations alone, so that it misses the first one of an episode (D29).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub align_next_windows: Option<bool>,
    /// True: no window of a rollout crosses an episode. In the published code those do that reach the first transition
    /// (D31). Those of a replay buffer never do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_first_windows: Option<bool>,
    /// True: REINFORCE's score of a log-std is -1 + δ²/σ². The published code divides by σ³ (D24).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reinforce_log_std_score: Option<bool>,
    /// False: TD3's policy ascends the first critic. The published code ascends the mean of both where the policy has a
    /// memory (D4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub td3_actor_mean_q: Option<bool>,
    /// False: TD3's targets hold the lesser of both critics. The published code takes their mean with BPTT and windows
    /// (D5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub td3_mean_target: Option<bool>,
    /// True: TD3's policy remembers the action that was carried out. The published code remembers it as it was before
    /// clipping (D14).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remember_clipped_action: Option<bool>,
}

/// The environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnvSettings {
    /// Its registered name.
    pub name: String,
    /// Environments that are stepped together.
    #[serde(default = "one")]
    pub parallel: usize,
    /// Options of the environment itself.
    #[serde(flatten)]
    pub options: toml::Table,
}

fn one() -> usize {
    1
}

/// How a critic of the extended process is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CriticKind {
    /// Three encoders whose sum goes through a hidden layer, as published.
    Encoders,
    /// Two hidden layers on everything side by side.
    Plain,
}

/// Sizes and start values of the networks. SAC and TD3 have defaults of their own, as published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkSettings {
    /// Width of embeddings and hidden layers of the policy.
    pub features: usize,
    /// Width of the hidden layers of the critic.
    pub critic_features: usize,
    /// Units of the recurrent cell.
    pub hidden: usize,
    /// Which recurrent cell.
    pub cell: CellKind,
    /// Initial standard deviation of the action; before squashing for SAC. TD3 has `td3.noise`.
    pub std: f64,
    /// Initial standard deviation of the next state z'; before squashing for SAC. TD3 has `td3.state_noise`.
    pub state_std: f64,
    /// How an off-policy critic of z and z' is built.
    pub critic: CriticKind,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        Self {
            features: 128,
            critic_features: 128,
            hidden: 128,
            cell: CellKind::Gru,
            std: 0.5,
            state_std: 0.5,
            critic: CriticKind::Encoders,
        }
    }
}

/// When and how the policy is evaluated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluationSettings {
    /// Steps between evaluations; 0 for none.
    pub every: usize,
    /// Episodes of each kind, stochastic and deterministic.
    pub episodes: usize,
}

impl Default for EvaluationSettings {
    fn default() -> Self {
        Self { every: 50_000, episodes: 10 }
    }
}

/// When the run is saved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckpointSettings {
    /// Steps between checkpoints; 0 for only the last.
    pub every: usize,
}

impl Default for CheckpointSettings {
    fn default() -> Self {
        Self { every: 50_000 }
    }
}

/// Everything that decides a run: with the same binary, the same experiment gives the same bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Which algorithm.
    pub algorithm: AlgorithmName,
    /// Which estimator.
    pub estimator: Estimator,
    /// Of all random streams.
    #[serde(default)]
    pub seed: u64,
    /// Environment steps of the whole run.
    pub steps: usize,
    /// What the critic sees.
    #[serde(default = "observation")]
    pub critic: View,
    /// Whether observations are standardised as they come.
    #[serde(default = "yes")]
    pub standardise: bool,
    /// Whether errors of the published code are repeated.
    #[serde(default)]
    pub compat: Compat,
    /// Whether updates have figures of gradients and states too: `grad/...` and `state/...`.
    #[serde(default)]
    pub diagnostics: bool,
    /// The environment.
    pub env: EnvSettings,
    /// Sizes of the networks.
    #[serde(default)]
    pub network: NetworkSettings,
    /// Settings of PPO.
    #[serde(default)]
    pub ppo: ppo::Settings,
    /// Settings of TRPO.
    #[serde(default)]
    pub trpo: trpo::Settings,
    /// Settings of REINFORCE and GPOMDP.
    #[serde(default)]
    pub reinforce: reinforce::Settings,
    /// Settings of SAC.
    #[serde(default)]
    pub sac: sac::Settings,
    /// Settings of TD3 and DDPG.
    #[serde(default)]
    pub td3: td3::Settings,
    /// When it is evaluated.
    #[serde(default)]
    pub evaluation: EvaluationSettings,
    /// When it is saved.
    #[serde(default)]
    pub checkpoint: CheckpointSettings,
    /// Single deviations of the published code.
    #[serde(default)]
    pub switches: Switches,
}

fn observation() -> View {
    View::Observation
}

fn yes() -> bool {
    true
}

/// What is wrong with an experiment, in one sentence.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct ExperimentError(pub String);

impl Experiment {
    /// Reads an experiment from TOML text and applies overrides such as `ppo.clip=0.1`. `file` is named in errors.
    pub fn parse(file: &str, text: &str, overrides: &[String]) -> Result<Self, ExperimentError> {
        let complain = |e: toml::de::Error| {
            let line = 1 + e.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count());
            ExperimentError(format!("{file}:{line}: {}", one_line(e.message())))
        };
        let read: Self = toml::from_str(text).map_err(complain)?;
        drop(read);
        let mut table: toml::Table = toml::from_str(text).map_err(complain)?;
        for assignment in overrides {
            set(&mut table, assignment)?;
            let refuse =
                |e: &dyn Display| ExperimentError(format!("override `{assignment}`: {}", one_line(&e.to_string())));
            let changed: Self = table.clone().try_into().map_err(|e: toml::de::Error| refuse(&e.message()))?;
            drop(changed);
        }
        let whole = if overrides.is_empty() { file.into() } else { format!("{file} with {}", overrides.join(" ")) };
        let experiment = Self::complete(table).and_then(|e| e.check().map(|()| e));
        experiment.map_err(|e| ExperimentError(format!("{whole}: {e}")))
    }

    /// Reads a table, with the defaults of its algorithm for what it leaves open.
    fn complete(mut table: toml::Table) -> Result<Self, String> {
        let read = |table: toml::Table| table.try_into::<Self>().map_err(|e| one_line(e.message()));
        let experiment = read(table.clone())?;
        let own = experiment.algorithm.tables();
        let all = AlgorithmName::ALL.iter().flat_map(|a| a.tables());
        if let Some(other) = all.filter(|t| !own.contains(t)).find(|t| table.contains_key(**t)) {
            let name = experiment.algorithm;
            return Err(format!(
                "`[{other}]` is set, but the algorithm is {name}, which reads `[{}]`",
                own.join("]`, `[")
            ));
        }
        if experiment.compat == Compat::Official
            && let Some(env) = table.get_mut("env").and_then(toml::Value::as_table_mut)
            && env.get("masses").and_then(toml::Value::as_str) == Some("discrete")
        {
            // What the published wrapper also does when it draws masses (D1).
            for key in ["stale_inertias", "scale_geoms", "reset_first"] {
                env.entry(key).or_insert(toml::Value::Boolean(true));
            }
        }
        if experiment.algorithm.is_off_policy() {
            let recurrent = matches!(experiment.estimator, Estimator::Rs | Estimator::Bptt(_));
            let narrow = recurrent && experiment.algorithm != AlgorithmName::Sac;
            let network = table.entry("network").or_insert_with(|| toml::Value::Table(toml::Table::new()));
            let network = network.as_table_mut().expect("it was read");
            let sizes = [("features", if narrow { 128 } else { 256 }), ("critic_features", 256), ("hidden", 32)];
            for (key, size) in sizes {
                network.entry(key).or_insert(toml::Value::Integer(size));
            }
            for key in ["std", "state_std"] {
                network.entry(key).or_insert(toml::Value::Float(1.0));
            }
            if experiment.algorithm == AlgorithmName::Ddpg {
                let td3 = table.entry("td3").or_insert_with(|| toml::Value::Table(toml::Table::new()));
                let td3 = td3.as_table_mut().expect("it was read");
                td3.entry("delay").or_insert(toml::Value::Integer(1));
                td3.entry("smoothing").or_insert(toml::Value::Float(0.0));
                td3.entry("state_smoothing").or_insert(toml::Value::Float(0.0));
            }
            table.entry("standardise").or_insert(toml::Value::Boolean(false));
            table.entry("critic").or_insert_with(|| "state".into());
        }
        read(table)
    }

    /// The experiment as TOML, every key written out.
    pub fn to_toml(&self) -> String {
        let mut table = toml::Table::try_from(self).expect("an experiment is plain data");
        let own = self.algorithm.tables();
        for other in AlgorithmName::ALL.iter().flat_map(|a| a.tables()).filter(|t| !own.contains(t)) {
            table.remove(*other);
        }
        toml::to_string(&table).expect("a table is plain data")
    }

    /// Every key in dotted form, with its value as TOML.
    pub fn keys(&self) -> Vec<(String, String)> {
        flat("", &self.to_toml().parse().expect("an experiment is TOML"))
    }

    /// The value of a switch: its own, or what `compat` says.
    pub fn is_correct(&self, switch: Option<bool>) -> bool {
        switch.unwrap_or(self.compat == Compat::Correct)
    }

    /// Refuses values out of range.
    fn check(&self) -> Result<(), String> {
        let at_least_one = [
            ("steps", self.steps),
            ("env.parallel", self.env.parallel),
            ("network.features", self.network.features),
            ("network.critic_features", self.network.critic_features),
            ("network.hidden", self.network.hidden),
            ("ppo.steps", self.ppo.steps),
            ("ppo.minibatch", self.ppo.minibatch),
            ("ppo.epochs", self.ppo.epochs),
            ("ppo.value_epochs", self.ppo.value_epochs),
            ("trpo.steps", self.trpo.steps),
            ("trpo.minibatch", self.trpo.minibatch),
            ("trpo.value_epochs", self.trpo.value_epochs),
            ("trpo.cg_iterations", self.trpo.cg_iterations),
            ("trpo.backtracks", self.trpo.backtracks),
            ("sac.replay", self.sac.replay),
            ("sac.batch", self.sac.batch),
            ("td3.replay", self.td3.replay),
            ("td3.batch", self.td3.batch),
            ("td3.delay", self.td3.delay),
            ("evaluation.episodes", self.evaluation.episodes),
        ];
        for (key, value) in at_least_one {
            if value == 0 {
                return Err(format!("`{key}` is 0; it must be at least 1"));
            }
        }
        let positive = [
            ("network.std", self.network.std),
            ("network.state_std", self.network.state_std),
            ("ppo.lr", self.ppo.lr),
            ("ppo.value_lr", self.ppo.value_lr),
            ("ppo.clip", self.ppo.clip),
            ("trpo.value_lr", self.trpo.value_lr),
            ("trpo.kl", self.trpo.kl),
            ("reinforce.lr", self.reinforce.lr),
            ("ppo.max_grad_norm", self.ppo.max_grad_norm.unwrap_or(1.0)),
            ("sac.lr", self.sac.lr),
            ("sac.critic_lr", self.sac.critic_lr),
            ("sac.alpha", self.sac.alpha),
            ("sac.alpha_lr", self.sac.alpha_lr),
            ("sac.state_alpha", self.sac.state_alpha),
            ("sac.state_alpha_lr", self.sac.state_alpha_lr),
            ("sac.update_ratio", self.sac.update_ratio),
            ("td3.lr", self.td3.lr),
            ("td3.critic_lr", self.td3.critic_lr),
            ("td3.update_ratio", self.td3.update_ratio),
        ];
        for (key, value) in positive {
            if !(value > 0.0 && value.is_finite()) {
                return Err(format!("`{key}` is {value}; it must be a number above 0"));
            }
        }
        for (key, value) in [("td3.noise", self.td3.noise), ("td3.state_noise", self.td3.state_noise)] {
            if value > 7.0 {
                return Err(format!("`{key}` is {value}; it must be at most 7"));
            }
        }
        let entropies = [
            ("sac.target_entropy", self.sac.target_entropy),
            ("sac.state_target_entropy", self.sac.state_target_entropy),
        ];
        for (key, value) in entropies {
            if value.is_some_and(|x| !x.is_finite()) {
                return Err(format!("`{key}` is not finite; it must be a number"));
            }
        }
        if self.algorithm == AlgorithmName::Ddpg && (self.td3.delay, self.td3.smoothing) != (1, 0.0) {
            return Err("DDPG has no `td3.delay` and no `td3.smoothing`; take them away, or choose td3".into());
        }
        let fractions = [
            ("ppo.gamma", self.ppo.gamma),
            ("ppo.lambda", self.ppo.lambda),
            ("trpo.gamma", self.trpo.gamma),
            ("trpo.lambda", self.trpo.lambda),
            ("trpo.backtrack", self.trpo.backtrack),
            ("reinforce.gamma", self.reinforce.gamma),
            ("sac.gamma", self.sac.gamma),
            ("sac.tau", self.sac.tau),
            ("sac.refresh", self.sac.refresh),
            ("td3.gamma", self.td3.gamma),
            ("td3.tau", self.td3.tau),
            ("td3.refresh", self.td3.refresh),
        ];
        for (key, value) in fractions {
            if !(0.0..=1.0).contains(&value) {
                return Err(format!("`{key}` is {value}; it must be between 0 and 1"));
            }
        }
        let not_negative = [
            ("ppo.entropy", self.ppo.entropy),
            ("trpo.damping", self.trpo.damping),
            ("td3.noise", self.td3.noise),
            ("td3.state_noise", self.td3.state_noise),
            ("td3.smoothing", self.td3.smoothing),
            ("td3.smoothing_clip", self.td3.smoothing_clip),
            ("td3.state_smoothing", self.td3.state_smoothing.unwrap_or(0.0)),
            ("td3.state_smoothing_clip", self.td3.state_smoothing_clip.unwrap_or(0.0)),
        ];
        for (key, value) in not_negative {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(format!("`{key}` is {value}; it must be 0 or more"));
            }
        }
        let filling = [
            ("sac", self.sac.replay, self.sac.initial.max(self.sac.warmup)),
            ("td3", self.td3.replay, self.td3.initial.max(self.td3.warmup)),
        ];
        for (table, replay, needed) in filling {
            if replay.div_ceil(self.env.parallel) < 3 {
                return Err(format!("`{table}.replay` is {replay}; it must be at least 3 steps for each environment"));
            }
            let batch = if table == "sac" { self.sac.batch } else { self.td3.batch };
            if batch > replay {
                return Err(format!("`{table}.batch` = {batch} is more than `{table}.replay` = {replay}; take less"));
            }
            if needed >= replay {
                return Err(format!(
                    "`{table}.replay` = {replay} steps never come to more than `{table}.initial` and `{table}.warmup` \
                     ({needed}): nothing would be learned"
                ));
            }
        }
        let shared = match self.algorithm {
            AlgorithmName::Ppo => Some(("ppo.steps", self.ppo.steps, "transitions")),
            AlgorithmName::Trpo => Some(("trpo.steps", self.trpo.steps, "transitions")),
            AlgorithmName::Reinforce | AlgorithmName::Gpomdp => {
                Some(("reinforce.episodes", self.reinforce.episodes, "episodes"))
            }
            AlgorithmName::Sac | AlgorithmName::Td3 | AlgorithmName::Ddpg => None,
        };
        if let Some((key, n, what)) = shared.filter(|s| !s.1.is_multiple_of(self.env.parallel)) {
            let parallel = self.env.parallel;
            return Err(format!(
                "`{key}` = {n} {what} cannot be shared by `env.parallel` = {parallel} environments; take a multiple"
            ));
        }
        if self.reinforce.episodes < 2 {
            let episodes = self.reinforce.episodes;
            return Err(format!("`reinforce.episodes` is {episodes}; a baseline needs at least 2"));
        }
        Ok(())
    }
}

/// Applies `a.b.c=value`; a value that is not TOML is taken as a string.
fn set(table: &mut toml::Table, assignment: &str) -> Result<(), ExperimentError> {
    let Some((path, value)) = assignment.split_once('=') else {
        return Err(ExperimentError(format!("override `{assignment}` has no `=`; write it as key=value")));
    };
    let value = format!("x = {value}").parse::<toml::Table>().ok().and_then(|mut t| t.remove("x"));
    let value = value.unwrap_or_else(|| toml::Value::String(assignment[path.len() + 1..].to_string()));
    let mut keys: Vec<&str> = path.trim().split('.').collect();
    let last = keys.pop().unwrap_or_default();
    let mut table = table;
    for key in keys {
        let entry = table.entry(key).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        let Some(inner) = entry.as_table_mut() else {
            return Err(ExperimentError(format!("override `{assignment}`: `{key}` is not a table")));
        };
        table = inner;
    }
    table.insert(last.to_string(), value);
    Ok(())
}

/// The dotted keys of a table and their values as text.
pub(super) fn flat(prefix: &str, table: &toml::Table) -> Vec<(String, String)> {
    let pairs = table.iter().flat_map(|(key, value)| match value {
        toml::Value::Table(inner) => flat(&format!("{prefix}{key}."), inner),
        other => vec![(format!("{prefix}{key}"), other.to_string())],
    });
    pairs.collect()
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "algorithm = \"ppo\"\nestimator = \"rs\"\nsteps = 100\n[env]\nname = \"TMaze-v0\"\n";

    fn parse(text: &str, overrides: &[&str]) -> Result<Experiment, String> {
        let overrides: Vec<String> = overrides.iter().map(|o| o.to_string()).collect();
        Experiment::parse("x.toml", text, &overrides).map_err(|e| e.to_string())
    }

    /// An experiment that is written out is read back the same.
    #[test]
    fn round_trip() {
        let experiment = parse(TEXT, &["ppo.clip=0.1", "env.corridor=5", "estimator=oracle"]).unwrap();
        assert_eq!(experiment.ppo.clip, 0.1);
        assert_eq!(experiment.estimator, Estimator::Oracle);
        assert_eq!(experiment.env.options["corridor"].as_integer(), Some(5));
        assert_eq!(parse(&experiment.to_toml(), &[]).unwrap(), experiment);
    }

    /// What is left open is what the algorithm was published with; `compat` turns the errors of the environment on as well.
    #[test]
    fn the_rest_is_as_published() {
        let sac = TEXT.replace("ppo", "sac");
        let experiment = parse(&sac, &[]).unwrap();
        let network = &experiment.network;
        assert_eq!((network.features, network.critic_features, network.hidden, network.std), (256, 256, 32, 1.0));
        assert_eq!((experiment.standardise, experiment.critic), (false, View::State));
        assert_eq!(parse(&sac, &["algorithm=td3"]).unwrap().network.features, 128);
        assert_eq!(parse(&sac, &["algorithm=td3", "estimator=vanilla"]).unwrap().network.features, 256);
        let official = parse(&sac, &["compat=official", "env.masses=discrete", "env.scale_geoms=false"]).unwrap();
        assert_eq!(official.env.options["stale_inertias"].as_bool(), Some(true));
        assert_eq!(official.env.options["scale_geoms"].as_bool(), Some(false));
        assert!(parse(&sac, &["ppo.clip=0.1"]).unwrap_err().contains("`[ppo]` is set, but the algorithm is sac"));
        assert!(parse(&sac, &["sac.replay=300"]).unwrap_err().contains("`sac.replay` = 300 steps never come to more"));
        assert!(parse(&sac, &["sac.batch=9_000_000"]).unwrap_err().contains("is more than `sac.replay`"));
    }

    /// A mistake gets one sentence that names the file and line, or the override, and the key.
    #[test]
    fn mistakes_are_named() {
        let message = |text: &str, overrides: &[&str]| parse(text, overrides).unwrap_err();
        let with = |line: &str| format!("{TEXT}{line}\n");
        for (got, parts) in [
            (message(&with("[ppo]\nclap = 0.1"), &[]), ["x.toml:7", "clap"]),
            (message(&with("[ppo]\nclip = -0.1"), &[]), ["x.toml", "`ppo.clip` is -0.1"]),
            (message(&TEXT.replace("rs", "lstm"), &[]), ["x.toml:2", "no estimator `lstm`"]),
            (message("steps = [", &[]), ["x.toml:1", ""]),
            (message(&TEXT.replace("steps = 100\n", ""), &[]), ["x.toml", "steps"]),
            (message(TEXT, &["ppo.clip"]), ["`ppo.clip` has no `=`", "key=value"]),
            (message(TEXT, &["ppo.clip=high"]), ["override `ppo.clip=high`", "string"]),
            (message(TEXT, &["steps.x=1"]), ["override `steps.x=1`", "not a table"]),
            (message(TEXT, &["gamma=0.9"]), ["override `gamma=0.9`", "gamma"]),
            (message(TEXT, &["ppo.gamma=1.5"]), ["`ppo.gamma` is 1.5", "between 0 and 1"]),
            (message(TEXT, &["steps=0"]), ["`steps` is 0", "at least 1"]),
            (message(TEXT, &["env.parallel=3"]), ["`ppo.steps` = 2000", "`env.parallel` = 3"]),
            (message(TEXT, &["algorithm=trpo", "env.parallel=3"]), ["`trpo.steps` = 2000", "`env.parallel` = 3"]),
            (message(TEXT, &["algorithm=gpomdp", "env.parallel=3"]), ["`reinforce.episodes` = 16", "take a multiple"]),
            (
                message(TEXT, &["algorithm=reinforce", "reinforce.episodes=1"]),
                ["`reinforce.episodes` is 1", "at least 2"],
            ),
            (message(TEXT, &["algorithm=trpo", "trpo.kl=0"]), ["`trpo.kl` is 0", "above 0"]),
            (message(TEXT, &["algorithm=trpo", "trpo.backtrack=2"]), ["`trpo.backtrack` is 2", "between 0 and 1"]),
            (message(TEXT, &["algorithm=reinforce", "reinforce.network=wide"]), ["reinforce.network=wide", "shortcut"]),
        ] {
            assert!(parts.iter().all(|p| got.contains(p)) && !got.contains('\n'), "{got}");
        }
    }
}
