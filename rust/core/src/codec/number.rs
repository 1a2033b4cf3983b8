//! Numbers: integers, floats, decimals, durations (in seconds). One number dim and its status.
//!
//! Null, NaN and the infinities are statuses with `x` 0; values outside what was seen are kept by how far outside
//! they are. `decode` gives back the column's decimals, its whole numbers, and its few values where they were few.

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use serde_json::{Value, json};
use std::ops::Range;

use super::manifest::Fields;
use super::read::{self, Rows};
use super::scale::{Scale, logarithm, quantile};
use super::types::{Family, family, plain};
use super::{CHUNK, Cells, Column, Content, Out, Spec, build, show};
use crate::block::{NAN, NEG_INF, NULL, POS_INF, PRESENT, Part, STATUS_CODES};
use crate::error::Result;
use crate::store::Store;

/// So many distinct training values are all known.
const KNOWN: usize = 64;
/// Upper half over lower half of a column that is standardised on a logarithmic scale; 6.7 for exponential values.
const SKEW: f64 = 5.0;
/// Decimals looked for in floats.
const DECIMALS: u8 = 6;
/// Of a factor of ten, so much is half on a logarithmic scale.
const NARROW: f64 = 3.0;

#[derive(Debug, Clone)]
pub struct Number {
    pub(super) column: Column,
    /// Positive and far skewed to the right: standardised as `ln(1 + |v| / unit)` with the sign of v, so that
    /// ten times an ordinary amount is as far above it whatever the spread of the largest.
    unit: Option<f64>,
    scale: Scale,
    /// Range of the training values.
    min: f64,
    max: f64,
    /// All values are multiples of 10^-decimals.
    pub(super) decimals: Option<u8>,
    /// All training values in order, if they are few; else empty.
    known: Vec<f64>,
}

#[derive(Debug)]
pub struct Source<'a> {
    codec: &'a Number,
    rows: Rows<f64>,
}

impl Number {
    pub fn fit(column: Column, training: &dyn Array) -> Result<Self> {
        let rows = read::numbers(training)?;
        let mut values: Vec<f64> = rows.iter().flatten().filter(|value| value.is_finite()).collect();
        let decimals = match (plain(&column.data_type), family(&column.data_type)) {
            (_, Some(Family::Integer)) => Some(0),
            (DataType::Decimal32(_, s) | DataType::Decimal64(_, s), _) => u8::try_from(*s).ok(),
            (DataType::Decimal128(_, s) | DataType::Decimal256(_, s), _) => u8::try_from(*s).ok(),
            (data_type, _) => common_decimals(&values, data_type),
        };
        values.sort_unstable_by(f64::total_cmp);
        let unit = skewed_unit(&values);
        let scale = match unit {
            Some(unit) => Scale::fit(&values.iter().map(|&value| logarithm(value, unit)).collect::<Vec<f64>>()),
            None => Scale::fit(&values),
        };
        let (min, max) = (values.first().copied().unwrap_or(0.0), values.last().copied().unwrap_or(0.0));
        values.dedup();
        let known = if values.len() <= KNOWN { values } else { Vec::new() };
        Ok(Self { column, unit, scale, min, max, decimals, known })
    }

    pub fn specs(&self) -> Vec<Spec> {
        vec![Spec::number(Part::Value), Spec::category(Part::Status, STATUS_CODES)]
    }

    pub fn summary(&self) -> String {
        let range = format!("{} to {}", show::number(self.min, None), show::number(self.max, None));
        match self.decimals {
            Some(1) => format!("{range}, 1 decimal"),
            Some(decimals) if decimals > 0 => format!("{range}, {decimals} decimals"),
            _ => range,
        }
    }

    pub fn holds(&self, text: &str) -> bool {
        text.parse().is_ok_and(|value: f64| self.known.binary_search_by(|known| known.total_cmp(&value)).is_ok())
    }

    pub fn content(&self) -> Content {
        Content { numbers: self.known.len(), range: true, ..Content::default() }
    }

