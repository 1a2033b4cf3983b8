//! Conditional: each column hidden in turn and predicted from the others.
//!
//! Of the memory the column tails together; of the network the sum of nats. As masked diffusion scores rows (MaskDiff-AD,
//! arXiv 2605.30046, section 4).

use super::{MemoryShares, NetworkShares};

pub fn memory() -> MemoryShares {
    MemoryShares { columns: 1.0, ..MemoryShares::default() }
}

pub fn network() -> NetworkShares {
    NetworkShares { conditional: 1.0, ..NetworkShares::default() }
}
