//! Score function: the norm of the gradient of the log density at the clean row, over the levels.
//!
//! A denoiser's residual with no noise added is that gradient: `((D(x) - x) / sigma)^2 = sigma^2 |score|^2` (Tweedie's formula;
//! Robbins 1956, Efron 2011). As K-DSM scores rows (Livernoche et al., arXiv 2605.06955, section 4).

use super::{MemoryShares, NetworkShares};

pub fn memory() -> MemoryShares {
    MemoryShares { joint: 1.0, ..MemoryShares::default() }
}

pub fn network() -> NetworkShares {
    NetworkShares { joint: 1.0, ..NetworkShares::default() }
}
