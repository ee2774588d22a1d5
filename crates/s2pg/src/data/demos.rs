//! Demonstrations: steps of an expert, as plain columns.

use std::path::Path;

use super::npz::{self, Array, Limits, NpzError};
use super::npz_writer::{Column, npz};

/// Sizes and names that demonstrations must fit.
#[derive(Clone, Copy, Debug)]
pub struct DemoShape<'a> {
    /// Names of the entries of the policy's observation.
    pub o: &'a [String],
    /// Names of the entries of the critic's view.
    pub s: &'a [String],
    /// Number of entries of the action.
    pub a: usize,
}

/// N steps of an expert, episode after episode, as they were seen: nothing is standardised.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Demos {
    /// Number of entries of o, s and a.
    pub sizes: [usize; 3],
    /// The policy's observations, [N, n_o].
    pub o: Vec<f32>,
    /// The critic's views, [N, n_s].
    pub s: Vec<f32>,
    /// The actions as the expert drew them, [N, n_a]; None where only states were seen.
    pub a: Option<Vec<f32>>,
    /// The rewards, N numbers.
    pub r: Vec<f64>,
    /// The true next observations, [N, n_o].
    pub next_o: Vec<f32>,
    /// The true next views of the critic, [N, n_s].
    pub next_s: Vec<f32>,
    /// Whether the task ended with the step, N flags.
    pub absorbing: Vec<bool>,
    /// Whether the episode ended with the step, N flags.
    pub last: Vec<bool>,
}

impl Demos {
    /// Returns the number of steps.
    pub fn len(&self) -> usize {
        self.last.len()
    }

    /// Tells whether there is no step.
    pub fn is_empty(&self) -> bool {
        self.last.is_empty()
    }

    /// Returns the rows of each episode, in their order.
    pub fn episodes(&self) -> Vec<std::ops::Range<usize>> {
        let mut episodes = Vec::new();
        let mut start = 0;
        for k in 0..self.len() {
            if self.last[k] || self.absorbing[k] || k + 1 == self.len() {
                episodes.push(start..k + 1);
                start = k + 1;
            }
        }
        episodes
    }

    /// Returns the demonstrations as the bytes of an `.npz` archive: `states`, `actions` (where there are any),
    /// `rewards`, `next_states`, `absorbing` and `last`, and beside them `observations` and `next_observations`, which
    /// are what the policy sees of the states.
    pub fn to_npz(&self) -> Vec<u8> {
        let [n_o, n_s, n_a] = self.sizes;
        let mut columns = vec![
            ("states", Column::Numbers(&self.s, n_s)),
            ("rewards", Column::Wide(&self.r)),
            ("next_states", Column::Numbers(&self.next_s, n_s)),
            ("absorbing", Column::Flags(&self.absorbing)),
            ("last", Column::Flags(&self.last)),
            ("observations", Column::Numbers(&self.o, n_o)),
            ("next_observations", Column::Numbers(&self.next_o, n_o)),
        ];
        if let Some(a) = &self.a {
            columns.insert(1, ("actions", Column::Numbers(a, n_a)));
        }
        npz(&columns)
    }

    /// Reads demonstrations that fit `shape` from the `.npz` archive `path`: `states`, [N, n_s], `next_states`,
    /// `absorbing` and `last`, and where the archive has them `actions` and `rewards`.
    ///
    /// What the policy saw is taken from `observations` and `next_observations`, where the archive has them in the size
    /// of the policy's view; else it is made of the entries of the state that have the names of the observation.
    pub fn read(path: &Path, shape: DemoShape<'_>, limits: Limits) -> Result<Self, NpzError> {
        let arrays = npz::read(path, limits)?;
        Self::of(arrays, shape).map_err(|what| NpzError::Wrong(path.into(), what))
    }

    fn of(mut arrays: Vec<(String, Array)>, shape: DemoShape<'_>) -> Result<Self, String> {
        let (n_o, n_s, n_a) = (shape.o.len(), shape.s.len(), shape.a);
        let mut found = |name: &str| Some(arrays.swap_remove(arrays.iter().position(|(n, _)| n == name)?).1);
        let missing = |name: &str| format!("it has no array `{name}`, which demonstrations need");
        let states = found("states").ok_or_else(|| missing("states"))?;
        let n = states.shape.first().copied().unwrap_or(0);
        if n == 0 {
            return Err("its array `states` has no row; record at least one step".into());
        }
        let s = table("states", states, n, n_s)?;
        let next_s = table("next_states", found("next_states").ok_or_else(|| missing("next_states"))?, n, n_s)?;
        let mut flags = |name: &str| -> Result<Vec<bool>, String> {
            let column = table(name, found(name).ok_or_else(|| missing(name))?, n, 1)?;
            Ok(column.into_iter().map(|x| x != 0.0).collect())
        };
        let (absorbing, last) = (flags("absorbing")?, flags("last")?);
        let a = found("actions").map(|a| table("actions", a, n, n_a)).transpose()?;
        let r = found("rewards").map(|r| table("rewards", r, n, 1)).transpose()?;
        let r = r.map_or_else(|| vec![0.0; n], |r| r.into_iter().map(f64::from).collect());
        // An expert that saw the whole state left observations that are not this policy's.
        let seen = [found("observations"), found("next_observations")];
        let fits = |x: &Option<Array>| shape.o != shape.s && x.as_ref().is_some_and(|x| x.shape == [n, n_o]);
        let places: Option<Vec<usize>> = shape.o.iter().map(|o| shape.s.iter().position(|s| s == o)).collect();
        let (o, next_o) = match (seen, places) {
            (seen, _) if seen.iter().all(fits) => {
                let [o, next_o] = seen.map(Option::unwrap_or_default);
                (table("observations", o, n, n_o)?, table("next_observations", next_o, n, n_o)?)
            }
            (_, Some(places)) => {
                let of = |s: &[f32]| s.chunks_exact(n_s).flat_map(|s| places.iter().map(|&i| s[i])).collect();
                (of(&s), of(&next_s))
            }
            (_, None) => {
                let entry = shape.o.iter().find(|o| !shape.s.contains(o)).map_or("", String::as_str);
                return Err(format!(
                    "it has no arrays `observations` and `next_observations` with {n_o} columns, and the entry `{entry}` \
                     of the policy's observation is none of the state; record it with a policy of the same view"
                ));
            }
        };
        Ok(Self { sizes: [n_o, n_s, n_a], o, s, a, r, next_o, next_s, absorbing, last })
    }
}

/// Returns the numbers of the array `name`, which must have `n` rows of `width` finite numbers.
fn table(name: &str, array: Array, n: usize, width: usize) -> Result<Vec<f32>, String> {
    let fits = array.shape == [n, width] || width == 1 && array.shape == [n];
    if !fits {
        let shape: Vec<String> = array.shape.iter().map(usize::to_string).collect();
        return Err(format!(
            "its array `{name}` has the shape ({}); this task needs ({n}, {width}), a row for each step",
            shape.join(", ")
        ));
    }
    if let Some(at) = array.data.iter().position(|x| !(*x as f32).is_finite()) {
        return Err(format!(
            "its array `{name}` holds {} in row {}; numbers must be finite",
            array.data[at],
            at / width
        ));
    }
    Ok(array.data.into_iter().map(|x| x as f32).collect())
}
