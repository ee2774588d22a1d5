//! Campaigns: many runs from one file, each in a directory that is named after its experiment, so that no run is done
//! twice and every run goes on where it was stopped. Who carries a campaign out is a front end.

mod file;
mod halving;
mod points;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use s2pg::experiment::Experiment;
use s2pg::run::model_metadata;

use crate::presets::{self, FindError};

pub use file::CampaignError;
use file::File;
pub use halving::{Candidate, Halving};

/// The most runs of a campaign.
pub const MOST: usize = 100_000;

/// Many runs.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// What its report is called: the title in its file, or the file's name.
    pub title: String,
    /// The runs, in the order of the file: the seeds of one experiment stand side by side.
    pub runs: Vec<Planned>,
    /// Which runs are left early, where the file says so.
    pub halving: Option<Halving>,
}

/// A run of a campaign.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The name of its directory: algorithm, estimator, environment and seed, and a hash of all its keys.
    pub name: String,
    /// What it trains.
    pub experiment: Experiment,
}

/// How far a run of a campaign is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// All its steps are taken, and everything after them is done.
    Finished,
    /// It diverged, which it would do again.
    Diverged,
    /// It has a checkpoint at this step.
    Begun(usize),
    /// It has no checkpoint yet.
    Waiting,
}

/// The name of the file that a finished run of a campaign has in its directory; it holds the number of steps.
const FINISHED: &str = "FINISHED";

impl Campaign {
    /// Reads a campaign from a TOML file. An error is one sentence that names the file, and the line or the key.
    pub fn read(file: &Path) -> Result<Self, CampaignError> {
        let text = std::fs::read_to_string(file).map_err(|e| CampaignError::File(file.into(), e))?;
        let title = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self::parse(&file.display().to_string(), &title, &text)
    }

    /// Reads a campaign from the text `text` of the file `name`. It is called `title` unless the text says otherwise.
    pub fn parse(name: &str, title: &str, text: &str) -> Result<Self, CampaignError> {
        let wrong = |what: String| CampaignError::Wrong(format!("{name}: {what}"));
        let file = File::parse(name, text)?;
        let (mut runs, mut names) = (Vec::new(), BTreeSet::new());
        let points = file.points().map_err(wrong)?;
        let of_each = |one: &[String], key: &str| match one {
            [] => vec![None],
            all => all.iter().map(|x| Some(format!("{key}={x}"))).collect(),
        };
        let seeds = file.seeds().map_err(wrong)?;
        let products = [file.experiments.len(), file.tasks.len().max(1), file.estimators.len().max(1)];
        let all = products.iter().chain([&points.len(), &seeds.len()]).try_fold(1_usize, |a, b| a.checked_mul(*b));
        if all.is_none_or(|all| all > MOST) {
            return Err(wrong(format!("more than {MOST} runs; make several campaigns of it")));
        }
        let mut candidates = Vec::new();
        for experiment in &file.experiments {
            for task in of_each(&file.tasks, "env.name") {
                for estimator in of_each(&file.estimators, "estimator") {
                    let group: Vec<String> = [&task, &estimator].into_iter().flatten().cloned().collect();
                    for point in &points {
                        let begin = runs.len();
                        for seed in &seeds {
                            let steps = file.steps.map(|steps| format!("steps={steps}"));
                            let (steps, seed) = (Vec::from_iter(steps), vec![format!("seed={seed}")]);
                            let changes = [&group, &steps, &file.overrides, point, &seed].into_iter().flatten();
                            let changes: Vec<String> = changes.cloned().collect();
                            let found = presets::find(experiment, &changes, Some(Path::new("")))
                                .map_err(|e: FindError| wrong(format!("`{experiment}`: {e}")))?;
                            let planned = Planned::new(found.experiment);
                            if names.insert(planned.name.clone()) {
                                runs.push(planned);
                            }
                        }
                        if begin < runs.len() {
                            let group = [std::slice::from_ref(experiment), &group[..]].concat().join(" ");
                            candidates.push(Candidate { group, point: point.join(" "), runs: begin..runs.len() });
                        }
                    }
                }
            }
        }
        let halving = file.halving.map(|rule| Halving { rule, candidates });
        if let Some(run) = halving.as_ref().and_then(|_| runs.iter().find(|run| is_scheduled(&run.experiment))) {
            let what = "follows a schedule over all its steps, so it cannot go on with more; leave out `halving`";
            return Err(wrong(format!("{} {what}", run.name)));
        }
        Ok(Self { title: file.title.unwrap_or_else(|| title.into()), runs, halving })
    }
}

