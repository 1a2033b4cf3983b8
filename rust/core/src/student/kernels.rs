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

/// `out` [H] = base [H], plus points on `curve` [.., H], plus rows of `code` [.., H]: four groups of lanes at a time, whose
/// sums stay in registers for the whole row.
#[inline(always)]
pub(super) fn add_up<const FMA: bool>(
    base: &[f32],
    (curve, points): (&[f32], &[Point]),
    (code, rows): (&[f32], &[usize]),
    out: &mut [f32],
) {
    let (base, curve, code, groups) = (lanes(base), lanes(curve), lanes(code), out.len() / LANES);
    let out = lanes_mut(out);
    let (fours, _) = base.as_chunks::<4>();
    for (group, (base, out)) in fours.iter().zip(out.as_chunks_mut::<4>().0).enumerate() {
        let [mut p, mut q, mut r, mut s] = *base;
        for point in points {
            let own = &curve[point.at + 4 * group..];
            let (Some(before), Some(after)) = (own.first_chunk::<4>(), own[groups..].first_chunk::<4>()) else { break };
            p = between::<FMA>(point.share, before[0], after[0], p);
            q = between::<FMA>(point.share, before[1], after[1], q);
            r = between::<FMA>(point.share, before[2], after[2], r);
            s = between::<FMA>(point.share, before[3], after[3], s);
        }
        for row in rows {
            let Some(own) = code[row + 4 * group..].first_chunk::<4>() else { break };
            p = plus(own[0], p);
            q = plus(own[1], q);
            r = plus(own[2], r);
            s = plus(own[3], s);
        }
        *out = [p, q, r, s];
    }
    for group in 4 * fours.len()..groups {
        let mut sum = base[group];
        for point in points {
            let (before, after) = (curve[point.at + group], curve[point.at + groups + group]);
            sum = between::<FMA>(point.share, before, after, sum);
        }
        for row in rows {
            sum = plus(code[row + group], sum);
        }
        out[group] = sum;
    }
}

#[inline(always)]
fn between<const FMA: bool>(
    share: f32,
    before: [f32; LANES],
    after: [f32; LANES],
    mut sum: [f32; LANES],
) -> [f32; LANES] {
    for k in 0..LANES {
        sum[k] += multiply_add::<FMA>(share, after[k] - before[k], before[k]);
    }
    sum
}

#[inline(always)]
fn plus(own: [f32; LANES], mut sum: [f32; LANES]) -> [f32; LANES] {
    for k in 0..LANES {
        sum[k] += own[k];
    }
    sum
}

/// `weights` [H, H] as [`layer`] reads them: for each group of lanes of the outputs, the inputs one after the other.
pub(super) fn pack(weights: &[f32], width: usize) -> Vec<f32> {
    let groups = (0..width).step_by(LANES);
    groups
        .flat_map(|at| (0..width).flat_map(move |k| &weights[k * width + at..k * width + at + LANES]))
        .copied()
        .collect()
}

