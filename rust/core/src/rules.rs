//! Rows that break what no row of the fit broke: `start <= end`, `total = net + tax`.
//!
//! Kernel and network see how far a total is from those of like rows, not that it is a cent off the sum of its parts. Where n
//! exchangeable rows obey a rule, the next one breaks it with probability 1 / (n + 1) at most; of K rules any one with K / (n + 1)
//! at most. Minus the logarithm of that is what a broken rule adds to a score: orders and sums are counted apart, the rarer of
//! two broken ones counts, once a row. Columns that hang together make orders that hold by chance in few rows, and by the dozen:
//! where there are not two hundred rows for each they say nothing. Rules about values (`zip -> city`) and about nulls are not looked
//! at here: codes and statuses are in the energies.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch};
use arrow_cast::cast;
use arrow_schema::DataType;

use crate::codec::unpacked;
use crate::constraints::{Constraint, Rule};
use crate::model::Model;

/// A sum may be off by this share of its largest cell; of cells of 32 bits, and of 16.
const SLACK: f64 = 1e-9;
const SLACK_OF_SINGLES: f64 = 1e-6;
const SLACK_OF_HALVES: f64 = 1e-2;
const SMALLEST_SIZE: f64 = 1e-3;
/// Rows for each order, or none of them says anything.
const ROWS_OF_AN_ORDER: u64 = 200;

/// The rules of a model and the cells of a batch that they are about.
#[derive(Debug, Default)]
pub struct Rules<'a> {
    checks: Vec<Check<'a>>,
}

/// A rule and the cells that it is about.
#[derive(Debug)]
pub struct Check<'a> {
    pub constraint: &'a Constraint,
    /// In the order of the rule's columns.
    cells: Vec<Arc<Float64Array>>,
    slack: f64,
    /// What it adds to the score of a row that breaks it, in nats.
    evidence: f64,
}

impl<'a> Rules<'a> {
    /// The rules that tell something. One whose columns the batch lacks, or has in types that cannot be compared, is left out.
    pub fn open(model: &'a Model, batch: &RecordBatch, alignment: &[Option<usize>]) -> Self {
        let orders = count(model, Rule::AtMost);
        let tells = |one: &Constraint| one.rule == Rule::Sum || model.sizes.rows >= ROWS_OF_AN_ORDER * orders;
        Self::of(model, batch, alignment, tells)
    }

    /// All of them.
    pub fn all(model: &'a Model, batch: &RecordBatch, alignment: &[Option<usize>]) -> Self {
        Self::of(model, batch, alignment, |_| true)
    }

    fn of(
        model: &'a Model,
        batch: &RecordBatch,
        alignment: &[Option<usize>],
        tells: impl Fn(&Constraint) -> bool,
    ) -> Self {
        let evidence = |rule: Rule| ((model.sizes.rows + 1) as f64 / count(model, rule) as f64).ln().max(0.0);
        let (of_orders, of_sums) = (evidence(Rule::AtMost), evidence(Rule::Sum));
        let checked = model.constraints.iter().filter(|one| one.is_checked() && tells(one));
        let mut known: HashMap<&str, Option<(Arc<Float64Array>, DataType)>> = HashMap::new();
        let mut checks = Vec::new();
        for constraint in checked {
            let cells: Option<Vec<(Arc<Float64Array>, DataType)>> = constraint
                .columns
                .iter()
                .map(|name| {
                    let entry = known.entry(name).or_insert_with(|| {
                        let at = model.encoder.place(name)?;
                        measures(batch.column(alignment.get(at).copied().flatten()?))
                    });
                    entry.clone()
                })
                .collect();
            let Some(cells) = cells else { continue };
            let times: Vec<&DataType> = cells.iter().map(|(_, kind)| kind).filter(|kind| kind.is_temporal()).collect();
            if !times.is_empty() && (times.len() < cells.len() || times.iter().any(|kind| *kind != times[0])) {
                continue;
            }
            let slack = cells.iter().map(|(_, kind)| slack_of(kind)).fold(SLACK, f64::max);
            let cells = cells.into_iter().map(|(cells, _)| cells).collect();
            let evidence = if constraint.rule == Rule::Sum { of_sums } else { of_orders };
            checks.push(Check { constraint, cells, slack, evidence });
        }
        Self { checks }
    }

    /// What the rules that a row breaks add to its score.
    pub fn evidence(&self, row: usize) -> f64 {
        self.broken(row).map(|check| check.evidence).fold(0.0, f64::max)
    }

    /// The rules that a row breaks.
    pub fn broken(&self, row: usize) -> impl Iterator<Item = &Check<'a>> {
        self.checks.iter().filter(move |check| check.breaks(row))
    }

    /// The rules that any of the first `rows` rows breaks.
    pub fn broken_at_all(&self, rows: usize) -> impl Iterator<Item = &'a Constraint> {
        self.checks.iter().filter(move |check| (0..rows).any(|row| check.breaks(row))).map(|check| check.constraint)
    }
}

impl Check<'_> {
    /// What a cell of a sum has to be for the row to obey.
    pub fn wanted(&self, column: &str, row: usize) -> Option<f64> {
        let cell = |at: usize| self.cells[at].value(row);
        let parts: f64 = (1..self.cells.len()).map(cell).sum();
        let place = self.constraint.columns.iter().position(|name| name == column)?;
        Some(if place == 0 { parts } else { cell(0) - parts + cell(place) })
    }

    fn breaks(&self, row: usize) -> bool {
        if self.cells.iter().any(|cells| cells.is_null(row)) {
            return false;
        }
        let cell = |at: usize| self.cells[at].value(row);
        match self.constraint.rule {
            Rule::AtMost => cell(0) > cell(1),
            Rule::Sum => {
                let parts = 1..self.cells.len();
                let gap = (cell(0) - parts.clone().map(cell).sum::<f64>()).abs();
                let size = parts.map(|at| cell(at).abs()).fold(cell(0).abs(), f64::max);
                gap > self.slack * size.max(SMALLEST_SIZE)
            }
            Rule::Determines | Rule::NullTogether | Rule::NullWith => false,
        }
    }
}

/// How many such rules a row may break.
fn count(model: &Model, rule: Rule) -> u64 {
    model.constraints.iter().filter(|one| one.is_checked() && one.rule == rule).count() as u64
}

/// Amounts and times as f64, exact up to 2^53, with the type they had; None for what is neither.
fn measures(column: &ArrayRef) -> Option<(Arc<Float64Array>, DataType)> {
    let plain = unpacked(column).ok()?;
    let kind = plain.data_type();
    let counted = match kind {
        DataType::Date32 | DataType::Time32(_) => cast(&cast(&plain, &DataType::Int32).ok()?, &DataType::Float64),
        kind if kind.is_temporal() => cast(&cast(&plain, &DataType::Int64).ok()?, &DataType::Float64),
        kind if kind.is_numeric() => cast(&plain, &DataType::Float64),
        _ => return None,
    };
    let counted = counted.ok()?;
    let cells = counted.as_any().downcast_ref::<Float64Array>()?.clone();
    Some((Arc::new(cells), kind.clone()))
}

fn slack_of(kind: &DataType) -> f64 {
    match kind {
        DataType::Float32 => SLACK_OF_SINGLES,
        DataType::Float16 => SLACK_OF_HALVES,
        _ => SLACK,
    }
}
