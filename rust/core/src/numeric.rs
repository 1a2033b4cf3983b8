//! Vectorisable f32 arithmetic with a fixed order of additions.
//!
//! Everything here is `#[inline(always)]`, so that a caller compiled for AVX2 or AVX-512 by
//! `multiversion` gets these loops in its own instruction set. Sums run over [`LANES`] partial sums
//! in an order that never depends on the instruction set; a product that is fused with a sum rounds once
//! instead of twice, and that is all by which one processor's bits differ from another's.

/// Width of all partial sums, and the multiple to which kept rows are padded.
pub const LANES: usize = 16;

/// A padded column in groups of [`LANES`]. Indexed loops over these vectorise; zipped iterators are calls
/// that the optimiser does not inline into a large function.
#[inline(always)]
pub fn lanes(column: &[f32]) -> &[[f32; LANES]] {
    column.as_chunks::<LANES>().0
}

#[inline(always)]
pub fn lanes_mut(column: &mut [f32]) -> &mut [[f32; LANES]] {
    column.as_chunks_mut::<LANES>().0
}

/// a b + c: fused where the caller is compiled for a processor that has the instruction (`FMA`), else rounded twice.
/// Fusing by a call is a hundred times slower than not fusing.
#[inline(always)]
pub fn multiply_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Whether code compiled for `target` has an instruction for a b + c: FMA on x86, always on aarch64. A feature is asked for by
/// name only where the architecture knows the name: the question panics elsewhere.
pub const fn fuses(target: &multiversion::target::Target) -> bool {
    if cfg!(target_arch = "x86_64") { target.supports_feature_str("fma") } else { cfg!(target_arch = "aarch64") }
}

/// Whether `target` has 32 vector registers, each of [`LANES`]; others have 16, or narrow ones.
pub const fn has_32_registers(target: &multiversion::target::Target) -> bool {
    cfg!(target_arch = "x86_64") && target.supports_feature_str("avx512f")
}

/// e^x for x <= 60 with a relative error below 2e-7 (Cephes `expf` polynomial); below -87 about 1e-38.
#[inline(always)]
pub fn exp<const FMA: bool>(x: f32) -> f32 {
    let (power, p, r) = exp_parts::<FMA>(x);
    power * multiply_add::<FMA>(p, r * r, r + 1.0)
}

/// e^x - 1 for x <= 60 with a relative error below 4e-7, also where x is near 0.
#[inline(always)]
pub fn exp_m1<const FMA: bool>(x: f32) -> f32 {
    let (power, p, r) = exp_parts::<FMA>(x);
    multiply_add::<FMA>(power, multiply_add::<FMA>(p, r * r, r), power - 1.0)
}

/// 2^n, p and r of e^x = 2^n (1 + r + p r^2).
#[inline(always)]
fn exp_parts<const FMA: bool>(x: f32) -> (f32, f32, f32) {
    // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low mantissa bits.
    const MAGIC: f32 = 12_582_912.0;
    let x = x.max(-87.0);
    let shifted = multiply_add::<FMA>(x, std::f32::consts::LOG2_E, MAGIC);
    let n = shifted - MAGIC;
    let r = multiply_add::<FMA>(n, 2.121_944_4e-4, multiply_add::<FMA>(n, -0.693_359_4, x));
    let p = multiply_add::<FMA>(1.987_569_1e-4, r, 1.398_199_9e-3);
    let p = multiply_add::<FMA>(p, r, 8.333_452e-3);
    let p = multiply_add::<FMA>(p, r, 4.166_579_6e-2);
    let p = multiply_add::<FMA>(p, r, 1.666_666_5e-1);
    let p = multiply_add::<FMA>(p, r, 0.5);
    (f32::from_bits(shifted.to_bits().wrapping_add(127) << 23), p, r)
}

/// ln x of a normal x or infinity, in double precision with an error below one unit in the last place, the same bits on
/// every machine: the argument is halved or doubled into sqrt(1/2)..sqrt(2), then the series of
/// `s = (m - 1) / (m + 1)` (fdlibm `e_log`).
#[inline(always)]
pub fn ln(x: f64) -> f64 {
    const HALF_ROOT: u64 = 0x3fe6_a09e_0000_0000;
    const EXPONENT: u64 = 0xfff0_0000_0000_0000;
    let above = x.to_bits().wrapping_sub(HALF_ROOT);
    let m = f64::from_bits(x.to_bits().wrapping_sub(above & EXPONENT));
    // The exponent as a double without a conversion of integers, which AVX2 lacks: 2^52 + 1,024 + k.
    let k = f64::from_bits((above.wrapping_add(1024 << 52) >> 52) | 0x4330_0000_0000_0000) - 4_503_599_627_371_520.0;
    let f = m - 1.0;
    let half = 0.5 * f * f;
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let even = w * (0.399_999_999_994_094_2 + w * (0.222_221_984_321_497_84 + w * 0.153_138_376_992_093_73));
    let odd = z
        * (0.666_666_666_666_673_5
            + w * (0.285_714_287_436_623_9 + w * (0.181_835_721_616_180_5 + w * 0.147_981_986_051_165_86)));
    let found = s * (half + (even + odd)) + k * 1.908_214_929_270_587_7e-10 - half + f + k * 0.693_147_180_369_123_8;
    if x < f64::INFINITY { found } else { x }
}

/// ln(1 + y) of y >= 0, also where 1 + y rounds y away (fdlibm `s_log1p`).
#[inline(always)]
pub fn ln_1p(y: f64) -> f64 {
    let x = 1.0 + y;
    let lost = (y - (x - 1.0)) / x;
    ln(x) + if x < f64::INFINITY { lost } else { 0.0 }
}

