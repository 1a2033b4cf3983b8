//! Tiles of rows through the student.

use multiversion::multiversion;

use super::Student;
use super::kernels::{Point, active, add_up, below, dot, layer, rectify};
use crate::block::{Block, PRESENT};
use crate::numeric::{LANES, exp_m1, fuses, has_32_registers};

/// Rows of a tile: what it needs stays in the first cache.
const TILE: usize = 32;
/// ln(1 + score) and ln(1 + tail) are bounded by this before they are turned back into nats: e^6 is further out than any.
const MOST_LOG: f32 = 6.0;

/// Working space of one thread, so that scoring allocates nothing.
#[derive(Debug, Clone, Default)]
pub struct Space {
    h: Vec<f32>,
    next: Vec<f32>,
    active: Vec<usize>,
    beyond: Vec<f32>,
    logs: Vec<f32>,
    points: Vec<Point>,
    codes: Vec<usize>,
}

impl Student {
    pub fn space(&self) -> Space {
        Space {
            h: vec![0.0; TILE * self.width],
            next: vec![0.0; self.width],
            active: vec![0; self.width],
            beyond: vec![0.0; TILE],
            logs: vec![0.0; TILE],
            points: Vec::with_capacity(self.shape.numbers()),
            codes: Vec::with_capacity(self.shape.categories()),
        }
    }

    /// Scores of a block's rows, in nats, appended to `scores`.
    pub fn scores_into(&self, block: &Block, space: &mut Space, scores: &mut Vec<f64>) {
        for first in (0..block.rows).step_by(TILE) {
            let rows = TILE.min(block.rows - first);
            trunk(self, block, (first, rows), space);
            heads(self, rows, space);
            scores.extend(space.logs[..rows].iter().zip(&space.beyond).map(|(nats, beyond)| f64::from(nats + beyond)));
        }
    }

    pub fn scores(&self, block: &Block) -> Vec<f64> {
        let mut scores = Vec::with_capacity(block.rows);
        self.scores_into(block, &mut self.space(), &mut scores);
        scores
    }

    /// The tail of each feature of the rows [B, F], in nats, >= 0.
    pub fn tails(&self, block: &Block) -> Vec<f32> {
        let (numbers, features) = (self.shape.numbers(), self.weights.tails_bias.len());
        let mut space = self.space();
        let mut found = Vec::with_capacity(block.rows * features);
        for first in (0..block.rows).step_by(TILE) {
            let rows = TILE.min(block.rows - first);
            trunk(self, block, (first, rows), &mut space);
            for row in 0..rows {
                let h = &space.h[row * self.width..(row + 1) * self.width];
                let (x, c) = (block.x_row(first + row), block.c_row(first + row));
                for feature in 0..features {
                    let products = h.iter().enumerate().map(|(k, h)| h * self.weights.tails[k * features + feature]);
                    let log = products.sum::<f32>() + self.weights.tails_bias[feature];
                    let tail = log.clamp(0.0, MOST_LOG).exp_m1();
                    let there = feature < numbers && c[self.shape.status_of_number[feature]] == PRESENT;
                    found.push(if there { tail + self.excess(feature, x[feature]) } else { tail });
                }
            }
        }
        found
    }

    fn knots_of(&self, number: usize) -> &[f32] {
        &self.weights.knot[number * self.knots..(number + 1) * self.knots]
    }

    /// How far a number is beyond its last knots.
    #[inline(always)]
    fn excess(&self, number: usize, x: f32) -> f32 {
        let knots = self.knots_of(number);
        (x - knots[self.knots - 1]).max(knots[0] - x).max(0.0)
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma", "aarch64+neon"))]
fn trunk(student: &Student, block: &Block, rows: (usize, usize), space: &mut Space) {
    const FMA: bool = fuses(&multiversion::target::selected_target!());
    const MANY: bool = has_32_registers(&multiversion::target::selected_target!());
    match (FMA, MANY) {
        (true, true) => through::<true, true>(student, block, rows, space),
        (true, false) => through::<true, false>(student, block, rows, space),
        (false, _) => through::<false, false>(student, block, rows, space),
    }
}

/// The scores of `rows` rows from their last layers, in nats and without what lies beyond the knots, in `space.logs`.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma", "aarch64+neon"))]
fn heads(student: &Student, rows: usize, space: &mut Space) {
    const FMA: bool = fuses(&multiversion::target::selected_target!());
    for (log, h) in space.logs.iter_mut().zip(space.h.chunks_exact(student.width)).take(rows) {
        let score = &student.weights.score;
        *log = if FMA { dot::<true>(h, score) } else { dot::<false>(h, score) } + student.weights.score_bias[0];
    }
    for log in &mut space.logs[..rows] {
        // NaN, which only forged weights can give, is as odd as it gets.
        let bounded = if *log <= MOST_LOG { *log } else { MOST_LOG };
        *log = if FMA { exp_m1::<true>(bounded) } else { exp_m1::<false>(bounded) };
    }
}

/// All but the heads for `rows` rows from `first`: their last layer in `space.h`, what lies beyond the knots in `space.beyond`.
#[inline(always)]
fn through<const FMA: bool, const MANY: bool>(
    student: &Student,
    block: &Block,
    (first, rows): (usize, usize),
    space: &mut Space,
) {
    let (width, groups, knots_of_one) = (student.width, student.width / LANES, student.knots);
    for (row, h) in space.h.chunks_exact_mut(width).enumerate().take(rows) {
        let (x, c) = (block.x_row(first + row), block.c_row(first + row));
        space.points.clear();
        space.codes.clear();
        space.beyond[row] = 0.0;
        for (number, &status) in student.shape.status_of_number.iter().enumerate() {
            if c[status] != PRESENT {
                continue;
            }
            let knots = student.knots_of(number);
            let (low, high) = (knots[0], knots[knots_of_one - 1]);
            let seen = x[number];
            let inner = if seen > low { seen.min(high) } else { low };
            let at = below(knots, inner).clamp(1, knots_of_one - 1) - 1;
            let share = (inner - knots[at]) / (knots[at + 1] - knots[at]);
            space.points.push(Point { at: (number * knots_of_one + at) * groups, share });
            space.beyond[row] += student.weights.beyond[number] * student.excess(number, seen);
        }
        for (category, &offset) in student.laid.offsets.iter().enumerate() {
            let code = c[category].min(student.shape.sizes[category] - 1);
            if !(student.laid.is_status[category] && code == PRESENT) {
                space.codes.push((offset + usize::from(code)) * groups);
            }
        }
        let curves = (student.weights.curve.as_slice(), space.points.as_slice());
        add_up::<FMA>(&student.laid.base, curves, (&student.laid.code, &space.codes), h);
        for (weights, bias) in &student.weights.hidden {
            let count = active(h, &mut space.active);
            layer::<FMA, MANY>((h, &space.active[..count]), weights, bias, &mut space.next);
            h.copy_from_slice(&space.next);
        }
        rectify(h);
    }
}
