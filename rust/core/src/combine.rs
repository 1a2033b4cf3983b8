//! From energies to one score: the tails of row energies and of column energies, combined with fixed weights.
//!
//! Each term t_k is minus the log of a tail probability p_k among rows that its denoiser has not seen. The
//! score, in nats, is minus the log of a weighted mean of the p_k, which may be taken of dependent tests (Vovk and Wang 2020):
//! the geometric mean where training rows are known to be normal (`sum_k weight_k t_k`), the harmonic one where they are not
//! (`log sum_k weight_k exp(t_k)`, Wilson 2019): there the tails are less to be trusted, one telling term has to be
//! enough, and few rows are to stand out from many. The terms are the row energies of all denoisers, what
//! [`crate::crowding`] makes of two of them and, for the memory, f2: the root of the sum of squared column tails (it beat Fisher's sum, the maximum and raw sums: an irrelevant
//! column does not drown a telling one).
//!
//! Legend: B rows, R row energies, D denoisers, F features.

use serde_json::{Value, json};

use crate::crowding::{Crowd, Crowding, MOST};
use crate::error::{Error, Result};
use crate::pareto::ParetoTail;
use crate::store::Store;
use crate::tails::Tails;

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
    /// What two row energies of the first denoiser say together, where it counts.
    pub crowding: Option<Crowding>,
    /// Row energies from this place on raise a row among the odd, and never make one stand out: their tails are at most
    /// [`MOST`].
    pub bounded_from: Option<usize>,
    /// Tail probabilities are merged by their geometric mean, else by their harmonic one.
    pub geometric: bool,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reference {
    pub plan: Plan,
    /// Of the row energies, then of each denoiser's f2.
    terms: Vec<Tails>,
    /// Per denoiser and feature.
    tails: Vec<Vec<Tails>>,
    /// Fitted where the plan counts it.
    crowd: Crowd,
}

/// f2 of a row's feature energies.
fn column_term(energies: &[f32], tails: &[Tails]) -> f32 {
    energies.iter().zip(tails).map(|(&energy, tails)| tails.at(energy).powi(2)).sum::<f32>().sqrt()
}

impl Reference {
    /// From the energies of reference rows, each denoiser's of its own in the order of the plan. `contaminated`: some of
    /// them may be anomalies.
    pub fn fit(plan: Plan, denoisers: &[EnergyBlock], contaminated: bool) -> Self {
        let of_column = if contaminated { Tails::fit_robust } else { Tails::fit };
        let features = plan.features;
        let crowd = match (plan.crowding, denoisers.first()) {
            (Some(of), Some(energies)) => Crowd::fit(of, energies),
            _ => Crowd::default(),
        };
        let mut fitted = Self { plan, terms: Vec::new(), tails: Vec::new(), crowd };
        let mut columns = Vec::new();
        for energies in denoisers {
            let rows = energies.rows;
            let width = energies.terms.len() / rows.max(1);
            let term = |term: usize| (0..rows).map(|row| energies.terms[row * width + term]).collect();
            fitted.terms.extend((0..width).map(|at| of_column(term(at))));
            for of in &energies.features {
                let feature = |f: usize| (0..rows).map(|row| of[row * features + f]).collect();
                let tails: Vec<Tails> = (0..features).map(|f| of_column(feature(f))).collect();
                let f2 = (0..rows).map(|row| column_term(&of[row * features..(row + 1) * features], &tails));
                columns.push(of_column(f2.collect()));
                fitted.tails.push(tails);
            }
        }
        fitted.terms.extend(columns);
        fitted
    }

    /// The tail of one term of a row: a row energy, or a denoiser's f2.
    fn term_tail(&self, energies: &EnergyBlock, row: usize, term: usize) -> f32 {
        let width = self.plan.terms.len();
        let features = self.plan.features;
        let energy = match term.checked_sub(width) {
            None => energies.terms[row * width + term],
            Some(denoiser) => {
                let own = &energies.features[denoiser][row * features..(row + 1) * features];
                column_term(own, &self.tails[denoiser])
            }
        };
        self.terms[term].at(energy)
    }

    /// The tails of all terms, whatever they count.
    pub fn term_tails(&self, energies: &EnergyBlock, row: usize) -> Vec<f32> {
        (0..self.terms.len()).map(|term| self.term_tail(energies, row, term)).collect()
    }

