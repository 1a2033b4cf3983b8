//! Categories: strings, integers, booleans with few values. One category column: null, unseen, then the values.
//!
//! The vocabulary is the commonest values by descending count, then by value. Nothing else decides a code, so
//! neither the order of rows nor of batches does. A constant column has one value; a column of nulls has none.

use std::ops::Range;

use arrow_array::{Array, ArrayRef};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::DataType;
use serde_json::{Value, json};

use super::hashed::{Hashes, each_once};
use super::lookup::{IntTable, StringTable};
use super::manifest::Fields;
use super::read::{self, NULL_KEY, Rows, Strings};
use super::sketch::{FastMap, Int};
use super::state::{ColumnState, Values, for_each_string, widen};
use super::types::{Family, family, plain};
use super::{Cells, Column, Content, Out, Spec, build, show};
use crate::block::{FIRST_VALUE, MISSING, OTHER, Part};
use crate::error::Result;
use crate::secret::Secret;
use crate::store::Store;

/// Largest vocabulary.
pub const VALUES: usize = 254;
/// With more values than this, one seen only once is as good as unseen.
const RARE: usize = 32;

#[derive(Debug, Clone)]
pub struct Category {
    pub(super) column: Column,
    /// Decimal text for integers, `false` / `true` for booleans.
    values: Vec<String>,
    table: Table,
}

#[derive(Debug, Clone)]
enum Table {
    Text(StringTable),
    /// uint64 values are held wrapped.
    Integer(IntTable, Vec<i64>),
    Boolean([u16; 2]),
    /// A column without values: whatever comes is unseen.
    Empty,
    /// Of a redacted model, which has no `values`.
    Hashed(Hashes),
}

#[derive(Debug)]
pub enum Source<'a> {
    Text(&'a StringTable, Strings<'a>),
    Codes(Vec<u16>),
    Integer { table: &'a IntTable, rows: Rows<i64>, strange: Option<BooleanBuffer> },
    Boolean([u16; 2], BooleanBuffer, Option<NullBuffer>),
    Unseen(Option<NullBuffer>),
}

impl Category {
    pub fn fit(column: Column, state: &ColumnState, training: &dyn Array) -> Result<Self> {
        let unsigned = plain(&column.data_type) == &DataType::UInt64;
        let text = |value: &Int| widen(value.0, unsigned).to_string();
        // With too many values to count them all, those of the training rows are counted.
        let counts: Vec<(String, u64)> = match &state.values {
            Values::Text { counts, .. } => match counts.exact() {
                Some(exact) => exact.iter().map(|(value, count)| (value.to_string(), *count)).collect(),
                None => {
                    let mut sampled: FastMap<String, u64> = FastMap::default();
                    for_each_string(training, |value, times| *sampled.entry(value.to_owned()).or_default() += times)?;
                    sampled.into_iter().collect()
                }
            },
            Values::Integer { counts, .. } => match counts.exact() {
                Some(exact) => exact.iter().map(|(value, count)| (text(value), *count)).collect(),
                None => {
                    let mut sampled: FastMap<i64, u64> = FastMap::default();
                    read::integers(training)?.0.iter().flatten().for_each(|v| *sampled.entry(v).or_default() += 1);
                    sampled.into_iter().map(|(value, count)| (text(&Int(value)), count)).collect()
                }
            },
            Values::Boolean([no, yes]) => vec![("false".to_owned(), *no), ("true".to_owned(), *yes)],
            Values::Plain => Vec::new(),
        };
        let values = vocabulary(counts);
        let table = Table::new(&column, &values).unwrap_or(Table::Empty);
        Ok(Self { column, values, table })
    }

    pub fn specs(&self) -> Vec<Spec> {
        let content = self.content();
        let count = u16::try_from(content.values + content.hashed).unwrap_or(u16::MAX - FIRST_VALUE);
        vec![Spec::category(Part::Value, FIRST_VALUE + count)]
    }

    pub fn content(&self) -> Content {
        let hashed = match &self.table {
            Table::Hashed(hashes) => hashes.len(),
            Table::Text(_) | Table::Integer(..) | Table::Boolean(_) | Table::Empty => 0,
        };
        Content { values: self.values.len(), hashed, ..Content::default() }
    }

    pub fn redacted(&self, secret: &Secret) -> Self {
        let own = secret.of("value", &self.column.name);
        let table = match &self.table {
            Table::Text(_) | Table::Boolean(_) => Table::Hashed(Hashes::of(&self.values, own)),
            Table::Integer(_, integers) => {
                let unsigned = plain(&self.column.data_type) == &DataType::UInt64;
                let texts: Vec<String> = integers.iter().map(|&value| widen(value, unsigned).to_string()).collect();
                Table::Hashed(Hashes::of(&texts, own))
            }
            Table::Empty | Table::Hashed(_) => self.table.clone(),
        };
        Self { column: self.column.clone(), values: Vec::new(), table }
    }

