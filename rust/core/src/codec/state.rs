//! What is known of a column while it is being read: exact counts, order-free and mergeable, for every kind its
//! Arrow family could become. Quantiles are not here: they come from the training rows in `finish`.

use arrow_array::Array;
use arrow_schema::{DataType, Field};

use super::read::{self, Strings};
use super::sketch::{Counts, Int};
use super::types::{Family, family, plain, write};
use super::{Codec, Column, Kind, boolean, category, datetime, id, key, number, text};
use crate::error::{Error, Result};

/// Everything counted so far of one column.
#[derive(Debug, Clone)]
pub struct ColumnState {
    pub(super) data_type: DataType,
    pub(super) family: Family,
    pub(super) rows: u64,
    /// Rows that are not null, and how many there ever were (`remove` leaves the second alone).
    pub(super) valid: u64,
    pub(super) seen: u64,
    pub(super) values: Values,
}

#[derive(Debug, Clone)]
pub(super) enum Values {
    /// The training rows say all that is needed.
    Plain,
    Boolean([u64; 2]),
    Integer {
        counts: Counts<Int>,
        min: i128,
        max: i128,
    },
    Text {
        counts: Counts<Box<str>>,
        spaces: u64,
        longest: u64,
    },
}

impl ColumnState {
    /// `None` for a nested or otherwise unsupported type.
    pub fn new(field: &Field) -> Option<Self> {
        let data_type = field.data_type().clone();
        write(&data_type)?;
        let family = family(&data_type)?;
        let values = match family {
            Family::Boolean => Values::Boolean([0; 2]),
            Family::Integer => Values::Integer { counts: Counts::default(), min: i128::MAX, max: i128::MIN },
            Family::Text => Values::Text { counts: Counts::default(), spaces: 0, longest: 0 },
            Family::Null | Family::Float | Family::Decimal | Family::Duration => Values::Plain,
            Family::Date | Family::Timestamp | Family::TimeOfDay => Values::Plain,
        };
        Some(Self { data_type, family, rows: 0, valid: 0, seen: 0, values })
    }

    pub fn observe(&mut self, array: &dyn Array) -> Result<()> {
        let valid = valid_rows(array);
        self.rows += array.len() as u64;
        self.valid += valid;
        self.seen += valid;
        if family(array.data_type()) == Some(Family::Null) {
            return Ok(());
        }
        match &mut self.values {
            Values::Plain => {}
            Values::Boolean(counts) => count_booleans(array, |value| counts[usize::from(value)] += 1)?,
            Values::Integer { counts, min, max } => {
                let unsigned = plain(&self.data_type) == &DataType::UInt64;
                for value in read::integers(array)?.0.iter().flatten() {
                    let wide = widen(value, unsigned);
                    (*min, *max) = ((*min).min(wide), (*max).max(wide));
                    counts.add(&Int(value), 1);
                }
            }
            Values::Text { counts, spaces, longest } => {
                for_each_string(array, |value, times| {
                    // The number of characters matters up to 64 only: bytes decide beyond.
                    let chars = if value.len() > 256 { value.len() } else { value.chars().count() };
                    *longest = (*longest).max(chars as u64);
                    *spaces += times * value.bytes().filter(u8::is_ascii_whitespace).count() as u64;
                    counts.add(value, times);
                })?;
            }
        }
        Ok(())
    }

    /// Takes held-out rows back out of all counts, so that nothing that calibrates a score has touched a codec.
    pub fn remove(&mut self, array: &dyn Array) -> Result<()> {
        self.rows = self.rows.saturating_sub(array.len() as u64);
        self.valid = self.valid.saturating_sub(valid_rows(array));
        if family(array.data_type()) == Some(Family::Null) {
            return Ok(());
        }
        match &mut self.values {
            Values::Plain => {}
            Values::Boolean(counts) => count_booleans(array, |value| {
                counts[usize::from(value)] = counts[usize::from(value)].saturating_sub(1);
            })?,
            Values::Integer { counts, .. } => {
                for value in read::integers(array)?.0.iter().flatten() {
                    counts.remove(&Int(value), 1);
                }
            }
            Values::Text { counts, .. } => for_each_string(array, |value, times| counts.remove(value, times))?,
        }
        Ok(())
    }

