//! Values that go by the value of another column: `zip -> city`, in all rows but a few (approximate functional dependencies; Kivinen
//! and Mannila 1995, Approximate inference of functional dependencies from relations: their g3 is the share of rows to be left out).
//!
//! Among categories alone, whose codes are counted. A value of the first column speaks where its rows agree: three of them at least, or
//! one row of the table in 1,000, have the same value in the second, one in four at most has another, and those are single rows, so that
//! a name that two towns share says nothing. A dependency holds where one row in twenty at most is left out, twenty times fewer than if every row
//! had the commonest value, and where chance would not do it (20 nats against that share). Rows that are not what the value
//! says are wrong in one of the two cells: the one that more of the broken dependencies are about, else the second.
//!
//! Legend: B rows, C categories.

use std::ops::Range;

use rayon::prelude::*;
use serde_json::{Value, json};

use crate::block::{Block, FIRST_VALUE, Feature, MISSING, Part, Slot};
use crate::error::{Error, Result};
use crate::store::Store;

/// Rows with one value that say what goes with it, and of a large table one in so many: a mistake that some rows share is no value.
const FEWEST_ROWS: u32 = 3;
const ROWS_OF_A_VALUE: usize = 1_000;
/// Of those rows one in so many may have another value, and of one such value one row, and one more in a thousand.
const FEW_OF_A_VALUE: u32 = 4;
const FEW_ALIKE: u32 = 1_000;
/// Of all rows one in so many may be left out, and so many times fewer than by the commonest value.
const FEW: u64 = 20;
const TIMES_FEWER: f64 = 20.0;
/// One in 5e8, for as many pairs of columns tried.
const EVIDENCE: f64 = 20.0;
const LEAST_ROWS: u64 = 50;
/// Values of the second column: that a flag mostly goes with something is a habit, whose exceptions are as right as others.
const FEWEST_VALUES: u16 = 3;
/// Rows of a first look, which most pairs do not survive: there twice as many may be left out.
const GLANCE: usize = 1_024;
/// More than these are not looked for, and no more are read.
const MOST_COLUMNS: usize = 128;
const MOST: usize = 1_024;

/// Of a table, those of few exceptions first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dependencies(Vec<Dependency>);

#[derive(Debug, Clone, PartialEq)]
pub struct Dependency {
    /// Category columns of a block.
    pub from: usize,
    pub to: usize,
    /// Rows that it speaks of, and those that break it.
    pub rows: u64,
    pub broken: u64,
    /// Per code of `from` the code of `to` that goes with it; [`MISSING`] where nothing is said.
    expected: Vec<u16>,
}

/// A cell that a row breaks dependencies with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wrong {
    pub category: usize,
    /// The code that goes with that of another category, where some dependency tells.
    pub expected: Option<(u16, usize)>,
}

