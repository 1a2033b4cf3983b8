//! Texts of few rows that are a slip of the keys away from one of many: `birminghxm` among a hundred of `birmingham`.
//!
//! Of a table that is screened alone, where a rare value may be as right as any: a column's common values, of ten rows or more, say
//! whether values of it are spelt alike by nature (`Type A`, `Type B`). Where no two of them are a slip apart, a value of less than ten
//! rows that is a slip away from one of twenty times as many is told, if one in twenty of the rare values is. A slip is a character left out, put in or replaced, or two
//! neighbours swapped (Damerau 1964); digits are no slips of each other, for `A-17` is no `A-18`, and texts of less than four
//! characters are none at all. Candidates share what is left of both without one character (the deletion neighbourhood; Bocek,
//! Hunt and Stiller 2007, Fast similarity search in large dictionaries).

use std::collections::{BTreeMap, HashMap, HashSet};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_schema::DataType;
use rayon::prelude::*;
use serde_json::{Value, json};

use crate::codec::{Kind, unpacked};
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::store::Store;

const COMMON: u64 = 10;
const TIMES_RARER: u64 = 20;
/// Of names some are near to a common one by chance: one rare value in so many is a slip, or none is.
const RARE_ONES: usize = 20;
const SHORTEST: usize = 4;
/// Longer texts are compared by nobody.
const LONGEST: usize = 256;
/// Common values beyond which a column is no list of values.
const MOST_COMMON: usize = 4_096;
/// No more are kept of one column.
const MOST: usize = 65_536;
/// An odd number of 64 random bits.
const BASE: u64 = 0x9E37_79B9_7F4A_7C15;

/// Per column the slips among its values, and what was meant; of so many rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Slips {
    rows: u64,
    columns: BTreeMap<String, HashMap<String, String>>,
}

/// The cells of one column of a batch that are slips.
#[derive(Debug)]
pub struct Slipped<'a> {
    pub column: &'a str,
    texts: ArrayRef,
    meant: &'a HashMap<String, String>,
}

impl Slips {
    /// Of the rows of a table that is screened against itself.
    pub fn find(rows: &RecordBatch, encoder: &Encoder) -> Self {
        let spelt = |name: &str| {
            encoder.place(name).is_some_and(|at| {
                let listed = encoder.codec(at).is_some_and(|codec| {
                    matches!(codec.kind(), Kind::Category | Kind::Text | Kind::Key) && !codec.specs().is_empty()
                });
                listed && !encoder.columns[at].given
            })
        };
        let schema = rows.schema();
        let columns: Vec<(&String, &ArrayRef)> = schema
            .fields()
            .iter()
            .zip(rows.columns())
            .map(|(field, cells)| (field.name(), cells))
            .filter(|(name, _)| spelt(name))
            .collect();
        let found = columns.into_par_iter().filter_map(|(name, cells)| {
            let slips = of_column(&texts(cells)?);
            (!slips.is_empty()).then(|| (name.clone(), slips))
        });
        Self { rows: rows.num_rows() as u64, columns: found.collect() }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.columns.values().map(HashMap::len).sum()
    }

    /// The rows that they were looked for in.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The columns of a batch that may have some.
    pub fn open<'a>(&'a self, encoder: &Encoder, batch: &RecordBatch, alignment: &[Option<usize>]) -> Vec<Slipped<'a>> {
        let opened = self.columns.iter().filter_map(|(column, meant)| {
            let source = alignment.get(encoder.place(column)?).copied().flatten()?;
            Some(Slipped { column, texts: texts(batch.column(source))?, meant })
        });
        opened.collect()
    }

    pub fn write(&self, store: &mut Store) -> Value {
        for (at, slips) in self.columns.values().enumerate() {
            let mut pairs: Vec<(&str, &str)> =
                slips.iter().map(|(seen, meant)| (seen.as_str(), meant.as_str())).collect();
            pairs.sort_unstable();
            let (seen, meant): (Vec<&str>, Vec<&str>) = pairs.into_iter().unzip();
            store.put_strings(&format!("slips.{at}.seen"), &seen);
            store.put_strings(&format!("slips.{at}.meant"), &meant);
        }
        json!({"rows": self.rows, "columns": self.columns.keys().collect::<Vec<_>>()})
    }

    /// A file of before there were slips, and a model that is not of a screening, has none.
    pub fn read(value: &Value, store: &Store, encoder: &Encoder) -> Result<Self> {
        let damaged = || Error::model_file("the manifest's `slips` are damaged");
        if value.is_null() {
            return Ok(Self::default());
        }
        let names: Vec<String> = serde_json::from_value(value["columns"].clone()).map_err(|_| damaged())?;
        let rows = value["rows"].as_u64().filter(|&rows| rows < 1 << 53).ok_or_else(damaged)?;
        let mut columns = BTreeMap::new();
        for (at, column) in names.into_iter().enumerate() {
            let (seen, meant) =
                (store.get_strings(&format!("slips.{at}.seen"))?, store.get_strings(&format!("slips.{at}.meant"))?);
            if encoder.place(&column).is_none() || seen.len() != meant.len() || seen.len() > MOST {
                return Err(damaged());
            }
            columns.insert(column, seen.into_iter().zip(meant).collect());
        }
        Ok(Self { rows, columns })
    }
}

