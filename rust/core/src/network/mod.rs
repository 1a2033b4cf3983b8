//! The network denoiser: forward pass and energies of what `python/tabad/diffusion` trains.
//!
//! A residual perceptron on numbers, one-hot codes and one noise level per table column (Karras et al.
//! 2022 preconditioning with sigma_data = 1; TabDDPM, Kotelnikov et al. 2023, for the mixed row). It is
//! asked under fixed probes: *joint* ones (every column at one level, no noise added: the squared score)
//! and *conditional* ones (some columns hidden, the others clean). Twins: `tests/oracle/network.py`,
//! `python/tabad/diffusion/energies.py`. Rows go in zero-padded tiles of [`TILE`], so that a row's
//! bits depend on nothing but the row. Not here: training.
//!
//! Legend: B rows, T rows of a tile, N numbers, C categories, S codes of all categories, F = N + C
//! features (numbers first), P table columns, K probes, J joint ones, H width, O outputs (N + S or some).

mod config;
mod energies;
mod file;
mod forward;
mod generate;
mod half;
mod kernels;
mod noised;
mod pieces;
mod probe;
mod quantile;

pub use config::{Kind, Shape};
pub use energies::Energies;
pub use generate::{Generator, Given, Request, Ties, WINDOW};
pub use noised::DRAWS;

use config::Config;
use pieces::Pieces;
use probe::{Head, Probe};
use quantile::Quantiles;

/// Rows of a tile.
const TILE: usize = 64;
/// Probes that share a matrix product: enough to hide its packing, few enough for the cache.
const GROUP: usize = 4;

/// Numbers beyond this are seen as the bound.
const CLIP: f32 = 30.0;
/// No energy is larger, and none is NaN, whatever weights a file holds.
const ENERGY_CAP: f32 = 1e12;

/// A trained network.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    config: Config,
    weights: Weights,
    probes: Vec<Probe>,
    pieces: Pieces,
    /// The whole head, then one for what each conditional probe asks.
    heads: Vec<Head>,
    /// How many conditional probes hide each feature, inverted [F].
    share: Vec<f32>,
}

/// The tensors of the file, row-major, `[in, out]`.
#[derive(Debug, Clone, PartialEq)]
struct Weights {
    number: Vec<f32>,
    /// c_skip x [N, H].
    skipped: Vec<f32>,
    /// How far a number reaches into each piece [N K, H], and where the pieces begin and end [K + 1].
    piece: Vec<f32>,
    edge: Vec<f32>,
    level: Vec<f32>,
    hidden: Vec<f32>,
    code: Vec<f32>,
    label: Vec<f32>,
    blocks: Vec<BlockWeights>,
    head: Vec<f32>,
    head_bias: Vec<f32>,
    probes: Vec<f32>,
    hidden_variance: Vec<f32>,
    /// The scale of the numbers [N, K] each.
    knot: Vec<f32>,
    low: Vec<f32>,
    high: Vec<f32>,
    middle: Vec<f32>,
    /// Quantiles of what the network draws and of its training rows [N, K] each, for generation alone.
    drawn: Vec<f32>,
    wanted: Vec<f32>,
    /// Values that are codes of their own, ascending, the last one repeated [E, A], for generation alone.
    atom: Vec<f32>,
}

#[derive(Debug, Clone, PartialEq)]
struct BlockWeights {
    inner: Vec<f32>,
    inner_bias: Vec<f32>,
    outer: Vec<f32>,
    outer_bias: Vec<f32>,
}

impl Network {
    /// J: energies of a row under joint probes come in so many levels.
    pub fn joint_levels(&self) -> usize {
        self.config.joint
    }

    /// How many values of this number the network knows by name, to generate them.
    pub fn atoms(&self, number: usize) -> usize {
        self.config.atoms.iter().filter(|&&(of, _)| of == number).map(|&(_, size)| usize::from(size) - 1).sum()
    }

    pub fn has_atoms(&self) -> bool {
        !self.config.atoms.is_empty()
    }

    /// The network as it scores: without those values, nor what it would say of them. Energies are the same.
    #[must_use]
    pub fn without_atoms(&self) -> Self {
        let (width, numbers) = (self.config.width, self.config.shape.numbers());
        let (outputs, kept) = (numbers + self.config.codes(), numbers + self.config.shape.codes());
        let mut weights = self.weights.clone();
        weights.atom.clear();
        weights.code.truncate(self.config.shape.codes() * width);
        weights.head_bias.truncate(kept);
        weights.head = weights.head.chunks_exact(outputs).flat_map(|row| &row[..kept]).copied().collect();
        Self::assemble(Config { atoms: Vec::new(), ..self.config.clone() }, weights)
    }

    /// What the network was fitted on.
    pub fn shape(&self) -> &Shape {
        &self.config.shape
    }
}

impl Weights {
    /// The scale of one number, of `knots` known values.
    fn scale(&self, number: usize, knots: usize) -> Quantiles<'_> {
        let own = number * knots..(number + 1) * knots;
        Quantiles {
            knot: &self.knot[own.clone()],
            low: &self.low[own.clone()],
            high: &self.high[own.clone()],
            middle: &self.middle[own],
        }
    }
}

#[cfg(test)]
mod tests;
