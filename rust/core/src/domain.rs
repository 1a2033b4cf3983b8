//! What the columns of a table hold, and nothing else does: bounds of numbers, closed sets of codes (domain constraints: Date 2003,
//! An Introduction to Database Systems, chapter 9).
//!
//! Where columns are many or hang together, one cell that is out of this world does not make a row odd: what is rare in any one of
//! fifty columns is not rare. A bound is where less than one table in twenty of as many rows that are all right would have a value
//! beyond it, by a generalised Pareto tail of the column's own values (`pareto`) without the uppermost twentieth, which may be odd; where that leaves
//! one row in 200 beyond it, with them. Of rows that are known to be normal no value is beyond it. A row beyond a bound is raised by ln(20 (n + 1)), n rows.
//!
//! A code that no row has is told by how many are expected, of n rows, to have one of those. Where each code that occurs has ten
//! rows or more that is a twentieth, as for bounds: what occurs was then seen often. Else it is one more than the codes that occur once
//! (Good 1953; Turing). A null in a column without is told by itself, and is a twentieth. A row with a code that e rows are
//! expected to have is raised by ln((n + 1) / (K e)), K sets of codes of which as many are expected, or one or more; where there are not two hundred rows for each
//! of K e it is not. A row that is raised by more than ln(n + 1) stands out in a table that is screened.
//!
//! A value that does not go with that of another column (`dependencies`) is told like one beyond a bound.
//!
//! Context is not judged. What is missing is within all bounds: that it is missing is a code.

use rayon::prelude::*;
use serde_json::{Value, json};

use crate::block::{Block, FIRST_VALUE, Feature, MISSING, NAN, PRESENT, Part, Slot};
use crate::codec::scale::{LIMIT, Scale};
use crate::dependencies::{Dependencies, Wrong};
use crate::error::{Error, Result};
use crate::pareto::ParetoTail;
use crate::store::Store;

/// Fewer rows than this know no bounds.
const FEWEST_ROWS: usize = 500;
/// Each code of a closed set has so many rows.
const ROWS_OF_A_CODE: u64 = 10;
/// What more than one row in so many has beyond a bound belongs to the table: the bound is told with it.
const COMMON: usize = 200;
/// Texts that are no dates, in all or one of so many rows, are mistakes.
const MISTAKES: u64 = 3;
const ROWS_OF_A_MISTAKE: u64 = 200;
/// Rows for each that is expected to have a code of an open set, or it says nothing.
const ROWS_OF_ONE: f64 = 200.0;
/// Tables whose rows are all right, of which one holds a value beyond a bound, or a code out of a closed set.
const TABLES: f64 = 20.0;
/// No more than this is read.
const MOST_NATS: f32 = 100.0;
/// The ends of every scale.
const UNBOUNDED: (f32, f32) = (-LIMIT as f32, LIMIT as f32);
/// From what a block holds to standard deviations, and back.
const STANDARD: Scale = Scale { mean: 0.0, std: 1.0 };

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Domain {
    rows: u64,
    /// Per number, on its codec's scale [N]; what is not bounded has the ends of the scale.
    low: Vec<f32>,
    high: Vec<f32>,
    /// Per category column and code: what it adds to a score, in nats; 0 of those that occur, and of open sets.
    strange: Vec<Vec<f32>>,
    dependencies: Dependencies,
}

/// What is known of the rows of a fit.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// They are normal.
    pub normal: bool,
    /// They are some of many, all of which the codecs have counted: a value that the codecs know is no new one.
    pub sampled: bool,
    /// Values that go by others are looked for.
    pub dependencies: bool,
}

impl Domain {
    /// Of rows; nothing of few.
    pub fn fit(rows: &Block, features: &[Feature], of: Origin) -> Self {
        if rows.rows < FEWEST_ROWS {
            return Self::default();
        }
        let mut dependencies =
            if of.dependencies { Dependencies::find(rows, features) } else { Dependencies::default() };
        if of.normal {
            dependencies.allow(rows);
        }
        Self { dependencies, ..Self::of_any(rows, features, of) }
    }