    pub fn unlocked(&self, secret: &Secret) -> Self {
        let table = match &self.table {
            Table::Hashed(hashes) => Table::Hashed(hashes.unlocked(secret.of("value", &self.column.name))),
            plain => plain.clone(),
        };
        Self { table, ..self.clone() }
    }

    pub fn summary(&self) -> String {
        match self.values.as_slice() {
            [] if self.content().hashed == 1 => "always the same value".to_owned(),
            [] if self.content().hashed > 1 => format!("{} values", self.content().hashed),
            [] => "no values".to_owned(),
            [only] => format!("always {}", show::clipped(only)),
            many => format!("{} values", many.len()),
        }
    }

    pub fn holds(&self, text: &str) -> bool {
        self.values.iter().any(|value| value == text)
    }

    pub fn open<'a>(&'a self, array: &'a dyn Array) -> Result<Source<'a>> {
        Ok(match &self.table {
            Table::Empty => Source::Unseen(read::presence(array)),
            Table::Text(table) => match Strings::new(array)? {
                Strings::Dictionary { keys, values } => {
                    let codes: Vec<u16> = values.iter().map(|value| value.map_or(MISSING, |v| table.code(v))).collect();
                    let code = |key: u32| match key {
                        NULL_KEY => MISSING,
                        key => codes.get(key as usize).copied().unwrap_or(MISSING),
                    };
                    Source::Codes(keys.into_iter().map(code).collect())
                }
                strings => Source::Text(table, strings),
            },
            Table::Integer(table, _) => {
                let (rows, strange) = read::integers_as(&self.column.data_type, array)?;
                Source::Integer { table, rows, strange }
            }
            Table::Hashed(hashes) => self.open_hashed(hashes, array)?,
            Table::Boolean(codes) => {
                let (values, nulls) = read::booleans(array)?;
                Source::Boolean(*codes, values, nulls)
            }
        })
    }

    fn open_hashed<'a>(&'a self, hashes: &Hashes, array: &'a dyn Array) -> Result<Source<'a>> {
        Ok(match family(&self.column.data_type) {
            Some(Family::Boolean) => {
                let (values, nulls) = read::booleans(array)?;
                Source::Boolean([hashes.code(b"false"), hashes.code(b"true")], values, nulls)
            }
            Some(Family::Integer) => {
                let (rows, strange) = read::integers_as(&self.column.data_type, array)?;
                let unsigned = plain(&self.column.data_type) == &DataType::UInt64;
                let text = |value| widen(value, unsigned).to_string();
                let mut codes = each_once(rows.len(), |row| rows.get(row), |value| hashes.code(text(value).as_bytes()));
                if let Some(strange) = strange {
                    let odd = |row: usize| strange.value(row) && rows.get(row).is_some();
                    codes.iter_mut().enumerate().filter(|(row, _)| odd(*row)).for_each(|(_, code)| *code = OTHER);
                }
                Source::Codes(codes)
            }
            _ => Source::Codes(hashes.codes(&Strings::new(array)?)),
        })
    }

    /// The known values, in the order of their codes, where they are texts that the model holds.
    pub fn texts(&self) -> &[String] {
        if matches!(self.table, Table::Text(_)) { &self.values } else { &[] }
    }

    pub fn show_category(&self, code: u16) -> String {
        match self.table {
            Table::Hashed(_) => show::coded(code, |_| Some("another value (redacted)")),
            _ => show::coded(code, |index| self.values.get(index).map(String::as_str)),
        }
    }

    pub(super) fn decode(&self, cells: Cells<'_>) -> Result<ArrayRef> {
        let data_type = &self.column.data_type;
        let place = |row| cells.category(row, 0).checked_sub(FIRST_VALUE).map(usize::from);
        let text = |row| place(row).and_then(|place| self.values.get(place));
        match &self.table {
            Table::Empty | Table::Hashed(_) => Ok(build::nulls(data_type, cells.block.rows)),
            Table::Text(_) => build::strings(&cells.rows().map(text).collect::<Vec<_>>(), data_type),
            Table::Integer(_, integers) => {
                let value = |row| place(row).and_then(|place| integers.get(place)).copied();
                build::integers(&cells.rows().map(value).collect::<Vec<_>>(), data_type)
            }
            Table::Boolean(_) => {
                let value = |row| text(row).map(|value| value == "true");
                build::booleans(&cells.rows().map(value).collect::<Vec<_>>(), data_type)
            }
        }
    }