impl Planned {
    /// Names a run after its experiment. The number of steps is no part of the name, so that a campaign with more steps
    /// goes on with its runs; where a step size or a weight follows a schedule over all steps, it is.
    pub fn new(experiment: Experiment) -> Self {
        let (keys, is_scheduled) = (experiment.keys(), is_scheduled(&experiment));
        let told = keys.iter().filter(|(key, _)| key != "steps" || is_scheduled);
        // FNV-1a, which never changes.
        let hash = told
            .flat_map(|(key, value)| [key.as_bytes(), b"=", value.as_bytes(), b"\n"].concat())
            .fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
        let Experiment { algorithm, estimator, env, seed, .. } = &experiment;
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        let label: String = format!("{algorithm}-{estimator}-{}", env.name).chars().map(plain).take(80).collect();
        Self { name: format!("{label}-{seed}-{hash:016x}"), experiment }
    }

    /// The directory of the run in the directory `of` of its campaign.
    pub fn dir(&self, of: &Path) -> PathBuf {
        of.join("runs").join(&self.name)
    }

    /// Tells how far the run is in the directory `of` of its campaign.
    pub fn state(&self, of: &Path) -> State {
        let dir = self.dir(of);
        let steps = |text: String| text.trim().parse::<usize>().ok();
        let finished = std::fs::read_to_string(dir.join(FINISHED)).ok().and_then(steps);
        if finished.is_some_and(|steps| steps >= self.experiment.steps) {
            return State::Finished;
        }
        if dir.join("diverged.safetensors").exists() {
            return State::Diverged;
        }
        let saved = model_metadata(&dir.join("policy.safetensors")).ok();
        saved.and_then(|mut pairs| steps(pairs.remove("steps")?)).map_or(State::Waiting, State::Begun)
    }

    /// Notes in the directory `of` of its campaign that the run is finished.
    pub fn note_finished(&self, of: &Path) -> std::io::Result<()> {
        std::fs::write(self.dir(of).join(FINISHED), format!("{}\n", self.experiment.steps))
    }
}

