//! The tail of a distribution beyond what a sample shows, fitted to its trimmed bulk.
//!
//! Generalised Pareto (Pickands 1975), by censored maximum likelihood between two quantiles: what lies above the
//! upper one is known to be above it, no more, so that a few anomalies among the sample do not move it.

/// The tail is fitted between these quantiles.
const START: f64 = 0.80;
pub const TRIM: f64 = 0.98;
/// Of scores, by which rows are to stand out: one table in a few has more anomalies than one row in fifty.
const DECISION_TRIM: f64 = 0.95;
/// Of values of rows that are known to be normal.
const NORMAL_TRIM: f64 = 0.998;
/// Fewer distinct values than this between the quantiles say nothing of a tail.
const DISTINCT: usize = 30;
/// The same where the shape is the prior's deviation at least: of counts and of years.
const DISTINCT_OF_VALUES: usize = 5;
/// Standard deviation of the prior on the shape.
const PRIOR: f64 = 0.25;
/// Values used at most: a larger sample is thinned evenly.
const VALUES: usize = 500;

/// `P(S > s) = share (1 + shape (s - start) / scale)^(-1 / shape)` for s > start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParetoTail {
    pub start: f64,
    pub log_share: f64,
    pub scale: f64,
    pub shape: f64,
}

impl ParetoTail {
    /// From ascending values, of greatest likelihood; None where they are too few or too coarse. The shape is
    /// never below 0 (an exponential tail) and drawn towards it as by a normal prior of deviation [`PRIOR`].
    pub fn fit(ascending: &[f64]) -> Option<Self> {
        Self::profile(ascending, TRIM, 0.0, DISTINCT)
    }

    /// The same with the largest shape whose likelihood is within half a nat of the greatest: its one-sigma upper
    /// bound. For decisions: a tail that is too heavy misses an anomaly, one that is too light cries wolf.
    pub fn fit_cautious(ascending: &[f64]) -> Option<Self> {
        Self::profile(ascending, DECISION_TRIM, 0.5, DISTINCT)
    }

    /// Of a column's values, for the decision that one is beyond all that is expected. `normal`: rows are known to be that.
    pub fn fit_values(ascending: &[f64], normal: bool) -> Option<Self> {
        Self::profile(ascending, if normal { NORMAL_TRIM } else { DECISION_TRIM }, 0.5, DISTINCT_OF_VALUES)
    }

    /// `least`: values between the quantiles at least; of fewer than [`DISTINCT`] the shape is [`PRIOR`] at least.
    fn profile(ascending: &[f64], trim: f64, slack: f64, least: usize) -> Option<Self> {
        let n = ascending.len();
        let at = |share: f64| ascending.get(((n as f64 * share) as usize).min(n.saturating_sub(1))).copied();
        let (start, trim) = (at(START)?, at(trim)?);
        let limit = trim - start;
        let above: Vec<f64> = ascending.iter().map(|s| s - start).filter(|&y| y > 0.0).collect();
        let within = above.partition_point(|&y| y <= limit);
        let bulk = &above[..within];
        let resolution = limit / 1000.0;
        let mut distinct = 0;
        let mut last = f64::NEG_INFINITY;
        for &y in bulk {
            if y > last + resolution {
                distinct += 1;
                last = y;
            }
        }
        if distinct < least {
            return None;
        }
        let smallest = if distinct < DISTINCT { PRIOR } else { 0.0 };
        let stride = bulk.len().div_ceil(VALUES);
        let thinned: Vec<f64> = bulk.iter().copied().skip(stride / 2).step_by(stride).collect();
        let censored = (above.len() - bulk.len()) as f64 * thinned.len() as f64 / bulk.len() as f64;
        let spread = (thinned.iter().sum::<f64>() / thinned.len() as f64).max(1e-9);
        let profile: Vec<(f64, f64, f64)> = (0..=25)
            .map(|step| f64::from(step) * 0.04)
            .filter(|&shape| shape >= smallest)
            .map(|shape| {
                let (scale, likelihood) = best_scale(&thinned, censored, limit, shape, spread);
                (shape, scale, likelihood * stride as f64 - 0.5 * (shape / PRIOR).powi(2))
            })
            .collect();
        let best = profile.iter().map(|p| p.2).fold(f64::NEG_INFINITY, f64::max);
        let (shape, scale, _) = profile.iter().rev().find(|p| p.2 >= best - slack)?;
        Some(Self { start, log_share: (above.len() as f64 / n as f64).ln(), scale: *scale, shape: *shape })
    }

