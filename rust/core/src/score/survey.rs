//! A first pass over a table, for decisions that are about the whole of it (`--fdr`, `--top`, `--drift`).

use arrow_array::RecordBatchReader;
use rayon::ThreadPool;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::each;
use crate::drift::{Cells, Drift, Selection};
use crate::error::Result;
use crate::model::Model;
use crate::reading::Reading;
use crate::threads::within;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Survey {
    pub rows: u64,
    /// P-values that rows have, ascending, and how many rows have each.
    pub p_values: Vec<(f64, u64)>,
    /// Score of the `top`-th oddest row.
    pub threshold: Option<f64>,
    /// Where it was asked for.
    pub drift: Option<Drift>,
    /// With drift, at a false discovery rate.
    pub selection: Option<Selection>,
}

/// What is asked of the table.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ask {
    /// The score of the `top`-th oddest row; 0 for none.
    pub top: usize,
    /// p-values weighed for its mix of rows.
    pub drift: bool,
    /// With drift: what is selected at this false discovery rate.
    pub fdr: Option<f64>,
}

/// f64 with a total order.
#[derive(PartialEq)]
struct Score(f64);

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// Reads the stream to its end. `poll` is asked between batches whether to go on.
pub fn survey<R: RecordBatchReader>(
    model: &Model,
    input: R,
    Ask { top, drift, fdr }: Ask,
    pool: Option<&ThreadPool>,
    mut poll: impl FnMut() -> Result<()>,
) -> Result<Survey> {
    model.need_open()?;
    let reading = Reading::of(&input.schema())?;
    let alignment = model.encoder.align(reading.schema())?;
    let strata = if drift { Some(model.need_strata()?) } else { None };
    let mut cells = strata.map(|strata| Cells::new(strata.count(), model.calibration()));
    let mut found = Survey::default();
    // Positive floats are in the order of their bits.
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    let mut oddest: BinaryHeap<Reverse<Score>> = BinaryHeap::new();
    for batch in input {
        let (batch, strays) = reading.read(&batch?)?;
        let opened = model.encoder.open(&batch, &alignment)?;
        let rows = batch.num_rows();
        let rules = model.rules(&batch, &alignment, strays);
        let scored = within(pool, || {
            each(model, (&opened, &rules), rows, |_, score, x_n, c_c| match strata {
                None => (score, model.calibration().p_value(score, c_c), 0),
                Some(strata) => (score, 0.0, strata.of(x_n, c_c)),
            })
        })?;
        found.rows += rows as u64;
        for (score, p_value, stratum) in scored {
            match &mut cells {
                None => *counts.entry(p_value.to_bits()).or_default() += 1,
                Some(cells) => cells.count(stratum, model.calibration().place(score)),
            }
            if top > 0 {
                oddest.push(Reverse(Score(score)));
                if oddest.len() > top {
                    oddest.pop();
                }
            }
        }
        poll()?;
    }
    if let Some(cells) = &cells {
        let drift = model.drift(cells.strata())?;
        drift.p_values(cells).for_each(|(p, rows)| *counts.entry(p.to_bits()).or_default() += rows);
        found.selection = fdr.map(|fdr| drift.select(cells, fdr));
        found.drift = Some(drift);
    }
    found.p_values = counts.into_iter().map(|(bits, count)| (f64::from_bits(bits), count)).collect();
    found.threshold = oddest.peek().map(|Reverse(score)| score.0);
    Ok(found)
}
