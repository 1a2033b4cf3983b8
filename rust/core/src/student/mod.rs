//! The student: one small network that says in a single pass what all denoisers under all probes say together.
//!
//! Distilled (Hinton et al. 2015) by `python/tabad/diffusion/distill.py` from the scores and column tails of the teacher, on
//! training rows and on rows made from them. Its first layer is a sum and not a product: every number is a piecewise linear
//! curve in H dimensions (as the encoding of Gorishniy et al. 2022, section 3.2, before a linear layer), every code a point there. Beyond the
//! last knots the network sees the bound, and what is beyond adds to the score: a value that is further out never
//! scores less. Gives scores and column tails; expected values come from a denoiser.
//! Twins: `tests/oracle/student.py`, `python/tabad/diffusion/student.py`.
//!
//! Legend: B rows, T rows of a tile, N numbers, C categories, S codes of all categories, F = N + C features
//! (numbers first), K knots, H width, L hidden layers.

mod file;
mod forward;
mod kernels;

pub use forward::Space;

use crate::network::Shape;

/// A trained student.
#[derive(Debug, Clone, PartialEq)]
pub struct Student {
    shape: Shape,
    width: usize,
    knots: usize,
    weights: Weights,
    laid: Laid,
}

/// The tensors of the file, row-major, `[in, out]`.
#[derive(Debug, Clone, PartialEq)]
struct Weights {
    /// Places of the knots of each number, ascending [N, K].
    knot: Vec<f32>,
    /// What a number at each knot adds to the first layer [N, K, H].
    curve: Vec<f32>,
    /// What each code adds [S, H].
    code: Vec<f32>,
    /// [H].
    bias: Vec<f32>,
    /// Hidden layers with their biases: [H, H] and [H] each.
    hidden: Vec<(Vec<f32>, Vec<f32>)>,
    /// [H] and [1].
    score: Vec<f32>,
    score_bias: Vec<f32>,
    /// [H, F] and [F].
    tails: Vec<f32>,
    tails_bias: Vec<f32>,
    /// What the score gains per unit of a number beyond its last knots, positive [N].
    beyond: Vec<f32>,
}

/// The weights as the kernels need them. The usual row costs little: numbers are there, and their status codes are part of the bias.
#[derive(Debug, Clone, PartialEq)]
struct Laid {
    /// Bias and the codes that say that a number is there [H].
    base: Vec<f32>,
    /// [S, H]; of a status column less its code for a number that is there.
    code: Vec<f32>,
    /// Where the codes of each category start among all codes [C].
    offsets: Vec<usize>,
    is_status: Vec<bool>,
}

impl Student {
    fn assemble(shape: Shape, width: usize, knots: usize, weights: Weights) -> Self {
        let offsets = shape.offsets();
        let mut is_status = vec![false; shape.categories()];
        shape.status_of_number.iter().for_each(|&status| is_status[status] = true);
        let (mut base, mut code) = (weights.bias.clone(), weights.code.clone());
        for category in (0..shape.categories()).filter(|&category| is_status[category]) {
            let own = offsets[category] * width..(offsets[category] + usize::from(shape.sizes[category])) * width;
            let there = code[own.start..own.start + width].to_vec();
            base.iter_mut().zip(&there).for_each(|(sum, there)| *sum += there);
            for row in code[own].chunks_exact_mut(width) {
                row.iter_mut().zip(&there).for_each(|(code, there)| *code -= there);
            }
        }
        let laid = Laid { base, code, offsets, is_status };
        Self { shape, width, knots, weights, laid }
    }
}
