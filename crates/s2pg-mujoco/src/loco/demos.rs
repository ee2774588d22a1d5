//! Demonstrations of the imitation tasks: motion capture, and steps of an expert.

use std::ops::Range;
use std::path::{Path, PathBuf};

use s2pg::data::npz::{Array, Limits, read};
use s2pg::data::npz_writer::{Column, npz};
use s2pg::env::{EnvError, Options};
use s2pg::rng::Rng;

use super::spline::resampled;
use super::task::{Figure, TASKS, Task, WEIGHTS};

/// Moments of motion capture in a second, and control steps in a second.
const RATES: (usize, usize) = (500, 100);

/// Movements of a task: what was seen at each control step of some trajectories.
pub struct Demonstrations {
    task: &'static Task,
    /// Rows of what is seen, positions and velocities.
    rows: Vec<f64>,
    /// The rows of each trajectory, and the kind of body it is of; None where it is of any.
    trajectories: Vec<(Range<usize>, Option<usize>)>,
}

impl Demonstrations {
    /// Reads movements of the task called `name` from a file of motion capture: for each joint an array `q_<joint>` of
    /// positions (m, rad) and an array `dq_<joint>` of velocities (m/s, rad/s), at 500 Hz, and `split_points`, the
    /// numbers at which a trajectory begins and the number at which the last one ends. They are brought to the control
    /// rate of 100 Hz by cubic splines. Where people move, each size has as many trajectories as every other, the
    /// smallest first.
    ///
    /// A file with an array `states` is read as steps of an expert: rows of `s`, and an array `last` that is 1 where a
    /// trajectory ends.
    pub fn read(name: &str, path: &Path) -> Result<Self, EnvError> {
        let task = TASKS.iter().find(|task| task.name == name).ok_or_else(|| EnvError::Invalid {
            env: name.into(),
            what: "only the imitation tasks have demonstrations from motion capture".into(),
        })?;
        Self::of(task, path, false)
    }

    /// Reads the demonstrations of a row; `one` tells that motion capture is of one size.
    fn of(task: &'static Task, path: &Path, one: bool) -> Result<Self, EnvError> {
        let invalid = |what: String| EnvError::Invalid { env: task.name.into(), what };
        let arrays = read(path, Limits::default()).map_err(|e| invalid(e.to_string()))?;
        let mut demos = Self { task, rows: Vec::new(), trajectories: Vec::new() };
        let found = match arrays.iter().any(|(name, _)| name == "states") {
            true => demos.take_steps(&arrays),
            false => demos.take_capture(&arrays, one),
        };
        found.map_err(|what| invalid(format!("{}: {what}", path.display())))?;
        Ok(demos)
    }

    /// Entries of a row: positions but for forward and sideways, and velocities.
    fn width(&self) -> usize {
        2 * self.task.joints.len() + 2
    }

    fn take_steps(&mut self, arrays: &[(String, Array)]) -> Result<(), String> {
        let (seen, hidden) = (self.width(), self.task.figure.hidden().len());
        let states = finite(arrays, "states")?;
        let n = states.shape.first().copied().unwrap_or(0);
        if states.shape != [n, seen + hidden] || n == 0 {
            let shape = states.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
            let needed = seen + hidden;
            return Err(format!(
                "its array `states` has the shape ({shape}); this task needs rows of {needed} numbers"
            ));
        }
        let last = finite(arrays, "last")?;
        if last.data.len() != n {
            return Err(format!("its array `last` has {} entries for {n} rows of `states`", last.data.len()));
        }
        let mut start = 0;
        for (i, row) in states.data.chunks(seen + hidden).enumerate() {
            self.rows.extend_from_slice(&row[..seen]);
            if last.data[i] == 0.0 && i + 1 < n {
                continue;
            }
            let kind = match (self.task.figure, &row[seen..]) {
                (Figure::Atlas, _) => None,
                (Figure::Human, bits) => {
                    let kind = (0..4).find(|&kind| bits[0] == (kind >> 1) as f64 && bits[1] == (kind & 1) as f64);
                    let what = || format!("row {i} of its array `states` ends with no bits of a size, 0 or 1 each");
                    Some(kind.ok_or_else(what)?)
                }
            };
            self.trajectories.push((start..i + 1, kind));
            start = i + 1;
        }
        Ok(())
    }

