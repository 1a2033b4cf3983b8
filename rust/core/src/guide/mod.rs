//! Few labels: known anomalies, and flags that turned out to be normal, guide the score.
//!
//! The score of a row is raised by `sum_k weight_k (evidence_k - centre_k)`: a logistic regression of known anomalies against
//! reference rows, with the unguided score as its offset and a ridge that draws it back to that score (`learn`). What
//! it is given per row: the tails of all row energies and columns, the numbers themselves, per category the log ratio of
//! its frequency among known anomalies and among all rows, and per width the log ratio of the two kernel densities (a
//! kernel discriminant, Hand 1982): rows like a known anomaly score higher even where each of their values is common.
//! A row known to be normal lowers the score of rows like it: with n of them, none an anomaly, by `ln(1 + n)` nats, as Laplace's
//! rule of succession lowers the odds. Positive and unlabelled learning as by Elkan and Noto (2008): rows without a label count as normal ones.
//!
//! Legend: F features, N numbers, C categories, L widths, K evidences.

mod file;
mod learn;

pub use learn::{Labelled, learn};

use crate::block::Block;
use crate::combine::{EnergyBlock, Reference};
use crate::memory::{Levels, Memory, Scratch};

/// Numbers are clipped to this many standard deviations.
const WIDEST: f32 = 4.0;
/// Log ratios are clipped to this many nats.
const LARGEST_RATIO: f32 = 6.0;
/// A known anomaly adds to the smoothed frequencies of categories as this many rows of the marginal do.
const SMOOTHING: f32 = 2.0;
/// The score is raised by so much at most, in nats.
const LARGEST: f64 = 20.0;
/// Each known anomaly may lower the score of rows that are not like it by so much, in nats.
const LOWERED: f64 = 0.25;

#[derive(Debug, Clone, PartialEq)]
pub struct Guide {
    odd: Option<Learned>,
    /// The rows known to be normal.
    normal: Option<Memory>,
}

/// What known anomalies teach.
#[derive(Debug, Clone, PartialEq)]
struct Learned {
    /// The known anomalies.
    anomalies: Memory,
    /// Log ratio of each code of each category column, in nats.
    codes: Vec<Vec<f32>>,
    /// [K]; weights are 0 where the labels did not help to find labelled rows that were held out.
    centres: Vec<f64>,
    weights: Vec<f64>,
}

impl Guide {
    /// All memories in it have these widths, which are those of the model's memory.
    pub fn has_levels(&self, levels: &Levels) -> bool {
        self.odd.iter().map(|odd| &odd.anomalies).chain(&self.normal).all(|memory| memory.levels() == levels)
    }

    /// The same under other widths.
    #[must_use]
    pub fn with_levels(mut self, levels: &Levels) -> Self {
        let memories = self.odd.iter_mut().map(|odd| &mut odd.anomalies).chain(&mut self.normal);
        memories.for_each(|memory| memory.set_levels(levels.clone()));
        self
    }

    /// Known anomalies.
    pub fn anomalies(&self) -> usize {
        self.odd.as_ref().map_or(0, |odd| odd.anomalies.rows())
    }

    /// Rows known to be normal.
    pub fn normals(&self) -> usize {
        self.normal.as_ref().map_or(0, Memory::rows)
    }

    /// The rows known to be normal.
    pub fn known(&self) -> Option<Block> {
        self.normal.as_ref().map(Memory::kept)
    }

    /// Known anomalies change the order of rows.
    pub fn helps(&self) -> bool {
        self.odd.as_ref().is_some_and(Learned::helps)
    }

    /// What each row's score is raised by, in nats.
    pub fn raises(&self, block: &Block, energies: &EnergyBlock, reference: &Reference) -> Vec<f64> {
        let mut raises = vec![0.0; block.rows];
        if let Some(odd) = self.odd.as_ref().filter(|odd| odd.helps()) {
            let mut space = Space::of(&odd.anomalies);
            for (row, raise) in raises.iter_mut().enumerate() {
                *raise = odd.raise(block, energies, reference, row, &mut space);
            }
        }
        if let Some(normal) = &self.normal {
            let mut space = Space::of(normal);
            for (row, raise) in raises.iter_mut().enumerate() {
                *raise -= near(normal, block, row, &mut space).ln_1p();
            }
        }
        raises
    }
}

impl Learned {
    fn helps(&self) -> bool {
        self.weights.iter().any(|&weight| weight != 0.0)
    }

    fn raise(
        &self,
        block: &Block,
        energies: &EnergyBlock,
        reference: &Reference,
        row: usize,
        space: &mut Space,
    ) -> f64 {
        let evidence = evidence(&self.anomalies, &self.codes, block, energies, reference, row, space);
        let sum: f64 = evidence
            .iter()
            .zip(self.weights.iter().zip(&self.centres))
            .map(|(&e, (weight, centre))| weight * (f64::from(e) - centre))
            .sum();
        bounded(sum, self.anomalies.rows())
    }
}

