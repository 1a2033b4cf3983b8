//! Which Arrow types are supported, what family each belongs to, and how the manifest spells them.
//!
//! A closed list: [`write`] and [`parse`] are exact inverses for these types and for nothing else.

use arrow_schema::{DataType, TimeUnit};

/// What all types of a family share: the accessor that reads them and the kinds they can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Null,
    Boolean,
    Integer,
    Float,
    Decimal,
    Duration,
    Date,
    Timestamp,
    TimeOfDay,
    Text,
}

/// The family of a supported type; `None` for nested, binary and interval types.
pub fn family(data_type: &DataType) -> Option<Family> {
    use DataType as T;
    Some(match data_type {
        T::Null => Family::Null,
        T::Boolean => Family::Boolean,
        T::Int8 | T::Int16 | T::Int32 | T::Int64 => Family::Integer,
        T::UInt8 | T::UInt16 | T::UInt32 | T::UInt64 => Family::Integer,
        T::Float16 | T::Float32 | T::Float64 => Family::Float,
        T::Decimal32(..) | T::Decimal64(..) | T::Decimal128(..) | T::Decimal256(..) => Family::Decimal,
        T::Duration(_) => Family::Duration,
        T::Date32 | T::Date64 => Family::Date,
        T::Timestamp(..) => Family::Timestamp,
        T::Time32(_) | T::Time64(_) => Family::TimeOfDay,
        T::Utf8 | T::LargeUtf8 | T::Utf8View => Family::Text,
        // A dictionary of dictionaries does not occur, and would let a model file recurse.
        T::Dictionary(_, value) if !matches!(**value, T::Dictionary(..)) => family(value)?,
        _ => return None,
    })
}

/// The type under a dictionary, or the type itself.
pub fn plain(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, value) => value,
        other => other,
    }
}

const NAMES: [(&str, DataType); 18] = [
    ("null", DataType::Null),
    ("boolean", DataType::Boolean),
    ("int8", DataType::Int8),
    ("int16", DataType::Int16),
    ("int32", DataType::Int32),
    ("int64", DataType::Int64),
    ("uint8", DataType::UInt8),
    ("uint16", DataType::UInt16),
    ("uint32", DataType::UInt32),
    ("uint64", DataType::UInt64),
    ("float16", DataType::Float16),
    ("float32", DataType::Float32),
    ("float64", DataType::Float64),
    ("date32", DataType::Date32),
    ("date64", DataType::Date64),
    ("utf8", DataType::Utf8),
    ("large_utf8", DataType::LargeUtf8),
    ("utf8_view", DataType::Utf8View),
];

fn unit_name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    }
}

fn unit(name: &str) -> Option<TimeUnit> {
    Some(match name {
        "s" => TimeUnit::Second,
        "ms" => TimeUnit::Millisecond,
        "us" => TimeUnit::Microsecond,
        "ns" => TimeUnit::Nanosecond,
        _ => return None,
    })
}

/// The type's name as in `timestamp[us, Europe/Berlin]`; `None` for a type that is not supported.
pub fn write(data_type: &DataType) -> Option<String> {
    use DataType as T;
    family(data_type)?;
    Some(match data_type {
        T::Decimal32(precision, scale) => format!("decimal32({precision}, {scale})"),
        T::Decimal64(precision, scale) => format!("decimal64({precision}, {scale})"),
        T::Decimal128(precision, scale) => format!("decimal128({precision}, {scale})"),
        T::Decimal256(precision, scale) => format!("decimal256({precision}, {scale})"),
        T::Duration(unit) => format!("duration[{}]", unit_name(*unit)),
        T::Time32(unit) => format!("time32[{}]", unit_name(*unit)),
        T::Time64(unit) => format!("time64[{}]", unit_name(*unit)),
        T::Timestamp(unit, None) => format!("timestamp[{}]", unit_name(*unit)),
        T::Timestamp(unit, Some(zone)) => format!("timestamp[{}, {zone}]", unit_name(*unit)),
        T::Dictionary(key, value) => format!("dictionary<{}, {}>", write(key)?, write(value)?),
        plain => NAMES.iter().find(|(_, known)| known == plain)?.0.to_owned(),
    })
}

