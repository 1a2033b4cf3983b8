//! Density, joint and conditional energies of one row.

use multiversion::multiversion;

use super::{Category, MARGINAL_SHARE, Memory, Scratch};
use crate::block::{OTHER, PRESENT};
use crate::numeric::{LANES, exp, fold, lanes, lanes_mut, minimum, sum};

/// Kept rows that weigh less than this together are out of reach: they do not vote on a mean.
const NEGLIGIBLE: f32 = 1e-30;

impl Memory {
    /// Raw row energies `rows` (local densities, wide densities, joints) and the conditional energy
    /// of every feature (numbers then categories; 0 where a number is absent), in nats.
    pub fn energies(&self, x_n: &[f32], c_c: &[u16], scratch: &mut Scratch, rows: &mut [f32], features: &mut [f32]) {
        row_energies(self, x_n, c_c, scratch, rows, features);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma",))]
fn row_energies(
    memory: &Memory,
    x_n: &[f32],
    c_c: &[u16],
    scratch: &mut Scratch,
    rows: &mut [f32],
    features: &mut [f32],
) {
    memory.distances(x_n, c_c, &mut scratch.distance);
    let nearest = minimum(&scratch.distance);
    let local = memory.levels.local.len();
    let wide = memory.levels.wide.len();
    for (level, &tau) in memory.levels.local.iter().enumerate() {
        let total = weigh(&scratch.distance, nearest, tau, &mut scratch.weights);
        rows[level] = nearest / tau - (total / memory.rows as f32).ln();
        rows[local + wide + level] = joint(memory, x_n, c_c, &scratch.weights, &mut scratch.part, total, tau);
    }
    for (level, &tau) in memory.levels.wide.iter().enumerate() {
        let total = weigh(&scratch.distance, nearest, tau, &mut scratch.weights);
        rows[local + level] = nearest / tau - (total / memory.rows as f32).ln();
    }
    features.fill(0.0);
    memory.bounded_distances(x_n, c_c, &scratch.distance, &mut scratch.bounded);
    conditional(memory, x_n, c_c, scratch, features);
}

/// `w_i = exp(-(E_i - shift) / tau)` and their sum.
#[inline(always)]
fn weigh(distance_m: &[f32], shift: f32, tau: f32, weights_m: &mut [f32]) -> f32 {
    let rate = -1.0 / tau;
    let mut sums = [0.0_f32; LANES];
    let (distances, weights) = (lanes(distance_m), lanes_mut(weights_m));
    for at in 0..distances.len().min(weights.len()) {
        let (e, w) = (&distances[at], &mut weights[at]);
        for k in 0..LANES {
            w[k] = exp((e[k] - shift) * rate);
        }
        for k in 0..LANES {
            sums[k] += w[k];
        }
    }
    fold(sums)
}

/// The sum of `exp(-(E_i - shift) / tau)`, nothing stored.
#[inline(always)]
fn total_weight(distance_m: &[f32], shift: f32, tau: f32) -> f32 {
    let rate = -1.0 / tau;
    let mut sums = [0.0_f32; LANES];
    for e in lanes(distance_m) {
        for k in 0..LANES {
            sums[k] += exp((e[k] - shift) * rate);
        }
    }
    fold(sums)
}

/// `sum_j (mean_j - x_j)^2 / tau`, then its log: tau times the squared gradient of the density.
#[inline(always)]
fn joint(
    memory: &Memory,
    x_n: &[f32],
    c_c: &[u16],
    weights_m: &[f32],
    part_m: &mut [f32],
    total: f32,
    tau: f32,
) -> f32 {
    let mut sum = 0.0_f32;
    for (number, spec) in memory.numbers.iter().enumerate() {
        if c_c[spec.status] != PRESENT {
            continue;
        }
        let (moment, mass) = if spec.absent {
            present_moment(memory.x(number), memory.c(spec.status), weights_m, part_m)
        } else {
            (dot(memory.x(number), weights_m), total)
        };
        if mass > NEGLIGIBLE {
            let gap = moment / mass - x_n[number];
            sum += spec.weight * gap * gap;
        }
    }
    (sum / tau + 1e-6).ln()
}

#[inline(always)]
fn dot(a_m: &[f32], b_m: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (a, b) = (lanes(a_m), lanes(b_m));
    for at in 0..a.len().min(b.len()) {
        for k in 0..LANES {
            sums[k] += a[at][k] * b[at][k];
        }
    }
    fold(sums)
}

/// Weighted sum and weight of the kept rows that have the number (absent ones hold 0).
#[inline(always)]
fn present_moment(x_m: &[f32], status_m: &[u16], weights_m: &[f32], part_m: &mut [f32]) -> (f32, f32) {
    (dot(x_m, weights_m), split(status_m, PRESENT, weights_m, part_m).0)
}

/// The weight of the kept rows that have this code, and of those that have another.
#[inline(always)]
fn split(c_m: &[u16], code: u16, weights_m: &[f32], part_m: &mut [f32]) -> (f32, f32) {
    let count = c_m.len().min(weights_m.len()).min(part_m.len());
    let (c, w, part) = (&c_m[..count], &weights_m[..count], &mut part_m[..count]);
    for at in 0..count {
        part[at] = if c[at] == code { w[at] } else { 0.0 };
    }
    let same = sum(part);
    for at in 0..count {
        part[at] = if c[at] == code { 0.0 } else { w[at] };
    }
    (same, sum(part))
}

/// Adds the conditional energies: each column left out of the kernel in turn, at every width.
#[inline(always)]
fn conditional(memory: &Memory, x_n: &[f32], c_c: &[u16], scratch: &mut Scratch, features: &mut [f32]) {
    let numbers = memory.numbers.len();
    let Scratch { bounded, column: rest, part, weights, whole, .. } = scratch;
    let nearest = minimum(bounded);
    let levels = &memory.levels.conditional;
    for (&tau, weights) in levels.iter().zip(whole.chunks_exact_mut(memory.padded)) {
        weigh(bounded, nearest, tau, weights);
    }
    for column in &memory.columns {
        if let ([], &[category]) = (column.numbers.as_slice(), column.categories.as_slice()) {
            // A lone category needs no second pass: the rows that mismatch regain e^(weight / tau).
            let spec = &memory.categories[category];
            let code = c_c[category];
            for (&tau, weights) in levels.iter().zip(whole.chunks_exact(memory.padded)) {
                let share = if spec.varies(code) {
                    let (same, other) = split(memory.c(category), code, weights, part);
                    let regained = other * (spec.weight / tau).exp();
                    if same > 0.0 { same / (same + regained) } else { 0.0 }
                } else {
                    spec.constant_share(code)
                };
                features[numbers + category] += spec.energy(code, share);
            }
            continue;
        }
        memory.column_rest(column, x_n, c_c, bounded, rest);
        let shift = minimum(rest);
        for &tau in levels {
            let varying = column.categories.iter().any(|&c| memory.categories[c].varies(c_c[c]));
            let mass = if varying { weigh(rest, shift, tau, weights) } else { total_weight(rest, shift, tau) };
            // Log weight without the column; each of its numbers subtracts the log weight with it, below.
            let free = mass.ln() - shift / tau;
            for &number in &column.numbers {
                if c_c[memory.numbers[number].status] == PRESENT {
                    features[number] += free;
                }
            }
            for &category in &column.categories {
                let spec = &memory.categories[category];
                let code = c_c[category];
                let share = if spec.varies(code) {
                    (split(memory.c(category), code, weights, part).0 / mass).min(1.0)
                } else {
                    spec.constant_share(code)
                };
                features[numbers + category] += spec.energy(code, share);
            }
        }
        for &number in &column.numbers {
            if c_c[memory.numbers[number].status] != PRESENT {
                continue;
            }
            part.copy_from_slice(rest);
            memory.add_number(number, f32::MAX, x_n, c_c, part);
            let with_shift = minimum(part);
            for &tau in levels {
                features[number] -= total_weight(part, with_shift, tau).ln() - with_shift / tau;
            }
        }
    }
}

impl Category {
    /// The kept rows do not all agree on whether they match this code.
    #[inline(always)]
    fn varies(&self, code: u16) -> bool {
        self.constant.is_none() && (code != OTHER || self.status)
    }

    /// The share of matching rows where they all agree.
    #[inline(always)]
    fn constant_share(&self, code: u16) -> f32 {
        if self.constant == Some(code) && (code != OTHER || self.status) { 1.0 } else { 0.0 }
    }

    /// `-log((1 - s) p + s m)` in nats: the kernel's share smoothed by the marginal.
    #[inline(always)]
    fn energy(&self, code: u16, share: f32) -> f32 {
        let marginal = self.marginal.get(usize::from(code)).copied().unwrap_or(1e-6);
        -((1.0 - MARGINAL_SHARE) * share + MARGINAL_SHARE * marginal).ln()
    }
}