    pub fn redacted(&self) -> Self {
        Self { known: Vec::new(), ..self.clone() }
    }

    pub fn open(&self, array: &dyn Array) -> Result<Source<'_>> {
        Ok(Source { codec: self, rows: read::numbers(array)? })
    }

    /// An encoded number back in range and rounded as the column is.
    fn value(&self, x: f32) -> f64 {
        let value = self.scale.invert(x);
        let value = match self.unit {
            Some(unit) => unit * value.abs().exp_m1() * value.signum(),
            None => value,
        };
        let value = if value.is_nan() { self.min } else { value.clamp(self.min, self.max) };
        // Multiples of a tenth power are the nearest double of a quotient, as text is parsed.
        match self.decimals {
            Some(decimals) if decimals <= 15 => {
                let power = 10_f64.powi(i32::from(decimals));
                let rounded = (value * power).round() / power;
                if rounded.is_finite() { rounded } else { value }
            }
            _ => value,
        }
    }

    pub fn show_number(&self, x: f32) -> String {
        let value = self.value(x);
        match self.decimals {
            None => show::number(significant(value), None),
            decimals => show::number(value, decimals),
        }
    }

    /// What a value that is seen is a slip of the decimal point from: its tenth or ten times it, where that is between two
    /// encoded values and one that the column could hold (its decimals, one of its few values). None where these two are
    /// further apart than [`NARROW`] times: a tenth of almost anything would be between them.
    pub fn slip(&self, seen: f64, low: f32, high: f32) -> Option<(String, &'static str)> {
        let (low, high) = (self.value(low), self.value(high));
        let (near, far) = (low.abs().min(high.abs()), low.abs().max(high.abs()));
        if low * high <= 0.0 || far > NARROW * near {
            return None;
        }
        let could = |value: f64| {
            let written = self.decimals.is_none_or(|decimals| {
                let power = 10_f64.powi(i32::from(decimals));
                ((value * power).round() - value * power).abs() <= 1e-6 * (value * power).abs().max(1.0)
            });
            let known =
                self.known.is_empty() || self.known.iter().any(|known| (known - value).abs() <= 1e-9 * known.abs());
            value != 0.0 && low <= value && value <= high && written && known
        };
        let slips = [(seen / 10.0, "a tenth"), (seen * 10.0, "ten times")];
        let (value, times) = slips.into_iter().find(|&(value, _)| could(value))?;
        Some((show::number(value, self.decimals), times))
    }

    pub(super) fn decode(&self, cells: Cells<'_>) -> Result<ArrayRef> {
        let is_float = family(&self.column.data_type) == Some(Family::Float);
        let special = |value: f64| is_float.then_some(value);
        let values: Vec<Option<f64>> = cells
            .rows()
            .map(|row| match cells.category(row, 0) {
                PRESENT => Some(self.nearest_known(self.value(cells.number(row, 0)))),
                NAN => special(f64::NAN),
                POS_INF => special(f64::INFINITY),
                NEG_INF => special(f64::NEG_INFINITY),
                _ => None,
            })
            .collect();
        build::numbers(&values, &self.column.data_type)
    }

    fn nearest_known(&self, value: f64) -> f64 {
        let above = self.known.partition_point(|known| *known < value);
        let candidates = [above.checked_sub(1).and_then(|below| self.known.get(below)), self.known.get(above)];
        let distance = |known: &f64| (known - value).abs();
        candidates.into_iter().flatten().copied().min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(value)
    }

    pub fn write(&self, store: &mut Store, prefix: &str) -> Value {
        store.put_f64(
            format!("{prefix}.scale"),
            vec![self.scale.mean, self.scale.std, self.min, self.max, self.unit.unwrap_or(0.0)],
        );
        store.put_f64(format!("{prefix}.known"), self.known.clone());
        json!({ "decimals": self.decimals, "known": self.known.len() })
    }

    pub fn read(column: Column, fields: Fields<'_>, store: &Store, prefix: &str) -> Result<Self> {
        let family = family(&column.data_type);
        if !matches!(family, Some(Family::Integer | Family::Float | Family::Decimal | Family::Duration)) {
            return Err(fields.damaged("type"));
        }
        let &[mean, std, min, max, unit] = store.get_finite(&format!("{prefix}.scale"), 5)? else {
            return Err(fields.damaged("scale"));
        };
        let scale = Scale::checked(mean, std).ok_or_else(|| fields.damaged("scale"))?;
        let count = fields.small("known", KNOWN as u64)?.ok_or_else(|| fields.damaged("known"))? as usize;
        let known = store.get_finite(&format!("{prefix}.known"), count)?.to_vec();
        if min > max || unit < 0.0 || !known.is_sorted() {
            return Err(fields.damaged("scale"));
        }
        let decimals = fields.small("decimals", 76)?.and_then(|decimals| u8::try_from(decimals).ok());
        let unit = (unit > 0.0).then_some(unit);
        Ok(Self { column, unit, scale, min, max, decimals, known })
    }
}

