//! Which rows of the sample train, judge and calibrate.

use super::units::{Held, Units};
use super::{CALIBRATION_ROWS, CROSS_FIT_ROWS, Options, REFERENCE_ROWS};
use crate::calibration::Source;
use crate::error::{Error, Result};

/// Sample rows by what they serve.
pub(super) struct Parts {
    /// Ascending.
    pub training: Vec<u32>,
    pub reference: Vec<u32>,
    pub calibration: Vec<u32>,
    pub source: Source,
}

impl Parts {
    /// The sample is in hash order, so that its first normal rows are a random part of them. `normal`: without those that
    /// feedback says are normal, which only train. Where there are units, whole ones are held out.
    pub fn new(options: &Options, normal: &[u32], rows: usize, units: Option<&Units>) -> Result<Self> {
        let all: Vec<u32> = (0..rows as u32).collect();
        if options.screen {
            let first = |count: usize| normal[..normal.len().min(count)].to_vec();
            let (reference, calibration) = (first(REFERENCE_ROWS), first(CALIBRATION_ROWS));
            return Ok(Self { training: all, reference, calibration, source: Source::OwnTable });
        }
        if normal.len() < CROSS_FIT_ROWS {
            if units.is_some() {
                let message =
                    format!("the table has {} normal rows; with a unit it takes {CROSS_FIT_ROWS}", normal.len());
                return Err(Error::input("unit-too-few", message).hint("leave --unit out, or gather more rows"));
            }
            let (reference, calibration) = (normal.to_vec(), normal.to_vec());
            return Ok(Self { training: all, reference, calibration, source: Source::CrossFitted });
        }
        let held = (normal.len() / 5).min(CALIBRATION_ROWS);
        let judged = (normal.len() / 10).min(REFERENCE_ROWS);
        let Held { calibration, reference, out } = match units {
            Some(units) => units.split(normal, held, judged)?,
            None => first(&normal[..held + judged], held, rows),
        };
        let training = all.into_iter().filter(|&row| !out[row as usize]).collect();
        Ok(Self { training, reference, calibration, source: Source::HeldOut })
    }

    /// Rows that must leave no trace in the codecs: all that do not train, whether they judge and calibrate or are of a unit
    /// of which others do.
    pub fn held_out(&self, rows: usize) -> Vec<u32> {
        match self.source {
            Source::HeldOut => {
                let trains = marked(&self.training, rows);
                (0..rows as u32).filter(|&row| !trains[row as usize]).collect()
            }
            Source::CrossFitted | Source::OwnTable => Vec::new(),
        }
    }
}

/// The first `held` of these rows calibrate, the others judge.
fn first(out: &[u32], held: usize, rows: usize) -> Held {
    Held { calibration: out[..held].to_vec(), reference: out[held..].to_vec(), out: marked(out, rows) }
}

fn marked(some: &[u32], rows: usize) -> Vec<bool> {
    let mut marks = vec![false; rows];
    some.iter().for_each(|&row| marks[row as usize] = true);
    marks
}
