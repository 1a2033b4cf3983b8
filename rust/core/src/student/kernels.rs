//! Arithmetic of a tile. Everything is `#[inline(always)]` into one function that is compiled for AVX-512, AVX2 and the
//! portable baseline and chosen at run time.
//!
//! A row's sums run over the inputs in their order, whatever the tile, so that its bits depend on nothing but the row.

use crate::numeric::{LANES, fold, lanes, lanes_mut, multiply_add};

/// Rows that share a load of the weights. A tile has a multiple of them.
pub(super) const ROWS: usize = 4;

/// How many of the ascending knots are not above `x`.
#[inline(always)]
pub(super) fn below(knots: &[f32], x: f32) -> usize {
    let mut count = [0_u32; LANES];
    let (chunks, rest) = knots.as_chunks::<LANES>();
    for chunk in chunks {
        for k in 0..LANES {
            count[k] += u32::from(chunk[k] <= x);
        }
    }
    let rest = rest.iter().filter(|knot| **knot <= x).count();
    count.iter().sum::<u32>() as usize + rest
}

/// A point of the first layer: so many groups of lanes into its table, and how far it is on the way to the next row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Point {
    pub(super) at: usize,
    pub(super) share: f32,
}

/// `out` [H] = base [H], plus points on `curve` [.., H], plus rows of `code` [.., H]: a group of lanes at a time, whose
/// sum stays in a register for the whole row.
#[inline(always)]
pub(super) fn add_up<const FMA: bool>(
    base: &[f32],
    (curve, points): (&[f32], &[Point]),
    (code, rows): (&[f32], &[usize]),
    out: &mut [f32],
) {
    let (curve, code, groups) = (lanes(curve), lanes(code), out.len() / LANES);
    for (group, (base, out)) in lanes(base).iter().zip(lanes_mut(out)).enumerate() {
        let mut sum = *base;
        for point in points {
            let (before, after) = (&curve[point.at + group], &curve[point.at + groups + group]);
            for k in 0..LANES {
                sum[k] += multiply_add::<FMA>(point.share, after[k] - before[k], before[k]);
            }
        }
        for row in rows {
            let own = &code[row + group];
            for k in 0..LANES {
                sum[k] += own[k];
            }
        }
        *out = sum;
    }
}

/// `weights` [H, H] as [`layer`] reads them: for each group of lanes of the outputs, the inputs one after the other.
pub(super) fn pack(weights: &[f32], width: usize) -> Vec<f32> {
    let groups = (0..width).step_by(LANES);
    groups
        .flat_map(|at| (0..width).flat_map(move |k| &weights[k * width + at..k * width + at + LANES]))
        .copied()
        .collect()
}

/// `out` [T, H] = bias + h `packed` for `h` [T, H], [`ROWS`] rows and a group of lanes at a time: their sums stay in
/// registers.
#[inline(always)]
pub(super) fn layer<const FMA: bool>(h: &[f32], packed: &[f32], bias: &[f32], width: usize, out: &mut [f32]) {
    for (h, out) in h.chunks_exact(ROWS * width).zip(out.chunks_exact_mut(ROWS * width)) {
        let (front, back) = h.split_at(2 * width);
        let ((a, b), (c, d)) = (front.split_at(width), back.split_at(width));
        for (group, bias) in lanes(bias).iter().enumerate() {
            let own = &lanes(packed)[group * width..(group + 1) * width];
            let [mut p, mut q, mut r, mut s] = [*bias; ROWS];
            for k in 0..own.len().min(a.len()).min(b.len()).min(c.len()).min(d.len()) {
                p = fused::<FMA>(a[k], own[k], p);
                q = fused::<FMA>(b[k], own[k], q);
                r = fused::<FMA>(c[k], own[k], r);
                s = fused::<FMA>(d[k], own[k], s);
            }
            for (out, sum) in out.chunks_exact_mut(width).zip([p, q, r, s]) {
                lanes_mut(out)[group] = sum;
            }
        }
    }
}

#[inline(always)]
fn fused<const FMA: bool>(x: f32, own: [f32; LANES], mut sum: [f32; LANES]) -> [f32; LANES] {
    for k in 0..LANES {
        sum[k] = multiply_add::<FMA>(x, own[k], sum[k]);
    }
    sum
}

/// max(h, 0) in place.
#[inline(always)]
pub(super) fn rectify(h: &mut [f32]) {
    for x in h {
        *x = if *x > 0.0 { *x } else { 0.0 };
    }
}

/// The sum of the products of two rows.
#[inline(always)]
pub(super) fn dot<const FMA: bool>(row: &[f32], weights: &[f32]) -> f32 {
    let mut partial = [0.0_f32; LANES];
    for (x, w) in lanes(row).iter().zip(lanes(weights)) {
        for k in 0..LANES {
            partial[k] = multiply_add::<FMA>(x[k], w[k], partial[k]);
        }
    }
    fold(partial)
}