impl Source<'_> {
    pub(super) fn encode(&self, rows: Range<usize>, out: &mut Out<'_, '_>) {
        let mut x = [0.0; CHUNK];
        for start in rows.clone().step_by(CHUNK) {
            let part = start..rows.end.min(start + CHUNK);
            let (to, x) = (start - rows.start, &mut x[..part.len()]);
            let finite = self.codec.scale.apply_all(&self.rows.values[part.clone()], self.codec.unit, x);
            if finite && self.rows.nulls.is_none() {
                out.numbers(to, 0, x);
                out.categories(to, 0, std::iter::repeat(PRESENT));
                continue;
            }
            let statuses = part.map(|row| match self.rows.get(row) {
                None => NULL,
                Some(value) if value.is_finite() => PRESENT,
                Some(value) if value.is_nan() => NAN,
                Some(value) if value > 0.0 => POS_INF,
                Some(_) => NEG_INF,
            });
            statuses.clone().zip(&mut *x).filter(|(status, _)| *status != PRESENT).for_each(|(_, x)| *x = 0.0);
            out.numbers(to, 0, x);
            out.categories(to, 0, statuses);
        }
    }
}

/// The unit of the logarithm for ascending values that want one: none negative, more than 20 distinct, and the upper
/// half (median to 99.5 % quantile) more than [`SKEW`] times as wide as the lower: the exponential distribution
/// and all that are more skewed, but no column where most values are one and the same.
fn skewed_unit(ascending: &[f64]) -> Option<f64> {
    let distinct = ascending.windows(2).filter(|pair| pair[0] < pair[1]).take(21).count() + 1;
    if distinct <= 20 || ascending.first().is_none_or(|&least| least < 0.0) {
        return None;
    }
    let [low, middle, high] = [0.005, 0.5, 0.995].map(|share| quantile(ascending, share));
    let positive = &ascending[ascending.partition_point(|&value| value <= 0.0)..];
    let unit = quantile(positive, 0.1);
    (middle > low && high - middle > SKEW * (middle - low) && unit >= f64::MIN_POSITIVE).then_some(unit)
}

/// Six significant digits: more than a float32 position carries is noise.
fn significant(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

/// The fewest decimals (at most 6) that write every value exactly, if any.
fn common_decimals(values: &[f64], data_type: &DataType) -> Option<u8> {
    let narrow = matches!(data_type, DataType::Float32 | DataType::Float16);
    let exact = |value: f64, decimals: u8| {
        let power = 10_f64.powi(i32::from(decimals));
        let written = (value * power).round() / power;
        if narrow { written as f32 == value as f32 } else { written == value }
    };
    let mut most = 0;
    for &value in values {
        // A double of 1e15 and more has no decimals to tell apart.
        if value.abs() >= 1e15 {
            return None;
        }
        while !exact(value, most) {
            most += 1;
            if most > DECIMALS {
                return None;
            }
        }
    }
    (!values.is_empty()).then_some(most)
}
