//! Core errors as Python exceptions: `tabad.errors.from_core` decides on the class.

use pyo3::prelude::*;
use tabad_core::error::{Error, Group};

fn group_name(group: Group) -> &'static str {
    match group {
        Group::Usage => "usage",
        Group::Input => "input",
        Group::ModelFile => "model-file",
        Group::Stream => "stream",
    }
}

pub fn to_py(py: Python<'_>, error: &Error) -> PyErr {
    let build = || -> PyResult<PyErr> {
        let errors = py.import("tabad.errors")?;
        let arguments = (group_name(error.group), error.name, &error.message, error.hint.as_deref());
        Ok(PyErr::from_value(errors.getattr("from_core")?.call1(arguments)?))
    };
    build().unwrap_or_else(|failure| failure)
}

/// Runs core code without the GIL and maps its error.
pub fn enter<T: Send>(py: Python<'_>, work: impl FnOnce() -> tabad_core::error::Result<T> + Send) -> PyResult<T> {
    py.detach(work).map_err(|error| to_py(py, &error))
}