/// What so many known anomalies may change: a few that happen to be alike must not hide a row that stands out otherwise.
fn bounded(sum: f64, anomalies: usize) -> f64 {
    sum.clamp(-(LOWERED * anomalies as f64).min(LARGEST), LARGEST)
}

/// How many of the rows known to be normal are like this one: the sum of their weights at the widest local width.
fn near(normal: &Memory, block: &Block, row: usize, space: &mut Space) -> f64 {
    normal.densities(block.x_row(row), block.c_row(row), &mut space.scratch, &mut space.densities);
    let widest = normal.levels().local.len().saturating_sub(1);
    normal.rows() as f64 * f64::from(-space.densities[widest]).exp()
}

/// How many of the K evidences, the last ones, may raise a score and never lower it: codes and density ratios. A known anomaly
/// does not count itself, which makes it look less like the others than it is.
fn one_sided(memory: &Memory) -> usize {
    memory.sizes().len() + densities(memory)
}

/// The densities come first among the row energies of a memory, and the memory first among the denoisers.
fn densities(memory: &Memory) -> usize {
    memory.levels().local.len() + memory.levels().wide.len()
}

/// Working space of one thread.
struct Space {
    scratch: Scratch,
    /// [L].
    densities: Vec<f32>,
}

impl Space {
    fn of(memory: &Memory) -> Self {
        Self { scratch: memory.scratch(), densities: vec![0.0; densities(memory)] }
    }
}

/// The K evidences of one row.
fn evidence(
    anomalies: &Memory,
    codes: &[Vec<f32>],
    block: &Block,
    energies: &EnergyBlock,
    reference: &Reference,
    row: usize,
    space: &mut Space,
) -> Vec<f32> {
    let (x_n, c_c) = (block.x_row(row), block.c_row(row));
    let mut found = reference.term_tails(energies, row);
    found.extend(reference.squared_tails(energies, row).into_iter().map(f32::sqrt));
    found.extend(x_n.iter().map(|x| x.clamp(-WIDEST, WIDEST)));
    found.extend(codes.iter().zip(c_c).map(|(ratios, &code)| ratios.get(usize::from(code)).copied().unwrap_or(0.0)));
    anomalies.densities(x_n, c_c, &mut space.scratch, &mut space.densities);
    let width = energies.terms.len() / energies.rows.max(1);
    let normal = &energies.terms[row * width..row * width + space.densities.len()];
    found.extend(
        normal.iter().zip(&space.densities).map(|(normal, odd)| (normal - odd).clamp(-LARGEST_RATIO, LARGEST_RATIO)),
    );
    found
}

/// Log ratio of each code's smoothed frequency among the anomalies to its frequency among all rows. `without`: a code
/// per column that is counted once less, for the row that is judged.
fn code_ratios(counts: &[Vec<u64>], marginals: &[Vec<u64>], without: Option<&[u16]>) -> Vec<Vec<f32>> {
    let ratios = |(column, (counts, all)): (usize, (&Vec<u64>, &Vec<u64>))| {
        let own = without.and_then(|codes| codes.get(column)).map(|&code| usize::from(code));
        let total: u64 = all.iter().sum();
        let size = all.len() as f32;
        let labelled = counts.iter().sum::<u64>() as f32 - if own.is_some() { 1.0 } else { 0.0 };
        counts
            .iter()
            .zip(all)
            .enumerate()
            .map(|(code, (&count, &seen))| {
                let usual = (seen as f32 + 0.5) / (total as f32 + 0.5 * size);
                let count = count as f32 - if own == Some(code) { 1.0 } else { 0.0 };
                let odd = (count + SMOOTHING * usual) / (labelled + SMOOTHING);
                (odd / usual).ln().clamp(-LARGEST_RATIO, LARGEST_RATIO)
            })
            .collect()
    };
    counts.iter().zip(marginals).enumerate().map(ratios).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_known_anomalies_lower_a_score_by_two_and_a_half_nats_at_most() {
        assert_eq!(bounded(-30.0, 10), -2.5);
        assert_eq!(bounded(-1.0, 10), -1.0);
        assert_eq!(bounded(-30.0, 100), -LARGEST);
        assert_eq!(bounded(30.0, 10), LARGEST);
    }

    #[test]
    fn a_code_of_every_anomaly_that_one_row_in_ten_has_is_worth_its_log_ratio() {
        let ratios = code_ratios(&[vec![0, 8]], &[vec![900, 99]], None);
        let usual = 99.5_f32 / 1000.0;
        assert!((ratios[0][1] - ((8.0 + 2.0 * usual) / 10.0 / usual).ln()).abs() < 1e-5);
        // The row that is judged does not count itself.
        let without = code_ratios(&[vec![0, 8]], &[vec![900, 99]], Some(&[1]));
        assert!((without[0][1] - ((7.0 + 2.0 * usual) / 9.0 / usual).ln()).abs() < 1e-5);
    }
}
