//! Runs of one experiment with several seeds.

use std::path::{Path, PathBuf};

use s2pg::experiment::Experiment;
use s2pg::results::statistics::{Estimate, interquartile_mean, mean};
use s2pg::results::{self, Curve, ReadError};

use super::interval;
use crate::curve::label;

/// Runs of one experiment with several seeds.
#[derive(Clone, Debug)]
pub struct Group {
    /// How figure and table call it: algorithm and estimator, and what else tells it from the other groups of its
    /// environment.
    pub name: String,
    /// The experiment of its first run.
    pub experiment: Experiment,
    /// The directories of its runs, in the order in which they were given.
    pub dirs: Vec<PathBuf>,
    /// What its runs have shown, in the same order.
    pub curves: Vec<Curve>,
}

/// The final values of a group, over its seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Environment steps of the run that has the fewest; None before the first row of a run.
    pub steps: Option<f64>,
    /// Number of seeds with a training return.
    pub seeds: usize,
    /// The mean over seeds of the last training return, with its 95 % interval; None before an episode has ended.
    pub training: Option<Estimate>,
    /// The mean over seeds of the return of the last deterministic evaluation.
    pub evaluation: Option<f64>,
    /// The mean over seeds of the seconds of work.
    pub seconds: Option<f64>,
}

impl Group {
    /// The interquartile mean over seeds of the last training return; None before an episode has ended.
    pub fn interquartile_mean(&self) -> Option<f64> {
        let returns: Vec<f64> = self.curves.iter().filter_map(Curve::last_return).collect();
        (!returns.is_empty()).then(|| interquartile_mean(&returns))
    }

    /// The final values of the group.
    pub fn summary(&self) -> Summary {
        let last = |f: &dyn Fn(&Curve) -> Option<f64>| self.curves.iter().filter_map(f).collect::<Vec<f64>>();
        let average = |values: Vec<f64>| (!values.is_empty()).then(|| mean(&values));
        let returns = last(&Curve::last_return);
        Summary {
            steps: last(&|c| c.steps.last().copied()).into_iter().reduce(f64::min),
            seeds: returns.len(),
            training: (!returns.is_empty()).then(|| interval(&returns)),
            evaluation: average(last(&Curve::last_evaluation)),
            seconds: average(last(&|c| c.seconds.last().copied())),
        }
    }
}

/// Reads the runs in these directories, and puts runs that differ only in their seed together. The groups are in the
/// order of their first runs. A run that is given twice, or a copy of it, counts once; the second value says so.
pub fn groups<P: AsRef<Path>>(runs: &[P]) -> Result<(Vec<Group>, Vec<String>), ReadError> {
    let (mut groups, mut notes): (Vec<Group>, Vec<String>) = (Vec::new(), Vec::new());
    let mut known: Vec<PathBuf> = Vec::new();
    for dir in runs.iter().map(AsRef::as_ref) {
        // As `runs/*` names it, where a series of seeds left its report.
        if dir.join("report.md").exists() && !dir.join("experiment.toml").exists() {
            notes.push(format!("{} holds a report and no run, and was left out.", dir.display()));
            continue;
        }
        let experiment = results::experiment(dir)?;
        let place = dir.canonicalize().unwrap_or_else(|_| dir.into());
        if known.contains(&place) {
            notes.push(format!("{} was given twice, and counts once.", dir.display()));
            continue;
        }
        known.push(place);
        let curve = Curve::read(dir, experiment.seed)?;
        // What may change while a run goes on does not part it from the others.
        let of = |group: &Group| {
            let Experiment { seed, evaluation, checkpoint, .. } = experiment.clone();
            Experiment { seed, evaluation, checkpoint, ..group.experiment.clone() }
        };
        let Some(group) = groups.iter_mut().find(|group| of(group) == experiment) else {
            let (dirs, curves) = (vec![dir.into()], vec![curve]);
            groups.push(Group { name: String::new(), experiment, dirs, curves });
            continue;
        };
        if let Some(i) = group.curves.iter().position(|known| known.seed == curve.seed) {
            let (a, b) = (group.dirs[i].display(), dir.display());
            notes.push(format!("{a} and {b} are the same experiment with the same seed {}; {a} counts.", curve.seed));
            continue;
        }
        group.dirs.push(dir.into());
        group.curves.push(curve);
    }
    name(&mut groups);
    Ok((groups, notes))
}

