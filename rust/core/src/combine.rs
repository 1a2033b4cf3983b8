//! From energies to one score: standardised row energies and column tails, added with fixed weights.
//!
//! `score = sum_k weight_k (term_k - center_k) / scale_k`, where the terms are the row energies of all
//! denoisers and, for each denoiser, `log(f2 + 0.001)` with f2 the root of the sum of squared column tails
//! (it beat Fisher's sum, the maximum and raw sums: an irrelevant column does not drown a telling one).
//! Centers, scales and tails come from reference rows, which take no part in anything else.
//!
//! Legend: B rows, R row energies, D denoisers, F features.

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::numeric::robust_center_scale;
use crate::store::Store;
use crate::tails::Tails;

/// A scale is never taken smaller than this many nats.
const SMALLEST_SCALE: f64 = 0.05;

/// Raw energies of some rows.
#[derive(Debug, Clone, Default)]
pub struct EnergyBlock {
    pub rows: usize,
    /// [B, R].
    pub terms: Vec<f32>,
    /// Per denoiser [B, F].
    pub features: Vec<Vec<f32>>,
}

impl EnergyBlock {
    /// Adds further rows of the same denoisers.
    pub fn append(&mut self, more: Self) {
        self.rows += more.rows;
        self.terms.extend(more.terms);
        if self.features.is_empty() {
            self.features = more.features;
        } else {
            for (own, more) in self.features.iter_mut().zip(more.features) {
                own.extend(more);
            }
        }
    }
}

/// Which row energies there are, and how much each group counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// F.
    pub features: usize,
    /// Weight of each row energy.
    pub terms: Vec<f64>,
    /// Weight of each denoiser's column tails.
    pub columns: Vec<f64>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reference {
    pub plan: Plan,
    /// Of the row energies, then of the column terms.
    centers: Vec<f64>,
    scales: Vec<f64>,
    /// Per denoiser and feature.
    tails: Vec<Vec<Tails>>,
}

/// log(f2 + 0.001).
fn column_term(squares: f32) -> f64 {
    (f64::from(squares).sqrt() + 0.001).ln()
}

impl Reference {
    /// From the energies of the reference rows.
    pub fn fit(plan: Plan, energies: &EnergyBlock) -> Self {
        let (rows, features) = (energies.rows, plan.features);
        let tails: Vec<Vec<Tails>> = energies
            .features
            .iter()
            .map(|of| (0..features).map(|f| Tails::fit((0..rows).map(|row| of[row * features + f]).collect())).collect())
            .collect();
        let width = plan.terms.len();
        let mut centers = Vec::new();
        let mut scales = Vec::new();
        let mut add = |mut values: Vec<f64>| {
            let (center, scale) = robust_center_scale(&mut values, SMALLEST_SCALE);
            centers.push(center);
            scales.push(scale);
        };
        for term in 0..width {
            add((0..rows).map(|row| f64::from(energies.terms[row * width + term])).collect());
        }
        for (of, tails) in energies.features.iter().zip(&tails) {
            add((0..rows)
                .map(|row| {
                    let own = &of[row * features..(row + 1) * features];
                    column_term(own.iter().zip(tails).map(|(&e, tails)| tails.at(e).powi(2)).sum())
                })
                .collect());
        }
        Self { plan, centers, scales, tails }
    }

    /// The score of one row of a block; never NaN.
    pub fn score(&self, energies: &EnergyBlock, row: usize) -> f64 {
        let width = self.plan.terms.len();
        let features = self.plan.features;
        let mut score = 0.0;
        for (term, &weight) in self.plan.terms.iter().enumerate() {
            let raw = f64::from(energies.terms[row * width + term]);
            score += weight * (raw - self.centers[term]) / self.scales[term];
        }
        for (denoiser, &weight) in self.plan.columns.iter().enumerate() {
            let own = &energies.features[denoiser][row * features..(row + 1) * features];
            let squares = own.iter().zip(&self.tails[denoiser]).map(|(&e, tails)| tails.at(e).powi(2)).sum();
            let at = width + denoiser;
            score += weight * (column_term(squares) - self.centers[at]) / self.scales[at];
        }
        // An overflow is as odd as it gets; NaN cannot come from finite energies, and would be too.
        if score.is_finite() { score } else { f64::MAX.sqrt() }
    }

