//! Builds arrays of the exact Arrow type of the source from decoded values: the inverse of `read`.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, LargeStringArray, PrimitiveArray, StringArray, StringViewArray,
    UInt32Array, new_null_array,
};
use arrow_buffer::i256;
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, TimeUnit};

use super::read::{DAY, per_second};
use super::sketch::FastMap;
use super::types::plain;
use crate::error::{Error, Result};

fn wrong_type(data_type: &DataType) -> Error {
    Error::model_file(format!("values cannot be written as {data_type}"))
}

/// Packs an array into the dictionary type, if it is one.
fn packed(array: ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    if array.data_type() == data_type { Ok(array) } else { Ok(cast(&array, data_type)?) }
}

/// A column of nulls only.
pub fn nulls(data_type: &DataType, rows: usize) -> ArrayRef {
    new_null_array(data_type, rows)
}

macro_rules! from_values {
    ($type:ty, $values:expr, $convert:expr) => {
        Arc::new($values.iter().map(|value| value.map($convert)).collect::<PrimitiveArray<$type>>()) as ArrayRef
    };
}

/// Numbers as integers (rounded, saturating), floats, decimals or durations (from seconds).
pub fn numbers(values: &[Option<f64>], data_type: &DataType) -> Result<ArrayRef> {
    let array = match plain(data_type) {
        DataType::Int8 => from_values!(Int8Type, values, |v| v.round() as i8),
        DataType::Int16 => from_values!(Int16Type, values, |v| v.round() as i16),
        DataType::Int32 => from_values!(Int32Type, values, |v| v.round() as i32),
        DataType::Int64 => from_values!(Int64Type, values, |v| v.round() as i64),
        DataType::UInt8 => from_values!(UInt8Type, values, |v| v.round() as u8),
        DataType::UInt16 => from_values!(UInt16Type, values, |v| v.round() as u16),
        DataType::UInt32 => from_values!(UInt32Type, values, |v| v.round() as u32),
        DataType::UInt64 => from_values!(UInt64Type, values, |v| v.round() as u64),
        DataType::Float32 => from_values!(Float32Type, values, |v| v as f32),
        DataType::Float64 => from_values!(Float64Type, values, |v| v),
        DataType::Float16 => cast(&from_values!(Float32Type, values, |v| v as f32), &DataType::Float16)?,
        DataType::Decimal32(p, s) => {
            let array: PrimitiveArray<Decimal32Type> =
                values.iter().map(|v| v.map(|v| unscaled(v, *s) as i32)).collect();
            Arc::new(array.with_precision_and_scale(*p, *s)?)
        }
        DataType::Decimal64(p, s) => {
            let array: PrimitiveArray<Decimal64Type> =
                values.iter().map(|v| v.map(|v| unscaled(v, *s) as i64)).collect();
            Arc::new(array.with_precision_and_scale(*p, *s)?)
        }
        DataType::Decimal128(p, s) => {
            let array: PrimitiveArray<Decimal128Type> =
                values.iter().map(|v| v.map(|v| unscaled(v, *s) as i128)).collect();
            Arc::new(array.with_precision_and_scale(*p, *s)?)
        }
        DataType::Decimal256(p, s) => {
            let wide = |v| i256::from_f64(unscaled(v, *s)).unwrap_or(i256::ZERO);
            let array: PrimitiveArray<Decimal256Type> = values.iter().map(|v| v.map(wide)).collect();
            Arc::new(array.with_precision_and_scale(*p, *s)?)
        }
        DataType::Duration(unit) => {
            let ticks = per_second(*unit) as f64;
            cast(&from_values!(Int64Type, values, |v| (v * ticks).round() as i64), &DataType::Duration(*unit))?
        }
        other => return Err(wrong_type(other)),
    };
    packed(array, data_type)
}

fn unscaled(value: f64, scale: i8) -> f64 {
    (value * 10_f64.powi(i32::from(scale))).round()
}

/// Integers held as i64 (uint64 wrapped).
pub fn integers(values: &[Option<i64>], data_type: &DataType) -> Result<ArrayRef> {
    let array = match plain(data_type) {
        DataType::UInt64 => from_values!(UInt64Type, values, i64::cast_unsigned),
        narrow => cast(&from_values!(Int64Type, values, |v| v), narrow)?,
    };
    packed(array, data_type)
}

