//! Reads any supported Arrow array as one of five plain columns: strings, integers, numbers, instants, booleans.
//!
//! Strings are borrowed, never copied; the others are one contiguous buffer, borrowed where the type already is
//! the wanted one. Slices and offsets are respected; dictionaries of anything but strings are unpacked.

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{
    AnyDictionaryArray, Array, ArrayRef, LargeStringArray, PrimitiveArray, StringArray, StringViewArray, UInt32Array,
};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow_cast::cast;
use arrow_schema::{DataType, TimeUnit};
use arrow_select::take::take;

use super::types::{Family, family, plain};
use crate::error::{Error, Result};

/// Rows of one plain type.
#[derive(Debug, Clone)]
pub struct Rows<T: arrow_buffer::ArrowNativeType> {
    pub values: ScalarBuffer<T>,
    pub nulls: Option<NullBuffer>,
}

impl<T: arrow_buffer::ArrowNativeType> Rows<T> {
    #[inline]
    pub fn get(&self, row: usize) -> Option<T> {
        match &self.nulls {
            Some(nulls) if nulls.is_null(row) => None,
            _ => Some(self.values[row]),
        }
    }

    pub fn len(&self) -> usize {
        self.values.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = Option<T>> + '_ {
        (0..self.len()).map(|row| self.get(row))
    }
}

fn wrong_type(data_type: &DataType) -> Error {
    Error::input("column-type", format!("a column of {data_type} cannot be read here"))
}

/// The array with a dictionary unpacked.
pub fn unpacked(array: &dyn Array) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let places = keys(dictionary)?.into_iter().map(|key| (key != NULL_KEY).then_some(key));
            Ok(take(dictionary.values(), &UInt32Array::from_iter(places), None)?)
        }
        _ => Ok(array.slice(0, array.len())),
    }
}

/// The keys of a dictionary. One that is null, negative or past the end is a null row: foreign buffers are not validated.
fn keys(dictionary: &dyn AnyDictionaryArray) -> Result<Vec<u32>> {
    let keys = cast(dictionary.keys(), &DataType::UInt32)?;
    let most = dictionary.values().len().min(NULL_KEY as usize);
    let known = |key: Option<u32>| key.filter(|key| (*key as usize) < most).unwrap_or(NULL_KEY);
    Ok(primitive::<UInt32Type>(&keys)?.iter().map(known).collect())
}

fn primitive<T: ArrowPrimitiveType>(array: &dyn Array) -> Result<&PrimitiveArray<T>> {
    array.as_primitive_opt::<T>().ok_or_else(|| wrong_type(array.data_type()))
}

fn whole<T: ArrowPrimitiveType>(array: &dyn Array) -> Result<Rows<T::Native>> {
    let array = primitive::<T>(array)?;
    Ok(Rows { values: array.values().clone(), nulls: array.nulls().cloned() })
}

fn mapped<T: ArrowPrimitiveType, U: arrow_buffer::ArrowNativeType>(
    array: &dyn Array,
    change: impl Fn(T::Native) -> U,
) -> Result<Rows<U>> {
    let array = primitive::<T>(array)?;
    let values = array.values().iter().map(|value| change(*value)).collect();
    Ok(Rows { values, nulls: array.nulls().cloned() })
}

/// The rows of a column of type null, which can stand for any type.
fn absent<T: arrow_buffer::ArrowNativeType>(len: usize) -> Rows<T> {
    Rows { values: vec![T::default(); len].into(), nulls: Some(NullBuffer::new_null(len)) }
}

/// Integers as i64; uint64 beyond i64 wraps (told apart by the type). Floats that are whole numbers are read as
/// such: pandas turns integers with nulls into floats. Other floats are no integer: the second value marks them.
pub fn integers(array: &dyn Array) -> Result<(Rows<i64>, Option<BooleanBuffer>)> {
    let array = unpacked(array)?;
    let rows = match array.data_type() {
        DataType::Int64 => whole::<Int64Type>(&array)?,
        DataType::Null => absent(array.len()),
        DataType::UInt64 => mapped::<UInt64Type, i64>(&array, u64::cast_signed)?,
        data_type => match family(data_type) {
            Some(Family::Integer) => whole::<Int64Type>(&cast(&array, &DataType::Int64)?)?,
            Some(Family::Float | Family::Decimal) => return whole_floats(&array),
            _ => return Err(wrong_type(data_type)),
        },
    };
    Ok((rows, None))
}

