//! The default: density, score function and conditional energies together, with the marginals beside them.
//!
//! Where the training rows are known to be normal, density, joint energy and columns count alike; where they are not, wide
//! density counts too and what asks for fine structure (joint, columns) counts half. The marginal counts as much
//! beside them as the share of the table's columns that are categories: what is rare by itself tells much of a
//! category, and little of a number that density does not.

use super::{MemoryShares, NetworkShares, Setting};

pub fn memory(setting: Setting) -> MemoryShares {
    let (wide, fine) = if setting.contaminated { (1.0 / 3.0, 1.0 / 6.0) } else { (0.0, 1.0 / 3.0) };
    let unit = 1.0 / (1.0 + setting.category_share);
    MemoryShares {
        local: unit / 3.0,
        wide: unit * wide,
        joint: unit * fine,
        marginal: unit * setting.category_share,
        columns: unit * fine,
        own: 0.0,
    }
}

/// Beside a memory, whose conditional energies are the better ones, the network adds its joint energies.
pub fn network(alone: bool) -> NetworkShares {
    let conditional = if alone { 1.0 / 3.0 } else { 0.0 };
    NetworkShares { joint: 1.0 - conditional, conditional, own: 0.0 }
}
