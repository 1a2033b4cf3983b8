//! Distances of a few rows to tiles of reference rows.
//!
//! On x86-64 with AVX2 and FMA the sums stay in registers, by intrinsics: of the plain loops below the compiler keeps them in
//! memory, which takes five to ten times as long. Elsewhere the plain loops.

use std::ops::Range;

use super::{Layout, Quad, TOGETHER, Tiles};
use crate::numeric::LANES;

/// Values of the rows together, and those of the tile: per feature.
pub(super) type Sides<'a, T> = (&'a [[T; TOGETHER]], &'a [[T; LANES]]);

/// The first tile of `range` where some row's distance is below its `worst`, with the distances of each row to each lane in
/// `sums`; None where there is none (then `sums` holds anything).
pub(super) fn next(
    layout: &Layout,
    tiles: &Tiles,
    quad: &Quad<'_>,
    range: Range<usize>,
    worst: &[f32; TOGETHER],
    sums: &mut [[f32; LANES]; TOGETHER],
) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
        // SAFETY: the processor has what the function is compiled for.
        return unsafe { avx2::next(layout, tiles, quad, range, worst, sums) };
    }
    range
        .into_iter()
        .find(|&tile| plain(layout, (&quad.x, tiles.x(layout, tile)), (&quad.c, tiles.c(layout, tile)), worst, sums))
}

