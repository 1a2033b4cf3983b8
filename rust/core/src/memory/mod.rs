//! The memory denoiser: a kernel vote of kept training rows; nothing to train.
//!
//! For numbers it is the exact denoiser of the kept sample (the "ideal denoiser" of Karras et al. 2022,
//! appendix B.3, with tau = sigma^2). `w_i = exp(-E_i / tau)` with
//! `E_i = sum_numbers weight (x_j - x_ij)^2 / 2 + sum_categories weight [c_j != c_ij]`.
//! Rules: a number that is missing on one side costs a constant [`ABSENT_DISTANCE`] beside its status
//! mismatch; "another value" never matches, not even itself; unseen values get the marginal's floor.
//!
//! Legend: M kept rows (padded to a multiple of 16), N numbers, C categories, F features (numbers
//! then categories), L levels. Kept rows are stored column by column: `x_NM`, `c_CM`.

mod build;
mod context;
mod corrupted;
mod distance;
mod energies;
mod expected;
mod file;
mod isolation;
mod marginal;
mod told;

pub use build::{Settings, build, marginal_counts, most_considered};
pub use corrupted::Corruption;
pub use energies::Wanted;
pub use expected::{Asked, Expected};

use distance::Tiles;

use std::collections::HashSet;

use crate::block::{Block, Feature, PRESENT, Slot};
use crate::numeric::LANES;

/// Distance of a present to a missing number: half of E[(x - y)^2] of two standardised values.
pub const ABSENT_DISTANCE: f32 = 1.0;
/// Most that one number adds to the distances behind conditional energies: 3 standard deviations.
const BOUND: f32 = 4.5;
/// Distance of padding rows: far enough that their weight is 0.
const PADDING: f32 = 1e30;
/// Kept rows that weigh less than this together are out of reach: they do not vote on a mean.
const NEGLIGIBLE: f32 = 1e-30;
/// Smallest width: exact duplicates would drive it to 0.
const LEVEL_FLOOR: f32 = 0.02;
/// Share of a category's probability that comes from its marginal.
const MARGINAL_SHARE: f32 = 0.03;
/// The narrow conditional width is at most so many times narrower than the wide one.
const MOST_POWER: u32 = 4;

/// A number as the kernel sees it.
#[derive(Debug, Clone, PartialEq)]
struct Number {
    status: usize,
    weight: f32,
    /// Some kept row lacks this number.
    absent: bool,
    /// Quantiles of the training rows that have it, ascending.
    spread: Vec<f32>,
    /// Context.
    given: bool,
}

/// A category as the kernel sees it.
#[derive(Debug, Clone, PartialEq)]
struct Category {
    weight: f32,
    /// All kept rows have this code.
    constant: Option<u16>,
    /// Smoothed marginal of each code, `(n_v + 0.5) / (n + 0.5 K)`.
    marginal: Vec<f32>,
    /// A status category has no "another value": every code of it can match.
    status: bool,
    /// Context.
    given: bool,
}

/// Features of one column of the table, left out of the kernel together.
#[derive(Debug, Clone, Default, PartialEq)]
struct Column {
    numbers: Vec<usize>,
    categories: Vec<usize>,
    given: bool,
}

/// Widths, as tau, by what they serve.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Levels {
    /// Density and joint energies, narrow.
    pub local: Vec<f32>,
    /// Density, wide: the global structure that counts where training rows may be anomalies.
    pub wide: Vec<f32>,
    /// Conditional energies: one width, or a narrow one and a wide one that is a whole multiple of it, at most
    /// [`MOST_POWER`] times.
    pub conditional: Vec<f32>,
}

impl Levels {
    /// The wide conditional width over the narrow one; 1 if there is one alone.
    fn power(&self) -> u32 {
        match self.conditional.as_slice() {
            &[narrow, wide] => (wide / narrow).round().clamp(1.0, MOST_POWER as f32) as u32,
            _ => 1,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    rows: usize,
    padded: usize,
    x_nm: Vec<f32>,
    c_cm: Vec<u16>,
    tiles: Tiles,
    /// Per number the kept values that are there, ascending, and the rows that they are from.
    sorted: Vec<Vec<f32>>,
    order: Vec<Vec<u32>>,
    isolating: isolation::Isolating,
    known: marginal::Known,
    numbers: Vec<Number>,
    categories: Vec<Category>,
    /// The categories that are not the same in all kept rows.
    varied: Vec<usize>,
    columns: Vec<Column>,
    levels: Levels,
    /// Self-screening: a row does not vote for itself; one exact copy of it is left out.
    own_vote: bool,
    /// The first so many kept rows vote on conditional energies; padded.
    conditional: usize,
}

/// Working space of one thread, so that scoring a row allocates nothing.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    distance: Vec<f32>,
    column: Vec<f32>,
    part: Vec<f32>,
    weights: Vec<f32>,
    whole: Vec<f32>,
    bounded: Vec<f32>,
    context: Vec<f32>,
    /// Of the rows by which isolation is told.
    roots: Vec<f32>,
}

impl Memory {
    /// From kept rows column by column, `padded` each.
    fn assemble(
        rows: usize,
        (x_nm, c_cm): (Vec<f32>, Vec<u16>),
        (numbers, categories, columns): (Vec<Number>, Vec<Category>, Vec<Column>),
        levels: Levels,
        (own_vote, conditional): (bool, usize),
    ) -> Self {
        let padded = rows.next_multiple_of(LANES).max(LANES);
        let tiles = Tiles::new(&x_nm, &c_cm, padded);
        let grouped = isolation::group_rows(rows, padded, &x_nm, &c_cm);
        let isolating = isolation::Isolating::new(grouped, Vec::new(), padded, &x_nm, &c_cm);
        let (sorted, order) = numbers
            .iter()
            .enumerate()
            .map(|(n, number)| {
                let there = (0..rows).filter(|row| c_cm[number.status * padded + row] == PRESENT);
                let mut values: Vec<(f32, u32)> = there.map(|row| (x_nm[n * padded + row], row as u32)).collect();
                values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                values.into_iter().unzip()
            })
            .unzip();
        let varied = (0..categories.len()).filter(|&c| categories[c].constant.is_none()).collect();
        let conditional = conditional.min(rows).next_multiple_of(LANES).clamp(LANES, padded);
        Self {
            rows,
            padded,
            x_nm,
            c_cm,
            tiles,
            sorted,
            order,
            isolating,
            known: marginal::Known::default(),
            numbers,
            categories,
            varied,
            columns,
            levels,
            own_vote,
            conditional,
        }
    }

