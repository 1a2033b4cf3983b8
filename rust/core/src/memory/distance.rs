//! Kernel distances of one row to all kept rows.

use super::{ABSENT_DISTANCE, BOUND, Column, Memory, PADDING};
use crate::block::{OTHER, PRESENT};
use crate::numeric::{LANES, lanes, lanes_mut};

/// The kept rows once more, in tiles of [`LANES`] rows: all of a tile lies together, so that one pass over them
/// reads memory in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Tiles {
    /// Per tile, each number.
    pub(super) x: Vec<[f32; LANES]>,
    /// Per tile, each category.
    pub(super) c: Vec<[u32; LANES]>,
}

impl Tiles {
    /// From columns: `x_nm`, `c_cm` of `padded` rows each.
    pub fn new(x_nm: &[f32], c_cm: &[u16], padded: usize) -> Self {
        let (numbers, categories) = (x_nm.len() / padded, c_cm.len() / padded);
        let mut tiles = Self::default();
        for first in (0..padded).step_by(LANES) {
            tiles.x.extend((0..numbers).map(|n| std::array::from_fn(|k| x_nm[n * padded + first + k])));
            tiles.c.extend((0..categories).map(|c| std::array::from_fn(|k| u32::from(c_cm[c * padded + first + k]))));
        }
        tiles
    }
}

impl Memory {
    /// The distance of a row to every kept row, padding at [`PADDING`]: as it is, and with no number further than
    /// [`BOUND`], which is what conditional energies weigh rows by. Otherwise one outlying number would leave the vote on
    /// all other columns to the one kept row nearest in it. The kept row that is an exact copy and was left out.
    #[inline(always)]
    pub(super) fn distances(
        &self,
        x_n: &[f32],
        c_c: &[u16],
        out_m: &mut [f32],
        bounded_m: &mut [f32],
    ) -> Option<usize> {
        let (numbers, categories) = (self.numbers.len(), self.categories.len());
        let (out, bounded) = (lanes_mut(out_m), lanes_mut(bounded_m));
        let constant = self.constant_mismatch(c_c);
        for tile in 0..out.len().min(bounded.len()) {
            let x = &self.tiles.x[tile * numbers..(tile + 1) * numbers];
            let c = &self.tiles.c[tile * categories..(tile + 1) * categories];
            let shared = self.mismatches(constant, c_c, c);
            let (mut far, mut near) = (shared, shared);
            for number in 0..numbers {
                let spec = &self.numbers[number];
                let (half, apart) = (0.5 * spec.weight, ABSENT_DISTANCE * spec.weight);
                let bound = BOUND * spec.weight;
                let (kept, status) = (&x[number], &c[spec.status]);
                let at = x_n[number];
                let mut e = [0.0_f32; LANES];
                if c_c[spec.status] != PRESENT {
                    for k in 0..LANES {
                        e[k] = if status[k] == u32::from(PRESENT) { apart } else { 0.0 };
                    }
                } else {
                    for k in 0..LANES {
                        let d = kept[k] - at;
                        e[k] = half * (d * d);
                    }
                    if spec.absent {
                        for k in 0..LANES {
                            e[k] = if status[k] == u32::from(PRESENT) { e[k] } else { apart };
                        }
                    }
                }
                for k in 0..LANES {
                    far[k] += e[k];
                }
                for k in 0..LANES {
                    near[k] += least(e[k], bound);
                }
            }
            out[tile] = far;
            bounded[tile] = near;
        }
        out_m[self.rows..].fill(PADDING);
        bounded_m[self.rows..].fill(PADDING);
        if self.own_vote
            && let Some(row) = self.own_copy(x_n, c_c, out_m)
        {
            (out_m[row], bounded_m[row]) = (PADDING, PADDING);
            return Some(row);
        }
        None
    }

    /// What the categories that are the same in all kept rows add to every distance of a row.
    pub(super) fn constant_mismatch(&self, c_c: &[u16]) -> f32 {
        let differs = |&(category, constant): &(usize, u16)| {
            self.never_matches(category, c_c[category]) || c_c[category] != constant
        };
        let constant = self.categories.iter().enumerate().filter_map(|(c, of)| Some((c, of.constant?)));
        constant.filter(differs).map(|(category, _)| self.categories[category].weight).sum()
    }

    /// What the categories of a tile of kept rows that differ from a row's add to its distance to each of them, upon what
    /// those add that are constant.
    #[inline(always)]
    pub(super) fn mismatches(&self, constant: f32, c_c: &[u16], tile_c: &[[u32; LANES]]) -> [f32; LANES] {
        let mut shared = [constant; LANES];
        for &category in &self.varied {
            let (code, weight) = (u32::from(c_c[category]), self.categories[category].weight);
            // No code of a kept row: "another value" does not match itself.
            let code = if self.never_matches(category, c_c[category]) { u32::MAX } else { code };
            let kept = &tile_c[category];
            for k in 0..LANES {
                shared[k] += if kept[k] == code { 0.0 } else { weight };
            }
        }
        shared
    }

