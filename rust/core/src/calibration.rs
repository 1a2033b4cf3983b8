//! From scores to p-values and flags.
//!
//! `p = (1 + #{cal >= s}) / (1 + n)` over calibration rows (conformal p-value; Bates et al. 2023, eq. 2).
//! A table screened against itself has rank shares instead, and a row stands out when the number of rows
//! times its tail probability is at most [`EXPECTED_FALSE`], under a generalised Pareto tail fitted to
//! the trimmed bulk: the answer can be "nothing".

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::store::Store;

/// Rows expected to stand out in a table where nothing is odd.
pub const EXPECTED_FALSE: f64 = 0.05;
/// The tail is fitted between these quantiles of the scores; what lies above counts as "above" only.
const TAIL_START: f64 = 0.80;
const TAIL_TRIM: f64 = 0.98;

/// Which rows the calibration scores come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Held-out rows that took no part in anything else.
    HeldOut,
    /// Fewer than 500 rows: every row scored by a memory without its fold. Approximate.
    CrossFitted,
    /// The screened table itself: p-values are rank shares.
    OwnTable,
}

impl Source {
    pub fn name(self) -> &'static str {
        match self {
            Self::HeldOut => "held-out",
            Self::CrossFitted => "cross-fitted",
            Self::OwnTable => "self",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::HeldOut, Self::CrossFitted, Self::OwnTable].into_iter().find(|source| source.name() == name)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    pub source: Source,
    /// Ascending.
    scores: Vec<f64>,
    tail: ParetoTail,
}

impl Calibration {
    pub fn fit(source: Source, mut scores: Vec<f64>) -> Self {
        scores.sort_unstable_by(f64::total_cmp);
        let tail = ParetoTail::fit(&scores);
        Self { source, scores, tail }
    }

    /// n.
    pub fn rows(&self) -> usize {
        self.scores.len()
    }

    /// Calibration rows at least as odd.
    pub fn rank(&self, score: f64) -> usize {
        self.scores.len() - self.scores.partition_point(|&cal| cal < score)
    }

    pub fn p_value(&self, score: f64) -> f64 {
        (1 + self.rank(score)) as f64 / (1 + self.scores.len()) as f64
    }

    /// The level at which a fitted model flags unless told otherwise: `max(0.001, 1 / (1 + n))`.
    pub fn level(&self) -> f64 {
        (1.0 / (1 + self.scores.len()) as f64).max(0.001)
    }

    /// Whether a row stands out among `rows` rows.
    pub fn stands_out(&self, score: f64, rows: u64) -> bool {
        self.tail.log_probability(score) + (rows as f64).ln() <= EXPECTED_FALSE.ln()
    }

    pub fn write(&self, store: &mut Store) -> Value {
        store.put_f64("calibration.scores", self.scores.clone());
        let ParetoTail { start, log_share, scale, shape } = self.tail;
        store.put_f64("calibration.tail", vec![start, log_share, scale, shape]);
        json!({"source": self.source.name(), "rows": self.scores.len()})
    }

    pub fn read(value: &Value, store: &Store) -> Result<Self> {
        let damaged = || Error::model_file("the calibration is damaged");
        let source = value["source"].as_str().and_then(Source::parse).ok_or_else(damaged)?;
        let rows = value["rows"].as_u64().and_then(|n| usize::try_from(n).ok()).ok_or_else(damaged)?;
        let scores = store.get_finite("calibration.scores", rows)?.to_vec();
        let tail = store.get_finite("calibration.tail", 4)?;
        let tail = ParetoTail { start: tail[0], log_share: tail[1], scale: tail[2], shape: tail[3] };
        let sane = tail.scale > 0.0 && tail.shape >= 0.0 && tail.log_share <= 0.0;
        if scores.is_empty() || !sane || scores.windows(2).any(|pair| pair[0] > pair[1]) {
            return Err(damaged());
        }
        Ok(Self { source, scores, tail })
    }
}

