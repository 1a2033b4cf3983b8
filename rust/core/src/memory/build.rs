//! Which rows are kept, and the widths of the kernel.
//!
//! Widths: tau such that the median perplexity (exp of the entropy) of the weights on kept rows, each
//! left out of its own vote, is a given number of rows (t-SNE's calibration, van der Maaten & Hinton
//! 2008, section 2). Fixed widths failed on dense low-dimensional tables.

use multiversion::multiversion;
use rayon::prelude::*;

use super::marginal::spreads;
use super::{Category, LEVEL_FLOOR, Levels, MOST_POWER, Memory, Price, layout};
use crate::block::{Block, Feature, PRESENT, Slot};
use crate::numeric::{LANES, exp, fold};

/// Perplexities of the narrow, wide and conditional levels.
const LOCAL: [f32; 3] = [3.0, 10.0, 30.0];
const WIDE: [f32; 2] = [100.0, 1000.0];
const CONDITIONAL: [(f32, f32); 2] = [(10.0, 0.5), (100.0, 1.0)];
/// Kept rows that vote on conditional energies, which cost most: more of them gain little, more rows in the densities do.
const CONDITIONAL_ROWS: usize = 2_048;
/// A level never asks for more than this share of the kept rows.
const LARGEST_SHARE: f32 = 0.6;
/// Rows that tell the quantiles of a number.
const SPREAD_ROWS: usize = 10_000;
/// Rows on which widths are calibrated.
const WIDTH_ROWS: usize = 400;

/// How a memory is built.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Rows kept at most.
    pub rows: usize,
    /// The training rows may be anomalies: two rounds drop the oddest fifth of the candidates.
    pub clean: bool,
    pub own_vote: bool,
    /// Only the first `rows` rows are in proportion: old ones and fresh ones in turn, and then fresh ones alone.
    pub mixed: bool,
}

/// No row from this place on can be kept: each of two rounds looks at a quarter more rows than are kept.
pub fn most_considered(settings: Settings) -> usize {
    if settings.clean { settings.rows * 25 / 16 + 2 } else { settings.rows }
}

/// Keeps rows of `training` (in the order given, which must be random) and fits the widths.
/// `marginals[c]` are the training counts of category column c. Rows that are `trusted` (none beyond its end) are known to be normal.
/// The widths may be those of another memory.
pub fn build(
    training: &Block,
    features: &[Feature],
    marginals: &[Vec<u64>],
    settings: Settings,
    trusted: &[bool],
    levels: Option<&Levels>,
) -> Memory {
    let rounds = if settings.clean { 2 } else { 0 };
    let mut candidates: Vec<usize> = (0..training.rows).collect();
    let (numbers, ..) = layout(features);
    let most = if settings.mixed { settings.rows.min(SPREAD_ROWS) } else { SPREAD_ROWS };
    let spreads = spreads(training, most, &numbers.iter().map(|number| number.status).collect::<Vec<_>>());
    for round in 0..=rounds {
        let kept: Vec<usize> = candidates.iter().copied().take(settings.rows).collect();
        let mut memory = keep(training, &kept, features, (marginals, &spreads));
        if round == rounds {
            memory.levels = levels.cloned().unwrap_or_else(|| Widths::of(&memory, training, &kept).all());
            memory.own_vote = settings.own_vote;
            return memory;
        }
        memory.levels = Widths::of(&memory, training, &kept).first_wide();
        candidates = without_oddest(&memory, training, &candidates, settings.rows, trusted);
    }
    unreachable!("the last round returns")
}

/// Drops the fifth of the first `rows * 5 / 4` candidates with the largest wide density energy, trusted ones last.
fn without_oddest(
    memory: &Memory,
    training: &Block,
    candidates: &[usize],
    rows: usize,
    trusted: &[bool],
) -> Vec<usize> {
    let mut judge = memory.clone();
    judge.own_vote = true;
    let pool: Vec<usize> = candidates.iter().copied().take(rows * 5 / 4).collect();
    let energies: Vec<f32> = pool
        .par_iter()
        .map_init(
            || judge.scratch(),
            |scratch, &row| {
                let mut density = [0.0];
                judge.densities(training.x_row(row), training.c_row(row), scratch, &mut density);
                density[0]
            },
        )
        .collect();
    let mut order: Vec<usize> = (0..pool.len()).collect();
    let doubtful = |place: usize| !trusted.get(pool[place]).copied().unwrap_or(false);
    order.sort_by(|&a, &b| doubtful(a).cmp(&doubtful(b)).then(energies[a].total_cmp(&energies[b])).then(a.cmp(&b)));
    let mut best: Vec<usize> = order.into_iter().take(pool.len() - pool.len() / 5).collect();
    best.sort_unstable();
    let mut kept: Vec<usize> = best.into_iter().map(|place| pool[place]).collect();
    kept.extend(candidates.iter().skip(pool.len()));
    kept
}

