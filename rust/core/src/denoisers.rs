//! The denoisers of a model, and the energies of a block under all of them.

use crate::block::Block;
use crate::combine::{EnergyBlock, Plan};
use crate::memory::Memory;
use crate::network::Network;

/// A closed set: every model has at least one.
#[derive(Debug, Clone, Default)]
pub struct Denoisers {
    pub memory: Option<Memory>,
    pub network: Option<Network>,
}

impl Denoisers {
    /// Row energies and weights: each denoiser counts as much as the other, each group of its
    /// energies (density, wide density, joint, columns) as much as the next.
    pub fn plan(&self, features: usize, wide_counts: bool) -> Plan {
        let mut plan = Plan { features, ..Plan::default() };
        let parts = f64::from(u8::from(self.memory.is_some()) + u8::from(self.network.is_some()));
        if let Some(memory) = &self.memory {
            let levels = memory.levels();
            let groups = if wide_counts { 4.0 } else { 3.0 } * parts;
            let spread = |count: usize, on: bool| {
                let weight = if on { 1.0 / (groups * count.max(1) as f64) } else { 0.0 };
                std::iter::repeat_n(weight, count)
            };
            plan.terms.extend(spread(levels.local.len(), true));
            plan.terms.extend(spread(levels.wide.len(), wide_counts));
            plan.terms.extend(spread(levels.local.len(), true));
            plan.columns.push(1.0 / groups);
        }
        if let Some(network) = &self.network {
            let levels = network.joint_levels();
            plan.terms.extend(std::iter::repeat_n(1.0 / (2.0 * parts * levels.max(1) as f64), levels));
            plan.columns.push(1.0 / (2.0 * parts));
        }
        plan
    }

    /// Energies of every row under all denoisers.
    pub fn energies(&self, block: &Block, features: usize) -> EnergyBlock {
        let own = self.memory.as_ref().map_or(0, Memory::row_terms);
        let levels = self.network.as_ref().map_or(0, Network::joint_levels);
        let width = own + levels;
        let mut out = EnergyBlock { rows: block.rows, terms: vec![0.0; block.rows * width], features: Vec::new() };
        if let Some(memory) = &self.memory {
            let mut columns = vec![0.0; block.rows * features];
            let mut scratch = memory.scratch();
            for row in 0..block.rows {
                memory.energies(
                    block.x_row(row),
                    block.c_row(row),
                    &mut scratch,
                    &mut out.terms[row * width..row * width + own],
                    &mut columns[row * features..(row + 1) * features],
                );
            }
            out.features.push(columns);
        }
        if let Some(network) = &self.network {
            let found = network.energies(block);
            for row in 0..block.rows {
                for level in 0..levels {
                    let at = (row * levels + level) * features;
                    let sum: f32 = found.joint[at..at + features].iter().sum();
                    out.terms[row * width + own + level] = (sum.max(0.0) + 1e-6).ln();
                }
            }
            out.features.push(found.conditional);
        }
        out
    }
}
