//! Rows that break what no row of the fit broke, or few did: `start <= end`, `total = net + tax`, `amount = quantity * price`.
//!
//! Kernel and network see how far a total is from those of like rows, not that it is a cent off the sum of its parts. Where k of n
//! exchangeable rows break a rule, the next one does with probability (k + 1) / (n + 1) at most; of K rules any one with K times
//! that. Minus the logarithm of it is what a broken order adds to a score: orders without exception and orders with some are
//! counted apart. A sum or a product is no habit but a computation, and so is what a person gave as a rule: of tables whose rows are all right,
//! one in twenty at most is assumed to hold a row that breaks any of them, however many rows of this one do. Such a row is raised by
//! ln(20 (n + 1)), and stands out in a table that is screened. The rarest of the broken rules counts, once a row.
//!
//! Columns that hang together make orders that hold by chance in few rows, and by the dozen: where there are not two hundred rows
//! for each they say nothing. Rules about nulls, which no row of the fit broke,
//! are counted by themselves in the same way. A cell that is not what its column is (`reading`) breaks what is computed. Rules about values (`zip -> city`) are not looked at here: codes are in the energies. Calibration rows are raised like all others: whatever a broken rule adds, p-values stay what they are. (Not by strays, which a fit takes for missing: a row with one is wrong, however many there are.)

mod find;
mod nulls;

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch};
use arrow_cast::cast;
use arrow_schema::{DataType, TimeUnit};

use crate::codec::{Kind, unpacked};
use crate::constraints::{Constraint, Rule};
use crate::encoder::Encoder;
use crate::reading::Strays;
use crate::slips::{Slipped, Slips};

pub use find::find;
use nulls::Nulls;

/// A sum may be off by this share of its largest cell; of cells of 32 bits, and of 16.
const SLACK: f64 = 1e-9;
const SLACK_OF_SINGLES: f64 = 1e-6;
const SLACK_OF_HALVES: f64 = 1e-2;
const SMALLEST_SIZE: f64 = 1e-3;
/// Microseconds.
const DAY: f64 = 86_400e6;
/// Rows for each order, or none of them says anything.
const ROWS_OF_AN_ORDER: u64 = 200;
/// Tables whose rows are all right, of which one holds a row that breaks what is computed.
const TABLES: f64 = 20.0;

/// What is known of rules.
#[derive(Debug, Clone, Copy)]
pub struct Book<'a> {
    pub encoder: &'a Encoder,
    pub constraints: &'a [Constraint],
    pub slips: &'a Slips,
}

/// Rules that are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Computed,
    Order,
    OrderWithExceptions,
    Nulls,
}

impl Sort {
    fn of(one: &Constraint) -> Self {
        match (matches!(one.rule, Rule::Sum | Rule::Product) || one.given, one.broken) {
            _ if one.rule.is_of_nulls() => Self::Nulls,
            (true, _) => Self::Computed,
            (false, Some(0)) => Self::Order,
            (false, _) => Self::OrderWithExceptions,
        }
    }
}

/// How many rules of each sort a row may break.
#[derive(Debug, Clone, Copy, Default)]
struct Counts([u64; 4]);

impl Counts {
    fn of(self, sort: Sort) -> u64 {
        self.0[sort as usize]
    }

    fn tells(self, one: &Constraint) -> bool {
        let sort = Sort::of(one);
        sort == Sort::Computed || one.rows >= ROWS_OF_AN_ORDER * self.of(sort)
    }

    /// What a rule adds to the score of a row that breaks it, in nats.
    fn evidence(self, one: &Constraint) -> f64 {
        let sort = Sort::of(one);
        let share = match sort {
            Sort::Computed => 1.0 / TABLES,
            Sort::Order | Sort::Nulls => self.of(sort) as f64,
            Sort::OrderWithExceptions => self.of(sort) as f64 * (one.broken.unwrap_or(0) + 1) as f64,
        };
        ((one.rows + 1) as f64 / share).ln().max(0.0)
    }
}

impl<'a> Book<'a> {
    fn checked(self) -> impl Iterator<Item = &'a Constraint> {
        self.constraints.iter().filter(move |one| one.is_checked() && !self.is_habit(one))
    }

    /// An order of amounts that rows broke, of an update say: `find` tells none, and why.
    fn is_habit(self, one: &Constraint) -> bool {
        let of_amounts = |name: &String| {
            self.encoder
                .place(name)
                .and_then(|at| self.encoder.codec(at))
                .is_some_and(|codec| codec.kind() == Kind::Number)
        };
        Sort::of(one) == Sort::OrderWithExceptions && one.columns.first().is_some_and(of_amounts)
    }

    fn counts(self) -> Counts {
        let mut counts = Counts::default();
        self.checked().for_each(|one| counts.0[Sort::of(one) as usize] += 1);
        counts
    }
}

