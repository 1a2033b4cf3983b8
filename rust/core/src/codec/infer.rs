//! Which kind a column is, from its type, its name, and what was counted. Printed to the user, and overridable.

use std::collections::HashSet;

use arrow_array::Array;

use super::date_text;
use super::read::{self, Strings};
use super::state::{ColumnState, Values};
use super::types::Family;
use super::{Kind, category};

/// Distinct values up to which an integer, or any string, is a category.
const FEW: f64 = 10.0;
/// More distinct values than this make a repeating identifier a key rather than a category.
const MANY: f64 = 50.0;
/// Rows below which "all distinct" says nothing.
const ROWS: u64 = 20;
/// An estimate of the distinct values errs by 1.1 %: three standard errors below all, above a 93 % distinct time.
const ALL_DISTINCT: f64 = 0.965;
/// Longest identifier, and the most blanks it has on average.
const ID_LENGTH: u64 = 64;
const ID_BLANKS: f64 = 0.5;

/// Last words of a name that make it an identifier's; the first list also for identifiers that repeat.
const KEY_WORDS: [&str; 7] = ["id", "key", "uuid", "guid", "code", "ref", "tailnum"];
const ID_WORDS: [&str; 7] = ["nr", "no", "num", "number", "idx", "index", "rowid"];
const TIME_WORDS: [&str; 9] = ["time", "second", "seconds", "date", "timestamp", "year", "month", "day", "datetime"];

impl ColumnState {
    /// The kind of a column that nobody said the kind of. `training`: sample rows of the training part.
    pub fn infer(&self, name: &str, training: &dyn Array) -> Kind {
        if self.valid == 0 {
            return Kind::Category;
        }
        match (self.family, &self.values) {
            (Family::Boolean, _) => Kind::Boolean,
            (Family::Float | Family::Decimal | Family::Duration, _) => Kind::Number,
            (Family::Date | Family::Timestamp | Family::TimeOfDay, _) => Kind::Datetime,
            (Family::Integer, Values::Integer { counts, min, max }) => {
                let distinct = counts.distinct();
                let words = words(name);
                let timed = words.iter().any(|word| TIME_WORDS.contains(&word.as_str()));
                let (key_like, id_like) = identifier(&words);
                let all_distinct = self.all_distinct(distinct, counts.exact().is_some()) && !repeats(training);
                let dense = max - min < 4 * i128::from(self.seen) && self.seen > ROWS;
                match distinct {
                    _ if timed && distinct > FEW => Kind::Number,
                    _ if all_distinct && (id_like || dense) => Kind::Id,
                    _ if key_like && !all_distinct && distinct > MANY => Kind::Key,
                    few if few <= FEW => Kind::Category,
                    _ => Kind::Number,
                }
            }
            (Family::Text, Values::Text { counts, spaces, longest }) => {
                let distinct = counts.distinct();
                let all_distinct = self.all_distinct(distinct, counts.exact().is_some()) && !repeats(training);
                let one_word = (*spaces as f64) < ID_BLANKS * self.seen as f64 && *longest <= ID_LENGTH;
                let few = distinct <= category::VALUES as f64 && counts.exact().is_some();
                if are_dates(training) {
                    return Kind::Datetime;
                }
                match identifier(&words(name)).0 {
                    _ if all_distinct && one_word && self.valid > ROWS => Kind::Id,
                    true if !all_distinct && distinct > MANY => Kind::Key,
                    _ if few && (distinct <= 0.5 * self.valid as f64 || distinct <= FEW) => Kind::Category,
                    _ => Kind::Text,
                }
            }
            (Family::Null | Family::Integer | Family::Text, _) => Kind::Category,
        }
    }

    fn all_distinct(&self, distinct: f64, exact: bool) -> bool {
        if exact { distinct >= self.valid as f64 } else { distinct >= ALL_DISTINCT * self.seen as f64 }
    }
}

fn are_dates(training: &dyn Array) -> bool {
    Strings::new(training)
        .is_ok_and(|strings| date_text::detect(&strings.iter().flatten().collect::<Vec<_>>()).is_some())
}

/// Whether any value stands twice in the sample.
fn repeats(training: &dyn Array) -> bool {
    if let Ok(strings) = Strings::new(training) {
        let mut seen = HashSet::new();
        return strings.iter().flatten().any(|value| !seen.insert(value));
    }
    let mut seen = HashSet::new();
    read::integers(training).is_ok_and(|(rows, _)| rows.iter().flatten().any(|value| !seen.insert(value)))
}

/// Whether the last word names an identifier that may repeat, and whether it names any identifier.
fn identifier(words: &[String]) -> (bool, bool) {
    let Some(last) = words.last() else { return (false, false) };
    let key = KEY_WORDS.contains(&last.as_str());
    (key, key || ID_WORDS.contains(&last.as_str()))
}

/// The words of a name, in lower case: split at `_`, `-`, blanks, and where camelCase starts a new word.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut last = '_';
    for char in name.chars() {
        let splits = !char.is_alphanumeric();
        if splits || (char.is_uppercase() && !last.is_uppercase()) {
            words.push(String::new());
        }
        if let (false, Some(word)) = (splits, words.last_mut()) {
            word.extend(char.to_lowercase());
        }
        last = char;
    }
    words.retain(|word| !word.is_empty());
    words
}