    /// The same of however few rows: what others are widened by.
    pub fn of_any(rows: &Block, features: &[Feature], of: Origin) -> Self {
        let numbers = || features.iter().filter(|feature| matches!(feature.slot, Slot::Number { .. }));
        let sides = 2 * numbers().filter(|feature| is_bounded(feature)).count();
        let chance = -(TABLES * (sides * rows.rows) as f64).ln();
        let bounds: Vec<(f32, f32)> = numbers()
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|feature| match feature.slot {
                Slot::Number { dim, status } if is_bounded(feature) => bounds(rows, (dim, status), of.normal, chance),
                _ => UNBOUNDED,
            })
            .collect();
        let categories = features.iter().filter_map(|feature| match feature.slot {
            Slot::Category { index, size } => {
                let dated = features.iter().any(|one| one.column == feature.column && one.part == Part::Position);
                Some((sets(rows, index, (feature, size), (of.sampled, dated)), size))
            }
            Slot::Number { .. } => None,
        });
        let (sets, sizes): (Vec<Vec<Set>>, Vec<u16>) = categories.unzip();
        let (low, high) = bounds.into_iter().unzip();
        let strange = told(&sets, rows, &sizes);
        let domain = Self { rows: rows.rows as u64, low, high, strange, ..Self::default() };
        if of.normal { domain.holding(rows) } else { domain }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The same, with all that these rows have within.
    #[must_use]
    pub fn holding(mut self, rows: &Block) -> Self {
        for row in 0..rows.rows {
            for (x, (low, high)) in rows.x_row(row).iter().zip(self.low.iter_mut().zip(&mut self.high)) {
                (*low, *high) = (low.min(*x), high.max(*x));
            }
        }
        self.open(rows);
        self.dependencies.allow(rows);
        self
    }

    /// After an update by further rows, and the domain of these alone: bounds are the wider ones.
    #[must_use]
    pub fn widened(mut self, rows: &Block, fresh: &Self) -> Self {
        self.low.iter_mut().zip(&fresh.low).for_each(|(low, &fresh)| *low = low.min(fresh));
        self.high.iter_mut().zip(&fresh.high).for_each(|(high, &fresh)| *high = high.max(fresh));
        self.rows += if self.rows > 0 { rows.rows as u64 } else { 0 };
        self.open(rows);
        self.dependencies.widen(rows);
        self
    }

    /// A set of which these rows have a code says nothing any more.
    fn open(&mut self, rows: &Block) {
        for (category, codes) in self.strange.iter_mut().enumerate() {
            let occurs = |missing: bool| {
                let found = (0..rows.rows).map(|row| rows.c_row(row)[category]);
                found.filter(|&code| (code == MISSING) == missing).any(|code| nats(codes, code) > 0.0)
            };
            let (of_gap, of_values) = (occurs(true), occurs(false));
            for (code, nats) in codes.iter_mut().enumerate() {
                if if code == usize::from(MISSING) { of_gap } else { of_values } {
                    *nats = 0.0;
                }
            }
        }
    }

    /// What a row's cells that are out of it add to its score, in nats: the rarest of them, once a row.
    pub fn evidence(&self, x_n: &[f32], c_c: &[u16]) -> f64 {
        let ends = self.low.iter().zip(&self.high);
        let beyond = x_n.iter().zip(ends).fold(false, |any, (x, (low, high))| any | (x < low) | (x > high));
        if beyond || self.dependencies.are_broken(c_c) {
            return (TABLES * (self.rows + 1) as f64).ln();
        }
        f64::from(self.strange.iter().zip(c_c).map(|(codes, &code)| nats(codes, code)).fold(0.0, f32::max))
    }

    /// The features of a row that are out of it, as numbers and then categories are counted.
    pub fn lacking(&self, x_n: &[f32], c_c: &[u16]) -> Vec<usize> {
        let bounds = self.low.iter().zip(&self.high);
        let beyond = x_n.iter().zip(bounds).enumerate().filter(|(_, (x, (low, high)))| x < low || x > high);
        let strange = self.strange.iter().zip(c_c).enumerate().filter(|(_, (codes, code))| nats(codes, **code) > 0.0);
        let strange = strange.map(|(category, _)| x_n.len() + category);
        let mut found: Vec<usize> = beyond.map(|(number, _)| number).chain(strange).collect();
        for wrong in self.dependencies.wrong(c_c) {
            if !found.contains(&(x_n.len() + wrong.category)) {
                found.push(x_n.len() + wrong.category);
            }
        }
        found
    }

