//! Density, joint and conditional energies of one row.

use multiversion::multiversion;

use super::{Category, Column, MARGINAL_SHARE, Memory, Scratch};
use crate::block::{OTHER, PRESENT};
use crate::numeric::{LANES, exp, fold, minimum};

impl Memory {
    /// Raw row energies `rows` (local densities, wide densities, joints) and the conditional energy
    /// of every feature (numbers then categories; 0 where a number is absent), in nats.
    pub fn energies(&self, x_n: &[f32], c_c: &[u16], scratch: &mut Scratch, rows: &mut [f32], features: &mut [f32]) {
        row_energies(self, x_n, c_c, scratch, rows, features);
    }
}

#[multiversion(targets(
    "x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma",
    "x86_64+avx2+fma",
))]
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
        rows[local + wide + level] = joint(memory, x_n, c_c, &scratch.weights, total, tau);
    }
    for (level, &tau) in memory.levels.wide.iter().enumerate() {
        let total = weigh(&scratch.distance, nearest, tau, &mut scratch.weights);
        rows[local + level] = nearest / tau - (total / memory.rows as f32).ln();
    }
    features.fill(0.0);
    for &tau in &memory.levels.conditional {
        conditional(memory, x_n, c_c, scratch, nearest, tau, features);
    }
}

/// `w_i = exp(-(E_i - shift) / tau)` and their sum.
#[inline(always)]
fn weigh(distance_m: &[f32], shift: f32, tau: f32, weights_m: &mut [f32]) -> f32 {
    let rate = -1.0 / tau;
    let mut lanes = [0.0_f32; LANES];
    for (w, e) in weights_m.chunks_exact_mut(LANES).zip(distance_m.chunks_exact(LANES)) {
        for k in 0..LANES {
            w[k] = exp((e[k] - shift) * rate);
            lanes[k] += w[k];
        }
    }
    fold(lanes)
}

/// The sum of `exp(-(E_i - shift) / tau)`, nothing stored.
#[inline(always)]
fn total_weight(distance_m: &[f32], shift: f32, tau: f32) -> f32 {
    let rate = -1.0 / tau;
    let mut lanes = [0.0_f32; LANES];
    for e in distance_m.chunks_exact(LANES) {
        for k in 0..LANES {
            lanes[k] += exp((e[k] - shift) * rate);
        }
    }
    fold(lanes)
}

/// `sum_j (mean_j - x_j)^2 / tau`, then its log: tau times the squared gradient of the density.
#[inline(always)]
fn joint(memory: &Memory, x_n: &[f32], c_c: &[u16], weights_m: &[f32], total: f32, tau: f32) -> f32 {
    let mut sum = 0.0_f32;
    for (number, spec) in memory.numbers.iter().enumerate() {
        if c_c[spec.status] != PRESENT {
            continue;
        }
        let (moment, mass) = if spec.absent {
            present_moment(memory.x(number), memory.c(spec.status), weights_m)
        } else {
            (dot(memory.x(number), weights_m), total)
        };
        if mass > 0.0 {
            let gap = moment / mass - x_n[number];
            sum += spec.weight * gap * gap;
        }
    }
    (sum / tau + 1e-6).ln()
}

#[inline(always)]
fn dot(a_m: &[f32], b_m: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    for (a, b) in a_m.chunks_exact(LANES).zip(b_m.chunks_exact(LANES)) {
        for k in 0..LANES {
            lanes[k] += a[k] * b[k];
        }
    }
    fold(lanes)
}

/// Weighted sum and weight of the kept rows that have the number (absent ones hold 0).
#[inline(always)]
fn present_moment(x_m: &[f32], status_m: &[u16], weights_m: &[f32]) -> (f32, f32) {
    (dot(x_m, weights_m), split(status_m, PRESENT, weights_m).0)
}