/// The type of a name that [`write`] made; `None` for anything else.
pub fn parse(text: &str) -> Option<DataType> {
    if let Some((_, known)) = NAMES.iter().find(|(name, _)| *name == text) {
        return Some(known.clone());
    }
    if let Some(inner) = between(text, "dictionary<", ">") {
        let (key, value) = inner.split_once(", ")?;
        let (key, value) = (parse(key)?, parse(value)?);
        let usable = key.is_dictionary_key_type() && !matches!(value, DataType::Dictionary(..));
        return usable.then(|| DataType::Dictionary(Box::new(key), Box::new(value)));
    }
    if let Some(inner) = between(text, "timestamp[", "]") {
        let (name, zone) = match inner.split_once(", ") {
            Some((name, zone)) => (name, Some(zone.into())),
            None => (inner, None),
        };
        return Some(DataType::Timestamp(unit(name)?, zone));
    }
    if let Some(inner) = between(text, "duration[", "]") {
        return Some(DataType::Duration(unit(inner)?));
    }
    if let Some(inner) = between(text, "time32[", "]") {
        let unit = unit(inner)?;
        return matches!(unit, TimeUnit::Second | TimeUnit::Millisecond).then_some(DataType::Time32(unit));
    }
    if let Some(inner) = between(text, "time64[", "]") {
        let unit = unit(inner)?;
        return matches!(unit, TimeUnit::Microsecond | TimeUnit::Nanosecond).then_some(DataType::Time64(unit));
    }
    parse_decimal(text)
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.strip_prefix(start)?.strip_suffix(end)
}

fn parse_decimal(text: &str) -> Option<DataType> {
    let (width, inner) = text.strip_prefix("decimal")?.strip_suffix(')')?.split_once('(')?;
    let (precision, scale) = inner.split_once(", ")?;
    let precision: u8 = precision.parse().ok()?;
    let scale: i8 = scale.parse().ok()?;
    let (most, data_type) = match width {
        "32" => (9, DataType::Decimal32(precision, scale)),
        "64" => (18, DataType::Decimal64(precision, scale)),
        "128" => (38, DataType::Decimal128(precision, scale)),
        "256" => (76, DataType::Decimal256(precision, scale)),
        _ => return None,
    };
    let fits = (1..=most).contains(&precision) && scale <= precision.cast_signed() && scale >= -76;
    fits.then_some(data_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_comes_back_from_its_name() {
        let mut types: Vec<DataType> = NAMES.iter().map(|(_, known)| known.clone()).collect();
        for unit in [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond] {
            types.push(DataType::Timestamp(unit, None));
            types.push(DataType::Timestamp(unit, Some("Europe/Berlin".into())));
            types.push(DataType::Duration(unit));
        }
        types.push(DataType::Time32(TimeUnit::Second));
        types.push(DataType::Time64(TimeUnit::Nanosecond));
        types.push(DataType::Decimal128(10, 2));
        types.push(DataType::Decimal256(40, -3));
        types.push(DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::LargeUtf8)));
        types.push(DataType::Dictionary(
            Box::new(DataType::UInt32),
            Box::new(DataType::Timestamp(TimeUnit::Microsecond, Some("+02:00".into()))),
        ));
        for data_type in types {
            assert_eq!(write(&data_type).and_then(|name| parse(&name)), Some(data_type));
        }
    }

    #[test]
    fn other_types_have_no_name() {
        assert_eq!(write(&DataType::Binary), None);
        for name in ["", "int65", "dictionary<utf8, int8>", "decimal128(99, 2)", "time32[us]", "list<int8>"] {
            assert_eq!(parse(name), None, "{name}");
        }
        assert_eq!(parse("dictionary<int8, dictionary<int8, utf8>>"), None);
    }
}
