//! Arithmetic of a tile, compiled for AVX-512, AVX2 and the portable baseline and chosen at run time.
//!
//! Additions happen in an order that no tile size, row or thread changes. Matrix products are
//! `matrixmultiply`'s, without its threads.

use multiversion::multiversion;

use crate::numeric::{LANES, exp, fold};

/// As in torch's `layer_norm`.
const EPSILON: f32 = 1e-5;

/// `c += a b` for `a` [rows, inner], `b` [inner, outer], `c` [rows, outer].
pub(super) fn add_product(a: &[f32], b: &[f32], c: &mut [f32], inner: usize, outer: usize) {
    if inner == 0 || outer == 0 {
        return;
    }
    let rows = a.len() / inner;
    assert!(a.len() == rows * inner && b.len() == inner * outer && c.len() == rows * outer);
    let (a_stride, b_stride) = (inner.cast_signed(), outer.cast_signed());
    // SAFETY: the assertion above is what `sgemm` asks of these sizes and strides, and `c` is borrowed
    // mutably, so that it cannot overlap the others.
    unsafe {
        matrixmultiply::sgemm(
            rows,
            inner,
            outer,
            1.0,
            a.as_ptr(),
            a_stride,
            1,
            b.as_ptr(),
            b_stride,
            1,
            1.0,
            c.as_mut_ptr(),
            b_stride,
            1,
        );
    }
}

/// Every row becomes a copy of `bias`.
pub(super) fn broadcast(bias: &[f32], rows: &mut [f32]) {
    if !bias.is_empty() {
        rows.chunks_exact_mut(bias.len()).for_each(|row| row.copy_from_slice(bias));
    }
}

/// `out` = layer norm of each row of `h` (Ba et al. 2016, no affine part), and `h += bias` after it.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma",))]
pub(super) fn normalise(h: &mut [f32], bias: &[f32], out: &mut [f32]) {
    let width = bias.len();
    for (row, normed) in h.chunks_exact_mut(width).zip(out.chunks_exact_mut(width)) {
        let mean = sum(row, |x| x) / width as f32;
        let variance = sum(row, |x| (x - mean) * (x - mean)) / width as f32;
        let inverse = 1.0 / (variance + EPSILON).sqrt();
        for ((x, y), b) in row.iter_mut().zip(normed).zip(bias) {
            *y = (*x - mean) * inverse;
            *x += b;
        }
    }
}

/// x / (1 + e^-x) in place (Hendrycks and Gimpel 2016).
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma",))]
pub(super) fn silu(values: &mut [f32]) {
    for x in values {
        let e = exp::<false>(-x.abs());
        let top = if *x < 0.0 { e } else { 1.0 };
        *x *= top / (1.0 + e);
    }
}

/// How much of each piece lies between 0 and a number, for numbers [N] and the ends of the pieces [K]: [N, K].
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma",))]
pub(super) fn reach(numbers: &[f32], low: &[f32], high: &[f32], zero: &[f32], out: &mut [f32]) {
    for (&number, shares) in numbers.iter().zip(out.chunks_exact_mut(low.len())) {
        for (((share, &low), &high), &zero) in shares.iter_mut().zip(low).zip(high).zip(zero) {
            let above = if number > low { number } else { low };
            let within = if above < high { above } else { high };
            *share = (within - zero) / (high - low);
        }
    }
}

/// Rows of `table` [S, H] named by `places`, added to `row` [H].
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma",))]
pub(super) fn gather(table: &[f32], places: &[usize], row: &mut [f32]) {
    let width = row.len();
    for &place in places {
        let from = &table[place * width..(place + 1) * width];
        for (sum, x) in row.iter_mut().zip(from) {
            *sum += x;
        }
    }
}

/// `out` = `bias` + `table` [K, H] times `row` [H].
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma",))]
pub(super) fn products(row: &[f32], table: &[f32], bias: &[f32], out: &mut [f32]) {
    let width = row.len();
    let (chunks, rest) = row.as_chunks::<LANES>();
    let parts = |at: usize| table[at * width..(at + 1) * width].as_chunks::<LANES>();
    let whole = out.len() / 4 * 4;
    for at in (0..whole).step_by(4) {
        // Four at once: enough to hide what an addition takes.
        let (p, q, r, s) = (parts(at), parts(at + 1), parts(at + 2), parts(at + 3));
        let (mut a, mut b, mut c, mut d) = ([0.0; LANES], [0.0; LANES], [0.0; LANES], [0.0; LANES]);
        for ((((x, p), q), r), s) in chunks.iter().zip(p.0).zip(q.0).zip(r.0).zip(s.0) {
            for lane in 0..LANES {
                a[lane] += x[lane] * p[lane];
                b[lane] += x[lane] * q[lane];
                c[lane] += x[lane] * r[lane];
                d[lane] += x[lane] * s[lane];
            }
        }
        for (k, (lanes, own)) in [(a, p.1), (b, q.1), (c, r.1), (d, s.1)].into_iter().enumerate() {
            out[at + k] = bias[at + k] + (fold(lanes) + small(rest, own));
        }
    }
    for at in whole..out.len() {
        let own = parts(at);
        let mut lanes = [0.0; LANES];
        for (x, p) in chunks.iter().zip(own.0) {
            for lane in 0..LANES {
                lanes[lane] += x[lane] * p[lane];
            }
        }
        out[at] = bias[at] + (fold(lanes) + small(rest, own.1));
    }
}

/// What is left of a product beside whole lanes.
#[inline(always)]
fn small(row: &[f32], other: &[f32]) -> f32 {
    row.iter().zip(other).map(|(x, y)| x * y).sum()
}

/// Logits become e^x of their distance to the largest; those of codes that are not allowed become 0.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma",))]
pub(super) fn odds(logits: &mut [f32]) {
    let top = maximum(logits);
    for x in logits {
        let e = exp::<false>(*x - top);
        *x = if *x == f32::NEG_INFINITY { 0.0 } else { e };
    }
}

/// ln of the sum of e^x.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma",))]
pub(super) fn log_sum_exp(logits: &[f32]) -> f32 {
    let top = maximum(logits);
    top + sum(logits, |x| exp::<false>(x - top)).ln()
}

#[inline(always)]
fn maximum(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for k in 0..LANES {
            lanes[k] = if chunk[k] > lanes[k] { chunk[k] } else { lanes[k] };
        }
    }
    lanes.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max)
}

/// Sum over `LANES` partial sums, then pairwise.
#[inline(always)]
fn sum(values: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for k in 0..LANES {
            lanes[k] += of(chunk[k]);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane += of(x);
    }
    fold(lanes)
}
