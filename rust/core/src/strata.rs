//! Strata: parts of a table in which scores are alike, by which a changed mix of rows is told and weighed (`drift.rs`).
//!
//! A regression tree, grown best split first (Breiman et al. 1984, section 8), tells from an encoded row how odd rows like it
//! are: it predicts -ln p, p the share of rows that score as high. It looks at what scores depend on: one column that they
//! depend on is found among many, and a mix of anything else needs no weights. Categories split before numbers: they name
//! types of rows, which numbers cut across, leaving too few of each. It grows on rows that do not calibrate, so that calibration
//! rows stay exchangeable with fresh ones of their stratum.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde_json::{Value, json};

use crate::block::Block;
use crate::error::{Error, Result};
use crate::store::Store;

/// Strata at most.
pub const MOST: usize = 16;
/// Calibration rows of a stratum, by its share of the rows that the tree grows on.
const FEWEST: f64 = 50.0;
/// Rows behind a stratum: what a file says of it is of many rows.
const FEWEST_ROWS: usize = 25;
/// Rows with a code, for it to be told apart.
const FEWEST_OF_CODE: usize = 10;
/// What a split must explain, in variances: chance alone explains less at the best of some thousand places.
const ENOUGH: f64 = 20.0;

/// What moves a row to a stratum of its own.
#[derive(Debug, Clone, PartialEq)]
enum Test {
    /// The number is above the edge.
    Above { number: usize, edge: f32 },
    /// The category has one of these codes, ascending.
    Among { category: usize, codes: Vec<u16> },
}

impl Test {
    fn holds(&self, x_n: &[f32], c_c: &[u16]) -> bool {
        match self {
            Self::Above { number, edge } => x_n[*number] > *edge,
            Self::Among { category, codes } => codes.binary_search(&c_c[*category]).is_ok(),
        }
    }
}

/// Rows of a stratum that pass the test become the next stratum.
#[derive(Debug, Clone, PartialEq)]
struct Split {
    stratum: usize,
    test: Test,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Strata {
    splits: Vec<Split>,
}

/// A split that could be made, and what it explains.
#[derive(Debug, Clone)]
struct Cut {
    gain: f64,
    test: Test,
}

impl Cut {
    fn comes_before(&self, other: &Self) -> bool {
        let rank = |cut: &Self| (matches!(cut.test, Test::Among { .. }), cut.gain);
        rank(self) > rank(other)
    }
}

/// The cut that comes first, and the earlier of equals.
fn first<T>(cuts: impl Iterator<Item = (T, Cut)>) -> Option<(T, Cut)> {
    cuts.reduce(|best, cut| if cut.1.comes_before(&best.1) { cut } else { best })
}

impl Strata {
    /// From rows and their scores, for so many calibration rows; None where two strata cannot be told.
    pub fn fit(rows: &Block, scores: &[f64], calibration: usize) -> Option<Self> {
        let expected = (FEWEST / calibration.max(1) as f64 * rows.rows as f64).ceil() as usize;
        let growing = Growing { rows, odd: &oddities(scores), fewest: expected.max(FEWEST_ROWS) };
        let least = ENOUGH * variance(growing.odd);
        let mut leaves: Vec<Vec<usize>> = vec![(0..rows.rows).collect()];
        let mut cuts = vec![growing.best(&leaves[0], least)];
        let mut splits = Vec::new();
        while leaves.len() < MOST {
            let open = cuts.iter().enumerate().filter_map(|(leaf, cut)| Some((leaf, cut.clone()?)));
            let Some((leaf, Cut { test, .. })) = first(open) else { break };
            let moves = |row: &usize| test.holds(rows.x_row(*row), rows.c_row(*row));
            let (moved, left): (Vec<usize>, Vec<usize>) =
                std::mem::take(&mut leaves[leaf]).into_iter().partition(moves);
            cuts[leaf] = growing.best(&left, least);
            cuts.push(growing.best(&moved, least));
            leaves[leaf] = left;
            leaves.push(moved);
            splits.push(Split { stratum: leaf, test });
        }
        (!splits.is_empty()).then_some(Self { splits })
    }

    /// How many there are, two at least.
    pub fn count(&self) -> usize {
        self.splits.len() + 1
    }

    /// That of an encoded row.
    pub fn of(&self, x_n: &[f32], c_c: &[u16]) -> u8 {
        let mut at = 0;
        for (next, split) in (1..).zip(&self.splits) {
            if split.stratum == at && split.test.holds(x_n, c_c) {
                at = next;
            }
        }
        at as u8
    }

    /// Those of all rows of a block.
    pub fn of_rows(&self, rows: &Block) -> Vec<u8> {
        (0..rows.rows).map(|row| self.of(rows.x_row(row), rows.c_row(row))).collect()
    }

