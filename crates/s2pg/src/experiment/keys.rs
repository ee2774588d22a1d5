//! The keys of an experiment: everything that decides a run, read from a TOML file.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use super::algorithm::AlgorithmName;
use super::estimator::Estimator;
use crate::algo::settings::Limit;
use crate::algo::{Recipe, Schedule, for_each_algorithm};
use crate::plan::{Compat, NetworkSettings, SwitchSettings};
use crate::policy::View;

/// The table `[env]` of an experiment: the environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnvSettings {
    /// Name under which the environment is registered.
    pub name: String,
    /// Number of environments that are stepped together.
    #[serde(default = "one")]
    pub parallel: usize,
    /// All other keys of the table, which are options of the environment itself.
    #[serde(flatten)]
    pub options: toml::Table,
}

fn one() -> usize {
    1
}

/// The table `[evaluation]` of an experiment: when and how the policy is evaluated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluationSettings {
    /// Environment steps between evaluations; 0 for no evaluations.
    pub every: usize,
    /// Number of episodes of an evaluation of each kind, stochastic and deterministic.
    pub episodes: usize,
}

impl Default for EvaluationSettings {
    fn default() -> Self {
        Self { every: 50_000, episodes: 10 }
    }
}

/// The table `[checkpoint]` of an experiment: when the run is saved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckpointSettings {
    /// Environment steps between checkpoints; 0 for a checkpoint after the last step only.
    pub every: usize,
}

impl Default for CheckpointSettings {
    fn default() -> Self {
        Self { every: 50_000 }
    }
}

macro_rules! experiment {
    ($($table:ident),+) => {
        /// Everything that decides a run: with the same binary, the same experiment gives the same bits.
        ///
        /// There is a table of settings for each algorithm; an experiment may set the table of its own algorithm only.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Experiment {
            /// The algorithm.
            pub algorithm: AlgorithmName,
            /// The estimator of the gradient, which decides what the policy remembers.
            pub estimator: Estimator,
            /// Seed of every random stream.
            #[serde(default)]
            pub seed: u64,
            /// Environment steps of the whole run, of all environments together.
            pub steps: usize,
            /// The view of the world that the critic sees.
            #[serde(default = "observation")]
            pub critic: View,
            /// Whether observations are standardised as they come.
            #[serde(default = "yes")]
            pub standardise: bool,
            /// Whether errors of the published code are repeated.
            #[serde(default)]
            pub compat: Compat,
            /// Whether updates return figures of gradients and states as well: `grad/...` and `state/...`.
            #[serde(default)]
            pub diagnostics: bool,
            /// The environment.
            pub env: EnvSettings,
            /// Sizes of the networks.
            #[serde(default)]
            pub network: NetworkSettings,
            $(
                #[doc = concat!("Settings of the algorithms of the module `", stringify!($table), "`.")]
                #[serde(default)]
                pub $table: crate::algo::$table::Settings,
            )+
            /// When the policy is evaluated.
            #[serde(default)]
            pub evaluation: EvaluationSettings,
            /// When the run is saved.
            #[serde(default)]
            pub checkpoint: CheckpointSettings,
            /// Single deviations of the published code.
            #[serde(default)]
            pub switches: SwitchSettings,
        }

        impl Experiment {
            /// Tells when the algorithm learns.
            pub fn schedule(&self) -> Schedule {
                match self.algorithm.table() {
                    $(stringify!($table) => self.$table.schedule(),)+
                    other => unreachable!("a table {other} of settings is registered"),
                }
            }

            /// Refuses settings of the algorithm that are out of range.
            fn check_algorithm(&self) -> Result<(), String> {
                match self.algorithm.table() {
                    $(stringify!($table) => self.$table.check(self.algorithm.row(), self.env.parallel),)+
                    other => unreachable!("a table {other} of settings is registered"),
                }
            }
        }
    };
}
for_each_algorithm!(experiment);

fn observation() -> View {
    View::Observation
}

fn yes() -> bool {
    true
}

/// A mistake in an experiment, in one sentence.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct ExperimentError(pub String);

impl Experiment {
    /// Reads an experiment from the TOML text `text` and applies overrides such as `ppo.clip=0.1`. An error is one
    /// sentence that names the key, and `file` with the line or the override.
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

    /// Reads an experiment from a table. Keys that the table does not set have the values that the algorithm was
    /// published with.
    fn complete(mut table: toml::Table) -> Result<Self, String> {
        let read = |table: toml::Table| table.try_into::<Self>().map_err(|e| one_line(e.message()));
        let experiment = read(table.clone())?;
        let (name, own) = (experiment.algorithm, experiment.algorithm.table());
        if let Some(other) = AlgorithmName::tables().find(|t| *t != own && table.contains_key(*t)) {
            return Err(format!(
                "`[{other}]` is set, but the algorithm is {name}, which reads `[{own}]`; take `[{other}]` away, or begin \
                 with a preset of {name}"
            ));
        }
        if experiment.compat == Compat::Official
            && let Some(env) = table.get_mut("env").and_then(toml::Value::as_table_mut)
            && env.get("masses").and_then(toml::Value::as_str) == Some("discrete")
        {
            // When the published wrapper draws masses, it also does what these keys say (D1).
            for key in ["stale_inertias", "scale_geoms", "reset_first"] {
                env.entry(key).or_insert(toml::Value::Boolean(true));
            }
        }
        let recurrent = experiment.estimator.memory(1).is_recurrent();
        let base = (name.row().base)(recurrent).parse().expect("the base of an algorithm is TOML");
        fill(&mut table, base);
        read(table)
    }