    /// The score of one row of a block; never NaN.
    pub fn score(&self, energies: &EnergyBlock, row: usize) -> f64 {
        let weights = self.plan.terms.iter().chain(&self.plan.columns);
        let bounded = self.plan.bounded_from.unwrap_or(usize::MAX)..self.plan.terms.len();
        let most = |term: usize| if bounded.contains(&term) { MOST } else { f32::INFINITY };
        let tail = |term: usize| f64::from(self.term_tail(energies, row, term).min(most(term)));
        // Tails grow as logarithms beyond the knee: exp of them cannot overflow.
        let of = |tail: f64| if self.plan.geometric { tail } else { tail.exp() };
        let mut sum: f64 =
            weights.enumerate().map(|(term, &weight)| if weight > 0.0 { weight * of(tail(term)) } else { 0.0 }).sum();
        if let Some(Crowding { local, wide, weight }) = self.plan.crowding {
            let at = |term: usize| energies.terms[row * self.plan.terms.len() + term];
            sum += weight * of(f64::from(self.crowd.tail(at(local), at(wide))));
        }
        let score = if self.plan.geometric { sum } else { sum.ln() };
        // NaN cannot come from finite energies, and would be as odd as it gets.
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
        let crowding = self.plan.crowding;
        let weight = crowding.map(|of| of.weight);
        let weights = self.plan.terms.iter().chain(&self.plan.columns).copied().chain(weight);
        store.put_f64("reference.weights", weights.collect());
        let of_crowd = crowding.map(|_| &self.crowd.tails);
        let all: Vec<&Tails> = self.terms.iter().chain(self.tails.iter().flatten()).chain(of_crowd).collect();
        let lengths: Vec<u32> = all.iter().map(|t| u32::try_from(t.energies.len()).unwrap_or(0)).collect();
        let flat = |pick: fn(&Tails) -> &Vec<f32>| all.iter().flat_map(|t| pick(t).iter().copied()).collect::<Vec<_>>();
        let energies = flat(|t| &t.energies);
        let tails = flat(|t| &t.tails);
        store.put_u32("reference.knots", lengths);
        store.put_f32("reference.energies", &[energies.len()], energies);
        store.put_f32("reference.tails", &[tails.len()], tails);
        let beyond = all.iter().flat_map(|t| t.pareto.map_or([0.0; 4], |p| [p.start, p.log_share, p.scale, p.shape]));
        store.put_f64("reference.pareto", beyond.collect());
        store.put_f32("reference.slopes", &[all.len()], all.iter().map(|t| t.slope).collect());
        if crowding.is_some() {
            let knots = self.crowd.wide.iter().chain(&self.crowd.local);
            store.put_f64("reference.crowd", knots.map(|&knot| f64::from(knot)).collect());
        }
        json!({
            "terms": self.plan.terms.len(),
            "denoisers": self.plan.columns.len(),
            "crowding": crowding.map(|of| [of.local, of.wide]),
            "bounded_from": self.plan.bounded_from,
            "mean": if self.plan.geometric { "geometric" } else { "harmonic" },
        })
    }

