//! Numbers as the first layer is fed them: as they are, pulled to the mean, and how far they reach into each piece of
//! the scale (Gorishniy, Rubachev and Babenko 2022, eq. 1), less what 0 says: a number that is not seen adds nothing.
//!
//! The twin of `python/tabad/diffusion/pieces.py`. Legend: M rows, N numbers, K pieces, I = N (2 + K) inputs, H width.

use super::Weights;
use super::config::Config;
use super::kernels::reach;

/// The pieces, and all weights of numbers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pieces {
    /// Where each piece begins and ends, and what 0 is within it [K].
    low: Vec<f32>,
    high: Vec<f32>,
    zero: Vec<f32>,
    /// Numbers, then those times c_in, then the pieces of each [I, H].
    pub weights: Vec<f32>,
}

impl Pieces {
    pub fn of(config: &Config, weights: &Weights) -> Self {
        debug_assert_eq!(weights.edge.len(), config.pieces + 1);
        let (low, high) = (weights.edge[..config.pieces].to_vec(), weights.edge[1..].to_vec());
        let zero = low.iter().zip(&high).map(|(&low, &high)| 0.0_f32.min(high).max(low)).collect();
        Self { low, high, zero, weights: [&weights.number[..], &weights.skipped, &weights.piece].concat() }
    }

    /// I.
    pub fn inputs(&self, numbers: usize) -> usize {
        numbers * (2 + self.low.len())
    }

    /// Write what stands for the numbers `c_in x` of one row, each with its c_in, into `inputs` [I].
    pub fn encode(&self, row: impl ExactSizeIterator<Item = (f32, f32)>, inputs: &mut [f32]) {
        let (own, rest) = inputs.split_at_mut(row.len());
        let (skipped, reached) = rest.split_at_mut(row.len());
        for ((y, skipped), (number, scale)) in own.iter_mut().zip(skipped).zip(row) {
            *y = number;
            *skipped = number * scale;
        }
        reach(own, &self.low, &self.high, &self.zero, reached);
    }
}
