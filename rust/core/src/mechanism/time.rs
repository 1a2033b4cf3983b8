//! Diffusion time: how much noise would make a training row look like this one.
//!
//! The posterior over the noise level given the row (DTE, Livernoche et al. 2024, section 4), here its most likely value under
//! the kernel of the kept rows, found by expectation maximisation: `tau <- 2 sum_i w_i E_i / n`, with `w_i` the weights at
//! the last tau and n the number of dimensions. The network, which is told the noise, has no such question to answer.

use super::MemoryShares;
use crate::memory::{Memory, Scratch};

/// Steps of expectation maximisation, from the widest level down.
const STEPS: usize = 12;
/// Exact copies would have no time at all.
const LEAST: f32 = 1e-3;

pub fn memory() -> MemoryShares {
    MemoryShares { own: 1.0, ..MemoryShares::default() }
}

/// ln tau of a row.
pub fn memory_time(memory: &Memory, x_n: &[f32], c_c: &[u16], scratch: &mut Scratch) -> f32 {
    let levels = memory.levels();
    let widest = levels.wide.iter().chain(&levels.local).copied().fold(LEAST, f32::max);
    memory.likeliest_width(x_n, c_c, (widest, LEAST, STEPS), scratch).ln()
}
