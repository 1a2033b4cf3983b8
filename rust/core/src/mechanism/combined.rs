//! The default: density, score function and conditional energies together, with the marginals beside them.
//!
//! Where the training rows are known to be normal, density, joint energy and columns count alike. Where they are not, the
//! joint energy, which asks for fine structure, counts half, and the isolation three times as much as the three together:
//! anomalies among the kept rows hide like ones in a density, and hardly in it. Beside context columns, of which the
//! isolation knows nothing, the wide densities take its place. The marginal counts by the share of the table's columns that
//! are categories, and as much as all these, or a little more, where all of them are: what is rare by itself tells much of
//! a category, and little of a number that density does not. Where training rows may be anomalies the extremity counts as
//! much as the marginal again: anomalies that are alike make their values less rare, and leave them as far out.

use super::{MemoryShares, NetworkShares, Setting};

/// Share of the crowding.
const CROWDING: f64 = 0.07;

pub fn memory(setting: Setting) -> MemoryShares {
    let marginal = setting.category_share;
    let parts = match setting {
        Setting { contaminated: false, .. } => {
            MemoryShares { local: 1.0, joint: 1.0, columns: 1.0, marginal: 3.0 * marginal, ..MemoryShares::default() }
        }
        Setting { context: true, .. } => MemoryShares {
            local: 2.0,
            wide: 2.0,
            joint: 1.0,
            columns: 1.0,
            marginal: 6.0 * marginal,
            ..MemoryShares::default()
        },
        Setting { .. } => MemoryShares {
            local: 2.0,
            joint: 1.0,
            columns: 2.0,
            marginal: 24.0 * marginal,
            extremity: 24.0 * marginal,
            isolation: 16.0,
            ..MemoryShares::default()
        },
    };
    let crowding = if setting.contaminated && !setting.context { CROWDING } else { 0.0 };
    MemoryShares { crowding, ..parts.scaled_to(1.0 - crowding) }
}

/// Beside a memory, whose conditional energies are the better ones, the network adds its joint energies.
pub fn network(alone: bool) -> NetworkShares {
    let conditional = if alone { 1.0 / 3.0 } else { 0.0 };
    NetworkShares { joint: 1.0 - conditional, conditional, own: 0.0 }
}
