//! The keys of an experiment: everything that decides a run, read from a TOML file.

use std::path::PathBuf;
use std::sync::LazyLock;

use super::algorithm::AlgorithmName;
use super::estimator::Estimator;
use super::reading::{Reading, one_line};
use crate::algo::{Extent, Recipe, Schedule, for_each_algorithm};
use crate::plan::keys::{Value, table};
use crate::plan::{Compat, NetworkSettings, SwitchSettings, Table};
use crate::policy::{Memory, View, WHOLE};

impl Value for AlgorithmName {}
impl Value for Estimator {}
impl Value for View {}
impl Value for Compat {}

table! {
    /// The table `[env]` of an experiment: the environment. All keys but these are options of the environment itself,
    /// such as `env.corridor`; the page about environments has them.
    EnvSettings "env" {
        /// Name under which the environment is registered; `s2pg envs` lists the names.
        name: String, Any;
        /// Number of environments that are stepped together.
        parallel: usize = 1, AtLeastOne;
    }
    and {
        /// All other keys of the table, which are options of the environment itself.
        #[serde(flatten)]
        options: toml::Table;
    }
}

table! {
    /// The table `[evaluation]` of an experiment: when and how the policy is evaluated.
    EvaluationSettings "evaluation" {
        /// Environment steps between evaluations; 0 for no evaluations.
        every: usize = 50_000, Any;
        /// Number of episodes of an evaluation of each kind, stochastic and deterministic.
        episodes: usize = 10, AtLeastOne;
    }
}

table! {
    /// The table `[checkpoint]` of an experiment: when the run is saved.
    CheckpointSettings "checkpoint" {
        /// Environment steps between checkpoints; 0 for a checkpoint after the last step only.
        every: usize = 50_000, Any;
    }
}

macro_rules! experiment {
    ($($table:ident),+) => {
        table! {
            /// Everything that decides a run: with the same binary, the same experiment gives the same bits.
            ///
            /// There is a table of settings for each algorithm; an experiment may set the table of its own algorithm
            /// only.
            Experiment "" {
                /// The algorithm; `s2pg algos` lists the names.
                algorithm: AlgorithmName, Any;
                /// The estimator of the gradient, which decides what the policy remembers: `rs`, `rs:K`, `tbptt:K`,
                /// `bptt:K`, `bptt:full`, `window:K`, `vanilla` or `oracle`, with K from 1 to 100000.
                estimator: Estimator, Any;
                /// Seed of every random stream.
                seed: u64 = 0, Any;
                /// Environment steps of the whole run, of all environments together.
                steps: usize, AtLeastOne;
                /// What a new run starts from: the directory of another run, or a model file. Its policy takes the
                /// place of an untrained one, and its other networks where they fit. A run starts untrained where not
                /// given.
                #[serde(skip_serializing_if = "Option::is_none")]
                init: Option<String> = None, Any;
                /// The view of the world that the critic sees.
                critic: View = View::Observation, Any;
                /// Whether observations are standardised: as they come, or, in a replay buffer, when they are shown.
                standardise: bool = true, Any;
                /// Whether errors of the published code are repeated.
                compat: Compat = Compat::Correct, Any;
                /// Whether updates return figures of gradients and states as well: `grad/...` and `state/...`.
                diagnostics: bool = false, Any;
            }
            and {
                /// The environment.
                env: EnvSettings;
                /// Sizes of the networks.
                network: NetworkSettings;
                $(
                    #[doc = concat!("Settings of the algorithms of the module `", stringify!($table), "`.")]
                    #[serde(default)]
                    $table: crate::algo::$table::Settings;
                )+
                /// When the policy is evaluated.
                evaluation: EvaluationSettings;
                /// When the run is saved.
                checkpoint: CheckpointSettings;
                /// Single deviations of the published code.
                #[serde(default)]
                switches: SwitchSettings;
            }
        }

        /// Describes all tables of an experiment; the first has the keys at the top.
        fn described() -> Vec<Table> {
            vec![
                Experiment::table(),
                EnvSettings::table(),
                NetworkSettings::table(),
                $(crate::algo::$table::Settings::table(),)+
                EvaluationSettings::table(),
                CheckpointSettings::table(),
                SwitchSettings::table(),
            ]
        }

        impl Experiment {
            /// Tells when the algorithm learns.
            pub fn schedule(&self) -> Schedule {
                match self.algorithm.table() {
                    $(stringify!($table) => self.$table.schedule(),)+
                    other => unreachable!("a table {other} of settings is registered"),
                }
            }

            /// Refuses settings of the algorithm that are out of range, or with which the run learns nothing.
            fn check_algorithm(&self) -> Result<(), String> {
                let run = Extent { steps: self.steps, parallel: self.env.parallel };
                match self.algorithm.table() {
                    $(stringify!($table) => self.$table.check(self.algorithm.row(), run),)+
                    other => unreachable!("a table {other} of settings is registered"),
                }
            }
        }
    };
}
for_each_algorithm!(experiment);

