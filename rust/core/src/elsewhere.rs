//! Energies that are computed elsewhere, on a GPU: the middle of the scoring path alone is replaced.

use crate::block::Block;
use crate::denoisers::Denoisers;
use crate::error::{Error, Result};
use crate::memory::Wanted;
use crate::network::Energies;

/// What the denoisers of a model find in a block's rows, before it is combined. Empty where a denoiser is missing.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The memory's row energies [B, R] and conditional ones [B, F].
    pub terms: Vec<f32>,
    pub columns: Vec<f32>,
    /// The network's; no conditional ones where they were not asked for.
    pub network: Energies,
}

/// Who computes them. Called with many rows at a time.
pub trait Elsewhere: std::fmt::Debug + Send + Sync {
    fn find(&self, block: &Block, wanted: Wanted, conditional: bool) -> Result<Found>;
}

impl Found {
    /// Refuses answers of another shape than the block's.
    pub(crate) fn checked(
        self,
        denoisers: &Denoisers,
        rows: usize,
        features: usize,
        conditional: bool,
    ) -> Result<Self> {
        let (memory, network) = (denoisers.memory.as_ref(), denoisers.network.as_ref());
        let kept = usize::from(memory.is_some());
        let (joint, nets) = network.map_or((0, 0), |network| (network.joint_levels(), 1));
        let lengths = [self.terms.len(), self.columns.len(), self.network.joint.len(), self.network.conditional.len()];
        let expected = [
            memory.map_or(0, |memory| memory.row_terms()),
            kept * features,
            joint * features,
            if conditional { nets * features } else { 0 },
        ];
        if lengths == expected.map(|width| width * rows) {
            return Ok(self);
        }
        Err(Error::usage("energies-shape", "energies from elsewhere do not have the shape of the rows"))
    }
}