    /// Values that go by those of other columns.
    pub fn dependencies(&self) -> &Dependencies {
        &self.dependencies
    }

    /// The cell of a category that does not go with that of another one, if it is the likelier one to be wrong.
    pub fn wrong(&self, category: usize, c_c: &[u16]) -> Option<Wrong> {
        self.dependencies.wrong(c_c).into_iter().find(|wrong| wrong.category == category)
    }

    /// Whether a feature has a bound, and whether it has codes that are odd by themselves.
    pub fn watches(&self, feature: &Feature) -> (bool, bool) {
        match feature.slot {
            Slot::Number { dim, .. } => {
                let of = |ends: &[f32], open: f32| ends.get(dim).is_some_and(|end| *end != open);
                (of(&self.low, UNBOUNDED.0) || of(&self.high, UNBOUNDED.1), false)
            }
            Slot::Category { index, .. } => {
                (false, self.strange.get(index).is_some_and(|codes| codes.iter().any(|nats| *nats > 0.0)))
            }
        }
    }

    /// Whether less than one row in a table like that of the fit has what this one has.
    pub fn stands_out(&self, x_n: &[f32], c_c: &[u16]) -> bool {
        self.evidence(x_n, c_c) > ((self.rows + 1) as f64).ln()
    }

    pub fn write(&self, store: &mut Store) -> Value {
        if self.rows == 0 {
            return Value::Null;
        }
        store.put_f32("domain.low", &[self.low.len()], self.low.clone());
        store.put_f32("domain.high", &[self.high.len()], self.high.clone());
        let strange: Vec<f32> = self.strange.iter().flatten().copied().collect();
        store.put_f32("domain.strange", &[strange.len()], strange);
        let mut facts = json!({"rows": self.rows});
        if self.dependencies.iter().next().is_some() {
            facts["dependencies"] = self.dependencies.write(store);
        }
        facts
    }

    /// `sizes`: codes of each category column.
    pub fn read(value: &Value, store: &Store, numbers: usize, sizes: &[u16]) -> Result<Self> {
        if value.is_null() {
            return Ok(Self::default());
        }
        let damaged = || Error::model_file("the manifest's `domain` is damaged");
        let rows = value["rows"].as_u64().filter(|&rows| rows < 1 << 53).ok_or_else(damaged)?;
        let (low, high) = (store.get_f32("domain.low", &[numbers])?, store.get_f32("domain.high", &[numbers])?);
        let ordered =
            |(low, high): (&f32, &f32)| (UNBOUNDED.0..=0.0).contains(low) && (0.0..=UNBOUNDED.1).contains(high);
        if !low.iter().zip(high).all(ordered) {
            return Err(damaged());
        }
        let total = sizes.iter().map(|&size| usize::from(size)).sum();
        let mut flat = store.get_f32("domain.strange", &[total])?;
        if !flat.iter().all(|nats| (0.0..=MOST_NATS).contains(nats)) {
            return Err(damaged());
        }
        let strange = sizes.iter().map(|&size| {
            let (own, rest) = flat.split_at(usize::from(size));
            flat = rest;
            own.to_vec()
        });
        let dependencies = Dependencies::read(&value["dependencies"], store, sizes)?;
        Ok(Self { rows, low: low.to_vec(), high: high.to_vec(), strange: strange.collect(), dependencies })
    }
}

fn is_bounded(feature: &Feature) -> bool {
    feature.part == Part::Value && !feature.given
}

/// Codes that no row has, and how many of as many rows are expected to have one of them.
struct Set {
    codes: Vec<usize>,
    expected: f64,
}

