//! What the kernel expects of a column, given the other columns of a row.

use multiversion::multiversion;

use super::{Column, Memory, Scratch};

/// The expected value of one feature.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// Median and the 5 % and 95 % quantiles, in encoded units.
    Number { middle: f32, low: f32, high: f32 },
    /// Probability of each code.
    Category(Vec<f32>),
}

/// The best guess follows as many rows of the whole column, beside the effective number of those that vote: what few rows
/// say is little more than what all say. Chosen on five small tables.
const ALL_ROWS: f32 = 5.0;

/// Kept rows, nearest first, that say what is expected of a row: the widths of the conditional energies are made for
/// comparing rows, and in a table of few columns far wider than its structure.
const REACH: usize = 32;
const LEAST_REACH: f32 = 1e-6;

/// One row that is asked about: its distances are measured once for all its columns.
#[derive(Debug)]
pub struct Asked<'a> {
    memory: &'a Memory,
    row: (&'a [f32], &'a [u16]),
    scratch: Scratch,
}

impl Asked<'_> {
    /// What the kept rows nearest in all columns but that of `feature` say of it. `None` where no kept row has it.
    pub fn expected(&mut self, feature: usize) -> Option<Expected> {
        let memory = self.memory;
        let column = memory.columns.iter().find(|column| {
            column.numbers.contains(&feature)
                || feature.checked_sub(memory.numbers.len()).is_some_and(|c| column.categories.contains(&c))
        })?;
        if memory.rows == 0 {
            return None;
        }
        weigh(memory, column, self.row, &mut self.scratch);
        let weights_m = &self.scratch.weights[..memory.rows];
        match feature.checked_sub(memory.numbers.len()) {
            None => memory.expected_number(feature, weights_m),
            Some(category) => Some(memory.expected_category(category, weights_m)),
        }
    }
}

impl Memory {
    pub fn ask<'a>(&'a self, x_n: &'a [f32], c_c: &'a [u16]) -> Asked<'a> {
        let mut scratch = self.scratch();
        measure(self, (x_n, c_c), &mut scratch);
        Asked { memory: self, row: (x_n, c_c), scratch }
    }

    fn expected_number(&self, number: usize, weights_m: &[f32]) -> Option<Expected> {
        let (values, order) = (&self.sorted[number], &self.order[number]);
        let votes = || values.iter().zip(order).map(|(&x, &row)| (x, weights_m[row as usize]));
        let mass: f32 = votes().map(|vote| vote.1).sum();
        if mass <= 0.0 {
            return None;
        }
        let quantile = |share: f32, mass: f32, all: f32| {
            let mut seen = 0.0;
            for (x, w) in votes() {
                seen += w + all;
                if seen >= share * mass {
                    return x;
                }
            }
            values.last().copied().unwrap_or(0.0)
        };
        let all = everyone(weights_m);
        let (low, high) = (quantile(0.05, mass, 0.0), quantile(0.95, mass, 0.0));
        // Where two or three rows have all the weight, everyone's vote alone would lead away from them.
        let middle = quantile(0.5, mass + all * values.len() as f32, all).clamp(low, high);
        Some(Expected::Number { middle, low, high })
    }

    fn expected_category(&self, category: usize, weights_m: &[f32]) -> Expected {
        let spec = &self.categories[category];
        let mut shares = vec![0.0_f32; spec.marginal.len()];
        let mut mass = 0.0_f32;
        let all = everyone(weights_m);
        for (&code, &w) in self.c(category).iter().zip(weights_m) {
            if let Some(share) = shares.get_mut(usize::from(code)) {
                *share += w + all;
            }
            mass += w + all;
        }
        for (share, marginal) in shares.iter_mut().zip(&spec.marginal) {
            let vote = if mass > 0.0 { *share / mass } else { *marginal };
            *share = (1.0 - super::MARGINAL_SHARE) * vote + super::MARGINAL_SHARE * marginal;
        }
        Expected::Category(shares)
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn measure(memory: &Memory, (x_n, c_c): (&[f32], &[u16]), scratch: &mut Scratch) {
    memory.distances(x_n, c_c, &mut scratch.distance, &mut scratch.bounded);
}

/// The weights of the kept rows with `column` left out, adding up to 1: from 1 at the nearest row linearly down to 0 at
/// the [`REACH`]-th. Nothing is fused, so that every processor expects the same.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn weigh(memory: &Memory, column: &Column, (x_n, c_c): (&[f32], &[u16]), scratch: &mut Scratch) {
    memory.column_rest(column, x_n, c_c, &scratch.bounded, &mut scratch.column);
    let rows = memory.rows;
    scratch.part[..rows].copy_from_slice(&scratch.column[..rows]);
    let last = REACH.min(rows) - 1;
    let (_, &mut reach, _) = scratch.part[..rows].select_nth_unstable_by(last, f32::total_cmp);
    let nearest = scratch.column[..rows].iter().copied().fold(f32::INFINITY, f32::min);
    // Rows as near as the nearest count fully, were it all of them.
    let width = (reach - nearest).max(LEAST_REACH);
    let mut mass = 0.0;
    for (w, e) in scratch.weights[..rows].iter_mut().zip(&scratch.column) {
        *w = (1.0 - (e - nearest) / width).max(0.0);
        mass += *w;
    }
    // No mass: the one kept row is the row itself, which does not vote.
    scratch.weights[..rows].iter_mut().for_each(|w| *w = if mass > 0.0 { *w / mass } else { 0.0 });
}

/// What one row of the whole column counts beside `weights` that add up to 1: [`ALL_ROWS`] over the rows and their
/// effective number.
fn everyone(weights_m: &[f32]) -> f32 {
    let squares: f32 = weights_m.iter().map(|w| w * w).sum();
    ALL_ROWS * squares / weights_m.len() as f32
}