    /// Number of kept rows M.
    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn levels(&self) -> &Levels {
        &self.levels
    }

    pub fn set_levels(&mut self, levels: Levels) {
        self.levels = levels;
    }

    /// The same memory where a row does not vote for itself: one exact copy of it is left out.
    #[must_use]
    pub fn with_own_vote(&self) -> Self {
        Self { own_vote: true, ..self.clone() }
    }

    /// The same, with the kept rows that are among the `known` to be normal in every group of the isolation, and their values
    /// less rare by themselves: what is like them is neither isolated nor odd.
    #[must_use]
    pub fn anchored(mut self, known: &Block) -> Self {
        let held = |x_n: &[f32], c_c: &[u16]| (x_n.iter().map(|x| x.to_bits()).collect::<Vec<u32>>(), c_c.to_vec());
        let known: HashSet<_> = (0..known.rows).map(|row| held(known.x_row(row), known.c_row(row))).collect();
        let kept = self.kept();
        let is_known = |row: &u32| known.contains(&held(kept.x_row(*row as usize), kept.c_row(*row as usize)));
        let anchors: Vec<u32> =
            if known.is_empty() { Vec::new() } else { (0..self.rows as u32).filter(is_known).collect() };
        let statuses: Vec<usize> = self.numbers.iter().map(|number| number.status).collect();
        self.known = marginal::Known::new(&kept, &anchors, &statuses, &self.sizes());
        self.isolating = self.isolating.anchored(anchors, self.padded, &self.x_nm, &self.c_cm);
        self
    }

    /// The kept rows.
    pub fn kept(&self) -> Block {
        let mut block = Block::new(self.rows, self.numbers.len(), self.categories.len());
        for row in 0..self.rows {
            for number in 0..block.numbers {
                block.x[row * block.numbers + number] = self.x(number)[row];
            }
            for category in 0..block.categories {
                block.c[row * block.categories + category] = self.c(category)[row];
            }
        }
        block
    }

    /// About how many of `rows` rows had each code, by the smoothed marginals.
    pub fn counts(&self, rows: usize) -> Vec<Vec<u64>> {
        let count = |share: &f32| (f64::from(*share) * rows as f64).round() as u64;
        self.categories.iter().map(|category| category.marginal.iter().map(count).collect()).collect()
    }

    /// Number of codes of each category.
    pub fn sizes(&self) -> Vec<usize> {
        self.categories.iter().map(|category| category.marginal.len()).collect()
    }

    /// F.
    pub fn features(&self) -> usize {
        self.numbers.len() + self.categories.len()
    }

    /// Raw row energies per row: local densities, wide densities, joints, the marginal, the extremity, the isolation twice.
    pub fn row_terms(&self) -> usize {
        self.levels.local.len() * 2 + self.levels.wide.len() + 4
    }

    /// Share of the columns that are judged and are categories alone.
    pub fn category_share(&self) -> f64 {
        let judged = || self.columns.iter().filter(|column| !column.given);
        let categories = judged().filter(|column| column.numbers.is_empty()).count();
        categories as f64 / judged().count().max(1) as f64
    }

    pub fn scratch(&self) -> Scratch {
        let zeros = vec![0.0; self.padded];
        Scratch {
            distance: zeros.clone(),
            column: zeros.clone(),
            part: zeros.clone(),
            weights: zeros.clone(),
            whole: zeros.clone(),
            context: zeros.clone(),
            roots: vec![0.0; self.isolating.width()],
            bounded: zeros,
        }
    }

    fn x(&self, number: usize) -> &[f32] {
        &self.x_nm[number * self.padded..(number + 1) * self.padded]
    }

    fn c(&self, category: usize) -> &[u16] {
        &self.c_cm[category * self.padded..(category + 1) * self.padded]
    }
}

/// A category before the kept rows are known.
struct Price {
    weight: f32,
    status: bool,
    given: bool,
}

/// The kernel's view of the features: numbers, categories, and the columns that own them.
fn layout(features: &[Feature]) -> (Vec<Number>, Vec<Price>, Vec<Column>) {
    let mut numbers = Vec::new();
    let mut categories = Vec::new();
    let count = features.iter().map(|feature| feature.column + 1).max().unwrap_or(0);
    let mut columns = vec![Column::default(); count];
    for feature in features {
        let Feature { weight, given, .. } = *feature;
        columns[feature.column].given = given;
        match feature.slot {
            Slot::Number { status, .. } => {
                columns[feature.column].numbers.push(numbers.len());
                numbers.push(Number { status, weight, absent: false, spread: Vec::new(), given });
            }
            Slot::Category { .. } => {
                columns[feature.column].categories.push(categories.len());
                let status = feature.part == crate::block::Part::Status;
                categories.push(Price { weight, status, given });
            }
        }
    }
    columns.retain(|column| !column.numbers.is_empty() || !column.categories.is_empty());
    (numbers, categories, columns)
}