    /// For a bulk too coarse to be fitted (a few categories, constants): from the 95 % point on the scale of one nat, a score's
    /// own unit, and as heavy as the prior's deviation, so that only what is grossly odd stands out.
    pub fn coarse(ascending: &[f64]) -> Self {
        let n = ascending.len();
        let start = ascending.get((n as f64 * DECISION_TRIM) as usize).copied().unwrap_or(0.0);
        Self { start, log_share: (1.0 - DECISION_TRIM).ln(), scale: 1.0, shape: PRIOR }
    }

    /// The value that is exceeded with this log probability; not below the start.
    pub fn value_at(&self, log_probability: f64) -> f64 {
        let nats = (self.log_share - log_probability).max(0.0);
        let excess = if self.shape < 1e-9 { nats } else { (self.shape * nats).exp_m1() / self.shape };
        self.start + self.scale * excess
    }

    /// Log of the probability of a larger value; 0 at and below the start.
    pub fn log_probability(&self, value: f64) -> f64 {
        let y = (value - self.start).max(0.0);
        if y == 0.0 { 0.0 } else { self.log_share + log_survival(y, self.scale, self.shape) }
    }
}

fn log_survival(y: f64, scale: f64, shape: f64) -> f64 {
    if shape < 1e-9 { -y / scale } else { -(shape * y / scale).ln_1p() / shape }
}

/// The scale of largest likelihood for a shape, and that log-likelihood: golden section on its log.
fn best_scale(bulk: &[f64], censored: f64, limit: f64, shape: f64, spread: f64) -> (f64, f64) {
    let likelihood = |log_scale: f64| {
        let scale = log_scale.exp();
        let inside: f64 = bulk.iter().map(|&y| (1.0 + shape) * log_survival(y, scale, shape) - log_scale).sum();
        inside + censored * log_survival(limit, scale, shape)
    };
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = ((spread / 50.0).ln(), (spread * 50.0).ln());
    for _ in 0..25 {
        let (a, b) = (high - ratio * (high - low), low + ratio * (high - low));
        if likelihood(a) < likelihood(b) { low = a } else { high = b }
    }
    let middle = f64::midpoint(low, high);
    (middle.exp(), likelihood(middle))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exponential(n: u32) -> Vec<f64> {
        (0..n).map(|k| -(1.0 - (f64::from(k) + 0.5) / f64::from(n)).ln()).collect()
    }

    #[test]
    fn an_exponential_bulk_gives_its_own_tail() {
        // P(S > s) = e^-s.
        let found = ParetoTail::fit(&exponential(10_000)).unwrap().log_probability(12.0);
        assert!((found + 12.0).abs() < 0.5, "{found}");
        // The cautious shape is an upper bound, so that tail is heavier, by a third at most.
        let cautious = ParetoTail::fit_cautious(&exponential(10_000)).unwrap().log_probability(12.0);
        assert!((-12.0..-8.0).contains(&cautious), "{cautious}");
    }

    #[test]
    fn anomalies_above_the_trim_do_not_move_it() {
        let clean = exponential(10_000);
        let mut dirty = clean.clone();
        dirty[9_900..].iter_mut().for_each(|s| *s += 1000.0);
        assert_eq!(ParetoTail::fit(&clean), ParetoTail::fit(&dirty));
        dirty[9_510..].iter_mut().for_each(|s| *s += 1000.0);
        assert_eq!(ParetoTail::fit_cautious(&clean), ParetoTail::fit_cautious(&dirty));
    }

    #[test]
    fn coarse_values_say_nothing_of_a_tail() {
        let values: Vec<f64> = (0..1000).map(|k| f64::from(k / 100)).collect();
        assert_eq!(ParetoTail::fit(&values), None);
    }

    #[test]
    fn beyond_coarse_values_only_the_grossly_odd_is_improbable() {
        let mut values = vec![0.0; 1000];
        values[999] = 50.0;
        let tail = ParetoTail::coarse(&values);
        // 0.05 (1 + s / 4)^-4: one row in 1,000 with a score of ln 1000 is expected, one with 50 is not.
        assert!((tail.log_probability(50.0) - (0.05_f64.ln() - 4.0 * 13.5_f64.ln())).abs() < 1e-12);
        assert!(1000.0 * tail.log_probability(1000.0_f64.ln()).exp() > 0.5);
        assert_eq!(tail.log_probability(0.0), 0.0);
    }
}