impl Slipped<'_> {
    /// The cell of a row and what was meant, where it is a slip.
    pub fn of(&self, row: usize) -> Option<(&str, &str)> {
        let texts = self.texts.as_string_opt::<i64>()?;
        let seen = texts.is_valid(row).then(|| texts.value(row))?;
        Some((seen, self.meant.get(seen)?))
    }
}

/// The cells of a column of text; None of any other.
fn texts(cells: &ArrayRef) -> Option<ArrayRef> {
    let plain = unpacked(cells).ok()?;
    let is_text = matches!(plain.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    is_text.then(|| cast(&plain, &DataType::LargeUtf8).ok()).flatten()
}

fn of_column(cells: &ArrayRef) -> HashMap<String, String> {
    let Some(cells) = cells.as_string_opt::<i64>() else { return HashMap::new() };
    let mut counts: HashMap<&str, u64> = HashMap::new();
    cells.iter().flatten().for_each(|text| *counts.entry(text).or_default() += 1);
    among(&counts)
}

/// The slips among values that so many rows have each, and what was meant.
fn among(counts: &HashMap<&str, u64>) -> HashMap<String, String> {
    let fits = |text: &str| (SHORTEST..=LONGEST).contains(&text.chars().count());
    let (common, rare): (Vec<_>, Vec<_>) = counts.iter().partition(|&(_, &count)| count >= COMMON);
    let common: Vec<&str> = common.into_iter().map(|(text, _)| *text).filter(|text| fits(text)).collect();
    if common.is_empty() || common.len() > MOST_COMMON {
        return HashMap::new();
    }
    let lengths: HashSet<usize> = common.iter().map(|text| text.chars().count()).collect();
    let mut known: HashMap<u64, Vec<&str>> = HashMap::new();
    for &text in &common {
        rests(text).into_iter().for_each(|rest| known.entry(rest).or_default().push(text));
    }
    let near = |text: &str| -> HashSet<&str> {
        let like = rests(text).into_iter().filter_map(|rest| known.get(&rest)).flatten();
        like.copied().filter(|other| is_slip(text, other)).collect()
    };
    if common.par_iter().any(|text| !near(text).is_empty()) {
        return HashMap::new();
    }
    let comes_near = |text: &str| {
        let length = text.chars().count();
        (length.saturating_sub(1)..=length + 1).any(|length| lengths.contains(&length))
    };
    let meant = |(text, &count): (&&str, &u64)| {
        let far = near(text).into_iter().filter(|other| counts[other] >= TIMES_RARER * count);
        // Of equals the first by its letters, so that the order of rows says nothing.
        let meant = far.max_by_key(|&other| (counts[other], std::cmp::Reverse(other)))?;
        Some((text.to_string(), meant.to_owned()))
    };
    let all = rare.len();
    let slips: Vec<(String, String)> =
        rare.into_par_iter().filter(|(text, _)| comes_near(text)).filter_map(meant).collect();
    if slips.len() > MOST || slips.len() * RARE_ONES < all { HashMap::new() } else { slips.into_iter().collect() }
}

/// Hashes of a text and of all that is left of it without one character.
fn rests(text: &str) -> HashSet<u64> {
    let letters: Vec<u64> = text.chars().map(|letter| u64::from(u32::from(letter))).collect();
    let mut powers = vec![1_u64];
    letters.iter().for_each(|_| powers.push(powers[powers.len() - 1].wrapping_mul(BASE)));
    let summed = |sum: &mut u64, (letter, power): (&u64, &u64)| {
        *sum = sum.wrapping_add(letter.wrapping_mul(*power));
        Some(*sum)
    };
    let before = letters.iter().zip(&powers).scan(0, summed);
    let before: Vec<u64> = std::iter::once(0).chain(before).collect();
    // The letters from a place on, each one place to the left.
    let mut after = vec![0_u64; letters.len() + 1];
    for at in (1..letters.len()).rev() {
        after[at] = after[at + 1].wrapping_add(letters[at].wrapping_mul(powers[at - 1]));
    }
    let without = (0..letters.len()).map(|at| before[at].wrapping_add(after[at + 1]));
    without.chain(before.last().copied()).collect()
}

/// Whether one text is one slip away from another.
fn is_slip(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let ahead = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let behind = one[ahead..].iter().rev().zip(other[ahead..].iter().rev()).take_while(|(a, b)| a == b).count();
    match (&one[ahead..one.len() - behind], &other[ahead..other.len() - behind]) {
        ([], [put]) | ([put], []) => !put.is_ascii_digit(),
        ([a], [b]) => !(a.is_ascii_digit() && b.is_ascii_digit()),
        ([a, b], [c, d]) => a == d && b == c && !(a.is_ascii_digit() && b.is_ascii_digit()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(values: &[(&str, u64)]) -> Vec<(String, String)> {
        let mut slips: Vec<_> = among(&values.iter().copied().collect()).into_iter().collect();
        slips.sort();
        slips
    }

    fn told(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(seen, meant)| ((*seen).to_owned(), (*meant).to_owned())).collect()
    }

    #[test]
    fn one_slip_of_each_kind_is_one() {
        for seen in ["birminghxm", "birmingam", "birminghham", "birmignham", "irmingham", "birmingham "] {
            assert!(is_slip(seen, "birmingham") && is_slip("birmingham", seen), "{seen}");
        }
        for seen in ["birmingham", "birminhgxm", "brmingam", "mingham"] {
            assert!(!is_slip(seen, "birmingham"), "{seen}");
        }
    }

    #[test]
    fn digits_are_no_slips_of_each_other_and_letters_are() {
        assert!(!is_slip("A-17", "A-18") && !is_slip("115.0", "11.0") && !is_slip("A-71", "A-17"));
        assert!(is_slip("1000x", "10008") && is_slip("10-08", "1008") && is_slip("1O08", "1008"));
    }

    #[test]
    fn what_is_rare_and_near_to_what_is_common_is_told() {
        let values =
            [("Paris", 200), ("Berlin", 100), ("Pariss", 9), ("Pari", 11), ("Brelin", 5), ("Berlim", 6), ("Rome", 1)];
        // `Pari` is common, and a slip of `Paris`: values of this column are spelt alike by nature.
        assert_eq!(found(&values), []);
        assert_eq!(found(&values[..3]), told(&[("Pariss", "Paris")]));
        // 100 is 20 times 5, and not 20 times 6.
        assert_eq!(found(&[values[1], values[4], values[5], values[6]]), told(&[("Brelin", "Berlin")]));
        assert_eq!(found(&[("abc", 500), ("abx", 1)]), []);
        assert_eq!(found(&[("abcd", 500), ("abc", 1)]), told(&[("abc", "abcd")]));
    }

    #[test]
    fn one_of_many_rare_values_is_near_by_chance() {
        let names: Vec<String> = (0..20).map(|at| format!("{at} {at}{at}{at} Street")).collect();
        let mut values = vec![("Maria", 200), ("Mario", 1)];
        values.extend(names[..19].iter().map(|name| (name.as_str(), 1)));
        assert_eq!(found(&values), told(&[("Mario", "Maria")]));
        values.push((&names[19], 1));
        assert_eq!(found(&values), []);
    }

    #[test]
    fn of_two_that_may_be_meant_it_is_the_commoner() {
        let values = [("maple lane", 30), ("maple lake", 40)];
        assert!(!found(&[values[0], ("maple lanes", 1)]).is_empty());
        assert_eq!(found(&[("cart", 30), ("bars", 40), ("bart", 1)]), told(&[("bart", "bars")]));
    }

    #[test]
    fn hashes_of_rests_are_those_of_the_rests() {
        let whole = |text: &str| {
            let mut power = 1_u64;
            text.chars().fold(0_u64, |sum, letter| {
                let sum = sum.wrapping_add(u64::from(u32::from(letter)).wrapping_mul(power));
                power = power.wrapping_mul(BASE);
                sum
            })
        };
        let expected: HashSet<u64> = ["zoë", "oë", "zë", "zo"].into_iter().map(whole).collect();
        assert_eq!(rests("zoë"), expected);
        assert_eq!(rests(""), HashSet::from([0]));
    }
}
