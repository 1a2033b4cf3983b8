//! p-values where the mix of rows has changed since the fit, and which rows a false discovery rate selects.
//!
//! With `q_k` the share of a stratum's rows in the table, `n_k` its calibration rows and `a_k = q_k / n_k`:
//! `p = sum_i a_(k_i) [cal_i >= s] + a_k` of a row with score s in stratum k. Weighted conformal p-values (Tibshirani et al. 2019)
//! also divide by `1 + a_k`, which holds for the true ratio of shares; the sum alone holds for the counted one. Of any one row
//! drawn from the table, `P(p <= t) <= t` given all strata: exchange the row with calibration row i of its stratum; then p is at
//! least `sum_j a_(k_j) [cal_j >= cal_i]` before the exchange, which is at most t for calibration rows of weight t in all.
//! Where a share e of the table are anomalies, the normal rows' shares are counted with theirs: `P <= t / (1 - e)`.

use xxhash_rust::xxh3::xxh3_64;

use crate::calibration::{Calibration, Source};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::strata::Strata;

/// A table's rows by strata, against the calibration rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// Rows of the table in each stratum.
    rows: Vec<u64>,
    /// Calibration rows of each stratum.
    sizes: Vec<u64>,
    /// `a_k`; infinite without calibration rows.
    weights: Vec<f64>,
    /// Weight of the calibration rows from each place on, in the order of their scores.
    tail: Vec<f64>,
}

/// Which rows are flagged at a false discovery rate.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// Rows of each stratum up to which p-value; 0 for none.
    pub levels: Vec<f64>,
    /// Rows that were selected before pruning.
    pub passed: u64,
}

/// Rows of a table by stratum and by how many calibration rows score less.
#[derive(Debug, Clone, PartialEq)]
pub struct Cells {
    places: usize,
    rows: Vec<u64>,
}

impl Cells {
    pub fn new(strata: usize, calibration: &Calibration) -> Self {
        let places = calibration.rows() + 1;
        Self { places, rows: vec![0; strata * places] }
    }

    pub fn count(&mut self, stratum: u8, place: usize) {
        self.rows[usize::from(stratum) * self.places + place] += 1;
    }

    pub fn strata(&self) -> Vec<u64> {
        self.rows.chunks(self.places).map(|own| own.iter().sum()).collect()
    }

