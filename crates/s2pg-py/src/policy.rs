//! A policy that a run has learned, for Python.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use s2pg::Rng;
use s2pg::env::MakeEnv;
use s2pg::experiment::Experiment;
use s2pg::run::RunError;
use s2pg::train::{Evaluation, Player, evaluate};
use s2pg_lab::policy::{self, Which};

use crate::env::registry;
use crate::error::{Error, raise};
use crate::training::cores;

/// Environments that are stepped together in an evaluation, at most.
const TOGETHER: usize = 1000;

/// The numbers of a policy, its memory of the last call, and what makes its environments.
#[pyclass(module = "s2pg")]
pub struct Policy {
    player: Player,
    make_env: MakeEnv,
    experiment: Experiment,
    rng: Rng,
    n: usize,
    file: PathBuf,
}

#[pymethods]
impl Policy {
    /// Loads the policy of the run in `dir`: that of its best evaluation, or of its last checkpoint.
    #[new]
    fn new(py: Python<'_>, dir: PathBuf, latest: bool, source: Py<PyAny>) -> PyResult<Self> {
        let which = if latest { Which::Latest } else { Which::Best };
        let registry = Arc::new(registry(source));
        let loaded = py.detach(|| policy::load(&dir, which, registry));
        let (player, make_env, experiment) = loaded.map_err(raise)?;
        let rng = Rng::new(experiment.seed, "predict");
        Ok(Self { player, make_env, experiment, rng, n: 1, file: policy::file(&dir, which) })
    }

    /// Names of the entries of the observation.
    #[getter]
    fn o(&self) -> Vec<String> {
        self.player.spec().o.clone()
    }

    /// Bounds of each entry of the action.
    #[getter]
    fn bounds(&self) -> (Vec<f32>, Vec<f32>) {
        (self.player.spec().low.clone(), self.player.spec().high.clone())
    }

    /// Numbers of the state z or h, and of the memory beside it.
    #[getter]
    fn sizes(&self) -> (usize, usize) {
        (self.player.state().len() / self.n, self.player.rest())
    }

    /// Name of the environment, the algorithm and the estimator.
    #[getter]
    fn names(&self) -> (String, String, String) {
        let e = &self.experiment;
        (e.env.name.clone(), e.algorithm.to_string(), e.estimator.to_string())
    }

    /// Environment steps of the training at which the policy was saved.
    #[getter]
    fn steps(&self) -> PyResult<usize> {
        Ok(policy::origin(&self.file).map_err(RunError::from).map_err(raise)?.step)
    }

    /// Begins the random numbers of the actions anew.
    fn seed(&mut self, seed: u64) {
        self.rng = Rng::new(seed, "predict");
    }

    /// Returns actions, states and the memory beside them as bytes of single precision, for `n` observations `o`.
    /// Without a `memory` all episodes are at their start; else those are for which `starts` is true.
    #[pyo3(signature = (o, n, memory, starts, deterministic))]
    fn act<'py>(
        &mut self,
        py: Python<'py>,
        o: PyBuffer<f32>,
        n: usize,
        memory: Option<(PyBuffer<f32>, PyBuffer<f32>)>,
        starts: Vec<bool>,
        deterministic: bool,
    ) -> PyResult<[Bound<'py, PyBytes>; 3]> {
        let mut o = o.to_vec(py)?;
        let memory = memory.map(|(state, rest)| Ok::<_, PyErr>((state.to_vec(py)?, rest.to_vec(py)?))).transpose()?;
        let numbers = py.detach(|| {
            if self.n != n {
                (self.player, self.n) = (self.player.for_envs(n), n);
            }
            match &memory {
                Some((state, rest)) => {
                    self.player.remember(state, rest);
                    (0..n).filter(|&e| starts[e]).for_each(|e| self.player.reset(e));
                }
                None => (0..n).for_each(|e| self.player.reset(e)),
            }
            let mut s = vec![0.0; n * self.player.spec().s.len()];
            let rng = (!deterministic).then_some(&mut self.rng);
            let a = self.player.act(&mut o, &mut s, rng);
            [a, self.player.state().to_vec(), self.player.memory()]
        });
        Ok(numbers.map(|x| PyBytes::new(py, &x.iter().flat_map(|x| x.to_ne_bytes()).collect::<Vec<u8>>())))
    }

    /// Runs whole episodes as `s2pg eval` does; returns their returns, their lengths, whether each ended because the
    /// simulation became unstable, and the means of the environment's figures.
    #[pyo3(signature = (episodes, seed, deterministic, threads=None))]
    fn evaluate(
        &self,
        py: Python<'_>,
        episodes: usize,
        seed: u64,
        deterministic: bool,
        threads: Option<usize>,
    ) -> PyResult<(Vec<f64>, Vec<usize>, Vec<bool>, Vec<(&'static str, f64)>)> {
        if episodes == 0 {
            return Err(Error::new_err("`episodes` is 0; take at least 1"));
        }
        let kind = if deterministic { "deterministic" } else { "stochastic" };
        let means = deterministic && !self.experiment.deviations().sample_in_evaluation;
        let threads = threads.unwrap_or_else(cores).max(1);
        let result = py.detach(|| {
            let mut rng = Rng::new(self.experiment.seed, &format!("eval/{kind}/{seed}"));
            let mut e = Evaluation::default();
            while e.episodes.len() < episodes {
                let n = TOGETHER.min(episodes - e.episodes.len());
                e.join(evaluate(&self.player, &self.make_env, (n, threads), means, &mut rng)?);
            }
            Ok::<_, s2pg::EnvError>(e)
        });
        let e = result.map_err(raise)?;
        let of = |f: fn(&s2pg::env::Episode) -> f64| e.episodes.iter().map(f).collect();
        let unstable = e.episodes.iter().map(|e| e.unstable).collect();
        Ok((of(|e| e.r), e.episodes.iter().map(|e| e.length).collect(), unstable, e.metrics()))
    }
}