/// The rules of a model and the cells of a batch that they are about.
#[derive(Debug, Default)]
pub struct Rules<'a> {
    checks: Vec<Check<'a>>,
    slips: Vec<Slipped<'a>>,
    /// What a slip adds to the score of its row, in nats.
    evidence_of_slips: f64,
    strays: Vec<Strays>,
    /// What a stray adds to the score of its row, in nats.
    evidence_of_strays: f64,
}

/// A rule and the cells that it is about.
#[derive(Debug)]
pub struct Check<'a> {
    pub constraint: &'a Constraint,
    /// In the order of the rule's columns; none of a rule about nulls.
    cells: Vec<Arc<Float64Array>>,
    nulls: Option<Nulls>,
    slack: f64,
    /// What it adds to the score of a row that breaks it, in nats.
    evidence: f64,
}

impl<'a> Rules<'a> {
    /// The rules that tell something. One whose columns the batch lacks, or has in types that cannot be compared, is left out.
    pub fn open(book: Book<'a>, batch: &RecordBatch, alignment: &[Option<usize>]) -> Self {
        let counts = book.counts();
        Self::of(book, batch, alignment, counts, |one| counts.tells(one))
    }

    /// All of them.
    pub fn all(book: Book<'a>, batch: &RecordBatch, alignment: &[Option<usize>]) -> Self {
        Self::of(book, batch, alignment, book.counts(), |_| true)
    }

    fn of(
        book: Book<'a>,
        batch: &RecordBatch,
        alignment: &[Option<usize>],
        counts: Counts,
        tells: impl Fn(&Constraint) -> bool,
    ) -> Self {
        let checked = book.checked().filter(|one| tells(one));
        let mut known: HashMap<&str, Option<(Arc<Float64Array>, DataType)>> = HashMap::new();
        let mut checks = Vec::new();
        for constraint in checked {
            let evidence = counts.evidence(constraint);
            if constraint.rule.is_of_nulls() {
                let column = |name: &String| Some(batch.column(alignment.get(book.encoder.place(name)?).copied()??));
                let columns: Option<Vec<&ArrayRef>> = constraint.columns.iter().map(column).collect();
                if let Some(nulls) = columns.and_then(|columns| Nulls::open(constraint, &columns)) {
                    checks.push(Check { constraint, cells: Vec::new(), nulls: Some(nulls), slack: SLACK, evidence });
                }
                continue;
            }
            let cells: Option<Vec<(Arc<Float64Array>, DataType)>> = constraint
                .columns
                .iter()
                .map(|name| {
                    let entry = known.entry(name).or_insert_with(|| {
                        let at = book.encoder.place(name)?;
                        measures(batch.column(alignment.get(at).copied().flatten()?))
                    });
                    entry.clone()
                })
                .collect();
            let Some(cells) = cells else { continue };
            let slack = cells.iter().map(|(_, kind)| slack_of(kind)).fold(SLACK, f64::max);
            let Some(cells) = comparable(cells) else { continue };
            checks.push(Check { constraint, cells, nulls: None, slack, evidence });
        }
        let slips = book.slips.open(book.encoder, batch, alignment);
        Self { checks, slips, evidence_of_slips: computed(book.slips.rows()), ..Self::default() }
    }

    /// With the cells of the batch that are not what their columns are, by a fit of so many rows; those of columns that are not
    /// judged say nothing.
    #[must_use]
    pub fn with_strays(self, book: Book<'a>, strays: Vec<Strays>, rows: u64) -> Self {
        let judged = |column: &str| {
            book.encoder.place(column).is_some_and(|at| {
                let codec = book.encoder.codec(at);
                !book.encoder.columns[at].given && codec.is_some_and(|codec| !codec.specs().is_empty())
            })
        };
        let strays = strays.into_iter().filter(|one| judged(&one.column)).collect();
        Self { strays, evidence_of_strays: computed(rows), ..self }
    }

    /// The columns whose cell of a row is not what they are.
    pub fn strays(&self, row: usize) -> impl Iterator<Item = &Strays> {
        self.strays.iter().filter(move |one| one.has(row))
    }