/// The sets of a category: what it may be, and that it may be missing. The time of day, week and year is no set of values. A text
/// that is no date among dates is a mistake, and few of them are no more.
fn sets(rows: &Block, category: usize, (feature, size): (&Feature, u16), (sampled, dated): (bool, bool)) -> Vec<Set> {
    if feature.given || !matches!(feature.part, Part::Value | Part::Status | Part::Shape) {
        return Vec::new();
    }
    let mut counts = vec![0_u64; usize::from(size)];
    (0..rows.rows).for_each(|row| counts[usize::from(rows.c_row(row)[category])] += 1);
    if dated && feature.part == Part::Status {
        let unreadable = &mut counts[usize::from(NAN)];
        *unreadable = if *unreadable > MISTAKES.max(rows.rows as u64 / ROWS_OF_A_MISTAKE) { *unreadable } else { 0 };
    }
    let gap = usize::from(MISSING);
    // The codes of a status are one set: whether a number is there.
    let apart = feature.part != Part::Status && counts[gap] == 0;
    let values: Vec<usize> = (0..counts.len()).filter(|&code| !(apart && code == gap)).collect();
    let is_known = |code: usize| sampled && feature.part == Part::Value && code >= usize::from(FIRST_VALUE);
    let is_rare = |code: usize| counts[code] < ROWS_OF_A_CODE && (counts[code] > 0 || is_known(code));
    let rare = values.iter().any(|&code| is_rare(code));
    let singles = values.iter().filter(|&&code| counts[code] == 1).count();
    let of_values = Set {
        expected: if rare { (singles + 1) as f64 } else { 1.0 / TABLES },
        codes: values.into_iter().filter(|&code| counts[code] == 0 && !is_known(code)).collect(),
    };
    let of_gaps = Set { codes: if apart { vec![gap] } else { Vec::new() }, expected: 1.0 / TABLES };
    [of_values, of_gaps].into_iter().filter(|set| !set.codes.is_empty()).collect()
}

impl Set {
    fn is_open(&self) -> bool {
        self.expected >= 1.0
    }
}

/// What each code adds to a score.
fn told(sets: &[Vec<Set>], rows: &Block, sizes: &[u16]) -> Vec<Vec<f32>> {
    let n = rows.rows as f64;
    let count = |open: bool| sets.iter().flatten().filter(|set| set.is_open() == open).count() as f64;
    let counts = [count(false), count(true)];
    sets.iter()
        .zip(sizes)
        .map(|(own, &size)| {
            let mut nats = vec![0.0; usize::from(size)];
            for set in own {
                let expected = counts[usize::from(set.is_open())] * set.expected;
                if !set.is_open() || n >= ROWS_OF_ONE * expected {
                    set.codes.iter().for_each(|&code| nats[code] = ((n + 1.0) / expected).ln().max(0.0) as f32);
                }
            }
            nats
        })
        .collect()
}

fn nats(codes: &[f32], code: u16) -> f32 {
    codes.get(usize::from(code)).copied().unwrap_or(0.0)
}

/// Of a number that is there, on its codec's scale.
fn bounds(rows: &Block, (dim, status): (usize, usize), normal: bool, chance: f64) -> (f32, f32) {
    let there = (0..rows.rows).filter(|&row| rows.c_row(row)[status] == PRESENT);
    // Tails are told in standard deviations, or in those of the logarithm: the block has the logarithm of what is far out.
    let mut values: Vec<f64> = there.map(|row| STANDARD.invert(rows.x_row(row)[dim])).collect();
    values.sort_unstable_by(f64::total_cmp);
    let high = bound(&values, normal, chance);
    values.iter_mut().for_each(|value| *value = -*value);
    values.reverse();
    let low = bound(&values, normal, chance);
    (-STANDARD.apply(low), STANDARD.apply(high))
}

/// The value that one beyond it has this log probability, in the direction in which values ascend.
fn bound(ascending: &[f64], normal: bool, chance: f64) -> f64 {
    let of_tail = |whole| ParetoTail::fit_values(ascending, whole).map_or(f64::INFINITY, |tail| tail.value_at(chance));
    let bound = of_tail(normal).max(0.0);
    let beyond = ascending.len() - ascending.partition_point(|value| *value <= bound);
    if beyond * COMMON > ascending.len() { of_tail(true).max(bound) } else { bound }
}
