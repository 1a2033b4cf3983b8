//! The isolation of a row: how far the nearest of eight random kept rows is, over and over.
//!
//! LeSiNN (Pang, Ting and Albrecht 2015, "LeSiNN: Detecting Anomalies by Identifying Least Similar Nearest Neighbours",
//! section 3): eight rows hardly ever hold two of a cluster of anomalies, so that such a cluster does not hide itself, which
//! in a density over all kept rows it does. Here the mean of logarithms, so that no group of eight rules the others.
//!
//! Told twice: by the distances of the kernel, where the one column that is furthest off rules, and by sums of roots,
//! `sum_j |x_j - x_ij|^(1/2) + #mismatches`, where many columns that are a little off count as much.

use xxhash_rust::xxh3::xxh3_64;

use super::distance::{Tiles, least};
use super::{ABSENT_DISTANCE, Memory, PADDING};
use crate::block::PRESENT;
use crate::numeric::{LANES, lanes_mut};

/// Rows in a group.
const GROUP: usize = 8;
/// Groups at most, by the distances of the kernel, which are there anyway, and by sums of roots. With 64 of each a table less
/// ten rows had an AUROC that was another by 0.005 to 0.008 (satellite, abalone, magic); with these by half of that.
const GROUPS: usize = 256;
const ROOT_GROUPS: usize = 128;
/// Added to a distance: that of a copy has a logarithm too.
const NEAREST: f32 = 1e-3;

/// The kept rows by which isolation is told.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Isolating {
    /// Those that groups are made of: group g has the places g, g + groups, g + 2 groups, ... so that copies are in
    /// different ones.
    grouped: Vec<u32>,
    /// Those of all kept rows that are known to be normal, and in every group.
    anchors: Vec<u32>,
    /// Both once more, the grouped ones first.
    tiles: Tiles,
}

impl Isolating {
    /// From kept rows column by column, `padded` each.
    pub fn new(grouped: Vec<u32>, anchors: Vec<u32>, padded: usize, x_nm: &[f32], c_cm: &[u16]) -> Self {
        let rows: Vec<usize> = rooted(&grouped).iter().chain(&anchors).map(|&row| row as usize).collect();
        let width = rows.len().next_multiple_of(LANES).max(LANES);
        let x = gathered(x_nm, padded, &rows, width);
        let c = gathered(c_cm, padded, &rows, width);
        Self { grouped, anchors, tiles: Tiles::new(&x, &c, width) }
    }

    /// The same groups with other rows known to be normal.
    pub fn anchored(self, anchors: Vec<u32>, padded: usize, x_nm: &[f32], c_cm: &[u16]) -> Self {
        Self::new(self.grouped, anchors, padded, x_nm, c_cm)
    }

    /// The grouped rows, then the anchors.
    pub fn rows(&self) -> (&[u32], &[u32]) {
        (&self.grouped, &self.anchors)
    }

    /// Places of [`Memory::roots`].
    pub fn width(&self) -> usize {
        (rooted(&self.grouped).len() + self.anchors.len()).next_multiple_of(LANES).max(LANES)
    }
}

/// `mean_g ln(min_{i in g} E_i + 0.001)` over groups of `grouped` rows, whose distances are told, and the nearest known one's.
#[inline(always)]
fn mean_log<T: Copy>(grouped: &[T], distance: impl Fn(T) -> f32, known: f32) -> f32 {
    let groups = groups_of(grouped.len());
    let mut nearest = [known; GROUPS];
    for rows in grouped.chunks(groups) {
        for (nearest, &row) in nearest.iter_mut().zip(rows) {
            *nearest = least(*nearest, distance(row));
        }
    }
    // Logarithms of products of eight: of at most 1e30 each, which f64 holds.
    let product = |eight: &[f32]| eight.iter().map(|&distance| f64::from(distance + NEAREST)).product::<f64>();
    let sum: f64 = nearest[..groups].chunks(8).map(|eight| product(eight).ln()).sum();
    (sum / groups as f64) as f32
}

/// Some rows of columns of `padded` rows, `width` a column.
fn gathered<T: Copy + Default>(columns: &[T], padded: usize, rows: &[usize], width: usize) -> Vec<T> {
    let mut out = Vec::with_capacity(columns.len() / padded * width);
    for column in columns.chunks_exact(padded) {
        out.extend(rows.iter().map(|&row| column[row]));
        out.resize(out.len() + width - rows.len(), T::default());
    }
    out
}