    /// Both states of one column, read in two parts.
    pub fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.valid += other.valid;
        self.seen += other.seen;
        match (&mut self.values, other.values) {
            (Values::Boolean(ours), Values::Boolean(theirs)) => {
                ours[0] += theirs[0];
                ours[1] += theirs[1];
            }
            (Values::Integer { counts, min, max }, Values::Integer { counts: theirs, min: low, max: high }) => {
                counts.merge::<Int>(theirs);
                (*min, *max) = ((*min).min(low), (*max).max(high));
            }
            (
                Values::Text { counts, spaces, longest },
                Values::Text { counts: theirs, spaces: more, longest: long },
            ) => {
                counts.merge::<str>(theirs);
                *spaces += more;
                *longest = (*longest).max(long);
            }
            // Two states of one column have one family.
            _ => {}
        }
    }

    /// Rows counted, and those among them with a value.
    pub fn rows(&self) -> (u64, u64) {
        (self.rows, self.valid)
    }

    /// Whether the column, as observed, can be of this kind. Without any value it is a category, whatever it was to be.
    pub fn accepts(&self, kind: Kind) -> bool {
        self.type_accepts(kind) || self.valid == 0 && kind == Kind::Category
    }

    /// Whether a column of this type can be of this kind, before anything is observed.
    pub fn type_accepts(&self, kind: Kind) -> bool {
        match self.family {
            // Whatever it was to be: of no values it is a category.
            Family::Null => true,
            Family::Boolean => matches!(kind, Kind::Boolean | Kind::Category),
            Family::Integer => matches!(kind, Kind::Number | Kind::Category | Kind::Key | Kind::Id),
            Family::Float | Family::Decimal | Family::Duration => kind == Kind::Number,
            Family::Date | Family::Timestamp | Family::TimeOfDay => kind == Kind::Datetime,
            Family::Text => {
                matches!(kind, Kind::Category | Kind::Text | Kind::Key | Kind::Id | Kind::Datetime)
            }
        }
    }

    /// Freezes the column as `kind`. `training` are sample rows of the training part only: quantiles and scales come
    /// from them.
    pub fn finish(self, field: &Field, kind: Kind, training: &dyn Array) -> Result<Codec> {
        let column =
            Column { name: field.name().clone(), data_type: field.data_type().clone(), nullable: field.is_nullable() };
        if !self.accepts(kind) {
            return Err(refused(&column, kind, "its type does not allow that"));
        }
        let kind =
            if self.valid == 0 && (kind != Kind::Id || self.family == Family::Null) { Kind::Category } else { kind };
        Ok(match kind {
            Kind::Number => Codec::Number(number::Number::fit(column, training)?),
            Kind::Category => Codec::Category(category::Category::fit(column, &self, training)?),
            Kind::Boolean => Codec::Boolean(boolean::Boolean { column }),
            Kind::Datetime => Codec::Datetime(datetime::Datetime::fit(column, training)?),
            Kind::Text => Codec::Text(text::Text::fit(column, &self, training)?),
            Kind::Key => Codec::Key(key::Key::fit(column, &self, training)?),
            Kind::Id => Codec::Id(id::Id { column }),
        })
    }
}

/// The error for a kind that a column cannot be.
pub(super) fn refused(column: &Column, kind: Kind, why: &str) -> Error {
    Error::usage(
        "kind-impossible",
        format!("column `{}` is {} and cannot be of kind {}: {why}", column.name, column.data_type, kind.name()),
    )
    .hint("leave its kind out, and it is inferred")
}

/// An integer as it is, whatever its sign bit means.
pub(super) fn widen(value: i64, unsigned: bool) -> i128 {
    if unsigned { i128::from(value.cast_unsigned()) } else { i128::from(value) }
}

fn valid_rows(array: &dyn Array) -> u64 {
    let nulls = read::presence(array).map_or(0, |nulls| nulls.null_count());
    (array.len() - nulls) as u64
}

fn count_booleans(array: &dyn Array, mut count: impl FnMut(bool)) -> Result<()> {
    let (values, nulls) = read::booleans(array)?;
    for row in 0..values.len() {
        if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
            count(values.value(row));
        }
    }
    Ok(())
}

/// Each string with how often it stands there: rows one by one, a dictionary's values once.
pub(super) fn for_each_string(array: &dyn Array, mut visit: impl FnMut(&str, u64)) -> Result<()> {
    let strings = Strings::new(array)?;
    match &strings {
        Strings::Dictionary { keys, values } if values.len() <= keys.len() => {
            let mut times = vec![0_u64; values.len()];
            for &key in keys {
                if let Some(times) = times.get_mut(key as usize) {
                    *times += 1;
                }
            }
            for (index, times) in times.into_iter().enumerate().filter(|(_, times)| *times > 0) {
                if let Some(value) = values.get(index) {
                    visit(value, times);
                }
            }
        }
        rows => rows.iter().flatten().for_each(|value| visit(value, 1)),
    }
    Ok(())
}