    pub fn write(&self, store: &mut Store) -> Value {
        let (mut edges, mut all_codes) = (Vec::new(), Vec::new());
        let splits = self.splits.iter().map(|Split { stratum, test }| match test {
            Test::Above { number, edge } => {
                edges.push(*edge);
                json!({"stratum": stratum, "number": number})
            }
            Test::Among { category, codes } => {
                all_codes.extend_from_slice(codes);
                json!({"stratum": stratum, "category": category, "codes": codes.len()})
            }
        });
        let splits: Vec<Value> = splits.collect();
        store.put_f32("strata.edges", &[edges.len()], edges);
        store.put_u16("strata.codes", &[all_codes.len()], all_codes);
        Value::Array(splits)
    }

    /// `numbers` and codes per category (`sizes`) of the block.
    pub fn read(value: &Value, store: &Store, numbers: usize, sizes: &[u16]) -> Result<Option<Self>> {
        if value.is_null() {
            return Ok(None);
        }
        let damaged = || Error::model_file("the manifest's `strata` are damaged");
        let listed = value.as_array().filter(|all| (1..MOST).contains(&all.len())).ok_or_else(damaged)?;
        let of = |split: &Value, name: &str, below: usize| {
            split[name].as_u64().and_then(|n| usize::try_from(n).ok()).filter(|&n| n < below)
        };
        let count = listed.iter().filter(|split| split["category"].is_null()).count();
        let mut edges = store.get_weights("strata.edges", &[count])?.into_iter();
        let lengths = listed.iter().filter(|split| !split["category"].is_null());
        let lengths: Option<Vec<usize>> = lengths.map(|split| of(split, "codes", usize::from(u16::MAX))).collect();
        let mut codes = store.get_u16("strata.codes", &[lengths.ok_or_else(damaged)?.iter().sum()])?;
        let mut splits = Vec::with_capacity(listed.len());
        for (place, split) in listed.iter().enumerate() {
            let stratum = of(split, "stratum", place + 1).ok_or_else(damaged)?;
            let test = if split["category"].is_null() {
                let number = of(split, "number", numbers).ok_or_else(damaged)?;
                Test::Above { number, edge: edges.next().ok_or_else(damaged)? }
            } else {
                let category = of(split, "category", sizes.len()).ok_or_else(damaged)?;
                let length = of(split, "codes", codes.len() + 1).ok_or_else(damaged)?;
                let (own, more) = codes.split_at(length);
                codes = more;
                let last = own.last().ok_or_else(damaged)?;
                if *last >= sizes[category] || own.windows(2).any(|pair| pair[0] >= pair[1]) {
                    return Err(damaged());
                }
                Test::Among { category, codes: own.to_vec() }
            };
            splits.push(Split { stratum, test });
        }
        Ok(Some(Self { splits }))
    }
}

/// -ln of the share of rows that score as high, of each row.
fn oddities(scores: &[f64]) -> Vec<f64> {
    let mut sorted = scores.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let n = scores.len();
    let share = |&score: &f64| (n - sorted.partition_point(|&other| other < score)) as f64 / n as f64;
    scores.iter().map(|score| -share(score).ln()).collect()
}

fn variance(values: &[f64]) -> f64 {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n
}

/// Sum and number of some rows' oddities.
#[derive(Clone, Copy, Default)]
struct Part {
    sum: f64,
    rows: usize,
}

impl Part {
    fn plus(self, sum: f64, rows: usize) -> Self {
        Self { sum: self.sum + sum, rows: self.rows + rows }
    }

    fn less(self, other: Self) -> Self {
        Self { sum: self.sum - other.sum, rows: self.rows - other.rows }
    }

    fn square(self) -> f64 {
        self.sum * self.sum / self.rows.max(1) as f64
    }
}

struct Growing<'a> {
    rows: &'a Block,
    odd: &'a [f64],
    /// Rows of a stratum.
    fewest: usize,
}