/// The kept rows that groups are made of, in the order of a hash of what is in them: chance that does not
/// depend on the order of the table. Copies stand side by side, in the order of `rows`.
pub(super) fn group_rows(rows: usize, padded: usize, x_nm: &[f32], c_cm: &[u16]) -> Vec<u32> {
    let mut bytes = Vec::new();
    let mut order: Vec<(u64, u32)> = (0..rows)
        .map(|row| {
            bytes.clear();
            x_nm.iter().skip(row).step_by(padded).for_each(|x| bytes.extend(x.to_le_bytes()));
            c_cm.iter().skip(row).step_by(padded).for_each(|c| bytes.extend(c.to_le_bytes()));
            (xxh3_64(&bytes), row as u32)
        })
        .collect();
    order.sort_unstable();
    order.truncate((rows / GROUP).clamp(1, GROUPS) * GROUP);
    order.into_iter().map(|(_, row)| row).collect()
}

/// Those of the grouped rows whose sums of roots are told.
fn rooted(grouped: &[u32]) -> &[u32] {
    &grouped[..grouped.len().min(ROOT_GROUPS * GROUP)]
}

/// Of so many rows: eight a group, fewer only where there is one.
fn groups_of(rows: usize) -> usize {
    (rows / GROUP).clamp(1, GROUPS)
}

impl Memory {
    /// By the distances of the kernel, `distance_m` to all kept rows; one that is left out of the vote is far away.
    #[inline(always)]
    pub(super) fn isolation(&self, distance_m: &[f32]) -> f32 {
        let Isolating { grouped, anchors, .. } = &self.isolating;
        let known = anchors.iter().map(|&row| distance_m[row as usize]).fold(f32::INFINITY, f32::min);
        mean_log(grouped, |row| distance_m[row as usize], known)
    }

    /// By sums of roots. `scratch` has [`Isolating::width`] places, `left_out` is the kept row without a vote.
    #[inline(always)]
    pub(super) fn roots(&self, x_n: &[f32], c_c: &[u16], left_out: Option<usize>, scratch: &mut [f32]) -> f32 {
        self.root_distances(x_n, c_c, scratch);
        let Isolating { grouped, anchors, .. } = &self.isolating;
        if let Some(left_out) = left_out {
            let rows = rooted(grouped).iter().chain(anchors);
            let own = scratch.iter_mut().zip(rows).filter(|(_, row)| **row as usize == left_out);
            own.for_each(|(distance, _)| *distance = PADDING);
        }
        let (of_groups, behind) = scratch.split_at(rooted(grouped).len());
        let known = behind[..anchors.len()].iter().copied().fold(f32::INFINITY, f32::min);
        mean_log(of_groups, |distance| distance, known)
    }

    /// The sums of roots to the grouped rows and the anchors; what is missing and what does not match as in the kernel.
    #[inline(always)]
    fn root_distances(&self, x_n: &[f32], c_c: &[u16], out: &mut [f32]) {
        let (numbers, categories) = (self.numbers.len(), self.categories.len());
        let constant = self.constant_mismatch(c_c);
        for (tile, out) in lanes_mut(out).iter_mut().enumerate() {
            let x = &self.isolating.tiles.x[tile * numbers..(tile + 1) * numbers];
            let c = &self.isolating.tiles.c[tile * categories..(tile + 1) * categories];
            let mut far = self.mismatches(constant, c_c, c);
            for (number, (kept, spec)) in x.iter().zip(&self.numbers).enumerate() {
                let (weight, apart, at) = (spec.weight, ABSENT_DISTANCE * spec.weight, x_n[number]);
                let status = &c[spec.status];
                if c_c[spec.status] != PRESENT {
                    for k in 0..LANES {
                        far[k] += if status[k] == u32::from(PRESENT) { apart } else { 0.0 };
                    }
                } else if spec.absent {
                    for k in 0..LANES {
                        let root = weight * (kept[k] - at).abs().sqrt();
                        far[k] += if status[k] == u32::from(PRESENT) { root } else { apart };
                    }
                } else {
                    for k in 0..LANES {
                        far[k] += weight * (kept[k] - at).abs().sqrt();
                    }
                }
            }
            *out = far;
        }
    }
}
