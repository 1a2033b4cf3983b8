//! What each value of a row says by itself: how rare it is (the marginal energy), and how far out (the extremity).
//!
//! A number: how far `r` it is to the twentieth of the kept values that is nearest, in units of their central 96 %, as
//! `ln(1 + 100 r)`: the nearest-neighbour density of one column (Loftsgaarden and Quesenberry 1965), which tells of values
//! between the others, and of spikes, what ranks do not. A category: minus the log of its smoothed share. Summed over
//! the features by their weights.
//!
//! A value that `n` kept rows have (a number: within `r`) that are known to be normal is less rare by `ln(1 + n)` nats, as rows
//! like them are less odd (see [`crate::guide`]), and never less rare than not at all.
//!
//! The extremity has of a number minus the log of the share of training values that are at least as small, or as large,
//! whichever is less, told by [`SPREAD`] quantiles, since the oddest rows are not kept (Li et al. 2022, "ECOD: Unsupervised
//! Outlier Detection Using Empirical Cumulative Distribution Functions", section 3, which takes the nearer tail of all
//! numbers together). The end of a range that many rows share is not rare, and many ends in one row are. It has a bound:
//! what is far out in one column is for the other energies. `n` then are the known rows that are as far out.

use super::Memory;
use crate::block::{Block, PRESENT};

/// One value in so many lies beyond either end of the range that is the unit of distance.
const OUTER: usize = 50;
/// The share of the kept values that is to be near, as one in so many.
const NEAREST: usize = 20;
/// What counts of a distance, in parts of the range.
const RESOLUTION: f32 = 100.0;
/// A range is at least so wide, in standardised units.
const NARROWEST: f32 = 1e-3;
/// Fewer kept values than this have no tails.
const FEWEST: usize = 10;
/// Quantiles of a number by which the extremity is told.
pub(super) const SPREAD: usize = 513;

/// The values of kept rows that are known to be normal.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Known {
    /// Of each number, ascending.
    numbers: Vec<Vec<f32>>,
    /// How many have each code of each category.
    codes: Vec<Vec<f32>>,
}

impl Known {
    /// `rows` of the kept rows. `statuses`: of each number the category that tells whether it is there; `sizes` of the
    /// categories.
    pub fn new(kept: &Block, rows: &[u32], statuses: &[usize], sizes: &[usize]) -> Self {
        let rows = || rows.iter().map(|&row| row as usize);
        let number = |(n, &status): (usize, &usize)| {
            let there = rows().filter(|&row| kept.c_row(row)[status] == PRESENT);
            let mut values: Vec<f32> = there.map(|row| kept.x_row(row)[n]).collect();
            values.sort_unstable_by(f32::total_cmp);
            values
        };
        let mut codes: Vec<Vec<f32>> = sizes.iter().map(|&size| vec![0.0; size]).collect();
        for row in rows() {
            for (counts, &code) in codes.iter_mut().zip(kept.c_row(row)) {
                counts[usize::from(code)] += 1.0;
            }
        }
        Self { numbers: statuses.iter().enumerate().map(number).collect(), codes }
    }

    /// How many have a number between two.
    fn between(&self, number: usize, low: f32, high: f32) -> f32 {
        let Some(values) = self.numbers.get(number) else { return 0.0 };
        let (below, up_to) = (values.partition_point(|&v| v < low), values.partition_point(|&v| v <= high));
        up_to.saturating_sub(below) as f32
    }

    fn having(&self, category: usize, code: u16) -> f32 {
        self.codes.get(category).and_then(|counts| counts.get(usize::from(code))).copied().unwrap_or(0.0)
    }
}

impl Memory {
    /// The marginal energy and the extremity, in nats. A row whose copy was left out of the vote (`left_out`) does not
    /// count itself.
    pub(super) fn marginals(&self, x_n: &[f32], c_c: &[u16], left_out: bool) -> (f32, f32) {
        let (mut rare, mut far) = (0.0, 0.0);
        for (number, spec) in self.numbers.iter().enumerate().filter(|(_, spec)| !spec.given) {
            if c_c[spec.status] == PRESENT {
                rare += spec.weight * self.rarity(number, x_n[number], left_out);
                far += spec.weight * self.extremity(number, x_n[number]);
            }
        }
        for (category, spec) in self.categories.iter().enumerate().filter(|(_, spec)| !spec.given) {
            let share = spec.marginal.get(usize::from(c_c[category])).copied().unwrap_or(1e-6);
            let of_code = spec.weight * (-share.ln() - self.known.having(category, c_c[category]).ln_1p()).max(0.0);
            rare += of_code;
            far += of_code;
        }
        (rare, far)
    }

    /// `-ln((k + 1) / (m + 1)) - ln(1 + n)`, k of m quantiles being as far out.
    fn extremity(&self, number: usize, x: f32) -> f32 {
        let values = &self.numbers[number].spread;
        let up_to = values.partition_point(|&v| v <= x);
        let from = values.len() - values.partition_point(|&v| v < x);
        let known = if up_to <= from {
            self.known.between(number, f32::NEG_INFINITY, x)
        } else {
            self.known.between(number, x, f32::INFINITY)
        };
        let share = (up_to.min(from) + 1) as f32 / (values.len() + 1) as f32;
        (-share.ln() - known.ln_1p()).max(0.0)
    }

    /// `ln(1 + 100 r / range) - ln(1 + n)`.
    fn rarity(&self, number: usize, x: f32, left_out: bool) -> f32 {
        let values = &self.sorted[number];
        let own = usize::from(left_out);
        if values.len() < FEWEST + own {
            return 0.0;
        }
        let outer = (values.len() - 1) / OUTER;
        let range = (values[values.len() - 1 - outer] - values[outer]).max(NARROWEST);
        let reach = (values.len() - own) / NEAREST + own;
        // The window of the values from `first` to `first + reach` that is nearest: as it moves up, its lower end comes
        // closer or passes by, and its upper end goes away.
        let apart = |first: usize| (x - values[first]).max(values[first + reach] - x);
        let (mut low, mut high) = (0, values.len() - 1 - reach);
        while low < high {
            let middle = usize::midpoint(low, high);
            if x - values[middle] > values[middle + reach] - x { low = middle + 1 } else { high = middle }
        }
        let nearest = apart(low).min(low.checked_sub(1).map_or(f32::INFINITY, apart));
        let known = self.known.between(number, x - nearest, x + nearest);
        ((RESOLUTION * nearest / range).ln_1p() - known.ln_1p()).max(0.0)
    }
}

/// [`SPREAD`] quantiles of each number of the first `most` rows, where it is there; zeros of one that never is.
pub(super) fn spreads(rows: &Block, most: usize, statuses: &[usize]) -> Vec<Vec<f32>> {
    let of = |(n, &status): (usize, &usize)| {
        let there = (0..rows.rows.min(most)).filter(|&row| rows.c_row(row)[status] == PRESENT);
        let mut values: Vec<f32> = there.map(|row| rows.x_row(row)[n]).collect();
        values.sort_unstable_by(f32::total_cmp);
        let at = |place: usize| (2 * place * values.len().saturating_sub(1) + SPREAD - 1) / (2 * (SPREAD - 1));
        (0..SPREAD).map(|place| values.get(at(place)).copied().unwrap_or(0.0)).collect()
    };
    statuses.iter().enumerate().map(of).collect()
}
