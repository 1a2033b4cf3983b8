//! The isolation of a row: how far the nearest of eight random kept rows is, over and over.
//!
//! LeSiNN (Pang, Ting and Albrecht 2015, "LeSiNN: Detecting Anomalies by Identifying Least Similar Nearest Neighbours",
//! section 3): eight rows hardly ever hold two of a cluster of anomalies, so that such a cluster does not hide itself, which
//! in a density over all kept rows it does. Here the mean of logarithms, so that no group of eight rules the others.

use std::collections::HashSet;

use xxhash_rust::xxh3::xxh3_64;

use super::Memory;
use crate::block::Block;

/// Rows in a group.
const GROUP: usize = 8;
/// Groups at most.
const GROUPS: usize = 64;
/// Added to a distance: that of a copy has a logarithm too.
const NEAREST: f32 = 1e-3;

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
    order.truncate(groups(rows) * GROUP);
    order.into_iter().map(|(_, row)| row).collect()
}

fn groups(rows: usize) -> usize {
    (rows / GROUP).clamp(1, GROUPS)
}

impl Memory {
    /// The same, with the kept rows that are among the `known` to be normal in every group: what is like them is not
    /// isolated.
    #[must_use]
    pub fn anchored(mut self, known: &Block) -> Self {
        let held = |x_n: &[f32], c_c: &[u16]| (x_n.iter().map(|x| x.to_bits()).collect::<Vec<u32>>(), c_c.to_vec());
        let known: HashSet<_> = (0..known.rows).map(|row| held(known.x_row(row), known.c_row(row))).collect();
        let kept = self.kept();
        let is_known = |row: &u32| known.contains(&held(kept.x_row(*row as usize), kept.c_row(*row as usize)));
        self.anchors = if known.is_empty() { Vec::new() } else { (0..self.rows as u32).filter(is_known).collect() };
        self
    }

    /// `mean_g ln(min_{i in g} E_i + 0.001)` over groups of kept rows, whose distances are `distance_m`; one
    /// that is left out of the vote is far away.
    #[inline(always)]
    pub(super) fn isolation(&self, distance_m: &[f32]) -> f32 {
        let groups = groups(self.rows);
        let known = self.anchors.iter().map(|&row| distance_m[row as usize]).fold(f32::INFINITY, f32::min);
        let mut nearest = [known; GROUPS];
        // Group g has the places g, g + groups, g + 2 groups, ...: copies are in different ones.
        for rows in self.grouped.chunks(groups) {
            for (nearest, &row) in nearest.iter_mut().zip(rows) {
                let distance = distance_m[row as usize];
                *nearest = if distance < *nearest { distance } else { *nearest };
            }
        }
        nearest[..groups].iter().map(|&distance| (distance + NEAREST).ln()).sum::<f32>() / groups as f32
    }
}