impl Dependencies {
    /// Of the rows of a fit.
    pub fn find(rows: &Block, features: &[Feature]) -> Self {
        let listed = features.iter().filter(|feature| feature.part == Part::Value && !feature.given);
        let categories: Vec<(usize, u16)> = listed
            .filter_map(|feature| match feature.slot {
                Slot::Category { index, size } if size >= FIRST_VALUE + 2 => Some((index, size)),
                Slot::Category { .. } | Slot::Number { .. } => None,
            })
            .collect();
        if categories.len() > MOST_COLUMNS {
            return Self::default();
        }
        let all = || categories.iter().copied();
        let pairs: Vec<_> = all().flat_map(|from| all().map(move |to| (from, to))).collect();
        let find = |(from, to): ((usize, u16), (usize, u16))| {
            (from != to && to.1 >= FIRST_VALUE + FEWEST_VALUES).then(|| found(rows, from, to)).flatten()
        };
        let mut found: Vec<Dependency> = pairs.into_par_iter().filter_map(find).collect();
        found.sort_by_key(|one| one.broken);
        found.truncate(MOST);
        Self(found)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Dependency> {
        self.0.iter()
    }

    /// Whether a row breaks one.
    pub fn are_broken(&self, c_c: &[u16]) -> bool {
        self.0.iter().any(|one| one.breaks(c_c))
    }

    /// The cells of a row that are likeliest to be wrong.
    pub fn wrong(&self, c_c: &[u16]) -> Vec<Wrong> {
        let broken: Vec<&Dependency> = self.0.iter().filter(|one| one.breaks(c_c)).collect();
        let about = |category: usize| broken.iter().filter(|one| one.from == category || one.to == category).count();
        let mut found: Vec<Wrong> = Vec::new();
        for one in &broken {
            let category = if about(one.from) > about(one.to) { one.from } else { one.to };
            if found.iter().all(|wrong| wrong.category != category) {
                let says = broken.iter().find(|one| one.to == category);
                let expected = says.and_then(|one| Some((one.expected(c_c)?, one.from)));
                found.push(Wrong { category, expected });
            }
        }
        found
    }

    /// A value says nothing any more where rows that are right break what it said.
    pub fn allow(&mut self, rows: &Block) {
        self.silence(rows, |_, _| true);
    }

    /// The same where further rows break it as often as would have kept it from being said.
    pub fn widen(&mut self, rows: &Block) {
        self.silence(rows, |own, code| own.iter().sum::<u32>() - own[code] > 1 && !agree(own, code, 0));
    }

    /// `too_many`: of the rows with a value that break what it said, by how many have each code, and which is expected.
    fn silence(&mut self, rows: &Block, too_many: impl Fn(&[u32], usize) -> bool) {
        for one in &mut self.0 {
            let seen = (0..rows.rows).map(|row| rows.c_row(row)[one.to]);
            let codes = usize::from(seen.chain(one.expected.iter().copied()).max().unwrap_or(MISSING)) + 1;
            let mut counts = vec![0; one.expected.len() * codes];
            count(rows, 0..rows.rows, (one.from, one.to), codes, &mut counts);
            for (code, own) in one.expected.iter_mut().zip(counts.chunks_exact(codes)) {
                let expected = usize::from(*code);
                let broken = own.iter().enumerate().any(|(other, &count)| other != expected && count > 0);
                if *code != MISSING && broken && too_many(own, expected) {
                    *code = MISSING;
                }
            }
        }
        self.0.retain(|one| one.pairs() > 0);
    }

    pub fn write(&self, store: &mut Store) -> Value {
        for (at, one) in self.0.iter().enumerate() {
            store.put_u32(format!("dependency.{at}"), one.expected.iter().map(|&code| u32::from(code)).collect());
        }
        let facts = |one: &Dependency| json!({"from": one.from, "to": one.to, "rows": one.rows, "broken": one.broken});
        Value::Array(self.0.iter().map(facts).collect())
    }

    /// `sizes`: codes of each category column. A file of before there were dependencies has none.
    pub fn read(value: &Value, store: &Store, sizes: &[u16]) -> Result<Self> {
        let damaged = || Error::model_file("the manifest's `dependencies` are damaged");
        if value.is_null() {
            return Ok(Self::default());
        }
        let list = value.as_array().filter(|list| list.len() <= MOST).ok_or_else(damaged)?;
        let one = |(at, value): (usize, &Value)| {
            let place = |name: &str| {
                let at = usize::try_from(value[name].as_u64()?).ok()?;
                Some((at, *sizes.get(at)?))
            };
            let count = |name: &str| value[name].as_u64().filter(|&rows| rows < 1 << 53);
            let (from, size) = place("from").ok_or_else(damaged)?;
            let (to, codes) = place("to").filter(|&(to, _)| to != from).ok_or_else(damaged)?;
            let (rows, broken) = count("rows").zip(count("broken")).ok_or_else(damaged)?;
            let stored = store.get_u32(&format!("dependency.{at}"))?;
            let code = |&code: &u32| u16::try_from(code).ok().filter(|&code| code < codes);
            let expected: Option<Vec<u16>> = stored.iter().map(code).collect();
            let expected = expected.filter(|expected| expected.len() == usize::from(size)).ok_or_else(damaged)?;
            Ok(Dependency { from, to, rows, broken, expected })
        };
        Ok(Self(list.iter().enumerate().map(one).collect::<Result<_>>()?))
    }
}

impl Dependency {
    /// The code that goes with what the row has.
    fn expected(&self, c_c: &[u16]) -> Option<u16> {
        self.expected.get(usize::from(c_c[self.from])).copied().filter(|&code| code != MISSING)
    }

    fn breaks(&self, c_c: &[u16]) -> bool {
        let seen = c_c[self.to];
        seen != MISSING && self.expected(c_c).is_some_and(|expected| expected != seen)
    }