    /// Returns the experiment as TOML text, with every key written out.
    pub fn to_toml(&self) -> String {
        let mut table = toml::Table::try_from(self).expect("an experiment is plain data");
        for other in AlgorithmName::tables().filter(|t| *t != self.algorithm.table()) {
            table.remove(other);
        }
        toml::to_string(&table).expect("a table is plain data")
    }

    /// Returns every key in dotted form, such as `ppo.clip`, with its value as TOML text.
    pub fn keys(&self) -> Vec<(String, String)> {
        flat("", &self.to_toml().parse().expect("an experiment is TOML"))
    }

    /// Refuses values that are out of range.
    fn check(&self) -> Result<(), String> {
        Limit::AtLeastOne.check("steps", &self.steps)?;
        Limit::AtLeastOne.check("env.parallel", &self.env.parallel)?;
        Limit::AtLeastOne.check("network.features", &self.network.features)?;
        Limit::AtLeastOne.check("network.critic_features", &self.network.critic_features)?;
        Limit::AtLeastOne.check("network.hidden", &self.network.hidden)?;
        Limit::Positive.check("network.std", &self.network.std)?;
        Limit::Positive.check("network.state_std", &self.network.state_std)?;
        Limit::AtLeastOne.check("evaluation.episodes", &self.evaluation.episodes)?;
        self.check_algorithm()
    }
}

/// Adds to `table` the keys of `base` that it does not set.
fn fill(table: &mut toml::Table, base: toml::Table) {
    for (key, value) in base {
        match (table.get_mut(&key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(base)) => fill(inner, base),
            (Some(_), _) => {}
            (None, value) => {
                table.insert(key, value);
            }
        }
    }
}

/// Applies the override `a.b.c=value` to `table`. A value that is not TOML is taken as a string.
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

/// Returns the keys of a table in dotted form behind `prefix`, with their values as TOML text.
pub(crate) fn flat(prefix: &str, table: &toml::Table) -> Vec<(String, String)> {
    let pairs = table.iter().flat_map(|(key, value)| match value {
        toml::Value::Table(inner) => flat(&format!("{prefix}{key}."), inner),
        other => vec![(format!("{prefix}{key}"), other.to_string())],
    });
    pairs.collect()
}

/// Keys that had another name, and what they are now.
const RENAMED: [(&str, &str); 8] = [
    ("reset_prev_action", "`switches.keep_prev_action`, with the opposite value"),
    ("flag_epoch_cut_as_last", "`switches.cut_at_evaluation`, with the opposite value"),
    ("det_eval_really_deterministic", "`switches.sample_in_evaluation`, with the opposite value"),
    ("align_next_windows", "`switches.misalign_next_windows`, with the opposite value"),
    ("split_first_windows", "`switches.join_first_windows`, with the opposite value"),
    ("reinforce_log_std_score", "`switches.reinforce_log_std_bug`, with the opposite value"),
    ("remember_clipped_action", "`switches.remember_unclipped_action`, with the opposite value"),
    ("network", "`network.policy`"),
];

/// Makes one line of a message; a key that has another name now is told its name.
fn one_line(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    match RENAMED.iter().find(|(before, _)| line.starts_with(&format!("unknown field `{before}`"))) {
        Some((before, now)) => format!("`{before}` is now {now}"),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "algorithm = \"ppo\"\nestimator = \"rs\"\nsteps = 100\n[env]\nname = \"TMaze-v0\"\n";

    fn parse(text: &str, overrides: &[&str]) -> Result<Experiment, String> {
        let overrides: Vec<String> = overrides.iter().map(|o| o.to_string()).collect();
        Experiment::parse("x.toml", text, &overrides).map_err(|e| e.to_string())
    }

    /// An experiment that is written out is read back as the same experiment.
    #[test]
    fn round_trip() {
        let experiment = parse(TEXT, &["ppo.clip=0.1", "env.corridor=5", "estimator=oracle"]).unwrap();
        assert_eq!(experiment.ppo.clip, 0.1);
        assert_eq!(experiment.estimator, Estimator::Oracle);
        assert_eq!(experiment.env.options["corridor"].as_integer(), Some(5));
        assert_eq!(parse(&experiment.to_toml(), &[]).unwrap(), experiment);
    }

    /// A key that is not set has the value that the algorithm was published with; `compat` turns the errors of the
    /// environment on as well.
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

    /// A mistake is reported in one sentence that names the file and line, or the override, and the key.
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
            (message(TEXT, &["network.policy=wide"]), ["network.policy=wide", "shortcut"]),
            (message(&with("[reinforce]\nnetwork = \"simple\""), &[]), ["x.toml:7", "is now `network.policy`"]),
            (message(TEXT, &["switches.align_next_windows=true"]), ["is now `switches.misalign", "opposite value"]),
            (message(TEXT, &["algorithm=pbo"]), ["there is no algorithm `pbo`", "ppo, trpo"]),
        ] {
            assert!(parts.iter().all(|p| got.contains(p)) && !got.contains('\n'), "{got}");
        }
    }
}
