//! What the kernel expects of a column, given the other columns of a row.

use multiversion::multiversion;

use super::{Column, Memory, Scratch};
use crate::numeric::exp;

/// The expected value of one feature.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// Mean and the 5 % and 95 % quantiles, in encoded units.
    Number { mean: f32, low: f32, high: f32 },
    /// Probability of each code.
    Category(Vec<f32>),
}

impl Memory {
    /// The weights of the kept rows at the narrowest conditional level with the column of `feature`
    /// left out, and what they say of that feature. `None` where no kept row has it.
    pub fn expected(&self, feature: usize, x_n: &[f32], c_c: &[u16], scratch: &mut Scratch) -> Option<Expected> {
        let column = self.columns.iter().find(|column| {
            column.numbers.contains(&feature)
                || feature.checked_sub(self.numbers.len()).is_some_and(|c| column.categories.contains(&c))
        })?;
        let tau = self.levels.conditional.first().copied()?;
        weigh(self, column, tau, (x_n, c_c), scratch);
        if feature < self.numbers.len() {
            self.expected_number(feature, &scratch.weights)
        } else {
            Some(self.expected_category(feature - self.numbers.len(), &scratch.weights))
        }
    }

    fn expected_number(&self, number: usize, weights_m: &[f32]) -> Option<Expected> {
        let (values, order) = (&self.sorted[number], &self.order[number]);
        let votes = || values.iter().zip(order).map(|(&x, &row)| (x, weights_m[row as usize]));
        let mass: f32 = votes().map(|vote| vote.1).sum();
        if mass <= 0.0 {
            return None;
        }
        let quantile = |share: f32| {
            let mut seen = 0.0;
            for (x, w) in votes() {
                seen += w;
                if seen >= share * mass {
                    return x;
                }
            }
            values.last().copied().unwrap_or(0.0)
        };
        let mean = votes().map(|(x, w)| x * w).sum::<f32>() / mass;
        Some(Expected::Number { mean, low: quantile(0.05), high: quantile(0.95) })
    }

    fn expected_category(&self, category: usize, weights_m: &[f32]) -> Expected {
        let spec = &self.categories[category];
        let mut shares = vec![0.0_f32; spec.marginal.len()];
        let mut mass = 0.0_f32;
        for (&code, &w) in self.c(category)[..self.rows].iter().zip(weights_m) {
            if let Some(share) = shares.get_mut(usize::from(code)) {
                *share += w;
            }
            mass += w;
        }
        for (share, marginal) in shares.iter_mut().zip(&spec.marginal) {
            let vote = if mass > 0.0 { *share / mass } else { *marginal };
            *share = (1.0 - super::MARGINAL_SHARE) * vote + super::MARGINAL_SHARE * marginal;
        }
        Expected::Category(shares)
    }
}

/// The weights of the kept rows with `column` left out. Nothing is fused, so that every processor expects the same.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma"))]
fn weigh(memory: &Memory, column: &Column, tau: f32, (x_n, c_c): (&[f32], &[u16]), scratch: &mut Scratch) {
    memory.distances(x_n, c_c, &mut scratch.distance, &mut scratch.bounded);
    memory.column_rest(column, x_n, c_c, &scratch.bounded, &mut scratch.column);
    let nearest = scratch.column[..memory.rows].iter().copied().fold(f32::INFINITY, f32::min);
    for (w, e) in scratch.weights.iter_mut().zip(&scratch.column) {
        *w = exp::<false>((nearest - e) / tau);
    }
}
