//! A first pass over a table, for decisions that are about the whole of it (`--fdr`, `--top`).

use arrow_array::RecordBatchReader;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::scores;
use crate::error::Result;
use crate::model::Model;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Survey {
    pub rows: u64,
    /// `ranks[r]`: rows with p-value `(1 + r) / (1 + n_cal)`.
    pub ranks: Vec<u64>,
    /// Score of the `top`-th oddest row.
    pub threshold: Option<f64>,
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
    top: usize,
    mut poll: impl FnMut() -> Result<()>,
) -> Result<Survey> {
    let alignment = model.encoder.align(&input.schema())?;
    let mut found = Survey { ranks: vec![0; model.calibration().rows() + 1], ..Survey::default() };
    let mut oddest: BinaryHeap<Reverse<Score>> = BinaryHeap::new();
    for batch in input {
        let batch = batch?;
        let opened = model.encoder.open(&batch, &alignment)?;
        let rows = batch.num_rows();
        found.rows += rows as u64;
        for score in scores(model, &opened, rows) {
            if let Some(count) = found.ranks.get_mut(model.calibration().rank(score)) {
                *count += 1;
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
    found.threshold = oddest.peek().map(|Reverse(score)| score.0);
    Ok(found)
}
