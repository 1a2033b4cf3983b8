//! Reconstruction: corrupt the row, denoise it, and see how far it comes back from where it was.
//!
//! Numbers are noised and categories hidden, half of them each time; noise and hiding are fixed, so that the answer is the
//! same every time. As AnoDDPM (Wyatt et al. 2022) and DDPM-based detectors of tables do (Livernoche et al. 2024, section 3).
//! With no noise it would be the score function: see there.

use super::{MemoryShares, NetworkShares};
use crate::memory::{Corruption, Memory, Scratch};
use crate::numeric::{normal_at, splitmix64};

/// Corruptions of a row per level of the memory.
const PROBES: usize = 4;

pub fn memory() -> MemoryShares {
    MemoryShares { own: 1.0, ..MemoryShares::default() }
}

pub fn network() -> NetworkShares {
    NetworkShares { own: 1.0, ..NetworkShares::default() }
}

/// The corruptions of a table with so many numbers and categories. The second half undoes the first: noise of the
/// other sign, the other categories hidden.
pub fn corruptions(numbers: usize, categories: usize) -> [Corruption; PROBES] {
    std::array::from_fn(|probe| {
        let (draw, turned) = ((probe % (PROBES / 2)) as u64, probe >= PROBES / 2);
        let sign = if turned { -1.0 } else { 1.0 };
        let coin = |category: usize| splitmix64(splitmix64(draw + 1) ^ category as u64) & 1 == 1;
        Corruption {
            noise: (0..numbers).map(|number| sign * normal_at(draw, number as u64)).collect(),
            hidden: (0..categories).map(|category| coin(category) != turned).collect(),
        }
    })
}

/// Per local level the log of the memory's mean error over the corruptions: squares in units of the noise, and nats of what
/// was hidden.
pub fn memory_errors(
    memory: &Memory,
    (x_n, c_c): (&[f32], &[u16]),
    probes: &[Corruption],
    scratch: &mut Scratch,
    out: &mut [f32],
) {
    let left_out = memory.left_out(x_n, c_c, scratch);
    for (error, &tau) in out.iter_mut().zip(&memory.levels().local) {
        let error_of = |probe| memory.reconstruction((x_n, c_c), left_out, probe, tau, scratch);
        let sum: f32 = probes.iter().map(error_of).sum();
        *error = (sum / PROBES as f32 + 1e-6).ln();
    }
}