/// `out` [T, H] = bias + h `packed` for `h` [T, H]. [`ROWS`] rows and a group of lanes at a time, two groups where there
/// are registers for it (`MANY`): their sums stay in registers.
#[inline(always)]
pub(super) fn layer<const FMA: bool, const MANY: bool>(
    h: &[f32],
    packed: &[f32],
    bias: &[f32],
    width: usize,
    out: &mut [f32],
) {
    let (packed, bias) = (lanes(packed), lanes(bias));
    let paired = if MANY { bias.len() / 2 * 2 } else { 0 };
    for (h, out) in h.chunks_exact(ROWS * width).zip(out.chunks_exact_mut(ROWS * width)) {
        let (front, back) = h.split_at(2 * width);
        let ((a, b), (c, d)) = (front.split_at(width), back.split_at(width));
        for group in (0..paired).step_by(2) {
            let (one, two) = packed[group * width..(group + 2) * width].split_at(width);
            let [mut p, mut q, mut r, mut s] = [bias[group]; ROWS];
            let [mut t, mut u, mut v, mut w] = [bias[group + 1]; ROWS];
            for k in 0..one.len().min(two.len()).min(a.len()).min(b.len()).min(c.len()).min(d.len()) {
                p = fused::<FMA>(a[k], one[k], p);
                q = fused::<FMA>(b[k], one[k], q);
                r = fused::<FMA>(c[k], one[k], r);
                s = fused::<FMA>(d[k], one[k], s);
                t = fused::<FMA>(a[k], two[k], t);
                u = fused::<FMA>(b[k], two[k], u);
                v = fused::<FMA>(c[k], two[k], v);
                w = fused::<FMA>(d[k], two[k], w);
            }
            put(out, width, group, [p, q, r, s]);
            put(out, width, group + 1, [t, u, v, w]);
        }
        for group in paired..bias.len() {
            let own = &packed[group * width..(group + 1) * width];
            let [mut p, mut q, mut r, mut s] = [bias[group]; ROWS];
            for k in 0..own.len().min(a.len()).min(b.len()).min(c.len()).min(d.len()) {
                p = fused::<FMA>(a[k], own[k], p);
                q = fused::<FMA>(b[k], own[k], q);
                r = fused::<FMA>(c[k], own[k], r);
                s = fused::<FMA>(d[k], own[k], s);
            }
            put(out, width, group, [p, q, r, s]);
        }
    }
}

#[inline(always)]
fn put(out: &mut [f32], width: usize, group: usize, sums: [[f32; LANES]; ROWS]) {
    for (out, sum) in out.chunks_exact_mut(width).zip(sums) {
        lanes_mut(out)[group] = sum;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look drawn, the same on every machine.
    fn values(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    /// Widths that are one group, less than four, an odd number of them, and whole fours.
    const WIDTHS: [usize; 5] = [16, 48, 64, 80, 128];

    #[test]
    fn sums_of_points_and_rows_are_those_of_plain_loops() {
        for width in WIDTHS {
            let (base, curve, code) = (values(width, 1), values(6 * width, 2), values(4 * width, 3));
            let points = [(0_usize, 0.25_f32), (2, 0.0), (4, 1.0)];
            let rows = [3_usize, 0];
            let groups = width / LANES;
            let laid: Vec<Point> = points.iter().map(|&(at, share)| Point { at: at * groups, share }).collect();
            let mut out = vec![0.0; width];

            add_up::<false>(&base, (&curve, &laid), (&code, &rows.map(|row| row * groups)), &mut out);

            for h in 0..width {
                let mut sum = base[h];
                for (at, share) in points {
                    let (before, after) = (curve[at * width + h], curve[(at + 1) * width + h]);
                    sum += share * (after - before) + before;
                }
                for row in rows {
                    sum += code[row * width + h];
                }
                assert_eq!(out[h].to_bits(), sum.to_bits(), "width {width}, {h}");
            }
        }
    }

    #[test]
    fn a_layer_is_that_of_plain_loops_however_many_registers_there_are() {
        for width in WIDTHS {
            let tile = 2 * ROWS;
            let (h, weights, bias) = (values(tile * width, 4), values(width * width, 5), values(width, 6));
            let packed = pack(&weights, width);
            let (mut few, mut many) = (vec![0.0; tile * width], vec![0.0; tile * width]);

            layer::<false, false>(&h, &packed, &bias, width, &mut few);
            layer::<false, true>(&h, &packed, &bias, width, &mut many);

            assert_eq!(few, many);
            for row in 0..tile {
                for out in 0..width {
                    let mut sum = bias[out];
                    for k in 0..width {
                        sum += h[row * width + k] * weights[k * width + out];
                    }
                    assert_eq!(few[row * width + out].to_bits(), sum.to_bits(), "width {width}, row {row}, {out}");
                }
            }
        }
    }
}
