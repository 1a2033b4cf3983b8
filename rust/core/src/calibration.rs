//! From scores to p-values and flags.
//!
//! `p = (1 + #{cal >= s}) / (1 + n)` over calibration rows (conformal p-value; Bates et al. 2023, eq. 2).
//! A table screened against itself has rank shares instead, and a row stands out when the number of rows
//! times its tail probability is at most [`EXPECTED_FALSE`], under a generalised Pareto tail fitted to
//! the trimmed bulk: the answer can be "nothing".

use serde_json::{Value, json};

use crate::block::Block;
use crate::error::{Error, Result};
use crate::groups::{GroupKeys, Groups};
use crate::pareto::ParetoTail;
use crate::store::Store;
use crate::strata::Strata;

/// Rows expected to stand out in a table where nothing is odd.
pub const EXPECTED_FALSE: f64 = 0.05;

/// Which rows the calibration scores come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Held-out rows that took no part in anything else.
    HeldOut,
    /// Fewer than 500 rows: every row scored by a memory without its fold. Approximate.
    CrossFitted,
    /// The screened table itself: p-values are rank shares.
    OwnTable,
}

impl Source {
    pub fn name(self) -> &'static str {
        match self {
            Self::HeldOut => "held-out",
            Self::CrossFitted => "cross-fitted",
            Self::OwnTable => "self",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::HeldOut, Self::CrossFitted, Self::OwnTable].into_iter().find(|source| source.name() == name)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    pub source: Source,
    /// Ascending.
    scores: Vec<f64>,
    tail: ParetoTail,
    groups: Groups,
    /// Of each score, where the model has strata.
    strata: Vec<u8>,
}

/// The strata in the order of the scores.
fn in_order(scores: &[f64], strata: &[u8]) -> Vec<u8> {
    let mut pairs: Vec<(f64, u8)> = scores.iter().copied().zip(strata.iter().copied()).collect();
    pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    pairs.into_iter().map(|(_, stratum)| stratum).collect()
}

impl Calibration {
    pub fn fit(source: Source, mut scores: Vec<f64>) -> Self {
        scores.sort_unstable_by(f64::total_cmp);
        let tail = ParetoTail::fit_cautious(&scores).unwrap_or_else(|| ParetoTail::coarse(&scores));
        Self { source, scores, tail, groups: Groups::default(), strata: Vec::new() }
    }

    /// From the scores of these rows, with a calibration of its own for each group, or with the strata of the rows.
    pub fn of_rows(source: Source, scores: Vec<f64>, rows: &Block, keys: GroupKeys, strata: Option<&Strata>) -> Self {
        let groups = Groups::fit(keys, scores.iter().enumerate().map(|(row, &score)| (score, rows.c_row(row))));
        let strata = strata.map_or_else(Vec::new, |strata| in_order(&scores, &strata.of_rows(rows)));
        Self { groups, strata, ..Self::fit(source, scores) }
    }

    /// The calibration of another scorer by the same rows, in the same groups and strata.
    #[must_use]
    pub fn of_other(&self, scores: Vec<f64>, rows: &Block, strata: Option<&Strata>) -> Self {
        Self::of_rows(self.source, scores, rows, self.groups.keys().clone(), strata)
    }

    /// With the stratum of each row, where no block tells it; `scores` are those that it was fitted to.
    #[cfg(test)]
    pub(crate) fn in_strata(self, scores: &[f64], strata: &[u8]) -> Self {
        Self { strata: in_order(scores, strata), ..self }
    }

    /// Calibration rows of each group, the last the rows of no group of their own; empty without groups.
    pub fn group_sizes(&self) -> Vec<usize> {
        self.groups.scores.iter().map(Vec::len).collect()
    }

    /// n.
    pub fn rows(&self) -> usize {
        self.scores.len()
    }

    /// The stratum of each calibration row, in the order of their scores; empty where the model has no strata.
    pub fn strata(&self) -> &[u8] {
        &self.strata
    }

    /// How many calibration rows score less.
    pub fn place(&self, score: f64) -> usize {
        self.scores.partition_point(|&cal| cal < score)
    }

    /// The p-value of a row with this score and these codes, among the calibration rows of its group.
    pub fn p_value(&self, score: f64, c_c: &[u16]) -> f64 {
        let scores = self.groups.of(c_c).unwrap_or(&self.scores);
        let rank = scores.len() - scores.partition_point(|&cal| cal < score);
        (1 + rank) as f64 / (1 + scores.len()) as f64
    }

