//! Random numbers of one row: what a row becomes does not hang on which rows are drawn beside it.

use crate::numeric::{SPLITMIX64_STEP, splitmix64};

/// 2^-24: uniform numbers have 24 bits, as many as a float32 tells apart below 1.
const UNIT: f32 = 1.0 / 16_777_216.0;

/// `SplitMix64` (Steele et al. 2014) from a place of its own.
#[derive(Debug, Clone)]
pub(super) struct Stream(u64);

impl Stream {
    pub fn of(seed: u64, row: u64) -> Self {
        Self(splitmix64(seed ^ splitmix64(row)))
    }

    fn next(&mut self) -> u64 {
        let bits = splitmix64(self.0);
        self.0 = self.0.wrapping_add(SPLITMIX64_STEP);
        bits
    }

    /// In [0, 1).
    pub fn uniform(&mut self) -> f32 {
        (self.next() >> 40) as f32 * UNIT
    }

    /// Standard normal numbers, two of each pair of uniform ones (Box and Muller 1958).
    pub fn normals(&mut self, out: &mut [f32]) {
        for pair in out.chunks_mut(2) {
            let bits = self.next();
            // Never 0: half a unit above it, which is exact in float32 up to one half and rounds above.
            let radius = (-2.0 * (((bits >> 40) as f32 + 0.5) * UNIT).ln()).max(0.0).sqrt();
            let (sine, cosine) = (std::f32::consts::TAU * ((bits >> 16) & 0xff_ffff) as f32 * UNIT).sin_cos();
            pair[0] = radius * cosine;
            if let Some(second) = pair.get_mut(1) {
                *second = radius * sine;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn normals_have_mean_0_variance_1_and_the_tails_of_a_normal() {
        let mut drawn = vec![0.0; 400_001];
        Stream::of(1, 2).normals(&mut drawn);
        let count = drawn.len() as f64;
        let moment = |power: i32| drawn.iter().map(|&x| f64::from(x).powi(power)).sum::<f64>() / count;
        // Four standard errors of each.
        assert!(moment(1).abs() < 4.0 / count.sqrt());
        assert!((moment(2) - 1.0).abs() < 4.0 * (2.0 / count).sqrt());
        assert!((moment(4) - 3.0).abs() < 4.0 * (96.0 / count).sqrt());
        let beyond = drawn.iter().filter(|x| x.abs() > 3.0).count() as f64 / count;
        assert!((beyond - 0.0027).abs() < 4.0 * (0.0027 / count).sqrt());
    }

    #[test]
    fn rows_have_streams_of_their_own() {
        let first = |row| Stream::of(5, row).uniform();
        let drawn: Vec<f32> = (0..1000).map(first).collect();
        let mean = drawn.iter().sum::<f32>() / 1000.0;
        assert!((mean - 0.5).abs() < 4.0 / (12.0_f32 * 1000.0).sqrt());
        assert_ne!(first(0), first(1));
    }
}
