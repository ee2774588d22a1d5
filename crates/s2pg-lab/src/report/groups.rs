//! Runs of one experiment with several seeds.

use std::path::Path;

use s2pg::experiment::Experiment;
use s2pg::results::{self, Curve, ReadError};

use crate::curve::label;

/// Runs of one experiment with several seeds.
#[derive(Clone, Debug)]
pub struct Group {
    /// How figure and table call it: algorithm and estimator, and what else tells it from the other groups.
    pub name: String,
    /// The experiment of its first run.
    pub experiment: Experiment,
    /// What its runs have shown, in the order in which they were given.
    pub curves: Vec<Curve>,
}

/// Reads the runs in these directories, and puts runs that differ only in their seed together. The groups are in the
/// order of their first runs.
pub fn groups<P: AsRef<Path>>(runs: &[P]) -> Result<Vec<Group>, ReadError> {
    let mut groups: Vec<Group> = Vec::new();
    for dir in runs {
        let experiment = results::experiment(dir.as_ref())?;
        let curve = Curve::read(dir.as_ref(), experiment.seed)?;
        let seedless = |e: &Experiment| Experiment { seed: 0, ..e.clone() }.to_toml();
        match groups.iter_mut().find(|group| seedless(&group.experiment) == seedless(&experiment)) {
            Some(group) => group.curves.push(curve),
            None => groups.push(Group { name: String::new(), experiment, curves: vec![curve] }),
        }
    }
    name(&mut groups);
    Ok(groups)
}

/// Names groups by algorithm and estimator, and adds what else tells them apart: the environment, or single keys.
fn name(groups: &mut [Group]) {
    let one_task = groups.iter().all(|g| g.experiment.env.name == groups[0].experiment.env.name);
    let keys: Vec<Vec<(String, String)>> = groups.iter().map(|g| g.experiment.keys()).collect();
    let base = |g: &Group| {
        let task = if one_task { String::new() } else { format!(" {}", g.experiment.env.name) };
        label(&g.experiment) + &task
    };
    let names: Vec<String> = groups.iter().map(base).collect();
    for (i, group) in groups.iter_mut().enumerate() {
        let alike = || (0..names.len()).filter(|&j| j != i && names[j] == names[i]);
        let tells = |pair: &&(String, String)| pair.0 != "seed" && alike().any(|j| !keys[j].contains(pair));
        let extra = keys[i].iter().filter(tells).map(|(key, value)| format!(", {key} = {value}"));
        group.name = names[i].clone() + &extra.collect::<String>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn run(dir: &Path, name: &str, key: &str, returns: &str) -> PathBuf {
        let run = dir.join(name);
        std::fs::create_dir(&run).unwrap();
        let (top, table) = key.split_once('\n').unwrap_or((key, ""));
        let text = format!("algorithm = \"ppo\"\nestimator = \"rs\"\nsteps = 9\n{top}\n[env]\nname = \"x\"\n{table}\n");
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
        let groups = groups(&runs).unwrap();
        let shown: Vec<_> = groups.iter().map(|g| (&*g.name, g.curves.iter().map(|c| c.seed).collect())).collect();
        assert_eq!(shown, [("PPO-RS, ppo.clip = 0.2", vec![1, 2]), ("PPO-RS, ppo.clip = 0.1", vec![0])]);
    }

    /// What is written is what the report shows; a directory that is no run is an error.
    #[test]
    fn a_report_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let runs = [run(dir.path(), "a", "seed = 1", "2"), run(dir.path(), "b", "seed = 2", "4")];
        let report = super::super::Report::of(&runs, None).unwrap();
        assert!(
            report.table().contains("| PPO-RS | 8 | 3 | 2 to 4 (2 seeds, indicative) | - | 0.02 | 1: 2, -; 2: 4, - |")
        );
        let paths = report.write(&dir.path().join("out")).unwrap();
        let [svg, png, page] = &paths[..] else { panic!("{paths:?}") };
        assert_eq!(std::fs::read_to_string(svg).unwrap(), report.figure().svg());
        assert_eq!(std::fs::read(png).unwrap(), report.figure().png());
        assert!(std::fs::read_to_string(page).unwrap().ends_with(&report.table()));
        assert!(matches!(groups(&[dir.path()]), Err(ReadError::NoRun(..))));
    }
}