    /// The columns whose cell of a row is a slip, the cell, and what was meant.
    pub fn slips(&self, row: usize) -> impl Iterator<Item = (&'a str, &str, &str)> {
        self.slips.iter().filter_map(move |one| one.of(row).map(|(seen, meant)| (one.column, seen, meant)))
    }

    /// What the rules that a row breaks, its slips and its strays add to its score.
    pub fn evidence(&self, row: usize) -> f64 {
        let of_strays = if self.strays(row).next().is_some() { self.evidence_of_strays } else { 0.0 };
        let of_slips = if self.slips(row).next().is_some() { self.evidence_of_slips } else { 0.0 };
        self.broken(row).map(|check| check.evidence).fold(of_strays.max(of_slips), f64::max)
    }

    /// Whether a row stands out by what it breaks, whatever its score: among rows that are all right it would be one of twenty tables.
    pub fn stands_out(&self, row: usize) -> bool {
        self.strays(row).next().is_some()
            || self.slips(row).next().is_some()
            || self.checks.iter().any(|check| Sort::of(check.constraint) == Sort::Computed && check.breaks(row))
    }

    /// The rules that a row breaks.
    pub fn broken(&self, row: usize) -> impl Iterator<Item = &Check<'a>> {
        self.checks.iter().filter(move |check| check.breaks(row))
    }

    /// How many rules fewer a row would break with another cell in a column.
    pub fn mended(&self, column: &str, value: f64, row: usize) -> i64 {
        let of_column = self.checks.iter().filter(|check| check.constraint.columns.iter().any(|name| name == column));
        of_column.map(|check| i64::from(check.breaks(row)) - i64::from(check.breaks_with(column, value, row))).sum()
    }

    /// The rules, and how many of some rows break each.
    pub fn counted(&self, rows: &[u32]) -> impl Iterator<Item = (&'a Constraint, u64)> {
        let count = move |check: &Check<'_>| rows.iter().filter(|&&row| check.breaks(row as usize)).count() as u64;
        self.checks.iter().map(move |check| (check.constraint, count(check)))
    }
}

/// What adds to a score, in nats, that one of twenty tables of so many rows that are all right has.
fn computed(rows: u64) -> f64 {
    ((rows + 1) as f64 * TABLES).ln()
}

impl<'a> Check<'a> {
    /// What a cell of a sum or a product has to be for the row to obey; None where no number would do.
    pub fn wanted(&self, column: &str, row: usize) -> Option<f64> {
        let cell = |at: usize| self.cells[at].value(row);
        let place = self.constraint.columns.iter().position(|name| name == column)?;
        if self.constraint.rule == Rule::Product {
            let others: f64 = (1..self.cells.len()).filter(|&at| at != place).map(cell).product();
            return Some(if place == 0 { others } else { cell(0) / others }).filter(|wanted| wanted.is_finite());
        }
        let parts: f64 = (1..self.cells.len()).map(cell).sum();
        Some(if place == 0 { parts } else { cell(0) - parts + cell(place) })
    }

    /// Whether the row would break the rule with another cell in a column.
    pub fn breaks_with(&self, column: &str, value: f64, row: usize) -> bool {
        if self.nulls.is_some() {
            return self.breaks(row);
        }
        let own = |at: usize| self.constraint.columns[at] == column;
        let absent = (0..self.cells.len()).any(|at| !own(at) && self.cells[at].is_null(row));
        !absent && self.is_off(|at| if own(at) { value } else { self.cells[at].value(row) })
    }

