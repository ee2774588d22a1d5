//! The learning curve of one run.

use std::path::Path;

use s2pg::experiment::Experiment;
use s2pg::results::{self, Curve, ReadError};

use crate::pictures::{Canvas, Panel, Series, chart};

/// The learning curve of the run in `dir`: returns of the training, and evaluations of both kinds.
pub fn learning_curve(dir: &Path) -> Result<Canvas, ReadError> {
    let experiment = results::experiment(dir)?;
    let Curve { steps, returns, evaluation_steps, deterministic, stochastic, .. } = Curve::read(dir, experiment.seed)?;
    let series = |name: &str, x: &[f64], y: Vec<f64>| Series { name: name.into(), x: x.to_vec(), y, band: None };
    let series = vec![
        series("training, last 100 episodes", &steps, returns),
        series("evaluation, deterministic", &evaluation_steps, deterministic),
        series("evaluation, stochastic", &evaluation_steps, stochastic),
    ];
    let series = series.into_iter().filter(|s| !s.x.is_empty()).collect();
    let panel = Panel { x_label: "environment steps".into(), y_label: "return".into(), series };
    let title = format!("{} — {}, seed {}", experiment.env.name, label(&experiment), experiment.seed);
    Ok(chart(&title, &[panel]))
}

/// Algorithm and estimator of an experiment, as figures name them: `PPO-RS`, `SAC-BPTT-5`.
pub fn label(experiment: &Experiment) -> String {
    format!("{}-{}", experiment.algorithm, experiment.estimator).to_uppercase().replace(':', "-")
}
