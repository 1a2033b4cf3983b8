//! Streams in and out over the Arrow PyCapsule interface.

use std::sync::{Arc, Mutex};

use arrow_array::RecordBatchReader;
use arrow_array::ffi_stream::{FFI_ArrowArrayStream, RecordBatchStreamReader};
use arrow_pyarrow::PyArrowType;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use tabad_core::score::Summary;

pub type Input = PyArrowType<RecordBatchStreamReader>;
type Reader = Box<dyn RecordBatchReader + Send>;

/// Scored batches, consumed once.
#[pyclass(module = "tabad._core", frozen)]
pub struct ScoreStream {
    reader: Mutex<Option<Reader>>,
    summary: Arc<Mutex<Summary>>,
}

impl ScoreStream {
    pub fn new(reader: Reader, summary: Arc<Mutex<Summary>>) -> Self {
        Self { reader: Mutex::new(Some(reader)), summary }
    }
}

#[pymethods]
impl ScoreStream {
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // The protocol lets a producer ignore a requested schema.
        drop(requested_schema);
        let reader = self.reader.lock().map_err(|_| PyValueError::new_err("the scoring stream is broken"))?.take();
        let reader = reader.ok_or_else(|| PyValueError::new_err("a scoring stream can be read only once"))?;
        PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(reader), c"arrow_array_stream")
    }

    fn summary(&self) -> PyResult<String> {
        let summary = self.summary.lock().map_err(|_| PyValueError::new_err("the scoring stream is broken"))?;
        Ok(summary.to_json().to_string())
    }
}
