//! Products with fixed weights in bfloat16, summed in float32, where the processor multiplies it natively (AVX512-BF16).
//!
//! For drawing rows alone: a prediction then has about three digits, of which a step of a sampler adds a part to a row
//! that keeps all of its own. Legend: M rows, I inputs, O outputs, P pairs of inputs.

use multiversion::multiversion;

use super::kernels::broadcast;

/// Outputs that are summed at once.
const PANEL: usize = 64;
/// Rows that are summed at once; `M` is a multiple.
const ROWS: usize = 4;

/// Weights [I, O] as panels of outputs, in each a row of pairs after the other; what is missing is 0.
#[derive(Debug)]
pub(super) struct Half {
    outputs: usize,
    pairs: usize,
    panels: Vec<[u32; PANEL]>,
}

/// Two numbers as bfloat16, rounded to the nearest, the first one low.
fn pair(first: f32, second: f32) -> u32 {
    let bits = |x: f32| {
        let bits = x.to_bits();
        bits.wrapping_add(0x7fff + ((bits >> 16) & 1))
    };
    (bits(first) >> 16) | (bits(second) & 0xffff_0000)
}

/// Rows [M, I] as pairs [M, P].
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma",))]
pub(super) fn rounded(rows: &[f32], inputs: usize, out: &mut [u32]) {
    let pairs = inputs.div_ceil(2);
    if inputs == 0 {
        return;
    }
    for (row, out) in rows.chunks_exact(inputs).zip(out.chunks_exact_mut(pairs)) {
        let (whole, rest) = row.as_chunks::<2>();
        out.iter_mut().zip(whole).for_each(|(out, &[first, second])| *out = pair(first, second));
        if let (Some(&last), Some(out)) = (rest.first(), out.last_mut()) {
            *out = pair(last, 0.0);
        }
    }
}

impl Half {
    /// None where the processor does not multiply bfloat16.
    pub fn of(weights: &[f32], inputs: usize, outputs: usize) -> Option<Self> {
        if !is_native() {
            return None;
        }
        let weight = |input: usize, output: usize| {
            if input < inputs && output < outputs { weights[input * outputs + output] } else { 0.0 }
        };
        let pairs = inputs.div_ceil(2);
        let mut panels = Vec::with_capacity(pairs * outputs.div_ceil(PANEL));
        for first in (0..outputs).step_by(PANEL) {
            for at in 0..pairs {
                let both = |output: usize| pair(weight(2 * at, first + output), weight(2 * at + 1, first + output));
                panels.push(std::array::from_fn(both));
            }
        }
        Some(Self { outputs, pairs, panels })
    }

    /// `c` [M, O] `+= a` [M, P] times the weights. Every sum runs over the inputs in their order.
    pub fn add_to(&self, a: &[u32], c: &mut [f32]) {
        self.each(a, c, |c, _, sum| *c += sum);
    }

    /// `c` [M, O] `=` the bias [O] and `a` [M, P] times the weights.
    pub fn put(&self, a: &[u32], bias: &[f32], c: &mut [f32]) {
        assert!(bias.len() == self.outputs);
        if self.pairs == 0 {
            broadcast(bias, c);
        }
        self.each(a, c, |c, output, sum| *c = bias[output] + sum);
    }

    /// Hand each place of `c`, its output and its sum to `then`.
    #[inline(always)]
    fn each(&self, a: &[u32], c: &mut [f32], then: impl Fn(&mut f32, usize, f32)) {
        if self.pairs == 0 || self.outputs == 0 {
            return;
        }
        let rows = a.len() / self.pairs;
        assert!(a.len() == rows * self.pairs && c.len() == rows * self.outputs && rows.is_multiple_of(ROWS));
        #[cfg(target_arch = "x86_64")]
        for (panel, weights) in self.panels.chunks_exact(self.pairs).enumerate() {
            let first = panel * PANEL;
            let width = PANEL.min(self.outputs - first);
            for (a, c) in a.chunks_exact(ROWS * self.pairs).zip(c.chunks_exact_mut(ROWS * self.outputs)) {
                // SAFETY: `of` gave this value, so that the processor has the instructions.
                let sums = unsafe { x86::sums(a, weights) };
                for (row, sums) in c.chunks_exact_mut(self.outputs).zip(&sums) {
                    for (at, (c, &sum)) in row[first..first + width].iter_mut().zip(sums).enumerate() {
                        then(c, first + at, sum);
                    }
                }
            }
        }
    }
}