/// The same for a column of a type, and which rows hold something that is none of its integers.
pub fn integers_as(data_type: &DataType, array: &dyn Array) -> Result<(Rows<i64>, Option<BooleanBuffer>)> {
    let (rows, strange) = integers(array)?;
    let differs = (plain(data_type) == &DataType::UInt64) != (plain(array.data_type()) == &DataType::UInt64);
    // The same bits mean other numbers in a signed and an unsigned column.
    let wrapped = || BooleanBuffer::collect_bool(rows.len(), |row| rows.values[row] < 0);
    let strange = strange.or_else(|| differs.then(wrapped));
    Ok((rows, strange))
}

fn whole_floats(array: &dyn Array) -> Result<(Rows<i64>, Option<BooleanBuffer>)> {
    let floats = numbers(array)?;
    let is_null = |row: usize| floats.get(row).is_none_or(f64::is_nan);
    let nulls = BooleanBuffer::collect_bool(floats.len(), |row| !is_null(row));
    let strange = BooleanBuffer::collect_bool(floats.len(), |row| {
        let value = floats.values[row];
        value != value.trunc() || value.abs() >= 9.0e15
    });
    let values = floats.values.iter().map(|value| *value as i64).collect();
    Ok((Rows { values, nulls: Some(NullBuffer::new(nulls)) }, Some(strange)))
}

/// Integers, floats, decimals as f64; durations in seconds.
pub fn numbers(array: &dyn Array) -> Result<Rows<f64>> {
    let array = unpacked(array)?;
    let power = |scale: i8| 10_f64.powi(i32::from(scale));
    Ok(match array.data_type() {
        DataType::Null => absent(array.len()),
        DataType::Float64 => whole::<Float64Type>(&array)?,
        // Divided, not multiplied by a reciprocal: the quotient of two exact doubles is the nearest double.
        DataType::Decimal32(_, s) => mapped::<Decimal32Type, f64>(&array, |v| scaled(f64::from(v), power(*s)))?,
        DataType::Decimal64(_, s) => mapped::<Decimal64Type, f64>(&array, |v| scaled(v as f64, power(*s)))?,
        DataType::Decimal128(_, s) => mapped::<Decimal128Type, f64>(&array, |v| scaled(v as f64, power(*s)))?,
        DataType::Decimal256(_, s) => mapped::<Decimal256Type, f64>(&array, |v| {
            let wide = v.to_i128().map_or_else(|| v.to_string().parse().unwrap_or(f64::NAN), |v| v as f64);
            scaled(wide, power(*s))
        })?,
        DataType::Duration(unit) => {
            let per_second = per_second(*unit) as f64;
            let counts = cast(&array, &DataType::Int64)?;
            mapped::<Int64Type, f64>(&counts, |v| v as f64 / per_second)?
        }
        data_type => match family(data_type) {
            Some(Family::Integer | Family::Float) => whole::<Float64Type>(&cast(&array, &DataType::Float64)?)?,
            _ => return Err(wrong_type(data_type)),
        },
    })
}

fn scaled(unscaled: f64, power: f64) -> f64 {
    unscaled / power
}

/// Ticks of a unit in one second.
pub fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

pub const DAY: i64 = 86_400_000_000;

/// Ticks to microseconds: exact for s, ms and us (saturating), rounded down for ns.
pub fn to_micros(ticks: i64, unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Nanosecond => ticks.div_euclid(1_000),
        coarser => ticks.saturating_mul(1_000_000 / per_second(coarser)),
    }
}

/// Dates, timestamps and times of day in microseconds (since 1970-01-01 UTC, or since midnight).
pub fn instants(array: &dyn Array) -> Result<Rows<i64>> {
    let array = unpacked(array)?;
    Ok(match array.data_type() {
        DataType::Null => absent(array.len()),
        DataType::Date32 => mapped::<Date32Type, i64>(&array, |days| i64::from(days).saturating_mul(DAY))?,
        DataType::Date64 => mapped::<Date64Type, i64>(&array, |ms| to_micros(ms, TimeUnit::Millisecond))?,
        DataType::Timestamp(unit, _) => {
            let ticks = primitive_ticks(&array, *unit)?;
            if *unit == TimeUnit::Microsecond {
                return Ok(ticks);
            }
            let values = ticks.values.iter().map(|ticks| to_micros(*ticks, *unit)).collect();
            Rows { values, nulls: ticks.nulls }
        }
        DataType::Time32(TimeUnit::Second) => {
            mapped::<Time32SecondType, i64>(&array, |v| to_micros(i64::from(v), TimeUnit::Second))?
        }
        DataType::Time32(_) => {
            mapped::<Time32MillisecondType, i64>(&array, |v| to_micros(i64::from(v), TimeUnit::Millisecond))?
        }
        DataType::Time64(TimeUnit::Nanosecond) => {
            mapped::<Time64NanosecondType, i64>(&array, |v| to_micros(v, TimeUnit::Nanosecond))?
        }
        DataType::Time64(_) => whole::<Time64MicrosecondType>(&array)?,
        data_type => return Err(wrong_type(data_type)),
    })
}