fn plain(
    layout: &Layout,
    (seen_x, kept_x): Sides<'_, f32>,
    (seen_c, kept_c): Sides<'_, u16>,
    worst: &[f32; TOGETHER],
    sums: &mut [[f32; LANES]; TOGETHER],
) -> bool {
    let mut any = false;
    for q in 0..TOGETHER {
        let mut sum = [0.0_f32; LANES];
        let mut at = 0;
        for class in &layout.classes {
            let mut apart = [0_u16; LANES];
            for (kept, seen) in kept_c[at..].iter().zip(&seen_c[at..]).take(class.columns.len()) {
                for k in 0..LANES {
                    apart[k] += u16::from(kept[k] != seen[q]);
                }
            }
            for k in 0..LANES {
                sum[k] += class.weight * f32::from(apart[k]);
            }
            at += class.columns.len();
        }
        for (kept, seen) in kept_x.iter().zip(seen_x) {
            for k in 0..LANES {
                let gap = kept[k] - seen[q];
                sum[k] += gap * gap;
            }
        }
        for k in 0..LANES {
            any |= sum[k] < worst[q];
        }
        sums[q] = sum;
    }
    any
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::{LANES, Layout, Quad, Range, Sides, TOGETHER, Tiles};

    /// Sums of one row: lanes 0 to 7, lanes 8 to 15.
    type Row = [__m256; 2];

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn next(
        layout: &Layout,
        tiles: &Tiles,
        quad: &Quad<'_>,
        range: Range<usize>,
        worst: &[f32; TOGETHER],
        sums: &mut [[f32; LANES]; TOGETHER],
    ) -> Option<usize> {
        for at in range {
            let (x, c) = (tiles.x(layout, at), tiles.c(layout, at));
            if tile(layout, (&quad.x, x), (&quad.c, c), worst, sums) {
                return Some(at);
            }
        }
        None
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn tile(
        layout: &Layout,
        (seen_x, kept_x): Sides<'_, f32>,
        (seen_c, kept_c): Sides<'_, u16>,
        worst: &[f32; TOGETHER],
        sums: &mut [[f32; LANES]; TOGETHER],
    ) -> bool {
        let zero = _mm256_setzero_ps();
        let (mut a, mut b, mut c, mut d): (Row, Row, Row, Row) = ([zero; 2], [zero; 2], [zero; 2], [zero; 2]);
        let mut at = 0;
        for class in &layout.classes {
            let none = _mm256_setzero_si256();
            // Minus the number of matches.
            let (mut ma, mut mb, mut mc, mut md) = (none, none, none, none);
            for (kept, seen) in kept_c[at..].iter().zip(&seen_c[at..]).take(class.columns.len()) {
                // SAFETY: an array of 16 u16 is 32 bytes.
                let kept = unsafe { _mm256_loadu_si256(kept.as_ptr().cast()) };
                ma = _mm256_add_epi16(ma, equal(kept, seen[0]));
                mb = _mm256_add_epi16(mb, equal(kept, seen[1]));
                mc = _mm256_add_epi16(mc, equal(kept, seen[2]));
                md = _mm256_add_epi16(md, equal(kept, seen[3]));
            }
            let (size, weight) = (class.columns.len() as f32, _mm256_set1_ps(class.weight));
            let size = _mm256_set1_ps(size);
            (a, b) = (mismatches(a, ma, size, weight), mismatches(b, mb, size, weight));
            (c, d) = (mismatches(c, mc, size, weight), mismatches(d, md, size, weight));
            at += class.columns.len();
        }
        if at > 0 && !(below(a, worst[0]) | below(b, worst[1]) | below(c, worst[2]) | below(d, worst[3])) {
            return false;
        }
        for (kept, seen) in kept_x.iter().zip(seen_x) {
            // SAFETY: an array of 16 f32 is twice 32 bytes.
            let kept = unsafe { [_mm256_loadu_ps(kept.as_ptr()), _mm256_loadu_ps(kept.as_ptr().add(8))] };
            a = squares(a, kept, seen[0]);
            b = squares(b, kept, seen[1]);
            c = squares(c, kept, seen[2]);
            d = squares(d, kept, seen[3]);
        }
        if !(below(a, worst[0]) | below(b, worst[1]) | below(c, worst[2]) | below(d, worst[3])) {
            return false;
        }
        for (sum, row) in sums.iter_mut().zip([a, b, c, d]) {
            // SAFETY: as above.
            unsafe {
                _mm256_storeu_ps(sum.as_mut_ptr(), row[0]);
                _mm256_storeu_ps(sum.as_mut_ptr().add(8), row[1]);
            }
        }
        true
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn equal(kept: __m256i, seen: u16) -> __m256i {
        _mm256_cmpeq_epi16(kept, _mm256_set1_epi16(seen.cast_signed()))
    }

    /// Adds the weight of what does not match.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn mismatches(sum: Row, matches: __m256i, size: __m256, weight: __m256) -> Row {
        let low = _mm256_cvtepi16_epi32(_mm256_castsi256_si128(matches));
        let high = _mm256_cvtepi16_epi32(_mm256_extracti128_si256::<1>(matches));
        let apart = |matches| _mm256_add_ps(size, _mm256_cvtepi32_ps(matches));
        [_mm256_fmadd_ps(apart(low), weight, sum[0]), _mm256_fmadd_ps(apart(high), weight, sum[1])]
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn squares(sum: Row, kept: Row, seen: f32) -> Row {
        let seen = _mm256_set1_ps(seen);
        let gaps = [_mm256_sub_ps(kept[0], seen), _mm256_sub_ps(kept[1], seen)];
        [_mm256_fmadd_ps(gaps[0], gaps[0], sum[0]), _mm256_fmadd_ps(gaps[1], gaps[1], sum[1])]
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn below(sum: Row, worst: f32) -> bool {
        let worst = _mm256_set1_ps(worst);
        let either =
            _mm256_or_ps(_mm256_cmp_ps::<_CMP_LT_OQ>(sum[0], worst), _mm256_cmp_ps::<_CMP_LT_OQ>(sum[1], worst));
        _mm256_movemask_ps(either) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::super::Class;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn registers_and_plain_loops_agree(
            seen_x in prop::collection::vec(prop::array::uniform4(-30_f32..30.0), 5),
            kept_x in prop::collection::vec(prop::array::uniform16(-30_f32..30.0), 5),
            seen_c in prop::collection::vec(prop::array::uniform4(0_u16..4), 6),
            kept_c in prop::collection::vec(prop::array::uniform16(0_u16..4), 6),
            worst in prop::array::uniform4(0_f32..4000.0),
        ) {
            let classes = vec![
                Class { weight: 1.0, columns: vec![0, 1] },
                Class { weight: 0.5, columns: vec![2, 3, 4, 5] },
            ];
            let layout = Layout { numbers: vec![(0, 1.0); 5], classes, categories: 6 };
            let (mut fast, mut slow) = ([[0.0; LANES]; TOGETHER], [[0.0; LANES]; TOGETHER]);
            let tiles = Tiles { x: kept_x.clone(), c: kept_c.clone(), rows: LANES };
            let (x, c) = (seen_x.clone(), seen_c.clone());
            let quad = Quad { x, c, first: 0, count: TOGETHER, distances: &mut [], rows: &mut [] };
            let found = next(&layout, &tiles, &quad, 0..1, &worst, &mut fast).is_some();
            let expected = plain(&layout, (&seen_x, &kept_x), (&seen_c, &kept_c), &worst, &mut slow);
            let close = fast.iter().flatten().zip(slow.iter().flatten()).all(|(a, b)| (a - b).abs() <= 1e-5 * (1.0 + b));
            let clear = slow.iter().zip(worst).all(|(row, worst)| row.iter().all(|s| (s - worst).abs() > 1e-2));
            prop_assert!(!clear || found == expected);
            prop_assert!(!found || close);
        }
    }
}