    #[inline(always)]
    fn never_matches(&self, category: usize, code: u16) -> bool {
        code == OTHER && !self.categories[category].status
    }

    /// Adds a number's distances, each at most `bound` before its weight.
    #[inline(always)]
    pub(super) fn add_number(&self, number: usize, bound: f32, x_n: &[f32], c_c: &[u16], out_m: &mut [f32]) {
        let spec = &self.numbers[number];
        let bound = bound * spec.weight;
        let half = 0.5 * spec.weight;
        let apart = ABSENT_DISTANCE * spec.weight;
        let (kept, status) = (self.x(number), self.c(spec.status));
        let count = out_m.len().min(kept.len()).min(status.len());
        let (out, kept, status) = (&mut out_m[..count], &kept[..count], &status[..count]);
        let present = c_c[spec.status] == PRESENT;
        let x = x_n[number];
        if present && !spec.absent {
            for at in 0..count {
                let d = kept[at] - x;
                out[at] += least(half * (d * d), bound);
            }
        } else if present {
            for at in 0..count {
                let d = kept[at] - x;
                let near = least(half * (d * d), bound);
                out[at] += if status[at] == PRESENT { near } else { apart };
            }
        } else {
            for at in 0..count {
                out[at] += if status[at] == PRESENT { apart } else { 0.0 };
            }
        }
    }

    /// Adds a category's mismatches.
    #[inline(always)]
    pub(super) fn add_category(&self, category: usize, code: u16, out_m: &mut [f32]) {
        let weight = self.categories[category].weight;
        let kept = self.c(category);
        let count = out_m.len().min(kept.len());
        let (out, kept) = (&mut out_m[..count], &kept[..count]);
        if self.never_matches(category, code) {
            for at in 0..count {
                out[at] += weight;
            }
            return;
        }
        for at in 0..count {
            out[at] += if kept[at] == code { 0.0 } else { weight };
        }
    }

    /// The first exact copy of the row among the kept rows.
    fn own_copy(&self, x_n: &[f32], c_c: &[u16], out_m: &[f32]) -> Option<usize> {
        // "Another value" is a mismatch even of the row's own copy.
        let strangers: f32 = (0..self.categories.len())
            .filter(|&c| self.never_matches(c, c_c[c]))
            .map(|c| self.categories[c].weight)
            .sum();
        (0..self.rows).find(|&row| {
            out_m[row] <= strangers * 1.001
                && (0..self.numbers.len()).all(|n| self.x(n)[row].to_bits() == x_n[n].to_bits())
                && (0..self.categories.len()).all(|c| self.c(c)[row] == c_c[c])
        })
    }

    /// Bounded distances with one column left out.
    #[inline(always)]
    pub(super) fn column_rest(&self, column: &Column, x_n: &[f32], c_c: &[u16], bounded_m: &[f32], rest_m: &mut [f32]) {
        rest_m.fill(0.0);
        for &number in &column.numbers {
            self.add_number(number, BOUND, x_n, c_c, rest_m);
        }
        for &category in &column.categories {
            self.add_category(category, c_c[category], rest_m);
        }
        let (rest, whole) = (lanes_mut(rest_m), lanes(bounded_m));
        for at in 0..rest.len().min(whole.len()) {
            let (rest, whole) = (&mut rest[at], &whole[at]);
            for k in 0..LANES {
                let left = whole[k] - rest[k];
                rest[k] = if left > 0.0 { left } else { 0.0 };
            }
        }
    }

    /// How far the nearest kept value of a number that is present lies beyond [`BOUND`], 0 within it. A row whose
    /// copy was left out does not count as its own neighbour.
    pub(super) fn beyond(&self, number: usize, x: f32, left_out: bool) -> f32 {
        let (spec, values) = (&self.numbers[number], &self.sorted[number]);
        let below = values.partition_point(|&value| value < x);
        let own = left_out && values.get(below) == Some(&x);
        let neighbours = [below.checked_sub(1).and_then(|at| values.get(at)), values.get(below + usize::from(own))];
        let nearest = neighbours.into_iter().flatten().map(|value| (value - x).abs()).fold(f32::INFINITY, f32::min);
        if nearest.is_finite() { (0.5 * spec.weight * nearest * nearest - BOUND * spec.weight).max(0.0) } else { 0.0 }
    }
}

/// The smaller of two numbers, as one instruction.
#[inline(always)]
pub(super) fn least(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}
