//! What was measured: returns and times of methods in tasks.

use std::path::Path;

use s2pg::results::statistics::normalised;
use s2pg::results::{Curve, ReadError};

/// What was measured of one method in one task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// The name of the method, such as `sac-rs`.
    pub method: &'static str,
    /// The name of the task, such as `ant`.
    pub task: &'static str,
    /// The first return of the training of each seed.
    pub first: Vec<f64>,
    /// The last return of the training of each seed.
    pub last: Vec<f64>,
    /// Seconds of an environment step: of each seed, or of each round of a measurement.
    pub seconds: Vec<f64>,
    /// Environment steps that each seed took, and the number that was published.
    pub steps: (usize, usize),
}

impl Cell {
    /// Takes what the run in `dir` has left behind into the cell. A run in which no episode has ended tells its time
    /// only.
    pub fn read(&mut self, dir: &Path, seed: u64) -> Result<(), ReadError> {
        let curve = Curve::read(dir, seed)?;
        let returns: Vec<f64> = curve.returns.iter().copied().filter(|r| r.is_finite()).collect();
        self.first.extend(returns.first());
        self.last.extend(returns.last());
        if let (Some(seconds), Some(steps)) = (curve.seconds.last(), curve.steps.last())
            && *seconds > 0.0
            && *steps > 0.0
        {
            self.seconds.push(seconds / steps);
        }
        Ok(())
    }

    /// The part of the published steps that was taken.
    pub fn share(&self) -> f64 {
        let (taken, published) = self.steps;
        taken as f64 / published.max(1) as f64
    }
}

/// Everything that was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// The cells, in the order of tasks and methods.
    pub cells: Vec<Cell>,
    /// Tasks of the table or figure that were left out.
    pub left_out: Vec<&'static str>,
}

impl Evidence {
    /// What was measured of a method in a task, where there is anything.
    pub fn cell(&self, method: &str, task: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.method == method && cell.task == task)
    }

    /// The tasks, each once.
    pub fn tasks(&self) -> Vec<&'static str> {
        let mut found: Vec<&str> = Vec::new();
        self.cells.iter().for_each(|cell| {
            if !found.contains(&cell.task) {
                found.push(cell.task);
            }
        });
        found
    }

    /// The ends of the scale of a task: 0 is the mean first return of the policies without memory, or of all methods
    /// where these are not there, and 1 the best mean of the last returns of a method. None where nothing was returned,
    /// or nothing was gained.
    pub fn scale(&self, task: &str) -> Option<(f64, f64)> {
        let of = |cells: Vec<&Cell>| {
            let all: Vec<f64> = cells.iter().flat_map(|cell| cell.first.iter().copied()).collect();
            (!all.is_empty()).then(|| average(&all))
        };
        let here = || self.cells.iter().filter(|cell| cell.task == task && !cell.last.is_empty());
        let zero = of(here().filter(|cell| cell.method.ends_with("-vanilla")).collect()).or(of(here().collect()))?;
        let one = here().map(|cell| average(&cell.last)).reduce(f64::max)?;
        (one > zero).then_some((zero, one))
    }

    /// The last returns of a method in a task on the scale of the task.
    pub fn scores(&self, method: &str, task: &str) -> Option<Vec<f64>> {
        let cell = self.cell(method, task).filter(|cell| !cell.last.is_empty())?;
        let (zero, one) = self.scale(task)?;
        Some(normalised(&cell.last, zero, one))
    }
}

fn average(values: &[f64]) -> f64 {
    s2pg::results::statistics::mean(values)
}