    /// How many values say what goes with them.
    pub fn pairs(&self) -> usize {
        self.expected.iter().filter(|&&code| code != MISSING).count()
    }
}

/// Whether the rows with one value agree on a code, by how many have which: `fewest` of them at least.
fn agree(counts: &[u32], code: usize, fewest: u32) -> bool {
    let whole: u32 = counts.iter().sum();
    let most_alike = 1 + whole / FEW_ALIKE;
    let others = counts.iter().enumerate().filter(|&(other, _)| other != code);
    // What is not known is many values.
    let mut known = others.filter(|&(other, _)| other >= usize::from(FIRST_VALUE));
    counts[code] >= fewest
        && (whole - counts[code]) * FEW_OF_A_VALUE <= whole
        && known.all(|(_, &count)| count <= most_alike)
}

/// Adds, per value of the first category and code of the second, of which there are so many, the rows that have both.
fn count(rows: &Block, some: Range<usize>, (from, to): (usize, usize), codes: usize, counts: &mut [u32]) {
    some.map(|row| rows.c_row(row))
        .filter(|c_c| c_c[from] >= FIRST_VALUE && c_c[to] != MISSING)
        .for_each(|c_c| counts[usize::from(c_c[from]) * codes + usize::from(c_c[to])] += 1);
}

/// The dependency of one category on another, if there is one.
fn found(rows: &Block, (from, size): (usize, u16), (to, codes): (usize, u16)) -> Option<Dependency> {
    let (size, codes) = (usize::from(size), usize::from(codes));
    let mut counts = vec![0_u32; size * codes];
    let glance = rows.rows.min(GLANCE);
    count(rows, 0..glance, (from, to), codes, &mut counts);
    let first = Shares::of(&counts, codes);
    if first.left_out * FEW > 2 * first.rows {
        return None;
    }
    count(rows, glance..rows.rows, (from, to), codes, &mut counts);
    let whole = Shares::of(&counts, codes);
    let fewest = FEWEST_ROWS.max(u32::try_from(rows.rows / ROWS_OF_A_VALUE).unwrap_or(u32::MAX));
    let by_value = counts.chunks_exact(codes).map(|own| {
        let commonest = commonest(own);
        if agree(own, commonest, fewest) { commonest as u16 } else { MISSING }
    });
    let expected: Vec<u16> = by_value.collect();
    let said = expected.iter().zip(counts.chunks_exact(codes)).filter(|(code, _)| **code != MISSING);
    let (mut spoken, mut kept) = (0_u64, 0_u64);
    for (&code, own) in said {
        spoken += own.iter().map(|&count| u64::from(count)).sum::<u64>();
        kept += u64::from(own[usize::from(code)]);
    }
    let chance = whole.commonest;
    let few =
        whole.left_out * FEW <= whole.rows && whole.left_out as f64 * TIMES_FEWER <= whole.rows as f64 * (1.0 - chance);
    let holds = spoken >= LEAST_ROWS && few && kept as f64 * -chance.max(1.0 / spoken as f64).ln() >= EVIDENCE;
    holds.then_some(Dependency { from, to, rows: spoken, broken: spoken - kept, expected })
}

/// Of the rows with values that have [`FEWEST_ROWS`]: how many there are, and how many have not what most with that value have;
/// of all rows the share of the commonest code.
struct Shares {
    rows: u64,
    left_out: u64,
    commonest: f64,
}

impl Shares {
    fn of(counts: &[u32], codes: usize) -> Self {
        let mut of_codes = vec![0_u64; codes];
        let (mut rows, mut left_out) = (0, 0);
        for own in counts.chunks_exact(codes) {
            let whole: u32 = own.iter().sum();
            of_codes.iter_mut().zip(own).for_each(|(sum, &count)| *sum += u64::from(count));
            if whole >= FEWEST_ROWS {
                rows += u64::from(whole);
                left_out += u64::from(whole - own[commonest(own)]);
            }
        }
        let all: u64 = of_codes.iter().sum();
        let commonest = of_codes.into_iter().max().unwrap_or(0) as f64 / all.max(1) as f64;
        Self { rows, left_out, commonest }
    }
}

/// The known value that most rows have, the first of equals.
fn commonest(counts: &[u32]) -> usize {
    let known = (usize::from(FIRST_VALUE)..counts.len()).rev();
    known.max_by_key(|&code| counts[code]).unwrap_or(usize::from(FIRST_VALUE))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [u16; 3] = [FIRST_VALUE + 4, FIRST_VALUE + 4, FIRST_VALUE + 2];

    fn features() -> Vec<Feature> {
        let feature = |(index, size): (usize, u16)| Feature {
            column: index,
            part: Part::Value,
            slot: Slot::Category { index, size },
            given: false,
            weight: 1.0,
        };
        SIZES.into_iter().enumerate().map(feature).collect()
    }

    fn block(rows: impl Iterator<Item = [u16; 3]>) -> Block {
        let c: Vec<u16> = rows.flatten().collect();
        Block { rows: c.len() / 3, numbers: 0, categories: 3, x: Vec::new(), c }
    }

    /// Four values that go with four others, and a flag.
    fn table() -> Block {
        block((0..400_u16).map(|row| [FIRST_VALUE + row % 4, FIRST_VALUE + row % 4, FIRST_VALUE + row % 4 / 2]))
    }

    fn names(found: &Dependencies) -> Vec<(usize, usize, u64, u64)> {
        found.iter().map(|one| (one.from, one.to, one.rows, one.broken)).collect()
    }

    #[test]
    fn what_all_rows_obey_is_found_and_no_flag() {
        assert_eq!(names(&Dependencies::find(&table(), &features())), [(0, 1, 400, 0), (1, 0, 400, 0)]);
    }

    #[test]
    fn few_rows_may_break_it_and_each_in_a_way_of_its_own() {
        let found = |wrong: &[u16]| {
            let mut rows = table();
            wrong.iter().enumerate().for_each(|(at, &code)| rows.c[3 * 4 * at + 1] = FIRST_VALUE + code);
            names(&Dependencies::find(&rows, &features()))
        };
        assert_eq!(found(&[1, 2, 3]), [(0, 1, 400, 3), (1, 0, 400, 3)]);
        // The first value goes with the second in two rows, and says nothing any more.
        assert_eq!(found(&[1, 1]), [(0, 1, 300, 0), (1, 0, 298, 0)]);
    }

    #[test]
    fn values_of_few_rows_say_nothing() {
        let shared = |rows: u16| {
            let all = (0..200_u16).map(|row| FIRST_VALUE + if row < rows { 3 } else { row % 3 });
            Dependencies::find(&block(all.map(|value| [value, value, FIRST_VALUE])), &features())
        };
        let speaks = |found: &Dependencies| found.iter().map(Dependency::pairs).collect::<Vec<_>>();
        assert_eq!([2, 3].map(|rows| speaks(&shared(rows))), [[3, 3], [4, 4]]);
        assert_eq!(Dependencies::find(&Block { rows: 49, ..table() }, &features()).iter().count(), 0);
    }

    #[test]
    fn the_wrong_cell_is_the_one_that_most_are_about() {
        let one = |from, to| Dependency { from, to, rows: 9, broken: 0, expected: vec![0, 0, 2, 3, 4, 5] };
        let all = Dependencies(vec![one(0, 1), one(2, 1), one(1, 2)]);
        let wrong = |category, expected| Wrong { category, expected };
        assert_eq!(all.wrong(&[2, 2, 2]), []);
        assert_eq!(all.wrong(&[2, 3, 2]), [wrong(1, Some((2, 0)))]);
        assert_eq!(all.wrong(&[3, 2, 2]), [wrong(1, Some((3, 0)))]);
        assert_eq!(Dependencies(vec![one(0, 1), one(0, 2)]).wrong(&[3, 2, 2]), [wrong(0, None)]);
        // What is missing, or not known, breaks nothing; a value that is not known breaks what is said of it.
        assert!(!all.are_broken(&[2, MISSING, 2]) && !all.are_broken(&[1, 2, 2]));
        assert!(all.are_broken(&[2, 1, MISSING]));
    }

    #[test]
    fn further_rows_silence_a_value_when_they_break_it_often_and_right_ones_at_once() {
        let found = Dependencies::find(&table(), &features());
        let rows = |others: &[u16]| block(others.iter().map(|&other| [FIRST_VALUE, FIRST_VALUE + other, MISSING]));
        let pairs = |found: &Dependencies| found.iter().map(Dependency::pairs).collect::<Vec<_>>();
        let widened = |others: &[u16]| {
            let mut found = found.clone();
            found.widen(&rows(others));
            pairs(&found)
        };
        assert_eq!(widened(&[1]), [4, 4]);
        assert_eq!(widened(&[0, 0, 0, 0, 0, 0, 1, 2]), [4, 4]);
        assert_eq!(widened(&[0, 0, 0, 0, 0, 0, 1, 1]), [3, 3]);
        let mut right = found.clone();
        right.allow(&rows(&[1]));
        assert_eq!(pairs(&right), [3, 3]);
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let found = Dependencies::find(&table(), &features());
        let mut store = Store::default();
        let value = found.write(&mut store);
        assert_eq!(Dependencies::read(&value, &store, &SIZES).unwrap(), found);
        assert_eq!(Dependencies::read(&Value::Null, &store, &SIZES).unwrap(), Dependencies::default());
        let with = |key: &str, other: Value| {
            let mut value = value.clone();
            value[0][key] = other;
            value
        };
        for damaged in [json!({}), with("from", json!(3)), with("to", json!(0)), with("rows", json!(-1))] {
            let message = Dependencies::read(&damaged, &store, &SIZES).unwrap_err().message;
            assert_eq!(message, "the manifest's `dependencies` are damaged", "{damaged}");
        }
        store.put_u32("dependency.0", vec![0, 0, 2, 3, 4, 6]);
        assert!(Dependencies::read(&value, &store, &SIZES).is_err());
        store.put_u32("dependency.0", vec![0, 0, 2]);
        assert!(Dependencies::read(&value, &store, &SIZES).is_err());
    }
}
