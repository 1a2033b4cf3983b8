//! Kernel distances of one row to all kept rows.

use super::{ABSENT_DISTANCE, Column, Memory, PADDING};
use crate::block::{OTHER, PRESENT};

impl Memory {
    /// E_M: the distance of a row to every kept row, padding at [`PADDING`].
    #[inline(always)]
    pub(super) fn distances(&self, x_n: &[f32], c_c: &[u16], out_m: &mut [f32]) {
        out_m.fill(0.0);
        for number in 0..self.numbers.len() {
            self.add_number(number, x_n, c_c, out_m);
        }
        let mut base = 0.0_f32;
        for category in 0..self.categories.len() {
            base += self.add_category(category, c_c[category], out_m);
        }
        if base > 0.0 {
            for e in out_m.iter_mut() {
                *e += base;
            }
        }
        out_m[self.rows..].fill(PADDING);
        if self.own_vote {
            self.remove_own_copy(x_n, c_c, base, out_m);
        }
    }

    /// Adds a number's distances.
    #[inline(always)]
    pub(super) fn add_number(&self, number: usize, x_n: &[f32], c_c: &[u16], out_m: &mut [f32]) {
        let spec = self.numbers[number];
        let kept_m = self.x(number);
        let status_m = self.c(spec.status);
        let half = 0.5 * spec.weight;
        let apart = ABSENT_DISTANCE * spec.weight;
        if c_c[spec.status] != PRESENT {
            if !spec.absent {
                out_m.iter_mut().for_each(|e| *e += apart);
                return;
            }
            for (e, &status) in out_m.iter_mut().zip(status_m) {
                *e += if status == PRESENT { apart } else { 0.0 };
            }
            return;
        }
        let x = x_n[number];
        if spec.absent {
            for ((e, &kept), &status) in out_m.iter_mut().zip(kept_m).zip(status_m) {
                let d = kept - x;
                *e += if status == PRESENT { half * (d * d) } else { apart };
            }
        } else {
            for (e, &kept) in out_m.iter_mut().zip(kept_m) {
                let d = kept - x;
                *e += half * (d * d);
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
        for (e, &kept) in out_m.iter_mut().zip(self.c(category)) {
            *e += if kept == code { 0.0 } else { spec.weight };
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

    /// Distances with one column left out. What the column adds to every row alike goes too.
    #[inline(always)]
    pub(super) fn column_rest(
        &self,
        column: &Column,
        x_n: &[f32],
        c_c: &[u16],
        distance_m: &[f32],
        rest_m: &mut [f32],
    ) {
        rest_m.fill(0.0);
        let mut base = 0.0_f32;
        for &number in &column.numbers {
            self.add_number(number, x_n, c_c, rest_m);
        }
        for &category in &column.categories {
            base += self.add_category(category, c_c[category], rest_m);
        }
        for (rest, whole) in rest_m.iter_mut().zip(distance_m) {
            *rest = (whole - *rest - base).max(0.0);
        }
    }
}