/// Returns all tables of an experiment, with every key; the first table has the keys at the top of an experiment.
pub fn tables() -> &'static [Table] {
    static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| {
        let mut tables = described();
        for algorithm in AlgorithmName::all() {
            let bases = [true, false].map(|recurrent| base(algorithm, recurrent));
            for key in tables.iter_mut().flat_map(|table| &mut table.keys) {
                let published = bases.each_ref().map(|base| {
                    let value = match key.path.split_once('.') {
                        Some((table, name)) => base.get(table)?.get(name),
                        None => base.get(&key.path),
                    };
                    value.filter(|value| key.default.as_ref() != Some(value)).cloned()
                });
                let cases = match published {
                    [with, without] if with == without => vec![(algorithm.to_string(), with)],
                    [with, without] => vec![
                        (format!("{algorithm} with a state"), with),
                        (format!("{algorithm} without a state"), without),
                    ],
                };
                key.published.extend(cases.into_iter().filter_map(|(of, value)| Some((of, value?))));
            }
        }
        tables
    });
    &TABLES
}

/// Returns the keys in which the published runs of an algorithm differ from the defaults.
fn base(algorithm: AlgorithmName, recurrent: bool) -> toml::Table {
    (algorithm.row().base)(recurrent).parse().expect("the base of an algorithm is TOML")
}

/// Returns the defaults of all keys but those of the algorithms, whose settings have defaults of their own.
fn defaults() -> toml::Table {
    let mut defaults = toml::Table::new();
    for Table { name, keys, .. } in tables().iter().filter(|t| AlgorithmName::tables().all(|other| other != t.name)) {
        let pairs = keys.iter().filter_map(|key| Some((key.name.to_string(), key.default.clone()?)));
        if name.is_empty() {
            defaults.extend(pairs);
        } else {
            defaults.insert(name.to_string(), toml::Value::Table(pairs.collect()));
        }
    }
    defaults
}

/// A mistake in an experiment, in one sentence.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct ExperimentError(pub String);

impl Experiment {
    /// Reads an experiment from the TOML text `text` and applies overrides such as `ppo.clip=0.1`. Keys that neither
    /// sets have the values that the algorithm was published with. An error is one sentence that names the key, and
    /// `file` with the line or the override.
    pub fn parse(file: &str, text: &str, overrides: &[String]) -> Result<Self, ExperimentError> {
        let mut reading = Reading::new(tables(), file, text).map_err(ExperimentError)?;
        for assignment in overrides {
            reading.change(assignment).map_err(ExperimentError)?;
        }
        if let Some(key) = reading.missing() {
            let meaning = key.meaning.trim_end_matches('.');
            return Err(ExperimentError(format!("{file}: `{}` is missing, which must be set ({meaning})", key.path)));
        }
        let experiment = Self::complete(reading.values.clone()).and_then(|e| e.check().map(|()| e));
        experiment.map_err(|e| ExperimentError(reading.locate(&e)))
    }