/// Whether a step size or a weight falls over all steps.
fn is_scheduled(experiment: &Experiment) -> bool {
    experiment.keys().iter().any(|(key, _)| key.ends_with(".start"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Campaign, String> {
        Campaign::parse("x.toml", "x", text).map_err(|e| e.to_string())
    }

    /// A campaign is the product of its lists: seeds stand side by side, and what is said twice is one run.
    #[test]
    fn a_campaign_is_a_product() {
        let text = "
            experiments = [\"ppo-rs/t-maze\", \"ppo-rs/pendulum\"]
            estimators = [\"rs\", \"tbptt:4\", \"rs\"]
            seeds = 3
            steps = 10_240
            overrides = [\"network.hidden=8\"]
            [grid]
            ppo.lr = [1e-3, 3e-3]
            network.features = [16]
        ";
        let campaign = parse(text).unwrap();
        assert_eq!((campaign.title.as_str(), campaign.runs.len()), ("x", 2 * 2 * 2 * 3));
        let shown: Vec<_> = campaign.runs[..4]
            .iter()
            .map(|run| (run.experiment.seed, run.experiment.ppo.lr, run.experiment.network.features))
            .collect();
        let lr = |x| s2pg::algo::Scheduled::Constant(x);
        assert_eq!(shown, [(0, lr(1e-3), 16), (1, lr(1e-3), 16), (2, lr(1e-3), 16), (0, lr(3e-3), 16)]);
        assert!(campaign.runs.iter().all(|run| run.experiment.steps == 10_240 && run.experiment.network.hidden == 8));
        let names: BTreeSet<_> = campaign.runs.iter().map(|run| &run.name).collect();
        assert_eq!(names.len(), campaign.runs.len());
        assert!(campaign.runs[0].name.starts_with("ppo-rs-TMaze-v0-0-"), "{}", campaign.runs[0].name);
    }

    /// The name of a run follows from its keys alone, without the number of steps unless something falls over all of
    /// them.
    #[test]
    fn names_are_those_of_experiments() {
        let of = |changes: &str| {
            parse(&format!("experiments = [\"ppo-rs/t-maze\"]\noverrides = [{changes}]")).unwrap().runs[0].name.clone()
        };
        assert_eq!(of("\"steps=10_240\""), of("\"steps=20_480\""));
        assert_eq!(of("\"ppo.clip=0.2\""), of("\"ppo.clip=2e-1\""));
        assert_ne!(of("\"ppo.clip=0.2\""), of("\"ppo.clip=0.3\""));
        let falls = |steps| of(&format!("\"ppo.lr={{ start = 1e-3, end = 0.0 }}\", \"steps={steps}\""));
        assert_ne!(falls(10_240), falls(20_480));
    }

    /// A random search draws the same points again; numbers are spread over the logarithm where that is said.
    #[test]
    fn random_points_repeat() {
        let text = "
            experiments = [\"ppo-rs/t-maze\"]
            [random]
            samples = 50
            ppo.lr = { low = 1e-4, high = 1e-2, log = true }
            network.hidden = [8, 16]
        ";
        let (a, b) = (parse(text).unwrap(), parse(text).unwrap());
        assert_eq!((a.runs.len(), &a.runs), (50, &b.runs));
        let rates: Vec<f64> = a.runs.iter().map(|run| run.experiment.ppo.lr.at(s2pg::algo::Progress::START)).collect();
        assert!(rates.iter().all(|x| (1e-4..=1e-2).contains(x)));
        let low = rates.iter().filter(|x| **x < 1e-3).count();
        assert!((15..=35).contains(&low), "{low}");
    }

    /// A mistake is one sentence with the file, and the line or the key.
    #[test]
    fn mistakes_in_a_campaign() {
        let cases = [
            ("", "x.toml: `experiments` is missing"),
            ("experiments = []", "`experiments` is empty"),
            ("experiments = [\"ppo-rs/t-maze\"]\nseed = 3", "x.toml:2: there is no key `seed`; the key is `seeds`"),
            ("experiments = [\"ppo-rs/t-maze\"]\nseeds = 0", "`seeds` is 0"),
            ("experiments = [\"ppo-rs/t-maze\"]\nseeds = [1, 1]", "`seeds` has 1 twice"),
            ("experiments = [\"ppo-rs/t-maze\"]\nseeds = \"a\"", "x.toml:2: "),
            ("experiments = [\"ppo-rs/t-mace\"]", "`ppo-rs/t-mace`: `ppo-rs/t-mace` is no preset"),
            ("experiments = [\"ppo-rs/t-maze\"]\nestimators = [\"rx\"]", "no estimator `rx`"),
            ("experiments = [\"ppo-rs/t-maze\"]\nseeds = 1000000", "more than 100000 runs"),
            ("experiments = [\"ppo-rs/t-maze\"]\n[grid]\nppo.lr = 3", "`grid`: `ppo.lr` is 3; give a list of values"),
            ("experiments = [\"ppo-rs/t-maze\"]\n[random]\nppo.lr = [1]", "`random.samples` is missing"),
            ("experiments = [\"ppo-rs/t-maze\"]\n[random]\nsamples = 2\nppo.lr = { low = 2 }", "low and high"),
            ("experiments = [\"ppo-rs/t-maze\"]\n[halving]\nkeep = 2", "x.toml:2: missing field `first`"),
            ("experiments = [\"ppo-rs/t-maze\"]\n[halving]\nfirst = 0", "`halving.first` is 0"),
            ("experiments = [\"ppo-rs/t-maze\"]\n[halving]\nfirst = 9\nkeep = 1", "`halving.keep` must be at least 2"),
            (
                "experiments = [\"ppo-rs/t-maze\"]\noverrides = [\"ppo.lr={ start = 1e-3, end = 0.0 }\"]\n[halving]\nfirst = 9",
                "follows a schedule over all its steps",
            ),
            ("experiments = [", "x.toml:1: "),
        ];
        for (text, words) in cases {
            let error = parse(text).expect_err(words);
            assert!(error.contains(words) && !error.contains('\n'), "{words} is not in: {error}");
        }
    }
}