/// The kept rows, column by column, padded.
fn keep(
    training: &Block,
    kept: &[usize],
    features: &[Feature],
    (marginals, spreads): (&[Vec<u64>], &[Vec<f32>]),
) -> Memory {
    let (mut numbers, prices, columns) = layout(features);
    let rows = kept.len();
    let padded = rows.next_multiple_of(LANES).max(LANES);
    let mut x_nm = vec![0.0; numbers.len() * padded];
    let mut c_cm = vec![0; prices.len() * padded];
    for (place, &row) in kept.iter().enumerate() {
        for (n, &x) in training.x_row(row).iter().enumerate() {
            x_nm[n * padded + place] = x;
        }
        for (c, &code) in training.c_row(row).iter().enumerate() {
            c_cm[c * padded + place] = code;
        }
    }
    let column_c = |c: usize| &c_cm[c * padded..c * padded + rows];
    for (number, spread) in numbers.iter_mut().zip(spreads) {
        number.absent = column_c(number.status).iter().any(|&code| code != PRESENT);
        number.spread.clone_from(spread);
    }
    let categories = prices
        .into_iter()
        .enumerate()
        .map(|(c, Price { weight, status, given })| {
            let first = column_c(c).first().copied();
            let constant = first.filter(|first| column_c(c).iter().all(|code| code == first));
            let total: u64 = marginals[c].iter().sum();
            let size = marginals[c].len() as f64;
            let marginal =
                marginals[c].iter().map(|&n| ((n as f64 + 0.5) / (total as f64 + 0.5 * size)) as f32).collect();
            Category { weight, constant, marginal, status, given }
        })
        .collect();
    Memory::assemble(rows, (x_nm, c_cm), (numbers, categories, columns), Levels::default(), (false, CONDITIONAL_ROWS))
}

/// Distances from some kept rows to all of them, by which widths are told.
struct Widths<'a> {
    memory: &'a Memory,
    distances: Vec<Vec<f32>>,
}

impl<'a> Widths<'a> {
    fn of(memory: &'a Memory, training: &Block, kept: &[usize]) -> Self {
        let queries = kept.len().min(WIDTH_ROWS);
        let mut apart = memory.clone();
        apart.own_vote = true;
        // The kept rows are in random order: the first ones are a sample of them.
        let distances = kept[..queries]
            .par_iter()
            .map(|&row| {
                let (mut distance, mut bounded) = (vec![0.0; memory.padded], vec![0.0; memory.padded]);
                apart.distances(training.x_row(row), training.c_row(row), &mut distance, &mut bounded);
                distance
            })
            .collect();
        Widths { memory, distances }
    }

    fn tau(&self, perplexity: f32) -> f32 {
        let largest = (LARGEST_SHARE * self.memory.rows as f32).max(1.5);
        width(&self.distances, perplexity.min(largest))
    }

    /// The one wide level that a round of dropping looks at.
    fn first_wide(&self) -> Levels {
        Levels { wide: vec![self.tau(WIDE[0])], ..Levels::default() }
    }

    /// Widths for every purpose, merged where duplicates of rows make them equal.
    fn all(&self) -> Levels {
        let distinct = |perplexities: &[f32]| {
            let mut taus: Vec<f32> = perplexities.iter().map(|&p| self.tau(p)).collect();
            taus.dedup_by(|a, b| (*a / *b - 1.0).abs() < 0.01);
            taus
        };
        Levels {
            local: distinct(&LOCAL),
            wide: distinct(&WIDE),
            conditional: {
                let voters = self.memory.conditional;
                let voting: Vec<Vec<f32>> = self.distances.iter().map(|d| d[..voters].to_vec()).collect();
                let most = (LARGEST_SHARE * voters as f32).max(1.5);
                let tau = |perplexity: f32| width(&voting, perplexity.min(most));
                let [narrow, wide] = CONDITIONAL.map(|(perplexity, floor)| tau(perplexity).max(floor));
                let power = (wide / narrow).round().clamp(1.0, MOST_POWER as f32);
                if power > 1.0 { vec![wide / power, wide] } else { vec![narrow] }
            },
        }
    }
}

/// The tau at which the median perplexity over the queries is `target`, by bisection of its log.
fn width(distances: &[Vec<f32>], target: f32) -> f32 {
    let (mut low, mut high) = (LEVEL_FLOOR.ln(), 1e4_f32.ln());
    for _ in 0..22 {
        let middle = f32::midpoint(low, high);
        let mut found: Vec<f32> = distances.par_iter().map(|distance| perplexity(distance, middle.exp())).collect();
        found.sort_unstable_by(f32::total_cmp);
        if found.get(found.len() / 2).copied().unwrap_or(target) < target {
            low = middle;
        } else {
            high = middle;
        }
    }
    high.exp()
}

/// exp of the entropy of `w_i / sum w`, in rows.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn perplexity(distance: &[f32], tau: f32) -> f32 {
    let nearest = distance.iter().copied().fold(f32::INFINITY, f32::min);
    let mut mass = [0.0_f32; LANES];
    let mut moment = [0.0_f32; LANES];
    for chunk in distance.chunks_exact(LANES) {
        for k in 0..LANES {
            let excess = (chunk[k] - nearest) / tau;
            let w = exp::<false>(-excess);
            mass[k] += w;
            moment[k] += w * excess;
        }
    }
    let (mass, moment) = (fold(mass), fold(moment));
    (mass.ln() + moment / mass).exp()
}

/// Counts of each code of each category column, over the given rows.
pub fn marginal_counts(block: &Block, features: &[Feature], rows: &[usize]) -> Vec<Vec<u64>> {
    let mut counts: Vec<Vec<u64>> = features
        .iter()
        .filter_map(|feature| match feature.slot {
            Slot::Category { size, .. } => Some(vec![0; usize::from(size)]),
            Slot::Number { .. } => None,
        })
        .collect();
    for &row in rows {
        for (c, &code) in block.c_row(row).iter().enumerate() {
            if let Some(count) = counts[c].get_mut(usize::from(code)) {
                *count += 1;
            }
        }
    }
    counts
}
