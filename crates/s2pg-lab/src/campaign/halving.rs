//! Successive halving: all points of a search are run for a few steps, the best of them go on for more, and so on.

use std::ops::Range;
use std::path::Path;

use s2pg::results::{Curve, ReadError};
use serde::Deserialize;

use super::{Campaign, Planned, State};

/// The table `[halving]` of a file.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    /// Steps of the first round; each further round has `keep` times as many.
    pub first: usize,
    /// One of so many goes on.
    #[serde(default = "three")]
    pub keep: usize,
}

fn three() -> usize {
    3
}

/// How a campaign decides which of its runs go on.
#[derive(Clone, Debug)]
pub struct Halving {
    pub(super) rule: Rule,
    pub(super) candidates: Vec<Candidate>,
}

/// The runs of one point, which differ in their seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Experiment, task and estimator: candidates are compared with those of the same group.
    pub group: String,
    /// The changes that the point makes.
    pub point: String,
    /// Its runs among those of the campaign.
    pub runs: Range<usize>,
}

impl Halving {
    /// The steps of each round, where the longest run has `most`.
    fn rounds(&self, most: usize) -> Vec<usize> {
        let powers = std::iter::successors(Some(self.rule.first), |steps| steps.checked_mul(self.rule.keep));
        powers.take_while(|steps| *steps < most).chain([most]).collect()
    }
}

impl Campaign {
    /// The campaign as it stands in `dir`: each run with the number of steps that it may take by now. Without halving
    /// this is the campaign itself. With halving, a round begins when the one before is done, and the runs that did not
    /// come into it keep the steps that they have.
    pub fn now(&self, dir: &Path) -> Result<Self, ReadError> {
        Ok(self.standing(dir)?.0)
    }

    /// With halving, the candidates that came into the last round so far, with the mean return over their seeds: the
    /// best of each group first. Returns are the last ones of the training.
    pub fn best(&self, dir: &Path) -> Result<Vec<(&Candidate, f64)>, ReadError> {
        Ok(self.standing(dir)?.1)
    }

    fn standing(&self, dir: &Path) -> Result<(Self, Vec<(&Candidate, f64)>), ReadError> {
        let mut now = Self { halving: None, ..self.clone() };
        let Some(halving) = &self.halving else { return Ok((now, Vec::new())) };
        let most = self.runs.iter().map(|run| run.experiment.steps).max().unwrap_or(0);
        let mut left: Vec<&Candidate> = halving.candidates.iter().collect();
        for steps in halving.rounds(most) {
            for i in left.iter().flat_map(|candidate| candidate.runs.clone()) {
                now.runs[i].experiment.steps = steps.min(self.runs[i].experiment.steps);
            }
            let runs = |candidate: &Candidate| now.runs[candidate.runs.clone()].to_vec();
            let mut scored = Vec::new();
            for candidate in &left {
                scored.push((*candidate, mean_return(&runs(candidate), dir)?));
            }
            // A stable order: the first of two equal ones goes on.
            scored.sort_by(|a, b| a.0.group.cmp(&b.0.group).then(b.1.total_cmp(&a.1)));
            let is_done = |run: &Planned| matches!(run.state(dir), State::Finished | State::Diverged);
            if steps == most || !left.iter().all(|candidate| runs(candidate).iter().all(is_done)) {
                return Ok((now, scored));
            }
            let groups = scored.chunk_by(|a, b| a.0.group == b.0.group);
            left = groups.flat_map(|of| of[..of.len().div_ceil(halving.rule.keep)].iter().map(|(c, _)| *c)).collect();
        }
        unreachable!("the last round has the most steps")
    }
}

/// The mean over runs of the training's return at the end of the steps of each; below all numbers where one has none.
fn mean_return(runs: &[Planned], dir: &Path) -> Result<f64, ReadError> {
    let mut sum = 0.0;
    for run in runs {
        let of = run.dir(dir);
        if !of.join("progress.csv").exists() {
            return Ok(f64::NEG_INFINITY);
        }
        let curve = Curve::read(&of, run.experiment.seed)?;
        // The round ends with the first row that has all its steps; the run may have gone on.
        let end = curve.steps.iter().position(|at| *at >= run.experiment.steps as f64);
        let row = end.or(curve.returns.len().checked_sub(1));
        let last = row.and_then(|row| curve.returns.get(row)).filter(|r| r.is_finite());
        sum += last.unwrap_or(&f64::NEG_INFINITY);
    }
    Ok(sum / runs.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of nine points three go on after the first round and one after the second, each group by itself, and what goes
    /// on follows from the files alone.
    #[test]
    fn the_best_go_on() {
        let text = "
            experiments = [\"ppo-rs/t-maze\"]
            estimators = [\"rs\", \"vanilla\"]
            seeds = 2
            steps = 10_000
            [grid]
            ppo.lr = [1e-4, 2e-4, 3e-4, 4e-4, 5e-4, 6e-4, 7e-4, 8e-4, 9e-4]
            [halving]
            first = 2000
        ";
        let campaign = Campaign::parse("x.toml", "x", text).unwrap();
        let of = tempfile::tempdir().unwrap();
        // The return of a point is its place in the list, and for `vanilla` the other way round.
        let train = |now: &Campaign| {
            for (i, run) in now.runs.iter().enumerate() {
                let place = i / 2 % 9;
                let score = if i < 18 { place } else { 9 - place };
                let rows: String =
                    (1..=run.experiment.steps / 1000).map(|k| format!("{},{score}\n", k * 1000)).collect();
                let dir = run.dir(of.path());
                std::fs::create_dir_all(&dir).unwrap();
                let table = format!("time/total_timesteps,rollout/ep_rew_mean\n{rows}");
                std::fs::write(dir.join("progress.csv"), table).unwrap();
                run.note_finished(of.path()).unwrap();
            }
        };
        let steps =
            |now: &Campaign| -> Vec<usize> { now.runs.iter().step_by(2).map(|run| run.experiment.steps).collect() };
        let mut now = campaign.now(of.path()).unwrap();
        assert_eq!(steps(&now), [2000; 18]);
        train(&now);
        now = campaign.now(of.path()).unwrap();
        assert_eq!(steps(&now), [[2000; 3], [2000; 3], [6000; 3], [6000; 3], [2000; 3], [2000; 3]].concat());
        train(&now);
        now = campaign.now(of.path()).unwrap();
        train(&now);
        assert_eq!((steps(&now)[8], steps(&now)[9], steps(&now)[7]), (10_000, 10_000, 6000));
        assert_eq!(campaign.now(of.path()).unwrap().runs, now.runs);
        let best = campaign.best(of.path()).unwrap();
        let told: Vec<_> = best.iter().map(|(candidate, score)| (candidate.point.as_str(), *score)).collect();
        assert_eq!(told, [("ppo.lr=0.0009", 8.0), ("ppo.lr=0.0001", 9.0)]);
    }
}
