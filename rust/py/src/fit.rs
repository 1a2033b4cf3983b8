//! `tabad._core.Fit`.

use std::collections::BTreeMap;

use arrow_array::RecordBatchReader;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::json;
use tabad_core::block::Block;
use tabad_core::codec::Kind;
use tabad_core::constraints;
use tabad_core::error::Error;
use tabad_core::fit::{Fit as CoreFit, Judged, Options, Prepared};
use tabad_core::mechanism::Mechanism;
use tabad_core::model::{Label, describe_columns, network_shape};
use tabad_core::network::Network;
use tabad_core::student::Student;
use tabad_core::threads::within;

use crate::error::{enter, to_py};
use crate::model::{Model, block_of, block_parts, bytes, float_buffer, pool};
use crate::stream::Input;

enum State {
    Observing(Box<CoreFit>),
    Prepared(Box<Prepared>),
    Judged(Box<Judged>),
    Done,
}

#[pyclass(module = "tabad._core")]
pub struct Fit {
    state: State,
    threads: usize,
}

type Part<'py> = (usize, Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyBytes>);

fn part<'py>(py: Python<'py>, block: &Block, classes: &[u16]) -> PyResult<Part<'py>> {
    let labels: Vec<u8> = classes.iter().flat_map(|class| class.to_le_bytes()).collect();
    let (rows, x, c) = block_parts(py, block.clone())?;
    Ok((rows, x, c, PyBytes::new(py, &labels)))
}

fn out_of_order(what: &str) -> PyErr {
    PyRuntimeError::new_err(format!("a fit is observed, then prepared, then finished: {what}"))
}

#[pymethods]
impl Fit {
    #[new]
    #[pyo3(signature = (*, kinds=None, ignore=None, label=None, normal=None, feedback=None, memory=2048, seed=0, screen=false, given=None, mechanism="combined", rules=true, unit=None, threads=0))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of the Python class")]
    fn new(
        py: Python<'_>,
        kinds: Option<BTreeMap<String, String>>,
        ignore: Option<Vec<String>>,
        label: Option<String>,
        normal: Option<String>,
        feedback: Option<String>,
        memory: usize,
        seed: u64,
        screen: bool,
        given: Option<Vec<String>>,
        mechanism: &str,
        rules: bool,
        unit: Option<String>,
        threads: usize,
    ) -> PyResult<Self> {
        let mut parsed = BTreeMap::new();
        for (column, name) in kinds.unwrap_or_default() {
            let kind = Kind::parse(&name).ok_or_else(|| {
                let error =
                    Error::usage("kind-unknown", format!("`{name}` is not a kind of column (asked for `{column}`)"))
                        .hint("kinds are number, category, boolean, datetime, text, key, id");
                to_py(py, &error)
            })?;
            parsed.insert(column, kind);
        }
        let ignore = ignore.unwrap_or_default();
        let mechanism = Mechanism::named(mechanism).map_err(|error| to_py(py, &error))?;
        let given = given.unwrap_or_default();
        let options = Options {
            kinds: parsed,
            ignore,
            label,
            normal,
            feedback,
            memory,
            seed,
            screen,
            given,
            mechanism,
            rules,
            unit,
        };
        let fit = CoreFit::new(options).map_err(|error| to_py(py, &error))?;
        Ok(Self { state: State::Observing(Box::new(fit)), threads })
    }

    fn observe(&mut self, py: Python<'_>, stream: Input) -> PyResult<u64> {
        let pool = pool(self.threads)?;
        let State::Observing(fit) = &mut self.state else { return Err(out_of_order("it is already prepared")) };
        let mut reader = stream.0;
        let schema = reader.schema();
        enter(py, || fit.open(&schema))?;
        loop {
            let more = enter(py, || match reader.next() {
                Some(batch) => {
                    let batch = batch?;
                    within(pool.as_deref(), || fit.observe(&batch))?;
                    Ok(true)
                }
                None => Ok(false),
            })?;
            if !more {
                return Ok(fit.rows());
            }
            py.check_signals()?;
        }
    }