    /// Reads an experiment from a table whose values fit their keys, and which has all keys that must be set.
    fn complete(mut table: toml::Table) -> Result<Self, String> {
        let text = |key: &str| table[key].as_str().unwrap_or_default();
        let (name, estimator): (AlgorithmName, Estimator) = (text("algorithm").parse()?, text("estimator").parse()?);
        let own = name.table();
        if let Some(other) = AlgorithmName::tables().find(|t| *t != own && table.contains_key(*t)) {
            return Err(format!(
                "`[{other}]` is set, but the algorithm is {name}, which reads `[{own}]`; take `[{other}]` away, or begin \
                 with a preset of {name}"
            ));
        }
        if table.get("compat").and_then(toml::Value::as_str) == Some("official")
            && let Some(env) = table.get_mut("env").and_then(toml::Value::as_table_mut)
            && env.get("masses").and_then(toml::Value::as_str) == Some("discrete")
        {
            // When the published wrapper draws masses, it also does what these keys say (D1).
            for key in ["stale_inertias", "scale_geoms", "reset_first"] {
                env.entry(key).or_insert(toml::Value::Boolean(true));
            }
        }
        fill(&mut table, base(name, estimator.memory(1).is_recurrent()));
        fill(&mut table, defaults());
        table.try_into::<Self>().map_err(|e| one_line(e.message()))
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

    /// Returns the directory of the run whose policy teaches this one, by the key `teacher` of the algorithm.
    pub fn teacher(&self) -> Option<PathBuf> {
        let settings: toml::Table = self.to_toml().parse().expect("an experiment is TOML");
        let dir = settings.get(self.algorithm.table())?.get("teacher")?.as_str()?;
        (!dir.is_empty()).then(|| dir.into())
    }

    /// Returns the model file of the teacher: that of the run's best evaluation, or of the last checkpoint of a run
    /// that was never evaluated.
    pub fn teacher_model(&self) -> Option<PathBuf> {
        let dir = self.teacher()?;
        let best = dir.join("checkpoints/best.safetensors");
        Some(if best.exists() { best } else { dir.join("policy.safetensors") })
    }

    /// Returns the files that the training reads, each with the key that names it: those of the keys called `demos`, of
    /// the algorithm and of the environment, whose value is the name of a file or a list of such names, and the model
    /// of a teacher.
    pub fn files(&self) -> Vec<(String, PathBuf)> {
        let paths = |value: &toml::Value| match value {
            toml::Value::Array(names) => names.iter().filter_map(|x| x.as_str()).map(PathBuf::from).collect(),
            name => name.as_str().map(PathBuf::from).into_iter().collect::<Vec<_>>(),
        };
        let text = |value: &str| format!("x = {value}").parse::<toml::Table>().expect("a key's value is TOML");
        let named = self.keys().into_iter().filter(|(key, _)| key.ends_with(".demos"));
        let files = named.flat_map(|(key, value)| paths(&text(&value)["x"]).into_iter().map(move |x| (key.clone(), x)));
        let files = files.filter(|(_, file)| !file.as_os_str().is_empty());
        let teacher = self.teacher_model().map(|model| (format!("{}.teacher", self.algorithm.table()), model));
        files.chain(teacher).collect()
    }

    /// Returns what the policy remembers, with a state of `state` entries, in a task whose episodes have at most
    /// `limit` steps. A segment that is no shorter than an episode is the whole episode.
    pub(super) fn memory(&self, state: usize, limit: Option<usize>) -> Memory {
        let memory = match self.estimator.memory(state) {
            Memory::Segments { z, len, drawn } if limit.is_some_and(|limit| len >= limit) => {
                Memory::Segments { z, len: WHOLE, drawn }
            }
            memory => memory,
        };
        match (self.network.drawn, memory) {
            (_, Memory::Window { len }) if self.algorithm.acts_on_history() => Memory::History { len },
            (Some(drawn), Memory::Stochastic { z }) if drawn < z => Memory::Segments { z, len: 1, drawn },
            (Some(drawn), Memory::Segments { z, len, drawn: 1.. }) => Memory::Segments { z, len, drawn: drawn.min(z) },
            _ => memory,
        }
    }

    /// Refuses values that are out of range.
    fn check(&self) -> Result<(), String> {
        self.limits()?;
        self.env.limits()?;
        self.network.limits()?;
        self.evaluation.limits()?;
        self.checkpoint.limits()?;
        if !self.algorithm.takes(self.estimator) {
            return Err(format!(
                "`estimator` is {}, and {} acts on a window of observations and of the actions between them; take \
                 window:K, such as window:8",
                self.estimator, self.algorithm
            ));
        }
        if self.algorithm.is_off_policy() && self.network.drawn.is_some() {
            return Err(format!(
                "`network.drawn` leaves a part of z' out, which {} with its replay buffer does not do; take it away, or \
                 choose an on-policy algorithm",
                self.algorithm
            ));
        }
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

/// Returns the keys of a table in dotted form behind `prefix`, with their values as TOML text.
pub(crate) fn flat(prefix: &str, table: &toml::Table) -> Vec<(String, String)> {
    let pairs = table.iter().flat_map(|(key, value)| match value {
        toml::Value::Table(inner) => flat(&format!("{prefix}{key}."), inner),
        other => vec![(format!("{prefix}{key}"), other.to_string())],
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "algorithm = \"ppo\"\nestimator = \"rs\"\nsteps = 100_000\n[env]\nname = \"TMaze-v0\"\n";

    fn parse(text: &str, overrides: &[&str]) -> Result<Experiment, String> {
        let overrides: Vec<String> = overrides.iter().map(|o| o.to_string()).collect();
        Experiment::parse("x.toml", text, &overrides).map_err(|e| e.to_string())
    }

    /// The files of an experiment are those that its keys called `demos` name, one or a list.
    #[test]
    fn files_are_those_of_the_keys_called_demos() {
        let files = |overrides: &[&str]| parse(&TEXT.replace("ppo", "gail"), overrides).unwrap().files();
        assert_eq!(files(&[]), []);
        let pairs = [("env.demos", "b.npz"), ("env.demos", "c.npz"), ("gail.demos", "a.npz")];
        let pairs = pairs.map(|(key, file)| (key.to_string(), PathBuf::from(file)));
        assert_eq!(files(&["gail.demos=a.npz", "env.demos=[\"b.npz\", \"c.npz\"]"]), pairs);
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
        let instead = |line: &str| TEXT.replace("steps = 100_000", line);
        for (got, parts) in [
            (message(&with("[ppo]\nclap = 0.1"), &[]), ["x.toml:7: there is no key `ppo.clap`", "`[ppo]` has steps,"]),
            (message(&with("[ppo]\nclip = -0.1"), &[]), ["x.toml:7: `ppo.clip` is -0.1", "a number above 0"]),
            (message(&TEXT.replace("rs", "lstm"), &[]), ["x.toml:2", "no estimator `lstm`"]),
            (message("steps = [", &[]), ["x.toml:1: `steps = [` is not TOML", "unclosed array"]),
            (message(&TEXT.replace("steps = 100_000\n", ""), &[]), ["x.toml: `steps` is missing", "must be set"]),
            (message("", &[]), ["x.toml: `algorithm` is missing", "must be set"]),
            (message(&TEXT.replace("name =", "nane ="), &[]), ["x.toml: `env.name` is missing", "s2pg envs"]),
            (message(TEXT, &["ppo.clip"]), ["`ppo.clip` has no `=`", "key=value"]),
            (message(TEXT, &["=3"]), ["override `=3` names no key", "key=value"]),
            (message(TEXT, &["ppo.clip="]), ["override `ppo.clip=`: there is no value of `ppo.clip`", "key=value"]),
            (message(TEXT, &["ppo.clip=high"]), ["override `ppo.clip=high`: `ppo.clip` is high", "a number above 0"]),
            (message(TEXT, &["ppo. clip=1"]), ["there is no key `ppo. clip`", "clip"]),
            (message(TEXT, &["steps.x=1"]), ["override `steps.x=1`", "not a table"]),
            (message(TEXT, &["ppo=3"]), ["`ppo` is a table", "such as `ppo.steps`"]),
            (message(&with("[[ppo]]\nclip = 1"), &[]), ["x.toml:6: `ppo` is a table", "one by one"]),
            (message(TEXT, &["env.corridor=3", "env.corridor.x=3"]), ["`env.corridor.x`", "`corridor` is not a table"]),
            (message(TEXT, &["seed=1", "seed=2"]), ["override `seed=2`", "set by override `seed=1` as well"]),
            (message(TEXT, &["gamma=0.9"]), ["override `gamma=0.9`", "the key is `ppo.gamma`"]),
            (message(TEXT, &["nonsense=0.9"]), ["there is no key `nonsense`", "the tables env, network"]),
            (message(TEXT, &["ppo.gamma=1.5"]), ["override `ppo.gamma=1.5`: `ppo.gamma` is 1.5", "between 0 and 1"]),
            (message(TEXT, &["steps=0"]), ["`steps` is 0", "at least 1"]),
            (
                message(TEXT, &["env.parallel=3"]),
                ["override `env.parallel=3`: `ppo.steps` = 2000", "`env.parallel` = 3"],
            ),
            (message(TEXT, &["algorithm=trpo", "env.parallel=3"]), ["`trpo.steps` = 2000", "`env.parallel` = 3"]),
            (message(TEXT, &["algorithm=gpomdp", "env.parallel=3"]), ["`reinforce.episodes` = 16", "take a multiple"]),
            (
                message(TEXT, &["algorithm=reinforce", "reinforce.episodes=1"]),
                ["`reinforce.episodes` is 1", "at least 2"],
            ),
            (message(TEXT, &["algorithm=trpo", "trpo.kl=0"]), ["`trpo.kl` is 0", "above 0"]),
            (message(TEXT, &["algorithm=sac", "sac.alpha=1e300"]), ["`sac.alpha` is 1e300;", "at most 1000000"]),
            (message(TEXT, &["algorithm=trpo", "trpo.backtrack=2"]), ["`trpo.backtrack` is 2", "above 0 and below 1"]),
            (message(&with("[ppo]\nclip = 0.1"), &["algorithm=sac"]), ["x.toml:7: `[ppo]` is set", "reads `[sac]`"]),
            (message(TEXT, &["network.policy=wide"]), ["`network.policy` is wide", "\"shortcut\", \"simple\""]),
            (message(&with("[reinforce]\nnetwork = \"simple\""), &[]), ["x.toml:7", "is now `network.policy`"]),
            (message(TEXT, &["switches.align_next_windows=true"]), ["is now `switches.misalign", "opposite value"]),
            (message(TEXT, &["algorithm=pbo"]), ["there is no algorithm `pbo`", "ppo, trpo"]),
            (message(TEXT, &["estimator=window:0"]), ["`window:0` is not possible", "K from 1 to 100000"]),
            (message(TEXT, &["estimator=window:1000000000000"]), ["`window:1000000000000`", "K from 1 to 100000"]),
            (message(TEXT, &["estimator=bptt:99999999999999999999"]), ["write bptt:K", "K from 1 to 100000"]),
            (message(TEXT, &["estimator=bptt"]), ["write bptt:K", "K from 1 to 100000"]),
            (message(TEXT, &["steps=-5"]), ["`steps` is -5", "a whole number from 1 on, such as 100000 or 1e5"]),
            (message(TEXT, &["steps=2**20"]), ["`steps` is 2**20", "such as 100000 or 1e5"]),
            (message(TEXT, &["steps=1M"]), ["`steps` is 1M", "such as 100000 or 1e5"]),
            (message(TEXT, &["steps=nan"]), ["`steps` is nan", "a whole number"]),
            (message(TEXT, &["steps=99999999999999999999"]), ["too large", "9223372036854775807"]),
            (message(&instead("steps = 99999999999999999999"), &[]), ["x.toml:3: `steps` is 9999", "too large"]),
            (message(&instead("steps = \"100\""), &[]), ["x.toml:3: `steps` is \"100\"", "a whole number"]),
            (message(&instead("steps = 2024-01-01"), &[]), ["x.toml:3: `steps` is 2024-01-01", "a whole number"]),
            (message(&instead("steps = +-3"), &[]), ["x.toml:3: `steps = +-3` is not TOML", ""]),
            (message(&with("[ppo]\nlr = .001"), &[]), ["x.toml:7: `lr = .001` is not TOML", "write lr = 0.001"]),
            (
                message(&instead("steps = 1.\nseed = 3"), &[]),
                ["x.toml:3: `steps = 1.` is not TOML", "write steps = 1.0"],
            ),
            (message(&instead("standardise = True"), &[]), ["x.toml:3", "write standardise = true"]),
            (message(&TEXT.replace("\"rs\"", "bptt:5"), &[]), ["x.toml:2", "write estimator = \"bptt:5\""]),
            (message(TEXT, &["standardise=True"]), ["`standardise` is True", "it must be true or false"]),
            (message(TEXT, &["standardise=1"]), ["`standardise` is 1", "it must be true or false"]),
            (message(TEXT, &["compat=\"yes\""]), ["`compat` is \"yes\"", "\"correct\" or \"official\""]),
            (message(&with("[ppo]\nlr = { start = -1 }"), &[]), ["x.toml:7: `ppo.lr.start` is -1", "above 0"]),
            (message(TEXT, &["ppo.lr=nan"]), ["`ppo.lr` is NaN", "above 0"]),
            (message(TEXT, &["ppo.lr=-inf"]), ["`ppo.lr` is -inf", "above 0"]),
            (message(TEXT, &["ppo.lr=1\nseed=2"]), ["override `ppo.lr=1\\nseed=2`: `ppo.lr` is 1\\nseed=2", "above 0"]),
            (message(TEXT, &["env.day=2024-01-01"]), ["`env.day` is a date", "no option of an environment"]),
            (message(TEXT, &["env.a.b.c.d.e.f.g.h.i=1"]), ["nested too deep", "no option of an environment"]),
        ] {
            assert!(parts.iter().all(|p| got.contains(p)) && !got.contains('\n'), "{parts:?} in {got}");
        }
    }

    /// A number is read in every form that can mean no other, in overrides and, where TOML has the form, in files.
    #[test]
    fn numbers_have_many_forms() {
        for steps in ["100000", "100_000", "1e5", "1E5", "+1e5", "100000.0", "+100000", "0x186a0", "100000."] {
            let experiment = parse(TEXT, &[&format!("steps={steps}")]).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(experiment.steps, 100_000, "{steps}");
        }
        for lr in ["0.001", ".001", "1e-3", "+1e-3", "1_0e-4", "0.1e-2", " 0.001 "] {
            let experiment = parse(TEXT, &[&format!("ppo.lr={lr}")]).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(experiment.ppo.lr, 0.001.into(), "{lr}");
        }
        assert_eq!(parse(TEXT, &["ppo.lr=1."]).unwrap().ppo.lr, 1.0.into());
        assert_eq!(parse(TEXT, &["ppo.lr=1"]).unwrap().ppo.lr, 1.0.into());
        for steps in ["100_000", "1e5", "+100000.0"] {
            let text = TEXT.replace("steps = 100_000", &format!("steps = {steps}"));
            assert_eq!(parse(&text, &[]).unwrap().steps, 100_000, "{steps}");
        }
        for name in ["estimator=bptt:5", "estimator=\"bptt:5\"", "estimator='bptt:5'", " estimator = bptt:5 "] {
            assert_eq!(parse(TEXT, &[name]).unwrap().estimator.to_string(), "bptt:5", "{name}");
        }
    }

    /// What a file leaves open, an override may set.
    #[test]
    fn overrides_complete_a_file() {
        let text = TEXT.replace("steps = 100_000\n", "");
        assert_eq!(parse(&text, &["steps=7e4"]).unwrap().steps, 70_000);
        let all = ["algorithm=ppo", "estimator=rs", "steps=5e4", "env.name=TMaze-v0"];
        assert_eq!(parse("", &all).unwrap().steps, 50_000);
    }
}
