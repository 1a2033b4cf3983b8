//! One tile through the network under a few probes at once.
//!
//! Legend beside that of the module: M = rows of a tile times the probes of a group, I inputs of the numbers.

use super::kernels::{add_product, broadcast, gather, normalise, silu};
use super::probe::{Head, Probe};
use super::{CLIP, GROUP, Network};
use crate::block::{Block, PRESENT};

/// A tile of rows, and room for all that is computed of it.
#[derive(Debug)]
pub(super) struct Tile {
    /// T.
    size: usize,
    /// Rows that are real; the others are zero.
    pub rows: usize,
    /// Numbers on the network's scale, 0 where absent [T, N].
    pub x: Vec<f32>,
    pub present: Vec<bool>,
    /// Codes within their category [T, C].
    pub c: Vec<u16>,
    /// Rows of the code table that each row asks for [T, C].
    places: Vec<usize>,
    /// All codes through the first layer [T, H].
    codes: Vec<f32>,
    /// What stands for scaled numbers [M, I], then the residual stream, its layer norm and the inner layer [M, H].
    inputs: Vec<f32>,
    h: Vec<f32>,
    normed: Vec<f32>,
    inner: Vec<f32>,
    /// What the last head gave [T, O].
    pub out: Vec<f32>,
}

impl Network {
    pub(super) fn tile(&self, size: usize) -> Tile {
        let (shape, width) = (&self.config.shape, self.config.width);
        let most = self.heads.iter().map(Head::outputs).max().unwrap_or(0);
        Tile {
            size,
            rows: 0,
            x: vec![0.0; size * shape.numbers()],
            present: vec![false; size * shape.numbers()],
            c: vec![0; size * shape.categories()],
            places: vec![0; size * shape.categories()],
            codes: vec![0.0; size * width],
            inputs: vec![0.0; GROUP * size * self.pieces.inputs(shape.numbers())],
            h: vec![0.0; GROUP * size * width],
            normed: vec![0.0; GROUP * size * width],
            inner: vec![0.0; GROUP * size * width],
            out: vec![0.0; size * most],
        }
    }

    /// Rows `first ..` of a block, zero-padded. A code beyond its size counts as the last one.
    pub(super) fn fill(&self, tile: &mut Tile, block: &Block, first: usize) {
        let shape = &self.config.shape;
        let (numbers, categories) = (shape.numbers(), shape.categories());
        tile.rows = tile.size.min(block.rows - first);
        tile.x.fill(0.0);
        tile.c.fill(0);
        let offsets = shape.offsets();
        for row in 0..tile.rows {
            let c = &mut tile.c[row * categories..(row + 1) * categories];
            for ((code, &seen), &size) in c.iter_mut().zip(block.c_row(first + row)).zip(&shape.sizes) {
                *code = seen.min(size - 1);
            }
            let x = &mut tile.x[row * numbers..(row + 1) * numbers];
            let cells = x.iter_mut().zip(block.x_row(first + row)).zip(&shape.status_of_number);
            for (at, ((number, &seen), &status)) in cells.enumerate() {
                *number = if c[status] == PRESENT && !seen.is_nan() {
                    self.weights.scale(at, self.config.knots).place(seen.clamp(-CLIP, CLIP)).clamp(-CLIP, CLIP)
                } else {
                    0.0
                };
            }
        }
        for row in 0..tile.size {
            let c = &tile.c[row * categories..(row + 1) * categories];
            for (place, (&code, &offset)) in tile.places[row * categories..].iter_mut().zip(c.iter().zip(&offsets)) {
                *place = offset + usize::from(code);
            }
            for (there, &status) in tile.present[row * numbers..].iter_mut().zip(&shape.status_of_number) {
                *there = c[status] == PRESENT;
            }
        }
        tile.codes.fill(0.0);
        for (row, sums) in tile.codes.chunks_exact_mut(self.config.width).enumerate() {
            gather(&self.weights.code, &tile.places[row * categories..(row + 1) * categories], sums);
        }
    }

    /// All but the head, for at most [`GROUP`] probes.
    pub(super) fn trunk(&self, tile: &mut Tile, group: &[Probe]) {
        let (width, numbers) = (self.config.width, self.config.shape.numbers());
        let (size, lanes) = (tile.size, group.len() * tile.size);
        let h = &mut tile.h[..lanes * width];
        let normed = &mut tile.normed[..lanes * width];
        let inner = &mut tile.inner[..lanes * width];
        let fed = self.pieces.inputs(numbers);
        let inputs = &mut tile.inputs[..lanes * fed];
        for (slot, probe) in group.iter().enumerate() {
            let own = &mut h[slot * size * width..(slot + 1) * size * width];
            broadcast(&probe.bias, own);
            self.add_codes(&tile.codes, &tile.places, probe, own);
            for row in 0..size {
                let x = tile.x[row * numbers..(row + 1) * numbers].iter();
                let own = &mut inputs[(slot * size + row) * fed..][..fed];
                let scaled =
                    x.zip(probe.scale.iter().zip(&probe.noise)).map(|(x, (scale, noise))| (x * scale + noise, *scale));
                self.pieces.encode(scaled, own);
            }
        }
        add_product(inputs, &self.pieces.weights, h, fed, width);
        self.blocks(h, normed, inner);
    }

    /// The residual blocks on `h` [M, H], with as much room beside it.
    pub(super) fn blocks(&self, h: &mut [f32], normed: &mut [f32], inner: &mut [f32]) {
        let width = self.config.width;
        for block in &self.weights.blocks {
            normalise(h, &block.outer_bias, normed);
            broadcast(&block.inner_bias, inner);
            add_product(normed, &block.inner, inner, width, width);
            silu(inner);
            add_product(inner, &block.outer, h, width, width);
        }
    }

    /// Raw outputs of a probe's head in `tile.out`; the probe is number `slot` of the last group.
    pub(super) fn head(&self, tile: &mut Tile, slot: usize, probe: &Probe) {
        let (width, size) = (self.config.width, tile.size);
        let head = &self.heads[probe.head];
        let out = &mut tile.out[..size * head.outputs()];
        broadcast(&head.bias, out);
        let h = &tile.h[slot * size * width..(slot + 1) * size * width];
        add_product(h, &head.weights, out, width, head.outputs());
    }

    /// Codes seen, through the first layer. With something hidden the sum is made anew: not a bit may leak.
    fn add_codes(&self, codes: &[f32], places: &[usize], probe: &Probe, h: &mut [f32]) {
        let categories = probe.seen.len();
        if probe.seen.iter().all(|&seen| seen) {
            h.iter_mut().zip(codes).for_each(|(sum, codes)| *sum += codes);
            return;
        }
        let mut wanted = Vec::with_capacity(categories);
        for (row, sums) in h.chunks_exact_mut(self.config.width).enumerate() {
            let own = &places[row * categories..(row + 1) * categories];
            wanted.clear();
            wanted.extend(own.iter().zip(&probe.seen).filter(|(_, seen)| **seen).map(|(&place, _)| place));
            gather(&self.weights.code, &wanted, sums);
        }
    }
}