/// The weight of the kept rows that have this code, and of those that have another.
#[inline(always)]
fn split(c_m: &[u16], code: u16, weights_m: &[f32]) -> (f32, f32) {
    let mut same = [0.0_f32; LANES];
    let mut other = [0.0_f32; LANES];
    for (c, w) in c_m.chunks_exact(LANES).zip(weights_m.chunks_exact(LANES)) {
        for k in 0..LANES {
            let matches = c[k] == code;
            same[k] += if matches { w[k] } else { 0.0 };
            other[k] += if matches { 0.0 } else { w[k] };
        }
    }
    (fold(same), fold(other))
}

/// Adds the conditional energies at one width: each column left out of the kernel in turn.
#[inline(always)]
fn conditional(
    memory: &Memory,
    x_n: &[f32],
    c_c: &[u16],
    scratch: &mut Scratch,
    nearest: f32,
    tau: f32,
    features: &mut [f32],
) {
    let numbers = memory.numbers.len();
    let Scratch { distance, column: rest, part, weights, whole } = scratch;
    let total = weigh(distance, nearest, tau, whole);
    for column in &memory.columns {
        if let ([], &[category]) = (column.numbers.as_slice(), column.categories.as_slice()) {
            // A lone category needs no second pass: the rows that mismatch regain e^(weight / tau).
            let spec = &memory.categories[category];
            let code = c_c[category];
            let share = if spec.constant.is_none() && !(code == OTHER && !spec.status) {
                let (same, other) = split(memory.c(category), code, whole);
                let regained = other * (spec.weight / tau).exp();
                if same > 0.0 { same / (same + regained) } else { 0.0 }
            } else {
                constant_share(spec, code)
            };
            features[numbers + category] += category_energy(spec, code, share);
            continue;
        }
        memory.column_rest(column, x_n, c_c, distance, rest);
        let shift = minimum(rest);
        let varying = column.categories.iter().any(|&c| memory.categories[c].constant.is_none());
        let mass = if varying { weigh(rest, shift, tau, weights) } else { total_weight(rest, shift, tau) };
        let present = column.numbers.iter().filter(|&&n| c_c[memory.numbers[n].status] == PRESENT).count();
        for &number in &column.numbers {
            if c_c[memory.numbers[number].status] != PRESENT {
                continue;
            }
            // Log weight without the column, less the log weight with this feature of it.
            let (with_shift, with_mass) = if present == 1 && !varying {
                (nearest - column_base(memory, column, c_c), total)
            } else {
                part.copy_from_slice(rest);
                memory.add_number(number, x_n, c_c, part);
                let with_shift = minimum(part);
                (with_shift, total_weight(part, with_shift, tau))
            };
            features[number] += (with_shift - shift) / tau + mass.ln() - with_mass.ln();
        }
        for &category in &column.categories {
            let spec = &memory.categories[category];
            let code = c_c[category];
            let share = if spec.constant.is_none() && !(code == OTHER && !spec.status) {
                (split(memory.c(category), code, weights).0 / mass).min(1.0)
            } else {
                constant_share(spec, code)
            };
            features[numbers + category] += category_energy(spec, code, share);
        }
    }
}

/// What a column's categories add to every kept row alike.
#[inline(always)]
fn column_base(memory: &Memory, column: &Column, c_c: &[u16]) -> f32 {
    let mut base = 0.0;
    for &category in &column.categories {
        let spec = &memory.categories[category];
        if constant_share(spec, c_c[category]) == 0.0 {
            base += spec.weight;
        }
    }
    base
}

#[inline(always)]
fn constant_share(spec: &Category, code: u16) -> f32 {
    if spec.constant == Some(code) && (code != OTHER || spec.status) { 1.0 } else { 0.0 }
}

/// `-log((1 - s) p + s m)` in nats: the kernel's share smoothed by the marginal.
#[inline(always)]
fn category_energy(spec: &Category, code: u16, share: f32) -> f32 {
    let marginal = spec.marginal.get(usize::from(code)).copied().unwrap_or(1e-6);
    -((1.0 - MARGINAL_SHARE) * share + MARGINAL_SHARE * marginal).ln()
}