fn is_native() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512bf16")
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{PANEL, ROWS};

    const LANES: usize = 16;
    const VECTORS: usize = PANEL / LANES;

    /// Of four rows of pairs with a panel.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub fn sums(a: &[u32], weights: &[[u32; PANEL]]) -> [[f32; PANEL]; ROWS] {
        let pairs = weights.len();
        assert!(a.len() == ROWS * pairs);
        let mut sums = [[_mm512_setzero_ps(); VECTORS]; ROWS];
        for (at, weights) in weights.iter().enumerate() {
            // SAFETY: each vector lies within the array of 64.
            let own: [__m512bh; VECTORS] = std::array::from_fn(|k| unsafe {
                _mm512_loadu_si512(weights.as_ptr().add(k * LANES).cast()).to_bf16()
            });
            for row in 0..ROWS {
                // SAFETY: the assertion above.
                let seen = unsafe { *a.get_unchecked(row * pairs + at) };
                let seen = _mm512_set1_epi32(seen.cast_signed()).to_bf16();
                for k in 0..VECTORS {
                    sums[row][k] = _mm512_dpbf16_ps(sums[row][k], seen, own[k]);
                }
            }
        }
        let mut out = [[0.0; PANEL]; ROWS];
        for (out, sums) in out.iter_mut().zip(sums) {
            for (k, sum) in sums.into_iter().enumerate() {
                // SAFETY: each vector lies within the array of 64.
                unsafe { _mm512_storeu_ps(out.as_mut_ptr().add(k * LANES), sum) };
            }
        }
        out
    }

    trait ToBf16 {
        fn to_bf16(self) -> __m512bh;
    }

    impl ToBf16 for __m512i {
        #[inline(always)]
        fn to_bf16(self) -> __m512bh {
            // SAFETY: both are 64 bytes, of which every content is a value.
            unsafe { std::mem::transmute(self) }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::numeric::splitmix64;

    fn numbers(count: usize, seed: u64) -> Vec<f32> {
        (0..count as u64).map(|at| (splitmix64(seed ^ at) >> 40) as f32 / 8_388_608.0 - 1.0).collect()
    }

    #[test]
    fn rounding_is_to_the_nearest_and_even_where_halfway() {
        let two = |x: f32| pair(x, 0.0) & 0xffff;
        assert_eq!(two(1.0), 0x3f80);
        // One bit of bfloat16 above 1 is 2^-7; halfway goes to the even neighbour.
        assert_eq!(two(1.0 + 2.0_f32.powi(-8)), 0x3f80);
        assert_eq!(two(1.0 + 3.0 * 2.0_f32.powi(-8)), 0x3f82);
        assert_eq!(two(1.0 + 1.1 * 2.0_f32.powi(-8)), 0x3f81);
        assert_eq!(pair(0.0, -2.0), 0xc000_0000);
    }

    #[test]
    fn products_are_those_of_the_rounded_numbers() {
        for (inputs, outputs) in [(192, 192), (7, 5), (120, 70), (1, 64), (0, 3)] {
            let rows = 8;
            let (a, b) = (numbers(rows * inputs, 1), numbers(inputs * outputs, 2));
            let Some(half) = Half::of(&b, inputs, outputs) else { return };
            let mut pairs = vec![0; rows * inputs.div_ceil(2)];
            rounded(&a, inputs, &mut pairs);
            let mut found = vec![0.5; rows * outputs];
            half.add_to(&pairs, &mut found);
            let mut put = vec![f32::NAN; rows * outputs];
            half.put(&pairs, &vec![0.5; outputs], &mut put);
            assert_eq!(put, found);
            let near = |x: f32| f64::from(f32::from_bits(pair(x, 0.0) << 16));
            for row in 0..rows {
                for output in 0..outputs {
                    let exact: f64 =
                        (0..inputs).map(|i| near(a[row * inputs + i]) * near(b[i * outputs + output])).sum();
                    let found = f64::from(found[row * outputs + output]) - 0.5;
                    // Sums of at most 192 products below 1 in float32.
                    assert!((found - exact).abs() < 2e-5, "{found} {exact}");
                }
            }
        }
    }
}