    /// A number in (0, 1) that depends on all counts.
    fn uniform(&self) -> f64 {
        let bytes: Vec<u8> = self.rows.iter().flat_map(|count| count.to_le_bytes()).collect();
        ((xxh3_64(&bytes) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }
}

impl Model {
    /// Refused where p-values cannot be weighed.
    pub fn need_strata(&self) -> Result<&Strata> {
        if let Some(strata) = &self.strata {
            return Ok(strata);
        }
        let (message, hint) = match self.calibration().source {
            Source::OwnTable => (
                "drift is told by rows that were held out, and the model held none out",
                "fit a model on other rows first (tabad fit OTHER -o m.tabad, without --all-rows)",
            ),
            Source::CrossFitted => (
                "the model was fitted on fewer than 500 rows, too few to weigh for drift",
                "fit on more rows, or leave out --drift",
            ),
            Source::HeldOut if !self.calibration().group_sizes().is_empty() => (
                "the model compares rows within groups of its given columns, and weighs none",
                "leave out --drift (how common a group is changes none of its p-values), or fit without --given",
            ),
            Source::HeldOut => (
                "the calibration rows are too few, or their scores too alike, for two strata of 50",
                "fit on more rows, or leave out --drift",
            ),
        };
        Err(Error::usage("drift-unfit", message).hint(hint))
    }

    /// For a table with so many rows in each stratum.
    pub fn drift(&self, rows: Vec<u64>) -> Result<Drift> {
        let strata = self.need_strata()?.count();
        if rows.len() != strata {
            let message = format!("the model has {strata} strata, and rows of {} were given", rows.len());
            return Err(Error::usage("drift-strata", message).hint("give those that `survey` counted"));
        }
        Ok(Drift::new(self.calibration(), rows))
    }
}

impl Drift {
    fn new(calibration: &Calibration, rows: Vec<u64>) -> Self {
        let mut sizes = vec![0; rows.len()];
        calibration.strata().iter().for_each(|&at| sizes[usize::from(at)] += 1);
        // Of an empty table: as if nothing had drifted.
        let shares = if rows.iter().all(|&count| count == 0) { &sizes } else { &rows };
        let seen: u64 = shares.iter().zip(&sizes).filter(|(_, size)| **size > 0).map(|(count, _)| count).sum();
        let weight = |(&count, &size): (&u64, &u64)| match size {
            0 => f64::INFINITY,
            _ => count as f64 / seen.max(1) as f64 / size as f64,
        };
        let weights: Vec<f64> = shares.iter().zip(&sizes).map(weight).collect();
        let mut tail = vec![0.0; calibration.rows() + 1];
        for (place, &at) in calibration.strata().iter().enumerate().rev() {
            tail[place] = tail[place + 1] + weights[usize::from(at)];
        }
        Self { rows, sizes, weights, tail }
    }

    fn p_at(&self, place: usize, stratum: usize) -> f64 {
        (self.tail[place] + self.weights[stratum]).min(1.0)
    }

    /// Of a row with this score in this stratum.
    pub fn p_value(&self, calibration: &Calibration, score: f64, stratum: u8) -> f64 {
        self.p_at(calibration.place(score), usize::from(stratum))
    }

    /// Rows of the table in each stratum.
    pub fn rows(&self) -> &[u64] {
        &self.rows
    }

    /// The smallest p-value that a row of each stratum can have.
    pub fn smallest(&self) -> Vec<f64> {
        self.weights.iter().map(|weight| weight.min(1.0)).collect()
    }

    /// The level at which rows are flagged unless something else is said: 0.001, or what a row of every stratum can reach.
    pub fn level(&self) -> f64 {
        self.weights.iter().copied().filter(|weight| weight.is_finite()).fold(0.001, f64::max).min(1.0)
    }

    /// So many equally weighed calibration rows would say as much (Kish 1965): the squared sum of weights over the sum of squares.
    pub fn effective(&self) -> f64 {
        let each = self.weights.iter().zip(&self.sizes).filter(|(_, size)| **size > 0);
        let squares: f64 = each.map(|(weight, size)| weight * weight * *size as f64).sum();
        if squares > 0.0 { self.tail[0].powi(2) / squares } else { 0.0 }
    }

    /// Total variation distance between the strata of the table and of the calibration rows, 0 to 1.
    pub fn distance(&self) -> f64 {
        let (rows, sizes) = (self.rows.iter().sum::<u64>(), self.sizes.iter().sum::<u64>());
        if rows == 0 {
            return 0.0;
        }
        let apart = |(&count, &size): (&u64, &u64)| (count as f64 / rows as f64 - size as f64 / sizes as f64).abs();
        self.rows.iter().zip(&self.sizes).map(apart).sum::<f64>() / 2.0
    }

    /// p-values that rows have, and how many rows have each, in no order.
    pub fn p_values<'a>(&'a self, cells: &'a Cells) -> impl Iterator<Item = (f64, u64)> + 'a {
        let counts = cells.rows.iter().enumerate().filter(|(_, count)| **count > 0);
        counts.map(|(at, &count)| (self.p_at(at % cells.places, at / cells.places), count))
    }

    /// What a false discovery rate selects.
    pub fn select(&self, cells: &Cells, fdr: f64) -> Selection {
        self.select_with(cells, fdr, cells.uniform())
    }

    /// Weighted conformal selection with homogeneous pruning (Jin and Candes 2023, algorithm 1). A row's own auxiliary p-values
    /// come to the same as those of all rows with its stratum's weight instead of theirs: where the row is selected, rows odder
    /// than it are anyway. So one Benjamini-Hochberg count for each stratum is enough. `xi` in (0, 1) is the procedure's random
    /// number: by deterministic pruning (1) a row less in one stratum than in another could leave nothing selected.
    fn select_with(&self, cells: &Cells, fdr: f64, xi: f64) -> Selection {
        let total = cells.rows.iter().sum::<u64>() as f64;
        let strata = self.weights.len();
        let mut found: Vec<(u64, u64, usize, f64)> = Vec::with_capacity(strata);
        for stratum in 0..strata {
            let (mut below, mut own) = (0, 0);
            let (mut count, mut selected, mut level) = (0, 0, 0.0);
            for place in (0..cells.places).rev() {
                let here = (0..strata).map(|of| cells.rows[of * cells.places + place]).sum::<u64>();
                below += here;
                own += cells.rows[stratum * cells.places + place];
                let p = self.p_at(place, stratum);
                if here > 0 && p * total <= fdr * below as f64 {
                    (count, selected, level) = (below, own, p);
                }
            }
            found.push((count, selected, stratum, level));
        }
        found.sort_by_key(|&(count, _, stratum, _)| (count, stratum));
        let (mut sum, mut kept) = (0, 0);
        for (at, &(count, selected, _, _)) in found.iter().enumerate() {
            sum += selected;
            if sum > 0 && xi * count as f64 <= sum as f64 {
                kept = at + 1;
            }
        }
        let mut levels = vec![0.0; strata];
        found[..kept].iter().for_each(|&(_, _, stratum, level)| levels[stratum] = level);
        Selection { levels, passed: sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten calibration rows with scores 1 to 10, of which the two oddest are of stratum 1.
    fn calibration() -> Calibration {
        let scores: Vec<f64> = (1..=10).map(f64::from).collect();
        let strata: Vec<u8> = (1..=10).map(|score| u8::from(score > 8)).collect();
        Calibration::fit(Source::HeldOut, scores.clone()).in_strata(&scores, &strata)
    }

    #[test]
    fn a_calibration_row_counts_by_the_share_of_its_stratum() {
        let calibration = calibration();
        let drift = Drift::new(&calibration, vec![40, 60]);
        assert_eq!(drift.weights, vec![0.05, 0.3]);
        assert_eq!(drift.p_value(&calibration, 11.0, 0), 0.05);
        assert_eq!(drift.p_value(&calibration, 11.0, 1), 0.3);
        assert_eq!(drift.p_value(&calibration, 9.0, 0), 0.3 + 0.3 + 0.05);
        assert_eq!(drift.p_value(&calibration, 0.0, 0), 1.0);
        assert!((drift.distance() - 0.4).abs() < 1e-12);
        assert!((drift.effective() - 1.0 / (8.0 * 0.0025 + 2.0 * 0.09)).abs() < 1e-12);
        assert_eq!(drift.level(), 0.3);
    }

    #[test]
    fn without_drift_a_row_counts_one_in_n() {
        let calibration = calibration();
        for rows in [vec![8, 2], vec![0, 0]] {
            let drift = Drift::new(&calibration, rows);
            assert_eq!(drift.p_value(&calibration, 11.0, 1), 0.1);
            assert!((drift.effective() - 10.0).abs() < 1e-9);
            assert_eq!(drift.distance(), 0.0);
        }
    }

    #[test]
    fn a_stratum_without_calibration_rows_is_never_odd_and_takes_no_weight() {
        let calibration = calibration();
        let drift = Drift::new(&calibration, vec![8, 2, 90]);
        assert_eq!(drift.p_value(&calibration, 11.0, 2), 1.0);
        assert_eq!(drift.p_value(&calibration, 11.0, 0), 0.1);
    }

    #[test]
    fn deterministic_pruning_can_lose_what_homogeneous_pruning_keeps() {
        // Of stratum 0 two rows reach the rate in a count of 5, of stratum 1 two of three in a count of 4: four are selected.
        let scores: Vec<f64> = (1..=100).map(f64::from).collect();
        let strata: Vec<u8> = (1..=100).map(|score| u8::from(score <= 50)).collect();
        let calibration = Calibration::fit(Source::HeldOut, scores.clone()).in_strata(&scores, &strata);
        let mut cells = Cells::new(2, &calibration);
        (0..20).for_each(|_| cells.count(0, 50));
        (0..90).for_each(|_| cells.count(1, 20));
        (0..4).for_each(|at| cells.count(at % 2, 100));
        cells.count(1, 98);
        let drift = Drift::new(&calibration, cells.strata());
        let Selection { levels, passed } = drift.select_with(&cells, 0.5, 0.5);
        assert_eq!(passed, 4);
        assert_eq!(levels, vec![drift.p_at(98, 0), drift.p_at(100, 1)]);
        assert_eq!(drift.select_with(&cells, 0.5, 1.0).levels, vec![0.0, 0.0]);
    }
}
