//! What a row has or breaks that next to no row of the fit does: found among the rows that a fit learns from, and told of those that
//! calibrate as it will be of all others.

use super::prepare::Prepared;
use crate::block::{Block, Feature};
use crate::calibration::Source;
use crate::domain::Domain;
use crate::error::Result;
use crate::rules::{Book, Rules};

/// Of the rows of a fit that do not calibrate; nothing where all of them do. What rows that are known to be normal have is within.
pub fn domain(source: Source, rows: &Block, (features, normal): (&[Feature], bool), known: &Block) -> Domain {
    match source {
        Source::CrossFitted => Domain::default(),
        Source::HeldOut | Source::OwnTable => Domain::fit(rows, features, normal).holding(known),
    }
}

impl Prepared {
    /// What broken rules, and cells out of the domain, add to the scores of the rows that calibrate.
    pub(super) fn evidence(&self) -> Result<Vec<f64>> {
        let book = Book { encoder: &self.encoder, constraints: self.constraints() };
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
