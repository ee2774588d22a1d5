//! Errors as Python sees them: one sentence, of the class `s2pg.Error`.

use pyo3::PyErr;
use pyo3::create_exception;
use pyo3::exceptions::PyException;

create_exception!(s2pg, Error, PyException, "What went wrong, in one sentence that says what to do about it.");

/// Makes an exception of any error, with its causes in one sentence.
pub fn raise(e: impl Into<anyhow::Error>) -> PyErr {
    Error::new_err(s2pg_cli::sentence(&e.into()))
}
