//! Column tails: how rare an energy is among reference rows, as -log of its tail probability.
//!
//! `t(e) = -ln((1 + #{ref >= e}) / (1 + n))`, kept at knots and interpolated between them; beyond the
//! largest reference energy it goes on with slope `0.5 / (mean excess over the 95 % point)`. A robust tail leaves
//! the ranks at their 98 % point and goes on as a generalised Pareto tail of the bulk below it: anomalies among the
//! reference rows would otherwise hide themselves and each other. From [`KNEE`] on a tail grows as its logarithm. A tail is comparable between energies whatever their kind, so that an
//! irrelevant column does not drown a telling one.

use crate::pareto::ParetoTail;

/// Nats from which on a tail grows as `KNEE (1 + ln(t / KNEE))`: evidence that no sample can back counts
/// less and less, but the odder of two rows stays the odder.
pub const KNEE: f32 = 20.0;
/// Tail at the 98 % point, -ln 0.02: a robust tail follows the ranks up to here.
const TRIM_TAIL: f32 = 3.912_023;
/// Energies closer than this are one: rounding errors of a constant column are no evidence.
const RESOLUTION: f32 = 0.02;
/// Tails closer than this share a knot.
const STEP: f32 = 0.05;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tails {
    /// Ascending.
    pub energies: Vec<f32>,
    /// Tail at each energy, ascending from 0.
    pub tails: Vec<f32>,
    /// Nats of tail per nat of energy beyond the last knot.
    pub slope: f32,
    /// What a robust tail follows instead, from its 98 % point on.
    pub pareto: Option<ParetoTail>,
}

impl Tails {
    /// A tail that a few anomalies among the reference rows do not move, where their energies allow one.
    pub fn fit_robust(mut reference: Vec<f32>) -> Self {
        reference.sort_unstable_by(f32::total_cmp);
        let wide: Vec<f64> = reference.iter().map(|&energy| f64::from(energy)).collect();
        Self { pareto: ParetoTail::fit(&wide), ..Self::fit(reference) }
    }

    /// From reference energies in any order; without any, every tail is 0.
    pub fn fit(mut reference: Vec<f32>) -> Self {
        reference.sort_unstable_by(f32::total_cmp);
        let n = reference.len();
        let (Some(&first), Some(&last)) = (reference.first(), reference.last()) else {
            return Self::default();
        };
        let tail = |rank: usize| -(((1 + n - rank) as f32) / ((1 + n) as f32)).ln();
        let mut fitted = Self { energies: vec![first], tails: vec![0.0], slope: 0.0, pareto: None };
        let mut knot = (first, 0.0_f32);
        for (rank, &energy) in reference.iter().enumerate() {
            // Beyond 2^19 the resolution is lost in rounding.
            let far = energy > knot.0 && energy >= knot.0 + RESOLUTION;
            if far && (tail(rank) >= knot.1 + STEP || energy == last) {
                // `rank` is the first with this energy: everything from it on is >= energy.
                knot = (energy, tail(rank));
                fitted.energies.push(knot.0);
                fitted.tails.push(knot.1);
            }
        }
        let top = n - n / 20 - 1;
        let bulk = reference[top.min(n - 1)];
        let over = &reference[(top + 1).min(n)..];
        let excess = over.iter().map(|e| e - bulk).sum::<f32>() / over.len().max(1) as f32;
        fitted.slope = 0.5 / excess.max(RESOLUTION);
        fitted
    }

    /// The tail of an energy, in nats, >= 0 and rising with it.
    pub fn at(&self, energy: f32) -> f32 {
        let place = self.energies.partition_point(|&knot| knot <= energy);
        let Some(below) = place.checked_sub(1) else { return 0.0 };
        let (start, tail) = (self.energies[below], self.tails[below]);
        let mut found = match self.energies.get(place) {
            Some(&end) => tail + (self.tails[place] - tail) * (energy - start) / (end - start),
            None => tail + self.slope * (energy - start),
        };
        if let Some(pareto) = self.pareto.filter(|_| found > TRIM_TAIL) {
            found = (-pareto.log_probability(f64::from(energy)) as f32).max(TRIM_TAIL);
        }
        if found <= KNEE { found } else { KNEE * (1.0 + (found / KNEE).ln()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_energy_has_no_tail_even_with_rounding_errors() {
        let tails = Tails::fit((0..1000).map(|k| 1.0 + (k % 3) as f32 * 1e-6).collect());
        assert!(tails.at(1.000_003) < 1e-3 && tails.at(0.5) == 0.0);
    }

    #[test]
    fn tail_of_the_largest_of_999_is_minus_log_of_two_in_a_thousand() {
        let tails = Tails::fit((0..999).map(|k| k as f32).collect());
        assert!((tails.at(998.0) - 500.0_f32.ln()).abs() < 1e-5);
        assert!((tails.at(0.0)).abs() < 1e-6);
    }

    #[test]
    fn beyond_the_largest_it_rises_with_half_the_inverse_mean_excess_and_then_as_its_logarithm() {
        let tails = Tails::fit((0..1000).map(|k| k as f32).collect());
        // 50 energies over the 95 % point, on average 25.5 beyond it.
        assert!((tails.slope - 0.5 / 25.5).abs() < 1e-6);
        let linear = tails.at(999.0) + tails.slope * 10_000.0;
        assert!((tails.at(10_999.0) - KNEE * (1.0 + (linear / KNEE).ln())).abs() < 1e-3);
    }

    #[test]
    fn no_reference_rows_mean_no_tails() {
        assert_eq!(Tails::fit(Vec::new()).at(5.0), 0.0);
    }
}
