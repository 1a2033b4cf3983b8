//! Rows that are noised or hidden in part, and how much noise a row looks like.
//!
//! Slow beside the energies that every score needs: only the mechanisms that ask for it pay.

use super::{MARGINAL_SHARE, Memory, NEGLIGIBLE, PADDING, Scratch};
use crate::block::{OTHER, PRESENT};
use crate::numeric::{exp, minimum};

/// One fixed way to corrupt any row: standard normal noise per number, and the categories that are hidden.
#[derive(Debug, Clone, PartialEq)]
pub struct Corruption {
    pub noise: Vec<f32>,
    pub hidden: Vec<bool>,
}

impl Memory {
    /// The kept row that is an exact copy of this one and does not vote on it, where there is one.
    pub fn left_out(&self, x_n: &[f32], c_c: &[u16], scratch: &mut Scratch) -> Option<usize> {
        self.distances(x_n, c_c, &mut scratch.distance, &mut scratch.bounded)
    }

    /// How far the denoised row is from the clean one: squares of numbers in units of the noise, nats of hidden categories.
    /// The kept row `left_out` does not vote.
    pub fn reconstruction(
        &self,
        (x_n, c_c): (&[f32], &[u16]),
        left_out: Option<usize>,
        corruption: &Corruption,
        tau: f32,
        scratch: &mut Scratch,
    ) -> f32 {
        let Scratch { distance, weights, .. } = scratch;
        distance.fill(0.0);
        let mut noised_n = x_n.to_vec();
        for (number, spec) in self.numbers.iter().enumerate() {
            if !spec.given {
                noised_n[number] += (tau / spec.weight).sqrt() * corruption.noise[number];
            }
            self.add_number(number, f32::INFINITY, &noised_n, c_c, distance);
        }
        let hidden = |category: usize| corruption.hidden[category] && !self.categories[category].given;
        for category in (0..self.categories.len()).filter(|&category| !hidden(category)) {
            self.add_category(category, c_c[category], distance);
        }
        distance[self.rows..].fill(PADDING);
        if let Some(row) = left_out {
            distance[row] = PADDING;
        }
        let nearest = minimum(distance);
        weights.iter_mut().zip(&*distance).for_each(|(w, e)| *w = exp::<false>((nearest - e) / tau));
        let weights = &weights[..self.rows];
        let mut error = 0.0;
        for (number, spec) in self.numbers.iter().enumerate().filter(|(_, spec)| !spec.given) {
            if c_c[spec.status] != PRESENT {
                continue;
            }
            let there = self.c(spec.status).iter().zip(self.x(number)).zip(weights);
            let votes = there.filter(|((status, _), _)| **status == PRESENT);
            let (moment, mass) = votes.fold((0.0_f32, 0.0_f32), |(m, s), ((_, x), w)| (m + w * x, s + w));
            if mass > NEGLIGIBLE {
                let gap = moment / mass - x_n[number];
                error += spec.weight * gap * gap / tau;
            }
        }
        let total: f32 = weights.iter().sum();
        for category in (0..self.categories.len()).filter(|&category| hidden(category)) {
            let (spec, code) = (&self.categories[category], c_c[category]);
            let votes = self.c(category).iter().zip(weights).filter(|(kept, _)| **kept == code);
            let matches = code != OTHER || spec.status;
            let share = if matches { votes.map(|(_, w)| w).sum::<f32>() / total } else { 0.0 };
            let marginal = spec.marginal.get(usize::from(code)).copied().unwrap_or(1e-6);
            error -= spec.weight * ((1.0 - MARGINAL_SHARE) * share + MARGINAL_SHARE * marginal).ln();
        }
        error
    }

    /// The tau under which the kernel finds the row likeliest, from `widest` down in so many steps, at least `least`:
    /// `tau <- 2 sum_i w_i E_i / n`. Context columns weigh the votes at the widest tau and are not part of E.
    pub fn likeliest_width(
        &self,
        x_n: &[f32],
        c_c: &[u16],
        (widest, least, steps): (f32, f32, usize),
        scratch: &mut Scratch,
    ) -> f32 {
        let left_out = self.left_out(x_n, c_c, scratch);
        let Scratch { distance, weights, context, .. } = scratch;
        let numbers = self.numbers.iter().filter(|spec| !spec.given && c_c[spec.status] == PRESENT);
        let categories = self.categories.iter().filter(|spec| !spec.given && spec.constant.is_none());
        let n: f32 = numbers.map(|spec| spec.weight).sum::<f32>() + categories.map(|spec| spec.weight).sum::<f32>();
        context.fill(0.0);
        if self.has_context() {
            self.context_distances(x_n, c_c, left_out, context);
            distance.iter_mut().zip(&*context).for_each(|(e, c)| *e = (*e - c).max(0.0));
            distance[self.rows..].fill(PADDING);
            if let Some(row) = left_out {
                distance[row] = PADDING;
            }
        }
        let mut tau = widest;
        for _ in 0..steps {
            weights.iter_mut().zip(&*distance).zip(&*context).for_each(|((w, e), c)| *w = e / tau + c / widest);
            let nearest = minimum(weights);
            let (mut mass, mut moment) = (0.0_f32, 0.0_f32);
            for (total, e) in weights[..self.rows].iter().zip(&*distance) {
                let w = exp::<false>(nearest - total);
                mass += w;
                moment += w * e;
            }
            tau = (2.0 * moment / mass / n.max(1.0)).max(least);
        }
        tau
    }
}
