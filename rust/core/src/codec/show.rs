//! Words for people: a cell as it was, and the names of codes.

use arrow_array::{Array, cast::AsArray};
use arrow_cast::display::array_value_to_string;
use arrow_schema::DataType;

use super::calendar::local_once;
use super::counted::FEW;
use super::date_text::{self, Layout};
use super::read;
use super::types::{Family, family, plain};
use crate::block::{FIRST_VALUE, MISSING, NAN, NEG_INF, NULL, OTHER, POS_INF, PRESENT};

pub const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
pub const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Characters of a text that are shown.
const WIDTH: usize = 60;
/// A value that has no code.
pub const ANOTHER: &str = "another value";

/// The value in a row, `null` for none. An instant is shown in the zone of `fitted`, whatever the batch's own.
pub fn cell(array: &dyn Array, row: usize, decimals: Option<u8>, fitted: &DataType) -> String {
    if row >= array.len() {
        return "null".to_owned();
    }
    // One row is read by the same code as a batch.
    let one = array.slice(row, 1);
    value(one.as_ref(), decimals, fitted).unwrap_or_else(|| "null".to_owned())
}

fn value(one: &dyn Array, decimals: Option<u8>, fitted: &DataType) -> Option<String> {
    let data_type = plain(one.data_type());
    match family(data_type)? {
        Family::Null => None,
        Family::Boolean => {
            let (values, nulls) = read::booleans(one).ok()?;
            nulls.is_none_or(|nulls| nulls.is_valid(0)).then(|| values.value(0).to_string())
        }
        Family::Integer => {
            let bits = read::integers(one).ok()?.0.get(0)?;
            Some(super::state::widen(bits, data_type == &DataType::UInt64).to_string())
        }
        Family::Float => {
            let number_ = read::numbers(one).ok()?.get(0)?;
            // A float32 in its own digits, not in those of the double it becomes.
            match (data_type, one.as_primitive_opt::<arrow_array::types::Float32Type>()) {
                (DataType::Float32, Some(narrow)) if decimals.is_none() => Some(narrow.value(0).to_string()),
                _ => Some(number(number_, decimals)),
            }
        }
        Family::Decimal => {
            // Digit by digit: a double has fifteen of them.
            let one = read::unpacked(one).ok()?;
            one.is_valid(0).then(|| array_value_to_string(&one, 0).ok())?
        }
        Family::Duration => Some(format!("{} s", read::numbers(one).ok()?.get(0)?)),
        Family::Date | Family::Timestamp | Family::TimeOfDay => {
            let shown_as = if family(fitted) == family(data_type) { fitted } else { data_type };
            Some(instant(read::instants(one).ok()?.get(0)?, shown_as))
        }
        Family::Text => Some(clipped(read::Strings::new(one).ok()?.get(0)?)),
    }
}

/// A number with at least the column's decimals.
pub fn number(value: f64, decimals: Option<u8>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    let fixed = decimals.map(|decimals| format!("{value:.places$}", places = usize::from(decimals)));
    match fixed {
        Some(text) if text.parse() == Ok(value) => text,
        _ if value.is_finite() && value != 0.0 && !(1e-5..1e15).contains(&value.abs()) => format!("{value:e}"),
        _ => significant(value),
    }
}

/// At most six significant digits, and every digit before the point.
fn significant(value: f64) -> String {
    let before = if value == 0.0 { 1.0 } else { value.abs().log10().floor() + 1.0 };
    let places = (6.0 - before).clamp(0.0, 12.0) as usize;
    let text = format!("{value:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Microseconds in the words of a type: a date, a time of day, or both in the type's zone.
pub fn instant(micros: i64, data_type: &DataType) -> String {
    let layout = match family(data_type) {
        Some(Family::Date) => Layout::DATE,
        Some(Family::TimeOfDay) => return date_text::time_of_day(micros),
        _ => Layout::DATE_TIME.with_fraction(micros),
    };
    layout.write(local_once(data_type, micros))
}

pub fn clipped(text: &str) -> String {
    if text.is_empty() {
        return "\"\"".to_owned();
    }
    match text.char_indices().nth(WIDTH) {
        Some(_) => text.chars().take(WIDTH - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

pub fn status(code: u16) -> &'static str {
    match code {
        PRESENT => "a value",
        NULL => "null",
        NAN => "NaN",
        POS_INF => "+inf",
        NEG_INF => "-inf",
        _ => ANOTHER,
    }
}

/// A category's value by its place in the vocabulary.
pub fn coded<'a>(code: u16, value: impl Fn(usize) -> Option<&'a str>) -> String {
    match code {
        MISSING => "null".to_owned(),
        OTHER => ANOTHER.to_owned(),
        code => value(usize::from(code - FIRST_VALUE)).map_or_else(|| ANOTHER.to_owned(), clipped),
    }
}

pub fn hour(code: u16) -> String {
    match code {
        MISSING | OTHER => coded(code, |_| None),
        code => format!("{:02}", code - FIRST_VALUE),
    }
}

/// `1,234,567`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How many rows of so many have a value: a number while it is small, `1 in 50 rows`, or per cent when common. Of a value
/// that one row has nobody can tell whether it is the row that is looked at.
pub fn occurrence(count: f64, rows: u64) -> String {
    let share = count / rows.max(1) as f64;
    match count.round() {
        few if few < 1.5 => format!("at most 1 row of {}", grouped(rows)),
        _ if share >= 0.1 => format!("{:.0} % of rows", (share * 100.0).min(100.0)),
        few if few <= FEW => format!("{few} rows of {}", grouped(rows)),
        _ => format!("1 in {} rows", grouped((1.0 / share).round() as u64)),
    }
}