/// Microseconds as dates, timestamps or times of day.
pub fn instants(values: &[Option<i64>], data_type: &DataType) -> Result<ArrayRef> {
    let ticks = |unit: TimeUnit| -> ArrayRef {
        from_values!(Int64Type, values, |micros| match unit {
            TimeUnit::Nanosecond => micros.saturating_mul(1_000),
            coarser => micros.div_euclid(1_000_000 / per_second(coarser)),
        })
    };
    let plain_type = plain(data_type);
    let array = match plain_type {
        DataType::Date32 => from_values!(Date32Type, values, |v| v.div_euclid(DAY) as i32),
        DataType::Date64 => from_values!(Date64Type, values, |v| v.div_euclid(DAY) * (DAY / 1_000)),
        DataType::Timestamp(unit, _) | DataType::Time64(unit) => cast(&ticks(*unit), plain_type)?,
        DataType::Time32(unit) => cast(&cast(&ticks(*unit), &DataType::Int32)?, plain_type)?,
        other => return Err(wrong_type(other)),
    };
    packed(array, data_type)
}

pub fn booleans(values: &[Option<bool>], data_type: &DataType) -> Result<ArrayRef> {
    let DataType::Dictionary(key_type, _) = data_type else {
        return Ok(Arc::new(values.iter().copied().collect::<BooleanArray>()));
    };
    let keys: UInt32Array = values.iter().map(|value| value.map(u32::from)).collect();
    dictionary(&cast(&keys, key_type)?, Arc::new(BooleanArray::from(vec![false, true])))
}

/// Strings in any layout, dictionaries with each value once.
pub fn strings<S: AsRef<str>>(values: &[Option<S>], data_type: &DataType) -> Result<ArrayRef> {
    let DataType::Dictionary(key_type, value_type) = data_type else {
        return plain_strings(values.iter().map(|value| value.as_ref().map(AsRef::as_ref)), data_type);
    };
    let mut known: FastMap<&str, u32> = FastMap::default();
    let mut distinct: Vec<Option<&str>> = Vec::new();
    let keys = values.iter().map(|value| {
        let value = value.as_ref()?.as_ref();
        Some(*known.entry(value).or_insert_with(|| {
            distinct.push(Some(value));
            u32::try_from(distinct.len() - 1).unwrap_or(u32::MAX)
        }))
    });
    let keys: UInt32Array = keys.collect();
    // A key type that is too small is an error of the cast: the table cannot hold that many values.
    let options = arrow_cast::CastOptions { safe: false, ..Default::default() };
    let keys = arrow_cast::cast_with_options(&keys, key_type, &options)?;
    dictionary(&keys, plain_strings(distinct.into_iter(), value_type)?)
}

fn plain_strings<'a>(values: impl Iterator<Item = Option<&'a str>>, data_type: &DataType) -> Result<ArrayRef> {
    Ok(match data_type {
        DataType::Utf8 => Arc::new(values.collect::<StringArray>()),
        DataType::LargeUtf8 => Arc::new(values.collect::<LargeStringArray>()),
        DataType::Utf8View => Arc::new(values.collect::<StringViewArray>()),
        other => return Err(wrong_type(other)),
    })
}

fn dictionary(keys: &dyn Array, values: ArrayRef) -> Result<ArrayRef> {
    fn of<K: ArrowDictionaryKeyType>(keys: &dyn Array, values: ArrayRef) -> std::result::Result<ArrayRef, ArrowError> {
        Ok(Arc::new(DictionaryArray::<K>::try_new(keys.as_primitive::<K>().clone(), values)?))
    }
    Ok(match keys.data_type() {
        DataType::Int8 => of::<Int8Type>(keys, values)?,
        DataType::Int16 => of::<Int16Type>(keys, values)?,
        DataType::Int32 => of::<Int32Type>(keys, values)?,
        DataType::Int64 => of::<Int64Type>(keys, values)?,
        DataType::UInt8 => of::<UInt8Type>(keys, values)?,
        DataType::UInt16 => of::<UInt16Type>(keys, values)?,
        DataType::UInt32 => of::<UInt32Type>(keys, values)?,
        DataType::UInt64 => of::<UInt64Type>(keys, values)?,
        other => return Err(wrong_type(other)),
    })
}
