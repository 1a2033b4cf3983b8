//! Arithmetic of a tile. Everything is `#[inline(always)]` into one function that is compiled for AVX-512, AVX2 and the
//! portable baseline and chosen at run time.
//!
//! A row's sums run over the inputs in their order, whatever the tile, so that its bits depend on nothing but the row.

use crate::numeric::{LANES, fold, lanes, multiply_add};

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

/// Adds to `row` [H] a point of `curve` [K, H], `share` of the way from knot `at` to the next.
#[inline(always)]
pub(super) fn add_point<const FMA: bool>(curve: &[f32], at: usize, share: f32, row: &mut [f32]) {
    let width = row.len();
    let (before, after) = curve[at * width..(at + 2) * width].split_at(width);
    let (before, after) = (lanes(before), lanes(after));
    for (c, sum) in row.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        for k in 0..LANES {
            let step = after[c][k] - before[c][k];
            sum[k] += multiply_add::<FMA>(share, step, before[c][k]);
        }
    }
}

/// Adds a row of `table` [S, H].
#[inline(always)]
pub(super) fn add_row(table: &[f32], place: usize, row: &mut [f32]) {
    let width = row.len();
    let own = lanes(&table[place * width..(place + 1) * width]);
    for (c, sum) in row.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        for k in 0..LANES {
            sum[k] += own[c][k];
        }
    }
}

/// `out` [T, H] = bias + h `weights` for `h` [T, H], `weights` [H, H].
#[inline(always)]
pub(super) fn layer<const FMA: bool>(h: &[f32], weights: &[f32], bias: &[f32], width: usize, out: &mut [f32]) {
    for (h, out) in h.chunks_exact(ROWS * width).zip(out.chunks_exact_mut(ROWS * width)) {
        for at in (0..width).step_by(LANES) {
            let mut sums = [[0.0_f32; LANES]; ROWS];
            for sum in &mut sums {
                sum.copy_from_slice(&bias[at..at + LANES]);
            }
            for k in 0..width {
                let Some(own) = weights[k * width + at..].first_chunk::<LANES>() else { break };
                for (row, sum) in sums.iter_mut().enumerate() {
                    let x = h[row * width + k];
                    for lane in 0..LANES {
                        sum[lane] = multiply_add::<FMA>(x, own[lane], sum[lane]);
                    }
                }
            }
            for (row, sum) in sums.iter().enumerate() {
                out[row * width + at..row * width + at + LANES].copy_from_slice(sum);
            }
        }
    }
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