impl Growing<'_> {
    /// The split of these rows that comes first. None where none explains enough.
    fn best(&self, leaf: &[usize], least: f64) -> Option<Cut> {
        if least <= 0.0 || leaf.len() < 2 * self.fewest {
            return None;
        }
        let numbers = self.rows.numbers;
        let cuts: Vec<Option<Cut>> = (0..numbers + self.rows.categories)
            .into_par_iter()
            .map(|at| if at < numbers { self.by_number(leaf, at) } else { self.by_category(leaf, at - numbers, least) })
            .collect();
        let enough = cuts.into_iter().flatten().filter(|cut| cut.gain >= least);
        Some(first(enough.map(|cut| ((), cut)))?.1)
    }

    fn whole(&self, leaf: &[usize]) -> Part {
        leaf.iter().fold(Part::default(), |part, &row| part.plus(self.odd[row], 1))
    }

    /// What it explains that `part` of `whole` is told apart, if both sides are large enough.
    fn gain(&self, part: Part, whole: Part) -> Option<f64> {
        let rest = whole.less(part);
        let large = part.rows >= self.fewest && rest.rows >= self.fewest;
        large.then(|| part.square() + rest.square() - whole.square())
    }

    fn by_number(&self, leaf: &[usize], number: usize) -> Option<Cut> {
        let value = |row: usize| self.rows.x_row(row)[number];
        let mut order = leaf.to_vec();
        order.sort_unstable_by(|&a, &b| value(a).total_cmp(&value(b)).then(a.cmp(&b)));
        let (whole, mut below) = (self.whole(leaf), Part::default());
        let mut best: Option<Cut> = None;
        for pair in order.windows(2) {
            below = below.plus(self.odd[pair[0]], 1);
            let (low, high) = (value(pair[0]), value(pair[1]));
            if low < high
                && let Some(gain) = self.gain(below, whole)
                && best.as_ref().is_none_or(|best| gain > best.gain)
            {
                let middle = f32::midpoint(low, high);
                let edge = if middle < high { middle } else { low };
                best = Some(Cut { gain, test: Test::Above { number, edge } });
            }
        }
        best
    }

    /// The least odd or the oddest codes apart from all others: among the sets of codes one of these is best (Breiman et al.
    /// 1984, theorem 4.5). The order of m codes by chance explains up to m variances, which do not count.
    fn by_category(&self, leaf: &[usize], category: usize, least: f64) -> Option<Cut> {
        let mut parts: BTreeMap<u16, Part> = BTreeMap::new();
        for &row in leaf {
            let part = parts.entry(self.rows.c_row(row)[category]).or_default();
            *part = part.plus(self.odd[row], 1);
        }
        let whole = self.whole(leaf);
        let mut told: Vec<(u16, Part)> = parts.into_iter().filter(|(_, part)| part.rows >= FEWEST_OF_CODE).collect();
        let mean = |part: &Part| part.sum / part.rows as f64;
        told.sort_by(|(a, of_a), (b, of_b)| mean(of_a).total_cmp(&mean(of_b)).then(a.cmp(b)));
        let chance = told.len() as f64 * least / ENOUGH;
        let mut best: Option<Cut> = None;
        for at in 1..=told.len() {
            for moved in [&told[..at], &told[at..]] {
                let part = moved.iter().fold(Part::default(), |sum, (_, part)| sum.plus(part.sum, part.rows));
                let Some(gain) = self.gain(part, whole).map(|gain| gain - chance) else { continue };
                if best.as_ref().is_none_or(|best| gain > best.gain) {
                    let mut codes: Vec<u16> = moved.iter().map(|(code, _)| *code).collect();
                    codes.sort_unstable();
                    best = Some(Cut { gain, test: Test::Among { category, codes } });
                }
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number and a category; the score is the number, ten times as large where the code is 3.
    fn table(rows: usize) -> (Block, Vec<f64>) {
        let x: Vec<f32> = (0..rows).map(|row| (row * 37 % 101) as f32).collect();
        let c: Vec<u16> = (0..rows).map(|row| if row % 4 == 0 { 3 } else { 2 }).collect();
        let scores = x.iter().zip(&c).map(|(&x, &c)| f64::from(x) + if c == 3 { 1000.0 } else { 0.0 }).collect();
        (Block { rows, numbers: 1, categories: 1, x, c }, scores)
    }

    #[test]
    fn the_column_that_tells_most_of_the_score_splits_first() {
        let (block, scores) = table(400);
        let strata = Strata::fit(&block, &scores, 200).unwrap();
        assert_eq!(strata.splits[0], Split { stratum: 0, test: Test::Among { category: 0, codes: vec![3] } });
        assert_eq!(strata.of(&[50.0], &[7]), strata.of(&[50.0], &[2]));
    }

    #[test]
    fn a_stratum_is_expected_to_have_50_calibration_rows() {
        let (block, scores) = table(400);
        assert_eq!(Strata::fit(&block, &scores, 99), None);
        for calibration in [100, 200, 10_000] {
            let Some(strata) = Strata::fit(&block, &scores, calibration) else { continue };
            let mut rows = vec![0.0; strata.count()];
            strata.of_rows(&block).into_iter().for_each(|at| rows[usize::from(at)] += 1.0);
            let fewest = rows.into_iter().fold(f64::INFINITY, f64::min);
            assert!(fewest * calibration as f64 / 400.0 >= FEWEST && fewest >= FEWEST_ROWS as f64);
            assert!(strata.count() <= MOST);
        }
    }

    #[test]
    fn equal_scores_and_scores_by_chance_have_no_strata() {
        let (block, _) = table(400);
        assert_eq!(Strata::fit(&block, &[1.0; 400], 10_000), None);
        let chance: Vec<f64> = (0..400_u64).map(|row| (row.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f64).collect();
        assert_eq!(Strata::fit(&block, &chance, 10_000), None);
    }
}
