//! Density, joint and conditional energies of one row.

use multiversion::multiversion;

use super::distance::least;
use super::{BOUND, Category, Column, MARGINAL_SHARE, Memory, NEGLIGIBLE, Scratch};
use crate::block::{OTHER, PRESENT};
use crate::numeric::{LANES, exp, fold, fuses, lanes, lanes_mut, minimum, multiply_add, sum};

/// Energies that not every plan counts.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// The wide densities from this place on.
    pub wide_from: usize,
    /// The isolation by sums of roots.
    pub roots: bool,
}

impl Wanted {
    pub const ALL: Self = Self { wide_from: 0, roots: true };
}

impl Memory {
    /// Raw row energies `rows` (local densities, wide densities, joints, marginal, extremity, isolation twice) and the
    /// conditional energy of every feature (numbers then categories; 0 where a number is absent), in nats. What is not
    /// `wanted` is 0.
    pub fn energies(
        &self,
        (x_n, c_c): (&[f32], &[u16]),
        wanted: Wanted,
        scratch: &mut Scratch,
        rows: &mut [f32],
        features: &mut [f32],
    ) {
        dispatched(self, (x_n, c_c), wanted, scratch, rows, features);
    }

    /// The local densities, then the wide ones, as in `energies` and without the rest of them.
    pub fn densities(&self, x_n: &[f32], c_c: &[u16], scratch: &mut Scratch, found: &mut [f32]) {
        dispatched_densities(self, x_n, c_c, scratch, found);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma", "aarch64+neon"))]
fn dispatched_densities(memory: &Memory, x_n: &[f32], c_c: &[u16], scratch: &mut Scratch, found: &mut [f32]) {
    const FMA: bool = fuses(&multiversion::target::selected_target!());
    if FMA {
        row_densities::<true>(memory, x_n, c_c, scratch, found);
    } else {
        row_densities::<false>(memory, x_n, c_c, scratch, found);
    }
}

#[inline(always)]
fn row_densities<const FMA: bool>(memory: &Memory, x_n: &[f32], c_c: &[u16], scratch: &mut Scratch, found: &mut [f32]) {
    let left_out = memory.distances(x_n, c_c, &mut scratch.distance, &mut scratch.bounded);
    let nearest = minimum(&scratch.distance);
    for (density, &tau) in found.iter_mut().zip(memory.levels.local.iter().chain(&memory.levels.wide)) {
        *density = nearest / tau - (total_weight::<FMA>(&scratch.distance, nearest, tau) / memory.rows as f32).ln();
    }
    given::<FMA>(memory, (x_n, c_c), 0, left_out, scratch, found);
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma", "aarch64+neon"))]
fn dispatched(
    memory: &Memory,
    row: (&[f32], &[u16]),
    wanted: Wanted,
    scratch: &mut Scratch,
    rows: &mut [f32],
    features: &mut [f32],
) {
    const FMA: bool = fuses(&multiversion::target::selected_target!());
    if FMA {
        row_energies::<true>(memory, row, wanted, scratch, rows, features);
    } else {
        row_energies::<false>(memory, row, wanted, scratch, rows, features);
    }
}

#[inline(always)]
fn row_energies<const FMA: bool>(
    memory: &Memory,
    (x_n, c_c): (&[f32], &[u16]),
    wanted: Wanted,
    scratch: &mut Scratch,
    rows: &mut [f32],
    features: &mut [f32],
) {
    let left_out = memory.distances(x_n, c_c, &mut scratch.distance, &mut scratch.bounded);
    let nearest = minimum(&scratch.distance);
    let local = memory.levels.local.len();
    let wide = memory.levels.wide.len();
    for (level, &tau) in memory.levels.local.iter().enumerate() {
        let total = weigh::<FMA>(&scratch.distance, nearest, tau, &mut scratch.weights);
        rows[level] = nearest / tau - (total / memory.rows as f32).ln();
        rows[local + wide + level] = joint::<FMA>(memory, x_n, c_c, &scratch.weights, &mut scratch.part, total, tau);
    }
    rows[local..local + wide].fill(0.0);
    for (level, &tau) in memory.levels.wide.iter().enumerate().skip(wanted.wide_from) {
        let total = total_weight::<FMA>(&scratch.distance, nearest, tau);
        rows[local + level] = nearest / tau - (total / memory.rows as f32).ln();
    }
    given::<FMA>(memory, (x_n, c_c), wanted.wide_from, left_out, scratch, &mut rows[..local + wide]);
    let alone = &mut rows[2 * local + wide..];
    (alone[0], alone[1]) = memory.marginals(x_n, c_c, left_out.is_some());
    alone[2] = memory.isolation(&scratch.distance);
    alone[3] = if wanted.roots { memory.roots(x_n, c_c, left_out, &mut scratch.roots) } else { 0.0 };
    features.fill(0.0);
    conditional::<FMA>(memory, (x_n, c_c, left_out.is_some()), scratch, features);
}

/// Takes the density of the context columns alone out of the densities that were asked for: what is left is given them.
#[inline(always)]
fn given<const FMA: bool>(
    memory: &Memory,
    (x_n, c_c): (&[f32], &[u16]),
    wide_from: usize,
    left_out: Option<usize>,
    scratch: &mut Scratch,
    densities: &mut [f32],
) {
    if !memory.has_context() {
        return;
    }
    memory.context_distances(x_n, c_c, left_out, &mut scratch.context);
    let nearest = minimum(&scratch.context);
    let (local, wide) = densities.split_at_mut(memory.levels.local.len());
    let local = local.iter_mut().zip(&memory.levels.local);
    for (density, &tau) in local.chain(wide.iter_mut().zip(&memory.levels.wide).skip(wide_from)) {
        *density -= nearest / tau - (total_weight::<FMA>(&scratch.context, nearest, tau) / memory.rows as f32).ln();
    }
}

/// `w_i = exp(-(E_i - shift) / tau)` and their sum.
#[inline(always)]
fn weigh<const FMA: bool>(distance_m: &[f32], shift: f32, tau: f32, weights_m: &mut [f32]) -> f32 {
    let rate = -1.0 / tau;
    let mut sums = [0.0_f32; LANES];
    let (distances, weights) = (lanes(distance_m), lanes_mut(weights_m));
    for at in 0..distances.len().min(weights.len()) {
        let (e, w) = (&distances[at], &mut weights[at]);
        for k in 0..LANES {
            w[k] = exp::<FMA>((e[k] - shift) * rate);
        }
        for k in 0..LANES {
            sums[k] += w[k];
        }
    }
    fold(sums)
}

/// The sum of `exp(-(E_i - shift) / tau)`, nothing stored.
#[inline(always)]
fn total_weight<const FMA: bool>(distance_m: &[f32], shift: f32, tau: f32) -> f32 {
    let rate = -1.0 / tau;
    let mut sums = [0.0_f32; LANES];
    for e in lanes(distance_m) {
        for k in 0..LANES {
            sums[k] += exp::<FMA>((e[k] - shift) * rate);
        }
    }
    fold(sums)
}

/// `sum_j (mean_j - x_j)^2 / tau`, then its log: tau times the squared gradient of the density.
#[inline(always)]
fn joint<const FMA: bool>(
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
        if spec.given || c_c[spec.status] != PRESENT {
            continue;
        }
        let (moment, mass) = if spec.absent {
            present_moment::<FMA>(memory.x(number), memory.c(spec.status), weights_m, part_m)
        } else {
            (dot::<FMA>(memory.x(number), weights_m), total)
        };
        if mass > NEGLIGIBLE {
            let gap = moment / mass - x_n[number];
            sum += spec.weight * gap * gap;
        }
    }
    (sum / tau + 1e-6).ln()
}

#[inline(always)]
fn dot<const FMA: bool>(a_m: &[f32], b_m: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (a, b) = (lanes(a_m), lanes(b_m));
    for at in 0..a.len().min(b.len()) {
        for k in 0..LANES {
            sums[k] = multiply_add::<FMA>(a[at][k], b[at][k], sums[k]);
        }
    }
    fold(sums)
}

/// Weighted sum and weight of the kept rows that have the number (absent ones hold 0).
#[inline(always)]
fn present_moment<const FMA: bool>(x_m: &[f32], status_m: &[u16], weights_m: &[f32], part_m: &mut [f32]) -> (f32, f32) {
    (dot::<FMA>(x_m, weights_m), matching::<1>(status_m, PRESENT, weights_m, part_m)[0])
}

/// Sums of weights at the wide and at the narrow width.
type Pair = [f32; 2];
/// Numbers, codes, and whether an exact copy of the row is left out of the vote.
type Row<'a> = (&'a [f32], &'a [u16], bool);

/// Adds the conditional energies: each column left out of the kernel in turn, at every width.
///
/// The weights at the narrow width are a whole power of those at the wide one, so that one exp serves both. A number's
/// own distance is bounded like any other; how far the nearest kept value is beyond the bound is added.
#[inline(always)]
fn conditional<const FMA: bool>(memory: &Memory, row: Row<'_>, scratch: &mut Scratch, features: &mut [f32]) {
    let Some(&tau) = memory.levels.conditional.last() else { return };
    match memory.levels.power() {
        1 => conditional_at::<FMA, 1>(memory, tau, row, scratch, features),
        2 => conditional_at::<FMA, 2>(memory, tau, row, scratch, features),
        3 => conditional_at::<FMA, 3>(memory, tau, row, scratch, features),
        _ => conditional_at::<FMA, 4>(memory, tau, row, scratch, features),
    }
}

#[inline(always)]
fn conditional_at<const FMA: bool, const POWER: u32>(
    memory: &Memory,
    tau: f32,
    row: Row<'_>,
    scratch: &mut Scratch,
    features: &mut [f32],
) {
    let (x_n, c_c, left_out) = row;
    let numbers = memory.numbers.len();
    let widths = times::<POWER>();
    let voters = memory.conditional;
    let nearest = minimum(&scratch.bounded[..voters]);
    let total = weigh_both::<FMA, POWER>(&scratch.bounded[..voters], nearest, tau, &mut scratch.whole[..voters]);
    for column in memory.columns.iter().filter(|column| !column.given) {
        match (column.numbers.as_slice(), column.categories.as_slice()) {
            (&[], &[category]) => {
                // A lone category needs no second pass: the rows that mismatch regain e^(weight / tau).
                let (spec, code) = (&memory.categories[category], c_c[category]);
                let varies = spec.varies(code);
                let same = if varies {
                    matching::<POWER>(memory.c(category), code, &scratch.whole[..voters], &mut scratch.part)
                } else {
                    [0.0; 2]
                };
                for (level, &times) in widths.iter().enumerate() {
                    let regained = (total[level] - same[level]).max(0.0) * (spec.weight * times / tau).exp();
                    let share = match varies {
                        true if same[level] > 0.0 => same[level] / (same[level] + regained),
                        true => 0.0,
                        false => spec.constant_share(code),
                    };
                    features[numbers + category] += spec.energy(code, share);
                }
            }
            (&[number], &[status]) if memory.categories[status].constant == Some(PRESENT) => {
                // All kept rows have the number: without it the distance is less by its own alone.
                let (spec, code) = (&memory.categories[status], c_c[status]);
                features[numbers + status] += widths.len() as f32 * spec.energy(code, spec.constant_share(code));
                if code == PRESENT {
                    let reach = BOUND * memory.numbers[number].weight;
                    let free = without::<FMA, POWER>(
                        memory,
                        number,
                        x_n[number],
                        &scratch.bounded[..voters],
                        nearest - reach,
                        tau,
                    );
                    let beyond = memory.beyond(number, x_n[number], left_out);
                    for (level, &times) in widths.iter().enumerate() {
                        features[number] += (free[level] / total[level]).ln() + (reach + beyond) * times / tau;
                    }
                }
            }
            _ => several::<FMA, POWER>(memory, tau, column, row, scratch, features),
        }
    }
}

/// The wide width over each width: itself, then the narrow one if it is another.
#[inline(always)]
fn times<const POWER: u32>() -> &'static [f32] {
    match POWER {
        1 => &[1.0],
        2 => &[1.0, 2.0],
        3 => &[1.0, 3.0],
        _ => &[1.0, 4.0],
    }
}

/// A column of several features, none of them like another.
#[inline(always)]
fn several<const FMA: bool, const POWER: u32>(
    memory: &Memory,
    tau: f32,
    column: &Column,
    row: Row<'_>,
    scratch: &mut Scratch,
    features: &mut [f32],
) {
    let (x_n, c_c, left_out) = row;
    let numbers = memory.numbers.len();
    let voters = memory.conditional;
    let Scratch { bounded, column: rest, part, weights, .. } = scratch;
    let (rest, part, weights) = (&mut rest[..voters], &mut part[..voters], &mut weights[..voters]);
    memory.column_rest(column, x_n, c_c, bounded, rest);
    let shift = minimum(rest);
    let mass = weigh_both::<FMA, POWER>(rest, shift, tau, weights);
    for &category in &column.categories {
        let (spec, code) = (&memory.categories[category], c_c[category]);
        let varies = spec.varies(code);
        let same = if varies { matching::<POWER>(memory.c(category), code, weights, part) } else { [0.0; 2] };
        for level in 0..times::<POWER>().len() {
            let share = if varies { (same[level] / mass[level]).min(1.0) } else { spec.constant_share(code) };
            features[numbers + category] += spec.energy(code, share);
        }
    }
    for &number in &column.numbers {
        if c_c[memory.numbers[number].status] != PRESENT {
            continue;
        }
        part.copy_from_slice(rest);
        memory.add_number(number, BOUND, x_n, c_c, part);
        let with_shift = minimum(part);
        let with = weigh_both::<FMA, POWER>(part, with_shift, tau, weights);
        let beyond = memory.beyond(number, x_n[number], left_out);
        for (level, &times) in times::<POWER>().iter().enumerate() {
            features[number] += (mass[level] / with[level]).ln() + (with_shift - shift + beyond) * times / tau;
        }
    }
}

/// Weights at the wide width, kept, and their sums at both.
#[inline(always)]
fn weigh_both<const FMA: bool, const POWER: u32>(
    distance_m: &[f32],
    shift: f32,
    tau: f32,
    weights_m: &mut [f32],
) -> Pair {
    let wide = weigh::<FMA>(distance_m, shift, tau, weights_m);
    [wide, if POWER == 1 { wide } else { sum_of_powers::<POWER>(weights_m) }]
}

#[inline(always)]
fn sum_of_powers<const POWER: u32>(weights_m: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    for w in lanes(weights_m) {
        for k in 0..LANES {
            sums[k] += power::<POWER>(w[k]);
        }
    }
    fold(sums)
}

#[inline(always)]
fn power<const POWER: u32>(w: f32) -> f32 {
    match POWER {
        1 => w,
        2 => w * w,
        3 => w * w * w,
        _ => (w * w) * (w * w),
    }
}

/// Both weights of the kept rows that have this code.
#[inline(always)]
fn matching<const POWER: u32>(c_m: &[u16], code: u16, weights_m: &[f32], part_m: &mut [f32]) -> Pair {
    let count = c_m.len().min(weights_m.len()).min(part_m.len());
    let (c, w, part) = (&c_m[..count], &weights_m[..count], &mut part_m[..count]);
    for at in 0..count {
        part[at] = if c[at] == code { w[at] } else { 0.0 };
    }
    let wide = sum(part);
    [wide, if POWER == 1 { wide } else { sum_of_powers::<POWER>(part) }]
}

/// Both sums of weights with a number left out that every kept row has.
#[inline(always)]
fn without<const FMA: bool, const POWER: u32>(
    memory: &Memory,
    number: usize,
    x: f32,
    bounded_m: &[f32],
    shift: f32,
    tau: f32,
) -> Pair {
    let spec = &memory.numbers[number];
    let (half, bound, rate) = (0.5 * spec.weight, BOUND * spec.weight, -1.0 / tau);
    let (kept, distances) = (lanes(memory.x(number)), lanes(bounded_m));
    let (mut wide, mut narrow) = ([0.0_f32; LANES], [0.0_f32; LANES]);
    for at in 0..kept.len().min(distances.len()) {
        let (kept, e) = (&kept[at], &distances[at]);
        let mut w = [0.0_f32; LANES];
        for k in 0..LANES {
            let d = kept[k] - x;
            w[k] = exp::<FMA>((e[k] - least(half * (d * d), bound) - shift) * rate);
        }
        for k in 0..LANES {
            wide[k] += w[k];
        }
        for k in 0..LANES {
            narrow[k] += power::<POWER>(w[k]);
        }
    }
    [fold(wide), fold(narrow)]
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