    /// Of a rule about nulls the columns that may be wrong, likeliest first, and whether each is null: those that are as fewer are, the
    /// one that the value of another speaks of, the one that should be null with another.
    pub fn odd_nulls(&self, row: usize) -> Vec<(&'a str, bool)> {
        let Some(nulls) = &self.nulls else { return Vec::new() };
        let names = self.constraint.columns.iter().map(String::as_str).enumerate();
        let mut columns: Vec<(&'a str, bool)> = names.map(|(at, name)| (name, nulls.is_null(at, row))).collect();
        if self.constraint.rule != Rule::NullTogether {
            columns.reverse();
            return columns;
        }
        let empty = columns.iter().filter(|(_, null)| *null).count();
        let fewer = 2 * empty <= columns.len();
        columns.sort_by_key(|(_, null)| *null != fewer);
        columns
    }

    /// Of a broken order: the column's cell, whether the other is its upper end, and how far beyond that it is.
    pub fn beyond(&self, column: &str, row: usize) -> Option<(f64, bool, f64)> {
        let [first, second, ..] = self.cells.as_slice() else { return None };
        let (low, high) = (first.value(row), second.value(row));
        let is_first = self.constraint.columns.first().is_some_and(|first| first == column);
        (self.constraint.rule == Rule::AtMost).then_some((if is_first { low } else { high }, is_first, low - high))
    }

    fn breaks(&self, row: usize) -> bool {
        if let Some(nulls) = &self.nulls {
            return nulls.breaks(self.constraint.rule, row);
        }
        if self.cells.iter().any(|cells| cells.is_null(row)) {
            return false;
        }
        self.is_off(|at| self.cells[at].value(row))
    }

    fn is_off(&self, cell: impl Fn(usize) -> f64 + Clone) -> bool {
        match self.constraint.rule {
            Rule::AtMost => cell(0) > cell(1),
            Rule::Sum => is_off(cell(0), (1..self.cells.len()).map(cell), self.slack),
            Rule::Product => {
                is_no_product(cell(0), [cell(1), cell(2)], (self.slack, unit_of(self.constraint.decimals)))
            }
            Rule::Determines | Rule::NullTogether | Rule::NullWith | Rule::NullBy => false,
        }
    }
}

/// Whether parts do not make the total; of a missing cell there is no gap.
fn is_off(total: f64, parts: impl Iterator<Item = f64> + Clone, slack: f64) -> bool {
    let gap = (total - parts.clone().sum::<f64>()).abs();
    let size = parts.map(f64::abs).fold(total.abs(), f64::max);
    gap > slack * size.max(SMALLEST_SIZE)
}

/// Whether factors do not make the total, rounded to a unit; of a missing cell there is no gap.
fn is_no_product(total: f64, [one, other]: [f64; 2], (slack, unit): (f64, f64)) -> bool {
    let product = one * other;
    (total - product).abs() > reach(product, slack, unit)
}

/// How far from a product its rounded self may be: halves of a unit that doubles cannot tell go either way.
fn reach(product: f64, slack: f64, unit: f64) -> f64 {
    slack * product.abs().max(SMALLEST_SIZE) + unit * (0.5 + 1e-6)
}

/// What a number of so many decimals is rounded to.
fn unit_of(decimals: Option<u8>) -> f64 {
    decimals.map_or(0.0, |decimals| 10_f64.powi(-i32::from(decimals)))
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

/// The cells as they are where all are of one type or all are amounts, else as microseconds, beside a date as days; None where they
/// cannot be compared.
fn comparable(cells: Vec<(Arc<Float64Array>, DataType)>) -> Option<Vec<Arc<Float64Array>>> {
    let (first, rest) = cells.split_first()?;
    let alike = rest.iter().all(|(_, kind)| *kind == first.1);
    if alike || cells.iter().all(|(_, kind)| kind.is_numeric()) {
        return Some(cells.into_iter().map(|(cells, _)| cells).collect());
    }
    let (sort, _) = clock(&first.1)?;
    // Noon of a day is not after that day.
    let days = cells.iter().any(|(_, kind)| matches!(kind, DataType::Date32 | DataType::Date64));
    // Nanoseconds since 1970 are no exact doubles, whole microseconds are.
    let whole = |micros: f64| if days { (micros.round() / DAY).floor() } else { micros.round() };
    cells
        .iter()
        .map(|(cells, kind)| {
            let (own, micros) = clock(kind)?;
            (own == sort).then(|| Arc::new(cells.unary(|value| whole(value * micros))))
        })
        .collect()
}

/// What a time is compared with, and the microseconds of one of its units.
fn clock(kind: &DataType) -> Option<(Clock, f64)> {
    let of = |unit: &TimeUnit| match unit {
        TimeUnit::Second => 1e6,
        TimeUnit::Millisecond => 1e3,
        TimeUnit::Microsecond => 1.0,
        TimeUnit::Nanosecond => 1e-3,
    };
    Some(match kind {
        DataType::Date32 => (Clock::Instant { zoned: false }, DAY),
        DataType::Date64 => (Clock::Instant { zoned: false }, 1e3),
        DataType::Timestamp(unit, zone) => (Clock::Instant { zoned: zone.is_some() }, of(unit)),
        DataType::Time32(unit) | DataType::Time64(unit) => (Clock::OfDay, of(unit)),
        DataType::Duration(unit) => (Clock::Span, of(unit)),
        _ => return None,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clock {
    Instant { zoned: bool },
    OfDay,
    Span,
}

fn slack_of(kind: &DataType) -> f64 {
    match kind {
        DataType::Float32 => SLACK_OF_SINGLES,
        DataType::Float16 => SLACK_OF_HALVES,
        _ => SLACK,
    }
}
