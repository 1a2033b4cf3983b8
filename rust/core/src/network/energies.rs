//! Energies of rows and expected values of one row: the formulas of `diffusion/energies.py`.

use super::forward::Tile;
use super::kernels::log_sum_exp;
use super::probe::{Head, Probe};
use super::{CLIP, ENERGY_CAP, GROUP, Network, TILE};
use crate::block::Block;
use crate::memory::Expected;

/// Standard normal quantile at 0.95.
const QUANTILE_95: f32 = 1.645;

/// Energies of a block's rows; 0 for an absent number, never NaN.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Energies {
    /// [B, J, F]: squared scores of numbers, nats of categories, under each joint probe.
    pub joint: Vec<f32>,
    /// [B, F]: nats, mean over the probes that hide the feature's column (a number's less ln(2 pi) / 2).
    pub conditional: Vec<f32>,
}

impl Network {
    /// Energies of every row. Sequential: callers share out blocks among threads.
    pub fn energies(&self, block: &Block) -> Energies {
        self.energies_under(&self.probes, block)
    }

    /// The joint energies alone, to the same bits; no conditional ones.
    pub fn joint_energies(&self, block: &Block) -> Energies {
        // Whole groups, so that the products are the same.
        let asked = self.config.joint.next_multiple_of(GROUP).min(self.probes.len());
        let found = self.energies_under(&self.probes[..asked], block);
        Energies { conditional: Vec::new(), ..found }
    }

    fn energies_under(&self, probes: &[Probe], block: &Block) -> Energies {
        let features = self.config.shape.column_of_feature.len();
        let levels = self.config.joint;
        let mut found = Energies {
            joint: vec![0.0; block.rows * levels * features],
            conditional: vec![0.0; block.rows * features],
        };
        let mut tile = self.tile(TILE);
        for first in (0..block.rows).step_by(TILE) {
            self.fill(&mut tile, block, first);
            self.each_probe(probes, &mut tile, |level, probe, head, tile| {
                for row in 0..tile.rows {
                    if level < levels {
                        let at = ((first + row) * levels + level) * features;
                        self.joint_row(tile, row, probe, head, &mut found.joint[at..at + features]);
                    } else {
                        let at = (first + row) * features;
                        self.conditional_row(tile, row, head, &mut found.conditional[at..at + features]);
                    }
                }
            });
        }
        for row in found.conditional.chunks_exact_mut(features.max(1)) {
            row.iter_mut().zip(&self.share).for_each(|(energy, share)| *energy = cap(*energy * share));
        }
        found
    }

    /// What the conditional probes expect of each feature of a row.
    pub fn expected(&self, x_n: &[f32], c_c: &[u16]) -> Vec<Expected> {
        let shape = &self.config.shape;
        let numbers = shape.numbers();
        let block = Block { rows: 1, numbers, categories: shape.categories(), x: x_n.to_vec(), c: c_c.to_vec() };
        let mut tile = self.tile(1);
        self.fill(&mut tile, &block, 0);
        let mut means = vec![0.0_f32; numbers];
        let mut shares: Vec<Vec<f32>> = shape.sizes.iter().map(|&size| vec![0.0; usize::from(size)]).collect();
        self.each_probe(&self.probes, &mut tile, |level, _, head, tile| {
            if level < self.config.joint {
                return;
            }
            for (&number, raw) in head.numbers.iter().zip(&tile.out) {
                means[number] += raw * self.share[number];
            }
            for (category, logits) in self.segments(tile, 0, head) {
                let total = log_sum_exp(logits);
                for (share, logit) in shares[category].iter_mut().zip(logits) {
                    *share += (logit - total).exp() * self.share[numbers + category];
                }
            }
        });
        let as_number = |(at, mean): (usize, f32)| {
            let scale = self.weights.scale(at, self.config.knots);
            let spread = QUANTILE_95 * self.weights.hidden_variance[at].sqrt();
            let value = |z: f32| scale.value(z).clamp(-CLIP, CLIP);
            Expected::Number { middle: value(mean), low: value(mean - spread), high: value(mean + spread) }
        };
        means.into_iter().enumerate().map(as_number).chain(shares.into_iter().map(Expected::Category)).collect()
    }

    /// Hand the raw outputs of each of these probes for the tile to `then`, with the probe's number.
    fn each_probe(&self, probes: &[Probe], tile: &mut Tile, mut then: impl FnMut(usize, &Probe, &Head, &Tile)) {
        for (group_at, group) in probes.chunks(GROUP).enumerate() {
            self.trunk(tile, group);
            for (slot, probe) in group.iter().enumerate() {
                self.head(tile, slot, probe);
                then(group_at * GROUP + slot, probe, &self.heads[probe.head], tile);
            }
        }
    }

    /// `((D - x) / sigma)^2` with `D = c_skip x + c_out F`, written so that nothing cancels.
    fn joint_row(&self, tile: &Tile, row: usize, probe: &Probe, head: &Head, energies: &mut [f32]) {
        let numbers = self.config.shape.numbers();
        let (own, categories) = energies.split_at_mut(numbers);
        let raw = &tile.out[row * head.outputs()..];
        let cells = tile.x[row * numbers..].iter().zip(&tile.present[row * numbers..]);
        let probed = probe.pull.iter().zip(&probe.shift);
        for (((energy, raw), (x, &there)), ((pull, inverse), shift)) in own.iter_mut().zip(raw).zip(cells).zip(probed) {
            let residual = (raw - pull * x) * inverse + shift;
            *energy = if there { cap(residual * residual) } else { 0.0 };
        }
        for (category, logits) in self.segments(tile, row, head).filter(|(category, _)| probe.asked[*category]) {
            categories[category] = cap(self.nats(tile, row, category, logits));
        }
    }

    fn conditional_row(&self, tile: &Tile, row: usize, head: &Head, energies: &mut [f32]) {
        let numbers = self.config.shape.numbers();
        let raw = &tile.out[row * head.outputs()..];
        for (&number, raw) in head.numbers.iter().zip(raw) {
            if tile.present[row * numbers + number] {
                let variance = self.weights.hidden_variance[number];
                let residual = tile.x[row * numbers + number] - raw;
                energies[number] += 0.5 * (residual * residual / variance + variance.ln());
            }
        }
        for (category, logits) in self.segments(tile, row, head) {
            energies[numbers + category] += self.nats(tile, row, category, logits);
        }
    }

    /// -ln p of the code seen.
    fn nats(&self, tile: &Tile, row: usize, category: usize, logits: &[f32]) -> f32 {
        let code = tile.c[row * self.config.shape.categories() + category];
        log_sum_exp(logits) - logits[usize::from(code)]
    }

    /// The logits of each category that a head gives.
    fn segments<'a>(&'a self, tile: &'a Tile, row: usize, head: &'a Head) -> impl Iterator<Item = (usize, &'a [f32])> {
        let mut rest = &tile.out[row * head.outputs() + head.numbers.len()..];
        head.categories.iter().map(move |&category| {
            let (own, after) = rest.split_at(usize::from(self.config.shape.sizes[category]));
            rest = after;
            (category, own)
        })
    }
}

fn cap(energy: f32) -> f32 {
    if energy.is_nan() { ENERGY_CAP } else { energy.clamp(-ENERGY_CAP, ENERGY_CAP) }
}
