//! What a row has or breaks that next to no row of the fit does: found among the rows that a fit learns from, and told of those that
//! calibrate as it will be of all others.

use arrow_array::RecordBatch;

use super::parts::Parts;
use super::prepare::{Prepared, take};
use crate::block::{Block, Feature};
use crate::calibration::Source;
use crate::constraints::Constraint;
use crate::domain::{Domain, Origin};
use crate::encoder::Encoder;
use crate::error::Result;
use crate::rules::{self, Book, Rules};
use crate::slips::Slips;

/// Orders and sums of the rows of a fit, or of those that are known to be normal. `normal`: which training rows are; rules that the
/// others break are marked.
pub fn rules(sample: &RecordBatch, encoder: &Encoder, parts: &Parts, normal: &[usize]) -> Result<Vec<Constraint>> {
    if normal.len() == parts.training.len() {
        return Ok(rules::find(sample, encoder));
    }
    let mut is_normal = vec![true; sample.num_rows()];
    parts.training.iter().for_each(|&row| is_normal[row as usize] = false);
    normal.iter().for_each(|&at| is_normal[parts.training[at] as usize] = true);
    let (rows, others): (Vec<u32>, Vec<u32>) = (0..is_normal.len() as u32).partition(|&row| is_normal[row as usize]);
    let mut found = rules::find(&take(sample, &rows)?, encoder);
    let others = take(sample, &others)?;
    let broken: Vec<Constraint> = {
        let book = Book { encoder, constraints: &found, slips: &Slips::default() };
        let all = Rules::all(book, &others, &encoder.align(&others.schema())?);
        let every: Vec<u32> = (0..others.num_rows() as u32).collect();
        all.counted(&every).filter(|(_, broken)| *broken > 0).map(|(one, _)| one.clone()).collect()
    };
    found.iter_mut().for_each(|one| one.of_normal = broken.contains(one));
    Ok(found)
}

/// Of the rows of a fit that do not calibrate; nothing where all of them do. What rows that are known to be normal have is within.
pub fn domain(source: Source, rows: &Block, (features, of): (&[Feature], Origin), known: &Block) -> Domain {
    match source {
        Source::CrossFitted => Domain::default(),
        Source::HeldOut | Source::OwnTable => Domain::fit(rows, features, of).holding(known),
    }
}

/// Misspelt values, where the rows of the fit are those that are judged.
pub fn slips(source: Source, rows: &RecordBatch, encoder: &Encoder, wanted: bool) -> Slips {
    match source {
        Source::OwnTable if wanted => Slips::find(rows, encoder),
        Source::OwnTable | Source::HeldOut | Source::CrossFitted => Slips::default(),
    }
}

impl Prepared {
    /// What broken rules, and cells out of the domain, add to the scores of the rows that calibrate.
    pub(super) fn evidence(&self) -> Result<Vec<f64>> {
        let book = Book { encoder: &self.encoder, constraints: self.constraints(), slips: &self.slips };
        let rules = Rules::open(book, &self.judged, &self.encoder.align(&self.judged.schema())?);
        let of_cells = |row: usize| match self.source {
            Source::CrossFitted => 0.0,
            Source::HeldOut | Source::OwnTable => {
                self.domain.evidence(self.calibration.x_row(row), self.calibration.c_row(row))
            }
        };
        Ok((0..self.judged.num_rows()).map(|row| rules.evidence(row).max(of_cells(row))).collect())
    }
}
