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
    /// Each by itself, in the order of the plan.
    pub fn each(&self) -> Vec<Self> {
        let memory = self.memory.iter().map(|memory| Self { memory: Some(memory.clone()), network: None });
        let network = self.network.iter().map(|network| Self { memory: None, network: Some(network.clone()) });
        memory.chain(network).collect()
    }

    /// Row energies and weights, which add up to 1: each denoiser counts as much as the other. Where the
    /// training rows are known to be normal, density, joint energy and columns count alike; where they
    /// are not, wide density counts too and what asks for fine structure (joint, columns) counts half.
    pub fn plan(&self, features: usize, contaminated: bool) -> Plan {
        let mut plan = Plan { features, ..Plan::default() };
        let denoisers = f64::from(u8::from(self.memory.is_some()) + u8::from(self.network.is_some()));
        let spread = |terms: &mut Vec<f64>, count: usize, weight: f64| {
            terms.extend(std::iter::repeat_n(weight / (count.max(1) as f64 * denoisers), count));
        };
        if let Some(memory) = &self.memory {
            let levels = memory.levels();
            let (wide, fine) = if contaminated { (1.0 / 3.0, 1.0 / 6.0) } else { (0.0, 1.0 / 3.0) };
            spread(&mut plan.terms, levels.local.len(), 1.0 / 3.0);
            spread(&mut plan.terms, levels.wide.len(), wide);
            spread(&mut plan.terms, levels.local.len(), fine);
            plan.columns.push(fine / denoisers);
        }
        if let Some(network) = &self.network {
            spread(&mut plan.terms, network.joint_levels(), 0.5);
            plan.columns.push(0.5 / denoisers);
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