    fn take_capture(&mut self, arrays: &[(String, Array)], one: bool) -> Result<(), String> {
        let joints = self.task.joints;
        let velocities = ["pelvis_tx", "pelvis_tz"].into_iter().chain(joints.iter().copied());
        let names = joints.iter().map(|joint| format!("q_{joint}")).chain(velocities.map(|name| format!("dq_{name}")));
        let columns = names.map(|name| Ok((finite(arrays, &name)?, name))).collect::<Result<Vec<_>, String>>()?;
        let n = columns[0].0.data.len();
        if let Some((column, name)) = columns.iter().find(|(column, _)| column.shape != [n]) {
            let shape = column.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
            let first = &columns[0].1;
            return Err(format!("its array `{name}` has the shape ({shape}), and `{first}` has {n} numbers in a row"));
        }
        let splits: Vec<f64> = match arrays.iter().any(|(name, _)| name == "split_points") {
            true => finite(arrays, "split_points")?.data.clone(),
            false => vec![0.0, n as f64],
        };
        let rising = splits.windows(2).all(|pair| pair[1] >= pair[0] + 10.0 && pair[1].fract() == 0.0);
        if splits.len() < 2 || splits[0] != 0.0 || splits[splits.len() - 1] != n as f64 || !rising {
            let what = "they must rise from 0 to that number, by 10 or more";
            return Err(format!("its array `split_points` does not split {n} numbers into trajectories; {what}"));
        }
        let count = splits.len() - 1;
        let kinds = if one || self.task.figure == Figure::Atlas { 1 } else { 4 };
        if !count.is_multiple_of(kinds) {
            let what = "each of the four sizes needs as many as every other";
            return Err(format!("it has {count} trajectories; {what} (or give `demos_sizes = \"one\"`)"));
        }
        for (i, pair) in splits.windows(2).enumerate() {
            let (from, to) = (pair[0] as usize, pair[1] as usize);
            let m = (((to - from) * RATES.1) as f64 / RATES.0 as f64).round() as usize;
            let columns: Vec<_> = columns.iter().map(|(column, _)| resampled(&column.data[from..to], m)).collect();
            let start = self.rows.len() / self.width();
            (0..m).for_each(|t| self.rows.extend(columns.iter().map(|column| column[t])));
            let kind = (kinds == 4).then(|| i * 4 / count);
            self.trajectories.push((start..start + m, kind));
        }
        Ok(())
    }

    /// Returns all pairs of a row and the one that follows it, as the bytes of an `.npz` archive of steps without
    /// actions: `states` and `next_states`, rows of `s`, and `absorbing` and `last`. Motion capture of Atlas carries no
    /// weight, and is there once with each.
    pub fn to_npz(&self) -> Vec<u8> {
        let width = self.width();
        let [mut states, mut next_states] = [Vec::new(), Vec::new()];
        let mut last = Vec::new();
        let weights: &[f64] = if self.task.figure == Figure::Atlas { &WEIGHTS } else { &[0.0] };
        for &weight in weights {
            for (rows, kind) in &self.trajectories {
                let hidden = match kind {
                    Some(kind) => vec![(kind >> 1) as f32, (kind & 1) as f32],
                    None => vec![weight as f32; self.task.figure.hidden().len()],
                };
                let add = |to: &mut Vec<f32>, i: usize| {
                    to.extend(self.rows[i * width..(i + 1) * width].iter().map(|&x| x as f32));
                    to.extend(&hidden);
                };
                for i in rows.start..rows.end - 1 {
                    add(&mut states, i);
                    add(&mut next_states, i + 1);
                    last.push(i + 2 == rows.end);
                }
            }
        }
        let width = width + self.task.figure.hidden().len();
        npz(&[
            ("states", Column::Numbers(&states, width)),
            ("next_states", Column::Numbers(&next_states, width)),
            ("absorbing", Column::Flags(&vec![false; last.len()])),
            ("last", Column::Flags(&last)),
        ])
    }

