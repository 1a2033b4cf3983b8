//! Joint probes with fixed noise on the numbers and half of the categories hidden: what reconstruction asks.

use super::Network;
use crate::numeric::{normal_at, splitmix64};

/// Corruptions of each joint probe.
pub const DRAWS: usize = 4;

impl Network {
    /// The same network with its joint probes corrupted in the `draw`-th of [`DRAWS`] ways. Features that are `given` stay clean.
    ///
    /// The second half undoes the first: noise of the other sign, the other columns hidden.
    /// Noise n = sigma e enters as `c_in n` beside the number, and adds `(c_skip n) / sigma = e / (1 + sigma^2)` to the residual.
    /// A column of categories alone is hidden by a coin per probe and column, and asked about only then.
    #[must_use]
    pub fn noised(&self, given: &[bool], draw: usize) -> Self {
        let (table, turned) = (draw % (DRAWS / 2) * self.config.joint, draw >= DRAWS / 2);
        let sign = if turned { -1.0 } else { 1.0 };
        let mut noised = self.clone();
        let shape = &self.config.shape;
        let (numbers, columns) = (shape.numbers(), shape.columns());
        let mut numeric = vec![false; columns];
        shape.column_of_feature[..numbers].iter().for_each(|&column| numeric[column] = true);
        let is_given = |feature: usize| given.get(feature).copied().unwrap_or(false);
        for (at, probe) in noised.probes.iter_mut().take(self.config.joint).enumerate() {
            let levels = &self.weights.probes[at * columns..(at + 1) * columns];
            for number in (0..numbers).filter(|&number| !is_given(number)) {
                let sigma = levels[shape.column_of_feature[number]];
                let noise = sign * normal_at((table + at) as u64, number as u64);
                probe.noise[number] = probe.scale[number] * sigma * noise;
                probe.shift[number] = noise / (1.0 + sigma * sigma);
            }
            for (category, &column) in shape.column_of_feature[numbers..].iter().enumerate() {
                let coin = splitmix64(splitmix64((table + at) as u64 + 1) ^ column as u64) & 1 == 1;
                let hide = coin != turned && !numeric[column] && !is_given(numbers + category);
                (probe.seen[category], probe.asked[category]) = (!hide, hide);
            }
            for column in (0..columns).filter(|&column| !numeric[column]) {
                let own = shape.column_of_feature[numbers..].iter().position(|&of| of == column);
                if own.is_some_and(|category| probe.asked[category]) {
                    self.tell_hidden(&mut probe.bias, column, levels[column]);
                }
            }
        }
        noised
    }

    /// Sigma of the first column at each joint level.
    pub fn joint_sigmas(&self) -> Vec<f32> {
        let columns = self.config.shape.columns().max(1);
        self.weights.probes.chunks_exact(columns).take(self.config.joint).map(|levels| levels[0]).collect()
    }
}