fn primitive_ticks(array: &dyn Array, unit: TimeUnit) -> Result<Rows<i64>> {
    match unit {
        TimeUnit::Second => whole::<TimestampSecondType>(array),
        TimeUnit::Millisecond => whole::<TimestampMillisecondType>(array),
        TimeUnit::Microsecond => whole::<TimestampMicrosecondType>(array),
        TimeUnit::Nanosecond => whole::<TimestampNanosecondType>(array),
    }
}

/// Booleans and their nulls.
pub fn booleans(array: &dyn Array) -> Result<(BooleanBuffer, Option<NullBuffer>)> {
    let array = unpacked(array)?;
    if array.data_type() == &DataType::Null {
        return Ok((BooleanBuffer::new_unset(array.len()), Some(NullBuffer::new_null(array.len()))));
    }
    let booleans = array.as_boolean_opt().ok_or_else(|| wrong_type(array.data_type()))?;
    Ok((booleans.values().clone(), booleans.nulls().cloned()))
}

/// Strings of any layout, borrowed.
#[derive(Debug, Clone)]
pub enum Strings<'a> {
    Utf8(&'a StringArray),
    Large(&'a LargeStringArray),
    View(&'a StringViewArray),
    /// A column of type null.
    Absent(usize),
    Dictionary {
        keys: Vec<u32>,
        values: Box<Strings<'a>>,
    },
}

/// Key of a null row.
pub const NULL_KEY: u32 = u32::MAX;

impl<'a> Strings<'a> {
    pub fn new(array: &'a dyn Array) -> Result<Self> {
        if let Some(dictionary) = array.as_any_dictionary_opt() {
            let values = Self::plain(dictionary.values().as_ref())?;
            return Ok(Self::Dictionary { keys: keys(dictionary)?, values: Box::new(values) });
        }
        Self::plain(array)
    }

    fn plain(array: &'a dyn Array) -> Result<Self> {
        match array.data_type() {
            DataType::Utf8 => array.as_string_opt::<i32>().map(Self::Utf8),
            DataType::LargeUtf8 => array.as_string_opt::<i64>().map(Self::Large),
            DataType::Null => Some(Self::Absent(array.len())),
            DataType::Utf8View => array.as_string_view_opt().map(Self::View),
            _ => None,
        }
        .ok_or_else(|| wrong_type(array.data_type()))
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Utf8(array) => array.len(),
            Self::Large(array) => array.len(),
            Self::View(array) => array.len(),
            Self::Absent(len) => *len,
            Self::Dictionary { keys, .. } => keys.len(),
        }
    }

    #[inline]
    pub fn get(&self, row: usize) -> Option<&str> {
        match self {
            Self::Utf8(array) => array.is_valid(row).then(|| array.value(row)),
            Self::Large(array) => array.is_valid(row).then(|| array.value(row)),
            Self::View(array) => array.is_valid(row).then(|| array.value(row)),
            Self::Absent(_) => None,
            Self::Dictionary { keys, values } => match keys[row] {
                NULL_KEY => None,
                key => values.get(key as usize),
            },
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        (0..self.len()).map(|row| self.get(row))
    }
}

/// Whether a column of one type can be read by a codec that was fitted on another.
pub fn readable(fitted: &DataType, found: &DataType) -> bool {
    use Family as F;
    let (Some(fitted_family), Some(found_family)) = (family(fitted), family(found)) else { return false };
    match fitted_family {
        F::Integer | F::Float | F::Decimal => matches!(found_family, F::Integer | F::Float | F::Decimal | F::Null),
        F::Date | F::Timestamp => matches!(found_family, F::Date | F::Timestamp | F::Null),
        // An all-null column says nothing of the type it should have had.
        F::Null => true,
        F::Boolean | F::Duration | F::TimeOfDay | F::Text => found_family == fitted_family || found_family == F::Null,
    }
}

/// Row by row whether there is a value, for any supported type.
pub fn presence(array: &dyn Array) -> Option<NullBuffer> {
    if matches!(plain(array.data_type()), DataType::Null) {
        return Some(NullBuffer::new_null(array.len()));
    }
    array.logical_nulls()
}
