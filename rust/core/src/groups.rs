//! Groups of rows with a calibration of their own: Mondrian conformal p-values (Vovk et al. 2005, section 4.5).
//!
//! A group is a combination of values of the context columns that are categories. Which combinations are one is decided by
//! training rows, so that calibration rows stay exchangeable with fresh ones of their group. All others are one group together.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::block::Block;
use crate::error::{Error, Result};
use crate::store::Store;

/// A group has so many calibration rows, by its share of the training rows; fewer could hardly flag anything.
const FEWEST: f64 = 200.0;
/// A file may hold so many groups.
const MOST: usize = 1 << 16;

/// What tells the groups.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GroupKeys {
    /// Categories of the block.
    categories: Vec<usize>,
    /// Codes of each group, ascending.
    keys: Vec<Vec<u16>>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Groups {
    keys: GroupKeys,
    /// Calibration scores of each group, ascending, then of all other rows; empty where there are no groups.
    pub(crate) scores: Vec<Vec<f64>>,
}

impl GroupKeys {
    /// Groups of the training rows `rows` that are common enough for `calibration` calibration rows.
    pub fn of(categories: Vec<usize>, training: &Block, rows: &[usize], calibration: usize) -> Self {
        let mut counts: BTreeMap<Vec<u16>, usize> = BTreeMap::new();
        for &row in rows {
            *counts.entry(key(&categories, training.c_row(row))).or_default() += 1;
        }
        let expected = |count: usize| count as f64 / rows.len().max(1) as f64 * calibration as f64;
        let keys = counts.into_iter().filter(|&(_, count)| expected(count) >= FEWEST).map(|(key, _)| key).collect();
        Self { categories, keys }
    }

    /// Some rows have a group of their own.
    pub fn tell_apart(&self) -> bool {
        !self.categories.is_empty() && !self.keys.is_empty()
    }

    fn place(&self, c_c: &[u16]) -> usize {
        self.keys.binary_search(&key(&self.categories, c_c)).unwrap_or(self.keys.len())
    }
}

fn key(categories: &[usize], c_c: &[u16]) -> Vec<u16> {
    categories.iter().map(|&category| c_c[category]).collect()
}

impl Groups {
    pub fn fit<'a>(keys: GroupKeys, rows: impl Iterator<Item = (f64, &'a [u16])>) -> Self {
        if !keys.tell_apart() {
            return Self::default();
        }
        let mut scores = vec![Vec::new(); keys.keys.len() + 1];
        for (score, c_c) in rows {
            scores[keys.place(c_c)].push(score);
        }
        scores.iter_mut().for_each(|group| group.sort_unstable_by(f64::total_cmp));
        Self { keys, scores }
    }

    pub fn keys(&self) -> &GroupKeys {
        &self.keys
    }

    /// The calibration scores that a row is compared with; None without groups. A group that no calibration row
    /// fell into says nothing: its rows have p-value 1.
    pub fn of(&self, c_c: &[u16]) -> Option<&Vec<f64>> {
        if self.scores.is_empty() { None } else { self.scores.get(self.keys.place(c_c)) }
    }

    pub fn write(&self, store: &mut Store, prefix: &str) -> Option<Value> {
        if self.scores.is_empty() {
            return None;
        }
        store.put_u16(
            format!("{prefix}.groups"),
            &[self.keys.keys.len(), self.keys.categories.len()],
            self.keys.keys.concat(),
        );
        store.put_f64(format!("{prefix}.groups.scores"), self.scores.concat());
        let sizes: Vec<usize> = self.scores.iter().map(Vec::len).collect();
        Some(json!({"categories": self.keys.categories, "sizes": sizes}))
    }

    /// `codes` per category of the block; `rows` calibration rows.
    pub fn read(value: &Value, store: &Store, prefix: &str, codes: &[u16], rows: usize) -> Result<Self> {
        if value.is_null() {
            return Ok(Self::default());
        }
        let damaged = || Error::model_file("the groups of the calibration are damaged");
        let list = |name: &str| -> Option<Vec<usize>> {
            let list = value[name].as_array().filter(|list| list.len() <= MOST)?;
            list.iter().map(|n| n.as_u64().and_then(|n| usize::try_from(n).ok())).collect()
        };
        let categories = list("categories").filter(|all| !all.is_empty() && all.iter().all(|&c| c < codes.len()));
        let categories = categories.ok_or_else(damaged)?;
        let sizes = list("sizes").filter(|sizes| sizes.len() > 1).ok_or_else(damaged)?;
        let total = sizes.iter().try_fold(0_usize, |sum, &size| sum.checked_add(size));
        if total != Some(rows) {
            return Err(damaged());
        }
        let flat = store.get_u16(&format!("{prefix}.groups"), &[sizes.len() - 1, categories.len()])?;
        let keys: Vec<Vec<u16>> = flat.chunks_exact(categories.len()).map(<[u16]>::to_vec).collect();
        let mut rest = store.get_finite(&format!("{prefix}.groups.scores"), rows)?;
        let mut scores = Vec::with_capacity(sizes.len());
        for &size in &sizes {
            let (own, more) = rest.split_at(size);
            scores.push(own.to_vec());
            rest = more;
        }
        let ordered = scores.iter().all(|group| group.windows(2).all(|pair| pair[0] <= pair[1]));
        if !ordered || keys.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(damaged());
        }
        Ok(Self { keys: GroupKeys { categories, keys }, scores })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(codes: &[u16]) -> Block {
        Block { rows: codes.len(), numbers: 0, categories: 1, x: Vec::new(), c: codes.to_vec() }
    }

    #[test]
    fn a_group_needs_200_calibration_rows_by_its_share_of_the_training_rows() {
        let training = block(&[vec![2; 80], vec![3; 15], vec![4; 5]].concat());
        let rows: Vec<usize> = (0..100).collect();
        assert_eq!(GroupKeys::of(vec![0], &training, &rows, 2_000).keys, vec![vec![2], vec![3]]);
        assert_eq!(GroupKeys::of(vec![0], &training, &rows, 1_000).keys, vec![vec![2]]);
        assert!(!GroupKeys::of(vec![0], &training, &rows, 200).tell_apart());
    }

    #[test]
    fn a_row_is_compared_with_its_own_group_and_others_with_the_rest() {
        let keys = GroupKeys { categories: vec![0], keys: vec![vec![2]] };
        let rows = [(3.0, [2_u16]), (1.0, [2]), (9.0, [7]), (8.0, [3])];
        let groups = Groups::fit(keys, rows.iter().map(|(score, codes)| (*score, codes.as_slice())));
        assert_eq!(groups.of(&[2]), Some(&vec![1.0, 3.0]));
        assert_eq!(groups.of(&[4]), Some(&vec![8.0, 9.0]));
        assert_eq!(Groups::default().of(&[4]), None);
    }
}