    pub fn write(&self, store: &mut Store, prefix: &str) -> Value {
        if let Table::Hashed(hashes) = &self.table {
            hashes.write(store, &format!("{prefix}.hashes"));
            return json!({ "values": hashes.len(), "hashed": true });
        }
        store.put_strings(&format!("{prefix}.values"), &self.values);
        json!({ "values": self.values.len() })
    }

    pub fn read(column: Column, fields: Fields<'_>, store: &Store, prefix: &str) -> Result<Self> {
        let count = fields.small("values", VALUES as u64)?;
        if fields.hashed()? {
            let hashes = Hashes::read(store, &format!("{prefix}.hashes"), VALUES)?;
            let known = match family(&column.data_type) {
                Some(Family::Text | Family::Integer) => true,
                Some(Family::Boolean) => hashes.len() <= 2,
                _ => false,
            };
            if !known || hashes.len() == 0 || count != Some(hashes.len() as u64) {
                return Err(fields.damaged("values"));
            }
            return Ok(Self { column, values: Vec::new(), table: Table::Hashed(hashes) });
        }
        let values = store.get_strings(&format!("{prefix}.values"))?;
        if count != Some(values.len() as u64) {
            return Err(fields.damaged("values"));
        }
        let mut sorted: Vec<&String> = values.iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.len() != values.len() {
            return Err(fields.damaged("values"));
        }
        let table = Table::new(&column, &values).ok_or_else(|| fields.damaged("values"))?;
        Ok(Self { column, values, table })
    }
}

impl Table {
    /// `None` where the values are not of the column's type.
    fn new(column: &Column, values: &[String]) -> Option<Self> {
        if values.is_empty() {
            return Some(Self::Empty);
        }
        match family(&column.data_type)? {
            Family::Text => Some(Self::Text(StringTable::new(values))),
            Family::Integer => {
                let unsigned = plain(&column.data_type) == &DataType::UInt64;
                let parse = |text: &String| match unsigned {
                    true => text.parse::<u64>().ok().map(u64::cast_signed),
                    false => text.parse::<i64>().ok(),
                };
                let integers: Vec<i64> = values.iter().map(parse).collect::<Option<_>>()?;
                Some(Self::Integer(IntTable::new(&integers), integers))
            }
            Family::Boolean => {
                let code = |value: &str| match values.iter().position(|known| known == value) {
                    Some(place) => FIRST_VALUE + u16::from(place > 0),
                    None => OTHER,
                };
                let known = values.iter().all(|value| value == "false" || value == "true");
                (known && values.len() <= 2).then(|| Self::Boolean([code("false"), code("true")]))
            }
            _ => None,
        }
    }
}

impl Source<'_> {
    pub(super) fn encode(&self, rows: Range<usize>, out: &mut Out<'_, '_>) {
        let is_null = |nulls: &Option<NullBuffer>, row| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        match self {
            Self::Text(table, Strings::Utf8(strings)) if strings.null_count() == 0 => {
                fill(rows, out, |row| table.code(strings.value(row)));
            }
            Self::Text(table, strings) => {
                fill(rows, out, |row| strings.get(row).map_or(MISSING, |value| table.code(value)));
            }
            Self::Codes(codes) => fill(rows, out, |row| codes[row]),
            Self::Integer { table, rows: values, strange: None } => {
                fill(rows, out, |row| values.get(row).map_or(MISSING, |value| table.code(value)));
            }
            Self::Integer { table, rows: values, strange: Some(strange) } => {
                fill(rows, out, |row| match values.get(row) {
                    None => MISSING,
                    Some(_) if strange.value(row) => OTHER,
                    Some(value) => table.code(value),
                });
            }
            Self::Boolean(codes, values, nulls) => fill(rows, out, |row| match is_null(nulls, row) {
                true => MISSING,
                false => codes[usize::from(values.value(row))],
            }),
            Self::Unseen(nulls) => fill(rows, out, |row| if is_null(nulls, row) { MISSING } else { OTHER }),
        }
    }
}

#[inline]
fn fill(rows: Range<usize>, out: &mut Out<'_, '_>, code: impl Fn(usize) -> u16) {
    out.categories(0, 0, rows.map(code));
}

/// The commonest values in code order.
pub fn vocabulary(mut counts: Vec<(String, u64)>) -> Vec<String> {
    counts.retain(|(_, count)| *count > 0);
    if counts.len() > RARE {
        counts.retain(|(_, count)| *count > 1);
    }
    counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts.truncate(VALUES);
    counts.into_iter().map(|(value, _)| value).collect()
}