    fn prepare(&mut self, py: Python<'_>) -> PyResult<String> {
        let State::Observing(fit) = std::mem::replace(&mut self.state, State::Done) else {
            return Err(out_of_order("it is already prepared"));
        };
        let pool = pool(self.threads)?;
        let prepared = enter(py, || within(pool.as_deref(), || fit.prepare()))?;
        let sizes = prepared.sizes();
        let shape = network_shape(&prepared.encoder);
        let facts = json!({
            "columns": describe_columns(&prepared.encoder),
            "rows": sizes.rows,
            "training_rows": sizes.training,
            "reference_rows": sizes.reference,
            "calibration_rows": sizes.calibration,
            "kept_rows": prepared.denoisers.memory.as_ref().map_or(0, tabad_core::memory::Memory::rows),
            "label": prepared.label.as_ref().map(Label::describe),
            "feedback": {"anomalies": prepared.feedback().0, "normals": prepared.feedback().1},
            "network": {
                "status_of_number": shape.status_of_number,
                "sizes": shape.sizes,
                "column_of_feature": shape.column_of_feature,
            },
        });
        self.state = State::Prepared(Box::new(prepared));
        Ok(facts.to_string())
    }

    fn training_block<'py>(&self, py: Python<'py>) -> PyResult<Part<'py>> {
        match &self.state {
            State::Prepared(fit) => part(py, &fit.training, &fit.training_classes),
            State::Judged(fit) => part(py, &fit.training, &fit.training_classes),
            State::Observing(_) | State::Done => Err(out_of_order("prepare it first")),
        }
    }

    fn held_out_block<'py>(&self, py: Python<'py>) -> PyResult<Part<'py>> {
        let State::Prepared(fit) = &self.state else { return Err(out_of_order("prepare it first")) };
        part(py, &fit.reference, &fit.reference_classes)
    }

    fn set_network(&mut self, py: Python<'_>, config: &str, weights: &[u8]) -> PyResult<()> {
        let State::Prepared(fit) = &mut self.state else { return Err(out_of_order("prepare it first")) };
        let shape = network_shape(&fit.encoder);
        let network = enter(py, || Network::read(config, weights, &shape))?;
        fit.set_network(network);
        Ok(())
    }

    fn constraints(&self) -> PyResult<String> {
        let State::Prepared(fit) = &self.state else { return Err(out_of_order("prepare it first")) };
        Ok(constraints::to_text(fit.constraints()))
    }

    fn set_constraints(&mut self, py: Python<'_>, text: &str) -> PyResult<()> {
        let State::Prepared(fit) = &mut self.state else { return Err(out_of_order("prepare it first")) };
        let parsed = enter(py, || constraints::parse(text, &fit.encoder.names()))?;
        fit.set_constraints(constraints::held(parsed, &fit.encoder));
        Ok(())
    }

    fn judge(&mut self, py: Python<'_>) -> PyResult<bool> {
        let State::Prepared(fit) = std::mem::replace(&mut self.state, State::Done) else {
            return Err(out_of_order("prepare it first"));
        };
        let pool = pool(self.threads)?;
        let can_teach = fit.can_teach();
        let judged = enter(py, || within(pool.as_deref(), || fit.judge()))?;
        self.state = State::Judged(Box::new(judged));
        Ok(can_teach)
    }

    fn teach<'py>(
        &self,
        py: Python<'py>,
        rows: usize,
        x: Bound<'py, PyAny>,
        c: Bound<'py, PyAny>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let State::Judged(fit) = &self.state else { return Err(out_of_order("judge it first")) };
        let (x, c) = (bytes(&x)?, bytes(&c)?);
        let pool = pool(self.threads)?;
        let encoder = &fit.model.encoder;
        let lesson = enter(py, || {
            let block = block_of(rows, &x, &c, encoder.numbers, encoder.categories)?;
            Ok(within(pool.as_deref(), || fit.teach(&block)))
        })?;
        Ok((float_buffer(py, lesson.scores)?, float_buffer(py, lesson.tails)?))
    }

    fn set_student(&mut self, py: Python<'_>, config: &str, weights: &[u8]) -> PyResult<()> {
        let State::Judged(fit) = &mut self.state else { return Err(out_of_order("judge it first")) };
        enter(py, || {
            let student = Student::read(config, weights, &network_shape(&fit.model.encoder))?;
            fit.set_student(student);
            Ok(())
        })
    }

    fn finish(&mut self, py: Python<'_>) -> PyResult<Model> {
        let pool = pool(self.threads)?;
        match std::mem::replace(&mut self.state, State::Done) {
            State::Judged(fit) => Ok(Model::new(fit.model)),
            State::Prepared(fit) => Ok(Model::new(enter(py, || within(pool.as_deref(), || fit.finish()))?)),
            State::Observing(_) | State::Done => Err(out_of_order("prepare it first")),
        }
    }
}