    pub fn read(value: &Value, store: &Store, features: usize) -> Result<Self> {
        let damaged = || Error::model_file("the reference statistics are damaged");
        let count = |name: &str| {
            let count = value[name].as_u64().and_then(|n| usize::try_from(n).ok());
            count.filter(|&n| n <= 1024).ok_or_else(damaged)
        };
        let (terms, denoisers) = (count("terms")?, count("denoisers")?);
        let compared = match &value["crowding"] {
            Value::Null => None,
            pair => Some(read_pair(pair).filter(|pair| pair.iter().all(|&term| term < terms)).ok_or_else(damaged)?),
        };
        let crowds = usize::from(compared.is_some());
        let bounded_from = match &value["bounded_from"] {
            Value::Null => None,
            _ => Some(count("bounded_from").ok().filter(|&from| from <= terms).ok_or_else(damaged)?),
        };
        let weights = store.get_finite("reference.weights", terms + denoisers + crowds)?;
        let count = terms + denoisers + denoisers * features + crowds;
        let lengths = store.get_u32("reference.knots")?;
        let total: usize = lengths.iter().map(|&n| n as usize).sum();
        let mut energies = store.get_f32("reference.energies", &[total])?;
        let mut tails = store.get_f32("reference.tails", &[total])?;
        let slopes = store.get_f32("reference.slopes", &[count])?;
        let beyond = store.get_finite("reference.pareto", count * 4)?;
        let finite = energies.iter().chain(tails).chain(slopes).all(|v| v.is_finite());
        if lengths.len() != slopes.len() || !finite {
            return Err(damaged());
        }
        let mut flat = Vec::with_capacity(lengths.len());
        for ((&length, &slope), beyond) in lengths.iter().zip(slopes).zip(beyond.chunks_exact(4)) {
            let (own, more) = energies.split_at(length as usize);
            let (own_tails, more_tails) = tails.split_at(length as usize);
            (energies, tails) = (more, more_tails);
            if own.windows(2).any(|pair| pair[0] >= pair[1]) {
                return Err(damaged());
            }
            let pareto = ParetoTail { start: beyond[0], log_share: beyond[1], scale: beyond[2], shape: beyond[3] };
            let pareto = (pareto.scale > 0.0).then_some(pareto);
            if pareto.is_some_and(|pareto| pareto.shape < 0.0 || pareto.log_share > 0.0) {
                return Err(damaged());
            }
            flat.push(Tails { energies: own.to_vec(), tails: own_tails.to_vec(), slope, pareto });
        }
        let (weights, crowding_weight) = weights.split_at(terms + denoisers);
        let crowding = match (compared, crowding_weight) {
            (Some([local, wide]), &[weight]) => Some(Crowding { local, wide, weight }),
            _ => None,
        };
        let of_crowd = if crowding.is_some() { flat.pop() } else { None };
        let crowd = of_crowd.map_or(Ok(Crowd::default()), |tails| read_crowd(store, tails))?;
        let columns = flat.split_off(terms + denoisers);
        let tails = if features == 0 {
            vec![Vec::new(); denoisers]
        } else {
            columns.chunks(features).map(<[Tails]>::to_vec).collect()
        };
        let (term_weights, column_weights) = weights.split_at(terms);
        let geometric = match value["mean"].as_str() {
            Some("geometric") => true,
            Some("harmonic") => false,
            _ => return Err(damaged()),
        };
        let (terms, columns) = (term_weights.to_vec(), column_weights.to_vec());
        let plan = Plan { features, terms, columns, crowding, bounded_from, geometric };
        Ok(Self { plan, terms: flat, tails, crowd })
    }
}

fn read_pair(value: &Value) -> Option<[usize; 2]> {
    let at = |place: usize| value.get(place)?.as_u64().and_then(|n| usize::try_from(n).ok());
    (value.as_array()?.len() == 2).then_some([at(0)?, at(1)?])
}

fn read_crowd(store: &Store, tails: Tails) -> Result<Crowd> {
    let damaged = || Error::model_file("the reference statistics are damaged");
    let knots: Vec<f32> = store.get_f64("reference.crowd")?.iter().map(|&knot| knot as f32).collect();
    let (wide, local) = knots.split_at(knots.len() / 2);
    let finite = knots.iter().all(|knot| knot.is_finite());
    if !finite || wide.len() != local.len() || wide.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(damaged());
    }
    Ok(Crowd { wide: wide.to_vec(), local: local.to_vec(), tails })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two terms of a thousand rows each, and one row of a thousand times the largest in both.
    fn odd(bounded_from: Option<usize>) -> f64 {
        let terms: Vec<f32> = (0..1000).flat_map(|k| [k as f32; 2]).collect();
        let plan = Plan { terms: vec![0.5, 0.5], bounded_from, ..Plan::default() };
        let reference = Reference::fit(plan, &[EnergyBlock { rows: 1000, terms, features: Vec::new() }], false);
        let row = EnergyBlock { rows: 1, terms: vec![0.0, 1e6], features: Vec::new() };
        reference.score(&row, 0)
    }

    #[test]
    fn a_bounded_term_adds_at_most_one_in_500() {
        // The other term is as usual as can be: the mean of 1 and of exp of the second tail.
        assert!((odd(Some(1)) - (0.5 + 0.5 * f64::from(MOST).exp()).ln()).abs() < 1e-6);
        assert!(odd(None) > f64::from(crate::tails::KNEE));
    }
}
