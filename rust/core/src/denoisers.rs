//! The denoisers of a model, and the energies of a block under all of them.

use crate::block::Block;
use crate::combine::{EnergyBlock, Plan};
use crate::memory::Memory;
use crate::network::Network;

/// How much the network counts beside a memory. More of it gained on mixed tables what it lost on numeric ones.
const NETWORK: f64 = 0.3;

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

    /// Row energies and weights, which add up to 1.
    ///
    /// Of the memory: where the training rows are known to be normal, density, joint energy and columns count alike; where
    /// they are not, wide density counts too and what asks for fine structure (joint, columns) counts half. The
    /// marginal counts as much beside them as the share of the table's columns that are categories: what is rare by itself
    /// tells much of a category, and little of a number that density does not. The network counts [`NETWORK`], two thirds
    /// of it joint; nothing where it is not `judged`, that is, where no rows are left that it was not trained on.
    pub fn plan(&self, features: usize, contaminated: bool, judged: bool) -> Plan {
        let mut plan = Plan { features, geometric: !contaminated, ..Plan::default() };
        let spread = |terms: &mut Vec<f64>, count: usize, weight: f64| {
            terms.extend(std::iter::repeat_n(weight / count.max(1) as f64, count));
        };
        let network = match (&self.memory, &self.network) {
            (_, None) => 0.0,
            (None, Some(_)) => 1.0,
            (Some(_), Some(_)) => {
                if judged {
                    NETWORK
                } else {
                    0.0
                }
            }
        };
        if let Some(memory) = &self.memory {
            let levels = memory.levels();
            let (wide, fine) = if contaminated { (1.0 / 3.0, 1.0 / 6.0) } else { (0.0, 1.0 / 3.0) };
            let marginal = memory.category_share();
            let own = (1.0 - network) / (1.0 + marginal);
            spread(&mut plan.terms, levels.local.len(), own / 3.0);
            spread(&mut plan.terms, levels.wide.len(), own * wide);
            spread(&mut plan.terms, levels.local.len(), own * fine);
            plan.terms.push(own * marginal);
            plan.columns.push(own * fine);
        }
        if let Some(net) = &self.network {
            spread(&mut plan.terms, net.joint_levels(), network * 2.0 / 3.0);
            plan.terms.push(network / 3.0);
            plan.columns.push(0.0);
        }
        plan
    }

    /// Energies of every row under all denoisers.
    pub fn energies(&self, block: &Block, features: usize) -> EnergyBlock {
        let own = self.memory.as_ref().map_or(0, Memory::row_terms);
        let levels = self.network.as_ref().map_or(0, Network::joint_levels);
        let width = own + levels + usize::from(self.network.is_some());
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
                // In nats each: a column that is hard to tell is surprising by as much in every row.
                let conditional: f32 = found.conditional[row * features..(row + 1) * features].iter().sum();
                out.terms[row * width + own + levels] = conditional;
            }
            out.features.push(found.conditional);
        }
        out
    }
}