    /// The smallest score with a p-value up to the level, groups aside; None where no score has one.
    pub fn threshold(&self, level: f64) -> Option<f64> {
        let n = self.scores.len();
        // p = (1 + rank) / (1 + n): so many calibration rows may score as much.
        let most = (0..=n).rev().find(|rank| (1 + rank) as f64 / (1 + n) as f64 <= level)?;
        Some(if most == n { f64::NEG_INFINITY } else { self.scores[n - 1 - most].next_up() })
    }

    /// The level at which a fitted model flags unless told otherwise: `max(0.001, 1 / (1 + n))`, n of the smallest group of its
    /// own. The rest may be a few rows: they must not raise the level of all others, and are flagged where they can reach it.
    pub fn level(&self) -> f64 {
        let own = self.groups.scores.split_last().map_or(&[][..], |(_, own)| own);
        let fewest = own.iter().map(Vec::len).filter(|&n| n > 0).min().unwrap_or(self.scores.len());
        (1.0 / (1 + fewest) as f64).max(0.001)
    }

    /// Whether a row stands out among `rows` rows.
    pub fn stands_out(&self, score: f64, rows: u64) -> bool {
        self.tail.log_probability(score) + (rows as f64).ln() <= EXPECTED_FALSE.ln()
    }

    pub fn write(&self, store: &mut Store, prefix: &str) -> Value {
        store.put_f64(format!("{prefix}.scores"), self.scores.clone());
        let ParetoTail { start, log_share, scale, shape } = self.tail;
        store.put_f64(format!("{prefix}.tail"), vec![start, log_share, scale, shape]);
        let mut facts = json!({"source": self.source.name(), "rows": self.scores.len()});
        if let Some(groups) = self.groups.write(store, prefix) {
            facts["groups"] = groups;
        }
        if !self.strata.is_empty() {
            store.put_u8(format!("{prefix}.strata"), self.strata.clone());
            facts["strata"] = json!(true);
        }
        facts
    }

    /// `sizes`: codes per category of the block.
    pub fn read(value: &Value, store: &Store, prefix: &str, sizes: &[u16]) -> Result<Self> {
        let damaged = || Error::model_file("the calibration is damaged");
        let source = value["source"].as_str().and_then(Source::parse).ok_or_else(damaged)?;
        let rows = value["rows"].as_u64().and_then(|n| usize::try_from(n).ok()).ok_or_else(damaged)?;
        let scores = store.get_finite(&format!("{prefix}.scores"), rows)?.to_vec();
        let tail = store.get_finite(&format!("{prefix}.tail"), 4)?;
        let tail = ParetoTail { start: tail[0], log_share: tail[1], scale: tail[2], shape: tail[3] };
        let sane = tail.scale > 0.0 && tail.shape >= 0.0 && tail.log_share <= 0.0;
        if scores.is_empty() || !sane || scores.windows(2).any(|pair| pair[0] > pair[1]) {
            return Err(damaged());
        }
        let groups = Groups::read(&value["groups"], store, prefix, sizes, rows)?;
        let strata = match &value["strata"] {
            Value::Null => Vec::new(),
            Value::Bool(true) => store.get_u8(&format!("{prefix}.strata"))?.to_vec(),
            _ => return Err(damaged()),
        };
        Ok(Self { source, scores, tail, groups, strata })
    }

    /// What a file says of strata fits: each score has one of so many, or none has one where there are none.
    pub fn fits(&self, strata: usize) -> bool {
        let wanted = if strata == 0 { 0 } else { self.scores.len() };
        self.strata.len() == wanted && self.strata.iter().all(|&at| usize::from(at) < strata)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_count_the_calibration_rows_that_are_at_least_as_odd() {
        let calibration = Calibration::fit(Source::HeldOut, vec![3.0, 1.0, 2.0, 2.0]);
        assert_eq!(calibration.p_value(0.0, &[]), 1.0);
        assert_eq!(calibration.p_value(2.0, &[]), 4.0 / 5.0);
        assert_eq!(calibration.p_value(3.5, &[]), 1.0 / 5.0);
    }

    #[test]
    fn a_few_rows_of_no_group_do_not_raise_the_level_of_all() {
        let block =
            Block { rows: 502, numbers: 0, categories: 1, x: Vec::new(), c: [vec![2; 500], vec![3; 2]].concat() };
        let every: Vec<usize> = (0..502).collect();
        let keys = GroupKeys::of(vec![0], &block, &every, 502);
        let calibration = Calibration::of_rows(Source::HeldOut, vec![1.0; 502], &block, keys, None);
        assert_eq!(calibration.group_sizes(), vec![500, 2]);
        assert_eq!(calibration.level(), 1.0 / 501.0);
    }

    #[test]
    fn equal_scores_never_stand_out() {
        let calibration = Calibration::fit(Source::OwnTable, vec![1.0; 100]);
        assert!(!calibration.stands_out(1.0, 100));
    }
}
