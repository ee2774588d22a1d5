//! The Python package s2pg, below its Python: `python/s2pg/__init__.py` says what users see.

mod env;
mod error;
mod policy;
mod training;

use std::ffi::OsString;
use std::path::PathBuf;

use pyo3::prelude::*;
use s2pg_lab::report::Report;

use error::{Error, raise};

/// Runs the command line of s2pg, and returns its exit code.
#[pyfunction]
fn main(py: Python<'_>, args: Vec<OsString>, source: Py<PyAny>) -> u8 {
    let code = py.detach(|| s2pg_cli::run("python -m s2pg", args, env::registry(source)));
    // An exit code does not tell what it is.
    (0..=u8::MAX).find(|&n| code == n.into()).unwrap_or(u8::MAX)
}

/// Compares runs: writes figure and table into `out`, and returns the table with the paths.
#[pyfunction]
#[pyo3(signature = (runs, out, title=None))]
fn report(py: Python<'_>, runs: Vec<PathBuf>, out: PathBuf, title: Option<String>) -> PyResult<(String, Vec<PathBuf>)> {
    py.detach(|| {
        Report::check_directory(&out).map_err(Error::new_err)?;
        let report = Report::of(&runs, title.as_deref()).map_err(raise)?;
        if report.groups.is_empty() {
            return Err(Error::new_err(format!("{} there is no run to report on", report.notes.join(" "))));
        }
        let written = report.write(&out);
        let paths = written.map_err(|(path, e)| raise(anyhow::Error::from(e).context(path.display().to_string())))?;
        Ok((report.table(), paths))
    })
}

/// Returns name and description of every preset.
#[pyfunction]
fn presets() -> Vec<(&'static str, &'static str)> {
    s2pg_lab::presets::all().iter().map(|preset| (preset.name, preset.about())).collect()
}

#[pymodule]
fn _s2pg(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("Error", m.py().get_type::<Error>())?;
    m.add("__version__", env!("CARGO_PKG_VERSION"))?;
    m.add_class::<policy::Policy>()?;
    m.add_class::<training::Stop>()?;
    m.add_class::<training::Progress>()?;
    m.add_function(wrap_pyfunction!(training::train, m)?)?;
    m.add_function(wrap_pyfunction!(training::keys, m)?)?;
    m.add_function(wrap_pyfunction!(report, m)?)?;
    m.add_function(wrap_pyfunction!(presets, m)?)?;
    m.add_function(wrap_pyfunction!(main, m)?)
}
