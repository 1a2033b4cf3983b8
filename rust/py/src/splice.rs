//! `tabad_core::splice` for Python: paths, bytes, and failures of the system as OSError, but for those of the table.

use std::io;
use std::path::PathBuf;
use std::sync::Mutex;

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use tabad_core::error::Error;
use tabad_core::splice::Splice as Inner;

#[pyclass(module = "tabad._core", frozen)]
pub struct Splice {
    inner: Mutex<Option<Inner>>,
}

#[pymethods]
impl Splice {
    #[staticmethod]
    fn plan(py: Python<'_>, paths: Vec<PathBuf>, template: Vec<u8>) -> PyResult<Option<Self>> {
        let planned = py.detach(|| Inner::plan(&paths, template)).map_err(|error| to_py(py, &error))?;
        Ok(planned.map(|inner| Self { inner: Mutex::new(Some(inner)) }))
    }

    fn start(&self, py: Python<'_>, out: PathBuf) -> PyResult<()> {
        self.with(py, |inner| inner.start(&out))
    }

    fn rows(&self) -> PyResult<Vec<u64>> {
        let inner = self.inner.lock().map_err(|_| broken())?;
        Ok(inner.as_ref().ok_or_else(broken)?.rows())
    }

    fn add(&self, py: Python<'_>, columns: Vec<u8>) -> PyResult<()> {
        self.with(py, |inner| inner.add(columns))
    }

    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        let inner = self.inner.lock().map_err(|_| broken())?.take().ok_or_else(broken)?;
        py.detach(|| inner.finish()).map_err(|error| to_py(py, &error))
    }
}

impl Splice {
    fn with(&self, py: Python<'_>, work: impl FnOnce(&mut Inner) -> io::Result<()> + Send) -> PyResult<()> {
        py.detach(|| self.inner.lock().ok().and_then(|mut inner| inner.as_mut().map(work)))
            .ok_or_else(broken)?
            .map_err(|error| to_py(py, &error))
    }
}

fn broken() -> PyErr {
    PyValueError::new_err("this file is finished, or was broken by an earlier failure")
}

fn to_py(py: Python<'_>, error: &io::Error) -> PyErr {
    if let Some(refused) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        return crate::error::to_py(py, refused);
    }
    let Some(code) = error.raw_os_error() else { return PyOSError::new_err(error.to_string()) };
    let said = py.import("os").and_then(|os| os.call_method1("strerror", (code,))?.extract::<String>());
    PyOSError::new_err((code, said.unwrap_or_else(|_| error.to_string())))
}