    /// Returns the number of trajectories, and of moments in all of them.
    pub fn counts(&self) -> (usize, usize) {
        (self.trajectories.len(), self.rows.len() / self.width())
    }
}

/// Where episodes start: at any moment of the demonstrations of a kind of body.
pub(super) struct Starts {
    width: usize,
    rows: Vec<f64>,
    /// Trajectories of each kind.
    of: [Vec<Range<usize>>; 4],
}

impl Starts {
    /// What the options of a task ask for, for bodies of these kinds; None where they name no demonstrations.
    pub fn of(task: &'static Task, options: &Options, kinds: Range<usize>) -> Result<Option<Self>, EnvError> {
        let invalid = |what: String| EnvError::Invalid { env: task.name.into(), what };
        let sizes = [("all", false), ("one", true)];
        let one = crate::options::choose(task.name, options, "demos_sizes", &sizes)?;
        if one && (task.figure == Figure::Atlas || kinds.len() != 1) {
            let what = "`demos_sizes = \"one\"` is for demonstrations of the size that `size` names; name one there";
            return Err(invalid(what.into()));
        }
        let Some(given) = options.get("demos") else { return Ok(None) };
        let texts = given.as_array().map_or(vec![given], |list| list.iter().collect());
        let paths: Option<Vec<PathBuf>> = texts.into_iter().map(|text| text.as_str().map(PathBuf::from)).collect();
        let paths = paths.filter(|paths| !paths.is_empty());
        let paths = paths.ok_or_else(|| invalid("`demos` must be the path of a file, or a list of them".into()))?;
        let mut starts = Self { width: 2 * task.joints.len() + 2, rows: Vec::new(), of: Default::default() };
        for path in paths {
            let demos = Demonstrations::of(task, &path, one)?;
            let before = starts.rows.len() / starts.width;
            for (rows, kind) in demos.trajectories {
                let rows = rows.start + before..rows.end + before;
                kinds
                    .clone()
                    .filter(|&k| kind.is_none_or(|kind| kind == k))
                    .for_each(|k| starts.of[k].push(rows.clone()));
            }
            starts.rows.extend(demos.rows);
        }
        if let Some(kind) = kinds.clone().find(|&kind| starts.of[kind].is_empty()) {
            let size = super::task::SIZES[kind].0;
            return Err(invalid(format!("the demonstrations in `demos` are none of the size \"{size}\"; add some")));
        }
        Ok(Some(starts))
    }

    /// Draws the positions and velocities with which an episode of a kind starts: a trajectory, and a moment of it. The
    /// body stands at 0.
    pub fn draw(&self, kind: usize, rng: &mut Rng) -> (Vec<f64>, Vec<f64>) {
        let trajectory = &self.of[kind][rng.below(self.of[kind].len())];
        let row = trajectory.start + rng.below(trajectory.len());
        let row = &self.rows[row * self.width..(row + 1) * self.width];
        let (positions, velocities) = row.split_at(self.width / 2 - 1);
        ([&[0.0; 2], positions].concat(), velocities.to_vec())
    }
}

/// The array of this name, which must hold finite numbers only.
fn finite<'a>(arrays: &'a [(String, Array)], name: &str) -> Result<&'a Array, String> {
    let found = arrays.iter().find(|(known, _)| known == name);
    let array = &found.ok_or_else(|| format!("it has no array `{name}`, which demonstrations of this task need"))?.1;
    match array.data.iter().position(|x| !x.is_finite()) {
        Some(at) => Err(format!("entry {at} of its array `{name}` is {}; numbers must be finite", array.data[at])),
        None => Ok(array),
    }
}
