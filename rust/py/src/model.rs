//! `tabad._core.Model`.

use std::sync::Arc;

use arrow_array::{Array, Float32Array, RecordBatch, UInt16Array, UInt32Array};
use arrow_buffer::ScalarBuffer;
use arrow_data::ArrayData;
use arrow_pyarrow::{PyArrowType, ToPyArrow};
use arrow_schema::Schema;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::json;
use tabad_core::block::Block;
use tabad_core::error::{Error, Result};
use tabad_core::fit::update;
use tabad_core::model::Model as CoreModel;
use tabad_core::nearest::{Search, nearest};
use tabad_core::network::Network;
use tabad_core::release::Release;
use tabad_core::score::{Ask, Explain, Options, Rule, Scoring, Weighed, survey};
use tabad_core::scorer::Name;
use tabad_core::secret::Secret;
use tabad_core::threads::within;
use tabad_core::{constraints, decode, file};

use crate::elsewhere::Function;
use crate::error::{enter, to_py};
use crate::stream::{Input, ScoreStream};

#[pyclass(module = "tabad._core", frozen)]
pub struct Model {
    inner: Arc<CoreModel>,
}

type Pool = Option<Arc<rayon::ThreadPool>>;

/// A pool of `threads`, or None for the process-wide one.
pub fn pool(threads: usize) -> PyResult<Pool> {
    if threads == 0 {
        return Ok(None);
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map(|pool| Some(Arc::new(pool))).map_err(|error| PyRuntimeError::new_err(error.to_string()))
}

/// What a memory is told as, and its kept rows column by column.
type MemoryParts<'py> = (String, Bound<'py, PyAny>, Bound<'py, PyAny>);

/// A block's parts: rows, `x_BN`, `c_BC` as buffers that own what Rust computed.
pub type BlockParts<'py> = (usize, Bound<'py, PyAny>, Bound<'py, PyAny>);

/// Core work that asks now and then whether Ctrl-C was pressed, and ends in that exception where it was.
fn interruptible<T: Send>(
    py: Python<'_>,
    work: impl FnOnce(&mut dyn FnMut() -> Result<()>) -> Result<T> + Send,
) -> PyResult<T> {
    let mut pressed = None;
    let found = {
        let mut poll = || {
            Python::attach(|py| py.check_signals()).map_err(|error| {
                pressed = Some(error);
                Error::usage("interrupted", "interrupted")
            })
        };
        enter(py, || work(&mut poll))
    };
    pressed.map_or(found, Err)
}

pub fn block_parts(py: Python<'_>, block: Block) -> PyResult<BlockParts<'_>> {
    let x = Float32Array::new(ScalarBuffer::from(block.x), None);
    let c = UInt16Array::new(ScalarBuffer::from(block.c), None);
    Ok((block.rows, buffer(py, x.into_data())?, buffer(py, c.into_data())?))
}

/// The values of an array as a pyarrow.Buffer: no copy, and numpy reads it as it is (little-endian machines only).
pub fn buffer(py: Python<'_>, data: ArrayData) -> PyResult<Bound<'_, PyAny>> {
    if data.is_empty() {
        return Ok(PyBytes::new(py, &[]).into_any());
    }
    data.to_pyarrow(py)?.call_method0("buffers")?.get_item(1)
}

/// Floats that own what Rust computed.
pub fn float_buffer(py: Python<'_>, values: Vec<f32>) -> PyResult<Bound<'_, PyAny>> {
    buffer(py, Float32Array::new(ScalarBuffer::from(values), None).into_data())
}

/// The content of any buffer, whatever element type it declares.
pub fn bytes(buffer: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    buffer.py().get_type::<PyBytes>().call1((buffer,))?.extract()
}

pub fn block_of(rows: usize, x: &[u8], c: &[u8], numbers: usize, categories: usize) -> Result<Block> {
    let mut block = Block::new(rows, numbers, categories);
    let (x_values, x_rest) = x.as_chunks::<4>();
    let (c_values, c_rest) = c.as_chunks::<2>();
    if x_values.len() != block.x.len() || c_values.len() != block.c.len() || !x_rest.is_empty() || !c_rest.is_empty() {
        let message = format!("a block of {rows} rows needs {numbers} numbers and {categories} categories a row");
        return Err(Error::usage("block-shape", message).hint("use the block that `encode` gave"));
    }
    block.x = x_values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    block.c = c_values.iter().map(|bytes| u16::from_le_bytes(*bytes)).collect();
    Ok(block)
}

impl Model {
    pub fn new(model: CoreModel) -> Self {
        Self { inner: Arc::new(model) }
    }

    fn rule(&self, level: Option<f64>, threshold: Option<f64>, rows: Option<u64>) -> Option<Rule> {
        match (level, threshold, rows) {
            (Some(level), _, _) => Some(Rule::Level(level)),
            (None, Some(threshold), _) => Some(Rule::Threshold(threshold)),
            (None, None, Some(rows)) => match self.inner.default_rule() {
                Rule::StandsOut(_) => Some(Rule::StandsOut(rows)),
                other => Some(other),
            },
            (None, None, None) => None,
        }
    }
}

#[pymethods]
impl Model {
    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        Ok(Self::new(enter(py, || file::from_bytes(data))?))
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = enter(py, || file::to_bytes(&self.inner))?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn with_scorer(&self, py: Python<'_>, scorer: &str) -> PyResult<Self> {
        let model = enter(py, || match Name::parse(scorer) {
            Some(name) => self.inner.with_scorer(name),
            None => Err(Error::usage(
                "option-unknown",
                format!("`scorer` is '{scorer}', which is not one of teacher, student"),
            )),
        })?;
        Ok(Self::new(model))
    }

    fn with_energies(&self, py: Python<'_>, function: Option<Py<PyAny>>) -> PyResult<Self> {
        let Some(function) = function else {
            return Ok(Self::new(CoreModel { elsewhere: None, ..CoreModel::clone(&self.inner) }));
        };
        let elsewhere = Arc::new(Function(function));
        Ok(Self::new(enter(py, || self.inner.with_energies(elsewhere))?))
    }

    fn memory<'py>(&self, py: Python<'py>) -> PyResult<Option<MemoryParts<'py>>> {
        let Some(memory) = &self.inner.denoisers.memory else { return Ok(None) };
        let x = Float32Array::new(ScalarBuffer::from(memory.columns_x()), None);
        let c = UInt16Array::new(ScalarBuffer::from(memory.columns_c()), None);
        Ok(Some((memory.told().to_string(), buffer(py, x.into_data())?, buffer(py, c.into_data())?)))
    }

    fn student_alone(&self, py: Python<'_>) -> PyResult<Self> {
        Ok(Self::new(enter(py, || self.inner.student_alone())?))
    }

    fn redacted(&self, py: Python<'_>, key: &[u8]) -> PyResult<Self> {
        Ok(Self::new(enter(py, || self.inner.redacted(&Secret::new(key)?))?))
    }

    fn with_key(&self, py: Python<'_>, key: &[u8]) -> PyResult<Self> {
        Ok(Self::new(enter(py, || self.inner.with_secret(&Secret::new(key)?))?))
    }

    fn manifest(&self) -> String {
        self.inner.describe().to_string()
    }

    fn constraints(&self) -> String {
        constraints::to_text(&self.inner.constraints)
    }

    #[pyo3(signature = (level=None))]
    fn threshold(&self, level: Option<f64>) -> Option<f64> {
        let calibration = self.inner.calibration();
        calibration.threshold(level.unwrap_or_else(|| calibration.level()))
    }

    fn schema(&self) -> PyArrowType<Schema> {
        PyArrowType(decode::schema(&self.inner.encoder))
    }

    #[pyo3(signature = (stream, *, level=None, threshold=None, explain="flagged", reasons=3, prefix="tabad_", append=true, oddest=10, first_row=0, threads=0, rows=None, strata=None, levels=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of the Python method")]
    fn score(
        &self,
        py: Python<'_>,
        stream: Input,
        level: Option<f64>,
        threshold: Option<f64>,
        explain: &str,
        reasons: usize,
        prefix: &str,
        append: bool,
        oddest: usize,
        first_row: u64,
        threads: usize,
        rows: Option<u64>,
        strata: Option<Vec<u64>>,
        levels: Option<Vec<f64>>,
    ) -> PyResult<ScoreStream> {
        let explain = match explain {
            "flagged" => Explain::Flagged,
            "all" => Explain::All,
            "none" => Explain::None,
            other => {
                let error = Error::usage("explain-unknown", format!("`{other}` does not say which rows to explain"))
                    .hint("use flagged, all or none");
                return Err(to_py(py, &error));
            }
        };
        let rule = self.rule(level, threshold, rows);
        let drift = enter(py, || strata.map(|rows| self.inner.drift(rows)).transpose())?;
        let drift = drift.map(|drift| Weighed { drift, levels });
        let options = Options { rule, explain, reasons, prefix: prefix.to_owned(), append, oddest, first_row, drift };
        let pool = pool(threads)?;
        let model = self.inner.clone();
        let scoring = enter(py, || Scoring::new(model, stream.0, options, pool))?;
        Ok(ScoreStream::new(scoring))
    }

    fn check_drift(&self, py: Python<'_>) -> PyResult<()> {
        enter(py, || self.inner.need_strata().map(|_| ()))
    }

    #[pyo3(signature = (stream, *, top=0, drift=false, fdr=None, threads=0))]
    fn survey(
        &self,
        py: Python<'_>,
        stream: Input,
        top: usize,
        drift: bool,
        fdr: Option<f64>,
        threads: usize,
    ) -> PyResult<String> {
        let ask = Ask { top, drift, fdr };
        let pool = pool(threads)?;
        let found = interruptible(py, |poll| survey(&self.inner, stream.0, ask, pool.as_deref(), poll));
        let found = found?;
        let selection =
            found.selection.map(|selection| json!({"levels": selection.levels, "passed": selection.passed}));
        let drift = found.drift.map(|drift| {
            json!({
                "rows": drift.rows(), "smallest": drift.smallest(), "level": drift.level(), "selection": selection,
                "effective_rows": drift.effective(), "distance": drift.distance(),
            })
        });
        let facts =
            json!({"rows": found.rows, "p_values": found.p_values, "threshold": found.threshold, "drift": drift});
        Ok(facts.to_string())
    }

    #[pyo3(signature = (stream, *, memory=2048, seed=0, threads=0))]
    fn updated(&self, py: Python<'_>, stream: Input, memory: usize, seed: u64, threads: usize) -> PyResult<Self> {
        let pool = pool(threads)?;
        let found = interruptible(py, |poll| update(&self.inner, stream.0, (memory, seed), pool.as_deref(), poll));
        Ok(Self::new(found?))
    }

    #[pyo3(signature = (stream, *, threads=0))]
    fn encode<'py>(&self, py: Python<'py>, stream: Input, threads: usize) -> PyResult<BlockParts<'py>> {
        let pool = pool(threads)?;
        let block = enter(py, || {
            self.inner.need_open()?;
            within(pool.as_deref(), || self.inner.encoder.encode_all(stream.0))
        })?;
        block_parts(py, block)
    }

    #[pyo3(signature = (rows, x, c, *, first_row=0))]
    fn decode(
        &self,
        py: Python<'_>,
        rows: usize,
        x: Bound<'_, PyAny>,
        c: Bound<'_, PyAny>,
        first_row: u64,
    ) -> PyResult<PyArrowType<RecordBatch>> {
        let encoder = &self.inner.encoder;
        let (x, c) = (bytes(&x)?, bytes(&c)?);
        let batch = enter(py, || {
            self.inner.need_values("make rows of")?;
            let block = block_of(rows, &x, &c, encoder.numbers, encoder.categories)?;
            decode::batch(encoder, &block, first_row)
        })?;
        Ok(PyArrowType(batch))
    }

    #[pyo3(signature = (rows, reference, *, k=1, columns=None, exclude_self=false, threads=0))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of the Python method")]
    fn nearest<'py>(
        &self,
        py: Python<'py>,
        rows: BlockParts<'py>,
        reference: BlockParts<'py>,
        k: usize,
        columns: Option<Vec<String>>,
        exclude_self: bool,
        threads: usize,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let encoder = &self.inner.encoder;
        let (x, c) = (bytes(&rows.1)?, bytes(&rows.2)?);
        let (reference_x, reference_c) = (bytes(&reference.1)?, bytes(&reference.2)?);
        let pool = pool(threads)?;
        let found = enter(py, || {
            let columns = columns.map(|names| encoder.places_of(&names)).transpose()?;
            let rows = block_of(rows.0, &x, &c, encoder.numbers, encoder.categories)?;
            let reference = block_of(reference.0, &reference_x, &reference_c, encoder.numbers, encoder.categories)?;
            let search = Search { features: &encoder.features, columns: columns.as_deref(), count: k, exclude_self };
            Ok(within(pool.as_deref(), || nearest(&rows, &reference, &search)))
        })?;
        let names = UInt32Array::new(ScalarBuffer::from(found.rows), None);
        Ok((float_buffer(py, found.distances)?, buffer(py, names.into_data())?))
    }

    #[pyo3(signature = (stream, *, threads=0))]
    fn energies(&self, py: Python<'_>, stream: Input, threads: usize) -> PyResult<String> {
        let pool = pool(threads)?;
        let found = enter(py, || {
            self.inner.need_open()?;
            let work = || {
                let block = self.inner.encoder.encode_all(stream.0)?;
                Ok(self.inner.denoisers.energies(&block))
            };
            within(pool.as_deref(), work)
        })?;
        Ok(json!({"rows": found.rows, "terms": found.terms, "features": found.features}).to_string())
    }

    fn network<'py>(&self, py: Python<'py>) -> PyResult<Option<(String, Bound<'py, PyBytes>)>> {
        let Some(network) = &self.inner.denoisers.network else { return Ok(None) };
        let (config, weights) = enter(py, || network.to_bytes())?;
        Ok(Some((config, PyBytes::new(py, &weights))))
    }

    fn with_release(&self, py: Python<'_>, facts: &str, numbers: &[u8]) -> PyResult<Self> {
        let release = enter(py, || {
            let facts = serde_json::from_str(facts).map_err(|error| Error::model_file(error.to_string()))?;
            let (chunks, _) = numbers.as_chunks::<8>();
            Release::new(facts, chunks.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())
        })?;
        let mut model = CoreModel::clone(&self.inner);
        model.release = Some(release);
        Ok(Self::new(model))
    }

    fn release<'py>(&self, py: Python<'py>) -> Option<(String, Bound<'py, PyBytes>)> {
        let release = self.inner.release.as_ref()?;
        let bytes: Vec<u8> = release.numbers().iter().flat_map(|number| number.to_le_bytes()).collect();
        Some((release.facts().to_string(), PyBytes::new(py, &bytes)))
    }
}

/// Energies of a network alone, for the tests that hold Rust, torch and numpy against each other.
#[pyfunction]
#[pyo3(signature = (config, weights, rows, x, c, noised=None))]
pub fn network_energies<'py>(
    py: Python<'py>,
    config: &str,
    weights: &[u8],
    rows: usize,
    x: &[u8],
    c: &[u8],
    noised: Option<usize>,
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let found = enter(py, || {
        let network = Network::read_alone(config, weights)?;
        let shape = network.shape();
        let block = block_of(rows, x, c, shape.numbers(), shape.categories())?;
        Ok(match noised {
            None => network.energies(&block),
            Some(draw) => network.noised(&[], draw).energies(&block),
        })
    })?;
    let bytes = |values: &[f32]| PyBytes::new(py, bytemuck::cast_slice(values));
    Ok((bytes(&found.joint), bytes(&found.conditional)))
}
