//! The marginal energy of a row: how rare each of its values is by itself.
//!
//! A number: minus the log of its two-sided tail probability among the kept values (as ECOD, Li et al. 2022, section 3.2),
//! and beyond their central 96 % twice the distance in units of that range, so that it goes on rising where
//! the ranks end. A category: minus the log of its smoothed share. Summed over the features by their weights.

use super::Memory;
use crate::block::PRESENT;

/// One value in so many lies beyond either end of the range within which ranks alone tell how rare a number is.
const OUTER: usize = 50;
/// Nats for each such range beyond it.
const BEYOND: f32 = 2.0;
/// A range is at least so wide, in standardised units.
const NARROWEST: f32 = 1e-3;
/// Fewer kept values than this have no tails.
const FEWEST: usize = 10;

impl Memory {
    /// In nats. A row whose copy was left out of the vote (`left_out`) does not count itself.
    pub(super) fn marginal(&self, x_n: &[f32], c_c: &[u16], left_out: bool) -> f32 {
        let mut total = 0.0;
        for (number, spec) in self.numbers.iter().enumerate().filter(|(_, spec)| !spec.given) {
            if c_c[spec.status] == PRESENT {
                total += spec.weight * self.rarity(number, x_n[number], left_out);
            }
        }
        for (category, spec) in self.categories.iter().enumerate().filter(|(_, spec)| !spec.given) {
            let share = spec.marginal.get(usize::from(c_c[category])).copied().unwrap_or(1e-6);
            total -= spec.weight * share.ln();
        }
        total
    }

    fn rarity(&self, number: usize, x: f32, left_out: bool) -> f32 {
        let values = &self.sorted[number];
        let own = usize::from(left_out);
        if values.len() < FEWEST + own {
            return 0.0;
        }
        let count = (values.len() - own) as f32;
        let below = values.partition_point(|&value| value < x);
        let up_to = values.partition_point(|&value| value <= x);
        let side = (up_to - own.min(up_to)).min(values.len() - below - own.min(values.len() - below)) as f32 / count;
        let outer = (values.len() - 1) / OUTER;
        let (low, high) = (values[outer], values[values.len() - 1 - outer]);
        let outside = (x - high).max(low - x).max(0.0) / (high - low).max(NARROWEST);
        BEYOND * outside - ((2.0 * side).min(1.0) + 1.0 / (count + 1.0)).ln()
    }
}
