//! Kernel distances of one row to all kept rows.

use super::{ABSENT_DISTANCE, BOUND, Column, Memory, PADDING};
use crate::block::{OTHER, PRESENT};
use crate::numeric::{LANES, lanes, lanes_mut};

impl Memory {
    /// E_M: the distance of a row to every kept row, padding at [`PADDING`].
    #[inline(always)]
    pub(super) fn distances(&self, x_n: &[f32], c_c: &[u16], out_m: &mut [f32]) {
        out_m.fill(0.0);
        for number in 0..self.numbers.len() {
            self.add_number(number, f32::MAX, x_n, c_c, out_m);
        }
        let mut base = 0.0_f32;
        for category in 0..self.categories.len() {
            base += self.add_category(category, c_c[category], out_m);
        }
        if base > 0.0 {
            for e in lanes_mut(out_m) {
                for value in e {
                    *value += base;
                }
            }
        }
        out_m[self.rows..].fill(PADDING);
        if self.own_vote {
            self.remove_own_copy(x_n, c_c, base, out_m);
        }
    }

    /// The same with no number further than [`BOUND`]: what conditional energies weigh rows by. Otherwise one
    /// outlying number would leave the vote on all other columns to the one kept row nearest in it.
    #[inline(always)]
    pub(super) fn bounded_distances(&self, x_n: &[f32], c_c: &[u16], distance_m: &[f32], out_m: &mut [f32]) {
        out_m.fill(0.0);
        for number in 0..self.numbers.len() {
            self.add_number(number, BOUND, x_n, c_c, out_m);
        }
        let mut base = 0.0_f32;
        for category in 0..self.categories.len() {
            base += self.add_category(category, c_c[category], out_m);
        }
        let (out, whole) = (lanes_mut(out_m), lanes(distance_m));
        for at in 0..out.len().min(whole.len()) {
            let (e, whole) = (&mut out[at], &whole[at]);
            for k in 0..LANES {
                e[k] = if whole[k] < PADDING { e[k] + base } else { PADDING };
            }
        }
    }

    /// Adds a number's distances, each at most `bound`.
    #[inline(always)]
    pub(super) fn add_number(&self, number: usize, bound: f32, x_n: &[f32], c_c: &[u16], out_m: &mut [f32]) {
        let spec = self.numbers[number];
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

    /// Adds a category's mismatches; what all kept rows share is returned instead of added.
    #[inline(always)]
    pub(super) fn add_category(&self, category: usize, code: u16, out_m: &mut [f32]) -> f32 {
        let spec = &self.categories[category];
        if code == OTHER && !spec.status {
            return spec.weight;
        }
        if let Some(constant) = spec.constant {
            return if constant == code { 0.0 } else { spec.weight };
        }
        let weight = spec.weight;
        let kept = self.c(category);
        let count = out_m.len().min(kept.len());
        let (out, kept) = (&mut out_m[..count], &kept[..count]);
        for at in 0..count {
            out[at] += if kept[at] == code { 0.0 } else { weight };
        }
        0.0
    }

    /// Takes one exact copy of the row, the first, out of the vote.
    fn remove_own_copy(&self, x_n: &[f32], c_c: &[u16], base: f32, out_m: &mut [f32]) {
        for row in 0..self.rows {
            let same = out_m[row] <= base
                && (0..self.numbers.len()).all(|n| self.x(n)[row].to_bits() == x_n[n].to_bits())
                && (0..self.categories.len()).all(|c| self.c(c)[row] == c_c[c]);
            if same {
                out_m[row] = PADDING;
                return;
            }
        }
    }

    /// Bounded distances with one column left out. What the column adds to every row alike goes too.
    #[inline(always)]
    pub(super) fn column_rest(&self, column: &Column, x_n: &[f32], c_c: &[u16], bounded_m: &[f32], rest_m: &mut [f32]) {
        rest_m.fill(0.0);
        let mut base = 0.0_f32;
        for &number in &column.numbers {
            self.add_number(number, BOUND, x_n, c_c, rest_m);
        }
        for &category in &column.categories {
            base += self.add_category(category, c_c[category], rest_m);
        }
        let (rest, whole) = (lanes_mut(rest_m), lanes(bounded_m));
        for at in 0..rest.len().min(whole.len()) {
            let (rest, whole) = (&mut rest[at], &whole[at]);
            for k in 0..LANES {
                let left = whole[k] - rest[k] - base;
                rest[k] = if left > 0.0 { left } else { 0.0 };
            }
        }
    }
}

/// The smaller of two numbers, as one instruction.
#[inline(always)]
fn least(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}