/// `P(S > s) = share (1 + shape (s - start) / scale)^(-1 / shape)` for s > start (Pickands 1975).
#[derive(Debug, Clone, Copy, PartialEq)]
struct ParetoTail {
    start: f64,
    log_share: f64,
    scale: f64,
    shape: f64,
}

impl ParetoTail {
    /// Censored maximum likelihood: scores above the trim quantile are known to be above it, no more.
    /// The shape is the upper end of its one-sigma profile interval and never below 0 (an exponential
    /// tail): a tail that is too heavy misses an anomaly, one that is too light cries wolf.
    fn fit(ascending: &[f64]) -> Self {
        let n = ascending.len();
        let at = |share: f64| ascending.get(((n as f64 * share) as usize).min(n.saturating_sub(1))).copied();
        let (Some(start), Some(trim)) = (at(TAIL_START), at(TAIL_TRIM)) else {
            return Self { start: 0.0, log_share: 0.0, scale: 1.0, shape: 0.0 };
        };
        let limit = (trim - start).max(0.0);
        let above: Vec<f64> = ascending.iter().map(|s| s - start).filter(|&y| y > 0.0).collect();
        let bulk: Vec<f64> = above.iter().copied().filter(|&y| y <= limit).collect();
        let log_share = ((above.len().max(1)) as f64 / n as f64).ln();
        let spread = bulk.iter().sum::<f64>() / bulk.len().max(1) as f64;
        let spread = spread.max(1e-6);
        let censored = (above.len() - bulk.len()) as f64;
        let profile: Vec<(f64, f64, f64)> = (0..=50)
            .map(|step| {
                let shape = f64::from(step) * 0.02;
                let (scale, likelihood) = best_scale(&bulk, censored, limit, shape, spread);
                (shape, scale, likelihood)
            })
            .collect();
        let best = profile.iter().map(|p| p.2).fold(f64::NEG_INFINITY, f64::max);
        let chosen = profile.iter().rev().find(|p| p.2 >= best - 0.5);
        let (shape, scale) = chosen.map_or((0.0, spread), |p| (p.0, p.1));
        Self { start, log_share, scale, shape }
    }

    /// Log of the probability of a larger score; 0 at and below the start.
    fn log_probability(&self, score: f64) -> f64 {
        let y = (score - self.start).max(0.0);
        if y == 0.0 {
            return 0.0;
        }
        self.log_share + log_survival(y, self.scale, self.shape)
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
    for _ in 0..40 {
        let (a, b) = (high - ratio * (high - low), low + ratio * (high - low));
        if likelihood(a) < likelihood(b) { low = a } else { high = b }
    }
    let middle = f64::midpoint(low, high);
    (middle.exp(), likelihood(middle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_count_the_calibration_rows_that_are_at_least_as_odd() {
        let calibration = Calibration::fit(Source::HeldOut, vec![3.0, 1.0, 2.0, 2.0]);
        assert_eq!(calibration.p_value(0.0), 1.0);
        assert_eq!(calibration.p_value(2.0), 4.0 / 5.0);
        assert_eq!(calibration.p_value(3.5), 1.0 / 5.0);
    }

    #[test]
    fn an_exponential_bulk_gives_its_own_tail() {
        // Quantiles of the unit exponential: P(S > s) = e^-s, so the log is -s.
        let scores = (0..10_000).map(|k| -(1.0 - (f64::from(k) + 0.5) / 10_000.0).ln()).collect();
        let calibration = Calibration::fit(Source::OwnTable, scores);
        let found = calibration.tail.log_probability(12.0);
        // The shape is an upper bound, so the tail is heavier than the truth, by at most a third here.
        assert!((-12.0..-8.0).contains(&found), "{found}");
        assert!(!calibration.stands_out(9.0, 10_000) && calibration.stands_out(30.0, 10_000));
    }

    #[test]
    fn equal_scores_never_stand_out() {
        let calibration = Calibration::fit(Source::OwnTable, vec![1.0; 100]);
        assert!(!calibration.stands_out(1.0, 100));
    }
}
