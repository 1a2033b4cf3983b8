//! Arithmetic of a tile. Everything is `#[inline(always)]` into one function that is compiled for AVX-512, AVX2 and the
//! portable baseline and chosen at run time.
//!
//! A row's sums run over the inputs in their order, whatever the tile, so that its bits depend on nothing but the row.

use crate::numeric::{LANES, fold, lanes, lanes_mut, multiply_add};

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

/// A place in a table, opaque to the optimiser: depending on how the crate is cut into units it would otherwise work on
/// eight places at once, gathering each lane by itself, which takes four times as long.
#[inline(always)]
fn one_by_one(place: usize) -> usize {
    std::hint::black_box(place)
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
            let own = &curve[one_by_one(point.at) + 4 * group..];
            let (Some(before), Some(after)) = (own.first_chunk::<4>(), own[groups..].first_chunk::<4>()) else { break };
            p = between::<FMA>(point.share, before[0], after[0], p);
            q = between::<FMA>(point.share, before[1], after[1], q);
            r = between::<FMA>(point.share, before[2], after[2], r);
            s = between::<FMA>(point.share, before[3], after[3], s);
        }
        for row in rows {
            let Some(own) = code[one_by_one(*row) + 4 * group..].first_chunk::<4>() else { break };
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
            let at = one_by_one(point.at);
            let (before, after) = (curve[at + group], curve[at + groups + group]);
            sum = between::<FMA>(point.share, before, after, sum);
        }
        for row in rows {
            sum = plus(code[one_by_one(*row) + group], sum);
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

/// Fills `places` with those of what is above 0 in `h`, ascending, and says how many they are.
#[inline(always)]
pub(super) fn active(h: &[f32], places: &mut [usize]) -> usize {
    let mut count = 0;
    for (group, chunk) in lanes(h).iter().enumerate() {
        let mut bits = [0_u32; LANES];
        for k in 0..LANES {
            bits[k] = if chunk[k] > 0.0 { 1 << k } else { 0 };
        }
        let mut mask = bits.iter().fold(0, |mask, bit| mask | bit);
        while mask != 0 {
            places[count] = group * LANES + mask.trailing_zeros() as usize;
            count += 1;
            mask &= mask - 1;
        }
    }
    count
}

/// `out` [H] = bias + the sum of h[k] times row k of `weights` [H, H] over the `active` k: a rectifier leaves 3 to 34 % of
/// the inputs, and what is 0 adds nothing. Four groups of lanes at a time, eight where there are registers for them (`MANY`).
#[inline(always)]
pub(super) fn layer<const FMA: bool, const MANY: bool>(
    (h, active): (&[f32], &[usize]),
    weights: &[f32],
    bias: &[f32],
    out: &mut [f32],
) {
    let (weights, bias, out) = (lanes(weights), lanes(bias), lanes_mut(out));
    let groups = bias.len();
    let eights = if MANY { groups / 8 * 8 } else { 0 };
    for at in (0..eights).step_by(8) {
        columns_8::<FMA>((h, active), weights, bias, at, out);
    }
    let fours = groups / 4 * 4;
    for at in (eights..fours).step_by(4) {
        columns_4::<FMA>((h, active), weights, bias, at, out);
    }
    for at in fours..groups {
        columns_1::<FMA>((h, active), weights, bias, at, out);
    }
}

/// So many groups of [`layer`] as there are names, from `at` on. Each group is a variable of its own: a loop over an array of
/// them may be worked on across the groups, each lane gathered and scattered by itself.
macro_rules! columns {
    ($name:ident, $count:literal, $($at:literal $sum:ident),+) => {
        #[inline(always)]
        fn $name<const FMA: bool>(
            (h, active): (&[f32], &[usize]),
            weights: &[[f32; LANES]],
            bias: &[[f32; LANES]],
            at: usize,
            out: &mut [[f32; LANES]],
        ) {
            let (groups, Some(start)) = (bias.len(), bias[at..].first_chunk::<$count>()) else { return };
            let [$(mut $sum),+] = *start;
            for &k in active {
                let Some(own) = weights[one_by_one(k) * groups + at..].first_chunk::<$count>() else { return };
                let x = h[k];
                $($sum = fused::<FMA>(x, own[$at], $sum);)+
            }
            out[at..at + $count].copy_from_slice(&[$($sum),+]);
        }
    };
}

columns!(columns_8, 8, 0 a, 1 b, 2 c, 3 d, 4 e, 5 f, 6 g, 7 i);
columns!(columns_4, 4, 0 a, 1 b, 2 c, 3 d);
columns!(columns_1, 1, 0 a);

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
            let (mut h, weights, bias) = (values(width, 4), values(width * width, 5), values(width, 6));
            let (mut few, mut many) = (vec![0.0; width], vec![0.0; width]);
            let mut places = vec![0; width];
            let count = active(&h, &mut places);

            layer::<false, false>((&h, &places[..count]), &weights, &bias, &mut few);
            layer::<false, true>((&h, &places[..count]), &weights, &bias, &mut many);

            assert_eq!(few, many);
            rectify(&mut h);
            for out in 0..width {
                let sum = (0..width).fold(bias[out], |sum, k| sum + h[k] * weights[k * width + out]);
                assert_eq!(few[out].to_bits(), sum.to_bits(), "width {width}, {out}");
            }
        }
    }

    #[test]
    fn what_is_above_nothing_is_found_in_order() {
        let mut places = [9; 32];
        let mut h = [0.0_f32; 32];
        assert_eq!(active(&h, &mut places), 0);
        [(31, 1.0), (0, 1e-40), (1, -1.0), (15, f32::INFINITY), (16, f32::NAN), (17, -0.0), (18, 2.0)]
            .iter()
            .for_each(|&(k, value)| h[k] = value);
        assert_eq!(active(&h, &mut places), 4);
        assert_eq!(places[..4], [0, 15, 18, 31]);
    }
}