/// Names groups by algorithm and estimator, and adds the keys that tell them from others in the same environment.
fn name(groups: &mut [Group]) {
    let keys: Vec<Vec<(String, String)>> = groups.iter().map(|g| g.experiment.keys()).collect();
    let names: Vec<(String, String)> =
        groups.iter().map(|g| (label(&g.experiment), g.experiment.env.name.clone())).collect();
    for (i, group) in groups.iter_mut().enumerate() {
        let alike = || (0..names.len()).filter(|&j| j != i && names[j] == names[i]);
        let tells = |pair: &&(String, String)| pair.0 != "seed" && alike().any(|j| !keys[j].contains(pair));
        let extra = keys[i].iter().filter(tells).map(|(key, value)| format!(", {key} = {value}"));
        group.name = names[i].0.clone() + &extra.collect::<String>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;

    fn run(dir: &Path, name: &str, key: &str, returns: &str) -> PathBuf {
        let run = dir.join(name);
        std::fs::create_dir(&run).unwrap();
        let (top, table) = key.split_once('\n').unwrap_or((key, ""));
        let table = if table.contains("[env]") { table.to_string() } else { format!("[env]\nname = \"x\"\n{table}") };
        let text = format!("algorithm = \"ppo\"\nestimator = \"rs\"\nsteps = 9_000\n{top}\n{table}\n");
        std::fs::write(run.join("experiment.toml"), text).unwrap();
        let rows = format!("time/total_timesteps,rollout/ep_rew_mean\n4,1\n8,{returns}\n");
        std::fs::write(run.join("progress.csv"), rows).unwrap();
        std::fs::write(run.join("time.csv"), "time/total_timesteps,time/time_elapsed\n4,30\n8,60\n").unwrap();
        run
    }

    /// Runs with other seeds are one group; a group is named by the key that tells it from those alike.
    #[test]
    fn seeds_are_one_group() {
        let dir = tempfile::tempdir().unwrap();
        let of = |name, key, returns| run(dir.path(), name, key, returns);
        let runs = [of("a", "seed = 1", "2"), of("b", "seed = 0\n[ppo]\nclip = 0.1", "5"), of("c", "seed = 2", "4")];
        let (groups, notes) = groups(&runs).unwrap();
        let shown: Vec<_> = groups.iter().map(|g| (&*g.name, g.curves.iter().map(|c| c.seed).collect())).collect();
        assert_eq!(shown, [("PPO-RS, ppo.clip = 0.2", vec![1, 2]), ("PPO-RS, ppo.clip = 0.1", vec![0])]);
        assert!(notes.is_empty(), "{notes:?}");
    }

    /// A run that is given twice, by whatever path, and a copy of a run are one seed, and the report says so.
    #[test]
    fn a_run_counts_once() {
        let dir = tempfile::tempdir().unwrap();
        let [a, copy] = ["a", "copy"].map(|name| run(dir.path(), name, "seed = 1", "2"));
        let again = dir.path().join("copy/../a/.");
        let report = Report::of(&[&a, &again, &copy], None).unwrap();
        assert_eq!((report.groups.len(), report.groups[0].summary().seeds), (1, 1));
        let table = report.table();
        assert!(table.contains("| PPO-RS | 8 | 2 | 1 seed: none | - | 1 min 00 s | 1: 2, - |"), "{table}");
        assert!(table.contains("a/. was given twice, and counts once."), "{table}");
        assert!(table.contains("copy are the same experiment with the same seed 1;"), "{table}");
    }

    /// Small returns keep their digits; each environment has a table and panels of its own, under its name; what a line
    /// and a band are, and of how many seeds, is said in the picture.
    #[test]
    fn environments_are_apart() {
        let dir = tempfile::tempdir().unwrap();
        let of = |name, key, returns| run(dir.path(), name, key, returns);
        let other = "seed = 0\n[env]\nname = \"Other-v0\"";
        let runs = [of("a", "seed = 1", "0.0625"), of("b", other, "-3000.4"), of("c", "seed = 2", "-0.25")];
        let report = Report::of(&runs, Some("Mine")).unwrap();
        let table = report.table();
        let (first, second) = table.split_once("## Other-v0").unwrap();
        assert!(first.starts_with("## x\n"), "{table}");
        let row = "| PPO-RS | 8 | -0.09375 | -0.25 to 0.0625 (2 seeds, indicative) | - | 1 min 00 s | \
                   1: 0.0625, -; 2: -0.25, - |";
        assert!(first.contains(row) && second.contains("| PPO-RS | 8 | -3000 | 1 seed: none |"), "{table}");
        let svg = report.figure().svg();
        let words = ["Mine — x<", "Mine — Other-v0<", "PPO-RS, 2 seeds<", "PPO-RS, 1 seed<", "95 % bootstrap interval"];
        for word in words {
            assert!(svg.contains(word), "{word} is not in the picture");
        }
        assert!(!svg.contains("1 seeds"));
    }

    /// A run in which no episode has ended is told from a file or a directory that is no run, which is an error.
    #[test]
    fn no_episode_is_no_foreign_file() {
        let dir = tempfile::tempdir().unwrap();
        let a = run(dir.path(), "a", "seed = 1", "");
        for (text, words) in [
            ("", "no episode has ended yet: no step is logged yet"),
            ("time/total_timesteps,rollout/ep_rew_mean\n4,\n8,\n", "no episode has ended yet: 8 steps"),
        ] {
            std::fs::write(a.join("progress.csv"), text).unwrap();
            assert!(Report::of(&[&a], None).unwrap().table().contains(words));
        }
        for (text, words) in [
            ("a,b\n1,2\n", "line 1 names no column `time/total_timesteps`"),
            ("time/total_timesteps,rollout/ep_rew_mean\n4,seven\n", "line 2: `seven` is no number"),
        ] {
            std::fs::write(a.join("progress.csv"), text).unwrap();
            let error = Report::of(&[&a], None).unwrap_err().to_string();
            assert!(error.contains("progress.csv") && error.contains(words), "{error}");
        }
        std::fs::write(a.join("progress.csv"), b"\xff\xfe\x00").unwrap();
        assert!(Report::of(&[&a], None).unwrap_err().to_string().contains("not a text in UTF-8"));
        let file = Report::of(&[a.join("time.csv")], None).unwrap_err().to_string();
        assert!(file.contains("time.csv is a file, not the directory of a run"), "{file}");
    }

    /// What is written is what the report shows; a directory that is no run is an error.
    #[test]
    fn a_report_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let runs = [run(dir.path(), "a", "seed = 1", "2"), run(dir.path(), "b", "seed = 2", "4")];
        let report = Report::of(&runs, None).unwrap();
        let row = "| PPO-RS | 8 | 3 | 2 to 4 (2 seeds, indicative) | - | 1 min 00 s | 1: 2, -; 2: 4, - |";
        assert!(report.table().contains(row), "{}", report.table());
        let out = dir.path().join("out");
        let paths = report.write(&out).unwrap();
        let [svg, png, page, html] = &paths[..] else { panic!("{paths:?}") };
        assert_eq!(std::fs::read_to_string(svg).unwrap(), report.figure().svg());
        assert_eq!(std::fs::read(png).unwrap(), report.figure().png());
        let html = std::fs::read_to_string(html).unwrap();
        for words in
            ["<svg", "2 to 4", "prefers-color-scheme:dark", "<summary>PPO-RS on x, seeds 1, 2", "estimator = &quot;rs"]
        {
            assert!(html.contains(words), "{words} is not on the page");
        }
        assert!(
            !html.contains("src=") && !html.contains("<script") && !html.contains("href="),
            "it needs nothing else"
        );
        assert!(std::fs::read_to_string(page).unwrap().ends_with(&report.table()));
        assert!(matches!(groups(&[dir.path()]), Err(ReadError::NoRun(..))));
        let with_report = Report::of(&[&runs[0], &out], None).unwrap();
        assert_eq!((with_report.groups.len(), with_report.notes.len()), (1, 1));
    }
}
