//! The four added columns, and the summary of a run.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, ListArray, RecordBatch, RecordBatchOptions, StringArray,
    StructArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};
use serde_json::{Value, json};

use super::{Rule, Verdict};
use crate::error::Result;
use crate::reasons::Reason;

/// The four names behind a prefix.
#[derive(Debug, Clone)]
pub struct Names {
    prefix: String,
}

fn reason_fields() -> Fields {
    Fields::from(vec![
        Field::new("column", DataType::Utf8, false),
        Field::new("seen", DataType::Utf8, false),
        Field::new("expected", DataType::Utf8, false),
        Field::new("share", DataType::Float32, false),
    ])
}

fn reason_item() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Struct(reason_fields()), false))
}

impl Names {
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    pub fn all(&self) -> [String; 4] {
        ["score", "p_value", "flag", "reasons"].map(|name| format!("{}{name}", self.prefix))
    }

    pub fn schema(&self, input: &Schema, append: bool) -> SchemaRef {
        let mut fields: Vec<Arc<Field>> = if append { input.fields().iter().cloned().collect() } else { Vec::new() };
        let [score, p_value, flag, reasons] = self.all();
        fields.push(Arc::new(Field::new(score, DataType::Float64, false)));
        fields.push(Arc::new(Field::new(p_value, DataType::Float64, false)));
        fields.push(Arc::new(Field::new(flag, DataType::Boolean, false)));
        fields.push(Arc::new(Field::new(reasons, DataType::List(reason_item()), true)));
        let metadata = if append { input.metadata().clone() } else { Default::default() };
        Arc::new(Schema::new_with_metadata(fields, metadata))
    }
}

/// The scored batch. `reasons[k]` belong to row `explained[k]`; every other row's reasons are null.
pub fn build(
    batch: &RecordBatch,
    schema: &SchemaRef,
    append: bool,
    verdicts: &[Verdict],
    explained: &[usize],
    reasons: &[Vec<Reason>],
) -> Result<RecordBatch> {
    let mut columns: Vec<ArrayRef> = if append { batch.columns().to_vec() } else { Vec::new() };
    columns.push(Arc::new(Float64Array::from_iter_values(verdicts.iter().map(|v| v.score))));
    columns.push(Arc::new(Float64Array::from_iter_values(verdicts.iter().map(|v| v.p_value))));
    columns.push(Arc::new(verdicts.iter().map(|v| Some(v.flag)).collect::<BooleanArray>()));
    columns.push(Arc::new(reason_lists(verdicts.len(), explained, reasons)?));
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

fn reason_lists(rows: usize, explained: &[usize], reasons: &[Vec<Reason>]) -> Result<ListArray> {
    let mut offsets = Vec::with_capacity(rows + 1);
    let mut valid = vec![false; rows];
    let mut end = 0_i32;
    let mut known = explained.iter().zip(reasons).peekable();
    offsets.push(0);
    for row in 0..rows {
        if let Some((_, of_row)) = known.next_if(|(at, _)| **at == row) {
            valid[row] = true;
            end = end.saturating_add(i32::try_from(of_row.len()).unwrap_or(0));
        }
        offsets.push(end);
    }
    let flat: Vec<&Reason> = reasons.iter().flatten().collect();
    let text = |pick: fn(&Reason) -> &str| StringArray::from_iter_values(flat.iter().map(|reason| pick(reason)));
    let values = StructArray::try_new(
        reason_fields(),
        vec![
            Arc::new(text(|reason| &reason.column)),
            Arc::new(text(|reason| &reason.seen)),
            Arc::new(text(|reason| &reason.expected)),
            Arc::new(Float32Array::from_iter_values(flat.iter().map(|reason| reason.share))),
        ],
        None,
    )?;
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    Ok(ListArray::try_new(reason_item(), offsets, Arc::new(values), Some(NullBuffer::from(valid)))?)
}

/// One of the oddest rows.
#[derive(Debug, Clone)]
struct Odd {
    row: u64,
    verdict: Verdict,
    reasons: Vec<Reason>,
}

/// What has been scored so far.
#[derive(Debug)]
pub struct Summary {
    rule: Rule,
    most: usize,
    rows: u64,
    flagged: u64,
    /// Oddest first; equal scores in row order.
    oddest: Vec<Odd>,
    /// Flagged rows by the column of their first reason, where they have reasons.
    first: BTreeMap<String, u64>,
}

impl Summary {
    pub fn new(rule: Rule, most: usize) -> Self {
        Self { rule, most, rows: 0, flagged: 0, oddest: Vec::new(), first: BTreeMap::new() }
    }

    /// Counts a batch; returns its rows that enter the oddest, ascending.
    pub fn count(&mut self, verdicts: &[Verdict]) -> Vec<usize> {
        self.rows += verdicts.len() as u64;
        self.flagged += verdicts.iter().filter(|v| v.flag).count() as u64;
        let full = self.oddest.len() >= self.most;
        let bar =
            if full { self.oddest.last().map_or(f64::INFINITY, |odd| odd.verdict.score) } else { f64::NEG_INFINITY };
        let mut rows: Vec<usize> = (0..verdicts.len()).filter(|&row| verdicts[row].score > bar).collect();
        rows.sort_by(|&a, &b| verdicts[b].score.total_cmp(&verdicts[a].score).then(a.cmp(&b)));
        rows.truncate(self.most);
        rows.sort_unstable();
        rows
    }

    /// Counts what a flagged row is flagged for.
    pub fn count_reason(&mut self, reasons: &[Reason]) {
        if let Some(first) = reasons.first() {
            *self.first.entry(first.column.clone()).or_default() += 1;
        }
    }

    pub fn enter(&mut self, row: u64, verdict: Verdict, reasons: Vec<Reason>) {
        let place = self.oddest.partition_point(|odd| odd.verdict.score >= verdict.score);
        self.oddest.insert(place, Odd { row, verdict, reasons });
        self.oddest.truncate(self.most);
    }

    pub fn to_json(&self) -> Value {
        let (rule, level) = match self.rule {
            Rule::Level(level) => ("level", Some(level)),
            Rule::Threshold(_) => ("threshold", None),
            Rule::StandsOut(_) => ("stands-out", None),
        };
        let oddest: Vec<Value> = self
            .oddest
            .iter()
            .map(|odd| {
                let reasons: Vec<Value> = odd
                    .reasons
                    .iter()
                    .map(|r| json!({"column": r.column, "part": r.part.name(), "seen": r.seen, "expected": r.expected, "share": r.share}))
                    .collect();
                let Verdict { score, p_value, flag } = odd.verdict;
                json!({"row": odd.row, "score": score, "p_value": p_value, "flag": flag, "reasons": reasons})
            })
            .collect();
        let mut first: Vec<(&String, &u64)> = self.first.iter().collect();
        first.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        let first: Vec<Value> =
            first.into_iter().map(|(column, rows)| json!({"column": column, "rows": rows})).collect();
        json!({
            "rows": self.rows, "flagged": self.flagged, "rule": rule, "level": level, "oddest": oddest,
            "first_reasons": first,
        })
    }
}
