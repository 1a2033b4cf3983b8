//! Rows that are denser than rows as far out are: near copies of one odd row, which support each other in every density.
//!
//! The residual of the local density given the wide one, `median(local | wide) - local` in nats, the median running over the
//! reference rows in groups of equal size by wide energy; and its tail among them. Such a crowd may also be
//! as it should be (a form left empty), so that its tail raises a row among the odd and never makes one stand out.

use crate::combine::EnergyBlock;
use crate::memory::Levels;
use crate::tails::Tails;

/// Groups at most, and rows in a group at least.
const GROUPS: usize = 10;
const GROUP_ROWS: usize = 25;
/// Groups below which nothing is told.
const FEWEST: usize = 4;
/// The tail is at most -ln of one in 500.
pub const MOST: f32 = 6.214_608;
/// Wide energies closer than this are one.
const RESOLUTION: f32 = 1e-4;

/// Which row energies are compared, and how much their residual counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crowding {
    pub local: usize,
    pub wide: usize,
    pub weight: f64,
}

impl Crowding {
    /// The second narrowest width, about ten rows, against the widest.
    pub fn of(levels: &Levels, weight: f64) -> Self {
        let local = levels.local.len();
        Self { local: 1.min(local.saturating_sub(1)), wide: (local + levels.wide.len()).saturating_sub(1), weight }
    }
}

/// The residual, fitted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Crowd {
    /// Median wide energy of each group, ascending.
    pub wide: Vec<f32>,
    /// Median local energy of each group.
    pub local: Vec<f32>,
    /// Of the residuals.
    pub tails: Tails,
}

impl Crowd {
    /// From the energies of reference rows that hold both densities; without enough of them every tail is 0.
    pub fn fit(of: Crowding, energies: &EnergyBlock) -> Self {
        let width = energies.terms.len() / energies.rows.max(1);
        let term = |row: usize, term: usize| energies.terms[row * width + term];
        let mut order: Vec<usize> = (0..energies.rows).collect();
        order.sort_by(|&a, &b| term(a, of.wide).total_cmp(&term(b, of.wide)).then(a.cmp(&b)));
        let groups = (energies.rows / GROUP_ROWS).min(GROUPS);
        let mut fitted = Self::default();
        if groups < FEWEST {
            return fitted;
        }
        for group in 0..groups {
            let rows = &order[group * energies.rows / groups..(group + 1) * energies.rows / groups];
            let wide = median(rows.iter().map(|&row| term(row, of.wide)).collect());
            if fitted.wide.last().is_none_or(|&last| wide > last + RESOLUTION) {
                fitted.wide.push(wide);
                fitted.local.push(median(rows.iter().map(|&row| term(row, of.local)).collect()));
            }
        }
        let residuals = (0..energies.rows).map(|row| fitted.residual(term(row, of.local), term(row, of.wide)));
        fitted.tails = Tails::fit_robust(residuals.collect());
        fitted
    }

    /// How much denser a row is than rows as far out are, in nats.
    fn residual(&self, local: f32, wide: f32) -> f32 {
        let place = self.wide.partition_point(|&knot| knot <= wide);
        let at = |knot: usize| self.local.get(knot).copied();
        let usual = match (place.checked_sub(1).and_then(at), at(place)) {
            (Some(below), Some(above)) => {
                let (start, end) = (self.wide[place - 1], self.wide[place]);
                below + (above - below) * (wide - start) / (end - start)
            }
            (Some(edge), None) | (None, Some(edge)) => edge,
            (None, None) => local,
        };
        usual - local
    }

    /// The tail of a row, from 0 to [`MOST`].
    pub fn tail(&self, local: f32, wide: f32) -> f32 {
        self.tails.at(self.residual(local, wide)).min(MOST)
    }
}

/// The upper one of an even number.
fn median(mut values: Vec<f32>) -> f32 {
    values.sort_unstable_by(f32::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF: Crowding = Crowding { local: 0, wide: 1, weight: 0.05 };

    /// Local energy is twice the wide one, but for the first `crowd` rows, which are as dense as the densest.
    fn energies(rows: usize, crowd: usize) -> EnergyBlock {
        let terms = (0..rows).flat_map(|row| {
            let wide = row as f32 * 1e-2;
            if row < crowd { [0.0, rows as f32 * 1e-2] } else { [2.0 * wide + (row % 7) as f32 * 1e-2, wide] }
        });
        EnergyBlock { rows, terms: terms.collect(), features: Vec::new() }
    }

    #[test]
    fn a_row_as_dense_as_rows_as_far_out_are_has_no_tail_to_speak_of() {
        let crowd = Crowd::fit(OF, &energies(1000, 0));
        assert_eq!(crowd.wide.len(), 10);
        assert!(crowd.tail(10.03, 5.0) < 1.5, "{}", crowd.tail(10.03, 5.0));
    }

    #[test]
    fn a_crowd_far_out_reaches_the_cap_and_no_more() {
        let crowd = Crowd::fit(OF, &energies(10_000, 5));
        assert_eq!(crowd.tail(-1.0, 99.5), MOST);
        assert_eq!(crowd.tail(-1000.0, 99.5), MOST);
    }

    #[test]
    fn too_few_rows_or_one_wide_energy_tell_nothing() {
        assert_eq!(Crowd::fit(OF, &energies(99, 0)).tail(-5.0, 0.5), 0.0);
        let flat = EnergyBlock { rows: 200, terms: [1.0, 1.0].repeat(200), features: Vec::new() };
        let crowd = Crowd::fit(OF, &flat);
        assert_eq!(crowd.wide, [1.0]);
        assert_eq!(crowd.tail(1.0, 1.0), 0.0);
    }
}