/// The sum of `LANES` partial sums, pairwise. They go through memory (`black_box`): the optimiser would otherwise lay
/// the sums of the caller's loop out for these few additions, two to a register, instead of for the loop.
#[inline(always)]
pub fn fold(p: [f32; LANES]) -> f32 {
    let p = std::hint::black_box(p);
    let q =
        [p[0] + p[8], p[1] + p[9], p[2] + p[10], p[3] + p[11], p[4] + p[12], p[5] + p[13], p[6] + p[14], p[7] + p[15]];
    let r = [q[0] + q[4], q[1] + q[5], q[2] + q[6], q[3] + q[7]];
    (r[0] + r[2]) + (r[1] + r[3])
}

/// The sum of a padded column. One sum per loop: two in one loop are interleaved instead of vectorised.
#[inline(always)]
pub fn sum(column: &[f32]) -> f32 {
    let mut partial = [0.0_f32; LANES];
    for chunk in lanes(column) {
        for k in 0..LANES {
            partial[k] += chunk[k];
        }
    }
    fold(partial)
}

#[inline(always)]
pub fn minimum(values: &[f32]) -> f32 {
    let mut least = [f32::INFINITY; LANES];
    for chunk in lanes(values) {
        for k in 0..LANES {
            least[k] = if chunk[k] < least[k] { chunk[k] } else { least[k] };
        }
    }
    least.iter().copied().fold(f32::INFINITY, f32::min)
}

/// From one seed of a sequence of `SplitMix64` to the next.
pub const SPLITMIX64_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64 (Steele et al. 2014): a portable bijection of 64 bits, named in the manifest.
pub fn splitmix64(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(SPLITMIX64_STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The standard normal number at a place of a fixed table: Box and Muller (1958) on two hashes.
pub fn normal_at(row: u64, column: u64) -> f32 {
    let seed = splitmix64(splitmix64(row) ^ column);
    // 53 bits each, the first never 0.
    let unit = |bits: u64| ((bits >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    let (radius, angle) = (unit(seed), unit(splitmix64(seed)));
    ((-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_architecture_may_be_asked_whether_it_fuses() {
        use multiversion::target::Target;
        use multiversion::target_features::Architecture;

        let plain = |architecture| Target::new(architecture);
        if cfg!(target_arch = "x86_64") {
            assert!(!fuses(&plain(Architecture::X86)));
            assert!(fuses(&plain(Architecture::X86).with_feature_str("fma")));
        } else {
            assert_eq!(fuses(&plain(Architecture::AArch64)), cfg!(target_arch = "aarch64"));
        }
    }

    #[test]
    fn exp_is_within_two_ulps_of_the_library() {
        for step in 0..87_000 {
            let x = -(step as f32) / 1000.0;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp::<false>(x)) / exact - 1.0).abs() < 2e-7, "exp({x})");
            assert!((f64::from(exp::<true>(x)) / exact - 1.0).abs() < 2e-7, "exp({x})");
        }
    }

    proptest! {
        #[test]
        fn logarithms_are_the_librarys_but_for_the_last_places(x in 1e-300_f64..1e300, small in 0.0_f64..4.0, y in 0.0_f64..1e-3) {
            let near = |found: f64, library: f64| (found - library).abs() <= 4.0 * f64::EPSILON * library.abs();
            prop_assert!(near(ln(x), x.ln()), "ln({x}) = {}", ln(x));
            prop_assert!(near(ln_1p(small), small.ln_1p()) && near(ln_1p(y), y.ln_1p()), "{small} {y}");
            prop_assert!(near(ln_1p(x), x.ln_1p()), "ln_1p({x}) = {}", ln_1p(x));
        }
    }

    #[test]
    fn logarithms_of_the_ends() {
        assert_eq!(
            [ln(1.0), ln(f64::INFINITY), ln_1p(0.0), ln_1p(f64::INFINITY)],
            [0.0, f64::INFINITY, 0.0, f64::INFINITY]
        );
        assert_eq!(ln(f64::MAX), f64::MAX.ln());
        assert_eq!(ln_1p(f64::MIN_POSITIVE), f64::MIN_POSITIVE);
    }

    #[test]
    fn exp_m1_is_near_the_librarys_also_around_0() {
        for step in -80_000..60_000 {
            let x = step as f32 / 10_000.0;
            for x in [x, x * 1e-4] {
                let exact = f64::from(x).exp_m1();
                for found in [exp_m1::<false>(x), exp_m1::<true>(x)] {
                    assert!((f64::from(found) - exact).abs() <= 4e-7 * exact.abs(), "exp_m1({x}) = {found}");
                }
            }
        }
        assert_eq!(exp_m1::<false>(0.0), 0.0);
    }

    #[test]
    fn exp_far_below_is_tiny_and_finite() {
        assert!(exp::<false>(-1e30) < 2e-38 && exp::<true>(-1e30) >= 0.0);
    }

    #[test]
    fn the_table_of_normals_has_mean_0_and_variance_1() {
        let values: Vec<f64> = (0..10_000).map(|at| f64::from(normal_at(at % 7, at))).collect();
        let mean = values.iter().sum::<f64>() / 1e4;
        let variance = values.iter().map(|v| v * v).sum::<f64>() / 1e4;
        // Four standard errors: 0.04 and 0.057.
        assert!(mean.abs() < 0.04 && (variance - 1.0).abs() < 0.057, "{mean} {variance}");
    }

    #[test]
    fn splitmix_matches_the_published_sequence() {
        // First output of the reference generator seeded with 0.
        assert_eq!(splitmix64(0), 0xe220_a839_7b1d_cdaf);
    }
}
