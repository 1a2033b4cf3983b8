//! What can be worked out before a row is seen: scales and first-layer bias of each probe, and the
//! part of the head that it asks for.

use super::config::Config;
use super::pieces::Pieces;
use super::{Network, Weights};

/// `ln(sigma) / 4` is at most 0.75 in training; a hidden column says this instead.
const HIDDEN_NOISE: f64 = 1.0;

/// One probe, ready to run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Probe {
    /// c_in per number, 0 where hidden [N].
    pub scale: Vec<f32>,
    /// Fixed noise times c_in per number, 0 without noise [N].
    pub noise: Vec<f32>,
    /// Per number sigma / sqrt(1 + sigma^2) and 1 / sqrt(1 + sigma^2), of joint probes [N].
    pub pull: Vec<(f32, f32)>,
    /// Label, levels and hidden flags through the first layer [H].
    pub bias: Vec<f32>,
    /// Which categories are seen [C].
    pub seen: Vec<bool>,
    /// Per number what fixed noise adds to its residual, 0 without noise [N].
    pub shift: Vec<f32>,
    /// Categories whose nats a joint probe counts [C].
    pub asked: Vec<bool>,
    /// Index into the network's heads.
    pub head: usize,
}

/// Some columns of the output layer: numbers first, then the codes of some categories.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Head {
    pub numbers: Vec<usize>,
    pub categories: Vec<usize>,
    /// [H, O].
    pub weights: Vec<f32>,
    /// [O].
    pub bias: Vec<f32>,
}

impl Head {
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }
}

impl Network {
    /// Turns what a probe's bias says of a column at `level` into what it says of a hidden one.
    pub(super) fn tell_hidden(&self, bias: &mut [f32], column: usize, level: f32) {
        let width = self.config.width;
        let row = column * width..(column + 1) * width;
        let change = (HIDDEN_NOISE - f64::from(level).ln() / 4.0) as f32;
        let rows = self.weights.level[row.clone()].iter().zip(&self.weights.hidden[row]);
        bias.iter_mut().zip(rows).for_each(|(sum, (by_level, by_flag))| *sum += change * by_level + by_flag);
    }

    pub(super) fn assemble(config: Config, weights: Weights) -> Self {
        let columns = config.shape.columns();
        let owner = &config.shape.column_of_feature;
        let every = vec![true; owner.len()];
        let mut heads = vec![head_of(&config, &weights, &every)];
        let mut probes = Vec::with_capacity(config.probes);
        let mut times = vec![0.0_f32; owner.len()];
        for (at, levels) in weights.probes.chunks_exact(columns).enumerate() {
            let hidden: Vec<bool> = owner.iter().map(|&column| levels[column] < 0.0).collect();
            let mut head = 0;
            if at >= config.joint {
                head = heads.len();
                heads.push(head_of(&config, &weights, &hidden));
                for (count, &is_hidden) in times.iter_mut().zip(&hidden) {
                    *count += f32::from(u8::from(is_hidden));
                }
            }
            probes.push(probe_of(&config, &weights, levels, &hidden, head));
        }
        let share = times.iter().map(|&count| 1.0 / count.max(1.0)).collect();
        let pieces = Pieces::of(&config, &weights);
        Self { config, weights, probes, pieces, heads, share }
    }
}

fn probe_of(config: &Config, weights: &Weights, levels: &[f32], hidden: &[bool], head: usize) -> Probe {
    let (numbers, width) = (config.shape.numbers(), config.width);
    let label = config.scored_label * width;
    let mut bias: Vec<f64> = weights.label[label..label + width].iter().map(|&w| f64::from(w)).collect();
    let rows = weights.level.chunks_exact(width).zip(weights.hidden.chunks_exact(width));
    for (&level, (level_row, hidden_row)) in levels.iter().zip(rows) {
        let is_hidden = level < 0.0;
        let noise = if is_hidden { HIDDEN_NOISE } else { f64::from(level).ln() / 4.0 };
        let flag = f64::from(u8::from(is_hidden));
        for (sum, (&by_level, &by_flag)) in bias.iter_mut().zip(level_row.iter().zip(hidden_row)) {
            *sum += noise * f64::from(by_level) + flag * f64::from(by_flag);
        }
    }
    let mut scale = Vec::with_capacity(numbers);
    let mut pull = Vec::with_capacity(numbers);
    for (&column, &is_hidden) in config.shape.column_of_feature.iter().zip(hidden).take(numbers) {
        let sigma = f64::from(levels[column]);
        let inverse = 1.0 / (1.0 + sigma * sigma).sqrt();
        scale.push(if is_hidden { 0.0 } else { inverse as f32 });
        pull.push(((sigma * inverse) as f32, inverse as f32));
    }
    let seen: Vec<bool> = hidden[numbers..].iter().map(|&is_hidden| !is_hidden).collect();
    let asked = vec![true; seen.len()];
    let bias = bias.into_iter().map(|sum| sum as f32).collect();
    Probe { scale, noise: vec![0.0; numbers], pull, bias, seen, shift: vec![0.0; numbers], asked, head }
}

/// What the last layer says of these features of the rows.
pub(super) fn head_of(config: &Config, weights: &Weights, wanted: &[bool]) -> Head {
    let shape = &config.shape;
    let (numbers, outputs) = (shape.numbers(), shape.numbers() + config.codes());
    let offsets = shape.offsets();
    let mut head = Head { numbers: Vec::new(), categories: Vec::new(), weights: Vec::new(), bias: Vec::new() };
    let mut taken = Vec::new();
    for feature in (0..wanted.len()).filter(|&feature| wanted[feature]) {
        if feature < numbers {
            head.numbers.push(feature);
            taken.push(feature);
        } else {
            let category = feature - numbers;
            head.categories.push(category);
            let first = numbers + offsets[category];
            taken.extend(first..first + usize::from(shape.sizes[category]));
        }
    }
    for row in weights.head.chunks_exact(outputs) {
        head.weights.extend(taken.iter().map(|&output| row[output]));
    }
    head.bias.extend(taken.iter().map(|&output| weights.head_bias[output]));
    head
}
