//! Streams in and out over the Arrow PyCapsule interface.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow_array::builder::StringBuilder;
use arrow_array::ffi_stream::{FFI_ArrowArrayStream, RecordBatchStreamReader};
use arrow_array::{Array, RecordBatch, RecordBatchReader};
use arrow_pyarrow::{PyArrowType, ToPyArrow};
use arrow_schema::{ArrowError, SchemaRef};
use pyo3::exceptions::{PyBaseException, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use tabad_core::encoder::label_values;
use tabad_core::reading::Reading;
use tabad_core::score::{Failure, Scoring, Summary};

use crate::error::{enter, to_py};

pub type Input = PyArrowType<RecordBatchStreamReader>;
type Reader = Box<dyn RecordBatchReader + Send>;

/// The first column of a stream as the text that labels are told by.
#[pyfunction]
pub fn label_texts<'py>(py: Python<'py>, stream: Input) -> PyResult<Bound<'py, PyAny>> {
    let texts = enter(py, || {
        let mut texts = StringBuilder::new();
        for batch in stream.0 {
            label_values(&batch?, 0)?.iter().for_each(|text| texts.append_option(text.as_deref()));
        }
        Ok(texts.finish())
    })?;
    texts.to_data().to_pyarrow(py)
}

/// A stream with its marked columns read as what they are marked, and strays null. Consumed once.
#[pyclass(module = "tabad._core", frozen)]
pub struct TypedStream {
    reader: Mutex<Option<Reader>>,
    strays: Arc<Mutex<BTreeMap<String, usize>>>,
}

#[pymethods]
impl TypedStream {
    #[new]
    fn new(py: Python<'_>, stream: Input) -> PyResult<Self> {
        let (schema, input) = (stream.0.schema(), stream.0);
        let reading = enter(py, || Reading::of(&schema))?;
        let strays = Arc::<Mutex<BTreeMap<String, usize>>>::default();
        let typed = Typed { input, reading, strays: strays.clone() };
        Ok(Self { reader: Mutex::new(Some(Box::new(typed))), strays })
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        drop(requested_schema);
        hand_over(py, &self.reader)
    }

    fn strays(&self) -> BTreeMap<String, usize> {
        self.strays.lock().map(|strays| strays.clone()).unwrap_or_default()
    }
}

struct Typed {
    input: RecordBatchStreamReader,
    reading: Reading,
    strays: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Iterator for Typed {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = |batch| self.reading.read(&batch).map_err(|error| ArrowError::ExternalError(Box::new(error)));
        Some(self.input.next()?.and_then(read).map(|(batch, strays)| {
            if let Ok(mut counts) = self.strays.lock() {
                strays.into_iter().for_each(|one| *counts.entry(one.column.clone()).or_default() += one.count());
            }
            batch
        }))
    }
}

impl RecordBatchReader for Typed {
    fn schema(&self) -> SchemaRef {
        self.reading.schema().clone()
    }
}

/// The stream behind a reader that has not been read.
fn hand_over<'py>(py: Python<'py>, reader: &Mutex<Option<Reader>>) -> PyResult<Bound<'py, PyCapsule>> {
    let reader = reader.lock().map_err(|_| PyValueError::new_err("the stream is broken"))?.take();
    let reader = reader.ok_or_else(|| PyValueError::new_err("a stream can be read only once"))?;
    PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(reader), c"arrow_array_stream")
}

/// Scored batches, consumed once.
#[pyclass(module = "tabad._core", frozen)]
pub struct ScoreStream {
    reader: Mutex<Option<Reader>>,
    summary: Arc<Mutex<Summary>>,
    failure: Failure,
}

impl ScoreStream {
    pub fn new<R: RecordBatchReader + Send + 'static>(scoring: Scoring<R>) -> Self {
        let (summary, failure) = (scoring.summary(), scoring.failure());
        Self { reader: Mutex::new(Some(Box::new(scoring))), summary, failure }
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
        hand_over(py, &self.reader)
    }

    fn failure<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBaseException>> {
        let failure = self.failure.lock().ok()?.take()?;
        Some(to_py(py, &failure).into_value(py).into_bound(py))
    }

    fn summary(&self) -> PyResult<String> {
        let summary = self.summary.lock().map_err(|_| PyValueError::new_err("the scoring stream is broken"))?;
        Ok(summary.to_json().to_string())
    }
}