    /// Mean over denoisers of each feature's squared tail.
    pub fn squared_tails(&self, energies: &EnergyBlock, row: usize) -> Vec<f32> {
        let features = self.plan.features;
        let mut squares = vec![0.0_f32; features];
        for (of, tails) in energies.features.iter().zip(&self.tails) {
            for (f, square) in squares.iter_mut().enumerate() {
                *square += tails[f].at(of[row * features + f]).powi(2) / energies.features.len() as f32;
            }
        }
        squares
    }

    pub fn write(&self, store: &mut Store) -> Value {
        store.put_f64("reference.weights", [self.plan.terms.as_slice(), &self.plan.columns].concat());
        store.put_f64("reference.centers", self.centers.clone());
        store.put_f64("reference.scales", self.scales.clone());
        let all: Vec<&Tails> = self.tails.iter().flatten().collect();
        let lengths: Vec<u32> = all.iter().map(|t| u32::try_from(t.energies.len()).unwrap_or(0)).collect();
        let flat = |pick: fn(&Tails) -> &Vec<f32>| all.iter().flat_map(|t| pick(t).iter().copied()).collect::<Vec<_>>();
        let energies = flat(|t| &t.energies);
        let tails = flat(|t| &t.tails);
        store.put_u32("reference.knots", lengths);
        store.put_f32("reference.energies", &[energies.len()], energies);
        store.put_f32("reference.tails", &[tails.len()], tails);
        store.put_f32("reference.slopes", &[all.len()], all.iter().map(|t| t.slope).collect());
        json!({"terms": self.plan.terms.len(), "denoisers": self.plan.columns.len()})
    }

    pub fn read(value: &Value, store: &Store, features: usize) -> Result<Self> {
        let damaged = || Error::model_file("the reference statistics are damaged");
        let count = |name: &str| {
            let count = value[name].as_u64().and_then(|n| usize::try_from(n).ok());
            count.filter(|&n| n <= 1024).ok_or_else(damaged)
        };
        let (terms, denoisers) = (count("terms")?, count("denoisers")?);
        let weights = store.get_finite("reference.weights", terms + denoisers)?;
        let centers = store.get_finite("reference.centers", terms + denoisers)?.to_vec();
        let scales = store.get_finite("reference.scales", terms + denoisers)?.to_vec();
        let lengths = store.get_u32("reference.knots")?;
        let total: usize = lengths.iter().map(|&n| n as usize).sum();
        let mut energies = store.get_f32("reference.energies", &[total])?;
        let mut tails = store.get_f32("reference.tails", &[total])?;
        let slopes = store.get_f32("reference.slopes", &[denoisers * features])?;
        let finite = energies.iter().chain(tails).chain(slopes).all(|v| v.is_finite());
        if lengths.len() != slopes.len() || !finite || scales.iter().any(|&scale| scale <= 0.0) {
            return Err(damaged());
        }
        let mut flat = Vec::with_capacity(lengths.len());
        for (&length, &slope) in lengths.iter().zip(slopes) {
            let (own, more) = energies.split_at(length as usize);
            let (own_tails, more_tails) = tails.split_at(length as usize);
            (energies, tails) = (more, more_tails);
            if own.windows(2).any(|pair| pair[0] >= pair[1]) {
                return Err(damaged());
            }
            flat.push(Tails { energies: own.to_vec(), tails: own_tails.to_vec(), slope });
        }
        let tails = if features == 0 { vec![Vec::new(); denoisers] } else { flat.chunks(features).map(<[Tails]>::to_vec).collect() };
        let (terms, columns) = weights.split_at(terms);
        let plan = Plan { features, terms: terms.to_vec(), columns: columns.to_vec() };
        Ok(Self { plan, centers, scales, tails })
    }
}
